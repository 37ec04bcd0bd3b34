"""Sentences that a robot might remember, each with the place that it is about, and questions about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_PLACES = (
    "kitchen counter, dining table, fridge, stove, pantry, sofa, coffee table, tv stand, bookshelf, fireplace, desk, printer, "
    "bed, nightstand, wardrobe, bathtub, sink, washing machine, hall table, coat rack, workbench, bicycle stand, balcony, toy box"
).split(", ")
_OBJECTS = (
    "mug, plate, knife, kettle, jar, bottle, apple, bread, pan, bowl, book, remote control, cushion, lamp, candle, laptop, "
    "notebook, stapler, phone, charger, pillow, blanket, glasses, watch, shirt, towel, soap, brush, detergent, basket, keys, "
    "wallet, umbrella, jacket, shoes, hammer, drill, screwdriver, helmet, pump, flower pot, watering can, ball, teddy bear, "
    "toy car, puzzle, guitar, camera"
).split(", ")
_COLORS = "red, blue, green, yellow, black, white, grey, brown, orange, purple, pink, silver".split(", ")
_PEOPLE = "Anna, Ben, Clara, David, the guest, the cleaner".split(", ")
_TIMES = "in the morning, at noon, in the afternoon, in the evening, at night, before breakfast, after dinner".split(
    ", "
)
_TEMPLATES = (
    "the {color} {object} is on the {place}",
    "{person} put the {color} {object} on the {place} {time}",
    "{person} took a {color} {object} from the {place} {time}",
    "saw a {color} {object} next to the {place} {time}",
    "the {color} {object} by the {place} is gone",
    "{person} cleaned the {color} {object} at the {place} {time}",
    "the {color} {object} fell off the {place} {time}",
)


@dataclass(frozen=True)
class Remembered:
    """One sentence, the number of its place, and a question that it answers."""

    text: str
    place: int
    question: str


def sentences(n: int, seed: int) -> list[Remembered]:
    """N different sentences, in order of time: the robot stays for eight at a place, where it mostly meets the place's own things."""
    rng = np.random.default_rng(seed)
    own = np.random.default_rng(7).dirichlet(np.full(len(_OBJECTS), 0.15), size=len(_PLACES))  # the same for every seed
    found: dict[str, Remembered] = {}
    while len(found) < n:
        place = int(rng.integers(len(_PLACES)))
        for _ in range(8):
            words = {
                "color": str(rng.choice(_COLORS)),
                "object": str(rng.choice(_OBJECTS, p=own[place])),
                "person": str(rng.choice(_PEOPLE)),
                "time": str(rng.choice(_TIMES)),
                "place": _PLACES[place],
            }
            text = str(rng.choice(_TEMPLATES)).format(**words)
            question = f"what happened to the {words['color']} {words['object']} of the {words['place']}?"
            found.setdefault(text, Remembered(text, place, question))
    return list(found.values())[:n]
