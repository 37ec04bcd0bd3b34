"""What is usually so: where a thing was found at how many visits, and at which time of day (KARMA's long-term facts, with counts and times).

Pure functions of visits; a place is what a thing lies on, and the room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Hours at which a part of the day begins, and its name.
PARTS_OF_DAY = (
    (0, "at night"),
    (6, "in the morning"),
    (12, "in the afternoon"),
    (18, "in the evening"),
    (23, "at night"),
)
_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Visit:
    """One time that a thing was seen.

    Attributes:
        wall_ns: time of day and date [ns since 1970, UTC].
        on: label of what it lay on or in; empty: nothing that is known.
        room: name of the room; empty: not known.
        is_inside: it lay in that, not on it.
        keyframe_id: that showed it there; empty: not known.
    """

    wall_ns: int
    on: str = ""
    room: str = ""
    is_inside: bool = False
    keyframe_id: str = ""


@dataclass(frozen=True)
class HabitParameters:
    """What is a habit.

    Attributes:
        min_visits: from so many visits on ...
        min_share: ... that found the thing at one place at so large a share of them, it is there usually.
        gap_s: a thing seen at one place again within this time was visited once [s].
        max_visits: the newest that are counted.
    """

    min_visits: int = 3
    min_share: float = 0.6
    gap_s: float = 1800.0
    max_visits: int = 256

    def __post_init__(self) -> None:
        if self.min_visits < 2 or self.max_visits < self.min_visits:
            raise ValueError(f"expected 2 <= min_visits <= max_visits, got {self.min_visits} and {self.max_visits}")
        if not 0.5 < self.min_share <= 1.0:
            raise ValueError(f"expected 0.5 < min_share <= 1, so that only one place is usual, got {self.min_share}")
        if not self.gap_s >= 0:
            raise ValueError(f"expected gap_s >= 0 s, got {self.gap_s}")


@dataclass(frozen=True)
class Habit:
    """Where a thing is usually.

    Attributes:
        where: in words, "on the counter in the kitchen".
        when: part of the day, "in the evening"; empty: at any time.
        n_there, n_seen: visits that found it there, of all at that time of day.
        first_ns, last_ns: first and last visit that found it there [ns since 1970, UTC].
    """

    where: str
    when: str
    n_there: int
    n_seen: int
    first_ns: int
    last_ns: int


def add_visit(visits: Sequence[Visit], new: Visit, parameters: HabitParameters) -> tuple[Visit, ...]:
    """Visits, oldest first, with one more; none more if the last one found the same a short time ago."""
    same = bool(visits) and (_spot(visits[-1]), visits[-1].room) == (_spot(new), new.room)
    if same and abs(new.wall_ns - visits[-1].wall_ns) < parameters.gap_s * 1e9:
        return tuple(visits)
    return (*visits, new)[-parameters.max_visits :]


def part_of_day(wall_ns: int, utc_offset_s: float) -> str:
    """In words, "in the evening"."""
    hour = (wall_ns + round(utc_offset_s * 1e9)) // _HOUR_NS % 24
    return next(name for begins, name in reversed(PARTS_OF_DAY) if hour >= begins)


def find_habits(
    visits: Sequence[Visit], utc_offset_s: float = 0.0, parameters: HabitParameters | None = None
) -> tuple[Habit, ...]:
    """Where a thing usually is: at any time first, then at times of day when it is somewhere else.

    What it lies on is named where that is the same often enough, else only the room.

    Args:
        visits: of one thing, oldest first.
        utc_offset_s: of the local time zone [s].
        parameters: how often is often.
    """
    p = parameters or HabitParameters()
    usual = _usual(visits, "", p)
    habits = [usual] if usual is not None else []
    parts: dict[str, list[Visit]] = {}
    for visit in visits:
        parts.setdefault(part_of_day(visit.wall_ns, utc_offset_s), []).append(visit)
    for when, seen in parts.items():
        then = _usual(seen, when, p)
        if then is not None and len(seen) < len(visits) and (usual is None or then.where != usual.where):
            habits.append(then)
    return tuple(habits)


def _usual(visits: Sequence[Visit], when: str, p: HabitParameters) -> Habit | None:
    for where_of in (_spot, _room):  # the more exact first
        found = _most(visits, where_of, p)
        if found:
            there = [v for v in visits if where_of(v) == found]
            return Habit(found, when, len(there), len(visits), there[0].wall_ns, there[-1].wall_ns)
    return None


def _most(visits: Sequence[Visit], where_of: Callable[[Visit], str], p: HabitParameters) -> str:
    counts = Counter(where_of(v) for v in visits)
    del counts[""]
    where, n = min(counts.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return where if len(visits) >= p.min_visits and n >= p.min_share * len(visits) else ""


def _spot(v: Visit) -> str:
    return f"{'in' if v.is_inside else 'on'} the {v.on}" + (f" in the {v.room}" if v.room else "") if v.on else ""


def _room(v: Visit) -> str:
    return f"in the {v.room}" if v.room else ""
