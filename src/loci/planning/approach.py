"""Going up to a thing until the robot stands close before it and sees it: near in a straight line may still be behind a wall.

Seen is what the memory has recognised in an image taken from where the robot stands, so that arriving and looking are one.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from loci.planning.bodies import Body, Motion
from loci.planning.driving import bearing, level_distance, wrap
from loci.planning.protocols import KnownObject, MemoryReader, Point
from loci.query import Evidence, Query

#: So near to a thing's side the robot has arrived, if it sees it [m].
CLOSE = 0.9
#: Where it does not, it tries from points so far from the thing's side [m] (3D-Mem, "going there"), in so many directions, so often.
_BESIDE, _N_DIRECTIONS, _MAX_TRIES = 0.75, 8, 3
#: What lies high comes in view from farther off only: still within an arm's length of its side [m].
_ARM = 1.25
#: To reach far over it the robot stands so far from its side [m], or a little farther.
_NEAR, _NEAR_TOLERANCE = 0.3, 0.5
#: Two places from which a thing shows the same side differ by less than this, as seen from it [rad].
_SAME_SIDE = float(np.radians(60.0))
#: Metres of way that the side from which it was seen best is worth more than the far side.
_SEEN_SIDE = 4.0
#: From so near to its side [m] a thing was seen well; closer by, it may be below or above what the camera sees. Having been seen counts
#: while the robot is no farther than this [m] from where that was.
_SEEN_WITHIN, _SINCE_THEN = 2.0, 1.2
#: Paths to such points may end this far from them [m], and are not tried so near to where the robot stood before.
_SPOT_TOLERANCE, _SAME_SPOT = 0.3, 0.6


def approach(memory: MemoryReader, body: Body, target: Evidence, tolerance: float) -> Generator[Motion, None, str]:
    """Drive up to an object until it is close and in view, from another side if need be; faces it. Returns why it was not reached, or nothing.

    An object that is gone counts as reached: that it is not there is told by the memory.

    Args:
        memory: that takes in the robot's images.
        body: the robot.
        target: an object with a position.
        tolerance: the way may end so far from its middle [m].
    """
    assert target.position is not None
    at = target.position
    known = next((o for o in memory.known_objects() if o.id == target.id), None)
    half = _half_extent(known)
    goal, within = at, max(tolerance, half + _BESIDE)
    if _ends_behind(memory, body, target, within):
        goal = _next_spot(memory, body, target, half, []) or at
    glimpse = _Glimpse(half)
    reason = yield from _drive(memory, body, target, goal, glimpse, within)
    if reason and level_distance(body.position(), at) - half > CLOSE:
        return reason
    stood = [body.position()]
    seen = (yield from _face(memory, body, target)) or glimpse.counts(body.position())
    seen = seen or _stands_before(body.position(), target, half)
    if reason and not seen:
        return reason
    for _ in range(_MAX_TRIES):
        if seen or body.steps_left <= 0:
            break
        spot = _next_spot(memory, body, target, half, stood)
        if spot is None:
            break
        yield from _drive(memory, body, target, spot, glimpse, _SPOT_TOLERANCE)
        stood += [spot, body.position()]
        seen = (yield from _face(memory, body, target)) or glimpse.counts(body.position())
        seen = seen or _stands_before(body.position(), target, half)
    if seen or body.steps_left <= 0 or _is_gone(memory, target):
        return ""
    return "it did not come in view"


def stand_elsewhere(
    memory: MemoryReader, body: Body, target: Evidence, stood: list[Point], near: bool
) -> Generator[Motion, None, bool]:
    """Drive to another point from which a hand may do what it could not do so far, and face the object. Returns whether there is one.

    First on the side from which the object was seen best, then on its other sides: a hand reaches only a part of something large.

    Args:
        memory, body, target: as in `approach`.
        stood: such points that were driven to before; the new one is added.
        near: as near as the robot gets, to reach far over the object. Else first an arm's length away, since what lies high or low is out of
            view from close by.
    """
    assert target.position is not None
    known = next((o for o in memory.known_objects() if o.id == target.id), None)
    while body.steps_left > 0:
        first = not stood
        beside = _NEAR if near else _ARM if first else _BESIDE
        tolerance = _NEAR_TOLERANCE if near else _SPOT_TOLERANCE
        # The first one may be right before or behind where the robot stands now, the others are on other sides.
        tried = [bearing(target.position, p) for p in stood]
        spot = _next_spot(memory, body, target, _half_extent(known), (), beside, tolerance, tried)
        if spot is None:
            return False
        stuck = yield from body.drive(spot, tolerance)
        stood.append(spot if stuck else body.position())
        if not stuck:
            yield from body.face(target.position)
            return True
    return False


def _stands_before(position: Point, target: Evidence, half: float) -> bool:
    """Whether the robot stands close before a target, on the side from which it was seen best.

    What lies high on a shelf never comes in view from near by, and is there all the same.
    """
    assert target.position is not None
    gap = level_distance(position, target.position) - half
    if target.T_map_camera is None or gap > CLOSE + _SPOT_TOLERANCE:
        return False
    seen_from = np.asarray(target.T_map_camera)[:2, 3]
    turned = wrap(bearing(target.position, position) - bearing(target.position, (seen_from[0], seen_from[1])))
    return abs(turned) < _SAME_SIDE


def _is_gone(memory: MemoryReader, target: Evidence) -> bool:
    """Whether the memory has noticed that the target is not there any more."""
    now = memory.recall(Query(object_id=target.id, kinds=("object",), limit=1)).evidence
    return not now or now[0].state == "missing"


@dataclass
class _Glimpse:
    """Where the robot was when it saw the target from near by last; ``half``: from the target's middle to its side [m]."""

    half: float
    at: Point | None = None

    def counts(self, position: Point) -> bool:
        """Whether that is the place where the robot stands, nearly."""
        return self.at is not None and level_distance(position, self.at) <= _SINCE_THEN


