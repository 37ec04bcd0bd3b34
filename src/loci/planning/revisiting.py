"""Requests about the robot's own deeds as something to do: "go back to where you took the mug from", "put the book back where you got it".

Which deeds a request is about, `loci.planning.language.readings` tells; here the deeds are read from the memory's records (what the hand did, as
skills tell it: `picked_text`, `placed_text`), and what is asked for becomes places to drive to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loci.planning.driving import distance
from loci.planning.language.deeds import Deed, Wish, deeds_of
from loci.planning.language.readings import understand
from loci.planning.orders import Order, parse_instruction
from loci.planning.protocols import KnownObject, MemoryReader, Planner, Point
from loci.query import MAX_LIMIT, Evidence, Query

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: Who tells the memory what the hand did, and the states of such records.
HAND = "robot"
STATES = ("picked", "held", "placed")
#: Records among which the hand's newest is looked for.
_MAX_NEWEST = 50
#: What lies this near to where the hand put it is that thing [m], and this near to where the hand took it was that thing: others may stand beside
#: it. Furniture is looked for this near to what lies on it [m]; two things on one piece of furniture are farther apart than this [m].
_PUT, _TAKEN, _FURNITURE, _APART = 0.5, 0.15, 2.0, 0.1

_PAST = (
    "took|taken|picked|grabbed|lifted|removed|fetched|collected|got|retrieved|moved|carried|transported|relocated|brought|put|placed|set|left|"
    "dropped|deposited|delivered|laid|stored|handled|touched|displaced|shifted|transferred|loaded|unloaded|hauled|found"
)
#: "You took", "have you moved", "was carried by you": not "could you put", nor "make sure you put".
_OF_DEEDS = re.compile(
    r"(?<!could )(?<!can )(?<!would )(?<!will )(?<!should )(?<!do )(?<!did )(?<!sure )(?<!that it )\byou(?:'ve| have| had)?(?: not| never)?"
    rf"(?: (?:last|first|just|already|earlier|once|recently|also|only))? (?:{_PAST})\b"
    rf"|\b(?:have|had) you (?:{_PAST})\b|\b(?:was|were|been|being|got) (?:{_PAST}) (?:\w+ ){{0,4}}by you\b"
)
_ASKS = re.compile(
    r"^(?:is|are|was|were|does|did|has|have|how|what|where|when|which|who|whose|why|tell me)\b(?!.*\b(?:go|drive)\b)"
)
#: What is to be done with the hand; "bring me to the room" is not.
_BY_HAND = re.compile(
    r"^(?:(?:please|now|then|kindly|could you|can you|would you|will you|i want you to|i would like you to) )*"
    r"(?:bring|put|carry|fetch|place|pick|grab|get|take|return|deliver|move|set|drop)\b(?! (?:me |us )?(?:back )?to\b| yourself\b)"
)
_THEN = re.compile(r",? (?:and )?then ")


@dataclass(frozen=True)
class Revisit:
    """An order to go to what the robot's own deeds tell.

    Attributes:
        words: as they were said.
        wish: what they ask for; None: nothing that was done answers it.
    """

    words: str
    wish: Wish | None


@dataclass(frozen=True)
class Spot:
    """Somewhere to go for a wish.

    Attributes:
        label: category of the thing or furniture there, or the name of the room.
        position: (x, y, z) [m] of it, or a point in the room; map frame.
        basis: what tells so: the record, or the object.
        is_room: a room is meant.
    """

    label: str
    position: Point
    basis: Evidence
    is_room: bool = False


def picked_text(thing: str, place: str) -> str:
    """Record of a pick, as `deeds_of` reads it."""
    return f"I picked up the {thing} from the {place}"


def placed_text(thing: str, place: str) -> str:
    """Record of something put down, as `deeds_of` reads it."""
    return f"I put the {thing} on the {place}"


def understood(text: str, memory: MemoryReader, encoder: TextEncoder | None = None) -> tuple[Order | Revisit, ...]:
    """Orders of an instruction, those about the robot's own deeds included; empty if a part is not understood.

    Args:
        text: the instruction.
        memory: is asked for the deeds, where some are spoken of.
        encoder: helps to understand; None: by words only.

    Raises:
        ContradictionError, ValueError: see `parse_instruction`.
    """
    if not speaks_of_deeds(text):
        return parse_instruction(text, encoder)
    deeds = own_deeds(memory)
    parts = _THEN.split(text.strip().rstrip(".!").strip())
    orders: list[Order | Revisit] = []
    for i, part in enumerate(parts):
        # "..., then to the bathroom": the way goes on.
        part = f"go {part}" if i > 0 and part.startswith("to ") else part
        orders += _about(part, deeds, encoder) if speaks_of_deeds(part) else parse_instruction(part, encoder)
        if len(orders) <= i:  # "to the first thing that you moved, then the second"
            return _about(text, deeds, encoder)
    return tuple(orders)


def speaks_of_deeds(text: str) -> bool:
    """Whether an instruction (no question) tells its goal by what the robot did."""
    plain = " ".join(text.lower().split())
    return _OF_DEEDS.search(plain) is not None and _ASKS.match(plain) is None and not plain.endswith("?")


def _about(text: str, deeds: Sequence[Deed], encoder: TextEncoder | None) -> tuple[Order | Revisit, ...]:
    """Orders of a part that speaks of deeds; with the hand only to where a thing was taken from."""
    wish = understand(text, deeds, encoder)
    if wish is None or not _BY_HAND.match(text.strip().lower()):
        return (Revisit(text, wish),)
    back = wish.deeds[0] if wish.what == "source" and len(wish.deeds) == 1 else ()
    if not back:
        return ()
    newest = max(back, key=lambda d: d.placed.stamp_ns)
    return Order("pick", newest.label), Order("place", newest.source)


def own_deeds(memory: MemoryReader) -> list[Deed]:
    """Pick-and-places of the session of the newest image, oldest first."""
    return deeds_of(own_records(memory))


def own_records(memory: MemoryReader, limit: int = MAX_LIMIT) -> list[Evidence]:
    """What the hand did since the robot was started, oldest first; of the newest ``limit`` records."""
    newest = memory.recall(Query(kinds=("keyframe",), order="newest", limit=1)).evidence
    session = newest[0].session if newest else ""
    query = Query(kinds=("episode",), states=STATES, session=session or None, order="newest", limit=limit)
    return [e for e in reversed(memory.recall(query).evidence) if e.source == HAND]


def held_record(memory: MemoryReader) -> Evidence | None:
    """The record of what the hand picked up and did not put down since the robot was started; None: by its records it is empty.

    What a camera makes of the thing meanwhile does not matter: another one like it may be taken for it.
    """
    newest = own_records(memory, _MAX_NEWEST)[-1:]
    return newest[0] if newest and newest[0].state != STATES[-1] else None


def goals_of(wish: Wish, memory: MemoryReader, planner: Planner) -> list[list[Spot]]:
    """Spots for each goal of a wish, any of which will do; empty where the memory has no position of it.

    Args:
        wish: what is asked for.
        memory: says where furniture, rooms and things are now.
        planner: says where a thing is that was not carried.
    """
    objects = memory.known_objects()
    if wish.what == "named":
        return [list(_named(wish.label, memory, planner))]
    if wish.what == "untouched":
        return [list(_untouched(wish.label, wish.deeds[0], objects))]
    if wish.what == "beside":
        return [[spot for deed in wish.deeds[0] for spot in _beside(deed, objects)]]
    if wish.color:
        deeds = tuple(tuple(d for d in goal if _has_color(d, wish.color, objects)) for goal in wish.deeds)
        wish = replace(wish, deeds=deeds)
    goals = [[s for d in goal if (s := _spot(wish.what, d, memory, objects)) is not None] for goal in wish.deeds]
    # Two things on one table are one goal where the table is asked for.
    return list({tuple(s.position for s in goal): goal for goal in goals}.values())


def _spot(what: str, deed: Deed, memory: MemoryReader, objects: Sequence[KnownObject]) -> Spot | None:
    record = deed.picked if what.startswith("source") else deed.placed
    if record.position is None:
        return None
    if what == "moved":
        return Spot(deed.label, record.position, record)
    label = deed.source if what.startswith("source") else deed.target
    if what in ("source", "target"):
        furniture = _nearest(label, record.position, _FURNITURE, objects)
        at = furniture.evidence.position if furniture is not None else None
        return Spot(label, at or record.position, record)
    # The room's own position is far from its walls.
    inside = next((r.position for r in memory.known_rooms() if r.id == record.room), record.position)
    return Spot(record.room_name, inside, record, is_room=True)


def _nearest(label: str, position: Point, reach: float, objects: Sequence[KnownObject]) -> KnownObject | None:
    """The nearest thing of a category within reach [m]."""
    near = [(_away(o, position), o) for o in objects if o.label == label]
    return min((n for n in near if n[0] <= reach), key=lambda n: n[0], default=(0.0, None))[1]


def _away(o: KnownObject, position: Point) -> float:
    return float("inf") if o.evidence.position is None else distance(o.evidence.position, position)


def _has_color(deed: Deed, color: str, objects: Sequence[KnownObject]) -> bool:
    """Whether a thing has a color where it was put, or where it was taken from if no camera saw it since."""
    o = _handled(deed, objects)
    return o is not None and (color in o.colors or (color, "grey") == ("gray", *o.colors[:1]))


def _handled(deed: Deed, objects: Sequence[KnownObject]) -> KnownObject | None:
    """The thing itself: where it was put, or else as it was before it was taken."""
    for record, reach in ((deed.placed, _PUT), (deed.picked, _TAKEN)):
        found = _nearest(deed.label, record.position, reach, objects) if record.position is not None else None
        if found is not None:
            return found
    return None


def _untouched(label: str, deeds: Sequence[Deed], objects: Sequence[KnownObject]) -> Iterator[Spot]:
    """Things of a category but those that were handled: what the memory still has where one was taken is that one."""
    ends = [(r.position, reach) for d in deeds for r, reach in ((d.picked, _TAKEN), (d.placed, _PUT))]
    near = (_nearest(label, at, reach, objects) for at, reach in ends if at is not None)
    handled = {o.id for o in near if o is not None}
    for o in objects:
        at = o.evidence.position
        if o.label == label and o.id not in handled and at is not None and o.evidence.state != "missing":
            yield Spot(label, at, o.evidence)


def _beside(deed: Deed, objects: Sequence[KnownObject]) -> Iterator[Spot]:
    """What else lies on the furniture that a thing was put on."""
    at = deed.placed.position
    table = _nearest(deed.target, at, _FURNITURE, objects) if at is not None else None
    if at is None or table is None:
        return
    for o in objects:
        lies = o.evidence.position
        if o.on == table.id and lies is not None and o.evidence.state != "missing" and distance(lies, at) > _APART:
            yield Spot(o.label, lies, o.evidence)


def _named(label: str, memory: MemoryReader, planner: Planner) -> Iterator[Spot]:
    answer = planner.ask(f"where is the {label}", memory)
    for e in answer.evidence:
        if answer.known and e.kind == "object" and e.position is not None:
            yield Spot(e.label, e.position, e)
