"""Reads and writes binary glTF 2.0 (.glb): named nodes of textured triangles, and nothing else of the format.

Files are y-up as the format demands; in memory everything is z-up: (x, y, z) of the map is (x, z, -y) in the file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import pose_from_quaternion, quaternion_from_pose
from loci_sim.meshes import Floats, Material, Mesh
from loci_sim.textures import Image

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_FLOAT, _UINT = 5126, 5125
_TYPES = {5121: np.uint8, 5123: np.uint16, _UINT: np.uint32, _FLOAT: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}

#: Rotation from the file's y-up axes to the map's z-up ones.
Y_UP_TO_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True)
class Node:
    """A named thing of a scene.

    Attributes:
        name: unique in the scene.
        T_map_node: (4, 4) from the meshes' frame to the map.
        meshes: one per material.
    """

    name: str
    T_map_node: Floats
    meshes: tuple[Mesh, ...]


class GlbError(ValueError):
    """A file is not a binary glTF that this module can read."""


def srgb_to_linear(values: npt.NDArray[np.floating]) -> Floats:
    """Linear light of sRGB values, both 0..1 (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((np.asarray(values, dtype=np.float64) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: npt.NDArray[np.floating]) -> Floats:
    """sRGB values of linear light, both 0..1."""
    safe = np.maximum(np.asarray(values, dtype=np.float64), 0.0)
    return np.where(safe <= 0.0031308, safe * 12.92, 1.055 * safe ** (1 / 2.4) - 0.055)


@dataclass
class _Writer:
    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)

    def view(self, raw: bytes) -> int:
        self.data.extend(b"\0" * (-len(self.data) % 4))
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)})
        self.data.extend(raw)
        return len(self.views) - 1

    def accessor(self, values: npt.NDArray[Any], kind: str, bounds: bool = False) -> int:
        component = _UINT if values.dtype == np.uint32 else _FLOAT
        entry = {
            "bufferView": self.view(values.tobytes()),
            "componentType": component,
            "count": len(values),
            "type": kind,
        }
        if bounds:
            entry |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1


