"""What a node counts and times, for its diagnostics: counters, rejected inputs by reason, latencies, rates.

No ROS here; `loci.nodes.diagnostics` turns a monitor into a message.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np

#: Latencies of so many newest calls make the quantiles.
WINDOW = 512
#: Rates are taken over at least so long [s].
RATE_PERIOD = 1.0
#: For so long after an input was refused, diagnostics warn of it [s].
WARN_PERIOD = 30.0


class Monitor:
    """Counters and timers of one node. All methods are thread-safe and quick.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._last_rejection = ""
        self._rejected_at = -float("inf")
        self._latencies: dict[str, deque[float]] = {}
        self._since, self._counts_then = clock(), Counter[str]()
        self._rates: dict[str, float] = {}

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += n

    def reject(self, reason: str, message: str) -> int:
        """Count an input that was refused; returns how often this reason came up so far."""
        with self._lock:
            self._rejected[reason] += 1
            self._last_rejection = message
            self._rejected_at = self._clock()
            return self._rejected[reason]

    def took(self, name: str, seconds: float, *, count: bool = True) -> None:
        """Note how long one call took, and count it."""
        with self._lock:
            self._latencies.setdefault(name, deque(maxlen=WINDOW)).append(seconds)
            if count:
                self._counts[name] += 1

    def counted(self, name: str) -> int:
        """Value of a counter; 0 if it was never used."""
        with self._lock:
            return self._counts[name]

    def rejected(self) -> dict[str, int]:
        """How many inputs were refused, by reason."""
        with self._lock:
            return dict(self._rejected)

    @property
    def last_rejection(self) -> str:
        """What was wrong with the input refused last; empty: none was."""
        return self._last_rejection

    def warning(self) -> str:
        """How many inputs were refused, and why the last was; empty if none was within `WARN_PERIOD`."""
        with self._lock:
            if self._clock() - self._rejected_at > WARN_PERIOD:
                return ""
            return f"{sum(self._rejected.values())} inputs refused, last: {self._last_rejection}"

    def values(self) -> dict[str, str]:
        """Everything as text by name: counts, rates over the last second or more [1/s], latencies [ms], rejections."""
        now = self._clock()
        with self._lock:
            counts, rejected = dict(self._counts), dict(self._rejected)
            latencies = {name: np.fromiter(values, float) * 1e3 for name, values in self._latencies.items()}
            elapsed = now - self._since
            if elapsed >= RATE_PERIOD:
                self._rates = {name: (n - self._counts_then[name]) / elapsed for name, n in counts.items()}
                self._since, self._counts_then = now, Counter(counts)
            rates = dict(self._rates)
        values = {name: str(n) for name, n in counts.items()}
        values |= {f"{name} rate [1/s]": f"{rate:.2f}" for name, rate in rates.items()}
        for name, milliseconds in latencies.items():
            for quantile in (50, 99):
                values[f"{name} p{quantile} [ms]"] = f"{np.percentile(milliseconds, quantile):.2f}"
        values |= {f"rejected: {reason}": str(n) for reason, n in rejected.items()}
        if self._last_rejection:
            values["last rejected"] = self._last_rejection
        return values
