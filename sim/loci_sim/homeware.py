"""Builders of small things of kitchens, living rooms, bathrooms and children's rooms. Front towards +x; most are under 15 cm."""

from __future__ import annotations

import numpy as np

from loci_sim.catalogue import Look, Surface, item
from loci_sim.furniture import CERAMIC, DARK, STEEL
from loci_sim.meshes import Material, MeshBuilder
from loci_sim.smallware import GOLD, SCREEN

PAPER = Material((244, 242, 234))
LEAF = Material((70, 130, 60))
CARDBOARD = Material((188, 148, 100))
RUBBER = Material((40, 40, 44))


# --- kitchen --------------------------------------------------------------------------------------------------------------


@item("glass", "blue white green", "surface")
def glass(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.12), 0.03, look.shade(1.1), top_radius=0.038, sides=10)
    b.cylinder((0, 0), (0.12, 0.121), 0.032, look.shade(0.7), sides=10)


@item("jar", "red orange green brown purple", "surface")
def jar(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.1), 0.04, look.plain, sides=12)
    b.cylinder((0, 0), (0.1, 0.125), 0.042, GOLD, sides=12)
    b.cylinder((0, 0), (0.03, 0.075), 0.0405, PAPER, sides=12)


@item("can", "red blue green yellow", "surface")
def can(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.008), 0.033, STEEL, sides=12)
    b.cylinder((0, 0), (0.008, 0.107), 0.034, look.plain, sides=12)
    b.cylinder((0, 0), (0.107, 0.115), 0.033, STEEL, sides=12)
    b.cylinder((0, 0), (0.05, 0.07), 0.0345, CERAMIC, sides=12)


@item("apple", "red green yellow", "surface")
def apple(b: MeshBuilder, look: Look) -> None:
    b.ball((0, 0, 0.04), 0.042, look.plain, squash=0.92)
    b.box((-0.003, -0.003, 0.07), (0.003, 0.003, 0.095), Material((90, 60, 40)))
    b.box((0.0, 0.0, 0.084), (0.02, 0.008, 0.088), LEAF)


@item("banana", "yellow", "surface")
def banana(b: MeshBuilder, look: Look) -> None:
    for k in range(3):
        y = -0.025 + 0.025 * k
        for i in range(5):
            x = -0.07 + 0.035 * i
            b.ball((x, y, 0.02 + 6.0 * x * x), 0.02, look.shade(0.95 + 0.03 * k), sides=6)
    b.box((-0.09, -0.01, 0.05), (-0.07, 0.01, 0.075), DARK)


@item("lemon", "yellow", "surface")
def lemon(b: MeshBuilder, look: Look) -> None:
    b.ball((0, 0, 0.03), 0.033, look.plain, squash=0.9)
    for side in (-1, 1):
        b.ball((0, side * 0.034, 0.03), 0.01, look.shade(0.9), sides=6)


@item("salt shaker", "white blue red", "surface")
def salt_shaker(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.07), 0.024, look.plain, top_radius=0.018, sides=10)
    b.cylinder((0, 0), (0.07, 0.09), 0.02, STEEL, top_radius=0.014, sides=10)


@item("teapot", "white blue green red", "surface")
def teapot(b: MeshBuilder, look: Look) -> None:
    b.ball((0, 0, 0.07), 0.085, look.plain, squash=0.82)
    b.ball((0, 0, 0.145), 0.014, look.shade(0.8), sides=6)
    b.cylinder((0, 0), (0.12, 0.135), 0.05, look.shade(0.85))
    b.box((-0.012, 0.075, 0.06), (0.012, 0.14, 0.085), look.plain)
    b.box((-0.012, 0.12, 0.06), (0.012, 0.14, 0.12), look.plain)
    b.box((-0.01, -0.13, 0.04), (0.01, -0.115, 0.12), look.plain)
    for z in (0.04, 0.105):
        b.box((-0.01, -0.13, z), (0.01, -0.07, z + 0.015), look.plain)


@item("frying pan", "black gray red", "surface")
def frying_pan(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.045), 0.105, look.plain, top_radius=0.13)
    b.cylinder((0, 0), (0.045, 0.046), 0.115, DARK)
    b.box((-0.012, 0.12, 0.03), (0.012, 0.3, 0.045), DARK)


@item("knife block", "brown black", "surface")
def knife_block(b: MeshBuilder, look: Look) -> None:
    b.box((-0.06, -0.05, 0), (0.06, 0.05, 0.19), look.wood)
    for k in range(4):
        y = -0.036 + 0.024 * k
        b.box((-0.03, y - 0.007, 0.19), (-0.005, y + 0.007, 0.27 - 0.012 * k), DARK)


