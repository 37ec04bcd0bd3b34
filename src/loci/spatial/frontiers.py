"""Where the known floor ends: unexplored cells that border on free ones, clustered, with identities that last.

Follows 3D-Mem (CVPR 2025, arXiv 2411.17735) with its thresholds in metres. Only borders that a robot of the given radius
could cross are frontiers: slivers along walls and gaps between chair legs would keep an exploration going for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from loci.geometry import Array
from loci.spatial.borders import Borders
from loci.spatial.occupancy import OccupancyMap


@dataclass(frozen=True)
class FrontierParameters:
    """What counts as a frontier.

    Attributes:
        depth: how far into the unknown its cells reach [m].
        min_area: smaller ones are left out [m2].
        max_angle: those that span more as seen from the robot are split [degrees].
        same_iou, same_area: it is the same as before if the intersection over union is larger, or less than this area
            [m2] has changed.
        robot_radius: of a robot that must fit through the border [m].
        robot_reach: free floor so near to the robot is taken for where it stands [m].
    """

    depth: float = 0.3
    min_area: float = 0.2
    max_angle: float = 150.0
    same_iou: float = 0.95
    same_area: float = 0.75
    robot_radius: float = 0.2
    robot_reach: float = 1.0

    def __post_init__(self) -> None:
        if not (self.depth > 0 and self.min_area > 0 and self.robot_radius >= 0 and self.robot_reach > 0):
            raise ValueError(f"expected depth, min_area and robot_reach > 0 and robot_radius >= 0, got {self}")
        if not 0 < self.max_angle <= 360:
            raise ValueError(f"expected max_angle in (0, 360] degrees, got {self.max_angle}")


@dataclass(frozen=True)
class Frontier:
    """Border between what is known to be free and what has not been seen.

    Attributes:
        id: stable while its region is the same.
        position: (3,) free point nearest to it, where a robot can be [m].
        centroid: (3,) of its cells [m].
        direction: (3,) unit vector from the position into the unknown.
        area: of its cells [m2].
        information_gain: unknown volume that a camera at the position would see [m3]; 0 where nobody asked.
        floor: id; empty: not known.
        cells: (N, 2) int64 unexplored cells (column, row) counted from the map frame's origin, so that they mean the same
            when the map grows: cell (i, j) spans [i, i + 1) x [j, j + 1) resolutions.
        keyframe_id: photo of it; empty: none.
    """

    id: str
    position: Array
    centroid: Array
    direction: Array
    area: float
    cells: npt.NDArray[np.int64] = field(repr=False)
    keyframe_id: str = ""
    information_gain: float = 0.0
    floor: str = ""


@dataclass(frozen=True)
class _Standing:
    """Where one may stand for a region, and what that was told from: it is the same as long as that is.

    Attributes:
        cells: (M, 2) int64 reached cells (column, row) about as near as any to the region, in the map's grid.
        reach: so many cells around the region were looked at.
        low, high: (2,) int64 corners (column, row) of these, in the map's grid.
        reached: (h, w) bool of these.
    """

    cells: npt.NDArray[np.int64]
    reach: int
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]
    reached: npt.NDArray[np.bool_]


class FrontierTracker:
    """Finds frontiers in map after map and keeps their identities. Written by one thread; `frontiers` may be read by any."""

    def __init__(self, new_id: Callable[[], str], parameters: FrontierParameters | None = None) -> None:
        self.parameters = parameters or FrontierParameters()
        self._new_id = new_id
        self._frontiers: tuple[Frontier, ...] = ()
        p = self.parameters
        self._borders = Borders(p.depth, p.robot_radius, p.robot_reach)
        self._standing: dict[bytes, _Standing] = {}  # by the cells of a frontier

    @property
    def frontiers(self) -> tuple[Frontier, ...]:
        """As of the last update."""
        return self._frontiers

    def update(self, map_: OccupancyMap, robot_xy: npt.ArrayLike | None = None) -> tuple[Frontier, ...]:
        """Frontiers of a map.

        Args:
            map_: occupancy; of the same resolution in all calls.
            robot_xy: (2,) [m]; only what it can reach counts. None: any free floor.
        """
        robot = None if robot_xy is None else np.asarray(robot_xy, dtype=np.float64)
        self._borders.update(map_, robot)
        regions = _regions(self._borders, map_.resolution, robot, self.parameters)
        ids, photos = self._identify(regions, map_.resolution)
        radius = self.parameters.robot_radius / map_.resolution
        frontiers, standing = [], {}
        for cells, frontier_id, photo in zip(regions, ids, photos, strict=True):
            key = cells.tobytes()
            near = _standing(cells, self._borders, radius, self._standing.get(key))
            standing[key] = near
            frontiers.append(_frontier(frontier_id or self._new_id(), cells, map_, near, photo))
        self._frontiers, self._standing = tuple(frontiers), standing
        return self._frontiers

    def set_keyframe(self, frontier_id: str, keyframe_id: str) -> None:
        """Attach the photo that shows a frontier; nothing happens if the frontier is gone."""
        self._frontiers = tuple(
            replace(f, keyframe_id=keyframe_id) if f.id == frontier_id else f for f in self._frontiers
        )

    def _identify(self, regions: list[npt.NDArray[np.int64]], resolution: float) -> tuple[list[str], list[str]]:
        """Id and photo of the former frontier that each region continues; empty where it is new."""
        p = self.parameters
        keys = [_keys(cells) for cells in regions]
        pairs = []
        unchanged = {cells.tobytes(): new for new, cells in enumerate(regions)}
        for old, frontier in enumerate(self._frontiers):
            same = unchanged.get(frontier.cells.tobytes())
            if same is not None:  # regions share no cells: it continues no other one
                pairs.append((-1.0, old, same))
                continue
            former = _keys(frontier.cells)
            low, high = frontier.cells.min(axis=0), frontier.cells.max(axis=0)
            for new, key in enumerate(keys):
                if np.any(regions[new].min(axis=0) > high) or np.any(regions[new].max(axis=0) < low):
                    continue
                shared = np.intersect1d(former, key, assume_unique=True).size
                changed = former.size + key.size - 2 * shared
                iou = shared / (former.size + key.size - shared)
                if shared and (iou > p.same_iou or changed * resolution**2 < p.same_area):
                    pairs.append((-iou, old, new))
        ids, photos = [""] * len(regions), [""] * len(regions)
        taken: set[int] = set()
        for _, old, new in sorted(pairs):
            if old not in taken and not ids[new]:
                taken.add(old)
                ids[new], photos[new] = self._frontiers[old].id, self._frontiers[old].keyframe_id
        return ids, photos


def _regions(
    borders: Borders, resolution: float, robot_xy: Array | None, p: FrontierParameters
) -> list[npt.NDArray[np.int64]]:
    """Regions of border cells, largest first, each (N, 2) int64 (column, row) as in `Frontier.cells`."""
    regions = []
    for rows, columns in _clusters(borders.band):
        if len(rows) * resolution**2 >= p.min_area:
            regions += _split(np.column_stack([columns, rows]) + borders.corner, resolution, robot_xy, p)
    # Ties are broken by place, so that the order does not depend on how large the map is.
    return sorted(regions, key=lambda cells: (-len(cells), *cells[0].tolist()))


def _clusters(mask: npt.NDArray[np.bool_]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Rows and columns of the cells of each connected cluster (8 neighbours).

    As a graph of the cells themselves: they are few, however large the mask is.
    """
    width = mask.shape[1]
    cells = np.flatnonzero(mask)  # (N,) ascending; the mask's margin keeps neighbours from wrapping around
    if not len(cells):
        return []
    a, b = [], []
    for step in (1, width - 1, width, width + 1):
        place = np.searchsorted(cells, cells + step).clip(max=len(cells) - 1)
        joined = np.flatnonzero(cells[place] == cells + step)
        a.append(joined)
        b.append(place[joined])
    ends = np.concatenate(a), np.concatenate(b)
    graph = csr_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(len(cells), len(cells)))
    _, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    parts = np.split(cells[order], np.cumsum(np.bincount(labels))[:-1])
    return [(part // width, part % width) for part in parts]


def _split(
    cells: npt.NDArray[np.int64], resolution: float, robot_xy: Array | None, p: FrontierParameters
) -> list[npt.NDArray[np.int64]]:
    """Halve a region by angle until no part spans more than the largest angle; parts stay above the smallest area."""
    if robot_xy is None:
        return [cells]
    offsets = (cells + 0.5) * resolution - robot_xy
    angles = np.arctan2(offsets[:, 1], offsets[:, 0])
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order[0]] + 2 * np.pi)
    begin = int(np.argmax(gaps))  # angles count from behind the largest gap
    span = 2 * np.pi - gaps[begin]
    if np.degrees(span) <= p.max_angle:
        return [cells]
    turned = (angles - angles[order[(begin + 1) % len(order)]]) % (2 * np.pi)
    first = turned <= span / 2
    if min(first.sum(), (~first).sum()) * resolution**2 < p.min_area:
        return [cells]
    return _split(cells[first], resolution, robot_xy, p) + _split(cells[~first], resolution, robot_xy, p)


