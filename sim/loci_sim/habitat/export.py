"""Writes a scene of ours as a Habitat scene dataset: walls, floors and ceilings are the stage, every thing is an object.

Any Habitat program can open it by its scene id and dataset config. Ids in semantic images are 1 to 5 for the labels of the
structure and the thing's instance + 5 for things, their moving parts too; the semantic descriptor names the former.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loci.geometry import Array, quaternion_from_pose, transform_points
from loci_sim.glb import Y_UP_TO_Z_UP, Node, write_glb
from loci_sim.habitat.models import for_habitat
from loci_sim.habitat.semantic_mesh import write_colored_glb
from loci_sim.scenes import MORE_LABELS, STRUCTURE_LABELS, Scene, ScenePath, load_scene

#: Part of an exported scene's folder: those of another version are made anew.
VERSION = 3
#: Labels of the structure; the first object's id in semantic images is one more than their number.
LABELS = (*STRUCTURE_LABELS, *MORE_LABELS)
#: Colours of the structure's labels in its semantic mesh. Of 0 and 255 only: Habitat takes vertex colours from linear light to
#: sRGB before it looks them up, which leaves these as they are.
_COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255))
#: Things that fall come to lie so far from one another [m].
MARGIN = 0.005
_FRAME = {"up": [0.0, 1.0, 0.0], "front": [0.0, 0.0, -1.0]}


@dataclass(frozen=True)
class ExportedScene:
    """A scene as a Habitat dataset.

    Attributes:
        scene: what it was made from.
        scene_id: of its scene instance.
        dataset: its dataset config.
    """

    scene: Scene
    scene_id: str
    dataset: Path


def template_of(instance: int, part: int) -> str:
    """Name of the object template of a thing (part 0) or of a part that moves.

    All names are of one length, because Habitat also finds templates by parts of their names.
    """
    return f"object-{instance:05d}-{part:02d}"


def export_scene(files: ScenePath, directory: Path) -> ExportedScene:
    """Write a scene as a Habitat dataset into a folder of its own in ``directory``, unless it is there already.

    Raises:
        SceneError: the scene cannot be read.
    """
    scene = load_scene(files)
    digest = hashlib.sha256(files.glb.read_bytes() + files.sidecar.read_bytes()).hexdigest()[:12]
    folder = directory / f"{scene.map_id}-{digest}-e{VERSION}"
    exported = ExportedScene(scene, scene.map_id, folder / f"{scene.map_id}.scene_dataset_config.json")
    if not exported.dataset.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        # Whole or not there, and the first of two that write it at the same time wins.
        with tempfile.TemporaryDirectory(dir=directory, prefix=".part-") as temporary:
            part = Path(temporary, folder.name)
            _write(scene, part)
            if not exported.dataset.is_file():
                shutil.rmtree(folder, ignore_errors=True)
                part.rename(folder)
    return exported


def stage_config_of(glb: Path, directory: Path) -> Path:
    """Write a stage config for a bare GLB, which Habitat would take as z-up; returns its path."""
    path = directory / f"{glb.stem}.stage_config.json"
    _write_json(path, {"render_asset": str(glb.resolve()), **_FRAME})
    return path


def _write(scene: Scene, folder: Path) -> None:
    for name in ("stages", "objects", "scenes"):
        (folder / name).mkdir(parents=True)
    _write_stage(scene, folder / "stages")
    nodes = {n.name: n for n in scene.nodes}
    instances: list[dict[str, Any]] = []
    for thing, part, node in ((o, i, nodes[name]) for o in scene.objects for i, name in enumerate(o.nodes)):
        name = template_of(thing.instance, part)
        glb = folder / "objects" / f"{name}.glb"
        placed, textures = for_habitat([node], scene.textures)
        # The model has its own origin; where it is says the scene.
        write_glb(glb, [Node(node.name, np.eye(4), placed[0].meshes)], textures)
        config = {
            "render_asset": glb.name,
            # Poses are of the model's own origin, not of its middle.
            "COM": [0.0, 0.0, 0.0],
            "use_bounding_box_for_collision": True,
            "margin": MARGIN,
            "semantic_id": thing.instance + len(LABELS),
            "shader_type": "flat",
            **_FRAME,
        }
        _write_json(folder / "objects" / f"{name}.object_config.json", config)
        instances.append({"template_name": name, "motion_type": "STATIC", **_placed(node.T_map_node)})
    _write_json(
        folder / "scenes" / f"{scene.map_id}.scene_instance.json",
        {
            "stage_instance": {"template_name": "structure"},
            "translation_origin": "asset_local",
            "default_lighting": "no_lights",
            "semantic_scene_instance": "structure",
            "object_instances": instances,
        },
    )
    _write_json(
        folder / f"{scene.map_id}.scene_dataset_config.json",
        {
            "stages": {"paths": {".json": ["stages"]}},
            "objects": {"paths": {".json": ["objects"]}},
            "scene_instances": {"paths": {".json": ["scenes"]}},
            "semantic_scene_descriptor_instances": {"structure": "stages/structure.semantic.txt"},
        },
    )


def _write_stage(scene: Scene, folder: Path) -> None:
    pieces = [n for n in scene.nodes if n.name in scene.structure]
    write_glb(folder / "structure.glb", *for_habitat(pieces, scene.textures))
    parts: list[tuple[Array, tuple[int, int, int]]] = []
    for node in pieces:
        color = _COLORS[LABELS.index(scene.structure[node.name][0])]
        for mesh in node.meshes:
            triangles = transform_points(node.T_map_node, mesh.vertices)[mesh.triangles]
            parts.append((np.concatenate([triangles, triangles[:, ::-1]]), color))
    write_colored_glb(folder / "structure_semantic.glb", parts)
    lines = ["HM3D Semantic Annotations"]
    used = {label for label, _ in scene.structure.values()}
    for i, (label, color) in enumerate(zip(LABELS, _COLORS, strict=True)):
        if label not in used:
            continue
        lines.append(f'{i + 1},{"".join(f"{c:02X}" for c in color)},"{label}",0')
    (folder / "structure.semantic.txt").write_text("\n".join(lines) + "\n")
    config = {
        "render_asset": "structure.glb",
        "semantic_asset": "structure_semantic.glb",
        "semantic_descriptor_filename": "structure.semantic.txt",
        "has_semantic_textures": False,
        "shader_type": "flat",
        # Bullet keeps things that far from it; its default are 4 cm.
        "margin": MARGIN,
        **_FRAME,
        "semantic_up": _FRAME["up"],
        "semantic_front": _FRAME["front"],
    }
    _write_json(folder / "structure.stage_config.json", config)


def _placed(T_map_node: Array) -> dict[str, Any]:
    T = Y_UP_TO_Z_UP.T @ T_map_node @ Y_UP_TO_Z_UP
    x, y, z, w = quaternion_from_pose(T).tolist()
    return {"translation": T[:3, 3].tolist(), "rotation": [w, x, y, z]}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
