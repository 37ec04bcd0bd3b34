"""What can stand in a scene: a registry of categories, each with a seeded builder of its shape.

The builders are in `furniture.py` (on the floor) and `smallware.py` (on furniture and on walls), and by use in `homeware.py`,
`utilityware.py` and `officeware.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from loci_sim.meshes import Floats, Material, Mesh, MeshBuilder

Mount = Literal["floor", "surface", "wall"]

#: Basic colour names and a typical sRGB value of each.
COLORS: dict[str, tuple[int, int, int]] = {
    "red": (192, 44, 40), "orange": (228, 126, 38), "yellow": (226, 192, 62), "green": (66, 138, 74), "blue": (48, 92, 176),
    "purple": (122, 72, 156), "pink": (222, 138, 166), "brown": (124, 78, 44), "beige": (206, 184, 146), "white": (236, 236, 232),
    "gray": (136, 138, 140), "black": (38, 38, 42),
}  # fmt: skip


@dataclass(frozen=True)
class Surface:
    """A level part of a model that other things can rest on, in the model's frame.

    Attributes:
        z: its height [m].
        low, high: corners (x, y) of the usable rectangle [m].
        headroom: how tall a thing may be [m].
    """

    z: float
    low: tuple[float, float]
    high: tuple[float, float]
    headroom: float = 2.0


@dataclass(frozen=True)
class Model:
    """A thing of a category, centred on its footprint, standing on z = 0, its front towards +x.

    Attributes:
        color: name of its main colour.
        size: (3,) extent along x, y, z [m].
        meshes: its polygons; z = 0 is its lowest point.
        surfaces: where small things can rest.
    """

    category: str
    color: str
    size: Floats
    meshes: tuple[Mesh, ...]
    surfaces: tuple[Surface, ...]


@dataclass(frozen=True)
class Look:
    """What a builder may vary: its main colour as materials, and a random generator."""

    color: tuple[int, int, int]
    rng: np.random.Generator

    @property
    def plain(self) -> Material:
        return Material(self.color)

    @property
    def wood(self) -> Material:
        return Material(self.color, "grain", (0.7, 0.7))

    @property
    def fabric(self) -> Material:
        return Material(self.color, "fabric", (0.35, 0.35))

    def shade(self, factor: float) -> Material:
        """The main colour, darker or lighter."""
        return Material(_scaled(self.color, factor))

    def any_color(self) -> Material:
        """A random colour that has nothing to do with the main one."""
        r, g, b = self.rng.integers(45, 220, 3).tolist()
        return Material((r, g, b))


Builder = Callable[[MeshBuilder, Look], "list[Surface] | None"]


@dataclass(frozen=True)
class Item:
    """A category of the catalogue: its builder, the colours it comes in and where it is mounted."""

    category: str
    colors: tuple[str, ...]
    mount: Mount
    build: Builder


CATALOGUE: dict[str, Item] = {}


def item(name: str, colors: str, mount: Mount = "floor", category: str = "") -> Callable[[Builder], Builder]:
    """Register a builder under a name, with the names of the colours it comes in; its category is the name unless said otherwise."""

    def register(build: Builder) -> Builder:
        CATALOGUE[name] = Item(category or name, tuple(colors.split()), mount, build)
        return build

    return register


def make_model(name: str, rng: np.random.Generator, color: str | None = None) -> Model:
    """A model of an item of the catalogue with random details.

    Args:
        color: one of the item's colours; by default a random one.

    Raises:
        KeyError: the catalogue has no such item.
    """
    _load_builders()
    entry = CATALOGUE[name]
    color = color or str(rng.choice(np.array(entry.colors)))
    rgb = _scaled(COLORS[color], float(rng.uniform(0.93, 1.05)))
    builder = MeshBuilder()
    surfaces = entry.build(builder, Look(rgb, rng)) or []
    low, high = builder.bounds()
    shift = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    moved = tuple(
        Surface(
            s.z + float(shift[2]),
            (s.low[0] + float(shift[0]), s.low[1] + float(shift[1])),
            (s.high[0] + float(shift[0]), s.high[1] + float(shift[1])),
            s.headroom,
        )
        for s in surfaces
    )
    return Model(entry.category, color, np.asarray(high - low), builder.meshes(shift), moved)


def categories() -> tuple[str, ...]:
    """The vocabulary: all categories of the catalogue, sorted."""
    _load_builders()
    return tuple(sorted({entry.category for entry in CATALOGUE.values()}))


def item_names() -> tuple[str, ...]:
    """All items of the catalogue, sorted."""
    _load_builders()
    return tuple(sorted(CATALOGUE))


def _load_builders() -> None:
    # The builders import this module to register: they are loaded on first use.
    for module in ("furniture", "smallware", "homeware", "utilityware", "officeware"):
        importlib.import_module(f"loci_sim.{module}")


def _scaled(color: npt.ArrayLike, factor: float) -> tuple[int, int, int]:
    r, g, b = np.clip(np.asarray(color, dtype=np.float64) * factor, 0, 255).astype(int).tolist()
    return r, g, b
