"""Whether SQLite's write-ahead log is whole: SQLite itself reads it up to the first broken frame, and says nothing of the rest.

It takes what follows for a transaction that was under way when the machine died. But a frame behind it that ends a transaction of the
same log shows that what is broken had been committed. (https://www.sqlite.org/fileformat2.html#the_write_ahead_log) What was cut off
at the end leaves no trace.
"""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

_MAGIC = {b"\x37\x7f\x06\x82": "<u4", b"\x37\x7f\x06\x83": ">u4"}  # byte order of the numbers that are summed
_HEADER, _FRAME_HEADER = 32, 24
_FRAMES_AT_ONCE = 512
#: A writer may begin the log anew while it is read: what was found wrong is looked at again after so long [s].
_PAUSE_S = 0.05

Sums = npt.NDArray[np.uint64]


def find_log_damage(file: Path) -> str:
    """What is wrong with a write-ahead log, in words; empty: nothing, or there is none. It may be in use."""
    found = _look(file)
    if found:
        time.sleep(_PAUSE_S)
        found = _look(file)
    return found


def _look(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            header = opened.read(_HEADER)
            if not header:
                return ""
            order = _MAGIC.get(header[:4])
            if order is None:
                return "its write-ahead log is not one (what was in it is lost)"
            page_size = int.from_bytes(header[8:12], "big")
            sums = _sums(np.frombuffer(header[:24], order).reshape(1, 3, 2), np.zeros(2, np.uint64))[0]
            is_whole = len(header) == _HEADER and sums.tolist() == np.frombuffer(header[24:], ">u4").tolist()
            if not is_whole or not 512 <= page_size <= 65536 or page_size & (page_size - 1):
                return "the header of its write-ahead log is broken (what was in it is lost)"
            n_whole, n_committed = _count_frames(opened, page_size, order, header, sums)
    except FileNotFoundError:
        return ""
    if n_committed <= n_whole:
        return ""
    return f"its write-ahead log is broken after {n_whole} of {n_committed} pages (what was committed with the others is lost)"


def _count_frames(opened: IO[bytes], page_size: int, order: str, header: bytes, sums: Sums) -> tuple[int, int]:
    """How many frames SQLite reads at most, and up to which one transactions were ended."""
    salts = np.frombuffer(header[16:24], ">u4")
    n_seen = n_whole = n_committed = 0
    is_broken = False
    while True:
        data = opened.read(_FRAMES_AT_ONCE * (_FRAME_HEADER + page_size))
        n = len(data) // (_FRAME_HEADER + page_size)
        if n == 0:
            return n_whole, n_committed
        frames = np.frombuffer(data, np.uint8, n * (_FRAME_HEADER + page_size)).reshape(n, -1)
        heads = np.ascontiguousarray(frames[:, :_FRAME_HEADER]).view(">u4")  # (n, 6)
        is_ours = (heads[:, 2:4] == salts).all(axis=1)  # others are left of an earlier log
        ends = np.flatnonzero(is_ours & (heads[:, 1] != 0))
        if len(ends):
            n_committed = n_seen + int(ends[-1]) + 1
        if not is_broken:
            summed = np.concatenate([frames[:, :8], frames[:, _FRAME_HEADER:]], axis=1).view(order).reshape(n, -1, 2)
            every = _sums(summed, sums)  # (n, 2)
            wrong = np.flatnonzero(~is_ours | (every != heads[:, 4:6]).any(axis=1))
            n_whole = n_seen + (int(wrong[0]) if len(wrong) else n)
            is_broken, sums = bool(len(wrong)), every[-1]
        n_seen += n


def _sums(pairs: npt.NDArray[np.uint32], before: Sums) -> Sums:
    """Running checksums (N, 2) after each of N blocks of pairs of numbers (N, M, 2).

    Each pair (x, y) takes the sums (s, t) to (s + t + x, s + 2 t + x + y) modulo 2^32: so a block adds a weighted sum of its numbers.
    """
    weights, step = _weights(pairs.shape[1])
    added = np.einsum("nmi,mij->nj", pairs.astype(np.uint64), weights)  # modulo 2^64, which is as good
    found = np.empty((len(pairs), 2), np.uint64)
    sums = before
    for i, more in enumerate(added):
        sums = (step @ sums + more) & np.uint64(0xFFFFFFFF)
        found[i] = sums
    return found


@lru_cache(maxsize=4)
def _weights(n: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """What each of ``n`` pairs adds to the sums, (n, 2, 2), and what becomes of the sums before them, (2, 2)."""
    step, own = np.array([[1, 1], [1, 2]], np.uint64), np.array([[1, 0], [1, 1]], np.uint64)
    weights = np.empty((n, 2, 2), np.uint64)
    power = np.eye(2, dtype=np.uint64)
    for i in reversed(range(n)):
        weights[i] = (power @ own).T & np.uint64(0xFFFFFFFF)
        power = (power @ step) & np.uint64(0xFFFFFFFF)
    return weights, power
