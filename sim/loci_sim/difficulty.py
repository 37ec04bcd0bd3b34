"""How hard a scene is for a memory: repeated categories, small things, like things side by side.

Task suites need all three; a family states how much of each its scenes have at least, and draws that fall short are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loci_sim.meshes import Floats

#: A thing is small if its largest extent is less [m]; neighbours' centres are at most so far apart [m].
SMALL, NEAR = 0.15, 0.3


@dataclass(frozen=True)
class Difficulty:
    """How hard a scene is.

    Attributes:
        repeated: share of the categories that have several instances.
        small: share of the objects that are small.
        neighbours: pairs of one category near one another.
    """

    repeated: float
    small: float
    neighbours: int

    def reaches(self, least: Difficulty) -> bool:
        """Whether it is at least as hard in every respect."""
        return self.repeated >= least.repeated and self.small >= least.small and self.neighbours >= least.neighbours


def measure(categories: Sequence[str], centers: Floats, sizes: Floats) -> Difficulty:
    """Difficulty of objects with ``categories`` (N), ``centers`` (N, 3) and ``sizes`` (N, 3) [m]."""
    counts = Counter(categories)
    numbers = {name: i for i, name in enumerate(counts)}
    kind = np.array([numbers[name] for name in categories])
    distance = np.linalg.norm(centers[:, None] - centers[None], axis=-1)  # (N, N)
    pairs = np.triu((distance <= NEAR) & (kind[:, None] == kind[None]), 1)
    return Difficulty(
        float(np.mean([n > 1 for n in counts.values()])),
        float(np.mean(sizes.max(axis=1) < SMALL)),
        int(np.count_nonzero(pairs)),
    )
