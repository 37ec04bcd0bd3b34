"""The node `planner` over real DDS, asking a real memory through its services; a robot drives in its room to the goals that it is sent."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseStamped
from loci_ros import action, srv
from loci_ros import msg as m
from planner_rig import TOUR, planner_rig
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rig import Rig, overrides, until

from loci.geometry import Array, look_at
from loci.nodes import conversions as c
from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code
from loci.nodes.planning import PlannerNode
from loci.planning.cancelling import GivenUpError, cancelled_by
from synthetic import ROOM

#: What is remembered though it is not there: a remark says that a dog was seen.
DOG = (1.2, 2.6, 0.0)


class RoomRobot:
    """Drives in the synthetic room to the newest goal, a step every few milliseconds, and publishes what it sees, also where it stands.

    Attributes:
        goals: poses (4, 4) that it was sent.
        broken: it takes goals, and does not move.
    """

    def __init__(self, rig: Rig, hears_goals: bool = True) -> None:
        self._rig = rig
        self._publisher = rig.publisher(m.Observation, "observations")
        self.position, self.heading = np.array([1.5, 1.0]), 0.5
        self.stamp_ns = TOUR[-1].frame.stamp_ns
        self.n = len(TOUR)
        self.goals: list[Array] = []
        self.broken = self.is_blind = False
        self._goal: Array | None = None
        self._stop = threading.Event()
        if hears_goals:
            rig.outside.create_subscription(
                PoseStamped, "goal_pose", lambda message: self.send(c.from_pose(message.pose)), 10
            )
            rig.executor.wake()
        self._thread = threading.Thread(target=self._run, name="robot")
        self._thread.start()

    def send(self, T: Array | None) -> None:
        if T is not None:
            self.goals.append(T)
        self._goal = T

    @property
    def is_there(self) -> bool:
        goal = self._goal
        return goal is None or float(np.linalg.norm(goal[:2, 3] - self.position)) < 0.02

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            goal = self._goal
            if goal is not None and not self.broken:
                way = goal[:2, 3] - self.position
                length = float(np.linalg.norm(way))
                self.position = self.position + way * min(1.0, 0.15 / max(length, 1e-9))
                if length < 0.15:
                    self.heading = float(np.arctan2(goal[1, 0], goal[0, 0]))
            if not self.is_blind:
                self._see()

    def _see(self) -> None:
        eye = np.array([*self.position, 1.2])
        ahead = np.array([np.cos(self.heading), np.sin(self.heading), -0.3])
        self.stamp_ns += 50_000_000
        observation = ROOM.observe(look_at(eye, eye + ahead), self.stamp_ns)
        self._publisher.publish(c.to_observation(observation, "map", sequence=self.n))
        self.n += 1


@pytest.fixture(scope="module")
def rig(ros_domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A memory that has seen a room, and a planner beside it."""
    with a_rig(tmp_path_factory.mktemp("memories")) as rig:
        yield rig


def a_rig(folder: Path, **planner: Any) -> AbstractContextManager[Rig]:
    """A rig that gives up looking sooner than a robot would."""
    return planner_rig(folder, **{"goal_tolerance": 1.0, "look_time": 5.0, "standing_time": 5.0, **planner})


@pytest.fixture
def robot(rig: Rig) -> Iterator[RoomRobot]:
    robot = RoomRobot(rig)
    assert until(lambda: rig.outside.count_subscribers("goal_pose") >= 1)
    assert until(lambda: rig.nodes[0].host.newest_stamp_ns > TOUR[-1].frame.stamp_ns, 60.0)
    yield robot
    robot.close()


