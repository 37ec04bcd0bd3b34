"""rosbag2 recordings (.db3, .mcap), read by `rosbags`: no ROS installation is needed.

Colour, depth, camera_info and poses are found by type and name, or as the options say. What is ambiguous or missing is
refused with the list of what the bag holds: nothing is guessed. A bag is read once for times, infos and poses, and once
per replay for images, so that it need not fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from loci.geometry import Array, Camera, check_pose
from loci.nodes.errors import BadInput
from loci.nodes.images import (
    COLOR_ENCODINGS,
    camera_from_info,
    color_from_raw,
    depth_from_compressed,
    depth_from_raw,
)
from loci.readers.base import RawFrame, RecordingError
from loci.readers.options import ReaderOptions
from loci.readers.trajectory import TransformTree
from loci.readers.tum import associate

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO, TF = "sensor_msgs/msg/CameraInfo", "tf2_msgs/msg/TFMessage"
POSE, ODOMETRY = "geometry_msgs/msg/PoseStamped", "nav_msgs/msg/Odometry"
#: A pose must lie within so much of the image where it cannot be interpolated [s].
POSE_TOLERANCE = 0.1
_TRANSPORTS = ("/compressed", "/compressedDepth", "/raw")


@dataclass
class _Contents:
    """What the first pass over a bag finds."""

    types: dict[str, str]
    stamps: dict[str, list[int]] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)
    encodings: dict[str, str] = field(default_factory=dict)
    infos: dict[str, Any] = field(default_factory=dict)
    poses: dict[str, list[tuple[str, str, int, Array, Array]]] = field(default_factory=dict)
    tree: TransformTree = field(default_factory=TransformTree)
    has_tf: bool = False

    def listing(self) -> str:
        return ", ".join(f"{topic} ({kind.split('/')[-1]})" for topic, kind in sorted(self.types.items())) or "nothing"


class BagRecording:
    """A rosbag2 with colour, depth, camera_info and poses.

    Raises:
        RecordingError: it cannot be read, or something is missing or ambiguous; the message names the option that helps.
    """

    kind = "rosbag2"

    def __init__(self, path: Path, options: ReaderOptions | None = None) -> None:
        self.name, self._options = path.resolve().stem, options or ReaderOptions()
        self._path = path
        contents = self._scan()
        self._color_topic = _choose_image(contents, self._options.color_topic, "color")
        self._depth_topic = _choose_image(contents, self._options.depth_topic, "depth")
        self._camera = self._options.intrinsics or _camera(
            contents, self._color_topic, self._options.color_info_topic, "color"
        )
        self._depth_camera = _camera(contents, self._depth_topic, self._options.depth_info_topic, "depth")
        color_frame, depth_frame = contents.frames[self._color_topic], contents.frames[self._depth_topic]
        poser = _Poser(contents, self._options, color_frame)
        color, depth = np.unique(contents.stamps[self._color_topic]), np.unique(contents.stamps[self._depth_topic])
        pairs = associate(color, depth, round(self._options.max_time_difference * 1e9))
        if not pairs:
            raise RecordingError(
                f"no colour image on {self._color_topic} ({len(color)}) has a depth image on {self._depth_topic} ({len(depth)}) "
                f"within {self._options.max_time_difference} s: --max-time-difference allows more"
            )
        posed = [(int(color[i]), int(depth[j]), T) for i, j in pairs if (T := poser.at(int(color[i]))) is not None]
        if not posed:
            raise RecordingError(
                f"no pose from {poser.description} at the time of any of the {len(pairs)} image pairs in {path}"
            )
        self.n_without_pose = len(pairs) - len(posed)
        self._frames = self._options.select(posed)
        self._T_color_depth = np.eye(4)
        if depth_frame != color_frame:
            T = contents.tree.lookup(color_frame, depth_frame, self._frames[0][0], 10**18)
            if T is None:
                raise RecordingError(
                    f"depth is in frame {depth_frame!r}, colour in {color_frame!r}, and the bag's tf does not connect them"
                )
            self._T_color_depth = T

    def _reader(self) -> AnyReader:
        try:
            return AnyReader([self._path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        except Exception as error:  # rosbags raises many kinds for damaged files
            raise RecordingError(f"cannot read the bag {self._path}: {error}") from error

    def _messages(self, topics: set[str]) -> Iterator[tuple[str, Any]]:
        """Messages of the topics with their topic, in recorded order."""
        reader = self._reader()
        try:
            reader.open()
        except Exception as error:
            raise RecordingError(f"cannot read the bag {self._path}: {error}") from error
        try:
            connections = [c for c in reader.connections if c.topic in topics]
            for connection, _, raw in reader.messages(connections=connections) if connections else ():
                yield connection.topic, reader.deserialize(raw, connection.msgtype)
        except RecordingError:
            raise
        except (AnyReaderError, OSError, ValueError, KeyError) as error:
            raise RecordingError(f"the bag {self._path} is damaged: {error}") from error
        finally:
            reader.close()

    def _scan(self) -> _Contents:
        reader = self._reader()
        try:
            with reader:
                contents = _Contents({connection.topic: connection.msgtype for connection in reader.connections})
        except Exception as error:
            raise RecordingError(f"cannot read the bag {self._path}: {error}") from error
        wanted = {t for t, kind in contents.types.items() if kind in (IMAGE, COMPRESSED, INFO, TF, POSE, ODOMETRY)}
        for topic, message in self._messages(wanted):
            kind = contents.types[topic]
            if kind == TF:
                contents.has_tf |= not topic.endswith("tf_static")
                for t in message.transforms:
                    position, quaternion = _vector(t.transform.translation), _quaternion(t.transform.rotation)
                    static = topic.endswith("tf_static")
                    contents.tree.add(
                        t.header.frame_id, t.child_frame_id, _stamp(t.header), position, quaternion, static=static
                    )
                continue
            stamp = _stamp(message.header)
            if kind in (IMAGE, COMPRESSED):
                contents.stamps.setdefault(topic, []).append(stamp)
                contents.frames.setdefault(topic, message.header.frame_id.lstrip("/"))
                contents.encodings.setdefault(topic, message.encoding if kind == IMAGE else message.format)
            elif kind == INFO:
                contents.infos.setdefault(topic, message)
            else:
                pose = message.pose.pose if kind == ODOMETRY else message.pose
                child = message.child_frame_id.lstrip("/") if kind == ODOMETRY else ""
                entry = (
                    message.header.frame_id.lstrip("/"),
                    child,
                    stamp,
                    _vector(pose.position),
                    _quaternion(pose.orientation),
                )
                contents.poses.setdefault(topic, []).append(entry)
        return contents

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> Iterator[RawFrame]:
        """Frames in order of time; see `loci.readers.base.Recording.frames`."""
        waiting = {color: (depth, T) for color, depth, T in self._frames}
        needed_depths = {depth for _, depth, _ in self._frames}
        colors: dict[int, Any] = {}
        depths: dict[int, Any] = {}
        order = [color for color, _, _ in self._frames]
        position = 0
        for topic, message in self._messages({self._color_topic, self._depth_topic}):
            stamp = _stamp(message.header)
            if topic == self._color_topic and stamp in waiting:
                colors.setdefault(stamp, message)
            elif topic == self._depth_topic and stamp in needed_depths:
                depths.setdefault(stamp, message)
            while position < len(order) and order[position] in colors and waiting[order[position]][0] in depths:
                stamp = order[position]
                depth_stamp, T_map_camera = waiting[stamp]
                color, depth = colors.pop(stamp), depths.pop(depth_stamp)
                read_depth = depth_from_raw if hasattr(depth, "encoding") else depth_from_compressed
                yield RawFrame(
                    # A compressed colour image is passed on as it is; everything else is decoded.
                    color=_refused(self._color_topic, color_from_raw, color)
                    if hasattr(color, "encoding")
                    else bytes(color.data),
                    depth=_refused(self._depth_topic, read_depth, depth),
                    camera=self._camera,
                    depth_camera=self._depth_camera,
                    T_map_camera=T_map_camera,
                    T_color_depth=self._T_color_depth,
                    stamp_ns=stamp,
                    depth_unit=self._options.depth_unit or 0.001,
                )
                position += 1


class _Poser:
    """Pose of the colour camera in the map at a time, from the topic that the options or the bag's content choose."""

    def __init__(self, contents: _Contents, options: ReaderOptions, camera_frame: str) -> None:
        self._camera_frame = camera_frame
        self._tolerance_ns = round(POSE_TOLERANCE * 1e9)
        self._tree = contents.tree
        topic = options.pose_topic or self._preferred(contents, options, camera_frame)
        if topic == "/tf" or contents.types.get(topic) == TF:
            chain = contents.tree.chain(camera_frame)
            map_frame = options.map_frame or ("map" if "map" in chain else chain[-1])
            if map_frame not in chain or map_frame == camera_frame:
                raise RecordingError(
                    f"the bag's tf does not lead from {camera_frame!r} to {map_frame!r}, only along {' -> '.join(chain)}: --map-frame"
                )
            self._source, self._T_posed_camera, self._map_frame = camera_frame, np.eye(4), map_frame
            self.description = f"tf {map_frame} -> {camera_frame}"
            return
        entries = contents.poses.get(topic)
        if not entries:
            raise RecordingError(f"no poses on {topic}. The bag holds {contents.listing()}")
        posed = entries[0][1] or options.pose_frame.lstrip("/")
        if not posed:
            raise RecordingError(
                f"{topic} is a PoseStamped and does not say what it is the pose of: name the frame with --pose-frame"
            )
        if entries[0][1] and options.pose_frame and options.pose_frame.lstrip("/") != posed:
            raise RecordingError(f"{topic} gives the pose of {posed!r}, not of {options.pose_frame!r}")
        self._map_frame, self._source = entries[0][0] or "map", posed
        own_tree = TransformTree()
        for parent, _, stamp, position, quaternion in entries:
            own_tree.add(parent or "map", posed, stamp, position, quaternion)
        self._T_posed_camera = self._extrinsic(contents, options, posed, camera_frame, entries[0][2])
        self._tree = own_tree
        self.description = topic

    @staticmethod
    def _preferred(contents: _Contents, options: ReaderOptions, camera_frame: str) -> str:
        """tf where it moves the camera; else the only odometry; else the only PoseStamped."""
        if contents.has_tf and len(contents.tree.chain(camera_frame)) > 1:
            return "/tf"
        for kind in (ODOMETRY, POSE):
            topics = sorted(topic for topic in contents.poses if contents.types[topic] == kind)
            if len(topics) > 1:
                raise RecordingError(f"several topics with poses: choose one of {', '.join(topics)} with --pose-topic")
            if topics:
                return topics[0]
        raise RecordingError(f"no poses in the bag (tf, Odometry or PoseStamped). It holds {contents.listing()}")

    @staticmethod
    def _extrinsic(contents: _Contents, options: ReaderOptions, posed: str, camera_frame: str, stamp_ns: int) -> Array:
        if options.T_pose_camera is not None:
            return check_pose(options.T_pose_camera, "T_pose_camera")
        if posed == camera_frame:
            return np.eye(4)
        T = contents.tree.lookup(posed, camera_frame, stamp_ns, 10**18)
        if T is None:
            raise RecordingError(
                f"poses are of {posed!r}, images in {camera_frame!r}, and the bag's tf does not connect them: give --extrinsic"
            )
        return T

    def at(self, stamp_ns: int) -> Array | None:
        """(4, 4) ``T_map_camera``, or None where the poses do not cover that time."""
        T = self._tree.lookup(self._map_frame, self._source, stamp_ns, self._tolerance_ns)
        return None if T is None else check_pose(T @ self._T_posed_camera)


