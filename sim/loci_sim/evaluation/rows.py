"""One row of tasks: the processes of a robot, a policy that drives it, and the scoring of every task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loci.errors import UserError
from loci.geometry import Array
from loci.replay import ANSWER_TIMEOUT, remove_memory, wait_until_ready
from loci.session import Session
from loci_sim.evaluation.chores import is_done
from loci_sim.evaluation.models import MODEL_FILE, ModelChoice, planner_of
from loci_sim.evaluation.phrasings import load_phrasings
from loci_sim.evaluation.questions import is_right
from loci_sim.evaluation.scoring import Attempt
from loci_sim.evaluation.suites import SUITES
from loci_sim.evaluation.tasks import Asked, Chore, Goal, MemoryUse, Question, Reply, Split, Stop, Task, TaskResult
from loci_sim.processes import MEMORY, simulation_processes, wait_for_first_image
from loci_sim.scenes import load_scene

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.robot import SimulatedRobot

#: A day and the tasks after it, in running processes; no memory: the planner uses none.
Day = Callable[[Session, "SimulatedRobot", "MemoryClient | None"], "list[TaskResult]"]
#: A robot that stops this near to a viewpoint, by path, has arrived [m].
SUCCESS_DISTANCE = 1.0
#: A remembered position that is no further outside of a thing's extent is that thing's [m].
SAME_THING = 0.2


@dataclass(frozen=True)
class RowSettings:
    """How a row is run.

    Attributes:
        suite: name.
        planner: "offline", "vision_language", "oracle" or "random".
        memory: what of it may be used.
        split: of the phrasings.
        phrasings: file with other ones; None: the built-in ones.
        seed: draws tasks and chance.
        n_tasks, max_steps: of a row, and actions for a task; two chores in a row have them twice.
        n_deeds: pick-and-places of a day (`recall`); None: drawn.
        success_distance: a robot that stops this near to a viewpoint, by path, has arrived [m].
        model: of the planner "vision_language".
    """

    suite: str
    planner: str
    memory: MemoryUse
    split: Split
    phrasings: str | None
    seed: int
    n_tasks: int
    max_steps: int
    n_deeds: int | None = None
    success_distance: float = SUCCESS_DISTANCE
    model: ModelChoice | None = None


def run_row(
    scene_name: str, row: int, settings: RowSettings, folder: Path, done: Callable[[TaskResult], None]
) -> list[TaskResult]:
    """Run a row of tasks in processes of its own.

    Args:
        scene_name: FAMILY:SEED or a path.
        row: 0 begins with a new memory, later ones with what is in ``folder``.
        folder: for memory and logs.
        done: called after every task.

    Raises:
        UserError: the scene has too little for so many tasks, or a process died.
    """
    scene = load_scene(scene_name)
    draw = SUITES[settings.suite].draw
    tasks: Sequence[Task] = ()
    if draw is not None:
        phrasings = load_phrasings(Path(settings.phrasings) if settings.phrasings else None)
        try:
            tasks = draw(scene, phrasings, settings.split, settings.seed, row, settings.n_tasks)
        except ValueError as error:
            raise UserError(str(error), f"loci eval {settings.suite} --tasks N ...") from error
    if row == 0:
        remove_memory(folder / MEMORY)
    simulator = {"scene": scene_name, **SUITES[settings.suite].simulator}
    day: Day | None = None
    if draw is None:
        from loci_sim.evaluation.recall_rows import run_recall

        def day(session: Session, robot: SimulatedRobot, memory: MemoryClient | None) -> list[TaskResult]:
            return run_recall(session, robot, memory, scene, scene_name, row, settings, done)

    return run_tasks(scene_name, scene.map_id, row, tasks, settings, folder, done, simulator, day=day)


def run_tasks(
    scene_name: str,
    map_id: str,
    row: int,
    tasks: Sequence[Task],
    settings: RowSettings,
    folder: Path,
    done: Callable[[TaskResult], None],
    simulator: Mapping[str, Any],
    starts: Mapping[int, Array] | None = None,
    day: Day | None = None,
) -> list[TaskResult]:
    """Run tasks one after the other in processes of their own.

    Args:
        scene_name: for the results.
        map_id: of the simulator's map.
        row, settings, folder, done: as in `run_row`.
        simulator: parameters of the simulator's node, with its ``scene``.
        starts: T_map_base (4, 4) that the robot is put at before a task, by the task's index; others begin where the last one
            ended. With the first start given, the memory begins empty there.
        day: does a day and the tasks after it (`recall`) instead of ``tasks``; without a memory if the planner uses none.

    Raises:
        UserError: a process died.
    """
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.policies import OraclePolicy, Policy, RandomPolicy, RememberingPolicy, offline_planner
    from loci_sim.evaluation.precise import PreciseOracle
    from loci_sim.evaluation.robot import SimulatedRobot
    from loci_sim.evaluation.witness import Witness

    starts = starts or {}
    processes = simulation_processes(
        folder, simulator["scene"], map_id, planner=False, simulator={**simulator, "seed": settings.seed}
    )
    remembers = settings.planner in ("offline", "vision_language")
    if not remembers:
        processes = [p for p in processes if p.name == "simulator"]
    retry = f"loci eval {settings.suite} --help"
    with Session(processes, folder / "logs", retry=retry) as session, SimulatedRobot() as robot:
        session.wait_for(robot.is_ready, "starting the simulator", 180.0, "simulator")

        def run_all(new_policy: Callable[[int], Policy], witness: Witness | None = None) -> list[TaskResult]:
            policy, results = new_policy(0), []
            for i, task in enumerate(tasks):
                session.check()
                if i in starts:
                    # What a policy was on its way to is somewhere else now.
                    policy = new_policy(i)
                    x, y, z = starts[i][:3, 3].tolist()
                    robot.put(x, y, heading_of(starts[i]), z=z)
                results.append(_run_task(robot, policy, scene_name, row, i, task, settings, done, witness))
            return results

        if day is not None and not remembers:
            return day(session, robot, None)
        if settings.planner == "oracle":
            precise = any(isinstance(t, Goal) and t.viewpoints is not None for t in tasks)
            oracle = PreciseOracle(robot, settings.success_distance) if precise else OraclePolicy(robot)
            return run_all(lambda i: oracle)
        if not remembers:
            return run_all(lambda i: RandomPolicy(robot, settings.seed + i))
        with (
            MemoryClient(timeout=ANSWER_TIMEOUT) as memory,
            planner_of(settings.model, offline_planner(), folder / f"{MODEL_FILE}-{row}.json") as planner,
        ):
            wait_until_ready(session, memory)
            wait_for_first_image(session, memory, robot)
            if day is not None:
                return day(session, robot, memory)
            if 0 in starts:
                memory.clear()  # of the image that it was waited for
            witness = Witness(robot, memory, planner, settings.memory == "none")
            results = run_all(lambda i: RememberingPolicy(memory, witness.planner, robot, settings.memory), witness)
            memory.save()
            return results


def heading_of(T_map_base: Array) -> float:
    """Heading [rad] about the map's z axis, 0 along x, of a base (4, 4) that may be tilted a little."""
    return float(np.arctan2(T_map_base[1, 0], T_map_base[0, 0]))


