"""What kind of room it is, from the things in it: Bayes' rule over a table of how often rooms of a kind have things of a kind.

The tables are common knowledge, written down by hand and fitted to nothing. One wrong thing cannot make a name, because everything turns
up everywhere now and then (`STRAY`); and the more is known of a room, the more it counts that what makes a kind of room is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

#: Share of rooms of each kind, before anything is seen in one. A kind without a name takes what is like none of them.
PRIORS: Mapping[str, float] = MappingProxyType(
    {
        "bedroom": 0.18,
        "bathroom": 0.15,
        "kitchen": 0.12,
        "living room": 0.12,
        "hallway": 0.11,
        "office": 0.06,
        "dining room": 0.05,
        "children's room": 0.04,
        "laundry room": 0.03,
        "garage": 0.03,
        "storage room": 0.03,
        "pantry": 0.02,
        "meeting room": 0.02,
        "": 0.04,
    }
)
#: Share of the rooms that have a thing which the table does not expect there, or that a detector takes something else for.
STRAY = 0.04
#: The table itself may be wrong, or all detections: this share of the belief stays with the priors.
DOUBT = 0.03
#: Names below this confidence are not given.
MIN_CONFIDENCE = 0.4

#: A line for each kind of thing: the shares of the rooms of a kind that have one. Things that are anywhere (picture, window, plant, lamp)
#: are left out: they would weigh nothing.
TABLE = """
bed: bedroom .95, children's room .7
bunk bed: children's room .4, bedroom .05
crib: children's room .3, bedroom .1
nightstand: bedroom .75, children's room .25
wardrobe: bedroom .75, children's room .55, hallway .25, storage room .15
dresser: bedroom .5, children's room .4, hallway .12, living room .12
pillow: bedroom .9, children's room .7, living room .4
blanket: bedroom .75, children's room .55, living room .3
alarm clock: bedroom .5, children's room .25
vanity: bedroom .2, bathroom .2
toy box: children's room .6, living room .1
toy: children's room .9, living room .2, bedroom .1
teddy bear: children's room .8, bedroom .15
doll: children's room .5
doll house: children's room .3
toy car: children's room .6, living room .1
toy train: children's room .4
toy block: children's room .6, living room .1
crayons: children's room .5, office .08
easel: children's room .2, office .08
stove: kitchen .95
oven: kitchen .9
fridge: kitchen .95, pantry .15, garage .12, storage room .08
microwave: kitchen .8, pantry .1
dishwasher: kitchen .7
kitchen sink: kitchen .95
kitchen counter: kitchen .95, pantry .1
counter: kitchen .85, bathroom .15, laundry room .3, pantry .15, office .08
cupboard: kitchen .6, dining room .3, pantry .3, storage room .2, living room .15, hallway .15, laundry room .2
kettle: kitchen .8, dining room .12, office .08, pantry .1
toaster: kitchen .75, dining room .1, pantry .1
coffee machine: kitchen .7, office .15, dining room .12, meeting room .1
pan: kitchen .9, pantry .1
pot: kitchen .9, pantry .15, dining room .1
knife block: kitchen .7
knife: kitchen .85, dining room .35
cutting board: kitchen .85
spoon: kitchen .85, dining room .4
fork: kitchen .8, dining room .4
plate: kitchen .85, dining room .55, living room .12
bowl: kitchen .85, dining room .4, living room .15, pantry .15
mug: kitchen .85, office .4, dining room .35, living room .3, meeting room .25, bedroom .12, children's room .1
glass: kitchen .8, dining room .5, living room .3, meeting room .25, bedroom .15, bathroom .12
teapot: kitchen .5, dining room .3, living room .1
cereal box: kitchen .6, pantry .5, dining room .1
milk carton: kitchen .6, pantry .15
salt shaker: kitchen .7, dining room .4, pantry .15
paper towel: kitchen .7, bathroom .12, laundry room .15, garage .12, pantry .15
sponge: kitchen .7, bathroom .35, laundry room .25
jar: kitchen .7, pantry .75, garage .15, storage room .12
can: kitchen .5, pantry .75, garage .25, storage room .15
bottle: kitchen .75, pantry .6, dining room .35, bathroom .35, living room .2, garage .2, office .2, laundry room .2
apple: kitchen .5, dining room .3, pantry .3, living room .12
banana: kitchen .5, dining room .25, pantry .25
lemon: kitchen .4, pantry .25, dining room .12
toilet: bathroom .95
bathtub: bathroom .5
shower: bathroom .65
toilet paper: bathroom .9, storage room .12, pantry .1
towel: bathroom .9, laundry room .35, kitchen .35, bedroom .12
sink: bathroom .9, kitchen .85, laundry room .4, garage .1
mirror: bathroom .85, bedroom .45, hallway .45, children's room .2, living room .12, dining room .12
soap: bathroom .8, kitchen .35, laundry room .25
soap dispenser: bathroom .65, kitchen .4, laundry room .12
toothbrush: bathroom .9
toothbrush cup: bathroom .75
hair dryer: bathroom .5, bedroom .25
bath mat: bathroom .7, laundry room .08
scale: bathroom .4, kitchen .1
rubber duck: bathroom .2, children's room .12
sofa: living room .95, office .12, children's room .08, bedroom .08
armchair: living room .6, bedroom .25, office .2
tv: living room .85, bedroom .3, children's room .12, kitchen .1, meeting room .3
tv stand: living room .75, bedroom .15
coffee table: living room .85, office .08
fireplace: living room .3, dining room .08
remote control: living room .75, bedroom .25, meeting room .12
game console: living room .3, children's room .3, bedroom .08
speaker: living room .4, office .25, bedroom .15, meeting room .2, children's room .1
cushion: living room .8, bedroom .4, children's room .2
ottoman: living room .35, bedroom .12
piano: living room .15
guitar: living room .15, bedroom .12, children's room .12, office .08
rug: living room .65, bedroom .5, children's room .55, hallway .4, dining room .35, office .25, bathroom .2
desk: office .95, children's room .55, bedroom .25, living room .1
office chair: office .95, children's room .3, meeting room .7, bedroom .15
monitor: office .85, meeting room .2, bedroom .15, children's room .15
computer: office .85, children's room .25, bedroom .15
laptop: office .7, living room .3, bedroom .2, meeting room .35, dining room .12, children's room .15, kitchen .1
keyboard: office .85, children's room .2, bedroom .12
computer mouse: office .85, children's room .2, bedroom .12
printer: office .6, storage room .08
copier: office .25, storage room .1
filing cabinet: office .6, storage room .12
file shelf: office .5, storage room .2
file: office .6, storage room .12, meeting room .15
bookshelf: office .7, living room .55, children's room .45, bedroom .3, hallway .15
book: office .8, living room .65, children's room .65, bedroom .6, kitchen .12, dining room .12, hallway .1
notebook: office .8, meeting room .5, children's room .3, bedroom .15, living room .1
stapler: office .6, meeting room .1
calculator: office .5, children's room .1
tape: office .4, garage .3, storage room .25
telephone: office .5, hallway .2, living room .2, meeting room .3
phone: office .4, living room .4, bedroom .4, kitchen .3, dining room .15, hallway .15, meeting room .25
whiteboard: meeting room .85, office .4
conference table: meeting room .95
projector: meeting room .5, living room .08
screen: meeting room .6, office .12
dining table: dining room .95, kitchen .3, living room .2
dining chair: dining room .9, kitchen .35, living room .15
chair: dining room .9, kitchen .55, office .35, children's room .35, living room .25, meeting room .45, bedroom .25, garage .08
sideboard: dining room .5, living room .3, hallway .12
fruit bowl: dining room .4, kitchen .4
candle: dining room .5, living room .35, bedroom .15, bathroom .15
wine glass: dining room .5, kitchen .45, living room .15
coat rack: hallway .6, office .12
coat stand: hallway .3, office .3
shoe rack: hallway .65, bedroom .1, garage .12, storage room .12
shoe cabinet: hallway .5
shoes: hallway .7, bedroom .3, garage .12, children's room .15
umbrella: hallway .5, storage room .1
umbrella stand: hallway .45
doormat: hallway .7, garage .1
console table: hallway .5, living room .15, dining room .1
coat: hallway .65, bedroom .2
hat: hallway .4, bedroom .25, children's room .12
key ring: hallway .5, kitchen .12, office .12
wallet: hallway .3, bedroom .25, office .15
bench: hallway .3, dining room .12, garage .12, bedroom .1
washing machine: laundry room .95, bathroom .2, kitchen .15, garage .12, storage room .08
dryer: laundry room .8, bathroom .08, garage .1
iron: laundry room .6, storage room .1, bedroom .08
ironing board: laundry room .65, storage room .12, bedroom .08
laundry basket: laundry room .8, bathroom .4, bedroom .3, children's room .12
drying rack: laundry room .5, bathroom .12, kitchen .1
detergent: laundry room .85, bathroom .15, kitchen .15, storage room .15
car: garage .8
motorcycle: garage .2
bicycle: garage .65, storage room .15, hallway .1
workbench: garage .6, storage room .08
toolbox: garage .7, storage room .35, laundry room .08
hammer: garage .65, storage room .2
drill: garage .6, storage room .2
screwdriver: garage .65, storage room .2
saw: garage .5, storage room .12
wrench: garage .6, storage room .12
tire: garage .6, storage room .1
paint can: garage .5, storage room .35
ladder: garage .6, storage room .4, laundry room .08
lawn mower: garage .45, storage room .1
flashlight: garage .35, storage room .25, hallway .1, kitchen .08
bucket: garage .45, storage room .4, laundry room .45, bathroom .15, pantry .1
storage rack: storage room .8, garage .65, pantry .6, laundry room .2, kitchen .08
shelf: storage room .6, pantry .65, garage .5, office .4, living room .3, children's room .3, laundry room .3, kitchen .25, bedroom .2, bathroom .2
cardboard box: storage room .85, garage .7, pantry .25, office .15, bedroom .08, laundry room .1
crate: storage room .5, pantry .5, garage .45, kitchen .12
suitcase: storage room .6, bedroom .2, garage .25, hallway .1
vacuum cleaner: storage room .45, laundry room .35, garage .2, hallway .15
broom: storage room .4, laundry room .35, garage .4, kitchen .25
heater: storage room .2, garage .2, bathroom .1
"""
#: What makes a room of a kind: things of each group are in `HAVE` of its rooms, whichever of the words a detector has for them.
FIXTURES: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "bedroom": (("bed",),),
        "children's room": (("bed", "bunk bed", "crib", "toy box", "toy", "doll house"),),
        "bathroom": (("toilet", "shower", "bathtub"), ("sink", "toilet")),
        "kitchen": (("stove", "oven"), ("fridge",), ("counter", "kitchen counter", "sink", "kitchen sink", "cupboard")),
        "living room": (("sofa", "armchair"),),
        "dining room": (("dining table",),),
        "office": (("desk",),),
        "laundry room": (("washing machine", "dryer"),),
        "garage": (("car", "motorcycle", "bicycle", "workbench"),),
        "storage room": (("storage rack", "shelf", "cardboard box", "cupboard"),),
        "pantry": (("storage rack", "shelf", "cupboard"),),
        "meeting room": (("conference table",),),
    }
)
HAVE = 0.95
#: A thing that this share of the rooms of a kind has may be in any of them.
LIKELY = 0.3
#: Kinds of things known of a room when about half of what makes it is taken to have been seen.
HALF_SEEN = 2
#: Other words for things of the table.
SAME = {
    "refrigerator": "fridge",
    "couch": "sofa",
    "television": "tv",
    "tv monitor": "tv",
    "washer": "washing machine",
    "clothes dryer": "dryer",
    "bike": "bicycle",
    "cup": "mug",
    "table lamp": "lamp",
    "remote": "remote control",
    "closet": "wardrobe",
    "chest of drawers": "dresser",
    "bookcase": "bookshelf",
    "bathroom sink": "sink",
    "box": "cardboard box",
    "stuffed animal": "teddy bear",
    "bedside table": "nightstand",
    "toys": "toy",
    "range": "stove",
    "coffee maker": "coffee machine",
    "frying pan": "pan",
    "conference room table": "conference table",
    "tools": "toolbox",
    "tool": "toolbox",
}


def _parse(table: str) -> dict[str, np.ndarray]:
    """{thing: (R,) share of the rooms of each kind of `PRIORS` that have one}."""
    kinds = list(PRIORS)
    shares = {}
    for line in table.strip().splitlines():
        thing, _, rest = line.partition(":")
        row = np.full(len(kinds), STRAY)
        for entry in rest.split(","):
            room, _, share = entry.strip().rpartition(" ")
            row[kinds.index(room)] = max(float(share), STRAY)
        # A room of no kind that has a name has everything as often as rooms on the whole do.
        row[kinds.index("")] = row[:-1].mean()
        shares[thing] = row
    return shares


_SHARES = _parse(TABLE)


def known_things() -> tuple[str, ...]:
    """Things that the table says something about."""
    return tuple(_SHARES)


def likely_rooms(thing: str) -> frozenset[str]:
    """Kinds of rooms of which at least `LIKELY` have such a thing; none for one that the table does not have."""
    shares = _SHARES.get(SAME.get(thing, thing))
    if shares is None:
        return frozenset()
    return frozenset(kind for kind, share in zip(PRIORS, shares, strict=True) if kind and share >= LIKELY)


def name_room(labels: Iterable[str]) -> tuple[str, float]:
    """Kind of room by the things in it, each label counted once.

    The posterior of each kind is proportional to its prior, times the shares of its rooms that have the things which were seen, times
    1 - s HAVE for each group of `FIXTURES` that was not seen (naive Bayes), where s = n / (n + HALF_SEEN) is the part of the room that is
    taken to have been seen when n kinds of things are known.

    Args:
        labels: categories of the things; those that `TABLE` does not have say nothing.

    Returns:
        name and its posterior [0, 1]; ("", 0.0) if the things do not tell.
    """
    names = {label.strip().lower().replace("_", " ") for label in labels}
    known = sorted({SAME.get(name, name) for name in names} & _SHARES.keys())
    if not known:
        return "", 0.0
    prior = np.array(list(PRIORS.values()))
    log_likelihood = np.log(np.stack([_SHARES[thing] for thing in known])).sum(axis=0)
    seen = len(known) / (len(known) + HALF_SEEN)
    lacking = [sum(not set(group) & set(known) for group in FIXTURES.get(kind, ())) for kind in PRIORS]
    log_likelihood += np.log(1.0 - seen * HAVE) * np.array(lacking)
    posterior = prior * np.exp(log_likelihood - log_likelihood.max())
    posterior = (1 - DOUBT) * posterior / posterior.sum() + DOUBT * prior
    best = int(np.argmax(posterior))
    name, confidence = list(PRIORS)[best], float(posterior[best])
    return (name, confidence) if name and confidence >= MIN_CONFIDENCE else ("", 0.0)
