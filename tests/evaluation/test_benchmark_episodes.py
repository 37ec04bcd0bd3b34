"""ObjectNav and GOAT-Bench files are read as their benchmarks read them, in Loci's frame; what is wrong in a file is named."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_files import CONFIG, SCENE_ID, goat_content, objectnav_content, write, write_goat, write_objectnav
from hypothesis import given
from hypothesis import strategies as st

from loci.geometry import pose_from_quaternion
from loci_sim.evaluation.datasets import files
from loci_sim.evaluation.datasets.episodes import SceneReference, goal_viewpoints, scene_files
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.frames import base_pose, camera_pose, headings, points_to_map
from loci_sim.evaluation.datasets.goat import read_goat
from loci_sim.evaluation.datasets.objectnav import read_objectnav


def test_objectnav_episodes_have_the_goals_of_their_category(tmp_path: Path) -> None:
    write_objectnav(tmp_path)
    chair, tv = read_objectnav(tmp_path, "val")
    assert (chair.episode_id, chair.category, chair.geodesic_distance) == ("7", "chair", 5.25)
    assert [g.object_id for g in chair.goals] == ["12", "15"]
    assert [g.object_id for g in tv.goals] == ["3"] and tv.geodesic_distance is None
    assert chair.scene == SceneReference(SCENE_ID, CONFIG)


def test_starts_and_viewpoints_are_in_the_map_frame(tmp_path: Path) -> None:
    """Habitat's (x, y, z) is (x, -z, y) of the map; an agent that is not turned looks along -z, which is the map's +y."""
    write_objectnav(tmp_path)
    episode = next(read_objectnav(tmp_path, "val"))
    np.testing.assert_allclose(episode.T_map_base[:3, 3], [1.0, -3.0, 0.5])
    # Turned left by 90 degrees from +y: the base looks along -x.
    np.testing.assert_allclose(episode.T_map_base[:3, 0], [-1.0, 0.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(episode.T_map_base[:3, 2], [0.0, 0.0, 1.0], atol=1e-6)
    goal = episode.goals[0]
    np.testing.assert_allclose(goal.position, [0.0, 2.0, 1.0])
    np.testing.assert_allclose(goal.viewpoints, [[0.0, 1.0, 0.0], [1.0, 2.0, 0.0]])
    np.testing.assert_allclose(np.cos(goal.viewpoint_headings), [0.0, -1.0], atol=1e-4)
    np.testing.assert_allclose(np.sin(goal.viewpoint_headings), [1.0, 0.0], atol=1e-4)
    assert goal_viewpoints(episode.goals).shape == (4, 3)


def test_no_goals_have_no_viewpoints() -> None:
    assert goal_viewpoints(()).shape == (0, 3)


@given(
    yaw=st.floats(-3.1, 3.1), position=st.tuples(*[st.floats(-50, 50)] * 3), point=st.tuples(*[st.floats(-50, 50)] * 3)
)
def test_what_an_agent_sees_ahead_is_ahead_of_the_base(
    yaw: float, position: tuple[float, float, float], point: tuple[float, float, float]
) -> None:
    """The same point has the same place for Habitat's agent (right, up, back) and for Loci's base (forward, left, up)."""
    rotation = (0.0, np.sin(yaw / 2), 0.0, np.cos(yaw / 2))
    right, up, back = np.linalg.solve(pose_from_quaternion(position, rotation), (*point, 1.0))[:3]
    T_map_base = base_pose(position, rotation)
    there = np.linalg.solve(T_map_base, (*points_to_map(point), 1.0))[:3]
    np.testing.assert_allclose(there, (-back, -right, up), atol=1e-9)
    seen = np.linalg.solve(camera_pose(position, rotation), (*points_to_map(point), 1.0))[:3]
    np.testing.assert_allclose(seen, (right, -up, -back), atol=1e-9)
    heading = float(headings([rotation])[0])
    np.testing.assert_allclose((np.cos(heading), np.sin(heading)), T_map_base[:2, 0], atol=1e-9)


def test_goat_subtasks_are_told_by_category_description_and_image(tmp_path: Path) -> None:
    write_goat(tmp_path)
    (episode,) = read_goat(tmp_path, "val_unseen")
    assert episode.episode_id == "0"
    assert [s.kind for s in episode.subtasks] == ["object", "description", "image", "object"]
    by_category, by_words, by_image, _ = episode.subtasks
    assert by_words.description == "chair beside the window."
    assert [g.object_id for g in by_words.goals] == ["chair_1"] == [g.object_id for g in by_image.goals]
    assert by_image.image is not None and by_category.image is None
    assert (by_image.image.width, by_image.image.height, by_image.image.hfov) == (512, 384, 74.0)


def test_a_goat_category_has_the_things_of_its_narrower_categories_that_are_in_the_scene(tmp_path: Path) -> None:
    write_goat(tmp_path)
    (episode,) = read_goat(tmp_path, "val_unseen")
    assert [g.object_id for g in episode.subtasks[0].goals] == ["chair_1", "chair_2", "armchair_9"]
    assert [g.object_id for g in episode.subtasks[3].goals] == ["armchair_9"]


def test_goat_descriptions_of_over_55_words_are_left_out_and_counted(tmp_path: Path) -> None:
    content = goat_content()
    write_goat(tmp_path, content=content)
    (episode,) = read_goat(tmp_path, "val_unseen")
    assert episode.n_left_out == 1
    content["goals"]["AbCdEfGhIjK.basis.glb_chair"][1]["lang_desc"] = " ".join(["word"] * 55)
    write_goat(tmp_path, content=content)
    (episode,) = read_goat(tmp_path, "val_unseen")
    assert episode.n_left_out == 0 and len(episode.subtasks) == 5


def test_a_goat_image_is_taken_towards_its_thing(tmp_path: Path) -> None:
    write_goat(tmp_path)
    (episode,) = read_goat(tmp_path, "val_unseen")
    subtask = episode.subtasks[2]
    assert subtask.image is not None
    T = subtask.image.T_map_camera
    seen = np.linalg.solve(T, (*subtask.goals[0].position, 1.0))[:3]
    np.testing.assert_allclose(seen, (0.0, 0.0, 2.0), atol=1e-9)


def test_files_are_read_when_their_turn_comes(tmp_path: Path) -> None:
    write_objectnav(tmp_path)
    (tmp_path / "val" / "content" / "ZZZ.json.gz").write_bytes(b"not gzip")
    episodes = read_objectnav(tmp_path, "val")
    assert next(episodes).category == "chair" and next(episodes).category == "tv_monitor"
    with pytest.raises(DatasetError, match="ZZZ"):
        next(episodes)


def test_scenes_can_be_chosen(tmp_path: Path) -> None:
    write_objectnav(tmp_path)
    write(tmp_path / "val" / "content" / "Other.json", objectnav_content())
    assert len(list(read_objectnav(tmp_path, "val"))) == 4
    assert len(list(read_objectnav(tmp_path, "val", {"Other"}))) == 2
    with pytest.raises(DatasetError, match="Nowhere"):
        next(read_objectnav(tmp_path, "val", {"Nowhere"}))


def test_a_split_without_content_has_its_episodes_in_one_file(tmp_path: Path) -> None:
    write(tmp_path / "val" / "val.json.gz", objectnav_content())
    assert len(list(read_objectnav(tmp_path, "val"))) == 2


def test_an_index_without_episodes_is_no_error(tmp_path: Path) -> None:
    write(tmp_path / "val" / "val.json.gz", {"episodes": []})
    assert list(read_objectnav(tmp_path, "val")) == []
    assert list(read_goat(tmp_path, "val")) == []


def test_a_missing_split_says_which_there_are(tmp_path: Path) -> None:
    write_objectnav(tmp_path, "train")
    with pytest.raises(DatasetError, match=r"expected the split 'val' in .*, got train"):
        next(read_objectnav(tmp_path, "val"))
    with pytest.raises(DatasetError, match="no such folder"):
        next(read_goat(tmp_path / "nowhere", "val"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"empty.json.gz, got neither"):
        next(read_goat(tmp_path, "empty"))


def test_two_files_of_one_scene_are_refused(tmp_path: Path) -> None:
    write_objectnav(tmp_path)
    write(tmp_path / "val" / "content" / "AbCdEfGhIjK.json", objectnav_content())
    with pytest.raises(DatasetError, match="one file a scene"):
        next(read_objectnav(tmp_path, "val"))


def test_a_file_of_the_other_benchmark_is_told_apart(tmp_path: Path) -> None:
    write_objectnav(tmp_path, content=goat_content())
    with pytest.raises(DatasetError, match="a GOAT-Bench file has 'goals'"):
        next(read_objectnav(tmp_path, "val"))
    write_goat(tmp_path, content=objectnav_content())
    with pytest.raises(DatasetError, match="an ObjectNav file has 'goals_by_category'"):
        next(read_goat(tmp_path, "val_unseen"))


@pytest.mark.parametrize(
    "data", [b"", b"\x1f\x8b\x08\x00broken", gzip.compress(b"{")[:-4], gzip.compress(b"{not json")]
)
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes) -> None:
    path = write_objectnav(tmp_path)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"AbCdEfGhIjK\.json\.gz"):
        next(read_objectnav(tmp_path, "val"))


def _drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["episodes"][0].pop(name)


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["episodes"][0].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop("start_position"), r"the field 'start_position' at episodes\[0\] in .*AbC"),
        (_drop("scene_id"), "the field 'scene_id'"),
        (_set("start_position", [1, 2]), r"3 numbers at episodes\[0\].start_position in .*, got \[1, 2\]"),
        (_set("start_rotation", [0, 0, 0, 0]), "norm 1"),
        (_set("start_position", [1, 2, "3"]), "3 numbers"),
        (_set("object_category", "lamp"), "AbCdEfGhIjK.basis.glb_lamp"),
        (_set("episode_id", 1.5), "a text or an integer"),
        (lambda c: c.update(episodes={}), "a list at episodes"),
        (lambda c: c.update(episodes=[3]), r"a JSON object at episodes\[0\]"),
        (lambda c: c["goals_by_category"]["AbCdEfGhIjK.basis.glb_chair"][1].pop("position"), r"'position' at goals_by"),
        (
            lambda c: c["goals_by_category"]["AbCdEfGhIjK.basis.glb_chair"][1]["view_points"][1]["agent_state"].pop(
                "rotation"
            ),
            r"the field 'rotation' at .*view_points\[1\].agent_state",
        ),
        (
            lambda c: c["goals_by_category"]["AbCdEfGhIjK.basis.glb_chair"][0].update(
                view_points=[{"agent_state": {"position": [1], "rotation": [1]}}]
            ),
            r"3 numbers at .*view_points\[0\].agent_state.position",
        ),
        (
            lambda c: c["goals_by_category"]["AbCdEfGhIjK.basis.glb_chair"][0]["view_points"][0]["agent_state"].update(
                rotation=[0, 0, 0, 0]
            ),
            r"quaternions of norm 1 at .*view_points in .*got norms from 0 to 1",
        ),
    ],
)
def test_a_bad_objectnav_field_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    content = objectnav_content()
    change(content)
    write_objectnav(tmp_path, content=content)
    with pytest.raises(DatasetError, match=message):
        next(read_objectnav(tmp_path, "val"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"task_type": "objectnav", "object_category": "chair"}, r"'object' \| 'description' \| 'image'.*tasks\[0\]"),
        (["chair", "sound", None], r"tasks\[0\]"),
        (["lamp", "object", None], "'lamp' has 0 lists"),
        (["chair", "description", "chair_7"], "an object of the category 'chair'.*chair_7"),
        (["chair", "description", "armchair_9"], "'lang_desc'"),
        (["chair", "image", "chair_1", 4], "one of 1 images"),
        (["chair", "image", "chair_1"], "one of 1 images"),
        (["chair", "image", "chair_2", 0], "'image_goals'"),
    ],
)
def test_a_bad_goat_subtask_is_named(tmp_path: Path, task: Any, message: str) -> None:
    content = goat_content()
    content["episodes"][0]["tasks"] = [task]
    write_goat(tmp_path, content=content)
    with pytest.raises(DatasetError, match=message):
        next(read_goat(tmp_path, "val_unseen"))


def test_scene_files_are_found_below_the_folder_of_scene_datasets(tmp_path: Path) -> None:
    scene = SceneReference(SCENE_ID, CONFIG)
    with pytest.raises(DatasetError, match=r"expected the scene .*AbCdEfGhIjK\.basis\.glb, got no such file"):
        scene_files(scene, tmp_path)
    mesh = write(tmp_path / SCENE_ID, {})
    with pytest.raises(DatasetError, match="scene dataset config"):
        scene_files(scene, tmp_path)
    config = write(tmp_path / "hm3d" / "hm3d_annotated_basis.scene_dataset_config.json", {})
    assert scene_files(scene, tmp_path) == (mesh, config)
    assert scene_files(SceneReference(f"data/scene_datasets/{SCENE_ID}", ""), tmp_path) == (mesh, None)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_reading_shows_progress_only_if_it_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_objectnav(tmp_path)
    for seconds, shown in ((files.PROGRESS_AFTER, False), (0.0, True)):
        monkeypatch.setattr(files, "PROGRESS_AFTER", seconds)
        monkeypatch.setattr("sys.stderr", terminal := _Terminal())
        list(read_objectnav(tmp_path, "val"))
        assert ("ObjectNav val" in terminal.getvalue()) == shown
