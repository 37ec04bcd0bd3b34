"""What drives a real robot: the topic `goal_pose`, or an action; where the robot is; and a service that handles things.

Each is what `loci.planning.navigated` asks for; nothing is decided here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from loci_ros.action import DriveTo
from loci_ros.srv import SimulatorInteract
from rclpy.action import ActionClient

from loci.geometry import Array
from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.conversions import to_point, to_pose
from loci.nodes.errors import BadInput, Code, RequestError
from loci.nodes.own_node import OwnNode
from loci.nodes.tf import TfPoses
from loci.planning.bodies import BodyError, Handled
from loci.planning.cancelling import POLL_PERIOD, GivenUpError, current_check
from loci.planning.navigated import NavigationState
from loci.planning.orders import Verb
from loci.planning.protocols import Point
from loci.query import Query

#: Longest wait for an action to appear, and for a robot to stand still [s].
_WAIT = 5.0


class GoalTopic:
    """Sends goals on a topic. Nothing comes back: whether the robot arrives, its place tells.

    Args:
        publish: takes a PoseStamped.
        stamped: makes one of a pose (4, 4).
    """

    def __init__(self, publish: Callable[[Any], None], stamped: Callable[[Array], Any]) -> None:
        self._publish, self._stamped = publish, stamped

    def send(self, T_map_base: Array) -> None:
        self._publish(self._stamped(T_map_base))

    def state(self) -> NavigationState:
        return NavigationState("unknown")

    def stop(self, T_map_base: Array | None) -> None:
        """A goal where the robot is; it takes the place of the one under way."""
        if T_map_base is not None:
            self._publish(self._stamped(T_map_base))

    def close(self) -> None: ...


class ActionNavigation:
    """Sends goals to an action, newest only; a goal that is no longer wanted is cancelled.

    Args:
        action_type: of the action.
        name: of the action, in full.
        make_goal: of a pose (4, 4).
        why_failed: of status and result; empty if the robot arrived.
    """

    def __init__(
        self,
        action_type: Any,
        name: str,
        make_goal: Callable[[Array], Any],
        why_failed: Callable[[int, Any], str],
    ) -> None:
        self._make_goal, self._why_failed, self._name = make_goal, why_failed, name
        # Not on the planner's node: its many threads would lose an answer that comes before rclpy has noted the request.
        self._own = OwnNode("navigation_client")
        self._client = self._own.run(lambda: ActionClient(self._own.node, action_type, name), _WAIT, name)
        self._lock = threading.Lock()
        self._number = 0
        self._handle: Any = None
        self._state = NavigationState("unknown")
        self._stands = threading.Event()
        self._stands.set()

    def send(self, T_map_base: Array) -> None:
        """
        Raises:
            BodyError: nobody offers the action.
            TimeoutError: the goal could not be sent.
        """
        if not self._client.server_is_ready() and not self._client.wait_for_server(_WAIT):
            raise BodyError(f"nobody drives the robot: there is no action {self._name} (parameter drive_by)")
        with self._lock:
            self._number += 1
            number = self._number
            self._state, self._handle = NavigationState("driving"), None
            self._stands.clear()
        goal = self._make_goal(T_map_base)

        def give() -> None:
            self._client.send_goal_async(goal).add_done_callback(partial(self._answered, number))

        self._own.run(give, _WAIT, self._name)

    def state(self) -> NavigationState:
        with self._lock:
            return self._state

    def stop(self, T_map_base: Array | None) -> None:
        """Cancel the goal under way, and wait (bounded) until it has ended."""
        with self._lock:
            handle, self._handle = self._handle, None
            under_way = self._state.status == "driving"
            self._state = NavigationState("failed", "stopped")
            self._number += not under_way  # an answer that is still to come is waited for
        if not under_way:
            return
        if handle is not None:
            self._own.run(handle.cancel_goal_async, _WAIT, self._name)
        self._stands.wait(_WAIT)

    def close(self) -> None:
        """Stop, and let go of the client."""
        self.stop(None)
        self._own.close()

    def _answered(self, number: int, future: Any) -> None:
        handle = future.result()
        with self._lock:
            if number != self._number:  # a newer goal has taken its place in the meantime
                wanted = False
            elif not handle.accepted:
                wanted = False
                self._state = NavigationState("failed", f"{self._name} did not take the goal")
                self._stands.set()
            else:
                wanted = self._state.status == "driving"
                self._handle = handle
        if not handle.accepted:
            return
        if not wanted:
            handle.cancel_goal_async()
        handle.get_result_async().add_done_callback(partial(self._ended, number))

    def _ended(self, number: int, future: Any) -> None:
        answer = future.result()
        with self._lock:
            if number != self._number:
                return
            self._handle = None
            self._stands.set()
            if self._state.status == "driving":
                reason = self._why_failed(answer.status, answer.result)
                self._state = NavigationState("failed", reason) if reason else NavigationState("arrived")


def drive_to_navigation(resolve: Callable[[str], str], stamped: Callable[[Array], Any]) -> ActionNavigation:
    """Over the follower's action `drive_to`; ``resolve`` makes a full name of a name, ``stamped`` a message of a pose (4, 4)."""

    def why_failed(status: int, result: Any) -> str:
        return "" if result.arrived else result.reason or result.error_msg or "it did not arrive"

    return ActionNavigation(DriveTo, resolve("drive_to"), lambda T: DriveTo.Goal(pose=stamped(T)), why_failed)


