"""A robot that is driven by the services `step` and `get_robot_pose`, as `loci.planning.protocols.Robot` wants it.

The demo's robot is the simulator; whoever offers the two services can stand in for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from loci_ros.srv import GetRobotPose, SimulatorStep

from loci.nodes.conversions import from_pose, to_ns
from loci.nodes.own_node import NodeClosedError, OwnNode
from loci.planning.protocols import Action, Point, StepResult


class RobotServiceError(RuntimeError):
    """The robot refused an action, or did not answer."""


class SteppedRobot:
    """A robot behind services; a context manager.

    Args:
        namespace: of its services.
        timeout: longest wait for an answer [s].

    Attributes:
        trace: (stamp [ns], x [m], y [m], heading [rad]) after every step, oldest first.
    """

    def __init__(self, namespace: str = "", timeout: float = 30.0) -> None:
        self._timeout = timeout
        self._own = OwnNode("robot_client", namespace)
        self._step = self._client(SimulatorStep, "step")
        self._get_pose = self._client(GetRobotPose, "get_robot_pose")
        self._x, self._y, self._z, self._yaw = 0.0, 0.0, 0.0, 0.0
        self.trace: list[tuple[int, float, float, float]] = []

    def __enter__(self) -> SteppedRobot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def forget_trace(self) -> None:
        """Begin the trace anew."""
        self.trace.clear()

    def close(self) -> None:
        """Let go of its node."""
        self._own.close()

    def is_ready(self) -> bool:
        """Whether the robot answers; reads its pose.

        Raises:
            TimeoutError: its services are not there yet.
        """
        if not (self._step.service_is_ready() and self._get_pose.service_is_ready()):
            raise TimeoutError("no services step and get_robot_pose yet")
        try:
            answer = self._call(self._get_pose, GetRobotPose.Request())
        except RobotServiceError as error:
            raise TimeoutError(str(error)) from error
        self._place(answer.pose.pose)
        return True

    def position(self) -> Point:
        return (self._x, self._y, self._z)

    def heading(self) -> float:
        return self._yaw

    def step(self, action: Action) -> StepResult:
        """Do one action; its image is then on its way.

        Raises:
            RobotServiceError: refused, or no answer.
        """
        answer = self._call(self._step, SimulatorStep.Request(action=action))
        self._place(answer.pose)
        stamp_ns = to_ns(answer.stamp)
        self.trace.append((stamp_ns, self._x, self._y, self._yaw))
        return StepResult(bool(answer.collided), stamp_ns)

    def _place(self, pose: Any) -> None:
        T = from_pose(pose, "robot pose")
        self._x, self._y, self._z = (float(v) for v in T[:3, 3])
        self._yaw = float(np.arctan2(T[1, 0], T[0, 0]))

    def _client(self, service_type: Any, name: str) -> Any:
        client = self._own.node.create_client(service_type, name)
        self._own.wake()
        return client

    def _call(self, client: Any, request: Any) -> Any:
        try:
            answer = self._own.wait(client.call_async(request), self._timeout, client.srv_name)
        except (TimeoutError, NodeClosedError) as error:
            raise RobotServiceError(str(error)) from error
        if answer.error_code:
            raise RobotServiceError(f"{client.srv_name}: {answer.error_msg}")
        return answer
