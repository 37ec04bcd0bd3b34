"""Which few images show all objects: clustering by co-visibility (3D-Mem, arXiv 2411.17735, section 3.2).

Pure functions on arrays; `loci.scene.snapshots` keeps the state. Ends for every input, also for objects at one place that
no image shows together, and for objects that no image shows at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def choose_images(
    centers: npt.NDArray[np.float64], confidence: npt.NDArray[np.float64], standing: Bools | None = None
) -> Ints:
    """Choose an image for every object, so that few images are chosen.

    The largest cluster of objects first: if one image shows all of it, the image is chosen (rank: already chosen, most
    objects, sum of confidences); else the cluster is split in two by the objects' positions. Then images are given up
    whose objects other chosen images show as well, and two are exchanged for one where that is possible: splitting by
    position alone ends with more images than needed, and with other ones for every order of arrival.

    Args:
        centers: (N, 3) of the objects [m].
        confidence: (C, N) of each object in each candidate image; 0: not visible.
        standing: (C,) images that stay anyway, and are as good as chosen; None: none.

    Returns:
        (N,) candidate chosen for each object; -1: no candidate shows it.
    """
    n_candidates, n_objects = confidence.shape
    chosen_for = np.full(n_objects, -1, dtype=np.int64)
    if not n_candidates or not n_objects:
        return chosen_for
    visible = confidence > 0
    fixed = np.zeros(n_candidates, dtype=np.bool_) if standing is None else standing
    chosen = fixed.copy()
    n_seen = visible.sum(axis=1)
    total = confidence.sum(axis=1)
    # A heap, the largest cluster first; the first member breaks ties and is never in two clusters.
    everything = np.flatnonzero(visible.any(axis=0))
    heap = [(-len(everything), int(everything[0]), everything)] if len(everything) else []
    while heap:
        members = heapq.heappop(heap)[2]
        showing = np.flatnonzero(visible[:, members].all(axis=1))
        if len(showing):
            best = showing[np.lexsort((-total[showing], -n_seen[showing], ~chosen[showing]))[0]]
            chosen[best] = True
            chosen_for[members] = best
            continue
        left = _split(centers[members], visible[:, members])
        for part in (members[left], members[~left]):
            heapq.heappush(heap, (-len(part), int(part[0]), part))
    return _exchange(_give_up(chosen_for, confidence, fixed), confidence, fixed)


def _split(centers: npt.NDArray[np.float64], visible: Bools) -> Bools:
    """Two non-empty halves of a cluster (K,) that no image shows completely: by position, else by what one image shows."""
    left = two_means(centers)
    if 0 < np.count_nonzero(left) < len(left):
        return left
    # All at one place: what the best image shows goes one way. Every object is visible somewhere and no image shows all.
    return np.asarray(visible[np.argmax(visible.sum(axis=1))])


def two_means(points: npt.NDArray[np.float64], n_iterations: int = 8) -> Bools:
    """k-means with k = 2 from the two most distant points: which points (N, 3) belong to the first cluster (N,)."""
    n = len(points)
    total = points.sum(axis=0)
    first = points[np.argmax(((points - total / n) ** 2).sum(axis=1))]
    second = points[np.argmax(((points - first) ** 2).sum(axis=1))]
    left = np.zeros(n, dtype=np.bool_)
    n_left = -1
    for _ in range(n_iterations):
        now = points @ (first - second) > (first @ first - second @ second) / 2  # nearer to the first centre
        n_now = int(np.count_nonzero(now))
        if not 0 < n_now < n or (n_now == n_left and np.array_equal(now, left)):
            break
        left, n_left = now, n_now
        part = points[left].sum(axis=0)
        first, second = part / n_left, (total - part) / (n - n_left)
    return left


def _give_up(chosen_for: Ints, confidence: npt.NDArray[np.float64], fixed: Bools) -> Ints:
    """Leave out chosen images whose objects are all shown by other chosen ones, those of fewest objects first."""
    result = chosen_for.copy()
    visible = confidence > 0
    n_members = np.bincount(result[result >= 0], minlength=len(confidence))
    in_use = (n_members > 0) | fixed
    cover = visible[in_use].sum(axis=0)  # (N,) by how many images in use each object is shown
    owners = np.flatnonzero((n_members > 0) & ~fixed)
    for image in owners[np.argsort(n_members[owners], kind="stable")]:
        members = np.flatnonzero(result == image)
        if np.any(cover[members] < 2):
            continue
        in_use[image] = False
        cover -= visible[image]
        others = np.flatnonzero(in_use)
        result[members] = others[np.argmax(confidence[np.ix_(others, members)], axis=0)]
    return result


def _exchange(chosen_for: Ints, confidence: npt.NDArray[np.float64], fixed: Bools, n_rounds: int = 8) -> Ints:
    """Take in an image that makes two or more of the chosen ones superfluous, as long as there is one."""
    visible = confidence > 0
    result = chosen_for
    for _ in range(n_rounds):
        used = np.unique(result[result >= 0])
        movable = used[~fixed[used]]
        if len(movable) < 2:
            break
        in_use = fixed.copy()
        in_use[used] = True
        single = visible[in_use].sum(axis=0) == 1  # (N,) shown by one image in use only
        needed = (visible[movable] & single).astype(np.float32)  # (U, N) what would be lost without each of them
        replaced = needed @ (~visible).T.astype(np.float32) == 0  # (U, C) whether each candidate makes up for that
        n_replaced = replaced.sum(axis=0) * ~in_use
        better = None
        for candidate in np.argsort(-n_replaced, kind="stable")[:8]:
            if n_replaced[candidate] < 2:
                break
            trial = result.copy()
            trial[visible[candidate] & np.isin(result, movable[replaced[:, candidate]])] = candidate
            trial = _give_up(trial, confidence, fixed)
            if len(np.unique(trial[trial >= 0])) < len(used):
                better = trial
                break
        if better is None:
            break
        result = better
    return result


def matrix(objects: Sequence[str], candidates: Sequence[dict[str, float]]) -> npt.NDArray[np.float64]:
    """Confidence (C, N) of each object in each candidate image."""
    column = {object_id: j for j, object_id in enumerate(objects)}
    result = np.zeros((len(candidates), len(objects)))
    for i, seen in enumerate(candidates):
        for object_id, value in seen.items():
            j = column.get(object_id)
            if j is not None:
                result[i, j] = max(value, 1e-6)
    return result
