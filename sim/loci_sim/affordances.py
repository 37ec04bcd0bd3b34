"""What can be done with things, by category. Categories that no scene has (yet) may be named here; others afford nothing."""

from __future__ import annotations

from dataclasses import dataclass


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(","))


#: Fit in one hand.
PICKABLE = _names(
    "apple, backpack, bag, ball, banana, basket, book, books, bottle, bowl, bread, calculator, camera, can, candle, cereal box, cloth, "
    "computer mouse, crayons, cup, cushion, cutting board, detergent, doll, drill, file, flashlight, flower pot, folder, fork, frying pan, "
    "game console, game controller, glass, glasses, hair dryer, hammer, hat, headphones, iron, jar, kettle, key ring, keyboard, keys, knife, "
    "knife block, laptop, lemon, letter, lunch box, magazine, milk carton, mouse, mug, newspaper, notebook, orange, paint can, pan, paper towel, "
    "pen, pen cup, pencil cup, phone, photo frame, pill bottle, pillow, plate, pot, remote control, rubber duck, salt shaker, scissors, shampoo, "
    "shoe, shoes, soap, soap dispenser, sponge, spoon, spray bottle, stapler, tablet, tape, teapot, teddy bear, telephone, tissue box, "
    "toilet paper, toolbox, toothbrush, toothbrush cup, towel, toy, toy block, toy car, toy train, umbrella, vase, wallet, watch, water bottle, "
    "watering can, wine glass, alarm clock, box"
)
#: Other things can be put on top.
SURFACES = _names(
    "armchair, bed, bench, bookshelf, bunk bed, cabinet, cart, chair, coffee table, conference table, console table, counter, desk, dining table, "
    "dishwasher, dresser, file shelf, filing cabinet, kitchen island, meeting table, nightstand, paper tray, reception desk, shelf, shoe rack, "
    "side table, sideboard, sofa, stool, storage rack, stove, table, tv stand, washing machine, workbench"
)
#: Have a door, lid or drawer: other things go in while it is open.
OPENABLE_CONTAINERS = _names(
    "cabinet, chest, cupboard, dishwasher, drawer, dresser, dryer, filing cabinet, freezer, fridge, kitchen cabinet, lidded box, locker, "
    "medicine cabinet, microwave, nightstand, oven, safe, suitcase, wardrobe, washing machine"
)
#: Always open: other things go in.
OPEN_CONTAINERS = _names(
    "basket, bathtub, bowl, box, bucket, cardboard box, crate, laundry basket, pot, recycling bin, sink, toy box, trash can, umbrella stand"
)
#: Open and close, and hold nothing.
DOORS = _names("blind, curtain, door, front door, sliding door")
LAMPS = _names("ceiling lamp, desk lamp, floor lamp, lamp, pendant lamp, table lamp, wall lamp")
#: Switch on and off.
SWITCHABLE = LAMPS | _names(
    "air conditioner, coffee machine, computer, copier, dishwasher, dryer, fan, flashlight, game console, hair dryer, heater, iron, kettle, laptop, "
    "microwave, monitor, oven, printer, projector, radio, screen, speaker, stove, toaster, tv, vacuum cleaner, washing machine"
)
#: Get dirty and can be cleaned.
CLEANABLE = _names(
    "bathtub, bowl, coffee table, conference table, counter, cup, cutting board, desk, dining table, fork, frying pan, glass, kettle, knife, "
    "lunch box, microwave, mirror, mug, oven, pan, plate, pot, shower, sink, spoon, stove, table, teapot, toilet, tv, whiteboard, window, wine glass"
)


@dataclass(frozen=True)
class Affordances:
    """What can be done with a thing.

    Attributes:
        pickable: taken into the hand.
        surface: other things can be put on its top.
        container: other things can be put into it.
        openable: opened and closed; a container that is not openable is always open.
        switchable: switched on and off; lamp: and that changes the light of its room.
        cleanable: it can be dirty.
    """

    pickable: bool
    surface: bool
    container: bool
    openable: bool
    switchable: bool
    lamp: bool
    cleanable: bool


def affordances(category: str) -> Affordances:
    """Of a category; all False for one that is not known."""
    return Affordances(
        pickable=category in PICKABLE,
        surface=category in SURFACES,
        container=category in OPENABLE_CONTAINERS or category in OPEN_CONTAINERS,
        openable=category in OPENABLE_CONTAINERS or category in DOORS,
        switchable=category in SWITCHABLE,
        lamp=category in LAMPS,
        cleanable=category in CLEANABLE,
    )
