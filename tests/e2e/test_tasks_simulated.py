"""`execute_task` in the simulator: the planner sends goals, the follower drives to them, and the memory has seen the thing at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

import rclpy
from loci_ros.action import ExecuteTask
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from loci.nodes.client import MemoryClient
from loci.nodes.process import spin
from loci.nodes.stepped_robot import SteppedRobot
from loci.session import Session
from loci.up import Process
from loci_sim.processes import simulation_processes, wait_for_first_image
from loci_sim.scenes import load_scene

pytestmark = [pytest.mark.ros, pytest.mark.timeout(300)]


def waited(future: Any, seconds: float) -> Any:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(seconds), "no answer"
    return future.result()


class Asker:
    """Sends instructions to `execute_task`."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node("asker", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._client = ActionClient(self._node, ExecuteTask, "execute_task")
        self.stages: list[str] = []
        self._thread = threading.Thread(target=spin, args=(self._executor,))
        self._thread.start()

    def carry_out(self, instruction: str, max_steps: int) -> Any:
        assert self._client.wait_for_server(60.0)
        goal = ExecuteTask.Goal(instruction=instruction, max_steps=max_steps)

        def send() -> Any:
            return self._client.send_goal_async(goal, feedback_callback=lambda f: self.stages.append(f.feedback.stage))

        # By the executor's own thread: rclpy loses answers that come before a request is noted.
        handle = waited(waited(self._executor.create_task(send), 30.0), 30.0)
        return waited(waited(self._executor.create_task(handle.get_result_async), 30.0), 200.0).result

    def close(self) -> None:
        rclpy.shutdown(context=self._context)
        self._thread.join()
        self._executor.shutdown(timeout_sec=2.0)
        self._node.destroy_node()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    out: Path = tmp_path_factory.mktemp("tasks")
    map_id = load_scene("apartment:3").map_id
    processes = [p for p in simulation_processes(out, "apartment:3", map_id, follower=True) if p.name != "planner"]
    # Images come with steps only: nothing new comes where the robot stands.
    planner = {"text_encoder": False, "look_time": 0.5, "standing_time": 30.0}
    with Session([*processes, Process("planner", "loci.nodes.planner", parameters=planner)], out / "logs") as running:
        yield running


def test_a_thing_that_was_seen_from_afar_is_driven_to(session: Session) -> None:
    with MemoryClient(timeout=60.0) as memory, SteppedRobot() as robot:
        session.wait_for(robot.is_ready, "the simulator", 120.0, "simulator")
        memory.wait_until_ready(60.0)
        wait_for_first_image(session, memory, robot)
        for _ in range(12):
            last = robot.step("turn_left")
        memory.wait_for(last.stamp_ns)
        robot.is_ready()
        start = robot.position()
        objects = [o for o in memory.known_objects() if o.evidence.position is not None and o.evidence.is_goal]
        labels = [o.label for o in objects]
        single = [o for o in objects if labels.count(o.label) == 1]

        def reached_by(o: Any) -> float:
            path = memory.path_to(o.evidence.position, start, 1.5)
            return 0.0 if path.reason else path.length

        far = max(single, key=reached_by)
        assert reached_by(far) > 0.5, "no thing that is worth a way"
        asker = Asker()
        try:
            result = asker.carry_out(f"find the {far.label}", 50)
        finally:
            asker.close()
        assert result.success, (result.answer, result.error_msg, result.task_tree)
        assert result.evidence[0].label == far.label
        assert "driving" in asker.stages
        assert json.loads(result.task_tree)["status"] == "done"
        robot.is_ready()
        assert np.linalg.norm(np.subtract(robot.position()[:2], far.evidence.position[:2])) < 2.2
        assert np.linalg.norm(np.subtract(robot.position()[:2], start[:2])) > 0.3
