"""`execute_task` in the simulator: the planner sends goals, the follower drives to them, and the memory has seen the thing at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

from loci_ros.action import ExecuteTask
from rclpy.action import ActionClient

from loci.nodes.client import MemoryClient
from loci.nodes.own_node import OwnNode
from loci.nodes.stepped_robot import SteppedRobot
from loci.session import Session
from loci.up import Process
from loci_sim.processes import simulation_processes, wait_for_first_image
from loci_sim.scenes import load_scene

pytestmark = [pytest.mark.ros, pytest.mark.timeout(300)]


class Asker:
    """Sends instructions to `execute_task`."""

    def __init__(self) -> None:
        self._own = OwnNode("asker")
        self._client = self._own.run(lambda: ActionClient(self._own.node, ExecuteTask, "execute_task"), 30.0, "client")
        self.stages: list[str] = []

    def carry_out(self, instruction: str, max_steps: int) -> Any:
        assert self._client.wait_for_server(60.0)
        goal = ExecuteTask.Goal(instruction=instruction, max_steps=max_steps)

        def send() -> Any:
            return self._client.send_goal_async(goal, feedback_callback=lambda f: self.stages.append(f.feedback.stage))

        handle = self._own.wait(self._own.run(send, 30.0, "goal"), 30.0, "goal")
        return self._own.wait(self._own.run(handle.get_result_async, 30.0, "result"), 200.0, "result").result

    def close(self) -> None:
        self._own.close()


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
