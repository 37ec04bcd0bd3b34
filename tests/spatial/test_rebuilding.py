"""Corrected poses: places and keyframes move at once, the octree follows in the background, and nothing is lost meanwhile."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loci.geometry import Array
from loci.keyframes import Keyframes
from loci.memory import RobotMemory
from loci.observation import Observation
from loci.spatial.octree import Octree
from synthetic import ROOM, tour

WAIT = 60.0
N = 24
#: Without detections: no text is embedded, which is slow and says nothing here.
TOUR = [replace(o, detections=()) for o in tour(n=N)]
TRUE_POSES = [o.frame.T_map_camera for o in TOUR]


def at(observation: Observation, T_map_camera: Array) -> Observation:
    return replace(observation, frame=replace(observation.frame, T_map_camera=T_map_camera))


def drifted(i: int, first: int = 0) -> Array:
    """The pose of observation i as odometry has it that drifts from observation ``first`` on: 1.5 cm and 0.3 degrees each."""
    n = max(i - first, 0)
    angle = np.radians(0.3) * n
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:3, 3] = (0.015 * n, -0.008 * n, 0.0)
    return T @ TRUE_POSES[i]


def take(memory: RobotMemory, indices: range, first_bent: int = N) -> dict[str, Array]:
    """Observe a part of the tour; the true pose of each keyframe."""
    true = {}
    for i in indices:
        keyframe_id = memory.observe(at(TOUR[i], drifted(i, first_bent))).keyframe_id
        assert keyframe_id
        true[keyframe_id] = TRUE_POSES[i]
    return true


def octree_of(memory: RobotMemory) -> Octree:
    return memory._spatial._octree


def assert_same(a: Octree, b: Octree) -> None:
    """Every voxel has the same log-odds, counts and scans."""
    ours, theirs = a.arrays(), b.arrays()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RobotMemory]:
    """The memory that had the true poses from the start."""
    with RobotMemory.open(tmp_path_factory.mktemp("right") / "memory", map_id="room") as memory:
        take(memory, range(N))
        yield memory


@pytest.fixture
def bent(tmp_path: Path) -> Iterator[RobotMemory]:
    with RobotMemory.open(tmp_path / "bent", map_id="room") as memory:
        yield memory


class Gate:
    """Holds back every reading of stored depth until it is opened: a rebuilding takes as long as the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.reached = threading.Event(), threading.Event()
        real = Keyframes.depth

        def depth(keyframes: Keyframes, id: str) -> np.ndarray:
            if threading.current_thread() is not threading.main_thread():
                self.reached.set()
                assert self.opened.wait(WAIT)
            return real(keyframes, id)

        monkeypatch.setattr(Keyframes, "depth", depth)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.opened.set()


def test_a_bent_map_equals_after_its_correction_the_one_built_right(bent: RobotMemory, right: RobotMemory) -> None:
    true = take(bent, range(N), first_bent=0)
    known = octree_of(right).query_box([-20] * 3, [20] * 3)
    before = bent.query_occupancy(known.centres)[0]
    truth = right.query_occupancy(known.centres)[0]
    assert np.mean(before == truth) < 0.95, "the trajectory was not bent enough to show anything"
    bent.correct_poses(true)
    assert bent.finish_rebuilding(WAIT) and not bent.is_rebuilding
    assert np.mean(bent.query_occupancy(known.centres)[0] == truth) > 0.99
    assert_same(octree_of(bent), octree_of(right))
    cells = bent.occupancy_map().cells
    assert np.array_equal(cells, right.occupancy_map().cells), "the floor map did not follow"


def test_only_touched_bricks_are_made_anew_and_equal_a_whole_rebuilding(bent: RobotMemory) -> None:
    true = take(bent, range(N), first_bent=N - 4)
    old = octree_of(bent)
    bent.correct_poses(true)
    assert bent.finish_rebuilding(WAIT)
    partly = octree_of(bent)
    assert partly is not old
    bent._spatial.rebuild()
    assert octree_of(bent) is not partly
    assert_same(partly, octree_of(bent))


