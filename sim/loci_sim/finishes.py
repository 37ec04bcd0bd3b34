"""How the walls and floors of rooms look: colours and textures by which rooms can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loci_sim.floorplan import CEILING, FloorPlan, Room
from loci_sim.meshes import Material

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Finish:
    """Look of a room's walls and floor."""

    wall: Material
    floor: Material


#: Wall colours: one per room, clearly apart.
_WALLS = (
    (232, 222, 196), (196, 214, 232), (206, 226, 196), (236, 206, 192), (222, 206, 232), (240, 232, 180), (214, 216, 216), (190, 222, 220),
)  # fmt: skip
_WALL_TEXTURES = ("plaster", "stripes", "wainscot", "dots", "plaster")
_FLOORS: dict[str, tuple[str, tuple[tuple[int, int, int], ...]]] = {
    "kitchen": ("tiles", ((206, 196, 180), (180, 190, 196))),
    "bathroom": ("checks", ((200, 214, 224), (222, 216, 206))),
    "bedroom": ("carpet", ((150, 140, 160), (128, 146, 160), (168, 150, 134))),
}
_WOODS = ((176, 126, 78), (150, 104, 66), (196, 156, 108), (128, 90, 62))

#: Walls of plans with many rooms: a pair of one of these colours and one of these textures is given to one room only.
_MANY_WALLS: tuple[Color, ...] = (
    (232, 222, 196), (180, 206, 232), (190, 222, 176), (238, 196, 176), (214, 194, 232), (244, 230, 160), (206, 210, 212),
    (170, 216, 212), (226, 170, 160), (160, 182, 150), (236, 206, 226), (196, 176, 150), (150, 172, 202), (250, 246, 238),
)  # fmt: skip
_MANY_TEXTURES: dict[str, tuple[float, float]] = {
    "plaster": (1.0, 1.0), "stripes": (1.2, 1.0), "wainscot": (1.0, CEILING), "dots": (1.0, 1.0), "brick": (1.2, 1.2),
    "panels": (1.1, 1.1), "diamonds": (1.2, 1.2), "zigzag": (1.2, 1.2), "bands": (1.0, CEILING / 2),
}  # fmt: skip
_WET = frozenset({"bathroom", "restroom"})
_STONE: tuple[Color, ...] = ((206, 196, 180), (180, 190, 196), (166, 160, 156), (214, 206, 200), (150, 164, 158))
_CARPETS: tuple[Color, ...] = (
    (150, 140, 160), (128, 146, 160), (168, 150, 134), (112, 128, 108), (96, 106, 128), (156, 112, 104), (120, 120, 124),
)  # fmt: skip
#: Floors that suit a kind of room; boards and parquet elsewhere.
_MANY_FLOORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("kitchen", "kitchenette", "bathroom", "restroom", "laundry", "pantry"), ("tiles", "checks", "speckle")
    ),
    **dict.fromkeys(
        ("bedroom", "children's room", "office", "open office", "meeting room"), ("carpet", "planks", "parquet")
    ),
    **dict.fromkeys(("garage", "storage room"), ("concrete",)),
    **dict.fromkeys(("corridor", "reception", "copy room"), ("speckle", "carpet", "tiles")),
}


def classic_finishes(plan: FloorPlan, rng: np.random.Generator) -> dict[str, Finish]:
    """Finishes by room id for plans of at most eight rooms: a wall colour for each."""
    colors = rng.permutation(len(_WALLS))
    finishes = {}
    for i, room in enumerate(plan.rooms):
        wall = _wall_material(room, _WALLS[int(colors[i % len(colors)])], rng)
        finishes[room.id] = Finish(wall, _floor_material(room, rng))
    return finishes


def varied_finishes(plan: FloorPlan, rng: np.random.Generator) -> dict[str, Finish]:
    """Finishes by room id for plans of many rooms: no two have both wall colour and wall texture in common, neighbours neither."""
    finishes: dict[str, Finish] = {}
    kinds = tuple(_MANY_TEXTURES)
    used: list[tuple[Room, Color, str]] = []
    for number, room in enumerate(plan.rooms):
        options = [(color, kind) for color in _MANY_WALLS for kind in kinds]
        if room.name in _WET:
            options = [(color, "tiles") for color in _MANY_WALLS]
        near = [(c, k) for r, c, k in used if r.rect.grown(0.3).overlaps(room.rect)]
        fresh = [o for o in options if o not in [(c, k) for _, c, k in used]] or options
        apart = [o for o in fresh if all(o[0] != c and (o[1] != k or k == "tiles") for c, k in near)] or fresh
        color, kind = apart[int(rng.integers(len(apart)))]
        used.append((room, color, kind))
        size = (0.8, 0.8) if kind == "tiles" else _MANY_TEXTURES[kind]
        # Variants of one texture differ in their details as well.
        wall = Material(color, f"{kind}-{number}", size)
        floors = _MANY_FLOORS.get(room.name, ("planks", "parquet"))
        floor = floors[int(rng.integers(len(floors)))]
        palette = _WOODS if floor in ("planks", "parquet") else _CARPETS if floor == "carpet" else _STONE
        finishes[room.id] = Finish(
            wall, Material(palette[int(rng.integers(len(palette)))], f"{floor}-{number}", (1.2, 1.2))
        )
    return finishes


def _wall_material(room: Room, color: tuple[int, int, int], rng: np.random.Generator) -> Material:
    if room.name == "bathroom":
        return Material(color, "tiles", (0.8, 0.8))
    texture = str(rng.choice(np.array(_WALL_TEXTURES)))
    height = CEILING if texture == "wainscot" else 1.0
    return Material(color, texture, (1.0 if texture != "stripes" else 1.2, height))


def _floor_material(room: Room, rng: np.random.Generator) -> Material:
    texture, colors = _FLOORS.get(room.name, ("planks", _WOODS))
    return Material(colors[int(rng.integers(len(colors)))], texture, (1.2, 1.2))
