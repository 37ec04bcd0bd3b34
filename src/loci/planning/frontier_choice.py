"""Which frontier to look at next: the cheapest by way, size and turn, and the one under way unless another is clearly better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loci.planning.driving import bearing, distance, level_distance, wrap
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE, KnownFrontier, Point

#: Frontiers whose free points are nearer than this are the same one with a new id [m].
_SAME_FRONTIER = 0.5


def frontier_cost(
    frontier: KnownFrontier, position: Point, heading: float, size_bonus: float, max_size_bonus: float
) -> float:
    """Metres of path to a frontier, a little less for its size and for lying ahead.

    Args:
        frontier: that can be reached.
        position, heading: of the robot [m], [rad].
        size_bonus: so many metres of path is a square metre of frontier worth [m/m2], up to ``max_size_bonus`` [m].
    """
    bonus = min(size_bonus * frontier.area, max_size_bonus)
    turn = 0.0
    if level_distance(position, frontier.position) > 0.3:
        turn = abs(wrap(bearing(position, frontier.position) - heading))
    return frontier.path_length - bonus + STEP_LENGTH * turn / TURN_ANGLE


def choose_frontier(
    frontiers: Sequence[KnownFrontier], costs: Sequence[float], under_way: KnownFrontier | None, switch_gain: float
) -> KnownFrontier | None:
    """The cheapest frontier; the one under way is kept unless another is better by ``switch_gain`` [m]. None: there is none."""
    if not frontiers:
        return None
    best = int(np.argmin(costs))
    if under_way is not None:
        for frontier, cost in zip(frontiers, costs, strict=True):
            same = frontier.id == under_way.id or distance(frontier.position, under_way.position) < _SAME_FRONTIER
            if same and cost - costs[best] < switch_gain:
                return frontier
    return frontiers[best]
