"""Places the robot has been at and the ways between them: a directed graph that hangs on keyframes.

The mechanism is that of Mem4Nav's topological graph (arXiv 2506.19433). Every place is stored relative to the camera of a
keyframe, so that it moves with the keyframe when poses are corrected. Rooms belong to `loci.spatial.regions`.
One thread writes; `places` and `edges` are immutable views that any thread may read.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, invert_pose, transform_points
from loci.observation import unit_embedding

if TYPE_CHECKING:
    import networkx

Vector = npt.NDArray[np.float32]
#: So many keyframes are remembered per place, in case that the one it hangs on is forgotten.
MAX_KEYFRAMES = 16
#: Pose (4, 4) of a keyframe by its id; raises KeyError for one that is gone.
PoseGetter = Callable[[str], Array]
#: For a robot position (3,) and place positions (N, 3): which of them are in sight (no wall between), (N,) bool.
Sight = Callable[[Array, Array], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class PlaceParameters:
    """When a place is a new one, and what ways cost.

    Attributes:
        radius: a robot farther from all places makes a new one [m].
        delta: so does a view whose embedding differs by more (1 - cosine) from all places within the radius ...
        min_spacing: ... if they are at least so far away [m].
        alpha, beta: weight of an edge = alpha * distance + beta * way travelled [both m].
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
        keyframe_id: the keyframe it hangs on.
        position_in_camera: (3,) in that keyframe's camera frame [m].
        position: (3,) [m], map frame, derived.
        n_visits: times the robot came here.
        last_visit_ns: [ns].
        map_id: the map of the position.
        embedding: (D,) float32 of unit length, mean of the views; None: no image encoder.
        n_views: observations in the running means.
        room: id; empty: not known.
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


@dataclass(frozen=True)
class PlaceEdge:
    """A way from one place to another. Ways are passable in both directions; only the travelled one counts traversals.

    Attributes:
        source, target: ids of places.
        length: straight distance between the places [m].
        weight: cost used for routes.
        n_traversals: times it was travelled.
        blocked: found impassable; kept, but not used for routes.
        travelled: mean way travelled [m].
    """

    source: str
    target: str
    length: float
    weight: float
    n_traversals: int
    blocked: bool = False
    travelled: float = 0.0


class RecordLike(Protocol):
    """What `TopologicalGraph.restore` reads of a stored record."""

    @property
    def id(self) -> str: ...

    @property
    def fields(self) -> Mapping[str, Any]: ...

    @property
    def arrays(self) -> Mapping[str, npt.NDArray[Any]]: ...


GraphRecord = tuple[str, str, dict[str, Any], dict[str, npt.NDArray[np.float32]]]


