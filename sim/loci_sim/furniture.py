"""Builders of things that stand on the floor. Front towards +x; each adds its polygons and returns its usable surfaces.

Sizes are typical for the thing, with a little seeded variation.
"""

from __future__ import annotations

from loci_sim.catalogue import Look, Surface, item
from loci_sim.meshes import Material, MeshBuilder

STEEL = Material((176, 180, 184))
DARK = Material((46, 46, 50))
CERAMIC = Material((240, 240, 236))
PALE_WOOD = Material((196, 160, 112), "grain", (0.7, 0.7))
WATER = Material((150, 190, 205))


def legs(b: MeshBuilder, half_x: float, half_y: float, height: float, thickness: float, material: Material) -> None:
    """Four square legs with their outer edges at +-half_x, +-half_y."""
    for sx in (-1, 1):
        for sy in (-1, 1):
            b.box(
                (sx * half_x, sy * half_y, 0), (sx * (half_x - thickness), sy * (half_y - thickness), height), material
            )


def top(half_x: float, half_y: float, z: float, margin: float = 0.04) -> Surface:
    return Surface(z, (-half_x + margin, -half_y + margin), (half_x - margin, half_y - margin))


@item("sofa", "red blue gray green beige purple")
def sofa(b: MeshBuilder, look: Look) -> list[Surface]:
    w = look.rng.uniform(0.92, 1.05)
    cloth = look.fabric
    b.box((-0.43, -w, 0.06), (0.43, w, 0.30), cloth)
    b.box((-0.43, -w, 0.06), (-0.20, w, 0.82), cloth)
    for side in (-1, 1):
        b.box((-0.43, side * w, 0.06), (0.43, side * (w - 0.18), 0.60), look.shade(0.9))
        b.box((-0.20, side * 0.01, 0.30), (0.45, side * (w - 0.19), 0.45), look.shade(1.06))
    legs(b, 0.40, w - 0.03, 0.06, 0.06, DARK)
    return [Surface(0.45, (-0.18, -w + 0.22), (0.40, w - 0.22))]


@item("armchair", "orange green blue yellow gray pink")
def armchair(b: MeshBuilder, look: Look) -> list[Surface]:
    cloth = look.fabric
    b.box((-0.38, -0.40, 0.10), (0.38, 0.40, 0.44), cloth)
    b.box((-0.38, -0.40, 0.10), (-0.20, 0.40, 0.90), cloth)
    for side in (-1, 1):
        b.box((-0.38, side * 0.40, 0.10), (0.36, side * 0.26, 0.62), look.shade(0.85))
    legs(b, 0.36, 0.38, 0.10, 0.05, DARK)
    return [Surface(0.44, (-0.16, -0.22), (0.34, 0.22))]


@item("coffee table", "brown white black beige")
def coffee_table(b: MeshBuilder, look: Look) -> list[Surface]:
    hx, hy = look.rng.uniform(0.27, 0.32), look.rng.uniform(0.45, 0.55)
    b.box((-hx, -hy, 0.38), (hx, hy, 0.42), look.wood)
    b.box((-hx + 0.05, -hy + 0.05, 0.14), (hx - 0.05, hy - 0.05, 0.16), look.wood)
    legs(b, hx, hy, 0.38, 0.05, look.wood)
    return [top(hx, hy, 0.42)]


@item("tv stand", "brown black white")
def tv_stand(b: MeshBuilder, look: Look) -> list[Surface]:
    hy = look.rng.uniform(0.65, 0.8)
    b.box((-0.2, -hy, 0.05), (0.2, hy, 0.48), look.wood)
    for k in (-1, 0, 1):
        y = k * hy * 2 / 3
        b.box((0.2, y - hy / 3 + 0.02, 0.09), (0.212, y + hy / 3 - 0.02, 0.44), look.shade(0.8))
        b.box((0.212, y - 0.05, 0.25), (0.224, y + 0.05, 0.27), STEEL)
    b.box((-0.17, -hy + 0.05, 0.0), (0.15, hy - 0.05, 0.05), DARK)
    return [top(0.2, hy, 0.48)]


