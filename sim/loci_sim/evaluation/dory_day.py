"""FindingDory's day, done again in Habitat: what is added to the scene, the robot's ways and deeds, and where everything is afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loci.errors import UserError
from loci.geometry import Array
from loci.planning.driving import Driver, bearing
from loci.session import Session
from loci_sim.evaluation.carrying import SOURCE
from loci_sim.evaluation.datasets.dory_goals import Entity
from loci_sim.evaluation.datasets.findingdory import DoryDeed, DoryEpisode
from loci_sim.evaluation.datasets.selection import words
from loci_sim.evaluation.recall import shortest_tour
from loci_sim.evaluation.tasks import Choice, Goal, Revisit, Stop
from loci_sim.habitat.rearranged import AddedThing

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.robot import SimulatedRobot

#: The benchmark's predicates: this near, by path, to a thing or to a viewpoint of a receptacle [m]. That it is in view is not asked for.
AT_OBJECT, AT_RECEPTACLE = 2.0, 0.1
#: Somebody who says a position this near to a thing's means it [m].
_SAME = 1.0
#: The day's ways end this near to a viewpoint [m], after so many actions at most.
_NEAR, _MAX_STEPS = 0.25, 1000
_CONFIG = ".object_config.json"


def added_things(episode: DoryEpisode, models: Sequence[tuple[Path, Array]]) -> list[AddedThing]:
    """What is added to the scene: what the day moves as "object/INDEX", with where it is put."""
    names = episode.names.get("candidate_objects", ())
    candidates = episode.candidates.get("candidate_objects", ())
    after = {d.index: d.T_map_after for d in episode.deeds}
    things, taken = [], set[int]()
    for i, (path, T) in enumerate(models):
        alike = [
            k
            for k, c in enumerate(candidates)
            if k not in taken and names[k] == path.name and np.linalg.norm(c.position - T[:3, 3]) < 0.01
        ]
        if not alike:
            things.append(AddedThing(f"clutter/{i}", _category(path), path, (T,)))
            continue
        k = alike[0]
        taken.add(k)
        T_after = after.get(k)
        # A file that does not say where a thing lies afterwards: it is out of sight from then on.
        poses = (T,) if T_after is None else (T, T_after)
        things.append(AddedThing(f"object/{k}", words(candidates[k].category), path, poses))
    missing = sorted({d.index for d in episode.deeds} - taken)
    if missing:
        raise UserError(
            f"candidate object {missing[0]} of episode {episode.episode_id} is not among its rigid_objs", ""
        )
    return things


def _category(path: Path) -> str:
    """A word for what is not asked about: "Apple_25.object_config.json" is an apple."""
    return words(path.name.removesuffix(_CONFIG).rstrip("0123456789").rstrip("_")).lower() or "thing"


class DoryPlaces:
    """Where the things and receptacles of an episode are after its day: ground truth for scoring.

    Args:
        robot: in the scene.
        episode: whose day was done.
        entities: that tasks may mean.
    """

    def __init__(self, robot: SimulatedRobot, episode: DoryEpisode, entities: Sequence[Entity]) -> None:
        self._robot = robot
        self._category = {e.id: words(e.category) for e in entities}
        now = {o["id"]: np.array(o["T_map_box"])[:3, 3] for o in robot.ground_truth()["objects"]}
        self._positions: dict[str, Array] = {}
        self._viewpoints: dict[str, Array] = {}
        self._around: dict[str, Array] = {}
        for i, c in enumerate(episode.candidates.get("candidate_objects", ())):
            self._positions[f"object/{i}"] = now.get(f"object/{i}", c.position)
        for i, c in enumerate(episode.candidates.get("candidate_objects_noninteracted", ())):
            self._positions[f"object/{i}-left"], self._around[f"object/{i}-left"] = c.position, c.viewpoints
        for group, candidates in episode.candidates.items():
            for name, c in zip(episode.names.get(group, ()), candidates, strict=False):
                if "receps" in group:
                    self._positions.setdefault(f"receptacle/{name}", c.position)
                    self._viewpoints.setdefault(f"receptacle/{name}", c.viewpoints)

        for d in episode.deeds:
            # A moved thing has no viewpoints: those of what it lies on that are near to it, or all of them.
            seen_from = self._viewpoints.get(f"receptacle/{d.goal}", np.empty((0, 3)))
            offsets = np.linalg.norm(seen_from[:, :2] - self._positions[f"object/{d.index}"][:2], axis=1)
            near = seen_from[offsets < AT_OBJECT]
            self._around[f"object/{d.index}"] = near if len(near) else seen_from

    def points(self, identity: str) -> tuple[tuple[float, float, float], ...]:
        """Viewpoints of a receptacle, and of what a thing lies on."""
        found = self._viewpoints.get(identity, self._around.get(identity))
        rows = found if found is not None and len(found) else self._positions[identity][None]
        return tuple((float(x), float(y), float(z)) for x, y, z in rows)

    def choice(self, identity: str) -> Choice:
        """What somebody who knows says of it."""
        x, y, z = (float(v) for v in self._positions[identity])
        return Choice(self._category[identity], (x, y, z))

    def chosen(self, choice: Choice) -> str:
        """The nearest thing or receptacle of the category that was said, at most 1 m from the position that was said."""
        alike = [i for i in self._positions if not choice.label or self._category.get(i) == choice.label]
        offsets = {i: float(np.linalg.norm(self._positions[i] - choice.position)) for i in alike}
        best = min(offsets, key=lambda i: offsets[i], default="")
        return best if best and offsets[best] <= _SAME else ""

    def is_at(self, ids: Sequence[str]) -> bool:
        """Whether the robot is as near to one of them as the benchmark wants it."""
        here = np.array(self._robot.position())
        for identity in ids:
            is_thing = identity not in self._viewpoints
            if is_thing and np.linalg.norm((self._positions[identity] - here)[:2]) > AT_OBJECT:
                continue
            found = self._robot.nearest(self.points(identity))
            # A stop counts within the distance, which floating point must not decide.
            if found is not None and found.length <= (AT_OBJECT if is_thing else AT_RECEPTACLE) + 1e-6:
                return True
        return False

    def way_to(self, identity: str) -> float | None:
        """Shortest way from the robot [m]; None: there is none."""
        found = self._robot.nearest(self.points(identity))
        return None if found is None else found.length

    def nearest(self, ids: Sequence[str]) -> str:
        """The one that the robot is nearest to."""
        return min(ids, key=lambda i: float("inf") if (way := self.way_to(i)) is None else way)


class KnowingRevisitor:
    """Knows everything: drives the shortest tour along Habitat's paths, and stops where the benchmark wants it."""

    def __init__(self, robot: SimulatedRobot, places: DoryPlaces) -> None:
        self._robot, self._places = robot, places

    def __call__(self, task: Revisit, max_steps: int, arrived: Callable[[Choice], None]) -> Stop:
        """Go to all goals of a task."""
        from loci_sim.evaluation.precise import PreciseOracle

        goals = [[p for i in ids for p in self._places.points(i)] for ids in task.targets]
        tour = shortest_tour(self._robot.way, goals, task.ordered)
        if tour is None:
            return Stop(False, "a goal cannot be reached")
        for i in tour[0]:
            ids = task.targets[i]
            within = AT_RECEPTACLE
            stop = PreciseOracle(self._robot, within).seek(Goal("category", "", (), None, tuple(goals[i])), max_steps)
            if not stop.claims:
                return stop
            arrived(self._places.choice(self._places.nearest(ids)))
        return Stop(True, "arrived")


