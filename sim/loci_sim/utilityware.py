"""Builders of things of laundries, pantries, garages, storage rooms and second bathrooms. Front towards +x."""

from __future__ import annotations

import numpy as np

from loci_sim.catalogue import Look, Surface, item
from loci_sim.furniture import CERAMIC, DARK, STEEL
from loci_sim.homeware import CARDBOARD, PAPER, RUBBER, shelf_of
from loci_sim.meshes import Material, MeshBuilder
from loci_sim.smallware import GOLD, SCREEN


@item("storage rack", "gray blue brown")
def storage_rack(b: MeshBuilder, look: Look) -> list[Surface]:
    half = look.rng.uniform(0.42, 0.5)
    return shelf_of(b, look, 0.21, half, (0.14, 0.52, 0.9, 1.28, 1.66), look.plain)


@item("workbench", "brown beige")
def workbench(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.3, -0.7, 0.82), (0.3, 0.7, 0.88), look.wood)
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.box((sx * 0.28, sy * 0.66, 0), (sx * 0.2, sy * 0.58, 0.82), look.shade(0.8))
    b.box((-0.28, -0.66, 0.2), (0.26, 0.66, 0.24), look.wood)
    b.box((0.22, 0.4, 0.88), (0.32, 0.56, 0.98), Material((60, 90, 150)))
    b.box((0.25, 0.46, 0.98), (0.29, 0.5, 1.0), STEEL)
    return [Surface(0.88, (-0.27, -0.66), (0.18, 0.34))]


@item("bicycle", "red blue green black")
def bicycle(b: MeshBuilder, look: Look) -> None:
    """Long side along y, leaning at the wall behind it."""
    for y in (-0.52, 0.52):
        for k in range(28):
            angle = 2 * np.pi * k / 28
            b.ball((0, y + 0.3 * np.cos(angle), 0.335 + 0.3 * np.sin(angle)), 0.035, RUBBER, sides=5)
        b.cylinder((0, 0.335), (y - 0.004, y + 0.004), 0.05, STEEL, axis="y", sides=8)
    for (y0, z0), (y1, z1) in (
        ((-0.52, 0.33), (-0.1, 0.32)), ((-0.52, 0.33), (-0.2, 0.75)), ((-0.1, 0.32), (-0.22, 0.85)),
        ((-0.1, 0.32), (0.38, 0.78)), ((-0.2, 0.75), (0.38, 0.82)), ((0.52, 0.33), (0.36, 0.95)),
    ):  # fmt: skip
        _bar(b, (y0, z0), (y1, z1), 0.018, look.plain)
    b.box((-0.06, -0.32, 0.85), (0.06, -0.12, 0.9), DARK)
    b.box((-0.24, 0.33, 0.95), (0.24, 0.37, 0.98), DARK)


def _bar(b: MeshBuilder, start: tuple[float, float], end: tuple[float, float], half: float, material: Material) -> None:
    """A straight bar in the plane x = 0 between two points (y, z)."""
    (y0, z0), (y1, z1) = start, end
    along = np.array([y1 - y0, z1 - z0])
    n = np.array([-along[1], along[0]]) / np.linalg.norm(along) * half
    for x, sign in ((half, 1), (-half, -1)):
        corners = [
            (x, y0 - n[0], z0 - n[1]),
            (x, y1 - n[0], z1 - n[1]),
            (x, y1 + n[0], z1 + n[1]),
            (x, y0 + n[0], z0 + n[1]),
        ]
        b.polygon(corners[::sign], material)
    for s in (-1, 1):
        corners = [
            (-half, y0 + s * n[0], z0 + s * n[1]), (half, y0 + s * n[0], z0 + s * n[1]),
            (half, y1 + s * n[0], z1 + s * n[1]), (-half, y1 + s * n[0], z1 + s * n[1]),
        ]  # fmt: skip
        b.polygon(corners[::s], material)


@item("ladder", "gray yellow brown")
def ladder(b: MeshBuilder, look: Look) -> None:
    for side in (-1, 1):
        b.box((-0.03, side * 0.22, 0), (0.03, side * 0.18, 1.9), look.plain)
    for k in range(7):
        b.box((-0.02, -0.18, 0.2 + 0.25 * k), (0.02, 0.18, 0.24 + 0.25 * k), STEEL)


@item("tire", "black")
def tire(b: MeshBuilder, look: Look) -> None:
    """A pile of tires."""
    for k in range(int(look.rng.integers(1, 4))):
        b.cylinder((0, 0), (0.2 * k, 0.2 * k + 0.19), 0.31, look.plain, sides=16)
        b.cylinder((0, 0), (0.2 * k + 0.19, 0.2 * k + 0.2), 0.18, STEEL, sides=12)


