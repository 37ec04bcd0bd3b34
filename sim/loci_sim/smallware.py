"""Builders of things that rest on furniture or hang on walls. Front towards +x.

Wall things have their back at their smallest x and z = 0 at their lower edge; how high they hang is decided by the furnisher.
"""

from __future__ import annotations

import numpy as np

from loci_sim.catalogue import Look, Surface, item
from loci_sim.furniture import CERAMIC, DARK, STEEL
from loci_sim.meshes import Material, MeshBuilder

SCREEN = Material((26, 30, 40))
GOLD = Material((190, 150, 70))


@item("tv", "black", "surface")
def tv(b: MeshBuilder, look: Look) -> None:
    hy = look.rng.uniform(0.46, 0.55)
    b.box((-0.1, -0.2, 0), (0.1, 0.2, 0.02), look.plain)
    b.box((-0.03, -0.05, 0.02), (0.0, 0.05, 0.1), look.plain)
    b.box((-0.03, -hy, 0.08), (0.015, hy, 0.7), look.plain)
    b.box((0.015, -hy + 0.02, 0.1), (0.018, hy - 0.02, 0.68), Material((34, 42, 60)))


@item("vase", "blue red orange white purple", "surface")
def vase(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.12), 0.045, look.plain, top_radius=0.07)
    b.cylinder((0, 0), (0.12, 0.2), 0.07, look.plain, top_radius=0.035)
    b.cylinder((0, 0), (0.2, 0.23), 0.035, look.plain, top_radius=0.05)
    for k, color in enumerate(((230, 70, 80), (240, 200, 70), (230, 150, 190))):
        x, y = 0.05 * np.cos(2.1 * k), 0.05 * np.sin(2.1 * k)
        b.cylinder((x * 0.6, y * 0.6), (0.2, 0.36), 0.006, Material((60, 120, 60)), sides=5)
        b.ball((x * 0.6, y * 0.6, 0.37), 0.032, Material(color), sides=7)


@item("pillow", "white red yellow blue green pink", "surface")
def pillow(b: MeshBuilder, look: Look) -> None:
    cloth = look.fabric
    b.box((-0.15, -0.21, 0.03), (0.15, 0.21, 0.1), cloth)
    b.box((-0.19, -0.25, 0.05), (0.19, 0.25, 0.08), cloth)
    b.box((-0.12, -0.17, 0), (0.12, 0.17, 0.13), look.shade(1.05))


@item("book", "red blue green brown purple orange", "surface")
def book(b: MeshBuilder, look: Look) -> None:
    """A lying stack of one to three books, the top one in the main colour."""
    z, n = 0.0, int(look.rng.integers(1, 4))
    for k in range(n):
        thickness, half = look.rng.uniform(0.025, 0.04), look.rng.uniform(0.0, 0.01)
        cover = look.plain if k == n - 1 else look.any_color()
        b.box((-0.12 + half, -0.085, z), (0.12 - half, 0.085, z + thickness), cover)
        b.box((-0.115 + half, 0.08, z + 0.004), (0.115 - half, 0.088, z + thickness - 0.004), CERAMIC)
        z += thickness


@item("books", "red blue green brown purple orange", "surface", category="book")
def books(b: MeshBuilder, look: Look) -> None:
    """An upright row on a shelf, its spines to the front; the main colour comes first."""
    y = -0.28
    while y < 0.2:
        thickness, height = look.rng.uniform(0.025, 0.05), look.rng.uniform(0.2, 0.27)
        b.box((-0.09, y, 0), (0.08, y + thickness, height), look.plain if y < -0.1 else look.any_color())
        y += thickness + 0.002


@item("mug", "red yellow blue green orange white", "surface")
def mug(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.1), 0.043, look.plain)
    b.cylinder((0, 0), (0.1, 0.101), 0.036, Material((60, 36, 22)))
    for z in (0.025, 0.07):
        b.box((-0.01, 0.04, z), (0.01, 0.075, z + 0.012), look.plain)
    b.box((-0.01, 0.063, 0.025), (0.01, 0.075, 0.082), look.plain)


