"""The index of a large memory: its answers are those of an exact search, with and without conditions, from one opening to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loci.episodic.filters import EpisodeFilter
from loci.episodic.long_term import LongTermMemory
from loci.episodic.records import Episode
from loci.store import Store
from loci.store.inverted_lists import assign, train

N, D = 6000, 32


def topics(rng: np.random.Generator, n: int, dimension: int = D, n_topics: int = 60, spread: float = 0.6) -> np.ndarray:
    """Unit vectors around some directions, as sentences lie around what they are about."""
    centers = np.random.default_rng(99).normal(size=(n_topics, dimension))
    v = centers[rng.integers(n_topics, size=n)] + spread * rng.normal(size=(n, dimension))
    return (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32)


def add(memory: LongTermMemory, vectors: np.ndarray, first: int = 0) -> None:
    for i, v in enumerate(vectors, start=first):
        place = f"place/{i % 100}"
        where = (float(i % 77), float(i % 13), 0.0)
        memory.add(
            Episode(f"episode/{i}", "episode", f"event {i}", stamp_ns=i, session="s", place=place, position=where), v
        )


def recall_at_10(memory: LongTermMemory, exact: LongTermMemory, queries: np.ndarray, **conditions: object) -> float:
    shares = []
    for query in queries:
        a, n_a = memory.search(EpisodeFilter(**conditions), text_embedding=query, pose_of=_no_pose)  # type: ignore[arg-type]
        b, n_b = exact.search(EpisodeFilter(**conditions), text_embedding=query, pose_of=_no_pose)  # type: ignore[arg-type]
        assert n_a == n_b
        assert [s for _, s in a] == sorted((s for _, s in a), reverse=True)
        shares.append(len({e.id for e, _ in a} & {e.id for e, _ in b}) / len(b))
    return float(np.mean(shares))


def _no_pose(id: str) -> np.ndarray:
    raise KeyError(id)


@pytest.fixture(autouse=True)
def few_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a memory of a million: most lists are left out."""
    monkeypatch.setattr("loci.store.inverted_lists._MIN_CODES", 100)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return topics(np.random.default_rng(1), N)


@pytest.fixture
def path(tmp_path: Path, vectors: np.ndarray) -> Path:
    with Store.open(tmp_path / "home") as store:
        memory = LongTermMemory(store, None, max_exact=500)
        add(memory, vectors)
        assert memory.finish_indexing(60)
        store.commit()
        memory.save_index()
    return tmp_path / "home"


@pytest.mark.parametrize(
    "conditions",
    [{}, {"places": frozenset({"place/3"})}, {"after_ns": 5000}, {"position": (10.0, 5.0, 0.0), "radius": 12.0}],
)
def test_the_index_finds_what_an_exact_search_finds(path: Path, conditions: dict[str, object]) -> None:
    queries = topics(np.random.default_rng(2), 100)
    with Store.open(path) as store:
        memory, exact = LongTermMemory(store, None, max_exact=100), LongTermMemory(store, None, max_exact=10**9)
        lists = memory._columns.view.lists["text", D]
        assert 0 < lists.n_lists < len(lists.centers), "not all lists are needed"
        assert recall_at_10(memory, exact, queries, **conditions) >= 0.98


def test_what_is_added_removed_and_replaced_is_in_the_answers_at_once(path: Path) -> None:
    rng = np.random.default_rng(3)
    with Store.open(path) as store:
        memory = LongTermMemory(store, None, max_exact=500)
        new = topics(rng, 30)
        add(memory, new, first=N)
        for i, v in enumerate(new):
            assert memory.search(EpisodeFilter(), text_embedding=v)[0][0][0].id == f"episode/{N + i}"
        for i in range(0, N + 30, 2):  # more than half in the end: the rows get new numbers
            assert memory.remove(f"episode/{i}")
        add(memory, topics(rng, 400), first=N + 100)
        exact_ids = {e.id for e in memory.all()}
        for i in range(1, 30, 2):
            found = [e.id for e, _ in memory.search(EpisodeFilter(), text_embedding=new[i])[0]]
            assert found[0] == f"episode/{N + i}"
            assert set(found) <= exact_ids
        assert memory.finish_indexing(60)
        view = memory._columns.view
        assert len(view.lists["text", D]) > len(view.vectors["text", D][0]) - 1024


