"""What follows from steps that were seen: ways over them from floor to floor, and borders on them that ask to be climbed to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial.bricks import BRICK_EDGE
from loci.spatial.columns import Columns, Ints
from loci.spatial.floors import RUN_UP, SAME_STAIRS, Floor, Stairs
from loci.spatial.frontiers import Frontier, FrontierParameters, FrontierTracker
from loci.spatial.occupancy import FREE, OCCUPIED, FloorMapper, OccupancyMap
from loci.spatial.paths import cheapest_path, is_passable, line_of_sight
from loci.spatial.steps import LEVEL, StepMap, StepParameters, find_steps

#: A camera that looked from so near to a point [m], no further to the side of a goal than this [rad], has seen what is to be seen.
LOOK_REACH, LOOK_ANGLE = 0.5, np.radians(25.0)


@dataclass(frozen=True)
class Looks:
    """From where the cameras looked, and where to.

    Attributes:
        bases: (N, 3) of the robot [m].
        directions: (N, 2) horizontal unit vectors; (0, 2): not known.
        camera_height: above what the robot stands on [m].
    """

    bases: Array
    directions: Array
    camera_height: float

    def have_seen(self, goal: Array, points: Array) -> npt.NDArray[np.bool_]:
        """Whether a camera has looked towards a goal (2,) from near each of some points (P, 3) [m]."""
        if len(self.directions) != len(self.bases) or not len(points):
            return np.zeros(len(points), dtype=np.bool_)
        ahead = goal - self.bases[:, :2]
        towards = (ahead * self.directions).sum(axis=1) >= np.cos(LOOK_ANGLE) * np.linalg.norm(ahead, axis=1)
        from_, levels = self.bases[towards, :2], self.bases[towards, 2]
        # (P, L)
        near = np.linalg.norm(points[:, None, :2] - from_, axis=2) <= LOOK_REACH
        return np.asarray((near & (np.abs(points[:, 2:] - levels) <= LOOK_REACH)).any(axis=1))


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
        # Steps may be as narrow as the robot.
        least = min(frontiers.min_area, 2 * frontiers.robot_radius * frontiers.depth)
        self._tracker = FrontierTracker(new_id, replace(frontiers, min_area=least))
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
        looks: Looks,
        robot: Array | None = None,
    ) -> Climb | None:
        """The steps as of now; None: none were seen.

        Args:
            columns: of the octree.
            tiles: (T, 2) those that have changed since the last call.
            floors, maps: from the lowest up.
            own: which of them.
            mapper: of that floor.
            looks: of the cameras so far.
            robot: (3,) where its base is, if that is on no floor [m].
        """
        same = len(maps) == len(self._maps) and all(a.cells is b.cells for a, b in zip(maps, self._maps, strict=True))
        self._maps = tuple(maps)
        if not same or self._touches(tiles):
            steps = find_steps(columns, maps, own, mapper.first_steps, self._parameters)
            self._climb = None if steps is None else self._explored(steps, floors, maps, own, looks)
        climb = self._climb
        if climb is None or robot is None or not climb.steps.holds(robot, 0.0):
            return climb
        # The way back for a robot on steps that lead nowhere any more: its own may have gone to and fro.
        points = way_from(climb.steps, maps[own], robot[:2], self._parameters.robot_radius)
        back = (Stairs((floors[own].id, ""), points, is_climbed=False),) if len(points) else ()
        return replace(climb, ways=(*climb.ways, *back))

    def _touches(self, tiles: Ints) -> bool:
        """Whether one of the tiles (T, 2) lies in the map of the steps: what changes elsewhere changes some floor's map first."""
        if self._climb is None or not len(tiles):
            return False
        map_ = self._climb.steps.map
        low, high = map_.corner, map_.corner + map_.cells.shape[::-1]
        return bool(np.any(np.all((tiles * BRICK_EDGE < high) & ((tiles + 1) * BRICK_EDGE > low), axis=1)))

    def _explored(
        self, steps: StepMap, floors: Sequence[Floor], maps: Sequence[OccupancyMap], own: int, looks: Looks
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
        # What borders on a floor is that floor's.
        floor = (steps.map.cells == FREE) & ~steps.is_step
        only_steps = replace(steps.map, cells=np.where(floor, np.int8(OCCUPIED), steps.map.cells))
        for f in self._tracker.update(only_steps):
            at = _viewpoint(steps, f, room, looks)
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


def _viewpoint(steps: StepMap, frontier: Frontier, room: Array, looks: Looks) -> Array:
    """Where among points (N, 2) on steps to stand (2,) so that a frontier is in view [m].

    A camera does not see what is right before the robot, and on a landing there is no other side to see it from: so the nearest
    point at least as far away as the camera is high from which nobody has looked there; else the frontier's own position.
    """
    goal = frontier.centroid[:2]
    gaps = np.linalg.norm(room - goal, axis=1)
    wanted = gaps >= looks.camera_height
    wanted[wanted] = line_of_sight(steps.map, goal, room[wanted])
    points = np.column_stack([room[wanted], steps.height_at(room[wanted])])
    new = points[~looks.have_seen(goal, points)]
    return np.asarray(
        new[np.argmin(np.linalg.norm(new[:, :2] - goal, axis=1)), :2] if len(new) else frontier.position[:2]
    )


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
