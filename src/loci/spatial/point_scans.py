"""What a scan of points with their sensor's origin (a lidar's) says about the voxels between: every ray is walked along.

The same model as for depth images (`loci.spatial.evidence`), without an image to look things up in: OctoMap's for occupancy, and
shares of rays for solidity. Torch here for any device, all rays in step; a compiled loop for the CPU does the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import ray_kernels, voxels
from loci.spatial.ballots import FULL, MISS
from loci.spatial.bricks import BRICK_SIZE
from loci.spatial.evidence import N_COARSE


def collect(
    origin: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    is_hit: npt.NDArray[np.bool_],
    n_voxels: int,
    device: torch.device,
    compiled: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ballots (see `loci.spatial.ballots`) on all bricks that rays meet.

    Args:
        origin: (3,) [voxel edges] from the octree's lowest corner.
        ends: (N, 3), the same.
        is_hit: (N,) whether something is at the end, or the ray only got so far.
        n_voxels: of the octree's world per axis; what is outside is left out.
        device: of the answer.
        compiled: use the CPU kernel.

    Returns:
        keys: (B,) int64 Morton codes of bricks.
        ballots: (B, 512) int16.
    """
    if compiled:
        found = ray_kernels.count_rays(origin, ends, is_hit, n_voxels)
        keys, ended, crossed = (torch.from_numpy(a).to(device) for a in found)
    else:
        keys, ended, crossed = _count_rays(origin, ends, is_hit, n_voxels, device)
    ended, crossed = ended.to(torch.int64), crossed.to(torch.int64)
    n_rays = (ended + crossed).clamp(min=1)
    stopped = (N_COARSE * ended + n_rays - 1) // n_rays
    hit = torch.where(ended > 0, FULL << 10, torch.where(crossed > 0, MISS, 0))
    return keys, ((N_COARSE * crossed // n_rays) | (stopped << 5) | hit).to(torch.int16)


def _count_rays(
    origin: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    is_hit: npt.NDArray[np.bool_],
    n_voxels: int,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`ray_kernels.count_rays` by torch; the bricks in the order of their codes."""
    start, end = torch.from_numpy(origin).to(device), torch.from_numpy(ends).to(device)
    hit = torch.from_numpy(is_hit).to(device)
    d = end - start  # (N, 3)
    step = torch.sign(d).to(torch.int64)
    t_delta = torch.where(step == 0, torch.inf, step / d)
    voxel = torch.floor(start).to(torch.int64).expand_as(step).clone()
    last = torch.floor(end).to(torch.int64)
    t_next = torch.where(step > 0, (voxel + 1.0 - start) / d, (voxel - start) / d)
    t_next = torch.where(step == 0, torch.inf, t_next)
    codes: list[torch.Tensor] = []  # 2 * (512 * brick + voxel) + whether a ray ends there
    while voxel.shape[0]:
        least, axis = t_next.min(dim=1, keepdim=True)
        arrived = (voxel == last).all(dim=1) | (least.squeeze(1) > 1.0)
        at = torch.where(arrived[:, None], last, voxel)
        said = ((at >= 0) & (at < n_voxels)).all(dim=1) & (hit | ~arrived)
        local = at[said] & 7
        index = (local[:, 0] << 6) | (local[:, 1] << 3) | local[:, 2]
        codes.append((((voxels.encode(at[said] >> 3) << 9) | index) << 1) | arrived[said].to(torch.int64))
        t_next.scatter_add_(1, axis, t_delta.gather(1, axis))
        voxel.scatter_add_(1, axis, step.gather(1, axis))
        voxel, last, step, t_next, t_delta, hit = (a[~arrived] for a in (voxel, last, step, t_next, t_delta, hit))
    found, counts = torch.unique(torch.cat(codes), return_counts=True)
    keys, brick = torch.unique(found >> 10, return_inverse=True)
    both = torch.zeros((2, keys.numel() * BRICK_SIZE), dtype=torch.int64, device=device)
    both[found & 1, (brick << 9) | ((found >> 1) & (BRICK_SIZE - 1))] = counts
    crossed, ended = both.reshape(2, -1, BRICK_SIZE)
    return keys, ended, crossed
