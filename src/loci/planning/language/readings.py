"""What a request about deeds can mean, and which meaning is nearest: readings by the slots that it fills, ranked by example sentences.

Every reading that the named things, numbers and times of a request allow is made, and the examples of all weigh together (`likeness`). The cues alone
(`deeds.understand_by_cues`) decide where there is no encoder, or no reading.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from loci.planning.language import deeds as cues
from loci.planning.language.conditions import condition_of, conditional
from loci.planning.language.deed_meanings import PARTS
from loci.planning.language.deeds import Deed, Wish
from loci.planning.language.likeness import Likeness
from loci.planning.language.phrases import plain
from loci.planning.language.reading import FILLED_DEEDS, sentences
from loci.planning.names import COLORS

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: Score of a reading, against about 1 for one that the examples are sure of, from which a text without a word about deeds is about them.
SURE = 0.3
_LOCK = threading.Lock()

#: A request with its slots filled as in the examples, and the wishes that it can stand for, by the names of the examples.
_Readings = tuple[str, Mapping[str, Wish | None]]


def understand(text: str, deeds: Sequence[Deed], encoder: TextEncoder | None = None) -> Wish | None:
    """What a request asks for, given what was done; None: it is not understood, or nothing done answers it.

    Args:
        encoder: compares it with examples; None: cues alone decide.
    """
    q = " ".join(w for w in plain(text).split() if w != ".")
    if not deeds:
        return None
    about = cues.is_about_deeds(q)
    case = condition_of(text, encoder)
    if case is not None:
        return conditional(case, q, deeds)
    by_cues = cues.understand_by_cues(q, deeds) if about else None
    if encoder is None:
        return by_cues
    likeness = deed_likeness(encoder)
    best: tuple[float, Wish] | None = None
    for masked, wishes in _readings(q, deeds):
        row = likeness.scores([masked])[0]  # (M,)
        for name, score in zip(likeness.names, row.tolist(), strict=True):
            wish = wishes.get(name)
            if wish is not None and (best is None or score > best[0]):
                best = score, wish
    if best is None or (not about and best[0] < SURE):
        return by_cues
    return best[1]


def deed_likeness(encoder: TextEncoder) -> Likeness:
    """What the examples teach with a text encoder; made once for it."""
    with _LOCK:
        return _likeness(cast("Hashable", encoder))


@lru_cache(maxsize=2)
def _likeness(encoder: Hashable) -> Likeness:
    examples = {name: [plain(s.format(**FILLED_DEEDS)) for s in told] for name, told in sentences("deeds").items()}
    return Likeness(examples, PARTS, cast("TextEncoder", encoder), cues.cues_of, name="deeds")


def _readings(q: str, deeds: Sequence[Deed]) -> Iterator[_Readings]:
    """The ways in which the named things, numbers and times of a request can fill the slots."""
    tokens = q.split()
    carried = cues.named(q, [d.label for d in deeds])
    thing = carried[0][1] if carried else ""
    places = [p for _, p in cues.named(q, [x for d in deeds for x in (d.source, d.target)]) if p != thing]
    color = next((w for w in tokens if w in COLORS and w not in thing.split()), "")
    counted = cues.without_first_times(q)
    ordinals = cues.ordinals(counted)
    # "Starting with the last" counts nothing.
    may_order = bool(ordinals) and all(i in (0, -1) for i in ordinals)
    seconds = cues.SECONDS.search(q)
    alike = cues.alike(deeds, thing) if thing else ()
    named = q.replace(thing, "cup", 1) if thing else q
    numbered = named
    for word, filled in zip(cues.ordinal_words(counted), ("second", "fourth"), strict=False):
        numbered = f" {numbered} ".replace(f" {word} ", f" {filled} ", 1).strip()
    if seconds:
        yield named.replace(seconds[0], "30 seconds"), _timed(deeds, cues.nanoseconds(seconds))
    elif len(ordinals) > 1:
        goals = [cues.nth(deeds, i) for i in cues.turned(counted, ordinals[:2])]
        yield numbered, {"two": Wish("moved", tuple(goals), ordered=True) if all(goals) else None}
    elif ordinals and not thing:
        one = [cues.nth(deeds, ordinals[0])]
        yield numbered, {name: cues.wish(what, one) for name, what in _NUMBERED.items()}
    elif color:
        among = alike or tuple(deeds)
        yield (
            named.replace(color, "red", 1),
            {"color_of" if thing else "color": Wish("moved", (among,), color=color.replace("grey", "gray"))},
        )
    elif thing and places:
        ends = {"placed_on": "target", "taken_from": "source"}
        there = {name: [d for d in alike if getattr(d, end) == places[0]] for name, end in ends.items()}
        yield named.replace(places[0], "table", 1), {name: cues.wish("moved", [found]) for name, found in there.items()}
    elif thing:
        yield named, _by_name(deeds, thing, alike)
    if not seconds and not thing and not color and (not ordinals or may_order):
        any_order = cues.IN_ANY_ORDER.search(q) is not None
        yield q, {name: w for name, w in _by_nothing(deeds).items() if w is not None and not (any_order and w.ordered)}


_NUMBERED = {"nth": "moved", "nth_from": "source", "nth_to": "target", "room_nth_from": "source_room", "room_nth_to": "target_room"}  # fmt: skip
_NAMED = {"moved": "moved", "furniture_from": "source", "furniture_to": "target", "back": "source", "room_from": "source_room", "room_to": "target_room", "beside": "beside"}  # fmt: skip


def _timed(deeds: Sequence[Deed], time_ns: int) -> Mapping[str, Wish | None]:
    """Wishes that a time [ns] allows: since the first pick, or of the carrying."""
    at = deeds[0].picked.stamp_ns + time_ns
    return {
        "at_time": cues.wish("moved", [[d for d in deeds if d.picked.stamp_ns <= at <= d.placed.stamp_ns]]),
        "later": cues.wish("moved", [[d for d in deeds if d.picked.stamp_ns > at]]),
        "took": cues.wish("moved", [sorted(deeds, key=lambda d: abs(d.duration_ns - time_ns))[:1]]),
    }


def _by_name(deeds: Sequence[Deed], thing: str, alike: Sequence[Deed]) -> Mapping[str, Wish | None]:
    """Wishes that the name of a carried thing allows."""
    found = {name: cues.wish(what, [alike]) for name, what in _NAMED.items()}
    found["untouched"] = Wish("untouched", (tuple(deeds),), label=thing)
    for name, step in (("after", 1), ("before", -1)):
        at = [i + step for i, d in enumerate(deeds) if d in alike]
        found[name] = cues.wish("moved", [[deeds[i] for i in at if 0 <= i < len(deeds)]])
    return found


def _by_nothing(deeds: Sequence[Deed]) -> Mapping[str, Wish | None]:
    """Wishes that need no name, number or time."""
    each = tuple((d,) for d in deeds)
    ranked = sorted(deeds, key=lambda d: d.duration_ns)
    return {
        "room_most": cues.fullest(deeds, "source"),
        "longest": Wish("moved", ((ranked[-1],),)),
        "shortest": Wish("moved", ((ranked[0],),)),
        "longest_to": Wish("target", ((ranked[-1],),)),
        "longest_from": Wish("source", ((ranked[-1],),)),
        "shortest_to": Wish("target", ((ranked[0],),)),
        "all": Wish("moved", each),
        "all_furniture": Wish("target", each),
        "all_furniture_from": Wish("source", each),
        "all_rooms": Wish("source_room", each),
        "all_rooms_to": Wish("target_room", each),
        "in_order": Wish("moved", each, ordered=True),
        "reversed": Wish("moved", each[::-1], ordered=True),
        "furniture_in_order": Wish("target", each, ordered=True),
        "sources_in_order": Wish("source", each, ordered=True),
    }
