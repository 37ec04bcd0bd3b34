"""Builders of things whose doors, lids and drawers move: hollow, with what moves as parts of their own. Front towards +x.

Leaves hang on the outer front edge of their thing, so that an open one stays within its width.
"""

from __future__ import annotations

import numpy as np

from loci_sim.catalogue import Look, MovingPart, Opening, Space, opening
from loci_sim.furniture import DARK, STEEL, legs, top
from loci_sim.homeware import PAPER
from loci_sim.meshes import Material, MeshBuilder
from loci_sim.smallware import SCREEN

Point = tuple[float, float, float]

#: How far doors open [rad].
RIGHT_ANGLE = float(np.pi / 2)


def _carcass(b: MeshBuilder, low: Point, high: Point, t: float, material: Material, lining: Material) -> None:
    """A box of panels of thickness ``t`` [m] without a front; ``lining`` covers its inside."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    b.box((x0, y0, z0), (x0 + t, y1, z1), material)
    for side in ((y0, y0 + t), (y1 - t, y1)):
        b.box((x0 + t, side[0], z0), (x1, side[1], z1), material)
    b.box((x0 + t, y0 + t, z0), (x1, y1 - t, z0 + t), material)
    b.box((x0 + t, y0 + t, z1 - t), (x1, y1 - t, z1), material)
    # A millimetre before the panels, faces inwards.
    e = t + 0.001
    x0, y0, y1, z0, z1 = x0 + e, y0 + e, y1 - e, z0 + e, z1 - e
    b.polygon([(x0, y0, z0), (x0, y1, z0), (x0, y1, z1), (x0, y0, z1)], lining)
    b.polygon([(x0, y0, z0), (x0, y0, z1), (x1, y0, z1), (x1, y0, z0)][::-1], lining)
    b.polygon([(x0, y1, z0), (x0, y1, z1), (x1, y1, z1), (x1, y1, z0)], lining)
    b.polygon([(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)], lining)


def _leaf(name: str, low: Point, high: Point, hinge: int) -> MovingPart:
    """A door between two corners that hangs at its edge of smallest (``hinge`` -1) or largest (1) y."""
    y = low[1] if hinge < 0 else high[1]
    return MovingPart(name, "hinge", (high[0], y, low[2]), (0.0, 0.0, float(hinge)), RIGHT_ANGLE)


def _drawer(
    name: str, depth: float, low: Point, high: Point, front: Material, inside: Material, handle: float
) -> tuple[MovingPart, Space]:
    """A drawer whose front panel lies between two corners; its tray is ``depth`` long behind it, its handle ``handle`` wide."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    part = MovingPart(name, "slide", low, (1.0, 0.0, 0.0), 0.8 * depth)
    b, back, t, m = part.shape, x0 - depth, 0.008, 0.018
    b.box(low, high, front)
    middle = (y0 + y1) / 2
    b.box((x1, middle - handle / 2, z1 - 0.08), (x1 + 0.014, middle + handle / 2, z1 - 0.06), STEEL)
    rim = z1 - 0.04
    b.box((back, y0 + m, z0 + m), (x0, y1 - m, z0 + m + t), inside)
    b.box((back, y0 + m, z0 + m + t), (back + t, y1 - m, rim), inside)
    for y in (y0 + m, y1 - m - t):
        b.box((back + t, y, z0 + m + t), (x0, y + t, rim), inside)
    space = Space((back + t + 0.005, y0 + m + t, z0 + m + t), (x0 - 0.005, y1 - m - t, z1 - 0.02), name)
    return part, space


