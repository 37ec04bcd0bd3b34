"""Which rows meet the conditions of a question: one pass over the columns, that leaves out whole blocks of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.episodic.block_kernels import select_rows
from loci.episodic.columns import Columns
from loci.episodic.filters import EpisodeFilter
from loci.episodic.records import PoseOf
from loci.episodic.view import CODES, View
from loci.store.vector_kernels import keep_inside

#: No condition: on a code, and on stamps.
_ANY = -1
_FIRST, _LAST = -(2**63), 2**63 - 1
EPISODE_KINDS = ("keyframe", "episode")


def select(
    columns: Columns, view: View, conditions: EpisodeFilter, pose_of: PoseOf | None
) -> tuple[npt.NDArray[np.bool_], int]:
    """(N,) bool: rows of a view that meet all conditions; and how many do.

    Raises:
        ValueError: a condition on position without ``pose_of``.
    """
    wanted = dict.fromkeys(CODES, _ANY)
    several: dict[str, npt.NDArray[np.int64]] = {}
    for name, texts in (("kind", set(conditions.kinds) or None), ("place", conditions.places)):
        if texts is None or (name == "kind" and len(texts) == len(EPISODE_KINDS)):
            continue
        codes = columns.codes(texts)
        codes = codes[codes >= 0]
        if len(codes) == 1:
            wanted[name] = int(codes[0])
        else:
            several[name] = codes
    for name in ("state", "session", "map_id"):
        text = getattr(conditions, name)
        if text is not None:
            wanted[name] = columns.code(text)
            if wanted[name] < 0:
                several[name] = np.zeros(0, dtype=np.int64)
    if conditions.is_spatial and pose_of is None:
        raise ValueError("expected pose_of for a condition on position")
    region = _region(conditions)
    mask = np.empty(len(view), dtype=np.bool_)
    n, n_hanging = select_rows(
        mask,
        view.alive,
        view.stamp,
        view.codes,
        view.x,
        view.y,
        view.z,
        view.keyframe,
        view.blocks.stamps,
        view.blocks.codes,
        view.blocks.positions,
        _FIRST if conditions.after_ns is None else _stamp(conditions.after_ns),
        _LAST if conditions.before_ns is None else _stamp(conditions.before_ns - 1),
        np.array(list(wanted.values()), dtype=np.int32),
        conditions.is_spatial,
        *region,
    )
    if (
        not several
        and not conditions.states
        and not conditions.labels
        and conditions.object_id is None
        and not n_hanging
    ):
        return mask, n
    for name, codes in several.items():
        mask &= _among(view.column(name), codes)
    if conditions.states:
        mask &= _among(view.column("state"), columns.codes(conditions.states))
    if conditions.labels:
        mask &= view.rows_with(columns.codes(conditions.labels), view.label, view.label_row)
    if conditions.object_id is not None:
        mask &= view.rows_with(columns.codes([conditions.object_id]), view.object, view.object_row)
    if n_hanging and pose_of is not None:
        hanging = np.flatnonzero(mask & (view.keyframe >= 0))
        T = columns.poses.gather(view.keyframe[hanging], pose_of)  # (M, 4, 4)
        here = np.einsum("nij,nj->ni", T[:, :3, :3], view.offset[hanging]) + T[:, :3, 3]
        here = np.where(np.isnan(here), np.column_stack([column[hanging] for column in (view.x, view.y, view.z)]), here)
        inside = np.ones(len(hanging), dtype=bool)
        keep_inside(here, inside, *region)
        mask[hanging] = inside
    return mask, int(np.count_nonzero(mask))


def _stamp(stamp_ns: int) -> int:
    """A stamp as near as 64 bits have one."""
    return min(max(stamp_ns, _FIRST), _LAST)


def _region(
    conditions: EpisodeFilter,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Box (3,), (3,) and ball (3,), radius of a condition on position; infinite where it has none."""
    lower, upper = conditions.box or ((-np.inf,) * 3, (np.inf,) * 3)
    center = conditions.position or (0.0, 0.0, 0.0)
    return (
        np.array(lower, dtype=np.float64),
        np.array(upper, dtype=np.float64),
        np.array(center, dtype=np.float64),
        float(conditions.radius or np.inf),
    )


def _among(column: npt.NDArray[np.int32], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(N,) bool: which of a column's values are among some codes."""
    if len(codes) > 8:
        return np.isin(column, codes)
    found = np.zeros(len(column), dtype=np.bool_)
    for code in codes:
        found |= column == code
    return found
