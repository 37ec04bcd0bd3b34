"""The object map: detections of keyframes become objects that keep their identity.

Costs depend on the objects in view, not on how many there are. One thread calls the methods that change anything;
`objects` and `get` read what was published last. What is gone is noticed here (`loci.scene.presence`); what has moved
is told from outside (`relocate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.observation import Observation
from loci.scene.association import AssociationParameters, associate, bridged, same_object
from loci.scene.boxes import BoxIndex, close_pairs
from loci.scene.clouds import clusters
from loci.scene.presence import PresenceParameters, look, take_in, view_box
from loci.scene.sightings import Sighting, SightingParameters, sightings
from loci.scene.tracks import SceneObject, Track

__all__ = ["Maintenance", "ObjectMap", "ObjectParameters", "ObjectRecord", "ObjectUpdate", "SceneObject"]


class ObjectRecord(Protocol):
    """What the store gives back: an id, the fields and the arrays of `ObjectMap.records`."""

    @property
    def id(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...
    @property
    def arrays(self) -> Mapping[str, npt.NDArray[Any]]: ...


@dataclass(frozen=True)
class ObjectParameters:
    """Settings of the object map.

    Attributes:
        sightings: which detections are used.
        association: what is the same object.
        presence: when an object that is not detected is gone.
        min_detections: objects with fewer are dropped by `maintain`, once they have not been seen for ``confirm_s``.
        confirm_s: time that a new object has to be seen again [s].
        together_range: objects of the same label are counted as seen side by side up to this distance [m].
        bridge_range: parts of one thing are looked for up to this distance [m].
        max_grids: objects whose overlap grids are kept in memory.
    """

    sightings: SightingParameters = field(default_factory=SightingParameters)
    association: AssociationParameters = field(default_factory=AssociationParameters)
    presence: PresenceParameters = field(default_factory=PresenceParameters)
    min_detections: int = 2
    confirm_s: float = 20.0
    together_range: float = 2.0
    bridge_range: float = 1.5
    max_grids: int = 256


@dataclass(frozen=True)
class ObjectUpdate:
    """What one keyframe changed.

    Attributes:
        seen: per detection of the observation, the object that it was fused into; None: it was filtered out.
        created: ids of new objects.
        changed: ids of all objects that were fused with something, new ones included.
        visible: {object id: detection score} of what the keyframe shows.
        lost: ids of objects that were found to be gone.
        found: ids of objects that were gone or held and are in their place again.
        looked: ids of the other objects whose presence the keyframe spoke for or against.
    """

    seen: tuple[str | None, ...]
    created: tuple[str, ...]
    changed: tuple[str, ...]
    visible: Mapping[str, float]
    lost: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Maintenance:
    """What maintenance did.

    Attributes:
        merged: {old id: id of the object that it has become a part of}, never a chain.
        removed: ids of objects that were dropped.
        changed: ids of objects that lost noise or took others in.
    """

    merged: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class ObjectMap:
    """Objects of all maps of a memory; association happens within one map.

    Args:
        new_id: gives an id that was never used before.
        parameters: settings.
    """

    def __init__(self, new_id: Callable[[], str], parameters: ObjectParameters | None = None) -> None:
        self.parameters = parameters or ObjectParameters()
        self._new_id = new_id
        self._tracks: dict[str, Track] = {}
        self._boxes = BoxIndex()
        self._published: dict[str, SceneObject] = {}  # replaced at every change, never written to
        self._tuple: tuple[SceneObject, ...] = ()
        self._dirty: set[str] = set()  # changed since the last maintenance
        self._warm: dict[str, None] = {}  # objects with a grid in memory, least recently used first
        self._tick = 0  # keyframes taken in, over all sessions

    # --- reading ------------------------------------------------------------------------------------------------------

    def objects(self) -> tuple[SceneObject, ...]:
        """All objects, oldest first; the same tuple until something changes."""
        return self._tuple

    def by_id(self) -> Mapping[str, SceneObject]:
        """All objects by id; replaced, never changed, when something changes."""
        return self._published

    def get(self, object_id: str) -> SceneObject:
        """One object.

        Raises:
            KeyError: it does not exist.
        """
        try:
            return self._published[object_id]
        except KeyError:
            raise KeyError(f"no object {object_id!r}") from None

    def __len__(self) -> int:
        return len(self._published)

    # --- writing ------------------------------------------------------------------------------------------------------

    def update(self, observation: Observation, keyframe_id: str, map_id: str) -> ObjectUpdate:
        """Fuse the detections of a keyframe.

        Args:
            observation: frame and detections, in any order.
            keyframe_id: under which the frame is stored.
            map_id: of the frame's pose.
        """
        frame = observation.frame
        found = sightings(observation, self.parameters.sightings)
        seen: list[str | None] = [None] * len(observation.detections)
        self._tick += 1
        if not found:
            lost, back, looked = self._look(observation, {}, map_id)
            self._publish((*lost, *back, *looked))
            return ObjectUpdate(tuple(seen), (), (), {}, lost, back, looked)
        tracks = self._nearby(found, map_id, 0.1)
        wide = self._nearby(found, map_id, self.parameters.bridge_range)
        assigned, repeats = associate(found, tracks, self.parameters.association)
        created: list[str] = []
        visible: dict[str, float] = {}
        for sighting, k, repeat in zip(found, assigned, repeats, strict=True):
            if repeat:
                continue
            if k >= 0:
                track = tracks[k]
            else:
                track = Track(self._new_id(), map_id, sighting.cloud)
                track.standing.first_tick, track.standing.first_keyframe_id = self._tick, keyframe_id
                self._tracks[track.id] = track
                created.append(track.id)
            track.standing.last_tick, track.standing.last_keyframe_id = self._tick, keyframe_id
            for other in bridged(sighting, track, wide, self.parameters.association):
                track.bridges[other.id] += 1
                self._dirty.add(other.id)
            track.fuse(sighting, frame.color, frame.T_map_camera, keyframe_id, frame.stamp_ns)
            seen[sighting.index] = track.id
            visible[track.id] = sighting.score
        lost, back, looked = self._look(observation, visible, map_id)
        self._note_together([self._tracks[i] for i in visible])
        self._dirty.update(visible)
        self._keep_warm([*(t.id for t in tracks), *visible])
        self._publish((*visible, *lost, *back, *looked))
        return ObjectUpdate(tuple(seen), tuple(created), tuple(visible), visible, lost, back, looked)

    def maintain(self, stamp_ns: int) -> Maintenance:
        """Denoise, merge and drop objects; only what changed since the last call is looked at.

        Args:
            stamp_ns: time of the newest observation [ns].
        """
        p = self.parameters
        removed = [
            t.id
            for t in self._tracks.values()
            if t.n_detections < p.min_detections and not 0 <= stamp_ns - t.last_seen_ns < p.confirm_s * 1e9
        ]
        for object_id in removed:
            self._drop(object_id)
        changed = {i for i in self._dirty if i in self._tracks and self._denoise(self._tracks[i])}
        merged = self._merge()
        changed = (changed | set(merged.values())) - merged.keys()
        self._dirty.clear()
        self._publish(changed)
        return Maintenance(merged, tuple(removed), tuple(i for i in self._tracks if i in changed))

    def correct_poses(self, pose: Callable[[str], Array]) -> tuple[str, ...]:
        """Move every object with its keyframe.

        Args:
            pose: gives the present ``T_map_camera`` (4, 4) of a keyframe id, or raises KeyError: the object stays.

        Returns:
            ids of the objects that moved.
        """
        moved = []
        for track in self._tracks.values():
            try:
                T_map_anchor = pose(track.keyframe_id)
            except KeyError:
                continue
            if track.move(T_map_anchor):
                moved.append(track.id)
        self._dirty.update(moved)
        self._publish(moved)
        return tuple(moved)

    def track(self, object_id: str) -> Track:
        """The object under construction, for the one thread that writes.

        Raises:
            KeyError: it does not exist.
        """
        return self._tracks[object_id]

    @property
    def tick(self) -> int:
        """Keyframes taken in so far, over all sessions."""
        return self._tick

    def tracks(self) -> Iterable[Track]:
        """All of them, oldest first."""
        return self._tracks.values()

    def relocate(self, object_id: str, new_id: str) -> None:
        """An object that was gone is the new one: it keeps its id and takes the other's place, and the other is no more."""
        self._tracks[object_id].take_place_of(self._tracks[new_id])
        self._drop(new_id)
        self._rename_neighbour(new_id, object_id)
        self._dirty.add(object_id)
        self._publish((object_id,))

    def republish(self, object_ids: Iterable[str]) -> None:
        """Let readers see objects whose standing was changed from outside."""
        self._publish(i for i in object_ids if i in self._tracks)

    def remove(self, object_id: str) -> None:
        """Forget an object; one that does not exist is none."""
        self._drop(object_id)
        self._publish(())

    # --- storing ------------------------------------------------------------------------------------------------------

    def records(
        self, ids: Iterable[str] | None = None
    ) -> Iterator[tuple[str, dict[str, Any], dict[str, npt.NDArray[Any]]]]:
        """(id, JSON-able fields, arrays) of some objects, or of all: what `restore` needs."""
        for object_id in self._tracks if ids is None else sorted(ids):
            yield (object_id, *self._tracks[object_id].record())

    def restore(self, records: Iterable[ObjectRecord], pose: Callable[[str], Array] | None = None) -> None:
        """Take in stored objects, where their keyframes are now.

        Raises:
            ValueError: a record is not one of `records`.
        """
        for record in records:
            try:
                T_map_anchor = None if pose is None else pose(str(record.fields.get("keyframe_id", "")))
            except KeyError:
                T_map_anchor = None
            track = Track.restored(record.id, record.fields, record.arrays, T_map_anchor)
            self._tracks[record.id] = track
            self._tick = max(self._tick, track.standing.last_tick)
        self._publish(self._tracks)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _look(
        self, observation: Observation, visible: Mapping[str, float], map_id: str
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Hold the objects in view against the depth image; ids of those that are gone, that are back, and of others that
        were looked at. See `loci.scene.presence`."""
        frame, p = observation.frame, self.parameters.presence
        in_view = (self._tracks[i] for i in self._boxes.near(*view_box(frame.T_map_camera, frame.camera, p.max_range)))
        tracks = [t for t in in_view if t.map_id == map_id and t.standing.state != "held" and t.id not in visible]
        tracks += [self._tracks[i] for i in visible]
        things = [
            d for d in observation.detections if d.label.strip().lower() not in self.parameters.sightings.background
        ]
        lost, back, looked = [], [], []
        for t, seen in zip(tracks, look(frame.depth, frame.camera, frame.T_map_camera, tracks, p, things), strict=True):
            s, before = t.standing, t.standing.presence
            take_in(seen, t, t.id in visible, bool(things), frame.depth.size, p)
            if s.is_there and s.presence < p.missing_below and t.n_detections >= self.parameters.min_detections:
                s.state = "missing"
                lost.append(t.id)
            elif not s.is_there and (t.id in visible or (s.state == "missing" and s.presence > p.found_above)):
                s.there_again()
                back.append(t.id)
            elif t.id not in visible and abs(s.presence - before) > 0.01:
                looked.append(t.id)
        return tuple(lost), tuple(back), tuple(looked)

    def _publish(self, changed: Iterable[str]) -> None:
        published = {i: o for i, o in self._published.items() if i in self._tracks}
        for object_id in changed:
            track = self._tracks[object_id]
            published[object_id] = track.publish()
            self._boxes.put(object_id, track.bounds)
        self._published, self._tuple = published, tuple(published.values())

    def _drop(self, object_id: str) -> None:
        if self._tracks.pop(object_id, None) is not None:
            self._boxes.remove(object_id)
            self._dirty.discard(object_id)
            self._warm.pop(object_id, None)

    def _nearby(self, found: list[Sighting], map_id: str, margin: float) -> list[Track]:
        """Objects of the map that come within a margin [m] of the sightings."""
        boxes = np.array([s.cloud.bounds for s in found])
        low, high = boxes[:, :3].min(axis=0) - margin, boxes[:, 3:].max(axis=0) + margin
        nearby = (self._tracks[i] for i in self._boxes.near(low, high))
        return [t for t in nearby if t.map_id == map_id]

    def _note_together(self, tracks: list[Track]) -> None:
        """Count pairs of like objects that one image shows side by side."""
        if len(tracks) < 2:
            return
        boxes = np.array([t.bounds for t in tracks])  # (T, 6)
        gap = np.maximum(boxes[:, None, :3] - boxes[None, :, 3:], boxes[None, :, :3] - boxes[:, None, 3:]).max(axis=2)
        for i, j in np.argwhere(np.tril(gap < self.parameters.together_range, -1)):
            a, b = tracks[i], tracks[j]
            if a.label == b.label or not (a.is_labelled and b.is_labelled):
                a.seen_with[b.id] += 1

    def _keep_warm(self, ids: Iterable[str]) -> None:
        for object_id in ids:
            self._warm.pop(object_id, None)
            self._warm[object_id] = None
        while len(self._warm) > self.parameters.max_grids:
            oldest = next(iter(self._warm))
            del self._warm[oldest]
            self._tracks[oldest].cloud.release()

    def _denoise(self, track: Track) -> bool:
        """Drop points that were seen once where others were seen often, and small islands."""
        cloud = track.cloud
        keep = np.ones(len(cloud.points), dtype=np.bool_)
        if track.n_detections >= 5 and np.median(cloud.counts) >= 3:
            keep &= cloud.counts >= 2
        if np.count_nonzero(keep) > 4:
            component = clusters(cloud.points, np.zeros(len(keep), dtype=np.int64))
            sizes = np.bincount(component, weights=keep)
            keep &= sizes[component] >= 0.05 * np.count_nonzero(keep)
        if np.all(keep) or np.count_nonzero(keep) < 4:
            return False
        track.reduce(keep)
        return True

    def _merge(self) -> dict[str, str]:
        """Merge pairs until none is left; ids of the older object stay."""
        p = self.parameters.association
        merged: dict[str, str] = {}
        changed = set(self._dirty)
        while changed:
            tracks = list(self._tracks.values())  # oldest first
            pairs = close_pairs(
                np.array([t.bounds for t in tracks]),
                np.array([t.id in changed for t in tracks]),
                p.touch_distance + 0.1,
            )
            number = {t.id: n for n, t in enumerate(tracks)}
            apart = [
                (number[t.id], number[b])
                for t in tracks
                if t.id in changed
                for b in t.bridges
                if b in number and b != t.id
            ]
            pairs = np.concatenate([pairs, np.sort(np.array(apart, dtype=np.int64).reshape(-1, 2), axis=1)])
            changed = set()
            for i, j in pairs.tolist():
                kept, gone = tracks[i], tracks[j]
                if gone.id not in self._tracks or kept.id not in self._tracks or kept.map_id != gone.map_id:
                    continue
                if kept.standing.is_doubted or gone.standing.is_doubted:
                    continue  # one of them may be what the other was before it was moved a little
                if same_object(kept, gone, p):
                    kept.absorb(gone)
                    self._drop(gone.id)
                    self._rename_neighbour(gone.id, kept.id)
                    merged = {old: kept.id if new == gone.id else new for old, new in merged.items()}
                    merged[gone.id] = kept.id
                    changed.add(kept.id)
            changed &= self._tracks.keys()
        return merged

    def _rename_neighbour(self, old: str, new: str) -> None:
        for track in self._tracks.values():
            for counts in (track.seen_with, track.bridges):
                n = counts.pop(old, 0)
                if n and track.id != new:
                    counts[new] += n
