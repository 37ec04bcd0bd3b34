"""Following a path with a robot that only knows steps and turns.

Twelve headings and steps of 0.25 m rarely meet a path exactly, and a doorway leaves few centimetres. So the next stretch of the path
becomes the cheapest sequence of actions (A* over position and heading) that stays near it and keeps away from where steps have failed.
"""

from __future__ import annotations

import heapq
from math import ceil, cos, hypot, pi, sin

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from loci.geometry import Array
from loci.planning.protocols import STEP_LENGTH, TURN_ANGLE, Action, Point

#: Distance of points on a path that is followed [m].
DENSITY = 0.05
#: Stretch of path for which actions are chosen at once [m]: longer than a robot drives before it thinks again.
STRETCH = 2.0
#: Cost in actions of ending a step 0.1 m further beside the path than the slack [m] that is free; it grows with the square up to a limit,
#: beyond which a detour around an unknown obstacle costs no more.
_BESIDE, _SLACK, _MOST_BESIDE = 2.0, 0.04, 4.0
#: A stretch that rises or falls more is on stairs [m]: beside its way is a wall or an edge, and no step leads from flight to flight.
_RISE, _BESIDE_STAIRS = 0.3, 30.0
#: Cost in actions of a step that ends within so far [m] of where one failed, for every time that it failed.
_BUMP_RADIUS, _BUMP = 0.12, 6.0
#: Room beside the path for detours, and cells of the table of distances to it [m].
_MARGIN, _CELL = 1.0, 0.025
#: Bumps further above or below the robot say nothing of its way [m]: they were on another floor.
_BUMP_HEIGHT = 1.2
#: States closer than this are one [m].
_SAME = 0.05
_MAX_EXPANSIONS = 6000

_N_HEADINGS = round(2 * pi / TURN_ANGLE)


def dense_path(points: Array) -> Array:
    """Points (M, D) every `DENSITY` metres along a polyline (N, D), N >= 1."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])  # (N,)
    at = np.append(np.arange(0.0, lengths[-1], DENSITY), lengths[-1])
    return np.stack([np.interp(at, lengths, values) for values in points.T], axis=1)


class PathFollower:
    """Chooses actions; remembers where steps failed."""

    def __init__(self) -> None:
        self._bumps = np.empty((0, 3))  # where the robot's centre could not get

    def bumped(self, position: Point, heading: float) -> None:
        """A step from a position [m] in this direction [rad] failed."""
        x, y, z = position
        end = (x + STEP_LENGTH * cos(heading), y + STEP_LENGTH * sin(heading), z)
        self._bumps = np.vstack([self._bumps, end])

    def actions(self, position: Point, heading: float, path: Array, arrival: float) -> list[Action]:
        """Actions along the next `STRETCH` of a path; empty where its end is nearer than ``arrival`` [m].

        Args:
            position, heading: of the robot [m], [rad].
            path: (M, 3) dense points, see `dense_path`; over stairs it may pass above or below the robot.
            arrival: distance at which the end of the stretch counts as reached [m].
        """
        x, y, z = position
        near = int(np.argmin(np.linalg.norm(path - position, axis=1)))
        stretch = path[near : near + ceil(STRETCH / DENSITY) + 1]
        ahead, most_beside = stretch[:, :2], _BESIDE_STAIRS if np.ptp(stretch[:, 2]) > _RISE else _MOST_BESIDE
        goal_x, goal_y = (float(v) for v in ahead[-1])
        costs, corner = self._step_costs(np.vstack([ahead, (x, y)]), z, most_beside)
        height, width = costs.shape
        steps = [
            (STEP_LENGTH * cos(heading + k * TURN_ANGLE), STEP_LENGTH * sin(heading + k * TURN_ANGLE))
            for k in range(_N_HEADINGS)
        ]

        def to_go(px: float, py: float) -> float:
            return max(0.0, hypot(px - goal_x, py - goal_y) - arrival) / STEP_LENGTH

        # (estimate, serial number, cost, x, y, turns); parents tell how each state was reached.
        queue = [(to_go(x, y), 0, 0.0, x, y, 0)]
        parents: list[tuple[int, Action]] = [(-1, "look")]
        done: set[tuple[int, int, int]] = set()
        closest, closest_gap = 0, hypot(x - goal_x, y - goal_y)
        while queue and len(done) < _MAX_EXPANSIONS:
            _, serial, cost, px, py, turns = heapq.heappop(queue)
            state = (round((px - x) / _SAME), round((py - y) / _SAME), turns)
            if state in done:
                continue
            done.add(state)
            gap = hypot(px - goal_x, py - goal_y)
            if gap < closest_gap:
                closest, closest_gap = serial, gap
            if gap < arrival:
                break
            dx, dy = steps[turns]
            column, row = int((px + dx - corner[0]) / _CELL), int((py + dy - corner[1]) / _CELL)
            if 0 <= row < height and 0 <= column < width:
                parents.append((serial, "move_forward"))
                ahead_cost = cost + float(costs[row, column])
                heapq.heappush(
                    queue, (ahead_cost + to_go(px + dx, py + dy), len(parents) - 1, ahead_cost, px + dx, py + dy, turns)
                )
            turned: tuple[tuple[int, Action], ...] = ((1, "turn_left"), (-1, "turn_right"))
            for sign, action in turned:
                parents.append((serial, action))
                entry = (cost + 1.0 + to_go(px, py), len(parents) - 1, cost + 1.0, px, py, (turns + sign) % _N_HEADINGS)
                heapq.heappush(queue, entry)
        chosen: list[Action] = []
        while closest > 0:
            closest, action = parents[closest]
            chosen.append(action)
        return chosen[::-1]

    def _step_costs(self, points: Array, z: float, most_beside: float) -> tuple[npt.NDArray[np.float64], Array]:
        """Cost in actions of a step by the cell (row = y) in which it ends, and the lower corner (x, y) of the cells [m].

        Args:
            points: (N, 2) of the path, with the robot's own last [m].
            z: of the robot [m].
            most_beside: largest cost of being beside the path.
        """
        corner = points.min(axis=0) - _MARGIN
        width, height = np.ceil((points.max(axis=0) + _MARGIN - corner) / _CELL).astype(int)
        beside = np.ones((height, width), dtype=bool)
        columns, rows = ((dense_path(points[:-1]) - corner) / _CELL).astype(int).T
        beside[rows, columns] = False
        distances = ndimage.distance_transform_edt(beside) * _CELL
        costs = 1.0 + np.minimum(_BESIDE * (np.maximum(distances - _SLACK, 0.0) / 0.1) ** 2, most_beside)
        centers_x = corner[0] + (np.arange(width) + 0.5) * _CELL
        centers_y = corner[1] + (np.arange(height) + 0.5) * _CELL
        bumps = self._bumps[np.abs(self._bumps[:, 2] - z) < _BUMP_HEIGHT, :2]
        near = bumps[np.all((bumps > corner) & (bumps < corner + np.array([width * _CELL, height * _CELL])), axis=1)]
        bump_columns, bump_rows = ((near - corner) / _CELL).astype(int).T
        for bump, beside_path in zip(near, distances[bump_rows, bump_columns], strict=True):
            # Bumping beside the path says nothing against the path itself.
            radius = np.clip(beside_path - _CELL, _CELL, _BUMP_RADIUS)
            costs[np.hypot(centers_x[None] - bump[0], centers_y[:, None] - bump[1]) < radius] += _BUMP
        return costs, corner
