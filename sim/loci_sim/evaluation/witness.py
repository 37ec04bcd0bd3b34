"""Notes what a robot asks its memory, and what is true when a task ends: where the causes of failures come from. For scoring only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from loci.planning.protocols import Answer, KnownObject, MemoryReader, Planner, Point
from loci.planning.relevance import KnowsWords
from loci.words import normalise
from loci_sim.evaluation.tasks import Asked, Chore, Facts, Goal, Match, Question, Reply, Revisit, Stop, Task

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.robot import SimulatedRobot

#: What lies no further outside of a thing's box is that thing [m].
SAME_THING = 0.2
#: A thing in fewer images was not really in view.
MIN_VIEWS = 3
_RANKS: tuple[Match, ...] = ("", "other", "alike", "right")

#: Things as the simulator tells them, by id.
Things = Mapping[str, Mapping[str, Any]]


class WatchedPlanner:
    """A planner whose questions and answers are noted.

    Attributes:
        asked: since it was emptied last.
    """

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.asked: list[tuple[str, Answer]] = []

    def ask(self, question: str, memory: MemoryReader, limit: int = 10, with_images: bool = False) -> Answer:
        """As the planner's."""
        answer = self._planner.ask(question, memory, limit, with_images)
        self.asked.append((question, answer))
        return answer


class WatchedWords(WatchedPlanner):
    """One that knows words: exploring asks it where a thing is likely."""

    def __init__(self, planner: Planner, words: KnowsWords) -> None:
        super().__init__(planner)
        self._words = words

    def similarities(self, words: str, labels: Sequence[str]) -> np.ndarray:
        """As the planner's."""
        return self._words.similarities(words, labels)


def watched(planner: Planner) -> WatchedPlanner:
    """A planner whose questions and answers are noted."""
    return WatchedWords(planner, planner) if isinstance(planner, KnowsWords) else WatchedPlanner(planner)


class Witness:
    """Follows the tasks of a row.

    Args:
        robot: with the ground truth behind it.
        memory: of the robot.
        forgets: the memory is cleared at each task.
    """

    def __init__(self, robot: SimulatedRobot, memory: MemoryClient, planner: Planner, forgets: bool) -> None:
        self.planner = watched(planner)
        self._robot, self._memory, self._forgets = robot, memory, forgets
        self._before: Mapping[str, int] = {}
        self._queries: list[Asked] = []

    def begin(self) -> None:
        """A task begins."""
        self.planner.asked.clear()
        self._queries = []
        if self._forgets:
            self._before = self._robot.ground_truth()["seen"]

    def note(self, query: Asked) -> None:
        """A question was put to the memory past the planner."""
        self._queries.append(query)

    def facts(self, task: Task, ended: Stop | Reply, chosen: Sequence[str] = ()) -> Facts | None:
        """What is true at the end of a task; None: the simulator has no truth about what is meant.

        Args:
            chosen: ids of what the robot said it had chosen (`recall`).
        """
        truth = self._robot.ground_truth()
        things: Things = {o["id"]: o for o in truth["objects"]}
        meant = meant_by(task, things, truth["robot"]["holds"])
        if not meant and not isinstance(task, Revisit):
            return None
        n_images = {i: truth["seen"][i] - self._before.get(i, 0) for i in meant}
        known = [o for o in self._memory.known_objects() if o.evidence.state != "missing"]
        answers = [
            (e.label, e.position)
            for _, a in self.planner.asked
            if a.known
            for e in a.evidence
            if e.position is not None
        ]
        queries = [("", q.position) for q in self._queries if q.position is not None]
        named = [match_of(label, at, meant, things) for label, at in (*answers, *queries)]
        words = [q for q, _ in self.planner.asked] + [q.words for q in self._queries]
        return Facts(
            task=_kind(task),
            n_meant=len(meant),
            n_seen=sum(n >= MIN_VIEWS for n in n_images.values()),
            n_known=sum(is_known(things[i], known) for i in meant),
            n_stale=n_stale(meant, things, known),
            n_asked=len(words),
            asked_for=_asked_for(task.text, words, {things[i]["category"] for i in meant}),
            named=max(named, key=_RANKS.index, default=""),
            ended=self._ended(task, answers, queries, meant, things, chosen),
            told=bool(self.planner.asked) and _names_one(self.planner.asked[-1][1].answer, meant, things),
            gave_up=ended.gave_up if isinstance(ended, Stop) else "",
        )

    def _ended(
        self,
        task: Task,
        answers: Sequence[tuple[str, Point]],
        queries: Sequence[tuple[str, Point]],
        meant: Sequence[str],
        things: Things,
        chosen: Sequence[str],
    ) -> Match:
        """What the robot ended at: of goals the named thing that it stands nearest to, of chores what was named last."""
        if isinstance(task, Revisit):
            categories = {things[i]["category"] for i in meant}
            found = [_compare(i, things.get(i, {}).get("category", ""), meant, categories) for i in chosen]
            return min(found, key=_RANKS.index, default="")
        if isinstance(task, Chore) and queries:
            return match_of(*queries[-1], meant, things)
        if not answers:
            return ""
        here = self._robot.position()
        return match_of(*min(answers, key=lambda a: float(np.hypot(*np.subtract(a[1], here)[:2]))), meant, things)


