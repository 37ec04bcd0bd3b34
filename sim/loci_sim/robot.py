"""The simulated robot's body and its camera: what they are like, where the robot is, and how the camera is tilted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loci.geometry import Array, Camera
from loci.planning.protocols import TURN_ANGLE
from loci_sim.meshes import planar_pose

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


class RobotBody:
    """A robot that stands at (x, y, z) [m]. Turns and tilts are counted, not summed: as many back end exactly where they began."""

    def __init__(self, parameters: RobotParameters) -> None:
        self._parameters = parameters
        self.place(0.0, 0.0, 0.0, 0.0)

    def place(self, x: float, y: float, z: float, yaw: float) -> None:
        """Put it somewhere [m, rad], its camera as it is mounted."""
        self.x, self.y, self.z = x, y, z
        self._yaw0, self._turns, self._tilts = yaw, 0, 0

    def turn(self, steps: int) -> None:
        """Turn by steps of the discrete actions, positive to the left."""
        self._turns += steps

    def turn_by(self, angle: float) -> None:
        """Turn by any angle [rad]."""
        self._yaw0 += angle

    def tilt(self, step: int) -> bool:
        """Tilt the camera by one step, positive up, unless that passes its stop, or straight up or down."""
        p, tilts = self._parameters, self._tilts + step
        if abs(tilts) * p.tilt_angle > p.max_tilt or abs(p.camera_pitch - tilts * p.tilt_angle) > 90.0:
            return False
        self._tilts = tilts
        return True

    @property
    def position(self) -> tuple[float, float, float]:
        """Of its base [m]."""
        return self.x, self.y, self.z

    @property
    def heading(self) -> float:
        """About z [rad], in (-pi, pi]."""
        yaw = self._yaw0 + (self._turns % round(2 * np.pi / TURN_ANGLE)) * TURN_ANGLE
        return float(np.pi - (np.pi - yaw) % (2 * np.pi))

    @property
    def T_map_base(self) -> Array:
        """Pose (4, 4) of its base."""
        return np.asarray(planar_pose(*self.position, self.heading))

    @property
    def T_base_camera(self) -> Array:
        """Pose (4, 4) of the camera's optical frame in the base frame, as it is tilted now."""
        return self._parameters.tilted(self._tilts)
