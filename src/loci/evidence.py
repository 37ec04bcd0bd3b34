"""Things remembered, described as `Evidence`: what joins the memories (rooms of objects, poses of episodes) is put together here.

The memories do not know one another; `Memories` holds them side by side. Reads published views only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.episodic.memory import EpisodicMemory
from loci.episodic.records import Episode
from loci.geometry import project
from loci.keyframes import Keyframes
from loci.perception.protocols import ImageEncoder
from loci.perception.text import TextEncoder
from loci.pictures import Pictures
from loci.query import Evidence, Origin
from loci.scene.memory import SceneMemory
from loci.scene.objects import SceneObject
from loci.scene.relations import Relation
from loci.scene.snapshots import Snapshot
from loci.spatial.frontiers import Frontier
from loci.spatial.memory import SpatialMemory
from loci.spatial.regions import Room
from loci.spatial.topology import Place


@dataclass(frozen=True)
class Memories:
    """The memories that are recalled from, with what they share.

    ``sessions``: of each session the local time zone's offset [s] and when it began [ns since 1970].
    """

    keyframes: Keyframes
    spatial: SpatialMemory
    scene: SceneMemory
    episodic: EpisodicMemory
    text_encoder: TextEncoder
    image_encoder: ImageEncoder
    map_id: str
    pictures: Pictures
    sessions: Mapping[str, tuple[float, int]] = field(default_factory=dict)


#: Half of the size [m] of what is about no known object in a picture of it, and of any such picture at least [px].
_REACH, _LEAST_PIXELS = 0.25, 16.0
#: What is said of objects that are not where they were.
_AWAY = {"missing": ", gone by now", "held": ", taken by now"}


def describe_object(memories: Memories, o: SceneObject, score: float, room: Room | None = None) -> Evidence:
    """An object as evidence; ``room`` if it was looked up before."""
    room = room or rooms_of_objects(memories, [o])[0]
    carrier_id, is_inside = memories.scene.carriers((o.id,)).get(o.id, ("", False))
    carrier = memories.scene.by_id().get(carrier_id)
    color = f"{o.colors[0]} " if o.colors else ""
    on = f" {'in' if is_inside else 'on'} the {carrier.label}" if carrier else ""
    where = f" in {_name(room)}" if room else ""
    keyframe = memories.keyframes.get(o.keyframe_id)
    return Evidence(
        id=o.id,
        kind="object",
        text=f"{color}{o.label}{on}{where}{_AWAY.get(o.state, '')}",
        score=score,
        origin="scene",
        stamp_ns=o.last_seen_ns,
        label=o.label,
        state=o.state,
        confidence=o.confidence,
        source=keyframe.camera_name,
        session=keyframe.session,
        map_id=o.map_id,
        place=keyframe.place,
        room=room.id if room else "",
        room_name=room.name if room else "",
        object_id=o.id,
        keyframe_id=o.keyframe_id,
        position=_triple(o.center),
        T_map_camera=keyframe.T_map_camera,
        is_goal=o.is_there and o.map_id == memories.map_id,
    )


def _describe_keyframe(memories: Memories, keyframe_id: str, **fields: Any) -> Evidence:
    keyframe = memories.keyframes.get(keyframe_id)
    position = fields.pop("position", _triple(keyframe.T_map_camera[:3, 3]))
    room = room_at(memories, keyframe.map_id, keyframe.T_map_camera[:3, 3])
    return Evidence(
        source=fields.pop("source", "") or keyframe.camera_name,
        session=keyframe.session,
        map_id=keyframe.map_id,
        place=keyframe.place,
        room=room.id if room else "",
        room_name=room.name if room else "",
        keyframe_id=keyframe_id,
        position=position,
        T_map_camera=keyframe.T_map_camera,
        is_goal=keyframe.map_id == memories.map_id,
        **fields,
    )


def describe_snapshot(memories: Memories, snapshot: Snapshot, score: float) -> Evidence:
    """A snapshot as evidence."""
    objects = memories.scene.by_id()
    labels = [objects[i].label for i in snapshot.object_ids if i in objects]
    stamp_ns = memories.keyframes.get(snapshot.keyframe_id).stamp_ns
    text = f"view of {', '.join(sorted(set(labels)))}"
    return _describe_keyframe(
        memories,
        snapshot.keyframe_id,
        id=snapshot.id,
        kind="snapshot",
        text=text,
        score=score,
        origin="scene",
        stamp_ns=stamp_ns,
    )


def describe_episode(memories: Memories, episode: Episode, score: float, origin: Origin) -> Evidence:
    """An episode, or a keyframe's experience, as evidence."""
    fields: dict[str, Any] = {
        "id": episode.id,
        "kind": episode.kind,
        "text": episode.text,
        "score": score,
        "origin": origin,
        "stamp_ns": episode.stamp_ns,
        "label": episode.labels[0] if len(episode.labels) == 1 else "",
        "state": episode.state,
        "object_id": episode.object_id,
        "source": episode.source,
        "is_quoted": episode.is_quoted,
    }
    position = episode.position_with(memories.keyframes.pose)
    if episode.keyframe_id and episode.keyframe_id in memories.keyframes:
        if position is not None:
            fields["position"] = _triple(position)
        return _describe_keyframe(memories, episode.keyframe_id, **fields)
    room = None if position is None else room_at(memories, episode.map_id, position)
    return Evidence(
        **fields,
        session=episode.session,
        map_id=episode.map_id,
        place=episode.place,
        room=room.id if room else "",
        room_name=room.name if room else "",
        position=None if position is None else _triple(position),
        is_goal=position is not None and episode.map_id == memories.map_id,
    )


