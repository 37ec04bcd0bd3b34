"""Which remembered things words send a robot to: what is called so before what only resembles it, and the nearest of those that fit.

While something is left to explore, a thing of another name is no goal: an armchair that was not seen yet is not the chair that was. Once
nothing is left, words are taken less and less strictly: a colour may have been misjudged, a thing may have been moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loci.observation import Detection
from loci.planning.driving import distance
from loci.planning.parsing import Question, parse
from loci.planning.protocols import KnownObject, MemoryReader, Planner, Point
from loci.query import SAME_SURROUNDINGS, SAME_VIEW, Evidence, Query
from loci.words import canonical, normalise

#: Things that fit and are compared by the way to them.
_MAX_COMPARED = 6
#: Objects asked for at a time.
_LIMIT = 50
#: Paths to things may end so far from their middle [m].
_PATH_TOLERANCE = 1.5
#: Least cosine of a purpose with a thing that serves it, for all-MiniLM-L6-v2: thirteen of fifteen purposes ("boil water") have a thing
#: above it in five generated homes; the best of the things that do not serve has 0.37 (median), so that it is no more than a hint.
_SERVES = 0.36
#: Where nothing is left to explore, surroundings that agree so well with a picture are worth a look: parts of them may not have been seen.
_ALIKE_SURROUNDINGS = 0.25
#: Objects nearer to one another than this are one that was found by a picture [m]; scores that differ by less are as good.
_SAME_SPOT, _WORSE = 1.0, 0.1
#: The words of the purpose alone are compared: in "can use" the encoder's user means no can.
_PURPOSE = re.compile(
    r"^(?:some|any)thing(?: that| which)?(?: (?:i|we|you|one|people))?(?: (?:can|could|may|might|would))?(?: be)?"
    r"(?: (?:use|used|need|take|useful|good))?(?: (?:to|for)) (?P<purpose>.+)$"
)


@dataclass(frozen=True)
class Meant:
    """Objects or rooms that words mean, the one to go to first at the front; and the frontier that the planner would rather look at, if it names one."""

    things: list[Evidence]
    look_at: str = ""


def things_meant(
    words: str, memory: MemoryReader, planner: Planner, position: Point, *, desperate: bool = False
) -> Meant:
    """Objects, or rooms, that words mean, the one to go to first at the front.

    Args:
        words: "red mug on the counter in the kitchen".
        memory, planner: say where things are.
        position: of the robot [m].
        desperate: nothing is left to explore: what fits less well counts, too.
    """
    purpose = purpose_of(words)
    if purpose:
        return Meant(_serving(words, purpose, memory, planner, desperate))
    exact, alike, look_at = _asked(words, memory, planner, position)
    if not desperate:
        return Meant(exact, look_at)
    # What fits better comes first; the others are tried where that is not there.
    found, far = [*exact, *(e for e in alike if is_called(e.label, _name_in(words)))], list(alike)
    for looser in relaxations(words):
        exact, others, _ = _asked(looser, memory, planner, position)
        found, far = found + exact, far + others
    return Meant(list({e.id: e for e in found + far}.values()))


def purpose_of(words: str) -> str:
    """What a thing is wanted for that is not named: "something that I can use to boil water" -> "boil water"; empty: it is named."""
    found = _PURPOSE.match(words.strip().lower())
    return found["purpose"] if found else ""


def is_called(label: str, words: str) -> bool:
    """Whether a label names what words mean, or a kind of it: a "coffee table" is a "table", a "chair" is no "armchair"."""
    return canonical(label) == canonical(words) or f" {normalise(label)}".endswith(f" {normalise(words)}")


def relaxations(words: str) -> Iterator[str]:
    """The same words with less and less of what tells a thing from others of its name; the name stays."""
    asked = parse(f"where is the {words}")
    for dropped in (
        {"color": "", "anchor_color": ""},
        {"anchor": ""},
        {"room": ""},
        {"color": "", "anchor": ""},
        {"color": "", "anchor": "", "room": ""},
    ):
        looser = replace(asked, **dropped)  # type: ignore[arg-type]
        if looser != asked:
            yield _worded(looser)


def pictured(
    memory: MemoryReader, image: np.ndarray, detections: Sequence[Detection] = (), *, desperate: bool = False
) -> list[Evidence]:
    """Remembered objects that a picture shows, by what is around them, and images that show the same, surest first.

    Args:
        memory: of the robot.
        image: the picture, (H, W, 3) uint8 RGB.
        detections: what the robot's detector saw in it; none: only its looks count.
        desperate: nothing is left to explore: what agrees less well counts, too.
    """
    things: Sequence[Evidence] = ()
    if detections:
        shown = Query(image=image, detections=tuple(detections), kinds=("object",), limit=10)
        things = memory.recall(shown).evidence
    sure = [e for e in things if e.score >= SAME_SURROUNDINGS]
    if sure:  # comparing images closely takes long
        return sure
    views = memory.recall(Query(image=image, kinds=("keyframe",), limit=10)).evidence
    sure = [e for e in views if e.score >= SAME_VIEW]
    if not desperate:
        return sure
    return [*sure, *(e for e in things if e.score >= _ALIKE_SURROUNDINGS), *(e for e in views if e.score < SAME_VIEW)]


def shows_still(memory: MemoryReader, image: np.ndarray, detections: Sequence[Detection], target: Evidence) -> bool:
    """Whether an object that was found by a picture still agrees with it, now that the robot has looked from there, and nothing agrees better."""
    query = Query(image=image, detections=tuple(detections), kinds=("object",), limit=10)
    found = memory.recall(query).evidence
    assert target.position is not None
    at = target.position
    # What was seen anew may be one with another object now.
    here = [e for e in found if e.id == target.id or (e.position is not None and distance(e.position, at) < _SAME_SPOT)]
    if not here:
        return False
    best = max(e.score for e in here)
    least = min(target.score, SAME_SURROUNDINGS) - _WORSE
    return best >= least and best >= max((e.score for e in found if e.is_goal), default=0.0) - _WORSE


def _serving(words: str, purpose: str, memory: MemoryReader, planner: Planner, desperate: bool) -> list[Evidence]:
    """Things that serve a purpose, best first: those that the planner knows to, else by the text encoder.

    None that hardly does while something is left to explore.
    """
    served = planner.ask(f"is there {words}", memory, limit=_LIMIT)
    known = [e for e in served.evidence if served.known and e.kind == "object" and e.state != "missing"]
    if known and (desperate or not served.resembles):
        return known
    if served.resembles:  # what serves better may still be found
        return []
    found = memory.recall(Query(text=purpose, kinds=("object",), limit=10)).evidence
    return [e for e in found if e.state != "missing" and (desperate or e.score >= _SERVES)]


def _name_in(words: str) -> str:
    """What a thing is called in "the red mug on the counter"."""
    return parse(f"where is the {words}").words or words


def _worded(q: Question) -> str:
    thing = f"{q.color} {q.words}".strip()
    anchor = f" {q.anchor_words} the {f'{q.anchor_color} {q.anchor}'.strip()}" if q.anchor else ""
    return thing + anchor + (f" in the {q.room}" if q.room else "")


def _asked(
    words: str, memory: MemoryReader, planner: Planner, position: Point
) -> tuple[list[Evidence], list[Evidence], str]:
    """What is called so, best first; what the planner takes for it besides; and the frontier that it would look at."""
    question = f"where is the {words}"
    answer = planner.ask(question, memory, limit=_LIMIT)
    kinds = ("object", "room", "snapshot")
    found = [e for e in answer.evidence if answer.known and e.kind in kinds and e.state != "missing"]
    asked = parse(question)
    # "The mug on the table": the evidence may name the table, too.
    exact = [e for e in found if e.kind == "snapshot" or is_called(e.label, asked.words or words)]
    if answer.resembles:  # of nearly the colour
        exact = []
    # Where a known thing's room could be looked at more closely is no place to look for another thing.
    look_at = "" if answer.may_change else answer.look_at
    return _best_first(exact, asked, memory, position), [e for e in found if e not in exact], look_at


def _best_first(found: Sequence[Evidence], asked: Question, memory: MemoryReader, position: Point) -> list[Evidence]:
    """What is called just so before what another word names; what is mostly of the colour that was asked for before what has a spot of it; of
    equals the nearest by path."""
    if len(found) < 2:
        return list(found)
    spots: dict[str, int] = {}
    if asked.color:
        spots = {o.id: _spot(o, asked.color) for o in memory.known_objects()}
    by_straight = sorted(found, key=lambda e: _straight(e, position))
    ways = {e.id: _way(e, memory, position) for e in by_straight[:_MAX_COMPARED]}
    asked_for = normalise(asked.words)
    return sorted(
        by_straight, key=lambda e: (normalise(e.label) != asked_for, spots.get(e.id, 0), ways.get(e.id, np.inf))
    )


def _spot(o: KnownObject, color: str) -> int:
    """Place of a colour among those of an object."""
    colors = ["grey" if c == "gray" else c for c in o.colors]
    return colors.index(color) if color in colors else len(colors)


def _straight(e: Evidence, position: Point) -> float:
    return float(np.inf) if e.position is None else distance(e.position, position)


def _way(e: Evidence, memory: MemoryReader, position: Point) -> float:
    """Length of the path to a thing [m]; infinite: there is none."""
    if e.position is None or not e.is_goal:
        return float(np.inf)
    path = memory.path_to(e.position, position, _PATH_TOLERANCE)
    return float(np.inf) if path.reason else path.length
