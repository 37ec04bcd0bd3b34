"""What follows from steps that were seen: ways over them from floor to floor, and borders on them that ask to be climbed to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from loci.geometry import Array
from loci.spatial.columns import Columns, Ints
from loci.spatial.floors import RUN_UP, SAME_STAIRS, Floor, Stairs
from loci.spatial.frontiers import Frontier, FrontierParameters, FrontierTracker
from loci.spatial.occupancy import FREE, FloorMapper, OccupancyMap
from loci.spatial.paths import cheapest_path, is_passable, line_of_sight
from loci.spatial.steps import LEVEL, StepMap, StepParameters, find_steps

TILE = 8


@dataclass(frozen=True)
class Climb:
    """What was seen of the steps at one floor.

    Attributes:
        steps: their map.
        ways: from the floor to where it is not known how they go on, and to other floors.
        frontiers: where the former end.
    """

    steps: StepMap
    ways: tuple[Stairs, ...]
    frontiers: tuple[Frontier, ...]


class Climber:
    """Keeps the steps at one floor up to date. Written by one thread.

    Args:
        new_id: makes ids of frontiers.
        frontiers: what counts as one.
        parameters: of the robot.
    """

    def __init__(self, new_id: Callable[[], str], frontiers: FrontierParameters, parameters: StepParameters) -> None:
        self._tracker = FrontierTracker(new_id, frontiers)
        self._parameters = parameters
        self._climb: Climb | None = None
        self._maps: tuple[OccupancyMap, ...] = ()

    def set_keyframe(self, frontier_id: str, keyframe_id: str) -> None:
        """Attach the photo that shows a frontier; nothing happens if the frontier is gone."""
        self._tracker.set_keyframe(frontier_id, keyframe_id)
        if self._climb is not None:
            frontiers = tuple(
                replace(f, keyframe_id=keyframe_id) if f.id == frontier_id else f for f in self._climb.frontiers
            )
            self._climb = replace(self._climb, frontiers=frontiers)

    def update(
        self,
        columns: Columns,
        tiles: Ints,
        floors: Sequence[Floor],
        maps: Sequence[OccupancyMap],
        own: int,
        mapper: FloorMapper,
        camera_height: float,
    ) -> Climb | None:
        """The steps as of now; None: none were seen.

        Args:
            columns: of the octree.
            tiles: (T, 2) those that have changed since the last call.
            floors, maps: from the lowest up.
            own: which of them.
            mapper: of that floor.
            camera_height: above what the robot stands on [m].
        """
        same = len(maps) == len(self._maps) and all(a.cells is b.cells for a, b in zip(maps, self._maps, strict=True))
        self._maps = tuple(maps)
        if same and not self._touches(tiles):
            return self._climb
        steps = find_steps(columns, maps, own, mapper.first_steps, self._parameters)
        self._climb = None if steps is None else self._explored(steps, floors, maps, own, camera_height)
        return self._climb

    def _touches(self, tiles: Ints) -> bool:
        """Whether one of the tiles (T, 2) lies in the map of the steps: what changes elsewhere changes some floor's map first."""
        if self._climb is None or not len(tiles):
            return False
        map_ = self._climb.steps.map
        low, high = map_.corner, map_.corner + map_.cells.shape[::-1]
        return bool(np.any(np.all((tiles * TILE < high) & ((tiles + 1) * TILE > low), axis=1)))

    def _explored(
        self, steps: StepMap, floors: Sequence[Floor], maps: Sequence[OccupancyMap], own: int, camera_height: float
    ) -> Climb:
        radius = self._parameters.robot_radius
        ways = [
            way
            for other in range(len(floors))
            if other != own
            for way in ways_between(steps, (floors[own], floors[other]), (maps[own], maps[other]), radius)
        ]
        cells = np.argwhere(steps.is_step)
        room = steps.map.center_of(cells)
        room = room[is_passable(steps.map, room, radius)]
        frontiers = []
        for f in self._tracker.update(steps.map) if len(room) else ():
            row, column = steps.map.cell_of(f.position[:2])
            if not steps.is_step[row, column]:
                continue  # what borders on the floor is the floor's
            at = _viewpoint(steps.map, f, room, camera_height)
            points = way_from(steps, maps[own], at, radius)
            if len(points):
                z = float(points[-1, 2])
                ahead = f.centroid[:2] - at
                direction = np.append(ahead / max(float(np.linalg.norm(ahead)), 1e-6), 0.0)
                frontiers.append(
                    replace(
                        f,
                        position=np.append(at, z),
                        centroid=np.append(f.centroid[:2], z),
                        direction=direction,
                        floor=floors[own].id,
                    )
                )
                ways.append(Stairs((floors[own].id, ""), np.vstack([points, frontiers[-1].position]), is_climbed=False))
        return Climb(steps, tuple(ways), tuple(frontiers))


