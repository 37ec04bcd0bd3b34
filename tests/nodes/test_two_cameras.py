"""Two cameras of the simulated robot, each with a perception of its own, feed one memory: over real DDS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_ros.msg import Observation
from loci_ros.srv import SimulatorReset, SimulatorStep
from rig import Rig, overrides, until

from loci.nodes import conversions as c
from loci.nodes.camera import PerceptionNode
from loci.nodes.client import MemoryClient
from loci.nodes.facade import make_nodes
from loci.nodes.lifecycle import OBSERVATION_QOS
from loci.planning.protocols import KnownObject
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.further_cameras import further_perception, further_remappings, parse_cameras
from loci_sim.meshes import planar_pose
from loci_sim.node import SimulatorNode
from loci_sim.parameters import SIMULATOR, perception_parameters, robot_parameters
from loci_sim.scenes import ScenePath, generate_apartment

pytestmark = pytest.mark.timeout(300)
REAR = "rear: 0 0 1.25 180 15 160 120 79"
VALUES = {p.name: p.default for p in SIMULATOR} | {"width": 160, "height": 120}


@pytest.fixture(scope="module")
def apartment_files(tmp_path_factory: pytest.TempPathFactory) -> ScenePath:
    return generate_apartment(3, tmp_path_factory.mktemp("scenes"))


def two_cameras(context: Any, files: ScenePath) -> list[Any]:
    """A simulator and the perceptions of its cameras."""
    (mount,) = parse_cameras(REAR)
    own = perception_parameters(robot_parameters(VALUES))
    shared = [word for pair in further_remappings("rear").items() for word in ("-r", ":=".join(pair))]
    arguments = ["--ros-args", "-r", "__ns:=/rear", *shared]
    chosen = overrides(scene=str(files.glb), width=160, height=120, further_cameras=REAR)
    return [
        SimulatorNode(context=context, parameter_overrides=chosen),
        PerceptionNode(context, parameter_overrides=overrides(**own)),
        PerceptionNode(context, parameter_overrides=overrides(**further_perception(mount, own)), cli_args=arguments),
    ]


def are_joined(rig: Rig) -> Any:
    """Whether all that the simulator publishes has somebody who hears it, in the end: both sides must know of the other."""
    endings = ("image", "camera_info", "/pose", "detections")
    told = [p for p in rig.nodes[0].publishers if p.topic_name.endswith(endings)]
    heard = [s for n in rig.nodes[1:] for s in n.subscriptions if s.topic_name.endswith(endings)]
    return until(lambda: all(p.get_subscription_count() for p in told) and all(s.get_publisher_count() for s in heard))


@pytest.fixture
def heard(own_domain: int, apartment_files: ScenePath) -> Iterator[tuple[Rig, list[Any]]]:
    """A simulator and two perceptions; what they publish as observations."""
    rig = Rig(lambda context: two_cameras(context, apartment_files))
    try:
        found = rig.hear(Observation, "observations", OBSERVATION_QOS)
        assert rig.bring_up() == [True, True, True]
        assert are_joined(rig)
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


def test_one_memory_knows_what_only_the_rear_camera_has_seen(
    own_domain: int, apartment_files: ScenePath, tmp_path: Path
) -> None:
    """The robot looks and does not turn: what is behind it is known by the other camera alone, at its place."""
    values = {"storage_directory": str(tmp_path), "map_id": "home", "preload_text_encoder": False}

    def nodes(context: Any) -> list[Any]:
        memory = make_nodes(context, parameter_overrides=overrides(**values))
        return [*two_cameras(context, apartment_files), *memory]

    rig = Rig(nodes)
    twin = EmbeddedSimulator(apartment_files, robot_parameters(VALUES))
    try:
        assert all(rig.bring_up())
        assert are_joined(rig)
        perceptions = [p for n in rig.nodes[1:3] for p in n.publishers if p.topic_name == "/observations"]
        assert until(lambda: all(p.get_subscription_count() for p in perceptions))
        x, y, yaw = heading_with_most_behind(twin)
        pose = c.to_pose(planar_pose(x, y, 0.0, yaw))
        rig.call(SimulatorReset, "reset", {"has_pose": True, "pose": pose}, timeout=60.0)
        with MemoryClient(timeout=60.0) as memory:
            for _ in range(4):
                answer = rig.call(SimulatorStep, "step", {"action": "look"}, timeout=60.0)
                memory.statistics(min_stamp_ns=c.to_ns(answer.stamp))
            known = memory.known_objects()
        twin.reset_to(x, y, yaw)
        behind = only_behind(twin)
        assert len(behind) >= 2, "the test needs things behind the robot"
        found = [any(o.label == b.category and near(o, b) for o in known) for b in behind]
        assert np.mean(found) >= 0.5, [b.category for b, f in zip(behind, found, strict=True) if not f]
    finally:
        twin.close()
        rig.close()


def only_behind(twin: EmbeddedSimulator) -> list[Any]:
    """Things that the rear camera sees well and the other one not at all."""
    front, rear = twin.observe(), twin.observe_cameras(parse_cameras(REAR))["rear"]
    shown = np.bincount(rear.instances[(rear.depth > 0) & (rear.depth < 3.5)], minlength=1)
    hidden = set(np.unique(front.instances).tolist())
    return [
        o
        for o in twin.objects
        if o.category not in ("door", "window")
        and o.instance not in hidden
        and o.instance < len(shown)
        and shown[o.instance] >= 200
    ]


def heading_with_most_behind(twin: EmbeddedSimulator) -> tuple[float, float, float]:
    """(x, y, yaw) [m, rad] at the start, of the twelve headings."""
    x, y, _ = twin.position()
    headings = np.radians(np.arange(0, 360, 30))
    counts = []
    for yaw in headings:
        twin.reset_to(x, y, float(yaw))
        counts.append(len(only_behind(twin)))
    return x, y, float(headings[int(np.argmax(counts))])


def near(known: KnownObject, thing: Any) -> bool:
    """Within a thing's box, about: only one side of it was seen."""
    assert known.evidence.position is not None
    local = np.abs((np.asarray(known.evidence.position) - thing.center) @ thing.T_map_box[:3, :3])
    return bool(np.all(local <= thing.size / 2 + 0.2))
