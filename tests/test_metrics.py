"""Measures against values worked out by hand from the papers' formulas, against independent references, and on recorded walks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.metrics import (
    NO_ANSWER,
    conditional_success_by_path,
    conditional_success_rate,
    dtw,
    hops,
    independent_success_rate,
    llm_match,
    llm_match_efficiency,
    ndtw,
    ndtw_of_distances,
    scores_of_marks,
    sdtw,
    shortest_path_distance,
    spl_of_each,
    task_completion_of_each,
)
from loci.spatial.street import StreetGraph, StreetRoute, broken_routes, neighbours_of, read_routes, read_street_graph

way = st.floats(0.0, 100.0)
#: a - b - c - d, and a way back from d to a only.
RING = {"a": ["b"], "b": ["c"], "c": ["d"], "d": ["a"], "island": []}

# --- Street navigation


def test_ends_at_the_goal_or_next_to_it_complete_the_task() -> None:
    finals, goals = ["c", "d", "b", "island"], ["c", "c", "c", "c"]
    assert task_completion_of_each(finals, goals, RING).tolist() == [True, True, False, False]


def test_hops_are_links_in_their_direction() -> None:
    assert [hops("a", goal, RING) for goal in "abcd"] == [0, 1, 2, 3]
    assert hops("d", "c", RING) == 3 and hops("a", "island", RING) == math.inf
    assert shortest_path_distance(["a", "d"], ["c", "c"], RING) == 2.5


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25), st.integers(0, 9), st.integers(0, 9))
def test_hops_are_those_of_networkx(links: list[tuple[int, int]], start: int, goal: int) -> None:
    graph = nx.DiGraph(links)
    graph.add_nodes_from(range(10))
    neighbours = {str(n): [str(m) for m in graph[n]] for n in graph}
    expected = nx.shortest_path_length(graph, start, goal) if nx.has_path(graph, start, goal) else math.inf
    assert hops(str(start), str(goal), neighbours) == expected


def test_walkers_that_cannot_be_measured_are_refused() -> None:
    with pytest.raises(KeyError, match="'nowhere'"):
        task_completion_of_each(["nowhere"], ["a"], RING)
    with pytest.raises(ValueError, match="a goal for each end"):
        shortest_path_distance(["a"], [], RING)
    with pytest.raises(ValueError, match="got none"):
        shortest_path_distance([], [], RING)


# --- Fidelity to a path

point = st.tuples(st.floats(-50, 50), st.floats(-50, 50))
points = st.lists(point, min_size=1, max_size=7).map(np.array)


def least_warping(d: np.ndarray, i: int = 0, j: int = 0) -> float:
    """DTW by its definition: the least of all warpings, one by one."""
    n, m = d.shape
    if (i, j) == (n - 1, m - 1):
        return float(d[i, j])
    steps = [(a, b) for a, b in ((i + 1, j), (i, j + 1), (i + 1, j + 1)) if a < n and b < m]
    return float(d[i, j]) + min(least_warping(d, a, b) for a, b in steps)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_dtw_is_the_least_of_all_warpings(n: int, m: int, seed: int) -> None:
    d = np.random.default_rng(seed).uniform(0, 10, (n, m))
    assert dtw(d) == pytest.approx(least_warping(d))


def test_ndtw_by_hand() -> None:
    reference = [[0.0, 0.0], [3.0, 0.0], [6.0, 0.0]]
    # One point beside each of the reference's, 1 m off: DTW = 3, |R| d_th = 9.
    assert ndtw([[0.0, 1.0], [3.0, 1.0], [6.0, 1.0]], reference) == pytest.approx(math.exp(-1 / 3))
    # Stopped at the start: DTW = 0 + 3 + 6.
    assert ndtw([[0.0, 0.0]], reference) == pytest.approx(math.exp(-1))
    assert ndtw([[0.0, 0.0]], reference, distance=9.0) == pytest.approx(math.exp(-1 / 3))
    assert sdtw(True, [[0.0, 0.0]], reference) == pytest.approx(math.exp(-1))
    assert sdtw(False, reference, reference) == 0.0
    assert ndtw_of_distances([[0.0, 9.0]]) == pytest.approx(math.exp(-9 / 6))


@given(points, points)
def test_ndtw_is_one_only_on_the_reference(path: np.ndarray, reference: np.ndarray) -> None:
    assert ndtw(reference, reference) == 1.0
    assert 0.0 <= ndtw(path, reference) <= 1.0
    assert ndtw(np.repeat(reference, 2, axis=0), reference) == 1.0  # standing still costs nothing


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ndtw(np.zeros((0, 2)), [[0.0, 0.0]]), "N and M > 0"),
        (lambda: ndtw([[0.0, math.nan]], [[0.0, 0.0]]), "finite"),
        (lambda: ndtw([[0.0]], [[0.0, 0.0]]), "path \\(N, D\\)"),
        (lambda: ndtw([[0.0]], [[0.0]], distance=0.0), "threshold > 0 m, got 0"),
        (lambda: dtw([[-1.0]]), "not negative"),
    ],
)
def test_paths_that_cannot_be_compared_are_refused(call: Callable[[], float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- SPL


def test_spl_takes_arrays() -> None:
    np.testing.assert_allclose(
        spl_of_each(np.array([True, False]), np.array([1.0, 1.0]), np.array([4.0, 1.0])), [0.25, 0.0]
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1.0], [1.0, 2.0], [1.0]), "columns of one length"),
        (([1.0], [math.inf], [1.0]), "shortest that is finite"),
        (([1.0], [1.0], [-1.0]), "travelled that is finite and not negative, got -1"),
        (([1.0], [1.0], [math.nan]), "travelled that is finite"),
    ],
)
def test_ways_that_cannot_be_are_refused(columns: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spl_of_each(*columns)


# --- LLM-Match


def test_llm_match_by_hand() -> None:
    assert scores_of_marks([1, 2, 3, 4, 5]).tolist() == [0.0, 25.0, 50.0, 75.0, 100.0]
    assert llm_match([5, 3, 1, NO_ANSWER]) == pytest.approx(37.5)
    # 100 * 4 / 8, 50 * 1, 0.
    assert llm_match_efficiency([5, 3, 1], [4, 4, 4], [8, 2, 4]) == pytest.approx((50 + 50 + 0) / 3)


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.1, 50), way), min_size=1))
def test_efficiency_is_at_most_correctness(answers: list[tuple[int, float, float]]) -> None:
    marks, shortest, travelled = (list(column) for column in zip(*answers, strict=True))
    assert 0.0 <= llm_match_efficiency(marks, shortest, travelled) <= llm_match(marks) + 1e-9 <= 100.0 + 1e-9


@pytest.mark.parametrize("marks", [[], [6], [-1], [math.nan], [[1, 2]]])
def test_what_is_no_mark_is_refused(marks: list[Any]) -> None:
    with pytest.raises(ValueError, match="expected marks"):
        llm_match(marks)


# --- Rows of subtasks (LH-VLN)


def test_lh_vln_measures_have_their_check_values() -> None:
    assert independent_success_rate([[True, False, True]]) == pytest.approx(2 / 3)
    assert conditional_success_rate([[True, False, True]]) == pytest.approx(4 / 9)
    assert conditional_success_by_path([[True, False, True]], [[5, 10, 5]]) == pytest.approx(1 / 3)


def test_isr_counts_subtasks_and_csr_tasks() -> None:
    tasks = [[True], [False, False, False]]
    assert independent_success_rate(tasks) == 0.25
    assert conditional_success_rate(tasks) == 0.5


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=5), min_size=1, max_size=5))
def test_csr_and_cgt_are_shares_that_are_one_only_when_all_succeed(tasks: list[list[bool]]) -> None:
    csr = conditional_success_rate(tasks)
    cgt = conditional_success_by_path(tasks, [[2.0] * len(t) for t in tasks])
    assert 0.0 <= csr <= 1.0 + 1e-12
    assert cgt == pytest.approx(csr)  # Equal ways weigh equally.
    assert (csr == pytest.approx(1.0)) == all(map(all, tasks))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: independent_success_rate([]), "tasks of one subtask or more"),
        (lambda: conditional_success_rate([[True], []]), "tasks of one subtask or more"),
        (lambda: conditional_success_by_path([[True]], [[1.0, 2.0]]), "a length for each subtask"),
        (lambda: conditional_success_by_path([[True]], [[0.0]]), "sum is above 0"),
        (lambda: conditional_success_by_path([[True, True]], [[2.0, -1.0]]), "not negative"),
    ],
)
def test_lh_vln_measures_refuse_what_has_no_value(call: Callable[[], float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- Walks over a real city


@pytest.fixture(scope="module")
def city(street: Path) -> StreetGraph:
    return read_street_graph(street / "nodes.txt", street / "links.txt")


@pytest.fixture(scope="module")
def routes(street: Path) -> tuple[StreetRoute, ...]:
    return read_routes(street / "map2seq_dev.jsonl")


def test_every_recorded_route_can_be_walked(city: StreetGraph, routes: tuple[StreetRoute, ...]) -> None:
    assert len(city.names) == 29641 and len(city.links) == 61319 and len(routes) == 800
    neighbours = neighbours_of(city)
    assert broken_routes(neighbours, routes) == ()
    a, *_, z = routes[0].nodes
    jump = StreetRoute("jump", (*routes[0].nodes, a))
    assert [(b.id, b.source, b.target) for b in broken_routes(neighbours, [jump, routes[1]])] == [("jump", z, a)]


def test_perfect_stopped_and_random_walkers_come_out_as_they_must(
    city: StreetGraph, routes: tuple[StreetRoute, ...], rng: np.random.Generator
) -> None:
    """Who walks the route, who stops half way, and who turns as chance will, on 100 recorded routes."""
    neighbours, at = neighbours_of(city), dict(zip(city.names, city.positions, strict=True))
    chosen = routes[:100]
    goals = [r.nodes[-1] for r in chosen]

    def at_random(route: StreetRoute) -> list[str]:
        nodes = [route.nodes[0]]
        while len(nodes) < len(route.nodes) and neighbours[nodes[-1]]:
            nodes.append(str(rng.choice(neighbours[nodes[-1]])))
        return nodes

    def measured(walks: list[list[str]]) -> tuple[float, float, float, float, float]:
        """TC, SPD, nDTW, SDTW, SPL."""
        done = task_completion_of_each([w[-1] for w in walks], goals, neighbours)
        paths = [np.array([at[n] for n in w]) for w in walks]
        references = [np.array([at[n] for n in r.nodes]) for r in chosen]
        length = [float(np.linalg.norm(np.diff(p, axis=0), axis=1).sum()) for p in paths]
        true_length = [float(np.linalg.norm(np.diff(p, axis=0), axis=1).sum()) for p in references]
        return (
            float(done.mean()),
            shortest_path_distance([w[-1] for w in walks], goals, neighbours),
            float(np.mean([ndtw(p, r) for p, r in zip(paths, references, strict=True)])),
            float(np.mean([sdtw(bool(s), p, r) for s, p, r in zip(done, paths, references, strict=True)])),
            float(spl_of_each(done, true_length, length).mean()),
        )

    perfect = measured([list(r.nodes) for r in chosen])
    stopped = measured([list(r.nodes[: len(r.nodes) // 2]) for r in chosen])
    random = measured([at_random(r) for r in chosen])
    assert perfect == (1.0, 0.0, 1.0, 1.0, 1.0)
    assert stopped[0] == stopped[3] == stopped[4] == 0.0
    assert 10 < stopped[1] < random[1]
    assert 0.0 < stopped[2] < 1e-3
    assert random[0] <= 0.05 and random[3] <= 0.05 and random[4] <= 0.05
    # A few routes lead through the same crossing again: no way to the goal is longer than the rest of the route.
    for r in chosen:
        assert hops(r.nodes[len(r.nodes) // 2], r.nodes[-1], neighbours) <= len(r.nodes) - 1 - len(r.nodes) // 2
