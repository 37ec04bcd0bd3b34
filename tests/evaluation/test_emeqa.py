"""EM-EQA on two small walks through a home of ours, written as OpenEQA's scripts write ScanNet's and HM3D's."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci.errors import UserError
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.walks import Walk
from loci_sim.evaluation.emeqa import EmEqaOptions, run_emeqa
from loci_sim.glb import Y_UP_TO_Z_UP
from loci_sim.protocol import SimulatorObservation
from loci_sim.robot import RobotParameters
from loci_sim.scenes import generate_apartment

SCANNET, HM3D = "scannet-v0/000-scannet-scene0001_00", "hm3d-v0/000-hm3d-AbCdEfGhIjK"
N_FRAMES = 12


def write_frame(folder: Path, i: int, o: SimulatorObservation) -> None:
    """As OpenEQA's scripts do."""
    hm3d = folder.parent.name.startswith("hm3d")
    name = f"{i:05d}" if hm3d else f"{i:06d}"
    unit = 10.0 / 65535.0 if hm3d else 0.001
    T = Y_UP_TO_Z_UP.T @ o.T_map_camera @ np.diag([1.0, -1.0, -1.0, 1.0]) if hm3d else o.T_map_camera
    depth = np.clip(o.depth / unit, 0, 65535)
    cv2.imwrite(str(folder / f"{name}-rgb.png"), cv2.cvtColor(o.color, cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(folder / f"{name}-depth.png"), depth.astype(np.uint16))
    cv2.imwrite(str(folder / f"{name}-instances.png"), o.instances.astype(np.uint16))
    np.savetxt(folder / f"{name}.txt", T, fmt="%.6f")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SimulatorObservation], EmbeddedSimulator]:
    """Folder of data, what was seen on the walk, and where."""
    data = tmp_path_factory.mktemp("open-eqa")
    simulator = EmbeddedSimulator(
        generate_apartment(3, tmp_path_factory.mktemp("scenes")), RobotParameters(width=320, height=240)
    )
    found = []
    for _ in range(N_FRAMES):
        found.append(simulator.observe())
        simulator.step("turn_left")
    camera = simulator.camera
    for walk in (SCANNET, HM3D):
        folder = data / "frames" / walk
        folder.mkdir(parents=True)
        for i, o in enumerate(found):
            write_frame(folder, i, o)
        K = np.eye(4)
        # Of HM3D the vertical focal length in the file is another one than that of the images.
        K[0, 0], K[1, 1] = camera.fx, camera.fy * (1.2 if walk == HM3D else 1.0)
        K[0, 2], K[1, 2] = camera.cx, camera.cy
        for kind in ("color", "depth"):
            np.savetxt(folder / f"intrinsic_{kind}.txt", K, fmt="%.6f")
        (folder / "labels.json").write_text(json.dumps({str(k): v for k, v in simulator.instance_labels.items()}))
    return data, found, simulator


def in_full_view(found: list[SimulatorObservation], simulator: EmbeddedSimulator) -> tuple[str, str]:
    """A category of which the walk shows one well, and one that the apartment has none of."""
    shown = np.sum([np.bincount(o.instances.ravel(), minlength=1000) for o in found], axis=0)
    labels = simulator.instance_labels
    alone = [
        i for i in labels if sum(v == labels[i] for v in labels.values()) == 1 and labels[i] not in ("door", "window")
    ]
    return labels[max(alone, key=lambda i: shown[i])], "trampoline"


@pytest.fixture(scope="module")
def data(seen: tuple[Path, list[SimulatorObservation], EmbeddedSimulator]) -> tuple[Path, str, str]:
    folder, found, simulator = seen
    there, away = in_full_view(found, simulator)
    room = next(
        r.name for r in simulator.scene.rooms for o in simulator.objects if o.category == there and o.room == r.id
    )

    def question(number: int, walk: str, thing: str, answer: str) -> dict[str, Any]:
        asked = {"question": f"where is the {thing}?", "answer": answer, "category": "object localization"}
        return {**asked, "question_id": f"q-{number}", "episode_history": walk}

    questions = [question(1, SCANNET, there, room), question(2, SCANNET, away, room), question(3, HM3D, there, room)]
    (folder / "open-eqa-v0.json").write_text(json.dumps(questions))
    return folder, there, away


def options(folder: Path, out: Path, **fields: Any) -> EmEqaOptions:
    return EmEqaOptions(folder / "open-eqa-v0.json", folder / "frames", detector="masks", out=out, **fields)


def episodes(out: Path) -> dict[str, dict[str, Any]]:
    return {e["episode"]: e for e in map(json.loads, (out / "episodes.jsonl").read_text().splitlines())}


