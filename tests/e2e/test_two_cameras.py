"""Two cameras of the simulated robot feed one memory, each through a perception of its own, over real DDS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci.nodes.client import MemoryClient
from loci.replay import ANSWER_TIMEOUT
from loci.session import Session
from loci_sim.evaluation.robot import SimulatedRobot
from loci_sim.processes import simulation_processes, wait_for_first_image
from loci_sim.scenes import load_scene, resolve_scene

pytestmark = [pytest.mark.ros, pytest.mark.timeout(600)]
REAR = "rear: 0 0 1.25 180 15 320 240 79"


def test_what_lies_behind_the_robot_is_remembered_without_turning(tmp_path: Path) -> None:
    scene = load_scene(resolve_scene("apartment:3", tmp_path / "scenes"))
    simulator = {"further_cameras": REAR, "width": 320, "height": 240, "scene_directory": str(tmp_path / "scenes")}
    processes = simulation_processes(tmp_path, "apartment:3", scene.map_id, planner=False, simulator=simulator)
    assert [p.name for p in processes] == ["memory", "perception", "perception-rear", "simulator"]
    with (
        Session(processes, tmp_path / "logs", retry="pytest") as session,
        SimulatedRobot() as robot,
        MemoryClient(timeout=ANSWER_TIMEOUT) as memory,
    ):
        session.wait_for(robot.is_ready, "starting the simulator", 180.0, "simulator")
        memory.wait_until_ready(120.0)
        wait_for_first_image(session, memory, robot)

        def both_see() -> bool:
            robot.step("look")
            position, heading = np.array(robot.position()[:2]), robot.heading()
            seen = [np.array(o.evidence.position[:2]) - position for o in memory.known_objects() if o.evidence.position]
            ahead = [float(v @ [np.cos(heading), np.sin(heading)]) for v in seen]
            # Neither camera sees 79 degrees and more to its side.
            return any(a > 0.3 for a in ahead) and any(a < -0.3 for a in ahead)

        session.wait_for(both_see, "objects ahead and behind", 120.0, "perception", "perception-rear", "memory")
