"""The scene as a graph floor -> room -> object: text for a planner's prompt, JSON for programs (KARMA, section III-B)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from loci.scene.objects import SceneObject
from loci.spatial.view import Topology

#: What makes an object worth a line of a text that is too short for all: likeness to the question counts whole, being near and being
#: seen lately count less. At so many metres nearness counts half.
_NEAR, _NEW, _HALF = 0.3, 0.03, 3.0


def worth_of_objects(
    objects: Sequence[SceneObject],
    relevance: npt.NDArray[np.float32] | None = None,
    position: npt.ArrayLike | None = None,
    map_id: str = "",
) -> npt.NDArray[np.float64]:
    """How much N objects are worth in a text of limited length (N,): the most relevant, then the nearest, then the newest.

    Args:
        objects: what is known.
        relevance: of each to a question, (N,) in [0, 1]; None: nothing is asked.
        position: (3,) [m] that nearness is measured from, map frame; None: everything is equally near.
        map_id: map of the position; objects of others are far away.
    """
    n = len(objects)
    worth = np.zeros(n) if relevance is None else np.asarray(relevance, dtype=np.float64).copy()
    if position is not None and n:
        distances = np.linalg.norm(np.array([o.center for o in objects]) - np.asarray(position), axis=1)
        here = np.array([o.map_id == map_id for o in objects])
        worth += np.where(here, _NEAR / (1.0 + distances / _HALF), 0.0)
    seen = np.array([o.last_seen_ns for o in objects], dtype=np.int64)
    _, ages = np.unique(-seen, return_inverse=True)  # 0: the newest
    return worth + _NEW * (1.0 - ages / max(1, n))


def scene_graph_text(
    topology: Topology,
    objects: Sequence[SceneObject],
    rooms: Mapping[str, str],
    carriers: Mapping[str, tuple[str, bool]],
    max_characters: int,
    worth: npt.NDArray[np.float64] | None = None,
) -> tuple[str, bool]:
    """One line a room and one line an object, and whether lines were left out to keep the limit.

    What is worth most comes first: rooms in the order of their best objects, objects in the order of their worth. What is left out is
    what is worth least, wherever it is. Where there are several floors, each has a line before its rooms, from the lowest up.

    Args:
        topology: places and rooms.
        objects: what is known.
        rooms: room id by object id.
        carriers: {object id: (id of the object that carries it, whether it lies in that one)}.
        max_characters: limit of the text.
        worth: of the objects, (N,), see `worth_of_objects`; None: the newest first.
    """
    worth = worth_of_objects(objects) if worth is None else worth
    labels = {o.id: o.label for o in objects}
    heads = _heads_of_rooms(topology)
    floors = topology.floors if len(topology.floors) > 1 else ()
    floor_of = {room: floor.id for floor in floors for room in floor.room_ids}
    floor_heads = {f.id: f"{f.name} ({f.id}), at {f.height:.1f} m:" for f in floors}
    begun: set[str] = set()  # floors
    inside: dict[str, list[str]] = {}  # by room: lines of its objects, best first
    left = max_characters

    def take(room: str, line: str = "") -> bool:
        """Take in a line of a room, with those that come before it; False: there is no space for them."""
        nonlocal left
        floor = floor_of.get(room, "")
        new = [heads[room]] if room not in inside else []
        new += [floor_heads[floor]] if floor and floor not in begun else []
        cost = sum(len(text) + 1 for text in (*new, line) if text)
        if cost > left:
            return False
        left -= cost
        begun.add(floor)
        inside.setdefault(room, []).extend([line] if line else [])
        return True

    truncated = False
    for i in np.argsort(-worth, kind="stable").tolist():
        room = rooms.get(objects[i].id, "")
        if not take(room if room in heads else "", _line_of(objects[i], labels, carriers)):
            truncated = True
            break
    truncated |= not all(take(room) for room in heads if room and room not in inside)
    lines: list[str] = []
    for floor_id in (*floor_heads, ""):
        here = [room for room in inside if floor_of.get(room, "") == floor_id]
        if floor_id and here:
            lines.append(floor_heads[floor_id])
        for room in sorted(here, key=lambda room: not room):  # what is in no room comes last
            lines += [heads[room], *inside[room]]
    return "".join(f"{line}\n" for line in lines), truncated


def _heads_of_rooms(topology: Topology) -> dict[str, str]:
    """{room id: the line that it begins with}; the empty id is that of what lies in none."""
    neighbours = _adjacent_rooms(topology)
    names = {room.id: f"{room.name or 'room'} ({room.id})" for room in topology.rooms}
    heads: dict[str, str] = {}
    for room in topology.rooms:
        next_to = ", ".join(names[i] for i in sorted(neighbours.get(room.id, ())))
        heads[room.id] = f"{names[room.id]}, {room.area:.0f} m2" + (f", next to {next_to}" if next_to else "") + ":"
    return heads | {"": "elsewhere:"}


def _line_of(o: SceneObject, labels: Mapping[str, str], carriers: Mapping[str, tuple[str, bool]]) -> str:
    color = f"{o.colors[0]} " if o.colors else ""
    on, is_inside = carriers.get(o.id, ("", False))
    on_text = f" {'in' if is_inside else 'on'} {labels[on]} ({on})" if on in labels else ""
    x, y, z = o.center
    was = " was last" if not o.is_there else ""
    away = "" if o.is_there else f", {o.state} now"
    return f"  {color}{o.label} ({o.id}){was}{on_text} at ({x:.1f}, {y:.1f}, {z:.1f}){away}"


def scene_graph_json(
    topology: Topology,
    objects: Sequence[SceneObject],
    rooms: Mapping[str, str],
    carriers: Mapping[str, tuple[str, bool]],
) -> str:
    """The same as JSON: floors, rooms, places, edges and objects with their relations; metres, map frame, stamps in nanoseconds."""
    floor_of = {i: floor.id for floor in topology.floors for i in floor.room_ids}
    graph = {
        "floors": [
            {"id": f.id, "name": f.name, "height": round(float(f.height), 4), "area": f.area, "rooms": list(f.room_ids)}
            for f in topology.floors
        ],
        "rooms": [
            {
                "id": r.id,
                "name": r.name,
                "confidence": r.confidence,
                "position": _floats(r.position),
                "area": r.area,
                "floor": floor_of.get(r.id, ""),
            }
            for r in topology.rooms
        ],
        "places": [
            {"id": p.id, "position": _floats(p.position), "room": p.room, "n_visits": p.n_visits, "map_id": p.map_id}
            for p in topology.places
        ],
        "edges": [
            {"source": e.source, "target": e.target, "length": e.length, "n_traversals": e.n_traversals}
            for e in topology.edges
        ],
        "objects": [
            {
                "id": o.id,
                "label": o.label,
                "label_confidence": o.label_confidence,
                "confidence": o.confidence,
                "state": o.state,
                "presence": round(o.presence, 4),
                "center": _floats(o.center),
                "size": _floats(o.size),
                "T_map_box": [_floats(row) for row in o.T_map_box],
                "colors": list(o.colors),
                "attributes": list(o.attributes),
                "room": rooms.get(o.id, ""),
                "on": on_or_in(o.id, carriers)[0],
                "in": on_or_in(o.id, carriers)[1],
                "n_detections": o.n_detections,
                "first_seen_ns": o.first_seen_ns,
                "last_seen_ns": o.last_seen_ns,
                "keyframe": o.keyframe_id,
                "map_id": o.map_id,
            }
            for o in objects
        ],
    }
    return json.dumps(graph, indent=1)


def on_or_in(object_id: str, carriers: Mapping[str, tuple[str, bool]]) -> tuple[str, str]:
    """Ids of what an object lies on, and of what it lies in; at most one of the two is not empty."""
    carrier, is_inside = carriers.get(object_id, ("", False))
    return ("", carrier) if is_inside else (carrier, "")


def _adjacent_rooms(topology: Topology) -> dict[str, set[str]]:
    room_of = {p.id: p.room for p in topology.places}
    adjacent: dict[str, set[str]] = {}
    for edge in topology.edges:
        a, b = room_of.get(edge.source, ""), room_of.get(edge.target, "")
        if a and b and a != b:
            adjacent.setdefault(a, set()).add(b)
            adjacent.setdefault(b, set()).add(a)
    return adjacent


def _floats(values: Iterable[float]) -> list[float]:
    return [round(float(v), 4) for v in values]
