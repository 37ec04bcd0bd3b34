"""Where the simulated robot can stand: a grid of a floor of its scene.

Ground truth: it moves the robot and scores paths. The memory and the exploration have their own map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.geometry import Array


@dataclass(frozen=True)
class NavigationGrid:
    """Floor cells.

    Attributes:
        clearance: (H, W) float32, distance of a cell's centre to the nearest obstacle or missing floor [m]; row = y, column = x.
        navigable: (H, W) bool, where the robot's centre can stand and can get to from the scene's start.
        origin: (x, y) of the grid's lower corner [m].
        resolution: side of a cell [m].
        radius: of the robot [m].
        z: height of the floor [m].
        heights: (H, W) float64, height at which the robot stands, where that is not the same everywhere [m].
        stairs: (H, W) bool, cells of stairs; None: there are none.
    """

    clearance: npt.NDArray[np.float32]
    navigable: npt.NDArray[np.bool_]
    origin: tuple[float, float]
    resolution: float
    radius: float
    z: float = 0.0
    heights: Array | None = None
    stairs: npt.NDArray[np.bool_] | None = None

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

    def height_at(self, x: float, y: float) -> float:
        """Height at which the robot stands at a point [m]; the floor's outside."""
        row, column = self.cell_of(x, y)
        inside = 0 <= row < self.navigable.shape[0] and 0 <= column < self.navigable.shape[1]
        return float(self.heights[row, column]) if self.heights is not None and inside else self.z

    def on_stairs(self, x: float, y: float) -> bool:
        row, column = self.cell_of(x, y)
        inside = 0 <= row < self.navigable.shape[0] and 0 <= column < self.navigable.shape[1]
        return self.stairs is not None and inside and bool(self.stairs[row, column])

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
