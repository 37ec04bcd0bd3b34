"""The short-term memory: few records of recent changes, newest last (KARMA, arXiv 2409.14908, section III-B).

Replacement is first in, first out, and a record about an object takes the place of the one about the same object.
What leaves is handed to the caller, who decides what becomes of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.episodic.records import Episode, PoseOf

#: Records further than this from the query point are out of reach [m] (KARMA's epsilon).
REACH = 3.0


class ShortTermMemory:
    """At most ``capacity`` episodes. One thread writes; readers see a whole state, before or after a change.

    Args:
        capacity: number of records, >= 1.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a capacity >= 1, got {capacity}")
        self.capacity = capacity
        self._records: tuple[Episode, ...] = ()
        self._embeddings: dict[str, npt.NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def add(self, episode: Episode, embedding: npt.ArrayLike | None = None) -> Episode | None:
        """Take in a record.

        Args:
            embedding: (D,) of unit length, to be found by.

        Returns:
            The record that had to leave: the older one about the same object, else the oldest if there were too many.
            None: none left (or only an earlier state of the same record).
        """
        left: Episode | None = None
        records: list[Episode] = []
        place: int | None = None
        for other in self._records:
            same_object = bool(episode.object_id) and other.object_id == episode.object_id
            if other.id != episode.id and not same_object:
                records.append(other)
                continue
            if other.id != episode.id:
                left = other
            if place is None:
                place = len(records)
        records.insert(len(records) if place is None else place, episode)
        if len(records) > self.capacity:
            left = records.pop(0)
        if embedding is not None:
            self._embeddings[episode.id] = np.asarray(embedding, dtype=np.float32)
        self._records = tuple(records)
        if left is not None:
            self._embeddings.pop(left.id, None)
        return left

    def get(self, id: str) -> Episode | None:
        """The record with this id, or None."""
        return next((e for e in self._records if e.id == id), None)

    def replace(self, episode: Episode) -> None:
        """Change the record with this id, in its place.

        Raises:
            KeyError: there is none.
        """
        if self.get(episode.id) is None:
            raise KeyError(f"there is no short-term record {episode.id!r}")
        self._records = tuple(episode if e.id == episode.id else e for e in self._records)

    def remove(self, id: str) -> bool:
        """Take a record out; whether it was there."""
        there = self.get(id) is not None
        self._records = tuple(e for e in self._records if e.id != id)
        self._embeddings.pop(id, None)
        return there

    def records(self) -> tuple[Episode, ...]:
        """All records, newest last."""
        return self._records

    def search(
        self,
        position: npt.ArrayLike | None = None,
        radius: float = REACH,
        embedding: npt.ArrayLike | None = None,
        k: int = 10,
        *,
        pose_of: PoseOf | None = None,
    ) -> list[tuple[Episode, float]]:
        """Records within reach, most similar first, then newest.

        Args:
            position: (3,) [m], map frame; None: everywhere.
            radius: reach [m].
            embedding: (D,) of unit length; None: all score 1.
            k: at most so many.
            pose_of: ``T_map_camera`` of a keyframe's id, for records that hang on one.

        Returns:
            (record, cosine in [0, 1]); a record without an embedding scores 0.
        """
        records = list(reversed(self._records))
        if position is not None:
            positions = [e.position_with(pose_of) if pose_of is not None else e.position for e in records]
            known = np.array([p if p is not None else (np.inf,) * 3 for p in positions]).reshape(-1, 3)
            near = np.linalg.norm(known - np.asarray(position, dtype=np.float64), axis=1) <= radius
            records = [e for e, is_near in zip(records, near, strict=True) if is_near]
        if embedding is None or not records:
            return [(e, 1.0) for e in records[:k]]
        query = np.asarray(embedding, dtype=np.float32)
        vectors = np.stack([self._embeddings.get(e.id, np.zeros_like(query)) for e in records])
        scores = np.clip(vectors @ query, 0.0, 1.0)
        return [(records[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:k]]
