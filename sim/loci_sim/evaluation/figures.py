"""The planner's figures over all suites and uses of the memory, with intervals, and what was aimed at: what `make bench NAME=tasks` writes.

Two intervals of 95 %: ``*_ci`` draws homes with all their tasks (`interval_over_homes`), ``*_wilson`` takes every task of a share to be
independent of the others. The first is the honest one where homes are many, the second does not vanish where all went right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loci.metrics import spl_of_each
from loci_sim.evaluation.measures import ROW_NAMES, interval_over_homes, same_tasks, wilson_interval
from loci_sim.evaluation.tasks import TaskResult

#: Kinds of chores (KARMA).
_CHORES = ("simple", "composite", "complex")

Figures = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A figure that is aimed at.

    Attributes:
        suite, name: of the figure, with the whole memory.
        least: it should be at least this.
        kind: the tasks it is of; empty: all.
    """

    suite: str
    name: str
    least: float
    kind: str = ""


TARGETS = (
    Target("goals", "sr", 0.90),
    Target("goals", "spl", 0.60),
    Target("questions", "accuracy", 0.80),
    Target("household", "sr_simple", 0.95, "simple"),
    Target("household", "sr_composite", 0.85, "composite"),
    Target("household", "sr_complex", 0.75, "complex"),
    Target("household", "mra", 0.90),
    Target("recall", "hl_sr", 0.80),
)
#: SPL of `goals` with the whole memory is at least so many times that without.
SPL_GAIN = 1.3


def figures_of(suite: str, results: Sequence[TaskResult], without: Sequence[TaskResult] | None = None) -> Figures:
    """Figures of one suite with one use of the memory.

    Args:
        results: of its tasks.
        without: results of the same tasks without memory, for RE and RT of `household`.

    Raises:
        KeyError: no such suite.
        ValueError: no results, or none in common with those without memory.
    """
    if not results:
        raise ValueError(f"expected results of {suite}, got none")
    return {
        "n": len(results),
        "homes": len({r.scene for r in results}),
        **_FIGURES[suite](results, without),
        "claimed": _rounded(sum(r.claimed for r in results) / len(results)),
        "steps": round(sum(r.n_steps for r in results) / len(results), 1),
    }


def by_group(suite: str, results: Sequence[TaskResult]) -> dict[str, Figures]:
    """Figures of each row, and of each kind of tasks."""
    groups = {ROW_NAMES.get(row, f"row {row + 1}"): row for row in sorted({r.row for r in results})}
    found = {name: figures_of(suite, [r for r in results if r.row == row]) for name, row in groups.items()}
    for kind in dict.fromkeys(r.kind for r in results):
        found[kind] = figures_of(suite, [r for r in results if r.kind == kind])
    return found


def share(name: str, results: Sequence[TaskResult], is_right: Callable[[TaskResult], bool]) -> Figures:
    """A share of tasks, with both intervals; nothing if there are no tasks."""
    if not results:
        return {}
    right = [is_right(r) for r in results]
    return {
        **_mean(name, results, right),
        f"{name}_wilson": [_rounded(v) for v in wilson_interval(sum(right), len(right))],
    }


def missed(figures: Mapping[str, Mapping[str, Figures]]) -> list[tuple[Target, float]]:
    """Targets that the figures, by suite and use of the memory, do not reach, with what was reached."""
    found = []
    for target in TARGETS:
        value = figures.get(target.suite, {}).get("full", {}).get(target.name)
        if value is not None and value < target.least:
            found.append((target, value))
    goals = figures.get("goals", {})
    if "full" in goals and "none" in goals:
        least = _rounded(SPL_GAIN * goals["none"]["spl"])
        if goals["full"]["spl"] < least:
            found.append((Target("goals", "spl", least), goals["full"]["spl"]))
    return found


def _ways(name: str, results: Sequence[TaskResult]) -> Figures:
    spl = spl_of_each([r.success for r in results], [r.shortest for r in results], [r.travelled for r in results])
    return {**share(name, results, lambda r: r.success), **_mean("spl", results, spl)}


def _household(results: Sequence[TaskResult], without: Sequence[TaskResult] | None) -> Figures:
    found = share("sr", results, lambda r: r.success)
    for kind in _CHORES:
        found |= share(f"sr_{kind}", [r for r in results if r.kind == kind], lambda r: r.success)
    asked = [r.n_queries for r in results]
    if sum(asked):
        right = [r.n_right_queries for r in results]
        found |= _ratio("mra", results, right, asked)
        found |= _ratio("mra_asked_at_once", results, right, [r.n_queries + r.n_waited for r in results])
        found |= _ratio("mhr", results, [r.n_short_term for r in results], asked)
    if without is not None:
        pairs = same_tasks(results, without)
        for name, field in (("re", "n_explorations"), ("rt", "seconds"), ("reduced_steps", "n_steps")):
            before = [float(getattr(b, field)) for _, b in pairs]
            if sum(before) > 0:
                spared = [b - float(getattr(a, field)) for (a, _), b in zip(pairs, before, strict=True)]
                found |= _ratio(name, [a for a, _ in pairs], spared, before)
    return found


def _mean(name: str, results: Sequence[TaskResult], values: Sequence[float] | Any) -> Figures:
    return _ratio(name, results, values, [1] * len(results))


def _ratio(name: str, results: Sequence[TaskResult], parts: Sequence[float], wholes: Sequence[float]) -> Figures:
    """sum(parts) / sum(wholes) over tasks, with its interval over homes."""
    interval = interval_over_homes([r.scene for r in results], parts, wholes)
    return {name: _rounded(sum(parts) / sum(wholes)), f"{name}_ci": [_rounded(v) for v in interval]}


def _rounded(value: float) -> float:
    return round(float(value), 4)


_FIGURES: dict[str, Callable[[Sequence[TaskResult], Sequence[TaskResult] | None], Figures]] = {
    "goals": lambda results, _: _ways("sr", results),
    "questions": lambda results, _: _ways("accuracy", results),
    "household": _household,
    "recall": lambda results, _: {**share("hl_sr", results, lambda r: r.chose_right), **_ways("sr", results)},
}
