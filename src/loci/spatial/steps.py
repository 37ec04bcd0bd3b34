"""Steps that were seen at a floor: where a robot could climb that nobody has climbed yet, up or down.

A step is a surface that is at most a step's height above or below the one beside it, with room for the robot above and treads
deep enough to stand on; a flight is what leads from the floor over more than one. Which way the stairs lead round corners does
not matter: what was seen of them is a map of its own, with a height for every cell. Stairs that pass over themselves are
followed once round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.spatial import step_kernels
from loci.spatial.columns import Columns
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap, obstacle_distance
from loci.spatial.paths import is_passable

Mask = npt.NDArray[np.bool_]

#: Surfaces so near to a floor's height belong to it [m].
LEVEL = 0.1
#: Treads are at least so deep: within it, nothing rises by more than one step [m].
MIN_TREAD = 0.15
#: So much of the floors around the steps is in their map [m].
RUN_UP = 1.0
#: Points of a way over steps are so close [m], and its heights are averaged over so much of it: a robot tilts over an edge [m].
SPACING, SMOOTHING = 0.1, 0.3
#: A robot is on steps while its base is so near to their height [m].
ON_STEPS = 0.3


@dataclass(frozen=True)
class StepParameters:
    """What a robot can climb.

    Attributes:
        max_height: of a step [m]; 0: none.
        robot_radius: it keeps so far from walls and edges [m].
        robot_height: the band above a step that must be free for it [m].
    """

    max_height: float = 0.0
    robot_radius: float = 0.2
    robot_height: float = 1.5


@dataclass(frozen=True)
class StepMap:
    """Steps at a floor with some floor around them; immutable.

    Attributes:
        map: free: the robot can stand there; occupied: walls, edges, and everything that is not near steps.
        heights: (H, W) float32 of free cells [m].
        is_step: (H, W) bool, cells that are of no known floor.
    """

    map: OccupancyMap
    heights: npt.NDArray[np.float32]
    is_step: Mask

    def height_at(self, xy: npt.ArrayLike) -> Array:
        """Heights [m] of points (..., 2); NaN where the robot cannot stand."""
        cells = self.map.cell_of(xy)
        inside = self.map.contains(cells)
        rows, columns = (np.where(inside, cells[..., i], 0) for i in range(2))
        known = inside & (self.map.cells[rows, columns] == FREE)
        return np.where(known, self.heights[rows, columns], np.nan).astype(np.float64)

    def holds(self, point: Array, camera_height: float) -> bool:
        """Whether a point (3,) [m], of a robot's base or its camera, is on these steps or on the floor around them."""
        above = point[2] - float(self.height_at(point[:2]))
        return bool(min(abs(above), abs(above - camera_height)) <= ON_STEPS)  # never for NaN

    def raised(self, points: Array) -> Array:
        """A way (N, 2) on the map as (M, 3) points every `SPACING` metres, as high as a robot that drives over the edges [m]."""
        lengths = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))
        at = np.linspace(0.0, lengths[-1], max(int(np.ceil(lengths[-1] / SPACING)), 1) + 1)
        xy = np.stack([np.interp(at, lengths, values) for values in points.T], axis=1)
        z = self.height_at(xy)
        known = np.isfinite(z)
        if not known.any():
            raise ValueError(f"expected a way over the steps, got {points.tolist()}")
        z = np.interp(at, at[known], z[known])
        n = max(round(SMOOTHING / SPACING / 2), 1)
        padded = np.concatenate([np.full(n, z[0]), z, np.full(n, z[-1])])
        return np.column_stack([xy, np.convolve(padded, np.full(2 * n + 1, 1 / (2 * n + 1)), mode="valid")])


