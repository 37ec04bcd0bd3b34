"""What the scene memory notices of a home that changed while the robot was away.

Ten things are carried to other furniture or taken away, then the robot makes its tour again. A change counts as recognised if the
memory says of the same object (same id) what became of it, with the right old place and, where it shows again, the right new one, and
does not call it ambiguous. Ground truth moves things, drives the camera and scores.

    python bench/scene_changes.py 0 1 2      # homes by their seeds; `bench/scene.py` calls `measure_changes`
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common import OUT
from loci.geometry import Array
from loci.scene.change_records import SceneChange
from loci.scene.standing import PastPose
from loci_sim.affordances import affordances
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.person import HABITS
from loci_sim.scenes import SceneThing
from scene_homes import (
    CLEAN,
    COUNTED_FRAMES,
    DetectionNoise,
    Shot,
    Walk,
    load_tour,
    match,
    read_shots,
    render,
    tolerance,
    tour_poses,
    write_shots,
)

#: Things that change in a home, and how many of them are taken away rather than carried elsewhere.
N_CHANGES, N_REMOVED = 10, 3
#: Part of the names of kept tours: raise it when what changes, or the tour, changes.
VERSION = 1
#: The robot is away for so long [ns].
AWAY_NS = 3_600_000_000_000


@dataclass(frozen=True)
class Deed:
    """What became of a thing: where it was, and where it is; None: it was taken away."""

    before: SceneThing
    after: SceneThing | None


@dataclass(frozen=True)
class Verdict:
    """What the memory made of a deed; ``why`` is empty if it was recognised."""

    deed: Deed
    expected: str
    why: str


def change_home(simulator: EmbeddedSimulator, able: Sequence[int], seed: int) -> list[Deed]:
    """Carry away what people carry about, drawn from the instances that may be: each to other furniture, or out of the home.

    Of things that look alike one at most changes, as long as there are others: of three like baskets that changed places unseen nobody
    could tell which is which.
    """
    rng = np.random.default_rng([seed, 23])
    things = {t.id: t for t in simulator.objects}
    movable = [t for t in things.values() if t.instance in set(able) and _is_carried(t)]
    deeds: list[tuple[SceneThing, bool]] = []
    drawn = [movable[i] for i in rng.permutation(len(movable)).tolist()]
    first = [t for i, t in enumerate(drawn) if not any(_alike(t, other) for other in drawn[:i])]
    for thing in (*first, *(t for t in drawn if t not in first)):
        if len(deeds) == N_CHANGES:
            break
        goes = sum(removed for _, removed in deeds) < N_REMOVED
        if goes:
            done = not simulator.take_away(thing.id)
        else:
            goals = [t.id for t in things.values() if _takes(simulator, t, thing)]
            order = [goals[g] for g in rng.permutation(len(goals)).tolist()]
            done = any(not simulator.carry(thing.id, goal, seed) for goal in order)
        if done:
            deeds.append((thing, goes))
    now = {t.id: t for t in simulator.objects}
    return [Deed(thing, None if goes else now[thing.id]) for thing, goes in deeds]


def _alike(a: SceneThing, b: SceneThing) -> bool:
    """Whether two things are of a category and of about one size, whatever their colours."""
    small, large = np.sort([a.size, b.size], axis=0)
    return a.category == b.category and bool(np.all(large <= 1.2 * small))


def _is_carried(t: SceneThing) -> bool:
    return t.category in HABITS and affordances(t.category).pickable and not t.inside


def _takes(simulator: EmbeddedSimulator, goal: SceneThing, thing: SceneThing) -> bool:
    """Whether a thing may be put on top of another one: where it can be seen, and where people put such things."""
    fits = np.all(np.sort(thing.size[:2]) + 0.02 <= np.sort(goal.size[:2]))
    on_top = affordances(goal.category).surface and not simulator.world.takes_inside(goal.id)
    return bool(goal.id not in (thing.id, thing.on) and goal.category in HABITS[thing.category] and on_top and fits)


def measure_changes(
    home_seeds: Sequence[int],
    progress: Callable[[str], None] = print,
    noise: DetectionNoise = CLEAN,
) -> dict[str, Any]:
    """Two tours through each home with changes between them.

    Args:
        home_seeds: of the apartments.
        progress: told what came of each home, line by line.
        noise: of detections, depth and poses.

    Returns:
        ``recognised``: share of the changes; ``false_alarms_per_home``: changes that were told of things that did not change,
        on both tours; with the numbers behind them.
    """
    verdicts: list[Verdict] = []
    n_false, n_ambiguous = 0, 0
    for seed in home_seeds:
        found, wrong = measure_home(seed, noise)
        verdicts += found
        n_false += len(wrong)
        n_ambiguous += sum(v.why == "ambiguous" for v in found)
        progress(
            f"apartment {seed}: {sum(not v.why for v in found)} of {len(found)} changes, {len(wrong)} false alarms"
        )
        for v in found:
            if v.why:
                progress(f"  {v.deed.before.category} ({v.deed.before.id}, {v.expected}): {v.why}")
        for change in wrong:
            progress(f"  false: {change}")
    return {
        "recognised": sum(not v.why for v in verdicts) / max(1, len(verdicts)),
        "false_alarms_per_home": n_false / max(1, len(home_seeds)),
        "n_homes": len(home_seeds),
        "n_changes": len(verdicts),
        "n_ambiguous": n_ambiguous,
    }


def measure_home(seed: int, noise: DetectionNoise) -> tuple[list[Verdict], list[str]]:
    """What was made of each change in a home, and false alarms in words."""
    tour = load_tour(f"apartment:{seed}")
    with Walk(tour.camera, noise, seed) as walk:
        for shot in tour.shots:
            walk.show(shot, tour.labels)
        walk.finish(tour.shots[-1].stamp_ns + AWAY_NS // 2)
        known = {t.instance: o.id for o, t in match(walk.objects(), tour.truth, walk).pairs}
        counted = [t.instance for t in tour.truth if walk.shown[t.instance] >= COUNTED_FRAMES]
        deeds, shots = _second_tour(seed, counted, tour.shots[-1].stamp_ns + AWAY_NS)
        shown_before = walk.shown.copy()
        for shot in shots:
            walk.show(shot, tour.labels)
        walk.finish(shots[-1].stamp_ns + AWAY_NS)
        shown = walk.shown - shown_before
        changes = walk.scene.changes()
        pose = {k: s.T_map_camera for k, s in walk.shot_of.items()}
        verdicts = [_judge(d, known, walk, changes, shown[d.before.instance] >= COUNTED_FRAMES, pose) for d in deeds]
        changed = {d.before.instance for d in deeds}
        wrong = [
            f"{c.kind} {c.label} {c.object_id}{' (ambiguous)' if c.ambiguous else ''} in {c.keyframe_id}"
            for c in changes
            if c.kind in ("new", "moved", "missing") and not changed & set(walk.sources[c.object_id])
        ]
    return verdicts, wrong


def _second_tour(seed: int, counted: Sequence[int], start_ns: int) -> tuple[list[Deed], list[Shot]]:
    """What changed in a home, and the frames of the robot's next tour through it; rendered if they are not kept yet."""
    simulator = EmbeddedSimulator(f"apartment:{seed}", RobotParameters())
    try:
        deeds = change_home(simulator, counted, seed)
        # What is kept shows these changes and no others.
        told = repr([(d.before.id, None if d.after is None else d.after.center.round(3).tolist()) for d in deeds])
        path = OUT / "homes" / f"apartment-{seed}-changed{VERSION}-{zlib.crc32(told.encode()):08x}.npz"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_shots(path, list(render(simulator, tour_poses(simulator), start_ns)))
        return deeds, read_shots(path)
    finally:
        simulator.close()


