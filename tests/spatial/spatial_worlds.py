"""Worlds of boxes for the spatial tests: analytic depth images of them, and their true floor plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loci.geometry import Camera, look_at, pixel_rays
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap

CAMERA = Camera(width=160, height=120, fx=110.0, fy=110.0, cx=79.5, cy=59.5)
#: Height of the upper floor of `two_floors` [m].
UPPER = 2.72


@dataclass(frozen=True)
class World:
    """Axis-aligned boxes, (N, 2, 3) lower and upper corners [m]."""

    boxes: np.ndarray

    def depth(self, T_map_camera: np.ndarray, camera: Camera = CAMERA) -> np.ndarray:
        """Depth image (H, W) float32 [m] by exact ray-box intersection; 0 where no box is hit."""
        x, y = (a.astype(np.float64) for a in pixel_rays(camera))
        rays = np.stack([*np.meshgrid(x, y), np.ones((camera.height, camera.width))], axis=-1) @ T_map_camera[:3, :3].T
        origin = T_map_camera[:3, 3]
        best = np.full(rays.shape[:2], np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            for low, high in self.boxes:
                a, b = (low - origin) / rays, (high - origin) / rays
                enter = np.nanmax(np.minimum(a, b), axis=-1)
                leave = np.nanmin(np.maximum(a, b), axis=-1)
                hit = (enter <= leave) & (enter > 1e-6)
                best = np.where(hit & (enter < best), enter, best)
        return np.where(np.isfinite(best), best, 0.0).astype(np.float32)

    def plan(self, resolution: float, origin: tuple[float, float], shape: tuple[int, int]) -> OccupancyMap:
        """The true floor: occupied where a box stands between 0.1 and 1.5 m, free elsewhere."""
        rows, columns = np.indices(shape)
        xy = (np.stack([columns, rows], axis=-1) + 0.5) * resolution + origin
        cells = np.full(shape, FREE, dtype=np.int8)
        for low, high in self.boxes:
            if low[2] < 1.5 and high[2] > 0.1:
                cells[np.all((xy >= low[:2]) & (xy <= high[:2]), axis=-1)] = OCCUPIED
        return OccupancyMap(cells, origin, resolution)


def box(x0: float, y0: float, z0: float, x1: float, y1: float, z1: float) -> np.ndarray:
    return np.array([[x0, y0, z0], [x1, y1, z1]], dtype=np.float64)


def wall_with_doors(
    axis: int, at: float, start: float, end: float, doors: tuple[float, ...], door: float
) -> list[np.ndarray]:
    """Boxes of a wall of 0.1 m along x (axis 0) or y (axis 1), 2.5 m high, with door openings of 2 m height centred there."""
    edges = [start]
    for middle in sorted(doors):
        edges += [middle - door / 2, middle + door / 2]
    edges.append(end)
    parts = []
    for a, b, z in [(a, b, 0.0) for a, b in zip(edges[::2], edges[1::2], strict=True)] + [
        (m - door / 2, m + door / 2, 2.0) for m in doors
    ]:
        low, high = (a, at - 0.05), (b, at + 0.05)
        if axis == 1:
            low, high = low[::-1], high[::-1]
        parts.append(box(*low, z, *high, 2.5))
    return parts


#: Centres of the rooms of `apartment`, in the order living room, bedroom, bath, kitchen, corridor.
ROOM_CENTRES = ((2.0, 1.75), (5.75, 1.75), (1.5, 6.25), (5.5, 6.25), (4.0, 4.1))


def apartment(furnished: bool = True, door: float = 0.9) -> World:
    """8 x 8 m: two rooms below and two above a corridor of 1.2 m (y = 3.5 to 4.7), each with a door to it."""
    walls = [
        *wall_with_doors(0, 0.0, 0.0, 8.0, (), door),
        *wall_with_doors(0, 8.0, 0.0, 8.0, (), door),
        *wall_with_doors(1, 0.0, 0.0, 8.0, (), door),
        *wall_with_doors(1, 8.0, 0.0, 8.0, (), door),
        *wall_with_doors(0, 3.5, 0.0, 8.0, (1.5, 6.5), door),
        *wall_with_doors(0, 4.7, 0.0, 8.0, (2.0, 5.0), door),
        *wall_with_doors(1, 4.0, 0.0, 3.5, (), door),
        *wall_with_doors(1, 3.0, 4.7, 8.0, (), door),
    ]
    floor = [box(-0.1, -0.1, -0.2, 8.1, 8.1, 0.0), box(-0.1, -0.1, 2.5, 8.1, 8.1, 2.6)]
    furniture = [
        box(1.2, 1.6, 0.7, 2.6, 2.4, 0.75),  # table on four legs
        *(box(x, y, 0.0, x + 0.06, y + 0.06, 0.7) for x in (1.25, 2.5) for y in (1.65, 2.3)),
        box(6.0, 0.05, 0.0, 7.95, 1.6, 0.5),  # bed
        box(4.05, 2.2, 0.0, 4.6, 3.2, 1.95),  # wardrobe
        box(3.05, 7.3, 0.0, 7.9, 7.95, 0.9),  # counter
        box(0.05, 7.2, 0.0, 1.8, 7.95, 0.6),  # bathtub
        box(5.2, 5.9, 0.45, 5.65, 6.35, 0.5),  # stool
    ]
    return World(np.array(walls + floor + (furniture if furnished else [])))


def look_around(x: float, y: float, n: int = 12, height: float = 1.2) -> list[np.ndarray]:
    """Poses (4, 4) of a level camera that turns on the spot."""
    angles = 2 * np.pi * np.arange(n) / n
    return [look_at((x, y, height), (x + np.cos(a), y + np.sin(a), height)) for a in angles]


def map_from_text(text: str, resolution: float = 0.1, origin: tuple[float, float] = (0.0, 0.0)) -> OccupancyMap:
    """A map drawn with ``#`` occupied, ``.`` free, ``?`` unknown; the top line has the largest y."""
    states = {"#": OCCUPIED, ".": FREE, "?": UNKNOWN}
    rows = [[states[c] for c in line.strip()] for line in text.strip().splitlines()]
    return OccupancyMap(np.array(rows[::-1], dtype=np.int8), origin, resolution)


def two_floors() -> World:
    """Two rooms of 6 x 4 m above one another; 16 steps of 17 cm lead up through an opening along the wall at y = 4."""
    steps = [box(0.5 + 0.27 * i, 3.0, 0.0, 0.5 + 0.27 * (i + 1), 4.0, 0.17 * (i + 1)) for i in range(16)]
    slab = [box(-0.1, -0.1, 2.4, 6.1, 3.0, UPPER), box(4.82, 3.0, 2.4, 6.1, 4.1, UPPER)]
    walls = [
        box(-0.1, -0.1, 0.0, 0.0, 4.1, 5.2),
        box(6.0, -0.1, 0.0, 6.1, 4.1, 5.2),
        box(-0.1, -0.1, 0.0, 6.1, 0.0, 5.2),
        box(-0.1, 4.0, 0.0, 6.1, 4.1, 5.2),
    ]
    ground = [box(-0.1, -0.1, -0.2, 6.1, 4.1, 0.0), box(-0.1, -0.1, 5.2, 6.1, 4.1, 5.4)]
    return World(np.array([*ground, *slab, *walls, *steps]))
