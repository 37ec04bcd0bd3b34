"""A simulator's instance image as detections: everything in it, nothing about it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.geometry import Camera
from loci.observation import Frame
from loci.perception.simulated import SimulatedDetector, detections_from_instances

LABELS = {1: "mug", 2: "table", 7: "chair", 90000: "lamp"}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), ids=st.lists(st.sampled_from([0, 1, 2, 3, 7, 90000]), min_size=1, max_size=6))
def test_masks_are_exactly_the_instances_that_have_a_label(seed, ids):
    blocks = np.random.default_rng(seed).choice(ids, size=(4, 6))
    instances = np.kron(blocks, np.ones((10, 10), dtype=np.int64))
    found = detections_from_instances(instances, LABELS, np.random.default_rng(seed), min_pixels=1)
    masks = []
    for detection in found:
        x0, y0, x1, y1 = detection.box
        mask = np.zeros(instances.shape, dtype=bool)
        mask[y0:y1, x0:x1] = detection.full_mask
        masks.append((detection.label, mask.tobytes()))
    expected = [(LABELS[i], (instances == i).tobytes()) for i in np.unique(instances).tolist() if i in LABELS]
    assert sorted(masks) == sorted(expected)


def test_small_masks_are_left_out():
    instances = np.zeros((20, 20), dtype=np.int32)
    instances[:4, :6], instances[10:15, 10:15] = 1, 2
    found = detections_from_instances(instances, LABELS, np.random.default_rng(0), min_pixels=25)
    assert [d.label for d in found] == ["table"]


def test_the_order_changes_from_frame_to_frame_and_is_the_same_for_the_same_seed():
    instances = np.repeat(np.arange(1, 9), 10)[None].repeat(10, axis=0)
    labels = {i: f"thing {i}" for i in range(1, 9)}
    first, second = SimulatedDetector(labels, seed=3), SimulatedDetector(labels, seed=3)
    orders = [tuple(d.label for d in first.detect_instances(instances)) for _ in range(5)]
    assert len(set(orders)) > 1
    assert orders == [tuple(d.label for d in second.detect_instances(instances)) for _ in range(5)]


def test_frames_are_looked_up_and_checked():
    frame = Frame(
        np.zeros((10, 20, 3), np.uint8), np.zeros((10, 20), np.float32), Camera(20, 10, 9, 9, 10, 5), np.eye(4), 0
    )
    image = np.full((10, 20), 2, dtype=np.uint16)
    assert [d.box for d in SimulatedDetector(LABELS, lambda _: image).detect(frame)] == [(0, 0, 20, 10)]
    with pytest.raises(ValueError, match="source of instance images"):
        SimulatedDetector(LABELS).detect(frame)
    with pytest.raises(ValueError, match=r"expected instances \(10, 20\) like the frame, got \(5, 20\)"):
        SimulatedDetector(LABELS, lambda _: image[:5]).detect(frame)
    with pytest.raises(ValueError, match="of integers, got"):
        detections_from_instances(np.zeros((4, 4)), LABELS, np.random.default_rng(0))  # type: ignore[arg-type]


def test_what_opens_is_told_to_be_open_or_closed_as_it_is_now():
    instances = np.zeros((20, 20), dtype=np.int32)
    instances[:, :10], instances[:, 10:] = 1, 2
    states = {1: ("closed",)}
    detector = SimulatedDetector({1: "fridge", 2: "mug"}, attributes=lambda: states)
    told = {d.label: d.attributes for d in detector.detect_instances(instances)}
    assert told == {"fridge": ("closed",), "mug": ()}
    states[1] = ("open",)
    assert {d.label: d.attributes for d in detector.detect_instances(instances)}["fridge"] == ("open",)
