"""Commands on a saved memory, read-only and without ROS: query, info, export.

A memory is given by its folder, or by its name in the folder of all memories ($LOCI_HOME, else ~/.local/share/loci).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci import map_files, scene_files
from loci.errors import UserError

if TYPE_CHECKING:
    from loci.memory import RobotMemory
    from loci.planning.protocols import Answer, Planner
    from loci.query import Evidence

#: Where `loci demo` and `loci replay` leave their memories, so that "demo" and "replay" are names, too.
_WELL_KNOWN = {"demo": Path("out/demo/memory"), "replay": Path("out/replay/memory")}


def memories_home() -> Path:
    """Folder of all named memories."""
    if home := os.environ.get("LOCI_HOME"):
        return Path(home)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "loci"


def find_memory(name: str) -> Path:
    """Folder of a memory that is given by its folder or its name.

    Raises:
        UserError: there is none; the message lists those that are.
    """
    candidates = [Path(name)] if os.sep in name or name in (".", "..") else [memories_home() / name, Path(name)]
    if name in _WELL_KNOWN:
        candidates.append(_WELL_KNOWN[name])
    for path in candidates:
        if (path / "manifest.json").is_file():
            return path
    home = memories_home()
    known = sorted(p.parent.name for p in home.glob("*/manifest.json")) if home.is_dir() else []
    known += [key for key, path in _WELL_KNOWN.items() if (path / "manifest.json").is_file()]
    there = f"known are: {', '.join(known)}" if known else f"there is none in {home} yet"
    raise UserError(f"no memory {name!r}: {there}", f"loci info {known[0]}" if known else "loci demo")


def open_saved(name: str, map_id: str = "") -> RobotMemory:
    """Open a saved memory read-only.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    path = find_memory(name)
    from loci.memory import RobotMemory
    from loci.store.errors import StoreError

    try:
        return RobotMemory.open(path, map_id=map_id or None, read_only=True)
    except (StoreError, ValueError) as error:
        raise UserError(f"cannot open the memory in {path}: {error}", "loci doctor") from error


def query(a: argparse.Namespace) -> int:
    """`loci query`: print what a memory recalls."""
    from loci.query import Query

    if not any((a.text, a.label, a.kind, a.image, a.near, a.place, a.state, a.object)) and (
        a.order == "relevance" and a.after is None and a.before is None
    ):
        raise UserError(
            "nothing asked: give a text, --label, --image or --near", f'loci query {a.memory} "where is the table?"'
        )
    if a.near is not None and len(a.near) != 4:
        raise UserError(
            f"expected 4 numbers X,Y,Z,R for --near, got {len(a.near)}", f"loci query {a.memory} --near 0,0,0,2"
        )
    image = None if a.image is None else _read_picture(a.image)
    try:
        asked = Query(
            text=a.text or None,
            image=image,
            labels=tuple(a.label),
            kinds=tuple(a.kind),
            place=a.place or None,
            state=a.state or None,
            position=None if a.near is None else (a.near[0], a.near[1], a.near[2]),
            radius=None if a.near is None else a.near[3],
            object_id=a.object or None,
            order=a.order,
            limit=a.limit,
            offset=a.offset,
            with_images=a.save_images is not None,
            max_image_bytes=1 << 30,
        )
    except ValueError as error:
        raise UserError(str(error), "loci query --help") from error
    with open_saved(a.memory, a.map_id) as memory:
        answer = _answer(memory, a) if a.text.rstrip().endswith("?") else None
        start_ns = _first_stamp(memory)
        try:
            found = memory.recall(
                dataclasses.replace(asked, after_ns=_stamp(a.after, start_ns), before_ns=_stamp(a.before, start_ns))
            )
        except (ValueError, LookupError) as error:
            raise UserError(str(error), f"loci info {a.memory} --graph") from error
    if a.save_images is not None:
        _save_images(found.evidence, a.save_images)
    if a.json:
        document: dict[str, Any] = {"n_total": found.n_total, "evidence": [as_json(e) for e in found.evidence]}
        if answer is not None:
            document["answer"] = {"text": answer.answer, "known": answer.known, "confidence": answer.confidence}
            document["answer"]["evidence"] = [as_json(e) for e in answer.evidence]
        print(json.dumps(document, indent=2))
        return 0
    if answer is not None:
        print(f"{answer.answer}  (confidence {answer.confidence:.2f})\n")
    print_evidence(found.evidence, start_ns)
    if found.n_total > len(found.evidence):
        print(f"... {found.n_total - len(found.evidence)} more: --limit {min(found.n_total, 1000)}")
    if not found.evidence:
        print("nothing remembered fits")
    return 0