@item("bowl", "blue green orange red white", "surface")
def bowl(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.02), 0.06, look.plain)
    b.cylinder((0, 0), (0.02, 0.09), 0.07, look.plain, top_radius=0.13)
    for k, color in enumerate(((200, 50, 44), (230, 150, 40), (120, 170, 60))):
        b.ball((0.05 * np.cos(2.1 * k), 0.05 * np.sin(2.1 * k), 0.1), 0.04, Material(color), sides=8)


@item("plate", "white blue yellow", "surface")
def plate(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.02), 0.08, look.plain, top_radius=0.13)
    b.cylinder((0, 0), (0.02, 0.06), 0.07, Material((216, 170, 96)), top_radius=0.05)


@item("bottle", "green red brown blue", "surface")
def bottle(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.18), 0.038, look.plain, sides=10)
    b.cylinder((0, 0), (0.18, 0.23), 0.038, look.plain, top_radius=0.014, sides=10)
    b.cylinder((0, 0), (0.23, 0.29), 0.014, DARK, sides=8)
    b.cylinder((0, 0), (0.06, 0.13), 0.0385, CERAMIC, sides=10)


@item("table lamp", "white yellow pink blue", "surface", category="lamp")
def table_lamp(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.02), 0.07, GOLD)
    b.cylinder((0, 0), (0.02, 0.22), 0.014, GOLD, sides=8)
    b.cylinder((0, 0), (0.2, 0.38), 0.12, look.plain, top_radius=0.08)


@item("alarm clock", "red black blue", "surface", classic="clock")
def alarm_clock(b: MeshBuilder, look: Look) -> None:
    b.box((-0.03, -0.07, 0), (0.03, 0.07, 0.1), look.plain)
    b.box((0.03, -0.058, 0.02), (0.032, 0.058, 0.09), Material((230, 232, 220)))


@item("laptop", "gray black", "surface")
def laptop(b: MeshBuilder, look: Look) -> None:
    b.box((-0.12, -0.17, 0), (0.12, 0.17, 0.018), look.plain)
    b.polygon(
        [(-0.05, -0.15, 0.019), (0.11, -0.15, 0.019), (0.11, 0.15, 0.019), (-0.05, 0.15, 0.019)],
        Material((60, 60, 66), "keys", (0.3, 0.3)),
    )
    b.box((-0.12, -0.17, 0.018), (-0.108, 0.17, 0.24), look.plain, tilt=0.25)
    b.box((-0.1075, -0.155, 0.03), (-0.106, 0.155, 0.23), Material((90, 140, 200)), tilt=0.25)


@item("monitor", "black gray", "surface")
def monitor(b: MeshBuilder, look: Look) -> None:
    b.box((-0.1, -0.12, 0), (0.08, 0.12, 0.015), look.plain)
    b.box((-0.06, -0.03, 0.015), (-0.04, 0.03, 0.2), look.plain)
    b.box((-0.04, -0.28, 0.1), (0.0, 0.28, 0.44), look.plain)
    b.box((0.0, -0.265, 0.12), (0.002, 0.265, 0.425), Material((60, 110, 150)))


@item("keyboard", "black white gray", "surface")
def keyboard(b: MeshBuilder, look: Look) -> None:
    b.box((-0.07, -0.21, 0), (0.07, 0.21, 0.02), look.plain)
    b.polygon(
        [(-0.06, -0.2, 0.0205), (0.06, -0.2, 0.0205), (0.06, 0.2, 0.0205), (-0.06, 0.2, 0.0205)],
        Material(look.color, "keys", (0.25, 0.25)),
    )


@item("printer", "white gray black", "surface")
def printer(b: MeshBuilder, look: Look) -> None:
    b.box((-0.18, -0.22, 0), (0.18, 0.22, 0.22), look.plain)
    b.box((-0.14, -0.18, 0.22), (0.08, 0.18, 0.25), look.shade(0.7))
    b.box((0.18, -0.16, 0.05), (0.24, 0.16, 0.06), DARK)
    b.box((-0.2, -0.12, 0.22), (-0.18, 0.12, 0.34), CERAMIC)


