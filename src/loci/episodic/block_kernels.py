"""The inner loop of conditions: rows in blocks, of which most are accepted or refused whole by what is known of the block.

Compiles at its first call and is cached on disk; it releases the GIL.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

#: Rows of a block.
BLOCK = 512


@numba.njit(cache=True, nogil=True)
def _keep_between(kept, values, least, most):  # type: ignore[no-untyped-def]
    """Clear ``kept`` (M,) uint8 where values (M,) are not in [least, most]: no branch, no bool, so that it becomes vector instructions."""
    for i in range(len(kept)):
        kept[i] &= np.uint8((values[i] >= least) & (values[i] <= most))


@numba.njit(cache=True, nogil=True)
def _count(kept):  # type: ignore[no-untyped-def]
    n = 0
    for i in range(len(kept)):
        n += kept[i]
    return n


@numba.njit(cache=True, nogil=True)
def select_rows(
    mask: npt.NDArray[np.bool_],
    alive: npt.NDArray[np.bool_],
    stamps: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    xs: npt.NDArray[np.float64],
    ys: npt.NDArray[np.float64],
    zs: npt.NDArray[np.float64],
    keyframes: npt.NDArray[np.int64],
    stamp_bounds: npt.NDArray[np.int64],
    code_bounds: npt.NDArray[np.int32],
    position_bounds: npt.NDArray[np.float64],
    after: int,
    last: int,
    wanted: npt.NDArray[np.int32],
    is_spatial: bool,
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
    center: npt.NDArray[np.float64],
    radius: float,
) -> tuple[int, int]:
    """Set ``mask`` (N,) for rows that meet all conditions; how many do, and how many of these have no position of their own yet.

    A row that hangs on a keyframe passes the condition on position here: where it is depends on the keyframe's pose.

    Args:
        alive: (N,); stamps: (N,) [ns]; codes: (N, C); xs, ys, zs: (N,) positions [m], NaN: none; keyframes: (N,), -1: hangs on none.
        stamp_bounds: (B, 2) smallest and largest of each complete block; code_bounds: (B, 2, C) and position_bounds: (B, 2, 3) the same;
            where a row of the block hangs on a keyframe the bounds of its positions are infinite.
        after, last: smallest and largest stamp that meets the condition [ns].
        wanted: (C,) codes that a row must have; negative: any.
        is_spatial: whether there is a condition on position: in the closed box lower, upper (3,) and in the ball.
    """
    n, n_blocks, n_codes = len(mask), len(stamp_bounds), codes.shape[1]
    # What is outside of the ball's box, made a little larger for rounding, needs no square.
    margin = 1e-9 * (np.abs(center) + radius)
    least, most = np.maximum(lower, center - radius - margin), np.minimum(upper, center + radius + margin)
    kept, living = mask.view(np.uint8), alive.view(np.uint8)
    n_found, n_hanging = 0, 0
    for b in range((n + BLOCK - 1) // BLOCK):
        first, end = b * BLOCK, min((b + 1) * BLOCK, n)
        test_time, test_codes, may_hang, is_out = True, False, True, False
        if b < n_blocks:
            test_time = stamp_bounds[b, 0] < after or stamp_bounds[b, 1] > last
            is_out = stamp_bounds[b, 1] < after or stamp_bounds[b, 0] > last
            for c in range(n_codes):
                if wanted[c] >= 0:
                    is_out |= wanted[c] < code_bounds[b, 0, c] or wanted[c] > code_bounds[b, 1, c]
                    test_codes |= code_bounds[b, 0, c] != code_bounds[b, 1, c]
            may_hang = position_bounds[b, 0, 0] == -np.inf
            if is_spatial:
                for k in range(3):
                    is_out |= position_bounds[b, 1, k] < least[k] or position_bounds[b, 0, k] > most[k]
        else:
            for c in range(n_codes):
                test_codes |= wanted[c] >= 0
        if is_out:
            mask[first:end] = False
            continue
        here = kept[first:end]
        here[:] = living[first:end]
        # First what takes vector instructions; the few rows that pass are looked at one by one.
        if test_time:
            _keep_between(here, stamps[first:end], after, last)
        if is_spatial and not may_hang:
            _keep_between(here, xs[first:end], least[0], most[0])
            _keep_between(here, ys[first:end], least[1], most[1])
            _keep_between(here, zs[first:end], least[2], most[2])
        if test_codes or (is_spatial and (may_hang or radius < np.inf)):
            for i in range(first, end):
                if not mask[i]:
                    continue
                ok = True
                for c in range(n_codes):
                    ok &= wanted[c] < 0 or codes[i, c] == wanted[c]
                if ok and is_spatial:
                    if may_hang and keyframes[i] >= 0:
                        n_hanging += 1
                    else:
                        x, y, z = xs[i], ys[i], zs[i]
                        ok = lower[0] <= x <= upper[0] and lower[1] <= y <= upper[1] and lower[2] <= z <= upper[2]
                        if radius < np.inf:
                            square = (x - center[0]) ** 2 + (y - center[1]) ** 2 + (z - center[2]) ** 2
                            ok = ok and square <= radius * radius
                mask[i] = ok
        n_found += _count(here)
    return n_found, n_hanging
