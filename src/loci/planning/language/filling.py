"""Which words of a sentence fill its blanks, learnt from example sentences: a conditional logit over the ways to fill them.

Ways of one sentence compete (McFadden 1974; in language, Collins and Koo 2005): the weights raise the right one over all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

#: What large weights cost, and how often all sentences are gone through.
L2, N_STEPS, RATE = 0.02, 150, 0.5


def fit(sentences: Sequence[tuple[Sequence[Sequence[str]], int]], fewest: int = 2) -> dict[str, float]:
    """Weights of features.

    Args:
        sentences: of each, the features of every way to fill its blanks, and which way is right.
        fewest: features that fewer sentences have are left out.
    """
    counted = Counter(f for ways, _ in sentences for f in {f for way in ways for f in way})
    index = {f: i for i, f in enumerate(sorted(f for f, n in counted.items() if n >= fewest))}
    rows: list[int] = []
    columns: list[int] = []
    starts: list[int] = []
    right: list[int] = []
    n = 0
    for ways, answer in sentences:
        starts.append(n)
        right.append(n + answer)
        for way in ways:
            known = {index[f] for f in way if f in index}
            rows += [n] * len(known)
            columns += sorted(known)
            n += 1
    row, column, start = np.array(rows), np.array(columns), np.array(starts)
    of = np.repeat(np.arange(len(starts)), np.diff([*starts, n]))  # (N,) sentence of each way
    wanted = np.zeros(n)
    wanted[right] = 1.0
    weights: npt.NDArray[np.float64] = np.zeros(len(index))
    squares = np.full(len(index), 1e-6)
    for _ in range(N_STEPS):
        scores = np.bincount(row, weights[column], n)
        likely = np.exp(scores - np.maximum.reduceat(scores, start)[of])
        likely /= np.add.reduceat(likely, start)[of]
        gradient = np.bincount(column, (likely - wanted)[row], len(index)) / len(starts) + L2 * weights / len(starts)
        squares += gradient**2  # AdaGrad (Duchi et al. 2011)
        weights = weights - RATE * gradient / np.sqrt(squares)
    return {f: round(float(weights[i]), 3) for f, i in index.items() if abs(weights[i]) >= 0.01}


def score(weights: Mapping[str, float], features: Sequence[str]) -> float:
    """Score of a way to fill the blanks."""
    return sum(weights.get(f, 0.0) for f in set(features))
