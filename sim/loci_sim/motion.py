"""Continuous motion of a round robot on the navigation grid: arcs in small steps, sliding along what is in the way.

The discrete actions need none of it: they go in one piece or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from loci.geometry import Array
from loci_sim.grid import NavigationGrid

#: Longest piece that is driven straight [m], and the largest turn in it [rad].
STEP, TURN = 0.02, np.radians(2.0)
#: Fastest command that is taken: forwards [m/s] and turning [rad/s].
MAX_LINEAR, MAX_ANGULAR = 5.0, 10.0
#: Longest time of one command [s].
MAX_SECONDS = 60.0


@dataclass(frozen=True)
class Slide:
    """Where moves ended.

    Attributes:
        x, y: [m].
        distance: length of the way that was really made, on stairs as seen from above [m].
        touched: whether something was in the way.
        grid: of the floor that they ended on.
    """

    x: float
    y: float
    distance: float
    touched: bool
    grid: NavigationGrid


def slide(
    grid: NavigationGrid,
    start: tuple[float, float],
    moves: Sequence[Array],
    after: Callable[[NavigationGrid, float, float], NavigationGrid] = lambda grid, x, y: grid,
) -> Slide:
    """Make short straight moves (2,) [m], e.g. the `chords` of an arc, one after the other.

    Where a move would end in an obstacle, its part towards the obstacle is left out: the robot slides.

    Args:
        grid: of the floor that the robot is on.
        start: (x, y) [m].
        after: the grid after the robot has come to (x, y) in another one, as `Levels.after`.
    """
    x, y = start
    distance, touched = 0.0, False
    for wanted in moves:
        moved = _free_move(grid, np.array([x, y]), wanted)
        touched |= moved is not wanted
        x, y = x + float(moved[0]), y + float(moved[1])
        distance += float(np.hypot(*moved))
        grid = after(grid, x, y)
    return Slide(x, y, distance, touched, grid)


def chords(yaw: float, linear: float, angular: float, seconds: float) -> list[Array]:
    """The arc of a constant velocity as straight moves (2,) [m] in the map, one after the other.

    Velocities are those of the base frame: forwards ``linear`` [m/s] and turning ``angular`` [rad/s]. The moves end exactly on the arc: each is
    a chord of it (the exact form of the velocity motion model in Thrun, Burgard and Fox, Probabilistic Robotics, 2005, section 5.3).

    Raises:
        ValueError: a value that is not finite or out of range.
    """
    for name, value, limit in (("linear", linear, MAX_LINEAR), ("angular", angular, MAX_ANGULAR)):
        if not (np.isfinite(value) and abs(value) <= limit):
            raise ValueError(f"expected a {name} velocity in [-{limit:g}, {limit:g}], got {value}")
    if not (np.isfinite(seconds) and 0.0 < seconds <= MAX_SECONDS):
        raise ValueError(f"expected a time in (0, {MAX_SECONDS:g}] s, got {seconds}")
    n = max(1, int(np.ceil(max(abs(linear) * seconds / STEP, abs(angular) * seconds / TURN) - 1e-9)))
    turn = angular * seconds / n
    # np.sinc(x) is sin(pi x) / (pi x): the chord of an arc of length s that turns by a is s sin(a/2) / (a/2).
    chord = linear * seconds / n * float(np.sinc(turn / (2.0 * np.pi)))
    middles = [yaw + (i + 0.5) * turn for i in range(n)]
    return [chord * np.array([np.cos(middle), np.sin(middle)]) for middle in middles]


def _free_move(grid: NavigationGrid, at: Array, wanted: Array) -> Array:
    """The move (2,) [m] itself if it is free, otherwise what is left of it along the obstacle, or none."""
    if not np.any(wanted) or grid.is_free_line(tuple(at), tuple(at + wanted)):
        return wanted
    away = _away_from_obstacles(grid, at)
    length = float(np.hypot(*wanted))
    along = wanted - min(float(wanted @ away), 0.0) * away
    if float(np.hypot(*along)) > 0.02 * length:
        # Slanted walls are staircases on a grid: up to a cell away from them is past the edge of the next stair, which
        # may be cut (it is not an edge of the wall).
        for push in (0.0, 0.25, 0.5, 0.75, 1.0):
            move = along + push * grid.resolution * away
            if grid.is_navigable(*(at + move)):
                return np.asarray(move)
    return np.zeros(2)


def _away_from_obstacles(grid: NavigationGrid, at: Array) -> Array:
    """Unit vector (2,) in which the clearance grows most around a point; zero where it is the same all around."""
    row, column = grid.cell_of(float(at[0]), float(at[1]))
    h, w = grid.clearance.shape
    r0, r1, c0, c1 = max(row - 2, 0), min(row + 3, h), max(column - 2, 0), min(column + 3, w)
    # Over five cells, because the clearance of single ones is as rough as the grid.
    patch = grid.clearance[r0:r1, c0:c1].astype(np.float64)
    if min(patch.shape) < 2:
        return np.zeros(2)
    by_row, by_column = np.gradient(patch)
    gradient = np.array([by_column.mean(), by_row.mean()])
    length = float(np.hypot(*gradient))
    return gradient / length if length > 1e-9 else np.zeros(2)
