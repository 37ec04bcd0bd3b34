"""The simulator node with Habitat behind it, over real DDS; what can be tested without habitat_sim runs everywhere."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_ros.srv import GetRobotPose, SimulatorStep
from rig import Rig, overrides, until
from sensor_msgs.msg import Image

from loci.nodes import conversions as c
from loci_sim.habitat.process import PYTHON_VARIABLE
from loci_sim.node import SimulatorNode
from loci_sim.scenes import ScenePath, generate_apartment

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def apartment_files(tmp_path_factory: pytest.TempPathFactory) -> ScenePath:
    return generate_apartment(3, tmp_path_factory.mktemp("scenes"))


def habitat_rig(files: ScenePath, python: str) -> Rig:
    folder = str(files.glb.parent)
    chosen = overrides(
        simulator="habitat", habitat_python=python, scene=str(files.glb), scene_directory=folder, width=160, height=120
    )
    return Rig(lambda context: [SimulatorNode(context=context, parameter_overrides=chosen)])


def test_without_its_interpreter_the_node_stays_unconfigured(
    own_domain: int, apartment_files: ScenePath, tmp_path: Path
) -> None:
    rig = habitat_rig(apartment_files, str(tmp_path / "nowhere" / "python"))
    try:
        assert rig.bring_up() == [False]
    finally:
        rig.close()


def test_steps_are_answered_and_published_even_if_the_worker_dies(own_domain: int, apartment_files: ScenePath) -> None:
    python = os.environ.get(PYTHON_VARIABLE, "")
    if not python:
        pytest.skip(f"no habitat_sim: set {PYTHON_VARIABLE} to a Python interpreter that has it")
    rig = habitat_rig(apartment_files, python)
    try:
        heard = rig.hear(Image, "color/image")
        assert rig.bring_up() == [True]
        assert until(
            lambda: all(p.get_subscription_count() for p in rig.nodes[0].publishers if "color/image" in p.topic)
        )
        before = c.from_pose(rig.call(GetRobotPose, "get_robot_pose").pose.pose)
        node = rig.nodes[0]
        os.kill(node._simulator.client.worker.pid, signal.SIGKILL)
        answer = rig.call(SimulatorStep, "step", {"action": "move_forward"}, timeout=60.0)
        assert answer.error_code == 0 and not answer.collided
        moved = (np.linalg.inv(before) @ c.from_pose(answer.pose))[:3, 3]
        np.testing.assert_allclose(moved, [0.25, 0.0, 0.0], atol=1e-4)
        assert until(lambda: len(heard) == 1)
        assert np.ptp(np.asarray(heard[0].data, dtype=np.uint8)) > 50
    finally:
        rig.close()