def find_steps(
    columns: Columns, floors: Sequence[OccupancyMap], own: int, first_steps: Mask, parameters: StepParameters
) -> StepMap | None:
    """The steps that lead up or down from a floor, as far as they were seen; None: there are none.

    Args:
        columns: of the octree.
        floors: maps of all floors.
        own: which of them it is about.
        first_steps: (H, W) bool over the cells of its map, those with a surface a step above or below the floor.
        parameters: of the robot.
    """
    map_, leaf = floors[own], columns.leaf_size
    step = round(parameters.max_height / leaf) + 1  # surfaces are a voxel thick
    head = round(parameters.robot_height / leaf)
    gap = round(MIN_TREAD / leaf)
    seeds = _seeds(first_steps, map_, parameters.robot_radius)
    if not len(seeds) or not len(columns.bricks):
        return None
    corner = columns.bricks[:, :2].min(axis=0) * 8
    n_columns, n_rows = (columns.bricks[:, :2].max(axis=0) * 8 + 8 - corner).tolist()
    layers = np.full((n_rows, n_columns), step_kernels.NONE, dtype=np.int32)
    floor = _layer_of(map_.floor_z, leaf)
    others = np.array([_layer_of(m.floor_z, leaf) for k, m in enumerate(floors) if k != own], dtype=np.int64)
    level = round(LEVEL / leaf)
    bits = columns.codes, columns.tops, columns.solid
    from_floor = np.ascontiguousarray(np.column_stack([seeds, np.full(len(seeds), floor)]))
    step_kernels.climb(*bits, from_floor, corner, layers, floor, others, level, step, head, gap)
    reached = _flights(layers, floor, step, gap)
    if not reached.any():
        return None
    rows, held = (np.flatnonzero(reached.any(axis=axis)) for axis in (1, 0))
    margin = int(np.ceil(RUN_UP / leaf))
    low, high = np.array([held[0], rows[0]]) - margin, np.array([held[-1], rows[-1]]) + margin + 1
    window = _cut(layers, low, high)
    return _mapped(
        columns, floors, own, window, corner + low, _cut(reached, low, high), step, head, parameters.robot_radius
    )


def _layer_of(z: float, leaf: float) -> int:
    """The layer of voxels whose middle is nearest to a height [m]."""
    return round(z / leaf - 0.5)


