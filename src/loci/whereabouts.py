"""Where things are: the position of a thing by its id, and the place and room of a point or of what a camera sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loci.evidence import Memories
from loci.geometry import Array, check_points

if TYPE_CHECKING:
    from loci.questions import MemoryQuestions


class OtherMapError(ValueError):
    """The target lies in a map that is not joined to the current one: it can be remembered, but not driven to."""


@dataclass(frozen=True)
class Location:
    """Place and room of a point or an image; ids are empty where not known."""

    place: str
    room: str
    room_name: str
    score: float


def locate(memories: Memories, position: npt.ArrayLike | None, image: npt.NDArray[np.uint8] | None) -> Location:
    """Place and room of a point or an image; see `MemoryQuestions.locate`."""
    if (position is None) == (image is None):
        raise ValueError("expected either a position or an image")
    graph = memories.spatial.graph.view
    where: npt.ArrayLike
    if image is not None:
        place_id, score = graph.locate(memories.image_encoder.encode(image))
        if not place_id:
            raise LookupError("no place with an image is known yet")
        where = graph.get(place_id).position
    else:
        assert position is not None  # exactly one of the two is given
        where = p = check_points(position, "position", (3,))
        nearest = graph.nearest(p, memories.map_id)
        if not nearest:
            raise LookupError("no place is known in this map yet")
        place_id = nearest
        distance = float(np.linalg.norm(graph.get(place_id).position[:2] - p[:2]))
        score = 1.0 / (1.0 + distance)
    place = graph.get(place_id)
    view = memories.spatial.view
    room = view.room_of(where) if view is not None and place.map_id == memories.map_id else None
    return Location(place_id, room.id if room else "", room.name if room else "", float(np.clip(score, 0.0, 1.0)))


def position_of(memory: MemoryQuestions, memories: Memories, thing: str) -> Array:
    """Position (3,) [m] of a thing of the current map by its id; see `MemoryQuestions.position_of`."""
    kind = thing.split("/", 1)[0]
    map_id = memory.map_id
    position: npt.ArrayLike | None = None
    if kind == "object":
        o = memory.object(thing)
        map_id, position = o.map_id, o.center
    elif kind == "place":
        view = memories.spatial.graph.view
        if thing in view.index:
            place = view.get(thing)
            map_id, position = place.map_id, place.position
    elif kind == "room":
        position = next((r.position for r in memory.topology().rooms if r.id == thing), None)
    elif kind == "frontier":
        position = next((f.position for f, _ in memory.frontiers() if f.id == thing), None)
    else:
        keyframe_id = thing
        if kind == "snapshot":
            keyframe_id = next((s.keyframe_id for s in memory.snapshots() if s.id == thing), "")
        if keyframe_id in memories.keyframes:
            keyframe = memories.keyframes.get(keyframe_id)
            map_id, position = keyframe.map_id, keyframe.T_map_camera[:3, 3]
    if position is None:
        raise LookupError(f"no {thing!r} in this memory")
    if not memory.is_goal(map_id):
        raise OtherMapError(f"{thing} lies in map {map_id!r}, which is not joined to the current map {memory.map_id!r}")
    return np.asarray(position, dtype=np.float64)
