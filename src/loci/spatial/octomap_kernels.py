"""OctoMap's byte streams, walked through by numba: depth first, without recursion, into lists of leaves.

Both return (leaves, nodes, position, fault): how many leaves were found and nodes read, where reading stopped, and why. A leaf is
the Morton code of a cube of 2^level voxels per edge, z in the highest of each three bits, as OctoMap numbers children.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

#: Levels of an OctoMap tree above its voxels.
DEPTH = 16
FINE, TRUNCATED, TOO_DEEP = 0, 1, 2
FREE_LEAF, OCCUPIED_LEAF, INNER = 1, 2, 3


@numba.njit(cache=True, nogil=True)
def read_binary(
    data: npt.NDArray[np.uint8],
    codes: npt.NDArray[np.int64],
    levels: npt.NDArray[np.int8],
    occupied: npt.NDArray[np.bool_],
) -> tuple[int, int, int, int]:
    """Leaves of a ``.bt`` stream: two bits for each child of an inner node, the inner ones of which follow in order."""
    code = np.zeros(DEPTH + 1, dtype=np.int64)
    pending = np.zeros(DEPTH + 1, dtype=np.int64)
    n_leaves, n_nodes, position, depth = 0, 1, 0, 0
    enter = True
    while depth >= 0:
        if enter:
            if position + 2 > data.size:
                return n_leaves, n_nodes, position, TRUNCATED
            word = np.int64(data[position]) | (np.int64(data[position + 1]) << 8)
            position += 2
            pending[depth] = 0
            for child in range(8):
                kind = (word >> (2 * child)) & 3
                if kind == 0:
                    continue
                n_nodes += 1
                if kind == INNER:
                    if depth == DEPTH - 1:
                        return n_leaves, n_nodes, position - 2, TOO_DEEP
                    pending[depth] |= 1 << child
                else:
                    codes[n_leaves] = (code[depth] << 3) | child
                    levels[n_leaves] = DEPTH - 1 - depth
                    occupied[n_leaves] = kind == OCCUPIED_LEAF
                    n_leaves += 1
        enter = False
        for child in range(8):
            if (pending[depth] >> child) & 1:
                pending[depth] &= ~(1 << child)
                code[depth + 1] = (code[depth] << 3) | child
                depth += 1
                enter = True
                break
        if not enter:
            depth -= 1
    return n_leaves, n_nodes, position, FINE


@numba.njit(cache=True, nogil=True)
def read_full(
    data: npt.NDArray[np.uint8],
    codes: npt.NDArray[np.int64],
    levels: npt.NDArray[np.int8],
    values: npt.NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """Leaves of an ``.ot`` stream: of each node its log-odds (``values``: where they lie), then which children follow."""
    code = np.zeros(DEPTH + 1, dtype=np.int64)
    pending = np.zeros(DEPTH + 1, dtype=np.int64)
    n_leaves, n_nodes, position, depth = 0, 0, 0, 0
    enter = True
    while depth >= 0:
        if enter:
            if position + 5 > data.size:
                return n_leaves, n_nodes, position, TRUNCATED
            pending[depth] = data[position + 4]
            n_nodes += 1
            if pending[depth] == 0:
                codes[n_leaves], levels[n_leaves], values[n_leaves] = code[depth], DEPTH - depth, position
                n_leaves += 1
            elif depth == DEPTH:
                return n_leaves, n_nodes, position, TOO_DEEP
            position += 5
        enter = False
        for child in range(8):
            if (pending[depth] >> child) & 1:
                pending[depth] &= ~(1 << child)
                code[depth + 1] = (code[depth] << 3) | child
                depth += 1
                enter = True
                break
        if not enter:
            depth -= 1
    return n_leaves, n_nodes, position, FINE
