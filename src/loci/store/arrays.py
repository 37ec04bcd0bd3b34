"""Arrays as bytes in the safetensors format, so that records hold no pickle and other tools can read them.

Written out here (an 8-byte length, a JSON header, raw little-endian data) because records are small and many:
the core needs no further package for it, and reading makes views instead of copies.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

_NAMES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
}
_TAGS = {dtype: tag for tag, dtype in _NAMES.items()}


def encode_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Bytes of named arrays of any shape.

    Raises:
        ValueError: a type that safetensors does not have (objects, strings, complex numbers).
    """
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if _type_name(array.dtype) not in _TAGS:
            raise ValueError(f"expected array {name!r} of numbers or bool, got {array.dtype}")
    text = _header(tuple((name, _type_name(array.dtype), array.shape) for name, array in plain.items()))
    chunks = [a.astype(_little(a.dtype), copy=False).tobytes() for a in plain.values()]
    return b"".join([struct.pack("<Q", len(text)), text, *chunks])


@lru_cache(maxsize=256)
def _type_name(dtype: np.dtype[Any]) -> str:
    return dtype.name


@lru_cache(maxsize=256)
def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


@lru_cache(maxsize=256)
def _header(arrays: tuple[tuple[str, str, tuple[int, ...]], ...]) -> bytes:
    """Header of arrays by (name, type, shape): the same for most records of a kind."""
    header: dict[str, dict[str, object]] = {}
    start = 0
    for name, dtype, shape in arrays:
        offsets = [start, start + math.prod(shape) * np.dtype(dtype).itemsize]
        header[name] = {"dtype": _TAGS[dtype], "shape": list(shape), "data_offsets": offsets}
        start = offsets[1]
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)  # data start aligned, as the format asks


@lru_cache(maxsize=256)
def _layout(header: bytes) -> tuple[tuple[str, np.dtype[Any], int, int, tuple[int, ...]], ...]:
    """(name, type, number of values, first byte, shape) of the arrays of a header: the same for most records of a kind.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is none.
    """
    entries = json.loads(header)
    if not isinstance(entries, dict):
        raise ValueError(f"expected a header that is an object, got {type(entries).__name__}")
    layout: list[tuple[str, np.dtype[Any], int, int, tuple[int, ...]]] = []
    for name, entry in entries.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        shape = tuple(entry["shape"])
        dtype = np.dtype(_NAMES[entry["dtype"]]).newbyteorder("<")
        if last - first != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"array {name!r} has {last - first} bytes, its shape {shape} {dtype} needs other")
        layout.append((name, dtype, math.prod(shape), first, shape))
    return tuple(layout)


def decode_arrays(data: bytes) -> dict[str, npt.NDArray[Any]]:
    """Named arrays, read-only views of ``data``.

    Raises:
        ValueError: ``data`` is not what `encode_arrays` (or safetensors) writes.
    """
    try:
        (length,) = struct.unpack_from("<Q", data)
        return {
            name: np.frombuffer(data, dtype, n, 8 + length + first).reshape(shape)
            for name, dtype, n, first, shape in _layout(data[8 : 8 + length])
        }
    except (struct.error, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"expected arrays in the safetensors format, got {len(data)} other bytes ({error})") from error