class Task:
    """A goal of `execute_task`, under way."""

    def __init__(self, rig: Rig, instruction: str, max_steps: int = 200, max_time: float = 0.0) -> None:
        self._rig = rig
        self.feedback: list[Any] = []
        self._node = Node("asker", context=rig.context)
        client = ActionClient(self._node, action.ExecuteTask, "execute_task")
        assert client.wait_for_server(20.0)
        duration = Duration(sec=int(max_time), nanosec=int(max_time % 1 * 1e9))
        goal = action.ExecuteTask.Goal(instruction=instruction, max_steps=max_steps, max_time=duration)
        sent = client.send_goal_async(goal, feedback_callback=lambda f: self.feedback.append(f.feedback))
        # Only now: an executor must not see a client that is half made, and rclpy loses answers that come before a request is noted.
        rig.executor.add_node(self._node)
        assert until(sent.done)
        self._handle = sent.result()
        assert self._handle.accepted
        self._done = self._handle.get_result_async()

    def cancel(self) -> None:
        self._handle.cancel_goal_async()

    def result(self, timeout: float = 90.0) -> Any:
        assert until(self._done.done, timeout), f"no result; the last stage was {self.stages[-1:]}"
        self._rig.executor.remove_node(self._node)
        return self._done.result().result

    @property
    def stages(self) -> list[str]:
        return [f.stage for f in self.feedback]


def execute(rig: Rig, instruction: str, max_steps: int = 200, max_time: float = 0.0) -> tuple[Any, list[str]]:
    task = Task(rig, instruction, max_steps, max_time)
    return task.result(), task.stages


def test_questions_are_answered_with_evidence(ros_domain: int, rig: Rig) -> None:
    with MemoryClient(timeout=20.0) as client:
        answer = client.ask("What is on the table?", limit=5, min_stamp_ns=TOUR[-1].frame.stamp_ns)
        assert answer.known
        assert {e.label for e in answer.evidence} & {"mug", "book"}
        with_image = client.ask("where is the mug", with_images=True)
        assert with_image.evidence[0].image[:2] == b"\xff\xd8"
        unknown = client.ask("where is the elephant?")
        assert not unknown.known


@pytest.mark.parametrize(
    ("question", "limit"), [("", 5), ("   ", 5), ("where is the mug", 0), ("where is the mug", 10**9)]
)
def test_a_question_that_is_none_is_refused(rig: Rig, question: str, limit: int) -> None:
    answer = rig.call(srv.Ask, "ask", {"question": question, "limit": limit})
    assert Code(answer.error_code) == Code.INVALID_REQUEST
    assert "expected" in answer.error_msg


def test_the_memorys_errors_are_passed_on(ros_domain: int, rig: Rig) -> None:
    with MemoryClient(timeout=20.0) as client, pytest.raises(MemoryServiceError, match="min_stamp") as error:
        client.ask("where is the mug", min_stamp_ns=10**18)
    assert error.value.code == Code.TIMEOUT


def test_finding_a_thing_drives_the_robot_near_it_and_facing_it(rig: Rig, robot: RoomRobot) -> None:
    result, stages = execute(rig, "Please find the plant.")
    assert result.success, result.answer
    assert result.error_code == Code.NONE
    plant = next(b for b in ROOM.boxes if b.label == "plant").center
    towards = plant[:2] - robot.position
    assert np.linalg.norm(towards) < 1.5
    assert np.array([np.cos(robot.heading), np.sin(robot.heading)]) @ towards / np.linalg.norm(towards) > 0.9
    assert result.evidence[0].label == "plant"
    assert "driving" in stages
    tree = json.loads(result.task_tree)
    assert (tree["status"], tree["children"][0]["what"]) == ("done", "find plant")
    assert tree["children"][0]["children"][-1]["evidence"] == [result.evidence[0].id]
    assert 0 < result.n_steps <= 200


def test_every_step_is_told_with_its_goal_and_the_tree(rig: Rig, robot: RoomRobot) -> None:
    task = Task(rig, "find the sofa, then find the plant")
    assert task.result().success
    driving = [f for f in task.feedback if f.stage == "driving"]
    assert driving
    assert all(f.goal.header.frame_id == "map" for f in driving)
    assert [f.step for f in task.feedback] == sorted(f.step for f in task.feedback)
    trees = [json.loads(f.task_tree) for f in task.feedback if f.task_tree]
    assert any(t["children"] and t["children"][0]["status"] == "under way" for t in trees)
    assert any(t["children"] and t["children"][0]["status"] == "done" for t in trees)


