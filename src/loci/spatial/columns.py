"""The octree's bit columns as a map maker needs them: kept between maps, with what has changed since the last one.

A brick is 8 x 8 columns of 8 voxels, one byte each, so that a storey of an apartment is counted in milliseconds. Bricks above
one another are a tile: only tiles with a brick that changed are counted anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial.bricks import BRICK_EDGE
from loci.spatial.octree import Octree

Bits = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

#: Brick coordinates are packed into one number: so many bits for z, and for y.
_Z_BITS, _Y_BITS = 20, 20
_LOWEST = 1 << (_Z_BITS - 1)
#: One layer of eight columns at a time: the same bit of eight bytes.
_PLANES = tuple(np.uint64(0x0101010101010101 << k) for k in range(BRICK_EDGE))


@dataclass(frozen=True)
class Columns:
    """Bit columns of B bricks, ordered by tile and then from below.

    Attributes:
        bricks: (B, 3) brick coordinates from the map's origin.
        solid, free: (B, 64) uint8, bit z of column (x, y): what stops a robot, and what was seen to be free.
        tops: (B, 64) uint8, solid voxels with free space on top: horizontal surfaces seen from above, and no walls.
        codes: (B,) ascending, one number per brick: tiles are ranges of it, and the brick above has the next one.
        leaf_size: edge of a voxel [m].
    """

    bricks: Ints
    solid: Bits
    free: Bits
    tops: Bits
    codes: Ints
    leaf_size: float

    @property
    def lowest(self) -> Ints:
        """(B,) z of each brick's lowest layer."""
        return np.asarray(self.bricks[:, 2] * BRICK_EDGE)

    @cached_property
    def layers(self) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The lowest layer, and from there the number of solid voxels and of tops in each layer, (L,)."""
        if not len(self.bricks):
            return 0, np.zeros(0), np.zeros(0)
        z = self.lowest
        first = int(z.min())
        n = int(z.max()) - first + BRICK_EDGE
        counts = []
        for bits in (self.solid, self.tops):
            # A byte's bits are its layers: (B, 64) -> (B, 8) voxels per layer.
            per_layer = np.stack(
                [np.bitwise_count(bits.view(np.uint64) & plane).sum(axis=1) for plane in _PLANES], axis=1
            )
            at = (z[:, None] - first + np.arange(BRICK_EDGE)).ravel()
            counts.append(np.bincount(at, weights=per_layer.ravel(), minlength=n).astype(np.float64))
        return first, counts[0], counts[1]

    def within(self, low: int, high: int) -> Columns:
        """The bricks that have a layer in [low, high)."""
        z = self.lowest
        return self._at((z + BRICK_EDGE > low) & (z < high))

    def of_tiles(self, tiles: Ints) -> Columns:
        """The bricks of some tiles (T, 2), which are all different."""
        first = np.searchsorted(self.codes, _codes(np.column_stack([tiles, np.full(len(tiles), -_LOWEST)])))
        last = np.searchsorted(self.codes, _codes(np.column_stack([tiles, np.full(len(tiles), _LOWEST - 1)])), "right")
        rows = np.arange((last - first).sum()) + np.repeat(
            first - np.cumsum(last - first) + (last - first), last - first
        )
        return self._at(np.sort(rows))

    def _at(self, rows: npt.NDArray[np.bool_] | Ints) -> Columns:
        return Columns(
            self.bricks[rows], self.solid[rows], self.free[rows], self.tops[rows], self.codes[rows], self.leaf_size
        )

    def surface(self, low: int, high: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Columns with a top in the layers [low, high), (H, W) bool with row = y, and the cell (x, y) of the first one."""
        chosen = self.within(low, high)
        if not len(chosen.bricks):
            return np.zeros((0, 0), dtype=np.bool_), np.zeros(2, dtype=np.int64)
        corner = chosen.bricks[:, :2].min(axis=0)
        n_x, n_y = (chosen.bricks[:, :2].max(axis=0) - corner + 1).tolist()
        tiles = np.zeros((n_x, n_y, BRICK_EDGE**2), dtype=np.bool_)
        x, y = (chosen.bricks[:, :2] - corner).T
        np.logical_or.at(tiles, (x, y), (chosen.tops & layer_masks(chosen.lowest, low, high)[:, None]) > 0)
        grid = tiles.reshape(n_x, n_y, BRICK_EDGE, BRICK_EDGE).transpose(1, 3, 0, 2)
        return grid.reshape(n_y * BRICK_EDGE, n_x * BRICK_EDGE), corner * BRICK_EDGE


