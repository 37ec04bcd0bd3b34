"""Poses between messages: the pose of a frame at the stamp of an image, from poses that came at other times.

No ROS here. Nothing is guessed: before the first pose, across a gap, or beyond the newest there is no answer.
"""

from __future__ import annotations

import bisect
import threading

import numpy as np

from loci.geometry import Array, pose_from_quaternion, quaternion_from_pose
from loci.nodes.errors import BadInput
from loci.nodes.pairing import JUMP_NS


class NotYet(Exception):  # noqa: N818
    """The newest pose is older than the image: it may still come."""


def interpolate(T_a: Array, T_b: Array, share: float) -> Array:
    """Pose (4, 4) between two poses: position linear, rotation along the shortest arc (slerp). ``share`` 0 is ``T_a``."""
    q_a, q_b = quaternion_from_pose(T_a), quaternion_from_pose(T_b)
    cosine = float(q_a @ q_b)
    if cosine < 0.0:
        q_b, cosine = -q_b, -cosine
    angle = np.arccos(min(cosine, 1.0))
    if angle < 1e-6:
        q = (1.0 - share) * q_a + share * q_b
    else:
        q = (np.sin((1.0 - share) * angle) * q_a + np.sin(share * angle) * q_b) / np.sin(angle)
    return pose_from_quaternion((1.0 - share) * T_a[:3, 3] + share * T_b[:3, 3], q / np.linalg.norm(q))


class PoseBuffer:
    """The newest poses of one frame, in order of their stamps; thread-safe.

    Args:
        max_gap_ns: poses further apart than this are not interpolated between.
        capacity: poses kept.
    """

    def __init__(self, max_gap_ns: int, capacity: int = 1000) -> None:
        self._max_gap_ns = max_gap_ns
        self._capacity = capacity
        self._stamps: list[int] = []
        self._poses: list[Array] = []
        self._changed = threading.Condition(threading.RLock())

    def add(self, stamp_ns: int, T_map_frame: Array) -> None:
        """Keep a pose; a stamp that goes back starts anew (the clock jumped), an equal one replaces."""
        with self._changed:
            if self._stamps and stamp_ns < self._stamps[-1]:
                self._stamps.clear()
                self._poses.clear()
            if self._stamps and stamp_ns == self._stamps[-1]:
                self._poses[-1] = T_map_frame
            else:
                self._stamps.append(stamp_ns)
                self._poses.append(T_map_frame)
            if len(self._stamps) > self._capacity:
                del self._stamps[0], self._poses[0]
            self._changed.notify_all()

    def at(self, stamp_ns: int) -> Array:
        """Pose (4, 4) at a stamp.

        Raises:
            NotYet: the stamp is later than the newest pose, or there is none yet.
            BadInput: the stamp is before the first pose, or in a gap.
        """
        with self._changed:
            i = bisect.bisect_left(self._stamps, stamp_ns)
            if i < len(self._stamps) and self._stamps[i] == stamp_ns:
                return self._poses[i]
            if i == len(self._stamps):
                newest = f"the newest is {(stamp_ns - self._stamps[-1]) * 1e-9:.3f} s older" if i else "none came yet"
                raise NotYet(f"no pose at the image's stamp {stamp_ns} ns: {newest}")
            if i == 0:
                early = (self._stamps[0] - stamp_ns) * 1e-9
                raise BadInput(
                    "pose_missing", f"no pose at the image's stamp {stamp_ns} ns: the first one is {early:.3f} s later"
                )
            before, after = self._stamps[i - 1], self._stamps[i]
            if after - before > self._max_gap_ns:
                gap = f"{(after - before) * 1e-9:.3f} s apart, more than max_pose_gap {self._max_gap_ns * 1e-9:.3f} s"
                raise BadInput("pose_gap", f"no pose at the image's stamp {stamp_ns} ns: those around it are {gap}")
            return interpolate(self._poses[i - 1], self._poses[i], (stamp_ns - before) / (after - before))

    def wait_at(self, stamp_ns: int, timeout: float) -> Array:
        """`at`, waiting up to ``timeout`` seconds for a pose that is not there yet.

        Raises:
            BadInput: there is none, and none came.
        """

        def may_come() -> bool:
            # Poses far later than the image are from before its clock went back: theirs has not gone back yet.
            return not self._stamps or self._stamps[-1] < stamp_ns or self._stamps[0] - stamp_ns > JUMP_NS

        with self._changed:
            try:
                self._changed.wait_for(lambda: not may_come(), timeout)
                return self.at(stamp_ns)
            except NotYet as error:
                raise BadInput("pose_missing", f"{error} (waited {timeout:.2f} s)") from error
