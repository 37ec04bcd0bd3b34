"""Builders of things of offices. Front towards +x."""

from __future__ import annotations

from loci_sim.catalogue import Look, Surface, item
from loci_sim.furniture import DARK, STEEL
from loci_sim.homeware import PAPER
from loci_sim.meshes import Material, MeshBuilder
from loci_sim.smallware import SCREEN

PALE = Material((222, 222, 216))


@item("conference table", "brown beige white gray")
def conference_table(b: MeshBuilder, look: Look) -> list[Surface]:
    hy = look.rng.uniform(0.9, 1.05)
    b.box((-0.5, -hy, 0.71), (0.5, hy, 0.75), look.wood)
    for side in (-1, 1):
        b.box((-0.3, side * (hy - 0.3), 0), (0.3, side * (hy - 0.38), 0.71), look.shade(0.7))
    b.box((-0.05, -hy + 0.38, 0.3), (0.05, hy - 0.38, 0.36), look.shade(0.7))
    return [Surface(0.75, (-0.45, -hy + 0.05), (0.45, hy - 0.05))]


@item("reception desk", "brown white gray")
def reception_desk(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((0.14, -0.8, 0), (0.3, 0.8, 1.05), look.wood)
    b.box((0.1, -0.82, 1.05), (0.34, 0.82, 1.09), PALE)
    b.box((-0.35, -0.8, 0.71), (0.14, 0.8, 0.74), look.wood)
    for side in (-1, 1):
        b.box((-0.35, side * 0.8, 0), (0.14, side * 0.76, 0.71), look.wood)
    b.box((0.3, -0.6, 0.45), (0.306, 0.6, 0.75), look.shade(0.75))
    return [Surface(1.09, (0.12, -0.76), (0.32, 0.76)), Surface(0.74, (-0.32, -0.72), (0.08, 0.72), 1.0)]


@item("filing cabinet", "gray black white")
def filing_cabinet(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.25, -0.23, 0), (0.25, 0.23, 1.05), look.plain)
    for k in range(3):
        z = 0.05 + 0.33 * k
        b.box((0.25, -0.21, z), (0.262, 0.21, z + 0.3), look.shade(0.88))
        b.box((0.262, -0.06, z + 0.2), (0.28, 0.06, z + 0.22), STEEL)
        b.box((0.262, -0.05, z + 0.24), (0.264, 0.05, z + 0.28), PAPER)
    return [Surface(1.05, (-0.22, -0.2), (0.22, 0.2))]


@item("file shelf", "gray white brown")
def file_shelf(b: MeshBuilder, look: Look) -> list[Surface]:
    height, levels = 1.6, 4
    b.box((-0.17, -0.42, 0), (-0.155, 0.42, height), look.shade(0.8))
    for side in (-1, 1):
        b.box((-0.17, side * 0.42, 0), (0.17, side * 0.395, height), look.plain)
    step = (height - 0.06) / levels
    for k in range(levels + 1):
        b.box((-0.155, -0.395, 0.03 + k * step), (0.17, 0.395, 0.055 + k * step), look.plain)
    return [Surface(0.055 + k * step, (-0.15, -0.38), (0.16, 0.38), step - 0.04) for k in range(levels)]


@item("partition", "blue gray green red beige")
def partition(b: MeshBuilder, look: Look) -> None:
    """A screen between desks, along y."""
    b.box((-0.02, -0.75, 0.08), (0.02, 0.75, 1.25), look.fabric)
    for y in (-0.7, 0.7):
        b.box((-0.045, y - 0.03, 0), (0.045, y + 0.03, 0.04), DARK)
        b.box((-0.02, y - 0.02, 0.04), (0.02, y + 0.02, 0.08), DARK)


@item("copier", "white gray")
def copier(b: MeshBuilder, look: Look) -> None:
    b.box((-0.3, -0.32, 0.04), (0.28, 0.32, 0.8), look.plain)
    b.box((-0.28, -0.3, 0), (0.26, 0.3, 0.04), DARK)
    for z in (0.1, 0.3, 0.5):
        b.box((0.28, -0.28, z), (0.292, 0.28, z + 0.17), look.shade(0.85))
    b.box((-0.3, -0.32, 0.88), (0.26, 0.24, 1.02), look.shade(0.92))
    b.box((-0.3, -0.3, 0.8), (0.0, 0.3, 0.88), DARK)
    b.box((0.1, 0.24, 0.95), (0.26, 0.34, 1.0), SCREEN)


