"""`loci eval objectnav` and `loci eval goat` over real DDS and the real habitat_sim, in a home of ours that is opened as somebody else's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

from benchmark_homes import BenchmarkHome, make_home, write_goat, write_objectnav
from loci_sim.habitat.process import PYTHON_VARIABLE

pytestmark = [pytest.mark.ros, pytest.mark.timeout(900)]
needs_habitat = pytest.mark.skipif(
    not os.environ.get(PYTHON_VARIABLE),
    reason=f"no habitat_sim: set {PYTHON_VARIABLE} to a Python interpreter that has it",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkHome:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def oracle(loci: Callable[..., Any], home: BenchmarkHome, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    out = tmp_path_factory.mktemp("objectnav")
    data = write_objectnav(home, out / "data", 3)
    arguments = ("eval", "objectnav", "--data", data, "--scenes-dir", home.scenes_dir, "--episodes", 2)
    arguments = (*arguments, "--planner", "oracle", "--out", out / "results")
    return out / "results", arguments, loci(*arguments, timeout=800.0)


def episodes(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]


@needs_habitat
def test_the_oracle_finds_what_objectnav_asks_for_on_about_the_shortest_way(oracle) -> None:  # type: ignore[no-untyped-def]
    out, _, done = oracle
    assert done.returncode == 0, done.stderr
    assert [e["episode"] for e in episodes(out)] == ["0", "1"]
    assert all(e["success"] and e["claimed"] and 0 <= e["distance"] < 0.1 for e in episodes(out)), episodes(out)
    every = json.loads((out / "summary.json").read_text())["measures"][0]
    assert (every["name"], every["n"], every["success"]) == ("all", 2, 1.0)
    assert every["spl"] > 0.85
    assert "SoftSPL" in done.stdout and "nearer than 0.1 m" in done.stdout
    assert "<h2>0 failures" in (out / "index.html").read_text()


@needs_habitat
def test_an_episode_begins_where_its_file_says(oracle, home: BenchmarkHome) -> None:  # type: ignore[no-untyped-def]
    out, _, _ = oracle
    for found, start in zip(episodes(out), home.starts, strict=False):
        assert found["trace"][0] == pytest.approx(start[:2].tolist(), abs=0.2)


@needs_habitat
def test_an_episode_that_is_done_is_not_done_again_and_one_that_is_missing_is(loci, oracle) -> None:  # type: ignore[no-untyped-def]
    out, arguments, _ = oracle
    first, second = (out / "episodes.jsonl").read_text().splitlines()
    (out / "episodes.jsonl").write_text(second + "\n")
    done = loci(*arguments, timeout=800.0)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 goals are done" in done.stdout
    again = episodes(out)
    assert {e["episode"] for e in again} == {"0", "1"}
    assert second in (out / "episodes.jsonl").read_text().splitlines()
    missing = next(e for e in again if e["episode"] == "0")
    assert missing["n_steps"] == json.loads(first)["n_steps"]


@needs_habitat
def test_the_oracle_reaches_goat_goals_of_all_kinds_in_a_row(loci, home: BenchmarkHome, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = write_goat(home, tmp_path / "data")
    options = ("--scenes-dir", home.scenes_dir, "--planner", "oracle", "--out", tmp_path / "out")
    done = loci("eval", "goat", "--data", data, *options, timeout=800.0)
    assert done.returncode == 0, done.stderr
    found = episodes(tmp_path / "out")
    assert [e["kind"] for e in found] == ["category", "description", "image"]
    assert all(e["success"] and e["distance"] < 0.25 for e in found), found
    # Only at its beginning is the robot put somewhere.
    assert found[1]["trace"][0] == pytest.approx(found[0]["trace"][-1], abs=1e-3)
    names = [m["name"].strip() for m in json.loads((tmp_path / "out" / "summary.json").read_text())["measures"]]
    assert names == ["all goals", "object", "description", "image", "mean of episodes"]


@needs_habitat
def test_the_robot_with_a_memory_seeks_and_its_failures_are_drawn(loci, home: BenchmarkHome, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = write_goat(home, tmp_path / "data")
    options = ("--scenes-dir", home.scenes_dir, "--max-steps", 6, "--out", tmp_path / "out")
    done = loci("eval", "goat", "--data", data, *options, timeout=800.0)
    assert done.returncode == 0, done.stderr
    found = episodes(tmp_path / "out")
    assert len(found) == 3 and all(e["n_steps"] <= 6 and e["reason"] for e in found)
    failed = [e for e in found if not e["success"]]
    assert (tmp_path / "out" / "index.html").read_text().count("<figure>") == len(failed) > 0


@pytest.mark.parametrize(
    ("arguments", "message", "command"),
    [
        (("--data", "nowhere"), "no such folder", "loci eval objectnav --data DIR"),
        (("--split", "train"), "expected the split 'train'", "loci eval objectnav --data DIR"),
        (("--scenes-dir", "nowhere"), "expected the scene", "loci eval objectnav --data DIR --scenes-dir"),
        (("--scene-dataset", "nowhere.json"), "nowhere.json (no such file)", "loci eval objectnav --help"),
        (("--habitat-python", "/nowhere/python"), "with habitat_sim", "loci eval objectnav --habitat-python"),
        (("--success-distance", "0"), "success distance > 0", "loci eval objectnav --help"),
    ],
)
def test_what_is_missing_is_said_with_the_next_command(  # type: ignore[no-untyped-def]
    loci, home: BenchmarkHome, tmp_path: Path, arguments: tuple[str, str], message: str, command: str
) -> None:
    data = write_objectnav(home, tmp_path / "data")
    given = {"--data": data, "--scenes-dir": home.scenes_dir, "--out": tmp_path / "out", arguments[0]: arguments[1]}
    done = loci("eval", "objectnav", *(word for pair in given.items() for word in pair))
    assert done.returncode == 1
    assert message in done.stderr
    assert f"try: {command}" in done.stderr
    assert not (tmp_path / "out").exists()
