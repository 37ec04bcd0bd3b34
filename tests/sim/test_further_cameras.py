"""Further cameras of the simulated robot as parameters: what a text stands for, and where the cameras then are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.geometry import quaternion_from_pose
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.further_cameras import further_perception, further_remappings, parse_cameras
from loci_sim.parameters import perception_parameters
from loci_sim.processes import simulation_processes
from loci_sim.scenes import ScenePath

REAR = "rear: -0.1 0 1.25 180 15 160 120 79"


def test_a_text_becomes_cameras_with_mounts_and_lenses() -> None:
    rear, left = parse_cameras(f"{REAR}; left_up: 0 0.2 1.0 90 -30 64 48 90;", 7.5)
    assert (rear.name, rear.camera.width, rear.camera.height, rear.max_range) == ("rear", 160, 120, 7.5)
    np.testing.assert_allclose(rear.T_base_camera[:3, 3], [-0.1, 0.0, 1.25])
    # It looks back and 15 degrees down; its right is the robot's left.
    down = np.radians(15.0)
    np.testing.assert_allclose(rear.T_base_camera[:3, 2], [-np.cos(down), 0.0, -np.sin(down)], atol=1e-12)
    np.testing.assert_allclose(rear.T_base_camera[:3, 0], [0.0, 1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(left.T_base_camera[:3, 2], [0.0, np.cos(np.pi / 6), np.sin(np.pi / 6)], atol=1e-12)
    assert left.camera.fx == pytest.approx(32.0)
    assert parse_cameras("") == parse_cameras(" ; ") == ()


@given(st.floats(-89.0, 89.0), st.floats(-180.0, 180.0))
def test_a_camera_ahead_is_mounted_as_the_robots_own_turned_about_the_vertical(pitch: float, yaw: float) -> None:
    (mount,) = parse_cameras(f"c: 0 0 1.25 {yaw} {pitch} 64 48 79")
    own = RobotParameters(64, 48, camera_pitch=pitch)
    turn = np.radians(yaw)
    looking = mount.T_base_camera[:3, 2]
    np.testing.assert_allclose(looking[2], own.T_base_camera[2, 2], atol=1e-9)
    level = np.cos(np.radians(pitch))
    np.testing.assert_allclose(looking[:2], level * np.array([np.cos(turn), np.sin(turn)]), atol=1e-9)
    assert mount.camera == own.camera


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rear", "a camera as NAME: x y z yaw pitch"),
        ("rear: 0 0 1", "a camera as NAME: x y z yaw pitch"),
        ("Rear: 0 0 1 0 0 64 48 79", "a camera as NAME"),
        ("a/b: 0 0 1 0 0 64 48 79", "a camera as NAME"),
        ("rear: 0 0 one 0 0 64 48 79", "8 numbers after rear:"),
        ("rear: 0 0 nan 0 0 64 48 79", "finite positions"),
        ("rear: 0 0 1 0 0 64.5 48 79", "whole pixels"),
        ("rear: 0 0 1 0 0 64 48 179", "field of view"),
        ("rear: 0 0 1 0 91 64 48 79", "camera pitch"),
        ("rear: 0 0 1 0 0 0 48 79", "images of 1 to 4096"),
        (f"{REAR}; {REAR}", "rear twice"),
        ("; ".join(REAR.replace("rear", f"c{i}") for i in range(9)), "at most 8"),
    ],
)
def test_what_is_no_camera_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_cameras(text)


def test_a_camera_to_the_rear_sees_what_the_own_one_sees_after_half_a_turn(apartment_files: ScenePath) -> None:
    simulator = EmbeddedSimulator(apartment_files, RobotParameters(160, 120))
    behind = simulator.observe_cameras(parse_cameras(REAR.replace("-0.1", "0")))["rear"]
    for _ in range(6):
        simulator.step("turn_left")
    ahead = simulator.observe()
    # Rays that graze an edge may fall to either side of it.
    assert np.mean(np.abs(behind.depth - ahead.depth) < 1e-3) > 0.99
    np.testing.assert_allclose(behind.T_map_camera, ahead.T_map_camera, atol=1e-9)
    simulator.close()


def test_each_camera_has_a_perception_with_its_frame_and_extrinsic_that_feeds_the_same_memory(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (mount,) = parse_cameras(REAR)
    started = simulation_processes(tmp_path, "apartment:3", "map", simulator={"further_cameras": REAR})
    found = next(p for p in started if p.name == "perception-rear")
    assert found.namespace == "rear" and found.parameters["camera_frame"] == "rear_optical"
    assert found.parameters["camera_name"] == "rear"
    own = next(p for p in started if p.name == "perception")
    assert {k for k in own.parameters if own.parameters[k] != found.parameters[k]} == {"camera_extrinsic"}
    expected = (*mount.T_base_camera[:3, 3], *quaternion_from_pose(mount.T_base_camera))
    np.testing.assert_allclose(found.parameters["camera_extrinsic"], expected)
    assert (
        further_remappings("rear") == found.remappings == {"/rear/pose": "/pose", "/rear/observations": "/observations"}
    )
    assert further_perception(mount, perception_parameters())["pose_child_frame"] == "base_link"
