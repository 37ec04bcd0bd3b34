"""Into memories and out of them: merging one into another, taking in a graph, exporting as files that need no Loci to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loci.geometry import Array, transform_points
from loci.query import MAX_LIMIT, Evidence, Query
from loci.spatial.ply import write_ply
from loci.spatial.street import StreetGraph
from loci.spatial.topology import TopologicalGraph
from loci.store.errors import StoreError
from loci.store.store import Record, Store

if TYPE_CHECKING:
    from loci.questions import MemoryQuestions

#: Told how far a long call is, [0, 1], and what it does; raising in it stops the call between two steps.
Progress = Callable[[float, str], None]

#: Kinds of records that a merge takes over, and of those the kinds whose ids are given anew.
_NUMBERED = ("keyframe", "object", "change", "mover", "snapshot", "place", "episode", "short_term")
_MERGED = (*_NUMBERED, "experience", "visibility", "place_edge", "session", "visits")
#: Kind of id that the records of a kind carry, where it is not the kind itself.
_ID_KIND = {"short_term": "episode"}


@dataclass(frozen=True)
class MergeResult:
    """How many keyframes, objects and episodes came in."""

    n_keyframes: int
    n_objects: int
    n_episodes: int


def merge_memory(
    store: Store, path: Path, map_id: str, T_this_other: Array | None, progress: Progress | None = None
) -> MergeResult:
    """Take the records of the memory in ``path`` into ``store``; the other memory is only read.

    Ids of the other are given anew. With a transform, the other's maps become part of ``map_id``; without one they stay maps of their
    own: found, but never a goal.

    Args:
        store: of the memory that grows.
        path: folder of the other memory.
        map_id: current map.
        T_this_other: (4, 4) transform of the other's map into this one, or None.
        progress: see `Progress`.

    Raises:
        StoreError: no memory there, damaged, or it is this one; nothing was changed.
    """
    if path.resolve() == store.path.resolve():
        raise StoreError(f"{path} is this memory: expected another one to merge")
    with Store.open(path, read_only=True) as other:
        records = [record for kind in _MERGED for record in other.records(kind)]
        ids = {r.id: store.new_id(_ID_KIND.get(r.kind, r.kind)) for r in records if r.kind in _NUMBERED}
        suffix = other.uuid.replace("-", "")[:8]
        sessions = {r.session for r in records if r.session} | {r.id for r in records if r.kind == "session"}
        # Maps and sessions of the same name in two memories are not the same: nothing but a transform joins maps.
        names = {session: f"{session}.{suffix}" for session in sessions}
        maps = {r.map_id for r in records if r.map_id}
        names |= {m: map_id if T_this_other is not None else f"{m[:80]}.{suffix}" for m in maps}
        for done, record in enumerate(records):
            if progress:
                progress(done / len(records), f"merging {record.kind}")
            for digest in record.blobs:
                store.put_blob(other.blob(digest))
            _put(store, _renamed(record, ids, names), T_this_other)
    counts = {kind: sum(r.kind == kind for r in records) for kind in _MERGED}
    return MergeResult(counts["keyframe"], counts["object"], counts["episode"] + counts["short_term"])


def _renamed(record: Record, ids: Mapping[str, str], names: Mapping[str, str]) -> Record:
    fields = _renamed_value(record.fields, ids, names)
    return replace(
        record,
        id=names.get(record.id, record.id) if record.kind == "session" else _renamed_value(record.id, ids, names),
        session=names.get(record.session, record.session),
        map_id=names.get(record.map_id, record.map_id),
        fields=fields | ({"text": record.fields["text"]} if "text" in record.fields else {}),
    )


def _renamed_value(value: Any, ids: Mapping[str, str], names: Mapping[str, str]) -> Any:
    """``value`` with every string that is an id ("object/12") and every map and session replaced, at any depth; text that only
    contains an id stays."""
    if isinstance(value, str):
        # "place/1>place/2" names an edge by its two ends
        return ids.get(value) or (">".join(ids.get(v, v) for v in value.split(">")) if ">" in value else value)
    if isinstance(value, list):
        return [_renamed_value(v, ids, names) for v in value]
    if isinstance(value, dict):
        return {
            ids.get(k, k): names.get(v, v) if k in ("map_id", "session") else _renamed_value(v, ids, names)
            for k, v in value.items()
        }
    return value


@dataclass(frozen=True)
class ImportedGraph:
    """A graph that was made places of.

    Attributes:
        map_id: its map.
        source: what it was read from.
        n_places, n_edges: its nodes and links.
        origin: latitude and longitude of the map's origin [degrees].
    """

    map_id: str
    source: str
    n_places: int
    n_edges: int
    origin: tuple[float, float]


def import_graph(
    store: Store,
    places: TopologicalGraph,
    graph: StreetGraph,
    map_id: str,
    source: str = "",
    progress: Progress | None = None,
) -> int:
    """Make places of the nodes of a graph and edges of its links, and note where they come from; how many places there are.

    Args:
        store: of the memory.
        places: its topological graph.
        graph: what to take in.
        map_id: map of the places.
        source: what it was read from, for people.
        progress: see `Progress`.

    Raises:
        ValueError: the map has an imported graph already; nothing has changed then.
    """
    there = next((g for g in imported_graphs(store) if g.map_id == map_id), None)
    if there is not None:
        raise ValueError(
            f"map {map_id!r} holds an imported graph of {there.n_places} places already: expected another map"
        )
    if progress:
        progress(0.0, "making places")
    ids = places.add_places(map_id, graph.names, graph.positions, graph.links)
    if progress:
        progress(0.5, "writing")
    fields = {
        "source": source,
        "n_places": len(ids),
        "n_edges": len(graph.links),
        "latitude": graph.origin[0],
        "longitude": graph.origin[1],
    }
    store.put("imported_graph", map_id, fields, map_id=map_id)
    return len(ids)


def imported_graphs(store: Store) -> tuple[ImportedGraph, ...]:
    """Graphs that places of a memory come from."""
    return tuple(
        ImportedGraph(
            r.id,
            str(r.fields["source"]),
            int(r.fields["n_places"]),
            int(r.fields["n_edges"]),
            (float(r.fields["latitude"]), float(r.fields["longitude"])),
        )
        for r in store.records("imported_graph")
    )


def _put(store: Store, record: Record, T_this_other: Array | None) -> None:
    fields, arrays = dict(record.fields), dict(record.arrays)
    if record.kind == "object" and "standing" in fields:
        # Keyframes of two memories are not in one order: nothing is recognised by what was seen first.
        fields["standing"] = {**fields["standing"], "first_tick": 0, "last_tick": 0}
    if T_this_other is not None:
        # Whatever hangs on a keyframe moves with it; only what is in the map frame itself must be moved here.
        if record.kind == "keyframe":
            pose = np.asarray(fields["T_map_camera"], dtype=np.float64).reshape(4, 4)
            fields["T_map_camera"] = (T_this_other @ pose).ravel().tolist()
        elif fields.get("position") is not None and record.kind in ("episode", "short_term", "place"):
            fields["position"] = transform_points(T_this_other, np.asarray(fields["position"])).tolist()
    store.put(
        record.kind,
        record.id,
        fields,
        stamp_ns=record.stamp_ns,
        session=record.session,
        map_id=record.map_id,
        arrays=arrays,
        blobs=record.blobs,
    )


def export_memory(memory: MemoryQuestions, directory: Path, progress: Progress | None = None) -> Path:
    """Write a memory as JSON, JPEG and PLY.

    The folder gets ``scene_graph.json``, ``scene_graph.txt``, ``snapshots.json``, ``episodes.jsonl``, ``keyframes.jsonl``,
    ``keyframes/*.jpg`` and ``occupied.ply`` (centres of occupied voxels, binary, metres, map frame).

    Raises:
        FileExistsError: the folder exists and is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(f"{directory} exists and is not empty: choose another folder")
    (directory / "keyframes").mkdir(parents=True, exist_ok=True)
    (directory / "scene_graph.json").write_text(memory.scene_graph("json")[0])
    (directory / "scene_graph.txt").write_text(memory.scene_graph("text", 1_000_000)[0])
    snapshots = [{"id": s.id, "keyframe": s.keyframe_id, "objects": list(s.object_ids)} for s in memory.snapshots()]
    (directory / "snapshots.json").write_text(json.dumps(snapshots, indent=1))
    write_ply(directory / "occupied.ply", memory.occupied_voxels())
    evidence = list(_all_episodes(memory))
    with (directory / "keyframes.jsonl").open("w") as keyframes, (directory / "episodes.jsonl").open("w") as episodes:
        for done, item in enumerate(evidence):
            if progress:
                progress(done / len(evidence), f"writing {item.kind}s")
            if item.kind == "keyframe":
                image = f"keyframes/{item.id.replace('/', '-')}.jpg"
                if memory.keyframe(item.id).is_faded:
                    image = ""  # forgotten under the memory's budget
                else:
                    (directory / image).write_bytes(memory.image(item.id))
                keyframes.write(json.dumps({**_as_json(item), "image": image}) + "\n")
            else:
                episodes.write(json.dumps(_as_json(item)) + "\n")
    return directory


def _all_episodes(memory: MemoryQuestions) -> Iterator[Evidence]:
    offset = 0
    while True:
        page = memory.recall(Query(kinds=("keyframe", "episode"), order="oldest", limit=MAX_LIMIT, offset=offset))
        yield from page.evidence
        offset += MAX_LIMIT
        if offset >= page.n_total:
            return


def _as_json(item: Evidence) -> dict[str, Any]:
    return {
        "id": item.id,
        "text": item.text,
        "stamp_ns": item.stamp_ns,
        "session": item.session,
        "map_id": item.map_id,
        "place": item.place,
        "room": item.room_name or item.room,
        "object": item.object_id,
        "keyframe": item.keyframe_id,
        "source": item.source,
        "state": item.state,
        "position": item.position,
        "T_map_camera": None if item.T_map_camera is None else item.T_map_camera.tolist(),
    }
