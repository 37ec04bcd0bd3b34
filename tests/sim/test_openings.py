"""Doors, lids and drawers move: images, floor and what lies in them follow, and the robot gets everywhere without opening any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from scene_geometry import node_triangles, thing_triangles

from loci_sim.catalogue import OPENINGS, item_names, make_model
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.household import Standing
from loci_sim.joints import joint_motion, joint_of
from loci_sim.scenes import Scene, SceneThing, generate_scene, load_scene
from loci_sim.spots import distance_to_box
from loci_sim.world import World

ROBOT = RobotParameters(width=160, height=120, camera_pitch=25.0)


@pytest.fixture(scope="module")
def home(scene_directory: Path) -> Scene:
    """A home on one floor with a door that is closed at first."""
    for seed in range(4, 20):
        scene = load_scene(generate_scene("home", seed, scene_directory))
        if len(scene.floors) == 1 and any(
            j.opening == 0.0 for o in scene.objects if o.category == "door" for j in o.joints
        ):
            return scene
    raise AssertionError("expected a closed door in one of 16 homes")


@pytest.fixture
def simulator(home: Scene) -> EmbeddedSimulator:
    return EmbeddedSimulator(home, ROBOT)


def thing(simulator: EmbeddedSimulator, identity: str) -> SceneThing:
    return next(o for o in simulator.objects if o.id == identity)


def stand_before(simulator: EmbeddedSimulator, goal: SceneThing, closest: float = 1.05) -> bool:
    """Put the robot in front of a thing, looking at it, from where its doors open freely; False if there is no such place."""
    cells = simulator.grid.center_of(np.argwhere(simulator.grid.navigable))
    distance = np.array([distance_to_box(goal, *c) for c in cells])
    cells = cells[(distance <= 1.4) & (distance >= closest)]
    ahead = (cells - goal.center[:2]) @ goal.T_map_box[:2, :2]
    cells, ahead = cells[ahead[:, 0] > 0.0], ahead[ahead[:, 0] > 0.0]
    for x, y in cells[np.argsort(2.0 * np.abs(ahead[:, 1]) + ahead[:, 0])][:12]:
        o = simulator.reset_to(x, y, float(np.arctan2(goal.center[1] - y, goal.center[0] - x)))
        if np.count_nonzero(o.instances == goal.instance) >= 25:
            return True
    return False


def containers(simulator: EmbeddedSimulator) -> list[str]:
    """One of every category that holds things and that the robot can stand before."""
    found: dict[str, str] = {}
    for o in simulator.objects:
        if o.interiors and o.category not in found and stand_before(simulator, o):
            found[o.category] = o.id
    assert len(found) >= 4
    return list(found.values())


def test_every_room_is_reached_while_no_door_is_touched(home: Scene, simulator: EmbeddedSimulator) -> None:
    points = simulator.grid.center_of(np.argwhere(simulator.grid.navigable))
    for room in home.rooms:
        assert any(room.contains(*p) for p in points), room.id


@pytest.mark.parametrize("family", ["home", "office", "building"])
def test_doors_differ_in_how_far_they_are_open(family: str, scene_directory: Path) -> None:
    openings = [
        j.opening
        for seed in (range(8) if family == "home" else range(2))
        for o in load_scene(generate_scene(family, seed, scene_directory)).objects
        if o.category == "door"
        for j in o.joints
    ]
    assert 1.0 in openings
    assert any(0.0 < q < 1.0 for q in openings)
    assert any(q == 0.0 for q in openings)


def test_a_door_that_is_closed_keeps_the_robot_out_until_it_is_opened(
    home: Scene, simulator: EmbeddedSimulator
) -> None:
    closed = [o for o in home.objects if o.category == "door" and o.joints and o.joints[0].opening == 0.0]
    door = next(o for o in closed if stand_before(simulator, o))
    pose = (*simulator.position()[:2], simulator.heading())
    assert not simulator.is_navigable(*door.center[:2])
    before = simulator.observe()
    result = simulator.interact("open", door.id)
    assert result.done, result.reason
    after = simulator.observe()
    assert np.count_nonzero(np.abs(after.depth - before.depth) > 0.1) > 300
    assert simulator.is_navigable(*door.center[:2])
    # Its box is where its leaf is, at a right angle to where it was.
    now = thing(simulator, door.id)
    assert abs(float(now.T_map_box[:2, 0] @ door.T_map_box[:2, 0])) < 1e-6
    assert simulator.interact("open", door.id).reason.endswith("already open")
    simulator.restore_objects()
    np.testing.assert_array_equal(simulator.reset_to(*pose).depth, before.depth)
    assert not simulator.is_navigable(*door.center[:2])


def test_closing_a_door_divides_the_floor(simulator: EmbeddedSimulator) -> None:
    reached = np.count_nonzero(simulator.grid.navigable)
    divided = False
    for o in simulator.objects:
        if o.category != "door" or not o.joints or o.joints[0].opening < 0.5 or not stand_before(simulator, o):
            continue
        if not simulator.interact("close", o.id).done:
            continue
        divided |= np.count_nonzero(simulator.grid.navigable) < 0.9 * reached
        simulator.restore_objects()
        assert np.count_nonzero(simulator.grid.navigable) == reached
    assert divided


def test_the_front_door_is_locked(home: Scene) -> None:
    front = next(o for o in home.objects if o.category == "door" and not o.joints)
    world = World(home)
    assert world.state(front.id).is_open is False
    assert world.refusal("open", front.id) == f"{front.id} is locked"


def test_a_leaf_that_would_hit_the_robot_stays(home: Scene, simulator: EmbeddedSimulator) -> None:
    for o in home.objects:
        if o.category != "fridge":
            continue
        cells = simulator.grid.center_of(np.argwhere(simulator.grid.navigable))
        near = cells[np.argsort([distance_to_box(o, *c) + abs((c - o.center[:2]) @ o.T_map_box[:2, 1]) for c in cells])]
        simulator.reset_to(*near[0], float(np.arctan2(*(o.center[:2] - near[0])[::-1])))
        result = simulator.interact("open", o.id)
        assert not result.done
        assert result.reason == f"opening {o.id} would touch the robot"
        assert simulator.ground_truth() == {**simulator.ground_truth(), **World(home).as_dict()}
        return
    raise AssertionError("expected a fridge in a home")


def test_what_lies_in_a_container_is_seen_and_picked_only_while_it_is_open(simulator: EmbeddedSimulator) -> None:
    small = next(o.id for o in simulator.objects if o.category in ("apple", "lemon", "rubber duck", "can", "mug"))
    for identity in containers(simulator):
        simulator.restore_objects()
        container, world = thing(simulator, identity), simulator._household.world
        item = thing(simulator, small)
        world.take(small)
        world.set_opening(identity, 1.0)
        assert simulator._household.do("place", identity, Standing(*simulator.position()[:2])) == ""
        assert world.state(small).inside
        world.set_opening(identity, 0.0)
        for name in (identity, small):
            simulator._household._show(name)
        # One looks into a drawer from above, into a cupboard from where its doors clear the robot.
        drawers = container.joints[0].kind == "slide"
        assert stand_before(simulator, container, closest=0.55 if drawers else 1.05)
        assert not np.any(simulator.observe().instances == item.instance), identity
        assert "is closed" in simulator.interact("pick", small).reason
        result = simulator.interact("open", identity)
        assert result.done, result.reason
        seen = 0
        for tilt in ("look", "look_down", "look_up"):
            simulator.step(tilt)  # type: ignore[arg-type]
            seen = max(seen, int(np.count_nonzero(simulator.observe().instances == item.instance)))
        assert seen > 0, f"{small} in the open {identity} is not seen"


def test_what_lies_in_a_drawer_moves_along_and_back(home: Scene) -> None:
    world = World(home)
    inside = next(o for o in home.objects if o.inside and o.on.startswith(("dresser", "nightstand", "filing_cabinet")))
    drawer = next(j for j in world.thing(inside.on).joints if j.node == world.state(inside.id).carrier)
    world.set_state("open", inside.on)
    moved = world.state(inside.id).T_map_box[:3, 3] - inside.center
    axis = world.thing(inside.on).T_map_box[:3, :3] @ drawer.axis
    np.testing.assert_allclose(moved, drawer.limit * axis, atol=1e-6)
    world.set_state("close", inside.on)
    np.testing.assert_allclose(world.state(inside.id).T_map_box, inside.T_map_box, atol=1e-9)


def test_things_in_containers_lie_within_them_and_apart(home: Scene) -> None:
    things = {o.id: o for o in home.objects}
    inside = [o for o in home.objects if o.inside]
    assert inside
    for o in inside:
        outer = things[o.on]
        local = np.abs((o.center - outer.center) @ outer.T_map_box[:3, :3])
        assert np.all(local < outer.size / 2), f"{o.id} is not in {outer.id}"
        points = (node_triangles(home, o.node).reshape(-1, 3) - outer.center) @ outer.T_map_box[:3, :3]
        assert any(np.all(points > i.low - 2e-3) and np.all(points < i.high + 2e-3) for i in outer.interiors), (
            f"{o.id} sticks out of the room in {outer.id}"
        )


@pytest.mark.parametrize("name", sorted(OPENINGS) if item_names() else [])
def test_open_parts_stay_within_the_width_of_their_thing(name: str) -> None:
    model = make_model(name, np.random.default_rng(0))
    for part in model.parts:
        T = joint_motion(part.kind, np.array(part.origin), np.array(part.axis), part.limit)
        points = np.concatenate([m.vertices for m in part.meshes]) @ T[:3, :3].T + T[:3, 3]
        assert np.all(np.abs(points[:, 1]) <= model.size[1] / 2 + 0.04)
        assert np.all(points[:, 2] >= -1e-9)
        assert 0.1 < points[:, 0].max() - model.size[0] / 2 <= model.reach + 1e-9


def test_a_joint_turns_and_slides_as_stated() -> None:
    hinge = joint_motion("hinge", np.array([1.0, 0, 0]), np.array([0.0, 0, 1]), np.pi / 2)
    np.testing.assert_allclose(hinge @ [2.0, 0, 0, 1], [1.0, 1, 0, 1], atol=1e-12)
    slide = joint_motion("slide", np.zeros(3), np.array([0.0, 1, 0]), 0.3)
    np.testing.assert_allclose(slide @ [2.0, 0, 0, 1], [2.0, 0.3, 0, 1])


@pytest.mark.parametrize(
    ("change", "match"),
    [({"kind": "ball"}, "'ball'"), ({"axis": [0, 0, 2]}, "length 1"), ({"opening": 2.0}, "opening")],
)
def test_a_damaged_joint_is_refused(change: dict, match: str) -> None:
    good = {"node": "a", "kind": "hinge", "origin": [0, 0, 0], "axis": [0, 0, 1], "limit": 1.5, "opening": 0.0}
    assert joint_of(good).limit == 1.5
    with pytest.raises(ValueError, match=match):
        joint_of({**good, **change})


def test_a_lamp_shines_while_it_is_on(simulator: EmbeddedSimulator) -> None:
    for lamp in [o for o in simulator.objects if o.category == "lamp"]:
        if not stand_before(simulator, lamp, closest=0.4):
            continue
        on = simulator.observe()
        assert simulator.interact("switch_off", lamp.id).done
        off = simulator.observe()
        mask = on.instances == lamp.instance
        assert off.color[mask].mean() < 0.8 * on.color[mask].mean()
        np.testing.assert_array_equal(on.depth, off.depth)
        return
    raise AssertionError("expected a lamp that can be seen")


def test_thing_triangles_hold_the_moving_parts(home: Scene) -> None:
    fridge = next(o for o in home.objects if o.category == "fridge")
    assert len(thing_triangles(home, fridge)) > len(node_triangles(home, fridge.node))
