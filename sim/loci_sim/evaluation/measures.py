"""Measures over results: success rate, SPL and those of KARMA and FindingDory, in all and by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.metrics import spl_of_each
from loci_sim.evaluation.datasets import memory_metrics
from loci_sim.evaluation.tasks import TaskResult

#: Bootstrap samples of a confidence interval, and the normal quantile of Wilson's: both 95 %.
_N_SAMPLES, _Z = 2000, 1.959964


@dataclass(frozen=True)
class Summary:
    """Measures of a group of tasks.

    Attributes:
        name: of the group.
        n: tasks.
        success: success rate, and its 95 % interval ``success_low`` to ``success_high`` (Wilson).
        spl: success weighted by path length (Anderson et al. 2018), mean, and its 95 % interval (bootstrap).
        claimed: share of the tasks that the robot said it had done.
        steps, seconds, images, explorations: means.
        mra: memory retrieval accuracy (KARMA): share of the questions to the memory whose first answer was needed; None: none was asked.
        mhr: memory hit rate (KARMA): share of them that short-term memory answered; None: none was asked.
        chose_right: high-level success rate (FindingDory), of the suite `recall`, and its 95 % interval (Wilson).
    """

    name: str
    n: int
    success: float
    success_low: float
    success_high: float
    spl: float
    spl_low: float
    spl_high: float
    claimed: float
    steps: float
    seconds: float
    images: float
    explorations: float
    mra: float | None
    mhr: float | None
    chose_right: float = 0.0
    chose_right_low: float = 0.0
    chose_right_high: float = 0.0


def interval_of(values: npt.ArrayLike) -> tuple[float, float]:
    """95 % interval of the mean of values (N,): percentiles of a bootstrap, always with the same draws.

    Tasks are drawn, not homes: what tasks of one home have in common is not in it.
    """
    drawn = np.random.default_rng(0).choice(np.asarray(values, dtype=np.float64), (_N_SAMPLES, np.size(values)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5]).tolist()
    return float(low), float(high)


def wilson_interval(n_right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of n tasks (Wilson 1927): not empty where all or none are right, as a bootstrap's is.

    Raises:
        ValueError: no tasks, or more right than there are.
    """
    if not 0 <= n_right <= n or n < 1:
        raise ValueError(f"expected 0 to n of n >= 1 tasks, got {n_right} of {n}")
    share, z2 = n_right / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def interval_over_homes(
    homes: Sequence[str], parts: npt.ArrayLike, wholes: npt.ArrayLike | None = None
) -> tuple[float, float]:
    """95 % interval of sum(parts) / sum(wholes): percentiles of a bootstrap that draws homes, always with the same draws.

    Tasks of one home have its things, its map and its memory in common: whole homes are drawn, each with all its tasks (cluster
    bootstrap: Davison and Hinkley 1997, section 3.8). With few homes it is narrow, and with one it is a point.

    Args:
        homes: of each task (N,).
        parts, wholes: of each task (N,); wholes of None: 1, so that it is the interval of a mean.

    Raises:
        ValueError: no tasks, not as many values as homes, or wholes that sum up to 0.
    """
    part = np.asarray(parts, dtype=np.float64)
    whole = np.ones(len(part)) if wholes is None else np.asarray(wholes, dtype=np.float64)
    if not len(homes) or part.shape != (len(homes),) or whole.shape != part.shape:
        raise ValueError(
            f"expected a value for each of at least one task, got {len(homes)} homes, {part.shape} and {whole.shape}"
        )
    if not whole.sum() > 0:
        raise ValueError(f"expected wholes that sum up to more than 0, got {whole.sum():g}")
    names, of = np.unique(np.asarray(homes), return_inverse=True)
    sums = np.stack([np.bincount(of, weights=part), np.bincount(of, weights=whole)])  # (2, homes)
    drawn = np.random.default_rng(0).integers(len(names), size=(_N_SAMPLES, len(names)))
    top, bottom = sums[:, drawn].sum(axis=-1)  # (samples,) each
    # A draw of homes in which nothing was asked for says nothing.
    low, high = np.percentile(top[bottom > 0] / bottom[bottom > 0], [2.5, 97.5]).tolist()
    return float(low), float(high)


