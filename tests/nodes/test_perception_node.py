"""The node `perception` over real DDS: a camera's messages become observations; what does not fit is refused, counted, survived."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from loci_ros import msg as m
from nav_msgs.msg import Odometry
from rig import Rig, overrides, until
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loci.geometry import invert_pose, look_at
from loci.nodes import conversions as c
from loci.nodes import images
from loci.nodes.camera import PerceptionNode
from loci.nodes.lifecycle import OBSERVATION_QOS
from synthetic import CAMERA, ROOM

T_MAP_CAMERA = look_at((1.0, 1.0, 1.4), (2.5, 1.6, 0.7))
COLOR, DEPTH, _ = ROOM.render(T_MAP_CAMERA)
MS = 1_000_000


class CameraRig(Rig):
    """A perception node and the driver of its camera; ``clock_ns`` is the stamp of the newest shot."""

    def __init__(self, **values: Any) -> None:
        parameters = {
            "pose_source": "pose",
            "base_frame": "camera_optical",
            "detector": "none",
            "image_encoder": "none",
            "reliable_inputs": True,
            "queue_size": 50,
            "pose_timeout": 0.3,
            "diagnostics_period": 0.2,
        }
        chosen = overrides(**(parameters | values))
        super().__init__(lambda context: [PerceptionNode(context, parameter_overrides=chosen)])
        self.clock_ns = 10**12
        self.observations = self.hear(m.Observation, "observations", OBSERVATION_QOS)

    @property
    def node(self) -> PerceptionNode:
        return self.nodes[0]

    def header(self, frame: str = "camera_optical") -> Any:
        return c.header(frame, self.clock_ns)

    def tick(self) -> None:
        self.clock_ns += 200 * MS

    def send(self, message: Any, topic: str) -> None:
        self.publisher(type(message), topic).publish(message)

    def send_infos(self, camera: Any = CAMERA, depth_camera: Any = CAMERA, depth_frame: str = "camera_optical") -> None:
        n = (
            self.node.monitor.counted("color/camera_info received"),
            self.node.monitor.counted("depth/camera_info received"),
        )
        self.send(c.to_camera_info(camera, "camera_optical", self.clock_ns), "color/camera_info")
        self.send(c.to_camera_info(depth_camera, depth_frame, self.clock_ns), "depth/camera_info")
        assert until(lambda: self.node.monitor.counted("color/camera_info received") > n[0])
        assert until(lambda: self.node.monitor.counted("depth/camera_info received") > n[1])

    def send_pose(self, T: np.ndarray = T_MAP_CAMERA, frame: str = "map") -> None:
        self.send(PoseStamped(header=self.header(frame), pose=c.to_pose(T)), "pose")

    def send_color(self, frame: str = "camera_optical", **changes: Any) -> None:
        self.send(image(COLOR, "rgb8", self.header(frame), **changes), "color/image")

    def send_depth(self, depth: np.ndarray = DEPTH, frame: str = "camera_optical", **changes: Any) -> None:
        encoding = "32FC1" if depth.dtype == np.float32 else "16UC1"
        self.send(image(depth, encoding, self.header(frame), **changes), "depth/image")

    def shoot(self, **depth: Any) -> None:
        """One good shot."""
        self.tick()
        self.send_pose()
        self.send_color()
        self.send_depth(**depth)

    def next_observation(self, n_before: int) -> m.Observation:
        assert until(lambda: len(self.observations) > n_before, 10.0), self.node.monitor.values()
        return self.observations[n_before]

    def n_rejected(self, reason: str) -> int:
        return self.node.monitor.rejected().get(reason, 0)


def image(pixels: np.ndarray, encoding: str, header: Any, /, **changes: Any) -> Image:
    message = Image(header=header, height=pixels.shape[0], width=pixels.shape[1])
    message.encoding = encoding
    message.step = pixels[0].nbytes
    message.data = np.ascontiguousarray(pixels).tobytes()
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def started(**values: Any) -> CameraRig:
    rig = CameraRig(**values)
    assert rig.bring_up() == [True]
    assert until(lambda: rig.outside.count_publishers("observations") and rig.node.count_subscribers("observations"))
    return rig


@pytest.fixture(scope="module")
def camera(ros_domain: int) -> Iterator[CameraRig]:
    """A raw camera with poses on a topic, that knows its camera_info and works."""
    rig = started()
    try:
        rig.send_infos()
        yield rig
    finally:
        rig.close()


# --- good input -------------------------------------------------------------------------------------------------------


def test_a_shot_becomes_an_observation(camera: CameraRig) -> None:
    n = len(camera.observations)
    camera.shoot()
    got = c.from_observation(camera.next_observation(n), "map")
    assert got.frame.stamp_ns == camera.clock_ns
    np.testing.assert_allclose(got.frame.T_map_camera, T_MAP_CAMERA, atol=1e-9)
    np.testing.assert_allclose(got.frame.depth, DEPTH, atol=0.00051)
    assert np.abs(got.frame.color.astype(int) - COLOR).mean() < 4
    assert got.frame.camera == CAMERA


def test_depth_that_measures_nothing_becomes_no_measurement(camera: CameraRig) -> None:
    for bad, depth in (
        (slice(0, 4), DEPTH.copy()),
        (slice(0, 1), np.rint(DEPTH * 1000).astype(np.uint16)),
    ):
        if depth.dtype == np.float32:
            depth[0], depth[1], depth[2], depth[3] = np.nan, np.inf, -1.0, 1e9
        else:
            depth[0] = 65535
        n = len(camera.observations)
        camera.shoot(depth=depth)
        got = c.from_observation(camera.next_observation(n), "map").frame.depth
        assert (got[bad] == 0).all()
        np.testing.assert_allclose(got[8:], DEPTH[8:], atol=0.0011)


def test_colour_and_depth_are_paired_by_approximate_time_and_the_pose_is_interpolated(camera: CameraRig) -> None:
    n = len(camera.observations)
    camera.tick()
    T_later = T_MAP_CAMERA.copy()
    T_later[0, 3] += 0.1
    camera.send_pose()
    camera.clock_ns += 50 * MS
    camera.send_color()
    stamp = camera.clock_ns
    camera.clock_ns += 10 * MS
    camera.send_depth()
    camera.clock_ns += 40 * MS
    camera.send_pose(T_later)
    got = camera.next_observation(n)
    assert c.to_ns(got.header.stamp) == stamp
    assert got.pose.position.x == pytest.approx(T_MAP_CAMERA[0, 3] + 0.05)


def test_sequence_numbers_have_no_gaps(camera: CameraRig) -> None:
    n = len(camera.observations)
    for _ in range(3):
        camera.shoot()
    assert until(lambda: len(camera.observations) >= n + 3)
    sequences = [o.sequence for o in camera.observations]
    assert sequences == list(range(len(sequences)))


# --- bad input --------------------------------------------------------------------------------------------------------


def wrong_color(rig: CameraRig, **changes: Any) -> None:
    rig.tick()
    rig.send_pose()
    rig.send_color(**changes)
    rig.send_depth()


def wrong_pose(rig: CameraRig, message: PoseStamped) -> None:
    rig.send(message, "pose")


def pose(rig: CameraRig, **orientation: float) -> PoseStamped:
    message = PoseStamped(header=rig.header("map"))
    message.pose.orientation = c.Quaternion(**({"w": 0.0} | orientation))
    return message


def nan_pose(rig: CameraRig) -> PoseStamped:
    message = pose(rig, w=1.0)
    message.pose.position.x = float("nan")
    return message


BAD = {
    "colour in an encoding that is none": ("color_encoding", lambda r: wrong_color(r, encoding="16UC1")),
    "colour that is too short": ("color_size", lambda r: wrong_color(r, data=b"short")),
    "an empty frame": ("color_size", lambda r: wrong_color(r, height=0, width=0, step=0, data=b"")),
    "colour of another size than its camera_info": (
        "image_size",
        lambda r: wrong_color(r, height=60, width=80, step=240, data=bytes(60 * 240)),
    ),
    "an image without frame_id": ("camera_frame", lambda r: wrong_color(r, frame="")),
    "depth in an encoding that is none": ("depth_encoding", lambda r: r.shoot(encoding="rgb8")),
    "depth that is too short": ("depth_size", lambda r: r.shoot(data=b"short")),
    "depth of another frame without extrinsic": ("depth_extrinsic", lambda r: r.shoot(frame="depth_optical")),
    "a pose in a frame that was not configured": ("pose_frame", lambda r: r.send_pose(frame="odom")),
    "a pose that was never filled in": ("pose", lambda r: wrong_pose(r, pose(r))),
    "a pose with a quaternion that is not of length 1": ("pose", lambda r: wrong_pose(r, pose(r, x=0.7, y=0.7, w=0.7))),
    "a pose that is not finite": ("pose", lambda r: wrong_pose(r, nan_pose(r))),
    "a camera_info that was never filled in": ("camera_info", lambda r: r.send(CameraInfo(), "color/camera_info")),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_counted_and_the_node_goes_on(camera: CameraRig, what: str) -> None:
    reason, act = BAD[what]
    n, n_observations = camera.n_rejected(reason), len(camera.observations)
    act(camera)
    assert until(lambda: camera.n_rejected(reason) > n, 10.0), camera.node.monitor.values()
    assert len(camera.observations) == n_observations
    last = camera.node.monitor.last_rejection
    assert "expected" in last or "no pose" in last
    camera.shoot()
    camera.next_observation(n_observations)


def test_an_image_without_a_pose_is_refused_after_a_bounded_wait(camera: CameraRig) -> None:
    n, n_observations = camera.n_rejected("pose_missing"), len(camera.observations)
    camera.tick()
    camera.send_color()
    camera.send_depth()
    assert until(lambda: camera.n_rejected("pose_missing") > n)
    assert "waited 0.30 s" in camera.node.monitor.last_rejection
    camera.shoot()
    camera.next_observation(n_observations)


def test_stamps_that_go_back_are_told_and_begin_anew(camera: CameraRig) -> None:
    n, n_observations = camera.n_rejected("time_backwards"), len(camera.observations)
    camera.shoot()
    camera.next_observation(n_observations)
    camera.clock_ns -= 100 * 10**9
    camera.shoot()
    got = camera.next_observation(n_observations + 1)
    assert c.to_ns(got.header.stamp) == camera.clock_ns
    assert camera.n_rejected("time_backwards") > n


def test_diagnostics_show_what_was_refused(camera: CameraRig) -> None:
    heard = camera.hear(DiagnosticArray, "/diagnostics")
    n = camera.n_rejected("color_encoding")
    wrong_color(camera, encoding="16UC1")
    assert until(lambda: camera.n_rejected("color_encoding") > n)
    status = until(
        lambda: [s for a in heard for s in a.status if any(v.key == "rejected: color_encoding" for v in s.values)]
    )
    assert status[-1].level == status[-1].WARN
    values = {v.key: v.value for v in status[-1].values}
    assert int(values["observations"]) > 0
    assert "colour encoding" in status[-1].message or "last rejected" in values


# --- other ways of setting it up --------------------------------------------------------------------------------------


def test_images_before_any_camera_info_are_refused_and_work_after_it(own_domain: int) -> None:
    rig = started()
    try:
        rig.shoot()
        assert until(lambda: rig.n_rejected("camera_info_missing"))
        rig.send(c.to_camera_info(CAMERA, "camera_optical", 0), "color/camera_info")
        assert until(lambda: rig.node.monitor.counted("color/camera_info received"))
        rig.shoot()
        assert until(lambda: rig.n_rejected("depth_camera_info_missing"))
        rig.send_infos()
        rig.shoot()
        rig.next_observation(0)
    finally:
        rig.close()


def test_an_image_that_nobody_wants_or_that_was_refused_may_come_again(own_domain: int) -> None:
    rig = started()
    try:
        rig.send_infos()
        (wanted,) = [s for s in rig.outside.subscriptions if s.topic_name == "/observations"]
        rig.outside.destroy_subscription(wanted)
        assert until(lambda: not rig.node.count_subscribers("observations"))
        rig.shoot()
        assert until(lambda: rig.node.monitor.counted("images left out: nobody subscribes to observations") == 1)
        heard = rig.hear(m.Observation, "observations", OBSERVATION_QOS)
        assert until(lambda: rig.node.count_subscribers("observations"))
        rig.send_color(encoding="rgb32")
        rig.send_depth()
        assert until(lambda: rig.n_rejected("color_encoding"))
        rig.send_color()
        rig.send_depth()
        assert until(lambda: len(heard) == 1, 10.0), rig.node.monitor.values()
        assert c.to_ns(heard[0].header.stamp) == rig.clock_ns
    finally:
        rig.close()


def test_compressed_images_of_a_smaller_depth_camera_beside_the_colour_camera(own_domain: int, tmp_path: Path) -> None:
    mask = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    mask[-20:] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    rig = started(
        color_transport="compressed",
        depth_transport="compressedDepth",
        depth_extrinsic=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        self_mask=str(tmp_path / "mask.png"),
    )
    try:
        half = c.Camera(
            CAMERA.width // 2,
            CAMERA.height // 2,
            CAMERA.fx / 2,
            CAMERA.fy / 2,
            (CAMERA.cx - 0.5) / 2,
            (CAMERA.cy - 0.5) / 2,
        )
        small = cv2.resize(DEPTH, (half.width, half.height), interpolation=cv2.INTER_NEAREST)
        rig.send_infos(depth_camera=half, depth_frame="depth_optical")
        rig.tick()
        rig.send_pose()
        jpeg = images.encode_color(COLOR)
        rig.send(CompressedImage(header=rig.header(), format="jpeg", data=jpeg), "color/image/compressed")
        png = bytes(12) + images.encode_depth(small, 0.001)
        rig.send(
            CompressedImage(header=rig.header("depth_optical"), format="16UC1; compressedDepth png", data=png),
            "depth/image/compressedDepth",
        )
        got = rig.next_observation(0)
        assert bytes(got.color.data) == jpeg, "a rectified JPEG is passed on as it came"
        depth = c.from_observation(got, "map").frame.depth
        assert depth.shape == DEPTH.shape
        assert (depth[-20:] == 0).all(), "the robot's own body is hidden"
        assert np.median(np.abs(depth[:-20] - DEPTH[:-20])) < 0.02
        rig.tick()
        rig.send_pose()
        rig.send(CompressedImage(header=rig.header(), format="jpeg", data=b"rubbish"), "color/image/compressed")
        rig.send(
            CompressedImage(header=rig.header("depth_optical"), format="png", data=png), "depth/image/compressedDepth"
        )
        assert until(lambda: rig.n_rejected("color_encoding"))
    finally:
        rig.close()


def test_odometry_of_the_base_with_an_extrinsic_gives_the_camera_pose(own_domain: int) -> None:
    T_base_camera = look_at((0.2, 0.0, 1.1), (2.0, 0.0, 0.6))
    T_map_base = T_MAP_CAMERA @ invert_pose(T_base_camera)
    x, y, z, w = c.quaternion_from_pose(T_base_camera)
    extrinsic = [*T_base_camera[:3, 3].tolist(), float(x), float(y), float(z), float(w)]
    rig = started(pose_source="odometry", base_frame="base_link", camera_extrinsic=extrinsic, max_pose_gap=0.3)
    try:
        rig.send_infos()

        def odometry(child: str = "base_link", frame: str = "map") -> None:
            message = Odometry(header=rig.header(frame), child_frame_id=child)
            message.pose.pose = c.to_pose(T_map_base)
            rig.send(message, "odometry")

        rig.tick()
        odometry()
        rig.send_color()
        rig.send_depth()
        got = c.from_observation(rig.next_observation(0), "map")
        np.testing.assert_allclose(got.frame.T_map_camera, T_MAP_CAMERA, atol=1e-6)
        odometry(child="base_footprint")
        assert until(lambda: rig.n_rejected("pose_frame") == 1)
        assert "base_footprint" in rig.node.monitor.last_rejection
        odometry(frame="odom")
        assert until(lambda: rig.n_rejected("pose_frame") == 2)
        # An image in a gap between two poses is refused.
        rig.clock_ns += 500 * MS
        rig.send_color()
        rig.send_depth()
        rig.clock_ns += 500 * MS
        odometry()
        assert until(lambda: rig.n_rejected("pose_gap") == 1)
    finally:
        rig.close()


def test_a_camera_without_extrinsic_is_refused_with_what_to_do(own_domain: int) -> None:
    rig = started(base_frame="base_link")
    try:
        rig.send_infos()
        rig.shoot()
        assert until(lambda: rig.n_rejected("extrinsic"))
        assert "camera_extrinsic" in rig.node.monitor.last_rejection
    finally:
        rig.close()


def test_outside_detections_join_the_image_of_their_stamp(own_domain: int) -> None:
    rig = started(detector="external", detections_timeout=0.5)
    try:
        rig.send_infos()
        good = m.Detection(label="table", score=0.9, x=10, y=20, width=30, height=40)
        outside = m.Detection(label="chair", score=0.9, x=150, y=20, width=30, height=40)
        rig.shoot()
        rig.send(m.DetectionArray(header=rig.header(), detections=[good, outside]), "detections")
        first = rig.next_observation(0)
        assert [(d.label, d.x, d.width) for d in first.detections] == [("table", 10, 30)]
        assert first.detector == "external"
        assert rig.n_rejected("detection") == 1
        rig.shoot()  # nothing comes for this one: it goes on alone, and says so
        second = rig.next_observation(1)
        assert (len(second.detections), second.detector) == (0, "")
        assert rig.node.diagnose()[0]["images without detections"] == 1
    finally:
        rig.close()


def test_the_geometric_detector_and_the_image_encoder_do_their_work(own_domain: int) -> None:
    rig = started(detector="geometric", image_encoder="descriptor")
    try:
        rig.send_infos()
        rig.shoot()
        got = rig.next_observation(0)
        assert (got.detector, got.encoder) == ("geometric", "descriptor")
        assert np.linalg.norm(got.embedding) == pytest.approx(1.0, abs=1e-5)
    finally:
        rig.close()


def test_a_camera_faster_than_max_rate_is_thinned_out(own_domain: int) -> None:
    rig = started(max_rate=5.0)
    try:
        rig.send_infos()
        for _ in range(12):
            rig.shoot()
            rig.clock_ns -= 100 * MS  # 10 Hz
        assert until(lambda: len(rig.observations) == 6)
        assert until(lambda: rig.node.monitor.counted("images left out by max_rate") == 6)
    finally:
        rig.close()


def test_silence_is_explained(own_domain: int, capfd: pytest.CaptureFixture[str]) -> None:
    rig, other = started(silence_timeout=0.5), Rig(lambda context: [])
    try:
        other.outside.create_publisher(CompressedImage, "color/image", 1)
        assert until(
            lambda: rig.node.monitor.counted("silent: color/image") and rig.node.monitor.counted("silent: pose")
        )
        log: list[str] = []

        def said(words: str) -> bool:
            log.append(capfd.readouterr().err)
            return words in "".join(log)

        assert until(lambda: said("did not receive color/image since"))
        assert until(lambda: said("nobody publishes /pose: start its driver, or remap pose:="))
        assert until(
            lambda: said(
                "published as sensor_msgs/msg/CompressedImage, expected sensor_msgs/msg/Image: set color_transport"
            )
        )
    finally:
        other.close()
        rig.close()


@pytest.mark.skipif(importlib.util.find_spec("tf2_ros") is not None, reason="tf2_ros is installed: see test_tf.py")
def test_tf_as_pose_source_says_what_to_install(own_domain: int, capfd: pytest.CaptureFixture[str]) -> None:
    rig = CameraRig(pose_source="tf")
    try:
        assert rig.bring_up() == [False]
        assert "tf2_ros cannot be imported" in capfd.readouterr().err
    finally:
        rig.close()


@pytest.mark.parametrize(
    "values", [{"camera_extrinsic": [1.0, 2.0]}, {"camera_extrinsic": [0.0] * 7}, {"self_mask": "/nowhere.png"}]
)
def test_a_set_up_that_cannot_work_is_refused_when_it_is_configured(
    own_domain: int, values: dict, capfd: pytest.CaptureFixture[str]
) -> None:
    rig = CameraRig(**values)
    try:
        assert rig.bring_up() == [False]
        assert next(iter(values)) in capfd.readouterr().err
    finally:
        rig.close()
