"""Further views of the simulated robot: named cameras with lenses and mounts of their own, and panoramas of its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, check_pose
from loci.observation import check_name
from loci_sim.rendering import Renderer, turn_rays


@dataclass(frozen=True, eq=False)
class CameraMount:
    """A camera that is fixed to the robot's base.

    Attributes:
        name: unique on the robot.
        camera: intrinsics, without distortion.
        T_base_camera: (4, 4) pose of its optical frame (x right, y down, z forward) in the base frame.
        max_range: depth beyond it is not measured [m].
    """

    name: str
    camera: Camera
    T_base_camera: Array
    max_range: float = 20.0

    def __post_init__(self) -> None:
        check_name(self.name, "camera name")
        check_pose(self.T_base_camera, f"T_base_camera of {self.name}")
        if not (np.isfinite(self.max_range) and self.max_range > 0):
            raise ValueError(f"expected a range > 0 m of camera {self.name}, got {self.max_range}")


def check_names(mounts: Sequence[CameraMount]) -> None:
    """Raises ValueError: two cameras have the same name."""
    names = [m.name for m in mounts]
    if len(set(names)) < len(names):
        raise ValueError(f"expected cameras of different names, got {', '.join(names)}")


@dataclass(frozen=True)
class Panorama:
    """All directions around a point, equirectangular: columns run from behind over left, ahead (the middle) and right to
    behind, rows from straight up to straight down, both in equal angles.

    Attributes:
        color: (H, 2 H, 3) uint8, RGB.
        ranges: (H, 2 H) float32, distance from the centre [m]; 0: nothing hit within range.
        semantic: (H, 2 H) int32, index into the simulator's ``labels``.
        instances: (H, 2 H) int32, instance ids. Ground truth.
        T_map_center: (4, 4) pose of the frame that directions are in (x ahead, y left, z up).
        stamp_ns: simulated time [ns].
    """

    color: npt.NDArray[np.uint8]
    ranges: npt.NDArray[np.float32]
    semantic: npt.NDArray[np.int32]
    instances: npt.NDArray[np.int32]
    T_map_center: Array
    stamp_ns: int


@lru_cache(maxsize=2)
def panorama_directions(height: int) -> npt.NDArray[np.float32]:
    """Unit vectors (H, 2 H, 3) of a panorama's pixels in its own frame (x ahead, y left, z up)."""
    azimuth = np.pi - (np.arange(2 * height) + 0.5) * (np.pi / height)
    elevation = np.pi / 2 - (np.arange(height) + 0.5)[:, None] * (np.pi / height)
    level = np.cos(elevation)
    up = np.broadcast_to(np.sin(elevation), (height, 2 * height))
    directions = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), up], axis=-1).astype(np.float32)
    directions.setflags(write=False)
    return directions


def render_panorama(renderer: Renderer, T_map_center: Array, height: int, stamp_ns: int) -> Panorama:
    """Panorama of ``height`` rows around a pose (4, 4).

    Raises:
        ValueError: fewer than 2 or more than 4096 rows.
    """
    if not 2 <= height <= 4096:
        raise ValueError(f"expected a panorama of 2 to 4096 rows, got {height}")
    rays = np.empty((2 * height * height, 6), dtype=np.float32)
    turn_rays(panorama_directions(height).reshape(-1, 3), T_map_center, rays)
    color, ranges, semantic, instances = renderer.cast(rays, (height, 2 * height), np.pi / height)
    for image in (color, ranges, semantic, instances):
        image.setflags(write=False)
    return Panorama(color, ranges, semantic, instances, T_map_center, stamp_ns)
