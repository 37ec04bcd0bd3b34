"""The suite `recall`: after a day of pick-and-places, tasks that need the memory of it (after FindingDory, Yadav et al. 2025).

The day comes from `day`; here its tasks are drawn, what a robot claims is joined with the truth, and the shortest tour is found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations

import numpy as np

from loci_sim.evaluation.day import Carried
from loci_sim.evaluation.phrasings import Phrasings
from loci_sim.evaluation.recall_templates import TEMPLATES, DayTruth
from loci_sim.evaluation.tasks import Choice, Revisit, Split
from loci_sim.scenes import Scene, SceneThing

KINDS = tuple(TEMPLATES)
#: Draws of a template before another one is taken.
_TRIES = 6
#: A claimed position that is no further outside of a thing's box is that thing's [m].
SAME_THING = 0.2


def draw_revisits(
    scene: Scene,
    day: Sequence[Carried],
    things: Mapping[str, SceneThing],
    can_reach: Callable[[str], bool],
    phrasings: Phrasings,
    split: Split,
    seed: int,
    row: int = 0,
    n_tasks: int = 11,
) -> tuple[Revisit, ...]:
    """Tasks after a day, by turns of the kinds; kinds that a day has nothing for are left out.

    Args:
        day: what was done.
        things: by id, where they are after it.
        can_reach: whether a thing or room can be gone to, by its id.

    Raises:
        ValueError: the day is too short for so many different tasks.
    """
    truth = DayTruth(scene, day, things, np.random.default_rng([seed, scene.seed, row, 37]))
    tasks: list[Revisit] = []
    n_missed = 0
    while len(tasks) < n_tasks and n_missed < len(KINDS):
        kind = KINDS[(len(tasks) + n_missed) % len(KINDS)]
        task = _draw(truth, kind, can_reach, phrasings, split, tasks)
        if task is None:
            n_missed += 1
        else:
            tasks.append(task)
    if len(tasks) < n_tasks:
        raise ValueError(
            f"expected {n_tasks} different tasks after a day of {len(day)} pick-and-places, got {len(tasks)}"
        )
    return tuple(tasks)


def _draw(
    truth: DayTruth,
    kind: str,
    can_reach: Callable[[str], bool],
    phrasings: Phrasings,
    split: Split,
    before: Sequence[Revisit],
) -> Revisit | None:
    """A task of a kind that is not one of those before; None: there is none."""
    # Templates that were not asked for yet come first.
    names = truth.rng.permutation(sorted(TEMPLATES[kind])).tolist()
    for name in sorted(names, key=lambda n: sum(t.template == n for t in before)):
        for _ in range(_TRIES):
            drawn = TEMPLATES[kind][name](truth)
            if drawn is None:
                continue
            targets = tuple(tuple(ids) for ids in drawn.targets)
            asked = any((t.template, t.targets) == (name, targets) for t in before)
            if not asked and all(any(map(can_reach, ids)) for ids in targets):
                texts = phrasings[name][split]
                text = texts[int(truth.rng.integers(len(texts)))].format(**drawn.blanks)
                return Revisit(kind, name, text, targets, drawn.ordered)
    return None


def chosen_id(choice: Choice, scene: Scene, things: Mapping[str, SceneThing]) -> str:
    """Id of the thing or room that a robot means by what it says; empty: nothing is there.

    A thing is the nearest one of the category at the position that the robot says; where it says no category, of any.
    """
    x, y, z = choice.position
    if choice.is_room:
        room = scene.room_at(x, y, z)
        return room.id if room else ""
    alike = [o for o in things.values() if not choice.label or o.category == choice.label]
    if not alike:
        return ""
    offsets = np.array([_outside(o, choice.position) for o in alike])
    centers = np.linalg.norm(np.array([o.center for o in alike]) - choice.position, axis=1)
    near = np.flatnonzero(offsets <= SAME_THING)
    return alike[int(near[np.argmin(centers[near])])].id if len(near) else ""


def _outside(thing: SceneThing, position: Sequence[float]) -> float:
    """Distance from a point to a thing's box [m]; 0 inside."""
    local = np.abs((np.asarray(position) - thing.center) @ thing.T_map_box[:3, :3])
    return float(np.linalg.norm(np.maximum(local - thing.size / 2, 0.0)))


#: Shortest way from a point (None: where the robot is) to the nearest of some points: its end and length [m]; None: there is none.
Way = Callable[[Sequence[float] | None, Sequence[Sequence[float]]], tuple[Sequence[float], float] | None]


def shortest_tour(
    way: Way, goals: Sequence[Sequence[Sequence[float]]], ordered: bool
) -> tuple[tuple[int, ...], float] | None:
    """In which order to go to all goals, and the length of that tour [m]; None: a goal cannot be reached.

    Each leg ends at the point of the goal that is nearest to the leg's start.

    Args:
        goals: for each the points (x, y, z) [m] at any of which it is reached.
        ordered: only the order in which they are given counts.
    """
    legs: dict[tuple[tuple[float, ...] | None, int], tuple[Sequence[float], float] | None] = {}
    best: tuple[tuple[int, ...], float] | None = None
    every = tuple(range(len(goals)))
    for order in (every,) if ordered else permutations(every):
        start: tuple[float, ...] | None = None
        length = 0.0
        for goal in order:
            if (start, goal) not in legs:
                legs[start, goal] = way(start, goals[goal])
            leg = legs[start, goal]
            if leg is None:
                break
            start, length = tuple(leg[0]), length + leg[1]
        else:
            if best is None or length < best[1]:
                best = order, length
    return best
