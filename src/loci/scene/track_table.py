"""All objects under construction, by id: where they are, what they count with one another, and which of them changed.

A `Track` knows itself; what concerns two of them (who was seen beside whom, who hangs together with whom) is kept true on both sides here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from loci.geometry import Array
from loci.scene.boxes import BoxIndex
from loci.scene.tracks import Track


class TrackTable:
    """Tracks of all maps.

    Args:
        max_grids: tracks whose overlap grids are kept in memory.

    Attributes:
        by_id: all of them, oldest first.
        dirty: ids of those that changed since the last maintenance.
        dropped: ids of those that were dropped since the last publication.
    """

    def __init__(self, max_grids: int) -> None:
        self.by_id: dict[str, Track] = {}
        self.dirty: set[str] = set()
        self.dropped: set[str] = set()
        self._max_grids = max_grids
        self._age: dict[str, int] = {}  # number of each track in the order in which they came
        self._n_added = 0
        self._boxes = BoxIndex()
        self._warm: dict[str, None] = {}  # tracks with a grid in memory, least recently used first

    def __getitem__(self, track_id: str) -> Track:
        return self.by_id[track_id]

    def __contains__(self, track_id: object) -> bool:
        return track_id in self.by_id

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, track: Track) -> None:
        """Take in a track; its box is known from `place` on."""
        self.by_id[track.id] = track
        self._age.setdefault(track.id, self._n_added)
        self._n_added += 1

    def drop(self, track_id: str) -> None:
        """Forget a track, and what others count with it; one that does not exist is none."""
        track = self.by_id.pop(track_id, None)
        if track is None:
            return
        for other in track.seen_with:
            del self.by_id[other].seen_with[track_id]
        for other in track.bridges:
            del self.by_id[other].bridges[track_id]
        del self._age[track_id]
        self.dropped.add(track_id)
        self._boxes.remove(track_id)
        self.dirty.discard(track_id)
        self._warm.pop(track_id, None)

    def place(self, track: Track) -> None:
        """Note where a track is now."""
        self._boxes.put(track.id, track.bounds)

    def oldest_first(self, ids: Iterable[str]) -> list[str]:
        """Ids in the order in which their tracks came."""
        return sorted(ids, key=self._age.__getitem__)

    def near(self, low: Array, high: Array) -> list[Track]:
        """Tracks whose boxes touch the one from ``low`` to ``high`` (3,) [m], of any map, in the order in which they were placed."""
        return [self.by_id[i] for i in self._boxes.near(low, high)]

    def pairs(self, ids: Iterable[str], others_of: Mapping[str, Iterable[str]]) -> list[tuple[Track, Track]]:
        """Each pair of a track of ``ids`` and one of its others once, the older one first, in the order in which they came."""
        found = set()
        for track_id in ids:
            mine = self._age[track_id], track_id
            for other in others_of[track_id]:
                if other != track_id:
                    its = self._age[other], other
                    found.add((mine, its) if mine < its else (its, mine))
        return [(self.by_id[i], self.by_id[j]) for (_, i), (_, j) in sorted(found)]

    def neighbours(self, track: Track, margin: float) -> set[str]:
        """Ids of the tracks that come within a margin [m] of one, and of those that hang together with it."""
        return {*self._boxes.near(track.bounds[:3] - margin, track.bounds[3:] + margin), *track.bridges}

    def note_together(self, tracks: Sequence[Track], reach: float) -> None:
        """Count pairs of like tracks that one image shows side by side, up to a distance [m]."""
        if len(tracks) < 2:
            return
        boxes = np.array([t.bounds for t in tracks])  # (T, 6)
        gap = np.maximum(boxes[:, None, :3] - boxes[None, :, 3:], boxes[None, :, :3] - boxes[:, None, 3:]).max(axis=2)
        for i, j in np.argwhere(np.tril(gap < reach, -1)):
            a, b = tracks[i], tracks[j]
            if a.label == b.label or not (a.is_labelled and b.is_labelled):
                a.seen_with[b.id] += 1
                b.seen_with[a.id] += 1

    def bridge(self, a: Track, b: Track) -> None:
        """Count that one detection covered both: evidence that they are parts of one thing."""
        a.bridges[b.id] += 1
        b.bridges[a.id] += 1
        self.dirty.update((a.id, b.id))

    def unbridge(self, track: Track) -> None:
        """Let others not hang together with a track any more."""
        for other in track.bridges:
            del self.by_id[other].bridges[track.id]

    def mirror_counts(self) -> None:
        """Make both sides know of one another, and nobody of tracks that are no more: older records name only one side."""
        for track in self.by_id.values():
            for counts in (track.seen_with, track.bridges):
                for other in [i for i in counts if i not in self.by_id]:
                    del counts[other]
        for track in self.by_id.values():
            for other, n in track.seen_with.items():
                its = self.by_id[other].seen_with
                its[track.id] = max(n, its[track.id])
            for other, n in track.bridges.items():
                its = self.by_id[other].bridges
                its[track.id] = max(n, its[track.id])

    def hand_over(self, gone: Track, kept: Track) -> None:
        """Let others count with one track what they counted with another; what the two themselves count is not touched."""
        for other in gone.seen_with.keys() - {kept.id}:
            self.by_id[other].seen_with[kept.id] += gone.seen_with[other]
        for other in gone.bridges.keys() - {kept.id}:
            self.by_id[other].bridges[kept.id] += gone.bridges[other]

    def keep_warm(self, ids: Iterable[str]) -> None:
        """Keep the overlap grids of these in memory, and release those that were not used for longest."""
        for track_id in ids:
            self._warm.pop(track_id, None)
            self._warm[track_id] = None
        while len(self._warm) > self._max_grids:
            oldest = next(iter(self._warm))
            del self._warm[oldest]
            self.by_id[oldest].cloud.release()
