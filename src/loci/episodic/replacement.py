"""Which record leaves the short-term memory: replacement policies behind one interface, chosen by name.

A policy orders keys and knows nothing of records. Every access is counted, so that how often a key was used outlives a
restart (`usage`, `restore`) and a change of policy.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from loci.episodic.sketch import FrequencySketch

PolicyName = Literal["fifo", "lru", "lfu", "retention", "w-tinylfu"]
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)


@dataclass(frozen=True)
class Usage:
    """How a key was used. Times are counts of accesses to the memory, so that they do not depend on any clock.

    Attributes:
        frequency: accesses: it came in, was written again, was read.
        entered: when it came in; written: when it was written last; used: when it was accessed last.
    """

    frequency: int
    entered: int
    written: int
    used: int


class ReplacementPolicy(ABC):
    """Keys in the order in which they are to leave.

    Args:
        capacity: number of keys that are kept at most, >= 1. The caller sees to it: it calls `evict`, also for reasons of its
            own (bytes).
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a capacity >= 1, got {capacity}")
        self.capacity = capacity
        self._usage: dict[str, Usage] = {}
        self._now = 0

    def __len__(self) -> int:
        return len(self._usage)

    def __contains__(self, key: object) -> bool:
        return key in self._usage

    def usage(self, key: str) -> Usage | None:
        """How ``key`` was used; None: it is not here."""
        return self._usage.get(key)

    def insert(self, key: str) -> None:
        """Take in a key that is not here.

        Raises:
            ValueError: it is here.
        """
        if key in self._usage:
            raise ValueError(f"expected a new key, got {key!r}, which is here already: use `access`")
        self._now += 1
        self._usage[key] = Usage(1, self._now, self._now, self._now)
        self._inserted(key)

    def access(self, key: str, n: int = 1, *, is_write: bool = False) -> None:
        """A key was read ``n`` times, or its record was written anew.

        Raises:
            KeyError: it is not here.
        """
        before = self._usage[key]
        self._now += 1
        written = self._now if is_write else before.written
        self._usage[key] = Usage(before.frequency + n, before.entered, written, self._now)
        self._accessed(key, n)

    def evict(self, keep: str = "") -> str:
        """Take out the key that is worth least.

        Args:
            keep: not this one, as long as there is another: what has just come in had no time to be used.

        Raises:
            IndexError: there is none.
        """
        if not self._usage:
            raise IndexError("there is no key to evict")
        key = self._victim(keep)
        self.remove(key)
        return key

    def remove(self, key: str) -> None:
        """Take a key out.

        Raises:
            KeyError: it is not here.
        """
        del self._usage[key]
        self._removed(key)

    def rename(self, key: str, new: str) -> None:
        """``new`` takes the place of ``key``; where ``new`` is here already, it keeps its own and ``key`` leaves.

        Raises:
            KeyError: ``key`` is not here.
        """
        if key == new:
            self._usage[key]
            return
        usage = self._usage[key]
        self.remove(key)
        if new in self._usage:
            own = self._usage[new]
            self._usage[new] = replace(own, frequency=own.frequency + usage.frequency)
            self._accessed(new, usage.frequency)
        else:
            self.restore({**self._usage, new: usage})

    def restore(self, usage: Mapping[str, Usage]) -> None:
        """Hold these keys and no others, as `usage` said earlier; what a policy knows beyond it is made up from it."""
        for key in list(self._usage):
            self.remove(key)
        self._usage = dict(usage)
        self._now = max((u.used for u in usage.values()), default=0)
        self._restored()

    @abstractmethod
    def _inserted(self, key: str) -> None: ...

    @abstractmethod
    def _accessed(self, key: str, n: int) -> None: ...

    @abstractmethod
    def _removed(self, key: str) -> None: ...

    @abstractmethod
    def _victim(self, keep: str) -> str: ...

    @abstractmethod
    def _restored(self) -> None: ...


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
        return _first(self._order, keep) or keep

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


