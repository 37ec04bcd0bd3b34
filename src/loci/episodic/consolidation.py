"""Which episodes say the same thing again: near-duplicates adjacent in time become one with a count.

A first version: only what reads alike, at the same place and about the same things, is merged; nothing is generalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from loci.episodic.records import Episode


@dataclass(frozen=True)
class ConsolidationParameters:
    """When two episodes are the same experience.

    Attributes:
        max_gap_s: they are at most so far apart [s].
        min_cosine: their text embeddings are at least so similar; without embeddings the texts must be equal.
    """

    max_gap_s: float = 60.0
    min_cosine: float = 0.9


def find_duplicates(
    episodes: Sequence[Episode],
    embeddings: Sequence[npt.NDArray[np.float32] | None],
    parameters: ConsolidationParameters,
) -> tuple[list[Episode], dict[str, str]]:
    """Runs of near-duplicates: each episode is compared with the one before it about the same things.

    Args:
        episodes: in order of time.
        embeddings: (D,) of each text, or None.

    Returns:
        The first episode of each run, with count and time span of the whole run, and {merged id: id of that episode}.
        Pinned episodes and those without a partner are in neither.
    """
    runs: dict[
        tuple[object, ...], tuple[Episode, int]
    ] = {}  # by what must be equal: the run's record, index of its last
    last_key: dict[str, tuple[object, ...]] = {}  # by object: another state or place in between ends a run
    grown: dict[str, Episode] = {}
    merged: dict[str, str] = {}
    for i, episode in enumerate(episodes):
        if episode.pinned:
            continue
        key = _key(episode)
        run = runs.get(key)
        if any(last_key.get(id, key) != key for id in episode.all_object_ids):
            run = None
        last_key.update(dict.fromkeys(episode.all_object_ids, key))
        if run is not None and _same(episodes[run[1]], episode, embeddings[run[1]], embeddings[i], parameters):
            first = replace(
                run[0], count=run[0].count + episode.count, until_ns=max(episode.stamp_ns, episode.until_ns)
            )
            grown[first.id] = first
            merged[episode.id] = first.id
            runs[key] = (first, i)
        else:
            runs[key] = (episode, i)
    return list(grown.values()), merged


def _key(e: Episode) -> tuple[object, ...]:
    return (e.session, e.map_id, e.place, frozenset(e.labels), frozenset(e.all_object_ids), e.state, e.source)


def _same(
    before: Episode,
    episode: Episode,
    a: npt.NDArray[np.float32] | None,
    b: npt.NDArray[np.float32] | None,
    parameters: ConsolidationParameters,
) -> bool:
    if episode.stamp_ns - max(before.stamp_ns, before.until_ns) > parameters.max_gap_s * 1e9:
        return False
    if a is None or b is None or a.shape != b.shape:
        return before.text == episode.text
    return float(a @ b) >= parameters.min_cosine