def _drive(
    memory: MemoryReader, body: Body, target: Evidence, goal: Point, glimpse: _Glimpse, tolerance: float
) -> Generator[Motion, None, str]:
    """Drive to a point, but only until the target is close and in view; notes where it was seen on the way."""
    assert target.position is not None
    way = body.drive(goal, tolerance)
    position, since_ns = body.position(), body.stamp_ns
    while True:
        try:
            motion = next(way)
        except StopIteration as end:
            return str(end.value or "")
        yield motion
        if body.position() != position:
            position, since_ns = body.position(), body.stamp_ns
        gap = level_distance(position, target.position) - glimpse.half
        if gap < _SEEN_WITHIN and since_ns > 0 and _is_seen(memory, target, since_ns, body.stamp_ns):
            glimpse.at = position
            if gap < CLOSE:
                way.close()
                return ""


def _face(memory: MemoryReader, body: Body, target: Evidence) -> Generator[Motion, None, bool]:
    """Turn towards the target; whether it was seen from here."""
    assert target.position is not None
    since_ns = body.stamp_ns
    yield from body.face(target.position)
    return _is_seen(memory, target, since_ns, body.stamp_ns)


def _is_seen(memory: MemoryReader, target: Evidence, since_ns: int, newest_ns: int) -> bool:
    """Whether an image taken since then shows the target. Stamps beyond the newest one are of an earlier session."""
    memory.wait_for(newest_ns)
    newest_ns = max(newest_ns, memory.newest_stamp_ns)  # a robot that is sent goals does not know every image's
    now = memory.recall(Query(object_id=target.id, kinds=("object",), limit=1)).evidence
    return bool(now) and since_ns <= now[0].stamp_ns <= newest_ns and now[0].state != "missing"


def _ends_behind(memory: MemoryReader, body: Body, target: Evidence, tolerance: float) -> bool:
    """Whether the way ends on the far side of where the target was seen best from: there may be a wall between."""
    assert target.position is not None
    T = target.T_map_camera
    path = memory.path_to(target.position, body.position(), tolerance, body.stamp_ns)
    if T is None or path.reason or not len(path.points):
        return False
    to_view = np.asarray(T)[:2, 3] - target.position[:2]
    to_end = np.asarray(path.points)[-1, :2] - target.position[:2]
    return float(to_view @ to_end) < 0.0


def _half_extent(known: KnownObject | None) -> float:
    """From the middle of an object to its side [m], about."""
    return 0.0 if known is None else float(np.mean(known.size[:2])) / 2


def _next_spot(
    memory: MemoryReader,
    body: Body,
    target: Evidence,
    half: float,
    stood: Sequence[Point],
    beside: float = _BESIDE,
    tolerance: float = _SPOT_TOLERANCE,
    tried: Sequence[float] = (),
) -> Point | None:
    """A point so far beside a thing [m] where the robot did not stand yet, and on no side [rad] that was tried: near by path, and on the side from
    which the thing was seen best."""
    assert target.position is not None
    here, at = body.position(), target.position
    T = target.T_map_camera
    seen_from = None if T is None else bearing(at, (float(T[0, 3]), float(T[1, 3])))
    best: tuple[float, Point] | None = None
    for angle in np.arange(_N_DIRECTIONS) * 2 * np.pi / _N_DIRECTIONS:
        reach = half + beside
        x, y = at[0] + reach * float(np.cos(angle)), at[1] + reach * float(np.sin(angle))
        path = memory.path_to((x, y, here[2]), here, tolerance, body.stamp_ns)
        if path.reason or not len(path.points):
            continue
        ex, ey, ez = (float(v) for v in path.points[-1])
        if any(level_distance((ex, ey, ez), p) < _SAME_SPOT for p in stood):
            continue
        if any(abs(wrap(bearing(at, (ex, ey)) - side)) < _SAME_SIDE for side in tried):
            continue
        cost = path.length
        if seen_from is not None:
            cost += _SEEN_SIDE / 2 * (1.0 - float(np.cos(angle - seen_from)))
        if best is None or cost < best[0]:
            best = cost, (ex, ey, ez)
    return None if best is None else best[1]