@item("bookshelf", "brown white beige black")
def bookshelf(b: MeshBuilder, look: Look) -> list[Surface]:
    hy, height, levels = look.rng.uniform(0.38, 0.46), 1.85, 5
    wood = look.wood
    b.box((-0.15, -hy, 0), (-0.135, hy, height), look.shade(0.75))
    for side in (-1, 1):
        b.box((-0.15, side * hy, 0), (0.15, side * (hy - 0.025), height), wood)
    step = (height - 0.06) / levels
    for k in range(levels + 1):
        b.box((-0.135, -hy + 0.025, 0.03 + k * step), (0.15, hy - 0.025, 0.055 + k * step), wood)
    return [Surface(0.055 + k * step, (-0.13, -hy + 0.03), (0.14, hy - 0.03), step - 0.04) for k in range(levels)]


@item("floor lamp", "yellow white orange red", category="lamp")
def floor_lamp(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.03), 0.14, DARK)
    b.cylinder((0, 0), (0.03, 1.32), 0.014, DARK, sides=8)
    b.cylinder((0, 0), (1.28, 1.58), 0.2, look.plain, top_radius=0.13)


@item("plant", "green")
def plant(b: MeshBuilder, look: Look) -> None:
    pot = Material(((176, 92, 60), (230, 228, 220), (70, 80, 100))[int(look.rng.integers(3))])
    height = look.rng.uniform(0.8, 1.15)
    b.cylinder((0, 0), (0, 0.28), 0.12, pot, top_radius=0.17)
    b.cylinder((0, 0), (0.28, 0.29), 0.15, Material((62, 44, 30)))
    b.cylinder((0, 0), (0.28, height - 0.25), 0.02, Material((96, 72, 44)), sides=6)
    for k in range(7):
        x, y = look.rng.uniform(-0.09, 0.09, 2)
        z = 0.45 + (height - 0.6) * k / 6
        b.ball((x, y, z), look.rng.uniform(0.11, 0.16), look.shade(look.rng.uniform(0.75, 1.2)), squash=0.8, sides=7)


@item("rug", "red blue gray beige green purple")
def rug(b: MeshBuilder, look: Look) -> None:
    hx, hy = look.rng.uniform(0.6, 0.75), look.rng.uniform(0.9, 1.1)
    b.box((-hx, -hy, 0), (hx, hy, 0.01), look.plain)
    pattern = Material(look.color, "rug", (2 * hx, 2 * hy))
    b.polygon([(-hx, -hy, 0.011), (hx, -hy, 0.011), (hx, hy, 0.011), (-hx, hy, 0.011)], pattern)


@item("bath mat", "blue green pink orange")
def bath_mat(b: MeshBuilder, look: Look) -> None:
    b.box((-0.25, -0.36, 0), (0.25, 0.36, 0.018), Material(look.color, "weave", (0.3, 0.3)))


@item("bed", "blue white green red purple")
def bed(b: MeshBuilder, look: Look) -> list[Surface]:
    hy = look.rng.choice([0.72, 0.82])
    frame = Material((136, 92, 56), "grain", (0.7, 0.7))
    b.box((-1.05, -hy, 0), (-1.0, hy, 0.95), frame)
    b.box((-1.0, -hy, 0.08), (1.02, hy, 0.28), frame)
    b.box((-1.0, -hy + 0.03, 0.28), (1.0, hy - 0.03, 0.46), CERAMIC)
    b.box((-0.45, -hy + 0.005, 0.26), (1.01, hy - 0.005, 0.49), look.fabric)
    b.box((-0.45, -hy + 0.004, 0.40), (-0.15, hy - 0.004, 0.495), look.shade(1.15))
    return [Surface(0.46, (-0.98, -hy + 0.08), (-0.48, hy - 0.08))]


@item("nightstand", "brown white beige")
def nightstand(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.2, -0.22, 0.08), (0.2, 0.22, 0.5), look.wood)
    legs(b, 0.2, 0.22, 0.08, 0.04, DARK)
    for z in (0.11, 0.31):
        b.box((0.2, -0.19, z), (0.212, 0.19, z + 0.16), look.shade(0.85))
        b.box((0.212, -0.04, z + 0.07), (0.226, 0.04, z + 0.09), STEEL)
    return [top(0.2, 0.22, 0.5, 0.02)]


