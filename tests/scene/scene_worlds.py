"""What the scene tests share: boxes by centre and size, ids, and bare objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

from loci.geometry import Camera, look_at
from loci.scene.objects import SceneObject
from synthetic import Box, World

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)


def box(label: str, center: Sequence[float], size: Sequence[float]) -> Box:
    """A box by its centre and size [m], in a colour of its own."""
    low, high = np.subtract(center, np.divide(size, 2)), np.add(center, np.divide(size, 2))
    color = tuple(int(v) for v in np.random.default_rng(abs(hash((label, *center))) % 2**32).integers(30, 226, 3))
    return Box(label, tuple(low.tolist()), tuple(high.tolist()), color)  # type: ignore[arg-type]


def room(*boxes: Box) -> World:
    """A room of 12 m square with things in it."""
    return World(boxes, (-6.0, -6.0, 0.0), (6.0, 6.0, 3.0), CAMERA)


def around(target: Sequence[float], radius: float = 2.5, n: int = 12, height: float = 1.3) -> list[np.ndarray]:
    """Camera poses on a circle around a point, looking at it."""
    angles = np.arange(n) * 2 * np.pi / n
    return [look_at((target[0] + radius * np.cos(a), target[1] + radius * np.sin(a), height), target) for a in angles]


def ids(kind: str = "object") -> Callable[[], str]:
    """Gives ``object/1``, ``object/2``, ..."""
    numbers = count(1)
    return lambda: f"{kind}/{next(numbers)}"


def thing(
    object_id: str, center: Sequence[float] = (0, 0, 0), size: Sequence[float] = (0.1, 0.1, 0.1), **fields
) -> SceneObject:
    """An object as the map would publish it, with points on the surface of its box."""
    low, high = np.subtract(center, np.divide(size, 2)), np.add(center, np.divide(size, 2))
    axes = [np.linspace(a, b, 8) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    T = np.eye(4)
    T[:3, 3] = center
    values = {
        "label": "thing",
        "label_confidence": 1.0,
        "confidence": 0.9,
        "state": "present",
        "n_detections": 3,
        "first_seen_ns": 0,
        "last_seen_ns": 0,
        "keyframe_id": "",
        "image_box": (0, 0, 1, 1),
        "colors": (),
        "map_id": "map",
        "points": grid.astype(np.float32),
        **fields,
    }
    x, y, z = (float(v) for v in center)
    return SceneObject(id=object_id, center=(x, y, z), T_map_box=T, size=tuple(float(v) for v in size), **values)  # type: ignore[arg-type]
