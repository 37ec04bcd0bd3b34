"""Shortest paths on a cost grid, compiled by numba: what a Python loop over cells would be too slow for."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True, nogil=True)
def _sift_up(heap: npt.NDArray[np.int64], place: npt.NDArray[np.int64], key: npt.NDArray[np.float64], i: int) -> None:
    node = heap[i]
    while i > 0:
        parent = (i - 1) >> 1
        if key[heap[parent]] <= key[node]:
            break
        heap[i] = heap[parent]
        place[heap[i]] = i
        i = parent
    heap[i] = node
    place[node] = i


@numba.njit(cache=True, nogil=True)
def _sift_down(heap: npt.NDArray[np.int64], place: npt.NDArray[np.int64], key: npt.NDArray[np.float64], n: int) -> None:
    node = heap[0]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and key[heap[child + 1]] < key[heap[child]]:
            child += 1
        if key[node] <= key[heap[child]]:
            break
        heap[i] = heap[child]
        place[heap[i]] = i
        i = child
    heap[i] = node
    place[node] = i


@numba.njit(cache=True, nogil=True)
def shortest_paths(
    costs: npt.NDArray[np.float32], start: int, goals: npt.NDArray[np.int64], guided: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Cheapest paths over a grid with eight neighbours, from one cell until all goals are reached (Dijkstra, A*).

    Args:
        costs: (H, W) float32, cost of one cell edge of way, >= 1; infinite: impassable.
        start: flat index.
        goals: (G,) flat indices.
        guided: A* towards the single goal.

    Returns:
        cost from the start (H * W,), infinite where not reached; length of that path in cell edges; predecessor (-1: none).
    """
    height, width = costs.shape
    n_cells = height * width
    cost = np.full(n_cells, np.inf)
    key = np.full(n_cells, np.inf)
    length = np.zeros(n_cells, dtype=np.float32)
    previous = np.full(n_cells, -1, dtype=np.int32)
    heap = np.empty(n_cells, dtype=np.int64)
    place = np.full(n_cells, -1, dtype=np.int64)  # in the heap; -1 never, -2 done
    wanted = np.zeros(n_cells, dtype=np.bool_)
    n_wanted = 0
    for goal in goals:
        if not wanted[goal]:
            wanted[goal] = True
            n_wanted += 1
    goal_row, goal_column = goals[0] // width, goals[0] % width
    cost[start], key[start] = 0.0, 0.0
    heap[0], place[start], n_open = start, 0, 1
    while n_open > 0 and n_wanted > 0:
        cell = heap[0]
        n_open -= 1
        place[cell] = -2
        if n_open > 0:
            heap[0] = heap[n_open]
            place[heap[0]] = 0
            _sift_down(heap, place, key, n_open)
        if wanted[cell]:
            wanted[cell] = False
            n_wanted -= 1
        row, column = cell // width, cell % width
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, column + dc
                if (dr == 0 and dc == 0) or r < 0 or c < 0 or r >= height or c >= width:
                    continue
                if not np.isfinite(costs[r, c]):
                    continue
                if dr != 0 and dc != 0 and not (np.isfinite(costs[row, c]) and np.isfinite(costs[r, column])):
                    continue
                other = r * width + c
                if place[other] == -2:
                    continue
                way = 1.4142135623730951 if dr != 0 and dc != 0 else 1.0
                new_cost = cost[cell] + way * 0.5 * (costs[row, column] + costs[r, c])
                if new_cost >= cost[other]:
                    continue
                cost[other] = new_cost
                length[other] = length[cell] + way
                previous[other] = cell
                estimate = 0.0
                if guided:
                    a, b = abs(r - goal_row), abs(c - goal_column)
                    estimate = max(a, b) + 0.4142135623730951 * min(a, b)
                key[other] = new_cost + estimate
                if place[other] < 0:
                    heap[n_open] = other
                    place[other] = n_open
                    n_open += 1
                _sift_up(heap, place, key, place[other])
    return cost, length, previous


