"""Routes and nearest places on graphs as large as a city: Loci beside networkx, rustworkx, SciPy and brute force, in one run.

`make bench NAME=topology` prints tables and writes out/bench/topology.json. The graph is the street graph of Touchdown, and for the
growth the part of it nearest to its middle. All route searches start from the same graph in memory, between the same random pairs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from common import quantiles, table, write_result
from loci.memory import RobotMemory
from loci.spatial.graph_files import to_networkx
from loci.spatial.graph_view import GraphView
from loci.spatial.street import StreetGraph, broken_routes, neighbours_of, read_routes, read_street_graph
from loci.spatial.topology import TopologicalGraph

Search = Callable[[str, str], float]


def timed(call: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a call gives, and how long it took [ms]."""
    begin = time.perf_counter()
    value = call(*arguments)
    return value, 1e3 * (time.perf_counter() - begin)


def part_of(graph: StreetGraph, n: int) -> StreetGraph:
    """The n nodes nearest to the middle, with the links between them."""
    kept = np.sort(np.argsort(np.linalg.norm(graph.positions, axis=1), kind="stable")[:n])
    number = np.full(len(graph.names), -1)
    number[kept] = np.arange(len(kept))
    links = number[graph.links]
    inside = np.all(links >= 0, axis=1)
    names = tuple(graph.names[i] for i in kept)
    return StreetGraph(
        names, graph.yaws[kept], graph.degrees[kept], links[inside], graph.headings[inside], graph.origin
    )


def view_of(graph: StreetGraph) -> GraphView:
    """The places of a graph, as a memory publishes them."""
    numbers = count()
    places = TopologicalGraph(lambda: f"place/{next(numbers)}")
    places.add_places("street", graph.names, graph.positions, graph.links)
    return places.view


def searches(view: GraphView) -> dict[str, tuple[Search, float]]:
    """Ways to find the cost of the cheapest way (infinite: none), with what it took to prepare each [ms]."""
    import networkx

    _, spent = timed(lambda: (view.index, view.adjacency))
    found: dict[str, tuple[Search, float]] = {"Loci (A*)": (lambda a, b: view.route(a, b)[1], spent)}
    graph, spent = timed(lambda: to_networkx(view.places, view.edges))
    at = {place.id: place.position for place in view.places}
    metre = view.adjacency.metre

    def of_networkx(search: Callable[[str, str], float]) -> Search:
        def run(a: str, b: str) -> float:
            try:
                return search(a, b)
            except networkx.NetworkXNoPath:
                return float("inf")

        return run

    def ahead(a: str, b: str) -> float:
        (x, y, _), (u, v, _) = at[a], at[b]
        return float(metre * ((x - u) ** 2 + (y - v) ** 2) ** 0.5)

    found["networkx dijkstra"] = (of_networkx(lambda a, b: networkx.dijkstra_path_length(graph, a, b)), spent)
    found["networkx A*"] = (
        of_networkx(lambda a, b: networkx.path_weight(graph, networkx.astar_path(graph, a, b, ahead), "weight")),
        spent,
    )
    index = view.index
    matrix, spent = timed(
        lambda: csr_array(
            (
                [e.weight for e in view.edges],
                ([index[e.source] for e in view.edges], [index[e.target] for e in view.edges]),
            ),
            shape=(len(index), len(index)),
        )
    )
    found["scipy dijkstra"] = (lambda a, b: float(dijkstra(matrix, indices=index[a])[index[b]]), spent)
    try:
        import rustworkx
    except ImportError:
        return found
    rust = rustworkx.PyDiGraph()
    rust.add_nodes_from(list(index))
    rust.add_edges_from([(index[e.source], index[e.target], e.weight) for e in view.edges])

    def of_rustworkx(a: str, b: str) -> float:
        lengths = rustworkx.dijkstra_shortest_path_lengths(rust, index[a], float, goal=index[b])
        return float(lengths[index[b]]) if index[b] in lengths else float("inf")

    found["rustworkx dijkstra"] = (of_rustworkx, 0.0)
    return found


