"""Names of octree nodes, by which other memories file what they hold: the Morton prefix of the cube that a point lies in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import voxels
from loci.spatial.octree import OctreeParameters


def node_keys(points: npt.ArrayLike, level: int, parameters: OctreeParameters) -> list[str]:
    """Key of the node of 2^level leaves per edge that each of N points (N, 3) [m] lies in, e.g. "5/1207".

    Raises:
        ValueError: a level above the octree's root, or points that are not finite or outside of the octree's world.
    """
    if not 0 <= level <= parameters.levels:
        raise ValueError(f"expected a level from 0 to {parameters.levels}, got {level}")
    positions = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    half = 1 << (parameters.levels - 1)
    cells = np.floor(positions / parameters.leaf_size)
    if not np.all(np.abs(cells + 0.5) < half):  # NaN fails too
        raise ValueError(f"expected points within {half * parameters.leaf_size:g} m of the map's origin")
    codes = voxels.prefix(voxels.encode(torch.from_numpy(cells.astype(np.int64) + half)), level)
    return [f"{level}/{code}" for code in codes.tolist()]
