"""Maintenance of the tracks that changed: noise is dropped, parts of one thing become one, and what was taken for one becomes two."""

from __future__ import annotations

import numpy as np

from loci.scene.association import AssociationParameters, same_object, seen_side_by_side
from loci.scene.clouds import clusters
from loci.scene.track_table import TrackTable
from loci.scene.tracks import Track, share_out


def denoise(track: Track) -> bool:
    """Drop points that were seen once where others were seen often, and small islands; returns whether any was dropped."""
    cloud = track.cloud
    keep = np.ones(len(cloud.points), dtype=np.bool_)
    if track.n_detections >= 5 and np.median(cloud.counts) >= 3:
        keep &= cloud.counts >= 2
    if np.count_nonzero(keep) > 4:
        component = clusters(cloud.points, np.zeros(len(keep), dtype=np.int64))
        sizes = np.bincount(component, weights=keep)
        keep &= sizes[component] >= 0.05 * np.count_nonzero(keep)
    if np.all(keep) or np.count_nonzero(keep) < 4:
        return False
    track.reduce(keep)
    return True


def merge(table: TrackTable, p: AssociationParameters) -> dict[str, str]:
    """Merge pairs until none is left among those that changed; the older one's id stays.

    Returns:
        {merged id: id that it became a part of}, never a chain.
    """
    merged: dict[str, str] = {}
    changed = set(table.dirty)
    while changed:
        near = {i: table.neighbours(table[i], p.touch_distance + 0.1) for i in changed}
        pairs = table.pairs(changed, near)
        changed = set()
        for kept, gone in pairs:
            if gone.id not in table or kept.id not in table or kept.map_id != gone.map_id:
                continue
            if kept.standing.is_doubted or gone.standing.is_doubted:
                continue  # one of them may be what the other was before it was moved a little
            if same_object(kept, gone, p):
                _unite(table, kept, gone)
                merged = {old: kept.id if new == gone.id else new for old, new in merged.items()}
                merged[gone.id] = kept.id
                changed.add(kept.id)
        changed &= table.by_id.keys()
    return merged


def split_up(table: TrackTable, p: AssociationParameters) -> set[str]:
    """Share out the points of like tracks that were one until an image showed them side by side; returns who lost some."""
    changed: set[str] = set()
    for a, b in table.pairs(table.dirty, {i: table[i].seen_with for i in table.dirty}):
        if a.label == b.label and seen_side_by_side(a, b, p) and share_out(a, b):
            changed.update((a.id, b.id))
    return changed


def _unite(table: TrackTable, kept: Track, gone: Track) -> None:
    """Make one track of two; others remember the one that is kept instead of the other."""
    table.hand_over(gone, kept)
    kept.absorb(gone)
    table.drop(gone.id)
    table.place(kept)
    table.dirty.add(kept.id)
