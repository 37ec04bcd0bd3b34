"""Where the agent can stand, how it moves and the shortest ways, all on Habitat's navmesh and on one island of it.

A navmesh also covers roofs and tables: everything is asked of the island that the agent is on.
"""

from __future__ import annotations

import math
from typing import Any

Point = list[float]
#: A point is on the navmesh if the nearest point of it is no further, sideways and in height [m].
SIDEWAYS, UPWARDS = 0.01, 0.3
#: An island lies over another one if so many of its random points do, of so many.
_N_OVER, _N_SAMPLES = 10, 20


class Navmesh:
    """The navmesh of a scene as it is now, computed with settings (attributes of NavMeshSettings)."""

    def __init__(self, simulator: Any, habitat: Any, settings: dict[str, Any]) -> None:
        self._sim, self._habitat = simulator, habitat
        self._settings = habitat.NavMeshSettings()
        self._settings.set_defaults()
        for name, value in settings.items():
            setattr(self._settings, name, value)
        #: Objects were moved: it is to be computed before the next question.
        self.is_stale = True

    @property
    def _finder(self) -> Any:
        if self.is_stale:
            if not self._sim.recompute_navmesh(self._sim.pathfinder, self._settings):
                raise RuntimeError("habitat_sim found no floor to compute a navmesh of")
            self.is_stale = False
        return self._sim.pathfinder

    def navigable(self, points: list[Point], origin: Point) -> list[bool]:
        """Whether each point is on the island of ``origin``."""
        island = self._island(origin)
        return [self._on(point, island) is not None for point in points]

    def move(self, start: Point, moves: list[Point], slide: bool) -> dict[str, Any]:
        """Make moves one after the other; ``touched``: one was cut short, which without sliding is not made at all."""
        at, way, touched = list(start), 0.0, False
        for move in moves:
            wanted = [a + m for a, m in zip(at, move)]  # noqa: B905 (strict= came with Python 3.10)
            # Not try_step_no_sliding: from a corner of the navmesh it goes nowhere, whatever the direction.
            end = [float(v) for v in self._finder.try_step(_vector(at), _vector(wanted))]
            short = math.hypot(end[0] - wanted[0], end[2] - wanted[2]) > 1e-3
            touched = touched or short
            if short and not slide:
                continue
            way += math.hypot(end[0] - at[0], end[2] - at[2])
            at = end
        return {"point": at, "distance": way, "touched": touched}

    def path(self, start: Point, goal: Point) -> dict[str, Any]:
        """Geodesic path; no points if there is none."""
        island = self._island(start)
        ends = [self._on(start, island), self._on(goal, island)]
        if ends[0] is None or ends[1] is None:
            return {"points": [], "length": 0.0}
        path = self._habitat.ShortestPath()
        path.requested_start, path.requested_end = _vector(ends[0]), _vector(ends[1])
        if not self._finder.find_path(path):
            return {"points": [], "length": 0.0}
        return {"points": [[float(v) for v in p] for p in path.points], "length": float(path.geodesic_distance)}

    def nearest(self, start: Point, goals: list[Point]) -> dict[str, Any]:
        """Geodesic path to the nearest of many points, start and goals moved onto the navmesh as Habitat's benchmarks do it."""
        path = self._habitat.MultiGoalShortestPath()
        path.requested_start = _vector(start)
        path.requested_ends = [_vector(goal) for goal in goals]
        if not goals or not self._finder.find_path(path):
            return {"points": [], "length": 0.0, "index": 0}
        points = [[float(v) for v in p] for p in path.points]
        return {
            "points": points,
            "length": float(path.geodesic_distance),
            "index": int(path.closest_end_point_index),
        }

    def snap(self, point: Point) -> Point | None:
        """The nearest point of any island; None if there is none near it."""
        near = [float(v) for v in self._finder.snap_point(_vector(point))]
        return None if any(math.isnan(v) for v in near) else near

    def random_point(self, seed: int, origin: Point) -> Point:
        """A point of the island of ``origin``, the same for the same seed."""
        self._finder.seed(seed)
        point = self._finder.get_random_navigable_point(100, self._island(origin))
        return [float(v) for v in point]

    def start(self) -> Point:
        """A point of the largest island that is not above another one of a quarter of its size or more (a roof)."""
        finder = self._finder
        area = {i: float(finder.island_area(i)) for i in range(int(finder.num_islands))}
        largest_first = sorted(area, key=lambda i: -area[i])
        for island in largest_first:
            below = [other for other in largest_first if other != island and area[other] >= area[island] / 4.0]
            if not any(self._is_over(island, other) for other in below):
                break
        else:
            island = largest_first[0]
        finder.seed(0)
        return [float(v) for v in finder.get_random_navigable_point(100, island)]

    def _is_over(self, island: int, other: int) -> bool:
        finder, n = self._finder, 0
        finder.seed(0)
        for _ in range(_N_SAMPLES):
            point = [float(v) for v in finder.get_random_navigable_point(100, island)]
            under = [float(v) for v in finder.snap_point(_vector([point[0], point[1] - 2.5, point[2]]), other)]
            n += math.hypot(under[0] - point[0], under[2] - point[2]) < 0.1 and under[1] < point[1] - 1.0
        return n >= _N_OVER

    def _island(self, point: Point) -> int:
        return int(self._finder.get_island(_vector(point)))

    def _on(self, point: Point, island: int) -> Point | None:
        """The nearest point of the island, if it is this one."""
        near = [float(v) for v in self._finder.snap_point(_vector(point), island)]
        if any(math.isnan(v) for v in near):
            return None
        sideways = math.hypot(near[0] - point[0], near[2] - point[2])
        return near if sideways <= SIDEWAYS and abs(near[1] - point[1]) <= UPWARDS else None


def _vector(point: Point) -> Any:
    import magnum

    return magnum.Vector3(*point)
