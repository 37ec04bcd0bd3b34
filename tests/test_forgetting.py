"""Forgetting under a byte budget: what goes, what never goes, and how it is explained."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loci.episodic.records import Episode
from loci.episodic.retention import RetentionParameters, distinctness, least_worth, retention
from loci.forgetting import Forgetting, ForgettingParameters, anchors, needed_keyframes
from loci.geometry import look_at
from loci.keyframes import FadedError
from loci.memory import MemoryParameters, RobotMemory
from loci.query import Query
from synthetic import ROOM

N = 24


def walk(memory: RobotMemory, n: int = N, first: int = 0) -> list[str]:
    """Look at the room from n places; ids of the keyframes."""
    ids = []
    for i in range(first, first + n):
        eye = (1.0 + 1.5 * (i % 12) / 12, 0.8 + 0.6 * (i // 12 % 2), 1.4)
        done = memory.observe(ROOM.observe(look_at(eye, (2.5, 1.6, 0.7)), 1_000_000_000 * (i + 1)))
        ids.append(done.keyframe_id)
    return [i for i in ids if i]


def budget(n_bytes: int, **more) -> MemoryParameters:
    return MemoryParameters(forgetting=ForgettingParameters(budget_bytes=n_bytes, **more), commit_period_s=1e9)


def fill_and_shrink(path: Path, share: float = 0.5) -> RobotMemory:
    """A memory that was filled without a limit and then opened with one."""
    with RobotMemory.open(path, map_id="home") as memory:
        walk(memory)
    size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return RobotMemory.open(path, map_id="home", parameters=budget(int(share * size)))


def shrink(memory: RobotMemory) -> int:
    n = 0
    while done := memory.forget_slice():
        n += done
        memory.commit()
    return n


def test_images_fade_until_the_memory_fits_and_what_is_needed_stays(tmp_path: Path) -> None:
    with fill_and_shrink(tmp_path / "m", 0.6) as memory:
        before = memory._store.kept_bytes()
        needed = needed_keyframes(memory._memories)
        assert needed
        assert shrink(memory) > 0
        keyframes = memory._keyframes.all()
        faded = {k.id for k in keyframes if k.is_faded}
        assert faded and not faded & needed.keys()
        assert memory._store.kept_bytes() < before
        for k in keyframes:
            if k.is_faded:
                with pytest.raises(FadedError, match="forgotten"):
                    memory.image(k.id)
            else:
                assert memory.image(k.id)[:2] == b"\xff\xd8"
        fits = memory._store.kept_bytes() <= memory.parameters.forgetting.budget_bytes
        assert fits or faded | needed.keys() | {k.id for k in memory._last_keyframe.values()} == {
            k.id for k in keyframes
        }


def test_what_faded_is_still_found_and_the_map_is_the_same(tmp_path: Path) -> None:
    with fill_and_shrink(tmp_path / "m") as memory:
        arrays = {n: a.copy() for n, a in memory._spatial._octree.arrays().items()}
        shrink(memory)
        faded = [k.id for k in memory._keyframes.all() if k.is_faded]
        found = memory.recall(Query(kinds=("keyframe",), limit=1000))
        assert set(faded) <= {e.id for e in found.evidence}
    with RobotMemory.open(tmp_path / "m", map_id="home") as again:
        assert [k.id for k in again._keyframes.all() if k.is_faded] == faded
        for name, a in again._spatial._octree.arrays().items():
            assert np.array_equal(a, arrays[name]), name


def test_no_snapshot_or_photo_is_ever_one_that_faded_and_the_rest_is_exported(tmp_path: Path) -> None:
    with fill_and_shrink(tmp_path / "m", 0.3) as memory:
        shrink(memory)
        faded = {k.id for k in memory._keyframes.all() if k.is_faded}
        assert not faded & memory._scene.snapshots_map._candidates.keys()
        memory.begin_session()
        walk(memory, 12, 2 * N)  # objects are clustered anew
        assert all(memory.image(s.keyframe_id) for s in memory.snapshots())
        assert not faded & {f.keyframe_id for f in memory._spatial.view.frontiers}
        assert memory._keyframes.best_view((2.5, 1.6, 0.7), "home") not in faded
        out = memory.export(tmp_path / "exported")
        lines = [json.loads(line) for line in (out / "keyframes.jsonl").read_text().splitlines()]
        assert {line["id"] for line in lines if not line["image"]} == {
            k.id for k in memory._keyframes.all() if k.is_faded
        }


def test_faded_keyframes_go_as_well_where_their_images_are_not_enough_and_the_map_is_the_same(tmp_path: Path) -> None:
    with fill_and_shrink(tmp_path / "m", 1.0) as memory:
        arrays = {n: a.copy() for n, a in memory._spatial._octree.arrays().items()}
        every = set(memory._keyframes.ids())
        places = {p.id: p.position for p in memory.topology().places}
        edges = {(e.source, e.target) for e in memory.topology().edges}
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(1, slice_size=3)) as memory:
        assert memory.forget_slice() == 3
        shrink(memory)
        left = set(memory._keyframes.ids())
        gone = every - left
        needed = needed_keyframes(memory._memories).keys() | anchors(memory._memories)
        assert gone and not gone & needed
        assert left <= needed | {k.id for k in memory._last_keyframe.values()}
        assert not {e.id for e in memory.recall(Query(kinds=("keyframe",), limit=1000)).evidence} & gone
        assert not memory.explain(min(gone)).is_kept
        assert {p.id: p.position for p in memory.topology().places}.keys() == places.keys()
        assert memory._store.get("keyframe", min(gone)) is None and memory._store.get("experience", min(gone)) is None
    with RobotMemory.open(tmp_path / "m", map_id="home") as again:
        assert set(again._keyframes.ids()) == left
        for name, a in again._spatial._octree.arrays().items():
            assert np.array_equal(a, arrays[name]), name
        assert {(e.source, e.target) for e in again.topology().edges} == edges
        for place in again.topology().places:
            np.testing.assert_allclose(place.position, places[place.id], atol=1e-9)
        walk(again, 12, 2 * N)  # and it goes on


def test_space_that_is_free_in_the_database_is_no_reason_to_forget_more(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home") as memory:
        for i in range(60):
            memory.remember(f"remark number {i}: {'blah ' * 400}", "operator")
    size = (tmp_path / "m" / "memory.sqlite").stat().st_size
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(int(0.7 * size))) as memory:
        shrink(memory)
        left = len(memory._episodic.long_term)
        assert 10 < left < 55, "it stops when what is left fits, though the file is as large as before"
        assert memory.forget_slice() == 0


def test_without_a_budget_nothing_is_forgotten(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home") as memory:
        walk(memory, 6)
        assert memory.forget_slice() == 0
        assert memory.explain(memory._keyframes.all()[2].id).is_kept


def test_pinned_remarks_stay_when_all_others_go(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(1)) as memory:
        pinned = memory.remember("the key is under the mat", "operator", pinned=True)
        others = [memory.remember(f"remark number {i}", "operator") for i in range(20)]
        shrink(memory)
        assert memory._episodic.get(pinned) is not None
        assert all(memory._episodic.get(i) is None for i in others)
        assert memory.explain(pinned).reasons[0] == "it is pinned"
        gone = memory.explain(others[0])
        assert not gone.is_kept and "within 1 bytes" in gone.reasons[0] and "recency" in gone.reasons[0]


def test_a_slice_is_small(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(1, slice_size=3)) as memory:
        for i in range(10):
            memory.remember(f"remark number {i}", "operator")
        assert memory.forget_slice() == 3


def test_what_is_asked_for_stays_longer(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(1, slice_size=1)) as memory:
        ids = [memory.remember(f"remark number {i}", "operator") for i in range(6)]
        for _ in range(5):
            memory._forgetting.note_uses([ids[0]])
        memory.forget_slice()
        assert memory._episodic.get(ids[0]) is not None and memory._episodic.get(ids[1]) is None


def test_uses_survive_a_restart(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(1 << 30)) as memory:
        told = memory.remember("the cat sleeps on the sofa", "operator")
        memory.recall(Query(text="cat on the sofa", kinds=("episode",), limit=5))
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=budget(1 << 30)) as memory:
        assert memory._forgetting._uses[told] == 1


def test_why_is_told_for_what_is_kept_forgotten_and_never_known(tmp_path: Path) -> None:
    with fill_and_shrink(tmp_path / "m", 0.6) as memory:
        shrink(memory)
        faded = next(k.id for k in memory._keyframes.all() if k.is_faded)
        assert "its images were forgotten" in memory.explain(faded).reasons[0]
        needed, why = next(iter(needed_keyframes(memory._memories).items()))
        assert why in memory.explain(needed).reasons[0]
        object_id = memory.objects()[0].id
        assert memory.explain(object_id).is_kept
        memory.forget([object_id])
        assert memory.explain(object_id).reasons == ("somebody asked to forget it",)
        assert not memory.explain(object_id).is_kept
        with pytest.raises(LookupError, match="object/999"):
            memory.explain("object/999")


def test_near_duplicates_are_merged_in_the_background_and_it_is_told_which(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=MemoryParameters(commit_period_s=0.0)) as memory:
        (seen,) = walk(memory, 1)
        happened = [
            Episode(f"episode/{900 + i}", "episode", "the door creaked", ("door",), 10**9 * i, keyframe_id=seen)
            for i in range(100)
        ]
        for episode in happened:
            memory._episodic.long_term.add(episode)

        def n_left() -> int:
            return sum(memory._episodic.long_term.get(e.id) is not None for e in happened)

        with memory._write:  # what is left is merged later, by a thread that cannot begin yet
            assert memory.commit_if_due()
            assert 1 < n_left() < 100, "one slice is a part of it"
        deadline = time.monotonic() + 60.0
        while n_left() > 1:
            assert time.monotonic() < deadline, "also while nothing is observed, the rest is merged"
            time.sleep(0.01)
        (kept,) = (e for e in map(memory._episodic.long_term.get, (e.id for e in happened)) if e is not None)
        assert (kept.id, kept.count, kept.until_ns) == ("episode/900", 100, 99 * 10**9)
        told = memory.explain("episode/950")
        assert (told.is_kept, told.reasons) == (False, ("it was merged into episode/900, which says the same",))
        assert "it stands for 100 experiences that were alike" in memory.explain("episode/900").reasons
        with pytest.raises(LookupError, match="episode/950: it was merged into episode/900"):
            memory.forget(["episode/950"])


def test_new_frames_are_taken_while_the_memory_forgets(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home") as memory:
        walk(memory)
        size = int(memory.statistics()["store_bytes"])
    parameters = replace(budget(size), commit_period_s=0.0)
    with RobotMemory.open(tmp_path / "m", map_id="home", parameters=parameters) as memory:
        memory.begin_session()
        walk(memory, 12, N)
        assert any(k.is_faded for k in memory._keyframes.all())
        assert not any(k.is_faded for k in memory._last_keyframe.values())


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"budget_bytes": -1}, {"slice_size": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ForgettingParameters(**wrong)
    for wrong in ({"importance": -0.1}, {"importance": 0.0, "recency": 0.0, "use": 0.0}, {"half_life": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            RetentionParameters(**wrong)


def test_the_least_important_oldest_and_least_used_is_worth_least() -> None:
    worth = retention(np.array([0.0, 1.0, 0.0, 0.0]), [2, 2, 0, 2], [0, 0, 0, 9])
    assert int(np.argmin(worth.score)) == 0
    assert np.all(worth.score[1:] > worth.score[0])
    assert "importance 1.00" in worth.reason(1)


def test_views_from_one_place_in_one_direction_are_one_group_and_lose_one_at_a_time() -> None:
    positions = np.array([[0.1, 0.1, 1.4], [0.2, 0.1, 1.4], [0.1, 0.1, 1.4], [5.0, 0.1, 1.4]])
    directions = np.array([[1.0, 0.1, 0.0], [1.0, 0.12, 0.0], [-1.0, 0.1, 0.0], [1.0, 0.1, 0.0]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    groups = distinctness(positions, directions, 0.5, np.radians(30.0))
    assert groups[0] == groups[1] and len(set(groups.tolist())) == 3
    assert set(least_worth(np.array([0.1, 0.2, 0.3, 0.4]), groups, 2)) == {0, 2}


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loci.forgetting.MAX_LOG", 5)
    with RobotMemory.open(tmp_path / "m", map_id="home") as memory:
        forgetting: Forgetting = memory._forgetting
        forgetting.log([f"episode/{i}" for i in range(100, 108)], "a test", 0)
        memory.commit()
        with pytest.raises(LookupError):
            memory.explain("episode/100")
        assert not memory.explain("episode/107").is_kept
