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

#: Goals that the simulator takes in one request.
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
    """

    def __init__(self, namespace: str = "", timeout: float = 30.0) -> None:
        super().__init__(namespace, timeout)
        self.n_collisions = 0
        self._reset = self._node.create_client(SimulatorReset, "reset")
        self._interact = self._node.create_client(SimulatorInteract, "interact")
        self._truth = self._node.create_client(SimulatorGroundTruth, "get_ground_truth")
        self._shortest = self._node.create_client(SimulatorShortestPath, "get_shortest_path")

    def __enter__(self) -> SimulatedRobot:
        return self

    def step(self, action: Action) -> StepResult:
        result = super().step(action)
        self.n_collisions += result.collided
        return result

    def put(self, x: float, y: float, yaw: float, restore_objects: bool = False) -> int:
        """Put the robot somewhere [m, rad]; returns the stamp of the image taken there [ns]."""
        pose = to_pose(planar_pose(x, y, 0.0, yaw))
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

    def driven(self, start: Point) -> tuple[tuple[tuple[float, float], ...], float]:
        """(x, y) [m] since the trace was forgotten, at ``start`` first, and the length of the way [m]."""
        trace = np.array([start[:2], *((x, y) for _, x, y, _ in self.trace)])
        # Standing and turning leave no trace.
        moved = np.concatenate([[True], np.any(np.diff(trace, axis=0) != 0.0, axis=1)])
        points = tuple((round(float(x), 3), round(float(y), 3)) for x, y in trace[moved])
        return points, float(np.sum(np.linalg.norm(np.diff(trace, axis=0), axis=1)))

    def ground_truth(self, viewpoints_of: Sequence[str] = ()) -> dict[str, Any]:
        """What `get_ground_truth` answers."""
        answer = self._call(self._truth, SimulatorGroundTruth.Request(viewpoints_of=list(viewpoints_of)))
        return dict(json.loads(answer.json))

    def nearest(self, goals: Sequence[Sequence[float]], start: Sequence[float] | None = None) -> NearestGoal | None:
        """Shortest path to the nearest of several points, from ``start`` or where the robot is; None: none can be reached."""
        best: NearestGoal | None = None
        for first in range(0, len(goals), _MAX_GOALS):
            points = [PointMessage(x=float(x), y=float(y), z=float(z)) for x, y, z in goals[first : first + _MAX_GOALS]]
            request = SimulatorShortestPath.Request(goals=points)
            if start is not None:
                x, y, z = (float(v) for v in start)
                request.has_start, request.start = True, PointMessage(x=x, y=y, z=z)
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
