"""Near-duplicates merge into one episode that counts them; everything else stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


def test_what_was_written_or_learnt_merges_only_with_the_same_words(memory: LongTermMemory) -> None:
    for i, (text, is_quoted) in enumerate(
        (("the code is 4711", True), ("the code is 4712", True), ("usually here", False))
    ):
        memory.add(event(2 * i, 2 * i, text, is_quoted=is_quoted), SAME)
        memory.add(event(2 * i + 1, 2 * i + 1, text, is_quoted=is_quoted), SAME)
    memory.add(event(7, 7, "usually there"), SAME)
    assert memory.consolidate().merged == {"episode/1": "episode/0", "episode/3": "episode/2", "episode/5": "episode/4"}


def test_what_was_seen_merges_with_what_reads_nearly_alike(memory: LongTermMemory) -> None:
    memory.add(event(1, 0, keyframe_id="keyframe/1"), SAME)
    memory.add(event(2, 1, "the door was opened", keyframe_id="keyframe/2"), NEARLY)
    assert memory.consolidate().n_merged == 1


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["object/1", "object/2", ""]),
        st.sampled_from(["open", "closed"]),
        st.integers(0, 90),  # seconds since the one before
        st.booleans(),  # pinned
    ),
    max_size=30,
)


@given(happened=EVENTS, slices=st.lists(st.integers(1, 7), min_size=1, max_size=5))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slice_by_slice_is_as_all_at_once(
    tmp_path_factory: pytest.TempPathFactory, happened: list[tuple[str, str, int, bool]], slices: list[int]
) -> None:
    episodes, seconds = [], 0
    for i, (object_id, state, pause, pinned) in enumerate(happened):
        seconds += pause
        episodes.append(event(i, seconds, f"is {state}", object_id=object_id, state=state, pinned=pinned))
    folder = tmp_path_factory.mktemp("memories")
    with Store.open(folder / "a") as a, Store.open(folder / "b") as b:
        whole, sliced = LongTermMemory(a, None), LongTermMemory(b, None)
        merged: dict[str, str] = {}
        for i, episode in enumerate(episodes):
            whole.add(episode)
            sliced.add(episode)
            merged |= sliced.consolidate_slice(
                max(0, slices[i % len(slices)] - 3)
            )  # none now and then, so that work piles up
        while sliced.n_unconsolidated:
            merged |= sliced.consolidate_slice(5)
        assert whole.consolidate().merged == merged
        assert {e.id: e for e in whole.all()} == {e.id: e for e in sliced.all()}


def test_what_waits_to_be_looked_at_is_bounded(memory: LongTermMemory) -> None:
    for i in range(5000):
        memory.add(event(i, 1000 * i))
    assert memory.n_unconsolidated < 5000
    assert memory.consolidate_slice(10_000) == {}
    assert memory.n_unconsolidated == 0


def test_what_somebody_wrote_keeps_its_id_while_others_are_merged_in_the_background(memory: LongTermMemory) -> None:
    for i in range(4):
        memory.add(event(i, i, is_quoted=i < 2), SAME)
    assert memory.consolidate_slice(10) == {"episode/3": "episode/2"}
    assert memory.consolidate_slice(10) == {}


def test_an_event_that_comes_late_or_is_forgotten_meanwhile_is_merged_into_nothing_that_is_gone(
    memory: LongTermMemory,
) -> None:
    memory.add(event(1, 100))
    memory.add(event(2, 10))  # of another memory's slower queue
    assert memory.consolidate_slice(10) == {}
    memory.remove("episode/1")
    memory.add(event(3, 110))
    memory.add(event(4, 111))
    assert memory.consolidate_slice(10) == {"episode/4": "episode/3"}
    assert {e.id: e.count for e in memory.all()} == {"episode/2": 1, "episode/3": 2}