@item("microwave", "white black gray red", "surface")
def microwave(b: MeshBuilder, look: Look) -> None:
    b.box((-0.17, -0.24, 0.01), (0.17, 0.24, 0.28), look.plain)
    for y in (-0.2, 0.2):
        b.box((-0.14, y - 0.02, 0), (0.14, y + 0.02, 0.01), DARK)
    b.box((0.17, -0.22, 0.04), (0.18, 0.1, 0.25), SCREEN)
    b.box((0.18, 0.09, 0.05), (0.2, 0.11, 0.24), STEEL)
    b.box((0.17, 0.14, 0.2), (0.175, 0.22, 0.25), Material((60, 140, 90)))


@item("toaster", "gray red yellow", "surface")
def toaster(b: MeshBuilder, look: Look) -> None:
    b.box((-0.09, -0.14, 0.01), (0.09, 0.14, 0.19), look.plain)
    b.box((-0.08, -0.13, 0), (0.08, 0.13, 0.01), DARK)
    for x in (-0.035, 0.035):
        b.box((x - 0.012, -0.11, 0.19), (x + 0.012, 0.11, 0.192), DARK)
        b.box((x - 0.01, -0.08, 0.192), (x + 0.01, 0.08, 0.225), Material((200, 150, 90)))
    b.box((-0.015, 0.14, 0.1), (0.015, 0.165, 0.12), DARK)


@item("kettle", "red gray white blue", "surface")
def kettle(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.02), 0.09, DARK)
    b.cylinder((0, 0), (0.02, 0.2), 0.085, look.plain, top_radius=0.06)
    b.ball((0, 0, 0.2), 0.055, look.shade(0.8), squash=0.5)
    b.box((-0.015, 0.08, 0.06), (0.015, 0.12, 0.08), DARK)
    b.box((-0.015, 0.06, 0.19), (0.015, 0.12, 0.21), DARK)
    b.box((-0.015, 0.105, 0.06), (0.015, 0.12, 0.2), DARK)
    b.box((-0.015, -0.11, 0.15), (0.015, -0.06, 0.18), look.plain)


@item("pot", "gray red black", "surface")
def pot(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.13), 0.11, look.plain)
    b.cylinder((0, 0), (0.13, 0.145), 0.112, look.shade(0.8), top_radius=0.08)
    b.ball((0, 0, 0.155), 0.018, DARK, sides=6)
    for side in (-1, 1):
        b.box((-0.03, side * 0.105, 0.09), (0.03, side * 0.15, 0.105), DARK)


@item("teddy bear", "brown beige", "surface")
def teddy_bear(b: MeshBuilder, look: Look) -> None:
    b.ball((0, 0, 0.1), 0.1, look.plain)
    b.ball((0.01, 0, 0.25), 0.075, look.plain)
    b.ball((0.075, 0, 0.235), 0.03, look.shade(1.3), sides=7)
    for side in (-1, 1):
        b.ball((0, side * 0.06, 0.315), 0.028, look.shade(0.8), sides=7)
        b.ball((0.1, side * 0.08, 0.045), 0.045, look.shade(0.9), sides=7)
        b.ball((0.05, side * 0.11, 0.15), 0.038, look.shade(0.9), sides=7)


@item("basket", "beige brown", "surface")
def basket(b: MeshBuilder, look: Look) -> None:
    wicker = Material(look.color, "weave", (0.12, 0.12))
    b.cylinder((0, 0), (0, 0.12), 0.1, wicker, top_radius=0.13)
    for side in (-1, 1):
        b.box((-0.01, side * 0.12, 0.1), (0.01, side * 0.135, 0.17), wicker)


@item("soap dispenser", "green pink blue orange", "surface")
def soap_dispenser(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.13), 0.035, look.plain, sides=10)
    b.cylinder((0, 0), (0.13, 0.18), 0.01, CERAMIC, sides=6)
    b.box((-0.01, -0.01, 0.17), (0.05, 0.01, 0.185), CERAMIC)


@item("picture", "black brown white", "wall")
def picture(b: MeshBuilder, look: Look) -> None:
    hy, height = look.rng.uniform(0.25, 0.42), look.rng.uniform(0.4, 0.6)
    b.box((0, -hy, 0), (0.025, hy, height), look.plain)
    _sheet(
        b, 0.0255, hy - 0.03, 0.03, height - 0.03, Material((255, 255, 255), f"painting-{int(look.rng.integers(1000))}")
    )


