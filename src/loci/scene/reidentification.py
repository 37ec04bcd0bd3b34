"""Is a new object one that is gone? By label, size, colours and embedding; who is who is solved as an assignment.

What was seen while the other was still in its place is another instance: identity is per instance, never per type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from loci.scene.tracks import Track


@dataclass(frozen=True)
class ReidentificationParameters:
    """When a new object is one that was elsewhere before.

    Attributes:
        size_slack, size_slack_relative: sizes may differ by so much [m], and by this share more: sides may be hidden.
        min_color: least share of the colours that two views of one thing have in common.
        min_cosine: least similarity of embeddings, where both have one.
        min_clear: least agreement of either the sizes or the colours. A side may be hidden, or another side show other colours;
            where neither fits well it is another thing of the kind.
        min_likeness: least likeness.
        alike: candidates whose likeness differs by less cannot be told apart.
    """

    size_slack: float = 0.05
    size_slack_relative: float = 0.3
    min_color: float = 0.3
    min_cosine: float = 0.7
    min_clear: float = 0.75
    min_likeness: float = 0.55
    alike: float = 0.1


@dataclass(frozen=True)
class Match:
    """A new object that is one that was gone.

    Attributes:
        gone, new: their ids.
        likeness: [0, 1].
        ambiguous: another one could be the one as well.
    """

    gone: str
    new: str
    likeness: float
    ambiguous: bool


def likeness(a: Track, b: Track, p: ReidentificationParameters) -> float:
    """How much two objects look like one instance, (0, 1]; 0: they are not. It may have been turned over meanwhile."""
    if not (a.is_labelled and a.label == b.label and a.map_id == b.map_id):
        return 0.0
    mine, theirs = np.sort(a.size), np.sort(b.size)
    larger = np.maximum(mine, theirs)
    differences = np.abs(mine - theirs)
    if np.any(differences > p.size_slack + p.size_slack_relative * larger):
        return 0.0
    agreement = 1.0 - differences / (larger + p.size_slack)  # (3,) along the shortest, the middle and the longest side
    size = float(agreement.mean())
    color = _color_likeness(a, b)
    if color < p.min_color or max(float(agreement.min()), color) < p.min_clear:
        return 0.0
    found = 0.5 * size + 0.5 * color
    ea, eb = a.embedding, b.embedding
    if ea is not None and eb is not None and ea.shape == eb.shape:
        cosine = float(ea @ eb)
        if cosine < p.min_cosine:
            return 0.0
        found = 0.5 * found + 0.5 * cosine
    return found if found >= p.min_likeness else 0.0


def _color_likeness(a: Track, b: Track) -> float:
    """Share of the colour names that two objects have in common, [0, 1] (histogram intersection, Swain and Ballard 1991)."""
    n, m = int(a.color_counts.sum()), int(b.color_counts.sum())
    if not n or not m:  # of a memory from before colours were counted
        return 0.7 if not a.colors or not b.colors or set(a.colors) & set(b.colors) else 0.0
    return float(np.minimum(a.color_counts / n, b.color_counts / m).sum())


def reidentify(
    gone: Sequence[Track], new: Sequence[Track], possible: npt.NDArray[np.bool_], p: ReidentificationParameters
) -> list[Match]:
    """Which new objects are which of those that are gone or held: each is at most one.

    Args:
        gone: G objects that are not where they were.
        new: N objects that were not there before.
        possible: (G, N) where nothing that was seen speaks against it.
        p: settings.
    """
    if not gone or not new:
        return []
    value = np.zeros((len(gone), len(new)))
    for i, a in enumerate(gone):
        for j, b in enumerate(new):
            if possible[i, j]:
                value[i, j] = likeness(a, b, p)
    # What the robot took is what it puts down, rather than what it lost sight of.
    preferred = value + 0.15 * (value > 0) * np.array([[a.standing.state == "held"] for a in gone])
    rows, columns = linear_sum_assignment(preferred, maximize=True)
    found = []
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        if value[i, j] > 0:
            rivals = np.concatenate([np.delete(preferred[:, j], i), np.delete(preferred[i], j)])
            ambiguous = bool(np.any((rivals > 0) & (rivals > preferred[i, j] - p.alike)))
            found.append(Match(gone[i].id, new[j].id, float(value[i, j]), ambiguous))
    return found
