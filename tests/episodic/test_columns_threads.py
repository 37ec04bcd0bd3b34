"""Columns that one thread fills while others ask for views of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from loci.episodic.columns import Columns
from loci.episodic.records import Episode

N = 4000


@pytest.fixture
def hasty_switches() -> Iterator[None]:
    """Threads take turns far more often, so that what can go wrong between two of them does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_vectors_are_counted_while_another_thread_reads(hasty_switches: None) -> None:
    """Every view takes in what is fresh, so that it changes under the hands of who counts it; each count is that of what was added."""
    columns, done = Columns(), threading.Event()

    def read() -> None:
        while not done.is_set():
            assert columns.view is not None

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        vectors = {"text": np.ones(4, np.float32), "image": np.ones(8, np.float32)}
        for i in range(N):
            columns.append(Episode(f"episode/{i}", "episode", "it rains", stamp_ns=i, session="s"), vectors)
            assert set(columns.n_vectors().values()) == {i + 1}
    finally:
        done.set()
        for reader in readers:
            reader.join()
