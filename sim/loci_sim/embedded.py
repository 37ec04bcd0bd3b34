"""The embedded simulator: a discrete robot with an RGB-D camera in a scene file, rendered on the CPU."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE
from loci_sim.cameras import CameraMount, Panorama, render_panorama
from loci_sim.household import Household, Standing
from loci_sim.meshes import planar_pose
from loci_sim.motion import drive
from loci_sim.navigation import FloorMap, Levels, NavigationGrid, levels_from_start
from loci_sim.noise import NoiseParameters, PoseDrift, noisy
from loci_sim.person import Person, PersonDeed, PersonEvent
from loci_sim.protocol import (
    SIMULATOR_ACTIONS,
    DriveResult,
    Interaction,
    InteractionResult,
    Place,
    ShortestPath,
    SimulatorAction,
    SimulatorObservation,
    StepResult,
)
from loci_sim.rendering import Renderer
from loci_sim.robot import R_BASE_OPTICAL, RobotParameters
from loci_sim.scenes import Scene, ScenePath, SceneThing, load_scene
from loci_sim.spots import distance_to_box
from loci_sim.world import World

__all__ = ["R_BASE_OPTICAL", "EmbeddedSimulator", "RobotParameters"]


class EmbeddedSimulator:
    """`Simulator` over a scene file.

    Args:
        scene: loaded, or its path, or ``"FAMILY:SEED"``.
        parameters: of the robot.
        start_stamp_ns: simulated time of the first observation [ns].
        noise: of the sensors and of the reported pose; None: none.
        threads: of the ray caster; 0: one per core.
    """

    def __init__(
        self,
        scene: Scene | ScenePath | Path | str,
        parameters: RobotParameters | None = None,
        *,
        noise: NoiseParameters | None = None,
        start_stamp_ns: int = 1_000_000_000,
        threads: int = 1,
    ) -> None:
        self.scene = scene if isinstance(scene, Scene) else load_scene(scene)
        self.parameters = parameters or RobotParameters()
        floor = FloorMap(self.scene, self.parameters.radius, self.parameters.body_height)
        levels = levels_from_start(self.scene, floor)
        self._renderer = Renderer(self.scene, self.parameters.camera, self.parameters.max_range, threads)
        self._household = Household(self.scene, self._renderer, floor, levels)
        self._person: Person | None = None
        self.noise = noise or NoiseParameters()
        self._drift = PoseDrift(self.noise)
        self._stamp_ns = start_stamp_ns
        self._observation: SimulatorObservation | None = None
        # Turns and tilts are counted, not summed: as many back end exactly where they began.
        self._x, self._y, self._yaw0, self._turns, self._tilts = 0.0, 0.0, 0.0, 0, 0
        # Which of the floors' grids the robot moves in.
        self._level = 0
        self._place(*self.scene.start)

    @property
    def map_id(self) -> str:
        return self.scene.map_id

    @property
    def grid(self) -> NavigationGrid:
        """Where the robot can stand as things are now, on the floor that it is on."""
        return self.levels.grids[self._level]

    @property
    def levels(self) -> Levels:
        """Where the robot can stand on all floors as things are now."""
        return self._household.levels

    @property
    def objects(self) -> tuple[SceneThing, ...]:
        """All things where they are now, ordered by instance. Ground truth."""
        return self._household.world.things

    @property
    def world(self) -> World:
        """All things with their states. Ground truth."""
        return self._household.world

    @property
    def camera(self) -> Camera:
        return self._renderer.camera

    @property
    def labels(self) -> tuple[str, ...]:
        return self.scene.labels

    @property
    def instance_labels(self) -> Mapping[int, str]:
        return self.scene.instance_labels

    @property
    def stamp_ns(self) -> int:
        """Simulated time [ns]."""
        return self._stamp_ns

    def reset(self, seed: int | None = None) -> SimulatorObservation:
        """Put the robot at the scene's start (None) or at a random navigable pose drawn from ``seed``. Time goes on."""
        if seed is None:
            self._place(*self.scene.start)
        else:
            rng = np.random.default_rng(seed)
            x, y, z = self.levels.random_point(rng)
            self._place(x, y, float(rng.integers(round(2 * np.pi / TURN_ANGLE))) * TURN_ANGLE, z)
        self.advance(self.parameters.step_duration)
        return self.observe()

    def reset_to(self, x: float, y: float, yaw: float, z: float = 0.0) -> SimulatorObservation:
        """Put the robot at a pose [m, rad], on the floor at a height z. Time goes on.

        Raises:
            ValueError: the robot cannot stand there.
        """
        if not (self.is_navigable(x, y, z) and np.isfinite(yaw)):
            raise ValueError(f"expected a navigable pose in {self.map_id}, got ({x}, {y}, {yaw}) at a height of {z}")
        self._place(x, y, yaw, z)
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
            x, y = self._x + STEP_LENGTH * np.cos(yaw), self._y + STEP_LENGTH * np.sin(yaw)
            collided = not self.grid.is_free_line((self._x, self._y), (x, y))
            if not collided:
                self._x, self._y = float(x), float(y)
                self._enter(self.levels.after(self.grid, self._x, self._y))
        elif action in ("turn_left", "turn_right"):
            self._turns += 1 if action == "turn_left" else -1
        elif action in ("look_up", "look_down"):
            collided = not self._tilt_by(1 if action == "look_up" else -1)
        elif action != "look":
            raise ValueError(f"expected an action among {', '.join(SIMULATOR_ACTIONS)}, got {action!r}")
        self.advance(self.parameters.step_duration)
        return StepResult(collided, self._stamp_ns)

    def drive(self, linear: float, angular: float, seconds: float) -> DriveResult:
        """Drive with a constant velocity: forwards [m/s] and turning [rad/s], for a time [s]; obstacles are slid along.

        Raises:
            ValueError: a value that is not finite or out of range (see `loci_sim.motion`).
        """
        start = (self._x, self._y, self.heading())
        made = drive(self.grid, start, linear, angular, seconds, self.levels.after)
        self._x, self._y, self._yaw0 = made.x, made.y, self._yaw0 + angular * seconds
        self._enter(made.grid)
        self.advance(seconds)
        return DriveResult(made.touched, made.distance, self._stamp_ns)

    def interact(self, interaction: Interaction, object_id: str) -> InteractionResult:
        """Do something with an object in view and in reach, or say why not: then nothing changes and no time passes.

        Raises:
            ValueError: there is no such interaction or no such object.
        """
        robot = Standing(*self.position(), self.parameters.reach)
        reason = self._household.world.refusal(interaction, object_id) or self._out_of_hand(object_id)
        reason = reason or self._household.do(interaction, object_id, robot)
        if not reason:
            self.advance(self.parameters.step_duration)
        return InteractionResult(not reason, reason, self._stamp_ns)

    def _out_of_hand(self, object_id: str) -> str:
        """Why an object cannot be touched from here; empty: it can."""
        world = self._household.world
        # What lies in an open thing is reached through it.
        shown = world.state(object_id).on if world.state(object_id).inside else object_id
        thing = next(o for o in world.things if o.id == shown)
        n_pixels = int(np.count_nonzero(self.observe().instances == thing.instance))
        if n_pixels < self.parameters.min_pixels:
            return f"{shown} is not in view ({n_pixels} pixels, expected {self.parameters.min_pixels} or more)"
        distance = distance_to_box(thing, self._x, self._y)
        if distance > self.parameters.reach:
            return f"{shown} is out of reach ({distance:.2f} m, expected {self.parameters.reach:g} m or less)"
        return ""

    @property
    def held(self) -> str:
        """Id of the object in the robot's hand; empty: none."""
        return self._household.world.held

    def restore_objects(self) -> None:
        """Put all objects back where and as they were at first; what the robot holds too."""
        self._household.restore(Standing(*self.position()))
        self.advance(0.0)

    def add_person(self, events: Sequence[PersonEvent], seed: int = 0) -> None:
        """Let somebody move things from now on (see `loci_sim.person.plan_day`); their day begins now.

        Raises:
            ValueError: an event names an object that is not in the scene.
        """
        for identity in (i for e in events for i in (e.object_id, e.to_id)):
            self._household.world.thing(identity)
        self._person = Person(tuple(events), self._stamp_ns, seed)

    def carry(self, object_id: str, target_id: str, seed: int = 0) -> str:
        """Somebody carries an object to another one now: why it cannot be done; empty: it was done. See `Household.carry`.

        Raises:
            ValueError: there is no such object.
        """
        reason = self._household.carry(object_id, target_id, Standing(*self.position()), np.random.default_rng(seed))
        self.advance(0.0)
        return reason

    def take_away(self, object_id: str) -> str:
        """Somebody takes an object out of the home now: why it cannot be done; empty: it was done.

        Raises:
            ValueError: there is no such object.
        """
        reason = self._household.take_away(object_id, Standing(*self.position()))
        self.advance(0.0)
        return reason

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        """What the person did or could not do so far. Ground truth."""
        return tuple(self._person.deeds) if self._person is not None else ()

    def ground_truth(self) -> dict[str, Any]:
        """Everything that only scoring may know, as plain values: poses and states of objects, rooms with their light, the robot."""
        robot = {
            "T_map_base": planar_pose(*self.position(), self.heading()).tolist(),
            "T_map_base_known": self.observe().T_map_base.tolist(),
            "holds": self.held,
        }
        deeds = [{**asdict(d.event), "stamp_ns": d.stamp_ns, "reason": d.reason} for d in self.deeds]
        return {"stamp_ns": self._stamp_ns, "robot": robot, **self._household.world.as_dict(), "person": deeds}

    def write_ground_truth(self, path: Path) -> None:
        """Write `ground_truth` as JSON; the file is whole or not there."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(self.ground_truth(), indent=1) + "\n")
        temporary.replace(path)

    def advance(self, seconds: float) -> None:
        """Let simulated time pass [s], at least 1 ns: the next observation has a new stamp."""
        self._stamp_ns += max(1, round(seconds * 1e9))
        if self._person is not None:
            self._person.act(self._household, Standing(*self.position()), self._stamp_ns)
        self._reported = self._drift.follow(self._x, self._y, self.heading(), self.position()[2])
        self._observation = None

    def observe(self) -> SimulatorObservation:
        """What the camera sees now; the same arrays until the next step."""
        if self._observation is None:
            self._observation = self._seen_from(self.T_base_camera, self.camera, self.parameters.max_range, "")
        return self._observation

    def observe_cameras(self, mounts: Sequence[CameraMount]) -> dict[str, SimulatorObservation]:
        """What several cameras see now, all at the same time, by the names of the cameras.

        Raises:
            ValueError: two cameras have the same name, or one has a distorting lens.
        """
        names = [m.name for m in mounts]
        if len(set(names)) < len(names):
            raise ValueError(f"expected cameras of different names, got {', '.join(names)}")
        return {m.name: self._seen_from(m.T_base_camera, m.camera, m.max_range, m.name) for m in mounts}

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Instances (N,) that rays (N, 6), origins and directions in the map, meet first; 0: none. Ground truth."""
        return self._renderer.depth_along(rays)[1]

    def panorama(self, height: int = 512) -> Panorama:
        """All around the robot now, from its camera's height, the middle column straight ahead; without noise.

        Raises:
            ValueError: a height out of range.
        """
        x, y, z = self.position()
        T_map_center = planar_pose(x, y, z + self.parameters.camera_height, self.heading())
        return render_panorama(self._renderer, T_map_center, height, self._stamp_ns)

    def _seen_from(self, T_base_camera: Array, camera: Camera, max_range: float, name: str) -> SimulatorObservation:
        T_map_base = planar_pose(*self.position(), self.heading())
        T_map_camera = T_map_base @ T_base_camera
        color, depth, semantic, instances = self._renderer.render(T_map_camera, camera, max_range)
        color, depth = noisy(color, depth, camera, self.noise, self._stamp_ns, name)
        for image in (color, depth, semantic, instances):
            image.setflags(write=False)
        known = self._reported if self.noise.drifts else T_map_base
        known_camera = known @ T_base_camera
        return SimulatorObservation(
            color, depth, semantic, instances, known_camera, known, camera, self._stamp_ns, self.map_id, T_map_camera, T_map_base
        )  # fmt: skip

    def position(self) -> tuple[float, float, float]:
        return self._x, self._y, self.grid.height_at(self._x, self._y)

    def heading(self) -> float:
        per_circle = round(2 * np.pi / TURN_ANGLE)
        yaw = self._yaw0 + (self._turns % per_circle) * TURN_ANGLE
        return float(np.pi - (np.pi - yaw) % (2 * np.pi))

    @property
    def T_base_camera(self) -> Array:
        """Pose (4, 4) of the optical frame in the base frame, as it is tilted now."""
        return self.parameters.tilted(self._tilts)

    def is_navigable(self, x: float, y: float, z: float = 0.0) -> bool:
        return self.levels.grid_at((x, y, z)) is not None

    def shortest_path(self, start: Place, goal: Place) -> ShortestPath | None:
        return self.levels.shortest_path(start, goal)

    def close(self) -> None:
        self._observation = None
        self._renderer.close()

    def _tilt_by(self, step: int) -> bool:
        """Tilt the camera by one step unless that passes its stop, or straight up or down."""
        p, tilts = self.parameters, self._tilts + step
        if abs(tilts) * p.tilt_angle > p.max_tilt or abs(p.camera_pitch - tilts * p.tilt_angle) > 90.0:
            return False
        self._tilts = tilts
        return True

    def _enter(self, grid: NavigationGrid) -> None:
        self._level = next(i for i, g in enumerate(self.levels.grids) if g is grid)

    def _place(self, x: float, y: float, yaw: float, z: float = 0.0) -> None:
        self._x, self._y, self._yaw0, self._turns, self._tilts = x, y, yaw, 0, 0
        grid = self.levels.grid_at((x, y, z))
        self._enter(grid if grid is not None else self.levels.grids[0])
        self._drift.restart(x, y, self.heading())
        self._reported = self._drift.follow(x, y, self.heading(), self.position()[2])
        self._observation = None
