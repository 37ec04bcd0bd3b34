"""What only Habitat has: workers that die, scenes of other datasets, objects that are added. With the real habitat_sim."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from loci.geometry import Camera, pose_from_quaternion
from loci_sim.cameras import CameraMount
from loci_sim.embedded import RobotParameters
from loci_sim.evaluation.datasets.goat import ImageGoal
from loci_sim.evaluation.pictures import render
from loci_sim.glb import Node, write_glb
from loci_sim.habitat.export import export_scene
from loci_sim.habitat.process import HabitatError, RefusedError
from loci_sim.habitat.simulator import HabitatSimulator
from loci_sim.meshes import Material, MeshBuilder
from loci_sim.protocol import SimulatorObservation
from loci_sim.scenes import SceneError, ScenePath, load_scene
from loci_sim.viewpoints import nearest_goal

ROBOT = RobotParameters(width=160, height=120)
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def opened(
    apartment_files: ScenePath, scene_directory: Path, habitat_python: str
) -> Iterator[Callable[..., HabitatSimulator]]:
    """Opens simulators of the apartment (or another scene) and closes them."""
    simulators: list[HabitatSimulator] = []

    def open_one(scene: ScenePath | str = apartment_files, **arguments: object) -> HabitatSimulator:
        simulator = HabitatSimulator(scene, ROBOT, python=habitat_python, cache=scene_directory, **arguments)  # type: ignore[arg-type]
        simulators.append(simulator)
        return simulator

    yield open_one
    for simulator in simulators:
        simulator.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red box of 0.3 m that stands on z = 0."""
    builder = MeshBuilder()
    builder.box((-0.15, -0.15, 0.0), (0.15, 0.15, 0.3), Material((200, 20, 20)))
    path = tmp_path_factory.mktemp("models") / "box.glb"
    write_glb(path, [Node("box", np.eye(4), tuple(builder.meshes()))], {})
    return path


def worker_pid(simulator: HabitatSimulator) -> int:
    assert simulator.client.worker is not None
    return simulator.client.worker.pid


def same(a: SimulatorObservation, b: SimulatorObservation) -> bool:
    arrays = ("color", "depth", "semantic", "instances", "T_map_camera", "T_map_base")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays) and a.stamp_ns == b.stamp_ns


def walk(simulator: HabitatSimulator, disturb: Callable[[int], None] = lambda i: None) -> list[SimulatorObservation]:
    seen = []
    for i, action in enumerate(
        ("move_forward", "turn_left", "look_down", "move_forward", "move_forward", "turn_right")
    ):
        disturb(i)
        simulator.step(action)  # type: ignore[arg-type]
        seen.append(simulator.observe())
    return seen


# --- workers that die ----------------------------------------------------------------------------------------------------


def test_a_killed_worker_is_reported_and_replaced_and_nothing_else_changes(
    opened: Callable[..., HabitatSimulator],
) -> None:
    reports: list[str] = []
    quiet, troubled = opened(), opened(report=reports.append)
    expected = walk(quiet)
    seen = walk(troubled, lambda i: os.kill(worker_pid(troubled), signal.SIGKILL) if i in (1, 4) else None)
    assert all(same(a, b) for a, b in zip(expected, seen, strict=True))
    assert troubled.client.n_restarts == 2
    assert all("ended by signal 9" in r and "starting it again" in r for r in reports) and len(reports) == 2
    assert quiet.client.n_restarts == 0


def test_a_worker_that_is_killed_in_the_middle_of_a_step_is_asked_again(
    opened: Callable[..., HabitatSimulator],
) -> None:
    quiet, troubled = opened(), opened()
    expected = walk(quiet)

    def kill_within(i: int) -> None:
        if i == 3:
            # It stands still while the step is asked of it, and dies of it.
            pid = worker_pid(troubled)
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()

    seen = walk(troubled, kill_within)
    assert all(same(a, b) for a, b in zip(expected, seen, strict=True))
    assert troubled.client.n_restarts == 1


