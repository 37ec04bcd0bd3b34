"""Seeded floor plans of homes: 4 to 12 rooms around a hallway or around the living room, on one floor or on two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from loci_sim.floorplan import FloorPlan
from loci_sim.layouts import Cell, DoorRules, Layout, Split, plan_from_layout
from loci_sim.stairs import two_floor_plan

MIN_ROOMS, MAX_ROOMS = 4, 12

#: Widths of rooms side by side [m], before they are scaled to the home's.
_WIDTHS = {
    "living room": 5.0, "kitchen": 3.7, "dining room": 3.4, "bedroom": 3.9, "children's room": 3.7, "bathroom": 2.7,
    "study": 3.2, "laundry": 2.5, "pantry": 2.1, "garage": 4.2, "storage room": 2.3,
}  # fmt: skip
#: Rooms beyond living room, kitchen, bedroom, bathroom and hallway.
_MORE = (
    "bedroom", "bedroom", "children's room", "bathroom", "study", "dining room", "laundry", "pantry", "garage", "storage room",
)  # fmt: skip
#: Share of the homes that have two floors, and their least number of rooms.
TWO_FLOORS, MIN_ROOMS_TWO_FLOORS = 0.4, 8
#: Rooms that are on the ground floor of such a home if it has them.
_BELOW = ("dining room", "laundry", "pantry", "garage", "storage room")
#: What can lie behind a room, entered through it.
_BEHIND = {"bedroom": "bathroom", "kitchen": "pantry", "garage": "storage room", "bathroom": "laundry"}

_PUBLIC = ("hallway", "living room", "dining room")
DOORS = DoorRules(
    entrance=("hallway", "living room"),
    hosts={
        "living room": ("hallway",),
        "hallway": ("living room",),
        "dining room": ("living room", "hallway", "kitchen"),
        "kitchen": ("hallway", "living room", "dining room"),
        "bedroom": _PUBLIC,
        "children's room": _PUBLIC,
        "study": _PUBLIC,
        "bathroom": ("hallway", "bedroom", "living room"),
        "laundry": ("hallway", "bathroom", "kitchen", "garage", "living room"),
        "pantry": ("kitchen", "hallway", "living room"),
        "garage": ("hallway", "laundry", "kitchen", "living room"),
        "storage room": ("garage", "hallway", "living room"),
        "staircase": ("hallway",),
    },
    loops=(
        frozenset({"living room", "kitchen"}),
        frozenset({"dining room", "kitchen"}),
        frozenset({"living room", "dining room"}),
        frozenset({"hallway", "kitchen"}),
        frozenset({"bedroom", "bathroom"}),
        frozenset({"bedroom", "study"}),
    ),
)


def make_home_plan(rng: np.random.Generator) -> FloorPlan:
    """A random plan of 4 to 12 rooms.

    Raises:
        ValueError: this draw gives no plan in which doors join all rooms; draw again.
    """
    if rng.random() < TWO_FLOORS:
        return _on_two_floors(rng)
    n = int(rng.integers(MIN_ROOMS, MAX_ROOMS + 1))
    shapes = {"around": n <= 7, "spine": n >= 6, "wing": n >= 6, "tee": n >= 7}
    possible = [name for name, fits in shapes.items() if fits]
    shape = possible[int(rng.integers(len(possible)))]
    n_more = n - 4 - (shape != "around")
    rooms = ["bedroom", "bathroom", *(_MORE[i] for i in rng.permutation(len(_MORE))[:n_more])]
    layout, width, depth = _SHAPES[shape](rooms, rng)
    return plan_from_layout(layout, round(width, 2), round(depth, 2), DOORS, rng, min_side=1.35)


def _on_two_floors(rng: np.random.Generator) -> FloorPlan:
    """Living room and kitchen below, bedroom and bathroom above, hallway and stairs on both."""
    n = int(rng.integers(MIN_ROOMS_TWO_FLOORS, MAX_ROOMS + 1))
    lower, upper = ["living room", "kitchen"], ["bedroom", "bathroom"]
    for name in (_MORE[i] for i in rng.permutation(len(_MORE))[: n - 8]):
        if name in _BELOW or (name in ("study", "bathroom") and rng.random() < 0.5):
            lower.append(name)
        else:
            upper.append(name)
    return two_floor_plan(lower, upper, _WIDTHS, DOORS, rng)


def _around(rooms: list[str], rng: np.random.Generator) -> tuple[Layout, float, float]:
    """No hallway: a living room from end to end, the other rooms at its sides."""
    sides = _halves([*rooms, "kitchen"], rng)
    lengths = [sum(_WIDTHS[name] for name in side) for side in sides]
    depth = max(0.35 * min(lengths) + 0.65 * max(lengths), 6.0) * float(rng.uniform(0.95, 1.08))
    widths = rng.uniform(3.2, 4.0, 2)
    columns = [_line("y", side, rng, float(w)) for side, w in zip(sides, widths, strict=True)]
    living = float(rng.uniform(4.2, 5.0))
    return Split("x", (columns[0], Cell("living room"), columns[1])), float(widths.sum()) + living, depth


def _spine(rooms: list[str], rng: np.random.Generator) -> tuple[Layout, float, float]:
    """Two rows of rooms along a hallway."""
    layout, width, depth, _ = _banks(["living room", "kitchen", *rooms], rng)
    return layout, width, depth


def _wing(rooms: list[str], rng: np.random.Generator) -> tuple[Layout, float, float]:
    """Two rows along a hallway that ends at a wing with living room and kitchen."""
    banks, width, depth, hall = _banks(rooms, rng)
    wing = float(rng.uniform(4.6, 5.4))
    # The hallway's end must meet the living room, whichever end of the wing that is.
    if rng.random() < 0.5:
        living = max(hall[1] + 0.2, min(depth * 0.6, depth - 3.0))
        parts = (Cell("living room", metres=round(living, 2)), Cell("kitchen"))
    else:
        living = max(depth - hall[0] + 0.2, min(depth * 0.6, depth - 3.0))
        parts = (Cell("kitchen"), Cell("living room", metres=round(living, 2)))
    if depth - living < 2.9:
        raise ValueError("no place for the kitchen in the wing")
    layout = Split("x", (Split("x", (banks,), metres=round(width, 2)), Split("y", parts)))
    return layout, width + wing, depth


def _tee(rooms: list[str], rng: np.random.Generator) -> tuple[Layout, float, float]:
    """Living room and kitchen across the end of a hallway with rooms on both sides."""
    front = ["living room", "kitchen"]
    rng.shuffle(front)
    sides = _halves(rooms, rng)
    lengths = [sum(_WIDTHS[name] for name in side) for side in sides]
    length = 0.4 * min(lengths) + 0.6 * max(lengths)
    widths, hall = rng.uniform(3.4, 4.3, 2), float(rng.uniform(1.5, 1.7))
    width = float(widths.sum()) + hall
    public = sum(_WIDTHS[name] for name in front)
    if not 0.85 < width / public < 1.3:
        raise ValueError(f"rooms across the end want {public:.1f} m of {width:.1f} m")
    depth = float(rng.uniform(4.0, 4.8))
    columns = [_line("y", side, rng, float(w)) for side, w in zip(sides, widths, strict=True)]
    private = Split("x", (columns[0], Cell("hallway", metres=round(hall, 2)), columns[1]), metres=round(length, 2))
    return Split("y", (private, _line("x", front, rng))), width, length + depth


_Shape = Callable[[list[str], np.random.Generator], "tuple[Layout, float, float]"]
_SHAPES: dict[str, _Shape] = {"around": _around, "spine": _spine, "wing": _wing, "tee": _tee}


def _banks(rooms: list[str], rng: np.random.Generator) -> tuple[Layout, float, float, tuple[float, float]]:
    """Two rows of rooms along a hallway: layout, width, depth, and where the hallway lies across [m].

    In one of the rows a small room may lie behind a large one.
    """
    rooms = list(rooms)
    behind: dict[str, str] = {}
    if rng.random() < 0.6:
        pairs = [(a, b) for a, b in _BEHIND.items() if a in rooms and rooms.count(b) > (b == "bathroom")]
        for i in rng.permutation(len(pairs))[:2]:
            front, back = pairs[i]
            if front in rooms and back in rooms and front not in behind.values():
                behind[front] = back
                rooms.remove(back)
    rows = _halves(rooms, rng)
    hall = float(rng.uniform(1.5, 1.75))
    depths = [
        float(rng.uniform(5.2, 5.7)) if any(name in behind for name in row) else float(rng.uniform(3.4, 4.3))
        for row in rows
    ]
    widths = [sum(_WIDTHS[name] for name in row) for row in rows]
    if min(widths) < 0.7 * max(widths):
        raise ValueError(f"rows of {widths[0]:.1f} and {widths[1]:.1f} m do not match")
    lines = []
    for upper, (row, depth) in enumerate(zip(rows, depths, strict=True)):
        parts: list[Layout] = []
        for name in row:
            share = _WIDTHS[name] * float(rng.uniform(0.93, 1.07))
            if name in behind:
                cells = (Cell(name), Cell(behind.pop(name), metres=round(float(rng.uniform(1.8, 2.0)), 2)))
                parts.append(Split("y", cells if upper else cells[::-1], share=share))
            else:
                parts.append(Cell(name, share))
        lines.append(Split("x", tuple(parts), metres=round(depth, 2)))
    layout = Split("y", (lines[0], Cell("hallway", metres=round(hall, 2)), lines[1]))
    width = 0.45 * min(widths) + 0.55 * max(widths)
    low = round(depths[0], 2)
    return layout, width, low + round(hall, 2) + round(depths[1], 2), (low, low + round(hall, 2))


def _halves(rooms: list[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """The rooms in two rows of similar length, in random order."""
    rows: tuple[list[str], list[str]] = ([], [])
    order = [rooms[i] for i in rng.permutation(len(rooms))]
    for name in sorted(order, key=lambda n: -_WIDTHS[n]):
        min(rows, key=lambda row: sum(_WIDTHS[n] for n in row)).append(name)
    for row in rows:
        rng.shuffle(row)
    return rows if rng.random() < 0.5 else rows[::-1]


def _line(axis: Literal["x", "y"], rooms: list[str], rng: np.random.Generator, metres: float = 0.0) -> Split:
    cells = tuple(Cell(name, _WIDTHS[name] * float(rng.uniform(0.92, 1.08))) for name in rooms)
    return Split(axis, cells, metres=round(metres, 2))
