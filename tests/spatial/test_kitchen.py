"""The octree on a real recording: frames that were withheld must find their surfaces in the map, and nothing before them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from loci.geometry import Array, Camera, align_to_gravity, back_project, check_pose, transform_points
from loci.observation import clean_depth
from loci.spatial.occupancy import FREE, OCCUPIED, occupancy_map
from loci.spatial.octree import Octree

Shot = tuple[np.ndarray, Camera, Array, int]


@pytest.fixture(scope="module")
def shots(kitchen: Path) -> list[Shot]:
    """All frames with poses in a z-up map."""
    K = np.loadtxt(kitchen / "camera-intrinsics.txt")
    T = align_to_gravity(np.loadtxt(kitchen / "gravity-direction.txt"))
    found = []
    for i, file in enumerate(sorted(kitchen.glob("*.depth.png"))):
        raw = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        pose = T @ check_pose(np.loadtxt(str(file).replace("depth.png", "pose.txt")))
        camera = Camera(raw.shape[1], raw.shape[0], K[0, 0], K[1, 1], K[0, 2], K[1, 2])
        found.append((clean_depth(raw), camera, pose, i * 100_000_000))
    return found


@pytest.fixture(scope="module")
def octree(shots: list[Shot]) -> Octree:
    """Nine frames of ten."""
    tree = Octree()
    for i, shot in enumerate(shots):
        if i % 10 != 5:
            tree.integrate(*shot)
    return tree


def withheld_points(octree: Octree, shots: list[Shot]) -> list[tuple[Array, Array]]:
    """Camera position and points (N, 3) [m] of the withheld frames' valid pixels within range, every seventh of them."""
    rays = []
    for depth, camera, pose, _ in shots[5::10]:
        valid = (depth > 0) & (depth <= octree.parameters.max_range)
        rays.append((pose[:3, 3], transform_points(pose, back_project(depth, camera)[valid])[::7]))
    return rays


def test_withheld_points_lie_within_one_voxel_of_an_occupied_one(octree: Octree, shots: list[Shot]) -> None:
    leaf = octree.parameters.leaf_size
    tree = cKDTree(octree.occupied()[0])
    points = np.concatenate([p for _, p in withheld_points(octree, shots)])
    centres = (np.floor(points / leaf) + 0.5) * leaf
    distance, _ = tree.query(centres, p=np.inf, distance_upper_bound=1.01 * leaf)  # the same or a neighbouring voxel
    assert np.mean(np.isfinite(distance)) >= 0.95


def test_withheld_rays_cross_nothing_occupied_on_their_way(octree: Octree, shots: list[Shot]) -> None:
    leaf = octree.parameters.leaf_size
    crossing = n_rays = 0
    for origin, points in withheld_points(octree, shots):
        length = np.linalg.norm(points - origin, axis=1)
        hits = octree.cast_rays(np.broadcast_to(origin, points.shape), points - origin, 6.0)
        crossing += int(np.sum(hits.hits & (hits.ranges < length - 2 * leaf)))
        n_rays += len(points)
    assert crossing / n_rays <= 0.02


def test_a_camera_that_never_saw_the_floor_still_gives_a_map(octree: Octree) -> None:
    floor = occupancy_map(octree)
    centres, _ = octree.occupied()
    assert centres[:, 2].min() - 0.1 <= floor.floor_z <= np.median(centres[:, 2])
    assert np.sum(floor.cells == FREE) * floor.resolution**2 > 2.0
    assert np.sum(floor.cells == OCCUPIED) * floor.resolution**2 > 2.0


def test_up_is_up(octree: Octree) -> None:
    """Horizontal surfaces (counters, tables) fill few layers: along z the occupied voxels are far from evenly spread."""
    layers = np.bincount((np.round(octree.occupied()[0][:, 2] / 0.05 + 1000)).astype(int))
    layers = layers[layers > 0]
    assert layers.max() > 1.8 * np.median(layers)
