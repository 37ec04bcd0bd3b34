"""Where the robot can stand on several floors joined by stairs, and shortest paths over them.

Each floor has a `NavigationGrid` of its own; the cells of stairs are in the grids of both floors that they join. Ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from loci.geometry import Array
from loci_sim.grid import NavigationGrid
from loci_sim.protocol import Place, ShortestPath

#: A point may be so far above or below the floor that it is on [m]; Habitat's navigation mesh allows the same.
HEIGHT_TOLERANCE = 0.5
#: Paths on stairs have a point at least so often [m].
_STAIR_STEP = 0.1


def height_of(place: Place) -> float:
    """z of a point (x, y, z), 0 of a point (x, y) [m]."""
    return float(place[2]) if len(place) == 3 else 0.0


@dataclass(frozen=True)
class Levels:
    """The grids of all floors, from the ground up, over the same cells."""

    grids: tuple[NavigationGrid, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the robot can stand nowhere."""
        return not any(np.any(g.navigable) for g in self.grids)

    def grid_at(self, place: Place) -> NavigationGrid | None:
        """The grid in which a point is navigable; None: there is none."""
        z = height_of(place)
        found = [
            (abs(g.height_at(*place[:2]) - z), abs(g.z - z), i)
            for i, g in enumerate(self.grids)
            if g.is_navigable(*place[:2])
        ]
        off, _, index = min(found, default=(np.inf, 0.0, 0))
        return self.grids[index] if off <= HEIGHT_TOLERANCE else None

    def after(self, grid: NavigationGrid, x: float, y: float) -> NavigationGrid:
        """The grid of a robot that has driven to (x, y) in another: on stairs it changes to that of the nearer floor."""
        if not grid.on_stairs(x, y):
            return grid
        return self.grid_at((x, y, grid.height_at(x, y))) or grid

    def random_point(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Centre (x, y, z) of a random navigable cell [m]."""
        x, y, z = self._cells[1][int(rng.integers(len(self._cells[1])))].tolist()
        return x, y, z

    def shortest_path(self, start: Place, goal: Place, smooth: bool = True) -> ShortestPath | None:
        """Shortest path over 8-neighbours (Dijkstra), None if an end is not navigable or they are not joined.

        Args:
            start, goal: (x, y, z), or (x, y) on the ground floor [m].
            smooth: cut corners where the robot can drive straight, so that the length is not the grid's.
        """
        source, target = self._number(start), self._number(goal)
        if source is None or target is None:
            return None
        distances, previous = csgraph.dijkstra(self._graph, directed=False, indices=target, return_predecessors=True)
        if not np.isfinite(distances[source]):
            return None
        # From the goal backwards: predecessors of the source lead to the goal.
        chain = [source]
        while chain[-1] != target:
            chain.append(int(previous[chain[-1]]))
        points = self._cells[1][chain]
        if not smooth:
            return ShortestPath(points, float(distances[source]))
        if len(points) == 1:
            points = np.repeat(points, 2, axis=0)
        points[0, :2], points[-1, :2] = start[:2], goal[:2]
        points = self._on_stairs(self._pulled(points))
        return ShortestPath(points, float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum()))

    def is_free_line(self, start: Array, end: Array) -> bool:
        """Whether the robot can drive straight between two points (3,) of one floor and the stairs at it."""
        return any(_is_free(g, start, end) for g in self.grids)

    def _pulled(self, points: Array) -> Array:
        """Greedy string pulling: from each point (3,) straight to the furthest one in sight."""
        kept, i = [0], 0
        while i < len(points) - 1:
            j = len(points) - 1
            while j > i + 1 and not self.is_free_line(points[i], points[j]):
                j -= 1
            kept.append(j)
            i = j
        return points[kept]

    def _on_stairs(self, points: Array) -> Array:
        """The points (N, 3) with further ones on stairs, so that the path follows them."""
        if all(g.heights is None for g in self.grids):
            return points
        result = [points[:1]]
        for a, b in pairwise(points):
            n = max(1, int(np.ceil(float(np.linalg.norm(b[:2] - a[:2])) / _STAIR_STEP)))
            xy = a[:2] + (b[:2] - a[:2]) * (np.arange(1, n + 1) / n)[:, None]
            grid = next((g for g in self.grids if _is_free(g, a, b)), None)
            if grid is None or not any(grid.on_stairs(x, y) for x, y in xy.tolist()):
                result.append(b[None])
                continue
            z = [grid.height_at(x, y) for x, y in xy.tolist()]
            result.append(np.column_stack([xy, z]))
        return np.concatenate(result)

    def _number(self, place: Place) -> int | None:
        grid = self.grid_at(place)
        if grid is None:
            return None
        index = next(i for i, g in enumerate(self.grids) if g is grid)
        return int(self._cells[0][index][grid.cell_of(*place[:2])])

    @cached_property
    def _cells(self) -> tuple[list[npt.NDArray[np.int64]], Array]:
        """Number of every navigable cell by grid (-1: none), and centres (N, 3) by number. What grids share has one number."""
        numbers: list[npt.NDArray[np.int64]] = []
        centers: list[Array] = []
        n = 0
        for k, grid in enumerate(self.grids):
            ids = np.full(grid.navigable.shape, -1, dtype=np.int64)
            new = grid.navigable.copy()
            if k and grid.stairs is not None:
                shared = grid.navigable & grid.stairs & (numbers[-1] >= 0)
                ids[shared] = numbers[-1][shared]
                new &= ~shared
            cells = np.argwhere(new)
            ids[new] = n + np.arange(len(cells))
            z = np.full(len(cells), grid.z) if grid.heights is None else grid.heights[new]
            centers.append(np.column_stack([grid.center_of(cells), z]))
            numbers.append(ids)
            n += len(cells)
        return numbers, np.concatenate(centers)

    @cached_property
    def _graph(self) -> sparse.csr_matrix:
        """Graph of 8-neighbours with distances [m]."""
        rows: list[npt.NDArray[np.int64]] = []
        columns: list[npt.NDArray[np.int64]] = []
        numbers, centers = self._cells
        known = 0
        for ids in numbers:
            h, w = ids.shape
            for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
                a = ids[: h - dr, max(0, -dc) : w - max(0, dc)]
                b = ids[dr:, max(0, dc) : w - max(0, -dc)]
                # Neighbours that both are the lower floor's have their edge already.
                both = (a >= 0) & (b >= 0) & ((a >= known) | (b >= known))
                rows.append(a[both])
                columns.append(b[both])
            known = max(known, int(ids.max(initial=-1)) + 1)
        a, b = np.concatenate(rows), np.concatenate(columns)
        weights = np.linalg.norm(centers[a] - centers[b], axis=1)
        return sparse.csr_matrix((weights, (a, b)), shape=(len(centers), len(centers)))


def _is_free(grid: NavigationGrid, start: Array, end: Array) -> bool:
    """Whether the robot can drive straight between two points (3,) that are both on this grid's floor or its stairs."""
    near = all(abs(grid.height_at(p[0], p[1]) - p[2]) < HEIGHT_TOLERANCE / 2 for p in (start, end))
    return near and grid.is_free_line((start[0], start[1]), (end[0], end[1]))


def joined(grids: list[NavigationGrid], start: Place) -> list[npt.NDArray[np.bool_]]:
    """What of each grid can be reached from a point; nothing if the robot cannot stand there."""
    labels = [ndimage.label(g.navigable, structure=np.ones((3, 3)))[0] for g in grids]
    reached: list[set[int]] = [set() for _ in grids]
    first = Levels(tuple(grids)).grid_at(start)
    if first is not None:
        index = next(i for i, g in enumerate(grids) if g is first)
        reached[index].add(int(labels[index][first.cell_of(*start[:2])]))
    changed = first is not None
    while changed:
        changed = False
        for i in range(len(grids)):
            for j in (i - 1, i + 1):
                stairs = grids[i].stairs
                if not 0 <= j < len(grids) or stairs is None or not reached[i]:
                    continue
                both = stairs & np.isin(labels[i], list(reached[i])) & grids[j].navigable
                new = set(np.unique(labels[j][both]).tolist()) - reached[j]
                reached[j] |= new
                changed |= bool(new)
    return [np.isin(label, list(found)) & (label > 0) for label, found in zip(labels, reached, strict=True)]
