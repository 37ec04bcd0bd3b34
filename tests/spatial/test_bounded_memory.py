"""An octree with a bound on its memory is the same octree: what is let go of comes back, and the account of memory is true."""

from __future__ import annotations

import errno
import gc
import logging
import os
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spatial_worlds import CAMERA, World, box

from loci.geometry import look_at
from loci.keyframes import Keyframes
from loci.memory import MemoryParameters, RobotMemory
from loci.spatial import bricks as bricks_module
from loci.spatial import row_memory
from loci.spatial.bricks import INITIAL_ROWS, VOXEL_BYTES, Bricks, Storage
from loci.spatial.memory import SpatialMemory, SpatialParameters
from loci.spatial.octomap_files import read_octomap, write_octomap
from loci.spatial.octree import Octree, OctreeParameters
from loci.spatial.residency import BLOCK_ROWS, ROW_BYTES, Residency
from loci.spatial.row_memory import RowMemory
from synthetic import tour

LENGTH = 36.0
BUDGET = 6_000_000
BLOCK_BYTES = BLOCK_ROWS * ROW_BYTES
Scan = tuple[np.ndarray, np.ndarray]


@lru_cache(maxsize=1)
def corridor() -> tuple[Scan, ...]:
    """Depth images and poses along a corridor, from one end to the other."""
    pillars = [box(x, 0.0, 0.0, x + 0.3, 0.4, 2.4) for x in np.arange(1.0, LENGTH, 3.0)]
    world = World(np.stack([box(-0.1, -0.1, -0.1, LENGTH + 0.1, 0.0, 2.5), box(-0.1, 2.0, -0.1, LENGTH + 0.1, 2.1, 2.5),
                            box(-0.1, -0.1, -0.1, LENGTH + 0.1, 2.1, 0.0), *pillars]).reshape(-1, 2, 3))  # fmt: skip
    poses = [look_at((x, 1.0, 1.2), (x + 2.0, 1.0 + 0.4 * np.sin(x), 1.0)) for x in np.arange(0.3, LENGTH - 4.0, 0.5)]
    return tuple((world.depth(pose), pose) for pose in poses)


def walked(octree: Octree, scans: tuple[Scan, ...] | None = None) -> Octree:
    for i, (depth, pose) in enumerate(corridor() if scans is None else scans):
        octree.integrate(depth, CAMERA, pose, i)
    return octree


@pytest.fixture(scope="module")
def unbounded() -> Octree:
    return walked(Octree())


def rss(octree: Octree) -> int:
    """Bytes of the octree's voxels that are in this process's memory, as the system has it."""
    rows = octree.bricks.memory["voxels"].rows()
    begin, end = rows.data_ptr(), rows.data_ptr() + rows.numel()
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        head = line.split(maxsplit=1)[0]
        if "-" in head and not head.endswith(":"):
            first, last = (int(a, 16) for a in head.split("-"))
            inside = first < end and last > begin
        elif inside and head == "Rss:":
            total += 1024 * int(line.split()[1])
    return total


def overhead(octree: Octree) -> int:
    return octree.n_bricks * (octree.bricks.bytes_per_brick - VOXEL_BYTES)


def assert_same(a: Octree, b: Octree) -> None:
    """Every array of voxels and of summaries is the same, bit for bit."""
    torch.testing.assert_close(a.bricks.keys, b.bricks.keys)
    ours, theirs = a.arrays(), b.arrays()
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    for name, summary in a.bricks.summaries.items():
        if name != "newest_scan":  # after a rebuilding, that of the copy
            assert torch.equal(summary[a.bricks.rows], b.bricks.summaries[name][b.bricks.rows]), name


# --- the bound --------------------------------------------------------------------------------------------------------


