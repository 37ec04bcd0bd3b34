"""Point sets of objects: voxels, clusters, how much two sets overlap, and their boxes.

Overlap is read from a small dense grid around each set, so that a test costs one gather whatever the set's size.
Plain NumPy and OpenCV: no spatial tree has to be rebuilt when an object grows.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from loci.geometry import Array
from loci.scene import kernels

Points = npt.NDArray[np.float32]

#: Cells along the diagonal of an object's box: small things get fine voxels, large ones coarse.
CELLS_PER_DIAGONAL = 48
#: Bounds of the voxel size [m]. The lower one is a depth camera's noise, the upper one what a map is good for.
MIN_CELL, MAX_CELL = 0.015, 0.05

_REACH = np.arange(-2, 3)
_OFFSETS = np.stack(np.meshgrid(_REACH, _REACH, _REACH, indexing="ij"), axis=-1).reshape(-1, 3)
#: One of each pair of opposite offsets of up to (2, 1, 0) voxels, (28, 3).
_HALF_NEIGHBOURS = _OFFSETS[len(_OFFSETS) // 2 + 1 :]
_HALF_NEIGHBOURS = _HALF_NEIGHBOURS[np.sum(_HALF_NEIGHBOURS**2, axis=1) <= 5]


def cell_size(points: Points) -> float:
    """Voxel size [m] for a point set (N, 3) of this extent, N >= 1."""
    box = kernels.bounds(points)
    return min(max(math.dist(box[:3], box[3:]) / CELLS_PER_DIAGONAL, MIN_CELL), MAX_CELL)


def downsample(
    points: Points, groups: npt.NDArray[np.int64], cells: npt.NDArray[np.float64]
) -> tuple[Points, npt.NDArray[np.int64]]:
    """Mean point of every voxel of every group.

    Args:
        points: (N, 3) [m].
        groups: (N,) group of each point, 0 <= group < G.
        cells: (G,) voxel size of each group [m].

    Returns:
        (M, 3) float32 means and their (M,) groups, sorted by group.
    """
    if not len(points):
        return points.reshape(0, 3).astype(np.float32), groups[:0]
    _, inverse, _ = _voxels(points, groups, cells)
    counts = np.bincount(inverse)
    means = kernels.means(points, inverse, len(counts))
    voxel_groups = np.zeros(len(counts), dtype=np.int64)
    voxel_groups[inverse] = groups
    return means, voxel_groups


def _voxels(
    points: Points, groups: npt.NDArray[np.int64], cells: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Voxels of points (N, 3), of ``cells`` (G,) [m] for their groups (N,), aligned with the map's origin.

    Returns:
        unique keys (V,) of (group, voxel), sorted by group first; the (N,) position of each point's key among them; and
        the (3,) steps of a key along x, y and z. No key is a neighbour's of a voxel in another row or group.
    """
    keys, steps = kernels.voxel_keys(points, groups, cells)
    unique, inverse = np.unique(keys, return_inverse=True)
    return unique, inverse, steps


def largest_clusters(points: Points, groups: npt.NDArray[np.int64], eps: float = 0.1) -> npt.NDArray[np.bool_]:
    """Which points belong to the largest cluster of their group.

    DBSCAN on voxels of ``eps / 2``: points up to ``eps / 2`` apart are always joined, points further than ``1.9 eps``
    apart never; single noise points form clusters of their own.

    Args:
        points: (N, 3) [m].
        groups: (N,) group of each point.
        eps: reach [m].

    Returns:
        (N,) bool.
    """
    if not len(points):
        return np.zeros(0, dtype=np.bool_)
    component = clusters(points, groups, eps)
    sizes = np.bincount(component)
    # Largest first within each group; of equally large ones the first in voxel order, which no shuffling of points changes.
    group_of = np.zeros(len(sizes), dtype=np.int64)
    group_of[component] = groups
    order = np.lexsort((-sizes, group_of))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = group_of[order][1:] != group_of[order][:-1]
    best = np.zeros(len(sizes), dtype=np.bool_)
    best[order[first]] = True
    return np.asarray(best[component])


