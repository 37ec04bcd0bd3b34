"""The follower drives the simulated robot with the memory's paths, all of them processes over real DDS."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

from geometry_msgs.msg import PoseStamped
from loci_ros.action import DriveTo
from rclpy.action import ActionClient

from loci.nodes.client import MemoryClient
from loci.nodes.conversions import from_pose, to_ns, to_pose
from loci.nodes.errors import Code
from loci.nodes.own_node import OwnNode
from loci.nodes.stepped_robot import SteppedRobot
from loci.session import Session
from loci_sim.meshes import planar_pose
from loci_sim.processes import simulation_processes, wait_for_first_image
from loci_sim.scenes import load_scene

pytestmark = [pytest.mark.ros, pytest.mark.timeout(300)]


class Caller:
    """Sends goals to the follower and waits for their results."""

    def __init__(self) -> None:
        self._own = OwnNode("caller")
        self.node = self._own.node
        self.goals = self.node.create_publisher(PoseStamped, "goal_pose", 10)
        self._client = self.run(lambda: ActionClient(self.node, DriveTo, "drive_to"))
        self.feedback: list[Any] = []

    def run(self, function: Callable[[], Any]) -> Any:
        """What the thread that spins returns of it."""
        return self._own.run(function, 60.0, "caller")

    def wait(self, future: Any) -> Any:
        return self._own.wait(future, 60.0, "drive_to")

    def send(self, goal: Any) -> Any:
        """Handle of an accepted goal."""
        assert self._client.wait_for_server(60.0)
        return self.wait(self.run(lambda: self._client.send_goal_async(goal, feedback_callback=self.feedback.append)))

    def drive(self, goal: Any) -> Any:
        return self.wait(self.run(self.send(goal).get_result_async)).result

    def close(self) -> None:
        self._own.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def goal_at(x: float, y: float, yaw: float = 0.0, **fields: Any) -> Any:
    pose = PoseStamped()
    pose.header.frame_id = "map"
    pose.pose = to_pose(planar_pose(x, y, 0.0, yaw))
    return DriveTo.Goal(pose=pose, **fields)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    out: Path = tmp_path_factory.mktemp("follower")
    map_id = load_scene("apartment:3").map_id
    processes = simulation_processes(out, "apartment:3", map_id, planner=False, follower=True)
    with Session(processes, out / "logs") as running:
        yield running


@pytest.fixture(scope="module")
def parts(session: Session) -> Iterator[tuple[MemoryClient, SteppedRobot, Caller]]:
    """A memory that has seen all around the start."""
    with MemoryClient(timeout=60.0) as memory, SteppedRobot() as robot:
        session.wait_for(robot.is_ready, "the simulator", 120.0, "simulator")
        memory.wait_until_ready(60.0)

        wait_for_first_image(session, memory, robot)
        for _ in range(12):
            last = robot.step("turn_left")
        memory.statistics(min_stamp_ns=last.stamp_ns)
        caller = Caller()
        yield memory, robot, caller
        caller.close()


def reachable_point(memory: MemoryClient, robot: SteppedRobot) -> tuple[float, float]:
    """A known free point about 1.5 m away."""
    robot.is_ready()
    x, y, _ = robot.position()
    for angle in np.radians(np.arange(0, 360, 15)):
        goal = (x + 1.5 * float(np.cos(angle)), y + 1.5 * float(np.sin(angle)), 0.0)
        path = memory.path_to(goal, (x, y, 0.0))
        if not path.reason and path.length < 2.5:
            return goal[0], goal[1]
    raise AssertionError("no free point around the robot")


def test_the_robot_arrives_and_its_images_are_in_the_memory(parts) -> None:
    memory, robot, caller = parts
    x, y = reachable_point(memory, robot)
    result = caller.drive(goal_at(x, y, 1.0))
    assert result.arrived, result.reason
    assert result.error_code == Code.NONE
    T = from_pose(result.pose.pose)
    assert np.hypot(T[0, 3] - x, T[1, 3] - y) < 0.6
    assert abs(np.arctan2(T[1, 0], T[0, 0]) - 1.0) < np.radians(16)
    assert 0.5 < result.distance < 5.0
    # Feedback and result come by different ways: the last feedback may come after the result.
    wait_until(lambda: len(caller.feedback) >= result.n_steps - 1, "a feedback after every action")
    assert memory.newest_stamp_ns > 0
    memory.statistics(min_stamp_ns=to_ns(result.stamp))  # would time out if the image had been lost
    robot.is_ready()
    np.testing.assert_allclose(robot.position()[:2], T[:2, 3], atol=1e-6)


def test_a_goal_in_the_unknown_is_no_goal_and_says_so(parts) -> None:
    _, robot, caller = parts
    result = caller.drive(goal_at(80.0, 80.0))
    assert not result.arrived
    assert result.error_code == Code.NO_PATH
    assert result.reason
    robot.is_ready()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerance": -1.0}, "tolerance"),
        ({"max_steps": 100_000}, "at most 10000 steps"),
        ({"frame": "odom"}, "frame 'map'"),
        ({"x": float("nan")}, "goal pose"),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused(parts, change: dict[str, Any], message: str) -> None:
    _, _, caller = parts
    goal = goal_at(0.0, 0.0, **{k: v for k, v in change.items() if k in ("tolerance", "max_steps")})
    goal.pose.header.frame_id = change.get("frame", "map")
    goal.pose.pose.position.x = change.get("x", 0.0)
    result = caller.drive(goal)
    assert not result.arrived
    assert result.error_code == Code.INVALID_REQUEST
    assert message in result.error_msg


def test_a_newer_goal_takes_the_place_of_the_one_under_way(parts) -> None:
    memory, robot, caller = parts
    x, y = reachable_point(memory, robot)
    robot.is_ready()
    here = robot.position()
    caller.feedback.clear()
    first = caller.send(goal_at(x, y))
    second = caller.drive(goal_at(here[0], here[1], any_heading=True))
    ended = caller.wait(caller.run(first.get_result_async)).result
    assert ended.error_code == Code.CANCELED or ended.arrived
    assert second.arrived, second.reason


def test_cancelling_stops_the_robot(parts) -> None:
    memory, robot, caller = parts
    x, y = reachable_point(memory, robot)
    handle = caller.send(goal_at(x, y))
    caller.wait(caller.run(handle.cancel_goal_async))
    result = caller.wait(caller.run(handle.get_result_async)).result
    assert result.error_code == Code.CANCELED or result.arrived
    robot.is_ready()
    before = robot.position()
    robot.is_ready()
    assert robot.position() == before


def test_goal_pose_is_driven_to(parts, session: Session) -> None:
    memory, robot, caller = parts
    x, y = reachable_point(memory, robot)
    session.wait_for(lambda: caller.goals.get_subscription_count() > 0, "a subscriber of goal_pose")
    caller.goals.publish(goal_at(x, y).pose)

    def near() -> bool:
        robot.is_ready()
        return float(np.hypot(robot.position()[0] - x, robot.position()[1] - y)) < 0.6

    session.wait_for(near, "driving to goal_pose", 60.0, "follower")
