"""Where to write labels so that they cover one another, and what must stay visible, as little as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 [px]


def overlap(box: Box, others: Sequence[Box]) -> float:
    """Sum of the areas [px2] that a box shares with each of the others."""
    if not others:
        return 0.0
    o = np.asarray(others)
    width = np.minimum(box[2], o[:, 2]) - np.maximum(box[0], o[:, 0])
    height = np.minimum(box[3], o[:, 3]) - np.maximum(box[1], o[:, 1])
    return float(np.sum(np.maximum(width, 0.0) * np.maximum(height, 0.0)))


def place_labels(
    anchors: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    taken: Sequence[Box],
    avoid: Sequence[Box],
    bounds: Box,
    *,
    reach: float,
    step: float,
    rings: int,
) -> list[Box]:
    """Boxes for labels, placed greedily in the given order.

    Args:
        anchors: what each label belongs to [px]; sizes: (width, height) of the labels [px].
        taken: must not be covered; avoid: should not be covered.
        bounds: that labels must lie inside of [px].
        reach, step, rings: candidate centres lie ``reach`` + k * ``step`` away from the anchor, k up to ``rings``.
    """
    placed: list[Box] = []
    hard = list(taken)
    for (ax, ay), (w, h) in zip(anchors, sizes, strict=True):
        best, best_cost = None, np.inf
        for ring in range(rings + 1):
            distance = reach + ring * step
            for angle in np.linspace(0.0, 2 * np.pi, 1 if distance == 0.0 else 12, endpoint=False):
                # An ellipse: labels are wide, so that going aside takes further than going up.
                cx = ax + np.cos(angle) * (distance + (w / 2 if ring else 0.0))
                cy = ay + np.sin(angle) * (distance + (h / 2 if ring else 0.0))
                cx = float(np.clip(cx, bounds[0] + w / 2, max(bounds[2] - w / 2, bounds[0] + w / 2)))
                cy = float(np.clip(cy, bounds[1] + h / 2, max(bounds[3] - h / 2, bounds[1] + h / 2)))
                box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
                cost = 20.0 * overlap(box, hard) + overlap(box, avoid) + 0.6 * w * h * ring / max(rings, 1)
                if cost < best_cost - 1e-9:
                    best, best_cost = box, cost
        assert best is not None
        placed.append(best)
        hard.append(best)
    return placed
