"""Floor plans: rectangular rooms and the doors between them, and the seeded plan of an apartment.

Decides walls and openings only; what stands in the rooms is decided in `furnishing.py`. Plans of the other families are
drawn in `homes.py` and `offices.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

#: Thickness of walls [m].
WALL = 0.12
#: Height of the rooms, and from one floor to the next [m]: sixteen steps of 17 cm, the slab is 12 cm thick.
CEILING, STOREY = 2.6, 2.72
DOOR_WIDTH = 0.9
DOOR_HEIGHT = 2.05
#: From the corner of a room to the door opening [m]: room for the open leaf between opening and side wall.
DOOR_INSET = 0.2
#: How far in front of and behind a door the floor stays empty [m].
DOOR_CLEARANCE = 0.95


@dataclass(frozen=True)
class Rect:
    """Axis-aligned rectangle [m]."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def depth(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.depth

    @property
    def center(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def grown(self, margin: float) -> Rect:
        return Rect(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)

    def overlaps(self, other: Rect) -> bool:
        """Whether the interiors meet (touching edges do not)."""
        e = 1e-9
        return self.x0 < other.x1 - e and other.x0 < self.x1 - e and self.y0 < other.y1 - e and other.y0 < self.y1 - e

    def contains(self, other: Rect) -> bool:
        e = 1e-9
        return (
            self.x0 <= other.x0 + e and self.y0 <= other.y0 + e and self.x1 >= other.x1 - e and self.y1 >= other.y1 - e
        )

    def holds(self, x: float, y: float) -> bool:
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1


@dataclass(frozen=True)
class Room:
    """A rectangular room.

    Attributes:
        id: unique in the plan, e.g. ``"bedroom_2"``.
        name: kind of room, e.g. ``"bedroom"``.
        rect: its floor between the walls' inner faces [m].
        floor: 0 is the ground floor.
    """

    id: str
    name: str
    rect: Rect
    floor: int = 0

    @property
    def z(self) -> float:
        """Height of its floor [m]."""
        return self.floor * STOREY


@dataclass(frozen=True)
class Doorway:
    """An opening of ``DOOR_WIDTH`` in the wall between two rooms (or to the outside, closed).

    Attributes:
        rooms: ids of the rooms on both sides; the leaf opens into the first. The second is empty for the front door.
        axis: the wall runs along this axis.
        line: the wall's centre line on the other axis [m].
        start, end: the opening along ``axis`` [m].
        hinge: the end at which the leaf hangs.
        side: -1 or 1: on which side of the wall (along the other axis) the first room lies.
        spare: all rooms can be reached without it: its leaf may be closed at first.
        bare: no leaf hangs in it.
        floor: of the rooms.
    """

    rooms: tuple[str, str]
    axis: Literal["x", "y"]
    line: float
    start: float
    end: float
    hinge: Literal["start", "end"]
    side: int
    spare: bool = False
    bare: bool = False
    floor: int = 0

    @property
    def z(self) -> float:
        """Height of its floor [m]."""
        return self.floor * STOREY

    @property
    def closed(self) -> bool:
        return not self.rooms[1]

    def zone(self, side: int, margin: float = 0.1, reach: float = DOOR_CLEARANCE) -> Rect:
        """The floor on one side (-1, 1) of the wall that must stay empty."""
        low, high = (WALL / 2, WALL / 2 + reach) if side > 0 else (-WALL / 2 - reach, -WALL / 2)
        start, end = self.start - margin, self.end + margin
        if side == self.side and not self.closed:
            start, end = (start - DOOR_INSET, end) if self.hinge == "start" else (start, end + DOOR_INSET)
        return self._rect(start, end, self.line + low, self.line + high)

    @property
    def passage(self) -> Rect:
        """The opening through the wall."""
        return self._rect(self.start, self.end, self.line - WALL / 2, self.line + WALL / 2)

    @property
    def leaf(self) -> Rect:
        """The floor that the leaf and the gap behind it take; a line on the wall for a closed door."""
        low, high = (WALL / 2, WALL / 2 + DOOR_WIDTH) if self.side > 0 else (-WALL / 2 - DOOR_WIDTH, -WALL / 2)
        start, end = (
            (self.start - DOOR_INSET, self.start + 0.03)
            if self.hinge == "start"
            else (self.end - 0.03, self.end + DOOR_INSET)
        )
        return self.passage if self.closed else self._rect(start, end, self.line + low, self.line + high)

    def _rect(self, start: float, end: float, low: float, high: float) -> Rect:
        return Rect(start, low, end, high) if self.axis == "x" else Rect(low, start, high, end)


@dataclass(frozen=True)
class Staircase:
    """Two flights of stairs with a landing between them, in a room on each of two floors, one above the other.

    The room is measured along the wall with its doorways (u, from its smaller end) and away from it (v). Both floors are
    entered on a strip along that wall; the first flight leads away from it, the second back to the strip of the upper floor.

    Attributes:
        lower, upper: ids of the rooms.
        axis, line, side: of the wall with the doorways, as in `Doorway`.
        strip: depth of the floor before the flights [m].
        first: -1 or 1: at which end along u the first flight lies.
    """

    lower: str
    upper: str
    axis: Literal["x", "y"]
    line: float
    side: int
    strip: float
    first: int

    def at(self, u: float, v: float) -> tuple[float, float]:
        """(x, y) of a place, u in map coordinates."""
        across = self.line + self.side * (WALL / 2 + v)
        return (u, across) if self.axis == "x" else (across, u)


@dataclass(frozen=True)
class FloorPlan:
    """Rooms and doors.

    Attributes:
        bounds: outer rectangle along the walls' centre lines [m].
        rooms: all of them; ids are unique.
        doors: open ones join all rooms of a floor; the closed front door comes last.
        stairs: joins the floors, if there are two.
    """

    bounds: Rect
    rooms: tuple[Room, ...]
    doors: tuple[Doorway, ...]
    stairs: Staircase | None = None

    def room(self, room_id: str) -> Room:
        return next(r for r in self.rooms if r.id == room_id)

    def room_at(self, x: float, y: float) -> Room | None:
        """The room that holds a point, None inside walls, doorways and outside."""
        return next((r for r in self.rooms if r.rect.holds(x, y)), None)


#: Widths of rooms relative to each other; a row is scaled to the apartment's width.
_WIDTHS = {"living room": 4.9, "kitchen": 3.7, "bedroom": 3.8, "bathroom": 2.6, "study": 3.1, "dining room": 3.3}


def make_floor_plan(rng: np.random.Generator) -> FloorPlan:
    """A random plan of 6 or 7 rooms.

    Raises:
        ValueError: this draw gives no plan in which doors join all rooms; draw again.
    """
    upper, lower = ["living room", "kitchen"], ["bedroom", "bathroom", "study"]
    extra = rng.choice(np.array(["", "", "bedroom", "dining room"]))
    if extra == "dining room":
        upper.append("dining room")
    elif extra:
        lower.append("bedroom")
    rng.shuffle(lower)
    if rng.random() < 0.5 or len(upper) == 3:
        rng.shuffle(upper)
    wishes = [sum(_WIDTHS[name] for name in row) for row in (upper, lower)]
    width = round(0.45 * min(wishes) + 0.55 * max(wishes) + float(rng.uniform(-0.2, 0.3)), 2)
    lower_depth, upper_depth = float(rng.uniform(3.3, 3.7)), float(rng.uniform(3.9, 4.4))
    hall = float(rng.uniform(1.5, 1.7))
    y1, y2, y3 = np.round(np.cumsum([lower_depth, hall, upper_depth]), 2).tolist()
    cells = [("hallway", Rect(0.0, y1, width, y2))]
    for row, low, high in ((lower, 0.0, y1), (upper, y2, y3)):
        shares = np.array([_WIDTHS[name] for name in row]) * rng.uniform(0.93, 1.07, len(row))
        edges = np.round(np.concatenate([[0.0], np.cumsum(shares / shares.sum()) * width]), 2).tolist()
        cells += [(name, Rect(a, low, b, high)) for name, a, b in zip(row, edges[:-1], edges[1:], strict=True)]
    # Sometimes a room at the end of the upper row takes the hallway's end as well.
    last_name, last = cells[-1]
    if last_name == "living room" and rng.random() < 0.6:
        cells[-1] = (last_name, Rect(last.x0, y1, last.x1, last.y1))
        cells[0] = ("hallway", Rect(0.0, y1, last.x0, y2))
    cells, bounds = turned(cells, Rect(0.0, 0.0, width, y3), rng)
    rooms = rooms_of(cells)
    return FloorPlan(bounds, rooms, _doors(rooms, bounds, rng))


def rooms_of(cells: Sequence[tuple[str, Rect]]) -> tuple[Room, ...]:
    """Rooms of (kind, rectangle along the walls' centre lines), with an id each."""
    rooms, counts = [], dict[str, int]()
    for name, cell in cells:
        counts[name] = counts.get(name, 0) + 1
        room_id = name.replace(" ", "_").replace("'", "") + (f"_{counts[name]}" if counts[name] > 1 else "")
        rooms.append(Room(room_id, name, cell.grown(-WALL / 2)))
    return tuple(rooms)


def turned(
    cells: list[tuple[str, Rect]], bounds: Rect, rng: np.random.Generator
) -> tuple[list[tuple[str, Rect]], Rect]:
    """Mirror along x and y and swap the axes, each by chance."""
    mirror_x, mirror_y, swap = (bool(v) for v in rng.random(3) < 0.5)

    def turn(r: Rect) -> Rect:
        x0, x1 = (bounds.x1 - r.x1, bounds.x1 - r.x0) if mirror_x else (r.x0, r.x1)
        y0, y1 = (bounds.y1 - r.y1, bounds.y1 - r.y0) if mirror_y else (r.y0, r.y1)
        return Rect(y0, x0, y1, x1) if swap else Rect(x0, y0, x1, y1)

    return [(name, turn(r)) for name, r in cells], turn(bounds)


def _doors(rooms: tuple[Room, ...], bounds: Rect, rng: np.random.Generator) -> tuple[Doorway, ...]:
    hall = rooms[0]
    doors: list[Doorway] = []
    for room in rooms[1:]:
        door = door_between(room, hall, doors, rng)
        if door is None:  # no wall with the hallway: through the living room
            living = next(r for r in rooms if r.name == "living room")
            door = None if room is living else door_between(room, living, doors, rng)
        if door is None:
            raise ValueError(f"no place for a door of {room.id}")
        doors.append(door)
    for a, b in combinations(rooms, 2):
        if {a.name, b.name} in ({"living room", "kitchen"}, {"dining room", "kitchen"}):
            door = door_between(a, b, doors, rng)
            if door is not None:
                doors.append(door)
    front = front_door(hall, bounds, doors, rng)
    return (*doors, front)


def door_between(room: Room, other: Room, doors: list[Doorway], rng: np.random.Generator) -> Doorway | None:
    """A door that opens into ``room``, near one of its corners, clear of the doors there are."""
    a, b = room.rect, other.rect
    shared: tuple[Literal["x", "y"], float, int, float, float, float, float]
    e = WALL + 1e-6
    if abs(a.y0 - b.y1) < e or abs(b.y0 - a.y1) < e:
        above = abs(a.y0 - b.y1) < e
        shared = (
            "x",
            (a.y0 + b.y1) / 2 if above else (a.y1 + b.y0) / 2,
            1 if above else -1,
            max(a.x0, b.x0),
            min(a.x1, b.x1),
            a.x0,
            a.x1,
        )
    elif abs(a.x0 - b.x1) < e or abs(b.x0 - a.x1) < e:
        right = abs(a.x0 - b.x1) < e
        shared = (
            "y",
            (a.x0 + b.x1) / 2 if right else (a.x1 + b.x0) / 2,
            1 if right else -1,
            max(a.y0, b.y0),
            min(a.y1, b.y1),
            a.y0,
            a.y1,
        )
    else:
        return None
    axis, line, side, low, high, room_low, room_high = shared
    options: list[Doorway] = []
    rooms = (room.id, other.id)
    if low <= room_low + 0.3 and low + DOOR_INSET + DOOR_WIDTH + 0.1 <= high:
        options.append(Doorway(rooms, axis, line, low + DOOR_INSET, low + DOOR_INSET + DOOR_WIDTH, "start", side))
    if high >= room_high - 0.3 and high - DOOR_INSET - DOOR_WIDTH - 0.1 >= low:
        options.append(Doorway(rooms, axis, line, high - DOOR_INSET - DOOR_WIDTH, high - DOOR_INSET, "end", side))
    rng.shuffle(options)
    for option in options:
        zones = [option.zone(s) for s in (-1, 1)]
        # Doors of the hallway may face each other, but a leaf must open freely.
        taken = [
            d.zone(s) for d in doors for s in (-1, 1) if room.id in d.rooms and (d.side == s) == (d.rooms[0] == room.id)
        ]
        taken += [d.zone(d.side) for d in doors if other.id == d.rooms[0]]
        if not any(zone.overlaps(t) for zone in zones for t in taken):
            return option
    return None


def front_door(hall: Room, bounds: Rect, doors: list[Doorway], rng: np.random.Generator) -> Doorway:
    """A closed door in an outer wall of the hallway."""
    r = hall.rect
    sides: list[tuple[Literal["x", "y"], float, int, float, float]] = []
    for axis, low, high, near, far, out_low, out_high in (
        ("y", r.y0, r.y1, r.x0, r.x1, bounds.x0, bounds.x1),
        ("x", r.x0, r.x1, r.y0, r.y1, bounds.y0, bounds.y1),
    ):
        if abs(near - out_low) <= WALL:
            sides.append((axis, out_low, 1, low, high))  # type: ignore[arg-type]
        if abs(far - out_high) <= WALL:
            sides.append((axis, out_high, -1, low, high))  # type: ignore[arg-type]
    rng.shuffle(sides)
    for axis, line, side, low, high in sides:
        middle = (low + high) / 2
        door = Doorway((hall.id, ""), axis, line, middle - DOOR_WIDTH / 2, middle + DOOR_WIDTH / 2, "start", side)
        # Other doors' floor may overlap its own (both stay empty), their openings may not.
        if not any(door.passage.grown(0.1).overlaps(d.passage) for d in doors):
            return door
    raise ValueError("no place for the front door")
