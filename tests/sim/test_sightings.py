"""What was in view: enough pixels, near enough, counted once an image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_sim.processes import OBJECT_RANGE
from loci_sim.sightings import SIGHT_RANGE, Sightings


def image(**pixels: int) -> np.ndarray:
    """(10, 10) instances with so many pixels of each, by name ``i7`` for instance 7."""
    flat = np.zeros(100, np.int32)
    at = 0
    for name, n in pixels.items():
        flat[at : at + n] = int(name[1:])
        at += n
    return flat.reshape(10, 10)


def test_a_thing_is_seen_where_it_shows_enough_pixels_near_enough() -> None:
    seen = Sightings(min_pixels=5)
    near, far = np.full((10, 10), 2.0, np.float32), np.full((10, 10), SIGHT_RANGE + 0.1, np.float32)
    seen.add(image(i3=5, i7=4), near)
    seen.add(image(i3=20, i7=20), far)
    seen.add(image(i7=30), near)
    seen.add(image(i7=30), np.zeros((10, 10), np.float32))
    assert [seen.n_images(i) for i in (0, 3, 7, 9)] == [0, 1, 1, 0]


def test_what_is_counted_is_what_the_memory_of_a_run_takes() -> None:
    assert SIGHT_RANGE == OBJECT_RANGE
