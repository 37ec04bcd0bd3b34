"""`loci eval objectnav`, `goat` and `aeqa`: episodes of public benchmarks in Habitat, with their own measures.

The user has the files. Scenes, episodes and viewpoints are the benchmark's; the robot, its camera and its navmesh are Loci's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from loci.errors import UserError
from loci_sim.evaluation import answers
from loci_sim.evaluation.benchmark_measures import Measured, measure, table
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.metrics import GOAT_SUCCESS_DISTANCE, OBJECTNAV_SUCCESS_DISTANCE
from loci_sim.evaluation.datasets.openeqa import read_questions
from loci_sim.evaluation.datasets.selection import Benchmark, Group, OpenableScene, aeqa_file, choose_groups, locate
from loci_sim.evaluation.graders import ExactMatch, NamedGrader
from loci_sim.evaluation.pictures import prepare_goals
from loci_sim.evaluation.report import write_page
from loci_sim.evaluation.rows import RowSettings, run_tasks
from loci_sim.evaluation.run import EPISODES, open_results, write_results
from loci_sim.evaluation.tasks import MemoryUse, TaskResult

TITLES: dict[Benchmark, str] = {
    "objectnav": "ObjectNav",
    "goat": "GOAT-Bench",
    "aeqa": "A-EQA",
    "findingdory": "FindingDory",
}
#: Answers to questions have none.
SUCCESS_DISTANCES: dict[Benchmark, float] = {
    "objectnav": OBJECTNAV_SUCCESS_DISTANCE,
    "goat": GOAT_SUCCESS_DISTANCE,
    "aeqa": 0.0,
    "findingdory": 0.0,
}
#: Viewpoints are kept for the report once in so many metres.
_DRAWN = 0.25


@dataclass(frozen=True)
class BenchmarkOptions:
    """What `loci eval objectnav`, `goat` or `aeqa` was told.

    Attributes:
        benchmark: name.
        data, split: files of episodes; scenes: only of these; n_episodes: so many; None: all.
        scenes_dir, scene_dataset: where the scenes lie; see `locate`.
        habitat_python: interpreter with habitat_sim; empty: the usual one.
        planner, seed, max_steps: as in `RowSettings`.
        memory: "none": cleared at each goal; "full": kept within a GOAT-Bench episode, and in ObjectNav and A-EQA from one
            episode of a scene to the next, which no official figure does.
        success_distance: to a viewpoint [m]; None: the benchmark's.
        out: folder.
        grader: marks answers (A-EQA): what was answered does not depend on it.
        objects_dir: models of what FindingDory adds to scenes; None: the usual place.
        shortest: file with the shortest ways to answers (A-EQA), see `answers.read_shortest`; None: they are not known.
    """

    benchmark: Benchmark
    data: Path
    split: str = "val"
    scenes: tuple[str, ...] = ()
    n_episodes: int | None = None
    scenes_dir: Path | None = None
    scene_dataset: Path | None = None
    habitat_python: str = ""
    planner: str = "offline"
    memory: MemoryUse = "none"
    seed: int = 0
    max_steps: int = 500
    success_distance: float | None = None
    out: Path = Path("out/eval/objectnav")
    grader: NamedGrader = field(default_factory=ExactMatch)
    shortest: Path | None = None
    objects_dir: Path | None = None

    @property
    def near(self) -> float:
        """Distance to a viewpoint that a stop must be nearer than [m]."""
        return SUCCESS_DISTANCES[self.benchmark] if self.success_distance is None else self.success_distance

    @property
    def are_independent(self) -> bool:
        """Whether a goal does not depend on those before it, so that a group can be gone on with in its middle."""
        return self.benchmark != "goat" and (self.planner == "oracle" or self.memory == "none")


def run_benchmark(options: BenchmarkOptions) -> int:
    """Run episodes and write their measures; returns the exit status.

    Raises:
        UserError: files, scenes or habitat_sim are missing, ``out`` holds results of other options, or a process died.
    """
    from tqdm import tqdm

    from loci.environment import ensure_ros_environment

    ensure_ros_environment()
    shortest = answers.read_shortest(options.shortest) if options.shortest is not None else None
    groups, scenes = find_all(options)
    mine = {**described(options), "scenes": [g.name for g in groups]}
    done = open_results(options.out, mine, options.benchmark)
    done = [r for g in groups for r in _left(g, done, options)]
    write_results(options.out, done)
    total = sum(len(g.goals) for g in groups)
    if done:
        print(f"going on: {len(done)} of {total} goals are done in {options.out}", flush=True)
    with tqdm(
        total=total, initial=len(done), unit="goal", desc=options.benchmark, file=sys.stderr, disable=None
    ) as bar:
        for group in groups:
            known = {(r.episode, r.index) for r in done if r.scene == group.scene.scene_id}
            if any((g.episode_id, i) not in known for i, g in enumerate(group.goals)):

                def finished(result: TaskResult) -> None:
                    done.append(result)
                    write_results(options.out, done)
                    bar.update(1)

                _run_group(group, scenes[group.name], known, options, finished)
    order = {g.scene.scene_id: i for i, g in enumerate(groups)}
    done.sort(key=lambda r: order[r.scene])
    write_results(options.out, done)
    if options.benchmark == "aeqa":
        return _finish_answers(options, done, shortest)
    return _finish(options, done)


def find_all(options: BenchmarkOptions) -> tuple[list[Group], dict[str, OpenableScene]]:
    """The chosen episodes in groups, and their scenes by the groups' names: what is missing is noticed before anything runs.

    Raises:
        UserError: files of episodes, a scene or habitat_sim are missing.
    """
    suite, o = options.benchmark, options
    try:
        groups = choose_groups(suite, o.data, o.split, o.scenes, o.n_episodes)
    except DatasetError as error:
        raise UserError(str(error), f"loci eval {suite} --data DIR --split SPLIT") from error
    scenes = {g.name: locate(g.scene, o.scenes_dir, o.scene_dataset, suite) for g in groups}
    need_habitat(o)
    return groups, scenes


def need_habitat(options: BenchmarkOptions) -> None:
    """Raises UserError: there is no interpreter with habitat_sim."""
    from loci_sim.habitat.process import HabitatError, WorkerProcess

    try:
        WorkerProcess(options.habitat_python).close()
    except HabitatError as error:
        raise UserError(str(error), f"loci eval {options.benchmark} --habitat-python PATH ...") from error


def _left(group: Group, done: Sequence[TaskResult], options: BenchmarkOptions) -> list[TaskResult]:
    """Results of a group that still hold: an interrupted row begins anew, unless its goals are independent."""
    wanted = {(g.episode_id, i) for i, g in enumerate(group.goals)}
    found = [r for r in done if r.scene == group.scene.scene_id and (r.episode, r.index) in wanted]
    return found if options.are_independent or len(found) == len(wanted) else []


def _run_group(
    group: Group, scene: OpenableScene, known: set[tuple[str, int]], options: BenchmarkOptions, finished: Any
) -> None:
    """Run the goals of a group that are not known yet, in processes of their own."""
    from loci.nodes.stepped_robot import RobotServiceError
    from loci.replay import remove_memory
    from loci_sim.processes import MEMORY

    todo = [(i, g) for i, g in enumerate(group.goals) if (g.episode_id, i) not in known]
    map_id, goals = prepare_goals(
        [g for _, g in todo], scene, options.benchmark, options.planner, options.habitat_python
    )
    folder = options.out / "runs" / "".join(c if c.isalnum() else "-" for c in group.name)
    remove_memory(folder / MEMORY)
    settings = RowSettings(
        options.benchmark,
        options.planner,
        options.memory,
        "dev",
        None,
        options.seed,
        len(goals),
        options.max_steps,
        # Nearer than, not as near as.
        success_distance=float(np.nextafter(options.near, 0.0)),
    )
    simulator = {
        "simulator": "habitat",
        "scene": scene.scene,
        "scene_dataset": scene.dataset,
        "habitat_python": options.habitat_python,
    }

    def done(result: TaskResult) -> None:
        i, g = todo[result.index]
        cells = {(round(x / _DRAWN), round(y / _DRAWN)): (x, y) for x, y in result.viewpoints}
        finished(replace(result, index=i, episode=g.episode_id, viewpoints=tuple(cells.values())))

    starts = {k: g.T_map_base for k, (_, g) in enumerate(todo) if g.T_map_base is not None}
    try:
        run_tasks(group.scene.scene_id, map_id, 0, goals, settings, folder, done, simulator, starts)
    except RobotServiceError as error:
        again = f"loci eval {options.benchmark} --help"
        raise UserError(f"{group.name}: {error}; see {folder / 'logs'}", again) from error


def _finish(options: BenchmarkOptions, results: Sequence[TaskResult]) -> int:
    measured: list[Measured] = measure(options.benchmark, results, options.near)
    settings = described(options)
    summary = {**settings, "success_distance": options.near, "measures": [m.as_dict() for m in measured]}
    said = f"success: stopped nearer than {options.near:g} m by path to a viewpoint"
    return _tell(options, results, results, table(measured), summary, said)


def _finish_answers(options: BenchmarkOptions, results: Sequence[TaskResult], shortest: dict[str, float] | None) -> int:
    grader = options.grader
    marks = answers.marks_of(results, read_questions(aeqa_file(options.data, options.split)), grader)
    measured = answers.measure_answers(results, marks, shortest)
    summary = {**described(options), **answers.summary_of(measured, marks, grader, options.out)}
    said = f"answers marked by {grader.name}" + ("" if grader.is_model else ", which is no LLM-Match")
    if shortest is None:
        said += "; no shortest ways are given (--shortest), so none are weighted by them"
    cells = answers.answer_table(measured, grader)
    return _tell(options, results, answers.judged(results, marks), cells, summary, said)


def _tell(
    options: BenchmarkOptions,
    results: Sequence[TaskResult],
    judged: Sequence[TaskResult],
    cells: list[list[str]],
    summary: dict[str, Any],
    said: str,
) -> int:
    """Write summary and report, print the table; returns the exit status."""
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    page = write_page(options.out, TITLES[options.benchmark], described(options), cells, judged, {})
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = [
        "  ".join(f"{c:{w}}" if k == 0 else f"{c:>{w}}" for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    n_episodes = len({(r.scene, r.episode) for r in results})
    print(
        f"\n{TITLES[options.benchmark]} {options.split}, {options.planner}, memory {options.memory}: {n_episodes} episodes in "
        f"{len({r.scene for r in results})} scenes\n{said}; Loci's robot and camera, not the benchmark's\n\n"
        + "\n".join(lines)
        + "\n"
    )
    print(f"episodes  {options.out / EPISODES}\nsummary   {options.out / 'summary.json'}\nreport    {page}")
    return 0


#: What results do not depend on.
_APART = ("out", "habitat_python", "scenes", "grader", "shortest", "objects_dir")


def described(options: BenchmarkOptions) -> dict[str, Any]:
    """Everything that the results depend on, as JSON has it."""
    given = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in _APART}
    return {k: str(v) if isinstance(v, Path) else v for k, v in given.items()}
