"""Homes, offices and buildings are what they are said to be, and hard enough to need a memory."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from loci_sim.catalogue import categories
from loci_sim.difficulty import Difficulty, measure
from loci_sim.families import FAMILIES
from loci_sim.floorplan import FloorPlan, Rect
from loci_sim.layouts import Cell, DoorRules, Split, plan_from_layout, spread
from loci_sim.scenes import Scene, generate_scene, load_scene

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "simulation.md"
#: Ordinary homes; `test_generated_scenes` looks closely at more of them.
HOMES = range(20, 24)
NEIGHBOURS = 0.3  # m


@pytest.fixture(params=HOMES, scope="module")
def home(request: pytest.FixtureRequest, scene_directory: Path) -> Scene:
    return load_scene(generate_scene("home", request.param, scene_directory))


def plans(family: str, seeds: range) -> list[FloorPlan]:
    """The plans that can be drawn from these seeds."""
    drawn = []
    for seed in seeds:
        try:
            drawn.append(FAMILIES[family].plan(np.random.default_rng(seed)))
        except ValueError:
            continue
    assert len(drawn) > len(seeds) / 2
    return drawn


@pytest.mark.parametrize("family", ["home", "office", "building"])
def test_rooms_of_a_plan_lie_apart_and_doors_join_them(family: str) -> None:
    for plan in plans(family, range(60)):
        for i, a in enumerate(plan.rooms):
            assert plan.bounds.contains(a.rect)
            assert not any(a.rect.overlaps(b.rect) for b in plan.rooms[i + 1 :] if a.floor == b.floor)
        joined = {plan.rooms[0].id} | ({plan.stairs.upper} if plan.stairs else set())
        for _ in plan.rooms:
            joined |= {r for d in plan.doors if not d.closed and joined & set(d.rooms) for r in d.rooms}
        assert joined == {r.id for r in plan.rooms}
        assert [d.closed for d in plan.doors].index(True) == len(plan.doors) - 1


def test_homes_have_four_to_twelve_rooms_of_many_kinds_and_shapes() -> None:
    drawn = plans("home", range(150))
    assert {len(plan.rooms) for plan in drawn} == set(range(4, 13))
    kinds = Counter(room.name for plan in drawn for room in plan.rooms)
    assert set(kinds) == set(FAMILIES["home"].furnishing.programmes)
    assert any(sum(room.name == "bedroom" for room in plan.rooms) >= 3 for plan in drawn)
    assert any(all(room.name != "hallway" for room in plan.rooms) for plan in drawn)
    assert {max(room.floor for room in plan.rooms) for plan in drawn} == {0, 1}


def test_offices_have_what_an_office_needs() -> None:
    for plan in plans("office", range(40)):
        kinds = {room.name for room in plan.rooms}
        assert {"open office", "meeting room", "reception", "kitchenette", "restroom"} <= kinds
        assert kinds & {"storage room", "copy room"}


def test_a_building_is_forty_metres_long_and_of_mixed_use() -> None:
    for plan in plans("building", range(40)):
        assert max(plan.bounds.width, plan.bounds.depth) == pytest.approx(40.0)
        assert 15 <= len(plan.rooms) <= 30
        kinds = {room.name for room in plan.rooms}
        assert {"living room", "bedroom", "meeting room", "office", "corridor"} <= kinds


@pytest.mark.parametrize("family", ["home", "office", "building"])
def test_no_two_rooms_have_the_same_walls(family: str) -> None:
    for plan in plans(family, range(20)):
        finishes = FAMILIES[family].finish(plan, np.random.default_rng(0))
        walls = Counter((f.wall.color, f.wall.texture.partition("-")[0]) for f in finishes.values())
        assert set(walls.values()) == {1}


def test_a_layout_fills_its_rectangle() -> None:
    layout = Split("x", (Cell("a"), Split("y", (Cell("b", metres=1.5), Cell("c")), share=3.0)))
    assert spread(layout, Rect(0.0, 0.0, 8.0, 5.0)) == [
        ("a", Rect(0.0, 0.0, 2.0, 5.0)),
        ("b", Rect(2.0, 0.0, 8.0, 1.5)),
        ("c", Rect(2.0, 1.5, 8.0, 5.0)),
    ]


def test_a_layout_whose_rooms_no_door_can_join_is_refused() -> None:
    layout = Split("x", (Cell("hallway"), Cell("bedroom"), Cell("pantry")))
    rules = DoorRules(("hallway",), {"bedroom": ("hallway",), "pantry": ("hallway",)})
    with pytest.raises(ValueError, match="no place for a door of pantry"):
        plan_from_layout(layout, 9.0, 3.0, rules, np.random.default_rng(0))


# --- difficulty -----------------------------------------------------------------------------------------------------------


def test_difficulty_counts_what_it_says() -> None:
    names = ["mug", "mug", "bed"]
    centers = np.array([[0.0, 0, 0], [0.3, 0, 0], [0.0, 0.1, 0]])
    sizes = np.array([[0.1, 0.1, 0.1], [0.1, 0.15, 0.1], [2.0, 1, 1]])
    assert measure(names, centers, sizes) == Difficulty(1 / 2, 1 / 3, 1)
    assert not measure(names, centers, sizes).reaches(Difficulty(0.5, 0.4, 1))


def test_a_third_of_the_categories_has_several_instances(home: Scene) -> None:
    counts = Counter(o.category for o in home.objects)
    assert np.mean([n > 1 for n in counts.values()]) >= 0.3


def test_a_fifth_of_the_objects_is_under_fifteen_centimetres(home: Scene) -> None:
    assert np.mean([o.size.max() < 0.15 for o in home.objects]) >= 0.2


def test_some_neighbours_of_one_category_stand_within_thirty_centimetres(home: Scene) -> None:
    pairs = Counter(
        a.category
        for i, a in enumerate(home.objects)
        for b in home.objects[i + 1 :]
        if a.category == b.category and np.linalg.norm(a.center - b.center) <= NEIGHBOURS
    )
    assert sum(pairs.values()) >= 10
    assert len(pairs) >= 5


# --- vocabulary -----------------------------------------------------------------------------------------------------------


def documented() -> dict[str, set[str]]:
    """Categories by kind of room, from the table of the documentation."""
    table = DOCUMENTATION.read_text().partition("| room | furniture and fixtures |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    return {room: (set(re.split(", ", large)) | set(re.split(", ", small))) - {""} for room, large, small in rows[1:]}


def test_the_documentation_states_the_vocabulary() -> None:
    stated = documented()
    assert set().union(*stated.values()) == set(categories())
    assert len(categories()) >= 60
    assert f"{len(categories())} categories" in DOCUMENTATION.read_text()
    assert set(stated) == {room for f in FAMILIES.values() for room in f.furnishing.programmes}


@pytest.mark.parametrize(("family", "seeds"), [("apartment", range(6)), ("home", range(3)), ("building", range(1))])
def test_things_stand_in_the_rooms_that_the_documentation_states(
    family: str, seeds: range, scene_directory: Path
) -> None:
    stated = documented()
    for seed in seeds:
        scene = load_scene(generate_scene(family, seed, scene_directory))
        kinds = {room.id: room.name for room in scene.rooms}
        wrong = {
            (o.category, kinds[o.room]) for o in scene.objects if o.category not in stated[kinds[o.room]] | {"door"}
        }
        assert not wrong


def test_clocks_are_told_apart_but_in_apartments(scene_directory: Path) -> None:
    kinds = {
        family: {
            o.category for seed in range(2) for o in load_scene(generate_scene(family, seed, scene_directory)).objects
        }
        for family in ("apartment", "home", "office", "building")
    }
    assert "clock" in kinds.pop("apartment")
    for family, found in kinds.items():
        assert "clock" not in found, family
    assert {"wall clock", "alarm clock"} <= kinds["home"] | kinds["building"]


@pytest.mark.parametrize("family", ["castle", "", "../home"])
def test_an_unknown_family_is_refused(family: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a family of scenes out of apartment, home"):
        generate_scene(family, 0, tmp_path)
    assert not list(tmp_path.iterdir())