@pytest.mark.parametrize("history", [SCANNET, HM3D])
def test_a_walk_is_read_as_it_was_seen(
    seen: tuple[Path, list[SimulatorObservation], EmbeddedSimulator], history: str
) -> None:
    folder, found, _ = seen
    frames = [f.frame for f in Walk(folder / "frames", history).frames()]
    assert len(frames) == N_FRAMES
    for frame, o in zip(frames, found, strict=True):
        np.testing.assert_allclose(frame.T_map_camera, o.T_map_camera, atol=1e-5)
        near = o.depth < 9.9  # HM3D's files end at 10 m
        np.testing.assert_allclose(frame.depth[near], o.depth[near], atol=2e-3)
        np.testing.assert_array_equal(frame.color, o.color)
    assert frames[0].camera.fy == pytest.approx(found[0].camera.fy, rel=1e-5)
    assert all(b.stamp_ns > a.stamp_ns for a, b in itertools.pairwise(frames))


def test_large_frames_are_made_smaller_with_their_camera(tmp_path: Path) -> None:
    folder = tmp_path / "scannet-v0" / "large"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "000000-rgb.png"), np.full((960, 1280, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "000000-depth.png"), np.full((480, 640), 2000, np.uint16))
    cv2.imwrite(str(folder / "000001-rgb.png"), np.full((960, 1280, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "000001-depth.png"), np.full((480, 640), 2000, np.uint16))
    np.savetxt(folder / "000000.txt", np.eye(4))
    np.savetxt(folder / "000001.txt", np.full((4, 4), -np.inf))
    for kind, share in (("color", 2.0), ("depth", 1.0)):
        K = np.diag([500.0 * share, 500.0 * share, 1.0, 1.0])
        K[:2, 2] = 320.0 * share - 0.5, 240.0 * share - 0.5
        np.savetxt(folder / f"intrinsic_{kind}.txt", K)
    (frame,) = [f.frame for f in Walk(tmp_path, "scannet-v0/large").frames()]  # the second one has no pose
    assert (frame.camera.width, frame.camera.height, frame.camera.fx) == (640, 480, 500.0)
    assert frame.camera.cx == pytest.approx(319.5)
    np.testing.assert_allclose(frame.depth[10:-10, 10:-10], 2.0, atol=1e-3)


def test_what_was_seen_is_answered_and_what_was_not_is_not(
    data: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, there, _ = data
    assert run_emeqa(options(folder, tmp_path)) == 0
    found = episodes(tmp_path)
    assert [found[q]["claimed"] for q in ("q-1", "q-2", "q-3")] == [True, False, True]
    assert there in found["q-1"]["answer"].lower() and found["q-1"]["n_images"] > 0
    assert len(found["q-1"]["trace"]) == N_FRAMES
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["grader"] == "exact match" and summary["measures"][0]["n"] == 3
    assert "3 questions about 2 walks" in capsys.readouterr().out
    assert (tmp_path / "index.html").is_file()

    before = (tmp_path / "episodes.jsonl").read_text()
    assert run_emeqa(options(folder, tmp_path)) == 0
    assert "2 of 2 walks are done" in capsys.readouterr().out
    assert (tmp_path / "episodes.jsonl").read_text() == before
    with pytest.raises(UserError, match="n_frames differ"):
        run_emeqa(options(folder, tmp_path, n_frames=3))


def test_the_oracle_has_all_marks_and_needs_no_frames(data: tuple[Path, str, str], tmp_path: Path) -> None:
    folder, _, _ = data
    assert run_emeqa(options(folder, tmp_path, planner="oracle", walks=("scannet-v0",))) == 0
    measured = json.loads((tmp_path / "summary.json").read_text())["measures"][0]
    assert (measured["n"], measured["score"]) == (2, 100.0)


def test_what_is_missing_is_told_before_anything_runs(data: tuple[Path, str, str], tmp_path: Path) -> None:
    folder, _, _ = data
    with pytest.raises(DatasetError, match="got none"):
        run_emeqa(options(folder, tmp_path / "out", walks=("scannet-v9",)))
    with pytest.raises(DatasetError, match="no such walk"):
        run_emeqa(EmEqaOptions(folder / "open-eqa-v0.json", tmp_path, out=tmp_path / "out"))
    bare = tmp_path / SCANNET
    bare.mkdir(parents=True)
    (bare / "000000-rgb.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="needs depth and poses"):
        Walk(tmp_path, SCANNET)
    with pytest.raises(DatasetError, match="expected a walk hm3d"):
        Walk(tmp_path, "matterport-v0/x")
    assert not (tmp_path / "out").exists()


def test_damaged_frames_are_named(tmp_path: Path) -> None:
    folder = tmp_path / SCANNET
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "000000-rgb.png"), np.zeros((48, 64, 3), np.uint8))
    cv2.imwrite(str(folder / "000000-depth.png"), np.zeros((48, 64, 3), np.uint8))
    for name in ("000000", "intrinsic_color", "intrinsic_depth"):
        np.savetxt(folder / f"{name}.txt", np.eye(4))
    with pytest.raises(DatasetError, match=r"000000-depth\.png of 16-bit counts"):
        list(Walk(tmp_path, SCANNET).frames())
