"""What every task is measured by, whatever it asks for: where and when it began, and what it had cost at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loci_sim.evaluation.tasks import Reply, Stop, Task, TaskResult

if TYPE_CHECKING:
    from loci_sim.evaluation.robot import SimulatedRobot


class Attempt:
    """A task that is being carried out: begins when it is made.

    Args:
        robot: that does it.
        viewpoints: points (x, y, z) [m] from where it is done.
    """

    def __init__(self, robot: SimulatedRobot, viewpoints: Sequence[Sequence[float]]) -> None:
        self._robot, self._viewpoints = robot, viewpoints
        robot.forget_trace()
        self._start, self._n_collisions, self._travelled = robot.position(), robot.n_collisions, robot.travelled
        self._began = time.monotonic()
        self._seconds = 0.0
        #: By path to the nearest viewpoint at the end [m]; negative: none can be reached.
        self.distance = -1.0

    def end(self) -> None:
        """The robot has stopped."""
        self._seconds = time.monotonic() - self._began
        left = self._robot.nearest(self._viewpoints)
        self.distance = left.length if left is not None else -1.0

    def result(
        self, scene: str, row: int, index: int, task: Task, ended: Stop | Reply, shortest: float | None, **fields: Any
    ) -> TaskResult:
        """What became of it.

        Args:
            scene, row, index: which task.
            shortest: way [m]; None: there is none.
            fields: of `TaskResult`, that only some tasks have.
        """
        robot = self._robot
        return TaskResult(
            scene=scene,
            row=row,
            index=index,
            kind=task.kind,
            text=task.text,
            object_ids=task.object_ids,
            claimed=ended.claims,
            shortest=shortest if shortest is not None else 0.0,
            travelled=robot.travelled - self._travelled,
            distance=self.distance,
            n_steps=len(robot.trace),
            seconds=round(self._seconds, 2),
            n_collisions=robot.n_collisions - self._n_collisions,
            reason=ended.reason,
            trace=robot.driven(self._start),
            viewpoints=tuple((round(float(p[0]), 3), round(float(p[1]), 3)) for p in self._viewpoints),
            **fields,
        )
