"""Tables of a memory's SQLite file, their versions, and what to do with a file that is damaged.

Each entry of `MIGRATIONS` takes the file one version further; the file's ``user_version`` says how many it has had.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from loci.store import words
from loci.store.errors import StoreError
from loci.store.write_ahead_log import find_log_damage

#: "LOCI": says that an SQLite file is ours.
APPLICATION_ID = 0x4C4F4349

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # seq is the order of insertion; check is the CRC-32 of the rest (`row_check`).
        """CREATE TABLE record (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, stamp_ns INTEGER NOT NULL,
            session TEXT NOT NULL, map_id TEXT NOT NULL, fields TEXT NOT NULL, arrays BLOB, blobs TEXT NOT NULL,
            "check" INTEGER NOT NULL, UNIQUE (kind, id))""",
        "CREATE INDEX record_kind ON record (kind)",
        "CREATE TABLE blob (digest TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE reference (digest TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (digest, seq)) WITHOUT ROWID",
        "CREATE INDEX reference_seq ON reference (seq)",
    ),
    words.CREATE,
)

#: Columns of a row as it is passed around: (kind, id, stamp_ns, session, map_id, fields, arrays, blobs, check).
COLUMNS = 'kind, id, stamp_ns, session, map_id, fields, arrays, blobs, "check"'
Row = tuple[str, str, int, str, str, str, bytes | None, str, int]


def row_check(row: tuple[object, ...]) -> int:
    """CRC-32 of the first eight columns of a row: a flipped bit on disk is noticed where it is read."""
    arrays = row[6]
    value = zlib.crc32(repr((*row[:6], row[7])).encode())
    return zlib.crc32(arrays, value) if isinstance(arrays, bytes) else value


def schema_version(connection: sqlite3.Connection) -> int:
    """Version of an open file; 0: an empty one.

    Raises:
        StoreError: it is another program's file.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (tables or version):
        expected = f"expected a Loci database (application id {APPLICATION_ID:#x})"
        raise StoreError(f"{expected}, got one of another program ({application:#x})")
    return int(version)


