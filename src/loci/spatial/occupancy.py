"""A floor as a robot needs it: which cells it may drive over, which are obstacles, and which nobody has seen.

A 2D map of the octree's columns between knee and head. `FloorMapper` makes anew only the tiles whose bricks have changed, with
the same result as from scratch; a map itself never changes. Where floors are is found by `loci.spatial.floors`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial.bricks import BRICK_EDGE
from loci.spatial.columns import ColumnCache, Columns, Ints, layer_masks
from loci.spatial.octree import Octree
from loci.spatial.surfaces import lowest_surface

UNKNOWN, FREE, OCCUPIED = -1, 0, 100

#: Furniture ends below and lintels begin above this band [m over the floor]: what stands in it is taken for a wall.
WALL_BAND = (1.2, 1.9)
#: A column is free if at least so many of its voxels in the band were seen free.
MIN_FREE_VOXELS = 2
#: Up to here a column counts as seen near the floor [m over the floor].
LOW = 0.5
#: A column without a floor that was seen through, and of which this share was seen free so far below the floor [m], is a drop: a
#: stairwell, a gallery's edge.
DROP_BAND, DROP_SHARE = (0.3, 0.1), 0.75
#: Clearance where no obstacle is known [m].
FAR = 1e3


@dataclass(frozen=True)
class OccupancyMap:
    """Occupancy of one floor; immutable.

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

    def stamped(self, stamp_ns: int) -> OccupancyMap:
        """The same map as of a later time [ns]."""
        other = replace(self, stamp_ns=stamp_ns)
        if "clearance" in self.__dict__:
            other.__dict__["clearance"] = self.clearance
        return other


def obstacle_distance(obstacles: npt.NDArray[np.bool_], resolution: float) -> npt.NDArray[np.float32]:
    """Distance to the nearest obstacle cell, (H, W) float32 [m]; ``FAR`` if there is none."""
    if not obstacles.any():
        return np.full(obstacles.shape, FAR, dtype=np.float32)
    distance = cv2.distanceTransform((~obstacles).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float32) * np.float32(resolution)


#: What was seen in a column, as bits: something in the robot's way; free for it; nothing of it near the floor; a wall; no wall.
_BLOCKED, _FREE, _BARE, _WALL, _NO_WALL = 1, 2, 4, 8, 16
#: A surface that is a step above or below the floor, as another bit.
_STEP = 32
_CLOSING = np.ones((3, 3), dtype=np.uint8)


def occupancy_map(
    octree: Octree, robot_height: float = 1.5, floor_z: float | None = None, min_obstacle_height: float = 0.1
) -> OccupancyMap:
    """The 2D map of a floor from scratch; see `FloorMapper`.

    Args:
        octree: of the map.
        robot_height: [m] above the floor.
        floor_z: height of the floor [m]; None: that of the lowest large surface.
        min_obstacle_height: [m] above the floor.

    Raises:
        ValueError: robot_height is not above min_obstacle_height.
    """
    cache = ColumnCache()
    cache.update(octree)
    z = lowest_surface(cache.columns) if floor_z is None else floor_z
    return FloorMapper(z, robot_height, min_obstacle_height).update(cache.columns, None, octree.stamp_ns)


