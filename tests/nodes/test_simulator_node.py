"""The simulator node over real DDS: lock-step, one stamp for everything, and nothing that only the simulator may know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from geometry_msgs.msg import PoseStamped, Twist, Vector3
from loci_ros.msg import DetectionArray
from loci_ros.srv import GetRobotPose, SimulatorStep
from rig import Rig, overrides, until
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loci.geometry import transform_points
from loci.nodes import conversions as c
from loci.nodes import images
from loci.nodes.errors import Code
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.node import SimulatorNode
from loci_sim.parameters import SIMULATOR, perception_parameters, robot_parameters
from loci_sim.scenes import ScenePath, generate_apartment

TOPICS = {
    "color/image": Image,
    "color/camera_info": CameraInfo,
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "pose": PoseStamped,
    "camera_pose": PoseStamped,
    "detections": DetectionArray,
    "/clock": Clock,
}


class SimulatorRig(Rig):
    def __init__(self, files: ScenePath, topics: dict[str, Any] = TOPICS, **values: Any) -> None:
        chosen = overrides(scene=str(files.glb), width=160, height=120, **values)
        super().__init__(lambda context: [SimulatorNode(context=context, parameter_overrides=chosen)])
        self.heard = {topic: self.hear(kind, topic) for topic, kind in topics.items()}
        assert self.bring_up() == [True]
        publishers = [
            p for p in self.nodes[0].publishers if p.topic_name.lstrip("/") in {t.lstrip("/") for t in topics}
        ]
        assert len(publishers) == len(topics)
        assert until(lambda: all(p.get_subscription_count() for p in publishers))

    def step(self, action: str) -> Any:
        return self.call(SimulatorStep, "step", {"action": action})

    def counts(self) -> set[int]:
        return {len(messages) for messages in self.heard.values()}


@pytest.fixture(scope="module")
def apartment_files(tmp_path_factory: pytest.TempPathFactory) -> ScenePath:
    return generate_apartment(3, tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def rig(ros_domain: int, apartment_files: ScenePath) -> Iterator[SimulatorRig]:
    made = SimulatorRig(apartment_files)
    yield made
    made.close()


@pytest.fixture
def twin(apartment_files: ScenePath) -> EmbeddedSimulator:
    """The same simulator without ROS."""
    values = {p.name: p.default for p in SIMULATOR} | {"width": 160, "height": 120}
    return EmbeddedSimulator(apartment_files, robot_parameters(values))


def test_every_step_publishes_everything_once_with_one_stamp(rig: SimulatorRig) -> None:
    before = len(rig.heard["color/image"])
    answers = [rig.step(action) for action in ("look", "turn_left", "move_forward")]
    assert until(lambda: rig.counts() == {before + 3}), {t: len(h) for t, h in rig.heard.items()}
    for i, answer in enumerate(answers, start=before):
        stamps = {c.to_ns(h[i].clock if t == "/clock" else h[i].header.stamp) for t, h in rig.heard.items()}
        assert stamps == {c.to_ns(answer.stamp)}
    assert np.all(np.diff([c.to_ns(a.stamp) for a in answers]) > 0)


def test_messages_hold_what_the_simulator_sees(rig: SimulatorRig, twin: EmbeddedSimulator) -> None:
    rig.step("reset")
    rig.step("turn_right")
    assert until(lambda: len(rig.counts()) == 1)
    last = {topic: heard[-1] for topic, heard in rig.heard.items()}
    twin.reset()
    twin.step("turn_right")
    expected = twin.observe()
    np.testing.assert_array_equal(images.color_from_raw(last["color/image"]), expected.color)
    counts = images.depth_from_raw(last["depth/image"])
    np.testing.assert_allclose(counts * 0.001, expected.depth, atol=0.00051)
    assert images.camera_from_info(last["color/camera_info"]).matrix.tolist() == expected.camera.matrix.tolist()
    np.testing.assert_allclose(c.from_pose(last["pose"].pose), expected.T_map_base, atol=1e-9)
    assert last["pose"].header.frame_id == "map"
    assert last["color/image"].header.frame_id == last["depth/image"].header.frame_id == "camera_optical"


def test_detections_are_the_visible_things_without_ids(rig: SimulatorRig, twin: EmbeddedSimulator) -> None:
    rig.step("reset")
    rig.step("turn_left")
    assert until(lambda: len(rig.counts()) == 1)
    message = rig.heard["detections"][-1]
    twin.reset()
    twin.step("turn_left")
    seen = twin.observe().instances
    expected = sorted(
        (twin.instance_labels[int(i)], int(np.count_nonzero(seen == i)))
        for i in np.unique(seen[seen > 0])
        if np.count_nonzero(seen == i) >= 25
    )
    got = [c.from_detection(d) for d in message.detections]
    assert sorted((d.label, int(d.full_mask.sum())) for d in got) == expected
    assert set(type(message.detections[0]).get_fields_and_field_types()) == {
        "label",
        "score",
        "x",
        "y",
        "width",
        "height",
        "mask",
        "attributes",
        "embedding",
    }
    assert not any(d.attributes for d in message.detections)


def test_the_order_of_detections_says_nothing(rig: SimulatorRig) -> None:
    rig.step("reset")
    before = len(rig.heard["detections"])
    for _ in range(6):
        rig.step("look")
    assert until(lambda: len(rig.heard["detections"]) == before + 6)
    orders = {tuple((d.label, d.x, d.y) for d in m.detections) for m in rig.heard["detections"][before:]}
    assert len({frozenset(o) for o in orders}) == 1
    assert len(orders) > 1


def test_nothing_is_published_between_steps(rig: SimulatorRig) -> None:
    rig.step("look")
    assert until(lambda: len(rig.counts()) == 1)
    before = rig.counts()
    rig.call(GetRobotPose, "get_robot_pose")
    assert not until(lambda: rig.counts() != before, timeout=0.5)


def test_a_collision_is_said_and_the_pose_stays(rig: SimulatorRig) -> None:
    rig.step("reset")
    answers = [rig.step("move_forward") for _ in range(60)]
    assert answers[-1].collided
    assert answers[-1].pose == answers[-2].pose
    assert c.to_ns(answers[-1].stamp) > c.to_ns(answers[-2].stamp)
    assert rig.call(GetRobotPose, "get_robot_pose").pose.pose == answers[-1].pose


def test_an_unknown_action_is_refused_and_the_node_goes_on(rig: SimulatorRig) -> None:
    pose = rig.call(GetRobotPose, "get_robot_pose").pose
    answer = rig.call(SimulatorStep, "step", {"action": "fly"}, timeout=60.0)
    assert answer.error_code == Code.INVALID_REQUEST
    assert "'fly'" in answer.error_msg
    assert rig.call(GetRobotPose, "get_robot_pose").pose == pose
    assert rig.step("look").error_code == Code.NONE


def test_the_extrinsic_given_to_perception_puts_the_floor_on_zero(twin: EmbeddedSimulator) -> None:
    o = twin.reset()
    T_base_camera = c.from_extrinsic(perception_parameters(twin.parameters)["camera_extrinsic"], "camera_extrinsic")
    assert T_base_camera is not None
    points = transform_points(o.T_map_base @ T_base_camera, o.frame().points[o.semantic == twin.labels.index("floor")])
    np.testing.assert_allclose(points[:, 2], 0.0, atol=1e-4)


def test_compressed_transports_carry_the_same_images(
    own_domain: int, apartment_files: ScenePath, twin: EmbeddedSimulator
) -> None:
    topics = {"color/image/compressed": CompressedImage, "depth/image/compressed": CompressedImage}
    rig = SimulatorRig(
        apartment_files, topics, color_transport="compressed", depth_transport="compressed", publish_detections=False
    )
    try:
        rig.step("look")
        assert until(lambda: rig.counts() == {1})
        twin.step("look")
        color = images.color_from_compressed(rig.heard["color/image/compressed"][0])
        assert np.abs(color.astype(int) - twin.observe().color).mean() < 6.0
        depth = images.depth_from_compressed(rig.heard["depth/image/compressed"][0])
        np.testing.assert_allclose(depth * 0.001, twin.observe().depth, atol=0.00051)
    finally:
        rig.close()


def test_a_rate_publishes_steadily_with_rising_stamps(own_domain: int, apartment_files: ScenePath) -> None:
    rig = SimulatorRig(apartment_files, {"depth/image": Image}, rate_hz=20.0, depth_transport="raw_float")
    try:
        assert until(lambda: len(rig.heard["depth/image"]) >= 5)
        stamps = [c.to_ns(m.header.stamp) for m in rig.heard["depth/image"]]
        assert np.all(np.diff(stamps) >= 50_000_000)
        assert rig.heard["depth/image"][0].encoding == "32FC1"
    finally:
        rig.close()


def test_a_velocity_drives_the_robot_until_its_time_is_over(own_domain: int, apartment_files: ScenePath) -> None:
    rig = SimulatorRig(apartment_files, {"pose": PoseStamped}, rate_hz=20.0, cmd_vel_timeout=0.3)
    try:
        commands = rig.publisher(Twist, "cmd_vel")
        assert until(lambda: len(rig.heard["pose"]) >= 8)
        start = c.from_pose(rig.heard["pose"][-1].pose)
        commands.publish(Twist(angular=Vector3(z=0.5)))
        assert until(lambda: not np.allclose(c.from_pose(rig.heard["pose"][-1].pose), start))
        # It turned for 0.3 s of simulated time and then stood, though time went on.
        assert until(lambda: rig.heard["pose"][-1].pose == rig.heard["pose"][-8].pose)
        T = np.linalg.inv(start) @ c.from_pose(rig.heard["pose"][-1].pose)
        assert np.arctan2(T[1, 0], T[0, 0]) == pytest.approx(0.15, abs=1e-6)
        n = len(rig.heard["pose"])
        commands.publish(Twist(linear=Vector3(x=float("nan"))))
        assert until(lambda: len(rig.heard["pose"]) > n + 3)
        assert rig.heard["pose"][-1].pose == rig.heard["pose"][n - 1].pose
    finally:
        rig.close()


def test_noise_is_published_when_asked_for(
    own_domain: int, apartment_files: ScenePath, twin: EmbeddedSimulator
) -> None:
    topics = {"depth/image": Image, "pose": PoseStamped}
    rig = SimulatorRig(apartment_files, topics, depth_noise=1.0, drift_translation=0.1, depth_transport="raw_float")
    try:
        rig.step("move_forward")
        twin.step("move_forward")
        assert until(lambda: rig.counts() == {1})
        exact, depth = twin.observe(), images.depth_from_raw(rig.heard["depth/image"][0])
        error = (depth - exact.depth)[depth > 0]
        assert 0.001 < np.std(error[np.abs(error) < 0.2]) < 0.1
        assert np.any(depth == 0)
        off = c.from_pose(rig.heard["pose"][0].pose)[:2, 3] - exact.T_map_base[:2, 3]
        assert 1e-4 < np.linalg.norm(off) < 0.5
    finally:
        rig.close()


def test_a_tilted_camera_shows_in_its_pose_and_not_in_the_robots(rig: SimulatorRig, twin: EmbeddedSimulator) -> None:
    rig.step("reset")
    answer = rig.step("look_down")
    twin.reset()
    twin.step("look_down")
    assert until(lambda: len(rig.counts()) == 1)
    np.testing.assert_allclose(c.from_pose(answer.pose), twin.observe().T_map_base, atol=1e-9)
    camera = c.from_pose(rig.heard["camera_pose"][-1].pose)
    np.testing.assert_allclose(camera, twin.observe().T_map_camera, atol=1e-9)
    assert rig.step("look_up").error_code == Code.NONE


def test_a_scene_that_does_not_exist_leaves_the_node_unconfigured_and_alive(own_domain: int) -> None:
    rig = Rig(lambda context: [SimulatorNode(context=context, parameter_overrides=overrides(scene="nowhere"))])
    try:
        assert rig.bring_up() == [False]
        assert rig.call(SimulatorStep, "step", {"action": "look"}, timeout=60.0).error_code == Code.UNAVAILABLE
    finally:
        rig.close()
