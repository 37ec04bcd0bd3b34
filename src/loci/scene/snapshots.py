"""Memory snapshots: the few images that together show every object that is there, kept up to date keyframe by keyframe (3D-Mem).

What is gone or held is in no snapshot, and a snapshot whose objects are all gone is none any more. Every keyframe is a candidate; an update rebuilds only the snapshots that it touches. Images themselves lie with the
keyframes. One thread changes things, `snapshots` reads what was published last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from loci.scene.covisibility import choose_images, matrix
from loci.scene.tracks import SceneObject


class StoredRecord(Protocol):
    """What the store gives back: an id and the fields of `SnapshotMap.changes`."""

    @property
    def id(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Snapshot:
    """An image that stands for the objects it shows.

    Attributes:
        id: e.g. ``"snapshot/3"``.
        keyframe_id: the image.
        object_ids: its members, all visible in the image; every object that is there is a member of exactly one snapshot.
    """

    id: str
    keyframe_id: str
    object_ids: tuple[str, ...]


@dataclass(frozen=True)
class SnapshotParameters:
    """Settings of the snapshots.

    Attributes:
        reach: objects up to this distance from one that the new image shows, and seen together with one of them, are
            clustered anew [m].
        rebuild_all: up to this number of objects everything is clustered anew: few snapshots leave no slack.
        max_candidates: images kept as candidates for one object; those that show least go first.
        spare_bytes: of all candidate images that are no snapshot; beyond it those that show least go, never the last one of an
            object. (An image that is no candidate any more is never chosen again; the keyframe itself is not the scene's.)
    """

    reach: float = 4.0
    rebuild_all: int = 300
    max_candidates: int = 24
    spare_bytes: int = 256 << 20


class SnapshotMap:
    """Snapshots of all objects.

    Args:
        new_id: gives an id that was never used before.
    """

    def __init__(self, new_id: Callable[[], str], parameters: SnapshotParameters | None = None) -> None:
        self.parameters = parameters or SnapshotParameters()
        self._new_id = new_id
        self._candidates: dict[str, dict[str, float]] = {}  # keyframe -> {object: confidence}
        self._seen_in: dict[str, dict[str, None]] = {}  # object -> keyframes, oldest first
        self._snapshots: dict[str, Snapshot] = {}  # by keyframe
        self._owner: dict[str, str] = {}  # object -> keyframe of its snapshot
        self._image_bytes: dict[str, int] = {}  # keyframe -> size of its image, where it is known
        self._total_bytes = 0  # of all candidates
        self._look_again_bytes = 0  # spare images are counted when all candidates together have grown to this
        self._published: tuple[Snapshot, ...] = ()
        self._changed: dict[str, dict[str, None]] = {"snapshot": {}, "visibility": {}}  # ids since the last `changes`

    # --- reading ------------------------------------------------------------------------------------------------------

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots, as published after the last change."""
        return self._published

    def snapshot_of(self, object_id: str) -> Snapshot | None:
        """The snapshot that an object belongs to, or None: no image shows it."""
        snapshot = self._snapshots.get(self._owner.get(object_id, ""))
        return snapshot if snapshot is not None and object_id in snapshot.object_ids else None

    @property
    def spare_bytes(self) -> int:
        """Bytes of the images of all candidates that are no snapshot."""
        return sum(self._image_bytes.get(k, 0) for k in self._candidates if k not in self._snapshots)

    def visibility(self) -> dict[str, dict[str, float]]:
        """{keyframe id: {object id: confidence}} of all candidates."""
        return {k: dict(seen) for k, seen in self._candidates.items()}

    # --- writing ------------------------------------------------------------------------------------------------------

    def update(
        self,
        objects: Mapping[str, SceneObject],
        keyframe_id: str,
        visible: Mapping[str, float],
        created: Iterable[str] = (),
        image_bytes: int = 0,
    ) -> None:
        """Take in what a new keyframe shows.

        Args:
            objects: all objects by id, as they are now.
            keyframe_id: the new candidate image.
            visible: {object id: confidence} of the objects that it shows; ids that are not in ``objects`` are left out.
            created: ids of new objects, and of those that are there again; visible or not, they get a snapshot if any image
                shows them.
            image_bytes: size of the candidate's image.

        Raises:
            ValueError: a negative size.
        """
        if image_bytes < 0:
            raise ValueError(f"expected image_bytes >= 0, got {image_bytes}")
        seen = {i: float(c) for i, c in visible.items() if i in objects}
        new = [i for i in created if i in objects]
        if seen and self._add_candidate(keyframe_id, seen, image_bytes):
            self._thin_out(seen)
        if len(objects) <= self.parameters.rebuild_all:
            self.rebuild(objects)
        elif new or len({self._owner.get(i, i) for i in seen}) > 1:  # else one snapshot shows all of it already
            self._rebuild(objects, {**dict.fromkeys([*seen, *new]), **self._neighbours(objects, list(seen))})
        self._evict()

    def rebuild(self, objects: Mapping[str, SceneObject]) -> None:
        """Cluster everything that is there anew."""
        self._rebuild(objects, {i: None for i, o in objects.items() if o.is_there})

    def remap(self, merged: Mapping[str, str]) -> None:
        """Follow objects that have become parts of others, {old id: new id}: what showed the old one shows the new one."""
        for old, new in merged.items():
            for k in self._seen_in.pop(old, {}):
                seen = self._candidates[k]
                seen[new] = max(seen.pop(old), seen.get(new, 0.0))
                self._seen_in.setdefault(new, {})[k] = None
                self._changed["visibility"][k] = None
            k_old = self._owner.pop(old, None)
            if k_old is not None:
                members = [i for i in self._snapshots[k_old].object_ids if i != old]
                if new not in self._owner:
                    members.append(new)
                self._put(k_old, members)
        self._publish()

    def remove(self, object_ids: Iterable[str]) -> None:
        """Forget objects; snapshots that are left without any go."""
        for object_id in object_ids:
            for k in self._seen_in.pop(object_id, {}):
                del self._candidates[k][object_id]
                self._changed["visibility"][k] = None
                if not self._candidates[k]:
                    self._drop_candidate(k)
            k_owner = self._owner.pop(object_id, None)
            if k_owner is not None:
                self._put(k_owner, [i for i in self._snapshots[k_owner].object_ids if i != object_id])
        self._publish()

    def remove_keyframes(self, keyframe_ids: Iterable[str], objects: Mapping[str, SceneObject]) -> None:
        """Forget images; their objects go to other snapshots, if another image shows them."""
        orphans: dict[str, None] = {}
        gone = set(keyframe_ids)
        for k in gone:
            if k in self._snapshots:
                orphans.update(dict.fromkeys(self._snapshots[k].object_ids))
                self._put(k, [])
            self._drop_candidate(k)
        self._rebuild(objects, {i: None for i in orphans if i in objects}, gone)

    # --- storing ------------------------------------------------------------------------------------------------------

    def changes(self) -> tuple[tuple[str, list[tuple[str, dict[str, Any]]], list[str]], ...]:
        """(kind, [(id, JSON-able fields)], ids to delete) for the kinds "snapshot" and "visibility", since the last call."""
        by_id = {s.id: s for s in self._snapshots.values()}
        changed, self._changed = self._changed, {"snapshot": {}, "visibility": {}}
        snapshots = [
            (i, {"keyframe_id": by_id[i].keyframe_id, "object_ids": list(by_id[i].object_ids)})
            for i in changed["snapshot"]
            if i in by_id
        ]
        candidates = [
            (k, {"visible": dict(self._candidates[k]), "image_bytes": self._image_bytes.get(k, 0)})
            for k in changed["visibility"]
            if k in self._candidates
        ]
        return (
            ("snapshot", snapshots, [i for i in changed["snapshot"] if i not in by_id]),
            ("visibility", candidates, [k for k in changed["visibility"] if k not in self._candidates]),
        )

    def restore(self, snapshots: Iterable[StoredRecord], candidates: Iterable[StoredRecord]) -> None:
        """Take in what `changes` gave."""
        for record in candidates:
            seen = {str(i): float(c) for i, c in record.fields["visible"].items()}
            self._candidates[record.id] = seen
            self._image_bytes[record.id] = int(record.fields.get("image_bytes", 0))  # earlier versions did not note it
            self._total_bytes += self._image_bytes[record.id]
            for object_id in seen:
                self._seen_in.setdefault(object_id, {})[record.id] = None
        for record in snapshots:
            members = tuple(str(i) for i in record.fields["object_ids"] if str(i) not in self._owner)
            k = str(record.fields["keyframe_id"])
            self._snapshots[k] = Snapshot(record.id, k, members)
            self._owner.update(dict.fromkeys(members, k))
        self._publish()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _neighbours(self, objects: Mapping[str, SceneObject], ids: Sequence[str]) -> dict[str, None]:
        """Objects that some image shows together with one of these, within reach of them."""
        keyframes = dict.fromkeys(k for i in ids for k in self._seen_in.get(i, ()))
        others = sorted({i for k in keyframes for i in self._candidates[k] if i in objects})
        if not others:
            return {}
        mine = np.array([objects[i].center for i in ids])  # (I, 3)
        theirs = np.array([objects[i].center for i in others])  # (O, 3)
        distances = np.linalg.norm(theirs[:, None] - mine[None], axis=2).min(axis=1)
        return {i: None for i, d in zip(others, distances, strict=True) if d <= self.parameters.reach}

    def _add_candidate(self, keyframe_id: str, seen: dict[str, float], image_bytes: int) -> bool:
        """Keep a candidate unless an old one shows the same and more; old ones that show less make room."""
        self._drop_candidate(keyframe_id)
        ids = seen.keys()
        rivals = sorted({k for i in ids for k in self._seen_in.get(i, ())})
        for k in rivals:
            its = self._candidates[k].keys()
            as_good = ids == its and (k in self._snapshots or self._total(k) >= sum(seen.values()))
            if (ids < its or as_good) and keyframe_id not in self._snapshots:
                return False
        for k in rivals:
            if k not in self._snapshots and self._candidates[k].keys() <= ids:
                self._drop_candidate(k)
        self._candidates[keyframe_id] = seen
        self._image_bytes[keyframe_id] = image_bytes
        self._total_bytes += image_bytes
        for object_id in ids:
            self._seen_in.setdefault(object_id, {})[keyframe_id] = None
        self._changed["visibility"][keyframe_id] = None
        return True

    def _total(self, keyframe_id: str) -> float:
        return sum(self._candidates[keyframe_id].values())

    def _thin_out(self, object_ids: Iterable[str]) -> None:
        """Bound the candidates of each object: a room that is seen for hours has no more of them than one that was crossed."""
        for object_id in object_ids:
            rivals = [k for k in self._seen_in[object_id] if k not in self._snapshots]
            excess = len(self._seen_in[object_id]) - self.parameters.max_candidates
            if excess <= 0:
                continue
            for k in sorted(rivals, key=lambda k: (len(self._candidates[k]), self._total(k)))[:excess]:
                if all(len(self._seen_in[i]) > 1 for i in self._candidates[k]):
                    self._drop_candidate(k)

    def _evict(self) -> None:
        """Keep the spare images within their budget."""
        budget = self.parameters.spare_bytes
        if self._total_bytes <= max(budget, self._look_again_bytes):
            return
        spare = [k for k in self._candidates if k not in self._snapshots]
        n_bytes = sum(self._image_bytes.get(k, 0) for k in spare)
        for k in sorted(spare, key=lambda k: (len(self._candidates[k]), self._total(k))):
            if n_bytes <= 0.9 * budget:  # some room, so that this is not done for every image
                break
            if all(len(self._seen_in[i]) > 1 for i in self._candidates[k]):
                n_bytes -= self._image_bytes.get(k, 0)
                self._drop_candidate(k)
        self._look_again_bytes = self._total_bytes + budget // 10

    def _drop_candidate(self, keyframe_id: str) -> None:
        self._total_bytes -= self._image_bytes.pop(keyframe_id, 0)
        for object_id in self._candidates.pop(keyframe_id, {}):
            keyframes = self._seen_in[object_id]
            keyframes.pop(keyframe_id, None)
            if not keyframes:
                del self._seen_in[object_id]
        self._changed["visibility"][keyframe_id] = None

    def _rebuild(
        self, objects: Mapping[str, SceneObject], touched: dict[str, None], gone: set[str] | None = None
    ) -> None:
        """Cluster the touched objects and all members of their snapshots anew."""
        affected = {self._owner[i]: None for i in touched if i in self._owner}
        inputs = dict(touched)
        for k in affected:
            inputs.update((i, None) for i in self._snapshots[k].object_ids if i in objects)
        if not inputs:
            self._publish()
            return
        ids = sorted(inputs)
        keyframes = sorted({k for i in ids for k in self._seen_in.get(i, ())})
        seen: list[dict[str, float]] = [self._candidates[k] for k in keyframes]
        for i in ids:  # an object that no candidate shows has its own best view
            own = objects[i].keyframe_id
            if i not in self._seen_in and own and own not in (gone or ()):
                keyframes.append(own)
                seen.append({i: objects[i].confidence})
        standing = np.array([k in self._snapshots and k not in affected for k in keyframes], dtype=np.bool_)
        centers = np.array([objects[i].center for i in ids])
        chosen = choose_images(centers, matrix(ids, seen), standing)
        members: dict[str, list[str]] = {k: [] for k in affected}
        for j, c in enumerate(chosen):
            if c >= 0:
                members.setdefault(keyframes[c], []).append(ids[j])
        for i in ids:
            self._owner.pop(i, None)
        for k, mine in members.items():
            others = [i for i in self._snapshots[k].object_ids if i not in inputs] if k in self._snapshots else []
            self._put(k, [*others, *mine])
        self._publish()

    def _put(self, keyframe_id: str, members: Sequence[str]) -> None:
        """Set the members of the snapshot of a keyframe; without members it goes."""
        old = self._snapshots.get(keyframe_id)
        ids = tuple(sorted(set(members)))
        if not ids:
            if old is not None:
                del self._snapshots[keyframe_id]
                self._changed["snapshot"][old.id] = None
                for i in old.object_ids:
                    if self._owner.get(i) == keyframe_id:
                        del self._owner[i]
            return
        if old is None or old.object_ids != ids:
            snapshot = Snapshot(self._new_id() if old is None else old.id, keyframe_id, ids)
            self._snapshots[keyframe_id] = snapshot
            self._changed["snapshot"][snapshot.id] = None
        self._owner.update(dict.fromkeys(ids, keyframe_id))

    def _publish(self) -> None:
        self._published = tuple(self._snapshots.values())
