"""`loci eval aeqa` over real DDS and the real habitat_sim: a home of ours as HM3D lays out its scenes, with invented questions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

from benchmark_homes import position
from hm3d_homes import write_hm3d
from loci_sim.habitat.process import PYTHON_VARIABLE
from loci_sim.scenes import load_scene
from model_server import ModelServer, says

pytestmark = [
    pytest.mark.ros,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not os.environ.get(PYTHON_VARIABLE),
        reason=f"no habitat_sim: set {PYTHON_VARIABLE} to a Python interpreter that has it",
    ),
]
FOLDER = "00899-AbCdEfGhIjK"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``scenes``, ``questions`` and ``ways.json``."""
    folder = tmp_path_factory.mktemp("aeqa")
    scene = load_scene("home:1")
    write_hm3d(scene, folder / "scenes", FOLDER)
    x, y, _ = scene.start

    def question(question_id: str, text: str, answer: str, category: str) -> dict[str, Any]:
        start = {"position": position((x, y, 0.0)), "rotation": [1.0, 0.0, 0.0, 0.0]}
        named = {"question_id": question_id, "question": text, "answer": answer, "category": category}
        return {**named, "episode_history": FOLDER, **start}

    questions = [
        question("q-1", "Where is the bath tub?", "In the bathroom", "object localization"),
        question("q-2", "How many doors are there?", "twelve", "spatial understanding"),
    ]
    (folder / "questions").mkdir()
    (folder / "questions" / "aeqa_questions-2.json").write_text(json.dumps(questions))
    (folder / "ways.json").write_text(json.dumps({"q-1": 3.0, "q-2": 0.0}))
    return folder


def options(files: Path, *more: object) -> tuple[object, ...]:
    data = ("--data", files / "questions", "--split", 2, "--scenes-dir", files / "scenes")
    return ("eval", "aeqa", *data, *more)


def episodes(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]


def test_who_knows_the_answers_has_all_marks_and_the_table_names_the_grader(
    loci: Callable[..., Any], files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ways = ("--shortest", files / "ways.json")
    done = loci(*options(files, "--planner", "oracle", "--out", out, *ways), timeout=800.0)
    assert done.returncode == 0, done.stderr
    assert [(e["episode"], e["answer"]) for e in episodes(out)] == [("q-1", "In the bathroom"), ("q-2", "twelve")]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["grader"] == "exact match" and summary["is_llm_match"] is False
    assert summary["measures"][0]["score"] == summary["measures"][0]["efficiency"] == 100.0
    assert "exact match" in done.stdout and "which is no LLM-Match" in done.stdout
    assert json.loads((out / "marks.json").read_text())["marks"] == {"q-1": 5, "q-2": 5}


def test_the_robot_explores_and_its_answers_are_marked_again_by_a_model_without_running(
    loci: Callable[..., Any], files: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = options(files, "--max-steps", 20, "--out", out)
    done = loci(*run, timeout=800.0)
    assert done.returncode == 0, done.stderr
    found = episodes(out)
    # How many doors there are is known, rightly or not, as soon as one was seen.
    assert 0 < sum(e["n_steps"] for e in found) <= 2 * 21
    assert any(e["claimed"] and e["answer"] for e in found), found

    model = ("--grader-model", "some-model", "--grader-cache", tmp_path / "marks.jsonl")
    with ModelServer(says("Your mark: 3")) as server:
        again = loci(*run, *model, "--grader-url", server.url, timeout=120.0)
    assert again.returncode == 0, again.stderr
    assert "2 of 2 goals are done" in again.stdout and "LLM-Match" in again.stdout
    assert episodes(out) == found
    answered = [e["episode"] for e in found if e["claimed"]]
    marks = json.loads((out / "marks.json").read_text())["marks"]
    assert marks == {e["episode"]: 3 if e["episode"] in answered else 0 for e in found}
    # The server is gone; the cache holds its replies.
    replayed = loci(*run, *model, timeout=120.0)
    assert replayed.returncode == 0, replayed.stderr
    assert json.loads((out / "marks.json").read_text())["marks"] == marks


def test_a_model_without_an_address_is_refused(loci: Callable[..., Any], files: Path, tmp_path: Path) -> None:
    done = loci(*options(files, "--grader-model", "some-model", "--out", tmp_path / "out"))
    assert done.returncode == 1 and "--grader-url or --grader-cache" in done.stderr