@opening("fridge")
def fridge(b: MeshBuilder, look: Look) -> Opening:
    """The upper door opens on three shelves; the freezer below stays shut."""
    height, white = look.rng.uniform(1.65, 1.8), Material((244, 246, 248))
    b.box((-0.33, -0.31, 0.03), (0.275, 0.31, 0.63), look.plain)
    b.box((-0.3, -0.28, 0), (0.24, 0.28, 0.03), DARK)
    b.box((0.275, -0.305, 0.06), (0.33, 0.305, 0.62), look.shade(1.03))
    b.box((0.33, 0.24, 0.42), (0.36, 0.265, 0.6), STEEL)
    _carcass(b, (-0.33, -0.31, 0.63), (0.275, 0.31, height), 0.035, look.plain, white)
    floors = [0.666, *np.linspace(0.666, height - 0.05, 4)[1:3].tolist()]
    for z in floors[1:]:
        b.box((-0.29, -0.272, z - 0.012), (0.23, 0.272, z), Material((206, 222, 230)))
    door = _leaf("door", (0.28, -0.305, 0.64), (0.33, 0.305, height - 0.01), -1)
    door.shape.box((0.28, -0.305, 0.64), (0.33, 0.305, height - 0.01), look.shade(1.03))
    door.shape.box((0.33, 0.24, 0.68), (0.36, 0.265, 1.1), STEEL)
    door.shape.box((0.276, -0.27, 0.68), (0.28, 0.27, height - 0.05), white)
    tops = [*(z - 0.012 for z in floors[1:]), height - 0.04]
    spaces = [Space((-0.26, -0.26, z), (0.22, 0.26, ceiling)) for z, ceiling in zip(floors, tops, strict=True)]
    return Opening([door], spaces)


@opening("wardrobe")
def wardrobe(b: MeshBuilder, look: Look) -> Opening:
    """Two doors: shelves on one side, clothes on a rail on the other."""
    hy, inner = look.rng.uniform(0.55, 0.75), look.shade(1.12)
    _carcass(b, (-0.28, -hy, 0), (0.28, hy, 2.05), 0.02, look.wood, inner)
    b.box((-0.25, -0.01, 0.022), (0.27, 0.01, 2.03), inner)
    floors = [0.022, 0.42, 0.82, 1.22, 1.62]
    for z in floors[1:]:
        b.box((-0.25, -hy + 0.022, z - 0.018), (0.26, -0.01, z), inner)
    b.cylinder((0.0, 1.85), (0.01, hy - 0.02), 0.012, STEEL, axis="y", sides=8)
    for k in range(4):
        y = 0.08 + k * (hy - 0.2) / 4
        b.box((-0.2, y, float(look.rng.uniform(0.75, 1.0))), (0.2, y + 0.05, 1.83), look.any_color())
    parts = []
    for side, name in ((-1, "right_door"), (1, "left_door")):
        y0, y1 = sorted((side * 0.005, side * (hy - 0.005)))
        part = _leaf(name, (0.28, y0, 0.03), (0.298, y1, 2.02), side)
        part.shape.box((0.28, y0, 0.03), (0.298, y1, 2.02), look.shade(0.9))
        part.shape.box((0.298, side * 0.05, 0.95), (0.317, side * 0.07, 1.2), DARK)
        parts.append(part)
    spaces = [Space((-0.24, -hy + 0.03, z), (0.25, -0.02, z + 0.375)) for z in floors]
    return Opening(parts, [*spaces, Space((-0.24, 0.02, 0.022), (0.25, hy - 0.03, 0.7))])


@opening("nightstand")
def nightstand(b: MeshBuilder, look: Look) -> Opening:
    """The upper of two drawers opens."""
    b.box((-0.2, -0.22, 0.08), (0.2, 0.22, 0.29), look.wood)
    _carcass(b, (-0.2, -0.22, 0.29), (0.2, 0.22, 0.5), 0.012, look.wood, look.shade(0.6))
    legs(b, 0.2, 0.22, 0.08, 0.04, DARK)
    b.box((0.2, -0.19, 0.11), (0.212, 0.19, 0.27), look.shade(0.85))
    b.box((0.212, -0.04, 0.19), (0.226, 0.04, 0.21), STEEL)
    part, space = _drawer(
        "drawer", 0.34, (0.2, -0.212, 0.3), (0.212, 0.212, 0.496), look.shade(0.85), look.shade(1.1), 0.08
    )
    return Opening([part], [space], [top(0.2, 0.22, 0.5, 0.02)])


