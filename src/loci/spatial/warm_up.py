"""Compile the spatial kernels before the first image comes: seconds once per installation, milliseconds from the cache later."""

from __future__ import annotations

import numpy as np

from loci.geometry import Camera
from loci.spatial import step_kernels
from loci.spatial.occupancy import FREE, OccupancyMap
from loci.spatial.octree import Octree
from loci.spatial.paths import find_path
from loci.spatial.regions import segment_rooms


def warm_up() -> None:
    """Run every compiled kernel once on tiny input."""
    octree = Octree()
    octree.integrate(np.ones((8, 8), dtype=np.float32), Camera(8, 8, 8.0, 8.0, 3.5, 3.5), np.eye(4), 0)
    octree.insert_points(np.ones((1, 3)), np.zeros(3), 0)
    octree.cast_rays(np.zeros((1, 3)), np.ones((1, 3)), 1.0)
    octree.nearest_occupied(np.zeros((1, 3)), 1.0)
    floor = OccupancyMap(np.full((8, 8), FREE, dtype=np.int8), (0.0, 0.0), 0.25)
    find_path(floor, (0.2, 0.2), (1.5, 1.5))
    segment_rooms(floor, (), lambda: "room/0")
    codes, bits = np.zeros(1, dtype=np.int64), np.zeros((1, 64), dtype=np.uint8)
    seeds, xy = np.zeros((1, 3), dtype=np.int64), np.zeros((1, 2), dtype=np.int64)
    heights = np.full((8, 8), step_kernels.NONE, dtype=np.int32)
    step_kernels.climb(codes, bits, bits, seeds, xy[0], heights, 0, codes, 1, 1, 1, 1)
    step_kernels.judge_beside(codes, bits, bits, xy, codes, 1, 1)
