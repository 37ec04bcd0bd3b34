"""Episodes of a benchmark as groups of tasks that a robot can be given, and where their scenes lie on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from loci.errors import UserError
from loci.geometry import Array
from loci_sim.evaluation.datasets.episodes import SceneReference, goal_viewpoints, scene_files
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.goat import GoatEpisode, GoatSubtask, ImageGoal, SubtaskKind, read_goat
from loci_sim.evaluation.datasets.objectnav import ObjectNavEpisode, read_objectnav
from loci_sim.evaluation.datasets.openeqa import Question as EqaQuestion
from loci_sim.evaluation.datasets.openeqa import read_questions
from loci_sim.evaluation.tasks import Goal, GoalKind, Question

Benchmark = Literal["objectnav", "goat", "aeqa", "findingdory"]
#: Where Habitat looks for scenes.
SCENES_DIR = Path("data/scene_datasets")
#: How Loci calls what GOAT-Bench calls so.
KINDS: dict[SubtaskKind, GoalKind] = {"object": "category", "description": "description", "image": "image"}


@dataclass(frozen=True, eq=False)
class EpisodeGoal:
    """A goal of an episode.

    Attributes:
        episode_id: as in the file.
        goal: as the robot is told it; an image is still to be rendered.
        image: the picture to render; None: the goal is told in words.
        T_map_base: (4, 4) where the robot is put before; None: it goes on from where it is.
    """

    episode_id: str
    goal: Goal | Question
    image: ImageGoal | None = field(default=None, repr=False)
    T_map_base: Array | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Group:
    """What one start of the processes is for: all chosen episodes of a scene (ObjectNav, A-EQA), or one episode (GOAT-Bench).

    Attributes:
        name: unique.
        scene: where.
        goals: in their order.
    """

    name: str
    scene: SceneReference
    goals: tuple[EpisodeGoal, ...]


@dataclass(frozen=True)
class OpenableScene:
    """A scene as the simulator's parameters ``scene`` and ``scene_dataset`` name it; no dataset: a bare file."""

    scene: str
    dataset: str


def choose_groups(
    benchmark: Benchmark, data: Path, split: str, scenes: Sequence[str] = (), n_episodes: int | None = None
) -> list[Group]:
    """The first episodes of a split as groups of goals.

    Args:
        benchmark: whose files they are.
        data: folder with the splits; of A-EQA also the file itself.
        split: e.g. "val"; of A-EQA the number in the file's name.
        scenes: only of these ("TEEsavR23oF"); none: all.
        n_episodes: so many, in the order of the files; None: all.

    Raises:
        DatasetError: a file is missing or damaged, or there are no episodes.
    """
    of = set(scenes) or None
    if benchmark == "aeqa":
        groups = list(_aeqa_groups(islice(_aeqa_questions(data, split, of), n_episodes)))
    elif benchmark == "objectnav":
        groups = list(_objectnav_groups(islice(read_objectnav(data, split, of), n_episodes)))
    else:
        groups = [_goat_group(e) for e in islice(read_goat(data, split, of), n_episodes)]
    if not groups:
        raise DatasetError(f"expected episodes in the split {split!r} of {data}, got none")
    return groups


def locate(scene: SceneReference, scenes_dir: Path | None, scene_dataset: Path | None, suite: str) -> OpenableScene:
    """Where a scene of an episode lies.

    Args:
        scene: as an episode names it.
        scenes_dir: folder of scene datasets; None: `SCENES_DIR`.
        scene_dataset: config to open it with; None: the one that the episode names.
        suite: for the command to type next.

    Raises:
        UserError: scene or config are not there.
    """
    if scene_dataset is not None and not scene_dataset.is_file():
        raise UserError(
            f"expected a .scene_dataset_config.json as --scene-dataset, got {scene_dataset} (no such file)",
            f"loci eval {suite} --help",
        )
    try:
        wanted = scene if scene_dataset is None else replace(scene, dataset_config="")
        opened, config = scene_files(wanted, scenes_dir or SCENES_DIR)
        dataset = scene_dataset or config
        if not dataset and not isinstance(opened, Path):
            raise DatasetError(f"expected a scene dataset config for the scene {opened!r}, got none")
    except DatasetError as error:
        raise UserError(str(error), f"loci eval {suite} --data DIR --scenes-dir SCENE_DATASETS ...") from error
    name = str(opened.resolve()) if isinstance(opened, Path) else opened
    return OpenableScene(name, str(dataset.resolve()) if dataset is not None else "")


def _objectnav_groups(episodes: Iterable[ObjectNavEpisode]) -> Iterator[Group]:
    by_scene: dict[SceneReference, list[EpisodeGoal]] = {}
    for e in episodes:
        goal = EpisodeGoal(e.episode_id, _objectnav_goal(e), None, e.T_map_base)
        by_scene.setdefault(e.scene, []).append(goal)
    for scene, goals in by_scene.items():
        yield Group(scene.scene_id, scene, tuple(goals))


def aeqa_file(data: Path, split: str) -> Path:
    """A-EQA's questions: the file itself, or ``aeqa_questions-{split}.json`` in a folder (as 3D-Mem publishes them)."""
    return data / f"aeqa_questions-{split}.json" if data.is_dir() else data


def _aeqa_questions(data: Path, split: str, scenes: set[str] | None) -> Iterator[EqaQuestion]:
    path = aeqa_file(data, split)
    questions = read_questions(path)
    if not any(q.scene for q in questions):
        raise DatasetError(
            f"expected questions with a start (position, rotation) as A-EQA has them in {path}, got those of recorded walks (EM-EQA)"
        )
    for q in questions:
        if q.scene is not None and (scenes is None or q.scene.name.split(".")[0] in scenes):
            yield q


def _aeqa_groups(questions: Iterable[EqaQuestion]) -> Iterator[Group]:
    by_scene: dict[SceneReference, list[EpisodeGoal]] = {}
    for q in questions:
        assert q.scene is not None
        task = Question(q.category, q.question, (q.answer, *q.extra_answers), (), ())
        by_scene.setdefault(q.scene, []).append(EpisodeGoal(q.question_id, task, None, q.T_map_base))
    for scene, goals in by_scene.items():
        yield Group(scene.scene_id, scene, tuple(goals))


def _objectnav_goal(e: ObjectNavEpisode) -> Goal:
    ids = tuple(g.object_id for g in e.goals)
    return Goal("category", f"find the {words(e.category)}", ids, None, _points(goal_viewpoints(e.goals)))


def _goat_group(e: GoatEpisode) -> Group:
    goals = [
        EpisodeGoal(e.episode_id, _goat_goal(s), s.image, e.T_map_base if i == 0 else None)
        for i, s in enumerate(e.subtasks)
    ]
    if not goals:
        raise DatasetError(f"expected goals in episode {e.episode_id} of {e.scene.scene_id}, got none")
    return Group(f"{e.scene.scene_id}:{e.episode_id}", e.scene, tuple(goals))


def _goat_goal(s: GoatSubtask) -> Goal:
    text = {
        "object": f"find the {words(s.category)}",
        "description": f"find {s.description.strip()}",
        "image": "go to what this picture shows",
    }[s.kind]
    ids = tuple(g.object_id for g in s.goals)
    return Goal(KINDS[s.kind], text, ids, None, _points(goal_viewpoints(s.goals)))


def words(category: str) -> str:
    """A category as people say it: ``tv_monitor`` is a tv monitor."""
    return category.replace("_", " ").strip()


def _points(points: Array) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in points)
