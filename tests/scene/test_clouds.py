"""Voxels, clusters, overlaps and boxes of point sets, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from loci.scene.clouds import (
    Cloud,
    cell_size,
    downsample,
    largest_clusters,
    merge_clouds,
    share_in_box,
    upright_box,
)


def patch(center: tuple[float, float, float], size: float, n: int, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).uniform(-size / 2, size / 2, (n, 3)) + center
    return points.astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 200), n_groups=st.integers(1, 4), scale=st.floats(0.05, 50.0))
def test_downsampling_keeps_the_mean_of_every_voxel_of_every_group(seed, n, n_groups, scale):
    rng = np.random.default_rng(seed)
    points = (rng.normal(size=(n, 3)) * scale).astype(np.float32)
    groups = rng.integers(0, n_groups, n)
    cells = rng.uniform(0.02, 1.0, n_groups)
    means, mean_groups = downsample(points, groups, cells)
    expected: dict[tuple[int, ...], list[np.ndarray]] = {}
    for point, group in zip(points, groups, strict=True):
        index = np.floor(point.astype(np.float64) / cells[group]).astype(int)
        expected.setdefault((int(group), *index.tolist()), []).append(point)
    assert len(means) == len(expected)
    reference = np.array([[key[0], *np.mean(value, axis=0)] for key, value in expected.items()])
    found = np.column_stack([mean_groups, means])
    np.testing.assert_allclose(found[np.lexsort(found.T)], reference[np.lexsort(reference.T)], atol=1e-4 * scale)
    assert np.all(np.diff(mean_groups) >= 0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 120))
def test_clusters_lie_between_those_of_a_short_and_of_a_long_reach(seed, n):
    """Voxel clustering joins what is within eps / 2, and never what has no chain of steps within 1.9 eps."""
    points = (np.random.default_rng(seed).uniform(0, 1.2, (n, 3))).astype(np.float32)
    kept = largest_clusters(points, np.zeros(n, dtype=np.int64), eps=0.2)

    def components(reach: float) -> np.ndarray:
        graph = cKDTree(points).sparse_distance_matrix(cKDTree(points), reach)
        return connected_components(graph, directed=False)[1]

    short, long = components(0.1), components(0.38)
    assert all(len(set(kept[short == c].tolist())) == 1 for c in np.unique(short))
    assert len(set(long[kept].tolist())) == 1


def test_the_largest_cluster_of_every_group_is_kept():
    a, b, c = patch((0, 0, 0), 0.2, 100), patch((1, 0, 0), 0.2, 40), patch((0, 0, 0), 0.2, 30)
    groups = np.repeat([0, 0, 1], [100, 40, 30])
    kept = largest_clusters(np.concatenate([a, b, c]), groups)
    assert kept[:100].all()
    assert not kept[100:140].any()
    assert kept[140:].all()


def test_share_agrees_with_distances(rng):
    a, b = patch((5, -3, 1), 0.6, 1500, 1), patch((5.2, -3, 1), 0.6, 400, 2)
    cloud = Cloud(a)
    distance, _ = cKDTree(a).query(b)
    share = cloud.share(b, limit=400)
    assert np.mean(distance <= cloud.cell) <= share <= np.mean(distance <= 2 * np.sqrt(3) * cloud.cell)
    assert cloud.share(patch((9, 9, 9), 0.5, 50)) == 0.0
    assert cloud.share(a) == 1.0


def test_a_cloud_grows_only_by_what_it_does_not_have():
    cloud = Cloud(patch((0, 0, 0), 0.3, 3000))
    before = cloud.points
    assert not cloud.add(cloud.points[::3])
    assert cloud.points is before
    assert cloud.counts.max() == 2
    assert cloud.add(patch((0.4, 0, 0), 0.3, 3000, 1))
    assert len(cloud.points) > len(before)
    assert not before.flags.writeable
    assert len(before) == 3000


def test_a_growing_cloud_stays_bounded():
    cloud = Cloud(patch((0, 0, 0), 0.1, 50))
    for i in range(60):  # a wall of 6 m
        cloud.add((patch((0.1 * i, 0, 0.5), 0.1, 300, i) * (1, 0.1, 1)).astype(np.float32))
    assert cloud.cell == pytest.approx(0.05, rel=0.3)
    assert len(cloud.points) < 6000


def test_merging_unites_two_clouds():
    a, b = Cloud(patch((0, 0, 0), 0.3, 800, 1)), Cloud(patch((0.3, 0, 0), 0.3, 800, 2))
    both = merge_clouds(a, b)
    assert both.share(a.points) == 1.0
    assert both.share(b.points) == 1.0
    np.testing.assert_allclose(
        both.bounds, [*np.minimum(a.bounds[:3], b.bounds[:3]), *np.maximum(a.bounds[3:], b.bounds[3:])], atol=0.03
    )


@settings(max_examples=50, deadline=None)
@given(
    yaw=st.floats(-180, 180),
    size=st.tuples(st.floats(0.1, 4), st.floats(0.1, 4), st.floats(0.05, 2)),
    center=st.tuples(st.floats(-500, 500), st.floats(-500, 500), st.floats(-5, 5)),
)
def test_the_box_of_a_turned_block_is_the_block(yaw, size, center):
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size
    rotation = Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    points = (corners @ rotation.T + center).astype(np.float32)
    T, found = upright_box(points)
    np.testing.assert_allclose(T[:3, 3], center, atol=2e-3)
    assert sorted(found[:2]) == pytest.approx(sorted(size[:2]), abs=4e-3)
    assert found[2] == pytest.approx(size[2], abs=1e-3)
    local = (points - T[:3, 3]) @ T[:3, :3]
    assert np.all(np.abs(local) <= np.array(found) / 2 + 4e-3)
    assert -45.001 <= np.degrees(np.arctan2(T[1, 0], T[0, 0])) <= 45.001
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("yaw", [0.0, 10.0, -37.0])
def test_two_sides_of_a_thing_give_its_box_and_not_an_oblique_one(yaw):
    rng = np.random.default_rng(0)
    front, side = rng.uniform(0, 1, (2, 600, 3)) * (1.2, 0.6, 2.0)
    front[:, 1], side[:, 0] = rng.normal(0, 0.005, (2, 600))
    rotation = Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    T, size = upright_box((np.vstack([front, side]) @ rotation.T).astype(np.float32))
    turned = (np.degrees(np.arctan2(T[1, 0], T[0, 0])) - yaw + 45.0) % 90.0 - 45.0
    assert abs(turned) < 4.0
    assert sorted(size[:2]) == pytest.approx([0.6, 1.2], abs=0.08)


@pytest.mark.parametrize("points", [[[1, 2, 3]], [[1, 2, 3], [2, 2, 3]], [[0, 0, 0], [1, 1, 1], [2, 2, 2]]])
def test_few_points_and_lines_have_a_box(points):
    T, size = upright_box(np.array(points, dtype=np.float32))
    assert np.all(np.isfinite(T))
    assert np.all(np.isfinite(size))
    assert share_in_box(np.array(points, dtype=np.float32), T, size, 0.01) == 1.0


def test_voxels_grow_with_the_thing():
    assert cell_size(patch((0, 0, 0), 0.1, 100)) == 0.015
    assert cell_size(patch((0, 0, 0), 9.0, 100)) == 0.05
    assert cell_size(np.zeros((1, 3), np.float32)) == 0.015
