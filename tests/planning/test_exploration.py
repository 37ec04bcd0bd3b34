"""Exploring ends, and ends with everything reachable seen, whatever stands in the way; in a flat world with an independent map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grid_world import APARTMENT, CELL, GridWorld, walls_of
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.planning.exploration import ExplorationParameters, ExplorationProgress, explore
from loci.planning.protocols import Action, KnownFrontier, KnownPath, KnownRoom, MemoryReader, Point, Robot, StepResult

STARTS = [(2.0, 1.5, 0.0), (6.0, 4.2, 0.0), (11.0, 7.5, 0.0), (14.0, 2.0, 0.0)]


def finished(world: GridWorld, parameters: ExplorationParameters | None = None) -> ExplorationProgress:
    robot: Robot = world
    memory: MemoryReader = world
    return list(explore(memory, robot, parameters))[-1]


def share_seen(world: GridWorld) -> float:
    """Share of the free floor that was seen."""
    return float(np.mean(world.known[~world.walls]))


@pytest.mark.parametrize("start", STARTS)
def test_six_rooms_are_explored_whole_in_few_steps(start: Point) -> None:
    world = GridWorld(walls_of(APARTMENT, 4), start)  # 106 m2, doors of 0.8 m
    progress = finished(world)
    assert progress.outcome == "complete"
    assert share_seen(world) > 0.98
    assert progress.n_steps < 450
    assert progress.n_collisions < 15
    assert progress.n_frontiers == 0


def test_doors_of_sixty_centimetres_are_passed() -> None:
    world = GridWorld(walls_of(APARTMENT, 3), (2.0, 1.5, 0.0))  # 0.2 m are left for the middle of the robot
    progress = finished(world)
    assert progress.outcome == "complete"
    assert share_seen(world) > 0.95


def test_exploring_twice_takes_the_same_way() -> None:
    ways = []
    for _ in range(2):
        world = GridWorld(walls_of(APARTMENT, 4), STARTS[0])
        ways.append([(p.position, p.heading) for p in explore(world, world)])
    assert ways[0] == ways[1]


def test_obstacles_that_the_map_takes_for_floor_are_driven_around(rng: np.random.Generator) -> None:
    """Glass edges and cables: only contact tells of them."""
    walls = walls_of(APARTMENT, 4)
    hidden = np.zeros_like(walls)
    for _ in range(15):
        row, column = rng.integers(0, walls.shape[0] - 3), rng.integers(0, walls.shape[1] - 3)
        hidden[row : row + 3, column : column + 3] = True
    hidden[5:26, 10:31] = False  # around the start
    world = GridWorld(walls, (2.0, 1.5, 0.0), hidden)
    progress = finished(world)
    assert progress.outcome == "complete"
    assert 0 < progress.n_collisions < 80
    assert np.mean(world.known[world.reachable((2.0, 1.5))]) > 0.97


def test_a_glass_door_is_given_up_not_hammered_at() -> None:
    walls = np.zeros((40, 80), dtype=bool)
    walls[[0, -1], :] = walls[:, [0, -1]] = True
    walls[:16, 40] = walls[24:, 40] = True
    hidden = np.zeros_like(walls)
    hidden[16:24, 41:43] = True
    world = GridWorld(walls, (1.5, 2.0, 0.0), hidden, view_range=3.0)
    progress = finished(world)
    assert progress.outcome == "complete"
    assert progress.n_given_up > 0
    assert 0 < progress.n_collisions < 60
    assert progress.n_steps < 600


def test_a_frontier_that_stays_after_it_was_looked_at_is_given_up() -> None:
    """A mirror, or a pit: the border is there however often it is looked at."""

    class Mirror(GridWorld):
        def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
            stays = KnownFrontier(
                "frontier/mirror", (3.0, 2.0, 0.0), (3.4, 2.0, 0.0), (1.0, 0.0, 0.0), 0.5, abs(self.position()[0] - 3.0)
            )
            return (*super().known_frontiers(position), stays)

    walls = np.zeros((40, 40), dtype=bool)
    walls[[0, -1], :] = walls[:, [0, -1]] = True
    world = Mirror(walls, (1.0, 2.0, 0.0))
    progress = finished(world)
    assert progress.outcome == "complete"
    assert progress.n_steps < 60
    assert np.hypot(progress.position[0] - 3.0, progress.position[1] - 2.0) < 1.0  # it went there to look


def test_a_robot_that_cannot_move_gives_up() -> None:
    class Held(GridWorld):
        def step(self, action: Action) -> StepResult:
            result = super().step("look" if action == "move_forward" else action)
            return replace(result, collided=action == "move_forward")

    world = Held(walls_of(APARTMENT, 4), STARTS[0])
    progress = finished(world)
    assert progress.outcome == "complete"
    assert progress.n_given_up > 0
    assert progress.n_steps < 300


def test_a_memory_without_paths_ends_the_exploration() -> None:
    class Lost(GridWorld):
        def path_to(
            self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
        ) -> KnownPath:
            return KnownPath(np.empty((0, 3)), 0.0, "unreachable")

    assert finished(Lost(walls_of(APARTMENT, 4), STARTS[0])).n_steps < 60


def test_unreachable_frontiers_are_left_alone() -> None:
    class Behind(GridWorld):
        def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
            return tuple(replace(f, path_length=-1.0) for f in super().known_frontiers(position))

    progress = finished(Behind(walls_of(APARTMENT, 4), STARTS[0]))
    assert (progress.outcome, progress.n_collisions, progress.n_frontiers) == ("complete", 0, 0)
    assert progress.n_steps <= 12  # looked around, nothing more


def test_the_number_of_steps_is_kept() -> None:
    world = GridWorld(walls_of(APARTMENT, 4), STARTS[0])
    progress = finished(world, ExplorationParameters(max_steps=50))
    assert (progress.n_steps, progress.outcome) == (50, "out of steps")


def test_a_memory_that_takes_nothing_in_is_reported() -> None:
    class Deaf(GridWorld):
        newest_stamp_ns = 0  # type: ignore[assignment]

        def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
            return ()

    assert finished(Deaf(walls_of(APARTMENT, 4), STARTS[0])).outcome == "nothing seen"


def test_rooms_are_looked_at_from_their_middle() -> None:
    walls = walls_of(APARTMENT, 4)
    rooms = tuple(
        KnownRoom(f"room/{i}", "", 0.0, (x, y, 0.0), 16.0) for i, (x, y) in enumerate([(2.6, 1.6), (13.2, 7.0)])
    )

    def nearest_views(visit_rooms: bool) -> list[float]:
        world = GridWorld(walls, STARTS[1])
        world.rooms = rooms
        way = np.array([p.position[:2] for p in explore(world, world, ExplorationParameters(visit_rooms=visit_rooms))])
        return [float(np.min(np.hypot(*(way - r.position[:2]).T))) for r in rooms]

    assert max(nearest_views(True)) < 0.7
    assert max(nearest_views(False)) > 0.7  # else this proves nothing


def test_progress_counts_up_and_stopping_early_stops_the_robot() -> None:
    world = GridWorld(walls_of(APARTMENT, 4), STARTS[0])
    steps = []
    for progress in explore(world, world):
        steps.append(progress.n_steps)
        if progress.n_steps == 30:
            break
    assert steps == list(range(1, 31))
    assert world.newest_stamp_ns == 30 * 100_000_000


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_clutter_is_explored_as_far_as_the_robot_gets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    walls = np.zeros((50, 50), dtype=bool)
    walls[[0, -1], :] = walls[:, [0, -1]] = True
    for _ in range(8):
        row, column = rng.integers(0, 42, size=2)
        height, width = rng.integers(2, 12, size=2)
        walls[row : row + height, column : column + width] = True
    walls[20:31, 20:31] = False
    world = GridWorld(walls, (2.5, 2.5, 0.0))
    progress = finished(world, ExplorationParameters(max_steps=1000))
    assert progress.outcome == "complete"
    left = [f for f in world.known_frontiers() if f.path_length >= 0]
    assert sum(f.area for f in left) < 0.05 * walls.size * CELL**2


@pytest.mark.parametrize(
    "values", [{"max_steps": 0}, {"reconsider_steps": 0}, {"field_of_view": 0.1}, {"field_of_view": 7.0}]
)
def test_parameters_that_mean_nothing_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ExplorationParameters(**values)  # type: ignore[arg-type]