def test_a_place_where_something_was_seen_is_gone_back_to(rig: Rig, robot: RoomRobot) -> None:
    with MemoryClient(timeout=20.0) as client:
        client.remember("the dog sleeps here", "operator", labels=("dog",), position=DOG)
    result, _ = execute(rig, "go back to where you saw the dog, then to the sofa")
    assert result.success, result.answer
    assert len(result.evidence) == 2
    assert np.linalg.norm(np.array(c.from_point(result.evidence[0].position)) - DOG) < 0.1
    assert any(np.linalg.norm(T[:2, 3] - DOG[:2]) < 1.1 for T in robot.goals)


@pytest.mark.parametrize("instruction", ["make me a sandwich", "finde die Tasse", "trouve le livre", "カップを探して"])
def test_what_it_does_not_understand_it_says_and_the_robot_stays(rig: Rig, robot: RoomRobot, instruction: str) -> None:
    result, _ = execute(rig, instruction)
    assert not result.success
    assert "I do not understand" in result.answer
    assert not robot.goals


@pytest.mark.parametrize(
    ("instruction", "max_steps", "message"),
    [
        ("", 10, "expected an instruction"),
        ("find the mug " * 8000, 10, "at most"),
        ("find the mug", 0, "1 to 10000"),
        ("find the mug", 10**9, "1 to 10000"),
        ("open and close the window", 10, "exclude one another"),
    ],
)
def test_instructions_that_are_none_are_refused(rig: Rig, instruction: str, max_steps: int, message: str) -> None:
    refused, _ = execute(rig, instruction, max_steps)
    assert Code(refused.error_code) == Code.INVALID_REQUEST
    assert message in refused.error_msg
    assert len(refused.error_msg) < 1000


def test_what_needs_a_hand_is_declined(rig: Rig, robot: RoomRobot) -> None:
    result, _ = execute(rig, "bring the mug to the sofa")
    assert not result.success
    assert "no hand" in result.answer
    assert not robot.goals


def test_without_moving_the_robot_tells_what_it_knows(rig: Rig, robot: RoomRobot) -> None:
    result, _ = execute(rig, "find the mug but do not move")
    assert result.success, result.answer
    assert result.evidence[0].label == "mug"
    assert not robot.goals


def test_what_is_not_there_ends_after_exploring(rig: Rig, robot: RoomRobot) -> None:
    result, stages = execute(rig, "find the elephant")
    assert not result.success
    assert "explored" in result.answer, result.answer
    assert json.loads(result.task_tree)["status"] == "failed"
    assert "looking around" in stages


def stopped(robot: RoomRobot) -> bool:
    """Whether it stands, and goes on standing."""
    before = robot.position
    time.sleep(0.3)
    return float(np.linalg.norm(robot.position - before)) < 1e-6


@pytest.mark.parametrize("stage", ["recalling", "looking", "driving", "looking around"])
def test_a_task_is_cancelled_at_every_stage_and_the_robot_stands(rig: Rig, robot: RoomRobot, stage: str) -> None:
    task = Task(
        rig,
        "find the elephant" if stage == "looking around" else "find the plant, then find the sofa, then find the plant",
    )
    assert until(lambda: stage in task.stages, 60.0), task.stages
    task.cancel()
    result = task.result()
    assert Code(result.error_code) == Code.CANCELED, result.answer
    assert not result.success
    assert json.loads(result.task_tree)["status"] in ("cancelled", "waiting")
    assert until(lambda: stopped(robot), 10.0)


