"""What can be asked of a `RobotMemory`, beyond the free-form `recall`: rooms, objects, paths, snapshots, the time line.

Reads published views only; nothing here changes a memory. `refresh` is called where an answer must know the newest keyframe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from loci.described_objects import DescribedObject, DescribedObjects
from loci.episodic.short_term import REACH, ShortTermRecord
from loci.evidence import Memories, describe_place, picture_of_episode, related, rooms_of_objects
from loci.forgetting import Explanation, Forgetting
from loci.geometry import Array, check_points
from loci.history import ObjectChange, ObjectPose, object_changes, object_history
from loci.keyframes import Keyframe
from loci.object_scores import relevance_to_question
from loci.object_search import find_objects
from loci.pictures import shown_box
from loci.place_tokens import PLACES, PlaceTokens
from loci.query import Query, check_limit
from loci.recall import Recollection, places_of, recall
from loci.retrieving import Corner, RetrievalRequest, retrieve_snapshots
from loci.routes import Route, find_route
from loci.scene.movers import Mover
from loci.scene.objects import SceneObject
from loci.scene.relations import Relation
from loci.scene.retrieval import Retrieval
from loci.scene.snapshots import Snapshot
from loci.scene_graph import scene_graph_json, scene_graph_text, worth_of_objects
from loci.spatial.cubes import Cubes, NearestVoxels, OccupiedCubes
from loci.spatial.floors import Floor
from loci.spatial.frontiers import Frontier
from loci.spatial.occupancy import OccupancyMap
from loci.spatial.octree import RayHits
from loci.spatial.octree_queries import MAX_CUBES
from loci.spatial.paths import PathResult
from loci.spatial.ply import write_ply
from loci.spatial.regions import Room
from loci.spatial.view import FloorView, SpatialView, Topology
from loci.whereabouts import Location, OtherMapError, locate, position_of

__all__ = ["Location", "MemoryQuestions", "OtherMapError"]


class MemoryQuestions:
    """Questions over the parts that a memory is made of; `loci.memory.RobotMemory` fills them."""

    map_id: str
    _memories: Memories
    _described: DescribedObjects
    _forgetting: Forgetting
    _tokens: PlaceTokens | None

    def refresh(self) -> None:
        """Bring map, rooms and frontiers up to date."""
        raise NotImplementedError

    def annotate_voxels(self) -> int:
        """Tell the octree which voxels are of which objects, as far as that has changed; returns how many voxels were told."""
        raise NotImplementedError

    # --- all memories -------------------------------------------------------------------------------------------------

    def recall(self, query: Query) -> Recollection:
        """Ranked evidence from all memories.

        Rooms are as of the last `refresh` (every few keyframes), so that recalling is quick while observations stream.

        Raises:
            ValueError: the query's embeddings do not fit this memory's encoders.
        """
        found = recall(self._memories, query)
        self._forgetting.note_uses(i for e in found.evidence for i in {e.id, e.keyframe_id})
        return found

    def explain(self, id: str) -> Explanation:
        """Why an episode, keyframe or object is kept, or why it was forgotten.

        Raises:
            LookupError: this memory does not know of it, and never forgot it.
        """
        return self._forgetting.explain(self._memories, id)

    def timeline(
        self,
        *,
        after_ns: int | None = None,
        before_ns: int | None = None,
        place: str | None = None,
        object_id: str | None = None,
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
        with_images: bool = False,
        max_image_bytes: int = 4 << 20,
    ) -> Recollection:
        """What happened, in order of time: keyframes and episodes.

        Raises:
            ValueError: limit, offset or times out of range.
            LookupError: no such place or room.
        """
        if place is not None:
            self._check_place(place)
        query = Query(
            kinds=("keyframe", "episode"),
            after_ns=after_ns,
            before_ns=before_ns,
            place=place,
            object_id=object_id,
            order="newest" if newest_first else "oldest",
            limit=limit,
            offset=offset,
            with_images=with_images,
            max_image_bytes=max_image_bytes,
        )
        return self.recall(query)

    def recent(
        self,
        *,
        position: npt.ArrayLike | None = None,
        radius: float = REACH,
        text: str | None = None,
        limit: int = 10,
        with_images: bool = False,
    ) -> tuple[ShortTermRecord, ...]:
        """Short-term records within reach of a point, then those most similar to a text (then the newest).

        Args:
            position: (3,) [m], map frame; None: everywhere.
            radius: reach [m].
            text: ranks by the records' labels; None: all score 1.
            limit: at most so many.
            with_images: cut what each is about out of the image in which it was noticed.

        Raises:
            ValueError: a position that is not finite, a radius that is not positive, or the limit is out of range.
        """
        check_limit(limit)
        if not 0.0 < radius < np.inf:
            raise ValueError(f"expected a radius > 0 m, got {radius}")
        here = None if position is None else check_points(position, "position", (3,))
        places = {p.id: p.position for p in self._memories.spatial.topology().places}
        embedding = None if text is None else self._memories.text_encoder.encode([text])[0]
        pose_of = self._memories.keyframes.pose
        episodic = self._memories.episodic
        records = episodic.recent(here, radius, embedding, limit, pose_of=pose_of, place_position=places.get)
        if with_images:
            records = [replace(r, image=picture_of_episode(self._memories, r.episode)) for r in records]
        return tuple(records)

    def token(self, key: str) -> npt.NDArray[np.float32]:
        """Memory token (D,) of a place ("place/3") or octree node: what was seen there in one vector, e.g. for a model's input.

        Raises:
            ValueError: the memory keeps no tokens (`MemoryParameters.tokens`).
            LookupError: nothing was seen there.
        """
        try:
            return self._kept_tokens().memory.token(key)
        except KeyError as error:
            raise LookupError(f"expected a place or node that was visited, got {key!r}: it has no token") from error

    def similar_places(
        self,
        *,
        place: str | None = None,
        image: npt.NDArray[np.uint8] | None = None,
        limit: int = 10,
    ) -> Recollection:
        """Places whose memory token is most like that of another place, or of one image; the score is the cosine.

        Args:
            place: id of a place; it is not among the answers.
            image: RGB (H, W, 3).
            limit: at most so many.

        Raises:
            ValueError: not exactly one of ``place`` and ``image``, or the memory keeps no tokens.
            LookupError: nothing was seen at the place.
        """
        check_limit(limit)
        if (place is None) == (image is None):
            raise ValueError("expected either a place or an image to compare with")
        tokens = self._kept_tokens().memory
        if image is None:
            self.token(str(place))
            ranked = tokens.similar(str(place), len(tokens.all_keys(PLACES)), PLACES)
        else:
            ranked = tokens.nearest(self._memories.image_encoder.encode(image), len(tokens.all_keys(PLACES)), PLACES)
        places = {p.id: p for p in self._memories.spatial.topology().places}
        known = [(places[id], score) for id, score in ranked if id in places]
        return Recollection(
            tuple(describe_place(self._memories, p, max(score, 0.0)) for p, score in known[:limit]), len(known)
        )

    def _kept_tokens(self) -> PlaceTokens:
        if self._tokens is None:
            raise ValueError(
                "this memory keeps no tokens: open it with MemoryParameters(tokens=TokenParameters(enabled=True))"
            )
        return self._tokens

    def scene_graph(
        self,
        format: str = "text",
        max_characters: int = 100_000,
        *,
        question: str | None = None,
        position: npt.ArrayLike | None = None,
    ) -> tuple[str, bool]:
        """Floors, rooms, objects and relations as ``"text"`` for a prompt or as ``"json"``, and whether the text was cut.

        What a text has no space for is what is least relevant to the question, farthest away and seen longest ago.

        Args:
            format: of the answer.
            max_characters: of the text; a token of a model has about three. JSON is never cut.
            question: what comes first is relevant to it; None: nothing is asked.
            position: (3,) [m] that nearness is measured from, map frame; None: where the robot is.

        Raises:
            ValueError: another format, ``max_characters`` out of [1, 1000000], an empty question or a position that is not finite.
        """
        if question is not None and not question.strip():
            raise ValueError(
                "expected a question with at least one word, got an empty one (leave it out to ask nothing)"
            )
        here = self.robot_position if position is None else check_points(position, "position", (3,))
        if format not in ("text", "json"):
            raise ValueError(f"expected format 'text' or 'json', got {format!r}")
        check_limit(max_characters, 1_000_000)
        topology, carriers = self.topology(), self.carriers()
        objects = self.objects()
        found = self.rooms_of(objects)
        rooms = {o.id: room.id for o, room in zip(objects, found, strict=True) if room is not None}
        if format == "json":
            return scene_graph_json(topology, objects, rooms, carriers), False
        relevance = None if question is None else relevance_to_question(self._memories, objects, found, question)
        worth = worth_of_objects(objects, relevance, here, self.map_id)
        return scene_graph_text(topology, objects, rooms, carriers, max_characters, worth)

    def keyframe(self, keyframe_id: str) -> Keyframe:
        """A keyframe: its pose, camera and stamp.

        Raises:
            KeyError: no such keyframe.
        """
        return self._memories.keyframes.get(keyframe_id)

    def image(self, keyframe_id: str, max_height: int | None = None) -> bytes:
        """JPEG of a keyframe: the original, or, for a planner, one that is at most so high [px].

        Raises:
            KeyError: no such keyframe.
            StoreError: its file is damaged, or its images have faded (`Keyframe.is_faded`).
            ValueError: a height under 16 px.
        """
        if max_height is None:
            return self._memories.keyframes.color_jpeg(keyframe_id)
        return self._memories.pictures.scaled(keyframe_id, max_height)

    # --- space --------------------------------------------------------------------------------------------------------

    @property
    def robot_position(self) -> Array | None:
        """Newest position of the camera in the map, (3,) [m]; None: nothing was observed in this map."""
        return self._memories.spatial.robot_position

    def query_occupancy(
        self, points: npt.ArrayLike, level: int = 0
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """State (-1 unknown, 0 free, 1 occupied) and probability of points (N, 3) [m]; cubes of leaf size * 2^level.

        Raises:
            ValueError: points not (N, 3) finite, or level out of range.
        """
        return self._memories.spatial.query_occupancy(check_points(points, "points"), level)

    def cast_rays(self, origins: npt.ArrayLike, directions: npt.ArrayLike, max_range: float) -> RayHits:
        """First occupied voxel along N rays.

        Raises:
            ValueError: not (N, 3) finite, a direction of length 0, or a range that is not > 0.
        """
        a, d = check_points(origins, "origins"), check_points(directions, "directions")
        if a.shape != d.shape:
            raise ValueError(f"expected as many directions as origins, got {len(d)} and {len(a)}")
        if not (np.isfinite(max_range) and max_range > 0):
            raise ValueError(f"expected a range > 0 m, got {max_range}")
        if len(d) and float(np.min(np.linalg.norm(d, axis=1))) < 1e-9:
            raise ValueError("expected directions of a length > 0")
        return self._memories.spatial.cast_rays(a, d, max_range)

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
        """Known cubes of leaf size * 2^level that a box [m] overlaps, e.g. what became occupied or free after a stamp [ns].

        Occupied ones say which object fills most of them, and what it is.

        Raises:
            ValueError: corners not finite, lower > upper or outside of the map's world, no such level, limit out of range,
                or neither occupied nor free cubes are asked for.
        """
        self.annotate_voxels()
        return self._memories.spatial.query_box(
            lower, upper, level, occupied=occupied, free=free, changed_since_ns=changed_since_ns, limit=limit
        )

    def nearest_occupied(self, points: npt.ArrayLike, max_distance: float) -> NearestVoxels:
        """Nearest occupied voxel of each of N points [m] within a distance [m].

        Raises:
            ValueError: points not (N, 3), not finite or outside of the map's world, or a distance that is not > 0.
        """
        return self._memories.spatial.nearest_occupied(points, max_distance)

    def occupied_cubes(self, level: int = 0, limit: int = 1_000_000) -> OccupiedCubes:
        """Occupied cubes for display: of leaf size * 2^level, or coarser where they would be more than ``limit``.

        Raises:
            ValueError: no such level, or the limit is < 1.
        """
        return self._memories.spatial.occupied_cubes(level, limit)

    def export_map(self, path: Path, format: Literal["bt", "ot", "ply"]) -> int:
        """Write the octree as one file: OctoMap ``bt`` (states) or ``ot`` (log-odds), or ``ply`` (centres of occupied voxels [m]).

        Returns:
            How many nodes or points are in it.

        Raises:
            ValueError: another format, or the map does not fit into an OctoMap file.
            OSError: it cannot be written.
        """
        if format == "ply":
            points = self.occupied_voxels()
            write_ply(path, points)
            return len(points)
        return self._memories.spatial.write_octomap(path, format)

    def occupancy_map(self, floor_id: str = "") -> OccupancyMap:
        """Occupancy of a floor (default: the one that the robot is on), up to date.

        Raises:
            LookupError: nothing was observed in this map yet, or there is no such floor.
        """
        return self.floor_view(floor_id).map

    def floor_view(self, floor_id: str = "") -> FloorView:
        """Map, rooms and frontiers of a floor (default: the one that the robot is on), up to date.

        Raises:
            LookupError: nothing was observed in this map yet, or there is no such floor.
        """
        view = self._fresh_view()
        if not floor_id:
            return view.current
        try:
            return view.floor(floor_id)
        except KeyError:
            known = ", ".join(f.floor.id for f in view.floors)
            raise LookupError(f"no floor {floor_id!r} in this map: known are {known}") from None

    def floors(self) -> tuple[Floor, ...]:
        """Floors from the lowest up, up to date; empty if nothing was observed in this map yet."""
        return self.topology().floors

    def floors_of(self, positions: npt.ArrayLike) -> list[Floor]:
        """The floors that points (N, 3) [m] are on; empty if nothing was observed in this map yet."""
        view = self._memories.spatial.view
        return view.floors_of(check_points(positions, "positions")) if view is not None else []

    def occupied_voxels(self) -> npt.NDArray[np.float32]:
        """Centres of the occupied leaves, (N, 3) [m]."""
        return self._memories.spatial.occupied_voxels()

    def frontiers(self, position: npt.ArrayLike | None = None) -> list[tuple[Frontier, float]]:
        """Frontiers, up to date, with path lengths from ``position`` (default: the robot) [m]; -1: not reachable."""
        if self.robot_position is None:
            return []
        start = None if position is None else check_points(position, "position", (3,))
        self._fresh_view()
        return self._memories.spatial.frontiers(start)

    def topology(self) -> Topology:
        """Places, edges, rooms and floors, up to date."""
        if self.robot_position is not None:
            self._fresh_view()
        return self._memories.spatial.topology()

    def find_path(self, start: npt.ArrayLike | None, goal: npt.ArrayLike | str, tolerance: float = 0.0) -> PathResult:
        """Path on known free floor and stairs to a point (3,) [m] or to a thing by its id; its points are (N, 3).

        Raises:
            ValueError: not finite, a negative tolerance, or no start while nothing was observed yet.
            LookupError: no such id, or nothing was observed in this map yet.
            OtherMapError: the thing is in a map that is not joined to the current one.
        """
        if not (np.isfinite(tolerance) and tolerance >= 0):
            raise ValueError(f"expected a tolerance >= 0 m, got {tolerance}")
        target = self.position_of(goal) if isinstance(goal, str) else check_points(goal, "goal", (3,))
        if start is not None:
            origin = check_points(start, "start", (3,))
        elif self.robot_position is not None:
            origin = self.robot_position
        else:
            raise LookupError("nothing was observed in this map yet: give a start, or wait for observations")
        self._fresh_view()
        return self._memories.spatial.find_path(origin, target, tolerance)

    def route(self, goal: str, start: str = "") -> Route:
        """The cheapest way over the topological graph that is not known to be blocked, as places and in words.

        Args:
            goal: id of a place, room, object, snapshot, keyframe or frontier; the name of a room ("bathroom": the one that costs least to
                get to); or the name of an imported place.
            start: the same, but for names of rooms; empty: where the robot is.

        Returns:
            The way; without places and with a ``reason`` if there is none.

        Raises:
            LookupError: no such goal or start, or it is not known where the robot is.
            OtherMapError: goal or start is in a map that is not joined to the current one.
        """
        return find_route(self, self._memories, goal, start)

    def locate(self, position: npt.ArrayLike | None = None, image: npt.NDArray[np.uint8] | None = None) -> Location:
        """Place and room of a point (3,) [m], or of what a camera sees (H, W, 3) uint8 RGB.

        Raises:
            ValueError: neither or both are given, or not finite.
            LookupError: no place is known.
        """
        return locate(self._memories, position, image)

    # --- objects and snapshots ----------------------------------------------------------------------------------------

    def objects(self) -> tuple[SceneObject, ...]:
        """All objects, of all maps."""
        return self._memories.scene.objects()

    def described_objects(self) -> tuple[DescribedObject, ...]:
        """All objects of all maps as evidence, those that are missing included; rooms as of the last `refresh`.

        Listing them is no use of them: nothing is kept longer for it.
        """
        return self._described.all(self._memories)

    def rooms(self) -> tuple[Room, ...]:
        """Rooms of the current map, up to date."""
        if self.robot_position is not None:
            self._fresh_view()
        view = self._memories.spatial.view
        return view.rooms if view is not None else ()

    def object(self, object_id: str) -> SceneObject:
        """The object with this id.

        Raises:
            LookupError: no such object.
        """
        for o in self.objects():
            if o.id == object_id:
                return o
        raise LookupError(f"no object {object_id!r} in this memory: ask find_objects for what it holds")

    def object_history(self, object_id: str) -> tuple[ObjectPose, ...]:
        """Where an object was, oldest first; the last entry is where it is now, or where it was last.

        Raises:
            LookupError: no such object.
        """
        return object_history(self._memories, self.object(object_id))

    def changes(
        self,
        *,
        after_ns: int | None = None,
        before_ns: int | None = None,
        room: str | None = None,
        object_id: str | None = None,
        kinds: Sequence[str] = (),
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[tuple[ObjectChange, ...], int]:
        """What changed in the scene, in order of time, and how many changes match in all. See `loci.history.ObjectChange`.

        Args:
            after_ns, before_ns: noticed in [after, before) [ns].
            room: id or name: changes from or to it.
            object_id: of this object.
            kinds: any of "new", "moved", "missing", "found", "held", "changed"; empty: all.
            newest_first: the other way round.
            limit, offset: page, 1 to 1000 changes.

        Raises:
            ValueError: limit, offset, times or kinds out of range.
            LookupError: no such room or object.
        """
        check_limit(limit)
        if offset < 0:
            raise ValueError(f"expected an offset >= 0, got {offset}")
        if room is not None:
            self._check_room(room)
        if object_id is not None:
            self.object(object_id)
        found = object_changes(
            self._memories,
            after_ns=after_ns,
            before_ns=before_ns,
            room=room or "",
            object_id=object_id or "",
            kinds=kinds,
            newest_first=newest_first,
        )
        return tuple(found[offset : offset + limit]), len(found)

    def movers(self) -> tuple[Mover, ...]:
        """People and other movers that were seen, as short tracks, oldest first: they are no objects and not in the map."""
        return self._memories.scene.movers()

    def mover_position(self, mover: Mover) -> Array:
        """Where a mover was seen last, (3,) [m], map frame.

        Raises:
            KeyError: its keyframe was forgotten.
        """
        T_map_camera = self._memories.keyframes.pose(mover.keyframe_id)
        return T_map_camera[:3, :3] @ np.asarray(mover.position_in_camera) + T_map_camera[:3, 3]

    def supports(self, object_ids: Iterable[str] | None = None) -> dict[str, str]:
        """{object id: id of the object that it lies on or in} of all objects, or of those asked for, that lie on one."""
        return self._memories.scene.supports(object_ids)

    def carriers(self, object_ids: Iterable[str] | None = None) -> dict[str, tuple[str, bool]]:
        """{object id: (id of the object that carries it, whether it lies in that one)} of all objects, or of those asked for."""
        return self._memories.scene.carriers(object_ids)

    def relations(
        self,
        object_id: str | Collection[str],
        relations: Iterable[str] = (),
        *,
        viewpoint: npt.ArrayLike | None = None,
        max_distance: float = 1.0,
    ) -> tuple[Relation, ...]:
        """How an object, or each of several, lies to others: computed from where they are now, nearest first for each kind.

        What stands behind a wall is neither next to a thing nor beside it: the rooms are known here.

        Args:
            object_id: the subject, or several.
            relations: any of on, in, under, next_to, left_of, right_of, between, nearest; empty: all (left and right only with a
                viewpoint).
            viewpoint: (3,) from where left and right are seen, looking towards the subject [m].
            max_distance: of next_to and nearest [m].

        Raises:
            LookupError: no such object.
            ValueError: no such relation, a distance that is not > 0, or left or right without a viewpoint.
        """
        ids = (object_id,) if isinstance(object_id, str) else tuple(object_id)
        return related(self._memories, ids, tuple(relations), viewpoint, max_distance)

    def room_of(self, o: SceneObject) -> Room | None:
        """Room that an object is in; None if not known, or if it is in another map."""
        return rooms_of_objects(self._memories, [o])[0]

    def rooms_of(self, objects: Sequence[SceneObject]) -> list[Room | None]:
        """Rooms of many objects; see `room_of`."""
        return rooms_of_objects(self._memories, objects)

    def image_box(self, object_id: str, keyframe_id: str) -> tuple[int, int, int, int] | None:
        """Where an object is seen in a keyframe's image, (x0, y0, x1, y1) [px]; None: it is hidden there, or not in the image.

        Raises:
            LookupError: no such object or keyframe.
        """
        return shown_box(self._memories.keyframes, self.object(object_id), keyframe_id)

    def place_of(self, o: SceneObject) -> str:
        """Id of the place nearest to an object; empty if there is none in its map."""
        return self.nearest_places((o,))[0]

    def nearest_places(self, objects: Sequence[SceneObject]) -> list[str]:
        """Ids of the places nearest to many objects; see `place_of`."""
        graph = self._memories.spatial.graph.view
        found = [""] * len(objects)
        for map_id in {o.map_id for o in objects}:
            chosen = [i for i, o in enumerate(objects) if o.map_id == map_id]
            for i, place in zip(chosen, graph.nearest_each([objects[i].center for i in chosen], map_id), strict=True):
                found[i] = place
        return found

    def objects_of_places(self) -> dict[str, list[str]]:
        """{place id: ids of the objects that are nearest to it}: the landmarks of the places."""
        found: dict[str, list[str]] = {}
        objects = self.objects()
        for o, place in zip(objects, self.nearest_places(objects), strict=True):
            found.setdefault(place, []).append(o.id)
        found.pop("", None)
        return found

    def snapshot_of(self, object_id: str) -> str:
        """Id of the snapshot that shows an object; empty if there is none."""
        snapshot = self._memories.scene.snapshots_map.snapshot_of(object_id)
        return snapshot.id if snapshot else ""

    def is_goal(self, map_id: str) -> bool:
        """Whether the robot may be sent to things of this map."""
        return map_id == self.map_id

    def find_objects(
        self,
        text: str | None = None,
        *,
        labels: tuple[str, ...] = (),
        room: str | None = None,
        state: str | None = None,
        position: npt.ArrayLike | None = None,
        radius: float | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> list[tuple[SceneObject, float]]:
        """Objects that meet all conditions with their scores in [0, 1], best first; without a text, nearest or newest first.

        ``limit`` of them, after as many of the best as ``offset`` says.

        Raises:
            ValueError: limit, position or radius out of range, or an empty text.
            LookupError: no such room.
        """
        check_limit(limit)
        if offset < 0:
            raise ValueError(f"expected an offset >= 0, got {offset}")
        if text is not None and not text.strip():
            raise ValueError("expected a text with at least one word, got an empty one")
        if (position is None) != (radius is None):
            raise ValueError("expected position and radius together")
        if room is not None:
            self._check_room(room)
        found = find_objects(
            self._memories, text=text, labels=labels, room=room, state=state, position=position, radius=radius
        )
        return found[offset : offset + limit]

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """{object id: what detectors told of it ("open", "wooden"), and its size among its like ("large", "tall")}."""
        return self._memories.scene.attributes()

    def object_image(self, object_id: str) -> bytes:
        """JPEG of an object's best view.

        Raises:
            LookupError: no such object.
        """
        return self._memories.scene.object_image(self.object(object_id))

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots."""
        return self._memories.scene.snapshots()

    def retrieve(
        self,
        question: str = "",
        limit: int = 10,
        *,
        image: npt.NDArray[np.uint8] | None = None,
        object_ids: Iterable[str] = (),
        room: str = "",
        box: tuple[Corner, Corner] | None = None,
        after_ns: int | None = None,
        before_ns: int | None = None,
    ) -> Retrieval:
        """The fewest snapshots that show what is asked for, best first, with reasons; all of them where that cannot be told.

        Labels, attributes, what was remembered of objects, and images rank together; see `RetrievalRequest` for the conditions.

        Raises:
            ValueError: nothing is asked, or a field or the limit is out of range.
            LookupError: no such object or room.
        """
        check_limit(limit)
        request = RetrievalRequest(question, image, tuple(object_ids), room, box, after_ns, before_ns)
        if room:
            self._check_room(room)
        return retrieve_snapshots(self._memories, request, limit)

    # ------------------------------------------------------------------------------------------------------------------

    def _fresh_view(self) -> SpatialView:
        if not self._memories.spatial.is_fresh and self.robot_position is not None:
            self.refresh()
        view = self._memories.spatial.view
        if view is None:
            raise LookupError("nothing was observed in this map yet: is a camera connected, and does it have poses?")
        return view

    def _check_room(self, room: str) -> None:
        rooms = self.topology().rooms
        if not any(room in (r.id, r.name) for r in rooms):
            known = ", ".join(sorted({r.name or r.id for r in rooms})) or "none yet"
            raise LookupError(f"no room {room!r} in this map: known are {known}")

    def _check_place(self, place: str) -> None:
        if not places_of(self._memories, place) and not any(place in (r.id, r.name) for r in self.topology().rooms):
            raise LookupError(f"no place or room {place!r} in this memory: ask get_topology for what it holds")

    def position_of(self, thing: str) -> Array:
        """Position (3,) [m] of a thing of the current map by its id: object, place, room, frontier, snapshot or keyframe.

        Raises:
            LookupError: no such thing.
            OtherMapError: it is in a map that is not joined to the current one.
        """
        return position_of(self, self._memories, thing)
