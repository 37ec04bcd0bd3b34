"""Questions about many cubes of the octree at once: what a box holds, what changed, what is nearest, what to display.

Whole-array torch for any device; work depends on the bricks in question, not on the size of the map, except for a look through
the directory where a box is larger than it. Knows bricks and metres, not scans: the octree passes its table of stamps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import voxels
from loci.spatial.bricks import BRICK_EDGE, BRICK_SIZE, LOG_ODDS_UNIT, NOTHING_KNOWN, Bricks
from loci.spatial.cubes import Cubes, OccupiedCubes

#: Level of a brick: its edge is 2^3 voxels.
BRICK_LEVEL = 3
#: Most cubes in one answer.
MAX_CUBES = 100_000
#: Bricks looked into at a time.
_CHUNK = 2048
#: Cubes that a box overlaps by less than this share of their edge are not in it: corners on borders of cubes mean the border.
_TOUCH = 1e-6
_NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class VoxelGrid:
    """Where the voxels are, and what counts as occupied.

    Attributes:
        leaf_size: edge of a voxel [m].
        levels: the world is a cube of 2^levels voxels around the map's origin.
        threshold: log-odds above which a voxel is occupied [1 / LOG_ODDS_UNIT].
    """

    leaf_size: float
    levels: int
    threshold: int

    @property
    def half(self) -> int:
        """The map's origin, in voxels from the world's lowest corner along each axis."""
        return 1 << (self.levels - 1)

    def check_level(self, level: int) -> None:
        """Raises ValueError if there is no such level."""
        if not 0 <= level <= self.levels:
            raise ValueError(f"expected a level from 0 to {self.levels}, got {level}")

    def check_points(self, points: npt.ArrayLike, name: str = "points") -> npt.NDArray[np.float64]:
        """Points (N, 3) [m] as an array.

        Raises:
            ValueError: wrong shape, not finite, or outside of the octree's world.
        """
        array = np.asarray(points, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != 3 or not np.all(np.isfinite(array)):
            raise ValueError(f"expected finite {name} (N, 3), got shape {array.shape}: {array.ravel()[:6].tolist()}")
        reach = self.half * self.leaf_size
        outside = np.any(np.abs(array) > reach, axis=1)
        if np.any(outside):
            raise ValueError(f"expected {name} within {reach:g} m of the origin, got {array[outside][0].tolist()}")
        return array

    def box(
        self, lower: npt.ArrayLike, upper: npt.ArrayLike, level: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """First and last cube (3,) of a level, counted from the world's lowest corner, that a box [m] overlaps.

        Raises:
            ValueError: not finite, lower > upper, or nothing of the box lies in the octree's world.
        """
        a, b = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
        if a.shape != (3,) or b.shape != (3,) or not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
            raise ValueError(f"expected finite corners (3,) of a box [m], got {a.tolist()} and {b.tolist()}")
        if np.any(a > b):
            raise ValueError(f"expected a lower corner <= the upper one, got {a.tolist()} and {b.tolist()}")
        reach = self.half * self.leaf_size
        if np.any(a >= reach) or np.any(b < -reach):
            raise ValueError(
                f"expected a box that meets the octree's world, within {reach:g} m of the origin, got {a.tolist()} to {b.tolist()}"
            )
        size = self.leaf_size * (1 << level)
        corners = (np.clip(np.stack([a, b]), -reach, reach) + reach) / size
        first = np.floor(corners[0] + _TOUCH)
        last = np.maximum(np.ceil(corners[1] - _TOUCH) - 1.0, first)
        n_cubes = (2 * self.half) >> level
        return np.clip(first, 0, n_cubes - 1).astype(np.int64), np.clip(last, 0, n_cubes - 1).astype(np.int64)

    def centres(self, cubes: torch.Tensor, level: int) -> npt.NDArray[np.float64]:
        """Centres (N, 3) [m] of cubes (N, 3) of a level."""
        size = self.leaf_size * (1 << level)
        return np.asarray((cubes.cpu().numpy() + 0.5) * size - self.half * self.leaf_size, dtype=np.float64)


@dataclass(frozen=True)
class _Found:
    """Cubes and what is known of each: all (N,), cubes (N, 3). ``changed``: scan since which it is what it is."""

    cubes: torch.Tensor
    states: torch.Tensor
    peaks: torch.Tensor
    last: torch.Tensor
    changed: torch.Tensor

    def __getitem__(self, which: torch.Tensor | slice) -> _Found:
        return _Found(self.cubes[which], self.states[which], self.peaks[which], self.last[which], self.changed[which])

    @staticmethod
    def joined(parts: list[_Found]) -> _Found:
        names = ("cubes", "states", "peaks", "last", "changed")
        return _Found(*(torch.cat([getattr(p, name) for p in parts]) for name in names))


def query_box(
    bricks: Bricks,
    grid: VoxelGrid,
    stamps_ns: npt.NDArray[np.int64],
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    level: int,
    *,
    occupied: bool,
    free: bool,
    changed_since_ns: int | None,
    limit: int,
) -> tuple[Cubes, torch.Tensor]:
    """Known cubes of a level that a box overlaps; see `Octree.query_box`. Also returns them as (N, 3) coordinates."""
    grid.check_level(level)
    if not 1 <= limit <= MAX_CUBES:
        raise ValueError(f"expected a limit from 1 to {MAX_CUBES}, got {limit}")
    if not (occupied or free):
        raise ValueError("expected a question about occupied cubes, free cubes or both, got neither")
    first, last = grid.box(lower, upper, level)
    device = bricks.keys.device
    stamps = torch.from_numpy(stamps_ns).to(device)
    low, high = torch.from_numpy(first).to(device), torch.from_numpy(last).to(device)
    n_total, kept = 0, []
    for found in _cubes_of(bricks, grid, _bricks_of(bricks, first, last, level, grid), level):
        fits = ((found.cubes >= low) & (found.cubes <= high)).all(dim=1)
        fits &= ((found.states == 1) & occupied) | ((found.states == 0) & free)
        found = found[fits]
        if changed_since_ns is not None and found.states.numel():
            found = found[stamps[found.changed.long()] > changed_since_ns]
        n_kept = sum(f.states.numel() for f in kept)
        n_total += found.states.numel()
        kept.append(found[: limit - n_kept])
    if not n_total:
        nothing = np.zeros(0, dtype=np.int64)
        cubes = Cubes(
            centres=np.zeros((0, 3)),
            states=nothing.astype(np.int8),
            probabilities=nothing.astype(np.float32),
            last_seen_ns=nothing,
            changed_ns=nothing,
            labels=(),
            object_ids=(),
            n_total=0,
            size=grid.leaf_size * (1 << level),
        )
        return cubes, torch.zeros((0, 3), dtype=torch.int64)
    all_found = _Found.joined(kept)
    probabilities = torch.sigmoid(all_found.peaks.to(torch.float32) / LOG_ODDS_UNIT)
    nobody = ("",) * all_found.states.numel()
    cubes = Cubes(
        centres=grid.centres(all_found.cubes, level),
        states=all_found.states.cpu().numpy(),
        probabilities=probabilities.cpu().numpy(),
        last_seen_ns=stamps[all_found.last.long()].cpu().numpy(),
        changed_ns=stamps[all_found.changed.long()].cpu().numpy(),
        labels=nobody,
        object_ids=nobody,
        n_total=n_total,
        size=grid.leaf_size * (1 << level),
    )
    return cubes, all_found.cubes.cpu()


def _bricks_of(
    bricks: Bricks, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], level: int, grid: VoxelGrid
) -> torch.Tensor:
    """Places in the directory (K,), ascending, of the bricks that cubes ``first`` to ``last`` of a level consist of or lie in."""
    if level >= BRICK_LEVEL:
        over = level - BRICK_LEVEL
        low, high = first << over, ((last + 1) << over) - 1
    else:
        low, high = first >> (BRICK_LEVEL - level), last >> (BRICK_LEVEL - level)
    return places_between(bricks, low, high)


def places_between(bricks: Bricks, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> torch.Tensor:
    """Places in the directory (K,), ascending, of the bricks with coordinates from ``low`` to ``high`` (3,), both included."""
    device, n = bricks.keys.device, bricks.keys.numel()
    if not n:
        return torch.zeros(0, dtype=torch.int64, device=device)
    n_in_box = float(np.prod((high - low + 1).astype(np.float64)))
    if n_in_box > n:  # cheaper to look at those there are
        bottom, top = voxels.encode(torch.from_numpy(np.stack([low, high]))).tolist()
        a, b = (int(torch.searchsorted(bricks.keys, k)) for k in (bottom, top + 1))
        at = voxels.decode(bricks.keys[a:b])
        inside = (at >= torch.from_numpy(low).to(device)) & (at <= torch.from_numpy(high).to(device))
        return torch.nonzero(inside.all(dim=1)).squeeze(1) + a
    axes = [torch.arange(int(a), int(b) + 1, device=device) for a, b in zip(low, high, strict=True)]
    keys = voxels.encode(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)).sort().values
    place = torch.searchsorted(bricks.keys, keys).clamp(max=n - 1)
    return place[bricks.keys[place] == keys]


def _cubes_of(bricks: Bricks, grid: VoxelGrid, places: torch.Tensor, level: int) -> Iterator[_Found]:
    """All cubes of a level that lie in bricks, or that consist of them, in parts."""
    fine = min(level, BRICK_LEVEL)
    parts = (_cubes_in_bricks(bricks, grid, places[i : i + _CHUNK], fine) for i in range(0, places.numel(), _CHUNK))
    if level <= BRICK_LEVEL:
        yield from parts
    elif joined := list(parts):
        yield _grouped(_Found.joined(joined), level - BRICK_LEVEL)


def _cubes_in_bricks(bricks: Bricks, grid: VoxelGrid, places: torch.Tensor, level: int) -> _Found:
    """Cubes of a level up to that of bricks: (K * n^3,) for K bricks with n cubes per edge."""
    rows = bricks.rows[places]
    known, log_odds = bricks.count[rows] > 0, bricks.log_odds[rows]  # (K, 512)
    occupied = known & (log_odds > grid.threshold)
    changed, last = bricks.changed_scan[rows], bricks.last_scan[rows]
    edge, n = 1 << level, BRICK_EDGE >> level
    if level == 0:
        states = occupied.to(torch.int8) - (~known).to(torch.int8)
    else:
        log_odds = _pooled(torch.where(known, log_odds, NOTHING_KNOWN), edge, torch.Tensor.amax)
        last = _pooled(torch.where(known, last, -1), edge, torch.Tensor.amax)
        whole = _pooled(known, edge, torch.Tensor.amin)
        since_occupied = _pooled(torch.where(occupied, changed, _NEVER), edge, torch.Tensor.amin)
        any_occupied = log_odds > grid.threshold
        changed = torch.where(any_occupied, since_occupied, _pooled(changed, edge, torch.Tensor.amax))
        states = any_occupied.to(torch.int8) - (~(whole | any_occupied)).to(torch.int8)
    steps = torch.arange(n, device=rows.device)
    local = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1).reshape(1, -1, 3)
    cubes = (voxels.decode(bricks.keys[places]) * n).unsqueeze(1) + local
    flat = (a.reshape(-1) for a in (states, log_odds, last, changed))
    return _Found(cubes.reshape(-1, 3), *flat)


def _pooled(values: torch.Tensor, edge: int, extreme) -> torch.Tensor:  # type: ignore[no-untyped-def]
    """Extremes (K, n, n, n) over cubes of ``edge`` voxels, of voxels (K, 512); one axis after the other is several times quicker."""
    n = BRICK_EDGE // edge
    values = extreme(values.reshape(-1, n, edge, BRICK_EDGE, BRICK_EDGE), 2)
    values = extreme(values.reshape(-1, n, n, edge, BRICK_EDGE), 3)
    result: torch.Tensor = extreme(values.reshape(-1, n, n, n, edge), 4)
    return result


def _grouped(found: _Found, over: int) -> _Found:
    """Cubes of 2^over bricks per edge from what is known of their bricks (in the order of the keys)."""
    prefixes = voxels.prefix(voxels.encode(found.cubes), over)
    unique, group = torch.unique_consecutive(prefixes, return_inverse=True)
    n, device = unique.numel(), prefixes.device

    def reduced(values: torch.Tensor, start: int, how: str) -> torch.Tensor:
        into = torch.full((n,), start, dtype=values.dtype, device=device)
        return into.scatter_reduce(0, group, values, how)

    occupied, free = found.states == 1, found.states == 0
    n_free = torch.zeros(n, dtype=torch.int64, device=device).index_add(0, group, free.long())
    any_occupied = reduced(occupied.to(torch.int8), 0, "amax") > 0
    all_free = n_free == 8**over
    since_occupied = reduced(torch.where(occupied, found.changed, _NEVER), _NEVER, "amin")
    since_free = reduced(torch.where(free, found.changed, -1), -1, "amax")
    return _Found(
        voxels.decode(unique),
        any_occupied.to(torch.int8) - (~(any_occupied | all_free)).to(torch.int8),
        reduced(found.peaks, NOTHING_KNOWN, "amax"),
        reduced(found.last, -1, "amax"),
        torch.where(any_occupied, since_occupied, since_free),
    )


def downsampled(bricks: Bricks, grid: VoxelGrid, level: int, limit: int) -> OccupiedCubes:
    """Occupied cubes of a level, or of the first coarser one with at most ``limit``; see `Octree.downsampled`."""
    grid.check_level(level)
    if limit < 1:
        raise ValueError(f"expected a limit >= 1, got {limit}")
    places = torch.nonzero(bricks.peak[bricks.rows] > grid.threshold).squeeze(1)
    rows, keys = bricks.rows[places], bricks.keys[places]
    fine = min(level, BRICK_LEVEL)
    parts = [
        _occupied_in_bricks(bricks.occupied_bits[rows[i : i + _CHUNK]], keys[i : i + _CHUNK], fine)
        for i in range(0, rows.numel(), _CHUNK)
    ]
    cubes = torch.cat(parts) if parts else torch.zeros((0, 3), dtype=torch.int64)
    codes = voxels.prefix(voxels.encode(cubes), level - fine)
    if level > fine:
        codes = torch.unique(codes)
    while codes.numel() > limit:  # ends: the whole world is one cube
        level += 1
        codes = torch.unique(voxels.prefix(codes, 1))
    centres = grid.centres(voxels.decode(codes), level).astype(np.float32)
    return OccupiedCubes(centres, grid.leaf_size * (1 << level), level)


def _occupied_in_bricks(bits: torch.Tensor, keys: torch.Tensor, level: int) -> torch.Tensor:
    """Cubes (N, 3) of a level up to that of bricks with an occupied voxel, of bricks with these bits (K, 64)."""
    z = torch.arange(BRICK_EDGE, device=bits.device)
    occupied = ((bits.unsqueeze(-1) >> z) & 1).reshape(-1, BRICK_SIZE)
    n = BRICK_EDGE >> level
    pooled = _pooled(occupied, 1 << level, torch.Tensor.amax).reshape(-1, n, n, n)
    brick, *local = torch.nonzero(pooled, as_tuple=True)
    return voxels.decode(keys)[brick] * n + torch.stack(local, dim=1)
