"""An oracle for benchmarks that ask for more than the length of a step: it stops as soon as it is near enough to a viewpoint."""

from __future__ import annotations

from loci.planning.driving import Driver, distance, drive_to
from loci_sim.evaluation.policies import OraclePolicy
from loci_sim.evaluation.robot import SimulatedRobot, TrueMap
from loci_sim.evaluation.tasks import Goal, Stop

#: Viewpoints that are driven to, one after the other, until one is met.
_TRIES = 12
#: The next one is no nearer than this [m]: steps are of 0.25 m.
_NEXT = 0.4


class PreciseOracle(OraclePolicy):
    """Drives to the nearest viewpoint, and on to others, until it is within a distance of one.

    Args:
        robot: with the ground truth.
        within: of a viewpoint, by path [m].
    """

    def __init__(self, robot: SimulatedRobot, within: float) -> None:
        super().__init__(robot)
        self._robot, self._within = robot, within

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        points = list(goal.viewpoints or ())
        driver = Driver(TrueMap(self._robot), self._robot, max_steps)
        left = points
        for _ in range(_TRIES):
            found = self._robot.nearest(left)
            if found is None:
                break
            if self._is_near(points):
                return Stop(True, "arrived")
            x, y, z = found.points[-1].tolist()
            for _ in drive_to(driver, (x, y, z)):
                if self._is_near(points):
                    return Stop(True, "arrived")
            here = self._robot.position()
            left = [p for p in left if distance(p, here) >= _NEXT]
        if self._robot.nearest(points) is None:
            return Stop(False, "no viewpoint can be reached")
        return Stop(False, f"steps of 0.25 m never ended within {self._within:.2f} m of a viewpoint")

    def _is_near(self, points: list[tuple[float, float, float]]) -> bool:
        found = self._robot.nearest(points)
        return found is not None and found.length <= self._within