@item("cutting board", "brown beige green", "surface")
def cutting_board(b: MeshBuilder, look: Look) -> None:
    b.box((-0.12, -0.17, 0), (0.12, 0.17, 0.02), look.wood)
    b.ball((0.02, 0.06, 0.045), 0.03, Material((200, 60, 50)), sides=8)
    b.box((-0.06, -0.1, 0.02), (-0.04, 0.02, 0.026), STEEL)


@item("coffee machine", "black gray red white", "surface")
def coffee_machine(b: MeshBuilder, look: Look) -> None:
    b.box((-0.14, -0.12, 0), (0.14, 0.12, 0.04), look.plain)
    b.box((-0.14, -0.12, 0.04), (-0.02, 0.12, 0.34), look.plain)
    b.box((-0.02, -0.12, 0.24), (0.12, 0.12, 0.34), look.shade(0.9))
    b.cylinder((0.06, 0), (0.04, 0.14), 0.05, Material((70, 44, 30)))
    b.box((0.12, -0.08, 0.27), (0.125, 0.08, 0.32), SCREEN)


@item("paper towel", "white", "surface")
def paper_towel(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.015), 0.08, STEEL)
    b.cylinder((0, 0), (0.015, 0.255), 0.06, look.plain)
    b.cylinder((0, 0), (0.255, 0.3), 0.01, STEEL, sides=8)


@item("cereal box", "yellow red blue orange", "surface")
def cereal_box(b: MeshBuilder, look: Look) -> None:
    b.box((-0.035, -0.1, 0), (0.035, 0.1, 0.3), look.plain)
    b.box((0.035, -0.08, 0.17), (0.036, 0.08, 0.27), CERAMIC)
    b.cylinder((0.0, 0.1), (0.035, 0.037), 0.05, Material((220, 170, 90)), axis="x")


@item("milk carton", "white blue", "surface")
def milk_carton(b: MeshBuilder, look: Look) -> None:
    b.box((-0.035, -0.035, 0), (0.035, 0.035, 0.19), look.plain)
    b.cylinder((0, 0), (0.19, 0.23), 0.045, look.shade(0.9), top_radius=0.012, sides=4)
    b.box((0.035, -0.03, 0.04), (0.036, 0.03, 0.14), Material((60, 110, 190)))


@item("sponge", "yellow green pink", "surface")
def sponge(b: MeshBuilder, look: Look) -> None:
    b.box((-0.035, -0.05, 0), (0.035, 0.05, 0.028), look.fabric)
    b.box((-0.035, -0.05, 0.028), (0.035, 0.05, 0.038), LEAF)


@item("candle", "red white orange purple", "surface")
def candle(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.012), 0.045, GOLD)
    b.cylinder((0, 0), (0.012, 0.11), 0.03, look.plain, sides=12)
    b.box((-0.002, -0.002, 0.11), (0.002, 0.002, 0.125), DARK)
    b.ball((0, 0, 0.13), 0.008, Material((250, 200, 80)), squash=1.4, sides=6)


# --- living room ----------------------------------------------------------------------------------------------------------


@item("remote control", "black gray", "surface")
def remote_control(b: MeshBuilder, look: Look) -> None:
    b.box((-0.07, -0.022, 0), (0.07, 0.022, 0.02), look.plain)
    for k in range(5):
        for side in (-1, 1):
            b.box(
                (-0.055 + 0.022 * k, side * 0.006, 0.02),
                (-0.043 + 0.022 * k, side * 0.016, 0.023),
                Material((200, 200, 200)),
            )
    b.cylinder((0.058, 0), (0.02, 0.024), 0.006, Material((200, 40, 40)), sides=6)


@item("phone", "black white blue", "surface")
def phone(b: MeshBuilder, look: Look) -> None:
    b.box((-0.07, -0.036, 0), (0.07, 0.036, 0.01), look.plain)
    b.box((-0.064, -0.032, 0.01), (0.064, 0.032, 0.011), Material((70, 120, 180)))


