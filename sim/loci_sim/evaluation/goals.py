"""The suite `goals`: eight goals in a row in one home, by category, by description, by image (after GOAT-Bench, Khanna et al. 2024)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np

from loci.observation import Detection
from loci.perception.simulated import detections_from_instances
from loci_sim.catalogue import told_color
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.evaluation.phrasings import Phrasings
from loci_sim.evaluation.tasks import GOAL_KINDS, Goal, GoalKind, Split
from loci_sim.scenes import Scene, SceneThing
from loci_sim.viewpoints import viewpoints

#: Things that are part of the building rather than in it.
NOT_GOALS = ("door", "window")
#: A picture shows so much of its thing, or another place is tried [share of the image].
_MIN_SHARE = 0.01
_IMAGE_TRIES = 12


def draw_goals(
    scene: Scene, phrasings: Phrasings, split: Split, seed: int, row: int = 0, n_goals: int = 8
) -> tuple[Goal, ...]:
    """Goals of a row, by turns of the three kinds; the same for the same arguments.

    Categories are drawn evenly, so that rare things are asked for as often as common ones.

    Raises:
        ValueError: the scene has too few things that can be goals.
    """
    rng = np.random.default_rng([seed, scene.seed, row, 17])
    simulator = EmbeddedSimulator(scene, RobotParameters(width=320, height=240))
    try:
        things = [o for o in scene.objects if o.category not in NOT_GOALS]
        by_category = {c: [o for o in things if o.category == c] for c in sorted({o.category for o in things})}
        order = rng.permutation(list(by_category)).tolist()
        goals: list[Goal] = []
        for category in order:
            kind = GOAL_KINDS[len(goals) % len(GOAL_KINDS)]
            instances = by_category[category]
            thing = instances[int(rng.integers(len(instances)))]
            goal = _goal(simulator, things, thing, kind, phrasings, split, rng)
            if goal is not None:
                goals.append(goal)
            if len(goals) == n_goals:
                return tuple(goals)
    finally:
        simulator.close()
    raise ValueError(f"expected {n_goals} things in {scene.map_id} that can be goals, got {len(goals)}")


def _goal(
    simulator: EmbeddedSimulator,
    things: Sequence[SceneThing],
    thing: SceneThing,
    kind: GoalKind,
    phrasings: Phrasings,
    split: Split,
    rng: np.random.Generator,
) -> Goal | None:
    """A goal for a thing; None if it cannot be seen from near by, or no words tell it from others."""
    if not len(viewpoints(simulator, thing.id)):
        return None
    template = phrasings["image" if kind == "image" else "goal"][split]
    text = template[int(rng.integers(len(template)))]
    if kind == "category":
        meant = [o.id for o in things if o.category == thing.category]
        seen = tuple(i for i in meant if len(viewpoints(simulator, i)))
        return Goal(kind, text.format(thing=thing.category), seen)
    if kind == "description":
        words = describe(simulator.scene, things, thing)
        return Goal(kind, text.format(thing=words), (thing.id,)) if words else None
    picture = _picture(simulator, thing, rng)
    if picture is None:
        return None
    image, detections = picture
    return Goal(kind, text, (thing.id,), image, detections=detections)


def describe(scene: Scene, things: Sequence[SceneThing], thing: SceneThing) -> str:
    """Fewest words that tell a thing from all others: colour, what it is on, its room; empty if they do not suffice.

    A category alone is no description.
    """
    by_id = {o.id: o for o in scene.objects}
    rooms = {r.id: r.name for r in scene.rooms}

    def attributes(o: SceneThing) -> dict[str, str]:
        carrier = by_id[o.on].category if o.on in by_id else ""
        return {"color": told_color(o.category, o.color), "on": carrier, "room": rooms.get(o.room, "")}

    own = attributes(thing)
    alike = [attributes(o) for o in things if o.category == thing.category]
    for names in (
        ("color",),
        ("on",),
        ("room",),
        ("color", "on"),
        ("color", "room"),
        ("on", "room"),
        ("color", "on", "room"),
    ):
        if (
            all(own[n] for n in names)
            and Counter(tuple(a[n] for n in names) for a in alike)[tuple(own[n] for n in names)] == 1
        ):
            words = f"{own['color']} {thing.category}" if "color" in names else thing.category
            words += f" on the {own['on']}" if "on" in names else ""
            return words + (f" in the {own['room']}" if "room" in names else "")
    return ""


def _picture(
    simulator: EmbeddedSimulator, thing: SceneThing, rng: np.random.Generator
) -> tuple[bytes, tuple[Detection, ...]] | None:
    """JPEG of a thing from one of its viewpoints, and what the simulated detector sees in it; None if it is nowhere seen well."""
    points = viewpoints(simulator, thing.id)
    for i in rng.permutation(len(points))[:_IMAGE_TRIES]:
        x, y, z = (float(v) for v in points[i])
        yaw = float(np.arctan2(thing.center[1] - y, thing.center[0] - x))
        seen = simulator.reset_to(x, y, yaw, z)
        if np.mean(seen.instances == thing.instance) >= _MIN_SHARE:
            ok, data = cv2.imencode(".jpg", cv2.cvtColor(seen.color, cv2.COLOR_RGB2BGR))
            if not ok:
                return None
            labels = {o.instance: o.category for o in simulator.objects}
            # A generator of its own: what is drawn after this picture does not depend on how many things it shows.
            order = np.random.default_rng(thing.instance)
            return data.tobytes(), detections_from_instances(seen.instances, labels, order)
    return None
