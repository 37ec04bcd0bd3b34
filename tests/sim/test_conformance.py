"""One suite for both simulators: what the protocol says holds for each, and on the same home they agree.

Runs over Habitat where `LOCI_HABITAT_PYTHON` names an interpreter with habitat_sim.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from loci.geometry import back_project, transform_points
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE
from loci_sim.cameras import CameraMount
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.habitat.simulator import HabitatSimulator
from loci_sim.noise import NoiseParameters
from loci_sim.person import plan_day
from loci_sim.protocol import SIMULATOR_ACTIONS, SimulatorObservation
from loci_sim.scenes import SceneError, ScenePath, generate_scene
from loci_sim.simulators import SIMULATORS, AnySimulator, open_simulator
from loci_sim.viewpoints import viewpoints

ROBOT = RobotParameters(width=320, height=240)
#: Starting one takes a scene's loading.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def embedded(home_files: ScenePath) -> Iterator[EmbeddedSimulator]:
    simulator = EmbeddedSimulator(home_files, ROBOT)
    yield simulator
    simulator.close()


@pytest.fixture(scope="module")
def habitat(home_files: ScenePath, scene_directory: Path, habitat_python: str) -> Iterator[HabitatSimulator]:
    simulator = HabitatSimulator(home_files, ROBOT, python=habitat_python, cache=scene_directory)
    yield simulator
    simulator.close()


@pytest.fixture(params=SIMULATORS)
def simulator(request: pytest.FixtureRequest) -> AnySimulator:
    """Each simulator at the home's start."""
    found: AnySimulator = request.getfixturevalue(request.param)
    found.reset()
    return found


@pytest.fixture(scope="module")
def pairs(
    embedded: EmbeddedSimulator, habitat: HabitatSimulator
) -> list[tuple[SimulatorObservation, SimulatorObservation]]:
    """What both see from twelve poses all over the home, with the camera level, up and down."""
    found = []
    for seed in range(12):
        embedded.reset(seed)
        (x, y, _), yaw = embedded.position(), embedded.heading()
        if not habitat.is_navigable(x, y):
            continue
        embedded.reset_to(x, y, yaw)
        habitat.reset_to(x, y, yaw)
        for action in {0: (), 1: ("look_up",), 2: ("look_down",)}[seed % 3]:
            embedded.step(action)  # type: ignore[arg-type]
            habitat.step(action)  # type: ignore[arg-type]
        found.append((embedded.observe(), habitat.observe()))
    assert len(found) >= 10
    return found


def share(equal: np.ndarray) -> float:
    return float(np.mean(equal))


# --- both see the same ---------------------------------------------------------------------------------------------------


def test_both_have_the_same_map_labels_and_instances(embedded: EmbeddedSimulator, habitat: HabitatSimulator) -> None:
    assert habitat.map_id == embedded.map_id
    assert habitat.camera == embedded.camera
    assert habitat.labels == embedded.labels
    assert habitat.instance_labels == embedded.instance_labels


def test_the_same_place_and_actions_give_the_same_poses(
    pairs: list[tuple[SimulatorObservation, SimulatorObservation]],
) -> None:
    for ours, theirs in pairs:
        np.testing.assert_allclose(theirs.T_map_camera, ours.T_map_camera, atol=1e-9)
        np.testing.assert_allclose(theirs.T_map_base, ours.T_map_base, atol=1e-9)


def test_depth_is_within_2_cm_on_99_percent_of_the_pixels(
    pairs: list[tuple[SimulatorObservation, SimulatorObservation]],
) -> None:
    for ours, theirs in pairs:
        assert share(np.abs(ours.depth - theirs.depth) <= 0.02) >= 0.99


def test_labels_and_instances_are_the_same_on_98_percent_of_the_pixels(
    pairs: list[tuple[SimulatorObservation, SimulatorObservation]],
) -> None:
    for ours, theirs in pairs:
        assert share(ours.semantic == theirs.semantic) >= 0.98
        assert share(ours.instances == theirs.instances) >= 0.98


