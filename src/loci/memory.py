"""`RobotMemory`: one memory of one robot, composed of the spatial, the scene and the episodic memory.

One thread at a time writes (`observe`, `remember`, `forget`, ...; a lock sees to it); any thread asks. Only keyframes are
integrated and kept, and everything hangs on them. This module composes; the mechanisms are in the memories.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.annotating import Annotator
from loci.described_objects import DescribedObjects
from loci.episodic.events import Event, Moment, Noticed, notice
from loci.episodic.habits import HabitParameters
from loci.episodic.long_term import ConsolidationResult
from loci.episodic.memory import SHORT_TERM_THRESHOLD, EpisodicMemory
from loci.episodic.records import Episode
from loci.episodic.short_term import ShortTermParameters
from loci.episodic.tokens import TokenParameters
from loci.evidence import Memories
from loci.forgetting import Forgetting, ForgettingParameters
from loci.geometry import check_pose
from loci.habits import Habits
from loci.history import object_reports
from loci.keyframes import Keyframe, KeyframeParameters, Keyframes, is_keyframe, quantize_depth
from loci.observation import Observation, check_name
from loci.perception.descriptor import DescriptorEncoder
from loci.perception.protocols import ImageEncoder
from loci.perception.text import MiniLMTextEncoder, TextEncoder
from loci.pictures import Pictures
from loci.place_tokens import PlaceTokens
from loci.questions import MemoryQuestions
from loci.scene.memory import SceneMemory, SceneParameters, SceneUpdate
from loci.scene.movers import Mover, separate
from loci.spatial.memory import Landmark, SpatialMemory, SpatialParameters
from loci.spatial.octomap_files import read_octomap
from loci.spatial.places import PlaceEdge
from loci.spatial.street import StreetGraph
from loci.store.errors import StoreError
from loci.store.store import Store
from loci.transfer import (
    ImportedGraph,
    MergeResult,
    Progress,
    export_memory,
    import_graph,
    imported_graphs,
    merge_memory,
)

log = logging.getLogger("loci.memory")

#: Episodes that are compared with those before them at a time, so that no frame waits.
CONSOLIDATION_SLICE = 64
#: Whoever wants commits so rarely wants none [s].
_LONGEST_WAIT_S = 3600.0


class TimeBackwardsError(ValueError):
    """An observation is older than the one before it from the same camera."""


@dataclass(frozen=True)
class MemoryParameters:
    """Settings of a `RobotMemory`.

    Attributes:
        keyframes: what makes an observation worth keeping.
        spatial, scene: settings of these memories.
        short_term: bounds of the short-term memory, and what leaves it first.
        short_term_threshold: score, [0, 1], from which on its records answer a text before the long-term memory does.
        tokens: memory tokens of places and octree nodes; off by default.
        forgetting: how large the memory may grow on disk, and what goes first.
        habits: what is said to be usual.
        commit_period_s: at most so much is lost when the process or the machine dies [s, wall clock]; `remember` commits at once.
        refresh_period: keyframes after which map, rooms and frontiers are brought up to date without being asked for.
    """

    keyframes: KeyframeParameters = field(default_factory=KeyframeParameters)
    spatial: SpatialParameters = field(default_factory=SpatialParameters)
    scene: SceneParameters = field(default_factory=SceneParameters)
    short_term: ShortTermParameters = field(default_factory=ShortTermParameters)
    short_term_threshold: float = SHORT_TERM_THRESHOLD
    tokens: TokenParameters = field(default_factory=TokenParameters)
    forgetting: ForgettingParameters = field(default_factory=ForgettingParameters)
    habits: HabitParameters = field(default_factory=HabitParameters)
    commit_period_s: float = 1.0
    refresh_period: int = 10


@dataclass(frozen=True)
class ObserveResult:
    """What an observation became.

    Attributes:
        keyframe_id: empty if it was no keyframe, and so was not kept.
        created: ids of new objects.
        seen: object id per detection, None where it was not fused.
        timings_ms: duration of each stage [ms].
    """

    keyframe_id: str
    created: tuple[str, ...]
    seen: tuple[str | None, ...]
    timings_ms: Mapping[str, float]


class RobotMemory(MemoryQuestions):
    """What is observed and kept; `MemoryQuestions` has what can be asked. See `open`."""

    def __init__(
        self,
        store: Store,
        map_id: str,
        parameters: MemoryParameters,
        text_encoder: TextEncoder,
        image_encoder: ImageEncoder,
        device: str,
    ) -> None:
        self.parameters = parameters
        self.map_id = map_id
        self.device = device
        self._store = store
        self._text_encoder = text_encoder
        self._image_encoder = image_encoder
        self._write = threading.RLock()
        self._closed = False
        self._later: threading.Timer | None = None  # commits what nobody comes to commit
        self._begin()

    def _begin(self) -> None:
        """Read the memories from the store and begin a session."""
        store, parameters = self._store, self.parameters
        self._sessions = {
            r.id: (float(r.fields.get("utc_offset_s", 0.0)), int(r.fields.get("wall_clock_ns", 0)))
            for r in store.records("session")
        }
        self.session = "" if store.read_only else self._new_session()
        self.newest_stamp_ns = 0
        self._keyframes = Keyframes(store, parameters.keyframes.grid)
        self._spatial = SpatialMemory(store, self._keyframes, self.map_id, parameters.spatial, self.device)
        self._annotator = Annotator()
        self._scene = SceneMemory(store, self._keyframes, parameters.scene)
        self._episodic = EpisodicMemory(
            store, self._text_encoder, parameters.short_term, parameters.short_term_threshold
        )
        self._forgetting = Forgetting(store, parameters.forgetting)
        self._habits = Habits(store, self._scene.objects(), parameters.habits)
        self._described = DescribedObjects()
        self._memories = Memories(
            self._keyframes,
            self._spatial,
            self._scene,
            self._episodic,
            self._text_encoder,
            self._image_encoder,
            self.map_id,
            Pictures(self._keyframes, self._image_encoder),
            self._sessions,
        )
        self._tokens = None
        if parameters.tokens.enabled:
            octree, dimension = parameters.spatial.octree, self._image_encoder.dimension
            self._tokens = PlaceTokens(store, self._keyframes, parameters.tokens, octree, dimension)
        self._noticed = Noticed()
        self._last_keyframe: dict[str, Keyframe] = {}  # by camera
        self._last_stamp_ns: dict[str, int] = {}  # by camera
        self._n_since_refresh = 0
        self._committed_at = time.monotonic()
        self._dirty = False
        if len(self._keyframes) or self._spatial.n_bricks:
            self.refresh()

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        map_id: str | None = None,
        parameters: MemoryParameters | None = None,
        text_encoder: TextEncoder | None = None,
        image_encoder: ImageEncoder | None = None,
        device: str = "cpu",
        read_only: bool = False,
    ) -> RobotMemory:
        """Open the memory in the folder ``path``, or make a new one there.

        Args:
            path: folder of the memory.
            map_id: map that the poses of this session refer to. None: a new map, unless ``read_only`` (then the newest one):
                what other maps hold is found, but is never a goal.
            parameters: settings.
            text_encoder: default: the bundled all-MiniLM-L6-v2, loaded when first needed.
            image_encoder: default: OpenCV features, no weights.
            device: torch device of the octree, ``"cpu"`` or ``"cuda"``.
            read_only: do not lock and do not write; nothing can be observed.

        Raises:
            ValueError: the map id is not a name.
            StoreError: locked by another process, damaged, or of a newer version.
        """
        if map_id:
            check_name(map_id, "map id")
        store = Store.open(Path(path), read_only=read_only)
        try:
            if not map_id:
                newest = _newest_map(store) if read_only else ""
                imported = next((g.map_id for g in imported_graphs(store)), "") if read_only else ""
                map_id = newest or imported or f"map-{uuid.uuid4().hex[:12]}"
            return cls(
                store,
                map_id,
                parameters or MemoryParameters(),
                text_encoder or MiniLMTextEncoder(),
                image_encoder or DescriptorEncoder(),
                device,
            )
        except BaseException:
            store.close()
            raise

    def __enter__(self) -> RobotMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- writing ------------------------------------------------------------------------------------------------------

    def observe(self, observation: Observation) -> ObserveResult:
        """Take in what a camera saw.

        Raises:
            ValueError: the observation is of another map, its embeddings do not fit; nothing has changed then.
            TimeBackwardsError: it is older than the one before from the same camera; nothing has changed then.
        """
        frame = observation.frame
        with self._write:
            if frame.map_id and frame.map_id != self.map_id:
                raise ValueError(
                    f"expected an observation in the current map {self.map_id!r}, got one in {frame.map_id!r}"
                )
            if observation.embedding is not None and len(observation.embedding) != self._image_encoder.dimension:
                expected = f"{self._image_encoder.dimension} values of {self._image_encoder.name}"
                raise ValueError(f"expected an image embedding of {expected}, got {len(observation.embedding)} values")
            last_ns = self._last_stamp_ns.get(frame.camera_name)
            if last_ns is not None and frame.stamp_ns < last_ns:
                raise TimeBackwardsError(
                    f"time ran backwards by {(last_ns - frame.stamp_ns) * 1e-9:.3f} s on {frame.camera_name}: expected a stamp "
                    f">= {last_ns} ns, got {frame.stamp_ns} ns; after a clock jump begin a new session"
                )
            self._last_stamp_ns[frame.camera_name] = frame.stamp_ns
            result = ObserveResult("", (), (), {})
            if is_keyframe(observation, self._last_keyframe.get(frame.camera_name), self.parameters.keyframes):
                result = self._integrate(observation)
            self.newest_stamp_ns = max(self.newest_stamp_ns, frame.stamp_ns)
            return result

    def _integrate(self, observation: Observation) -> ObserveResult:
        watch = _Stopwatch()
        n_detections = len(observation.detections)
        observation, kept = self._scene.limited(observation)
        frame = replace(observation.frame, depth=quantize_depth(observation.frame.depth))
        separated = separate(replace(observation, frame=frame), self.parameters.scene.movers)
        # Whoever walks about is in the picture and in its labels, but not in the depth: whatever is made of it stays static.
        frame = separated.static.frame
        observation = replace(observation, frame=frame)
        if observation.embedding is None:
            observation = replace(observation, embedding=self._image_encoder.encode(frame.color))
            watch.lap("encode")
        keyframe = self._keyframes.add(observation, session=self.session, map_id=self.map_id)
        watch.lap("keyframe")
        self._spatial.integrate(frame, keyframe)
        watch.lap("octree")
        place = self._spatial.visit(keyframe)
        update = self._scene.observe(replace(separated.static, embedding=observation.embedding), keyframe)
        new_movers = self._scene.movers_map.see(separated.moving, keyframe)
        watch.lap("scene")
        seen_ids = tuple(dict.fromkeys(i for i in update.seen if i))
        seen: list[str | None] = [None] * n_detections
        for i, object_id in zip(separated.indices, update.seen, strict=True):
            seen[kept[i]] = object_id
        keyframe = self._keyframes.replace(keyframe.id, place=place, object_ids=seen_ids)
        if update.merged:
            self._follow_merges(update.merged)
        self._remember_experience(keyframe, update, new_movers)
        if self._tokens is not None:
            self._tokens.add(keyframe)
        if keyframe.labels:
            self._text_encoder.encode(
                keyframe.labels
            )  # new categories are embedded here, so that no query waits for them
        watch.lap("episodic")
        self._last_keyframe[frame.camera_name] = keyframe
        self._dirty = True
        self._n_since_refresh += 1
        if self._n_since_refresh >= self.parameters.refresh_period:
            self.refresh()
            self.note_habits()
            watch.lap("refresh")
        self.commit_if_due()
        watch.lap("commit")
        return ObserveResult(keyframe.id, update.created, tuple(seen), watch.laps_ms)

    def _follow_merges(self, merged: Mapping[str, str]) -> None:
        self._keyframes.replace_objects(merged)
        self._episodic.replace_objects(merged)
        self._habits.replace_objects(merged)

    def _notice(self, keyframe: Keyframe, update: SceneUpdate) -> tuple[Event, ...]:
        """What of a keyframe is worth a short-term record, beside people and other movers."""
        view, room = self._spatial.view, None
        if view is not None:
            room = view.room_of(keyframe.T_map_camera[:3, 3])
        entered = (room.id, f"the {room.name}") if room is not None and room.name else ("", "")
        reports = object_reports(update, self._scene.by_id(), keyframe.T_map_camera)
        events, self._noticed = notice(Moment(keyframe.stamp_ns, *entered, objects=reports), self._noticed)
        return events

    def _remember_experience(self, keyframe: Keyframe, update: SceneUpdate, movers: Sequence[Mover]) -> None:
        text = f"saw {', '.join(keyframe.labels)}" if keyframe.labels else "saw nothing known"
        experience = Episode(
            id=keyframe.id,
            kind="keyframe",
            text=text,
            labels=keyframe.labels,
            stamp_ns=keyframe.stamp_ns,
            session=keyframe.session,
            map_id=keyframe.map_id,
            keyframe_id=keyframe.id,
            place=keyframe.place,
            object_ids=keyframe.object_ids,
            source=keyframe.camera_name,
        )
        self._episodic.add_experience(experience, keyframe.embedding)
        for noticed in self._notice(keyframe, update):
            event = replace(
                experience,
                id=self._store.new_id("episode"),
                kind="episode",
                text=noticed.text,
                labels=noticed.labels,
                object_id=noticed.object_id,
                object_ids=(),
                state=noticed.state,
                position_in_camera=noticed.position_in_camera,
            )
            self._episodic.add_event(event)
        for mover in movers:
            event = replace(
                experience,
                id=self._store.new_id("episode"),
                kind="episode",
                text=f"saw a {mover.label}",
                labels=(mover.label,),
                object_ids=(),
                state="moving",
                position_in_camera=mover.position_in_camera,
            )
            self._episodic.add_event(event)

    def refresh(self) -> None:
        """Bring the map, rooms, their names and frontiers up to date, and give new frontiers a photo."""
        with self._write:
            self._n_since_refresh = 0
            landmarks = [
                Landmark(o.label, o.center, self._keyframes.pose(o.keyframe_id)[:3, 3])
                for o in self._scene.objects()
                if o.map_id == self.map_id and o.is_there
            ]
            view = self._spatial.refresh(landmarks)
            self.annotate_voxels()
            for frontier in view.frontiers:
                if frontier.keyframe_id not in self._keyframes:  # a new frontier, or its photo was forgotten
                    keyframe_id = self._keyframes.best_view(frontier.centroid, self.map_id)
                    if keyframe_id:
                        self._spatial.set_frontier_keyframe(frontier.id, keyframe_id)

    def annotate_voxels(self) -> int:
        """Tell the octree which voxels are of which objects, as far as that has changed; returns how many voxels were told.

        While something is being observed nothing is told: who asks then is answered with what was known before, at once.
        """
        if not self._write.acquire(blocking=False):
            return 0
        try:
            return self._annotator.update(self._spatial, (o for o in self._scene.objects() if o.map_id == self.map_id))
        finally:
            self._write.release()

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
        """Remember something that no camera saw; durable on return.

        A robot that takes an object tells so with ``state="held"``, and that it put it down with ``state="placed"``; other
        states (``"open"``, ``"dirty"``) are noted as changes of the object as well.

        Args:
            text: kept as data, never followed as an instruction.
            source: who says so.
            labels, object_id, state, position: what and where it is about; position (3,) [m], map frame.
            pinned: never forgotten by budget.

        Returns:
            The episode's id.

        Raises:
            ValueError: empty text or source, position not finite.
            LookupError: no such object.
        """
        if not text.strip():
            raise ValueError("expected a text to remember, got an empty one")
        if not source.strip():
            raise ValueError("expected a source (who says so), got an empty one")
        where = None
        if position is not None:
            p = np.asarray(position, dtype=np.float64)
            if p.shape != (3,) or not np.all(np.isfinite(p)):
                raise ValueError(f"expected a finite position (x, y, z) [m], got {p.tolist()}")
            where = (float(p[0]), float(p[1]), float(p[2]))
        with self._write:
            if object_id:
                self.object(object_id)
            episode = Episode(
                id=self._store.new_id("episode"),
                kind="episode",
                text=text,
                labels=tuple(labels),
                stamp_ns=self.newest_stamp_ns,
                session=self.session,
                map_id=self.map_id,
                place=self._spatial.current_place,
                object_id=object_id,
                state=state,
                source=source,
                pinned=pinned,
                position=where,
                is_quoted=True,
            )
            self._episodic.remember(episode)
            if object_id and state:
                self._scene.tell(object_id, _told_state(state), self.newest_stamp_ns, self.session)
            self._dirty = True
            self.commit()
            return episode.id

    def forget(self, ids: Iterable[str]) -> int:
        """Really forget episodes, keyframes (with the objects that hang on them) and objects: records, images, index.

        Returns:
            How many of ``ids`` were there.

        Raises:
            LookupError: one of them is not in this memory; nothing is forgotten then.
        """
        wanted = list(dict.fromkeys(ids))
        with self._write:
            objects = self._scene.by_id()
            keyframes = [i for i in wanted if i in self._keyframes]
            scene_objects = [i for i in wanted if i in objects]
            episodes = [i for i in wanted if self._episodic.get(i) is not None and i not in self._keyframes]
            unknown = set(wanted) - {*keyframes, *scene_objects, *episodes}
            if unknown:
                merged = [f"{i}: {why}" for i in sorted(unknown) if (why := self._forgetting.why_gone(i))]
                raise LookupError(
                    f"expected ids of episodes, keyframes or objects of this memory, got {sorted(unknown)}"
                    + (f" ({'; '.join(merged)})" if merged else "")
                )
            for episode in filter(None, map(self._episodic.get, episodes)):
                if episode.is_quoted and episode.state:  # what was noted of the object is that state, as it was told
                    until_ns = max(episode.stamp_ns, episode.until_ns)
                    state = _told_state(episode.state)
                    self._scene.untell(episode.object_id, state, episode.session, episode.stamp_ns, until_ns)
            self._scene.remove(scene_objects)
            gone = set(scene_objects)
            if keyframes:
                if self._tokens is not None:
                    self._tokens.remove(keyframes)
                gone.update(self._scene.remove_keyframes(keyframes))
                self._spatial.remove_keyframes(keyframes)
                for keyframe_id in keyframes:
                    self._keyframes.remove(keyframe_id)
                self._last_keyframe = {c: k for c, k in self._last_keyframe.items() if k.id not in set(keyframes)}
                self._spatial.rebuild()
            self._habits.forget(gone)
            self._habits.forget_keyframes(self._memories, keyframes, self.session)
            hanging = self._episodic.ids_about(gone, set(keyframes))
            self._episodic.forget([*episodes, *hanging])
            self._keyframes.replace_objects(dict.fromkeys(gone))
            self._forgetting.log({*wanted, *gone, *hanging}, "somebody asked to forget it", self.newest_stamp_ns)
            self._memories.pictures.clear()
            self.refresh()
            self.commit()
            self._store.purge()
            return len(wanted)

    def correct_poses(self, poses: Mapping[str, npt.ArrayLike]) -> None:
        """Better poses (4, 4) ``T_map_camera`` for keyframes: everything that hangs on them moves with them; durable on return.

        The octree follows in the background (`is_rebuilding`, `finish_rebuilding`), and with it map, rooms and frontiers; until
        then questions are answered from the one before. `save` and `close` wait for it; `forget` and `merge` make all of it anew.

        Raises:
            ValueError: not a pose.
            LookupError: no such keyframe in the current map; nothing has changed then.
        """
        checked = {i: check_pose(T, f"pose of {i}") for i, T in poses.items()}
        with self._write:
            known = set(self._keyframes.ids(self.map_id))
            unknown = set(checked) - known
            if unknown:
                raise LookupError(f"expected keyframes of map {self.map_id!r}, got {sorted(unknown)}")
            self._keyframes.correct_poses(checked)
            self._last_keyframe = {c: self._keyframes.get(k.id) for c, k in self._last_keyframe.items()}
            self._scene.correct_poses()
            self._spatial.correct_poses()
            if self._tokens is not None:
                self._tokens.follow(checked)
            self._dirty = True
            self.refresh()
            self.commit()
            self._spatial.begin_rebuilding()

    @property
    def is_rebuilding(self) -> bool:
        """Whether the octree does not follow the last correction of poses yet."""
        return self._spatial.is_rebuilding

    @property
    def n_rebuilds(self) -> int:
        """How often the octree was replaced since the memory was opened: then maps made of it are to be asked for anew."""
        return self._spatial.n_rebuilds

    def finish_rebuilding(self, timeout: float | None = None) -> bool:
        """Wait until the octree follows the last correction of poses, at most ``timeout`` seconds; whether it does."""
        return self._spatial.finish_rebuilding(timeout)

    def report_traversal(
        self, source: str, target: str, succeeded: bool, duration: float = 0.0, blocked: bool = False
    ) -> PlaceEdge:
        """Learn how the robot fared on an edge of the topological graph; see `TopologicalGraph.report_traversal`.

        Raises:
            LookupError: there is no such edge; nothing has changed then.
            ValueError: a duration that is negative or not finite, or a success on a blocked edge; nothing has changed then.
        """
        with self._write:
            edge = self._spatial.graph.report_traversal(source, target, succeeded, duration, blocked)
            self._dirty = True
            self.commit_if_due()
            return edge

    def import_graph(self, graph: StreetGraph, map_id: str, source: str = "", progress: Progress | None = None) -> int:
        """Make places and edges of the nodes and links of a graph; durable on return. See `loci.transfer.import_graph`.

        Raises:
            ValueError: the map id is no name, or the map has an imported graph already; nothing has changed then.
        """
        check_name(map_id, "map id")
        with self._write:
            n = import_graph(self._store, self._spatial.graph, graph, map_id, source, progress)
            self._dirty = True
            self.commit()
            return n

    def imported_graphs(self) -> tuple[ImportedGraph, ...]:
        """Graphs that places of this memory come from."""
        return imported_graphs(self._store)

    def begin_session(self) -> str:
        """Begin a new session in the same map, e.g. after the clock jumped; stamps may start anew."""
        with self._write:
            self.commit()
            self.session = self._new_session()
            self._last_stamp_ns.clear()
            self._last_keyframe.clear()
            self.newest_stamp_ns = 0
            self._spatial.graph.begin_segment()
            self._habits.begin_session()
            self._noticed = Noticed()
            return self.session

    def _new_session(self) -> str:
        """A session's record keeps what turns its message stamps into times of day."""
        session = f"session-{uuid.uuid4().hex[:12]}"
        now = datetime.now().astimezone()
        offset = now.utcoffset()
        fields: dict[str, Any] = {
            "began": now.isoformat(),
            "wall_clock_ns": time.time_ns(),
            "utc_offset_s": offset.total_seconds() if offset else 0.0,
        }
        self._sessions[session] = (fields["utc_offset_s"], fields["wall_clock_ns"])
        self._store.put("session", session, fields, session=session, map_id=self.map_id)
        return session

    # --- keeping ------------------------------------------------------------------------------------------------------

    def commit_if_due(self) -> bool:
        """Begin to commit if the last commit is longer ago than the parameter says; returns whether it did.

        The disk is written to by a thread of the store, so that no frame waits for it. What is not due yet is committed when it is,
        though nobody calls this again.
        """
        with self._write:
            if not self._dirty and self._episodic.long_term.n_unconsolidated == 0:
                return False
            left_s = self._committed_at + self.parameters.commit_period_s - time.monotonic()
            if left_s > 0:
                self._commit_after(left_s)
                return False
            self.consolidate_slice()
            self.forget_slice()
            self._put_changes()
            self._store.commit_soon()
            if self._episodic.long_term.n_unconsolidated:
                self._commit_after(self.parameters.commit_period_s)
            return True

    def _commit_after(self, seconds: float) -> None:
        if self._later is None and seconds <= _LONGEST_WAIT_S:
            self._later = threading.Timer(seconds, self._commit_late)
            self._later.daemon = True
            self._later.start()

    def _commit_late(self) -> None:
        with self._write:
            self._later = None
            if not self._closed:
                try:
                    self.commit_if_due()
                except StoreError as error:  # the next call that writes meets it again, and raises it
                    log.warning("%s", error)

    def note_habits(self) -> int:
        """Note where things are that were seen since the last time, and what is usual; how many facts changed.

        It is done after every `MemoryParameters.refresh_period` keyframes, and by `consolidate` and `save`.
        """
        with self._write:
            return self._habits.note(self._memories, self.session, self.newest_stamp_ns)

    def consolidate_slice(self) -> int:
        """Merge near-duplicates among a few episodes that came into the long term; how many. `commit_if_due` does so by itself."""
        with self._write:
            merged = self._episodic.long_term.consolidate_slice(CONSOLIDATION_SLICE)
            self._log_merged(merged)
            return len(merged)

    def _log_merged(self, merged: Mapping[str, str]) -> None:
        for episode_id, into in merged.items():
            self._forgetting.log([episode_id], f"it was merged into {into}, which says the same", self.newest_stamp_ns)

    def forget_slice(self) -> int:
        """Forget a few things if the memory is larger than its budget; how many. `commit_if_due` does so by itself."""
        with self._write:
            forget_tokens = len if self._tokens is None else self._tokens.remove
            return self._forgetting.step(
                self._memories, self._last_keyframe.values(), self.newest_stamp_ns, forget_tokens
            )

    def commit(self) -> None:
        """Make everything that was taken in durable."""
        with self._write:
            self._put_changes()
            self._store.commit()

    def _put_changes(self) -> None:
        self._scene.save()
        self._spatial.save_graph()
        self._forgetting.save()
        self._episodic.note_uses()
        if self._tokens is not None:
            self._tokens.memory.save()
        self._dirty = False
        self._committed_at = time.monotonic()

    def save(self, name: str | None = None) -> Path:
        """Commit, and store the octree too so that opening is quick; with ``name``, copy the memory beside this one.

        Waits for a rebuilding after corrected poses; observations are taken in meanwhile.

        Returns:
            Folder of the memory, or of the copy.

        Raises:
            ValueError: the name is not a name.
            FileExistsError: another memory has that name.
        """
        if name is not None:
            check_name(name, "memory name")
        self.finish_rebuilding()
        with self._write:
            self.finish_rebuilding()  # of a correction that came meanwhile
            self.refresh()
            self.note_habits()
            self._spatial.save_octree()
            self.commit()
            self._episodic.long_term.save_index()
            if name is None or name == self.path.name:
                return self.path
            target = self.path.parent / name
            if target.exists():
                raise FileExistsError(f"a memory named {name!r} exists already in {target.parent}: choose another name")
            self._store.backup(target)
            return target

    def clear(self) -> int:
        """Forget everything; ids are not used again. Returns how many records there were."""
        with self._write:
            self._spatial.stop_rebuilding()
            count = self._store.clear()
            self._begin()
            return count

    def close(self) -> None:
        """Save and close; harmless when closed already."""
        with self._write:
            if self._closed:
                return
            self._closed = True
            if self._later is not None:
                self._later.cancel()
            try:
                if not self._store.read_only:
                    self.save()
            finally:
                self._store.close()

    def consolidate(self, everything: bool = False, progress: Progress | None = None) -> ConsolidationResult:
        """Move short-term records (all, or the older half) to the long term and merge near-duplicates there, all at once.

        What comes into the long term by itself is merged by itself, see `consolidate_slice`.
        """
        with self._write:
            result = self._episodic.consolidate(everything, progress)
            self._log_merged(result.merged)
            self.note_habits()
            self.commit()
            return result

    def merge(
        self, path: Path | str, T_this_other: npt.ArrayLike | None = None, progress: Progress | None = None
    ) -> MergeResult:
        """Take the content of another memory into this one; see `loci.transfer.merge_memory`."""
        T = None if T_this_other is None else check_pose(T_this_other, "transform between the maps")
        with self._write:
            self._spatial.stop_rebuilding()
            self.commit()
            result = merge_memory(self._store, Path(path), self.map_id, T, progress)
            self._begin()
            if T is not None:
                self._spatial.rebuild()
            self.refresh()
            self.save()
            return result

    def import_map(self, path: Path | str) -> None:
        """Take an OctoMap file (``.bt`` or ``.ot``) as what was known of the current map before any keyframe; durable on return.

        It takes the place of what was imported into this map before, and lasts when poses are corrected or keyframes forgotten.

        Raises:
            OctoMapError: no such file, of another resolution, damaged, or too large; nothing has changed then.
            OSError: it cannot be read.
        """
        octree = read_octomap(
            Path(path), self.parameters.spatial.octree, self.device, self.newest_stamp_ns, self._spatial.scratch
        )
        with self._write:
            self._spatial.import_octree(octree, str(path))
            self._dirty = True
            self.refresh()
            self.save()

    def export(self, directory: Path | str, progress: Progress | None = None) -> Path:
        """Write the memory as JSON, JPEG and PLY; see `loci.transfer.export_memory`."""
        return export_memory(self, Path(directory), progress)

    @property
    def path(self) -> Path:
        """Folder of the memory."""
        return self._store.path

    @property
    def name(self) -> str:
        """Name of the memory: that of its folder."""
        return self._store.path.name

    @property
    def uuid(self) -> str:
        """Identity of the memory, kept for ever."""
        return self._store.uuid

    def statistics(self) -> dict[str, int | float | str]:
        """Counts, sizes in bytes, the newest stamp, and what was found damaged when the memory was opened."""
        return {
            "keyframes": len(self._keyframes),
            "objects": len(self._scene.objects()),
            "snapshots": len(self._scene.snapshots()),
            "changes": len(self._scene.changes()),
            "movers": len(self._scene.movers()),
            "detections_left_out": sum(self._scene.skipped.values()),
            **self._spatial.statistics(),
            **self._episodic.statistics(),
            **({} if self._tokens is None else self._tokens.memory.statistics()),
            "store_bytes": self._store.size_bytes(),
            "newest_stamp_ns": self.newest_stamp_ns,
            "store_warnings": "; ".join(self._store.warnings),
        }


def _told_state(state: str) -> str:
    """A state that somebody told, as it is noted of the object."""
    return state.strip().lower()


def _newest_map(store: Store) -> str:
    """Map of the newest keyframe; where there is none, one that was imported; empty: the memory knows no map."""
    of_keyframes = (k.map_id for k in reversed(Keyframes(store).all()))
    return next(of_keyframes, "") or next((r.map_id for r in store.records("imported_octree")), "")


class _Stopwatch:
    """Laps in milliseconds, by name."""

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps_ms[name] = (now - self._last) * 1e3
        self._last = now
