"""Back-pressure: what is dropped, what is kept, and how a worker ends."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.nodes.queueing import Closed, DropOldest


@given(st.lists(st.integers(), max_size=30), st.integers(1, 8))
def test_the_newest_items_stay_and_the_rest_is_counted(items: list[int], capacity: int) -> None:
    queue: DropOldest[int] = DropOldest(capacity)
    dropped = [d for item in items if (d := queue.put(item)) is not None]
    kept = [queue.get(0.0) for _ in range(len(queue))]
    assert dropped + kept == items
    assert kept == items[max(0, len(items) - capacity) :]
    assert queue.n_dropped == max(0, len(items) - capacity)


def test_a_worker_that_waits_gets_what_comes() -> None:
    queue: DropOldest[str] = DropOldest(2)
    got: list[str | None] = []
    worker = threading.Thread(target=lambda: got.append(queue.get(10.0)))
    worker.start()
    time.sleep(0.02)
    queue.put("a")
    worker.join(10.0)
    assert got == ["a"]


def test_nothing_comes_within_the_timeout() -> None:
    assert DropOldest(1).get(0.01) is None


def test_a_closed_queue_gives_what_it_has_and_then_ends_the_worker() -> None:
    queue: DropOldest[str] = DropOldest(2)
    queue.put("a")
    queue.close()
    assert queue.put("b") == "b"
    assert queue.get(1.0) == "a"
    with pytest.raises(Closed):
        queue.get(1.0)


def test_a_queue_closed_without_draining_ends_the_worker_at_once() -> None:
    queue: DropOldest[str] = DropOldest(2)
    queue.put("a")
    queue.close(drain=False)
    with pytest.raises(Closed):
        queue.get(1.0)


def test_a_queue_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        DropOldest(0)
