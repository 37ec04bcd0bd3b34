"""Questions about a simulated day: is the right piece of evidence among the first that a memory recalls?

    python bench/episodic.py --only recall_questions          (part of make bench NAME=episodic)

A robot lives through a day in a home (`recall_day.py`). 200 questions with their truth are drawn from what was done and what could be
seen: what, where, when, first and last, before and after, how often, state. Each is asked in the wordings of `recall_phrasings.py`, and in those of
`recall_phrasings_held_out.py`, which were written before the understanding of time words and not looked at while it was. Evidence@k: the right record is among the first k answers
of `RobotMemory.recall(Query(text=question))`; "how often" wants all of them (as many as fit into k). Truth is counted from the simulator's masks.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from common import table
from loci.memory import RobotMemory
from loci.perception.text import MiniLMTextEncoder, TextEncoder
from loci.query import MAX_LIMIT, Evidence, Query
from loci_sim.affordances import affordances
from recall_day import BEGAN, ROUNDS, Day, Deed, Lived, live, load_day
from recall_phrasings import DEVELOPMENT
from recall_phrasings_held_out import HELD_OUT
from scene_homes import COUNTED_RANGE

#: Seeds of the homes, and how many questions are asked.
HOMES, N_QUESTIONS = (4,), 200
#: What shows so many pixels is detected; so many, within `COUNTED_RANGE`, are seen for sure.
DETECTED_PX, SURE_PX = 25, 400
#: A sighting is told right to the minute [ns].
TOLERANCE_NS = 60 * 10**9
#: An object is where a thing is if their centres are so near [m], or nearer than this share of the thing's diagonal.
NEAR = 0.3
_SESSION_NS = 20 * 60 * 10**9

KINDS: Mapping[str, str] = {
    **dict.fromkeys(("what_moved_between", "what_moved_since", "what_put_on", "what_said_about"), "what"),
    **dict.fromkeys(("where_now", "where_at", "where_put"), "where"),
    **dict.fromkeys(("when_moved", "when_put", "when_gone"), "when"),
    **dict.fromkeys(("first_seen", "last_seen", "first_done", "last_done"), "first_last"),
    **dict.fromkeys(("where_before_moved", "last_seen_before", "done_after", "done_before"), "before_after"),
    **dict.fromkeys(("times_done", "times_moved"), "how_often"),
    **dict.fromkeys(("state_now", "state_at"), "state"),
}
#: "do", "did" and "done" of deeds, the state after, and its opposite.
_WORDS: Mapping[str, tuple[str, str, str, str]] = {
    "open": ("open", "opened", "open", "closed"),
    "close": ("close", "closed", "closed", "open"),
    "switch_on": ("switch on", "switched on", "on", "off"),
    "switch_off": ("switch off", "switched off", "off", "on"),
}


@dataclass(frozen=True)
class Asked:
    """A question and its truth.

    Attributes:
        template: of its wording.
        slots: what its wording is filled with.
        right: groups of ids of evidence; one of each group is to be recalled.
    """

    template: str
    slots: Mapping[str, str]
    right: tuple[frozenset[str], ...]


class Truth:
    """What is true of a day, told in ids of what a memory holds."""

    def __init__(self, day: Day, lived: Lived, memory: RobotMemory) -> None:
        self.day, self.records, self._memory = day, lived.records, memory
        shown: dict[int, list[int]] = defaultdict(list)
        sure: dict[int, list[int]] = defaultdict(list)
        showing: list[set[int]] = []
        for shot in day.shots:
            instances, depth = shot.instance_image(), shot.depth_image()
            counts = np.bincount(instances.ravel())
            near = np.bincount(instances[(depth > 0) & (depth <= COUNTED_RANGE)], minlength=len(counts))
            seen = {i for i in np.flatnonzero(counts >= DETECTED_PX).tolist() if i}
            showing.append(seen)
            for i in seen:
                shown[i].append(shot.stamp_ns)
                if near[i] >= SURE_PX:
                    sure[i].append(shot.stamp_ns)
        self.shown = {i: np.array(s, dtype=np.int64) for i, s in shown.items()}
        self.sure = {i: np.array(s, dtype=np.int64) for i, s in sure.items()}
        self._keyframes: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for keyframe_id, frame in lived.frame_of.items():
            for i in showing[frame]:
                self._keyframes[i].append((day.shots[frame].stamp_ns, keyframe_id))
        counts = Counter(day.categories.values())
        self.single = [i for i, c in day.categories.items() if counts[c] == 1 and i in self.sure]
        self._episodes: dict[str, list[Evidence]] = {}

    def keyframes(self, instance: int, after_ns: float = 0, before_ns: float = np.inf) -> frozenset[str]:
        """Keyframes in [after, before) that show a thing."""
        return frozenset(k for s, k in self._keyframes[instance] if after_ns <= s < before_ns)

    def episodes(
        self, category: str, after_ns: float = 0, before_ns: float = np.inf, gone: bool | None = None
    ) -> frozenset[str]:
        """Episodes in [after, before) about things of a category; only those that tell that it is gone (True), or no such ones (False)."""
        if category not in self._episodes:
            query = Query(labels=(category,), kinds=("episode",), order="oldest", limit=MAX_LIMIT)
            self._episodes[category] = list(self._memory.recall(query).evidence)
        return frozenset(
            e.id
            for e in self._episodes[category]
            if after_ns <= e.stamp_ns < before_ns and gone in (None, e.state in ("missing", "held"))
        )

    def objects(self, instance: int) -> frozenset[str]:
        """Objects of the thing's category that are where it is in the end."""
        center = self.day.stays[instance][-1].center
        category = self.day.categories[instance]
        if center is None:
            return frozenset()
        return frozenset(
            o.id
            for o in self._memory.objects()
            if o.label == category and o.is_there and float(np.linalg.norm(np.subtract(o.center, center))) <= NEAR
        )

    def standing(self, instance: int, stamp_ns: int) -> tuple[int, float]:
        """From and until when a thing stood where it was at a time [ns]."""
        stays = self.day.stays[instance]
        n = max(i for i, s in enumerate(stays) if s.since_ns <= stamp_ns)
        return stays[n].since_ns, stays[n + 1].since_ns if n + 1 < len(stays) else np.inf

    def sure_in(self, instance: int, after_ns: float, before_ns: float = np.inf) -> int | None:
        """When a thing was first seen for sure in [after, before); None: it was not."""
        stamps = self.sure[instance]
        found = stamps[(stamps >= after_ns) & (stamps < before_ns)]
        return int(found[0]) if len(found) else None

    def last_sight(self, instance: int, before_ns: float = np.inf) -> frozenset[str]:
        """Keyframes of the last sight of a thing before a time: those of its last minute, and of all since it was last seen for sure."""
        sure, shown = self.sure[instance], self.shown[instance]
        sure, shown = sure[sure < before_ns], shown[shown < before_ns]
        if not len(sure):
            return frozenset()
        return self.keyframes(instance, min(int(sure[-1]), int(shown[-1]) - TOLERANCE_NS), before_ns)


