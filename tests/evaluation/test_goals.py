"""Goals are what they say they are: fair, told apart by their words, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")
pytest.importorskip("rclpy", reason="ROS 2 is not in this environment: `make setup`")

from loci_sim.catalogue import COLORS, FACED, told_color
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.evaluation.goals import describe, draw_goals
from loci_sim.evaluation.phrasings import PHRASINGS, check_phrasings, load_phrasings
from loci_sim.evaluation.tasks import GOAL_KINDS
from loci_sim.scenes import Scene, generate_scene, load_scene
from loci_sim.viewpoints import nearest_goal, viewpoints


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load_scene(generate_scene("home", 1, tmp_path_factory.mktemp("scenes")))


def test_a_row_has_all_kinds_by_turns_and_no_category_twice(home: Scene) -> None:
    goals = draw_goals(home, PHRASINGS, "dev", seed=0)
    assert [g.kind for g in goals] == [GOAL_KINDS[i % 3] for i in range(8)]
    categories = {o.id: o.category for o in home.objects}
    assert len({categories[g.object_ids[0]] for g in goals}) == 8


def test_goals_are_the_same_for_the_same_seed_and_others_for_another(home: Scene) -> None:
    goals = draw_goals(home, PHRASINGS, "dev", seed=4)
    assert goals == draw_goals(home, PHRASINGS, "dev", seed=4)
    assert goals != draw_goals(home, PHRASINGS, "dev", seed=5)
    assert goals != draw_goals(home, PHRASINGS, "dev", seed=4, row=1)
    assert {g.text for g in goals}.isdisjoint(g.text for g in draw_goals(home, PHRASINGS, "test", seed=4))


def test_every_goal_can_be_reached(home: Scene) -> None:
    simulator = EmbeddedSimulator(home)
    for goal in draw_goals(home, PHRASINGS, "dev", seed=2):
        points = np.concatenate([viewpoints(simulator, i) for i in goal.object_ids])
        assert nearest_goal(simulator, simulator.position(), points.tolist()) is not None


def test_a_picture_shows_its_goal(home: Scene) -> None:
    for goal in draw_goals(home, PHRASINGS, "dev", seed=3):
        assert (goal.image is not None) == (goal.kind == "image")
        assert bool(goal.detections) == (goal.kind == "image")
        if goal.image is not None:
            meant = next(o.category for o in home.objects if o.id == goal.object_ids[0])
            assert meant in {d.label for d in goal.detections}
            assert cv2.imdecode(np.frombuffer(goal.image, np.uint8), cv2.IMREAD_COLOR).std() > 10


def test_a_description_fits_one_thing_only(home: Scene) -> None:
    things = list(home.objects)
    told = {o.id: describe(home, things, o) for o in things}
    words = [w for w in told.values() if w]
    assert len(words) > len(things) / 4
    assert len(set(words)) == len(words)
    by_id = {o.id: o for o in things}
    assert all(by_id[i].category in w and w != by_id[i].category for i, w in told.items() if w)


def test_things_that_show_a_screen_or_a_picture_are_not_told_by_the_colour_of_their_rim(home: Scene) -> None:
    faced = [o for o in home.objects if o.category in FACED]
    assert faced and all(o.color for o in faced)
    told = [describe(home, home.objects, o) for o in faced]
    assert any(told)
    assert not any(color in words.split(" in ")[0].split(" on ")[0].split() for words in told for color in COLORS)
    lamp = next(o for o in home.objects if o.category == "lamp")
    assert told_color(lamp.category, lamp.color) == lamp.color != ""


def test_a_scene_without_enough_things_is_refused(home: Scene) -> None:
    with pytest.raises(ValueError, match="expected 1000 things"):
        draw_goals(home, PHRASINGS, "dev", seed=0, n_goals=1000)


def test_the_splits_share_no_phrasing() -> None:
    for template in PHRASINGS.values():
        assert not set(template["dev"]) & set(template["test"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal": {"dev": ["find the {thing}"] * 5}}, "phrasings of 'goal' 'test'"),
        ({"image": {}}, "phrasings of 'image' 'dev'"),
        ({"goal": {"dev": ["find the thing"] * 5, "test": ["go to {thing}"] * 5}}, "expected {thing} in the phrasing"),
        ({"image": {"dev": ["go to {thing}"] * 5, "test": ["there"] * 5}}, "expected no blanks"),
    ],
)
def test_phrasings_that_cannot_be_used_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_phrasings({**PHRASINGS, **change})


def test_phrasings_come_from_a_file(tmp_path: Path) -> None:
    import json

    file = tmp_path / "phrasings.json"
    file.write_text(json.dumps(PHRASINGS))
    assert load_phrasings(file)["goal"]["dev"] == list(PHRASINGS["goal"]["dev"])
    own = {"goal": {split: [f"{i}, the {{thing}}" for i in range(5)] for split in ("dev", "test")}}
    file.write_text(json.dumps(own))
    found = load_phrasings(file)
    assert found["goal"] == own["goal"] and found["where"] == PHRASINGS["where"]
    file.write_text(json.dumps({"gaol": own["goal"]}))
    with pytest.raises(ValueError, match="got gaol"):
        load_phrasings(file)
    file.write_text("[1, 2]")
    with pytest.raises(ValueError, match="template -> split"):
        load_phrasings(file)
    with pytest.raises(ValueError, match="JSON file of phrasings"):
        load_phrasings(tmp_path / "nothing.json")
