"""Forgetting under a byte budget, in small slices beside the work, and why something was kept or forgotten.

Images are by far the largest part of a memory. So what fades first are the images of keyframes that nothing needs: words, poses, embeddings
and the map stay, and the keyframe is still found. Snapshots, best views of objects, photos of frontiers and what pinned episodes hang on
never fade. If that is not enough, the least worth faded keyframes on which nothing hangs are dropped (the map stays as it is), then the least
worth unpinned episodes. Deleting for good, with all that follows, is `RobotMemory.forget`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from loci.episodic.records import Episode
from loci.episodic.retention import Retention, RetentionParameters, distinctness, least_worth, retention
from loci.evidence import Memories
from loci.keyframes import Keyframe
from loci.store.store import Store

#: Kinds of records: what was forgotten and why; how often keyframes and episodes were given as evidence.
_LOG, _USES = "forgotten", "uses"
#: Entries of the log that are kept; the oldest go.
MAX_LOG = 10_000
#: Views from within so many metres in directions within so many radians look alike.
_SAME_PLACE, _SAME_DIRECTION = 0.5, float(np.radians(30.0))
#: The oldest keyframes that are weighed against one another at a time.
_MAX_CANDIDATES = 4096
#: So many events at one keyframe make it as important as can be.
_MANY_EVENTS = 3


@dataclass(frozen=True)
class ForgettingParameters:
    """When the memory forgets.

    Attributes:
        budget_bytes: the memory on disk may grow to so many bytes; 0: without limit.
        slice_size: at most so many keyframes or episodes are forgotten at a time, so that no question waits.
        retention: what is worth keeping.
    """

    budget_bytes: int = 0
    slice_size: int = 8
    retention: RetentionParameters = field(default_factory=RetentionParameters)

    def __post_init__(self) -> None:
        if self.budget_bytes < 0:
            raise ValueError(f"expected budget_bytes >= 0 (0: no limit), got {self.budget_bytes}")
        if self.slice_size < 1:
            raise ValueError(f"expected slice_size >= 1, got {self.slice_size}")


@dataclass(frozen=True)
class Explanation:
    """Why something is kept, or why it was forgotten: plain words, the most important first."""

    is_kept: bool
    reasons: tuple[str, ...]


class Forgetting:
    """Keeps a memory within its budget, counts what is used, and keeps the log. The writer's thread changes; any thread asks and notes uses."""

    def __init__(self, store: Store, parameters: ForgettingParameters) -> None:
        self.parameters = parameters
        self._store = store
        self._lock = threading.Lock()
        record = store.get(_USES, "all")
        self._uses: Counter[str] = Counter(record.fields["counts"] if record is not None else {})
        self._is_changed = False
        self._log_ids = [r.id for r in store.records(_LOG)]

    def note_uses(self, ids: Iterable[str]) -> None:
        """Count what was given as an answer."""
        with self._lock:
            self._uses.update(i for i in ids if i)
            self._is_changed = True

    def save(self) -> None:
        """Put the counts into the store, if a budget makes use of them."""
        if not self._is_changed or not self.parameters.budget_bytes:
            return
        with self._lock:
            counts, self._is_changed = dict(self._uses), False
        self._store.put(_USES, "all", {"counts": counts})

    def log(self, ids: Iterable[str], reason: str, stamp_ns: int) -> None:
        """Note that these were forgotten, and why; nothing of their content."""
        for forgotten in ids:
            self._store.put(_LOG, forgotten, {"reason": reason}, stamp_ns=stamp_ns)
            self._log_ids.append(forgotten)
            with self._lock:
                self._is_changed |= self._uses.pop(forgotten, None) is not None
        while len(self._log_ids) > MAX_LOG:
            self._store.delete(_LOG, self._log_ids.pop(0))

    def step(
        self,
        memories: Memories,
        recent: Iterable[Keyframe],
        stamp_ns: int,
        before_dropping: Callable[[Collection[str]], object] = len,
    ) -> int:
        """Forget one slice, if the memory is larger than it may be; how many keyframes faded or went, or episodes went.

        Args:
            memories: what is forgotten from.
            recent: keyframes that new frames are compared with: they stay.
            stamp_ns: of now, for the log.
            before_dropping: is told the ids of keyframes that are about to go.
        """
        budget = self.parameters.budget_bytes
        # Not the bytes of the files: a database never gets smaller by itself, and forgetting makes its log longer.
        excess = self._store.kept_bytes() - budget if budget else 0
        if excess <= 0:
            return 0
        recent = tuple(recent)
        return (
            self._fade(memories, recent, stamp_ns, excess)
            or self._drop_keyframes(memories, recent, stamp_ns, before_dropping)
            or self._drop_episodes(memories, stamp_ns)
        )

    def explain(self, memories: Memories, id: str) -> Explanation:
        """Why something is kept, or why it was forgotten.

        Raises:
            LookupError: this memory does not know of it, and never forgot it.
        """
        gone = self.why_gone(id)
        why = [gone] if gone else []
        if id in memories.keyframes:
            return Explanation(True, tuple(why or self._why_keyframe(memories, memories.keyframes.get(id))))
        episode = memories.episodic.get(id)
        if episode is not None:
            return Explanation(True, tuple(self._why_episode(memories, episode)))
        if id in memories.scene.by_id():
            return Explanation(True, ("objects are kept until somebody asks to forget them",))
        if why:
            return Explanation(False, tuple(why))
        raise LookupError(f"nothing is known of {id!r}, and nothing of that name was forgotten")

    def why_gone(self, id: str) -> str:
        """What the log says of something that was forgotten, faded or merged; empty: nothing."""
        record = self._store.get(_LOG, id)
        return str(record.fields["reason"]) if record is not None else ""

    # --- inside -------------------------------------------------------------------------------------------------------

    def _fade(self, memories: Memories, recent: Iterable[Keyframe], stamp_ns: int, excess: int) -> int:
        kept = {k.id for k in recent} | needed_keyframes(memories).keys()
        unneeded = (k for k in memories.keyframes.all() if not k.is_faded and k.id not in kept)
        candidates = list(islice(unneeded, _MAX_CANDIDATES))
        if not candidates:
            return 0
        worth, groups = self._worth_of_keyframes(memories, candidates)
        freed = 0
        faded: set[str] = set()
        for i in least_worth(worth.score, groups, self.parameters.slice_size):
            keyframe_id = candidates[i].id
            freed += memories.keyframes.image_bytes(keyframe_id)
            memories.keyframes.fade(keyframe_id)
            self.log([keyframe_id], f"its images were forgotten {self._to_keep_within}: {worth.reason(i)}", stamp_ns)
            faded.add(keyframe_id)
            if freed >= excess:
                break
        memories.scene.let_go_of_images(faded)
        return len(faded)

    def _drop_keyframes(
        self,
        memories: Memories,
        recent: Iterable[Keyframe],
        stamp_ns: int,
        before_dropping: Callable[[Collection[str]], object],
    ) -> int:
        """Where no image is left that may fade: forget faded keyframes on which nothing hangs, with what they saw; the map stays."""
        if memories.spatial.is_rebuilding:
            return 0
        kept = {k.id for k in recent} | needed_keyframes(memories).keys() | anchors(memories)
        unneeded = (k for k in memories.keyframes.all() if k.is_faded and k.id not in kept)
        candidates = list(islice(unneeded, _MAX_CANDIDATES))
        if not candidates:
            return 0
        worth, groups = self._worth_of_keyframes(memories, candidates)
        chosen = [int(i) for i in least_worth(worth.score, groups, self.parameters.slice_size)]
        gone = {candidates[i].id: worth.reason(i) for i in chosen}
        before_dropping(gone.keys())
        memories.spatial.drop_faded([candidates[i] for i in chosen])
        memories.scene.remove_keyframes(gone)
        hanging = memories.episodic.ids_about((), gone)
        memories.episodic.forget(hanging)
        for keyframe_id in gone:
            memories.keyframes.remove(keyframe_id)
        for episode_id in {*hanging, *gone}:
            reason = gone.get(episode_id, "what it hung on was the least worth")
            self.log([episode_id], f"it was forgotten {self._to_keep_within}: {reason}", stamp_ns)
        return len(gone)

    def _worth_of_keyframes(
        self, memories: Memories, keyframes: Sequence[Keyframe]
    ) -> tuple[Retention, npt.NDArray[np.int64]]:
        """Of N keyframes in order of time, and which group of like views each is in, (N,)."""
        poses = np.stack([k.T_map_camera for k in keyframes])  # (N, 4, 4)
        groups = distinctness(poses[:, :3, 3], poses[:, :3, 2], _SAME_PLACE, _SAME_DIRECTION)
        n_events = memories.episodic.long_term.n_events_at([k.id for k in keyframes])
        importance = 0.5 / np.bincount(groups)[groups] + 0.5 * np.minimum(1.0, n_events / _MANY_EVENTS)
        return self._worth([k.id for k in keyframes], importance), groups

    def _drop_episodes(self, memories: Memories, stamp_ns: int) -> int:
        """Where no keyframe is left that may go: forget unpinned events and remarks of the long term."""
        long_term = memories.episodic.long_term
        episodes = sorted((e for e in long_term.all() if e.kind == "episode" and not e.pinned), key=long_term.time_key)
        if not episodes:
            return 0
        # What was told by somebody cannot be seen again; what happened often says more.
        importance = np.array([0.5 * (not e.keyframe_id) + 0.5 * (1.0 - 1.0 / e.count) for e in episodes])
        worth = self._worth([e.id for e in episodes], importance)
        chosen = np.argsort(worth.score, kind="stable")[: self.parameters.slice_size]
        for i in chosen:
            memories.episodic.forget([episodes[i].id])
            self.log([episodes[i].id], f"it was forgotten {self._to_keep_within}: {worth.reason(int(i))}", stamp_ns)
        return len(chosen)

    def _worth(self, ids: Sequence[str], importance: npt.NDArray[np.float64]) -> Retention:
        """Of memories in order of time."""
        with self._lock:
            uses = [self._uses[i] for i in ids]
        return retention(importance, np.arange(len(ids) - 1, -1, -1), uses, self.parameters.retention)

    @property
    def _to_keep_within(self) -> str:
        return f"to keep the memory within {self.parameters.budget_bytes} bytes"

    def _why_keyframe(self, memories: Memories, keyframe: Keyframe) -> list[str]:
        needed = needed_keyframes(memories).get(keyframe.id)
        return [f"its images are kept because {needed}"] if needed else [self._in_room()]

    def _why_episode(self, memories: Memories, episode: Episode) -> list[str]:
        reasons = ["it is pinned"] if episode.pinned else [self._in_room()]
        if memories.episodic.short_term.get(episode.id) is not None:
            reasons.insert(0, "it is in the short-term memory")
        if episode.count > 1:
            reasons.append(f"it stands for {episode.count} experiences that were alike")
        return reasons

    def _in_room(self) -> str:
        budget, size = self.parameters.budget_bytes, self._store.kept_bytes()
        if not budget:
            return "nothing is forgotten by itself: the memory has no byte budget"
        if size <= budget:
            return f"there is room: the memory has {size} of {budget} bytes"
        return "other memories are worth less, and will be forgotten first"


