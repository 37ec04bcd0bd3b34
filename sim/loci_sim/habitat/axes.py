"""Between Loci's map (z up) and Habitat's world (y up): (x, y, z) here is (x, z, -y) there."""

from __future__ import annotations

import numpy as np

from loci.geometry import Array
from loci_sim.glb import Y_UP_TO_Z_UP

#: From an optical frame (x right, y down, z forward) to Habitat's camera frame (x right, y up, z backward), and back.
_OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])


def point_to_habitat(x: float, y: float, z: float) -> list[float]:
    """A point of the map [m] in Habitat's world."""
    return [float(x), float(z), -float(y)]


def points_to_map(points: list[list[float]]) -> Array:
    """Points (N, 3) of Habitat's world [m] in the map."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 3) @ Y_UP_TO_Z_UP[:3, :3].T


def pose_to_habitat(T_map_object: Array) -> list[float]:
    """Pose (4, 4) of a y-up model in Habitat's world, row by row, from that of the same model made z-up in the map."""
    T: Array = Y_UP_TO_Z_UP.T @ T_map_object @ Y_UP_TO_Z_UP
    return [float(v) for v in T.reshape(-1)]


def pose_from_habitat(rows: list[float]) -> Array:
    """What `pose_to_habitat` was given, (4, 4)."""
    return np.asarray(Y_UP_TO_Z_UP @ np.reshape(rows, (4, 4)) @ Y_UP_TO_Z_UP.T)


def camera_to_habitat(T_map_camera: Array) -> list[float]:
    """Pose (4, 4) of Habitat's camera, row by row, from that of an optical frame in the map."""
    T: Array = Y_UP_TO_Z_UP.T @ T_map_camera @ _OPTICAL
    return [float(v) for v in T.reshape(-1)]
