"""The spatial memory of one map: octree, floor map, frontiers, rooms and places, kept consistent with one another.

One thread writes (`integrate`, `visit`, `refresh`, `rebuild`); any thread reads. What readers see of the floor (map, rooms,
frontiers) is a `SpatialView` that is replaced in one assignment and never written to afterwards.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from loci.geometry import Array
from loci.keyframes import Keyframe, Keyframes
from loci.observation import Frame
from loci.spatial.cubes import Cubes, NearestVoxels, OccupiedCubes
from loci.spatial.frontiers import Frontier, FrontierParameters, FrontierTracker
from loci.spatial.occupancy import OccupancyMap, OccupancyMapper
from loci.spatial.octomap_files import Format, write_octomap
from loci.spatial.octree import Octree, OctreeParameters, RayHits
from loci.spatial.octree_queries import MAX_CUBES
from loci.spatial.paths import PathResult, find_path, line_of_sight, path_lengths
from loci.spatial.regions import Room, RoomMap, name_room, segment_rooms
from loci.spatial.topology import Place, PlaceEdge, PlaceParameters, Sight, TopologicalGraph
from loci.store.errors import StoreError
from loci.store.store import Store

log = logging.getLogger("loci.spatial")

#: An object's centre is taken to lie in the room of the nearest floor within so far [m] (it stands on what is not free).
ROOM_REACH = 1.5


@dataclass(frozen=True)
class SpatialParameters:
    """Settings of the spatial memory.

    Attributes:
        octree: voxels.
        places: topological graph.
        frontiers: what counts as a frontier.
        robot_radius: clearance for paths [m].
        robot_height: the band above the floor that must be free for the robot [m].
    """

    octree: OctreeParameters = field(default_factory=OctreeParameters)
    places: PlaceParameters = field(default_factory=PlaceParameters)
    frontiers: FrontierParameters = field(default_factory=FrontierParameters)
    robot_radius: float = 0.2
    robot_height: float = 1.5


@dataclass(frozen=True)
class Landmark:
    """What names a room: a label, its position, and where it was seen from, (3,) each [m], map frame."""

    label: str
    position: tuple[float, float, float]
    seen_from: Array


@dataclass(frozen=True)
class SpatialView:
    """The floor as it was known after some keyframe.

    Attributes:
        map: occupancy of the floor.
        rooms: segmentation of its free space.
        frontiers: borders to the unknown.
        n_keyframes: keyframes integrated when it was made.
    """

    map: OccupancyMap
    rooms: RoomMap
    frontiers: tuple[Frontier, ...]
    n_keyframes: int

    def rooms_of(self, positions: npt.ArrayLike) -> list[Room | None]:
        """Rooms of points (N, 3) [m], also of those that are not free themselves; None where no room is near."""
        return self.rooms.rooms_near(np.asarray(positions, dtype=np.float64).reshape(-1, 3)[:, :2], ROOM_REACH)

    def rooms_seen_from(self, positions: npt.ArrayLike, viewpoints: npt.ArrayLike) -> list[Room | None]:
        """Rooms of things at positions (N, 3) that were seen from viewpoints (N, 3) [m]; see `RoomMap.rooms_towards`."""
        p, v = (np.asarray(a, dtype=np.float64).reshape(-1, 3)[:, :2] for a in (positions, viewpoints))
        return self.rooms.rooms_towards(p, v, ROOM_REACH)

    def room_of(self, position: npt.ArrayLike) -> Room | None:
        """Room of one point (3,) [m]; see `rooms_of`."""
        return self.rooms_of(position)[0]


@dataclass(frozen=True)
class Topology:
    """The topological graph with its rooms; ``current_place`` is where the robot was last seen (empty: nowhere yet)."""

    places: tuple[Place, ...]
    edges: tuple[PlaceEdge, ...]
    rooms: tuple[Room, ...]
    current_place: str


class SpatialMemory:
    """Octree, floor map, frontiers, rooms and places of the current map."""

    def __init__(
        self,
        store: Store,
        keyframes: Keyframes,
        map_id: str,
        parameters: SpatialParameters | None = None,
        device: str = "cpu",
    ) -> None:
        self.parameters = parameters or SpatialParameters()
        self.map_id = map_id
        self._store = store
        self._keyframes = keyframes
        self._device = device
        self._octree_lock = threading.Lock()  # voxels change in place; held for one frame or one query at a time
        self._octree = self._new_octree()
        self._mapper = self._new_mapper()
        frontiers = replace(self.parameters.frontiers, robot_radius=self.parameters.robot_radius)
        self._tracker = FrontierTracker(lambda: self._new_id("frontier"), frontiers)
        self._n_integrated = 0
        self._n_unsaved = 0
        self.graph = TopologicalGraph(lambda: self._new_id("place"), self.parameters.places)
        self.current_place = ""
        self.robot_position: Array | None = None
        self.newest_stamp_ns = 0
        self._view: SpatialView | None = None
        self._load()

    def _new_octree(self) -> Octree:
        """The octree as it was before any keyframe: empty, or what was imported into this map."""
        record = self._store.get("imported_octree", self.map_id)
        if record is not None and record.fields["leaf_size"] == self.parameters.octree.leaf_size:
            try:
                arrays = load_arrays(self._store.blob(record.fields["digest"]))
                return Octree.from_arrays(arrays, self.parameters.octree, self._device)
            except (StoreError, SafetensorError, ValueError) as error:
                log.warning("the octree imported into map %s cannot be used: %s", self.map_id, error)
        elif record is not None:
            log.warning(
                "the octree imported into map %s has a leaf size of %g m, not %g m: it is left out",
                self.map_id,
                record.fields["leaf_size"],
                self.parameters.octree.leaf_size,
            )
        return Octree(self.parameters.octree, self._device)

    def _new_mapper(self) -> OccupancyMapper:
        return OccupancyMapper(robot_height=self.parameters.robot_height)

    def _new_id(self, kind: str) -> str:
        if not self._store.read_only:
            return self._store.new_id(kind)
        self._n_unsaved += 1  # a reader sees rooms and frontiers that the writer has not numbered yet
        return f"{kind}/unsaved-{self._n_unsaved}"

    # --- writing ------------------------------------------------------------------------------------------------------

    def integrate(self, frame: Frame) -> None:
        """Take one keyframe's depth into the octree."""
        with self._octree_lock:
            self._octree.integrate(frame.depth, frame.camera, frame.T_map_camera, frame.stamp_ns)
        self._n_integrated += 1
        self.robot_position = frame.T_map_camera[:3, 3].copy()
        self.newest_stamp_ns = frame.stamp_ns

    def visit(self, keyframe: Keyframe) -> str:
        """Record where the robot is in the topological graph; returns the place's id."""
        self.current_place = self.graph.observe(
            keyframe.T_map_camera[:3, 3],
            keyframe.id,
            keyframe.T_map_camera,
            keyframe.stamp_ns,
            keyframe.map_id,
            keyframe.embedding,
            sight=self._sight(),
        )
        return self.current_place

    def _sight(self) -> Sight | None:
        """Which places the robot sees over the walls that are known, so that places do not merge through them."""
        view = self._view
        if view is None:
            return None
        return lambda here, places: line_of_sight(view.map, here[:2], places[:, :2])

    def refresh(self, landmarks: Sequence[Landmark] = ()) -> SpatialView:
        """Bring map, rooms and frontiers up to date; the landmarks name the rooms."""
        view = self._view
        if view is None or view.n_keyframes != self._n_integrated:
            with self._octree_lock:
                n_keyframes = self._n_integrated
                floor = self._mapper.update(self._octree)
            rooms = segment_rooms(floor, view.rooms if view else (), lambda: self._new_id("room"))
            robot = self.robot_position
            frontiers = self._tracker.update(floor, None if robot is None else robot[:2])
            view = SpatialView(floor, rooms, frontiers, n_keyframes)
        self._view = view = replace(view, rooms=self._name_rooms(view, landmarks))
        return view

    def _name_rooms(self, view: SpatialView, landmarks: Sequence[Landmark]) -> RoomMap:
        labels: dict[str, list[str]] = {room.id: [] for room in view.rooms.rooms}
        rooms = view.rooms_seen_from([m.position for m in landmarks], [m.seen_from for m in landmarks])
        for landmark, room in zip(landmarks, rooms, strict=True):
            if room:
                labels[room.id].append(landmark.label)
        named = []
        for room in view.rooms.rooms:
            name, confidence = name_room(labels[room.id])
            named.append(replace(room, name=name, confidence=confidence))
        return view.rooms.with_rooms(tuple(named))

    def set_frontier_keyframe(self, frontier_id: str, keyframe_id: str) -> None:
        """Attach the photo that shows a frontier."""
        self._tracker.set_keyframe(frontier_id, keyframe_id)
        if self._view:
            frontiers = tuple(
                replace(f, keyframe_id=keyframe_id) if f.id == frontier_id else f for f in self._view.frontiers
            )
            self._view = replace(self._view, frontiers=frontiers)

    def rebuild(self) -> None:
        """Make the octree anew from the stored depth of the map's keyframes, and swap it in at once."""
        octree = self._new_octree()
        ids = self._keyframes.ids(self.map_id)
        for keyframe_id in ids:
            self._integrate_stored(octree, keyframe_id)
        with self._octree_lock:
            self._octree = octree
            self._mapper = self._new_mapper()
            self._n_integrated = len(ids)
        self._view = None
        if ids:
            self.robot_position = self._keyframes.pose(ids[-1])[:3, 3].copy()

    def correct_poses(self) -> None:
        """Follow the keyframes after their poses changed: places move, the octree is rebuilt."""
        self.graph.correct_poses(self._keyframes.pose)
        self.rebuild()

    def _integrate_stored(self, octree: Octree, keyframe_id: str) -> None:
        keyframe = self._keyframes.get(keyframe_id)
        octree.integrate(self._keyframes.depth(keyframe_id), keyframe.camera, keyframe.T_map_camera, keyframe.stamp_ns)

    def remove_keyframes(self, keyframe_ids: Iterable[str]) -> None:
        """Let go of keyframes that are about to be forgotten: places that hang on them take another anchor or go."""
        self.graph.remove_keyframes(set(keyframe_ids), self._keyframes.pose)

    def import_octree(self, octree: Octree, source: str) -> None:
        """Take an octree of the same leaf size and world as what was known of this map before any keyframe.

        It takes the place of what was imported before; keyframes are integrated into it anew.
        """
        data = save_arrays({name: np.ascontiguousarray(a) for name, a in octree.arrays().items()})
        digest = self._store.put_blob(data)
        fields = {"digest": digest, "leaf_size": self.parameters.octree.leaf_size, "source": source}
        self._store.put("imported_octree", self.map_id, fields, map_id=self.map_id, blobs=[digest])
        self.rebuild()

    def annotate(self, things: Iterable[tuple[npt.ArrayLike, str, str]]) -> int:
        """Tell which voxels belong to which things: points (N, 3) [m], label, object id. Returns how many voxels."""
        with self._octree_lock:
            return sum(self._octree.annotate(points, label, object_id) for points, label, object_id in things)

    def rename_objects(self, mapping: Mapping[str, str | None]) -> None:
        """Follow merges of objects: {old id: new id, or None where it is gone}."""
        with self._octree_lock:
            self._octree.rename_objects(mapping)

    # --- saving -------------------------------------------------------------------------------------------------------

    def save_graph(self) -> None:
        """Put places, edges and rooms into the store (cheap)."""
        kept: dict[str, set[str]] = {"place": set(), "place_edge": set()}
        for kind, record_id, fields, arrays in self.graph.records():
            self._store.put(kind, record_id, fields, map_id=str(fields.get("map_id", "")), arrays=arrays)
            kept[kind].add(record_id)
        for kind, ids in kept.items():
            for record in list(self._store.records(kind)):
                if record.id not in ids:
                    self._store.delete(kind, record.id)
        view = self._view
        if view is not None:
            rooms = [{"id": room.id, "position": [float(v) for v in room.position]} for room in view.rooms.rooms]
            self._store.put("rooms", self.map_id, {"rooms": rooms}, map_id=self.map_id)

    def save_octree(self) -> None:
        """Put the octree into the store, so that opening need not rebuild it."""
        with self._octree_lock:
            data = save_arrays({name: np.ascontiguousarray(a) for name, a in self._octree.arrays().items()})
            n_keyframes = self._n_integrated
        digest = self._store.put_blob(data)
        fields = {"digest": digest, "n_keyframes": n_keyframes, "leaf_size": self.parameters.octree.leaf_size}
        self._store.put("octree", self.map_id, fields, map_id=self.map_id, blobs=[digest])

    def _load(self) -> None:
        """Open what the store holds of this map; keyframes newer than the stored octree are integrated again."""
        self.graph.restore(self._store.records("place"), self._store.records("place_edge"), self._keyframes.pose)
        ids = self._keyframes.ids(self.map_id)
        record = self._store.get("octree", self.map_id)
        done = 0
        if record is not None and record.fields["leaf_size"] == self.parameters.octree.leaf_size:
            try:
                arrays = load_arrays(self._store.blob(record.fields["digest"]))
                self._octree = Octree.from_arrays(arrays, self.parameters.octree, self._device)
                done = int(record.fields["n_keyframes"])
            except (StoreError, SafetensorError, ValueError) as error:
                log.warning("the stored octree of map %s cannot be used (%s): it is made anew", self.map_id, error)
        for keyframe_id in ids[done:]:
            self._integrate_stored(self._octree, keyframe_id)
        self._n_integrated = len(ids)
        if ids:
            last = self._keyframes.get(ids[-1])
            self.robot_position = last.T_map_camera[:3, 3].copy()
            self.newest_stamp_ns = last.stamp_ns
            self.current_place = last.place
        rooms = self._store.get("rooms", self.map_id)
        if rooms is not None and ids:
            with self._octree_lock:
                floor = self._mapper.update(self._octree)
            previous = tuple(
                Room(id=r["id"], name="", confidence=0.0, position=tuple(r["position"]), area=0.0)
                for r in rooms.fields["rooms"]
            )
            room_map = segment_rooms(floor, previous, lambda: self._new_id("room"))
            self._view = SpatialView(floor, room_map, (), -1)

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def view(self) -> SpatialView | None:
        """The newest view; None before the first `refresh`."""
        return self._view

    @property
    def is_fresh(self) -> bool:
        """Whether the view knows all integrated keyframes."""
        return self._view is not None and self._view.n_keyframes == self._n_integrated

    @property
    def n_bricks(self) -> int:
        """Bricks of the octree; 0: nothing is known."""
        return self._octree.n_bricks

    def query_occupancy(self, points: Array, level: int = 0) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """State (-1 unknown, 0 free, 1 occupied) and occupancy probability of points (N, 3) [m]; see `Octree.query`."""
        with self._octree_lock:
            return self._octree.query(points, level)

    def cast_rays(self, origins: Array, directions: Array, max_range: float) -> RayHits:
        """First occupied voxel along rays; see `Octree.cast_rays`."""
        with self._octree_lock:
            return self._octree.cast_rays(origins, directions, max_range)

    def query_box(
        self,
        lower: npt.ArrayLike,
        upper: npt.ArrayLike,
        level: int = 0,
        *,
        occupied: bool = True,
        free: bool = True,
        changed_since_ns: int | None = None,
        limit: int = MAX_CUBES,
    ) -> Cubes:
        """Known cubes that a box overlaps; see `Octree.query_box`."""
        with self._octree_lock:
            return self._octree.query_box(
                lower, upper, level, occupied=occupied, free=free, changed_since_ns=changed_since_ns, limit=limit
            )

    def nearest_occupied(self, points: npt.ArrayLike, max_distance: float) -> NearestVoxels:
        """Nearest occupied voxels; see `Octree.nearest_occupied`."""
        with self._octree_lock:
            return self._octree.nearest_occupied(points, max_distance)

    def occupied_cubes(self, level: int, limit: int) -> OccupiedCubes:
        """Occupied cubes for display; see `Octree.downsampled`."""
        with self._octree_lock:
            return self._octree.downsampled(level, limit)

    def write_octomap(self, path: Path, format: Format) -> int:
        """Write the octree as an OctoMap file; returns the number of nodes. See `loci.spatial.octomap_files`."""
        with self._octree_lock:
            return write_octomap(self._octree, path, format)

    def occupied_voxels(self) -> npt.NDArray[np.float32]:
        """Centres of occupied leaves, (N, 3) [m]."""
        with self._octree_lock:
            return self._octree.occupied()[0]

    def frontiers(self, position: npt.ArrayLike | None = None) -> list[tuple[Frontier, float]]:
        """Frontiers with their path length from ``position`` [m] (default: the robot), nearest first, unreachable (-1) last."""
        view = self._view
        if view is None or not view.frontiers:
            return []
        start = self.robot_position if position is None else np.asarray(position, dtype=np.float64)
        if start is None:
            return [(frontier, -1.0) for frontier in view.frontiers]
        goals = np.array([frontier.position[:2] for frontier in view.frontiers])
        lengths = path_lengths(view.map, start[:2], goals, self.parameters.robot_radius)
        pairs = [(frontier, float(length)) for frontier, length in zip(view.frontiers, lengths, strict=True)]
        return sorted(pairs, key=lambda pair: (pair[1] < 0, pair[1]))

    def find_path(self, start: npt.ArrayLike, goal: npt.ArrayLike, tolerance: float = 0.0) -> PathResult:
        """Path over known free floor between two points (x, y, ...) [m]; see `loci.spatial.paths.find_path`."""
        view = self._view
        if view is None:
            raise LookupError("nothing has been observed yet in this map: no path can be known")
        a, b = np.asarray(start, dtype=np.float64), np.asarray(goal, dtype=np.float64)
        return find_path(view.map, a[:2], b[:2], self.parameters.robot_radius, tolerance)

    def topology(self) -> Topology:
        """Places (with their rooms), edges and rooms."""
        view = self._view
        places = self.graph.places()
        if view is not None:
            rooms = view.rooms_of([place.position for place in places])
            places = tuple(
                replace(place, room=room.id if room is not None and place.map_id == self.map_id else "")
                for place, room in zip(places, rooms, strict=True)
            )
        return Topology(places, self.graph.edges(), view.rooms.rooms if view else (), self.current_place)

    def statistics(self) -> Mapping[str, int]:
        """Counts and sizes."""
        with self._octree_lock:
            octree = {"octree_bricks": self._octree.n_bricks, "octree_bytes": self._octree.n_bytes}
        view = self._view
        return {
            **octree,
            "places": len(self.graph.places()),
            "rooms": len(view.rooms.rooms) if view else 0,
            "frontiers": len(view.frontiers) if view else 0,
        }
