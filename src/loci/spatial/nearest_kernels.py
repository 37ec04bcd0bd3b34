"""Nearest occupied voxel of points, compiled by numba for the CPU: a descent through the key ranges of the directory."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

_MASKS = (0x1249249249249249, 0x10C30C30C30C30C3, 0x100F00F00F00F00F, 0x1F0000FF0000FF, 0x1F00000000FFFF, 0xFFFFF)


@numba.njit(cache=True, nogil=True)
def _gather(value: np.int64) -> np.int64:
    value = value & _MASKS[0]
    value = (value | (value >> 2)) & _MASKS[1]
    value = (value | (value >> 4)) & _MASKS[2]
    value = (value | (value >> 8)) & _MASKS[3]
    value = (value | (value >> 16)) & _MASKS[4]
    return (value | (value >> 32)) & _MASKS[5]


@numba.njit(cache=True, nogil=True)
def _bound(point: npt.NDArray[np.float64], key: np.int64, level: int) -> float:
    """Smaller than the squared distance of a point to any voxel centre in a cube of 2^level bricks per edge."""
    size = float(8 << level)
    total = 0.0
    for axis in range(3):
        low = float(_gather(key >> (2 - axis))) * size
        gap = max(low - point[axis], point[axis] - low - size, 0.0)
        total += gap * gap
    return total


@numba.njit(cache=True, nogil=True)
def _first_not_below(keys: npt.NDArray[np.int64], key: np.int64, first: int, last: int) -> int:
    while first < last:
        middle = (first + last) >> 1
        if keys[middle] < key:
            first = middle + 1
        else:
            last = middle
    return first


@numba.njit(cache=True, nogil=True)
def nearest_occupied(
    points: npt.NDArray[np.float64],
    limit: float,
    levels: int,
    threshold: int,
    keys: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    peak: npt.NDArray[np.int16],
    occupied_bits: npt.NDArray[np.uint8],
    start: int,
    end: int,
    squares: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int64],
) -> None:
    """Fill squares and codes of points ``start`` to ``end``; see `loci.spatial.nearest.nearest_occupied`.

    Cubes that may hold something nearer lie on a stack, the nearest on top; a cube is a range of the directory.
    """
    n_stack = 8 * (levels + 1)
    cube = np.empty(n_stack, dtype=np.int64)
    level = np.empty(n_stack, dtype=np.int64)
    first = np.empty(n_stack, dtype=np.int64)
    last = np.empty(n_stack, dtype=np.int64)
    bound = np.empty(n_stack, dtype=np.float64)
    for i in range(start, end):
        best, code = limit, np.int64(-1)
        top = 0
        if keys.size:
            cube[0], level[0], first[0], last[0], bound[0] = 0, levels, 0, keys.size, 0.0
            top = 1
        while top:
            top -= 1
            if bound[top] > best:
                continue
            a, b, size, prefix = first[top], last[top], level[top], cube[top]
            if b - a == 1:
                key = keys[a]
                row = rows[a]
                if peak[row] <= threshold or _bound(points[i], key, 0) > best:
                    continue
                x, y, z = _gather(key >> 2) * 8, _gather(key >> 1) * 8, _gather(key) * 8
                for column in range(64):
                    bits = occupied_bits[row, column]
                    if bits == 0:
                        continue
                    dx = x + (column >> 3) + 0.5 - points[i, 0]
                    dy = y + (column & 7) + 0.5 - points[i, 1]
                    for bit in range(8):
                        if (bits >> bit) & 1:
                            dz = z + bit + 0.5 - points[i, 2]
                            square = (dx * dx + dy * dy) + dz * dz
                            voxel = (key << 9) | (column << 3) | bit
                            if square < best or (square == best and (code < 0 or voxel < code)):
                                best, code = square, voxel
                continue
            bottom = top
            size -= 1
            for child in range(8):
                inner = (prefix << 3) | child
                c = b if child == 7 else _first_not_below(keys, (inner + 1) << (3 * size), a, b)
                if c > a:
                    nearest = _bound(points[i], inner, size)
                    if nearest <= best:
                        place = top
                        while place > bottom and bound[place - 1] < nearest:
                            cube[place], level[place], bound[place] = (
                                cube[place - 1],
                                level[place - 1],
                                bound[place - 1],
                            )
                            first[place], last[place] = first[place - 1], last[place - 1]
                            place -= 1
                        cube[place], level[place], bound[place] = inner, size, nearest
                        first[place], last[place] = a, c
                        top += 1
                a = c
        squares[i] = best
        codes[i] = code
