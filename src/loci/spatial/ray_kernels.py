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
