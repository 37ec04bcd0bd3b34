"""Morton codes: one sortable integer per voxel in which a cube of any size is a contiguous range (a key prefix).

Coordinates are non-negative integers of at most `MAX_BITS` bits; x takes the highest of each three bits, so that the
order of siblings is x, then y, then z. Tensors in, tensors out, on any device. This module knows no metres.
"""

from __future__ import annotations

import torch

#: Bits per axis: three of them fit into an int64 that stays positive.
MAX_BITS = 20

SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def _spread(values: torch.Tensor) -> torch.Tensor:
    """Put two zero bits between the bits of ``values`` (int64)."""
    for shift, mask in SPREAD:
        values = (values | (values << shift)) & mask
    return values


def _gather(values: torch.Tensor) -> torch.Tensor:
    """Inverse of `_spread`; the bits between are ignored."""
    values = values & SPREAD[-1][1]
    masks = [mask for _, mask in reversed(SPREAD[:-1])] + [(1 << MAX_BITS) - 1]
    for (shift, _), mask in zip(reversed(SPREAD), masks, strict=True):
        values = (values | (values >> shift)) & mask
    return values


def encode(coordinates: torch.Tensor) -> torch.Tensor:
    """Morton codes (...) int64 of integer coordinates (..., 3), each in [0, 2^20).

    Source: G. M. Morton, A Computer Oriented Geodetic Data Base (1966); bit spreading as in Bentley's magic masks.
    """
    spread = _spread(coordinates.to(torch.int64))
    return (spread[..., 0] << 2) | (spread[..., 1] << 1) | spread[..., 2]


def decode(codes: torch.Tensor) -> torch.Tensor:
    """Integer coordinates (..., 3) int64 of Morton codes (...)."""
    return torch.stack([_gather(codes >> 2), _gather(codes >> 1), _gather(codes)], dim=-1)


def prefix(codes: torch.Tensor, level: int) -> torch.Tensor:
    """Codes of the cubes of 2^level voxels per edge that hold the voxels (an ancestor's code in its own level)."""
    return codes >> (3 * level)


def code_range(prefixes: torch.Tensor, level: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First code inside, and first code behind, the cubes with these prefixes: all codes of a cube lie between."""
    return prefixes << (3 * level), (prefixes + 1) << (3 * level)


def children(prefixes: torch.Tensor) -> torch.Tensor:
    """Codes (..., 8) of the eight halves of the cubes, one level finer."""
    return (prefixes << 3).unsqueeze(-1) | torch.arange(8, dtype=torch.int64, device=prefixes.device)
