"""The simulated robot's body and its camera, as parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loci.geometry import Array, Camera

#: Rotation of a level optical frame (x right, y down, z forward) in the base frame (x forward, y left, z up), REP-103.
R_BASE_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass(frozen=True)
class RobotParameters:
    """The robot and its camera.

    Attributes:
        width, height: of the images [px].
        horizontal_fov: [degrees].
        camera_height: of the camera above the floor [m].
        camera_pitch: downwards from level [degrees].
        max_range: of the depth camera [m].
        radius: of the robot [m]; body_height: what is higher does not touch it [m].
        step_duration: simulated time that one action takes [s].
        reach: horizontally from its centre to the nearest point of an object's box [m].
        min_pixels: an object of which less is seen is not in view [px].
        tilt_angle: of one "look_up" or "look_down" [degrees]; max_tilt: from the mounted pitch, up and down [degrees].
    """

    width: int = 640
    height: int = 480
    horizontal_fov: float = 79.0
    camera_height: float = 1.25
    camera_pitch: float = 15.0
    max_range: float = 20.0
    radius: float = 0.18
    body_height: float = 1.4
    step_duration: float = 0.2
    tilt_angle: float = 30.0
    max_tilt: float = 60.0
    reach: float = 1.5
    min_pixels: int = 10

    def __post_init__(self) -> None:
        if not (1 <= self.width <= 4096 and 1 <= self.height <= 4096):
            raise ValueError(f"expected images of 1 to 4096 px a side, got {self.width}x{self.height}")
        if not 1.0 <= self.horizontal_fov <= 170.0:
            raise ValueError(f"expected a horizontal field of view in [1, 170] degrees, got {self.horizontal_fov}")
        if not -90.0 <= self.camera_pitch <= 90.0:
            raise ValueError(f"expected a camera pitch in [-90, 90] degrees, got {self.camera_pitch}")
        if not 0.0 <= self.max_tilt <= 90.0:
            raise ValueError(f"expected a largest tilt in [0, 90] degrees, got {self.max_tilt}")
        for name in (
            "camera_height",
            "max_range",
            "radius",
            "body_height",
            "step_duration",
            "tilt_angle",
            "reach",
            "min_pixels",
        ):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"expected {name} > 0, got {getattr(self, name)}")

    @property
    def camera(self) -> Camera:
        """Intrinsics: square pixels, principal point at the image's centre (pixel centres are whole numbers)."""
        focal = self.width / 2 / np.tan(np.radians(self.horizontal_fov) / 2)
        return Camera(self.width, self.height, focal, focal, (self.width - 1) / 2, (self.height - 1) / 2)

    @property
    def T_base_camera(self) -> Array:
        """Pose (4, 4) of the optical frame in the base frame, not tilted."""
        return self.tilted(0)

    def tilted(self, steps: int) -> Array:
        """Pose (4, 4) of the optical frame in the base frame, tilted by a number of steps; positive looks up."""
        pitch = np.radians(self.camera_pitch - steps * self.tilt_angle)
        c, s = np.cos(pitch), np.sin(pitch)
        T = np.eye(4)
        # A turn about the base's y (left) axis: positive looks down.
        T[:3, :3] = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]]) @ R_BASE_OPTICAL
        T[2, 3] = self.camera_height
        return T
