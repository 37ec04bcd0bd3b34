"""Which record leaves the short-term memory: replacement policies by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from loci.episodic.policy import ReplacementPolicy
from loci.episodic.simple_policies import Fifo, Lfu, Lru, Retention
from loci.episodic.tiny_lfu import WTinyLfu

PolicyName = Literal["fifo", "lru", "lfu", "retention", "w-tinylfu"]
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)


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
