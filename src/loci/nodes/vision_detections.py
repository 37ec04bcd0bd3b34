"""Detections of vision_msgs, for robots whose detector publishes them: boxes become detections, masks come from depth.

vision_msgs is optional: it is on every ROS 2 distribution, but on no wheel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from loci.nodes.errors import BadInput, refused_for
from loci.observation import Detection, Frame
from loci.perception.masks import depth_mask


def detection_array_type() -> Any:
    """``vision_msgs/msg/Detection2DArray``.

    Raises:
        ModuleNotFoundError: vision_msgs is not installed; the message names the package that has it.
    """
    try:
        from vision_msgs.msg import Detection2DArray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "detector 'vision_msgs' needs the package vision_msgs: apt install ros-$ROS_DISTRO-vision-msgs; "
            "or publish loci_ros/DetectionArray and take detector 'external'"
        ) from error
    return Detection2DArray


def from_detection_2d(message: Any, frame: Frame) -> Detection:
    """Detection of a ``vision_msgs/Detection2D``: its best hypothesis, its box (upright around a turned one) inside the image.

    Raises:
        BadInput: no hypothesis, a number that is not finite, a score out of [0, 1], or a box outside of the image.
    """
    if not message.results:
        raise BadInput("detection", "expected a Detection2D with at least one hypothesis, got none")
    best = max(message.results, key=lambda r: r.hypothesis.score).hypothesis
    center, turn = message.bbox.center.position, float(message.bbox.center.theta)
    numbers = np.array([center.x, center.y, turn, message.bbox.size_x, message.bbox.size_y], dtype=np.float64)
    if not np.all(np.isfinite(numbers)) or min(numbers[3:]) <= 0:
        raise BadInput(
            "detection", f"expected a finite box with a size > 0 px, got {numbers.tolist()} ({best.class_id!r})"
        )
    c, s = abs(np.cos(turn)), abs(np.sin(turn))
    half = np.array([c * numbers[3] + s * numbers[4], s * numbers[3] + c * numbers[4]]) / 2
    height, width = frame.depth.shape
    x0, y0 = np.maximum(np.floor(numbers[:2] - half), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(numbers[:2] + half), (width, height)).astype(int).tolist()
    if x1 <= x0 or y1 <= y0:
        raise BadInput(
            "detection",
            f"expected a box inside the {width}x{height} image, got centre {numbers[:2].tolist()} ({best.class_id!r})",
        )
    with refused_for("detection"):
        mask = depth_mask(frame.depth, (x0, y0, x1, y1), frame.camera.fx)
        return Detection(str(best.class_id).lower(), float(best.score), (x0, y0, x1, y1), mask if mask.any() else None)
