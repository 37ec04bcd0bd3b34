"""Rooms: free floor cut at its narrow passages; `loci.spatial.room_names` tells what kind of room each is.

Walls are taken from the band above the furniture where the map has it, so that a table does not cut a room in two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from loci.geometry import Array
from loci.spatial import grid_kernels
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap, obstacle_distance

#: Passages narrower than twice this part rooms [m]; doors are 0.7 to 1.0 m wide, corridors 1.2 m and more.
PASSAGE_RADIUS = 0.55
#: Smaller cores of rooms [m2], smaller rooms [m2], and smaller holes in the free floor [m2] are none.
MIN_CORE_AREA, MIN_ROOM_AREA, MAX_HOLE_AREA = 0.05, 1.5, 1.0
#: Holes that are longer [m] are walls.
MAX_HOLE_LENGTH = 1.2
#: Free floor this far behind a core's own reach [m] is a room of its own, however narrow.
REMOTE = 0.5
#: Narrow neighbours (nowhere wider than twice `CORRIDOR_RADIUS` [m]) are one corridor if what joins them is wider than twice
#: `OPEN_RADIUS` [m], and so than a door.
CORRIDOR_RADIUS, OPEN_RADIUS = 0.75, 0.47


#: Where the room of a thing is looked up, so far before it on the line of sight [m]: clear of the wall that it may hang on.
OFF_WALL = 0.4


@dataclass(frozen=True)
class Room:
    """A room.

    Attributes:
        id: stable over segmentations (by overlap).
        name: e.g. "kitchen", from the objects in it; empty: not known.
        confidence: of the name, [0, 1].
        position: (3,) free point well inside [m].
        area: free floor [m2].
    """

    id: str
    name: str
    confidence: float
    position: tuple[float, float, float]
    area: float


@dataclass(frozen=True)
class RoomMap:
    """Which cell lies in which room; immutable.

    Attributes:
        labels: (H, W) int32, 0: none, i: ``rooms[i - 1]``.
        rooms: largest first.
        origin, resolution: as of the occupancy map it was made from.
    """

    labels: npt.NDArray[np.int32]
    rooms: tuple[Room, ...]
    origin: tuple[float, float]
    resolution: float

    def room_at(self, xy: npt.ArrayLike) -> str:
        """Id of the room of a point (2,) [m]; empty: none."""
        column, row = np.floor((np.asarray(xy, dtype=np.float64) - self.origin) / self.resolution + 1e-9).astype(int)
        if not (0 <= row < self.labels.shape[0] and 0 <= column < self.labels.shape[1]):
            return ""
        label = int(self.labels[row, column])
        return self.rooms[label - 1].id if label else ""

    def rooms_near(self, xy: npt.ArrayLike, reach: float) -> list[Room | None]:
        """Rooms of the nearest cells within ``reach`` [m] of points (N, 2); None: none is near."""
        points = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        if not self.rooms:
            return [None] * len(points)
        cells = np.floor((points - self.origin) / self.resolution + 1e-9).astype(np.int64)[
            :, ::-1
        ]  # (N, 2) row, column
        inside = np.clip(cells, 0, np.array(self.labels.shape) - 1)
        distance, label = self._nearest
        outside = np.linalg.norm(cells - inside, axis=1) * self.resolution
        rows, columns = inside.T
        near = distance[rows, columns] + outside <= reach
        return [self.rooms[i - 1] if ok else None for i, ok in zip(label[rows, columns], near, strict=True)]

    def rooms_towards(self, xy: npt.ArrayLike, viewpoints: npt.ArrayLike, reach: float) -> list[Room | None]:
        """Rooms of points (N, 2) that were seen from viewpoints (N, 2) [m].

        What hangs on a wall is as near to the room behind it: the first room on the line of sight back to the viewpoint
        counts, from `OFF_WALL` to ``reach`` [m] before the point; where that line meets none, the nearest.
        """
        points, views = (np.asarray(a, dtype=np.float64).reshape(-1, 2) for a in (xy, viewpoints))
        found = self.rooms_near(points, reach)
        if not self.rooms or not len(points):
            return found
        back = views - points
        distance = np.maximum(np.hypot(back[:, 0], back[:, 1]), 1e-9)
        steps = np.minimum(np.arange(OFF_WALL, reach, 0.5 * self.resolution), distance[:, None]) / self.resolution
        # (N, K) columns and rows of cells along the line, nearest to the point first
        start = (points - self.origin) / self.resolution + 1e-9
        along = np.floor(start[:, None] + (back / distance[:, None])[:, None] * steps[:, :, None])  # (N, K, 2)
        column, row = along[..., 0], along[..., 1]
        height, width = self.labels.shape
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        labels = self.labels[np.where(inside, row, 0).astype(np.int64), np.where(inside, column, 0).astype(np.int64)]
        labels = np.where(inside, labels, 0)
        first = labels[np.arange(len(points)), np.argmax(labels > 0, axis=1)]
        return [self.rooms[i - 1] if i else near for i, near in zip(first.tolist(), found, strict=True)]

    def room(self, room_id: str) -> Room:
        """The room with an id.

        Raises:
            KeyError: there is none.
        """
        for room in self.rooms:
            if room.id == room_id:
                return room
        raise KeyError(f"no room {room_id!r} among {[room.id for room in self.rooms]}")

    def with_rooms(self, rooms: tuple[Room, ...]) -> RoomMap:
        """The same segmentation with other facts about its rooms (same ids in the same order)."""
        if tuple(r.id for r in rooms) != tuple(r.id for r in self.rooms):
            raise ValueError("expected the same rooms in the same order")
        other = replace(self, rooms=rooms)
        if rooms:
            # Depends on the segmentation alone: no query has to make it again.
            other.__dict__["_nearest"] = self._nearest
        return other

    @cached_property
    def _nearest(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Distance [m] to the nearest cell of a room, and that room's label, per cell."""
        outside = (self.labels == 0).astype(np.uint8)
        distance, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        label_of = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
        inside = self.labels > 0
        label_of[nearest[inside]] = self.labels[inside]
        return np.asarray(distance) * np.float32(self.resolution), label_of[nearest]