# --- questions ----------------------------------------------------------------------------------------------------------------


def questions_of(truth: Truth) -> list[Asked]:
    """All questions that can be asked about a day."""
    made = [*_of_things(truth), *_of_moves(truth), *_of_devices(truth), *_of_order(truth)]
    return [q for q in made if q.right and all(q.right)]


def _hour(stamp_ns: int) -> float:
    return (stamp_ns / 1e9 - BEGAN.replace(hour=0, minute=0).timestamp()) / 3600.0


def _clock(hours: float) -> tuple[str, str]:
    """ "14:30" and "2:30 pm"."""
    t = datetime(2026, 3, 2, int(hours), round(hours % 1 * 60), tzinfo=UTC)
    return t.strftime("%H:%M"), t.strftime("%I:%M %p").lstrip("0").lower()


def _stamp(hours: float) -> int:
    return int(BEGAN.replace(hour=0, minute=0).timestamp() + 3600.0 * hours) * 10**9


def _times(name: str, hours: float) -> dict[str, str]:
    plain, pm = _clock(hours)
    return {name: plain, f"{name}_pm": pm}


def _of_things(truth: Truth) -> Iterator[Asked]:
    """Where things are and were, when they were seen first and last, what was said."""
    for i in truth.single:
        category = truth.day.categories[i]
        since, _ = truth.standing(i, truth.day.shots[-1].stamp_ns)
        slots = {"thing": category}
        stays = truth.day.stays[i]
        if stays[-1].center is not None and truth.sure_in(i, since) is not None:
            right = truth.keyframes(i, since) | truth.episodes(category, since, gone=False) | truth.objects(i)
            yield Asked("where_now", slots, (right,))
        first = int(truth.sure[i][0]) + TOLERANCE_NS
        yield Asked(
            "first_seen", slots, (truth.keyframes(i, 0, first) | truth.episodes(category, 0, first, gone=False),)
        )
        last = truth.last_sight(i)
        yield Asked("last_seen", slots, (last | (truth.objects(i) if last else frozenset()),))
        for hour in ROUNDS[1:-1] if len(stays) > 1 else ():
            at = _stamp(hour + 0.5)
            begins, ends = truth.standing(i, at)
            if truth.day.center_at(i, at) is not None and truth.sure_in(i, begins, at) is not None:
                right = truth.keyframes(i, begins, ends) | truth.episodes(category, begins, ends, gone=False)
                right |= truth.objects(i) if ends == np.inf else frozenset()
                yield Asked("where_at", {**slots, **_times("time", hour + 0.5)}, (right,))
    for n, deed in enumerate(truth.day.deeds):
        if deed.kind == "say":
            yield Asked(
                "what_said_about", {"person": deed.by, "thing": deed.category}, (frozenset([truth.records[n]]),)
            )


