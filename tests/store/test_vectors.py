"""Exact vector search: compared with a sort of all cosines."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.store import GrowingArray, VectorIndex


def brute_force(vectors: dict[str, np.ndarray], query: np.ndarray, k: int) -> list[tuple[str, float]]:
    def cosine(v: np.ndarray) -> float:
        return float(v @ query / np.linalg.norm(v) / np.linalg.norm(query))

    return sorted(((id, cosine(v)) for id, v in vectors.items()), key=lambda item: -item[1])[:k]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_search_agrees_with_brute_force_through_adds_replacements_and_removals(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    index, vectors = VectorIndex(8), {}
    for i in rng.integers(0, n, size=n):  # some ids twice: replaced
        vectors.pop(str(i), None)
        vectors[str(i)] = rng.normal(size=8).astype(np.float32)
        index.add(str(i), vectors[str(i)])
    gone = [id for id in vectors if rng.random() < 0.3]
    assert index.remove(*gone, "never there") == len(gone)
    for id in gone:
        del vectors[id]
    query = rng.normal(size=8)
    found, expected = index.search(query, k), brute_force(vectors, query, k)
    assert [id for id, _ in found] == [id for id, _ in expected]
    np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=1e-5)


def test_only_allowed_rows_are_found(rng: np.random.Generator) -> None:
    index = VectorIndex(4)
    for i in range(100):
        index.add(f"object/{i}", rng.normal(size=4))
    allowed = np.array([id.endswith("7") for id in index.ids])
    found = index.search(rng.normal(size=4), 100, allowed)
    assert sorted(id for id, _ in found) == sorted(id for id in index.ids if id.endswith("7"))


def test_equal_vectors_come_in_the_order_in_which_they_were_added() -> None:
    index = VectorIndex(2)
    for i in range(50):
        index.add(str(i), (1.0, 0.0))
    assert [id for id, _ in index.search((1.0, 0.0), 5)] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("vector", [(0.0, 0.0), (np.nan, 1.0), (1.0, 2.0, 3.0), ((1.0, 0.0),)])
def test_a_vector_that_is_none_is_refused_and_changes_nothing(vector: tuple[float, ...]) -> None:
    index = VectorIndex(2)
    index.add("a", (1.0, 0.0))
    with pytest.raises(ValueError, match="expected a finite, non-zero vector"):
        index.add("a", vector)
    assert index.search((1.0, 0.0), 1) == [("a", 1.0)]


def test_a_view_does_not_change_while_rows_are_appended() -> None:
    rows = GrowingArray((2,), capacity=1)
    rows.append((0.0, 0.0))
    view = rows.view()
    before = view.copy()
    for i in range(1, 200):
        assert rows.append((i, i)) == i
    np.testing.assert_array_equal(view, before)
    np.testing.assert_array_equal(rows.view()[:, 0], np.arange(200))


def test_readers_see_whole_states_while_one_thread_writes(rng: np.random.Generator) -> None:
    index, errors, done = VectorIndex(16), [], threading.Event()
    vectors = rng.normal(size=(2000, 16))

    def read() -> None:
        while not done.is_set():
            try:
                for id, score in index.search(vectors[0], 5):
                    expected = (
                        vectors[0] @ vectors[int(id)] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[int(id)])
                    )
                    assert score == pytest.approx(expected, abs=1e-5)
            except BaseException as error:
                errors.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for i, vector in enumerate(vectors):
        index.add(str(i), vector)
        if i % 50 == 49:
            index.remove(str(i - 10))
    done.set()
    reader.join()
    assert not errors