class TopologicalGraph:
    """Places and ways, learnt from where the robot goes."""

    def __init__(self, new_id: Callable[[], str], parameters: PlaceParameters | None = None) -> None:
        self.parameters = parameters or PlaceParameters()
        self._new_id = new_id
        self._places: dict[str, Place] = {}
        self._edges: dict[tuple[str, str], PlaceEdge] = {}
        self._places_view: tuple[Place, ...] = ()
        self._edges_view: tuple[PlaceEdge, ...] = ()
        self._anchors: dict[str, Array] = {}  # pose (4, 4) of each place's keyframe
        self._seen_from: dict[str, tuple[str, ...]] = {}  # keyframes at each place, newest last
        self._neighbours: dict[str, set[str]] = {}
        self.begin_segment()

    # --- writing ------------------------------------------------------------------------------------------------------

    def begin_segment(self) -> None:
        """The robot's way is not known from here on (new session, other map, relocalisation): no edge joins what follows."""
        self._current = ""
        self._last_position: Array | None = None
        self._nearest_yet = np.inf
        self._travelled = 0.0

    def observe(
        self,
        position: npt.ArrayLike,
        keyframe_id: str,
        T_map_camera: Array,
        stamp_ns: int,
        map_id: str,
        embedding: Vector | None = None,
        sight: Sight | None = None,
    ) -> str:
        """Record where the robot is.

        A new place is made if the robot is farther than the radius from all places (of this map, in sight), or sees
        something unlike all of those within it; else the nearest place's position and embedding take the running mean.

        Args:
            position: (3,) of the robot [m], map frame.
            keyframe_id, T_map_camera: a keyframe seen there, and its pose (4, 4).
            stamp_ns: [ns].
            map_id: the map of the poses.
            embedding: (D,) of the keyframe's image, or None.
            sight: which places are in sight; None: all.

        Returns:
            Id of the place where the robot is.
        """
        p = self.parameters
        here = np.asarray(position, dtype=np.float64)
        if here.shape != (3,) or not np.all(np.isfinite(here)):
            raise ValueError(f"expected a finite position (3,), got {here.tolist()}")
        step = 0.0 if self._last_position is None else float(np.linalg.norm(here - self._last_position))
        if step > p.max_step or (self._current and self._places[self._current].map_id != map_id):
            self.begin_segment()
            step = 0.0
        self._last_position = here
        view = None if embedding is None else unit_embedding(embedding)
        place = self._place_at(here, map_id, view, sight)
        if place is None:
            inside = transform_points(invert_pose(T_map_camera), here)
            place = Place(self._new_id(), keyframe_id, inside, here.copy(), 0, stamp_ns, map_id, view, 1)
            self._anchors[place.id] = T_map_camera
        else:
            place = self._with_view(place, here, view)
        others = tuple(k for k in self._seen_from.get(place.id, ()) if k != keyframe_id)
        self._seen_from[place.id] = (*others, keyframe_id)[-MAX_KEYFRAMES:]
        arrived = place.id != self._current
        place = replace(place, n_visits=place.n_visits + arrived, last_visit_ns=stamp_ns)
        self._places[place.id] = place
        self._measure(
            key for other in self._neighbours.get(place.id, ()) for key in ((place.id, other), (other, place.id))
        )
        self._travelled += step
        if arrived:
            if self._current:
                self._travel(self._current, place.id, self._travelled)
            self._current, self._nearest_yet = place.id, np.inf
        distance = float(np.linalg.norm(here - place.position))
        if distance <= self._nearest_yet:  # the way to the next place counts from the nearest point to this one
            self._nearest_yet, self._travelled = distance, distance
        self._publish()
        return place.id

    def _place_at(self, here: Array, map_id: str, view: Vector | None, sight: Sight | None) -> Place | None:
        """The place that a robot is at; None: a new one."""
        p = self.parameters
        candidates = [place for place in self._places_view if place.map_id == map_id]
        if not candidates:
            return None
        positions = np.array([place.position for place in candidates])
        distance = np.linalg.norm(positions - here, axis=1)
        near = np.flatnonzero(distance <= p.radius)
        if sight is not None and near.size:
            near = near[sight(here, positions[near])]
        if not near.size:
            return None
        nearest: Place = candidates[near[np.argmin(distance[near])]]
        embeddings = [candidates[i].embedding for i in near]
        alike = view is None or any(e is None or e.shape != view.shape or 1 - e @ view <= p.delta for e in embeddings)
        return nearest if alike or distance[near].min() < p.min_spacing else None

    def _with_view(self, place: Place, here: Array, view: Vector | None) -> Place:
        """Running means of embedding and, as long as the robot is well inside, of position: leaving does not drag it along."""
        n = place.n_views + 1
        inner = float(np.linalg.norm(here - place.position)) <= 0.5 * self.parameters.radius
        position = place.position + (here - place.position) / n if inner else place.position
        inside = transform_points(invert_pose(self._anchors[place.id]), position)
        moved = replace(place, position=position, position_in_camera=inside, n_views=n)
        if view is None or (place.embedding is not None and place.embedding.shape != view.shape):
            return moved
        mean = view if place.embedding is None else place.embedding + (view - place.embedding) / np.float32(n)
        return replace(moved, embedding=unit_embedding(mean) if np.any(mean) else view)

    def _travel(self, source: str, target: str, travelled: float) -> None:
        forth, back = self._edges.get((source, target)), self._edges.get((target, source))
        n = forth.n_traversals if forth else 0
        mean = travelled if forth is None or n == 0 else forth.travelled + (travelled - forth.travelled) / (n + 1)
        self._neighbours.setdefault(source, set()).add(target)
        self._neighbours.setdefault(target, set()).add(source)
        self._edges[source, target] = self._edge(source, target, mean, n + 1, blocked=False)
        if back is None or back.n_traversals == 0:
            self._edges[target, source] = self._edge(target, source, mean, 0, back is not None and back.blocked)

    def _edge(self, source: str, target: str, travelled: float, n_traversals: int, blocked: bool) -> PlaceEdge:
        length = float(np.linalg.norm(self._places[source].position - self._places[target].position))
        weight = self.parameters.alpha * length + self.parameters.beta * max(travelled, length)
        return PlaceEdge(source, target, length, weight, n_traversals, blocked, travelled)

    def _measure(self, keys: Iterable[tuple[str, str]]) -> None:
        """Bring lengths and weights of edges up to date with their places."""
        for key in keys:
            if key not in self._edges:
                continue
            e = self._edges[key]
            self._edges[key] = self._edge(e.source, e.target, e.travelled, e.n_traversals, e.blocked)

    def block_edge(self, source: str, target: str, blocked: bool = True) -> None:
        """Mark a way as impassable (or passable again). Travelling it unblocks it, too.

        Raises:
            KeyError: there is no such edge.
        """
        if (source, target) not in self._edges:
            raise KeyError(f"no edge from {source!r} to {target!r}")
        self._edges[source, target] = replace(self._edges[source, target], blocked=blocked)
        self._publish()

    def assign_rooms(self, room_of: Callable[[Place], str]) -> None:
        """Set the room of every place: ``room_of`` gives its id, or an empty string."""
        self._places = {i: replace(place, room=room_of(place)) for i, place in self._places.items()}
        self._publish()

    def correct_poses(self, pose: PoseGetter) -> None:
        """Derive all positions anew from the keyframes' poses; places whose keyframe is gone stay where they are."""
        for place_id, place in self._places.items():
            try:
                T_map_camera = pose(place.keyframe_id)
            except KeyError:
                continue
            self._anchors[place_id] = T_map_camera
            self._places[place_id] = replace(place, position=transform_points(T_map_camera, place.position_in_camera))
        self._last_position = None  # the next observation comes in corrected coordinates
        self._measure(tuple(self._edges))
        self._publish()

    def remove_keyframes(self, keyframe_ids: Iterable[str], pose: PoseGetter) -> None:
        """Let go of keyframes: places that hang on them take another one seen there, or go with their edges."""
        gone = set(keyframe_ids)
        for place_id, place in list(self._places.items()):
            left = tuple(k for k in self._seen_from.get(place_id, ()) if k not in gone)
            self._seen_from[place_id] = left
            if place.keyframe_id in gone and not self._hang_on(place, left, pose):
                self._remove(place_id)
        self._publish()

    def _hang_on(self, place: Place, keyframe_ids: Sequence[str], pose: PoseGetter) -> bool:
        """Anchor a place to the newest of these keyframes that exists."""
        for keyframe_id in reversed(keyframe_ids):
            try:
                T_map_camera = pose(keyframe_id)
            except KeyError:
                continue
            self._anchors[place.id] = T_map_camera
            inside = transform_points(invert_pose(T_map_camera), place.position)
            self._places[place.id] = replace(place, keyframe_id=keyframe_id, position_in_camera=inside)
            return True
        return False

    def _remove(self, place_id: str) -> None:
        del self._places[place_id], self._anchors[place_id], self._seen_from[place_id]
        for other in self._neighbours.pop(place_id, set()):
            self._neighbours[other].discard(place_id)
        self._edges = {key: e for key, e in self._edges.items() if place_id not in key}
        if self._current == place_id:
            self.begin_segment()

    def _publish(self) -> None:
        self._places_view, self._edges_view = tuple(self._places.values()), tuple(self._edges.values())

    # --- reading ------------------------------------------------------------------------------------------------------

    def places(self) -> tuple[Place, ...]:
        """All places, oldest first."""
        return self._places_view

    def get(self, place_id: str) -> Place:
        """One place.

        Raises:
            KeyError: there is none.
        """
        for place in self._places_view:
            if place.id == place_id:
                return place
        raise KeyError(f"no place {place_id!r}")

    def edges(self) -> tuple[PlaceEdge, ...]:
        """All edges, blocked ones included."""
        return self._edges_view

    def nearest(self, position: npt.ArrayLike, map_id: str) -> str:
        """Id of the place of a map nearest to a point (3,) [m]; empty: the map has none."""
        point = np.asarray(position, dtype=np.float64)
        places = [place for place in self._places_view if place.map_id == map_id]
        if not places:
            return ""
        return min(places, key=lambda place: float(np.linalg.norm(place.position - point))).id

    def route(self, source: str, target: str) -> tuple[tuple[str, ...], float]:
        """Cheapest way between two places over edges that are not blocked (Dijkstra).

        Returns:
            ids from source to target, and the sum of weights; ((), inf) if there is no way.

        Raises:
            KeyError: there is no such place.
        """
        known = {place.id for place in self._places_view}
        for place_id in (source, target):
            if place_id not in known:
                raise KeyError(f"no place {place_id!r}")
        ways: dict[str, list[tuple[str, float]]] = {}
        for e in self._edges_view:
            if not e.blocked:
                ways.setdefault(e.source, []).append((e.target, e.weight))
        cost, previous, done = {source: 0.0}, {source: ""}, set()
        queue = [(0.0, source)]
        while queue:
            here_cost, here = heapq.heappop(queue)
            if here == target:
                break
            if here in done:
                continue
            done.add(here)
            for there, weight in ways.get(here, ()):
                if here_cost + weight < cost.get(there, np.inf):
                    cost[there], previous[there] = here_cost + weight, here
                    heapq.heappush(queue, (cost[there], there))
        if target not in cost:
            return (), float("inf")
        ids = [target]
        while previous[ids[-1]]:
            ids.append(previous[ids[-1]])
        return tuple(reversed(ids)), cost[target]

    def locate(self, embedding: Vector, position: npt.ArrayLike | None = None, map_id: str = "") -> tuple[str, float]:
        """The place that looks most like a view.

        Args:
            embedding: (D,) of the view.
            position: (3,) [m] where it was roughly taken: scores fall by half at two radii from there.
            map_id: only places of this map; empty: of any.

        Returns:
            id (empty: no place has an embedding) and score [0, 1].
        """
        view = unit_embedding(embedding)
        places = [place for place in self._places_view if map_id in ("", place.map_id)]
        known = [(place, e) for place in places if (e := place.embedding) is not None and e.shape == view.shape]
        if not known:
            return "", 0.0
        scores = np.clip(np.stack([e for _, e in known]) @ view, 0.0, 1.0).astype(np.float64)
        if position is not None:
            positions = np.array([place.position for place, _ in known])
            distance = np.linalg.norm(positions - np.asarray(position, dtype=np.float64), axis=1)
            scores *= 0.5 ** (distance / (2.0 * self.parameters.radius))
        best = int(np.argmax(scores))
        return known[best][0].id, float(scores[best])

    def to_networkx(self) -> networkx.DiGraph:
        """A copy for networkx: nodes with ``position`` and ``map_id``, edges with ``length``, ``weight`` and ``blocked``."""
        import networkx

        graph = networkx.DiGraph()
        for place in self._places_view:
            graph.add_node(place.id, position=tuple(place.position.tolist()), map_id=place.map_id)
        for e in self._edges_view:
            graph.add_edge(e.source, e.target, length=e.length, weight=e.weight, blocked=e.blocked)
        return graph

    # --- saving -------------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[GraphRecord]:
        """Everything that `restore` needs: (kind, record id, fields that JSON can hold, arrays)."""
        for place in self._places_view:
            fields = {
                "keyframe_id": place.keyframe_id,
                "position_in_camera": place.position_in_camera.tolist(),
                "position": place.position.tolist(),
                "n_visits": place.n_visits,
                "last_visit_ns": place.last_visit_ns,
                "map_id": place.map_id,
                "n_views": place.n_views,
                "room": place.room,
                "seen_from": list(self._seen_from.get(place.id, ())),
            }
            yield "place", place.id, fields, {} if place.embedding is None else {"embedding": place.embedding}
        for e in self._edges_view:
            fields = {
                "source": e.source,
                "target": e.target,
                "travelled": e.travelled,
                "n_traversals": e.n_traversals,
                "blocked": e.blocked,
                "map_id": self._places[e.source].map_id,
            }
            yield "place_edge", f"{e.source}>{e.target}", fields, {}

    def restore(self, places: Iterable[RecordLike], edges: Iterable[RecordLike], pose: PoseGetter) -> None:
        """Take the place of what is here with what was saved; positions follow the keyframes' poses.

        Places whose keyframes are all gone are left out, and so are their edges.
        """
        self._places, self._edges, self._anchors, self._seen_from, self._neighbours = {}, {}, {}, {}, {}
        for record in places:
            f = record.fields
            place = Place(
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
            )
            self._seen_from[place.id] = tuple(f["seen_from"])
            self._places[place.id] = place
            try:
                self._anchors[place.id] = pose(place.keyframe_id)
            except KeyError:
                if not self._hang_on(place, self._seen_from[place.id], pose):
                    del self._places[place.id], self._seen_from[place.id]
        for record in edges:
            f = record.fields
            source, target = str(f["source"]), str(f["target"])
            if source in self._places and target in self._places:
                n, blocked = int(f["n_traversals"]), bool(f["blocked"])
                self._neighbours.setdefault(source, set()).add(target)
                self._neighbours.setdefault(target, set()).add(source)
                self._edges[source, target] = self._edge(source, target, float(f["travelled"]), n, blocked)
        self.begin_segment()
        self.correct_poses(pose)
