"""Pairs by approximate time, joins by exact stamp: checked against brute force on streams with jitter and losses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.nodes.pairing import ApproximatePairs, ExactJoin

MS = 1_000_000
stamps = st.lists(st.integers(0, 3000), unique=True, max_size=40).map(lambda values: [v * MS for v in sorted(values)])


def feed(first: list[int], second: list[int], tolerance: int) -> tuple[list[tuple[int, int]], ApproximatePairs]:
    """Pairs when both streams arrive in the order of their stamps."""
    pairs: ApproximatePairs[int, int] = ApproximatePairs(tolerance, capacity=100)
    found = []
    for stamp, which in sorted([(s, 0) for s in first] + [(s, 1) for s in second]):
        found += pairs.add_first(stamp, stamp) if which == 0 else pairs.add_second(stamp, stamp)
    return [(p.first, p.second) for p in found], pairs


@given(stamps, stamps, st.integers(0, 50))
def test_pairs_are_within_the_tolerance_in_order_and_use_nothing_twice(
    first: list[int], second: list[int], ms: int
) -> None:
    found, _ = feed(first, second, ms * MS)
    assert all(abs(a - b) <= ms * MS for a, b in found)
    for side in zip(*found, strict=True):
        assert list(side) == sorted(set(side))


@pytest.mark.parametrize("seed", range(5))
def test_all_images_of_a_camera_with_jitter_find_their_depth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = np.arange(60) * 33 * MS
    color = [int(t + rng.integers(-4 * MS, 4 * MS)) + 100 * MS for t in true]
    depth = [int(t + rng.integers(-4 * MS, 4 * MS)) + 100 * MS for t in true]
    lost_color, lost_depth = set(rng.choice(60, 6, replace=False)), set(rng.choice(60, 6, replace=False))
    found, _ = feed(
        [s for i, s in enumerate(color) if i not in lost_color],
        [s for i, s in enumerate(depth) if i not in lost_depth],
        10 * MS,
    )
    expected = [(color[i], depth[i]) for i in range(60) if i not in lost_color | lost_depth]
    assert found == expected


def test_what_has_no_partner_is_counted() -> None:
    found, pairs = feed([0, 100 * MS, 200 * MS], [100 * MS], 5 * MS)
    assert found == [(100 * MS, 100 * MS)]
    assert pairs.n_unpaired == [1, 0]


def test_one_item_out_of_order_is_left_out() -> None:
    pairs: ApproximatePairs[str, str] = ApproximatePairs(5 * MS)
    pairs.add_first(100 * MS, "new")
    assert pairs.add_first(50 * MS, "old") == []
    assert pairs.n_out_of_order == 1
    assert [p.first for p in pairs.add_second(100 * MS, "depth")] == ["new"]


def test_a_clock_that_jumps_back_begins_anew() -> None:
    pairs: ApproximatePairs[str, str] = ApproximatePairs(5 * MS)
    pairs.add_first(60_000 * MS, "before")
    pairs.add_first(100 * MS, "after")
    assert pairs.n_jumps == 1
    assert [p.first for p in pairs.add_second(100 * MS, "depth")] == ["after"]


def test_a_stream_without_partner_does_not_grow() -> None:
    pairs: ApproximatePairs[int, int] = ApproximatePairs(5 * MS, capacity=10)
    for i in range(1000):
        pairs.add_first(i * 33 * MS, i)
    assert pairs.n_unpaired == [990, 0]


@pytest.mark.parametrize("partner_first", [True, False])
def test_detections_join_their_image_in_whatever_order_they_come(partner_first: bool) -> None:
    join: ExactJoin[str, str] = ExactJoin(timeout=1.0, capacity=4)
    if partner_first:
        assert join.add_partner(7, "detections") == []
        assert join.add_item(7, "image", now=0.0) == [("image", "detections")]
    else:
        assert join.add_item(7, "image", now=0.0) == []
        assert join.add_partner(7, "detections") == [("image", "detections")]
    assert join.n_alone == join.n_unused == 0


def test_an_image_whose_detections_do_not_come_goes_on_alone() -> None:
    join: ExactJoin[str, str] = ExactJoin(timeout=1.0, capacity=4)
    join.add_item(1, "first", now=0.0)
    join.add_item(2, "second", now=0.5)
    assert join.expire(0.9) == []
    assert join.expire(1.0) == [("first", None)]
    assert join.add_partner(2, "late") == [("second", "late")]
    assert join.n_alone == 1


def test_images_leave_in_the_order_in_which_they_came() -> None:
    join: ExactJoin[int, int] = ExactJoin(timeout=1.0, capacity=4)
    for stamp in (1, 2, 3):
        join.add_item(stamp, stamp, now=0.0)
    assert join.add_partner(3, 30) == [(1, None), (2, None), (3, 30)]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=60))
def test_nothing_is_lost_or_made_up(events: list[tuple[bool, int]]) -> None:
    join: ExactJoin[int, int] = ExactJoin(timeout=1.0, capacity=3)
    items, partners, out, seen = set(), set(), [], set()
    for is_item, stamp in events:
        if (is_item, stamp) in seen:
            continue
        seen.add((is_item, stamp))
        if is_item:
            items.add(stamp)
            out += join.add_item(stamp, stamp, now=0.0)
        else:
            partners.add(stamp)
            out += join.add_partner(stamp, stamp)
    out += join.expire(2.0)
    assert sorted(item for item, _ in out) == sorted(items)
    assert all(partner in (None, item) for item, partner in out)
    assert {item for item, partner in out if partner is not None} <= partners
