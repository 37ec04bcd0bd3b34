"""The raster under the frontiers: which unexplored cells border on floor that the robot can reach.

Kept between maps: only around cells that have changed is it computed anew, with the same result as from scratch.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap

Mask = npt.NDArray[np.bool_]
Window = tuple[slice, slice]
Cell = TypeVar("Cell", np.int8, np.bool_)

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), dtype=np.uint8)


class Borders:
    """Border cells of one map after another.

    The arrays have a margin around the map: what lies outside of it is unexplored, too.

    Args:
        depth: how far into the unknown border cells reach [m].
        robot_radius: of a robot that must fit through [m].
        robot_reach: free floor so near to the robot is taken for where it stands [m].

    Attributes:
        corner: (2,) column and row of the first cell on the grid that all maps share.
        reached: (H, W) bool, where the robot can be.
        band: (H, W) bool, border cells.
    """

    def __init__(self, depth: float, robot_radius: float, robot_reach: float) -> None:
        self._depth, self._radius, self._reach = depth, robot_radius, robot_reach
        self.corner = np.zeros(2, dtype=np.int64)
        self._states = np.zeros((0, 0), dtype=np.int8)
        self._roomy: Mask = np.zeros((0, 0), dtype=np.bool_)
        self.reached: Mask = self._roomy
        self.band: Mask = self._roomy

    def update(self, map_: OccupancyMap, robot_xy: Array | None) -> None:
        """Take over a map, and what of it a robot at (2,) [m] can reach; None: all free floor."""
        depth, radius = self._depth / map_.resolution, self._radius / map_.resolution
        margin = int(np.ceil(depth + radius)) + 1
        shape = (map_.cells.shape[0] + 2 * margin, map_.cells.shape[1] + 2 * margin)
        corner = map_.corner - margin
        before = self._states
        if not np.array_equal(corner, self.corner) or shape != before.shape:
            old = self.corner - corner
            before = _embedded(before, old, shape, UNKNOWN)
            self._roomy = _embedded(self._roomy, old, shape, True)
            self.reached = _embedded(self.reached, old, shape, False)
            self.band = _embedded(self.band, old, shape, False)
        self.corner = corner
        self._states = np.pad(map_.cells, margin, constant_values=UNKNOWN)
        if not map_.cells.size:
            return
        changed = self._states != before
        if changed.any():
            around = int(np.ceil(radius)) + 1
            inner, outer = windows(changed, around, around)
            self._roomy = self._roomy.copy()
            self._roomy[inner] = _is_roomy(self._states[outer] == OCCUPIED, radius)[within(inner, outer)]
        reached = self._reached(map_, robot_xy)
        changed |= reached != self.reached
        self.reached = reached
        if changed.any():
            inner, outer = windows(changed, margin + 1, margin + int(np.ceil(depth + radius)) + 1)
            self.band = self.band.copy()
            self.band[inner] = self._band(outer, depth, radius)[within(inner, outer)]

    def _reached(self, map_: OccupancyMap, robot_xy: Array | None) -> Mask:
        """The connected free floor on which the robot stands."""
        passable = (self._states == FREE) & self._roomy
        if robot_xy is None:
            return passable
        column, row = np.floor(robot_xy / map_.resolution + 1e-9).astype(np.int64) - self.corner
        n = int(np.ceil(self._reach / map_.resolution))
        rows, columns = (slice(max(i - n, 0), max(i + n + 1, 0)) for i in (int(row), int(column)))
        near = np.argwhere(passable[rows, columns]) + (rows.start, columns.start)
        distance = np.hypot(near[:, 0] - row, near[:, 1] - column) * map_.resolution
        if not len(near) or distance.min() > self._reach:
            return np.zeros_like(passable)
        _, labels = cv2.connectedComponents(passable.astype(np.uint8), connectivity=4)
        return np.asarray(labels == labels[tuple(near[np.argmin(distance)])])

    def _band(self, window: Window, depth: float, radius: float) -> Mask:
        """Border cells in a window; those at its edge lack what lies outside."""
        unknown, reached = self._states[window] == UNKNOWN, self.reached[window]
        # What the robot could enter, then the whole width of the opening around it.
        core = _grow(reached, unknown & self._roomy[window], depth)
        opening = unknown & _near(reached, depth + 0.5)
        return _grow(core & unknown, opening, radius) & unknown


def windows(changed: Mask, reach: int, context: int) -> tuple[Window, Window]:
    """The cells up to ``reach`` around those that have changed, and so many more around these, as slices of the array."""
    found = []
    for axis in (1, 0):
        at = np.flatnonzero(changed.any(axis=axis))
        size = changed.shape[1 - axis]
        first, last = max(int(at[0]) - reach, 0), min(int(at[-1]) + reach + 1, size)
        found.append((slice(first, last), slice(max(first - context, 0), min(last + context, size))))
    (inner_rows, outer_rows), (inner_columns, outer_columns) = found
    return (inner_rows, inner_columns), (outer_rows, outer_columns)


def within(inner: Window, outer: Window) -> Window:
    """The inner window as slices of the outer one."""
    rows, columns = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))
    return rows, columns


def _embedded(
    old: npt.NDArray[Cell], at: npt.NDArray[np.int64], shape: tuple[int, int], fill: int | bool
) -> npt.NDArray[Cell]:
    """An older array (its first cell is at column, row of the new one) in a new one, as far as it lies in it."""
    new = np.full(shape, fill, dtype=old.dtype)
    column, row = at.tolist()
    rows, columns = (
        slice(min(max(first, 0), size), max(min(first + n, size), 0))
        for first, n, size in zip((row, column), old.shape, shape, strict=True)
    )
    new[rows, columns] = old[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column]
    return new


def _is_roomy(obstacles: Mask, radius: float) -> Mask:
    """Whether no obstacle is nearer than the radius [cells]."""
    if not obstacles.any():
        return np.ones_like(obstacles)
    distance = cv2.distanceTransform((~obstacles).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance >= radius - 1e-4)


def _grow(seed: Mask, within_: Mask, steps: float) -> Mask:
    """Cells of ``within_`` that are at most so many steps from the seed, going through it only; with the seed."""
    grown = seed.astype(np.uint8)
    allowed = (within_ | seed).astype(np.uint8)
    for step in range(int(np.ceil(steps - 1e-6))):  # cross and square in turn: nearly round
        grown = cv2.bitwise_and(cv2.dilate(grown, _SQUARE if step % 2 else _CROSS), allowed).astype(np.uint8)
    return grown.astype(np.bool_)


def _near(mask: Mask, distance: float) -> Mask:
    """Cells at most so many cells from the mask, straight through anything."""
    if not mask.any():
        return np.zeros_like(mask)
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= distance)