def write_glb(path: Path, nodes: Sequence[Node], textures: Mapping[str, Image]) -> None:
    """Write nodes as one scene; the file appears whole or not at all.

    Args:
        textures: (H, W, 3) uint8 sRGB image of every texture name that a material uses.
    """
    out = _Writer()
    materials: dict[tuple[tuple[int, int, int], str], int] = {}
    images: dict[str, int] = {}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "loci_sim"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": [],
        "meshes": [],
        "materials": [],
    }
    for node in nodes:
        primitives = []
        for mesh in node.meshes:
            corners = mesh.triangles.reshape(-1)
            # Vertices are shared by coplanar triangles only, so that a vertex has one normal.
            normals = np.zeros_like(mesh.vertices)
            normals[corners] = np.repeat(mesh.normals, 3, axis=0)
            attributes = {
                "POSITION": out.accessor(_to_y_up(mesh.vertices), "VEC3", bounds=True),
                "NORMAL": out.accessor(_to_y_up(normals), "VEC3"),
            }
            if mesh.material.texture:
                attributes["TEXCOORD_0"] = out.accessor(mesh.uvs.astype(np.float32), "VEC2")
            key = (mesh.material.color, mesh.material.texture)
            if key not in materials:
                materials[key] = len(materials)
                document["materials"].append(_material(mesh.material, images))
            indices = out.accessor(corners.astype(np.uint32), "SCALAR")
            primitives.append({"attributes": attributes, "indices": indices, "material": materials[key]})
        T = Y_UP_TO_Z_UP.T @ node.T_map_node @ Y_UP_TO_Z_UP
        document["meshes"].append({"primitives": primitives})
        document["nodes"].append(
            {
                "name": node.name,
                "mesh": len(document["meshes"]) - 1,
                "translation": T[:3, 3].tolist(),
                "rotation": quaternion_from_pose(T).tolist(),
            }
        )
    if images:
        document["images"] = []
        for name in images:
            encoded = cv2.imencode(".png", cv2.cvtColor(textures[name], cv2.COLOR_RGB2BGR))[1].tobytes()
            document["images"].append({"name": name, "mimeType": "image/png", "bufferView": out.view(encoded)})
        document["textures"] = [{"source": i} for i in range(len(images))]
    document |= {"accessors": out.accessors, "bufferViews": out.views, "buffers": [{"byteLength": len(out.data)}]}
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    body = bytes(out.data) + b"\0" * (-len(out.data) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text + struct.pack("<II", len(body), _BIN) + body
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(struct.pack("<III", _MAGIC, 2, 12 + len(chunks)) + chunks)
    temporary.replace(path)


def _to_y_up(points: Floats) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray((points @ Y_UP_TO_Z_UP[:3, :3]).astype(np.float32))


def _material(material: Material, images: dict[str, int]) -> dict[str, Any]:
    factor = srgb_to_linear(np.array(material.color) / 255.0)
    surface: dict[str, Any] = {
        "baseColorFactor": [*factor.tolist(), 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": 1.0,
    }
    if material.texture:
        surface["baseColorTexture"] = {"index": images.setdefault(material.texture, len(images))}
    return {"pbrMetallicRoughness": surface, "doubleSided": True}


def read_glb(path: Path) -> tuple[tuple[Node, ...], dict[str, Image]]:
    """Nodes with meshes (z-up, m) and textures (H, W, 3) uint8 of a file.

    Raises:
        GlbError: not a GLB of version 2, cut off, or with a feature that is not supported (its name is in the message).
        FileNotFoundError: there is no such file.
    """
    raw = path.read_bytes()
    if len(raw) < 20 or struct.unpack_from("<II", raw) != (_MAGIC, 2):
        raise GlbError(f"expected a binary glTF 2.0 file, got {path} ({len(raw)} bytes)")
    chunks: dict[int, bytes] = {}
    at = 12
    while at + 8 <= len(raw):
        length, kind = struct.unpack_from("<II", raw, at)
        if at + 8 + length > len(raw):
            raise GlbError(
                f"expected {length} bytes in a chunk of {path}, got {len(raw) - at - 8}: is the file cut off?"
            )
        chunks.setdefault(kind, raw[at + 8 : at + 8 + length])
        at += 8 + length
    try:
        document = json.loads(chunks[_JSON])
        return _Reader(document, chunks.get(_BIN, b"")).scene()
    except (KeyError, IndexError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise GlbError(f"expected a valid glTF document in {path}, got {type(error).__name__}: {error}") from error


class _Reader:
    def __init__(self, document: dict[str, Any], data: bytes) -> None:
        self._document, self._data = document, data
        required = set(document.get("extensionsRequired", ()))
        if required:
            raise GlbError(f"expected a file without extensions, got {', '.join(sorted(required))}")

    def scene(self) -> tuple[tuple[Node, ...], dict[str, Image]]:
        textures = {self._image_name(i): self._image(i) for i in range(len(self._document.get("images", ())))}
        materials = [self._material(m) for m in self._document.get("materials", ())]
        nodes: list[Node] = []
        roots = self._document["scenes"][self._document.get("scene", 0)]["nodes"]
        stack = [(index, np.eye(4)) for index in reversed(roots)]
        while stack:
            index, T_parent = stack.pop()
            entry = self._document["nodes"][index]
            T = T_parent @ _local_pose(entry)
            stack += [(child, T) for child in reversed(entry.get("children", ()))]
            if "mesh" in entry:
                primitives = self._document["meshes"][entry["mesh"]]["primitives"]
                meshes = tuple(self._mesh(p, materials) for p in primitives)
                nodes.append(Node(entry.get("name", f"node {index}"), Y_UP_TO_Z_UP @ T @ Y_UP_TO_Z_UP.T, meshes))
        return tuple(nodes), textures

    def _values(self, index: int) -> npt.NDArray[Any]:
        entry = self._document["accessors"][index]
        if "sparse" in entry:
            raise GlbError("expected plain accessors, got a sparse one")
        view = self._document["bufferViews"][entry["bufferView"]]
        dtype, width = np.dtype(_TYPES[entry["componentType"]]), _WIDTHS[entry["type"]]
        start = view.get("byteOffset", 0) + entry.get("byteOffset", 0)
        stride = view.get("byteStride", dtype.itemsize * width)
        if start + stride * (entry["count"] - 1) + dtype.itemsize * width > len(self._data):
            raise GlbError("expected accessors inside the binary chunk: is the file cut off?")
        values: npt.NDArray[Any] = np.ndarray(
            (entry["count"], width), dtype, self._data, start, (stride, dtype.itemsize)
        )
        return values.copy()

    def _mesh(self, primitive: dict[str, Any], materials: list[Material]) -> Mesh:
        if primitive.get("mode", 4) != 4:
            raise GlbError(f"expected triangles (mode 4), got mode {primitive['mode']}")
        attributes = primitive["attributes"]
        vertices = self._values(attributes["POSITION"]).astype(np.float64) @ Y_UP_TO_Z_UP[:3, :3].T
        if "indices" in primitive:
            corners = self._values(primitive["indices"])[:, 0].astype(np.int64)
        else:
            corners = np.arange(len(vertices))
        uvs = np.zeros((len(vertices), 2))
        if "TEXCOORD_0" in attributes:
            uvs = self._values(attributes["TEXCOORD_0"]).astype(np.float64)
        material = materials[primitive["material"]] if "material" in primitive else Material((200, 200, 200))
        return Mesh(vertices, corners.reshape(-1, 3), uvs, material)

    def _material(self, entry: dict[str, Any]) -> Material:
        surface = entry.get("pbrMetallicRoughness", {})
        factor = np.asarray(surface.get("baseColorFactor", (1.0, 1.0, 1.0, 1.0)), dtype=np.float64)[:3]
        r, g, b = np.rint(linear_to_srgb(factor) * 255.0).astype(int).tolist()
        texture = ""
        if "baseColorTexture" in surface:
            texture = self._image_name(self._document["textures"][surface["baseColorTexture"]["index"]]["source"])
        return Material((r, g, b), texture)

    def _image_name(self, index: int) -> str:
        return str(self._document["images"][index].get("name", f"image {index}"))

    def _image(self, index: int) -> Image:
        view = self._document["bufferViews"][self._document["images"][index]["bufferView"]]
        start = view.get("byteOffset", 0)
        raw = np.frombuffer(self._data, np.uint8, view["byteLength"], start)
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR)
        if image is None:
            raise GlbError(f"expected a PNG or JPEG as image {index}, got something else")
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _local_pose(entry: dict[str, Any]) -> Floats:
    if "matrix" in entry:
        columns: Floats = np.asarray(entry["matrix"], dtype=np.float64).reshape(4, 4)
        return columns.T
    T = pose_from_quaternion(entry.get("translation", (0.0, 0.0, 0.0)), entry.get("rotation", (0.0, 0.0, 0.0, 1.0)))
    T[:3, :3] *= np.asarray(entry.get("scale", (1.0, 1.0, 1.0)), dtype=np.float64)
    return T