def clusters(points: Points, groups: npt.NDArray[np.int64], eps: float = 0.1) -> npt.NDArray[np.int64]:
    """Cluster number (N,) of every point; clusters never span groups. See `largest_clusters`."""
    unique, inverse, strides = _voxels(points, groups, np.full(int(groups.max()) + 1, eps / 2))  # (V,), (N,)
    neighbours = unique[:, None] + (_HALF_NEIGHBOURS @ strides)[None, :]  # (V, 28)
    found = np.searchsorted(unique, neighbours)
    found[found == len(unique)] = 0
    source, _ = hit = np.nonzero(unique[found] == neighbours)
    graph = coo_matrix((np.ones(len(source), dtype=np.bool_), (source, found[hit])), shape=(len(unique), len(unique)))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label[inverse], dtype=np.int64)


class Cloud:
    """A growing, voxelised point set in one frame, that answers how much of another set lies in it.

    Attributes:
        points: (M, 3) float32 [m]; replaced when the set grows, never written to.
        counts: (M,) how often each point was seen again.
        cell: voxel size [m].
    """

    def __init__(self, points: Points, counts: npt.NDArray[np.int32] | None = None, cell: float | None = None) -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float32)
        self.points.flags.writeable = False
        self.counts = np.ones(len(points), dtype=np.int32) if counts is None else counts
        self.cell = cell_size(self.points) if cell is None else cell
        self._bounds: Array | None = None
        self._grid: tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.bool_]] | None = None

    @property
    def bounds(self) -> Array:
        """Lower and upper corner (6,) [m]."""
        if self._bounds is None:
            self._bounds = kernels.bounds(self.points)
        return self._bounds

    def release(self) -> None:
        """Let go of the grid; it is made again when it is needed."""
        self._grid = None

    def share(self, points: Points, limit: int = 200) -> float:
        """Share of ``points`` (N, 3) within one to two voxels of this set, [0, 1]; judged on at most ``limit`` of them."""
        if not len(points) or not len(self.points):
            return 0.0
        step = max(1, len(points) // limit)
        origin, _, near = self._ensure_grid()
        return float(kernels.count_near(points, step, self.cell, origin, near)) / len(range(0, len(points), step))

    def support(self, points: Points | None = None) -> npt.NDArray[np.int64]:
        """How often this set was seen in the cell of each of some points (N, 3), or of its own, and in the cells around: (N,)."""
        origin, numbers, _ = self._ensure_grid()
        return kernels.support(self.points if points is None else points, self.counts, self.cell, origin, numbers)

    def holds(self, points: Points) -> npt.NDArray[np.bool_]:
        """Which of the points (N, 3) lie in a voxel of this set."""
        origin, numbers, _ = self._ensure_grid()
        return np.asarray(kernels.find(points, self.cell, origin, numbers) >= 0)

    def add(self, points: Points) -> bool:
        """Take in points (N, 3) of the same frame; returns whether the set grew."""
        origin, numbers, _ = self._ensure_grid()
        known = kernels.find(points, self.cell, origin, numbers)
        self.counts = self.counts.copy()
        self.counts[known[known >= 0]] += 1
        new = points[known < 0]
        if not len(new):
            return False
        new, _ = downsample(new, np.zeros(len(new), dtype=np.int64), np.array([self.cell]))
        merged = np.concatenate([self.points, new])
        counts = np.concatenate([self.counts, np.ones(len(new), dtype=np.int32)])
        wanted = cell_size(merged)
        if wanted > 1.3 * self.cell:  # it has grown: coarser voxels keep its number of points bounded
            merged, counts = _regrid(merged, counts, wanted)
            self.cell = wanted
        self._replace(merged, counts)
        return True

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep only some of the points, (M,) bool."""
        self._replace(self.points[mask], self.counts[mask])

    def _replace(self, points: Points, counts: npt.NDArray[np.int32]) -> None:
        self.points, self.counts = points, counts
        self.points.flags.writeable = False
        self._grid = self._bounds = None

    def _ensure_grid(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Origin (3,) [cells], numbers of the points by cell (-1: none), and which cells are in or beside an occupied one."""
        if self._grid is None:
            self._grid = kernels.grid(self.points, self.cell)
        return self._grid


def _regrid(points: Points, counts: npt.NDArray[np.int32], cell: float) -> tuple[Points, npt.NDArray[np.int32]]:
    _, inverse, _ = _voxels(points, np.zeros(len(points), dtype=np.int64), np.array([cell]))
    most = np.zeros(int(inverse.max()) + 1, dtype=np.int32)
    np.maximum.at(most, inverse, counts)
    return kernels.means(points, inverse, len(most)), most


def add_up(points: Points, counts: npt.NDArray[np.int32], cell: float) -> tuple[Points, npt.NDArray[np.int32]]:
    """One point (V, 3) for every voxel that holds some of (N, 3), N >= 1, with the sum of their counts (N,)."""
    _, inverse, _ = _voxels(points, np.zeros(len(points), dtype=np.int64), np.array([cell]))
    total = np.bincount(inverse, weights=counts).astype(np.int32)
    return kernels.means(points, inverse, len(total)), total


def merge_clouds(a: Cloud, b: Cloud) -> Cloud:
    """Union of two sets of the same frame."""
    points = np.concatenate([a.points, b.points])
    cell = max(a.cell, b.cell, cell_size(points))
    return Cloud(*_regrid(points, np.concatenate([a.counts, b.counts]), cell), cell=cell)


#: Yaws that are tried for a box [rad].
_YAWS = np.deg2rad(np.arange(-45.0, 45.0, 2.0))
#: A box may be so much larger than the smallest one, if so much more of the points lie near its edges.
_AREA_SLACK, _CLOSER = 1.15, 1.15
#: "Near" an edge [m]: about a voxel of the cloud.
_EDGE = 0.03


def upright_box(points: Points) -> tuple[Array, tuple[float, float, float]]:
    """Upright box around points: it turns about the vertical axis only.

    The smallest box, unless points lie much closer to the edges of one of about that size: two sides of a wardrobe fit as
    tightly into a box turned by half a right angle (Zhang et al., Efficient L-Shape Fitting for Vehicle Detection Using
    Laser Scanners, 2017: the closeness criterion).

    Args:
        points: (N, 3) [m], N >= 1, z up.

    Returns:
        ``T_map_box`` (4, 4), the pose of its centre with a yaw in (-45, 45] degrees, and its size along its own axes [m].
    """
    flat = np.ascontiguousarray(
        points[:, :2] - points[0, :2], dtype=np.float32
    )  # float32 is coarse far from the origin
    degrees = cv2.minAreaRect(flat)[2]
    yaws = np.append(_YAWS, np.deg2rad(degrees - 90.0 * np.ceil((degrees - 45.0) / 90.0)))
    extents, area, closeness = kernels.fit_edges(flat, yaws, _EDGE)
    smallest = len(yaws) - 1
    best = int(np.argmax(np.where(area <= _AREA_SLACK * area[smallest], closeness, 0.0)))
    if closeness[best] < _CLOSER * closeness[smallest]:
        best = smallest
    c, s = np.cos(yaws[best]), np.sin(yaws[best])
    u, v = extents[best, :2].mean(), extents[best, 2:].mean()
    box = kernels.bounds(points)
    low, high = float(box[2]), float(box[5])
    T = np.eye(4)
    T[:2, :2] = [[c, -s], [s, c]]
    T[:3, 3] = c * u - s * v + float(points[0, 0]), s * u + c * v + float(points[0, 1]), (low + high) / 2
    width, height = extents[best, 1] - extents[best, 0], extents[best, 3] - extents[best, 2]
    return T, (float(width), float(height), high - low)


def in_box(points: Points, T_map_box: Array, size: tuple[float, float, float], margin: float) -> npt.NDArray[np.bool_]:
    """Which of the points (N, 3) lie in a box grown by ``margin`` [m] on every side: (N,)."""
    local = (points - T_map_box[:3, 3]) @ T_map_box[:3, :3]
    return np.asarray(np.all(np.abs(local) <= np.asarray(size) / 2 + margin, axis=1))


def share_in_box(points: Points, T_map_box: Array, size: tuple[float, float, float], margin: float) -> float:
    """Share of points (N, 3) inside a box grown by ``margin`` [m] on every side, [0, 1]."""
    return float(np.mean(in_box(points, T_map_box, size, margin)))
