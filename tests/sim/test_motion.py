"""Continuous drives end on their arcs, slide along what is in the way and never leave the floor; tilts come back to level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_geometry import Y0, Y1, empty_room

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.geometry import Array
from loci.planning.protocols import ACTIONS
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.motion import Slide, chords, slide
from loci_sim.navigation import NavigationGrid, build_navigation
from loci_sim.protocol import SIMULATOR_ACTIONS
from loci_sim.scenes import Scene

SMALL = RobotParameters(width=160, height=120)
GRID = build_navigation(empty_room())


@pytest.fixture(scope="module")
def room() -> EmbeddedSimulator:
    return EmbeddedSimulator(empty_room(), SMALL)


def open_floor(side: float = 10.0) -> NavigationGrid:
    n = round(side / 0.05)
    return NavigationGrid(np.full((n, n), 5.0, np.float32), np.ones((n, n), bool), (-side / 2, -side / 2), 0.05, 0.2)


def drive(
    grid: NavigationGrid, pose: tuple[float, float, float], linear: float, angular: float, seconds: float
) -> Slide:
    """From (x, y, yaw) with a constant velocity."""
    return slide(grid, pose[:2], chords(pose[2], linear, angular, seconds))


@settings(max_examples=60, deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(-2.0, 2.0), st.floats(0.01, 3.0), st.floats(-3.1, 3.1))
def test_on_open_floor_a_drive_ends_on_its_arc(linear: float, angular: float, seconds: float, yaw: float) -> None:
    end = drive(open_floor(), (0.1, -0.2, yaw), linear, angular, seconds)
    if abs(angular) < 1e-3:
        expected = np.array([np.cos(yaw), np.sin(yaw)]) * linear * seconds
    else:
        radius, last = linear / angular, yaw + angular * seconds
        expected = radius * np.array([np.sin(last) - np.sin(yaw), np.cos(yaw) - np.cos(last)])
    np.testing.assert_allclose([end.x - 0.1, end.y + 0.2], expected, atol=2e-3)
    assert end.distance == pytest.approx(abs(linear) * seconds, rel=1e-3, abs=1e-9)
    assert not end.touched


def test_a_robot_that_drives_straight_at_a_wall_stops_there_and_does_not_drift() -> None:
    end = drive(GRID, (0.0, 0.5 * (Y0 + Y1) - 0.5, -np.pi / 2), 0.5, 0.0, 10.0)
    assert end.touched
    assert end.x == pytest.approx(0.0, abs=0.03)
    assert 0.18 <= end.y - Y0 < 0.18 + 0.1


def test_a_robot_that_meets_a_wall_at_a_slant_slides_along_it() -> None:
    start = (-1.0, Y0 + 0.4)
    end = drive(GRID, (*start, -np.pi / 6), 0.5, 0.0, 4.0)
    assert end.touched
    assert end.x - start[0] == pytest.approx(2.0 * np.cos(np.pi / 6), rel=0.1)
    assert GRID.is_navigable(end.x, end.y)


def slanted_wall(degrees: float) -> NavigationGrid:
    """Floor on one side of a straight wall through the origin, on the left of its direction."""
    n, resolution = 200, 0.05
    x, y = np.meshgrid(*(((np.arange(n) + 0.5) * resolution - 5.0),) * 2)
    a = np.radians(degrees)
    clearance = np.maximum(-np.sin(a) * x + np.cos(a) * y, 0.0).astype(np.float32)
    return NavigationGrid(clearance, clearance > 0.2, (-5.0, -5.0), resolution, 0.2)


@pytest.mark.parametrize("degrees", [0, 10, 30, 45, 60, 80, 90, 135, 200])
def test_walls_of_every_direction_are_slid_along(degrees: float) -> None:
    a = np.radians(degrees)
    along, away = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
    start: Array = -1.5 * along + 0.3 * away
    end = drive(slanted_wall(degrees), (float(start[0]), float(start[1]), a - np.pi / 4), 0.5, 0.0, 6.0)
    moved = np.array([end.x, end.y]) - start
    # cos(45 degrees) of 3 m; stairs of the grid may cost some.
    assert moved @ along > 1.6
    assert end.touched


def test_driving_backwards_and_turning_on_the_spot_work(room: EmbeddedSimulator) -> None:
    room.reset()
    room.drive(-0.5, 0.0, 1.0)
    np.testing.assert_allclose(room.position(), [-0.5, 0.0, 0.0], atol=1e-9)
    room.drive(0.0, -np.pi / 2, 0.5)
    assert room.heading() == pytest.approx(-np.pi / 4)
    np.testing.assert_allclose(room.position(), [-0.5, 0.0, 0.0], atol=1e-9)


def test_a_drive_takes_its_time_and_shows_in_the_next_observation(room: EmbeddedSimulator) -> None:
    before = room.reset()
    result = room.drive(0.3, 0.0, 2.0)
    after = room.observe()
    assert result.stamp_ns == after.stamp_ns == before.stamp_ns + 2_000_000_000
    assert result.distance == pytest.approx(0.6)
    assert not result.collided
    np.testing.assert_allclose(after.T_map_base[:2, 3] - before.T_map_base[:2, 3], [0.6, 0.0], atol=1e-9)


def test_a_driving_robot_never_leaves_navigable_floor(apartment: Scene) -> None:
    grid, rng = build_navigation(apartment), np.random.default_rng(0)
    pose, touched = apartment.start, 0
    for _ in range(300):
        angular = float(rng.normal(0.0, 1.0))
        end = drive(grid, pose, float(rng.uniform(-0.2, 0.8)), angular, 0.5)
        pose, touched = (end.x, end.y, pose[2] + 0.5 * angular), touched + end.touched
        assert grid.is_navigable(end.x, end.y)
    assert touched > 20


def test_discrete_turns_after_a_drive_are_still_thirty_degrees(room: EmbeddedSimulator) -> None:
    room.reset()
    room.drive(0.0, 0.1, 1.0)
    room.step("turn_left")
    assert room.heading() == pytest.approx(0.1 + np.pi / 6)


@pytest.mark.parametrize(
    "bad",
    [(np.nan, 0.0, 1.0), (0.0, np.inf, 1.0), (100.0, 0.0, 1.0), (0.1, 0.0, 0.0), (0.1, 0.0, -1.0), (0.1, 0.0, 1e6)],
)
def test_an_impossible_drive_is_refused_and_changes_nothing(
    room: EmbeddedSimulator, bad: tuple[float, float, float]
) -> None:
    before = room.observe()
    with pytest.raises(ValueError, match="expected a"):
        room.drive(*bad)
    assert room.observe() is before


def test_the_camera_tilts_to_its_stops_and_comes_back_exactly(room: EmbeddedSimulator) -> None:
    level = room.reset().T_map_camera
    assert [room.step("look_up").collided for _ in range(3)] == [False, False, True]
    assert room.observe().T_map_camera[2, 2] == pytest.approx(np.sin(np.radians(45.0)))  # 60 up from 15 down
    assert [room.step("look_down").collided for _ in range(5)] == [False, False, False, False, True]
    assert room.observe().T_map_camera[2, 2] == pytest.approx(-np.sin(np.radians(75.0)))
    for _ in range(2):
        room.step("look_up")
    np.testing.assert_array_equal(room.observe().T_map_camera, level)
    room.step("look_down")
    np.testing.assert_array_equal(room.reset().T_map_camera, level)


def test_looking_down_sees_more_floor(room: EmbeddedSimulator) -> None:
    floor = room.labels.index("floor")
    level = np.count_nonzero(room.reset().semantic == floor)
    room.step("look_down")
    assert np.count_nonzero(room.observe().semantic == floor) > level
    room.step("look_up")
    room.step("look_up")
    assert np.count_nonzero(room.observe().semantic == floor) < level


def test_a_planners_actions_are_the_simulators_too() -> None:
    assert set(ACTIONS) < set(SIMULATOR_ACTIONS)
