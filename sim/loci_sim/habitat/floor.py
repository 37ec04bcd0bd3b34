"""Where the robot can be in Habitat: its questions about the worker's navmesh, asked and answered in the map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, transform_points
from loci_sim.habitat.axes import point_to_habitat, points_to_map
from loci_sim.habitat.client import Client
from loci_sim.protocol import ShortestPath
from loci_sim.scenes import Scene

Point = tuple[float, float, float]
#: Floors of our scenes are level: the navmesh knows them to a few centimetres only [m].
_LEVEL = 0.06
#: Where others found floor with another navmesh, it is so near in this one, sideways and in height [m].
BESIDE, ABOVE = 0.2, 0.5


class Floor:
    """The navmesh of a worker; everything is asked of the island that a point ``here`` is on.

    Args:
        scene: of ours, whose floors are level; None: another one.
    """

    def __init__(self, client: Client, scene: Scene | None) -> None:
        self._client = client
        self._levels = _floor_levels(scene) if scene is not None else np.zeros(0)

    def start(self) -> Point:
        """A place to begin at in a scene that does not say where."""
        return self._in_map(self._client.ask("start")["point"])

    def random_point(self, seed: int, here: Point) -> Point:
        """A random place, the same for the same seed."""
        # The worker seeds C's generator, which takes 0 and 1 for the same.
        found = self._client.ask("random", seed=1 + seed % (2**31 - 1), **{"from": point_to_habitat(*here)})
        return self._in_map(found["point"])

    def are_navigable(self, points: Array, here: Point) -> npt.NDArray[np.bool_]:
        """Whether the robot can stand at points (N, 3) [m] and get there, (N,)."""
        finite = np.all(np.isfinite(points), axis=1)
        found = np.zeros(len(points), dtype=bool)
        if np.any(finite):
            asked = [point_to_habitat(*p) for p in points[finite].tolist()]
            found[finite] = self._client.ask("navigable", points=asked, **{"from": point_to_habitat(*here)})["found"]
        return found

    def shortest_path(self, start: Sequence[float], goal: Sequence[float]) -> ShortestPath | None:
        """Geodesic path between points of the navmesh, None if there is none."""
        first, last = (point_to_habitat(*p) for p in (start, goal))
        found = self._client.ask("path", start=first, goal=last)
        return ShortestPath(points_to_map(found["points"]), found["length"]) if found["points"] else None

    def nearest(self, start: Sequence[float], goals: Sequence[Sequence[float]]) -> tuple[int, ShortestPath] | None:
        """The goal that is nearest by path, its index and the path; ends that are not on the navmesh are moved onto it."""
        asked = [point_to_habitat(*p) for p in goals]
        found = self._client.ask("nearest", start=point_to_habitat(*start), goals=asked)
        if not found["points"]:
            return None
        return int(found["index"]), ShortestPath(points_to_map(found["points"]), float(found["length"]))

    def beside(self, point: Point) -> Point | None:
        """The navmesh's nearest point, on any island; None if it is further than `BESIDE` [m], or than `ABOVE` in height."""
        found = self._client.ask("snap", point=point_to_habitat(*point))["point"]
        if found is None:
            return None
        near = self._in_map(found)
        is_near = np.hypot(near[0] - point[0], near[1] - point[1]) <= BESIDE and abs(near[2] - point[2]) <= ABOVE
        return near if is_near else None

    def move(self, here: Point, moves: Sequence[Array], slide: bool) -> tuple[Point, bool, float]:
        """Where moves (2,) [m] lead one after the other, whether something was in the way, and the way made [m].

        Args:
            slide: along what is in the way; otherwise a move is made whole or not at all.
        """
        steps = [point_to_habitat(float(dx), float(dy), 0.0) for dx, dy in moves]
        made = self._client.ask("move", start=point_to_habitat(*here), moves=steps, slide=slide)
        there = self._in_map(made["point"]) if made["distance"] > 0.0 else here
        return there, bool(made["touched"]), float(made["distance"])

    def level(self, z: float) -> float:
        """The level floor near a height of the navmesh [m]; itself if there is none, as on stairs and in scans."""
        if not len(self._levels):
            return z
        nearest = float(self._levels[np.argmin(np.abs(self._levels - z))])
        return nearest if abs(nearest - z) <= _LEVEL else z

    def _in_map(self, point: list[float]) -> Point:
        x, y, z = points_to_map([point])[0].tolist()
        return x, y, self.level(z)


def _floor_levels(scene: Scene) -> Array:
    """Heights of the floors [m]: of the corners of all pieces that are called so."""
    floors = [n for n in scene.nodes if scene.structure.get(n.name, ("", ""))[0] == "floor"]
    points = [transform_points(n.T_map_node, m.vertices)[:, 2] for n in floors for m in n.meshes]
    return np.unique(np.round(np.concatenate(points), 6)) if points else np.zeros(0)