def test_colours_are_alike(pairs: list[tuple[SimulatorObservation, SimulatorObservation]]) -> None:
    """Light differs, what is painted does not: red things are red in both."""
    for ours, theirs in pairs:
        a, b = (o.color.reshape(-1, 3).astype(np.float64) for o in (ours, theirs))
        assert (
            np.corrcoef((a - a.mean(axis=1, keepdims=True)).ravel(), (b - b.mean(axis=1, keepdims=True)).ravel())[0, 1]
            > 0.9
        )


def test_where_the_robot_can_stand_is_the_same_within_a_cell(
    embedded: EmbeddedSimulator, habitat: HabitatSimulator
) -> None:
    embedded.reset()
    habitat.reset()
    grid = embedded.grid
    centers = grid.center_of(np.argwhere(np.ones_like(grid.navigable)))
    theirs = habitat.are_navigable(np.column_stack([centers, np.zeros(len(centers))])).reshape(grid.navigable.shape)
    square = np.ones((3, 3), dtype=bool)
    for a, b in ((grid.navigable, theirs), (theirs, grid.navigable)):
        # Every cell of one has a cell of the other beside it; all but a few, where a gap is just as wide as the robot.
        assert share(ndimage.binary_dilation(b, square)[a]) >= 0.999
        # What is a cell away from any border is the same, without exception.
        assert np.all(b[ndimage.binary_erosion(a, square)])


def test_shortest_paths_are_the_same_within_5_percent(embedded: EmbeddedSimulator, habitat: HabitatSimulator) -> None:
    rng = np.random.default_rng(0)
    n = 0
    for _ in range(30):
        start, goal = embedded.grid.random_point(rng), embedded.grid.random_point(rng)
        if not (habitat.is_navigable(*start) and habitat.is_navigable(*goal)):
            continue
        ours, theirs = embedded.shortest_path(start, goal), habitat.shortest_path(start, goal)
        assert ours is not None and theirs is not None
        assert theirs.length == pytest.approx(ours.length, rel=0.05, abs=0.05)
        np.testing.assert_allclose(theirs.points[[0, -1], :2], [start, goal], atol=0.02)
        n += 1
    assert n >= 25


# --- each does what the protocol says ------------------------------------------------------------------------------------


def test_the_depth_image_puts_the_floor_on_zero(simulator: AnySimulator) -> None:
    o = simulator.observe()
    points = back_project(o.depth, o.camera)[(o.depth > 0) & (o.semantic == o_label(simulator, "floor"))]
    heights = transform_points(o.T_map_camera, points)[:, 2]
    assert len(heights) > 1000
    assert np.abs(heights).max() < 0.01


def o_label(simulator: AnySimulator, name: str) -> int:
    return simulator.labels.index(name)


def test_four_images_of_one_observation_fit_together(simulator: AnySimulator) -> None:
    o = simulator.observe()
    shape = (ROBOT.height, ROBOT.width)
    assert o.color.shape == (*shape, 3) and o.color.dtype == np.uint8
    assert o.depth.shape == shape and o.depth.dtype == np.float32
    assert o.semantic.shape == o.instances.shape == shape
    assert o.semantic.dtype == o.instances.dtype == np.int32
    for instance in np.unique(o.instances[o.instances > 0]).tolist():
        label = np.unique(o.semantic[o.instances == instance])
        assert simulator.labels[int(label[0])] == simulator.instance_labels[instance]
        assert len(label) == 1
    assert simulator.observe() is o, "the same until the next step"


def test_a_step_forward_goes_a_quarter_metre_ahead(simulator: AnySimulator) -> None:
    x, y, _ = simulator.position()
    result = simulator.step("move_forward")
    assert not result.collided
    yaw = simulator.heading()
    expected = [x + STEP_LENGTH * np.cos(yaw), y + STEP_LENGTH * np.sin(yaw), 0.0]
    np.testing.assert_allclose(simulator.position(), expected, atol=1e-4)


