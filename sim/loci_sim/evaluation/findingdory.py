"""`loci eval findingdory`: an episode's day of pick-and-places is done again in Habitat before the memory, then its tasks are given.

The day is the benchmark's: what is taken from where, and where it lies afterwards. The way between is Loci's, as is the robot. Tasks
about rooms and times of day are left out: which they are only the benchmark's own simulator tells.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loci.errors import UserError
from loci.geometry import Array
from loci.session import Session
from loci_sim.evaluation.benchmarks import BenchmarkOptions, described, need_habitat
from loci_sim.evaluation.datasets.dory_goals import (
    AFTERWARDS,
    UnknownGoalError,
    asked_properties,
    entities_of,
    read_attributes,
    targets_of,
)
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.findingdory import DoryEpisode, DoryTask, read_findingdory
from loci_sim.evaluation.datasets.selection import OpenableScene, locate
from loci_sim.evaluation.dory_day import (
    AT_OBJECT,
    AT_RECEPTACLE,
    DoryPlaces,
    KnowingRevisitor,
    added_things,
    do_day,
    with_distances,
    with_times,
)
from loci_sim.evaluation.measures import COLUMNS, summarise, table
from loci_sim.evaluation.pictures import prepare_goals
from loci_sim.evaluation.report import write_page
from loci_sim.evaluation.rows import RowSettings, heading_of, run_tasks
from loci_sim.evaluation.run import EPISODES, open_results, write_results
from loci_sim.evaluation.tasks import Revisit, TaskResult
from loci_sim.habitat.rearranged import write_added

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.robot import SimulatedRobot

#: Where the benchmark keeps the models of things, below the folder of objects.
_MODELS = ("amazon_berkeley/configs", "google_scanned/configs", "ai2thorhab/configs/objects", "hssd/configs/objects")


def run_findingdory(options: BenchmarkOptions) -> int:
    """Run episodes and write their measures; returns the exit status.

    Raises:
        UserError: files, scenes, objects or habitat_sim are missing, ``out`` holds results of other options, or a process died.
    """
    from tqdm import tqdm

    from loci.environment import ensure_ros_environment

    ensure_ros_environment()
    again = "loci eval findingdory --data DIR --split SPLIT"
    try:
        episodes = list(islice(_chosen(options), options.n_episodes))
        if not episodes:
            raise DatasetError(f"expected episodes in the split {options.split!r} of {options.data}, got none")
        attributes = read_attributes(options.data)
    except DatasetError as error:
        raise UserError(str(error), again) from error
    scenes = [locate(e.scene, options.scenes_dir, options.scene_dataset, "findingdory") for e in episodes]
    objects = options.objects_dir or Path("data/objects/train_val")
    models = [_models(e, objects) for e in episodes]
    need_habitat(options)
    planned = [plan_of(e, attributes) for e in episodes]
    mine = {**described(options), "episodes": [e.episode_id for e in episodes]}
    done = open_results(options.out, mine, "findingdory")
    whole = {e.episode_id for e, (tasks, _) in zip(episodes, planned, strict=True) if _n_of(done, e) == len(tasks)}
    done = [r for r in done if r.episode in whole]
    write_results(options.out, done)
    total = sum(len(tasks) for tasks, _ in planned)
    with tqdm(total=total, initial=len(done), unit="task", desc="findingdory", file=sys.stderr, disable=None) as bar:
        for episode, scene, things, (tasks, _) in zip(episodes, scenes, models, planned, strict=True):
            if episode.episode_id in whole:
                continue

            def finished(result: TaskResult) -> None:
                done.append(result)
                write_results(options.out, done)
                bar.update(1)

            _run_episode(options, episode, scene, things, tasks, attributes, finished)
    left_out: Counter[str] = Counter()
    for _, missing in planned:
        left_out.update(missing)
    return _finish(options, done, left_out)


def _chosen(options: BenchmarkOptions) -> Any:
    for episode in read_findingdory(options.data, options.split):
        if not options.scenes or episode.scene.name.split(".")[0] in options.scenes:
            yield episode


def _n_of(done: Sequence[TaskResult], episode: DoryEpisode) -> int:
    return sum(r.episode == episode.episode_id for r in done)


def plan_of(
    episode: DoryEpisode, attributes: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[DoryTask, ...], Counter[str]]:
    """The tasks of an episode that can be scored, and why the others cannot, with how many there are of each kind.

    Raises:
        UserError: the episode does not tell its day.
    """
    if not episode.deeds:
        raise UserError(
            f"episode {episode.episode_id} does not tell its day (goal_receptacles, target_receptacles)",
            "loci eval findingdory --data DIR --split SPLIT",
        )
    entities = entities_of(episode, attributes)
    tasks, missing = [], Counter[str]()
    for task in episode.tasks:
        try:
            # What is known afterwards only does not narrow down whether a task can be scored.
            if any(p in AFTERWARDS for p in asked_properties(task)):
                entities_with = [
                    replace(e, properties={**e.properties, **dict.fromkeys(AFTERWARDS, True)}) for e in entities
                ]
                targets_of(task, entities_with)
            elif "XX" in task.text:
                raise UnknownGoalError("times of day")
            else:
                targets_of(task, entities)
            tasks.append(task)
        except UnknownGoalError as error:
            missing[str(error)] += 1
    return tuple(tasks), missing


def _models(episode: DoryEpisode, folder: Path) -> tuple[tuple[Path, Array], ...]:
    """Files of everything that is added to the scene, with their poses.

    Raises:
        UserError: one is missing.
    """
    found = []
    for name, T in episode.models:
        paths = [folder / name, *(folder / below / name for below in _MODELS)]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            raise UserError(
                f"expected the object {name} of episode {episode.episode_id} in {folder} or its folders of configs, got no such file",
                "loci eval findingdory --objects-dir data/objects/train_val ...",
            )
        found.append((path, T))
    return tuple(found)


def _run_episode(
    options: BenchmarkOptions,
    episode: DoryEpisode,
    scene: OpenableScene,
    models: Sequence[tuple[Path, Array]],
    tasks: Sequence[DoryTask],
    attributes: Mapping[str, Mapping[str, str]],
    finished: Callable[[TaskResult], None],
) -> None:
    """The day of an episode and the tasks after it, in processes of their own."""
    from loci.nodes.client import MemoryServiceError
    from loci.nodes.stepped_robot import RobotServiceError
    from loci.replay import remove_memory
    from loci_sim.processes import MEMORY

    o = options
    folder = o.out / "runs" / "".join(c if c.isalnum() else "-" for c in episode.episode_id)
    folder.mkdir(parents=True, exist_ok=True)
    objects = folder / "objects.json"
    write_added(objects, added_things(episode, models))
    map_id, _ = prepare_goals([], scene, "findingdory", o.planner, o.habitat_python)
    remove_memory(folder / MEMORY)
    settings = RowSettings("findingdory", o.planner, o.memory, "dev", None, o.seed, len(tasks), o.max_steps)
    simulator = {
        "simulator": "habitat",
        "scene": scene.scene,
        "scene_dataset": scene.dataset,
        "habitat_python": o.habitat_python,
        "added_objects": str(objects.resolve()),
    }
    day = partial(_day_and_tasks, episode, tasks, attributes, settings, finished)
    try:
        run_tasks(episode.scene.scene_id, map_id, 0, (), settings, folder, finished, simulator, day=day)
    except (RobotServiceError, MemoryServiceError) as error:
        again = "loci eval findingdory --help"
        raise UserError(f"episode {episode.episode_id}: {error}; see {folder / 'logs'}", again) from error


def _day_and_tasks(
    episode: DoryEpisode,
    tasks: Sequence[DoryTask],
    attributes: Mapping[str, Mapping[str, str]],
    settings: RowSettings,
    finished: Callable[[TaskResult], None],
    session: Session,
    robot: SimulatedRobot,
    memory: MemoryClient | None,
) -> list[TaskResult]:
    from loci_sim.evaluation.recall_rows import revisitor, run_revisit

    x, y, z = episode.T_map_base[:3, 3].tolist()
    robot.put(x, y, heading_of(episode.T_map_base), z=z)
    if memory is not None:
        memory.clear()  # of the image that it was waited for
    seconds = do_day(session, robot, memory, episode)
    T_end = np.array(robot.ground_truth()["robot"]["T_map_base"])
    entities = with_times(entities_of(episode, attributes), seconds)
    places = DoryPlaces(robot, episode, entities)
    entities = with_distances(entities, places)
    places = DoryPlaces(robot, episode, entities)
    knows = settings.planner == "oracle"
    revisit = KnowingRevisitor(robot, places) if knows else revisitor(robot, memory, places, settings)
    if memory is not None:
        memory.save()
    results = []
    for i, task in enumerate(tasks):
        session.check()
        # Every task begins where the day ended.
        x, y, z = T_end[:3, 3].tolist()
        robot.put(x, y, heading_of(T_end), z=z)
        targets, ordered = targets_of(task, entities)
        wanted = Revisit(task.task_type, task.task_id, task.text, targets, ordered)
        result = run_revisit(robot, revisit, places, episode.scene.scene_id, 0, i, wanted, settings)
        results.append(replace(result, episode=episode.episode_id))
        finished(results[-1])
    return results


def _finish(options: BenchmarkOptions, results: Sequence[TaskResult], left_out: Counter[str]) -> int:
    if not results:
        reasons = ", ".join(f"{n} {why}" for why, n in left_out.items())
        raise UserError(f"expected tasks that can be scored, got none ({reasons})", "loci eval findingdory --help")
    kinds = dict.fromkeys(r.kind for r in results)
    found = [summarise("all", results), *(summarise(f"  {k}", [r for r in results if r.kind == k]) for k in kinds)]
    n_episodes = len({r.episode for r in results})
    settings = described(options)
    summary = {**settings, "left_out": dict(left_out), "measures": [asdict(s) for s in found]}
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    columns = COLUMNS["recall"]
    cells = [
        ["", *(heading for heading, *_ in columns)],
        *([s.name, *(cell(s) for *_, cell in columns)] for s in found),
    ]
    page = write_page(options.out, "FindingDory", settings, cells, results, {})
    skipped = "; ".join(f"{n} about {why}" for why, n in left_out.items()) or "none"
    print(
        f"\nFindingDory {options.split}, {options.planner}, memory {options.memory}: {n_episodes} episodes, {len(results)} tasks\n"
        f"tasks left out: {skipped}\nHL-SR: what the robot chose is right, by instance; SR: that, and as near as the benchmark's predicates "
        f"want it ({AT_OBJECT:g} m, {AT_RECEPTACLE:g} m); Loci's robot, camera and ways, not the benchmark's\n\n{table('recall', found)}\n"
    )
    print(f"episodes  {options.out / EPISODES}\nsummary   {options.out / 'summary.json'}\nreport    {page}")
    return 0
