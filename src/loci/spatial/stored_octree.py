"""An octree in the store: an outline, and the voxels of its bricks in files by cubes of space, each read and written alone.

So neither saving nor opening needs the memory of all bricks, a cube in which nothing has changed is not written again, and a
damaged file costs one cube: its bricks are told, and the caller makes them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import voxels
from loci.spatial.octree import Octree, OctreeParameters
from loci.store.arrays import decode_arrays, encode_arrays
from loci.store.errors import StoreError
from loci.store.record import Record
from loci.store.store import Store

#: A file holds a cube of 2^n bricks per edge: 3.2 m of 5 cm voxels, and at most 4 MB.
_CUBE_LEVEL = 3


@dataclass(frozen=True)
class StoredCubes:
    """Which file holds which cube of an octree as of a scan.

    Attributes:
        n_scans: scans that the octree had taken in.
        digests: of the file of each cube, by the cube's Morton code.
    """

    n_scans: int
    digests: Mapping[int, str]


@dataclass(frozen=True)
class Opened:
    """An octree from the store.

    Attributes:
        octree: with all bricks that it had.
        cubes: which files hold it, without the damaged ones.
        damaged: (B,) int64 keys of the bricks whose voxels could not be read: nothing is known of them.
        errors: what was wrong with each damaged file.
    """

    octree: Octree
    cubes: StoredCubes
    damaged: torch.Tensor
    errors: tuple[str, ...]


def save_octree(store: Store, octree: Octree, before: StoredCubes | None) -> tuple[dict[str, Any], StoredCubes]:
    """Put an octree into the store.

    Args:
        store: files go there; durable at its next commit.
        octree: nobody else may write to it meanwhile.
        before: as what it was stored before, or from what it was opened; these files must still be there. None: it was not.

    Returns:
        fields for a record, which must name the files (see `files_of`) as its blobs; and the files by cube.
    """
    bricks = octree.bricks
    newest = bricks.newest_scan[bricks.rows].cpu().numpy()
    digests: dict[int, str] = {}
    for cube, first, last in _cubes(bricks.keys):
        digest = before.digests.get(cube) if before is not None else None
        if digest is None or before is None or newest[first:last].max() >= before.n_scans:
            digest = store.put_blob(encode_arrays(octree.voxel_arrays(first, last)))
        digests[cube] = digest
    outline = store.put_blob(encode_arrays(octree.outline()))
    return {"outline": outline, "cubes": list(digests.values())}, StoredCubes(octree.n_scans, digests)


def files_of(fields: Mapping[str, Any]) -> list[str]:
    """Digests of the files that hold the octree of a record with these fields."""
    return list(dict.fromkeys([fields["outline"], *fields["cubes"]]))


def open_octree(
    store: Store, record: Record, parameters: OctreeParameters, device: str, scratch: Path | None
) -> Opened:
    """The octree of a record that `save_octree` made the fields of, or (before it) had one file with all arrays.

    Raises:
        StoreError: the outline, or that one file, is missing or damaged.
        ValueError: it is of another leaf size or world, or its parts do not fit together.
        OSError: there is no space for so many bricks.
    """
    fields = record.fields
    nothing = torch.zeros(0, dtype=torch.int64)
    if "outline" not in fields:
        arrays = decode_arrays(store.blob(fields["digest"]))
        octree = Octree.from_arrays(arrays, parameters, device, scratch=scratch)
        return Opened(octree, StoredCubes(octree.n_scans, {}), nothing, ())
    outline = decode_arrays(store.blob(fields["outline"]))
    octree = Octree.from_outline(outline, parameters, device, scratch=scratch)
    keys = octree.bricks.keys
    cubes = _cubes(keys)
    if len(fields["cubes"]) != len(cubes):
        raise ValueError(f"expected {len(cubes)} files of the octree's cubes, got {len(fields['cubes'])}")
    digests: dict[int, str] = {}
    damaged, errors = [nothing], []
    for (cube, first, last), digest in zip(cubes, fields["cubes"], strict=True):
        try:
            _put_cube(octree, first, last, decode_arrays(store.blob(digest)))
        except (StoreError, ValueError) as error:
            damaged.append(keys[first:last].cpu())
            errors.append(str(error))
        else:
            digests[cube] = digest
    return Opened(octree, StoredCubes(octree.n_scans, digests), torch.cat(damaged), tuple(errors))


def _cubes(keys: torch.Tensor) -> list[tuple[int, int, int]]:
    """Morton code of each cube that holds bricks with these keys (B,), ascending, and its range [first, last) of them."""
    codes = voxels.prefix(keys, _CUBE_LEVEL).cpu().numpy()
    bounds = [*np.flatnonzero(np.diff(codes, prepend=-1)).tolist(), len(codes)]
    return [(int(codes[first]), first, last) for first, last in pairwise(bounds)]


def _put_cube(octree: Octree, first: int, last: int, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    found = {len(array) for array in arrays.values()}
    if found != {last - first}:
        raise ValueError(f"expected voxels of {last - first} bricks in a file of the octree, got {sorted(found)}")
    octree.put_voxels(first, arrays)
