"""Where a thing can be put down: free level places on top of another thing, found by casting rays down, or room in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from loci.geometry import Array, transform_points
from loci_sim.meshes import planar_pose
from loci_sim.rendering import Renderer
from loci_sim.scenes import SceneThing

#: Distance of the rays that feel the surface [m], and how uneven the ground under a thing may be [m].
SPACING, LEVEL = 0.02, 0.01
#: Free space around a thing that is put down [m].
MARGIN = 0.01


def upright_yaw(T_map_box: Array) -> float:
    """Turn of a box about the vertical [rad]."""
    return float(np.arctan2(T_map_box[1, 0], T_map_box[0, 0]))


def _upright(thing: SceneThing) -> Array:
    """Pose (4, 4) of a thing's centre, turned about the vertical only."""
    x, y, z = thing.center.tolist()
    return planar_pose(x, y, z, upright_yaw(thing.T_map_box))


def distance_to_box(thing: SceneThing, x: float, y: float) -> float:
    """Horizontal distance from (x, y) to the nearest point of a thing's box [m]."""
    local = (np.array([x, y, thing.center[2]]) - thing.center) @ thing.T_map_box[:3, :3]
    return float(np.hypot(*np.maximum(np.abs(local[:2]) - thing.size[:2] / 2, 0.0)))


def spots_on(renderer: Renderer, target: SceneThing, size: Array, others: Sequence[SceneThing]) -> Array:
    """Free places for a box of ``size`` (3,) [m] on top of a thing, turned as the thing: centres of its underside (N, 3) in the map.

    Args:
        others: all things but the target and the one that is put down.
    """
    T = _upright(target)
    nx, ny = (max(int(side / SPACING), 1) for side in target.size[:2])
    xs = (np.arange(nx) + 0.5) / nx * target.size[0] - target.size[0] / 2
    ys = (np.arange(ny) + 0.5) / ny * target.size[1] - target.size[1] / 2
    start = float(target.size[2]) / 2 + 0.01
    grid = np.stack([*np.meshgrid(xs, ys, indexing="ij"), np.full((nx, ny), start)], axis=-1).reshape(-1, 3)
    points = transform_points(T, grid)  # (nx * ny, 3)
    rays = np.zeros((len(points), 6), dtype=np.float32)
    rays[:, :3], rays[:, 5] = points, -1.0
    depth, instances = renderer.depth_along(rays)
    height = np.where(instances == target.instance, points[:, 2] - depth, -np.inf)
    free = np.isfinite(height)
    for other in others:
        # Boxes that reach into the space above the surface; what lies under the target is not in the way.
        low, high = (other.center[2] + sign * other.size[2] / 2 for sign in (-1, 1))
        local = np.abs((points - other.center) @ other.T_map_box[:3, :3])[:, :2]
        within = np.all(local <= other.size[:2] / 2 + MARGIN, axis=1)
        free &= ~(within & (high > height + 0.005) & (low < height + size[2]))
    heights, open_ = height.reshape(nx, ny), free.reshape(nx, ny)
    # How many samples a thing covers; odd, so that it has a middle one.
    cover = [2 * int(np.ceil((size[i] / 2 + MARGIN) / (target.size[i] / n)) - 0.5) + 1 for i, n in enumerate((nx, ny))]
    if cover[0] > nx or cover[1] > ny:
        return np.empty((0, 3))
    highest = ndimage.maximum_filter(np.where(open_, heights, np.inf), cover, mode="constant", cval=np.inf)
    lowest = ndimage.minimum_filter(np.where(open_, heights, -np.inf), cover, mode="constant", cval=-np.inf)
    with np.errstate(invalid="ignore"):
        good = (highest - lowest <= LEVEL) & np.isfinite(highest) & np.isfinite(lowest)
    found = np.flatnonzero(good)
    return np.column_stack([points[found, :2], highest.reshape(-1)[found]])


def box_at(spot: Array, yaw: float, size: Array) -> Array:
    """Pose (4, 4) of the centre of a box that stands on a spot (3,)."""
    return planar_pose(float(spot[0]), float(spot[1]), float(spot[2] + size[2] / 2), yaw)


def box_inside(container: SceneThing, size: Array, contents: Sequence[SceneThing]) -> Array | None:
    """Pose (4, 4) of a box of ``size`` (3,) in a container of which no more is known than its box; None: it does not fit.

    Its walls are taken to be 1 cm thick.
    """
    half = container.size / 2 - 0.01
    return box_between(_upright(container), -half, half, size, contents)


def box_between(
    T_map_room: Array, low: Array, high: Array, size: Array, contents: Sequence[SceneThing]
) -> Array | None:
    """Pose (4, 4) of a box of ``size`` (3,) between two corners (3,) of an upright frame, beside ``contents``; None: it does not fit.

    Things are laid in rows on the ground; when that is full, so is the room.
    """
    room = high - low
    if np.any(size > room):
        return None
    middle, yaw = (low + high) / 2, upright_yaw(T_map_room)
    steps = [
        np.linspace(-(r - s) / 2, (r - s) / 2, max(int((r - s) / 0.03), 0) + 1) for r, s in zip(room, size, strict=True)
    ]
    z = float(low[2] + size[2] / 2)
    taken = [((c.center - T_map_room[:3, 3]) @ T_map_room[:3, :3], _turned_size(c, yaw)) for c in contents]
    for x in sorted(steps[0], key=abs):
        for y in sorted(steps[1], key=abs):
            at = np.array([middle[0] + x, middle[1] + y, z])
            if all(np.any(np.abs(at - center) >= (size + other) / 2) for center, other in taken):
                return np.asarray(T_map_room @ planar_pose(float(at[0]), float(at[1]), z, 0.0))
    return None


def _turned_size(thing: SceneThing, yaw: float) -> Array:
    """Extents (3,) of a thing's box along axes turned by ``yaw`` [m]."""
    turn = upright_yaw(thing.T_map_box) - yaw
    c, s = abs(np.cos(turn)), abs(np.sin(turn))
    w, d, h = thing.size
    return np.array([c * w + s * d, s * w + c * d, h])
