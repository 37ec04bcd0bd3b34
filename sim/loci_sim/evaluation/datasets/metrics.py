"""Measures of navigation benchmarks, as their own code computes them: ObjectNav and GOAT-Bench; SPL is that of `loci.metrics`.

Distances are geodesic [m] and come from the simulator; nothing here knows a scene. Shares are from 0 to 1, as the benchmarks' code
has them; papers print them times 100.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.metrics import columns, spl_of_each
from loci_sim.evaluation.datasets.goat import SUBTASK_KINDS, SubtaskKind

#: ObjectNav on HM3D: a stop counts this near to a viewpoint [m]. The challenges say "within 1.0 m Euclidean distance of any instance,
#: which an oracle could see from there"; viewpoints are the places of which that is true, and their configurations (2022, 2023, and
#: habitat-lab's task) set success_distance to 0.1 from them.
OBJECTNAV_SUCCESS_DISTANCE = 0.1
#: GOAT-Bench: its task's configuration has 0.25 from a viewpoint [m] (its README says 1 m Euclidean from the object).
GOAT_SUCCESS_DISTANCE = 0.25
#: What 3D-Mem's published GOAT-Bench figures use instead [m]: name it beside the figures.
GOAT_SUCCESS_DISTANCE_3DMEM = 1.0


@dataclass(frozen=True)
class NavigationResult:
    """How one goal was sought.

    Attributes:
        stopped: the robot said that it is there.
        start_distance: shortest way from where the goal was given to the nearest viewpoint [m].
        travelled: the way driven since [m].
        distance: shortest way from where it stopped to the nearest viewpoint [m]; infinite: none can be reached.
    """

    stopped: bool
    start_distance: float
    travelled: float
    distance: float


@dataclass(frozen=True)
class NavigationMeasures:
    """Means over goals.

    Attributes:
        n: goals.
        success, spl, soft_spl: 0 to 1.
        distance: to the goal at the end [m].
    """

    n: int
    success: float
    spl: float
    soft_spl: float
    distance: float


def succeeded(results: Sequence[NavigationResult], success_distance: float) -> npt.NDArray[np.bool_]:
    """Which goals (N,) were reached: stopped, and nearer than ``success_distance`` [m] to a viewpoint (habitat-lab's Success)."""
    return np.array([r.stopped and r.distance < success_distance for r in results], dtype=bool)


def soft_success_of_each(distance: npt.ArrayLike, start_distance: npt.ArrayLike) -> Array:
    """Share of the way that was made good, max(0, 1 - d / l) (habitat-lab's SoftSPL), for each of N episodes.

    Args:
        distance: (N,) d, what is left at the end [m]; may be infinite.
        start_distance: (N,) l, the shortest way from the start [m].

    Raises:
        ValueError: lengths differ, or a way is negative or not finite.
    """
    left = np.asarray(distance, dtype=np.float64)
    finite, start = columns(distance=np.where(left == np.inf, 0.0, left), start_distance=start_distance)
    left = np.where(left == np.inf, np.inf, finite)
    share = np.divide(left, start, out=np.where(left > 0, np.inf, 0.0), where=start > 0)
    return np.maximum(0.0, 1.0 - share)


def navigation_measures(
    results: Sequence[NavigationResult], success_distance: float = OBJECTNAV_SUCCESS_DISTANCE
) -> NavigationMeasures:
    """SR, SPL, SoftSPL and distance to the goal, as in the Habitat ObjectNav challenges.

    Raises:
        ValueError: there are no results, or a way is negative or not finite.
    """
    if not results:
        raise ValueError("expected results to measure, got none")
    success = succeeded(results, success_distance)
    start = [r.start_distance for r in results]
    travelled = [r.travelled for r in results]
    soft = soft_success_of_each([r.distance for r in results], start)
    return NavigationMeasures(
        len(results),
        float(success.mean()),
        float(spl_of_each(success, start, travelled).mean()),
        float(spl_of_each(soft, start, travelled).mean()),
        float(np.mean([r.distance for r in results])),
    )


@dataclass(frozen=True)
class GoatMeasures:
    """GOAT-Bench's measures.

    Attributes:
        n_episodes: rows of goals.
        partial_success, composite_spl, composite_soft_spl: means over a row's goals, then over rows: what the benchmark's code logs.
        composite_success: share of the rows in which every goal was reached.
        overall: means over all goals of all rows alike, as 3D-Mem reports them.
        by_kind: the same for goals told by object (category), description and image; only kinds that there are.
    """

    n_episodes: int
    partial_success: float
    composite_spl: float
    composite_soft_spl: float
    composite_success: float
    overall: NavigationMeasures
    by_kind: Mapping[SubtaskKind, NavigationMeasures]


def goat_measures(
    episodes: Sequence[Sequence[tuple[SubtaskKind, NavigationResult]]],
    success_distance: float = GOAT_SUCCESS_DISTANCE,
) -> GoatMeasures:
    """GOAT-Bench's measures (its GoatSuccess, GoatSPL, GoatSoftSPL).

    The benchmark's code takes means of kinds over rows too, where a row without a kind counts as 0; here kinds are means over goals.

    Args:
        episodes: for each row its goals in turn, how each was told, and how it was sought.
        success_distance: to a viewpoint [m].

    Raises:
        ValueError: there are no rows, a row is empty, or a way is negative or not finite.
    """
    if not episodes or not all(episodes):
        raise ValueError("expected rows of one goal or more, got none or an empty one")
    rows = [navigation_measures([r for _, r in row], success_distance) for row in episodes]
    results = [pair for row in episodes for pair in row]
    return GoatMeasures(
        len(episodes),
        float(np.mean([m.success for m in rows])),
        float(np.mean([m.spl for m in rows])),
        float(np.mean([m.soft_spl for m in rows])),
        float(np.mean([bool(succeeded([r for _, r in row], success_distance).all()) for row in episodes])),
        navigation_measures([r for _, r in results], success_distance),
        {
            kind: navigation_measures([r for k, r in results if k == kind], success_distance)
            for kind in SUBTASK_KINDS
            if any(k == kind for k, _ in results)
        },
    )
