"""A memory as one file, to be moved and kept: a .tar.zst, .tar.gz or .zip of its folder, and back.

What comes in is not trusted: only the files that a memory has, by their names, as plain files, within a bound of bytes; images must be
what their names say and the rest what the archive's own list of SHA-256 says, before a folder of that name appears.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from loci.store.blobs import fsync_path
from loci.store.errors import StoreError
from loci.store.opening import DATABASE, check_for_reading
from loci.store.store import Store

#: Endings of archives, by what writes them.
SUFFIXES = (".tar.zst", ".tar.gz", ".zip")
#: Unpacked, no more than this unless said otherwise [bytes].
MAX_BYTES = 1 << 40
_MAX_FILES = 20_000_000

_LIST = "sha256.json"
_NAMES = re.compile(
    rf"manifest\.json|ids\.json|{re.escape(DATABASE)}|blobs/[0-9a-f]{{2}}/[0-9a-f]{{64}}|{re.escape(_LIST)}"
)

#: Told how far it is, [0, 1], and what it does.
Progress = Callable[[float, str], None]


def suffix_of(path: Path) -> str:
    """Which kind of archive a file name means.

    Raises:
        ValueError: none that is known.
    """
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise ValueError(f"expected a file name that ends in {', '.join(SUFFIXES)}, got {path.name}")


def write_archive(store: Store, to: Path, progress: Progress | None = None) -> int:
    """Write the memory as it is now, also while it goes on; how many bytes the archive has.

    Raises:
        ValueError: the file name means no kind of archive.
        FileExistsError: there is such a file.
        StoreError: the disk is full or fails; nothing is left of the archive then.
    """
    suffix = suffix_of(to)
    if to.exists():
        raise FileExistsError(f"{to} exists")
    temporary = to.with_name(f".{to.name}.new")
    try:
        with tempfile.TemporaryDirectory(prefix=".archive-", dir=to.parent) as folder:
            copy = Path(folder) / "memory"
            store.backup(copy)
            files = sorted(p for p in copy.rglob("*") if p.is_file())
            names = {str(p.relative_to(copy)): p for p in files}
            hashes = {name: _sha256(path) for name, path in names.items() if not name.startswith("blobs/")}
            (copy / _LIST).write_text(json.dumps(hashes, indent=1))
            with _writer(temporary, suffix) as add:
                add(_LIST, copy / _LIST)
                for i, (name, path) in enumerate(names.items()):
                    if progress:
                        progress(i / len(names), "packing")
                    add(name, path)
            fsync_path(temporary)
            os.replace(temporary, to)
            fsync_path(to.parent)
    except OSError as error:
        raise StoreError(f"{to} could not be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return to.stat().st_size


def read_archive(archive: Path, to: Path, max_bytes: int = MAX_BYTES, progress: Progress | None = None) -> None:
    """Unpack an archive as the memory in folder ``to``, which appears when all of it was checked.

    Raises:
        ValueError: the file name means no kind of archive.
        FileNotFoundError: there is no such file.
        FileExistsError: the folder exists.
        StoreError: it is not an archive of a memory, damaged, larger than ``max_bytes``, or of a newer Loci; nothing is left of it then.
    """
    suffix = suffix_of(archive)
    if not archive.is_file():
        raise FileNotFoundError(f"no file {archive}")
    if to.exists():
        raise FileExistsError(f"{to} exists")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unarchive-", dir=to.parent) as temporary:
        folder = Path(temporary) / to.name
        folder.mkdir()
        try:
            n_left = max_bytes
            with _reader(archive, suffix) as members:
                for n_files, (name, file) in enumerate(members):
                    if not _NAMES.fullmatch(name) or n_files >= _MAX_FILES:
                        raise StoreError(f"{archive} is no archive of a memory: it has a file {name!r}")
                    target = folder / name
                    if target.exists():
                        raise StoreError(f"{archive} is no archive of a memory: it has {name!r} twice")
                    if progress and n_files % 100 == 0:
                        progress(n_files / (n_files + 1000), "unpacking")  # how many there are is not known
                    n_left -= _copy_checked(file, target, n_left, archive)
            _check_hashes(archive, folder)
            check_for_reading(folder)
            for sidecar in folder.glob(f"{DATABASE}-*"):
                sidecar.unlink()
            for path in folder.rglob("*"):
                fsync_path(path)
            os.rename(folder, to)
            fsync_path(to.parent)
        except _unpacking_errors() as error:
            raise StoreError(f"{archive} could not be unpacked: {error}") from error


def _copy_checked(file: IO[bytes], target: Path, n_left: int, archive: Path) -> int:
    """Copy a member, hashing it on the way; how many bytes it has."""
    hashed, n = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "xb") as out:
        while chunk := file.read(1 << 20):
            n += len(chunk)
            if n > n_left:
                raise StoreError(f"{archive} unpacks to more bytes than allowed: nothing of it was kept")
            hashed.update(chunk)
            out.write(chunk)
    if target.parent.parent.name == "blobs" and hashed.hexdigest() != target.name:
        raise StoreError(f"{archive} is damaged: {target.name} is not what its name says")
    return n


def _check_hashes(archive: Path, folder: Path) -> None:
    try:
        expected = json.loads((folder / _LIST).read_bytes())
        (folder / _LIST).unlink()
        wrong = [name for name, digest in expected.items() if _sha256(folder / name) != digest]
    except (FileNotFoundError, AttributeError, TypeError, ValueError) as error:
        raise StoreError(f"{archive} is damaged or no archive of a memory: {error}") from error
    present = {p.name for p in folder.iterdir() if p.is_file()}
    if wrong or present != set(expected) or {"manifest.json", DATABASE} - present:
        raise StoreError(
            f"{archive} is damaged: {', '.join(wrong or sorted(present ^ set(expected))) or 'files are missing'}"
        )


def _sha256(path: Path) -> str:
    hashed = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            hashed.update(chunk)
    return hashed.hexdigest()


@contextmanager
def _writer(path: Path, suffix: str) -> Iterator[Callable[[str, Path], None]]:
    """A function that adds a file under a name."""
    if suffix == ".zip":
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            yield lambda name, file: archive.write(file, name)
    elif suffix == ".tar.gz":
        with tarfile.open(path, "x:gz", format=tarfile.PAX_FORMAT) as archive:
            yield lambda name, file: archive.add(file, name, recursive=False)
    else:
        with (
            _zstd().ZstdFile(path, "x") as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            yield lambda name, file: archive.add(file, name, recursive=False)


@contextmanager
def _reader(path: Path, suffix: str) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """Name and content of each member; what is not a plain file is refused."""
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield _zip_members(path, archive)
    elif suffix == ".tar.gz":
        with tarfile.open(path, "r|gz") as archive:
            yield _tar_members(path, archive)
    else:
        with (
            _zstd().ZstdFile(path, "r") as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            yield _tar_members(path, archive)


def _zip_members(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in archive.infolist():
        kind = (info.external_attr >> 16) & 0o170000
        if info.is_dir() or kind not in (0, 0o100000):
            raise StoreError(f"{path} is no archive of a memory: {info.filename!r} is not a plain file")
        with archive.open(info) as file:
            yield info.filename, file


def _tar_members(path: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in archive:
        file = archive.extractfile(info) if info.isreg() else None
        if file is None:
            raise StoreError(f"{path} is no archive of a memory: {info.name!r} is not a plain file")
        yield info.name, file


def _zstd() -> Any:
    """The module for Zstandard: of Python 3.14, or the same for older ones."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise StoreError(
        "a .tar.zst needs the package backports.zstd (pip install backports.zstd): install it, or take .tar.gz or .zip"
    )


def _unpacking_errors() -> tuple[type[Exception], ...]:
    """What a damaged archive raises."""
    errors: list[type[Exception]] = [tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error]
    try:
        errors.append(_zstd().ZstdError)
    except StoreError:
        return tuple(errors)
    return tuple(errors)
