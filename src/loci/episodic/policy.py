"""What a replacement policy is: keys in the order in which they are to leave. It knows nothing of records.

Every access is counted, so that how often a key was used outlives a restart (`usage`, `restore`) and a change of policy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


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


def first_other(order: Iterable[str], keep: str) -> str:
    """The first key that is not ``keep``; empty: none."""
    return next((key for key in order if key != keep), "")
