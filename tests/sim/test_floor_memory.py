"""What the spatial memory makes of a home on two floors: the robot is driven up the stairs, the memory sees what its camera sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.geometry import Array
from loci.spatial.floor_layers import FloorLayers
from loci.spatial.floor_paths import find_floor_path, floor_path_lengths
from loci.spatial.floors import Track
from loci.spatial.frontiers import FrontierParameters
from loci.spatial.information_gain import unknown_volume
from loci.spatial.occupancy import FREE, OCCUPIED
from loci.spatial.octree import Octree
from loci.spatial.paths import PathStatus
from loci.spatial.view import SpatialView
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.floorplan import STOREY
from loci_sim.scenes import generate_scene, load_scene

ROBOT = RobotParameters(width=128, height=96)
LEAF = 0.05


@dataclass
class Tour:
    """A robot that is driven along the simulator's shortest paths, and the floors as they were known on the way.

    Attributes:
        bases: (x, y, z) of the base at every view [m].
        views: (index into bases, view).
    """

    simulator: EmbeddedSimulator
    octree: Octree = field(default_factory=Octree)
    cameras: list[Array] = field(default_factory=list)
    bases: list[tuple[float, float, float]] = field(default_factory=list)
    views: list[tuple[int, SpatialView]] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = count()
        self._layers = FloorLayers(lambda kind: f"{kind}/{next(numbers)}", 1.4, FrontierParameters())

    def look(self) -> None:
        o = self.simulator.observe()
        self.octree.integrate(o.depth, self.simulator.camera, o.T_map_camera, len(self.bases))
        self.cameras.append(o.T_map_camera[:3, 3])
        self.bases.append(self.simulator.position())
        if len(self.bases) % 12 == 0:
            self.refresh()

    def refresh(self) -> SpatialView:
        track = Track(np.array(self.cameras), np.zeros(len(self.cameras), dtype=np.int64))

        def gain(positions: Array, directions: Array) -> Array:
            return unknown_volume(lambda points: self.octree.query(points)[0], positions, directions)

        view = self._layers.update(self._layers.take(self.octree), track, len(self.bases), gain)
        self.views.append((len(self.bases) - 1, view))
        return view

    def turn(self, angle: float) -> None:
        n = int(np.ceil(abs(angle) / 0.5))
        for _ in range(n):
            self.simulator.drive(0.0, angle / n, 1.0)
            self.look()

    def go(self, goal: tuple[float, float, float]) -> None:
        path = self.simulator.shortest_path(self.simulator.position(), goal)
        assert path is not None
        for x, y, _ in path.points[1:]:
            for _ in range(40):
                at = self.simulator.position()
                left = float(np.hypot(x - at[0], y - at[1]))
                if left < 0.05:
                    break
                error = (np.arctan2(y - at[1], x - at[0]) - self.simulator.heading() + np.pi) % (2 * np.pi) - np.pi
                if abs(error) > 0.3:
                    self.turn(error)
                else:
                    self.simulator.drive(0.0, error, 1.0)
                self.simulator.drive(min(left, 0.25), 0.0, 1.0)
                if np.hypot(*np.subtract(self.bases[-1], self.simulator.position())[:2]) > 0.09:
                    self.look()


@pytest.fixture(scope="module")
def tour(scene_directory: Path) -> Tour:
    scenes = (load_scene(generate_scene("home", seed, scene_directory)) for seed in range(20))
    home = next(scene for scene in scenes if len(scene.floors) == 2)
    tour = Tour(EmbeddedSimulator(home, ROBOT))
    tour.simulator.reset()
    tour.look()
    tour.turn(2 * np.pi)
    upstairs = next(r for r in home.rooms if r.floor == 1 and r.name == "hallway")
    grid = tour.simulator.levels.grids[1]
    cells = grid.center_of(np.argwhere(grid.navigable))
    x, y = cells[np.argmin(np.linalg.norm(cells - upstairs.polygon.mean(axis=0), axis=1))].tolist()
    tour.go((x, y, upstairs.z))
    tour.turn(2 * np.pi)
    tour.refresh()
    return tour


def last(tour: Tour) -> SpatialView:
    return tour.views[-1][1]


def seen_spot(tour: Tour) -> tuple[float, float, float]:
    """Where the robot was a little after it set off: under its first position no camera has seen the floor."""
    x, y, _ = tour.bases[0]
    return next(b for b in tour.bases if np.hypot(b[0] - x, b[1] - y) > 1.5)


def test_both_floors_are_found_at_their_heights_and_keep_their_ids(tour: Tour) -> None:
    view = last(tour)
    assert [f.floor.name for f in view.floors] == ["floor 1", "floor 2"]
    for floor, true in zip(view.floors, (0.0, STOREY), strict=True):
        assert floor.floor.height == pytest.approx(true, abs=LEAF)
        assert floor.floor.is_driven
        assert floor.floor.area > 4.0
        assert set(floor.floor.room_ids) == {room.id for room in floor.rooms.rooms}
    ids = {f.floor.id for _, v in tour.views for f in v.floors}
    assert ids == {f.floor.id for f in view.floors}
    # A single floor until the upper one comes into sight.
    assert all(len(v.floors) == 1 for i, v in tour.views if tour.bases[i][2] < 1.0)


def test_the_robots_floor_is_right_below_on_and_above_the_stairs(tour: Tour) -> None:
    for i, view in tour.views:
        z = tour.bases[i][2]
        if z < 0.1 or z > STOREY - 0.1:
            assert not view.storeys.on_stairs
            assert view.current.floor.height == pytest.approx(0.0 if z < 0.1 else STOREY, abs=LEAF)
        elif 0.45 < z < STOREY - 0.45:
            assert view.storeys.on_stairs
            assert view.current.floor.height == pytest.approx(0.0, abs=LEAF)
        assert view.storeys.camera_height == pytest.approx(ROBOT.camera_height, abs=2 * LEAF)


def test_the_maps_agree_with_where_the_simulated_robot_can_stand(tour: Tour) -> None:
    for floor, grid in zip(last(tour).floors, tour.simulator.levels.grids, strict=True):
        assert grid.heights is not None
        assert grid.stairs is not None
        level = np.abs(grid.heights - grid.z) < 0.02
        stand = grid.center_of(np.argwhere(grid.navigable & level))
        known = floor.map.at(stand)
        assert np.mean(known == OCCUPIED) < 0.02
        assert np.mean(known == FREE) > 0.25
        # Steps up are obstacles, and steps down are no floor.
        steps = grid.center_of(np.argwhere(grid.navigable & (np.abs(grid.heights - grid.z) > 0.4)))
        assert np.mean(floor.map.at(steps) == FREE) < 0.05


@pytest.mark.parametrize("back", [False, True])
def test_a_path_leads_over_the_stairs_and_is_hardly_longer_than_the_shortest(tour: Tour, back: bool) -> None:
    ends = [np.array(seen_spot(tour)), np.array(tour.bases[-1])]
    start, goal = ends[::-1] if back else ends
    found = find_floor_path(last(tour), start, goal)
    shortest = tour.simulator.shortest_path(tuple(start.tolist()), tuple(goal.tolist()))
    assert shortest is not None
    assert found.status == PathStatus.FOUND
    assert found.length <= 1.1 * shortest.length
    np.testing.assert_allclose(found.points[[0, -1]], [start, goal], atol=LEAF)
    steps = np.diff(found.points, axis=0)
    assert np.max(np.abs(steps[:, 2])) < 0.3
    assert np.linalg.norm(steps, axis=1).sum() == pytest.approx(found.length)
    # The robot can stand everywhere on it.
    for a, b in zip(found.points[:-1], found.points[1:], strict=True):
        for share in np.linspace(0.0, 1.0, 5):
            x, y, z = (a + share * (b - a)).tolist()
            assert tour.simulator.is_navigable(x, y, z + LEAF)
    (length,) = floor_path_lengths(last(tour), start, goal[None])
    assert length == pytest.approx(found.length, rel=0.1)


def test_a_robot_on_the_stairs_finds_its_way_to_both_floors(tour: Tour) -> None:
    view = next(v for i, v in tour.views if v.storeys.on_stairs and tour.bases[i][2] > 1.0)
    here = next(i for i, v in tour.views if v is view)
    down = find_floor_path(view, np.array(tour.bases[here]), np.array(seen_spot(tour)))
    assert down.status == PathStatus.FOUND
    for goal in (seen_spot(tour), tour.bases[-1]):
        # Also by the height of the camera, which is what a memory knows of a robot.
        for start in (np.array(tour.bases[here]), tour.cameras[here]):
            found = find_floor_path(last(tour), start, np.array(goal))
            shortest = tour.simulator.shortest_path(tour.bases[here], goal)
            assert shortest is not None
            assert found.status == PathStatus.FOUND
            assert found.length <= 1.15 * shortest.length + 0.2


def test_frontiers_lie_on_the_floor_that_they_belong_to(tour: Tour) -> None:
    view = last(tour)
    for floor in view.floors:
        assert floor.frontiers
        for f in floor.frontiers:
            assert f.floor == floor.floor.id
            assert f.position[2] == floor.floor.height
            assert floor.map.at(f.position[:2]) == FREE
    goals = np.array([f.position for f in view.frontiers])
    lengths = floor_path_lengths(view, np.array(tour.bases[-1]), goals)
    assert np.all(lengths > 0)
    # Those below are further away by the stairs.
    assert np.all(lengths[goals[:, 2] < 1.0] > STOREY)


def test_a_goal_says_what_is_wrong_with_it_on_its_floor(tour: Tour) -> None:
    view, start = last(tour), np.array(seen_spot(tour))
    walls = view.floors[1].map.center_of(np.argwhere(view.floors[1].map.clearance == 0.0))
    (stairs,) = view.stairs
    away = np.linalg.norm(walls[:, None] - stairs.points[:, :2], axis=2).min(axis=1)
    inside = np.append(walls[np.argmax(away)], STOREY)
    assert find_floor_path(view, start, inside).status == PathStatus.GOAL_BLOCKED
    assert find_floor_path(view, start, np.array([90.0, 0.0, STOREY])).status == PathStatus.OFF_MAP
    assert find_floor_path(view, np.array([90.0, 0.0, STOREY]), start).status == PathStatus.OFF_MAP
