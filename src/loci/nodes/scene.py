"""The node `scene_memory`: objects, the snapshots that show them, and what matters for a question."""

from __future__ import annotations

from typing import Any

from loci_ros import msg as m
from loci_ros import srv
from rclpy.context import Context
from visualization_msgs.msg import MarkerArray

from loci.nodes import answers, markers
from loci.nodes.conversions import from_point, from_pose, image_bytes, stamp_or_none, to_jpeg
from loci.nodes.images import color_from_compressed
from loci.nodes.lifecycle import LATCHED_QOS
from loci.nodes.parameters import SCENE
from loci.nodes.part import HostHolder, MemoryPart
from loci.pictures import PLANNER_HEIGHT
from loci.query import check_limit


class SceneMemoryNode(MemoryPart):
    """Publishes `objects` and `scene_markers`; finds objects and images."""

    def __init__(self, holder: HostHolder, context: Context | None = None, **options: Any) -> None:
        super().__init__("scene_memory", SCENE, holder, context, **options)
        self.serve(srv.FindObjects, "find_objects", self._find_objects)
        self.serve(srv.GetObject, "get_object", self._get_object)
        self.serve(srv.GetRelations, "get_relations", self._get_relations)
        self.serve(srv.GetChanges, "get_changes", self._get_changes)
        self.serve(srv.GetSnapshots, "get_snapshots", self._get_snapshots)
        self.serve(srv.Retrieve, "retrieve", self._retrieve)
        self.every(1.0 / self.values["publish_rate"], self.publish_changes)

    def configure(self) -> None:
        self.publish_on_change(m.SceneObjectArray, "objects", answers.objects, LATCHED_QOS)
        self.publish_on_change(MarkerArray, "scene_markers", markers.object_markers, LATCHED_QOS)

    def _find_objects(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            found = memory.find_objects(
                request.text if request.text != "" else None,
                labels=tuple(request.labels),
                room=request.room or None,
                state=request.state or None,
                position=from_point(request.position) if request.has_position else None,
                radius=float(request.radius) if request.has_position else None,
                limit=int(request.limit),
                offset=int(request.offset),
            )
            response.objects = answers.scene_objects(memory, [o for o, _ in found], frame)
        response.scores = [float(score) for _, score in found]

    def _get_object(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            o = memory.object(request.id)
            (response.object,) = answers.scene_objects(memory, (o,), frame)
            response.history = [answers.object_pose(p, frame) for p in memory.object_history(o.id)]
            if request.with_image:
                response.image = to_jpeg(memory.object_image(o.id), frame, o.last_seen_ns)

    def _get_relations(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, _):
            found = memory.relations(
                request.object_id,
                tuple(request.relations),
                viewpoint=from_pose(request.viewpoint, "viewpoint")[:3, 3] if request.has_viewpoint else None,
                max_distance=float(request.max_distance) or 1.0,
            )
        response.relations = [answers.relation(r) for r in found]

    def _get_changes(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            found, response.n_total = memory.changes(
                after_ns=stamp_or_none(request.after),
                before_ns=stamp_or_none(request.before),
                room=request.room or None,
                object_id=request.object_id or None,
                kinds=tuple(request.kinds),
                newest_first=request.newest_first,
                limit=int(request.limit),
                offset=int(request.offset),
            )
            response.changes = [answers.object_change(c, frame) for c in found]

    def _get_snapshots(self, request: Any, response: Any) -> None:
        limit = check_limit(int(request.limit))
        with self.reading(request) as (memory, frame):
            ids, object_ids = set(request.ids), set(request.object_ids)
            known = memory.snapshots()
            labels = {o.id: o.label for o in memory.objects()}
            missing = sorted((ids - {s.id for s in known}) | (object_ids - labels.keys()))
            if missing:
                raise LookupError(f"expected snapshots and objects of this memory, got {', '.join(missing)}")
            found = [
                s for s in known if (not ids or s.id in ids) and (not object_ids or object_ids & set(s.object_ids))
            ]
            budget = answers.ImageBudget(request.with_images, image_bytes(request.max_image_bytes), frame)
            page = found[int(request.offset) : int(request.offset) + limit]
            response.snapshots = [answers.snapshot(memory, s, frame, budget, labels) for s in page]
        response.n_total = len(found)

    def _retrieve(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            found = memory.retrieve(
                request.question,
                int(request.limit),
                image=color_from_compressed(request.image) if len(request.image.data) else None,
                object_ids=request.object_ids,
                room=request.room,
                after_ns=stamp_or_none(request.after),
                before_ns=stamp_or_none(request.before),
            )
            labels = {o.id: o.label for o in memory.objects()}
            size = image_bytes(request.max_image_bytes)
            budget = answers.ImageBudget(request.with_images, size, frame, PLANNER_HEIGHT)
            response.snapshots = [
                answers.snapshot(memory, s, frame, budget, labels, score) for s, score in found.snapshots
            ]
            if request.with_frontiers:
                response.frontiers = [
                    answers.frontier(f, length, budget.attach(memory, f.keyframe_id))
                    for f, length in answers.nearest_first(memory.frontiers())
                ]
        response.reasons = list(found.reasons)
        response.ranked_labels = list(found.labels)
