"""Floors, ceilings, walls with their openings, and door leaves of a floor plan; how rooms look is decided in `finishes.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from loci_sim.catalogue import Model
from loci_sim.finishes import Finish
from loci_sim.floorplan import CEILING, DOOR_HEIGHT, STOREY, WALL, Doorway, FloorPlan, Room
from loci_sim.meshes import Floats, Material, Mesh, MeshBuilder, planar_pose
from loci_sim.stairs import stair_meshes, strip_rect

_DOOR_COLORS = {"white": (232, 230, 224), "brown": (140, 96, 58)}


@dataclass(frozen=True)
class Piece:
    """A part of the building.

    Attributes:
        name: unique in the scene.
        label: ``"wall"``, ``"floor"``, ``"ceiling"``, ``"stairs"`` or ``"railing"``.
        room: id of the room it belongs to.
        meshes: in the map frame [m].
    """

    name: str
    label: str
    room: str
    meshes: tuple[Mesh, ...]


@dataclass(frozen=True)
class DoorLeaf:
    """A door leaf where it hangs.

    Attributes:
        model: its shape, centred on its footprint.
        T_map_object: (4, 4).
        doorway: the opening it belongs to.
        hinge: (x, y) of its axis in the map [m]; None: it does not move.
        turn: from closed to open about the vertical [rad].
        opening: how far it stands open, 0..1.
    """

    model: Model
    T_map_object: Floats
    doorway: Doorway
    hinge: tuple[float, float] | None = None
    turn: float = 0.0
    opening: float = 1.0


def build_structure(plan: FloorPlan, finishes: Mapping[str, Finish]) -> tuple[Piece, ...]:
    """All walls, floors, ceilings and stairs of a plan, with the look of each room by its id."""
    pieces: list[Piece] = []
    for room in plan.rooms:
        wall, floor = finishes[room.id].wall, finishes[room.id].floor
        walls, floors, ceilings = MeshBuilder(), MeshBuilder(), MeshBuilder()
        stairs = plan.stairs if plan.stairs is not None and room.id in (plan.stairs.lower, plan.stairs.upper) else None
        below = stairs is not None and room.id == stairs.lower
        # Between the two rooms of the stairs there is no slab but over the strip before them.
        r = strip_rect(stairs, room) if stairs is not None and not below else room.rect
        c = strip_rect(stairs, room) if stairs is not None and below else room.rect
        z, top = room.z, room.z + CEILING
        floors.polygon([(r.x0, r.y0, z), (r.x1, r.y0, z), (r.x1, r.y1, z), (r.x0, r.y1, z)], floor)
        ceilings.polygon(
            [(c.x0, c.y0, top), (c.x0, c.y1, top), (c.x1, c.y1, top), (c.x1, c.y0, top)],
            Material((244, 244, 240), "plaster"),
        )
        _add_walls(walls, room, plan.doors, wall, STOREY if below else CEILING)
        for door in plan.doors:
            if door.rooms[0] == room.id:
                _add_reveal(walls, floors, door, wall, floor)
        built = {"wall": walls.meshes(), "floor": floors.meshes(), "ceiling": ceilings.meshes()}
        if stairs is not None and below:
            more = stair_meshes(stairs, room)
            built["wall"] += more.pop("wall")
            built |= more
        pieces += [Piece(f"{room.id}/{label}", label, room.id, meshes) for label, meshes in built.items()]
    return tuple(pieces)


def build_doors(plan: FloorPlan, rng: np.random.Generator, classic: bool = False) -> tuple[DoorLeaf, ...]:
    """A leaf for every doorway that has one: open by a right angle into its first room, or closed (the front door).

    Doors that no room needs in order to be reached may be closed or ajar as well.

    Args:
        classic: as in apartments: leaves do not move, and all but the front door are open.
    """
    color = str(rng.choice(np.array(sorted(_DOOR_COLORS))))
    leaves = []
    for door in plan.doors:
        if door.bare:
            continue
        name = "brown" if door.closed else color
        model, width = _leaf_model(door, name)
        if classic or door.closed:
            leaves.append(DoorLeaf(model, _leaf_pose(door, width), door))
        else:
            leaves.append(_hung(model, door, width, _first_opening(door, rng)))
    return tuple(leaves)


def _first_opening(door: Doorway, rng: np.random.Generator) -> float:
    """A door by which a room is reached stands wide enough for the robot; one that is not needed may be closed or just ajar."""
    draw, wide, ajar = float(rng.random()), float(rng.uniform(0.7, 0.95)), float(rng.uniform(0.15, 0.5))
    if not door.spare:
        return 1.0 if draw < 0.6 else round(wide, 3)
    return 0.0 if draw < 0.5 else round(ajar, 3) if draw < 0.75 else 1.0


def _leaf_model(door: Doorway, name: str) -> tuple[Model, float]:
    """A leaf that lies along y, thin along x, its handle at the end of largest y; and its width [m]."""
    width, rgb = door.end - door.start - 0.04, _DOOR_COLORS[name]
    b = MeshBuilder()
    b.box((-0.02, -width / 2, 0.0), (0.02, width / 2, DOOR_HEIGHT - 0.02), Material(rgb, "grain", (0.9, 2.2)))
    panel = Material((int(rgb[0] * 0.85), int(rgb[1] * 0.85), int(rgb[2] * 0.85)))
    for x0, x1 in ((0.02, 0.026), (-0.02, -0.026)):
        for z0, z1 in ((0.2, 0.9), (1.1, 1.85)):
            b.box((x0, -width / 2 + 0.12, z0), (x1, width / 2 - 0.12, z1), panel)
        b.box((x0, width / 2 - 0.12, 1.0), (x1 * 3, width / 2 - 0.04, 1.03), Material((180, 182, 186)))
    low, high = b.bounds()
    return Model("door", name, np.asarray(high - low), b.meshes(), ()), width


def _hung(model: Model, door: Doorway, width: float, opening: float) -> DoorLeaf:
    """A leaf that swings between the opening, which it closes flush with the wall of its room, and a right angle to it."""
    inward, first = door.side, door.hinge == "start"
    # Along the wall and across it: centres of the leaf when closed and when open.
    closed = np.array([(door.start + door.end) / 2, door.line + inward * (WALL / 2 - 0.02)])
    along = door.start - 0.02 if first else door.end + 0.02
    opened = np.array([along, door.line + inward * (WALL / 2 + 0.03 + width / 2)])
    if door.axis == "y":
        closed, opened = closed[::-1], opened[::-1]
    # Its handle is at the end away from the hinge.
    yaw = (0.0 if inward > 0 else np.pi) if door.axis == "x" else -inward * np.pi / 2
    turn = (1 if first else -1) * inward * (1 if door.axis == "x" else -1) * np.pi / 2
    c, s = np.cos(turn), np.sin(turn)
    R = np.array([[c, -s], [s, c]])
    # The point about which the turn takes one centre to the other.
    hinge = np.linalg.solve(np.eye(2) - R, opened - R @ closed)
    angle = (opening - 1.0) * turn
    c, s = np.cos(angle), np.sin(angle)
    at = hinge + np.array([[c, -s], [s, c]]) @ (opened - hinge)
    T = planar_pose(float(at[0]), float(at[1]), door.z + 0.004, float(yaw + angle))
    return DoorLeaf(model, T, door, (float(hinge[0]), float(hinge[1])), float(turn), opening)


def _leaf_pose(door: Doorway, width: float) -> Floats:
    inward = door.side
    if door.closed:
        along, across, yaw = (door.start + door.end) / 2, door.line + inward * (WALL / 2 + 0.03), 0.0
    else:
        along = door.start - 0.02 if door.hinge == "start" else door.end + 0.02
        across, yaw = door.line + inward * (WALL / 2 + 0.03 + width / 2), np.pi / 2
    # The model's length runs along y: along the wall for a closed leaf, across it for an open one.
    if door.axis == "x":
        return planar_pose(along, across, 0.004, yaw + np.pi / 2)
    return planar_pose(across, along, 0.004, yaw)


def _add_walls(b: MeshBuilder, room: Room, doors: tuple[Doorway, ...], material: Material, height: float) -> None:
    """The four inner faces of a room's walls, with holes where doors are."""
    r, floor = room.rect, room.z
    for axis, line, low, high, inward in (
        ("x", r.y0, r.x0, r.x1, 1),
        ("x", r.y1, r.x0, r.x1, -1),
        ("y", r.x0, r.y0, r.y1, 1),
        ("y", r.x1, r.y0, r.y1, -1),
    ):
        holes = sorted(
            (d.start, d.end)
            for d in doors
            if room.id in d.rooms and d.axis == axis and abs(d.line - line) < WALL and not d.closed
        )
        edges = [low, *(e for hole in holes for e in hole), high]
        strips = [(a, c, 0.0) for a, c in zip(edges[::2], edges[1::2], strict=True)] + [
            (a, c, DOOR_HEIGHT) for a, c in holes
        ]
        for a, c, z0 in strips:
            # Seen from inside the room the corners run counter-clockwise.
            first, second = (c, a) if (axis == "x") == (inward > 0) else (a, c)
            corners = [(first, z0), (second, z0), (second, height), (first, height)]
            points = [(u, line, floor + z) if axis == "x" else (line, u, floor + z) for u, z in corners]
            b.polygon(points, material, [(np.sign(second - first) * u, CEILING - z) for u, z in corners])


