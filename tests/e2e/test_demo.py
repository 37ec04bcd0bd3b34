"""`loci demo` explores, asks, reports and resumes; the long test does so to the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

pytestmark = [pytest.mark.ros, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def short_demo(loci, tmp_path_factory: pytest.TempPathFactory):
    """Output folder and process of a demo that gives up exploring early."""
    out = tmp_path_factory.mktemp("demo")
    return out, loci("demo", "--out", out, "--max-steps", 60)


def test_a_demo_that_ends_early_says_so_and_still_reports(short_demo) -> None:
    out, done = short_demo
    assert done.returncode == 1
    assert "exploration ended early: out of steps" in done.stderr
    assert "Traceback" not in done.stderr
    assert (out / "index.html").is_file()


def test_all_five_questions_are_asked_and_judged(short_demo) -> None:
    out, done = short_demo
    for start in (
        "Where is the ",
        "What is on the ",
        "Which rooms have ",
        "What did you see last in the ",
        "Have you seen a",
    ):
        assert f"\n{start}" in done.stdout
    assert (out / "index.html").read_text().count('<section class="answer ') == 5


def test_resuming_gives_the_same_answers_without_exploring(loci, short_demo) -> None:
    out, _ = short_demo
    before = json.loads((out / "demo.json").read_text())
    done = loci("demo", "--resume", "--out", out)
    assert ", the same as before" in done.stdout
    assert "explored in" not in done.stdout
    assert not (out / "logs" / "simulator.log").stat().st_mtime > (out / "demo.json").stat().st_mtime
    assert json.loads((out / "demo.json").read_text()) == before


def test_there_must_be_something_to_resume(loci, tmp_path: Path) -> None:
    done = loci("demo", "--resume", "--out", tmp_path)
    assert done.returncode == 1
    assert "nothing to resume" in done.stderr
    assert "try: loci demo" in done.stderr


def test_a_folder_that_is_no_memory_is_left_alone(loci, tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "thesis.tex").write_text("precious")
    done = loci("demo", "--out", tmp_path)
    assert done.returncode == 1
    assert "is no memory" in done.stderr
    assert (tmp_path / "memory" / "thesis.tex").read_text() == "precious"


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_the_whole_demo_ends_with_right_answers(loci, tmp_path: Path, seed: int) -> None:
    done = loci("demo", "--seed", seed, "--out", tmp_path, timeout=900.0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 answers are right" in done.stdout
    done = loci("demo", "--resume", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
