"""Poses between messages: exact where they are known, between them on the arc, and refused where they would be guessed."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from loci.geometry import pose_from_quaternion
from loci.nodes.errors import BadInput
from loci.nodes.poses import NotYet, PoseBuffer, interpolate

S = 1_000_000_000
poses = st.integers(0, 2**32 - 1).map(
    lambda seed: pose_from_quaternion(
        np.random.default_rng(seed).normal(size=3), Rotation.random(rng=np.random.default_rng(seed)).as_quat()
    )
)


@given(poses, poses, st.floats(0.0, 1.0))
def test_interpolation_agrees_with_scipy(T_a: np.ndarray, T_b: np.ndarray, share: float) -> None:
    T = interpolate(T_a, T_b, share)
    slerp = Slerp([0.0, 1.0], Rotation.from_matrix([T_a[:3, :3], T_b[:3, :3]]))
    np.testing.assert_allclose(T[:3, :3], slerp([share]).as_matrix()[0], atol=1e-6)
    np.testing.assert_allclose(T[:3, 3], (1 - share) * T_a[:3, 3] + share * T_b[:3, 3], atol=1e-9)


def buffer(*stamps: float, max_gap: float = 0.5) -> PoseBuffer:
    filled = PoseBuffer(int(max_gap * S))
    for s in stamps:
        T = np.eye(4)
        T[0, 3] = s
        filled.add(int(s * S), T)
    return filled


def test_the_pose_at_a_stamp_between_two_lies_between_them() -> None:
    assert buffer(1.0, 1.4).at(int(1.1 * S))[0, 3] == pytest.approx(1.1)


def test_across_a_gap_nothing_is_guessed() -> None:
    with pytest.raises(BadInput, match="max_pose_gap") as error:
        buffer(1.0, 2.0).at(int(1.5 * S))
    assert error.value.reason == "pose_gap"


def test_a_known_pose_is_given_across_any_gap() -> None:
    assert buffer(1.0, 9.0).at(9 * S)[0, 3] == 9.0


def test_before_the_first_pose_nothing_is_guessed() -> None:
    with pytest.raises(BadInput, match=r"the first one is 0\.500 s later"):
        buffer(1.0, 1.2).at(S // 2)


def test_beyond_the_newest_pose_it_may_still_come() -> None:
    with pytest.raises(NotYet):
        buffer(1.0, 1.2).at(2 * S)
    with pytest.raises(BadInput, match="waited"):
        buffer(1.0, 1.2).wait_at(2 * S, timeout=0.01)


def test_a_pose_that_comes_late_is_waited_for() -> None:
    poses, got = buffer(1.0), []
    waiter = threading.Thread(target=lambda: got.append(poses.wait_at(int(1.1 * S), timeout=10.0)))
    waiter.start()
    time.sleep(0.02)
    T = np.eye(4)
    T[0, 3] = 1.2
    poses.add(int(1.2 * S), T)
    waiter.join(10.0)
    assert got[0][0, 3] == pytest.approx(1.1)


def test_a_clock_that_goes_back_begins_anew() -> None:
    poses = buffer(100.0, 1.0, 1.2)
    assert poses.at(int(1.1 * S))[0, 3] == pytest.approx(1.1)


def test_an_image_after_a_jump_waits_for_poses_after_the_jump() -> None:
    poses, got = buffer(100.0, 100.2), []
    waiter = threading.Thread(target=lambda: got.append(poses.wait_at(1 * S, timeout=10.0)))
    waiter.start()
    time.sleep(0.02)
    poses.add(1 * S, np.eye(4))
    waiter.join(10.0)
    assert len(got) == 1
