"""`loci demo`: explores a simulated apartment over DDS, asks five questions through the ROS services, writes a report.

The simulator is a process like any other: it is driven by the services `step` and `get_robot_pose`, and the memory knows of it
only what its topics say. What is true of the scene is used to draw the questions and to judge the answers, for nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loci.errors import UserError
from loci.replay import ANSWER_TIMEOUT, node_processes, remove_memory, wait_until_ready
from loci.saved import open_saved, print_evidence
from loci.session import Session
from loci_sim import exam, scenes
from loci_sim.processes import MEMORY, OBJECT_RANGE, simulation_processes, wait_for_first_image

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci.planning.exploration import ExplorationProgress
    from loci.report import ReportAnswer

#: Stamp [ns], x [m], y [m], heading [rad] of the robot.
Trace = tuple[int, float, float, float]

RECORD = "demo.json"


@dataclass(frozen=True)
class Explored:
    """How the exploration went."""

    n_steps: int
    n_collisions: int
    n_given_up: int
    outcome: str
    seconds: float


def run_demo(
    seed: int = 0,
    resume: bool = False,
    out: Path = Path("out/demo"),
    max_steps: int = 1500,
    *,
    scene_name: str = "",
    simulator: str = "embedded",
    habitat_python: str = "",
) -> int:
    """Run the demo; returns the exit status: 0 if it explored everything, or, resumed, answered as before.

    Wrong answers are shown as such, and are no failure to run.

    Args:
        seed: of the questions, and of the apartment unless ``scene_name`` says otherwise.
        scene_name: FAMILY:SEED or a .glb with its .json: what is true of it decides which answers are right.
        simulator: embedded or habitat.
        habitat_python: for habitat: interpreter with habitat_sim.

    Raises:
        UserError: a process died, there is no such scene, habitat_sim is missing, or there is nothing to resume.
    """
    began = time.monotonic()
    given_options = {"simulator": simulator if simulator != "embedded" else "", "scene": scene_name}
    retry = "loci demo" + (f" --seed {seed}" if seed else "") + (f" --out {out}" if out != Path("out/demo") else "")
    retry += "".join(f" --{name} {value}" for name, value in given_options.items() if value)
    record = _read_record(out, retry) if resume else {}
    seed = int(record.get("seed", seed))
    scene_name = str(record.get("scene", scene_name)) or f"apartment:{seed}"
    from loci.environment import ensure_ros_environment

    ensure_ros_environment()
    try:
        scene = scenes.load_scene(scene_name)
    except (scenes.SceneError, ValueError) as error:
        raise UserError(str(error), "loci demo --seed 0") from error
    if not resume:
        if simulator == "habitat":
            _check_habitat(habitat_python, retry)
        remove_memory(out / MEMORY)
        (out / RECORD).unlink(missing_ok=True)
    if resume:
        processes = node_processes(out, MEMORY, scene.map_id, object_max_range=OBJECT_RANGE)
    else:
        chosen = {"simulator": simulator, "habitat_python": habitat_python}
        processes = simulation_processes(out, scene_name, scene.map_id, simulator=chosen)
    names = ", ".join(p.name for p in processes)
    print(f"starting {names} over DDS; logs in {out / 'logs'}", flush=True)
    explored: Explored | None = None
    trace: list[Trace] = [tuple(point) for point in record.get("trace", ())]
    with Session(processes, out / "logs", retry=retry) as session:
        print(f"on ROS_DOMAIN_ID={session.domain}, this machine only", flush=True)
        from loci.nodes.client import MemoryClient

        with MemoryClient(timeout=ANSWER_TIMEOUT) as client:
            wait_until_ready(session, client)
            if not resume:
                explored, trace = _explore(session, client, max_steps)
                client.save()
            tasks = exam.make_exam(scene, seed, [exam.TracePoint(*point) for point in trace])
            answers = _ask(session, client, tasks)
            client.save()
    if explored is not None:
        record = {"seed": seed, "scene": scene_name, "explored": asdict(explored), "trace": trace}
    page = _report(out, scene, answers, record, time.monotonic() - began)
    same = _compare(record, answers) if resume else True
    if not resume:
        record["answers"] = [{"question": a.question, "answer": a.answer} for a in answers]
        (out / RECORD).write_text(json.dumps(record) + "\n")
    n_right = sum(bool(a.correct) for a in answers)
    print(
        f"\n{n_right} of {len(answers)} answers are right"
        + ("" if not resume else ", the same as before" if same else ", NOT the same as before")
    )
    if explored is not None and explored.outcome != "complete":
        print(f"exploration ended early: {explored.outcome}", file=sys.stderr)
    print(f"memory  {out / MEMORY}\nreport  {page}\ntook    {time.monotonic() - began:.0f} s")
    return 0 if same and (explored is None or explored.outcome == "complete") else 1


def _check_habitat(python: str, retry: str) -> None:
    """See whether habitat_sim can be used, before everything else is started.

    Raises:
        UserError: it cannot.
    """
    from loci_sim.habitat.process import HabitatError, WorkerProcess

    try:
        WorkerProcess(python).close()
    except HabitatError as error:
        raise UserError(str(error), f"{retry} --habitat-python ~/miniconda3/envs/habitat/bin/python") from error


def _explore(session: Session, client: MemoryClient, max_steps: int) -> tuple[Explored, list[Trace]]:
    """Explore until nothing reachable is left unknown, with a progress bar."""
    from tqdm import tqdm

    from loci.nodes.client import MemoryServiceError
    from loci.nodes.stepped_robot import RobotServiceError, SteppedRobot
    from loci.planning.exploration import ExplorationParameters, explore

    began = time.monotonic()
    with SteppedRobot() as robot, tqdm(total=100, unit="%", file=sys.stderr, disable=None, bar_format=_BAR) as bar:
        session.wait_for(robot.is_ready, "starting the simulator", 180.0, "simulator")
        wait_for_first_image(session, client, robot)
        last: ExplorationProgress | None = None
        try:
            for last in explore(client, robot, ExplorationParameters(max_steps=max_steps)):
                session.check()
                _show(bar, last)
        except (RobotServiceError, MemoryServiceError, TimeoutError) as error:
            session.check()  # a dead process says more
            raise session.failure(f"exploring stopped: {error}", "memory") from error
        assert last is not None
        if last.outcome == "nothing seen":
            raise session.failure("the memory took in no image: the log of perception tells why", "perception")
        bar.n = 100
        bar.refresh()
        explored = Explored(last.n_steps, last.n_collisions, last.n_given_up, last.outcome, time.monotonic() - began)
        trace = list(robot.trace)
    print(
        f"explored in {explored.n_steps} steps, {explored.seconds:.0f} s ({explored.n_steps / explored.seconds:.1f} steps/s), "
        f"{explored.n_collisions} collisions: {explored.outcome}",
        flush=True,
    )
    return explored, trace


_BAR = "{desc:34}{percentage:3.0f}%|{bar}| {elapsed}{postfix}"


def _show(bar: Any, progress: ExplorationProgress) -> None:
    """The share explored can only be estimated: steps done against those that frontiers of this size usually take."""
    expected = progress.n_steps + 12.0 * progress.n_frontiers + 4.0 * progress.unexplored_area + 20.0
    bar.n = max(bar.n, min(99, round(100.0 * progress.n_steps / expected)))
    bar.set_description_str(progress.stage[:32], refresh=False)
    bar.set_postfix_str(
        f"step {progress.n_steps}, {progress.n_frontiers} frontiers, {progress.unexplored_area:.1f} m2 of border",
        refresh=False,
    )
    bar.update(0)


def _ask(session: Session, client: MemoryClient, tasks: Sequence[Any]) -> list[ReportAnswer]:
    """Ask every question of the planner node, judge and print the answers."""
    from tqdm import tqdm

    from loci.nodes.client import MemoryServiceError
    from loci.report import ReportAnswer

    answers = []
    for task in tqdm(tasks, desc="asking", unit="question", file=sys.stderr, disable=None, leave=False):
        began = time.perf_counter()
        try:
            answer = client.ask(task.question, with_images=True)
        except (MemoryServiceError, TimeoutError) as error:
            session.check()
            raise session.failure(f"asking {task.question!r} failed: {error}", "planner") from error
        took_ms = (time.perf_counter() - began) * 1e3
        verdict = task.judge(answer)
        answers.append(
            ReportAnswer(
                task.question,
                answer.answer,
                answer.known,
                answer.confidence,
                answer.evidence,
                verdict.correct,
                verdict.truth,
                took_ms,
            )
        )
        mark = "right" if verdict.correct else f"WRONG: the truth is: {verdict.truth}"
        tqdm.write(
            f"\n{task.question}\n  {answer.answer}\n  [{mark}; confidence {answer.confidence:.2f}, {took_ms:.0f} ms]"
        )
        print_evidence(answer.evidence[:4])
    return answers


def _report(
    out: Path, scene: scenes.Scene, answers: Sequence[ReportAnswer], record: dict[str, Any], seconds: float
) -> Path:
    """Write the report from the saved memory, opened read-only."""
    from loci.report import collect, write_report

    explored = record["explored"]
    with open_saved(str(out / MEMORY), scene.map_id) as memory:
        data = collect(
            memory,
            title=f"Loci: {scene.name} {scene.seed}",
            subtitle="explored by frontiers in simulation; all processes over DDS, detections given by the simulator without ids",
            answers=answers,
            figures=(
                ("steps", str(explored["n_steps"])),
                ("steps/s", f"{explored['n_steps'] / max(explored['seconds'], 1e-9):.1f}"),
                ("answers right", f"{sum(bool(a.correct) for a in answers)} of {len(answers)}"),
                ("in all", f"{seconds:.0f} s"),
            ),
            commands=(
                ("ask it something", f'loci query {out / MEMORY} "where is the sofa?"'),
                ("what it holds", f"loci info {out / MEMORY} --graph"),
                ("ask the same again, without exploring", f"loci demo --resume --out {out}"),
                ("as files that need no Loci", f"loci export {out / MEMORY} --out exported"),
            ),
        )
        return write_report(data, out)


def _read_record(out: Path, retry: str) -> dict[str, Any]:
    """What the run to be resumed has left.

    Raises:
        UserError: nothing usable.
    """
    try:
        record = json.loads((out / RECORD).read_text())
        if not {"seed", "explored", "trace", "answers"} <= set(record):
            raise ValueError("parts are missing")
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"nothing to resume in {out}: no finished demo there ({error})", retry) from error
    return dict(record)


def _compare(record: dict[str, Any], answers: Sequence[ReportAnswer]) -> bool:
    """Whether the answers are those of the run that was resumed; prints those that are not."""
    before = {a["question"]: a["answer"] for a in record["answers"]}
    same = True
    for a in answers:
        if before.get(a.question) != a.answer:
            print(f"\n{a.question}\n  before: {before.get(a.question)}\n  now:    {a.answer}", file=sys.stderr)
            same = False
    return same
