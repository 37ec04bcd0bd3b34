"""What answers to A-EQA's questions come to: marks, ways, and which questions are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_files import write

from loci.errors import UserError
from loci_sim.evaluation.answers import answer_table, judged, marks_of, measure_answers, read_shortest
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.openeqa import read_questions
from loci_sim.evaluation.datasets.selection import choose_groups
from loci_sim.evaluation.graders import ExactMatch
from loci_sim.evaluation.tasks import Question, TaskResult


def question(question_id: str, answer: str = "A red bowl", folder: str = "00824-AbCdEfGhIjK") -> dict[str, object]:
    return {
        "question": f"What is it ({question_id})?",
        "answer": answer,
        "category": "object recognition" if question_id < "c" else "spatial understanding",
        "question_id": question_id,
        "episode_history": folder,
        "position": [1.0, 0.5, 3.0],
        "rotation": [0.70711, 0.0, 0.70711, 0.0],
    }


def result(question_id: str, answer: str, travelled: float = 4.0, claimed: bool = True) -> TaskResult:
    kind = "object recognition" if question_id < "c" else "spatial understanding"
    return TaskResult(
        "scene", 0, 0, kind, "?", (), claimed, False, 0.0, travelled, -1.0, 10, 1.0, 0, "", answer=answer, episode=question_id
    )  # fmt: skip


def test_questions_of_a_scene_are_one_group_each_with_its_start(tmp_path: Path) -> None:
    content = [question("a"), question("b", folder="00017-LmNoPqRsTuV"), question("c")]
    path = write(tmp_path / "aeqa_questions-184.json", content)
    first, second = choose_groups("aeqa", tmp_path, "184")
    assert [g.episode_id for g in first.goals] == ["a", "c"] and [g.episode_id for g in second.goals] == ["b"]
    task = first.goals[0].goal
    assert isinstance(task, Question) and task.text == "What is it (a)?" and task.accepted == ("A red bowl",)
    assert all(g.T_map_base is not None for g in first.goals)
    assert [g.scene for g in choose_groups("aeqa", path, "184")] == [first.scene, second.scene]
    (only,) = choose_groups("aeqa", tmp_path, "184", scenes=("LmNoPqRsTuV",))
    assert only.scene == second.scene
    (fewer,) = choose_groups("aeqa", tmp_path, "184", n_episodes=1)
    assert len(fewer.goals) == 1


def test_questions_about_recorded_walks_are_refused(tmp_path: Path) -> None:
    walk = {k: v for k, v in question("a").items() if k not in ("position", "rotation")}
    path = write(tmp_path / "open-eqa-v0.json", [walk])
    with pytest.raises(DatasetError, match=r"with a start .* got those of recorded walks"):
        choose_groups("aeqa", path, "184")
    with pytest.raises(DatasetError, match=r"no such file: .*aeqa_questions-41\.json"):
        choose_groups("aeqa", tmp_path, "41")


def test_scores_are_100_for_the_right_answer_and_0_for_one_that_was_given_up(tmp_path: Path) -> None:
    questions = read_questions(write(tmp_path / "q.json", [question("a"), question("b"), question("c")]))
    results = [result("a", "the red bowl"), result("b", "a red bowl", claimed=False), result("c", "a cup")]
    marks = marks_of(results, questions, ExactMatch())
    assert marks == {"a": 5, "b": 0, "c": 1}
    every, recognition, spatial = measure_answers(results, marks, None)
    assert (every.n, every.score, every.efficiency) == (3, pytest.approx(100 / 3), None)
    assert every.score_low <= every.score <= every.score_high
    assert (recognition.score, spatial.score) == (50.0, 0.0)
    assert every.answered == pytest.approx(2 / 3)
    assert [r.success for r in judged(results, marks)] == [True, False, False]


def test_ways_weigh_scores_as_spl_does() -> None:
    results = [result("a", "x", travelled=4.0), result("b", "x", travelled=1.0)]
    every, _ = measure_answers(results, {"a": 5, "b": 3}, {"a": 2.0, "b": 3.0})
    # 100 * 2 / 4, and 50 * 3 / 3: who drives less than the shortest way gains nothing by it.
    assert every.efficiency == pytest.approx((50.0 + 50.0) / 2)
    with pytest.raises(ValueError, match="got none of b"):
        measure_answers(results, {"a": 5, "b": 3}, {"a": 2.0})


def test_only_marks_of_a_model_are_called_an_llm_match() -> None:
    class Model(ExactMatch):
        name, is_model = "some-model", True

    measured = measure_answers([result("a", "x")], {"a": 5}, None)
    assert answer_table(measured, ExactMatch())[0][2] == "exact match"
    assert answer_table(measured, Model())[0][2] == "LLM-Match"
    assert answer_table(measured, Model())[1][4] == "-"


@pytest.mark.parametrize("content", [[1, 2], {"a": "far"}, {"a": -1.0}])
def test_a_bad_file_of_ways_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "ways.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="question ids with metres"):
        read_shortest(tmp_path / "ways.json")
    with pytest.raises(UserError, match="no such file"):
        read_shortest(tmp_path / "nowhere.json")
