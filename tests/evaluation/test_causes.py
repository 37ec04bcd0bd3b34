"""Causes of failures: each recorded course of a task has one, and what was right or not recorded has none."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from example_task import GOAL

from loci.planning.protocols import KnownObject
from loci.query import Evidence
from loci_sim.evaluation.causes import CAUSES, cause_of, counts_of, reasons_of
from loci_sim.evaluation.tasks import Chore, Facts, Goal, Step, task_result_from
from loci_sim.evaluation.witness import is_known, match_of, meant_by, n_stale

#: A mug that was never in view, and nothing said of it.
UNSEEN = Facts("goal", 1, 0, 0, 0, 3, True, "", "")
KNOWN = replace(UNSEEN, n_seen=1, n_known=1)
FAILED = replace(GOAL, claimed=False, success=False, reason="", facts=UNSEEN)


def cause(facts: Facts, **fields: object) -> str:
    found = cause_of(replace(FAILED, facts=facts, **fields))
    assert found is not None
    return found.name


def test_what_never_came_into_view_is_a_matter_of_navigation() -> None:
    assert cause(UNSEEN) == "navigation"
    assert cause(UNSEEN, claimed=True) == "navigation"


def test_what_was_in_view_and_is_no_thing_of_the_memory_is_a_matter_of_perception() -> None:
    assert cause(replace(UNSEEN, n_seen=1)) == "perception"


def test_what_is_remembered_where_it_is_not_is_a_matter_of_memory() -> None:
    assert cause(replace(UNSEEN, n_seen=1, n_stale=1)) == "memory"


def test_what_is_known_and_not_found_by_the_question_is_a_matter_of_memory() -> None:
    assert cause(KNOWN) == "memory"
    assert cause(replace(KNOWN, named="alike")) == "memory"


def test_what_is_known_and_found_and_not_reached_is_a_matter_of_navigation() -> None:
    assert cause(replace(KNOWN, named="right")) == "navigation"


def test_another_one_of_the_kind_is_a_matter_of_memory_if_the_right_one_is_known() -> None:
    assert cause(replace(KNOWN, named="right", ended="alike"), claimed=True) == "memory"
    assert cause(replace(UNSEEN, named="alike", ended="alike"), claimed=True) == "navigation"


def test_a_stop_too_far_from_the_right_thing_is_a_matter_of_navigation() -> None:
    assert cause(replace(KNOWN, named="right", ended="right"), claimed=True) == "navigation"


@pytest.mark.parametrize("task", ["goal", "chore"])
def test_words_that_led_to_no_question_or_to_one_about_something_else_are_a_matter_of_language(task: str) -> None:
    assert cause(replace(UNSEEN, task=task, gave_up="understanding")) == "language"
    assert cause(replace(UNSEEN, task=task, n_asked=0, asked_for=None)) == "language"
    assert cause(replace(KNOWN, task=task, asked_for=False, named="other")) == "language"
    assert cause(replace(KNOWN, task=task, ended="other"), claimed=True) == "language"


def test_pictures_are_recognised_by_the_memory() -> None:
    assert cause(replace(UNSEEN, task="picture", n_asked=0), claimed=True) == "memory"
    assert cause(replace(UNSEEN, task="picture", n_seen=1, n_asked=0)) == "memory"
    assert cause(replace(UNSEEN, task="picture", n_asked=0)) == "navigation"


def test_questions_fail_at_the_thing_the_answer_or_the_words() -> None:
    asked = replace(KNOWN, task="question")
    assert cause(replace(asked, n_known=0, n_seen=0)) == "navigation"
    assert cause(replace(asked, n_known=0)) == "perception"
    assert cause(replace(asked, named="right"), claimed=True) == "memory"
    assert cause(replace(asked, named="other"), claimed=True) == "language"
    assert cause(replace(asked, told=True)) == "memory"
    assert cause(asked) == "language"


def test_who_counts_must_know_every_one() -> None:
    facts = replace(KNOWN, task="question", n_meant=3, n_seen=2, n_known=2, named="right")
    assert cause(facts, claimed=True, kind="spatial understanding") == "navigation"
    assert cause(replace(facts, n_seen=3), claimed=True, kind="spatial understanding") == "perception"
    assert cause(replace(facts, n_seen=3, n_known=3), claimed=True, kind="spatial understanding") == "memory"


def test_going_back_fails_at_the_record_the_words_or_the_way() -> None:
    back = replace(KNOWN, task="revisit")
    assert cause(replace(back, gave_up="understanding")) == "language"
    assert cause(replace(back, gave_up="recalling")) == "memory"
    assert cause(replace(back, gave_up="recalling", n_known=0)) == "perception"
    assert cause(replace(back, gave_up="driving")) == "navigation"
    assert cause(replace(back, ended="alike"), claimed=True) == "memory"
    assert cause(replace(back, ended="other"), claimed=True) == "language"
    assert cause(replace(back, ended="right"), claimed=True, chose_right=True) == "navigation"


matches = st.sampled_from(["", "right", "alike", "other"])
facts = st.builds(
    Facts,
    st.sampled_from(["goal", "picture", "question", "chore", "revisit"]),
    *[st.integers(0, 3)] * 5,
    st.sampled_from([None, True, False]),
    matches,
    matches,
    st.booleans(),
    st.sampled_from(["", "understanding", "recalling", "driving"]),
)


@given(facts, st.booleans(), st.booleans())
def test_every_recorded_failure_has_a_cause_and_counts_once(found: Facts, claimed: bool, chose_right: bool) -> None:
    failed = replace(FAILED, facts=found, claimed=claimed, chose_right=chose_right)
    assert cause(found, claimed=claimed, chose_right=chose_right) in CAUSES
    assert sum(counts_of([failed, replace(failed, success=True)]).values()) == 1
    assert sum(reasons_of([failed, failed]).values()) == 2
    assert task_result_from(json.loads(json.dumps(asdict(failed)))) == failed


def test_what_went_right_or_was_not_recorded_has_no_cause() -> None:
    assert cause_of(replace(FAILED, success=True)) is None
    assert cause_of(replace(FAILED, facts=None)) is None
    before = asdict(FAILED)
    del before["facts"]  # as written by earlier versions
    assert task_result_from(before).facts is None


# --- what facts are made of -----------------------------------------------------------------------------------------------


def thing(identity: str, x: float, **fields: object) -> dict[str, object]:
    T = np.eye(4)
    T[0, 3] = x
    category = identity.split("_")[0]
    return {"id": identity, "category": category, "T_map_box": T.tolist(), "size": [0.2, 0.2, 0.2], **fields}


THINGS = {o["id"]: o for o in (thing("mug_1", 0.0), thing("mug_2", 5.0), thing("table_1", 0.25))}


def known(label: str, x: float) -> KnownObject:
    evidence = Evidence("object/1", "object", label, 1.0, "scene", 0, label=label, position=(x, 0.0, 0.0))
    return KnownObject(evidence)


def test_what_lies_at_a_place_is_compared_with_what_is_meant() -> None:
    assert match_of("mug", (0.05, 0.0, 0.0), ["mug_1"], THINGS) == "right"
    assert match_of("mug", (5.0, 0.0, 0.0), ["mug_1"], THINGS) == "alike"
    assert match_of("table", (0.05, 0.0, 0.0), ["mug_1"], THINGS) == "other"
    assert match_of("", (0.05, 0.0, 0.0), ["mug_1"], THINGS) == "right"
    assert match_of("mug", (9.0, 0.0, 0.0), ["mug_1"], THINGS) == "alike"
    assert match_of("", (9.0, 0.0, 0.0), ["mug_1"], THINGS) == ""


def test_a_thing_is_known_where_it_is_and_stale_where_none_of_its_kind_is() -> None:
    assert is_known(THINGS["mug_1"], [known("mug", 0.1)])
    assert not is_known(THINGS["mug_1"], [known("table", 0.1), known("mug", 5.0)])
    assert n_stale(["mug_1"], THINGS, [known("mug", 0.1), known("mug", 5.0)]) == 0
    assert n_stale(["mug_1"], THINGS, [known("mug", 3.0), known("table", 3.0)]) == 1


def test_of_a_chore_the_first_step_that_is_not_done_is_meant() -> None:
    steps = (Step("open", ("door_1",)), Step("place", ("mug_1", "mug_2"), ("table_1",)))
    chore = Chore("composite", "open the door, bring the mug to the table", steps)
    shut = {**THINGS, "door_1": thing("door_1", 8.0, states={"open": False})}
    shut = {i: {"on": "", "held": False, **o} for i, o in shut.items()}
    assert meant_by(chore, shut, "") == ("door_1",)
    opened = {**shut, "door_1": {**shut["door_1"], "states": {"open": True}}}
    assert meant_by(chore, opened, "") == ("mug_1", "mug_2")
    assert meant_by(chore, opened, "mug_2") == ("table_1",)
    assert meant_by(Goal("category", "find the room", ("room_7",)), opened, "") == ()
