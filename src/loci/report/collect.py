"""Reads from a memory what its report shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loci.geometry import Array
from loci.query import Evidence, Query
from loci.report.data import ReportAnswer, ReportData, ReportGrid, ReportObject, ReportRoom, ReportSnapshot
from loci.spatial.floors import Floor

if TYPE_CHECKING:
    from loci.memory import RobotMemory

#: Things between these heights above the floor are drawn [m]: no floor, no ceiling.
HEIGHTS = (0.1, 2.0)
PAGE = 1000


def collect(
    memory: RobotMemory,
    *,
    title: str,
    subtitle: str = "",
    answers: Iterable[ReportAnswer] = (),
    figures: Sequence[tuple[str, str]] = (),
    commands: Sequence[tuple[str, str]] = (),
) -> ReportData:
    """Read a report's data from a memory; only what lies in its current map is drawn, counts are of all maps."""
    floors = memory.floors()
    rooms = tuple(
        ReportRoom(r.id, r.name, r.confidence, (float(r.position[0]), float(r.position[1])), r.area)
        for r in memory.topology().rooms
    )
    objects = _objects(memory)
    keyframes = [e for e in _pages(memory, Query(kinds=("keyframe",), order="oldest", limit=PAGE)) if e.is_goal]
    snapshots = _snapshots(memory)
    path = _path(keyframes)
    frontiers = [f for f, length in memory.frontiers() if length >= 0]
    start_ns = min((e.stamp_ns for e in keyframes), default=0)
    own = (
        *((("floors", str(len(floors))),) if len(floors) > 1 else ()),
        ("rooms", str(len(rooms))),
        ("objects", str(len(objects))),
        ("snapshots", str(len(snapshots))),
        ("keyframes", str(len(keyframes))),
        ("path", f"{_length(path):.1f} m"),
    )
    data = ReportData(
        title=title,
        subtitle=subtitle,
        grid=_grid(memory, floors[0]) if len(floors) == 1 else None,
        rooms=rooms,
        objects=objects,
        snapshots=tuple(s for s, _ in snapshots),
        path=path,
        frontiers=np.array([f.centroid[:2] for f in frontiers]).reshape(-1, 2),
        answers=tuple(answers),
        figures=(*own, *figures),
        commands=tuple(commands),
        first_stamp_ns=start_ns,
    )
    if len(floors) < 2:
        return data
    heights = np.where(np.isfinite(path), path, 0.0)
    on_path = memory.floors_of(heights) if len(path) else []
    parts = []
    for floor in floors:
        here = np.array([f.id == floor.id for f in on_path], dtype=np.bool_)
        parts.append(
            ReportData(
                title=floor.name,
                subtitle="",
                grid=_grid(memory, floor),
                rooms=tuple(r for r in rooms if r.id in floor.room_ids),
                objects=tuple(o for o in objects if memory.floors_of([o.center])[0].id == floor.id),
                snapshots=tuple(s for s, at in snapshots if memory.floors_of([at])[0].id == floor.id),
                path=np.where(here[:, None], path, np.nan),
                frontiers=np.array([f.centroid[:2] for f in frontiers if f.floor == floor.id]).reshape(-1, 2),
            )
        )
    return replace(data, floors=tuple(parts))


def _grid(memory: RobotMemory, on: Floor) -> ReportGrid:
    view = memory.floor_view(on.id)
    floor, rooms = view.map, view.rooms
    cells = np.asarray(floor.cells)
    heights = np.full(cells.shape, -np.inf, dtype=np.float32)
    voxels = memory.occupied_voxels()
    above = voxels[:, 2] - floor.floor_z
    voxels, above = (
        voxels[(above > HEIGHTS[0]) & (above < HEIGHTS[1])],
        above[(above > HEIGHTS[0]) & (above < HEIGHTS[1])],
    )
    index = np.floor((voxels[:, :2] - np.asarray(floor.origin)) / floor.resolution).astype(
        np.int64
    )  # (N, 2) column, row
    inside = np.all((index >= 0) & (index < cells.shape[::-1]), axis=1)
    np.maximum.at(heights, (index[inside, 1], index[inside, 0]), above[inside])
    heights[~np.isfinite(heights)] = np.nan
    return ReportGrid(cells, heights, rooms.labels, (float(floor.origin[0]), float(floor.origin[1])), floor.resolution)


