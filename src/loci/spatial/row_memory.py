"""Memory in which rows of bytes appear as they are needed and never move: a range of addresses that is reserved at once.

Either anonymous (in memory, with large pages: first touches are a good part of what a new brick costs), or a scratch file
mapped into memory, of which parts can be let go of and come back by themselves when they are touched. Scratch files have no
name: the system removes them when the process ends, however it ends. Linux only, as are the flags used here.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import torch

#: Not named by Python's mmap before 3.13; the value of Linux on all common processors.
_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
#: Large pages of the processors in question.
_HUGE = 2 << 20
#: Touching one page of a file brings in what is cached of so much around it; rows begin at a border of it.
FAULT_AROUND = 64 << 10
#: What is reserved at first where addresses are limited or counted, and the most of a scratch file, which is sparse.
_FEW, _MOST = 64 << 20, 1 << 40
#: Scratch files grow by so much, or by this share of their size, whichever is more.
_GROWTH_BYTES, _GROWTH_SHARE = 16 << 20, 1 / 8


class RowMemory:
    """Rows of equal size, all zeros at first. One thread grows it; views of it stay valid as long as anyone has them.

    Args:
        row_bytes: size of a row.
        folder: keep the rows in a scratch file there; None: in memory.
        reserve: addresses to reserve [bytes]; default: as much as there is memory, or space on the disk.
        large_pages: ask for large pages; small memories then take up to 2 MB more than they need.

    Raises:
        OSError: no file can be made in the folder, or no addresses are left.
    """

    def __init__(
        self, row_bytes: int, folder: Path | None = None, *, reserve: int | None = None, large_pages: bool = False
    ) -> None:
        self.row_bytes = row_bytes
        self.folder = folder
        self.n_rows = 0
        self._large_pages = large_pages
        self._file: int | None = None
        self._written_out: list[tuple[int, int]] = []
        if folder is None:
            size = _many_addresses() if reserve is None else reserve
            self._map = _reserve(size + _HUGE)
            self._start = -_address(self._map) % _HUGE
            if large_pages and hasattr(mmap, "MADV_HUGEPAGE"):
                with contextlib.suppress(OSError):  # a system without large pages: small ones do
                    self._map.madvise(mmap.MADV_HUGEPAGE, self._start, size)
        else:
            self._map, self._scratch, size = _scratch_file(folder, reserve)
            self._file = self._scratch.fileno()
            self._start = -_address(self._map) % FAULT_AROUND
            size -= FAULT_AROUND
            # No more than that: from Linux 6.18 on, what was read ahead in large pieces is mapped in large pieces, too.
            self._map.madvise(mmap.MADV_RANDOM)
        self.max_rows = size // row_bytes

    def rows(self) -> torch.Tensor:
        """All rows there are, (n_rows, row_bytes) uint8; the same memory at every call."""
        n = self.n_rows * self.row_bytes
        if not n:
            return torch.zeros((0, self.row_bytes), dtype=torch.uint8)
        return torch.frombuffer(self._map, dtype=torch.uint8, count=n, offset=self._start).reshape(-1, self.row_bytes)

    def grown(self, n_rows: int) -> RowMemory:
        """With at least so many rows: itself, unless what was reserved is full; then a copy.

        Raises:
            OSError: the disk is full, or memory is; nothing has changed then.
        """
        if n_rows <= self.n_rows:
            return self
        if self._file is not None:
            self._extend(n_rows)
            return self
        n_rows = max(n_rows, 2 * self.n_rows)
        if n_rows <= self.max_rows:
            self.n_rows = n_rows
            return self
        size = 2 * n_rows * self.row_bytes
        larger = RowMemory(self.row_bytes, reserve=size, large_pages=self._large_pages)
        larger.n_rows = n_rows
        larger.rows()[: self.n_rows] = self.rows()
        return larger

    def _extend(self, n_rows: int) -> None:
        assert self._file is not None
        more = max(_GROWTH_BYTES // self.row_bytes, int(self.n_rows * _GROWTH_SHARE)) if self.n_rows else 0
        n_rows = max(n_rows, min(self.n_rows + more, self.max_rows))
        begin, end = self._start + self.n_rows * self.row_bytes, self._start + n_rows * self.row_bytes
        where = f"the scratch file of the octree in {self.folder} cannot grow to {end / 1e6:.0f} MB"
        if n_rows > self.max_rows:
            raise OSError(errno.ENOSPC, f"{where}: the disk is not that large")
        try:
            # Blocks of the disk are taken now: a full disk is an error here, and not a signal when a page is written.
            os.posix_fallocate(self._file, begin, end - begin)
        except OSError as error:
            raise OSError(error.errno, f"{where}: {error.strerror}; free some space there") from error
        self.n_rows = n_rows

    def fetch(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Begin to read rows [first, last) of a scratch file from the disk, where they are not cached: they are touched soon."""
        assert self._file is not None
        for first, last in ranges:
            begin, size = self._start + first * self.row_bytes, (last - first) * self.row_bytes
            os.posix_fadvise(self._file, begin, size, os.POSIX_FADV_WILLNEED)

    def let_go(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Take rows [first, last) of a scratch file out of memory; they come back when touched. Each range: whole pages.

        They are written to the disk in the background. What was written since the last call leaves the system's cache, too.
        """
        assert self._file is not None, "only what is in a file comes back"
        for begin, size in self._written_out:
            os.posix_fadvise(self._file, begin, size, os.POSIX_FADV_DONTNEED)
        self._written_out = []
        for first, last in ranges:
            begin, size = self._start + first * self.row_bytes, (last - first) * self.row_bytes
            self._map.madvise(mmap.MADV_DONTNEED, begin, size)
            # On Linux this begins to write what is dirty, and drops what is clean.
            os.posix_fadvise(self._file, begin, size, os.POSIX_FADV_DONTNEED)
            self._written_out.append((begin, size))


def _address(memory: mmap.mmap) -> int:
    return torch.frombuffer(memory, dtype=torch.uint8, count=1).data_ptr()


def _many_addresses() -> int:
    """More than will ever be needed [bytes], unless the system counts what is reserved and not used: then others would lack it."""
    setting = Path("/proc/sys/vm/overcommit_memory")
    is_counted = setting.exists() and setting.read_text().strip() == "2"
    if is_counted or resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return _FEW
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _reserve(size: int) -> mmap.mmap:
    """Anonymous memory that takes up nothing until it is touched."""
    try:
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
    except OSError as error:
        raise OSError(
            error.errno, f"the octree needs {size} bytes of addresses, the system refused: {error.strerror}"
        ) from error


def _scratch_file(folder: Path, reserve: int | None) -> tuple[mmap.mmap, BinaryIO, int]:
    """A sparse file without a name, mapped as a whole, and its size."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (lives as long as the memory)
        space = os.statvfs(folder)
        size = reserve or min(space.f_blocks * space.f_frsize, _MOST)
        os.ftruncate(file.fileno(), size)
        return mmap.mmap(file.fileno(), size, flags=mmap.MAP_SHARED), file, size
    except OSError as error:
        raise OSError(
            error.errno, f"no scratch file for the octree can be made in {folder}: {error.strerror}"
        ) from error
