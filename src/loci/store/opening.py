"""Opening a memory's folder, with whatever state a crash or a bad disk left it in, and copying it whole.

The rule: what is damaged is set aside below ``damaged/``, what can be read of it is taken over, and each such step is
reported. What is not damaged but foreign (another program's, a newer Loci's) is refused and left untouched.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loci.observation import check_name
from loci.store.blobs import BlobFiles, fsync_path, set_aside
from loci.store.errors import StoreError
from loci.store.manifest import IdCounter, Manifest, WriterLock
from loci.store.schema import MIGRATIONS, check_version, find_damage, migrate, salvage, schema_version, with_sidecars

DATABASE = "memory.sqlite"
_OURS = {"manifest.json", "ids.json", DATABASE, "blobs", "damaged", "index", "lock"}

#: Takes one line for the user.
Warn = Callable[[str], None]


def memory_path(name: str, root: Path | None = None) -> Path:
    """Folder of the memory called ``name``, below ``root`` (default: ``$XDG_DATA_HOME/loci``, ``~/.local/share/loci``).

    Raises:
        ValueError: ``name`` is a path, not a name.
    """
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "loci"
    return (root or base) / check_name(name, "memory name")


def check_for_reading(path: Path) -> Manifest:
    """The manifest of a memory that can be read as it is; one of an older Loci has no full text (schema version 1).

    Raises:
        StoreError: there is no memory, it is damaged, or of a newer Loci.
    """
    try:
        manifest = Manifest.read(path / "manifest.json")
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"there is no memory in {path}: expected a file manifest.json") from None
    except ValueError as error:
        raise StoreError(f"{path / 'manifest.json'} is damaged: {error}; open for writing to repair it") from error
    check_version(manifest.schema, path)
    if not (path / DATABASE).exists():
        raise StoreError(f"{path / DATABASE} is missing; open for writing to go on without its records")
    try:
        connection = connect_to_read(path)
        try:
            version = schema_version(connection)
            connection.execute("SELECT count(*) FROM record").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path / DATABASE} is damaged: {error}; open for writing to repair it") from error
    check_version(version, path / DATABASE)
    if version < 1:
        raise StoreError(f"{path / DATABASE} has no tables: open for writing to repair it")
    return manifest


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that only reads, usable by one thread at a time."""
    file = (path / DATABASE).resolve()
    uri = f"{file.as_uri()}?mode=ro"
    if not os.access(file.parent, os.W_OK) and not with_sidecars(file)[1].exists():
        uri += "&immutable=1"  # on a read-only disk SQLite cannot make the shared-memory file that it asks for
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)


def take_folder(path: Path) -> WriterLock:
    """Make the folder if needed, and take the right to write in it.

    Raises:
        StoreError: it is something else than a memory, or another process writes in it.
    """
    if path.exists() and not path.is_dir():
        raise StoreError(f"expected a folder, got a file: {path}")
    if path.is_dir():
        names = {p.name for p in path.iterdir()}
        if names and not names & _OURS:
            raise StoreError(f"{path} is not a memory: it has files, but no manifest.json")
    path.mkdir(parents=True, exist_ok=True)
    return WriterLock(path / "lock")


def read_manifest(path: Path, warn: Warn) -> Manifest | None:
    """The manifest; None: missing, or damaged (then it was set aside).

    Raises:
        StoreError: it is of a newer Loci.
    """
    file = path / "manifest.json"
    try:
        manifest = Manifest.read(file)
    except FileNotFoundError:
        return None
    except ValueError as error:
        warn(f"{file} is damaged ({error}): set aside in {set_aside([file], path / 'damaged')}")
        return None
    check_version(manifest.schema, path)
    return manifest