def _viewpoint(map_: OccupancyMap, frontier: Frontier, room: Array, camera_height: float) -> Array:
    """Where among points (N, 2) on steps to stand (2,) so that a frontier is in view [m].

    A camera does not see what is right before the robot, and on a landing there is no other side to see it from: so the nearest
    point at least as far away as the camera is high, and else the frontier's own position.
    """
    gaps = np.linalg.norm(room - frontier.centroid[:2], axis=1)
    in_view = (gaps >= camera_height) & line_of_sight(map_, frontier.centroid[:2], room)
    return np.asarray(room[np.argmin(np.where(in_view, gaps, np.inf))] if in_view.any() else frontier.position[:2])


def way_from(steps: StepMap, floor: OccupancyMap, to: Array, robot_radius: float) -> Array:
    """Points (N, 3) of the cheapest way from a floor to a point (2,) on steps [m]; none if there is none."""
    level = ~steps.is_step & (steps.map.cells == FREE) & (np.abs(steps.heights - floor.floor_z) <= LEVEL)
    feet = steps.map.center_of(np.argwhere(level))
    found = cheapest_path(steps.map, to, feet[is_passable(floor, feet, robot_radius)], robot_radius)
    return np.zeros((0, 3)) if found.reason else steps.raised(found.points[::-1])


def ways_between(
    steps: StepMap, floors: tuple[Floor, Floor], maps: tuple[OccupancyMap, OccupancyMap], robot_radius: float
) -> list[Stairs]:
    """Ways over steps from one floor to another, one for every staircase that joins them, each from the lower floor up."""
    if floors[0].height > floors[1].height:
        floors, maps = floors[::-1], maps[::-1]
    cells = np.argwhere(steps.is_step)
    room = cells[is_passable(steps.map, steps.map.center_of(cells), robot_radius)]
    mask = np.zeros(steps.is_step.shape, dtype=np.uint8)
    mask[tuple(room.T)] = 1
    n, labels = cv2.connectedComponents(mask, connectivity=4)
    middle = (floors[0].height + floors[1].height) / 2
    found = []
    for label in range(1, n):
        own = np.argwhere(labels == label)
        off = np.abs(steps.heights[tuple(own.T)] - middle)
        # In the middle of the tread that is half way up.
        half_way = own[off <= off.min() + LEVEL]
        at = steps.map.center_of(half_way[int(np.argmax(steps.map.clearance[tuple(half_way.T)]))])
        below, above = (way_from(steps, map_, at, robot_radius) for map_ in maps)
        if len(below) and len(above):
            points = np.vstack([below, above[-2::-1]])
            found.append(Stairs((floors[0].id, floors[1].id), points, is_climbed=False))
    return found


def is_known(way: Stairs, stairs: Sequence[Stairs]) -> bool:
    """Whether a way is over stairs that are among others, from the same floor to the same."""
    for other in stairs:
        ends = np.linalg.norm(other.points[[0, -1], :2] - way.points[[0, -1], :2], axis=1)
        if other.floors == way.floors and np.all(ends < SAME_STAIRS + RUN_UP):
            return True
    return False
