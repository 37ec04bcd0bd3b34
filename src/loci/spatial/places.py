"""What the topological graph is made of: places, the ways between them, and what a way costs.

Data only; `loci.spatial.topology` learns them, `loci.spatial.graph_view` answers from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.store.record import Record

Vector = npt.NDArray[np.float32]
#: Pose (4, 4) of a keyframe by its id; raises KeyError for one that is gone.
PoseGetter = Callable[[str], Array]
#: For a robot position (3,) and place positions (N, 3): which of them are in sight (no wall between), (N,) bool.
Sight = Callable[[Array, Array], npt.NDArray[np.bool_]]
#: kind, record id, fields that JSON can hold, arrays: what a place or an edge is saved as.
GraphRecord = tuple[str, str, dict[str, Any], dict[str, npt.NDArray[np.float32]]]


@dataclass(frozen=True)
class PlaceParameters:
    """When a place is a new one, and what ways cost.

    Attributes:
        radius: a robot farther from all places makes a new one [m].
        delta: so does a view whose embedding differs by more (1 - cosine) from all places within the radius ...
        min_spacing: ... if they are at least so far away [m].
        alpha, beta: weight of an edge = alpha * distance + beta * traversal cost [both m]; see `edge_weight`.
        max_step: two observations farther apart are not joined by an edge [m]: nobody saw the way.
    """

    radius: float = 1.5
    delta: float = 0.7
    min_spacing: float = 0.75
    alpha: float = 1.0
    beta: float = 0.5
    max_step: float = 3.0

    def __post_init__(self) -> None:
        if not (self.radius > 0 and self.min_spacing > 0 and self.max_step > 0 and 0 < self.delta <= 2):
            raise ValueError(f"expected radius, min_spacing and max_step > 0 and delta in (0, 2], got {self}")
        if self.alpha < 0 or self.beta < 0 or self.alpha + self.beta == 0:
            raise ValueError(f"expected alpha and beta >= 0 and not both 0, got {self.alpha} and {self.beta}")


@dataclass(frozen=True)
class Place:
    """A node of the graph.

    Attributes:
        id: "place/7".
        keyframe_id: the keyframe it hangs on; empty: an imported place, fixed in its map.
        position_in_camera: (3,) in that keyframe's camera frame [m]; of an imported place in the map frame.
        position: (3,) [m], map frame, derived.
        n_visits: times the robot came here.
        last_visit_ns: [ns]; 0: never.
        map_id: the map of the position.
        embedding: (D,) float32 of unit length, mean of the views; None: no image encoder.
        n_views: observations in the running means; the position of an imported place counts as one.
        room: id; empty: not known.
        name: of an imported place, in the graph that it comes from; empty: learnt here.
    """

    id: str
    keyframe_id: str
    position_in_camera: Array
    position: Array
    n_visits: int
    last_visit_ns: int
    map_id: str
    embedding: Vector | None = field(default=None, repr=False)
    n_views: int = 1
    room: str = ""
    name: str = ""


@dataclass(frozen=True)
class PlaceEdge:
    """A way from one place to another. Ways are passable in both directions; only the travelled one counts traversals.

    Attributes:
        source, target: ids of places.
        length: straight distance between the places [m].
        weight: cost used for routes; see `edge_weight`.
        n_traversals: times it was travelled.
        blocked: found impassable; kept, but not used for routes.
        travelled: mean way travelled [m].
        n_failures: attempts that did not arrive.
        mean_duration: of the traversals whose duration is known [s]; 0: of none.
        n_timed: how many these are.
    """

    source: str
    target: str
    length: float
    weight: float
    n_traversals: int
    blocked: bool = False
    travelled: float = 0.0
    n_failures: int = 0
    mean_duration: float = 0.0
    n_timed: int = 0


def edge_weight(
    parameters: PlaceParameters, length: float, travelled: float, n_traversals: int = 0, n_failures: int = 0
) -> float:
    """Cost of a way [m]: alpha * distance + beta * traversal cost (Mem4Nav, arXiv 2506.19433).

    The traversal cost is the mean way travelled (at least the distance) times the attempts that one arrival is expected to take,
    (n_traversals + n_failures + 1) / (n_traversals + 1): the inverse of the share of attempts that arrived, where one arrival is taken
    for granted, so that one failure on a way never travelled doubles its traversal cost and does not make it infinite.

    Args:
        parameters: alpha and beta.
        length: distance [m].
        travelled: mean way travelled [m].
        n_traversals, n_failures: attempts that arrived, and that did not.
    """
    attempts = (n_traversals + n_failures + 1) / (n_traversals + 1)
    return parameters.alpha * length + parameters.beta * max(travelled, length) * attempts


def place_record(place: Place, seen_from: tuple[str, ...]) -> GraphRecord:
    """What a place is saved as; ``seen_from``: the keyframes seen there."""
    fields = {
        "keyframe_id": place.keyframe_id,
        "position_in_camera": place.position_in_camera.tolist(),
        "position": place.position.tolist(),
        "n_visits": place.n_visits,
        "last_visit_ns": place.last_visit_ns,
        "map_id": place.map_id,
        "n_views": place.n_views,
        "room": place.room,
        "name": place.name,
        "seen_from": list(seen_from),
    }
    return "place", place.id, fields, {} if place.embedding is None else {"embedding": place.embedding}


def edge_record(edge: PlaceEdge, map_id: str) -> GraphRecord:
    """What an edge in a map is saved as; length and weight are derived."""
    fields = {
        "source": edge.source,
        "target": edge.target,
        "travelled": edge.travelled,
        "n_traversals": edge.n_traversals,
        "blocked": edge.blocked,
        "n_failures": edge.n_failures,
        "mean_duration": edge.mean_duration,
        "n_timed": edge.n_timed,
        "map_id": map_id,
    }
    return "place_edge", edge_key(edge.source, edge.target), fields, {}


def edge_key(source: str, target: str) -> str:
    """Record id of an edge."""
    return f"{source}>{target}"


def place_of_record(record: Record) -> Place:
    """The place that a record holds, at the position that was saved."""
    f = record.fields
    return Place(
        id=record.id,
        keyframe_id=str(f["keyframe_id"]),
        position_in_camera=np.array(f["position_in_camera"], dtype=np.float64),
        position=np.array(f["position"], dtype=np.float64),
        n_visits=int(f["n_visits"]),
        last_visit_ns=int(f["last_visit_ns"]),
        map_id=str(f["map_id"]),
        embedding=record.arrays.get("embedding"),
        n_views=int(f["n_views"]),
        room=str(f["room"]),
        name=str(f.get("name", "")),
    )


def edge_of_record(record: Record) -> PlaceEdge:
    """The edge that a record holds, without length and weight; memories of before they were counted lack failures and durations."""
    f = record.fields
    return PlaceEdge(
        source=str(f["source"]),
        target=str(f["target"]),
        length=0.0,
        weight=0.0,
        n_traversals=int(f["n_traversals"]),
        blocked=bool(f["blocked"]),
        travelled=float(f["travelled"]),
        n_failures=int(f.get("n_failures", 0)),
        mean_duration=float(f.get("mean_duration", 0.0)),
        n_timed=int(f.get("n_timed", 0)),
    )
