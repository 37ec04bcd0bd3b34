"""The `follower` ROS node: drives the simulated robot to `goal_pose`, as navigation does on a real one.

It knows what a robot knows: paths come from the memory's `find_path`, obstacles that these do not show from contact. Every path
waits (`min_stamp`) until the image of the last step is taken in, so that a run does not depend on how fast the machine is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from loci.nodes.process import pin_threads, run

pin_threads()

from geometry_msgs.msg import PoseStamped  # noqa: E402
from loci_ros.action import DriveTo  # noqa: E402
from rclpy.action import ActionServer, CancelResponse  # noqa: E402

from loci.nodes.client import MemoryClient, MemoryServiceError  # noqa: E402
from loci.nodes.conversions import from_pose, header, to_pose, to_time  # noqa: E402
from loci.nodes.errors import Code, RequestError  # noqa: E402
from loci.nodes.lifecycle import RELIABLE_QOS, ManagedNode  # noqa: E402
from loci.nodes.stepped_robot import RobotServiceError, SteppedRobot  # noqa: E402
from loci.planning.driving import DriveProgress, Driver, distance, drive_to  # noqa: E402
from loci_sim.meshes import planar_pose  # noqa: E402
from loci_sim.parameters import FOLLOWER, MAX_STEPS  # noqa: E402


class FollowerNode(ManagedNode):
    """Topic `goal_pose` and action `drive_to`; a new goal takes the place of the one under way.

    Args:
        context: rclpy context; None: the default one.
        options: further arguments of rclpy's Node.
    """

    def __init__(self, *, context: Any = None, **options: Any) -> None:
        self._memory: MemoryClient | None = None
        self._robot: SteppedRobot | None = None
        # Drives one after another; each ends when a newer one has come.
        self._turn, self._newest, self._count = threading.Lock(), 0, threading.Lock()
        self._topic_drives: list[threading.Thread] = []
        super().__init__("follower", FOLLOWER, context=context, **options)
        self.subscribe(PoseStamped, "goal_pose", self._take_goal, RELIABLE_QOS)
        self.action_servers.append(
            ActionServer(
                self,
                DriveTo,
                "drive_to",
                self._execute,
                cancel_callback=lambda _: CancelResponse.ACCEPT,
                callback_group=self.requests_group,
            )
        )

    def configure(self) -> None:
        v = self.values
        self._memory = MemoryClient(
            v["memory_namespace"] or self.get_namespace(),
            timeout=v["service_timeout"],
            node_name=f"{self.get_name()}_memory_client",
        )
        self._robot = SteppedRobot(self.get_namespace(), v["service_timeout"])

    def deactivate(self) -> None:
        self._new_drive()  # whoever drives stops after the action under way
        for thread in self._topic_drives:
            thread.join()

    def cleanup(self) -> None:
        self.deactivate()  # a shutdown comes without it
        with self._turn:
            if self._memory is not None:
                self._memory.close()
            if self._robot is not None:
                self._robot.close()
            self._memory = self._robot = None

    def _take_goal(self, message: Any) -> None:
        goal = DriveTo.Goal(pose=message)
        number = self._new_drive()

        def drive() -> None:
            try:
                result = self._drive(goal, number, lambda _: True)
                self.get_logger().info(f"goal_pose: {result.reason or 'arrived'}")
            except Exception as error:
                self.complain("goal_pose", str(error))

        self._topic_drives = [t for t in self._topic_drives if t.is_alive()]
        self._topic_drives.append(threading.Thread(target=drive, name="goal_pose"))
        self._topic_drives[-1].start()

    def _execute(self, handle: Any) -> Any:
        result = DriveTo.Result()
        began = time.perf_counter()
        with self._working():
            try:
                self.require_active()

                def goes_on(feedback: Any) -> bool:
                    if feedback is not None:
                        handle.publish_feedback(feedback)
                    return not handle.is_cancel_requested

                result = self._drive(handle.request, self._new_drive(), goes_on)
                (handle.succeed if result.arrived else handle.abort)()
            except Exception as error:
                self.report("drive_to", error, result)
                (handle.canceled if handle.is_cancel_requested else handle.abort)()
        self.monitor.took("drive_to", time.perf_counter() - began)
        return result

    def _new_drive(self) -> int:
        with self._count:
            self._newest += 1
            return self._newest

    def _drive(self, goal: Any, number: int, goes_on: Callable[[Any], bool]) -> Any:
        """Drive to a goal; ``goes_on`` is called with a feedback after every action.

        Raises:
            RequestError: the goal is not valid, it was cancelled, or the memory or the robot refused.
        """
        T_map_goal, tolerance, max_steps = self._checked(goal)
        with self._turn:
            memory, robot = self._parts()
            try:
                robot.is_ready()
                robot.forget_trace()
                driver = Driver(memory, robot, max_steps)
                # The first path takes in what the robot sees now.
                driver.act("look")
                at = (float(T_map_goal[0, 3]), float(T_map_goal[1, 3]), float(T_map_goal[2, 3]))
                facing = None if goal.any_heading else float(np.arctan2(T_map_goal[1, 0], T_map_goal[0, 0]))
                before, length = robot.position(), 0.0
                last: DriveProgress | None = None
                for last in drive_to(driver, at, facing, tolerance):
                    length += distance(before, last.position)
                    before = last.position
                    feedback = DriveTo.Feedback(
                        pose=self._pose(last, driver), distance_left=distance(before, at), n_steps=driver.n_steps
                    )
                    if not goes_on(feedback):
                        raise RequestError(Code.CANCELED, f"cancelled after {driver.n_steps} steps")
                    if not self.active:
                        raise RequestError(Code.CANCELED, "the follower was deactivated")
                    if number != self._newest:
                        raise RequestError(Code.CANCELED, "a newer goal has taken its place")
            except MemoryServiceError as error:
                raise RequestError(error.code, str(error)) from error
            except (TimeoutError, RobotServiceError) as error:
                raise RequestError(Code.UNAVAILABLE, str(error)) from error
        assert last is not None
        arrived = last.outcome == "arrived"
        return DriveTo.Result(
            arrived=arrived,
            reason=last.reason,
            pose=self._pose(last, driver),
            stamp=to_time(driver.stamp_ns),
            distance=length,
            n_steps=driver.n_steps,
            n_collisions=driver.n_collisions,
            error_code=int(Code.NONE if arrived else Code.NO_PATH),
            error_msg=last.reason,
        )

    def _checked(self, goal: Any) -> tuple[Any, float, int]:
        """Pose, tolerance and steps of a goal.

        Raises:
            ValueError: one is not valid.
        """
        v, frame = self.values, goal.pose.header.frame_id
        if frame != v["map_frame"]:
            raise ValueError(f"expected a goal in frame {v['map_frame']!r}, got {frame!r}")
        tolerance, max_steps = float(goal.tolerance) or v["goal_tolerance"], int(goal.max_steps) or v["max_steps"]
        if not (np.isfinite(tolerance) and tolerance > 0):
            raise ValueError(f"expected a tolerance > 0 m, got {tolerance}")
        if max_steps > MAX_STEPS:
            raise ValueError(f"expected at most {MAX_STEPS} steps, got {max_steps}")
        return from_pose(goal.pose.pose, "goal pose"), tolerance, max_steps

    def _parts(self) -> tuple[MemoryClient, SteppedRobot]:
        if self._memory is None or self._robot is None:
            raise RequestError(Code.UNAVAILABLE, "the follower is not configured")
        return self._memory, self._robot

    def _pose(self, progress: DriveProgress, driver: Driver) -> Any:
        x, y, z = progress.position
        T = planar_pose(x, y, z, progress.heading)
        return PoseStamped(header=header(self.values["map_frame"], driver.stamp_ns), pose=to_pose(T))


def make_nodes(context: Any) -> Sequence[ManagedNode]:
    """The nodes of the follower's process."""
    return [FollowerNode(context=context)]


def main(args: Sequence[str] | None = None) -> int:
    """Entry point of the executable `follower`."""
    return run(make_nodes, args, threads=4)


if __name__ == "__main__":
    raise SystemExit(main())