@item("water cooler", "white blue")
def water_cooler(b: MeshBuilder, look: Look) -> None:
    b.box((-0.16, -0.16, 0), (0.16, 0.16, 0.95), PALE)
    b.box((0.16, -0.1, 0.6), (0.18, 0.1, 0.85), look.shade(0.8))
    b.cylinder((0, 0), (0.95, 1.02), 0.06, Material((130, 180, 220)), top_radius=0.13)
    b.cylinder((0, 0), (1.02, 1.36), 0.13, Material((130, 180, 220)))
    for side, color in ((-1, (60, 90, 200)), (1, (200, 60, 60))):
        b.box((0.18, side * 0.05 - 0.015, 0.72), (0.21, side * 0.05 + 0.015, 0.76), Material(color))


@item("vending machine", "red blue black")
def vending_machine(b: MeshBuilder, look: Look) -> None:
    b.box((-0.36, -0.42, 0.05), (0.34, 0.42, 1.85), look.plain)
    b.box((-0.34, -0.4, 0), (0.32, 0.4, 0.05), DARK)
    b.box((0.34, -0.38, 0.55), (0.345, 0.18, 1.75), SCREEN)
    for z in (0.6, 0.88, 1.16, 1.44):
        for k in range(5):
            y = -0.34 + 0.105 * k
            b.box((0.345, y, z), (0.352, y + 0.07, z + 0.18), look.any_color())
    b.box((0.34, 0.22, 0.9), (0.35, 0.36, 1.4), STEEL)
    b.box((0.34, -0.3, 0.2), (0.346, 0.1, 0.4), DARK)


@item("coat stand", "brown black white")
def coat_stand(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.03), 0.2, look.plain)
    b.cylinder((0, 0), (0.03, 1.7), 0.02, look.wood, sides=8)
    for dx, dy in ((0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)):
        b.box((min(0, dx) - 0.01, min(0, dy) - 0.01, 1.55), (max(0, dx) + 0.01, max(0, dy) + 0.01, 1.57), look.wood)
    b.box((0.02, -0.14, 0.75), (0.12, 0.14, 1.54), look.any_color())


@item("safe", "gray black green")
def safe(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.22, -0.24, 0), (0.22, 0.24, 0.55), look.plain)
    b.box((0.22, -0.21, 0.04), (0.235, 0.21, 0.51), look.shade(0.8))
    b.cylinder((0.08, 0.3), (0.235, 0.26), 0.04, STEEL, axis="x")
    return [Surface(0.55, (-0.2, -0.22), (0.2, 0.22))]


# --- on walls -------------------------------------------------------------------------------------------------------------


@item("whiteboard", "white", "wall")
def whiteboard(b: MeshBuilder, look: Look) -> None:
    b.box((0, -0.7, 0), (0.025, 0.7, 0.9), STEEL)
    sheet = Material((255, 255, 255), f"screen-{int(look.rng.integers(1000))}", (1.34, 0.84))
    b.polygon([(0.026, -0.67, 0.03), (0.026, 0.67, 0.03), (0.026, 0.67, 0.87), (0.026, -0.67, 0.87)], sheet)
    b.box((0.0, -0.3, -0.03), (0.08, 0.3, 0.0), STEEL)


@item("notice board", "brown green blue", "wall")
def notice_board(b: MeshBuilder, look: Look) -> None:
    b.box((0, -0.5, 0), (0.02, 0.5, 0.7), look.shade(0.6))
    b.box((0.02, -0.47, 0.03), (0.022, 0.47, 0.67), look.fabric)
    for k in range(5):
        y, z = -0.36 + 0.18 * k, float(look.rng.uniform(0.08, 0.36))
        paper = Material((255, 255, 255), f"screen-{int(look.rng.integers(1000))}", (0.14, 0.2))
        b.polygon(
            [(0.023, y - 0.07, z), (0.023, y + 0.07, z), (0.023, y + 0.07, z + 0.2), (0.023, y - 0.07, z + 0.2)], paper
        )


@item("fire extinguisher", "red", "wall")
def fire_extinguisher(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0.1, 0), (0, 0.4), 0.08, look.plain)
    b.cylinder((0.1, 0), (0.4, 0.46), 0.08, look.plain, top_radius=0.03)
    b.box((0.07, -0.02, 0.46), (0.17, 0.02, 0.52), DARK)
    b.box((0, -0.04, 0.2), (0.03, 0.04, 0.3), STEEL)
    b.box((0.178, -0.04, 0.15), (0.182, 0.04, 0.28), PAPER)


@item("sign", "green blue", "wall")
def sign(b: MeshBuilder, look: Look) -> None:
    b.box((0, -0.2, 0), (0.03, 0.2, 0.18), look.plain)
    b.box((0.03, -0.14, 0.075), (0.032, 0.06, 0.105), PAPER)
    b.polygon([(0.032, 0.06, 0.04), (0.032, 0.15, 0.09), (0.032, 0.06, 0.14)], PAPER)


