"""Messages to dataclasses and back: stamps, poses, cameras, observations, queries and evidence.

What comes in is checked here and refused with a reason; nothing behind it sees a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Transform, Vector3
from loci_ros import msg as m
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from loci.geometry import Array, Camera, pose_from_quaternion, quaternion_from_pose
from loci.nodes import images
from loci.nodes.errors import BadInput, refused_for
from loci.observation import Detection, Frame, Observation, clean_depth
from loci.planning.protocols import KnownObject
from loci.query import Evidence, Kind, Order, Origin, Query

#: Sum of attached images where a request does not say [bytes].
DEFAULT_IMAGE_BYTES = 4 << 20
DEPTH_UNIT = 0.001


# --- stamps and geometry ----------------------------------------------------------------------------------------------


def to_ns(stamp: Time) -> int:
    """Nanoseconds of a stamp."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def to_time(stamp_ns: int) -> Time:
    """Stamp of so many nanoseconds."""
    return Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)


def header(frame_id: str, stamp_ns: int) -> Header:
    """Header of that frame and stamp."""
    return Header(stamp=to_time(stamp_ns), frame_id=frame_id)


def to_point(p: npt.ArrayLike) -> Point:
    """Point of (3,)."""
    x, y, z = (float(v) for v in np.asarray(p))
    return Point(x=x, y=y, z=z)


def to_vector(p: npt.ArrayLike) -> Vector3:
    """Vector3 of (3,)."""
    x, y, z = (float(v) for v in np.asarray(p))
    return Vector3(x=x, y=y, z=z)


def from_point(point: Point | Vector3) -> tuple[float, float, float]:
    """(x, y, z) of a Point or a Vector3."""
    return (float(point.x), float(point.y), float(point.z))


def to_pose(T: Array) -> Pose:
    """Pose message of (4, 4)."""
    x, y, z, w = (float(v) for v in quaternion_from_pose(T))
    return Pose(position=to_point(T[:3, 3]), orientation=Quaternion(x=x, y=y, z=z, w=w))


def from_pose(pose: Pose, name: str = "pose") -> Array:
    """(4, 4) of a Pose message.

    Raises:
        ValueError: not finite, or its quaternion is not of length 1 (a pose that was never filled in).
    """
    q = pose.orientation
    return pose_from_quaternion(from_point(pose.position), (q.x, q.y, q.z, q.w), name)


def from_transform(transform: Transform, name: str = "transform") -> Array:
    """(4, 4) of a Transform message; raises as `from_pose` does."""
    q = transform.rotation
    return pose_from_quaternion(from_point(transform.translation), (q.x, q.y, q.z, q.w), name)


def to_transform(T: Array) -> Transform:
    """Transform message of (4, 4)."""
    pose = to_pose(T)
    return Transform(translation=to_vector(T[:3, 3]), rotation=pose.orientation)


def from_extrinsic(values: Sequence[float], name: str) -> Array | None:
    """(4, 4) of a parameter ``[x, y, z, qx, qy, qz, qw]``; None if it is empty.

    Raises:
        ValueError: not 7 numbers, or no rotation.
    """
    if not len(values):
        return None
    if len(values) != 7:
        raise ValueError(f"expected {name} as 7 numbers [x, y, z, qx, qy, qz, qw], got {len(values)}")
    return pose_from_quaternion(values[:3], values[3:], name)


def to_camera_info(camera: Camera, frame_id: str, stamp_ns: int) -> CameraInfo:
    """CameraInfo of a camera."""
    info = CameraInfo(header=header(frame_id, stamp_ns), width=camera.width, height=camera.height)
    info.distortion_model = "plumb_bob" if camera.distortion_model == "none" else camera.distortion_model
    info.d = [float(v) for v in camera.distortion] or [0.0] * 5
    info.k = camera.matrix.ravel()
    info.r = np.eye(3).ravel()
    info.p = np.hstack([camera.matrix, np.zeros((3, 1))]).ravel()
    return info


def to_jpeg(data: bytes | None, frame_id: str = "", stamp_ns: int = 0) -> CompressedImage:
    """CompressedImage of a JPEG; empty for None."""
    message = CompressedImage(header=header(frame_id, stamp_ns))
    if data:
        message.format = "jpeg"
        message.data = data
    return message


# --- observations -----------------------------------------------------------------------------------------------------


def to_detection(detection: Detection) -> m.Detection:
    """Message of a detection."""
    x0, y0, x1, y1 = detection.box
    message = m.Detection(
        label=detection.label, score=float(detection.score), x=x0, y=y0, width=x1 - x0, height=y1 - y0
    )
    message.attributes = list(detection.attributes)
    if detection.mask is not None:
        message.mask = np.packbits(detection.mask).tobytes()
    if detection.embedding is not None:
        message.embedding = detection.embedding.tolist()
    return message