def test_keyframes_far_from_a_correction_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = np.eye(4)
    away[:3, 3] = (50.0, 0.0, 0.0)
    with RobotMemory.open(tmp_path / "two-rooms", map_id="room") as memory:
        here = [memory.observe(o).keyframe_id for o in TOUR[:6]]
        there = [memory.observe(at(o, away @ o.frame.T_map_camera)).keyframe_id for o in TOUR[6:12]]
        read: set[str] = set()
        real = Keyframes.depth
        monkeypatch.setattr(Keyframes, "depth", lambda k, id: (read.add(id), real(k, id))[1])
        lifted = TRUE_POSES[1].copy()
        lifted[2, 3] += 0.1
        memory.correct_poses({here[1]: lifted})
        assert memory.finish_rebuilding(WAIT)
        assert here[1] in read and not read & set(there)
        partly = octree_of(memory)
        memory._spatial.rebuild()
        assert_same(partly, octree_of(memory))


def test_questions_are_answered_and_observations_taken_while_rebuilding(
    bent: RobotMemory, right: RobotMemory, gate: Gate
) -> None:
    true = take(bent, range(16), first_bent=0)
    wall = np.array([[x, ROOM.lower[1] - 0.01, 1.5] for x in np.arange(1.0, 4.0, 0.1)])
    answers = bent.query_occupancy(wall)[0]
    bent.correct_poses(true)
    assert gate.reached.wait(WAIT)
    assert bent.is_rebuilding and bent.statistics()["octree_rebuilding"] == 1
    np.testing.assert_array_equal(bent.query_occupancy(wall)[0], answers)
    assert len(bent.occupied_voxels()) and bent.occupancy_map().cells.size
    for keyframe_id, pose in true.items():
        np.testing.assert_allclose(bent._keyframes.pose(keyframe_id), pose, atol=1e-9)  # keyframes move at once
    take(bent, range(16, N))
    assert bent.is_rebuilding
    gate.opened.set()
    assert bent.finish_rebuilding(WAIT)
    assert bent.statistics()["octree_rebuilding"] == 0
    assert_same(octree_of(bent), octree_of(right))


def test_a_correction_during_a_rebuilding_counts(bent: RobotMemory, right: RobotMemory, gate: Gate) -> None:
    true = take(bent, range(N), first_bent=0)
    wrong = {i: drifted(N - 1, 0) for i in list(true)[:5]}
    bent.correct_poses(wrong)
    assert gate.reached.wait(WAIT)
    second = threading.Thread(target=bent.correct_poses, args=(true,))
    second.start()  # it waits for the first one to stop
    gate.opened.set()
    second.join(WAIT)
    assert bent.finish_rebuilding(WAIT)
    assert_same(octree_of(bent), octree_of(right))


def test_what_is_killed_while_rebuilding_is_whole_when_opened_again(
    bent: RobotMemory, right: RobotMemory, gate: Gate, tmp_path: Path
) -> None:
    true = take(bent, range(N), first_bent=0)
    bent.save()  # the bent octree is in the store
    bent.correct_poses(true)
    assert gate.reached.wait(WAIT) and bent.is_rebuilding
    shutil.copytree(bent.path, tmp_path / "killed")  # as the disk is if the process dies now
    gate.opened.set()
    with RobotMemory.open(tmp_path / "killed", map_id="room", read_only=True) as again:
        assert_same(octree_of(again), octree_of(right))
        for keyframe_id, pose in true.items():
            np.testing.assert_allclose(again._keyframes.pose(keyframe_id), pose, atol=1e-9)


def test_saving_waits_so_that_the_stored_octree_is_the_corrected_one(bent: RobotMemory, right: RobotMemory) -> None:
    true = take(bent, range(N), first_bent=0)
    bent.correct_poses(true)
    bent.save()
    assert not bent.is_rebuilding
    read: list[str] = []
    real = Keyframes.depth
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Keyframes, "depth", lambda k, id: (read.append(id), real(k, id))[1])
        with RobotMemory.open(bent.path, map_id="room", read_only=True) as again:
            assert_same(octree_of(again), octree_of(right))
    assert not read, "the stored octree was not used"


