"""The long-term memory: every experience ever kept, found by any mix of words, image, label, object, place and time.

Records lie in the store; what is searched is in memory, as columns. No text model runs for a keyframe: its labels are
encoded once each. One thread writes, any thread searches without waiting for it. Positions come from the keyframes'
poses at the moment of the question, so corrected poses need no call here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from loci.episodic.columns import Columns
from loci.episodic.consolidation import ConsolidationParameters, Runs, find_duplicates
from loci.episodic.filters import EpisodeFilter
from loci.episodic.lexical import join, query_words
from loci.episodic.nearest import ListKeeper
from loci.episodic.records import Episode, PoseOf, episode_from_record, episode_to_fields
from loci.episodic.selecting import select
from loci.episodic.view import View
from loci.observation import unit_embedding
from loci.perception.text import TextEncoder
from loci.query import Order
from loci.store.store import Store
from loci.store.vectors import GrowingArray

__all__ = ["ConsolidationResult", "EpisodeFilter", "LongTermMemory"]

Vector = npt.NDArray[np.float32]

#: So many vectors are compared one by one in a millisecond.
MAX_EXACT = 5_000
#: Where there is an index, so many that meet the conditions are still compared one by one.
_FEW = 1_000
#: So many episodes wait at most for `consolidate_slice`; older ones are left to `consolidate`.
_MAX_NEW = 4096

#: Kinds of records in the store, by kind of episode: what a keyframe saw has the keyframe's id.
_RECORD_KIND = {"episode": "episode", "keyframe": "experience"}


@dataclass(frozen=True)
class _Question:
    """What ranks, ready to be compared.

    Attributes:
        vectors: unit vectors by name, "text" and "image".
        labels: cosine of the text with each label, by code.
        rows, shares: (R,) rows that have some of the text's words, ascending, and which share of them.
    """

    vectors: Mapping[str, Vector]
    labels: Vector | None
    rows: npt.NDArray[np.int64]
    shares: Vector


@dataclass(frozen=True)
class ConsolidationResult:
    """How many records moved to the long term, and how many were merged into another: {id: id of the one that counts it now}."""

    n_consolidated: int = 0
    n_merged: int = 0
    merged: Mapping[str, str] = field(default_factory=dict, compare=False)


class LongTermMemory:
    """Episodes kept in a store. Changes are durable after the store's `commit`.

    Args:
        store: where they are kept; those in it are loaded.
        encoder: for labels, at the first search by text; None: texts rank by the episodes' own embeddings only.
        max_exact: with more vectors than these an index finds what is nearest (recall 0.98 or more), see `ListKeeper`.
    """

    def __init__(self, store: Store, encoder: TextEncoder | None, max_exact: int = MAX_EXACT) -> None:
        self._store = store
        self._encoder = encoder
        self._columns = Columns()
        self.max_exact = max_exact
        self._keeper = ListKeeper(self._columns, store, max_exact)
        self._runs = Runs()
        self._new: deque[str] = deque(
            maxlen=_MAX_NEW
        )  # ids of episodes that were not compared with those before them yet
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
        self._keeper.load()
        self._keeper.update()

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
        if episode.kind == "episode":
            self._new.append(episode.id)
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
        self._new.clear()
        self._runs = Runs()
        return ConsolidationResult(n_merged=len(merged), merged=merged)

    def consolidate_slice(self, n: int) -> dict[str, str]:
        """Merge near-duplicates among the oldest ``n`` episodes that came in and were not looked at yet.

        In many slices it does what `consolidate` does at once, to what came in since the memory was opened; but what somebody wrote is
        left alone: whoever wrote it was told its id.

        Returns:
            {id: id of the one that it was merged into}.
        """
        merged: dict[str, str] = {}
        for _ in range(min(n, len(self._new))):
            episode = self.get(self._new.popleft())
            if episode is None or episode.is_quoted:  # None: forgotten meanwhile
                continue
            first = self._runs.take(episode, self._columns.vectors_of(episode.id).get("text"), self.get)
            if first is not None and first.id != episode.id:
                self.replace(first)
                self.remove(episode.id)
                merged[episode.id] = first.id
        return merged

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
        self._keeper.update()

    @property
    def n_unconsolidated(self) -> int:
        """How many episodes came in that `consolidate_slice` has not looked at yet."""
        return len(self._new)

    def finish_indexing(self, timeout: float | None = None) -> bool:
        """Wait until every vector is in the index, where there is one; False: it took longer than ``timeout`` [s]."""
        return self._keeper.finish(timeout)

    def save_index(self) -> None:
        """Write the index beside the records, so that opening need not make it anew; see `ListKeeper.save`."""
        self._keeper.save()

    # ---- reading -------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Episode | None:
        """The episode, or None."""
        episodes, row = self._columns.episodes, self._columns.row_of.get(id)
        if row is None:
            return None
        episode = episodes[row] if row < len(episodes) else None
        if episode is not None and episode.id == id:
            return episode
        return next((e for e in self.all() if e.id == id), None)  # rows moved meanwhile

    def all(self) -> tuple[Episode, ...]:
        """All episodes, in no order."""
        return tuple(e for e in list(self._columns.episodes) if e is not None)

    def ids_about(self, object_ids: Sequence[str] = (), keyframe_ids: Sequence[str] = ()) -> tuple[str, ...]:
        """Ids of episodes about one of these objects, or hanging on one of these keyframes."""
        objects, keyframes = set(object_ids), set(keyframe_ids)
        hanging = {e.id for e in self.all() if e.keyframe_id in keyframes or e.id in keyframes}
        return tuple(e.id for e in self.all() if e.id in hanging or objects.intersection(e.all_object_ids))

    def labels(self) -> tuple[str, ...]:
        """Categories that episodes are, or were, about."""
        return tuple(self._columns.names[code] for code in self._columns.label_codes[:])

    def pinned(self) -> tuple[Episode, ...]:
        """Episodes that are never forgotten by budget."""
        return tuple(e for e in self.all() if e.pinned)

    def n_events_at(self, keyframe_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many events and remarks hang on each of N keyframes, (N,)."""
        view, columns = self._columns.view, self._columns
        slots = np.array([columns.poses.slot(i) for i in keyframe_ids], dtype=np.int64)
        is_event = view.alive & view.is_event & (view.keyframe >= 0)
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
        text: str | None = None,
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
            text: the question itself, of which ``text_embedding`` is: records that have its words score higher (see `lexical`).
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
        mask, n_total = select(self._columns, view, conditions, pose_of)
        n = offset + limit
        question = self._question(view, text_embedding, image_embedding, text)
        if order != "relevance" or not question.vectors:
            rows = np.flatnonzero(mask)
            rows = (view.oldest if order == "oldest" else view.newest)(rows, n)[offset:]
            scores = self._scores(view, rows, question)
        else:
            rows = self._candidates(view, mask, n_total, question, n)
            scores = self._scores(view, rows, question)
            best = _best(view, rows, scores, n)[offset:]
            rows, scores = rows[best], scores[best]
        found = zip([view.episodes[row] for row in rows], scores.tolist(), strict=True)
        return [(episode, score) for episode, score in found if episode is not None], n_total

    def label_scores(self, labels: Sequence[Sequence[str]], text_embedding: npt.ArrayLike) -> Vector:
        """Best cosine of a text (D,) with each of N lists of labels, (N,) in [0, 1]; 0 for an empty list."""
        query = unit_embedding(text_embedding)
        unique = list(dict.fromkeys(label for several in labels for label in several))
        if not unique or self._encoder is None:
            return np.zeros(len(labels), dtype=np.float32)
        cosine = dict(zip(unique, (self._encoder.encode(unique) @ query).tolist(), strict=True))
        best = [max((cosine[label] for label in several), default=0.0) for several in labels]
        return np.clip(np.array(best, dtype=np.float32), 0.0, 1.0)

    def _question(
        self, view: View, text_embedding: npt.ArrayLike | None, image_embedding: npt.ArrayLike | None, text: str | None
    ) -> _Question:
        vectors: dict[str, Vector] = {}
        labels: Vector | None = None
        if text_embedding is not None:
            vectors["text"] = unit_embedding(text_embedding)
            labels = self._label_cosines(vectors["text"])
        if image_embedding is not None:
            vectors["image"] = unit_embedding(image_embedding)
        shares: dict[int, float] = {}
        if text is not None and text_embedding is not None:
            row_of, n_rows = self._columns.row_of, len(view)
            for id, share in self.word_shares(text, ("episode", "experience")).items():
                row = row_of.get(id, n_rows)
                if row < n_rows:
                    shares[row] = share
        rows = np.array(sorted(shares), dtype=np.int64)
        return _Question(vectors, labels, rows, np.array([shares[row] for row in rows.tolist()], dtype=np.float32))

    def word_shares(self, text: str, kinds: Sequence[str]) -> dict[str, float]:
        """Share of a question's words in the texts of the records that have most of them, by id; see `Store.word_shares`."""
        return self._store.word_shares(query_words(text), kinds, n_records=len(self))

    def _scores(self, view: View, rows: npt.NDArray[np.int64], question: _Question) -> Vector:
        """(R,) in [0, 1] of some rows (R,); 1 where nothing ranks."""
        parts: list[Vector] = []
        if "text" in question.vectors:
            part = view.similarity("text", question.vectors["text"], rows)
            if question.labels is not None and len(view.label):
                part = np.maximum(part, view.best_label(question.labels, rows))
            part = np.clip(part, 0.0, 1.0)
            if len(question.rows):
                at = np.minimum(np.searchsorted(question.rows, rows), len(question.rows) - 1)
                shares = np.where(question.rows[at] == rows, question.shares[at], 0.0).astype(np.float32)
                part = join(part, shares)
            parts.append(part)
        if "image" in question.vectors:
            parts.append(np.clip(view.similarity("image", question.vectors["image"], rows), 0.0, 1.0))
        if not parts:
            return np.ones(len(rows), dtype=np.float32)
        return np.mean(parts, axis=0, dtype=np.float32)

    def _candidates(
        self, view: View, mask: npt.NDArray[np.bool_], n_total: int, question: _Question, n: int
    ) -> npt.NDArray[np.int64]:
        """Rows among which the ``n`` best are: all ``n_total`` that meet the conditions, or those that an index finds.

        An index finds the nearest by their own vectors. What scores higher than the last of these by a label or by words is added, so
        that the candidates hold the best by every measure.
        """
        if len(question.vectors) != 1 or n_total <= min(_FEW, self.max_exact) or n > self.max_exact // 10:
            return np.flatnonzero(mask)
        ((name, query),) = question.vectors.items()
        lists = view.lists.get((name, len(query)))
        if lists is None:
            return np.flatnonzero(mask)
        vectors, row = view.vectors[name, len(query)]
        positions, cosines = lists.search(vectors, row, mask, n_total, query, n)
        if len(positions) < n or cosines[-1] <= 0.0:
            return np.flatnonzero(mask)
        found = [row[positions]]
        if question.labels is not None and len(view.label):
            likely = view.label_row[question.labels[view.label] >= cosines[-1]]
            likely = np.unique(likely[mask[likely]])
            if len(likely):
                found.append(likely[_best(view, likely, view.best_label(question.labels, likely), n)])
        found.append(question.rows[mask[question.rows]])
        return np.unique(np.concatenate(found))

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


def _best(view: View, rows: npt.NDArray[np.int64], scores: Vector, n: int) -> npt.NDArray[np.intp]:
    """Indices of the ``n`` best of some rows (R,) by their scores (R,), best first, of equal ones the newest first."""
    kept = np.arange(len(rows))
    if 4 * n < len(rows):
        least = np.partition(scores, len(scores) - n)[len(scores) - n]
        above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
        if len(equal) > 4 * n:
            newest = view.newest(rows[equal], n - len(above))
            equal = equal[np.isin(rows[equal], newest)]
        kept = np.concatenate([above, equal])
    here = rows[kept]
    kept = kept[np.lexsort((here, view.is_event[here], view.stamp[here], view.rank[here]))[::-1]]
    return kept[np.argsort(-scores[kept], kind="stable")][:n]
