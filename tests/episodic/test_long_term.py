"""The long-term memory: any mix of conditions, compared with a plain loop over all episodes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loci.episodic.filters import EpisodeFilter
from loci.episodic.long_term import LongTermMemory
from loci.episodic.records import Episode, episode_from_record, episode_to_fields
from loci.geometry import Array, look_at
from loci.store import Record, Store

LABELS = ["mug", "bed", "sofa", "lamp"]
POSES = {f"keyframe/{i}": look_at((i % 7, i % 5, 1.0), (i % 7 + 1.0, i % 3, 1.2)) for i in range(60)}


class HashEncoder:
    """Deterministic 16-d vectors, and a count of the texts it was asked for."""

    name = "hash"
    dimension = 16

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.encoded += texts
        rows = [np.random.default_rng(list(hashlib.sha256(t.encode()).digest())).normal(size=16) for t in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def pose_of(id: str) -> Array:
    return POSES[id]


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    v = rng.normal(size=n).astype(np.float32)
    return v / np.linalg.norm(v)


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store.open(tmp_path / "home") as store:
        yield store


Kept = dict[str, tuple[Episode, np.ndarray | None, np.ndarray | None]]


def fill(memory: LongTermMemory, rng: np.random.Generator, n: int = 200) -> Kept:
    """Keyframes' experiences and events with everything varied; what was kept, by id."""
    kept: Kept = {}
    for i in range(n):
        is_keyframe = bool(rng.random() < 0.5)
        labels = tuple(rng.choice(LABELS, size=rng.integers(0, 4)))
        common = {
            "labels": labels,
            "stamp_ns": int(rng.integers(0, 50)),
            "session": str(rng.choice(["s1", "s2"])),
            "map_id": str(rng.choice(["home", "office"])),
            "place": str(rng.choice(["", "place/1", "place/2"])),
            "object_ids": tuple(f"object/{j}" for j in rng.integers(0, 5, size=rng.integers(0, 3))),
        }
        if is_keyframe:
            keyframe = f"keyframe/{int(rng.integers(0, 60))}"
            episode = Episode(keyframe, "keyframe", "saw things", keyframe_id=keyframe, **common)  # type: ignore[arg-type]
        else:
            where = [None, tuple(rng.uniform(-3, 8, 3).tolist())][int(rng.integers(0, 2))]
            hangs = bool(rng.random() < 0.5) and where is not None
            episode = Episode(
                f"episode/{i}",
                "episode",
                f"event {i}",
                object_id=str(rng.choice(["", "object/1", "object/9"])),
                state=str(rng.choice(["", "open"])),
                keyframe_id="keyframe/3" if hangs else "",
                position_in_camera=where if hangs else None,
                position=None if hangs else where,
                **common,  # type: ignore[arg-type]
            )
        text = unit(rng, 16) if rng.random() < 0.5 else None
        image = unit(rng, 8) if rng.random() < 0.5 else None
        memory.add(episode, text, image)
        kept[episode.id] = (episode, text, image)
    for id in list(kept)[::9]:
        assert memory.remove(id)
        del kept[id]
    return kept


def brute_force(
    kept: Kept, conditions: EpisodeFilter, text: np.ndarray | None, image: np.ndarray | None, encoder: HashEncoder
) -> dict[str, float]:
    """Scores of all matching episodes, written the slow way."""
    scores: dict[str, float] = {}
    for episode, own_text, own_image in kept.values():
        if not conditions.matches(episode, pose_of):
            continue
        parts = []
        if text is not None:
            own = [] if own_text is None else [float(own_text @ text)]
            parts.append(max([0.0, *own, *(float(encoder.encode([label])[0] @ text) for label in episode.labels)]))
        if image is not None:
            parts.append(0.0 if own_image is None else max(0.0, float(own_image @ image)))
        scores[episode.id] = float(np.clip(np.mean(parts), 0, 1)) if parts else 1.0
    return scores


