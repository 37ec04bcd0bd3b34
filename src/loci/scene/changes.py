"""What changed in the scene: objects that are gone, that turn up elsewhere, that are new where nothing was, that are held.

The object map says what is gone; here new objects are recognised as old ones, and what was noticed is kept. Poses hang on
keyframes. One thread writes; readers use the published tuple.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from loci.geometry import Array
from loci.keyframes import Keyframe, Keyframes
from loci.scene.change_records import KIND, ChangeKind, SceneChange, change_of, fields_of
from loci.scene.looking_back import Before, look_back
from loci.scene.objects import ObjectMap, ObjectUpdate
from loci.scene.reidentification import Match, ReidentificationParameters, likeness, reidentify
from loci.scene.standing import PastPose
from loci.scene.tracks import Track
from loci.store.store import Record, Store

#: Confidence that is left where another object could be the one, and where nobody had looked at its new place before.
AMBIGUOUS, UNKNOWN_BEFORE = 0.5, 0.8


@dataclass(frozen=True)
class ChangeParameters:
    """What is told as a change.

    Attributes:
        reidentification: when a new object is one that was elsewhere before.
        n_views: earlier views of a place that are looked up.
        min_gone: least probability that a thing had gone before a like one was seen where nobody had looked before.
    """

    reidentification: ReidentificationParameters = field(default_factory=ReidentificationParameters)
    n_views: int = 6
    min_gone: float = 0.3


class Changes:
    """Follows the objects of an object map and keeps what changed.

    Args:
        objects: the object map, told who is who.
        keyframes: their depth images tell what was there before.
        new_id: gives an id that was never used before.
        on: gives the label of what an object lies on or in; empty: not known.
        parameters: settings.
    """

    def __init__(
        self,
        objects: ObjectMap,
        keyframes: Keyframes,
        new_id: Callable[[], str],
        on: Callable[[str], str],
        parameters: ChangeParameters | None = None,
    ) -> None:
        self.parameters = parameters or ChangeParameters()
        self._objects = objects
        self._keyframes = keyframes
        self._new_id = new_id
        self._on = on
        self._changes: dict[str, SceneChange] = {}
        self._published: tuple[SceneChange, ...] = ()
        self._dirty: set[str] = set()
        self._is_stale = False  # something was noted since the last publication
        self._away: set[str] = set()  # objects that are missing or held
        self._moved: set[str] = set()  # objects that were elsewhere before
        self._judged: set[str] = set()  # objects of which it is known whether they are new
        #: Of new objects: what was known when their places were looked up in earlier images, and what these showed.
        self._looked_back: dict[str, tuple[tuple[int, int, int], Before]] = {}
        self._opened_at = 0  # tick of the object map: what is older was judged when it was new

    def changes(self) -> tuple[SceneChange, ...]:
        """All changes in the order in which they were noticed."""
        return self._published

    # --- writing ------------------------------------------------------------------------------------------------------

    def notice(self, update: ObjectUpdate, keyframe: Keyframe) -> dict[str, str]:
        """Recognise what is gone elsewhere and note what changed in a keyframe: places, and states that detectors tell.

        Args:
            update: what the object map made of the keyframe.
            keyframe: of it.

        Returns:
            {id of a new object: id of the object that it is}: the new one is no more.
        """
        for object_id in update.found:
            if object_id in self._away:
                self._away.discard(object_id)
                track = self._objects.track(object_id)
                self._note("found", track, keyframe, new=track.place("present"), confidence=track.standing.presence)
        for object_id in update.lost:
            self._away.add(object_id)
            self._objects.track(object_id).standing.on = self._on(object_id)
        renamed = {}
        for match in self._recognised(update, keyframe):
            track = self._objects.track(match.gone)
            self._move(track, match, keyframe)
            renamed[match.new] = match.gone
        for object_id in update.lost:
            if object_id in self._away:
                track = self._objects.track(object_id)
                alike = self._doubt_moves_like(track)
                confidence = 1.0 - track.standing.presence
                self._note("missing", track, keyframe, old=track.place("missing"), confidence=confidence, alike=alike)
        for object_id, score in update.visible.items():
            if object_id not in renamed:
                self._note_if_new(object_id, keyframe)
                for state in update.states.get(object_id, ()):
                    track = self._objects.track(object_id)
                    self._note("changed", track, keyframe, new=track.place("present"), confidence=score, detail=state)
        self._publish()
        return renamed

    def hold(self, object_id: str, stamp_ns: int, session: str) -> None:
        """An object was taken: that its place is empty is no surprise."""
        track = self._objects.track(object_id)
        if track.standing.state == "held":
            return
        track.standing.on = self._on(object_id)
        track.standing.state = "held"
        # What was seen up to now is another one.
        track.standing.last_tick = self._objects.tick
        track.standing.last_keyframe_id = self._keyframes.newest_id(track.map_id) or track.standing.last_keyframe_id
        self._away.add(object_id)
        self._objects.republish((object_id,))
        self._note_told("held", track, stamp_ns, session, old=track.place("held"))

    def release(self, object_id: str, stamp_ns: int, session: str) -> None:
        """An object was put down, nobody has seen where: it is missing until it is seen."""
        track = self._objects.track(object_id)
        if track.standing.state != "held":
            return
        track.standing.state = "missing"
        self._objects.republish((object_id,))
        self._note_told("missing", track, stamp_ns, session, old=track.place("missing"))

    def tell(self, object_id: str, detail: str, stamp_ns: int, session: str) -> None:
        """Somebody says what became of an object, e.g. that it is open; its place is the same."""
        track = self._objects.track(object_id)
        self._note_told("changed", track, stamp_ns, session, new=track.place(track.standing.state), detail=detail)

    def untell(self, object_id: str, detail: str, session: str, first_ns: int, last_ns: int) -> None:
        """Forget that somebody said so in a span of time."""
        for change in self._published:
            is_it = (change.kind, change.object_id, change.detail) == ("changed", object_id, detail)
            if (
                is_it
                and not change.keyframe_id
                and change.session == session
                and first_ns <= change.stamp_ns <= last_ns
            ):
                self._delete(change.id)
        self._publish()

    def remap(self, merged: Mapping[str, str]) -> None:
        """Follow objects that have become parts of others, {old id: new id}."""
        for change in self._published:
            if change.object_id in merged:
                self._put(replace(change, object_id=merged[change.object_id]))
        for old, new in merged.items():
            self._judged.discard(old)
            self._looked_back.pop(old, None)
            for ids in (self._away, self._moved):
                if old in ids:
                    ids.discard(old)
                    ids.add(new)
        self._publish()

    def forget(self, object_ids: Iterable[str], keyframe_ids: Iterable[str] = ()) -> None:
        """Forget what is about objects, and what hangs on keyframes; also in the histories of other objects."""
        objects, keyframes = set(object_ids), set(keyframe_ids)
        for change in self._published:
            hangs_on = {change.keyframe_id, *(p.keyframe_id for p in (change.old, change.new) if p is not None)}
            if change.object_id in objects or hangs_on & keyframes:
                self._delete(change.id)
        for object_id in objects:
            self._away.discard(object_id)
            self._moved.discard(object_id)
            self._judged.discard(object_id)
            self._looked_back.pop(object_id, None)
        if keyframes:
            self._looked_back.clear()
            for track in self._objects.tracks():
                kept = tuple(p for p in track.standing.past if p.keyframe_id not in keyframes)
                if len(kept) < len(track.standing.past):
                    track.standing.past = kept
                    self._objects.republish((track.id,))
        self._publish()

    # --- storing ------------------------------------------------------------------------------------------------------

    def save(self, store: Store) -> None:
        """Put what changed since the last call into the store."""
        dirty, self._dirty = self._dirty, set()
        for change_id in sorted(dirty):
            change = self._changes.get(change_id)
            if change is None:
                store.delete(KIND, change_id)
                continue
            store.put(
                KIND,
                change.id,
                fields_of(change),
                stamp_ns=change.stamp_ns,
                session=change.session,
                map_id=change.map_id,
            )

    def restore(self, records: Iterable[Record]) -> None:
        """Take in stored changes, and what the objects say of themselves.

        Raises:
            ValueError: a record is none of `save`.
        """
        for record in records:
            self._changes[record.id] = change_of(record)
        self._is_stale = True
        self._away = {t.id for t in self._objects.tracks() if not t.standing.is_there}
        self._moved = {t.id for t in self._objects.tracks() if t.standing.past}
        self._opened_at = self._objects.tick
        self._publish()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _recognised(self, update: ObjectUpdate, keyframe: Keyframe) -> list[Match]:
        """New objects that are ones that are gone."""
        if not self._away:
            return []
        gone = [self._objects.track(i) for i in sorted(self._away)]
        labels = {t.label for t in gone}
        earliest = min(t.standing.last_tick for t in gone)
        # Of those that are not in view only what has just gone may be one.
        seen = self._objects.tracks() if update.lost else (self._objects.track(i) for i in update.visible)
        new = [
            t
            for t in seen
            if t.standing.first_tick > earliest
            and t.label in labels
            and not t.standing.past
            and t.standing.is_there
            and t.n_detections >= self._objects.parameters.min_detections
        ]
        p = self.parameters.reidentification
        new = [t for t in new if any(likeness(a, t, p) for a in gone)]
        before = [self._before(t) for t in new]
        possible = np.zeros((len(gone), len(new)), dtype=np.bool_)
        for i, a in enumerate(gone):
            for j, b in enumerate(new):
                possible[i, j] = self._may_be(a, b, before[j], keyframe)
        return reidentify(gone, new, possible, p)

    def _may_be(self, gone: Track, new: Track, before: Before, keyframe: Keyframe) -> bool:
        """Whether times and places allow that an object that is gone is a new one.

        What was seen while the other one was in its place, by the detector or only by the depth camera, is another one. Where
        nobody had looked before, it may always have been there: then it is the other one only if that had time to get there.
        If it may have gone at any time between being seen last and being missed, it had gone before the new one was seen with
        the probability that is asked for here.
        """
        if new.standing.first_tick <= gone.standing.last_tick:
            return False
        first, last = before.there_since or new.standing.first_keyframe_id, gone.standing.last_keyframe_id
        if before.there_since and not self._is_after(first, last):
            return False
        if before.was_empty or gone.standing.state == "held":
            return True
        if first not in self._keyframes or last not in self._keyframes:
            return False
        session = self._keyframes.get(first).session
        if session != self._keyframes.get(last).session:
            return True  # it went while the robot was switched off, or later
        if session != keyframe.session:
            return False  # it was still there when the robot was switched off, as far as is known
        until, absence = self._keyframes.get(first).stamp_ns - gone.last_seen_ns, keyframe.stamp_ns - gone.last_seen_ns
        return until >= self.parameters.min_gone * absence

    def _is_after(self, keyframe_id: str, other: str) -> bool:
        """Whether a keyframe was taken after another one, as far as both are known."""
        return other in self._keyframes and self._keyframes.order(keyframe_id) > self._keyframes.order(other)

    def _before(self, track: Track) -> Before:
        """What was in the place of a new object before it was detected; looked up again when more is known."""
        known_for = (track.n_detections, len(self._away), len(self._moved))
        known = self._looked_back.get(track.id)
        if known is None or (known[0] != known_for and not known[1].was_empty):
            presence = self._objects.parameters.presence
            found = look_back(track, self._keyframes, self._left(track.map_id), presence, self.parameters.n_views)
            known = self._looked_back[track.id] = (known_for, found)
        return known[1]

    def _left(self, map_id: str) -> list[tuple[Array, tuple[float, float, float]]]:
        """Boxes, pose and size, where things were that are elsewhere now."""
        gone = [self._objects.track(i) for i in self._away]
        moved = [self._objects.track(i) for i in self._moved]
        boxes = [(t.T_map_box, t.size) for t in gone if t.map_id == map_id]
        for p in (p for t in moved if t.map_id == map_id for p in t.standing.past if p.keyframe_id in self._keyframes):
            boxes.append((self._keyframes.pose(p.keyframe_id) @ p.T_camera_box, p.size))
        return boxes

    def _move(self, track: Track, match: Match, keyframe: Keyframe) -> None:
        """Let an object be where the new one of a match is."""
        old, first_tick = track.place("moved"), self._objects.track(match.new).standing.first_tick
        was_empty = self._before(self._objects.track(match.new)).was_empty
        self._judged.discard(match.new)
        self._looked_back.pop(match.new, None)
        alike = self._doubt_moves_like(track) or match.ambiguous
        self._objects.relocate(match.gone, match.new)
        self._away.discard(match.gone)
        self._moved.add(match.gone)
        track.standing.on = self._on(track.id)
        for change in [c for c in self._changes.values() if c.object_id == match.new]:
            self._delete(change.id)  # it was told as new
        confidence = match.likeness * (1.0 if was_empty else UNKNOWN_BEFORE)
        new = track.place("present")
        self._note(
            "moved", track, keyframe, old=old, new=new, confidence=confidence, alike=alike, first_tick=first_tick
        )

    def _doubt_moves_like(self, track: Track) -> bool:
        """Mark moves of objects like this one, which is gone: it may be this one that was found there; whether there are any."""
        found = False
        for change in list(self._changes.values()):
            if change.kind != "moved" or change.label != track.label or change.object_id == track.id:
                continue
            try:
                other = self._objects.track(change.object_id)
            except KeyError:
                continue
            if change.first_tick > track.standing.last_tick and likeness(
                other, track, self.parameters.reidentification
            ):
                found = True
                if not change.ambiguous:
                    self._put(replace(change, ambiguous=True, confidence=AMBIGUOUS * change.confidence))
        return found

    def _note_if_new(self, object_id: str, keyframe: Keyframe) -> None:
        """Note a confirmed object whose place was seen empty before; looked at once for each."""
        track = self._objects.track(object_id)
        s = track.standing
        confirmed = track.n_detections >= self._objects.parameters.min_detections and not s.past
        if not confirmed or s.first_tick <= self._opened_at or object_id in self._judged:
            return
        self._judged.add(object_id)
        before = self._before(track)
        if before.was_empty and not before.there_since:  # the newest look at the place tells
            self._note("new", track, keyframe, new=track.place("present"), confidence=s.presence)

    def _note(
        self,
        kind: ChangeKind,
        track: Track,
        keyframe: Keyframe,
        *,
        old: PastPose | None = None,
        new: PastPose | None = None,
        confidence: float,
        alike: bool = False,
        detail: str = "",
        first_tick: int = 0,
    ) -> None:
        self._put(
            SceneChange(
                self._new_id(),
                kind,
                track.id,
                track.label,
                keyframe.stamp_ns,
                keyframe.session,
                keyframe.map_id,
                keyframe.id,
                old,
                new,
                min(max(confidence * (AMBIGUOUS if alike else 1.0), 0.0), 1.0),
                alike,
                detail=detail,
                first_tick=first_tick,
            )
        )

    def _note_told(
        self,
        kind: ChangeKind,
        track: Track,
        stamp_ns: int,
        session: str,
        *,
        old: PastPose | None = None,
        new: PastPose | None = None,
        detail: str = "",
    ) -> None:
        change_id, place = self._new_id(), (old, new)
        self._put(
            SceneChange(
                change_id, kind, track.id, track.label, stamp_ns, session, track.map_id, "", *place, 1.0, detail=detail
            )
        )
        self._publish()

    def _put(self, change: SceneChange) -> None:
        self._changes[change.id] = change
        self._dirty.add(change.id)
        self._is_stale = True

    def _delete(self, change_id: str) -> None:
        del self._changes[change_id]
        self._dirty.add(change_id)
        self._is_stale = True

    def _publish(self) -> None:
        """Let readers see what was noted since the last call; most keyframes change nothing."""
        if self._is_stale:
            self._is_stale = False
            self._published = tuple(self._changes.values())