def test_a_worker_that_hangs_is_ended_with_a_message_and_the_next_step_works(
    opened: Callable[..., HabitatSimulator],
) -> None:
    simulator = opened(timeout=8.0)
    before, pid = simulator.position(), worker_pid(simulator)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(HabitatError, match=r"did not answer 'move' within 8 s and was ended"):
        simulator.step("move_forward")
    assert not Path(f"/proc/{pid}").exists()
    assert simulator.position() == before
    assert not simulator.step("move_forward").collided
    assert simulator.position() != before


def test_moved_added_and_removed_objects_are_where_they_were_after_a_crash(
    opened: Callable[..., HabitatSimulator], box: Path
) -> None:
    simulator = opened()
    x, y, _ = simulator.position()
    yaw = simulator.heading()
    at = pose_from_quaternion((x + 1.2 * np.cos(yaw), y + 1.2 * np.sin(yaw), 0.0), (0.0, 0.0, 0.0, 1.0))
    first = simulator.added.add(box, "crate", at)
    second = simulator.added.add(box, "parcel", at)
    at[:2, 3] += 0.4 * np.array([-np.sin(yaw), np.cos(yaw)])
    simulator.added.move(second, at)
    simulator.added.remove(first)
    small = CameraMount("small", RobotParameters(width=64, height=48).camera, ROBOT.T_base_camera)
    before, beside = simulator.observe(), simulator.observe_cameras([small])["small"]
    os.kill(worker_pid(simulator), signal.SIGKILL)
    simulator.advance(0.0)
    after = simulator.observe()
    assert simulator.client.n_restarts == 1
    assert np.count_nonzero(after.instances == second) > 50
    np.testing.assert_array_equal(after.instances, before.instances)
    np.testing.assert_array_equal(after.depth, before.depth)
    np.testing.assert_array_equal(simulator.observe_cameras([small])["small"].color, beside.color)


def test_a_closed_simulator_leaves_nothing_running_and_says_that_it_is_closed(
    opened: Callable[..., HabitatSimulator],
) -> None:
    n_open = len(os.listdir("/proc/self/fd"))
    simulator = opened()
    pid = worker_pid(simulator)
    simulator.close()
    simulator.close()
    assert not Path(f"/proc/{pid}").exists()
    assert len(os.listdir("/proc/self/fd")) == n_open
    with pytest.raises(HabitatError, match="closed"):
        simulator.step("move_forward")