class FloorMapper:
    """Makes the map of one floor, again and again.

    A cell is occupied if anything stands in it between ``min_obstacle_height`` (lower things are driven over: thresholds,
    carpets, the floor's own noise) and ``robot_height``; free if nothing does and that band was seen free, or the floor was
    seen; unknown otherwise.

    Args:
        floor_z: height of the floor [m].
        robot_height, min_obstacle_height: [m] above the floor.
        has_drops: cells that were seen through, down below the floor, are occupied. For floors that are known to be some: where
            only furniture was seen so far, everything beside it would be a drop.
        max_step_height: that a robot can climb [m], see `first_steps`; 0: none.

    Raises:
        ValueError: robot_height is not above min_obstacle_height.
    """

    def __init__(
        self,
        floor_z: float,
        robot_height: float = 1.5,
        min_obstacle_height: float = 0.1,
        has_drops: bool = False,
        max_step_height: float = 0.0,
    ) -> None:
        if not robot_height > min_obstacle_height:
            got = f"{robot_height} and {min_obstacle_height} m"
            raise ValueError(f"expected robot_height > min_obstacle_height, got {got}")
        self.floor_z = floor_z
        self.has_drops = has_drops
        self._robot_height, self._min_height, self._max_step = robot_height, min_obstacle_height, max_step_height
        self._corner = np.zeros(2, dtype=np.int64)  # x, y of the first tile
        self._facts = np.zeros((0, 0), dtype=np.uint8)  # (H, W)
        self._map: OccupancyMap | None = None

    @property
    def first_steps(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool, cells of the map with a surface that is more than an obstacle and at most a step above or below the floor."""
        return np.asarray((self._facts & _STEP) > 0)

    def update(self, columns: Columns, tiles: Ints | None, stamp_ns: int) -> OccupancyMap:
        """The map as of now; its arrays are those of the last one if nothing in it has changed.

        Args:
            columns: of the octree.
            tiles: (T, 2) those that may have changed since the last call, each once; None: all.
            stamp_ns: of the newest image [ns].
        """
        leaf = columns.leaf_size
        if self._map is None:
            tiles = None
            empty = np.zeros((0, 0), dtype=np.int8)
            self._map = OccupancyMap(empty, (0.0, 0.0), leaf, self.floor_z, stamp_ns, empty)
        if tiles is None:
            tiles = np.unique(columns.bricks[:, :2], axis=0)
        top = max(self._robot_height, WALL_BAND[1])
        bottom = max(DROP_BAND[0] if self.has_drops else 3 * leaf, self._max_step + 2 * leaf)
        near = columns.of_tiles(tiles).within(_layer(self.floor_z - bottom, leaf), _layer(self.floor_z + top, leaf))
        self._extend(near.bricks[:, :2])
        n_y, n_x = (n // BRICK_EDGE for n in self._facts.shape)
        tiles = tiles[np.all((tiles >= self._corner) & (tiles < self._corner + (n_x, n_y)), axis=1)]
        facts = self._facts_of(near, tiles)
        raster = self._facts.reshape(n_y, BRICK_EDGE, n_x, BRICK_EDGE)
        x, y = (tiles - self._corner).T
        changed = np.any(raster[y, :, x, :] != facts, axis=(1, 2))
        raster[y[changed], :, x[changed], :] = facts[changed]
        if changed.any() or self._map.cells.shape != self._facts.shape:
            self._map = self._redrawn(y[changed], x[changed], stamp_ns)
        else:
            self._map = self._map.stamped(stamp_ns)
        return self._map

    def _extend(self, tiles: Ints) -> None:
        """Make the raster hold some tiles (T, 2)."""
        if not len(tiles):
            return
        n_y, n_x = (n // BRICK_EDGE for n in self._facts.shape)
        low, high = tiles.min(axis=0), tiles.max(axis=0) + 1
        if n_x:
            low, high = np.minimum(low, self._corner), np.maximum(high, self._corner + (n_x, n_y))
        (left, below), (right, above) = self._corner - low, high - self._corner - (n_x, n_y)
        if not n_x:
            self._corner, left, below = low, 0, 0
            right, above = high - low
        margins = np.array([[below, above], [left, right]]) * BRICK_EDGE
        if margins.any():
            self._facts = np.pad(self._facts, margins)
            self._corner = low

    def _facts_of(self, columns: Columns, tiles: Ints) -> npt.NDArray[np.uint8]:
        """What was seen in the columns of tiles (T, 2), (T, 8 y, 8 x) bits."""
        leaf, z = columns.leaf_size, self.floor_z
        order = np.lexsort((tiles[:, 1], tiles[:, 0]))
        # Bricks are ordered by tile: those that begin a new one count on.
        first = np.any(np.diff(columns.bricks[:, :2], axis=0, prepend=np.iinfo(np.int64).min // 2), axis=1)
        present = columns.bricks[first, :2]
        row_of = order[np.searchsorted(_pairs(tiles[order], tiles), _pairs(present, tiles))]
        row = row_of[np.cumsum(first) - 1] if len(present) else np.zeros(0, dtype=np.int64)

        def count(low: int, high: int) -> tuple[Ints, Ints]:
            """Solid and free voxels per column in the layers [low, high), (T, 64) each."""
            counts = np.zeros((2, len(tiles), BRICK_EDGE**2), dtype=np.int64)
            masks = layer_masks(columns.lowest, low, high)
            for level in np.unique(columns.bricks[masks > 0, 2]):  # a tile has one brick per level
                here = (columns.bricks[:, 2] == level) & (masks > 0)
                for counted, bits in zip(counts, (columns.solid, columns.free), strict=True):
                    counted[row[here]] += np.bitwise_count(bits[here] & masks[here, None])
            return counts[0], counts[1]

        low, high = _layer(z + self._min_height, leaf), _layer(z + self._robot_height, leaf)
        solid, n_free = count(low, max(high, low + 1))
        floor_seen, _ = count(_layer(z, leaf) - 2, low)
        _, n_low = count(low, _layer(z + LOW, leaf))
        blocked = solid > 0
        facts = np.where(blocked, _BLOCKED, 0) | np.where((n_free >= MIN_FREE_VOXELS) | (floor_seen > 0), _FREE, 0)
        facts |= np.where((n_low == 0) & (floor_seen == 0), _BARE, 0)
        solid, n_free = count(*(_layer(z + height, leaf) for height in WALL_BAND))
        facts |= np.where(solid > 0, _WALL, 0) | np.where(n_free >= MIN_FREE_VOXELS, _NO_WALL, 0)
        if self._max_step > 0:
            floor, step = round(z / leaf - 0.5), round(self._max_step / leaf) + 1
            least = round(self._min_height / leaf) + 1
            for low, high in ((floor + least, floor + step + 1), (floor - step, floor - least + 1)):
                masks = layer_masks(columns.lowest, low, high)
                of_brick, at = np.nonzero(columns.tops & masks[:, None])
                facts[row[of_brick], at] |= _STEP
        if self.has_drops:
            low, high = (_layer(z - depth, leaf) for depth in DROP_BAND)
            _, n_below = count(low, high)
            # Right below the floor's own level, where no slab is: the storey below may be known where nobody has seen the floor.
            level = round(z / leaf - 0.5)
            _, n_through = count(level - 2, level)
            is_drop = (floor_seen == 0) & (n_below >= DROP_SHARE * (high - low)) & (n_through == 2)
            facts |= np.where(is_drop, _BLOCKED, 0)
        return facts.astype(np.uint8).reshape(-1, BRICK_EDGE, BRICK_EDGE).transpose(0, 2, 1)

    def _redrawn(self, rows: Ints, columns: Ints, stamp_ns: int) -> OccupancyMap:
        """The map with some tiles drawn anew."""
        assert self._map is not None
        leaf = self._map.resolution
        corner = self._corner * BRICK_EDGE
        cells, walls = (
            _moved(a, self._map.corner, corner, self._facts.shape) for a in (self._map.cells, self._map.walls)
        )
        if len(rows):
            # What is closed depends on two cells around, and so do the cells around on what has changed.
            y, x = ((max(a.min() * BRICK_EDGE - 2, 0), a.max() * BRICK_EDGE + BRICK_EDGE + 2) for a in (rows, columns))
            outer = np.s_[max(y[0] - 2, 0) : y[1] + 2, max(x[0] - 2, 0) : x[1] + 2]
            inner = np.s_[y[0] : y[1], x[0] : x[1]]
            blocked = (self._facts[outer] & _BLOCKED) > 0
            closed = cv2.morphologyEx(blocked.astype(np.uint8), cv2.MORPH_CLOSE, _CLOSING) > 0
            facts = self._facts[inner]
            closed = closed[y[0] - outer[0].start :, x[0] - outer[1].start :][: facts.shape[0], : facts.shape[1]]
            drawn = _states((facts & _BLOCKED) > 0, (facts & _FREE) > 0)
            # Where only the upper part was seen to be free, gaps between obstacles (rows of a counter between image rows) are none.
            drawn[closed & ((facts & _BARE) > 0) & (drawn == FREE)] = OCCUPIED
            cells[inner] = drawn
            walls[inner] = _states((facts & _WALL) > 0, (facts & _NO_WALL) > 0)
        x0, y0 = (corner * leaf).tolist()
        return OccupancyMap(cells, (x0, y0), leaf, self.floor_z, stamp_ns, walls)


def _pairs(tiles: Ints, among: Ints) -> Ints:
    """One number per tile (T, 2), in the order of x, then y."""
    low = among.min(axis=0) if len(among) else np.zeros(2, dtype=np.int64)
    return np.asarray(((tiles[:, 0] - low[0]) << 24) + tiles[:, 1] - low[1])


def _layer(z: float, leaf: float) -> int:
    """Index of the first layer of voxels whose lower face is at or above a height [m]."""
    return int(np.ceil(z / leaf - 1e-6))


def _states(occupied: npt.NDArray[np.bool_], free: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
    cells = np.full(occupied.shape, UNKNOWN, dtype=np.int8)
    cells[free] = FREE
    cells[occupied] = OCCUPIED
    return cells


def _moved(
    old: npt.NDArray[np.int8] | None, old_corner: Ints, corner: Ints, shape: tuple[int, ...]
) -> npt.NDArray[np.int8]:
    """A larger grid with an older one in its place, unknown around it."""
    new = np.full(shape, UNKNOWN, dtype=np.int8)
    if old is not None and old.size:
        column, row = (old_corner - corner).tolist()
        new[row : row + old.shape[0], column : column + old.shape[1]] = old
    return new