@pytest.mark.parametrize("damage", ["missing", "garbage", "flipped", "of another kind"])
def test_a_lost_or_damaged_index_is_made_anew_from_the_records(path: Path, damage: str, vectors: np.ndarray) -> None:
    (file,) = (path / "index").iterdir()
    data = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    elif damage == "garbage":
        file.write_bytes(b"garbage")
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    with Store.open(path) as store:
        if damage == "of another kind":
            store.save_index(f"text-{D}", {"centers": np.zeros((3, 3), np.float32)})
        memory = LongTermMemory(store, None, max_exact=500)
        set_aside = [p for p in (path / "damaged").rglob("*") if p.is_file()]
        assert len(set_aside) == (damage in ("garbage", "flipped"))
        assert any("index" in w for w in store.warnings) == (damage in ("garbage", "flipped"))
        assert memory.search(EpisodeFilter(), text_embedding=vectors[17])[0][0][0].id == "episode/17"
        assert memory.finish_indexing(60)
        memory.save_index()
        assert (path / "index").is_dir()
    with Store.open(path) as store:
        again = LongTermMemory(store, None, max_exact=500)
        assert ("text", D) in again._columns.view.lists, "read back, not made again"


@pytest.mark.parametrize("n_known", [600, 1999, 2000])
def test_lists_that_grew_are_those_that_would_be_made_of_all_vectors(vectors: np.ndarray, n_known: int) -> None:
    some = train(vectors[:600])
    grown = some.extended(vectors[:n_known]).extended(vectors[:2000])
    at_once = some.with_members(vectors[:2000], assign(vectors[:2000], some.centers))
    for name in ("assigned", "members", "starts", "codes"):
        np.testing.assert_array_equal(getattr(grown, name), getattr(at_once, name), err_msg=name)
        assert getattr(grown, name).dtype == getattr(at_once, name).dtype


def test_vectors_without_any_structure_are_found_as_well_by_looking_through_more_lists() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(4000, 128)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    lists = train(noise)
    rows, allowed = np.arange(4000), np.ones(4000, bool)
    queries = rng.normal(size=(50, 128)).astype(np.float32)
    found = [set(lists.search(noise, rows, allowed, 4000, q / np.linalg.norm(q), 10)[0]) for q in queries]
    exact = [set(np.argsort(-(noise @ q))[:10]) for q in queries]
    assert np.mean([len(a & b) / 10 for a, b in zip(found, exact, strict=True)]) >= 0.98


def test_what_was_forgotten_is_not_in_the_saved_index(path: Path, vectors: np.ndarray) -> None:
    with Store.open(path) as store:
        memory = LongTermMemory(store, None, max_exact=500)
        lonely = np.zeros(D, np.float32)
        lonely[0] = 1.0
        memory.add(
            Episode("episode/777777", "episode", "the diary is under the mattress", stamp_ns=1, session="s"), lonely
        )
        # As if a list had only this one member: its centre is the vector itself.
        view = memory._columns.view
        lists = view.lists["text", D].extended(view.vectors["text", D][0])
        lists = replace(lists, centers=lists.centers.copy())
        lists.centers[lists.assigned[-1]] = lonely
        memory._columns.put_lists(("text", D), lists, view.generation)
        store.commit()
        memory.save_index()
        assert memory.remove("episode/777777")
        store.purge()
        assert not list((path / "index").iterdir())
        memory._keeper._saved.clear()
        memory.save_index()
        data = b"".join(p.read_bytes() for p in path.rglob("*") if p.is_file())
    assert b"episode/777777" not in data
    assert b"mattress" not in data
    assert lonely.tobytes() not in data