def open_database(
    path: Path, warn: Warn, *, expected: bool, thorough: bool = False, known_damage: str = ""
) -> sqlite3.Connection:
    """The writing connection to a healthy database of the newest version, in autocommit mode.

    Args:
        expected: there should be one already.
        thorough: look for damage that an ordinary opening has no time for.
        known_damage: what is wrong with it for certain; it is set aside.

    Raises:
        StoreError: the file is another program's or a newer Loci's.
    """
    file = path / DATABASE
    reason, damaged = "", None
    if file.exists() and (file.stat().st_size or expected):
        reason = known_damage or find_damage(file, thorough)
        if reason:
            damaged = set_aside(with_sidecars(file), path / "damaged")
    elif expected:
        warn(f"{file} is missing: its records are lost, ids go on")
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # every commit is asked for: it shall be durable
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        migrate(connection)
        if damaged is not None:
            n = salvage(damaged / DATABASE, connection)
            _measure_blobs(connection, BlobFiles(path / "blobs", path / "damaged"))
            warn(f"{file} is damaged ({reason}): set aside in {damaged}, {n} records could be read and were taken over")
    except BaseException:
        connection.close()
        raise
    return connection


def agree_on_manifest(
    path: Path, manifest: Manifest | None, connection: sqlite3.Connection, warn: Warn, is_repaired: bool
) -> Manifest:
    """The manifest, restored from the database's copy where it was lost; both are written where they differ."""
    rows = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    if manifest is None and "uuid" in rows:
        manifest = Manifest(rows["uuid"], path.name, len(MIGRATIONS), rows.get("created", ""))
        warn(f"{path / 'manifest.json'} was missing: restored from the database (uuid {manifest.uuid})")
    elif manifest is None:
        manifest = Manifest.new(path.name, len(MIGRATIONS))
        if is_repaired:
            warn(f"{path} has a new uuid {manifest.uuid}: the old one could not be read")
    current = replace(manifest, name=path.name, schema=len(MIGRATIONS))
    for key, value in (("uuid", current.uuid), ("created", current.created)):
        if rows.get(key) != value:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
    if current != manifest or not (path / "manifest.json").exists():
        current.write(path / "manifest.json")
    return current


def open_ids(path: Path, connection: sqlite3.Connection, warn: Warn) -> IdCounter:
    """The counter of ids, past every id that a record has."""
    taken: dict[str, int] = {}
    for (record_id,) in connection.execute("SELECT id FROM record"):
        kind, _, number = record_id.rpartition("/")
        if number.isdecimal():
            taken[kind] = max(taken.get(kind, 0), int(number))
    file = path / "ids.json"
    if taken and not file.exists():
        warn(f"{file} was missing: ids go on well after the highest in the records")
    try:
        return IdCounter(file, taken)
    except ValueError as error:
        warn(f"{file} is damaged ({error}): set aside in {set_aside([file], path / 'damaged')}")
        return IdCounter(file, taken)


def copy_memory(
    connection: sqlite3.Connection, blobs: BlobFiles, ids: bytes, to: Path, manifest: Manifest, warn: Warn
) -> None:
    """Write a whole memory into an empty folder: the database as the connection sees it, its blobs, and ``ids``."""
    target = sqlite3.connect(to / DATABASE, isolation_level=None)
    try:
        connection.backup(target)
        target.execute(
            "INSERT OR REPLACE INTO meta VALUES ('uuid', ?), ('created', ?)", (manifest.uuid, manifest.created)
        )
        digests = [digest for (digest,) in target.execute("SELECT DISTINCT digest FROM reference")]
    finally:
        target.close()
    (to / "blobs").mkdir()
    copy = BlobFiles(to / "blobs", to / "damaged")
    (to / "ids.json").write_bytes(ids)
    written = [to / DATABASE, to / "ids.json"]
    for digest in digests:
        if not blobs.path(digest).exists():
            warn(f"blob {digest} is missing: left out of the copy {to}")
            continue
        copy.path(digest).parent.mkdir(exist_ok=True)
        shutil.copyfile(blobs.path(digest), copy.path(digest))
        written.append(copy.path(digest))
    for file in (*written, *(to / "blobs").iterdir()):
        fsync_path(file)
    manifest.write(to / "manifest.json")  # last: a copy without a manifest is an unfinished one


def _measure_blobs(connection: sqlite3.Connection, blobs: BlobFiles) -> None:
    for (digest,) in connection.execute("SELECT digest FROM blob").fetchall():
        path = blobs.path(digest)
        size = path.stat().st_size if path.exists() else 0
        connection.execute("UPDATE blob SET size = ? WHERE digest = ?", (size, digest))
