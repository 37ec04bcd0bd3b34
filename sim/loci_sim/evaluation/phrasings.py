"""How tasks are worded: at least five phrasings a template and split, written by hand.

Phrasings of the "test" split are for measuring only: no parser may be written after them. `load_phrasings` reads others from a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from loci_sim.evaluation.recall_dev import RECALL_DEV
from loci_sim.evaluation.recall_test import RECALL_TEST
from loci_sim.evaluation.tasks import Split

Phrasings = Mapping[str, Mapping[Split, Sequence[str]]]

#: Fewest phrasings of a template in a split.
MIN_PHRASINGS = 5

#: By template; blanks such as ``{thing}`` stand for the words that say what is meant ("mug", "red mug on the counter in the kitchen").
PHRASINGS: Phrasings = {
    **{template: {"dev": RECALL_DEV[template], "test": RECALL_TEST[template]} for template in RECALL_DEV},
    "goal": {
        "dev": (
            "find the {thing}",
            "go to the {thing}",
            "please find the {thing}",
            "navigate to the {thing}",
            "look for the {thing}",
            "take me to the {thing}",
        ),
        "test": (
            "I need to get to the {thing}",
            "head over to the {thing}",
            "could you lead me to the {thing}?",
            "where the {thing} is, that is where I want you to be",
            "your destination is the {thing}",
            "make your way to the {thing}, please",
        ),
    },
    "image": {
        "dev": (
            "go to what this picture shows",
            "find the thing in this picture",
            "drive to where this picture was taken",
            "look for what you see in this picture",
            "navigate to the thing in this image",
        ),
        "test": (
            "I took this photo: bring yourself to what is in it",
            "the thing in the middle of this photo is where you should go",
            "match this view and go there",
            "here is a snapshot, get to its subject",
            "reach whatever this photograph shows",
        ),
    },
    "where": {
        "dev": (
            "Where is the {thing}?",
            "In which room is the {thing}?",
            "Where can I find the {thing}?",
            "Can you tell me where the {thing} is?",
            "What room is the {thing} in?",
        ),
        "test": (
            "I lost the {thing}, any idea where it might be?",
            "The {thing}: which room do I have to go to?",
            "Whereabouts did you come across the {thing}?",
            "Has the {thing} a place, and which one?",
            "Point me to the {thing}, please.",
        ),
    },
    "what_on": {
        "dev": (
            "What is on the {thing}?",
            "What is on top of the {thing}?",
            "What lies on the {thing}?",
            "What can you see on the {thing}?",
            "What stands on the {thing}?",
        ),
        "test": (
            "Somebody put something on the {thing}. What?",
            "Name the object that rests on the {thing}.",
            "If I cleared the {thing}, what would I take away?",
            "Which item occupies the {thing}?",
            "The {thing} carries something; tell me what it is.",
        ),
    },
    "color": {
        "dev": (
            "What color is the {thing}?",
            "What colour is the {thing}?",
            "Which color does the {thing} have?",
            "What is the color of the {thing}?",
            "Tell me what color the {thing} is.",
        ),
        "test": (
            "How would you describe the {thing}'s color?",
            "If I bought a second {thing} like ours, which color should I ask for?",
            "The {thing} comes in many colors. Which one is ours?",
            "Paint me the {thing}: which pot do I open?",
            "Remind me of the shade of the {thing}.",
        ),
    },
    "how_many": {
        "dev": (
            "How many {things} are in the {room}?",
            "How many {things} are there in the {room}?",
            "How many {things} did you see in the {room}?",
            "How many {things} do we have in the {room}?",
            "Tell me how many {things} are in the {room}.",
        ),
        "test": (
            "Count the {things} in the {room}.",
            "What is the number of {things} in the {room}?",
            "I want to know the quantity of {things} that the {room} holds.",
            "Going through the {room}, I would pass how many {things}?",
            "The {room} has {things}; give me the count.",
        ),
    },
    "is_open": {
        "dev": (
            "Is the {thing} open?",
            "Is the {thing} open or closed?",
            "Is the {thing} open now?",
            "Did somebody leave the {thing} open?",
            "Tell me whether the {thing} is open.",
        ),
        "test": (
            "Do I have to close the {thing}?",
            "Has anyone opened the {thing}?",
            "Should I worry that the {thing} was left open?",
            "Would I find the {thing} standing open?",
            "Check if the {thing} is open for me.",
        ),
    },
    "use_for": {
        "dev": (
            "What can I use to {purpose}?",
            "Is there something to {purpose} with?",
            "What do we have to {purpose}?",
            "Which thing can I use to {purpose}?",
            "What is there to {purpose}?",
        ),
        "test": (
            "I would like to {purpose}. What would help me?",
            "Suggest an object with which to {purpose}.",
            "Suppose I had to {purpose}: what would I reach for?",
            "My plan is to {purpose}, so what should I fetch?",
            "Name something here that lets me {purpose}.",
        ),
    },
    "place": {
        "dev": (
            "put the {thing} on the {place}",
            "bring the {thing} to the {place}",
            "carry the {thing} to the {place}",
            "place the {thing} on the {place}",
            "move the {thing} to the {place}",
        ),
        "test": (
            "I want the {thing} to end up on the {place}",
            "the {thing} belongs on the {place}, see to it",
            "take the {thing} and set it down on the {place}",
            "make sure that the {place} holds the {thing}",
            "deliver the {thing} to where the {place} is and leave it there",
        ),
    },
    "fetch": {
        "dev": (
            "put {thing} on the {place}",
            "bring {thing} to the {place}",
            "carry {thing} to the {place}",
            "place {thing} on the {place}",
            "move {thing} to the {place}",
        ),
        "test": (
            "I need {thing} on the {place}",
            "have {thing} ready for me on the {place}",
            "get hold of {thing} and leave it on the {place}",
            "the {place} should have {thing} on it",
            "look for {thing} and set it down on the {place}",
        ),
    },
    "open": {
        "dev": (
            "open the {thing}",
            "please open the {thing}",
            "go and open the {thing}",
            "open up the {thing}",
            "pull the {thing} open",
        ),
        "test": (
            "I want to look into the {thing}, get it open",
            "the {thing} should not stay closed",
            "make sure that the {thing} is open",
            "see that the {thing} stands open",
            "undo the {thing} for me",
        ),
    },
    "switch_on": {
        "dev": (
            "switch on the {thing}",
            "turn on the {thing}",
            "switch the {thing} on",
            "turn the {thing} on",
            "please switch on the {thing}",
        ),
        "test": (
            "the {thing} should be running",
            "get the {thing} going",
            "power up the {thing}",
            "start the {thing}",
            "make sure that the {thing} is on",
        ),
    },
    "switch_off": {
        "dev": (
            "switch off the {thing}",
            "turn off the {thing}",
            "switch the {thing} off",
            "turn the {thing} off",
            "please switch off the {thing}",
        ),
        "test": (
            "the {thing} need not be running",
            "stop the {thing}",
            "power down the {thing}",
            "put an end to the {thing} wasting electricity",
            "make sure that the {thing} is off",
        ),
    },
    "clean": {
        "dev": (
            "clean the {thing}",
            "wash the {thing}",
            "wipe the {thing}",
            "please clean the {thing}",
            "scrub the {thing}",
        ),
        "test": (
            "the {thing} is dirty, do something about it",
            "make the {thing} shine",
            "get the dirt off the {thing}",
            "see that the {thing} is clean",
            "the {thing} could do with a wash",
        ),
    },
    "room_for": {
        "dev": (
            "In which room can I {activity}?",
            "Which room is there to {activity}?",
            "Where can I {activity}?",
            "In what room would you {activity}?",
            "Where do people {activity} here?",
        ),
        "test": (
            "A guest wants to {activity}; which room do you show them?",
            "I am looking for a room to {activity} in.",
            "What part of this home is meant for somebody who wants to {activity}?",
            "Send me to the right room if I want to {activity}.",
            "To {activity}, one goes where?",
        ),
    },
}


def check_phrasings(phrasings: Phrasings) -> Phrasings:
    """Check that every template has enough phrasings with the right blanks.

    Raises:
        ValueError: what is missing.
    """
    for template, expected in PHRASINGS.items():
        for split in expected:
            given = phrasings.get(template, {}).get(split, ())
            if len(given) < MIN_PHRASINGS:
                raise ValueError(
                    f"expected {MIN_PHRASINGS} or more phrasings of {template!r} {split!r}, got {len(given)}"
                )
            blanks = set(re.findall(r"\{(\w+)\}", expected[split][0]))
            for text in given:
                if set(re.findall(r"\{(\w+)\}", text)) != blanks:
                    wanted = ", ".join(sorted(f"{{{b}}}" for b in blanks)) or "no blanks"
                    raise ValueError(f"expected {wanted} in the phrasing {text!r} of {template!r}")
    return phrasings


def load_phrasings(path: Path | None) -> Phrasings:
    """Phrasings from a JSON file (template -> split -> list of texts), or the built-in ones for None.

    Raises:
        ValueError: no such file, no JSON, or not enough phrasings in it.
    """
    if path is None:
        return check_phrasings(PHRASINGS)
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a JSON file of phrasings, got {path}: {error}") from error
    if not isinstance(given, dict) or not all(isinstance(v, dict) for v in given.values()):
        raise ValueError(f"expected template -> split -> list of texts in {path}")
    return check_phrasings(given)