def check_version(version: int, where: object) -> None:
    """Raises:
    StoreError: the file was written by a newer Loci.
    """
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{where} has schema version {version}, this Loci knows up to {len(MIGRATIONS)}: "
            "use a newer Loci (nothing was changed)"
        )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an open file (autocommit mode) to the newest version, all or nothing."""
    version = schema_version(connection)
    if version == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def with_sidecars(path: Path) -> list[Path]:
    """An SQLite file with its write-ahead log and shared-memory file."""
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def find_damage(path: Path, thorough: bool = False) -> str:
    """What is wrong with an SQLite file, in words; empty: nothing that SQLite can see.

    Args:
        thorough: compare indexes with their tables, too.

    Raises:
        StoreError: it is a healthy file, but of another program or a newer Loci.
    """
    if path.stat().st_size == 0:
        return "it is empty"
    log_damage = find_log_damage(with_sidecars(path)[1])
    if log_damage:
        return log_damage
    connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        problems = [row[0] for row in connection.execute(f"PRAGMA {'integrity' if thorough else 'quick'}_check(3)")]
        if problems != ["ok"]:
            return "; ".join(problems)
        version = schema_version(connection)
        if version == 0:
            return "it has no tables"
        check_version(version, path)
    except sqlite3.OperationalError as error:
        # Locked, no permission, disk I/O: says nothing about the content, so the file must stay where it is.
        raise StoreError(f"{path} cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return ""


def salvage(damaged: Path, connection: sqlite3.Connection) -> int:
    """Copy every record that can still be read from a damaged file into an open, empty database; how many.

    The damaged file is not touched: SQLite works on a copy of it.
    """
    n = 0
    with tempfile.TemporaryDirectory(prefix=".salvage-", dir=damaged.parent) as folder:
        for path in with_sidecars(damaged)[:2]:
            if path.exists():
                shutil.copyfile(path, Path(folder) / path.name)
        _pad(Path(folder) / damaged.name)
        source = sqlite3.connect(Path(folder) / damaged.name, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            source.text_factory = bytes
            for key, value in _readable(source, "SELECT key, value FROM meta"):
                connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key.decode(), value.decode()))
            highest = _readable(source, "SELECT seq FROM sqlite_sequence WHERE name = 'record'")
            highest += _readable(source, "SELECT max(seq) FROM record")
            last = max((int(row[0]) for row in highest if row[0]), default=0)
            for raw in _readable_range(source, 1, last + 1):
                n += _insert_salvaged(connection, raw)
            connection.execute("COMMIT")
        finally:
            source.close()
    return n


def _pad(file: Path) -> None:
    """Give a truncated SQLite file the length that its header says: then SQLite reads the pages that are left."""
    if not file.exists():
        return
    with open(file, "r+b") as opened:
        header = opened.read(100)
        if len(header) == 100 and header.startswith(b"SQLite format 3\0"):
            page_size = int.from_bytes(header[16:18], "big")
            n_bytes = (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
            if file.stat().st_size < n_bytes <= 4 * file.stat().st_size + (1 << 20):
                opened.truncate(n_bytes)


def write_row(connection: sqlite3.Connection, row: Row, size_of: Mapping[str, int]) -> tuple[set[str], int]:
    """Insert or update one row and its references; blobs it no longer names, and bytes of blobs never named before.

    Args:
        size_of: bytes of the blobs that the row names.
    """
    (seq,) = connection.execute(
        f"""INSERT INTO record ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (kind, id) DO UPDATE SET stamp_ns = excluded.stamp_ns, session = excluded.session,
        map_id = excluded.map_id, fields = excluded.fields, arrays = excluded.arrays, blobs = excluded.blobs,
        "check" = excluded."check" RETURNING seq""",
        row,
    ).fetchone()
    words.index_text(connection, seq, row[0], row[1], row[5])
    before = {digest for (digest,) in connection.execute("SELECT digest FROM reference WHERE seq = ?", (seq,))}
    now = set(json.loads(row[7]))
    connection.executemany(
        "DELETE FROM reference WHERE digest = ? AND seq = ?", [(digest, seq) for digest in before - now]
    )
    connection.executemany("INSERT INTO reference VALUES (?, ?)", [(digest, seq) for digest in now - before])
    n_bytes = 0
    for digest in now - before:
        if connection.execute("INSERT OR IGNORE INTO blob VALUES (?, ?)", (digest, size_of[digest])).rowcount:
            n_bytes += size_of[digest]
    return before - now, n_bytes


def _insert_salvaged(connection: sqlite3.Connection, raw: tuple[object, ...]) -> int:
    try:
        row = tuple(v.decode() if isinstance(v, bytes) and i != 6 else v for i, v in enumerate(raw))
        if row_check(row) != row[8]:
            return 0
        digests = json.loads(str(row[7]))
        write_row(connection, row, dict.fromkeys(digests, 0))  # type: ignore[arg-type]
    except (UnicodeDecodeError, ValueError, sqlite3.Error):
        return 0
    return 1


def _readable(source: sqlite3.Connection, statement: str) -> list[tuple[bytes, ...]]:
    try:
        return source.execute(statement).fetchall()
    except sqlite3.Error:
        return []


def _readable_range(source: sqlite3.Connection, first: int, end: int) -> list[tuple[object, ...]]:
    """Rows with first <= seq < end that can be read: a range that fails is halved until the bad rows are alone."""
    rows: list[tuple[object, ...]] = []
    ranges = [(first, end)]
    while ranges:
        low, high = ranges.pop()
        if low >= high:
            continue
        try:
            statement = f"SELECT {COLUMNS} FROM record WHERE seq >= ? AND seq < ? ORDER BY seq"
            rows += source.execute(statement, (low, high)).fetchall()
        except sqlite3.Error:
            if high - low > 1:
                middle = (low + high) // 2
                ranges += [(middle, high), (low, middle)]
    return rows
