"""Messages and dataclasses: what goes out comes back the same, and what does not fit is refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip(
    "loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build loci_ros"
)

from builtin_interfaces.msg import Time
from hypothesis import given
from hypothesis import strategies as st
from loci_ros import msg as m

from loci.geometry import look_at
from loci.nodes import conversions as c
from loci.nodes.errors import BadInput
from loci.observation import Detection, Observation
from loci.query import Evidence, Query
from synthetic import ROOM

OBSERVATION = ROOM.observe(look_at((1.0, 1.0, 1.4), (2.5, 1.6, 0.7)), 12_345_678_901)


def message(**changes) -> m.Observation:
    made = c.to_observation(OBSERVATION, "map", sequence=3)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@given(st.integers(0, 2**31 * 1_000_000_000 - 1))
def test_stamps_are_exact(stamp_ns: int) -> None:
    assert c.to_ns(c.to_time(stamp_ns)) == stamp_ns


@given(st.integers(0, 2**32 - 1))
def test_poses_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T = look_at(rng.normal(size=3), rng.normal(size=3) + 5)
    np.testing.assert_allclose(c.from_pose(c.to_pose(T)), T, atol=1e-12)
    np.testing.assert_allclose(c.from_transform(c.to_transform(T)), T, atol=1e-12)


def test_an_observation_survives_its_message() -> None:
    embedding = np.random.default_rng(0).normal(size=16).astype(np.float32)
    told = tuple(replace(d, attributes=("open", "text: EXIT")) for d in OBSERVATION.detections)
    sent = replace(OBSERVATION, embedding=embedding, detections=told)
    got = c.from_observation(c.to_observation(sent, "map"), "map")
    np.testing.assert_allclose(got.frame.T_map_camera, sent.frame.T_map_camera, atol=1e-12)
    np.testing.assert_allclose(got.frame.depth, sent.frame.depth, atol=0.00051)
    assert np.abs(got.frame.color.astype(int) - sent.frame.color).mean() < 4
    assert (got.frame.camera, got.frame.stamp_ns, got.frame.camera_name) == (
        sent.frame.camera,
        sent.frame.stamp_ns,
        "camera",
    )
    np.testing.assert_allclose(got.embedding, sent.embedding, atol=1e-6)
    assert [(d.label, d.box, d.attributes) for d in got.detections] == [
        (d.label, d.box, d.attributes) for d in sent.detections
    ]
    for a, b in zip(got.detections, sent.detections, strict=True):
        np.testing.assert_array_equal(a.full_mask, b.full_mask)


def test_a_jpeg_that_exists_is_sent_as_it_is() -> None:
    jpeg = bytes(message().color.data)
    assert bytes(c.to_observation(replace(OBSERVATION, color_jpeg=jpeg), "map").color.data) == jpeg


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_masks_of_any_size_are_exact(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    got = c.from_detection(c.to_detection(Detection("mug", 0.5, (3, 4, 3 + width, 4 + height), mask)))
    np.testing.assert_array_equal(got.mask, mask)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"header": c.header("odom", 1)}, "frame"),
        ({"header": c.header("", 1)}, "frame"),
        ({"pose": m.Observation().pose.__class__(orientation=c.Quaternion(x=0.0, y=0.0, z=0.0, w=0.0))}, "pose"),
        ({"pose": c.Pose(position=c.Point(x=float("nan")))}, "pose"),
        ({"pose": c.Pose(orientation=c.Quaternion(x=0.5, y=0.5, z=0.5, w=0.9))}, "pose"),
        ({"camera_info": c.CameraInfo()}, "camera_info"),
        ({"color": c.CompressedImage()}, "color_encoding"),
        ({"depth": c.CompressedImage()}, "depth_encoding"),
        ({"depth_unit": 0.0}, "depth"),
        ({"depth_unit": float("nan")}, "depth"),
        ({"camera_name": "../etc"}, "observation"),
        ({"map_id": "a/b"}, "observation"),
        ({"detections": [m.Detection(label="mug", score=0.5, x=150, y=0, width=20, height=5)]}, "observation"),
        ({"detections": [m.Detection(label="mug", score=0.5)]}, "detection"),
        ({"detections": [m.Detection(label="mug", score=0.5, width=5, height=5, attributes=["x" * 300])]}, "detection"),
        ({"detections": [m.Detection(label="mug", score=7.0, width=2, height=2)]}, "detection"),
        ({"detections": [m.Detection(label="mug", score=0.5, width=9, height=9, mask=[1])]}, "detection"),
        ({"embedding": [float("nan"), 1.0]}, "observation"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused_with_its_reason(changes: dict, reason: str) -> None:
    with pytest.raises(BadInput, match="expected") as error:
        c.from_observation(message(**changes), "map")
    assert error.value.reason == reason


def test_a_depth_image_of_another_size_than_its_camera_info_is_refused() -> None:
    wrong = message()
    wrong.camera_info.width = 320
    with pytest.raises(BadInput, match=r"320"):
        c.from_observation(wrong, "map")


def test_a_query_survives_its_message() -> None:
    query = Query(
        text="red mug",
        labels=("mug", "cup"),
        kinds=("object", "keyframe"),
        object_id="object/3",
        place="kitchen",
        state="missing",
        position=(1.0, 2.0, 3.0),
        radius=2.5,
        box=((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        after_ns=5,
        before_ns=10**18,
        session="s",
        order="newest",
        limit=7,
        offset=3,
        with_images=True,
        max_image_bytes=1000,
    )
    assert c.from_query(c.to_query(query)) == query


@pytest.mark.parametrize("fields", [{"states": ("moved", "missing")}, {"state": "open"}, {}])
def test_every_state_that_is_asked_for_survives_the_message(fields: dict) -> None:
    query = Query(kinds=("episode",), limit=3, **fields)
    assert c.from_query(c.to_query(query)) == query


def test_one_of_several_states_is_that_state_and_states_that_cannot_be_sent_are_refused() -> None:
    assert c.from_query(c.to_query(Query(states=("held",)))) == Query(state="held")
    for wrong in ({"states": ("a, b",)}, {"state": "open", "states": ("closed",)}):
        with pytest.raises(ValueError, match="expected"):
            c.to_query(Query(**wrong))


def test_a_picture_comes_through_with_what_was_seen_in_it() -> None:
    mask = np.eye(3, dtype=bool)
    seen = (Detection("mug", 0.5, (1, 2, 4, 5), mask), Detection("table", 1.0, (0, 0, 8, 6)))
    query = Query(image=np.full((6, 8, 3), 128, np.uint8), detections=seen, kinds=("object",))
    mug, table = c.from_query(c.to_query(query)).detections
    assert (mug.label, mug.score, mug.box) == ("mug", 0.5, (1, 2, 4, 5))
    assert np.array_equal(mug.full_mask, mask)
    assert (table.label, table.box, table.mask) == ("table", (0, 0, 8, 6), None)


def test_an_empty_query_asks_nothing_but_a_limit() -> None:
    assert c.from_query(m.Query(limit=10)) == Query(limit=10)


@pytest.mark.parametrize(
    "fields",
    [
        {"limit": 0},
        {"limit": 10**9},
        {"limit": 5, "text": "  "},
        {"limit": 5, "kinds": ["thing"]},
        {"limit": 5, "order": "best"},
        {"limit": 5, "has_position": True},
        {"limit": 5, "has_position": True, "radius": float("inf")},
        {"limit": 5, "has_box": True, "box_min": c.Point(x=1.0)},
        {"limit": 5, "after": Time(sec=9), "before": Time(sec=8)},
        {"limit": 5, "text_embedding": [0.0, 0.0]},
        {"limit": 5, "image": c.CompressedImage(data=b"none", format="jpeg")},
        {"limit": 5, "detections": [m.Detection(label="mug", score=1.0, width=4, height=4)]},
    ],
)
def test_a_query_out_of_range_is_refused(fields: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        c.from_query(m.Query(**fields))


def test_evidence_survives_its_message() -> None:
    evidence = Evidence(
        id="object/1",
        kind="object",
        text="red mug",
        score=0.5,
        origin="scene",
        stamp_ns=77,
        label="mug",
        confidence=0.25,
        place="place/2",
        position=(1.0, 2.0, 3.0),
        is_goal=True,
        is_quoted=True,
        contradiction="object/1 (mug) was seen on the table 3 s after this was written",
        image=b"jpeg",
    )
    assert c.from_evidence(c.to_evidence(evidence, "map")) == evidence
    posed = c.from_evidence(c.to_evidence(replace(evidence, T_map_camera=OBSERVATION.frame.T_map_camera), "map"))
    np.testing.assert_allclose(posed.T_map_camera, OBSERVATION.frame.T_map_camera, atol=1e-9)


def test_what_is_sent_is_what_rclpy_takes() -> None:
    """Every field has the type of its interface: rclpy checks that where the message is made."""
    assert isinstance(c.to_observation(Observation(OBSERVATION.frame), "map"), m.Observation)
