"""`loci import-graph`: a street graph as places of a memory, or as a file for other programs.

Everything is read and checked before anything is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci.errors import UserError

if TYPE_CHECKING:
    from loci.spatial.street import StreetGraph

_EXAMPLES = """\
examples:
  loci import-graph nodes.txt links.txt
  loci import-graph nodes.txt links.txt --memory manhattan --routes map2seq_dev.jsonl
  loci import-graph nodes.txt links.txt --out streets.geojson
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser of all commands."""
    p = commands.add_parser(
        "import-graph",
        help="import a street graph (Touchdown's nodes.txt and links.txt) as places of a memory",
        description="Makes a place of every node (lines id,yaw,lat,lng) and a way of every directed link (lines from,heading,to), in metres "
        "from the middle of the nodes: x east, y north.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("nodes", type=Path, help="file of the nodes")
    p.add_argument("links", type=Path, help="file of the links")
    p.add_argument("--memory", default="", metavar="NAME", help="name of a memory, or its folder (default street)")
    p.add_argument("--map-id", default="street", metavar="ID", help="map of the places (default street)")
    p.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="write a .graphml or .geojson instead of a memory"
    )
    p.add_argument(
        "--routes", type=Path, default=None, metavar="FILE", help="say which routes of map2seq cannot be walked"
    )
    p.set_defaults(run=run)


def run(a: argparse.Namespace) -> int:
    """Import, and check the routes."""
    from loci.spatial.graph_files import FORMATS
    from loci.spatial.street import GraphFileError, broken_routes, neighbours_of, read_routes, read_street_graph

    again = f"loci import-graph {a.nodes} {a.links}"
    if a.out is not None and a.memory:
        raise UserError("expected --memory or --out, got both", again)
    if a.out is not None and a.out.suffix not in FORMATS.values():
        raise UserError(f"expected a file name that ends in {' or '.join(FORMATS.values())}, got {a.out}", again)
    if a.out is not None and a.out.exists():
        raise UserError(f"{a.out} exists", f"{again} --out other{a.out.suffix}")
    try:
        graph = read_street_graph(a.nodes, a.links)
        routes = read_routes(a.routes) if a.routes is not None else None
    except GraphFileError as error:
        raise UserError(f"{error}; nothing was written") from error
    except OSError as error:
        raise UserError(
            f"cannot read {error.filename}: {error.strerror or error}", "loci import-graph --help"
        ) from error
    width, height = (float(v) for v in (graph.positions.max(axis=0) - graph.positions.min(axis=0))[:2])
    print(f"{len(graph.names)} places and {len(graph.links)} ways on {width:.0f} m x {height:.0f} m")
    if a.out is not None:
        _write(graph, a.out, a.map_id)
    else:
        _import(graph, a.memory or "street", a.map_id, f"{a.nodes.name}, {a.links.name}", again)
    if routes is not None:
        broken = broken_routes(neighbours_of(graph), routes)
        print(f"{len(routes) - len(broken)} of {len(routes)} routes can be walked")
        for b in broken:
            print(f"  route {b.id} cannot: no way leads from {b.source} to {b.target}")
    return 0


def _import(graph: StreetGraph, name: str, map_id: str, source: str, again: str) -> None:
    import os

    from tqdm import tqdm

    from loci.memory import RobotMemory
    from loci.observation import check_name
    from loci.saved import memories_home
    from loci.store.errors import StoreError

    try:
        check_name(map_id, "map id")
        path = Path(name) if os.sep in name else memories_home() / check_name(name, "memory name")
        with (
            tqdm(total=100, unit="%", desc="import", file=sys.stderr, disable=None) as bar,
            RobotMemory.open(path, map_id=map_id) as memory,
        ):

            def progress(share: float, stage: str) -> None:
                bar.set_description(stage)
                bar.update(round(100 * share) - bar.n)

            memory.import_graph(graph, map_id, source, progress)
            bar.update(100 - bar.n)
    except ValueError as error:
        raise UserError(str(error), f"{again} --map-id other") from error
    except (StoreError, OSError) as error:
        raise UserError(f"cannot write the memory {name}: {error}", f"{again} --memory other") from error
    print(path)


def _write(graph: StreetGraph, path: Path, map_id: str) -> None:
    from itertools import count

    from loci.spatial.graph_files import FORMATS, write_graph
    from loci.spatial.topology import TopologicalGraph

    numbers = count()
    places = TopologicalGraph(lambda: f"place/{next(numbers)}")
    places.add_places(map_id, graph.names, graph.positions, graph.links)
    format = next(name for name, suffix in FORMATS.items() if suffix == path.suffix)
    try:
        print(write_graph(path, format, places.places(), places.edges()))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
