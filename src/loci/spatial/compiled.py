"""Depth images by the CPU kernels, on several threads, with buffers that are used again from image to image."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import image_kernels as kernels
from loci.spatial.bricks import BRICK_EDGE, BRICK_SIZE
from loci.spatial.evidence import (
    INSET,
    MAX_JUMP,
    N_SCALES,
    NORMAL_REACH,
    POOL,
    View,
)

#: Smaller jobs are not worth a second thread.
_MIN_SHARE = 16


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="octree")


def on_threads(n_threads: int, n: int, job: Callable[[int, int], None]) -> None:
    """Call ``job(first, last)`` on ranges that together are [0, n): on so many threads, this one among them."""
    n_threads = max(min(n_threads, n // _MIN_SHARE), 1)
    (first, last), *ranges = pairwise(n * i // n_threads for i in range(n_threads + 1))
    others = [_pool().submit(job, a, b) for a, b in ranges]
    job(first, last)
    for other in others:
        other.result()


class ImageCollector:
    """`loci.spatial.evidence.collect` by the CPU kernels."""

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._buffers: dict[str, npt.NDArray[Any]] = {}

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[Any]:
        """Memory from the last image, where it is large enough: fresh pages cost more than what is done with them."""
        size = math.prod(shape)
        have = self._buffers.get(name)
        if have is None or have.size < size:
            have = self._buffers[name] = np.empty(size + size // 4, dtype=dtype)
        return have[:size].reshape(shape)

    def collect(
        self,
        depth: npt.NDArray[np.float32],
        trusted: npt.NDArray[np.float32],
        strength: npt.NDArray[np.uint8],
        view: View,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ballots on all bricks about which the image says anything.

        Args:
            depth: (H, W) float32 [m], 0: no measurement.
            trusted: the same without what is not trusted to carve; may be ``depth`` itself.
            strength: (1,) for all pixels, or (H * W,) of each, 0 to 15.
            view: of this image.

        Returns:
            keys: (B,) int64 Morton codes of bricks.
            ballots: (C, 512), valid until the next image.
            which: (B,) row of ``ballots`` of each brick.
        """
        height, width = depth.shape
        leaf = np.float32(view.leaf_size)
        to_voxels, to_metres = view.rotation / leaf, view.rotation * leaf
        grid = np.array(view.grid_shape)
        ends = self._buffer("ends", depth.shape, np.int32)
        reach = self._buffer("reach", (height + height % POOL, width + width % POOL), np.float32)
        surface = self._buffer("surface", depth.shape, np.int32)
        tables = (N_SCALES, reach.shape[0] // POOL, reach.shape[1] // POOL)
        nearest, farthest = self._buffer("nearest", tables, np.float32), self._buffer("farthest", tables, np.float32)
        rays = (np.float32(view.max_range), view.columns, view.rows, to_voxels, view.position, grid)
        kernels.fill_border(reach, height, width)

        def look(first: int, last: int) -> None:
            kernels.end_voxels(depth, trusted, *rays, first * POOL, min(last * POOL, height), reach, ends)
            kernels.halve(reach, first, last, nearest[0], farthest[0])

        on_threads(self.n_threads, reach.shape[0] // POOL, look)
        inset, jump = leaf * np.float32(INSET), np.float32(MAX_JUMP)

        def surfaces(first: int, last: int) -> None:
            kernels.surface_voxels(trusted, *rays, inset, jump, NORMAL_REACH, first, last, surface)

        on_threads(self.n_threads, height, surfaces)
        for scale in range(1, N_SCALES):
            on_threads(self.n_threads, tables[1], partial(kernels.widen, nearest, farthest, scale))

        brick_radius = np.float32(view.leaf_size * BRICK_EDGE * np.sqrt(3.0) / 2.0)
        slots = self._buffer("slots", view.grid_shape, np.int32)
        flat = kernels.bricks_in_view(
            to_metres, view.position, view.sides, brick_radius, np.float32(view.depth_limit), slots
        )
        hit = self._buffer("hit", (flat.size, BRICK_SIZE), np.uint8)
        n_ended = self._buffer("n_ended", (flat.size, BRICK_SIZE), np.uint16)
        blocks = self._buffer("blocks", (flat.size,), np.uint64)
        for array in (hit, n_ended, blocks):
            array.fill(0)
        kernels.scatter(ends.ravel(), strength, surface.ravel(), slots.ravel(), hit, n_ended, blocks)

        ballots = self._buffer("ballots", (flat.size, BRICK_SIZE), np.int16)
        kept = self._buffer("kept", (flat.size,), np.bool_)
        intrinsics = np.array([view.fx, view.fy, view.cx, view.cy, *view.radius], dtype=np.float32)
        distances = np.array(view.distances, dtype=np.float32)
        whole = (np.float32(-np.abs(nearest[0]).min()), farthest[0].max())
        image = (reach[:height, :width], hit, n_ended, blocks, nearest, farthest, whole)
        coarse, fine = np.ascontiguousarray(view.coarse.T), np.ascontiguousarray(view.fine.T)
        pose = (to_metres, view.position, coarse, fine, intrinsics, distances)

        def judge(first: int, last: int) -> None:
            kernels.judge(*image, flat, view.grid_shape, *pose, first, last, ballots, kept)

        on_threads(self.n_threads, flat.size, judge)
        which = np.flatnonzero(kept)
        keys = kernels.brick_keys(flat, which, view.grid_shape, view.lowest_brick)
        return torch.from_numpy(keys), torch.from_numpy(ballots), torch.from_numpy(which)
