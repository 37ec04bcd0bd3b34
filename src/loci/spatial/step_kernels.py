"""Climbing over the surfaces in an octree's columns, compiled by numba: one surface leads to the next that is a step away."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Height of a column on which no surface was reached.
NONE = -(1 << 30)
#: States of the columns beside the surfaces that were reached.
OPEN, BLOCKED, DROP = 0, 1, 2
#: A column is a drop if this share of the two steps below a surface was seen to be free in it.
DROP_SHARE = 0.75


@numba.njit(cache=True, nogil=True)
def _has(codes: Ints, bits: Bits, x: int, y: int, low: int, high: int) -> bool:
    """Whether a column (x, y) has any bit in the layers [low, high). See `loci.spatial.columns.Columns` for codes and bits."""
    tile = ((x >> 3) << 40) + (((y >> 3) + (1 << 19)) << 20)
    column = (x & 7) * 8 + (y & 7)
    for level in range(low >> 3, ((high - 1) >> 3) + 1):
        code = tile + level + (1 << 19)
        row = np.searchsorted(codes, code)
        if row == len(codes) or codes[row] != code:
            continue
        first, last = max(low - level * 8, 0), min(high - level * 8, 8)
        if bits[row, column] & ((1 << last) - (1 << first)):
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _surface(codes: Ints, tops: Bits, solid: Bits, x: int, y: int, layer: int, step: int, head: int) -> int:
    """The layer of the surface of a column that is nearest to ``layer``, at most ``step`` away, with ``head`` layers free above it."""
    if not _has(codes, tops, x, y, layer - step, layer + step + 1):
        return NONE
    for d in range(step + 1):
        for at in (layer + d, layer - d):
            if _has(codes, tops, x, y, at, at + 1) and not _has(codes, solid, x, y, at + 1, at + 1 + head):
                return at
    return NONE


@numba.njit(cache=True, nogil=True)
def climb(
    codes: Ints,
    tops: Bits,
    solid: Bits,
    seeds: Ints,
    corner: Ints,
    heights: npt.NDArray[np.int32],
    floor: int,
    others: Ints,
    level: int,
    step: int,
    head: int,
    gap: int,
) -> None:
    """Fill in the surfaces that are reached from seeds, from column to neighbouring column, a step up or down at a time.

    Args:
        codes, tops, solid: of the octree's columns.
        seeds: (N, 3) columns x, y and layers from where to look, not reached themselves.
        corner: (2,) x, y of the first column of ``heights``.
        heights: (H, W) row = y; `NONE`, and afterwards the layer of the surface that was reached.
        floor: layer of the floor where it begins, which is left alone.
        others: (K,) layers of other floors, which are reached and not crossed.
        level: surfaces so many layers from a floor's belong to it.
        step: layers that a robot can climb at once.
        head: layers above a surface that must hold nothing.
        gap: columns of which nothing is known that may lie between two surfaces below the floor: on the way down every edge hides
            something, on the way up nothing does.
    """
    n_rows, n_columns = heights.shape
    queue = np.empty((n_rows * n_columns + len(seeds), 3), dtype=np.int64)
    n = 0
    for seed in seeds:
        queue[n] = seed
        n += 1
    i = 0
    while i < n:
        x, y, layer = queue[i]
        i += 1
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                for k in range(1, gap + 2):
                    row, column = y + k * dy - corner[1], x + k * dx - corner[0]
                    if not (0 <= row < n_rows and 0 <= column < n_columns) or heights[row, column] != NONE:
                        break
                    found = _surface(codes, tops, solid, x + k * dx, y + k * dy, layer, step, head)
                    if found == NONE:
                        # What lies behind an edge is hidden, but nothing may stand there.
                        if _has(codes, solid, x + k * dx, y + k * dy, layer - step, layer + 1 + head):
                            break
                        continue
                    if abs(found - floor) <= level or (k > 1 and found > floor):
                        break
                    heights[row, column] = found
                    if not np.any(np.abs(others - found) <= level):
                        queue[n] = (x + k * dx, y + k * dy, found)
                        n += 1
                    break


@numba.njit(cache=True, nogil=True)
def judge_beside(
    codes: Ints, solid: Bits, free: Bits, columns: Ints, layers: Ints, step: int, head: int
) -> npt.NDArray[np.uint8]:
    """What is in columns (N, 2) beside surfaces in layers (N,): `BLOCKED` by something, a `DROP`, or `OPEN`: not known to be either."""
    states = np.zeros(len(columns), dtype=np.uint8)
    for i in range(len(columns)):
        x, y = columns[i]
        layer = layers[i]
        if _has(codes, solid, x, y, layer + step + 1, layer + 1 + head):
            states[i] = BLOCKED
        elif not _has(codes, solid, x, y, layer - 2 * step, layer + step + 1):
            n_free = 0
            for at in range(layer - 2 * step, layer):
                n_free += _has(codes, free, x, y, at, at + 1)
            # Right below the surface's own level, where no slab is: below a floor that is hidden there is the room below.
            through = _has(codes, free, x, y, layer - 1, layer) and _has(codes, free, x, y, layer - 2, layer - 1)
            if through and n_free >= DROP_SHARE * 2 * step:
                states[i] = DROP
    return states
