"""`Simulator` over Habitat: the same robot, axes and ground truth as the embedded one, with Habitat's images and navmesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.planning.protocols import TURN_ANGLE
from loci_sim.cameras import CameraMount
from loci_sim.habitat.added import AddedObjects
from loci_sim.habitat.client import TIMEOUT, Client
from loci_sim.habitat.floor import Floor
from loci_sim.habitat.labels import table_of_scene, table_of_semantics
from loci_sim.habitat.process import RefusedError
from loci_sim.habitat.rearranged import RearrangedThings, read_added
from loci_sim.habitat.sources import find_source
from loci_sim.habitat.things import HabitatThings, UnknownThings
from loci_sim.habitat.views import View, look, mounted
from loci_sim.noise import NoiseParameters
from loci_sim.protocol import ShortestPath, SimulatorObservation
from loci_sim.robot import RobotParameters
from loci_sim.robot_simulator import Pose, RobotSimulator
from loci_sim.scenes import SceneError, ScenePath

#: The robot's own camera, among others.
_OWN_CAMERA = "camera"


class HabitatSimulator(RobotSimulator):
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
        super().__init__(parameters, noise, start_stamp_ns)
        source = find_source(scene, dataset, self.parameters, cache)
        self._map_id, self.scene = source.map_id, source.scene
        try:
            self.client = Client(replace(source.opening, physics=physics), python, timeout=timeout, report=report)
        except RefusedError as error:
            raise SceneError(str(error)) from error
        try:
            self.client.add_camera(_OWN_CAMERA, self.camera)
            self._things = UnknownThings(self._map_id)
            self._floor = Floor(self.client, self.scene)
            if self.scene is not None:
                table = table_of_scene(self.scene)
                self._things = HabitatThings(self.scene, self.client, self.parameters)
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

    def reset_to(self, x: float, y: float, yaw: float, z: float = 0.0) -> SimulatorObservation:
        """Put the robot at a pose [m, rad]; in scenes of others also on another floor, and a little beside it. Time goes on.

        Raises:
            ValueError: the robot cannot stand there.
        """
        if self.scene is None and np.all(np.isfinite((x, y, yaw, z))) and (near := self._floor.beside((x, y, z))):
            x, y, z = near
        elif not (np.isfinite(yaw) and self.is_navigable(x, y, z)):
            raise ValueError(f"expected a navigable pose in {self.map_id}, got ({x}, {y}, {yaw})")
        return self._begin_at(x, y, self._floor.level(z), yaw)

    def observe_cameras(self, mounts: Sequence[CameraMount]) -> dict[str, SimulatorObservation]:
        """What several cameras see now, all at the same time, by the names of the cameras.

        Raises:
            ValueError: two cameras have the same name, or one cannot be had in Habitat.
        """
        views = mounted(self.client, mounts)
        return dict(zip((m.name for m in mounts), self._look(views).values(), strict=True))

    def _see(self) -> SimulatorObservation:
        view = View(self.camera, self.T_base_camera, self.parameters.max_range)
        return self._look({_OWN_CAMERA: view})[_OWN_CAMERA]

    def _look(self, views: Mapping[str, View]) -> dict[str, SimulatorObservation]:
        T_map_base, table = self._robot.T_map_base, self.added.table
        return look(self.client, views, T_map_base, self._known(), self._stamp_ns, self.map_id, table, self.noise)

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

    def close(self) -> None:
        self._observation = None
        self.client.close()

    def _start_pose(self) -> Pose:
        return self._start

    def _random_pose(self, seed: int) -> Pose:
        turns = int(np.random.default_rng(seed).integers(round(2 * np.pi / TURN_ANGLE)))
        return (*self._floor.random_point(seed, self._robot.position), turns * TURN_ANGLE)

    def _move(self, moves: Sequence[Array], slide: bool) -> tuple[bool, float]:
        there, touched, distance = self._floor.move(self._robot.position, moves, slide)
        self._robot.x, self._robot.y, self._robot.z = there
        return touched, distance
