"""Pixels from ROS image messages and back: raw and compressed, colour and depth.

Works on anything with the fields of sensor_msgs, so it needs no rclpy and no cv_bridge. Refuses what it does not know by
name instead of guessing.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Camera
from loci.nodes.errors import BadInput, refused_for

#: Raw colour encodings (sensor_msgs/image_encodings): channels, and OpenCV's conversion to RGB (None: it is RGB).
COLOR_ENCODINGS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "yuv422": (2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (2, cv2.COLOR_YUV2RGB_YUY2),
}
DEPTH_ENCODINGS: dict[str, str] = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
DISTORTION_MODELS = ("plumb_bob", "rational_polynomial", "equidistant")
#: compressed_depth_image_transport puts this before the image: format (int32) and two quantisation parameters.
_COMPRESSED_DEPTH_HEADER = struct.Struct("<iff")
_PNG = b"\x89PNG"
JPEG_QUALITY = 90


def color_from_raw(message: Any) -> npt.NDArray[np.uint8]:
    """Colour of a sensor_msgs/Image: (H, W, 3) uint8 RGB.

    Raises:
        BadInput: an encoding that is no colour image, or data that do not fit the size.
    """
    if message.encoding not in COLOR_ENCODINGS:
        raise BadInput(
            "color_encoding", f"expected a colour encoding among {', '.join(COLOR_ENCODINGS)}, got {message.encoding!r}"
        )
    channels, conversion = COLOR_ENCODINGS[message.encoding]
    pixels = _pixels(message, np.dtype(np.uint8), channels, "color_size")
    return pixels if conversion is None else np.asarray(cv2.cvtColor(pixels, conversion), dtype=np.uint8)


def color_from_compressed(message: Any) -> npt.NDArray[np.uint8]:
    """Colour of a sensor_msgs/CompressedImage (JPEG, PNG or what OpenCV reads): (H, W, 3) uint8 RGB.

    Raises:
        BadInput: empty or damaged.
    """
    image = _decode(message.data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None or image.dtype != np.uint8 or image.ndim != 3:
        raise BadInput(
            "color_encoding",
            f"expected a JPEG or PNG colour image, got {len(message.data)} bytes of format {message.format!r}",
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def depth_from_raw(message: Any) -> npt.NDArray[np.generic]:
    """Depth of a sensor_msgs/Image as measured: (H, W) uint16 counts (``16UC1``) or float32 metres (``32FC1``).

    Raises:
        BadInput: an encoding that is no depth image, or data that do not fit the size.
    """
    if message.encoding not in DEPTH_ENCODINGS:
        raise BadInput(
            "depth_encoding", f"expected a depth encoding among {', '.join(DEPTH_ENCODINGS)}, got {message.encoding!r}"
        )
    order = ">" if message.is_bigendian else "<"
    pixels = _pixels(message, np.dtype(order + DEPTH_ENCODINGS[message.encoding]), 1, "depth_size")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def depth_from_compressed(message: Any) -> npt.NDArray[np.generic]:
    """Depth of a sensor_msgs/CompressedImage: a 16-bit PNG, plain or with compressedDepth's header.

    Returns:
        (H, W) uint16 counts, or float32 metres where compressedDepth made them of a ``32FC1`` image.

    Raises:
        BadInput: empty or damaged, or a compression that is not known or that loses depth (JPEG, RVL).
    """
    data = bytes(message.data)
    start = 0 if data[:4] == _PNG else _COMPRESSED_DEPTH_HEADER.size
    if data[start : start + 4] != _PNG:
        known = "a 16-bit PNG (compressed_depth_image_transport: set its format to png)"
        raise BadInput(
            "depth_encoding",
            f"expected depth compressed as {known}, got {len(data)} bytes of format {message.format!r}",
        )
    counts = _decode(data[start:], cv2.IMREAD_UNCHANGED)
    if counts is None or counts.dtype != np.uint16 or counts.ndim != 2:
        got = "a damaged image" if counts is None else f"{counts.shape} {counts.dtype}"
        raise BadInput("depth_encoding", f"expected a 16-bit PNG of one channel as depth, got {got}")
    if start and "32FC1" in message.format:
        # Inverse depth, quantised by compressed_depth_image_transport: depth = a / (count - b), 0 for no measurement.
        _, a, b = _COMPRESSED_DEPTH_HEADER.unpack(data[:start])
        with np.errstate(divide="ignore", invalid="ignore"):
            metres = np.where(counts > 0, np.float32(a) / (counts.astype(np.float32) - np.float32(b)), np.float32(0.0))
        return metres.astype(np.float32)
    return counts


def encode_color(color: npt.NDArray[np.uint8]) -> bytes:
    """JPEG of an RGB image (H, W, 3) uint8."""
    return bytes(
        cv2.imencode(".jpg", cv2.cvtColor(color, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    )


def encode_depth(depth: npt.NDArray[np.float32], unit: float) -> bytes:
    """16-bit PNG of a depth image (H, W) float32 [m] in counts of ``unit`` metres; quick rather than small."""
    counts = np.rint(depth * np.float32(1.0 / unit))
    counts[counts > 65534] = 0  # further than the counts reach: no measurement
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return bytes(cv2.imencode(".png", counts.astype(np.uint16), options)[1])


def camera_from_info(info: Any) -> Camera:
    """Camera of a sensor_msgs/CameraInfo, as it is for the image of the size that it states.

    Raises:
        BadInput: never filled in, or a distortion model that is not known.
    """
    distortion = tuple(float(value) for value in info.d)
    if any(distortion) and info.distortion_model not in DISTORTION_MODELS:
        known = ", ".join(DISTORTION_MODELS)
        raise BadInput(
            "camera_info",
            f"expected a camera_info with a distortion model among {known}, got {info.distortion_model!r}",
        )
    k = [float(value) for value in info.k]
    model = info.distortion_model if any(distortion) else "none"
    with refused_for("camera_info"):
        if not any(k):
            raise ValueError("expected a calibrated camera_info, got one whose matrix K is all zero")
        return Camera(
            int(info.width), int(info.height), k[0], k[4], k[2], k[5], distortion if any(distortion) else (), model
        )


def _decode(data: Any, flags: int) -> npt.NDArray[Any] | None:
    buffer = np.frombuffer(bytes(data), dtype=np.uint8)
    if buffer.size == 0:
        return None
    try:
        return cv2.imdecode(buffer, flags)
    except cv2.error:
        return None


def _pixels(message: Any, dtype: np.dtype[Any], channels: int, reason: str) -> npt.NDArray[Any]:
    """(H, W) or (H, W, channels) of a raw image without the padding at the end of its rows."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * channels * dtype.itemsize
    if height < 1 or width < 1:
        raise BadInput(reason, f"expected an image of at least 1x1 px, got an empty one ({width}x{height})")
    data = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    if step < row or data.size < height * step:
        what = f"{width}x{height} px {message.encoding} with rows of {step} bytes"
        raise BadInput(reason, f"expected at least {height * max(step, row)} bytes for {what}, got {data.size}")
    pixels = np.ascontiguousarray(data[: height * step].reshape(height, step)[:, :row]).view(dtype)
    return pixels.reshape(height, width, channels) if channels > 1 else pixels.reshape(height, width)
