"""Who carries out the tasks of the suite `recall`: an oracle, a random walker, and the robot that reads its records of the day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from loci.nodes.client import MemoryClient
from loci.planning.driving import Driver, bearing, distance, drive_to
from loci.planning.language.deeds import Wish, deeds_of
from loci.planning.language.readings import understand
from loci.planning.protocols import Planner
from loci.planning.revisiting import goals_of, own_records
from loci.query import Evidence
from loci_sim.evaluation.policies import RandomPolicy, text_encoder
from loci_sim.evaluation.recall import shortest_tour
from loci_sim.evaluation.robot import SimulatedRobot, TrueMap
from loci_sim.evaluation.tasks import Choice, Goal, MemoryUse, Revisit, Stop

#: How near to a thing the way may end [m]: it may stand on furniture or against a wall.
_TOLERANCE = 1.5
#: Ways that an oracle tries, and how near is near enough where it gets stuck [m].
_ORACLE_TRIES, _NEAR = 4, 0.5

#: Is told of every goal that a robot chose, when it stands there.
Arrived = Callable[[Choice], None]


class Revisitor(Protocol):
    """Goes to what a task asks for; of the task only ``text`` may be used, but by oracles."""

    def __call__(self, task: Revisit, max_steps: int, arrived: Arrived) -> Stop:
        """In at most so many actions; says at each goal what it has chosen."""


class OracleRevisitor:
    """Knows everything: drives the shortest tour.

    Args:
        robot: that is driven.
        points: from where a thing or room counts as reached [m], by id.
        choice: what to say of a thing or room, by id.
    """

    def __init__(
        self,
        robot: SimulatedRobot,
        points: Callable[[str], Sequence[Sequence[float]]],
        choice: Callable[[str], Choice],
    ) -> None:
        self._robot, self._points, self._choice = robot, points, choice

    def __call__(self, task: Revisit, max_steps: int, arrived: Arrived) -> Stop:
        goals = [[p for i in ids for p in self._points(i)] for ids in task.targets]
        owners = [[i for i in ids for _ in self._points(i)] for ids in task.targets]
        tour = shortest_tour(self._robot.way, goals, task.ordered)
        if tour is None:
            return Stop(False, "a goal cannot be reached")
        driver = Driver(TrueMap(self._robot), self._robot, max_steps)
        for i in tour[0]:
            found = self._drive(driver, goals[i])
            if found is None:
                return Stop(False, "obstacles are in the way to a goal")
            arrived(self._choice(owners[i][found]))
        return Stop(True, "arrived")

    def _drive(self, driver: Driver, points: Sequence[Sequence[float]]) -> int | None:
        """Drive to the nearest of some points, or, where that fails, to what is nearest then; which one, or None."""
        for _ in range(_ORACLE_TRIES):
            found = self._robot.nearest(points)
            if found is None or not driver.has_steps:
                return None
            x, y, z = (float(v) for v in points[found.index])
            if list(drive_to(driver, (x, y, z)))[-1].outcome == "arrived":
                return found.index
            # The shortest way grazes obstacles: where it ends just short of the point, that is near enough.
            left = self._robot.nearest(points)
            if left is not None and left.length < _NEAR:
                return left.index
            driver.allow_again()
        return None


class RandomRevisitor:
    """Walks at random and says as often as there are goals that it is there; what is nearest is what it has chosen."""

    def __init__(self, robot: SimulatedRobot, seed: int) -> None:
        self._robot, self._walker = robot, RandomPolicy(robot, seed)

    def __call__(self, task: Revisit, max_steps: int, arrived: Arrived) -> Stop:
        for _ in task.targets:
            self._walker.seek(Goal("category", task.text, ()), max_steps // len(task.targets))
            arrived(Choice("", (*self._robot.position()[:2], 0.8)))
        return Stop(True, "stopped at random")


class RememberingRevisitor:
    """Reads the robot's own records of the day and the objects that the memory knows; it does not explore.

    Args:
        memory: over its services.
        planner: says where things are.
        robot: whose images the memory takes in.
        use: what of the memory may be used: "short" and "long" records by where they are kept.
    """

    def __init__(self, memory: MemoryClient, planner: Planner, robot: SimulatedRobot, use: MemoryUse) -> None:
        self._memory, self._planner, self._robot, self._use = memory, planner, robot, use

    def __call__(self, task: Revisit, max_steps: int, arrived: Arrived) -> Stop:
        if self._use == "none":
            self._memory.clear()
        driver = Driver(self._memory, self._robot, max_steps)
        stamp = driver.act("look").stamp_ns
        self._memory.statistics(min_stamp_ns=stamp)
        deeds = deeds_of(self._records())
        wish = understand(task.text, deeds, text_encoder())
        if wish is None:
            return Stop(
                False,
                f"I do not understand it, or have no record of it ({len(deeds)} pick-and-places known)",
                "understanding" if deeds else "recalling",
            )
        goals = self._goals(wish)
        if not goals or not all(goals):
            return Stop(False, f"no position known of {wish.what} {wish.label}", "recalling")
        visited: list[list[Choice]] = []
        while len(visited) < len(goals):
            left = [g for g in goals if not any(g is v for v in visited)]
            goal = left[0] if wish.ordered else min(left, key=self._nearest)
            if not self._visit(driver, goal, arrived):
                return Stop(
                    False, f"did not reach {goal[0].label} (goal {len(visited) + 1} of {len(goals)})", "driving"
                )
            visited.append(goal)
        return Stop(True, wish.what)

    def _records(self) -> list[Evidence]:
        """What the robot told of this session, oldest first, as far as it may be used."""
        found = own_records(self._memory)
        if self._use in ("short", "long"):
            found = [e for e in found if (e.origin == "short_term") == (self._use == "short")]
        return found

    def _nearest(self, goal: Sequence[Choice]) -> float:
        return min(distance(self._robot.position(), c.position) for c in goal)

    def _visit(self, driver: Driver, goal: Sequence[Choice], arrived: Arrived) -> bool:
        """Drive to one of the choices of a goal, the nearest first; whether one was reached."""
        for choice in sorted(goal, key=lambda c: distance(self._robot.position(), c.position)):
            if list(drive_to(driver, choice.position, None, _TOLERANCE))[-1].outcome == "arrived":
                for _ in driver.face(bearing(self._robot.position(), choice.position)):
                    pass
                arrived(choice)
                return True
        return False

    def _goals(self, wish: Wish) -> list[list[Choice]]:
        """Choices for each goal."""
        goals = goals_of(wish, self._memory, self._planner)
        return [[Choice(s.label, s.position, s.is_room) for s in goal] for goal in goals]
