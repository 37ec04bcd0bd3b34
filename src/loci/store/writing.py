"""One commit as few SQL statements: what is new is inserted by the hundred, only what is changed or deleted is looked at one by one.

Everything here works inside a transaction of an open connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from loci.store import words
from loci.store.record import blobs_of
from loci.store.schema import COLUMNS, Row, write_row

#: Ids that one statement looks up; SQLite takes 999 or more variables.
_STEP = 500


def write_batch(
    connection: sqlite3.Connection, batch: Mapping[tuple[str, str], Row | None], size_of: dict[str, int]
) -> tuple[set[str], int]:
    """Write rows by (kind, id), None: delete it; blobs that some row names no longer, and bytes of blobs never named before.

    Args:
        size_of: bytes of the blobs that the rows name.
    """
    seq_of = _known(connection, batch)
    dropped, n_bytes = set[str](), 0
    new: list[Row] = []
    for key, row in batch.items():
        seq = seq_of.get(key)
        if row is None:
            if seq is not None:
                dropped |= _delete(connection, seq, key[0])
        elif seq is None:
            new.append(row)
        else:
            gone, added = write_row(connection, row, size_of)
            dropped |= gone
            n_bytes += added
    return dropped, n_bytes + _insert(connection, new, size_of)


def delete_unreferenced(connection: sqlite3.Connection, digests: Iterable[str]) -> tuple[set[str], int]:
    """Take those of some blobs that no record names out of the table; which they are, and their bytes."""
    gone, freed = set[str](), 0
    for digest in digests:
        if not connection.execute("SELECT 1 FROM reference WHERE digest = ?", (digest,)).fetchone():
            gone.add(digest)
            sizes = connection.execute("DELETE FROM blob WHERE digest = ? RETURNING size", (digest,))
            freed += sum(size for (size,) in sizes)
    return gone, freed


def _known(connection: sqlite3.Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Sequence number by (kind, id) of those that are in the database."""
    ids: dict[str, list[str]] = {}
    for kind, record_id in keys:
        ids.setdefault(kind, []).append(record_id)
    found: dict[tuple[str, str], int] = {}
    for kind, wanted in ids.items():
        for first in range(0, len(wanted), _STEP):
            some = wanted[first : first + _STEP]
            marks = ", ".join("?" * len(some))
            statement = f"SELECT id, seq FROM record WHERE kind = ? AND id IN ({marks})"
            found |= {(kind, record_id): seq for record_id, seq in connection.execute(statement, (kind, *some))}
    return found


def _insert(connection: sqlite3.Connection, rows: Sequence[Row], size_of: Mapping[str, int]) -> int:
    """Insert rows that are not there, numbered in their order; bytes of blobs that no row named before."""
    if not rows:
        return 0
    # As AUTOINCREMENT does: one more than ever there was, not only than there is.
    (last,) = connection.execute(
        """SELECT max(coalesce((SELECT max(seq) FROM record), 0),
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record'), 0))"""
    ).fetchone()
    first = 1 + int(last)
    connection.executemany(
        f"INSERT INTO record (seq, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((seq, *row) for seq, row in enumerate(rows, first)),
    )
    words.insert_texts(connection, ((seq, row[0], row[1], row[5]) for seq, row in enumerate(rows, first)))
    named = [(digest, seq) for seq, row in enumerate(rows, first) for digest in dict.fromkeys(blobs_of(row))]
    if not named:
        return 0
    connection.executemany("INSERT INTO reference VALUES (?, ?)", named)
    n_bytes = 0
    for digest in dict.fromkeys(digest for digest, _ in named):
        if connection.execute("INSERT OR IGNORE INTO blob VALUES (?, ?)", (digest, size_of[digest])).rowcount:
            n_bytes += size_of[digest]
    return n_bytes


def _delete(connection: sqlite3.Connection, seq: int, kind: str) -> set[str]:
    """Delete a record; the blobs that it named."""
    named = {d for (d,) in connection.execute("DELETE FROM reference WHERE seq = ? RETURNING digest", (seq,))}
    words.drop_text(connection, seq, kind)
    connection.execute("DELETE FROM record WHERE seq = ?", (seq,))
    return named
