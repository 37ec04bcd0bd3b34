"""Exact nearest vectors by cosine, and the growing array that this and other columns are made of.

Exact because a robot's memory holds 10^4 to 10^5 vectors, where one matrix product takes a few milliseconds and
approximate indexes lose recall. One thread writes; others read what is published, without a lock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class GrowingArray:
    """Rows of one shape and type that are only ever appended; memory grows by doubling.

    ``view()`` stays valid and unchanged for its holder while more rows are appended.
    """

    def __init__(self, shape: tuple[int, ...] = (), dtype: npt.DTypeLike = np.float32, capacity: int = 64) -> None:
        self._data = np.empty((capacity, *shape), dtype=dtype)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def append(self, row: npt.ArrayLike) -> int:
        """Add one row (of ``shape``); its index."""
        self._reserve(1)
        self._data[self._n] = row
        self._n += 1
        return self._n - 1

    def extend(self, rows: npt.ArrayLike) -> None:
        """Add rows (M, *shape)."""
        new = np.asarray(rows, dtype=self._data.dtype).reshape(-1, *self._data.shape[1:])
        self._reserve(len(new))
        self._data[self._n : self._n + len(new)] = new
        self._n += len(new)

    def view(self) -> npt.NDArray[Any]:
        """Rows so far, (N, *shape); not to be written to."""
        return self._data[: self._n]

    def _reserve(self, n: int) -> None:
        if self._n + n > len(self._data):
            grown = np.empty((max(2 * len(self._data), self._n + n), *self._data.shape[1:]), dtype=self._data.dtype)
            grown[: self._n] = self._data[: self._n]
            self._data = grown


class VectorIndex:
    """Unit vectors by id, searched exactly.

    Args:
        dimension: D of all vectors.
    """

    def __init__(self, dimension: int) -> None:
        if dimension < 1:
            raise ValueError(f"expected a dimension >= 1, got {dimension}")
        self.dimension = dimension
        self._rows = GrowingArray((dimension,))
        self._ids: list[str] = []
        self._row_of: dict[str, int] = {}
        # What readers use: vectors (N, D) and the ids of at least those rows. Replaced, never changed.
        self._view: tuple[npt.NDArray[Any], list[str]] = (self._rows.view(), self._ids)

    def __len__(self) -> int:
        return len(self._view[0])

    def __contains__(self, id: str) -> bool:
        return id in self._row_of

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids in row order: what a mask in `search` refers to."""
        vectors, ids = self._view
        return tuple(ids[: len(vectors)])

    def add(self, id: str, vector: npt.ArrayLike) -> None:
        """Add (or replace) the vector (D,) of ``id``; it is normalised.

        Raises:
            ValueError: wrong shape, not finite, or zero.
        """
        unit = self._unit(vector)
        if id in self._row_of:
            self.remove(id)
        self._row_of[id] = self._rows.append(unit)
        self._ids.append(id)
        self._view = (self._rows.view(), self._ids)

    def remove(self, *ids: str) -> int:
        """Take vectors out; how many there were. One copy of the rest, whatever the number of ``ids``."""
        gone = [self._row_of[id] for id in ids if id in self._row_of]
        if not gone:
            return 0
        keep = np.ones(len(self._rows), dtype=bool)
        keep[gone] = False
        rest = GrowingArray((self.dimension,), capacity=max(64, len(self._rows)))
        rest.extend(self._rows.view()[keep])
        self._rows = rest
        self._ids = [self._ids[i] for i in np.flatnonzero(keep)]
        self._row_of = {id: i for i, id in enumerate(self._ids)}
        self._view = (self._rows.view(), self._ids)
        return len(gone)

    def search(
        self, vector: npt.ArrayLike, k: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> list[tuple[str, float]]:
        """The ``k`` nearest, best first, as (id, cosine); equal ones in the order in which they were added.

        Args:
            vector: (D,).
            k: at most so many answers.
            allowed: (N,) bool in the order of `ids`; rows beyond its end (added since) are left out. None: all.
        """
        query = self._unit(vector)
        vectors, ids = self._view
        rows: npt.NDArray[np.intp] | None = None
        if allowed is not None:
            rows = np.flatnonzero(allowed[: len(vectors)])
            vectors = vectors[rows]
        if k < 1 or not len(vectors):
            return []
        scores = np.asarray(vectors @ query)
        best = largest(scores, k)
        return [(ids[i if rows is None else rows[i]], float(scores[i])) for i in best]

    def _unit(self, vector: npt.ArrayLike) -> npt.NDArray[np.float32]:
        array = np.asarray(vector, dtype=np.float32)
        norm = float(np.linalg.norm(array)) if array.shape == (self.dimension,) else float("nan")
        if not np.isfinite(norm) or norm == 0.0:
            raise ValueError(
                f"expected a finite, non-zero vector ({self.dimension},), got {array.shape} of norm {norm}"
            )
        return array / np.float32(norm)


def largest(scores: npt.NDArray[Any], k: int) -> npt.NDArray[np.intp]:
    """Indices of the ``k`` largest of ``scores`` (N,), best first, ties by index so that pages do not overlap."""
    candidates: npt.NDArray[np.intp]
    if k < len(scores) // 4:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    order = np.argsort(-scores[candidates], kind="stable")
    return candidates[order][:k]
