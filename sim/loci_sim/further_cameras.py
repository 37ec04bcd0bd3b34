"""Further cameras of the simulated robot as one text, and what a perception of each must be told. Needs no rclpy to be imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from loci.geometry import quaternion_from_pose
from loci_sim.cameras import CameraMount
from loci_sim.meshes import planar_pose
from loci_sim.robot import RobotParameters

#: What a camera's text says after its name.
FIELDS = ("x", "y", "z", "yaw", "pitch", "width", "height", "horizontal_fov")
#: Names become parts of topics.
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
#: Cameras on one robot at most.
MAX_CAMERAS = 8


def parse_cameras(text: str, max_range: float = 20.0) -> tuple[CameraMount, ...]:
    """Cameras of a text as "rear: -0.1 0 1.25 180 15 320 240 79; left: 0 0.1 1.25 90 15 320 240 79".

    After a name come x, y, z of the optical frame's origin in the base frame [m], its yaw to the left and pitch downwards
    [degrees], width and height of the images [px] and the horizontal field of view [degrees]. An empty text: no cameras.

    Args:
        max_range: of all of them [m].

    Raises:
        ValueError: the text is not of this form, a name comes twice, or a value is out of range.
    """
    mounts: dict[str, CameraMount] = {}
    for part in (p.strip() for p in text.split(";")):
        if not part:
            continue
        name, _, rest = part.partition(":")
        words = rest.split()
        if not _NAME.fullmatch(name) or len(words) != len(FIELDS):
            raise ValueError(f"expected a camera as NAME: {' '.join(FIELDS)} (name of a-z, 0-9 and _), got {part!r}")
        try:
            x, y, z, yaw, pitch, width, height, fov = (float(w) for w in words)
        except ValueError as error:
            raise ValueError(f"expected {len(FIELDS)} numbers after {name}:, got {rest.strip()!r}") from error
        if not (np.all(np.isfinite((x, y, z, yaw))) and width == int(width) and height == int(height)):
            raise ValueError(f"expected finite positions and whole pixels of camera {name}, got {rest.strip()!r}")
        if name in mounts:
            raise ValueError(f"expected cameras of different names, got {name} twice")
        body = RobotParameters(int(width), int(height), fov, camera_pitch=pitch, max_range=max_range)
        T = planar_pose(x, y, z, float(np.radians(yaw)))
        # As the robot's own camera is pitched, about its optical centre.
        T[:3, :3] = T[:3, :3] @ body.T_base_camera[:3, :3]
        mounts[name] = CameraMount(name, body.camera, T, max_range)
    if len(mounts) > MAX_CAMERAS:
        raise ValueError(f"expected at most {MAX_CAMERAS} further cameras, got {len(mounts)}")
    return tuple(mounts.values())


def optical_frame(name: str) -> str:
    """Frame id of a further camera's images."""
    return f"{name}_optical"


def further_perception(mount: CameraMount, of_own_camera: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the perception of a further camera; it runs in a namespace of the camera's name.

    Args:
        of_own_camera: those for the robot's own camera (`perception_parameters`).
    """
    T = mount.T_base_camera
    extrinsic = tuple(float(v) for v in (*T[:3, 3], *quaternion_from_pose(T)))
    # By its name the memory knows which keyframe of this camera was the last one.
    named = {"camera_name": mount.name, "camera_frame": optical_frame(mount.name)}
    return {**of_own_camera, **named, "camera_extrinsic": extrinsic}


def further_remappings(name: str) -> dict[str, str]:
    """What the perception of a further camera shares with the others: topics that are not in its namespace."""
    return {f"/{name}/pose": "/pose", f"/{name}/observations": "/observations"}
