"""Where an object was, and what changed: poses of the past in the map frame, with the rooms that they are in now.

Read from published views; poses are those of their keyframes as corrected last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from loci.episodic.events import ObjectEventKind, ObjectReport
from loci.evidence import Memories, rooms_at
from loci.geometry import Array
from loci.scene.change_records import CHANGE_KINDS, ChangeKind, SceneChange
from loci.scene.memory import SceneUpdate
from loci.scene.objects import SceneObject
from loci.scene.standing import PastPose, State


@dataclass(frozen=True)
class ObjectPose:
    """Where an object was over a span of time.

    Attributes:
        first_seen_ns, last_seen_ns: seen there from, and last [ns].
        state: "present": it is there; "moved": it went elsewhere; "missing": it was gone; "held": it was taken.
        T_map_box: (4, 4) pose of the box's centre.
        size: of the box along its own axes [m].
        room, room_name: id and name; empty: not known.
        on: label of what it lay on or in; empty: not known.
        keyframe_id: that shows it there.
        map_id: map of the pose.
    """

    first_seen_ns: int
    last_seen_ns: int
    state: State
    T_map_box: Array = field(repr=False)
    size: tuple[float, float, float]
    room: str
    room_name: str
    on: str
    keyframe_id: str
    map_id: str

    @property
    def position(self) -> tuple[float, float, float]:
        """(x, y, z) of the box's centre [m], map frame."""
        x, y, z = self.T_map_box[:3, 3].tolist()
        return (x, y, z)


@dataclass(frozen=True)
class ObjectChange:
    """Something that changed, as it was noticed.

    Attributes:
        id: e.g. ``"change/7"``.
        kind: "new", "moved", "missing", "found" (again, where it was), "held" or "changed" (its state).
        object_id, label: what changed.
        stamp_ns, session: when it was noticed.
        old, new: where it was and where it is, as far as known.
        confidence: [0, 1].
        ambiguous: another object of its kind could be the one.
        text: one line in plain words.
    """

    id: str
    kind: ChangeKind
    object_id: str
    label: str
    stamp_ns: int
    session: str
    old: ObjectPose | None
    new: ObjectPose | None
    confidence: float
    ambiguous: bool
    text: str


def object_history(memories: Memories, o: SceneObject) -> tuple[ObjectPose, ...]:
    """Where an object was, oldest first; the last entry is where it is now, or was last."""
    anchor = memories.keyframes.pose(o.keyframe_id)
    state: State = "missing" if o.state == "missing" else "held" if o.state == "held" else "present"
    now = PastPose(
        o.keyframe_id,
        np.linalg.inv(anchor) @ o.T_map_box,
        o.size,
        o.since_ns or o.first_seen_ns,
        o.last_seen_ns,
        state,
        _carrier(memories, o.id),
        o.map_id,
    )
    return tuple(p for p in _placed(memories, (*o.past, now)) if p is not None)


def object_changes(
    memories: Memories,
    *,
    after_ns: int | None = None,
    before_ns: int | None = None,
    room: str = "",
    object_id: str = "",
    kinds: Sequence[str] = (),
    newest_first: bool = False,
) -> list[ObjectChange]:
    """Changes that were noticed in [after, before), in order of time.

    Args:
        memories: what is asked.
        after_ns, before_ns: [ns]; None: no limit.
        room: id or name: changes from or to it; empty: anywhere.
        object_id: of this object; empty: of any.
        kinds: any of these; empty: all.
        newest_first: the other way round.

    Raises:
        ValueError: there is no such kind, or after is not before before.
    """
    unknown = sorted(set(kinds) - set(CHANGE_KINDS))
    if unknown:
        raise ValueError(f"expected kinds of changes among {', '.join(CHANGE_KINDS)}, got {', '.join(unknown)}")
    if after_ns is not None and before_ns is not None and after_ns >= before_ns:
        raise ValueError(f"expected after < before, got after {after_ns} ns and before {before_ns} ns")
    found = [
        c
        for c in memories.scene.changes()
        if (after_ns is None or c.stamp_ns >= after_ns)
        and (before_ns is None or c.stamp_ns < before_ns)
        and object_id in ("", c.object_id)
        and (not kinds or c.kind in kinds)
    ]
    found.sort(key=lambda c: memories.episodic.time_key(c.session, c.stamp_ns), reverse=newest_first)
    places = _placed(memories, [p for c in found for p in (c.old, c.new)])
    changes = [_described(c, places[2 * i], places[2 * i + 1]) for i, c in enumerate(found)]
    return [c for c in changes if not room or any(p and room in (p.room, p.room_name) for p in (c.old, c.new))]


