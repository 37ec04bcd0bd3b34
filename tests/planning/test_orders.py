"""Instructions are understood part by part, in their order, or not at all."""

from __future__ import annotations

import pytest

from loci.planning.orders import Order, parse_instruction


@pytest.mark.parametrize(
    ("instruction", "orders"),
    [
        ("find the mug", [("find", "mug")]),
        ("Go to the kitchen!", [("find", "kitchen")]),
        ("please look for my red mug.", [("find", "red mug")]),
        ("drive to room/2", [("find", "room/2")]),
        ("take me to the green bed", [("find", "green bed")]),
        ("take the green cup to the bed", [("pick", "green cup"), ("place", "bed")]),
        ("turn the lamp off", [("switch_off", "lamp")]),
        (
            "Open the fridge, then put the milk carton in the fridge.",
            [("open", "fridge"), ("pick", "milk carton"), ("place", "fridge")],
        ),
        ("open the fridge, then sing a song", []),
        ("make coffee", []),
        ("finding nemo", []),
        ("find", []),
    ],
)
def test_instructions_are_read(instruction: str, orders: list[tuple[str, str]]) -> None:
    assert [(o.verb, o.words) for o in parse_instruction(instruction)] == orders


@pytest.mark.parametrize("text", ["", "  ?! ", "find the mug " * 200])
def test_an_instruction_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an instruction"):
        parse_instruction(text)


def test_every_built_in_command_is_understood() -> None:
    phrasings = pytest.importorskip("loci_sim.evaluation.phrasings_dev").TASKS_DEV
    place = "desk in the study"
    for template, thing in (("place", "red mug on the counter"), ("fetch", "something that i can use to boil water")):
        for text in phrasings[template]:
            expected = (Order("pick", thing), Order("place", place))
            assert parse_instruction(text.format(thing=thing, place=place)) == expected, text
    for verb in ("open", "switch_on", "switch_off", "clean"):
        for text in phrasings[verb]:
            assert parse_instruction(text.format(thing="white stove")) == (Order(verb, "white stove"),), text
