"""Somebody who lives in the scene and moves its things: a seeded schedule, made once and applied as simulated time goes on.

The person has no body: things change places when their time has come, as when the robot looks elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loci_sim.affordances import affordances
from loci_sim.household import Household, Standing
from loci_sim.scenes import Scene, SceneThing

_EATING = ("dining table", "table", "coffee table", "kitchen island", "counter", "desk", "conference table")
_KITCHEN = ("counter", "kitchen island", "sink", "dishwasher", "dining table", "table")
_RESTING = ("coffee table", "sofa", "armchair", "desk", "nightstand", "side table", "bed")
_WORKING = ("desk", "conference table", "dining table", "reception desk", "coffee table")
_PLAYING = ("toy box", "bed", "bunk bed", "sofa", "armchair", "dresser", "bench")


def _habits(names: str, places: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys((name.strip() for name in names.split(",")), places)


#: Where things of a category are put, the likeliest first; others are not touched.
HABITS: dict[str, tuple[str, ...]] = {
    **_habits("mug, cup, glass, wine glass, teapot", (*_EATING, "nightstand", "sink", "tv stand")),
    **_habits("plate, bowl, fork, knife, spoon, salt shaker", (*_EATING, "sink", "dishwasher")),
    **_habits("pot, pan, frying pan, kettle", ("stove", *_KITCHEN)),
    **_habits("bottle, jar, can, milk carton, water bottle", ("fridge", *_EATING, "nightstand")),
    **_habits("apple, orange, banana, lemon, bread, cereal box", ("fridge", *_EATING)),
    **_habits("book, books, magazine, newspaper, notebook", (*_RESTING, "bookshelf", "dresser", *_WORKING)),
    **_habits("laptop, tablet, headphones", (*_WORKING, "bed", "sofa")),
    **_habits(
        "calculator, file, folder, stapler, tape, scissors, pen cup", (*_WORKING, "filing cabinet", "file shelf")
    ),
    **_habits("remote control, game controller", ("coffee table", "tv stand", "sofa", "armchair")),
    **_habits("phone, keys, key ring, wallet, glasses, watch", ("console table", "nightstand", "desk", "dining table")),
    **_habits("pillow, cushion", ("bed", "bunk bed", "sofa", "armchair")),
    **_habits("teddy bear, doll, toy, toy car, toy train, toy block, ball", _PLAYING),
    **_habits("vase, candle, flower pot", ("dining table", "coffee table", "console table", "dresser", "tv stand")),
    **_habits("alarm clock", ("nightstand", "desk", "dresser")),
    **_habits("basket, box", ("dresser", "bench", "washing machine", "shelf", "storage rack")),
    **_habits("soap dispenser, soap, shampoo, rubber duck", ("sink", "bathtub", "washing machine")),
    **_habits("towel", ("laundry basket", "bathtub", "washing machine")),
    **_habits("hat, bag, backpack, umbrella", ("bench", "console table", "chair", "bed")),
    **_habits("hammer, drill, toolbox, paint can, flashlight", ("workbench", "storage rack", "shelf")),
}
#: Part of the day in which things are moved: from waking up to going to bed.
WAKING = (0.29, 0.96)
DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class PersonEvent:
    """A thing is carried from one place to another.

    Attributes:
        time: after the day's beginning [s].
        object_id: what is moved.
        from_id: the thing that it lay on or in according to the plan; empty: floor.
        to_id: the thing that it is put on or into.
    """

    time: float
    object_id: str
    from_id: str
    to_id: str


@dataclass(frozen=True)
class PersonDeed:
    """What became of an event: when it was tried [ns], and why it could not be done; empty: it was."""

    event: PersonEvent
    stamp_ns: int
    reason: str


def plan_day(scene: Scene, seed: int, day_seconds: float = DAY_SECONDS, n_events: int = 12) -> tuple[PersonEvent, ...]:
    """A day of moving things, by time; the same for the same scene, seed and length.

    Things go where people put things of their kind (`HABITS`), never to where they are, and never while another thing is
    planned to be on them.

    Raises:
        ValueError: a negative seed or number of events, or no length.
    """
    if seed < 0 or n_events < 0:
        raise ValueError(f"expected a seed and a number of events >= 0, got {seed} and {n_events}")
    if not (np.isfinite(day_seconds) and day_seconds > 0):
        raise ValueError(f"expected a day of more than 0 s, got {day_seconds}")
    rng = np.random.default_rng([seed, scene.seed, 11])
    things = {o.id: o for o in scene.objects}
    place = {o.id: o.on for o in scene.objects}
    goals = {o.id: _goals(o, scene) for o in scene.objects if o.category in HABITS and affordances(o.category).pickable}
    movable = [identity for identity, found in goals.items() if found]
    times = np.sort(rng.uniform(WAKING[0] * day_seconds, WAKING[1] * day_seconds, n_events))
    events: list[PersonEvent] = []
    last = ""
    for time in np.round(times, 3).tolist():
        carried = set(place.values())
        # The same thing twice in a row would be one way with a stop.
        able = [i for i in movable if i != last and i not in carried and any(g != place[i] for g in goals[i])]
        if not able:
            continue
        identity = able[int(rng.integers(len(able)))]
        found = [g for g in goals[identity] if g != place[identity]]
        habits = HABITS[things[identity].category]
        weights = np.array([1.0 / (1.0 + habits.index(things[g].category)) for g in found])
        goal = found[int(rng.choice(len(found), p=weights / weights.sum()))]
        events.append(PersonEvent(float(time), identity, place[identity], goal))
        place[identity], last = goal, identity
    return tuple(events)


def _goals(thing: SceneThing, scene: Scene) -> list[str]:
    """Ids of the things on or into which a thing may be put."""
    found = []
    for o in scene.objects:
        can = affordances(o.category)
        if o.category not in HABITS[thing.category] or o.id == thing.id or not (can.surface or can.container):
            continue
        # On what is narrower it would fall down.
        if np.all(np.sort(thing.size[:2]) + 0.02 <= np.sort(o.size[:2])):
            found.append(o.id)
    return found


class Person:
    """Applies a schedule.

    Args:
        events: by time.
        start_ns: simulated time at which their day begins [ns].
        seed: of the spots that things are put on.
    """

    def __init__(self, events: tuple[PersonEvent, ...], start_ns: int, seed: int = 0) -> None:
        self._events = sorted(events, key=lambda e: e.time)
        self._start_ns, self._seed = start_ns, seed
        self.deeds: list[PersonDeed] = []

    def act(self, household: Household, robot: Standing, now_ns: int) -> None:
        """Do what is due. A thing that the robot holds, or for which there is no place, stays; `deeds` says so."""
        while len(self.deeds) < len(self._events):
            event = self._events[len(self.deeds)]
            due_ns = self._start_ns + round(event.time * 1e9)
            if due_ns > now_ns:
                return
            rng = np.random.default_rng([self._seed, len(self.deeds)])
            reason = household.carry(event.object_id, event.to_id, robot, rng)
            self.deeds.append(PersonDeed(event, now_ns, reason))
