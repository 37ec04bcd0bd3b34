"""Figures of `make bench NAME=tasks`: shares and ratios with intervals that take homes as the sample, and targets that are missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from example_task import GOAL

from loci_sim.evaluation.figures import by_group, figures_of, missed
from loci_sim.evaluation.measures import interval_of, interval_over_homes, wilson_interval
from loci_sim.evaluation.run import EvaluationOptions, scene_names
from loci_sim.evaluation.suites import SUITES
from loci_sim.evaluation.tasks import TaskResult
from loci_sim.scenes import load_scene

CHORE = replace(GOAL, kind="simple", text="clean the table", object_ids=("table_1",), reason="done")


def tasks(successes: dict[str, list[bool]], **fields: object) -> list[TaskResult]:
    """Tasks by home."""
    return [
        replace(CHORE, scene=home, index=i, success=s, **fields)
        for home, group in successes.items()
        for i, s in enumerate(group)
    ]


def test_homes_that_differ_make_an_interval_wider_than_tasks_do() -> None:
    """Ten homes in which all or nothing goes right are ten samples, not a hundred."""
    homes = [f"home:{i}" for i in range(10) for _ in range(10)]
    values = np.repeat([1.0, 0.0] * 5, 10)
    low, high = interval_over_homes(homes, values)
    one_low, one_high = interval_of(values)
    assert high - low > 2.0 * (one_high - one_low)
    assert low < 0.5 < high


def test_with_one_task_a_home_homes_and_tasks_are_the_same_sample() -> None:
    values = np.arange(40) % 3 == 0
    found = interval_over_homes([f"home:{i}" for i in range(40)], values)
    assert found == pytest.approx(interval_of(values), abs=0.03)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=40))
def test_the_interval_holds_what_it_is_of_and_the_order_of_tasks_does_not_count(drawn: list[tuple[int, float]]) -> None:
    homes, values = [f"home:{h}" for h, _ in drawn], [v for _, v in drawn]
    low, high = interval_over_homes(homes, values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert interval_over_homes(homes[::-1], values[::-1]) == pytest.approx((low, high))


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one task"):
        interval_over_homes([], [])
    with pytest.raises(ValueError, match="more than 0"):
        interval_over_homes(["home:0"], [0.0], [0.0])


def test_shares_come_with_both_intervals() -> None:
    done = tasks({"home:0": [True, True], "home:1": [True, False]})
    found = figures_of("questions", done)
    assert found["accuracy"] == 0.75
    assert found["accuracy_ci"] == [0.5, 1.0]
    assert found["accuracy_wilson"] == pytest.approx(wilson_interval(3, 4), abs=1e-4)
    assert found["spl"] == pytest.approx(0.375)
    assert (found["n"], found["homes"]) == (4, 2)


def test_chores_have_a_rate_for_each_kind_and_karmas_measures() -> None:
    done = tasks({"home:0": [True, False]}, n_queries=4, n_right_queries=3, n_waited=1, n_explorations=1, seconds=5.0)
    done += tasks({"home:1": [True]}, kind="complex", n_queries=2, n_right_queries=2, n_explorations=0, seconds=5.0)
    without = [replace(r, n_explorations=4, seconds=10.0) for r in done]
    found = figures_of("household", done, without)
    assert (found["sr_simple"], found["sr_complex"]) == (0.5, 1.0)
    assert "sr_composite" not in found
    assert (found["mra"], found["mra_asked_at_once"]) == (0.8, pytest.approx(8 / 12, abs=1e-4))
    assert (found["re"], found["rt"]) == (pytest.approx(10 / 12, abs=1e-4), 0.5)
    assert all(found[f"{name}_ci"][0] <= found[name] <= found[f"{name}_ci"][1] for name in ("mra", "re", "rt"))


def test_every_suite_has_figures_of_rows_and_kinds() -> None:
    done = [*tasks({"home:0": [True]}), *tasks({"home:0": [False]}, kind="image")]
    done += [replace(r, row=1) for r in done]
    for suite in SUITES:
        groups = by_group(suite, done)
        assert list(groups) == ["new memory", "memory of an earlier session", "simple", "image"]
        assert [g["n"] for g in groups.values()] == [2, 2, 2, 2]
        with pytest.raises(ValueError, match="got none"):
            figures_of(suite, [])


def test_what_is_missed_is_told_with_what_was_reached() -> None:
    goals = {"full": {"sr": 0.95, "spl": 0.61}, "none": {"sr": 0.9, "spl": 0.5}}
    found = missed({"goals": goals, "questions": {"full": {"accuracy": 0.79}}})
    assert [(t.suite, t.name, t.least, value) for t, value in found] == [
        ("questions", "accuracy", 0.8, 0.79),
        ("goals", "spl", 0.65, 0.61),
    ]
    assert missed({"goals": {"full": {"sr": 0.9, "spl": 0.65}, "none": {"sr": 0.5, "spl": 0.5}}}) == []


def test_homes_are_drawn_on_one_floor_unless_more_are_allowed() -> None:
    low = names_drawn(max_floors=1)
    assert all(len(load_scene(name).floors) == 1 for name in low)
    assert names_drawn(max_floors=2) == [f"home:{i}" for i in range(5)]
    assert any(len(load_scene(f"home:{i}").floors) == 2 for i in range(5))


def names_drawn(max_floors: int) -> list[str]:
    return scene_names(EvaluationOptions(n_scenes=5, max_floors=max_floors))
