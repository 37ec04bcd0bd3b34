"""The long-term memory: every experience ever kept, found by any mix of words, image, label, object, place and time.

Records lie in the store; what is searched is in memory, as columns. No text model runs for a keyframe: its labels are
encoded once each. One thread writes, any thread searches without waiting for it. Positions come from the keyframes'
poses at the moment of the question, so corrected poses need no call here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from loci.episodic.columns import Columns, View
from loci.episodic.consolidation import ConsolidationParameters, find_duplicates
from loci.episodic.filters import EpisodeFilter
from loci.episodic.records import Episode, PoseOf, episode_from_record, episode_to_fields
from loci.observation import unit_embedding
from loci.perception.text import TextEncoder
from loci.query import Order
from loci.store.store import Store
from loci.store.vectors import GrowingArray, largest

__all__ = ["ConsolidationResult", "EpisodeFilter", "LongTermMemory"]

Vector = npt.NDArray[np.float32]

#: Kinds of records in the store, by kind of episode: what a keyframe saw has the keyframe's id.
_RECORD_KIND = {"episode": "episode", "keyframe": "experience"}


@dataclass(frozen=True)
class ConsolidationResult:
    """How many records moved to the long term, and how many were merged into another."""

    n_consolidated: int = 0
    n_merged: int = 0


class LongTermMemory:
    """Episodes kept in a store. Changes are durable after the store's `commit`.

    Args:
        store: where they are kept; those in it are loaded.
        encoder: for labels, at the first search by text; None: texts rank by the episodes' own embeddings only.
    """

    def __init__(self, store: Store, encoder: TextEncoder | None) -> None:
        self._store = store
        self._encoder = encoder
        self._columns = Columns()
        self._label_lock = threading.Lock()  # held while new labels are encoded
        self._label_vectors: GrowingArray | None = None  # row i: of the i-th label code
        for session in store.sessions():
            self._columns.rank(session)
        for kind in _RECORD_KIND.values():
            for record in store.records(kind):
                vectors = {name: np.asarray(v, dtype=np.float32) for name, v in record.arrays.items()}
                if encoder is not None and record.fields.get("encoder", encoder.name) != encoder.name:
                    vectors.pop("text", None)  # of another model: does not compare
                self._columns.append(episode_from_record(record), vectors)

    def __len__(self) -> int:
        return len(self._columns.row_of)

    def __contains__(self, id: object) -> bool:
        return id in self._columns.row_of

    # ---- writing -------------------------------------------------------------------------------------------------

    def add(
        self,
        episode: Episode,
        text_embedding: npt.ArrayLike | None = None,
        image_embedding: npt.ArrayLike | None = None,
    ) -> None:
        """Keep an episode, in place of the one with its id.

        Args:
            text_embedding: (D,) of its text, by the memory's text encoder; None: it is found by its labels only.
            image_embedding: (D,) of its image, or None.

        Raises:
            ValueError: an embedding that is not a finite, non-zero vector.
        """
        vectors = {"text": text_embedding, "image": image_embedding}
        self._put(episode, {name: unit_embedding(v) for name, v in vectors.items() if v is not None})

    def remove(self, id: str) -> bool:
        """Take an episode out; whether it was there."""
        episode = self.get(id)
        if episode is None:
            return False
        self._columns.remove(id)
        self._store.delete(_RECORD_KIND[episode.kind], id)
        return True

    def replace(self, episode: Episode) -> None:
        """Change an episode, keeping its embeddings.

        Raises:
            KeyError: there is none with this id.
        """
        if episode.id not in self._columns.row_of:
            raise KeyError(f"there is no episode {episode.id!r} in the long-term memory")
        self._put(episode, self._columns.vectors_of(episode.id))

    def replace_objects(self, merged: Mapping[str, str]) -> int:
        """Follow merged objects (old id -> new id) in all episodes; how many changed."""
        view = self._columns.view
        codes = self._columns.codes(merged)
        rows = np.flatnonzero(view.rows_with(codes, view.object, view.object_row) & view.alive)
        for row in rows:
            episode = view.episodes[row]
            if episode is None:
                continue
            ids = tuple(dict.fromkeys(merged.get(i, i) for i in episode.object_ids))
            self.replace(replace(episode, object_id=merged.get(episode.object_id, episode.object_id), object_ids=ids))
        return len(rows)

    def consolidate(
        self, progress: Callable[[float, str], None] | None = None, parameters: ConsolidationParameters | None = None
    ) -> ConsolidationResult:
        """Merge near-duplicate episodes into the first of each run, which counts them (see `find_duplicates`)."""
        episodes = sorted((e for e in self.all() if e.kind == "episode"), key=self.time_key)
        vectors = [self._columns.vectors_of(e.id).get("text") for e in episodes]
        kept, merged = find_duplicates(episodes, vectors, parameters or ConsolidationParameters())
        for i, episode in enumerate(kept):
            self.replace(episode)
            if progress is not None:
                progress((i + 1) / len(kept), "merging near-duplicates")
        for id in merged:
            self.remove(id)
        return ConsolidationResult(n_merged=len(merged))

    def _put(self, episode: Episode, vectors: Mapping[str, Vector]) -> None:
        fields = episode_to_fields(episode)
        if "text" in vectors and self._encoder is not None:
            fields["encoder"] = self._encoder.name
        self._store.put(
            _RECORD_KIND[episode.kind],
            episode.id,
            fields,
            stamp_ns=episode.stamp_ns,
            session=episode.session,
            map_id=episode.map_id,
            arrays=vectors,
        )
        self._columns.append(episode, vectors)

    # ---- reading -------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Episode | None:
        """The episode, or None."""
        episodes, row = self._columns.view.episodes, self._columns.row_of.get(id)
        if row is None:
            return None
        episode = episodes[row] if row < len(episodes) else None
        if episode is not None and episode.id == id:
            return episode
        return next((e for e in self.all() if e.id == id), None)  # rows moved meanwhile

    def all(self) -> tuple[Episode, ...]:
        """All episodes, in no order."""
        return tuple(e for e in list(self._columns.view.episodes) if e is not None)

    def ids_about(self, object_ids: Sequence[str] = (), keyframe_ids: Sequence[str] = ()) -> tuple[str, ...]:
        """Ids of episodes about one of these objects, or hanging on one of these keyframes."""
        objects, keyframes = set(object_ids), set(keyframe_ids)
        hanging = {e.id for e in self.all() if e.keyframe_id in keyframes or e.id in keyframes}
        return tuple(e.id for e in self.all() if e.id in hanging or objects.intersection(e.all_object_ids))

    def pinned(self) -> tuple[Episode, ...]:
        """Episodes that are never forgotten by budget."""
        return tuple(e for e in self.all() if e.pinned)

    def n_events_at(self, keyframe_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many events and remarks hang on each of N keyframes, (N,)."""
        view, columns = self._columns.view, self._columns
        slots = np.array([columns.poses.slot(i) for i in keyframe_ids], dtype=np.int64)
        is_event = view.alive & (view.kind == columns.code("episode")) & (view.keyframe >= 0)
        counts = np.bincount(view.keyframe[is_event], minlength=int(slots.max(initial=-1)) + 1)
        return counts[slots]

    def time_key(self, episode: Episode) -> tuple[int, int]:
        """Sorts episodes by time over all sessions: stamps may start anew with each."""
        return (self._columns.rank(episode.session), episode.stamp_ns)

    def session_rank(self, session: str) -> int:
        """Which session it is, counted in the order in which they began; one without episodes comes last."""
        return self._columns.known_rank(session)

    def search(
        self,
        conditions: EpisodeFilter,
        *,
        text_embedding: npt.ArrayLike | None = None,
        image_embedding: npt.ArrayLike | None = None,
        order: Order = "relevance",
        limit: int = 10,
        offset: int = 0,
        pose_of: PoseOf | None = None,
    ) -> tuple[list[tuple[Episode, float]], int]:
        """Episodes that meet all conditions, best first.

        Args:
            conditions: see `EpisodeFilter`.
            text_embedding: (D,) by the memory's text encoder, to rank by: a record scores the cosine with its own
                text or with the best of its labels, whichever is higher.
            image_embedding: (D,) by the memory's image encoder, to rank by; with a text as well the mean counts.
            order: "relevance" (then newest), "newest" or "oldest".
            limit, offset: the page.
            pose_of: ``T_map_camera`` of a keyframe's id; needed for conditions on position.

        Returns:
            (episode, score in [0, 1]) of the page, and how many match in all. Without embeddings all score 1.

        Raises:
            ValueError: a condition on position without ``pose_of``, or a text embedding of another length
                than the encoder's.
        """
        view = self._columns.view
        mask = self._mask(view, conditions, pose_of)
        scores = self._scores(view, mask, text_embedding, image_embedding)
        rows = np.flatnonzero(mask)
        # What a keyframe saw comes before the events that followed from it.
        is_event = view.kind[rows] == self._columns.codes(("episode",))[0] if len(rows) else rows
        time = np.lexsort((is_event, view.stamp[rows], view.rank[rows]))
        rows = rows[time if order == "oldest" else time[::-1]]
        if order == "relevance" and (text_embedding is not None or image_embedding is not None):
            rows = rows[largest(scores[rows], offset + limit)]
        found = [(view.episodes[row], float(scores[row])) for row in rows[offset : offset + limit]]
        return [(episode, score) for episode, score in found if episode is not None], int(mask.sum())

    def label_scores(self, labels: Sequence[Sequence[str]], text_embedding: npt.ArrayLike) -> Vector:
        """Best cosine of a text (D,) with each of N lists of labels, (N,) in [0, 1]; 0 for an empty list."""
        query = unit_embedding(text_embedding)
        unique = list(dict.fromkeys(label for several in labels for label in several))
        if not unique or self._encoder is None:
            return np.zeros(len(labels), dtype=np.float32)
        cosine = dict(zip(unique, (self._encoder.encode(unique) @ query).tolist(), strict=True))
        best = [max((cosine[label] for label in several), default=0.0) for several in labels]
        return np.clip(np.array(best, dtype=np.float32), 0.0, 1.0)

    def _mask(self, view: View, conditions: EpisodeFilter, pose_of: PoseOf | None) -> npt.NDArray[np.bool_]:
        """(N,) bool: rows that meet all conditions."""
        columns = self._columns
        mask = np.array(view.alive)
        if conditions.kinds:
            mask &= np.isin(view.kind, columns.codes(conditions.kinds))
        if conditions.places is not None:
            mask &= np.isin(view.place, columns.codes(p for p in conditions.places))
        for wanted, column in (
            (conditions.state, view.state),
            (conditions.session, view.session),
            (conditions.map_id, view.map_id),
        ):
            if wanted is not None:
                mask &= column == columns.code(wanted)
        if conditions.after_ns is not None:
            mask &= view.stamp >= conditions.after_ns
        if conditions.before_ns is not None:
            mask &= view.stamp < conditions.before_ns
        if conditions.labels:
            mask &= view.rows_with(columns.codes(conditions.labels), view.label, view.label_row)
        if conditions.object_id is not None:
            mask &= view.rows_with(columns.codes([conditions.object_id]), view.object, view.object_row)
        if conditions.is_spatial:
            if pose_of is None:
                raise ValueError("expected pose_of for a condition on position")
            rows = np.flatnonzero(mask)
            mask[rows] = _inside(self._positions(view, rows, pose_of), conditions)
        return mask

    def _scores(
        self, view: View, mask: npt.NDArray[np.bool_], text: npt.ArrayLike | None, image: npt.ArrayLike | None
    ) -> Vector:
        """(N,) in [0, 1]."""
        parts: list[Vector] = []
        if text is not None:
            query = unit_embedding(text)
            labels = view.best_label(self._label_cosines(query))
            parts.append(np.maximum(view.similarity("text", query, mask), labels))
        if image is not None:
            parts.append(view.similarity("image", unit_embedding(image), mask))
        if not parts:
            return np.ones(len(view), dtype=np.float32)
        return np.mean([np.clip(part, 0.0, 1.0) for part in parts], axis=0, dtype=np.float32)

    def _positions(self, view: View, rows: npt.NDArray[np.intp], pose_of: PoseOf) -> npt.NDArray[np.float64]:
        """Map positions (M, 3) [m] of some rows with the poses of now; NaN: not known."""
        positions = np.array(view.position[rows])
        hanging = np.flatnonzero(view.keyframe[rows] >= 0)
        if len(hanging):
            T = self._columns.poses.gather(view.keyframe[rows[hanging]], pose_of)  # (M', 4, 4)
            here = np.einsum("nij,nj->ni", T[:, :3, :3], view.offset[rows[hanging]]) + T[:, :3, 3]
            positions[hanging] = np.where(np.isnan(here), positions[hanging], here)
        return positions

    def _label_cosines(self, query: Vector) -> Vector:
        """Cosine of a unit vector (D,) with each label, by code (n_codes,); what is no label gets 0."""
        encoder, columns = self._encoder, self._columns
        if encoder is None:
            return np.zeros(len(columns.names), dtype=np.float32)
        if len(query) != encoder.dimension:
            raise ValueError(f"expected a text embedding ({encoder.dimension},) of {encoder.name}, got ({len(query)},)")
        with self._label_lock:
            if self._label_vectors is None:
                self._label_vectors = GrowingArray((encoder.dimension,))
            codes = columns.label_codes[:]
            new = codes[len(self._label_vectors) :]
            if new:
                self._label_vectors.extend(encoder.encode([columns.names[code] for code in new]))
            vectors = self._label_vectors.view()
        cosines = np.zeros(len(columns.names), dtype=np.float32)
        cosines[codes] = vectors @ query
        return cosines


def _inside(positions: npt.NDArray[np.float64], conditions: EpisodeFilter) -> npt.NDArray[np.bool_]:
    """(M,) bool: positions (M, 3) that meet the conditions on position; unknown ones (NaN) do not."""
    inside = ~np.isnan(positions[:, 0])
    if conditions.position is not None and conditions.radius is not None:
        inside &= np.linalg.norm(positions - np.asarray(conditions.position), axis=1) <= conditions.radius
    if conditions.box is not None:
        lower, upper = np.asarray(conditions.box)
        inside &= np.all((positions >= lower) & (positions <= upper), axis=1)
    return inside
