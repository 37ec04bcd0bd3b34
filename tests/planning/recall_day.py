"""A day of five pick-and-places, and what is right for each template of the suite `recall`."""

from __future__ import annotations

from loci.planning.language.deeds import Wish, deeds_of
from loci.query import Evidence

SECOND = 10**9
#: Thing, its room and furniture before and after, when it was picked up and put down [s], colour.
_DAY = (
    ("mug", "kitchen", "counter", "living room", "coffee table", 110, 125, "red"),
    ("book", "study", "desk", "bedroom", "nightstand", 160, 230, "blue"),
    ("milk carton", "kitchen", "fridge", "kitchen", "dining table", 270, 276, "white"),
    ("toy car", "children's room", "rug", "living room", "tv stand", 320, 360, "green"),
    ("teddy bear", "bedroom", "bed", "study", "bookshelf", 400, 422, "brown"),
)
_NTH = ("first", "second", "third", "fourth", "last")


def _record(number: int, text: str, second: int, room: str) -> Evidence:
    return Evidence(
        id=f"episode/{number}",
        kind="episode",
        text=text,
        score=1.0,
        origin="short_term",
        stamp_ns=second * SECOND,
        source="robot",
        room=f"room/{room}",
        room_name=room,
        position=(float(number), 0.0, 0.0),
    )


def _records() -> list[Evidence]:
    records = []
    for thing, room, source, new_room, target, picked, placed, _ in _DAY:
        records.append(_record(len(records), f"I picked up the {thing} from the {source}", picked, room))
        records.append(_record(len(records), f"I put the {thing} on the {target}", placed, new_room))
    return records


DEEDS = deeds_of(_records())
_BOOK, _MILK = (DEEDS[1],), (DEEDS[2],)  # carried longest, and shortest
_EACH = tuple((d,) for d in DEEDS)


def wanted(template: str, k: int) -> tuple[dict[str, str], Wish]:
    """What fills a template's blanks, and the wish, for the ``k``-th deed."""
    deed, color = DEEDS[k], _DAY[k][7]
    one, seconds, moved = ((deed,),), (10, 80, 180, 250, 270)[k], k % 2 == 1
    nth, other = {"nth": _NTH[k]}, (k + 2) % 5
    named = Wish("named", label="washing machine")
    later = tuple(d for d in DEEDS if d.picked.stamp_ns > (110 + seconds) * SECOND)
    middle = (deed.picked.stamp_ns + deed.duration_ns // 2) // SECOND - 110
    ends = {"from": "source", "to": "target"}
    table: dict[str, tuple[dict[str, str], Wish]] = {
        "placed_on": ({"thing": deed.label, "place": deed.target}, Wish("moved", one)),
        "taken_from": ({"thing": deed.label, "place": deed.source}, Wish("moved", one)),
        "color": ({"color": color}, Wish("moved", (tuple(DEEDS),), color=color)),
        "color_of": ({"color": color, "thing": deed.label}, Wish("moved", one, color=color)),
        "moved": ({"a_thing": f"a {deed.label}"}, Wish("moved", one)),
        "untouched": ({"a_thing": f"a {deed.label}"}, Wish("untouched", (tuple(DEEDS),), label=deed.label)),
        "back": ({"thing": deed.label}, Wish("source", one)),
        "if_moved": (
            {"a_thing": f"a {deed.label}" if moved else "a stapler", "other": "washing machine"},
            Wish("moved", one) if moved else named,
        ),
        "if_room": (
            {"room": "living room" if moved else "garage", "other": "washing machine"},
            Wish("moved", ((DEEDS[0], DEEDS[3]),)) if moved else named,
        ),
        "if_count": (
            {"number": ("two", "three", "four", "five", "six")[k]},
            Wish("moved", ((DEEDS[0] if k < 3 else DEEDS[-1],),)),
        ),
        "beside": ({"thing": deed.label}, Wish("beside", one)),
        "room_most": ({}, Wish("source_room", ((DEEDS[0], DEEDS[2]),))),
        "nth": (nth, Wish("moved", one)),
        "two": ({**nth, "mth": _NTH[other]}, Wish("moved", (*one, (DEEDS[other],)), ordered=True)),
        "after": ({"thing": DEEDS[k % 4].label}, Wish("moved", ((DEEDS[k % 4 + 1],),))),
        "before": ({"thing": DEEDS[k % 4 + 1].label}, Wish("moved", ((DEEDS[k % 4],),))),
        "at_time": ({"time": f"{middle} seconds"}, Wish("moved", one)),
        "later": ({"time": f"{seconds} seconds"}, Wish("moved", (later,))),
        "took": ({"time": f"{deed.duration_ns // SECOND} seconds"}, Wish("moved", one)),
        "longest": ({}, Wish("moved", (_BOOK,))),
        "shortest": ({}, Wish("moved", (_MILK,))),
        "longest_to": ({}, Wish("target", (_BOOK,))),
        "longest_from": ({}, Wish("source", (_BOOK,))),
        "shortest_to": ({}, Wish("target", (_MILK,))),
        "all": ({}, Wish("moved", _EACH)),
        "all_furniture": ({}, Wish("target", _EACH)),
        "all_furniture_from": ({}, Wish("source", _EACH)),
        "all_rooms": ({}, Wish("source_room", _EACH)),
        "all_rooms_to": ({}, Wish("target_room", _EACH)),
        "in_order": ({}, Wish("moved", _EACH, ordered=True)),
        "reversed": ({}, Wish("moved", _EACH[::-1], ordered=True)),
        "furniture_in_order": ({}, Wish("target", _EACH, ordered=True)),
        "sources_in_order": ({}, Wish("source", _EACH, ordered=True)),
    }
    for short, end in ends.items():
        table[f"furniture_{short}"] = ({"thing": deed.label}, Wish(end, one))
        table[f"room_{short}"] = ({"thing": deed.label}, Wish(f"{end}_room", one))
        table[f"nth_{short}"] = (nth, Wish(end, one))
        table[f"room_nth_{short}"] = (nth, Wish(f"{end}_room", one))
    return table[template.removeprefix("recall_")]
