"""What a simulated camera publishes: images, intrinsics, its pose and the masks of visible things, all with one stamp."""

from __future__ import annotations

import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from loci_ros.msg import DetectionArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loci.nodes.conversions import header, to_camera_info, to_detection, to_pose
from loci.nodes.images import encode_color, encode_depth
from loci.nodes.lifecycle import RELIABLE_QOS
from loci.perception.simulated import SimulatedDetector
from loci_sim.protocol import SimulatorObservation

DEPTH_UNIT = 0.001


class CameraTopics:
    """The topics of one camera.

    Args:
        node: that publishes.
        values: its parameters.
        frame: optical frame of the camera.
        prefix: of the topics: empty, or ``NAME/``.
    """

    def __init__(self, node: Any, values: Mapping[str, Any], frame: str, prefix: str = "") -> None:
        self._values, self._frame = values, frame
        color_type, color_topic = _topic("color/image", values["color_transport"])
        depth_type, depth_topic = _topic("depth/image", values["depth_transport"])

        def publisher(kind: Any, topic: str) -> Any:
            return node.create_publisher(kind, prefix + topic, RELIABLE_QOS)

        self._pose = publisher(PoseStamped, "camera_pose")
        self._color = publisher(color_type, color_topic)
        self._color_info = publisher(CameraInfo, "color/camera_info")
        self._depth = publisher(depth_type, depth_topic)
        self._depth_info = publisher(CameraInfo, "depth/camera_info")
        self._detections = publisher(DetectionArray, "detections")

    def publish(self, o: SimulatorObservation, detector: SimulatedDetector) -> None:
        """Everything of one observation; the colour image comes last, when all it needs is out."""
        v, at = self._values, header(self._frame, o.stamp_ns)
        self._pose.publish(PoseStamped(header=header(v["map_frame"], o.stamp_ns), pose=to_pose(o.T_map_camera)))
        self._color_info.publish(to_camera_info(o.camera, self._frame, o.stamp_ns))
        self._depth_info.publish(to_camera_info(o.camera, self._frame, o.stamp_ns))
        if v["publish_detections"]:
            found = detector.detect_instances(o.instances)
            self._detections.publish(DetectionArray(header=at, detections=[to_detection(d) for d in found]))
        self._depth.publish(_depth_message(o, at, v["depth_transport"]))
        self._color.publish(_color_message(o, at, v["color_transport"]))


def _topic(name: str, transport: str) -> tuple[Any, str]:
    return (CompressedImage, f"{name}/compressed") if transport == "compressed" else (Image, name)


def _color_message(o: SimulatorObservation, at: Any, transport: str) -> Any:
    if transport == "compressed":
        return CompressedImage(
            header=at, format="rgb8; jpeg compressed bgr8", data=array.array("B", encode_color(o.color))
        )
    return _image(o.color, "rgb8", at)


def _depth_message(o: SimulatorObservation, at: Any, transport: str) -> Any:
    if transport == "compressed":
        return CompressedImage(
            header=at, format="16UC1; png compressed", data=array.array("B", encode_depth(o.depth, DEPTH_UNIT))
        )
    if transport == "raw_float":
        return _image(o.depth, "32FC1", at)
    counts = np.rint(o.depth * np.float32(1.0 / DEPTH_UNIT))
    counts[counts > 65534] = 0
    return _image(counts.astype(np.uint16), "16UC1", at)


def _image(pixels: Any, encoding: str, at: Any) -> Image:
    # array.array is what the message holds: anything else would be copied byte by byte.
    return Image(
        header=at,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels.strides[0],
        data=array.array("B", pixels.tobytes()),
    )
