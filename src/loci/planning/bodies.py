"""What carries a task out: a robot that drives, looks, explores, and perhaps has a hand.

`TaskExecutor` decides; a `Body` does. `SteppedBody` is a robot with discrete actions (the simulator's); one that is sent goal poses is in
`loci.nodes`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loci.geometry import Array
from loci.planning.driving import GOAL_TOLERANCE, Driver, bearing, drive_to
from loci.planning.exploration import ExplorationParameters, ExplorationProgress, explore
from loci.planning.orders import Verb
from loci.planning.plan_memory import Failure
from loci.planning.protocols import Action, MemoryReader, Point, Robot, StepResult
from loci.planning.relevance import Interest


@dataclass(frozen=True)
class Motion:
    """State after an action or a stretch of driving.

    Attributes:
        stage: what it is doing, in plain words.
        goal: where it drives [m], or None.
    """

    stage: str
    goal: Point | None = None


@dataclass(frozen=True)
class Handled:
    """Whether something was done with a thing, and why not.

    Attributes:
        done: whether it was.
        reason: why not, in plain words.
        failure: what a lesson would be about; None: this says nothing about the thing.
    """

    done: bool
    reason: str = ""
    failure: Failure | None = None


class BodyError(RuntimeError):
    """The robot cannot act: nobody knows where it is, or what moves it does not answer."""


class Hand(Protocol):
    """What can be done with things."""

    def __call__(self, verb: Verb, label: str, position: Point) -> Handled:
        """Do something with what is called so and lies there (map frame, [m])."""


class Body(Protocol):
    """A robot as tasks need it. Generators yield after every action, so that a task can be stopped between any two.

    Attributes:
        n_steps: actions so far.
        n_explorations: visits to places only to look for something.
        stamp_ns: of the newest image [ns].
        has_hand: whether it can do more with things than drive to them.

    Raises (every method):
        BodyError: the robot cannot act.
    """

    n_steps: int
    n_explorations: int
    stamp_ns: int

    @property
    def has_hand(self) -> bool: ...

    @property
    def steps_left(self) -> int:
        """Actions that may still be done."""

    def position(self) -> Point:
        """Of its base in the map frame [m]."""

    def look(self) -> int:
        """Take an image; its stamp [ns]."""

    def drive(self, goal: Point, tolerance: float = GOAL_TOLERANCE) -> Generator[Motion, None, str]:
        """Drive to a point, or as near to it as ``tolerance`` [m]; returns why it did not arrive, or nothing."""

    def face(self, point: Point) -> Generator[Motion, None, None]:
        """Turn towards a point."""

    def explore(
        self, n_steps: int, interest: Interest | None = None, look_at: str = ""
    ) -> Generator[Motion, None, bool]:
        """So many actions of exploring; returns whether something is left to explore.

        Args:
            n_steps: at most.
            interest: metres of way that looking at points is worth; None: all are worth the same.
            look_at: id of the frontier to look at, if it is still there and can be reached; empty: any.
        """

    def handle(self, verb: Verb, label: str, position: Point) -> Handled:
        """Do something with a thing before the robot."""


class SteppedBody:
    """A robot with discrete actions, and the memory that takes in its images.

    Args:
        memory: of the robot.
        robot: that is driven.
        hand: None: the robot has none.
    """

    def __init__(self, memory: MemoryReader, robot: Robot, hand: Hand | None = None) -> None:
        self._memory, self._robot, self._hand = memory, robot, hand
        self._driver = Driver(memory, self, max_steps=0)
        self._exploration: Iterator[ExplorationProgress] | None = None
        self._interest: Interest | None = None  # of the task under way
        self._exploring_to: Point | None = None
        self._look_at = ""
        self._last_step = 0
        self.n_steps = 0
        self.n_explorations = 0
        self.stamp_ns = 0

    def begin(self, max_steps: int) -> None:
        """A new task with so many actions."""
        self._last_step = self.n_steps + max_steps
        self._driver = Driver(self._memory, self, max_steps)

    def forget_exploration(self) -> None:
        """What was explored is not known any more."""
        self._exploration = None

    # --- the robot, counted -------------------------------------------------------------------------------------------

    def position(self) -> Point:
        return self._robot.position()

    def heading(self) -> float:
        return self._robot.heading()

    def step(self, action: Action) -> StepResult:
        result = self._robot.step(action)
        self.n_steps += 1
        self.stamp_ns = max(self.stamp_ns, result.stamp_ns)
        return result

    @property
    def steps_left(self) -> int:
        return self._last_step - self.n_steps

    @property
    def has_hand(self) -> bool:
        return self._hand is not None

    # --- what tasks ask for -------------------------------------------------------------------------------------------

    def look(self) -> int:
        return self.step("look").stamp_ns

    def drive(self, goal: Point, tolerance: float = GOAL_TOLERANCE) -> Generator[Motion, None, str]:
        self._sync()
        # Whoever sends the robot somewhere again means it; what it could not reach is given up by who sends it.
        self._driver.allow_again()
        for progress in drive_to(self._driver, goal, None, tolerance):
            if progress.outcome == "driving":
                yield Motion("driving", goal)
        return "" if progress.outcome == "arrived" else progress.reason or "stuck"

    def face(self, point: Point) -> Generator[Motion, None, None]:
        self._sync()
        for _ in self._driver.face(bearing(self.position(), point)):
            yield Motion("looking", point)

    def explore(
        self, n_steps: int, interest: Interest | None = None, look_at: str = ""
    ) -> Generator[Motion, None, bool]:
        self._interest, self._look_at = interest, look_at
        if self._exploration is None:
            everything = ExplorationParameters(max_steps=1_000_000_000)
            self._exploration = explore(self._memory, self, everything, lambda _: self._look_at, self._worth)
        for _ in range(min(n_steps, self.steps_left)):
            progress = next(self._exploration, None)
            if progress is None or progress.outcome:
                return False
            if progress.goal is not None and progress.goal != self._exploring_to:
                self.n_explorations += 1
            self._exploring_to = progress.goal
            yield Motion(progress.stage, progress.goal)
        return True

    def handle(self, verb: Verb, label: str, position: Point) -> Handled:
        if self._hand is None:
            return Handled(False, "the robot has no hand")
        return self._hand(verb, label, position)

    def _worth(self, points: Sequence[Point]) -> Array:
        return np.zeros(len(points)) if self._interest is None else self._interest(points)

    def _sync(self) -> None:
        """Exploring has taken steps of the same budget."""
        self._driver.max_steps = self._driver.n_steps + max(self.steps_left, 0)
        self._driver.stamp_ns = max(self._driver.stamp_ns, self.stamp_ns)
