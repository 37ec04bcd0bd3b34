"""Models as Habitat shows them rightly: seen from both sides, with their colours and a little light in their textures.

Habitat draws only the fronts of triangles, whatever the material says; its lamp shader takes colour factors, which are linear
light, for sRGB values, and lights shine through walls. So every triangle gets a second one for its back, and what is
drawn is the texture as it is: painted in the material's colour, and darker on some sides than on others, so that edges show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci_sim.glb import Node, linear_to_srgb, srgb_to_linear
from loci_sim.meshes import Material, Mesh
from loci_sim.textures import Image

#: Side of the textures of plain colours [px].
_PLAIN = 4
#: Light on surfaces that face +x, -x, +y, -y, up and down in the map.
_LIGHT = (0.9, 0.78, 0.86, 0.74, 0.98, 0.7)


def for_habitat(nodes: Sequence[Node], textures: Mapping[str, Image]) -> tuple[list[Node], dict[str, Image]]:
    """Nodes, at their places in the map, and the textures that they use then."""
    used: dict[str, Image] = {}
    made = []
    for node in nodes:
        meshes: list[Mesh] = []
        for mesh in node.meshes:
            fronts_and_backs = np.concatenate([mesh.triangles, mesh.triangles[:, ::-1]])
            sides = _sides(mesh.vertices[fronts_and_backs] @ node.T_map_node[:3, :3].T)
            for side in np.unique(sides).tolist():
                name, image = _painted(mesh.material, _LIGHT[side], textures)
                used.setdefault(name, image)
                # Vertices of their own, so that each has the normal of its triangle.
                corners = fronts_and_backs[sides == side].reshape(-1)
                triangles = np.arange(len(corners)).reshape(-1, 3)
                material = Material((255, 255, 255), name, mesh.material.texture_size)
                meshes.append(Mesh(mesh.vertices[corners], triangles, mesh.uvs[corners], material))
        made.append(Node(node.name, node.T_map_node, tuple(meshes)))
    return made, used


def _sides(triangles: Array) -> npt.NDArray[np.int64]:
    """Which way triangles (T, 3, 3) face, (T,): index into `_LIGHT`."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    axis = np.argmax(np.abs(normals), axis=1)
    return np.asarray(2 * axis + (normals[np.arange(len(normals)), axis] < 0))


def _painted(material: Material, light: float, textures: Mapping[str, Image]) -> tuple[str, Image]:
    """Name and image of a material's texture in its colour and some light."""
    name = f"{material.texture or 'plain'}-{''.join(f'{c:02x}' for c in material.color)}-{round(100 * light)}"
    color = np.array(material.color, dtype=np.float64).reshape(1, 1, 3) / 255.0
    painted = np.broadcast_to(color, (_PLAIN, _PLAIN, 3))
    if material.texture:
        painted = linear_to_srgb(srgb_to_linear(textures[material.texture] / 255.0) * srgb_to_linear(color))
    return name, np.rint(painted * (255.0 * light)).astype(np.uint8)
