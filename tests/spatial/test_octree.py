"""The octree against dense brute force, against OctoMap, and against the truth of analytic worlds."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spatial_worlds import CAMERA, World, apartment, box, look_around

from loci.geometry import Camera, back_project, look_at, transform_points
from loci.spatial import evidence, voxels
from loci.spatial.octree import Octree, OctreeParameters, log_odds

DEVICES = [
    pytest.param(("cpu", True), id="cpu-compiled"),
    pytest.param(("cpu", False), id="cpu-torch"),
    pytest.param(
        ("cuda", False), id="cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
    ),
]
FORWARD = look_at((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
SMALL = Camera(width=64, height=48, fx=45.0, fy=45.0, cx=31.5, cy=23.5)


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> tuple[str, bool]:
    return request.param


def wall(distance: float, camera: Camera = SMALL) -> np.ndarray:
    return np.full((camera.height, camera.width), distance, dtype=np.float32)


def probe(octree: Octree, x: float) -> int:
    return int(octree.query(np.array([[x, 0.01, 0.01]]))[0][0])


def see(octree: Octree, distance: float, n: int = 1, first_stamp: int = 0) -> None:
    for i in range(n):
        octree.integrate(wall(distance), SMALL, FORWARD, first_stamp + i)


def explored(n_spots: int = 2) -> Octree:
    octree = Octree()
    world = apartment()
    stamp = 0
    for x, y in ((2.0, 1.0), (1.5, 4.1))[:n_spots]:
        for pose in look_around(x, y):
            octree.integrate(world.depth(pose), CAMERA, pose, stamp)
            stamp += 1
    return octree


# --- what an image says -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """What an image says about N voxels: sixteenths of rays that ended and passed (N, 2), hit (N,), crossed by a ray (N,)."""

    votes: np.ndarray
    hit: np.ndarray
    crossed: np.ndarray


def brute_force(depth: np.ndarray, camera: Camera, T: np.ndarray, leaf: float, points: np.ndarray) -> Said:
    """What an image says about the voxels of ``points`` (N, 3): by the definitions, ray by ray, in float64."""
    height, width = depth.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    rays = np.dstack([(grid - (camera.cx, camera.cy)) / (camera.fx, camera.fy), np.ones(depth.shape)])
    seen = rays * depth[..., None].astype(np.float64)  # camera frame
    ends: set[tuple[int, ...]] = set()
    surfaces: dict[tuple[int, ...], int] = {}
    for v in range(height):
        for u in range(width):
            if depth[v, u] <= 0:
                continue
            ends.add(tuple(np.floor((T[:3, :3] @ seen[v, u] + T[:3, 3]) / leaf).astype(int)))
            normal = seen[v, u]
            if 3 <= u < width - 3 and 3 <= v < height - 3:
                a, b, c, d = depth[v, u - 3], depth[v, u + 3], depth[v - 3, u], depth[v + 3, u]
                if min(a, b, c, d) > 0 and max(abs(b - a), abs(d - c)) <= 0.1 * depth[v, u]:
                    normal = np.cross(seen[v, u + 3] - seen[v, u - 3], seen[v + 3, u] - seen[v - 3, u])
                    normal *= np.sign(normal @ seen[v, u])
            point = seen[v, u] + normal / np.linalg.norm(normal) * evidence.INSET * leaf
            voxel = tuple(np.floor((T[:3, :3] @ point + T[:3, 3]) / leaf).astype(int))
            surfaces[voxel] = surfaces.get(voxel, 0) + 1
    directions = (T[:3, :3] @ rays.reshape(-1, 3).T).T  # (P, 3) per metre of depth
    votes, hit, crossed = np.zeros((len(points), 2)), np.zeros(len(points), bool), np.zeros(len(points), bool)
    for n, point in enumerate(points):
        voxel = np.floor(point / leaf)
        key = tuple(voxel.astype(int))
        x, y, z = T[:3, :3].T @ ((voxel + 0.5) * leaf - T[:3, 3])
        if z <= evidence.MIN_DEPTH:
            continue
        hit[n] = key in ends
        with np.errstate(divide="ignore"):
            t = (np.stack([voxel, voxel + 1])[:, None] * leaf - T[:3, 3]) / directions  # (2, P, 3)
        enter, leave = t.min(axis=0).max(axis=1), t.max(axis=0).min(axis=1)
        crossed[n] = np.any((enter < leave) & (depth.ravel() > leave))
        face = (camera.fx * leaf / z) * (camera.fy * leaf / z)
        votes[n, 0] = np.ceil(min(16 * surfaces.get(key, 0) / face, 16))
        met = passed = 0
        for a in range(4):
            for b in range(4):
                u, v = (
                    int(np.floor(f * (c + evidence.FOOTPRINT * leaf * (2 * s + 1 - 4) / 4) / z + o + 0.5))
                    for f, c, o, s in ((camera.fx, x, camera.cx, a), (camera.fy, y, camera.cy, b))
                )
                if 0 <= u < width and 0 <= v < height:
                    p = v * width + u
                    met += bool(enter[p] < leave[p])
                    passed += bool(enter[p] < leave[p]) and depth[v, u] > leave[p] + evidence.PASS_MARGIN * leaf
        votes[n, 1] = round(16 * passed / met) if met else 0
    return Said(votes, hit, crossed)


def voxel_values(octree: Octree, points: np.ndarray, name: str) -> np.ndarray:
    """An array of voxels, such as "solid", at points (N, 3); 0 where there is no brick."""
    voxel = torch.from_numpy(np.floor(points / octree.parameters.leaf_size).astype(np.int64)) + (1 << 15)
    row = octree.bricks.find(voxels.encode(voxel >> 3))
    index = ((voxel[:, 0] & 7) << 6) | ((voxel[:, 1] & 7) << 3) | (voxel[:, 2] & 7)
    return torch.where(row >= 0, getattr(octree.bricks, name)[row, index], 0).numpy()


def test_an_image_says_what_every_ray_says_about_every_voxel(rng: np.random.Generator) -> None:
    pose = look_at((0.3, 0.2, 0.5), (2.0, 0.9, 0.1))
    depth = World(np.array([box(1.51, -2, -2, 1.6, 0.61, 2), box(2.51, -3, -3, 2.6, 3, 3)])).depth(pose, SMALL)
    depth[10:14] = 0.0
    octree = Octree()
    octree.integrate(depth, SMALL, pose, 1)
    points = rng.uniform((0.4, -1.2, -0.8), (2.7, 1.8, 1.2), size=(3000, 3))
    said = brute_force(depth, SMALL, pose, octree.parameters.leaf_size, points)
    states, _ = octree.query(points)
    assert np.mean((states == 1) == said.hit) > 0.999  # but for rounding
    # Rays into a voxel are taken for parallel; where all of them pass, those that only just miss it are counted, too.
    missed = said.crossed & ~said.hit
    assert np.mean((states == 0) == missed) > 0.98
    solid = voxel_values(octree, points, "solid")
    expected = (log_odds(0.55) * said.votes[:, 0] + log_odds(0.3) * said.votes[:, 1]) / 16
    assert np.mean(np.abs(solid - expected) < 100) > 0.95
    assert np.sum(said.hit) > 15 and np.sum(missed) > 300 and np.sum(solid > 0) > 10


@pytest.mark.parametrize("height", [0.70, 0.713, 0.725, 0.74])
def test_a_table_seen_along_its_top_stays_wherever_it_lies_between_voxels(height: float) -> None:
    world = World(np.array([box(1.2, 1.6, height, 2.6, 2.4, height + 0.05), box(-1, -1, -0.2, 6, 5, 0.0)]))
    octree, camera = Octree(), Camera(320, 240, 220.0, 220.0, 159.5, 119.5)
    for stamp, (x, y) in enumerate([(2.0, 0.6), (0.4, 2.0), (3.4, 2.0), (1.4, 3.4)]):
        for x_moved in (x, x + 0.1, x + 0.2):
            pose = look_at((x_moved, y, 1.2), (1.9, 2.0, 1.1))
            octree.integrate(world.depth(pose, camera), camera, pose, stamp)
    x, y = np.meshgrid(np.arange(1.325, 2.5, 0.05), np.arange(1.725, 2.3, 0.05))
    columns = [np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1) for z in np.arange(0.625, 0.9, 0.05)]
    states = np.array([octree.query(points)[0] for points in columns])
    assert np.mean((states == 1).any(axis=0)) > 0.85


def test_compiled_kernels_and_torch_give_the_same_bits() -> None:
    world, trees = apartment(), [Octree(compiled=True), Octree(compiled=False)]
    for stamp, pose in enumerate(look_around(2.0, 1.0, 5)):
        tilted = pose @ look_at((0, 0, 0), (0.1, 0.2, 1.0))
        depth = world.depth(tilted)
        depth[::7, ::5] = 0.0
        for tree in trees:
            tree.integrate(depth, CAMERA, tilted, stamp)
    a, b = (tree.arrays() for tree in trees)
    assert a["keys"].size > 50
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    points = np.random.default_rng(1).uniform(-1, 9, size=(2000, 3))
    rays = [tree.cast_rays(points, points[::-1] - points, 5.0) for tree in trees]
    for field in ("hits", "points", "ranges", "crossed_unknown"):
        np.testing.assert_array_equal(getattr(rays[0], field), getattr(rays[1], field))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_answers_of_the_cpu() -> None:
    world, trees = apartment(), [Octree(), Octree(device="cuda")]
    for stamp, pose in enumerate(look_around(2.0, 1.0, 8)):
        for tree in trees:
            tree.integrate(world.depth(pose), CAMERA, pose, stamp)
    a, b = (tree.arrays() for tree in trees)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_a_wall_is_occupied_what_lies_before_it_is_free_and_behind_it_unknown(backend: tuple[str, bool]) -> None:
    octree = Octree(device=backend[0], compiled=backend[1])
    see(octree, 2.01)
    assert [probe(octree, x) for x in (0.5, 1.2, 1.9, 2.03, 2.3, 3.0)] == [0, 0, 0, 1, -1, -1]
    assert octree.query(np.array([[-0.5, 0, 0], [1.0, 3.0, 0.0]]))[0].tolist() == [-1, -1]


def test_no_measurement_says_nothing(backend: tuple[str, bool]) -> None:
    octree = Octree(device=backend[0], compiled=backend[1])
    octree.integrate(wall(0.0), SMALL, FORWARD, 0)
    assert octree.n_bricks == 0
    half = wall(2.0)
    half[:, :40] = 0.0
    octree.integrate(half, SMALL, FORWARD, 1)
    assert octree.query(np.array([[1.0, -0.45, 0.0], [1.0, 0.45, 0.0]]))[0].tolist() == [0, -1]


def test_beyond_its_range_depth_carves_but_does_not_fill(backend: tuple[str, bool]) -> None:
    octree = Octree(OctreeParameters(max_range=2.0), backend[0], compiled=backend[1])
    see(octree, 3.0)
    assert [probe(octree, x) for x in (1.0, 1.9, 2.2, 3.0)] == [0, 0, -1, -1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([1.01, 1.51, 2.01, 2.51]), min_size=1, max_size=4))
def test_the_map_follows_the_world_in_both_directions(distances: list[float]) -> None:
    octree = Octree()
    for i, distance in enumerate(distances):
        see(octree, distance, n=30, first_stamp=30 * i)
    for distance in {1.01, 1.51, 2.01, 2.51}:
        if distance < distances[-1]:
            assert probe(octree, distance) == 0  # carved, whatever stood there before
        elif distance == distances[-1]:
            assert probe(octree, distance) == 1  # filled, however often it was seen free


def test_a_pole_thinner_than_a_voxel_is_occupied_but_does_not_block_the_view() -> None:
    octree = Octree()
    world = World(np.array([box(1.46, -0.03, -1, 1.475, -0.015, 1), box(3, -4, -4, 3.1, 4, 4)]))
    for i in range(10):
        pose = look_at((0.0, 0.02 * i - 0.1, 0.0), (1.0, 0.02 * i - 0.1, 0.0))
        octree.integrate(world.depth(pose, CAMERA), CAMERA, pose, i)
    pole = np.array([[1.4675, -0.0225, 0.01]])
    assert octree.query(pole)[0] == 1 and voxel_values(octree, pole, "solid") <= 0
    ray = (np.zeros((1, 3)), pole, 4.0)
    np.testing.assert_allclose(octree.cast_rays(*ray).ranges, 3.0, atol=0.1)
    np.testing.assert_allclose(octree.cast_rays(*ray, stop_at="occupied").ranges, 1.45, atol=0.1)


def test_less_trusted_measurements_weigh_less_and_carve_nothing(backend: tuple[str, bool]) -> None:
    octree = Octree(device=backend[0], compiled=backend[1])
    confidence = np.full((SMALL.height, SMALL.width), 0.2, dtype=np.float32)
    confidence[:, :32] = 1.0  # left in the image: positive y
    octree.integrate(wall(2.01), SMALL, FORWARD, 0, confidence)
    places = np.array([[1.0, 0.3, 0.0], [2.01, 0.5, 0.01], [1.0, -0.3, 0.0], [2.01, -0.5, 0.01]])
    states, probabilities = octree.query(places)
    assert states.tolist() == [0, 1, -1, 1]
    np.testing.assert_allclose(probabilities[[1, 3]], (0.7, 1 / (1 + np.exp(-0.2 * log_odds(0.7) / 1000))), atol=1e-3)


def test_the_number_of_threads_changes_nothing() -> None:
    world, trees = apartment(), [Octree(OctreeParameters(n_threads=n)) for n in (1, 2, 5)]
    for stamp, pose in enumerate(look_around(2.0, 1.0, 5)):
        for tree in trees:
            tree.integrate(world.depth(pose), CAMERA, pose, stamp)
    first, *others = (tree.arrays() for tree in trees)
    for other in others:
        for name in first:
            np.testing.assert_array_equal(first[name], other[name])


# --- scans of points --------------------------------------------------------------------------------------------------


def lidar(rng: np.random.Generator, n: int = 3000) -> np.ndarray:
    """Returns of a scan in a room of 6 x 5 x 3 m, seen from (0.33, 0.21, 0.12)."""
    directions = rng.normal(size=(n, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        walls = np.where(directions > 0, (3.03, 2.54, 1.72), (-3.04, -2.53, -1.36))
        length = np.min((walls - (0.33, 0.21, 0.12)) / directions, axis=1)
    return np.asarray((0.33, 0.21, 0.12) + directions * length[:, None])


@pytest.mark.parametrize("max_range", [None, 2.6])
def test_a_scan_of_points_gives_what_octomap_gives(rng: np.random.Generator, max_range: float | None) -> None:
    pyoctomap = pytest.importorskip("pyoctomap")
    reference, octree = pyoctomap.OcTree(0.1), Octree(OctreeParameters(leaf_size=0.1))
    for stamp in range(2):
        points = lidar(rng)
        octree.insert_points(points, (0.33, 0.21, 0.12), stamp, max_range)
        reference.insertPointCloud(points, np.array((0.33, 0.21, 0.12)), max_range=max_range or -1.0)
    samples = rng.uniform((-3.2, -2.7, -1.5), (3.2, 2.7, 1.9), size=(4000, 3))
    nodes = [reference.search(point) for point in samples]
    theirs = np.array([-1 if node is None else int(reference.isNodeOccupied(node)) for node in nodes])
    states, probabilities = octree.query(samples)
    assert np.mean(states == theirs) > 0.999  # rays through corners are rounded differently
    both = (states >= 0) & (theirs >= 0)
    occupancy = np.array([0.5 if node is None else node.getOccupancy() for node in nodes])
    assert np.mean(np.abs(probabilities - occupancy)[both] < 0.001) > 0.999
    assert {-1, 0, 1} == set(theirs.tolist())


def test_points_by_the_compiled_walk_and_by_torch_give_the_same_bits(rng: np.random.Generator) -> None:
    trees = [Octree(compiled=True), Octree(compiled=False)]
    points = lidar(rng, 500)
    for tree in trees:
        tree.insert_points(points, (0.33, 0.21, 0.12), 0, 2.7)
    a, b = (tree.arrays() for tree in trees)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_points_without_a_return_say_nothing_and_far_ones_only_carve() -> None:
    for octree in (Octree(compiled=False), Octree()):
        octree.insert_points([[np.nan, 0, 0], [np.inf, 0, 0]], (0, 0, 0), 1)
        assert octree.n_bricks == 0
    octree.insert_points([[3.01, 0.01, 0.01]], (0.01, 0.01, 0.01), 2, max_range=2.0)
    assert [probe(octree, x) for x in (0.5, 1.9, 2.2, 3.01)] == [0, 0, -1, -1]
    for points, origin, message in (
        (np.zeros((0, 3)), (0, 0, 0), "at least one"),
        (np.zeros((3, 2)), (0, 0, 0), r"shape \(3, 2\)"),
        (np.zeros((1, 3)), (0, np.nan, 0), "finite origin"),
        (np.zeros((1, 3)), (1e9, 0, 0), r"within 1638\.4 m"),
    ):
        with pytest.raises(ValueError, match=message):
            octree.insert_points(points, origin, 3)
    with pytest.raises(ValueError, match="max_range"):
        octree.insert_points([[1, 0, 0]], (0, 0, 0), 3, max_range=0.0)


# --- queries ----------------------------------------------------------------------------------------------------------


def dense(octree: Octree, low: np.ndarray, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """States and log-odds of a block of voxels from the saved arrays, by a loop over bricks; low: first voxel from the origin."""
    arrays = octree.arrays()
    states, values = np.full(shape, -1), np.full(shape, -np.inf)
    origins = voxels.decode(torch.from_numpy(arrays["keys"])).numpy() * 8 - (1 << 15)
    for i, origin in enumerate(origins):
        known = arrays["count"][i].reshape(8, 8, 8) > 0
        value = arrays["log_odds"][i].reshape(8, 8, 8)
        a = np.maximum(origin - low, 0)
        b = np.minimum(origin + 8 - low, shape)
        if np.any(a >= b):
            continue
        inner = tuple(slice(*p) for p in zip(a - origin + low, b - origin + low, strict=True))
        outer = tuple(slice(*p) for p in zip(a, b, strict=True))
        states[outer] = np.where(known, (value > 0).astype(int), -1)[inner]
        values[outer] = np.where(known, value, -np.inf)[inner]
    return states, values


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4, 5])
def test_cubes_of_any_size_answer_as_a_dense_grid_does(level: int, rng: np.random.Generator) -> None:
    octree = explored(1)
    low, shape = np.array([-32, -32, -32]), (128, 128, 128)
    states, values = dense(octree, low, shape)
    n = 1 << level
    blocks = [a.reshape(*(s for d in shape for s in (d // n, n))) for a in (states, values)]
    known, occupied = blocks[0] >= 0, blocks[0] == 1
    expected = np.where(occupied.any(axis=(1, 3, 5)), 1, np.where(known.all(axis=(1, 3, 5)), 0, -1))
    cells = rng.integers(0, 128 // n, size=(4000, 3))
    points = (cells * n + rng.uniform(0.01, n - 0.01, size=cells.shape) + low) * 0.05
    got, probabilities = octree.query(points, level)
    want = expected[tuple(cells.T)]
    np.testing.assert_array_equal(got, want)
    peak = blocks[1].max(axis=(1, 3, 5))[tuple(cells.T)]
    np.testing.assert_allclose(probabilities, np.where(want == -1, 0.5, 1 / (1 + np.exp(-peak / 1000))), atol=1e-6)
    assert {-1, 1} <= set(want.tolist())


def test_rays_hit_what_small_steps_along_them_hit(rng: np.random.Generator) -> None:
    octree = explored(1)
    origins = rng.uniform((0.5, 0.5, 0.5), (3.5, 3.0, 2.0), size=(200, 3))
    directions = rng.normal(size=(200, 3))
    got = octree.cast_rays(origins, directions, 4.0, stop_at="occupied")
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    steps = np.arange(0.0, 4.0, 0.002)
    for i in range(200):
        along = origins[i] + steps[:, None] * unit[i]
        states, _ = octree.query(along)
        hit = np.flatnonzero(states == 1)
        first = steps[hit[0]] if hit.size else 4.0
        # Small steps may miss a corner that the walk does not.
        if got.hits[i] and not (hit.size and abs(first - got.ranges[i]) < 0.004):
            assert got.ranges[i] < first
            corner = octree.query(origins[i] + (got.ranges[i] + 1e-7) * unit[i][None])
            assert corner[0][0] == 1 or octree.query(got.points[i][None])[0][0] == 1
            continue
        assert got.hits[i] == bool(hit.size)
        if hit.size:
            assert np.abs(along[hit[0]] - got.points[i]).max() <= 0.025 + 0.002  # one step
        assert bool((states[: hit[0] if hit.size else None] == -1).any()) <= got.crossed_unknown[i]
    assert got.hits.sum() > 20


def test_a_ray_that_hits_nothing_ends_at_its_range() -> None:
    hits = Octree().cast_rays(np.array([[0.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 2.0]]), 3.0)
    assert not hits.hits[0] and hits.crossed_unknown[0]
    np.testing.assert_allclose(hits.points[0], (0, 0, 3.0))


def test_occupied_voxels_are_those_that_answer_occupied_and_lie_on_surfaces() -> None:
    octree = explored()
    centres, probabilities = octree.occupied()
    states, p = octree.query(centres)
    assert np.all(states == 1) and len(centres) > 1000
    np.testing.assert_allclose(probabilities, p)
    boxes = apartment().boxes
    distance = np.min(
        [np.linalg.norm(np.maximum(np.maximum(a - centres, centres - b), 0), axis=1) for a, b in boxes], axis=0
    )
    assert distance.max() < 0.05 * np.sqrt(3) / 2 + 1e-3
    bounds = octree.bounds()
    assert bounds is not None and np.all(centres > bounds[0]) and np.all(centres < bounds[1])


def test_agrees_with_octomap_where_surfaces_face_the_camera() -> None:
    pyoctomap = pytest.importorskip("pyoctomap")
    reference, octree = pyoctomap.OcTree(0.05), Octree()
    world = World(np.array([box(2.01, -3, -3, 2.2, 3, 3)]))
    for i in range(5):
        pose = look_at((0.0, 0.1 * i, 0.0), (1.0, 0.1 * i, 0.0))
        depth = world.depth(pose)
        octree.integrate(depth, CAMERA, pose, i)
        points = transform_points(pose, back_project(depth, CAMERA)[depth > 0])
        reference.insertPointCloud(np.ascontiguousarray(points), pose[:3, 3].copy(), max_range=4.0, discretize=True)
    grid = np.stack(np.meshgrid(np.arange(0.925, 2.4, 0.05), np.arange(-0.475, 0.5, 0.05), [0.025], indexing="ij"), -1)
    points = grid.reshape(-1, 3)
    mine, _ = octree.query(points)
    nodes = [reference.search(point) for point in points]
    theirs = np.array([-1 if node is None else int(reference.isNodeOccupied(node)) for node in nodes])
    assert np.mean(mine == theirs) > 0.99
    assert {-1, 0, 1} == set(mine.tolist())


# --- life -------------------------------------------------------------------------------------------------------------


def test_growing_keeps_what_was_there_and_work_stays_with_what_is_in_view() -> None:
    octree = Octree()
    see(octree, 2.01, n=3)
    before = octree.query(np.array([[2.01, 0.01, 0.01]]))[1]
    for i in range(40):  # far beyond the first allocation
        pose = look_at((10.0 * i, 30.0, 0.0), (10.0 * i + 1.0, 30.0, 0.0))
        octree.integrate(wall(2.01), SMALL, pose, 10 + i)
    assert octree.n_bricks > 1024
    assert octree.query(np.array([[2.01, 0.01, 0.01]]))[1] == before
    assert octree.n_bytes > octree.n_bricks * 512 * 12
    seen = octree.bricks.last_scan.amax(dim=1)
    assert int((seen == octree.n_scans - 1).sum()) < 300  # the last image touched the bricks in its view only


def test_saving_and_opening_gives_the_same_octree(backend: tuple[str, bool]) -> None:
    octree = explored(1)
    again = Octree.from_arrays(octree.arrays(), device=backend[0], compiled=backend[1])
    for name, array in octree.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])
    pose = look_around(2.0, 1.0)[0]
    for tree in (octree, again):
        tree.integrate(apartment().depth(pose), CAMERA, pose, 100)
    np.testing.assert_array_equal(octree.occupied()[0], again.occupied()[0])
    assert (octree.stamp_ns, octree.n_scans) == (again.stamp_ns, again.n_scans) == (100, 13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("count"), "missing: count"),
        (lambda a: a.update(keys=a["keys"][::-1].copy()), "ascending"),
        (lambda a: a.update(log_odds=a["log_odds"][1:]), "log_odds"),
        (lambda a: a.update(geometry=np.array([0.1, 16.0])), "0.1 m"),
    ],
)
def test_damaged_or_foreign_arrays_are_refused(change: object, message: str) -> None:
    arrays = explored(1).arrays()
    change(arrays)  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        Octree.from_arrays(arrays)


def test_queries_beside_integration_see_whole_voxels() -> None:
    octree = Octree()
    see(octree, 2.01)
    stop, failures = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            states, p = octree.query(np.array([[1.0, 0.01, 0.01], [2.01, 0.01, 0.01]]))
            if states.tolist() != [0, 1] or not np.all((p > 0.1) & (p < 0.98)):
                failures.append((states, p))

    thread = threading.Thread(target=ask)
    thread.start()
    for i in range(60):  # grows several times meanwhile
        pose = look_at((0.0, 0.0, 0.0), (np.cos(i), np.sin(i), 0.0)) if i % 2 else FORWARD
        pose = pose.copy()
        if i % 2:
            pose[1, 3] += 5.0 * i
        octree.integrate(wall(2.01), SMALL, pose, i)
    stop.set()
    thread.join()
    assert not failures


def test_bad_input_is_refused_with_what_was_wrong() -> None:
    octree = Octree()
    with pytest.raises(ValueError, match=r"expected depth \(48, 64\) float32"):
        octree.integrate(np.zeros((4, 4), dtype=np.float32), SMALL, FORWARD, 0)
    with pytest.raises(ValueError, match="finite depths"):
        octree.integrate(wall(np.nan), SMALL, FORWARD, 0)
    assert octree.n_scans == 0
    with pytest.raises(ValueError, match="finite points"):
        octree.query(np.array([[np.nan, 0, 0]]))
    with pytest.raises(ValueError, match="level from 0 to 16"):
        octree.query(np.zeros((1, 3)), 17)
    with pytest.raises(ValueError, match="length > 0"):
        octree.cast_rays(np.zeros((1, 3)), np.zeros((1, 3)), 1.0)
    with pytest.raises(ValueError, match="max_range"):
        octree.cast_rays(np.zeros((1, 3)), np.ones((1, 3)), 0.0)
    with pytest.raises(ValueError, match="p_min"):
        OctreeParameters(p_hit=0.4)
    assert octree.n_bricks == 0 and octree.bounds() is None


def test_what_lies_outside_of_the_world_is_unknown_and_harmless() -> None:
    octree = Octree(OctreeParameters(levels=6))  # a cube of 3.2 m around the origin
    see(octree, 3.0)
    assert probe(octree, 1.0) == 0
    assert octree.query(np.array([[100.0, 0.0, 0.0]]))[0].tolist() == [-1]
    pose = FORWARD.copy()
    pose[:3, 3] = 50.0
    octree.integrate(wall(1.0), SMALL, pose, 1)
    assert octree.cast_rays(np.array([[5.0, 0, 0]]), np.array([[1.0, 0, 0]]), 3.0).crossed_unknown[0]