@item("screen", "black", "wall")
def wall_screen(b: MeshBuilder, look: Look) -> None:
    b.box((0, -0.75, 0), (0.05, 0.75, 0.86), look.plain)
    sheet = Material((255, 255, 255), f"screen-{int(look.rng.integers(1000))}", (1.44, 0.8))
    b.polygon([(0.051, -0.72, 0.03), (0.051, 0.72, 0.03), (0.051, 0.72, 0.83), (0.051, -0.72, 0.83)], sheet)


# --- on desks -------------------------------------------------------------------------------------------------------------


@item("file", "red blue green black yellow", "surface")
def file(b: MeshBuilder, look: Look) -> None:
    """A binder that stands upright, its spine to the front."""
    b.box((-0.14, -0.035, 0), (0.14, 0.035, 0.31), look.plain)
    b.box((0.14, -0.025, 0.16), (0.1405, 0.025, 0.28), PAPER)
    b.cylinder((0.0, 0.06), (0.14, 0.1405), 0.014, DARK, axis="x", sides=8)


@item("stapler", "black red blue", "surface")
def stapler(b: MeshBuilder, look: Look) -> None:
    b.box((-0.065, -0.018, 0), (0.065, 0.018, 0.015), DARK)
    b.box((-0.065, -0.016, 0.03), (0.06, 0.016, 0.05), look.plain)
    b.box((-0.065, -0.016, 0.015), (-0.03, 0.016, 0.03), look.plain)


@item("computer mouse", "black white gray", "surface")
def computer_mouse(b: MeshBuilder, look: Look) -> None:
    b.box((-0.05, -0.03, 0), (0.05, 0.03, 0.018), look.plain)
    b.ball((-0.012, 0, 0.018), 0.03, look.shade(1.05), squash=0.6, sides=8)
    b.box((0.02, -0.004, 0.018), (0.04, 0.004, 0.026), Material((120, 120, 126)))


@item("telephone", "black white red", "surface")
def telephone(b: MeshBuilder, look: Look) -> None:
    b.box((-0.09, -0.09, 0), (0.09, 0.09, 0.05), look.plain)
    b.box((-0.1, -0.08, 0.06), (0.1, -0.035, 0.09), look.shade(0.7))
    for x in (-0.085, 0.06):
        b.box((x, -0.075, 0.045), (x + 0.025, -0.04, 0.062), look.shade(0.7))
    b.box((-0.05, -0.01, 0.05), (0.04, 0.07, 0.052), PAPER)


@item("pen cup", "black blue red green", "surface")
def pen_cup(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.09), 0.036, look.plain, sides=10)
    for x, y, color in ((0.012, 0.01, (200, 40, 40)), (-0.014, 0.006, (40, 70, 180)), (0.002, -0.018, (40, 130, 70))):
        b.cylinder((x, y), (0.08, 0.14), 0.005, Material(color), sides=6)


@item("paper tray", "black gray blue", "surface")
def paper_tray(b: MeshBuilder, look: Look) -> None:
    for z in (0.0, 0.07):
        b.box((-0.16, -0.12, z), (0.16, 0.12, z + 0.008), look.plain)
        b.box((-0.14, -0.105, z + 0.008), (0.15, 0.105, z + 0.03), PAPER)
    for side in (-1, 1):
        b.box((-0.16, side * 0.12, 0), (0.1, side * 0.112, 0.1), look.plain)


@item("calculator", "black gray", "surface")
def calculator(b: MeshBuilder, look: Look) -> None:
    b.box((-0.06, -0.038, 0), (0.06, 0.038, 0.016), look.plain)
    b.box((0.03, -0.03, 0.016), (0.054, 0.03, 0.018), Material((150, 176, 150)))
    b.polygon(
        [(-0.052, -0.032, 0.0165), (0.022, -0.032, 0.0165), (0.022, 0.032, 0.0165), (-0.052, 0.032, 0.0165)],
        Material((210, 210, 210), "keys", (0.25, 0.25)),
    )


@item("projector", "white black", "surface")
def projector(b: MeshBuilder, look: Look) -> None:
    b.box((-0.13, -0.15, 0.01), (0.13, 0.15, 0.1), look.plain)
    b.cylinder((0.07, 0.055), (0.13, 0.15), 0.035, SCREEN, axis="x")
    for y in (-0.12, 0.12):
        b.box((-0.1, y - 0.015, 0), (0.1, y + 0.015, 0.01), DARK)


@item("notebook", "red blue green black yellow", "surface")
def notebook(b: MeshBuilder, look: Look) -> None:
    b.box((-0.07, -0.05, 0), (0.07, 0.05, 0.014), look.plain)
    b.box((-0.068, 0.05, 0.003), (0.068, 0.052, 0.011), PAPER)
    b.box((-0.04, -0.045, 0.014), (0.05, -0.035, 0.022), DARK)
