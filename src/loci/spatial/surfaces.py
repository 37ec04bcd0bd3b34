"""Large horizontal surfaces: floors, table tops and beds, as peaks in how much surface was seen at which height."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from loci.geometry import Array
from loci.spatial.columns import Columns, Ints

#: A large surface has at least this area [m2], and a strong one at least this share of the largest one's.
MIN_AREA, STRONG_SHARE = 0.5, 0.2
#: A noisy surface spreads over so many layers up and down.
SPREAD = 1


@dataclass(frozen=True)
class Surface:
    """What lies at one height: ``z`` [m], its whole ``area`` [m2], and whether that is a good part of the largest one's."""

    z: float
    area: float
    is_strong: bool


def large_surfaces(columns: Columns) -> list[Surface]:
    """Peaks of the area of upper sides over height, from below."""
    first, _, tops = columns.layers
    leaf = columns.leaf_size
    levels = np.pad(tops, 2 * SPREAD)
    area = (
        np.convolve(levels, np.ones(2 * SPREAD + 1), mode="valid") * leaf**2
    )  # (L + 2,), from one layer below the first
    if not area.size or not area.any():
        return []
    highest = np.max([np.roll(np.pad(area, 3), s)[3:-3] for s in range(-3, 4)], axis=0)
    found: list[Surface] = []
    for i in np.flatnonzero((area >= MIN_AREA) & (area == highest)):
        weights = levels[i : i + 2 * SPREAD + 1]
        middle = first - SPREAD + int(i) + float((weights * np.arange(-SPREAD, SPREAD + 1)).sum() / weights.sum())
        z, strong = (middle + 0.5) * leaf, bool(area[i] >= STRONG_SHARE * area.max())
        if not found or z - found[-1].z > SPREAD * leaf:  # a thin surface is as large from one layer below or above
            found.append(Surface(z, float(area[i]), strong))
    return found


def lowest_surface(columns: Columns) -> float:
    """Height of the lowest strong surface [m].

    A camera that never saw the floor gives the lowest large surface that it saw, or else the lowest of what it saw.
    """
    strong = [s.z for s in large_surfaces(columns) if s.is_strong]
    if strong:
        return strong[0]
    first, solid, _ = columns.layers
    if not solid.any():
        return first * columns.leaf_size
    return (first + int(np.searchsorted(np.cumsum(solid) / solid.sum(), 0.01))) * columns.leaf_size


@dataclass(frozen=True)
class Patches:
    """The connected pieces of a surface: ``areas`` (K,) [m2], and (N,) which of them lies near each point asked for, -1: none."""

    areas: Array
    near: Ints


def patches(columns: Columns, z: float, points: Array, reach: float) -> Patches:
    """Connected pieces of the surface at a height.

    Args:
        columns: of the octree.
        z: [m]
        points: (N, 2) [m].
        reach: how near is near [m].

    Returns:
        areas by piece, and (N,) int64 the piece within ``reach`` of each point, -1: none.
    """
    leaf = columns.leaf_size
    layer = round(z / leaf - 0.5)
    mask, corner = columns.surface(layer - SPREAD, layer + SPREAD + 1)
    near = np.full(len(points), -1, dtype=np.int64)
    if not mask.any():
        return Patches(np.zeros(0), near)
    # Gaps of a few centimetres between image rows do not part a floor.
    closed = cv2.morphologyEx(np.pad(mask, 3).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    _, labels = cv2.connectedComponents(closed, connectivity=4)
    areas = np.bincount(labels[3:-3, 3:-3][mask])[1:] * leaf**2
    distance, nearest = cv2.distanceTransformWithLabels(1 - closed, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    piece_of = np.zeros(int(nearest.max()) + 1, dtype=np.int64)
    piece_of[nearest[closed > 0]] = labels[closed > 0]
    cells = np.floor(points / leaf).astype(np.int64) - corner + 3  # (N, 2) column, row
    inside = np.all((cells >= 0) & (cells < labels.shape[::-1]), axis=1)
    x, y = cells[inside].T
    near[inside] = np.where(distance[y, x] * leaf <= reach, piece_of[nearest[y, x]] - 1, -1)
    return Patches(np.asarray(areas, dtype=np.float64), near)
