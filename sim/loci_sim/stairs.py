"""Homes with stairs: their plans on two floors, and the shape of the staircase.

Steps, landing and half the floor between the storeys are solid; what keeps people from falling is a wall between the flights
and a panel before the opening of the upper floor.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from loci_sim.floorplan import CEILING, STOREY, FloorPlan, Rect, Room, Staircase
from loci_sim.layouts import Cell, DoorRules, Layout, Split, plan_from_layouts
from loci_sim.meshes import Material, Mesh, MeshBuilder

#: Steps of a flight, and how deep each is [m]; the landing is one more step up, and the upper floor another.
STEPS, TREAD = 7, 0.27
RISE = STOREY / (2 * STEPS + 2)
LANDING, MIN_STRIP = 0.95, 1.0
#: Width of the room along the wall's centre lines, thickness of the wall between the flights, height of railings [m].
WIDTH, PARAPET, RAILING = 2.34, 0.1, 0.9
_WOOD, _WHITE = (150, 106, 66), Material((232, 230, 224), "plaster")


def two_floor_plan(
    lower: list[str], upper: list[str], widths: dict[str, float], rules: DoorRules, rng: np.random.Generator
) -> FloorPlan:
    """A plan of two floors, each two rows of rooms along a hallway, with stairs at the end of one row.

    Args:
        lower, upper: kinds of the rooms besides hallway and staircase; widths: of rooms side by side [m], by kind.

    Raises:
        ValueError: these rooms do not fit above one another; draw again.
    """
    depths = round(float(rng.uniform(4.1, 4.5)), 2), round(float(rng.uniform(3.5, 4.3)), 2)
    hall = round(float(rng.uniform(1.55, 1.75)), 2)
    rows = [row for names in (lower, upper) for row in _rows(names, widths, rng)]
    wishes = [sum(widths[n] for n in row) + (0.0 if i % 2 else WIDTH) for i, row in enumerate(rows)]
    width = round(float(np.mean(wishes)), 2)
    if any(not row for row in rows) or min(wishes) < 0.72 * width or max(wishes) > 1.3 * width:
        raise ValueError(f"rows of {', '.join(f'{w:.1f}' for w in wishes)} m do not match")
    layouts: list[Layout] = []
    for floor in (0, 1):
        with_stairs, other = rows[2 * floor : 2 * floor + 2]
        first = Split("x", (Cell("staircase", metres=WIDTH), *_cells(with_stairs, widths, rng)), metres=depths[0])
        second = Split("x", _cells(other, widths, rng), metres=depths[1])
        layouts.append(Split("y", (first, Cell("hallway", metres=hall), second)))
    plan = plan_from_layouts(layouts, width, round(sum(depths) + hall, 2), rules, rng, min_side=1.35)
    return _with_stairs(plan, 1 if rng.random() < 0.5 else -1)


def _rows(names: list[str], widths: dict[str, float], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """The rooms of a floor beside the staircase and across the hallway, of similar length, in random order."""
    rows: tuple[list[str], list[str]] = ([], [])
    lengths = [WIDTH, 0.0]
    for name in sorted((names[i] for i in rng.permutation(len(names))), key=lambda n: -widths[n]):
        shorter = int(np.argmin(lengths))
        rows[shorter].append(name)
        lengths[shorter] += widths[name]
    for row in rows:
        rng.shuffle(row)
    return rows


def _cells(names: list[str], widths: dict[str, float], rng: np.random.Generator) -> tuple[Layout, ...]:
    return tuple(Cell(name, widths[name] * float(rng.uniform(0.93, 1.07))) for name in names)


def _with_stairs(plan: FloorPlan, first: int) -> FloorPlan:
    """The plan with stairs in its two staircases, whose doorways have no leaf."""
    lower, upper = (r for r in plan.rooms if r.name == "staircase")
    doors = tuple(replace(d, bare=True) if {lower.id, upper.id} & set(d.rooms) else d for d in plan.doors)
    door = next(d for d in doors if lower.id in d.rooms)
    above = next(d for d in doors if upper.id in d.rooms)
    side = door.side if door.rooms[0] == lower.id else -door.side
    if (door.axis, door.line) != (above.axis, above.line) or lower.rect != upper.rect:
        raise ValueError("expected both staircases to be entered from the same side")
    depth = lower.rect.depth if door.axis == "x" else lower.rect.width
    strip = depth - LANDING - STEPS * TREAD
    if strip < MIN_STRIP:
        raise ValueError(f"expected {MIN_STRIP} m before the stairs, got {strip:.2f} m")
    return replace(plan, doors=doors, stairs=Staircase(lower.id, upper.id, door.axis, door.line, side, strip, first))


def ends(stairs: Staircase, room: Room) -> tuple[float, float]:
    """The staircase's ends along u [m]."""
    return (room.rect.x0, room.rect.x1) if stairs.axis == "x" else (room.rect.y0, room.rect.y1)


