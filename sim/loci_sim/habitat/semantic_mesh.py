"""Writes triangles with one colour per part as a GLB: a semantic mesh, as Habitat takes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loci.geometry import Array
from loci_sim.glb import Y_UP_TO_Z_UP

_ARRAY, _FLOAT, _UBYTE = 34962, 5126, 5121


def write_colored_glb(path: Path, parts: Sequence[tuple[Array, tuple[int, int, int]]]) -> None:
    """Write parts of triangles (T, 3, 3) in the map [m], each with its vertices' colour (0..255 each)."""
    corners = np.concatenate([triangles.reshape(-1, 3) for triangles, _ in parts])
    points = np.ascontiguousarray((corners @ Y_UP_TO_Z_UP[:3, :3]).astype(np.float32))
    colors = np.concatenate([np.tile((*color, 255), (triangles.size // 3, 1)) for triangles, color in parts])
    body = points.tobytes() + colors.astype(np.uint8).tobytes()
    n = len(points)
    document = {
        "asset": {"version": "2.0", "generator": "loci_sim"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "semantic", "mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2}]}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": _FLOAT,
                "count": n,
                "type": "VEC3",
                "min": points.min(axis=0).tolist(),
                "max": points.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": _UBYTE, "normalized": True, "count": n, "type": "VEC4"},
            {"bufferView": 2, "componentType": 5125, "count": n, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": points.nbytes, "target": _ARRAY},
            {"buffer": 0, "byteOffset": points.nbytes, "byteLength": 4 * n, "target": _ARRAY},
            {"buffer": 0, "byteOffset": len(body), "byteLength": 4 * n},
        ],
        "buffers": [{"byteLength": len(body) + 4 * n}],
    }
    body += np.arange(n, dtype=np.uint32).tobytes()
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(body), 0x004E4942) + body
    path.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks)