def test_a_system_that_has_nothing_to_draw_with_is_said_to_be_so(
    opened: Callable[..., HabitatSimulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json")
    with pytest.raises(HabitatError, match=r"(?s)cannot draw; to mend it: apt install libegl1 .*EGL"):
        opened()


def test_two_workers_show_the_same_images(opened: Callable[..., HabitatSimulator]) -> None:
    assert all(same(a, b) for a, b in zip(walk(opened()), walk(opened()), strict=True))


# --- objects -------------------------------------------------------------------------------------------------------------


def test_an_added_object_is_seen_has_its_label_stands_in_the_way_and_goes_again(
    opened: Callable[..., HabitatSimulator], box: Path
) -> None:
    simulator = opened()
    before = simulator.observe()
    x, y, _ = simulator.position()
    yaw = simulator.heading()
    there = (x + 1.2 * np.cos(yaw), y + 1.2 * np.sin(yaw))
    assert simulator.is_navigable(*there)
    instance = simulator.added.add(box, "crate", pose_from_quaternion((*there, 0.0), (0.0, 0.0, 0.0, 1.0)))
    seen = simulator.observe()
    mask = seen.instances == instance
    assert np.count_nonzero(mask) > 100
    assert {simulator.labels[i] for i in np.unique(seen.semantic[mask])} == {"crate"}
    assert simulator.instance_labels[instance] == "crate"
    assert simulator.labels[: len(before.semantic)][0] == ""
    # Its nearest side is 1.05 m ahead of the robot, 1.25 m below the camera at most.
    assert 0.9 < float(seen.depth[mask].min()) < 1.4
    assert np.all(seen.color[mask][:, 0] > 2 * seen.color[mask][:, 1])
    assert not simulator.is_navigable(*there)
    simulator.added.remove(instance)
    assert simulator.is_navigable(*there)
    np.testing.assert_array_equal(simulator.observe().depth, before.depth)


def test_with_physics_what_is_dropped_falls_to_the_floor_and_stays_there_after_a_crash(
    opened: Callable[..., HabitatSimulator], box: Path
) -> None:
    simulator = opened(physics=True)
    x, y, _ = simulator.position()
    yaw = simulator.heading()
    there = np.array([x + 1.2 * np.cos(yaw), y + 1.2 * np.sin(yaw)])
    before = simulator.stamp_ns
    at = pose_from_quaternion((*there, 0.8), (0.0, 0.0, 0.0, 1.0))
    crate = simulator.added.add(box, "crate", at)
    # Free fall from 0.8 m takes 0.40 s.
    assert 0.35e9 < simulator.stamp_ns - before < 5e9
    lying = simulator.added.pose(crate)
    assert lying is not None
    assert lying[2, 3] == pytest.approx(0.0, abs=0.03)
    np.testing.assert_allclose(lying[:2, 3], there, atol=0.1)
    # It lies flat: up is up.
    assert lying[2, 2] > 0.99
    # Another one comes to lie on it.
    at[2, 3] = 0.6
    at[:2, 3] = lying[:2, 3]
    parcel = simulator.added.pose(simulator.added.add(box, "parcel", at))
    assert parcel is not None and parcel[2, 3] - lying[2, 3] == pytest.approx(0.3, abs=0.04)
    seen = simulator.observe()
    assert np.count_nonzero(seen.instances == crate) > 50
    os.kill(worker_pid(simulator), signal.SIGKILL)
    simulator.advance(0.0)
    np.testing.assert_array_equal(simulator.observe().instances, seen.instances)


def test_without_physics_what_is_put_into_the_air_stays_there(
    opened: Callable[..., HabitatSimulator], box: Path
) -> None:
    simulator = opened()
    x, y, _ = simulator.position()
    at = pose_from_quaternion((x + 1.0, y, 0.8), (0.0, 0.0, 0.0, 1.0))
    crate = simulator.added.add(box, "crate", at)
    np.testing.assert_array_equal(simulator.added.pose(crate), at)
    simulator.added.hide(crate)
    assert simulator.added.pose(crate) is None
    with pytest.raises(RefusedError, match="without physics"):
        simulator.client.settle(["added-00001"], 1.0)


def test_models_that_are_none_and_objects_that_were_not_added_are_refused(
    opened: Callable[..., HabitatSimulator], box: Path, tmp_path: Path
) -> None:
    simulator = opened()
    with pytest.raises(SceneError, match=r"expected a \.glb"):
        simulator.added.add(tmp_path / "nothing.glb", "crate", np.eye(4))
    (tmp_path / "damaged.glb").write_bytes(box.read_bytes()[:100])
    with pytest.raises(SceneError, match=r"damaged\.glb: .*Error loading"):
        simulator.added.add(tmp_path / "damaged.glb", "crate", np.eye(4))
    with pytest.raises(ValueError, match="T_map_object"):
        simulator.added.add(box, "crate", np.zeros((4, 4)))
    with pytest.raises(ValueError, match="expected the instance of an object that was added, got 1"):
        simulator.added.remove(1)
    assert simulator.client.n_restarts == 0


def test_lamps_do_not_switch_and_say_why(opened: Callable[..., HabitatSimulator]) -> None:
    simulator = opened()
    lamp = next(o for o in simulator.objects if o.category == "lamp")
    result = simulator.interact("switch_off", lamp.id)
    assert not result.done
    assert result.reason == "Habitat cannot change the light of one room: lamps do not switch there"


def test_cameras_that_habitat_cannot_have_are_refused(opened: Callable[..., HabitatSimulator]) -> None:
    simulator = opened()
    odd = CameraMount("odd", Camera(64, 48, 50.0, 60.0, 31.5, 23.5), np.eye(4))
    with pytest.raises(ValueError, match="square pixels"):
        simulator.observe_cameras([odd])


# --- scenes of others ----------------------------------------------------------------------------------------------------


def test_a_scene_of_a_dataset_opens_by_its_id_with_its_categories(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, scene_directory: Path
) -> None:
    """Our own export, opened as somebody else's: Habitat's files say all that is needed."""
    exported = export_scene(apartment_files, scene_directory / "habitat")
    ours, theirs = opened(), opened(exported.scene_id, dataset=str(exported.dataset))
    assert theirs.map_id == f"habitat-{exported.scene_id}"
    assert {"wall", "floor", "ceiling"} <= set(theirs.labels)
    assert len(theirs.instance_labels) == len(exported.scene.objects)
    x, y, _ = ours.position()
    a, b = ours.observe(), theirs.reset_to(x, y, ours.heading())
    # Scans have floors that are not level: the robot is as high as the navmesh there, to a cell.
    assert abs(theirs.position()[2]) <= 0.1
    assert np.mean((a.instances > 0) == (b.instances > 0)) > 0.95
    result = theirs.interact("pick", "mug_1")
    assert not result.done and "not a scene of Loci's" in result.reason


def test_in_scenes_of_others_the_nearest_of_many_goals_is_found_even_if_they_are_a_little_off_the_navmesh(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, scene_directory: Path
) -> None:
    exported = export_scene(apartment_files, scene_directory / "habitat")
    ours, theirs = opened(), opened(exported.scene_id, dataset=str(exported.dataset))
    start = ours.position()
    goals = []
    for seed in range(5):
        ours.reset(seed)
        goals.append(ours.position())
    lengths = [p.length for goal in goals if (p := ours.shortest_path(start, goal)) is not None]
    assert len(lengths) == len(goals)
    lifted = [(x, y, z + 0.1) for x, y, z in goals]
    found = nearest_goal(theirs, start, lifted)
    assert found is not None
    index, path = found
    assert index == int(np.argmin(lengths))
    # Two navmeshes of different cells.
    assert path.length == pytest.approx(min(lengths), rel=0.05, abs=0.1)
    assert nearest_goal(theirs, start, []) is None


def test_a_robot_at_a_corner_of_the_navmesh_gets_away_from_it_again(
    opened: Callable[..., HabitatSimulator], home_files: ScenePath, scene_directory: Path
) -> None:
    """There Habitat's own step without sliding fails in every direction. A robot got to this place of the home by itself."""
    exported = export_scene(home_files, scene_directory / "habitat")
    theirs = opened(exported.scene_id, dataset=str(exported.dataset))
    free = []
    for turn in range(12):
        theirs.reset_to(5.209975719451904, 11.167489051818848, turn * np.pi / 6, 0.05)
        free.append(not theirs.step("move_forward").collided)
    assert any(free) and not all(free)


def test_the_picture_of_an_image_goal_is_what_a_camera_there_sees(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, scene_directory: Path
) -> None:
    exported = export_scene(apartment_files, scene_directory / "habitat")
    theirs = opened(exported.scene_id, dataset=str(exported.dataset))
    seen = theirs.observe()
    goal = ImageGoal(seen.T_map_camera, ROBOT.width, ROBOT.height, ROBOT.horizontal_fov)
    jpeg, detections = render(theirs, goal)
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    # It is a JPEG.
    assert np.mean(np.abs(picture.astype(float) - seen.color)) < 6.0
    assert np.ptp(picture) > 50
    there = {
        theirs.instance_labels[i]
        for i, n in zip(*np.unique(seen.instances, return_counts=True), strict=True)
        if i and n >= 25
    }
    assert {d.label for d in detections} == there and there


def test_in_scenes_of_others_the_robot_is_put_beside_what_only_another_navmesh_has(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, scene_directory: Path
) -> None:
    exported = export_scene(apartment_files, scene_directory / "habitat")
    theirs = opened(exported.scene_id, dataset=str(exported.dataset))
    x, y, z = theirs.position()
    theirs.reset_to(x, y, 0.5, z + 0.2)
    assert theirs.position() == pytest.approx((x, y, z), abs=0.1)
    assert theirs.heading() == pytest.approx(0.5)
    low = min(room.polygon[:, 0].min() for room in exported.scene.rooms)
    for far in ((low - 3.0, y, z), (x, y, z + 5.0), (float("nan"), y, z)):
        with pytest.raises(ValueError, match="expected a navigable pose"):
            theirs.reset_to(far[0], far[1], 0.0, far[2])


def test_a_bare_glb_opens_upright_and_the_robot_stands_inside(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, tmp_path: Path
) -> None:
    scene = load_scene(apartment_files)
    shutil.copy(apartment_files.glb, tmp_path / "scan.glb")
    simulator = opened(str(tmp_path / "scan.glb"))
    assert simulator.map_id == "habitat-scan"
    assert simulator.labels == ("",) and not simulator.instance_labels
    x, y, z = simulator.position()
    assert scene.room_at(x, y) is not None
    assert abs(z) < 0.1, "on the floor, not on the roof, which is as large"
    assert np.count_nonzero(simulator.observe().depth) > 0.5 * ROBOT.width * ROBOT.height


def test_scene_and_stage_configs_open_as_they_are(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, tmp_path: Path
) -> None:
    config = {"render_asset": str(apartment_files.glb), "up": [0, 1, 0], "front": [0, 0, -1]}
    (tmp_path / "flat.stage_config.json").write_text(json.dumps(config))
    simulator = opened(str(tmp_path / "flat.stage_config.json"))
    assert simulator.map_id == "habitat-flat"
    assert abs(simulator.position()[2]) < 0.1


def test_a_scene_that_is_not_in_its_dataset_is_refused_with_what_there_is(
    opened: Callable[..., HabitatSimulator], apartment_files: ScenePath, scene_directory: Path
) -> None:
    exported = export_scene(apartment_files, scene_directory / "habitat")
    with pytest.raises(
        ValueError, match=r"no scene 'castle' in .*dataset_config\.json, which has apartment-3-v1, structure"
    ):
        opened("castle", dataset=str(exported.dataset))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("scan.glb", "glTF and nothing else", "Error loading general mesh data"),
        ("flat.stage_config.json", '{"render_asset": "missing.glb"}', "No Stage Attributes"),
    ],
)
def test_damaged_scenes_are_refused_with_what_is_wrong(
    opened: Callable[..., HabitatSimulator], tmp_path: Path, file: str, content: str, message: str
) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(SceneError, match=message):
        opened(str(tmp_path / file))


