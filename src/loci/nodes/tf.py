"""Poses from tf2, where it is installed: it comes with ROS, but not as a wheel."""

from __future__ import annotations

from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from loci.geometry import Array
from loci.nodes.conversions import from_transform
from loci.nodes.errors import BadInput, refused_for


class NoTf(ValueError):  # noqa: N818
    """tf2_ros is not installed."""


class TfPoses:
    """Transforms between frames at a stamp, until `close`.

    Args:
        node: that subscribes to /tf and /tf_static.

    Raises:
        NoTf: tf2_ros cannot be imported.
    """

    def __init__(self, node: Node) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            raise NoTf(
                f"tf2_ros cannot be imported ({error}): install ros-$ROS_DISTRO-tf2-ros, or take poses from a topic "
                "(pose_source: pose or odometry, with camera_extrinsic)"
            ) from error
        self._errors: tuple[type[Exception], ...] = (tf2_ros.TransformException,)
        # Given the node, it would offer a service tf2_frames, one more with every camera and every `configure`.
        self._buffer: Any = tf2_ros.Buffer()
        self._listener: Any = tf2_ros.TransformListener(self._buffer, node)

    def start_anew(self) -> None:
        """Forget what moves: tf2 refuses transforms that are older than those it has, also after a clock went back."""
        self._buffer.clear()

    def close(self) -> None:
        """Unsubscribe."""
        self._listener.unregister()

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Array:
        """``T_target_source`` (4, 4) at a stamp, waiting up to ``timeout`` seconds for it.

        Raises:
            BadInput: there is none at that stamp; the message is tf2's.
        """
        try:
            stamped = self._buffer.lookup_transform(
                target, source, Time(nanoseconds=stamp_ns), Duration(seconds=timeout)
            )
        except self._errors as error:
            raise BadInput(
                "pose_missing", f"tf has no {target} <- {source} at the image's stamp {stamp_ns} ns: {error}"
            ) from error
        with refused_for("pose"):
            return from_transform(stamped.transform, f"transform {target} <- {source}")
