"""Wordings that no rule was written after: a held-out set as a number, a practice set template by template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.perception.text import MiniLMTextEncoder
from loci.planning.language.deeds import Wish
from loci.planning.language.readings import understand
from loci.planning.orders import parse_instruction
from loci.planning.parsing import parse
from recall_day import DEEDS, wanted

#: Written before anything understood them; nothing may be tuned on single items. Rates when they were last measured: 0.98 of the
#: instructions, 0.97 of the questions, 0.99 of the recall tasks.
HELD_OUT = json.loads(Path(__file__).with_name("held_out_phrasings.json").read_text())
#: By another author, who had read no parser; two thirds of what they wrote became examples, this is the rest. Rates before and after: 0.90 and
#: 0.90 of the instructions, 0.80 and 0.86 of the questions, 0.84 and 0.94 of the recall tasks. 20 of the 275, misses all, had been seen by then;
#: without these: 0.92 and 0.92, 0.90 and 0.94, 0.91 and 0.95.
SECOND = json.loads(Path(__file__).with_name("second_phrasings.json").read_text())
#: By a third author, half of what they wrote before they read the parser; the other half is practised on and lies in the examples. Rates before and after:
#: 0.86 and 0.90 of the instructions, 0.93 and 0.97 of the questions, 0.89 and 0.95 of the recall tasks.
THIRD = json.loads(Path(__file__).with_name("third_phrasings.json").read_text())
PRACTICE = json.loads(Path(__file__).with_name("practice_phrasings.json").read_text())

THINGS = ("mug", "green armchair", "washing machine in the laundry", "red paint can on the drying rack in the storage room", "book on the coffee table")  # fmt: skip
PLACES = ("desk in the study", "sofa", "white dresser", "tv stand in the living room", "nightstand in the bedroom")
PURPOSES = ("boil water", "drive in a nail", "clean the floor of dust", "put out a fire", "make music")
ACTIVITIES = ("sleep", "cook dinner", "take a shower or a bath", "do the laundry", "repair something at a workbench")
COUNTED = (("mugs", "kitchen"), ("bookshelves", "living room"), ("teddy bears", "children's room"), ("chairs", "laundry"), ("paint cans", "storage room"))  # fmt: skip
ORDERS = ("goal", "place", "fetch", "open", "switch_on", "switch_off", "clean")
#: The plain question that means the same.
PLAIN = {
    "where": "where is the {thing}",
    "what_on": "what is on the {thing}",
    "color": "what color is the {thing}",
    "how_many": "how many {things} are in the {room}",
    "is_open": "is the {thing} open",
}


@cache
def encoder() -> MiniLMTextEncoder:
    return MiniLMTextEncoder()


def order_is_right(template: str, text: str, k: int) -> bool:
    thing = f"something that I can use to {PURPOSES[k]}" if template == "fetch" else THINGS[k]
    verb = "find" if template == "goal" else template
    expected = [(verb, thing.lower())]
    if template in ("place", "fetch"):
        expected = [("pick", thing.lower()), ("place", PLACES[k])]
    told = parse_instruction(text.format(thing=thing, place=PLACES[k]), encoder())
    return [(o.verb, o.words) for o in told] == expected


def question_is_right(template: str, text: str, k: int) -> bool:
    things, room = COUNTED[k]
    blanks = {"thing": THINGS[k], "things": things, "room": room, "purpose": PURPOSES[k], "activity": ACTIVITIES[k]}
    asked = parse(text.format(**blanks), encoder())
    if template in ("use_for", "room_for"):
        content = set(blanks["purpose" if template == "use_for" else "activity"].split()) - {"do", "take", "a", "the"}
        return asked.kind == template and content <= set(asked.words.split())
    same = parse(PLAIN[template].format(**blanks), encoder())
    kinds = {same.kind, "rooms_with"} if template == "where" else {same.kind}
    named = [(q.words, q.room, q.color, q.anchor) for q in (asked, same)]
    return asked.kind in kinds and (named[0] == named[1] or (template == "where" and named[0][:2] == named[1][:2]))


def recall_is_right(template: str, text: str, k: int) -> bool:
    blanks, expected = wanted(template, k)
    return understand(text.format(**blanks), DEEDS, encoder()) == expected


CHECKS: Mapping[str, tuple[Sequence[str], Callable[[str, str, int], bool]]] = {
    "instructions": (ORDERS, order_is_right),
    "questions": ((*PLAIN, "use_for", "room_for"), question_is_right),
    "recall tasks": (tuple(t for t in HELD_OUT if t.startswith("recall_")), recall_is_right),
}


@pytest.mark.parametrize("group", CHECKS)
def test_most_of_what_was_held_out_is_understood(group: str) -> None:
    templates, is_right = CHECKS[group]
    right = [is_right(t, text, k) for t in templates for text in HELD_OUT[t] for k in range(5)]
    assert len(right) > 300
    assert sum(right) / len(right) >= 0.95


@pytest.mark.parametrize(("group", "floor"), [("instructions", 0.85), ("questions", 0.8), ("recall tasks", 0.9)])
def test_most_of_what_another_author_held_out_is_understood(group: str, floor: float) -> None:
    templates, is_right = CHECKS[group]
    right = [is_right(t, text, k) for t in templates for text in SECOND[t] for k in range(5)]
    assert len(right) > 150
    assert sum(right) / len(right) >= floor


@pytest.mark.parametrize(("group", "floor"), [("instructions", 0.85), ("questions", 0.93), ("recall tasks", 0.9)])
def test_most_of_what_a_third_author_held_out_is_understood(group: str, floor: float) -> None:
    templates, is_right = CHECKS[group]
    right = [is_right(t, text, k) for t in templates for text in THIRD[t] for k in (1, 3)]
    assert len(right) > 250
    assert sum(right) / len(right) >= floor


@pytest.mark.parametrize("template", [t for templates, _ in CHECKS.values() for t in templates])
def test_what_was_practised_is_understood(template: str) -> None:
    is_right = next(check for templates, check in CHECKS.values() if template in templates)
    right = [is_right(template, text, k) for text in PRACTICE[template] for k in range(5)]
    assert sum(right) / len(right) >= 0.8


def test_the_held_out_set_and_the_practice_set_have_no_wording_in_common() -> None:
    for template, texts in HELD_OUT.items():
        assert not {t.lower() for t in texts} & {t.lower() for t in PRACTICE.get(template, ())}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("before you open the fridge, wipe the counter", [("clean", "counter"), ("open", "fridge")]),
        ("after you have opened the fridge, put the milk carton in the fridge", [("open", "fridge"), ("pick", "milk carton"), ("place", "fridge")]),
        ("open the fridge; then find the mug", [("open", "fridge"), ("find", "mug")]),
        ("find the lamp and switch it off", [("switch_off", "lamp")]),
        ("the door must not stay open", [("close", "door")]),
        ("could you bring the mug to the sink, and then the lamp should be off", [("pick", "mug"), ("place", "sink"), ("switch_off", "lamp")]),
        ("wash the washing machine", [("clean", "washing machine")]),
        ("open the fridge, then make it sing", []),
        ("bring me the mug", []),
        ("dance with the chair on the table", []),
        ("what I want is the window open", [("open", "window")]),
        ("what I need is for you to go to the mug", [("find", "mug")]),
        ("why is the lamp on? turn it off", [("switch_off", "lamp")]),
        ("someone left the lamp on. Turn it off.", [("switch_off", "lamp")]),
        ("I need the lamp on, please", [("switch_on", "lamp")]),
        ("put on the lamp", [("switch_on", "lamp")]),
        ("press the button that turns off the lamp", [("switch_off", "lamp")]),
        ("wipe the dust off the desk", [("clean", "desk")]),
        ("go over the desk with a cloth", [("clean", "desk")]),
        ("do something about the dirty washing machine", [("clean", "washing machine")]),
        ("get close to the mug", [("find", "mug")]),
        ("run along to the mug", [("find", "mug")]),
        ("look for the mug and stop once you see it", [("find", "mug")]),
        ("make sure the mug is on the desk", [("pick", "mug"), ("place", "desk")]),
        ("the mug isn't on the desk yet. Please change that.", [("pick", "mug"), ("place", "desk")]),
        ("see the mug? I want it on the desk", [("pick", "mug"), ("place", "desk")]),
        ("choose the mug and put it on the desk", [("pick", "mug"), ("place", "desk")]),
        ("bring to the desk something to boil water with", [("pick", "something to boil water with"), ("place", "desk")]),
        ("set the mug on top of the desk", [("pick", "mug"), ("place", "desk")]),
        ("ferry the mug onto the desk", [("pick", "mug"), ("place", "desk")]),
        ("turn on the tv, then could you see to it that the mug is put on the desk", [("switch_on", "tv"), ("pick", "mug"), ("place", "desk")]),
        ("turn on the tv, then would it be possible to put the mug on the desk?", [("switch_on", "tv"), ("pick", "mug"), ("place", "desk")]),
        ("turn on the tv, then relocate the mug: it goes on the desk", [("switch_on", "tv"), ("pick", "mug"), ("place", "desk")]),
        ("the tv should be on, then someone left the lamp on. Turn it off.", [("switch_on", "tv"), ("switch_off", "lamp")]),
        ("take the can to the desk", [("pick", "can"), ("place", "desk")]),
    ],
)  # fmt: skip
def test_parts_come_in_their_order_or_not_at_all(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(o.verb, o.words) for o in parse_instruction(text, encoder())] == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("is the fridge currently open?", "is the fridge open"),
        ("please count all the mugs in the kitchen", "how many mugs are in the kitchen"),
        ("how many paint cans stand in the garage?", "how many paint cans are in the garage"),
        ("how many mugs is the kitchen furnished with?", "how many mugs are in the kitchen"),
        ("is the tv white or what color is it?", "what color is the tv"),
        ("in which of the rooms can the mug be seen?", "where is the mug"),
        ("have you any clue where the mug got to?", "where is the mug"),
        ("what has someone set down on the desk?", "what is on the desk"),
        ("which object does the desk support?", "what is on the desk"),
        ("I'd like to boil water - what would you recommend?", "what can I use to boil water"),
        ("where do I find something to boil water, and what is it?", "what can I use to boil water"),
        ("what do you drive in a nail with", "what can I use to drive in a nail"),
    ],
)
def test_a_question_means_the_same_in_other_words(text: str, same: str) -> None:
    asked, plain = parse(text, encoder()), parse(same, encoder())
    assert asked.kind in ({plain.kind, "rooms_with"} if plain.kind == "where" else {plain.kind})
    assert (asked.words, asked.room, asked.color) == (plain.words, plain.room, plain.color)


@pytest.mark.parametrize(
    "text",
    [
        "go to the third thing you moved, but before that go to the first",
        "before you go to the third thing you moved, go to the first",
        "go to the third thing you moved after you have been at the first",
        "see the first thing you moved before I see the third",
        "after visiting the first thing you moved, visit the third",
    ],
)
def test_two_things_are_gone_to_in_the_order_that_is_told(text: str) -> None:
    expected = Wish("moved", ((DEEDS[0],), (DEEDS[2],)), ordered=True)
    assert understand(text, DEEDS, encoder()) == expected
    assert understand(text, DEEDS) == expected


def test_a_request_without_a_known_word_for_carrying_is_understood_by_likeness() -> None:
    assert understand("lead me to a mug that you let be", DEEDS) is None
    told = understand("lead me to a mug that you let be", DEEDS, encoder())
    assert told is not None and (told.what, told.label) == ("untouched", "mug")
    assert understand("how is the weather in the mountains", DEEDS, encoder()) is None


def test_what_is_about_no_deed_is_no_wish() -> None:
    assert understand("how is the weather", DEEDS) is None
    assert understand("go to the mug that you moved", []) is None


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    if any(c.isalnum() for c in text):
        parse_instruction(text + " x")
        parse(text + " x")
    understand(text, DEEDS)