def bench_routes(view: GraphView, n: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Times of n routes between random places, by each search, and whether their costs agree with Loci's."""
    pairs = [tuple(view.places[i].id for i in rng.integers(len(view.places), size=2)) for _ in range(n)]
    view.route(*pairs[0])  # compiles the kernel, or loads it
    view = GraphView(view.places, view.edges, view.radius)
    rows, true = [], np.empty(0)
    for name, (search, spent) in searches(view).items():
        costs, times = zip(*(timed(search, *pair) for pair in pairs), strict=True)
        true = np.array(costs) if not rows else true
        agree = bool(np.allclose(np.array(costs), true, rtol=1e-9))
        rows.append(
            {
                "search": name,
                "places": len(view.places),
                **quantiles(times, 50, 99),
                "prepare_ms": spent,
                "same_costs": agree,
            }
        )
    return rows


def bench_nearest(view: GraphView, n: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Times of the nearest place of n random points."""
    low, high = view.positions.min(axis=0), view.positions.max(axis=0)
    points = rng.uniform(low, high, (n, 3))
    view = GraphView(view.places, view.edges, view.radius)
    _, spent = timed(lambda: (view.positions, view.nearest(points[0], "street")))
    tree, spent_tree = timed(lambda: cKDTree(view.positions))
    finders: dict[str, tuple[Callable[[np.ndarray], str], float]] = {
        "Loci": (lambda p: view.nearest(p, "street"), spent),
        "scipy cKDTree": (lambda p: view.places[tree.query(p)[1]].id, spent_tree),
        "NumPy brute force": (
            lambda p: view.places[int(np.argmin(((view.positions - p) ** 2).sum(axis=1)))].id,
            0.0,
        ),
        "Python loop": (
            lambda p: min(view.places, key=lambda place: float(np.linalg.norm(place.position - p))).id,
            0.0,
        ),
    }
    rows: list[dict[str, Any]] = []
    for name, (find, prepare) in finders.items():
        some: Sequence[np.ndarray] = points if name != "Python loop" else points[:20]
        ids, times = zip(*(timed(find, p) for p in some), strict=True)
        first = rows[0]["ids"] if rows else ids
        rows.append(
            {
                "search": name,
                **quantiles(times, 50, 99),
                "prepare_ms": prepare,
                "ids": ids,
                "same": ids == first[: len(ids)],
            }
        )
    for row in rows:
        del row["ids"]
    return rows


def bench_import(nodes: Path, links: Path) -> dict[str, float]:
    """How long it takes to read the files, to import them into a memory, and to open that again: wall clock, and CPU alone [s]."""
    cpu = [time.process_time()]
    graph, read = timed(lambda: read_street_graph(nodes, links))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "street"
        with RobotMemory.open(path, map_id="street") as memory:
            _, imported = timed(lambda: memory.import_graph(graph, "street"))
        cpu.append(time.process_time())
        opened, reopen = timed(lambda: RobotMemory.open(path, read_only=True))
        cpu.append(time.process_time())
        with opened:
            n = len(opened.topology().places)
            _, first = timed(lambda: opened.route(graph.names[-1], graph.names[0]))
            _, again = timed(lambda: opened.route(graph.names[-2], graph.names[1]))
    assert n == len(graph.names)
    import_cpu, reopen_cpu = np.diff(cpu)
    seconds = {
        "read_s": read,
        "import_s": imported,
        "reopen_s": reopen,
        "first_route_s": first,
        "route_in_words_s": again,
    }
    found = {name: round(ms / 1e3, 4) for name, ms in seconds.items()}
    return found | {"read_and_import_cpu_s": round(float(import_cpu), 2), "reopen_cpu_s": round(float(reopen_cpu), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("LOCI_DATA", "../shared/data")) / "street"
    parser.add_argument("--data", type=Path, default=default, help="folder of the street graph")
    parser.add_argument("--routes", type=int, default=200, help="routes a search (default 200)")
    parser.add_argument("--points", type=int, default=2000, help="points for the nearest place (default 2000)")
    arguments = parser.parse_args()
    nodes, links = arguments.data / "nodes.txt", arguments.data / "links.txt"
    if not nodes.is_file():
        raise SystemExit(
            f"no street graph at {arguments.data}: pass --data, or set LOCI_DATA to the folder that holds street"
        )
    rng = np.random.default_rng(0)
    city = read_street_graph(nodes, links)
    routes, growth = [], []
    for n in (1000, 10_000, len(city.names)):
        view = view_of(part_of(city, n))
        # The slow searches are asked less often on the large graphs; every search gets the same pairs.
        rows = bench_routes(view, arguments.routes if n == len(city.names) else arguments.routes // 2, rng)
        growth += rows[:1]
        routes += rows
    nearest = bench_nearest(view, arguments.points, rng)
    imported = bench_import(nodes, links)
    recorded = read_routes(arguments.data / "map2seq_dev.jsonl")
    broken = broken_routes(neighbours_of(city), recorded)
    headers = ("route", "places", "p50 [ms]", "p99 [ms]", "n", "prepare [ms]", "same costs")
    keys = ("search", "places", "p50", "p99", "n", "prepare_ms", "same_costs")
    print(table(headers, [[r[k] for k in keys] for r in routes]), "\n")
    headers = ("nearest place", "p50 [ms]", "p99 [ms]", "n", "prepare [ms]", "same")
    print(
        table(
            headers,
            [
                [
                    f"{r[k]:.4f}" if k in ("p50", "p99") else r[k]
                    for k in ("search", "p50", "p99", "n", "prepare_ms", "same")
                ]
                for r in nearest
            ],
        ),
        "\n",
    )
    print(
        table(
            ("import", "s"), [[name.removesuffix("_s").replace("_", " "), value] for name, value in imported.items()]
        ),
        "\n",
    )
    print(f"{len(recorded) - len(broken)} of {len(recorded)} recorded routes can be walked")
    for b in broken:
        print(f"  route {b.id} cannot: no way leads from {b.source} to {b.target}")
    result = {
        "routes": routes,
        "growth": growth,
        "nearest": nearest,
        "import": imported,
        "recorded_routes": {"n": len(recorded), "not_walkable": [b.id for b in broken]},
    }
    print(write_result("topology", result))


if __name__ == "__main__":
    main()