def from_detection(message: m.Detection) -> Detection:
    """Detection of a message.

    Raises:
        BadInput: a box without a size, a score out of range, or a mask of another size than the box.
    """
    height, width = int(message.height), int(message.width)
    mask = None
    if len(message.mask):
        n = height * width
        if len(message.mask) != (n + 7) // 8:
            raise BadInput(
                "detection",
                f"expected a mask of {(n + 7) // 8} bytes for {width}x{height} px, got {len(message.mask)} ({message.label!r})",
            )
        bits = np.unpackbits(np.frombuffer(bytes(message.mask), dtype=np.uint8), count=n)
        mask = bits.reshape(height, width).astype(np.bool_)
    embedding = np.asarray(message.embedding, dtype=np.float32) if len(message.embedding) else None
    box = (int(message.x), int(message.y), int(message.x) + width, int(message.y) + height)
    with refused_for("detection"):
        return Detection(message.label, float(message.score), box, mask, embedding, tuple(message.attributes))


def to_observation(
    observation: Observation, map_frame: str, *, sequence: int = 0, encoder: str = "", detector: str = ""
) -> m.Observation:
    """Message of an observation: colour as JPEG, depth as 16-bit PNG of millimetres."""
    frame = observation.frame
    message = m.Observation(header=header(map_frame, frame.stamp_ns), sequence=sequence, camera_name=frame.camera_name)
    message.map_id = frame.map_id
    jpeg = observation.color_jpeg if observation.color_jpeg is not None else images.encode_color(frame.color)
    message.color = to_jpeg(jpeg, map_frame, frame.stamp_ns)
    message.depth = CompressedImage(header=message.header, format="16UC1; png")
    message.depth.data = images.encode_depth(frame.depth, DEPTH_UNIT)
    message.depth_unit = DEPTH_UNIT
    message.camera_info = to_camera_info(frame.camera, map_frame, frame.stamp_ns)
    message.pose = to_pose(frame.T_map_camera)
    message.detections = [to_detection(d) for d in observation.detections]
    if observation.embedding is not None:
        message.embedding = observation.embedding.tolist()
    message.encoder, message.detector = encoder, detector
    return message


def from_observation(message: m.Observation, map_frame: str) -> Observation:
    """Observation of a message.

    Args:
        message: as `to_observation` makes it.
        map_frame: frame that its pose must refer to.

    Raises:
        BadInput: anything in it that does not fit, with the reason.
    """
    if message.header.frame_id != map_frame:
        raise BadInput(
            "frame", f"expected an observation in map_frame {map_frame!r}, got one in {message.header.frame_id!r}"
        )
    with refused_for("pose"):
        T_map_camera = from_pose(message.pose, "T_map_camera")
    camera = images.camera_from_info(message.camera_info)
    jpeg = bytes(message.color.data)
    color = images.color_from_compressed(message.color)
    counts = images.depth_from_compressed(message.depth)
    with refused_for("depth"):
        depth = clean_depth(counts, float(message.depth_unit))
    detections = tuple(from_detection(d) for d in message.detections)
    embedding = np.asarray(message.embedding, dtype=np.float32) if len(message.embedding) else None
    with refused_for("observation"):
        frame = Frame(
            color, depth, camera, T_map_camera, to_ns(message.header.stamp), message.map_id, message.camera_name
        )
        return Observation(frame, detections, embedding, jpeg)


# --- questions and answers --------------------------------------------------------------------------------------------


def image_bytes(asked: int) -> int:
    """Cap on attached images [bytes]: 0 in a request means the default."""
    return int(asked) or DEFAULT_IMAGE_BYTES


def stamp_or_none(stamp: Time) -> int | None:
    """A stamp in a request, where zero means no limit."""
    return to_ns(stamp) or None


def to_query(query: Query) -> m.Query:
    """Message of a query.

    Raises:
        ValueError: an image that is not (H, W, 3) uint8, both ``state`` and ``states``, or a state with a comma in it.
    """
    message = m.Query(
        text=query.text or "",
        labels=list(query.labels),
        kinds=list(query.kinds),
        object_id=query.object_id or "",
        place=query.place or "",
        state=_joined_states(query),
        after=to_time(query.after_ns or 0),
        before=to_time(query.before_ns or 0),
        session=query.session or "",
        order=query.order,
        limit=query.limit,
        offset=query.offset,
        with_images=query.with_images,
        max_image_bytes=query.max_image_bytes,
    )
    if query.text_embedding is not None:
        message.text_embedding = query.text_embedding.tolist()
    if query.image_embedding is not None:
        message.image_embedding = query.image_embedding.tolist()
    if query.image is not None:
        message.image = to_jpeg(images.encode_color(query.image))
    message.detections = [to_detection(d) for d in query.detections]
    if query.position is not None and query.radius is not None:
        message.has_position, message.position, message.radius = True, to_point(query.position), float(query.radius)
    if query.box is not None:
        message.has_box, message.box_min, message.box_max = True, to_point(query.box[0]), to_point(query.box[1])
    return message


def _joined_states(query: Query) -> str:
    if query.state and query.states:
        raise ValueError(f"expected either state or states, got {query.state!r} and {query.states}")
    states = query.states or ((query.state,) if query.state else ())
    if any("," in s for s in states):
        raise ValueError(f"expected states without commas, got {', '.join(map(repr, states))}")
    return ",".join(states)


