"""The simulated robot as an evaluation has it: its actions, and behind them the services that only scoring may use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Point as PointMessage
from loci_ros.srv import SimulatorGroundTruth, SimulatorInteract, SimulatorReset, SimulatorShortestPath

from loci.geometry import Array
from loci.nodes.conversions import from_point, to_ns, to_pose
from loci.nodes.stepped_robot import SteppedRobot
from loci.planning.protocols import Action, KnownPath, Point, StepResult
from loci_sim.meshes import planar_pose
from loci_sim.protocol import InteractionResult

#: Goals in one request.
_MAX_GOALS = 1000


@dataclass(frozen=True)
class NearestGoal:
    """Shortest path (N, 3) [m] to the nearest of several goals and its length [m]."""

    index: int
    points: Array
    length: float


class SimulatedRobot(SteppedRobot):
    """`SteppedRobot` with the ground truth behind it.

    Attributes:
        n_collisions: steps that ended at an obstacle.
        travelled: way made by steps, up and down, too [m].
    """

    def __init__(self, namespace: str = "", timeout: float = 30.0) -> None:
        super().__init__(namespace, timeout)
        self.n_collisions, self.travelled = 0, 0.0
        self._at: Array | None = None
        self._reset = self._client(SimulatorReset, "reset")
        self._interact = self._client(SimulatorInteract, "interact")
        self._truth = self._client(SimulatorGroundTruth, "get_ground_truth")
        self._shortest = self._client(SimulatorShortestPath, "get_shortest_path")

    def __enter__(self) -> SimulatedRobot:
        return self

    def step(self, action: Action) -> StepResult:
        before = self._at
        result = super().step(action)
        if before is not None and self._at is not None:
            self.travelled += float(np.linalg.norm(self._at - before))
        self.n_collisions += result.collided
        return result

    def _place(self, pose: Any) -> None:
        super()._place(pose)
        self._at = np.array([pose.position.x, pose.position.y, pose.position.z])

    def put(self, x: float, y: float, yaw: float, restore_objects: bool = False, z: float = 0.0) -> int:
        """Put the robot somewhere [m, rad]; returns the stamp of the image taken there [ns]."""
        pose = to_pose(planar_pose(x, y, z, yaw))
        request = SimulatorReset.Request(has_pose=True, pose=pose, restore_objects=restore_objects)
        answer = self._call(self._reset, request)
        self._place(answer.pose)
        return to_ns(answer.stamp)

    def interact(
        self, interaction: str, label: str = "", position: Point | None = None, object_id: str = ""
    ) -> InteractionResult:
        """Do something with an object in view and in reach: by category and place, or, for oracles, by its id."""
        request = SimulatorInteract.Request(interaction=interaction, label=label, object_id=object_id)
        if position is not None:
            x, y, z = position
            request.has_position, request.position = True, PointMessage(x=x, y=y, z=z)
        answer = self._call(self._interact, request)
        return InteractionResult(bool(answer.done), str(answer.reason), to_ns(answer.stamp))

    def driven(self, start: Point) -> tuple[tuple[float, float], ...]:
        """(x, y) [m] since the trace was forgotten, at ``start`` first; standing and turning leave none."""
        trace = np.array([start[:2], *((x, y) for _, x, y, _ in self.trace)])
        moved = np.concatenate([[True], np.any(np.diff(trace, axis=0) != 0.0, axis=1)])
        return tuple((round(float(x), 3), round(float(y), 3)) for x, y in trace[moved])

    def ground_truth(self, viewpoints_of: Sequence[str] = ()) -> dict[str, Any]:
        """What `get_ground_truth` answers."""
        answer = self._call(self._truth, SimulatorGroundTruth.Request(viewpoints_of=list(viewpoints_of)))
        return dict(json.loads(answer.json))

    def nearest(
        self, goals: Sequence[Sequence[float]], start: Sequence[float] | Array | None = None
    ) -> NearestGoal | None:
        """Shortest path to the nearest of several points from another one, or where the robot is; None: none can be reached."""
        points = [PointMessage(x=float(g[0]), y=float(g[1]), z=float(g[2])) for g in goals]
        best: NearestGoal | None = None
        for first in range(0, len(points), _MAX_GOALS):
            request = SimulatorShortestPath.Request(goals=points[first : first + _MAX_GOALS])
            if start is not None:
                request.has_start = True
                request.start = PointMessage(x=float(start[0]), y=float(start[1]), z=float(start[2]))
            answer = self._call(self._shortest, request)
            if answer.found and (best is None or answer.length < best.length):
                path = np.array([from_point(p.pose.position) for p in answer.path.poses])
                best = NearestGoal(first + int(answer.goal_index), path, float(answer.length))
        return best

    def way(
        self, start: Sequence[float] | None, goals: Sequence[Sequence[float]]
    ) -> tuple[Sequence[float], float] | None:
        """Where the shortest way to the nearest of several points ends, and its length [m]; None: none can be reached."""
        found = self.nearest(goals, start)
        return None if found is None else (goals[found.index], found.length)


class TrueMap:
    """The simulator's shortest paths as somebody's knowledge of the way, for oracles."""

    def __init__(self, robot: SimulatedRobot) -> None:
        self._robot = robot

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        """Path from the robot to a point."""
        found = self._robot.nearest([goal])
        if found is None:
            return KnownPath(np.empty((0, 3)), 0.0, "the goal cannot be reached")
        return KnownPath(found.points, found.length)