@item("cardboard box", "brown beige")
def cardboard_box(b: MeshBuilder, look: Look) -> list[Surface]:
    hx, hy, height = look.rng.uniform((0.16, 0.2, 0.25), (0.22, 0.28, 0.42)).tolist()
    b.box((-hx, -hy, 0), (hx, hy, height), Material(CARDBOARD.color, "concrete", (0.5, 0.5)))
    b.box((-0.03, -hy, height), (0.03, hy, height + 0.002), Material((214, 190, 150)))
    return [Surface(height + 0.002, (-hx + 0.03, -hy + 0.03), (hx - 0.03, hy - 0.03))]


@item("crate", "red blue green yellow")
def crate(b: MeshBuilder, look: Look) -> None:
    for z in (0.02, 0.14):
        for side in (-1, 1):
            b.box((-0.18, side * 0.25, z), (0.18, side * 0.235, z + 0.1), look.plain)
            b.box((side * 0.18, -0.25, z), (side * 0.165, 0.25, z + 0.1), look.plain)
    b.box((-0.17, -0.24, 0), (0.17, 0.24, 0.02), look.shade(0.7))
    for k in range(6):
        x, y = -0.1 + 0.1 * (k % 3), -0.12 + 0.24 * (k // 3)
        b.cylinder((x, y), (0.02, 0.27), 0.035, Material((70, 120, 80)), sides=8)


@item("suitcase", "red blue black green purple")
def suitcase(b: MeshBuilder, look: Look) -> None:
    b.box((-0.12, -0.22, 0.04), (0.12, 0.22, 0.62), look.plain)
    for y in (-0.12, 0.0, 0.12):
        b.box((0.12, y - 0.02, 0.08), (0.13, y + 0.02, 0.58), look.shade(0.8))
    for side in (-1, 1):
        b.box((-0.03, side * 0.1, 0.62), (0.0, side * 0.08, 0.95), STEEL)
        b.cylinder((0.0, 0.025), (side * 0.18 - 0.02, side * 0.18 + 0.02), 0.025, DARK, axis="y", sides=8)
    b.box((-0.03, -0.1, 0.95), (0.0, 0.1, 0.98), DARK)


@item("vacuum cleaner", "red blue gray")
def vacuum_cleaner(b: MeshBuilder, look: Look) -> None:
    b.box((-0.2, -0.13, 0.03), (0.15, 0.13, 0.24), look.plain)
    b.ball((0.12, 0, 0.15), 0.12, look.shade(0.8))
    b.cylinder((0.24, 0.0), (0.03, 0.9), 0.018, STEEL, sides=8)
    b.box((0.16, -0.14, 0), (0.32, 0.14, 0.04), DARK)


@item("bucket", "blue red green yellow")
def bucket(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.28), 0.11, look.plain, top_radius=0.15)
    b.cylinder((0, 0), (0.28, 0.281), 0.135, Material((130, 170, 190)))
    b.cylinder((-0.05, 0.05), (0.28, 0.95), 0.012, Material((200, 160, 100)), sides=6)
    b.ball((-0.05, 0.05, 0.28), 0.09, PAPER, squash=0.5)


@item("drying rack", "white gray")
def drying_rack(b: MeshBuilder, look: Look) -> None:
    for y in (-0.5, 0.5):
        b.box((-0.22, y - 0.012, 0), (-0.2, y + 0.012, 0.95), look.plain)
        b.box((0.2, y - 0.012, 0), (0.22, y + 0.012, 0.95), look.plain)
    for k in range(6):
        x = -0.2 + 0.08 * k
        b.box((x - 0.006, -0.5, 0.94), (x + 0.006, 0.5, 0.955), look.plain)
    for k in range(3):
        x, y = -0.2 + 0.16 * k, float(look.rng.uniform(-0.25, 0.2))
        b.box((x - 0.01, y - 0.2, 0.45), (x + 0.012, y + 0.2, 0.957), look.any_color())


@item("ironing board", "blue green red")
def ironing_board(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.17, -0.55, 0.82), (0.17, 0.45, 0.86), look.fabric)
    b.box((-0.1, 0.45, 0.82), (0.1, 0.62, 0.86), look.fabric)
    for y0, y1 in ((-0.4, 0.4), (0.4, -0.4)):
        for x in (-0.12, 0.1):
            for k in range(8):
                t0, t1 = k / 8, (k + 1) / 8
                ya, yb = sorted((y0 + (y1 - y0) * t0, y0 + (y1 - y0) * t1))
                b.box((x, ya, 0.82 * t0), (x + 0.02, yb, 0.82 * t1 + 0.01), STEEL)
    return [Surface(0.86, (-0.15, -0.5), (0.15, 0.4))]


