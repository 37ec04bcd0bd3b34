"""`loci eval findingdory` over real DDS and the real habitat_sim: a day in a home of ours that is opened as somebody else's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

from benchmark_homes import make_home
from dory_files import write_findingdory
from loci_sim.habitat.process import PYTHON_VARIABLE

pytestmark = [
    pytest.mark.ros,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not os.environ.get(PYTHON_VARIABLE),
        reason=f"no habitat_sim: set {PYTHON_VARIABLE} to a Python interpreter that has it",
    ),
]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    folder = tmp_path_factory.mktemp("dory")
    home = make_home(folder)
    data, objects = write_findingdory(home, folder)
    return ("eval", "findingdory", "--data", data, "--objects-dir", objects, "--scenes-dir", home.scenes_dir)


def episodes(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]


def test_who_knows_the_day_chooses_rightly_and_drives_about_the_shortest_way(
    loci: Callable[..., Any], command: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = loci(*command, "--planner", "oracle", "--out", out, timeout=1000.0)
    assert done.returncode == 0, done.stderr
    found = episodes(out)
    assert [e["kind"] for e in found] == ["object", "order", "multi", "multi_ordered", "receptacle", "time", "farthest"]
    assert all(e["chose_right"] and e["success"] for e in found), [(e["text"], e["reason"], e["answer"]) for e in found]
    # Every task begins where the day ended.
    assert len({tuple(e["trace"][0]) for e in found}) == 1
    summary = json.loads((out / "summary.json").read_text())
    assert summary["left_out"] == {"rooms": 1, "times of day": 1}
    assert summary["measures"][0]["chose_right"] == 1.0 and summary["measures"][0]["spl"] > 0.7
    assert "HL-SR" in done.stdout and "1 about rooms" in done.stdout
    again = loci(*command, "--planner", "oracle", "--out", out, timeout=200.0)
    assert again.returncode == 0 and episodes(out) == found


def test_the_robot_watches_the_day_and_is_scored(
    loci: Callable[..., Any], command: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = loci(*command, "--max-steps", 40, "--out", out, timeout=1000.0)
    assert done.returncode == 0, done.stderr
    found = episodes(out)
    assert len(found) == 7 and all(e["reason"] for e in found)
    # Its records tell of the day: it says of how many pick-and-places it knows when it does not understand a task.
    assert any("2 pick-and-places known" in e["reason"] for e in found) or any(e["claimed"] for e in found)


def test_a_missing_object_is_said_before_anything_runs(
    loci: Callable[..., Any], command: tuple[object, ...], tmp_path: Path
) -> None:
    given = [w if w != command[command.index("--objects-dir") + 1] else tmp_path for w in command]
    done = loci(*given, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "expected the object parcel.object_config.json" in done.stderr and "--objects-dir" in done.stderr
    assert not (tmp_path / "out").exists()
