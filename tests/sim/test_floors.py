"""Homes with two floors: stairs that the robot climbs, and everything that asks on which floor something is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from scene_geometry import node_triangles
from scipy import ndimage

from loci.geometry import Array
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.floorplan import CEILING, STOREY
from loci_sim.navigation import Levels, NavigationGrid, build_levels
from loci_sim.scenes import Scene, ScenePath, generate_scene, load_scene

SMALL = RobotParameters(width=160, height=120)


@pytest.fixture(scope="module")
def files(scene_directory: Path) -> ScenePath:
    for seed in range(20):
        paths = generate_scene("home", seed, scene_directory)
        if len(load_scene(paths).floors) == 2:
            return paths
    raise AssertionError("expected a home of two floors among 20")


@pytest.fixture(scope="module")
def home(files: ScenePath) -> Scene:
    return load_scene(files)


@pytest.fixture(scope="module")
def levels(home: Scene) -> Levels:
    return build_levels(home)


@pytest.fixture
def simulator(home: Scene) -> EmbeddedSimulator:
    return EmbeddedSimulator(home, SMALL)


def upstairs(levels: Levels, home: Scene, name: str = "bedroom") -> tuple[float, float, float]:
    """A place in a room of the upper floor."""
    room = next(r for r in home.rooms if r.floor == 1 and r.name == name)
    grid = levels.grids[1]
    cells = grid.center_of(np.argwhere(grid.navigable))
    x, y = cells[np.argmin(np.linalg.norm(cells - room.polygon.mean(axis=0), axis=1))].tolist()
    return x, y, room.z


def turn_to(simulator: EmbeddedSimulator, x: float, y: float) -> None:
    at = simulator.position()
    turn = (np.arctan2(y - at[1], x - at[0]) - simulator.heading() + np.pi) % (2 * np.pi) - np.pi
    if abs(turn) > 1e-6:
        simulator.drive(0.0, turn, 1.0)


def follow(simulator: EmbeddedSimulator, points: Array) -> list[float]:
    """Drive along points and return all heights of the base on the way [m]."""
    heights = [simulator.position()[2]]
    for x, y, _ in points[1:]:
        for _ in range(4):
            at = simulator.position()
            distance = float(np.hypot(x - at[0], y - at[1]))
            if distance < 0.02:
                break
            turn_to(simulator, x, y)
            simulator.drive(min(distance, 0.5), 0.0, 1.0)
            heights.append(simulator.position()[2])
    return heights


def test_a_home_of_two_floors_has_stairs_and_the_same_walls_around_both(home: Scene) -> None:
    assert home.floors == (0.0, STOREY)
    for label in ("stairs", "railing"):
        assert any(structure == label for structure, _ in home.structure.values())
        assert label in home.labels
    lower, upper = ([r for r in home.rooms if r.floor == k] for k in (0, 1))
    assert {"living room", "kitchen", "hallway", "staircase"} <= {r.name for r in lower}
    assert {"bedroom", "bathroom", "hallway", "staircase"} <= {r.name for r in upper}
    for corner in (np.min, np.max):
        below, above = (corner([corner(r.polygon, axis=0) for r in rooms], axis=0) for rooms in (lower, upper))
        np.testing.assert_allclose(below, above, atol=1e-6)
    below, above = (next(r.polygon for r in rooms if r.name == "staircase") for rooms in (lower, upper))
    np.testing.assert_allclose(below, above)


def test_steps_are_seventeen_centimetres_high_and_lead_from_floor_to_floor(home: Scene) -> None:
    triangles = node_triangles(home, next(n for n, (label, _) in home.structure.items() if label == "stairs"))
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    level = triangles[normals[:, 2] > 0.99 * np.linalg.norm(normals, axis=1), 0, 2]
    # The wooden boards are 3 cm thick: what lies below them is white and level, too.
    treads = np.unique(np.round(level, 4))
    treads = np.array([z for z in treads if not np.any(np.abs(treads - z - 0.03) < 1e-4)])
    np.testing.assert_allclose(np.diff([0.0, *treads, STOREY]), 0.17, atol=1e-3)


def test_the_upper_floor_is_open_over_the_stairs_and_closed_elsewhere(home: Scene, levels: Levels) -> None:
    from loci_sim.rendering import Renderer

    renderer = Renderer(home, SMALL.camera)
    grid = levels.grids[0]
    assert grid.heights is not None
    assert grid.stairs is not None
    for mask, ceiling in ((grid.stairs, STOREY + CEILING), (~grid.stairs, CEILING)):
        # Away from the edge, over which the railing stands; and not in doorways, whose lintels are lower.
        cells = np.argwhere(grid.navigable & ndimage.binary_erosion(mask, iterations=3))[::7]
        cells = cells[[home.room_at(*p) is not None for p in grid.center_of(cells).tolist()]]
        rays = np.zeros((len(cells), 6), dtype=np.float32)
        # From above what stands on the floor, upwards.
        rays[:, :2], rays[:, 2], rays[:, 5] = (
            grid.center_of(cells),
            np.maximum(grid.heights[tuple(cells.T)] + 0.3, 2.1),
            1.0,
        )
        depth, _ = renderer.depth_along(rays)
        np.testing.assert_allclose(rays[:, 2] + depth, ceiling, atol=1e-3)


def test_the_robot_drives_up_and_down_again(home: Scene, levels: Levels, simulator: EmbeddedSimulator) -> None:
    simulator.reset()
    start, goal = simulator.position(), upstairs(levels, home)
    path = simulator.shortest_path(start, goal)
    assert path is not None
    heights = follow(simulator, path.points)
    np.testing.assert_allclose(simulator.position(), goal, atol=0.05)
    assert np.all(np.diff(heights) > -0.05)
    assert np.max(np.diff(heights)) < 0.4
    # The base is where the observation says, upright, and the camera at its height above it.
    o = simulator.observe()
    np.testing.assert_allclose(o.T_map_base[:3, 3], simulator.position())
    np.testing.assert_allclose(o.T_map_base[:3, 2], [0, 0, 1])
    assert o.T_map_camera[2, 3] == pytest.approx(STOREY + SMALL.camera_height)
    back = simulator.shortest_path(simulator.position(), start)
    assert back is not None
    assert back.length == pytest.approx(path.length, rel=0.02)
    follow(simulator, back.points)
    np.testing.assert_allclose(simulator.position(), start, atol=0.05)
    assert simulator.position()[2] == 0.0


def test_discrete_steps_climb_the_stairs_as_well(levels: Levels, home: Scene, simulator: EmbeddedSimulator) -> None:
    path = simulator.shortest_path(home.start[:2], upstairs(levels, home))
    assert path is not None
    foot = int(np.flatnonzero(path.points[:, 2] > 0.02)[0]) - 2
    direction = path.points[foot + 6, :2] - path.points[foot, :2]
    simulator.reset_to(*path.points[foot, :2], float(np.arctan2(direction[1], direction[0])))
    heights = [simulator.position()[2]]
    for _ in range(6):
        assert not simulator.step("move_forward").collided
        heights.append(simulator.position()[2])
    assert np.all(np.diff(heights) >= 0)
    assert heights[-1] > 0.6
    for _ in range(6):
        simulator.step("turn_left")
    for _ in range(6):
        simulator.step("move_forward")
    assert simulator.position()[2] == pytest.approx(heights[0], abs=1e-9)


def test_random_motions_on_the_stairs_never_leave_the_floor_or_jump(
    levels: Levels, simulator: EmbeddedSimulator
) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        grid = levels.grids[int(rng.integers(2))]
        assert grid.stairs is not None
        x, y = grid.center_of(rng.permutation(np.argwhere(grid.navigable & grid.stairs))[0])[0].tolist()
        simulator.reset_to(x, y, float(rng.uniform(-3, 3)), grid.height_at(x, y))
        for _ in range(20):
            before = np.array(simulator.position())
            if rng.random() < 0.5:
                simulator.step(("move_forward", "turn_left", "turn_right")[int(rng.integers(3))])  # type: ignore[arg-type]
            else:
                simulator.drive(float(rng.uniform(-0.5, 0.8)), float(rng.normal()), 0.5)
            moved = np.array(simulator.position()) - before
            assert simulator.is_navigable(*simulator.position())
            # The stairs rise 17 cm in 27.
            assert abs(moved[2]) <= 0.17 / 0.27 * np.hypot(*moved[:2]) + 0.06


def test_the_base_stands_on_the_steps(home: Scene, levels: Levels) -> None:
    """As a slope over them: never more than a step above or below what is under it."""
    from loci_sim.rendering import Renderer

    renderer = Renderer(home, SMALL.camera)
    for grid in levels.grids:
        assert grid.heights is not None
        assert grid.stairs is not None
        cells = np.argwhere(grid.navigable & grid.stairs)
        rays = np.zeros((len(cells), 6), dtype=np.float32)
        rays[:, :2], rays[:, 2], rays[:, 5] = grid.center_of(cells), 2.6, -1.0
        # From above both flights: what is hit first is the step.
        rays[:, 2] = grid.heights[tuple(cells.T)] + 0.5
        depth, _ = renderer.depth_along(rays)
        assert np.max(np.abs(0.5 - depth)) < 0.17


def test_no_way_leads_off_the_edge(levels: Levels) -> None:
    """Neighbouring navigable cells never differ by more than a step, on either floor."""
    for grid in levels.grids:
        assert grid.heights is not None
        for a, b in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
            both = grid.navigable[a] & grid.navigable[b]
            assert np.max(np.abs(grid.heights[a] - grid.heights[b])[both]) < 0.17


def test_points_are_told_apart_by_their_height(home: Scene, levels: Levels, simulator: EmbeddedSimulator) -> None:
    x, y, z = upstairs(levels, home)
    assert simulator.is_navigable(x, y, z)
    assert not simulator.is_navigable(x, y, z - 1.0)
    assert simulator.is_navigable(x, y) == levels.grids[0].is_navigable(x, y)
    assert simulator.is_navigable(*home.start[:2])
    assert not simulator.is_navigable(*home.start[:2], 1.2)
    assert simulator.shortest_path(home.start[:2], (x, y, z + 1.3)) is None
    assert simulator.shortest_path(home.start[:2], (*home.start[:2], 0.2)) is not None


def test_a_path_over_the_stairs_is_longer_than_its_plan_and_follows_the_floor(home: Scene, levels: Levels) -> None:
    path = levels.shortest_path(home.start[:2], upstairs(levels, home))
    assert path is not None
    plan = np.linalg.norm(np.diff(path.points[:, :2], axis=0), axis=1).sum()
    assert plan + 0.5 < path.length < plan + STOREY
    assert all(levels.grid_at(tuple(p)) is not None for p in path.points.tolist())
    rise = np.abs(np.diff(path.points[:, 2]))
    assert np.max(rise) < 0.25


def test_rooms_and_objects_know_their_floor(home: Scene, files: ScenePath, simulator: EmbeddedSimulator) -> None:
    bed = next(o for o in home.objects if o.category == "bed")
    room = home.room_at(*bed.center.tolist())
    assert room is not None
    assert room.id == bed.room
    assert home.room_at(*home.start[:2], 2.1) == home.room_at(*home.start[:2])
    for o in home.objects:
        assert (o.center[2] > STOREY) == (next(r for r in home.rooms if r.id == o.room).floor == 1), o.id
    truth = {r["id"]: r["floor"] for r in simulator.ground_truth()["rooms"]}
    assert truth == {r["id"]: r["floor"] for r in json.loads(files.sidecar.read_text())["rooms"]}
    assert set(truth.values()) == {0, 1}


def test_a_random_start_may_be_upstairs(simulator: EmbeddedSimulator) -> None:
    heights = [simulator.reset(seed).T_map_base[2, 3] for seed in range(12)]
    assert min(heights) == 0.0
    assert max(heights) == pytest.approx(STOREY)


def test_a_door_upstairs_opens_and_closes(levels: Levels, home: Scene, simulator: EmbeddedSimulator) -> None:
    from loci_sim.household import Standing

    door = next(o for o in home.objects if o.category == "door" and o.joints and o.center[2] > STOREY)
    household = simulator._household
    reached = [np.count_nonzero(g.navigable) for g in household.levels.grids]
    household.world.set_opening(door.id, 1.0)
    assert household.do("close", door.id, Standing(*home.start[:2])) == ""
    now = [np.count_nonzero(g.navigable) for g in household.levels.grids]
    assert now[0] == reached[0]
    assert now[1] < reached[1]


def test_two_grids_that_share_stairs_are_one_graph() -> None:
    """Against a count by hand: two corridors of one cell's width, joined by their last cell."""
    resolution = 0.5
    floor = np.zeros((1, 6), dtype=bool)
    lower, upper = floor.copy(), floor.copy()
    lower[0, :4], upper[0, 3:] = True, True
    stairs = floor.copy()
    stairs[0, 3] = True
    heights = np.array([[0.0, 0.0, 0.0, 0.3, 0.6, 0.6]])
    grids = [
        NavigationGrid(mask.astype(np.float32), mask, (0.0, 0.0), resolution, 0.1, z, heights, stairs)
        for z, mask in ((0.0, lower), (0.6, upper))
    ]
    path = Levels(tuple(grids)).shortest_path((0.25, 0.25), (2.75, 0.25, 0.6), smooth=False)
    assert path is not None
    assert len(path.points) == 6
    assert path.length == pytest.approx(3 * 0.5 + 2 * np.hypot(0.5, 0.3))


def test_scenes_without_floors_in_their_sidecar_have_one(apartment: Scene) -> None:
    assert apartment.floors == (0.0,)
    assert all(r.floor == 0 for r in apartment.rooms)
    assert "stairs" not in apartment.labels
    assert len(build_levels(apartment).grids) == 1
