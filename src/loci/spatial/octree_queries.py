"""Questions about many cubes of the octree at once: what a box holds, what changed, what is nearest, what to display.

Whole-array torch for any device; work depends on the bricks in question, not on the size of the map, except for a look through
the directory where a box is larger than it. Knows bricks and metres, not scans: the octree passes its table of stamps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import voxels
from loci.spatial.bricks import BRICK_EDGE, CHUNK_ROWS, LOG_ODDS_UNIT, NOTHING_KNOWN, Bricks
from loci.spatial.cubes import Cubes, OccupiedCubes

#: Level of a brick: its edge is 2^3 voxels.
BRICK_LEVEL = 3
#: Most cubes in one answer.
MAX_CUBES = 100_000
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

    def voxel_codes(self, points: npt.ArrayLike) -> torch.Tensor:
        """Morton codes (N,) of the voxels that hold points (N, 3) [m], on the host.

        Raises:
            ValueError: see `check_points`.
        """
        voxel = np.floor(self.check_points(points) / self.leaf_size).astype(np.int64) + self.half
        return voxels.encode(torch.from_numpy(voxel.clip(0, 2 * self.half - 1)))

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
    """What is known of N cubes, all (N,).

    Attributes:
        codes: Morton codes of the cubes in their level.
        states: -1 unknown, 0 free, 1 occupied.
        peaks: log-odds of the most probably occupied voxel.
        last: scan that said something last, -1: none did.
        changed: scan since which it is what it is.
    """

    codes: torch.Tensor
    states: torch.Tensor
    peaks: torch.Tensor
    last: torch.Tensor
    changed: torch.Tensor

    @staticmethod
    def joined(parts: list[_Found]) -> _Found:
        names = ("codes", "states", "peaks", "last", "changed")
        return _Found(*(torch.cat([getattr(p, name) for p in parts]) for name in names))

    def __getitem__(self, which: torch.Tensor) -> _Found:
        return _Found(self.codes[which], self.states[which], self.peaks[which], self.last[which], self.changed[which])


@dataclass(frozen=True)
class _Choice:
    """Which cubes are asked for: ``first`` to ``last`` (3,), of these states, changed in a scan of which ``changed`` (S,) says yes."""

    first: torch.Tensor
    last: torch.Tensor
    occupied: bool
    free: bool
    changed: torch.Tensor | None

    def by_state(self, states: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
        """Places (M,) of those that fit, wherever they are."""
        fits = states >= 0 if self.occupied and self.free else states == int(self.occupied)
        places = torch.nonzero(fits.reshape(-1)).squeeze(1)
        return places if self.changed is None else places[self.changed[changed.reshape(-1)[places].long()]]

    def inside(self, codes: torch.Tensor) -> torch.Tensor:
        """Whether cubes (M,) lie in the box."""
        cubes = voxels.decode(codes)
        return ((cubes >= self.first) & (cubes <= self.last)).all(dim=1)


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
    choice = _Choice(low, high, occupied, free, None if changed_since_ns is None else stamps > changed_since_ns)
    n_total, n_kept = 0, 0
    kept: list[_Found] = []
    for found in _cubes_of(bricks, grid, _bricks_of(bricks, first, last, level), level, choice):
        n_total += found.codes.numel()
        if n_kept < limit and found.codes.numel():
            kept.append(found[torch.arange(min(limit - n_kept, found.codes.numel()), device=device)])
            n_kept += kept[-1].codes.numel()
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
    where = voxels.decode(all_found.codes).cpu()
    cubes = Cubes(
        centres=grid.centres(where, level),
        states=all_found.states.cpu().numpy(),
        probabilities=probabilities.cpu().numpy(),
        last_seen_ns=stamps[all_found.last.long()].cpu().numpy(),
        changed_ns=stamps[all_found.changed.long()].cpu().numpy(),
        labels=nobody,
        object_ids=nobody,
        n_total=n_total,
        size=grid.leaf_size * (1 << level),
    )
    return cubes, where


def _bricks_of(bricks: Bricks, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], level: int) -> torch.Tensor:
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


def _cubes_of(bricks: Bricks, grid: VoxelGrid, places: torch.Tensor, level: int, choice: _Choice) -> Iterator[_Found]:
    """The chosen cubes of a level that lie in bricks, or that consist of them, in parts."""
    chunks = (places[i : i + CHUNK_ROWS] for i in range(0, places.numel(), CHUNK_ROWS))
    if level <= BRICK_LEVEL:
        for chunk in chunks:
            found = _cubes_in_bricks(bricks, grid, chunk, level, choice)
            yield found[choice.inside(found.codes)]
    elif joined := [_cubes_in_bricks(bricks, grid, chunk, BRICK_LEVEL, None) for chunk in chunks]:
        found = _grouped(_Found.joined(joined), level - BRICK_LEVEL)
        found = found[choice.by_state(found.states, found.changed)]
        yield found[choice.inside(found.codes)]


def _cubes_in_bricks(
    bricks: Bricks, grid: VoxelGrid, places: torch.Tensor, level: int, choice: _Choice | None
) -> _Found:
    """Cubes of a level up to that of bricks, of K bricks: those whose state is chosen, or all K * n^3."""
    rows = bricks.rows[places]
    bricks.use(rows)
    known, log_odds = bricks.count[rows] > 0, bricks.log_odds[rows]  # (K, 512)
    occupied = known & (log_odds > grid.threshold)
    changed, last = bricks.changed_scan[rows], bricks.last_scan[rows]
    if level == 0:
        states = occupied.to(torch.int8) - (~known).to(torch.int8)
    else:
        log_odds = _pooled(torch.where(known, log_odds, NOTHING_KNOWN), level, torch.maximum)
        last = _pooled(torch.where(known, last, -1), level, torch.maximum)
        whole = _pooled(known, level, torch.logical_and)
        since_occupied = _pooled(torch.where(occupied, changed, _NEVER), level, torch.minimum)
        any_occupied = log_odds > grid.threshold
        changed = torch.where(any_occupied, since_occupied, _pooled(changed, level, torch.maximum))
        states = any_occupied.to(torch.int8) - (~(whole | any_occupied)).to(torch.int8)
    n = BRICK_EDGE >> level
    everything = torch.arange(states.numel(), device=rows.device)
    chosen = everything if choice is None else choice.by_state(states, changed)
    steps = torch.arange(n, device=rows.device)
    local = voxels.encode(torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1).reshape(-1, 3))
    brick = torch.div(chosen, n**3, rounding_mode="floor")
    codes = (bricks.keys[places][brick] << (3 * (BRICK_LEVEL - level))) | local[chosen - brick * n**3]
    return _Found(codes, *(a.reshape(-1)[chosen] for a in (states, log_odds, last, changed)))


def _pooled(values: torch.Tensor, level: int, combine: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Combine the voxels (K, 512) of cubes of a level, (K, n, n, n); halves at a time, which is quicker than reductions."""
    values = values.reshape(-1, BRICK_EDGE, BRICK_EDGE, BRICK_EDGE)
    for _ in range(level):
        values = combine(values[:, 0::2], values[:, 1::2])
        values = combine(values[:, :, 0::2], values[:, :, 1::2])
        values = combine(values[..., 0::2], values[..., 1::2])
    return values