def test_forgetting_during_a_rebuilding_takes_the_voxels_with_it(bent: RobotMemory, tmp_path: Path, gate: Gate) -> None:
    true = take(bent, range(N), first_bent=0)
    bent.correct_poses(true)
    assert gate.reached.wait(WAIT)
    gone = list(true)[3:7]
    gate.opened.set()
    bent.forget(gone)
    with RobotMemory.open(tmp_path / "never-seen", map_id="room") as other:
        for i in (*range(3), *range(7, N)):
            other.observe(TOUR[i])
        assert_same(octree_of(bent), octree_of(other))


def test_annotations_stay_where_nothing_was_corrected(bent: RobotMemory) -> None:
    take(bent, range(4))
    octree = octree_of(bent)
    solid = octree.occupied()[0].astype(float)
    octree.annotate(solid, "thing", "object/1")
    keys = octree.bricks.keys
    touched = keys[: len(keys) // 2]
    after = octree.with_bricks_of(octree, touched)
    voxels = (np.floor(solid / octree.parameters.leaf_size) // 8).astype(int)
    moved = {tuple(o) for o in (octree.brick_origins(touched) // 8).tolist()}
    expected = tuple("" if tuple(v) in moved else "thing" for v in voxels.tolist())
    assert set(expected) == {"", "thing"}
    assert after.annotations(solid)[0] == expected
    assert octree.annotations(solid)[0] == ("thing",) * len(solid)


def test_an_imported_map_stays_below_what_is_rebuilt(bent: RobotMemory, right: RobotMemory, tmp_path: Path) -> None:
    right.export_map(tmp_path / "right.ot", "ot")
    bent.import_map(tmp_path / "right.ot")
    imported = octree_of(bent).arrays()
    true = take(bent, range(6), first_bent=2)
    bent.correct_poses(true)
    assert bent.finish_rebuilding(WAIT)
    partly = octree_of(bent)
    assert partly.n_bricks >= len(imported["keys"])
    bent._spatial.rebuild()
    assert_same(partly, octree_of(bent))


def test_a_keyframe_whose_depth_is_damaged_is_left_out_with_a_warning(
    bent: RobotMemory, caplog: pytest.LogCaptureFixture
) -> None:
    true = take(bent, range(8), first_bent=0)
    bent.commit()
    damaged = list(true)[4]
    bent._store._blobs.path(bent._keyframes.get(damaged).depth_blob).write_bytes(b"damaged")
    bent._keyframes._depths.clear()
    with caplog.at_level(logging.WARNING, "loci.spatial"):
        bent.correct_poses(true)
        assert bent.finish_rebuilding(WAIT)
    assert damaged in caplog.text and bent.n_rebuilds == 1
    assert octree_of(bent).n_scans == len(true)


def test_a_jump_of_the_robots_pose_moves_nothing_and_begins_a_segment(bent: RobotMemory) -> None:
    true = take(bent, range(8))
    places = {p.id: p.position for p in bent.topology().places}
    voxels = octree_of(bent).occupied()[0]
    away = np.eye(4)
    away[:3, 3] = (30.0, 10.0, 0.0)
    bent.observe(at(TOUR[8], away @ TRUE_POSES[8]))
    assert not bent.is_rebuilding and bent.n_rebuilds == 0
    for keyframe_id, pose in true.items():
        np.testing.assert_allclose(bent._keyframes.pose(keyframe_id), pose, atol=1e-9)
    after = {p.id: p.position for p in bent.topology().places}
    for place_id, position in places.items():
        np.testing.assert_array_equal(after[place_id], position)
    assert np.all(bent.query_occupancy(voxels.astype(float))[0] == 1)
    (new,) = set(after) - set(places)
    assert not any(new in (e.source, e.target) for e in bent.topology().edges), "a way was learnt over the jump"