def flight_ends(stairs: Staircase, room: Room, which: Literal[1, 2]) -> tuple[float, float]:
    """Ends along u of the first or second flight [m]."""
    low, high = ends(stairs, room)
    middle = (low + high) / 2
    lower_end = (stairs.first < 0) == (which == 1)
    return (low, middle - PARAPET / 2) if lower_end else (middle + PARAPET / 2, high)


def strip_rect(stairs: Staircase, room: Room) -> Rect:
    """The floor between the doorway's wall and the flights."""
    low, high = ends(stairs, room)
    (x0, y0), (x1, y1) = stairs.at(low, 0.0), stairs.at(high, stairs.strip)
    return Rect(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def stair_meshes(stairs: Staircase, room: Room) -> dict[str, tuple[Mesh, ...]]:
    """Meshes by label: ``stairs`` (what is walked on), ``railing``, and ``wall`` (below the second flight and at the slab's edge)."""
    steps, railing, wall = MeshBuilder(), MeshBuilder(), MeshBuilder()
    wood = Material(_WOOD, "grain", (0.7, 0.7))
    depth = room.rect.depth if stairs.axis == "x" else room.rect.width

    def box(
        b: MeshBuilder, u: tuple[float, float], v: tuple[float, float], z: tuple[float, float], m: Material
    ) -> None:
        b.box((*stairs.at(u[0], v[0]), z[0]), (*stairs.at(u[1], v[1]), z[1]), m)

    up, down = flight_ends(stairs, room, 1), flight_ends(stairs, room, 2)
    end = stairs.strip + STEPS * TREAD
    for k in range(STEPS):
        for u, v, z in (
            (up, stairs.strip + k * TREAD, (k + 1) * RISE),
            (down, end - (k + 1) * TREAD, (STEPS + 2 + k) * RISE),
        ):
            box(steps, u, (v, v + TREAD), (0.0, z - 0.03), _WHITE)
            box(steps, u, (v, v + TREAD), (z - 0.03, z), wood)
    middle, landing = ends(stairs, room), (STEPS + 1) * RISE
    box(steps, middle, (end, depth), (0.0, landing - 0.03), _WHITE)
    box(steps, middle, (end, depth), (landing - 0.03, landing), wood)
    # Between the flights: a wall with a handrail that follows the upper one.
    u = (up[1], down[0]) if stairs.first < 0 else (down[1], up[0])
    tops = STOREY + RAILING, landing + RISE + RAILING
    for at in u:
        points = [(stairs.strip, 0.0), (end, 0.0), (end, tops[1]), (stairs.strip, tops[0])]
        railing.polygon([(*stairs.at(at, v), z) for v, z in points], _WHITE)
    for v, top in ((stairs.strip, tops[0]), (end, tops[1])):
        railing.polygon(
            [(*stairs.at(a, v), z) for a, z in ((u[0], 0.0), (u[1], 0.0), (u[1], top), (u[0], top))], _WHITE
        )
    rail = [(u[0] - 0.02, stairs.strip, tops[0]), (u[1] + 0.02, stairs.strip, tops[0])]
    rail += [(u[1] + 0.02, end, tops[1]), (u[0] - 0.02, end, tops[1])]
    railing.polygon([(*stairs.at(a, v), z + 0.002) for a, v, z in rail], wood)
    railing.polygon([(*stairs.at(a, v), z + 0.04) for a, v, z in rail], wood)
    for (a0, v0, z0), (a1, v1, z1) in zip(rail, rail[1:] + rail[:1], strict=True):
        side = [(a0, v0, z0), (a1, v1, z1), (a1, v1, z1 + 0.04), (a0, v0, z0 + 0.04)]
        railing.polygon([(*stairs.at(a, v), z) for a, v, z in side], wood)
    # Before the opening of the upper floor, over the foot of the first flight.
    box(railing, up, (stairs.strip - 0.02, stairs.strip + 0.02), (CEILING, STOREY + RAILING), _WHITE)
    box(railing, up, (stairs.strip - 0.04, stairs.strip + 0.04), (STOREY + RAILING, STOREY + RAILING + 0.04), wood)
    # The last riser, and what keeps people on the lower floor from walking into the second flight from behind.
    last = (2 * STEPS + 1) * RISE
    for v, z0, z1 in ((stairs.strip, last, STOREY), (stairs.strip - 0.004, 0.0, CEILING)):
        wall.polygon(
            [(*stairs.at(a, v), z) for a, z in ((down[0], z0), (down[1], z0), (down[1], z1), (down[0], z1))], _WHITE
        )
    return {"stairs": steps.meshes(), "railing": railing.meshes(), "wall": wall.meshes()}
