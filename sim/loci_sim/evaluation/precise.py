"""An oracle for benchmarks: drives along the exact shortest paths of a navmesh, which touch corners, and stops near enough to a viewpoint.

Every action is chosen by what is left to drive after it, as Habitat's greedy follower of geodesic paths does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from loci.geometry import Array
from loci.planning.driving import wrap
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE, Action
from loci_sim.evaluation.policies import OraclePolicy
from loci_sim.evaluation.robot import NearestGoal, SimulatedRobot
from loci_sim.evaluation.tasks import Goal, Stop

#: Viewpoints that are looked at from where a step would end: those around the nearest one.
_N_AROUND = 50
#: Who begins further than so from where a path was asked for stands in the way of an obstacle there [m].
_OFF = 0.02
#: Cost in actions of a place where the robot was before, for every time, and side of such a place [m].
_AGAIN, _PLACE = 2.0, 0.1
#: Cost of a turn: it is made once, and who spared it would drive on away from the goal.
_TURN = 0.1
#: Headings next to the way's that are always looked at.
_N_LIKELY = 3
_N_HEADINGS = round(2 * np.pi / TURN_ANGLE)


class PreciseOracle(OraclePolicy):
    """Drives to the nearest viewpoint until it is within a distance of one.

    Args:
        robot: with the ground truth.
        within: of a viewpoint, by path [m].
        watch: is told the stamp of the image after every step [ns]; None: nobody is.
    """

    def __init__(self, robot: SimulatedRobot, within: float, watch: Callable[[int], None] | None = None) -> None:
        super().__init__(robot)
        self._robot, self._within, self._watch = robot, within, watch

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        points = list(goal.viewpoints or ())
        n_steps, was_at, bumps = 0, Counter[tuple[int, int]](), set[tuple[int, int, int]]()
        while (found := self._robot.nearest(points)) is not None:
            if found.length <= self._within:
                return Stop(True, "arrived")
            around = np.linalg.norm(np.subtract(points, found.points[-1]), axis=1)
            near = [points[i] for i in np.argsort(around)[:_N_AROUND]]
            turns = self._best_turns(found, near, was_at, bumps)
            if turns is None:
                return Stop(False, "obstacles all around")
            action: Action = "turn_left" if turns > 0 else "turn_right"
            for step in (*[action] * abs(turns), "move_forward"):
                if n_steps == max_steps:
                    return Stop(False, f"no steps left of {max_steps}")
                made = self._robot.step(step)
                collided = made.collided
                if self._watch is not None:
                    self._watch(made.stamp_ns)
                n_steps += 1
            x, y, _ = self._robot.position()
            was_at[_place(x, y)] += 1
            if collided:
                bumps.add((*_place(x, y), _heading_index(self._robot.heading())))
        return Stop(False, "no viewpoint can be reached")

    def _best_turns(
        self,
        left: NearestGoal,
        goals: Sequence[Sequence[float]],
        was_at: Counter[tuple[int, int]],
        bumps: set[tuple[int, int, int]],
    ) -> int | None:
        """Turns to the left (positive) before the next step on a way that is left; None: no step is free."""
        here = left.points[0]
        ahead = _first_apart(left.points)
        towards = (
            float(np.arctan2(ahead[1] - here[1], ahead[0] - here[0])) if ahead is not None else self._robot.heading()
        )
        every = range(1 - _N_HEADINGS // 2, 1 + _N_HEADINGS // 2)
        headings = {turns: self._robot.heading() + turns * TURN_ANGLE for turns in every}
        costs: dict[int, float] = {}
        for n, turns in enumerate(sorted(every, key=lambda t: abs(wrap(headings[t] - towards)))):
            if n >= _N_LIKELY and costs and min(costs.values()) < (left.length - STEP_LENGTH / 2) / STEP_LENGTH:
                break  # the way leads there, and it is free: every further question is a call of the simulator
            heading = headings[turns]
            if (*_place(here[0], here[1]), _heading_index(heading)) in bumps:
                continue
            end = here + STEP_LENGTH * np.array([np.cos(heading), np.sin(heading), 0.0])
            found = self._robot.nearest(goals, end)
            if found is None or float(np.hypot(*(found.points[0] - end)[:2])) > _OFF:
                continue
            again = was_at[_place(end[0], end[1])]
            costs[turns] = _TURN * abs(turns) + found.length / STEP_LENGTH + _AGAIN * again
        return min(costs, key=lambda turns: costs[turns]) if costs else None


def _first_apart(path: Array) -> Array | None:
    """First point of a path (N, 3) that is not where it begins."""
    far = np.flatnonzero(np.hypot(*(path - path[0])[:, :2].T) > _OFF)
    return path[far[0]] if len(far) else None


def _place(x: float, y: float) -> tuple[int, int]:
    return round(x / _PLACE), round(y / _PLACE)


def _heading_index(heading: float) -> int:
    """Of headings that are as far apart as turns."""
    return int(np.floor(heading / TURN_ANGLE + 1e-3)) % _N_HEADINGS
