"""Which memories to let go of first when there is no room for all: the least important, oldest and least used.

A pure function of arrays. The three terms are those that generative agents rank memories by (Park et al., UIST 2023, section 4.1):
importance, recency and, for relevance, how often something was asked for. What must stay is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RetentionParameters:
    """How much each term weighs, and what it means.

    Attributes:
        importance, recency, use: weights, >= 0, not all 0.
        half_life: after so many newer memories recency has fallen to a half.
    """

    importance: float = 0.5
    recency: float = 0.25
    use: float = 0.25
    half_life: float = 500.0

    def __post_init__(self) -> None:
        weights = (self.importance, self.recency, self.use)
        if not all(np.isfinite(w) and w >= 0 for w in weights) or not sum(weights) > 0:
            raise ValueError(f"expected weights of importance, recency and use >= 0, not all 0, got {weights}")
        if not (np.isfinite(self.half_life) and self.half_life > 0):
            raise ValueError(f"expected a half life > 0 memories, got {self.half_life}")


@dataclass(frozen=True)
class Retention:
    """Why N memories are worth keeping, each (N,) in [0, 1]; ``score`` is the weighted mean of the others."""

    importance: Floats
    recency: Floats
    use: Floats
    score: Floats

    def reason(self, i: int) -> str:
        """The terms of one memory in words."""
        return (
            f"score {self.score[i]:.2f} (importance {self.importance[i]:.2f}, recency {self.recency[i]:.2f}, "
            f"use {self.use[i]:.2f})"
        )


def retention(
    importance: Floats, age: npt.ArrayLike, n_uses: npt.ArrayLike, parameters: RetentionParameters | None = None
) -> Retention:
    """How much N memories are worth.

    Args:
        importance: (N,) in [0, 1].
        age: (N,) how many memories are newer, >= 0.
        n_uses: (N,) how often each was asked for, >= 0.
        parameters: weights.

    Returns:
        Terms and scores, (N,) each.
    """
    p = parameters or RetentionParameters()
    recency = np.exp2(-np.asarray(age, dtype=np.float64) / p.half_life)
    uses = np.log1p(np.asarray(n_uses, dtype=np.float64))
    use = uses / max(1.0, float(uses.max(initial=0.0)))
    total = p.importance + p.recency + p.use
    score = (p.importance * importance + p.recency * recency + p.use * use) / total
    return Retention(np.asarray(importance, dtype=np.float64), recency, use, score)


def distinctness(positions: Floats, directions: Floats, cell: float, angle: float) -> npt.NDArray[np.int64]:
    """Numbers (N,) of the group that each of N views belongs to: those from one place in one direction look alike.

    Args:
        positions: (N, 3) of the cameras [m].
        directions: (N, 3) unit vectors of the optical axes.
        cell: edge of a place [m].
        angle: width of a direction [rad].
    """
    if not len(positions):
        return np.zeros(0, dtype=np.int64)
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    elevation = np.arcsin(np.clip(directions[:, 2], -1.0, 1.0))
    keys = np.column_stack(
        [np.floor(positions / cell), np.floor(azimuth / angle), np.floor((elevation + np.pi / 2) / angle)]
    ).astype(np.int64)
    return np.asarray(np.unique(keys, axis=0, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def least_worth(scores: Floats, groups: npt.NDArray[np.int64], n: int) -> Sequence[int]:
    """At most n of N memories with the lowest scores, not two of one group: what is left of the group is worth more then."""
    order = np.argsort(scores, kind="stable")
    first = np.sort(np.unique(groups[order], return_index=True)[1])[:n]
    return [int(i) for i in order[first]]
