"""The inner loops of relations between objects: which boxes are near, and how two boxes and their points lie to each other.

Boxes are upright and turned about the vertical. Each kernel compiles at its first call and is cached on disk.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def near_pairs(low: Floats, high: Floats, maps: Ints, asked: npt.NDArray[np.bool_], margin: float) -> Ints:
    """Ordered pairs (P, 2) of a box that is asked for and another one of its map that comes within ``margin`` [m].

    Sort and sweep along x: the cost depends on the boxes that overlap there, not on the square of their number.

    Args:
        low, high: (N, 3) corners of axis-aligned boxes [m].
        maps: (N,) number of each one's map.
        asked: (N,) which ones are asked for.
    """
    n = len(low)
    order = np.argsort(low[:, 0])
    pairs = np.empty((0, 2), dtype=np.int64)
    for fill in range(2):
        count = 0
        for p in range(n):
            i = order[p]
            for q in range(p + 1, n):
                j = order[q]
                if low[j, 0] > high[i, 0] + margin:
                    break
                if maps[i] != maps[j] or not (asked[i] or asked[j]):
                    continue
                if low[j, 1] > high[i, 1] + margin or low[i, 1] > high[j, 1] + margin:
                    continue
                if low[j, 2] > high[i, 2] + margin or low[i, 2] > high[j, 2] + margin:
                    continue
                if asked[i]:
                    if fill:
                        pairs[count, 0], pairs[count, 1] = i, j
                    count += 1
                if asked[j]:
                    if fill:
                        pairs[count, 0], pairs[count, 1] = j, i
                    count += 1
        if not fill:
            pairs = np.empty((count, 2), dtype=np.int64)
    return pairs


@numba.njit(cache=True, nogil=True)
def _corners(center: Floats, axis: Floats, half: Floats, corners: Floats) -> None:
    """Write the corners (4, 2) of a rectangle, counter-clockwise, into ``corners``."""
    for k in range(4):
        u = half[0] if k in (0, 3) else -half[0]
        v = half[1] if k < 2 else -half[1]
        corners[k, 0] = center[0] + axis[0] * u - axis[1] * v
        corners[k, 1] = center[1] + axis[1] * u + axis[0] * v


@numba.njit(cache=True, nogil=True)
def _common_area(a: Floats, b: Floats) -> float:
    """Area [m2] that two convex polygons (4, 2), counter-clockwise, have in common (Sutherland and Hodgman 1974)."""
    current, following = np.empty((12, 2)), np.empty((12, 2))
    current[:4] = a
    n = 4
    for k in range(4):
        x0, y0 = b[k, 0], b[k, 1]
        dx, dy = b[(k + 1) % 4, 0] - x0, b[(k + 1) % 4, 1] - y0
        m = 0
        for i in range(n):
            px, py = current[i, 0], current[i, 1]
            qx, qy = current[(i + 1) % n, 0], current[(i + 1) % n, 1]
            side_p = dx * (py - y0) - dy * (px - x0)
            side_q = dx * (qy - y0) - dy * (qx - x0)
            if side_p >= 0.0:
                following[m, 0], following[m, 1] = px, py
                m += 1
            if (side_p >= 0.0) != (side_q >= 0.0):
                t = side_p / (side_p - side_q)
                following[m, 0], following[m, 1] = px + t * (qx - px), py + t * (qy - py)
                m += 1
        current, following, n = following, current, m
        if n < 3:
            return 0.0
    area = 0.0
    for i in range(n):
        area += current[i, 0] * current[(i + 1) % n, 1] - current[(i + 1) % n, 0] * current[i, 1]
    return max(0.0, area / 2.0)


@numba.njit(cache=True, nogil=True)
def _corner_distance(a: Floats, b: Floats) -> float:
    """Least distance [m] of a corner of ``a`` (4, 2) from an edge of ``b`` (4, 2)."""
    best = np.inf
    for i in range(4):
        for k in range(4):
            x0, y0 = b[k, 0], b[k, 1]
            dx, dy = b[(k + 1) % 4, 0] - x0, b[(k + 1) % 4, 1] - y0
            length = dx * dx + dy * dy
            t = 0.0 if length == 0.0 else ((a[i, 0] - x0) * dx + (a[i, 1] - y0) * dy) / length
            t = min(1.0, max(0.0, t))
            best = min(best, math.hypot(a[i, 0] - x0 - t * dx, a[i, 1] - y0 - t * dy))
    return best


@numba.njit(cache=True, nogil=True)
def footprints(pairs: Ints, centers: Floats, axes: Floats, halves: Floats) -> tuple[Floats, Floats]:
    """Distance (P,) [m] and common area (P,) [m2] of the rectangles of pairs (P, 2), seen from above.

    Args:
        pairs: rows of the rectangles.
        centers: (N, 2) [m]; axes: (N, 2) unit vectors of their first edges; halves: (N, 2) half lengths [m], > 0.
    """
    distance, area = np.zeros(len(pairs)), np.zeros(len(pairs))
    a, b = np.empty((4, 2)), np.empty((4, 2))
    for p in range(len(pairs)):
        i, j = pairs[p]
        _corners(centers[i], axes[i], halves[i], a)
        _corners(centers[j], axes[j], halves[j], b)
        area[p] = _common_area(a, b)
        if area[p] == 0.0:
            distance[p] = min(_corner_distance(a, b), _corner_distance(b, a))
    return distance, area


@numba.njit(cache=True, nogil=True)
def around(
    pairs: Ints,
    centers: Floats,
    axes: Floats,
    halves: Floats,
    low: Floats,
    high: Floats,
    points: npt.NDArray[np.float32],
    first: Ints,
    margin: float,
    stride: int,
) -> tuple[Floats, Ints, Ints]:
    """What the points of the second of each pair (P, 2) have to do with the box of the first.

    Args:
        pairs, centers, axes, halves: see `footprints`.
        low, high: (N,) of the boxes [m].
        points: (M, 3) of all second ones [m], one after the other.
        first: (N + 1,) where the points of each row begin; rows without points have none.
        margin: around the footprint, where a surface is seen that is hidden right under a thing [m].
        stride: every so-many-th point is looked at.

    Returns:
        gap (P,): least difference in height between such a point in the footprint and the first's bottom [m], inf: none;
        cover (P,): bits of the cells of a 3 x 3 grid on its top that have points over them; walls (P,): bits of the eight directions
        in which points stand beside it.
    """
    gap = np.full(len(pairs), np.inf)
    cover, walls = np.zeros(len(pairs), dtype=np.int64), np.zeros(len(pairs), dtype=np.int64)
    counts = np.zeros(8, dtype=np.int64)
    for p in range(len(pairs)):
        i, j = pairs[p]
        height = high[i] - low[i]
        counts[:] = 0
        for k in range(first[j], first[j + 1], stride):
            x, y, z = points[k, 0] - centers[i, 0], points[k, 1] - centers[i, 1], points[k, 2]
            u, v = axes[i, 0] * x + axes[i, 1] * y, axes[i, 0] * y - axes[i, 1] * x
            au, av = abs(u), abs(v)
            if au <= halves[i, 0] + margin and av <= halves[i, 1] + margin:
                gap[p] = min(gap[p], abs(z - low[i]))
            if au <= 0.9 * halves[i, 0] and av <= 0.9 * halves[i, 1]:
                if z >= high[i] - 0.02:
                    cell = int(1.5 * (u / halves[i, 0] + 1.0)) * 3 + int(1.5 * (v / halves[i, 1] + 1.0))
                    cover[p] |= 1 << cell
            elif low[i] + 0.25 * height <= z <= high[i] + 0.1 and (au > halves[i, 0] or av > halves[i, 1]):
                counts[int((math.atan2(v, u) + math.pi) / (math.pi / 4.0)) % 8] += 1
        for s in range(8):
            if counts[s] >= 2:
                walls[p] |= 1 << s
    return gap, cover, walls
