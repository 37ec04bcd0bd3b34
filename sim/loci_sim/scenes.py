"""Scene files: a GLB with the geometry and a JSON sidecar with what only scoring may know.

`generate_scene` writes both, `load_scene` reads them. Everything is in the map frame (z-up, m); the GLB alone is y-up.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loci.geometry import Array
from loci.observation import check_name
from loci_sim.families import FAMILIES
from loci_sim.generation import draw_scene
from loci_sim.glb import Node, read_glb, write_glb
from loci_sim.joints import Interior, Joint, interior_of, joint_of
from loci_sim.textures import Image, make_texture

#: Part of generated map ids and written to sidecars, with the family's version on top: scenes of another generator are made
#: anew, and are other maps.
GENERATOR = 1
#: How a scene can be named.
FORMS = f"{', '.join(f'{name}:SEED' for name in FAMILIES)} or a path of a .glb with a .json beside it"
STRUCTURE_LABELS = ("wall", "floor", "ceiling")
#: Labels of structure that few scenes have; those without have no number for them.
MORE_LABELS = ("stairs", "railing")


class SceneError(ValueError):
    """A scene file is missing, damaged or not what it should be."""


@dataclass(frozen=True)
class ScenePath:
    """The two files of a scene."""

    glb: Path
    sidecar: Path


@dataclass(frozen=True)
class SceneThing:
    """Ground truth of one object; for scoring only.

    Attributes:
        id: unique in the scene, e.g. ``"chair_2"``.
        category: e.g. ``"chair"``.
        color: name of its main colour.
        instance: its number in instance images, >= 1.
        T_map_box: (4, 4) pose of its box's centre.
        size: (3,) extents of the box [m].
        room: id of its room.
        on: id of the object it rests on or lies in; empty: floor or wall.
        node: name of its node in the GLB.
        inside: it lies in ``on``.
        joints: of its parts that move; that of a door's leaf names the door's own node.
        interiors: where things can lie in it.
    """

    id: str
    category: str
    color: str
    instance: int
    T_map_box: Array
    size: Array
    room: str
    on: str
    node: str
    inside: bool = False
    joints: tuple[Joint, ...] = ()
    interiors: tuple[Interior, ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of its node and of those of its moving parts."""
        return (self.node, *(j.node for j in self.joints if j.node != self.node))

    @property
    def center(self) -> Array:
        """Centre of the box, (3,) [m]."""
        return self.T_map_box[:3, 3]


@dataclass(frozen=True)
class SceneRoom:
    """A room: id, kind (``"bedroom"``), its floor as a polygon (N, 2) [m], counter-clockwise, on which floor (0: ground), and how high [m]."""

    id: str
    name: str
    polygon: Array
    floor: int = 0
    z: float = 0.0

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in the room (even-odd rule)."""
        a, b = self.polygon, np.roll(self.polygon, -1, axis=0)
        crosses = (a[:, 1] > y) != (b[:, 1] > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
        return bool(np.count_nonzero(crosses & (x < at)) % 2)


@dataclass(frozen=True)
class Scene:
    """A loaded scene.

    Attributes:
        name: of its family, e.g. ``"apartment"``; seed: what it was made from.
        map_id: stable name of the map that the simulated robot moves in.
        nodes: geometry with poses; textures: by name, (H, W, 3) uint8.
        objects: ground truth, ordered by instance.
        rooms: ground truth.
        structure: GLB node name -> (label, room id) of walls, floors, ceilings, stairs and railings.
        start: (x, y, yaw) of the robot [m, rad].
    """

    name: str
    seed: int
    map_id: str
    nodes: tuple[Node, ...]
    textures: dict[str, Image]
    objects: tuple[SceneThing, ...]
    rooms: tuple[SceneRoom, ...]
    structure: dict[str, tuple[str, str]]
    start: tuple[float, float, float]

    @property
    def instance_labels(self) -> dict[int, str]:
        """Category of every instance; walls, floors and ceilings are instance 0 and not in it."""
        return {o.instance: o.category for o in self.objects}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the values of label images: ``labels[0]`` is empty (nothing was hit)."""
        used = {label for label, _ in self.structure.values()}
        more = (label for label in MORE_LABELS if label in used)
        return ("", *STRUCTURE_LABELS, *more, *sorted({o.category for o in self.objects}))

    @property
    def floors(self) -> tuple[float, ...]:
        """Heights of the floors [m], from the ground up."""
        return tuple(sorted({r.z for r in self.rooms})) or (0.0,)

    def room_at(self, x: float, y: float, z: float = 0.0) -> SceneRoom | None:
        """The room that holds a point, on the floor that is nearest below it (or above it by less than half a metre)."""
        below = [height for height in self.floors if height <= z + 0.5] or [self.floors[0]]
        return next((r for r in self.rooms if r.z == below[-1] and r.contains(x, y)), None)


def generate_apartment(seed: int, directory: Path) -> ScenePath:
    """`generate_scene` of the family that the demo and saved maps use."""
    return generate_scene("apartment", seed, directory)


