"""Exploring: drive to the borders of the known until nothing reachable is left unknown.

Decisions rest on what a memory tells (frontiers, rooms, paths) and on contact with obstacles, never on a simulator's truth. Images
are taken at every step, so most frontiers vanish before they are reached; what stays after it was looked at from close by is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loci.geometry import Array
from loci.planning.driving import GOAL_TOLERANCE, SAME_FLOOR, Drive, Driver, bearing, distance, level_distance, wrap
from loci.planning.frontier_choice import choose_frontier, frontier_cost
from loci.planning.protocols import (
    TURN_ANGLE,
    Action,
    KnownFrontier,
    KnownRoom,
    MemoryReader,
    Point,
    Robot,
)
from loci.planning.relevance import Interest

Outcome = Literal["", "complete", "out of steps", "nothing seen"]

#: Paths to the middle of a room, which may be taken by a table, may end this far from it [m].
_ROOM_TOLERANCE = 0.6
#: Directions of a view are counted in so many bins of a full turn.
_N_BINS = 72


@dataclass(frozen=True)
class ExplorationParameters:
    """How to explore.

    Attributes:
        max_steps: end after so many actions.
        field_of_view: horizontal, of the camera [rad].
        arrival_distance: a goal this close is reached [m].
        look_distance: a frontier that was looked at from so close to its position, and stays, is given up [m].
        reconsider_steps: actions between two looks at the list of frontiers.
        size_bonus: so many metres of path is a square metre of frontier worth [m/m2], up to ``max_size_bonus`` [m].
        switch_gain: another frontier must be better by so much before the one under way is left [m].
        visit_rooms: look around once in the middle of every room that was only seen in passing: frontiers end with the floor,
            small things on furniture need a closer look.
        visit_distance: images from so near count as taken in the middle of a room [m].
        room_reach: frontiers so near to the middle of a room belong to it [m].
        max_collisions: on the way to one goal, before it is given up.
    """

    max_steps: int = 2000
    field_of_view: float = float(np.radians(70.0))
    arrival_distance: float = 0.25
    look_distance: float = 0.4
    reconsider_steps: int = 4
    size_bonus: float = 0.5
    max_size_bonus: float = 2.0
    switch_gain: float = 1.0
    visit_rooms: bool = True
    visit_distance: float = 1.2
    room_reach: float = 2.5
    max_collisions: int = 8

    def __post_init__(self) -> None:
        if self.max_steps < 1 or self.reconsider_steps < 1:
            raise ValueError(
                f"expected max_steps and reconsider_steps >= 1, got {self.max_steps} and {self.reconsider_steps}"
            )
        if not TURN_ANGLE <= self.field_of_view <= 2 * np.pi:
            raise ValueError(
                f"expected a field of view from {TURN_ANGLE:.2f} (one turn) to 6.28 rad, got {self.field_of_view}"
            )


@dataclass(frozen=True)
class ExplorationProgress:
    """State after an action.

    Attributes:
        n_steps, n_collisions: so far.
        stage: what it is doing, in plain words.
        position, heading: of the robot [m], [rad].
        goal: where it drives [m], or None.
        n_frontiers, unexplored_area: reachable frontiers that are not given up and their area [m2], when last asked.
        n_given_up: frontiers and rooms that could not be reached, or stayed after they had been looked at.
        outcome: empty while it goes on; "complete": nothing reachable is left unknown; "out of steps"; "nothing seen": the memory took in no image.
    """

    n_steps: int
    n_collisions: int
    stage: str
    position: Point
    heading: float
    goal: Point | None
    n_frontiers: int
    unexplored_area: float
    n_given_up: int
    outcome: Outcome = ""


#: Picks one of the frontiers that can be reached, by its id; "": the cheapest is taken.
Choice = Callable[[Sequence[KnownFrontier]], str]


def explore(
    memory: MemoryReader,
    robot: Robot,
    parameters: ExplorationParameters | None = None,
    choose: Choice = lambda frontiers: "",
    interest: Interest | None = None,
) -> Iterator[ExplorationProgress]:
    """Explore step by step; every action yields its progress, the last one has an ``outcome``. Stop early by not asking for more.

    Args:
        memory: that takes in the images of ``robot``.
        robot: that is driven.
        parameters: how.
        choose: who says where to look next, asked whenever it is reconsidered. What is given up is not offered.
        interest: metres of way that looking at points is worth; None: all are worth the same.
    """
    return _Explorer(memory, robot, parameters or ExplorationParameters(), choose, interest).run()


class _Explorer:
    def __init__(
        self,
        memory: MemoryReader,
        robot: Robot,
        parameters: ExplorationParameters,
        choose: Choice,
        interest: Interest | None,
    ) -> None:
        self._interest = interest
        self._memory = memory
        self._choose = choose
        self._robot = robot
        self._p = parameters
        self._driver = Driver(
            memory, robot, parameters.max_steps, parameters.arrival_distance, parameters.max_collisions
        )
        self._given_up: list[Point] = []
        self._stuck: list[Point] = []  # goals to be tried once more
        self._retried: list[Point] = []
        self._visited_rooms: set[str] = set()
        self._frontiers: list[KnownFrontier] = []
        self._target: KnownFrontier | None = None
        self._goal: Point | None = None
        self._stage = ""

    def run(self) -> Iterator[ExplorationProgress]:
        yield from self._act("look", "looking around")
        yield from self._look_around("looking around")
        while self._driver.has_steps:
            frontier = self._choose_frontier() or self._choose_again()
            room = self._choose_room(frontier) if self._p.visit_rooms else None
            if room is not None:
                yield from self._visit(room)
            elif frontier is not None:
                yield from self._pursue(frontier)
            else:
                break
        self._goal = None
        if not self._driver.has_steps:
            outcome: Outcome = "out of steps"
        else:
            outcome = "complete" if self._memory.newest_stamp_ns > 0 else "nothing seen"
        yield self._progress(outcome)

    # --- what to do ---------------------------------------------------------------------------------------------------

    def _choose_frontier(self) -> KnownFrontier | None:
        """Nearest by path, a little nearer for its size and for lying ahead; the one under way is kept unless another is clearly better."""
        position = self._robot.position()
        known = self._memory.known_frontiers(position, self._driver.stamp_ns)
        self._frontiers = [f for f in known if f.path_length >= 0 and not self._is_done(f)]
        if not self._frontiers:
            self._target = None
            return None
        chosen = self._choose(self._frontiers)
        for f in self._frontiers:
            if f.id == chosen:
                self._target = f
                return f
        costs = [self._cost(f, position) for f in self._frontiers]
        if self._interest is not None and costs:
            costs = list(np.array(costs) - self._interest([f.centroid for f in self._frontiers]))
        self._target = choose_frontier(self._frontiers, costs, self._target, self._p.switch_gain)
        return self._target

    def _choose_again(self) -> KnownFrontier | None:
        """Where the robot got stuck it tries once more when nothing else is left: from another side the way is often free."""
        if not self._stuck:
            return None
        self._retried += self._stuck
        self._stuck = []
        self._driver.allow_again()
        return self._choose_frontier()

    def _cost(self, f: KnownFrontier, position: Point) -> float:
        heading = self._robot.heading()
        return frontier_cost(f, position, heading, self._p.size_bonus, self._p.max_size_bonus)

    def _is_done(self, f: KnownFrontier) -> bool:
        """Whether a frontier was given up: not reached, or already looked at from where it is best seen, and still there.

        The list of frontiers holds every image taken so far, so looking once more from the same place would change nothing.
        """
        if _is_near(f.position, self._given_up) or _is_near(f.position, self._stuck):
            return True
        near = self._views_from(f.position, self._p.look_distance)  # (N, 4)
        if not len(near):
            return False
        to_x, to_y = f.centroid[0] - near[:, 0], f.centroid[1] - near[:, 1]
        close = np.hypot(to_x, to_y) < 0.3  # standing on it: its direction says more than its centre
        bearings = np.where(close, np.arctan2(f.direction[1], f.direction[0]), np.arctan2(to_y, to_x))
        return bool(np.any(np.abs(wrap(bearings - near[:, 3])) < self._p.field_of_view / 2 - np.radians(5.0)))

    def _pursue(self, frontier: KnownFrontier) -> Iterator[ExplorationProgress]:
        """Some steps towards a frontier; once there, look at it."""
        drive = yield from self._drive(frontier.position, "driving to a frontier", self._p.reconsider_steps)
        if drive == "arrived":
            position = self._robot.position()
            direction = bearing(position, frontier.centroid)
            if level_distance(position, frontier.centroid) < 0.3:
                direction = float(np.arctan2(frontier.direction[1], frontier.direction[0]))
            yield from self._face(direction, "looking at a frontier")
        if drive == "stuck" and not _is_near(frontier.position, self._retried):
            self._stuck.append(frontier.position)
        elif drive == "stuck" or (drive == "arrived" and not self._is_done(frontier)):
            self._given_up.append(frontier.position)

    def _choose_room(self, frontier: KnownFrontier | None) -> KnownRoom | None:
        """Nearest room that was not yet seen from its middle in most directions, if it is nearer than the frontier to drive to.

        Rooms with frontiers wait: where their middle lies is not known yet.
        """
        position = self._robot.position()
        for room in sorted(self._memory.known_rooms(), key=lambda r: distance(position, r.position)):
            if (
                room.id in self._visited_rooms
                or np.mean(self._seen_directions(room.position, self._p.visit_distance)) > 0.8
            ):
                continue
            if frontier is None:
                return room
            if distance(position, room.position) > frontier.path_length:
                return None
            if all(distance(room.position, f.position) > self._p.room_reach for f in self._frontiers):
                path = self._memory.path_to(room.position, position, _ROOM_TOLERANCE, self._driver.stamp_ns)
                if not path.reason and path.length < frontier.path_length:
                    return room
        return None

    def _visit(self, room: KnownRoom) -> Iterator[ExplorationProgress]:
        """Some steps towards the middle of a room; once there, look around."""
        stage = f"visiting {room.name or room.id}"
        drive = yield from self._drive(room.position, stage, 2 * self._p.reconsider_steps, _ROOM_TOLERANCE)
        if drive == "arrived":
            yield from self._look_around(f"looking around in {room.name or room.id}", self._p.visit_distance)
        if drive == "stuck":
            self._given_up.append(room.position)
        if drive != "driving":
            self._visited_rooms.add(room.id)

    # --- how to do it -------------------------------------------------------------------------------------------------

    def _drive(
        self, goal: Point, stage: str, n_steps: int, tolerance: float = GOAL_TOLERANCE
    ) -> Generator[ExplorationProgress, None, Drive]:
        """At most ``n_steps`` actions towards a point; a generator of progress that returns a `Drive`."""
        self._goal = goal
        steps = self._driver.towards(goal, n_steps, tolerance)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
            yield self._progress(stage=stage)

    def _face(self, direction: float, stage: str) -> Iterator[ExplorationProgress]:
        """Turn towards a direction [rad], as near as turns allow."""
        for _ in self._driver.face(direction):
            yield self._progress(stage=stage)

    def _look_around(self, stage: str, distance: float = 0.5) -> Iterator[ExplorationProgress]:
        """Turn until all directions were seen from here (images from within ``distance`` count), the shorter way round."""
        position = self._robot.position()
        seen = self._seen_directions(position, distance)
        if np.all(seen):
            return
        n_left, n_right = (self._turns_needed(seen, sign) for sign in (1.0, -1.0))
        for _ in range(min(n_left, n_right)):
            if not self._driver.has_steps:
                return
            yield from self._act("turn_left" if n_left <= n_right else "turn_right", stage)

    def _seen_directions(self, position: Point, distance: float) -> np.ndarray:
        """Which directions were seen from within ``distance`` of a point, (_N_BINS,) bool."""
        seen = np.zeros(_N_BINS, dtype=bool)
        for heading in self._views_from(position, distance)[:, 3]:
            seen |= self._bins_seen(heading)
        return seen

    def _views_from(self, position: Point, distance: float) -> Array:
        """Those of the robot's views (N, 4) that were taken so near to a point on its floor."""
        views = np.array(self._driver.views).reshape(-1, 4)
        offsets = views[:, :3] - position
        return views[(np.hypot(offsets[:, 0], offsets[:, 1]) < distance) & (np.abs(offsets[:, 2]) < SAME_FLOOR)]

    def _bins_seen(self, heading: float) -> np.ndarray:
        centers = (np.arange(_N_BINS) + 0.5) * 2 * np.pi / _N_BINS
        return np.abs(wrap(centers - heading)) <= self._p.field_of_view / 2

    def _turns_needed(self, seen: np.ndarray, sign: float) -> int:
        """Turns in one sense until every direction is seen."""
        seen = seen.copy()
        for n in range(int(np.ceil(2 * np.pi / TURN_ANGLE))):
            if np.all(seen):
                return n
            seen |= self._bins_seen(self._robot.heading() + sign * (n + 1) * TURN_ANGLE)
        return int(np.ceil(2 * np.pi / TURN_ANGLE))

    def _act(self, action: Action, stage: str) -> Iterator[ExplorationProgress]:
        self._driver.act(action)
        yield self._progress(stage=stage)

    def _progress(self, outcome: Outcome = "", stage: str | None = None) -> ExplorationProgress:
        self._stage = self._stage if stage is None else stage
        return ExplorationProgress(
            n_steps=self._driver.n_steps,
            n_collisions=self._driver.n_collisions,
            stage=self._stage,
            position=self._robot.position(),
            heading=self._robot.heading(),
            goal=self._goal,
            n_frontiers=len(self._frontiers),
            unexplored_area=float(sum(f.area for f in self._frontiers)),
            n_given_up=len(self._given_up) + len(self._stuck),
            outcome=outcome,
        )


def _is_near(position: Point, others: Sequence[Point]) -> bool:
    """Whether a goal is one of the others, as far as goals can be told apart."""
    return any(distance(position, other) < 0.4 for other in others)
