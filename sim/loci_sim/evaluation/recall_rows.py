"""One row of the suite `recall`: the day in the running processes, the tasks drawn from it, and their scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from loci.errors import UserError
from loci.planning.protocols import Point
from loci.session import Session
from loci_sim.evaluation.carrying import SOURCE, carry_out_day
from loci_sim.evaluation.datasets.memory_metrics import chose_right
from loci_sim.evaluation.day import draw_day, things_of
from loci_sim.evaluation.phrasings import load_phrasings
from loci_sim.evaluation.policies import offline_planner
from loci_sim.evaluation.recall import chosen_id, draw_revisits, shortest_tour
from loci_sim.evaluation.revisiting import OracleRevisitor, RandomRevisitor, RememberingRevisitor, Revisitor
from loci_sim.evaluation.robot import SimulatedRobot
from loci_sim.evaluation.scoring import Attempt
from loci_sim.evaluation.tasks import Choice, Revisit, TaskResult
from loci_sim.evaluation.witness import Witness
from loci_sim.scenes import Scene, SceneThing

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.rows import RowSettings

#: A robot that stops this near to a viewpoint, by path, has arrived [m].
SUCCESS_DISTANCE = 1.0
#: Points of a room that a way to it may end at [m]; none nearer to its walls than half of it.
_ROOM_GRID = 0.5


class TruePlaces(Protocol):
    """What scoring knows of things and rooms by their ids."""

    def points(self, identity: str, /) -> Sequence[Sequence[float]]:
        """Points (x, y, z) [m] from where it counts as reached."""

    def choice(self, identity: str) -> Choice:
        """What somebody who knows says of it."""

    def chosen(self, choice: Choice) -> str:
        """Id of what a robot means by what it says; empty: nothing is there."""

    def is_at(self, ids: Sequence[str]) -> bool:
        """Whether the robot is at one of them."""


class Places:
    """Where things and rooms are, after the day: ground truth.

    Attributes:
        things: by id, where they are now.
    """

    def __init__(self, robot: SimulatedRobot, scene: Scene) -> None:
        self._robot, self._rooms, self.scene = robot, {r.id: r for r in scene.rooms}, scene
        self.things: dict[str, SceneThing] = things_of(scene, robot.ground_truth())
        self.points = cache(self._points)

    def _points(self, identity: str) -> tuple[tuple[float, float, float], ...]:
        """From where a thing is seen from near by, or points of a room, (x, y, z) [m]."""
        room = self._rooms.get(identity)
        if room is None:
            found = self._robot.ground_truth([identity])["viewpoints"][identity]
            return tuple((float(x), float(y), float(z)) for x, y, z in found)
        low, high = room.polygon.min(axis=0) + _ROOM_GRID / 2, room.polygon.max(axis=0) - _ROOM_GRID / 2
        xs, ys = (np.arange(low[i], high[i] + 1e-6, _ROOM_GRID) for i in (0, 1))
        return tuple((float(x), float(y), room.z) for x in xs for y in ys if room.contains(float(x), float(y)))

    def can_reach(self, identity: str) -> bool:
        """Whether there is a way to a thing or room."""
        return self._robot.nearest(self.points(identity)) is not None

    def choice(self, identity: str) -> Choice:
        """What somebody who knows says of a thing or room."""
        if identity in self._rooms:
            return Choice(self._rooms[identity].name, self._robot.position(), is_room=True)
        thing = self.things[identity]
        x, y, z = (float(v) for v in thing.center)
        return Choice(thing.category, (x, y, z))

    def chosen(self, choice: Choice) -> str:
        """Id of the thing or room that a robot means by what it says; empty: nothing is there."""
        return chosen_id(choice, self.scene, self.things)

    def is_at(self, ids: Sequence[str]) -> bool:
        """Whether the robot is within `SUCCESS_DISTANCE` of one of some things, by path, or in one of some rooms."""
        x, y, z = self._robot.position()
        room = self.scene.room_at(x, y, z)
        if room is not None and room.id in ids:
            return True
        found = self._robot.nearest([p for i in ids if i not in self._rooms for p in self.points(i)])
        return found is not None and found.length <= SUCCESS_DISTANCE


def run_recall(
    session: Session,
    robot: SimulatedRobot,
    memory: MemoryClient | None,
    scene: Scene,
    scene_name: str,
    row: int,
    settings: RowSettings,
    done: Callable[[TaskResult], None],
) -> list[TaskResult]:
    """The day, then its tasks one by one.

    Args:
        memory: of the robot, over its services; None: an oracle or random walker has none.

    Raises:
        UserError: a process died, or the day could not be done, or is too short for so many tasks.
    """

    def tell(text: str, labels: Sequence[str], position: Point, state: str, stamp_ns: int) -> None:
        if memory is not None:
            # What the hand did happened after everything that was seen until then.
            wait(stamp_ns)
            memory.remember(text, SOURCE, labels=labels, position=position, state=state)

    def wait(stamp_ns: int) -> None:
        session.check()
        if memory is not None:
            memory.statistics(min_stamp_ns=stamp_ns)

    plan = draw_day(scene, settings.seed, row, settings.n_deeds)
    day = carry_out_day(robot, plan, tell, wait if memory is not None else None)
    places = Places(robot, scene)
    phrasings = load_phrasings(Path(settings.phrasings) if settings.phrasings else None)
    o = settings
    try:
        tasks = draw_revisits(scene, day, places.things, places.can_reach, phrasings, o.split, o.seed, row, o.n_tasks)
    except ValueError as error:
        raise UserError(str(error), f"loci eval {o.suite} --tasks N ...") from error
    if memory is not None:
        memory.save()
    revisit = revisitor(robot, memory, places, settings)
    witness = Witness(robot, memory, offline_planner(), settings.memory == "none") if memory is not None else None
    results = []
    for i, task in enumerate(tasks):
        session.check()
        results.append(run_revisit(robot, revisit, places, scene_name, row, i, task, settings, witness))
        done(results[-1])
    if memory is not None:
        memory.save()
    return results


def revisitor(
    robot: SimulatedRobot, memory: MemoryClient | None, places: TruePlaces, settings: RowSettings
) -> Revisitor:
    if memory is not None:
        return RememberingRevisitor(memory, offline_planner(), robot, settings.memory)
    if settings.planner == "oracle":
        return OracleRevisitor(robot, places.points, places.choice)
    return RandomRevisitor(robot, settings.seed)


def run_revisit(
    robot: SimulatedRobot,
    revisit: Revisitor,
    places: TruePlaces,
    scene_name: str,
    row: int,
    index: int,
    task: Revisit,
    settings: RowSettings,
    witness: Witness | None = None,
) -> TaskResult:
    """Let a robot carry out a task, and score what it came to."""
    goals = [[p for i in ids for p in places.points(i)] for ids in task.targets]
    tour = shortest_tour(robot.way, goals, task.ordered)
    chosen: list[str] = []
    # At each stop the numbers of the goals that are reached there.
    reached: list[set[int]] = []

    def arrived(choice: Choice) -> None:
        chosen.append(places.chosen(choice))
        reached.append({i for i, ids in enumerate(task.targets) if places.is_at(ids)})

    if witness is not None:
        witness.begin()
    attempt = Attempt(robot, [p for points in goals for p in points])
    ended = revisit(task, settings.max_steps, arrived)
    attempt.end()
    right = ended.claims and chose_right(chosen, task.targets, task.ordered)
    stops = [str(i) for i in range(len(reached))]
    at = [[s for s, there in zip(stops, reached, strict=True) if i in there] for i in range(len(goals))]
    success = right and chose_right(stops, at, task.ordered)
    joint = ", then " if task.ordered else " and "
    return attempt.result(
        scene_name,
        row,
        index,
        task,
        ended,
        tour[1] if tour is not None else None,
        success=success,
        answer=joint.join(i or "nothing known" for i in chosen) or "nothing",
        truth=joint.join(" or ".join(ids) for ids in task.targets),
        chose_right=right,
        facts=witness.facts(task, ended, chosen) if witness is not None and not success else None,
    )
