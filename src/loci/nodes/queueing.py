"""Back-pressure between callbacks and workers.

A callback only puts; one worker gets. When the worker cannot keep up, the oldest item is dropped and counted: a memory
would rather miss a frame than lag behind the robot.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818
    """The queue was closed and is empty."""


class DropOldest(Generic[T]):
    """Bounded queue that drops its oldest item to take a new one. All methods are thread-safe.

    Args:
        capacity: most items kept, >= 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a queue of at least 1, got {capacity}")
        self.capacity = capacity
        self.n_dropped = 0
        self._items: deque[T] = deque()
        self._ready = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> T | None:
        """Add an item; returns the one that was dropped for it, if any. Does nothing once closed."""
        with self._ready:
            if self._closed:
                return item
            dropped = self._items.popleft() if len(self._items) >= self.capacity else None
            self.n_dropped += dropped is not None
            self._items.append(item)
            self._ready.notify()
            return dropped

    def get(self, timeout: float) -> T | None:
        """Oldest item; None if none came within ``timeout`` seconds.

        Raises:
            Closed: nothing will come any more.
        """
        with self._ready:
            if not self._items and not self._closed:
                self._ready.wait(timeout)
            if self._items:
                return self._items.popleft()
            if self._closed:
                raise Closed
            return None

    def clear(self) -> int:
        """Throw away what waits; returns how many items that were."""
        with self._ready:
            count = len(self._items)
            self._items.clear()
            return count

    def close(self, drain: bool = True) -> None:
        """Take nothing more; what waits is still given out if ``drain``."""
        with self._ready:
            self._closed = True
            if not drain:
                self._items.clear()
            self._ready.notify_all()
