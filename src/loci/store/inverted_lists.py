"""Approximate nearest vectors for large memories: lists around centres, short codes in the lists, exact cosines of the best.

Each vector is in the list of its nearest centre, and few lists are looked through (inverted lists, Sivic and Zisserman 2003; Jégou et al.
2011, "Product quantization", IVFADC); there, its code is compared: its main components (PCA) in 8 bits each. The best by their codes are
compared exactly. Not a graph, because a vector is added in microseconds, conditions are tested during the scan, and deletion is a flag.
How many lists, components and exact comparisons are needed is measured on the vectors themselves, so recall does not depend on how
they are spread.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from loci.store.vector_kernels import append_members, dots, scan_lists, scan_positions
from loci.store.vectors import largest

Floats = npt.NDArray[np.float32]

#: Share of the ten nearest that the lists hold, and of these the share that the codes find again.
TARGET_LISTS, TARGET_CODES = 0.99, 0.998
_N_TESTS, _K = 200, 10
#: Vectors per centre that k-means sees, and its rounds.
_SAMPLE, _ROUNDS = 40, 6
#: Components are added until they hold this share of the variance, and further until so few exact comparisons are enough.
_VARIANCE, _MAX_EXACT = 0.9, 400
#: Codes that are compared in any case: it takes a fraction of a millisecond.
_MIN_CODES = 10_000
_CHUNK = 8192
#: Power of the share of vectors that conditions leave. Of a million sentences, a tenth: the ten nearest are found (1.000) where it has
#: nothing to do with the question, and 0.975 to 0.994 of them where it is the tenth least like one of the sentences.
_THINNED = 0.25
#: Passing by a member of a list that is not allowed takes so much of the time of comparing a code anywhere.
_PASSING = 0.15


@dataclass(frozen=True)
class InvertedLists:
    """Lists over the first M of some vectors; never changed, only replaced.

    Attributes:
        centers: (C, D) unit vectors; zero for a list that is empty.
        basis: (D, d) components of the codes; scale: (d,) value of a component that is coded as 127.
        assigned: (M,) list of each vector.
        members: (M,) positions of vectors, list by list; starts: (C + 1,) where each list begins; codes: (M, d) int8, as members.
        n_lists, n_exact: how many lists a search for ten looks through, and how many of the best codes it compares exactly.
        n_trained: how many vectors there were when the centres were made.
        places: (M,) where each position is in ``members``.
    """

    centers: Floats
    basis: Floats
    scale: float
    assigned: npt.NDArray[np.int32]
    members: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int8]
    n_lists: int
    n_exact: int
    n_trained: int
    places: npt.NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        places = np.empty_like(self.members)
        places[self.members] = np.arange(len(self.members), dtype=np.int32)
        object.__setattr__(self, "places", places)

    def __len__(self) -> int:
        return len(self.assigned)

    def extended(self, vectors: Floats) -> InvertedLists:
        """Lists over all of ``vectors`` (N, D), of which the first M are assigned already."""
        if not len(self.members):
            return self.with_members(vectors, assign(vectors, self.centers))
        new = assign(vectors[len(self) :], self.centers)
        starts = self.starts + np.concatenate([[0], np.cumsum(np.bincount(new, minlength=len(self.centers)))])
        members, codes = append_members(
            self.members, self.codes, self.starts, starts, new, _encode(vectors[len(self) :], self.basis, self.scale)
        )
        assigned = np.concatenate([self.assigned, new])
        return replace(self, assigned=assigned, members=members, starts=starts, codes=codes)

    def with_members(self, vectors: Floats, assigned: npt.NDArray[np.int32]) -> InvertedLists:
        """The same centres and components over vectors (N, D) in given lists (N,)."""
        members = np.argsort(assigned, kind="stable").astype(np.int32)
        starts = np.zeros(len(self.centers) + 1, dtype=np.int64)
        np.cumsum(np.bincount(assigned, minlength=len(self.centers)), out=starts[1:])
        codes = np.empty((len(members), self.basis.shape[1]), dtype=np.int8)
        for first in range(0, len(members), _CHUNK):
            codes[first : first + _CHUNK] = _encode(vectors[members[first : first + _CHUNK]], self.basis, self.scale)
        return replace(self, assigned=assigned, members=members, starts=starts, codes=codes)

    def search(
        self,
        vectors: Floats,
        rows: npt.NDArray[np.int64],
        allowed: npt.NDArray[np.bool_],
        n_allowed: int,
        query: Floats,
        k: int,
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Positions (at most k) of nearly the nearest allowed vectors, best first, and their cosines.

        Args:
            vectors: (N, D) unit vectors, N >= M: those that are in no list yet are all compared.
            rows: (N,) the row that each belongs to; allowed: (n_rows,) by row, true for ``n_allowed``.
            query: (D,) unit vector.
        """
        more = max(1.0, k / _K) ** 0.5
        n_lists = max(self.n_lists, _MIN_CODES * len(self.centers) // max(len(self), 1))
        n_lists = min(int(np.ceil(n_lists * more)), len(self.centers))
        # Conditions thin out the lists: more of them are looked through. A share p of vectors that is spread evenly would need p times the
        # comparisons; what a condition leaves may lie in the lists that are least like the question, so that this many are made.
        share = n_allowed / max(len(allowed), 1)
        n_enough = int(n_lists * len(self) // len(self.centers) * share**_THINNED)
        code = _encode(
            query[None] / max(float(np.abs(query @ self.basis).max()), 1e-12) * self.scale, self.basis, self.scale
        )[0]
        each_has_one = bool(len(rows) > 0 and rows[-1] == len(rows) - 1)  # rows ascend: the usual case needs no look-up
        # In the lists so many members are passed by before enough of them are allowed; each takes a part of what a comparison does.
        n_passed = n_enough * len(self) / max(n_allowed, 1)
        if n_allowed <= max(n_enough, _PASSING * n_passed):
            here = np.flatnonzero((allowed if each_has_one else allowed[rows])[: len(self)])
            positions, products = here, scan_positions(self.codes, self.places, here, code)
        else:
            order = np.argsort(-(self.centers @ query), kind="stable")
            positions, products = scan_lists(
                self.codes,
                self.members,
                self.starts,
                order,
                rows,
                each_has_one,
                allowed,
                n_allowed == len(allowed),
                code,
                n_lists,
                n_enough,
            )
        # Twice as many vectors have twice as many codes before the right one; the rest is for questions unlike all tests.
        n_exact = int(1.5 * self.n_exact * more * max(1.0, len(self) / self.n_trained))
        likely = positions[largest(products, k + n_exact)].astype(np.int64)
        tail = np.arange(len(self), len(vectors))
        found = np.concatenate([likely, tail[allowed[rows[tail]]]])
        cosines = dots(vectors, found, query)
        best = largest(cosines, k)
        return found[best], cosines[best]

    def means(self, vectors: Floats, alive: npt.NDArray[np.bool_]) -> Floats:
        """Centres (C, D) as means of those members that are alive (M,): what was forgotten is in none of them."""
        sums = np.zeros_like(self.centers)
        for first in range(0, len(self), _CHUNK):
            there = alive[first : min(first + _CHUNK, len(self))]
            np.add.at(sums, self.assigned[first : first + _CHUNK][there], vectors[first : first + len(there)][there])
        return _unit(sums)


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
    assigned = assign(vectors, centers)
    queries = _test_queries(vectors, rng)
    nearest_ten = _exact_nearest(vectors, queries)
    n_lists = _lists_needed(centers, assigned, queries, nearest_ten)
    values, components = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    share = np.cumsum(values[::-1]) / max(values.sum(), 1e-12)
    n_components = min(-(-int(np.searchsorted(share, _VARIANCE) + 1) // 16) * 16, vectors.shape[1])
    nothing = np.zeros(0, np.int32)
    while True:
        basis = np.ascontiguousarray(components[:, ::-1][:, :n_components], dtype=np.float32)
        # One scale for all components: products of codes are then proportional to products of vectors.
        scale = float(np.quantile(np.abs(sample[:10_000] @ basis).max(axis=1), 0.999)) or 1.0
        n_exact = _exact_needed(vectors, basis, scale, queries, nearest_ten)
        if n_exact <= _MAX_EXACT or n_components == vectors.shape[1]:
            break
        n_components = min(2 * n_components, vectors.shape[1])
    empty_lists = InvertedLists(
        centers, basis, scale, nothing, nothing, np.zeros(1, np.int64), np.zeros((0, 0), np.int8), n_lists, n_exact, n
    )
    return empty_lists.with_members(vectors, assigned)


def assign(vectors: Floats, centers: Floats) -> npt.NDArray[np.int32]:
    """Nearest centre of each vector, (N,)."""
    parts = [
        np.argmax(vectors[i : i + _CHUNK] @ centers.T, axis=1).astype(np.int32) for i in range(0, len(vectors), _CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)


def _encode(vectors: Floats, basis: Floats, scale: float) -> npt.NDArray[np.int8]:
    """Codes (N, d) of vectors (N, D)."""
    return np.clip(np.rint((vectors @ basis) * (127.0 / scale)), -127, 127).astype(np.int8)


def _test_queries(vectors: Floats, rng: np.random.Generator) -> Floats:
    parts = [vectors[rng.choice(len(vectors), size=_N_TESTS)] for _ in range(8)]
    # A question is like no sentence that is kept: half of the tests lie between two of them, half between eight, where no list comes first.
    return _unit(np.concatenate([(parts[0] + parts[1])[::2], np.stack(parts).sum(axis=0)[1::2]]))


def _exact_nearest(vectors: Floats, queries: Floats) -> npt.NDArray[np.int64]:
    """Positions of the ten nearest vectors of each query, (Q, 10)."""
    nearest = np.zeros((len(queries), 0), dtype=np.int64)
    best = np.zeros((len(queries), 0), dtype=np.float32)
    for first in range(0, len(vectors), 16 * _CHUNK):
        cosines = queries @ vectors[first : first + 16 * _CHUNK].T
        n = min(_K, cosines.shape[1])
        top = np.argpartition(-cosines, n - 1, axis=1)[:, :n]
        nearest = np.concatenate([nearest, top + first], axis=1)
        best = np.concatenate([best, np.take_along_axis(cosines, top, axis=1)], axis=1)
        keep = np.argsort(-best, axis=1)[:, :_K]
        nearest, best = np.take_along_axis(nearest, keep, axis=1), np.take_along_axis(best, keep, axis=1)
    return nearest


def _lists_needed(
    centers: Floats, assigned: npt.NDArray[np.int32], queries: Floats, nearest: npt.NDArray[np.int64]
) -> int:
    """How many lists hold `TARGET_LISTS` of the nearest vectors (Q, 10)."""
    place = np.argsort(np.argsort(-(queries @ centers.T), axis=1), axis=1)  # (Q, C) place of each list
    places = np.sort(np.take_along_axis(place, assigned[nearest].astype(np.int64), axis=1).ravel())
    return int(places[int(np.ceil(TARGET_LISTS * len(places))) - 1]) + 1


def _exact_needed(vectors: Floats, basis: Floats, scale: float, queries: Floats, nearest: npt.NDArray[np.int64]) -> int:
    """How many of the best by their codes hold `TARGET_CODES` of the nearest vectors (Q, 10)."""
    projected = queries @ basis
    codes = np.rint(projected * (127.0 / np.maximum(np.abs(projected).max(axis=1, keepdims=True), 1e-12)))
    rows = np.arange(len(queries))[:, None]
    wanted = np.einsum(
        "qd,qkd->qk",
        codes,
        _encode(vectors[nearest.ravel()], basis, scale).reshape(*nearest.shape, -1).astype(np.float64),
    )
    better = np.zeros(nearest.shape, dtype=np.int64)
    for first in range(0, len(vectors), 2 * _CHUNK):
        products = (
            codes.astype(np.float32) @ _encode(vectors[first : first + 2 * _CHUNK], basis, scale).astype(np.float32).T
        )
        products.sort(axis=1)
        for q in rows.ravel():
            better[q] += len(products[q]) - np.searchsorted(products[q], wanted[q].astype(np.float32), side="right")
    places = np.sort(better.ravel())
    return int(places[int(np.ceil(TARGET_CODES * len(places))) - 1]) + 1


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
