"""Poses of the keyframes that episodes hang on, gathered at each question and copied only where they changed.

A pose that is corrected becomes another array object, so that ten thousand unchanged ones are recognised by identity in
about a millisecond: episodes follow corrections without being told, and no position is stored twice.
"""

from __future__ import annotations

import operator
import threading

import numpy as np
import numpy.typing as npt

from loci.episodic.records import PoseOf
from loci.geometry import Array


class PoseTable:
    """Keyframes by slot (0, 1, ...; for good) and their poses as last seen. One thread adds, any gathers."""

    def __init__(self) -> None:
        self._slot_of: dict[str, int] = {}
        self._ids: list[str] = []  # by slot; only ever appended to
        self._lock = threading.Lock()
        self._known: list[Array | None] = []
        self._poses = np.full((0, 4, 4), np.nan)

    def slot(self, keyframe_id: str) -> int:
        """Slot of a keyframe; a new one comes last."""
        slot = self._slot_of.get(keyframe_id)
        if slot is None:
            slot = self._slot_of[keyframe_id] = len(self._ids)
            self._ids.append(keyframe_id)
        return slot

    def gather(self, slots: npt.NDArray[np.int64], pose_of: PoseOf) -> Array:
        """Poses (M, 4, 4) of the keyframes in M slots; NaN where ``pose_of`` raises KeyError: it is gone."""
        ids = self._ids[:]
        with self._lock:
            if len(ids) > len(self._known):
                grown = np.full((max(2 * len(ids), 64), 4, 4), np.nan)
                grown[: len(self._poses)] = self._poses
                self._poses = grown
                self._known += [None] * (len(grown) - len(self._known))
            if 4 * len(slots) < len(ids):
                wanted = np.unique(slots).tolist()
                self._update(wanted, [_pose(pose_of, ids[slot]) for slot in wanted])
            else:
                self._update_all(ids, pose_of)
            return self._poses[slots]

    def _update_all(self, ids: list[str], pose_of: PoseOf) -> None:
        try:
            poses: list[Array | None] = list(map(pose_of, ids))
        except KeyError:
            poses = [_pose(pose_of, id) for id in ids]
        if not all(map(operator.is_, poses, self._known)):
            changed = [i for i, (new, old) in enumerate(zip(poses, self._known, strict=False)) if new is not old]
            self._update(changed, [poses[i] for i in changed])

    def _update(self, slots: list[int], poses: list[Array | None]) -> None:
        for slot, pose in zip(slots, poses, strict=True):
            if pose is not self._known[slot]:
                self._known[slot] = pose
                self._poses[slot] = np.nan if pose is None else pose


def _pose(pose_of: PoseOf, id: str) -> Array | None:
    try:
        return pose_of(id)
    except KeyError:
        return None
