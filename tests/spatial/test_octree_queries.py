"""Boxes, changes, nearest voxels, display and annotations against dense brute force, on every backend."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.spatial import voxels
from loci.spatial.bricks import NOTHING_KNOWN
from loci.spatial.octree import Octree, OctreeParameters

LEAF, LEVELS = 0.05, 10
HALF = 1 << (LEVELS - 1)
PARAMETERS = OctreeParameters(leaf_size=LEAF, levels=LEVELS)
#: The dense world: 48 voxels per edge around the map's origin, aligned with cubes of level 4.
LOW, N = -16, 48
BACKENDS = [("cpu", True), ("cpu", False), *([("cuda", False)] if torch.cuda.is_available() else [])]
STAMPS = np.array([100, 200, 300, 400], dtype=np.int64)


class Dense:
    """A random world as plain grids, and the octree that holds the same."""

    def __init__(self, seed: int, backend: tuple[str, bool]) -> None:
        rng = np.random.default_rng(seed)
        shape = (N, N, N)
        coarse = rng.choice([-1, 0, 1], p=[0.3, 0.6, 0.1], size=(N // 8,) * 3)
        self.states = np.kron(coarse, np.ones((8, 8, 8), dtype=int))
        noise = rng.random(shape) < rng.choice([0.0, 0.02, 0.5])
        self.states[noise] = rng.integers(-1, 2, size=int(noise.sum()))
        self.log_odds = np.where(self.states == 1, rng.integers(1, 3511, shape), rng.integers(-2000, 1, shape))
        self.last = rng.integers(0, len(STAMPS), shape)
        self.changed = np.minimum(rng.integers(0, len(STAMPS), shape), self.last)
        bricks = np.stack(np.meshgrid(*[np.arange(N // 8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        keys = voxels.encode(torch.from_numpy(bricks + (LOW + HALF) // 8))
        order = torch.argsort(keys)
        known = self.in_bricks(self.states)[order] >= 0
        keep = known.any(axis=1)

        def rows(values: np.ndarray, dtype: type) -> np.ndarray:
            return np.where(known, self.in_bricks(values)[order], 0).astype(dtype)[keep]

        arrays = {
            "keys": keys[order].numpy()[keep],
            "log_odds": rows(self.log_odds, np.int16),
            "solid": rows(self.log_odds, np.int16),
            "touched": rows(np.sign(self.log_odds), np.int8),
            "last_scan": rows(self.last, np.int32),
            "changed_scan": rows(self.changed, np.int32),
            "count": known.astype(np.int16)[keep],
            "geometry": np.array([LEAF, LEVELS], dtype=np.float64),
            "stamps": STAMPS,
        }
        self.octree = Octree.from_arrays(arrays, PARAMETERS, backend[0], compiled=backend[1])

    @staticmethod
    def in_bricks(values: np.ndarray) -> np.ndarray:
        n = N // 8
        return values.reshape(n, 8, n, 8, n, 8).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 512)

    def cubes(self, level: int) -> tuple[np.ndarray, ...]:
        """States, probabilities, last seen and changed stamps of all cubes of a level, dense."""
        e = 1 << level

        def blocks(values: np.ndarray) -> np.ndarray:
            m = N // e
            return values.reshape(m, e, m, e, m, e).transpose(0, 2, 4, 1, 3, 5).reshape(m, m, m, -1)

        states, log_odds = blocks(self.states), blocks(self.log_odds)
        last, changed = blocks(STAMPS[self.last]), blocks(STAMPS[self.changed])
        any_occupied, all_free = (states == 1).any(-1), (states == 0).all(-1)
        state = np.where(any_occupied, 1, np.where(all_free, 0, -1))
        peak = np.where(states >= 0, log_odds, NOTHING_KNOWN).max(-1)
        since = np.where(any_occupied, np.where(states == 1, changed, 10**9).min(-1), changed.max(-1))
        return state, 1 / (1 + np.exp(-peak / 1000)), np.where(states >= 0, last, -1).max(-1), since


@cache
def world(seed: int, backend: tuple[str, bool] = BACKENDS[0]) -> Dense:
    return Dense(seed, backend)


corner = st.tuples(*[st.floats(-1.2, 2.0)] * 3)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 5),
    a=corner,
    b=corner,
    level=st.integers(0, 4),
    which=st.sampled_from([(True, False), (False, True), (True, True)]),
    since=st.sampled_from([None, 0, 100, 250, 400]),
    limit=st.sampled_from([1, 7, 100_000]),
)
def test_a_box_holds_the_cubes_that_a_dense_grid_has_there(
    backend: tuple[str, bool],
    seed: int,
    a: tuple[float, ...],
    b: tuple[float, ...],
    level: int,
    which: tuple[bool, bool],
    since: int | None,
    limit: int,
) -> None:
    dense = world(seed, backend)
    lower, upper = np.minimum(a, b), np.maximum(a, b)
    occupied, free = which
    got = dense.octree.query_box(lower, upper, level, occupied=occupied, free=free, changed_since_ns=since, limit=limit)
    state, probability, last, changed = dense.cubes(level)
    size = LEAF * (1 << level)
    index = np.indices(state.shape).reshape(3, -1).T
    bottom = index * size + LOW * LEAF
    margin = 1e-6 * size
    holds = np.all((bottom < upper - margin) & (bottom + size > lower + margin), axis=1)
    wanted = holds & ((state.ravel() == 1) & occupied | (state.ravel() == 0) & free)
    if since is not None:
        wanted &= changed.ravel() > since
    if np.all(upper - lower > 2 * margin):
        assert got.n_total == wanted.sum()
    n = min(got.n_total, limit)
    assert got.size == pytest.approx(size) and got.centres.shape == (n, 3) and len(got.labels) == n
    at = tuple(np.rint((got.centres - LOW * LEAF) / size - 0.5).astype(int).T)
    assert len(set(zip(*at, strict=True))) == n
    if np.all(upper - lower > 2 * margin):
        assert wanted.reshape(state.shape)[at].all()
    np.testing.assert_array_equal(got.states, state[at])
    np.testing.assert_allclose(got.probabilities, probability[at], atol=1e-6)
    np.testing.assert_array_equal(got.last_seen_ns, last[at])
    np.testing.assert_array_equal(got.changed_ns, changed[at])


@pytest.mark.parametrize("level", [5, 7, LEVELS])
def test_large_cubes_of_a_box_answer_as_points_in_them_do(level: int) -> None:
    octree = world(1).octree
    reach = HALF * LEAF
    got = octree.query_box([-reach] * 3, [reach] * 3, level)
    states, probabilities = octree.query(got.centres, level)
    assert len(got.states) > 0
    np.testing.assert_array_equal(got.states, states)
    np.testing.assert_allclose(got.probabilities, probabilities, atol=1e-6)


def test_a_box_without_extent_is_the_cube_that_holds_the_point() -> None:
    dense = world(0)
    at = np.argwhere(dense.states == 1)[0]
    point = (at + LOW + 0.3) * LEAF
    got = dense.octree.query_box(point, point)
    np.testing.assert_allclose(got.centres, [(at + LOW + 0.5) * LEAF])
    assert got.n_total == 1 and got.states.tolist() == [1]


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 5),
    points=st.lists(st.tuples(*[st.floats(-6.0, 6.0)] * 3), min_size=1, max_size=20),
    max_distance=st.floats(0.01, 12.0),
)
def test_the_nearest_voxel_is_that_of_brute_force(
    backend: tuple[str, bool], seed: int, points: list[tuple[float, ...]], max_distance: float
) -> None:
    dense = world(seed, backend)
    occupied = (np.argwhere(dense.states == 1) + LOW + 0.5) * LEAF
    got = dense.octree.nearest_occupied(points, max_distance)
    distances = np.linalg.norm(np.array(points)[:, None] - occupied, axis=2).min(axis=1)
    sure = np.abs(distances - max_distance) > 1e-9
    np.testing.assert_array_equal(got.found[sure], (distances <= max_distance)[sure])
    np.testing.assert_allclose(got.distances[got.found], distances[got.found], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(got.centres - points, axis=1)[got.found], distances[got.found], atol=1e-9)
    assert np.all(dense.octree.query(got.centres[got.found])[0] == 1)
    np.testing.assert_array_equal(got.centres[~got.found], np.array(points)[~got.found])
    assert np.all(np.isinf(got.distances[~got.found]))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 3), rng_seed=st.integers(0, 1000), on_grid=st.booleans())
def test_backends_name_the_same_voxel_also_where_several_are_as_near(seed: int, rng_seed: int, on_grid: bool) -> None:
    points = np.random.default_rng(rng_seed).uniform(-1.5, 2.5, size=(24, 3))
    if on_grid:  # corners of voxels: eight are as near
        points = np.round(points / LEAF) * LEAF
    answers = [world(seed, backend).octree.nearest_occupied(points, 3.0) for backend in BACKENDS]
    for other in answers[1:]:
        np.testing.assert_array_equal(answers[0].centres, other.centres)
        np.testing.assert_array_equal(answers[0].distances, other.distances)


def test_an_empty_octree_has_nothing_in_any_box_and_nothing_near() -> None:
    for device, compiled in BACKENDS:
        octree = Octree(PARAMETERS, device, compiled=compiled)
        assert octree.query_box([-1, -1, -1], [1, 1, 1]).n_total == 0
        assert octree.changes(0).n_total == 0
        assert not octree.nearest_occupied(np.zeros((3, 3)), 5.0).found.any()
        assert octree.downsampled(2).centres.shape == (0, 3)
        assert octree.annotate(np.zeros((1, 3)), "mug") == 0 and octree.annotations(np.zeros((1, 3))) == (("",), ("",))


def test_changes_are_what_became_occupied_or_free_after_the_stamp() -> None:
    dense = world(2)
    got = dense.octree.changes(200)
    wanted = (dense.states >= 0) & (STAMPS[dense.changed] > 200)
    assert got.n_total == wanted.sum()
    assert set(got.changed_ns.tolist()) == {300, 400}
    assert dense.octree.changes(400).n_total == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
def test_the_display_shows_every_cube_that_holds_something(backend: tuple[str, bool], level: int) -> None:
    dense = world(3, backend)
    state, *_ = dense.cubes(level)
    got = dense.octree.downsampled(level)
    size = LEAF * (1 << level)
    assert (got.level, got.size) == (level, pytest.approx(size))
    at = np.rint((got.centres - LOW * LEAF) / size - 0.5).astype(int)
    assert {tuple(v) for v in at.tolist()} == {tuple(v) for v in np.argwhere(state == 1).tolist()}
    assert len(at) == (state == 1).sum()


def test_a_display_with_too_many_cubes_becomes_coarser_until_it_fits() -> None:
    octree = world(3).octree
    n = [len(octree.downsampled(level).centres) for level in range(5)]
    assert n[0] > n[2] > n[4] > 0
    got = octree.downsampled(0, limit=n[2])
    assert got.level == 2 and len(got.centres) == n[2]
    assert len(octree.downsampled(0, limit=1).centres) == 1


# --- annotations ------------------------------------------------------------------------------------------------------


def annotated(backend: tuple[str, bool] = BACKENDS[0]) -> tuple[Octree, np.ndarray, np.ndarray]:
    dense = Dense(4, backend)
    occupied = (np.argwhere(dense.states == 1) + LOW + 0.5) * LEAF
    mug, table = occupied[:300], occupied[300:900]
    assert dense.octree.annotate(np.vstack([mug, mug + 0.01]), "mug", "object/1") == 300
    assert dense.octree.annotate(table, "table", "object/2") == 600
    return dense.octree, mug, table


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_was_annotated_is_told_for_its_voxels_and_no_others(backend: tuple[str, bool]) -> None:
    octree, mug, table = annotated(backend)
    labels, objects = octree.annotations(np.vstack([table, mug]))
    assert labels == ("table",) * 600 + ("mug",) * 300
    assert objects == ("object/2",) * 600 + ("object/1",) * 300
    reach = HALF * LEAF
    all_of_them = octree.query_box([-reach] * 3, [reach] * 3)
    assert (all_of_them.labels.count("mug"), all_of_them.labels.count("table")) == (300, 600)
    assert not any(label for label, state in zip(all_of_them.labels, all_of_them.states, strict=True) if state == 0)


def test_free_space_takes_no_annotation() -> None:
    dense = world(4)
    free = (np.argwhere(dense.states == 0)[:50] + LOW + 0.5) * LEAF
    assert dense.octree.annotate(free, "ghost") == 0


@pytest.mark.parametrize("level", [2, 3, 5])
def test_a_cube_has_the_annotation_of_most_of_its_voxels(level: int) -> None:
    octree, mug, table = annotated()
    size = LEAF * (1 << level)
    votes: dict[tuple[int, ...], list[str]] = {}
    for points, label in ((mug, "mug"), (table, "table")):
        for cube in np.floor(points / size).astype(int).tolist():
            votes.setdefault(tuple(cube), []).append(label)
    reach = HALF * LEAF
    got = octree.query_box([-reach] * 3, [reach] * 3, level, free=False)
    assert sum(bool(label) for label in got.labels) == len(votes)
    for centre, label in zip(got.centres, got.labels, strict=True):
        names = votes.get(tuple(np.floor(centre / size).astype(int).tolist()), [""])
        assert names.count(label) == max(names.count(n) for n in names)


def test_an_annotation_ends_when_the_voxel_changes() -> None:
    octree, mug, _ = annotated()
    arrays = octree.arrays()
    brick = int(np.flatnonzero(arrays["keys"] == arrays["annotated_keys"][0])[0])
    voxel = int(np.flatnonzero(arrays["annotated_labels"][0])[0])
    changed = arrays["changed_scan"].copy()
    changed[brick, voxel] = len(STAMPS)  # something else fills it since the scan after
    later = Octree.from_arrays(arrays | {"changed_scan": changed, "stamps": np.append(STAMPS, 500)}, PARAMETERS)
    before, after = octree.annotations(mug)[0], later.annotations(mug)[0]
    assert before.count("mug") == 300 and after.count("mug") == 299


def test_renaming_follows_merges_and_losses_of_objects() -> None:
    octree, mug, table = annotated()
    octree.rename_objects({"object/1": "object/7", "object/2": None})
    assert octree.annotations(mug) == (("mug",) * 300, ("object/7",) * 300)
    # What was of an object that is gone is nobody's, and nothing is known of what it is.
    assert octree.annotations(table) == (("",) * 600, ("",) * 600)
    octree.rename_objects({"object/7": "object/8"})
    octree.annotate(table, "table", "object/8")
    assert set(octree.annotations(np.vstack([mug, table]))[1]) == {"object/8"}


def test_annotations_are_saved_and_come_back_and_damaged_ones_are_refused() -> None:
    octree, mug, table = annotated()
    arrays = octree.arrays()
    again = Octree.from_arrays(arrays, PARAMETERS)
    points = np.vstack([mug, table])
    assert again.annotations(points) == octree.annotations(points)
    again.annotate(mug, "cup", "object/9")
    assert again.annotations(mug)[0] == ("cup",) * 300 and octree.annotations(mug)[0] == ("mug",) * 300
    with pytest.raises(ValueError, match="missing: annotated_scans"):
        Octree.from_arrays({k: v for k, v in arrays.items() if k != "annotated_scans"}, PARAMETERS)
    with pytest.raises(ValueError, match="annotated_labels below 3, got 77"):
        Octree.from_arrays(arrays | {"annotated_labels": np.full_like(arrays["annotated_labels"], 77)}, PARAMETERS)
    with pytest.raises(ValueError, match="JSON"):
        Octree.from_arrays(arrays | {"annotation_tables": np.zeros(3, dtype=np.uint8)}, PARAMETERS)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda o: o.query_box([0, 0, np.nan], [1, 1, 1]), "finite corners"),
        (lambda o: o.query_box([0, 0], [1, 1, 1]), "finite corners"),
        (lambda o: o.query_box([0, 2, 0], [1, 1, 1]), "lower corner <= the upper one"),
        (lambda o: o.query_box([100, 0, 0], [101, 1, 1]), "within 25.6 m of the origin"),
        (lambda o: o.query_box([0, 0, 0], [1, 1, 1], LEVELS + 1), "level from 0 to 10, got 11"),
        (lambda o: o.query_box([0, 0, 0], [1, 1, 1], -1), "level from 0 to 10, got -1"),
        (lambda o: o.query_box([0, 0, 0], [1, 1, 1], limit=0), "limit from 1 to 100000, got 0"),
        (lambda o: o.query_box([0, 0, 0], [1, 1, 1], limit=100_001), "limit from 1 to 100000"),
        (lambda o: o.query_box([0, 0, 0], [1, 1, 1], occupied=False, free=False), "got neither"),
        (lambda o: o.nearest_occupied([[0, 0, np.inf]], 1.0), "finite points"),
        (lambda o: o.nearest_occupied([[0, 0, 26.0]], 1.0), "within 25.6 m of the origin"),
        (lambda o: o.nearest_occupied([0, 0, 0], 1.0), r"points \(N, 3\)"),
        (lambda o: o.nearest_occupied([[0, 0, 0]], 0.0), "max_distance > 0 m, got 0"),
        (lambda o: o.nearest_occupied([[0, 0, 0]], np.nan), "max_distance > 0 m, got nan"),
        (lambda o: o.downsampled(11), "level from 0 to 10"),
        (lambda o: o.downsampled(0, 0), "limit >= 1, got 0"),
        (lambda o: o.annotate([[0, 0, np.nan]], "mug"), "finite points"),
    ],
)
def test_bad_questions_are_refused_with_what_was_wrong(ask: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(world(0).octree)  # type: ignore[operator]
