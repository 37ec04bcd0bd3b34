"""Which rooms a long way leads through, so that a path need only be searched for in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from loci.spatial.regions import RoomMap


@dataclass(frozen=True)
class _Doors:
    """Where rooms meet.

    Attributes:
        rooms: (D, 2) labels of the two rooms at each door.
        cells: (D, 2) row and column.
        bounds: (R + 1, 4) first and last row and column of each label.
    """

    rooms: npt.NDArray[np.int64]
    cells: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64]


class _Identity:
    """Makes a segmentation hashable by identity, and keeps it alive as long as its doors are."""

    def __init__(self, rooms: RoomMap, costs: npt.NDArray[np.float32]) -> None:
        self.rooms, self.costs = rooms, costs

    def __hash__(self) -> int:
        return hash((id(self.rooms.labels), id(self.costs)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.rooms.labels is self.rooms.labels and other.costs is self.costs


@lru_cache(maxsize=8)
def _doors(key: _Identity) -> _Doors:
    labels, costs = key.rooms.labels, key.costs
    pairs, cells = [], []
    for ahead, behind, step in ((np.s_[1:], np.s_[:-1], (1, 0)), (np.s_[:, 1:], np.s_[:, :-1], (0, 1))):
        a, b = labels[ahead], labels[behind]
        meet = (a != b) & (a > 0) & (b > 0) & np.isfinite(costs[ahead]) & np.isfinite(costs[behind])
        at = np.argwhere(meet)
        pairs.append(np.sort(np.column_stack([a[meet], b[meet]]), axis=1))
        cells.append(at + step)
    pair, cell = np.concatenate(pairs).astype(np.int64), np.concatenate(cells)
    # The roomiest cell of each pair of rooms stands for its door.
    order = np.lexsort((costs[cell[:, 0], cell[:, 1]], pair[:, 1], pair[:, 0]))
    pair, cell = pair[order], cell[order]
    first = np.any(np.diff(pair, axis=0, prepend=-1), axis=1) if len(pair) else np.zeros(0, dtype=np.bool_)
    n = int(labels.max(initial=0)) + 1
    bounds = np.tile(np.array([labels.shape[0], 0, labels.shape[1], 0], dtype=np.int64), (n, 1))
    rows, columns = np.nonzero(labels)
    of = labels[rows, columns]
    np.minimum.at(bounds[:, 0], of, rows)
    np.maximum.at(bounds[:, 1], of, rows)
    np.minimum.at(bounds[:, 2], of, columns)
    np.maximum.at(bounds[:, 3], of, columns)
    return _Doors(pair[first], cell[first], bounds)


def rooms_between(
    rooms: RoomMap, costs: npt.NDArray[np.float32], start: tuple[int, int], goal: tuple[int, int]
) -> tuple[npt.NDArray[np.bool_], tuple[slice, slice]] | None:
    """The rooms on the shortest way from door to door (Dijkstra), as the crow flies within each room.

    Args:
        rooms: segmentation of the map.
        costs: (H, W) of the map, infinite where a robot cannot be.
        start, goal: cells (row, column).

    Returns:
        which labels are on the way (R + 1,), with 0 (no room) among them, and the window of the map that holds them; None: the
        rooms do not tell.
    """
    first, last = int(rooms.labels[start]), int(rooms.labels[goal])
    if not first or not last:
        return None
    doors = _doors(_Identity(rooms, costs))
    n = len(doors.cells)
    # Nodes: the doors, then start and goal; edges between all that belong to one room.
    cells = np.vstack([doors.cells, start, goal])
    sides = np.vstack([doors.rooms, (first, first), (last, last)])
    a, b = np.triu_indices(n + 2, 1)
    shared = np.where(
        (sides[a, 0] == sides[b, 0]) | (sides[a, 0] == sides[b, 1]),
        sides[a, 0],
        np.where((sides[a, 1] == sides[b, 0]) | (sides[a, 1] == sides[b, 1]), sides[a, 1], 0),
    )
    a, b = a[shared > 0], b[shared > 0]
    length = np.maximum(np.linalg.norm(cells[a] - cells[b], axis=1), 1e-3)
    graph = csr_array((length, (a, b)), shape=(n + 2, n + 2))
    reached, before = dijkstra(graph, directed=False, indices=n, return_predecessors=True)
    if np.isinf(reached[n + 1]):
        return None
    allowed = np.zeros(len(doors.bounds), dtype=np.bool_)
    node = n + 1
    while node >= 0:
        allowed[sides[node]] = True
        node = int(before[node])
    own = doors.bounds[allowed]
    allowed[0] = True
    margin = 2
    rows = slice(max(int(own[:, 0].min()) - margin, 0), int(own[:, 1].max()) + 1 + margin)
    columns = slice(max(int(own[:, 2].min()) - margin, 0), int(own[:, 3].max()) + 1 + margin)
    return allowed, (rows, columns)
