"""Which of many axis-aligned boxes are near: one comparison over all of them, kept in one array."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.geometry import Array

_NOWHERE = np.array([np.inf] * 3 + [-np.inf] * 3)


class BoxIndex:
    """Boxes (lower and upper corner, (6,) [m]) by id."""

    def __init__(self) -> None:
        self._boxes = np.tile(_NOWHERE, (16, 1))
        self._ids: list[str] = []
        self._row: dict[str, int] = {}

    def put(self, box_id: str, box: Array) -> None:
        """Add a box, or replace it."""
        row = self._row.get(box_id)
        if row is None:
            row = self._row[box_id] = len(self._ids)
            self._ids.append(box_id)
            if row == len(self._boxes):
                self._boxes = np.concatenate([self._boxes, np.tile(_NOWHERE, (row, 1))])
        self._boxes[row] = box

    def remove(self, box_id: str) -> None:
        """Remove a box; one that is not there is none."""
        row = self._row.pop(box_id, None)
        if row is None:
            return
        self._boxes[row] = _NOWHERE
        if len(self._ids) > 2 * len(self._row) + 16:  # more holes than boxes
            self._ids = list(self._row)
            kept = self._boxes[list(self._row.values())]
            self._boxes = np.concatenate([kept, np.tile(_NOWHERE, (16, 1))])
            self._row = {i: n for n, i in enumerate(self._ids)}

    def near(self, low: Array, high: Array) -> list[str]:
        """Ids of the boxes that touch the box from ``low`` to ``high`` (3,), in the order in which they were added."""
        hit = np.all(self._boxes[:, :3] <= high, axis=1) & np.all(self._boxes[:, 3:] >= low, axis=1)
        return [self._ids[row] for row in np.flatnonzero(hit)]


def close_pairs(
    bounds: npt.NDArray[np.float64], changed: npt.NDArray[np.bool_], margin: float
) -> npt.NDArray[np.int64]:
    """Pairs (P, 2), i < j, of boxes (K, 6) that come within ``margin`` [m] and of which at least one has changed (K,)."""
    rows = np.flatnonzero(changed)
    near = np.all(bounds[rows, None, :3] <= bounds[None, :, 3:] + margin, axis=2)
    near &= np.all(bounds[None, :, :3] <= bounds[rows, None, 3:] + margin, axis=2)
    first, second = np.nonzero(near)
    pairs = np.sort(np.stack([rows[first], second], axis=1), axis=1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
