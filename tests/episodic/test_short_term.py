"""The short-term memory: bounded in records and bytes, one record per object, use counted and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.episodic.memory import EpisodicMemory
from loci.episodic.records import Episode, episode_to_fields
from loci.episodic.replacement import POLICIES, PolicyName
from loci.episodic.short_term import ShortTermMemory, ShortTermParameters, record_bytes
from loci.geometry import look_at
from loci.store import Store


class HashEncoder:
    """A unit vector of its own for every text."""

    name = "hash"
    dimension = 16

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = [np.random.default_rng(list(text.encode())).normal(size=16) for text in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def episode(number: int, object_id: str = "", **kwargs: object) -> Episode:
    return Episode(f"episode/{number}", "episode", f"event {number}", object_id=object_id, **kwargs)  # type: ignore[arg-type]


def memory_of(capacity: int, **settings: object) -> ShortTermMemory:
    return ShortTermMemory(ShortTermParameters(capacity=capacity, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", POLICIES)
@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.booleans()), max_size=30))
def test_nothing_is_lost_and_nothing_is_there_twice(
    policy: PolicyName, capacity: int, events: list[tuple[int, int, bool]]
) -> None:
    memory, left, latest = memory_of(capacity, policy=policy, capacity_bytes=1200), {}, {}
    for number, object_number, is_read in events:
        # An episode is about one object for good; object 0 stands for none.
        object_id = f"object/{number % 5}" if object_number else ""
        new = episode(number, object_id, stamp_ns=len(latest))
        latest[new.id] = new
        left.pop(new.id, None)
        for out in memory.add(new):
            assert out.id != new.id
            left[out.id] = out
        if is_read:
            memory.count_reads([new.id, "episode/77"])
        records = memory.records()
        assert len(records) <= capacity
        assert memory.n_bytes == sum(record_bytes(r) for r in records) <= 1200
        assert records.count(new) == 1
        about = [r.object_id for r in records if r.object_id]
        assert len(about) == len(set(about))
        assert {r.id for r in records} | left.keys() == latest.keys()


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    memory = memory_of(3)
    assert [memory.add(episode(i)) for i in range(3)] == [(), (), ()]
    assert memory.add(episode(3)) == (episode(0),)
    assert [r.id for r in memory.records()] == ["episode/1", "episode/2", "episode/3"]


def test_a_record_about_the_same_object_takes_the_place_of_the_older_one() -> None:
    memory = memory_of(3)
    for i in range(3):
        memory.add(episode(i, f"object/{i}"))
    opened = episode(7, "object/1", state="open")
    assert memory.add(opened) == (episode(1, "object/1"),)
    assert [r.id for r in memory.records()] == ["episode/0", "episode/7", "episode/2"]
    assert memory.add(episode(8)) == (episode(0, "object/0"),)


def test_what_was_given_as_evidence_stays_longer_where_use_counts() -> None:
    for policy in ("lru", "lfu", "retention", "w-tinylfu"):
        memory = memory_of(3, policy=policy)
        for i in range(3):
            memory.add(episode(i))
        memory.count_reads(["episode/0"])
        memory.add(episode(3))
        assert memory.get("episode/0") is not None, policy
        assert memory.usage("episode/0").frequency == 2  # type: ignore[union-attr]


def test_records_leave_until_the_bytes_fit() -> None:
    small = record_bytes(episode(1))
    memory = memory_of(100, capacity_bytes=3 * small + 10)
    for i in range(3):
        assert memory.add(episode(i)) == ()
    large = replace(episode(5), text="x" * 2 * small)
    assert memory.add(large) == (episode(0), episode(1), episode(2))
    too_large = replace(episode(6), text="x" * 4 * small)
    assert memory.add(too_large) == (too_large,)
    assert memory.records() == (large,)
    with_vector = record_bytes(episode(7), np.zeros(384, np.float32))
    assert with_vector == record_bytes(episode(7)) + 4 * 384


def test_of_two_records_about_one_object_the_newer_stays() -> None:
    memory = memory_of(5)
    for i in range(3):
        memory.add(episode(i, f"object/{i}", stamp_ns=i))
    renamed = episode(0, "object/2", stamp_ns=0)
    assert memory.rename_object(renamed, lambda a, b: a.stamp_ns > b.stamp_ns) == renamed
    assert memory.rename_object(episode(2, "object/9", stamp_ns=2), lambda a, b: True) is None
    assert [r.object_id for r in memory.records()] == ["object/1", "object/9"]
    assert memory.usage("episode/2").frequency == 2  # type: ignore[union-attr]
    assert memory.n_bytes == sum(record_bytes(r) for r in memory.records())
    with pytest.raises(KeyError, match="no short-term record 'episode/0'"):
        memory.rename_object(renamed, lambda a, b: True)


def test_records_are_found_within_reach_and_then_by_similarity() -> None:
    memory = memory_of(10)
    east, north = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    memory.add(episode(1, position=(0.0, 0.0, 0.0)), embedding=north)
    memory.add(episode(2, position=(2.9, 0.0, 0.0)), embedding=east)
    memory.add(episode(3, position=(3.1, 0.0, 0.0)), embedding=east)
    memory.add(episode(4))
    assert [(e.id, s) for e, s in memory.search((0, 0, 0), embedding=east)] == [("episode/2", 1.0), ("episode/1", 0.0)]
    assert [e.id for e, _ in memory.search((0, 0, 0), radius=4.0)] == ["episode/3", "episode/2", "episode/1"]
    assert [e.id for e, _ in memory.search(k=2)] == ["episode/4", "episode/3"]


def test_a_record_that_hangs_on_a_keyframe_moves_with_it() -> None:
    memory = memory_of(2)
    memory.add(episode(1, keyframe_id="keyframe/1", position_in_camera=(0.0, 0.0, 2.0)))
    poses = {"keyframe/1": look_at((0, 0, 1), (1, 0, 1))}
    assert memory.search((2, 0, 1), radius=0.1, pose_of=poses.__getitem__)
    poses["keyframe/1"] = look_at((10, 0, 1), (11, 0, 1))
    assert not memory.search((2, 0, 1), radius=0.1, pose_of=poses.__getitem__)
    assert memory.search((12, 0, 1), radius=0.1, pose_of=poses.__getitem__)


def test_a_record_is_changed_and_removed_by_id() -> None:
    memory = memory_of(2)
    memory.add(episode(1))
    memory.replace(episode(1, state="open"))
    assert memory.get("episode/1") == episode(1, state="open")
    with pytest.raises(KeyError, match="no short-term record 'episode/2'"):
        memory.replace(episode(2))
    with pytest.raises(ValueError, match="expected episode/1 to stay about episode/1, got object/3"):
        memory.replace(episode(1, "object/3"))
    assert memory.remove("episode/1")
    assert not memory.remove("episode/1")
    assert len(memory) == 0


def test_wrong_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a capacity >= 1, got 0"):
        ShortTermParameters(capacity=0)
    with pytest.raises(ValueError, match="expected a capacity >= 1 byte, got 0"):
        ShortTermParameters(capacity_bytes=0)
    with pytest.raises(ValueError, match=r"expected a policy among .*, got 'clock'"):
        ShortTermParameters(policy="clock")  # type: ignore[arg-type]


def no_pose(id: str) -> np.ndarray:
    raise KeyError(id)


def test_use_is_kept_through_a_restart(tmp_path: Path) -> None:
    encoder = HashEncoder()
    with Store.open(tmp_path / "home") as store:
        memory = EpisodicMemory(store, encoder, ShortTermParameters(capacity=3, policy="lfu"))
        for i in range(3):
            memory.add_event(episode(i, labels=("mug",)))
        for _ in range(4):
            assert memory.recent(k=1, pose_of=no_pose, place_position={}.get)[0].episode.id == "episode/2"
        memory.short_term.count_reads(["episode/0"])
        memory.note_uses()
    with Store.open(tmp_path / "home") as store:
        memory = EpisodicMemory(store, encoder, ShortTermParameters(capacity=3, policy="lfu"))
        frequencies = {r.episode.id: r.frequency for r in memory.recent(pose_of=no_pose, place_position={}.get)}
        assert frequencies == {"episode/0": 2, "episode/1": 1, "episode/2": 5}
        memory.add_event(episode(3))
        assert memory.short_term.get("episode/1") is None
        assert memory.long_term.get("episode/1") is not None


def test_a_memory_that_was_made_smaller_moves_the_rest_to_the_long_term(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        memory = EpisodicMemory(store, HashEncoder(), ShortTermParameters(capacity=5))
        for i in range(5):
            memory.add_event(episode(i))
    with Store.open(tmp_path / "home", read_only=True) as store:
        memory = EpisodicMemory(store, HashEncoder(), ShortTermParameters(capacity=2))
        assert len(memory.short_term) == 5, "who only reads sees all"
    with Store.open(tmp_path / "home") as store:
        memory = EpisodicMemory(store, HashEncoder(), ShortTermParameters(capacity=2))
        memory.note_uses()
        assert [e.id for e in memory.short_term.records()] == ["episode/3", "episode/4"]
        assert {e.id for e in memory.long_term.all()} == {"episode/0", "episode/1", "episode/2"}
        assert {r.id for r in store.records("short_term")} == {"episode/3", "episode/4"}


def test_records_written_before_use_was_counted_still_open(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        for i in range(3):
            store.put("short_term", f"episode/{i}", episode_to_fields(episode(i)))
        memory = EpisodicMemory(store, HashEncoder(), ShortTermParameters(capacity=3))
        memory.add_event(episode(9))
        assert [e.id for e in memory.short_term.records()] == ["episode/1", "episode/2", "episode/9"]


def test_recent_records_say_where_they_are_in_the_map_and_from_their_place(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as store:
        memory = EpisodicMemory(store, HashEncoder())
        memory.add_event(episode(1, labels=("mug",), place="place/1", position=(1.0, 2.0, 0.5)))
        memory.add_event(episode(2, labels=("bed",), place="place/2", position=(9.0, 2.0, 0.5)))
        memory.add_event(episode(3, labels=("bed",)))
        places = {"place/1": np.array([0.5, 2.5, 0.0])}
        query = memory.encoder.encode(["bed"])[0]
        near = memory.recent((0.0, 2.0, 0.5), pose_of=no_pose, place_position=places.get)
        assert [(r.episode.id, r.position, r.position_in_place) for r in near] == [
            ("episode/1", (1.0, 2.0, 0.5), (0.5, -0.5, 0.5))
        ]
        by_label = memory.recent(text_embedding=query, k=2, pose_of=no_pose, place_position=places.get)
        assert [(r.episode.id, round(r.score, 5), r.position_in_place) for r in by_label] == [
            ("episode/3", 1.0, None),
            ("episode/2", 1.0, None),
        ]
