"""Which sighting shows which object, and which objects are one.

Spatial overlap decides, labels and embeddings may forbid; the matching is an assignment (one detection, one object),
where 3D-Mem's reference takes an independent arg-max per detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from loci.scene.clouds import Cloud, Points, share_in_box
from loci.scene.sightings import MIN_STRAYS, Sighting
from loci.scene.tracks import CLAIM_CELL, Track


@dataclass(frozen=True)
class AssociationParameters:
    """When a detection is an object, and when two objects are one.

    Attributes:
        min_overlap: least overlap without embeddings, [0, 1].
        min_similarity: least overlap + cosine where both have embeddings.
        min_overlap_unlabelled: least share of a class-agnostic segment that lies on the object, where the object does
            not lie on the segment by ``min_overlap`` as well.
        relabel_overlap: from this overlap on, in both directions, the label does not matter.
        min_in_box: share of a detection's points in the box of an object of the same label that makes it a part of it.
        merge_overlap, merge_cosine: least values for objects that are merged later.
        touch_distance: fragments of the same label this near are merged unless they were seen side by side [m].
        max_seen_together: objects that were detected in the same image more often than this share of their detections
            stay two.
    """

    min_overlap: float = 0.3
    min_similarity: float = 1.2
    min_overlap_unlabelled: float = 0.5
    relabel_overlap: float = 0.7
    min_in_box: float = 0.6
    merge_overlap: float = 0.7
    merge_cosine: float = 0.7
    touch_distance: float = 0.05
    max_seen_together: float = 0.1


def associate(
    found: Sequence[Sighting], tracks: Sequence[Track], p: AssociationParameters
) -> tuple[list[int], list[bool]]:
    """Assign sightings to objects.

    Args:
        found: D sightings.
        tracks: K objects of the same map.

    Returns:
        (D,) index of each sighting's object or -1, and (D,) whether an unassigned sighting only repeats a part of an
        object that another sighting was assigned to.
    """
    if not found or not tracks:
        return [-1] * len(found), [False] * len(found)
    margin = 0.1
    mine = np.array([s.cloud.bounds for s in found])  # (D, 6)
    theirs = np.array([t.bounds for t in tracks])  # (K, 6)
    near = np.all(mine[:, None, :3] <= theirs[None, :, 3:] + margin, axis=2)
    near &= np.all(theirs[None, :, :3] <= mine[:, None, 3:] + margin, axis=2)
    value = np.zeros((len(found), len(tracks)))  # 0: not allowed
    inside = np.zeros_like(value)
    for d, k in np.argwhere(near):
        value[d, k], inside[d, k] = _affinity(found[d], tracks[k], p)
    rows, columns = linear_sum_assignment(value, maximize=True)
    result = [-1] * len(found)
    for d, k in zip(rows, columns, strict=True):
        if value[d, k] > 0:
            result[d] = int(k)
    taken = {k for k in result if k >= 0}
    repeats = [
        result[d] < 0
        and not s.is_labelled
        and any(inside[d, k] > 0.7 for k in np.flatnonzero(value[d]) if int(k) in taken)
        for d, s in enumerate(found)
    ]
    return result, repeats


def _affinity(s: Sighting, t: Track, p: AssociationParameters) -> tuple[float, float]:
    """How well a sighting fits an object (0: not at all), and the share of the sighting that lies on the object."""
    forward = t.cloud.share(s.points)
    same_label = s.is_labelled and t.share_of_votes(s.label) > 0.25
    if forward == 0.0 and not same_label:
        return 0.0, 0.0
    backward = s.cloud.share(t.cloud.points)
    low, high = min(forward, backward), max(forward, backward)
    if same_label and high < p.min_overlap:
        high = max(high, _box_overlap(s, t, p))
    if not (same_label or t.standing.is_there):
        return 0.0, forward  # what lies now where a thing was taken away is another thing
    other_label = s.is_labelled and t.is_labelled and not same_label
    if other_label and low < p.relabel_overlap:
        return 0.0, forward
    embedding = t.embedding
    if s.embedding is not None and embedding is not None and embedding.shape == s.embedding.shape:
        cosine = float(s.embedding @ embedding)
        if high == 0.0 or high + cosine < p.min_similarity:
            return 0.0, forward
        return high + 0.5 * low + cosine + float(same_label), forward
    if same_label:
        accepted = high >= p.min_overlap
    elif other_label:
        accepted = True
    else:  # a class-agnostic segment: mostly on the object, or the two cover each other
        accepted = forward >= p.min_overlap_unlabelled or low >= p.min_overlap
    if not accepted:
        return 0.0, forward
    return high + 0.5 * low + float(same_label), forward


def _box_overlap(s: Sighting, t: Track, p: AssociationParameters) -> float:
    """Share of a sighting inside the object's box: a new side of a known thing has no point in common with it."""
    share = share_in_box(s.points, t.T_map_box, t.size, t.cloud.cell)
    return share if share >= p.min_in_box else 0.0


def bridged(s: Sighting, own: Track, tracks: Sequence[Track], p: AssociationParameters) -> list[Track]:
    """Objects that are parts of the same thing as ``own``, which a sighting was assigned to: the rest of its mask lies on
    them, or the rest of one of their masks lay where this sighting is."""
    if not s.is_labelled:
        return []
    found = []
    for t in tracks:
        if t is own or t.label != s.label:
            continue
        covers = len(s.strays) >= MIN_STRAYS and t.cloud.share(s.strays, limit=500) >= p.min_overlap
        if covers or (len(t.claims) and Cloud(t.claims, cell=CLAIM_CELL).share(s.points) >= p.min_in_box):
            found.append(t)
    return found


def same_object(a: Track, b: Track, p: AssociationParameters) -> bool:
    """Whether two objects of the same map are one that was seen in parts or that drifted apart.

    Fragments of one thing are never two detections of one image, neighbours often are: that tells them apart.
    """
    if a.seen_with[b.id] > p.max_seen_together * min(a.n_detections, b.n_detections):
        return False
    ea, eb = a.embedding, b.embedding
    if ea is not None and eb is not None and ea.shape == eb.shape and float(ea @ eb) < p.merge_cosine:
        return False
    same_label = a.is_labelled and a.label == b.label
    if same_label and a.bridges[b.id] > 0:
        return True
    shares = a.cloud.share(b.cloud.points, limit=1000), b.cloud.share(a.cloud.points, limit=1000)
    if a.is_labelled and b.is_labelled and not same_label:
        return min(shares) >= p.relabel_overlap
    if not same_label:
        return max(shares) >= p.merge_overlap and min(shares) >= p.min_overlap
    if max(shares) >= p.min_overlap:
        return True
    small, large = sorted((a, b), key=lambda t: float(np.prod(np.maximum(t.size, 0.01))))
    if share_in_box(small.cloud.points, large.T_map_box, large.size, large.cloud.cell) >= p.min_in_box:
        return True
    return _gap(a.cloud.points, b.cloud.points) <= p.touch_distance


def seen_side_by_side(a: Track, b: Track, p: AssociationParameters) -> bool:
    """Whether images showed both of two objects often enough that they are two, and each one's points are its own."""
    together = a.seen_with[b.id]
    return together >= 2 and together > p.max_seen_together * min(a.n_detections, b.n_detections)


def _gap(a: Points, b: Points) -> float:
    """Distance between two point sets [m], or infinity beyond 1 m."""
    distance, _ = cKDTree(a).query(b, distance_upper_bound=1.0)
    return float(distance.min())