@numba.njit(cache=True, nogil=True)
def _is_clear(costs: npt.NDArray[np.float32], r: int, c: int, r_end: int, c_end: int) -> bool:
    """Whether every cell that the line between two cells' centres touches is passable."""
    n_r, n_c = abs(r_end - r), abs(c_end - c)
    step_r, step_c = (1 if r_end > r else -1), (1 if c_end > c else -1)
    done_r, done_c = 0, 0
    while done_r < n_r or done_c < n_c:
        # Which border comes first: (1/2 + done_r) / n_r against (1/2 + done_c) / n_c, in whole numbers.
        first = (1 + 2 * done_r) * n_c - (1 + 2 * done_c) * n_r
        if first == 0 and not (np.isfinite(costs[r + step_r, c]) and np.isfinite(costs[r, c + step_c])):
            return False  # through a corner: as a diagonal step, only if both cells beside it are passable
        if first <= 0:
            r += step_r
            done_r += 1
        if first >= 0:
            c += step_c
            done_c += 1
        if not np.isfinite(costs[r, c]):
            return False
    return True


@numba.njit(cache=True, nogil=True)
def straighten(
    cells: npt.NDArray[np.int64], costs: npt.NDArray[np.float32], cost: npt.NDArray[np.float64], reach: int
) -> npt.NDArray[np.int64]:
    """Indices of the cells of a path that remain when stretches are replaced by straight lines that cost no more.

    Args:
        cells: (N, 2) rows and columns along the path.
        costs: (H, W) as in `shortest_paths`.
        cost: (N,) cost from the start to each cell along the path.
        reach: longest stretch in cells.
    """
    n = cells.shape[0]
    kept = np.empty(n, dtype=np.int64)
    kept[0], n_kept, i = 0, 1, 0
    while i < n - 1:
        best = i + 1
        for j in range(min(i + reach, n - 1), i + 1, -1):
            if not _is_clear(costs, cells[i, 0], cells[i, 1], cells[j, 0], cells[j, 1]):
                continue
            dr, dc = float(cells[j, 0] - cells[i, 0]), float(cells[j, 1] - cells[i, 1])
            way = np.sqrt(dr * dr + dc * dc)
            n_samples = int(2.0 * way) + 1
            total = 0.0
            for s in range(n_samples + 1):
                r = int(np.floor(cells[i, 0] + dr * s / n_samples + 0.5))
                c = int(np.floor(cells[i, 1] + dc * s / n_samples + 0.5))
                total += costs[r, c]
            if total * way / (n_samples + 1) <= (cost[j] - cost[i]) * 1.001:
                best = j
                break
        kept[n_kept] = best
        n_kept += 1
        i = best
    return kept[:n_kept]


@numba.njit(cache=True, nogil=True)
def grow_labels(seeds: npt.NDArray[np.int32], within: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Give each cell of ``within`` the label of the seed that reaches it first in straight steps; 0: none does.

    Args:
        seeds: (H, W) int32, 0: none.
        within: (H, W) bool.
    """
    height, width = seeds.shape
    labels = np.zeros((height, width), dtype=np.int32)
    queue = np.empty(height * width, dtype=np.int64)
    n, head = 0, 0
    for row in range(height):
        for column in range(width):
            if seeds[row, column] > 0 and within[row, column]:
                labels[row, column] = seeds[row, column]
                queue[n] = row * width + column
                n += 1
    while head < n:
        row, column = queue[head] // width, queue[head] % width
        head += 1
        for side in range(4):
            r = row + (1 if side == 0 else -1 if side == 1 else 0)
            c = column + (1 if side == 2 else -1 if side == 3 else 0)
            if 0 <= r < height and 0 <= c < width and within[r, c] and labels[r, c] == 0:
                labels[r, c] = labels[row, column]
                queue[n] = r * width + c
                n += 1
    return labels