@item("photo frame", "black brown white red", "surface")
def photo_frame(b: MeshBuilder, look: Look) -> None:
    b.box((-0.01, -0.07, 0), (0.005, 0.07, 0.19), look.plain, tilt=0.15)
    picture = Material((255, 255, 255), f"painting-{int(look.rng.integers(1000))}", (0.11, 0.15))
    b.polygon([(0.004, -0.055, 0.02), (0.004, 0.055, 0.02), (-0.018, 0.055, 0.17), (-0.018, -0.055, 0.17)], picture)
    b.box((-0.08, -0.01, 0), (-0.07, 0.01, 0.05), look.plain)


@item("speaker", "black white brown", "surface")
def speaker(b: MeshBuilder, look: Look) -> None:
    b.box((-0.08, -0.08, 0), (0.08, 0.08, 0.27), look.plain)
    for z, radius in ((0.09, 0.06), (0.2, 0.035)):
        b.cylinder((0, z), (0.08, 0.084), radius, Material((90, 90, 96)), axis="x")


@item("globe", "blue", "surface")
def globe(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.02), 0.08, Material((120, 80, 50)))
    b.cylinder((0, 0), (0.02, 0.06), 0.012, GOLD, sides=8)
    b.ball((0, 0, 0.18), 0.12, look.plain)
    for x, y, z in ((0.09, 0.05, 0.2), (0.08, -0.06, 0.16), (-0.09, 0.05, 0.18)):
        b.ball((x, y, z), 0.045, LEAF, sides=7)


@item("game console", "white black", "surface")
def game_console(b: MeshBuilder, look: Look) -> None:
    b.box((-0.12, -0.15, 0), (0.12, 0.15, 0.05), look.plain)
    b.box((0.12, -0.1, 0.02), (0.122, 0.05, 0.028), DARK)
    b.box((-0.02, 0.04, 0.05), (0.04, 0.13, 0.075), look.shade(0.6))


@item("key ring", "red blue green", "surface")
def key_ring(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.006), 0.018, GOLD, sides=10)
    b.box((0.0, -0.012, 0), (0.06, 0.012, 0.012), look.plain)
    for y in (-0.03, 0.0, 0.03):
        b.box((-0.07, y - 0.008, 0), (-0.015, y + 0.008, 0.005), STEEL)


@item("wallet", "brown black red", "surface")
def wallet(b: MeshBuilder, look: Look) -> None:
    b.box((-0.045, -0.055, 0), (0.045, 0.055, 0.022), look.fabric)
    b.box((-0.03, 0.055, 0.006), (0.03, 0.058, 0.016), PAPER)


@item("hat", "red blue black beige", "surface")
def hat(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.012), 0.14, look.fabric)
    b.cylinder((0, 0), (0.012, 0.12), 0.085, look.fabric, top_radius=0.07)
    b.cylinder((0, 0), (0.014, 0.035), 0.087, DARK)


# --- bathroom and laundry -------------------------------------------------------------------------------------------------


@item("soap", "pink green white yellow", "surface")
def soap(b: MeshBuilder, look: Look) -> None:
    b.box((-0.032, -0.048, 0), (0.032, 0.048, 0.012), CERAMIC)
    b.ball((0, 0, 0.024), 0.034, look.plain, squash=0.5)


@item("toothbrush cup", "blue green pink white", "surface")
def toothbrush_cup(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.085), 0.034, look.plain, sides=10)
    for y, color in ((-0.015, (210, 60, 60)), (0.015, (60, 90, 200))):
        b.box((-0.004, y - 0.004, 0.06), (0.004, y + 0.004, 0.145), Material(color))
        b.box((-0.004, y - 0.004, 0.125), (0.014, y + 0.004, 0.148), CERAMIC)


@item("toilet paper", "white", "surface")
def toilet_paper(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.1), 0.055, look.plain)
    b.cylinder((0, 0), (0.1, 0.101), 0.02, CARDBOARD, sides=8)


@item("hair dryer", "black red purple", "surface")
def hair_dryer(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0.05), (-0.1, 0.1), 0.042, look.plain, top_radius=0.03, axis="x")
    b.box((-0.06, 0.03, 0.008), (-0.02, 0.16, 0.05), look.shade(0.8))


@item("detergent", "blue orange green purple", "surface")
def detergent(b: MeshBuilder, look: Look) -> None:
    b.box((-0.05, -0.09, 0), (0.05, 0.09, 0.2), look.plain)
    b.cylinder((0, -0.04), (0.2, 0.26), 0.03, CERAMIC, sides=10)
    b.box((0.05, -0.06, 0.05), (0.051, 0.06, 0.14), CERAMIC)


