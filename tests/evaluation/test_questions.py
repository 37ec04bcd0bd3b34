"""Questions have one right answer, which the scene's truth gives; wrong and hedged answers do not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_sim.evaluation.phrasings import PHRASINGS
from loci_sim.evaluation.questions import KINDS, draw_questions, is_right
from loci_sim.evaluation.tasks import Question
from loci_sim.scenes import Scene, generate_scene, load_scene


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load_scene(generate_scene("home", 1, tmp_path_factory.mktemp("scenes")))


@pytest.fixture(scope="module")
def questions(home: Scene) -> tuple[Question, ...]:
    return draw_questions(home, PHRASINGS, "dev", seed=0, n_questions=14)


def test_all_seven_categories_of_openeqa_are_asked(questions: tuple[Question, ...]) -> None:
    assert [q.kind for q in questions] == [*KINDS, *KINDS]
    assert len({q.text for q in questions}) == 14


def test_questions_are_the_same_for_the_same_seed(home: Scene, questions: tuple[Question, ...]) -> None:
    assert draw_questions(home, PHRASINGS, "dev", seed=0, n_questions=14) == questions
    assert draw_questions(home, PHRASINGS, "dev", seed=1, n_questions=14) != questions
    assert draw_questions(home, PHRASINGS, "dev", seed=0, row=1, n_questions=14) != questions
    assert not {q.text for q in questions} & {q.text for q in draw_questions(home, PHRASINGS, "test", 0)}


def test_every_accepted_answer_is_right_and_every_refused_one_wrong(questions: tuple[Question, ...]) -> None:
    for question in questions:
        for accepted in question.accepted:
            assert is_right(f"I think it is {accepted}.", question), (question.text, accepted)
            for refused in question.refused:
                assert not is_right(f"It is {accepted} or {refused}.", question), (question.text, refused)
        assert not is_right("I do not know that.", question)
        assert not is_right("", question)


def test_truth_is_the_scenes(home: Scene, questions: tuple[Question, ...]) -> None:
    things = {o.id: o for o in home.objects}
    rooms = {r.id: r.name for r in home.rooms}
    color = next(q for q in questions if q.kind == "attribute recognition")
    assert things[color.object_ids[0]].color in color.accepted
    where = next(q for q in questions if q.kind == "object localization")
    assert rooms[things[where.object_ids[0]].room] in where.accepted
    count = next(q for q in questions if q.kind == "spatial understanding")
    assert str(len(count.object_ids)) in count.accepted


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("I have seen two chairs in the kitchen.", True),
        ("There are 2.", True),
        ("Two chairs", True),
        ("I have seen twelve chairs.", False),
        ("Two or three.", False),
        ("There are 22.", False),
    ],
)
def test_counts_are_whole_words(answer: str, right: bool) -> None:
    question = Question("spatial understanding", "How many chairs?", ("two", "2"), ("one", "three", "twelve"), ())
    assert is_right(answer, question) is right


def test_rooms_that_are_called_differently_are_the_same(home: Scene) -> None:
    question = Question("object localization", "Where is it?", ("study", "office"), ("kitchen",), ())
    assert is_right("The globe is in the office, on the desk.", question)
    assert not is_right("The globe is in the kitchen.", replace(question, accepted=("study",)))
