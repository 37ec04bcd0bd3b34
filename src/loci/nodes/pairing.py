"""Puts together what belongs to one image: colour with depth by approximate time, and detections by exact stamp.

(message_filters does the first on a robot with ROS installed, but is not to be had as a wheel.) No ROS here: items are
anything, with their stamp in nanoseconds.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")

#: Stamps that go back by more than this are a clock that jumped (a bag that loops), less is an item out of order [ns].
JUMP_NS = 1_000_000_000


@dataclass(frozen=True)
class Pair(Generic[A, B]):
    """A colour item and its depth item; ``stamp_ns`` is that of the colour."""

    stamp_ns: int
    first: A
    second: B


class ApproximatePairs(Generic[A, B]):
    """Pairs items of two streams whose stamps differ by at most ``tolerance_ns``; each item is used at most once.

    An item is paired with the nearest one of the other stream that has arrived; older ones are given up. Not thread-safe.

    Attributes:
        n_unpaired: items given up, by stream (0 or 1).
        n_jumps: how often the clock went back and everything that waited was thrown away.
    """

    def __init__(self, tolerance_ns: int, capacity: int = 30) -> None:
        self._tolerance_ns = tolerance_ns
        self._streams: tuple[deque[tuple[int, A]], deque[tuple[int, B]]] = (deque(), deque())
        self._newest = [-1, -1]
        self._capacity = capacity
        self.n_unpaired = [0, 0]
        self.n_out_of_order = 0
        self.n_jumps = 0

    def add_first(self, stamp_ns: int, item: A) -> list[Pair[A, B]]:
        """Add an item of the first stream; returns the pairs that it completes."""
        return self._match() if self._add(0, stamp_ns, item) else []

    def add_second(self, stamp_ns: int, item: B) -> list[Pair[A, B]]:
        """Add an item of the second stream; returns the pairs that it completes."""
        return self._match() if self._add(1, stamp_ns, item) else []

    def clear(self) -> None:
        """Throw away what waits, and take any stamp next."""
        for stream in self._streams:
            stream.clear()
        self._newest = [-1, -1]

    def _add(self, which: int, stamp_ns: int, item: object) -> bool:
        back = self._newest[which] - stamp_ns
        if back > JUMP_NS:
            self.clear()
            self.n_jumps += 1
        elif back > 0:
            self.n_out_of_order += 1
            return False
        self._newest[which] = stamp_ns
        stream = self._streams[which]
        stream.append((stamp_ns, item))  # type: ignore[arg-type]
        if len(stream) > self._capacity:
            stream.popleft()
            self.n_unpaired[which] += 1
        return True

    def _match(self) -> list[Pair[A, B]]:
        first, second = self._streams
        pairs: list[Pair[A, B]] = []
        while first and second:
            difference = second[0][0] - first[0][0]
            # A later item that is already here and nearer wins; else the older head can never be paired any more.
            if len(second) > 1 and abs(second[1][0] - first[0][0]) < abs(difference):
                self._give_up(1)
            elif len(first) > 1 and abs(second[0][0] - first[1][0]) < abs(difference):
                self._give_up(0)
            elif abs(difference) <= self._tolerance_ns:
                (stamp_ns, a), (_, b) = first.popleft(), second.popleft()
                pairs.append(Pair(stamp_ns, a, b))
            else:
                self._give_up(1 if difference < 0 else 0)
        return pairs

    def _give_up(self, which: int) -> None:
        self._streams[which].popleft()
        self.n_unpaired[which] += 1


class ExactJoin(Generic[A, B]):
    """Joins items with partners of exactly the same stamp, in whatever order they come. Not thread-safe.

    An item whose partner does not come within ``timeout`` seconds, or for which there is no more room, goes on without one.

    Attributes:
        n_alone: items that went on without a partner.
        n_unused: partners that no item asked for.
    """

    def __init__(self, timeout: float, capacity: int) -> None:
        self._timeout = timeout
        self._capacity = capacity
        self._items: OrderedDict[int, tuple[float, A]] = OrderedDict()
        self._partners: OrderedDict[int, B] = OrderedDict()
        self.n_alone = 0
        self.n_unused = 0

    def add_item(self, stamp_ns: int, item: A, now: float) -> list[tuple[A, B | None]]:
        """Add an item at time ``now`` [s]; returns what is ready, in the order in which the items came."""
        if stamp_ns in self._partners:
            self._forget_partners(stamp_ns)
            return [*self._give_up(len(self._items)), (item, self._partners.pop(stamp_ns))]
        self._items[stamp_ns] = (now, item)
        return self._give_up(len(self._items) - self._capacity)

    def add_partner(self, stamp_ns: int, partner: B) -> list[tuple[A, B | None]]:
        """Add a partner; returns what is ready."""
        if stamp_ns not in self._items:
            self._partners[stamp_ns] = partner
            while len(self._partners) > self._capacity:
                self._partners.popitem(last=False)
                self.n_unused += 1
            return []
        ready = self._give_up(list(self._items).index(stamp_ns))
        _, item = self._items.pop(stamp_ns)
        return [*ready, (item, partner)]

    def expire(self, now: float) -> list[tuple[A, B | None]]:
        """Items that have waited long enough, without partners."""
        return self._give_up(sum(now - since >= self._timeout for since, _ in self._items.values()))

    def clear(self) -> None:
        """Throw away what waits."""
        self._items.clear()
        self._partners.clear()

    def _give_up(self, n: int) -> list[tuple[A, B | None]]:
        """The ``n`` oldest items go on alone: detectors work in order, so what is late will not come, and order is kept."""
        ready: list[tuple[A, B | None]] = [(self._items.popitem(last=False)[1][1], None) for _ in range(n)]
        self.n_alone += len(ready)
        return ready

    def _forget_partners(self, stamp_ns: int) -> None:
        while next(iter(self._partners)) != stamp_ns:
            self._partners.popitem(last=False)
            self.n_unused += 1
