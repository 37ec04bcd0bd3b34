"""Where the simulated robot can stand: a grid of its scene's floor, and shortest paths on it.

Ground truth: it moves the robot and scores paths. The memory and the exploration have their own map.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from loci.geometry import Array, transform_points
from loci_sim.protocol import ShortestPath
from loci_sim.scenes import Scene

#: Lower things are driven over (rugs, thresholds) [m].
STEP_HEIGHT = 0.03
#: Things are drawn so many times finer than the cells, so that thin walls stay thin.
_FINE = 4


@dataclass(frozen=True)
class NavigationGrid:
    """Floor cells.

    Attributes:
        clearance: (H, W) float32, distance of a cell's centre to the nearest obstacle or missing floor [m]; row = y, column = x.
        navigable: (H, W) bool, where the robot's centre can stand and can get to from the scene's start.
        origin: (x, y) of the grid's lower corner [m].
        resolution: side of a cell [m].
        radius: of the robot [m].
    """

    clearance: npt.NDArray[np.float32]
    navigable: npt.NDArray[np.bool_]
    origin: tuple[float, float]
    resolution: float
    radius: float

    def cell_of(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of a point; may lie outside."""
        return int(np.floor((y - self.origin[1]) / self.resolution)), int(
            np.floor((x - self.origin[0]) / self.resolution)
        )

    def center_of(self, cells: npt.ArrayLike) -> Array:
        """Centres (N, 2) as (x, y) [m] of cells (N, 2) as (row, column)."""
        rows_columns = np.asarray(cells, dtype=np.float64).reshape(-1, 2)
        return (rows_columns[:, ::-1] + 0.5) * self.resolution + self.origin

    def is_navigable(self, x: float, y: float) -> bool:
        if not (np.isfinite(x) and np.isfinite(y)):
            return False
        row, column = self.cell_of(x, y)
        inside = 0 <= row < self.navigable.shape[0] and 0 <= column < self.navigable.shape[1]
        return inside and bool(self.navigable[row, column])

    def is_free_line(self, start: tuple[float, float], end: tuple[float, float]) -> bool:
        """Whether the robot can drive straight from one point to another (checked at every half cell)."""
        n = max(2, int(np.ceil(np.hypot(end[0] - start[0], end[1] - start[1]) / (self.resolution / 2))) + 1)
        xs, ys = np.linspace(start[0], end[0], n), np.linspace(start[1], end[1], n)
        rows = np.floor((ys - self.origin[1]) / self.resolution).astype(int)
        columns = np.floor((xs - self.origin[0]) / self.resolution).astype(int)
        if (
            rows.min() < 0
            or columns.min() < 0
            or rows.max() >= self.navigable.shape[0]
            or columns.max() >= self.navigable.shape[1]
        ):
            return False
        return bool(self.navigable[rows, columns].all())

    def random_point(self, rng: np.random.Generator) -> tuple[float, float]:
        """Centre (x, y) of a random navigable cell [m]."""
        cells = np.argwhere(self.navigable)
        x, y = self.center_of(cells[int(rng.integers(len(cells)))])[0]
        return float(x), float(y)

    def shortest_path(
        self, start: tuple[float, float], goal: tuple[float, float], smooth: bool = True
    ) -> ShortestPath | None:
        """Shortest path between two points (x, y) [m] over 8-neighbours (Dijkstra), None if an end is not navigable or they are not joined.

        Args:
            smooth: cut corners where the robot can drive straight, so that the length is not the grid's.
        """
        if not (self.is_navigable(*start) and self.is_navigable(*goal)):
            return None
        ids, graph = self._graph
        source, target = (int(ids[self.cell_of(*p)]) for p in (start, goal))
        distances, previous = csgraph.dijkstra(graph, directed=False, indices=target, return_predecessors=True)
        if not np.isfinite(distances[source]):
            return None
        # From the goal backwards: predecessors of the source lead to the goal.
        chain = [source]
        while chain[-1] != target:
            chain.append(int(previous[chain[-1]]))
        points = self.center_of(np.argwhere(self.navigable)[chain])
        if not smooth:
            return ShortestPath(points, float(distances[source]))
        points[0], points[-1] = start, goal
        if len(points) == 1:
            points = np.array([start, goal])
        points = self._pulled(points)
        return ShortestPath(points, float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()))

    def _pulled(self, points: Array) -> Array:
        """Greedy string pulling: from each point straight to the furthest one in sight."""
        kept, i = [0], 0
        while i < len(points) - 1:
            j = len(points) - 1
            while j > i + 1 and not self.is_free_line(tuple(points[i]), tuple(points[j])):
                j -= 1
            kept.append(j)
            i = j
        return points[kept]

    @cached_property
    def _graph(self) -> tuple[npt.NDArray[np.int64], sparse.csr_matrix]:
        """Number of every navigable cell (-1: none), and the graph of 8-neighbours with distances [m]."""
        ids = np.full(self.navigable.shape, -1, dtype=np.int64)
        ids[self.navigable] = np.arange(np.count_nonzero(self.navigable))
        rows: list[npt.NDArray[np.int64]] = []
        columns: list[npt.NDArray[np.int64]] = []
        weights: list[Array] = []
        h, w = self.navigable.shape
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
            a = ids[: h - dr, max(0, -dc) : w - max(0, dc)]
            b = ids[dr:, max(0, dc) : w - max(0, -dc)]
            both = (a >= 0) & (b >= 0)
            rows.append(a[both])
            columns.append(b[both])
            weights.append(np.full(np.count_nonzero(both), np.hypot(dr, dc) * self.resolution))
        n = int(np.count_nonzero(self.navigable))
        graph = sparse.csr_matrix(
            (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n)
        )
        return ids, graph


