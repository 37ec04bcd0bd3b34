"""Poses, quaternions, projection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from loci.geometry import (
    Camera,
    back_project,
    check_pose,
    invert_pose,
    look_at,
    pose_from_quaternion,
    project,
    quaternion_from_pose,
    rotation_angle,
    transform_points,
)

CAMERA = Camera(64, 48, 60.0, 55.0, 31.0, 24.5)
unit = st.floats(-1, 1, allow_nan=False)


@given(st.tuples(unit, unit, unit, unit).filter(lambda q: np.linalg.norm(q) > 1e-3), st.tuples(unit, unit, unit))
def test_quaternions_agree_with_scipy(q, p):
    q = np.asarray(q) / np.linalg.norm(q)
    T = pose_from_quaternion(p, q)
    assert np.allclose(T[:3, :3], Rotation.from_quat(q).as_matrix(), atol=1e-9)
    back = quaternion_from_pose(T)
    assert back[3] >= 0
    assert np.allclose(pose_from_quaternion(p, back), T, atol=1e-9)


def test_a_pose_times_its_inverse_is_the_identity(rng):
    T = np.tile(np.eye(4), (5, 1, 1))
    T[:, :3, :3] = Rotation.random(5, rng).as_matrix()
    T[:, :3, 3] = rng.normal(size=(5, 3))
    assert np.allclose(T @ invert_pose(T), np.eye(4), atol=1e-12)
    assert np.allclose(invert_pose(T[0]) @ T[0], np.eye(4), atol=1e-12)


def test_look_at_is_an_optical_frame():
    T = look_at((1.0, 2.0, 1.5), (4.0, 2.0, 1.5))
    assert np.allclose(T[:3, 2], (1, 0, 0))  # z forward
    assert np.allclose(T[:3, 1], (0, 0, -1))  # y down
    assert np.allclose(T[:3, 0], (0, -1, 0))  # x right
    check_pose(look_at((0, 0, 2), (0, 0, 0)))  # straight down is a pose as well


def test_projection_undoes_back_projection(rng):
    depth = rng.uniform(0.5, 4.0, (48, 64)).astype(np.float32)
    pixels, z = project(back_project(depth, CAMERA), CAMERA)
    columns, rows = np.meshgrid(np.arange(64), np.arange(48))
    assert np.allclose(pixels[..., 0], columns, atol=1e-3)
    assert np.allclose(pixels[..., 1], rows, atol=1e-3)
    assert np.allclose(z, depth)
    part = back_project(depth[10:20, 5:25], CAMERA, (5, 10, 25, 20))
    assert np.array_equal(part, back_project(depth, CAMERA)[10:20, 5:25])


def test_points_behind_the_camera_have_no_pixel():
    pixels, _ = project(np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]), CAMERA)
    assert np.all(np.isnan(pixels[0])) and np.all(np.isfinite(pixels[1]))


def test_a_slightly_rounded_rotation_is_accepted_and_made_exact():
    T = look_at((0, 0, 1), (2, 1, 1))
    rounded = T.copy()
    rounded[:3, :3] = np.round(T[:3, :3], 4)
    exact = check_pose(rounded)
    assert np.allclose(exact[:3, :3].T @ exact[:3, :3], np.eye(3), atol=1e-12)
    assert rotation_angle(exact, T) < 1e-3
    assert np.allclose(transform_points(exact, np.zeros((1, 3))), [[0, 0, 1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda T: T[:3], r"shape \(4, 4\)"),
        (lambda T: T * np.nan, "finite"),
        (lambda T: np.zeros((4, 4)), "last row"),
        (lambda T: np.diag([1.0, 1.0, 0.0, 1.0]), "orthonormal"),
        (lambda T: T @ np.diag([1.01, 1.0, 1.0, 1.0]), "orthonormal"),
        (lambda T: np.diag([1.0, 1.0, -1.0, 1.0]), "mirrored"),
    ],
)
def test_bad_poses_are_refused_with_the_reason(change, message):
    with pytest.raises(ValueError, match=message):
        check_pose(change(np.eye(4)))


@pytest.mark.parametrize("q", [(0, 0, 0, 0), (0, 0, 0, 2), (np.nan, 0, 0, 1)])
def test_bad_quaternions_are_refused(q):
    with pytest.raises(ValueError, match="quaternion"):
        pose_from_quaternion((0, 0, 0), q)


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 0},
        {"fx": 0.0},
        {"fy": -3.0},
        {"cx": float("nan")},
        {"distortion": (float("inf"),)},
    ],
)
def test_bad_cameras_are_refused(fields):
    good = {"width": 4, "height": 3, "fx": 5.0, "fy": 5.0, "cx": 2.0, "cy": 1.0}
    with pytest.raises(ValueError, match="expected"):
        Camera(**{**good, **fields})
