"""The embedded simulator: images agree with geometry, poses with REP-103, motion with the floor; nothing depends on chance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scene_geometry import BOX_CENTER, BOX_SIZE, TOP, X0, X1, Y0, Y1, empty_room
from scipy import ndimage

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.geometry import Camera, back_project, invert_pose, look_at, project, transform_points
from loci.perception.simulated import detections_from_instances
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.protocol import Action, Simulator
from loci_sim.rendering import Renderer
from loci_sim.scenes import Scene
from loci_sim.topview import render_top_view

SMALL = RobotParameters(width=160, height=120)
CIRCLE: list[Action] = ["turn_left"] * 12


@pytest.fixture(scope="module")
def simulator(apartment: Scene) -> EmbeddedSimulator:
    return EmbeddedSimulator(apartment, SMALL)


@pytest.fixture(scope="module")
def room() -> EmbeddedSimulator:
    return EmbeddedSimulator(empty_room(), SMALL)


def wander(simulator: EmbeddedSimulator, n: int, seed: int = 0) -> list[str]:
    """Random actions that mostly go forward."""
    rng = np.random.default_rng(seed)
    actions = [str(a) for a in rng.choice(["move_forward", "turn_left", "turn_right"], n, p=[0.7, 0.2, 0.1])]
    for action in actions:
        simulator.step(action)  # type: ignore[arg-type]
    return actions


def test_it_is_a_simulator(simulator: EmbeddedSimulator) -> None:
    s: Simulator = simulator
    assert s.map_id == simulator.scene.map_id


def test_depth_of_a_wall_is_its_distance(room: EmbeddedSimulator) -> None:
    level = Renderer(empty_room(), SMALL.camera)
    _, depth, labels, _ = level.render(look_at((0.5, 0.25, 1.2), (X0, 0.25, 1.2)))
    wall = labels == room.labels.index("wall")
    ahead = depth[50:70, 60:100]
    assert wall[50:70, 60:100].all()
    np.testing.assert_allclose(ahead, 0.5 - X0, atol=1e-5)


def test_every_pixel_lies_on_a_plane_of_the_room_or_on_the_crate(room: EmbeddedSimulator) -> None:
    for action in CIRCLE:
        room.step(action)
        o = room.observe()
        points = transform_points(o.T_map_camera, back_project(o.depth, o.camera)).reshape(-1, 3)
        labels, instances = o.semantic.ravel(), o.instances.ravel()
        names = np.array(room.labels)[labels]
        np.testing.assert_allclose(points[names == "floor", 2], 0.0, atol=1e-4)
        np.testing.assert_allclose(points[names == "ceiling", 2], TOP, atol=1e-4)
        wall = points[names == "wall"]
        to_walls = np.abs(np.stack([wall[:, 0] - X0, wall[:, 0] - X1, wall[:, 1] - Y0, wall[:, 1] - Y1])).min(axis=0)
        np.testing.assert_allclose(to_walls, 0.0, atol=1e-4)
        crate = np.abs(points[instances == 1] - BOX_CENTER) - np.array(BOX_SIZE) / 2
        np.testing.assert_allclose(crate.max(axis=1, initial=-1), 0.0 if len(crate) else [], atol=1e-4)
        assert np.all(labels > 0)


def test_depth_is_analytic_at_every_pixel_of_a_floor_seen_from_above() -> None:
    camera = Camera(64, 48, 60.0, 55.0, 20.0, 30.0)
    T = look_at((0.0, 0.0, 1.9), (1.0, -0.4, 0.0))
    _, depth, labels, _ = Renderer(empty_room(), camera).render(T)
    u, v = np.meshgrid(np.arange(64), np.arange(48))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1) @ T[:3, :3].T
    floor = labels == 2
    assert np.count_nonzero(floor) > 500
    np.testing.assert_allclose(depth[floor], -1.9 / rays[floor][:, 2], rtol=1e-5)


def test_depth_beyond_the_range_is_not_measured() -> None:
    _, depth, labels, _ = Renderer(empty_room(), SMALL.camera, max_range=1.0).render(
        look_at((0.5, 0.0, 1.2), (X0, 0.0, 1.2))
    )
    assert depth.max() <= 1.0
    assert np.all(depth[55:65, 70:90] == 0.0)
    assert np.all(labels[55:65, 70:90] > 0)


def test_instances_lie_inside_the_boxes_of_their_objects(simulator: EmbeddedSimulator) -> None:
    simulator.reset()
    seen = set[int]()
    for seed in range(6):
        simulator.reset(seed)
        for action in CIRCLE:
            simulator.step(action)
            o = simulator.observe()
            points = transform_points(o.T_map_camera, back_project(o.depth, o.camera))
            for instance in np.unique(o.instances[o.instances > 0]):
                thing = simulator.scene.objects[instance - 1]
                assert thing.instance == instance
                mask = o.instances == instance
                local = (points[mask] - thing.center) @ thing.T_map_box[:3, :3]
                assert np.all(np.abs(local) <= thing.size / 2 + 1e-3), thing.id
                assert set(np.array(simulator.labels)[o.semantic[mask]]) == {thing.category}
                seen.add(int(instance))
    assert len(seen) > 30


def test_an_object_in_plain_view_fills_the_projection_of_its_box(room: EmbeddedSimulator) -> None:
    T = look_at((0.0, 1.0, 1.2), BOX_CENTER)
    _, _, _, instances = Renderer(empty_room(), SMALL.camera).render(T)
    corners = (
        np.array(BOX_CENTER)
        + np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * np.array(BOX_SIZE) / 2
    )
    pixels, _ = project(transform_points(invert_pose(T), corners), SMALL.camera)
    rows, columns = ndimage.find_objects(instances)[0]
    np.testing.assert_allclose([columns.start, rows.start], pixels.min(axis=0), atol=1.0)
    np.testing.assert_allclose([columns.stop - 1, rows.stop - 1], pixels.max(axis=0), atol=1.0)


def test_structure_is_background_and_doors_are_not(simulator: EmbeddedSimulator) -> None:
    assert set(simulator.instance_labels.values()).isdisjoint({"wall", "floor", "ceiling"})
    assert "door" in simulator.instance_labels.values()
    o = simulator.reset()
    structure = np.isin(np.array(simulator.labels)[o.semantic], ("wall", "floor", "ceiling"))
    assert np.all(o.instances[structure] == 0)
    assert np.all(o.instances[~structure & (o.semantic > 0)] > 0)


def test_detections_carry_labels_but_no_ids(simulator: EmbeddedSimulator) -> None:
    o = simulator.reset()
    found = detections_from_instances(o.instances, simulator.instance_labels, np.random.default_rng(0))
    assert {d.label for d in found} <= {x.category for x in simulator.scene.objects}
    assert {f.name for f in dataclasses.fields(found[0])} == {
        "label",
        "score",
        "box",
        "mask",
        "embedding",
        "attributes",
    }
    assert not any(d.attributes for d in found)


def test_camera_poses_follow_rep_103() -> None:
    parameters = RobotParameters(camera_height=1.25, camera_pitch=15.0)
    T = parameters.T_base_camera
    right, down, forward = T[:3, 0], T[:3, 1], T[:3, 2]
    np.testing.assert_allclose(T[:3, 3], [0.0, 0.0, 1.25])
    np.testing.assert_allclose(right, [0.0, -1.0, 0.0], atol=1e-12)  # the base's y is left
    pitch = np.radians(15.0)
    np.testing.assert_allclose(forward, [np.cos(pitch), 0.0, -np.sin(pitch)], atol=1e-12)
    np.testing.assert_allclose(down, [-np.sin(pitch), 0.0, -np.cos(pitch)], atol=1e-12)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)


def test_what_is_on_the_robots_left_is_in_the_left_of_the_image(room: EmbeddedSimulator) -> None:
    room.reset()  # at the origin, looking along x; the crate stands to the left (y > 0) and below
    rows, columns = np.nonzero(room.observe().instances == 1)
    assert columns.mean() < SMALL.width / 2
    assert rows.mean() > SMALL.height / 2
    room.step("turn_left")
    assert np.nonzero(room.observe().instances == 1)[1].mean() > columns.mean()


def test_turning_left_is_counter_clockwise_and_twelve_turns_are_a_circle(room: EmbeddedSimulator) -> None:
    room.reset()
    room.step("turn_left")
    assert room.heading() == pytest.approx(TURN_ANGLE) == pytest.approx(np.pi / 6)
    for _ in range(11):
        room.step("turn_left")
    assert room.heading() == 0.0
    for _ in range(7):
        room.step("turn_right")
        assert -np.pi < room.heading() <= np.pi


def test_a_free_step_goes_a_quarter_metre_forward(room: EmbeddedSimulator) -> None:
    room.reset()
    for n_turns in (0, 1, 2):
        for _ in range(n_turns):
            room.step("turn_right")
        before, yaw = np.array(room.position()), room.heading()
        assert not room.step("move_forward").collided
        moved = np.array(room.position()) - before
        np.testing.assert_allclose(moved, STEP_LENGTH * np.array([np.cos(yaw), np.sin(yaw), 0.0]), atol=1e-12)
    np.testing.assert_allclose(room.observe().T_map_base[:3, 3], room.position())


def test_a_robot_that_runs_into_a_wall_stays_and_says_so(room: EmbeddedSimulator) -> None:
    room.reset()
    results = [room.step("move_forward").collided for _ in range(20)]
    assert results[-1]
    n = results.index(True)
    assert all(results[n:])
    assert not any(results[:n])
    assert X1 - room.position()[0] >= SMALL.radius
    assert X1 - room.position()[0] < SMALL.radius + STEP_LENGTH + 0.06


def test_a_robot_never_leaves_navigable_floor(simulator: EmbeddedSimulator) -> None:
    for seed in range(3):
        simulator.reset(seed)
        rng = np.random.default_rng(seed)
        for action in rng.choice(["move_forward", "turn_left", "turn_right"], 150, p=[0.7, 0.2, 0.1]):
            simulator.step(action)
            assert simulator.is_navigable(*simulator.position()[:2])


def test_the_same_calls_give_the_same_images(apartment: Scene) -> None:
    runs = []
    for _ in range(2):
        simulator = EmbeddedSimulator(apartment, SMALL)
        simulator.reset(7)
        wander(simulator, 20)
        runs.append(simulator.observe())
    a, b = runs
    for field in dataclasses.fields(a):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


def test_a_seed_chooses_the_pose_and_none_is_the_scenes_start(simulator: EmbeddedSimulator) -> None:
    assert simulator.reset(1).T_map_base[:3, 3].tolist() == simulator.reset(1).T_map_base[:3, 3].tolist()
    assert simulator.reset(1).T_map_base[:3, 3].tolist() != simulator.reset(2).T_map_base[:3, 3].tolist()
    np.testing.assert_allclose(simulator.reset().T_map_base[:2, 3], simulator.scene.start[:2])


def test_stamps_rise_by_the_length_of_a_step_also_over_resets(simulator: EmbeddedSimulator) -> None:
    stamps = [simulator.observe().stamp_ns]
    for action in ("look", "turn_left", "move_forward"):
        result = simulator.step(action)  # type: ignore[arg-type]
        stamps.append(simulator.observe().stamp_ns)
        assert result.stamp_ns == stamps[-1]
    stamps.append(simulator.reset().stamp_ns)
    assert np.diff(stamps).tolist() == [200_000_000] * 4


def test_an_observation_cannot_be_written_to(simulator: EmbeddedSimulator) -> None:
    o = simulator.reset()
    for image in (o.color, o.depth, o.semantic, o.instances):
        with pytest.raises(ValueError, match="read-only"):
            image[0, 0] = 0
    assert simulator.observe() is o


def test_an_unknown_action_is_refused_and_changes_nothing(simulator: EmbeddedSimulator) -> None:
    before = simulator.observe()
    with pytest.raises(ValueError, match="'jump'"):
        simulator.step("jump")  # type: ignore[arg-type]
    assert simulator.observe() is before


def test_an_observation_is_a_valid_frame(simulator: EmbeddedSimulator) -> None:
    frame = simulator.reset().frame()
    assert frame.map_id == simulator.map_id
    assert frame.color.shape == (SMALL.height, SMALL.width, 3)
    assert np.count_nonzero(frame.depth) > 0.99 * frame.depth.size


def test_rooms_look_different(simulator: EmbeddedSimulator) -> None:
    """Mean colour of the walls of any two rooms differs visibly."""
    colors: dict[str, np.ndarray] = {}
    renderer = Renderer(simulator.scene, SMALL.camera)
    for room in simulator.scene.rooms:
        center = [*room.polygon.mean(axis=0), 1.6]
        pixels = []
        for yaw in np.arange(4) * np.pi / 2:
            color, _, labels, _ = renderer.render(look_at(center, np.add(center, [np.cos(yaw), np.sin(yaw), 0.0])))
            pixels.append(color[labels == 1])
        colors[room.id] = np.median(np.concatenate(pixels), axis=0)
    values = np.array(list(colors.values()))
    distance = np.linalg.norm(values[:, None] - values[None], axis=-1)
    assert distance[np.triu_indices(len(values), 1)].min() > 8.0, colors


def test_intrinsics_follow_the_field_of_view() -> None:
    camera = RobotParameters(width=640, height=480, horizontal_fov=90.0).camera
    assert camera.fx == pytest.approx(320.0) == pytest.approx(camera.fy)
    edges = np.array([-0.5, 639.5])
    np.testing.assert_allclose((edges - camera.cx) / camera.fx, [-1.0, 1.0])


@pytest.mark.parametrize(
    "bad",
    [
        {"width": 0},
        {"horizontal_fov": 180.0},
        {"camera_pitch": 120.0},
        {"radius": 0.0},
        {"max_range": float("nan")},
        {"step_duration": -1.0},
    ],
)
def test_an_impossible_robot_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        RobotParameters(**bad)  # type: ignore[arg-type]


def test_the_top_view_shows_every_room_in_its_place(apartment: Scene) -> None:
    resolution = 0.05
    image = render_top_view(apartment, resolution, names=False)
    low = np.concatenate([r.polygon for r in apartment.rooms]).min(axis=0) - 0.2
    for room in apartment.rooms:
        a, b = room.polygon.min(axis=0), room.polygon.max(axis=0)
        columns = slice(*((np.array([a[0], b[0]]) - low[0]) / resolution).astype(int))
        rows = slice(*(image.shape[0] - (np.array([b[1], a[1]]) - low[1]) / resolution).astype(int))
        inside = image[rows, columns].reshape(-1, 3)
        assert np.mean(np.all(inside == 60, axis=1)) < 0.05
    assert np.all(image[0] == 60)