def test_a_wait_for_an_image_ends_when_the_task_is_cancelled(rig: Rig, robot: RoomRobot) -> None:
    robot.is_blind = True
    task = Task(rig, "find the plant")
    assert until(lambda: task.stages)
    began = time.monotonic()
    task.cancel()
    result = task.result()
    assert Code(result.error_code) == Code.CANCELED, result.answer
    assert json.loads(result.task_tree)["status"] == "cancelled"
    assert time.monotonic() - began < 3.0, "it waited for the image that does not come"


def test_waiting_for_an_observation_ends_when_nobody_waits_any_more(ros_domain: int, rig: Rig) -> None:
    with MemoryClient(timeout=20.0) as client:
        client.statistics()
        began = time.monotonic()
        with pytest.raises(GivenUpError), cancelled_by(lambda: time.monotonic() - began > 0.2):
            client.wait_for(TOUR[-1].frame.stamp_ns + 10**15)
        assert time.monotonic() - began < 1.5
        assert client.newest_stamp_ns > 0


def test_a_second_task_is_refused_while_one_is_under_way_and_the_first_goes_on(rig: Rig, robot: RoomRobot) -> None:
    first = Task(rig, "find the plant, then find the sofa")
    assert until(lambda: first.stages)
    refused, _ = execute(rig, "find the mug")
    assert Code(refused.error_code) == Code.UNAVAILABLE
    assert "another task is under way" in refused.error_msg
    assert "plant" in refused.error_msg
    assert first.result().success
    again, _ = execute(rig, "find the plant")
    assert again.success


def test_time_is_bounded(rig: Rig, robot: RoomRobot) -> None:
    robot.broken = True
    result, _ = execute(rig, "find the plant, then find the sofa", max_time=1.0)
    assert 0 < result.n_steps < 10
    assert not result.success
    assert result.answer == "Not done within 1 s."
    assert json.loads(result.task_tree)["status"] == "failed"


def test_a_robot_that_does_not_move_is_given_up_and_told_to_stand(rig: Rig, robot: RoomRobot) -> None:
    robot.broken = True
    result, _ = execute(rig, "find the plant", max_steps=5)
    assert not result.success
    assert "stood still" in result.answer
    np.testing.assert_allclose(robot.goals[-1][:2, 3], robot.position, atol=0.2)


def test_deactivating_the_planner_ends_the_task(rig: Rig, robot: RoomRobot) -> None:
    planner = rig.nodes[-1]
    task = Task(rig, "find the plant, then find the sofa, then find the plant")
    assert until(lambda: "driving" in task.stages, 60.0)
    planner.trigger_deactivate()
    result = task.result()
    planner.trigger_activate()
    assert Code(result.error_code) == Code.CANCELED
    assert "deactivated" in result.error_msg
    assert until(lambda: stopped(robot), 10.0)


def test_what_came_of_tasks_is_remembered_as_the_planners_notes(rig: Rig, robot: RoomRobot) -> None:
    execute(rig, "find the zebra, then find the plant")
    with MemoryClient(timeout=20.0) as client:
        notes = [e for e in client.timeline(newest_first=True, limit=50).evidence if e.source == "planner"]
    mine = next(e for e in notes if "zebra" in e.text)
    assert mine.is_quoted
    assert "failed" in mine.text


