"""What readers see of the floors: immutable, replaced in one assignment when the spatial memory is refreshed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial.floors import RUN_UP, Floor, Stairs, Storeys, run_up
from loci.spatial.frontiers import Frontier
from loci.spatial.occupancy import OccupancyMap
from loci.spatial.regions import Room, RoomMap
from loci.spatial.step_ways import Climb, is_known
from loci.spatial.topology import Place, PlaceEdge

#: An object's centre is taken to lie in the room of the nearest floor within so far [m] (it stands on what is not free).
ROOM_REACH = 1.5


@dataclass(frozen=True)
class FloorView:
    """One floor as it was known after some keyframe.

    Attributes:
        floor: id, name, height.
        map: occupancy.
        rooms: segmentation of its free space.
        frontiers: borders to the unknown, those on steps last.
        climb: steps that were seen at this floor; None: none, or the robot does not climb.
    """

    floor: Floor
    map: OccupancyMap
    rooms: RoomMap
    frontiers: tuple[Frontier, ...]
    climb: Climb | None = None


@dataclass(frozen=True)
class SpatialView:
    """All floors as they were known after some keyframe.

    Attributes:
        floors: from the lowest up, at least one.
        storeys: where the robot is and was, and stairs.
        n_keyframes: keyframes integrated when it was made.
    """

    floors: tuple[FloorView, ...]
    storeys: Storeys
    n_keyframes: int

    @property
    def current(self) -> FloorView:
        """The floor that the robot is on, or came from if it is on stairs."""
        return self.floors[self.storeys.current]

    @cached_property
    def stairs(self) -> tuple[Stairs, ...]:
        """Ways between the floors: those that the robot has climbed, those over steps that were seen, and the one it is on.

        Those that join two floors come first.
        """
        climbed = [s for s in self.storeys.stairs if s.floors[1]]
        found: list[Stairs] = []
        for floor in self.floors:
            for way in floor.climb.ways if floor.climb is not None else ():
                if way.floors[1]:
                    # A robot that turned round at the top has not shown the way onto the floor.
                    short = [s for s in climbed if run_up(s.points) < RUN_UP / 2 and is_known(way, (s,))]
                    climbed = [s for s in climbed if all(s is not other for other in short)]
                if not way.floors[1] or not is_known(way, (*climbed, *found)):
                    found.append(way)
        found.sort(key=lambda way: not way.floors[1])
        return (*climbed, *found, *(s for s in self.storeys.stairs if not s.floors[1]))

    @property
    def map(self) -> OccupancyMap:
        """Occupancy of the current floor."""
        return self.current.map

    @property
    def rooms(self) -> tuple[Room, ...]:
        """Rooms of all floors, from the lowest up."""
        return tuple(room for floor in self.floors for room in floor.rooms.rooms)

    @property
    def frontiers(self) -> tuple[Frontier, ...]:
        """Frontiers of all floors, from the lowest up."""
        return tuple(frontier for floor in self.floors for frontier in floor.frontiers)

    def floor(self, floor_id: str) -> FloorView:
        """The floor with an id.

        Raises:
            KeyError: there is none.
        """
        for floor in self.floors:
            if floor.floor.id == floor_id:
                return floor
        raise KeyError(f"no floor {floor_id!r} among {[floor.floor.id for floor in self.floors]}")

    def floors_of(self, positions: npt.ArrayLike) -> list[Floor]:
        """The floors that points (N, 3) [m] are on: the highest below each."""
        z = np.asarray(positions, dtype=np.float64).reshape(-1, 3)[:, 2]
        return [self.floors[i].floor for i in self.storeys.below(z).tolist()]

    def rooms_of(self, positions: npt.ArrayLike) -> list[Room | None]:
        """Rooms of points (N, 3) [m], also of those that are not free themselves; None where no room is near."""
        points = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
        return self._by_floor(points, lambda rooms, chosen: rooms.rooms_near(points[chosen, :2], ROOM_REACH))

    def rooms_seen_from(self, positions: npt.ArrayLike, viewpoints: npt.ArrayLike) -> list[Room | None]:
        """Rooms of things at positions (N, 3) that were seen from viewpoints (N, 3) [m]; see `RoomMap.rooms_towards`."""
        p, v = (np.asarray(a, dtype=np.float64).reshape(-1, 3) for a in (positions, viewpoints))
        return self._by_floor(p, lambda rooms, chosen: rooms.rooms_towards(p[chosen, :2], v[chosen, :2], ROOM_REACH))

    def room_of(self, position: npt.ArrayLike) -> Room | None:
        """Room of one point (3,) [m]; see `rooms_of`."""
        return self.rooms_of(position)[0]

    def _by_floor(
        self, points: Array, ask: Callable[[RoomMap, npt.NDArray[np.int64]], list[Room | None]]
    ) -> list[Room | None]:
        """Answers for points (N, 3), each from the rooms of its floor."""
        floor_of = self.storeys.below(points[:, 2])
        found: list[Room | None] = [None] * len(points)
        for k in np.unique(floor_of):
            chosen = np.flatnonzero(floor_of == k)
            for i, room in zip(chosen.tolist(), ask(self.floors[k].rooms, chosen), strict=True):
                found[i] = room
        return found

    def with_rooms(self, rooms: tuple[Room, ...]) -> SpatialView:
        """The same with other facts about its rooms (same ids in the same order)."""
        floors, n = [], 0
        for floor in self.floors:
            own = rooms[n : n + len(floor.rooms.rooms)]
            floors.append(replace(floor, rooms=floor.rooms.with_rooms(own)))
            n += len(own)
        return replace(self, floors=tuple(floors))

    def with_frontier_keyframe(self, frontier_id: str, keyframe_id: str) -> SpatialView:
        """The same with a photo for one frontier."""
        floors = tuple(
            replace(
                floor,
                frontiers=tuple(
                    replace(f, keyframe_id=keyframe_id) if f.id == frontier_id else f for f in floor.frontiers
                ),
            )
            if any(f.id == frontier_id for f in floor.frontiers)
            else floor
            for floor in self.floors
        )
        return replace(self, floors=floors)


@dataclass(frozen=True)
class Topology:
    """The topological graph with its rooms and floors; ``current_place`` is where the robot was last seen (empty: nowhere yet)."""

    places: tuple[Place, ...]
    edges: tuple[PlaceEdge, ...]
    rooms: tuple[Room, ...]
    current_place: str
    floors: tuple[Floor, ...] = ()
