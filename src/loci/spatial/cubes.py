"""What the octree answers about boxes, nearest voxels and display: plain arrays, so that clients need neither torch nor the octree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Cubes:
    """Known cubes of the octree, all of one size, in the octree's order.

    Attributes:
        centres: (N, 3) float64 [m], map frame.
        states: (N,) int8, 0 free, 1 occupied.
        probabilities: (N,) float32 of the most probably occupied voxel in each.
        last_seen_ns: (N,) int64 stamp of the newest scan that said something about it [ns].
        changed_ns: (N,) int64 stamp of the scan since which it is what it is [ns].
        labels, object_ids: of an occupied voxel in each that was annotated, else empty.
        n_total: cubes that match, of which at most the limit are here.
        size: edge of a cube [m].
    """

    centres: npt.NDArray[np.float64]
    states: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float32]
    last_seen_ns: npt.NDArray[np.int64]
    changed_ns: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    object_ids: tuple[str, ...]
    n_total: int
    size: float


@dataclass(frozen=True)
class NearestVoxels:
    """Nearest occupied voxels of N points.

    Attributes:
        found: (N,) bool, one lies within the distance asked for.
        centres: (N, 3) float64 of that voxel [m]; the point itself where none was found.
        distances: (N,) float64 from the point to that centre [m]; infinite where none was found.
    """

    found: npt.NDArray[np.bool_]
    centres: npt.NDArray[np.float64]
    distances: npt.NDArray[np.float64]


@dataclass(frozen=True)
class OccupiedCubes:
    """What is occupied, as cubes of one size, for display.

    Attributes:
        centres: (N, 3) float32 [m], map frame.
        size: edge of a cube [m].
        level: that they are of.
    """

    centres: npt.NDArray[np.float32]
    size: float
    level: int
