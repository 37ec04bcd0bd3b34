"""FindingDory's days and goal expressions: what is taken from where, and which things and receptacles a task is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_files import episode, write

from loci_sim.evaluation.datasets.dory_goals import (
    Entity,
    UnknownGoalError,
    asked_properties,
    entities_of,
    read_attributes,
    targets_of,
)
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.findingdory import DoryEpisode, DoryTask, read_findingdory

THING, PLACE = "movable_entity_type", "static_receptacle_entity_type"
AT = [[1.0, 0.0, 0.0, 0.5], [0.0, 1.0, 0.0, 0.8], [0.0, 0.0, 1.0, -2.0], [0.0, 0.0, 0.0, 1.0]]


def candidate(name: str, category: str, at: float = 0.0) -> dict[str, Any]:
    return {
        "object_id": "7",
        "object_name": name,
        "object_category": category,
        "position": [at, 0.8, -2.0],
        "view_points": [0],
    }


def content(**more: Any) -> dict[str, Any]:
    """A mug goes from the desk to the bed, a book and another mug from the shelf to the desk; a lamp and a sofa are left alone."""
    day = episode(
        "3",
        candidate_objects=[candidate("Mug_1", "mug"), candidate("Book_4", "book", 1.0), candidate("Mug_1", "mug", 2.0)],
        candidate_objects_noninteracted=[candidate("Lamp_2", "lamp")],
        candidate_start_receps=[candidate("desk|a", "desk"), candidate("shelf|a", "shelf")],
        candidate_start_receps_noninteracted=[candidate("sofa|a", "sofa"), candidate("desk|a", "desk")],
        candidate_goal_receps=[candidate("bed|a", "bed"), candidate("desk|a", "desk")],
        candidate_goal_receps_noninteracted=[],
        target_receptacles=[["desk|a", 0], ["shelf|a", 0], ["shelf|a", 0]],
        goal_receptacles=[["bed|a", 0], ["desk|a", 0], ["desk|a", 0]],
        place_valid_receps={"0": 0, "1": -1, "2": 0},
        place_oracle_action_seq={"0": ["MANIPULATION_MODE", ["DESNAP_OBJECT", [0, 0, 0], [0, 0, 0, 1], AT], ["EMPTY", AT], "STOP"]},
        rigid_objs=[["Mug_1.object_config.json", 0], ["Book_4.object_config.json", AT]],
        nav_goal_pos=[1.0, 0.0, 3.0],
        instructions={},
    )  # fmt: skip
    return {"episodes": [{**day, **more}]}


def write_day(folder: Path, **more: Any) -> None:
    write(folder / "val" / "episodes.json.gz", content(**more))
    np.save(folder / "val" / "viewpoints.npy", np.array([[0, 0, -1, 0, 0, 0, 1, 0.4]]))
    np.save(folder / "val" / "transformations.npy", np.array([AT])[:, :3])


@pytest.fixture
def day(tmp_path: Path) -> DoryEpisode:
    write_day(tmp_path)
    (found,) = read_findingdory(tmp_path, "val")
    return found


def task(quantifier: str, expr_type: str, sequence: tuple[int, ...] = (), **properties: Any) -> DoryTask:
    asked = [{"_target_": "DiscPddlEntityProperty", "name": n, "value": v} for n, v in properties.items()]
    goal = {
        "expr_type": "AND",
        "quantifier": quantifier,
        "inputs": [{"name": "x", "expr_type": expr_type, "properties": asked}],
    }
    return DoryTask("task_1", "Go.", "object", goal, quantifier != "EXISTS", sequence)


def test_a_day_says_what_is_carried_from_where_to_where_and_how_it_lies_then(day: DoryEpisode) -> None:
    assert [(d.index, d.start, d.goal, d.place_view) for d in day.deeds] == [
        (0, "desk|a", "bed|a", 0),
        (1, "shelf|a", "desk|a", -1),
        (2, "shelf|a", "desk|a", 0),
    ]
    assert day.deeds[0].T_map_after is not None and day.deeds[1].T_map_after is None
    # (0.5, 0.8, -2) of Habitat's world is (0.5, 2, 0.8) of the map.
    np.testing.assert_allclose(day.deeds[0].T_map_after[:3, 3], [0.5, 2.0, 0.8])
    assert [name for name, _ in day.models] == ["Mug_1.object_config.json", "Book_4.object_config.json"]
    np.testing.assert_allclose(day.models[0][1], day.models[1][1])
    np.testing.assert_allclose(day.end, [1.0, -3.0, 0.0])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"rigid_objs": [["Mug_1.object_config.json", 9]]}, "a row of transformations"),
        ({"rigid_objs": [["Mug_1.object_config.json"]]}, "pairs of an object's config"),
        ({"goal_receptacles": [["bed|a", 0]]}, "receptacle of each of the 3"),
        ({"place_valid_receps": {"0": "first"}}, "number of a viewpoint"),
    ],
)
def test_a_damaged_day_is_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    write_day(tmp_path, **more)
    with pytest.raises(DatasetError, match=message):
        next(read_findingdory(tmp_path, "val"))


@pytest.mark.parametrize(
    ("asked", "targets", "ordered"),
    [
        (task("EXISTS", "mug", interacted=True), (("object/0", "object/2"),), False),
        (task("EXISTS", THING, interaction_order="second"), (("object/1",),), False),
        (task("EXISTS", THING, start_receptacle="shelf"), (("object/1", "object/2"),), False),
        (task("EXISTS", "lamp", interacted=False), (("object/0-left",),), False),
        (task("EXISTS", THING, color="red"), (("object/1",),), False),
        (task("EXISTS", PLACE, initial_object="book"), (("receptacle/shelf|a",),), False),
        (task("EXISTS", PLACE, goal_receptacle=True), (("receptacle/desk|a", "receptacle/bed|a"),), False),
        (task("EXISTS", PLACE, interacted=False), (("receptacle/sofa|a",),), False),
        (task("FORALL_SEQUENTIAL_UNORDERED", "mug", interacted=True), (("object/0",), ("object/2",)), False),
        (task("FORALL_SEQUENTIAL_ORDERED", THING, (2, 0, 1), interacted=True), (("object/2",), ("object/0",), ("object/1",)), True),
        (task("FORALL_SEQUENTIAL_ORDERED", PLACE, (2, 0), interacted=True, start_receptacle=True), (("receptacle/shelf|a",), ("receptacle/desk|a",)), True),
        (task("FORALL_SEQUENTIAL_ORDERED", PLACE, (0, 1), interacted=True, goal_receptacle=True), (("receptacle/bed|a",), ("receptacle/desk|a",)), True),
    ],
)  # fmt: skip
def test_an_expression_means_the_entities_with_its_properties(
    day: DoryEpisode, asked: DoryTask, targets: tuple[tuple[str, ...], ...], ordered: bool
) -> None:
    assert targets_of(asked, entities_of(day, {"Book_4": {"color": "red"}})) == (targets, ordered)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (task("EXISTS", "region_kitchen", visited=True), "rooms"),
        (task("EXISTS", "room_region_entity", visited=True), "rooms"),
        (task("EXISTS", THING, total_interaction_time=4.0), "times of day"),
        (task("EXISTS", THING, material="gold"), "nothing that the day left"),
        (task("FORALL", THING, interacted=True), "quantifier 'FORALL'"),
        (task("FORALL_SEQUENTIAL_ORDERED", THING, (0, 7), interacted=True), "order of its goals"),
        (replace(task("EXISTS", THING), goal={"expr_type": "AND", "inputs": []}), "exactly one kind of goal"),
    ],
)
def test_what_is_not_evaluated_is_said(day: DoryEpisode, asked: DoryTask, why: str) -> None:
    with pytest.raises(UnknownGoalError, match=why):
        targets_of(asked, entities_of(day, {}))


def test_properties_that_an_expression_asks_for_are_listed() -> None:
    assert asked_properties(task("EXISTS", THING, interacted=True, color="red")) == ("interacted", "color")


def test_attributes_come_from_the_benchmarks_table_if_it_is_there(tmp_path: Path) -> None:
    assert read_attributes(tmp_path) == {}
    table = tmp_path / "object_attribute_annotation.csv"
    table.write_text("object_name,shape,color\nBook_4,flat,red\n")
    assert read_attributes(tmp_path) == {"Book_4": {"shape": "flat", "color": "red"}}
    table.write_text("name,shape\nBook_4,flat\n")
    with pytest.raises(DatasetError, match="a column object_name"):
        read_attributes(tmp_path)


def test_entities_are_unique_and_a_receptacle_keeps_both_of_its_roles(day: DoryEpisode) -> None:
    entities: dict[str, Entity] = {e.id: e for e in entities_of(day, {})}
    assert len(entities) == len(entities_of(day, {})) == 8
    desk = entities["receptacle/desk|a"]
    assert desk.properties["interaction_order"] == {"first", "second", "third"}
    assert desk.orders == {"start_receptacle": (0,), "goal_receptacle": (1, 2)}