def test_a_full_circle_of_turns_ends_where_it_began(simulator: AnySimulator) -> None:
    before, heading = simulator.observe(), simulator.heading()
    for _ in range(round(2 * np.pi / TURN_ANGLE)):
        simulator.step("turn_left")
    after = simulator.observe()
    assert simulator.heading() == heading
    np.testing.assert_array_equal(after.depth, before.depth)
    np.testing.assert_array_equal(after.color, before.color)
    assert after.stamp_ns > before.stamp_ns


def test_walking_on_ends_at_an_obstacle_where_the_robot_stands_and_says_so(simulator: AnySimulator) -> None:
    collided = False
    for _ in range(80):
        before = simulator.position()
        collided = simulator.step("move_forward").collided
        if collided:
            break
    assert collided
    assert simulator.position() == before
    assert simulator.is_navigable(*before[:2])


def test_driving_into_a_wall_slides_along_it(simulator: AnySimulator) -> None:
    for _ in range(80):
        if simulator.step("move_forward").collided:
            break
    x, y, _ = simulator.position()
    yaw = simulator.heading()
    simulator.drive(0.0, 0.6, 1.0)
    result = simulator.drive(0.5, 0.0, 2.0)
    moved = np.subtract(simulator.position()[:2], (x, y))
    assert result.collided
    assert 0.05 < result.distance < 1.0
    # It came on, sideways to where it first went, and did not go through the wall.
    assert abs(float(moved @ [-np.sin(yaw), np.cos(yaw)])) > 0.05
    assert simulator.is_navigable(*simulator.position()[:2])


def test_a_drive_in_the_open_ends_on_its_arc(simulator: AnySimulator) -> None:
    x, y, _ = simulator.position()
    yaw = simulator.heading()
    result = simulator.drive(0.3, 0.2, 1.0)
    assert not result.collided
    expected = [x + 1.5 * (np.sin(yaw + 0.2) - np.sin(yaw)), y - 1.5 * (np.cos(yaw + 0.2) - np.cos(yaw)), 0.0]
    np.testing.assert_allclose(simulator.position(), expected, atol=1e-3)
    assert simulator.heading() == pytest.approx(yaw + 0.2)
    assert result.distance == pytest.approx(0.3, abs=2e-3)


def test_the_camera_tilts_to_its_stops_and_back(simulator: AnySimulator) -> None:
    level = simulator.observe()
    assert not simulator.step("look_up").collided
    assert share(simulator.observe().semantic == o_label(simulator, "floor")) < share(
        level.semantic == o_label(simulator, "floor")
    )
    assert not simulator.step("look_up").collided
    assert simulator.step("look_up").collided
    simulator.step("look_down")
    simulator.step("look_down")
    np.testing.assert_array_equal(simulator.observe().depth, level.depth)


def test_the_same_calls_give_the_same_observations(simulator: AnySimulator) -> None:
    def run() -> list[np.ndarray]:
        simulator.reset(5)
        rng, seen = np.random.default_rng(1), []
        for _ in range(15):
            simulator.step(SIMULATOR_ACTIONS[int(rng.integers(len(SIMULATOR_ACTIONS)))])
            simulator.drive(0.4, float(rng.normal()), 0.5)
            o = simulator.observe()
            seen += [o.color, o.depth, o.semantic, o.instances, o.T_map_camera]
        return seen

    for first, second in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_seeds_give_places_all_over_the_home(simulator: AnySimulator) -> None:
    places = set()
    for seed in range(6):
        simulator.reset(seed)
        assert simulator.is_navigable(*simulator.position()[:2])
        places.add(simulator.position())
    assert len(places) == 6


