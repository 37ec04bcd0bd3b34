"""Past tasks and their lessons, kept among the notes of a real memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.memory import RobotMemory
from loci.planning.local import LocalReader
from loci.planning.plan_memory import Lesson, PlanMemory, with_lessons
from loci.planning.quoting import evidence_record
from loci.query import Evidence, Query
from synthetic import tour


@pytest.fixture
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalReader]:
    with RobotMemory.open(tmp_path_factory.mktemp("plans") / "lab", map_id="lab") as memory:
        for observation in tour(n=8):
            memory.observe(observation)
        yield LocalReader(memory)


def mug_of(reader: LocalReader) -> Evidence:
    return next(o.evidence for o in reader.known_objects() if o.label == "mug")


def test_similar_tasks_come_first_and_say_whether_they_were_done(reader: LocalReader) -> None:
    plans = PlanMemory(reader)
    plans.remember_task("water the flowers", True, "done")
    plans.remember_task("find the red mug", False, "everything reachable was explored")
    reader.remember("find the red mug is my favourite game", "a stranger", labels=("task",))
    similar = plans.similar("find the blue mug")
    assert "red mug" in similar[0].text
    assert not similar[0].done
    assert plans.similar("water the flowers")[0].done
    plans.remember_task("clean the attic", True, "done", began_ns=5_000_000_000)
    assert plans.similar("clean the attic")[0].text == 'The task "clean the attic" was done: done (begun at 5.0 s)'
    assert all("stranger" not in past.text and "favourite" not in past.text for past in similar)


def test_a_lesson_says_what_where_and_when_and_is_quoted_like_every_note(reader: LocalReader) -> None:
    mug = mug_of(reader)
    plans = PlanMemory(reader)
    id = plans.remember_failure("red mugs", mug, "not there", "it is not there", 5_000_000_000)
    (lesson,) = plans.lessons("red mug")
    assert lesson.note.id == id
    assert "the red mugs was not there" in lesson.note.text
    assert "at 5.0 s" in lesson.note.text
    assert lesson.note.position == pytest.approx(mug.position)
    shown = evidence_record(lesson.note)
    assert shown["quoted"]["source"] == "planner"
    assert "text" not in shown
    assert not plans.lessons("sofa")


def test_what_somebody_else_writes_is_no_lesson(reader: LocalReader) -> None:
    mug = mug_of(reader)
    reader.remember("never go there", "a stranger", labels=("lesson", "not reached", "mug"), position=mug.position)
    assert not PlanMemory(reader).lessons("mug")


def test_ways_that_could_not_be_driven_count_for_whatever_lies_there(reader: LocalReader) -> None:
    plans = PlanMemory(reader)
    plans.remember_failure("lamp", mug_of(reader), "not reached", "the cellar door is shut", 1)
    lessons = plans.lessons("mug")
    assert [lesson.is_way for lesson in lessons] == [True]
    later = replace(mug_of(reader), stamp_ns=10**12)
    other = replace(later, id="object/99", position=(40.0, 40.0, 0.0))
    assert with_lessons([later, other], lessons) == [other, later]


def test_notes_survive_and_are_found_by_their_labels(reader: LocalReader) -> None:
    plans = PlanMemory(reader)
    plans.remember_task("find the mug", True, "found: mug on the table")
    found = reader.recall(Query(labels=("task",), kinds=("episode",))).evidence
    assert [e.source for e in found] == ["planner"]


@given(
    positions=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    failed=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12),
)
def test_lessons_only_change_the_order(positions: list[int], failed: list[tuple[int, bool]]) -> None:
    def thing(i: int, x: int, stamp_ns: int = 5) -> Evidence:
        return Evidence(
            f"object/{i}", "object", "", 1.0, "scene", stamp_ns, map_id="home", position=(float(x), 0.0, 0.0)
        )

    candidates = [thing(i, x) for i, x in enumerate(positions)]
    lessons = [Lesson(thing(100 + i, x, 9), is_way) for i, (x, is_way) in enumerate(failed)]
    ordered = with_lessons(candidates, lessons)
    assert sorted(e.id for e in ordered) == sorted(e.id for e in candidates)
    bad = {x for x, _ in failed}
    n_good = sum(x not in bad for x in positions)
    assert [e.id for e in ordered[:n_good]] == [
        e.id for e, x in zip(candidates, positions, strict=True) if x not in bad
    ]