def summarise(name: str, results: Sequence[TaskResult]) -> Summary:
    """Measures of one group.

    Raises:
        ValueError: there are no results.
    """
    if not results:
        raise ValueError(f"expected results to summarise as {name!r}, got none")
    success = np.array([r.success for r in results], dtype=float)
    spl = spl_of_each(success, [r.shortest for r in results], [r.travelled for r in results])
    return Summary(
        name,
        len(results),
        float(success.mean()),
        *wilson_interval(sum(r.success for r in results), len(results)),
        float(spl.mean()),
        *interval_of(spl),
        float(np.mean([r.claimed for r in results])),
        float(np.mean([r.n_steps for r in results])),
        float(np.mean([r.seconds for r in results])),
        float(np.mean([r.n_images for r in results])),
        float(np.mean([r.n_explorations for r in results])),
        _ratio(sum(r.n_right_queries for r in results), sum(r.n_queries for r in results)),
        _ratio(sum(r.n_short_term for r in results), sum(r.n_queries for r in results)),
        float(np.mean([r.chose_right for r in results])),
        *wilson_interval(sum(r.chose_right for r in results), len(results)),
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


#: Columns of tables: heading, width and text of a cell.
_Column = tuple[str, int, Callable[[Summary], str]]
_COMMON: tuple[_Column, ...] = (
    ("tasks", 5, lambda s: str(s.n)),
    ("SR", 5, lambda s: _percent(s.success)),
    ("95 % interval", 13, lambda s: _interval(s.success_low, s.success_high)),
)
_WAYS: tuple[_Column, ...] = (
    ("SPL", 5, lambda s: _percent(s.spl)),
    ("95 % interval", 13, lambda s: _interval(s.spl_low, s.spl_high)),
)
_IMAGES: tuple[_Column, ...] = (("images", 6, lambda s: f"{s.images:.1f}"),)
_KARMA: tuple[_Column, ...] = (
    ("MRA", 5, lambda s: _percent(s.mra)),
    ("MHR", 5, lambda s: _percent(s.mhr)),
    ("explorations", 12, lambda s: f"{s.explorations:.1f}"),
)
_DORY: tuple[_Column, ...] = (
    ("HL-SR", 5, lambda s: _percent(s.chose_right)),
    ("95 % interval", 13, lambda s: _interval(s.chose_right_low, s.chose_right_high)),
)
_COST: tuple[_Column, ...] = (
    ("claimed", 7, lambda s: _percent(s.claimed)),
    ("steps", 5, lambda s: f"{s.steps:.0f}"),
    ("s", 6, lambda s: f"{s.seconds:.1f}"),
)
#: Of every suite. Chores have no shortest way.
COLUMNS: dict[str, tuple[_Column, ...]] = {
    "goals": (*_COMMON, *_WAYS, *_COST),
    "questions": (*_COMMON, *_WAYS, *_IMAGES, *_COST),
    "household": (*_COMMON, *_KARMA, *_COST),
    "recall": (*_DORY, *_COMMON, *_WAYS, *_COST),
}


def table(suite: str, found: Sequence[Summary]) -> str:
    """The summaries as lines for a terminal."""
    width = max(len(s.name) for s in found)
    columns = COLUMNS[suite]
    lines = [" " * width + "".join(f"  {heading:>{w}}" for heading, w, _ in columns)]
    lines += [f"{s.name:{width}}" + "".join(f"  {cell(s):>{w}}" for _, w, cell in columns) for s in found]
    return "\n".join(lines)


@dataclass(frozen=True)
class Reduction:
    """What memory spares, over tasks that were done with and without it (KARMA).

    Attributes:
        n: tasks in both.
        exploration: RE = 1 - explorations with / without; time: RT = 1 - time with / without; None: nothing to spare.
    """

    n: int
    exploration: float | None
    time: float | None


def same_tasks(results: Sequence[TaskResult], without: Sequence[TaskResult]) -> list[tuple[TaskResult, TaskResult]]:
    """Tasks that were done twice, with their results.

    Raises:
        ValueError: the two have no task in common.
    """
    before = {(r.scene, r.row, r.index, r.text): r for r in without}
    pairs = [(r, before[key]) for r in results if (key := (r.scene, r.row, r.index, r.text)) in before]
    if not pairs:
        raise ValueError("expected results of the same tasks to compare with, got none in common")
    return pairs


def reduction(results: Sequence[TaskResult], without: Sequence[TaskResult]) -> Reduction:
    """Reduced exploration and time of the same tasks.

    Raises:
        ValueError: the two have no task in common.
    """
    pairs = same_tasks(results, without)

    def spared(values: list[tuple[float, float]]) -> float | None:
        kept, whole = zip(*values, strict=True)
        return memory_metrics.reduction(kept, whole) if sum(whole) > 0 else None

    return Reduction(
        len(pairs),
        spared([(a.n_explorations, b.n_explorations) for a, b in pairs]),
        spared([(a.seconds, b.seconds) for a, b in pairs]),
    )


def _interval(low: float, high: float) -> str:
    return f"{_percent(low)} - {_percent(high)}"


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