@item("mirror", "blue", "wall")
def mirror(b: MeshBuilder, look: Look) -> None:
    """Reflects nothing: its glass is a pale blue, as a depth camera's failure would be no help to a first simulator."""
    b.box((0, -0.3, 0), (0.02, 0.3, 0.75), GOLD)
    _sheet(b, 0.0205, 0.27, 0.03, 0.72, Material((150, 190, 222)))


@item("wall clock", "white yellow red", "wall", classic="clock")
def wall_clock(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0.17), (0, 0.035), 0.17, DARK, axis="x", sides=18)
    b.cylinder((0, 0.17), (0.035, 0.037), 0.155, look.plain, axis="x", sides=18)
    _sheet(b, 0.038, 0.11, 0.06, 0.28, Material(look.color, "dial"))


@item("window", "white", "wall")
def window(b: MeshBuilder, look: Look) -> list[Surface]:
    """An opaque pane of sky in a frame; its sill is too narrow to carry anything."""
    hy, height = look.rng.uniform(0.5, 0.7), 1.2
    frame = Material((240, 240, 238))
    b.box((0, -hy, 0), (0.03, hy, height), frame)
    for y0, y1 in ((-hy + 0.05, -0.025), (0.025, hy - 0.05)):
        sky, ground = Material((168, 206, 238)), Material((126, 164, 110))
        b.polygon(
            [(0.0305, y0, 0.45), (0.0305, y1, 0.45), (0.0305, y1, height - 0.05), (0.0305, y0, height - 0.05)], sky
        )
        b.polygon([(0.0305, y0, 0.05), (0.0305, y1, 0.05), (0.0305, y1, 0.45), (0.0305, y0, 0.45)], ground)
    b.box((0, -hy - 0.05, -0.03), (0.09, hy + 0.05, 0.0), frame)
    return []


@item("towel", "red blue green orange pink", "wall")
def towel(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0.05, 0.62), (-0.3, 0.3), 0.012, STEEL, axis="y", sides=8)
    for side in (-1, 1):
        b.box((0, side * 0.3, 0.605), (0.06, side * 0.28, 0.635), STEEL)
    b.box((0.03, -0.2, 0.0), (0.045, 0.2, 0.64), look.fabric)
    b.box((0.055, -0.2, 0.12), (0.07, 0.2, 0.64), look.fabric)
    b.box((0.03, -0.2, 0.63), (0.07, 0.2, 0.645), look.fabric)


@item("coat rack", "brown black white", "wall")
def coat_rack(b: MeshBuilder, look: Look) -> None:
    b.box((0, -0.4, 0.75), (0.025, 0.4, 0.87), look.wood)
    for k in range(4):
        y = -0.3 + 0.2 * k
        b.box((0.025, y - 0.01, 0.8), (0.1, y + 0.01, 0.82), STEEL)
    for k, color in ((0, (60, 90, 140)), (2, (170, 60, 56)), (3, (70, 110, 80))):
        y = -0.3 + 0.2 * k
        b.box((0.03, y - 0.1, 0.05 + 0.04 * k), (0.13, y + 0.1, 0.8), Material(color, "fabric", (0.3, 0.3)))


@item("radiator", "white", "wall")
def radiator(b: MeshBuilder, look: Look) -> None:
    for k in range(10):
        y = -0.45 + 0.09 * k
        b.box((0.02, y, 0), (0.09, y + 0.07, 0.5), look.plain)
    b.box((0, -0.43, 0.06), (0.07, 0.43, 0.1), look.shade(0.9))
    b.box((0, -0.43, 0.4), (0.07, 0.43, 0.44), look.shade(0.9))


def _sheet(b: MeshBuilder, x: float, half_y: float, z0: float, z1: float, material: Material) -> None:
    """One rectangle facing +x that its texture fills once."""
    fitted = Material(material.color, material.texture, (2 * half_y, z1 - z0))
    b.polygon([(x, -half_y, z0), (x, half_y, z0), (x, half_y, z1), (x, -half_y, z1)], fitted)
