"""How tasks are worded: at least five phrasings a template and split, written by hand.

Phrasings of the "test" split are for measuring only: no parser may be written after them. `load_phrasings` reads others from a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from loci_sim.evaluation.tasks import Split

Phrasings = Mapping[str, Mapping[Split, Sequence[str]]]

#: Fewest phrasings of a template in a split.
MIN_PHRASINGS = 5

#: By template; ``{thing}`` stands for the words that say what is meant ("mug", "red mug on the counter in the kitchen").
PHRASINGS: Phrasings = {
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
            blanks = set(re.findall(r"\{(\w+)\}", next(iter(expected[split]))))
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
