"""Where the worker puts a camera's images: one file in memory that both sides map, made and removed by Loci.

A plain file, not `multiprocessing.shared_memory`: before Python 3.13 that removes what others still use.
"""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

#: Images are laid out one after the other: depth (float32), ids (uint32), colour; bytes a pixel of each.
_COLOR, _DEPTH, _IDS = 3, 4, 4


def size_of(width: int, height: int) -> int:
    """Bytes of a camera's images."""
    return width * height * (_COLOR + _DEPTH + _IDS)


class Frames:
    """A mapped file as images: color (H, W, 3) uint8, depth (H, W) float32 [m] and ids (H, W) uint32."""

    def __init__(self, path: str, width: int, height: int) -> None:
        n = width * height
        if Path(path).stat().st_size != size_of(width, height):
            raise ValueError(f"expected {size_of(width, height)} bytes in {path}, got {Path(path).stat().st_size}")
        with open(path, "r+b") as file:
            mapped = mmap.mmap(file.fileno(), 0)
        # The arrays keep the mapping; it goes with the last of them.
        whole = np.frombuffer(mapped, dtype=np.uint8)
        depth_at, ids_at = n * _DEPTH, n * (_DEPTH + _IDS)
        self.depth = whole[:depth_at].view(np.float32).reshape(height, width)
        self.ids = whole[depth_at:ids_at].view(np.uint32).reshape(height, width)
        self.color = whole[ids_at:].reshape(height, width, _COLOR)

    def copies(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Color, depth and ids as arrays of their own."""
        return self.color.copy(), self.depth.copy(), self.ids.copy()
