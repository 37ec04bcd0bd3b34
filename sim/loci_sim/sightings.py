"""Counts in how many images the camera saw each thing well enough to be known: ground truth, for scoring only."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

#: Things farther away are not taken as seen [m]: the memory takes nothing from there either (`loci_sim.processes`).
SIGHT_RANGE = 5.0


class Sightings:
    """What was in view so far.

    Args:
        min_pixels: a thing that shows fewer in an image was not in view.
    """

    def __init__(self, min_pixels: int) -> None:
        self._min_pixels = min_pixels
        self._counts: Counter[int] = Counter()

    def add(self, instances: npt.NDArray[np.integer], depth: npt.NDArray[np.floating]) -> None:
        """Take in an image: instances (H, W), 0: none, and depth (H, W) [m], 0: none."""
        shown = np.bincount(instances[(depth > 0.0) & (depth <= SIGHT_RANGE)])
        shown[:1] = 0
        self._counts.update(np.flatnonzero(shown >= self._min_pixels).tolist())

    def n_images(self, instance: int) -> int:
        """In how many images an instance was in view."""
        return self._counts[instance]