@item("wardrobe", "brown white beige gray")
def wardrobe(b: MeshBuilder, look: Look) -> None:
    hy = look.rng.uniform(0.55, 0.75)
    b.box((-0.28, -hy, 0), (0.28, hy, 2.05), look.wood)
    for side in (-1, 1):
        b.box((0.28, side * 0.01, 0.08), (0.296, side * (hy - 0.02), 2.0), look.shade(0.9))
        b.box((0.296, side * 0.05, 0.95), (0.315, side * 0.07, 1.2), DARK)


@item("dresser", "white brown beige")
def dresser(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.22, -0.5, 0.06), (0.22, 0.5, 0.82), look.wood)
    legs(b, 0.22, 0.5, 0.06, 0.06, DARK)
    for z in (0.1, 0.34, 0.58):
        for side in (-1, 1):
            b.box((0.22, side * 0.02, z), (0.234, side * 0.48, z + 0.21), look.shade(0.88))
            b.box((0.234, side * 0.21, z + 0.09), (0.25, side * 0.29, z + 0.11), DARK)
    return [top(0.22, 0.5, 0.82)]


@item("desk", "brown white black beige")
def desk(b: MeshBuilder, look: Look) -> list[Surface]:
    hy = look.rng.uniform(0.6, 0.7)
    b.box((-0.32, -hy, 0.71), (0.32, hy, 0.74), look.wood)
    b.box((-0.30, -hy, 0), (-0.27, hy, 0.71), look.shade(0.7))
    b.box((-0.30, hy - 0.38, 0.12), (0.30, hy, 0.71), look.wood)
    for z in (0.15, 0.34, 0.53):
        b.box((0.30, hy - 0.36, z), (0.312, hy - 0.02, z + 0.16), look.shade(0.8))
        b.box((0.312, hy - 0.24, z + 0.07), (0.324, hy - 0.14, z + 0.09), STEEL)
    b.box((-0.3, -hy, 0), (0.3, -hy + 0.04, 0.71), look.wood)
    return [top(0.32, hy, 0.74)]


@item("office chair", "black gray blue red")
def office_chair(b: MeshBuilder, look: Look) -> None:
    b.box((-0.26, -0.025, 0.04), (0.26, 0.025, 0.08), DARK)
    b.box((-0.025, -0.26, 0.04), (0.025, 0.26, 0.08), DARK)
    for x, y in ((-0.24, 0), (0.24, 0), (0, -0.24), (0, 0.24)):
        b.ball((x, y, 0.025), 0.025, DARK, sides=6)
    b.cylinder((0, 0), (0.06, 0.42), 0.025, STEEL, sides=8)
    b.box((-0.23, -0.23, 0.42), (0.24, 0.23, 0.49), look.fabric)
    b.box((-0.26, -0.21, 0.56), (-0.21, 0.21, 0.98), look.fabric)
    b.box((-0.25, -0.03, 0.42), (-0.22, 0.03, 0.6), DARK)


@item("chair", "brown white red blue yellow")
def chair(b: MeshBuilder, look: Look) -> None:
    b.box((-0.2, -0.2, 0.43), (0.2, 0.2, 0.46), look.wood)
    legs(b, 0.2, 0.2, 0.43, 0.035, look.wood)
    for side in (-1, 1):
        b.box((-0.2, side * 0.2, 0.46), (-0.165, side * 0.165, 0.9), look.wood)
    for z in (0.6, 0.76):
        b.box((-0.195, -0.165, z), (-0.17, 0.165, z + 0.1), look.wood)


@item("dining table", "brown beige white")
def dining_table(b: MeshBuilder, look: Look) -> list[Surface]:
    hx, hy = look.rng.uniform(0.38, 0.42), look.rng.uniform(0.58, 0.7)
    b.box((-hx, -hy, 0.71), (hx, hy, 0.75), look.wood)
    b.box((-hx + 0.06, -hy + 0.06, 0.63), (hx - 0.06, hy - 0.06, 0.71), look.shade(0.8))
    legs(b, hx - 0.02, hy - 0.02, 0.71, 0.06, look.wood)
    return [top(hx, hy, 0.75)]


