"""The episodic memory: what happened, newest in the short term, everything in the long term.

Short-term records are in the store too (kind ``short_term``) with how they were used, so that a crash loses none that was committed; a
record that falls out of the short term moves to the long term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt

from loci.episodic.lexical import join
from loci.episodic.long_term import ConsolidationResult, EpisodeFilter, LongTermMemory
from loci.episodic.policy import Usage
from loci.episodic.records import Episode, PoseOf, episode_from_record, episode_to_fields
from loci.episodic.short_term import REACH, ShortTermMemory, ShortTermParameters, ShortTermRecord, record_bytes
from loci.geometry import Array
from loci.perception.text import TextEncoder
from loci.query import Order, Origin
from loci.store.store import Record, Store

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
        short_term: ShortTermParameters | None = None,
        short_term_threshold: float = SHORT_TERM_THRESHOLD,
    ) -> None:
        self.short_term_threshold = short_term_threshold
        self._store = store
        self.encoder = encoder
        records = [(episode_from_record(record), _usage_of(record)) for record in store.records("short_term")]
        short_term = short_term or ShortTermParameters()
        if store.read_only:  # who only reads shows what there is, whatever the writer's bounds are
            n_bytes = sum(record_bytes(episode) for episode, _ in records)
            short_term = replace(
                short_term,
                capacity=max(short_term.capacity, len(records)),
                capacity_bytes=max(short_term.capacity_bytes, n_bytes),
            )
        self.short_term = ShortTermMemory(short_term)
        self.long_term = LongTermMemory(store, encoder)
        # Of a memory that was larger when it was closed: moved to the long term with the first change.
        self._overdue = self.short_term.restore(records)

    def add_experience(self, episode: Episode, image_embedding: Vector | None) -> None:
        """Keep a keyframe's experience in the long term."""
        self.long_term.add(episode, image_embedding=image_embedding)

    def add_event(self, episode: Episode) -> None:
        """Take an event (an object appeared, a place was entered) into the short term; what falls out is kept in the long term."""
        self.note_uses()
        left = self.short_term.add(episode)
        self._put_short_term(episode)
        self._move_out(left)

    def note_uses(self) -> None:
        """Keep how often short-term records were given as evidence since the last call; durable after the store's `commit`."""
        self._move_out(())
        for episode_id in self.short_term.note_reads():
            episode = self.short_term.get(episode_id)
            if episode is not None:
                self._put_short_term(episode)

    def _move_out(self, left: Iterable[Episode]) -> None:
        """Records that left the short term go to the long term."""
        for episode in (*self._overdue, *left):
            self._store.delete("short_term", episode.id)
            self.long_term.add(episode)
        self._overdue = ()

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
                left = self.short_term.rename_object(renamed, self._is_newer)
                self._put_short_term(renamed)
                self._move_out(() if left is None else (left,))

    def _is_newer(self, episode: Episode, other: Episode) -> bool:
        return self.long_term.time_key(episode) >= self.long_term.time_key(other)

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

    def labels(self) -> frozenset[str]:
        """Categories that episodes are about."""
        return frozenset(self.long_term.labels()).union(*(e.labels for e in self.short_term.records()))

    def edge(self, order: Order, session: str | None = None) -> Episode | None:
        """The "newest" or the "oldest" episode, of one session or of all; None: there is none."""
        page, _ = self.search(
            EpisodeFilter(session=session),
            text_embedding=None,
            image_embedding=None,
            text=None,
            order=order,
            limit=1,
            pose_of=_no_pose,
        )
        return page[0][0] if page else None

    def statistics(self) -> dict[str, int]:
        """Counts, and bytes of the short-term memory."""
        return {
            "short_term_episodes": len(self.short_term),
            "short_term_bytes": self.short_term.n_bytes,
            "long_term_episodes": len(self.long_term),
        }

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

    def recent(
        self,
        position: npt.ArrayLike | None = None,
        radius: float = REACH,
        text_embedding: Vector | None = None,
        k: int = 10,
        *,
        pose_of: PoseOf,
        place_position: Callable[[str], npt.ArrayLike | None],
    ) -> list[ShortTermRecord]:
        """Short-term records within reach, then the most similar ones (then the newest); each counts as used.

        Args:
            position: (3,) [m], map frame; None: everywhere.
            radius: reach [m].
            text_embedding: (D,) of unit length, compared with the records' labels; None: all score 1.
            k: at most so many.
            pose_of: ``T_map_camera`` of a keyframe's id.
            place_position: (3,) [m] of a place's id, map frame; None: not known.
        """
        found = [e for e, _ in self.short_term.search(position, radius, k=len(self.short_term), pose_of=pose_of)]
        scores = np.ones(len(found), dtype=np.float32)
        if text_embedding is not None:
            scores = self.long_term.label_scores([e.labels for e in found], text_embedding)
        records: list[ShortTermRecord] = []
        for i in np.argsort(-scores, kind="stable")[:k]:
            episode = found[i]
            where = episode.position_with(pose_of)
            place = place_position(episode.place) if episode.place else None
            relative = None
            if where is not None and place is not None:
                x, y, z = (np.asarray(where) - np.asarray(place)).tolist()
                relative = (x, y, z)
            usage = self.short_term.usage(episode.id)
            frequency = usage.frequency if usage is not None else 1  # None: it has left meanwhile
            records.append(ShortTermRecord(episode, float(scores[i]), frequency, where, relative))
        self.short_term.count_reads(r.episode.id for r in records)
        return records

    def _put_short_term(self, episode: Episode) -> None:
        usage = self.short_term.usage(episode.id)
        if usage is None:  # it was too large, or had to leave at once
            return
        self._store.put(
            "short_term",
            episode.id,
            {**episode_to_fields(episode), "usage": asdict(usage)},
            stamp_ns=episode.stamp_ns,
            session=episode.session,
            map_id=episode.map_id,
        )


def _no_pose(keyframe_id: str) -> Array:
    """For searches without a condition on position."""
    raise KeyError(keyframe_id)


def _usage_of(record: Record) -> Usage | None:
    """How a short-term record was used; None: it was written before this was kept."""
    usage = record.fields.get("usage")
    return None if usage is None else Usage(**usage)
