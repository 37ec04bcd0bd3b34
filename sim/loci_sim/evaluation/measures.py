"""Measures over results: success rate and SPL, in all and by kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loci_sim.evaluation.tasks import TaskResult

#: Bootstrap samples of the confidence interval.
_N_SAMPLES = 2000


@dataclass(frozen=True)
class Summary:
    """Measures of a group of tasks.

    Attributes:
        name: of the group.
        n: tasks.
        success: success rate, and its 95 % bootstrap interval ``success_low`` to ``success_high``.
        spl: success weighted by path length (Anderson et al. 2018), mean.
        claimed: share of the tasks that the robot said it had done.
        steps, seconds, images: means.
    """

    name: str
    n: int
    success: float
    success_low: float
    success_high: float
    spl: float
    claimed: float
    steps: float
    seconds: float
    images: float


def summarise(name: str, results: Sequence[TaskResult]) -> Summary:
    """Measures of one group.

    Raises:
        ValueError: there are no results.
    """
    if not results:
        raise ValueError(f"expected results to summarise as {name!r}, got none")
    success = np.array([r.success for r in results], dtype=float)
    drawn = np.random.default_rng(0).choice(success, (_N_SAMPLES, len(success))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    return Summary(
        name,
        len(results),
        float(success.mean()),
        low,
        high,
        float(np.mean([r.spl for r in results])),
        float(np.mean([r.claimed for r in results])),
        float(np.mean([r.n_steps for r in results])),
        float(np.mean([r.seconds for r in results])),
        float(np.mean([r.n_images for r in results])),
    )


def summaries(results: Sequence[TaskResult]) -> list[Summary]:
    """All tasks, then each row and each kind in it."""
    groups: list[tuple[str, list[TaskResult]]] = [("all", list(results))]
    for row in sorted({r.row for r in results}):
        of_row = [r for r in results if r.row == row]
        groups.append((ROW_NAMES.get(row, f"row {row + 1}"), of_row))
        for kind in dict.fromkeys(r.kind for r in of_row):
            groups.append((f"  {kind}", [r for r in of_row if r.kind == kind]))
    return [summarise(name, group) for name, group in groups if group]


#: What a row's memory holds at its beginning.
ROW_NAMES = {0: "new memory", 1: "memory of an earlier session"}


def table(found: Sequence[Summary]) -> str:
    """The summaries as lines for a terminal."""
    width = max(len(s.name) for s in found)
    lines = [f"{'':{width}}  tasks    SR  95 % interval   SPL  claimed  steps      s"]
    for s in found:
        lines.append(
            f"{s.name:{width}}  {s.n:5d}  {100 * s.success:4.1f}    {100 * s.success_low:4.1f} - {100 * s.success_high:5.1f}  "
            f"{100 * s.spl:4.1f}    {100 * s.claimed:5.1f}  {s.steps:5.0f}  {s.seconds:5.1f}"
        )
    return "\n".join(lines)
