"""Of two opposite states the one that is wanted is told, not the one that is named."""

from __future__ import annotations

import numpy as np
import pytest

from loci.planning.language.opposites import Opposites
from loci.planning.language.reading import sentences, trimmed
from loci.planning.language.wordings import FILLED

NAMES = ("open", "close", "switch_on", "switch_off")


def preferred(opposites: Opposites, text: str) -> str:
    """The opposite meaning that gains most where all are as likely."""
    return NAMES[int(np.argmax(opposites.parted([text], np.full((1, 4), 0.5), NAMES)[0]))]


def test_a_state_that_is_learnt_tells_its_opposite_and_the_other_states() -> None:
    opposites = Opposites(
        {"open": ["open the cup", "do not leave the cup shut"], "close": ["close the cup"], "switch_on": ["switch the cup on"], "switch_off": ["switch the cup off"]}
    )  # fmt: skip
    assert preferred(opposites, "do not leave the cup open") == "close"
    assert preferred(opposites, "do not leave the cup on") == "switch_off"
    assert preferred(opposites, "do not leave the cup off") == "switch_on"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("who closed the cup ? i want it open again", "open"),
        ("the cup is off at present , change this", "switch_on"),
        ("i hate that the cup is on all day , put an end to that", "switch_off"),
        ("the cup must no longer be shut", "open"),
        ("there is no reason for the cup to stay open", "close"),
    ],
)
def test_the_examples_tell_which_state_is_wanted(text: str, meaning: str) -> None:
    examples = {m: [trimmed(s.format(**FILLED)) for s in told] for m, told in sentences("commands").items()}
    assert preferred(Opposites(examples), text) == meaning


def test_what_names_no_state_keeps_its_scores() -> None:
    scores = np.array([[0.1, 0.2, 0.3, 0.4]])
    opposites = Opposites({"open": ["open the cup"], "close": ["close the cup"]})
    assert np.array_equal(opposites.parted(["wipe the cup"], scores, NAMES), scores)