@item("iron", "blue purple white", "surface")
def iron(b: MeshBuilder, look: Look) -> None:
    b.box((-0.1, -0.055, 0), (0.06, 0.055, 0.02), STEEL)
    b.box((0.06, -0.03, 0), (0.12, 0.03, 0.02), STEEL)
    b.box((-0.1, -0.045, 0.02), (0.06, 0.045, 0.07), look.plain)
    b.box((-0.1, -0.015, 0.11), (0.06, 0.015, 0.135), look.shade(0.7))
    for x in (-0.1, 0.035):
        b.box((x, -0.015, 0.07), (x + 0.025, 0.015, 0.11), look.shade(0.7))


# --- children's room ------------------------------------------------------------------------------------------------------


@item("toy car", "red blue yellow green", "surface")
def toy_car(b: MeshBuilder, look: Look) -> None:
    b.box((-0.06, -0.028, 0.012), (0.06, 0.028, 0.038), look.plain)
    b.box((-0.035, -0.024, 0.038), (0.025, 0.024, 0.062), Material((150, 190, 220)))
    for x in (-0.036, 0.036):
        b.cylinder((x, 0.015), (-0.032, 0.032), 0.015, DARK, axis="y", sides=8)


@item("toy block", "red blue yellow green", "surface")
def toy_block(b: MeshBuilder, look: Look) -> None:
    b.box((-0.025, -0.025, 0), (0.025, 0.025, 0.05), look.plain)
    for sign in (-1, 1):
        b.box((sign * 0.025, -0.015, 0.01), (sign * 0.0255, 0.015, 0.04), CERAMIC)


@item("ball", "red blue yellow orange green", "surface")
def ball(b: MeshBuilder, look: Look) -> None:
    b.ball((0, 0, 0.07), 0.07, look.plain, sides=12)
    b.cylinder((0, 0), (0.062, 0.078), 0.0705, CERAMIC, sides=12)


@item("doll", "pink purple blue", "surface")
def doll(b: MeshBuilder, look: Look) -> None:
    skin = Material((232, 190, 160))
    b.cylinder((0, 0), (0, 0.14), 0.07, look.plain, top_radius=0.025)
    b.ball((0, 0, 0.175), 0.04, skin, sides=8)
    b.ball((-0.012, 0, 0.19), 0.04, Material((120, 70, 30)), sides=8)
    for side in (-1, 1):
        b.box((-0.01, side * 0.025, 0.11), (0.01, side * 0.075, 0.128), skin)


@item("toy train", "red green blue", "surface")
def toy_train(b: MeshBuilder, look: Look) -> None:
    for x0, x1, height in ((0.06, 0.16, 0.09), (-0.05, 0.05, 0.06), (-0.16, -0.06, 0.06)):
        b.box((x0, -0.03, 0.018), (x1, 0.03, height), look.plain if height > 0.08 else look.any_color())
        for x in (x0 + 0.025, x1 - 0.025):
            b.cylinder((x, 0.016), (-0.034, 0.034), 0.016, DARK, axis="y", sides=8)
    b.cylinder((0.14, 0), (0.09, 0.12), 0.012, DARK, sides=8)


@item("rubber duck", "yellow", "surface")
def rubber_duck(b: MeshBuilder, look: Look) -> None:
    b.ball((0, 0, 0.03), 0.042, look.plain, squash=0.72, sides=8)
    b.ball((0.02, 0, 0.07), 0.025, look.plain, sides=8)
    b.box((0.04, -0.01, 0.063), (0.056, 0.01, 0.072), Material((226, 126, 38)))


@item("crayons", "red blue green", "surface")
def crayons(b: MeshBuilder, look: Look) -> None:
    b.box((-0.02, -0.035, 0), (0.02, 0.035, 0.075), look.plain)
    for k, color in enumerate(((200, 40, 40), (240, 200, 50), (60, 140, 70), (50, 90, 180))):
        b.cylinder((0.0, -0.024 + 0.016 * k), (0.07, 0.1), 0.006, Material(color), top_radius=0.003, sides=6)


@item("toy box", "red blue yellow green", "floor")
def toy_box(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.22, -0.35, 0), (0.22, 0.35, 0.4), look.wood)
    b.box((-0.23, -0.36, 0.4), (0.23, 0.36, 0.43), look.shade(0.8))
    for k, color in enumerate(((220, 60, 60), (240, 200, 60), (70, 140, 200))):
        b.cylinder((-0.2 + 0.2 * k, 0.2), (0.22, 0.225), 0.06, Material(color), axis="x")
    return [Surface(0.43, (-0.2, -0.33), (0.2, 0.33))]


