"""Where a camera's pose in the map comes from: tf, or a topic with the pose of a stated frame and an extrinsic.

Frames are compared by name and a mismatch is refused: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from loci.geometry import Array, check_pose
from loci.nodes.conversions import from_pose, to_ns
from loci.nodes.errors import BadInput, refused_for
from loci.nodes.poses import PoseBuffer
from loci.nodes.tf import NoTf, TfPoses


@dataclass(frozen=True)
class Frames:
    """Names of the frames of one camera, and the transforms that parameters give.

    Attributes:
        map: frame that poses refer to.
        child: frame whose pose a topic gives.
        camera: optical frame of the colour camera; empty: that of its images.
        T_child_camera: extrinsic of the colour camera, or None.
        T_color_depth: extrinsic of the depth camera, or None.
    """

    map: str
    child: str
    camera: str = ""
    T_child_camera: Array | None = None
    T_color_depth: Array | None = None

    def check_image(self, frame_id: str) -> str:
        """Optical frame of the colour camera, given that of an image.

        Raises:
            BadInput: the image is of another frame than the parameter says.
        """
        if self.camera and frame_id != self.camera:
            raise BadInput("camera_frame", f"expected colour images of camera_frame {self.camera!r}, got {frame_id!r}")
        if not frame_id:
            raise BadInput(
                "camera_frame", "expected colour images with a frame_id, got an empty one: set it in the driver"
            )
        return frame_id


class PoseSource(Protocol):
    """Gives ``T_map_camera`` at a stamp."""

    def at(self, camera_frame: str, stamp_ns: int, timeout: float) -> Array: ...


class Extrinsics:
    """Transforms between a robot's frames: those of parameters, else from tf (asked for only when one is needed).

    Args:
        frames: names, and the parameters' transforms.
        make_tf: makes the tf listener; called at most once.
    """

    def __init__(self, frames: Frames, make_tf: Callable[[], TfPoses]) -> None:
        self.frames = frames
        self._make_tf = make_tf
        self._tf: TfPoses | None = None
        self._no_tf = ""

    @property
    def tf(self) -> TfPoses:
        """The tf listener.

        Raises:
            NoTf: tf2_ros is not installed.
        """
        if self._no_tf:
            raise NoTf(self._no_tf)
        if self._tf is None:
            try:
                self._tf = self._make_tf()
            except NoTf as error:
                self._no_tf = str(error)
                raise
        return self._tf

    def start_anew(self) -> None:
        """The stamps went back: forget transforms of before."""
        if self._tf is not None:
            self._tf.start_anew()

    def close(self) -> None:
        """Stop listening to tf."""
        if self._tf is not None:
            self._tf.close()

    def child_camera(self, camera_frame: str, stamp_ns: int, timeout: float) -> Array | None:
        """``T_child_camera``; None: the same frame.

        Raises:
            BadInput: neither a parameter nor tf gives it.
        """
        if self.frames.T_child_camera is not None:
            return self.frames.T_child_camera
        if camera_frame == self.frames.child:
            return None
        return self._lookup("extrinsic", "camera_extrinsic", self.frames.child, camera_frame, stamp_ns, timeout)

    def color_depth(self, color_frame: str, depth_frame: str, stamp_ns: int, timeout: float) -> Array | None:
        """``T_color_depth``; None: the same frame.

        Raises:
            BadInput: neither a parameter nor tf gives it.
        """
        if self.frames.T_color_depth is not None:
            return self.frames.T_color_depth
        if depth_frame == color_frame:
            return None
        return self._lookup("depth_extrinsic", "depth_extrinsic", color_frame, depth_frame, stamp_ns, timeout)

    def _lookup(self, reason: str, parameter: str, target: str, source: str, stamp_ns: int, timeout: float) -> Array:
        try:
            return self.tf.lookup(target, source, stamp_ns, timeout)
        except NoTf as error:
            raise BadInput(
                reason, f"no pose of {source!r} in {target!r}: set the parameter {parameter}; {error}"
            ) from error
        except BadInput as error:
            raise BadInput(
                reason, f"no pose of {source!r} in {target!r}: set the parameter {parameter}, or publish it: {error}"
            ) from error


class TfSource:
    """The camera's pose from tf, at the stamp."""

    def __init__(self, extrinsics: Extrinsics) -> None:
        self._map = extrinsics.frames.map
        self._tf = extrinsics.tf

    def at(self, camera_frame: str, stamp_ns: int, timeout: float) -> Array:
        """``T_map_camera``; see `TfPoses.lookup`."""
        return self._tf.lookup(self._map, camera_frame, stamp_ns, timeout)


class TopicSource:
    """The camera's pose from PoseStamped or Odometry messages, interpolated, with the extrinsic.

    Args:
        extrinsics: from the child frame to the camera.
        max_gap: see `PoseBuffer` [s].
    """

    def __init__(self, extrinsics: Extrinsics, max_gap: float) -> None:
        self._extrinsics = extrinsics
        self._buffer = PoseBuffer(int(max_gap * 1e9))

    def add(self, message: Any) -> None:
        """Take a PoseStamped or Odometry.

        Raises:
            BadInput: its frames are not those configured, or it is no pose.
        """
        frames = self._extrinsics.frames
        if message.header.frame_id != frames.map:
            raise BadInput("pose_frame", f"expected poses in map_frame {frames.map!r}, got {message.header.frame_id!r}")
        pose = message.pose
        if hasattr(message, "child_frame_id"):
            if message.child_frame_id != frames.child:
                raise BadInput(
                    "pose_frame",
                    f"expected the odometry of {frames.child!r} (pose_child_frame, or else base_frame), got that of {message.child_frame_id!r}",
                )
            pose = message.pose.pose
        with refused_for("pose"):
            self._buffer.add(to_ns(message.header.stamp), check_pose(from_pose(pose)))

    def at(self, camera_frame: str, stamp_ns: int, timeout: float) -> Array:
        """``T_map_camera`` at a stamp; see `PoseBuffer.wait_at`."""
        T_child_camera = self._extrinsics.child_camera(camera_frame, stamp_ns, timeout)
        T_map_child = self._buffer.wait_at(stamp_ns, timeout)
        return T_map_child if T_child_camera is None else T_map_child @ T_child_camera
