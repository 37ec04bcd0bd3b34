"""Is a memory whole, and what can be done where it is not: `check_memory` only looks, `repair_memory` sets aside and mends.

Nothing that was damaged or that nobody names is deleted: it is moved below ``damaged/``, and told. What can be made from the records
(references, full text, vector indexes) is made anew.
"""

from __future__ import annotations

import base64
import fcntl
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loci.store import indexes, words
from loci.store.blobs import BlobFiles, set_aside, write_durably
from loci.store.errors import StoreError
from loci.store.manifest import Manifest
from loci.store.opening import DATABASE, connect_to_read
from loci.store.record import from_row
from loci.store.schema import COLUMNS, MIGRATIONS, check_version, schema_version, with_sidecars
from loci.store.store import ID_KINDS, Store
from loci.store.write_ahead_log import find_log_damage

Part = Literal["manifest", "ids", "database", "records", "images", "words", "index", "earlier damage"]

#: Told how far a check is, [0, 1], and what it looks at.
Progress = Callable[[float, str], None]

#: Names listed in one finding.
_N_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Attributes:
        part: of the memory.
        what: in words.
        is_damage: False: worth knowing, but nothing is wrong with what is kept.
    """

    part: Part
    what: str
    is_damage: bool = True


@dataclass(frozen=True)
class _Contents:
    """What the records of a database say.

    Attributes:
        damaged: (kind, id) of records that cannot be read.
        named: digests of blobs by the sequence number of the record that names them.
        texts: (sequence number, text) of what is searched by words.
        ids: of all records that can be read; highest: number of the highest id of each kind.
    """

    damaged: list[tuple[str, str]]
    named: dict[int, set[str]]
    texts: list[tuple[int, str]]
    ids: set[str]
    highest: dict[str, int]


def check_memory(path: Path, progress: Progress | None = None) -> list[Finding]:
    """Look at every byte of the memory in a folder, which another process may be using; nothing is changed.

    Raises:
        StoreError: there is no memory, or it is of a newer Loci.
    """
    if not (path / "manifest.json").exists() and not (path / DATABASE).exists():
        raise StoreError(f"there is no memory in {path}: expected manifest.json and {DATABASE}")
    tell = progress or (lambda share, stage: None)
    tell(0.0, "manifest")
    findings = _check_manifest(path)
    tell(0.05, "database")
    connection = None
    try:
        if not (path / DATABASE).exists():
            return [*findings, Finding("database", f"{path / DATABASE} is missing: its records are lost")]
        connection = connect_to_read(path)
        findings += _check_database(path, connection)
        version = schema_version(connection)
        check_version(version, path)
        tell(0.3, "records")
        connection.execute("BEGIN")  # one state for all that follows, whatever a writer does meanwhile
        contents = _read_contents(connection)
        findings += _check_records(path, connection, contents)
        if version == len(MIGRATIONS):
            tell(0.5, "words")
            difference = words.find_differences(connection, contents.texts)
            if difference:
                findings.append(Finding("words", f"the full-text index does not agree with the records: {difference}"))
        else:
            note = f"schema version {version}: it is brought to {len(MIGRATIONS)} when it is opened for writing"
            findings.append(Finding("database", note, is_damage=False))
        tell(0.6, "images")
        findings += _check_blobs(path, contents, _known_lost(connection))
        findings += _check_indexes(path, contents.ids)
    except sqlite3.DatabaseError as error:
        findings.append(Finding("database", f"{path / DATABASE} cannot be read: {error}"))
    finally:
        if connection is not None:
            connection.close()
    if (path / "damaged").is_dir():
        n = sum(p.is_file() for p in (path / "damaged").rglob("*"))
        findings.append(Finding("earlier damage", f"{n} files were set aside in {path / 'damaged'}", is_damage=False))
    tell(1.0, "done")
    return findings


def repair_memory(path: Path, progress: Progress | None = None) -> list[str]:
    """Mend what can be mended, set aside what cannot, and say what was done, a line each; none: all was well.

    Raises:
        StoreError: another process writes to it; it is no memory or of a newer Loci; or the disk fails.
    """
    if not (path / "manifest.json").exists() and not (path / DATABASE).exists():
        raise StoreError(f"there is no memory in {path}: expected manifest.json and {DATABASE}")
    tell = progress or (lambda share, stage: None)
    tell(0.0, "opening")
    ids = _bytes_of(path / "ids.json")
    try:
        done = _repair(path, ids, tell, known_damage="")
    except _BrokenDatabaseError as error:  # what no check found came out when it was worked with
        done = _repair(path, ids, tell, known_damage=str(error))
    tell(1.0, "done")
    return done


class _BrokenDatabaseError(Exception):
    """The database opens, but does not work."""


def _repair(path: Path, ids: bytes | None, tell: Progress, known_damage: str) -> list[str]:
    with Store.open(path, repairing=True, known_damage=known_damage) as store:
        done = list(store.warnings)
        connection = store.writing_connection
        try:
            tell(0.3, "records")
            contents = _read_contents(connection)
            if ids is not None and "behind" in _problem_of_ids(ids, contents):
                done.append(f"{path / 'ids.json'} was behind the records: ids go on after the highest of them")
            done += _set_damaged_records_aside(path, connection, contents)
            done += _mend_references(path, connection, contents)
            if words.find_differences(connection, contents.texts):
                words.refill(connection)
                done.append("the full-text index was made anew from the records")
            tell(0.5, "images")
            done += _repair_blobs(path, connection, contents)
            done += _repair_indexes(path, contents.ids)
        except sqlite3.DatabaseError as error:
            if known_damage or isinstance(error, sqlite3.OperationalError):
                raise StoreError(f"memory {path} could not be repaired: {error}") from error
            raise _BrokenDatabaseError(str(error)) from error
        except OSError as error:
            raise StoreError(f"memory {path} could not be repaired: {error}") from error
    return done


# --- looking --------------------------------------------------------------------------------------------------------------


def _check_manifest(path: Path) -> list[Finding]:
    file = path / "manifest.json"
    try:
        manifest = Manifest.read(file)
    except FileNotFoundError:
        return [Finding("manifest", f"{file} is missing")]
    except ValueError as error:
        return [Finding("manifest", f"{file} is damaged: {error}")]
    check_version(manifest.schema, path)
    return []


def _check_database(path: Path, connection: sqlite3.Connection) -> list[Finding]:
    log_damage = find_log_damage(with_sidecars(path / DATABASE)[1])
    found = [Finding("database", log_damage)] if log_damage else []
    problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    if problems != ["ok"]:
        found.append(Finding("database", "; ".join(problems)))
    return found


def _read_contents(connection: sqlite3.Connection) -> _Contents:
    contents = _Contents([], {}, [], set(), {})
    for row in _rows(connection):
        try:
            record = from_row(row[:-1])
        except (StoreError, ValueError):
            contents.damaged.append((str(row[0]), str(row[1])))
            continue
        contents.ids.add(record.id)
        if record.blobs:
            contents.named[row[-1]] = set(record.blobs)
        text = record.fields.get("text")
        if record.kind in words.SEARCHED_KINDS and isinstance(text, str) and text:
            contents.texts.append((row[-1], text))
        kind, _, number = record.id.rpartition("/")
        if kind in ID_KINDS and number.isdecimal():
            contents.highest[kind] = max(contents.highest.get(kind, 0), int(number))
    return contents


def _rows(connection: sqlite3.Connection) -> Iterator[tuple]:
    """Rows of all records in order, with their sequence numbers; text that is not UTF-8 comes with marks in its place."""
    before, connection.text_factory = connection.text_factory, lambda b: b.decode(errors="replace")
    try:
        yield from connection.execute(f"SELECT {COLUMNS}, seq FROM record ORDER BY seq")
    finally:
        connection.text_factory = before


def _check_records(path: Path, connection: sqlite3.Connection, contents: _Contents) -> list[Finding]:
    found = []
    if contents.damaged:
        what = f"{len(contents.damaged)} cannot be read: {_some(f'{kind} {id}' for kind, id in contents.damaged)}"
        found.append(Finding("records", what))
    n_wrong = len(_wrong_references(connection, contents))
    if n_wrong:
        found.append(Finding("records", f"{n_wrong} references from records to images are wrong"))
    problem = _problem_of_ids(_bytes_of(path / "ids.json"), contents)
    if problem:
        found.append(Finding("ids", f"{path / 'ids.json'} {problem}"))
    return found


def _bytes_of(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _problem_of_ids(file: bytes | None, contents: _Contents) -> str:
    if file is None:
        return "is missing" if contents.highest else ""
    try:
        taken = json.loads(file)
        behind = [kind for kind, number in contents.highest.items() if int(taken.get(kind, 1)) <= number]
    except (AttributeError, TypeError, ValueError) as error:
        return f"is damaged: {error}"
    return f"is behind the records: {_some(behind)}" if behind else ""


def _wrong_references(connection: sqlite3.Connection, contents: _Contents) -> set[tuple[str, int]]:
    kept = set(connection.execute("SELECT digest, seq FROM reference"))
    named = {(digest, seq) for seq, digests in contents.named.items() for digest in digests}
    return kept ^ named


def _check_blobs(path: Path, contents: _Contents, lost: set[str]) -> list[Finding]:
    named = set().union(*contents.named.values())
    missing, damaged = [], []
    blobs = BlobFiles(path / "blobs", path / "damaged")
    for digest in sorted(named):
        is_whole = blobs.is_whole(digest)
        if is_whole is None:
            missing.append(digest)
        elif not is_whole:
            damaged.append(digest)
    found = []
    if damaged:
        found.append(Finding("images", f"{len(damaged)} are not what was written: {_some(damaged)}"))
    if set(missing) - lost:
        found.append(Finding("images", f"{len(set(missing) - lost)} are missing: {_some(sorted(set(missing) - lost))}"))
    if lost & set(missing):
        note = f"{len(lost & set(missing))} are lost since an earlier repair"
        found.append(Finding("images", note, is_damage=False))
    unnamed = _unnamed(path, named)
    if unnamed and not _is_in_use(path):  # a process that writes has files that it will name
        note = f"{len(unnamed)} files that no record names (left by a process that died)"
        found.append(Finding("images", note, is_damage=False))
    return found


def _check_indexes(path: Path, ids: set[str]) -> list[Finding]:
    found = []
    for file in indexes.index_files(path / indexes.FOLDER):
        problem = _problem_of_index(file, ids)
        if problem:
            found.append(Finding("index", problem))
    return found


def _problem_of_index(file: Path, ids: set[str]) -> str:
    if file.suffix != ".safetensors":
        return f"{file} is unfinished"
    try:
        arrays = indexes.read_index(file.parent, file.stem) or {}
    except StoreError as error:
        return str(error)
    unknown = set(arrays["ids"].tobytes().decode().split("\n")) - ids - {""} if "ids" in arrays else set()
    return f"{file} has {len(unknown)} entries of no record" if unknown else ""


def _unnamed(path: Path, named: set[str]) -> list[Path]:
    root = path / "blobs"
    if not root.is_dir():
        return []
    files = [file for entry in root.iterdir() for file in ([entry] if entry.is_file() else entry.iterdir())]
    return sorted(file for file in files if file.name not in named)


def _is_in_use(path: Path) -> bool:
    """Whether a process writes to the memory."""
    try:
        with open(path / "lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _known_lost(connection: sqlite3.Connection) -> set[str]:
    found = connection.execute("SELECT value FROM meta WHERE key = 'lost_blobs'").fetchone()
    return set(json.loads(found[0])) if found else set()


# --- mending --------------------------------------------------------------------------------------------------------------


def _set_damaged_records_aside(path: Path, connection: sqlite3.Connection, contents: _Contents) -> list[str]:
    if not contents.damaged:
        return []
    damaged = set(contents.damaged)
    lines, numbers = [], []
    for row in _rows(connection):
        if (str(row[0]), str(row[1])) in damaged:
            plain = [base64.b64encode(v).decode() if isinstance(v, bytes) else v for v in row]
            lines.append(json.dumps(dict(zip([*COLUMNS.replace('"', "").split(", "), "seq"], plain, strict=True))))
            numbers.append((row[-1], str(row[0])))
    folder = set_aside([], path / "damaged")
    write_durably(folder / "records.jsonl", ("\n".join(lines) + "\n").encode())
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for seq, kind in numbers:
            words.drop_text(connection, seq, kind)
            connection.execute("DELETE FROM reference WHERE seq = ?", (seq,))
            connection.execute("DELETE FROM record WHERE seq = ?", (seq,))
    named = _some(f"{kind} {id}" for kind, id in contents.damaged)
    return [f"{len(numbers)} records could not be read ({named}): set aside in {folder / 'records.jsonl'}"]


def _mend_references(path: Path, connection: sqlite3.Connection, contents: _Contents) -> list[str]:
    wrong = _wrong_references(connection, contents)
    if not wrong:
        return []
    blobs = BlobFiles(path / "blobs", path / "damaged")
    pairs = [(digest, seq) for seq, digests in contents.named.items() for digest in digests]
    sizes = {d: blobs.path(d).stat().st_size if blobs.path(d).exists() else 0 for d, _ in pairs}
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute("DELETE FROM reference")
        connection.execute("DELETE FROM blob")
        connection.executemany("INSERT INTO reference VALUES (?, ?)", pairs)
        connection.executemany("INSERT INTO blob VALUES (?, ?)", list(sizes.items()))
    return [f"{len(wrong)} references from records to images were wrong: made anew from the records"]


def _repair_blobs(path: Path, connection: sqlite3.Connection, contents: _Contents) -> list[str]:
    done: list[str] = []
    named = set().union(*contents.named.values())
    unnamed = _unnamed(path, named)
    if unnamed:
        folder = set_aside(unnamed, path / "damaged")
        done.append(f"{len(unnamed)} files that no record names: set aside in {folder}")
    blobs = BlobFiles(path / "blobs", path / "damaged")
    damaged, lost = [], set()
    for digest in sorted(named):
        is_whole = blobs.is_whole(digest)
        if is_whole is None:
            lost.add(digest)
        elif not is_whole:
            damaged.append(blobs.path(digest))
    if damaged:
        folder = set_aside(damaged, path / "damaged")
        done.append(f"{len(damaged)} images are not what was written: set aside in {folder}")
        lost |= {file.name for file in damaged}
    new = lost - _known_lost(connection)
    if new:
        done.append(f"{len(new)} images are lost ({_some(sorted(new))}); the records that name them stay")
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('lost_blobs', ?)", (json.dumps(sorted(lost)),))
    return done


def _repair_indexes(path: Path, ids: set[str]) -> list[str]:
    done = []
    for file in indexes.index_files(path / indexes.FOLDER):
        problem = _problem_of_index(file, ids)
        if problem:
            done.append(
                f"{problem}: set aside in {set_aside([file], path / 'damaged')}, it is made anew when it is needed"
            )
    return done


def _some(names: Iterator[str] | list[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _N_NAMED} more" if len(listed) > _N_NAMED else ""
    return ", ".join(listed[:_N_NAMED]) + more
