"""What a task tried already, so that it does not try the same for ever: things by their ids, and places, where ids change."""

from __future__ import annotations

from dataclasses import dataclass, field

from loci.planning.driving import distance
from loci.planning.protocols import Point
from loci.query import Evidence

#: Things nearer to one another than this are tried as one place [m]: what is seen anew gets a new id.
_SAME_PLACE = 0.3
#: A thing that was tried is tried again where it was carried to meanwhile, so far away at least [m]: its box grows while it is seen.
_CARRIED = 0.6
#: So often a place is driven to for one order, and a thing wherever it is.
_TRIES_AT_A_PLACE, _TRIES_OF_A_THING = 2, 3


@dataclass
class Tries:
    """Candidates of one order that were no success.

    Attributes:
        unreached: those that could not be driven to: worth another try from elsewhere.
        reasons: why each was no success, in plain words, oldest first.
    """

    unreached: dict[str, Evidence] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    _rejected: dict[str, list[Point]] = field(default_factory=dict)  # where each was when it was tried
    _again: set[str] = field(default_factory=set)
    _places: list[Point] = field(default_factory=list)

    def add(self, candidate: Evidence, reason: str, *, reached: bool) -> None:
        """A candidate was no success."""
        rejected = self._rejected.setdefault(candidate.id, [])
        self.reasons.append(f"{candidate.name}: {reason}")
        if candidate.position is not None:
            rejected.append(candidate.position)
            self._places.append(candidate.position)
        if not reached and candidate.id not in self._again:
            self.unreached[candidate.id] = candidate

    def is_spent(self, candidate: Evidence) -> bool:
        """Whether it would be the same try again."""
        if candidate.position is None:
            return True
        before = self._rejected.get(candidate.id, ())
        if len(before) >= _TRIES_OF_A_THING or any(distance(candidate.position, p) < _CARRIED for p in before):
            return True
        near = sum(distance(candidate.position, place) < _SAME_PLACE for place in self._places)
        return near >= _TRIES_AT_A_PLACE

    def allow_unreached(self) -> bool:
        """Each that was not reached may be tried once more; whether there are some."""
        if not self.unreached:
            return False
        self._again |= set(self.unreached)
        for identity in self.unreached:
            del self._rejected[identity]
        self.unreached = {}
        return True

    def summary(self) -> str:
        """The newest reasons in one line; empty: nothing was tried."""
        shown = list(dict.fromkeys(self.reasons))[-3:]
        return "; ".join(shown)
