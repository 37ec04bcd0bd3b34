"""Local features: a picture is placed by what it shares with a remembered image, and by nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.geometry import Array, Camera
from loci.perception.matching import correspondences, local_features, picture_pose

CAMERA = Camera(320, 240, 200.0, 200.0, 160.0, 120.0)
WALL = 3.0  # [m] before the remembered camera


def texture(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """(H, W, 3) uint8 RGB blobs of many sizes, as posters and books on a wall."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 128, dtype=np.uint8)
    for _ in range(150):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = (int(v) for v in rng.integers(5, 40, size=2))
        color = tuple(int(v) for v in rng.integers(0, 256, size=3))
        cv2.rectangle(image, (x, y), (x + w, y + h), color, -1)
    return cv2.GaussianBlur(image, (3, 3), 0)


def pose(x: float, y: float, z: float, yaw: float) -> Array:
    """T_keyframe_picture: moved [m], turned about the vertical [rad]."""
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    T[:3, 3] = x, y, z
    return T


def seen_from(wall: np.ndarray, T_keyframe_picture: Array) -> np.ndarray:
    """The wall's image from another pose: a plane's homography, an independent model of what a camera sees."""
    K = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1.0]])
    T = np.linalg.inv(T_keyframe_picture)
    H = K @ (T[:3, :3] + np.outer(T[:3, 3], [0, 0, 1.0]) / WALL) @ np.linalg.inv(K)
    return cv2.warpPerspective(wall, H, (CAMERA.width, CAMERA.height), borderValue=(128, 128, 128))


@settings(max_examples=12, deadline=None)
@given(
    x=st.floats(-0.6, 0.6),
    y=st.floats(-0.2, 0.2),
    z=st.floats(-0.5, 1.0),
    yaw=st.floats(-0.3, 0.3),
    seed=st.integers(0, 5),
)
def test_a_picture_is_placed_where_it_was_taken(x: float, y: float, z: float, yaw: float, seed: int) -> None:
    wall = texture(seed)
    true = pose(x, y, z, yaw)
    depth = np.full((CAMERA.height, CAMERA.width), WALL, dtype=np.float32)
    found = picture_pose(local_features(seen_from(wall, true)), local_features(wall), depth, CAMERA)
    assert found is not None
    assert np.linalg.norm(found.T_keyframe_picture[:3, 3] - true[:3, 3]) < 0.15
    assert found.n_inliers > 15


@pytest.mark.parametrize("seed", range(4))
def test_another_wall_places_nothing(seed: int) -> None:
    depth = np.full((CAMERA.height, CAMERA.width), WALL, dtype=np.float32)
    assert picture_pose(local_features(texture(seed)), local_features(texture(seed + 100)), depth, CAMERA) is None


def test_without_depth_or_texture_nothing_is_placed() -> None:
    wall = local_features(texture(0))
    nothing = np.zeros((CAMERA.height, CAMERA.width), dtype=np.float32)
    assert picture_pose(wall, wall, nothing, CAMERA) is None
    flat = local_features(np.full((240, 320, 3), 90, dtype=np.uint8))
    assert len(flat) == 0
    assert picture_pose(flat, wall, nothing + 2.0, CAMERA) is None
    assert picture_pose(wall, flat, nothing + 2.0, CAMERA) is None


def test_a_picture_of_another_size_is_placed_as_well() -> None:
    wall, true = texture(3), pose(0.3, 0.0, 0.4, 0.1)
    small = cv2.resize(seen_from(wall, true), (240, 180), interpolation=cv2.INTER_AREA)
    depth = np.full((CAMERA.height, CAMERA.width), WALL, dtype=np.float32)
    found = picture_pose(local_features(small), local_features(wall), depth, CAMERA)
    assert found is not None
    assert np.linalg.norm(found.T_keyframe_picture[:3, 3] - true[:3, 3]) < 0.2


def test_correspondences_use_each_feature_at_most_once() -> None:
    a, b = local_features(texture(1)), local_features(seen_from(texture(1), pose(0.2, 0.0, 0.2, 0.05)))
    pairs = correspondences(a, b)
    assert len(pairs) > 20
    assert all(len(np.unique(column)) == len(column) for column in pairs.T)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected an image"):
        local_features(image)