def _grouped(found: _Found, over: int) -> _Found:
    """Cubes of 2^over bricks per edge from what is known of their bricks (in the order of the keys)."""
    unique, group = torch.unique_consecutive(voxels.prefix(found.codes, over), return_inverse=True)
    n, device = unique.numel(), unique.device

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
        unique,
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
    codes = _occupied_in_bricks(bricks.occupied_bits[rows], keys, fine)
    if level > fine:
        codes = torch.unique_consecutive(voxels.prefix(codes, level - fine))
    while codes.numel() > limit:  # ends: the whole world is one cube
        level += 1
        codes = torch.unique(voxels.prefix(codes, 1))
    centres = grid.centres(voxels.decode(codes), level).astype(np.float32)
    return OccupiedCubes(centres, grid.leaf_size * (1 << level), level)


def _occupied_in_bricks(bits: torch.Tensor, keys: torch.Tensor, level: int) -> torch.Tensor:
    """Codes (N,) of the cubes of a level up to that of bricks with an occupied voxel, of bricks with these bits (K, 64)."""
    bits = bits.reshape(-1, BRICK_EDGE, BRICK_EDGE)
    for i in range(level):
        bits = bits[:, 0::2] | bits[:, 1::2]
        bits = bits[..., 0::2] | bits[..., 1::2]
        bits = bits | (bits >> (1 << i))  # bit z of a cube is the lowest of its voxels'
    n = BRICK_EDGE >> level
    heights = torch.arange(n, device=bits.device, dtype=torch.uint8) << level
    brick, *local = torch.nonzero((bits.unsqueeze(-1) >> heights) & 1, as_tuple=True)
    return (keys[brick] << (3 * (BRICK_LEVEL - level))) | voxels.encode(torch.stack(local, dim=1))
