"""Ways in words: turns where the way turns, rooms it goes through, things it goes by."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.spatial.directions import Landmarks, directions, side


def way(*corners: tuple[float, ...], spacing: float = 1.0) -> np.ndarray:
    """Places along a way with these corners."""
    points = [np.array([*corners[0], 0.0])[:3]]
    for a, b in itertools.pairwise(corners):
        start, end = (np.array([*p, 0.0])[:3] for p in (a, b))
        n = max(round(float(np.linalg.norm(end - start)) / spacing), 1)
        points += [start + (end - start) * i / n for i in range(1, n + 1)]
    return np.array(points)


def test_a_way_with_two_corners_is_told_in_words() -> None:
    points = way((0, 0), (4, 0), (4, 3), (7, 3))
    rooms = ["hall"] * 5 + ["hall", "", "bathroom"] + ["bathroom"] * 3
    table = Landmarks(("table",), np.array([[4.5, -0.5, 0.4]]))
    assert directions(points, rooms, table, heading=0.0, arrival="You are in the bathroom.") == (
        "Go 4.0 m straight on through the hall.",
        "Turn left at the table.",
        "Go 3.0 m straight on from the hall into the bathroom.",
        "Turn right.",
        "Go 3.0 m straight on through the bathroom.",
        "You are in the bathroom.",
    )


@pytest.mark.parametrize(
    ("heading", "first"),
    [(0.0, "Go"), (np.pi / 2, "Turn right."), (-np.pi / 2, "Turn left."), (np.pi, "Turn around."), (None, "Go")],
)
def test_the_first_turn_depends_on_where_one_looks(heading: float | None, first: str) -> None:
    assert directions(way((0, 0), (4, 0)), [""] * 5, heading=heading)[0].startswith(first)


@given(st.floats(-np.pi, np.pi), st.floats(-np.pi, np.pi), st.integers(0, 2**16))
def test_turns_are_told_by_their_angle_wherever_the_way_goes(ahead: float, turn: float, seed: int) -> None:
    if min(abs(abs(turn) - np.radians(a)) for a in (25, 60, 150)) < 0.05:
        return
    step, then = (np.array([np.cos(a), np.sin(a), 0.0]) for a in (ahead, ahead + turn))
    corner = 8 * step
    points = np.array([i * step for i in range(8)] + [corner + i * then for i in range(8)])
    points += np.random.default_rng(seed).normal(0, 0.02, points.shape) * (1, 1, 0)  # places do not lie on lines
    words = [s for s in directions(points, [""] * len(points)) if s.startswith(("Turn", "Bear"))]
    hand = "left" if turn > 0 else "right"
    angle = abs(np.degrees(turn))
    expected = [] if angle < 25 else [f"Bear {hand}."] if angle < 60 else [f"Turn {hand}."] if angle < 150 else None
    assert words == expected if expected is not None else words == ["Turn around."]


def test_stairs_go_up_and_down() -> None:
    points = np.vstack(
        [way((0, 0), (4, 0)), [[5, 0, 0.7], [6, 0, 1.4], [7, 0, 2.1], [8, 0, 2.8]], way((9, 0), (12, 0)) + (0, 0, 2.8)]
    )
    up = directions(points, [""] * len(points))
    down = directions(points[::-1], [""] * len(points))
    assert [s.split(" m ")[1] for s in up[:-1]] == ["straight on.", "up.", "straight on."]
    assert [s.split(" m ")[1] for s in down[:-1]] == ["straight on.", "down.", "straight on."]


def test_only_a_thing_that_is_near_and_alone_of_its_kind_tells_where_to_turn() -> None:
    things = Landmarks(
        ("chair", "chair", "sofa", "bed"), np.array([[0, 0.5, 0], [0.5, 0, 0], [1, 1, 0], [9, 9, 0]], float)
    )
    assert things.near(np.zeros(3)) == "sofa"
    assert things.near(np.array([9.0, 8.0, 0.0])) == "bed"
    assert things.near(np.array([9.0, 8.0, 3.0])) == "" == things.near(np.array([5.0, 5.0, 0.0]))


def test_a_thing_is_on_one_side_of_who_comes() -> None:
    points = way((0, 0), (4, 0))
    sides = {(5, 0): "ahead", (4, 2): "on your left", (4, -2): "on your right", (2, 0): "behind you", (4, 0.1): "here"}
    for (x, y), expected in sides.items():
        assert side(points, np.array([x, y, 0.5])) == expected
    assert side(points[:1], np.array([3.0, 0.0, 0.0])) == "here"


def test_a_way_of_one_place_is_only_an_arrival() -> None:
    assert directions(np.zeros((1, 3)), ["hall"], arrival="You are in the hall already.") == (
        "You are in the hall already.",
    )
    with pytest.raises(ValueError, match="N >= 1"):
        directions(np.zeros((0, 3)), [])
    with pytest.raises(ValueError, match="2 rooms"):
        directions(np.zeros((3, 3)), ["", ""])
