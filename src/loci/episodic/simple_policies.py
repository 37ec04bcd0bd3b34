"""Replacement policies that order keys by one number: FIFO, LRU, LFU and Mem4Nav's retention score."""

from __future__ import annotations

import heapq
from abc import abstractmethod
from collections import OrderedDict

from loci.episodic.policy import ReplacementPolicy, Usage, first_other


class Fifo(ReplacementPolicy):
    """What came in first leaves first; a record about the same object keeps the place of the one before (KARMA)."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._order: OrderedDict[str, None] = OrderedDict()

    def _inserted(self, key: str) -> None:
        self._order[key] = None

    def _accessed(self, key: str, n: int) -> None:
        del key, n

    def _removed(self, key: str) -> None:
        del self._order[key]

    def _victim(self, keep: str) -> str:
        return first_other(self._order, keep) or keep

    def _restored(self) -> None:
        self._order = OrderedDict.fromkeys(sorted(self._usage, key=lambda key: self._usage[key].entered))


class Lru(Fifo):
    """What was not used for longest leaves first."""

    def _accessed(self, key: str, n: int) -> None:
        self._order.move_to_end(key)

    def _restored(self) -> None:
        self._order = OrderedDict.fromkeys(sorted(self._usage, key=lambda key: self._usage[key].used))


class _Scored(ReplacementPolicy):
    """The lowest score leaves. A heap with entries that may be out of date: (score, key), valid if it is the key's score."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._scores: dict[str, tuple[float, int]] = {}
        self._heap: list[tuple[tuple[float, int], str]] = []

    @abstractmethod
    def _score(self, usage: Usage) -> tuple[float, int]: ...

    def _inserted(self, key: str) -> None:
        self._scores[key] = self._score(self._usage[key])
        heapq.heappush(self._heap, (self._scores[key], key))
        if len(self._heap) > 2 * len(self._scores) + 64:
            self._rebuild()

    def _accessed(self, key: str, n: int) -> None:
        del n
        self._inserted(key)

    def _removed(self, key: str) -> None:
        del self._scores[key]

    def _victim(self, keep: str) -> str:
        found, kept = keep, None
        while self._heap:
            score, key = self._heap[0]
            if self._scores.get(key) == score and key != keep:
                found = key
                break
            entry = heapq.heappop(self._heap)
            kept = entry if self._scores.get(key) == score else kept
        if kept is not None:
            heapq.heappush(self._heap, kept)
        return found

    def _restored(self) -> None:
        self._scores = {key: self._score(usage) for key, usage in self._usage.items()}
        self._rebuild()

    def _rebuild(self) -> None:
        self._heap = [(score, key) for key, score in self._scores.items()]
        heapq.heapify(self._heap)


class Lfu(_Scored):
    """What was used least often leaves first; of equals, what was not used for longer."""

    def _score(self, usage: Usage) -> tuple[float, int]:
        return (float(usage.frequency), usage.used)


class Retention(_Scored):
    """The lowest lambda * frequency - (1 - lambda) * age leaves (Mem4Nav, arXiv 2506.19433).

    Age is the time since a record was written, in turnovers: one is ``capacity`` accesses. (The paper names no unit; counted
    in single accesses, age would outweigh every frequency in all but the smallest memories, which is FIFO.) All ages grow alike, so that
    the order of lambda * frequency + (1 - lambda) * written is the same at all times.

    Args:
        weight: lambda, in [0, 1].
    """

    def __init__(self, capacity: int, weight: float = 0.5) -> None:
        super().__init__(capacity)
        if not 0.0 <= weight <= 1.0:
            raise ValueError(f"expected a weight of the frequency in [0, 1], got {weight}")
        self._weight = weight

    def _score(self, usage: Usage) -> tuple[float, int]:
        age = -usage.written / self.capacity
        return (self._weight * usage.frequency - (1.0 - self._weight) * age, usage.used)
