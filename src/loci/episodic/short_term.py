"""The short-term memory: few records of recent changes, bounded in number and bytes (KARMA, arXiv 2409.14908, section III-B).

A record about an object takes the place of the one about the same object. Who leaves when there are too many is up to a
`ReplacementPolicy`; what leaves is handed to the caller, who decides what becomes of it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from loci.episodic.policy import Usage
from loci.episodic.records import Episode, PoseOf, Position, episode_to_fields
from loci.episodic.replacement import PolicyName, make_policy

#: Records further than this from the query point are out of reach [m] (KARMA's epsilon).
REACH = 3.0

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ShortTermParameters:
    """Settings of the short-term memory.

    Attributes:
        capacity: records at most, >= 1.
        capacity_bytes: bytes of all records at most, with their embeddings, >= 1.
        policy: which record leaves when there are too many.
        window_share: share of the capacity that is W-TinyLFU's window, in (0, 1).
        retention_weight: lambda of the retention score, in [0, 1].
    """

    capacity: int = 100
    capacity_bytes: int = 16 << 20
    policy: PolicyName = "fifo"
    window_share: float = 0.01
    retention_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"expected a capacity >= 1, got {self.capacity}")
        if self.capacity_bytes < 1:
            raise ValueError(f"expected a capacity >= 1 byte, got {self.capacity_bytes}")
        make_policy(
            self.policy, 1, window_share=self.window_share, retention_weight=self.retention_weight
        )  # checks the rest


@dataclass(frozen=True)
class ShortTermRecord:
    """A record as it is found.

    Attributes:
        episode: what it says.
        score: cosine with what was asked for, in [0, 1]; 1 where nothing was.
        frequency: how often it came in, was written anew or was read.
        position: (x, y, z) [m] in the map frame with the poses of now; None: not known.
        position_in_place: the same relative to a place: axes of the map, origin at the place [m]; None: not known.
        image: JPEG of what it is about, where it was asked for and there is one.
    """

    episode: Episode
    score: float
    frequency: int
    position: Position | None
    position_in_place: Position | None
    image: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _View:
    """What readers use; replaced as a whole."""

    records: tuple[Episode, ...]  # oldest first
    embeddings: Mapping[str, Vector]

    @cached_property
    def by_id(self) -> Mapping[str, int]:
        return {e.id: i for i, e in enumerate(self.records)}

    def matrix(self, dimension: int) -> Vector:
        """Embeddings (N, D); zeros where a record has none of this length."""
        rows = np.zeros((len(self.records), dimension), dtype=np.float32)
        for i, e in enumerate(self.records):
            vector = self.embeddings.get(e.id)
            if vector is not None and len(vector) == dimension:
                rows[i] = vector
        return rows


class ShortTermMemory:
    """Episodes within the bounds. One thread writes; readers see a whole state, before or after a change."""

    def __init__(self, parameters: ShortTermParameters | None = None) -> None:
        self.parameters = parameters or ShortTermParameters()
        p = self.parameters
        self._policy = make_policy(
            p.policy, p.capacity, window_share=p.window_share, retention_weight=p.retention_weight
        )
        self._records: dict[str, Episode] = {}  # by key, in the order in which the keys came in
        self._key_of: dict[str, str] = {}  # by id
        self._embeddings: dict[str, Vector] = {}  # by id
        self._bytes: dict[str, int] = {}  # by key
        #: Bytes of all records, with their embeddings.
        self.n_bytes = 0
        self._reads: dict[str, int] = {}  # by id, the latest last; not yet told to the policy
        self._reads_lock = threading.Lock()
        self._publish()

    def __len__(self) -> int:
        return len(self._view.records)

    # ---- writing -------------------------------------------------------------------------------------------------

    def add(self, episode: Episode, embedding: npt.ArrayLike | None = None) -> tuple[Episode, ...]:
        """Take in a record.

        Args:
            embedding: (D,) of unit length, to be found by.

        Returns:
            The records that had to leave: the older one about the same object, and those that there is no room for any more; the
            new one itself if it is larger than the whole memory.
        """
        self.note_reads()
        vector = None if embedding is None else np.asarray(embedding, dtype=np.float32)
        size = record_bytes(episode, vector)
        if size > self.parameters.capacity_bytes:
            return (episode,)
        key = _key(episode)
        left: list[Episode] = []
        known = self._key_of.get(episode.id)
        if known is not None and known != key:  # the same record, about another object now
            self._drop(known)
        if key in self._records:
            before = self._records[key]
            if before.id != episode.id:
                left.append(before)
            self._embeddings.pop(before.id, None)
            self._key_of.pop(before.id)
            self.n_bytes -= self._bytes[key]
            self._policy.access(key, is_write=True)
        else:
            self._policy.insert(key)
        self._records[key] = episode
        self._key_of[episode.id] = key
        self._bytes[key] = size
        self.n_bytes += size
        if vector is not None:
            self._embeddings[episode.id] = vector
        while len(self._records) > self.parameters.capacity or self.n_bytes > self.parameters.capacity_bytes:
            gone = self._policy.evict(keep=key)
            left.append(self._records[gone])
            self._forget(gone)
        self._publish()
        return tuple(left)

    def replace(self, episode: Episode) -> None:
        """Change the record with this id, in its place.

        Raises:
            KeyError: there is none.
            ValueError: it would be about another object (see `rename_object`).
        """
        key = self._key_of.get(episode.id)
        if key is None:
            raise KeyError(f"there is no short-term record {episode.id!r}")
        if key != _key(episode):
            raise ValueError(f"expected {episode.id} to stay about {key}, got {_key(episode)}")
        self._set(key, episode)
        self._publish()

    def rename_object(self, renamed: Episode, is_newer: Callable[[Episode, Episode], bool]) -> Episode | None:
        """The record with this id is about another object now, with all that is known of its use.

        Args:
            is_newer: whether the first of two records about the same object is the newer one, which stays.

        Returns:
            The record that had to leave: the older of two about the object. None: none.

        Raises:
            KeyError: there is no record with this id.
        """
        old, key = self._key_of.get(renamed.id), _key(renamed)
        if old is None:
            raise KeyError(f"there is no short-term record {renamed.id!r}")
        other = self._records.get(key) if key != old else None
        self._policy.rename(old, key)
        left = None
        if other is None:
            self._records = {key if k == old else k: e for k, e in self._records.items()}
            self._bytes[key] = self._bytes.pop(old)
            self._set(key, renamed)
        else:
            stays, left = (renamed, other) if is_newer(renamed, other) else (other, renamed)
            self.n_bytes -= self._bytes.pop(old)
            del self._records[old]
            self._key_of.pop(left.id)
            self._embeddings.pop(left.id, None)
            self._set(key, stays)
        self._publish()
        return left

    def remove(self, id: str) -> bool:
        """Take a record out; whether it was there."""
        key = self._key_of.get(id)
        if key is None:
            return False
        self._drop(key)
        self._publish()
        return True

    def restore(self, records: Iterable[tuple[Episode, Usage | None]]) -> tuple[Episode, ...]:
        """Hold these records, as they were used earlier (None: not known); those that there is no room for.

        Args:
            records: of several about one object the last one stays.
        """
        usage: dict[str, Usage] = {}
        left: list[Episode] = []
        for i, (episode, used) in enumerate(records):
            key = _key(episode)
            if key in self._records:
                left.append(self._records[key])
            self._records[key] = episode
            self._bytes[key] = record_bytes(episode, None)
            usage[key] = used or Usage(1, i, i, i)
        self.n_bytes = sum(self._bytes.values())
        self._key_of = {episode.id: key for key, episode in self._records.items()}
        order = sorted(self._records, key=lambda key: usage[key].entered)
        self._records = {key: self._records[key] for key in order}
        self._policy.restore(usage)
        while len(self._records) > self.parameters.capacity or self.n_bytes > self.parameters.capacity_bytes:
            gone = self._policy.evict()
            left.append(self._records[gone])
            self._forget(gone)
        self._publish()
        return tuple(left)

    def note_reads(self) -> tuple[str, ...]:
        """Tell the policy what was read since the last call; ids of these records. By the thread that writes."""
        with self._reads_lock:
            reads, self._reads = self._reads, {}
        noted: list[str] = []
        for id, n in reads.items():
            key = self._key_of.get(id)
            if key is not None:
                self._policy.access(key, n)
                noted.append(id)
        return tuple(noted)

    def usage(self, id: str) -> Usage | None:
        """How the record was used, as far as the policy was told; None: there is no such record."""
        key = self._key_of.get(id)
        return self._policy.usage(key) if key is not None else None

    # ---- reading, from any thread --------------------------------------------------------------------------------

    def count_reads(self, ids: Iterable[str]) -> None:
        """These records were given as evidence: to a policy that counts, that is a use."""
        known = self._view.by_id
        with self._reads_lock:
            for id in ids:
                if id in known:
                    self._reads[id] = self._reads.pop(id, 0) + 1

    def get(self, id: str) -> Episode | None:
        """The record with this id, or None."""
        view = self._view
        row = view.by_id.get(id)
        return None if row is None else view.records[row]

    def records(self) -> tuple[Episode, ...]:
        """All records, newest last; one that took another's place stands there."""
        return self._view.records

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
        view = self._view
        rows = np.arange(len(view.records))[::-1]
        if position is not None:
            here = [view.records[i].position_with(pose_of) if pose_of else view.records[i].position for i in rows]
            known = np.array([p if p is not None else (np.inf,) * 3 for p in here]).reshape(-1, 3)
            rows = rows[np.linalg.norm(known - np.asarray(position, dtype=np.float64), axis=1) <= radius]
        if embedding is None or not len(rows):
            return [(view.records[i], 1.0) for i in rows[:k]]
        query = np.asarray(embedding, dtype=np.float32)
        scores = np.clip(view.matrix(len(query))[rows] @ query, 0.0, 1.0)
        return [(view.records[rows[i]], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:k]]

    # ---- inside --------------------------------------------------------------------------------------------------

    def _set(self, key: str, episode: Episode) -> None:
        """Change the record of a key that is here."""
        self._records[key] = episode
        self._key_of[episode.id] = key
        self.n_bytes -= self._bytes[key]
        self._bytes[key] = record_bytes(episode, self._embeddings.get(episode.id))
        self.n_bytes += self._bytes[key]

    def _drop(self, key: str) -> None:
        self._policy.remove(key)
        self._forget(key)

    def _forget(self, key: str) -> None:
        episode = self._records.pop(key)
        self._key_of.pop(episode.id)
        self._embeddings.pop(episode.id, None)
        self.n_bytes -= self._bytes.pop(key)

    def _publish(self) -> None:
        self._view = _View(tuple(self._records.values()), dict(self._embeddings))


def record_bytes(episode: Episode, embedding: Vector | None = None) -> int:
    """Bytes of a record: its fields as they are stored, and its embedding."""
    fields = json.dumps(episode_to_fields(episode), separators=(",", ":"), allow_nan=False)
    return len(fields.encode()) + (0 if embedding is None else embedding.nbytes)


def _key(episode: Episode) -> str:
    """What a record takes the place of: that about the same object, else only itself."""
    return episode.object_id or episode.id
