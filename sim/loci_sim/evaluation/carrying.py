"""A robot does the day of the suite `recall` and tells its memory what its hand did, as the skills of a real robot would."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from loci.errors import UserError
from loci.planning.protocols import KnownPath, Point
from loci.planning.revisiting import HAND, picked_text, placed_text
from loci_sim.catalogue import told_color
from loci_sim.evaluation.day import MIN_DEEDS, Carried, PickPlace
from loci_sim.evaluation.policies import handle
from loci_sim.evaluation.robot import SimulatedRobot, TrueMap

#: Who tells the memory of the day.
SOURCE = HAND
#: Actions for one way to a thing.
_MAX_STEPS = 500

#: Told of every deed: words, category of the thing, place, position [m], what was done, and its stamp [ns].
Tell = Callable[[str, Sequence[str], Point, str, int], None]


class _WatchedMap(TrueMap):
    """The true ways, told when the memory has taken in what was seen until then: else images are lost on the way."""

    def __init__(self, robot: SimulatedRobot, wait: Callable[[int], None]) -> None:
        super().__init__(robot)
        self._wait = wait

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        self._wait(min_stamp_ns)
        return super().path_to(goal, start, tolerance, min_stamp_ns)


def carry_out_day(
    robot: SimulatedRobot,
    plan: Sequence[PickPlace],
    tell: Tell | None = None,
    wait: Callable[[int], None] | None = None,
) -> tuple[Carried, ...]:
    """Let a robot that knows the scene do a day's pick-and-places.

    Args:
        plan: from `draw_day`.
        tell: is told what the hand did; None: nobody is.
        wait: until the memory has taken in everything up to a stamp [ns]; None: nobody watches.

    Raises:
        UserError: fewer than `MIN_DEEDS` could be done, or a thing stayed in the hand.
    """
    from tqdm import tqdm

    ways = _WatchedMap(robot, wait) if wait is not None else None
    day: list[Carried] = []
    reasons: list[str] = []
    for deed in tqdm(plan, desc="day", unit="thing", leave=False, file=sys.stderr, disable=None):
        before = _thing(robot, deed.object_id)
        reason = handle(robot, "pick", deed.object_id, _MAX_STEPS, ways)
        if reason:
            reasons.append(reason)
            continue
        picked = int(robot.ground_truth()["stamp_ns"])
        source, category = _thing(robot, before["on"]), str(before["category"])
        color = told_color(category, str(before["color"]))
        if tell is not None:
            tell(picked_text(category, str(source["category"])), (category, source["category"]), _center(before), "picked", picked)  # fmt: skip
        reason = handle(robot, "place", deed.target_id, _MAX_STEPS, ways)
        if reason:
            reasons.append(reason)
            # Nothing else can be carried with a full hand.
            reason = handle(robot, "place", before["on"], _MAX_STEPS, ways)
            if reason:
                raise UserError(f"{deed.object_id} stayed in the hand: {reason}", "loci eval recall --seed 1")
        truth = robot.ground_truth()
        after = next(o for o in truth["objects"] if o["id"] == deed.object_id)
        target = next(o for o in truth["objects"] if o["id"] == after["on"])
        placed = int(truth["stamp_ns"])
        if tell is not None:
            tell(placed_text(category, str(target["category"])), (category, target["category"]), _center(after), "placed", placed)  # fmt: skip
        day.append(
            Carried(
                deed.object_id,
                category,
                color,
                str(before["on"]),
                str(after["on"]),
                str(before["room"]),
                str(after["room"]),
                picked,
                placed,
            )
        )
    if len(day) < MIN_DEEDS:
        raise UserError(
            f"expected a day with {MIN_DEEDS} pick-and-places or more, got {len(day)} ({'; '.join(reasons)})",
            "loci eval recall --seed 1",
        )
    return tuple(day)


def _thing(robot: SimulatedRobot, identity: str) -> Mapping[str, Any]:
    return next(o for o in robot.ground_truth()["objects"] if o["id"] == identity)


def _center(thing: Mapping[str, Any]) -> Point:
    x, y, z = (float(v) for v in np.array(thing["T_map_box"])[:3, 3])
    return x, y, z
