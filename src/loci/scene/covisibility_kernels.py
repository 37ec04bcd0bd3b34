"""The inner loops of clustering by co-visibility, compiled by numba: sets of objects as bits, many subset tests per cluster."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]


def pack(visible: npt.NDArray[np.bool_]) -> Bits:
    """Rows (C, N) as bits (C, W), W = ceil(N / 64), at least 1."""
    n_rows, n_columns = visible.shape
    words = max(1, -(-n_columns // 64))
    padded = np.zeros((n_rows, words * 8), dtype=np.uint8)
    packed = np.packbits(visible, axis=1)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


@numba.njit(cache=True, nogil=True)
def supersets(sets: Bits, members: Bits) -> npt.NDArray[np.int64]:
    """Which of the sets (C, W) contain all of ``members`` (W,), ascending."""
    n_sets, n_words = sets.shape
    found = np.empty(n_sets, dtype=np.int64)
    n_found = 0
    for c in range(n_sets):
        contains = True
        for w in range(n_words):
            if members[w] & ~sets[c, w]:
                contains = False
                break
        if contains:
            found[n_found] = c
            n_found += 1
    return found[:n_found]


@numba.njit(cache=True, nogil=True)
def count_subsets(sets: Bits, parts: Bits) -> npt.NDArray[np.int64]:
    """How many of the parts (U, W) each of the sets (C, W) contains: (C,)."""
    n_sets, n_words = sets.shape
    result = np.zeros(n_sets, dtype=np.int64)
    for u in range(len(parts)):
        # Most parts have bits in one or two words only: the others need no look.
        words = np.empty(n_words, dtype=np.int64)
        n_used = 0
        for w in range(n_words):
            if parts[u, w]:
                words[n_used] = w
                n_used += 1
        for c in range(n_sets):
            contains = True
            for i in range(n_used):
                if parts[u, words[i]] & ~sets[c, words[i]]:
                    contains = False
                    break
            if contains:
                result[c] += 1
    return result


@numba.njit(cache=True, nogil=True)
def two_means(points: npt.NDArray[np.float64], n_iterations: int) -> npt.NDArray[np.bool_]:
    """k-means with k = 2 from the two most distant points: which points (N, 3) belong to the first cluster (N,)."""
    n = len(points)
    total = np.zeros(3)
    for i in range(n):
        total += points[i]
    first, second = _farthest(points, total / n), np.empty(3)
    second = _farthest(points, first)
    left = np.zeros(n, dtype=np.bool_)
    now = np.zeros(n, dtype=np.bool_)
    n_left = -1
    for _ in range(n_iterations):
        difference = first - second
        middle = (np.sum(first * first) - np.sum(second * second)) / 2  # nearer to the first centre than this
        n_now, is_same = 0, True
        for i in range(n):
            along = points[i, 0] * difference[0] + points[i, 1] * difference[1] + points[i, 2] * difference[2]
            now[i] = along > middle
            n_now += now[i]
            is_same &= now[i] == left[i]
        if n_now == 0 or n_now == n or (n_now == n_left and is_same):
            break
        left[:] = now
        n_left = n_now
        part = np.zeros(3)
        for i in range(n):
            if left[i]:
                part += points[i]
        first, second = part / n_left, (total - part) / (n - n_left)
    return left


@numba.njit(cache=True, nogil=True)
def _farthest(points: npt.NDArray[np.float64], of: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    best, most = 0, -1.0
    for i in range(len(points)):
        x, y, z = points[i, 0] - of[0], points[i, 1] - of[1], points[i, 2] - of[2]
        square = x * x + y * y + z * z
        if square > most:
            best, most = i, square
    return points[best].copy()


@numba.njit(cache=True, nogil=True)
def give_up(
    chosen_for: npt.NDArray[np.int64],
    confidence: npt.NDArray[np.float64],
    fixed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Leave out chosen images whose objects are all shown by other chosen ones, those of fewest objects first.

    Args:
        chosen_for: (N,) image of each object, -1: none.
        confidence: (C, N) of each object in each image, 0: not visible.
        fixed: (C,) images that stay.

    Returns:
        (N,) as ``chosen_for``; objects of images that were left out go to the image with the highest confidence.
    """
    n_images, n_objects = confidence.shape
    result = chosen_for.copy()
    n_members = np.zeros(n_images, dtype=np.int64)
    for j in range(n_objects):
        if result[j] >= 0:
            n_members[result[j]] += 1
    in_use = fixed | (n_members > 0)
    cover = np.zeros(n_objects, dtype=np.int64)  # by how many images in use each object is shown
    for c in range(n_images):
        if in_use[c]:
            for j in range(n_objects):
                cover[j] += confidence[c, j] > 0
    owners = np.flatnonzero((n_members > 0) & ~fixed)
    owners = owners[np.argsort(n_members[owners], kind="mergesort")]
    for image in owners:
        is_needed = False
        for j in range(n_objects):
            if result[j] == image and cover[j] < 2:
                is_needed = True
                break
        if is_needed:
            continue
        in_use[image] = False
        for j in range(n_objects):
            cover[j] -= confidence[image, j] > 0
        for j in range(n_objects):
            if result[j] != image:
                continue
            best, most = -1, -1.0
            for c in range(n_images):
                if in_use[c] and confidence[c, j] > most:
                    best, most = c, confidence[c, j]
            result[j] = best
    return result
