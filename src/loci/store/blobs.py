"""Images and other bytes as files named by their content (SHA-256), so that equal bytes are kept once.

A file appears whole or not at all (written aside, then renamed). It becomes durable at `sync`, many at a time.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loci.store.errors import StoreError

_SYNC_THREADS = 8
_DIGEST = re.compile(r"[0-9a-f]{64}")


def fsync_path(path: Path) -> None:
    """Make a file's content, or a folder's entries, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Replace the file at ``path`` as a whole; durable when this returns."""
    temporary = path.with_name(f".{path.name}.new")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    fsync_path(path.parent)


def set_aside(paths: Iterable[Path], damaged: Path) -> Path:
    """Move files into a new numbered folder of ``damaged`` and return it; the files keep their names."""
    damaged.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(p.name) for p in damaged.iterdir() if p.name.isdigit()), default=0)
    folder = damaged / str(number)
    folder.mkdir()
    for path in paths:
        if path.exists():
            os.replace(path, folder / path.name)
    fsync_path(folder)
    return folder


class BlobFiles:
    """Content-addressed files below ``root``; thread-safe.

    Args:
        root: folder of the files, created when needed.
        damaged: folder for files whose content is no longer what their name says.
    """

    def __init__(self, root: Path, damaged: Path) -> None:
        self.root = root
        self._damaged = damaged
        self._lock = threading.Lock()
        self._unsynced: set[str] = set()
        self._unreferenced: set[str] = set()  # put, but in no record yet: must not be removed
        self._counter = 0

    def path(self, digest: str) -> Path:
        """File of a blob, whether it exists or not.

        Raises:
            ValueError: not a SHA-256 in lower-case hex.
        """
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"expected a SHA-256 in hex, got {digest!r}")
        return self.root / digest[:2] / digest

    def put(self, data: bytes) -> str:
        """Keep ``data``; its digest. Durable after the next `sync`.

        Raises:
            StoreError: the disk is full or fails; nothing of it is kept.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        with self._lock:
            self._unreferenced.add(digest)
            self._counter += 1
            temporary = self.root / f".{self._counter}.new"
        try:
            if path.stat().st_size == len(data):
                return digest
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:  # buffered: a raw file would write a part of it, and say nothing
                file.write(data)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(f"blob of {len(data)} bytes could not be written to {self.root}: {error}") from error
        with self._lock:
            self._unsynced.add(digest)
        return digest

    def get(self, digest: str) -> bytes:
        """Content of a blob, checked against its digest.

        Raises:
            StoreError: it is missing, or damaged (the file is then set aside).
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(f"blob {digest} is missing: expected a file {path}") from None
        if hashlib.sha256(data).hexdigest() != digest:
            try:
                where = set_aside([path], self._damaged)
            except OSError as error:
                where = Path(f"nowhere ({error})")
            raise StoreError(
                f"blob {digest} is damaged: {len(data)} bytes that do not match its name, set aside in {where}"
            )
        return data

    def is_whole(self, digest: str) -> bool | None:
        """Whether a blob's content is what its name says; None: it is missing. Nothing is changed."""
        hashed = hashlib.sha256()
        try:
            with open(self.path(digest), "rb") as file:
                while chunk := file.read(1 << 20):
                    hashed.update(chunk)
        except FileNotFoundError:
            return None
        return hashed.hexdigest() == digest

    def size(self, digest: str) -> int:
        """Bytes of a blob.

        Raises:
            StoreError: it is missing.
        """
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise StoreError(f"blob {digest} is missing: put_blob comes before the record that names it") from None

    def reference(self, digests: Iterable[str]) -> None:
        """A record names these now."""
        with self._lock:
            self._unreferenced.difference_update(digests)

    def sync(self) -> None:
        """Make all blobs put so far durable."""
        with self._lock:
            digests, self._unsynced = self._unsynced, set()
        try:
            # Many at a time: the file system then writes its journal once for several of them.
            paths = [path for path in map(self.path, digests) if path.exists()]
            with ThreadPoolExecutor(max_workers=_SYNC_THREADS) as pool:
                list(pool.map(fsync_path, paths))
                list(pool.map(fsync_path, {path.parent for path in paths}))
            if paths:
                fsync_path(self.root)
        except OSError:
            with self._lock:
                self._unsynced |= digests
            raise

    def remove(self, digests: Iterable[str]) -> None:
        """Delete files, except those put meanwhile for a record that is still to come."""
        with self._lock:
            for digest in set(digests) - self._unreferenced:
                self.path(digest).unlink(missing_ok=True)
                self._unsynced.discard(digest)

    def remove_unreferenced(self) -> None:
        """Delete what was put and never named by a record."""
        with self._lock:
            digests, self._unreferenced = self._unreferenced, set()
        self.remove(digests)

    def sweep(self, referenced: set[str]) -> int:
        """Delete files that no record names (left by a process that died) and unfinished ones; how many."""
        if not self.root.is_dir():
            return 0
        gone = 0
        for entry in self.root.iterdir():
            files = [entry] if entry.is_file() else list(entry.iterdir())
            for path in files:
                if path.name not in referenced and path.name not in self._unreferenced:
                    path.unlink()
                    gone += 1
        return gone
