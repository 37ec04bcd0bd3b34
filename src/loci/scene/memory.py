"""The scene memory: objects, the snapshots that show them, and their images.

One thread writes (`observe`, `remove`, `correct_poses`); readers use the published tuples of frozen dataclasses.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from loci.keyframes import Keyframe, Keyframes
from loci.observation import Observation
from loci.scene.attributes import size_words
from loci.scene.change_records import KIND as CHANGE_KIND
from loci.scene.change_records import SceneChange
from loci.scene.changes import ChangeParameters, Changes
from loci.scene.movers import KIND as MOVER_KIND
from loci.scene.movers import Mover, MoverParameters, Movers
from loci.scene.objects import ObjectMap, ObjectParameters, SceneObject
from loci.scene.relations import Boxes, Relation, carriers_of, relations
from loci.scene.snapshots import Snapshot, SnapshotMap, SnapshotParameters
from loci.store.errors import StoreError
from loci.store.store import Store

log = logging.getLogger("loci.scene")

#: Reasons for leaving detections out that a detector in order does not give.
_ODD_REASONS = frozenset({"empty mask", "too many", "embedding of another size"})
#: States that say of a held thing that it is held no more.
PUT_DOWN = ("placed", "put down", "released", "dropped")


@dataclass(frozen=True)
class SceneParameters:
    """Settings of the scene memory.

    Attributes:
        objects: association, fusion and presence.
        changes: what is told as new, moved and missing.
        movers: what is kept apart because it moves by itself.
        snapshots: clustering and its candidate images.
        maintain_period_s: how often objects are denoised and merged, by message stamps [s].
        crop_margin: part of an object's box that is added around its picture.
    """

    objects: ObjectParameters = field(default_factory=ObjectParameters)
    changes: ChangeParameters = field(default_factory=ChangeParameters)
    movers: MoverParameters = field(default_factory=MoverParameters)
    snapshots: SnapshotParameters = field(default_factory=SnapshotParameters)
    maintain_period_s: float = 3.0
    crop_margin: float = 0.25


@dataclass(frozen=True)
class SceneUpdate:
    """What one keyframe changed.

    Attributes:
        seen: object id per detection; None: it was not fused.
        created: ids of new objects.
        merged: {old id: id of the object that it has become a part of, or that it was recognised as}.
        changes: what was noticed: gone, moved, found again, new where nothing was.
    """

    seen: tuple[str | None, ...]
    created: tuple[str, ...]
    merged: Mapping[str, str]
    changes: tuple[SceneChange, ...] = ()


def _not_among(changes: tuple[SceneChange, ...], before: tuple[SceneChange, ...]) -> tuple[SceneChange, ...]:
    """The changes that were not there before; others may be gone, or be told otherwise by now."""
    if changes is before:
        return ()
    known = {c.id for c in before}
    return tuple(c for c in changes if c.id not in known)


class SceneMemory:
    """Objects and snapshots over all maps of one memory; association happens within the current map."""

    def __init__(self, store: Store, keyframes: Keyframes, parameters: SceneParameters | None = None) -> None:
        self.parameters = parameters or SceneParameters()
        self._store = store
        self._keyframes = keyframes
        self.objects_map = ObjectMap(lambda: store.new_id("object"), self.parameters.objects)
        self.snapshots_map = SnapshotMap(lambda: store.new_id("snapshot"), self.parameters.snapshots)
        self.changes_log = Changes(
            self.objects_map, keyframes, lambda: store.new_id(CHANGE_KIND), self._carrier_label, self.parameters.changes
        )
        self.movers_map = Movers(lambda: store.new_id(MOVER_KIND), keyframes.pose, self.parameters.movers)
        # What is known of the last published objects: filled when asked for.
        self._carriers: tuple[tuple[SceneObject, ...], Boxes, dict[str, tuple[str, bool]]] = ((), Boxes.of(()), {})
        self._attributes: tuple[tuple[SceneObject, ...], Mapping[str, tuple[str, ...]]] = ((), {})
        self._dirty: set[str] = set()
        self._snapshots_dirty = False
        self._maintained_ns: int | None = None
        self._skipped: Counter[str] = Counter()
        self.objects_map.restore(store.records("object"), keyframes.pose)
        self.snapshots_map.restore(store.records("snapshot"), store.records("visibility"))
        self.snapshots_map.remove(o.id for o in self.objects() if not o.is_there)  # earlier versions kept them
        self.changes_log.restore(store.records(CHANGE_KIND))
        self.movers_map.restore(store.records(MOVER_KIND))

    # --- writing ------------------------------------------------------------------------------------------------------

    def limited(self, observation: Observation) -> tuple[Observation, Sequence[int]]:
        """The observation without more detections than one image may have, and which are left; others are counted.

        A detector that has gone wild gives thousands: the labels of all of them would be kept, embedded and told of.
        """
        detections, limit = observation.detections, self.parameters.objects.sightings.max_detections
        if len(detections) <= limit:
            return observation, range(len(detections))
        best = sorted(
            range(len(detections)), key=lambda i: (-detections[i].score, detections[i].box, detections[i].label)
        )
        kept = sorted(best[:limit])
        self._note_skipped({"too many": len(detections) - limit})
        return replace(observation, detections=tuple(detections[i] for i in kept)), kept

    def observe(self, observation: Observation, keyframe: Keyframe) -> SceneUpdate:
        """Take one keyframe's detections into the object map and the snapshots."""
        update = self.objects_map.update(observation, keyframe.id, keyframe.map_id)
        self._dirty.update(update.created, update.changed, update.lost, update.found, update.looked)
        self._note_skipped(update.skipped)
        before = self.changes_log.changes()
        moved = self.changes_log.notice(update, keyframe)
        changes = _not_among(self.changes_log.changes(), before)
        # Old images show the place where a thing was, and no more the thing.
        self.snapshots_map.remove({*update.lost, *moved.values()})
        if moved:
            self.snapshots_map.remap(moved)
            self._dirty.update(moved, moved.values())
        stamp_ns = observation.frame.stamp_ns
        merged: Mapping[str, str] = {}
        if (
            self._maintained_ns is None
            or not 0 <= stamp_ns - self._maintained_ns < self.parameters.maintain_period_s * 1e9
        ):
            merged = self.maintain(stamp_ns)
        if moved:
            merged = {**{i: merged.get(old, old) for i, old in moved.items()}, **merged}
        objects = self.by_id()
        # Maintenance may have merged or dropped what was just seen: only ids that still stand go on.
        seen = tuple(merged.get(i, i) if i else None for i in update.seen)
        visible: dict[str, float] = {}
        for object_id, confidence in update.visible.items():
            current = merged.get(object_id, object_id)
            if current in objects:
                visible[current] = max(confidence, visible.get(current, 0.0))
        created = tuple(i for i in update.created if i in objects)
        jpeg = observation.color_jpeg
        n_bytes = len(self._keyframes.color_jpeg(keyframe.id) if jpeg is None else jpeg) if visible else 0
        back = (merged.get(i, i) for i in update.found)
        self.snapshots_map.update(objects, keyframe.id, visible, (*created, *back), n_bytes)
        self._snapshots_dirty = True
        return SceneUpdate(tuple(i if i in objects else None for i in seen), created, merged, changes)

    def maintain(self, stamp_ns: int) -> Mapping[str, str]:
        """Denoise, merge and drop objects; returns {merged id: id that it became}."""
        self._maintained_ns = stamp_ns
        done = self.objects_map.maintain(stamp_ns)
        if done.merged:
            self.snapshots_map.remap(done.merged)
            self.changes_log.remap(done.merged)
        if done.removed:
            self.snapshots_map.remove(done.removed)
            self.changes_log.forget(done.removed)
        self._dirty.update(done.merged, done.changed, done.removed)
        return done.merged

    def remove(self, object_ids: Iterable[str]) -> None:
        """Forget objects, also in the snapshots that show them."""
        ids = list(object_ids)
        for object_id in ids:
            self.objects_map.remove(object_id)
        self.snapshots_map.remove(ids)
        self.changes_log.forget(ids)
        self._dirty.update(ids)
        self._snapshots_dirty = True

    def let_go_of_images(self, keyframe_ids: Iterable[str]) -> None:
        """Choose no snapshot among keyframes whose images are no more; none of them is one now."""
        self.snapshots_map.remove_keyframes(keyframe_ids, self.by_id())
        self._snapshots_dirty = True

    def remove_keyframes(self, keyframe_ids: Iterable[str]) -> list[str]:
        """Let go of keyframes that are about to be forgotten; returns the objects that hung on them and go as well."""
        gone = set(keyframe_ids)
        hanging = [o.id for o in self.objects() if o.keyframe_id in gone]
        self.remove(hanging)
        self._dirty.update(o.id for o in self.objects() if any(p.keyframe_id in gone for p in o.past))
        self.changes_log.forget((), gone)
        self.movers_map.remove_keyframes(gone)
        self.snapshots_map.remove_keyframes(gone, self.by_id())
        return hanging

    def tell(self, object_id: str, state: str, stamp_ns: int, session: str) -> None:
        """Somebody says what became of an object: that it is held, that it was put down (see `PUT_DOWN`), or e.g. that it is open.

        What is held is not missed in its place, and no snapshot is taken to show it; what was put down is missing until it is
        seen, and then recognised.

        Raises:
            KeyError: it does not exist.
        """
        if state == "held":
            self.changes_log.hold(object_id, stamp_ns, session)
            self.snapshots_map.remove([object_id])
            self._snapshots_dirty = True
        elif state in PUT_DOWN:
            self.changes_log.release(object_id, stamp_ns, session)
        else:
            self.changes_log.tell(object_id, state, stamp_ns, session)
        self._dirty.add(object_id)

    def untell(self, object_id: str, state: str, session: str, first_ns: int, last_ns: int) -> None:
        """Forget that somebody said that an object is in a state, in a span of time [ns]; where things are stays as it is."""
        self.changes_log.untell(object_id, state, session, first_ns, last_ns)

    def last_keyframe_id(self, object_id: str) -> str:
        """The newest keyframe that showed an object; empty: not known.

        Raises:
            KeyError: it does not exist.
        """
        return self.objects_map.track(object_id).standing.last_keyframe_id

    def correct_poses(self) -> None:
        """Follow the keyframes after their poses changed."""
        self.objects_map.correct_poses(self._keyframes.pose)
        self._dirty.update(o.id for o in self.objects())

    def save(self) -> None:
        """Put what changed since the last call into the store."""
        changed, self._dirty = self._dirty, set()
        current = self.by_id()
        for object_id in changed - current.keys():
            self._store.delete("object", object_id)
        for record_id, fields, arrays in self.objects_map.records(changed & current.keys()):
            o = current[record_id]
            self._store.put("object", record_id, fields, stamp_ns=o.last_seen_ns, map_id=o.map_id, arrays=arrays)
        if self._snapshots_dirty:
            self._snapshots_dirty = False
            for kind, upserts, deletes in self.snapshots_map.changes():
                for record_id, fields in upserts:
                    self._store.put(kind, record_id, fields)
                for record_id in deletes:
                    self._store.delete(kind, record_id)
        self.changes_log.save(self._store)
        self.movers_map.save(self._store)

    def _note_skipped(self, skipped: Mapping[str, int]) -> None:
        for reason in skipped.keys() & _ODD_REASONS - self._skipped.keys():
            log.warning("detections are left out: %s (%d in one image; said once)", reason, skipped[reason])
        self._skipped.update(skipped)

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many detections were left out since the start, by reason."""
        return dict(self._skipped)

    def objects(self) -> tuple[SceneObject, ...]:
        """All objects, as published after the last keyframe."""
        return self.objects_map.objects()

    def by_id(self) -> Mapping[str, SceneObject]:
        """All objects by id, as published after the last keyframe."""
        return self.objects_map.by_id()

    def changes(self) -> tuple[SceneChange, ...]:
        """What changed, in the order in which it was noticed."""
        return self.changes_log.changes()

    def movers(self) -> tuple[Mover, ...]:
        """People and other movers that were seen, oldest first."""
        return self.movers_map.movers()

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots, as published after the last keyframe."""
        return self.snapshots_map.snapshots()

    def supports(self, object_ids: Iterable[str] | None = None) -> dict[str, str]:
        """{object id: id of the object that it lies on or in} of all objects, or of those asked for, that lie on one."""
        return {i: carrier for i, (carrier, _) in self.carriers(object_ids).items()}

    def carriers(self, object_ids: Iterable[str] | None = None) -> dict[str, tuple[str, bool]]:
        """{object id: (id of the object that carries it, whether it lies in that one)} of all objects, or of those asked for.

        Ask for many at once: they are looked up together, and once for as long as no object changes.
        """
        boxes, carriers = self._known_boxes()
        asked = boxes.rows.keys() if object_ids is None else tuple(object_ids)
        new = {i for i in asked if i not in carriers}
        if new:
            found = carriers_of(boxes.objects, new, boxes)
            carriers.update({i: found.get(i, ("", False)) for i in new})
        return {i: carriers[i] for i in asked if carriers[i][0]}

    def relations(
        self,
        object_ids: Collection[str],
        kinds: Iterable[str] = (),
        viewpoint: npt.ArrayLike | None = None,
        max_distance: float = 1.0,
    ) -> tuple[Relation, ...]:
        """How objects lie to others, computed from where they are now; see `loci.scene.relations.relations`."""
        boxes, _ = self._known_boxes()
        return relations(boxes.objects, object_ids, kinds, viewpoint, max_distance, boxes)

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """{object id: what detectors told of it, and its size in words}; objects of which nothing is known are left out."""
        objects = self.objects()
        known_for, attributes = self._attributes
        if known_for is not objects:
            sizes = size_words(objects)
            attributes = {
                o.id: told for o in objects if (told := tuple(dict.fromkeys((*o.attributes, *sizes.get(o.id, ())))))
            }
            self._attributes = (objects, attributes)
        return attributes

    def _known_boxes(self) -> tuple[Boxes, dict[str, tuple[str, bool]]]:
        """Boxes of the objects as published last, and the carriers that are known of them."""
        objects = self.objects()
        known_for, boxes, carriers = self._carriers
        if known_for is not objects:
            boxes, carriers = Boxes.of(objects), {}
            self._carriers = (objects, boxes, carriers)
        return boxes, carriers

    def _carrier_label(self, object_id: str) -> str:
        """What an object lies on or in where it is, or where it was when it is gone by now; empty: nothing."""
        boxes, _ = self._known_boxes()
        if object_id not in boxes.rows:
            return ""
        here = boxes.here.copy()
        here[boxes.rows[object_id]] = True
        carrier, _ = carriers_of(boxes.objects, {object_id}, replace(boxes, here=here)).get(object_id, ("", False))
        return self.by_id()[carrier].label if carrier else ""

    def object_image(self, scene_object: SceneObject) -> bytes:
        """JPEG of the object's best view, cropped with a margin."""
        jpeg = self._keyframes.color_jpeg(scene_object.keyframe_id)
        color = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
        if color is None:
            raise StoreError(f"the image of {scene_object.keyframe_id} cannot be decoded")
        x0, y0, x1, y1 = scene_object.image_box
        margin = round(self.parameters.crop_margin * max(x1 - x0, y1 - y0)) + 8
        height, width = color.shape[:2]
        crop = color[max(0, y0 - margin) : min(height, y1 + margin), max(0, x0 - margin) : min(width, x1 + margin)]
        return cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