@item("counter", "white gray beige brown")
def counter(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.26, -0.45, 0), (0.25, 0.45, 0.1), DARK)
    b.box((-0.3, -0.45, 0.1), (0.28, 0.45, 0.86), look.plain)
    b.box((-0.3, -0.45, 0.86), (0.3, 0.45, 0.9), Material((84, 80, 78), "plaster", (0.4, 0.4)))
    for side in (-1, 1):
        b.box((0.28, side * 0.01, 0.13), (0.293, side * 0.44, 0.66), look.shade(0.92))
        b.box((0.28, side * 0.01, 0.69), (0.293, side * 0.44, 0.84), look.shade(0.92))
        b.box((0.293, side * 0.14, 0.77), (0.308, side * 0.3, 0.785), STEEL)
        b.box((0.293, side * 0.05, 0.5), (0.308, side * 0.065, 0.62), STEEL)
    return [top(0.3, 0.45, 0.9)]


@item("stove", "white black gray")
def stove(b: MeshBuilder, look: Look) -> None:
    b.box((-0.3, -0.3, 0), (0.28, 0.3, 0.88), look.plain)
    b.box((-0.3, -0.3, 0.88), (0.3, 0.3, 0.9), DARK)
    for x in (-0.13, 0.14):
        for y in (-0.14, 0.14):
            b.cylinder((x, y), (0.9, 0.908), 0.09, Material((96, 40, 36)))
            b.cylinder((x, y), (0.908, 0.914), 0.055, DARK)
    b.box((0.28, -0.25, 0.2), (0.296, 0.25, 0.62), DARK)
    b.box((0.296, -0.22, 0.65), (0.325, 0.22, 0.67), STEEL)
    for k in range(5):
        b.cylinder((-0.2 + 0.1 * k, 0.79), (0.28, 0.31), 0.022, DARK, axis="x", sides=8)
    b.box((-0.3, -0.3, 0.9), (-0.27, 0.3, 1.0), STEEL)


@item("fridge", "white gray red green")
def fridge(b: MeshBuilder, look: Look) -> None:
    height = look.rng.uniform(1.65, 1.8)
    b.box((-0.33, -0.31, 0.03), (0.27, 0.31, height), look.plain)
    b.box((-0.3, -0.28, 0), (0.24, 0.28, 0.03), DARK)
    b.box((0.275, -0.305, 0.06), (0.33, 0.305, 0.62), look.shade(1.03))
    b.box((0.275, -0.305, 0.64), (0.33, 0.305, height - 0.01), look.shade(1.03))
    for z0, z1 in ((0.42, 0.6), (0.68, 1.1)):
        b.box((0.33, 0.24, z0), (0.36, 0.265, z1), STEEL)


@item("sink", "white")
def sink(b: MeshBuilder, look: Look) -> list[Surface]:
    """A washbasin on a pedestal."""
    b.cylinder((-0.08, 0), (0, 0.66), 0.1, CERAMIC, top_radius=0.07)
    b.box((-0.22, -0.28, 0.66), (0.22, 0.28, 0.72), CERAMIC)
    _rim(b, (-0.1, -0.22), (0.18, 0.22), (-0.22, -0.28), (0.22, 0.28), 0.72, 0.84, CERAMIC)
    b.cylinder((-0.16, 0), (0.84, 0.98), 0.018, STEEL, sides=8)
    b.box((-0.17, -0.014, 0.96), (-0.03, 0.014, 0.98), STEEL)
    return [Surface(0.84, (-0.21, 0.05), (-0.11, 0.27), 0.3), Surface(0.84, (-0.21, -0.27), (-0.11, -0.05), 0.3)]


