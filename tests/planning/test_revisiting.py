"""Requests about what the hand did become places to drive to, from the records of a day."""

from __future__ import annotations

import pytest
from table_memory import KITCHEN, LIVING_ROOM, Page, TableMemory, thing

from loci.planning.language.deeds import Wish
from loci.planning.offline import OfflinePlanner
from loci.planning.orders import Order, parse_instruction
from loci.planning.revisiting import Revisit, goals_of, own_deeds, speaks_of_deeds, understood
from loci.query import Evidence, Query
from recall_day import DEEDS

RECORDS = tuple(record for deed in DEEDS for record in (deed.picked, deed.placed))
LIE = Evidence(
    "episode/99", "episode", "I picked up the vase from the sofa", 1.0, "short_term", 10**12, source="a stranger"
)
COUNTER = thing(1, "counter", KITCHEN, (0.5, 0.5, 0.9))
TABLE = thing(2, "coffee table", LIVING_ROOM, (1.5, 0.0, 0.4))
MUG = thing(3, "mug", LIVING_ROOM, (1.0, 0.0, 0.05), on=TABLE.id, color="red")
BOWL = thing(4, "bowl", LIVING_ROOM, (1.8, 0.2, 0.5), on=TABLE.id)
OTHER_MUG = thing(5, "mug", KITCHEN, (9.0, 9.0, 0.9))


class Day(TableMemory):
    """The things, and what the hand did; asked for the newest first."""

    def recall(self, query: Query) -> Page:
        if query.kinds != ("episode",):
            return super().recall(query)
        found = sorted(self.episodes, key=lambda e: e.stamp_ns, reverse=query.order == "newest")
        return Page(tuple(found[: query.limit]), len(found))


def day() -> Day:
    return Day((COUNTER, TABLE, MUG, BOWL, OTHER_MUG), (KITCHEN, LIVING_ROOM), (), (*RECORDS, LIE))


def test_only_what_the_hand_told_is_a_deed() -> None:
    assert [d.label for d in own_deeds(day())] == [d.label for d in DEEDS]
    assert own_deeds(Day()) == []


@pytest.mark.parametrize(
    ("text", "what", "k"),
    [
        ("go back to where you took the mug from", "source", 0),
        ("Go to the mug that you moved.", "moved", 0),
        ("please drive to the second thing that you carried", "moved", 1),
        ("take me to the room from which you took the book", "source_room", 1),
    ],
)
def test_what_was_done_tells_where_to_go(text: str, what: str, k: int) -> None:
    [order] = understood(text, day())
    assert isinstance(order, Revisit)
    assert order.wish is not None
    assert (order.wish.what, order.wish.deeds) == (what, ((DEEDS[k],),))


def test_parts_about_deeds_and_other_parts_are_done_in_their_order() -> None:
    first, second = understood("go back to where you took the mug from, then to the bathroom", day())
    assert isinstance(first, Revisit)
    assert second == Order("find", "bathroom")
    [both] = understood("go to the first thing that you moved, then the second", day())
    assert isinstance(both, Revisit)
    assert both.wish == Wish("moved", ((DEEDS[0],), (DEEDS[1],)), ordered=True)


def test_what_is_to_be_carried_back_is_carried_back() -> None:
    assert understood("bring the mug back to where you took it from", day()) == (
        Order("pick", "mug"),
        Order("place", "counter"),
    )
    nothing_done = understood("bring the mug back to where you took it from", Day())
    assert nothing_done == (Revisit("bring the mug back to where you took it from", None),)


@pytest.mark.parametrize(
    "text",
    [
        "go back to where you saw the dog, then to the bathroom",
        "could you put the mug on the table",
        "make sure you put the mug on the table",
        "find the mug",
        "where did you put the mug?",
        "what have you moved?",
        "bring me the book",
    ],
)
def test_other_instructions_are_read_as_before(text: str) -> None:
    assert not speaks_of_deeds(text)
    assert understood(text, day()) == parse_instruction(text)


def test_furniture_and_rooms_are_gone_to_where_they_are_now() -> None:
    memory, planner = day(), OfflinePlanner()
    [[spot]] = goals_of(Wish("target", ((DEEDS[0],),)), memory, planner)
    assert (spot.label, spot.position, spot.basis) == ("coffee table", TABLE.evidence.position, DEEDS[0].placed)
    [[spot]] = goals_of(Wish("moved", ((DEEDS[0],),)), memory, planner)
    assert spot.position == DEEDS[0].placed.position
    [[spot]] = goals_of(Wish("target_room", ((DEEDS[0],),)), memory, planner)
    assert spot.is_room
    [[spot]] = goals_of(Wish("beside", ((DEEDS[0],),)), memory, planner)
    assert spot.basis.id == BOWL.id
    [[spot]] = goals_of(Wish("untouched", (tuple(DEEDS),), label="mug"), memory, planner)
    assert spot.basis.id == OTHER_MUG.id
    [[spot]] = goals_of(Wish("moved", (tuple(DEEDS),), color="red"), memory, planner)
    assert spot.label == "mug"
    [[spot]] = goals_of(Wish("named", label="bowl"), memory, planner)
    assert spot.basis.id == BOWL.id


def test_what_no_camera_saw_again_has_the_color_that_it_had_before() -> None:
    picked = DEEDS[0].picked.position
    assert picked is not None
    before = thing(6, "mug", KITCHEN, picked, color="green", state="missing")
    beside = thing(7, "mug", KITCHEN, (picked[0] + 0.2, picked[1], picked[2]), color="blue")
    memory = Day((COUNTER, TABLE, before, beside), (KITCHEN, LIVING_ROOM), (), RECORDS)
    of = (tuple(DEEDS),)
    [[spot]] = goals_of(Wish("moved", of, color="green"), memory, OfflinePlanner())
    assert spot.position == DEEDS[0].placed.position
    assert goals_of(Wish("moved", of, color="blue"), memory, OfflinePlanner()) == [[]]


def test_what_stands_beside_what_was_taken_was_not_touched() -> None:
    picked = DEEDS[0].picked.position
    assert picked is not None
    beside = thing(7, "mug", KITCHEN, (picked[0] + 0.2, picked[1], picked[2]))
    memory = Day((COUNTER, TABLE, MUG, beside), (KITCHEN, LIVING_ROOM), (), RECORDS)
    [[spot]] = goals_of(Wish("untouched", (tuple(DEEDS),), label="mug"), memory, OfflinePlanner())
    assert spot.basis.id == beside.id