def segment_rooms(map_: OccupancyMap, previous: RoomMap | Sequence[Room], new_id: Callable[[], str]) -> RoomMap:
    """Cut the free floor into rooms.

    Cores are what is left of the free floor after eroding it by `PASSAGE_RADIUS`; from them the rooms grow back, each cell
    to the core that it is nearest to by way of free floor. Narrow floor out of the cores' reach (a corridor) is a room, too.

    Args:
        map_: occupancy; its ``walls`` are used where it has them.
        previous: the rooms so far, whose ids and names are kept: by overlap, or for bare rooms by their position.
        new_id: makes ids.
    """
    resolution = map_.resolution
    empty = RoomMap(np.zeros(map_.cells.shape, dtype=np.int32), (), map_.origin, resolution)
    if not (map_.cells == FREE).any():
        return empty
    floor = _open_floor(map_)
    labels = _merge_corridors(
        grid_kernels.grow_labels(_cores(floor, resolution), floor), _inner_distance(floor, resolution)
    )
    floor_cells = (map_.cells == FREE) | (floor & (map_.cells != OCCUPIED))
    labels[~floor_cells] = 0
    labels = _keep_large(labels, map_.cells == FREE, MIN_ROOM_AREA / resolution**2)
    n = int(labels.max())
    if not n:
        return empty
    candidates = [_describe(labels == i, map_) for i in range(1, n + 1)]
    return _with_ids(RoomMap(labels, tuple(candidates), map_.origin, resolution), previous, new_id)


def _open_floor(map_: OccupancyMap) -> npt.NDArray[np.bool_]:
    """Floor between the walls, (H, W): free where people stand or look over furniture; small holes are closed."""
    if map_.walls is None:
        blocked, free = map_.cells == OCCUPIED, map_.cells == FREE
    else:
        blocked = map_.walls == OCCUPIED
        free = ((map_.walls == FREE) | ((map_.walls == UNKNOWN) & (map_.cells == FREE))) & ~blocked
    max_hole = MAX_HOLE_AREA / map_.resolution**2
    _, holes, stats, _ = cv2.connectedComponentsWithStats((~free).astype(np.uint8), connectivity=8)
    # A piece of wall between two doors is small as well, but long.
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) * map_.resolution
    small = (stats[:, cv2.CC_STAT_AREA] < max_hole) & (longest < MAX_HOLE_LENGTH)
    small[0] = False  # the free floor itself
    return np.asarray(free | small[holes])


def _cores(floor: npt.NDArray[np.bool_], resolution: float) -> npt.NDArray[np.int32]:
    """Seeds of the rooms, (H, W): 0 none."""
    clearance = _inner_distance(floor, resolution)
    n, cores, stats, _ = cv2.connectedComponentsWithStats(
        (clearance >= PASSAGE_RADIUS).astype(np.uint8), connectivity=8
    )
    small = stats[:, cv2.CC_STAT_AREA] * resolution**2 < MIN_CORE_AREA
    cores[small[cores]] = 0
    remote = floor & (obstacle_distance(cores > 0, resolution) > PASSAGE_RADIUS + REMOTE)
    # A corridor's middle; the edges of remote floor are too thin to be one.
    remote &= _inner_distance(floor, resolution) >= 0.3
    _, more, stats, _ = cv2.connectedComponentsWithStats(remote.astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] * resolution**2 < 4 * MIN_CORE_AREA
    more[small[more]] = 0
    return np.where(more > 0, more + n, cores).astype(np.int32)


