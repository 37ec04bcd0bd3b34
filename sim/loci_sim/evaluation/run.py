"""`loci eval SUITE`: runs rows of tasks in many scenes, goes on where it was interrupted, ends with a table, JSON and a report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from loci.errors import UserError
from loci_sim.difficulty import Difficulty, measure
from loci_sim.evaluation.causes import counts_of
from loci_sim.evaluation.measures import reduction, summaries, table
from loci_sim.evaluation.models import ModelChoice, of_rows, told_of
from loci_sim.evaluation.phrasings import load_phrasings
from loci_sim.evaluation.rows import RowSettings, run_row
from loci_sim.evaluation.tasks import MemoryUse, Split, TaskResult, task_result_from
from loci_sim.scenes import Scene, SceneError, load_scene

PLANNERS = ("offline", "vision_language", "oracle", "random")
#: Every scene of a suite is at least so hard.
LEAST = Difficulty(repeated=0.3, small=0.2, neighbours=1)
#: Scenes of the test split are others than those of the dev split.
_FIRST_SEED = {"dev": 0, "test": 50_000}
_SETTINGS, EPISODES = "settings.json", "episodes.jsonl"


@dataclass(frozen=True)
class EvaluationOptions:
    """What `loci eval` was told.

    Attributes:
        suite: name.
        n_scenes: how many homes; seed: of the first, and of tasks and chance.
        max_floors: of these homes; figures on one floor and on more do not compare.
        scene_list: file with one scene a line instead; None: homes.
        planner, memory, split, phrasings, n_tasks, max_steps: as in `RowSettings`.
        rows: of tasks in a scene: the second begins with the memory of the first.
        out: folder; workers: rows at a time.
        n_deeds: pick-and-places of a day (`recall`); None: drawn.
        baseline: folder with results of the same tasks, e.g. without memory, to compare with.
        model: of the planner "vision_language".
    """

    suite: str = "goals"
    n_scenes: int = 5
    seed: int = 0
    scene_list: Path | None = None
    planner: str = "offline"
    memory: MemoryUse = "full"
    split: Split = "dev"
    phrasings: Path | None = None
    n_tasks: int = 8
    max_steps: int = 500
    rows: int = 2
    out: Path = Path("out/eval/goals")
    workers: int = 1
    baseline: Path | None = None
    n_deeds: int | None = None
    model: ModelChoice | None = None
    max_floors: int = 1


@dataclass
class Evaluation:
    """An evaluation that has begun.

    Attributes:
        options: what it was told.
        scenes: by name, in their order.
        results: of the scenes that are done.
        todo: scenes that are not.
    """

    options: EvaluationOptions
    scenes: dict[str, Scene]
    results: list[TaskResult]
    todo: tuple[str, ...]

    @property
    def n_tasks(self) -> int:
        """In all scenes."""
        return len(self.scenes) * self.options.rows * self.options.n_tasks

    def add(self, found: Sequence[TaskResult]) -> None:
        """Keep the results of a scene; they are written at once."""
        self.results += found
        names = list(self.scenes)
        self.results.sort(key=lambda r: (names.index(r.scene), r.row, r.index))
        write_results(self.options.out, self.results)


def run_suite(options: EvaluationOptions) -> int:
    """Run the suite; returns the exit status.

    Raises:
        UserError: a scene or phrasing is not usable, ``out`` holds results of other options, or a process died.
    """
    from loci.environment import ensure_ros_environment
    from loci_sim.evaluation.batch import run_scenes

    ensure_ros_environment()
    evaluation = begin(options)
    if n_done := len(evaluation.scenes) - len(evaluation.todo):
        print(f"going on: {n_done} of {len(evaluation.scenes)} scenes are done in {options.out}", flush=True)
    run_scenes([evaluation], options.workers)
    print(finish(evaluation))
    return 0


def begin(options: EvaluationOptions) -> Evaluation:
    """Check what an evaluation was told, and read what an interrupted one has left.

    Raises:
        UserError: a scene or phrasing is not usable, or ``out`` holds results of other options.
    """
    try:
        load_phrasings(options.phrasings)
    except ValueError as error:
        raise UserError(str(error), f"loci eval {options.suite} --help") from error
    if options.baseline is not None:
        read_results(options.baseline)  # before anything is run
    names = scene_names(options)
    scenes = {name: _checked_scene(name) for name in names}
    done = open_results(options.out, {**_described(options), "scenes": list(names)}, options.suite)
    counts = Counter((r.scene, r.row) for r in done)
    # A row that was interrupted begins anew with its scene: its memory is not what it was.
    todo = tuple(n for n in names if any(counts[n, row] != options.n_tasks for row in range(options.rows)))
    evaluation = Evaluation(options, scenes, [], todo)
    evaluation.add([r for r in done if r.scene not in todo])
    return evaluation


def run_scene(name: str, options: EvaluationOptions, tick: Callable[[TaskResult], None]) -> list[TaskResult]:
    """All rows of a scene; ``tick`` is called after every task.

    Raises:
        UserError: a service did not answer, or a process died.
    """
    from loci.nodes.client import MemoryServiceError
    from loci.nodes.stepped_robot import RobotServiceError

    settings = RowSettings(
        options.suite,
        options.planner,
        options.memory,
        options.split,
        str(options.phrasings) if options.phrasings else None,
        options.seed,
        options.n_tasks,
        options.max_steps,
        options.n_deeds,
        model=options.model,
    )
    folder = _folder_of(name, options)
    results: list[TaskResult] = []
    try:
        for row in range(options.rows):
            results += run_row(name, row, settings, folder, tick)
    except (MemoryServiceError, RobotServiceError) as error:
        again = f"loci eval {options.suite} --out {options.out} ... (homes that are done are kept)"
        raise UserError(f"{name}: {error}; see {folder / 'logs'}", again) from error
    return results


def _folder_of(name: str, options: EvaluationOptions) -> Path:
    return options.out / "runs" / name.replace(":", "-").replace("/", "_")


def finish(evaluation: Evaluation) -> str:
    """Write the summary and the report of an evaluation that is done; returns what to tell people."""
    from loci_sim.evaluation.report import write_report

    options, results, scenes = evaluation.options, evaluation.results, evaluation.scenes
    found = summaries(results)
    hard = {name: asdict(difficulty_of(scene)) for name, scene in scenes.items()}
    causes = counts_of(results)
    summary = {**_described(options), "difficulty": hard, "summaries": [asdict(s) for s in found], "causes": causes}
    failed = ", ".join(f"{name} {n}" for name, n in causes.items() if n)
    asked = ""
    if options.model is not None:
        summary["model"] = of_rows([_folder_of(name, options) for name in scenes])
        asked = f"\n{told_of(summary['model'])}\n"
    spared = ""
    if options.baseline is not None:
        less = reduction(results, read_results(options.baseline))
        summary["reduction"] = asdict(less)
        told = ["-" if v is None else f"{100 * v:.1f} %" for v in (less.exploration, less.time)]
        spared = (
            f"\nagainst {options.baseline} ({less.n} tasks): explorations reduced by {told[0]}, time by {told[1]}\n"
        )
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    page = write_report(options.out, options.suite, _described(options), found, results, scenes)
    means = [sum(d[key] for d in hard.values()) / len(hard) for key in ("repeated", "small", "neighbours")]
    return (
        f"\n{options.suite}, {options.planner}, memory {options.memory}, phrasings {options.split}: {len(scenes)} scenes\n"
        f"difficulty: {100 * means[0]:.0f} % of categories with several instances, {100 * means[1]:.0f} % of objects under "
        f"15 cm, {means[2]:.0f} pairs of one category within 30 cm\n\n{table(options.suite, found)}\n{asked}{spared}\n"
        f"{f'failures by cause: {failed}' if failed else ''}\n"
        f"episodes  {options.out / EPISODES}\nsummary   {options.out / 'summary.json'}\nreport    {page}"
    )


def difficulty_of(scene: Scene) -> Difficulty:
    """How hard a scene's things are to tell apart and to find."""
    import numpy as np

    return measure(
        [o.category for o in scene.objects],
        np.array([o.center for o in scene.objects]),
        np.array([o.size for o in scene.objects]),
    )


