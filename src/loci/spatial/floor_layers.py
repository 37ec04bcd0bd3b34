"""Maps, rooms and frontiers of all floors, kept up to date with the octree: only floors with changed columns are made anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loci.geometry import Array
from loci.spatial.bricks import BRICK_EDGE
from loci.spatial.columns import ColumnCache, Columns, Ints
from loci.spatial.floors import Floor, Storeys, Track, find_storeys
from loci.spatial.frontiers import Frontier, FrontierParameters, FrontierTracker
from loci.spatial.information_gain import GainParameters
from loci.spatial.occupancy import FREE, FloorMapper, OccupancyMap
from loci.spatial.octree import Octree
from loci.spatial.regions import Room, RoomMap, segment_rooms
from loci.spatial.step_ways import Climber, Looks
from loci.spatial.steps import StepParameters
from loci.spatial.view import FloorView, SpatialView

#: Unknown volume [m3] that cameras at points (N, 3) [m] would see that look along unit vectors (N, 3); (N,).
Gain = Callable[[Array, Array], Array]
#: What lies further from a frontier than this cannot change what is seen from there [m].
GAIN_REACH = GainParameters().max_range


@dataclass(frozen=True)
class KnownBefore:
    """What is known of the floors of a stored map before its maps are made: their ids, and ids and positions of rooms."""

    floors: tuple[Floor, ...]
    rooms: tuple[Room, ...]


class FloorLayers:
    """Makes one `SpatialView` after another of one octree. Written by one thread.

    Args:
        new_id: makes ids of a kind ("floor", "room", "frontier").
        robot_height: the band above a floor that must be free for the robot [m].
        frontiers: what counts as a frontier.
        before: what a stored map knew.
        max_step_height: of steps that the robot can climb [m]; 0: it does not climb where it has not been.
    """

    def __init__(
        self,
        new_id: Callable[[str], str],
        robot_height: float,
        frontiers: FrontierParameters,
        before: KnownBefore | None = None,
        max_step_height: float = 0.0,
    ) -> None:
        self._new_id = new_id
        self._robot_height = robot_height
        self._frontiers = frontiers
        self._before = before or KnownBefore((), ())
        self._cache = ColumnCache()
        self._mappers: dict[str, FloorMapper] = {}
        self._trackers: dict[str, FrontierTracker] = {}
        self._views: dict[str, FloorView] = {}
        self._steps = StepParameters(max_step_height, frontiers.robot_radius, robot_height)
        self._climbers: dict[str, Climber] = {}

    def take(self, octree: Octree) -> tuple[Columns, Ints, int]:
        """Copy what has changed in the octree, which may not be written to meanwhile: (columns, changed tiles, stamp [ns])."""
        tiles = self._cache.update(octree)
        return self._cache.columns, tiles, octree.stamp_ns

    def begin_again(self, known: SpatialView | None) -> None:
        """Forget the maps, for an octree that was made anew; what is ``known`` keeps its ids."""
        self._before = KnownBefore(tuple(f.floor for f in known.floors), known.rooms) if known else self._before
        self._cache = ColumnCache()
        self._mappers, self._views = {}, {}

    def update(self, taken: tuple[Columns, Ints, int], track: Track, n_keyframes: int, gain: Gain) -> SpatialView:
        """The floors as of now.

        Args:
            taken: from `take`.
            track: where the cameras have been.
            n_keyframes: that are in the octree.
            gain: what cameras would see.
        """
        columns, tiles, stamp_ns = taken
        former = tuple(view.floor for view in self._views.values()) or self._before.floors
        storeys = find_storeys(columns, track, former, lambda: self._new_id("floor"))
        views: dict[str, FloorView] = {}
        for k, floor in enumerate(storeys.floors):
            mapper, fresh = self._mapper(floor)
            map_ = mapper.update(columns, None if fresh else tiles, stamp_ns)
            rooms, floor = self._rooms(floor, map_)
            tracker = self._trackers.get(floor.id)
            if tracker is None:
                tracker = FrontierTracker(lambda: self._new_id("frontier"), self._frontiers)
            self._trackers[floor.id] = tracker
            frontiers = tuple(replace(f, floor=floor.id) for f in tracker.update(map_, _standing(storeys, k, track)))
            views[floor.id] = FloorView(floor, map_, rooms, frontiers)
        if self._steps.max_height > 0:
            looks = Looks(storeys.bases, track.directions, storeys.camera_height)
            robot = storeys.bases[-1] if storeys.on_stairs else None
            views = self._with_steps(views, columns, tiles, looks, robot)
        for i, view in views.items():
            before = self._views[i].frontiers if i in self._views else ()
            frontiers = _with_gains(view.frontiers, before, gain, storeys.camera_height, tiles, columns.leaf_size)
            views[i] = replace(view, frontiers=frontiers)
        self._mappers = {i: m for i, m in self._mappers.items() if i in views}
        self._trackers = {i: t for i, t in self._trackers.items() if i in views}
        self._climbers = {i: c for i, c in self._climbers.items() if i in views}
        self._views = views
        floors = tuple(view.floor for view in views.values())
        return SpatialView(tuple(views.values()), replace(storeys, floors=floors), n_keyframes)

    def _with_steps(
        self, views: dict[str, FloorView], columns: Columns, tiles: Ints, looks: Looks, robot: Array | None
    ) -> dict[str, FloorView]:
        """The floors with the steps that were seen at those where the robot has been."""
        floors, maps = [v.floor for v in views.values()], [v.map for v in views.values()]
        found = dict(views)
        for k, floor in enumerate(floors):
            if not floor.is_driven:
                continue
            climber = self._climbers.get(floor.id)
            if climber is None:
                climber = Climber(lambda: self._new_id("frontier"), self._frontiers, self._steps)
            self._climbers[floor.id] = climber
            climb = climber.update(columns, tiles, floors, maps, k, self._mappers[floor.id], looks, robot)
            if climb is not None:
                view = views[floor.id]
                found[floor.id] = replace(view, frontiers=(*view.frontiers, *climb.frontiers), climb=climb)
        return found

    def set_rooms(self, rooms: Mapping[str, Room]) -> None:
        """Take over what others found out about rooms, by id."""
        for i, view in self._views.items():
            known = tuple(rooms.get(room.id, room) for room in view.rooms.rooms)
            self._views[i] = replace(view, rooms=view.rooms.with_rooms(known))

    def set_frontier_keyframe(self, frontier_id: str, keyframe_id: str) -> None:
        """Attach the photo that shows a frontier; nothing happens if the frontier is gone."""
        for tracker in self._trackers.values():
            tracker.set_keyframe(frontier_id, keyframe_id)
        for climber in self._climbers.values():
            climber.set_keyframe(frontier_id, keyframe_id)

    def _mapper(self, floor: Floor) -> tuple[FloorMapper, bool]:
        """The floor's mapper, and whether it is a new one: at another height nothing is as it was."""
        mapper = self._mappers.get(floor.id)
        if mapper is not None and (mapper.floor_z, mapper.has_drops) == (floor.height, floor.is_driven):
            return mapper, False
        mapper = FloorMapper(
            floor.height, self._robot_height, has_drops=floor.is_driven, max_step_height=self._steps.max_height
        )
        self._mappers[floor.id] = mapper
        return mapper, True

    def _rooms(self, floor: Floor, map_: OccupancyMap) -> tuple[RoomMap, Floor]:
        """Rooms of a floor, and the floor with its area and rooms."""
        view = self._views.get(floor.id)
        if view is not None and view.map.cells is map_.cells:
            return view.rooms, replace(floor, area=view.floor.area, room_ids=view.floor.room_ids)
        previous: RoomMap | Sequence[Room] = view.rooms if view is not None else self._stored_rooms(floor)
        rooms = segment_rooms(map_, previous, lambda: self._new_id("room"))
        area = float(np.count_nonzero(map_.cells == FREE)) * map_.resolution**2
        return rooms, replace(floor, area=area, room_ids=tuple(room.id for room in rooms.rooms))

    def _stored_rooms(self, floor: Floor) -> tuple[Room, ...]:
        return tuple(room for room in self._before.rooms if abs(room.position[2] - floor.height) < 0.5)