def generate_scene(family: str, seed: int, directory: Path) -> ScenePath:
    """Write a furnished scene as ``FAMILY-SEED.glb`` and ``.json``; the same bytes for the same seed.

    Files that the same generator wrote earlier are kept.

    Args:
        family: one of `FAMILIES`.

    Raises:
        ValueError: no such family, or a negative seed.
    """
    if family not in FAMILIES:
        raise ValueError(f"expected a family of scenes out of {', '.join(FAMILIES)}, got {family!r}")
    if seed < 0:
        raise ValueError(f"expected a seed >= 0, got {seed}")
    paths = ScenePath(directory / f"{family}-{seed}.glb", directory / f"{family}-{seed}.json")
    if paths.glb.is_file() and _is_current(paths.sidecar, _version(family)):
        return paths
    directory.mkdir(parents=True, exist_ok=True)
    # A draw may leave no room for something important: the next one is as good.
    for attempt in range(200):
        rng = np.random.default_rng([seed, attempt])
        try:
            nodes, sidecar = draw_scene(family, seed, _version(family), rng)
            break
        except ValueError:
            continue
    else:
        raise RuntimeError(f"expected a scene within 200 draws of {family}:{seed}, got none")
    names = sorted({m.material.texture for n in nodes for m in n.meshes} - {""})
    write_glb(paths.glb, nodes, {name: make_texture(name, seed) for name in names})
    write_whole(paths.sidecar, sidecar)
    return paths


def write_whole(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1) + "\n")
    temporary.replace(path)


def resolve_scene(name: str, cache: Path | None = None) -> ScenePath:
    """Files of a scene given as a path (.glb or .json) or as ``FAMILY:SEED``, which is generated into ``cache``.

    Raises:
        SceneError: neither a known form nor existing files.
    """
    family, colon, seed = name.partition(":")
    if family in FAMILIES and re.fullmatch(r"[0-9]{1,9}", seed):
        return generate_scene(family, int(seed), cache or default_cache())
    if family in FAMILIES:
        raise SceneError(f"expected a scene as {FORMS}, got {name!r} (a seed is a number from 0 to 999999999)")
    if colon and not family.endswith((".glb", ".json")) and "/" not in name:
        raise SceneError(f"expected a scene as {FORMS}, got {name!r} (no family {family!r})")
    path = Path(name).expanduser()
    if not path.name:
        raise SceneError(f"expected a scene as {FORMS}, got {name!r}")
    paths = ScenePath(path.with_suffix(".glb"), path.with_suffix(".json"))
    for file in (paths.glb, paths.sidecar):
        if not file.is_file():
            raise SceneError(f"expected a scene as {FORMS}, got {name!r} (no file {file})")
    return paths


def default_cache() -> Path:
    """Where generated scenes are kept: $XDG_CACHE_HOME/loci/scenes, usually ~/.cache/loci/scenes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loci" / "scenes"


def load_scene(path: ScenePath | Path | str) -> Scene:
    """Read a scene's two files.

    Args:
        path: both files, or one of them, or ``FAMILY:SEED``.

    Raises:
        SceneError: a file is missing, damaged, or the two do not belong together.
    """
    paths = path if isinstance(path, ScenePath) else resolve_scene(str(path))
    try:
        nodes, textures = read_glb(paths.glb)
        sidecar = json.loads(paths.sidecar.read_text())
        scene = _scene_of(sidecar, nodes, textures)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"expected a scene in {paths.glb} and {paths.sidecar.name}, got {type(error).__name__}: {error}"
        ) from error
    missing = {node for o in scene.objects for node in o.nodes} | set(scene.structure)
    missing -= {n.name for n in nodes}
    if missing:
        raise SceneError(
            f"expected the nodes of {paths.sidecar.name} in {paths.glb.name}, which lacks {', '.join(sorted(missing)[:5])}"
        )
    return scene


def _version(family: str) -> int:
    return GENERATOR + FAMILIES[family].version - 1


def _is_current(sidecar: Path, version: int) -> bool:
    try:
        return bool(json.loads(sidecar.read_text())["generator"] == version)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _scene_of(sidecar: dict[str, Any], nodes: tuple[Node, ...], textures: dict[str, Image]) -> Scene:
    if sidecar.get("format") != "loci-scene" or sidecar.get("version") != 1:
        raise ValueError(
            f"expected format 'loci-scene' version 1, got {sidecar.get('format')!r} {sidecar.get('version')!r}"
        )
    objects = tuple(
        SceneThing(
            str(o["id"]),
            str(o["category"]),
            str(o["color"]),
            int(o["instance"]),
            np.array(o["T_map_box"], dtype=np.float64).reshape(4, 4),
            np.array(o["size"], dtype=np.float64).reshape(3),
            str(o["room"]),
            str(o["on"]),
            str(o["node"]),
            bool(o.get("inside", False)),
            tuple(joint_of(j) for j in o.get("joints", ())),
            tuple(interior_of(i) for i in o.get("interiors", ())),
        )
        for o in sorted(sidecar["objects"], key=lambda o: int(o["instance"]))
    )
    if [o.instance for o in objects] != list(range(1, len(objects) + 1)):
        raise ValueError("expected instances 1, 2, ... without gaps")
    x, y, yaw = (float(v) for v in sidecar["start"])
    return Scene(
        name=check_name(str(sidecar["name"]), "scene name"),
        seed=int(sidecar["seed"]),
        map_id=check_name(str(sidecar["map_id"]), "map id"),
        nodes=nodes,
        textures=textures,
        objects=objects,
        rooms=tuple(
            SceneRoom(
                str(r["id"]),
                str(r["name"]),
                np.array(r["polygon"], dtype=np.float64),
                int(r.get("floor", 0)),
                float(r.get("z", 0.0)),
            )
            for r in sidecar["rooms"]
        ),
        structure={str(s["node"]): (str(s["label"]), str(s["room"])) for s in sidecar["structure"]},
        start=(x, y, yaw),
    )
