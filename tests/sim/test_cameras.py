"""Several cameras and panoramas show the same scene from the same place at the same time."""

from __future__ import annotations

import numpy as np
import pytest
from scene_geometry import BOX_CENTER, TOP, X0, X1, empty_room

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.geometry import Camera, back_project, look_at, transform_points
from loci_sim.cameras import CameraMount, panorama_directions
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.noise import NoiseParameters
from loci_sim.scenes import Scene

SMALL = RobotParameters(width=160, height=120)
WIDE = Camera(96, 64, 30.0, 32.0, 47.5, 31.5)


@pytest.fixture(scope="module")
def room() -> EmbeddedSimulator:
    return EmbeddedSimulator(empty_room(), SMALL)


def mount(name: str, yaw: float, camera: Camera = WIDE, z: float = 1.0) -> CameraMount:
    return CameraMount(name, camera, look_at((0.0, 0.0, z), (np.cos(yaw), np.sin(yaw), z)))


def test_cameras_look_where_they_are_mounted(room: EmbeddedSimulator) -> None:
    room.reset()
    seen = room.observe_cameras([mount("front", 0.0), mount("left", np.pi / 2), mount("back", np.pi, SMALL.camera)])
    assert list(seen) == ["front", "left", "back"]
    assert seen["back"].depth.shape == (120, 160)
    assert seen["front"].depth.shape == (64, 96)
    assert seen["front"].depth[31:33, 47:49].mean() == pytest.approx(X1, abs=1e-3)
    assert seen["back"].depth[60, 80] == pytest.approx(-X0, abs=1e-3)
    assert {o.stamp_ns for o in seen.values()} == {room.observe().stamp_ns}
    for o in seen.values():
        points = transform_points(o.T_map_camera, back_project(o.depth, o.camera))
        np.testing.assert_allclose(points[o.semantic == room.labels.index("floor"), 2], 0.0, atol=1e-4)


def test_the_robots_own_camera_as_a_mount_sees_the_same(room: EmbeddedSimulator) -> None:
    room.reset(3)
    own = room.observe_cameras([CameraMount("own", SMALL.camera, SMALL.T_base_camera, SMALL.max_range)])["own"]
    for name in ("color", "depth", "semantic", "instances", "T_map_camera"):
        np.testing.assert_array_equal(getattr(own, name), getattr(room.observe(), name))


def test_cameras_have_noise_of_their_own() -> None:
    simulator = EmbeddedSimulator(empty_room(), SMALL, noise=NoiseParameters(depth=1.0))
    seen = simulator.observe_cameras([mount("a", 0.0), mount("b", 0.0)])
    assert not np.array_equal(seen["a"].depth, seen["b"].depth)
    np.testing.assert_array_equal(seen["a"].instances, seen["b"].instances)


def test_a_shorter_range_measures_less(room: EmbeddedSimulator) -> None:
    near = CameraMount("near", WIDE, mount("x", 0.0).T_base_camera, 1.5)
    assert room.observe_cameras([near])["near"].depth.max() <= 1.5


def test_two_cameras_of_one_name_and_impossible_mounts_are_refused(room: EmbeddedSimulator) -> None:
    with pytest.raises(ValueError, match="different names"):
        room.observe_cameras([mount("a", 0.0), mount("a", 1.0)])
    with pytest.raises(ValueError, match="T_base_camera of a"):
        CameraMount("a", WIDE, np.zeros((4, 4)))
    with pytest.raises(ValueError, match="range > 0"):
        CameraMount("a", WIDE, np.eye(4), 0.0)


def test_panorama_ranges_lie_on_the_room_and_directions_cover_the_sphere(room: EmbeddedSimulator) -> None:
    room.reset()
    room.step("turn_left")
    p = room.panorama(64)
    assert p.ranges.shape == (64, 128)
    directions = panorama_directions(64)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0, atol=1e-6)
    points = transform_points(p.T_map_center, (directions * p.ranges[..., None]).reshape(-1, 3)).reshape(64, 128, 3)
    names = np.array(room.labels)[p.semantic]
    np.testing.assert_allclose(points[names == "floor", 2], 0.0, atol=1e-4)
    np.testing.assert_allclose(points[names == "ceiling", 2], TOP, atol=1e-4)
    assert names[0, 0] == "ceiling"
    assert names[-1, 0] == "floor"
    # The crate is seen in its direction: left of the middle column is left of the robot.
    rows, columns = np.nonzero(p.instances == 1)
    azimuth = np.arctan2(BOX_CENTER[1], BOX_CENTER[0]) - room.heading()
    assert (64 - columns.mean()) / 128 * 2 * np.pi == pytest.approx(azimuth, abs=0.1)
    assert rows.mean() > 32


def test_a_panorama_agrees_with_the_camera(apartment: Scene) -> None:
    simulator = EmbeddedSimulator(apartment, SMALL)
    o, p = simulator.reset(2), simulator.panorama(256)
    points = transform_points(np.linalg.inv(p.T_map_center) @ o.T_map_camera, back_project(o.depth, o.camera))
    ranges = np.linalg.norm(points, axis=-1)
    elevation, azimuth = np.arcsin(points[..., 2] / ranges), np.arctan2(points[..., 1], points[..., 0])
    rows = ((np.pi / 2 - elevation) / np.pi * 256).astype(int)
    columns = ((np.pi - azimuth) / np.pi * 256).astype(int)
    same = p.semantic[rows, columns] == o.semantic
    assert same.mean() > 0.95
    assert np.median(np.abs(p.ranges[rows, columns] - ranges)) < 0.02


def test_a_panorama_without_rows_is_refused(room: EmbeddedSimulator) -> None:
    with pytest.raises(ValueError, match="rows"):
        room.panorama(1)
