"""Places the robot has been at and the ways between them: a directed graph that hangs on keyframes.

The mechanism is that of Mem4Nav's topological graph (arXiv 2506.19433). Every place is stored relative to the camera of a
keyframe, so that it moves with the keyframe when poses are corrected; imported places hang on none until they are visited.
One thread writes; `view` is an immutable state that any thread may read. Rooms belong to `loci.spatial.regions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, invert_pose, transform_points
from loci.observation import unit_embedding
from loci.spatial.graph_view import GraphView
from loci.spatial.place_grid import PlaceGrid
from loci.spatial.places import (
    GraphRecord,
    Place,
    PlaceEdge,
    PlaceParameters,
    PoseGetter,
    Sight,
    Vector,
    edge_key,
    edge_of_record,
    edge_record,
    edge_weight,
    place_of_record,
    place_record,
)
from loci.store.record import Record

__all__ = ["Place", "PlaceEdge", "PlaceParameters", "Sight", "TopologicalGraph"]

#: So many keyframes are remembered per place, in case that the one it hangs on is forgotten.
MAX_KEYFRAMES = 16
#: A robot slower than this between two places [m/s] stood still on the way: no duration is learnt from it.
MIN_SPEED = 0.02
#: The robot leaves a place when it was last as near to its middle as it ever was, or farther only by this [m].
LEAVING = 0.1


class TopologicalGraph:
    """Places and ways, learnt from where the robot goes."""

    def __init__(self, new_id: Callable[[], str], parameters: PlaceParameters | None = None) -> None:
        self.parameters = parameters or PlaceParameters()
        self._new_id = new_id
        self._clear()
        self.begin_segment()

    def _clear(self) -> None:
        self._places: dict[str, Place] = {}
        self._edges: dict[tuple[str, str], PlaceEdge] = {}
        self._anchors: dict[str, Array] = {}  # pose (4, 4) of each place's keyframe
        self._seen_from: dict[str, tuple[str, ...]] = {}  # keyframes at each place, newest last
        self._neighbours: dict[str, set[str]] = {}
        self._grid = PlaceGrid(self.parameters.radius)
        self._view = GraphView(radius=self.parameters.radius)
        # What `changes` has not given out yet, in the order in which it changed.
        self._new_places: dict[str, None] = {}
        self._new_edges: dict[tuple[str, str], None] = {}
        self._gone: dict[tuple[str, str], None] = {}
        self._unreported: set[tuple[str, str]] = set()  # traversals seen here that nobody has reported yet

    # --- writing ------------------------------------------------------------------------------------------------------

    def begin_segment(self) -> None:
        """The robot's way is not known from here on (new session, other map, relocalisation): no edge joins what follows."""
        self._current = ""
        self._last_position: Array | None = None
        self._nearest_yet = np.inf
        self._travelled = 0.0
        self._left_ns, self._travelled_when_left = 0, 0.0

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

        Raises:
            ValueError: the position is not finite; nothing has changed then.
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
            place = self._with_view(self._anchored(place, keyframe_id, T_map_camera), here, view)
        others = tuple(k for k in self._seen_from.get(place.id, ()) if k != keyframe_id)
        self._seen_from[place.id] = (*others, keyframe_id)[-MAX_KEYFRAMES:]
        arrived = place.id != self._current
        place = replace(place, n_visits=place.n_visits + arrived, last_visit_ns=stamp_ns)
        self._set_place(place)
        self._measure(
            key for other in self._neighbours.get(place.id, ()) for key in ((place.id, other), (other, place.id))
        )
        self._travelled += step
        distance = float(np.linalg.norm(here - place.position))
        if arrived:
            if self._current:
                self._travel(self._current, place.id, self._travelled + distance, self._duration(stamp_ns, distance))
            self._current, self._nearest_yet = place.id, np.inf
        if (
            distance <= self._nearest_yet + LEAVING
        ):  # the way to the next place counts from the nearest point to this one
            self._nearest_yet = min(distance, self._nearest_yet)
            self._travelled = self._travelled_when_left = distance
            self._left_ns = stamp_ns
        self._publish()
        return place.id

    def _place_at(self, here: Array, map_id: str, view: Vector | None, sight: Sight | None) -> Place | None:
        """The place that a robot is at; None: a new one."""
        p = self.parameters
        candidates = [self._places[i] for i in self._grid.around(here, map_id)]
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

    def _anchored(self, place: Place, keyframe_id: str, T_map_camera: Array) -> Place:
        """An imported place hangs on the first keyframe that is seen there."""
        if place.keyframe_id:
            return place
        self._anchors[place.id] = T_map_camera
        inside = transform_points(invert_pose(T_map_camera), place.position)
        return replace(place, keyframe_id=keyframe_id, position_in_camera=inside)

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

    def _duration(self, stamp_ns: int, left: float) -> float:
        """Time from the last place to the next, of which ``left`` [m] is still to be driven, at the mean speed so far [s]; 0: not known."""
        driven = self._travelled - self._travelled_when_left
        seconds = (stamp_ns - self._left_ns) * 1e-9
        if seconds <= 0 or driven < MIN_SPEED * seconds:
            return 0.0
        return seconds * (self._travelled + left) / driven

    def _travel(self, source: str, target: str, travelled: float, duration: float) -> None:
        forth, back = self._edges.get((source, target)), self._edges.get((target, source))
        n = forth.n_traversals if forth else 0
        if forth is not None and n:
            travelled = forth.travelled + (travelled - forth.travelled) / (n + 1)
        edge = forth or PlaceEdge(source, target, 0.0, 0.0, 0)
        self._join(source, target)
        self._set_edge(_timed(replace(edge, travelled=travelled, n_traversals=n + 1, blocked=False), duration))
        self._unreported.add((source, target))
        if back is None or back.n_traversals == 0:
            self._set_edge(replace(back or PlaceEdge(target, source, 0.0, 0.0, 0), travelled=travelled))

    def report_traversal(
        self, source: str, target: str, succeeded: bool, duration: float = 0.0, blocked: bool = False
    ) -> PlaceEdge:
        """Learn how the robot fared on a way, from whoever drives it.

        A success counts as a traversal, unless `observe` saw that same traversal and counted it already, and unblocks the way; a failure
        makes it dearer (`edge_weight`), and blocked keeps routes off it.

        Args:
            source, target: ids of places that an edge joins.
            succeeded: the robot arrived.
            duration: of a traversal that succeeded [s]; 0: not known. That of a failure is not used.
            blocked: the way was found impassable.

        Returns:
            The edge as it is now.

        Raises:
            KeyError: there is no such edge.
            ValueError: a duration that is negative or not finite, or a success on a blocked way. Nothing has changed then.
        """
        if not (np.isfinite(duration) and duration >= 0):
            raise ValueError(f"expected a duration >= 0 s, got {duration}")
        if succeeded and blocked:
            raise ValueError("expected a traversal that succeeded or a way that is blocked, got both")
        edge = self._existing(source, target)
        if succeeded:
            seen = (source, target) in self._unreported
            self._unreported.discard((source, target))
            edge = replace(edge, n_traversals=edge.n_traversals + (not seen), blocked=False)
            # The duration of a traversal that was seen was taken from the stamps.
            edge = edge if seen and edge.n_timed else _timed(edge, duration)
        else:
            edge = replace(edge, n_failures=edge.n_failures + 1, blocked=edge.blocked or blocked)
        self._set_edge(edge)
        self._publish()
        return self._edges[source, target]

    def block_edge(self, source: str, target: str, blocked: bool = True) -> None:
        """Mark a way as impassable (or passable again). Travelling it unblocks it, too.

        Raises:
            KeyError: there is no such edge.
        """
        self._set_edge(replace(self._existing(source, target), blocked=blocked))
        self._publish()

    def add_places(
        self, map_id: str, names: Sequence[str], positions: Array, links: npt.NDArray[np.int64]
    ) -> list[str]:
        """Take in places that nobody has visited yet, e.g. of an imported graph; one publication for all.

        Args:
            map_id: of the positions.
            names: N, as in the graph that they come from.
            positions: (N, 3) [m].
            links: (M, 2) indices of the places that a directed way joins.

        Returns:
            Their N ids.

        Raises:
            ValueError: shapes, positions or links do not fit; nothing has changed then.
        """
        if positions.shape != (len(names), 3) or not np.all(np.isfinite(positions)):
            raise ValueError(f"expected finite positions ({len(names)}, 3), got {positions.shape}")
        if links.size and (links.ndim != 2 or links.shape[1] != 2 or links.min() < 0 or links.max() >= len(names)):
            raise ValueError(f"expected links (M, 2) between {len(names)} places, got {links.shape}")
        ids = [self._new_id() for _ in names]
        for place_id, name, position in zip(ids, names, np.array(positions, dtype=np.float64), strict=True):
            self._seen_from[place_id] = ()
            self._set_place(Place(place_id, "", position, position, 0, 0, map_id, name=name))
        for a, b in links.tolist():
            self._join(ids[a], ids[b])
            self._set_edge(PlaceEdge(ids[a], ids[b], 0.0, 0.0, 0))
        self._publish()
        return ids

    def correct_poses(self, pose: PoseGetter) -> None:
        """Derive all positions anew from the keyframes' poses; places whose keyframe is gone stay where they are."""
        moved = set()
        for place_id, place in list(self._places.items()):
            try:
                T_map_camera = pose(place.keyframe_id)
            except KeyError:
                continue
            self._anchors[place_id] = T_map_camera
            position = transform_points(T_map_camera, place.position_in_camera)
            if not np.array_equal(position, place.position):
                self._set_place(replace(place, position=position))
                moved.add(place_id)
        self._last_position = None  # the next observation comes in corrected coordinates
        self._measure([key for key in self._edges if not moved.isdisjoint(key)])
        self._publish()

    def remove_keyframes(self, keyframe_ids: Iterable[str], pose: PoseGetter) -> None:
        """Let go of keyframes: places that hang on them take another one seen there, or go with their edges."""
        gone = set(keyframe_ids)
        for place_id, place in list(self._places.items()):
            seen_from = self._seen_from.get(place_id, ())
            left = tuple(k for k in seen_from if k not in gone)
            if left != seen_from:
                self._seen_from[place_id] = left
                self._new_places[place_id] = None
            if place.keyframe_id in gone and not self._hang_on(place, left, pose):
                self._remove(place_id)
        self._publish()

    def _hang_on(self, place: Place, keyframe_ids: Sequence[str], pose: PoseGetter) -> bool:
        """Anchor a place to the newest of these keyframes that exists; an imported one may do without."""
        for keyframe_id in reversed(keyframe_ids):
            try:
                T_map_camera = pose(keyframe_id)
            except KeyError:
                continue
            self._anchors[place.id] = T_map_camera
            inside = transform_points(invert_pose(T_map_camera), place.position)
            self._set_place(replace(place, keyframe_id=keyframe_id, position_in_camera=inside))
            return True
        if place.name:
            self._anchors.pop(place.id, None)
            self._set_place(replace(place, keyframe_id="", position_in_camera=place.position))
        return bool(place.name)

    def _remove(self, place_id: str) -> None:
        del self._places[place_id], self._seen_from[place_id]
        self._anchors.pop(place_id, None)
        self._new_places.pop(place_id, None)
        self._gone["place", place_id] = None
        self._grid.remove(place_id)
        for other in self._neighbours.pop(place_id, set()):
            self._neighbours[other].discard(place_id)
            for key in ((place_id, other), (other, place_id)):
                if self._edges.pop(key, None):
                    self._new_edges.pop(key, None)
                    self._gone["place_edge", edge_key(*key)] = None
        if self._current == place_id:
            self.begin_segment()

    def _set_place(self, place: Place) -> None:
        self._places[place.id] = place
        self._grid.put(place.id, place.map_id, place.position)
        self._new_places[place.id] = None

    def _set_edge(self, edge: PlaceEdge) -> None:
        """Keep an edge, with the length and the weight that follow from what is known of it."""
        length = math.dist(self._places[edge.source].position, self._places[edge.target].position)
        weight = edge_weight(self.parameters, length, edge.travelled, edge.n_traversals, edge.n_failures)
        self._edges[edge.source, edge.target] = replace(edge, length=length, weight=weight)
        self._new_edges[edge.source, edge.target] = None

    def _join(self, source: str, target: str) -> None:
        self._neighbours.setdefault(source, set()).add(target)
        self._neighbours.setdefault(target, set()).add(source)

    def _existing(self, source: str, target: str) -> PlaceEdge:
        if (source, target) not in self._edges:
            raise KeyError(f"no edge from {source!r} to {target!r}")
        return self._edges[source, target]

    def _measure(self, keys: Iterable[tuple[str, str]]) -> None:
        """Bring lengths and weights of edges up to date with their places."""
        for key in keys:
            if key in self._edges:
                self._set_edge(self._edges[key])

    def _publish(self) -> None:
        self._view = GraphView(tuple(self._places.values()), tuple(self._edges.values()), self.parameters.radius)

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def view(self) -> GraphView:
        """The newest state; it does not change any more."""
        return self._view

    def places(self) -> tuple[Place, ...]:
        """All places, oldest first."""
        return self._view.places

    def edges(self) -> tuple[PlaceEdge, ...]:
        """All edges, blocked ones included."""
        return self._view.edges

    # --- saving -------------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[GraphRecord]:
        """Everything that `restore` needs: (kind, record id, fields that JSON can hold, arrays)."""
        yield from (place_record(place, self._seen_from[place.id]) for place in self._places.values())
        yield from (edge_record(e, self._places[e.source].map_id) for e in self._edges.values())

    def changes(self) -> tuple[list[GraphRecord], list[tuple[str, str]]]:
        """Records as of `records` that changed since the last call, and (kind, record id) of those that are gone since then."""
        changed = [place_record(self._places[i], self._seen_from[i]) for i in self._new_places]
        changed += [edge_record(self._edges[key], self._places[key[0]].map_id) for key in self._new_edges]
        kept = {(kind, record_id) for kind, record_id, _, _ in changed}
        gone = [key for key in self._gone if key not in kept]
        self._new_places, self._new_edges, self._gone = {}, {}, {}
        return changed, gone

    def restore(self, places: Iterable[Record], edges: Iterable[Record], pose: PoseGetter) -> None:
        """Take the place of what is here with what was saved; positions follow the keyframes' poses.

        Places whose keyframes are all gone are left out, and so are their edges.
        """
        self._clear()
        rehung: dict[str, None] = {}
        for record in places:
            place = place_of_record(record)
            self._seen_from[place.id] = tuple(record.fields["seen_from"])
            self._set_place(place)
            try:
                self._anchors[place.id] = pose(place.keyframe_id)
            except KeyError:
                if place.keyframe_id and self._hang_on(place, self._seen_from[place.id], pose):
                    rehung[place.id] = None
                elif place.keyframe_id:
                    self._remove(place.id)
        for record in edges:
            edge = edge_of_record(record)
            if edge.source in self._places and edge.target in self._places:
                self._join(edge.source, edge.target)
                self._set_edge(edge)
            else:
                self._gone["place_edge", record.id] = None
        self._new_places, self._new_edges = rehung, {}
        self.begin_segment()
        self.correct_poses(pose)


def _timed(edge: PlaceEdge, duration: float) -> PlaceEdge:
    """An edge with one more traversal of a known duration [s]; 0: not known."""
    if not duration:
        return edge
    n = edge.n_timed + 1
    return replace(edge, n_timed=n, mean_duration=edge.mean_duration + (duration - edge.mean_duration) / n)