@item("dryer", "white gray")
def dryer(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.28, -0.3, 0), (0.28, 0.3, 0.85), look.plain)
    b.box((0.28, -0.22, 0.16), (0.295, 0.22, 0.66), look.shade(0.85))
    b.box((0.295, 0.15, 0.36), (0.31, 0.18, 0.48), DARK)
    b.box((0.28, -0.28, 0.72), (0.29, 0.28, 0.82), Material((90, 140, 190)))
    return [Surface(0.85, (-0.24, -0.26), (0.24, 0.26))]


@item("shower", "white blue")
def shower(b: MeshBuilder, look: Look) -> None:
    """A tray, two walls of glass that are too thin to hide it, and a shower head."""
    b.box((-0.42, -0.42, 0), (0.42, 0.42, 0.1), CERAMIC)
    b.box((-0.42, 0.4, 0.1), (0.42, 0.42, 1.9), Material((176, 206, 214)))
    b.box((-0.42, -0.42, 0.1), (0.42, -0.4, 1.9), Material((176, 206, 214)))
    b.box((-0.42, -0.02, 0.8), (-0.4, 0.02, 2.0), STEEL)
    b.box((-0.42, -0.02, 1.96), (-0.18, 0.02, 2.0), STEEL)
    b.cylinder((-0.18, 0), (1.92, 1.96), 0.09, STEEL)
    b.box((-0.42, -0.08, 1.0), (-0.36, 0.08, 1.05), GOLD)


@item("scale", "white black blue")
def scale(b: MeshBuilder, look: Look) -> None:
    b.box((-0.15, -0.15, 0), (0.15, 0.15, 0.028), look.plain)
    b.box((0.05, -0.05, 0.028), (0.11, 0.05, 0.029), SCREEN)


@item("heater", "white gray")
def heater(b: MeshBuilder, look: Look) -> None:
    b.box((-0.12, -0.24, 0), (0.12, 0.24, 0.05), DARK)
    for k in range(6):
        b.box((-0.06, -0.22 + 0.075 * k, 0.05), (0.06, -0.16 + 0.075 * k, 0.55), look.plain)


# --- small ----------------------------------------------------------------------------------------------------------------


@item("toolbox", "red blue yellow", "surface")
def toolbox(b: MeshBuilder, look: Look) -> None:
    b.box((-0.1, -0.2, 0), (0.1, 0.2, 0.16), look.plain)
    b.box((-0.1, -0.2, 0.16), (0.1, 0.2, 0.18), DARK)
    for side in (-1, 1):
        b.box((-0.012, side * 0.09, 0.18), (0.012, side * 0.07, 0.22), DARK)
        b.box((0.1, side * 0.13, 0.12), (0.106, side * 0.09, 0.19), STEEL)
    b.box((-0.012, -0.09, 0.22), (0.012, 0.09, 0.24), DARK)


@item("paint can", "white red blue green", "surface")
def paint_can(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.13), 0.065, STEEL)
    b.cylinder((0, 0), (0.03, 0.1), 0.0655, look.plain)
    b.cylinder((0, 0), (0.13, 0.138), 0.06, look.shade(0.9))


@item("hammer", "brown red", "surface")
def hammer(b: MeshBuilder, look: Look) -> None:
    b.box((-0.14, -0.014, 0.004), (0.12, 0.014, 0.026), look.wood)
    b.box((0.1, -0.055, 0), (0.135, 0.05, 0.032), STEEL)


@item("drill", "yellow blue red", "surface")
def drill(b: MeshBuilder, look: Look) -> None:
    b.box((-0.05, -0.04, 0), (0.03, 0.04, 0.05), DARK)
    b.box((-0.035, -0.025, 0.05), (0.015, 0.025, 0.15), look.plain)
    b.box((-0.06, -0.03, 0.15), (0.08, 0.03, 0.21), look.plain)
    b.cylinder((0, 0.18), (0.08, 0.12), 0.018, DARK, axis="x", sides=8)
    b.cylinder((0, 0.18), (0.12, 0.19), 0.005, STEEL, axis="x", sides=6)


@item("flashlight", "black red yellow", "surface")
def flashlight(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0.025), (-0.07, 0.03), 0.016, look.plain, axis="x", sides=10)
    b.cylinder((0, 0.025), (0.03, 0.07), 0.018, look.plain, top_radius=0.025, axis="x", sides=10)
    b.cylinder((0, 0.025), (0.07, 0.072), 0.022, Material((250, 240, 190)), axis="x", sides=10)


@item("tape", "brown blue yellow", "surface")
def tape(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.048), 0.052, look.plain)
    b.cylinder((0, 0), (0.048, 0.049), 0.036, CARDBOARD)


@item("flower pot", "orange brown white", "surface")
def flower_pot(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.09), 0.045, look.plain, top_radius=0.062)
    for k in range(5):
        x, y = 0.03 * np.cos(1.26 * k), 0.03 * np.sin(1.26 * k)
        b.ball((x, y, 0.11 + 0.01 * (k % 2)), 0.03, Material((70, 130 + 10 * (k % 3), 60)), sides=6)
