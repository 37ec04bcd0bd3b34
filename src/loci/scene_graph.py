"""The scene as a graph floor -> room -> object: text for a planner's prompt, JSON for programs (KARMA, section III-B)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from loci.scene.objects import SceneObject
from loci.spatial.view import Topology


def scene_graph_text(
    topology: Topology,
    objects: Sequence[SceneObject],
    rooms: Mapping[str, str],
    carriers: Mapping[str, tuple[str, bool]],
    max_characters: int,
) -> tuple[str, bool]:
    """One line a room and one line an object, newest objects first; and whether lines were left out to keep the limit.

    Where there are several floors, each has a line before its rooms, from the lowest up.

    Args:
        topology: places and rooms.
        objects: what is known.
        rooms: room id by object id.
        carriers: {object id: (id of the object that carries it, whether it lies in that one)}.
        max_characters: limit of the text.
    """
    labels = {o.id: o.label for o in objects}
    neighbours = _adjacent_rooms(topology)
    names = {room.id: f"{room.name or 'room'} ({room.id})" for room in topology.rooms}
    by_room: dict[str, list[SceneObject]] = defaultdict(list)
    for o in objects:
        by_room[rooms.get(o.id, "")].append(o)
    lines: list[str] = []
    floor_of = {i: floor for floor in topology.floors for i in floor.room_ids}
    floor_id = ""
    for room in (*topology.rooms, None):
        floor = floor_of.get(room.id) if room is not None else None
        if floor is not None and floor.id != floor_id and len(topology.floors) > 1:
            floor_id = floor.id
            lines.append(f"{floor.name} ({floor.id}), at {floor.height:.1f} m:")
        inside = by_room.get(room.id if room else "", [])
        if room is not None:
            next_to = ", ".join(names[i] for i in sorted(neighbours.get(room.id, ())))
            lines.append(f"{names[room.id]}, {room.area:.0f} m2" + (f", next to {next_to}" if next_to else "") + ":")
        elif inside:
            lines.append("elsewhere:")
        for o in sorted(inside, key=lambda o: -o.last_seen_ns):
            color = f"{o.colors[0]} " if o.colors else ""
            on, is_inside = carriers.get(o.id, ("", False))
            on_text = f" {'in' if is_inside else 'on'} {labels[on]} ({on})" if on in labels else ""
            x, y, z = o.center
            was = " was last" if not o.is_there else ""
            away = "" if o.is_there else f", {o.state} now"
            lines.append(f"  {color}{o.label} ({o.id}){was}{on_text} at ({x:.1f}, {y:.1f}, {z:.1f}){away}")
        if sum(map(len, lines)) > max_characters:
            break  # what follows would be cut
    text, truncated = "", False
    for line in lines:
        if len(text) + len(line) + 1 > max_characters:
            truncated = True
            break
        text += line + "\n"
    return text, truncated


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