def _seeds(first_steps: Mask, map_: OccupancyMap, robot_radius: float) -> npt.NDArray[np.int64]:
    """Columns (N, 2) of first steps as wide as the robot that lie at free floor."""
    if not first_steps.any():
        return np.zeros((0, 2), dtype=np.int64)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(first_steps.astype(np.uint8), connectivity=8)
    wide = sizes[:, cv2.CC_STAT_AREA] * map_.resolution >= 2 * robot_radius
    wide[0] = False
    beside = cv2.dilate((map_.cells == FREE).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    wide &= np.bincount(labels[beside], minlength=len(sizes)) > 0
    return np.asarray(np.argwhere(wide[labels])[:, ::-1] + map_.corner)


def _flights(layers: npt.NDArray[np.int32], floor: int, step: int, gap: int) -> Mask:
    """Of the surfaces that were reached, those that are joined to one more than a step from the floor."""
    # Below the floor, hidden columns may lie between one step and the next.
    below = (layers != step_kernels.NONE) & (layers < floor)
    near = cv2.dilate(below.astype(np.uint8), np.ones((2 * gap + 1, 2 * gap + 1), np.uint8)) > 0
    near |= layers != step_kernels.NONE
    _, labels = cv2.connectedComponents(near.astype(np.uint8), connectivity=8)
    high = (layers != step_kernels.NONE) & (np.abs(layers - floor) > step)
    wanted = np.bincount(labels[high], minlength=int(labels.max()) + 1) > 0
    wanted[0] = False
    return np.asarray(wanted[labels] & (layers != step_kernels.NONE))


def _cut(array: npt.NDArray[np.generic], low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray:
    """Columns and rows [low, high) of an array, which may lie outside of it: there it holds `NONE`, or False."""
    fill = False if array.dtype == np.bool_ else step_kernels.NONE
    new = np.full((high - low)[::-1], fill, dtype=array.dtype)
    size = np.array(array.shape[::-1])
    a, b = np.clip(low, 0, size), np.clip(high, 0, size)
    new[a[1] - low[1] : b[1] - low[1], a[0] - low[0] : b[0] - low[0]] = array[a[1] : b[1], a[0] : b[0]]
    return new


def _mapped(
    columns: Columns,
    floors: Sequence[OccupancyMap],
    own: int,
    layers: npt.NDArray[np.int32],
    corner: npt.NDArray[np.int64],
    reached: Mask,
    step: int,
    head: int,
    robot_radius: float,
) -> StepMap:
    """The map of the steps in a window (H, W), whose first column is ``corner`` (x, y)."""
    leaf = columns.leaf_size
    foot = _foot(floors[own], layers, reached, corner, step, robot_radius)
    reached = reached & ~foot
    distance, nearest = cv2.distanceTransformWithLabels(
        (~reached).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    of_label[nearest[reached]] = layers[reached]
    beside = of_label[nearest]  # (H, W) layer of the nearest surface that was reached
    cells = np.full(reached.shape, OCCUPIED, dtype=np.int8)
    heights = np.full(reached.shape, np.nan, dtype=np.float32)
    near = ~reached & (distance * leaf <= RUN_UP)
    at = np.argwhere(near)
    xy = np.ascontiguousarray(at[:, ::-1] + corner)
    around = beside[near].astype(np.int64)
    judged = step_kernels.judge_beside(columns.codes, columns.solid, columns.free, xy, around, step, head)
    state = np.where(judged == step_kernels.OPEN, UNKNOWN, OCCUPIED).astype(np.int8)
    z = np.full(len(at), np.nan, dtype=np.float32)
    for map_ in floors:  # what lies a step from a floor is beside that floor: it has a map
        at_floor = np.abs(around - _layer_of(map_.floor_z, leaf)) <= step
        known = map_.at((xy[at_floor] + 0.5) * leaf)
        state[at_floor] = np.where(known == FREE, FREE, OCCUPIED)
        z[at_floor] = np.where(known == FREE, map_.floor_z, np.nan)
    cells[near], heights[near] = state, z
    cells[foot], heights[foot] = FREE, floors[own].floor_z
    # From below, a tread is hidden behind its own edge: between edges that were seen, a tread's depth apart, there is one.
    n = round(MIN_TREAD / leaf)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * n + 1, 2 * n + 1))
    closed = cv2.morphologyEx((reached | (cells == FREE)).astype(np.uint8), cv2.MORPH_CLOSE, disc) > 0
    hidden = np.zeros_like(reached)
    hidden[near] = (judged == step_kernels.OPEN) & (around < _layer_of(floors[own].floor_z, leaf))
    filled = reached | (closed & ((cells == UNKNOWN) | (hidden & (cells != FREE))))
    cells[filled] = FREE
    heights[filled] = (beside[filled] + 0.5) * leaf
    is_step = filled & (np.min([np.abs(heights - m.floor_z) for m in floors], axis=0) > LEVEL)
    # Whatever rises by more than a step within a tread is a wall, however many ledges it has.
    lowest = cv2.erode(np.where(np.isnan(heights), np.float32(1e6), heights), disc)
    steep = heights - lowest > (step + 0.5) * leaf
    cells[steep] = OCCUPIED
    origin = (float(corner[0] * leaf), float(corner[1] * leaf))
    map_ = OccupancyMap(cells, origin, leaf, floors[own].floor_z, floors[own].stamp_ns)
    cells = np.where(
        is_step & ~_joined(map_, is_step, floors[own], robot_radius) & (cells == FREE), np.int8(UNKNOWN), cells
    )
    map_ = replace(map_, cells=cells)
    return StepMap(map_, np.where(cells == FREE, heights, np.float32(np.nan)), is_step & (cells == FREE))


def _foot(
    floor: OccupancyMap,
    layers: npt.NDArray[np.int32],
    reached: Mask,
    corner: npt.NDArray[np.int64],
    step: int,
    robot_radius: float,
) -> Mask:
    """Free floor right before the first steps, with room for the robot: the next floor may be above it."""
    leaf = floor.resolution
    low = reached & (np.abs(layers - _layer_of(floor.floor_z, leaf)) <= step)
    near = ~low & (obstacle_distance(low, leaf) <= 3 * robot_radius)
    at = np.argwhere(near)
    near[near] = floor.at((at[:, ::-1] + corner + 0.5) * leaf) == FREE
    return near


def _joined(steps: OccupancyMap, is_step: Mask, floor: OccupancyMap, robot_radius: float) -> Mask:
    """Cells of the steps that a robot can reach from the floor, with the room around it that it needs there."""
    passable = (steps.cells == FREE) & (steps.clearance >= robot_radius)
    _, labels = cv2.connectedComponents(passable.astype(np.uint8), connectivity=4)
    at = np.argwhere(passable & ~is_step)
    feet = at[is_passable(floor, steps.center_of(at), robot_radius)]
    joined = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    joined[labels[tuple(feet.T)]] = True
    reached = joined[labels] & passable
    return obstacle_distance(reached, steps.resolution) <= robot_radius
