"""Approximate nearest vectors for large memories: each vector is in the list of its nearest centre, and few lists are looked through.

Inverted lists (Sivic and Zisserman 2003; without the quantised codes of Jégou et al. 2011, "Product quantization", IVFADC) rather than a
graph, because a vector is added in microseconds, conditions are tested while lists are scanned, and deletion is a flag. How many lists
are needed is measured on the vectors themselves when the centres are made, so that recall does not depend on how they are spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.store.vector_kernels import dots, scan_lists
from loci.store.vectors import largest

Floats = npt.NDArray[np.float32]

#: Share of the ten nearest that the measured number of lists finds.
TARGET_RECALL = 0.995
_N_TESTS, _K = 200, 10
#: Vectors per centre that k-means sees, and its rounds.
_SAMPLE, _ROUNDS = 40, 6
_CHUNK = 8192


@dataclass(frozen=True)
class InvertedLists:
    """Lists over the first M of some vectors; never changed, only replaced.

    Attributes:
        centers: (C, D) unit vectors; zero for a list that is empty.
        assigned: (M,) list of each vector.
        members: (M,) positions of vectors, list by list; starts: (C + 1,) where each list begins.
        n_lists: how many lists a search looks through; 0: so many would be needed that an exact search is as quick.
        n_trained: how many vectors there were when the centres were made.
    """

    centers: Floats
    assigned: npt.NDArray[np.int32]
    members: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    n_lists: int
    n_trained: int

    def __len__(self) -> int:
        return len(self.assigned)

    def extended(self, vectors: Floats) -> InvertedLists:
        """Lists over all of ``vectors`` (N, D), of which the first M are assigned already."""
        new = assign(vectors[len(self) :], self.centers)
        return sorted_lists(self.centers, np.concatenate([self.assigned, new]), self.n_lists, self.n_trained)

    def kept(self, keep: npt.NDArray[np.bool_]) -> InvertedLists:
        """Lists over what is left of the vectors: ``keep`` (N,), N >= M."""
        return sorted_lists(self.centers, self.assigned[keep[: len(self)]], self.n_lists, self.n_trained)

    def search(
        self,
        vectors: Floats,
        rows: npt.NDArray[np.int64],
        allowed: npt.NDArray[np.bool_],
        query: Floats,
        k: int,
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Positions (at most k) of nearly the nearest allowed vectors, best first, and their cosines.

        Args:
            vectors: (N, D) unit vectors, N >= M: those that are in no list yet are all compared.
            rows: (N,) the row that each belongs to; allowed: (n_rows,) by row.
            query: (D,) unit vector.
        """
        order = np.argsort(-(self.centers @ query), kind="stable")
        # Conditions thin out the lists: as many vectors are compared as without them.
        n_lists = min(max(self.n_lists * max(1, k // _K), 1), len(order))
        n_enough = n_lists * len(self) // len(order)
        positions, scores = scan_lists(
            vectors, rows, allowed, self.members, self.starts, order, query, n_lists, n_enough
        )
        tail = np.arange(len(self), len(vectors))
        tail = tail[allowed[rows[tail]]]
        found = np.concatenate([positions.astype(np.int64), tail])
        cosines = np.concatenate([scores, dots(vectors, tail, query)])
        best = largest(cosines, k)
        return found[best], cosines[best]

    def means(self, vectors: Floats, alive: npt.NDArray[np.bool_]) -> Floats:
        """Centres (C, D) as means of those members that are alive (M,): what was forgotten is in none of them."""
        sums = np.zeros_like(self.centers)
        for first in range(0, len(self), _CHUNK):
            there = alive[first : min(first + _CHUNK, len(self))]
            np.add.at(sums, self.assigned[first : first + _CHUNK][there], vectors[first : first + len(there)][there])
        return _unit(sums)


def sorted_lists(centers: Floats, assigned: npt.NDArray[np.int32], n_lists: int, n_trained: int) -> InvertedLists:
    """Lists from the list of each vector."""
    members = np.argsort(assigned, kind="stable").astype(np.int32)
    starts = np.zeros(len(centers) + 1, dtype=np.int64)
    np.cumsum(np.bincount(assigned, minlength=len(centers)), out=starts[1:])
    return InvertedLists(centers, assigned, members, starts, n_lists, n_trained)


def train(vectors: Floats, seed: int = 0) -> InvertedLists:
    """Lists over vectors (N, D), by spherical k-means (Dhillon and Modha 2001) on a sample, about sqrt(4 N) of them."""
    rng = np.random.default_rng(seed)
    n = len(vectors)
    n_centers = max(1, min(int(np.sqrt(4 * n)), n // 8))
    sample = vectors[np.sort(rng.choice(n, size=min(n, _SAMPLE * n_centers), replace=False))]
    centers = sample[rng.choice(len(sample), size=n_centers, replace=False)].copy()
    for _ in range(_ROUNDS):
        nearest = assign(sample, centers)
        sums = np.zeros_like(centers)
        np.add.at(sums, nearest, sample)
        empty = np.bincount(nearest, minlength=n_centers) == 0
        centers = _unit(sums)
        centers[empty] = sample[rng.choice(len(sample), size=int(empty.sum()))]
    lists = sorted_lists(centers, assign(vectors, centers), 0, n)
    return InvertedLists(centers, lists.assigned, lists.members, lists.starts, _lists_needed(lists, vectors, rng), n)


def assign(vectors: Floats, centers: Floats) -> npt.NDArray[np.int32]:
    """Nearest centre of each vector, (N,)."""
    parts = [
        np.argmax(vectors[i : i + _CHUNK] @ centers.T, axis=1).astype(np.int32) for i in range(0, len(vectors), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def _lists_needed(lists: InvertedLists, vectors: Floats, rng: np.random.Generator) -> int:
    """How many lists hold `TARGET_RECALL` of the ten nearest vectors of test queries; 0: more than a fourth of all."""
    a, b = (vectors[rng.choice(len(vectors), size=_N_TESTS)] for _ in range(2))
    # Half of the queries are like what is kept, half lie between two of them, where few lists come first clearly.
    queries = _unit(np.concatenate([a[::2], (a + b)[1::2]]))
    nearest = np.full((len(queries), 0), 0, dtype=np.int64)
    best = np.full((len(queries), 0), 0.0, dtype=np.float32)
    for first in range(0, len(vectors), 16 * _CHUNK):
        cosines = queries @ vectors[first : first + 16 * _CHUNK].T
        n = min(_K, cosines.shape[1])
        top = np.argpartition(-cosines, n - 1, axis=1)[:, :n]
        nearest = np.concatenate([nearest, top + first], axis=1)
        best = np.concatenate([best, np.take_along_axis(cosines, top, axis=1)], axis=1)
        keep = np.argsort(-best, axis=1)[:, :_K]
        nearest, best = np.take_along_axis(nearest, keep, axis=1), np.take_along_axis(best, keep, axis=1)
    place = np.argsort(np.argsort(-(queries @ lists.centers.T), axis=1), axis=1)  # (Q, C) place of each list
    places = np.sort(np.take_along_axis(place, lists.assigned[nearest].astype(np.int64), axis=1).ravel())
    needed = int(places[int(np.ceil(TARGET_RECALL * len(places))) - 1]) + 1
    return needed if 4 * needed <= len(lists.centers) else 0


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
