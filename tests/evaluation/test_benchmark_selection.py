"""Which episodes are run, where their scenes are looked for, what the robot is told, and what their results come to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmark_files import CONFIG, SCENE_ID, goat_content, objectnav_content, write, write_goat, write_objectnav

from loci.errors import UserError
from loci_sim.evaluation.benchmark_measures import measure, navigation_result, table
from loci_sim.evaluation.benchmarks import BenchmarkOptions, find_all
from loci_sim.evaluation.datasets.episodes import SceneReference
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.selection import choose_groups, locate
from loci_sim.evaluation.report import draw_plain
from loci_sim.evaluation.rows import heading_of
from loci_sim.evaluation.tasks import TaskResult

SCENE = SceneReference(SCENE_ID, CONFIG)


def result(success: bool, travelled: float, distance: float, **fields: object) -> TaskResult:
    base: dict[str, object] = {
        "scene": SCENE_ID,
        "row": 0,
        "index": 0,
        "kind": "category",
        "text": "find the chair",
        "object_ids": ("12",),
        "claimed": True,
        "success": success,
        "shortest": 4.0,
        "travelled": travelled,
        "distance": distance,
        "n_steps": 20,
        "seconds": 1.0,
        "n_collisions": 0,
        "reason": "arrived",
        "trace": ((0.0, 0.0), (3.0, 1.0)),
        "viewpoints": ((3.0, 2.0),),
        "episode": "7",
    }
    return TaskResult(**{**base, **fields})  # type: ignore[arg-type]


# --- episodes


def test_objectnav_episodes_of_a_scene_are_one_group_and_each_has_its_start(tmp_path: Path) -> None:
    write_objectnav(tmp_path)
    (group,) = choose_groups("objectnav", tmp_path, "val")
    assert group.scene == SCENE
    assert [(g.episode_id, g.goal.text) for g in group.goals] == [("7", "find the chair"), ("8", "find the tv monitor")]
    assert all(g.T_map_base is not None for g in group.goals)
    assert group.goals[0].goal.viewpoints is not None and len(group.goals[0].goal.viewpoints) == 4


def test_starts_become_a_place_and_a_heading_of_the_map(tmp_path: Path) -> None:
    """(1, 0.5, 3) turned left by 90 degrees from Habitat's -z: at (1, -3), 0.5 m up, looking along -x."""
    write_objectnav(tmp_path)
    T = choose_groups("objectnav", tmp_path, "val")[0].goals[0].T_map_base
    assert T is not None
    np.testing.assert_allclose(T[:3, 3], [1.0, -3.0, 0.5])
    assert abs(heading_of(T)) == pytest.approx(np.pi, abs=1e-4)


def test_so_many_episodes_are_chosen_in_the_order_of_the_files(tmp_path: Path) -> None:
    write_objectnav(tmp_path)
    write(tmp_path / "val" / "content" / "Other.json", objectnav_content())
    chosen = choose_groups("objectnav", tmp_path, "val", n_episodes=3)
    assert [g.episode_id for group in chosen for g in group.goals] == ["7", "8", "7"]
    (one,) = choose_groups("objectnav", tmp_path, "val", n_episodes=1)
    assert [g.episode_id for g in one.goals] == ["7"]
    assert sum(len(g.goals) for g in choose_groups("objectnav", tmp_path, "val", ["Other"])) == 2


def test_a_goat_episode_is_a_group_whose_robot_is_put_somewhere_only_at_its_beginning(tmp_path: Path) -> None:
    write_goat(tmp_path)
    (group,) = choose_groups("goat", tmp_path, "val_unseen")
    assert [g.goal.kind for g in group.goals] == ["category", "description", "image", "category"]
    assert [g.T_map_base is not None for g in group.goals] == [True, False, False, False]
    assert group.goals[1].goal.text == "find chair beside the window."
    assert [g.image is not None for g in group.goals] == [False, False, True, False]


def test_what_holds_no_episodes_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "val" / "val.json.gz", {"episodes": []})
    with pytest.raises(DatasetError, match="expected episodes in the split 'val'"):
        choose_groups("objectnav", tmp_path, "val")
    content = goat_content()
    content["episodes"][0]["tasks"] = []
    write_goat(tmp_path, content=content)
    with pytest.raises(DatasetError, match="expected goals in episode 0"):
        choose_groups("goat", tmp_path, "val_unseen")


# --- scenes