def _base(topic: str) -> str:
    """Topic without its image transport."""
    for transport in _TRANSPORTS:
        topic = topic.removesuffix(transport)
    return topic


def _is_depth(contents: _Contents, topic: str) -> bool:
    encoding = contents.encodings[topic]
    if contents.types[topic] == IMAGE:
        return encoding in ("16UC1", "32FC1", "mono16")
    return (
        "compressedDepth" in encoding
        or "16UC1" in encoding
        or "32FC1" in encoding
        or ("depth" in topic and "png" in encoding.lower())
    )


def _choose_image(contents: _Contents, wanted: str, what: str) -> str:
    if wanted:
        if wanted not in contents.stamps:
            raise RecordingError(f"no images on {wanted}. The bag holds {contents.listing()}")
        return wanted
    if what == "depth":
        found = [topic for topic in contents.stamps if _is_depth(contents, topic)]
        aligned = [topic for topic in found if "aligned" in topic or "registered" in topic]
        found = aligned or found
    else:
        found = [
            topic
            for topic in contents.stamps
            if not _is_depth(contents, topic)
            and "depth" not in topic
            and "infra" not in topic
            and (contents.types[topic] == COMPRESSED or contents.encodings[topic] in COLOR_ENCODINGS)
        ]
    by_base: dict[str, str] = {}
    for topic in sorted(found, key=lambda t: contents.types[t] == COMPRESSED):  # raw first: nothing lost
        by_base.setdefault(_base(topic), topic)
    if not by_base:
        raise RecordingError(f"no {what} images in the bag. It holds {contents.listing()}")
    if len(by_base) > 1:
        raise RecordingError(
            f"several topics with {what} images: choose one of {', '.join(sorted(by_base.values()))} with --{what}-topic"
        )
    return next(iter(by_base.values()))


def _camera(contents: _Contents, image_topic: str, wanted: str, what: str) -> Camera:
    topic = wanted or _base(image_topic).rsplit("/", 1)[0] + "/camera_info"
    if topic not in contents.infos and not wanted:
        same_frame = [
            t for t, info in contents.infos.items() if info.header.frame_id.lstrip("/") == contents.frames[image_topic]
        ]
        topic = same_frame[0] if len(same_frame) == 1 else topic
    if topic not in contents.infos:
        raise RecordingError(
            f"no camera_info for {image_topic} (looked for {topic}): name its topic with --{what}-info-topic. The bag holds {contents.listing()}"
        )
    return _refused(topic, camera_from_info, contents.infos[topic])


def _refused(topic: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """Call one of the nodes' readers of messages; what it refuses is a `RecordingError` with the topic's name."""
    try:
        return read(*arguments)
    except BadInput as error:
        raise RecordingError(f"{topic}: {error}") from error


def _stamp(header: Any) -> int:
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def _vector(v: Any) -> Array:
    return np.array([v.x, v.y, v.z], dtype=np.float64)


def _quaternion(q: Any) -> Array:
    return np.array([q.x, q.y, q.z, q.w], dtype=np.float64)
