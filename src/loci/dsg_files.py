"""The scene graph of a memory as JSON that spark_dsg (MIT-SPARK, version 1.1) loads: objects, places, rooms, one building.

Layers and node symbols are Hydra's: O, p, R and B. spark_dsg has no storeys: a room's floor is in its metadata, as is what else
Loci knows. What lies on or in what is an edge between objects. Written against the format, with no code of that project.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from loci.geometry import Array, quaternion_from_pose
from loci.scene.tracks import SceneObject
from loci.scene_graph import on_or_in
from loci.spatial.places import Place
from loci.spatial.regions import Room
from loci.spatial.view import Topology

_VERSION = {"major": 1, "minor": 1, "patch": 3}
#: Layer and symbol of each kind of node.
_LAYERS = {"OBJECTS": (2, "O"), "PLACES": (3, "p"), "ROOMS": (4, "R"), "BUILDINGS": (5, "B")}
_UNKNOWN_LABEL = 2**32 - 1
_NO_BOX = {"type": "INVALID", "dimensions": [0.0] * 3, "world_P_center": [0.0] * 3}
_IDENTITY = {"w": 1.0, "x": 0.0, "y": 0.0, "z": 0.0}
_RGB = {
    "black": (20, 20, 20), "gray": (128, 128, 128), "white": (245, 245, 245), "red": (200, 30, 30), "orange": (240, 140, 20),
    "brown": (120, 75, 40), "yellow": (240, 220, 40), "green": (40, 150, 60), "cyan": (0, 170, 180), "blue": (40, 80, 190),
    "purple": (120, 60, 160), "pink": (225, 140, 170), "beige": (210, 190, 150),
}  # fmt: skip


def scene_graph_dsg(
    topology: Topology,
    objects: Sequence[SceneObject],
    rooms: Mapping[str, str],
    places: Mapping[str, str],
    carriers: Mapping[str, tuple[str, bool]],
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    """The graph of one map, JSON-able.

    Args:
        topology: places, edges, rooms and floors of the map.
        objects: of the map.
        rooms: room id by object id.
        places: id of the nearest place by object id.
        carriers: {object id: (id of the object that carries it, whether it lies in that one)}.
        metadata: of the graph, e.g. the memory's UUID.
    """
    labels = sorted({o.label for o in objects} | {r.name for r in topology.rooms})
    number = {label: i for i, label in enumerate(labels)}
    floor_of = {i: f for f in topology.floors for i in f.room_ids}
    nodes: dict[str, dict[str, Any]] = {}
    for o in objects:
        nodes[o.id] = _node("OBJECTS", o.id, _object(o, number, rooms, carriers))
    for p in topology.places:
        nodes[p.id] = _node("PLACES", p.id, _place(p))
    for r in topology.rooms:
        floor = floor_of.get(r.id)
        nodes[r.id] = _node("ROOMS", r.id, _room(r, number, floor.id if floor else ""))
    if topology.rooms:
        center = np.mean([r.position for r in topology.rooms], axis=0)
        attributes = _attributes("SemanticNodeAttributes", "building", center, _UNKNOWN_LABEL, {})
        nodes["building/0"] = _node("BUILDINGS", "building/0", attributes)
    edges: dict[tuple[str, str], dict[str, Any]] = {}

    def link(source: str, target: str, told: Mapping[str, Any], weight: float | None = None) -> None:
        """Join two nodes that are there; the graph is not directed, and keeps the first edge of a pair."""
        pair = (min(source, target), max(source, target))
        if source in nodes and target in nodes and source != target and pair not in edges:
            edges[pair] = _edge(nodes[source]["id"], nodes[target]["id"], told, weight)

    for r in topology.rooms:
        link("building/0", r.id, {})
    for p in topology.places:
        link(p.room, p.id, {})
    for o in objects:
        link(places.get(o.id, ""), o.id, {})
    for e in topology.edges:
        link(e.source, e.target, {"blocked": e.blocked, "n_traversals": e.n_traversals}, e.length)
    for o in objects:
        on, inside = on_or_in(o.id, carriers)
        link(o.id, on or inside, {"relation": "in" if inside else "on", "subject": o.id})
    space = [[i, label] for label, i in number.items()]
    return {
        "SPARK_DSG_header": {"project_name": "loci", "version": _VERSION},
        "directed": False,
        "multigraph": False,
        "layer_keys": [{"layer": layer, "partition": 0} for layer, _ in _LAYERS.values()],
        "layer_names": {name: {"layer": layer, "partition": 0} for name, (layer, _) in _LAYERS.items()},
        "metadata": {**metadata, "labelspaces": {"_l2p0": space, "_l4p0": space}},
        "nodes": list(nodes.values()),
        "edges": list(edges.values()),
    }


def node_symbol(layer: str, thing: str) -> int:
    """Number of a node in spark_dsg: its layer's letter in the highest byte, the number in our id in the rest."""
    return (ord(_LAYERS[layer][1]) << 56) | int(thing.rsplit("/", 1)[-1])


