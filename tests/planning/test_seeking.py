"""Which thing words send a robot to."""

from __future__ import annotations

import numpy as np
import pytest
from table_memory import BEDROOM, KITCHEN, ROOMS, TableMemory, thing

from loci.perception.text import MiniLMTextEncoder
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import KnownPath, Point
from loci.planning.seeking import is_called, purpose_of, relaxations, things_meant

HERE: Point = (0.0, 0.0, 0.0)


class StraightWays(TableMemory):
    """Every way is straight, but that to ``behind_wall`` is long."""

    behind_wall: Point | None = None

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        length = float(np.linalg.norm(np.subtract(goal, start or HERE)))
        return KnownPath(np.array([start or HERE, goal]), length + 20.0 * (goal == self.behind_wall))


def ids(
    words: str, memory: TableMemory, *, desperate: bool = False, planner: OfflinePlanner | None = None
) -> list[str]:
    return [e.id for e in things_meant(words, memory, planner or OfflinePlanner(), HERE, desperate=desperate).things]


def test_a_thing_of_another_name_waits_until_nothing_is_left() -> None:
    memory = StraightWays([thing(1, "chair", KITCHEN, (1.0, 1.0, 0.4))], ROOMS)
    planner = OfflinePlanner(MiniLMTextEncoder())
    assert ids("armchair", memory, planner=planner) == []
    assert ids("armchair", memory, planner=planner, desperate=True) == ["object/1"]


def test_a_kind_of_it_and_a_synonym_do_not_wait() -> None:
    memory = StraightWays(
        [thing(1, "coffee table", KITCHEN, (1.0, 1.0, 0.4)), thing(2, "sofa", KITCHEN, (2.0, 1.0, 0.4))], ROOMS
    )
    assert ids("table", memory) == ["object/1"]
    assert ids("couch", memory) == ["object/2"]
    assert is_called("coffee table", "table")
    assert not is_called("chair", "armchair")


def test_what_is_called_just_so_comes_before_a_synonym_that_is_nearer() -> None:
    memory = StraightWays(
        [thing(1, "photo frame", KITCHEN, (1.0, 1.0, 0.4)), thing(2, "picture", KITCHEN, (4.0, 1.0, 0.4))], ROOMS
    )
    assert ids("picture", memory) == ["object/2", "object/1"]


def test_of_several_the_nearest_by_path_comes_first() -> None:
    near, far, farther = (1.0, 0.0, 0.4), (3.0, 0.0, 0.4), (4.0, 0.0, 0.4)
    memory = StraightWays(
        [
            thing(1, "mug", KITCHEN, farther, confidence=1.0),
            thing(2, "mug", KITCHEN, far),
            thing(3, "mug", BEDROOM, near),
        ],
        ROOMS,
    )
    memory.behind_wall = near
    assert ids("mug", memory) == ["object/2", "object/1", "object/3"]


def test_a_thing_that_is_mostly_red_comes_before_one_with_a_red_spot() -> None:
    spotted = thing(1, "mug", KITCHEN, (1.0, 0.0, 0.4), color="white")
    spotted = type(spotted)(spotted.evidence, colors=("white", "red"), size=spotted.size)
    memory = StraightWays([spotted, thing(2, "mug", KITCHEN, (5.0, 0.0, 0.4), color="red")], ROOMS)
    assert ids("red mug", memory) == ["object/2", "object/1"]


@pytest.mark.parametrize(
    "words", ["blue mug", "red mug on the shelf", "mug in the bedroom", "blue mug on the shelf in the bedroom"]
)
def test_words_are_taken_less_strictly_only_when_nothing_is_left(words: str) -> None:
    memory = StraightWays(
        [
            thing(1, "table", KITCHEN, (1.0, 1.0, 0.4)),
            thing(2, "mug", KITCHEN, (1.0, 1.0, 0.9), on="object/1", color="red"),
            thing(3, "shelf", BEDROOM, (5.0, 1.0, 0.9)),
        ],
        ROOMS,
    )
    assert ids(words, memory) == []
    assert ids(words, memory, desperate=True) == ["object/2"]


def test_nearly_the_colour_comes_before_another_colour_and_nothing_is_left_out() -> None:
    things = [("red", (1.0, 1.0, 0.4)), ("gray", (5.0, 1.0, 0.4)), ("blue", (3.0, 1.0, 0.4))]
    memory = StraightWays(
        [thing(i, "wardrobe", KITCHEN, at, color=color) for i, (color, at) in enumerate(things, 1)], ROOMS
    )
    assert ids("white wardrobe", memory) == []
    assert ids("white wardrobe", memory, desperate=True) == ["object/2", "object/1", "object/3"]


def test_the_place_named_is_not_taken_for_the_thing() -> None:
    memory = StraightWays(
        [thing(1, "table", KITCHEN, (1.0, 1.0, 0.4)), thing(2, "mug", KITCHEN, (1.0, 1.0, 0.9), on="object/1")], ROOMS
    )
    assert ids("mug on the table", memory) == ["object/2"]


def test_relaxations_keep_the_name() -> None:
    looser = list(relaxations("red mug on the brown table in the kitchen"))
    assert looser[-1] == "mug"
    assert all("mug" in words for words in looser)
    assert len(set(looser)) == len(looser)
    assert list(relaxations("mug")) == []


@pytest.mark.parametrize(
    ("words", "purpose"),
    [
        ("something that i can use to boil water", "boil water"),
        ("something to read", "read"),
        ("something which can be used for cutting paper", "cutting paper"),
        ("anything I could use to dry my hair", "dry my hair"),
        ("mug", ""),
        ("something red", ""),
    ],
)
def test_what_a_thing_is_for_is_told_from_its_name(words: str, purpose: str) -> None:
    assert purpose_of(words) == purpose