def from_query(message: m.Query) -> Query:
    """Query of a message; empty fields ask nothing.

    Raises:
        ValueError: a field that is out of range, or an image that cannot be read.
    """
    states = tuple(s.strip() for s in message.state.split(","))
    return Query(
        # Spaces only are not nothing: they are refused, so that a script's mistake is seen.
        text=message.text if message.text != "" else None,
        text_embedding=_embedding(message.text_embedding),
        image=images.color_from_compressed(message.image) if len(message.image.data) else None,
        image_embedding=_embedding(message.image_embedding),
        detections=tuple(from_detection(d) for d in message.detections),
        labels=tuple(message.labels),
        kinds=cast(tuple[Kind, ...], tuple(message.kinds)),
        object_id=message.object_id or None,
        place=message.place or None,
        state=(message.state or None) if len(states) == 1 else None,
        states=tuple(filter(None, states)) if len(states) > 1 else (),
        position=from_point(message.position) if message.has_position else None,
        radius=float(message.radius) if message.has_position else None,
        box=(from_point(message.box_min), from_point(message.box_max)) if message.has_box else None,
        after_ns=stamp_or_none(message.after),
        before_ns=stamp_or_none(message.before),
        session=message.session or None,
        order=cast(Order, message.order or "relevance"),
        limit=int(message.limit),
        offset=int(message.offset),
        with_images=message.with_images,
        max_image_bytes=image_bytes(message.max_image_bytes),
    )


def to_evidence(evidence: Evidence, map_frame: str) -> m.Evidence:
    """Message of a piece of evidence."""
    message = m.Evidence(
        header=header(map_frame, evidence.stamp_ns),
        id=evidence.id,
        kind=evidence.kind,
        text=evidence.text,
        label=evidence.label,
        state=evidence.state,
        score=float(evidence.score),
        confidence=float(evidence.confidence),
        origin=evidence.origin,
        source=evidence.source,
        session=evidence.session,
        map_id=evidence.map_id,
        place=evidence.place,
        room=evidence.room,
        room_name=evidence.room_name,
        object_id=evidence.object_id,
        keyframe_id=evidence.keyframe_id,
        is_goal=bool(evidence.is_goal),
        is_quoted=bool(evidence.is_quoted),
        contradiction=evidence.contradiction,
    )
    if evidence.position is not None:
        message.has_position, message.position = True, to_point(evidence.position)
    if evidence.T_map_camera is not None:
        message.has_camera_pose, message.camera_pose = True, to_pose(evidence.T_map_camera)
    if evidence.image is not None:
        message.image = to_jpeg(evidence.image, map_frame, evidence.stamp_ns)
    return message


def from_evidence(message: m.Evidence) -> Evidence:
    """Evidence of a message."""
    return Evidence(
        id=message.id,
        kind=cast(Kind, message.kind),
        text=message.text,
        score=float(message.score),
        origin=cast(Origin, message.origin),
        stamp_ns=to_ns(message.header.stamp),
        label=message.label,
        state=message.state,
        confidence=float(message.confidence),
        source=message.source,
        session=message.session,
        map_id=message.map_id,
        place=message.place,
        room=message.room,
        room_name=message.room_name,
        object_id=message.object_id,
        keyframe_id=message.keyframe_id,
        position=from_point(message.position) if message.has_position else None,
        T_map_camera=from_pose(message.camera_pose) if message.has_camera_pose else None,
        is_goal=message.is_goal,
        is_quoted=message.is_quoted,
        contradiction=message.contradiction,
        image=bytes(message.image.data) if len(message.image.data) else None,
    )


def from_scene_object(o: m.SceneObject, score: float = 1.0) -> KnownObject:
    """Object of a message, as planners know it; ``score`` ranks it."""
    evidence = Evidence(
        id=o.id,
        kind="object",
        text=f"{o.label or 'something'}{f' in the {o.room_name}' if o.room_name else ''}",
        score=float(score),
        origin="scene",
        stamp_ns=to_ns(o.last_seen),
        label=o.label,
        state=o.state,
        confidence=float(o.confidence),
        map_id=o.map_id,
        place=o.place,
        room=o.room,
        room_name=o.room_name,
        object_id=o.id,
        keyframe_id=o.keyframe_id,
        position=from_point(o.pose.position),
        is_goal=o.is_goal,
    )
    return KnownObject(
        evidence, o.on or o.inside, tuple(o.colors), from_point(o.size), to_ns(o.first_seen), int(o.n_detections)
    )


def to_points_array(points: Sequence[Any]) -> Array:
    """(N, 3) of a sequence of Point or Vector3."""
    return np.array([(p.x, p.y, p.z) for p in points], dtype=np.float64).reshape(-1, 3)


def _embedding(values: Sequence[float]) -> npt.NDArray[np.float32] | None:
    return np.asarray(values, dtype=np.float32) if len(values) else None
