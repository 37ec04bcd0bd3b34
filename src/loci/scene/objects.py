"""The object map: detections of keyframes become objects that keep their identity.

Costs depend on the objects in view, not on how many there are. One thread calls the methods that change anything;
`objects` and `get` read what was published last. What is gone is noticed here (`loci.scene.presence`); what has moved
is told from outside (`relocate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.observation import Observation
from loci.scene.association import AssociationParameters, associate, bridged
from loci.scene.merging import denoise, merge, split_up
from loci.scene.presence import PresenceParameters, look, take_in, view_box
from loci.scene.sightings import Sighting, SightingParameters, sightings
from loci.scene.track_table import TrackTable
from loci.scene.tracks import SceneObject, Track
from loci.store.record import Record

__all__ = ["Maintenance", "ObjectMap", "ObjectParameters", "ObjectUpdate", "SceneObject"]


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
        skipped: how many detections were left out (or only their embedding), by reason.
        states: {object id: states that it is seen to be in and was not before}, e.g. ("open",) of what was closed.
    """

    seen: tuple[str | None, ...]
    created: tuple[str, ...]
    changed: tuple[str, ...]
    visible: Mapping[str, float]
    lost: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    looked: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
        self._tracks = TrackTable(self.parameters.max_grids)
        self._embedding_size = 0  # 0: none was seen yet
        self._published: dict[str, SceneObject] = {}  # replaced at every change, never written to
        self._listed: tuple[dict[str, SceneObject], tuple[SceneObject, ...]] = (self._published, ())
        self._unconfirmed: dict[str, None] = {}  # objects with too few detections so far
        self._tick = 0  # keyframes taken in, over all sessions

    # --- reading ------------------------------------------------------------------------------------------------------

    def objects(self) -> tuple[SceneObject, ...]:
        """All objects, oldest first; the same tuple until something changes."""
        published = self._published
        if self._listed[0] is not published:  # made when asked for: most changes are followed by the next one first
            self._listed = (published, tuple(published.values()))
        return self._listed[1]

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
        observation, n_other_size = self._of_one_size(observation)
        found, skipped = sightings(observation, self.parameters.sightings)
        if n_other_size:
            skipped["embedding of another size"] = n_other_size
        seen: list[str | None] = [None] * len(observation.detections)
        self._tick += 1
        if not found:
            lost, back, looked = self._look(observation, {}, map_id)
            self._publish((*lost, *back, *looked))
            return ObjectUpdate(tuple(seen), (), (), {}, lost, back, looked, skipped)
        tracks = self._nearby(found, map_id, 0.1)
        wide = self._nearby(found, map_id, self.parameters.bridge_range)
        assigned, repeats = associate(found, tracks, self.parameters.association)
        created: list[str] = []
        visible: dict[str, float] = {}
        states: dict[str, tuple[str, ...]] = {}
        for sighting, k, repeat in zip(found, assigned, repeats, strict=True):
            if repeat:
                continue
            if k >= 0:
                track = tracks[k]
            else:
                track = Track(self._new_id(), map_id, sighting.cloud)
                track.standing.first_tick, track.standing.first_keyframe_id = self._tick, keyframe_id
                self._add(track)
                created.append(track.id)
            track.standing.last_tick, track.standing.last_keyframe_id = self._tick, keyframe_id
            for other in bridged(sighting, track, wide, self.parameters.association):
                self._tracks.bridge(track, other)
            track.fuse(sighting, frame.color, frame.T_map_camera, keyframe_id, frame.stamp_ns)
            told = observation.detections[sighting.index].attributes
            states[track.id] = track.attributes.add(told, sighting.score, frame.stamp_ns)
            seen[sighting.index] = track.id
            visible[track.id] = sighting.score
        lost, back, looked = self._look(observation, visible, map_id)
        self._tracks.note_together([self._tracks[i] for i in visible], self.parameters.together_range)
        self._tracks.dirty.update(visible)
        self._tracks.keep_warm([*(t.id for t in tracks), *visible])
        self._publish((*visible, *lost, *back, *looked))
        return ObjectUpdate(
            tuple(seen),
            tuple(created),
            tuple(visible),
            visible,
            lost,
            back,
            looked,
            skipped,
            {object_id: names for object_id, names in states.items() if names},
        )

    def maintain(self, stamp_ns: int) -> Maintenance:
        """Denoise, merge and drop objects; only what changed since the last call is looked at.

        Args:
            stamp_ns: time of the newest observation [ns].
        """
        p = self.parameters
        removed = []
        for track in [self._tracks[i] for i in self._unconfirmed]:
            if track.n_detections >= p.min_detections:
                del self._unconfirmed[track.id]
            elif not 0 <= stamp_ns - track.last_seen_ns < p.confirm_s * 1e9:
                removed.append(track.id)
                self._drop(track.id)
        changed = {i for i in self._tracks.dirty if denoise(self._tracks[i])}
        merged = merge(self._tracks, p.association)
        for object_id in merged:
            self._unconfirmed.pop(object_id, None)
        changed = (changed | set(merged.values()) | split_up(self._tracks, p.association)) - merged.keys()
        self._tracks.dirty.clear()
        self._publish(changed)
        return Maintenance(merged, tuple(removed), tuple(self._tracks.oldest_first(changed)))

    def correct_poses(self, pose: Callable[[str], Array]) -> tuple[str, ...]:
        """Move every object with its keyframe.

        Args:
            pose: gives the present ``T_map_camera`` (4, 4) of a keyframe id, or raises KeyError: the object stays.

        Returns:
            ids of the objects that moved.
        """
        moved = []
        for track in self._tracks.by_id.values():
            try:
                T_map_anchor = pose(track.keyframe_id)
            except KeyError:
                continue
            if track.move(T_map_anchor):
                moved.append(track.id)
        self._tracks.dirty.update(moved)
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
        return self._tracks.by_id.values()

    def relocate(self, object_id: str, new_id: str) -> None:
        """An object that was gone is the new one: it keeps its id and takes the other's place, and the other is no more."""
        kept, new = self._tracks[object_id], self._tracks[new_id]
        self._tracks.unbridge(kept)  # of where it was
        self._tracks.hand_over(new, kept)
        kept.take_place_of(new)
        self._drop(new_id)
        self._tracks.dirty.add(object_id)
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
        for object_id in self._tracks.by_id if ids is None else sorted(ids):
            yield (object_id, *self._tracks[object_id].record())

    def restore(self, records: Iterable[Record], pose: Callable[[str], Array] | None = None) -> None:
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
            self._add(track)
            self._tick = max(self._tick, track.standing.last_tick)
        self._tracks.mirror_counts()
        self._publish(self._tracks.by_id)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _look(
        self, observation: Observation, visible: Mapping[str, float], map_id: str
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Hold the objects in view against the depth image; ids of those that are gone, that are back, and of others that
        were looked at. See `loci.scene.presence`."""
        frame, p = observation.frame, self.parameters.presence
        in_view = self._tracks.near(*view_box(frame.T_map_camera, frame.camera, p.max_range))
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
        published = self._published.copy()  # a copy of references: 10,000 of them take about 0.1 ms
        for object_id in self._tracks.dropped:
            published.pop(object_id, None)
        self._tracks.dropped.clear()
        for object_id in changed:
            track = self._tracks[object_id]
            published[object_id] = track.publish()
            self._tracks.place(track)
        self._published = published

    def _add(self, track: Track) -> None:
        self._tracks.add(track)
        if track.n_detections < self.parameters.min_detections:
            self._unconfirmed[track.id] = None

    def _drop(self, object_id: str) -> None:
        self._tracks.drop(object_id)
        self._unconfirmed.pop(object_id, None)

    def _of_one_size(self, observation: Observation) -> tuple[Observation, int]:
        """The observation without embeddings of another size than the first one since the start had, and how many had one.

        Embeddings of two sizes come from two encoders and cannot be compared; what is stored from another one is replaced.
        """
        sizes = [0 if d.embedding is None else len(d.embedding) for d in observation.detections]
        if not self._embedding_size:
            self._embedding_size = next((size for size in sizes if size), 0)
        n_wrong = sum(size not in (0, self._embedding_size) for size in sizes)
        if not n_wrong:
            return observation, 0
        detections = tuple(
            d if size in (0, self._embedding_size) else replace(d, embedding=None)
            for d, size in zip(observation.detections, sizes, strict=True)
        )
        return replace(observation, detections=detections), n_wrong

    def _nearby(self, found: list[Sighting], map_id: str, margin: float) -> list[Track]:
        """Objects of the map that come within a margin [m] of the sightings."""
        boxes = np.array([s.cloud.bounds for s in found])
        low, high = boxes[:, :3].min(axis=0) - margin, boxes[:, 3:].max(axis=0) + margin
        return [t for t in self._tracks.near(low, high) if t.map_id == map_id]