def _add_reveal(walls: MeshBuilder, floors: MeshBuilder, door: Doorway, wall: Material, floor: Material) -> None:
    """The inner faces of an opening through the wall, and its threshold."""
    p = door.passage
    if door.closed:
        return
    frame = replace(wall, color=(226, 222, 214), texture="")
    o, z = door.z, door.z + DOOR_HEIGHT
    floors.polygon([(p.x0, p.y0, o), (p.x1, p.y0, o), (p.x1, p.y1, o), (p.x0, p.y1, o)], floor)
    walls.polygon([(p.x0, p.y0, z), (p.x0, p.y1, z), (p.x1, p.y1, z), (p.x1, p.y0, z)], frame)
    if door.axis == "x":
        walls.polygon([(p.x0, p.y1, o), (p.x0, p.y0, o), (p.x0, p.y0, z), (p.x0, p.y1, z)], frame)
        walls.polygon([(p.x1, p.y0, o), (p.x1, p.y1, o), (p.x1, p.y1, z), (p.x1, p.y0, z)], frame)
    else:
        walls.polygon([(p.x0, p.y0, o), (p.x1, p.y0, o), (p.x1, p.y0, z), (p.x0, p.y0, z)], frame)
        walls.polygon([(p.x1, p.y1, o), (p.x0, p.y1, o), (p.x0, p.y1, z), (p.x1, p.y1, z)], frame)
