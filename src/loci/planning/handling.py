"""Doing something with a thing by hand, and telling the memory: no camera may see it, and what is in a hand is not gone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from loci.planning.approach import step_back
from loci.planning.bodies import Handled, Motion
from loci.planning.candidates import things_called, try_candidates
from loci.planning.driving import distance
from loci.planning.going_to import look_for
from loci.planning.grounding import AWAY
from loci.planning.orders import Order, Verb
from loci.planning.protocols import MemoryReader
from loci.planning.revisiting import HAND, picked_text, placed_text
from loci.planning.task_context import Outcome, TaskContext
from loci.query import Evidence, Query

#: Things on which something in the hand is tried to be put down.
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
    """Find a thing and do something with it. What fails is tried from a step farther off, then with the next best thing."""
    if not task.body.has_hand:
        return Outcome(False, "this robot has no hand that could do it")

    def work(target: Evidence) -> Generator[Motion, None, Handled]:
        looked = yield from look_for(task, target)
        if not looked.done:
            return looked
        assert target.position is not None
        carrier = _carrier(target, task.memory)
        handled = task.body.handle(order.verb, target.label, target.position)
        if not handled.done and (yield from step_back(task.memory, task.body, target)):
            handled = task.body.handle(order.verb, target.label, target.position)
        task.expect_images()
        if not handled.done:
            return replace(handled, failure="not done")
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

    Where that does not work the hand may be empty after all: the memory knows only what it was told.
    """
    if _held(task) is None:
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
    near = [e for e in surfaces if e.position is not None and e.is_goal and e.state not in AWAY and task.may_use(e)]
    here = task.body.position()
    near.sort(key=lambda e: (distance(e.position or here, here), e.id))
    for surface in near[:_MAX_SURFACES]:
        if (yield from task.tried(surface, f"put down what is held at {surface.name}", put)).done:
            _tell(task, "place", surface, "")
            return


def _held(task: TaskContext) -> Evidence | None:
    """What is in the hand: what this executor picked up last, or what the memory was told by others; None: nothing."""
    if task.in_hand:
        known = task.memory.recall(Query(kinds=("object",), object_id=task.in_hand, limit=1)).evidence
        if known:
            return known[0]
    told = task.memory.recall(Query(kinds=("object",), states=("held",), order="newest", limit=1)).evidence
    return told[0] if told else None


def _carrier(target: Evidence, memory: MemoryReader) -> str:
    """What a thing lies on or in, in plain words."""
    known = {o.id: o for o in memory.known_objects()}
    carrier = known.get(known[target.id].on) if target.id in known else None
    return carrier.label if carrier is not None and carrier.label else "floor"


def _tell(task: TaskContext, verb: Verb, target: Evidence, carrier: str) -> None:
    """Note what the hand did, and let the memory know."""
    held = _held(task) if verb == "place" else None
    task.in_hand = target.id if verb == "pick" else "" if verb == "place" else task.in_hand
    if task.notes is None:
        return
    task.up_to_date()
    done, label = _DONE[verb], target.label
    if verb != "place":
        text = f"{done} the {label}" + (f" in the {target.room_name}" if target.room_name else "")
        text = picked_text(label, carrier) if verb == "pick" else text
        task.notes.remember(
            text, HAND, labels=(label,), object_id=target.id, state=_STATES[verb], position=target.position
        )
    elif held is not None:
        task.notes.remember(
            placed_text(held.label, label),
            HAND,
            labels=(held.label, label),
            object_id=held.id,
            state="placed",
            position=target.position,
        )
