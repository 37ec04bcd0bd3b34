"""Floor plans from layouts: a tree of rows and columns of rooms, and rules for which rooms doors join.

One mechanism for all families of scenes but apartments: `homes.py` and `offices.py` draw trees and state rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from loci_sim.floorplan import Doorway, FloorPlan, Rect, Room, door_between, front_door, rooms_of, turned


@dataclass(frozen=True)
class Cell:
    """A room in a layout.

    Attributes:
        name: kind of room.
        share: of the length that its row or column has left; metres: or a fixed length along it [m].
    """

    name: str
    share: float = 1.0
    metres: float = 0.0


@dataclass(frozen=True)
class Split:
    """Rooms side by side along an axis: a row (``x``) or a column (``y``), from low to high; ``share`` and ``metres`` as in `Cell`."""

    axis: Literal["x", "y"]
    parts: tuple[Layout, ...]
    share: float = 1.0
    metres: float = 0.0


Layout = Cell | Split


@dataclass(frozen=True)
class DoorRules:
    """Which rooms doors join.

    Attributes:
        entrance: kinds of room that can have the front door, best first.
        hosts: by kind of room, the kinds from which it is entered, best first.
        loops: pairs of kinds that get a door wherever they share enough wall, besides those that join all rooms.
    """

    entrance: tuple[str, ...]
    hosts: Mapping[str, tuple[str, ...]]
    loops: tuple[frozenset[str], ...] = ()


def names_of(layout: Layout) -> Iterator[str]:
    """Kinds of all rooms of a layout, in order."""
    if isinstance(layout, Cell):
        yield layout.name
    else:
        for part in layout.parts:
            yield from names_of(part)


def spread(layout: Layout, rect: Rect) -> list[tuple[str, Rect]]:
    """Kind and rectangle (along the walls' centre lines, to the centimetre) of every room of a layout in ``rect``.

    Raises:
        ValueError: fixed lengths leave nothing for the shares.
    """
    if isinstance(layout, Cell):
        return [(layout.name, rect)]
    length = rect.width if layout.axis == "x" else rect.depth
    left = length - sum(p.metres for p in layout.parts)
    shares = sum(p.share for p in layout.parts if not p.metres)
    if left < -0.02 or (shares and left < 1.0):
        raise ValueError(f"expected parts within {length:.2f} m, got {length - left:.2f} m of fixed ones")
    lengths = [p.metres or left * p.share / shares for p in layout.parts]
    low = rect.x0 if layout.axis == "x" else rect.y0
    edges = np.round(low + np.concatenate([[0.0], np.cumsum(lengths)]), 2).tolist()
    edges[-1] = rect.x1 if layout.axis == "x" else rect.y1
    cells: list[tuple[str, Rect]] = []
    for part, a, b in zip(layout.parts, edges[:-1], edges[1:], strict=True):
        inner = replace(rect, x0=a, x1=b) if layout.axis == "x" else replace(rect, y0=a, y1=b)
        cells += spread(part, inner)
    return cells


def plan_from_layout(
    layout: Layout, width: float, depth: float, rules: DoorRules, rng: np.random.Generator, min_side: float = 1.2
) -> FloorPlan:
    """A plan of ``width`` times ``depth`` [m], turned and mirrored by chance.

    Args:
        min_side: of every room [m].

    Raises:
        ValueError: doors cannot join all rooms by these rules, or a room is too narrow; draw again.
    """
    return plan_from_layouts((layout,), width, depth, rules, rng, min_side)


def plan_from_layouts(
    layouts: Sequence[Layout],
    width: float,
    depth: float,
    rules: DoorRules,
    rng: np.random.Generator,
    min_side: float = 1.2,
) -> FloorPlan:
    """As `plan_from_layout`, with a layout for each floor from the ground up; stairs are built by the caller."""
    bounds = Rect(0.0, 0.0, width, depth)
    drawn = [spread(layout, bounds) for layout in layouts]
    cells, bounds = turned([cell for floor in drawn for cell in floor], bounds, rng)
    floors = [k for k, floor in enumerate(drawn) for _ in floor]
    by_floor: list[list[tuple[str, Rect]]] = []
    for k in range(len(drawn)):
        own = [cell for cell, floor in zip(cells, floors, strict=True) if floor == k]
        # The entrance comes first: it is furnished first, and a plan is read from there.
        first = next((i for kind in rules.entrance for i, (name, _) in enumerate(own) if name == kind), None)
        if first is None:
            raise ValueError(f"expected a room with the front door ({' or '.join(rules.entrance)})")
        own.insert(0, own.pop(first))
        by_floor.append(own)
    rooms = rooms_of([cell for own in by_floor for cell in own])
    narrow = [r.id for r in rooms if min(r.rect.width, r.rect.depth) < min_side]
    if narrow:
        raise ValueError(f"expected rooms {min_side} m wide, got narrower ones: {', '.join(narrow)}")
    placed: list[Room] = []
    doors: list[Doorway] = []
    for k, own in enumerate(by_floor):
        on_floor = [replace(r, floor=k) for r in rooms[len(placed) : len(placed) + len(own)]]
        placed += on_floor
        doors += [replace(d, floor=k) for d in _doors_of(on_floor, rules, rng)]
    ground = [d for d in doors if d.floor == 0]
    return FloorPlan(bounds, tuple(placed), (*doors, front_door(placed[0], bounds, ground, rng)))


def _doors_of(rooms: Sequence[Room], rules: DoorRules, rng: np.random.Generator) -> list[Doorway]:
    """The doors of one floor but the front door."""
    doors = _joined(rooms, rules, rng)
    for a, b in combinations(rooms, 2):
        if frozenset({a.name, b.name}) in rules.loops and not any({a.id, b.id} == set(d.rooms) for d in doors):
            door = _door(a, b, doors, rng)
            if door is not None:
                doors.append(replace(door, spare=True))
    return doors


def _joined(rooms: Sequence[Room], rules: DoorRules, rng: np.random.Generator) -> list[Doorway]:
    """One door for each room but the first: into a room of a kind that may be its host and is joined already."""
    doors: list[Doorway] = []
    inside, waiting = [rooms[0]], list(rooms[1:])
    # Rooms through which others are entered come first: their doors have fewer places.
    hosts = {kind for kinds in rules.hosts.values() for kind in kinds}
    waiting.sort(key=lambda r: (r.name not in rules.entrance, r.name not in hosts))
    while waiting:
        for room in waiting:
            candidates = [h for kind in rules.hosts.get(room.name, ()) for h in inside if h.name == kind]
            door = next((d for h in candidates if (d := _door(room, h, doors, rng)) is not None), None)
            if door is not None:
                doors.append(door)
                inside.append(room)
                waiting.remove(room)
                break
        else:
            raise ValueError(f"no place for a door of {', '.join(r.id for r in waiting)}")
    return doors


def _door(room: Room, host: Room, doors: list[Doorway], rng: np.random.Generator) -> Doorway | None:
    """A door that opens into the room, else one that opens into its host (a wide room at the end of a corridor)."""
    return door_between(room, host, doors, rng) or door_between(host, room, doors, rng)
