"""The spatial memory of one map: octree, floors with maps, frontiers and rooms, and places, kept consistent with one another.

One thread writes (`integrate`, `visit`, `refresh`, `rebuild`, `correct_poses`); any thread reads. What readers see of the
floors is a `SpatialView` that is replaced in one assignment. After a correction a thread of its own makes the octree anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.keyframes import Keyframe, Keyframes
from loci.observation import Frame
from loci.spatial.cubes import Cubes, NearestVoxels, OccupiedCubes
from loci.spatial.floor_layers import FloorLayers, KnownBefore
from loci.spatial.floor_paths import find_floor_path, floor_path_lengths
from loci.spatial.floors import MIN_STOREY, Floor, Track
from loci.spatial.frontiers import Frontier, FrontierParameters
from loci.spatial.information_gain import unknown_volume
from loci.spatial.octomap_files import Format, write_octomap
from loci.spatial.octree import Octree, OctreeParameters, RayHits
from loci.spatial.octree_queries import MAX_CUBES
from loci.spatial.paths import PathResult, line_of_sight
from loci.spatial.rebuilding import BackgroundJob, check_going, integrate_stored, poses_digest, touched_bricks
from loci.spatial.regions import Room
from loci.spatial.room_names import name_room
from loci.spatial.stored_octree import Opened, StoredCubes, files_of, open_octree, save_octree
from loci.spatial.topology import PlaceParameters, Sight, TopologicalGraph
from loci.spatial.view import SpatialView, Topology
from loci.store.errors import StoreError
from loci.store.store import Store

log = logging.getLogger("loci.spatial")

#: A rebuilding that is so many keyframes behind at most takes them in while readers wait ...
_FEW_BEHIND = 1
#: ... and so does one that has not come nearer after so many attempts.
_CATCH_UPS = 8
#: Octrees that are there at once while one is made anew: each has this share of the memory budget.
_SHARE_OF_EACH = 1 / 4


@dataclass(frozen=True)
class SpatialParameters:
    """Settings of the spatial memory.

    Attributes:
        octree: voxels.
        places: topological graph.
        frontiers: what counts as a frontier.
        robot_radius: clearance for paths [m].
        robot_height: the band above the floor that must be free for the robot [m].
        scratch_directory: folder on a disk for bricks beyond the octree's memory budget or radius; empty: the memory's own.
            Needed as long as the memory is open, under a name of no file.
        max_step_height: of steps that the robot can climb [m], so that stairs that it only saw lead on; 0: it climbs only where it
            has been (driven by somebody else).

    Raises:
        ValueError: max_step_height is negative, not finite, or not below robot_height.
    """

    octree: OctreeParameters = field(default_factory=OctreeParameters)
    places: PlaceParameters = field(default_factory=PlaceParameters)
    frontiers: FrontierParameters = field(default_factory=FrontierParameters)
    robot_radius: float = 0.2
    robot_height: float = 1.5
    scratch_directory: str = ""
    max_step_height: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_step_height < self.robot_height:
            raise ValueError(
                f"expected max_step_height from 0 to below robot_height ({self.robot_height} m), got {self.max_step_height}"
            )


@dataclass(frozen=True)
class Landmark:
    """What names a room: a label, its position, and where it was seen from, (3,) each [m], map frame."""

    label: str
    position: tuple[float, float, float]
    seen_from: Array


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
        folder = self.parameters.scratch_directory
        self.scratch = Path(folder).expanduser() if folder else store.path
        self._octree_lock = threading.Lock()  # voxels change in place; held for one frame or one query at a time
        self._octree = self._new_octree()
        self._layers = self._new_layers()
        # Of each keyframe: camera position [m], number of the camera, x and y of where it looked.
        self._track: list[tuple[float, float, float, int, float, float]] = []
        self._camera_numbers: dict[str, int] = {}
        # What the octree is made of, in this order and with these poses; changed together with it, under its lock.
        self._made_of: dict[str, Keyframe] = {}
        self._left_out: set[str] = set()  # of these: no space for their bricks
        self._stored_cubes: tuple[Octree, StoredCubes] | None = None  # which files hold which octree
        self._job: BackgroundJob | None = None
        self._is_swapped = False  # since the view was made
        self.n_rebuilds = 0
        self._n_unsaved = 0
        self.graph = TopologicalGraph(lambda: self._new_id("place"), self.parameters.places)
        self.current_place = ""
        self.robot_position: Array | None = None
        self.newest_stamp_ns = 0
        self._view: SpatialView | None = None
        self._load()

    def _new_layers(self, before: KnownBefore | None = None) -> FloorLayers:
        frontiers = replace(self.parameters.frontiers, robot_radius=self.parameters.robot_radius)
        p = self.parameters
        return FloorLayers(self._new_id, p.robot_height, frontiers, before, p.max_step_height)

    def _new_octree(self) -> Octree:
        """The octree as it was before any keyframe: empty, or what was imported into this map."""
        record = self._store.get("imported_octree", self.map_id)
        p = self.parameters.octree
        if record is not None and record.fields["leaf_size"] == p.leaf_size:
            try:
                opened = open_octree(self._store, record, p, self._device, self.scratch)
            except (StoreError, ValueError) as error:
                log.warning("the octree imported into map %s cannot be used: %s", self.map_id, error)
            else:
                for lost in opened.errors:
                    log.warning("a part of the octree imported into map %s is lost: %s", self.map_id, lost)
                return opened.octree
        elif record is not None:
            log.warning(
                "the octree imported into map %s has a leaf size of %g m, not %g m: it is left out",
                self.map_id,
                record.fields["leaf_size"],
                p.leaf_size,
            )
        return Octree(p, self._device, scratch=self.scratch)

    def _new_id(self, kind: str) -> str:
        if not self._store.read_only:
            return self._store.new_id(kind)
        self._n_unsaved += 1  # a reader sees rooms and frontiers that the writer has not numbered yet
        return f"{kind}/unsaved-{self._n_unsaved}"

    # --- writing ------------------------------------------------------------------------------------------------------

    def integrate(self, frame: Frame, keyframe: Keyframe) -> None:
        """Take the depth of a frame that became a keyframe into the octree.

        If there is no space for more bricks, the octree goes on without it; it is taken in when the memory is opened again.
        """
        with self._octree_lock:
            try:
                self._octree.integrate(frame.depth, frame.camera, frame.T_map_camera, frame.stamp_ns)
            except OSError as error:
                log.error("the octree goes on without %s: %s", keyframe.id, error)
                self._left_out.add(keyframe.id)
                self._octree.pass_over(frame.stamp_ns)
            self._made_of[keyframe.id] = keyframe
        self._went(frame.T_map_camera, frame.camera_name)
        self.newest_stamp_ns = frame.stamp_ns

    def _went(self, T_map_camera: Array, camera_name: str) -> None:
        x, y, z = T_map_camera[:3, 3].tolist()
        number = self._camera_numbers.setdefault(camera_name, len(self._camera_numbers))
        ahead_x, ahead_y = (T_map_camera[:2, 2] / max(float(np.linalg.norm(T_map_camera[:2, 2])), 1e-6)).tolist()
        self._track.append((x, y, z, number, ahead_x, ahead_y))
        self.robot_position = T_map_camera[:3, 3].copy()

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
        return lambda here, places: (
            line_of_sight(view.map, here[:2], places[:, :2]) & (np.abs(places[:, 2] - here[2]) < MIN_STOREY)
        )

    def refresh(self, landmarks: Sequence[Landmark] = ()) -> SpatialView:
        """Bring map, rooms and frontiers up to date; the landmarks name the rooms."""
        view = self._view
        if view is None or not self.is_fresh:
            with self._octree_lock:
                if self._is_swapped:
                    self._layers.begin_again(view)
                    self._is_swapped = False
                n_keyframes = len(self._made_of)
                taken = self._layers.take(self._octree)
            track = np.array(self._track).reshape(-1, 6)
            track_of = Track(track[:, :3], track[:, 3].astype(np.int64), track[:, 4:])
            view = self._layers.update(taken, track_of, n_keyframes, self._gain)
        self._view = view = self._name_rooms(view, landmarks)
        self._layers.set_rooms({room.id: room for room in view.rooms})
        return view

    def _name_rooms(self, view: SpatialView, landmarks: Sequence[Landmark]) -> SpatialView:
        labels: dict[str, list[str]] = {room.id: [] for room in view.rooms}
        rooms = view.rooms_seen_from([m.position for m in landmarks], [m.seen_from for m in landmarks])
        for landmark, room in zip(landmarks, rooms, strict=True):
            if room:
                labels[room.id].append(landmark.label)
        named = []
        for room in view.rooms:
            name, confidence = name_room(labels[room.id])
            named.append(replace(room, name=name, confidence=confidence))
        return view.with_rooms(tuple(named))

    def set_frontier_keyframe(self, frontier_id: str, keyframe_id: str) -> None:
        """Attach the photo that shows a frontier."""
        self._layers.set_frontier_keyframe(frontier_id, keyframe_id)
        if self._view:
            self._view = self._view.with_frontier_keyframe(frontier_id, keyframe_id)

    def rebuild(self) -> None:
        """Make the octree anew from the stored depth of all the map's keyframes, and swap it in at once; waits for it."""
        self.stop_rebuilding()
        self._rebuild(self._stored(), threading.Event(), whole=True)
        self._track_again()

    def _stored(self) -> list[Keyframe]:
        return [self._keyframes.get(i) for i in self._keyframes.ids(self.map_id)]

    def _rebuild(self, keyframes: Sequence[Keyframe], stop: threading.Event, whole: bool = False) -> None:
        """Make the octree anew of these keyframes and of those integrated meanwhile; on any thread, one at a time.

        Raises:
            Stopped: it was called off; nothing has changed then.
        """
        with self._octree_lock:
            self._octree.share_memory(_SHARE_OF_EACH)
        try:
            self._rebuild_sharing(keyframes, stop, whole)
        finally:
            with self._octree_lock:
                self._octree.share_memory(1.0)

    def _rebuild_sharing(self, keyframes: Sequence[Keyframe], stop: threading.Event, whole: bool) -> None:
        depth_of = self._keyframes.depth
        with self._octree_lock:
            before = list(self._made_of.values())
            whole = whole or bool(self._left_out)
        octree = self._new_octree()
        octree.share_memory(_SHARE_OF_EACH)
        touched = None if whole else touched_bricks(before, keyframes, depth_of, octree.empty_like(), stop)
        if touched is not None:
            octree = octree.only(touched)
        for keyframe in keyframes:
            check_going(stop)
            integrate_stored(octree, keyframe, depth_of, touched)
        n_done = len(before)
        for attempt in range(_CATCH_UPS + 1):
            with self._octree_lock:
                newer = list(self._made_of.values())[n_done:]
                if len(newer) <= _FEW_BEHIND or attempt == _CATCH_UPS:
                    check_going(stop)
                    for keyframe in newer:
                        integrate_stored(octree, keyframe, depth_of, touched)
                    meanwhile = list(self._made_of.values())[len(before) :]
                    self._octree = octree if touched is None else self._octree.with_bricks_of(octree, touched)
                    self._made_of = {k.id: k for k in (*keyframes, *meanwhile)}
                    if whole:
                        self._left_out -= {k.id for k in keyframes}
                    self._is_swapped = True
                    self.n_rebuilds += 1
                    return
            for keyframe in newer:
                check_going(stop)
                integrate_stored(octree, keyframe, depth_of, touched)
            n_done += len(newer)

    def _track_again(self) -> None:
        self._track.clear()
        for keyframe in self._stored():
            self._went(keyframe.T_map_camera, keyframe.camera_name)

    def correct_poses(self) -> None:
        """Follow the keyframes after their poses changed: places move; for the octree see `begin_rebuilding`."""
        self.stop_rebuilding()
        self.graph.correct_poses(self._keyframes.pose)
        self._track_again()

    def begin_rebuilding(self) -> None:
        """Make the octree follow corrected keyframes on a thread of its own; until it does, readers see it as it was.

        The poses should be durable by now: the thread sets aside files that it finds damaged, and no commit could name them.
        See `is_rebuilding` and `finish_rebuilding`.
        """
        self.stop_rebuilding()
        keyframes = self._stored()
        self._job = BackgroundJob(lambda stop: self._rebuild(keyframes, stop), f"rebuilding of {self.map_id}")

    @property
    def is_rebuilding(self) -> bool:
        """Whether the octree does not follow the last correction yet."""
        return self._job is not None and self._job.is_running

    def finish_rebuilding(self, timeout: float | None = None) -> bool:
        """Wait until the octree follows the last correction, at most ``timeout`` seconds; whether it does."""
        return self._job is None or self._job.wait(timeout)

    def stop_rebuilding(self) -> None:
        """Call the rebuilding off; the octree stays as it was."""
        if self._job is not None:
            self._job.call_off()

    def remove_keyframes(self, keyframe_ids: Iterable[str]) -> None:
        """Let go of keyframes that are about to be forgotten: places that hang on them take another anchor or go."""
        self.stop_rebuilding()
        self._store.delete("octree", self.map_id)
        self._stored_cubes = None  # their files go with the record
        self.graph.remove_keyframes(set(keyframe_ids), self._keyframes.pose)

    def drop_faded(self, keyframes: Iterable[Keyframe]) -> None:
        """Let go of keyframes whose images were forgotten before; what they showed stays in the map.

        A stored octree says of which keyframes it was made: that is changed with it, or it would not be believed any more.
        """
        gone = {k.id: k.map_id for k in keyframes}
        for map_id in set(gone.values()):
            record = self._store.get("octree", map_id)
            if record is None:
                continue
            ids = self._keyframes.ids(map_id)[: int(record.fields["n_keyframes"])]
            made_of = [self._keyframes.get(i) for i in ids]
            if record.fields.get("poses") != poses_digest(made_of):
                continue  # it is not believed already
            left = [k for k in made_of if k.id not in gone]
            fields = {**record.fields, "n_keyframes": len(left), "poses": poses_digest(left)}
            self._store.put("octree", map_id, fields, map_id=map_id, blobs=record.blobs)
        with self._octree_lock:
            self._made_of = {i: k for i, k in self._made_of.items() if i not in gone}
        self.graph.remove_keyframes(gone, self._keyframes.pose)

    def import_octree(self, octree: Octree, source: str) -> None:
        """Take an octree of the same leaf size and world as what was known of this map before any keyframe.

        It takes the place of what was imported before; keyframes are integrated into it anew.
        """
        fields, _ = save_octree(self._store, octree, None)
        fields |= {"leaf_size": self.parameters.octree.leaf_size, "source": source}
        self._store.put("imported_octree", self.map_id, fields, map_id=self.map_id, blobs=files_of(fields))
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
        """Put places and edges that changed, and rooms, into the store (cheap)."""
        changed, gone = self.graph.changes()
        for kind, record_id, fields, arrays in changed:
            self._store.put(kind, record_id, fields, map_id=str(fields["map_id"]), arrays=arrays)
        for kind, record_id in gone:
            self._store.delete(kind, record_id)
        view = self._view
        if view is not None:
            rooms = [{"id": room.id, "position": [float(v) for v in room.position]} for room in view.rooms]
            floors = [{"id": f.floor.id, "height": f.floor.height} for f in view.floors]
            self._store.put("rooms", self.map_id, {"rooms": rooms, "floors": floors}, map_id=self.map_id)

    def save_octree(self) -> None:
        """Put the octree into the store, so that opening need not rebuild it."""
        record = self._store.get("octree", self.map_id)
        if self._left_out:  # opening it would take for known what is not
            self._store.delete("octree", self.map_id)
            self._stored_cubes = None
            return
        with self._octree_lock:
            octree, stored = self._octree, self._stored_cubes
            before = stored[1] if stored is not None and stored[0] is octree and record is not None else None
            fields, cubes = save_octree(self._store, octree, before)
            made_of = list(self._made_of.values())
        fields |= {
            "n_keyframes": len(made_of),
            "poses": poses_digest(made_of),
            "leaf_size": self.parameters.octree.leaf_size,
        }
        self._store.put("octree", self.map_id, fields, map_id=self.map_id, blobs=files_of(fields))
        self._stored_cubes = octree, cubes

    def _load(self) -> None:
        """Open what the store holds of this map; keyframes newer than the stored octree are integrated again.

        A stored octree that was made of other keyframes or poses is not used: those were corrected or forgotten since.
        """
        self.graph.restore(self._store.records("place"), self._store.records("place_edge"), self._keyframes.pose)
        keyframes = self._stored()
        done = 0
        record = self._store.get("octree", self.map_id)
        if record is not None and record.fields["leaf_size"] == self.parameters.octree.leaf_size:
            n_keyframes = int(record.fields["n_keyframes"])
            if record.fields.get("poses") != poses_digest(keyframes[:n_keyframes]):
                log.info("keyframes of map %s moved after its octree was stored: it is made anew", self.map_id)
            else:
                try:
                    opened = open_octree(self._store, record, self.parameters.octree, self._device, self.scratch)
                except (StoreError, ValueError) as error:
                    log.warning("the stored octree of map %s cannot be used (%s): it is made anew", self.map_id, error)
                else:
                    self._octree = self._mended(opened, keyframes[:n_keyframes])
                    if self._octree is opened.octree:
                        self._stored_cubes = self._octree, opened.cubes
                    done = n_keyframes
        for keyframe in keyframes[done:]:
            integrate_stored(self._octree, keyframe, self._keyframes.depth)
        self._made_of = {k.id: k for k in keyframes}
        self._track_again()
        if keyframes:
            self.newest_stamp_ns = keyframes[-1].stamp_ns
            self.current_place = keyframes[-1].place
        stored = self._store.get("rooms", self.map_id)
        if stored is not None and keyframes:
            rooms = tuple(
                Room(id=r["id"], name="", confidence=0.0, position=tuple(r["position"]), area=0.0)
                for r in stored.fields["rooms"]
            )
            floors = tuple(Floor(f["id"], "", float(f["height"])) for f in stored.fields.get("floors", ()))
            self._layers = self._new_layers(KnownBefore(floors, rooms))

    def _mended(self, opened: Opened, keyframes: Sequence[Keyframe]) -> Octree:
        """An opened octree with the bricks of damaged files made anew from the keyframes that it is made of."""
        if not opened.errors:
            return opened.octree
        for error in opened.errors:
            log.warning("a part of the stored octree of map %s is made anew: %s", self.map_id, error)
        damaged = opened.damaged.to(opened.octree.device)
        for octree in (base := self._new_octree(), opened.octree):
            octree.share_memory(_SHARE_OF_EACH)
        anew = base.only(damaged)
        for keyframe in keyframes:
            integrate_stored(anew, keyframe, self._keyframes.depth, damaged)
        mended = opened.octree.with_bricks_of(anew, damaged, keep_annotations=True)
        mended.share_memory(1.0)
        return mended

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def view(self) -> SpatialView | None:
        """The newest view; None before the first `refresh`."""
        return self._view

    @property
    def is_fresh(self) -> bool:
        """Whether the view knows all that the octree does."""
        view = self._view
        return view is not None and not self._is_swapped and view.n_keyframes == len(self._made_of)

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

    def _gain(self, positions: Array, directions: Array) -> Array:
        """See `loci.spatial.information_gain.unknown_volume`."""
        return unknown_volume(lambda points: self.query_occupancy(points)[0], positions, directions)

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
        frontiers = view.frontiers if view is not None else ()
        start = self.robot_position if position is None else np.asarray(position, dtype=np.float64)
        if view is None or start is None or not frontiers:
            return [(frontier, -1.0) for frontier in frontiers]
        goals = np.array([frontier.position for frontier in frontiers])
        lengths = floor_path_lengths(view, start, goals, self.parameters.robot_radius)
        pairs = [(frontier, float(length)) for frontier, length in zip(frontiers, lengths, strict=True)]
        return sorted(pairs, key=lambda pair: (pair[1] < 0, pair[1]))

    def find_path(self, start: npt.ArrayLike, goal: npt.ArrayLike, tolerance: float = 0.0) -> PathResult:
        """Path over known free floor and stairs between two points (3,) [m]; see `loci.spatial.floor_paths.find_floor_path`."""
        view = self._view
        if view is None:
            raise LookupError("nothing has been observed yet in this map: no path can be known")
        a, b = np.asarray(start, dtype=np.float64), np.asarray(goal, dtype=np.float64)
        return find_floor_path(view, a, b, self.parameters.robot_radius, tolerance)

    def topology(self) -> Topology:
        """Places (with their rooms), edges, rooms and floors."""
        view = self._view
        places = self.graph.places()
        if view is not None:
            rooms = view.rooms_of([place.position for place in places])
            places = tuple(
                replace(place, room=room.id if room is not None and place.map_id == self.map_id else "")
                for place, room in zip(places, rooms, strict=True)
            )
        floors = tuple(f.floor for f in view.floors) if view else ()
        return Topology(places, self.graph.edges(), view.rooms if view else (), self.current_place, floors)

    def statistics(self) -> Mapping[str, int]:
        """Counts and sizes."""
        with self._octree_lock:
            octree = {
                "octree_bricks": self._octree.n_bricks,
                "octree_bytes": self._octree.n_bytes,
                "octree_resident_bytes": self._octree.n_resident_bytes,
                "octree_left_out": len(self._left_out),
            }
        octree["octree_rebuilding"] = int(self.is_rebuilding)
        view = self._view
        return {
            **octree,
            "places": len(self.graph.places()),
            "place_edges": len(self.graph.edges()),
            "rooms": len(view.rooms) if view else 0,
            "floors": len(view.floors) if view else 0,
            "frontiers": len(view.frontiers) if view else 0,
        }
