"""Poses from tf2, where it is installed (it comes with ROS, not as a wheel)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("tf2_ros", reason="tf2_ros cannot be imported: it comes with an installation of ROS 2")

import tf2_ros
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rig import Rig, until
from test_perception_node import MS, CameraRig

from loci.geometry import Array, look_at
from loci.nodes import conversions as c
from loci.nodes.errors import BadInput
from loci.nodes.tf import TfPoses

S = 1_000_000_000
T_BASE_CAMERA = look_at((0.2, 0.0, 1.1), (2.0, 0.3, 0.6))


def base(x: float, y: float = 0.0, yaw: float = 0.0) -> Array:
    """Pose of a robot on the floor."""
    T = np.eye(4)
    T[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    T[:2, 3] = x, y
    return T


class TfRig(CameraRig):
    """A perception node, and who publishes map -> odom -> base_link -> camera_optical."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**({"pose_source": "tf", "base_frame": "base_link"} | values))
        self._static = tf2_ros.StaticTransformBroadcaster(self.outside)
        self._moving = tf2_ros.TransformBroadcaster(self.outside)
        assert all(self.bring_up())

    def send_extrinsic(self) -> None:
        self._static.sendTransform(self._transform("base_link", "camera_optical", T_BASE_CAMERA))

    def send_tf(self, T_odom_base: Array, T_map_odom: Array | None = None) -> None:
        """At the stamp of the clock."""
        assert until(lambda: self.n_listeners() == 1)
        poses = [self._transform("odom", "base_link", T_odom_base)]
        if T_map_odom is not None:
            poses.append(self._transform("map", "odom", T_map_odom))
        self._moving.sendTransform(poses)

    def n_listeners(self) -> int:
        return int(self._moving.pub_tf.get_subscription_count())

    def send_images(self) -> None:
        self.send_color()
        self.send_depth()

    def pose_of(self, n_before: int) -> Array:
        observation = self.next_observation(n_before)
        assert c.to_ns(observation.header.stamp) == self.clock_ns
        return c.from_pose(observation.pose)

    def _transform(self, parent: str, child: str, T: Array) -> TransformStamped:
        return TransformStamped(header=self.header(parent), child_frame_id=child, transform=c.to_transform(T))


@pytest.fixture(scope="module")
def camera(ros_domain: int) -> Iterator[TfRig]:
    """A camera whose images and extrinsic come, and nothing else yet."""
    rig = TfRig()
    try:
        rig.send_infos()
        rig.send_extrinsic()
        yield rig
    finally:
        rig.close()


def test_a_transform_is_looked_up_at_the_stamp_and_not_at_the_newest(own_domain: int) -> None:
    rig = Rig(lambda context: [])
    try:
        node: Node = rig.outside
        poses, broadcaster = TfPoses(node), tf2_ros.TransformBroadcaster(node)
        T = {10: look_at((0, 0, 1), (1, 0, 1)), 11: look_at((1, 0, 1), (2, 0, 1))}

        def send() -> bool:
            for second, pose in T.items():
                message = TransformStamped(
                    header=c.header("map", second * S), child_frame_id="camera", transform=c.to_transform(pose)
                )
                broadcaster.sendTransform(message)
            try:
                return np.allclose(poses.lookup("map", "camera", int(10.5 * S), 0.1)[:3, 3], [0.5, 0, 1], atol=1e-6)
            except BadInput:
                return False

        assert until(send)
        with pytest.raises(BadInput) as error:
            poses.lookup("map", "camera", 20 * S, 0.05)
        assert error.value.reason == "pose_missing"
    finally:
        rig.close()


def test_without_tf_images_are_refused_and_the_node_says_why(camera: TfRig) -> None:
    heard = camera.hear(DiagnosticArray, "/diagnostics")
    n = camera.n_rejected("pose_missing")
    camera.tick()
    camera.send_images()
    assert until(lambda: camera.n_rejected("pose_missing") > n)
    assert "tf has no map <- camera_optical at the image's stamp" in camera.node.monitor.last_rejection
    assert until(lambda: any("tf has no map" in s.message and s.level == s.WARN for a in heard for s in a.status))


def test_poses_are_interpolated_along_the_chain_and_follow_a_jump_of_the_localization(camera: TfRig) -> None:
    for T_map_odom in (base(0.1, -0.2, 0.05), base(0.8, 0.3, 0.4)):
        n = len(camera.observations)
        camera.tick()
        camera.send_tf(base(1.0), T_map_odom)
        camera.clock_ns += 25 * MS
        camera.send_images()
        camera.clock_ns += 75 * MS
        camera.send_tf(base(1.4, 0.0, 0.2), T_map_odom)
        camera.clock_ns -= 75 * MS
        expected = T_map_odom @ base(1.1, 0.0, 0.05) @ T_BASE_CAMERA
        np.testing.assert_allclose(camera.pose_of(n), expected, atol=1e-6)


def test_an_image_waits_for_tf_that_comes_late(camera: TfRig) -> None:
    n = len(camera.observations)
    camera.tick()
    camera.send_images()
    assert not until(lambda: len(camera.observations) > n, 0.15)
    camera.send_tf(base(2.0), base(0.0))
    np.testing.assert_allclose(camera.pose_of(n), base(2.0) @ T_BASE_CAMERA, atol=1e-6)


def test_a_bag_that_loops_begins_anew(camera: TfRig) -> None:
    n_jumps = camera.n_rejected("time_backwards")
    n = len(camera.observations)
    camera.tick()
    camera.send_tf(base(3.0), base(0.0))
    camera.send_images()
    camera.pose_of(n)
    camera.clock_ns -= 100 * S
    camera.send_images()
    assert until(lambda: camera.n_rejected("time_backwards") > n_jumps)
    camera.tick()
    camera.send_tf(base(1.0), base(0.0))
    camera.send_images()
    np.testing.assert_allclose(camera.pose_of(n + 1), base(1.0) @ T_BASE_CAMERA, atol=1e-6)


def test_a_node_that_was_cleaned_up_listens_no_more_and_once_when_configured_again(camera: TfRig) -> None:
    for _ in range(2):
        camera.node.trigger_deactivate()
        camera.node.trigger_cleanup()
        assert until(lambda: camera.n_listeners() == 0)
        assert camera.node.bring_up()
        assert until(lambda: camera.n_listeners() == 1)
    camera.send_infos()
    n = len(camera.observations)
    camera.tick()
    camera.send_tf(base(1.0), base(0.0))
    camera.send_images()
    np.testing.assert_allclose(camera.pose_of(n), base(1.0) @ T_BASE_CAMERA, atol=1e-6)


def test_odometry_takes_the_extrinsic_from_tf(own_domain: int) -> None:
    rig = TfRig(pose_source="odometry", pose_timeout=5.0)
    try:
        rig.send_infos()
        rig.send_extrinsic()
        rig.tick()
        odometry = Odometry(header=rig.header("map"), child_frame_id="base_link")
        odometry.pose.pose = c.to_pose(base(1.0, 2.0, 0.5))
        rig.send(odometry, "odometry")
        rig.send_images()
        np.testing.assert_allclose(rig.pose_of(0), base(1.0, 2.0, 0.5) @ T_BASE_CAMERA, atol=1e-6)
    finally:
        rig.close()


def test_a_configuration_that_fails_leaves_no_listener(own_domain: int) -> None:
    rig = CameraRig(pose_source="tf", self_mask="/nowhere.png")
    try:
        assert rig.bring_up() == [False]
        assert not until(lambda: rig.outside.count_subscribers("/tf"), 0.5)
    finally:
        rig.close()
