"""A memory of as many objects as asked for: rooms of twenty things each, seen from six sides, side by side in one map.

A few rooms are rendered (ray against box, as `tests` do), and shown again with other names at other places: what is measured is the memory's
size, and a picture costs what a picture of a camera costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loci.geometry import Array, Camera, look_at
from loci.keyframes import KeyframeParameters
from loci.memory import MemoryParameters, RobotMemory
from loci.observation import Detection, Frame, Observation

CAMERA = Camera(640, 480, 480.0, 480.0, 319.5, 239.5)
#: Inner size of a room, and from one room to the next [m].
SIZE, PITCH = (5.0, 4.4, 2.6), (6.0, 5.4)
_ROOMS_IN_A_ROW = 25
_N_KINDS, _N_VIEWS, _N_THINGS = 4, 6, 20
_COLORS = ((200, 30, 30), (30, 60, 180), (40, 140, 40), (230, 200, 40), (240, 240, 240), (120, 75, 40), (30, 30, 30))
LABELS = (
    "table chair sofa bed lamp mug book plant pillow vase bowl plate bottle clock radio laptop phone basket box stool bin kettle toaster pan "
    "candle shoe bag umbrella speaker printer guitar fan heater mirror globe camera tray jug towel blanket toy ball"
).split()


@dataclass(frozen=True)
class _View:
    """What is seen from a pose in a room whose corner is the origin: image, depth and {thing: box and mask in it}."""

    T_room_camera: Array
    color: np.ndarray
    depth: np.ndarray
    seen: dict[int, tuple[tuple[int, int, int, int], np.ndarray]]


def fill(path: Path, n_objects: int, progress: Callable[[int, int], None]) -> None:
    """Make a memory of about so many objects in a folder.

    Args:
        path: is made.
        n_objects: at least; whole rooms.
        progress: told of objects so far, and in all.
    """
    kinds = [_views(np.random.default_rng(k)) for k in range(_N_KINDS)]
    # Rooms and frontiers are brought up to date once, at the end: who builds a map waits for nobody.
    parameters = MemoryParameters(refresh_period=10**9, keyframes=KeyframeParameters())
    with RobotMemory.open(path, map_id="rooms", parameters=parameters) as memory:
        room = 0
        while len(memory.objects()) < n_objects:
            for observation in _visit(kinds[room % _N_KINDS], room):
                memory.observe(observation)
            if room % 10 == 9:
                memory.remember(f"the {LABELS[room % len(LABELS)]} of room {room} belongs to Anna", "operator")
            progress(min(len(memory.objects()), n_objects), n_objects)
            room += 1
        memory.refresh()
        memory.save()


def _visit(views: list[_View], room: int) -> Iterator[Observation]:
    """A room with names of its own at a place of its own."""
    T = np.eye(4)
    T[:2, 3] = PITCH[0] * (room % _ROOMS_IN_A_ROW), PITCH[1] * (room // _ROOMS_IN_A_ROW)
    names = np.random.default_rng(room + 1000).choice(len(LABELS), _N_THINGS)
    for k, view in enumerate(views):
        stamp_ns = 1_000_000_000 * (10 * room + k + 1)
        frame = Frame(view.color, view.depth, CAMERA, T @ view.T_room_camera, stamp_ns)
        found = tuple(Detection(LABELS[names[i]], 0.9, box, mask) for i, (box, mask) in view.seen.items())
        yield Observation(frame, found)


def _views(rng: np.random.Generator) -> list[_View]:
    """Twenty boxes on a grid on the floor, from six sides."""
    grid = np.stack(np.meshgrid(np.linspace(0.7, 4.3, 5), np.linspace(0.7, 3.7, 4)), axis=-1).reshape(-1, 2)
    centers = grid + rng.uniform(-0.1, 0.1, grid.shape)  # (20, 2)
    half = rng.uniform(0.12, 0.2, (_N_THINGS, 2))
    heights = rng.uniform(0.15, 0.45, _N_THINGS)
    lower = np.column_stack([centers - half, np.zeros(_N_THINGS)])
    upper = np.column_stack([centers + half, heights])
    colors = [_COLORS[i] for i in rng.integers(len(_COLORS), size=_N_THINGS)]
    middle = np.array([SIZE[0] / 2, SIZE[1] / 2, 0.0])
    views = []
    for k in range(_N_VIEWS):
        angle = 2 * np.pi * k / _N_VIEWS
        at = middle + (1.9 * np.cos(angle), 1.7 * np.sin(angle), 1.9)
        views.append(_render(look_at(at, middle), lower, upper, colors))
    return views


def _render(T: Array, lower: Array, upper: Array, colors: list[tuple[int, int, int]]) -> _View:
    u, v = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], axis=-1) @ T[:3, :3].T
    origin = T[:3, 3]
    with np.errstate(divide="ignore"):
        inverse = 1.0 / rays
    depth = np.maximum((0.0 - origin) * inverse, (np.array(SIZE) - origin) * inverse).min(axis=-1)
    checks = np.floor((origin + rays * depth[..., None]) / 0.5 + 1e-6).astype(int).sum(axis=-1) % 2
    color = np.where(checks[..., None] == 0, (200, 195, 180), (150, 160, 175))
    index = np.full(depth.shape, -1)
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        a, b = (low - origin) * inverse, (high - origin) * inverse
        near, far = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
        hit = (near <= far) & (near > 0) & (near < depth)
        depth, index = np.where(hit, near, depth), np.where(hit, i, index)
        color = np.where(hit[..., None], colors[i], color)
    seen = {}
    for i in range(len(lower)):
        rows, columns = np.nonzero(index == i)
        if len(rows) >= 400:
            x0, y0, x1, y1 = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
            seen[i] = ((x0, y0, x1, y1), index[y0:y1, x0:x1] == i)
    noise = np.random.default_rng(0).normal(
        0.0, 4.0, color.shape
    )  # a camera's, so that JPEGs are as large as a camera's
    return _View(T, np.clip(color + noise, 0, 255).astype(np.uint8), depth.astype(np.float32), seen)
