"""Driving a robot to a point with what a memory knows: its paths, over stairs, too, and contact with obstacles.

Nothing here asks a simulator or a map server. Each stretch is planned anew with what the newest images showed, and steps that
failed are kept away from.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np

from loci.geometry import Array
from loci.planning.following import PathFollower, dense_path
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE, Action, KnownPath, Point, Robot, StepResult

Drive = Literal["arrived", "driving", "stuck"]
Angle = TypeVar("Angle", float, Array)

#: Paths may end this far from their goal [m]: a border's free point is a cell's centre, and may lie at an obstacle by now.
GOAL_TOLERANCE = 0.15
#: A robot is on the floor of points so far above or below its base [m]; what stands on its floor is no higher above it.
SAME_FLOOR, STANDS_UP_TO = 0.5, 2.0
#: Having come so much nearer to a goal [m], contact on the way is forgiven: narrow stairs are touched, and climbed all the same.
_PROGRESS = 0.5
#: Actions between two plans on the way to a goal.
_STRETCH_STEPS = 4


class PathSource(Protocol):
    """Who knows the way: a `MemoryReader`."""

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        """Path to a point; no path is told by ``reason``."""


@dataclass
class _Allowance:
    """Steps that are left for a goal, how near to it by path the robot has come [m], and contacts since then."""

    steps: int
    nearest: float
    contacts: int = 0


class Driver:
    """A robot, the memory that takes in its images, and where it has bumped.

    Args:
        memory: that takes in the images of ``robot``.
        robot: that is driven.
        max_steps: refuses to do more actions than this.
        arrival_distance: a goal this close is reached [m].
        max_collisions: without coming nearer to goals in the same cubic metre, before these count as not to be reached.

    Attributes:
        n_steps, n_collisions: actions done, and those that ended at an obstacle.
        stamp_ns: of the newest image [ns].
        views: x, y, z [m] and heading [rad] of every image taken.
    """

    def __init__(
        self,
        memory: PathSource,
        robot: Robot,
        max_steps: int,
        arrival_distance: float = 0.25,
        max_collisions: int = 8,
    ) -> None:
        self.memory = memory
        self.robot = robot
        self.max_steps = max_steps
        self.arrival_distance = arrival_distance
        self.n_steps = 0
        self.n_collisions = 0
        self.stamp_ns = 0
        self.views: list[tuple[float, float, float, float]] = []
        self._max_collisions = max_collisions
        self._follower = PathFollower()
        self._allowances: dict[tuple[int, int, int], _Allowance] = {}  # for goals in the same cubic metre

    @property
    def has_steps(self) -> bool:
        """Whether another action may be done."""
        return self.n_steps < self.max_steps

    def act(self, action: Action) -> StepResult:
        """Do one action; contact is remembered."""
        before = self.robot.position()
        heading = self.robot.heading()
        result = self.robot.step(action)
        self.n_steps += 1
        self.stamp_ns = max(self.stamp_ns, result.stamp_ns)
        if result.collided:
            self.n_collisions += 1
            self._follower.bumped(before, heading)
        self.views.append((*self.robot.position(), self.robot.heading()))
        return result

    def towards(
        self, goal: Point, n_steps: int, tolerance: float = GOAL_TOLERANCE
    ) -> Generator[StepResult, None, Drive]:
        """At most ``n_steps`` actions towards a point, each yielding its result; returns how far it came.

        Args:
            goal: (x, y, z) [m].
            n_steps: after which the way is planned anew.
            tolerance: the path may end so far from the goal [m].
        """
        path = self.memory.path_to(goal, self.robot.position(), tolerance, self.stamp_ns)
        if path.reason or len(path.points) == 0:
            return "arrived" if is_at(self.robot.position(), goal, tolerance) else "stuck"
        points = dense_path(path.points)
        key = (round(goal[0]), round(goal[1]), round(goal[2]))
        steps = 40 + round(4 * path.length / STEP_LENGTH)
        allowance = self._allowances.setdefault(key, _Allowance(steps, path.length))
        if path.length < allowance.nearest - _PROGRESS:
            allowance.nearest, allowance.contacts = path.length, 0
        actions = self._follower.actions(self.robot.position(), self.robot.heading(), points, self.arrival_distance)
        n_collisions = self.n_collisions
        for action in actions[:n_steps]:
            if allowance.steps == 0 or allowance.contacts >= self._max_collisions or not self.has_steps:
                return "stuck"
            allowance.steps -= 1
            yield self.act(action)
            if self.n_collisions > n_collisions:
                allowance.contacts += 1
                return "driving"
        if is_at(self.robot.position(), points[-1], self.arrival_distance):
            return "arrived"
        return "driving" if actions else "stuck"

    def face(self, direction: float) -> Iterator[StepResult]:
        """Turn towards a direction [rad], as near as turns allow."""
        while self.has_steps and abs(error := wrap(direction - self.robot.heading())) > TURN_ANGLE / 2 + 1e-3:
            yield self.act("turn_left" if error > 0 else "turn_right")

    def allow_again(self) -> None:
        """Goals that were not reached may be tried again."""
        self._allowances = {}


@dataclass(frozen=True)
class DriveProgress:
    """State on the way.

    Attributes:
        position, heading: of the robot [m], [rad].
        collided: in the action that was just done.
        outcome: "driving" while it goes on, then "arrived" or "stuck".
        reason: why it is stuck.
    """

    position: Point
    heading: float
    collided: bool
    outcome: Drive
    reason: str = ""


def drive_to(
    driver: Driver, goal: Point, facing: float | None = None, tolerance: float = GOAL_TOLERANCE
) -> Iterator[DriveProgress]:
    """Drive to a point; every action yields its progress, the last one has an outcome. Stop early by not asking for more.

    Args:
        driver: with the robot.
        goal: (x, y, z) [m].
        facing: heading to end with [rad]; None: any.
        tolerance: the path may end so far from the goal [m].
    """

    def progress(collided: bool, outcome: Drive = "driving", reason: str = "") -> DriveProgress:
        return DriveProgress(driver.robot.position(), driver.robot.heading(), collided, outcome, reason)

    state: Drive = "driving"
    while state == "driving":
        stretch = driver.towards(goal, _STRETCH_STEPS, tolerance)
        while True:
            try:
                result = next(stretch)
            except StopIteration as end:
                state = end.value
                break
            yield progress(result.collided)
    if state == "stuck":
        yield progress(False, "stuck", _why(driver, goal, tolerance))
        return
    if facing is not None:
        for result in driver.face(facing):
            yield progress(result.collided)
    yield progress(False, "arrived")


def _why(driver: Driver, goal: Point, tolerance: float) -> str:
    if not driver.has_steps:
        return f"no steps left of {driver.max_steps}"
    path = driver.memory.path_to(goal, driver.robot.position(), tolerance, driver.stamp_ns)
    return path.reason or "obstacles that the map does not show are in the way"


def is_at(position: Sequence[float] | Array, goal: Sequence[float] | Array, within: float) -> bool:
    """Whether a robot at a position is at a goal: so near to it horizontally [m], and on its floor.

    Args:
        position: (x, y, z) of the robot's base [m].
        goal: (x, y, z) on a floor, or of a thing that stands on it [m].
        within: [m]
    """
    return level_distance(position, goal) < within and -SAME_FLOOR <= goal[2] - position[2] <= STANDS_UP_TO


def level_distance(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Horizontal distance [m], whatever the floors."""
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


def distance(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Straight distance of two points (x, y, z) [m]."""
    return float(np.linalg.norm(np.subtract(a, b)))


def bearing(a: Sequence[float], b: Sequence[float]) -> float:
    """Direction from ``a`` to ``b`` [rad]."""
    return float(np.arctan2(b[1] - a[1], b[0] - a[0]))


def wrap(angle: Angle) -> Angle:
    """Angle(s) in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
