"""Paths against networkx on random maps, and what a path must keep to."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spatial_worlds import apartment, map_from_text

from loci.spatial import grid_kernels
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from loci.spatial.paths import find_path, line_of_sight, path_lengths


def plan() -> OccupancyMap:
    return apartment().plan(0.05, (0.0, 0.0), (160, 160))


def random_map(seed: int, share: float, n: int = 25) -> OccupancyMap:
    rng = np.random.default_rng(seed)
    cells = rng.choice(
        np.array([FREE, OCCUPIED, UNKNOWN], dtype=np.int8), size=(n, n), p=[1 - share, share * 0.7, share * 0.3]
    )
    return OccupancyMap(cells, (-1.0, 2.0), 0.1)


def graph_of(costs: np.ndarray) -> nx.Graph:
    graph = nx.Graph()
    for r, c in np.argwhere(np.isfinite(costs)):
        graph.add_node((r, c))
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
            a, b = r + dr, c + dc
            if (
                0 <= a < costs.shape[0]
                and 0 <= b < costs.shape[1]
                and np.isfinite([costs[a, b], costs[r, b], costs[a, c]]).all()
            ):
                graph.add_edge((r, c), (a, b), weight=np.hypot(dr, dc) * 0.5 * (costs[r, c] + costs[a, b]))
    return graph


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.4), st.booleans())
def test_cheapest_paths_are_those_of_networkx(seed: int, share: float, guided: bool) -> None:
    rng = np.random.default_rng(seed)
    costs = np.where(rng.random((20, 20)) < share, np.inf, rng.uniform(1, 4, (20, 20))).astype(np.float32)
    costs[0, 0] = costs[17, 16] = 1.0
    cost, length, previous = grid_kernels.shortest_paths(costs, 0, np.array([17 * 20 + 16]), guided)
    graph = graph_of(costs.astype(np.float64))
    if not nx.has_path(graph, (0, 0), (17, 16)):
        assert np.isinf(cost[17 * 20 + 16])
        return
    assert cost[17 * 20 + 16] == pytest.approx(nx.dijkstra_path_length(graph, (0, 0), (17, 16)), rel=1e-6)
    cells = [17 * 20 + 16]
    while previous[cells[-1]] >= 0:
        cells.append(int(previous[cells[-1]]))
    steps = np.diff(np.stack(np.divmod(np.array(cells), 20), axis=1), axis=0)
    assert cells[-1] == 0 and length[cells[0]] == pytest.approx(np.linalg.norm(steps, axis=1).sum(), rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.35))
@example(2286, 0.234375)  # a straightened stretch that grazed a corner
def test_a_path_is_free_connected_and_no_longer_than_needed(seed: int, share: float) -> None:
    map_ = random_map(seed, share)
    start, goal = map_.center_of([1, 1]), map_.center_of([22, 20])
    result = find_path(map_, start, goal, robot_radius=0.0)
    if result.reason:
        assert result.points.shape == (0, 2) and result.length == 0.0
        return
    np.testing.assert_allclose(result.points[-1], goal)
    np.testing.assert_allclose(result.points[0], start)
    assert result.length == pytest.approx(np.linalg.norm(np.diff(result.points, axis=0), axis=1).sum())
    assert result.length >= np.linalg.norm(goal - start) - 1e-9
    along = np.concatenate(
        [a + np.linspace(0, 1, 50)[:, None] * (b - a) for a, b in zip(result.points, result.points[1:], strict=False)]
    )
    at_start = np.linalg.norm(along - start, axis=1) < 0.55  # the robot may stand where the map is wrong
    assert np.all(map_.at(along[~at_start]) == FREE)


def test_a_path_goes_through_doors_with_clearance_and_its_length_is_that_of_the_lengths_query() -> None:
    map_ = plan()
    result = find_path(map_, (1.0, 1.0), (7.0, 6.5), robot_radius=0.2)
    assert result.reason == "" and result.clearance >= 0.2
    assert 8.5 < result.length < 11.0  # straight: 8.1 m
    doors = [(1.5, 3.5), (5.0, 4.7)]
    for door in doors:
        assert np.min(np.linalg.norm(densely(result.points) - door, axis=1)) < 0.3
    (length,) = path_lengths(map_, (1.0, 1.0), np.array([[7.0, 6.5]]))
    assert length == pytest.approx(result.length, rel=0.1)


def densely(points: np.ndarray) -> np.ndarray:
    parts = [a + np.linspace(0, 1, 100)[:, None] * (b - a) for a, b in itertools.pairwise(points)]
    return np.concatenate(parts)


def test_in_the_open_a_path_is_straight_and_beside_walls_it_keeps_off() -> None:
    open_map = OccupancyMap(np.full((100, 100), FREE, dtype=np.int8), (0.0, 0.0), 0.05)
    result = find_path(open_map, (0.5, 0.5), (4.4, 2.1))
    assert result.length == pytest.approx(np.hypot(3.9, 1.6), rel=0.01) and len(result.points) == 2
    map_ = plan()
    along_wall = find_path(map_, (0.4, 4.1), (7.6, 4.1))
    assert along_wall.clearance > 0.3


@pytest.mark.parametrize(
    ("start", "goal", "reason"),
    [
        ((0.25, 0.25), (0.25, 0.65), ""),
        ((0.25, 0.25), (0.75, 0.25), "goal in obstacle"),
        ((0.25, 0.25), (1.65, 0.25), "goal unknown"),
        ((0.25, 0.25), (9.0, 0.25), "goal off the map"),
        ((0.25, 0.25), (1.25, 0.25), "unreachable"),
        ((3.25, 0.25), (0.25, 0.25), "start unknown"),
        ((9.0, 0.25), (0.25, 0.25), "start off the map"),
    ],
)
def test_no_path_says_why(start: tuple[float, float], goal: tuple[float, float], reason: str) -> None:
    lines = ["......##......????????????????????"] * 8
    map_ = map_from_text("\n".join(lines))
    assert find_path(map_, start, goal, robot_radius=0.0).reason == reason


def test_a_start_deep_in_an_obstacle_is_refused_but_beside_one_it_is_moved() -> None:
    map_ = map_from_text("\n".join(["....####################"] * 8))
    assert find_path(map_, (2.0, 0.4), (0.1, 0.1), robot_radius=0.0).reason == "start in obstacle"
    moved = find_path(map_, (0.45, 0.4), (0.05, 0.1), robot_radius=0.1)
    assert moved.reason == "" and moved.points[0].tolist() == [0.45, 0.4]


def test_a_start_is_not_moved_through_a_wall() -> None:
    cells = np.full((40, 40), FREE, dtype=np.int8)
    cells[:, 20] = OCCUPIED
    cells[:, 21:27] = UNKNOWN  # right of the wall nothing is known next to the robot
    map_ = OccupancyMap(cells, (0.0, 0.0), 0.05)
    result = find_path(map_, (1.1, 1.0), (1.8, 1.0), robot_radius=0.1)
    assert result.reason == "" and result.points[1][0] > 1.05


def test_tolerance_accepts_the_nearest_reachable_point() -> None:
    map_ = plan()
    on_the_table = (1.9, 2.0)
    assert find_path(map_, (1.0, 0.5), on_the_table).reason == "goal in obstacle"
    result = find_path(map_, (1.0, 0.5), on_the_table, tolerance=1.0)
    assert result.reason == "" and 0.3 < np.linalg.norm(result.points[-1] - on_the_table) < 0.75
    assert find_path(map_, (1.0, 0.5), on_the_table, tolerance=0.1).reason == "goal in obstacle"


def test_lengths_of_many_goals_come_from_one_search() -> None:
    map_ = plan()
    goals = np.array([[7.0, 6.5], [1.0, 0.5], [1.9, 2.0], [50.0, 50.0], [1.0, 6.0]])
    lengths = path_lengths(map_, (1.0, 1.0), goals)
    assert lengths[2] == lengths[3] == -1.0 and lengths[1] == pytest.approx(0.5, abs=0.05)
    assert lengths[0] > 8.0 and lengths[4] > 5.0
    assert path_lengths(map_, (50.0, 50.0), goals).tolist() == [-1.0] * 5
    assert path_lengths(map_, (1.0, 1.0), np.zeros((0, 2))).shape == (0,)


def test_a_robot_too_wide_for_the_doors_stays_in_its_room() -> None:
    assert find_path(plan(), (1.0, 1.0), (1.0, 6.0), robot_radius=0.48).reason == "unreachable"


def test_sight_ends_at_obstacles_and_passes_the_unknown() -> None:
    map_ = map_from_text("....\n.##.\n.??.\n....")
    targets = np.array([[0.35, 0.05], [0.35, 0.15], [0.05, 0.35], [0.35, 0.35]])
    assert line_of_sight(map_, (0.05, 0.05), targets).tolist() == [True, True, True, False]


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="finite goal"):
        find_path(plan(), (0.0, 0.0), (np.nan, 0.0))
    with pytest.raises(ValueError, match="tolerance"):
        find_path(plan(), (0.0, 0.0), (1.0, 0.0), tolerance=-1.0)
    empty = OccupancyMap(np.zeros((0, 0), dtype=np.int8), (0.0, 0.0), 0.05)
    assert find_path(empty, (0.0, 0.0), (1.0, 0.0)).reason == "start off the map"
