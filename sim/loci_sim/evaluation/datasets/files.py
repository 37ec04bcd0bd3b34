"""Reading the JSON files of benchmarks, plain or gzipped: one at a time, with progress, and with errors that name file and field.

Files of benchmarks come in versions that look alike. Whatever is not as expected is a `DatasetError` that says what was got.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loci.errors import UserError

#: A progress bar appears when reading takes longer [s].
PROGRESS_AFTER = 2.0


class DatasetError(UserError):
    """A file of a benchmark is missing, of another version, or damaged."""


def read_json(path: Path) -> Any:
    """Content of a ``.json`` or ``.json.gz`` file.

    Raises:
        DatasetError: no such file, or it cannot be read.
    """
    try:
        data = path.read_bytes()
        return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except FileNotFoundError as error:
        raise DatasetError(f"no such file: {path}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    except ValueError as error:
        raise DatasetError(f"expected JSON in {path}, got something else: {error}") from error


def split_files(folder: Path, split: str) -> list[Path]:
    """Files of a split with one file a scene: ``{split}/content/SCENE.json.gz`` (or ``.json``), sorted by scene.

    A split without ``content`` has all its episodes in ``{split}/{split}.json.gz``.

    Raises:
        DatasetError: there is no such split, or nothing in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"expected a folder with splits of a benchmark, got {folder} (no such folder)")
    home = folder / split
    if not home.is_dir():
        there = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "no folders"
        raise DatasetError(f"expected the split {split!r} in {folder}, got {there}")
    content = home / "content"
    found = sorted(
        p for p in content.glob("*") if p.name.endswith((".json.gz", ".json")) and not p.name.startswith(".")
    )
    twice = {scene_of(p) for p in found if sum(scene_of(p) == scene_of(q) for q in found) > 1}
    if twice:
        raise DatasetError(f"expected one file a scene in {content}, got two of {', '.join(sorted(twice))}")
    if found:
        return found
    whole = home / f"{split}.json.gz"
    if whole.is_file():
        return [whole]
    raise DatasetError(f"expected {content}/SCENE.json.gz or {whole}, got neither")


def files_of_scenes(folder: Path, split: str, scenes: Collection[str] | None) -> list[Path]:
    """The `split_files` of some scenes; None: of all.

    Raises:
        DatasetError: there is no such split, or a scene has no file in it.
    """
    paths = split_files(folder, split)
    if scenes is None:
        return paths
    missing = set(scenes) - {scene_of(p) for p in paths}
    if missing:
        raise DatasetError(f"expected files of the scenes {', '.join(sorted(missing))} in {folder / split}, got none")
    return [p for p in paths if scene_of(p) in scenes]


def scene_of(path: Path) -> str:
    """Name of a scene by its file: ``TEEsavR23oF`` of ``content/TEEsavR23oF.json.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".json")


def with_progress(paths: Sequence[Path], name: str) -> Iterator[Path]:
    """The paths one after the other; a bar appears if going through them takes over two seconds."""
    from tqdm import tqdm

    yield from tqdm(paths, desc=name, unit="file", delay=PROGRESS_AFTER, file=sys.stderr, disable=None, leave=False)


class Fields:
    """The fields of a JSON object, checked as they are taken, so that an error names the file and the way to the field.

    Attributes:
        path: file it is in.
        where: way to it in the file, e.g. ``episodes[3].start_position``; empty: the whole file.
    """

    def __init__(self, value: Any, path: Path, where: str = "") -> None:
        self.path, self.where = path, where
        if not isinstance(value, dict):
            raise self.error("a JSON object", value)
        self._value: dict[str, Any] = value

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    @property
    def raw(self) -> Mapping[str, Any]:
        """The object as it was read."""
        return self._value

    def error(self, expected: str, got: Any, name: str = "") -> DatasetError:
        """An error about this object, or about a field of it."""
        there = ".".join(part for part in (self.where, name) if part)
        shown = repr(got)
        shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
        return DatasetError(f"expected {expected}{f' at {there}' if there else ''} in {self.path}, got {shown}")

    def _need(self, name: str) -> Any:
        if name not in self._value:
            raise self.error(f"the field {name!r}", sorted(self._value))
        return self._value[name]

    def text(self, name: str, default: str | None = None) -> str:
        """A string; ``default`` if the field is missing or null."""
        if default is not None and name not in self:
            return default
        value = self._need(name)
        if not isinstance(value, str):
            raise self.error("a text", value, name)
        return value

    def identifier(self, name: str) -> str:
        """A string or an integer, as text: both are used for ids."""
        value = self._need(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.error("a text or an integer", value, name)
        return str(value)

    def numbers(self, name: str, n: int) -> tuple[float, ...]:
        """A list of ``n`` numbers."""
        value = self._need(name)
        if not isinstance(value, list) or len(value) != n or not all(is_number(v) for v in value):
            raise self.error(f"{n} numbers", value, name)
        return tuple(float(v) for v in value)

    def number(self, name: str) -> float:
        """A number."""
        value = self._need(name)
        if not is_number(value):
            raise self.error("a number", value, name)
        return float(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty if the field is missing or null."""
        value = self._value.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.error("a list of texts", value, name)
        return tuple(value)

    def items(self, name: str) -> list[Any]:
        """A list."""
        value = self._need(name)
        if not isinstance(value, list):
            raise self.error("a list", value, name)
        return value

    def object(self, name: str) -> Fields:
        """A JSON object."""
        return Fields(self._need(name), self.path, ".".join(part for part in (self.where, name) if part))

    def objects(self, name: str) -> list[Fields]:
        """A list of JSON objects."""
        there = ".".join(part for part in (self.where, name) if part)
        return [Fields(v, self.path, f"{there}[{i}]") for i, v in enumerate(self.items(name))]


def is_number(value: Any) -> bool:
    """Whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
