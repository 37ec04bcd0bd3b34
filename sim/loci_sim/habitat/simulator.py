"""`Simulator` over Habitat: the same robot, axes and ground truth as the embedded one, with Habitat's images and navmesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE
from loci_sim.cameras import CameraMount
from loci_sim.embedded import RobotParameters
from loci_sim.habitat.added import AddedObjects
from loci_sim.habitat.client import TIMEOUT, Client
from loci_sim.habitat.floor import Floor
from loci_sim.habitat.labels import table_of_scene, table_of_semantics
from loci_sim.habitat.process import RefusedError
from loci_sim.habitat.rearranged import RearrangedThings, read_added
from loci_sim.habitat.robot import RobotBody
from loci_sim.habitat.sources import find_source
from loci_sim.habitat.things import Things, UnknownThings, write_whole
from loci_sim.habitat.views import View, look, mounted
from loci_sim.household import Standing
from loci_sim.motion import chords
from loci_sim.noise import NoiseParameters, PoseDrift
from loci_sim.person import PersonDeed, PersonEvent
from loci_sim.protocol import (
    SIMULATOR_ACTIONS,
    DriveResult,
    Interaction,
    InteractionResult,
    ShortestPath,
    SimulatorAction,
    SimulatorObservation,
    StepResult,
)
from loci_sim.scenes import SceneError, ScenePath, SceneThing

#: The robot's own camera, among others.
_OWN_CAMERA = "camera"


class HabitatSimulator:
    """`Simulator` in a Habitat worker.

    Args:
        scene, dataset: see `find_source`.
        parameters: of the robot.
        python: interpreter with habitat_sim, path or name; empty: `LOCI_HABITAT_PYTHON`, else python3.
        cache: where scenes are generated and exported to; None: the usual place.
        noise: of the sensors and of the reported pose; None: none.
        start_stamp_ns: simulated time of the first observation [ns].
        objects: file with objects to add to somebody else's scene, see `rearranged`; None: none.
        physics: rigid objects that are added fall until they lie still (Bullet); the scene's own things stay where they are put.
        timeout: for every answer of the worker but the first [s].
        report: is told when a worker died and had to be replaced.

    Attributes:
        added: rigid objects that are added to the scene, moved and removed; every change takes 1 ns, and as long as it falls.

    Raises:
        HabitatError: habitat_sim is missing or does not work.
        SceneError: there is no such scene or dataset.
    """

    def __init__(
        self,
        scene: ScenePath | Path | str,
        parameters: RobotParameters | None = None,
        *,
        dataset: str = "",
        python: str = "",
        cache: Path | None = None,
        noise: NoiseParameters | None = None,
        start_stamp_ns: int = 1_000_000_000,
        objects: Path | None = None,
        physics: bool = False,
        timeout: float = TIMEOUT,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.parameters = parameters or RobotParameters()
        source = find_source(scene, dataset, self.parameters, cache)
        self._map_id, self.scene = source.map_id, source.scene
        try:
            self.client = Client(replace(source.opening, physics=physics), python, timeout=timeout, report=report)
        except RefusedError as error:
            raise SceneError(str(error)) from error
        try:
            self.client.add_camera(_OWN_CAMERA, self.camera)
            self.noise = noise or NoiseParameters()
            self._drift = PoseDrift(self.noise)
            self._stamp_ns = start_stamp_ns
            self._observation: SimulatorObservation | None = None
            self._robot = RobotBody(self.parameters)
            self._things: Things | UnknownThings = UnknownThings(self._map_id)
            self._floor = Floor(self.client, self.scene)
            if self.scene is not None:
                table = table_of_scene(self.scene)
                self._things = Things(self.scene, self.client, self.parameters)
                x, y, yaw = self.scene.start
                self._start = (x, y, self._floor.level(0.0), yaw)
            else:
                table = table_of_semantics(self.client.opened["semantics"])
                self._start = (*self._floor.start(), 0.0)
            self.added = AddedObjects(self.client, table, self.advance, physics)
            self._place(*self._start)
            if objects is not None:
                if self.scene is not None:
                    raise SceneError(f"expected somebody else's scene to add objects to, got {self.map_id} of Loci's")
                self._things = RearrangedThings(self.map_id, self.added, read_added(objects))
            if not self.is_navigable(*self.position()):
                raise ValueError(f"expected a navigable start in scene {self.map_id}, got {self._start}")
        except BaseException:
            self.client.close()
            raise

    @property
    def map_id(self) -> str:
        return self._map_id

    @property
    def camera(self) -> Camera:
        return self.parameters.camera

    @property
    def labels(self) -> tuple[str, ...]:
        return self.added.table.labels

    @property
    def instance_labels(self) -> Mapping[int, str]:
        return self.added.table.instance_labels

    @property
    def stamp_ns(self) -> int:
        """Simulated time [ns]."""
        return self._stamp_ns

    @property
    def objects(self) -> tuple[SceneThing, ...]:
        """All things of a scene of ours where they are now; none of other scenes. Ground truth."""
        return self._things.objects

    @property
    def held(self) -> str:
        """Id of the object in the robot's hand; empty: none."""
        return self._things.held

    def reset(self, seed: int | None = None) -> SimulatorObservation:
        """Put the robot at the scene's start (None) or at a random navigable pose drawn from ``seed``. Time goes on."""
        if seed is None:
            self._place(*self._start)
        else:
            turns = int(np.random.default_rng(seed).integers(round(2 * np.pi / TURN_ANGLE)))
            self._place(*self._floor.random_point(seed, self._robot.position), turns * TURN_ANGLE)
        self.advance(self.parameters.step_duration)
        return self.observe()

    def reset_to(self, x: float, y: float, yaw: float, z: float = 0.0) -> SimulatorObservation:
        """Put the robot at a pose [m, rad]; in scenes of others also on another floor, and a little beside it. Time goes on.

        Raises:
            ValueError: the robot cannot stand there.
        """
        if self.scene is None and np.all(np.isfinite((x, y, yaw, z))) and (near := self._floor.beside((x, y, z))):
            x, y, z = near
        elif not (np.isfinite(yaw) and self.is_navigable(x, y, z)):
            raise ValueError(f"expected a navigable pose in {self.map_id}, got ({x}, {y}, {yaw})")
        self._place(x, y, self._floor.level(z), yaw)
        self.advance(self.parameters.step_duration)
        return self.observe()

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

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        """What the person did or could not do so far. Ground truth."""
        return self._things.deeds

    def ground_truth(self) -> dict[str, Any]:
        """Everything that only scoring may know, as plain values: poses and states of objects, rooms, the robot."""
        T, known = self._robot.T_map_base, self._known()
        robot = {"T_map_base": T.tolist(), "T_map_base_known": known.tolist(), "holds": self.held}
        return {"stamp_ns": self._stamp_ns, "robot": robot, **self._things.as_dict()}

    def write_ground_truth(self, path: Path) -> None:
        """Write `ground_truth` as JSON; the file is whole or not there."""
        write_whole(path, self.ground_truth())

    def advance(self, seconds: float) -> None:
        """Let simulated time pass [s], at least 1 ns: the next observation has a new stamp."""
        self._stamp_ns += max(1, round(seconds * 1e9))
        self._things.pass_time(self._standing(), self._stamp_ns)
        self._reported = self._drift.follow(self._robot.x, self._robot.y, self.heading(), self._robot.z)
        self._observation = None

    def observe(self) -> SimulatorObservation:
        """What the camera sees now; the same arrays until the next step."""
        if self._observation is None:
            view = View(self.camera, self._robot.T_base_camera, self.parameters.max_range)
            self._observation = self._look({_OWN_CAMERA: view})[_OWN_CAMERA]
        return self._observation

    def observe_cameras(self, mounts: Sequence[CameraMount]) -> dict[str, SimulatorObservation]:
        """What several cameras see now, all at the same time, by the names of the cameras.

        Raises:
            ValueError: two cameras have the same name, or one cannot be had in Habitat.
        """
        views = mounted(self.client, mounts)
        return dict(zip((m.name for m in mounts), self._look(views).values(), strict=True))

    def _look(self, views: Mapping[str, View]) -> dict[str, SimulatorObservation]:
        T_map_base, table = self._robot.T_map_base, self.added.table
        return look(self.client, views, T_map_base, self._known(), self._stamp_ns, self.map_id, table, self.noise)

    def _standing(self) -> Standing:
        return Standing(*self._robot.position)

    def _known(self) -> Array:
        """Where the robot believes that it is, (4, 4)."""
        return self._reported if self.noise.drifts else self._robot.T_map_base

    def position(self) -> tuple[float, float, float]:
        return self._robot.position

    def heading(self) -> float:
        return self._robot.heading

    def is_navigable(self, x: float, y: float, z: float = 0.0) -> bool:
        return bool(self.are_navigable(np.array([[x, y, z]]))[0])

    def are_navigable(self, points: Array) -> npt.NDArray[np.bool_]:
        """`is_navigable` of points (N, 3) [m], (N,) bool, all at once."""
        return self._floor.are_navigable(points, self._robot.position)

    def shortest_path(self, start: Sequence[float], goal: Sequence[float]) -> ShortestPath | None:
        ends = np.array([(*p, 0.0) if len(p) == 2 else p for p in (start, goal)], dtype=np.float64)
        if not np.all(self.are_navigable(ends)):
            return None
        return self._floor.shortest_path(*ends.tolist())

    def nearest(self, start: Sequence[float], goals: Sequence[Sequence[float]]) -> tuple[int, ShortestPath] | None:
        """The goal (x, y, z) that is nearest by path, its index and the path, as Habitat's benchmarks measure it."""
        return self._floor.nearest(start, goals)

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Instances (N,) that rays (N, 6), origins and directions in the map, meet first; 0: none, or a scene of others."""
        return self._things.instances_along(rays)

    def close(self) -> None:
        self._observation = None
        self.client.close()

    def _move(self, moves: Sequence[Array], slide: bool) -> tuple[bool, float]:
        """Make moves (2,) [m]; whether something was in the way, and the way made [m]."""
        there, touched, distance = self._floor.move(self._robot.position, moves, slide)
        self._robot.x, self._robot.y, self._robot.z = there
        return touched, distance

    def _place(self, x: float, y: float, z: float, yaw: float) -> None:
        self._robot.place(x, y, z, yaw)
        self._drift.restart(x, y, self.heading())
        self._reported = self._drift.follow(x, y, self.heading(), z)
        self._observation = None