def layer_masks(lowest: Ints, low: int, high: int) -> Bits:
    """Bits of the layers [low, high) in bricks whose lowest layers are given, (B,) uint8."""
    first, last = np.clip(low - lowest, 0, BRICK_EDGE), np.clip(high - lowest, 0, BRICK_EDGE)
    return ((1 << np.maximum(last, first)) - (1 << first)).astype(np.uint8)


class ColumnCache:
    """Keeps the columns of an octree and tells which tiles differ from the last time."""

    def __init__(self) -> None:
        none = np.zeros((0, BRICK_EDGE**2), dtype=np.uint8)
        numbers = np.zeros(0, dtype=np.int64)
        self.columns = Columns(np.zeros((0, 3), dtype=np.int64), none, none, none, numbers, 0.05)

    def update(self, octree: Octree) -> Ints:
        """Take over an octree's columns; returns the tiles (T, 2), x and y of bricks, in which anything has changed."""
        bricks = octree.bricks
        coordinates = octree.brick_origins(bricks.keys) // BRICK_EDGE  # (B, 3)
        codes = _codes(coordinates)
        order = np.argsort(codes)
        codes, coordinates = codes[order], coordinates[order]
        rows = bricks.rows[torch.from_numpy(order).to(bricks.rows.device)]
        occupied, free, blocking, touched = (
            bits[rows].cpu().numpy()  # (B, 64)
            for bits in (bricks.occupied_bits, bricks.free_bits, bricks.solid_bits, bricks.touched_bits)
        )
        # Obstacles are where surfaces are, not wherever one grazes a voxel: walls would grow by a cell, and doors shrink by two.
        # Touched ones, too: a lamp's pole is not solid, but stops a robot.
        solid = blocking | touched
        free = (occupied | free) & ~blocking
        old = self.columns
        place = np.searchsorted(old.codes, codes).clip(max=max(len(old.codes) - 1, 0))
        known = old.codes[place] == codes if len(old.codes) else np.zeros(len(codes), dtype=np.bool_)
        changed = ~known
        for new_bits, old_bits in ((solid, old.solid), (free, old.free)):
            # Eight columns at a time.
            a, b = new_bits.view(np.uint64), old_bits.view(np.uint64)
            changed[known] |= np.any(a[known] != b[place[known]], axis=1)
        gone = np.ones(len(old.codes), dtype=np.bool_)
        gone[place[known]] = False
        if not changed.any() and not gone.any():
            return np.zeros((0, 2), dtype=np.int64)
        tops = np.zeros_like(solid)
        tops[known] = old.tops[place[known]]
        # A top depends on the brick above it as well.
        below = np.searchsorted(codes, codes[changed] - 1).clip(max=len(codes) - 1)
        below = below[codes[below] == codes[changed] - 1]
        anew = np.union1d(np.flatnonzero(changed), below)
        tops[anew] = _tops(codes, solid, free, anew)
        tiles = np.unique(np.concatenate([coordinates[changed, :2], old.bricks[gone, :2]]), axis=0)
        self.columns = Columns(coordinates, solid, free, tops, codes, octree.parameters.leaf_size)
        return tiles


def _codes(bricks: Ints) -> Ints:
    """See `Columns.codes`; of bricks (B, 3)."""
    offset = bricks + (0, 1 << (_Y_BITS - 1), _LOWEST)
    return np.asarray((offset[:, 0] << (_Y_BITS + _Z_BITS)) + (offset[:, 1] << _Z_BITS) + offset[:, 2])


def _tops(codes: Ints, solid: Bits, free: Bits, rows: Ints) -> Bits:
    """Tops (N, 64) of the bricks in some rows."""
    above = np.searchsorted(codes, codes[rows] + 1).clip(max=len(codes) - 1)
    exists = (codes[above] == codes[rows] + 1)[:, None]
    filled, seen = (
        bits[rows].astype(np.uint16) | np.where(exists, bits[above].astype(np.uint16) << 8, 0) for bits in (solid, free)
    )
    return np.asarray(filled & ~(filled >> 1) & ((seen >> 1) | (seen >> 2)) & 0xFF, dtype=np.uint8)
