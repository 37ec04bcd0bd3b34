"""Segments from depth alone: things stand out of planes, planes are no things."""

from __future__ import annotations

import numpy as np
import pytest

from loci.geometry import Camera, look_at
from loci.observation import Detection, Frame
from loci.perception.geometric import GeometricDetector
from loci.perception.rectify import Rectifier
from loci.readers import open_recording
from synthetic import Box, World

CAMERA = Camera(640, 480, 520.0, 520.0, 319.5, 239.5)
TABLE = Box("table", (1.5, -1.0, 0.0), (3.0, 1.0, 0.7), (140, 90, 50))
MUG = Box("mug", (1.9, -0.4, 0.7), (2.05, -0.25, 0.9), (200, 30, 30))
BOTTLE = Box("bottle", (2.0, 0.2, 0.7), (2.1, 0.3, 1.0), (30, 160, 60))
VIEW = look_at((0.3, 0.0, 1.4), (2.2, 0.0, 0.7))


def world(*boxes: Box) -> World:
    return World(boxes, (-5.0, -4.0, 0.0), (5.0, 4.0, 2.6), CAMERA)


def frame(w: World, noise: float = 0.0) -> Frame:
    color, depth, _ = w.render(VIEW)
    sigma = noise * depth**2
    return Frame(
        color, (depth + np.random.default_rng(1).normal(size=depth.shape) * sigma).astype(np.float32), CAMERA, VIEW, 0
    )


def best_iou(found: tuple[Detection, ...], truth: np.ndarray) -> float:
    best = 0.0
    for d in found:
        x0, y0, x1, y1 = d.box
        mask = np.zeros(truth.shape, dtype=bool)
        mask[y0:y1, x0:x1] = d.full_mask
        best = max(best, np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth))
    return best


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_things_on_a_table_are_found_one_by_one(noise):
    w = world(TABLE, MUG, BOTTLE)
    found = GeometricDetector().detect(frame(w, noise))
    _, _, seen = w.render(VIEW)
    assert best_iou(found, seen == 1) > 0.6
    assert best_iou(found, seen == 2) > 0.6
    assert {d.label for d in found} == {"segment"}


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_an_empty_room_and_an_empty_table_are_planes(noise):
    assert GeometricDetector().detect(frame(world(), noise)) == ()
    table = world(TABLE)
    _, _, seen = table.render(VIEW)
    covered = sum(np.count_nonzero(d.full_mask) for d in GeometricDetector().detect(frame(table, noise)))
    assert covered < 0.1 * np.count_nonzero(seen == 0)


def test_a_box_with_a_flat_lid_is_one_whole_thing_and_no_plane():
    """Its lid is as flat as the table, and large in the image, but short: the front alone would be left."""
    box = Box("lunch box", (1.7, -0.3, 0.7), (2.05, 0.2, 0.8), (230, 230, 240))
    w = world(TABLE, box)
    truth = w.render(VIEW)[2] == 1
    assert truth.mean() > GeometricDetector().parameters.min_plane_share
    assert best_iou(GeometricDetector().detect(frame(w)), truth) > 0.8


def test_slivers_at_the_border_of_the_image_are_left_out():
    w = world(TABLE, MUG, BOTTLE)
    found = GeometricDetector().detect(frame(w))
    side = min(CAMERA.width, CAMERA.height)
    for d in found:
        x0, y0, x1, y1 = d.box
        cut = x0 <= 2 or y0 <= 2 or x1 >= CAMERA.width - 2 or y1 >= CAMERA.height - 2
        assert not cut or min(x1 - x0, y1 - y0) >= 0.05 * side


def test_a_frame_without_depth_has_no_segments():
    empty = Frame(np.zeros((480, 640, 3), np.uint8), np.zeros((480, 640), np.float32), CAMERA, np.eye(4), 0)
    assert GeometricDetector().detect(empty) == ()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 5), (33, 21)])
def test_small_and_odd_images_are_no_problem(width, height, rng):
    camera = Camera(width, height, 20.0, 20.0, width / 2, height / 2)
    depth = rng.uniform(0.5, 3.0, (height, width)).astype(np.float32)
    found = GeometricDetector().detect(Frame(np.zeros((height, width, 3), np.uint8), depth, camera, np.eye(4), 0))
    assert all(d.box[2] <= width and d.box[3] <= height for d in found)


def test_the_same_frame_gives_the_same_segments(kitchen):
    raw = next(iter(open_recording(kitchen).frames()))
    color, depth = Rectifier(raw.camera).rectify(raw.color_array(), raw.depth_array())
    f = Frame(color, depth, raw.camera, np.eye(4), 0)
    first, second = GeometricDetector().detect(f), GeometricDetector().detect(f)
    assert len(first) > 3
    assert [(d.box, d.score) for d in first] == [(d.box, d.score) for d in second]
