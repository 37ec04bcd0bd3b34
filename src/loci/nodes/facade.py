"""The node `memory`: opens the memory, takes observations and pose corrections, recalls, saves, loads, merges, exports."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import KeyValue
from loci_ros import action, srv
from loci_ros import msg as m
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.context import Context

from loci.memory import MemoryParameters
from loci.nodes.conversions import from_query, from_transform, to_evidence, to_time
from loci.nodes.diagnostics import why_silent
from loci.nodes.episodic import EpisodicMemoryNode
from loci.nodes.errors import BadInput, Code, RequestError, text_of
from loci.nodes.host import MemoryHost
from loci.nodes.lifecycle import OBSERVATION_QOS, RELIABLE_QOS, ManagedNode
from loci.nodes.parameters import MEMORY, with_settings
from loci.nodes.part import MemoryPart
from loci.nodes.scene import SceneMemoryNode
from loci.nodes.spatial import SpatialMemoryNode
from loci.perception.registry import make_image_encoder

#: Feedback of an action is sent at most so often [s].
FEEDBACK_PERIOD = 0.2


def make_nodes(context: Context | None = None, **options: Any) -> list[ManagedNode]:
    """The four nodes of the process; `memory` is first, so that it is open when the others start."""
    memory = MemoryNode(context, **options)
    return [
        memory,
        *(part(memory, context, **options) for part in (SpatialMemoryNode, SceneMemoryNode, EpisodicMemoryNode)),
    ]


class MemoryNode(MemoryPart):
    """Owns the `MemoryHost` from `configure` to `cleanup`."""

    def __init__(self, context: Context | None = None, **options: Any) -> None:
        self.host: MemoryHost | None = None
        self._heard_at = 0.0
        self._working_on = ""
        super().__init__("memory", MEMORY, self, context, **options)
        self.serve(srv.Recall, "recall", self._recall)
        self.serve(srv.Statistics, "statistics", self._statistics)
        self.serve(srv.Save, "save", self._save)
        self.serve(srv.Clear, "clear", self._clear)
        self.action_servers += [
            self._offer(action.Load, "load", self._load),
            self._offer(action.Merge, "merge", self._merge),
            self._offer(action.Consolidate, "consolidate", self._consolidate),
            self._offer(action.Export, "export", self._export),
        ]
        self._observations = self.subscribe(m.Observation, "observations", self._observe, OBSERVATION_QOS)
        self.subscribe(m.PoseCorrections, "pose_corrections", self._correct_poses, RELIABLE_QOS)
        self.every(1.0, self._watch)
        self._warnings = _LibraryWarnings(self)
        logging.getLogger("loci").addHandler(self._warnings)

    # --- life ---------------------------------------------------------------------------------------------------------

    def configure(self) -> None:
        v = self.values
        options = {"model": v["image_model"], "device": v["device"]} if v["image_encoder"] == "clip" else {}
        self.host = MemoryHost(
            Path(v["storage_directory"]).expanduser(),
            parameters=with_settings(MemoryParameters(), MEMORY, v),
            device=v["device"],
            map_frame=v["map_frame"],
            queue_size=v["queue_size"],
            min_stamp_timeout=v["min_stamp_timeout"],
            clock_jump=v["clock_jump"],
            preload_text_encoder=v["preload_text_encoder"],
            image_encoder=make_image_encoder(v["image_encoder"], **options),
            monitor=self.monitor,
            complain=self.complain,
        )
        try:
            self.host.open(v["memory_name"], v["map_id"])
        except BaseException:
            self.host = None
            raise
        with self.host.reading() as memory:
            n = memory.statistics()["keyframes"]
            self.get_logger().info(f"memory {memory.path} with {n} keyframes is open, in map {memory.map_id!r}")

    def activate(self) -> None:
        self._heard_at = time.monotonic()

    def cleanup(self) -> None:
        host, self.host = self.host, None
        if host is not None:
            host.close()
            self.get_logger().info("memory saved and closed")
        super().cleanup()

    def destroy_node(self) -> None:
        logging.getLogger("loci").removeHandler(self._warnings)
        super().destroy_node()

    def diagnose(self) -> tuple[dict[str, Any], str]:
        host = self.host
        if host is None or not host.is_open:
            return {}, "no memory is open"
        with host.reading() as memory:
            values = {"memory": memory.name, "map_id": memory.map_id, "session": memory.session, **memory.statistics()}
        values |= {"queue": len(host.queue), "queue_size": host.queue.capacity}
        dropped = self.monitor.counted("observations dropped")
        warnings = [
            f"{dropped} observations dropped" if dropped else "",
            self.monitor.warning(),
        ]
        return values, ", ".join(w for w in warnings if w)

    # --- observations -------------------------------------------------------------------------------------------------

    def _observe(self, message: Any) -> None:
        self._heard_at = time.monotonic()
        if self.host is not None:
            self.host.submit(message)

    def _correct_poses(self, message: Any) -> None:
        if self.host is None:
            return
        try:
            self.host.correct_poses(message)
        except BadInput as error:
            self.complain(error.reason, str(error))
        except (ValueError, LookupError, RequestError) as error:
            self.complain("pose_corrections", text_of(error))

    def _watch(self) -> None:
        def why() -> str:
            topic = self._observations.topic_name
            return f"{why_silent(self, topic, 'loci_ros/msg/Observation', 'observations')} (is `perception` active?)"

        self.warn_of_silence("observations", time.monotonic() - self._heard_at, self.values["silence_timeout"], why)

    # --- services -----------------------------------------------------------------------------------------------------

    def _recall(self, request: Any, response: Any) -> None:
        query = from_query(request.query)
        with self.reading(request) as (memory, frame):
            found = memory.recall(query)
        response.evidence = [to_evidence(e, frame) for e in found.evidence]
        response.n_total = found.n_total

    def _statistics(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, _):
            values = memory.statistics()
            response.memory_uuid, response.name = memory.uuid, memory.name
            response.map_id, response.session = memory.map_id, memory.session
            response.newest = to_time(memory.newest_stamp_ns)
        values |= self.monitor.values()
        response.values = [KeyValue(key=str(k), value=str(v)) for k, v in values.items()]

    def _save(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, _):
            path = memory.save(request.name or None)
        response.path = str(path)
        response.size = _size_of(path)

    def _clear(self, request: Any, response: Any) -> None:
        if not request.confirm:
            raise ValueError("expected confirm = true: everything would be forgotten")
        with self.changing(request) as (memory, _):
            response.n_forgotten = memory.clear()

    # --- actions ------------------------------------------------------------------------------------------------------

    def _offer(
        self, action_type: Any, name: str, work: Callable[[Any, Any, Callable[[float, str], None]], None]
    ) -> ActionServer:
        """Action whose ``work(goal, result, progress)`` fills the result or raises; one of them runs at a time."""

        def accept(goal: Any) -> GoalResponse:
            return GoalResponse.ACCEPT

        def execute(handle: Any) -> Any:
            result = action_type.Result()
            began, told = time.perf_counter(), [0.0]

            def progress(share: float, stage: str) -> None:
                if handle.is_cancel_requested:
                    raise RequestError(Code.CANCELED, f"{name} was cancelled while {stage}: what was committed stays")
                now = time.monotonic()
                if now - told[0] >= FEEDBACK_PERIOD or share >= 1.0:
                    told[0] = now
                    handle.publish_feedback(action_type.Feedback(progress=float(share), stage=stage))

            with self._working():
                try:
                    self.require_active()
                    self._begin_action(name)
                    try:
                        progress(0.0, "starting")
                        work(handle.request, result, progress)
                        # A cancel that came too late changes nothing.
                        handle.succeed()
                    finally:
                        self._working_on = ""
                except Exception as error:
                    result = action_type.Result()
                    self.report(name, error, result)
                    canceled = result.error_code == Code.CANCELED and handle.is_cancel_requested
                    (handle.canceled if canceled else handle.abort)()
            self.monitor.took(name, time.perf_counter() - began)
            return result

        return ActionServer(
            self,
            action_type,
            name,
            execute,
            goal_callback=accept,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=self.requests_group,
        )

    def _begin_action(self, name: str) -> None:
        with self._idle:
            if self._working_on:
                raise RequestError(Code.UNAVAILABLE, f"{self._working_on} is running: wait for it, or cancel it")
            self._working_on = name

    def _load(self, goal: Any, result: Any, progress: Callable[[float, str], None]) -> None:
        progress(0.1, f"saving the current memory and opening {goal.name}")
        result.memory_uuid, result.n_keyframes = self.memory_host.load(goal.name, goal.map_id)
        progress_done(progress, "loaded")

    def _merge(self, goal: Any, result: Any, progress: Callable[[float, str], None]) -> None:
        T = from_transform(goal.transform) if goal.has_transform else None
        host = self.memory_host
        path = host.saved_memory(goal.name)
        with host.reading() as memory:
            merged = memory.merge(path, T, progress)
        host.touch()
        result.n_keyframes, result.n_objects, result.n_episodes = (
            merged.n_keyframes,
            merged.n_objects,
            merged.n_episodes,
        )
        progress_done(progress, "merged")

    def _consolidate(self, goal: Any, result: Any, progress: Callable[[float, str], None]) -> None:
        host = self.memory_host
        with host.reading() as memory:
            done = memory.consolidate(goal.all, progress)
        host.touch()
        result.n_consolidated, result.n_merged = done.n_consolidated, done.n_merged
        progress_done(progress, "consolidated")

    def _export(self, goal: Any, result: Any, progress: Callable[[float, str], None]) -> None:
        host = self.memory_host
        target = host.path_of("exports") / host.path_of(goal.name, "export name").name
        with host.reading() as memory:
            path = memory.export(target, progress)
        result.path, result.size = str(path), _size_of(path)
        progress_done(progress, "exported")


class _LibraryWarnings(logging.Handler):
    """What the library warns of (a damaged file that was set aside) in the node's log and diagnostics."""

    def __init__(self, node: ManagedNode) -> None:
        super().__init__(logging.WARNING)
        self._node = node

    def emit(self, record: logging.LogRecord) -> None:
        self._node.complain(
            record.name.removeprefix("loci."), record.getMessage(), error=record.levelno >= logging.ERROR
        )


def progress_done(progress: Callable[[float, str], None], stage: str) -> None:
    """Tell that all is done; it is too late to cancel."""
    with suppress(RequestError):
        progress(1.0, stage)


def _size_of(path: Path) -> int:
    """Bytes of the files under a folder."""
    return sum(p.stat().st_size for p in Path(path).rglob("*") if p.is_file())
