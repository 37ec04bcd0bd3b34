"""Colour names as people use them."""

from __future__ import annotations

import numpy as np
import pytest

from loci.scene.colors import COLOR_NAMES, color_indices, dominant_colors, object_colors, white_level

#: Typical sRGB values of named things: crayons, paint and furniture.
NAMED = {
    "black": [(10, 10, 10), (38, 38, 42), (34, 42, 60), (43, 53, 76)],  # the last two: a screen that is off
    "gray": [(128, 128, 128), (136, 138, 140), (90, 92, 95)],
    "white": [(250, 250, 250), (236, 236, 232)],
    "red": [(200, 30, 30), (192, 44, 40), (140, 20, 25)],
    "orange": [(255, 140, 0), (228, 126, 38)],
    "brown": [(124, 78, 44), (101, 67, 33)],
    "yellow": [(240, 220, 40), (226, 192, 62)],
    "green": [(30, 160, 60), (66, 138, 74)],
    "blue": [(30, 60, 180), (48, 92, 176), (20, 38, 74), (60, 85, 120)],
    "purple": [(122, 72, 156), (128, 0, 128)],
    "pink": [(222, 138, 166), (255, 182, 193)],
    "beige": [(206, 184, 146), (222, 205, 170)],
}


@pytest.mark.parametrize(("name", "rgb"), [(n, c) for n, colors in NAMED.items() for c in colors])
def test_typical_colours_have_their_names(name, rgb):
    assert dominant_colors(np.array([rgb], dtype=np.uint8)) == (name,)


def test_the_most_frequent_colour_comes_first_and_rare_ones_are_left_out():
    pixels = np.array([(200, 30, 30)] * 60 + [(30, 60, 180)] * 30 + [(240, 220, 40)] * 10, dtype=np.uint8)
    assert dominant_colors(pixels) == ("red", "blue")
    assert dominant_colors(pixels, limit=3, min_share=0.05) == ("red", "blue", "yellow")
    assert dominant_colors(pixels[:0]) == ()


def test_every_colour_has_a_name(rng):
    indices = color_indices(rng.integers(0, 256, (5000, 3), dtype=np.uint8))
    assert indices.shape == (5000,)
    assert set(indices.tolist()) == set(range(len(COLOR_NAMES)))


@pytest.mark.parametrize("light", [1.0, 0.75, 0.55])
@pytest.mark.parametrize(("name", "rgb"), [("white", (245, 243, 238)), ("red", (200, 40, 40)), ("blue", (50, 90, 190)), ("beige", (206, 184, 146)), ("brown", (124, 78, 44))])  # fmt: skip
def test_a_thing_keeps_its_colour_in_the_shade_and_in_a_dim_room(rng, name, rgb, light):
    """Shading across the thing, texture, and a room that is as dim: the brightest wall tells how dim it is."""
    shade = np.linspace(0.65, 1.0, 400)[:, None] * rng.uniform(0.92, 1.0, (400, 1)) * light
    pixels = np.clip(np.array(rgb) * shade, 0, 255).astype(np.uint8)
    wall = np.full((80, 80, 3), 240 * light, dtype=np.uint8)
    assert object_colors(pixels, white_level(wall))[0] == name


def test_a_thing_without_pixels_has_no_colour():
    assert object_colors(np.zeros((0, 3), np.uint8), 200.0) == ()
    assert object_colors(np.zeros((5, 3), np.uint8), 0.0) == ("black",)
