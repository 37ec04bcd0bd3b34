"""How often keys were used lately, in half a byte each: a count-min sketch whose counts are halved now and then.

Cormode and Muthukrishnan, J. Algorithms 55 (2005); four bits and halving as in Einziger, Friedman and Manes, TinyLFU,
ACM TOS 13 (2017), section 3. It forgets: what was popular long ago does not keep its rank for ever.
"""

from __future__ import annotations

import hashlib

import numpy as np

#: Rows of counters; largest count; uses until counts are halved, per record of the memory (as in the paper), and records at
#: least: after a hundred uses the counts of a memory of ten would say nothing.
_ROWS, _MAX, _SAMPLE, _LEAST = 4, 15, 10, 64


class FrequencySketch:
    """Estimated uses of keys, 0 to 15, never too low between two halvings.

    Args:
        capacity: records of the memory that it serves; it takes 8 bytes for each.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a capacity >= 1, got {capacity}")
        self._width = max(_LEAST, 1 << (capacity - 1).bit_length()) * 4  # counters per row, a power of two
        self._bytes = bytearray(_ROWS * self._width // 2)  # two counters in each
        self._n_added = 0
        #: Counts are halved after so many additions.
        self.sample_size = _SAMPLE * max(capacity, _LEAST)

    def estimate(self, key: str) -> int:
        """How often ``key`` was added since some time, at most 15."""
        return min(self._bytes[i >> 1] >> (4 * (i & 1)) & _MAX for i in self._counters(key))

    def add(self, key: str, n: int = 1) -> None:
        """Count ``n`` uses."""
        for _ in range(min(n, _MAX)):
            counted = False
            for i in self._counters(key):
                shift = 4 * (i & 1)
                if self._bytes[i >> 1] >> shift & _MAX < _MAX:
                    self._bytes[i >> 1] += 1 << shift
                    counted = True
            self._n_added += counted
            if self._n_added >= self.sample_size:
                self._halve()

    def _halve(self) -> None:
        counts = np.frombuffer(self._bytes, dtype=np.uint8)
        counts >>= 1
        counts &= 0x77  # the bit that came over from the upper counter
        self._n_added //= 2

    def _counters(self, key: str) -> tuple[int, ...]:
        """One counter in each row; the same in every process, unlike `hash`."""
        digest = hashlib.blake2b(key.encode(), digest_size=4 * _ROWS).digest()
        mask = self._width - 1
        return tuple(
            row * self._width + (int.from_bytes(digest[4 * row : 4 * row + 4], "little") & mask) for row in range(_ROWS)
        )
