"""Which of many axis-aligned boxes are near: a hash of columns of the map, so that a question costs what is near, not all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.geometry import Array

#: Side of a column [m].
COLUMN = 2.0
#: A box over more columns than this is kept with all of them, in no column.
_MAX_COLUMNS = 256


class BoxIndex:
    """Boxes (lower and upper corner, (6,) [m]) by id."""

    def __init__(self) -> None:
        self._boxes: dict[str, tuple[int, tuple[float, ...], tuple[int, int, int, int]]] = {}
        self._columns: dict[tuple[int, int], set[str]] = {}
        self._everywhere: set[str] = set()
        self._next = 0

    def __len__(self) -> int:
        return len(self._boxes)

    def put(self, box_id: str, box: Array) -> None:
        """Add a box, or replace it: it keeps its place in the order."""
        old = self._boxes.get(box_id)
        number = self._next if old is None else old[0]
        x0, y0, _, x1, y1, _ = corners = tuple(box.tolist())
        span = int(x0 // COLUMN), int(y0 // COLUMN), int(x1 // COLUMN), int(y1 // COLUMN)
        self._boxes[box_id] = number, corners, span
        if old is None:
            self._next += 1
        elif old[2] == span:
            return
        else:
            self._leave(box_id, old[2])
        if _is_wide(span):
            self._everywhere.add(box_id)
            return
        for column in _columns(span):
            self._columns.setdefault(column, set()).add(box_id)

    def remove(self, box_id: str) -> None:
        """Remove a box; one that is not there is none."""
        old = self._boxes.pop(box_id, None)
        if old is not None:
            self._leave(box_id, old[2])

    def near(self, low: Array, high: Array) -> list[str]:
        """Ids of the boxes that touch the box from ``low`` to ``high`` (3,), in the order in which they were added."""
        (ax, ay, az), (bx, by, bz) = low.tolist(), high.tolist()
        span = int(ax // COLUMN), int(ay // COLUMN), int(bx // COLUMN), int(by // COLUMN)
        if (span[2] - span[0] + 1) * (span[3] - span[1] + 1) > len(self._boxes):
            asked = set(self._boxes)
        else:
            asked = set(self._everywhere).union(*(self._columns.get(column, ()) for column in _columns(span)))
        found = []
        for box_id in asked:
            number, (x0, y0, z0, x1, y1, z1), _ = self._boxes[box_id]
            if x0 <= bx and y0 <= by and z0 <= bz and x1 >= ax and y1 >= ay and z1 >= az:
                found.append((number, box_id))
        return [box_id for _, box_id in sorted(found)]

    def _leave(self, box_id: str, span: tuple[int, int, int, int]) -> None:
        if _is_wide(span):
            self._everywhere.discard(box_id)
            return
        for column in _columns(span):
            members = self._columns[column]
            members.discard(box_id)
            if not members:
                del self._columns[column]


def _is_wide(span: tuple[int, int, int, int]) -> bool:
    return (span[2] - span[0] + 1) * (span[3] - span[1] + 1) > _MAX_COLUMNS


def _columns(span: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    x0, y0, x1, y1 = span
    return [(x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)]


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
