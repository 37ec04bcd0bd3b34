"""`loci eval goals` over real DDS: the oracle arrives, the robot with a memory reports, what is done is not done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

pytestmark = [pytest.mark.ros, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def oracle(loci, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("oracle")
    arguments = ("eval", "goals", "--scenes", 1, "--planner", "oracle", "--tasks", 3, "--rows", 1, "--out", out)
    return out, arguments, loci(*arguments)


def episodes(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]


def test_the_oracle_reaches_every_goal_on_about_the_shortest_way(oracle) -> None:
    out, _, done = oracle
    assert done.returncode == 0, done.stderr
    found = episodes(out)
    assert [e["kind"] for e in found] == ["category", "description", "image"]
    assert all(e["success"] and e["claimed"] for e in found)
    assert all(e["travelled"] < 1.15 * e["shortest"] + 0.5 for e in found)
    summary = json.loads((out / "summary.json").read_text())["summaries"][0]
    assert (summary["name"], summary["n"], summary["success"]) == ("all", 3, 1.0)
    assert "category " in done.stdout
    assert "% of objects under 15 cm" in done.stdout
    assert "<h2>0 failures" in (out / "index.html").read_text()


def test_what_is_done_is_not_done_again(loci, oracle) -> None:
    out, arguments, _ = oracle
    before = (out / "episodes.jsonl").read_text()
    done = loci(*arguments)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 scenes are done" in done.stdout
    assert (out / "episodes.jsonl").read_text() == before


def test_results_of_other_options_are_not_mixed(loci, oracle) -> None:
    _, arguments, _ = oracle
    done = loci(*arguments, "--seed", 3)
    assert done.returncode == 1
    assert "seed differ" in done.stderr or "scenes, seed differ" in done.stderr
    assert "try: loci eval goals" in done.stderr


def test_the_robot_with_a_memory_seeks_and_its_failures_are_drawn(loci, tmp_path: Path) -> None:
    """With few steps it cannot arrive at all goals; every one has its end told."""
    arguments = ("--scenes", 1, "--tasks", 2, "--rows", 1, "--max-steps", 6, "--memory", "none")
    done = loci("eval", "goals", *arguments, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = episodes(tmp_path)
    assert len(found) == 2
    assert all(e["n_steps"] <= 6 and e["reason"] for e in found)
    failed = [e for e in found if not e["success"]]
    assert (tmp_path / "index.html").read_text().count("<figure>") == len(failed) > 0


def test_questions_are_asked_and_the_oracle_knows(loci, tmp_path: Path) -> None:
    arguments = ("--scenes", 1, "--tasks", 3, "--rows", 1)
    done = loci("eval", "questions", *arguments, "--planner", "oracle", "--out", tmp_path / "oracle")
    assert done.returncode == 0, done.stderr
    assert all(e["success"] and e["answer"] and e["n_images"] == 1 for e in episodes(tmp_path / "oracle"))
    done = loci("eval", "questions", *arguments, "--max-steps", 4, "--out", tmp_path / "offline")
    assert done.returncode == 0, done.stderr
    found = episodes(tmp_path / "offline")
    assert [e["kind"] for e in found] == ["object localization", "object recognition", "attribute recognition"]
    assert all(e["answer"] and e["truth"] and e["n_steps"] <= 4 for e in found)


def test_a_day_is_carried_out_and_the_oracle_goes_back_to_it(loci, tmp_path: Path) -> None:
    arguments = ("--scenes", 1, "--tasks", 3, "--rows", 1, "--pick-and-places", 2, "--planner", "oracle")
    done = loci("eval", "recall", *arguments, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = episodes(tmp_path)
    assert [e["kind"] for e in found] == ["object", "attribute", "interaction"]
    assert all(e["success"] and e["chose_right"] and e["answer"] for e in found)
    assert "HL-SR" in done.stdout


@pytest.mark.long
def test_the_robot_tells_its_memory_of_the_day_and_reads_it(loci, tmp_path: Path) -> None:
    """With few steps it arrives nowhere, but its records were understood: it set out."""
    arguments = ("--scenes", 1, "--tasks", 2, "--rows", 1, "--pick-and-places", 2, "--max-steps", 3)
    done = loci("eval", "recall", *arguments, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = episodes(tmp_path)
    assert len(found) == 2
    assert all(e["n_steps"] <= 3 and e["truth"] for e in found)
    assert any("did not reach" in e["reason"] or e["claimed"] for e in found)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("apartment:0\n", "too easy"),
        ("castle:3\n", "no family 'castle'"),
        ("# nothing\n\n", "no scene in"),
        ("missing.glb\n", "no file missing.glb"),
    ],
)
def test_scenes_that_cannot_be_used_are_refused(loci, tmp_path: Path, lines: str, message: str) -> None:
    file = tmp_path / "scenes.txt"
    file.write_text(lines)
    done = loci("eval", "goals", "--scene-list", file, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "out" / "episodes.jsonl").exists()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_memory_helps_and_chance_does_not(loci, tmp_path: Path) -> None:
    success = {}
    for planner, memory in (("oracle", "full"), ("offline", "full"), ("offline", "none"), ("random", "full")):
        out = tmp_path / f"{planner}-{memory}"
        done = loci(
            "eval", "goals", "--scenes", 1, "--planner", planner, "--memory", memory, "--out", out, timeout=1500.0
        )
        assert done.returncode == 0, done.stderr
        summary = json.loads((out / "summary.json").read_text())["summaries"][0]
        success[planner, memory] = summary["success"], summary["spl"]
    assert success["oracle", "full"][0] > 0.9
    assert success["random", "full"][0] < 0.2
    assert success["offline", "full"][0] > success["random", "full"][0]
    assert success["offline", "full"][1] > success["offline", "none"][1]


def test_a_vision_language_planner_decides_and_its_calls_are_counted(loci, tmp_path: Path) -> None:
    """With the model that comes with the simulator; nothing is decided by the offline planner behind it."""
    arguments = ("--scenes", 1, "--tasks", 1, "--rows", 1, "--max-steps", 10, "--planner", "vision_language")
    done = loci("eval", "goals", *arguments, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    [found] = episodes(tmp_path)
    assert 2 <= found["n_steps"] <= 10
    counts = json.loads((tmp_path / "summary.json").read_text())["model"]
    assert counts["questions"] == counts["model_calls"] >= 1
    assert counts["fallbacks"] == counts["failed_calls"] == 0
    assert counts["prompt_tokens"] > 500
    assert "0 of them by the offline planner" in done.stdout


def test_a_model_that_cannot_be_asked_is_refused_before_anything_runs(loci, tmp_path: Path) -> None:
    for suite, options, reason in (
        ("goals", ("--model", "qwen2.5vl"), "--model-base-url"),
        ("questions", (), "only tells where things are"),
        ("goals", ("--model-base-url", "nowhere"), "base_url"),
    ):
        done = loci("eval", suite, "--planner", "vision_language", *options, "--out", tmp_path / "x")
        assert done.returncode == 1
        assert reason in done.stderr
    assert not (tmp_path / "x").exists()
