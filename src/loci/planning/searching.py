"""Looking again where everything is explored: what is small may have been overlooked, and things are carried about meanwhile.

Rooms are looked around in once more, and furniture that things lie on is looked at from close by, the likeliest and nearest first.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np

from loci.planning.bodies import Body, Motion
from loci.planning.grounding import room_evidence
from loci.planning.protocols import MemoryReader, Point
from loci.planning.relevance import Interest
from loci.query import Evidence

#: Ways to the middle of a room, or to furniture, may end so far from it [m].
_ROOM_TOLERANCE, _FURNITURE_TOLERANCE = 0.8, 1.5
#: So many directions make a look around.
_N_DIRECTIONS = 4
#: Spots whose ways are compared; the others are farther in a straight line.
_MAX_COMPARED = 8
#: Looking closely is left when so many actions are left: what is known has to be gone to.
MIN_STEPS_LEFT = 60


@dataclass(frozen=True)
class _Spot:
    """Somewhere to look again: a room to look around in, or furniture to look at."""

    evidence: Evidence
    position: Point
    is_room: bool

    @property
    def id(self) -> str:
        return self.evidence.id


@dataclass(frozen=True)
class Looked:
    """What was looked at again, and why it could not be driven to (empty: it was)."""

    at: Evidence
    stuck: str


@dataclass
class SecondLook:
    """What one search has looked at again.

    Args:
        memory: of the robot.
        body: the robot.
        interest: metres of way that looking at points is worth; None: all are worth the same.
    """

    memory: MemoryReader
    body: Body
    interest: Interest | None = None
    _looked_at: set[str] = field(default_factory=set)

    def next(self) -> Generator[Motion, None, Looked | None]:
        """Drive to the next spot and look; None: none is left, or too few actions are."""
        if self.body.steps_left < MIN_STEPS_LEFT:
            return None
        spot = self._choose()
        if spot is None:
            return None
        self._looked_at.add(spot.id)
        stuck = yield from self.body.drive(spot.position, _ROOM_TOLERANCE if spot.is_room else _FURNITURE_TOLERANCE)
        if stuck:
            return Looked(spot.evidence, stuck)
        if not spot.is_room:
            yield from self.body.face(spot.position)
            return Looked(spot.evidence, "")
        x, y, z = self.body.position()
        for angle in np.arange(_N_DIRECTIONS) * 2 * np.pi / _N_DIRECTIONS:
            yield from self.body.face((x + float(np.cos(angle)), y + float(np.sin(angle)), z))
        return Looked(spot.evidence, "")

    def _choose(self) -> _Spot | None:
        spots = [s for s in self._spots() if s.id not in self._looked_at]
        if not spots:
            return None
        here = self.body.position()
        worth = np.zeros(len(spots)) if self.interest is None else self.interest([s.position for s in spots])
        straight = np.linalg.norm(np.array([s.position[:2] for s in spots]) - here[:2], axis=1)
        best: tuple[float, _Spot] | None = None
        # A way is at least as long as the straight line: the others cannot be cheaper by much.
        for i in np.argsort(straight - worth, kind="stable")[:_MAX_COMPARED]:
            spot = spots[int(i)]
            path = self.memory.path_to(spot.position, here, _ROOM_TOLERANCE if spot.is_room else _FURNITURE_TOLERANCE)
            if path.reason:
                self._looked_at.add(spot.id)
                continue
            cost = path.length - float(worth[i])
            if best is None or cost < best[0]:
                best = cost, spot
        return None if best is None else best[1]

    def _spots(self) -> list[_Spot]:
        """Rooms, and what carries something."""
        objects = self.memory.known_objects()
        carriers = {o.on for o in objects if o.on}
        rooms = ((r, room_evidence(r, self.memory)) for r in self.memory.known_rooms())
        spots = [_Spot(replace(e, text=f"the {r.name or r.id}"), r.position, True) for r, e in rooms]
        for o in objects:
            if o.id in carriers and o.evidence.is_goal and o.evidence.position is not None:
                spots.append(_Spot(o.evidence, o.evidence.position, False))
        return spots