def test_a_scene_that_habitat_crashes_of_is_reported_with_what_it_wrote(
    opened: Callable[..., HabitatSimulator], tmp_path: Path
) -> None:
    (tmp_path / "one.scene_instance.json").write_text('{"stage_instance": {"template_name": "missing"}}')
    with pytest.raises(HabitatError, match=r"(?s)the Habitat worker ended by signal .*missing"):
        opened(str(tmp_path / "one.scene_instance.json"))


def test_a_damaged_dataset_is_refused(opened: Callable[..., HabitatSimulator], tmp_path: Path) -> None:
    (tmp_path / "x.scene_dataset_config.json").write_text("{")
    with pytest.raises(SceneError, match=r"x\.scene_dataset_config\.json"):
        opened("castle", dataset=str(tmp_path / "x.scene_dataset_config.json"))


def test_an_export_is_written_once_and_anew_for_another_scene(apartment_files: ScenePath, tmp_path: Path) -> None:
    first = export_scene(apartment_files, tmp_path)
    written = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()}
    time.sleep(0.01)
    assert export_scene(apartment_files, tmp_path).dataset == first.dataset
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*") if f.is_file()} == written
    sidecar = json.loads(apartment_files.sidecar.read_text())
    sidecar["start"][2] += 0.5
    (tmp_path / "changed").mkdir()
    changed = ScenePath(tmp_path / "changed" / "a.glb", tmp_path / "changed" / "a.json")
    shutil.copy(apartment_files.glb, changed.glb)
    changed.sidecar.write_text(json.dumps(sidecar))
    assert export_scene(changed, tmp_path).dataset != first.dataset
