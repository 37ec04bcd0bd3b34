"""Where the robot is and how its camera is tilted, as in the embedded simulator."""

from __future__ import annotations

import numpy as np

from loci.geometry import Array
from loci.planning.protocols import TURN_ANGLE
from loci_sim.embedded import RobotParameters
from loci_sim.meshes import planar_pose


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