def _judge(
    deed: Deed,
    known: dict[int, str],
    walk: Walk,
    changes: Sequence[SceneChange],
    is_shown: bool,
    pose: dict[str, Array],
) -> Verdict:
    """Whether the last thing that the memory noticed of an object is what became of it."""
    expected = "moved" if deed.after is not None and is_shown else "missing"
    object_id = known.get(deed.before.instance)
    if object_id is None:
        return Verdict(deed, expected, "was not known")
    mine = [c for c in changes if c.object_id == object_id and c.kind in ("moved", "missing", "found")]
    if not mine:
        states = {o.id: o.state for o in walk.objects()}
        return Verdict(deed, expected, f"nothing noticed, {object_id} is {states.get(object_id, 'no more')}")
    last = mine[-1]
    if last.kind != expected:
        return Verdict(deed, expected, f"told as {last.kind}")
    if last.ambiguous:
        return Verdict(deed, expected, "ambiguous")
    places: list[tuple[str, PastPose | None, SceneThing | None]] = [("old", last.old, deed.before)]
    if expected == "moved":
        places.append(("new", last.new, deed.after))
    for which, told, true in places:
        if told is None or true is None:
            return Verdict(deed, expected, f"no {which} place")
        off = float(np.linalg.norm((pose[told.keyframe_id] @ told.T_camera_box)[:3, 3] - true.center))
        if off > tolerance(true):
            return Verdict(deed, expected, f"{which} place {off:.2f} m off")
    if expected == "moved":
        shows = walk.sources[object_id]
        if set(shows) != {deed.before.instance} and walk.instance_of(object_id) != deed.before.instance:
            return Verdict(deed, expected, "taken for another one")
    return Verdict(deed, expected, "")


if __name__ == "__main__":
    print(measure_changes([int(a) for a in sys.argv[1:]] or [0]))
