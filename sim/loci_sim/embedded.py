"""The embedded simulator: a discrete robot with an RGB-D camera in a scene file, rendered on the CPU."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE
from loci_sim.cameras import CameraMount, Panorama, render_panorama
from loci_sim.household import Household, Standing
from loci_sim.meshes import planar_pose
from loci_sim.motion import drive
from loci_sim.navigation import FloorMap, NavigationGrid, navigation_from_start
from loci_sim.noise import NoiseParameters, PoseDrift, noisy_color, noisy_depth
from loci_sim.person import Person, PersonDeed, PersonEvent
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
from loci_sim.rendering import Renderer
from loci_sim.scenes import Scene, ScenePath, SceneThing, load_scene
from loci_sim.spots import distance_to_box
from loci_sim.world import World

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
        grid = navigation_from_start(self.scene, floor)
        self._renderer = Renderer(self.scene, self.parameters.camera, self.parameters.max_range, threads)
        self._household = Household(self.scene, self._renderer, floor, grid)
        self._person: Person | None = None
        self.noise = noise or NoiseParameters()
        self._drift = PoseDrift(self.noise)
        self._stamp_ns = start_stamp_ns
        self._observation: SimulatorObservation | None = None
        # Turns and tilts are counted, not summed: as many back end exactly where they began.
        self._x, self._y, self._yaw0, self._turns, self._tilts = 0.0, 0.0, 0.0, 0, 0
        self._place(*self.scene.start)

    @property
    def map_id(self) -> str:
        return self.scene.map_id

    @property
    def grid(self) -> NavigationGrid:
        """Where the robot can stand as things are now."""
        return self._household.grid

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
            x, y = self.grid.random_point(rng)
            self._place(x, y, float(rng.integers(round(2 * np.pi / TURN_ANGLE))) * TURN_ANGLE)
        self.advance(self.parameters.step_duration)
        return self.observe()

    def reset_to(self, x: float, y: float, yaw: float) -> SimulatorObservation:
        """Put the robot at a pose [m, rad]. Time goes on.

        Raises:
            ValueError: the robot cannot stand there.
        """
        if not (self.grid.is_navigable(x, y) and np.isfinite(yaw)):
            raise ValueError(f"expected a navigable pose in {self.map_id}, got ({x}, {y}, {yaw})")
        self._place(x, y, yaw)
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
        made = drive(self.grid, (self._x, self._y, self.heading()), linear, angular, seconds)
        self._x, self._y, self._yaw0 = made.x, made.y, self._yaw0 + angular * seconds
        self.advance(seconds)
        return DriveResult(made.touched, made.distance, self._stamp_ns)

    def interact(self, interaction: Interaction, object_id: str) -> InteractionResult:
        """Do something with an object in view and in reach, or say why not: then nothing changes and no time passes.

        Raises:
            ValueError: there is no such interaction or no such object.
        """
        robot = Standing(self._x, self._y, self.parameters.reach)
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
        self._household.restore(Standing(self._x, self._y))
        self.advance(0.0)

    def add_person(self, events: Sequence[PersonEvent], seed: int = 0) -> None:
        """Let somebody move things from now on (see `loci_sim.person.plan_day`); their day begins now.

        Raises:
            ValueError: an event names an object that is not in the scene.
        """
        for identity in (i for e in events for i in (e.object_id, e.to_id)):
            self._household.world.thing(identity)
        self._person = Person(tuple(events), self._stamp_ns, seed)

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        """What the person did or could not do so far. Ground truth."""
        return tuple(self._person.deeds) if self._person is not None else ()

    def ground_truth(self) -> dict[str, Any]:
        """Everything that only scoring may know, as plain values: poses and states of objects, rooms with their light, the robot."""
        robot = {
            "T_map_base": planar_pose(self._x, self._y, 0.0, self.heading()).tolist(),
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
            self._person.act(self._household, Standing(self._x, self._y), self._stamp_ns)
        self._reported = self._drift.follow(self._x, self._y, self.heading())
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
        T_map_center = planar_pose(self._x, self._y, self.parameters.camera_height, self.heading())
        return render_panorama(self._renderer, T_map_center, height, self._stamp_ns)

    def _seen_from(self, T_base_camera: Array, camera: Camera, max_range: float, name: str) -> SimulatorObservation:
        T_map_base = planar_pose(self._x, self._y, 0.0, self.heading())
        T_map_camera = T_map_base @ T_base_camera
        color, depth, semantic, instances = self._renderer.render(T_map_camera, camera, max_range)
        if self.noise.depth > 0.0 or self.noise.color > 0.0:
            # Drawn anew for every stamp and camera: noise does not depend on how often somebody looks.
            rng = np.random.default_rng([self.noise.seed, self._stamp_ns, crc32(name.encode())])
            if self.noise.depth > 0.0:
                depth = noisy_depth(depth, camera, rng, self.noise.depth)
            if self.noise.color > 0.0:
                color = noisy_color(color, rng, self.noise.color)
        for image in (color, depth, semantic, instances):
            image.setflags(write=False)
        known = self._reported if self.noise.drifts else T_map_base
        known_camera = known @ T_base_camera
        return SimulatorObservation(
            color, depth, semantic, instances, known_camera, known, camera, self._stamp_ns, self.map_id, T_map_camera, T_map_base
        )  # fmt: skip

    def position(self) -> tuple[float, float, float]:
        return self._x, self._y, 0.0

    def heading(self) -> float:
        per_circle = round(2 * np.pi / TURN_ANGLE)
        yaw = self._yaw0 + (self._turns % per_circle) * TURN_ANGLE
        return float(np.pi - (np.pi - yaw) % (2 * np.pi))

    @property
    def T_base_camera(self) -> Array:
        """Pose (4, 4) of the optical frame in the base frame, as it is tilted now."""
        return self.parameters.tilted(self._tilts)

    def is_navigable(self, x: float, y: float) -> bool:
        return self.grid.is_navigable(x, y)

    def shortest_path(self, start: tuple[float, float], goal: tuple[float, float]) -> ShortestPath | None:
        return self.grid.shortest_path(start, goal)

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

    def _place(self, x: float, y: float, yaw: float) -> None:
        self._x, self._y, self._yaw0, self._turns, self._tilts = x, y, yaw, 0, 0
        self._drift.restart(x, y, self.heading())
        self._reported = self._drift.follow(x, y, self.heading())
        self._observation = None