def anchors(memories: Memories) -> set[str]:
    """Keyframes by whose poses it is known where something is: places, changes, and whoever or whatever was there before."""
    changes = memories.scene.changes()
    hanging = {place.keyframe_id for place in memories.spatial.topology().places}
    hanging |= {change.keyframe_id for change in changes}
    hanging |= {p.keyframe_id for change in changes for p in (change.old, change.new) if p is not None}
    hanging |= {mover.keyframe_id for mover in memories.scene.movers()}
    hanging |= {p.keyframe_id for o in memories.scene.objects() for p in o.past}
    return hanging | {e.keyframe_id for e in memories.episodic.short_term.records()}


def needed_keyframes(memories: Memories) -> dict[str, str]:
    """Why the images of these keyframes must stay, by keyframe id."""
    needed = {s.keyframe_id: f"it is the image of {s.id}" for s in memories.scene.snapshots()}
    for o in memories.scene.objects():
        needed.setdefault(o.keyframe_id, f"it is the best view of {o.id}")
    view = memories.spatial.view
    for frontier in view.frontiers if view is not None else ():
        needed.setdefault(frontier.keyframe_id, f"it is the photo of {frontier.id}")
    for episode in (*memories.episodic.short_term.records(), *memories.episodic.long_term.pinned()):
        if episode.pinned and episode.keyframe_id:
            needed.setdefault(episode.keyframe_id, f"{episode.id}, which is pinned, hangs on it")
    needed.pop("", None)
    return needed
