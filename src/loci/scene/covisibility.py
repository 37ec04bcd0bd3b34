"""Which few images show all objects: clustering by co-visibility (3D-Mem, arXiv 2411.17735, section 3.2).

Pure functions on arrays; `loci.scene.snapshots` keeps the state. Ends for every input, also for objects at one place that
no image shows together, and for objects that no image shows at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loci.scene import covisibility_kernels as kernels

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
    bits = kernels.pack(visible)
    fixed = np.zeros(n_candidates, dtype=np.bool_) if standing is None else standing
    chosen = fixed.copy()
    n_seen = visible.sum(axis=1)
    total = confidence.sum(axis=1)
    # A heap, the largest cluster first; the first member breaks ties and is never in two clusters.
    everything = np.flatnonzero(visible.any(axis=0))
    heap = [(-len(everything), int(everything[0]), everything)] if len(everything) else []
    while heap:
        members = heapq.heappop(heap)[2]
        showing = kernels.supersets(bits, _bits_of(members, n_objects))
        if len(showing):
            best = showing[np.lexsort((-total[showing], -n_seen[showing], ~chosen[showing]))[0]]
            chosen[best] = True
            chosen_for[members] = best
            continue
        left = _split(centers[members], visible, members)
        for part in (members[left], members[~left]):
            heapq.heappush(heap, (-len(part), int(part[0]), part))
    return _exchange(kernels.give_up(chosen_for, confidence, fixed), confidence, visible, bits, fixed)


def _bits_of(members: Ints, n_objects: int) -> kernels.Bits:
    row = np.zeros((1, n_objects), dtype=np.bool_)
    row[0, members] = True
    return kernels.pack(row)[0]


def _split(centers: npt.NDArray[np.float64], visible: Bools, members: Ints) -> Bools:
    """Two non-empty halves of a cluster (K,) that no image shows completely: by position, else by what one image shows."""
    left = two_means(centers)
    if 0 < np.count_nonzero(left) < len(left):
        return left
    # All at one place: what the best image shows goes one way. Every object is visible somewhere and no image shows all.
    seen = visible[:, members]
    return np.asarray(seen[np.argmax(seen.sum(axis=1))])


def two_means(points: npt.NDArray[np.float64], n_iterations: int = 8) -> Bools:
    """k-means with k = 2 from the two most distant points: which points (N, 3) belong to the first cluster (N,)."""
    return kernels.two_means(np.ascontiguousarray(points, dtype=np.float64), n_iterations)


def _exchange(
    chosen_for: Ints,
    confidence: npt.NDArray[np.float64],
    visible: Bools,
    bits: kernels.Bits,
    fixed: Bools,
    n_rounds: int = 8,
) -> Ints:
    """Take in an image that makes two or more of the chosen ones superfluous, as long as there is one."""
    result = chosen_for
    for _ in range(n_rounds):
        used = np.unique(result[result >= 0])
        movable = used[~fixed[used]]
        if len(movable) < 2:
            break
        in_use = fixed.copy()
        in_use[used] = True
        single = visible[in_use].sum(axis=0) == 1  # (N,) shown by one image in use only
        needed = kernels.pack(visible[movable] & single)  # (U, W) what would be lost without each of them
        n_replaced = kernels.count_subsets(bits, needed) * ~in_use  # (C,) how many each candidate makes up for
        better = None
        for candidate in np.argsort(-n_replaced, kind="stable")[:8]:
            if n_replaced[candidate] < 2:
                break
            replaced = movable[~np.any(needed & ~bits[candidate], axis=1)]
            trial = result.copy()
            trial[visible[candidate] & np.isin(result, replaced)] = candidate
            trial = kernels.give_up(trial, confidence, fixed)
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