class FloorMap:
    """The floor of a scene and what stands on it, part by part, so that single things can be moved.

    Args:
        radius: of the robot [m]; height: what is higher does not touch it [m]; resolution: of the grid [m].
    """

    def __init__(self, scene: Scene, radius: float = 0.18, height: float = 1.4, resolution: float = 0.05) -> None:
        self.radius, self._height, self._resolution = radius, height, resolution
        solid = {}
        floor: list[Array] = []
        for node in scene.nodes:
            label = scene.structure.get(node.name, ("", ""))[0]
            if label == "ceiling":
                continue
            # A node may have several meshes: all its triangles (T, 3, 3) are in the way together.
            triangles = [transform_points(node.T_map_node, mesh.vertices)[mesh.triangles] for mesh in node.meshes]
            if label == "floor":
                floor += [t[..., :2] for t in triangles]
            elif triangles:
                solid[node.name] = np.concatenate(triangles)
        floors = np.concatenate(floor)
        self._origin = floors.min(axis=(0, 1)) - 4 * resolution
        self._columns, self._rows = (
            np.ceil((floors.max(axis=(0, 1)) - self._origin) / resolution).astype(int) + 4
        ).tolist()
        self._floor = np.zeros((self._rows * _FINE, self._columns * _FINE), dtype=np.uint8)
        _draw(self._floor, floors, self._origin, resolution / _FINE, 1)
        #: Number of things on every fine pixel.
        self._n_solid = np.zeros(self._floor.shape, dtype=np.int16)
        self._footprints: dict[str, tuple[tuple[slice, slice], npt.NDArray[np.uint8]]] = {}
        for name, triangles_of in solid.items():
            self.put(name, triangles_of)

    def put(self, name: str, triangles: Array | None) -> None:
        """Put a thing's triangles (T, 3, 3) [m] where they are now instead of where they were; None: it is away."""
        if name in self._footprints:
            place, mask = self._footprints.pop(name)
            self._n_solid[place] -= mask
        if triangles is None:
            return
        low, high = triangles[..., 2].min(axis=1), triangles[..., 2].max(axis=1)
        outline = triangles[(high > STEP_HEIGHT) & (low < self._height)][..., :2]
        fine = self._resolution / _FINE
        if not len(outline):
            return
        first = np.floor((outline.min(axis=(0, 1)) - self._origin) / fine).astype(int) - 1
        last = np.ceil((outline.max(axis=(0, 1)) - self._origin) / fine).astype(int) + 2
        (c0, r0), (c1, r1) = np.maximum(first, 0).tolist(), np.minimum(last, self._floor.shape[::-1]).tolist()
        if c0 >= c1 or r0 >= r1:
            return
        mask = np.zeros((r1 - r0, c1 - c0), dtype=np.uint8)
        _draw(mask, outline, self._origin, fine, 1, (c0, r0))
        place = (slice(r0, r1), slice(c0, c1))
        self._footprints[name] = place, mask
        self._n_solid[place] += mask

    def grid(self, start: tuple[float, float]) -> NavigationGrid:
        """The grid now; navigable is what can be reached from (x, y) [m], nothing if the robot cannot stand there."""
        canvas = self._floor & (self._n_solid == 0)
        distance = ndimage.distance_transform_edt(canvas) * (self._resolution / _FINE)
        half = _FINE // 2
        # A cell's centre lies on a corner of four fine pixels: the smallest of them is the safe answer.
        around = [
            distance[half - 1 + i :: _FINE, half - 1 + j :: _FINE][: self._rows, : self._columns]
            for i in (0, 1)
            for j in (0, 1)
        ]
        clearance = np.min(around, axis=0).astype(np.float32)
        free = clearance > self.radius
        origin = (float(self._origin[0]), float(self._origin[1]))
        grid = NavigationGrid(clearance, free, origin, self._resolution, self.radius)
        row, column = grid.cell_of(*start)
        if not (0 <= row < self._rows and 0 <= column < self._columns and free[row, column]):
            return NavigationGrid(clearance, np.zeros_like(free), origin, self._resolution, self.radius)
        labels, _ = ndimage.label(free, structure=np.ones((3, 3)))
        navigable = np.asarray(labels == labels[row, column])
        return NavigationGrid(clearance, navigable, origin, self._resolution, self.radius)


def build_navigation(
    scene: Scene, radius: float = 0.18, height: float = 1.4, resolution: float = 0.05
) -> NavigationGrid:
    """Navigation grid of a scene from its triangles: those between ``STEP_HEIGHT`` and ``height`` are in the robot's way.

    Raises:
        ValueError: the scene's start is not navigable.
    """
    return navigation_from_start(scene, FloorMap(scene, radius, height, resolution))


def navigation_from_start(scene: Scene, floor: FloorMap) -> NavigationGrid:
    """Grid of what can be reached from a scene's start.

    Raises:
        ValueError: the scene's start is not navigable.
    """
    grid = floor.grid(scene.start[:2])
    if not np.any(grid.navigable):
        raise ValueError(f"expected a navigable start in scene {scene.map_id}, got {scene.start}")
    return grid


def _draw(
    canvas: npt.NDArray[np.uint8],
    triangles: Array,
    origin: Array,
    resolution: float,
    value: int,
    corner: tuple[int, int] = (0, 0),
) -> None:
    """Fill triangles (T, 3, 2) [m] into an image whose first pixel is ``corner`` (column, row); thin ones leave at least a line."""
    shift = 4
    pixels = ((triangles - origin) / resolution - 0.5) * (1 << shift)
    offset = np.array(corner, dtype=np.int32) << shift
    for corners in np.rint(pixels).astype(np.int32):
        cv2.fillConvexPoly(canvas, corners - offset, value, lineType=cv2.LINE_8, shift=shift)
