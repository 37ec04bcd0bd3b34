"""Names of rooms: from what is usual, from little, from much, and in spite of what does not belong there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.spatial.room_names import FIXTURES, MIN_CONFIDENCE, PRIORS, TABLE, name_room

TYPICAL = {
    "bedroom": ["bed", "nightstand", "lamp", "wardrobe"],
    "kitchen": ["stove", "fridge", "sink", "mug", "mug"],
    "bathroom": ["toilet", "sink", "mirror", "bathtub"],
    "living room": ["sofa", "tv", "coffee table", "rug"],
    "office": ["desk", "monitor", "office chair", "book", "book"],
    "dining room": ["dining table", "chair", "chair", "chair"],
    "hallway": ["shoe rack", "coat rack"],
    "laundry room": ["washing machine", "laundry basket", "dryer"],
    "garage": ["car", "toolbox", "bicycle"],
    "children's room": ["bed", "toy", "desk", "teddy bear"],
    "storage room": ["storage rack", "cardboard box", "suitcase", "vacuum cleaner"],
    "meeting room": ["conference table", "whiteboard", "office chair"],
}
THINGS = [line.partition(":")[0] for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("name", "labels"), TYPICAL.items())
def test_rooms_are_named_by_what_is_in_them(name: str, labels: list[str]) -> None:
    found, confidence = name_room(labels)
    assert found == name and MIN_CONFIDENCE <= confidence < 1.0


@pytest.mark.parametrize("labels", [["picture", "window", "unheard-of thing"], [], ["book"], ["chair"]])
def test_things_that_are_anywhere_give_no_name(labels: list[str]) -> None:
    assert name_room(labels) == ("", 0.0)


@pytest.mark.parametrize("intruder", ["washing machine", "toilet", "bed", "stove"])
def test_one_thing_that_does_not_belong_there_changes_no_name(intruder: str) -> None:
    for name, labels in TYPICAL.items():
        if (
            len(labels) < 4 or intruder in labels or (name, intruder) == ("dining room", "stove")
        ):  # people eat in kitchens
            continue
        found, confidence = name_room([*labels, intruder])
        assert found in (name, "") and confidence <= name_room(labels)[1] + 0.02, (name, intruder)
    assert name_room(["car", "toolbox", "bicycle", "hammer", intruder])[0] == "garage"


def test_a_garage_with_a_washing_machine_is_a_garage() -> None:
    assert name_room(["car", "toolbox", "bicycle", "washing machine"])[0] == "garage"
    assert name_room(["washing machine", "dryer", "detergent"])[0] == "laundry room"


def test_more_clues_make_a_name_surer_and_contrary_ones_less_sure() -> None:
    one, two, mixed = (name_room(x)[1] for x in (["bed"], ["bed", "wardrobe"], ["bed", "desk"]))
    assert mixed < one < two


def test_what_makes_a_room_counts_by_its_absence_once_much_of_it_is_known() -> None:
    little = ["plate", "chair", "dining table"]
    much = [*little, "bowl", "bottle", "salt shaker", "teapot", "candle"]
    assert name_room(much)[0] == "dining room"
    assert name_room([*much, "stove", "fridge"])[0] == "kitchen"


def test_a_room_full_of_food_without_a_stove_is_a_pantry() -> None:
    food = ["jar", "can", "bottle", "cereal box", "milk carton", "paper towel", "apple", "lemon", "candle"]
    assert name_room(["storage rack", *food])[0] == "pantry"
    assert name_room(["counter", "stove", "fridge", *food])[0] == "kitchen"


def test_spelling_and_other_words_do_not_matter() -> None:
    assert name_room(["Washing_Machine", "laundry basket"]) == name_room(["washer", "Laundry Basket"])
    assert name_room(["refrigerator", "couch"]) == name_room(["fridge", "sofa"])


@given(st.lists(st.sampled_from(THINGS), max_size=20))
def test_names_depend_on_which_things_are_there_and_on_nothing_else(labels: list[str]) -> None:
    name, confidence = name_room(labels)
    assert (name == "" and confidence == 0.0) or (name in PRIORS and MIN_CONFIDENCE <= confidence < 1.0)
    assert name_room(sorted(labels) * 3) == (name, confidence)


def test_the_tables_fit_together() -> None:
    assert sum(PRIORS.values()) == pytest.approx(1.0)
    assert len(set(THINGS)) == len(THINGS)
    assert FIXTURES.keys() <= PRIORS.keys()
    assert {thing for groups in FIXTURES.values() for group in groups for thing in group} <= set(THINGS)