@opening("dresser")
def dresser(b: MeshBuilder, look: Look) -> Opening:
    """The two upper of six drawers open."""
    b.box((-0.22, -0.5, 0.06), (0.22, 0.5, 0.56), look.wood)
    _carcass(b, (-0.22, -0.5, 0.56), (0.22, 0.5, 0.82), 0.014, look.wood, look.shade(0.6))
    b.box((-0.2, -0.01, 0.57), (0.22, 0.01, 0.81), look.wood)
    legs(b, 0.22, 0.5, 0.06, 0.06, DARK)
    parts, spaces = [], []
    for side, name in ((-1, "right_drawer"), (1, "left_drawer")):
        for z in (0.1, 0.34):
            b.box((0.22, side * 0.02, z), (0.234, side * 0.48, z + 0.21), look.shade(0.88))
            b.box((0.234, side * 0.21, z + 0.09), (0.25, side * 0.29, z + 0.11), DARK)
        y0, y1 = sorted((side * 0.012, side * 0.492))
        part, space = _drawer(name, 0.38, (0.22, y0, 0.57), (0.234, y1, 0.816), look.shade(0.88), look.shade(1.1), 0.08)
        parts.append(part)
        spaces.append(space)
    return Opening(parts, spaces, [top(0.22, 0.5, 0.82)])


@opening("filing cabinet")
def filing_cabinet(b: MeshBuilder, look: Look) -> Opening:
    """The uppermost drawer opens."""
    b.box((-0.25, -0.23, 0), (0.25, 0.23, 0.69), look.plain)
    _carcass(b, (-0.25, -0.23, 0.69), (0.25, 0.23, 1.05), 0.012, look.plain, look.shade(0.6))
    for z in (0.05, 0.38):
        b.box((0.25, -0.21, z), (0.262, 0.21, z + 0.3), look.shade(0.88))
        b.box((0.262, -0.06, z + 0.2), (0.28, 0.06, z + 0.22), STEEL)
        b.box((0.262, -0.05, z + 0.24), (0.264, 0.05, z + 0.28), PAPER)
    part, space = _drawer(
        "drawer", 0.44, (0.25, -0.222, 0.7), (0.262, 0.222, 1.046), look.shade(0.88), look.shade(1.15), 0.12
    )
    part.shape.box((0.262, -0.05, 0.85), (0.264, 0.05, 0.89), PAPER)
    return Opening([part], [space], [top(0.25, 0.23, 1.05, 0.03)])


@opening("microwave")
def microwave(b: MeshBuilder, look: Look) -> Opening:
    b.box((-0.17, 0.12, 0.01), (0.17, 0.24, 0.28), look.plain)
    _carcass(b, (-0.17, -0.24, 0.01), (0.17, 0.12, 0.28), 0.02, look.plain, Material((214, 210, 198)))
    for y in (-0.2, 0.2):
        b.box((-0.14, y - 0.02, 0), (0.14, y + 0.02, 0.01), DARK)
    b.box((0.17, 0.14, 0.2), (0.175, 0.22, 0.25), Material((60, 140, 90)))
    door = _leaf("door", (0.17, -0.23, 0.02), (0.185, 0.115, 0.27), -1)
    door.shape.box((0.17, -0.23, 0.02), (0.185, 0.115, 0.27), look.shade(0.8))
    door.shape.box((0.185, -0.2, 0.045), (0.187, 0.07, 0.245), SCREEN)
    door.shape.box((0.185, 0.085, 0.05), (0.205, 0.105, 0.24), STEEL)
    return Opening([door], [Space((-0.14, -0.21, 0.031), (0.16, 0.09, 0.25))])


@opening("safe")
def safe(b: MeshBuilder, look: Look) -> Opening:
    _carcass(b, (-0.22, -0.24, 0), (0.22, 0.24, 0.55), 0.04, look.plain, look.shade(0.6))
    door = _leaf("door", (0.22, -0.235, 0.01), (0.25, 0.235, 0.54), -1)
    door.shape.box((0.22, -0.235, 0.01), (0.25, 0.235, 0.54), look.shade(0.8))
    door.shape.cylinder((0.08, 0.3), (0.25, 0.275), 0.04, STEEL, axis="x")
    return Opening([door], [Space((-0.17, -0.19, 0.042), (0.21, 0.19, 0.5))], [top(0.22, 0.24, 0.55, 0.02)])


