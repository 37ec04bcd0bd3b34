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
from loci.scene.association import AssociationParameters, associate, bridged, same_object, seen_side_by_side
from loci.scene.boxes import BoxIndex
from loci.scene.clouds import clusters
from loci.scene.presence import PresenceParameters, look, take_in, view_box
from loci.scene.sightings import Sighting, SightingParameters, sightings
from loci.scene.tracks import SceneObject, Track, share_out
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
        self._tracks: dict[str, Track] = {}
        self._age: dict[str, int] = {}  # number of each object in the order in which they came
        self._n_added = 0
        self._embedding_size = 0  # 0: none was seen yet
        self._boxes = BoxIndex()
        self._published: dict[str, SceneObject] = {}  # replaced at every change, never written to
        self._listed: tuple[dict[str, SceneObject], tuple[SceneObject, ...]] = (self._published, ())
        self._unconfirmed: dict[str, None] = {}  # objects with too few detections so far
        self._gone: set[str] = set()  # dropped since the last publication
        self._dirty: set[str] = set()  # changed since the last maintenance
        self._warm: dict[str, None] = {}  # objects with a grid in memory, least recently used first
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
                track.bridges[other.id] += 1
                other.bridges[track.id] += 1
                self._dirty.add(other.id)
            track.fuse(sighting, frame.color, frame.T_map_camera, keyframe_id, frame.stamp_ns)
            told = observation.detections[sighting.index].attributes
            states[track.id] = track.attributes.add(told, sighting.score, frame.stamp_ns)
            seen[sighting.index] = track.id
            visible[track.id] = sighting.score
        lost, back, looked = self._look(observation, visible, map_id)
        self._note_together([self._tracks[i] for i in visible])
        self._dirty.update(visible)
        self._keep_warm([*(t.id for t in tracks), *visible])
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
        changed = {i for i in self._dirty if i in self._tracks and self._denoise(self._tracks[i])}
        merged = self._merge()
        changed = (changed | set(merged.values()) | self._split_up()) - merged.keys()
        self._dirty.clear()
        self._publish(changed)
        return Maintenance(merged, tuple(removed), tuple(sorted(changed, key=self._age.__getitem__)))

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
        kept, new = self._tracks[object_id], self._tracks[new_id]
        for other in kept.bridges:  # of where it was
            del self._tracks[other].bridges[object_id]
        self._hand_over(new, kept)
        kept.take_place_of(new)
        self._drop(new_id)
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
        for track in self._tracks.values():  # records of earlier versions name only one of two neighbours
            for counts in (track.seen_with, track.bridges):
                for other in [i for i in counts if i not in self._tracks]:
                    del counts[other]
        for track in self._tracks.values():
            for other, n in track.seen_with.items():
                its = self._tracks[other].seen_with
                its[track.id] = max(n, its[track.id])
            for other, n in track.bridges.items():
                its = self._tracks[other].bridges
                its[track.id] = max(n, its[track.id])
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
        published = self._published.copy()  # a copy of references: 10,000 of them take about 0.1 ms
        for object_id in self._gone:
            published.pop(object_id, None)
        self._gone.clear()
        for object_id in changed:
            track = self._tracks[object_id]
            published[object_id] = track.publish()
            self._boxes.put(object_id, track.bounds)
        self._published = published

    def _add(self, track: Track) -> None:
        self._tracks[track.id] = track
        self._age.setdefault(track.id, self._n_added)
        self._n_added += 1
        if track.n_detections < self.parameters.min_detections:
            self._unconfirmed[track.id] = None

    def _drop(self, object_id: str) -> None:
        track = self._tracks.pop(object_id, None)
        if track is None:
            return
        for other in track.seen_with:
            del self._tracks[other].seen_with[object_id]
        for other in track.bridges:
            del self._tracks[other].bridges[object_id]
        del self._age[object_id]
        self._gone.add(object_id)
        self._boxes.remove(object_id)
        self._dirty.discard(object_id)
        self._unconfirmed.pop(object_id, None)
        self._warm.pop(object_id, None)

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
                b.seen_with[a.id] += 1

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
            pairs = self._close_pairs(changed, p.touch_distance + 0.1)
            changed = set()
            for kept, gone in pairs:
                if gone.id not in self._tracks or kept.id not in self._tracks or kept.map_id != gone.map_id:
                    continue
                if kept.standing.is_doubted or gone.standing.is_doubted:
                    continue  # one of them may be what the other was before it was moved a little
                if same_object(kept, gone, p):
                    self._unite(kept, gone)
                    merged = {old: kept.id if new == gone.id else new for old, new in merged.items()}
                    merged[gone.id] = kept.id
                    changed.add(kept.id)
            changed &= self._tracks.keys()
        return merged

    def _close_pairs(self, ids: set[str], margin: float) -> list[tuple[Track, Track]]:
        """Pairs of an object of these and one that comes within a margin [m] or hangs together with it, the older one first."""
        pairs = set()
        for object_id in ids:
            track = self._tracks[object_id]
            others = {*self._boxes.near(track.bounds[:3] - margin, track.bounds[3:] + margin), *track.bridges}
            mine = self._age[object_id], object_id
            for other in others - {object_id}:
                its = self._age[other], other
                pairs.add((mine, its) if mine < its else (its, mine))
        return [(self._tracks[i], self._tracks[j]) for (_, i), (_, j) in sorted(pairs)]

    def _unite(self, kept: Track, gone: Track) -> None:
        """Make one object of two; others remember the one that is kept instead of the other."""
        self._hand_over(gone, kept)
        kept.absorb(gone)
        self._drop(gone.id)
        self._boxes.put(kept.id, kept.bounds)
        self._dirty.add(kept.id)

    def _hand_over(self, gone: Track, kept: Track) -> None:
        """Let others count with one object what they counted with another; what the two themselves count is not touched."""
        for other in gone.seen_with.keys() - {kept.id}:
            self._tracks[other].seen_with[kept.id] += gone.seen_with[other]
        for other in gone.bridges.keys() - {kept.id}:
            self._tracks[other].bridges[kept.id] += gone.bridges[other]

    def _split_up(self) -> set[str]:
        """Share out the points of like objects that were one until an image showed them side by side; who lost some."""
        p = self.parameters.association
        pairs = set()
        for object_id in self._dirty:
            mine = self._age[object_id], object_id
            for other in self._tracks[object_id].seen_with:
                its = self._age[other], other
                pairs.add((mine, its) if mine < its else (its, mine))
        changed: set[str] = set()
        for (_, i), (_, j) in sorted(pairs):
            a, b = self._tracks[i], self._tracks[j]
            if a.label == b.label and seen_side_by_side(a, b, p) and share_out(a, b):
                changed.update((i, j))
        return changed
