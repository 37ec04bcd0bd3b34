"""Nearest occupied voxel of many points, exact: ring after ring of bricks in torch, a descent through the octree on the CPU.

The cost depends on how far the nearest voxel is, not on the size of the map. Lengths here are voxel edges.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import nearest_kernels, voxels
from loci.spatial.bricks import BRICK_EDGE, BRICK_SIZE, Bricks
from loci.spatial.compiled import on_threads

#: Pairs of a point and a voxel that the torch version looks at in one go.
_MAX_PAIRS = 1 << 22

Nearest = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]


def nearest_occupied(
    points: npt.NDArray[np.float64],
    limit: float,
    bricks: Bricks,
    threshold: int,
    levels: int,
    n_threads: int,
    compiled: bool,
) -> Nearest:
    """Nearest occupied voxel centres.

    Args:
        points: (N, 3) in voxel edges from the octree's lowest corner, inside its world.
        limit: nothing farther is looked for.
        bricks: of the octree.
        threshold: log-odds above which a voxel is occupied.
        levels: of the octree's world above the bricks.
        n_threads: on the CPU.
        compiled: use the CPU kernel.

    Returns:
        squares: (N,) squared distance of the nearest; of no meaning where none was found.
        codes: (N,) int64 brick key * 512 + voxel of the brick, the lowest of several at the same distance; -1: none.
    """
    if not compiled:
        return _by_rings(points, limit, bricks, threshold)
    squares, codes = np.empty(len(points)), np.empty(len(points), dtype=np.int64)
    arrays = (bricks.keys.numpy(), bricks.rows.numpy(), bricks.peak.numpy(), bricks.occupied_bits.numpy())

    def search(first: int, last: int) -> None:
        nearest_kernels.nearest_occupied(points, limit * limit, levels, threshold, *arrays, first, last, squares, codes)

    on_threads(n_threads, len(points), search)
    return squares, codes


def _by_rings(points: npt.NDArray[np.float64], limit: float, bricks: Bricks, threshold: int) -> Nearest:
    device = bricks.keys.device
    position = torch.from_numpy(points).to(device)
    squares = torch.full((len(points),), limit * limit, dtype=torch.float64, device=device)
    codes = torch.full((len(points),), -1, dtype=torch.int64, device=device)
    searching = torch.arange(len(points), device=device)  # (A,) points whose next ring may hold something nearer
    if not bricks.keys.numel():
        searching = searching[:0]
    brick = torch.div(torch.floor(position).to(torch.int64), BRICK_EDGE, rounding_mode="floor")
    known = voxels.decode(bricks.keys) if searching.numel() else brick
    ring = 0
    while searching.numel():
        offsets = _ring(ring, device)
        step = max(_MAX_PAIRS // (len(offsets) * 8), 1)
        for part in searching.split(step):
            _look(part, offsets, position, brick, bricks, threshold, squares, codes)
        # Bricks of the next ring are farther than so much from any point of the middle one, and end where the map does.
        gap = ring * float(BRICK_EDGE)
        ring += 1
        left = gap * gap <= squares[searching]
        searching = searching[left]
        if searching.numel():
            middle = brick[searching]
            farthest = torch.maximum(middle - known.amin(dim=0), known.amax(dim=0) - middle).amax(dim=1)
            searching = searching[farthest >= ring]
    return squares.cpu().numpy(), codes.cpu().numpy()


def _ring(radius: int, device: torch.device) -> torch.Tensor:
    """Offsets (K, 3) of the bricks at Chebyshev distance ``radius``."""
    along = torch.arange(-radius, radius + 1, device=device)
    offsets = torch.stack(torch.meshgrid(along, along, along, indexing="ij"), dim=-1).reshape(-1, 3)
    return offsets[offsets.abs().amax(dim=1) == radius]


def _look(
    which: torch.Tensor,
    offsets: torch.Tensor,
    position: torch.Tensor,
    brick: torch.Tensor,
    bricks: Bricks,
    threshold: int,
    squares: torch.Tensor,
    codes: torch.Tensor,
) -> None:
    """Bring squares and codes of the points ``which`` (A,) up to date with the bricks at ``offsets`` (K, 3) from theirs."""
    around = brick[which].unsqueeze(1) + offsets  # (A, K, 3)
    point = which.unsqueeze(1).expand(around.shape[:2])
    inside = ((around >= 0) & (around < 1 << (voxels.MAX_BITS - 3))).all(dim=2)
    point, around = point[inside], around[inside]
    keys = voxels.encode(around)
    rows = bricks.find(keys)
    there = (rows >= 0) & (bricks.peak[rows] > threshold)
    point, around, keys, rows = point[there], around[there], keys[there], rows[there]
    bits = torch.arange(BRICK_EDGE, device=keys.device)
    for part in torch.arange(point.numel(), device=keys.device).split(_MAX_PAIRS // BRICK_SIZE):
        occupied = ((bricks.occupied_bits[rows[part]].unsqueeze(-1) >> bits) & 1).reshape(-1, BRICK_SIZE)
        pair, voxel = torch.nonzero(occupied, as_tuple=True)  # (P,)
        pair = part[pair]
        local = torch.stack([voxel >> 6, (voxel >> 3) & 7, voxel & 7], dim=1)
        offset = (around[pair] * BRICK_EDGE + local) + 0.5 - position[point[pair]]
        square = (offset[:, 0] * offset[:, 0] + offset[:, 1] * offset[:, 1]) + offset[:, 2] * offset[:, 2]
        owner, code = point[pair], (keys[pair] << 9) | voxel
        before = squares.clone()
        squares.scatter_reduce_(0, owner, square, "amin")
        # The lowest of the codes at the smallest distance; those found before count while their distance still is it.
        none = torch.iinfo(torch.int64).max
        known = torch.where((codes >= 0) & (before == squares), codes, none)
        best = square == squares[owner]
        known.scatter_reduce_(0, owner[best], code[best], "amin")
        codes.copy_(torch.where(known == none, -1, known))
