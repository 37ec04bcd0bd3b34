"""Episodes as columns, as they are at one moment: what every search works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loci.episodic.records import Episode
from loci.store.inverted_lists import InvertedLists
from loci.store.vector_kernels import dots

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
#: Name and dimension of vectors.
Key = tuple[str, int]
#: Columns of `View.codes`.
CODES = ("kind", "session", "map_id", "place", "state")


@dataclass(frozen=True)
class Blocks:
    """Smallest and largest values of the first B blocks of `BLOCK` rows (Moerkotte 1998, "Small materialized aggregates").

    Attributes:
        stamps: (B, 2) int64 [ns].
        codes: (B, 2, 5) int32.
        positions: (B, 2, 3) float64 [m], of rows that have one; infinite where a row hangs on a keyframe.
    """

    stamps: Ints
    codes: npt.NDArray[np.int32]
    positions: npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """N rows at one moment.

    Attributes:
        episodes: at least N episodes (None: removed).
        alive: (N,) bool.
        stamp, rank: (N,) int64, stamp [ns] and the order of its session.
        codes: (N, 5) int32, numbers of the strings that `CODES` names; is_event: (N,) bool, an episode that is not a keyframe's.
        offset: (N, 3) float64 [m], position in the keyframe's camera; x, y, z: (N,) float64 [m], in the map; NaN: none.
        keyframe: (N,) int64, slot (`PoseTable`) of the keyframe that ``offset`` refers to, -1: none.
        label, label_row, object, object_row: flat lists; rows ascend.
        blocks: bounds of complete blocks of rows.
        vectors: by (name, dimension): unit vectors (M, D) and their rows (M,), ascending.
        lists: by the same: an index of the first of these vectors, where there are many.
        generation: how often rows were given new numbers: an index that was made of an older one does not fit.
    """

    episodes: list[Episode | None]
    alive: npt.NDArray[np.bool_]
    stamp: Ints
    rank: Ints
    codes: npt.NDArray[np.int32]
    is_event: npt.NDArray[np.bool_]
    keyframe: Ints
    offset: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    z: npt.NDArray[np.float64]
    label: Ints
    label_row: Ints
    object: Ints
    object_row: Ints
    blocks: Blocks
    vectors: Mapping[Key, tuple[Floats, Ints]]
    lists: Mapping[Key, InvertedLists] = field(default_factory=dict)
    generation: int = 0

    def column(self, name: str) -> npt.NDArray[np.int32]:
        """(N,) codes of one of `CODES`."""
        return self.codes[:, CODES.index(name)]

    def __len__(self) -> int:
        return len(self.alive)

    def similarity(self, name: str, query: Floats, rows: Ints) -> Floats:
        """Cosine of a unit vector (D,) with the vectors called ``name`` of some rows (R,), (R,); 0 where a row has none."""
        scores = np.zeros(len(rows), dtype=np.float32)
        key = (name, len(query))
        if key not in self.vectors:
            return scores
        vectors, row = self.vectors[key]
        at = np.minimum(np.searchsorted(row, rows), len(row) - 1)
        has = np.flatnonzero(row[at] == rows)
        scores[has] = dots(vectors, at[has], query)  # always this one: the same bits on every page
        return scores

    def best_label(self, label_scores: Floats, rows: Ints) -> Floats:
        """The largest of ``label_scores`` (by code, (n_codes,)) over the labels of each of some rows (R,), (R,); 0 without."""
        scores = np.zeros(len(rows), dtype=np.float32)
        first = np.searchsorted(self.label_row, rows)
        n = np.searchsorted(self.label_row, rows, side="right") - first
        has = np.flatnonzero(n)
        if len(has):
            first, n = first[has], n[has]
            starts = np.cumsum(n) - n
            entries = np.arange(int(n.sum())) + np.repeat(first - starts, n)
            scores[has] = np.maximum.reduceat(label_scores[self.label[entries]], starts)
        return scores

    def newest(self, rows: Ints, n: int) -> Ints:
        """The ``n`` newest of some rows, newest first: by session, stamp, and what followed from what."""
        return self._in_time(rows, n, newest=True)

    def oldest(self, rows: Ints, n: int) -> Ints:
        """The ``n`` oldest of some rows, oldest first."""
        return self._in_time(rows, n, newest=False)

    def _in_time(self, rows: Ints, n: int, newest: bool) -> Ints:
        if 4 * n < len(rows):
            rank = self.rank[rows]
            counts = np.bincount(rank)
            # The session in which the n-th lies, and how many of it are wanted.
            before = np.cumsum(counts[::-1] if newest else counts)
            session = int(np.searchsorted(before, n))
            n_in_session = n - (int(before[session - 1]) if session else 0)
            session = len(counts) - 1 - session if newest else session
            stamps = self.stamp[rows]
            inside = stamps[rank == session]
            if newest:
                least = np.partition(inside, len(inside) - n_in_session)[len(inside) - n_in_session]
                rows = rows[(rank > session) | ((rank == session) & (stamps >= least))]
            else:
                most = np.partition(inside, n_in_session - 1)[n_in_session - 1]
                rows = rows[(rank < session) | ((rank == session) & (stamps <= most))]
        order = np.lexsort((rows, self.is_event[rows], self.stamp[rows], self.rank[rows]))
        return rows[order[::-1] if newest else order][:n]

    def rows_with(self, codes: Ints, column: Ints, column_row: Ints) -> npt.NDArray[np.bool_]:
        """(N,) bool: rows whose flat list has any of ``codes``."""
        found = np.zeros(len(self), dtype=bool)
        found[column_row[np.isin(column, codes)]] = True
        return found
