"""OpenEQA's and A-EQA's question files, FindingDory's episodes and questions: read with starts in the map frame, errors named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_files import episode, write

from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.findingdory import parse_frames, read_dory_questions, read_findingdory
from loci_sim.evaluation.datasets.openeqa import (
    QUESTION_CATEGORIES,
    questions_of,
    read_question_ids,
    read_questions,
)

QUESTION = {
    "question": "What is on the table?",
    "answer": "A bowl",
    "category": "object recognition",
    "question_id": "q-1",
    "episode_history": "hm3d-v0/000-hm3d-AbCdEfGhIjK",
}
ACTIVE = {
    **QUESTION,
    "question_id": "q-2",
    "episode_history": "00824-AbCdEfGhIjK",
    "extra_answers": ["a fruit bowl", "bowl"],
    "position": [1.0, 0.5, 3.0],
    "rotation": [0.70711, 0.0, 0.70711, 0.0],
    "object_id": None,
    "class": None,
}


def test_openeqa_questions_are_of_recorded_walks(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path / "q.json", [QUESTION]))
    assert (question.question_id, question.answer, question.extra_answers) == ("q-1", "A bowl", ())
    assert question.scene is None and question.T_map_base is None


def test_aeqa_questions_have_a_scene_and_a_start_whose_quaternion_begins_with_w(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path / "q.json", [ACTIVE]))
    assert question.extra_answers == ("a fruit bowl", "bowl")
    assert question.scene is not None and question.T_map_base is not None
    assert question.scene.scene_id == "hm3d/val/00824-AbCdEfGhIjK/AbCdEfGhIjK.basis.glb"
    np.testing.assert_allclose(question.T_map_base[:3, 3], [1.0, -3.0, 0.5])
    # Turned left by 90 degrees from the map's +y.
    np.testing.assert_allclose(question.T_map_base[:3, 0], [-1.0, 0.0, 0.0], atol=1e-4)


def test_scenes_below_800_are_of_the_train_split(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path / "q.json", [{**ACTIVE, "episode_history": "00017-AbCdEfGhIjK"}]))
    assert question.scene is not None and question.scene.scene_id.startswith("hm3d/train/00017-")


def test_a_subset_is_taken_by_ids_in_their_order(tmp_path: Path) -> None:
    questions = read_questions(write(tmp_path / "q.json", [QUESTION, ACTIVE]))
    ids = read_question_ids(write(tmp_path / "ids.json", ["q-2", "q-1"]))
    assert [q.question_id for q in questions_of(questions, ids)] == ["q-2", "q-1"]
    with pytest.raises(DatasetError, match="got none for 1: q-9"):
        questions_of(questions, ["q-9"])
    with pytest.raises(DatasetError, match="question ids only"):
        read_questions(tmp_path / "ids.json")
    with pytest.raises(DatasetError, match="list of question ids"):
        read_question_ids(tmp_path / "q.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"questions": []}, "a list of questions as in open-eqa-v0.json in .*got dict of 1"),
        ([], "got list of 0"),
        ([QUESTION, QUESTION], "q-1 twice"),
        ([{**QUESTION, "category": "colour"}], r"one of attribute recognition.* at \[0\].category .*'colour'"),
        ([{k: v for k, v in QUESTION.items() if k != "answer"}], r"the field 'answer' at \[0\] in .*q\.json"),
        ([QUESTION, 3], r"a JSON object at \[1\]"),
        ([{**QUESTION, "extra_answers": "bowl"}], "a list of texts"),
        ([{**ACTIVE, "episode_history": "scene0709_00"}], "a folder of HM3D"),
        ([{**ACTIVE, "rotation": [1, 0, 0]}], "4 numbers"),
        ([{**ACTIVE, "rotation": [2, 0, 0, 0]}], "norm 1"),
        ([{k: v for k, v in ACTIVE.items() if k != "rotation"}], "the field 'rotation'"),
    ],
)
def test_a_bad_question_file_says_what_is_wrong(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_questions(write(tmp_path / "q.json", content))


def test_no_question_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        read_questions(tmp_path / "q.json")


@pytest.mark.data
def test_the_real_41_questions_of_aeqa_are_read(aeqa_questions: Path) -> None:
    questions = read_questions(aeqa_questions)
    assert len(questions) == 41
    assert {q.category for q in questions} == set(QUESTION_CATEGORIES)
    for q in questions:
        assert q.scene is not None and q.T_map_base is not None
        # On an upright robot: which the quaternions are only if w comes first.
        assert q.T_map_base[2, 2] == pytest.approx(1.0, abs=1e-6)


def dory_content() -> dict[str, Any]:
    def candidate(object_id: str, view_points: list[int]) -> dict[str, Any]:
        return {
            "object_id": object_id,
            "object_category": "mug",
            "position": [0.0, 1.0, -2.0],
            "view_points": view_points,
        }

    def instruction(task_id: str, several: Any) -> dict[str, Any]:
        return {
            "task_id": task_id,
            "lang": "Go to the mug that you moved.",
            "task_type": "object",
            "goal_expr": {"expr_type": "AND"},
            "sampled_objects": [],
            "sampled_receps": [],
            "sequential_goals": several,
        }

    return {
        "episodes": [
            episode(
                "3",
                candidate_objects=[candidate("0", [1, 0])],
                candidate_goal_receps=[candidate("4", [])],
                candidate_start_receps=None,
                instructions={
                    "0": instruction("task_1", None),
                    "1": instruction("task_40", {"ordered": True, "sequence": [2, 0, 1]}),
                    "2": instruction("task_41", {"ordered": False}),
                },
            )
        ]
    }


def write_dory(folder: Path, content: Any = None, viewpoints: Any = None) -> None:
    write(folder / "val" / "episodes.json.gz", dory_content() if content is None else content)
    rows = [[0, 0, -1, 0, 0, 0, 1, 0.4], [1, 0, -2, 0, 0.70711, 0, 0.70711, 0.3]]
    np.save(folder / "val" / "viewpoints.npy", np.array(rows if viewpoints is None else viewpoints))


def test_findingdory_episodes_have_candidates_with_viewpoints_of_the_table(tmp_path: Path) -> None:
    write_dory(tmp_path)
    (day,) = read_findingdory(tmp_path, "val")
    assert day.episode_id == "3" and set(day.candidates) == {"candidate_objects", "candidate_goal_receps"}
    (mug,) = day.candidates["candidate_objects"]
    np.testing.assert_allclose(mug.viewpoints, [[1.0, 2.0, 0.0], [0.0, 1.0, 0.0]])
    assert day.candidates["candidate_goal_receps"][0].viewpoints.shape == (0, 3)


def test_findingdory_tasks_say_whether_they_have_several_goals_and_in_what_order(tmp_path: Path) -> None:
    write_dory(tmp_path)
    (day,) = read_findingdory(tmp_path, "val")
    assert [(t.task_id, t.has_several_goals, t.sequence) for t in day.tasks] == [
        ("task_1", False, ()),
        ("task_40", True, (2, 0, 1)),
        ("task_41", True, ()),
    ]
    assert day.tasks[0].goal == {"expr_type": "AND"}


def test_findingdory_faults_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no such file: .*episodes\.json\.gz"):
        next(read_findingdory(tmp_path, "val"))
    write_dory(tmp_path, viewpoints=[[0.0, 0.0]])
    with pytest.raises(DatasetError, match=r"viewpoints \(N, 8\).*got \(1, 2\)"):
        next(read_findingdory(tmp_path, "val"))
    write_dory(tmp_path, viewpoints=[[0, 0, -1, 0, 0, 0, 1, 0.4]])
    with pytest.raises(DatasetError, match=r"indices of 1 rows of viewpoints\.npy at .*candidate_objects\[0\]"):
        next(read_findingdory(tmp_path, "val"))
    (tmp_path / "val" / "viewpoints.npy").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="an array of viewpoints"):
        next(read_findingdory(tmp_path, "val"))
    (tmp_path / "val" / "viewpoints.npy").unlink()
    with pytest.raises(DatasetError, match=r"no such file: .*viewpoints\.npy"):
        next(read_findingdory(tmp_path, "val"))
    content = dory_content()
    content["episodes"][0]["instructions"]["1"]["sequential_goals"] = {"sequence": [0]}
    write_dory(tmp_path, content)
    with pytest.raises(DatasetError, match=r"true or false at .*instructions\.1\.sequential_goals\.ordered"):
        next(read_findingdory(tmp_path, "val"))


ROW = {
    "ep_id": "ep_3",
    "video": "videos/ep_3.mp4",
    "question": "Which frame shows the mug that you moved?",
    "answer": "[[3, 4], [17]]",
    "task_id": "task_1",
    "high_level_category": "single-goal",
    "low_level_category": "object",
    "num_interactions": 4,
}


def test_findingdory_questions_have_the_right_frames_of_each_goal(tmp_path: Path) -> None:
    path = tmp_path / "validation.jsonl"
    path.write_text(json.dumps(ROW) + "\n\n" + json.dumps({**ROW, "answer": "[5, 6]"}) + "\n")
    two, one = read_dory_questions(path)
    assert two.answer == ((3, 4), (17,)) and one.answer == ((5, 6),)
    assert (two.episode_id, two.n_interactions) == ("ep_3", 4)


@pytest.mark.parametrize("text", ["frames 3 and 4", "[[3, -1]]", "[3, [4]]", "{}", "[[", "[[True]]", "3"])
def test_what_is_no_list_of_frames_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected frames"):
        parse_frames(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON at line 1"),
        (json.dumps({**ROW, "answer": "none"}), r"frames as .* at line 1\.answer"),
        (json.dumps({k: v for k, v in ROW.items() if k != "video"}), "the field 'video' at line 1"),
        ("[]", "a JSON object at line 1"),
    ],
)
def test_a_bad_findingdory_question_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "validation.jsonl"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_dory_questions(path)


def test_parquet_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="write the table as JSON lines"):
        read_dory_questions(tmp_path / "validation.parquet")
    with pytest.raises(DatasetError, match="no such file"):
        read_dory_questions(tmp_path / "validation.jsonl")
