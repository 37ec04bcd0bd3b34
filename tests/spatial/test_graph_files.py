"""Graphs for other programs, read back the way these read them."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from loci.spatial.graph_files import to_geojson, to_networkx, write_graph
from loci.spatial.topology import TopologicalGraph


@pytest.fixture
def graph() -> TopologicalGraph:
    """a - b - c, of which b - c is blocked one way."""
    numbers = count()
    graph = TopologicalGraph(lambda: f"place/{next(numbers)}")
    positions = np.array([[0.0, 0.0, 1.0], [3.0, 4.0, 1.0], [3.0, 9.0, 1.0]])
    graph.add_places("home", ["a", "b", "c"], positions, np.array([[0, 1], [1, 0], [1, 2], [2, 1]]))
    graph.block_edge("place/1", "place/2")
    graph.report_traversal("place/0", "place/1", succeeded=True, duration=4.0)
    return graph


def test_graphml_says_what_is_known(graph: TopologicalGraph, tmp_path: Path) -> None:
    path = write_graph(tmp_path / "g.graphml", "graphml", graph.places(), graph.edges())
    found = nx.read_graphml(path)
    expected = to_networkx(graph.places(), graph.edges())
    assert dict(found.nodes(data=True)) == dict(expected.nodes(data=True))
    assert found.adj == expected.adj
    assert found.nodes["place/1"]["name"] == "b" and found.nodes["place/1"]["y"] == 4.0
    assert found.edges["place/0", "place/1"]["mean_duration"] == 4.0
    assert found.edges["place/1", "place/2"]["blocked"] is True
    assert found.edges["place/0", "place/1"]["length"] == 5.0


def test_geojson_is_a_route_graph_as_nav2_loads_it(graph: TopologicalGraph, tmp_path: Path) -> None:
    """By the rules of nav2_route's loader: features by geometry, whole unique ids, edges between nodes that there are."""
    path = write_graph(tmp_path / "g.geojson", "geojson", graph.places(), graph.edges(), frame="map")
    document = json.loads(path.read_text())
    assert document["type"] == "FeatureCollection"
    nodes = [f for f in document["features"] if f["geometry"]["type"] == "Point"]
    edges = [f for f in document["features"] if f["geometry"]["type"] in ("LineString", "MultiLineString")]
    assert len(nodes) + len(edges) == len(document["features"])
    ids = [f["properties"]["id"] for f in document["features"]]
    assert all(isinstance(i, int) and i >= 0 for i in ids) and len(set(ids)) == len(ids)
    at = {f["properties"]["id"]: f["geometry"]["coordinates"] for f in nodes}
    assert list(at.values()) == [[0.0, 0.0], [3.0, 4.0], [3.0, 9.0]]
    assert all(f["properties"]["frame"] == "map" for f in nodes)
    place = {f["properties"]["id"]: f["properties"]["metadata"]["place"] for f in nodes}
    pairs = {}
    for f in edges:
        p = f["properties"]
        assert f["geometry"]["coordinates"] == [[at[p["startid"]], at[p["endid"]]]]
        pairs[place[p["startid"]], place[p["endid"]]] = p["cost"]
    open_edges = {(e.source, e.target): e.weight for e in graph.edges() if not e.blocked}
    assert len(open_edges) == 3
    assert pairs == pytest.approx(open_edges, abs=1e-3)


def test_an_edge_to_a_place_that_is_left_out_is_left_out(graph: TopologicalGraph) -> None:
    features = to_geojson(graph.places()[:2], graph.edges())["features"]
    assert [f["geometry"]["type"] for f in features] == ["Point", "Point", "MultiLineString", "MultiLineString"]


def test_another_format_is_refused(graph: TopologicalGraph, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="graphml, geojson, got 'dot'"):
        write_graph(tmp_path / "g.dot", "dot", graph.places(), graph.edges())
    assert not (tmp_path / "g.dot").exists()