def test_several_cameras_see_at_once_what_one_sees_there(simulator: AnySimulator) -> None:
    T, camera = ROBOT.T_base_camera, ROBOT.camera
    small = RobotParameters(width=160, height=120).camera
    seen = simulator.observe_cameras([CameraMount("front", camera, T), CameraMount("small", small, T)])
    np.testing.assert_array_equal(seen["front"].depth, simulator.observe().depth)
    assert seen["small"].depth.shape == (120, 160)
    again = simulator.observe_cameras([CameraMount("small", small, T)])
    np.testing.assert_array_equal(again["small"].color, seen["small"].color)
    with pytest.raises(ValueError, match="different names"):
        simulator.observe_cameras([CameraMount("front", camera, T)] * 2)


# --- bad input -----------------------------------------------------------------------------------------------------------


def test_an_action_outside_the_space_is_refused_and_changes_nothing(simulator: AnySimulator) -> None:
    stamp = simulator.stamp_ns
    with pytest.raises(ValueError, match=r"expected an action among move_forward.* got 'jump'"):
        simulator.step("jump")  # type: ignore[arg-type]
    assert simulator.stamp_ns == stamp


@pytest.mark.parametrize("values", [(np.nan, 0.0, 1.0), (0.1, 99.0, 1.0), (0.1, 0.0, 0.0), (0.1, 0.0, np.inf)])
def test_a_drive_out_of_range_is_refused(simulator: AnySimulator, values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected a"):
        simulator.drive(*values)


def test_places_where_the_robot_cannot_stand_are_refused(simulator: AnySimulator) -> None:
    with pytest.raises(ValueError, match="expected a navigable pose"):
        simulator.reset_to(-50.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="expected a navigable pose"):
        simulator.reset_to(*simulator.position()[:2], np.nan)
    assert not simulator.is_navigable(np.nan, 0.0)
    assert simulator.shortest_path(simulator.position()[:2], (-50.0, 0.0)) is None


def test_unknown_objects_and_interactions_are_refused(simulator: AnySimulator) -> None:
    with pytest.raises(ValueError, match="expected the id of an object"):
        simulator.interact("pick", "unicorn_1")
    with pytest.raises(ValueError, match="expected an interaction among"):
        simulator.interact("eat", simulator.objects[0].id)  # type: ignore[arg-type]


def test_what_is_not_in_view_is_not_touched(simulator: AnySimulator) -> None:
    seen = set(np.unique(simulator.observe().instances).tolist())
    hidden = next(o for o in simulator.objects if o.instance not in seen and o.category in ("mug", "book", "bottle"))
    result = simulator.interact("pick", hidden.id)
    assert not result.done
    assert "is not in view" in result.reason or "which is closed" in result.reason


# --- things --------------------------------------------------------------------------------------------------------------


def test_what_is_picked_up_disappears_and_comes_back_where_it_is_put(simulator: AnySimulator) -> None:
    simulator.restore_objects()
    thing = first_in_reach(simulator)
    before = simulator.observe()
    rests_on = thing.on
    assert simulator.interact("pick", thing.id).done
    assert simulator.held == thing.id
    assert thing.instance not in simulator.observe().instances
    placed = simulator.interact("place", rests_on)
    assert placed.done, placed.reason
    now = next(o for o in simulator.objects if o.id == thing.id)
    assert now.on == rests_on
    simulator.restore_objects()
    np.testing.assert_array_equal(simulator.observe().instances, before.instances)
    np.testing.assert_array_equal(simulator.observe().depth, before.depth)


def test_both_agree_on_what_is_seen_after_things_were_moved(
    embedded: EmbeddedSimulator, habitat: HabitatSimulator
) -> None:
    embedded.restore_objects()
    habitat.restore_objects()
    embedded.reset()
    thing = first_in_reach(embedded)
    (x, y, _), yaw = embedded.position(), embedded.heading()
    habitat.reset_to(x, y, yaw)
    target = thing.on
    for simulator in (embedded, habitat):
        for interaction, identity in (("pick", thing.id), ("place", target)):
            result = simulator.interact(interaction, identity)  # type: ignore[arg-type]
            assert result.done, result.reason
    assert share(np.abs(embedded.observe().depth - habitat.observe().depth) <= 0.02) >= 0.99
    assert share(embedded.observe().instances == habitat.observe().instances) >= 0.98
    places = [next(o for o in s.objects if o.id == thing.id).T_map_box for s in (embedded, habitat)]
    np.testing.assert_allclose(places[1], places[0], atol=1e-6)
    embedded.restore_objects()
    habitat.restore_objects()


def first_in_reach(simulator: AnySimulator):  # type: ignore[no-untyped-def]
    """Put the robot somewhere it sees a small thing within reach on something; returns the thing."""
    small = {"mug", "book", "bottle", "cup", "bowl", "apple", "glass", "plate", "candle", "vase", "phone"}
    things = {o.instance: o for o in simulator.objects if o.category in small and o.on}
    for seed in range(200):
        simulator.reset(seed)
        o = simulator.observe()
        counts = dict(zip(*np.unique(o.instances, return_counts=True), strict=True))
        x, y, _ = simulator.position()
        for instance, thing in things.items():
            near = np.hypot(*(thing.center[:2] - (x, y))) < ROBOT.reach - 0.2
            if (
                near
                and counts.get(instance, 0) >= 3 * ROBOT.min_pixels
                and counts.get(instance_of(simulator, thing.on), 0) > 100
            ):
                return thing
    raise AssertionError("expected a small thing in reach somewhere")


def instance_of(simulator: AnySimulator, identity: str) -> int:
    return next(o.instance for o in simulator.objects if o.id == identity)


# --- noise and opening ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIMULATORS)
def test_noise_is_of_the_seed_and_not_of_how_often_one_looks(
    name: str, home_files: ScenePath, scene_directory: Path, request: pytest.FixtureRequest
) -> None:
    python = request.getfixturevalue("habitat_python") if name == "habitat" else ""
    noise = NoiseParameters(1.0, 1.0, 0.05, 0.02, seed=3)
    simulators = [
        open_simulator(
            name, str(home_files.glb), ROBOT, scene_directory=scene_directory, habitat_python=python, noise=noise
        )
        for _ in range(2)
    ]
    try:
        simulators[0].observe()
        for s in simulators:
            s.step("move_forward")
        a, b = (s.observe() for s in simulators)
        np.testing.assert_array_equal(a.depth, b.depth)
        np.testing.assert_array_equal(a.color, b.color)
        np.testing.assert_array_equal(a.T_map_camera, b.T_map_camera)
        assert not np.allclose(a.T_map_camera, a.T_map_camera_true)
    finally:
        for s in simulators:
            s.close()


@pytest.mark.parametrize("name", SIMULATORS)
@pytest.mark.parametrize("scene", ["castle:3", "home:x", "nowhere.glb", ""])
def test_scenes_that_there_are_not_are_refused_before_anything_starts(name: str, scene: str, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="expected a scene as apartment:SEED"):
        open_simulator(name, scene, scene_directory=tmp_path, habitat_python="/nowhere/python")


def test_simulators_that_there_are_not_and_datasets_for_the_wrong_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a simulator out of embedded, habitat, got 'gazebo'"):
        open_simulator("gazebo", "home:3")
    with pytest.raises(ValueError, match="only the simulator habitat takes a scene_dataset"):
        open_simulator("embedded", "home:3", scene_dataset="hm3d.scene_dataset_config.json")
    with pytest.raises(SceneError, match=r"expected a \.scene_dataset_config\.json .* \(no such file\)"):
        open_simulator("habitat", "00800", scene_dataset=str(tmp_path / "hm3d.scene_dataset_config.json"))


# --- a person ------------------------------------------------------------------------------------------------------------


def test_a_person_moves_the_same_things_to_the_same_places_in_both(
    embedded: EmbeddedSimulator, habitat: HabitatSimulator, tmp_path: Path
) -> None:
    found = []
    for simulator in (embedded, habitat):
        simulator.restore_objects()
        simulator.reset()
        simulator.add_person(plan_day(embedded.scene, 0, 100.0, 5), seed=2)
        simulator.advance(100.0)
        simulator.write_ground_truth(tmp_path / "truth.json")
        truth = json.loads((tmp_path / "truth.json").read_text())
        found.append(truth)
        assert len(truth["person"]) == 5
    ours, theirs = found
    assert [d["reason"] for d in theirs["person"]] == [d["reason"] for d in ours["person"]]
    for a, b in zip(ours["objects"], theirs["objects"], strict=True):
        assert (a["id"], a["on"], a["room"], a["inside"]) == (b["id"], b["on"], b["room"], b["inside"])
        np.testing.assert_allclose(b["T_map_box"], a["T_map_box"], atol=1e-5)
    for simulator in (embedded, habitat):
        simulator.add_person(())
        simulator.restore_objects()


# --- what moves, and what is above ------------------------------------------------------------------------------------------


def test_both_agree_on_what_is_seen_after_something_was_opened(
    embedded: EmbeddedSimulator, habitat: HabitatSimulator
) -> None:
    n = 0
    for thing in embedded.objects:
        if not thing.interiors or n == 3:
            continue
        for x, y, z in viewpoints(embedded, thing.id)[::3]:
            yaw = float(np.arctan2(thing.center[1] - y, thing.center[0] - x))
            if not habitat.is_navigable(x, y, z):
                continue
            before = embedded.reset_to(x, y, yaw, z)
            habitat.reset_to(x, y, yaw, z)
            if not embedded.interact("open", thing.id).done:
                continue
            assert habitat.interact("open", thing.id).done
            ours, theirs = embedded.observe(), habitat.observe()
            assert share(np.abs(ours.depth - theirs.depth) <= 0.02) >= 0.99
            assert share(ours.instances == theirs.instances) >= 0.98
            n += share(ours.depth != before.depth) > 0.005
            break
    embedded.restore_objects()
    habitat.restore_objects()
    assert n == 3


def test_both_agree_in_a_home_on_two_floors(scene_directory: Path, habitat_python: str) -> None:
    files = generate_scene("home", 3, scene_directory)
    ours = EmbeddedSimulator(files, ROBOT)
    theirs = HabitatSimulator(files, ROBOT, python=habitat_python, cache=scene_directory)
    try:
        assert len(ours.scene.floors) == 2
        assert theirs.labels == ours.labels
        rng = np.random.default_rng(0)
        heights: list[float] = []
        for _ in range(16):
            x, y, z = ours.levels.random_point(rng)
            yaw = float(rng.uniform(-np.pi, np.pi))
            if not theirs.is_navigable(x, y, z):
                continue
            a, b = ours.reset_to(x, y, yaw, z), theirs.reset_to(x, y, yaw, z)
            # On stairs the height is known to a step.
            assert b.T_map_base[2, 3] == pytest.approx(a.T_map_base[2, 3], abs=0.2)
            if abs(b.T_map_base[2, 3] - a.T_map_base[2, 3]) > 1e-6:
                continue
            heights.append(z)
            assert share(np.abs(a.depth - b.depth) <= 0.02) >= 0.99
            assert share(a.semantic == b.semantic) >= 0.98
            assert share(a.instances == b.instances) >= 0.98
        assert len(heights) >= 8
        assert min(heights) < 0.1 < 2.0 < max(heights)
        up = ours.levels.random_point(rng)
        while up[2] < 2.0:
            up = ours.levels.random_point(rng)
        path, other = ours.shortest_path(ours.scene.start[:2], up), theirs.shortest_path(ours.scene.start[:2], up)
        assert path is not None and other is not None
        assert other.length == pytest.approx(path.length, rel=0.1)
    finally:
        ours.close()
        theirs.close()
