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
from loci.planning.driving import Driver, bearing
from loci.session import Session
from loci_sim.evaluation.benchmarks import BenchmarkOptions, described, need_habitat
from loci_sim.evaluation.carrying import SOURCE
from loci_sim.evaluation.datasets.dory_goals import (
    AFTERWARDS,
    Entity,
    UnknownGoalError,
    asked_properties,
    entities_of,
    read_attributes,
    targets_of,
)
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.findingdory import DoryDeed, DoryEpisode, DoryTask, read_findingdory
from loci_sim.evaluation.datasets.selection import OpenableScene, locate, words
from loci_sim.evaluation.measures import COLUMNS, summarise, table
from loci_sim.evaluation.pictures import prepare_goals
from loci_sim.evaluation.recall import shortest_tour
from loci_sim.evaluation.report import write_page
from loci_sim.evaluation.rows import RowSettings, heading_of, run_tasks
from loci_sim.evaluation.run import EPISODES, open_results, write_results
from loci_sim.evaluation.tasks import Choice, Goal, Revisit, Stop, TaskResult
from loci_sim.habitat.rearranged import AddedThing, write_added

if TYPE_CHECKING:
    from loci.nodes.client import MemoryClient
    from loci_sim.evaluation.robot import SimulatedRobot

#: The benchmark's predicates: this near, by path, to a thing or to a viewpoint of a receptacle [m]. That it is in view is not asked for.
AT_OBJECT, AT_RECEPTACLE = 2.0, 0.1
#: Somebody who says a position this near to a thing's means it [m].
_SAME = 1.0
#: The day's ways end this near to a viewpoint [m], after so many actions at most.
_NEAR, _MAX_STEPS = 0.25, 1000
#: Where the benchmark keeps the models of things, below the folder of objects.
_MODELS = ("amazon_berkeley/configs", "google_scanned/configs", "ai2thorhab/configs/objects", "hssd/configs/objects")
_CONFIG = ".object_config.json"


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
        for i, c in enumerate(episode.candidates.get("candidate_objects", ())):
            self._positions[f"object/{i}"] = now.get(f"object/{i}", c.position)
        for i, c in enumerate(episode.candidates.get("candidate_objects_noninteracted", ())):
            self._positions[f"object/{i}-left"] = c.position
        for group, candidates in episode.candidates.items():
            for name, c in zip(episode.names.get(group, ()), candidates, strict=False):
                if "receps" in group:
                    self._positions.setdefault(f"receptacle/{name}", c.position)
                    self._viewpoints.setdefault(f"receptacle/{name}", c.viewpoints)

    def points(self, identity: str) -> tuple[tuple[float, float, float], ...]:
        """Viewpoints of a receptacle; of a thing, whose viewpoints do not hold once it was moved, itself."""
        found = self._viewpoints.get(identity)
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
        for identity in ids:
            found = self._robot.nearest(self.points(identity))
            # A stop counts within the distance, which floating point must not decide.
            if (
                found is not None
                and found.length <= (AT_RECEPTACLE if identity in self._viewpoints else AT_OBJECT) + 1e-6
            ):
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
            within = AT_OBJECT / 2 if ids[0].startswith("object/") else AT_RECEPTACLE
            stop = PreciseOracle(self._robot, within).seek(Goal("category", "", (), None, tuple(goals[i])), max_steps)
            if not stop.claims:
                return stop
            arrived(self._places.choice(self._places.nearest(ids)))
        return Stop(True, "arrived")


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
        robot.put(*T_end[:2, 3].tolist(), heading_of(T_end), z=float(T_end[2, 3]))
        targets, ordered = targets_of(task, entities)
        wanted = Revisit(task.task_type, task.task_id, task.text, targets, ordered)
        result = run_revisit(robot, revisit, places, episode.scene.scene_id, 0, i, wanted, settings)
        results.append(replace(result, episode=episode.episode_id))
        finished(results[-1])
    return results


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
