"""Publishes recorded frames as a camera driver would: images, their camera_infos, and the camera's pose.

What the recording holds compressed goes out as it is. Used by `loci replay` and the benchmarks.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from loci_ros.msg import DetectionArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from loci.geometry import quaternion_from_pose
from loci.nodes.conversions import header, to_camera_info, to_detection, to_pose
from loci.nodes.lifecycle import RELIABLE_QOS
from loci.nodes.own_node import OwnNode
from loci.observation import Detection
from loci.readers.base import RawFrame

COLOR_FRAME, DEPTH_FRAME = "color_optical", "depth_optical"


def perception_parameters(frame: RawFrame) -> dict[str, Any]:
    """Parameters with which the perception node takes in the recording that this frame is of."""
    parameters: dict[str, Any] = {
        "pose_source": "pose",
        "reliable_inputs": True,
        "pose_child_frame": COLOR_FRAME,
        "color_transport": "compressed" if isinstance(frame.color, bytes) else "raw",
        "depth_transport": "compressed" if isinstance(frame.depth, bytes) else "raw",
        "depth_unit": float(frame.depth_unit),
    }
    if not np.array_equal(frame.T_color_depth, np.eye(4)):
        extrinsic = (*frame.T_color_depth[:3, 3], *quaternion_from_pose(frame.T_color_depth))
        parameters["depth_extrinsic"] = tuple(float(v) for v in extrinsic)
    return parameters


class FramePublisher:
    """Publishes `RawFrame`s; a context manager.

    Args:
        first: a frame of the recording, which tells what its images are like.
        map_frame: frame of the poses.
    """

    def __init__(self, first: RawFrame, map_frame: str = "map") -> None:
        self._map_frame = map_frame
        self._separate_depth = not np.array_equal(first.T_color_depth, np.eye(4))
        self._own = OwnNode("replay")
        self._node = self._own.node
        color_type, color_topic = _topic("color/image", first.color)
        depth_type, depth_topic = _topic("depth/image", first.depth)
        self._color = self._node.create_publisher(color_type, color_topic, RELIABLE_QOS)
        self._depth = self._node.create_publisher(depth_type, depth_topic, RELIABLE_QOS)
        self._color_info = self._node.create_publisher(CameraInfo, "color/camera_info", RELIABLE_QOS)
        self._depth_info = self._node.create_publisher(CameraInfo, "depth/camera_info", RELIABLE_QOS)
        self._pose = self._node.create_publisher(PoseStamped, "pose", RELIABLE_QOS)
        self._get_state = self._node.create_client(GetState, "perception/get_state")
        self._detections = self._node.create_publisher(DetectionArray, "detections", RELIABLE_QOS)
        self._own.wake()

    def __enter__(self) -> FramePublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self._own.close()

    def is_heard(self) -> bool:
        """Whether perception is active and has subscribed to everything, and the memory to what comes of it."""
        publishers = (self._color, self._depth, self._color_info, self._depth_info, self._pose)
        if not all(p.get_subscription_count() > 0 for p in publishers):
            return False
        if not (self._node.count_publishers("observations") and self._node.count_subscribers("observations")):
            return False
        if not self._get_state.service_is_ready():
            return False
        try:
            answer = self._own.wait(self._get_state.call_async(GetState.Request()), 2.0, self._get_state.srv_name)
        except TimeoutError:
            return False
        # What is sent to a node that is not active yet is lost.
        return bool(answer.current_state.id == State.PRIMARY_STATE_ACTIVE)

    def announce(self, frame: RawFrame) -> None:
        """Publish the camera_infos of a frame only: an image that overtakes the first of them would be refused."""
        depth_frame = DEPTH_FRAME if self._separate_depth else COLOR_FRAME
        self._color_info.publish(to_camera_info(frame.camera, COLOR_FRAME, frame.stamp_ns))
        self._depth_info.publish(to_camera_info(frame.depth_camera, depth_frame, frame.stamp_ns))

    def publish(self, frame: RawFrame, detections: Sequence[Detection] | None = None) -> None:
        """Publish one frame: what belongs to the images first, so that it is there when they come.

        Args:
            frame: to publish.
            detections: of an outside detector; None: nothing is published for them.
        """
        depth_frame = DEPTH_FRAME if self._separate_depth else COLOR_FRAME
        pose = PoseStamped(header=header(self._map_frame, frame.stamp_ns), pose=to_pose(frame.T_map_camera))
        self._pose.publish(pose)
        self.announce(frame)
        if detections is not None:
            found = [to_detection(d) for d in detections]
            self._detections.publish(DetectionArray(header=header(COLOR_FRAME, frame.stamp_ns), detections=found))
        self._depth.publish(_message(frame.depth, depth_frame, frame.stamp_ns))
        self._color.publish(_message(frame.color, COLOR_FRAME, frame.stamp_ns))


def _topic(name: str, image: Any) -> tuple[Any, str]:
    return (CompressedImage, f"{name}/compressed") if isinstance(image, bytes) else (Image, name)


def _message(image: Any, frame_id: str, stamp_ns: int) -> Any:
    if isinstance(image, bytes):
        message = CompressedImage(
            header=header(frame_id, stamp_ns), format="png" if image[:4] == b"\x89PNG" else "jpeg"
        )
        message.data = array.array("B", image)  # anything else would be copied byte by byte
        return message
    encodings = {(np.dtype(np.uint8), 3): "rgb8", (np.dtype(np.uint16), 2): "16UC1", (np.dtype(np.float32), 2): "32FC1"}
    message = Image(header=header(frame_id, stamp_ns), height=image.shape[0], width=image.shape[1])
    message.encoding = encodings[image.dtype, image.ndim]
    message.step = image.shape[1] * image.itemsize * (3 if image.ndim == 3 else 1)
    message.data = array.array("B", np.ascontiguousarray(image).tobytes())
    return message
