"""A flat world for tests of exploration: walls on a grid, a robot that bumps into them, and a memory that knows what was in its line of sight.

It shares no code with the library's maps, so the exploration loop is tested against an independent notion of free, frontier and path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from loci.planning.protocols import (
    STEP_LENGTH,
    TURN_ANGLE,
    Action,
    KnownFrontier,
    KnownObject,
    KnownPath,
    KnownPose,
    KnownRoom,
    Point,
    StepResult,
)
from loci.query import Evidence, Query

CELL = 0.1  # [m]

APARTMENT = """
########################################
#            #            #            #
#            #            #            #
#            #            #            #
#                         #            #
#            #                         #
#            #            #            #
#            #            #            #
#            #            #            #
#####  #########  ############   #######
#                                      #
#                                      #
#                                      #
########  ##########  ########  ########
#            #            #            #
#            #            #            #
#            #     ##     #            #
#            #     ##     #            #
#            #            #            #
#            #            #            #
#            #            #            #
########################################
"""


def walls_of(text: str, scale: int) -> np.ndarray:
    """(H, W) bool, True where there is a wall; every character is ``scale`` cells wide and high; row 0 is y = 0."""
    rows = [list(row) for row in text.strip("\n").split("\n")]
    return np.kron(np.array(rows) == "#", np.ones((scale, scale), dtype=bool))[::-1]


@dataclass(frozen=True)
class Page:
    """What `recall` gives."""

    evidence: tuple[Evidence, ...] = ()
    n_total: int = 0


class GridWorld:
    """Robot and memory in one. ``hidden``: cells (H, W) bool that block the robot, but are seen as free floor (a glass edge, a cable)."""

    def __init__(
        self, walls: np.ndarray, start: Point, hidden: np.ndarray | None = None, view_range: float = 4.0
    ) -> None:
        self.walls = walls
        self.hidden = np.zeros_like(walls) if hidden is None else hidden
        self.known = np.zeros_like(walls)
        self.view_range = view_range
        self._position = start
        self._heading = 0.3
        self._stamp_ns = 0
        self.rooms: tuple[KnownRoom, ...] = ()
        radius = 0.2
        self._body = (
            ndimage.distance_transform_edt(~(walls | self.hidden)) * CELL > radius
        )  # where the robot's centre may be

    # --- robot ---

    def position(self) -> Point:
        return self._position

    def heading(self) -> float:
        return self._heading

    def step(self, action: Action) -> StepResult:
        collided = False
        if action == "turn_left":
            self._heading += TURN_ANGLE
        elif action == "turn_right":
            self._heading -= TURN_ANGLE
        elif action == "move_forward":
            x, y, z = self._position
            way = np.linspace(0.0, STEP_LENGTH, 6)
            xs, ys = x + way * np.cos(self._heading), y + way * np.sin(self._heading)
            collided = not np.all(self._body[self._cell(xs, ys)])
            if not collided:
                self._position = (float(xs[-1]), float(ys[-1]), z)
        self._look()
        self._stamp_ns += 100_000_000
        return StepResult(collided, self._stamp_ns)

    def reachable(self, xy: tuple[float, float]) -> np.ndarray:
        """Where the robot's centre can get from a point, (H, W) bool."""
        labels, _ = ndimage.label(self._body)
        return labels == labels[self._cell(*xy)]

    def _look(self) -> None:
        angles = self._heading + np.radians(np.arange(-40.0, 40.1, 0.5))
        ranges = np.arange(0.0, self.view_range, CELL / 2)
        xs = self._position[0] + ranges[None] * np.cos(angles)[:, None]  # (A, R)
        ys = self._position[1] + ranges[None] * np.sin(angles)[:, None]
        rows, columns = self._cell(xs, ys)
        open_so_far = np.cumsum(self.walls[rows, columns], axis=1) <= 1  # the first wall cell is seen as well
        self.known[rows[open_so_far], columns[open_so_far]] = True

    def _cell(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = self.walls.shape
        return (
            np.clip((np.asarray(y) / CELL).astype(int), 0, height - 1),
            np.clip((np.asarray(x) / CELL).astype(int), 0, width - 1),
        )

    # --- memory ---

    @property
    def newest_stamp_ns(self) -> int:
        return self._stamp_ns

    def wait_for(self, stamp_ns: int) -> None: ...

    def recall(self, query: Query) -> Page:
        return Page()

    def known_objects(self) -> tuple[KnownObject, ...]:
        return ()

    def known_poses(self, object_id: str) -> tuple[KnownPose, ...]:
        """Nothing has moved here."""
        return tuple(
            KnownPose(o.position, o.first_seen_ns, o.evidence.stamp_ns)
            for o in self.known_objects()
            if o.id == object_id
        )

    def known_rooms(self) -> tuple[KnownRoom, ...]:
        return tuple(r for r in self.rooms if self.known[self._cell(r.position[0], r.position[1])])

    def object_image(self, object_id: str) -> bytes | None:
        return None

    def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
        free = self.known & ~self.walls
        border = ndimage.binary_dilation(free) & ~self.known
        labels, n = ndimage.label(border, structure=np.ones((3, 3)))
        distances, _ = self._distances(self._position if position is None else position)
        free_rows, free_columns = np.nonzero(free)
        found = []
        for i in range(1, n + 1):
            rows, columns = np.nonzero(labels == i)
            if len(rows) * CELL**2 < 0.05:
                continue
            centroid = np.array([(columns.mean() + 0.5) * CELL, (rows.mean() + 0.5) * CELL])
            reachable = np.isfinite(distances[free_rows, free_columns])
            xy = np.stack([(free_columns + 0.5) * CELL, (free_rows + 0.5) * CELL], axis=1)
            offsets = np.linalg.norm(xy - centroid, axis=1) + np.where(reachable, 0.0, 100.0)
            k = int(np.argmin(offsets))
            length = float(distances[free_rows[k], free_columns[k]])
            out = centroid - xy[k]
            out /= max(float(np.linalg.norm(out)), 1e-9)
            found.append(
                KnownFrontier(
                    f"frontier/{rows[0]}-{columns[0]}",
                    (float(xy[k][0]), float(xy[k][1]), 0.0),
                    (float(centroid[0]), float(centroid[1]), 0.0),
                    (float(out[0]), float(out[1]), 0.0),
                    len(rows) * CELL**2,
                    length if np.isfinite(length) and offsets[k] < 1.0 else -1.0,
                )
            )
        return tuple(sorted(found, key=lambda f: (f.path_length < 0, f.path_length)))

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        distances, predecessors = self._distances(self._position if start is None else start)
        row, column = (int(v) for v in self._cell(goal[0], goal[1]))
        if not np.isfinite(distances[row, column]):
            return KnownPath(np.empty((0, 3)), 0.0, "unreachable")
        cells = [row * self.walls.shape[1] + column]
        while predecessors[cells[-1]] >= 0:
            cells.append(int(predecessors[cells[-1]]))
        rows, columns = np.divmod(np.array(cells[::-1]), self.walls.shape[1])
        points = np.stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL, np.zeros(len(rows))], axis=1)
        return KnownPath(points, float(distances[row, column]))

    def _distances(self, start: Point) -> tuple[np.ndarray, np.ndarray]:
        """Path lengths [m] over known free floor from ``start``, (H, W), and predecessors (H * W,)."""
        clearance = ndimage.distance_transform_edt(~(self.walls & self.known)) * CELL
        free = self.known & ~self.walls & (clearance > 0.2)
        row, column = (int(v) for v in self._cell(start[0], start[1]))
        rows, columns = np.nonzero(free)  # the robot stands where it stands: from the nearest floor that is fit for it
        if len(rows):
            k = int(np.argmin(np.hypot(rows - row, columns - column)))
            if np.hypot(rows[k] - row, columns[k] - column) * CELL < 0.5:
                row, column = int(rows[k]), int(columns[k])
        free[row, column] = True
        height, width = free.shape
        index = np.arange(height * width).reshape(height, width)
        sources, targets, costs = [], [], []
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            a = index[: height - dy, max(0, -dx) : width - max(0, dx)]
            b = index[dy:, max(0, dx) : width + min(0, dx)]
            both = free.ravel()[a] & free.ravel()[b]
            near = np.minimum(clearance.ravel()[a], 0.5)[both]
            sources.append(a[both])
            targets.append(b[both])
            costs.append(np.hypot(dx, dy) * CELL * (1.0 + 4.0 * (0.5 - near)))
        graph = coo_matrix(
            (np.concatenate(costs), (np.concatenate(sources), np.concatenate(targets))), shape=(index.size, index.size)
        ).tocsr()
        distances, predecessors = dijkstra(graph, directed=False, indices=index[row, column], return_predecessors=True)
        return distances.reshape(height, width), predecessors
