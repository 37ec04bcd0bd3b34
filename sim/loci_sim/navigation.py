"""Where the simulated robot can stand: the floors of a scene and what stands on them, thing by thing, made into grids.

Ground truth: it moves the robot and scores paths. The memory and the exploration have their own map.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from loci.geometry import Array, transform_points
from loci_sim.grid import NavigationGrid
from loci_sim.levels import Levels, joined
from loci_sim.protocol import Place
from loci_sim.scenes import Scene

__all__ = ["FloorMap", "Levels", "NavigationGrid", "build_levels", "build_navigation", "levels_from_start"]

#: Lower things are driven over (rugs, thresholds) [m].
STEP_HEIGHT = 0.03
#: Things are drawn so many times finer than the cells, so that thin walls stay thin.
_FINE = 4
#: Stairs are climbed as a slope: heights are averaged over about the depth of a step, in cells.
_SLOPE = 5


@dataclass
class _Level:
    """One floor: its height [m], fine pixels that are floor, number of things on each, footprints of things, and its stairs."""

    z: float
    floor: npt.NDArray[np.uint8]
    n_solid: npt.NDArray[np.int16]
    heights: Array | None
    stairs: npt.NDArray[np.bool_] | None
    footprints: dict[str, tuple[tuple[slice, slice], npt.NDArray[np.uint8]]] = field(default_factory=dict)
    clearance: npt.NDArray[np.float32] | None = None


class FloorMap:
    """The floors of a scene and what stands on them, part by part, so that single things can be moved.

    Args:
        radius: of the robot [m]; height: what is higher does not touch it [m]; resolution: of the grid [m].
    """

    def __init__(self, scene: Scene, radius: float = 0.18, height: float = 1.4, resolution: float = 0.05) -> None:
        self.radius, self._height, self._resolution = radius, height, resolution
        solid = {}
        floor: list[Array] = []
        stairs: list[Array] = []
        for node in scene.nodes:
            label = scene.structure.get(node.name, ("", ""))[0]
            if label == "ceiling":
                continue
            # A node may have several meshes: all its triangles (T, 3, 3) are in the way together.
            triangles = [transform_points(node.T_map_node, mesh.vertices)[mesh.triangles] for mesh in node.meshes]
            if label in ("floor", "stairs"):
                (floor if label == "floor" else stairs).extend(triangles)
            elif triangles:
                solid[node.name] = np.concatenate(triangles)
        floors = np.concatenate(floor)
        self._origin = floors[..., :2].min(axis=(0, 1)) - 4 * resolution
        self._columns, self._rows = (
            np.ceil((floors[..., :2].max(axis=(0, 1)) - self._origin) / resolution).astype(int) + 4
        ).tolist()
        # A floor is what is at its height; scenes of one floor may have steps of a few centimetres in it.
        heights = np.array(scene.floors)
        of_floor = np.argmin(np.abs(floors[..., 2].mean(axis=1)[:, None] - heights), axis=1)
        treads = _level_ones(np.concatenate(stairs)) if stairs else None
        self._levels = [self._level(z, floors[of_floor == k], treads) for k, z in enumerate(scene.floors)]
        for name, triangles_of in solid.items():
            self.put(name, triangles_of)

    def _level(self, z: float, floors: Array, treads: Array | None) -> _Level:
        """One floor without things, of its triangles (T, 3, 3), with the stairs (S, 3, 3) that join it to others."""
        shape = (self._rows * _FINE, self._columns * _FINE)
        canvas, fine = np.zeros(shape, dtype=np.uint8), self._resolution / _FINE
        _draw(canvas, floors[..., :2], self._origin, fine, 1)
        solid = np.zeros(shape, dtype=np.int16)
        if treads is None:
            return _Level(z, canvas, solid, None, None)
        steps = np.full(shape, np.nan, dtype=np.float32)
        for triangle in treads[np.argsort(treads[:, 0, 2])]:
            _draw(steps, triangle[None, :, :2], self._origin, fine, float(triangle[:, 2].mean()))
        on_steps = ~np.isnan(steps)
        canvas |= on_steps.astype(np.uint8)
        heights = np.where(on_steps, steps, np.float32(z)).astype(np.float64)
        walked = canvas > 0
        size = _SLOPE * _FINE
        share = ndimage.uniform_filter(walked.astype(np.float64), size)
        mean = ndimage.uniform_filter(np.where(walked, heights, 0.0), size) / np.maximum(share, 1e-9)
        slope = np.where(walked, mean, z)
        middle = slice(_FINE // 2, None, _FINE)
        # Floor near the stairs is part of the slope, too; further away nothing changes.
        near = ndimage.maximum_filter(on_steps, size)
        heights = np.where(near, slope, z)[middle, middle]
        return _Level(z, canvas, solid, heights, on_steps[middle, middle])

    def put(self, name: str, triangles: Array | None) -> None:
        """Put a thing's triangles (T, 3, 3) [m] where they are now instead of where they were; None: it is away."""
        for level in self._levels:
            if name in level.footprints:
                place, mask = level.footprints.pop(name)
                level.n_solid[place] -= mask
                level.clearance = None
            if triangles is not None:
                self._put_on(level, name, triangles)

    def _put_on(self, level: _Level, name: str, triangles: Array) -> None:
        low, high = triangles[..., 2].min(axis=1) - level.z, triangles[..., 2].max(axis=1) - level.z
        outline = triangles[(high > STEP_HEIGHT) & (low < self._height)][..., :2]
        fine = self._resolution / _FINE
        if not len(outline):
            return
        first = np.floor((outline.min(axis=(0, 1)) - self._origin) / fine).astype(int) - 1
        last = np.ceil((outline.max(axis=(0, 1)) - self._origin) / fine).astype(int) + 2
        (c0, r0), (c1, r1) = np.maximum(first, 0).tolist(), np.minimum(last, level.floor.shape[::-1]).tolist()
        if c0 >= c1 or r0 >= r1:
            return
        mask = np.zeros((r1 - r0, c1 - c0), dtype=np.uint8)
        _draw(mask, outline, self._origin, fine, 1, (c0, r0))
        place = (slice(r0, r1), slice(c0, c1))
        level.footprints[name] = place, mask
        level.n_solid[place] += mask
        level.clearance = None

    def grid(self, start: Place) -> NavigationGrid:
        """The grid of the ground floor now; navigable is what can be reached from a point [m]."""
        return self.levels(start).grids[0]

    def levels(self, start: Place) -> Levels:
        """The grids of all floors now; navigable is what can be reached from a point [m], nothing if the robot cannot stand there."""
        origin = (float(self._origin[0]), float(self._origin[1]))
        grids = []
        for level in self._levels:
            clearance = self._clearance(level)
            free = clearance > self.radius
            grids.append(
                NavigationGrid(
                    clearance, free, origin, self._resolution, self.radius, level.z, level.heights, level.stairs
                )
            )
        return Levels(tuple(replace(g, navigable=r) for g, r in zip(grids, joined(grids, start), strict=True)))

    def _clearance(self, level: _Level) -> npt.NDArray[np.float32]:
        """Distance of every cell's centre to the nearest obstacle or missing floor [m]."""
        if level.clearance is None:
            canvas = level.floor & (level.n_solid == 0)
            distance = ndimage.distance_transform_edt(canvas) * (self._resolution / _FINE)
            half = _FINE // 2
            # A cell's centre lies on a corner of four fine pixels: the smallest of them is the safe answer.
            around = [
                distance[half - 1 + i :: _FINE, half - 1 + j :: _FINE][: self._rows, : self._columns]
                for i in (0, 1)
                for j in (0, 1)
            ]
            level.clearance = np.min(around, axis=0).astype(np.float32)
        return level.clearance


