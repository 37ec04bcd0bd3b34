"""Small synthetic recordings of every kind, written as their tools write them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from loci.geometry import quaternion_from_pose

WIDTH, HEIGHT = 16, 12
STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types


def images(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Colour (H, W, 3) RGB of one shade and depth (H, W) uint16, both telling the index."""
    color = np.full((HEIGHT, WIDTH, 3), (20 + 10 * index, 100, 200), dtype=np.uint8)
    return color, np.full((HEIGHT, WIDTH), 1000 + index, dtype=np.uint16)


def pose(index: int) -> np.ndarray:
    """Camera that moves 0.1 m along x and turns 0.1 rad about z per frame."""
    matrix = np.eye(4)
    c, s = np.cos(0.1 * index), np.sin(0.1 * index)
    matrix[:2, :2] = (c, -s), (s, c)
    matrix[0, 3] = 0.1 * index
    return matrix


def encoded(image: np.ndarray, ending: str) -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


def write_numbered(
    folder: Path, numbers: tuple[int, ...] = (0, 3, 6), gravity: tuple[float, float, float] | None = None
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, number in enumerate(numbers):
        color, depth = images(index)
        cv2.imwrite(str(folder / f"frame-{number:06d}.color.jpg"), cv2.cvtColor(color, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / f"frame-{number:06d}.depth.png"), depth)
        np.savetxt(folder / f"frame-{number:06d}.pose.txt", pose(index))
    np.savetxt(folder / "camera-intrinsics.txt", [[20.0, 0, 8], [0, 20, 6], [0, 0, 1]])
    if gravity is not None:
        np.savetxt(folder / "gravity-direction.txt", gravity)
    return folder


def write_tum(folder: Path, n: int = 4) -> Path:
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    lists: dict[str, list[str]] = {"rgb": [], "depth": [], "groundtruth": []}
    for index in range(n):
        color, depth = images(index)
        color_time, depth_time = f"1305031102.{175304 + 33333 * index:06d}", f"1305031102.{180000 + 33333 * index:06d}"
        cv2.imwrite(str(folder / f"rgb/{color_time}.png"), cv2.cvtColor(color, cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(folder / f"depth/{depth_time}.png"), depth)
        lists["rgb"].append(f"{color_time} rgb/{color_time}.png")
        lists["depth"].append(f"{depth_time} depth/{depth_time}.png")
    for step in range(2 * n):  # poses twice as often as images, between them
        x, y, z = pose(0)[:3, 3]
        lists["groundtruth"].append(
            f"1305031102.{160000 + 16666 * step:06d} {0.05 * step + x:.4f} {y:.4f} {z:.4f} 0 0 0 1"
        )
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("# color images\n# timestamp filename\n" + "\n".join(lines) + "\n")
    return folder


def _time(ns: int):
    return T["builtin_interfaces/msg/Time"](sec=ns // 10**9, nanosec=ns % 10**9)


def _header(ns: int, frame: str):
    return T["std_msgs/msg/Header"](stamp=_time(ns), frame_id=frame)


def _info(ns: int, frame: str, width: int, height: int):
    zero = T["sensor_msgs/msg/RegionOfInterest"](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
    k = np.array([20.0, 0, width / 2, 0, 20, height / 2, 0, 0, 1])
    return T["sensor_msgs/msg/CameraInfo"](
        header=_header(ns, frame), height=height, width=width, distortion_model="plumb_bob", d=np.zeros(5), k=k, r=np.eye(3).ravel(), p=np.zeros(12),
        binning_x=0, binning_y=0, roi=zero,
    )  # fmt: skip


def _pose_parts(matrix: np.ndarray):
    q = quaternion_from_pose(matrix)
    return (
        T["geometry_msgs/msg/Point"](*(float(v) for v in matrix[:3, 3])),
        T["geometry_msgs/msg/Vector3"](*(float(v) for v in matrix[:3, 3])),
        T["geometry_msgs/msg/Quaternion"](*(float(v) for v in q)),
    )


def write_bag(
    folder: Path,
    *,
    n: int = 4,
    compressed: bool = False,
    poses: str = "odometry",
    mcap: bool = False,
    extrinsic: np.ndarray | None = None,
    depth_offset: np.ndarray | None = None,
    color_encoding: str = "bgr8",
    info: bool = True,
    extra_color_topic: bool = False,
) -> Path:
    """A bag of ``n`` frames at 10 Hz; poses: "odometry", "stamped", "tf" or "none"; ``extrinsic`` is T_base_camera in tf_static."""
    plugin = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    depth_frame = "depth_optical" if depth_offset is not None else "color_optical"
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        connections: dict[str, object] = {}

        def write(topic: str, kind: str, ns: int, message: object) -> None:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], ns, STORE.serialize_cdr(message, kind))

        def transform(topic: str, ns: int, parent: str, child: str, matrix: np.ndarray) -> None:
            _, translation, rotation = _pose_parts(matrix)
            body = T["geometry_msgs/msg/Transform"](translation=translation, rotation=rotation)
            stamped = T["geometry_msgs/msg/TransformStamped"](
                header=_header(ns, parent), child_frame_id=child, transform=body
            )
            write(topic, "tf2_msgs/msg/TFMessage", ns, T["tf2_msgs/msg/TFMessage"](transforms=[stamped]))

        start = 1_700_000_000_000_000_000
        if extrinsic is not None:
            transform("/tf_static", start, "base_link", "color_optical", extrinsic)
        if depth_offset is not None:
            transform("/tf_static", start, "color_optical", depth_frame, depth_offset)
        for index in range(n):
            ns = start + index * 100_000_000
            color, depth = images(index)
            point, _, rotation = _pose_parts(pose(index))
            body = T["geometry_msgs/msg/Pose"](position=point, orientation=rotation)
            if poses == "odometry":
                covariance = np.zeros(36)
                zero = T["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
                twist = T["geometry_msgs/msg/TwistWithCovariance"](T["geometry_msgs/msg/Twist"](zero, zero), covariance)
                odometry = T["nav_msgs/msg/Odometry"](
                    _header(ns, "odom"), "base_link", T["geometry_msgs/msg/PoseWithCovariance"](body, covariance), twist
                )
                write("/odom", "nav_msgs/msg/Odometry", ns, odometry)
            elif poses == "stamped":
                write(
                    "/pose",
                    "geometry_msgs/msg/PoseStamped",
                    ns,
                    T["geometry_msgs/msg/PoseStamped"](_header(ns, "map"), body),
                )
            elif poses == "tf":
                transform("/tf", ns, "map", "base_link", pose(index))
            if info:
                write(
                    "/camera/color/camera_info",
                    "sensor_msgs/msg/CameraInfo",
                    ns,
                    _info(ns, "color_optical", WIDTH, HEIGHT),
                )
                write(
                    "/camera/depth/camera_info", "sensor_msgs/msg/CameraInfo", ns, _info(ns, depth_frame, WIDTH, HEIGHT)
                )
            bgr = cv2.cvtColor(color, cv2.COLOR_RGB2BGR)
            if compressed:
                kind = "sensor_msgs/msg/CompressedImage"
                jpeg = np.frombuffer(encoded(bgr, ".jpg"), dtype=np.uint8)
                write(
                    "/camera/color/image_raw/compressed",
                    kind,
                    ns,
                    T[kind](_header(ns, "color_optical"), "bgr8; jpeg compressed bgr8", jpeg),
                )
                png = np.frombuffer(b"\0" * 12 + encoded(depth, ".png"), dtype=np.uint8)
                write(
                    "/camera/depth/image_raw/compressedDepth",
                    kind,
                    ns,
                    T[kind](_header(ns, depth_frame), "16UC1; compressedDepth png", png),
                )
            else:
                kind = "sensor_msgs/msg/Image"
                pixels = {"bgr8": bgr, "rgb8": color, "bayer_rggb8": color}[color_encoding]
                padded = np.pad(pixels.reshape(HEIGHT, -1), ((0, 0), (0, 4)))  # rows end in padding, as drivers do
                message = T[kind](
                    _header(ns, "color_optical"), HEIGHT, WIDTH, color_encoding, 0, WIDTH * 3 + 4, padded.ravel()
                )
                write("/camera/color/image_raw", kind, ns, message)
                if extra_color_topic:
                    write("/camera2/color/image_raw", kind, ns, message)
                raw = np.frombuffer(depth.astype("<u2").tobytes(), dtype=np.uint8)
                write(
                    "/camera/depth/image_raw",
                    kind,
                    ns + 1_000_000,
                    T[kind](_header(ns + 1_000_000, depth_frame), HEIGHT, WIDTH, "16UC1", 0, WIDTH * 2, raw),
                )
    return folder
