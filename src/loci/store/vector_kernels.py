"""The inner loops of vector search, compiled by numba: rows are gathered and multiplied in one pass, without a copy of them.

Each compiles at its first call and is cached on disk; they release the GIL.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


@numba.njit(cache=True, nogil=True, fastmath=True)
def dots(
    vectors: npt.NDArray[np.float32], positions: npt.NDArray[np.int64], query: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Products (M,) of the rows at M positions of vectors (N, D) with a query (D,)."""
    result = np.empty(len(positions), np.float32)
    for i in range(len(positions)):
        row = vectors[positions[i]]
        total = np.float32(0.0)
        for j in range(len(query)):
            total += row[j] * query[j]
        result[i] = total
    return result


@numba.njit(cache=True, nogil=True)
def scan_lists(
    codes: npt.NDArray[np.int8],
    members: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    each_has_one: bool,
    allowed: npt.NDArray[np.bool_],
    all_allowed: bool,
    query: npt.NDArray[np.int8],
    n_lists: int,
    n_enough: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Products of a query's code with the codes of the allowed members of lists, one list after the other.

    Args:
        codes: (M, d), in the order of ``members``.
        members: (M,) the position of each; those of list i are ``members[starts[i]:starts[i + 1]]``.
        order: lists, best first.
        rows: (N,) the row that each position belongs to; each_has_one: that is its own number.
        allowed: (n_rows,) by row; all_allowed: each of them is.
        query: (d,).
        n_lists, n_enough: it ends after so many lists, once so many products were made.

    Returns:
        positions (K,) and products (K,).
    """
    positions, products = np.empty(len(members), np.int32), np.empty(len(members), np.int32)
    n = 0
    for i in range(len(order)):
        if i >= n_lists and n >= n_enough:
            break
        for k in range(starts[order[i]], starts[order[i] + 1]):
            if not all_allowed and not allowed[members[k] if each_has_one else rows[members[k]]]:
                continue
            total = np.int32(0)
            for j in range(len(query)):
                total += np.int32(codes[k, j]) * np.int32(query[j])
            positions[n], products[n] = members[k], total
            n += 1
    return positions[:n], products[:n]


@numba.njit(cache=True, nogil=True)
def scan_positions(
    codes: npt.NDArray[np.int8],
    places: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int64],
    query: npt.NDArray[np.int8],
) -> npt.NDArray[np.int32]:
    """Products (K,) of a query's code (d,) with the codes of some positions (K,).

    Args:
        codes: (M, d), list by list; places: (M,) where each position is in them.
    """
    products = np.empty(len(positions), np.int32)
    for i in range(len(positions)):
        k = places[positions[i]]
        total = np.int32(0)
        for j in range(len(query)):
            total += np.int32(codes[k, j]) * np.int32(query[j])
        products[i] = total
    return products


@numba.njit(cache=True, nogil=True)
def append_members(
    members: npt.NDArray[np.int32],
    codes: npt.NDArray[np.int8],
    starts: npt.NDArray[np.int64],
    new_starts: npt.NDArray[np.int64],
    assigned: npt.NDArray[np.int32],
    new_codes: npt.NDArray[np.int8],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """Members and codes of lists with K more vectors, each at the end of its list.

    Args:
        members, codes, starts: (M,), (M, d), (C + 1,) of the lists as they are.
        new_starts: (C + 1,) where each list begins then.
        assigned: (K,) list of each new vector, whose positions follow the M; new_codes: (K, d).

    Returns:
        members (M + K,) and codes (M + K, d).
    """
    n = len(members)
    members_then = np.empty(n + len(assigned), np.int32)
    codes_then = np.empty((n + len(assigned), codes.shape[1]), np.int8)
    ends = np.empty(len(starts) - 1, np.int64)
    for i in range(len(ends)):
        n_here = starts[i + 1] - starts[i]
        ends[i] = new_starts[i] + n_here
        members_then[new_starts[i] : ends[i]] = members[starts[i] : starts[i + 1]]
        codes_then[new_starts[i] : ends[i]] = codes[starts[i] : starts[i + 1]]
    for k in range(len(assigned)):
        at = ends[assigned[k]]
        members_then[at] = n + k
        codes_then[at] = new_codes[k]
        ends[assigned[k]] = at + 1
    return members_then, codes_then


@numba.njit(cache=True, nogil=True)
def keep_inside(
    positions: npt.NDArray[np.float64],
    mask: npt.NDArray[np.bool_],
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
    center: npt.NDArray[np.float64],
    radius: float,
) -> None:
    """Clear ``mask`` (N,) where a position (N, 3) [m] is not in the closed box (3,), (3,) and the ball; NaN is in none."""
    for i in range(len(mask)):
        if mask[i]:
            x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
            inside = lower[0] <= x <= upper[0] and lower[1] <= y <= upper[1] and lower[2] <= z <= upper[2]
            if inside:
                square = (x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2
                inside = square <= radius * radius
            mask[i] = inside
