"""Taking ballots into the voxels, compiled by numba for the CPU: the same arithmetic as `Octree._apply`."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from loci.spatial.ballots import MISS
from loci.spatial.bricks import TOUCHED_HIT, TOUCHED_MAX, TOUCHED_MIN, TOUCHED_MISS


@numba.njit(cache=True, nogil=True)
def apply_ballots(
    ballots: npt.NDArray[np.int16],
    which: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    first: int,
    last: int,
    scan: int,
    hits: npt.NDArray[np.int16],
    miss: int,
    votes: npt.NDArray[np.int16],
    lowest: int,
    highest: int,
    threshold: int,
    bytes_: npt.NDArray[np.int8],
    words: npt.NDArray[np.int16],
    longs: npt.NDArray[np.int32],
    row_bytes: int,
    occupied_bits: npt.NDArray[np.uint8],
    free_bits: npt.NDArray[np.uint8],
    solid_bits: npt.NDArray[np.uint8],
    touched_bits: npt.NDArray[np.uint8],
    peak: npt.NDArray[np.int16],
    newest_scan: npt.NDArray[np.int32],
) -> None:
    """Take one scan's ballots ``which[first:last]`` into the bricks ``rows[first:last]`` and bring their summaries up to date.

    ``hits`` (16,): what a measurement of each strength adds; ``votes`` (17, 17): what so many rays that ended, and that passed,
    add to ``solid``; all in thousandths. ``bytes_``, ``words`` and ``longs`` are the memory of the voxels as numbers of each size,
    in rows of ``row_bytes``, laid out as `loci.spatial.bricks.VOXEL_TYPES` says.
    """
    for b in range(first, last):
        row, ballot_row = rows[b], ballots[which[b]]
        a = row * (row_bytes // 4)
        last_scan, changed_scan = longs[a : a + 512], longs[a + 512 : a + 1024]
        a = row * (row_bytes // 2) + 2048
        log_odds, solid, count = words[a : a + 512], words[a + 512 : a + 1024], words[a + 1024 : a + 1536]
        a = row * row_bytes + 7168
        touched = bytes_[a : a + 512]
        newest_scan[row] = scan
        highest_seen = -32768
        for column in range(64):
            occupied, free, blocking, touch = 0, 0, 0, 0
            for k in range(8):
                index = column * 8 + k
                ballot = ballot_row[index]
                n = count[index]
                value = log_odds[index]
                if ballot != 0:
                    before = value > threshold
                    strength = (ballot >> 10) & 15
                    if strength > 0:
                        value = min(value + hits[strength], highest)
                    elif ballot & MISS:
                        value = max(value + miss, lowest)
                    if strength > 0 or ballot & MISS:
                        if n == 0 or before != (value > threshold):
                            changed_scan[index] = scan
                        log_odds[index] = value
                        last_scan[index] = scan
                        if n < 32767:
                            n += 1
                        count[index] = n
                    vote = solid[index] + votes[(ballot >> 5) & 31, ballot & 31]
                    solid[index] = min(max(vote, lowest), highest)
                    if (ballot >> 5) & 31 > 0:
                        touched[index] = min(touched[index] + TOUCHED_HIT, TOUCHED_MAX)
                    elif ballot & 31 == 16:
                        touched[index] = max(touched[index] + TOUCHED_MISS, TOUCHED_MIN)
                if n > 0:
                    highest_seen = max(highest_seen, value)
                    if value > threshold:
                        occupied |= 1 << k
                    else:
                        free |= 1 << k
                if solid[index] > 0:
                    blocking |= 1 << k
                if touched[index] > 0:
                    touch |= 1 << k
            occupied_bits[row, column] = occupied
            free_bits[row, column] = free
            solid_bits[row, column] = blocking
            touched_bits[row, column] = touch
        peak[row] = highest_seen
