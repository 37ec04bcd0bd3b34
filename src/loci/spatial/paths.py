"""Paths over free floor that is known, kept away from obstacles where there is room."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial import grid_kernels
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from loci.spatial.regions import RoomMap
from loci.spatial.room_routes import rooms_between

#: Nearer to obstacles than this [m], way costs up to `CROWDED_COST` times as much.
COMFORT, CROWDED_COST = 0.5, 4.0
#: A start that is no place for a robot (unknown, beside an obstacle) is moved to free floor within so far [m]:
#: the robot stands there, whatever the map says.
START_REACH = 0.5
#: Longest stretch that is straightened at once [m].
STRAIGHT_REACH = 4.0
#: Goals further off than this, as the crow flies, are a long way [m].
LONG_WAY = 8.0


class PathStatus(IntEnum):
    """Whether there is a path, and if not, why; the numbers are those of srv/FindPath."""

    FOUND = 0
    START_BLOCKED = 1
    START_UNKNOWN = 2
    GOAL_BLOCKED = 3
    GOAL_UNKNOWN = 4
    OFF_MAP = 5
    UNREACHABLE = 6


@dataclass(frozen=True)
class PathResult:
    """A path, or why there is none.

    Attributes:
        points: (N, 2) float64 on one floor, (N, 3) over floors [m], from start to goal; (0, 2) or (0, 3) if there is none.
        length: [m].
        clearance: smallest distance to a known obstacle along it [m].
        status: whether there is one, and if not, why.
        reason: empty; or the same in words: "start"/"goal" + " in obstacle" (or nearer to one than the robot's radius),
            " unknown", " off the map"; or "unreachable".
    """

    points: Array
    length: float = 0.0
    clearance: float = 0.0
    status: PathStatus = PathStatus.FOUND
    reason: str = ""


UNREACHABLE = "unreachable"
_STATUS = {
    ("start", "in obstacle"): PathStatus.START_BLOCKED,
    ("start", "unknown"): PathStatus.START_UNKNOWN,
    ("start", "off the map"): PathStatus.OFF_MAP,
    ("goal", "in obstacle"): PathStatus.GOAL_BLOCKED,
    ("goal", "unknown"): PathStatus.GOAL_UNKNOWN,
    ("goal", "off the map"): PathStatus.OFF_MAP,
    ("goal", UNREACHABLE): PathStatus.UNREACHABLE,
}


@dataclass(frozen=True)
class _Floor:
    """Where a robot of some radius can be: cost per cell and connected region (0: none)."""

    costs: npt.NDArray[np.float32]
    regions: npt.NDArray[np.int32]


class _Identity:
    """Makes a map hashable by its cells' identity: they never change, and comparing them would defeat the cache."""

    def __init__(self, map_: OccupancyMap) -> None:
        self.map = map_

    def __hash__(self) -> int:
        return id(self.map.cells)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.map.cells is self.map.cells


@lru_cache(maxsize=8)
def _floor(key: _Identity, robot_radius: float) -> _Floor:
    clearance = key.map.clearance
    passable = (key.map.cells == FREE) & (clearance >= robot_radius)
    crowded = np.clip((COMFORT - clearance) / COMFORT, 0.0, 1.0)
    costs = np.where(passable, 1.0 + (CROWDED_COST - 1.0) * crowded, np.inf).astype(np.float32)
    # Diagonal steps need both cells beside them, so four neighbours decide what is connected.
    _, regions = cv2.connectedComponents(passable.astype(np.uint8), connectivity=4) if passable.size else (1, passable)
    return _Floor(costs, np.asarray(regions, dtype=np.int32))


def find_path(
    map_: OccupancyMap,
    start_xy: npt.ArrayLike,
    goal_xy: npt.ArrayLike,
    robot_radius: float = 0.2,
    tolerance: float = 0.0,
    rooms: RoomMap | None = None,
) -> PathResult:
    """Cheapest path between two points: short, but not along walls where there is room (A*).

    Args:
        map_: occupancy.
        start_xy, goal_xy: (2,) [m].
        robot_radius: distance to keep from obstacles [m].
        tolerance: accept the reachable free point nearest to the goal within so far [m]; 0: the goal itself.
        rooms: of the map; long ways are searched for only in the rooms that lie on the way from door to door, which is quicker.

    Raises:
        ValueError: a point is not (2,) and finite, or tolerance or radius is negative or not finite.
    """
    start, goal = _point(start_xy, "start"), _point(goal_xy, "goal")
    if not (np.isfinite(tolerance) and tolerance >= 0 and np.isfinite(robot_radius) and robot_radius >= 0):
        raise ValueError(f"expected tolerance and robot_radius >= 0 m, got {tolerance} and {robot_radius}")
    floor = _floor(_Identity(map_), robot_radius)
    first = _start_cell(map_, floor, start)
    if first is None:
        return no_path("start", what_is_at(map_, start))
    goal_cell = map_.cell_of(goal)
    goal_is_fine = bool(map_.contains(goal_cell)) and floor.regions[tuple(goal_cell)] == floor.regions[first]
    if goal_is_fine:
        last, end = (int(goal_cell[0]), int(goal_cell[1])), goal
    else:
        near = _cells_near(map_, floor.regions == floor.regions[first], goal, tolerance)
        if not near.shape[0]:
            passable = bool(map_.contains(goal_cell)) and floor.regions[tuple(goal_cell)] > 0
            return no_path("goal", UNREACHABLE if passable else what_is_at(map_, goal))
        last = (int(near[0, 0]), int(near[0, 1]))
        end = map_.center_of(near[0])
    window = (slice(0, floor.costs.shape[0]), slice(0, floor.costs.shape[1]))
    if rooms is not None and np.hypot(last[0] - first[0], last[1] - first[1]) * map_.resolution > LONG_WAY:
        between = rooms_between(rooms, floor.costs, first, last)
        if between is not None:
            allowed, part = between
            costs = np.where(allowed[rooms.labels[part]], floor.costs[part], np.inf).astype(np.float32)
            found = _search(map_, costs, part, start, first, last, end)
            if found is not None:
                return found
    found = _search(map_, floor.costs, window, start, first, last, end)
    assert found is not None  # both are in one region
    return found


def is_passable(map_: OccupancyMap, points_xy: npt.ArrayLike, robot_radius: float = 0.2) -> npt.NDArray[np.bool_]:
    """Whether a robot can stand at points (N, 2) [m]; (N,)."""
    cells = map_.cell_of(np.asarray(points_xy, dtype=np.float64).reshape(-1, 2))
    found = map_.contains(cells)
    found[found] = _floor(_Identity(map_), robot_radius).regions[tuple(cells[found].T)] > 0
    return found


def path_lengths(
    map_: OccupancyMap, start_xy: npt.ArrayLike, goals_xy: npt.ArrayLike, robot_radius: float = 0.2
) -> npt.NDArray[np.float64]:
    """Length of the path to each of several goals [m] by one search; -1 where there is none.

    Args:
        map_: occupancy.
        start_xy: (2,) [m].
        goals_xy: (G, 2) [m].
        robot_radius: distance to keep from obstacles [m].
    """
    start, goals = _point(start_xy, "start"), np.asarray(goals_xy, dtype=np.float64).reshape(-1, 2)
    lengths = np.full(goals.shape[0], -1.0)
    floor = _floor(_Identity(map_), robot_radius)
    first = _start_cell(map_, floor, start)
    if first is None or not goals.shape[0]:
        return lengths
    cells = map_.cell_of(goals)
    fine = map_.contains(cells)
    fine[fine] = floor.regions[tuple(cells[fine].T)] == floor.regions[first]
    if fine.any():
        width = map_.cells.shape[1]
        flat = cells[fine, 0] * width + cells[fine, 1]
        _, length, _ = grid_kernels.shortest_paths(floor.costs, first[0] * width + first[1], flat, False)
        lengths[fine] = length[flat] * map_.resolution
    return lengths


def cheapest_path(
    map_: OccupancyMap, start_xy: npt.ArrayLike, goals_xy: npt.ArrayLike, robot_radius: float = 0.2
) -> PathResult:
    """The path to that of several goals which is the cheapest to reach, by one search; see `find_path`.

    Args:
        map_: occupancy.
        start_xy: (2,) [m], where a robot can be.
        goals_xy: (G, 2) [m]; those where it cannot be are left out.
        robot_radius: distance to keep from obstacles [m].
    """
    start, goals = _point(start_xy, "start"), np.asarray(goals_xy, dtype=np.float64).reshape(-1, 2)
    floor = _floor(_Identity(map_), robot_radius)
    cell, cells = map_.cell_of(start), map_.cell_of(goals)
    if not map_.contains(cell) or not floor.regions[tuple(cell)]:
        return no_path("start", what_is_at(map_, start))
    cells = cells[map_.contains(cells)]
    cells = cells[floor.regions[tuple(cells.T)] == floor.regions[tuple(cell)]]
    if not len(cells):
        return no_path("goal", UNREACHABLE)
    width = map_.cells.shape[1]
    flat = cells[:, 0] * width + cells[:, 1]
    cost, _, _ = grid_kernels.shortest_paths(floor.costs, int(cell[0] * width + cell[1]), flat, False)
    best = cells[int(np.argmin(cost[flat]))]
    return find_path(map_, start, map_.center_of(best), robot_radius)


def line_of_sight(map_: OccupancyMap, origin_xy: npt.ArrayLike, targets_xy: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether no known obstacle lies on the straight lines from one point (2,) to others (N, 2) [m]; (N,)."""
    origin, targets = np.asarray(origin_xy, dtype=np.float64), np.asarray(targets_xy, dtype=np.float64).reshape(-1, 2)
    longest = float(np.max(np.linalg.norm(targets - origin, axis=1), initial=0.0))
    share = np.linspace(0.0, 1.0, int(2.0 * longest / map_.resolution) + 2)[:, None, None]
    return np.asarray(~(map_.at(origin + share * (targets - origin)) == OCCUPIED).any(axis=0))


def _search(
    map_: OccupancyMap,
    costs: npt.NDArray[np.float32],
    window: tuple[slice, slice],
    start: Array,
    first: tuple[int, int],
    last: tuple[int, int],
    end: Array,
) -> PathResult | None:
    """Path within a window of the map, with the costs there; None: there is none."""
    corner, width = np.array([window[0].start, window[1].start]), costs.shape[1]
    source, goal = (int((cell[0] - corner[0]) * width + cell[1] - corner[1]) for cell in (first, last))
    cost, _, previous = grid_kernels.shortest_paths(costs, source, np.array([goal]), True)
    if not np.isfinite(cost[goal]):
        return None
    flat = [goal]
    while previous[flat[-1]] >= 0:
        flat.append(int(previous[flat[-1]]))
    along = np.array(flat[::-1], dtype=np.int64)
    cells = np.stack([along // width, along % width], axis=1)
    reach = max(int(STRAIGHT_REACH / map_.resolution), 2)
    kept = grid_kernels.straighten(cells, costs, cost[along], reach)
    cells = cells + corner
    points = map_.center_of(cells[kept])
    if map_.cell_of(start).tolist() == list(first):
        points[0] = start
    else:  # it was moved to free floor
        points = np.vstack([start, points])
    if len(points) > 1:
        points[-1] = end
    else:
        points = np.vstack([start, end])
    length = float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    return PathResult(points, length, float(map_.clearance[cells[:, 0], cells[:, 1]].min()))


def _point(xy: npt.ArrayLike, name: str) -> Array:
    point = np.asarray(xy, dtype=np.float64)
    if point.shape != (2,) or not np.all(np.isfinite(point)):
        raise ValueError(f"expected a finite {name} (x, y) [m], got {point.tolist()}")
    return point


def no_path(end: Literal["start", "goal"], what: str) -> PathResult:
    """The answer that there is none because of what is at an end (see `what_is_at`), or because the ends are not joined."""
    return PathResult(
        np.zeros((0, 2)), status=_STATUS[end, what], reason=what if what == UNREACHABLE else f"{end} {what}"
    )


def what_is_at(map_: OccupancyMap, point: Array) -> str:
    """Why a robot cannot be at a point (2,) [m] at which it cannot be."""
    if not map_.contains(map_.cell_of(point)):
        return "off the map"
    return "unknown" if map_.at(point) == UNKNOWN else "in obstacle"


def _cells_near(map_: OccupancyMap, wanted: npt.NDArray[np.bool_], point: Array, reach: float) -> npt.NDArray[np.int64]:
    """Cells (N, 2) of ``wanted`` whose centres lie within ``reach`` [m] of a point, nearest first."""
    low = np.maximum(map_.cell_of(point - reach), 0)
    high = np.minimum(map_.cell_of(point + reach) + 1, map_.cells.shape)
    if np.any(high <= low):
        return np.zeros((0, 2), dtype=np.int64)
    cells = np.argwhere(wanted[low[0] : high[0], low[1] : high[1]]) + low
    distance = np.linalg.norm(map_.center_of(cells) - point, axis=1)
    order = np.argsort(distance, kind="stable")
    return np.asarray(cells[order[distance[order] <= reach]])


def _start_cell(map_: OccupancyMap, floor: _Floor, start: Array) -> tuple[int, int] | None:
    """The start's cell, or the nearest that a robot can be in and see from there; None: there is none near."""
    cell = map_.cell_of(start)
    if map_.contains(cell) and floor.regions[tuple(cell)] > 0:
        return (int(cell[0]), int(cell[1]))
    near = _cells_near(map_, floor.regions > 0, start, START_REACH)
    if near.shape[0] and map_.at(start) != OCCUPIED:
        near = near[line_of_sight(map_, start, map_.center_of(near))]
    return (int(near[0, 0]), int(near[0, 1])) if near.shape[0] else None
