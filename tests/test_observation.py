"""Frames, detections and queries are checked where they enter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.geometry import Camera
from loci.observation import MAX_DEPTH, Detection, Frame, Observation, check_name, clean_depth, unit_embedding
from loci.query import Query

CAMERA = Camera(8, 6, 6.0, 6.0, 4.0, 3.0)


def frame(**changes) -> Frame:
    fields = {
        "color": np.zeros((6, 8, 3), np.uint8),
        "depth": np.ones((6, 8), np.float32),
        "camera": CAMERA,
        "T_map_camera": np.eye(4),
        "stamp_ns": 1,
    }
    return Frame(**{**fields, **changes})


@given(st.lists(st.floats(width=32), min_size=1, max_size=40))
def test_clean_depth_is_metres_or_zero(values):
    raw = np.array([values], np.float32)
    depth = clean_depth(raw)
    valid = np.isfinite(raw) & (raw > 0) & (raw <= MAX_DEPTH)
    assert np.array_equal(depth, np.where(valid, raw, 0))
    assert depth is not raw


def test_counts_of_a_depth_camera_become_metres():
    raw = np.array([[0, 1, 1500, 65534, 65535]], np.uint16)
    assert np.allclose(clean_depth(raw), [[0, 0.001, 1.5, 0, 0]])  # 65.534 m is beyond what is believed
    assert np.allclose(clean_depth(raw, unit=0.0002)[0, 2], 0.3)


@pytest.mark.parametrize(
    ("depth", "unit"),
    [
        (np.zeros((2, 2, 3), np.uint16), None),
        (np.zeros((2, 2), np.uint8), None),
        (np.zeros((2, 2), np.int16), None),
        (np.zeros((0, 4), np.float32), None),
        (np.zeros((2, 2), np.uint16), 0.0),
    ],
)
def test_depth_of_the_wrong_kind_is_refused(depth, unit):
    with pytest.raises(ValueError, match="expected"):
        clean_depth(depth, unit)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"color": np.zeros((8, 6, 3), np.uint8)}, "camera_info"),
        ({"color": np.zeros((6, 8, 3), np.float32)}, "uint8"),
        ({"depth": np.ones((6, 8))}, "float32"),
        ({"depth": np.ones((3, 4), np.float32)}, "depth"),
        ({"camera": Camera(8, 6, 6.0, 6.0, 4.0, 3.0, (0.1,), "plumb_bob")}, "rectified"),
        ({"stamp_ns": -1}, "stamp"),
        ({"T_map_camera": np.zeros((4, 4))}, "T_map_camera"),
        ({"map_id": "../other"}, "map id"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        frame(**changes)


def test_a_detection_outside_the_image_is_refused():
    with pytest.raises(ValueError, match="inside the 8x6 image"):
        Observation(frame(), (Detection("mug", 0.9, (0, 0, 9, 6)),))


@pytest.mark.parametrize(
    "fields",
    [
        {"box": (3, 0, 3, 2)},
        {"box": (-1, 0, 3, 2)},
        {"score": 1.5},
        {"score": float("nan")},
        {"mask": np.zeros((2, 2), bool)},
        {"embedding": np.zeros(4)},
    ],
)
def test_bad_detections_are_refused(fields):
    good = {"label": "mug", "score": 0.5, "box": (0, 0, 3, 2)}
    with pytest.raises(ValueError, match="expected"):
        Detection(**{**good, **fields})


def test_embeddings_become_unit_vectors():
    assert np.allclose(unit_embedding([3.0, 4.0]), [0.6, 0.8])
    with pytest.raises(ValueError, match="finite"):
        unit_embedding([np.nan, 1.0])


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", "a\\b", ".hidden", "a..b", "x" * 101, "a b", "a\n"]
)
def test_names_that_could_leave_their_folder_are_refused(name):
    with pytest.raises(ValueError, match="name"):
        check_name(name)
    assert check_name("kitchen_2.b") == "kitchen_2.b"


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 0},
        {"limit": -1},
        {"limit": 10**9},
        {"offset": -1},
        {"text": "  "},
        {"kinds": ("dream",)},
        {"order": "random"},
        {"position": (0.0, 0.0, 0.0)},
        {"position": (0.0, 0.0, float("nan")), "radius": 1.0},
        {"position": (0.0, 0.0, 0.0), "radius": 0.0},
        {"box": ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0))},
        {"after_ns": 5, "before_ns": 5},
        {"text_embedding": np.zeros(3)},
    ],
)
def test_bad_queries_are_refused(fields):
    with pytest.raises(ValueError, match="expected"):
        Query(**fields)
