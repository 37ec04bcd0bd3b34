"""Going back to where something was: where a thing was seen last, or where the robot's own deeds were done.

Nothing is explored: it was seen or done, or it was not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from loci.planning.bodies import Motion
from loci.planning.driving import distance
from loci.planning.phrases import joined, time_phrase
from loci.planning.plan_memory import SOURCE as PLAN_SOURCE
from loci.planning.protocols import Point
from loci.planning.revisiting import Revisit, Spot, goals_of
from loci.planning.task_context import Outcome, TaskContext
from loci.planning.tries import Tries
from loci.query import Evidence, Query
from loci.words import normalise

#: Places where a thing was seen that are tried: who cannot get to these will not get to the next one.
_MAX_SIGHTINGS = 3


def go_back(task: TaskContext, words: str) -> Generator[Motion, None, Outcome]:
    """Go to where such a thing was seen last, whether it is still there or not."""
    yield from task.look()
    tries = Tries()
    for sighting in _sightings(task, words):
        if tries.is_spent(sighting) or len(tries.reasons) >= _MAX_SIGHTINGS:
            continue
        at = sighting.position
        assert at is not None
        node = task.begin_try(f"go to where it was seen {time_phrase(sighting.stamp_ns)}", sighting)
        stuck = yield from task.body.drive(at, task.tolerance)
        task.expect_images()
        node.end("failed" if stuck else "done", stuck, task.body.stamp_ns)
        if not stuck:
            return Outcome(True, f"here the {words} was seen last, {time_phrase(sighting.stamp_ns)}", (sighting,))
        tries.add(sighting, stuck, reached=False)
    if tries.reasons:
        return Outcome(False, f"where the {words} was seen cannot be reached ({tries.summary()})")
    return Outcome(False, f"the memory knows of no {words} that was seen")


def revisit(task: TaskContext, order: Revisit) -> Generator[Motion, None, Outcome]:
    """Go to what the robot's own deeds tell: to one spot of each goal, in the order that is asked for, or the nearest first."""
    if order.wish is None:
        return Outcome(False, "I have no record of having done that")
    yield from task.look()
    task.up_to_date()
    left = goals_of(order.wish, task.memory, task.planner)
    if not left or not all(left):
        return Outcome(False, "the memory does not know where that is")
    basis: list[Evidence] = []
    while left:
        goal = left[0] if order.wish.ordered else _nearest(left, task.body.position())
        spot, reasons = yield from _go_to_one(task, goal)
        if spot is None:
            return Outcome(False, reasons, tuple(basis))
        left.remove(goal)
        basis.append(spot.basis)
    return Outcome(True, f"been there: {joined([e.name for e in basis])}", tuple(basis))


def _sightings(task: TaskContext, words: str) -> list[Evidence]:
    """Where such a thing was seen, newest first: the thing, also where it is gone by now, what was noted about it, and the images of it.

    What moves by itself is no object: of it there are images only, and the place is where they were taken from.
    """
    task.up_to_date()
    memory = task.memory
    answer = task.planner.ask(f"when did you last see the {words}", memory)
    found = [e for e in answer.evidence if answer.known and e.kind == "object"]
    for kind in ("episode", "keyframe"):
        query = Query(labels=(normalise(words),), kinds=(kind,), order="newest", limit=10)
        found += [e for e in memory.recall(query).evidence if e.source != PLAN_SOURCE]
    maps = {e.map_id for e in memory.recall(Query(kinds=("keyframe",), order="newest", limit=1)).evidence}
    placed = []
    for e in found:
        if e.position is None and e.T_map_camera is not None:
            x, y, z = e.T_map_camera[:3, 3].tolist()
            e = replace(e, position=(x, y, z))
        # What is gone is no goal, but its place is one where the map is that of today.
        if e.position is not None and task.may_use(e) and (e.is_goal or e.map_id in maps):
            placed.append(e)
    return sorted(placed, key=lambda e: (e.kind != "object", -e.stamp_ns))


def _nearest(goals: Sequence[list[Spot]], here: Point) -> list[Spot]:
    """The goal with the nearest spot."""
    return min(goals, key=lambda goal: min(distance(s.position, here) for s in goal))


def _go_to_one(task: TaskContext, goal: Sequence[Spot]) -> Generator[Motion, None, tuple[Spot | None, str]]:
    """Drive to the nearest spot that can be reached, and face it; None and why, if there is none."""
    reasons: list[str] = []
    here = task.body.position()
    for spot in sorted(goal, key=lambda s: distance(s.position, here)):
        name = f"the {spot.label}" if spot.label else "the room"
        if task.body.steps_left <= 0:
            reasons.append("not done within the steps allowed")
            break
        node = task.begin_try(f"go to {name}", spot.basis)
        stuck = yield from task.body.drive(spot.position, task.tolerance)
        if not stuck and not spot.is_room:
            yield from task.body.face(spot.position)
        task.expect_images()
        node.end("failed" if stuck else "done", stuck, task.body.stamp_ns)
        if not stuck:
            return spot, ""
        reasons.append(f"{name}: {stuck}")
    return None, "; ".join(reasons)
