"""What is done to objects shows in images, on the floor and in the ground truth; what cannot be done says why and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci_sim import affordances as tables
from loci_sim.affordances import affordances
from loci_sim.catalogue import CATALOGUE, item_names
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.navigation import FloorMap
from loci_sim.protocol import INTERACTIONS
from loci_sim.scenes import Scene, SceneThing
from loci_sim.spots import distance_to_box
from loci_sim.world import World

SMALL = RobotParameters(width=160, height=120)


@pytest.fixture
def simulator(apartment: Scene) -> EmbeddedSimulator:
    return EmbeddedSimulator(apartment, SMALL)


def truth(simulator: EmbeddedSimulator, identity: str) -> dict:
    return next(o for o in simulator.ground_truth()["objects"] if o["id"] == identity)


def thing(simulator: EmbeddedSimulator, identity: str) -> SceneThing:
    return next(o for o in simulator.objects if o.id == identity)


def approach(simulator: EmbeddedSimulator, identity: str, closest: float = 0.0, furthest: float = 1.2) -> bool:
    """Put the robot where it sees a thing from a distance in a range [m]; False if there is no such place."""
    goal = thing(simulator, identity)
    cells = simulator.grid.center_of(np.argwhere(simulator.grid.navigable))
    distance = np.array([distance_to_box(goal, *c) for c in cells])
    cells = cells[(distance <= furthest) & (distance >= closest)]
    for x, y in cells[:: max(1, len(cells) // 40)]:
        o = simulator.reset_to(x, y, float(np.arctan2(goal.center[1] - y, goal.center[0] - x)))
        if np.count_nonzero(o.instances == goal.instance) >= 25:
            return True
    return False


def first(simulator: EmbeddedSimulator, *categories: str, nth: int = 0) -> str:
    """The first thing of these categories that the robot can see and reach; it then stands there."""
    able = [o.id for o in simulator.objects if o.category in categories and approach(simulator, o.id)]
    assert len(able) > nth, categories
    approach(simulator, able[nth])
    return able[nth]


def test_a_thing_is_picked_up_and_put_down_elsewhere(simulator: EmbeddedSimulator) -> None:
    mug = first(simulator, "mug", "bottle", "bowl", "vase")
    instance = thing(simulator, mug).instance
    assert simulator.interact("pick", mug).done
    assert simulator.held == mug == simulator.ground_truth()["robot"]["holds"]
    assert not np.any(simulator.observe().instances == instance)
    table = first(simulator, "bed", "sofa", "desk", "dresser")
    before = simulator.stamp_ns
    result = simulator.interact("place", table)
    assert result.done, result.reason
    assert result.stamp_ns > before
    assert simulator.held == ""
    state, now = truth(simulator, mug), thing(simulator, mug)
    assert state["on"] == table
    assert not state["inside"]
    assert state["room"] == thing(simulator, table).room
    assert distance_to_box(now, *simulator.position()[:2]) <= SMALL.reach
    assert approach(simulator, mug, furthest=1.5)
    # It is seen in its new box and nowhere else.
    o = simulator.observe()
    from loci.geometry import back_project, transform_points

    points = transform_points(o.T_map_camera, back_project(o.depth, o.camera))[o.instances == instance]
    local = (points - now.center) @ now.T_map_box[:3, :3]
    assert np.all(np.abs(local) <= now.size / 2 + 2e-3)


def test_what_was_put_down_stands_on_its_support_and_in_nothing(simulator: EmbeddedSimulator) -> None:
    mug = first(simulator, "mug", "bottle", "bowl", "vase")
    assert simulator.interact("pick", mug).done
    support = first(simulator, "dining table", "coffee table", "desk", "dresser")
    result = simulator.interact("place", support)
    assert result.done, result.reason
    now, below = thing(simulator, mug), thing(simulator, support)
    assert now.center[2] - now.size[2] / 2 <= below.center[2] + below.size[2] / 2 + 0.01
    for other in simulator.objects:
        if other.id in (mug, support) or abs(other.center[2] - now.center[2]) > (other.size + now.size)[2] / 2 - 0.005:
            continue
        local = (now.center - other.center) @ other.T_map_box[:3, :3]
        assert np.any(np.abs(local[:2]) > other.size[:2] / 2), other.id


def test_an_image_after_putting_a_thing_back_is_the_first_one(simulator: EmbeddedSimulator) -> None:
    mug = first(simulator, "mug", "bottle", "bowl", "vase")
    pose = (*simulator.position()[:2], simulator.heading())
    before = simulator.observe()
    assert simulator.interact("pick", mug).done
    assert not np.array_equal(simulator.observe().depth, before.depth)
    simulator.restore_objects()
    after = simulator.reset_to(*pose)
    for name in ("color", "depth", "semantic", "instances"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert simulator.held == ""


def refused(simulator: EmbeddedSimulator, interaction: str, identity: str, match: str) -> None:
    before = simulator.ground_truth()
    result = simulator.interact(interaction, identity)  # type: ignore[arg-type]
    assert not result.done
    assert match in result.reason, result.reason
    assert simulator.ground_truth() == before


def test_refusals_say_why_and_change_nothing(simulator: EmbeddedSimulator) -> None:
    fridge, bed = first(simulator, "fridge"), next(o.id for o in simulator.objects if o.category == "bed")
    refused(simulator, "pick", fridge, "a fridge cannot be picked up")
    refused(simulator, "clean", fridge, "cannot be cleaned")
    refused(simulator, "switch_on", bed, "cannot be switched")
    refused(simulator, "open", bed, "cannot be opened")
    refused(simulator, "place", bed, "the hand is empty")
    refused(simulator, "close", fridge, "already closed")
    mug = first(simulator, "mug", "bottle", "bowl", "vase")
    assert simulator.interact("pick", mug).done
    refused(simulator, "pick", mug, "already holds")
    assert approach(simulator, fridge)
    refused(simulator, "place", fridge, "is closed")
    refused(simulator, "place", mug, "in the hand itself")
    wall_thing = next(o.id for o in simulator.objects if o.category in ("picture", "window", "mirror"))
    refused(simulator, "place", wall_thing, "nothing can be put on or into")


def test_what_is_not_in_view_or_out_of_reach_is_refused(simulator: EmbeddedSimulator) -> None:
    fridge = first(simulator, "fridge")
    for _ in range(6):
        simulator.step("turn_left")
    refused(simulator, "open", fridge, "not in view")
    assert approach(simulator, fridge, closest=1.6, furthest=3.0)
    refused(simulator, "open", fridge, "out of reach")
    assert approach(simulator, fridge)
    assert simulator.interact("open", fridge).done
    assert truth(simulator, fridge)["states"]["open"] is True


def test_unknown_things_and_interactions_are_errors(simulator: EmbeddedSimulator) -> None:
    with pytest.raises(ValueError, match="'unicorn_1'"):
        simulator.interact("pick", "unicorn_1")
    with pytest.raises(ValueError, match="'eat'"):
        simulator.interact("eat", simulator.objects[0].id)  # type: ignore[arg-type]


def test_a_thing_in_a_fridge_is_only_there_while_it_is_open(simulator: EmbeddedSimulator) -> None:
    bottle = first(simulator, "bottle", "bowl", "mug")
    assert simulator.interact("pick", bottle).done
    fridge = first(simulator, "fridge")
    assert simulator.interact("open", fridge).done
    result = simulator.interact("place", fridge)
    assert result.done, result.reason
    assert truth(simulator, bottle)["inside"]
    inner, outer = thing(simulator, bottle), thing(simulator, fridge)
    local = (inner.center - outer.center) @ outer.T_map_box[:3, :3]
    assert np.all(np.abs(local) + inner.size / 2 <= outer.size / 2 + 1e-6)
    assert simulator.interact("close", fridge).done
    refused(simulator, "pick", bottle, "which is closed")
    assert simulator.interact("open", fridge).done
    assert simulator.interact("pick", bottle).done


def test_a_thing_in_a_basket_goes_in_beside_the_others_and_out_again(simulator: EmbeddedSimulator) -> None:
    bins = [o.id for o in simulator.objects if o.category in ("trash can", "laundry basket", "bathtub")]
    into = next(i for i in bins if approach(simulator, i))
    small = [o.id for o in simulator.objects if o.category in ("mug", "bottle", "soap dispenser")]
    put: list[str] = []
    for identity in small:
        if len(put) == 2 or not approach(simulator, identity):
            continue
        assert simulator.interact("pick", identity).done
        assert approach(simulator, into)
        result = simulator.interact("place", into)
        assert result.done, result.reason
        put.append(identity)
    assert len(put) == 2
    a, b = (thing(simulator, i) for i in put)
    assert truth(simulator, a.id)["inside"]
    local = (a.center - b.center) @ b.T_map_box[:3, :3]
    assert np.any(np.abs(local) >= (a.size + b.size) / 2 - 1e-6)
    assert simulator.interact("pick", put[0]).done


def test_switching_off_the_lamps_darkens_their_room_only(simulator: EmbeddedSimulator) -> None:
    lamp = first(simulator, "lamp")
    room = thing(simulator, lamp).room
    pose = (*simulator.position()[:2], simulator.heading())
    bright = simulator.observe()
    assert simulator.interact("switch_off", lamp).done
    dim = simulator.reset_to(*pose)
    lights = {r["id"]: r["light"] for r in simulator.ground_truth()["rooms"]}
    assert lights[room] < 1.0
    assert all(value == 1.0 for r, value in lights.items() if r != room)
    assert dim.color.mean() < 0.97 * bright.color.mean()
    np.testing.assert_array_equal(dim.depth, bright.depth)
    refused(simulator, "switch_off", lamp, "already off")
    assert simulator.interact("switch_on", lamp).done
    np.testing.assert_array_equal(simulator.reset_to(*pose).color, bright.color)


def test_what_is_dirty_can_be_cleaned_once(simulator: EmbeddedSimulator) -> None:
    dirty = [o["id"] for o in simulator.ground_truth()["objects"] if o["states"].get("dirty")]
    assert dirty
    able = next(i for i in dirty if approach(simulator, i))
    assert simulator.interact("clean", able).done
    assert truth(simulator, able)["states"]["dirty"] is False
    refused(simulator, "clean", able, "already clean")


def test_states_at_first_follow_from_the_scene(apartment: Scene) -> None:
    a, b = World(apartment).as_dict(), World(apartment).as_dict()
    assert a == b
    for o in a["objects"]:
        can = affordances(o["category"])
        assert set(o["states"]) == {
            name for name, is_so in (("open", can.openable), ("on", can.switchable), ("dirty", can.cleanable)) if is_so
        }
        if o["category"] == "door":
            assert o["states"]["open"]
        if can.lamp:
            assert o["states"]["on"]


def test_the_floor_after_moves_is_that_of_a_scene_made_so(apartment: Scene) -> None:
    """Moving parts of a floor map gives what a new map of the moved triangles gives."""
    from loci.geometry import transform_points

    rng, floor = np.random.default_rng(0), FloorMap(apartment)
    movable = [o.node for o in apartment.objects if o.category in ("chair", "trash can", "plant", "basket")]
    nodes = {n.name: n for n in apartment.nodes}
    moved = dict(nodes)
    for name in movable:
        T = nodes[name].T_map_node.copy()
        T[:2, 3] += rng.uniform(-0.4, 0.4, 2)
        moved[name] = type(nodes[name])(name, T, nodes[name].meshes)
        for _ in range(2):
            floor.put(name, np.concatenate([transform_points(T, m.vertices)[m.triangles] for m in nodes[name].meshes]))
    new = FloorMap(Scene(**{**apartment.__dict__, "nodes": tuple(moved.values())}))
    np.testing.assert_array_equal(floor.grid(apartment.start[:2]).clearance, new.grid(apartment.start[:2]).clearance)


def test_ground_truth_is_written_as_json(simulator: EmbeddedSimulator, tmp_path: Path) -> None:
    simulator.write_ground_truth(tmp_path / "truth.json")
    read = json.loads((tmp_path / "truth.json").read_text())
    assert read == json.loads(json.dumps(simulator.ground_truth()))
    assert {o["id"] for o in read["objects"]} == {o.id for o in simulator.scene.objects}
    assert [p.name for p in tmp_path.iterdir()] == ["truth.json"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(INTERACTIONS), st.integers(0, 200)), max_size=30))
def test_any_interactions_leave_at_most_one_thing_in_the_hand(apartment: Scene, calls: list[tuple[str, int]]) -> None:
    world = World(apartment)
    for interaction, i in calls:
        o = apartment.objects[i % len(apartment.objects)]
        if world.refusal(interaction, o.id):  # type: ignore[arg-type]
            continue
        if interaction == "pick":
            world.take(o.id)
        elif interaction == "place":
            world.put(world.held, o.T_map_box, o.id, world.takes_inside(o.id))
        else:
            world.set_state(interaction, o.id)  # type: ignore[arg-type]
        assert sum(x["held"] for x in world.as_dict()["objects"]) <= 1


def test_categories_that_do_not_exist_afford_nothing_and_every_small_thing_can_be_picked_up() -> None:
    assert not any(vars(affordances("flying saucer")).values())
    item_names()
    surface = {i.category for i in CATALOGUE.values() if i.mount == "surface"}
    heavy = {"tv", "lamp", "wall clock", "monitor", "printer", "microwave", "toaster", "projector", "speaker"}
    heavy |= {"coffee machine", "globe", "paper tray"}
    assert {c for c in surface - heavy if not affordances(c).pickable} == set()
    assert not tables.PICKABLE & tables.OPENABLE_CONTAINERS


def test_what_somebody_takes_away_is_nowhere_until_all_is_restored(simulator: EmbeddedSimulator) -> None:
    identity = first(simulator, "mug", "book", "bottle", "bowl")
    instance = thing(simulator, identity).instance
    assert simulator.take_away(identity) == ""
    assert not np.any(simulator.observe().instances == instance)
    assert truth(simulator, identity)["gone"]
    surface = next(o.id for o in simulator.objects if affordances(o.category).surface and o.id != identity)
    assert "taken away" in simulator.carry(identity, surface)
    result = simulator.interact("pick", identity)
    assert not result.done
    assert "taken away" in result.reason
    simulator.restore_objects()
    assert np.any(simulator.observe().instances == instance)
    assert "gone" not in truth(simulator, identity)


def test_somebody_carries_a_thing_to_another_one(simulator: EmbeddedSimulator) -> None:
    identity = first(simulator, "mug", "book", "bottle", "bowl")
    before = thing(simulator, identity)
    goals = [
        o.id
        for o in simulator.objects
        if o.category in ("dining table", "desk", "dresser", "counter") and o.id != before.on
    ]
    goal = next(g for g in goals if not simulator.carry(identity, g, 1))
    after = thing(simulator, identity)
    assert after.on == goal
    assert np.linalg.norm(after.center - before.center) > 0.1
    with pytest.raises(ValueError, match="expected the id of an object"):
        simulator.take_away("unicorn_1")
