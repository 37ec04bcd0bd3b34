"""What can be made anew from the records, kept beside the database so that opening is quick: one file per index.

A file is written whole, carries the SHA-256 of its arrays, and is thrown away (set aside, reported) when they disagree. It is never
the only place of anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.store.arrays import decode_arrays, encode_arrays
from loci.store.blobs import write_durably
from loci.store.errors import StoreError

FOLDER = "index"
_SUFFIX = ".safetensors"


def write_index(folder: Path, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Replace an index's file; durable on return."""
    folder.mkdir(exist_ok=True)
    digest = np.frombuffer(_digest(arrays), np.uint8)
    write_durably(folder / f"{name}{_SUFFIX}", encode_arrays({**arrays, "sha256": digest}))


def read_index(folder: Path, name: str) -> dict[str, npt.NDArray[Any]] | None:
    """Arrays of an index; None: there is no file.

    Raises:
        StoreError: the file is not what was written.
    """
    path = folder / f"{name}{_SUFFIX}"
    try:
        arrays = decode_arrays(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StoreError(f"index {path} is damaged: {error}") from error
    digest = arrays.pop("sha256", np.zeros(0, np.uint8))
    if digest.tobytes() != _digest(arrays):
        raise StoreError(f"index {path} is damaged: its content does not match its checksum")
    return arrays


def index_files(folder: Path) -> list[Path]:
    """Files of all indexes, finished and unfinished."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def remove_indexes(folder: Path) -> None:
    """Delete all of them: they are made anew when they are needed."""
    for path in index_files(folder):
        path.unlink()


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    return hashlib.sha256(encode_arrays(dict(sorted(arrays.items())))).digest()