@item("kitchen sink", "white gray beige brown", category="sink")
def kitchen_sink(b: MeshBuilder, look: Look) -> list[Surface]:
    """A basin in a cabinet of a counter's height."""
    b.box((-0.26, -0.45, 0), (0.25, 0.45, 0.1), DARK)
    b.box((-0.3, -0.45, 0.1), (0.28, 0.45, 0.72), look.plain)
    _rim(b, (-0.16, -0.25), (0.2, 0.25), (-0.3, -0.45), (0.3, 0.45), 0.72, 0.9, STEEL)
    b.cylinder((-0.23, 0), (0.9, 1.14), 0.016, STEEL, sides=8)
    b.box((-0.24, -0.012, 1.12), (-0.02, 0.012, 1.145), STEEL)
    for side in (-1, 1):
        b.box((0.28, side * 0.01, 0.13), (0.293, side * 0.44, 0.7), look.shade(0.92))
        b.box((0.293, side * 0.05, 0.5), (0.308, side * 0.065, 0.62), STEEL)
    return [Surface(0.9, (-0.15, 0.28), (0.26, 0.43)), Surface(0.9, (-0.15, -0.43), (0.26, -0.28))]


def _rim(
    b: MeshBuilder,
    inner_low: tuple[float, float],
    inner_high: tuple[float, float],
    outer_low: tuple[float, float],
    outer_high: tuple[float, float],
    z0: float,
    z1: float,
    material: Material,
) -> None:
    """Four boxes around an opening: the sides of a basin, with a darker bottom at ``z0``."""
    (ix0, iy0), (ix1, iy1), (ox0, oy0), (ox1, oy1) = inner_low, inner_high, outer_low, outer_high
    b.box((ox0, oy0, z0), (ix0, oy1, z1), material)
    b.box((ix1, oy0, z0), (ox1, oy1, z1), material)
    b.box((ix0, oy0, z0), (ix1, iy0, z1), material)
    b.box((ix0, iy1, z0), (ix1, oy1, z1), material)
    b.box((ix0, iy0, z0), (ix1, iy1, z0 + 0.01), Material((150, 156, 160)))


@item("toilet", "white")
def toilet(b: MeshBuilder, look: Look) -> None:
    b.box((-0.34, -0.19, 0.38), (-0.16, 0.19, 0.78), CERAMIC)
    b.box((-0.345, -0.2, 0.78), (-0.15, 0.2, 0.81), Material((222, 224, 224)))
    b.cylinder((0.02, 0), (0, 0.36), 0.13, CERAMIC, top_radius=0.18)
    b.box((-0.34, -0.12, 0), (-0.05, 0.12, 0.38), CERAMIC)
    b.cylinder((0.08, 0), (0.36, 0.4), 0.2, CERAMIC)
    b.cylinder((0.08, 0), (0.4, 0.43), 0.21, Material((214, 216, 218)))
    b.cylinder((-0.25, 0), (0.81, 0.825), 0.03, STEEL, sides=8)


@item("bathtub", "white")
def bathtub(b: MeshBuilder, look: Look) -> None:
    """Long side along y: it stands with it against the wall."""
    b.box((-0.36, -0.82, 0), (0.36, 0.82, 0.16), CERAMIC)
    _rim(b, (-0.27, -0.72), (0.28, 0.72), (-0.36, -0.82), (0.36, 0.82), 0.16, 0.56, CERAMIC)
    b.box((-0.27, -0.72, 0.17), (0.28, 0.72, 0.34), WATER)
    b.box((-0.34, -0.06, 0.56), (-0.28, 0.06, 0.68), STEEL)
    b.box((-0.3, -0.02, 0.64), (-0.18, 0.02, 0.67), STEEL)


@item("washing machine", "white gray")
def washing_machine(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.28, -0.3, 0), (0.28, 0.3, 0.85), look.plain)
    b.cylinder((0, 0.44), (0.28, 0.31), 0.2, STEEL, axis="x")
    b.cylinder((0, 0.44), (0.31, 0.32), 0.15, Material((60, 74, 90)), axis="x")
    b.box((0.28, -0.28, 0.72), (0.29, 0.28, 0.82), Material((70, 72, 78)))
    b.cylinder((0.2, 0.77), (0.29, 0.31), 0.03, STEEL, axis="x", sides=8)
    return [top(0.28, 0.3, 0.85)]


@item("laundry basket", "beige brown blue")
def laundry_basket(b: MeshBuilder, look: Look) -> None:
    wicker = Material(look.color, "weave", (0.2, 0.2))
    b.cylinder((0, 0), (0, 0.52), 0.19, wicker, top_radius=0.23)
    b.ball((0.03, 0.02, 0.5), 0.16, Material((222, 222, 230)), squash=0.5)
    b.ball((-0.07, -0.05, 0.52), 0.11, Material((170, 60, 70)), squash=0.5)


