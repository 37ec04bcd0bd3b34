"""Measures of navigation and of answers, exactly as their papers define them; nothing here knows a scene, a graph's files or a robot.

Shares are from 0 to 1 (LLM-Match: 0 to 100). Street measures take node names, the others metres. Benchmarks with measures of their
own (ObjectNav, GOAT-Bench, KARMA, FindingDory) build on these in the simulator's evaluation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence

import numba
import numpy as np
import numpy.typing as npt

from loci.geometry import Array

#: Distance at which a point of a path counts as off the reference [m], in nDTW's own definition.
NDTW_DISTANCE = 3.0


# --- Street navigation: TC, SPD (Touchdown; Chen et al., CVPR 2019)


def task_completion_of_each(
    finals: Sequence[str], goals: Sequence[str], neighbours: Mapping[str, Collection[str]]
) -> npt.NDArray[np.bool_]:
    """Whether each of N walkers ended at its goal or at a neighbour of it, (N,); TC is the mean.

    Args:
        finals, goals: N node names.
        neighbours: names of the nodes that a link leads to, by the name of that from which it leads.

    Raises:
        ValueError: not as many goals as ends.
        KeyError: a node that the graph does not have.
    """
    _check_nodes(finals, goals, neighbours)
    return np.array([f == g or f in neighbours[g] for f, g in zip(finals, goals, strict=True)], dtype=bool)


def hops(start: str, goal: str, neighbours: Mapping[str, Collection[str]]) -> float:
    """Links on the shortest way between two nodes, each counted as 1; infinite if there is no way.

    Raises:
        KeyError: a node that the graph does not have.
    """
    _check_nodes((start,), (goal,), neighbours)
    done, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        if here == goal:
            return float(done[here])
        for there in neighbours[here]:
            if there not in done:
                done[there] = done[here] + 1
                queue.append(there)
    return float("inf")


def shortest_path_distance(
    finals: Sequence[str], goals: Sequence[str], neighbours: Mapping[str, Collection[str]]
) -> float:
    """SPD: mean number of links from where the walkers ended to their goals; infinite if one of them cannot get there.

    Args:
        finals, goals, neighbours: as of `task_completion_of_each`.

    Raises:
        ValueError: there are no walkers, or not as many goals as ends.
        KeyError: a node that the graph does not have.
    """
    _check_nodes(finals, goals, neighbours)
    if not finals:
        raise ValueError("expected walkers to measure, got none")
    return float(np.mean([hops(f, g, neighbours) for f, g in zip(finals, goals, strict=True)]))


def _check_nodes(finals: Sequence[str], goals: Sequence[str], neighbours: Mapping[str, Collection[str]]) -> None:
    if len(finals) != len(goals):
        raise ValueError(f"expected a goal for each end, got {len(finals)} ends and {len(goals)} goals")
    for node in (*finals, *goals):
        if node not in neighbours:
            raise KeyError(f"no node {node!r} in the graph")


# --- Fidelity to a path: nDTW, SDTW (Ilharco et al. 2019, arXiv 1907.05446)


def dtw(distances: npt.ArrayLike) -> float:
    """Dynamic time warping: least sum of distances over all ways to go through path and reference side by side, to the end of both.

    Args:
        distances: (N, M) of each point of the path to each point of the reference.

    Raises:
        ValueError: not (N, M) with N, M > 0, or not finite and >= 0.
    """
    d = np.ascontiguousarray(distances, dtype=np.float64)
    if d.ndim != 2 or not d.size or not np.all(np.isfinite(d)) or np.any(d < 0):
        raise ValueError(f"expected distances (N, M) that are finite and not negative, N and M > 0, got {d.shape}")
    return float(_dtw(d))


@numba.njit(cache=True, nogil=True)
def _dtw(d: Array) -> float:
    """The recursion D[i, j] = d[i, j] + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1]), row by row."""
    n, m = d.shape
    row = np.full(m + 1, np.inf)
    row[0] = 0.0
    for i in range(n):
        diagonal = row[0]
        row[0] = np.inf
        for j in range(m):
            above = row[j + 1]
            row[j + 1] = d[i, j] + min(above, row[j], diagonal)
            diagonal = above
    return float(row[m])


def ndtw(path: npt.ArrayLike, reference: npt.ArrayLike, distance: float = NDTW_DISTANCE) -> float:
    """nDTW = exp(-DTW / (|R| d_th)) with straight distances between points; say so where other distances or thresholds are used.

    Args:
        path: (N, D) [m].
        reference: (M, D) points of R [m].
        distance: d_th [m]; 3 in the definition.

    Raises:
        ValueError: shapes do not fit, a point is not finite, or the threshold is not > 0.
    """
    p, r = (np.asarray(a, dtype=np.float64) for a in (path, reference))
    if p.ndim != 2 or r.ndim != 2 or p.shape[1] != r.shape[1]:
        raise ValueError(f"expected path (N, D) and reference (M, D), got {p.shape} and {r.shape}")
    return ndtw_of_distances(np.linalg.norm(p[:, None] - r, axis=2), distance)


def ndtw_of_distances(distances: npt.ArrayLike, distance: float = NDTW_DISTANCE) -> float:
    """nDTW from distances (N, M) of the path's points to the reference's, e.g. along the ways of a graph.

    Raises:
        ValueError: as `dtw`, or the threshold is not > 0.
    """
    if not (np.isfinite(distance) and distance > 0):
        raise ValueError(f"expected a threshold > 0 m, got {distance}")
    return float(np.exp(-dtw(distances) / (np.shape(distances)[1] * distance)))


def sdtw(success: bool, path: npt.ArrayLike, reference: npt.ArrayLike, distance: float = NDTW_DISTANCE) -> float:
    """SDTW: nDTW of a walker that succeeded, 0 of one that did not; arguments and errors as of `ndtw`."""
    return float(success) * ndtw(path, reference, distance)


# --- SPL


def spl_of_each(success: npt.ArrayLike, shortest: npt.ArrayLike, travelled: npt.ArrayLike) -> Array:
    """Success weighted by path length, S * l / max(p, l) (Anderson et al. 2018, arXiv 1807.06757), for each of N episodes.

    SPL is its mean. Who starts at the goal and stays there has S (as FindingDory's code has it; habitat-lab's divides 0 by 0).

    Args:
        success: (N,) S, 0 to 1.
        shortest: (N,) l, the shortest way [m].
        travelled: (N,) p, the way that was driven [m].

    Raises:
        ValueError: lengths differ, or a way is negative or not finite.
    """
    s, shortest_m, travelled_m = columns(success=success, shortest=shortest, travelled=travelled)
    longest = np.maximum(shortest_m, travelled_m)
    return s * np.divide(shortest_m, longest, out=np.ones_like(longest), where=longest > 0)


def columns(**columns: npt.ArrayLike) -> list[Array]:
    """Columns of one length (N,), finite and not negative."""
    arrays = {name: np.atleast_1d(np.asarray(values, dtype=np.float64)) for name, values in columns.items()}
    if len({a.shape for a in arrays.values()}) != 1 or next(iter(arrays.values())).ndim != 1:
        raise ValueError(
            f"expected columns of one length, got {', '.join(f'{n} {a.shape}' for n, a in arrays.items())}"
        )
    for name, a in arrays.items():
        if not np.all(np.isfinite(a)) or np.any(a < 0):
            raise ValueError(
                f"expected {name} that is finite and not negative, got {a[~(np.isfinite(a) & (a >= 0))][0]}"
            )
    return list(arrays.values())


# --- Rows of subtasks: ISR, CSR, CGT (LH-VLN; Song et al., CVPR 2025, arXiv 2412.09082)


def independent_success_rate(successes: Sequence[Sequence[bool]]) -> float:
    """LH-VLN's ISR: share of all subtasks of all M tasks that succeeded.

    Raises:
        ValueError: there are no tasks, or one has no subtasks.
    """
    _check_tasks(successes)
    return sum(sum(map(bool, task)) for task in successes) / sum(map(len, successes))


def conditional_success_rate(successes: Sequence[Sequence[bool]]) -> float:
    """LH-VLN's CSR: mean over tasks of (1 / N^2) sum_i s_i (1 + (N - 1) s_{i-1}), with s_{-1} = 1.

    Raises:
        ValueError: there are no tasks, or one has no subtasks.
    """
    _check_tasks(successes)
    return float(np.mean([_after_success(task).sum() / len(task) ** 2 for task in successes]))


def conditional_success_by_path(successes: Sequence[Sequence[bool]], lengths: Sequence[Sequence[float]]) -> float:
    """LH-VLN's CGT: mean over tasks of (1 / N) sum_i (P_i / sum P) s_i (1 + (N - 1) s_{i-1}), P_i the true way of a subtask.

    Raises:
        ValueError: there are no tasks, or lengths are not those of their subtasks, negative, or 0 in sum.
    """
    _check_tasks(successes)
    if [len(task) for task in successes] != [len(ways) for ways in lengths]:
        raise ValueError("expected a length for each subtask of each task")
    if any(min(ways) < 0 or not sum(ways) > 0 for ways in lengths):
        raise ValueError("expected lengths that are not negative and whose sum is above 0")
    terms = [
        float(np.sum(_after_success(task) * np.asarray(ways, dtype=np.float64) / sum(ways))) / len(task)
        for task, ways in zip(successes, lengths, strict=True)
    ]
    return float(np.mean(terms))


def _after_success(task: Sequence[bool]) -> Array:
    """s_i (1 + (N - 1) s_{i-1}) for each subtask (N,)."""
    s = np.asarray(task, dtype=np.float64)
    before = np.concatenate([[1.0], s[:-1]])
    return np.asarray(s * (1.0 + (len(s) - 1) * before))


def _check_tasks(successes: Sequence[Sequence[bool]]) -> None:
    if not successes or not all(len(task) for task in successes):
        raise ValueError("expected tasks of one subtask or more, got none or an empty one")


# --- LLM-Match (OpenEQA; Majumdar et al., CVPR 2024)

LOWEST_MARK, HIGHEST_MARK = 1, 5
#: Of a question without an answer; it counts as the lowest mark.
NO_ANSWER = 0


def scores_of_marks(marks: npt.ArrayLike) -> Array:
    """Scores (N,), 100 (sigma - 1) / 4, of marks sigma (N,); lower marks than 1 (`NO_ANSWER`) count as 1.

    Raises:
        ValueError: there are no marks, or one is not from 0 to 5.
    """
    sigma = np.asarray(marks, dtype=np.float64)
    if sigma.ndim != 1 or not sigma.size:
        raise ValueError(f"expected marks (N,), got {sigma.shape}")
    if not np.all((sigma >= NO_ANSWER) & (sigma <= HIGHEST_MARK)):
        raise ValueError(f"expected marks from {NO_ANSWER} to {HIGHEST_MARK}, got {sigma.min()} to {sigma.max()}")
    return 100.0 * (np.clip(sigma, LOWEST_MARK, HIGHEST_MARK) - 1.0) / 4.0


def llm_match(marks: npt.ArrayLike) -> float:
    """OpenEQA's correctness C: the mean score, 0 to 100.

    Raises:
        ValueError: as `scores_of_marks`.
    """
    return float(scores_of_marks(marks).mean())


def llm_match_efficiency(marks: npt.ArrayLike, shortest: npt.ArrayLike, travelled: npt.ArrayLike) -> float:
    """OpenEQA's efficiency E for A-EQA: the mean of 100 (sigma - 1) / 4 * l / max(p, l), 0 to 100 ("LLM-Match SPL").

    OpenEQA's public code has the correctness only: the weight is SPL's, as the efficiency is commonly reported, and was not checked.

    Args:
        marks: (N,) sigma.
        shortest: (N,) l, ground-truth way to where the answer can be seen [m].
        travelled: (N,) p, the way that was driven [m].

    Raises:
        ValueError: lengths differ, or a value is out of its range.
    """
    return float(spl_of_each(scores_of_marks(marks), shortest, travelled).mean())
