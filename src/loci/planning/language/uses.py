"""What household things and rooms are for: common sense written down, matched by words and by meaning.

"Something to put out a fire" names no thing. What a thing is for is no property that a camera sees; a label and this table tell it. Labels that are
not in the table stand for themselves: what is near in meaning to the purpose may serve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loci.words import canonical, normalise

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: Smallest likeness of a purpose with a use that counts, for all-MiniLM-L6-v2; others within `_TIE` of the best serve as well.
SERVES, _TIE = 0.5, 0.06
#: A label that is not in the table is believed less than a use that is written down.
_UNTOLD = 0.75

#: By label; uses as one would say them after "to".
THINGS: Mapping[str, str] = {
    "alarm clock": "tell the time, see how late it is, wake up in the morning, set an alarm", "wall clock": "tell the time, see how late it is", "clock": "tell the time, see how late it is",
    "watch": "tell the time, see how late it is", "apple": "eat a fruit, have a healthy snack", "banana": "eat a fruit, have a snack", "lemon": "flavour a drink, squeeze some juice", "orange": "eat a fruit, squeeze some juice",
    "armchair": "sit comfortably, relax, rest", "chair": "sit down, sit at a table", "office chair": "sit at a desk", "stool": "sit down, reach a high shelf", "bench": "sit down with others", "sofa": "sit with friends, lie down, relax",
    "ball": "play ball, throw and catch", "balloon": "decorate a party", "basket": "carry small things, collect things", "bath mat": "keep the bathroom floor dry", "bathtub": "take a bath", "shower": "take a shower, wash oneself",
    "bed": "sleep, lie down, take a nap", "bunk bed": "sleep, let two children sleep", "bicycle": "ride, cycle to work, get somewhere fast", "book": "read, pass the time reading, learn something, enjoy a story", "magazine": "read, pass the time reading", "newspaper": "read the news",
    "bookshelf": "store books", "bottle": "carry water, keep a drink", "bowl": "eat soup, eat cereal, mix ingredients", "bucket": "carry water, mop the floor", "calculator": "calculate, do sums, add numbers", "can": "drink soda, keep food",
    "candle": "have light without electricity, make a romantic light", "cardboard box": "pack things, move house, store things", "cereal box": "have breakfast", "coat rack": "hang up a coat, hang up a jacket",
    "coffee machine": "make coffee, brew an espresso", "coffee table": "put down drinks", "computer mouse": "move the pointer of a computer", "keyboard": "type, write on a computer", "console table": "put down keys", "counter": "prepare food",
    "crayons": "draw, colour a picture", "pen": "write, sign a paper", "pencil": "write, draw", "desk": "write, work on a computer", "detergent": "remove stains, do the laundry", "dining table": "eat a meal with others", "table": "eat a meal, put things on",
    "doll": "play with a toy", "doll house": "play with dolls", "toy block": "build a tower, play", "toy car": "play with a toy", "toy train": "play with a train", "toy box": "store toys", "teddy bear": "cuddle, comfort a child", "rubber duck": "play in the bathtub",
    "dresser": "store clothes", "wardrobe": "hang up clothes, store clothes", "drill": "make a hole in a wall, bore a hole", "screwdriver": "tighten a screw", "hammer": "drive in a nail, hit a nail, pound something", "wrench": "tighten a bolt", "saw": "cut wood", "toolbox": "repair something, keep tools together", "workbench": "repair something, saw wood",
    "dryer": "dry clothes after washing", "drying rack": "hang wet laundry to dry", "easel": "paint a picture", "file": "keep documents in order", "fire extinguisher": "put out a fire, extinguish flames", "flashlight": "see in the dark, find something in the dark", "flower pot": "grow flowers",
    "vase": "put flowers in water", "plant": "make a room greener, have fresh air", "fridge": "keep food cold, cool a drink", "freezer": "freeze food", "game console": "play video games", "glass": "drink some water, have a drink", "mug": "drink some water, drink coffee, drink tea, have a hot drink",
    "cup": "drink some water, drink coffee, drink tea", "toothbrush cup": "keep toothbrushes", "guitar": "make music, play a song", "piano": "make music, play a melody", "hair dryer": "dry my hair, blow hot air on wet hair", "hair brush": "comb hair", "hat": "keep the sun off my head", "heater": "warm up the room, keep warm",
    "radiator": "warm up the room, keep warm", "fan": "cool the air, get some fresh air", "iron": "smooth a shirt, iron clothes, remove wrinkles from clothes, press trousers", "ironing board": "lay out a shirt for pressing", "jar": "store jam, preserve food", "kettle": "boil water, heat water for tea, make tea", "teapot": "serve tea, brew tea leaves", "key ring": "unlock the front door, open a lock", "key": "unlock a door",
    "knife block": "cut bread, slice vegetables", "knife": "cut, slice bread", "ladder": "climb up, reach high places, change a light bulb", "lamp": "have light, light up a dark room, read at night", "laptop": "surf the internet, write an e-mail, work on a computer", "laundry basket": "collect dirty clothes", "microwave": "warm up food quickly, heat a meal",
    "milk carton": "put milk in coffee, drink milk", "mirror": "see myself, check how I look", "monitor": "see what the computer shows", "nightstand": "put a book beside the bed", "notebook": "write down notes", "paint can": "paint a wall", "paper towel": "wipe up a spill", "phone": "call somebody, make a call, send a message", "telephone": "call somebody, make a call",
    "photo frame": "show a photo", "picture": "decorate a wall", "pillow": "rest my head", "blanket": "keep warm in bed", "plate": "serve food, eat a meal from", "pot": "cook soup, cook pasta", "pan": "fry eggs", "remote control": "change the tv channel, switch the tv on from afar", "rug": "warm my feet on the floor", "salt shaker": "season food, add salt",
    "scale": "check my weight, weigh myself, find out how heavy I am", "shoe rack": "put away shoes", "sink": "wash my hands, rinse dishes", "soap": "wash my hands, get my hands clean", "soap dispenser": "wash my hands, get some soap", "speaker": "listen to music", "radio": "listen to music, listen to the news", "sponge": "wash dishes, scrub a pan", "dishwasher": "wash dishes", "stapler": "join papers, fasten sheets of paper",
    "storage rack": "store boxes", "stove": "cook a meal, fry an egg, heat a pan", "oven": "bake a cake, roast meat", "suitcase": "pack for a journey, travel with clothes", "backpack": "carry things on a hike", "tape": "stick things together, close a parcel", "tire": "replace a flat wheel", "toaster": "toast bread, make toast, brown slices of bread", "toilet": "relieve oneself", "toilet paper": "wipe oneself", "towel": "dry myself after a shower, dry my hands",
    "trash can": "throw away rubbish, throw something away", "tv": "watch a film, watch tv, watch the news, see a movie", "tv stand": "put a tv on", "umbrella": "stay dry in the rain", "umbrella stand": "keep wet umbrellas", "vacuum cleaner": "clean the floor of dust, vacuum the carpet, remove dust from the floor", "broom": "sweep the floor", "mop": "mop the floor", "wallet": "pay for something, keep money", "washing machine": "wash clothes, clean dirty laundry",
    "window": "let in fresh air, look outside", "door": "enter a room", "curtain": "keep out the light", "scissors": "cut paper", "printer": "print a document", "projector": "show slides, give a presentation", "whiteboard": "write for everybody to see", "water dispenser": "drink some water, fill a bottle", "coffee maker": "make coffee", "first aid kit": "treat a wound", "camera": "take photos", "medicine": "cure a headache",
}  # fmt: skip

#: By the name of a room; what is done there.
ROOMS: Mapping[str, str] = {
    "bedroom": "sleep, go to bed, take a nap, lie down for the night, get dressed", "children's room": "sleep as a child, play with toys, put the children to bed", "guest room": "let guests sleep",
    "kitchen": "cook dinner, cook a meal, prepare food, bake a cake, wash the dishes, make breakfast", "kitchenette": "cook something small, make coffee at work, prepare a snack",
    "bathroom": "take a shower or a bath, have a bath, wash oneself, brush my teeth, wash my hands, use the toilet, freshen up", "toilet": "use the toilet", "restroom": "use the toilet, wash my hands",
    "laundry": "do the laundry, wash clothes, dry and iron clothes", "laundry room": "do the laundry, wash clothes, dry and iron clothes",
    "study": "work at a desk, do homework, write a letter, work on a computer in quiet, do office work", "office": "work at a desk, do office work, write on a computer",
    "living room": "sit on a sofa and watch tv, relax on the sofa, spend the evening, watch a film, sit with friends, play a game together", "dining room": "dine with many guests, eat dinner together at a big table, have a feast, serve a meal to guests",
    "garage": "repair something at a workbench, park a car, fix a bicycle, work with tools", "workshop": "repair something at a workbench, build something from wood",
    "hallway": "take off my shoes, hang up my coat, enter the home", "entrance": "take off my shoes, enter the home", "pantry": "store food, keep supplies", "storage room": "store things, keep boxes", "staircase": "go upstairs, go to another floor",
    "meeting room": "hold a meeting, talk with colleagues", "conference room": "hold a meeting, give a presentation", "break room": "take a break at work", "lobby": "receive visitors", "reception": "receive visitors",
    "gym": "do sports, exercise", "library": "read books in quiet", "balcony": "sit outside, get some fresh air", "nursery": "put a baby to sleep", "server room": "run servers", "copy room": "copy documents, print documents",
}  # fmt: skip


def serving(purpose: str, names: Sequence[str], uses: Mapping[str, str], encoder: TextEncoder | None) -> list[str]:
    """Those of some labels or room names that serve a purpose, best first; empty: none does.

    Args:
        purpose: what is to be done, e.g. "boil water".
        names: labels or names that are known.
        uses: `THINGS` or `ROOMS`.
        encoder: compares by meaning; None: by words only.
    """
    names = list(dict.fromkeys(n for n in names if n))
    if not names or not purpose.strip():
        return []
    table = {canonical(label): told for label, told in uses.items()}
    told = [[u.strip() for u in (uses.get(n) or table.get(canonical(n), "")).split(",") if u.strip()] for n in names]
    scores = np.zeros(len(names))
    for i, (name, own) in enumerate(zip(names, told, strict=True)):
        phrases = own or [name]
        likeness = max(_overlap(purpose, p) for p in phrases)
        if encoder is not None:
            rows = encoder.encode([purpose, *phrases])
            likeness = max(likeness, float((rows[1:] @ rows[0]).max()))
        scores[i] = likeness if own else _UNTOLD * likeness
    order = np.argsort(-scores, kind="stable")
    best = float(scores[order[0]])
    return [names[i] for i in order if scores[i] >= max(SERVES, best - _TIE)]


_SMALL = frozenset("a an the my some to of in on at with or and me i it for up out something".split())


def _overlap(purpose: str, use: str) -> float:
    """Share of the words of both that they have in common, [0, 1]."""
    a, b = ({normalise(w) for w in text.lower().split() if w not in _SMALL} - {""} for text in (purpose, use))
    return len(a & b) / len(a | b) if a | b else 0.0
