"""Looking again: what was overlooked, or was carried elsewhere, is found by a second look at rooms and furniture."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from kept_notes import NoteKeeper
from table_memory import BEDROOM, KITCHEN, LIVING_ROOM, Page, TableMemory, thing

from loci.geometry import Array
from loci.planning.bodies import Handled, Motion
from loci.planning.driving import distance
from loci.planning.execution import TaskExecutor
from loci.planning.grounding import room_evidence
from loci.planning.offline import OfflinePlanner
from loci.planning.orders import Verb
from loci.planning.plan_memory import PlanMemory
from loci.planning.protocols import KnownPath, Point
from loci.planning.relevance import Interest
from loci.planning.searching import MIN_STEPS_LEFT, SecondLook
from loci.query import Query

ROOMS = (KITCHEN, BEDROOM, LIVING_ROOM)
OVERLOOKED = thing(9, "crayon", BEDROOM, (5.2, 1.2, 0.5))


class StraightMemory(TableMemory):
    def recall(self, query: Query) -> Page:
        found = tuple(o.evidence for o in self.objects if query.kinds == ("object",) and o.id == query.object_id)
        return Page(found, len(found)) if found else super().recall(query)

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        start = start or (0.0, 0.0, 0.0)
        return KnownPath(
            np.array([start, goal]), distance(start, goal), "no way" if goal == LIVING_ROOM.position else ""
        )


class Walker:
    """Is where it was sent; at the bedroom's middle it sees what was overlooked. Everything is explored."""

    has_hand = False
    n_explorations = 0

    def __init__(self, memory: TableMemory, steps: int = 200) -> None:
        self._memory, self._steps, self._at = memory, steps, (0.0, 0.0, 0.0)
        self.n_steps, self.stamp_ns = 0, 0
        self.went: list[Point] = []

    @property
    def steps_left(self) -> int:
        return self._steps - self.n_steps

    def position(self) -> Point:
        return self._at

    def look(self) -> int:
        self.n_steps += 1
        self.stamp_ns = self._memory.newest_stamp_ns
        return self.stamp_ns

    def drive(self, goal: Point, tolerance: float = 0.15) -> Generator[Motion, None, str]:
        self.n_steps += 1
        self._at = goal
        self.went.append(goal)
        if distance(goal, BEDROOM.position) < 0.1 and OVERLOOKED not in self._memory.objects:
            self._memory.objects = (*self._memory.objects, OVERLOOKED)
        yield Motion("driving", goal)
        return ""

    def face(self, point: Point) -> Generator[Motion, None, None]:
        self.n_steps += 1
        yield Motion("looking", point)

    def explore(
        self, n_steps: int, interest: Interest | None = None, look_at: str = ""
    ) -> Generator[Motion, None, bool]:
        yield Motion("exploring")
        return False

    def handle(self, verb: Verb, label: str, position: Point) -> Handled:
        return Handled(False, "no hand")


def furnished() -> StraightMemory:
    return StraightMemory(
        [thing(1, "table", KITCHEN, (1.5, 1.5, 0.4)), thing(2, "plate", KITCHEN, (1.5, 1.5, 0.8), on="object/1")], ROOMS
    )


def ended(steps: Generator[Motion, None, object]) -> object:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_what_was_overlooked_is_found_by_a_second_look() -> None:
    memory = furnished()
    body = Walker(memory)
    outcome = ended(TaskExecutor(memory, OfflinePlanner(), body).find("crayon"))
    assert getattr(outcome, "done", False)
    assert BEDROOM.position in body.went


def test_every_room_and_carrier_is_looked_at_once_and_what_cannot_be_reached_is_left() -> None:
    memory = furnished()
    body = Walker(memory)
    search = SecondLook(memory, body)
    while ended(search.next()):
        assert body.n_steps < 100
    assert sorted(body.went) == sorted([KITCHEN.position, BEDROOM.position, (1.5, 1.5, 0.4)])
    assert body.went[0] == KITCHEN.position


def test_what_is_likely_is_looked_at_first() -> None:
    def interest(points: Sequence[Point]) -> Array:
        return np.array([20.0 * (p == BEDROOM.position) for p in points])

    memory = furnished()
    body = Walker(memory)
    ended(SecondLook(memory, body, interest).next())
    assert body.went == [BEDROOM.position]


def test_no_second_look_is_begun_with_too_few_actions_left() -> None:
    memory = furnished()
    body = Walker(memory, steps=MIN_STEPS_LEFT - 1)
    assert ended(SecondLook(memory, body).next()) is None
    assert body.went == []


class NotingMemory(NoteKeeper, StraightMemory):
    """It keeps notes, and time goes on: ``later`` [ns]."""

    later = 0

    def recall(self, query: Query) -> Page:
        if query.kinds != ("episode",):
            return super().recall(query)
        found = tuple(self.notes.find(query))
        return Page(found, len(found))

    @property
    def newest_stamp_ns(self) -> int:
        return super().newest_stamp_ns + self.later


def noting() -> NotingMemory:
    return NotingMemory(furnished().objects, ROOMS)


def searched(memory: NotingMemory, words: str = "crayon", steps: int = 200) -> list[Point]:
    """Where the robot went to look for something."""
    body = Walker(memory, steps)
    ended(TaskExecutor(memory, OfflinePlanner(), body, plans=PlanMemory(memory)).find(words))
    return body.went


def test_where_a_search_ended_well_is_looked_at_first_the_next_time() -> None:
    memory = noting()
    assert searched(memory)[0] == KITCHEN.position
    [find] = PlanMemory(memory).experience("the blue crayon").finds
    assert "looked for the crayon and found it" in find.text
    memory.objects = furnished().objects  # it was taken away, and nobody has seen it since
    memory.later = 2 * 3600 * 10**9
    assert searched(memory, "my crayon in the kitchen")[0] == BEDROOM.position
    assert searched(memory, "unicorn")[0] == KITCHEN.position


def test_a_place_that_was_looked_over_in_vain_comes_later_for_an_hour() -> None:
    memory = noting()
    assert searched(memory, "unicorn", MIN_STEPS_LEFT + 1) == [KITCHEN.position]
    [lesson] = PlanMemory(memory).lessons("unicorn")
    assert "the unicorn was not there (the kitchen)" in lesson.note.text
    assert searched(memory, "unicorn", MIN_STEPS_LEFT + 1) == [BEDROOM.position]
    assert sorted(searched(memory, "unicorn")) == sorted(searched(noting(), "unicorn")), "later, never not at all"
    memory.later = 2 * 3600 * 10**9
    assert searched(memory, "unicorn", MIN_STEPS_LEFT + 1) == [KITCHEN.position]


def test_a_place_to_which_the_way_failed_is_not_the_first_to_be_looked_at() -> None:
    memory = noting()
    PlanMemory(memory).remember_failure("lamp", room_evidence(KITCHEN, memory), "not reached", "the door is shut", 1)
    assert searched(memory, "unicorn")[0] == BEDROOM.position


def test_what_is_found_at_once_is_no_find_to_be_kept() -> None:
    memory = noting()
    searched(memory, "plate")
    assert not PlanMemory(memory).experience("plate").finds
