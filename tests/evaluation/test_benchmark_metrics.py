"""Measures of public benchmarks, against values worked out by hand from the papers' formulas, and against what must always hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.metrics import NO_ANSWER
from loci_sim.evaluation.datasets.llm_match import grade, until_last_period
from loci_sim.evaluation.datasets.memory_metrics import (
    MemoryQuery,
    chose_right,
    high_level_spl_of_each,
    memory_hit_rate,
    memory_retrieval_accuracy,
    reduction,
    relaxed_frame_accuracy,
    success_rate,
)
from loci_sim.evaluation.datasets.metrics import (
    GOAT_SUCCESS_DISTANCE,
    GOAT_SUCCESS_DISTANCE_3DMEM,
    OBJECTNAV_SUCCESS_DISTANCE,
    NavigationResult,
    goat_measures,
    navigation_measures,
    soft_success_of_each,
)
from loci_sim.evaluation.datasets.openeqa import Question

#: 5 m away; stopped 0.05 m from a viewpoint after 10 m.
REACHED = NavigationResult(stopped=True, start_distance=5.0, travelled=10.0, distance=0.05)
#: Stopped 2.5 m short, after 2.5 m.
SHORT = replace(REACHED, travelled=2.5, distance=2.5)

way = st.floats(0.0, 100.0)
result = st.builds(NavigationResult, st.booleans(), st.floats(0.01, 100.0), way, way)


def test_objectnav_measures_by_hand() -> None:
    found = navigation_measures([REACHED, SHORT])
    assert found.n == 2
    assert found.success == 0.5
    assert found.spl == pytest.approx((0.5 + 0.0) / 2)
    # 1 - 0.05 / 5 = 0.99, weighted 5 / 10; 1 - 2.5 / 5 = 0.5, weighted 1.
    assert found.soft_spl == pytest.approx((0.99 * 0.5 + 0.5) / 2)
    assert found.distance == pytest.approx((0.05 + 2.5) / 2)


def test_success_needs_a_stop_nearer_than_the_distance() -> None:
    assert OBJECTNAV_SUCCESS_DISTANCE == 0.1
    assert navigation_measures([replace(REACHED, stopped=False)]).success == 0.0
    assert navigation_measures([replace(REACHED, distance=0.1)]).success == 0.0
    assert navigation_measures([replace(REACHED, distance=0.1)], success_distance=0.11).success == 1.0


def test_who_stops_where_nothing_can_be_reached_has_failed() -> None:
    found = navigation_measures([replace(REACHED, distance=math.inf)])
    assert (found.success, found.spl, found.soft_spl) == (0.0, 0.0, 0.0) and found.distance == math.inf


def test_who_starts_at_the_goal_and_stays_has_done_it() -> None:
    there = NavigationResult(True, 0.0, 0.0, 0.0)
    found = navigation_measures([there, replace(there, travelled=1.0)])
    assert (found.success, found.spl, found.soft_spl) == (1.0, 0.5, 0.5)


@given(st.lists(result, min_size=1, max_size=8))
def test_spl_is_at_most_success(results: list[NavigationResult]) -> None:
    found = navigation_measures(results)
    assert 0.0 <= found.spl <= found.success <= 1.0
    assert 0.0 <= found.soft_spl <= 1.0


@given(st.lists(result, min_size=1, max_size=8))
def test_spl_of_shortest_ways_is_success(results: list[NavigationResult]) -> None:
    found = navigation_measures([replace(r, travelled=r.start_distance) for r in results])
    assert found.spl == pytest.approx(found.success)


@given(result, way)
def test_a_longer_way_never_raises_spl(one: NavigationResult, more: float) -> None:
    longer = replace(one, travelled=one.travelled + more)
    assert navigation_measures([longer]).spl <= navigation_measures([one]).spl + 1e-12


def test_soft_success_refuses_what_is_no_distance() -> None:
    with pytest.raises(ValueError, match="distance that is finite"):
        soft_success_of_each([math.nan], [1.0])


def test_goat_measures_by_hand() -> None:
    """Rows of two and one goals: over rows the lone goal counts for one half, over goals for one third."""
    assert GOAT_SUCCESS_DISTANCE == 0.25
    found = goat_measures([[("object", REACHED), ("image", SHORT)], [("object", REACHED)]])
    assert found.n_episodes == 2
    assert found.partial_success == pytest.approx((0.5 + 1.0) / 2)
    assert found.composite_spl == pytest.approx((0.25 + 0.5) / 2)
    assert found.composite_soft_spl == pytest.approx(((0.99 * 0.5 + 0.5) / 2 + 0.99 * 0.5) / 2)
    assert found.composite_success == 0.5
    assert found.overall.success == pytest.approx(2 / 3) and found.overall.spl == pytest.approx(1 / 3)
    assert set(found.by_kind) == {"object", "image"}
    assert (found.by_kind["object"].n, found.by_kind["object"].success, found.by_kind["object"].spl) == (2, 1.0, 0.5)
    assert (found.by_kind["image"].success, found.by_kind["image"].spl) == (0.0, 0.0)


def test_goat_success_depends_on_the_distance_that_is_named() -> None:
    near = replace(REACHED, distance=0.8)
    assert goat_measures([[("description", near)]]).partial_success == 0.0
    assert goat_measures([[("description", near)]], GOAT_SUCCESS_DISTANCE_3DMEM).partial_success == 1.0


@given(
    st.lists(st.lists(st.tuples(st.sampled_from(["object", "description", "image"]), result), min_size=1), min_size=1)
)
def test_goat_kinds_make_up_the_whole(rows: list[list[Any]]) -> None:
    found = goat_measures(rows)
    assert sum(m.n for m in found.by_kind.values()) == found.overall.n
    assert sum(m.n * m.spl for m in found.by_kind.values()) == pytest.approx(found.overall.n * found.overall.spl)
    assert found.composite_success <= found.partial_success + 1e-12


@pytest.mark.parametrize("rows", [[], [[]], [[("object", REACHED)], []]])
def test_goat_rows_without_goals_are_refused(rows: list[Any]) -> None:
    with pytest.raises(ValueError, match="rows of one goal or more"):
        goat_measures(rows)


def test_no_results_have_no_measures() -> None:
    with pytest.raises(ValueError, match="got none"):
        navigation_measures([])


# --- Grading of answers


def question(question_id: str, extra: tuple[str, ...] = ()) -> Question:
    return Question(question_id, "What color is the rug?", "tan", extra, "attribute recognition", "hm3d-v0/000")


def test_the_grader_sees_answers_as_openeqa_shows_them() -> None:
    seen: list[Any] = []

    def grader(question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        seen.append((question, answer, prediction, tuple(extra_answers)))
        return 4

    asked = [question("a"), question("b", ("beige",))]
    assert grade(asked, {"a": "It is tan. And it", "b": None}, grader) == {"a": 4, "b": NO_ANSWER}
    assert seen == [("What color is the rug?", "tan", "It is tan.", ())]


@pytest.mark.parametrize(
    ("given", "kept"), [("tan", "tan"), ("It is tan.", "It is tan."), ("A. B. C", "A. B."), ("", ""), (".", ".")]
)
def test_an_answer_ends_at_its_last_period(given: str, kept: str) -> None:
    assert until_last_period(given) == kept


def test_predictions_must_be_of_the_questions_that_were_asked() -> None:
    def grader(question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        return 9

    with pytest.raises(ValueError, match="got 1 too few and 2 of other questions"):
        grade([question("a")], {"x": "tan", "y": None}, grader)
    with pytest.raises(ValueError, match="a mark from 1 to 5, got 9"):
        grade([question("a")], {"a": "tan"}, grader)


# --- KARMA


def test_karma_measures_by_hand() -> None:
    queries = [
        MemoryQuery("mug_1", frozenset({"mug_1"}), from_short_term=True),
        MemoryQuery("mug_2", frozenset({"mug_1"}), from_short_term=True),
        MemoryQuery("bowl_1", frozenset({"bowl_1", "bowl_2"}), from_short_term=False),
        MemoryQuery(None, frozenset({"pan_1"}), from_short_term=True),
    ]
    assert memory_retrieval_accuracy(queries) == 0.5
    assert memory_hit_rate(queries) == 0.5
    assert success_rate([True, False, False, True, True]) == 0.6
    assert reduction([1, 0, 2], [4, 2, 6]) == pytest.approx(0.75)
    assert reduction([90.0], [60.0]) == pytest.approx(-0.5)


def test_two_mugs_are_not_one_another() -> None:
    """Unlike KARMA's own code, which joins by the type's name."""
    assert memory_retrieval_accuracy([MemoryQuery("mug_2", frozenset({"mug_1"}), True)]) == 0.0


@given(st.lists(st.floats(0.1, 100), min_size=1))
def test_what_costs_the_same_saves_nothing(costs: list[float]) -> None:
    assert reduction(costs, costs) == pytest.approx(0.0)
    assert reduction([0.0] * len(costs), costs) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reduction([1.0], [1.0, 2.0]), "the same tasks"),
        (lambda: reduction([0.0], [0.0]), "nothing to be saved"),
        (lambda: reduction([-1.0], [1.0]), "not negative"),
        (lambda: memory_hit_rate([]), "queries to measure"),
        (lambda: success_rate([]), "tasks to measure"),
    ],
)
def test_karma_measures_refuse_what_has_no_value(call: Callable[[], float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


# --- FindingDory


def test_ordered_goals_are_right_only_in_their_order() -> None:
    wanted = [{"mug_1"}, {"bowl_1", "bowl_2"}]
    assert chose_right(["mug_1", "bowl_2"], wanted, is_ordered=True)
    assert not chose_right(["bowl_2", "mug_1"], wanted, is_ordered=True)
    assert chose_right(["bowl_2", "mug_1"], wanted, is_ordered=False)


def test_all_goals_are_needed_and_no_more() -> None:
    wanted = [{"mug_1"}, {"bowl_1"}]
    assert not chose_right(["mug_1"], wanted, is_ordered=False)
    assert not chose_right(["mug_1", "bowl_1", "pan_1"], wanted, is_ordered=False)
    assert not chose_right(["mug_1", "mug_1"], wanted, is_ordered=False)
    assert not chose_right([], [], is_ordered=False)


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=4),
    st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=4),
)
def test_unordered_goals_are_right_in_some_order(chosen: list[str], wanted: list[set[str]]) -> None:
    some = any(chose_right(order, wanted, is_ordered=True) for order in permutations(chosen))
    assert chose_right(chosen, wanted, is_ordered=False) == some


def test_relaxed_frame_accuracy_by_hand() -> None:
    assert relaxed_frame_accuracy([[3, 9], [17]], [{3, 4}, {17}]) == pytest.approx(0.5)
    assert relaxed_frame_accuracy([[3]], [{3, 4}]) == 1.0
    assert relaxed_frame_accuracy([[3], [18]], [{3, 4}, {17}]) == 0.0
    assert relaxed_frame_accuracy([[3]], [{3}, {17}]) == 0.0
    assert relaxed_frame_accuracy([[], [17]], [{3}, {17}]) == 0.0
    assert relaxed_frame_accuracy([], []) == 0.0


def test_high_level_spl_by_hand() -> None:
    """Right and nearest, right but twice as far, wrong, and already there."""
    found = high_level_spl_of_each([True, True, False, True], [4.0, 4.0, 4.0, 0.0], [4.0, 8.0, 2.0, 0.0])
    assert found.tolist() == [1.0, 0.5, 0.0, 1.0]
