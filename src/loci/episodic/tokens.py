"""Memory tokens: one vector per place or octree node that everything seen there was written into (Mem4Nav, arXiv 2506.19433).

A chain of writes is cut into segments of at most 32, because rounding grows along it; each segment keeps its start. Earlier writes
come back only with their residuals, which are kept as asked for. Taking an experience out writes its segment, and those after it, anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loci.episodic.codec import TokenCodec, Vectors
from loci.episodic.residuals import FORMATS, ResidualFormat, pack, packed_bytes, unpack
from loci.store.store import Record, Store

#: Writes in one segment at most.
SEGMENT = 32
_KIND = "token"

#: Experiences and their vectors (D,) to write, by key.
_Rows = dict[str, list[tuple[str, Vectors]]]


@dataclass(frozen=True)
class TokenParameters:
    """Settings of memory tokens.

    Attributes:
        enabled: off by default: as an archive they need more bytes than the vectors, quantised (docs/tokens.md).
        residuals: how residuals are kept; none: a token is a summary only.
        level: octree nodes of 2^level leaves per edge have a token, 0 to 16.
        codec: path of a checkpoint that `loci train-tokens` wrote; empty: weights drawn from a seed.
    """

    enabled: bool = False
    residuals: ResidualFormat = "none"
    level: int = 5
    codec: str = ""

    def __post_init__(self) -> None:
        if self.residuals not in FORMATS:
            raise ValueError(f"expected residuals as one of {', '.join(FORMATS)}, got {self.residuals!r}")
        if not 0 <= self.level <= 16:
            raise ValueError(f"expected a level from 0 to 16, got {self.level}")


@dataclass(frozen=True)
class Segment:
    """At most `SEGMENT` writes.

    Attributes:
        ids: of the experiences, in the order of writing.
        start, token: (D,) before the first and after the last.
        packed: residuals, see `residuals.pack`.
    """

    ids: tuple[str, ...]
    start: Vectors
    token: Vectors
    packed: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """Bytes of its arrays."""
        return self.start.nbytes + self.token.nbytes + packed_bytes(self.packed)


class TokenMemory:
    """Tokens by key. One thread writes, any thread reads; durable after `save` and the store's commit.

    Args:
        store: where they are kept (records of kind ``token``).
        codec: what writes and reads them; those of another codec are left out, and given up with the next `save`.
        vector_of: the vector (D,) of an experience, or None: what was read from the token then stands in, which without
            residuals is no more than a guess.
        residuals: how they are kept.
    """

    def __init__(
        self,
        store: Store,
        codec: TokenCodec,
        vector_of: Callable[[str], npt.ArrayLike | None],
        residuals: ResidualFormat = "none",
    ) -> None:
        self._store = store
        self._codec = codec
        self._identity = codec.identity
        self._vector_of = vector_of
        self._residuals: ResidualFormat = TokenParameters(residuals=residuals).residuals
        self._start: Vectors = codec.start.detach().cpu().numpy().copy()
        self._segments: dict[str, tuple[Segment, ...]] = {}  # by key
        self._keys: dict[str, tuple[str, ...]] = {}  # by experience
        self._stored: dict[str, int] = {}  # by key: segments in the store
        self._dirty: dict[str, int] = {}  # by key: its first segment that is not in the store as it is
        self._load()

    # ---- writing -------------------------------------------------------------------------------------------------

    def add(self, id: str, keys: Iterable[str], vector: npt.ArrayLike) -> None:
        """Write an experience into the tokens of some keys (place, octree node); see `add_all`."""
        self.add_all([(id, keys, vector)])

    def add_all(self, experiences: Iterable[tuple[str, Iterable[str], npt.ArrayLike]]) -> None:
        """Write experiences (id, keys, vector (D,)) in this order; those of different keys at once.

        Raises:
            ValueError: one was written before, has no key, or a vector of another shape or not finite; nothing has changed then.
        """
        keys_of: dict[str, tuple[str, ...]] = {}
        rows: _Rows = {}
        for id, keys, vector in experiences:
            wanted = tuple(dict.fromkeys(key for key in keys if key))
            row = np.asarray(vector, dtype=np.float32)
            if id in self._keys or id in keys_of:
                raise ValueError(f"expected a new experience, got {id}, which was written before: use `move`")
            if not wanted:
                raise ValueError(f"expected a key to write {id} to, got none")
            if row.shape != (self._codec.dimension,) or not np.all(np.isfinite(row)):
                raise ValueError(f"expected a finite vector ({self._codec.dimension},) of {id}, got {row.shape}")
            keys_of[id] = wanted
            for key in wanted:
                rows.setdefault(key, []).append((id, row))
        self._append(rows)
        self._keys |= keys_of

    def remove(self, ids: Collection[str]) -> int:
        """Take experiences out; how many there were. What was written after them is written anew."""
        gone = {id for id in ids if id in self._keys}
        for key in dict.fromkeys(key for id in gone for key in self._keys[id]):
            self._rewrite(key, gone)
        for id in gone:
            del self._keys[id]
        return len(gone)

    def move(self, keys_of: Mapping[str, Iterable[str]]) -> int:
        """Experiences belong to other keys now, e.g. after poses were corrected; how many changed their keys.

        Raises:
            ValueError: no key for one of them; nothing has changed then.
        """
        wanted = {id: tuple(dict.fromkeys(key for key in keys if key)) for id, keys in keys_of.items()}
        if empty := [id for id, keys in wanted.items() if not keys]:
            raise ValueError(f"expected a key for each experience, got none for {empty}")
        changed = {id: keys for id, keys in wanted.items() if id in self._keys and set(self._keys[id]) != set(keys)}
        rows = {id: self._vector(id) for id in changed}
        gone: dict[str, set[str]] = {}  # by key
        for id, keys in changed.items():
            for key in set(self._keys[id]) - set(keys):
                gone.setdefault(key, set()).add(id)
        for key, ids in gone.items():
            self._rewrite(key, ids)
        new: _Rows = {}
        for id, keys in changed.items():
            for key in keys:
                if key not in self._keys[id]:
                    new.setdefault(key, []).append((id, rows[id]))
        self._append(new)
        self._keys |= changed
        return len(changed)

    def save(self) -> None:
        """Put what has changed into the store."""
        for key, first in self._dirty.items():
            segments = self._segments.get(key, ())
            for i in range(len(segments), self._stored.get(key, 0)):
                self._store.delete(_KIND, f"{key}#{i}")
            for i in range(first, len(segments)):
                segment = segments[i]
                self._store.put(
                    _KIND,
                    f"{key}#{i}",
                    {"key": key, "index": i, "ids": segment.ids, "codec": self._identity},
                    arrays={"start": segment.start, "token": segment.token, **segment.packed},
                )
            self._stored[key] = len(segments)
        self._dirty = {}

    # ---- reading -------------------------------------------------------------------------------------------------

    def __contains__(self, id: object) -> bool:
        return id in self._keys

    @property
    def ids(self) -> tuple[str, ...]:
        """Experiences that were written."""
        return tuple(self._keys)

    def keys_of(self, id: str) -> tuple[str, ...]:
        """Keys that an experience was written to; empty: none."""
        return self._keys.get(id, ())

    def all_keys(self, prefix: str = "") -> tuple[str, ...]:
        """Keys that have a token."""
        return tuple(key for key in list(self._segments) if key.startswith(prefix))

    def token(self, key: str) -> Vectors:
        """Token (D,) of a key: for a model's input, and for `nearest`.

        Raises:
            KeyError: nothing was written there.
        """
        return self._of(key)[-1].token

    def read(self, key: str) -> dict[str, Vectors]:
        """Vectors (D,) by experience, read from the tokens of a key: exact up to rounding if residuals are kept in float32.

        Raises:
            KeyError: nothing was written there.
        """
        found: dict[str, Vectors] = {}
        for segment in self._of(key):
            _, vectors = self._codec.decode(segment.token, unpack(segment.packed), len(segment.ids))
            found |= dict(zip(segment.ids, vectors, strict=True))
        return found

    def nearest(self, vector: npt.ArrayLike, k: int = 10, prefix: str = "") -> list[tuple[str, float]]:
        """Keys whose token is most like that of a single vector (D,), best first, with the cosine.

        Both are compared by what was added to the empty token.

        Raises:
            ValueError: a vector of another shape or not finite.
        """
        query, _ = self._codec.encode(self._start, np.asarray(vector, dtype=np.float32)[None])
        keys = self.all_keys(prefix)
        if not keys:
            return []
        return self._ranked(query, keys, k)

    def similar(self, key: str, k: int = 10, prefix: str = "") -> list[tuple[str, float]]:
        """Other keys whose token is most like that of ``key``, best first, with the cosine.

        Raises:
            KeyError: nothing was written there.
        """
        token = self.token(key)
        return self._ranked(token, tuple(other for other in self.all_keys(prefix) if other != key), k)

    def statistics(self) -> dict[str, int]:
        """Counts, and bytes of all arrays."""
        every = [segment for segments in list(self._segments.values()) for segment in segments]
        return {
            "tokens": len(self._segments),
            "token_experiences": len(self._keys),
            "token_bytes": sum(segment.n_bytes for segment in every),
        }

    # ---- inside --------------------------------------------------------------------------------------------------

    def _ranked(self, query: Vectors, keys: tuple[str, ...], k: int) -> list[tuple[str, float]]:
        if not keys:
            return []
        added = np.stack([self.token(key) for key in keys]) - self._start  # (K, D)
        toward = query - self._start
        lengths = np.linalg.norm(added, axis=1) * np.linalg.norm(toward)
        cosines = added @ toward / np.maximum(lengths, np.finfo(np.float32).tiny)
        return [(keys[i], float(cosines[i])) for i in np.argsort(-cosines, kind="stable")[:k]]

    def _of(self, key: str) -> tuple[Segment, ...]:
        segments = self._segments.get(key)
        if segments is None:
            raise KeyError(f"nothing was written to {key!r}")
        return segments

    def _append(self, rows: _Rows) -> None:
        before = {key: self._segments.get(key, ()) for key in rows}
        for key, segments in self._extended(before, rows).items():
            is_full = not before[key] or len(before[key][-1].ids) == SEGMENT
            self._set(key, segments, len(before[key]) - (not is_full))

    def _extended(self, before: Mapping[str, tuple[Segment, ...]], rows: _Rows) -> dict[str, tuple[Segment, ...]]:
        """Chains of segments with more writes; those of all keys are written at once, a segment at a time."""
        chains, waiting = dict(before), {key: list(items) for key, items in rows.items() if items}
        while waiting:
            by_length: dict[int, list[str]] = {}
            for key, items in waiting.items():
                room = SEGMENT - len(chains[key][-1].ids) if chains[key] else 0
                by_length.setdefault(min(room or SEGMENT, len(items)), []).append(key)
            for n, keys in by_length.items():
                starts = np.stack([chains[key][-1].token if chains[key] else self._start for key in keys])  # (K, D)
                vectors = np.stack([[row for _, row in waiting[key][:n]] for key in keys])  # (K, n, D)
                tokens, residuals = self._codec.encode_all(starts, vectors)
                for key, start, token, residual in zip(keys, starts, tokens, residuals, strict=True):
                    ids = tuple(id for id, _ in waiting[key][:n])
                    chains[key] = _written(chains[key], Segment(ids, start, token, pack(residual, self._residuals)))
            taken = {key: n for n, keys in by_length.items() for key in keys}
            waiting = {key: items[taken[key] :] for key, items in waiting.items() if len(items) > taken[key]}
        return chains

    def _rewrite(self, key: str, gone: Collection[str]) -> None:
        """Write a key's segments anew from the first one that has one of ``gone``; later ones began with its token."""
        segments = self._of(key)
        first = next(i for i, segment in enumerate(segments) if not set(segment.ids).isdisjoint(gone))
        later = [id for segment in segments[first:] for id in segment.ids if id not in gone]
        known = {id: self._vector_of(id) for id in later}
        read = self.read(key) if any(v is None for v in known.values()) else {}
        rows = [(id, np.asarray(read[id] if v is None else v, dtype=np.float32)) for id, v in known.items()]
        self._set(key, self._extended({key: segments[:first]}, {key: rows})[key], first)

    def _vector(self, id: str) -> Vectors:
        """The vector (D,) of an experience."""
        vector = self._vector_of(id)
        found = self.read(self._keys[id][0])[id] if vector is None else vector
        return np.asarray(found, dtype=np.float32)

    def _set(self, key: str, segments: tuple[Segment, ...], first_changed: int) -> None:
        if segments:
            self._segments[key] = segments
        else:
            self._segments.pop(key, None)
        self._dirty[key] = min(first_changed, self._dirty.get(key, first_changed))

    def _load(self) -> None:
        chains: dict[str, dict[int, Record]] = {}
        for record in self._store.records(_KIND):
            chains.setdefault(record.fields["key"], {})[int(record.fields["index"])] = record
        for key, records in chains.items():
            self._stored[key] = max(records) + 1
            whole = sorted(records) == list(range(len(records))) and all(map(self._fits, records.values()))
            if (
                not whole
            ):  # of another codec or format, or a part was damaged: written anew by the caller (`ids` lacks them)
                self._dirty[key] = 0
                continue
            self._segments[key] = tuple(_segment_of(records[i]) for i in range(len(records)))
        for key, segments in self._segments.items():
            for segment in segments:
                for id in segment.ids:
                    self._keys[id] = (*self._keys.get(id, ()), key)

    def _fits(self, record: Record) -> bool:
        kept = record.arrays.get("residuals")
        found = "none" if kept is None else kept.dtype.name
        return record.fields["codec"] == self._identity and found == self._residuals


def _written(segments: tuple[Segment, ...], new: Segment) -> tuple[Segment, ...]:
    """Segments with writes that follow: in the last one, if it is not full."""
    if not segments or len(segments[-1].ids) == SEGMENT:
        return (*segments, new)
    last = segments[-1]
    joined = {name: np.concatenate([last.packed[name], new.packed[name]]) for name in new.packed}
    return (*segments[:-1], Segment((*last.ids, *new.ids), last.start, new.token, joined))


def _segment_of(record: Record) -> Segment:
    arrays = {name: np.array(array) for name, array in record.arrays.items()}
    return Segment(tuple(record.fields["ids"]), arrays.pop("start"), arrays.pop("token"), arrays)
