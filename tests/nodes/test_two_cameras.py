"""Two cameras of the simulated robot, each with a perception of its own, feed one memory: over real DDS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_ros.msg import Observation
from loci_ros.srv import SimulatorStep
from rig import Rig, overrides, until

from loci.nodes import conversions as c
from loci.nodes.camera import PerceptionNode
from loci.nodes.lifecycle import OBSERVATION_QOS
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.further_cameras import further_perception, further_remappings, parse_cameras
from loci_sim.node import SimulatorNode
from loci_sim.parameters import SIMULATOR, perception_parameters, robot_parameters
from loci_sim.scenes import ScenePath, generate_apartment

pytestmark = pytest.mark.timeout(300)
REAR = "rear: 0 0 1.25 180 15 160 120 79"
VALUES = {p.name: p.default for p in SIMULATOR} | {"width": 160, "height": 120}


@pytest.fixture(scope="module")
def apartment_files(tmp_path_factory: pytest.TempPathFactory) -> ScenePath:
    return generate_apartment(3, tmp_path_factory.mktemp("scenes"))


@pytest.fixture
def heard(own_domain: int, apartment_files: ScenePath) -> Iterator[tuple[Rig, list[Any]]]:
    """A simulator and two perceptions; what they publish as observations."""
    (mount,) = parse_cameras(REAR)
    own = perception_parameters(robot_parameters(VALUES))
    shared = [word for pair in further_remappings("rear").items() for word in ("-r", ":=".join(pair))]
    arguments = ["--ros-args", "-r", "__ns:=/rear", *shared]

    def nodes(context: Any) -> list[Any]:
        chosen = overrides(scene=str(apartment_files.glb), width=160, height=120, further_cameras=REAR)
        return [
            SimulatorNode(context=context, parameter_overrides=chosen),
            PerceptionNode(context, parameter_overrides=overrides(**own)),
            PerceptionNode(
                context, parameter_overrides=overrides(**further_perception(mount, own)), cli_args=arguments
            ),
        ]

    rig = Rig(nodes)
    try:
        found = rig.hear(Observation, "observations", OBSERVATION_QOS)
        assert rig.bring_up() == [True, True, True]
        simulator = [
            p for p in rig.nodes[0].publishers if p.topic_name.endswith(("image", "camera_info", "/pose", "detections"))
        ]
        assert until(lambda: all(p.get_subscription_count() for p in simulator))
        yield rig, found
    finally:
        rig.close()


def test_both_cameras_are_observed_at_once_with_their_names_and_poses(
    heard: tuple[Rig, list[Any]], apartment_files: ScenePath
) -> None:
    rig, found = heard
    answer = rig.call(SimulatorStep, "step", {"action": "turn_left"}, timeout=60.0)
    assert answer.error_code == 0
    assert until(lambda: len(found) >= 2, timeout=60.0), [m.camera_name for m in found]
    observed = {m.camera_name: c.from_observation(m, "map") for m in found}
    assert set(observed) == {"camera", "rear"}
    stamp = c.to_ns(answer.stamp)
    assert {o.frame.stamp_ns for o in observed.values()} == {stamp}
    twin = EmbeddedSimulator(apartment_files, robot_parameters(VALUES))
    twin.step("turn_left")
    expected = {"camera": twin.observe(), **twin.observe_cameras(parse_cameras(REAR))}
    for name, o in observed.items():
        np.testing.assert_allclose(o.frame.T_map_camera, expected[name].T_map_camera, atol=1e-6)
        np.testing.assert_allclose(o.frame.depth, expected[name].depth, atol=0.002)
        assert len(o.detections) > 0
    twin.close()
    # They look away from one another.
    front, back = (observed[n].frame.T_map_camera[:2, 2] for n in ("camera", "rear"))
    assert float(front @ back) < -0.9
