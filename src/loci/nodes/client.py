"""`MemoryClient`: a robot's memory from a Python script, over its ROS services.

    with MemoryClient() as memory:
        for evidence in memory.recall(Query(text="mug", limit=3)).evidence:
            print(evidence.text, evidence.position)

Calls are synchronous and bounded in time, from any thread (`loci.nodes.connection`). It is a `loci.planning.protocols.MemoryReader`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import Pose
from loci_ros import action, msg, srv

from loci.forgetting import Explanation
from loci.geometry import Array
from loci.nodes import images
from loci.nodes.connection import MemoryConnection, MemoryServiceError, Progress
from loci.nodes.conversions import (
    from_evidence,
    from_point,
    from_scene_object,
    to_jpeg,
    to_ns,
    to_point,
    to_points_array,
    to_query,
    to_time,
    to_transform,
)
from loci.nodes.errors import Code
from loci.planning.protocols import Answer, KnownFrontier, KnownObject, KnownPath, KnownPose, KnownRoom, Point
from loci.query import MAX_LIMIT, Evidence, Query
from loci.scene.relations import Relation
from loci.spatial.cubes import Cubes, NearestVoxels

__all__ = ["KnownRoute", "Located", "MemoryClient", "MemoryServiceError", "RecalledPage"]

#: How long an answer is waited for by who waits for a memory that starts, before it is asked again [s].
READY_PERIOD = 5.0


@dataclass(frozen=True)
class RecalledPage:
    """A page of evidence, best first, and how many matched in all."""

    evidence: tuple[Evidence, ...]
    n_total: int


@dataclass(frozen=True)
class Located:
    """Place and room of a point or an image; empty where not known."""

    place: str
    room: str
    room_name: str
    score: float


@dataclass(frozen=True)
class KnownRoute:
    """A way over the topological graph.

    Attributes:
        place_ids: from start to goal, both included; empty: there is no way.
        points: (N, 3) of the places [m], map frame.
        length, cost: [m], and sum of the weights of its edges.
        duration: expected from earlier traversals [s]; 0: never travelled.
        instructions: the way in words, one sentence for each turn and stretch.
        reason: why there is no way; empty: there is one.
    """

    place_ids: tuple[str, ...]
    points: Array
    length: float
    cost: float
    duration: float
    instructions: tuple[str, ...]
    reason: str = ""


class MemoryClient:
    """Asks a memory that runs as ROS nodes.

    Args:
        namespace: of the memory's services, e.g. ``"robot1"``.
        timeout: longest wait for an answer, and for the service to appear [s].
        node_name: of the client's node.

    Raises (every call):
        MemoryServiceError: the memory answered with an error code, its ``code`` says which; or the client is closed (`UNAVAILABLE`).
        TimeoutError: no such service, or no answer in time.
    """

    def __init__(self, namespace: str = "", *, timeout: float = 10.0, node_name: str = "loci_client") -> None:
        self._memory = MemoryConnection(node_name, namespace, timeout)

    def close(self) -> None:
        """Stop; calls that are under way fail at once. Harmless when closed already."""
        self._memory.close()

    def __enter__(self) -> MemoryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- all memories -------------------------------------------------------------------------------------------------

    def recall(self, query: Query, min_stamp_ns: int = 0) -> RecalledPage:
        """Ranked evidence from all memories. ``min_stamp_ns``: wait until observations up to it are in (in every call)."""
        answer = self._memory.call(srv.Recall, "recall", min_stamp_ns, query=to_query(query))
        return RecalledPage(tuple(from_evidence(e) for e in answer.evidence), int(answer.n_total))

    def timeline(
        self,
        *,
        after_ns: int | None = None,
        before_ns: int | None = None,
        place: str = "",
        object_id: str = "",
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
        with_images: bool = False,
        min_stamp_ns: int = 0,
    ) -> RecalledPage:
        """What happened, in order of time."""
        answer = self._memory.call(
            srv.Timeline,
            "timeline",
            min_stamp_ns,
            after=to_time(after_ns or 0),
            before=to_time(before_ns or 0),
            place=place,
            object_id=object_id,
            newest_first=newest_first,
            limit=limit,
            offset=offset,
            with_images=with_images,
        )
        return RecalledPage(tuple(from_evidence(e) for e in answer.evidence), int(answer.n_total))

    def remember(
        self,
        text: str,
        source: str,
        *,
        labels: Sequence[str] = (),
        object_id: str = "",
        state: str = "",
        position: npt.ArrayLike | None = None,
        pinned: bool = False,
    ) -> str:
        """Remember something that no camera saw; durable on return. Returns its id."""
        episode = msg.TextEpisode(text=text, labels=list(labels), object_id=object_id, state=state, pinned=pinned)
        if position is not None:
            episode.has_position, episode.position = True, to_point(position)
        return str(self._memory.call(srv.Remember, "remember", episode=episode, source=source).id)

    def forget(self, ids: Sequence[str]) -> int:
        """Really forget episodes, keyframes or objects; returns how many."""
        return int(self._memory.call(srv.Forget, "forget", ids=list(ids)).n_forgotten)

    def explain(self, id: str) -> Explanation:
        """Why an episode, keyframe or object is kept, or why it was forgotten."""
        answer = self._memory.call(srv.Explain, "explain", id=id)
        return Explanation(bool(answer.is_kept), tuple(answer.reasons))

    def scene_graph(
        self,
        format: str = "text",
        max_characters: int = 100_000,
        *,
        question: str | None = None,
        position: npt.ArrayLike | None = None,
    ) -> str:
        """Floors, rooms, objects and relations as text for a prompt, or as JSON; see `MemoryQuestions.scene_graph`."""
        fields: dict[str, Any] = {"format": format, "max_characters": max_characters, "question": question or ""}
        if position is not None:
            fields |= {"has_position": True, "position": to_point(position)}
        return str(self._memory.call(srv.SceneGraph, "scene_graph", **fields).graph)

    def ask(
        self,
        question: str,
        *,
        limit: int = 10,
        with_images: bool = False,
        min_stamp_ns: int = 0,
        timeout: float | None = None,
    ) -> Answer:
        """Ask the planner a question."""
        answer = self._memory.call(
            srv.Ask, "ask", min_stamp_ns, timeout=timeout, question=question, limit=limit, with_images=with_images
        )
        return Answer(
            answer.answer, answer.known, float(answer.confidence), tuple(from_evidence(e) for e in answer.evidence)
        )

    def statistics(self, min_stamp_ns: int = 0) -> dict[str, str]:
        """Counts, sizes, rates; with ``memory_uuid``, ``name``, ``map_id``, ``session`` and ``newest_stamp_ns``."""
        answer = self._memory.call(srv.Statistics, "statistics", min_stamp_ns)
        named = {
            "memory_uuid": answer.memory_uuid,
            "name": answer.name,
            "map_id": answer.map_id,
            "session": answer.session,
        }
        return {v.key: v.value for v in answer.values} | named | {"newest_stamp_ns": str(to_ns(answer.newest))}

    @property
    def newest_stamp_ns(self) -> int:
        """Stamp of the newest observation taken in [ns]; 0: none yet."""
        return to_ns(self._memory.call(srv.Statistics, "statistics").newest)

    # --- objects and rooms --------------------------------------------------------------------------------------------

    def wait_for(self, stamp_ns: int) -> None:
        """Returns when observations up to this stamp are in.

        Raises:
            MemoryServiceError: they did not come in time.
        """
        self.statistics(min_stamp_ns=stamp_ns)

    def find_objects(
        self,
        text: str = "",
        *,
        labels: Sequence[str] = (),
        room: str = "",
        state: str = "",
        position: npt.ArrayLike | None = None,
        radius: float = 0.0,
        limit: int = 10,
        offset: int = 0,
        min_stamp_ns: int = 0,
    ) -> tuple[KnownObject, ...]:
        """Objects that meet all conditions, best first, without the ``offset`` best ones."""
        where: dict[str, Any] = {}
        if position is not None:
            where = {"has_position": True, "position": to_point(position), "radius": float(radius)}
        answer = self._memory.call(
            srv.FindObjects,
            "find_objects",
            min_stamp_ns,
            text=text,
            labels=list(labels),
            room=room,
            state=state,
            limit=limit,
            offset=offset,
            **where,
        )
        return tuple(from_scene_object(o, score) for o, score in zip(answer.objects, answer.scores, strict=True))

    def known_objects(self) -> tuple[KnownObject, ...]:
        """All objects, those that are missing included."""
        found = self._pages(Query(kinds=("object",), limit=MAX_LIMIT))
        by_id: dict[str, KnownObject] = {}
        for offset in range(0, len(found), MAX_LIMIT):
            by_id |= {o.id: o for o in self.find_objects(limit=MAX_LIMIT, offset=offset)}
        # What was seen between two pages has changed its place among them.
        passed_over = (o for e in found if e.id not in by_id and (o := self.known_object(e.id)) is not None)
        by_id |= {o.id: o for o in passed_over}
        return tuple(
            KnownObject(e, o.on, o.colors, o.size, o.first_seen_ns, o.n_detections)
            for e in found
            if (o := by_id.get(e.id)) is not None
        )

    def known_object(self, object_id: str) -> KnownObject | None:
        """The object with this id; None if there is none."""
        try:
            return from_scene_object(self._memory.call(srv.GetObject, "get_object", id=object_id).object)
        except MemoryServiceError as error:
            if error.code == Code.NOT_FOUND:
                return None
            raise

    def known_poses(self, object_id: str) -> tuple[KnownPose, ...]:
        """Where an object was, oldest first; the last one is where it is now, or was last."""
        return tuple(
            KnownPose(
                from_point(p.pose.position),
                to_ns(p.header.stamp),
                to_ns(p.last_seen),
                p.state,
                p.room,
                p.room_name,
                p.on,
            )
            for p in self.object_history(object_id)
        )

    def known_rooms(self) -> tuple[KnownRoom, ...]:
        """All rooms."""
        topology = self.topology()
        return tuple(
            KnownRoom(r.id, r.name, float(r.confidence), from_point(r.position), float(r.area)) for r in topology.rooms
        )

    def topology(self, min_stamp_ns: int = 0) -> Any:
        """Places, edges and rooms, as a loci_ros/Topology message."""
        return self._memory.call(srv.GetTopology, "get_topology", min_stamp_ns).topology

    def object_image(self, object_id: str) -> bytes | None:
        """JPEG of an object's best view; None if there is no such object."""
        try:
            answer = self._memory.call(srv.GetObject, "get_object", id=object_id, with_image=True)
        except MemoryServiceError as error:
            if error.code == Code.NOT_FOUND:
                return None
            raise
        return bytes(answer.image.data) or None

    def object_history(self, object_id: str, min_stamp_ns: int = 0) -> tuple[Any, ...]:
        """Where an object was, oldest first, as loci_ros/ObjectPose messages; the last one is where it is now."""
        return tuple(self._memory.call(srv.GetObject, "get_object", min_stamp_ns, id=object_id).history)

    def changes(
        self,
        *,
        after_ns: int = 0,
        before_ns: int = 0,
        room: str = "",
        object_id: str = "",
        kinds: Sequence[str] = (),
        newest_first: bool = False,
        limit: int = 100,
        offset: int = 0,
        min_stamp_ns: int = 0,
    ) -> tuple[Any, ...]:
        """What changed in the scene, as loci_ros/ObjectChange messages; of times, 0 is no limit."""
        answer = self._memory.call(
            srv.GetChanges,
            "get_changes",
            min_stamp_ns,
            after=to_time(after_ns),
            before=to_time(before_ns),
            room=room,
            object_id=object_id,
            kinds=list(kinds),
            newest_first=newest_first,
            limit=limit,
            offset=offset,
        )
        return tuple(answer.changes)

    def relations(
        self,
        object_id: str,
        relations: Sequence[str] = (),
        *,
        viewpoint: npt.ArrayLike | None = None,
        max_distance: float = 1.0,
        min_stamp_ns: int = 0,
    ) -> tuple[Relation, ...]:
        """How an object lies to others; left and right need a viewpoint (3,) [m]. See `MemoryQuestions.relations`."""
        where: dict[str, Any] = {}
        if viewpoint is not None:
            where = {"has_viewpoint": True, "viewpoint": Pose(position=to_point(viewpoint))}
        answer = self._memory.call(
            srv.GetRelations,
            "get_relations",
            min_stamp_ns,
            object_id=object_id,
            relations=list(relations),
            max_distance=float(max_distance),
            **where,
        )
        return tuple(
            Relation(r.subject, r.relation, tuple(r.objects), float(r.distance), float(r.confidence))
            for r in answer.relations
        )

    def retrieve(
        self,
        question: str = "",
        *,
        image: npt.NDArray[np.uint8] | None = None,
        object_ids: Sequence[str] = (),
        room: str = "",
        after_ns: int = 0,
        before_ns: int = 0,
        limit: int = 10,
        with_frontiers: bool = True,
        with_images: bool = True,
    ) -> Any:
        """The images that matter, as a loci_ros/Retrieve response; see `MemoryQuestions.retrieve`."""
        fields: dict[str, Any] = {} if image is None else {"image": to_jpeg(images.encode_color(image))}
        return self._memory.call(
            srv.Retrieve,
            "retrieve",
            question=question,
            object_ids=list(object_ids),
            room=room,
            after=to_time(after_ns),
            before=to_time(before_ns),
            limit=limit,
            with_frontiers=with_frontiers,
            with_images=with_images,
            **fields,
        )

    def snapshots(self, *, with_images: bool = False, limit: int = MAX_LIMIT, offset: int = 0) -> tuple[Any, ...]:
        """Snapshots, as loci_ros/Snapshot messages."""
        return tuple(
            self._memory.call(
                srv.GetSnapshots, "get_snapshots", limit=limit, offset=offset, with_images=with_images
            ).snapshots
        )

    # --- space --------------------------------------------------------------------------------------------------------

    def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
        """Frontiers with path lengths from ``position`` (None: where the robot was last seen), nearest first."""
        where: dict[str, Any] = {} if position is None else {"has_position": True, "position": to_point(position)}
        answer = self._memory.call(srv.GetFrontiers, "get_frontiers", min_stamp_ns, limit=MAX_LIMIT, **where)
        return tuple(
            KnownFrontier(
                f.id,
                from_point(f.position),
                from_point(f.centroid),
                from_point(f.direction),
                float(f.area),
                float(f.path_length),
                f.keyframe_id,
                float(f.information_gain),
                f.floor,
            )
            for f in answer.frontiers
        )

    def frontier_images(self, frontiers: Sequence[KnownFrontier]) -> dict[str, bytes]:
        """{frontier id: JPEG} of those that have a photo, as many as fit into a response."""
        wanted = {f.id for f in frontiers if f.keyframe_id}
        if not wanted:
            return {}
        answer = self._memory.call(srv.GetFrontiers, "get_frontiers", limit=MAX_LIMIT, with_images=True)
        return {f.id: bytes(f.image.data) for f in answer.frontiers if f.id in wanted and len(f.image.data)}

    def path_to(
        self, goal: Point | str, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        """Path on known free floor to a point or a thing by its id; no path is told by ``reason``."""
        fields: dict[str, Any] = {"goal_id": goal} if isinstance(goal, str) else {"goal": to_point(goal)}
        if start is not None:
            fields |= {"has_start": True, "start": to_point(start)}
        try:
            answer = self._memory.call(srv.FindPath, "find_path", min_stamp_ns, tolerance=float(tolerance), **fields)
        except MemoryServiceError as error:
            if error.code in (Code.NO_PATH, Code.NOT_FOUND, Code.OTHER_MAP):
                return KnownPath(np.empty((0, 3)), 0.0, str(error).removeprefix("no path: "))
            raise
        return KnownPath(to_points_array([p.pose.position for p in answer.path.poses]), float(answer.length))

    def route(self, goal: str, start: str = "", min_stamp_ns: int = 0) -> KnownRoute:
        """Way over the topological graph to a thing by its id, or to the nearest room of a name ("bathroom"); no way is told by ``reason``.

        Args:
            goal: id of a place, room, object, snapshot, keyframe or frontier, or name of a room.
            start: id of the same; empty: where the robot is.
            min_stamp_ns: see `recall`.
        """
        try:
            answer = self._memory.call(srv.GetRoute, "get_route", min_stamp_ns, goal=goal, start=start)
        except MemoryServiceError as error:
            if error.code == Code.NO_PATH:
                reason = str(error).removeprefix("no route: ")
                return KnownRoute((), np.empty((0, 3)), 0.0, float("inf"), 0.0, (), reason)
            raise
        return KnownRoute(
            tuple(p.id for p in answer.places),
            to_points_array([p.pose.position for p in answer.path.poses]),
            float(answer.length),
            float(answer.cost),
            float(answer.duration),
            tuple(answer.instructions),
        )

    def report_traversal(
        self, source: str, target: str, succeeded: bool, duration: float = 0.0, blocked: bool = False
    ) -> Any:
        """Tell how the robot fared on an edge between two places (`duration` [s], 0: not known); the loci_ros/PlaceEdge as it is now."""
        return self._memory.call(
            srv.ReportTraversal,
            "report_traversal",
            source=source,
            target=target,
            succeeded=succeeded,
            duration=float(duration),
            blocked=blocked,
        ).edge

    def map(self, floor: str = "", min_stamp_ns: int = 0) -> Any:
        """Occupancy grid of a floor by its id (empty: the one that the robot is on), as a loci_ros/GetMap response."""
        return self._memory.call(srv.GetMap, "get_map", min_stamp_ns, floor=floor)

    def query_occupancy(
        self, points: npt.ArrayLike, level: int = 0
    ) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """State (-1 unknown, 0 free, 1 occupied) and probability of points (N, 3) [m]."""
        answer = self._memory.call(
            srv.QueryOccupancy, "query_occupancy", points=[to_point(p) for p in np.asarray(points)], level=level
        )
        return np.asarray(answer.states, dtype=np.int8), np.asarray(answer.probabilities, dtype=np.float32)

    def query_box(
        self,
        lower: npt.ArrayLike,
        upper: npt.ArrayLike,
        level: int = 0,
        *,
        occupied: bool = True,
        free: bool = True,
        changed_since_ns: int | None = None,
        limit: int = 10_000,
        min_stamp_ns: int = 0,
    ) -> Cubes:
        """Known cubes of leaf size * 2^level that a box [m] overlaps; with a stamp, those that became what they are after it."""
        answer = self._memory.call(
            srv.QueryBox,
            "query_box",
            min_stamp_ns,
            lower=to_point(lower),
            upper=to_point(upper),
            level=level,
            occupied=occupied,
            free=free,
            changed_since=to_time(changed_since_ns or 0),
            limit=limit,
        )
        return Cubes(
            centres=to_points_array(answer.centers),
            states=np.asarray(answer.states, dtype=np.int8),
            probabilities=np.asarray(answer.probabilities, dtype=np.float32),
            last_seen_ns=np.array([to_ns(t) for t in answer.last_seen], dtype=np.int64),
            changed_ns=np.array([to_ns(t) for t in answer.changed], dtype=np.int64),
            labels=tuple(answer.labels),
            object_ids=tuple(answer.object_ids),
            n_total=int(answer.total),
            size=float(answer.cell_size),
        )

    def nearest_occupied(self, points: npt.ArrayLike, max_distance: float, min_stamp_ns: int = 0) -> NearestVoxels:
        """Nearest occupied voxel of each of up to 10000 points (N, 3) [m] within a distance [m]."""
        answer = self._memory.call(
            srv.NearestOccupied,
            "nearest_occupied",
            min_stamp_ns,
            points=[to_point(p) for p in np.asarray(points)],
            max_distance=float(max_distance),
        )
        return NearestVoxels(
            np.asarray(answer.found, dtype=np.bool_),
            to_points_array(answer.nearest),
            np.asarray(answer.distances, dtype=np.float64),
        )

    def locate(self, position: npt.ArrayLike | None = None, image: npt.NDArray[np.uint8] | None = None) -> Located:
        """Place and room of a point (3,) [m], or of what a camera sees (H, W, 3) uint8 RGB."""
        fields: dict[str, Any] = {}
        if position is not None:
            fields |= {"has_position": True, "position": to_point(position)}
        if image is not None:
            fields["image"] = to_jpeg(images.encode_color(image))
        answer = self._memory.call(srv.Locate, "locate", **fields)
        return Located(answer.place, answer.room, answer.room_name, float(answer.score))

    # --- keeping ------------------------------------------------------------------------------------------------------

    def save(self, name: str = "") -> str:
        """Commit durably, or copy under another name; returns the folder."""
        return str(self._memory.call(srv.Save, "save", name=name).path)

    def clear(self) -> int:
        """Forget everything."""
        return int(self._memory.call(srv.Clear, "clear", confirm=True).n_forgotten)

    def load(self, name: str, map_id: str = "", *, progress: Progress | None = None, timeout: float = 120.0) -> str:
        """Open another saved memory in place of the current one; returns its UUID."""
        return str(
            self._memory.act(
                action.Load, "load", action.Load.Goal(name=name, map_id=map_id), progress, timeout
            ).memory_uuid
        )

    def merge(
        self, name: str, T_this_other: Array | None = None, *, progress: Progress | None = None, timeout: float = 600.0
    ) -> Any:
        """Take another saved memory's content in; returns the action's result."""
        goal = action.Merge.Goal(name=name, has_transform=T_this_other is not None)
        if T_this_other is not None:
            goal.transform = to_transform(T_this_other)
        return self._memory.act(action.Merge, "merge", goal, progress, timeout)

    def consolidate(self, everything: bool = False, *, progress: Progress | None = None, timeout: float = 600.0) -> Any:
        """Move short-term records to the long term and merge near-duplicates; returns the action's result."""
        return self._memory.act(
            action.Consolidate, "consolidate", action.Consolidate.Goal(all=everything), progress, timeout
        )

    def export(self, name: str, *, progress: Progress | None = None, timeout: float = 600.0) -> str:
        """Write the memory as JSON, JPEG and PLY; returns the folder."""
        return str(self._memory.act(action.Export, "export", action.Export.Goal(name=name), progress, timeout).path)

    # ------------------------------------------------------------------------------------------------------------------

    def wait_until_ready(self, timeout: float = 30.0) -> None:
        """Wait until the memory is active.

        Raises:
            TimeoutError: it is not, after so long [s].
        """
        deadline = time.monotonic() + timeout
        while True:
            # A service that has not discovered the client yet drops its answer (rmw_fastrtps waits 100 ms): ask again.
            left = deadline - time.monotonic()
            try:
                self._memory.call(srv.Statistics, "statistics", timeout=min(READY_PERIOD, max(0.1, left)))
                return
            except (MemoryServiceError, TimeoutError) as error:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"the memory was not ready after {timeout:g} s: {error}") from error
                time.sleep(0.1)

    def _pages(self, query: Query) -> list[Evidence]:
        found: list[Evidence] = []
        while True:
            page = self.recall(replace(query, offset=len(found)))
            found += page.evidence
            if not page.evidence or len(found) >= page.n_total:
                return found
