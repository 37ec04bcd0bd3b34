"""First voxel along rays that stops them: a walk from voxel to voxel (Amanatides and Woo, A Fast Voxel Traversal Algorithm, 1987).

All rays step together in torch (any device); on the CPU a compiled loop does the same. Lengths here are voxel edges.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import ray_kernels, voxels

Walk = tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def cast_rays(
    origins: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
    length: float,
    n_voxels: int,
    keys: torch.Tensor,
    rows: torch.Tensor,
    stop_bits: torch.Tensor,
    occupied_bits: torch.Tensor,
    free_bits: torch.Tensor,
    compiled: bool,
) -> Walk:
    """Walk along rays through the octree.

    Args:
        origins, directions: (N, 3) in voxel edges from the octree's lowest corner; unit directions.
        length: of all rays.
        n_voxels: of the octree's world per axis; what is outside is unknown.
        keys, rows: (B,) sorted Morton codes of the bricks and where each lies in the bit arrays.
        stop_bits, occupied_bits, free_bits: (rows, 64) uint8, bit z of column (x, y) of each brick: which voxels stop a ray, and
            which are known.
        compiled: use the CPU kernel.

    Returns:
        hits (N,), voxels (N, 3) hit, ranges (N,) where the ray enters it (``length`` if nothing is hit), and whether
        unknown voxels lie before.
    """
    if compiled:
        arrays = (keys.numpy(), rows.numpy(), stop_bits.numpy(), occupied_bits.numpy(), free_bits.numpy())
        walk: Walk = ray_kernels.cast_rays(origins, directions, length, n_voxels, *arrays)
        return walk
    device = keys.device
    origin, direction = torch.from_numpy(origins).to(device), torch.from_numpy(directions).to(device)
    n = origin.shape[0]
    voxel = torch.floor(origin).to(torch.int64)  # (A, 3), A rays that still walk
    step = torch.sign(direction).to(torch.int64)
    t_delta = torch.where(step == 0, torch.inf, step / direction)
    t_next = torch.where(step > 0, (voxel + 1.0 - origin) / direction, (voxel - origin) / direction)
    t_next = torch.where(step == 0, torch.inf, t_next)
    t = torch.zeros(n, dtype=torch.float64, device=device)
    walking = torch.arange(n, device=device)
    hits = torch.zeros(n, dtype=torch.bool, device=device)
    found = torch.zeros((n, 3), dtype=torch.int64, device=device)
    ranges = torch.full((n,), length, dtype=torch.float64, device=device)
    crossed = torch.zeros(n, dtype=torch.bool, device=device)
    while walking.numel():
        inside = ((voxel >= 0) & (voxel < n_voxels)).all(dim=1)
        stops, known = _look_up(voxel.clamp(0, n_voxels - 1), keys, rows, stop_bits, occupied_bits, free_bits)
        stops &= inside
        hits[walking[stops]] = True
        found[walking[stops]] = voxel[stops]
        ranges[walking[stops]] = t[stops]
        crossed[walking[~stops & ~(known & inside)]] = True
        axis = torch.argmin(t_next, dim=1, keepdim=True)
        t = t_next.gather(1, axis).squeeze(1)
        t_next.scatter_add_(1, axis, t_delta.gather(1, axis))
        voxel.scatter_add_(1, axis, step.gather(1, axis))
        left = ~stops & (t <= length)
        walking, voxel, step, t_delta, t_next, t = (a[left] for a in (walking, voxel, step, t_delta, t_next, t))
    return hits.cpu().numpy(), found.cpu().numpy(), ranges.cpu().numpy(), crossed.cpu().numpy()


def _look_up(
    voxel: torch.Tensor,
    keys: torch.Tensor,
    rows: torch.Tensor,
    stop_bits: torch.Tensor,
    occupied_bits: torch.Tensor,
    free_bits: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether voxels (A, 3) stop a ray, and whether they are known."""
    if not keys.numel():
        nothing = torch.zeros(voxel.shape[0], dtype=torch.bool, device=voxel.device)
        return nothing, nothing.clone()
    key = voxels.encode(voxel >> 3)
    place = torch.searchsorted(keys, key).clamp(max=keys.numel() - 1)
    exists = keys[place] == key
    row = rows[place]
    column = ((voxel[:, 0] & 7) << 3) | (voxel[:, 1] & 7)
    bit = voxel[:, 2] & 7
    stops = ((stop_bits[row, column] >> bit) & 1).to(torch.bool)
    known = (((occupied_bits[row, column] | free_bits[row, column]) >> bit) & 1).to(torch.bool)
    return stops & exists, known & exists
