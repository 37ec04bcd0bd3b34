"""A way over places in words, as one would tell it to a person: how far, where to turn, through which rooms.

Knows positions, names of rooms and landmarks only; which way to take is for `loci.spatial.graph_view`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from loci.geometry import Array

#: A way that leaves the straight line by less [m] goes straight on; places lie where a robot happened to be, not on a line.
STRAIGHTNESS = 0.6
#: Turns by less are none, by less than the second are bends, by more than the third are back again [rad].
NO_TURN, BEND, BACK = np.radians(25), np.radians(60), np.radians(150)
#: A landmark this near to a turn tells where it is [m].
LANDMARK_REACH = 2.0
#: A stretch that ends higher or lower by more [m], and steeper than one in five, goes up or down.
RISE, SLOPE = 0.5, 0.2


@dataclass(frozen=True)
class Landmarks:
    """Things by which a turn is known.

    Attributes:
        labels: N categories.
        positions: (N, 3) [m], map frame.
    """

    labels: tuple[str, ...]
    positions: Array

    def near(self, position: Array) -> str:
        """The nearest one of those in reach of a point (3,) [m] that has no like in reach; empty: there is none."""
        if not self.labels:
            return ""
        distance = np.linalg.norm(self.positions[:, :2] - position[:2], axis=1)
        distance[np.abs(self.positions[:, 2] - position[2]) > LANDMARK_REACH] = np.inf  # on another floor
        near = [int(i) for i in np.argsort(distance) if distance[i] <= LANDMARK_REACH]
        labels = [self.labels[i] for i in near]
        return next((label for label in labels if labels.count(label) == 1), "")


NO_LANDMARKS = Landmarks((), np.empty((0, 3)))


def directions(
    points: Array,
    rooms: Sequence[str],
    landmarks: Landmarks = NO_LANDMARKS,
    heading: float | None = None,
    arrival: str = "You are there.",
) -> tuple[str, ...]:
    """A way as sentences: turns, straight stretches, arrival.

    Args:
        points: (N, 3) [m] from start to goal, N >= 1, map frame.
        rooms: names of the rooms of these points; empty where not known.
        landmarks: by which turns are told.
        heading: where who goes there looks at the start, from x towards y [rad]; None: not known.
        arrival: the last sentence.

    Raises:
        ValueError: no points, or not as many rooms.
    """
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or len(rooms) != len(points):
        raise ValueError(f"expected points (N, 3) and N rooms, N >= 1, got {points.shape} and {len(rooms)} rooms")
    corners = _corners(points)
    sentences: list[str] = []
    for a, b in pairwise(corners):
        way = points[b] - points[a]
        ahead = float(np.arctan2(way[1], way[0]))
        if heading is not None and (turn := _turn(ahead - heading)):
            sentences.append(turn + _at(landmarks.near(points[a]) if a else "") + ".")
        heading = ahead
        length = float(np.linalg.norm(np.diff(points[a : b + 1], axis=0), axis=1).sum())
        sentences.append(f"Go {_metres(length)} {_direction(way)}{_through(rooms[a : b + 1])}.")
    return (*sentences, arrival)


def side(points: Array, target: Array) -> str:
    """Where a thing (3,) [m] is for somebody who came along points (N, 3) [m]: ahead, on the left, on the right, behind; or here."""
    to = (target - points[-1])[:2]
    moved = np.flatnonzero(np.linalg.norm((points - points[-1])[:, :2], axis=1) > 0.2)
    if np.linalg.norm(to) < 0.3 or not len(moved):
        return "here"
    came = (points[-1] - points[moved[-1]])[:2]
    angle = _wrapped(float(np.arctan2(to[1], to[0]) - np.arctan2(came[1], came[0])))
    if abs(angle) < np.pi / 4:
        return "ahead"
    if abs(angle) > 3 * np.pi / 4:
        return "behind you"
    return "on your left" if angle > 0 else "on your right"


def _corners(points: Array) -> list[int]:
    """Indices of the points where the way turns, both ends included (Douglas and Peucker 1973), those at which it does not left out."""
    kept = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        a, b = spans.pop()
        if b - a < 2:
            continue
        off = _off_line(points[a + 1 : b], points[a], points[b])
        farthest = int(np.argmax(off))
        if off[farthest] > STRAIGHTNESS:
            middle = a + 1 + farthest
            kept.add(middle)
            spans += [(a, middle), (middle, b)]
    corners = sorted(kept)
    while True:
        bends = [_bend(points, *three) for three in zip(corners[:-2], corners[1:-1], corners[2:], strict=True)]
        if not bends or min(bends) >= NO_TURN:
            return corners if len(points) > 1 else corners[:1]
        del corners[1 + int(np.argmin(bends))]  # one at a time: what is left of a bend may add up to a turn


def _bend(points: Array, before: int, here: int, after: int) -> float:
    """How far the way turns at a point [rad]; infinite where a slope begins or ends."""
    arriving, leaving = points[here] - points[before], points[after] - points[here]
    if _rises(arriving) != _rises(leaving):
        return float("inf")
    return abs(_wrapped(float(np.arctan2(leaving[1], leaving[0]) - np.arctan2(arriving[1], arriving[0]))))


def _off_line(points: Array, a: Array, b: Array) -> Array:
    """Distances (N,) [m] of points (N, 3) from the line between two others."""
    along = b - a
    length = float(along @ along)
    share = np.clip((points - a) @ along / length, 0.0, 1.0) if length > 0 else np.zeros(len(points))
    return np.asarray(np.linalg.norm(points - a - share[:, None] * along, axis=1))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _turn(angle: float) -> str:
    angle = _wrapped(angle)
    if abs(angle) < NO_TURN:
        return ""
    if abs(angle) > BACK:
        return "Turn around"
    return f"{'Bear' if abs(angle) < BEND else 'Turn'} {'left' if angle > 0 else 'right'}"


def _at(landmark: str) -> str:
    return f" at the {landmark}" if landmark else ""


def _rises(way: Array) -> int:
    flat = float(np.hypot(way[0], way[1]))
    steep = abs(float(way[2])) > max(RISE, SLOPE * flat)
    return int(np.sign(way[2])) if steep else 0


def _direction(way: Array) -> str:
    return {1: "up", -1: "down", 0: "straight on"}[_rises(way)]


def _through(rooms: Sequence[str]) -> str:
    """The named rooms of a stretch."""
    named = [room for room in dict.fromkeys(rooms) if room]
    if not named:
        return ""
    if len(named) == 1:
        inside = rooms[0] == rooms[-1] == named[0]
        return f" through the {named[0]}" if inside else f" {'into' if rooms[-1] else 'out of'} the {named[0]}"
    between = "".join(f" through the {room}" for room in named[1:-1])
    return f" from the {named[0]}{between} into the {named[-1]}"


def _metres(length: float) -> str:
    return f"{length:.1f} m" if length < 10 else f"{length:.0f} m"
