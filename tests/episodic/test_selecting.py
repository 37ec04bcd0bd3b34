"""Which rows meet the conditions: compared with the same conditions on one episode at a time, over blocks, gaps and replacements."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.episodic.block_kernels import BLOCK
from loci.episodic.columns import Columns
from loci.episodic.filters import EpisodeFilter
from loci.episodic.records import Episode
from loci.episodic.selecting import select
from loci.geometry import Array

N = 2 * BLOCK + 300
PLACES = tuple(f"place/{i}" for i in range(4))


def pose_of(keyframe_id: str) -> Array:
    """Keyframe k is at (k % 7, k % 5, 0); each tenth is gone."""
    k = int(keyframe_id.split("/")[1])
    if k % 10 == 0:
        raise KeyError(keyframe_id)
    T = np.eye(4)
    T[:3, 3] = (k % 7, k % 5, 0.0)
    return POSES.setdefault(keyframe_id, T)


POSES: dict[str, Array] = {}


def episode(i: int, stamp_ns: int, hangs: bool) -> Episode:
    """One of a robot that is for long at one place; ``hangs``: its position is known by a keyframe only, or not at all."""
    rng = np.random.default_rng(i)
    known = None if i % 11 == 0 else tuple(rng.uniform(0.0, 6.0, 3).tolist())
    return Episode(
        f"episode/{i}",
        "keyframe" if i % 3 == 0 else "episode",
        "x",
        labels=("mug",) if i % 5 == 0 else (),
        stamp_ns=stamp_ns,
        session=f"s{i // 700}",
        map_id="home" if i < BLOCK else "garden",
        keyframe_id=f"keyframe/{i}" if hangs else "",
        place=PLACES[i // 300 % 4],
        object_id=f"object/{i % 50}",
        state="open" if i % 13 == 0 else "",
        position_in_camera=(0.1, 0.2, 0.3) if hangs and i % 2 else None,
        position=None if hangs else known,
    )


@pytest.fixture(scope="module", params=["in time order", "shuffled", "with keyframes"])
def columns(request: pytest.FixtureRequest) -> Columns:
    filled = Columns()
    order = np.arange(N) if request.param == "in time order" else np.random.default_rng(0).permutation(N)
    for i in order.tolist():
        filled.append(episode(i, i, request.param == "with keyframes" and i % 4 == 0), {})
    for i in range(0, N, 17):
        filled.remove(f"episode/{i}")
    for i in range(5, N, 31):  # the new state of an episode has a row of its own
        filled.append(episode(i, i + 10_000, False), {})
    return filled


stamps = st.none() | st.integers(-10, N + 10) | st.integers(9_990, 10_000 + N) | st.sampled_from([-(2**63), 2**63 - 1])
coordinates = st.tuples(*[st.floats(-1.0, 7.0)] * 3)
conditions = st.builds(
    lambda **fields: EpisodeFilter(
        **{k: v for k, v in fields.items() if k not in ("ball", "corners")},
        position=None if fields["ball"] is None else fields["ball"][0],
        radius=None if fields["ball"] is None else fields["ball"][1],
        box=None
        if fields["corners"] is None
        else (tuple(np.minimum(*fields["corners"]).tolist()), tuple(np.maximum(*fields["corners"]).tolist())),
    ),
    kinds=st.sampled_from([(), ("episode",), ("keyframe",), ("keyframe", "episode")]),
    labels=st.sampled_from([(), ("mug",), ("mug", "cup"), ("cup",)]),
    object_id=st.sampled_from([None, None, "object/3", "object/999"]),
    places=st.none() | st.frozensets(st.sampled_from([*PLACES, "place/99"]), max_size=3),
    state=st.sampled_from([None, None, "open", "closed"]),
    session=st.sampled_from([None, None, "s1", "s9"]),
    map_id=st.sampled_from([None, None, "home", "garden", "moon"]),
    after_ns=stamps,
    before_ns=stamps,
    ball=st.none() | st.tuples(coordinates, st.floats(0.01, 8.0)),
    corners=st.none() | st.tuples(coordinates, coordinates),
)


@settings(max_examples=25, deadline=None)
@given(condition=conditions)
def test_rows_are_those_of_the_episodes_that_match_one_by_one(columns: Columns, condition: EpisodeFilter) -> None:
    view = columns.view
    mask, n = select(columns, view, condition, pose_of)
    expected = [e is not None and condition.matches(e, pose_of) for e in view.episodes[: len(view)]]
    np.testing.assert_array_equal(mask, expected)
    assert n == sum(expected)


def test_a_point_on_the_border_is_inside() -> None:
    columns = Columns()
    for i in range(BLOCK + 1):  # in a block of which the bounds are known, and after it
        columns.append(Episode(f"episode/{i}", "episode", "x", position=(1.1, 2.2, 3.3)), {})
    for condition in (
        EpisodeFilter(box=((1.1, 2.2, 3.3), (1.1, 2.2, 3.3))),
        EpisodeFilter(position=(0.1, 2.2, 3.3), radius=1.0),
        EpisodeFilter(position=(1.1, 2.2, 2.3), radius=1.0),
    ):
        assert select(columns, columns.view, condition, pose_of)[1] == BLOCK + 1


def test_a_view_stays_as_it_was_while_rows_come_in_and_every_reader_sees_all_that_was_added_before() -> None:
    columns, done, failures = Columns(), threading.Event(), []
    n_added = [0]

    def look() -> None:
        while not done.is_set():
            before = n_added[0]
            view = columns.view
            n = len(view)
            if not (n >= before and len(view.stamp) == len(view.codes) == len(view.x) == n):
                failures.append((before, n))
            if n and not np.array_equal(view.stamp, np.arange(n)):
                failures.append("stamps")
            if len(view.vectors) and len(view.vectors["text", 2][0]) != n:
                failures.append("vectors")

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(6000):
        columns.append(Episode(f"episode/{i}", "episode", "x", stamp_ns=i), {"text": np.ones(2, np.float32)})
        n_added[0] = i + 1
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert len(columns.view) == 6000
