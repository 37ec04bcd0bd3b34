"""`loci replay` brings recordings of every kind through the nodes, and says what is wrong with those that it cannot read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import recordings as make

pytestmark = [pytest.mark.ros, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def kitchen_run(loci, kitchen: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Output folder and printed text of a replay of all kitchen frames."""
    out = tmp_path_factory.mktemp("kitchen")
    done = loci("replay", kitchen, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def test_kitchen_ends_with_a_report(kitchen_run: tuple[Path, str]) -> None:
    out, _ = kitchen_run
    assert "200 recorded RGB-D frames" in (out / "index.html").read_text()
    for name in ("map.png", "snapshots.png", "answers.png"):
        assert min(Image.open(out / name).size) > 300


def test_no_kitchen_frame_is_lost(kitchen_run: tuple[Path, str]) -> None:
    text = (kitchen_run[0] / "index.html").read_text()
    assert "<b>200</b><span>frames</span>" in text
    assert "<b>0</b><span>frames lost</span>" in text


def test_kitchen_holds_objects_that_persist_and_snapshots_that_show_them(loci, kitchen_run: tuple[Path, str]) -> None:
    from loci.memory import RobotMemory

    with RobotMemory.open(kitchen_run[0] / "memory", read_only=True) as memory:
        objects = memory.objects()
        assert sum(o.n_detections >= 5 for o in objects) >= 10
        shown = [i for s in memory.snapshots() for i in s.object_ids]
        # What is missing now is in no snapshot until it is seen again.
        assert sorted(shown) == sorted(o.id for o in objects if o.state not in ("missing", "held"))
        assert len(shown) >= 0.8 * len(objects)


def test_kitchen_is_asked_what_it_saw_first(loci, kitchen_run: tuple[Path, str], tmp_path: Path) -> None:
    assert "What did you see first?" in kitchen_run[1]
    memory = kitchen_run[0] / "memory"
    done = loci(
        "query", memory, "--kind", "keyframe", "--order", "oldest", "--limit", 1, "--json", "--save-images", tmp_path
    )
    first = json.loads(done.stdout)["evidence"][0]
    assert first["stamp_ns"] == 1_000_000_000
    assert Image.open(next(tmp_path.glob("*.jpg"))).size == (640, 480)


def test_a_bag_with_raw_images_comes_through_the_nodes(loci, held, tmp_path: Path) -> None:
    bag = make.write_bag(tmp_path / "drive", n=8, extrinsic=np.eye(4))
    done = loci("replay", bag, "--out", tmp_path / "out", "--speed", "recorded")
    assert done.returncode == 0, done.stderr
    assert held(tmp_path / "out" / "memory")["statistics"]["keyframes"] >= 4


def test_a_replay_is_fresh_unless_a_memory_is_named(loci, held, tmp_path: Path) -> None:
    recording = make.write_numbered(tmp_path / "walk", tuple(range(0, 18, 3)))
    for _ in range(2):
        assert loci("replay", recording, "--out", tmp_path / "out").returncode == 0
    once = held(tmp_path / "out" / "memory")
    assert "<b>0</b><span>frames lost</span>" in (tmp_path / "out" / "index.html").read_text()
    for _ in range(2):
        done = loci("replay", recording, "--out", tmp_path / "out", "--memory", "walks")
        assert done.returncode == 0, done.stderr
    twice = held("walks")
    assert once["statistics"]["keyframes"] == 4  # of six frames, those that moved more than 0.1 m since the last
    assert twice["statistics"]["keyframes"] == 2 * once["statistics"]["keyframes"]
    assert twice["map_id"] == once["map_id"] == "numbered-walk"


def test_a_frame_that_cannot_be_read_is_named_and_what_came_before_it_is_kept(loci, held, tmp_path: Path) -> None:
    recording = make.write_numbered(tmp_path / "walk", tuple(range(8)))
    depth = recording / "frame-000006.depth.png"
    depth.write_bytes(depth.read_bytes()[:40])
    done = loci("replay", recording, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "frame-000006.depth.png is truncated" in done.stderr
    assert "try: loci replay" in done.stderr
    assert "Traceback" not in done.stderr
    assert held(tmp_path / "out" / "memory")["statistics"]["keyframes"] > 0


def test_a_process_that_dies_is_named_with_its_log_and_the_others_stop(tmp_path: Path) -> None:
    recording = make.write_numbered(tmp_path / "walk", tuple(range(0, 3000, 30)))
    command = [
        sys.executable,
        "-m",
        "loci.cli",
        "replay",
        str(recording),
        "--speed",
        "recorded",
        "--out",
        str(tmp_path / "out"),
    ]
    replay = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children: list[psutil.Process] = []
    victims: list[psutil.Process] = []
    deadline = time.monotonic() + 120.0
    while not victims and time.monotonic() < deadline:
        time.sleep(0.2)
        children = psutil.Process(replay.pid).children()
        victims = [c for c in children if "loci.nodes.perception" in " ".join(c.cmdline())]
    os.kill(victims[0].pid, signal.SIGKILL)
    _, errors = replay.communicate(timeout=120.0)
    assert replay.returncode == 1
    assert "perception ended by SIGKILL" in errors
    assert "perception.log" in errors
    assert f"try: loci replay {recording}" in errors
    assert not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children)
