"""`NavigatedBody`: a robot that is sent goal poses, and whose navigation drives it there.

Arrival is judged by where the robot is; a goal that it does not come to in time, or on whose way it stands still, is given up. Steps are goals
that were sent, and looks. No ROS here: who moves the robot is a `Navigation`, see `loci.nodes.navigation`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from loci.geometry import Array
from loci.planning.bodies import BodyError, Hand, Handled, Motion
from loci.planning.cancelling import give_up_if_cancelled
from loci.planning.driving import GOAL_TOLERANCE, SAME_FLOOR, bearing, distance, level_distance, wrap
from loci.planning.exploration import ExplorationParameters
from loci.planning.frontier_choice import choose_frontier, frontier_cost
from loci.planning.orders import Verb
from loci.planning.protocols import KnownFrontier, MemoryReader, Point
from loci.planning.relevance import Interest

#: Frontiers nearer than this are the same place to look at [m].
_SAME_PLACE = 0.4
#: So often a frontier is driven to that stays after it was looked at.
_VISITS = 2
#: Frontiers may be exchanged so often before one of them is driven to.
_SWITCHES = 3
#: A robot that moved so far, or turned so far, has not stood still [m], [rad].
_MOVED, _TURNED = 0.1, 0.15


@dataclass(frozen=True)
class NavigationState:
    """What the navigation tells of the newest goal; "unknown": it tells nothing, and the robot's place has to."""

    status: Literal["unknown", "driving", "arrived", "failed"]
    reason: str = ""


class Navigation(Protocol):
    """What drives the robot. Its own errors are `BodyError`."""

    def send(self, T_map_base: Array) -> None:
        """Drive to a pose (4, 4); a goal under way is given up."""

    def state(self) -> NavigationState:
        """Of the newest goal."""

    def stop(self, T_map_base: Array | None) -> None:
        """Stand still; (4, 4) is where the robot is, None: nobody knows."""


@dataclass(frozen=True)
class NavigationLimits:
    """When a goal is reached, and when it is given up.

    Attributes:
        arrival_distance: so near to its goal a robot has arrived [m].
        arrival_angle: with its heading so near to the goal's [rad].
        slowest_speed: a robot that is slower than this on the whole way does not arrive in time [m/s].
        extra_time: for turning and starting, on every way [s].
        standing_time: a robot that stood still for so long will not go on [s].
        look_time: longest wait for an image after a goal is reached [s].
        reconsider_time: between two looks at the list of frontiers [s].
        poll_period: between two looks at where the robot is [s].
    """

    arrival_distance: float = 0.4
    arrival_angle: float = 0.4
    slowest_speed: float = 0.1
    extra_time: float = 20.0
    standing_time: float = 10.0
    look_time: float = 2.0
    reconsider_time: float = 3.0
    poll_period: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"expected {name} > 0, got {value}")


@dataclass
class _Way:
    """A goal under way: where, since when, and when the robot was last seen to move."""

    T: Array
    point: Point
    began: float
    deadline: float
    here: Array
    moved: float


