"""From where an object can be seen from near by: the goals of navigation tasks. Ground truth, for scoring only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loci.geometry import Array, transform_points
from loci_sim.habitat.simulator import HabitatSimulator
from loci_sim.protocol import Place, ShortestPath, Simulator
from loci_sim.simulators import AnySimulator

#: Distance of viewpoints [m].
SPACING = 0.25
#: Points on an object that are looked at: its box, drawn in by this share, in a grid of so many a side.
_SHARE, _SIDE = 0.9, 4


def viewpoints(simulator: AnySimulator, object_id: str, max_distance: float = 1.0) -> Array:
    """Points (N, 3) on the floor [m] where the robot can stand, near an object, with a free view of a part of it.

    As the viewpoints of Habitat's ObjectNav and GOAT-Bench: navigable, within a distance of the object, the object visible from
    the camera's height (in whatever direction the robot looks).

    Args:
        object_id: in the ground truth.
        max_distance: horizontally from the object's box to the robot's centre [m].

    Raises:
        ValueError: there is no such object, or the distance is not positive.
    """
    if not (np.isfinite(max_distance) and max_distance > 0):
        raise ValueError(f"expected a distance > 0 m, got {max_distance}")
    thing = next((o for o in simulator.objects if o.id == object_id), None)
    if thing is None or simulator.scene is None:
        raise ValueError(f"expected the id of an object of {simulator.map_id}, got {object_id!r}")
    reach = float(np.linalg.norm(thing.size[:2])) / 2 + max_distance
    offsets = np.arange(-reach, reach + SPACING, SPACING)
    xy = np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2) + thing.center[:2]  # (M, 2)
    local = np.abs((xy - thing.center[:2]) @ thing.T_map_box[:2, :2])
    beside = np.linalg.norm(np.maximum(local - thing.size[:2] / 2, 0.0), axis=1)
    height = next((room.z for room in simulator.scene.rooms if room.id == thing.room), 0.0)
    near = np.array(
        [
            p
            for p, d in zip(xy, beside, strict=True)
            if d <= max_distance and simulator.is_navigable(float(p[0]), float(p[1]), height)
        ]
    )
    if not len(near):
        return np.empty((0, 3))
    feet = np.column_stack([near, np.full(len(near), height)])  # (N, 3)
    eyes = feet + [0.0, 0.0, simulator.parameters.camera_height]
    side = np.linspace(-_SHARE / 2, _SHARE / 2, _SIDE)
    grid = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3) * thing.size
    targets = transform_points(thing.T_map_box, grid)  # (T, 3)
    directions = targets[None] - eyes[:, None]  # (N, T, 3)
    rays = np.empty((directions.shape[0] * directions.shape[1], 6), dtype=np.float32)
    rays[:, :3] = np.repeat(eyes, len(targets), axis=0)
    rays[:, 3:] = directions.reshape(-1, 3)
    hit = simulator.instances_along(rays).reshape(len(feet), len(targets)) == thing.instance
    return np.asarray(feet[hit.any(axis=1)])


def nearest_goal(
    simulator: Simulator, start: Sequence[float], goals: Sequence[Sequence[float]]
) -> tuple[int, ShortestPath] | None:
    """The goal that is nearest by path: its index and the path; None: none can be reached.

    Args:
        start: (x, y, z), or (x, y) on the ground floor [m].
        goals: points of the same kinds.

    Raises:
        ValueError: a coordinate is not finite.
    """
    if not (np.all(np.isfinite(start)) and np.all(np.isfinite(np.asarray(goals, dtype=np.float64)))):
        raise ValueError("expected finite coordinates of start and goals")
    if isinstance(simulator, HabitatSimulator) and simulator.scene is None:
        # Viewpoints of benchmarks were found on another navmesh: ends are moved onto this one, as they do it.
        return simulator.nearest((*start, 0.0)[:3], [(*goal, 0.0)[:3] for goal in goals])
    best: tuple[int, ShortestPath] | None = None
    straight = [float(np.linalg.norm(np.subtract(goal[:2], start[:2]))) for goal in goals]
    for i in np.argsort(straight, kind="stable").tolist():
        if best is not None and straight[i] >= best[1].length:
            break  # no path is shorter than the straight line
        path = simulator.shortest_path(_place(start), _place(goals[i]))
        if path is not None and (best is None or path.length < best[1].length):
            best = i, path
    return best


def _place(point: Sequence[float]) -> Place:
    return (point[0], point[1], point[2]) if len(point) == 3 else (point[0], point[1])
