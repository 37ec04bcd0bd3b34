"""Near-duplicates merge into one episode that counts them; everything else stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loci.episodic.filters import EpisodeFilter
from loci.episodic.long_term import ConsolidationResult, LongTermMemory
from loci.episodic.records import Episode
from loci.store import Store

S = 10**9
SAME = np.eye(4, dtype=np.float32)[0]
NEARLY = np.array([0.95, 0.3, 0, 0], np.float32)
OTHER = np.eye(4, dtype=np.float32)[1]


@pytest.fixture
def memory(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store.open(tmp_path / "home") as store:
        yield LongTermMemory(store, None)


def event(number: int, seconds: float, text: str = "door opened", **kwargs: object) -> Episode:
    values = {"labels": ("door",), "object_id": "object/1", "session": "s", **kwargs}
    return Episode(f"episode/{number}", "episode", text, stamp_ns=int(seconds * S), **values)  # type: ignore[arg-type]


def test_a_run_of_near_duplicates_becomes_one_with_count_and_time_span(memory: LongTermMemory) -> None:
    for i, vector in enumerate((SAME, NEARLY, SAME)):
        memory.add(event(i, 10 * i), vector)
    assert memory.consolidate() == ConsolidationResult(n_merged=2)
    ((kept, score),), n_total = memory.search(EpisodeFilter(), text_embedding=SAME)
    assert n_total == 1
    assert score == 1.0
    assert (kept.id, kept.count, kept.stamp_ns, kept.until_ns) == ("episode/0", 3, 0, 20 * S)


def test_consolidating_twice_changes_nothing_more(memory: LongTermMemory) -> None:
    for i in range(4):
        memory.add(event(i, 10 * i), SAME)
    memory.consolidate()
    before = memory.all()
    assert memory.consolidate() == ConsolidationResult()
    assert memory.all() == before
    memory.add(event(9, 50), SAME)
    memory.consolidate()
    assert [e.count for e in memory.all()] == [5]


@pytest.mark.parametrize(
    "other",
    [
        {"state": "open"},
        {"place": "place/2"},
        {"labels": ("window",)},
        {"object_id": "object/2"},
        {"source": "operator"},
        {"session": "t"},
        {"map_id": "other"},
        {"pinned": True},
    ],
)
def test_what_differs_in_anything_that_matters_stays_apart(memory: LongTermMemory, other: dict[str, object]) -> None:
    memory.add(event(1, 0), SAME)
    memory.add(event(2, 1, **other), SAME)
    assert memory.consolidate().n_merged == 0
    assert len(memory) == 2


def test_what_reads_differently_or_is_long_ago_stays_apart(memory: LongTermMemory) -> None:
    memory.add(event(1, 0), SAME)
    memory.add(event(2, 1), OTHER)
    memory.add(event(3, 1000), OTHER)
    assert memory.consolidate().n_merged == 0


def test_without_embeddings_only_equal_texts_merge(memory: LongTermMemory) -> None:
    memory.add(event(1, 0))
    memory.add(event(2, 1))
    memory.add(event(3, 2, "door creaked"))
    assert memory.consolidate().n_merged == 1


def test_another_state_in_between_ends_a_run(memory: LongTermMemory) -> None:
    for i, state in enumerate(("open", "closed", "open")):
        memory.add(event(i, i, state=state), SAME)
    assert memory.consolidate().n_merged == 0


def test_what_keyframes_saw_is_left_alone(memory: LongTermMemory) -> None:
    for i in range(3):
        memory.add(Episode(f"keyframe/{i}", "keyframe", "saw door", ("door",), stamp_ns=i, keyframe_id=f"keyframe/{i}"))
    assert memory.consolidate().n_merged == 0


def test_merging_is_durable_and_reports_progress(tmp_path: Path) -> None:
    seen: list[float] = []
    with Store.open(tmp_path / "m") as store:
        memory = LongTermMemory(store, None)
        for i in range(5):
            memory.add(event(i, i), SAME)
        memory.consolidate(lambda share, stage: seen.append(share))
    with Store.open(tmp_path / "m") as store:
        assert [e.count for e in LongTermMemory(store, None).all()] == [5]
    assert seen == [1.0]