FILTERS = st.builds(
    EpisodeFilter,
    kinds=st.sampled_from([(), ("keyframe",), ("episode",), ("keyframe", "episode")]),
    labels=st.sampled_from([(), ("mug",), ("mug", "bed"), ("never seen",)]),
    object_id=st.sampled_from([None, "object/1", "object/9", "object/77"]),
    places=st.sampled_from([None, frozenset(), frozenset({"place/1"}), frozenset({"place/1", "place/7"})]),
    state=st.sampled_from([None, None, "open"]),
    box=st.sampled_from([None, ((0.0, 0.0, 0.0), (4.0, 3.0, 2.0))]),
    after_ns=st.sampled_from([None, 10]),
    before_ns=st.sampled_from([None, 30]),
    session=st.sampled_from([None, "s1", "s3"]),
    map_id=st.sampled_from([None, "home"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS, st.booleans(), st.sampled_from([None, 1.0, 3.0]), st.booleans(), st.booleans())
def test_every_mix_of_conditions_gives_what_a_plain_loop_gives(
    filled: tuple[LongTermMemory, Kept, HashEncoder],
    conditions: EpisodeFilter,
    reverse: bool,
    radius: float | None,
    with_text: bool,
    with_image: bool,
) -> None:
    memory, kept, encoder = filled
    if radius is not None:
        conditions = replace(conditions, position=(2.0, 2.0, 1.0), radius=radius)
    rng = np.random.default_rng(1)
    text, image = unit(rng, 16) if with_text else None, unit(rng, 8) if with_image else None
    expected = brute_force(kept, conditions, text, image, encoder)
    found, n_total = memory.search(conditions, text_embedding=text, image_embedding=image, limit=1000, pose_of=pose_of)
    assert n_total == len(expected)
    assert {e.id for e, _ in found} == expected.keys()
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    for episode, score in found:
        assert episode == kept[episode.id][0]
        assert score == pytest.approx(expected[episode.id], abs=1e-5)
    by_time, _ = memory.search(conditions, order="oldest" if reverse else "newest", limit=1000, pose_of=pose_of)
    times = [memory.time_key(e) for e, _ in by_time]
    assert times == sorted(times, reverse=not reverse)


@pytest.fixture
def filled(store: Store) -> tuple[LongTermMemory, Kept, HashEncoder]:
    encoder = HashEncoder()
    memory = LongTermMemory(store, encoder)
    return memory, fill(memory, np.random.default_rng(0)), encoder


@pytest.mark.parametrize("order", ["relevance", "newest", "oldest"])
def test_pages_are_parts_of_the_whole_list(filled: tuple[LongTermMemory, Kept, HashEncoder], order: str) -> None:
    memory, _, _ = filled
    text = unit(np.random.default_rng(2), 16)
    whole, n_total = memory.search(EpisodeFilter(), text_embedding=text, order=order, limit=1000)  # type: ignore[arg-type]
    pages: list[tuple[Episode, float]] = []
    for offset in range(0, n_total + 10, 10):
        page, n = memory.search(EpisodeFilter(), text_embedding=text, order=order, limit=10, offset=offset)  # type: ignore[arg-type]
        assert n == n_total
        pages += page
    assert pages == whole


def test_everything_comes_back_after_reopening_with_the_order_of_sessions(tmp_path: Path) -> None:
    encoder, rng = HashEncoder(), np.random.default_rng(0)
    text = unit(rng, 16)
    with Store.open(tmp_path / "m") as store:
        memory = LongTermMemory(store, encoder)
        # The first session has only experiences, whose records are read after the episodes of the second.
        memory.add(Episode("keyframe/1", "keyframe", "saw mug", ("mug",), 900, "first", keyframe_id="keyframe/1"))
        fill(memory, rng, 50)
        before = memory.search(EpisodeFilter(), text_embedding=text, limit=100)
        oldest, _ = memory.search(EpisodeFilter(), order="oldest", limit=100)
    with Store.open(tmp_path / "m") as store:
        memory = LongTermMemory(store, encoder)
        after = memory.search(EpisodeFilter(), text_embedding=text, limit=100)
        assert {(e, round(s, 5)) for e, s in after[0]} == {(e, round(s, 5)) for e, s in before[0]}
        assert memory.search(EpisodeFilter(), order="oldest", limit=1)[0][0][0].session == "first"
        assert {e.id for e, _ in oldest} == {e.id for e in memory.all()}


def test_no_text_model_runs_for_a_keyframe_and_each_label_is_encoded_once(store: Store) -> None:
    encoder = HashEncoder()
    memory = LongTermMemory(store, encoder)
    for i in range(50):
        memory.add(
            Episode(f"keyframe/{i}", "keyframe", f"saw thing {i}", (LABELS[i % 4],), keyframe_id=f"keyframe/{i}")
        )
    assert encoder.encoded == []
    query = encoder.encode(["mug"])[0]
    for _ in range(3):
        found, _ = memory.search(EpisodeFilter(), text_embedding=query, limit=20)
    assert sorted(encoder.encoded) == sorted(["mug", *LABELS])
    assert {e.labels for e, s in found if s > 0.99} == {("mug",)}


def test_corrected_poses_move_what_hangs_on_them_without_a_call(store: Store) -> None:
    memory, poses = LongTermMemory(store, None), {"keyframe/1": look_at((0, 0, 1), (1, 0, 1))}
    memory.add(Episode("episode/1", "episode", "a mug", keyframe_id="keyframe/1", position_in_camera=(0.0, 0.0, 2.0)))
    memory.add(Episode("keyframe/1", "keyframe", "saw", keyframe_id="keyframe/1"))

    def near(*point: float) -> set[str]:
        conditions = EpisodeFilter(position=point, radius=0.1)  # type: ignore[arg-type]
        return {e.id for e, _ in memory.search(conditions, pose_of=poses.__getitem__)[0]}

    assert near(2, 0, 1) == {"episode/1"}
    assert near(0, 0, 1) == {"keyframe/1"}
    poses["keyframe/1"] = look_at((10, 0, 1), (10, 1, 1))
    assert near(10, 2, 1) == {"episode/1"}
    assert near(10, 0, 1) == {"keyframe/1"}
    assert near(2, 0, 1) == set()
    del poses["keyframe/1"]
    assert near(10, 2, 1) == set()


def test_an_episode_is_replaced_removed_and_follows_merged_objects(store: Store) -> None:
    memory, text = LongTermMemory(store, None), np.eye(16, dtype=np.float32)[0]
    memory.add(
        Episode("episode/1", "episode", "opened", object_id="object/1", object_ids=("object/1", "object/2")), text
    )
    memory.add(
        Episode("episode/1", "episode", "closed", object_id="object/1", object_ids=("object/1", "object/2")), text
    )
    assert len(memory) == 1
    assert "episode/1" in memory
    assert memory.replace_objects({"object/1": "object/2", "object/5": "object/6"}) == 1
    merged = memory.get("episode/1")
    assert merged is not None
    assert merged.object_id == "object/2"
    assert merged.object_ids == ("object/2",)
    assert memory.search(EpisodeFilter(object_id="object/1"))[1] == 0
    assert memory.search(EpisodeFilter(object_id="object/2"), text_embedding=text)[0] == [(merged, 1.0)]
    assert memory.ids_about(["object/2"]) == ("episode/1",)
    assert memory.ids_about(["object/1"], ["keyframe/1"]) == ()
    assert memory.remove("episode/1")
    assert not memory.remove("episode/1")
    assert memory.get("episode/1") is None
    with pytest.raises(KeyError, match="there is no episode 'episode/1'"):
        memory.replace(merged)
    assert list(store.records("episode")) == []


def test_many_replacements_keep_the_columns_small_and_right(store: Store) -> None:
    memory, rng = LongTermMemory(store, HashEncoder()), np.random.default_rng(0)
    vectors = [unit(rng, 16) for _ in range(40)]
    for i in range(2000):
        number = i % 40
        memory.add(Episode(f"episode/{number}", "episode", "x", (LABELS[i % 4],), stamp_ns=i), vectors[number])
    assert len(memory._columns.view) < 1000
    for number in range(40):
        (found, score), *_ = memory.search(EpisodeFilter(), text_embedding=vectors[number], limit=1)[0]
        assert found.id == f"episode/{number}"
        assert found.stamp_ns == 1960 + number
        assert score == pytest.approx(1.0, abs=1e-5)


def test_searches_are_right_while_episodes_stream_in_and_are_replaced(store: Store) -> None:
    memory, done, failures = LongTermMemory(store, HashEncoder()), threading.Event(), []
    query = HashEncoder().encode(["mug"])[0]

    def read() -> None:
        while not done.is_set():
            try:
                found, n_total = memory.search(EpisodeFilter(labels=("mug",)), text_embedding=query, limit=50)
                assert len(found) <= n_total
                for episode, score in found:
                    assert "mug" in episode.labels
                    assert score == pytest.approx(1.0, abs=1e-5)
                    assert memory.get(episode.id) is not None
            except BaseException as error:
                failures.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(1500):
        memory.add(Episode(f"episode/{i % 300}", "episode", "x", (LABELS[i % 300 % 4], f"thing {i % 20}"), stamp_ns=i))
    done.set()
    for reader in readers:
        reader.join()
    assert not failures


def test_images_of_another_encoder_and_unknown_words_find_nothing_and_break_nothing(store: Store) -> None:
    memory = LongTermMemory(store, HashEncoder())
    memory.add(Episode("keyframe/1", "keyframe", "saw", keyframe_id="keyframe/1"), image_embedding=np.ones(8))
    memory.add(Episode("keyframe/2", "keyframe", "saw", keyframe_id="keyframe/2"), image_embedding=np.ones(4))
    scores = [score for _, score in memory.search(EpisodeFilter(), image_embedding=np.ones(8))[0]]
    assert scores == pytest.approx([1.0, 0.0])
    assert [s for _, s in memory.search(EpisodeFilter(), image_embedding=np.ones(5))[0]] == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"expected a text embedding \(16,\) of hash, got \(8,\)"):
        memory.search(EpisodeFilter(), text_embedding=np.ones(8))
    with pytest.raises(ValueError, match="expected pose_of"):
        memory.search(EpisodeFilter(box=((0, 0, 0), (1, 1, 1))))
    assert LongTermMemory(store, None).search(EpisodeFilter(), text_embedding=np.ones(3))[1] == 2


def test_labels_of_other_records_are_scored_alike(store: Store) -> None:
    encoder = HashEncoder()
    memory = LongTermMemory(store, encoder)
    query = encoder.encode(["mug"])[0]
    scores = memory.label_scores([("bed", "mug"), (), ("bed",)], query)
    np.testing.assert_allclose(scores, [1.0, 0.0, max(0.0, float(encoder.encode(["bed"])[0] @ query))], atol=1e-6)


@given(
    st.builds(
        Episode,
        id=st.just("episode/1"),
        kind=st.sampled_from(["keyframe", "episode"]),
        text=st.text(),
        labels=st.lists(st.text()).map(tuple),
        keyframe_id=st.just("keyframe/1"),
        object_ids=st.lists(st.text()).map(tuple),
        pinned=st.booleans(),
        position_in_camera=st.none() | st.tuples(*[st.floats(-1e6, 1e6)] * 3),
        position=st.none() | st.tuples(*[st.floats(-1e6, 1e6)] * 3),
        count=st.integers(1, 9),
    )
)
def test_an_episode_survives_the_store(episode: Episode) -> None:
    import json

    fields = json.loads(json.dumps(episode_to_fields(episode)))
    assert episode_from_record(Record("episode", "episode/1", fields)) == episode


@pytest.mark.parametrize(
    "wrong", [{"kind": "thing"}, {"position_in_camera": (0.0, 0.0, 1.0)}, {"position": (0.0, float("nan"), 1.0)}]
)
def test_an_episode_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Episode(**{"id": "episode/1", "kind": "episode", "text": "x", **wrong})  # type: ignore[arg-type]
