"""Street graphs in the format of Touchdown (Chen et al., CVPR 2019): panoramas as nodes, directed links, routes between them.

Reads and checks files; `loci.memory.RobotMemory.import_graph` makes places of what they hold. A file that is wrong anywhere is refused
with its line, so that nothing is taken in by halves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loci.geometry import Array

#: WGS 84: semi-major axis [m] and first eccentricity squared.
SEMI_MAJOR, ECCENTRICITY_2 = 6378137.0, 6.69437999014e-3
NODE_COLUMNS, LINK_COLUMNS = "id,yaw,lat,lng", "from,heading,to"


class GraphFileError(ValueError):
    """A file that does not hold what it should; the message names the file, the line and the value."""


@dataclass(frozen=True)
class StreetGraph:
    """Nodes and directed links.

    Attributes:
        names: N ids of the nodes.
        yaws: (N,) headings of the panoramas, clockwise from north [degrees].
        degrees: (N, 2) latitude and longitude.
        links: (M, 2) int64, indices of the nodes from which and to which.
        headings: (M,) of the links, clockwise from north [degrees].
        origin: latitude and longitude of the origin of `positions` [degrees].
    """

    names: tuple[str, ...]
    yaws: Array
    degrees: Array
    links: npt.NDArray[np.int64]
    headings: Array
    origin: tuple[float, float]

    @property
    def positions(self) -> Array:
        """(N, 3) of the nodes [m]: x east, y north, z 0; see `local_positions`."""
        return local_positions(self.degrees, self.origin)


@dataclass(frozen=True)
class StreetRoute:
    """A recorded route: its id, and the names of its nodes in turn."""

    id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class BrokenRoute:
    """A route that cannot be walked: its id, and the first step for which there is no link."""

    id: str
    source: str
    target: str


def local_positions(degrees: Array, origin: tuple[float, float]) -> Array:
    """Positions (N, 3) [m] in the plane that touches the earth at ``origin``: x east, y north, z 0.

    x = N cos(phi0) (lambda - lambda0) and y = M (phi - phi0), with the radii of curvature of WGS 84 at the origin's latitude phi0:
    M = a (1 - e^2) / (1 - e^2 sin^2 phi0)^(3/2) along the meridian and N = a / (1 - e^2 sin^2 phi0)^(1/2) across it. Within 10 km of
    the origin distances are right to 0.2 %.

    Args:
        degrees: (N, 2) latitude and longitude.
        origin: latitude and longitude [degrees].
    """
    latitude = np.radians(origin[0])
    shrink = 1 - ECCENTRICITY_2 * np.sin(latitude) ** 2
    across = SEMI_MAJOR / np.sqrt(shrink)
    along = SEMI_MAJOR * (1 - ECCENTRICITY_2) / shrink**1.5
    north, east = np.radians(np.asarray(degrees, dtype=np.float64).reshape(-1, 2) - origin).T
    return np.column_stack([across * np.cos(latitude) * east, along * north, np.zeros(len(east))])


def read_street_graph(nodes: Path, links: Path) -> StreetGraph:
    """Read ``nodes`` (lines ``id,yaw,lat,lng``) and ``links`` (lines ``from,heading,to``); the origin is the middle of the nodes.

    Raises:
        GraphFileError: a column is missing, a number is none or out of range, an id comes twice, or a link begins or ends nowhere.
        OSError: a file cannot be read.
    """
    line_of: dict[str, int] = {}
    values: list[tuple[float, float, float]] = []
    for line, (name, *numbers) in _rows(nodes, NODE_COLUMNS):
        if not name:
            raise GraphFileError(f"{nodes}, line {line}: expected an id in the first column, got none")
        if name in line_of:
            raise GraphFileError(f"{nodes}, line {line}: id {name!r} is that of line {line_of[name]}, expected another")
        line_of[name] = line
        yaw, latitude, longitude = (
            _number(nodes, line, column, text) for column, text in zip(("yaw", "lat", "lng"), numbers, strict=True)
        )
        if abs(latitude) >= 90 or abs(longitude) > 180:
            raise GraphFileError(
                f"{nodes}, line {line}: expected lat in (-90, 90) and lng in [-180, 180], got {latitude}, {longitude}"
            )
        values.append((yaw, latitude, longitude))
    if not values:
        raise GraphFileError(f"{nodes}: expected lines {NODE_COLUMNS}, got none")
    index = {name: i for i, name in enumerate(line_of)}
    joined: dict[tuple[int, int], float] = {}
    for line, (source, heading, target) in _rows(links, LINK_COLUMNS):
        for column, name in (("from", source), ("to", target)):
            if name not in index:
                raise GraphFileError(f"{links}, line {line}: {column} {name!r} is no id in {nodes}")
        # A link that is there twice is one way.
        joined.setdefault((index[source], index[target]), _number(links, line, "heading", heading))
    table = np.array(values)
    latitude, longitude = (float(v) for v in 0.5 * (table[:, 1:].min(axis=0) + table[:, 1:].max(axis=0)))
    return StreetGraph(
        tuple(line_of),
        table[:, 0],
        table[:, 1:],
        np.array(list(joined), dtype=np.int64).reshape(-1, 2),
        np.array(list(joined.values()), dtype=np.float64),
        (latitude, longitude),
    )


def read_routes(path: Path) -> tuple[StreetRoute, ...]:
    """Routes of a file of map2seq: a JSON object with ``id`` and ``route_panoids`` in each line.

    Raises:
        GraphFileError: a line is no such object.
        OSError: the file cannot be read.
    """
    routes = []
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
            nodes = value["route_panoids"]
            if not (isinstance(nodes, list) and nodes and all(isinstance(n, str) for n in nodes)):
                raise TypeError(f"route_panoids is {nodes!r:.80}")
            routes.append(StreetRoute(str(value["id"]), tuple(nodes)))
        except (ValueError, KeyError, TypeError) as error:
            raise GraphFileError(
                f"{path}, line {line}: expected a JSON object with id and route_panoids, got {text[:60]!r} ({error!r})"
            ) from error
    return tuple(routes)


def broken_routes(neighbours: Mapping[str, Sequence[str]], routes: Sequence[StreetRoute]) -> tuple[BrokenRoute, ...]:
    """The routes that cannot be walked, each with its first step that no link allows.

    Args:
        neighbours: names of the nodes that a link leads to, by the name of that from which it leads.
        routes: to be checked; a route of one node can be walked if there is that node.
    """
    broken = []
    for route in routes:
        steps = zip(route.nodes, route.nodes[1:] or route.nodes, strict=False)
        missing = ((a, b) for a, b in steps if a not in neighbours or (len(route.nodes) > 1 and b not in neighbours[a]))
        first = next(missing, None)
        if first is not None:
            broken.append(BrokenRoute(route.id, *first))
    return tuple(broken)


def neighbours_of(graph: StreetGraph) -> dict[str, list[str]]:
    """Names of the nodes that a link leads to, by the name of that from which it leads; every node has an entry."""
    found: dict[str, list[str]] = {name: [] for name in graph.names}
    for a, b in graph.links.tolist():
        found[graph.names[a]].append(graph.names[b])
    return found


def _rows(path: Path, columns: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is not empty."""
    n = columns.count(",") + 1
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise GraphFileError(f"{path}: expected text, got bytes that are none ({error.reason})") from error
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        cells = [cell.strip() for cell in row.split(",")]
        if len(cells) != n:
            raise GraphFileError(f"{path}, line {line}: expected {n} columns {columns}, got {len(cells)}: {row[:80]!r}")
        yield line, cells


def _number(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise GraphFileError(f"{path}, line {line}: expected a number for {column}, got {text!r}")
    return value