def scene_names(options: EvaluationOptions) -> list[str]:
    """Names of the scenes that an evaluation runs in.

    Raises:
        UserError: the list of scenes cannot be read, or is empty.
    """
    if options.scene_list is None:
        seeds = count(_FIRST_SEED[options.split] + options.seed)
        homes = (f"home:{seed}" for seed in seeds)
        low_enough = (name for name in homes if len(load_scene(name).floors) <= options.max_floors)
        return list(islice(low_enough, options.n_scenes))
    try:
        lines = options.scene_list.read_text().splitlines()
    except OSError as error:
        raise UserError(
            f"cannot read {options.scene_list}: {error.strerror}", f"loci eval {options.suite} --help"
        ) from error
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise UserError(f"no scene in {options.scene_list}: expected one a line, FAMILY:SEED or a .glb", "")
    return list(dict.fromkeys(names))


def _checked_scene(name: str) -> Scene:
    """A scene that is hard enough for the suite."""
    try:
        scene = load_scene(name)
    except (SceneError, ValueError) as error:
        raise UserError(str(error), "loci sim scenes list") from error
    found = difficulty_of(scene)
    if not found.reaches(LEAST):
        raise UserError(
            f"{name} is too easy for a suite: expected at least {100 * LEAST.repeated:.0f} % of categories with several instances, "
            f"{100 * LEAST.small:.0f} % of objects under 15 cm and {LEAST.neighbours} pair of one category within 30 cm, got "
            f"{100 * found.repeated:.0f} %, {100 * found.small:.0f} % and {found.neighbours}",
            "loci sim scenes list",
        )
    return scene


