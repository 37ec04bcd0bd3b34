"""Requests with two cases: what was done decides which of them counts."""

from __future__ import annotations

import pytest
from test_understanding import encoder

from loci.planning.language.conditions import condition_of
from loci.planning.language.deeds import Wish
from loci.planning.language.readings import understand
from recall_day import DEEDS

MUG = Wish("moved", ((DEEDS[0],),))
FIRST, LAST = MUG, Wish("moved", ((DEEDS[-1],),))
MACHINE = Wish("named", label="washing machine")
LIVING_ROOM = Wish("moved", ((DEEDS[0], DEEDS[3]),))


@pytest.mark.parametrize(
    ("form", "yes"),
    [
        ("Go to the washing machine, but if you moved {}, go to that instead.", MUG),
        ("When you have handled {}, show it to me; when not, show me the washing machine.", MUG),
        ("Only if you shifted {}, head there; the washing machine is the alternative.", MUG),
        ("Either {} that you moved, or if there is none, the washing machine.", MUG),
        ("I want the washing machine, unless you have carried {}; then I want that.", MUG),
        ("Had you carried {}, I'd want you there; in any other case go to the washing machine.", MUG),
    ],
)
def test_a_thing_that_was_carried_is_told_from_one_that_was_not(form: str, yes: Wish) -> None:
    assert understand(form.format("a mug"), DEEDS, encoder()) == yes
    assert understand(form.format("a stapler"), DEEDS, encoder()) == MACHINE


@pytest.mark.parametrize(
    "form",
    [
        "If you left an object in the {}, proceed to it; in every other case proceed to the washing machine.",
        "Go to the washing machine unless you took something into the {}, in which case go to that.",
        "In the event that you set something down in the {}, go to it. In any other event go to the washing machine.",
    ],
)
def test_a_room_that_was_filled_is_told_from_one_that_was_not(form: str) -> None:
    assert understand(form.format("living room"), DEEDS, encoder()) == LIVING_ROOM
    assert understand(form.format("garage"), DEEDS, encoder()) == MACHINE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("visit the first of the things you moved when they are more than four, or the last when they aren't", FIRST),
        ("visit the first of the things you moved when they are more than five, or the last when they aren't", LAST),
        ("if you moved fewer than six things, go to the first, otherwise to the last", FIRST),
        ("if you moved at most four things, go to the first, otherwise to the last", LAST),
        ("if you moved at least five things, go to the last, otherwise to the first", LAST),
        ("if you moved five or more things, go to the first, otherwise to the last", FIRST),
        ("go to the last thing you moved; if the count is above four, to the first one", FIRST),
        ("go to the first one if you moved more than five things, and to the last if you did not", LAST),
        ("go to the last thing you moved unless you moved more than four, in that case go to the first", FIRST),
    ],
)
def test_a_number_decides_between_the_first_and_the_last(text: str, expected: Wish) -> None:
    assert understand(text, DEEDS, encoder()) == expected


def test_what_is_only_polite_is_no_condition() -> None:
    for text in (
        "if you could go to the mug that you moved, or else I am lost",
        "go to the thing that you held when 80 seconds had passed since your first pick",
    ):
        assert condition_of(text, encoder()) is None