def test_scenes_are_found_below_the_folder_of_scene_datasets(tmp_path: Path) -> None:
    mesh = write(tmp_path / SCENE_ID, {})
    with pytest.raises(UserError, match="expected the scene dataset config") as caught:
        locate(SCENE, tmp_path, None, "goat")
    assert caught.value.next_command.startswith("loci eval goat --data DIR --scenes-dir")
    config = write(tmp_path / "hm3d" / "hm3d_annotated_basis.scene_dataset_config.json", {})
    found = locate(SCENE, tmp_path, None, "goat")
    assert (found.scene, found.dataset) == (str(mesh.resolve()), str(config.resolve()))


def test_a_config_can_be_given_and_ids_are_left_to_it(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine.scene_dataset_config.json", {})
    mesh = write(tmp_path / SCENE_ID, {})
    assert locate(SCENE, tmp_path, mine, "goat").scene == str(mesh.resolve())
    found = locate(SceneReference("apt_0", ""), tmp_path, mine, "goat")
    assert (found.scene, found.dataset) == ("apt_0", str(mine.resolve()))
    with pytest.raises(UserError, match="got none"):
        locate(SceneReference("apt_0", ""), tmp_path, None, "goat")
    with pytest.raises(UserError, match="no such file"):
        locate(SCENE, tmp_path, tmp_path / "nothing.json", "goat")


def test_missing_episodes_scenes_and_habitat_are_said_in_this_order_with_what_to_type(tmp_path: Path) -> None:
    def told(**options: object) -> UserError:
        with pytest.raises(UserError) as caught:
            find_all(BenchmarkOptions("objectnav", tmp_path / "data", scenes_dir=tmp_path, **options))  # type: ignore[arg-type]
        return caught.value

    assert "no such folder" in str(told())
    assert told().next_command == "loci eval objectnav --data DIR --split SPLIT"
    write_objectnav(tmp_path / "data")
    assert "expected the split 'test'" in str(told(split="test"))
    assert "expected the scene" in str(told()) and "--data DIR --scenes-dir" in told().next_command
    write(tmp_path / SCENE_ID, {})
    write(tmp_path / "hm3d" / "hm3d_annotated_basis.scene_dataset_config.json", {})
    missing = told(habitat_python=str(tmp_path / "nowhere" / "python"))
    assert "expected an interpreter with habitat_sim" in str(missing)
    assert missing.next_command == "loci eval objectnav --habitat-python PATH ..."


# --- results


def test_results_come_to_the_published_measures() -> None:
    """Arrived on a way of 5 m for 4 m; and stopped with 3 m of 4 m left after 1 m."""
    found = [result(True, 5.0, 0.05), result(False, 1.0, 3.0, text="find the bed", episode="8")]
    every, chair, bed = measure("objectnav", found, 0.1)
    assert (every.n, every.success, every.spl) == (2, 0.5, pytest.approx(0.4))
    assert (chair.name, bed.name) == ("  chair", "  bed")
    assert bed.soft_spl == pytest.approx(0.25) and bed.distance == 3.0
    assert table([every])[1][:4] == ["all", "2", "50.0", "40.0"]


def test_goat_results_are_told_by_kind_and_by_episode() -> None:
    found = [
        result(True, 4.0, 0.1, episode="0"),
        result(True, 8.0, 0.1, episode="0", kind="image"),
        result(False, 8.0, 5.0, episode="1", kind="description"),
    ]
    names = {m.name.strip(): m for m in measure("goat", found, 0.25)}
    assert names["all goals"].success == pytest.approx(2 / 3)
    assert (names["object"].spl, names["image"].spl, names["description"].spl) == (1.0, 0.5, 0.0)
    assert (names["mean of episodes"].n, names["mean of episodes"].success) == (2, 0.5)


def test_a_goal_that_cannot_be_reached_is_infinitely_far_and_json_has_none_for_it() -> None:
    r = result(False, 1.0, -1.0, shortest=0.0)
    assert navigation_result(r).distance == float("inf")
    every = measure("objectnav", [r], 0.1)[0]
    assert (every.success, every.soft_spl) == (0.0, 0.0)
    assert every.as_dict()["distance"] is None


def test_a_failure_without_a_scene_is_drawn_on_a_plain_ground() -> None:
    image = draw_plain(result(False, 4.0, 1.0))
    height, width = image.shape[:2]
    assert (width, height) == (pytest.approx(5.0 / 0.03, abs=1), pytest.approx(4.0 / 0.03, abs=1))
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 4
