"""Driving ends at the goal, or says why not; in a flat world with an independent map."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
from grid_world import APARTMENT, CELL, GridWorld, walls_of

from loci.planning.bodies import SteppedBody
from loci.planning.driving import DriveProgress, Driver, distance, drive_to, is_at, wrap
from loci.planning.exploration import explore
from loci.planning.protocols import Action, KnownPath, Point, StepResult

START = (2.0, 1.5, 0.0)
FAR_ROOM = (14.0, 8.2, 0.0)


@pytest.fixture
def explored() -> GridWorld:
    world = GridWorld(walls_of(APARTMENT, 4), START)
    assert list(explore(world, world))[-1].outcome == "complete"
    return world


def ended(way: Generator[object, None, str]) -> str:
    """What a drive returns."""
    while True:
        try:
            next(way)
        except StopIteration as end:
            return str(end.value)


def driven(world: GridWorld, goal: Point, facing: float | None = None, max_steps: int = 500) -> list[DriveProgress]:
    return list(drive_to(Driver(world, world, max_steps), goal, facing))


@pytest.mark.parametrize("goal", [FAR_ROOM, START, (6.0, 4.2, 0.0)])
def test_the_robot_arrives_and_faces_where_it_was_told(explored: GridWorld, goal: Point) -> None:
    last = driven(explored, goal, facing=2.0)[-1]
    assert last.outcome == "arrived"
    assert not last.reason
    assert distance(last.position, goal) < 0.35
    assert abs(wrap(last.heading - 2.0)) <= np.radians(15.1)


def test_the_way_is_about_as_long_as_the_path(explored: GridWorld) -> None:
    expected = explored.path_to(FAR_ROOM).length
    positions = np.array([explored.position(), *(p.position for p in driven(explored, FAR_ROOM))])
    assert np.sum(np.linalg.norm(np.diff(positions, axis=0), axis=1)) < 1.2 * expected


def test_an_obstacle_that_the_map_does_not_show_is_driven_around(explored: GridWorld) -> None:
    x, y, _ = explored.position()
    hidden = np.zeros_like(explored.walls)
    middle = explored.path_to(FAR_ROOM).points[60]
    row, column = int(middle[1] / CELL), int(middle[0] / CELL)
    hidden[row : row + 2, column : column + 2] = True
    world = GridWorld(explored.walls, (x, y, 0.0), hidden)
    world.known[:] = True
    assert driven(world, FAR_ROOM)[-1].outcome == "arrived"


def test_a_goal_that_is_not_known_to_be_reachable_is_refused_with_the_reason() -> None:
    world = GridWorld(walls_of(APARTMENT, 4), START)
    world.step("look")
    only = driven(world, FAR_ROOM)
    assert [(p.outcome, p.reason) for p in only] == [("stuck", "unreachable")]


def test_the_same_goals_are_driven_to_as_often_as_they_are_wanted(explored: GridWorld) -> None:
    """What a task has driven before, back and forth, says nothing against a way."""
    body = SteppedBody(explored, explored)
    body.begin(10_000)
    here: Point = explored.position()
    for _ in range(12):
        for goal in (FAR_ROOM, here):
            assert ended(body.drive(goal)) == ""
    assert body.n_steps > 1000


def test_a_drive_ends_with_its_steps(explored: GridWorld) -> None:
    progress = driven(explored, FAR_ROOM, max_steps=5)
    assert len(progress) == 6
    assert (progress[-1].outcome, progress[-1].reason) == ("stuck", "no steps left of 5")


class Wall:
    """A robot that never moves, and a memory that promises a free path all the same."""

    def position(self) -> Point:
        return (0.0, 0.0, 0.0)

    def heading(self) -> float:
        return 0.0

    def step(self, action: Action) -> StepResult:
        return StepResult(action == "move_forward", 1)

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        return KnownPath(np.array([[0.0, 0.0, 0.0], goal]), 3.0)


def test_a_robot_that_cannot_move_gives_up() -> None:
    wall = Wall()
    last = list(drive_to(Driver(wall, wall, 10_000), (3.0, 0.0, 0.0)))[-1]
    assert last.outcome == "stuck"
    assert "obstacles" in last.reason


@pytest.mark.parametrize(
    ("goal", "there"),
    [
        ((0.1, 0.0, 0.0), True),
        ((0.1, 0.0, 1.8), True),  # a thing on a shelf
        ((0.3, 0.0, 0.0), False),
        ((0.1, 0.0, 2.7), False),  # the floor above
        ((0.1, 0.0, -0.9), False),  # a shelf on the floor below
    ],
)
def test_only_what_is_on_its_floor_is_reached(goal: Point, there: bool) -> None:
    assert is_at((0.0, 0.0, 0.0), goal, 0.25) == there
    assert is_at((0.0, 0.0, 5.4), (goal[0], goal[1], goal[2] + 5.4), 0.25) == there
