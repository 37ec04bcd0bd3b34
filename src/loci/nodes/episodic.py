"""The node `episodic_memory`: remembering what is told, forgetting, what happened when, and the scene graph as text."""

from __future__ import annotations

from typing import Any

from loci_ros import srv
from rclpy.context import Context

from loci.nodes.conversions import from_point, image_bytes, stamp_or_none, to_evidence
from loci.nodes.parameters import EPISODIC
from loci.nodes.part import HostHolder, MemoryPart


class EpisodicMemoryNode(MemoryPart):
    """Answers `remember`, `forget`, `explain`, `timeline` and `scene_graph`."""

    def __init__(self, holder: HostHolder, context: Context | None = None, **options: Any) -> None:
        super().__init__("episodic_memory", EPISODIC, holder, context, **options)
        self.serve(srv.Remember, "remember", self._remember)
        self.serve(srv.Forget, "forget", self._forget)
        self.serve(srv.Explain, "explain", self._explain)
        self.serve(srv.Timeline, "timeline", self._timeline)
        self.serve(srv.SceneGraph, "scene_graph", self._scene_graph)

    def _remember(self, request: Any, response: Any) -> None:
        episode = request.episode
        with self.changing(request) as (memory, _):
            response.id = memory.remember(
                episode.text,
                request.source,
                labels=tuple(episode.labels),
                object_id=episode.object_id,
                state=episode.state,
                position=from_point(episode.position) if episode.has_position else None,
                pinned=episode.pinned,
            )

    def _forget(self, request: Any, response: Any) -> None:
        if not request.ids:
            raise ValueError("expected ids of what to forget, got none")
        with self.changing(request) as (memory, _):
            response.n_forgotten = memory.forget(request.ids)

    def _explain(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, _):
            explanation = memory.explain(request.id)
        response.is_kept, response.reasons = explanation.is_kept, list(explanation.reasons)

    def _timeline(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            found = memory.timeline(
                after_ns=stamp_or_none(request.after),
                before_ns=stamp_or_none(request.before),
                place=request.place or None,
                object_id=request.object_id or None,
                newest_first=request.newest_first,
                limit=int(request.limit),
                offset=int(request.offset),
                with_images=request.with_images,
                max_image_bytes=image_bytes(request.max_image_bytes),
            )
        response.evidence = [to_evidence(e, frame) for e in found.evidence]
        response.n_total = found.n_total

    def _scene_graph(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, _):
            response.graph, response.truncated = memory.scene_graph(
                request.format or "text",
                int(request.max_characters),
                question=request.question or None,
                position=from_point(request.position) if request.has_position else None,
            )
