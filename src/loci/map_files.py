"""`loci export --format bt|ot|ply` and `loci import-map`: the octree of a memory as one file, and from one."""

from __future__ import annotations

import argparse
from pathlib import Path

from loci.errors import UserError

#: Formats of one file, for `loci export --format`.
FORMATS = ("bt", "ot", "ply")


def add_import_parser(commands) -> None:  # type: ignore[no-untyped-def]
    """Add `loci import-map` to the commands."""
    p = commands.add_parser(
        "import-map",
        help="take an OctoMap file (.bt, .ot) into a memory",
        description="What the file holds counts as known before anything was observed in that map: observations change it. It takes "
        "the place of what was imported into that map before.",
        epilog="example: loci import-map house.bt house --map-id ground_floor",
    )
    p.add_argument("file", type=Path, metavar="FILE", help="OctoMap file with a tree of type OcTree")
    p.add_argument("memory", metavar="NAME", help="name of a memory, or its folder; made where there is none")
    p.add_argument(
        "--map-id", default="", help="map that the file's coordinates refer to (default: the memory's newest)"
    )
    p.set_defaults(run=import_map)


def import_map(a: argparse.Namespace) -> int:
    """`loci import-map`."""
    from loci.memory import RobotMemory
    from loci.saved import find_memory, memories_home
    from loci.spatial.octomap_files import OctoMapError
    from loci.store.errors import StoreError

    if not a.file.is_file():
        raise UserError(f"no file {a.file}", "loci import-map --help")
    try:
        path = find_memory(a.memory)
    except UserError:
        path = Path(a.memory) if Path(a.memory).name != a.memory else memories_home() / a.memory
    try:
        map_id = a.map_id or newest_map(path)
        with RobotMemory.open(path, map_id=map_id) as memory:
            memory.import_map(a.file)
            n = len(memory.occupied_voxels())
            print(f"{n} occupied voxels of {a.file} in map {memory.map_id} of {memory.path}")
    except OctoMapError as error:
        raise UserError(str(error), "loci import-map --help") from error
    except (StoreError, ValueError, OSError) as error:
        raise UserError(f"cannot import {a.file} into {path}: {error}", f"loci info {a.memory}") from error
    return 0


def newest_map(path: Path) -> str | None:
    """Map of a memory that was observed last; None: there is no memory yet."""
    from loci.memory import RobotMemory

    if not (path / "manifest.json").is_file():
        return None
    with RobotMemory.open(path, read_only=True) as memory:
        return memory.map_id


def export_map(a: argparse.Namespace) -> int:
    """`loci export --format bt|ot|ply`."""
    from loci.saved import open_saved

    again = f"loci export {a.memory} --format {a.format} --out other.{a.format}"
    if a.report:
        raise UserError("--report goes with --format files", f"loci export {a.memory} --out exported --report")
    if a.out.exists():
        raise UserError(f"{a.out} exists", again)
    with open_saved(a.memory) as memory:
        try:
            n = memory.export_map(a.out, a.format)
        except OSError as error:
            raise UserError(f"cannot write {a.out}: {error.strerror or error}", again) from error
        except ValueError as error:
            raise UserError(str(error), f"loci export {a.memory} --format ply --out map.ply") from error
        what = "points" if a.format == "ply" else "nodes"
        print(f"{a.out}: {n} {what} of map {memory.map_id}")
    return 0
