"""Paths over several floors: stretches on the maps of the floors, joined by stairs: those on which the robot has been, and those
that it saw and can climb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import dijkstra

from loci.geometry import Array
from loci.spatial.floors import ON_FLOOR, Stairs
from loci.spatial.paths import (
    UNREACHABLE,
    PathResult,
    PathStatus,
    find_path,
    is_passable,
    no_path,
    path_lengths,
    what_is_at,
)
from loci.spatial.view import SpatialView

#: A point beside the way over stairs by up to this is on them [m], if it is as high as the way there to within `ON_STAIRS_Z`, or
#: a camera's height above it [m].
ON_STAIRS, ON_STAIRS_Z = 0.4, 0.3
#: A point so near to one of a way over stairs is that point, whatever floor is below it [m].
SAME_POINT = 0.1


@dataclass(frozen=True)
class _Door:
    """Where stairs meet a floor: index of the stairs, of the point among theirs, and of the floor."""

    stairs: int
    point: int
    floor: int


@dataclass(frozen=True)
class _Spot:
    """A point (3,) on a floor, or on stairs: then the index of the nearest of their points."""

    xyz: Array
    floor: int
    stairs: int = -1
    point: int = -1


def find_floor_path(
    view: SpatialView, start: Array, goal: Array, robot_radius: float = 0.2, tolerance: float = 0.0
) -> PathResult:
    """Path between two points over the floors that they are on.

    Args:
        view: of the floors.
        start, goal: (3,) [m]; each is on the highest floor below it, or on the stairs under it.
        robot_radius: distance to keep from obstacles [m]; on stairs, the robot's own way is kept to instead.
        tolerance: accept the reachable free point nearest to the goal within so far [m]; 0: the goal itself.

    Returns:
        a path with points (N, 3); its clearance is that on the floors.

    Raises:
        ValueError: a point is not finite, or tolerance or radius is negative or not finite.
    """
    first, last = _spot(view, start, robot_radius), _spot(view, goal, robot_radius, is_goal=True)
    if first.floor == last.floor and first.stairs < 0 and last.stairs < 0:
        floor = view.floors[first.floor]
        result = find_path(floor.map, start[:2], goal[:2], robot_radius, tolerance, floor.rooms)
        if not result.reason:
            return _joined([_raised(result.points, floor.floor.height)], result.clearance)
    else:
        result = _fault(view, first, last, robot_radius, tolerance)
    if result.status in (PathStatus.FOUND, PathStatus.UNREACHABLE):
        found = _on_steps(view, first, last, robot_radius) or _over_stairs(view, first, last, robot_radius, tolerance)
        if found is not None:
            return found
        result = no_path("goal", UNREACHABLE)
    return PathResult(np.zeros((0, 3)), status=result.status, reason=result.reason)


def floor_path_lengths(view: SpatialView, start: Array, goals: Array, robot_radius: float = 0.2) -> Array:
    """Length of the path to each of several goals (G, 3) over all floors [m]; -1 where there is none. See `find_floor_path`."""
    first = _spot(view, start, robot_radius)
    lengths = np.full(len(goals), np.inf)
    if not len(goals):
        return lengths
    spots = [_spot(view, goal, robot_radius, is_goal=True) if view.stairs else _Spot(goal, -1) for goal in goals]
    stairs_of = np.array([s.stairs for s in spots])
    floor_of = np.where(stairs_of < 0, view.storeys.below(goals[:, 2]), -1)
    for i in np.flatnonzero(stairs_of >= 0):
        found = _on_steps(view, first, spots[i], robot_radius)
        lengths[i] = found.length if found is not None else np.inf
    if first.stairs < 0:
        own = np.flatnonzero(floor_of == first.floor)
        direct = path_lengths(view.floors[first.floor].map, start[:2], goals[own, :2], robot_radius)
        lengths[own] = np.where(direct >= 0, direct, np.inf)
    missing = np.isinf(lengths)
    if missing.any() and view.stairs:
        doors = _doors(view, robot_radius)
        reached, _ = _reach(view, doors, first, robot_radius)
        for door, so_far in zip(doors, reached, strict=True):
            if np.isinf(so_far):
                continue
            for i in np.flatnonzero(missing & (stairs_of == door.stairs)):
                along = _length(_along(view.stairs[door.stairs], door.point, spots[i].point))
                lengths[i] = min(lengths[i], so_far + along)
            wanted = np.flatnonzero(missing & (floor_of == door.floor))
            if not len(wanted):
                continue
            map_ = view.floors[door.floor].map
            further = path_lengths(map_, _at(view, door)[:2], goals[wanted, :2], robot_radius)
            lengths[wanted] = np.minimum(lengths[wanted], np.where(further >= 0, so_far + further, np.inf))
    return np.where(np.isfinite(lengths), lengths, -1.0)


def _fault(view: SpatialView, first: _Spot, last: _Spot, robot_radius: float, tolerance: float) -> PathResult:
    """What is wrong with the ends themselves; found: nothing."""
    if first.stairs < 0:
        here = find_path(view.floors[first.floor].map, first.xyz[:2], first.xyz[:2], robot_radius, robot_radius)
        if here.reason.startswith("start"):
            return here
    if last.stairs < 0 and tolerance == 0:
        map_, xy = view.floors[last.floor].map, last.xyz[:2]
        if not is_passable(map_, xy, robot_radius)[0]:
            return no_path("goal", what_is_at(map_, xy))
    return PathResult(np.zeros((0, 2)))


def _spot(view: SpatialView, xyz: Array, robot_radius: float, is_goal: bool = False) -> _Spot:
    """The floor of a point, or the stairs that it is on."""
    floor = int(view.storeys.below(xyz[2]))
    if view.stairs and xyz[2] - view.floors[floor].floor.height > ON_FLOOR:
        # Those that were left out are the last.
        known = [s for s in view.stairs if s.floors[1] or (is_goal and not s.is_climbed)]
        gaps = [np.linalg.norm(s.points - xyz, axis=1) for s in known]
        nearest = [float(g.min()) for g in gaps]
        if min(nearest, default=np.inf) <= SAME_POINT:
            i = int(np.argmin(nearest))
            return _Spot(xyz, floor, i, int(np.argmin(gaps[i])))
    if not is_passable(view.floors[floor].map, xyz[:2], robot_radius)[0]:
        best = ON_STAIRS
        found = _Spot(xyz, floor)
        for i, stairs in enumerate(view.stairs):
            if not stairs.floors[1] and (stairs.is_climbed or not is_goal) and found.stairs >= 0:
                break  # on stairs that are known both ends lead on, not only the one that the robot comes from
            above = xyz[2] - stairs.points[:, 2]
            fits = np.minimum(np.abs(above), np.abs(above - view.storeys.camera_height)) <= ON_STAIRS_Z
            beside = np.where(fits, np.linalg.norm(stairs.points[:, :2] - xyz[:2], axis=1), np.inf)
            j = int(np.argmin(beside))
            if beside[j] < best:
                best, found = float(beside[j]), _Spot(xyz, floor, i, j)
        return found
    return _Spot(xyz, floor)


def _doors(view: SpatialView, robot_radius: float) -> list[_Door]:
    """Where the stairs meet the floors: on each the point nearest to the steps at which the robot has room."""
    index = {f.floor.id: k for k, f in enumerate(view.floors)}
    doors = []
    for i, stairs in enumerate(view.stairs):
        for which, floor_id in enumerate(stairs.floors):
            if floor_id not in index:
                continue
            floor = view.floors[index[floor_id]]
            level = np.abs(stairs.points[:, 2] - floor.floor.height) <= ON_FLOOR
            room = np.flatnonzero(level & is_passable(floor.map, stairs.points[:, :2], robot_radius))
            if len(room):
                doors.append(_Door(i, int(room[-1] if which == 0 else room[0]), index[floor_id]))
    return doors


def _at(view: SpatialView, door: _Door) -> Array:
    return np.asarray(view.stairs[door.stairs].points[door.point])


def _along(stairs: Stairs, i: int, j: int) -> Array:
    """Points of stairs from the i-th to the j-th, both included."""
    return stairs.points[i : j + 1] if i <= j else stairs.points[j : i + 1][::-1]


def _length(points: Array) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _reach(
    view: SpatialView, doors: list[_Door], first: _Spot, robot_radius: float
) -> tuple[Array, npt.NDArray[np.int32]]:
    """Length of the way from a spot to every door (D,) [m], and the door before it on that way (-1: none)."""
    n = len(doors)
    ways = np.zeros((n + 1, n + 1))  # the last is the spot; 0: no way
    at = np.array([_at(view, d) for d in doors]).reshape(-1, 3)
    for i, door in enumerate(doors):
        if first.stairs == door.stairs:
            ways[n, i] = max(_length(_along(view.stairs[door.stairs], first.point, door.point)), 1e-6)
        for j, other in enumerate(doors):
            if j > i and other.stairs == door.stairs:
                ways[i, j] = ways[j, i] = _length(_along(view.stairs[door.stairs], door.point, other.point))
    for k, floor in enumerate(view.floors):
        here = [i for i, d in enumerate(doors) if d.floor == k]
        for i in [*here, *([n] if first.stairs < 0 and first.floor == k else [])]:
            others = [j for j in here if j != i]
            if others:
                xy = first.xyz[:2] if i == n else at[i, :2]
                lengths = path_lengths(floor.map, xy, at[others, :2], robot_radius)
                ways[i, others] = np.where(lengths >= 0, np.maximum(lengths, 1e-6), 0.0)
    reached, before = dijkstra(ways, indices=n, return_predecessors=True)
    return np.asarray(reached[:n]), np.where(before[:n] == n, -1, before[:n]).astype(np.int32)


def _on_steps(view: SpatialView, first: _Spot, last: _Spot, robot_radius: float) -> PathResult | None:
    """The way over the map of steps that were seen; None: the ends are not both on one."""
    if last.stairs < 0 or view.stairs[last.stairs].is_climbed:
        return None
    for floor in view.floors:
        steps = floor.climb.steps if floor.climb is not None else None
        if steps is None or not all(steps.holds(s.xyz, view.storeys.camera_height) for s in (first, last)):
            continue
        found = find_path(steps.map, first.xyz[:2], last.xyz[:2], robot_radius)
        if not found.reason:
            points = steps.raised(found.points)
            return PathResult(points, _length(points), found.clearance)
    return None


def _over_stairs(
    view: SpatialView, first: _Spot, last: _Spot, robot_radius: float, tolerance: float
) -> PathResult | None:
    """The shortest way that uses stairs; None: there is none."""
    doors = _doors(view, robot_radius)
    if first.stairs >= 0 and first.stairs == last.stairs:
        along = _along(view.stairs[first.stairs], first.point, last.point)
        return _joined([first.xyz[None] * (1, 1, 0) + along[:1] * (0, 0, 1), along], np.inf)
    if not doors:
        return None
    reached, before = _reach(view, doors, first, robot_radius)
    best, end, tail = np.inf, -1, PathResult(np.zeros((0, 2)))
    for i, door in enumerate(doors):
        if np.isinf(reached[i]):
            continue
        if last.stairs == door.stairs:
            points = _along(view.stairs[door.stairs], door.point, last.point)
            found = PathResult(points, _length(points), np.inf)
        elif last.stairs < 0 and last.floor == door.floor:
            floor = view.floors[door.floor]
            found = find_path(floor.map, _at(view, door)[:2], last.xyz[:2], robot_radius, tolerance, floor.rooms)
            found = PathResult(
                _raised(found.points, floor.floor.height), found.length, found.clearance, found.status, found.reason
            )
        else:
            continue
        if not found.reason and reached[i] + found.length < best:
            best, end, tail = reached[i] + found.length, i, found
    if end < 0:
        return None
    chain = [end]
    while before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
    parts, clearance = [tail.points], tail.clearance
    for here, ahead in zip(chain[1:], chain[:-1], strict=True):
        if doors[here].stairs == doors[ahead].stairs:
            parts.append(_along(view.stairs[doors[here].stairs], doors[here].point, doors[ahead].point))
        else:
            floor = view.floors[doors[here].floor]
            found = find_path(floor.map, _at(view, doors[here])[:2], _at(view, doors[ahead])[:2], robot_radius)
            parts.append(_raised(found.points, floor.floor.height))
            clearance = min(clearance, found.clearance)
    begin = doors[chain[-1]]
    if first.stairs >= 0:
        along = _along(view.stairs[first.stairs], first.point, begin.point)
        parts.append(np.vstack([np.append(first.xyz[:2], along[0, 2]), along]))
    else:
        floor = view.floors[first.floor]
        found = find_path(floor.map, first.xyz[:2], _at(view, begin)[:2], robot_radius, rooms=floor.rooms)
        parts.append(_raised(found.points, floor.floor.height))
        clearance = min(clearance, found.clearance)
    return _joined(parts[::-1], clearance)


def _raised(points: Array, height: float) -> Array:
    return np.column_stack([points, np.full(len(points), height)])


def _joined(parts: list[Array], clearance: float) -> PathResult:
    """One path of several stretches (N, 3), each of which begins where the one before it ends."""
    points = np.concatenate(parts)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    points = points[np.append(True, steps > 1e-6)] if len(points) > 2 else points
    return PathResult(points, _length(points), float(clearance))