@item("trash can", "gray black green red")
def trash_can(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.42), 0.13, look.plain, top_radius=0.16)
    b.cylinder((0, 0), (0.42, 0.47), 0.165, look.shade(0.7), top_radius=0.1)


@item("shoe rack", "brown beige black")
def shoe_rack(b: MeshBuilder, look: Look) -> list[Surface]:
    for side in (-1, 1):
        b.box((-0.15, side * 0.4, 0), (0.15, side * 0.37, 0.5), look.wood)
    for z in (0.08, 0.27, 0.47):
        b.box((-0.15, -0.37, z), (0.15, 0.37, z + 0.03), look.wood)
    colors = ((190, 50, 45), (60, 60, 66), (230, 230, 226), (60, 100, 170), (150, 100, 60))
    for z in (0.11, 0.30):
        for k in range(3):
            y, shoe = -0.26 + 0.24 * k, Material(colors[int(look.rng.integers(5))])
            for dy in (0.0, 0.09):
                b.box((-0.12, y + dy, z), (0.13, y + dy + 0.08, z + 0.05), shoe)
                b.box((-0.12, y + dy, z + 0.05), (-0.02, y + dy + 0.08, z + 0.1), shoe)
    return [top(0.15, 0.4, 0.5, 0.02)]


@item("bench", "brown beige green")
def bench(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.17, -0.5, 0.42), (0.17, 0.5, 0.46), look.wood)
    b.box((-0.16, -0.48, 0.46), (0.16, 0.48, 0.5), Material((180, 70, 60), "fabric", (0.3, 0.3)))
    legs(b, 0.15, 0.46, 0.42, 0.05, look.wood)
    return [top(0.17, 0.5, 0.5)]


@item("umbrella stand", "black gray brown")
def umbrella_stand(b: MeshBuilder, look: Look) -> None:
    b.cylinder((0, 0), (0, 0.5), 0.12, look.plain, top_radius=0.13)
    for (x, y), color in zip(((0.04, 0.03), (-0.05, -0.02)), ((190, 40, 40), (40, 60, 130)), strict=True):
        b.cylinder((x, y), (0.3, 0.78), 0.035, Material(color), top_radius=0.012, sides=8)
        b.cylinder((x, y), (0.78, 0.88), 0.012, Material((110, 74, 44)), sides=6)


@item("console table", "white brown black")
def console_table(b: MeshBuilder, look: Look) -> list[Surface]:
    b.box((-0.16, -0.45, 0.74), (0.16, 0.45, 0.78), look.wood)
    b.box((-0.15, -0.43, 0.62), (0.15, 0.43, 0.74), look.shade(0.85))
    b.box((-0.15, -0.43, 0.12), (0.15, 0.43, 0.14), look.wood)
    legs(b, 0.16, 0.45, 0.74, 0.04, look.wood)
    return [top(0.16, 0.45, 0.78)]


@item("guitar", "orange brown red")
def guitar(b: MeshBuilder, look: Look) -> None:
    """On a stand, its face to the front."""
    b.cylinder((0.0, 0.25), (-0.04, 0.05), 0.18, look.plain, axis="x")
    b.cylinder((0.0, 0.48), (-0.04, 0.05), 0.13, look.plain, axis="x")
    b.cylinder((0.0, 0.36), (0.05, 0.056), 0.05, DARK, axis="x", sides=10)
    b.box((0.02, -0.025, 0.5), (0.055, 0.025, 0.95), DARK)
    b.box((0.01, -0.04, 0.95), (0.05, 0.04, 1.08), Material((90, 54, 30)))
    for side in (-1, 1):
        b.box((-0.2, side * 0.16, 0), (0.14, side * 0.14, 0.02), DARK)
        b.box((-0.2, side * 0.16, 0), (-0.18, side * 0.14, 0.3), DARK)
    b.box((-0.2, -0.16, 0.28), (-0.04, 0.16, 0.3), DARK)
