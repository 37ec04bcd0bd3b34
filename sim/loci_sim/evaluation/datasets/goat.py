"""GOAT-Bench episodes (Khanna et al. 2024): 5 to 10 goals in a row, each told by category, by description or by an image.

Layout: ``{split}/content/SCENE.json.gz`` with ``episodes`` and ``goals`` ("SCENE.basis.glb_CATEGORY" -> objects with view_points,
lang_desc, image_goals); a subtask is [category, "object" | "description" | "image", object id or null, index of the image].
Checked against the benchmark's own loader and the published val_unseen split; as there, descriptions of over 55 words are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from loci.geometry import Array
from loci_sim.evaluation.datasets.episodes import ObjectGoal, SceneReference, read_goal, read_scene, read_start
from loci_sim.evaluation.datasets.files import DatasetError, Fields, files_of_scenes, read_json, with_progress
from loci_sim.evaluation.datasets.frames import camera_pose

SubtaskKind = Literal["object", "description", "image"]
SUBTASK_KINDS: tuple[SubtaskKind, ...] = get_args(SubtaskKind)
#: Descriptions of more words (between single spaces) are no subtasks: the benchmark's loader leaves them out.
MAX_DESCRIPTION_WORDS = 55


@dataclass(frozen=True, eq=False)
class ImageGoal:
    """A picture of a goal, to be rendered by the simulator: GOAT-Bench has no image files.

    Attributes:
        T_map_camera: (4, 4) pose of the optical frame.
        width, height: [px].
        hfov: horizontal field of view [degrees].
    """

    T_map_camera: Array = field(repr=False)
    width: int
    height: int
    hfov: float


@dataclass(frozen=True, eq=False)
class GoatSubtask:
    """One goal of a row.

    Attributes:
        kind: how it is told.
        category: of the thing.
        description: the words, for kind "description"; empty otherwise.
        image: the picture, for kind "image".
        goals: any of these is meant: all of the category for kind "object", one thing otherwise.
    """

    kind: SubtaskKind
    category: str
    description: str
    image: ImageGoal | None
    goals: tuple[ObjectGoal, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class GoatEpisode:
    """A row of goals in one scene; the memory is kept from one to the next.

    Attributes:
        episode_id: as in the file; unique with its scene.
        scene: where.
        T_map_base: (4, 4) the robot's base at the start.
        subtasks: in their order.
        n_left_out: subtasks whose description is too long for the benchmark.
    """

    episode_id: str
    scene: SceneReference
    T_map_base: Array = field(repr=False)
    subtasks: tuple[GoatSubtask, ...]
    n_left_out: int


def read_goat(folder: Path, split: str, scenes: Collection[str] | None = None) -> Iterator[GoatEpisode]:
    """Episodes of a split, one scene's file after the other.

    Args:
        folder: with the splits, e.g. ``goat_bench/hm3d/v1``.
        split: "train", "val_seen", "val_seen_synonyms" or "val_unseen".
        scenes: only files of these scenes ("4ok3usBNeis"); None: all.

    Raises:
        DatasetError: a file is missing, damaged, or not of GOAT-Bench.
    """
    for path in with_progress(files_of_scenes(folder, split, scenes), f"GOAT-Bench {split}"):
        yield from read_goat_file(path)


def read_goat_file(path: Path) -> list[GoatEpisode]:
    """Episodes of one scene's file.

    Raises:
        DatasetError: as `read_goat`.
    """
    content = Fields(read_json(path), path)
    episodes = content.objects("episodes")
    if not episodes:
        return []
    if "goals" not in content:
        other = " (an ObjectNav file has 'goals_by_category')" if "goals_by_category" in content else ""
        raise DatasetError(f"expected a GOAT-Bench file with 'goals'{other}, got {sorted(content.raw)} in {path}")
    groups = content.object("goals")
    things = {key: tuple((g, read_goal(g)) for g in groups.objects(key)) for key in groups.raw}
    return [_episode(e, things) for e in episodes]


#: Objects of a category: fields in the file, and what was read of them.
_Things = tuple[tuple[Fields, ObjectGoal], ...]


def _episode(episode: Fields, things: Mapping[str, _Things]) -> GoatEpisode:
    scene = read_scene(episode)
    tasks = episode.items("tasks")
    subtasks = [_subtask(episode, f"tasks[{i}]", task, scene, things) for i, task in enumerate(tasks)]
    kept = tuple(s for s in subtasks if len(s.description.split(" ")) <= MAX_DESCRIPTION_WORDS)
    return GoatEpisode(
        episode.identifier("episode_id"), scene, read_start(episode), kept, n_left_out=len(subtasks) - len(kept)
    )


def _subtask(
    episode: Fields, where: str, task: Any, scene: SceneReference, things: Mapping[str, _Things]
) -> GoatSubtask:
    expected = "[category, 'object' | 'description' | 'image', object id, index of the image]"
    if not isinstance(task, list) or len(task) < 3:
        raise episode.error(expected, task, where)
    category, kind, object_id = task[:3]
    if kind not in SUBTASK_KINDS:
        raise episode.error(expected, task, where)
    meant = _of_category(episode, where, category, scene, things)
    if kind == "object":
        return GoatSubtask("object", category, "", None, tuple(goal for _, goal in meant))
    ours = [(fields, goal) for fields, goal in meant if goal.object_id == str(object_id)]
    if not ours:
        raise episode.error(f"an object of the category {category!r}", object_id, where)
    fields, goal = ours[0]
    if kind == "description":
        return GoatSubtask("description", category, fields.text("lang_desc"), None, (goal,))
    images = fields.objects("image_goals")
    index = task[3] if len(task) > 3 else None
    if not isinstance(index, int) or not 0 <= index < len(images):
        raise episode.error(f"the index of one of {len(images)} images of {object_id}", task, where)
    return GoatSubtask("image", category, "", _image(images[index]), (goal,))


def _of_category(
    episode: Fields, where: str, category: Any, scene: SceneReference, things: Mapping[str, _Things]
) -> _Things:
    """All things of a category, with those of the narrower categories that count as it."""
    groups = [group for group in things.values() if group and group[0][1].category == category]
    if len(groups) != 1:
        raise episode.error(f"a category with goals, {category!r} has {len(groups)} lists of them", category, where)
    (found,) = groups
    for child in found[0][0].texts("children_object_categories"):
        found = (*found, *things.get(f"{scene.name}_{child}", ()))
    return found


def _image(image: Fields) -> ImageGoal:
    position, rotation = image.numbers("position", 3), image.numbers("rotation", 4)
    try:
        T_map_camera = camera_pose(position, rotation)
    except ValueError as error:
        raise image.error(f"a pose ({error})", rotation, "rotation") from error
    height, width = image.numbers("image_dimensions", 2)
    return ImageGoal(T_map_camera, int(width), int(height), image.number("hfov"))
