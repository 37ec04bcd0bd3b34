"""What a memory's folder says about itself, who may write in it, and which ids are taken.

``manifest.json`` identifies the memory, ``lock`` holds the writer's process id while there is one, ``ids.json`` the
first id of each kind that was never handed out: kept outside the database so that no damage to it makes ids return.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from loci.store.blobs import write_durably
from loci.store.errors import StoreError

FORMAT = "loci-memory"
#: Ids are reserved on disk in blocks of so many: one durable write per block.
ID_BLOCK = 256


@dataclass(frozen=True)
class Manifest:
    """Identity of a memory: ``uuid``, ``name`` (of its folder), ``schema`` version, ``created`` (ISO 8601, UTC)."""

    uuid: str
    name: str
    schema: int
    created: str

    @classmethod
    def new(cls, name: str, schema: int) -> Manifest:
        return cls(str(uuid.uuid4()), name, schema, datetime.now(timezone.utc).isoformat(timespec="seconds"))

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a manifest.
        """
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"expected a JSON object with format {FORMAT!r}")
        try:
            manifest = cls(
                str(uuid.UUID(content["uuid"])), str(content["name"]), int(content["schema"]), str(content["created"])
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"expected uuid, name, schema and created ({error!r})") from error
        return manifest

    def write(self, path: Path) -> None:
        write_durably(path, json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode())


class WriterLock:
    """The right to write in a folder, held by one process at a time (``flock``: it ends with the process).

    Args:
        path: lock file; created.

    Raises:
        StoreError: another process (or another store in this one) holds it.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "pid unknown"
            self._file.close()
            raise StoreError(
                f"memory {path.parent} is in use: {holder} writes to it; stop it, or open read-only"
            ) from error
        self._file.seek(0)
        #: Who held the lock and did not give it back: the process died. Empty: a clean end.
        self.died = self._file.read().strip()
        self._file.truncate(0)
        self._file.write(f"pid {os.getpid()} on {socket.gethostname()}")
        self._file.flush()

    def release(self) -> None:
        self._file.truncate(0)
        self._file.close()

    def abandon(self) -> None:
        """Let go without saying that all is well: the next writer looks for leftovers."""
        self._file.close()


class IdCounter:
    """Hands out ids "kind/1", "kind/2", ...; none twice, whatever happens to the process or the records.

    Args:
        path: file of the counts (``ids.json``).
        at_least: numbers already seen in records, by kind: used where the file is behind (it was lost).

    Raises:
        ValueError: the file is damaged.
    """

    def __init__(self, path: Path, at_least: dict[str, int]) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._next: dict[str, int] = {}
        try:
            content = json.loads(path.read_bytes())
            self._next = {str(kind): int(number) for kind, number in content.items()}
        except FileNotFoundError:
            # Unless the memory is new the file was lost: whatever was handed out after the last record is skipped.
            at_least = {kind: number + ID_BLOCK for kind, number in at_least.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"expected a JSON object of counts in {path}: {error}") from error
        for kind, number in at_least.items():
            self._next[kind] = max(self._next.get(kind, 1), number + 1)
        self._reserved = dict(self._next)

    def new(self, kind: str) -> str:
        """The next id of a kind."""
        with self._lock:
            number = self._next.get(kind, 1)
            if number >= self._reserved.get(kind, 1):
                self._reserved[kind] = number + ID_BLOCK
                self._write(self._reserved)
            self._next[kind] = number + 1
        return f"{kind}/{number}"

    def close(self) -> None:
        """Give back what was reserved and not used."""
        with self._lock:
            self._reserved = dict(self._next)
            self._write(self._next)

    def snapshot(self) -> bytes:
        """Content of a file that continues after all ids handed out so far."""
        with self._lock:
            return json.dumps(self._next).encode()

    def _write(self, numbers: dict[str, int]) -> None:
        write_durably(self._path, json.dumps(numbers).encode())