def _frontier(
    frontier_id: str,
    cells: npt.NDArray[np.int64],
    map_: OccupancyMap,
    near: _Standing,
    photo: str,
) -> Frontier:
    resolution = map_.resolution
    centroid = (cells.mean(axis=0) + 0.5) * resolution
    # The free point nearest to the border: by distance to the region's cells, then to its centroid.
    points = (near.cells + 0.5) * resolution
    xy = points[np.argmin(np.linalg.norm(points - centroid, axis=1))]
    target = centroid
    if np.linalg.norm(target - xy) < resolution:  # a border around the robot has its centroid on the robot
        target = (cells[0] + 0.5) * resolution
    direction = np.append(target - xy, 0.0)
    norm = np.linalg.norm(direction)
    direction = direction / norm if norm > 0 else np.array([1.0, 0.0, 0.0])
    area = len(cells) * resolution**2
    z = map_.floor_z
    return Frontier(frontier_id, np.append(xy, z), np.append(centroid, z), direction, area, cells, photo)


def _standing(cells: npt.NDArray[np.int64], borders: Borders, radius: float, before: _Standing | None) -> _Standing:
    """Reached cells about as near as any to a region (N, 2) (column, row), from the map's grid.

    A robot's radius [cells] away from the unknown, where there is room: what begins there may be a wall. ``before``: of the same
    region in an earlier map.
    """
    reached, corner = borders.reached, borders.corner
    cells = cells - corner
    first, last = cells.min(axis=0), cells.max(axis=0) + 1
    if before is not None:
        low, high = np.maximum(first - before.reach, 0), np.minimum(last + before.reach, reached.shape[::-1])
        same = np.array_equal(low + corner, before.low) and np.array_equal(high + corner, before.high)
        if same and np.array_equal(reached[low[1] : high[1], low[0] : high[0]], before.reached):
            return before
    reach = int(2 * radius) + 20
    while True:
        # As far around as needed: distances within the window are right up to its edge.
        low, high = np.maximum(first - reach, 0), np.minimum(last + reach, reached.shape[::-1])
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        region = np.ones(reached[window].shape, dtype=np.uint8)
        columns, rows = (cells - low).T
        region[rows, columns] = 0
        distance = cv2.distanceTransform(region, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        roomy = reached[window] & (distance >= radius)
        whole = bool(np.all(low == 0) and np.all(high == reached.shape[::-1]))
        standing = roomy if roomy.any() else reached[window]
        least = distance[standing].min() if standing.any() else np.inf
        if whole or (roomy.any() and least + 2.0 < reach):
            near = np.argwhere(standing & (distance <= least + 2.0))[:, ::-1] + low + corner
            return _Standing(near, reach, low + corner, high + corner, reached[window].copy())
        reach *= 2


def _keys(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray((cells[:, 0] << 32) + cells[:, 1])
