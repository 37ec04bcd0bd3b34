"""Meanings learnt from examples: what a request is about, and words and shared parts that tell apart what vectors do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from loci.planning.language.cores import core
from loci.planning.language.likeness import Likeness
from loci.planning.language.phrases import plain


class SameForAll:
    """An encoder to which all texts are the same: only words and cues are left."""

    name, dimension = "same", 2

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(texts), 1))


def best(likeness: Likeness, text: str) -> str:
    return likeness.names[int(np.argmax(likeness.scores([text])[0]))]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Could you lead me to the room that lost the mug? Thanks", "the room that lost the mug"),
        ("Please return to the furniture of your second pickup.", "the furniture of your second pickup"),
        ("The room you cleared the mug from - show me.", "the room you cleared the mug from"),
        ("Which room did the mug come from? Go there.", "which room did the mug come from"),
        ("make your way to whatever you carried longest", "whatever you carried longest"),
    ],
)
def test_how_a_request_is_begun_and_ended_is_no_part_of_what_it_is_about(text: str, told: str) -> None:
    assert core(plain(text)) == told


@pytest.mark.parametrize("text", ["go to it", "take me there", "find the mug"])
def test_a_request_that_only_says_go_there_stays_as_it_is(text: str) -> None:
    assert core(text) == text


def test_words_tell_apart_what_has_the_same_vector() -> None:
    examples = {
        "from": ["the desk from which it was taken", "the room from which it came"],
        "onto": ["the desk onto which it was put", "the room into which it came"],
    }
    likeness = Likeness(examples, {"from": ["x"], "onto": ["y"]}, SameForAll(), lambda _: ())
    assert best(likeness, "the shelf from which it was taken") == "from"
    assert best(likeness, "the shelf onto which it was put") == "onto"


def test_a_cue_tells_apart_what_has_the_same_vector_and_other_words() -> None:
    examples = {"few": ["one apple", "one pear"], "many": ["two plums", "two figs"]}
    likeness = Likeness(examples, {"few": ["x"], "many": ["y"]}, SameForAll(), lambda t: ["s"] * t.endswith("s"))
    assert best(likeness, "cherries") == "many"
    assert best(likeness, "a nut") == "few"


def test_examples_of_one_meaning_help_another_that_shares_a_part() -> None:
    examples = {
        "room from": ["the room it left", "the room it left then"],
        "desk from": ["the desk"],
        "desk to": ["the desk"],
    }
    parts = {"room from": ["room", "from"], "desk from": ["desk", "from"], "desk to": ["desk", "to"]}
    likeness = Likeness(examples, parts, SameForAll(), lambda _: ())
    row = dict(zip(likeness.names, likeness.scores(["the desk it left"])[0].tolist(), strict=True))
    assert row["desk from"] > row["desk to"]