def _inner_distance(floor: npt.NDArray[np.bool_], resolution: float) -> npt.NDArray[np.float32]:
    """Distance to what is not floor [m], the outside of the map included."""
    padded = cv2.distanceTransform(np.pad(floor, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(padded[1:-1, 1:-1]) * np.float32(resolution)


def _merge_corridors(labels: npt.NDArray[np.int32], clearance: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Join narrow neighbours between which the floor is nowhere as narrow as a door: parts of one corridor."""
    n = int(labels.max()) + 1
    widest = np.zeros(n, dtype=np.float32)
    np.maximum.at(widest, labels.ravel(), clearance.ravel())
    _, parts = cv2.connectedComponents((clearance > OPEN_RADIUS).astype(np.uint8), connectivity=8)
    joined = np.zeros((n, n), dtype=np.bool_)
    for ahead, behind in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        a, b = labels[ahead], labels[behind]
        meet = (a != b) & (a > 0) & (b > 0) & (parts[ahead] > 0) & (parts[ahead] == parts[behind])
        joined[a[meet], b[meet]] = True
    narrow = widest <= CORRIDOR_RADIUS
    joined &= narrow[:, None] & narrow[None, :]
    _, group = connected_components(csr_array(joined), directed=False)
    # Groups take the number of their first member, so that 0 stays "none".
    first = np.full(n, n, dtype=np.int32)
    np.minimum.at(first, group, np.arange(n, dtype=np.int32))
    return np.asarray(first[group][labels])


def _keep_large(labels: npt.NDArray[np.int32], free: npt.NDArray[np.bool_], min_cells: float) -> npt.NDArray[np.int32]:
    """Number rooms by free floor, largest first; the small ones become none."""
    sizes = np.bincount(labels[free], minlength=int(labels.max()) + 1)
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] >= min_cells]
    number = np.zeros(sizes.size, dtype=np.int32)
    number[order] = np.arange(1, order.size + 1)
    return number[labels]


def _describe(mask: npt.NDArray[np.bool_], map_: OccupancyMap) -> Room:
    """A room without id: its area, and the free point farthest from obstacles and other rooms."""
    free = mask & (map_.cells == FREE)
    inside = np.where(free, np.minimum(_inner_distance(mask, map_.resolution), map_.clearance), -1.0)
    cell = np.unravel_index(int(np.argmax(inside)), mask.shape)
    x, y = map_.center_of(np.array(cell))
    area = float(free.sum()) * map_.resolution**2
    return Room("", "", 0.0, (float(x), float(y), map_.floor_z), area)


def _with_ids(rooms: RoomMap, previous: RoomMap | Sequence[Room], new_id: Callable[[], str]) -> RoomMap:
    """Hand on ids and names: to the new room that shares most floor with the old one, largest overlap first."""
    former = previous.rooms if isinstance(previous, RoomMap) else tuple(previous)
    shared = _overlap(rooms, previous) if isinstance(previous, RoomMap) else _positions_inside(rooms, former)
    ids: dict[int, Room] = {}
    taken: set[int] = set()
    for flat in np.argsort(-shared, axis=None, kind="stable"):
        new, old = (int(i) for i in np.unravel_index(flat, shared.shape))
        if shared[new, old] <= 0:
            break
        if new not in ids and old not in taken:
            ids[new] = former[old]
            taken.add(old)
    named = []
    for i, room in enumerate(rooms.rooms):
        old_room = ids.get(i)
        name, confidence = (old_room.name, old_room.confidence) if old_room else ("", 0.0)
        named.append(replace(room, id=old_room.id if old_room else new_id(), name=name, confidence=confidence))
    return replace(rooms, rooms=tuple(named))


def _overlap(rooms: RoomMap, previous: RoomMap) -> Array:
    """Shared cells of new and old rooms, (N, M)."""
    shift = np.rint((np.asarray(previous.origin) - rooms.origin) / rooms.resolution).astype(int)[::-1]
    cells = np.argwhere(previous.labels > 0)
    moved = cells + shift
    inside = np.all((moved >= 0) & (moved < rooms.labels.shape), axis=1)
    old = previous.labels[tuple(cells[inside].T)]
    new = rooms.labels[tuple(moved[inside].T)]
    counts = np.zeros((len(rooms.rooms) + 1, len(previous.rooms) + 1))
    np.add.at(counts, (new, old), 1.0)
    return counts[1:, 1:]


def _positions_inside(rooms: RoomMap, former: Sequence[Room]) -> Array:
    """Area of the old room where its position lies in the new one, (N, M)."""
    inside = np.zeros((len(rooms.rooms), len(former)))
    index = {label: i for i, label in enumerate(range(1, len(rooms.rooms) + 1))}
    for j, room in enumerate(former):
        xy = np.asarray(room.position[:2])
        column, row = np.floor((xy - rooms.origin) / rooms.resolution + 1e-9).astype(int)
        if 0 <= row < rooms.labels.shape[0] and 0 <= column < rooms.labels.shape[1] and rooms.labels[row, column]:
            inside[index[int(rooms.labels[row, column])], j] = max(room.area, 1e-3)
    return inside
