"""The topological graph for other programs: networkx, GraphML, and the GeoJSON that Nav2's route server loads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci.spatial.places import Place, PlaceEdge

if TYPE_CHECKING:
    import networkx

#: Formats of `write_graph`, and how their files end.
FORMATS = {"graphml": ".graphml", "geojson": ".geojson"}


def to_networkx(
    places: Iterable[Place], edges: Iterable[PlaceEdge], room_names: Mapping[str, str] | None = None
) -> networkx.DiGraph:
    """A graph for networkx: nodes and edges with what is known of them, as numbers and strings that every file format can hold.

    Args:
        places, edges: of the graph.
        room_names: by room id.
    """
    import networkx

    names = room_names or {}
    graph = networkx.DiGraph()
    for place in places:
        x, y, z = (float(v) for v in place.position)
        graph.add_node(
            place.id,
            x=x,
            y=y,
            z=z,
            map_id=place.map_id,
            room=place.room,
            room_name=names.get(place.room, ""),
            name=place.name,
            n_visits=place.n_visits,
            last_visit_ns=place.last_visit_ns,
        )
    for e in edges:
        graph.add_edge(
            e.source,
            e.target,
            length=e.length,
            weight=e.weight,
            n_traversals=e.n_traversals,
            n_failures=e.n_failures,
            mean_duration=e.mean_duration,
            blocked=e.blocked,
        )
    return graph


def to_geojson(
    places: Iterable[Place],
    edges: Iterable[PlaceEdge],
    frame: str = "map",
    room_names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A route graph as nav2_route's GeoJsonGraphFileLoader reads it: points are nodes, lines are directed edges [m].

    Ids are whole numbers there, unique over nodes and edges: places are numbered from 0, edges go on after them; ``metadata.place`` has
    the id here. The cost is the weight of the edge. Blocked edges are left out: the format has no word for them.

    Args:
        places, edges: of one map.
        frame: name of the frame of that map.
        room_names: by room id.
    """
    names = room_names or {}
    numbers: dict[str, int] = {}
    at: dict[str, list[float]] = {}
    features: list[dict[str, Any]] = []
    for number, place in enumerate(places):
        numbers[place.id] = number
        at[place.id] = [round(float(v), 4) for v in place.position[:2]]
        metadata: dict[str, Any] = {"place": place.id, "height": round(float(place.position[2]), 4)}
        if place.room:
            metadata |= {"room": place.room, "room_name": names.get(place.room, "")}
        if place.name:
            metadata["name"] = place.name
        properties = {"id": number, "frame": frame, "metadata": metadata}
        features.append(_feature("Point", at[place.id], properties))
    open_edges = [e for e in edges if not e.blocked and e.source in numbers and e.target in numbers]
    for number, e in enumerate(open_edges, start=len(numbers)):
        properties = {
            "id": number,
            "startid": numbers[e.source],
            "endid": numbers[e.target],
            "cost": round(e.weight, 4),
            "overridable": True,
            "metadata": {"n_traversals": e.n_traversals, "n_failures": e.n_failures},
        }
        features.append(_feature("MultiLineString", [[at[e.source], at[e.target]]], properties))
    return {"type": "FeatureCollection", "name": "graph", "features": features}


def write_graph(
    path: Path,
    format: str,
    places: Iterable[Place],
    edges: Iterable[PlaceEdge],
    frame: str = "map",
    room_names: Mapping[str, str] | None = None,
) -> Path:
    """Write a graph to a file; returns its path.

    Args:
        path: of the file.
        format: one of `FORMATS`.
        places, edges, frame, room_names: as of `to_geojson`.

    Raises:
        ValueError: another format.
    """
    if format == "graphml":
        import networkx

        networkx.write_graphml(to_networkx(places, edges, room_names), path)
    elif format == "geojson":
        path.write_text(json.dumps(to_geojson(places, edges, frame, room_names)) + "\n")
    else:
        raise ValueError(f"expected a format among {', '.join(FORMATS)}, got {format!r}")
    return path


def _feature(kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}
