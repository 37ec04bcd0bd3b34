"""The growing array that columns of vectors are made of, and the choice of the best of many scores."""

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


def largest(scores: npt.NDArray[Any], k: int) -> npt.NDArray[np.intp]:
    """Indices of the ``k`` >= 1 largest of ``scores`` (N,), best first, ties by index so that pages do not overlap."""
    candidates: npt.NDArray[np.intp]
    if k < len(scores) // 4:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero(scores >= threshold)
    else:
        candidates = np.arange(len(scores))
    order = np.argsort(-scores[candidates], kind="stable")
    return candidates[order][:k]