def nav2_navigation(resolve: Callable[[str], str], stamped: Callable[[Array], Any]) -> ActionNavigation:
    """Over Nav2's action `navigate_to_pose`; arguments as of `drive_to_navigation`.

    Raises:
        RequestError: nav2_msgs is not installed.
    """
    try:
        from nav2_msgs.action import NavigateToPose
    except ImportError as error:
        raise RequestError(
            Code.UNAVAILABLE,
            f"drive_by: navigate_to_pose needs nav2_msgs ({error}): install ros-$ROS_DISTRO-nav2-msgs, or set drive_by to goal_pose",
        ) from error

    def why_failed(status: int, result: Any) -> str:
        if status == GoalStatus.STATUS_SUCCEEDED:
            return ""
        return getattr(result, "error_msg", "") or f"the navigation ended with status {status}"

    return ActionNavigation(
        NavigateToPose, resolve("navigate_to_pose"), lambda T: NavigateToPose.Goal(pose=stamped(T)), why_failed
    )


class MemoryPose:
    """Where the robot is, by the memory's newest keyframe: position and direction of its camera, which looks ahead.

    Args:
        memory: that takes in the robot's images.
    """

    def __init__(self, memory: MemoryClient) -> None:
        self._memory = memory
        self._keyframe_id = ""

    def __call__(self) -> Array:
        """(4, 4) upright, at the camera's height.

        Raises:
            BodyError: the memory took in no image since it was opened, or does not answer.
        """
        try:
            newest = self._memory.recall(Query(kinds=("keyframe",), order="newest", limit=1)).evidence
            if not newest or newest[0].T_map_camera is None:
                raise BodyError("nobody knows where the robot is: the memory holds no image. Does the camera run?")
            if newest[0].id != self._keyframe_id and newest[0].session != self._memory.statistics()["session"]:
                raise BodyError(
                    "nobody knows where the robot is: no image came since the memory was opened. Does the camera run?"
                )
        except (MemoryServiceError, TimeoutError) as error:
            raise BodyError(f"nobody knows where the robot is: {error}") from error
        self._keyframe_id = newest[0].id
        T_map_camera = newest[0].T_map_camera
        ahead = T_map_camera[:3, 2]
        if np.hypot(ahead[0], ahead[1]) < 0.1:  # it looks straight down or up: ahead is its upper or its lower edge
            ahead = np.sign(ahead[2]) * T_map_camera[:3, 1]
        norm = max(float(np.hypot(ahead[0], ahead[1])), 1e-9)
        c, s = ahead[0] / norm, ahead[1] / norm
        T = np.eye(4)
        T[:2, :2] = [[c, -s], [s, c]]
        T[:3, 3] = T_map_camera[:3, 3]
        return T


class TfPose:
    """Where the robot is, by tf.

    Args:
        tf: that listens.
        map_frame, base_frame: of the transform.
    """

    def __init__(self, tf: TfPoses, map_frame: str, base_frame: str) -> None:
        self._tf, self._map_frame, self._base_frame = tf, map_frame, base_frame

    def __call__(self) -> Array:
        """The newest pose of the base, (4, 4).

        Raises:
            BodyError: tf has none.
        """
        try:
            return self._tf.lookup(self._map_frame, self._base_frame, 0, 1.0)
        except BadInput as error:
            raise BodyError(f"nobody knows where the robot is: {error}") from error


class ServiceHand:
    """Does things with what the robot has in view and in reach, by a service of type `SimulatorInteract`.

    Args:
        client: of the service.
        timeout: longest wait for it [s].
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self._client, self._timeout = client, timeout

    def __call__(self, verb: Verb, label: str, position: Point) -> Handled:
        """
        Raises:
            BodyError: nobody offers the service, or no answer came in time.
            GivenUpError: the task was cancelled; what the hand has begun it may still do.
        """
        name = self._client.srv_name
        if not self._client.service_is_ready() and not self._client.wait_for_service(_WAIT):
            raise BodyError(f"the robot's hand does not answer: there is no service {name} (manipulation_service)")
        request = SimulatorInteract.Request(interaction=verb, label=label, has_position=True)
        request.position = to_point(position)
        future = self._client.call_async(request)
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        end, check = time.monotonic() + self._timeout, current_check()
        try:
            while not done.wait(POLL_PERIOD):
                if check is not None and check():
                    raise GivenUpError("cancelled while the hand was at work")
                if time.monotonic() >= end:
                    raise BodyError(f"the robot's hand does not answer: nothing of {name} within {self._timeout:g} s")
        except (BodyError, GivenUpError):
            self._client.remove_pending_request(future)
            raise
        answer = future.result()
        if answer.error_code:
            return Handled(False, answer.error_msg)
        return Handled(bool(answer.done), answer.reason)


def stamped_pose(T_map_base: Array, frame: str, now: Any) -> Any:
    """PoseStamped of a pose (4, 4)."""
    pose = PoseStamped()
    pose.header.frame_id, pose.header.stamp = frame, now
    pose.pose = to_pose(T_map_base)
    return pose
