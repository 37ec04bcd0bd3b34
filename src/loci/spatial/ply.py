"""PLY, what point cloud viewers read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_ply(path: Path, points: npt.NDArray[np.floating]) -> None:
    """Write points (N, 3) [m] as vertices of a binary PLY file, float32."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(points)}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    )
    path.write_bytes(header.encode() + np.ascontiguousarray(points, dtype="<f4").tobytes())
