"""Doing something with a thing by hand, and telling the memory: no camera may see it, and what is in a hand is not gone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from loci.planning.approach import stand_elsewhere
from loci.planning.bodies import Handled, Motion
from loci.planning.candidates import things_called, try_candidates
from loci.planning.driving import distance
from loci.planning.going_to import look_for
from loci.planning.grounding import AWAY
from loci.planning.language.deeds import picked_label
from loci.planning.orders import Order, Verb
from loci.planning.protocols import MemoryReader, Point
from loci.planning.revisiting import HAND, held_record, picked_text, placed_text
from loci.planning.task_context import Outcome, TaskContext
from loci.query import Evidence

#: Points from which a thing is handled, besides the one that the robot came to.
_MAX_STANDS = 4
#: Things on which something in the hand is tried to be put down, before it is taken back.
_MAX_SURFACES = 2
#: What is said of a thing with which something was done.
_DONE: dict[str, str] = {
    "pick": "picked",
    "place": "placed at",
    "open": "opened",
    "close": "closed",
    "switch_on": "switched on",
    "switch_off": "switched off",
    "clean": "cleaned",
}
#: State of a thing with which something was done; what is placed is another thing than the one it is placed at.
_STATES: dict[str, str] = {
    "pick": "held",
    "open": "open",
    "close": "closed",
    "switch_on": "on",
    "switch_off": "off",
    "clean": "clean",
}


def handle(task: TaskContext, order: Order) -> Generator[Motion, None, Outcome]:
    """Find a thing and do something with it. What fails is tried from where else one can stand, then with the next best thing."""
    if not task.body.has_hand:
        return Outcome(False, "this robot has no hand that could do it")

    def work(target: Evidence) -> Generator[Motion, None, Handled]:
        looked = yield from look_for(task, target)
        if not looked.done:
            return looked
        assert target.position is not None
        carrier = _carrier(target, task.memory)
        handled = first = task.body.handle(order.verb, target.label, target.position)
        stood: list[Point] = []
        near = order.verb == "place"
        for _ in range(_MAX_STANDS):
            if handled.done or not (yield from stand_elsewhere(task.memory, task.body, target, stood, near)):
                break
            handled = task.body.handle(order.verb, target.label, target.position)
        task.expect_images()
        if not handled.done:
            return replace(first, failure="not done")
        _tell(task, order.verb, target, carrier)
        return handled

    if order.verb == "pick":
        yield from _free_hand(task)
    return (
        yield from try_candidates(
            task, order.words, lambda desperate: things_called(task, order.words, desperate), work, _DONE[order.verb]
        )
    )


def _free_hand(task: TaskContext) -> Generator[Motion, None, None]:
    """Put down what an earlier task left in the hand, on the nearest thing on which things lie: a full hand picks nothing up.

    Where that does not work it is taken back. The hand may be empty after all: the memory knows only what it was told.
    """
    held = held_record(task.memory)
    if held is None:
        return

    def put(target: Evidence) -> Generator[Motion, None, Handled]:
        looked = yield from look_for(task, target)
        if not looked.done:
            return looked
        assert target.position is not None
        placed = task.body.handle("place", target.label, target.position)
        task.expect_images()
        return placed

    yield from task.look()
    task.up_to_date()
    known = {o.id: o for o in task.memory.known_objects()}
    surfaces = [known[i].evidence for i in {o.on for o in known.values()} if i in known]
    usable = [e for e in surfaces if e.position is not None and e.is_goal and e.state not in AWAY and task.may_use(e)]
    here = task.body.position()
    # Where it was taken from there is room for it.
    tried = [*_by_distance(usable, here)[:_MAX_SURFACES], *_by_distance(usable, held.position or here)[:1]]
    for surface in {e.id: e for e in tried}.values():
        if (yield from task.tried(surface, f"put down what is held at {surface.name}", put)).done:
            _tell(task, "place", surface, "")
            return


def _by_distance(things: Sequence[Evidence], position: Point) -> list[Evidence]:
    return sorted(things, key=lambda e: (distance(e.position or position, position), e.id))


def _carrier(target: Evidence, memory: MemoryReader) -> str:
    """What a thing lies on or in, in plain words."""
    known = {o.id: o for o in memory.known_objects()}
    carrier = known.get(known[target.id].on) if target.id in known else None
    return carrier.label if carrier is not None and carrier.label else "floor"


def _tell(task: TaskContext, verb: Verb, target: Evidence, carrier: str) -> None:
    """Note what the hand did, and let the memory know."""
    if task.notes is None:
        return
    done, label = _DONE[verb], target.label
    held = held_record(task.memory) if verb == "place" else None
    task.up_to_date()
    if verb != "place":
        text = f"{done} the {label}" + (f" in the {target.room_name}" if target.room_name else "")
        text = picked_text(label, carrier) if verb == "pick" else text
        task.notes.remember(
            text, HAND, labels=(label,), object_id=target.id, state=_STATES[verb], position=target.position
        )
    elif held is not None:
        what = picked_label(held) or "thing"
        task.notes.remember(
            placed_text(what, label),
            HAND,
            labels=(what, label),
            object_id=held.object_id,
            state="placed",
            position=target.position,
        )