def build_navigation(
    scene: Scene, radius: float = 0.18, height: float = 1.4, resolution: float = 0.05
) -> NavigationGrid:
    """Navigation grid of a scene's ground floor from its triangles: those between ``STEP_HEIGHT`` and ``height`` are in the robot's way.

    Raises:
        ValueError: the scene's start is not navigable.
    """
    return build_levels(scene, radius, height, resolution).grids[0]


def build_levels(scene: Scene, radius: float = 0.18, height: float = 1.4, resolution: float = 0.05) -> Levels:
    """Navigation grids of all floors of a scene, as `build_navigation`."""
    return levels_from_start(scene, FloorMap(scene, radius, height, resolution))


def levels_from_start(scene: Scene, floor: FloorMap) -> Levels:
    """Grids of what can be reached from a scene's start, which is on the ground floor.

    Raises:
        ValueError: the scene's start is not navigable.
    """
    levels = floor.levels(scene.start[:2])
    if levels.is_empty:
        raise ValueError(f"expected a navigable start in scene {scene.map_id}, got {scene.start}")
    return levels


def _level_ones(triangles: Array) -> Array:
    """Those of the triangles (T, 3, 3) that lie level and face upwards."""
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    return triangles[normal[:, 2] / length > 0.9]


def _draw(
    canvas: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
    triangles: Array,
    origin: Array,
    resolution: float,
    value: float,
    corner: tuple[int, int] = (0, 0),
) -> None:
    """Fill triangles (T, 3, 2) [m] into an image whose first pixel is ``corner`` (column, row); thin ones leave at least a line."""
    shift = 4
    pixels = ((triangles - origin) / resolution - 0.5) * (1 << shift)
    offset = np.array(corner, dtype=np.int32) << shift
    for corners in np.rint(pixels).astype(np.int32):
        cv2.fillConvexPoly(canvas, corners - offset, value, lineType=cv2.LINE_8, shift=shift)
