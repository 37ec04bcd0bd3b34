"""Which rows of a scratch file are in memory: those used last, near the robot, within a budget of bytes.

Rows are kept and let go of in blocks; rows of one scan lie together, in Morton order, so that blocks are compact in space.
The cost per scan depends on the rows in use, not on how many there are.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from loci.spatial.row_memory import FAULT_AROUND, RowMemory

Ints = npt.NDArray[np.int64]

#: Rows of a block.
BLOCK_ROWS = 8
#: Bytes of a row, so that a block is what the system brings into memory at once.
ROW_BYTES = FAULT_AROUND // BLOCK_ROWS
#: When the budget is exceeded, so much of it stays: nothing is let go of row by row.
_KEPT_SHARE = 7 / 8
#: The robot has to move by this share of the radius before bricks behind it are let go of.
_STEP_SHARE = 1 / 8


class Residency:
    """Keeps account of the blocks in memory; thread-safe.

    Args:
        memory: of the rows, in a scratch file.
        budget: most bytes of rows in memory, beside those in use right now; None: no bound.
        radius: farther ones are let go of when the robot moves [bricks]; None: distance does not matter.
        row_overhead: bytes in memory of every row there is, let go of or not; they count.
    """

    def __init__(self, memory: RowMemory, budget: int | None, radius: float | None, row_overhead: int) -> None:
        self._memory = memory
        self._budget = budget
        self._radius = radius
        self._row_overhead = row_overhead
        self._share = 1.0
        self._lock = threading.Lock()
        self._n_rows = 0
        self._now = 0
        self._swept_at = np.full(3, np.inf)
        self._n_resident = 0
        self._resident = np.zeros(0, dtype=np.int64)  # the first `_n_resident` are blocks in memory, in no order
        # By block: when it was used last, whether it is in memory, and the bricks in it from lowest to highest.
        self._used = np.zeros(0, dtype=np.int64)
        self._is_resident = np.zeros(0, dtype=np.bool_)
        self._lowest = np.zeros((0, 3), dtype=np.int32)
        self._highest = np.zeros((0, 3), dtype=np.int32)

    @property
    def n_bytes(self) -> int:
        """Bytes of all rows in memory, with what every row has there at any time."""
        return self._n_resident * self._block_bytes + self._n_rows * self._row_overhead

    @property
    def _block_bytes(self) -> int:
        return BLOCK_ROWS * self._memory.row_bytes

    def add(self, first: int, bricks: npt.NDArray[np.int64]) -> None:
        """Rows from ``first`` on are bricks with these coordinates (N, 3)."""
        with self._lock:
            self._n_rows = first + len(bricks)
            n_blocks = -(-self._n_rows // BLOCK_ROWS)
            if n_blocks > len(self._used):
                n_more = max(n_blocks, 2 * len(self._used)) - len(self._used)
                self._used = np.pad(self._used, (0, n_more))
                self._is_resident = np.pad(self._is_resident, (0, n_more))
                self._resident = np.pad(self._resident, (0, n_more))
                self._lowest = np.pad(self._lowest, ((0, n_more), (0, 0)), constant_values=np.iinfo(np.int32).max)
                self._highest = np.pad(self._highest, ((0, n_more), (0, 0)), constant_values=-1)
            blocks = np.arange(first, self._n_rows) // BLOCK_ROWS
            np.minimum.at(self._lowest, blocks, bricks.astype(np.int32))
            np.maximum.at(self._highest, blocks, bricks.astype(np.int32))

    def use(self, rows: npt.NDArray[np.int64]) -> None:
        """These rows (N,), negative ones left out, are about to be read or written: others are let go of for them."""
        blocks = rows[rows >= 0] // BLOCK_ROWS
        with self._lock:
            self._now += 1
            self._used[blocks] = self._now
            new = np.unique(blocks[~self._is_resident[blocks]])
            self._resident[self._n_resident : self._n_resident + new.size] = new
            self._n_resident += new.size
            self._is_resident[new] = True
            self._keep_to_budget()
            self._memory.fetch(_runs(new))

    def share(self, share: float) -> None:
        """Use only this share of the budget, 0 to 1, until told otherwise."""
        with self._lock:
            self._share = share
            self._now += 1  # nothing is in use
            self._keep_to_budget()

    def _keep_to_budget(self) -> None:
        if self._budget is None:
            return
        allowed = max(self._budget * self._share - self._n_rows * self._row_overhead, 0)
        if self._n_resident * self._block_bytes > allowed:
            self._shrink(int(allowed * _KEPT_SHARE) // self._block_bytes)

    def _shrink(self, n_kept: int) -> None:
        """Let go of the blocks used least recently, none of those in use now."""
        resident = self._resident[: self._n_resident]
        used = self._used[resident]
        going = used < self._now
        n_going = min(resident.size - n_kept, int(going.sum()))
        if n_going < int(going.sum()):
            going = np.zeros(resident.size, dtype=np.bool_)
            going[np.argpartition(used, n_going - 1)[:n_going]] = True
        self._let_go(going)

    def move(self, position: npt.NDArray[np.float64]) -> None:
        """The robot is at ``position`` (3,) [bricks, from the octree's lowest corner]: what is farther than the radius goes."""
        if self._radius is None:
            return
        with self._lock:
            if np.linalg.norm(position - self._swept_at) < self._radius * _STEP_SHARE:
                return
            self._swept_at = position.copy()
            resident = self._resident[: self._n_resident]
            nearest = np.clip(position, self._lowest[resident], self._highest[resident] + 1)
            away = np.linalg.norm(nearest - position, axis=1)
            self._let_go((away > self._radius) & (self._used[resident] < self._now))

    def _let_go(self, going: npt.NDArray[np.bool_]) -> None:
        """Of the resident blocks those that are marked, (K,)."""
        resident = self._resident[: self._n_resident]
        gone, kept = np.sort(resident[going]), resident[~going]
        if not gone.size:
            return
        self._is_resident[gone] = False
        self._n_resident = kept.size
        self._resident[: kept.size] = kept
        self._memory.let_go(_runs(gone))


def _runs(blocks: Ints) -> list[tuple[int, int]]:
    """Ranges of rows [first, last) of blocks (ascending), one of consecutive ones."""
    if not blocks.size:
        return []
    ends = np.flatnonzero(np.diff(blocks, append=-1) != 1)
    firsts = blocks[np.concatenate([[0], ends[:-1] + 1])] * BLOCK_ROWS
    return list(zip(firsts.tolist(), ((blocks[ends] + 1) * BLOCK_ROWS).tolist(), strict=True))