def _placed(memories: Memories, poses: Sequence[PastPose | None]) -> list[ObjectPose | None]:
    """Poses in the map frame, with their rooms; None where there is none, or where its keyframe is gone."""
    known = [p if p is not None and p.keyframe_id in memories.keyframes else None for p in poses]
    there = [p for p in known if p is not None]
    anchors = [memories.keyframes.pose(p.keyframe_id) for p in there]
    T = [anchor @ p.T_camera_box for anchor, p in zip(anchors, there, strict=True)]
    rooms = rooms_at(memories, [t[:3, 3] for t in T], [a[:3, 3] for a in anchors], [p.map_id for p in there])
    made = iter(
        ObjectPose(
            p.first_seen_ns,
            p.last_seen_ns,
            p.state,
            t,
            p.size,
            room.id if room else "",
            room.name if room else "",
            p.on,
            p.keyframe_id,
            p.map_id,
        )
        for p, t, room in zip(there, T, rooms, strict=True)
    )
    return [None if p is None else next(made) for p in known]


def _carrier(memories: Memories, object_id: str) -> str:
    carrier = memories.scene.by_id().get(memories.scene.supports((object_id,)).get(object_id, ""))
    return carrier.label if carrier is not None else ""


def _described(c: SceneChange, old: ObjectPose | None, new: ObjectPose | None) -> ObjectChange:
    label = c.label or "something"
    was, now = _where(old), _where(new)
    here = f" in{now}" if new is not None and (new.room or new.room_name) else now
    texts = {
        "new": f"a {label} is new{here}",
        "moved": f"the {label} was moved{' from' + was if was else ''}{' to' + now if now else ''}",
        "missing": f"the {label} is gone{' from' + was if was else ''}",
        "found": f"the {label} is there again{here}",
        "held": f"the {label} was taken{' from' + was if was else ''}",
        "changed": f"the {label}{here} is {c.detail}",
    }
    text = texts[c.kind] + (" (or another one that looks like it)" if c.ambiguous else "")
    return ObjectChange(
        c.id, c.kind, c.object_id, c.label, c.stamp_ns, c.session, old, new, c.confidence, c.ambiguous, text
    )


def _where(p: ObjectPose | None) -> str:
    """Room and carrier of a pose in words, with a space before them; empty: not known."""
    if p is None:
        return ""
    room = f" the {p.room_name}" if p.room_name else f" {p.room}" if p.room else ""
    return room + (f" ({'on' if room else ' on'} the {p.on})" if p.on else "")


#: What of a change is told in the short term; what a hand took is told by whom it took it. A thing that is seen first is not new where
#: nobody had looked before: that is told beside.
_EVENT_OF: Mapping[ChangeKind, ObjectEventKind] = {
    "new": "new",
    "moved": "moved",
    "missing": "vanished",
    "found": "found",
    "changed": "state",
}


def object_reports(
    update: SceneUpdate, objects: Mapping[str, SceneObject], T_map_camera: Array
) -> tuple[ObjectReport, ...]:
    """What a keyframe changed, as the short-term memory decides on it: objects that are seen first, those that are new where nothing was, moved,
    are gone or are back, and those in another state.

    Args:
        update: of the scene memory.
        objects: after it, by id.
        T_map_camera: (4, 4) pose of the keyframe, whose camera frame positions are given in.
    """
    T_camera_map = np.linalg.inv(T_map_camera)
    told: list[tuple[ObjectEventKind, str, str, float]] = [("appeared", i, "", 1.0) for i in update.created]
    told += [(_EVENT_OF[c.kind], c.object_id, c.detail, c.confidence) for c in update.changes if c.kind in _EVENT_OF]
    reports = []
    for kind, object_id, state, confidence in told:
        o = objects.get(object_id)
        if o is not None:
            x, y, z = (T_camera_map[:3, :3] @ o.center + T_camera_map[:3, 3]).tolist()
            reports.append(ObjectReport(kind, o.id, o.label, state, confidence, position_in_camera=(x, y, z)))
    return tuple(reports)