def _objects(memory: RobotMemory) -> tuple[ReportObject, ...]:
    supports, by_id = memory.supports(), {o.id: o for o in memory.objects()}
    here = [o for o in by_id.values() if memory.is_goal(o.map_id)]
    found = []
    for o, room in zip(here, memory.rooms_of(here), strict=True):
        carrier = by_id.get(supports.get(o.id, ""))
        found.append(
            ReportObject(
                id=o.id,
                label=o.label,
                state=o.state,
                center=(float(o.center[0]), float(o.center[1]), float(o.center[2])),
                footprint=footprint(o.T_map_box, o.size),
                size=(float(o.size[0]), float(o.size[1]), float(o.size[2])),
                room=(room.name or room.id) if room else "",
                on=carrier.label if carrier else "",
                colors=tuple(o.colors),
                n_detections=o.n_detections,
                confidence=o.confidence,
                first_seen_ns=o.first_seen_ns,
                last_seen_ns=o.last_seen_ns,
            )
        )
    return tuple(found)


def footprint(T_map_box: Array, size: Sequence[float] | Array) -> Array:
    """Corners (4, 2) [m] of the smallest rectangle, along the box's most level axis, that holds the box seen from above."""
    T, half = np.asarray(T_map_box, dtype=np.float64), np.asarray(size, dtype=np.float64) / 2
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    corners = (signs * half) @ T[:3, :3].T + T[:3, 3]
    # The axis that is least vertical tells the direction of the rectangle.
    axis = T[:2, :3][:, int(np.argmin(np.abs(T[2, :3])))]
    along = axis / max(float(np.linalg.norm(axis)), 1e-9)
    across = np.array([-along[1], along[0]])
    u, v = corners[:, :2] @ along, corners[:, :2] @ across
    ends = np.array([[u.min(), v.min()], [u.max(), v.min()], [u.max(), v.max()], [u.min(), v.max()]])
    return np.asarray(ends[:, :1] * along + ends[:, 1:] * across)


def _snapshots(memory: RobotMemory) -> list[tuple[ReportSnapshot, Array]]:
    """Snapshots with the positions (3,) of their cameras [m]."""
    labels = {o.id: o.label for o in memory.objects()}
    members = {s.id: s.object_ids for s in memory.snapshots()}
    found = []
    for e in _pages(memory, Query(kinds=("snapshot",), order="oldest", limit=PAGE)):
        if not e.is_goal or e.T_map_camera is None:
            continue
        forward = e.T_map_camera[:3, 2]
        snapshot = ReportSnapshot(
            id=e.id,
            position=(float(e.T_map_camera[0, 3]), float(e.T_map_camera[1, 3])),
            heading=float(np.arctan2(forward[1], forward[0])),
            labels=tuple(labels[i] for i in members.get(e.id, ()) if i in labels),
            stamp_ns=e.stamp_ns,
            image=memory.image(e.keyframe_id),
        )
        found.append((snapshot, e.T_map_camera[:3, 3]))
    return found


def _pages(memory: RobotMemory, query: Query) -> list[Evidence]:
    found: list[Evidence] = []
    while True:
        page = memory.recall(replace(query, offset=len(found)))
        found += page.evidence
        if not page.evidence or len(found) >= page.n_total:
            return found


def _path(keyframes: Sequence[Evidence]) -> Array:
    """Camera positions (N, 3), with a NaN row between sessions."""
    rows: list[Array] = []
    session = keyframes[0].session if keyframes else ""
    for e in keyframes:
        if e.T_map_camera is None:
            continue
        if e.session != session:
            rows.append(np.full(3, np.nan))
            session = e.session
        rows.append(e.T_map_camera[:3, 3])
    return np.array(rows).reshape(-1, 3)


def _length(path: Array) -> float:
    if len(path) < 2:
        return 0.0
    return float(np.nansum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
