"""What lies on what, from boxes and points."""

from __future__ import annotations

import numpy as np
import pytest
from scene_worlds import thing

from loci.scene.relations import near, on_top_of

TABLE = thing("table", (0, 0, 0.37), (1.4, 0.9, 0.74), label="table")


def test_a_mug_is_on_the_table_and_the_table_on_nothing():
    assert on_top_of([TABLE, thing("mug", (0.4, 0.2, 0.79), (0.08, 0.08, 0.1))]) == {"mug": "table"}


def test_a_book_on_a_box_on_the_table_is_on_the_box():
    box, book = thing("box", (0, 0, 0.84), (0.4, 0.4, 0.2)), thing("book", (0, 0, 0.96), (0.2, 0.15, 0.03))
    assert on_top_of([book, TABLE, box]) == {"book": "box", "box": "table"}


@pytest.mark.parametrize(
    ("name", "center", "size"),
    [
        ("beside it on the floor", (1.2, 0, 0.3), (0.3, 0.3, 0.6)),
        ("hanging above it", (0, 0, 1.6), (0.3, 0.3, 0.4)),
        ("under it", (0, 0, 0.1), (0.2, 0.2, 0.2)),
        ("larger than it", (0, 0, 0.8), (4.0, 4.0, 0.1)),
    ],
)
def test_other_things_are_not_on_it(name, center, size):
    assert on_top_of([TABLE, thing(name, center, size)]) == {}


def test_things_in_a_shelf_are_on_it():
    shelf = thing("shelf", (0, 0, 0.9), (0.9, 0.3, 1.8))
    assert on_top_of([shelf, thing("book", (0.1, 0.05, 1.0), (0.2, 0.15, 0.25))]) == {"book": "shelf"}


def test_a_window_over_a_sofa_is_not_on_it():
    sofa = thing("sofa", (0, 0, 0.4), (2.0, 0.9, 0.8))
    assert on_top_of([sofa, thing("window", (0, 0.44, 1.35), (1.0, 0.04, 1.1), label="window")]) == {}


def test_things_of_another_map_carry_nothing():
    assert on_top_of([TABLE, thing("mug", (0.4, 0.2, 0.79), (0.08, 0.08, 0.1), map_id="elsewhere")]) == {}


def test_few_objects_have_no_relations():
    assert on_top_of([]) == {}
    assert on_top_of([TABLE]) == {}


def test_a_surface_that_was_seen_in_part_still_carries():
    """Things hide what they stand on: the counter was seen as a strip in front of the toaster."""
    strip = thing("counter", (0, 0, 0.45), (0.8, 0.2, 0.9))
    assert on_top_of([strip, thing("toaster", (0, 0.16, 1.0), (0.3, 0.2, 0.19))]) == {"toaster": "counter"}


def test_near_sorts_by_distance_within_one_map():
    things = [thing(f"object/{i}", (float(i), 0, 0)) for i in range(4)] + [
        thing("other", (0.1, 0, 0), map_id="elsewhere")
    ]
    assert near(things, "object/1", 1.5) == [("object/0", 1.0), ("object/2", 1.0)]
    with pytest.raises(KeyError, match="no object 'object/9'"):
        near(things, "object/9")
    assert np.isfinite(near(things, "object/0", 3.0)[-1][1])
