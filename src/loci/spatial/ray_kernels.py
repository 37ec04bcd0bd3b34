"""Walks along rays through the octree, compiled by numba for the CPU."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True, nogil=True)
def _spread(value: np.int64) -> np.int64:
    value = (value | (value << 32)) & 0x1F00000000FFFF
    value = (value | (value << 16)) & 0x1F0000FF0000FF
    value = (value | (value << 8)) & 0x100F00F00F00F00F
    value = (value | (value << 4)) & 0x10C30C30C30C30C3
    return (value | (value << 2)) & 0x1249249249249249


@numba.njit(cache=True, nogil=True)
def cast_rays(
    origins: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
    length: float,
    n_voxels: int,
    keys: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    stop_bits: npt.NDArray[np.uint8],
    occupied_bits: npt.NDArray[np.uint8],
    free_bits: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """First occupied voxel along rays, all in voxel edges; see `loci.spatial.rays.cast_rays`."""
    n = origins.shape[0]
    hits = np.zeros(n, dtype=np.bool_)
    voxels = np.zeros((n, 3), dtype=np.int64)
    ranges = np.full(n, length)
    crossed = np.zeros(n, dtype=np.bool_)
    voxel = np.zeros(3, dtype=np.int64)
    step = np.zeros(3, dtype=np.int64)
    t_next = np.zeros(3)
    t_delta = np.zeros(3)
    for ray in range(n):
        for a in range(3):
            o, d = origins[ray, a], directions[ray, a]
            voxel[a] = int(np.floor(o))
            if d > 0:
                step[a], t_delta[a] = 1, 1.0 / d
                t_next[a] = (voxel[a] + 1.0 - o) / d
            elif d < 0:
                step[a], t_delta[a] = -1, -1.0 / d
                t_next[a] = (voxel[a] - o) / d
            else:
                step[a], t_delta[a], t_next[a] = 0, np.inf, np.inf
        t = 0.0
        last_key = np.int64(-1)
        row = np.int64(-1)
        while t <= length:
            inside = True
            for a in range(3):
                if voxel[a] < 0 or voxel[a] >= n_voxels:
                    inside = False
            if inside:
                key = (_spread(voxel[0] >> 3) << 2) | (_spread(voxel[1] >> 3) << 1) | _spread(voxel[2] >> 3)
                if key != last_key:
                    last_key = key
                    place = np.searchsorted(keys, key)
                    row = rows[place] if place < keys.size and keys[place] == key else np.int64(-1)
                column = ((voxel[0] & 7) << 3) | (voxel[1] & 7)
                bit = voxel[2] & 7
                if row >= 0 and (stop_bits[row, column] >> bit) & 1:
                    hits[ray] = True
                    ranges[ray] = t
                    voxels[ray] = voxel
                    break
                if row < 0 or not ((free_bits[row, column] | occupied_bits[row, column]) >> bit) & 1:
                    crossed[ray] = True
            else:
                crossed[ray] = True
            axis = 0
            if t_next[1] < t_next[axis]:
                axis = 1
            if t_next[2] < t_next[axis]:
                axis = 2
            t = t_next[axis]
            t_next[axis] += t_delta[axis]
            voxel[axis] += step[axis]
    return hits, voxels, ranges, crossed


@numba.njit(cache=True, nogil=True)
def _slot(
    key: np.int64, table: npt.NDArray[np.int64], slots: npt.NDArray[np.int64], keys: npt.NDArray[np.int64], n: int
) -> np.int64:
    """Place of a key among the first ``n`` ``keys``, by open addressing; new keys are entered as number ``n``."""
    mask = table.size - 1
    # Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): neighbouring keys spread over the table.
    place = (key * np.int64(0x1E3779B97F4A7C15) >> np.int64(20)) & mask
    while table[place] != -1:
        if table[place] == key:
            return slots[place]
        place = (place + 1) & mask
    table[place] = key
    slots[place] = n
    keys[n] = key
    return np.int64(n)


@numba.njit(cache=True, nogil=True)
def count_rays(
    origin: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], is_hit: npt.NDArray[np.bool_], n_voxels: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """How many rays end in, and how many cross, the voxels between ``origin`` (3,) and ``ends`` (N, 3) [voxel edges].

    Returns:
        Morton codes of the bricks met (B,), and both counts (B, 512); see `loci.spatial.point_scans.collect`.
    """
    capacity = 1024
    table = np.full(4 * capacity, -1, dtype=np.int64)
    slots = np.zeros(4 * capacity, dtype=np.int64)
    keys = np.zeros(capacity, dtype=np.int64)
    ended = np.zeros((capacity, 512), dtype=np.int32)
    crossed = np.zeros((capacity, 512), dtype=np.int32)
    n = 0
    voxel, last, step = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    t_next, t_delta = np.zeros(3), np.zeros(3)
    for ray in range(ends.shape[0]):
        for a in range(3):
            d = ends[ray, a] - origin[a]
            voxel[a], last[a] = int(np.floor(origin[a])), int(np.floor(ends[ray, a]))
            step[a] = 1 if d > 0 else (-1 if d < 0 else 0)
            t_delta[a] = step[a] / d if d != 0 else np.inf
            t_next[a] = np.inf
            if d > 0:
                t_next[a] = (voxel[a] + 1.0 - origin[a]) / d
            elif d < 0:
                t_next[a] = (voxel[a] - origin[a]) / d
        slot, at_key = np.int64(-1), np.int64(-1)
        while True:
            arrived = voxel[0] == last[0] and voxel[1] == last[1] and voxel[2] == last[2]
            axis = 0
            if t_next[1] < t_next[axis]:
                axis = 1
            if t_next[2] < t_next[axis]:
                axis = 2
            # Rounding may lead a ray past the voxel of its end: it is there when the next border lies behind the end.
            arrived = arrived or t_next[axis] > 1.0
            at = last if arrived else voxel
            inside = True
            for a in range(3):
                if at[a] < 0 or at[a] >= n_voxels:
                    inside = False
            if inside and (is_hit[ray] or not arrived):
                key = (_spread(at[0] >> 3) << 2) | (_spread(at[1] >> 3) << 1) | _spread(at[2] >> 3)
                if key != at_key:
                    if n == capacity:
                        capacity *= 2
                        keys = np.concatenate((keys, np.zeros_like(keys)))
                        ended = np.concatenate((ended, np.zeros_like(ended)))
                        crossed = np.concatenate((crossed, np.zeros_like(crossed)))
                        table = np.full(4 * capacity, -1, dtype=np.int64)
                        slots = np.zeros(4 * capacity, dtype=np.int64)
                        for i in range(n):
                            _slot(keys[i], table, slots, keys, i)
                    slot, at_key = _slot(key, table, slots, keys, n), key
                    n = max(n, slot + 1)
                index = ((at[0] & 7) << 6) | ((at[1] & 7) << 3) | (at[2] & 7)
                if arrived:
                    ended[slot, index] += np.int32(1)
                else:
                    crossed[slot, index] += np.int32(1)
            if arrived:
                break
            t_next[axis] += t_delta[axis]
            voxel[axis] += step[axis]
    return keys[:n], ended[:n], crossed[:n]
