"""Detections that are wrong, from the message through the perception node into a memory: refused or left out, counted, and
the map stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from loci_ros import msg as m
from rig import until
from sensor_msgs.msg import CompressedImage
from test_perception_node import COLOR, DEPTH, T_MAP_CAMERA, CameraRig, started

from loci.memory import RobotMemory
from loci.nodes import conversions as c
from loci.nodes import images
from loci.nodes.errors import BadInput
from synthetic import CAMERA, ROOM

#: What a detector in order says of the image.
GOOD = [c.to_detection(d) for d in ROOM.observe(T_MAP_CAMERA, 1).detections]
HUGE = 2**32 - 1


def found(**changes: Any) -> m.Detection:
    """A detection of 8 x 8 pixels, with some fields changed."""
    message = m.Detection(label="thing", score=0.9, x=20, y=20, width=8, height=8, mask=b"\xff" * 8)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def copy(detection: m.Detection, **changes: Any) -> m.Detection:
    """A detection with some fields changed."""
    names = ("label", "score", "x", "y", "width", "height", "mask")
    return found(**{name: getattr(detection, name) for name in names} | changes)


@pytest.fixture(scope="module")
def camera(ros_domain: int) -> Iterator[CameraRig]:
    """A camera whose detector is outside."""
    rig = started(detector="external", detections_timeout=20.0)
    try:
        rig.send_infos()
        yield rig
    finally:
        rig.close()


def observed(rig: CameraRig, *detections: m.Detection, times: int = 1, aside: float = 0.0) -> m.Observation:
    """What the perception node makes of a shot for which these detections come; the camera says it is some metres aside."""
    n = len(rig.observations)
    T = T_MAP_CAMERA.copy()
    T[0, 3] += aside
    rig.tick()
    rig.send_pose(T)
    rig.send_color()
    rig.send_depth()
    for _ in range(times):
        rig.send(m.DetectionArray(header=rig.header(), detections=list(detections)), "detections")
    return rig.next_observation(n)


def remembered(folder: Path, *messages: m.Observation) -> tuple[dict[str, int], dict[str, Any]]:
    """{label: objects} and the statistics of a memory that took in observations; its snapshots show what it has."""
    with RobotMemory.open(folder / "memory", map_id="map") as memory:
        for message in messages:
            memory.observe(c.from_observation(message, "map"))
        objects = memory.objects()
        members = [i for s in memory.snapshots() for i in s.object_ids]
        assert sorted(members) == sorted(o.id for o in objects)
        assert all(np.all(np.isfinite(o.points)) and np.all(np.isfinite(o.T_map_box)) for o in objects)
        labels = [o.label for o in objects]
        return {label: labels.count(label) for label in labels}, memory.statistics()


@pytest.mark.parametrize(
    "wrong",
    [
        found(width=CAMERA.width + 8, mask=b"\xff" * (CAMERA.width + 8)),
        found(x=CAMERA.width - 4),
        found(y=CAMERA.height),
        found(x=HUGE, y=HUGE),
        found(width=HUGE, height=HUGE, mask=b""),
        found(width=HUGE, height=HUGE),
        found(mask=b"\xff" * 9),
        found(width=0, mask=b""),
        found(score=float("nan")),
        found(score=-0.5),
        found(embedding=[1.0, float("nan")]),
        found(embedding=[0.0, 0.0]),
        found(embedding=[float("inf")]),
        found(attributes=[""]),
    ],
)
def test_a_detection_that_does_not_fit_is_left_out_and_counted_and_the_others_go_on(
    camera: CameraRig, tmp_path: Path, wrong: m.Detection
) -> None:
    n = camera.n_rejected("detection")
    message = observed(camera, wrong, *GOOD, wrong)
    assert [d.label for d in message.detections] == [d.label for d in GOOD]
    assert camera.n_rejected("detection") == n + 2
    assert "expected" in camera.node.monitor.last_rejection
    # What comes to the memory by another way than the perception node is refused as a whole.
    message.detections = [*message.detections, wrong]
    with pytest.raises(BadInput, match="expected"):
        c.from_observation(message, "map")


def test_empty_masks_and_what_is_told_twice_are_left_out_of_the_map(camera: CameraRig, tmp_path: Path) -> None:
    empty = found(mask=bytes(8))
    plain, before = remembered(tmp_path / "plain", observed(camera, *GOOD))
    odd = observed(camera, empty, *GOOD, empty, *GOOD)
    assert len(odd.detections) == 2 * len(GOOD) + 2
    labels, statistics = remembered(tmp_path / "odd", odd)
    assert labels == plain
    assert statistics["detections_left_out"] >= before["detections_left_out"] + 2 + sum(plain.values())


def test_detections_that_come_twice_for_an_image_are_used_once(camera: CameraRig) -> None:
    n = len(camera.observations)
    first = observed(camera, *GOOD, times=3)
    second = observed(camera, *GOOD)
    assert [len(o.detections) for o in camera.observations[n:]] == [len(GOOD)] * 2
    assert second.sequence == first.sequence + 1


def test_of_thousands_of_detections_the_best_are_taken_and_the_next_image_is_as_good_as_ever(
    camera: CameraRig, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    many = []
    for i in range(3000):
        x, y = (int(v) for v in rng.integers(0, (CAMERA.width - 12, CAMERA.height - 12)))
        many.append(m.Detection(label=f"thing {i % 40}", score=0.5, x=x, y=y, width=12, height=12))
    wild, good = observed(camera, *many), observed(camera, *GOOD, aside=0.2)
    assert len(wild.detections) == len(many)
    alone, _ = remembered(tmp_path / "alone", good)
    labels, statistics = remembered(tmp_path / "both", wild, good)
    assert set(alone) <= set(labels)
    assert sum(labels.values()) <= 500 + len(GOOD)
    assert statistics["detections_left_out"] >= len(many) - 500


def test_embeddings_of_another_size_are_left_out_and_counted(camera: CameraRig, tmp_path: Path) -> None:
    def with_size(n: int, aside: float) -> m.Observation:
        embedded = [copy(d, embedding=[1.0, *[0.0] * (n - 1)]) for d in GOOD]
        return observed(camera, *embedded, aside=aside)

    with RobotMemory.open(tmp_path / "memory", map_id="map") as memory:
        memory.observe(c.from_observation(with_size(4, 0.0), "map"))
        before = memory.statistics()["detections_left_out"]
        memory.observe(c.from_observation(with_size(6, 0.2), "map"))
        assert memory.statistics()["detections_left_out"] == before + len(GOOD)
        memory.observe(c.from_observation(with_size(4, 0.4), "map"))
        assert {o.embedding.shape for o in memory.objects() if o.embedding is not None} == {(4,)}
        assert memory.statistics()["keyframes"] == 3


@pytest.mark.parametrize("data", [b"", b"rubbish", images.encode_color(COLOR)[:3]])
def test_an_image_that_cannot_be_decoded_changes_nothing(tmp_path: Path, own_domain: int, data: bytes) -> None:
    rig = started(color_transport="compressed")
    try:
        rig.send_infos()
        for sent in (images.encode_color(COLOR), data):
            rig.tick()
            rig.send_pose()
            rig.send(CompressedImage(header=rig.header(), format="jpeg", data=sent), "color/image/compressed")
            rig.send_depth(DEPTH)
        assert until(lambda: rig.n_rejected("color_encoding")), rig.node.monitor.values()
        message = rig.next_observation(0)
        with RobotMemory.open(tmp_path / "memory", map_id="map") as memory:
            memory.observe(c.from_observation(message, "map"))
            before = memory.statistics()
            message.color.data = data
            with pytest.raises(BadInput, match="expected a JPEG or PNG"):
                c.from_observation(message, "map")
            assert memory.statistics() == before
    finally:
        rig.close()
