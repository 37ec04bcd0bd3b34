"""Commands that keep memories whole and move them: check, repair, backup, archive, unarchive, merge; and explain and forget.

A memory is given by its folder or its name, as for `loci query`. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loci.errors import UserError


def add_parsers(commands: Any) -> None:
    """Add the commands to the parser of all commands."""
    p = _add(
        commands,
        "check",
        "is a memory whole? reads all of it and changes nothing",
        "Reads every record and image and compares the indexes with the records, also while nodes run. Exit status: 0 it is whole, "
        "1 something is damaged.",
        "loci check house",
        check,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p = _add(
        commands,
        "repair",
        "mend a damaged memory; what cannot be mended is set aside, never deleted",
        "Moves what is damaged below damaged/ in the memory's folder, takes over what can be read of it, makes the indexes anew, and says "
        "what it did. No other process may write to the memory meanwhile.",
        "loci repair house",
        repair,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p = _add(
        commands,
        "backup",
        "copy a memory as it is now, also while nodes write to it",
        "The copy holds what was committed when the command began (see the parameter commit_period), and is a memory that can be opened.",
        "loci backup house /media/usb/house-monday",
        backup,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("to", metavar="DEST", help="name or folder for the copy; must be new or empty")
    p = _add(
        commands,
        "archive",
        "write a memory as one file, also while nodes write to it",
        "The ending says which kind: .tar.zst, .tar.gz or .zip. `loci unarchive` makes a memory of it again.",
        "loci archive house house.tar.zst",
        archive,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("file", type=Path, metavar="FILE", help="archive to make, .tar.zst, .tar.gz or .zip")
    p = _add(
        commands,
        "unarchive",
        "make a memory of the file that `loci archive` wrote",
        "Takes only what a memory consists of, as plain files, and checks every byte against its SHA-256 before the memory appears.",
        "loci unarchive house.tar.zst house-again",
        unarchive,
    )
    p.add_argument("file", type=Path, metavar="FILE", help="archive, .tar.zst, .tar.gz or .zip")
    p.add_argument("memory", metavar="NAME", help="name or folder of the memory to make")
    p.add_argument(
        "--max-gb", type=float, default=1024.0, metavar="GB", help="refuse what unpacks to more (default 1024)"
    )
    p = _add(
        commands,
        "merge",
        "take the content of memory B into memory A",
        "With --transform, the pose of B's map in A's map, B's places become goals; without it they are found but are never goals. "
        "B is only read.",
        "loci merge house upstairs --transform 0,0,2.7,0,0,0,1",
        merge,
    )
    p.add_argument("memory", metavar="A", help="name of the memory that grows, or its folder")
    p.add_argument("other", metavar="B", help="name of the other memory, or its folder")
    p.add_argument(
        "--transform",
        type=_transform,
        default=None,
        metavar="X,Y,Z,QX,QY,QZ,QW",
        help="pose of B's map frame in A's [m, quaternion]",
    )
    p.add_argument("--map-id", default="", help="map of A to join (default: its newest)")
    p = _add(
        commands,
        "explain",
        "why something is kept in a memory, or why it was forgotten",
        "Tells of an episode, a keyframe or an object, by its id as `loci query` prints it, also while nodes run.",
        "loci explain house episode/104",
        explain,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("id", metavar="ID", help="e.g. episode/104, keyframe/12, object/3; also of what was forgotten")
    p = _add(
        commands,
        "forget",
        "forget things for good: records, images, facts and index entries, wiped from all files",
        "Copies, archives and what was set aside in damaged/ are out of reach. No other process may write to the memory meanwhile: of a "
        "running robot ask the service `forget`.",
        "loci forget house episode/104 keyframe/12",
        forget,
    )
    p.add_argument("memory", help="name of a memory, or its folder")
    p.add_argument("ids", nargs="+", metavar="ID", help="episodes, keyframes (and what hangs on them) or objects")


def check(a: argparse.Namespace) -> int:
    """`loci check`."""
    from loci.store.checking import check_memory

    path = find_folder(a.memory)
    with _storage_errors(f"loci repair {a.memory}"), _progress("check") as progress:
        findings = check_memory(path, progress)
    for finding in findings:
        print(f"{'damaged' if finding.is_damage else 'note':8}{finding.part}: {finding.what}")
    if any(f.is_damage for f in findings):
        raise UserError(f"{path} is damaged", f"loci repair {a.memory}")
    print(f"{path} is whole")
    return 0


def repair(a: argparse.Namespace) -> int:
    """`loci repair`."""
    from loci.store.checking import check_memory, repair_memory

    path = find_folder(a.memory)
    with _storage_errors(f"loci check {a.memory}"), _progress("repair") as progress:
        done = repair_memory(path, progress)
        left = [f for f in check_memory(path) if f.is_damage]
    for line in done:
        print(line)
    if left:
        raise UserError(f"still damaged: {'; '.join(f.what for f in left)}", f"loci check {a.memory}")
    print(f"{path} is whole" + ("" if done else "; there was nothing to repair"))
    if (path / "damaged").is_dir():
        print(f"  what was set aside is in {path / 'damaged'}; next: loci info {a.memory}")
    return 0


def backup(a: argparse.Namespace) -> int:
    """`loci backup`."""
    from loci.store.store import Store

    path, to = find_folder(a.memory), _new_folder(a.to)
    with _storage_errors(f"loci check {a.memory}"), Store.open(path, read_only=True) as store:
        store.backup(to)
        warnings = store.warnings
    for warning in warnings:
        print(f"loci: {warning}", file=sys.stderr)
    print(to)
    return 0


def archive(a: argparse.Namespace) -> int:
    """`loci archive`."""
    from loci.store.archives import suffix_of, write_archive
    from loci.store.store import Store

    path = find_folder(a.memory)
    try:
        suffix_of(a.file)
        a.file.parent.mkdir(parents=True, exist_ok=True)
        with (
            _storage_errors(f"loci check {a.memory}"),
            _progress("archive") as progress,
            Store.open(path, read_only=True) as store,
        ):
            n_bytes = write_archive(store, a.file, progress)
            warnings = store.warnings
    except (ValueError, FileExistsError) as error:
        raise UserError(str(error), f"loci archive {a.memory} other.tar.gz") from error
    for warning in warnings:
        print(f"loci: {warning}", file=sys.stderr)
    print(f"{a.file}  ({n_bytes / 1e6:.1f} MB)")
    return 0


def unarchive(a: argparse.Namespace) -> int:
    """`loci unarchive`."""
    from loci.store.archives import read_archive

    to = _new_folder(a.memory)
    try:
        with _storage_errors(""), _progress("unarchive") as progress:
            read_archive(a.file, to, int(a.max_gb * 1e9), progress)
    except FileNotFoundError as error:
        raise UserError(str(error), "loci unarchive --help") from error
    except (ValueError, FileExistsError) as error:
        raise UserError(str(error), f"loci unarchive {a.file} {Path(a.memory).name}-2") from error
    print(to)
    return 0


def merge(a: argparse.Namespace) -> int:
    """`loci merge`."""
    from loci.map_files import newest_map
    from loci.memory import RobotMemory

    path, other = find_folder(a.memory), find_folder(a.other)
    again = f"loci merge {a.memory} {a.other}"
    with _storage_errors(again), _progress("merge") as progress:
        try:
            with RobotMemory.open(path, map_id=a.map_id or newest_map(path)) as memory:
                merged = memory.merge(other, a.transform, progress)
        except ValueError as error:
            raise UserError(str(error), again) from error
    joined = "" if a.transform is not None else "; without --transform its places are found, but are never goals"
    print(
        f"{merged.n_keyframes} keyframes, {merged.n_objects} objects and {merged.n_episodes} episodes of {other} in {path}{joined}"
    )
    return 0


def explain(a: argparse.Namespace) -> int:
    """`loci explain`."""
    from loci.saved import open_saved

    with open_saved(a.memory) as memory:
        try:
            explanation = memory.explain(a.id)
        except LookupError as error:
            raise UserError(str(error), f"loci query {a.memory} --order newest") from error
    print(f"{a.id} is {'kept' if explanation.is_kept else 'no more'}: {'; '.join(explanation.reasons)}")
    return 0


def forget(a: argparse.Namespace) -> int:
    """`loci forget`."""
    from loci.map_files import newest_map
    from loci.memory import RobotMemory

    path = find_folder(a.memory)
    with _storage_errors(f"loci check {a.memory}"):
        try:
            with RobotMemory.open(path, map_id=newest_map(path)) as memory:
                n = memory.forget(a.ids)
        except LookupError as error:
            raise UserError(str(error), f"loci query {a.memory} --order newest") from error
    print(f"{n} forgotten; no file of {path} holds them any more" + _left_aside(path))
    return 0


def _left_aside(path: Path) -> str:
    return f", but {path / 'damaged'} may: look there, and delete it" if (path / "damaged").is_dir() else ""


def find_folder(name: str) -> Path:
    """Folder of a memory by its name or folder, also of one whose manifest is lost.

    Raises:
        UserError: there is none.
    """
    from loci.saved import find_memory, memories_home

    try:
        return find_memory(name)
    except UserError:
        for path in [Path(name)] if os.sep in name else [memories_home() / name, Path(name)]:
            if (path / "memory.sqlite").is_file() or (path / "ids.json").is_file():
                return path
        raise


def _new_folder(name: str) -> Path:
    from loci.observation import check_name
    from loci.saved import memories_home

    if os.sep in name or name in (".", ".."):
        return Path(name)
    try:
        return memories_home() / check_name(name, "memory name")
    except ValueError as error:
        raise UserError(str(error), "loci backup house house-2") from error


@contextmanager
def _storage_errors(next_command: str) -> Iterator[None]:
    from loci.store.errors import StoreError

    try:
        yield
    except StoreError as error:
        raise UserError(str(error), next_command) from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float, str], None]]:
    from tqdm import tqdm

    with tqdm(total=100, unit="%", desc=what, file=sys.stderr, disable=None, leave=False) as bar:

        def tell(share: float, stage: str) -> None:
            bar.set_description(stage)
            bar.update(round(100 * share) - bar.n)

        yield tell


def _add(
    commands: Any, name: str, summary: str, description: str, example: str, run: Callable[[argparse.Namespace], int]
) -> Any:
    p = commands.add_parser(name, help=summary, description=description, epilog=f"example: {example}")
    p.set_defaults(run=run)
    return p


def _transform(text: str) -> Any:
    from loci.geometry import pose_from_quaternion

    try:
        values = [float(word) for word in text.split(",")]
        if len(values) != 7:
            raise ValueError(f"expected 7 numbers X,Y,Z,QX,QY,QZ,QW, got {len(values)}")
        return pose_from_quaternion(values[:3], values[3:], "--transform")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
