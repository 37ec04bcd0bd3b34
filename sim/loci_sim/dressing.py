"""Small things on furniture: what rests where, in which kind of room, and how many of a kind stand together.

The table states the vocabulary's sensible places: mugs in kitchens, files in offices, toys in children's rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loci_sim.catalogue import Model
from loci_sim.placing import Placed, RoomPlacer


@dataclass(frozen=True)
class Place:
    """Where an item may rest.

    Attributes:
        item: of the catalogue.
        rooms: kinds of room.
        supports: categories of the things it may rest on.
        together: at most so many stand beside one another.
        weight: how likely it is chosen among the things that could rest there.
    """

    item: str
    rooms: tuple[str, ...]
    supports: tuple[str, ...]
    together: int = 1
    weight: float = 1.0


def _places(rooms: str, supports: str, items: str) -> list[Place]:
    """Places of several items: ``items`` are names, each with ``*N`` if at most N stand together, with commas between them."""
    split = [part.strip().partition("*") for part in items.split(",")]
    where = tuple(r.strip() for r in rooms.split(",")), tuple(s.strip() for s in supports.split(","))
    return [Place(name.strip(), *where, int(n or 1)) for name, _, n in split]


PLACES: tuple[Place, ...] = (
    *_places(
        "kitchen, kitchenette", "counter, sink",
        "mug*3, glass*3, bottle*2, jar*3, salt shaker*2, apple*3, lemon*2, banana, sponge, can*2, teapot, frying pan,"
        " knife block, cutting board, coffee machine, paper towel, kettle, toaster, plate, bowl",
    ),
    *_places(
        "kitchen, dining room, living room, kitchenette", "dining table",
        "mug*2, glass*4, plate*2, bowl, bottle*2, salt shaker*2, candle*2, apple*2, teapot, flower pot",
    ),
    *_places(
        "living room", "coffee table, armchair, tv stand",
        "remote control*2, mug*2, book*2, phone, candle*2, glass*2, game console, photo frame, bowl",
    ),
    *_places("living room, study", "bookshelf", "photo frame*2, candle*2, speaker, globe, vase, flower pot, book*2"),
    *_places("living room, bedroom, dining room, study", "dresser", "photo frame*2, candle*2, hat, speaker, flower pot, vase"),
    *_places("bedroom", "nightstand", "book*2, phone, glass, alarm clock, wallet, candle"),
    *_places("bedroom, children's room", "bed", "pillow*2"),
    *_places("children's room", "nightstand, dresser", "rubber duck*2, toy car*2, photo frame, alarm clock"),
    *_places(
        "children's room", "toy box, desk, bookshelf, dresser",
        "toy car*3, toy block*4, ball*2, doll*2, toy train, teddy bear, crayons*2, book*2, rubber duck*2",
    ),
    *_places(
        "study, office, open office", "desk",
        "pen cup, stapler, computer mouse, notebook*3, calculator, telephone, mug*2, file*3, book*2, tape, phone,"
        " flower pot, glass, paper tray",
    ),
    *_places("study, office, open office, copy room, storage room", "file shelf, filing cabinet", "file*5, paper tray, book*2, globe, notebook*3"),
    *_places("study, office, open office", "dresser, safe", "file*3, speaker, notebook*2, flower pot"),
    *_places("hallway, corridor, reception", "console table, shoe rack, bench", "key ring*2, wallet, hat, phone, candle*2, flower pot, flashlight"),
    *_places("bathroom", "sink", "soap, toothbrush cup, soap dispenser, glass"),
    *_places("restroom", "sink", "soap dispenser, soap"),
    *_places("bathroom, laundry", "washing machine, dryer", "detergent*2, hair dryer, toilet paper*4, bottle*2, rubber duck*2, basket"),
    *_places("bathroom, restroom", "dresser, console table", "toilet paper*4, soap*2, hair dryer, bottle*2, candle"),
    *_places("laundry", "counter, ironing board", "iron, detergent*2, bottle*2, basket, sponge*2"),
    *_places("pantry", "storage rack", "jar*5, can*5, bottle*4, cereal box*3, milk carton*3, paper towel*2, apple*3, lemon*3, pot, candle*2"),
    *_places(
        "garage, storage room", "storage rack, workbench",
        "toolbox, paint can*4, hammer, drill, flashlight*2, tape*3, toilet paper*4, bottle*2, detergent*2, jar*3, ball, candle*2, flower pot*3",
    ),
    *_places("storage room, copy room, garage", "cardboard box", "tape, book*2, flashlight"),
    *_places("meeting room", "conference table", "projector, laptop, glass*3, mug*2, bottle*2, notebook*3, phone, pen cup, telephone"),
    *_places("reception", "reception desk, coffee table", "telephone, pen cup, notebook*2, flower pot, vase, book*2, phone, mug"),
    *_places("copy room", "counter, dresser", "stapler*2, tape*2, paper tray*2, calculator, printer, file*3"),
)  # fmt: skip


#: What may lie in closed containers, in rooms where `PLACES` has it at all.
INSIDE: dict[str, tuple[str, ...]] = {
    "fridge": ("milk carton", "bottle", "jar", "can", "apple", "lemon", "salt shaker"),
    "wardrobe": ("hat", "pillow", "teddy bear", "book", "basket", "ball"),
    "dresser": ("book", "hat", "soap", "toilet paper", "notebook", "rubber duck", "toy car", "wallet"),
    "nightstand": ("book", "phone", "wallet", "glass"),
    "filing cabinet": ("notebook", "book", "stapler", "tape", "calculator"),
    "microwave": ("mug", "plate", "bowl"),
    "safe": ("notebook", "wallet", "phone"),
    "suitcase": ("book", "tape", "flashlight"),
}


def fill(p: RoomPlacer) -> None:
    """Lay up to three things into every other container of the room."""
    for container in [q for q in p.placed if q.model.spaces]:
        wanted = INSIDE.get(container.model.category, ())
        items = sorted({e.item for e in PLACES if p.room.name in e.rooms} & set(wanted))
        if not items or p.rng.random() < 0.5:
            continue
        for name in p.rng.choice(np.array(items), int(p.rng.integers(1, 4))):
            p.put_inside(p.model(str(name)), container)


def dress(p: RoomPlacer, density: float = 1.0, skip: Sequence[Placed] = ()) -> None:
    """Put small things on everything in the room that can carry them.

    Args:
        density: of things; 1: about one kind per 0.09 m2 of surface.
        skip: leave these empty.
    """
    supports = [q for q in p.placed if q.model.surfaces and q not in skip]
    fill(p)
    for i in p.rng.permutation(len(supports)):
        support = supports[int(i)]
        places = [e for e in PLACES if p.room.name in e.rooms and support.model.category in e.supports]
        if not places:
            continue
        area = sum(float(np.prod(np.subtract(s.high, s.low))) for s in support.model.surfaces)
        n = min(max(1, round(density * area / 0.09 * float(p.rng.uniform(0.7, 1.3)))), len(places), 10)
        weights = np.array([e.weight for e in places])
        chosen = [places[int(k)] for k in p.rng.choice(len(places), n, replace=False, p=weights / weights.sum())]
        # The large ones first: small ones find a place beside them.
        models = sorted(
            ((place, p.model(place.item)) for place in chosen), key=lambda m: -float(m[1].size[0] * m[1].size[1])
        )
        for place, model in models:
            put_together(p, place, model, support)


def put_together(p: RoomPlacer, place: Place, first: Model, support: Placed) -> list[Placed]:
    """One to ``place.together`` things of an item beside one another on a support; fewer if there is no room."""
    count = int(p.rng.integers(1 if place.together < 3 else 2, place.together + 1))
    placed = p.on_surface(first, support, turn=0.4)
    while placed and len(placed) < count:
        another = p.on_surface(p.model(place.item), support, turn=0.4, near=placed[-1])
        if not another:
            break
        placed += another
    return placed
