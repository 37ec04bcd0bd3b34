"""The inner loops over an object's points, compiled by numba: the sets are small, so NumPy's overhead per call is most of it.

Each compiles at its first call and is cached on disk; they release the GIL.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True, nogil=True)
def bounds(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Lower and upper corner (6,) of points (N, 3), N >= 1."""
    result = np.empty(6)
    for axis in range(3):
        low = high = points[0, axis]
        for i in range(1, len(points)):
            value = points[i, axis]
            low = min(low, value)
            high = max(high, value)
        result[axis], result[axis + 3] = low, high
    return result


@numba.njit(cache=True, nogil=True)
def fit_edges(
    points: npt.NDArray[np.float32], yaws: npt.NDArray[np.float64], near: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How rectangles fit around points (N, 2), turned by each of A yaws [rad].

    Returns:
        bounds (A, 4): lowest and highest coordinate along the two axes [m]; area (A,) [m2]; closeness (A,): mean over the
        points of ``near`` divided by the distance to the nearest edge [m], at most 1 for each.
    """
    n, m = len(points), len(yaws)
    step = max(1, n // 400)  # more points tell no more
    bounds, area, closeness = np.empty((m, 4)), np.empty(m), np.empty(m)
    for a in range(m):
        c, s = np.cos(yaws[a]), np.sin(yaws[a])
        low_u = low_v = np.inf
        high_u = high_v = -np.inf
        for i in range(n):
            u, v = c * points[i, 0] + s * points[i, 1], c * points[i, 1] - s * points[i, 0]
            low_u, high_u, low_v, high_v = min(low_u, u), max(high_u, u), min(low_v, v), max(high_v, v)
        total = 0.0
        for i in range(0, n, step):
            u, v = c * points[i, 0] + s * points[i, 1], c * points[i, 1] - s * points[i, 0]
            total += near / max(near, min(u - low_u, high_u - u, v - low_v, high_v - v))
        bounds[a, 0], bounds[a, 1], bounds[a, 2], bounds[a, 3] = low_u, high_u, low_v, high_v
        area[a] = (high_u - low_u) * (high_v - low_v)
        closeness[a] = total / ((n + step - 1) // step)
    return bounds, area, closeness


@numba.njit(cache=True, nogil=True)
def grid(
    points: npt.NDArray[np.float32], cell: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Dense grid around points (N, 3): its origin (3,) [cells], the number of a point in each cell (-1: none), and which
    cells are occupied or beside an occupied one."""
    box = bounds(points)
    origin = np.empty(3, dtype=np.int64)
    shape = np.empty(3, dtype=np.int64)
    for axis in range(3):
        origin[axis] = int(np.floor(box[axis] / cell)) - 2
        shape[axis] = int(np.floor(box[axis + 3] / cell)) - origin[axis] + 3
    numbers = np.full((shape[0], shape[1], shape[2]), -1, dtype=np.int32)
    near = np.zeros((shape[0], shape[1], shape[2]), dtype=np.bool_)
    for n in range(len(points)):
        i = int(np.floor(points[n, 0] / cell)) - origin[0]
        j = int(np.floor(points[n, 1] / cell)) - origin[1]
        k = int(np.floor(points[n, 2] / cell)) - origin[2]
        if numbers[i, j, k] < 0:
            near[i - 1 : i + 2, j - 1 : j + 2, k - 1 : k + 2] = True
        numbers[i, j, k] = n
    return origin, numbers, near


@numba.njit(cache=True, nogil=True)
def count_near(
    points: npt.NDArray[np.float32], step: int, cell: float, origin: npt.NDArray[np.int64], near: npt.NDArray[np.bool_]
) -> int:
    """How many of every ``step``-th of the points (N, 3) lie in a cell that is ``near``."""
    count = 0
    for n in range(0, len(points), step):
        i = int(np.floor(points[n, 0] / cell)) - origin[0]
        j = int(np.floor(points[n, 1] / cell)) - origin[1]
        k = int(np.floor(points[n, 2] / cell)) - origin[2]
        if 0 <= i < near.shape[0] and 0 <= j < near.shape[1] and 0 <= k < near.shape[2] and near[i, j, k]:
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def find(
    points: npt.NDArray[np.float32], cell: float, origin: npt.NDArray[np.int64], numbers: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """What the grid holds at each of the points (N, 3): (N,), -1 for nothing."""
    result = np.full(len(points), -1, dtype=np.int32)
    for n in range(len(points)):
        i = int(np.floor(points[n, 0] / cell)) - origin[0]
        j = int(np.floor(points[n, 1] / cell)) - origin[1]
        k = int(np.floor(points[n, 2] / cell)) - origin[2]
        if 0 <= i < numbers.shape[0] and 0 <= j < numbers.shape[1] and 0 <= k < numbers.shape[2]:
            result[n] = numbers[i, j, k]
    return result


@numba.njit(cache=True, nogil=True)
def voxel_keys(
    points: npt.NDArray[np.float32], groups: npt.NDArray[np.int64], cells: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Key (N,) of the group and voxel of each point (N, 3), N >= 1, and the steps (3,) of a key along x, y and z.

    A border of two empty voxels around all of them keeps the keys of neighbours apart from those of other rows and groups.
    """
    n_points = len(points)
    index = np.empty((n_points, 3), dtype=np.int64)
    low = np.full(3, np.iinfo(np.int64).max)
    high = np.full(3, np.iinfo(np.int64).min)
    for n in range(n_points):
        cell = cells[groups[n]]
        for axis in range(3):
            i = int(np.floor(points[n, axis] / cell))
            index[n, axis] = i
            low[axis] = min(low[axis], i)
            high[axis] = max(high[axis], i)
    shape = high - low + 5
    steps = np.array([shape[1] * shape[2], shape[2], 1])
    keys = np.empty(n_points, dtype=np.int64)
    for n in range(n_points):
        key = groups[n] * shape[0] * steps[0]
        for axis in range(3):
            key += (index[n, axis] - low[axis] + 2) * steps[axis]
        keys[n] = key
    return keys, steps


@numba.njit(cache=True, nogil=True)
def means(points: npt.NDArray[np.float32], index: npt.NDArray[np.int64], n_sets: int) -> npt.NDArray[np.float32]:
    """Mean (S, 3) of the points (N, 3) with the same ``index`` (N,)."""
    sums = np.zeros((n_sets, 4))
    for n in range(len(points)):
        row = sums[index[n]]
        row[0] += points[n, 0]
        row[1] += points[n, 1]
        row[2] += points[n, 2]
        row[3] += 1.0
    return (sums[:, :3] / sums[:, 3:]).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def trim_rim(
    distance: npt.NDArray[np.uint8],
    depth: npt.NDArray[np.float32],
    n_rings: int,
    floor: float,
    quadratic: float,
    steepest: float,
) -> npt.NDArray[np.bool_]:
    """A mask without the pixels of its rim that lie beyond a jump in depth: what a mask that is too wide has of the background.

    The mask is grown again from its inside, ring by ring: a pixel stays if the depth of an inner neighbour that stayed is like
    its own. What has no inner neighbour (the middle of a thin part) is inside.

    Args:
        distance: (h, w) of each pixel of the mask to its edge [px], 1 at the edge, 0 outside, cut off at ``n_rings`` + 1.
        depth: (h, w) [m]; 0: not measured, such pixels stay as long as one inner neighbour does, whose depth they take on;
            an inside that was not measured at all says nothing for the rim around it.
        floor, quadratic, steepest: depths a and b are alike if they differ by at most floor + quadratic * a^2 (noise) or
            steepest * a (a slanted surface) [m], [1/m], [1].

    Returns:
        (h, w) the pixels that stay.
    """
    height, width = distance.shape
    stays = np.zeros((height, width), dtype=np.bool_)
    known = depth.copy()  # of pixels that were not measured: of the inner neighbour that they hang on
    for ring in range(n_rings + 1, 0, -1):
        for y in range(height):
            for x in range(width):
                if distance[y, x] != ring:
                    continue
                has_inner = False
                for v in range(max(0, y - 1), min(height, y + 2)):
                    for u in range(max(0, x - 1), min(width, x + 2)):
                        if distance[v, u] <= ring:
                            continue
                        has_inner = True
                        if not stays[v, u]:
                            continue
                        a, b = known[v, u], known[y, x]
                        if b <= 0.0:
                            stays[y, x] = True
                            known[y, x] = a
                        elif abs(a - b) <= max(floor + quadratic * a * a, steepest * a):
                            stays[y, x] = True
                if not has_inner:
                    stays[y, x] = True
    return stays


@numba.njit(cache=True, nogil=True)
def support(
    points: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int32],
    cell: float,
    origin: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]:
    """How often each of the points (N, 3) and those in the cells around it were seen, together: (N,)."""
    result = np.empty(len(points), dtype=np.int64)
    for n in range(len(points)):
        i = int(np.floor(points[n, 0] / cell)) - origin[0]
        j = int(np.floor(points[n, 1] / cell)) - origin[1]
        k = int(np.floor(points[n, 2] / cell)) - origin[2]
        total = 0
        for a in range(max(0, i - 1), min(numbers.shape[0], i + 2)):
            for b in range(max(0, j - 1), min(numbers.shape[1], j + 2)):
                for c in range(max(0, k - 1), min(numbers.shape[2], k + 2)):
                    number = numbers[a, b, c]
                    if number >= 0:
                        total += counts[number]
        result[n] = total
    return result
