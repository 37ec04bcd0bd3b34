"""Parameters of the nodes `simulator` and `follower`, and what perception must be told about its robot. Needs no rclpy to be imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loci.geometry import quaternion_from_pose
from loci.nodes.parameters import AUTOSTART, DIAGNOSTICS, MAP_FRAME, Parameter
from loci_sim.further_cameras import parse_cameras
from loci_sim.noise import NoiseParameters
from loci_sim.robot import RobotParameters

SIMULATOR: tuple[Parameter, ...] = (
    AUTOSTART,
    Parameter(
        "simulator",
        "embedded",
        "embedded: needs nothing further; habitat: needs habitat_sim under habitat_python.",
        choices=("embedded", "habitat"),
    ),
    Parameter(
        "scene",
        "apartment:0",
        "FAMILY:SEED (loci sim scenes list), or a path of a .glb with its .json beside it; for habitat also a .glb alone, "
        "a .scene_instance.json, or an id in scene_dataset.",
    ),
    Parameter(
        "scene_dataset", "", "For habitat: path of the .scene_dataset_config.json that has the scene. Empty: none."
    ),
    Parameter(
        "habitat_python",
        "",
        "For habitat: Python interpreter that has habitat_sim. Empty: the one that LOCI_HABITAT_PYTHON names, else python3.",
    ),
    Parameter(
        "habitat_physics",
        False,
        "For habitat: objects that are added to a scene fall until they lie still; needs a habitat_sim with Bullet.",
    ),
    Parameter(
        "added_objects", "", "For habitat: JSON file with objects that are added to somebody else's scene. Empty: none."
    ),
    Parameter("scene_directory", "", "Where generated scenes are kept. Empty: ~/.cache/loci/scenes."),
    MAP_FRAME,
    Parameter(
        "base_frame", "base_link", "Frame of the robot's base, whose pose is published: x forward, y left, z up."
    ),
    Parameter("camera_frame", "camera_optical", "Optical frame of the camera: x right, y down, z forward."),
    Parameter("width", 640, "Width of the images.", "px", 16, 4096),
    Parameter("height", 480, "Height of the images.", "px", 16, 4096),
    Parameter("horizontal_fov", 79.0, "Horizontal field of view.", "degrees", 1.0, 170.0),
    Parameter("camera_height", 1.25, "Height of the camera above the floor.", "m", 0.05, 2.5),
    Parameter("camera_pitch", 15.0, "How far the camera looks down.", "degrees", -90.0, 90.0),
    Parameter("max_range", 20.0, "Depth beyond it is not measured.", "m", 0.1, 60.0),
    Parameter(
        "further_cameras",
        "",
        "NAME: x y z yaw pitch width height fov; ... of further cameras on the base (m, degrees, px); each publishes in NAME/.",
        check=parse_cameras,
    ),
    Parameter("step_duration", 0.2, "Simulated time that one action takes.", "s", 0.001, 10.0),
    Parameter("rate_hz", 0.0, "Besides after each step, publish so often; 0: only after steps.", "Hz", 0.0, 120.0),
    Parameter(
        "cmd_vel_timeout",
        0.5,
        "A velocity from cmd_vel holds so long in simulated time, then the robot stands.",
        "s",
        0.01,
        60.0,
    ),
    Parameter(
        "color_transport",
        "raw",
        "raw: color/image (rgb8); compressed: color/image/compressed (JPEG).",
        choices=("raw", "compressed"),
    ),
    Parameter(
        "depth_transport",
        "raw",
        "raw: depth/image in mm (16UC1); raw_float: depth/image in m (32FC1); compressed: depth/image/compressed (16-bit PNG, mm).",
        choices=("raw", "raw_float", "compressed"),
    ),
    Parameter(
        "publish_detections",
        True,
        "Publish the visible things' masks with labels, shuffled in every frame and without ids.",
    ),
    Parameter("min_mask_pixels", 25, "Smaller masks are left out.", "px", 1, 100000),
    Parameter("depth_noise", 0.0, "Noise of depth; 1: as a Kinect's, 0: none.", "", 0.0, 10.0),
    Parameter("color_noise", 0.0, "Noise of colour; 1: as a small camera's indoors, 0: none.", "", 0.0, 10.0),
    Parameter(
        "drift_translation", 0.0, "Error of the published pose after one metre; grows with its root.", "m", 0.0, 1.0
    ),
    Parameter(
        "drift_rotation",
        0.0,
        "Error of the published heading after one metre, or one radian of turning; grows with its root.",
        "rad",
        0.0,
        1.0,
    ),
    Parameter(
        "person_events", 0, "Things that somebody moves in a day, which begins with the scene; 0: nobody.", "", 0, 1000
    ),
    Parameter("person_day", 600.0, "Length of that day in simulated time.", "s", 1.0, 1e6),
    Parameter("seed", 0, "Of the order of detections, of noise and of what the person does.", "", 0, 2**31 - 1),
    Parameter("threads", 1, "Threads of the ray caster; 0: one per core.", "", 0, 256),
    DIAGNOSTICS,
)


#: Most actions on the way to one goal.
MAX_STEPS = 10_000

FOLLOWER: tuple[Parameter, ...] = (
    AUTOSTART,
    MAP_FRAME,
    Parameter("memory_namespace", "", "Namespace of the memory's services. Empty: the follower's own."),
    Parameter("service_timeout", 30.0, "Longest wait for an answer of the memory or the simulator.", "s", 0.5, 600.0),
    Parameter("goal_tolerance", 0.3, "The path may end so far from the goal.", "m", 0.0, 10.0),
    Parameter("max_steps", 500, "Actions after which a goal is given up.", "", 1, MAX_STEPS),
    DIAGNOSTICS,
)


def robot_parameters(values: Mapping[str, Any]) -> RobotParameters:
    """The robot that the node's parameters describe.

    Raises:
        ValueError: one is out of range.
    """
    names = ("width", "height", "horizontal_fov", "camera_height", "camera_pitch", "max_range", "step_duration")
    return RobotParameters(**{name: values[name] for name in names})


def noise_parameters(values: Mapping[str, Any]) -> NoiseParameters:
    """The noise that the node's parameters describe.

    Raises:
        ValueError: one is out of range.
    """
    return NoiseParameters(
        values["depth_noise"],
        values["color_noise"],
        values["drift_translation"],
        values["drift_rotation"],
        values["seed"],
    )


def perception_parameters(
    parameters: RobotParameters | None = None, *, color_transport: str = "raw", depth_transport: str = "raw"
) -> dict[str, Any]:
    """Parameters with which the perception node takes in the simulator's topics and detections."""
    T = (parameters or RobotParameters()).T_base_camera
    return {
        "pose_source": "pose",
        "pose_child_frame": "base_link",
        "camera_extrinsic": tuple(float(v) for v in (*T[:3, 3], *quaternion_from_pose(T))),
        "color_transport": color_transport,
        "depth_transport": "compressed" if depth_transport == "compressed" else "raw",
        "reliable_inputs": True,
        "detector": "external",
    }
