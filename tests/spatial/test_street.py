"""Street graphs from files: what is read, where it lies, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from loci.spatial.street import (
    GraphFileError,
    StreetRoute,
    broken_routes,
    local_positions,
    neighbours_of,
    read_routes,
    read_street_graph,
)

NODES = "a,10,40.7360,-73.9908\nb,20,40.7361,-73.9908\nc,30,40.7361,-73.9906\n"
LINKS = "a,0,b\nb,180,a\nb,90,c\n"


def written(folder: Path, nodes: str = NODES, links: str = LINKS) -> tuple[Path, Path]:
    paths = folder / "nodes.txt", folder / "links.txt"
    for path, text in zip(paths, (nodes, links), strict=True):
        path.write_text(text)
    return paths


def geocentric(degrees: np.ndarray) -> np.ndarray:
    """Points (N, 3) on the ellipsoid WGS 84 in its own frame [m]: the definition, without any plane."""
    a, b = 6378137.0, 6356752.314245
    phi, lam = np.radians(degrees).T
    n = a**2 / np.sqrt((a * np.cos(phi)) ** 2 + (b * np.sin(phi)) ** 2)
    return np.stack([n * np.cos(phi) * np.cos(lam), n * np.cos(phi) * np.sin(lam), (b / a) ** 2 * n * np.sin(phi)], 1)


def test_a_graph_is_read(tmp_path: Path) -> None:
    graph = read_street_graph(*written(tmp_path, links=LINKS + "\nb,91,c\n"))
    assert graph.names == ("a", "b", "c")
    assert graph.links.tolist() == [[0, 1], [1, 0], [1, 2]] and graph.headings.tolist() == [0, 180, 90]
    assert graph.yaws.tolist() == [10, 20, 30]
    assert neighbours_of(graph) == {"a": ["b"], "b": ["a", "c"], "c": []}
    a, b, c = graph.positions
    assert b[1] - a[1] == pytest.approx(11.1, abs=0.05) and abs(b[0] - a[0]) < 1e-6  # north
    assert c[0] - b[0] == pytest.approx(16.9, abs=0.05) and abs(c[1] - b[1]) < 1e-6  # east


@pytest.mark.parametrize("latitude", [-60.0, 0.0, 40.7, 70.0])
def test_local_distances_are_those_on_the_ellipsoid(latitude: float, rng: np.random.Generator) -> None:
    origin = (latitude, 12.0)
    degrees = np.array(origin) + rng.uniform(-0.03, 0.03, (200, 2))
    flat, round_ = local_positions(degrees, origin), geocentric(degrees)
    pairs = rng.integers(200, size=(500, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    found, true = (np.linalg.norm(p[pairs[:, 0]] - p[pairs[:, 1]], axis=1) for p in (flat, round_))
    np.testing.assert_allclose(found, true, rtol=2e-3)


@pytest.mark.parametrize(
    ("nodes", "links", "message"),
    [
        (NODES + "d,1,2\n", LINKS, r"nodes.txt, line 4: expected 4 columns id,yaw,lat,lng, got 3: 'd,1,2'"),
        (NODES, LINKS + "a,b\n", r"links.txt, line 4: expected 3 columns from,heading,to, got 2"),
        (NODES + "a,1,40.7,-73.9\n", LINKS, r"nodes.txt, line 4: id 'a' is that of line 1"),
        (NODES + "d,north,40.7,-73.9\n", LINKS, r"nodes.txt, line 4: expected a number for yaw, got 'north'"),
        (NODES + "d,1,nan,-73.9\n", LINKS, r"nodes.txt, line 4: expected a number for lat, got 'nan'"),
        (NODES + "d,1,-73.9,240.7\n", LINKS, r"nodes.txt, line 4: expected lat in \(-90, 90\)"),
        (NODES + ",1,40.7,-73.9\n", LINKS, r"nodes.txt, line 4: expected an id"),
        ("\n", LINKS, r"nodes.txt: expected lines id,yaw,lat,lng, got none"),
        (NODES, LINKS + "a,0,z\n", r"links.txt, line 4: to 'z' is no id in .*nodes.txt"),
        (NODES, LINKS + "z,0,a\n", r"links.txt, line 4: from 'z' is no id"),
        (NODES, LINKS + "a,0,\n", r"links.txt, line 4: to '' is no id"),
        (
            NODES,
            LINKS + "a,west,b2\n".replace("b2", "c"),
            r"links.txt, line 4: expected a number for heading, got 'west'",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path, nodes: str, links: str, message: str) -> None:
    with pytest.raises(GraphFileError, match=message):
        read_street_graph(*written(tmp_path, nodes, links))


def test_routes_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "routes.jsonl"
    path.write_text('{"id": 7, "route_panoids": ["a", "b", "c"]}\n\n{"id": 8, "route_panoids": ["a", "c"]}\n')
    routes = read_routes(path)
    assert routes == (StreetRoute("7", ("a", "b", "c")), StreetRoute("8", ("a", "c")))
    neighbours = neighbours_of(read_street_graph(*written(tmp_path)))
    stranger = StreetRoute("9", ("x",))
    broken = broken_routes(neighbours, [*routes, stranger, StreetRoute("10", ("c",))])
    assert [(b.id, b.source, b.target) for b in broken] == [("8", "a", "c"), ("9", "x", "x")]
    for bad in ("{", "[]", '{"id": 1}', '{"id": 1, "route_panoids": []}', '{"id": 1, "route_panoids": [3]}'):
        path.write_text('{"id": 7, "route_panoids": ["a"]}\n' + bad)
        with pytest.raises(GraphFileError, match="line 2: expected a JSON object"):
            read_routes(path)