def do_day(
    session: Session, robot: SimulatedRobot, memory: MemoryClient | None, episode: DoryEpisode
) -> dict[int, float]:
    """Let a robot that knows the scene do the day, telling its memory what its hand does; how long each thing took [s], by index.

    Raises:
        UserError: a thing cannot be reached, or its place.
    """
    from loci_sim.evaluation.precise import PreciseOracle

    def watch(stamp_ns: int) -> None:
        session.check()
        if memory is not None:
            memory.statistics(min_stamp_ns=stamp_ns)

    oracle = PreciseOracle(robot, _NEAR, watch)

    def go(points: Array, towards: Array | None) -> None:
        goal = Goal("category", "", (), None, tuple((float(x), float(y), float(z)) for x, y, z in points))
        stop = oracle.seek(goal, _MAX_STEPS)
        if not stop.claims:
            raise UserError(
                f"episode {episode.episode_id}: the day cannot be done: {stop.reason}", "loci eval findingdory --help"
            )
        if towards is not None:
            from loci_sim.evaluation.robot import TrueMap

            driver = Driver(TrueMap(robot), robot, _MAX_STEPS)
            for _ in driver.face(bearing(robot.position(), (float(towards[0]), float(towards[1])))):
                pass
            watch(driver.act("look").stamp_ns)

    def tell(what: str, labels: tuple[str, str], position: Array, state: str) -> None:
        if memory is not None:
            x, y, z = (float(v) for v in position)
            memory.remember(what, SOURCE, labels=labels, position=(x, y, z), state=state)

    took = {}
    for deed in episode.deeds:
        thing = episode.candidates["candidate_objects"][deed.index]
        what = words(thing.category)
        source, target = (_receptacle(episode, n) for n in (deed.start, deed.goal))
        go(thing.viewpoints if len(thing.viewpoints) else thing.position[None], thing.position)
        began = _stamp(robot)
        _hand(robot, "pick", f"object/{deed.index}", episode)
        tell(
            f"I picked up the {what} from the {words(source.category)}",
            (what, words(source.category)),
            thing.position,
            "picked",
        )
        end = deed.T_map_after[:3, 3] if deed.T_map_after is not None else target.position
        go(_views(target, deed), end)
        if deed.T_map_after is not None:
            _hand(robot, "place", f"receptacle/{deed.goal}", episode)
            watch(_stamp_of_look(robot))
        tell(f"I put the {what} on the {words(target.category)}", (what, words(target.category)), end, "placed")
        took[deed.index] = (_stamp(robot) - began) / 1e9
    if episode.end is not None:
        go(episode.end[None], None)
    return took