def _described(options: EvaluationOptions) -> dict[str, Any]:
    """Everything that the results depend on."""
    given = asdict(options)
    left_out = {"out", "workers", "baseline"} | ({"model"} if options.model is None else set())
    return {k: str(v) if isinstance(v, Path) else v for k, v in given.items() if k not in left_out}


def open_results(out: Path, mine: dict[str, Any], suite: str) -> list[TaskResult]:
    """Results that an interrupted run has left in a folder; a new one is made.

    Args:
        mine: everything that the results depend on, as JSON has it.

    Raises:
        UserError: the folder holds results of other options, or damaged ones.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = out / _SETTINGS
    if settings.is_file():
        try:
            before = json.loads(settings.read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{out} holds damaged results ({error})", f"rm -r {out}") from error
        if before != mine:
            changed = ", ".join(sorted(k for k in mine if before.get(k) != mine[k]))
            raise UserError(
                f"{out} holds results of another evaluation ({changed} differ)",
                f"loci eval {suite} --out {out}-2 ...",
            )
        return read_results(out)
    settings.write_text(json.dumps(mine, indent=1) + "\n")
    (out / EPISODES).write_text("")
    return []


def read_results(folder: Path) -> list[TaskResult]:
    """Results that an evaluation has written.

    Raises:
        UserError: there are none, or they are damaged.
    """
    try:
        lines = (folder / EPISODES).read_text().splitlines()
        return [task_result_from(json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{folder} holds no results, or damaged ones ({error})", f"rm -r {folder}") from error


def write_results(out: Path, results: Sequence[TaskResult]) -> None:
    """Write all results; the file is whole or not there."""
    temporary = out / f"{EPISODES}.new"
    temporary.write_text("".join(json.dumps(asdict(r)) + "\n" for r in results))
    temporary.replace(out / EPISODES)