def describe_place(memories: Memories, place: Place, score: float) -> Evidence:
    """A place as evidence, with the keyframe that it hangs on; imported places have none until they are visited."""
    name = f"place {place.name}" if place.name else "place"
    if not place.keyframe_id:
        return Evidence(
            id=place.id,
            kind="place",
            text=f"{name}, imported, never visited",
            score=score,
            origin="spatial",
            stamp_ns=0,
            map_id=place.map_id,
            place=place.id,
            position=_triple(place.position),
            is_goal=place.map_id == memories.map_id,
        )
    evidence = _describe_keyframe(
        memories,
        place.keyframe_id,
        id=place.id,
        kind="place",
        text=f"{name} visited {place.n_visits} times",
        score=score,
        origin="spatial",
        stamp_ns=place.last_visit_ns,
        position=_triple(place.position),
    )
    return replace(evidence, place=place.id)


def describe_room(memories: Memories, room: Room, labels: Iterable[str], score: float) -> Evidence:
    """A room as evidence."""
    contents = ", ".join(sorted(set(labels))) or "nothing known"
    return Evidence(
        id=room.id,
        kind="room",
        text=f"{room.name or 'room'} of {room.area:.0f} m2 with {contents}",
        score=score,
        origin="spatial",
        stamp_ns=memories.spatial.newest_stamp_ns,
        label=room.name,
        confidence=room.confidence,
        map_id=memories.map_id,
        room=room.id,
        room_name=room.name,
        position=_triple(room.position),
        is_goal=True,
    )


def describe_frontier(memories: Memories, frontier: Frontier, score: float) -> Evidence:
    """A frontier as evidence of where to look next."""
    room = room_at(memories, memories.map_id, frontier.position)
    return Evidence(
        id=frontier.id,
        kind="frontier",
        text=f"unexplored border of {frontier.area:.1f} m2" + (f" at {_name(room)}" if room else ""),
        score=score,
        origin="spatial",
        stamp_ns=memories.spatial.newest_stamp_ns,
        map_id=memories.map_id,
        room=room.id if room else "",
        room_name=room.name if room else "",
        keyframe_id=frontier.keyframe_id,
        position=_triple(frontier.position),
        is_goal=True,
    )


def attach_images(memories: Memories, evidence: Sequence[Evidence], max_bytes: int) -> list[Evidence]:
    """Evidence with JPEGs (objects: a crop of the best view) until their sum would exceed ``max_bytes``."""
    objects = memories.scene.by_id()
    result, left = [], max_bytes
    for item in evidence:
        image = None
        if item.kind == "object" and item.id in objects:
            image = memories.scene.object_image(objects[item.id])
        elif item.keyframe_id and not memories.keyframes.get(item.keyframe_id).is_faded:
            image = memories.keyframes.color_jpeg(item.keyframe_id)
        if image is not None and len(image) <= left:
            left -= len(image)
            item = replace(item, image=image)
        result.append(item)
    return result


