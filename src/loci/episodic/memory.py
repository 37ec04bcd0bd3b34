"""The episodic memory: what happened, newest in the short term, everything in the long term.

Short-term records are in the store too (kind ``short_term``), so that a crash loses none that was committed; a record that falls
out of the short term moves to the long term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from loci.episodic.lexical import join
from loci.episodic.long_term import ConsolidationResult, EpisodeFilter, LongTermMemory
from loci.episodic.records import Episode, episode_from_record, episode_to_fields
from loci.episodic.short_term import ShortTermMemory
from loci.geometry import Array
from loci.perception.text import TextEncoder
from loci.query import Order, Origin
from loci.store.store import Store

Vector = npt.NDArray[np.float32]

#: From this score on a short-term record answers before the long term does (KARMA's tau). In MiniLM's cosines of questions with labels
#: nine of ten that reach it are right (tests/planning/word_pairs.json): 0.7, as published for another encoder, would leave one in eight.
SHORT_TERM_THRESHOLD = 0.5


class EpisodicMemory:
    """Short-term and long-term episodes of one memory, over all its maps."""

    def __init__(
        self,
        store: Store,
        encoder: TextEncoder,
        short_term_capacity: int = 100,
        short_term_threshold: float = SHORT_TERM_THRESHOLD,
    ) -> None:
        self.short_term_threshold = short_term_threshold
        self._store = store
        self.encoder = encoder
        self.short_term = ShortTermMemory(short_term_capacity)
        self.long_term = LongTermMemory(store, encoder)
        for record in store.records("short_term"):
            self.short_term.add(episode_from_record(record))  # one a record: nothing falls out

    def add_experience(self, episode: Episode, image_embedding: Vector | None) -> None:
        """Keep a keyframe's experience in the long term."""
        self.long_term.add(episode, image_embedding=image_embedding)

    def add_event(self, episode: Episode) -> None:
        """Take an event (an object appeared, a place was entered) into the short term; what falls out is kept in the long term."""
        self._put_short_term(episode)
        left = self.short_term.add(episode)
        if left is not None:
            self._store.delete("short_term", left.id)
            self.long_term.add(left)

    def remember(self, episode: Episode) -> None:
        """Keep something told from outside in the long term, with its own embedding."""
        self.long_term.add(episode, text_embedding=self.encoder.encode([episode.text])[0])

    def forget(self, ids: Iterable[str]) -> int:
        """Remove episodes; returns how many there were."""
        count = 0
        for episode_id in ids:
            if self.short_term.remove(episode_id):
                self._store.delete("short_term", episode_id)
                count += 1
            elif self.long_term.remove(episode_id):
                count += 1
        return count

    def replace_objects(self, merged: Mapping[str, str]) -> None:
        """Follow merged objects ({old id: id that it became}); of several records about one object the newest stays short-term."""
        self.long_term.replace_objects(merged)
        for episode in self.short_term.records():
            if episode.object_id in merged:
                renamed = replace(episode, object_id=merged[episode.object_id])
                self.short_term.remove(episode.id)
                other = next((e for e in self.short_term.records() if e.object_id == renamed.object_id), None)
                if other is not None and self.long_term.time_key(other) > self.long_term.time_key(renamed):
                    self._store.delete("short_term", renamed.id)
                    self.long_term.add(renamed)
                else:
                    self.add_event(renamed)

    def consolidate(
        self, everything: bool, progress: Callable[[float, str], None] | None = None
    ) -> ConsolidationResult:
        """Move short-term records to the long term (all, or the older half), and merge near-duplicates there."""
        records = self.short_term.records()
        moving = records if everything else records[: len(records) // 2]
        for episode in moving:
            self.short_term.remove(episode.id)
            self._store.delete("short_term", episode.id)
            self.long_term.add(episode)
        result = self.long_term.consolidate(progress)
        return replace(result, n_consolidated=result.n_consolidated + len(moving))

    def get(self, episode_id: str) -> Episode | None:
        """The episode with this id, in either memory."""
        return self.short_term.get(episode_id) or self.long_term.get(episode_id)

    def ids_about(self, object_ids: Iterable[str], keyframe_ids: Iterable[str]) -> list[str]:
        """Ids of episodes about one of these objects, or hanging on one of these keyframes."""
        objects, keyframes = set(object_ids), set(keyframe_ids)
        short_term = [
            e.id for e in self.short_term.records() if objects & set(e.all_object_ids) or e.keyframe_id in keyframes
        ]
        return [*short_term, *self.long_term.ids_about(tuple(objects), tuple(keyframes))]

    def _sort_key(self, order: Order, episode: Episode, score: float) -> tuple[float, ...]:
        session, stamp_ns = self.time_key(episode.session, episode.stamp_ns)
        is_event = episode.kind == "episode"  # what a keyframe saw comes before the events that followed from it
        if order == "oldest":
            return (session, stamp_ns, is_event)
        newest = (-session, -stamp_ns, not is_event)
        return newest if order == "newest" else (-score, *newest)

    def time_key(self, session: str, stamp_ns: int) -> tuple[int, int]:
        """Sorts moments over all sessions: stamps may start anew with each."""
        return (self.long_term.session_rank(session), stamp_ns)

    def statistics(self) -> dict[str, int]:
        """Counts."""
        return {"short_term_episodes": len(self.short_term), "long_term_episodes": len(self.long_term)}

    def search(
        self,
        conditions: EpisodeFilter,
        *,
        text_embedding: Vector | None,
        image_embedding: Vector | None,
        text: str | None,
        order: Order,
        limit: int,
        pose_of: Callable[[str], Array],
    ) -> tuple[list[tuple[Episode, float, Origin]], int]:
        """Episodes that meet all conditions, best first: at most ``limit`` of them, and how many there are in all.

        Where a text ranks, short-term records that reach `short_term_threshold` come first, then all others by score (KARMA, section III).
        """
        long_term, n_long = self.long_term.search(
            conditions,
            text_embedding=text_embedding,
            image_embedding=image_embedding,
            text=text,
            order=order,
            limit=limit,
            pose_of=pose_of,
        )
        found: list[tuple[Episode, float, Origin]] = [(e, s, "long_term") for e, s in long_term]
        # Events hang on keyframes whose images are searched in the long term: an image ranks none of them.
        short_term = (
            []
            if image_embedding is not None and text_embedding is None
            else self._search_short_term(conditions, text_embedding, text, pose_of)
        )
        found.extend((e, s, "short_term") for e, s in short_term)
        found.sort(key=lambda item: self._sort_key(order, item[0], item[1]))
        if order == "relevance" and text_embedding is not None:
            found.sort(key=lambda item: item[2] == "long_term" or item[1] < self.short_term_threshold)
        return found[:limit], n_long + len(short_term)

    def _search_short_term(
        self,
        conditions: EpisodeFilter,
        text_embedding: Vector | None,
        text: str | None,
        pose_of: Callable[[str], Array],
    ) -> list[tuple[Episode, float]]:
        records = [e for e in self.short_term.records() if conditions.matches(e, pose_of)]
        if text_embedding is None or not records:
            return [(e, 1.0) for e in records]
        scores = self.long_term.label_scores([e.labels for e in records], text_embedding)
        if text is not None:
            shares = self.long_term.word_shares(text, ("short_term",))
            scores = join(scores, np.array([shares.get(e.id, 0.0) for e in records], dtype=np.float32))
        return [(e, float(s)) for e, s in zip(records, scores, strict=True)]

    def _put_short_term(self, episode: Episode) -> None:
        self._store.put(
            "short_term",
            episode.id,
            episode_to_fields(episode),
            stamp_ns=episode.stamp_ns,
            session=episode.session,
            map_id=episode.map_id,
        )
