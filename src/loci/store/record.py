"""A record of the store, and how it is a row of the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from loci.store.arrays import decode_arrays, encode_arrays
from loci.store.errors import StoreError
from loci.store.schema import Row, row_check

#: Made once: `json.dumps` would make one for each record.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True)
class Record:
    """One thing kept.

    Attributes:
        kind, id: together its key.
        fields: JSON object (tuples have become lists).
        stamp_ns, session, map_id: when it was observed, and where its poses belong.
        arrays: read-only arrays by name.
        blobs: digests of the files that it owns; they live as long as a record names them.
    """

    kind: str
    id: str
    fields: dict[str, Any]
    stamp_ns: int = 0
    session: str = ""
    map_id: str = ""
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    blobs: tuple[str, ...] = ()


def to_row(
    kind: str,
    record_id: str,
    fields: Mapping[str, Any],
    stamp_ns: int,
    session: str,
    map_id: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    blobs: Sequence[str],
) -> Row:
    """Row of a record.

    Raises:
        ValueError: no kind or id, fields that are not JSON (NaN is not), or arrays that are not numbers.
    """
    if not kind or not record_id:
        raise ValueError(f"expected a kind and an id, got {kind!r} and {record_id!r}")
    try:
        text = _ENCODER.encode(fields if isinstance(fields, dict) else dict(fields))
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected fields of {record_id} that are JSON: {error}") from error
    data = encode_arrays(arrays) if arrays else None
    row = (kind, record_id, int(stamp_ns), session, map_id, text, data, json.dumps(list(blobs)) if blobs else "[]")
    return (*row, row_check(row))


def blobs_of(row: Row) -> list[str]:
    """Digests that a row names."""
    return list(json.loads(row[7])) if row[7] != "[]" else []


def from_row(row: Row) -> Record:
    """Raises:
    StoreError: the row is not what was written.
    """
    kind, record_id, stamp_ns, session, map_id, fields, arrays, _, check = row
    if row_check(row[:8]) != check:
        raise StoreError(f"record {kind} {record_id} is damaged: its checksum does not match, it was left out")
    decoded = decode_arrays(arrays) if arrays is not None else {}
    return Record(kind, record_id, json.loads(fields), stamp_ns, session, map_id, decoded, tuple(blobs_of(row)))
