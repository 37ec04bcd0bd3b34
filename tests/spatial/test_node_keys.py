"""Names of octree nodes: points share a key exactly if they share a cube."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.spatial.node_keys import node_keys
from loci.spatial.octree import OctreeParameters

PARAMETERS = OctreeParameters(leaf_size=0.05, levels=12)
#: Eighths of a leaf: no point lies so near to a border that rounding could put it on either side.
NUMBERS = st.integers(-600, 600).map(lambda i: (i + 0.5) * 0.05 / 8)
POINTS = st.tuples(NUMBERS, NUMBERS, NUMBERS)


@given(st.lists(POINTS, min_size=2, max_size=20), st.integers(0, 12))
def test_points_share_a_key_exactly_if_they_lie_in_the_same_cube(points: list[tuple], level: int) -> None:
    keys = node_keys(points, level, PARAMETERS)
    edge = 0.05 * 2**level
    half = 0.05 * 2**11
    cubes = [tuple(int((x + half) // edge) for x in p) for p in points]
    for a, cube_a in zip(keys, cubes, strict=True):
        for b, cube_b in zip(keys, cubes, strict=True):
            assert (a == b) == (cube_a == cube_b)


def test_what_lies_outside_of_the_world_is_refused() -> None:
    assert node_keys([(0.0, 0.0, 0.0)], 12, PARAMETERS) == ["12/0"]
    for bad in ((np.nan, 0, 0), (103.0, 0, 0), (0, -103.0, 0), (0, 0, np.inf)):
        with pytest.raises(ValueError, match=r"expected points within 102.4 m of the map's origin"):
            node_keys([bad], 3, PARAMETERS)
    with pytest.raises(ValueError, match="expected a level from 0 to 12, got 13"):
        node_keys([(0, 0, 0)], 13, PARAMETERS)