def info(a: argparse.Namespace) -> int:
    """`loci info`: print what a memory holds."""
    with open_saved(a.memory) as memory:
        statistics = memory.statistics()
        topology = memory.topology()
        counts: dict[str, int] = {}
        for o in memory.objects():
            counts[o.label or "unnamed"] = counts.get(o.label or "unnamed", 0) + 1
        labels = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        graphs = [dataclasses.asdict(graph) for graph in memory.imported_graphs()]
        rooms = [{"id": r.id, "name": r.name, "area": round(float(r.area), 2)} for r in topology.rooms]
        document = {
            "path": str(memory.path),
            "uuid": memory.uuid,
            "map_id": memory.map_id,
            "statistics": statistics,
            "rooms": rooms,
            "imported_graphs": graphs,
            "objects_by_label": labels,
        }
        graph = memory.scene_graph("text", 1_000_000)[0] if a.graph else ""
    if a.json:
        if graph:
            document["scene_graph"] = graph
        print(json.dumps(document, indent=2))
        return 0
    print(f"{document['path']}  ({document['uuid']}, map {document['map_id']})")
    for key, value in statistics.items():
        if key == "newest_stamp_ns" or value == "":
            continue  # of a session that observes; nothing to complain of
        shown = f"{int(value) / 1e6:.1f} MB" if key.endswith("_bytes") else str(value)
        print(f"  {key.removesuffix('_bytes').replace('_', ' '):24}{shown}")
    print(
        "  names of rooms".ljust(26)
        + (", ".join(f"{r['name'] or r['id']} ({r['area']:.0f} m2)" for r in rooms) or "none known")
    )
    print(
        "  kinds of objects".ljust(26)
        + (", ".join(f"{label} x{n}" if n > 1 else label for label, n in labels.items()) or "none")
    )
    for g in graphs:
        print(
            "  imported graph".ljust(26)
            + f"{g['n_places']} places and {g['n_edges']} ways in map {g['map_id']}, from {g['source']}, "
            f"origin {g['origin'][0]:.6f}, {g['origin'][1]:.6f}"
        )
    if graph:
        print("\n" + graph)
    return 0


def export(a: argparse.Namespace) -> int:
    """`loci export`: write a memory as JSON, JPEG and PLY, or its octree or its topological graph as one file."""
    from tqdm import tqdm

    if a.format in map_files.FORMATS:
        return map_files.export_map(a)
    if a.format in scene_files.FORMATS:
        return scene_files.export_scene(a)
    if a.format != "files":
        return _export_graph(a)
    with open_saved(a.memory) as memory:
        if a.out.exists() and any(a.out.iterdir() if a.out.is_dir() else [a.out]):
            raise UserError(f"{a.out} is not empty", f"loci export {a.memory} --out {a.out}-2")
        with tqdm(total=100, unit="%", desc="export", file=sys.stderr, disable=None) as bar:

            def progress(share: float, stage: str) -> None:
                bar.set_description(stage)
                bar.update(round(100 * share) - bar.n)

            try:
                path = memory.export(a.out, progress)
            except OSError as error:
                raise UserError(
                    f"cannot write {a.out}: {error.strerror or error}", f"loci export {a.memory} --out exported"
                ) from error
            bar.update(100 - bar.n)
        if a.report:
            from loci.report import collect, write_report

            title = f"Loci: {memory.name}"
            print(write_report(collect(memory, title=title, subtitle=f"map {memory.map_id}"), Path(path)))
    print(path)
    return 0


