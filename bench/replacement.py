"""Hit rates of the short-term memory's replacement policies beside cachetools and theine: `make bench NAME=replacement`.

Every policy gets the same traces (`traces.py`). theine is asked through its core, without the buffers in front of it, which
hold more than the capacity. Also: W-TinyLFU with windows that stay as they are (KARMA found a tenth best at ten records).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from typing import Any

import cachetools
from theine_core import TlfuCore, spread

from common import table, write_result
from loci.episodic.replacement import POLICIES, hits, make_policy
from loci.episodic.tiny_lfu import WTinyLfu
from traces import household, scans, shifting_zipf, zipf

CAPACITIES = (10, 100, 1000)
WINDOWS = (0.01, 0.1, 0.5, 0.9)

Player = Callable[[int, list[str]], int]


def _cachetools(kind: type[Any]) -> Player:
    def play(capacity: int, trace: list[str]) -> int:
        cache, n_hits = kind(capacity), 0
        for key in trace:
            if cache.get(key) is not None:
                n_hits += 1
            else:
                cache[key] = True
        return n_hits

    return play


def _theine(capacity: int, trace: list[str]) -> int:
    core, held, n_hits = TlfuCore(capacity), set[int](), 0
    for key in _hashed(trace):
        if key in held:
            n_hits += 1
            core.access([key])
        else:
            held.add(key)
            held.difference_update(core.set([(key, 0)]))
    return n_hits


def _hashed(trace: Iterable[str]) -> list[int]:
    numbers: dict[str, int] = {}  # not `hash`, which differs from process to process
    return [spread(numbers.setdefault(key, len(numbers))) for key in trace]


def _ours(name: Any, **settings: float) -> Player:
    return lambda capacity, trace: hits(make_policy(name, capacity, **settings), trace)


PLAYERS: dict[str, Player] = {
    **{f"loci {name}": _ours(name) for name in POLICIES},
    "cachetools fifo": _cachetools(cachetools.FIFOCache),
    "cachetools lru": _cachetools(cachetools.LRUCache),
    "cachetools lfu": _cachetools(cachetools.LFUCache),
    "theine w-tinylfu": _theine,
}


def main() -> None:
    """Print the tables and write out/bench/replacement.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accesses", type=int, default=100_000, help="of the made-up traces")
    parser.add_argument("--days", type=int, default=14, help="of the household trace")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    traces = {
        "zipf": zipf(a.accesses, 10_000, a.seed),
        "shifting_zipf": shifting_zipf(a.accesses, 10_000, a.seed),
        "scan": scans(a.accesses, 10_000, a.seed),
        "household": household(a.days, a.seed),
    }
    rates: dict[str, dict[str, dict[str, float]]] = {}
    seconds: dict[str, float] = dict.fromkeys(PLAYERS, 0.0)
    for trace_name, trace in traces.items():
        for capacity in CAPACITIES:
            row = rates.setdefault(trace_name, {})[str(capacity)] = {}
            for name, play in PLAYERS.items():
                start = time.perf_counter()
                row[name] = round(play(capacity, trace) / len(trace), 4)
                seconds[name] += time.perf_counter() - start
    headers = ["hit rate [%]", *(f"{t} {c}" for t in traces for c in CAPACITIES)]
    print(
        table(
            headers,
            [[name, *(100 * rates[t][str(c)][name] for t in traces for c in CAPACITIES)] for name in PLAYERS],
        )
    )
    windows = {
        t: {
            str(c): {
                str(w): round(hits(WTinyLfu(c, w, adapts=False), trace) / len(trace), 4) for w in WINDOWS if w * c >= 1
            }
            for c in CAPACITIES[:2]
        }
        for t, trace in traces.items()
    }
    points = {
        t: {c: round(100 * (row["loci w-tinylfu"] - row["theine w-tinylfu"]), 2) for c, row in by_capacity.items()}
        for t, by_capacity in rates.items()
    }
    n_accesses = {name: len(trace) for name, trace in traces.items()}
    total = len(CAPACITIES) * sum(n_accesses.values())
    result = {
        "accesses": n_accesses,
        "keys": {name: len(set(trace)) for name, trace in traces.items()},
        "hit_rates": rates,
        "w_tinylfu_minus_theine_points": points,
        "w_tinylfu_worst_points": min(p for row in points.values() for p in row.values()),
        "fixed_window": windows,
        "microseconds_per_access": {name: round(1e6 * s / total, 2) for name, s in seconds.items()},
    }
    print(f"W-TinyLFU minus theine [points]: {points}")
    print(write_result("replacement", result))


if __name__ == "__main__":
    main()
