"""The floor as a robot needs it: which cells it may drive over, which are obstacles, and which nobody has seen.

A 2D map of the octree's columns between knee and head. It is computed anew from the bricks' bit columns whenever it is
asked (8 voxels of a column per byte, so that an apartment costs milliseconds); a map itself never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial.bricks import BRICK_EDGE
from loci.spatial.octree import Octree

UNKNOWN, FREE, OCCUPIED = -1, 0, 100

#: Furniture ends below and lintels begin above this band [m over the floor]: what stands in it is taken for a wall.
WALL_BAND = (1.2, 1.9)
#: A column is free if at least so many of its voxels in the band were seen free.
MIN_FREE_VOXELS = 2
#: Up to here a column counts as seen near the floor [m over the floor].
LOW = 0.5
#: A floor is at least so large [m2], and has at least this share of the largest level's area.
MIN_FLOOR_AREA, MIN_FLOOR_SHARE = 0.5, 0.2
#: Clearance where no obstacle is known [m].
FAR = 1e3


@dataclass(frozen=True)
class OccupancyMap:
    """Occupancy of the floor; immutable.

    Attributes:
        cells: (H, W) int8, -1 unknown, 0 free, 100 occupied; row = y, column = x, as in nav_msgs/OccupancyGrid.
        origin: (x, y) of the lower corner [m], map frame; a multiple of the resolution.
        resolution: edge of a cell [m].
        floor_z: height of the floor [m].
        stamp_ns: newest observation in it [ns].
        walls: (H, W) int8, the same for the band above the furniture; None: not known.
    """

    cells: npt.NDArray[np.int8]
    origin: tuple[float, float]
    resolution: float
    floor_z: float = 0.0
    stamp_ns: int = 0
    walls: npt.NDArray[np.int8] | None = None

    @cached_property
    def corner(self) -> npt.NDArray[np.int64]:
        """(2,) column and row of the first cell on the grid that all maps of this resolution share."""
        return np.rint(np.asarray(self.origin) / self.resolution).astype(np.int64)

    def cell_of(self, xy: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(row, column) of points (..., 2) [m]; they may lie outside of the map."""
        # The tiny shift keeps points on a border (multiples of the resolution) in the cell above it in spite of rounding.
        scaled = (np.asarray(xy, dtype=np.float64) - self.origin) / self.resolution
        return np.floor(scaled + 1e-9).astype(np.int64)[..., ::-1]

    def center_of(self, cells: npt.ArrayLike) -> Array:
        """Centres (..., 2) [m] of cells (..., 2) given as (row, column)."""
        return np.asarray((np.asarray(cells)[..., ::-1] + 0.5) * self.resolution + np.asarray(self.origin))

    def contains(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether cells (..., 2) given as (row, column) lie on the map."""
        return np.asarray(np.all((cells >= 0) & (cells < self.cells.shape), axis=-1))

    def at(self, xy: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """State of points (..., 2) [m]; unknown outside of the map."""
        cells = self.cell_of(xy)
        inside = self.contains(cells)
        rows, columns = (np.where(inside, cells[..., i], 0) for i in range(2))
        if not self.cells.size:
            return np.full(inside.shape, UNKNOWN, dtype=np.int8)
        return np.where(inside, self.cells[rows, columns], np.int8(UNKNOWN))

    @cached_property
    def clearance(self) -> npt.NDArray[np.float32]:
        """Distance from each cell to the nearest obstacle cell, (H, W) float32 [m], centre to centre."""
        return obstacle_distance(self.cells == OCCUPIED, self.resolution)


def obstacle_distance(obstacles: npt.NDArray[np.bool_], resolution: float) -> npt.NDArray[np.float32]:
    """Distance to the nearest obstacle cell, (H, W) float32 [m]; ``FAR`` if there is none."""
    if not obstacles.any():
        return np.full(obstacles.shape, FAR, dtype=np.float32)
    distance = cv2.distanceTransform((~obstacles).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float32) * np.float32(resolution)


def occupancy_map(
    octree: Octree, robot_height: float = 1.5, floor_z: float | None = None, min_obstacle_height: float = 0.1
) -> OccupancyMap:
    """The 2D map of a floor.

    A cell is occupied if anything stands in it between ``min_obstacle_height`` (lower things are driven over: thresholds,
    carpets, the floor's own noise) and ``robot_height``; free if nothing does and that band was seen free, or the floor was
    seen; unknown otherwise.

    Args:
        octree: of the map.
        robot_height: [m] above the floor.
        floor_z: height of the floor [m]; None: estimated by `estimate_floor`.
        min_obstacle_height: [m] above the floor.

    Raises:
        ValueError: robot_height is not above min_obstacle_height.
    """
    if not robot_height > min_obstacle_height:
        raise ValueError(f"expected robot_height > min_obstacle_height, got {robot_height} and {min_obstacle_height} m")
    leaf, bricks = octree.parameters.leaf_size, octree.bricks
    if not bricks.keys.numel():
        return OccupancyMap(np.zeros((0, 0), dtype=np.int8), (0.0, 0.0), leaf, floor_z or 0.0, octree.stamp_ns)
    columns = _Columns(octree)
    if floor_z is None:
        floor_z = columns.floor()
    low, high = _layer(floor_z + min_obstacle_height, leaf), _layer(floor_z + robot_height, leaf)
    occupied, n_free = columns.band(low, max(high, low + 1))
    floor_seen, _ = columns.band(_layer(floor_z, leaf) - 2, low)
    _, n_low = columns.band(low, _layer(floor_z + LOW, leaf))
    obstacles = occupied > 0
    cells = _states(obstacles, (n_free >= MIN_FREE_VOXELS) | (floor_seen > 0))
    # Where only the upper part was seen to be free, gaps between obstacles (rows of a counter between image rows) are none.
    gaps = cv2.morphologyEx(obstacles.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), dtype=np.uint8)) > 0
    cells[gaps & (n_low == 0) & (floor_seen == 0) & (cells == FREE)] = OCCUPIED
    occupied, n_free = columns.band(*(_layer(floor_z + z, leaf) for z in WALL_BAND))
    walls = _states(occupied > 0, n_free >= MIN_FREE_VOXELS)
    x, y = columns.corner * leaf
    return OccupancyMap(cells, (float(x), float(y)), leaf, floor_z, octree.stamp_ns, walls)


def estimate_floor(octree: Octree) -> float:
    """Height of the lowest large horizontal surface [m].

    A camera that never saw the floor gives the lowest large surface that it saw, or else the lowest of what it saw.
    """
    return _Columns(octree).floor() if octree.n_bricks else 0.0


class OccupancyMapper:
    """Maps of one octree after another with the same settings; keeps the floor's height steady between them.

    The estimate of the floor is noisy while little has been seen, and a floor that jumps by a voxel changes the whole map:
    a new estimate is taken only if it differs by more than a voxel.
    """

    def __init__(
        self, robot_height: float = 1.5, floor_z: float | None = None, min_obstacle_height: float = 0.1
    ) -> None:
        self.robot_height = robot_height
        self.min_obstacle_height = min_obstacle_height
        self._fixed = floor_z is not None
        self._floor_z = floor_z

    def update(self, octree: Octree) -> OccupancyMap:
        """The octree's map as of now."""
        if not self._fixed and octree.n_bricks:
            estimate = estimate_floor(octree)
            if self._floor_z is None or abs(estimate - self._floor_z) > octree.parameters.leaf_size:
                self._floor_z = estimate
        return occupancy_map(octree, self.robot_height, self._floor_z, self.min_obstacle_height)


def _layer(z: float, leaf: float) -> int:
    """Index of the first layer of voxels whose lower face is at or above a height [m]."""
    return int(np.ceil(z / leaf - 1e-6))


def _states(occupied: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    cells = np.full(occupied.shape, UNKNOWN, dtype=np.int8)
    cells[free] = FREE
    cells[occupied] = OCCUPIED
    return cells


class _Columns:
    """The octree's bit columns, by layer of bricks."""

    def __init__(self, octree: Octree) -> None:
        bricks = octree.bricks
        origins = octree.brick_origins(bricks.keys)  # (B, 3) voxels
        self.leaf_size = octree.parameters.leaf_size
        self.corner = origins[:, :2].min(axis=0)
        self.shape = (origins[:, :2].max(axis=0) - self.corner) // BRICK_EDGE + 1  # bricks in x, y
        self.place = (origins[:, :2] - self.corner) // BRICK_EDGE
        self.z = origins[:, 2]
        # Solid ones, too: where a camera looks along a surface, rays cross the voxels that hold it.
        obstacles = bricks.occupied_bits[bricks.rows] | bricks.solid_bits[bricks.rows]
        self.occupied = obstacles.cpu().numpy()  # (B, 64)
        self.free = bricks.free_bits[bricks.rows].cpu().numpy()

    def band(self, low: int, high: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """How many voxels of each column are occupied, and free, in the layers [low, high); each (H, W), row = y."""
        nx, ny = self.shape
        counts = np.zeros((2, nx, ny, BRICK_EDGE**2), dtype=np.uint8)
        for z in np.unique(self.z):
            first, last = max(low - z, 0), min(high - z, BRICK_EDGE)
            if first >= last:
                continue
            mask = np.uint8((1 << last) - (1 << first))
            here = self.z == z
            x, y = self.place[here].T
            for count, bits in zip(counts, (self.occupied, self.free), strict=True):
                count[x, y] += np.bitwise_count(bits[here] & mask)
        # (2, nx, ny, 8 x, 8 y) -> (2, ny, 8 y, nx, 8 x)
        grid = counts.reshape(2, nx, ny, BRICK_EDGE, BRICK_EDGE).transpose(0, 2, 4, 1, 3)
        grid = grid.reshape(2, ny * BRICK_EDGE, nx * BRICK_EDGE).astype(np.int64)
        return grid[0], grid[1]

    def floor(self) -> float:
        """See `estimate_floor`."""
        lowest = int(self.z.min())
        n_layers = int(self.z.max()) - lowest + BRICK_EDGE
        tops = self._tops()
        layers, levels = np.zeros(n_layers), np.zeros(n_layers + 2)  # levels: one empty layer below and above
        for k in range(BRICK_EDGE):
            layer = self.z - lowest + k
            np.add.at(layers, layer, ((self.occupied >> k) & 1).sum(axis=1, dtype=np.int64))
            np.add.at(levels, layer + 1, ((tops >> k) & 1).sum(axis=1, dtype=np.int64))
        area = np.convolve(levels, np.ones(3), mode="valid")  # a noisy surface spreads over three layers
        peak = area == np.max([np.roll(np.pad(area, 3), s)[3:-3] for s in range(-3, 4)], axis=0)
        large = max(MIN_FLOOR_AREA / self.leaf_size**2, MIN_FLOOR_SHARE * area.max())
        candidates = np.flatnonzero((area >= large) & peak)
        if candidates.size:
            i = int(candidates[0])
            weights = levels[i : i + 3]
            middle = i + float((weights * (-1, 0, 1)).sum() / weights.sum())
            return float((lowest + middle + 0.5) * self.leaf_size)
        if not layers.any():
            return lowest * self.leaf_size
        return (lowest + int(np.searchsorted(np.cumsum(layers) / layers.sum(), 0.01))) * self.leaf_size

    def _tops(self) -> npt.NDArray[np.uint16]:
        """Bits of occupied voxels with free space on top, (B, 64): horizontal surfaces seen from above, and no walls."""
        # Numbers of the bricks and of those on top of them, where there are any.
        code = (self.place[:, 0] * self.shape[1] + self.place[:, 1]) * (1 << 21) + self.z // BRICK_EDGE + (1 << 20)
        order = np.argsort(code)
        above = order[np.searchsorted(code, code + 1, sorter=order).clip(max=code.size - 1)]
        exists = (code[above] == code + 1)[:, None]
        occupied = self.occupied.astype(np.uint16) | np.where(exists, self.occupied[above].astype(np.uint16) << 8, 0)
        free = self.free.astype(np.uint16) | np.where(exists, self.free[above].astype(np.uint16) << 8, 0)
        return np.asarray(occupied & ~(occupied >> 1) & ((free >> 1) | (free >> 2)) & 0xFF, dtype=np.uint16)
