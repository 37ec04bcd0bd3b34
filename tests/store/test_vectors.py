"""Arrays that grow, and the best of many scores compared with a sort of all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from loci.store import GrowingArray
from loci.store.vectors import largest


@given(st.lists(st.integers(-5, 5), max_size=60), st.integers(1, 70))
def test_the_largest_come_first_and_equal_ones_in_their_order(scores: list[int], k: int) -> None:
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k]
    assert largest(np.array(scores, dtype=np.float32), k).tolist() == expected


def test_a_view_does_not_change_while_rows_are_appended() -> None:
    rows = GrowingArray((2,), capacity=1)
    rows.append((0.0, 0.0))
    view = rows.view()
    before = view.copy()
    for i in range(1, 200):
        assert rows.append((i, i)) == i
    np.testing.assert_array_equal(view, before)
    np.testing.assert_array_equal(rows.view()[:, 0], np.arange(200))
