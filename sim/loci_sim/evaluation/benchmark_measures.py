"""The published measures of benchmarks over results of the runner: in all, by category (ObjectNav), by kind (GOAT-Bench)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from loci_sim.evaluation.datasets.goat import SubtaskKind
from loci_sim.evaluation.datasets.metrics import (
    NavigationMeasures,
    NavigationResult,
    goat_measures,
    navigation_measures,
)
from loci_sim.evaluation.datasets.selection import KINDS, Benchmark
from loci_sim.evaluation.tasks import TaskResult

_KIND_OF: dict[str, SubtaskKind] = {ours: theirs for theirs, ours in KINDS.items()}


@dataclass(frozen=True)
class Measured:
    """Measures of a group of goals.

    Attributes:
        name: of the group.
        n: goals, or rows of goals.
        success, spl, soft_spl: 0 to 1.
        distance: to the nearest viewpoint at the end [m]; infinite: one of them could not be reached; None: not measured.
    """

    name: str
    n: int
    success: float
    spl: float
    soft_spl: float
    distance: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no infinity: None."""
        finite = self.distance is not None and np.isfinite(self.distance)
        return {**asdict(self), "distance": self.distance if finite else None}


def navigation_result(r: TaskResult) -> NavigationResult:
    """A result as the benchmarks' measures take it."""
    return NavigationResult(r.claimed, r.shortest, r.travelled, r.distance if r.distance >= 0 else float("inf"))


def measure(benchmark: Benchmark, results: Sequence[TaskResult], success_distance: float) -> list[Measured]:
    """All measures of a benchmark.

    Args:
        results: of its goals, in the order in which they were given.
        success_distance: to a viewpoint [m].

    Raises:
        ValueError: there are no results.
    """
    if benchmark == "objectnav":
        sought = [(r.text.removeprefix("find the "), navigation_result(r)) for r in results]
        groups = {"all": [n for _, n in sought]}
        for category, n in sought:
            groups.setdefault(f"  {category}", []).append(n)
        return [_of(name, navigation_measures(group, success_distance)) for name, group in groups.items()]
    rows: dict[tuple[str, str], list[tuple[SubtaskKind, NavigationResult]]] = {}
    for r in results:
        rows.setdefault((r.scene, r.episode), []).append((_KIND_OF[r.kind], navigation_result(r)))
    m = goat_measures(list(rows.values()), success_distance)
    by_row = Measured("mean of episodes", m.n_episodes, m.partial_success, m.composite_spl, m.composite_soft_spl)
    return [_of("all goals", m.overall), *(_of(f"  {k}", found) for k, found in m.by_kind.items()), by_row]


def table(measured: Sequence[Measured]) -> list[list[str]]:
    """Cells, headings first."""

    def percent(share: float) -> str:
        return f"{100 * share:.1f}"

    rows = [["", "n", "SR", "SPL", "SoftSPL", "distance"]]
    for m in measured:
        far = "-" if m.distance is None else f"{m.distance:.2f}"
        rows.append([m.name, str(m.n), percent(m.success), percent(m.spl), percent(m.soft_spl), far])
    return rows


def _of(name: str, m: NavigationMeasures) -> Measured:
    return Measured(name, m.n, m.success, m.spl, m.soft_spl, m.distance)
