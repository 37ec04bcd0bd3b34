"""Habitat's frames and Loci's: its world is y-up with cameras and agents that look along -z, the map is z-up.

A point (x, y, z) of Habitat's world is (x, -z, y) of the map. Quaternions in Habitat's episode files are (x, y, z, w).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, pose_from_quaternion
from loci_sim.glb import Y_UP_TO_Z_UP

#: Habitat's agent (x right, y up, z backward) from the robot's base (x forward, y left, z up).
_AGENT_BASE = np.array([[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
#: Habitat's camera (x right, y up, z backward) from an optical frame (x right, y down, z forward).
_CAMERA_OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])


def points_to_map(points: npt.ArrayLike) -> Array:
    """Points (..., 3) of Habitat's world [m] in the map."""
    return np.asarray(points, dtype=np.float64) @ Y_UP_TO_Z_UP[:3, :3].T


def base_pose(position: npt.ArrayLike, rotation_xyzw: npt.ArrayLike) -> Array:
    """T_map_base (4, 4) of an agent's position (3,) [m] and rotation (4,) in Habitat's world.

    Raises:
        ValueError: not finite, or the quaternion is not of norm 1.
    """
    return np.asarray(Y_UP_TO_Z_UP @ pose_from_quaternion(position, rotation_xyzw, "agent pose") @ _AGENT_BASE)


def camera_pose(position: npt.ArrayLike, rotation_xyzw: npt.ArrayLike) -> Array:
    """T_map_camera (4, 4), optical frame, of a camera's position (3,) [m] and rotation (4,) in Habitat's world.

    Raises:
        ValueError: not finite, or the quaternion is not of norm 1.
    """
    return np.asarray(Y_UP_TO_Z_UP @ pose_from_quaternion(position, rotation_xyzw, "camera pose") @ _CAMERA_OPTICAL)


def headings(rotations_xyzw: npt.ArrayLike) -> Array:
    """Headings (N,) [rad] about the map's z axis, 0 along x, of agents' rotations (N, 4) in Habitat's world."""
    x, y, z, w = np.asarray(rotations_xyzw, dtype=np.float64).reshape(-1, 4).T
    # What the agent looks along, -z of its frame, in Habitat's world: only its x and z matter.
    forward_x, forward_z = -2.0 * (x * z + y * w), -(1.0 - 2.0 * (x * x + y * y))
    return np.arctan2(-forward_z, forward_x)
