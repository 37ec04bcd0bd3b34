"""Models as Habitat shows them rightly: seen from both sides, and with colours in textures.

Habitat draws only the fronts of triangles, whatever the material says, and its lamp shader takes colour factors, which are
linear light, for sRGB values. So every triangle gets a second one for its back, and every colour is put into a texture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loci.geometry import Array
from loci_sim.glb import Node, linear_to_srgb, srgb_to_linear
from loci_sim.meshes import Material, Mesh
from loci_sim.textures import Image

#: Side of the textures of plain colours [px].
_PLAIN = 4


def for_habitat(nodes: Sequence[Node], textures: Mapping[str, Image]) -> tuple[list[Node], dict[str, Image]]:
    """Nodes and the textures that they use then."""
    used: dict[str, Image] = {}
    made = []
    for node in nodes:
        meshes = []
        for mesh in node.meshes:
            name, image = _painted(mesh.material, textures)
            used.setdefault(name, image)
            material = Material((255, 255, 255), name, mesh.material.texture_size)
            twice: list[Array] = [np.concatenate([a, a]) for a in (mesh.vertices, mesh.uvs)]
            backs = mesh.triangles[:, ::-1] + len(mesh.vertices)
            meshes.append(Mesh(twice[0], np.concatenate([mesh.triangles, backs]), twice[1], material))
        made.append(Node(node.name, node.T_map_node, tuple(meshes)))
    return made, used


def _painted(material: Material, textures: Mapping[str, Image]) -> tuple[str, Image]:
    """Name and image of a material's texture in its colour."""
    name = f"{material.texture or 'plain'}-{''.join(f'{c:02x}' for c in material.color)}"
    color = np.array(material.color, dtype=np.float64).reshape(1, 1, 3) / 255.0
    if not material.texture:
        return name, np.tile(np.array(material.color, dtype=np.uint8), (_PLAIN, _PLAIN, 1))
    painted = linear_to_srgb(srgb_to_linear(textures[material.texture] / 255.0) * srgb_to_linear(color))
    return name, np.rint(painted * 255.0).astype(np.uint8)