def _of_moves(truth: Truth) -> Iterator[Asked]:
    """What was moved and put where, when, how often; where it was before; what is gone."""
    moves: dict[int, list[tuple[int, Deed]]] = defaultdict(list)
    for n, deed in enumerate(truth.day.deeds):
        if deed.kind in ("move", "take_away") and deed.instance in truth.single:
            moves[deed.instance].append((n, deed))
    noticed = {n: _noticed(truth, i, n, d, own) for i, own in moves.items() for n, d in own}
    for i, own in moves.items():
        category, slots = truth.day.categories[i], {"thing": truth.day.categories[i]}
        n, deed = own[-1]
        if deed.kind == "take_away":
            yield Asked("when_gone", slots, (truth.episodes(category, deed.stamp_ns, gone=True),))
        elif deed.by == "robot":
            until = truth.standing(i, deed.stamp_ns)[1]
            there = frozenset([truth.records[n]])
            shown = truth.keyframes(i, deed.stamp_ns, until) | (truth.objects(i) if until == np.inf else frozenset())
            yield Asked("where_put", slots, (there | shown,))
            soon = truth.keyframes(i, deed.stamp_ns, deed.stamp_ns + TOLERANCE_NS)
            yield Asked("when_put", {**slots, "place": deed.target}, (there | soon,))
            yield Asked("what_put_on", {"place": deed.target}, (there | truth.objects(i),))
        elif len(own) == 1:
            yield Asked("when_moved", slots, (noticed[n],))
            before = truth.keyframes(i, 0, deed.stamp_ns) | truth.episodes(category, 0, deed.stamp_ns, gone=False)
            yield Asked("where_before_moved", slots, (before,))
        if len(own) > 1 and all(d.by != "robot" and d.kind == "move" for _, d in own):
            yield Asked("times_moved", slots, tuple(noticed[n] for n, _ in own))
    for first in range(len(ROUNDS) - 1):
        for n_rounds in (1, 2):
            a, b = ROUNDS[first] + 0.5, ROUNDS[min(first + n_rounds, len(ROUNDS) - 1)] + 0.5
            right = _moved_in(truth, moves, noticed, _stamp(a), _stamp(b))
            yield Asked("what_moved_between", {**_times("t1", a), **_times("t2", b)}, (right,))
        a = ROUNDS[first] + 0.5
        right = _moved_in(truth, moves, noticed, _stamp(a), truth.day.shots[-1].stamp_ns + 1)
        yield Asked("what_moved_since", _times("time", a), (right,))


def _noticed(truth: Truth, i: int, n: int, deed: Deed, own: Sequence[tuple[int, Deed]]) -> frozenset[str]:
    """What tells of a move: records from then until the end of the round on which the thing was first seen for sure where it was put.

    Until then the robot may not have seen yet that the old place is empty. None if it was not seen there.
    """
    if deed.by == "robot":
        return frozenset([truth.records[n]])
    until = next((d.stamp_ns for _, d in own if d.stamp_ns > deed.stamp_ns), np.inf)
    seen = truth.sure_in(i, deed.stamp_ns, until)
    if seen is None:
        return frozenset()
    ends = min(until, next(last for _, last in truth.day.rounds if last >= seen) + 1)
    told = truth.episodes(truth.day.categories[i], deed.stamp_ns, ends)
    return told | truth.keyframes(i, deed.stamp_ns, ends)


def _moved_in(
    truth: Truth,
    moves: Mapping[int, Sequence[tuple[int, Deed]]],
    noticed: Mapping[int, frozenset[str]],
    after_ns: int,
    before_ns: int,
) -> frozenset[str]:
    """Episodes in [after, before) that tell of a move in that time."""
    right: set[str] = set()
    for i, own in moves.items():
        for n, deed in own:
            if after_ns <= deed.stamp_ns < before_ns and deed.kind == "move":
                right |= noticed[n] & truth.episodes(truth.day.categories[i], after_ns, before_ns)
    return frozenset(right)