def test_the_example_asks_the_running_robot(ros_domain: int, rig: Rig) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "ask.py"
    done = subprocess.run(
        [sys.executable, str(example), "where is the mug?"], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "mug" in done.stdout
    assert "object/" in done.stdout


def test_a_memory_that_is_cleared_ends_the_task(rig: Rig, robot: RoomRobot) -> None:
    task = Task(rig, "find the elephant")
    assert until(lambda: "looking around" in task.stages, 60.0)
    robot.is_blind = robot.broken = True
    time.sleep(0.2)  # the last image is on its way
    assert until(lambda: rig.nodes[0].host.newest_stamp_ns == robot.stamp_ns, 60.0)
    n_goals = len(robot.goals)
    with MemoryClient(timeout=20.0) as client:
        client.clear()
    result = task.result()
    assert not result.success
    assert "the memory" in result.answer, result.error_msg
    assert json.loads(result.task_tree)["status"] == "failed"
    assert until(lambda: len(robot.goals) > n_goals), "it was not told to stand"
    np.testing.assert_allclose(robot.goals[-1][:2, 3], robot.position, atol=0.2)
    empty, _ = execute(rig, "find the plant")
    assert not empty.success
    assert "does the camera run" in empty.answer


class DriveServer:
    """Offers an action like `drive_to` and drives a `RoomRobot`; ``says`` that it did not arrive, if that is not empty."""

    def __init__(self, rig: Rig, robot: RoomRobot, name: str) -> None:
        self.robot, self.says, self.n_cancelled = robot, "", 0
        node = Node("driver", context=rig.context)
        self._server = ActionServer(
            node, action.DriveTo, name, self._drive, cancel_callback=lambda _: CancelResponse.ACCEPT
        )
        rig.executor.add_node(node)

    def _drive(self, handle: Any) -> Any:
        result = action.DriveTo.Result(reason=self.says)
        if self.says:
            handle.abort()
            return result
        self.robot.send(c.from_pose(handle.request.pose.pose))
        while not self.robot.is_there:
            if handle.is_cancel_requested:
                self.robot.send(None)
                self.n_cancelled += 1
                handle.canceled()
                return result
            time.sleep(0.01)
        result.arrived = True
        handle.succeed()
        return result


def cancelled_while_driving(rig: Rig) -> None:
    task = Task(rig, "find the sofa")
    assert until(lambda: "driving" in task.stages, 60.0)
    task.cancel()
    assert Code(task.result().error_code) == Code.CANCELED


@pytest.mark.parametrize("name", ["drive_to", "navigate_to_pose"])
def test_an_action_drives_the_robot_and_is_cancelled_with_the_task(
    own_domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # Nav2's interfaces are not in every installation: of its action, only the pose and the status count here.
    nav2 = SimpleNamespace(NavigateToPose=action.DriveTo)
    monkeypatch.setitem(sys.modules, "nav2_msgs", SimpleNamespace(action=nav2))
    monkeypatch.setitem(sys.modules, "nav2_msgs.action", nav2)
    with a_rig(tmp_path, drive_by=name) as rig:
        robot = RoomRobot(rig, hears_goals=False)
        try:
            driver = DriveServer(rig, robot, name)
            result, _ = execute(rig, "find the plant")
            assert result.success, (result.answer, result.error_msg)
            robot.broken = True
            cancelled_while_driving(rig)
            assert driver.n_cancelled >= 1
            driver.says = "the wheels slip"
            failed, _ = execute(rig, "go back to where you saw the sofa")
            assert not failed.success
            assert ("the wheels slip" if name == "drive_to" else "status 6") in failed.answer
        finally:
            robot.close()


def test_a_task_goes_on_without_the_model_when_its_endpoint_is_down(own_domain: int, tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the openai client cannot be imported")
    nobody = {"model": "any", "model_base_url": "http://127.0.0.1:9/v1", "model_retries": 0, "model_deadline": 5.0}
    with a_rig(tmp_path, planner="vision_language", **nobody) as rig:
        robot = RoomRobot(rig)
        try:
            result, _ = execute(rig, "find the plant")
            assert result.success, (result.answer, result.error_msg)
        finally:
            robot.close()


def test_a_service_is_the_robots_hand(own_domain: int, tmp_path: Path) -> None:
    asked: list[Any] = []

    def interact(request: Any, response: Any) -> Any:
        asked.append(request)
        response.done = request.interaction != "open"
        response.reason = "" if response.done else "it is locked"
        return response

    with a_rig(tmp_path, manipulation_service="interact") as rig:
        rig.outside.create_service(srv.SimulatorInteract, "interact", interact)
        rig.executor.wake()
        robot = RoomRobot(rig)
        try:
            result, _ = execute(rig, "bring the book to the sofa")
            assert result.success, (result.answer, result.error_msg)
            assert [(r.interaction, r.label) for r in asked] == [("pick", "book"), ("place", "sofa")]
            book = next(b for b in ROOM.boxes if b.label == "book").center
            assert np.linalg.norm(np.array(c.from_point(asked[0].position)) - book) < 0.3
            back, _ = execute(rig, "go back to where you took the book from")
            assert back.success, (back.answer, back.error_msg)
            assert [e.text.split(" from ")[0] for e in back.evidence] == ["I picked up the book"]
            assert np.linalg.norm(robot.goals[-1][:2, 3] - book[:2]) < 1.3
            never, _ = execute(rig, "go to where you took the plant from")
            assert not never.success
            assert "no record" in never.answer
            locked, _ = execute(rig, "open the sofa", max_steps=20)
            assert not locked.success
            assert "it is locked" in locked.answer
        finally:
            robot.close()


def test_a_task_is_cancelled_while_the_hand_is_at_work(own_domain: int, tmp_path: Path) -> None:
    at_work, over = threading.Event(), threading.Event()

    def interact(request: Any, response: Any) -> Any:
        at_work.set()
        over.wait(50.0)
        return response

    with a_rig(tmp_path, manipulation_service="interact") as rig:
        rig.outside.create_service(
            srv.SimulatorInteract, "interact", interact, callback_group=MutuallyExclusiveCallbackGroup()
        )
        rig.executor.wake()
        robot = RoomRobot(rig)
        try:
            task = Task(rig, "bring the book to the sofa")
            assert until(at_work.is_set, 60.0)
            began = time.monotonic()
            task.cancel()
            result = task.result()
            assert time.monotonic() - began < 10.0
            assert Code(result.error_code) == Code.CANCELED
            assert json.loads(result.task_tree)["status"] == "cancelled"
            assert until(lambda: stopped(robot), 10.0)
        finally:
            over.set()
            robot.close()


def test_a_task_goes_on_when_the_endpoint_goes_down_in_the_middle(own_domain: int, tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the openai client cannot be imported")
    from loci_sim.evaluation.oracle_vlm import OracleServer

    with ExitStack() as running, ExitStack() as serving:
        server = serving.enter_context(OracleServer())
        model = {"model": "oracle", "model_base_url": server.url, "model_retries": 0, "model_deadline": 5.0}
        rig = running.enter_context(a_rig(tmp_path, planner="vision_language", **model))
        robot = RoomRobot(rig)
        running.callback(robot.close)
        task = Task(rig, "find the plant, then find the sofa")
        assert until(lambda: "driving" in task.stages, 60.0)
        assert server.n_requests > 0
        serving.close()
        result = task.result()
        assert result.success, (result.answer, result.error_msg)
        assert until(lambda: stopped(robot), 10.0)
        values, _ = next(n for n in rig.nodes if isinstance(n, PlannerNode)).diagnose()
        assert values["fallbacks"] > 0


def test_nav2_is_asked_for_where_it_is_not_installed(own_domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nav2_msgs", None)
    given = overrides(text_encoder=False, drive_by="navigate_to_pose")
    rig = Rig(lambda context: [PlannerNode(context, parameter_overrides=given)])
    try:
        assert rig.bring_up() == [False]
    finally:
        rig.close()


def test_without_a_memory_the_planner_says_what_is_missing(own_domain: int) -> None:
    rig = Rig(
        lambda context: [PlannerNode(context, parameter_overrides=overrides(text_encoder=False, service_timeout=0.5))]
    )
    try:
        assert rig.bring_up() == [True]
        answer = rig.call(srv.Ask, "ask", {"question": "where is the mug", "limit": 5})
        assert Code(answer.error_code) == Code.UNAVAILABLE
        assert "is the memory running" in answer.error_msg
    finally:
        rig.close()
