"""The suite `household`: simple, composite and complex chores in a home where somebody else moves things (after KARMA, Wang et al. 2024).

Simple: one thing, told so that it is the only one. Composite: two of them, one after the other. Complex: the thing is not named, only
what it is for. Every chore was carried out once while it was drawn, so that it can be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from loci_sim.affordances import Affordances
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.evaluation.goals import describe
from loci_sim.evaluation.phrasings import Phrasings
from loci_sim.evaluation.questions import PURPOSES
from loci_sim.evaluation.tasks import Chore, Split, Step
from loci_sim.protocol import Interaction
from loci_sim.scenes import Scene, SceneThing
from loci_sim.viewpoints import viewpoints
from loci_sim.world import World

KINDS = ("simple", "composite", "complex")
#: What is done to one thing that stays where it is, and how often it is drawn beside carrying.
_IN_PLACE: tuple[Literal["open", "switch_on", "switch_off", "clean"], ...] = (
    "open",
    "switch_on",
    "switch_off",
    "clean",
)
_CARRY_SHARE = 0.5
_TRIES = 60
#: Viewpoints for the hands are this near [m]: the reach is 1.5 m.
_ARM = 1.0


def draw_chores(
    scene: Scene, phrasings: Phrasings, split: Split, seed: int, row: int = 0, n_chores: int = 6
) -> tuple[Chore, ...]:
    """Chores of a row, by turns of the three kinds; no thing is asked for twice.

    Raises:
        ValueError: the scene has too few things that can be handled.
    """
    rng = np.random.default_rng([seed, scene.seed, row, 29])
    simulator = EmbeddedSimulator(scene)
    drawer = _Drawer(scene, simulator, phrasings, split, rng)
    chores: list[Chore] = []
    try:
        for i in range(n_chores):
            for _ in range(_TRIES):
                chore = drawer.draw(KINDS[i % len(KINDS)])
                if chore is not None:
                    chores.append(chore)
                    break
    finally:
        simulator.close()
    if len(chores) < n_chores:
        raise ValueError(f"expected {n_chores} chores in {scene.map_id} that can be done, got {len(chores)}")
    return tuple(chores)


def is_done(step: Step, objects: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether things are as a step wants them.

    Args:
        objects: the ground truth's objects by id.
    """
    found = [objects[i] for i in step.object_ids]
    if step.verb == "place":
        return any(o["on"] in step.target_ids and not o["held"] for o in found)
    state, value = {
        "open": ("open", True),
        "close": ("open", False),
        "switch_on": ("on", True),
        "switch_off": ("on", False),
        "clean": ("dirty", False),
    }[step.verb]
    return any(o["states"].get(state) is value for o in found)


class _Drawer:
    def __init__(
        self,
        scene: Scene,
        simulator: EmbeddedSimulator,
        phrasings: Phrasings,
        split: Split,
        rng: np.random.Generator,
    ) -> None:
        self._scene, self._simulator, self._rng = scene, simulator, rng
        self._phrasings, self._split = phrasings, split
        self._used: set[str] = set()

    def draw(self, kind: str) -> Chore | None:
        """A chore that can be done; None: this draw cannot."""
        makers = {"simple": [self._told], "composite": [self._told, self._told], "complex": [self._vague]}
        steps = [make() for make in makers[kind]]
        parts = [s for s in steps if s is not None]
        if len(parts) < len(steps) or len({i for s, _ in parts for i in s.object_ids}) < len(parts):
            return None
        try:
            done = all(self._try(s) for s, _ in parts)
        finally:
            self._simulator.reset()
            self._simulator.restore_objects()
        if not done:
            return None
        self._used |= {i for s, _ in parts for i in s.object_ids}
        text = parts[0][1] if len(parts) == 1 else f"{parts[0][1]}, then {parts[1][1]}"
        return Chore(kind, text, tuple(s for s, _ in parts))

    def _told(self) -> tuple[Step, str] | None:
        """A step with a thing that is told by words that mean it alone."""
        if self._rng.random() < _CARRY_SHARE:
            thing = self._any([o for o in self._free() if self._can(o.id).pickable])
            return self._carried(thing, (thing.id,), self._words(thing)) if thing else None
        verb = _IN_PLACE[int(self._rng.integers(len(_IN_PLACE)))]
        thing = self._any([o for o in self._free() if not self._world.refusal(verb, o.id)])
        words = self._words(thing) if thing else ""
        if thing is None or not words:
            return None
        return Step(verb, (thing.id,)), self._phrase(verb, thing=words)

    def _vague(self) -> tuple[Step, str] | None:
        """Something to do ... with is to be carried: any thing that serves will do."""
        purpose = sorted(PURPOSES)[int(self._rng.integers(len(PURPOSES)))]
        able = [o for o in self._free() if o.category in PURPOSES[purpose] and self._can(o.id).pickable]
        thing = self._any(able)
        if thing is None:
            return None
        ids = tuple(o.id for o in self._scene.objects if o.category in PURPOSES[purpose])
        return self._carried(thing, ids, f"something that I can use to {purpose}", template="fetch")

    def _carried(
        self, thing: SceneThing, ids: tuple[str, ...], words: str, template: str = "place"
    ) -> tuple[Step, str] | None:
        target = self._any([o for o in self._scene.objects if self._can(o.id).surface and o.id != thing.on])
        place = self._words(target) if target else ""
        if target is None or not words or not place:
            return None
        # The thing that was tried comes first.
        ordered = (thing.id, *(i for i in ids if i != thing.id))
        return Step("place", ordered, (target.id,)), self._phrase(template, thing=words, place=place)

    def _try(self, step: Step) -> bool:
        """Whether a step can be done from where a robot can stand."""
        if step.verb != "place":
            return self._at(step.object_ids[0], step.verb)
        return self._at(step.object_ids[0], "pick") and self._at(step.target_ids[0], "place")

    def _at(self, identity: str, interaction: Interaction) -> bool:
        thing = next(o for o in self._simulator.objects if o.id == identity)
        points = viewpoints(self._simulator, identity, _ARM)
        for i in self._rng.permutation(len(points))[:4]:
            x, y, z = (float(v) for v in points[i])
            self._simulator.reset_to(x, y, float(np.arctan2(thing.center[1] - y, thing.center[0] - x)), z)
            if self._simulator.interact(interaction, identity).done:
                return True
        return False

    @property
    def _world(self) -> World:
        return self._simulator.world

    def _can(self, identity: str) -> Affordances:
        return self._world.can(identity)

    def _free(self) -> list[SceneThing]:
        """Things not asked for before, with nothing on them, that lie open."""
        carrying = {o.on for o in self._scene.objects}
        return [
            o for o in self._scene.objects if o.id not in self._used | carrying and not self._world.state(o.id).inside
        ]

    def _any(self, things: Sequence[SceneThing]) -> SceneThing | None:
        """A thing, categories drawn evenly."""
        categories = sorted({o.category for o in things})
        if not categories:
            return None
        category = categories[int(self._rng.integers(len(categories)))]
        alike = [o for o in things if o.category == category]
        return alike[int(self._rng.integers(len(alike)))]

    def _words(self, thing: SceneThing) -> str:
        alone = sum(o.category == thing.category for o in self._scene.objects) == 1
        return thing.category if alone else describe(self._scene, self._scene.objects, thing)

    def _phrase(self, template: str, **blanks: str) -> str:
        texts = self._phrasings[template][self._split]
        return texts[int(self._rng.integers(len(texts)))].format(**blanks)