def picture_of_episode(memories: Memories, episode: Episode) -> bytes | None:
    """JPEG of what an event is about, cut out of the image of its keyframe; None: there is no image, or it is not in it.

    As large as its object is now, and where it was then.

    Raises:
        StoreError: the image is damaged.
    """
    if episode.position_in_camera is None or episode.keyframe_id not in memories.keyframes:
        return None
    keyframe = memories.keyframes.get(episode.keyframe_id)
    pixel, z = project(np.asarray(episode.position_in_camera), keyframe.camera)
    if keyframe.is_faded or float(z) <= 0.05:
        return None
    o = memories.scene.by_id().get(episode.object_id)
    reach = max(o.size) / 2 if o is not None else _REACH
    half = max(_LEAST_PIXELS, (1.0 + memories.scene.parameters.crop_margin) * keyframe.camera.fx * reach / float(z))
    (x0, y0), (x1, y1) = np.round(pixel - half).astype(int), np.round(pixel + half).astype(int)
    return memories.pictures.cut(episode.keyframe_id, (int(x0), int(y0), int(x1), int(y1)))


def _name(room: Room) -> str:
    return f"the {room.name}" if room.name else room.id


def rooms_of_objects(memories: Memories, objects: Sequence[SceneObject]) -> list[Room | None]:
    """Rooms that objects are in; None where not known, and for objects of other maps."""
    view = memories.spatial.view
    if view is None:
        return [None] * len(objects)
    seen_from = [memories.keyframes.pose(o.keyframe_id)[:3, 3] for o in objects]
    rooms = view.rooms_seen_from([o.center for o in objects], seen_from)
    return [room if o.map_id == memories.map_id else None for o, room in zip(objects, rooms, strict=True)]


def objects_in_room(memories: Memories, objects: Sequence[SceneObject], room: str) -> list[SceneObject]:
    """Those that are in a room of this id or name."""
    rooms = rooms_of_objects(memories, objects)
    return [o for o, r in zip(objects, rooms, strict=True) if r is not None and room in (r.id, r.name)]


def related(
    memories: Memories,
    object_ids: Sequence[str],
    kinds: Sequence[str],
    viewpoint: npt.ArrayLike | None,
    max_distance: float,
) -> tuple[Relation, ...]:
    """`SceneMemory.relations`, without neighbours of which it is known that they are in another room."""
    found = memories.scene.relations(object_ids, kinds, viewpoint, max_distance)
    objects = memories.scene.by_id()
    ids = [i for i in dict.fromkeys(i for r in found for i in (r.subject, *r.objects)) if i in objects]
    rooms = rooms_of_objects(memories, [objects[i] for i in ids])
    room_of = {i: room.id for i, room in zip(ids, rooms, strict=True) if room is not None}
    return tuple(
        r
        for r in found
        if r.relation in ("on", "in", "under")
        or all(room_of.get(i) == room_of.get(r.subject) for i in r.objects if i in room_of and r.subject in room_of)
    )


def rooms_at(
    memories: Memories, positions: Sequence[npt.ArrayLike], seen_from: Sequence[npt.ArrayLike], map_ids: Sequence[str]
) -> list[Room | None]:
    """Rooms of points (3,) [m] that were seen from others; None where not known, and for points of other maps."""
    view = memories.spatial.view
    if view is None or not positions:
        return [None] * len(positions)
    rooms = view.rooms_seen_from([_triple(p) for p in positions], [np.asarray(s) for s in seen_from])
    return [room if m == memories.map_id else None for m, room in zip(map_ids, rooms, strict=True)]


def room_at(memories: Memories, map_id: str, position: npt.ArrayLike) -> Room | None:
    view = memories.spatial.view
    return view.room_of(position) if view is not None and map_id == memories.map_id else None


def _triple(position: npt.ArrayLike) -> tuple[float, float, float]:
    x, y, z = np.asarray(position, dtype=np.float64)
    return (float(x), float(y), float(z))
