"""Routes over a memory's graph: from here to a room, a thing, a place, in words; over a city that nobody has driven through."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from loci.cli import main
from loci.memory import RobotMemory
from loci.query import Query
from loci.questions import OtherMapError
from loci.saved import open_saved
from loci.spatial.graph_files import to_networkx
from synthetic import tour


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> RobotMemory:
    """A memory of a round through a room."""
    memory = RobotMemory.open(tmp_path_factory.mktemp("routes") / "room", map_id="room")
    for observation in tour():
        memory.observe(observation)
    return memory


def test_the_way_to_a_thing_ends_at_the_place_that_it_is_a_landmark_of(room: RobotMemory) -> None:
    for o in room.objects():
        route = room.route(o.id)
        assert route.reason == "" and route.places[-1].id == room.place_of(o)
        assert o.id in room.objects_of_places()[route.places[-1].id]
        assert route.instructions[-1].startswith(f"The {o.label} is ")
        assert route.places[0].id == room.topology().current_place


def test_the_way_to_a_room_is_found_by_its_name(room: RobotMemory) -> None:
    (found,) = [r for r in room.topology().rooms if r.name]
    route = room.route(found.name.title())
    assert route.places[-1].room == found.id == room.route(found.id).places[-1].room
    assert route.instructions[-1] == f"You are in the {found.name} already."
    with pytest.raises(LookupError, match=f"known rooms are .*{found.name}"):
        room.route("ballroom")


def test_routes_cost_what_networkx_says_and_last_as_long_as_it_took(room: RobotMemory) -> None:
    topology = room.topology()
    graph = to_networkx(topology.places, topology.edges)
    start = topology.places[0].id
    for place in topology.places[1:]:
        route = room.route(place.id, start)
        assert route.cost == pytest.approx(nx.dijkstra_path_length(graph, start, place.id))
        ways = [graph.edges[a.id, b.id]["length"] for a, b in zip(route.places[:-1], route.places[1:], strict=True)]
        assert route.length == pytest.approx(sum(ways))
        assert route.duration > 0.0
        assert route.instructions[-1].startswith("You are ")


def test_a_way_that_was_reported_as_blocked_is_not_taken_and_is_so_after_a_restart(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "room", map_id="room") as memory:
        for observation in tour():
            memory.observe(observation)
        topology = memory.topology()
        target = topology.edges[0].target
        for edge in [e for e in topology.edges if e.target == target]:
            memory.report_traversal(edge.source, target, succeeded=False, blocked=True)
        start = topology.edges[0].source
        there = memory.route(target, start)
        assert there.places == () and target in there.reason
    with RobotMemory.open(tmp_path / "room", read_only=True) as memory:
        assert memory.route(target, start).places == ()
        blocked = {(e.source, e.target): e for e in memory.topology().edges if e.blocked}
        assert {b for _, b in blocked} == {target} and all(e.n_failures == 1 for e in blocked.values())


def test_nobody_knows_the_way_from_nowhere_or_to_another_map(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "empty", map_id="home") as memory:
        with pytest.raises(LookupError, match="known rooms are none"):
            memory.route("bathroom", "place/1")
        streets, here = _small_graph(memory, "streets"), _small_graph(memory, "home")[3:]
        with pytest.raises(LookupError, match="where the robot is"):
            memory.route(here[0])
        with pytest.raises(OtherMapError, match="streets"):
            memory.route(streets[0], here[1])


def _small_graph(memory: RobotMemory, map_id: str) -> list[str]:
    from loci.spatial.street import StreetGraph

    degrees = np.array([[40.0, -73.0], [40.0001, -73.0], [40.0001, -72.9999]])
    links = np.array([[0, 1], [1, 2]])
    memory.import_graph(StreetGraph(("a", "b", "c"), np.zeros(3), degrees, links, np.zeros(2), (40.0, -73.0)), map_id)
    return [p.id for p in memory.topology().places]


def test_an_imported_graph_is_asked_like_any_other(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "streets", map_id="streets") as memory:
        ids = _small_graph(memory, "streets")
        with pytest.raises(ValueError, match="an imported graph of 3 places already"):
            _small_graph(memory, "streets")
    with RobotMemory.open(tmp_path / "streets", read_only=True) as memory:
        assert memory.map_id == "streets"
        route = memory.route("c", "a")
        assert [p.name for p in route.places] == ["a", "b", "c"] and route.duration == 0.0
        assert route.instructions == (
            "Go 11 m straight on.",
            "Turn right.",
            "Go 8.5 m straight on.",
            "You are at c.",
        )
        assert memory.route("a", "c").places == ()  # links are one way
        assert memory.locate(position=(8.0, 11.0, 0.0)).place == ids[2]
        near = memory.recall(Query(kinds=("place",), position=(0.0, 0.0, 0.0), radius=5.0)).evidence
        assert [e.id for e in near] == ids[:1] and "place a" in near[0].text and near[0].is_goal
        assert memory.recall(Query(kinds=("place",), after_ns=1)).evidence == ()
        assert [g.n_edges for g in memory.imported_graphs()] == [2]
    with RobotMemory.open(tmp_path / "other", map_id="home") as other:
        other.merge(tmp_path / "streets")
        assert sorted(p.name for p in other.topology().places) == ["a", "b", "c"]
        assert len(other.topology().edges) == 2


# --- loci import-graph


NODES = "a,10,40.7360,-73.9908\nb,20,40.7361,-73.9908\nc,30,40.7361,-73.9906\n"
LINKS = "a,0,b\nb,180,a\nb,90,c\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCI_HOME", str(tmp_path / "home"))
    (tmp_path / "nodes.txt").write_text(NODES)
    (tmp_path / "links.txt").write_text(LINKS)
    return tmp_path


def test_import_graph_makes_a_memory_that_can_be_asked(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "routes.jsonl").write_text(
        '{"id": 1, "route_panoids": ["a", "b"]}\n{"id": 2, "route_panoids": ["c", "b"]}\n'
    )
    given = ["import-graph", str(files / "nodes.txt"), str(files / "links.txt")]
    assert main([*given, "--routes", str(files / "routes.jsonl")]) == 0
    told = capsys.readouterr().out
    assert "3 places and 3 ways" in told and "1 of 2 routes can be walked" in told
    assert "route 2 cannot: no way leads from c to b" in told
    assert main(["info", "street"]) == 0
    assert "3 places and 3 ways in map street, from nodes.txt, links.txt" in capsys.readouterr().out
    assert main(["query", "street", "--kind", "place", "--near", "0,0,0,100"]) == 0
    assert "place b, imported" in capsys.readouterr().out
    for format, path in (("graphml", files / "g.graphml"), ("geojson", files / "g.geojson")):
        assert main(["export", "street", "--format", format, "--out", str(path)]) == 0
        assert path.stat().st_size > 0
    assert nx.read_graphml(files / "g.graphml").number_of_edges() == 3
    assert main(["export", "street", "--format", "graphml", "--out", str(files / "g.graphml")]) == 1
    capsys.readouterr()
    assert main(given) == 1  # the map holds a graph already
    assert "expected another map" in capsys.readouterr().err
    with open_saved("street") as memory:
        assert len(memory.topology().places) == 3


@pytest.mark.parametrize(
    ("links", "more", "message"),
    [
        (LINKS + "a,0,z\n", [], "links.txt, line 4: to 'z' is no id"),
        (LINKS + "a\n", [], "expected 3 columns"),
        (LINKS, ["--map-id", "../x"], "expected a map id"),
        (LINKS, ["--memory", "m", "--out", "g.geojson"], "got both"),
        (LINKS, ["--out", "g.dot"], "ends in .graphml or .geojson"),
        (LINKS, ["--routes", "nowhere.jsonl"], "cannot read nowhere.jsonl"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_nothing_is_written(
    files: Path, capsys: pytest.CaptureFixture[str], links: str, more: list[str], message: str
) -> None:
    (files / "links.txt").write_text(links)
    assert main(["import-graph", str(files / "nodes.txt"), str(files / "links.txt"), *more]) == 1
    assert message in capsys.readouterr().err
    assert not (files / "home").exists()
    assert not Path("g.geojson").exists()


def test_import_graph_writes_files_for_other_programs(files: Path) -> None:
    given = ["import-graph", str(files / "nodes.txt"), str(files / "links.txt"), "--out", str(files / "g.graphml")]
    assert main(given) == 0
    assert {d["name"] for _, d in nx.read_graphml(files / "g.graphml").nodes(data=True)} == {"a", "b", "c"}
    assert main(given) == 1  # it is there
