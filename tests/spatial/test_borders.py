"""Borders kept from map to map against borders from scratch."""

from __future__ import annotations

from itertools import count

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.spatial.borders import Borders
from loci.spatial.frontiers import FrontierTracker
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap

STATES = np.array([UNKNOWN, FREE, OCCUPIED], dtype=np.int8)


def blocks(rng: np.random.Generator, shape: tuple[int, int], n: int) -> np.ndarray:
    """Random rectangles of random states."""
    cells = np.full(shape, UNKNOWN, dtype=np.int8)
    for _ in range(n):
        draw(rng, cells)
    return cells


def draw(rng: np.random.Generator, cells: np.ndarray) -> None:
    r, c = (int(rng.integers(n)) for n in cells.shape)
    h, w = rng.integers(1, 25, 2).tolist()
    cells[r : r + h, c : c + w] = rng.choice(STATES, p=[0.2, 0.6, 0.2])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_borders_that_follow_the_map_are_those_from_scratch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells, origin = blocks(rng, (90, 110), 14), np.array([-1.0, 2.0])
    kept = Borders(0.3, 0.2, 1.0)
    numbers = count()
    tracker = FrontierTracker(lambda: f"frontier/{next(numbers)}")
    for step in range(6):
        if step == 3:  # the map grows on all sides
            cells = np.pad(cells, ((7, 3), (5, 11)), constant_values=UNKNOWN)
            origin = origin - (5 * 0.05, 7 * 0.05)
        cells = cells.copy()
        for _ in range(int(rng.integers(0, 3))):
            draw(rng, cells)
        map_ = OccupancyMap(cells, (float(origin[0]), float(origin[1])), 0.05)
        free = np.argwhere(cells == FREE)
        robot = map_.center_of(free[int(rng.integers(len(free)))]) if len(free) and rng.random() < 0.8 else None
        kept.update(map_, robot)
        anew = Borders(0.3, 0.2, 1.0)
        anew.update(map_, robot)
        np.testing.assert_array_equal(kept.corner, anew.corner)
        np.testing.assert_array_equal(kept.reached, anew.reached)
        np.testing.assert_array_equal(kept.band, anew.band)
        followed = tracker.update(map_, robot)
        fresh = FrontierTracker(lambda: "frontier/0").update(map_, robot)
        assert len(followed) == len(fresh)
        for a, b in zip(followed, fresh, strict=True):
            np.testing.assert_array_equal(a.cells, b.cells)
            np.testing.assert_array_equal(a.position, b.position)
            np.testing.assert_array_equal(a.direction, b.direction)