def _standing(storeys: Storeys, k: int, track: Track) -> Array | None:
    """Where the robot is on a floor, or was when it left it (2,) [m]; None: it never was there."""
    if k == storeys.current and not storeys.on_stairs and len(track.positions):
        return np.asarray(track.positions[-1, :2])
    was = np.flatnonzero(storeys.floor_of == k)
    return np.asarray(track.positions[was[-1], :2]) if len(was) else None


def _with_gains(
    frontiers: tuple[Frontier, ...],
    former: tuple[Frontier, ...],
    gain: Gain,
    camera_height: float,
    tiles: Ints,
    leaf_size: float,
) -> tuple[Frontier, ...]:
    """Frontiers with what they promise: as before, where neither the view nor what is in it has changed."""
    if not frontiers:
        return frontiers
    before = {f.id: f for f in former}
    positions = np.array([f.position for f in frontiers])
    edge = BRICK_EDGE * leaf_size
    # (F, T) horizontal distance to the nearest point of each tile that has changed
    low = tiles * edge
    gaps = np.maximum(np.maximum(low - positions[:, None, :2], positions[:, None, :2] - low - edge), 0.0)
    changed = np.any(np.hypot(gaps[..., 0], gaps[..., 1]) <= GAIN_REACH, axis=1)
    for i, f in enumerate(frontiers):
        old = before.get(f.id)
        same = (
            old is not None and np.array_equal(old.position, f.position) and np.array_equal(old.direction, f.direction)
        )
        changed[i] |= not same
    gains = np.array([before[f.id].information_gain if f.id in before else 0.0 for f in frontiers])
    if changed.any():
        eyes = positions[changed] + (0.0, 0.0, camera_height)
        gains[changed] = gain(eyes, np.array([f.direction for f in frontiers])[changed])
    return tuple(replace(f, information_gain=float(g)) for f, g in zip(frontiers, gains, strict=True))
