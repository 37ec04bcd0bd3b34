"""Wordings of an author whose sentences are left out of the examples: what remains of the others' has to carry over.

Rates when they were last measured: 0.91, 0.87 and 0.90 of the instructions, 0.91 of the questions of all three; rules and the nearest example, which
decided before, understood 0.65 of the instructions and 0.85 of the questions of the first author.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from loci.perception.text import MiniLMTextEncoder
from loci.planning.language.phrases import plain
from loci.planning.language.reading import Reader, sentences, several, trimmed
from loci.planning.language.wordings import Wording, command_wordings, question_wordings
from loci.planning.orders import parse_instruction

#: Family members, formal and non-native speakers, and crowd workers who were asked to be unusual; none had seen a parser.
AUTHORS: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(
    Path(__file__).with_name("three_authors_phrasings.json").read_text()
)
MEANING = {"goal": "find", "place": "carry", "fetch": "carry", "what_on": "relation", "how_many": "count", "is_open": "state"}  # fmt: skip
GROUPS: Mapping[str, tuple[Sequence[str], Callable[..., Sequence[Wording]]]] = {
    "commands": (("goal", "place", "fetch", "open", "switch_on", "switch_off", "clean"), command_wordings),
    "questions": (("where", "what_on", "color", "how_many", "is_open", "use_for", "room_for"), question_wordings),
}
FILLS = {
    "thing": ("mug", "red mug on the counter in the kitchen", "teddy bear", "lamp on the nightstand", "white picture frame"),
    "something": ("something that I can use to boil water", "something to cut bread with", "something to make music with"),
    "place": ("desk in the study", "sofa", "tv stand in the living room", "coffee table"),
    "things": ("mugs", "picture frames", "teddy bears", "chairs"),
    "room": ("kitchen", "living room", "storage room"),
    "purpose": ("boil water", "drive in a nail", "cut bread"),
    "activity": ("sleep", "cook dinner", "do the laundry"),
}  # fmt: skip


@cache
def encoder() -> MiniLMTextEncoder:
    return MiniLMTextEncoder()


@pytest.mark.long
@pytest.mark.parametrize("author", AUTHORS)
@pytest.mark.parametrize(("group", "floor"), [("commands", 0.83), ("questions", 0.83)])
def test_an_author_is_understood_by_the_examples_of_others(author: str, group: str, floor: float) -> None:
    templates, wordings = GROUPS[group]
    own = {_example(t, s) for t in templates for s in AUTHORS[author][t]}
    others = {meaning: [s for s in told if s not in own] for meaning, told in sentences(group).items()}
    reader = Reader(others, wordings, encoder(), several(others) if group == "commands" else ())
    right = []
    for template in templates:
        for i, sentence in enumerate(_example(template, s) for s in AUTHORS[author][template]):
            fills = {blank: some[(i + shift) % len(some)] for shift, (blank, some) in enumerate(FILLS.items())}
            wanted = {b.replace("activity", "purpose"): plain(fills[b]) for b in re.findall(r"\{(\w+)\}", sentence)}
            (told,) = reader.read([trimmed(sentence.format(**fills))], [False])
            right.append(
                told is not None and told.meaning == MEANING.get(template, template) and dict(told.slots) == wanted
            )
    assert len(right) > 90
    assert sum(right) / len(right) >= floor


def _example(template: str, sentence: str) -> str:
    return sentence.replace("{thing}", "{something}") if template == "fetch" else sentence


@pytest.mark.parametrize(
    "text",
    [
        "recite a poem", "prepare breakfast", "compute the square root of nine", "email the mug to my boss", "drink the milk", "smash the lamp", "hug the teddy bear",
        "mend the chair", "give me a glass of water", "peel the potatoes", "order a pizza", "translate hello into Spanish", "what will happen tomorrow to my mug, sing it",
        "open the fridge, then recite a poem", "mets la tasse sur la table", "bring die Tasse auf den Tisch",
    ],
)  # fmt: skip
def test_what_a_robot_cannot_do_is_no_order(text: str) -> None:
    assert [o for o in parse_instruction(text, encoder()) if o.verb != "answer"] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'd be happier with the lamp on the nightstand off.", [("switch_off", "lamp on the nightstand")]),
        ("Somebody dropped jam on the white dresser, please wipe it.", [("clean", "white dresser")]),
        ("Get the teddy bear, go to the desk in the study and let go of it there.", [("pick", "teddy bear"), ("place", "desk in the study")]),
        ("Shut: washing machine in the laundry", [("close", "washing machine in the laundry")]),
        ("I could use the tv running. After that, make your way to the red mug on the counter.", [("switch_on", "tv"), ("find", "red mug on the counter")]),
        ("Would you wipe the desk, and the window must not stay closed.", [("clean", "desk"), ("open", "window")]),
    ],
)  # fmt: skip
def test_what_is_said_in_a_roundabout_way_is_understood(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(o.verb, o.words) for o in parse_instruction(text, encoder())] == expected
