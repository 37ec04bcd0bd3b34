"""`loci sim scenes` lists, makes, shows and exports scenes, and says what to type next."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from loci.cli import main
from loci_sim.scenes import ScenePath, load_scene


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "loci" / "scenes"


def test_the_list_has_all_families_and_what_is_cached(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    assert main(["sim", "scenes", "list"]) == 0
    first = capsys.readouterr().out
    # The documentation shows this output, for the usual cache.
    shown = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text()
    assert "\n".join(first.splitlines()[:-1]) in shown
    assert first.splitlines()[-1] == f"in {cache}: none yet"
    assert main(["sim", "scenes", "generate", "apartment:2"]) == 0
    assert main(["sim", "scenes", "list"]) == 0
    assert capsys.readouterr().out.endswith(f"in {cache}: apartment:2\n")


def test_a_generated_scene_can_be_loaded_and_is_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["sim", "scenes", "generate", "home:5", "--out", str(tmp_path / "made")]) == 0
    scene = load_scene(tmp_path / "made" / "home-5.glb")
    first, *files = capsys.readouterr().out.splitlines()
    n_categories = len({o.category for o in scene.objects})
    assert first == f"home:5: {len(scene.rooms)} rooms, {len(scene.objects)} objects of {n_categories} categories"
    assert [Path(f).name for f in files] == ["home-5.glb", "home-5.json"]


def test_an_export_has_both_files_and_a_picture_in_which_every_room_was_drawn(
    apartment_files: ScenePath, tmp_path: Path
) -> None:
    pytest.importorskip("open3d")
    out = tmp_path / "exported"
    assert main(["sim", "scenes", "export", str(apartment_files.glb), "--out", str(out)]) == 0
    assert sorted(f.name for f in out.iterdir()) == ["apartment-3.glb", "apartment-3.json", "apartment-3.png"]
    assert (out / "apartment-3.glb").read_bytes() == apartment_files.glb.read_bytes()
    assert (out / "apartment-3.json").read_bytes() == apartment_files.sidecar.read_bytes()
    picture = cv2.imread(str(out / "apartment-3.png"))
    assert min(picture.shape[:2]) > 700
    # Views, map and labels: far more colours than a picture of one wall would have.
    assert len(np.unique(picture.reshape(-1, 3)[::7], axis=0)) > 2000
    # Again, onto itself.
    assert main(["sim", "scenes", "export", str(out / "apartment-3.glb"), "--out", str(out)]) == 0
    assert (out / "apartment-3.glb").read_bytes() == apartment_files.glb.read_bytes()


def test_views_are_taken_in_rooms_of_different_kinds(apartment_files: ScenePath) -> None:
    pytest.importorskip("open3d")
    from loci_sim.preview import camera_views

    scene = load_scene(apartment_files)
    views = camera_views(scene, 4)
    assert len({view.room.name for view in views}) == len(views) == 4
    for view in views:
        assert view.room.contains(*view.pose[:2])


@pytest.mark.parametrize(
    ("scene", "message", "next_command"),
    [
        ("castle:3", "no family 'castle'", "loci sim scenes list"),
        ("home:-1", "a seed is a number from 0", "loci sim scenes generate home:0"),
        ("home:", "a seed is a number from 0", "loci sim scenes generate home:0"),
        ("home", "expected a scene as apartment:SEED, home:SEED", "loci sim scenes"),
        ("{folder}/alone.glb", "alone.json", "loci sim scenes export"),
        ("{folder}/nowhere.glb", "nowhere.glb", "loci sim scenes export"),
        ("{folder}/other.glb", "which lacks no_such_mesh", "loci sim scenes export"),
    ],
)
@pytest.mark.parametrize("action", ["generate", "preview", "export"])
def test_what_is_wrong_is_said_in_a_line_with_the_next_command(
    action: str,
    scene: str,
    message: str,
    next_command: str,
    tmp_path: Path,
    apartment_files: ScenePath,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("alone", "other"):
        (tmp_path / f"{name}.glb").write_bytes(apartment_files.glb.read_bytes())
    sidecar = json.loads(apartment_files.sidecar.read_text())
    sidecar["objects"][4]["node"] = "no_such_mesh"
    (tmp_path / "other.json").write_text(json.dumps(sidecar))
    out = tmp_path / "out"
    assert main(["sim", "scenes", action, scene.format(folder=tmp_path), "--out", str(out)]) == 1
    line, command = capsys.readouterr().err.splitlines()
    assert message in line
    assert command.startswith(f"  try: {next_command}")
    assert not out.exists() or not list(out.iterdir())


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["sim", "scenes", "generate", "home:1", "--out", str(tmp_path / "taken")]) == 1
    assert "expected a folder for --out" in capsys.readouterr().err
