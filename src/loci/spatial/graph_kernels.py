"""Cheapest ways over a graph, compiled by numba: what a Python loop over places would be too slow for."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from loci.spatial.grid_kernels import _sift_down, _sift_up


@numba.njit(cache=True, nogil=True)
def cheapest_way(
    first: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    positions: npt.NDArray[np.float64],
    metre: float,
    start: int,
    goals: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], float]:
    """Cheapest way from a node to the nearest of several goals: A* where there is one goal, else Dijkstra.

    Args:
        first: (N + 1,) the edges of node i are ``first[i]`` to ``first[i + 1]``.
        targets, weights: (M,) of the edges.
        positions: (N, 3) of the nodes [m].
        metre: no way costs less than this for a metre of straight distance.
        start: node.
        goals: (G,) nodes.

    Returns:
        nodes from start to goal, both included (none if there is no way), and the cost.
    """
    n = len(first) - 1
    is_goal = np.zeros(n, dtype=np.bool_)
    for g in goals:
        is_goal[g] = True
    guided = len(goals) == 1
    goal = goals[0]
    cost = np.full(n, np.inf)
    key = np.full(n, np.inf)
    previous = np.full(n, -1, dtype=np.int64)
    place = np.full(n, -1, dtype=np.int64)
    heap = np.empty(n, dtype=np.int64)
    cost[start] = 0.0
    key[start] = 0.0
    heap[0] = start
    place[start] = 0
    size = 1
    found = -1
    while size > 0:
        here = heap[0]
        size -= 1
        if size > 0:
            heap[0] = heap[size]
            place[heap[0]] = 0
            _sift_down(heap, place, key, size)
        place[here] = -2  # done
        if is_goal[here]:
            found = here
            break
        for e in range(first[here], first[here + 1]):
            there = targets[e]
            through = cost[here] + weights[e]
            if place[there] == -2 or through >= cost[there]:
                continue
            cost[there] = through
            previous[there] = here
            ahead = 0.0
            if guided:
                for axis in range(3):
                    ahead += (positions[there, axis] - positions[goal, axis]) ** 2
                ahead = metre * np.sqrt(ahead)
            key[there] = through + ahead
            if place[there] == -1:
                heap[size] = there
                place[there] = size
                size += 1
            _sift_up(heap, place, key, place[there])
    if found < 0:
        return np.empty(0, dtype=np.int64), np.inf
    length = 1
    node = found
    while previous[node] >= 0:
        node = previous[node]
        length += 1
    way = np.empty(length, dtype=np.int64)
    node = found
    for i in range(length - 1, -1, -1):
        way[i] = node
        node = previous[node]
    return way, cost[found]