def _run_task(  # type: ignore[no-untyped-def]
    robot, policy, scene_name: str, row: int, index: int, task: Task, settings: RowSettings, done, witness
) -> TaskResult:
    """Let a policy carry out a task, and score what it came to."""
    known = task.viewpoints if isinstance(task, Goal) else None
    truth = robot.ground_truth(task.object_ids)["viewpoints"] if known is None else {"": known}
    viewpoints = [p for points in truth.values() for p in points]
    shortest = robot.nearest(viewpoints)
    policy.begin_task()
    if witness is not None:
        witness.begin()
    n_explorations = policy.n_explorations
    queries: list[tuple[bool, Asked]] = []  # whether it was answered rightly
    steps = task.steps if isinstance(task, Chore) else ()

    def asked(query: Asked) -> None:
        needed = [i for s in steps for i in (*s.object_ids, *s.target_ids)]
        queries.append((_is_at(query, robot.ground_truth()["objects"], needed), query))
        if witness is not None:
            witness.note(query)

    attempt = Attempt(robot, viewpoints)
    ended: Stop | Reply
    if isinstance(task, Chore):
        ended = policy.carry_out(task, settings.max_steps * len(task.steps), asked)
    elif isinstance(task, Goal):
        ended = policy.seek(task, settings.max_steps)
    else:
        ended = policy.answer(task, settings.max_steps)
    attempt.end()
    if isinstance(task, Question):
        assert isinstance(ended, Reply)
        success = ended.claims and is_right(ended.answer, task)
    elif isinstance(task, Chore):
        objects = {o["id"]: o for o in robot.ground_truth()["objects"]}
        success = ended.claims and all(is_done(s, objects) for s in task.steps)
    else:
        success = ended.claims and 0.0 <= attempt.distance <= settings.success_distance
    result = attempt.result(
        scene_name,
        row,
        index,
        task,
        ended,
        shortest.length if shortest is not None else None,
        success=success,
        answer=ended.answer if isinstance(ended, Reply) else "",
        truth=" or ".join(task.accepted) if isinstance(task, Question) else "",
        n_images=ended.n_images if isinstance(ended, Reply) else 0,
        n_explorations=policy.n_explorations - n_explorations,
        n_queries=len(queries),
        n_right_queries=sum(right for right, _ in queries),
        n_short_term=sum(q.from_short_term for _, q in queries),
        n_waited=sum(q.waited for _, q in queries),
        facts=witness.facts(task, ended) if witness is not None and not success else None,
    )
    done(result)
    return result


def _is_at(query: Asked, objects: Sequence[Mapping[str, Any]], needed: Sequence[str]) -> bool:
    """Whether the first answer to a question lies at one of the things that were needed."""
    if query.position is None:
        return False
    for o in objects:
        if o["id"] in needed:
            offset = np.linalg.norm(np.subtract(query.position, np.array(o["T_map_box"])[:3, 3]))
            if offset <= float(np.linalg.norm(o["size"])) / 2 + SAME_THING:
                return True
    return False
