"""One row of goals: the processes of a robot, a policy that drives it, and the scoring of every goal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loci.replay import ANSWER_TIMEOUT, remove_memory, wait_until_ready
from loci.session import Session
from loci_sim.evaluation.goals import draw_goals
from loci_sim.evaluation.phrasings import load_phrasings
from loci_sim.evaluation.tasks import Goal, GoalResult, MemoryUse, Split
from loci_sim.processes import MEMORY, simulation_processes, wait_for_first_image
from loci_sim.scenes import load_scene

#: A robot that stops this near to a viewpoint, by path, has arrived [m].
SUCCESS_DISTANCE = 1.0


@dataclass(frozen=True)
class RowSettings:
    """How a row is run.

    Attributes:
        planner: "scripted", "oracle" or "random".
        memory: what of it may be used.
        split: of the phrasings.
        phrasings: file with other ones; None: the built-in ones.
        seed: draws goals and chance.
        n_goals, max_steps: of a row, and actions for a goal.
    """

    planner: str
    memory: MemoryUse
    split: Split
    phrasings: str | None
    seed: int
    n_goals: int
    max_steps: int


def run_row(
    scene_name: str, row: int, settings: RowSettings, folder: Path, done: Callable[[GoalResult], None]
) -> list[GoalResult]:
    """Run a row of goals in processes of its own.

    Args:
        scene_name: FAMILY:SEED or a path.
        row: 0 begins with a new memory, later ones with what is in ``folder``.
        folder: for memory and logs.
        done: called after every goal.

    Raises:
        UserError: a process died.
    """
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.policies import OraclePolicy, RandomPolicy, ScriptedPolicy
    from loci_sim.evaluation.robot import SimulatedRobot

    scene = load_scene(scene_name)
    goals = draw_goals(
        scene,
        load_phrasings(Path(settings.phrasings) if settings.phrasings else None),
        settings.split,
        settings.seed,
        row,
        settings.n_goals,
    )
    if row == 0:
        remove_memory(folder / MEMORY)
    processes = simulation_processes(folder, scene_name, scene.map_id)
    remembers = settings.planner == "scripted"
    if not remembers:
        processes = [p for p in processes if p.name == "simulator"]
    retry = "loci eval goals --help"
    with Session(processes, folder / "logs", retry=retry) as session, SimulatedRobot() as robot:
        session.wait_for(robot.is_ready, "starting the simulator", 180.0, "simulator")
        if not remembers:
            policy = OraclePolicy(robot) if settings.planner == "oracle" else RandomPolicy(robot, settings.seed)
            return [_run_goal(robot, policy, scene_name, row, i, g, settings, done) for i, g in enumerate(goals)]
        with MemoryClient(timeout=ANSWER_TIMEOUT) as memory:
            wait_until_ready(session, memory)
            wait_for_first_image(session, memory, robot)
            scripted = ScriptedPolicy(memory, robot, settings.memory)
            results = []
            for i, goal in enumerate(goals):
                session.check()
                results.append(_run_goal(robot, scripted, scene_name, row, i, goal, settings, done))
            memory.save()
            return results


def _run_goal(  # type: ignore[no-untyped-def]
    robot, policy, scene_name: str, row: int, index: int, goal: Goal, settings: RowSettings, done
) -> GoalResult:
    """Let a policy seek a goal, and score where it stops."""
    viewpoints = [p for points in robot.ground_truth(goal.object_ids)["viewpoints"].values() for p in points]
    shortest = robot.nearest(viewpoints)
    policy.begin_goal()
    robot.forget_trace()
    start, n_collisions = robot.position(), robot.n_collisions
    began = time.monotonic()
    stop = policy.seek(goal, settings.max_steps)
    seconds = time.monotonic() - began
    left = robot.nearest(viewpoints)
    trace = np.array([start[:2], *((x, y) for _, x, y, _ in robot.trace)])
    # Standing and turning leave no trace.
    moved = np.concatenate([[True], np.any(np.diff(trace, axis=0) != 0.0, axis=1)])
    result = GoalResult(
        scene=scene_name,
        row=row,
        index=index,
        kind=goal.kind,
        text=goal.text,
        object_ids=goal.object_ids,
        claimed=stop.claims,
        success=stop.claims and left is not None and left.length <= SUCCESS_DISTANCE,
        shortest=shortest.length if shortest is not None else 0.0,
        travelled=float(np.sum(np.linalg.norm(np.diff(trace, axis=0), axis=1))),
        distance=left.length if left is not None else -1.0,
        n_steps=len(robot.trace),
        seconds=round(seconds, 2),
        n_collisions=robot.n_collisions - n_collisions,
        reason=stop.reason,
        trace=tuple((round(float(x), 3), round(float(y), 3)) for x, y in trace[moved]),
        viewpoints=tuple((round(float(p[0]), 3), round(float(p[1]), 3)) for p in viewpoints),
    )
    done(result)
    return result
