"""How to get from here to a place, a thing or a room: the cheapest way over the topological graph, as places and in words.

Joins what the memories hold (places, rooms, objects); the search itself is `loci.spatial.graph_view`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loci.geometry import Array
from loci.spatial.directions import Landmarks, directions, side
from loci.spatial.graph_view import GraphView
from loci.spatial.places import Place, PlaceEdge

if TYPE_CHECKING:
    from loci.evidence import Memories
    from loci.questions import MemoryQuestions

#: Only things with an edge of at least this [m] tell where to turn: a mug is overlooked, and gone tomorrow.
LANDMARK_SIZE = 0.4


@dataclass(frozen=True)
class Route:
    """A way over the topological graph.

    Attributes:
        places: from start to goal, both included; empty: there is no way.
        length: of the way from place to place [m].
        cost: sum of the weights of its edges.
        duration: expected from earlier traversals [s]; 0: none of it was ever timed.
        instructions: one sentence for each turn and each stretch, and one for the arrival.
        reason: why there is no way; empty: there is one.
    """

    places: tuple[Place, ...]
    length: float
    cost: float
    duration: float
    instructions: tuple[str, ...]
    reason: str = ""

    @property
    def points(self) -> Array:
        """(N, 3) of the places [m], map frame."""
        return np.array([place.position for place in self.places], dtype=np.float64).reshape(-1, 3)


def find_route(memory: MemoryQuestions, memories: Memories, goal: str, start: str = "") -> Route:
    """The cheapest way to the nearest place of a goal; see `MemoryQuestions.route`."""
    topology = memory.topology()
    view = memories.spatial.graph.view
    known = {place.id: place for place in topology.places}  # with their rooms
    names = {room.id: room.name for room in topology.rooms}
    goals, thing = _goals(memory, view, topology.places, names, goal)
    source = _start(memory, memories, view, start)
    ids, cost = view.route_to_nearest(source, goals)
    if not ids:
        reason = f"no way that is not blocked leads from {source} to {goal}"
        return Route((), 0.0, float("inf"), 0.0, (), reason)
    places = tuple(known[i] for i in ids)
    points = np.array([place.position for place in places], dtype=np.float64)
    rooms = [names.get(place.room, "") for place in places]
    edges = view.edges_along(ids)
    instructions = directions(
        points,
        rooms,
        _landmarks(memory),
        None if start else _heading(memories),
        _arrival(goal, rooms[-1], points, thing, len(ids) == 1),
    )
    return Route(places, sum(e.length for e in edges), cost, _duration(view, edges), instructions)


def _start(memory: MemoryQuestions, memories: Memories, view: GraphView, start: str) -> str:
    """Id of the place to start from."""
    if start:
        return _place_near(memory, view, start)
    current = memories.spatial.current_place
    if current in view.index and view.get(current).map_id == memory.map_id:
        return current
    found = "" if memory.robot_position is None else view.nearest(memory.robot_position, memory.map_id)
    if not found:
        raise LookupError("it is not known where the robot is: give a start, or wait for observations")
    return found


def _goals(
    memory: MemoryQuestions, view: GraphView, places: Sequence[Place], names: dict[str, str], goal: str
) -> tuple[list[str], tuple[str, Array] | None]:
    """Ids of the places any of which is the goal, and what stands there: its name and position (3,)."""
    rooms = [i for i, name in names.items() if goal == i or goal.strip().lower() == name.lower() != ""]
    if rooms:
        inside = [place.id for place in places if place.room in rooms]
        return inside or [_place_near(memory, view, room) for room in rooms], None
    if goal.startswith("object/"):
        o = memory.object(goal)
        return [_place_near(memory, view, goal)], (o.label or goal, np.asarray(o.center))
    if "/" not in goal and goal not in view.by_name:
        known = ", ".join(sorted({name for name in names.values() if name})) or "none yet"
        raise LookupError(f"no room {goal!r} in this map, and no thing of that id: known rooms are {known}")
    return [_place_near(memory, view, goal)], None


def _place_near(memory: MemoryQuestions, view: GraphView, thing: str) -> str:
    """Id of the place where a thing of the current map is."""
    thing = view.by_name.get(thing, thing)
    position = memory.position_of(thing)
    if thing in view.index:
        return thing
    found = view.nearest(position, memory.map_id)
    if not found:
        raise LookupError("no place is known in this map yet")
    return found


def _landmarks(memory: MemoryQuestions) -> Landmarks:
    known = [
        o
        for o in memory.objects()
        if o.label and o.map_id == memory.map_id and o.state != "missing" and max(o.size) >= LANDMARK_SIZE
    ]
    return Landmarks(tuple(o.label for o in known), np.array([o.center for o in known]).reshape(-1, 3))


def _heading(memories: Memories) -> float | None:
    """Where the camera looked last, from x towards y [rad]; None: not known, or up or down."""
    ids = memories.keyframes.ids(memories.map_id)
    if not ids:
        return None
    x, y, _ = memories.keyframes.pose(ids[-1])[:3, 2]
    return float(np.arctan2(y, x)) if np.hypot(x, y) > 0.1 else None


def _arrival(goal: str, room: str, points: Array, thing: tuple[str, Array] | None, already: bool) -> str:
    if thing is not None:
        label, position = thing
        return f"The {label} is {side(points, position)}."
    where = f"in the {room}" if room else f"at {goal}"
    return f"You are {where}{' already' if already else ''}."


def _duration(view: GraphView, edges: Sequence[PlaceEdge]) -> float:
    """Sum of mean durations [s]; what was never timed takes as long as the way back, else goes at the mean speed of the rest."""
    seconds = metres = unknown = 0.0
    for e in edges:
        back = view.edge_of.get((e.target, e.source))
        known = e.mean_duration or (back.mean_duration if back is not None else 0.0)
        if known:
            seconds += known
            metres += e.length
        else:
            unknown += e.length
    return seconds * (1.0 + unknown / metres) if metres else seconds