def _of_devices(truth: Truth) -> Iterator[Asked]:
    """When and how often the robot opened, closed and switched things, and how they are."""
    by_deed: dict[tuple[int, str], list[int]] = defaultdict(list)
    by_device: dict[int, list[int]] = defaultdict(list)
    for n, deed in enumerate(truth.day.deeds):
        if deed.kind in _WORDS:
            by_deed[deed.instance, deed.kind].append(n)
            by_device[deed.instance].append(n)
    for (i, kind), own in by_deed.items():
        slots = _device_slots(truth.day.categories[i], kind)
        if len(own) > 1:
            yield Asked("first_done", slots, (frozenset([truth.records[own[0]]]),))
            yield Asked("last_done", slots, (frozenset([truth.records[own[-1]]]),))
            yield Asked("times_done", slots, tuple(frozenset([truth.records[n]]) for n in own))
    for i, own in by_device.items():
        last = truth.day.deeds[own[-1]]
        for kind in (last.kind, _undone(last.kind)):
            slots = _device_slots(truth.day.categories[i], kind)
            yield Asked("state_now", slots, (frozenset([truth.records[own[-1]]]),))
        for hour in ROUNDS[1:-1]:
            before = [n for n in own if truth.day.deeds[n].stamp_ns < _stamp(hour + 0.5)]
            if before:
                kind = truth.day.deeds[before[-1]].kind
                kind = kind if hour % 4 == 1 else _undone(kind)
                slots = {**_device_slots(truth.day.categories[i], kind), **_times("time", hour + 0.5)}
                yield Asked("state_at", slots, (frozenset([truth.records[before[-1]]]),))


def _device_slots(category: str, kind: str) -> dict[str, str]:
    do, did, state, opposite = _WORDS[kind]
    return {"device": category, "do": do, "did": did, "done": did, "state": state, "opposite": opposite}


def _undone(kind: str) -> str:
    return {"open": "close", "close": "open", "switch_on": "switch_off", "switch_off": "switch_on"}[kind]


def _of_order(truth: Truth) -> Iterator[Asked]:
    """What the robot did before and after something that it did once, and what it had seen by then."""
    own = [(n, d) for n, d in enumerate(truth.day.deeds) if d.by == "robot"]
    counts = Counter((d.kind, d.instance) for _, d in own)
    for k, (_, deed) in enumerate(own):
        if deed.kind not in _WORDS or counts[deed.kind, deed.instance] != 1:
            continue
        slots = _device_slots(deed.category, deed.kind)
        for template, other in (("done_before", k - 1), ("done_after", k + 1)):
            if 0 <= other < len(own) and abs(own[other][1].stamp_ns - deed.stamp_ns) < _SESSION_NS:
                yield Asked(template, slots, (frozenset([truth.records[own[other][0]]]),))
        for i in truth.single:
            if i != deed.instance and (len(truth.day.stays[i]) > 1 or affordances(truth.day.categories[i]).pickable):
                yield Asked(
                    "last_seen_before",
                    {**slots, "thing": truth.day.categories[i]},
                    (truth.last_sight(i, deed.stamp_ns),),
                )


def draw(asked: Sequence[tuple[str, Asked]], n: int, seed: int = 0) -> list[tuple[str, Asked]]:
    """``n`` questions, of every template as evenly as there are any."""
    rng = np.random.default_rng(seed)
    left: dict[str, list[tuple[str, Asked]]] = {t: [] for t in KINDS}
    for i in rng.permutation(len(asked)):
        left[asked[i][1].template].append(asked[i])
    chosen: list[tuple[str, Asked]] = []
    while len(chosen) < n and any(left.values()):
        for queue in left.values():
            if queue and len(chosen) < n:
                chosen.append(queue.pop())
    return chosen


# --- measuring ----------------------------------------------------------------------------------------------------------------


def is_right(asked: Asked, evidence: Sequence[Evidence], k: int) -> bool:
    """Whether the first ``k`` pieces of evidence hold what is right, as much of it as fits."""
    ids = [{e.id, e.keyframe_id} if e.kind == "snapshot" else {e.id} for e in evidence[:k]]
    n_found = sum(any(group & own for own in ids) for group in asked.right)
    return n_found >= min(k, len(asked.right))


