"""Measures as the papers define them, and results that survive being written."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from example_task import GOAL

from loci_sim.evaluation.measures import COLUMNS, reduction, summaries, summarise, table
from loci_sim.evaluation.suites import SUITES
from loci_sim.evaluation.tasks import task_result_from


def test_spl_is_success_weighted_by_path_length() -> None:
    """Anderson et al. 2018: mean of S * l / max(p, l)."""
    results = [GOAL, replace(GOAL, travelled=4.0), replace(GOAL, success=False), replace(GOAL, travelled=5.0)]
    found = summarise("all", results)
    assert found.spl == pytest.approx(2.5 / 4)
    assert found.success == pytest.approx(0.75)
    assert found.success_low <= 0.75 <= found.success_high


def test_groups_are_all_rows_and_kinds() -> None:
    results = [GOAL, replace(GOAL, kind="image", success=False), replace(GOAL, row=1)]
    found = {s.name: s for s in summaries(results)}
    assert [s.n for s in found.values()] == [3, 2, 1, 1, 1]
    assert list(found)[:3] == ["all", "new memory", "  category"]
    assert "memory of an earlier session" in table("goals", list(found.values()))


def test_nothing_has_no_summary() -> None:
    with pytest.raises(ValueError, match="got none"):
        summarise("all", [])


def test_a_result_is_the_same_after_json() -> None:
    assert task_result_from(json.loads(json.dumps(asdict(GOAL)))) == GOAL


def test_karmas_measures_are_shares_of_the_questions_to_the_memory() -> None:
    asked = replace(GOAL, n_queries=4, n_right_queries=3, n_short_term=1, n_explorations=2)
    found = summarise("all", [asked, replace(GOAL, n_queries=1), GOAL])
    assert (found.mra, found.mhr) == (pytest.approx(3 / 5), pytest.approx(1 / 5))
    assert found.explorations == pytest.approx(2 / 3)
    assert summarise("all", [GOAL]).mra is None
    assert " - " in table("household", [summarise("all", [GOAL])])


def test_memory_reduces_exploration_and_time_of_the_same_tasks() -> None:
    """KARMA: RE = 1 - explorations with / without, RT = 1 - time with / without."""
    without = [replace(GOAL, index=i, n_explorations=4, seconds=10.0) for i in range(3)]
    results = [replace(GOAL, index=i, n_explorations=1, seconds=6.0) for i in range(2)]
    less = reduction(results, without)
    assert (less.n, less.exploration, less.time) == (2, pytest.approx(0.75), pytest.approx(0.4))
    assert reduction([GOAL], [GOAL]).exploration is None
    with pytest.raises(ValueError, match="same tasks"):
        reduction([GOAL], [replace(GOAL, scene="home:7")])


def test_every_suite_has_its_table() -> None:
    assert COLUMNS.keys() == SUITES.keys()
