"""Storeys of a building and the stairs between them, from the surfaces that were seen and from where the camera has been.

A floor is a large horizontal surface under the camera, or one far above or below every other floor. Stairs are where the robot
climbed: its own way over them is a better witness than treads of which a camera sees a part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial.columns import Columns
from loci.spatial.surfaces import Surface, large_surfaces, lowest_surface, patches

Ints = npt.NDArray[np.int64]

#: A camera is so far above its floor [m].
CAMERA_HEIGHTS = (0.1, 2.2)
#: Floors lie at least so far apart [m]; one on which no camera has been even further: furniture is nearer to its floor.
MIN_STOREY, MIN_STOREY_SEEN = 1.0, 2.0
#: One connected piece of a further floor is at least so large [m2]: larger than a landing or a table.
MIN_FLOOR_AREA = 4.0
#: The robot is on a floor while its base is so near to its height [m]; further off, it is on stairs. While one floor is known,
#: it may sway more: the camera may be carried by hand.
ON_FLOOR, SWAY = 0.25, 0.35
#: So many keyframes at a height make the robot's stay there [keyframes].
MIN_STAY = 5
#: Floor within so far of a camera, seen from above, is what it stood on [m].
UNDERFOOT = 0.5
#: Keyframes further apart than this are no way [m].
MAX_STEP = 1.0
#: So much of the way before and behind stairs belongs to them [m]; ways whose ends are nearer than this are the same stairs [m].
RUN_UP, SAME_STAIRS = 1.0, 1.5
#: Points of a way so near to a floor's height are on it [m].
LEVEL = 0.1
#: Points of a way are no closer [m]; loops that come back to within this are cut off [m].
SPACING = 0.1


@dataclass(frozen=True)
class Floor:
    """A storey.

    Attributes:
        id: "floor/1", stable.
        name: "floor 1" is the lowest one known.
        height: of its surface [m].
        area: free floor that is known [m2].
        is_driven: the robot has been there.
        room_ids: of its rooms, largest first.
    """

    id: str
    name: str
    height: float
    area: float = 0.0
    is_driven: bool = False
    room_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stairs:
    """A way between two floors.

    Attributes:
        floors: ids of the floors where it begins and ends; the second is empty while the robot is still on its way, and where
            nobody has seen yet how the steps go on.
        points: (N, 3) of the robot's base from the one to the other [m], with some way on both floors.
        is_climbed: the robot has been there; otherwise it is a way over steps that were seen.
    """

    floors: tuple[str, str]
    points: Array
    is_climbed: bool = True

    @property
    def length(self) -> float:
        """[m]"""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())


@dataclass(frozen=True)
class Track:
    """Where cameras have been, in order.

    Attributes:
        positions: (N, 3) [m], map frame.
        cameras: (N,) which camera.
        directions: (N, 2) horizontal unit vectors in which they looked; (0, 2): not known.
    """

    positions: Array
    cameras: Ints
    directions: Array = field(default_factory=lambda: np.zeros((0, 2)))


@dataclass(frozen=True)
class Storeys:
    """All floors from the lowest up, how the robot went between them, and where it is.

    Attributes:
        floors: never empty once something was seen.
        stairs: between them; one that is open is the last.
        current: index of the floor that the robot is on, or came from if it is on stairs.
        on_stairs: it is.
        floor_of: (N,) index of the floor of each position of the track, -1 on stairs.
        bases: (N, 3) positions of the track moved down to the floor or stairs [m].
        camera_height: of the newest camera above what it stands on [m].
    """

    floors: tuple[Floor, ...]
    stairs: tuple[Stairs, ...]
    current: int
    on_stairs: bool
    floor_of: Ints
    bases: Array
    camera_height: float

    def below(self, z: npt.ArrayLike) -> Ints:
        """Index of the floor that points at heights z [m] are on: the highest one below them."""
        heights = np.array([f.height for f in self.floors])
        return np.maximum(np.searchsorted(heights, np.asarray(z, dtype=np.float64) + ON_FLOOR, side="right") - 1, 0)


def find_storeys(columns: Columns, track: Track, former: Sequence[Floor], new_id: Callable[[], str]) -> Storeys:
    """Find floors and stairs.

    Args:
        columns: of the octree.
        track: of the cameras.
        former: the floors so far, whose ids are kept, and heights too where they differ by less than a voxel.
        new_id: makes ids.
    """
    surfaces = large_surfaces(columns)
    z = track.positions[:, 2]
    heights = _under_cameras(surfaces, z) or [lowest_surface(columns)]
    mounted = _mounted(track, heights[0])
    base = z - mounted
    heights = _with_visited(heights, surfaces, columns, np.column_stack([track.positions[:, :2], base]))
    heights = _with_seen(heights, surfaces, columns)
    kept = [f.height for f in former if f.is_driven and any(abs(f.height - s.z) < 0.1 for s in surfaces)]
    heights = sorted([*heights, *(h for h in kept if _is_far(h, heights, MIN_STOREY))])
    floors = _identified(heights, former, new_id, columns.leaf_size)
    levels = np.array([f.height for f in floors])
    floor_of = _floor_of(base, levels)
    floors = tuple(
        f if f.is_driven else replace(f, is_driven=_is_driven(columns, f.height, track.positions[floor_of == i, :2]))
        for i, f in enumerate(floors)
    )
    bases = np.column_stack([track.positions[:, :2], base])
    visited = floor_of[floor_of >= 0]
    current = int(visited[-1]) if len(visited) else 0
    on_stairs = len(floor_of) > 0 and bool(floor_of[-1] < 0)
    stairs = _stairs(bases, track.cameras, floor_of, floors)
    return Storeys(floors, stairs, current, on_stairs, floor_of, bases, float(mounted[-1]) if len(mounted) else 0.0)


def _under_cameras(surfaces: Sequence[Surface], z: Array) -> list[float]:
    """The lowest strong surface under most of the cameras at heights z (N,); empty: there is none under any."""
    strong = np.array([s.z for s in surfaces if s.is_strong])
    # (N, S) how far each camera is above each surface
    above = z[:, None] - strong
    under = (above >= CAMERA_HEIGHTS[0]) & (above <= CAMERA_HEIGHTS[1])
    lowest = np.argmax(under[under.any(axis=1)], axis=1) if under.size else np.zeros(0, dtype=np.int64)
    return [float(strong[np.argmax(np.bincount(lowest))])] if len(lowest) else []


def _mounted(track: Track, level: float) -> Array:
    """How far above the floor each camera of the track is (N,) [m]: the same for all images of one camera."""
    above = track.positions[:, 2] - level
    fits = (above >= CAMERA_HEIGHTS[0]) & (above <= CAMERA_HEIGHTS[1])
    mounted = np.zeros(len(above))
    for camera in np.unique(track.cameras):
        own = track.cameras == camera
        known = own & fits if np.any(own & fits) else own
        mounted[own] = np.median(above[known])
    return mounted


def _with_visited(heights: list[float], surfaces: Sequence[Surface], columns: Columns, bases: Array) -> list[float]:
    """With smaller surfaces on which the robot has been."""
    for s in surfaces:
        if s.area < MIN_FLOOR_AREA or not _is_far(s.z, heights, MIN_STOREY):
            continue
        stay = np.abs(bases[:, 2] - s.z) <= ON_FLOOR / 2
        if stay.sum() < MIN_STAY:
            continue
        pieces = patches(columns, s.z, bases[stay, :2], UNDERFOOT)
        under = np.unique(pieces.near[pieces.near >= 0])
        if np.any(pieces.areas[under] >= MIN_FLOOR_AREA):
            heights = sorted([*heights, s.z])
    return heights


def _with_seen(heights: list[float], surfaces: Sequence[Surface], columns: Columns) -> list[float]:
    """With surfaces on which nobody was, a storey away from all others."""
    for s in surfaces:
        if s.area >= MIN_FLOOR_AREA and _is_far(s.z, heights, MIN_STOREY_SEEN):
            areas = patches(columns, s.z, np.zeros((0, 2)), UNDERFOOT).areas
            if np.max(areas, initial=0.0) >= MIN_FLOOR_AREA:
                heights = sorted([*heights, s.z])
    return heights


def _is_far(height: float, others: Sequence[float], least: float) -> bool:
    return all(abs(height - other) >= least for other in others)


def _identified(
    heights: Sequence[float], former: Sequence[Floor], new_id: Callable[[], str], leaf: float
) -> tuple[Floor, ...]:
    """Floors with the ids of the former ones nearest in height."""
    pairs = sorted((abs(h - f.height), i, j) for i, h in enumerate(heights) for j, f in enumerate(former))
    ids: dict[int, Floor] = {}
    for gap, i, j in pairs:
        if gap < MIN_STOREY and i not in ids and former[j] not in ids.values():
            ids[i] = former[j]
    floors = []
    for i, height in enumerate(heights):
        old = ids.get(i)
        steady = old.height if old is not None and abs(height - old.height) <= leaf else height
        is_driven = old is not None and old.is_driven and steady == old.height
        floors.append(Floor(old.id if old is not None else new_id(), f"floor {i + 1}", steady, is_driven=is_driven))
    return tuple(floors)


def _floor_of(base: Array, levels: Array) -> Ints:
    """Index of the floor at each height (N,), -1: on stairs."""
    gaps = np.abs(base[:, None] - levels)  # (N, F)
    return np.where(gaps.min(axis=1) <= (SWAY if len(levels) == 1 else ON_FLOOR), gaps.argmin(axis=1), -1)


def _is_driven(columns: Columns, z: float, points: Array) -> bool:
    """Whether most of the positions (N, 2) over a floor have that floor under them."""
    if not len(points):
        return False
    # Each spot once: where the robot turned or waited it saw the floor around it, but not under it.
    spots = np.unique(np.round(points / UNDERFOOT), axis=0) * UNDERFOOT
    return bool(np.mean(patches(columns, z, spots, UNDERFOOT).near >= 0) >= 0.5)


def _stairs(bases: Array, cameras: Ints, floor_of: Ints, floors: Sequence[Floor]) -> tuple[Stairs, ...]:
    """Ways from one floor to another, and the one that the robot is on now, last."""
    found: list[Stairs] = []
    for camera in np.unique(cameras):
        own = np.flatnonzero(cameras == camera)
        steps = np.linalg.norm(np.diff(bases[own], axis=0), axis=1)
        for part in np.split(own, np.flatnonzero(steps > MAX_STEP) + 1):
            at = floor_of[part]
            on = np.flatnonzero(at >= 0)
            for i, j in pairwise(on.tolist()):
                if at[i] != at[j]:
                    ends = floors[at[i]], floors[at[j]]
                    _add(found, Stairs((ends[0].id, ends[1].id), _way(bases[part], i, j, ends)))
            if len(on) and on[-1] < len(part) - 1 and part[-1] == len(bases) - 1:
                end = floors[at[on[-1]]]
                way = _way(bases[part], int(on[-1]), len(part) - 1, (end, None))
                return (*found, Stairs((end.id, ""), way))
    return tuple(found)


def _add(found: list[Stairs], new: Stairs) -> None:
    """Keep the shorter of two ways over the same stairs, but one that comes to a floor, not only to its edge."""
    if new.points[0, 2] > new.points[-1, 2]:
        new = Stairs((new.floors[1], new.floors[0]), new.points[::-1])
    for i, old in enumerate(found):
        ends = np.linalg.norm(old.points[[0, -1], :2] - new.points[[0, -1], :2], axis=1)
        if old.floors == new.floors and np.all(ends < SAME_STAIRS + RUN_UP):
            found[i] = min(old, new, key=lambda s: (-min(run_up(s.points), RUN_UP / 2), s.length))
            return
    found.append(new)


def run_up(points: Array) -> float:
    """How much of a way (N, 3) is level at its shorter end [m]."""
    lengths = []
    for way in (points, points[::-1]):
        level = int(np.argmax(np.append(way[:, 2] != way[0, 2], True)))
        lengths.append(float(np.linalg.norm(np.diff(way[:level], axis=0), axis=1).sum()))
    return min(lengths)


def _way(bases: Array, i: int, j: int, ends: tuple[Floor, Floor | None]) -> Array:
    """Points from position i on one floor to j on the other, with a run-up on both, without loops."""
    lengths = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(bases, axis=0), axis=1)))
    first = int(np.searchsorted(lengths, lengths[i] - RUN_UP))
    last = min(int(np.searchsorted(lengths, lengths[j] + RUN_UP)), len(bases) - 1) if ends[1] else j
    # No further than it stayed on the floor: a robot that turned round at the top would lead back down.
    off = np.flatnonzero(np.abs(bases[first : i + 1, 2] - ends[0].height) > SWAY)
    first += int(off[-1]) + 1 if len(off) else 0
    if ends[1] is not None:
        off = np.flatnonzero(np.abs(bases[j : last + 1, 2] - ends[1].height) > SWAY)
        last = j + int(off[0]) - 1 if len(off) else last
    first, last = min(first, i), max(last, j)
    points = bases[first : last + 1].copy()
    for floor in ends:
        if floor is not None:  # on a floor the robot is at its height, however noisy its own
            points[np.abs(points[:, 2] - floor.height) <= LEVEL, 2] = floor.height
    kept = [0]
    while kept[-1] < len(points) - 1:
        gaps = np.linalg.norm(points[kept[-1] + 1 :] - points[kept[-1]], axis=1)
        back = np.flatnonzero(gaps < SPACING)
        kept.append(kept[-1] + 1 + (int(back[-1]) + 1 if len(back) else 0))
        if kept[-1] >= len(points) - 1:
            kept[-1] = len(points) - 1
    return np.asarray(points[kept])
