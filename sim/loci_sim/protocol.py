"""What every simulator offers, so that the embedded one and Habitat can stand for each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.observation import Frame
from loci.planning.protocols import Action, StepResult

__all__ = [
    "INTERACTIONS",
    "SIMULATOR_ACTIONS",
    "Action",
    "DriveResult",
    "Interaction",
    "InteractionResult",
    "Place",
    "ShortestPath",
    "Simulator",
    "SimulatorAction",
    "SimulatorObservation",
    "StepResult",
]

#: A planner's actions, and those that tilt the camera.
SimulatorAction = Literal["move_forward", "turn_left", "turn_right", "look", "look_up", "look_down"]
SIMULATOR_ACTIONS: tuple[SimulatorAction, ...] = get_args(SimulatorAction)


@dataclass(frozen=True)
class SimulatorObservation:
    """What the simulated camera sees, and the ground truth of it.

    Attributes:
        color: (H, W, 3) uint8, RGB.
        depth: (H, W) float32 [m] along the optical axis; 0: nothing hit within range.
        semantic: (H, W) int32, index into the simulator's ``labels``; 0: nothing.
        instances: (H, W) int32, instance ids; 0: walls, floor, ceiling or nothing. For scoring and for shuffled masks only.
        T_map_camera: (4, 4) pose of the optical frame (x right, y down, z forward), as the robot knows it.
        T_map_base: (4, 4) pose of the robot's base on the floor or the stairs, always upright (x forward, y left, z up), as the robot knows it.
        T_map_camera_true, T_map_base_true: where they really are; the same unless the robot's odometry drifts. For scoring only.
        camera: intrinsics of all images.
        stamp_ns: simulated time [ns].
        map_id: of the scene.
    """

    color: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    semantic: npt.NDArray[np.int32]
    instances: npt.NDArray[np.int32]
    T_map_camera: Array
    T_map_base: Array
    camera: Camera
    stamp_ns: int
    map_id: str
    T_map_camera_true: Array
    T_map_base_true: Array

    def frame(self) -> Frame:
        """The part of it that a real robot has."""
        return Frame(self.color, self.depth, self.camera, self.T_map_camera, self.stamp_ns, self.map_id)


@dataclass(frozen=True)
class DriveResult:
    """What a continuous drive came to.

    Attributes:
        collided: something was in the way; the robot slid along it or stood.
        distance: way that was really made [m].
        stamp_ns: simulated time after it [ns].
    """

    collided: bool
    distance: float
    stamp_ns: int


#: What can be done with an object in view and in reach.
Interaction = Literal["pick", "place", "open", "close", "switch_on", "switch_off", "clean"]
INTERACTIONS: tuple[Interaction, ...] = get_args(Interaction)


@dataclass(frozen=True)
class InteractionResult:
    """What an interaction came to.

    Attributes:
        done: it was done; otherwise nothing changed.
        reason: why not; empty if it was done.
        stamp_ns: simulated time after it [ns].
    """

    done: bool
    reason: str
    stamp_ns: int


#: A point (x, y, z) of the floor, or (x, y) on the ground floor, whose height is 0 [m].
Place = tuple[float, float, float] | tuple[float, float]


@dataclass(frozen=True)
class ShortestPath:
    """A path on navigable floor.

    Attributes:
        points: (N, 3) [m] from start to goal; on stairs close together, so that straight lines between them follow the steps.
        length: of the line through the points [m].
    """

    points: Array
    length: float


class Simulator(Protocol):
    """A robot with one RGB-D camera in a scene. Deterministic: the same calls give the same observations."""

    @property
    def map_id(self) -> str:
        """Stable id of the scene's map."""

    @property
    def camera(self) -> Camera:
        """Intrinsics of colour and depth."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the values of label images; the first is empty."""

    @property
    def instance_labels(self) -> Mapping[int, str]:
        """Category of every instance id > 0. Ground truth."""

    def reset(self, seed: int | None = None) -> SimulatorObservation:
        """Put the robot at the scene's start (None) or at a random navigable pose drawn from ``seed``. Time goes on."""

    def step(self, action: SimulatorAction) -> StepResult:
        """Do one action; a robot that would hit something, or a camera at its stop, stays as it is and says so."""

    def drive(self, linear: float, angular: float, seconds: float) -> DriveResult:
        """Drive with a constant velocity: forwards [m/s] and turning [rad/s], for a time [s]; obstacles are slid along."""

    def interact(self, interaction: Interaction, object_id: str) -> InteractionResult:
        """Do something with an object in view and in reach, by its ground-truth id; "place" puts what is held on or into it."""

    def observe(self) -> SimulatorObservation:
        """What the camera sees now; the same arrays until the next step."""

    def position(self) -> tuple[float, float, float]:
        """Of the robot's base in the map [m]: z is the height of the floor or of the stairs under it."""

    def heading(self) -> float:
        """Of the robot's base about z [rad], in (-pi, pi]."""

    def is_navigable(self, x: float, y: float, z: float = 0.0) -> bool:
        """Whether the robot can stand at (x, y) and get there, on a floor at most 0.5 m above or below z [m]. Ground truth, for scoring only."""

    def shortest_path(self, start: Place, goal: Place) -> ShortestPath | None:
        """Shortest path on navigable floor and stairs, None if there is none. Ground truth, for scoring only.

        Args:
            start, goal: (x, y, z), or (x, y) on the ground floor [m].
        """

    def close(self) -> None:
        """Give back what it holds."""
