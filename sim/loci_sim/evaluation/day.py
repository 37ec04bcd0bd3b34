"""The day of the suite `recall`: pick-and-places that can be done. `carrying` lets a robot do them in the running processes.

What was really done, and when, is known only afterwards: the tasks are drawn from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from loci_sim.embedded import EmbeddedSimulator
from loci_sim.protocol import Interaction
from loci_sim.scenes import Scene, SceneThing
from loci_sim.viewpoints import viewpoints

#: Pick-and-places of a day, as in FindingDory.
MIN_DEEDS, MAX_DEEDS = 2, 11
#: Things that are tried in turn for one pick-and-place, places that are tried for a thing in the hand, and views of each.
_TRIES, _PLACES, _VIEWS = 30, 8, 4
#: Viewpoints for the hands are this near [m]: the reach is 1.5 m.
_ARM = 1.0


@dataclass(frozen=True)
class PickPlace:
    """A thing and where it is to be put: ids of the ground truth."""

    object_id: str
    target_id: str


@dataclass(frozen=True)
class Carried:
    """A pick-and-place that was done: ground truth.

    Attributes:
        object_id, category, color: the thing.
        from_id, to_id: what it was on before, and what it was put on; from_room, to_room: ids of their rooms.
        picked_ns, placed_ns: simulated time [ns].
    """

    object_id: str
    category: str
    color: str
    from_id: str
    to_id: str
    from_room: str
    to_room: str
    picked_ns: int
    placed_ns: int

    @property
    def seconds(self) -> float:
        """For how long it was in the hand [s]."""
        return (self.placed_ns - self.picked_ns) / 1e9


def draw_day(scene: Scene, seed: int, row: int = 0, n_deeds: int | None = None) -> tuple[PickPlace, ...]:
    """Pick-and-places of a day, one after the other carried out while they are drawn; no thing is moved twice.

    Args:
        n_deeds: how many; None: `MIN_DEEDS` to `MAX_DEEDS`, drawn.

    Raises:
        ValueError: ``n_deeds`` is out of range, or the scene has too few things that can be carried.
    """
    if n_deeds is not None and not MIN_DEEDS <= n_deeds <= MAX_DEEDS:
        raise ValueError(f"expected {MIN_DEEDS} to {MAX_DEEDS} pick-and-places, got {n_deeds}")
    rng = np.random.default_rng([seed, scene.seed, row, 31])
    wanted = n_deeds or int(rng.integers(MIN_DEEDS, MAX_DEEDS + 1))
    simulator = EmbeddedSimulator(scene)
    day: list[PickPlace] = []
    try:
        for _ in range(_TRIES * wanted):
            deed = _draw_deed(scene, simulator, {d.object_id for d in day}, rng)
            if deed is not None:
                day.append(deed)
            if len(day) == wanted or simulator.held:
                break
    finally:
        simulator.close()
    if len(day) < wanted:
        raise ValueError(f"expected {wanted} things in {scene.map_id} that can be carried, got {len(day)}")
    return tuple(day)


def _draw_deed(
    scene: Scene, simulator: EmbeddedSimulator, used: set[str], rng: np.random.Generator
) -> PickPlace | None:
    """Carry a thing that was not moved yet somewhere else; None: it cannot be picked up."""
    world = simulator.world
    carrying = {o.on for o in simulator.objects}
    free = [
        o
        for o in simulator.objects
        if o.on and not o.inside and o.id not in used | carrying and world.can(o.id).pickable
    ]
    # Categories evenly, so that what is common does not make up the whole day.
    categories = sorted({o.category for o in free})
    if not categories:
        return None
    category = categories[int(rng.integers(len(categories)))]
    alike = [o for o in free if o.category == category]
    thing = alike[int(rng.integers(len(alike)))]
    if not _at(simulator, thing.id, "pick", rng):
        return None
    targets = [o for o in scene.objects if world.can(o.id).surface and o.id != thing.on]
    for i in rng.permutation(len(targets))[:_PLACES]:
        if _at(simulator, targets[i].id, "place", rng):
            return PickPlace(thing.id, targets[i].id)
    if not _at(simulator, thing.on, "place", rng):
        raise ValueError(
            f"expected a free place in {scene.map_id} for {thing.id}, got none of {_PLACES} that were tried"
        )
    return None


def _at(simulator: EmbeddedSimulator, identity: str, interaction: Interaction, rng: np.random.Generator) -> bool:
    """Whether something can be done with a thing from where a robot can stand; then it is done."""
    thing = next(o for o in simulator.objects if o.id == identity)
    points = viewpoints(simulator, identity, _ARM)
    for i in rng.permutation(len(points))[:_VIEWS]:
        x, y, z = (float(v) for v in points[i])
        simulator.reset_to(x, y, float(np.arctan2(thing.center[1] - y, thing.center[0] - x)), z)
        if simulator.interact(interaction, identity).done:
            return True
    return False


def things_of(scene: Scene, truth: Mapping[str, Any]) -> dict[str, SceneThing]:
    """The things of a scene by id, where the ground truth says that they are now."""
    now = {o["id"]: o for o in truth["objects"]}
    return {
        o.id: replace(
            o,
            T_map_box=np.array(now[o.id]["T_map_box"]),
            room=now[o.id]["room"],
            on=now[o.id]["on"],
            inside=now[o.id]["inside"],
        )
        for o in scene.objects
    }