@item("doll house", "pink white yellow", "floor")
def doll_house(b: MeshBuilder, look: Look) -> None:
    b.box((-0.15, -0.3, 0), (0.15, 0.3, 0.45), look.plain)
    roof = Material((170, 60, 56))
    for x, order in ((0.16, 1), (-0.16, -1)):
        b.polygon([(x, -0.34, 0.45), (x, 0.34, 0.45), (x, 0.0, 0.66)][::order], roof)
    for side in (-1, 1):
        slope = [(-0.16, side * 0.34, 0.45), (-0.16, 0.0, 0.66), (0.16, 0.0, 0.66), (0.16, side * 0.34, 0.45)]
        b.polygon(slope[::side], roof)
    for y in (-0.16, 0.12):
        for z in (0.08, 0.27):
            b.box((0.15, y - 0.06, z), (0.152, y + 0.06, z + 0.11), Material((110, 160, 210)))


@item("easel", "brown white", "floor")
def easel(b: MeshBuilder, look: Look) -> None:
    for side in (-1, 1):
        b.box((-0.02, side * 0.3, 0), (0.02, side * 0.26, 1.1), look.wood)
        b.box((-0.3, side * 0.2, 0), (-0.26, side * 0.17, 0.6), look.wood)
    b.box((-0.28, -0.2, 0.5), (0.0, 0.2, 0.53), look.wood)
    sheet = Material((255, 255, 255), f"painting-{int(look.rng.integers(1000))}", (0.56, 0.55))
    b.box((-0.01, -0.28, 0.5), (0.015, 0.28, 1.05), CERAMIC)
    b.polygon([(0.016, -0.28, 0.5), (0.016, 0.28, 0.5), (0.016, 0.28, 1.05), (0.016, -0.28, 1.05)], sheet)


@item("bunk bed", "white brown blue", "floor")
def bunk_bed(b: MeshBuilder, look: Look) -> list[Surface]:
    """Two beds one above the other, heads towards -x, long side along x."""
    for x in (-1.0, 0.95):
        for y in (-0.45, 0.4):
            b.box((x, y, 0), (x + 0.05, y + 0.05, 1.6), look.wood)
    for z, cloth in ((0.3, look.any_color()), (1.15, look.any_color())):
        b.box((-0.97, -0.42, z - 0.1), (0.97, 0.42, z), look.wood)
        b.box((-0.94, -0.4, z), (0.94, 0.4, z + 0.12), CERAMIC)
        b.box((-0.35, -0.41, z + 0.02), (0.94, 0.41, z + 0.15), Material(cloth.color, "fabric", (0.3, 0.3)))
    b.box((-0.95, -0.44, 1.35), (0.95, -0.42, 1.45), look.wood)
    for k in range(4):
        b.box((0.55, 0.43, 0.3 + 0.25 * k), (0.95, 0.46, 0.34 + 0.25 * k), look.wood)
    return [Surface(0.42, (-0.92, -0.38), (-0.38, 0.38), 0.5)]


@item("balloon", "red blue yellow", "wall")
def balloon(b: MeshBuilder, look: Look) -> None:
    """A bunch of three that hangs on a wall."""
    for y, z, color in ((-0.14, 0.5, look.plain), (0.0, 0.62, look.any_color()), (0.14, 0.5, look.any_color())):
        b.ball((0.13, y, z), 0.12, color, squash=1.15, sides=10)
        b.box((0.128, y * 0.5 - 0.002, 0), (0.132, y * 0.5 + 0.002, z - 0.12), PAPER)
    b.box((0.0, -0.01, 0.0), (0.14, 0.01, 0.02), DARK)


def shelf_of(
    b: MeshBuilder, look: Look, depth: float, half: float, levels: tuple[float, ...], material: Material
) -> list[Surface]:
    """Posts and open boards at the heights of ``levels`` [m], all usable; the highest has nothing above it."""
    top = levels[-1] + 0.02
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.box((sx * depth, sy * half, 0), (sx * (depth - 0.03), sy * (half - 0.03), top), look.shade(0.8))
    for z in levels:
        b.box((-depth + 0.005, -half + 0.005, z - 0.02), (depth - 0.005, half - 0.005, z), material)
    gaps = [*np.diff(np.array(levels)).tolist(), 0.7]
    return [
        Surface(z, (-depth + 0.04, -half + 0.05), (depth - 0.02, half - 0.05), gap - 0.04)
        for z, gap in zip(levels, gaps, strict=True)
    ]