def _node(layer: str, thing: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"id": node_symbol(layer, thing), "layer": _LAYERS[layer][0], "partition": 0, "attributes": attributes}


def _attributes(
    kind: str, name: str, position: Iterable[float], label: int, metadata: Mapping[str, Any], last_ns: int = 0
) -> dict[str, Any]:
    """What all nodes have; of unknown size."""
    return {
        "type": kind,
        "position": _floats(position),
        "last_update_time_ns": int(last_ns),
        "is_active": False,
        "is_predicted": False,
        "metadata": dict(metadata),
        "name": name,
        "color": {"r": 128, "g": 128, "b": 128, "a": 255},
        "semantic_label": label,
        "semantic_feature": {"rows": 0, "cols": 0, "data": None},
        "bounding_box": {**_NO_BOX, "world_R_center": dict(_IDENTITY)},
    }


def _object(
    o: SceneObject, number: Mapping[str, int], rooms: Mapping[str, str], carriers: Mapping[str, tuple[str, bool]]
) -> dict[str, Any]:
    on, inside = on_or_in(o.id, carriers)
    told = {
        "id": o.id,
        "label_confidence": o.label_confidence,
        "confidence": o.confidence,
        "state": o.state,
        "colors": list(o.colors),
        "attributes": list(o.attributes),
        "room": rooms.get(o.id, ""),
        "on": on,
        "in": inside,
        "n_detections": o.n_detections,
        "first_seen_ns": o.first_seen_ns,
        "last_seen_ns": o.last_seen_ns,
        "keyframe": o.keyframe_id,
    }
    made = _attributes("ObjectNodeAttributes", o.label, o.center, number[o.label], told, o.last_seen_ns)
    turn = _quaternion(o.T_map_box)
    red, green, blue = _RGB.get(o.colors[0] if o.colors else "", (128, 128, 128))
    made["color"] = {"r": red, "g": green, "b": blue, "a": 255}
    made["bounding_box"] = {
        "type": "OBB",
        "dimensions": _floats(o.size),
        "world_P_center": _floats(o.center),
        "world_R_center": turn,
    }
    return {**made, "registered": False, "world_R_object": turn, "mesh_connections": []}


def _place(p: Place) -> dict[str, Any]:
    told = {"id": p.id, "n_visits": p.n_visits, "name": p.name}
    made = _attributes("PlaceNodeAttributes", p.name, p.position, _UNKNOWN_LABEL, told, p.last_visit_ns)
    return {
        **made,
        "distance": 0.0,
        "num_basis_points": 0,
        "voxblox_mesh_connections": [],
        "pcl_mesh_connections": [],
        "mesh_vertex_labels": [],
        "deformation_connections": [],
        "real_place": True,
        "active_frontier": False,
        "anti_frontier": False,
        "need_cleanup": False,
        "num_frontier_voxels": 0,
        "frontier_scale": [0.0] * 3,
        "orientation": dict(_IDENTITY),
    }


def _room(r: Room, number: Mapping[str, int], floor: str) -> dict[str, Any]:
    told = {"id": r.id, "area": r.area, "confidence": r.confidence, "floor": floor}
    made = _attributes("RoomNodeAttributes", r.name or r.id, r.position, number[r.name], told)
    return {**made, "semantic_class_probabilities": {}}


def _edge(source: int, target: int, metadata: Mapping[str, Any], weight: float | None) -> dict[str, Any]:
    info = {"type": "EdgeAttributes", "metadata": dict(metadata), "weighted": weight is not None}
    return {"source": source, "target": target, "info": {**info, "weight": 1.0 if weight is None else float(weight)}}


def _quaternion(T: Array) -> dict[str, float]:
    x, y, z, w = (float(v) for v in quaternion_from_pose(T))
    return {"w": w, "x": x, "y": y, "z": z}


def _floats(values: Iterable[float]) -> list[float]:
    return [float(v) for v in values]