def test_memory_stays_within_the_budget_and_every_voxel_is_as_without(tmp_path: Path, unbounded: Octree) -> None:
    octree = Octree(OctreeParameters(memory_budget=BUDGET), scratch=tmp_path)
    assert unbounded.n_bytes > 4 * BUDGET, "the corridor is too short to show anything"
    for i, (depth, pose) in enumerate(corridor()):
        octree.integrate(depth, CAMERA, pose, i)
        in_view = (
            len(torch.unique(octree.bricks.find(octree.seen_bricks(depth, CAMERA, pose)) // BLOCK_ROWS)) * BLOCK_BYTES
        )
        assert octree.n_resident_bytes <= max(BUDGET, in_view + overhead(octree))
        if i % 10 == 0:
            assert rss(octree) <= octree.n_resident_bytes - overhead(octree), "more is in memory than the account says"
    assert rss(octree) > 0.3 * BUDGET, "hardly anything stays in memory"
    assert octree.n_bytes == unbounded.n_bytes and unbounded.n_resident_bytes == unbounded.n_bytes
    assert_same(octree, unbounded)
    assert rss(octree) <= octree.n_resident_bytes - overhead(octree) and octree.n_resident_bytes <= 2 * BUDGET


def test_questions_about_what_was_let_go_of_are_answered_from_the_disk(tmp_path: Path, unbounded: Octree) -> None:
    octree = walked(Octree(OctreeParameters(memory_budget=BUDGET), scratch=tmp_path))
    corner = octree.bricks.find(octree.bricks.keys[:1])
    rng = np.random.default_rng(0)
    points = rng.uniform((0, -0.2, -0.2), (LENGTH, 2.2, 2.5), size=(50_000, 3))
    for level in (0, 1, 3, 5):
        for ours, theirs in zip(octree.query(points, level), unbounded.query(points, level), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert octree.n_resident_bytes <= 2 * BUDGET and rss(octree) <= octree.n_resident_bytes
    box_there = [([0, 0, 0], [3, 2, 2], level) for level in (0, 2, 4)]
    for lower, upper, level in box_there:
        ours, theirs = (o.query_box(lower, upper, level) for o in (octree, unbounded))
        assert ours.n_total == theirs.n_total > 0
        np.testing.assert_array_equal(ours.centres, theirs.centres)
        np.testing.assert_array_equal(ours.last_seen_ns, theirs.last_seen_ns)
    for ours, theirs in zip(octree.occupied(), unbounded.occupied(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(
        octree.nearest_occupied(points[:200], 2.0).centres, unbounded.nearest_occupied(points[:200], 2.0).centres
    )
    assert octree.annotate([[1.15, 0.38, 1.0]], "pillar") == unbounded.annotate([[1.15, 0.38, 1.0]], "pillar")
    assert octree.annotations([[1.15, 0.38, 1.0]]) == unbounded.annotations([[1.15, 0.38, 1.0]])
    assert corner.numel() == 1 and octree.n_resident_bytes <= 2 * BUDGET


def test_bricks_beyond_the_radius_are_let_go_of_as_the_robot_moves(tmp_path: Path, unbounded: Octree) -> None:
    radius = 6.0
    octree = walked(Octree(OctreeParameters(resident_radius=radius), scratch=tmp_path))
    x = corridor()[-1][1][0, 3]
    assert 0 < rss(octree) <= octree.n_resident_bytes - overhead(octree) < 0.6 * octree.n_bytes
    residency = octree.bricks.residency
    assert residency is not None
    near = (residency._highest[:, 0] + 1) * 0.4 - octree._half * 0.05 > x - radius * (1 + 1 / 8) - 0.4
    n_blocks = -(-octree.n_bricks // BLOCK_ROWS)
    assert residency._is_resident[:n_blocks].any() and not (residency._is_resident & ~near)[:n_blocks].any()
    assert_same(octree, unbounded)


def test_going_there_and_back_again_brings_everything_back(tmp_path: Path) -> None:
    there = corridor()
    way = (*there, *there[::-1], *there[:10])
    octree = walked(Octree(OctreeParameters(memory_budget=BUDGET // 2, resident_radius=5.0), scratch=tmp_path), way)
    assert_same(octree, walked(Octree(), way))


def test_without_compiled_kernels_the_bound_holds_as_well(tmp_path: Path) -> None:
    few, coarse = corridor()[::9], OctreeParameters(leaf_size=0.1)
    octree = walked(Octree(replace(coarse, memory_budget=BUDGET // 8), compiled=False, scratch=tmp_path), few)
    assert rss(octree) <= octree.n_resident_bytes < octree.n_bytes / 2
    assert_same(octree, walked(Octree(coarse), few))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_seen_and_asked_the_bounded_octree_equals_the_unbounded_one(
    tmp_path: Path, data: st.DataObject
) -> None:
    budget = data.draw(st.integers(1, 4_000_000), label="budget")
    radius = data.draw(st.none() | st.floats(4.5, 20.0), label="radius")
    bounded = Octree(OctreeParameters(memory_budget=budget, resident_radius=radius), scratch=tmp_path)
    free = Octree()
    scans = corridor()
    for i in range(data.draw(st.integers(1, 8), label="steps")):
        kind = data.draw(st.sampled_from(("image", "points", "query", "share", "box")), label="kind")
        x = data.draw(st.floats(0.0, LENGTH), label="x")
        where = [x, 1.0, 1.0]
        if kind == "image":
            depth, pose = scans[data.draw(st.integers(0, len(scans) - 1))]
            for octree in (bounded, free):
                octree.integrate(depth, CAMERA, pose, i)
        elif kind == "points":
            ends = np.random.default_rng(i).uniform((x - 6, -3, 0), (x + 6, 5, 3), size=(40, 3))
            for octree in (bounded, free):
                octree.insert_points(ends, where, i)
        elif kind == "share":
            bounded.share_memory(data.draw(st.floats(0.0, 1.0)))
        elif kind == "box":
            ours, theirs = (o.query_box([x - 3, 0, 0], [x + 3, 3, 3], 1) for o in (bounded, free))
            np.testing.assert_array_equal(ours.centres, theirs.centres)
        else:
            points = np.random.default_rng(i).uniform((0, 0, 0), (LENGTH, 2, 2), size=(500, 3))
            np.testing.assert_array_equal(bounded.query(points)[1], free.query(points)[1])
    assert_same(bounded, free)


def test_the_account_costs_no_more_in_a_map_ten_times_larger(tmp_path: Path) -> None:
    """By what it looks at, not by the clock: resident blocks, of which there are as many."""
    memory = RowMemory(ROW_BYTES, tmp_path).grown(100_000)
    small, large = (Residency(memory, 100 * BLOCK_BYTES + n * 278, None, 278) for n in (8_000, 80_000))
    for residency, n in ((small, 8_000), (large, 80_000)):
        residency.add(0, np.stack([np.arange(n)] * 3, axis=1))
        for first in range(0, n, 100):
            residency.use(np.arange(first, first + 100))
            assert residency._n_resident <= 100
    assert large.n_bytes - 80_000 * 278 <= 100 * BLOCK_BYTES


# --- the scratch file -------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    memory = RowMemory(ROW_BYTES, tmp_path).grown(64)
    rows = memory.rows()
    rows[:] = torch.arange(64, dtype=torch.uint8)[:, None]
    before = rows.clone()
    for _ in range(3):
        memory.let_go([(0, 16), (40, 64)])
        torch.testing.assert_close(rows, before)
    more = memory.grown(10_000)
    assert more is memory and more.n_rows >= 10_000
    torch.testing.assert_close(memory.rows()[:64], before)
    assert not memory.rows()[64:].any()


def test_rows_in_memory_grow_in_place_and_are_copied_where_addresses_are_short() -> None:
    memory = RowMemory(512, reserve=16 << 20).grown(8)
    memory.rows()[:] = 7
    place = memory.rows().data_ptr()
    assert memory.grown(memory.max_rows // 2) is memory and memory.rows().data_ptr() == place
    old = memory.rows()
    larger = memory.grown(memory.max_rows + 1)
    assert larger is not memory and larger.n_rows > memory.max_rows
    assert torch.equal(larger.rows()[: len(old)], old) and not larger.rows()[len(old) :].any()


def test_an_octree_grows_past_the_addresses_it_got(monkeypatch: pytest.MonkeyPatch, unbounded: Octree) -> None:
    monkeypatch.setattr(row_memory.resource, "getrlimit", lambda _: (8 << 30, 8 << 30))  # as under `ulimit -v`
    monkeypatch.setattr(row_memory, "_FEW", 6 << 20)
    octree = Octree()
    assert octree.bricks.memory["voxels"].max_rows < unbounded.n_bricks // 2
    assert_same(walked(octree), unbounded)


def test_rows_in_torchs_own_memory_as_on_a_gpu_grow_by_copying(monkeypatch: pytest.MonkeyPatch) -> None:
    def allocate(n_rows: int, storage: Storage) -> Bricks:
        directory = torch.zeros(0, dtype=torch.int64)
        arrays = bricks_module._arrays_on(storage.device, n_rows)
        return Bricks(directory, directory, **arrays, storage=storage, memory={}, residency=None)

    few, coarse = corridor()[::9], OctreeParameters(leaf_size=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(Bricks, "allocate", allocate)
        octree = walked(Octree(coarse, compiled=False), few)
        half = octree.bricks.keys[::2]
        parts = octree.only(half).with_bricks_of(octree, octree.bricks.keys)
    assert octree.n_bricks > INITIAL_ROWS and octree.n_resident_bytes == octree.n_bytes
    assert_same(octree, walked(Octree(coarse), few))
    assert_same(parts, octree)


def test_a_scratch_file_leaves_nothing_behind_even_when_the_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from loci.spatial.row_memory import RowMemory\n"
        "m = RowMemory(8192, Path(sys.argv[1])).grown(1000); m.rows()[:] = 1; print(os.listdir(sys.argv[1]), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=100)
    assert done.returncode == -9 and done.stdout.strip() == "[]", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_disk_and_addresses_are_given_back_with_the_octree(tmp_path: Path) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(str(tmp_path))

    octree = walked(Octree(OctreeParameters(memory_budget=BUDGET), scratch=tmp_path), corridor()[:5])
    bricks = octree.bricks
    assert mapped() == 1
    del octree
    gc.collect()
    assert bricks.count.sum() > 0, "a reader's arrays went away under it"
    del bricks
    gc.collect()
    assert mapped() == 0


def test_a_full_disk_is_an_error_that_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_memory, "_GROWTH_BYTES", 1 << 20)
    octree, free = Octree(OctreeParameters(memory_budget=BUDGET), scratch=tmp_path), Octree()
    half = len(corridor()) // 2
    walked(octree, corridor()[:half])
    before, n_scans = octree.arrays(), octree.n_scans

    def full(file: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(row_memory.os, "posix_fallocate", full)
        with pytest.raises(OSError, match=f"scratch file of the octree in {tmp_path}.*No space left") as caught:
            walked(octree, corridor()[half:])
    assert caught.value.errno == errno.ENOSPC
    stopped = octree.n_scans - n_scans
    if not stopped:
        for name, array in octree.arrays().items():
            np.testing.assert_array_equal(array, before[name])
    for i, (depth, pose) in enumerate(corridor()[: half + stopped]):
        free.integrate(depth, CAMERA, pose, i if i < half else i - half)
    assert_same(octree, free)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"memory_budget": 0}, "memory_budget > 0 bytes.*got 0"),
        ({"memory_budget": -5}, "memory_budget > 0 bytes.*got -5"),
        ({"resident_radius": 0.0}, "resident_radius > max_range 4.0 m.*got 0.0"),
        ({"resident_radius": float("nan")}, "resident_radius.*got nan"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OctreeParameters(**wrong)  # type: ignore[arg-type]


def test_a_bound_needs_a_scratch_folder_on_the_cpu(tmp_path: Path) -> None:
    bounded = OctreeParameters(memory_budget=BUDGET)
    with pytest.raises(ValueError, match="scratch folder"):
        Octree(bounded)
    with pytest.raises(ValueError, match=r"bound the host's memory.*'meta'"):
        Octree(bounded, "meta", scratch=tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="no scratch file for the octree can be made in"):
        Octree(bounded, scratch=tmp_path / "file")


def test_octomap_files_are_written_and_read_within_the_bound(tmp_path: Path, unbounded: Octree) -> None:
    p = OctreeParameters(memory_budget=BUDGET)
    octree = walked(Octree(p, scratch=tmp_path))
    write_octomap(octree, tmp_path / "bounded.ot", "ot")
    write_octomap(unbounded, tmp_path / "unbounded.ot", "ot")
    assert (tmp_path / "bounded.ot").read_bytes() == (tmp_path / "unbounded.ot").read_bytes()
    read = read_octomap(tmp_path / "bounded.ot", p, scratch=tmp_path)
    assert read.n_resident_bytes <= max(BUDGET, 2 * 1024 * ROW_BYTES)
    assert_same(read, read_octomap(tmp_path / "unbounded.ot"))


# --- the memory -------------------------------------------------------------------------------------------------------

TOUR = [replace(o, detections=()) for o in tour(n=12)]


def bounded_parameters(budget: int = 1_500_000) -> MemoryParameters:
    return MemoryParameters(spatial=SpatialParameters(octree=OctreeParameters(memory_budget=budget)))


def octree_of(memory: RobotMemory) -> Octree:
    return memory._spatial._octree


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Octree:
    """The octree of the tour, without a bound."""
    with RobotMemory.open(tmp_path_factory.mktemp("right") / "memory", map_id="room") as memory:
        for observation in TOUR:
            memory.observe(observation)
        return octree_of(memory)


def test_a_bounded_memory_is_saved_opened_and_corrected_as_any_other(tmp_path: Path, right: Octree) -> None:
    with RobotMemory.open(tmp_path / "memory", map_id="room", parameters=bounded_parameters()) as memory:
        ids = [memory.observe(o).keyframe_id for o in TOUR]
        found = memory.statistics()
        assert 0 < int(found["octree_resident_bytes"]) <= 2_500_000 < int(found["octree_bytes"])
        assert_same(octree_of(memory), right)
        bent = TOUR[-1].frame.T_map_camera.copy()
        bent[:3, 3] += 0.2
        memory.correct_poses({ids[-1]: bent})
        assert memory.finish_rebuilding(60.0)
        memory.correct_poses({ids[-1]: TOUR[-1].frame.T_map_camera})
        assert memory.finish_rebuilding(60.0) and memory.n_rebuilds == 2
        assert_same(octree_of(memory), right)
        memory._spatial.rebuild()
        assert_same(octree_of(memory), right)
    for parameters in (bounded_parameters(), MemoryParameters()):
        with RobotMemory.open(tmp_path / "memory", map_id="room", parameters=parameters, read_only=True) as memory:
            assert_same(octree_of(memory), right)
    assert {p.name for p in (tmp_path / "memory").iterdir()} <= {
        "blobs", "ids.json", "lock", "manifest.json", "memory.sqlite", "memory.sqlite-shm", "memory.sqlite-wal"
    }, "scratch files are left"  # fmt: skip


def test_while_one_is_rebuilt_all_octrees_together_stay_within_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = 6_000_000
    seen: list[int] = []
    octrees: list[Octree] = []
    real = Octree.integrate

    def integrate(octree: Octree, *args: object, **named: object) -> None:
        if octree not in octrees:
            octrees.append(octree)
        real(octree, *args, **named)  # type: ignore[arg-type]
        seen.append(sum(o.n_resident_bytes for o in octrees))

    monkeypatch.setattr(Octree, "integrate", integrate)
    with RobotMemory.open(tmp_path / "memory", map_id="room", parameters=bounded_parameters(budget)) as memory:
        ids = [memory.observe(o).keyframe_id for o in TOUR]
        before = len(seen)
        pose = TOUR[0].frame.T_map_camera.copy()
        pose[0, 3] += 0.1
        memory.correct_poses({ids[0]: pose})
        assert memory.finish_rebuilding(60.0) and memory.n_rebuilds == 1
        assert len(octrees) == 2 and len(seen) > before
        assert sum(o.n_bytes for o in octrees) > 1.2 * budget, "the octrees are too small to show anything"
        assert max(seen) <= budget and octree_of(memory)._memory_share == 1.0


def saved(path: Path) -> list[str]:
    """A memory of the tour, saved; the files of its octree's cubes."""
    with RobotMemory.open(path, map_id="room") as memory:
        for observation in TOUR:
            memory.observe(observation)
    with RobotMemory.open(path, map_id="room", read_only=True) as memory:
        record = memory._store.get("octree", "room")
        assert record is not None and len(record.fields["cubes"]) > 3
        return list(record.fields["cubes"])


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_part_of_the_stored_octree_is_told_set_aside_and_made_anew(
    tmp_path: Path, right: Octree, damage: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cubes = saved(tmp_path / "memory")
    victim = tmp_path / "memory" / "blobs" / cubes[1][:2] / cubes[1]
    if damage == "changed":
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    else:
        victim.unlink()
    read: list[int] = []
    real = SpatialMemory._new_octree
    monkeypatch.setattr(SpatialMemory, "_new_octree", lambda self: (read.append(1), real(self))[1])
    with caplog.at_level(logging.WARNING), RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        assert cubes[1] in caplog.text and "made anew" in caplog.text
        assert cubes[1] in str(memory.statistics()["store_warnings"])
        assert_same(octree_of(memory), right)
        aside = list((tmp_path / "memory").glob(f"damaged/*/{cubes[1]}"))
        assert len(aside) == (damage == "changed")
    assert victim.exists(), "closing did not store it again"
    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        assert_same(octree_of(memory), right)
        assert not memory.statistics()["store_warnings"]


def test_a_damaged_outline_makes_all_of_the_octree_anew(tmp_path: Path, right: Octree) -> None:
    saved(tmp_path / "memory")
    with RobotMemory.open(tmp_path / "memory", map_id="room", read_only=True) as memory:
        record = memory._store.get("octree", "room")
        assert record is not None
        memory._store._blobs.path(record.fields["outline"]).write_bytes(b"damaged")
    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        assert record.fields["outline"] in str(memory.statistics()["store_warnings"])
        assert_same(octree_of(memory), right)


def test_annotations_of_a_damaged_part_stay(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        for observation in TOUR:
            memory.observe(observation)
        solid = memory.occupied_voxels().astype(float)
        octree_of(memory).annotate(solid, "thing", "object/1")
    with RobotMemory.open(tmp_path / "memory", map_id="room", read_only=True) as memory:
        record = memory._store.get("octree", "room")
        assert record is not None
        memory._store._blobs.path(record.fields["cubes"][0]).write_bytes(b"damaged")
    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        assert octree_of(memory).annotations(solid)[1] == ("object/1",) * len(solid)


def test_only_cubes_that_changed_are_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = np.eye(4)
    away[:3, 3] = (40.0, 0.0, 0.0)
    far = [replace(o, frame=replace(o.frame, T_map_camera=away @ o.frame.T_map_camera)) for o in TOUR[:2]]
    far = [replace(o, frame=replace(o.frame, stamp_ns=o.frame.stamp_ns + 10**12)) for o in far]
    encoded: list[tuple[int, int]] = []
    real = Octree.voxel_arrays
    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        for observation in TOUR:
            memory.observe(observation)
        memory.save()
    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        monkeypatch.setattr(Octree, "voxel_arrays", lambda o, a, b: (encoded.append((a, b)), real(o, a, b))[1])
        memory.save()
        assert not encoded, "an octree as it was opened was written again"
        before = memory._store.get("octree", "room")
        n_before = octree_of(memory).n_bricks
        for observation in far:
            memory.observe(observation)
        memory.save()
        after = memory._store.get("octree", "room")
        assert before is not None and after is not None
        n_new = octree_of(memory).n_bricks - n_before
        assert 0 < sum(b - a for a, b in encoded) == n_new
        assert set(before.fields["cubes"]) < set(after.fields["cubes"])
        monkeypatch.undo()
        now = octree_of(memory).arrays()
    with RobotMemory.open(tmp_path / "memory", map_id="room", read_only=True) as memory:
        for name, array in octree_of(memory).arrays().items():
            np.testing.assert_array_equal(array, now[name])


def test_octrees_that_were_stored_in_one_file_still_open(
    tmp_path: Path, right: Octree, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.numpy import save as save_arrays

    with RobotMemory.open(tmp_path / "memory", map_id="room") as memory:
        for observation in TOUR:
            memory.observe(observation)
        memory.save()
        record = memory._store.get("octree", "room")
        assert record is not None
        digest = memory._store.put_blob(save_arrays(octree_of(memory).arrays()))
        fields = {k: v for k, v in record.fields.items() if k not in ("outline", "cubes")} | {"digest": digest}
        memory._store.put("octree", "room", fields, map_id="room", blobs=[digest])
        memory._store.commit()
        monkeypatch.setattr(SpatialMemory, "save_octree", lambda self: None)
    monkeypatch.undo()

    def unread(keyframes: Keyframes, id: str) -> np.ndarray:
        raise AssertionError("the stored octree was not used")

    monkeypatch.setattr(Keyframes, "depth", unread)
    for parameters in (MemoryParameters(), bounded_parameters()):
        with RobotMemory.open(tmp_path / "memory", map_id="room", parameters=parameters, read_only=True) as memory:
            assert_same(octree_of(memory), right)


def test_a_full_disk_leaves_a_keyframe_out_until_the_memory_is_opened_again(
    tmp_path: Path, right: Octree, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(file: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with RobotMemory.open(tmp_path / "memory", map_id="room", parameters=bounded_parameters()) as memory:
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(row_memory.os, "posix_fallocate", full)
            ids = [memory.observe(o).keyframe_id for o in TOUR]
        assert "No space left" in caplog.text and all(ids)
        n_left_out = int(memory.statistics()["octree_left_out"])
        assert n_left_out > 0 and octree_of(memory).n_scans == len(TOUR)
    with RobotMemory.open(tmp_path / "memory", map_id="room", parameters=bounded_parameters()) as memory:
        assert memory.statistics()["octree_left_out"] == 0
        assert_same(octree_of(memory), right)
