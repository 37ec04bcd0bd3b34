"""Places by where they are, for the thread that writes the graph: found without a look at all of them, moved in place."""

from __future__ import annotations

from itertools import product

from loci.geometry import Array

_Cell = tuple[str, int, int, int]
_AROUND = tuple(product((-1, 0, 1), repeat=3))


class PlaceGrid:
    """Ids of places in cubes of a map; what is within one edge of a point lies in 27 of them.

    Args:
        edge: of the cubes [m].
    """

    def __init__(self, edge: float) -> None:
        self._edge = edge
        self._ids: dict[_Cell, dict[str, None]] = {}  # the ids of a cube, in the order in which they came
        self._cells: dict[str, _Cell] = {}

    def put(self, place_id: str, map_id: str, position: Array) -> None:
        """Note where a place (3,) is now [m]."""
        cell = self._cell(map_id, position)
        before = self._cells.get(place_id)
        if before == cell:
            return
        if before is not None:
            del self._ids[before][place_id]
        self._ids.setdefault(cell, {})[place_id] = None
        self._cells[place_id] = cell

    def remove(self, place_id: str) -> None:
        """Let go of a place."""
        del self._ids[self._cells.pop(place_id)][place_id]

    def around(self, position: Array, map_id: str) -> list[str]:
        """Ids of all places within an edge of a point (3,) [m], and of some farther ones."""
        _, x, y, z = self._cell(map_id, position)
        return [i for dx, dy, dz in _AROUND for i in self._ids.get((map_id, x + dx, y + dy, z + dz), ())]

    def _cell(self, map_id: str, position: Array) -> _Cell:
        x, y, z = position.tolist()
        return (map_id, int(x // self._edge), int(y // self._edge), int(z // self._edge))
