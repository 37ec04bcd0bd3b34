"""The short-term memory: bounded, first in first out, one record per object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.episodic.records import Episode
from loci.episodic.short_term import ShortTermMemory
from loci.geometry import look_at


def episode(number: int, object_id: str = "", **kwargs: object) -> Episode:
    return Episode(f"episode/{number}", "episode", f"event {number}", object_id=object_id, **kwargs)  # type: ignore[arg-type]


@given(st.integers(1, 5), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=30))
def test_nothing_is_lost_and_nothing_is_there_twice(capacity: int, events: list[tuple[int, int]]) -> None:
    memory, left, latest = ShortTermMemory(capacity), {}, {}
    for number, object_number in events:
        # An episode is about one object for good; object 0 stands for none.
        object_id = f"object/{number % 5}" if object_number else ""
        new = episode(number, object_id, stamp_ns=len(latest))
        latest[new.id] = new
        left.pop(new.id, None)
        out = memory.add(new)
        if out is not None:
            assert out.id != new.id
            left[out.id] = out
        records = memory.records()
        assert len(records) <= capacity
        assert records.count(new) == 1
        about = [r.object_id for r in records if r.object_id]
        assert len(about) == len(set(about))
        assert {r.id for r in records} | left.keys() == latest.keys()


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    memory = ShortTermMemory(3)
    assert [memory.add(episode(i)) for i in range(3)] == [None, None, None]
    assert memory.add(episode(3)) == episode(0)
    assert [r.id for r in memory.records()] == ["episode/1", "episode/2", "episode/3"]


def test_a_record_about_the_same_object_takes_the_place_of_the_older_one() -> None:
    memory = ShortTermMemory(3)
    for i in range(3):
        memory.add(episode(i, f"object/{i}"))
    opened = episode(7, "object/1", state="open")
    assert memory.add(opened) == episode(1, "object/1")
    assert [r.id for r in memory.records()] == ["episode/0", "episode/7", "episode/2"]
    assert memory.add(episode(8)) == episode(0, "object/0")


def test_records_are_found_within_reach_and_then_by_similarity() -> None:
    memory = ShortTermMemory(10)
    east, north = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)
    memory.add(episode(1, position=(0.0, 0.0, 0.0)), embedding=north)
    memory.add(episode(2, position=(2.9, 0.0, 0.0)), embedding=east)
    memory.add(episode(3, position=(3.1, 0.0, 0.0)), embedding=east)
    memory.add(episode(4))
    assert [(e.id, s) for e, s in memory.search((0, 0, 0), embedding=east)] == [("episode/2", 1.0), ("episode/1", 0.0)]
    assert [e.id for e, _ in memory.search((0, 0, 0), radius=4.0)] == ["episode/3", "episode/2", "episode/1"]
    assert [e.id for e, _ in memory.search(k=2)] == ["episode/4", "episode/3"]


def test_a_record_that_hangs_on_a_keyframe_moves_with_it() -> None:
    memory = ShortTermMemory(2)
    memory.add(episode(1, keyframe_id="keyframe/1", position_in_camera=(0.0, 0.0, 2.0)))
    poses = {"keyframe/1": look_at((0, 0, 1), (1, 0, 1))}
    assert memory.search((2, 0, 1), radius=0.1, pose_of=poses.__getitem__)
    poses["keyframe/1"] = look_at((10, 0, 1), (11, 0, 1))
    assert not memory.search((2, 0, 1), radius=0.1, pose_of=poses.__getitem__)
    assert memory.search((12, 0, 1), radius=0.1, pose_of=poses.__getitem__)


def test_a_record_is_changed_and_removed_by_id() -> None:
    memory = ShortTermMemory(2)
    memory.add(episode(1))
    memory.replace(episode(1, state="open"))
    assert memory.get("episode/1") == episode(1, state="open")
    with pytest.raises(KeyError, match="no short-term record 'episode/2'"):
        memory.replace(episode(2))
    assert memory.remove("episode/1")
    assert not memory.remove("episode/1")
    assert len(memory) == 0


def test_a_capacity_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a capacity >= 1, got 0"):
        ShortTermMemory(0)
