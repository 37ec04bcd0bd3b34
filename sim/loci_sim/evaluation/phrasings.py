"""How tasks are worded: at least five phrasings a template and split, written by hand.

Phrasings of the "test" split are for measuring only: no parser may be written after them. `load_phrasings` reads others from a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from loci_sim.evaluation.phrasings_dev import TASKS_DEV
from loci_sim.evaluation.phrasings_test import TASKS_TEST
from loci_sim.evaluation.recall_dev import RECALL_DEV
from loci_sim.evaluation.recall_test import RECALL_TEST
from loci_sim.evaluation.tasks import Split

Phrasings = Mapping[str, Mapping[Split, Sequence[str]]]

#: Fewest phrasings of a template in a split.
MIN_PHRASINGS = 5

#: By template; blanks such as ``{thing}`` stand for the words that say what is meant ("mug", "red mug on the counter in the kitchen").
PHRASINGS: Phrasings = {
    **{template: {"dev": TASKS_DEV[template], "test": TASKS_TEST[template]} for template in TASKS_DEV},
    **{template: {"dev": RECALL_DEV[template], "test": RECALL_TEST[template]} for template in RECALL_DEV},
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

    Templates that the file leaves out keep the built-in ones.

    Raises:
        ValueError: no such file, no JSON, a template that there is not, or not enough phrasings of one.
    """
    if path is None:
        return check_phrasings(PHRASINGS)
    try:
        given = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"expected a JSON file of phrasings, got {path}: {error}") from error
    if not isinstance(given, dict) or not all(isinstance(v, dict) for v in given.values()):
        raise ValueError(f"expected template -> split -> list of texts in {path}")
    if unknown := sorted(set(given) - set(PHRASINGS)):
        raise ValueError(f"expected templates among {', '.join(PHRASINGS)} in {path}, got {', '.join(unknown)}")
    return check_phrasings({**PHRASINGS, **given})