def _views(target: Any, deed: DoryDeed) -> Array:
    """From where a thing is put on a receptacle."""
    if not len(target.viewpoints):
        return np.asarray(target.position)[None]
    return np.asarray(
        target.viewpoints if not 0 <= deed.place_view < len(target.viewpoints) else target.viewpoints[[deed.place_view]]
    )


def _receptacle(episode: DoryEpisode, name: str) -> Any:
    for group in ("candidate_start_receps", "candidate_goal_receps"):
        names = episode.names.get(group, ())
        if name in names:
            return episode.candidates[group][names.index(name)]
    raise UserError(
        f"episode {episode.episode_id} does not describe the receptacle {name}", "loci eval findingdory --help"
    )


def _hand(robot: SimulatedRobot, verb: str, identity: str, episode: DoryEpisode) -> None:
    result = robot.interact(verb, object_id=identity)
    if not result.done:
        raise UserError(
            f"episode {episode.episode_id}: {verb} {identity}: {result.reason}", "loci eval findingdory --help"
        )


def _stamp(robot: SimulatedRobot) -> int:
    return int(robot.ground_truth()["stamp_ns"])


def _stamp_of_look(robot: SimulatedRobot) -> int:
    return int(robot.step("look").stamp_ns)


def with_times(entities: Sequence[Entity], seconds: Mapping[int, float]) -> tuple[Entity, ...]:
    """Entities with what took the shortest and the longest time marked."""
    if not seconds:
        return tuple(entities)
    marks = {min(seconds, key=lambda i: seconds[i]): "shortest_interaction_time"}
    longest = max(seconds, key=lambda i: seconds[i])
    return _marked(
        _marked(entities, {f"object/{i}": name for i, name in marks.items()}),
        {f"object/{longest}": "longest_interaction_time"},
    )


def with_distances(entities: Sequence[Entity], places: DoryPlaces) -> tuple[Entity, ...]:
    """Entities with those marked that are the farthest from where the robot is now."""
    groups = {
        "farthest_goal_rec": [e for e in entities if e.properties.get("goal_receptacle")],
        "farthest_start_rec": [e for e in entities if e.kind == "receptacle" and e.properties.get("start_receptacle")],
        "farthest_rec_interacted": [e for e in entities if e.kind == "receptacle" and e.properties["interacted"]],
        "farthest_rec_non_interacted": [
            e for e in entities if e.kind == "receptacle" and not e.properties["interacted"]
        ],
        "farthest_obj_interacted": [e for e in entities if e.kind == "object" and e.properties["interacted"]],
    }
    ways = {e.id: places.way_to(e.id) for e in {e.id: e for group in groups.values() for e in group}.values()}
    for name, group in groups.items():
        if group:
            entities = _marked(entities, {max((e.id for e in group), key=lambda i: ways[i] or 0.0): name})
    return tuple(entities)


def _marked(entities: Sequence[Entity], marks: Mapping[str, str]) -> tuple[Entity, ...]:
    return tuple(replace(e, properties={**e.properties, marks[e.id]: True}) if e.id in marks else e for e in entities)