class NavigatedBody:
    """A robot with a navigation, and the memory that takes in its images; see `loci.planning.bodies.Body`.

    Args:
        memory: of the robot.
        navigation: drives it.
        where: its base in the map, (4, 4); raises `BodyError` where it is not known. If it is the camera's pose, heights are taken off.
        limits: when a goal is reached, and when it is given up.
        exploration: how frontiers are chosen.
        hand: None: the robot has none.
        clock, sleep: in seconds.
    """

    def __init__(
        self,
        memory: MemoryReader,
        navigation: Navigation,
        where: Callable[[], Array],
        limits: NavigationLimits | None = None,
        exploration: ExplorationParameters | None = None,
        hand: Hand | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._memory, self._navigation, self._find = memory, navigation, where
        self._last_known: Array | None = None
        self._limits, self._p = limits or NavigationLimits(), exploration or ExplorationParameters()
        self._hand, self._clock, self._sleep = hand, clock, sleep
        self._last_step = 0
        self._way: _Way | None = None
        self._height = 0.0  # of what `where` tells, above the floor [m]
        self._looked_around = False
        self._frontier: KnownFrontier | None = None
        self._n_switches = 0
        self._visited: list[Point] = []
        self._given_up: list[Point] = []
        self.n_steps = 0
        self.n_explorations = 0
        self.stamp_ns = 0

    def begin(self, max_steps: int) -> None:
        """A new task with so many steps; what was given up in an earlier one is tried again."""
        self._last_step = self.n_steps + max_steps
        self._looked_around = False
        self._frontier, self._n_switches = None, 0
        self._visited, self._given_up = [], []

    def stop(self) -> None:
        """Stand still; nothing is sent to a robot that does so already."""
        if self._way is None:
            return
        self._way = None
        try:
            here: Array | None = self._where()
        except BodyError:
            here = self._last_known
        self._navigation.stop(None if here is None else self._on_floor(here))

    @property
    def steps_left(self) -> int:
        return self._last_step - self.n_steps

    @property
    def has_hand(self) -> bool:
        return self._hand is not None

    def _where(self) -> Array:
        self._last_known = self._find()
        return self._last_known

    def position(self) -> Point:
        x, y, z = self._where()[:3, 3].tolist()
        return (x, y, z)

    # --- what tasks ask for -------------------------------------------------------------------------------------------

    def look(self) -> int:
        """Wait for an image that is newer than the newest one, as long as `NavigationLimits.look_time`.

        Raises:
            loci.planning.cancelling.GivenUpError: the task was cancelled meanwhile.
        """
        self.n_steps += 1
        before = newest = self._memory.newest_stamp_ns
        end = self._clock() + self._limits.look_time
        while newest <= before and self._clock() < end:
            give_up_if_cancelled("waiting for an image")
            self._sleep(self._limits.poll_period)
            newest = self._memory.newest_stamp_ns
        self.stamp_ns = newest
        return newest

    def drive(self, goal: Point, tolerance: float = GOAL_TOLERANCE) -> Generator[Motion, None, str]:
        self._frontier = None
        reason = self._set_out(goal, tolerance, goal)
        if reason:
            return reason
        return (yield from self._follow("driving", goal, None)) or ""

    def face(self, point: Point) -> Generator[Motion, None, None]:
        here = self._where()
        to = bearing(here[:2, 3].tolist(), point)
        if level_distance(here[:3, 3], point) < 0.05 or abs(wrap(to - _heading(here))) < self._limits.arrival_angle:
            return
        yield from self._turn(here, to, "looking", point)

    def explore(
        self, n_steps: int, interest: Interest | None = None, look_at: str = ""
    ) -> Generator[Motion, None, bool]:
        """Look around, then drive to one frontier after the other; returns now and then, on the way, too, so that the memory can be asked.

        Args:
            n_steps: goals sent at most.
            interest: metres of way that looking at points is worth; None: all are worth the same.
            look_at: id of the frontier to look at, if it can be reached; empty: the cheapest.
        """
        if not self._looked_around:
            self._looked_around = True
            yield from self._look_around()
            return True
        last_step = self.n_steps + n_steps
        while self.n_steps < last_step and self.steps_left > 0:
            chosen = self._choose(look_at, interest)
            if chosen is None:
                self._frontier = None
                self.stop()  # what it drove to is explored
                return False
            if self._way is None or self._frontier is None or not _is_same(chosen, self._frontier):
                self.n_explorations += 1
                self._frontier = chosen
                reason = self._set_out(chosen.position, _SAME_PLACE, chosen.centroid)
                if reason:
                    self._given_up.append(chosen.position)
                    continue
            ended = yield from self._follow("driving to a frontier", chosen.position, self._limits.reconsider_time)
            if ended is None:
                return True
            self._n_switches = 0
            self._frontier = None
            self._visited.append(chosen.position)
            if ended or sum(distance(chosen.position, p) < _SAME_PLACE for p in self._visited) >= _VISITS:
                self._given_up.append(chosen.position)
            self._sync()
            return True
        return True

    def handle(self, verb: Verb, label: str, position: Point) -> Handled:
        if self._hand is None:
            return Handled(False, "the robot has no hand")
        self.n_steps += 1
        return self._hand(verb, label, position)

    # --- how it is done -----------------------------------------------------------------------------------------------

    def _choose(self, look_at: str, interest: Interest | None) -> KnownFrontier | None:
        """The frontier to drive to; not one that was given up. After some changes of mind, the one under way is kept."""
        here = self._where()
        position = self.position()
        known = self._memory.known_frontiers(position, self.stamp_ns)
        left = [f for f in known if f.path_length >= 0 and not self._is_given_up(f)]
        under_way = self._frontier if self._way is not None else None
        kept = next((f for f in left if under_way is not None and _is_same(f, under_way)), None)
        if kept is not None and self._n_switches >= _SWITCHES:
            return kept
        costs = [frontier_cost(f, position, _heading(here), self._p.size_bonus, self._p.max_size_bonus) for f in left]
        if interest is not None and costs:
            costs = list(np.array(costs) - interest([f.centroid for f in left]))
        best = choose_frontier(left, costs, kept, self._p.switch_gain)
        chosen = next((f for f in left if f.id == look_at), best)
        if kept is not None and chosen is not kept:
            self._n_switches += 1
        return chosen

    def _is_given_up(self, frontier: KnownFrontier) -> bool:
        return any(distance(frontier.position, p) < _SAME_PLACE for p in self._given_up)

    def _look_around(self) -> Generator[Motion, None, None]:
        """Turn once, by a third at a time."""
        heading = _heading(self._where())
        for third in (1, 2, 3):
            if self.steps_left <= 0:
                return
            yield from self._turn(self._where(), heading + third * 2 * np.pi / 3, "looking around", None)
            self._sync()

    def _turn(self, here: Array, heading: float, stage: str, goal: Point | None) -> Generator[Motion, None, None]:
        self._send(_pose(self._on_floor(here)[:3, 3], heading), 0.0, here)
        yield from self._follow(stage, goal, None)

    def _set_out(self, goal: Point, tolerance: float, towards: Point) -> str:
        """Send the end of the way to a goal, facing a point; why there is no way, or empty."""
        here = self._where()
        path = self._memory.path_to(goal, self.position(), tolerance, self.stamp_ns)
        if path.reason or not len(path.points):
            return path.reason or "no way there is known"
        points = np.asarray(path.points, dtype=np.float64)
        end = points[-1]
        self._height = float(here[2, 3] - points[0, 2])
        heading = _heading(here)
        if level_distance(end, towards) > 0.05:
            heading = bearing(end, towards)
        elif len(points) > 1 and level_distance(points[-2], end) > 0.05:
            heading = bearing(points[-2], end)
        self._send(_pose(end, heading), path.length, here)
        return ""

    def _send(self, T: Array, length: float, here: Array) -> None:
        self.n_steps += 1
        now = self._clock()
        deadline = now + self._limits.extra_time + length / self._limits.slowest_speed
        x, y, z = T[:3, 3].tolist()
        self._way = _Way(T, (x, y, z), now, deadline, here, now)
        self._navigation.send(T)

    def _follow(self, stage: str, goal: Point | None, seconds: float | None) -> Generator[Motion, None, str | None]:
        """Wait for the goal under way; why it was not reached, empty if it was, None after so many ``seconds``, with it still under way."""
        way = self._way
        assert way is not None
        began = self._clock()
        while True:
            yield Motion(stage, goal)
            ended = self._ended(way)
            if ended is not None:
                self._way = None
                if ended:
                    self._navigation.stop(self._on_floor(self._where()))
                self._sync()
                return ended
            if seconds is not None and self._clock() - began >= seconds:
                self._sync()
                return None
            self._sleep(self._limits.poll_period)

    def _ended(self, way: _Way) -> str | None:
        """Why the robot did not come to its goal; empty: it did; None: it is on its way."""
        here, now, limits = self._where(), self._clock(), self._limits
        turned = abs(wrap(_heading(here) - _heading(way.here)))
        if distance(here[:3, 3], way.here[:3, 3]) > _MOVED or turned > _TURNED:
            way.here, way.moved = here, now
        state = self._navigation.state()
        if state.status == "arrived":
            return ""
        if state.status == "failed":
            return state.reason or "the navigation gave up"
        off = level_distance(here[:3, 3], way.point)
        standing = now - way.moved
        if state.status == "unknown":
            rise = abs(here[2, 3] - self._height - way.point[2])
            near = off < limits.arrival_distance and rise < SAME_FLOOR
            faces = abs(wrap(_heading(here) - _heading(way.T))) < limits.arrival_angle
            # A robot that stands near its goal is as near to it as it can get.
            if near and (faces or standing > limits.standing_time / 2):
                return ""
        if standing > limits.standing_time:
            return f"the robot stood still for {standing:.0f} s, {off:.1f} m from its goal"
        if now > way.deadline:
            return f"not there within {now - way.began:.0f} s, {off:.1f} m from its goal"
        return None

    def _on_floor(self, T: Array) -> Array:
        """The same place on the floor, (4, 4) upright."""
        x, y, z = T[:3, 3].tolist()
        return _pose(np.array([x, y, z - self._height]), _heading(T))

    def _sync(self) -> None:
        self.stamp_ns = max(self.stamp_ns, self._memory.newest_stamp_ns)


def _is_same(a: KnownFrontier, b: KnownFrontier) -> bool:
    return a.id == b.id or distance(a.position, b.position) < _SAME_PLACE


def _heading(T: Array) -> float:
    return float(np.arctan2(T[1, 0], T[0, 0]))


def _pose(position: Array, heading: float) -> Array:
    """(4, 4) upright."""
    T = np.eye(4)
    T[:2, :2] = [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
    T[:3, 3] = position
    return T
