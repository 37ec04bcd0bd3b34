"""A room of coloured boxes, rendered analytically: input for tests that need RGB-D images with known truth.

Ray against axis-aligned box (slab method); the room itself is a box seen from inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from loci.geometry import Array, Camera, look_at
from loci.observation import Detection, Frame, Observation

CAMERA = Camera(160, 120, 120.0, 120.0, 79.5, 59.5)


@dataclass(frozen=True)
class Box:
    label: str
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    color: tuple[int, int, int]

    @property
    def center(self) -> Array:
        return (np.asarray(self.lower) + np.asarray(self.upper)) / 2


@dataclass(frozen=True)
class World:
    """A room from ``lower`` to ``upper`` [m] with boxes in it."""

    boxes: tuple[Box, ...]
    lower: tuple[float, float, float] = (0.0, 0.0, 0.0)
    upper: tuple[float, float, float] = (5.0, 4.0, 2.5)
    camera: Camera = field(default=CAMERA)

    def render(self, T_map_camera: Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colour (H, W, 3) uint8, depth (H, W) float32 [m] and the index of the box that is seen (H, W), -1: the room."""
        c = self.camera
        u, v = np.meshgrid(np.arange(c.width), np.arange(c.height))
        rays = np.stack([(u - c.cx) / c.fx, (v - c.cy) / c.fy, np.ones(u.shape)], axis=-1) @ T_map_camera[:3, :3].T
        origin = T_map_camera[:3, 3]
        with np.errstate(divide="ignore"):
            inverse = 1.0 / rays
        depth = np.max(((self.lower - origin) * inverse, (self.upper - origin) * inverse), axis=0).min(axis=-1)
        seen = np.full(depth.shape, -1)
        # A checkered room: every wall has features, as real ones have.
        hit = origin + rays * depth[..., None]
        checks = np.floor(hit / 0.5 + 1e-6).astype(int).sum(axis=-1) % 2
        color = np.where(checks[..., None] == 0, (200, 195, 180), (150, 160, 175))
        for i, box in enumerate(self.boxes):
            a, b = (box.lower - origin) * inverse, (box.upper - origin) * inverse
            near, far = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
            hits = (near <= far) & (near > 0) & (near < depth)
            depth = np.where(hits, near, depth)
            seen[hits] = i
            color = np.where(hits[..., None], box.color, color)
        return color.astype(np.uint8), depth.astype(np.float32), seen

    def observe(self, T_map_camera: Array, stamp_ns: int, **frame_fields) -> Observation:
        """What a perfect detector and depth camera give from a pose; boxes of fewer than 30 px are not detected."""
        color, depth, seen = self.render(T_map_camera)
        detections = []
        for i, box in enumerate(self.boxes):
            rows, columns = np.nonzero(seen == i)
            if len(rows) >= 30:
                x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                mask = seen[y0:y1, x0:x1] == i
                detections.append(Detection(box.label, 0.9, (int(x0), int(y0), int(x1), int(y1)), mask))
        frame = Frame(color, depth, self.camera, T_map_camera, stamp_ns, **frame_fields)
        return Observation(frame, tuple(detections))


#: Keeps surfaces off the borders of voxels, where rounding would decide which voxel they are in.
_OFF_BORDER = (0.022, 0.027, 0.024)


def _shifted(corner: tuple[float, float, float]) -> tuple[float, float, float]:
    return (corner[0] + _OFF_BORDER[0], corner[1] + _OFF_BORDER[1], corner[2] + _OFF_BORDER[2])


_BOXES = (
    Box("table", (2.0, 1.2, 0.0), (3.2, 2.0, 0.75), (140, 90, 50)),
    Box("mug", (2.2, 1.4, 0.75), (2.32, 1.52, 0.87), (200, 30, 30)),
    Box("book", (2.8, 1.5, 0.75), (3.05, 1.8, 0.8), (30, 60, 180)),
    Box("sofa", (3.9, 0.6, 0.0), (4.8, 2.6, 0.8), (60, 120, 70)),
    Box("plant", (0.3, 3.4, 0.0), (0.7, 3.8, 1.1), (40, 140, 40)),
    Box("chair", (2.3, 3.0, 0.0), (2.8, 3.5, 0.9), (220, 180, 40)),
)

ROOM = World(
    tuple(Box(b.label, _shifted(b.lower), _shifted(b.upper), b.color) for b in _BOXES),
    _shifted((0.0, 0.0, 0.0)),
    _shifted((5.0, 4.0, 2.5)),
)


def tour(world: World = ROOM, n: int = 24, start_ns: int = 1_000_000_000, **frame_fields) -> list[Observation]:
    """Observations on a round through the room, looking at its middle and, in between, outwards."""
    middle = (np.asarray(world.lower) + np.asarray(world.upper)) / 2
    observations = []
    for i in range(n):
        angle = 2 * np.pi * i / n
        position = middle + 1.3 * np.array([np.cos(angle), np.sin(angle), 0.0])
        position[2] = 1.5
        target = middle if i % 2 == 0 else position + np.array([np.cos(angle), np.sin(angle), -0.3])
        target = np.array([target[0], target[1], 0.6 if i % 2 == 0 else target[2]])
        observations.append(world.observe(look_at(position, target), start_ns + i * 200_000_000, **frame_fields))
    return observations
