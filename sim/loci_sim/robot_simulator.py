"""What a simulator does whatever draws its images: the robot's actions, simulated time, where the robot believes that it is, and the truth.

`EmbeddedSimulator` and `HabitatSimulator` add the floor that it moves on, the things and the images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.planning.protocols import STEP_LENGTH
from loci_sim.household import Standing
from loci_sim.motion import chords
from loci_sim.noise import NoiseParameters, PoseDrift
from loci_sim.person import PersonDeed, PersonEvent
from loci_sim.protocol import (
    SIMULATOR_ACTIONS,
    DriveResult,
    Interaction,
    InteractionResult,
    SimulatorAction,
    SimulatorObservation,
    StepResult,
)
from loci_sim.robot import RobotBody, RobotParameters
from loci_sim.scenes import SceneThing, write_whole
from loci_sim.things import Things

#: (x, y, z) of the robot's base [m] and its heading [rad].
Pose = tuple[float, float, float, float]


class RobotSimulator(ABC):
    """The part of a `Simulator` that does not depend on how its scene is held. Who inherits sets ``_things`` and places the robot.

    Args:
        parameters: of the robot; None: the usual ones.
        noise: of the sensors and of the reported pose; None: none.
        start_stamp_ns: simulated time of the first observation [ns].
    """

    _things: Things

    def __init__(self, parameters: RobotParameters | None, noise: NoiseParameters | None, start_stamp_ns: int) -> None:
        self.parameters = parameters or RobotParameters()
        self.noise = noise or NoiseParameters()
        self._robot = RobotBody(self.parameters)
        self._drift = PoseDrift(self.noise)
        self._stamp_ns = start_stamp_ns
        self._observation: SimulatorObservation | None = None

    @property
    @abstractmethod
    def map_id(self) -> str:
        """Stable id of the scene's map."""

    @abstractmethod
    def _start_pose(self) -> Pose:
        """Where the robot begins."""

    @abstractmethod
    def _random_pose(self, seed: int) -> Pose:
        """A navigable pose."""

    @abstractmethod
    def _move(self, moves: Sequence[Array], slide: bool) -> tuple[bool, float]:
        """Make moves (2,) [m] in the map; whether something was in the way, and the way made [m].

        Args:
            slide: along what is in the way; otherwise a move is made whole or not at all.
        """

    @abstractmethod
    def _see(self) -> SimulatorObservation:
        """What the robot's own camera sees now."""

    @property
    def stamp_ns(self) -> int:
        """Simulated time [ns]."""
        return self._stamp_ns

    @property
    def objects(self) -> tuple[SceneThing, ...]:
        """All things of a scene of ours where they are now, ordered by instance; none of other scenes. Ground truth."""
        return self._things.objects

    @property
    def held(self) -> str:
        """Id of the object in the robot's hand; empty: none."""
        return self._things.held

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        """What the person did or could not do so far. Ground truth."""
        return self._things.deeds

    @property
    def T_base_camera(self) -> Array:
        """Pose (4, 4) of the optical frame in the base frame, as it is tilted now."""
        return self._robot.T_base_camera

    def position(self) -> tuple[float, float, float]:
        return self._robot.position

    def heading(self) -> float:
        return self._robot.heading

    def reset(self, seed: int | None = None) -> SimulatorObservation:
        """Put the robot at the scene's start (None) or at a random navigable pose drawn from ``seed``. Time goes on."""
        return self._begin_at(*(self._start_pose() if seed is None else self._random_pose(seed)))

    def step(self, action: SimulatorAction) -> StepResult:
        """Do one action; a robot that would hit something, or a camera at its stop, stays as it is and says so.

        Raises:
            ValueError: there is no such action.
        """
        collided = False
        if action == "move_forward":
            yaw = self.heading()
            collided, _ = self._move([STEP_LENGTH * np.array([np.cos(yaw), np.sin(yaw)])], slide=False)
        elif action in ("turn_left", "turn_right"):
            self._robot.turn(1 if action == "turn_left" else -1)
        elif action in ("look_up", "look_down"):
            collided = not self._robot.tilt(1 if action == "look_up" else -1)
        elif action != "look":
            raise ValueError(f"expected an action among {', '.join(SIMULATOR_ACTIONS)}, got {action!r}")
        self.advance(self.parameters.step_duration)
        return StepResult(collided, self._stamp_ns)

    def drive(self, linear: float, angular: float, seconds: float) -> DriveResult:
        """Drive with a constant velocity: forwards [m/s] and turning [rad/s], for a time [s]; obstacles are slid along.

        Raises:
            ValueError: a value that is not finite or out of range (see `loci_sim.motion`).
        """
        touched, distance = self._move(chords(self.heading(), linear, angular, seconds), slide=True)
        self._robot.turn_by(angular * seconds)
        self.advance(seconds)
        return DriveResult(touched, distance, self._stamp_ns)

    def interact(self, interaction: Interaction, object_id: str) -> InteractionResult:
        """Do something with an object in view and in reach, or say why not: then nothing changes and no time passes.

        Raises:
            ValueError: there is no such interaction or no such object.
        """
        reason = self._things.do(interaction, object_id, self._standing(), lambda: self.observe().instances)
        if not reason:
            self.advance(self.parameters.step_duration)
        return InteractionResult(not reason, reason, self._stamp_ns)

    def restore_objects(self) -> None:
        """Put all objects of a scene of ours back where and as they were at first; what the robot holds too."""
        self._things.restore(self._standing())
        self.advance(0.0)

    def add_person(self, events: Sequence[PersonEvent], seed: int = 0) -> None:
        """Let somebody move things from now on (see `loci_sim.person.plan_day`); their day begins now.

        Raises:
            ValueError: an event names an object that is not in the scene, or the scene is not ours.
        """
        self._things.add_person(events, self._stamp_ns, seed)

    def ground_truth(self) -> dict[str, Any]:
        """Everything that only scoring may know, as plain values: poses and states of objects, rooms with their light, the robot."""
        T, known = self._robot.T_map_base, self._known()
        robot = {"T_map_base": T.tolist(), "T_map_base_known": known.tolist(), "holds": self.held}
        return {"stamp_ns": self._stamp_ns, "robot": robot, **self._things.as_dict()}

    def write_ground_truth(self, path: Path) -> None:
        """Write `ground_truth` as JSON; the file is whole or not there."""
        write_whole(path, self.ground_truth())

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Instances (N,) that rays (N, 6), origins and directions in the map, meet first; 0: none, or a scene of others. Ground truth."""
        return self._things.instances_along(rays)

    def advance(self, seconds: float) -> None:
        """Let simulated time pass [s], at least 1 ns: the next observation has a new stamp."""
        self._stamp_ns += max(1, round(seconds * 1e9))
        self._things.pass_time(self._standing(), self._stamp_ns)
        self._believe()

    def observe(self) -> SimulatorObservation:
        """What the camera sees now; the same arrays until the next step."""
        if self._observation is None:
            self._observation = self._see()
        return self._observation

    def _standing(self) -> Standing:
        return Standing(*self._robot.position)

    def _known(self) -> Array:
        """Where the robot believes that it is, (4, 4)."""
        return self._reported if self.noise.drifts else self._robot.T_map_base

    def _begin_at(self, x: float, y: float, z: float, yaw: float) -> SimulatorObservation:
        self._place(x, y, z, yaw)
        self.advance(self.parameters.step_duration)
        return self.observe()

    def _place(self, x: float, y: float, z: float, yaw: float) -> None:
        self._robot.place(x, y, z, yaw)
        self._drift.restart(x, y, self.heading())
        self._believe()

    def _believe(self) -> None:
        """The reported pose follows the true one; what was seen is past."""
        self._reported = self._drift.follow(self._robot.x, self._robot.y, self.heading(), self._robot.z)
        self._observation = None
