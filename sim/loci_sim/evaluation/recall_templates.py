"""Templates of the suite `recall`: what each asks for, and what is right, from the truth of a day.

FindingDory's 60 templates (Yadav et al. 2025) are public by their kinds, some examples, and the properties of things, receptacles and
rooms that its code evaluates: these are our own, over all its kinds, as far as a scene's truth goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from loci.planning.phrases import indefinite, number
from loci_sim.affordances import affordances
from loci_sim.evaluation.day import Carried
from loci_sim.evaluation.goals import NOT_GOALS
from loci_sim.scenes import Scene, SceneThing

ORDINALS = tuple("first second third fourth fifth sixth seventh eighth ninth tenth eleventh".split())
#: Goals of a task at most: the shortest tour is searched among all orders.
MAX_GOALS = 5
#: Times that differ by less are not asked for [s]: some actions more or less do not change an answer.
MARGIN = 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class Drawn:
    """What fills a template: its blanks, the ids that are right for each goal, and whether they have an order."""

    blanks: Mapping[str, str]
    targets: Sequence[Sequence[str]]
    ordered: bool = False


@dataclass(frozen=True)
class DayTruth:
    """A day and the scene after it.

    Attributes:
        day: what was done, in its order.
        things: by id, where they are now.
        rng: draws.
    """

    scene: Scene
    day: Sequence[Carried]
    things: Mapping[str, SceneThing]
    rng: np.random.Generator

    def pick(self, options: Sequence[T]) -> T | None:
        """One of them; None if there are none."""
        return options[int(self.rng.integers(len(options)))] if options else None

    @property
    def moved(self) -> set[str]:
        return {d.object_id for d in self.day}

    @property
    def unique(self) -> list[Carried]:
        """What was moved and is told from all else that was moved by its category."""
        n = Counter(d.category for d in self.day)
        return [d for d in self.day if n[d.category] == 1]

    @property
    def landmark(self) -> str:
        """Id of a thing that is the only one of its category and cannot be carried; empty: there is none."""
        n = Counter(o.category for o in self.things.values())
        alone = [
            o.id
            for o in self.things.values()
            if n[o.category] == 1 and not affordances(o.category).pickable and o.category not in NOT_GOALS
        ]
        return self.pick(alone) or ""

    def seconds(self, stamp_ns: int) -> float:
        """Time since the first pick [s]."""
        return (stamp_ns - self.day[0].picked_ns) / 1e9

    def room_name(self, room: str) -> str:
        return next((r.name for r in self.scene.rooms if r.id == room), "")


Maker = Callable[[DayTruth], Drawn | None]


def _placed_on(t: DayTruth) -> Drawn | None:
    deed = t.pick(t.day)
    assert deed is not None
    place = t.things[deed.to_id].category
    alike = [d.object_id for d in t.day if d.category == deed.category and t.things[d.to_id].category == place]
    # What lay there all the time must not be right by its words.
    others = [
        o
        for o in t.things.values()
        if o.category == deed.category and o.id not in alike and o.on in t.things and t.things[o.on].category == place
    ]
    return None if others else Drawn({"thing": deed.category, "place": place}, [alike])


def _color(t: DayTruth) -> Drawn | None:
    color = t.pick(sorted({d.color for d in t.day if d.color}))
    return Drawn({"color": color}, [[d.object_id for d in t.day if d.color == color]]) if color else None


def _color_of(t: DayTruth) -> Drawn | None:
    deed = t.pick([d for d in t.day if d.color])
    if deed is None:
        return None
    ids = [d.object_id for d in t.day if (d.color, d.category) == (deed.color, deed.category)]
    return Drawn({"color": deed.color, "thing": deed.category}, [ids])


def _moved(t: DayTruth) -> Drawn | None:
    category = t.pick(sorted({d.category for d in t.day}))
    assert category is not None
    ids = [d.object_id for d in t.day if d.category == category]
    return Drawn({"a_thing": indefinite(category)}, [ids])


def _untouched(t: DayTruth) -> Drawn | None:
    """Of a category of which something was moved: else whatever is near would be right."""
    left = {c: [o.id for o in t.things.values() if o.category == c and o.id not in t.moved] for c in _categories(t)}
    category = t.pick([c for c, ids in left.items() if ids])
    return Drawn({"a_thing": indefinite(category)}, [left[category]]) if category else None


def _categories(t: DayTruth) -> list[str]:
    return sorted({d.category for d in t.day})


def _of_thing(t: DayTruth, goal: str) -> Drawn | None:
    """The ``goal`` (an attribute of `Carried`) of a deed by its thing."""
    deed = t.pick([d for d in t.unique if getattr(d, goal)])
    return Drawn({"thing": deed.category}, [[getattr(deed, goal)]]) if deed else None


def _if_moved(t: DayTruth) -> Drawn | None:
    other = t.landmark
    left = sorted({o.category for o in t.things.values() if affordances(o.category).pickable} - set(_categories(t)))
    yes = bool(t.rng.random() < 0.5)
    category = t.pick(_categories(t) if yes else left)
    if not other or category is None:
        return None
    ids = [d.object_id for d in t.day if d.category == category] if yes else [other]
    return Drawn({"a_thing": indefinite(category), "other": t.things[other].category}, [ids])


def _if_room(t: DayTruth) -> Drawn | None:
    other, filled = t.landmark, {t.room_name(d.to_room) for d in t.day}
    yes = bool(t.rng.random() < 0.5)
    names = {r.name for r in t.scene.rooms}
    room = t.pick(sorted(filled & names if yes else names - filled))
    if not other or not room:
        return None
    ids = [d.object_id for d in t.day if t.room_name(d.to_room) == room] if yes else [other]
    return Drawn({"room": room, "other": t.things[other].category}, [ids])


def _if_count(t: DayTruth) -> Drawn | None:
    n = int(t.rng.integers(1, len(ORDINALS)))
    return Drawn({"number": number(n)}, [[t.day[0 if len(t.day) > n else -1].object_id]])


def _beside(t: DayTruth) -> Drawn | None:
    deed = t.pick(t.unique)
    if deed is None:
        return None
    ids = [o.id for o in t.things.values() if o.on == deed.to_id and o.id != deed.object_id]
    return Drawn({"thing": deed.category}, [ids]) if ids else None


def _taken_from(t: DayTruth) -> Drawn | None:
    deed = t.pick(t.day)
    assert deed is not None
    place = t.things[deed.from_id].category
    alike = [d.object_id for d in t.day if (d.category, t.things[d.from_id].category) == (deed.category, place)]
    return Drawn({"thing": deed.category, "place": place}, [alike])


def _took(t: DayTruth) -> Drawn | None:
    """For how long a thing was carried, if no other took about as long."""
    alone = [d for d in t.day if all(o is d or abs(o.seconds - d.seconds) > 2 * MARGIN for o in t.day)]
    deed = t.pick(alone)
    return Drawn({"time": f"{round(deed.seconds)} seconds"}, [[deed.object_id]]) if deed else None


def _room_most(t: DayTruth) -> Drawn | None:
    most = Counter(d.from_room for d in t.day).most_common(2)
    return None if len(most) > 1 and most[0][1] == most[1][1] else Drawn({}, [[most[0][0]]])


def _which(t: DayTruth) -> tuple[str, Carried]:
    """A deed by its number; the last one by that word."""
    i = int(t.rng.integers(len(t.day)))
    return ("last" if i == len(t.day) - 1 else ORDINALS[i]), t.day[i]


def _nth(t: DayTruth, goal: str) -> Drawn | None:
    """The ``goal`` (an attribute of `Carried`) of a deed by its number."""
    words, deed = _which(t)
    return Drawn({"nth": words}, [[getattr(deed, goal)]])


def _neighbour(t: DayTruth, step: int) -> Drawn | None:
    able = [i for i, d in enumerate(t.day) if d in t.unique and 0 <= i + step < len(t.day)]
    i = t.pick(able)
    return None if i is None else Drawn({"thing": t.day[i].category}, [[t.day[i + step].object_id]])


def _at_time(t: DayTruth) -> Drawn | None:
    deed = t.pick([d for d in t.day if d.seconds > 2 * MARGIN])
    if deed is None:
        return None
    seconds = round((t.seconds(deed.picked_ns) + t.seconds(deed.placed_ns)) / 2)
    return Drawn({"time": f"{seconds} seconds"}, [[deed.object_id]])


def _later(t: DayTruth) -> Drawn | None:
    """Fewer than half of the things are right."""
    able = [
        i
        for i in range(len(t.day) // 2 + 1, len(t.day))
        if t.day[i].picked_ns - t.day[i - 1].picked_ns > 2 * MARGIN * 1e9
    ]
    i = t.pick(able)
    if i is None:
        return None
    seconds = round((t.seconds(t.day[i - 1].picked_ns) + t.seconds(t.day[i].picked_ns)) / 2)
    return Drawn({"time": f"{seconds} seconds"}, [[d.object_id for d in t.day[i:]]])


def _by_duration(t: DayTruth, longest: bool) -> Carried | None:
    """What was carried for the longest or shortest time; None: too close to tell."""
    ranked = sorted(t.day, key=lambda d: -d.seconds if longest else d.seconds)
    return ranked[0] if abs(ranked[0].seconds - ranked[1].seconds) > MARGIN else None


def _extreme(t: DayTruth, longest: bool, goal: str = "object_id") -> Drawn | None:
    deed = _by_duration(t, longest)
    return Drawn({}, [[getattr(deed, goal)]]) if deed else None


def _all(ids: Sequence[str], ordered: bool = False) -> Drawn | None:
    once = list(dict.fromkeys(ids))
    return Drawn({}, [[i] for i in once], ordered) if 2 <= len(once) <= MAX_GOALS else None


def _two(t: DayTruth) -> Drawn | None:
    (nth, a), (mth, b) = _which(t), _which(t)
    return None if a == b else Drawn({"nth": nth, "mth": mth}, [[a.object_id], [b.object_id]], True)


#: Template -> its maker, by FindingDory's kinds: spatial, temporal, several goals.
TEMPLATES: Mapping[str, Mapping[str, Maker]] = {
    "object": {"recall_placed_on": _placed_on},
    "attribute": {"recall_color": _color, "recall_color_of": _color_of},
    "interaction": {
        "recall_moved": _moved,
        "recall_untouched": _untouched,
        "recall_furniture_from": lambda t: _of_thing(t, "from_id"),
        "recall_furniture_to": lambda t: _of_thing(t, "to_id"),
        "recall_back": lambda t: _of_thing(t, "from_id"),
        "recall_taken_from": _taken_from,
    },
    "conditional": {"recall_if_moved": _if_moved, "recall_if_room": _if_room, "recall_if_count": _if_count},
    "relation": {"recall_beside": _beside},
    "room": {
        "recall_room_from": lambda t: _of_thing(t, "from_room"),
        "recall_room_to": lambda t: _of_thing(t, "to_room"),
        "recall_room_most": _room_most,
        "recall_room_nth_from": lambda t: _nth(t, "from_room"),
        "recall_room_nth_to": lambda t: _nth(t, "to_room"),
    },
    "order": {
        "recall_nth": lambda t: _nth(t, "object_id"),
        "recall_nth_from": lambda t: _nth(t, "from_id"),
        "recall_nth_to": lambda t: _nth(t, "to_id"),
        "recall_after": lambda t: _neighbour(t, 1),
        "recall_before": lambda t: _neighbour(t, -1),
    },
    "time": {"recall_at_time": _at_time, "recall_later": _later},
    "duration": {
        "recall_longest": lambda t: _extreme(t, True),
        "recall_shortest": lambda t: _extreme(t, False),
        "recall_longest_to": lambda t: _extreme(t, True, "to_id"),
        "recall_longest_from": lambda t: _extreme(t, True, "from_id"),
        "recall_shortest_to": lambda t: _extreme(t, False, "to_id"),
        "recall_took": _took,
    },
    "several unordered": {
        "recall_all": lambda t: _all([d.object_id for d in t.day]),
        "recall_all_furniture": lambda t: _all([d.to_id for d in t.day]),
        "recall_all_rooms": lambda t: _all([d.from_room for d in t.day]),
        "recall_all_furniture_from": lambda t: _all([d.from_id for d in t.day]),
        "recall_all_rooms_to": lambda t: _all([d.to_room for d in t.day]),
    },
    "several ordered": {
        "recall_in_order": lambda t: _all([d.object_id for d in t.day], True),
        "recall_reversed": lambda t: _all([d.object_id for d in reversed(t.day)], True),
        "recall_two": _two,
        "recall_furniture_in_order": lambda t: _all([d.to_id for d in t.day], True),
        "recall_sources_in_order": lambda t: _all([d.from_id for d in t.day], True),
    },
}