@opening("washing machine")
def washing_machine(b: MeshBuilder, look: Look) -> Opening:
    """A round door before a square opening of the drum, which it covers."""
    _front(b, look.plain, 0.3, (0.3, 0.58), 0.14)
    b.box((0.28, -0.28, 0.72), (0.29, 0.28, 0.82), Material((70, 72, 78)))
    b.cylinder((0.2, 0.77), (0.29, 0.31), 0.03, STEEL, axis="x", sides=8)
    door = _leaf("door", (0.285, -0.21, 0.23), (0.31, 0.21, 0.65), -1)
    door.shape.cylinder((0, 0.44), (0.285, 0.31), 0.21, STEEL, axis="x", sides=20)
    door.shape.cylinder((0, 0.44), (0.31, 0.32), 0.15, Material((60, 74, 90)), axis="x")
    return Opening([door], [Space((-0.1, -0.2, 0.25), (0.25, 0.2, 0.6))], [top(0.28, 0.3, 0.85)])


@opening("dryer")
def dryer(b: MeshBuilder, look: Look) -> Opening:
    _front(b, look.plain, 0.3, (0.2, 0.62), 0.19)
    b.box((0.28, -0.28, 0.72), (0.29, 0.28, 0.82), Material((90, 140, 190)))
    door = _leaf("door", (0.282, -0.22, 0.16), (0.297, 0.22, 0.66), -1)
    door.shape.box((0.282, -0.22, 0.16), (0.297, 0.22, 0.66), look.shade(0.85))
    door.shape.box((0.297, 0.15, 0.36), (0.312, 0.18, 0.48), DARK)
    return Opening([door], [Space((-0.1, -0.2, 0.15), (0.25, 0.2, 0.65))], [top(0.28, 0.3, 0.85)])


def _front(b: MeshBuilder, material: Material, half: float, z: tuple[float, float], hole: float) -> None:
    """The body of a machine, 0.56 m deep and 0.85 m high, with a hole in its front and a steel drum behind it."""
    b.box((-0.28, -half, 0.7), (0.28, half, 0.85), material)
    b.box((-0.28, -half, 0), (0.28, half, 0.12), material)
    b.box((-0.28, -half, 0.12), (-0.14, half, 0.7), material)
    for y0, y1 in ((-half, -half + 0.05), (half - 0.05, half)):
        b.box((-0.14, y0, 0.12), (0.28, y1, 0.7), material)
    b.box((0.265, -half + 0.05, 0.12), (0.28, half - 0.05, z[0]), material)
    b.box((0.265, -half + 0.05, z[1]), (0.28, half - 0.05, 0.7), material)
    for y0, y1 in ((-half + 0.05, -hole), (hole, half - 0.05)):
        b.box((0.265, y0, z[0]), (0.28, y1, z[1]), material)
    drum = Material((150, 154, 160))
    low, high = z[0] - 0.05, z[1] + 0.04
    b.box((-0.13, -half + 0.06, low - 0.01), (0.26, half - 0.06, low), drum)
    b.box((-0.13, -half + 0.06, high), (0.26, half - 0.06, high + 0.01), drum)
    b.box((-0.14, -half + 0.06, low), (-0.12, half - 0.06, high), Material((120, 124, 130)))
    for y in (-half + 0.06, half - 0.07):
        b.box((-0.12, y, low), (0.26, y + 0.01, high), drum)


@opening("suitcase")
def suitcase(b: MeshBuilder, look: Look) -> Opening:
    """Stands upright; its front half swings open."""
    _carcass(b, (-0.12, -0.22, 0.04), (0.04, 0.22, 0.62), 0.01, look.plain, Material((196, 184, 164)))
    for side in (-1, 1):
        b.box((-0.03, side * 0.1, 0.62), (0.0, side * 0.08, 0.95), STEEL)
        b.cylinder((0.0, 0.025), (side * 0.18 - 0.02, side * 0.18 + 0.02), 0.025, DARK, axis="y", sides=8)
    b.box((-0.03, -0.1, 0.95), (0.0, 0.1, 0.98), DARK)
    lid = _leaf("lid", (0.041, -0.22, 0.04), (0.12, 0.22, 0.62), -1)
    lid.shape.box((0.041, -0.22, 0.04), (0.12, 0.22, 0.62), look.plain)
    lid.shape.box((0.0405, -0.21, 0.05), (0.041, 0.21, 0.61), Material((196, 184, 164)))
    for y in (-0.12, 0.0, 0.12):
        lid.shape.box((0.12, y - 0.02, 0.08), (0.13, y + 0.02, 0.58), look.shade(0.8))
    return Opening([lid], [Space((-0.1, -0.2, 0.052), (0.035, 0.2, 0.6))])