def score(
    asked: Sequence[tuple[str, Asked]],
    wordings: Mapping[str, Sequence[str]],
    recall: Callable[[str, str], Sequence[Evidence]],
    wrong: Callable[[str, str, Asked, Sequence[Evidence]], None] | None = None,
) -> dict[str, Any]:
    """Shares of right evidence over all questions in all wordings, in all and by kind.

    Args:
        recall: what a home's memory answers to a text.
        wrong: told of what is not right within 5.
    """
    hits: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for home, question in asked:
        for wording in wordings[question.template]:
            text = wording.format(**question.slots)
            evidence = recall(home, text)
            at = is_right(question, evidence, 1), is_right(question, evidence, 5)
            hits[question.template].append(at)
            if wrong is not None and not at[1]:
                wrong(home, text, question, evidence)
    by_kind: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for template, own in hits.items():
        by_kind[KINDS[template]] += own
    every = [at for own in hits.values() for at in own]
    return {
        **_shares(every),
        "by_kind": {kind: _shares(own) for kind, own in sorted(by_kind.items())},
        "by_template": {template: _shares(own) for template, own in sorted(hits.items())},
    }


def _shares(hits: Sequence[tuple[bool, bool]]) -> dict[str, float | int]:
    at_1, at_5 = (round(float(np.mean([h[i] for h in hits])), 4) if hits else 0.0 for i in (0, 1))
    return {"at_1": at_1, "at_5": at_5, "n": len(hits)}


def measure(
    lives: Iterable[tuple[Day, Lived, RobotMemory]],
    encoder: TextEncoder,
    n_questions: int = N_QUESTIONS,
    wrong: Callable[[str, str, Asked, Sequence[Evidence]], None] | None = None,
) -> dict[str, Any]:
    """The section `recall_questions`: ``at_1``, ``at_5`` and ``by_kind`` of the wordings that were held out, with the others beside them.

    Args:
        lives: days, how memories lived through them, and the memories.
        encoder: of the memories.
        wrong: told of what is not right in the wordings for development.
    """
    memories: dict[str, RobotMemory] = {}
    asked: list[tuple[str, Asked]] = []
    for day, lived, memory in lives:
        memories[day.home] = memory
        asked += [(day.home, q) for q in questions_of(Truth(day, lived, memory))]
    chosen = draw(asked, n_questions)

    def recall(home: str, text: str) -> Sequence[Evidence]:
        return memories[home].recall(Query(text=text, limit=5)).evidence

    def by_likeness(home: str, text: str) -> Sequence[Evidence]:
        # With its embedding given, a text ranks and nothing more.
        return memories[home].recall(Query(text=text, text_embedding=encoder.encode([text])[0], limit=5)).evidence

    result = score(chosen, HELD_OUT, recall)
    return {
        **result,
        "n_questions": len(chosen),
        "n_homes": len(memories),
        "encoder": encoder.name,
        "development": score(chosen, DEVELOPMENT, recall, wrong),
        "held_out_without_time_words": score(chosen, HELD_OUT, by_likeness),
    }


def print_recall_questions(result: Mapping[str, Any]) -> None:
    """The section as a table."""
    columns = (
        ("held out", result),
        ("development", result["development"]),
        ("by likeness alone", result["held_out_without_time_words"]),
    )
    rows: list[list[object]] = []
    for kind in result["by_kind"]:
        rows.append(
            [
                kind,
                *(c["by_kind"][kind][at] for _, c in columns for at in ("at_1", "at_5")),
                result["by_kind"][kind]["n"],
            ]
        )
    rows.append(["all", *(c[at] for _, c in columns for at in ("at_1", "at_5")), result["n"]])
    print(table(["questions", *(f"{name} @{k}" for name, _ in columns for k in (1, 5)), "asked"], rows))


def recall_questions(homes: Sequence[int] = HOMES, progress: Callable[[str], None] = print) -> dict[str, Any]:
    """Let memories live through the days of some homes, and ask them."""
    zone = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"  # times of day are asked in the time zone of the days
    time.tzset()
    folder = tempfile.TemporaryDirectory(prefix="loci-bench-")
    opened: list[RobotMemory] = []
    encoder = MiniLMTextEncoder()
    try:
        lives: list[tuple[Day, Lived, RobotMemory]] = []
        for seed in homes:
            day = load_day(seed)
            path, map_id = Path(folder.name) / f"home-{seed}", day.home.replace(":", "-")
            memory = RobotMemory.open(path, map_id=map_id, text_encoder=encoder)
            opened.append(memory)
            lives.append((day, live(day, memory, progress), memory))
        return measure(lives, encoder)
    finally:
        for memory in opened:
            memory.close()
        folder.cleanup()
        os.environ.pop("TZ") if zone is None else os.environ.update(TZ=zone)
        time.tzset()
