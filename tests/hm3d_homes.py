"""A home of ours laid out as HM3D lays out its scenes: one textured mesh, one coloured mesh of annotations, and their list."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from loci.geometry import Array, transform_points
from loci_sim.glb import linear_to_srgb, write_glb
from loci_sim.habitat.models import for_habitat
from loci_sim.habitat.semantic_mesh import write_colored_glb
from loci_sim.scenes import Scene

#: Vertex colours whose sRGB value is a whole number, nearly: Habitat looks for these in the list.
_LINEAR = np.arange(256)
_SRGB = 255.0 * linear_to_srgb(_LINEAR / 255.0)
_CHANNELS = [(int(v), round(float(s))) for v, s in zip(_LINEAR, _SRGB, strict=True) if abs(s - round(float(s))) < 0.05]


def write_hm3d(scene: Scene, scenes_dir: Path, folder: str) -> None:
    """Write a scene as ``hm3d/val/NUMBER-NAME`` with the dataset's config beside it; ``folder`` is NUMBER-NAME."""
    name = folder.split("-", 1)[1]
    home = scenes_dir / "hm3d" / "val" / folder
    home.mkdir(parents=True)
    write_glb(home / f"{name}.basis.glb", *for_habitat(scene.nodes, scene.textures))
    category = {n: label for n, (label, _) in scene.structure.items()}
    owner = {n: o for o in scene.objects for n in o.nodes}
    parts: list[tuple[Array, tuple[int, int, int]]] = []
    lines = ["HM3D Semantic Annotations"]
    ids: dict[str, int] = {}
    for node in scene.nodes:
        thing = owner.get(node.name)
        key = thing.id if thing is not None else node.name
        if key not in ids:
            ids[key] = len(ids) + 1
            written = "".join(f"{_CHANNELS[c][1]:02X}" for c in _color(ids[key]))
            label = thing.category if thing is not None else category.get(node.name, "unknown")
            lines.append(f'{ids[key]},{written},"{label}",0')
        color = _color(ids[key])
        r, g, b = (_CHANNELS[c][0] for c in color)
        for mesh in node.meshes:
            triangles = transform_points(node.T_map_node, mesh.vertices)[mesh.triangles]
            parts.append((np.concatenate([triangles, triangles[:, ::-1]]), (r, g, b)))
    write_colored_glb(home / f"{name}.semantic.glb", parts)
    (home / f"{name}.semantic.txt").write_text("\n".join(lines) + "\n")
    below = f"val/{folder}"
    config = {
        "stages": {
            "paths": {".glb": [f"{below}/*.basis.glb"]},
            "default_attributes": {
                "shader_type": "flat",
                "up": [0, 1, 0],
                "front": [0, 0, -1],
                "semantic_up": [0, 1, 0],
                "semantic_front": [0, 0, -1],
                "semantic_asset": "%%CONFIG_NAME_AS_ASSET_FILENAME%%.semantic.glb",
                "semantic_descriptor_filename": "%%CONFIG_NAME_AS_ASSET_FILENAME%%.semantic.txt",
                "has_semantic_textures": False,
            },
        },
        "scene_instances": {"default_attributes": {"default_lighting": "no_lights"}},
    }
    path = scenes_dir / "hm3d" / "hm3d_annotated_basis.scene_dataset_config.json"
    path.write_text(json.dumps(config))


def _color(number: int) -> tuple[int, int, int]:
    """Indices into `_CHANNELS` of a number's colour; none is black."""
    n = len(_CHANNELS)
    return number % n, number // n % n, number // n**2 % n
