"""A memory on disk: records by kind and id, images by content, ids that never return.

One process writes; any number read. `put` only notes a record (readers of this process see it at once), `commit`
makes everything noted durable in one transaction: a process killed at any moment loses nothing committed and leaves
nothing half-written. Reads use connections of their own and never wait for a writer.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import numpy.typing as npt

from loci.store import words
from loci.store.blobs import BlobFiles, set_aside
from loci.store.errors import StoreError
from loci.store.indexes import FOLDER, index_files, read_index, remove_indexes, write_index
from loci.store.manifest import IdCounter, Manifest, WriterLock
from loci.store.opening import (
    DATABASE,
    agree_on_manifest,
    check_for_reading,
    connect_to_read,
    copy_memory,
    memory_path,
    open_database,
    open_ids,
    read_manifest,
    take_folder,
)
from loci.store.record import Record, blobs_of, from_row, to_row
from loci.store.schema import COLUMNS, MIGRATIONS, Row, with_sidecars
from loci.store.writing import delete_unreferenced, write_batch

__all__ = ["ID_KINDS", "Record", "Store", "StoreError", "memory_path"]

log = logging.getLogger("loci.store")

ID_KINDS = ("object", "change", "mover", "snapshot", "keyframe", "place", "room", "episode", "frontier", "floor")
_EMPTY: Mapping[str, Any] = MappingProxyType({})
_PAGE = 512  # records per read, so that no reader holds the write-ahead log for long


class Store:
    """An open memory folder; thread-safe. Get one with `Store.open`, close it or use it in a ``with`` statement."""

    def __init__(self, path: Path, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._warnings: list[str] = []
        self._blobs = BlobFiles(path / "blobs", path / "damaged")
        self._readers: deque[sqlite3.Connection] = deque()
        self._committer: ThreadPoolExecutor | None = None
        self._soon: Future[None] | None = None
        self._closed = False
        self._lock: WriterLock | None = None
        self._writer: sqlite3.Connection
        self._manifest: Manifest
        self._ids: IdCounter
        self._blob_bytes = 0
        self._write_lock = threading.RLock()  # the writing connection; held while it works
        self._keep_lock = threading.Lock()  # while held, no blob is deleted
        # Layers in which a reader looks before the database. Rows move pending -> committing -> database, and a
        # layer is emptied only when the next one has them: a reader that goes down in this order misses nothing.
        self._pending_lock = threading.Lock()  # held for moments only, never during I/O on the database
        self._pending: dict[tuple[str, str], Row | None] = {}
        self._committing: dict[tuple[str, str], Row | None] = {}
        self._unnamed: set[str] = set()  # blobs of rows replaced before they were committed

    # ---- opening and closing -------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, repairing: bool = False, known_damage: str = "") -> Store:
        """Open the memory in folder ``path``; a folder that is missing or empty becomes a new one.

        Damaged files are set aside below ``damaged/``, what can be read of them is taken over, and `warnings` says so.

        Args:
            read_only: neither lock nor write.
            repairing: look for damage thoroughly, and keep files that no record came to name because a process died.
            known_damage: what is wrong with the database for certain: it is set aside, what can be read of it is taken over.

        Raises:
            StoreError: another process writes to it (the message names its pid); it is of a newer Loci; it is not a
                memory; or ``read_only`` and it is missing or damaged.
        """
        store = cls(Path(path), read_only)
        try:
            if read_only:
                store._manifest = check_for_reading(store.path)
            else:
                store._open_writing(repairing, known_damage)
        except (OSError, sqlite3.Error) as error:
            store._let_go()
            raise StoreError(f"memory {path} cannot be opened: {error}") from error
        except BaseException:
            store._let_go()
            raise
        return store

    def _open_writing(self, repairing: bool, known_damage: str) -> None:
        self._lock = take_folder(self.path)
        manifest = read_manifest(self.path, self._warn)
        self._writer = open_database(
            self.path, self._warn, expected=manifest is not None, thorough=repairing, known_damage=known_damage
        )
        self._manifest = agree_on_manifest(self.path, manifest, self._writer, self._warn, bool(self._warnings))
        self._ids = open_ids(self.path, self._writer, self._warn)
        self._blobs.root.mkdir(exist_ok=True)
        if self._lock.died and not repairing and not (self.path / "damaged").exists():
            # Blobs whose records were never committed would outlive every `purge`. But a database that was set aside
            # may be repaired by hand, and names blobs too: then all stay.
            referenced = {digest for (digest,) in self._writer.execute("SELECT DISTINCT digest FROM reference")}
            n = self._blobs.sweep(referenced)
            log.info("%s did not close %s: %d unfinished files removed", self._lock.died, self.path, n)
        (self._blob_bytes,) = self._writer.execute("SELECT coalesce(sum(size), 0) FROM blob").fetchone()

    def close(self) -> None:
        """Commit, and let the next process in. Closing twice does nothing.

        Raises:
            StoreError: the last commit failed (the store is closed nevertheless).
        """
        if self._committer is not None:
            self._committer.shutdown()
        with self._write_lock:
            if self._closed:
                return
            try:
                if not self.read_only:
                    self.commit()
                    self._blobs.remove_unreferenced()
                    self._ids.close()
                    if self._lock is not None:
                        self._lock.release()
                        self._lock = None
            finally:
                self._let_go()

    def _let_go(self) -> None:
        self._closed = True
        while self._readers:
            self._readers.pop().close()
        if getattr(self, "_writer", None) is not None:
            self._writer.close()
        if self._lock is not None:
            self._lock.abandon()
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- identity ------------------------------------------------------------------------------------------------

    @property
    def uuid(self) -> str:
        """Identity of this memory, for ever."""
        return self._manifest.uuid

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self._manifest.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found damaged and what became of it, since this store was opened."""
        return tuple(self._warnings)

    def new_id(self, kind: str) -> str:
        """An id ("object/12") that this memory never gave before and will never give again.

        Raises:
            ValueError: a kind that is not in `ID_KINDS`.
        """
        if kind not in ID_KINDS:
            raise ValueError(f"expected a kind among {', '.join(ID_KINDS)}, got {kind!r}")
        self._check_writable()
        return self._ids.new(kind)

    # ---- records -------------------------------------------------------------------------------------------------

    def put(
        self,
        kind: str,
        record_id: str,
        fields: Mapping[str, Any],
        *,
        stamp_ns: int = 0,
        session: str = "",
        map_id: str = "",
        arrays: Mapping[str, npt.NDArray[Any]] = _EMPTY,
        blobs: Sequence[str] = (),
    ) -> None:
        """Keep a record, in place of the one with the same kind and id. Durable after `commit`.

        Raises:
            ValueError: fields that are not JSON (NaN is not), or arrays that are not numbers.
            StoreError: a blob that does not exist.
        """
        self._check_writable()
        row = to_row(kind, record_id, fields, stamp_ns, session, map_id, arrays, blobs)
        with self._pending_lock:
            for digest in blobs:
                self._blobs.size(digest)
            self._note(row[:2], row)
            self._blobs.reference(blobs)

    def delete(self, kind: str, record_id: str) -> None:
        """Take a record out, if it is there; its blobs go with the last record that names them. See `purge`."""
        self._check_writable()
        with self._pending_lock:
            self._note((kind, record_id), None)

    def get(self, kind: str, record_id: str) -> Record | None:
        """The record, or None.

        Raises:
            StoreError: it is damaged.
        """
        self._check_open()
        key = (kind, record_id)
        for noted in (self._pending, self._committing):
            if key in noted:
                row = noted[key]
                return None if row is None else from_row(row)
        with self._reader() as connection:
            found = connection.execute(f"SELECT {COLUMNS} FROM record WHERE kind = ? AND id = ?", key).fetchone()
        return None if found is None else from_row(found)

    def records(self, kind: str) -> Iterator[Record]:
        """All records of a kind in the order of their first `put`; damaged ones are left out, with a warning."""
        self._check_open()
        with self._pending_lock:
            noted = {
                key[1]: row
                for layer in (self._committing, self._pending)
                for key, row in layer.items()
                if key[0] == kind
            }
        last = 0
        while True:
            with self._reader() as connection:
                page = connection.execute(
                    f"SELECT {COLUMNS}, seq FROM record WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?",
                    (kind, last, _PAGE),
                ).fetchall()
            for found in page:
                row = noted.pop(found[1]) if found[1] in noted else found[:-1]
                if row is not None:
                    yield from self._readable(row)
            if len(page) < _PAGE:
                break
            last = page[-1][-1]
        for row in noted.values():
            if row is not None:
                yield from self._readable(row)

    def find_words(
        self, wanted: Sequence[str], kinds: Sequence[str] = words.SEARCHED_KINDS, limit: int = 2000
    ) -> dict[str, list[str] | None]:
        """Ids of the records whose field ``text`` has each of some words, in any form that Porter's stemmer takes for the same.

        What was put and not committed yet is found, too.

        Args:
            wanted: single words.
            kinds: of the records, among `words.SEARCHED_KINDS`.
            limit: a word that more records have tells them apart too little: None.

        Raises:
            ValueError: something that is not one word.
        """
        self._check_words(wanted)
        noted = self._noted_texts(kinds)
        with self._reader() as connection:
            if not words.has_words(connection):
                return {word: [] for word in wanted}
            found = words.find_words(connection, wanted, kinds, limit)
        if noted:
            new = words.find_words_in({id: text for id, text in noted.items() if text}, wanted, limit)
            for word, old in found.items():
                more = new[word]
                found[word] = None if old is None or more is None else [*(i for i in old if i not in noted), *more]
        return found

    def word_shares(
        self,
        wanted: Sequence[str],
        kinds: Sequence[str] = words.SEARCHED_KINDS,
        *,
        n_records: int,
        n_best: int = 200,
        limit: int = 5000,
    ) -> dict[str, float]:
        """Share of some words that a record's text has, each word weighted by how rare it is: (0, 1] by id of those that have most.

        Args:
            wanted: single words, as for `find_words`.
            kinds: of the records.
            n_records: how many there are of these kinds.
            n_best: at most so many, and what was put and not committed yet.
            limit: a word that more records have tells them apart too little, and weighs nothing.

        Raises:
            ValueError: something that is not one word.
        """
        self._check_words(wanted)
        if not wanted:
            return {}
        noted = self._noted_texts(kinds)
        with self._reader() as connection:
            if not words.has_words(connection):
                return {}
            shares, weights = words.rank_words(connection, wanted, kinds, n_records, n_best, limit)
        if noted:
            new = words.find_words_in({id: text for id, text in noted.items() if text}, wanted, len(noted))
            shares = {id: share for id, share in shares.items() if id not in noted}
            for word, ids in new.items():
                for id in ids or ():
                    shares[id] = shares.get(id, 0.0) + weights[word]
        return {id: share for id, share in shares.items() if share > 0.0}

    def _check_words(self, wanted: Sequence[str]) -> None:
        self._check_open()
        for word in wanted:
            if words.split_words(word) != [word.lower()]:
                raise ValueError(f"expected single words, got {word!r}")

    def _noted_texts(self, kinds: Sequence[str]) -> dict[str, str]:
        """Text by id of what was put, or deleted (empty), and not committed yet."""
        with self._pending_lock:
            noted = {
                key: row for layer in (self._committing, self._pending) for key, row in layer.items() if key[0] in kinds
            }
        texts: dict[str, str] = {}
        for (_, id), row in noted.items():
            texts[id] = words.text_of(row[0], row[5]) if row is not None else texts.get(id, "")
        return texts

    def sessions(self) -> tuple[str, ...]:
        """Sessions that have records, in the order in which they began."""
        with self._reader() as connection:
            found = [s for (s,) in connection.execute("SELECT session FROM record GROUP BY session ORDER BY min(seq)")]
        with self._pending_lock:
            found += [
                row[3] for layer in (self._committing, self._pending) for row in layer.values() if row is not None
            ]
        return tuple(s for s in dict.fromkeys(found) if s)

    def _note(self, key: tuple[str, str], row: Row | None) -> None:
        before = self._pending.get(key)
        if before is not None:
            self._unnamed.update(blobs_of(before))
        self._pending[key] = row

    def _readable(self, row: Row) -> Iterator[Record]:
        try:
            yield from_row(row)
        except StoreError as error:
            self._warn(str(error))

    # ---- blobs ---------------------------------------------------------------------------------------------------

    def put_blob(self, data: bytes) -> str:
        """Keep bytes as a file; its SHA-256 in hex, to be named by a record. Durable after `commit`.

        Raises:
            StoreError: the disk is full or fails; nothing of it is kept.
        """
        self._check_writable()
        return self._blobs.put(data)

    def blob_size(self, digest: str) -> int:
        """Bytes of a blob on disk; 0 if its file is missing."""
        self._check_open()
        try:
            return self._blobs.size(digest)
        except StoreError:
            return 0

    def blob(self, digest: str) -> bytes:
        """Content of a blob.

        Raises:
            StoreError: it is missing, or damaged (then it was set aside); `warnings` says so, too.
        """
        self._check_open()
        try:
            return self._blobs.get(digest)
        except StoreError as error:
            self._warn(str(error))
            raise

    # ---- durability ----------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Make everything put, deleted and given so far durable, all or nothing.

        Raises:
            StoreError: the disk is full or fails; nothing is lost in memory, and the next commit tries again.
        """
        self._check_writable()
        with self._write_lock:
            with self._pending_lock:
                batch = self._committing = self._pending
                self._pending = {}
                unnamed, self._unnamed = self._unnamed, set()
            try:
                self._blobs.sync()
                gone = self._write(batch, unnamed) if batch else unnamed
            except (OSError, sqlite3.Error) as error:
                with self._pending_lock:
                    self._pending = {**batch, **self._pending}
                    self._unnamed |= unnamed
                    self._committing = {}
                raise StoreError(f"memory {self.path} could not be written: {error}") from error
            with self._pending_lock:
                self._committing = {}
            if gone:
                self._remove_blobs(gone)

    def commit_soon(self) -> None:
        """Let a thread of the store commit what was put so far, and return at once; does nothing while it is at it.

        A failure is a warning, and the next commit tries again.
        """
        self._check_writable()
        with self._pending_lock:
            if self._committer is None:
                self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loci-commit")
            if self._soon is None or self._soon.done():
                self._soon = self._committer.submit(self._commit_quietly)

    def _commit_quietly(self) -> None:
        try:
            self.commit()
        except StoreError as error:
            self._warn(str(error))

    def _write(self, batch: Mapping[tuple[str, str], Row | None], unnamed: set[str]) -> set[str]:
        """Write a batch in one transaction; the blobs that no record names any more."""
        sizes = {digest: self._blobs.size(digest) for row in batch.values() if row for digest in blobs_of(row)}
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            dropped, added = write_batch(connection, batch, sizes)
            gone, freed = delete_unreferenced(connection, dropped | unnamed)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._blob_bytes += added - freed
        return gone

    def _remove_blobs(self, digests: set[str]) -> None:
        with self._keep_lock, self._pending_lock:
            named = {d for row in self._pending.values() if row is not None for d in blobs_of(row)}
            self._blobs.remove(digests - named)

    def purge(self, records: Iterable[tuple[str, str]] = ()) -> int:
        """Delete records (kind, id), and wipe them and everything deleted before from all files; how many there were.

        The database is rewritten without them and its write-ahead log emptied, so the cost grows with its size. What
        was set aside in ``damaged/`` and what was backed up elsewhere is out of reach: a warning says so.

        Raises:
            StoreError: another process reads an old state, so the log could not be emptied; call it again.
        """
        self._check_writable()
        with self._write_lock:
            keys = {key for key in records if self.get(*key) is not None}
            for key in keys:
                self.delete(*key)
            self.commit()
            self._wipe()
        if (self.path / "damaged").exists():
            self._warn(f"what was forgotten may still be in {self.path / 'damaged'}: look there, and delete it")
        return len(keys)

    def clear(self) -> int:
        """Delete and wipe all records and blobs; how many records there were. Ids go on."""
        self._check_writable()
        with self._write_lock:
            self.commit()
            keys = self._writer.execute("SELECT kind, id FROM record").fetchall()
            with self._pending_lock:
                for kind, record_id in keys:
                    self._note((kind, record_id), None)
            self.commit()
            self._wipe()
        return len(keys)

    def _wipe(self) -> None:
        # VACUUM, because secure_delete leaves copies that SQLite made when it split pages.
        try:
            remove_indexes(self.path / FOLDER)  # they hold ids, and means of vectors
            words.rebuild(self._writer)
            self._writer.execute("VACUUM")
            (busy, _, _) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"memory {self.path} could not be wiped: {error}") from error
        if busy:
            raise StoreError(
                f"the log of {self.path} could not be emptied, because another process reads from it: try again"
            )

    def backup(self, to: Path, *, new_uuid: bool = False) -> None:
        """Copy the memory as it is now into a new folder ``to``, while it goes on.

        Args:
            to: a folder that does not exist or is empty.
            new_uuid: the copy is a memory of its own, that will go its own way.

        Raises:
            StoreError: ``to`` is not empty, or cannot be written.
        """
        self._check_open()
        to = Path(to)
        if to.exists() and (not to.is_dir() or any(to.iterdir())):
            raise StoreError(f"expected a folder that is new or empty for the copy, got {to}")
        if not self.read_only:
            self.commit()
        try:
            to.mkdir(parents=True, exist_ok=True)
            manifest = Manifest.new(to.name, len(MIGRATIONS)) if new_uuid else replace(self._manifest, name=to.name)
            ids = (self.path / "ids.json").read_bytes() if self.read_only else self._ids.snapshot()
            with self._keep_lock, self._reader() as connection:
                copy_memory(connection, self._blobs, ids, to, manifest, self._warn)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"memory {self.path} could not be copied to {to}: {error}") from error

    def size_bytes(self) -> int:
        """Bytes on disk: database, log and the blobs of committed records."""
        total = sum(p.stat().st_size for p in with_sidecars(self.path / DATABASE)[:2] if p.exists())
        if not self.read_only:
            return total + int(self._blob_bytes)
        with self._reader() as connection:
            return total + int(connection.execute("SELECT coalesce(sum(size), 0) FROM blob").fetchone()[0])

    def kept_bytes(self) -> int:
        """Bytes that committed records and blobs take: without what is free in the database for new ones, and without the log."""
        with self._reader() as connection:
            values = [
                connection.execute(f"PRAGMA {n}").fetchone()[0] for n in ("page_count", "freelist_count", "page_size")
            ]
            if self.read_only:
                (blob_bytes,) = connection.execute("SELECT coalesce(sum(size), 0) FROM blob").fetchone()
            else:
                blob_bytes = self._blob_bytes
        n_pages, n_free, page_size = values
        return (int(n_pages) - int(n_free)) * int(page_size) + int(blob_bytes)

    # ---- indexes -------------------------------------------------------------------------------------------------

    def save_index(self, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep what was made from the records as a file beside them, so that opening is quick; durable on return.

        Args:
            name: of the file.
            arrays: ``ids``, where there is one, has the ids of the records as UTF-8, a line each.

        Raises:
            StoreError: the disk is full or fails.
        """
        self._check_writable()
        try:
            write_index(self.path / FOLDER, name, arrays)
        except OSError as error:
            raise StoreError(f"index {name} of {self.path} could not be written: {error}") from error

    def load_index(self, name: str) -> dict[str, npt.NDArray[Any]] | None:
        """Arrays of `save_index`; None: there are none, or they were damaged (then set aside, with a warning)."""
        self._check_open()
        try:
            return read_index(self.path / FOLDER, name)
        except StoreError as error:
            where = ""
            if not self.read_only:
                files = [p for p in index_files(self.path / FOLDER) if p.stem == name]
                where = f", set aside in {set_aside(files, self.path / 'damaged')}"
            self._warn(f"{error}{where}; it is made anew")
            return None

    # ---- inside --------------------------------------------------------------------------------------------------

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A reading connection; one per thread that reads at the same time."""
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = connect_to_read(self.path)
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            raise StoreError(f"{self.path / DATABASE} cannot be read: {error}") from error
        except BaseException:
            connection.close()
            raise
        if self._closed:
            connection.close()
        else:
            self._readers.append(connection)

    def _warn(self, message: str) -> None:
        log.warning("%s", message)
        if message not in self._warnings:
            self._warnings.append(message)

    @property
    def writing_connection(self) -> sqlite3.Connection:
        """The connection that writes, in autocommit mode: for `loci.store.checking`, while nobody else has the store."""
        self._check_writable()
        return self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"memory {self.path} is closed")

    def _check_writable(self) -> None:
        self._check_open()
        if self.read_only:
            raise StoreError(f"memory {self.path} was opened read-only")
