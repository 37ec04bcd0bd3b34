"""Pixels of image messages in every encoding, and what is refused. Messages are anything with the right fields: no ROS is needed."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from loci.nodes import images
from loci.nodes.errors import BadInput
from loci.observation import clean_depth

RGB = np.random.default_rng(1).integers(0, 255, (12, 16, 3), dtype=np.uint8)
SMOOTH = cv2.resize(
    np.random.default_rng(2).integers(0, 255, (3, 4, 3), dtype=np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC
)


def raw(pixels: np.ndarray, encoding: str, *, padding: int = 0, bigendian: bool = False) -> SimpleNamespace:
    rows = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">")) if bigendian else pixels)
    rows = rows.reshape(len(pixels), -1).view(np.uint8).reshape(len(pixels), -1)
    data = np.pad(rows, ((0, 0), (0, padding)))
    return SimpleNamespace(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=data.shape[1],
        is_bigendian=int(bigendian),
        data=data.tobytes(),
    )


def compressed(data: bytes, format: str) -> SimpleNamespace:
    return SimpleNamespace(data=data, format=format)


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.dstack([RGB, RGB[..., 0]])),
        ("bgra8", np.dstack([RGB[..., ::-1], RGB[..., 0]])),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_raw_colour_becomes_rgb(encoding: str, pixels: np.ndarray, padding: int) -> None:
    np.testing.assert_array_equal(images.color_from_raw(raw(pixels, encoding, padding=padding)), RGB)


def test_grey_becomes_rgb() -> None:
    np.testing.assert_array_equal(images.color_from_raw(raw(RGB[..., 0], "mono8")), np.repeat(RGB[..., :1], 3, axis=2))


@pytest.mark.parametrize("encoding", ["uyvy", "yuv422", "yuyv", "yuv422_yuy2"])
def test_yuv_becomes_rgb_as_bt601_says(encoding: str) -> None:
    luma = np.random.default_rng(3).integers(16, 235, (4, 6)).astype(np.uint8)
    chroma = np.full((4, 6), 128, np.uint8)  # no colour: R = G = B = 1.164 (Y - 16)
    pair = (luma, chroma) if encoding in ("yuyv", "yuv422_yuy2") else (chroma, luma)
    grey = 1.164 * (luma.astype(float) - 16)
    np.testing.assert_allclose(images.color_from_raw(raw(np.dstack(pair), encoding)), np.dstack([grey] * 3), atol=2)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_compressed_colour_becomes_rgb(suffix: str) -> None:
    data = cv2.imencode(suffix, cv2.cvtColor(SMOOTH, cv2.COLOR_RGB2BGR))[1].tobytes()
    error = images.color_from_compressed(compressed(data, "jpeg")).astype(int) - SMOOTH
    assert np.abs(error).mean() < 3


@pytest.mark.parametrize("bigendian", [False, True])
def test_depth_keeps_its_counts_whatever_the_byte_order(bigendian: bool) -> None:
    counts = np.array([[0, 1, 1500], [65535, 256, 4000]], np.uint16)
    np.testing.assert_array_equal(images.depth_from_raw(raw(counts, "16UC1", bigendian=bigendian)), counts)
    metres = np.array([[0.5, np.nan], [np.inf, -1.0]], np.float32)
    np.testing.assert_array_equal(images.depth_from_raw(raw(metres, "32FC1", bigendian=bigendian)), metres)


def test_depth_survives_its_own_png_to_half_a_millimetre() -> None:
    depth = np.random.default_rng(0).uniform(0.2, 10.0, (24, 32)).astype(np.float32)
    depth[::3] = 0.0
    counts = images.depth_from_compressed(compressed(images.encode_depth(depth, 0.001), "16UC1; png"))
    assert np.abs(clean_depth(counts) - depth).max() <= 0.0005 + 1e-6
    assert (clean_depth(counts)[::3] == 0).all()


def test_compressed_depth_of_counts_and_of_metres() -> None:
    counts = np.array([[0, 1500], [4000, 2]], np.uint16)
    png = cv2.imencode(".png", counts)[1].tobytes()
    message = compressed(struct.pack("<iff", 0, 0.0, 0.0) + png, "16UC1; compressedDepth png")
    np.testing.assert_array_equal(images.depth_from_compressed(message), counts)
    # As compressed_depth_image_transport's codec.cpp writes floats: count = a / depth + b.
    a, b = 100.0 * (100.0 + 1.0), 1.0 - (100.0 + 1.0) / 10.0 * 10.0
    depth = np.array([[0.8, 2.5], [9.0, 0.0]], np.float32)
    quantised = np.where(depth > 0, np.rint(a / np.maximum(depth, 1e-6) + b), 0).astype(np.uint16)
    data = struct.pack("<iff", 0, a, b) + cv2.imencode(".png", quantised)[1].tobytes()
    got = images.depth_from_compressed(compressed(data, "32FC1; compressedDepth png"))
    np.testing.assert_allclose(got, depth, rtol=5e-3)


@pytest.mark.parametrize(
    ("decode", "message", "reason"),
    [
        (images.color_from_raw, raw(RGB[..., 0], "16UC1"), "color_encoding"),
        (images.color_from_raw, raw(RGB, "bayer_rggb8"), "color_encoding"),
        (
            images.color_from_raw,
            SimpleNamespace(height=0, width=0, encoding="rgb8", step=0, is_bigendian=0, data=b""),
            "color_size",
        ),
        (
            images.color_from_raw,
            SimpleNamespace(height=4, width=4, encoding="rgb8", step=12, is_bigendian=0, data=b"short"),
            "color_size",
        ),
        (
            images.color_from_raw,
            SimpleNamespace(height=4, width=4, encoding="rgb8", step=2, is_bigendian=0, data=bytes(8)),
            "color_size",
        ),
        (images.color_from_compressed, compressed(b"", "jpeg"), "color_encoding"),
        (images.color_from_compressed, compressed(b"no image at all", "jpeg"), "color_encoding"),
        (images.depth_from_raw, raw(RGB, "rgb8"), "depth_encoding"),
        (images.depth_from_raw, raw(RGB[..., 0], "mono8"), "depth_encoding"),
        (images.depth_from_compressed, compressed(b"", "png"), "depth_encoding"),
        (images.depth_from_compressed, compressed(bytes(12) + b"RVL?", "16UC1; compressedDepth rvl"), "depth_encoding"),
        (images.depth_from_compressed, compressed(cv2.imencode(".jpg", RGB)[1].tobytes(), "jpeg"), "depth_encoding"),
        (images.depth_from_compressed, compressed(cv2.imencode(".png", RGB)[1].tobytes(), "png"), "depth_encoding"),
        (
            images.depth_from_compressed,
            compressed(cv2.imencode(".png", RGB)[1].tobytes()[:60], "png"),
            "depth_encoding",
        ),
    ],
)
def test_what_is_no_image_is_refused_by_name(decode, message: SimpleNamespace, reason: str) -> None:
    with pytest.raises(BadInput, match="expected") as error:
        decode(message)
    assert error.value.reason == reason


def info(**changes) -> SimpleNamespace:
    fields = {
        "width": 640,
        "height": 480,
        "k": [500.0, 0, 320, 0, 510.0, 240, 0, 0, 1],
        "d": [0.0] * 5,
        "distortion_model": "plumb_bob",
    }
    return SimpleNamespace(**(fields | changes))


def test_a_camera_info_becomes_a_camera() -> None:
    camera = images.camera_from_info(info(d=[0.1, -0.2, 0.0, 0.0, 0.05]))
    assert (camera.width, camera.fx, camera.fy, camera.cx, camera.cy) == (640, 500.0, 510.0, 320.0, 240.0)
    assert (camera.distortion_model, camera.distortion[1]) == ("plumb_bob", -0.2)
    assert images.camera_from_info(info(d=[], distortion_model="")).is_rectified


@pytest.mark.parametrize(
    "changes", [{"k": [0.0] * 9}, {"width": 0}, {"k": [float("nan")] * 9}, {"d": [0.1], "distortion_model": "fov"}]
)
def test_a_camera_info_that_was_never_filled_in_is_refused(changes: dict) -> None:
    with pytest.raises(BadInput, match="expected") as error:
        images.camera_from_info(info(**changes))
    assert error.value.reason == "camera_info"
