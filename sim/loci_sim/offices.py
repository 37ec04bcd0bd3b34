"""Seeded floor plans of offices, and of a floor of 40 m with offices and flats along one corridor."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from loci_sim.floorplan import FloorPlan
from loci_sim.homes import DOORS as HOME_DOORS
from loci_sim.layouts import Cell, DoorRules, Layout, Split, names_of, plan_from_layout

#: Length of a building's floor [m], and how many rooms it has.
BUILDING_LENGTH = 40.0
BUILDING_ROOMS = (15, 30)

DOORS = DoorRules(
    entrance=("reception", "corridor"),
    hosts={
        "corridor": ("reception", "corridor", "open office"),
        "open office": ("reception", "corridor"),
        "reception": ("corridor", "open office"),
        "meeting room": ("open office", "corridor", "reception"),
        "office": ("open office", "corridor"),
        "kitchenette": ("open office", "corridor", "reception"),
        "restroom": ("corridor", "reception", "open office"),
        "copy room": ("open office", "corridor"),
        "storage room": ("corridor", "copy room", "kitchenette", "open office", "office"),
    },
    loops=(
        frozenset({"reception", "open office"}),
        frozenset({"open office", "corridor"}),
        frozenset({"office", "meeting room"}),
    ),
)

_BUILDING_DOORS = DoorRules(
    entrance=("corridor",),
    hosts={
        **{kind: tuple("corridor" if h == "hallway" else h for h in hosts) for kind, hosts in HOME_DOORS.hosts.items()},
        **{kind: ("corridor", *hosts) for kind, hosts in DOORS.hosts.items()},
        "storage room": ("corridor", "office", "kitchenette"),
    },
    loops=HOME_DOORS.loops,
)

#: Widths of rooms side by side [m], before they are scaled to the floor's.
_WIDTHS = {
    "open office": 8.5, "meeting room": 4.4, "office": 3.4, "kitchenette": 3.4, "restroom": 2.6, "copy room": 2.7,
    "storage room": 2.4, "reception": 4.6, "living room": 4.9, "kitchen": 3.7, "bedroom": 3.9, "children's room": 3.6,
    "study": 3.2, "laundry": 2.6, "bathroom": 2.7, "dining room": 3.4,
}  # fmt: skip


def make_office_plan(rng: np.random.Generator) -> FloorPlan:
    """An open-plan area with meeting rooms, offices, reception, kitchenette, restrooms and storage around it.

    Raises:
        ValueError: this draw gives no plan in which doors join all rooms; draw again.
    """
    layout, width, depth = _open_middle(rng) if rng.random() < 0.5 else _open_side(rng)
    return plan_from_layout(layout, round(width, 2), round(depth, 2), DOORS, rng, min_side=1.4)


def _open_middle(rng: np.random.Generator) -> tuple[Layout, float, float]:
    """The open-plan area from end to end, a column of rooms at either side."""
    left = ["reception", "kitchenette", "restroom", "restroom"]
    right = ["meeting room", "meeting room", *(["office"] * int(rng.integers(1, 3)))]
    small = ["storage room", "copy room"][: int(rng.integers(1, 3))]
    (left if sum(_WIDTHS[n] for n in left) < sum(_WIDTHS[n] for n in right) else right).extend(small)
    columns, widths = [], rng.uniform(3.4, 4.2, 2)
    for names, metres in zip((left, right), widths, strict=True):
        rng.shuffle(names)
        columns.append(_line("y", names, rng, float(metres)))
    depth = 0.4 * sum(_WIDTHS[n] for n in left) + 0.6 * sum(_WIDTHS[n] for n in right)
    middle = float(rng.uniform(7.0, 8.6))
    return Split("x", (columns[0], Cell("open office"), columns[1])), float(widths.sum()) + middle, depth


def _open_side(rng: np.random.Generator) -> tuple[Layout, float, float]:
    """A corridor between the open-plan area with rooms beside it and a row of rooms."""
    upper = ["open office", "meeting room", *(["office"] * int(rng.integers(1, 3)))]
    lower = ["reception", "kitchenette", "restroom", "restroom", "meeting room", "storage room", "copy room"]
    if len(upper) == 3:
        lower.remove("copy room")
    rows = []
    for names, metres in ((upper, rng.uniform(5.6, 6.6)), (lower, rng.uniform(3.6, 4.4))):
        rng.shuffle(names)
        rows.append(_line("x", names, rng, float(metres)))
    width = 0.4 * sum(_WIDTHS[n] for n in upper) + 0.6 * sum(_WIDTHS[n] for n in lower)
    hall = round(float(rng.uniform(1.7, 2.0)), 2)
    depth = rows[0].metres + hall + rows[1].metres
    return Split("y", (rows[1], Cell("corridor", metres=hall), rows[0])), width, depth


def make_building_plan(rng: np.random.Generator) -> FloorPlan:
    """A floor 40 m long: offices and flats at both sides of a corridor in two or three parts.

    Raises:
        ValueError: this draw gives no plan in which doors join all rooms; draw again.
    """
    blocks = [_office_block(rng), _flat_block(rng), *(_block(rng) for _ in range(6))]
    rows, roomy = [], float(rng.uniform(1.0, 1.5))
    for upper in (False, True):
        parts, wish = list[Layout](), 0.0
        for part in (p for block in blocks[int(upper) :: 2] for p in block):
            if wish + part.share * roomy > BUILDING_LENGTH * 1.06:
                continue
            wish += part.share * roomy
            # What lies behind a room is at the outer side.
            parts.append(replace(part, parts=part.parts[::-1]) if isinstance(part, Split) and not upper else part)
        if wish < BUILDING_LENGTH * 0.85:
            raise ValueError(f"rooms for {wish:.1f} m of {BUILDING_LENGTH:.0f} m")
        rows.append(Split("x", tuple(parts), metres=round(float(rng.uniform(5.3, 5.9)), 2)))
    n_corridors, hall = int(rng.integers(2, 4)), round(float(rng.uniform(1.8, 2.1)), 2)
    corridors = tuple(Cell("corridor", float(rng.uniform(0.9, 1.1))) for _ in range(n_corridors))
    layout = Split("y", (rows[0], Split("x", corridors, metres=hall), rows[1]))
    n_rooms = len(list(names_of(layout)))
    if not BUILDING_ROOMS[0] <= n_rooms <= BUILDING_ROOMS[1]:
        raise ValueError(f"{n_rooms} rooms")
    depth = rows[0].metres + hall + rows[1].metres
    return plan_from_layout(layout, BUILDING_LENGTH, round(depth, 2), _BUILDING_DOORS, rng, min_side=1.4)


def _block(rng: np.random.Generator) -> list[Layout]:
    return _office_block(rng) if rng.random() < 0.5 else _flat_block(rng)


def _office_block(rng: np.random.Generator) -> list[Layout]:
    names = ["meeting room", "office", "office", "restroom", "kitchenette"]
    names += ["open office"] if rng.random() < 0.5 else ["office", "copy room"]
    parts: list[Layout] = [_cell(names[i], rng) for i in rng.permutation(len(names))]
    if rng.random() < 0.6:
        parts[int(rng.integers(len(parts)))] = _behind("office", "storage room", rng)
    return parts


def _flat_block(rng: np.random.Generator) -> list[Layout]:
    more = ["children's room", "study", "bedroom", "laundry"]
    parts: list[Layout] = [_cell("living room", rng), _cell("kitchen", rng), _behind("bedroom", "bathroom", rng)]
    parts += [_cell(more[i], rng) for i in rng.permutation(len(more))[: int(rng.integers(1, 3))]]
    return parts


def _behind(front: str, back: str, rng: np.random.Generator) -> Split:
    """A room of the upper row with a small one behind it."""
    return Split("y", (Cell(front), Cell(back, metres=round(float(rng.uniform(1.9, 2.1)), 2))), share=_WIDTHS[front])


def _cell(name: str, rng: np.random.Generator) -> Cell:
    return Cell(name, _WIDTHS[name] * float(rng.uniform(0.95, 1.05)))


def _line(axis: Literal["x", "y"], names: list[str], rng: np.random.Generator, metres: float) -> Split:
    return Split(axis, tuple(_cell(name, rng) for name in names), metres=round(metres, 2))
