"""From the messages of one camera to one `Frame`: decode, rectify, register. Works on anything with the fields of the messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.nodes import images
from loci.nodes.errors import BadInput, refused_for
from loci.nodes.sources import Extrinsics, PoseSource
from loci.observation import Frame
from loci.perception.rectify import Rectifier


@dataclass(frozen=True)
class Shot:
    """One image of a camera as messages: colour, depth, and what an outside detector saw (None: nothing came)."""

    stamp_ns: int
    color: Any
    depth: Any
    detections: Any = None


class FrameAssembler:
    """Makes frames of one camera. The newest camera_info of colour and depth are kept between frames.

    Args:
        camera_name, map_id: see `Frame`.
        extrinsics: between the camera's frames.
        poses: where ``T_map_camera`` comes from.
        pose_timeout: longest wait for a pose [s].
        depth_unit: metres per count of 16-bit depth.
        self_mask: True where the robot sees itself.
    """

    def __init__(
        self,
        *,
        camera_name: str,
        map_id: str,
        extrinsics: Extrinsics,
        poses: PoseSource,
        pose_timeout: float,
        depth_unit: float,
        self_mask: npt.NDArray[np.bool_] | None,
    ) -> None:
        self._camera_name = camera_name
        self._map_id = map_id
        self._extrinsics = extrinsics
        self._poses = poses
        self._pose_timeout = pose_timeout
        self._depth_unit = depth_unit
        self._self_mask = self_mask
        self._color_camera: Camera | None = None
        self._depth_camera: Camera | None = None
        self._rectifier: tuple[object, Rectifier] | None = None

    def set_color_info(self, info: Any) -> None:
        """Take the colour camera's camera_info.

        Raises:
            BadInput: it is none.
        """
        self._color_camera = images.camera_from_info(info)

    def set_depth_info(self, info: Any) -> None:
        """Take the depth camera's camera_info.

        Raises:
            BadInput: it is none.
        """
        self._depth_camera = images.camera_from_info(info)

    def assemble(self, shot: Shot) -> tuple[Frame, bytes | None]:
        """The frame of a shot, and its colour as JPEG where that is what came and nothing had to be changed.

        Raises:
            BadInput: anything that is missing or does not fit, with the reason.
        """
        color_camera, depth_camera = self._color_camera, self._depth_camera
        if color_camera is None:
            raise BadInput(
                "camera_info_missing",
                "a colour image came, but no color/camera_info yet: is it published, and remapped?",
            )
        if depth_camera is None:
            raise BadInput(
                "depth_camera_info_missing",
                "a depth image came, but no depth/camera_info yet: is it published, and remapped?",
            )
        color_frame = self._extrinsics.frames.check_image(shot.color.header.frame_id)
        T_color_depth = self._extrinsics.color_depth(
            color_frame, shot.depth.header.frame_id, shot.stamp_ns, self._pose_timeout
        )
        T_map_camera = self._poses.at(color_frame, shot.stamp_ns, self._pose_timeout)
        color, depth, jpeg = self._decode(shot)
        rectifier = self._rectifier_of(color_camera, depth_camera, T_color_depth)
        with refused_for("image_size"):
            color, registered = rectifier.rectify(color, depth, self._depth_unit)
        with refused_for("frame"):
            frame = Frame(
                color, registered, rectifier.camera, T_map_camera, shot.stamp_ns, self._map_id, self._camera_name
            )
        return frame, jpeg if color_camera.is_rectified else None

    def _decode(self, shot: Shot) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.generic], bytes | None]:
        jpeg = None
        if hasattr(shot.color, "encoding"):
            color = images.color_from_raw(shot.color)
        else:
            color = images.color_from_compressed(shot.color)
            data = bytes(shot.color.data)
            jpeg = data if data[:2] == b"\xff\xd8" else None
        raw_depth = hasattr(shot.depth, "encoding")
        return color, images.depth_from_raw(shot.depth) if raw_depth else images.depth_from_compressed(shot.depth), jpeg

    def _rectifier_of(self, color: Camera, depth: Camera, T_color_depth: Array | None) -> Rectifier:
        key = (color, depth, None if T_color_depth is None else T_color_depth.tobytes())
        if self._rectifier is None or self._rectifier[0] != key:
            with refused_for("camera_info"):
                self._rectifier = (key, Rectifier(color, depth, T_color_depth, self._self_mask))
        return self._rectifier[1]
