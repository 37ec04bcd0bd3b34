"""What a question means in a memory: the objects and rooms that its words stand for, and what to say where there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from loci.planning.grounding import AWAY, frontier_evidence, inside, reachable, related_to, room_evidence, rooms_named
from loci.planning.parsing import Question
from loci.planning.phrases import UNNAMED, indefinite, joined, name_of, number, place_phrase, room_phrase, time_phrase
from loci.planning.protocols import Answer, KnownObject, KnownRoom, MemoryReader, Point
from loci.query import Evidence, Query
from loci.words import SAME_THING, Match, WordMatcher, canonical, normalise, plural

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: Confidence of a "no" after everything reachable was explored: a thing may be small, hidden, or behind a closed door.
NO_CONFIDENCE = 0.7
#: A frontier so much farther from the middle of a room than a round room of its area reaches may still be of it [m].
_BEYOND = 2.0
#: Colours that are taken for one another, by the light and by whoever names them.
NEAR_COLORS: Mapping[str, frozenset[str]] = {
    "black": frozenset({"grey"}),
    "grey": frozenset({"black", "white"}),
    "white": frozenset({"grey", "beige"}),
    "beige": frozenset({"white", "brown", "yellow"}),
    "brown": frozenset({"beige", "orange", "red"}),
    "orange": frozenset({"brown", "red", "yellow"}),
    "yellow": frozenset({"orange", "beige"}),
    "red": frozenset({"orange", "brown", "pink"}),
    "pink": frozenset({"red", "purple"}),
    "purple": frozenset({"pink", "blue"}),
    "blue": frozenset({"purple", "cyan"}),
    "cyan": frozenset({"blue", "green"}),
    "green": frozenset({"cyan"}),
}
#: Questions that take it for granted that there is such a thing.
_OF_A_THING = ("where", "state", "relation", "when")
#: So much less sure is a thing of nearly the colour.
_NEAR_COLOR = 0.6


@dataclass(frozen=True)
class Scene:
    """The memory as it is while one question is answered."""

    memory: MemoryReader
    objects: Sequence[KnownObject]
    rooms: Sequence[KnownRoom]
    question: Question
    with_images: bool


@dataclass(frozen=True)
class Found:
    """Objects that the words mean, best first, what is to be said about how they were found, and whether only their colour is near to what was asked."""

    objects: tuple[KnownObject, ...]
    match: Match | None
    remark: str = ""
    is_near: bool = False

    @property
    def score(self) -> float:
        return (self.match.score if self.match else 1.0) * (_NEAR_COLOR if self.is_near else 1.0)

    @property
    def resembles(self) -> bool:
        """Whether none of them is just what was asked for."""
        return self.is_near or (self.match is not None and self.match.how in ("head", "meaning"))


class Finder:
    """Objects and rooms by words, and the answers that say that nothing is known.

    Args:
        encoder: finds labels by meaning where words do not; None: by words only.
        threshold: smallest cosine that counts as the same meaning; it belongs to the encoder.
    """

    def __init__(self, encoder: TextEncoder | None = None, threshold: float = SAME_THING) -> None:
        self.words = WordMatcher(encoder, threshold)
        self.encoder = encoder

    def rooms_meant(self, scene: Scene) -> list[KnownRoom]:
        return rooms_named(scene.question.room, scene.rooms) if scene.question.room else []

    def find(self, scene: Scene, rooms: Sequence[KnownRoom]) -> Found:
        """Objects in ``rooms`` (all, if empty) that the question's words mean."""
        q = scene.question
        objects = inside(scene.objects, rooms)
        if q.words in ("thing", "object", "item") and q.color:
            return Found(tuple(o for o in objects if q.color in spelt(o.colors)), None)
        # Labels of the whole memory: a mug in the kitchen must not turn into a plate because only the bedroom has a mug.
        matches = self.words.match(q.words, [o.label for o in scene.objects if o.label not in UNNAMED])
        rank = {m.label: i for i, m in enumerate(matches)}
        called = [o for o in objects if o.label in rank]
        if q.anchor:
            there = self._beside(scene)
            called = [o for o in called if o.id in there]
        found = [o for o in called if not q.color or q.color in spelt(o.colors)]
        is_near = not found and bool(q.color) and q.kind in _OF_A_THING
        if is_near:  # a colour may have been misjudged: what is white is grey in the shade
            found = [o for o in called if NEAR_COLORS.get(q.color, frozenset()) & {*spelt(o.colors)}]
        # "The basket" is the basket where there is one, and no laundry basket.
        if plural(q.words) not in q.text.lower():
            just_so = [o for o in found if canonical(o.label) == canonical(q.words)]
            found = just_so or found
        found.sort(key=lambda o: (o.evidence.state in AWAY, rank[o.label], -o.evidence.confidence, o.id))
        if not found:
            return Found((), matches[0] if matches else None)
        match = next(m for m in matches if m.label == found[0].label)
        remark = f'I take "{q.words}" to mean {indefinite(match.label)}. ' if match.how in ("meaning", "head") else ""
        if is_near:
            seen = indefinite(f"{spelt(found[0].colors)[0]} {name_of(found[0].label)}")
            remark = f'I take "{colored(q.words, q.color)}" to mean {seen}. '
        return Found(tuple(found), match, remark, is_near)

    def _beside(self, scene: Scene) -> frozenset[str]:
        """Ids of what lies to the question's anchor as it asks."""
        q = scene.question
        matches = self.words.match(q.anchor, [o.label for o in scene.objects if o.label not in UNNAMED])
        labels = {m.label for m in matches}
        anchors = [
            o for o in scene.objects if o.label in labels and (not q.anchor_color or q.anchor_color in spelt(o.colors))
        ]
        beside = related_to(q.anchor_relation or "near", anchors, scene.objects)
        return frozenset(o.id for found in beside.values() for o in found)

    def not_seen(self, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
        """For questions that need the thing: not known, look there."""
        return self.unknown(
            scene, f"I have not seen {self._missing_phrase(scene, rooms)}.{self._elsewhere(scene, rooms)}"
        )

    def no(self, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
        """For yes/no questions: "no" if everything reachable was seen, else not known."""
        thing, elsewhere = self._missing_phrase(scene, rooms), self._elsewhere(scene, rooms)
        left = reachable(scene.memory)
        searched = [room_evidence(r, scene.memory) for r in (rooms or scene.rooms)]
        if left or not scene.objects or not searched:
            return self.unknown(scene, f"I have not seen {thing} so far.{elsewhere}")
        n_rooms, n_kinds = len(searched), len({o.label for o in scene.objects})
        text = (
            f"No, I have not seen {thing}.{elsewhere} I know {len(scene.objects)} objects of {n_kinds} kinds"
            f"{'' if rooms else f' in {number(n_rooms)} room' + ('s' if n_rooms > 1 else '')}, and nothing that I can reach is left unexplored."
        )
        return Answer(text, True, NO_CONFIDENCE, tuple(searched))

    def _missing_phrase(self, scene: Scene, rooms: Sequence[KnownRoom]) -> str:
        thing = indefinite(colored(scene.question.words, scene.question.color)) if scene.question.words else "that"
        q = scene.question
        beside = f" {q.anchor_words} {indefinite(colored(q.anchor, q.anchor_color))}" if q.anchor else ""
        return thing + beside + (f" in {rooms_phrase(rooms, scene.rooms)}" if rooms else "")

    def _elsewhere(self, scene: Scene, rooms: Sequence[KnownRoom]) -> str:
        """Where else the thing is, or which colour it has instead."""
        plain = replace(scene, question=replace(scene.question, color="", anchor=""))
        others = self.find(plain, rooms).objects if scene.question.color or scene.question.anchor else ()
        others = others or (self.find(plain, ()).objects if rooms else ())
        if not others:
            return ""
        o = others[0]
        color = f"{o.colors[0]} " if o.colors and scene.question.color else ""
        return f" I have seen {indefinite(color + name_of(o.label))} {place_phrase(o, scene.objects, scene.rooms)}."

    def unknown(self, scene: Scene, text: str) -> Answer:
        evidence = self.frontiers(scene)
        if evidence:
            n = len(evidence)
            text += f" {as_sentence(number(n))[:-1]} place{'s are' if n > 1 else ' is'} still unexplored; the nearest is the first to look at."
        elif scene.memory.newest_stamp_ns == 0 and not scene.objects:
            text += " Nothing was observed yet."
        return Answer(text, False, 0.0, evidence)

    def frontiers(self, scene: Scene) -> tuple[Evidence, ...]:
        return tuple(frontier_evidence(f, scene.memory) for f in reachable(scene.memory))


def known_answer(found: Found, text: str, evidence: Sequence[Evidence], factor: float = 1.0) -> Answer:
    """A known answer, as sure as the match and the best object are."""
    sure = found.objects[0].evidence.confidence if found.objects else 1.0
    confidence = float(np.clip(found.score * sure * factor, 0.0, 1.0))
    return Answer(found.remark + text, True, confidence, tuple(evidence), resembles=found.resembles)


def while_unexplored(answer: Answer, scene: Scene, places: Sequence[tuple[Point, float]]) -> Answer:
    """The same, marked as one that may change where a frontier lies near to what it is about; the nearest one is to be looked at.

    Args:
        places: positions and how far around them [m]; none: everywhere.
    """
    left = reachable(scene.memory)
    near = [f for f in left if not places or any(math.dist(f.position, at) <= radius for at, radius in places)]
    if not near:
        return answer
    return replace(answer, may_change=True, look_at=min(near, key=lambda f: f.path_length).id)


def around(rooms: Sequence[KnownRoom]) -> list[tuple[Point, float]]:
    """Middles of rooms and how far they reach, about [m]."""
    return [(r.position, math.sqrt(max(r.area, 1.0) / math.pi) + _BEYOND) for r in rooms]


def rooms_phrase(meant: Sequence[KnownRoom], rooms: Sequence[KnownRoom]) -> str:
    """ "the kitchen or the pantry"; rooms that share a name are told apart by their ids only where not all of them are meant."""
    names = {r.name for r in meant}
    if len(meant) > 1 and len(names) == 1 and "" not in names:
        (name,) = names
        if sum(r.name == name for r in rooms) == len(meant):
            return f"the {plural(name)}"
    return joined([room_phrase(r.id, r.name, rooms) for r in meant], "or")


def keyframe_at(scene: Scene, order: str, **conditions: object) -> list[Evidence]:
    """The newest or oldest keyframe that meets the conditions of a `Query`, as a list of at most one."""
    query = Query(kinds=("keyframe",), order=order, limit=1, with_images=scene.with_images, **conditions)  # type: ignore[arg-type]
    return list(scene.memory.recall(query).evidence[:1])


def where_is(o: KnownObject, scene: Scene) -> str:
    return room_phrase(o.evidence.room, o.evidence.room_name, scene.rooms)


def gone(o: KnownObject) -> str:
    if o.evidence.state == "held":
        return f", but it was taken from there (I last saw it there {time_phrase(o.evidence.stamp_ns)})"
    return (
        f", but it was gone when I last looked ({time_phrase(o.evidence.stamp_ns)} it was still there)"
        if o.evidence.state == "missing"
        else ""
    )


def colored(words: str, color: str) -> str:
    return f"{color} {words}" if color else words


def named_with(o: KnownObject, color: str) -> str:
    return colored(name_of(o.label), color)


def spelt(colors: Sequence[str]) -> list[str]:
    return ["grey" if c == "gray" else c for c in colors]


def a_room(words: str) -> str:
    return words if words.startswith("room/") else indefinite(normalise(words))


def as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
