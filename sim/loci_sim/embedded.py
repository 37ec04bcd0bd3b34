"""The embedded simulator: a discrete robot with an RGB-D camera in a scene file, rendered on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from loci.geometry import Array, Camera
from loci.planning.protocols import TURN_ANGLE
from loci_sim.cameras import CameraMount, Panorama, check_names, render_panorama
from loci_sim.household import Household
from loci_sim.meshes import planar_pose
from loci_sim.motion import slide as slide_along
from loci_sim.navigation import FloorMap, Levels, NavigationGrid, levels_from_start
from loci_sim.noise import NoiseParameters, noisy
from loci_sim.protocol import Place, ShortestPath, SimulatorObservation
from loci_sim.rendering import Renderer
from loci_sim.robot import R_BASE_OPTICAL, RobotParameters
from loci_sim.robot_simulator import Pose, RobotSimulator
from loci_sim.scenes import Scene, ScenePath, load_scene
from loci_sim.things import SceneThings
from loci_sim.world import World

__all__ = ["R_BASE_OPTICAL", "EmbeddedSimulator", "RobotParameters"]


class _Things(SceneThings):
    """Things that the household's own renderer draws."""

    def __init__(self, household: Household, parameters: RobotParameters) -> None:
        super().__init__(parameters)
        self._household = household

    @property
    def household(self) -> Household:
        return self._household

    def show(self) -> None:
        """Its renderer has followed already."""


class EmbeddedSimulator(RobotSimulator):
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
        super().__init__(parameters, noise, start_stamp_ns)
        self.scene = scene if isinstance(scene, Scene) else load_scene(scene)
        floor = FloorMap(self.scene, self.parameters.radius, self.parameters.body_height)
        levels = levels_from_start(self.scene, floor)
        self._renderer = Renderer(self.scene, self.parameters.camera, self.parameters.max_range, threads)
        self._household = Household(self.scene, self._renderer, floor, levels)
        self._things = _Things(self._household, self.parameters)
        # Which of the floors' grids the robot moves in.
        self._level = 0
        self._place(*self._start_pose())

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

    def reset_to(self, x: float, y: float, yaw: float, z: float = 0.0) -> SimulatorObservation:
        """Put the robot at a pose [m, rad], on the floor at a height z. Time goes on.

        Raises:
            ValueError: the robot cannot stand there.
        """
        if not (self.is_navigable(x, y, z) and np.isfinite(yaw)):
            raise ValueError(f"expected a navigable pose in {self.map_id}, got ({x}, {y}, {yaw}) at a height of {z}")
        return self._begin_at(x, y, z, yaw)

    def carry(self, object_id: str, target_id: str, seed: int = 0) -> str:
        """Somebody carries an object to another one now: why it cannot be done; empty: it was done. See `Household.carry`.

        Raises:
            ValueError: there is no such object.
        """
        reason = self._household.carry(object_id, target_id, self._standing(), np.random.default_rng(seed))
        self.advance(0.0)
        return reason

    def take_away(self, object_id: str) -> str:
        """Somebody takes an object out of the home now: why it cannot be done; empty: it was done.

        Raises:
            ValueError: there is no such object.
        """
        reason = self._household.take_away(object_id, self._standing())
        self.advance(0.0)
        return reason

    def observe_cameras(self, mounts: Sequence[CameraMount]) -> dict[str, SimulatorObservation]:
        """What several cameras see now, all at the same time, by the names of the cameras.

        Raises:
            ValueError: two cameras have the same name, or one has a distorting lens.
        """
        check_names(mounts)
        return {m.name: self._seen_from(m.T_base_camera, m.camera, m.max_range, m.name) for m in mounts}

    def panorama(self, height: int = 512) -> Panorama:
        """All around the robot now, from its camera's height, the middle column straight ahead; without noise.

        Raises:
            ValueError: a height out of range.
        """
        x, y, z = self.position()
        T_map_center = planar_pose(x, y, z + self.parameters.camera_height, self.heading())
        return render_panorama(self._renderer, T_map_center, height, self._stamp_ns)

    def _see(self) -> SimulatorObservation:
        return self._seen_from(self.T_base_camera, self.camera, self.parameters.max_range, "")

    def _seen_from(self, T_base_camera: Array, camera: Camera, max_range: float, name: str) -> SimulatorObservation:
        T_map_base, known = self._robot.T_map_base, self._known()
        T_map_camera = T_map_base @ T_base_camera
        color, depth, semantic, instances = self._renderer.render(T_map_camera, camera, max_range)
        color, depth = noisy(color, depth, camera, self.noise, self._stamp_ns, name)
        for image in (color, depth, semantic, instances):
            image.setflags(write=False)
        known_camera = known @ T_base_camera
        return SimulatorObservation(
            color, depth, semantic, instances, known_camera, known, camera, self._stamp_ns, self.map_id, T_map_camera, T_map_base
        )  # fmt: skip

    def is_navigable(self, x: float, y: float, z: float = 0.0) -> bool:
        return self.levels.grid_at((x, y, z)) is not None

    def shortest_path(self, start: Place, goal: Place) -> ShortestPath | None:
        return self.levels.shortest_path(start, goal)

    def close(self) -> None:
        self._observation = None
        self._renderer.close()

    def _start_pose(self) -> Pose:
        x, y, yaw = self.scene.start
        return x, y, 0.0, yaw

    def _random_pose(self, seed: int) -> Pose:
        rng = np.random.default_rng(seed)
        x, y, z = self.levels.random_point(rng)
        return x, y, z, float(rng.integers(round(2 * np.pi / TURN_ANGLE))) * TURN_ANGLE

    def _move(self, moves: Sequence[Array], slide: bool) -> tuple[bool, float]:
        start = (self._robot.x, self._robot.y)
        if slide:
            made = slide_along(self.grid, start, moves, self.levels.after)
            self._enter(made.grid, made.x, made.y)
            return made.touched, made.distance
        distance = 0.0
        for move in moves:
            x, y = float(start[0] + move[0]), float(start[1] + move[1])
            if not self.grid.is_free_line(start, (x, y)):
                return True, distance
            self._enter(self.levels.after(self.grid, x, y), x, y)
            start, distance = (x, y), distance + float(np.hypot(*move))
        return False, distance

    def _enter(self, grid: NavigationGrid, x: float, y: float) -> None:
        """The robot is at (x, y) in a floor's grid now."""
        self._level = next(i for i, g in enumerate(self.levels.grids) if g is grid)
        self._robot.x, self._robot.y, self._robot.z = x, y, grid.height_at(x, y)

    def _place(self, x: float, y: float, z: float, yaw: float) -> None:
        self._enter(self.levels.grid_at((x, y, z)) or self.levels.grids[0], x, y)
        super()._place(x, y, self._robot.z, yaw)