class WTinyLfu(ReplacementPolicy):
    """A small LRU window in front of a segmented main part that admits by frequency.

    What leaves the window enters the main part only if it was used more often lately (`FrequencySketch`) than what would have to
    leave for it. The main part is probation, where keys enter, and protected (80 %), where they move when used again. Einziger, Friedman and Manes,
    TinyLFU, ACM TOS 13 (2017), section 4; KARMA (arXiv 2409.14908) uses it with a tenth as window.

    The window's share climbs towards more hits: after every ten accesses per record (2560 at least: the rate of few accesses is
    noise) it takes a step, onwards if there were more hits than before, else back (Einziger et al., Adaptive Software Cache
    Management, Middleware 2018).

    Args:
        window_share: share of the capacity that is window at first, in (0, 1); one record at least.
        adapts: whether the share changes.
    """

    #: Share of the main part that is protected.
    PROTECTED = 0.8
    #: Accesses per record until the next step, and records at least; first step as a share of the capacity; how steps shrink; a
    #: change of the hit rate from which on they are large again.
    _SAMPLE, _LEAST, _STEP, _DECAY, _RESTART = 10, 256, 0.0625, 0.98, 0.05

    def __init__(self, capacity: int, window_share: float = 0.01, adapts: bool = True) -> None:
        super().__init__(capacity)
        if not 0.0 < window_share < 1.0:
            raise ValueError(f"expected a share of the window in (0, 1), got {window_share}")
        self._window_share = window_share
        self._adapts = adapts
        self._step = self._STEP
        self._n_hits = self._n_accesses = 0  # since the last step
        self._hit_rate: float | None = None  # before it
        self._sketch = FrequencySketch(capacity)
        self._window: OrderedDict[str, None] = OrderedDict()  # each: what leaves next is first
        self._probation: OrderedDict[str, None] = OrderedDict()
        self._protected: OrderedDict[str, None] = OrderedDict()
        self._candidate: str | None = None  # what came out of the window last

    def _inserted(self, key: str) -> None:
        self._sketch.add(key)
        self._window[key] = None
        self._shrink_window(self.capacity)
        self._climb(False)

    def _accessed(self, key: str, n: int) -> None:
        self._sketch.add(key, n)
        if key in self._window:
            self._window.move_to_end(key)
        elif key in self._protected:
            self._protected.move_to_end(key)
        else:
            del self._probation[key]
            self._protected[key] = None
            self._shrink_protected(self.capacity)
        self._climb(True)

    def _removed(self, key: str) -> None:
        for segment in (self._window, self._probation, self._protected):
            segment.pop(key, None)
        if self._candidate == key:
            self._candidate = None

    def _victim(self, keep: str) -> str:
        # A bound on bytes may leave room for fewer records than the capacity: the segments share what there is.
        room = min(self.capacity, len(self._usage) - 1)
        self._shrink_window(room)
        self._shrink_protected(room)
        victim = _first(self._probation, keep)
        if not victim:
            return _first(self._protected, keep) or _first(self._window, keep) or keep
        candidate = self._candidate
        if candidate is None or candidate not in self._probation or candidate in (victim, keep):
            return victim
        admitted = self._sketch.estimate(candidate) > self._sketch.estimate(victim)
        return victim if admitted else candidate

    def _climb(self, is_hit: bool) -> None:
        self._n_accesses += 1
        self._n_hits += is_hit
        if not self._adapts or self._n_accesses < self._SAMPLE * max(self.capacity, self._LEAST):
            return
        rate = self._n_hits / self._n_accesses
        self._n_hits = self._n_accesses = 0
        change = rate - self._hit_rate if self._hit_rate is not None else 0.0
        self._hit_rate = rate
        direction = self._step if change >= 0 else -self._step
        self._window_share = min(max(self._window_share + direction, 1e-3), self.PROTECTED)
        large = self._STEP if direction > 0 else -self._STEP
        self._step = large if abs(change) >= self._RESTART else self._DECAY * direction
        self._grow_window()

    def _grow_window(self) -> None:
        """A window that has become larger takes what would leave next; a smaller one shrinks as keys come in."""
        missing = max(1, round(self._window_share * self.capacity)) - len(self._window)
        for segment in (self._probation, self._protected):
            while missing > 0 and segment and len(self._usage) >= self.capacity:
                key, _ = segment.popitem(last=False)
                self._window[key] = None
                self._window.move_to_end(key, last=False)
                missing -= 1

    def _shrink_window(self, room: int) -> None:
        while len(self._window) > max(1, round(self._window_share * room)):
            key, _ = self._window.popitem(last=False)
            self._probation[key] = None
            self._candidate = key

    def _shrink_protected(self, room: int) -> None:
        window = max(1, round(self._window_share * room))
        while len(self._protected) > max(0, int(self.PROTECTED * (room - window))):
            key, _ = self._protected.popitem(last=False)
            self._probation[key] = None

    def _restored(self) -> None:
        """What was used more than once was protected; the newest others are the window."""
        order = sorted(self._usage, key=lambda key: self._usage[key].used)
        self._sketch = FrequencySketch(self.capacity)
        self._candidate = None
        self._window, self._probation, self._protected = OrderedDict(), OrderedDict(), OrderedDict()
        for key in order:
            self._sketch.add(key, self._usage[key].frequency)
            (self._protected if self._usage[key].frequency > 1 else self._window)[key] = None
        self._shrink_window(self.capacity)
        self._shrink_protected(self.capacity)
        self._candidate = None


def _first(order: Iterable[str], keep: str) -> str:
    """The first key that is not ``keep``; empty: none."""
    return next((key for key in order if key != keep), "")


def make_policy(
    name: PolicyName, capacity: int, *, window_share: float = 0.01, retention_weight: float = 0.5
) -> ReplacementPolicy:
    """A policy by name.

    Args:
        window_share: of W-TinyLFU.
        retention_weight: lambda of the retention score.

    Raises:
        ValueError: no policy of that name, or a setting out of range.
    """
    if name == "fifo":
        return Fifo(capacity)
    if name == "lru":
        return Lru(capacity)
    if name == "lfu":
        return Lfu(capacity)
    if name == "retention":
        return Retention(capacity, retention_weight)
    if name == "w-tinylfu":
        return WTinyLfu(capacity, window_share)
    raise ValueError(f"expected a policy among {', '.join(POLICIES)}, got {name!r}")


def hits(policy: ReplacementPolicy, trace: Iterable[str]) -> int:
    """How many keys of a trace were there when they were asked for; the others come in, and what is worth least leaves."""
    n_hits = 0
    for key in trace:
        if key in policy:
            n_hits += 1
            policy.access(key)
        else:
            policy.insert(key)
            if len(policy) > policy.capacity:
                policy.evict(keep=key)
    return n_hits
