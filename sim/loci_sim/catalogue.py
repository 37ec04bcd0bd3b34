"""What can stand in a scene: a registry of categories, each with a seeded builder of its shape.

The builders are in `furniture.py` (on the floor) and `smallware.py` (on furniture and on walls), and by use in `homeware.py`,
`utilityware.py` and `officeware.py`; `openware.py` has those of what opens.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from loci_sim.joints import JointKind, joint_motion
from loci_sim.meshes import Floats, Material, Mesh, MeshBuilder

Mount = Literal["floor", "surface", "wall"]

#: Basic colour names and a typical sRGB value of each.
COLORS: dict[str, tuple[int, int, int]] = {
    "red": (192, 44, 40), "orange": (228, 126, 38), "yellow": (226, 192, 62), "green": (66, 138, 74), "blue": (48, 92, 176),
    "purple": (122, 72, 156), "pink": (222, 138, 166), "brown": (124, 78, 44), "beige": (206, 184, 146), "white": (236, 236, 232),
    "gray": (136, 138, 140), "black": (38, 38, 42),
}  # fmt: skip
#: Things that show a screen or a picture; the colour that is named is that of the rim around it, which tells nobody which one is meant.
FACED = frozenset({"laptop", "monitor", "phone", "photo frame", "picture", "poster", "screen"})


def told_color(category: str, color: str) -> str:
    """Name of a thing's colour as people would tell it; empty: they would not."""
    return "" if category in FACED else color


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
class Part:
    """A door, lid or drawer of a model, closed, in the model's frame; see `joints.Joint` for how it moves."""

    name: str
    kind: JointKind
    origin: tuple[float, float, float]
    axis: tuple[float, float, float]
    limit: float
    meshes: tuple[Mesh, ...]


@dataclass(frozen=True)
class Space:
    """Room in a model, in its frame: corners low, high (3,) [m]; ``part``: the name of the drawer it is in, or empty."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    part: str = ""


@dataclass(frozen=True)
class Model:
    """A thing of a category, centred on its footprint, standing on z = 0, its front towards +x.

    Attributes:
        color: name of its main colour.
        size: (3,) extent along x, y, z [m], closed.
        meshes: its polygons that do not move; z = 0 is its lowest point.
        surfaces: where small things can rest.
        parts: what moves when it is opened.
        spaces: where things can lie in it.
        reach: how far its open parts stand out in front of it [m].
    """

    category: str
    color: str
    size: Floats
    meshes: tuple[Mesh, ...]
    surfaces: tuple[Surface, ...]
    parts: tuple[Part, ...] = ()
    spaces: tuple[Space, ...] = ()
    reach: float = 0.0


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


@dataclass
class MovingPart:
    """A part while it is built: its polygons closed, in the model's frame, and its joint."""

    name: str
    kind: JointKind
    origin: tuple[float, float, float]
    axis: tuple[float, float, float]
    limit: float
    shape: MeshBuilder = field(default_factory=MeshBuilder)


@dataclass
class Opening:
    """What a builder of something that opens gives back: surfaces on it, parts that move, room in it."""

    parts: list[MovingPart]
    spaces: list[Space]
    surfaces: list[Surface] = field(default_factory=list)


OpeningBuilder = Callable[[MeshBuilder, Look], Opening]


@dataclass(frozen=True)
class Item:
    """A category of the catalogue: its builder, the colours it comes in and where it is mounted; classic: its category in apartments."""

    category: str
    colors: tuple[str, ...]
    mount: Mount
    build: Builder
    classic: str


CATALOGUE: dict[str, Item] = {}
#: Builders of what opens; in apartments the same items are built in one piece.
OPENINGS: dict[str, OpeningBuilder] = {}


def item(
    name: str, colors: str, mount: Mount = "floor", category: str = "", classic: str = ""
) -> Callable[[Builder], Builder]:
    """Register a builder under a name, with the names of the colours it comes in; its category is the name unless said otherwise."""

    def register(build: Builder) -> Builder:
        CATALOGUE[name] = Item(category or name, tuple(colors.split()), mount, build, classic or category or name)
        return build

    return register


def opening(name: str) -> Callable[[OpeningBuilder], OpeningBuilder]:
    """Register the builder of an item of the catalogue as something that opens."""

    def register(build: OpeningBuilder) -> OpeningBuilder:
        OPENINGS[name] = build
        return build

    return register


def make_model(name: str, rng: np.random.Generator, color: str | None = None, *, classic: bool = False) -> Model:
    """A model of an item of the catalogue with random details.

    Args:
        color: one of the item's colours; by default a random one.
        classic: as in apartments, whose files stay as they are: in one piece, and both kinds of clock are a clock.

    Raises:
        KeyError: the catalogue has no such item.
    """
    _load_builders()
    entry = CATALOGUE[name]
    color = color or str(rng.choice(np.array(entry.colors)))
    rgb = _scaled(COLORS[color], float(rng.uniform(0.93, 1.05)))
    builder = MeshBuilder()
    if classic or name not in OPENINGS:
        built = Opening([], [], entry.build(builder, Look(rgb, rng)) or [])
    else:
        built = OPENINGS[name](builder, Look(rgb, rng))
    bounds = [b.bounds() for b in (builder, *(p.shape for p in built.parts))]
    low, high = np.min([b[0] for b in bounds], axis=0), np.max([b[1] for b in bounds], axis=0)
    shift = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    moved = tuple(
        Surface(
            s.z + float(shift[2]),
            (s.low[0] + float(shift[0]), s.low[1] + float(shift[1])),
            (s.high[0] + float(shift[0]), s.high[1] + float(shift[1])),
            s.headroom,
        )
        for s in built.surfaces
    )
    parts = tuple(
        Part(p.name, p.kind, _moved(p.origin, shift), p.axis, p.limit, p.shape.meshes(shift)) for p in built.parts
    )
    spaces = tuple(Space(_moved(s.low, shift), _moved(s.high, shift), s.part) for s in built.spaces)
    category = entry.classic if classic else entry.category
    reach = _reach(parts, float(high[0] + shift[0]))
    return Model(category, color, np.asarray(high - low), builder.meshes(shift), moved, parts, spaces, reach)


def _moved(point: tuple[float, float, float], shift: Floats) -> tuple[float, float, float]:
    x, y, z = (np.asarray(point) + shift).tolist()
    return x, y, z


def _reach(parts: tuple[Part, ...], front: float) -> float:
    """How far open parts stand out in front of x = ``front`` [m]."""
    furthest = [0.0]
    for p in parts:
        T = joint_motion(p.kind, np.array(p.origin), np.array(p.axis), p.limit)
        points = np.concatenate([m.vertices for m in p.meshes])
        furthest.append(float(np.max(points @ T[0, :3] + T[0, 3])) - front)
    return max(furthest)


def categories() -> tuple[str, ...]:
    """The vocabulary: all categories of the catalogue, sorted."""
    _load_builders()
    return tuple(sorted({name for entry in CATALOGUE.values() for name in (entry.category, entry.classic)}))


def item_names() -> tuple[str, ...]:
    """All items of the catalogue, sorted."""
    _load_builders()
    return tuple(sorted(CATALOGUE))


def _load_builders() -> None:
    # The builders import this module to register: they are loaded on first use.
    for module in ("furniture", "smallware", "homeware", "utilityware", "officeware", "openware"):
        importlib.import_module(f"loci_sim.{module}")


def _scaled(color: npt.ArrayLike, factor: float) -> tuple[int, int, int]:
    r, g, b = np.clip(np.asarray(color, dtype=np.float64) * factor, 0, 255).astype(int).tolist()
    return r, g, b
