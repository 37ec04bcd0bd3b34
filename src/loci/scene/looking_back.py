"""Was a new object in its place before it was detected there? Earlier depth images of the place tell.

An image that shows the thing before the detector found it says only that it was there by then: whether the place was empty
before that is a question to older images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loci.geometry import Array
from loci.keyframes import Keyframe, Keyframes
from loci.scene.clouds import in_box
from loci.scene.presence import FITTING_SHARE, GONE_SHARE, PresenceParameters, look
from loci.scene.tracks import Track
from loci.store.errors import StoreError

#: Earlier images of a place that are considered; those that are looked up lie the further apart the older they are.
N_CONSIDERED = 100


@dataclass(frozen=True)
class Before:
    """What earlier images say of a new object's place.

    Attributes:
        there_since: id of the oldest keyframe that shows something like it there before it was detected; empty: none does.
        was_empty: an older keyframe shows that nothing was there.
    """

    there_since: str = ""
    was_empty: bool = False


def look_back(
    track: Track,
    keyframes: Keyframes,
    others: Sequence[tuple[Array, tuple[float, float, float]]],
    p: PresenceParameters,
    n_views: int,
) -> Before:
    """Hold a new object against earlier depth images of its place, the newest first, until one shows it empty.

    Args:
        track: the object.
        keyframes: with their depth images.
        others: boxes, ``T_map_box`` (4, 4) and size [m], where things were that are elsewhere now: what was seen there may have been
            one of them.
        p: what counts as seen through.
        n_views: of the images that are looked up.
    """
    first = track.standing.first_keyframe_id
    if first not in keyframes:
        return Before()
    there_since = ""
    center = track.T_map_box[:3, 3]
    tells = min(track.size) >= p.thin and not any(
        in_box(center[None].astype(np.float32), T, size, 0.0)[0] for T, size in others
    )
    for view in _spread(keyframes.earlier_views(center, first, p.max_range, N_CONSIDERED), n_views):
        try:
            depth = keyframes.depth(view.id)
        except StoreError:
            continue  # a damaged image shows nothing; the store has told of it
        (seen,) = look(depth, view.camera, view.T_map_camera, [track], p)
        if seen.visible < max(p.min_points, p.min_share * seen.n_points):
            continue
        if seen.through >= GONE_SHARE * seen.visible:
            return Before(there_since, True)
        if tells and seen.through < FITTING_SHARE * seen.visible:
            there_since = view.id
    return Before(there_since)


def _spread(views: Sequence[Keyframe], n: int) -> list[Keyframe]:
    """At most n of them: the first, the last, and ever fewer of those between."""
    if len(views) <= n:
        return list(views)
    chosen = np.unique(np.round(np.geomspace(1, len(views), n)).astype(np.int64))
    return [views[i - 1] for i in chosen.tolist()]
