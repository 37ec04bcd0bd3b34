"""A robot with twelve headings and steps of 0.25 m stays near the path it follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.planning.following import DENSITY, STRETCH, PathFollower, dense_path
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE, Action

ARRIVAL = 0.25

Pose = tuple[float, float, float]


def moved(pose: Pose, actions: list[Action]) -> list[Pose]:
    """Poses (x, y, heading) from ``pose`` on, after every action."""
    poses = [pose]
    for action in actions:
        x, y, heading = poses[-1]
        if action == "move_forward":
            poses.append((x + STEP_LENGTH * np.cos(heading), y + STEP_LENGTH * np.sin(heading), heading))
        else:
            poses.append((x, y, heading + (TURN_ANGLE if action == "turn_left" else -TURN_ANGLE)))
    return poses


def on_floor(points: list[tuple[float, float]]) -> np.ndarray:
    """Dense points (M, 3) along a path (N, 2) on the floor."""
    return dense_path(np.array([(x, y, 0.0) for x, y in points]))


def ahead(follower: PathFollower, pose: Pose, path: np.ndarray) -> list[Action]:
    x, y, heading = pose
    return follower.actions((x, y, 0.0), heading, path, ARRIVAL)


def drive(points: list[tuple[float, float]], heading: float) -> tuple[np.ndarray, int]:
    """Positions (N, 2) from a path's start to its end, and the number of actions; thinks again after four, as exploring does."""
    path = on_floor(points)
    follower = PathFollower()
    poses: list[Pose] = [(float(path[0, 0]), float(path[0, 1]), heading)]
    for _ in range(50):
        actions = ahead(follower, poses[-1], path)
        if not actions:
            break
        poses += moved(poses[-1], actions[:4])[1:]
    way = np.array(poses)[:, :2]
    assert np.linalg.norm(way[-1] - path[-1, :2]) < ARRIVAL
    return way, len(poses) - 1


def beside(way: np.ndarray, points: list[tuple[float, float]]) -> float:
    """Largest distance from the path [m]."""
    path = on_floor(points)
    return float(np.max(np.min(np.linalg.norm(way[:, None] - path[:, :2], axis=2), axis=1)))


@pytest.mark.parametrize("bearing", [0.0, 7.0, 15.0, 22.0, 90.0, 200.0])
def test_a_straight_line_is_kept_within_a_hand(bearing: float) -> None:
    """15 degrees off the next heading is the worst case: two steps in one heading end 13 cm beside the line."""
    angle = np.radians(bearing)
    points = [(0.0, 0.0), (4.0 * np.cos(angle), 4.0 * np.sin(angle))]
    way, n_actions = drive(points, 0.0)
    assert beside(way, points) < 0.14
    assert n_actions < 16 + 7 + 12  # steps, turns towards it, turns to stay on it


def test_a_corner_is_taken_without_cutting_it_far() -> None:
    points = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (4.0, 2.0)]
    way, n_actions = drive(points, 0.3)
    assert beside(way, points) < 0.15
    assert n_actions < 50


def test_where_it_bumped_it_goes_around() -> None:
    path = on_floor([(0.0, 0.0), (3.0, 0.0)])
    follower = PathFollower()
    straight = ahead(follower, (0.5, 0.0, 0.0), path)
    assert straight[0] == "move_forward"
    for _ in range(3):  # an obstacle on the path itself
        follower.bumped((0.5, 0.0, 0.0), 0.0)
    around = np.array(moved((0.5, 0.0, 0.0), ahead(follower, (0.5, 0.0, 0.0), path)))[:, :2]
    assert np.all(np.linalg.norm(around[1:] - (0.75, 0.0), axis=1) > 0.02)
    assert np.linalg.norm(around[-1] - (2.5, 0.0)) < ARRIVAL  # it gets there all the same


def test_a_bump_beside_the_path_leaves_the_path_open() -> None:
    """A doorway: 9 cm to the left of its middle the robot touches the frame; the middle is still the way."""
    path = on_floor([(0.0, 0.0), (3.0, 0.0)])
    follower = PathFollower()
    for _ in range(5):
        follower.bumped((0.5, 0.09, 0.0), 0.0)
    poses = np.array(moved((0.5, 0.0, 0.0), ahead(follower, (0.5, 0.0, 0.0), path)))
    assert np.allclose(poses[:, 1], 0.0)


def test_a_bump_on_another_floor_is_none_here() -> None:
    path = on_floor([(0.0, 0.0), (3.0, 0.0)])
    follower = PathFollower()
    for _ in range(3):
        follower.bumped((0.5, 0.0, 2.7), 0.0)
    assert ahead(follower, (0.5, 0.0, 0.0), path) == ahead(PathFollower(), (0.5, 0.0, 0.0), path)


def test_stairs_that_end_above_the_robot_are_driven_from_their_foot() -> None:
    path = dense_path(np.array([(0.0, 0.0, 0.0), (3.0, 0.0, 1.2), (3.0, 1.0, 1.2), (0.0, 0.2, 2.7)]))
    actions = PathFollower().actions((0.0, 0.15, 0.0), 0.0, path, ARRIVAL)
    end = moved((0.0, 0.15, 0.0), actions)[-1]
    assert np.hypot(end[0] - 1.85, end[1]) < 0.35  # two metres up the first flight


def test_at_the_end_of_a_path_there_is_nothing_left_to_do() -> None:
    assert ahead(PathFollower(), (0.1, 0.0, 1.0), np.zeros((1, 3))) == []


def test_points_of_a_dense_path_are_close_and_keep_both_ends() -> None:
    points = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 0.73)])
    path = dense_path(points)
    assert np.all(np.linalg.norm(np.diff(path, axis=0), axis=1) <= DENSITY + 1e-9)
    assert np.allclose(path[[0, -1]], points[[0, -1]])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=4),
    st.floats(-np.pi, np.pi),
)
def test_the_next_stretch_of_any_path_is_driven_to_its_end(points: list[tuple[float, float]], heading: float) -> None:
    path = on_floor(points)
    start = (float(path[0, 0]), float(path[0, 1]), heading)
    end = moved(start, ahead(PathFollower(), start, path))[-1]
    goal = path[min(round(STRETCH / DENSITY), len(path) - 1)]
    assert np.hypot(end[0] - goal[0], end[1] - goal[1]) < ARRIVAL
