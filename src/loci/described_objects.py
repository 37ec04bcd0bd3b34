"""All objects as evidence, described anew only where something about them changed: planners ask for all of them at every decision.

An object, its keyframe and what carries it are immutable and exchanged when they change, so that comparing references tells what is still
true.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from loci.evidence import Memories, describe_object, rooms_of_objects
from loci.keyframes import Keyframe
from loci.query import Evidence
from loci.scene.objects import SceneObject
from loci.spatial.regions import Room


@dataclass(frozen=True)
class DescribedObject:
    """An object, what it is as evidence (score 1), and the id of the object that it lies on or in (empty: none); the same one until it changes."""

    object: SceneObject
    evidence: Evidence
    on: str


@dataclass(frozen=True)
class _Basis:
    """What a description rests on; what is immutable is compared by reference."""

    o: SceneObject
    keyframe: Keyframe
    carrier: SceneObject | None
    told: tuple[str, str, bool, str]  # room, its name, whether it lies in its carrier, and the current map

    def is_of(self, other: _Basis) -> bool:
        return (
            self.o is other.o
            and self.keyframe is other.keyframe
            and self.carrier is other.carrier
            and self.told == other.told
        )


class DescribedObjects:
    """Descriptions of a memory's objects that are kept as long as they are true. May be asked from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[_Basis, DescribedObject]] = {}
        self._rooms: tuple[object, object, str, list[Room | None]] = (None, None, "", [])

    def all(self, memories: Memories) -> tuple[DescribedObject, ...]:
        """All objects of all maps, those that are missing included, oldest first."""
        objects = memories.scene.objects()
        rooms = self._rooms_of(memories, objects)
        carriers, by_id = memories.scene.carriers(o.id for o in objects), {o.id: o for o in objects}
        with self._lock:
            before, self._known = self._known, {}
            for o, room in zip(objects, rooms, strict=True):
                carrier_id, is_inside = carriers.get(o.id, ("", False))
                keyframe = memories.keyframes.get(o.keyframe_id)
                # Rooms are made anew at every refresh of the map.
                told = (room.id, room.name) if room is not None else ("", "")
                basis = _Basis(o, keyframe, by_id.get(carrier_id), (*told, is_inside, memories.map_id))
                known = before.get(o.id)
                if known is None or not known[0].is_of(basis):
                    known = basis, DescribedObject(o, describe_object(memories, o, 1.0, room), carrier_id)
                self._known[o.id] = known
            return tuple(described for _, described in self._known.values())

    def _rooms_of(self, memories: Memories, objects: tuple[SceneObject, ...]) -> list[Room | None]:
        """`rooms_of_objects`, looked up once as long as neither objects nor map change (objects follow corrected poses)."""
        view, map_id = memories.spatial.view, memories.map_id
        known_objects, known_view, known_map, rooms = self._rooms
        if known_objects is not objects or known_view is not view or known_map != map_id:
            rooms = rooms_of_objects(memories, objects)
            self._rooms = objects, view, map_id, rooms
        return rooms
