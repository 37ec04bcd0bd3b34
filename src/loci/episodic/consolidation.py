"""Which episodes say the same thing again: near-duplicates adjacent in time become one with a count.

Only what reads alike, at the same place and about the same things, is merged: what is usual is told by `loci.episodic.habits`. What
somebody wrote is merged with what reads exactly the same only: of two numbers that are alike, none may be lost. Whatever is alike enough is
merged, and each episode has one run that it could join, so that it makes no difference which pair is merged first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from loci.episodic.records import Episode

Vector = npt.NDArray[np.float32]
_Key = tuple[object, ...]

#: From so many runs on, those that are too long ago to go on are let go of.
_MANY_RUNS = 1024


@dataclass(frozen=True)
class ConsolidationParameters:
    """When two episodes are the same experience.

    Attributes:
        max_gap_s: they are at most so far apart [s].
        min_cosine: their text embeddings are at least so similar; without embeddings the texts must be equal.
    """

    max_gap_s: float = 60.0
    min_cosine: float = 0.9


@dataclass(frozen=True)
class _Run:
    """Episodes that say the same: the id of the first, which counts them all, the last one, and its embedding."""

    first_id: str
    last: Episode
    embedding: Vector | None

    @property
    def end_ns(self) -> int:
        return max(self.last.stamp_ns, self.last.until_ns)


class Runs:
    """Runs of near-duplicates, episode by episode: each is compared with the one before it about the same things."""

    def __init__(self, parameters: ConsolidationParameters | None = None) -> None:
        self._parameters = parameters or ConsolidationParameters()
        self._runs: dict[_Key, _Run] = {}
        self._last_key: dict[str, _Key] = {}  # by object: another state or place in between ends a run

    def take(
        self, episode: Episode, embedding: Vector | None, first_of: Callable[[str], Episode | None]
    ) -> Episode | None:
        """The first episode of the run that an episode belongs to, grown by it; None: it begins a run, or is pinned.

        One that is older than the last of its run is left alone.

        Args:
            episode: in order of time.
            embedding: (D,) of its text, or None.
            first_of: the first of a run as it is now, by id; None: it is gone.
        """
        if episode.pinned:
            return None
        key = _key(episode)
        run = self._runs.get(key)
        if any(self._last_key.get(id, key) != key for id in episode.all_object_ids):
            run = None
        self._last_key.update(dict.fromkeys(episode.all_object_ids, key))
        if run is not None and episode.stamp_ns < run.last.stamp_ns:
            return None
        if run is not None and self._is_same(run, episode, embedding):
            first = first_of(run.first_id)
            if first is not None and _key(first) == key:
                self._runs[key] = replace(run, last=episode, embedding=embedding)
                end_ns = max(episode.stamp_ns, episode.until_ns)
                return replace(first, count=first.count + episode.count, until_ns=end_ns)
        self._runs[key] = _Run(episode.id, episode, embedding)
        if len(self._runs) > _MANY_RUNS:
            oldest_ns = episode.stamp_ns - round(self._parameters.max_gap_s * 1e9)
            self._runs = {k: r for k, r in self._runs.items() if r.end_ns >= oldest_ns}
        return None

    def _is_same(self, run: _Run, episode: Episode, embedding: Vector | None) -> bool:
        if episode.stamp_ns - run.end_ns > self._parameters.max_gap_s * 1e9:
            return False
        reads_same = run.last.text == episode.text
        if run.embedding is None or embedding is None or run.embedding.shape != embedding.shape:
            return reads_same
        # What hangs on no keyframe was written or learnt, not seen.
        is_seen = bool(episode.keyframe_id) and not episode.is_quoted
        return (reads_same or is_seen) and float(run.embedding @ embedding) >= self._parameters.min_cosine


def find_duplicates(
    episodes: Sequence[Episode], embeddings: Sequence[Vector | None], parameters: ConsolidationParameters
) -> tuple[list[Episode], dict[str, str]]:
    """Runs of near-duplicates among episodes.

    Args:
        episodes: in order of time.
        embeddings: (D,) of each text, or None.

    Returns:
        The first episode of each run, with count and time span of the whole run, and {merged id: id of that episode}.
        Pinned episodes and those without a partner are in neither.
    """
    runs, now = Runs(parameters), {e.id: e for e in episodes}
    grown: dict[str, Episode] = {}
    merged: dict[str, str] = {}
    for episode, embedding in zip(episodes, embeddings, strict=True):
        first = runs.take(episode, embedding, now.get)
        if first is not None:
            now[first.id] = grown[first.id] = first
            merged[episode.id] = first.id
    return list(grown.values()), merged


def _key(e: Episode) -> _Key:
    return (e.session, e.map_id, e.place, frozenset(e.labels), frozenset(e.all_object_ids), e.state, e.source)
