"""Geometry of scenes that tests compare with: triangles and box corners in the map, and a scene of one empty room."""

from __future__ import annotations

import numpy as np

from loci.geometry import Array, transform_points
from loci_sim.glb import Node
from loci_sim.meshes import Material, MeshBuilder, planar_pose
from loci_sim.scenes import Scene, SceneRoom, SceneThing

#: The empty room: inner faces of its walls and ceiling [m].
X0, X1, Y0, Y1, TOP = -2.0, 3.0, -1.5, 2.0, 2.5
#: A box in it: centre and extents [m].
BOX_CENTER, BOX_SIZE = (1.5, 1.0, 0.3), (0.4, 0.6, 0.6)


def node_triangles(scene: Scene, name: str) -> Array:
    """(T, 3, 3) [m] in the map."""
    node = next(n for n in scene.nodes if n.name == name)
    return np.concatenate([transform_points(node.T_map_node, m.vertices)[m.triangles] for m in node.meshes])


def thing_triangles(scene: Scene, thing: SceneThing) -> Array:
    """(T, 3, 3) [m] in the map, of a thing with its doors and drawers as they are at first."""
    return np.concatenate([node_triangles(scene, name) for name in thing.nodes])


def box_corners(thing: SceneThing) -> Array:
    """(8, 3) [m] in the map."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return transform_points(thing.T_map_box, signs * thing.size / 2)


def empty_room() -> Scene:
    """A room with one crate in it, whose every distance is known."""
    gray, nodes = Material((180, 180, 180)), []
    faces = {
        "floor": [[(X0, Y0, 0), (X1, Y0, 0), (X1, Y1, 0), (X0, Y1, 0)]],
        "ceiling": [[(X0, Y0, TOP), (X0, Y1, TOP), (X1, Y1, TOP), (X1, Y0, TOP)]],
        "wall": [
            [(X0, Y1, 0), (X0, Y0, 0), (X0, Y0, TOP), (X0, Y1, TOP)],
            [(X1, Y0, 0), (X1, Y1, 0), (X1, Y1, TOP), (X1, Y0, TOP)],
            [(X0, Y0, 0), (X1, Y0, 0), (X1, Y0, TOP), (X0, Y0, TOP)],
            [(X1, Y1, 0), (X0, Y1, 0), (X0, Y1, TOP), (X1, Y1, TOP)],
        ],
    }
    for name, polygons in faces.items():
        b = MeshBuilder()
        for corners in polygons:
            b.polygon(corners, gray)
        nodes.append(Node(name, np.eye(4), b.meshes()))
    half = np.array(BOX_SIZE) / 2
    b = MeshBuilder()
    b.box(-half, half, Material((200, 40, 40)))
    nodes.append(Node("crate_1", planar_pose(*BOX_CENTER, 0.0), b.meshes()))
    crate = SceneThing(
        "crate_1", "crate", "red", 1, planar_pose(*BOX_CENTER, 0.0), np.array(BOX_SIZE), "room", "", "crate_1"
    )
    room = SceneRoom("room", "study", np.array([[X0, Y0], [X1, Y0], [X1, Y1], [X0, Y1]]))
    structure = {name: (name, "room") for name in faces}
    return Scene("empty", 0, "empty-0", tuple(nodes), {}, (crate,), (room,), structure, (0.0, 0.0, 0.0))