def meant_by(task: Task, things: Things, held: str) -> tuple[str, ...]:
    """Ids of things that a task means now: of a chore those of its first step that is not done; rooms are left out."""
    ids: Iterable[str] = task.object_ids
    if isinstance(task, Chore):
        from loci_sim.evaluation.chores import is_done

        step = next((s for s in task.steps if not is_done(s, things)), task.steps[-1])
        ids = step.target_ids if step.verb == "place" and held in step.object_ids else step.object_ids
    return tuple(i for i in ids if i in things)


def match_of(label: str, position: Point, meant: Sequence[str], things: Things) -> Match:
    """How what lies at a position (x, y, z) [m], of a category or any (empty), compares with what is meant."""
    near = [(d, o) for o in things.values() if (d := _offset(o, position)) is not None]
    if label:
        near = [(d, o) for d, o in near if o["category"] == label]
    categories = {things[i]["category"] for i in meant}
    if not near:
        # Nothing is there: what it was thought to be still counts.
        return "alike" if label in categories else "other" if label else ""
    right = [o for _, o in near if o["id"] in meant]
    best = right[0] if right else min(near, key=lambda n: n[0])[1]
    return _compare(best["id"], best["category"], meant, categories)


def _compare(identity: str, category: str, meant: Sequence[str], categories: set[str]) -> Match:
    if not identity:
        return ""
    return "right" if identity in meant else "alike" if category in categories else "other"


def is_known(thing: Mapping[str, Any], known: Sequence[KnownObject]) -> bool:
    """Whether the memory knows a thing of the same category where it is."""
    return any(
        o.label == thing["category"]
        and o.evidence.position is not None
        and _offset(thing, o.evidence.position) is not None
        for o in known
    )


def n_stale(meant: Sequence[str], things: Things, known: Sequence[KnownObject]) -> int:
    """Remembered things of the categories that are meant, where none of these is."""
    categories = {things[i]["category"] for i in meant}
    return sum(
        o.evidence.position is not None
        and not any(_offset(t, o.evidence.position) is not None for t in things.values() if t["category"] == o.label)
        for o in known
        if o.label in categories
    )


def _offset(thing: Mapping[str, Any], position: Point) -> float | None:
    """Distance of a point from a thing's centre [m]; None: it lies outside of its box by more than `SAME_THING`."""
    T = np.array(thing["T_map_box"])
    local = (np.asarray(position) - T[:3, 3]) @ T[:3, :3]
    outside = np.maximum(np.abs(local) - np.asarray(thing["size"]) / 2, 0.0)
    return float(np.linalg.norm(local)) if np.linalg.norm(outside) <= SAME_THING else None


def _asked_for(text: str, words: Sequence[str], categories: set[str]) -> bool | None:
    """Whether a question named one of some categories; None: the instruction itself does not, or nothing was asked."""
    if not words or not any(normalise(c) in normalise(text) for c in categories):
        return None
    return any(normalise(c) in normalise(w) for c in categories for w in words)


def _names_one(answer: str, meant: Sequence[str], things: Things) -> bool:
    return any(normalise(things[i]["category"]) in normalise(answer) for i in meant)


def _kind(task: Task) -> Any:
    if isinstance(task, Goal):
        return "goal" if task.image is None else "picture"
    return {Question: "question", Chore: "chore", Revisit: "revisit"}[type(task)]
