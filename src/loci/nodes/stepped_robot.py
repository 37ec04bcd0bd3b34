"""A robot that is driven by the services `step` and `get_robot_pose`, as `loci.planning.protocols.Robot` wants it.

The demo's robot is the simulator; whoever offers the two services can stand in for it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import rclpy
from loci_ros.srv import GetRobotPose, SimulatorStep
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from loci.nodes.conversions import from_pose, to_ns
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
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node(
            "robot_client",
            namespace=namespace,
            context=self._context,
            start_parameter_services=False,
            use_global_arguments=False,
        )
        self._step = self._node.create_client(SimulatorStep, "step")
        self._get_pose = self._node.create_client(GetRobotPose, "get_robot_pose")
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
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
        self._executor.shutdown(timeout_sec=2.0)
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

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

    def _call(self, client: Any, request: Any) -> Any:
        future = client.call_async(request)
        self._executor.spin_until_future_complete(future, timeout_sec=self._timeout)
        if not future.done():
            raise RobotServiceError(f"no answer of {client.srv_name} within {self._timeout:g} s")
        answer = future.result()
        if answer.error_code:
            raise RobotServiceError(f"{client.srv_name}: {answer.error_msg}")
        return answer