def _export_graph(a: argparse.Namespace) -> int:
    from loci.spatial.graph_files import write_graph

    if a.report:
        raise UserError("--report goes with --format files", f"loci export {a.memory} --out exported --report")
    if a.out.exists():
        raise UserError(f"{a.out} exists", f"loci export {a.memory} --format {a.format} --out other.{a.format}")
    with open_saved(a.memory) as memory:
        topology = memory.topology()
        # Positions of other maps mean nothing beside those of this one.
        places = [p for p in topology.places if p.map_id == memory.map_id]
        known = {p.id for p in places}
        edges = [e for e in topology.edges if e.source in known and e.target in known]
        names = {room.id: room.name for room in topology.rooms}
    try:
        print(write_graph(a.out, a.format, places, edges, room_names=names))
    except OSError as error:
        raise UserError(
            f"cannot write {a.out}: {error.strerror or error}", f"loci export {a.memory} --out exported"
        ) from error
    print(f"{len(places)} places and {len(edges)} ways of map {memory.map_id}", file=sys.stderr)
    return 0


def print_evidence(evidence: tuple[Evidence, ...], start_ns: int = 0) -> None:
    """Evidence as aligned lines: score, id, what, where, when, from which memory."""
    for e in evidence:
        where = "" if e.position is None else f"({e.position[0]:.2f}, {e.position[1]:.2f}, {e.position[2]:.2f})"
        when = f"{(e.stamp_ns - start_ns) * 1e-9:.1f} s" if e.stamp_ns else ""
        text = f'"{e.text}", says {e.source}' if e.is_quoted else e.text
        print(f"  {e.score:.2f}  {e.id:14} {text[:56]:56} {where:22} {when:>9}  {e.origin}")
        if e.contradiction:
            print(f"        contradicted: {e.contradiction}")


def as_json(e: Evidence) -> dict[str, Any]:
    """Evidence as plain values; pictures are left out."""
    fields = {f.name: getattr(e, f.name) for f in dataclasses.fields(e) if f.name != "image"}
    fields["position"] = None if e.position is None else [float(v) for v in e.position]
    fields["T_map_camera"] = None if e.T_map_camera is None else e.T_map_camera.tolist()
    fields["score"], fields["confidence"] = float(e.score), float(e.confidence)
    return fields


def _answer(memory: RobotMemory, a: argparse.Namespace) -> Answer:
    from loci.perception.text import MiniLMTextEncoder
    from loci.planning.local import LocalReader
    from loci.planning.offline import OfflinePlanner

    planner: Planner = OfflinePlanner(MiniLMTextEncoder())
    if a.model or a.base_url:
        planner = _vision_language(a, planner)
    return planner.ask(a.text, LocalReader(memory), a.limit)


def _vision_language(a: argparse.Namespace, fallback: Planner) -> Planner:
    from loci.planning.chat_model import ChatModel, ModelError
    from loci.planning.endpoint import Endpoint, EndpointSettings, why_no_images
    from loci.planning.traces import RecordingModel
    from loci.planning.vision_language import VisionLanguagePlanner

    try:
        settings = EndpointSettings(
            a.base_url, a.model, api_key_variable=a.api_key_variable, allow_remote_images=a.allow_remote_images
        )
        model: ChatModel = Endpoint(settings)
        if a.trace is not None:
            model = RecordingModel(model, a.trace)
    except (ValueError, ModelError, OSError) as error:
        command = f'loci query {a.memory} "..." --base-url http://127.0.0.1:8000/v1 --model NAME'
        raise UserError(str(error), command) from error
    if not model.takes_images:
        print(f"loci: {why_no_images(a.base_url)} (--allow-remote-images)", file=sys.stderr)
    return VisionLanguagePlanner(model, fallback)


def _first_stamp(memory: RobotMemory) -> int:
    evidence = memory.timeline(limit=1).evidence
    return evidence[0].stamp_ns if evidence else 0


def _stamp(seconds: float | None, start_ns: int) -> int | None:
    return None if seconds is None else start_ns + round(seconds * 1e9)


def _read_picture(path: Path):  # type: ignore[no-untyped-def]
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise UserError(f"cannot read the picture {path}", "loci query NAME --image photo.jpg")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _save_images(evidence: tuple[Evidence, ...], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for e in evidence:
        if e.image:
            (folder / f"{e.id.replace('/', '-')}.jpg").write_bytes(e.image)
