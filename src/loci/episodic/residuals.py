"""What is kept of the residuals of a chain of writes, and in how many bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

ResidualFormat = Literal["float32", "float16", "int8", "none"]
FORMATS: tuple[ResidualFormat, ...] = get_args(ResidualFormat)

Vectors = npt.NDArray[np.float32]
Packed = Mapping[str, npt.NDArray[np.generic]]


def pack(residuals: Vectors, format: ResidualFormat) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays to keep of residuals (N, D): with int8, each row has a scale of its own; with none, nothing.

    Raises:
        ValueError: another format.
    """
    if format == "none":
        return {}
    if format == "int8":
        scale = np.maximum(np.abs(residuals).max(axis=1, initial=0.0), np.finfo(np.float32).tiny) / 127.0  # (N,)
        return {
            "residuals": np.rint(residuals / scale[:, None]).astype(np.int8),
            "scales": scale.astype(np.float32),
        }
    if format not in FORMATS:
        raise ValueError(f"expected residuals as one of {', '.join(FORMATS)}, got {format!r}")
    return {"residuals": residuals.astype(format)}


def unpack(packed: Packed) -> Vectors | None:
    """Residuals (N, D) as far as they were kept; None: not at all."""
    if "residuals" not in packed:
        return None
    residuals = np.asarray(packed["residuals"], dtype=np.float32)
    return residuals * np.asarray(packed["scales"], dtype=np.float32)[:, None] if "scales" in packed else residuals


def packed_bytes(packed: Packed) -> int:
    """Bytes of the arrays."""
    return sum(array.nbytes for array in packed.values())
