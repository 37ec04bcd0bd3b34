"""FindingDory (Yadav et al. 2025): a recorded day of pick-and-places, then tasks that need the memory of it.

Two publications: Habitat episodes (``{split}/episodes.json.gz`` with ``viewpoints.npy`` beside it), and questions over the day's video
("ep_id", "question", "answer": frames). Both are read as the benchmark's public code and dataset card describe them; no published
file could be seen here, so this loader is *not* checked against one. Goals are PDDL expressions: `dory_goals` evaluates them. The
tables of the questions are published as parquet: write them as JSON lines first.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loci.geometry import Array
from loci_sim.evaluation.datasets.episodes import (
    ObjectGoal,
    SceneReference,
    check_rotations,
    read_scene,
    read_start,
)
from loci_sim.evaluation.datasets.files import DatasetError, Fields, read_json
from loci_sim.evaluation.datasets.frames import headings, points_to_map
from loci_sim.glb import Y_UP_TO_Z_UP

#: What the robot touched during the day, and what it did not.
_CANDIDATES = (
    "candidate_objects",
    "candidate_start_receps",
    "candidate_goal_receps",
    "candidate_objects_noninteracted",
    "candidate_start_receps_noninteracted",
    "candidate_goal_receps_noninteracted",
)
#: A row of viewpoints.npy: position, rotation, overlap with the object.
_VIEWPOINT_WIDTH = 8


@dataclass(frozen=True)
class DoryTask:
    """A task after the day.

    Attributes:
        task_id: "task_1" ...
        text: the instruction; "XX:XX" and "XX" in it stand for times that are known after the day only.
        task_type: the benchmark's word for its kind.
        goal: PDDL expression, as in the file.
        has_several_goals: several places are to be visited.
        sequence: the day's interactions (0 is the first) whose places are to be visited in this order; empty: no order is asked for.
    """

    task_id: str
    text: str
    task_type: str
    goal: Mapping[str, Any] = field(repr=False)
    has_several_goals: bool
    sequence: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DoryDeed:
    """A pick-and-place of the day.

    Attributes:
        index: of the thing among the "candidate_objects".
        start, goal: names of the receptacles that it is taken from and put on.
        place_view: viewpoint of the goal from which it is put there; negative: none was found.
        T_map_after: (4, 4) pose of its model afterwards; None: the file does not say.
    """

    index: int
    start: str
    goal: str
    place_view: int
    T_map_after: Array | None = field(repr=False)


@dataclass(frozen=True, eq=False)
class DoryEpisode:
    """A day and the tasks after it.

    Attributes:
        episode_id: as in the file.
        scene: where.
        T_map_base: (4, 4) the robot's base at the start.
        candidates: by the file's names ("candidate_objects", "candidate_start_receps", ...): things and receptacles, with viewpoints.
        tasks: in the file's order.
        names: of the candidates, by the same names and in the same order: their config's, or a receptacle's.
        models: name of the object's config and pose (4, 4) in the map of everything that is added to the scene.
        deeds: the day, in its order; empty: the file does not tell it.
        end: (3,) where the robot goes after the day, in the map [m]; None: nowhere.
    """

    episode_id: str
    scene: SceneReference
    T_map_base: Array = field(repr=False)
    candidates: Mapping[str, tuple[ObjectGoal, ...]] = field(repr=False)
    tasks: tuple[DoryTask, ...]
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    models: tuple[tuple[str, Array], ...] = field(default=(), repr=False)
    deeds: tuple[DoryDeed, ...] = ()
    end: Array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DoryQuestion:
    """A task over the day's video.

    Attributes:
        episode_id, task_id, video, question: as in the table.
        answer: for each goal in turn the frames any of which is right.
        high_level_category, low_level_category: the benchmark's kinds.
        n_interactions: pick-and-places of the day.
    """

    episode_id: str
    task_id: str
    video: str
    question: str
    answer: tuple[tuple[int, ...], ...]
    high_level_category: str
    low_level_category: str
    n_interactions: int


def read_findingdory(folder: Path, split: str) -> Iterator[DoryEpisode]:
    """Habitat episodes of a split.

    Args:
        folder: with the splits, e.g. ``findingdory-habitat/findingdory``.
        split: "train" or "val".

    Raises:
        DatasetError: a file is missing, damaged, or not of FindingDory.
    """
    path = folder / split / "episodes.json.gz"
    episodes = Fields(read_json(path), path).objects("episodes")
    viewpoints = _viewpoints(path.with_name("viewpoints.npy"))
    poses = _transformations(path.with_name("transformations.npy"))
    for episode in episodes:
        yield DoryEpisode(
            episode.identifier("episode_id"),
            read_scene(episode),
            read_start(episode),
            {
                name: tuple(_candidate(c, viewpoints) for c in episode.objects(name))
                for name in _CANDIDATES
                if name in episode
            },
            tuple(_tasks(episode)),
            {
                name: tuple(c.text("object_name", "") for c in episode.objects(name))
                for name in _CANDIDATES
                if name in episode
            },
            _models(episode, poses),
            _deeds(episode),
            points_to_map(episode.numbers("nav_goal_pos", 3)) if "nav_goal_pos" in episode else None,
        )


def read_dory_questions(path: Path) -> list[DoryQuestion]:
    """Questions over videos, from JSON lines with the columns of the published table.

    Raises:
        DatasetError: no such file, it is not JSON lines, or a column is missing.
    """
    if path.suffix == ".parquet":
        raise DatasetError(f"expected JSON lines, got {path}: write the table as JSON lines first")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise DatasetError(f"no such file: {path}") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    return [_question(path, i, line) for i, line in enumerate(lines) if line.strip()]


def parse_frames(text: str) -> tuple[tuple[int, ...], ...]:
    """Frames of each goal from an answer as "[[3, 4], [17]]"; a single list is one goal.

    Raises:
        ValueError: it is no such list.
    """
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"expected frames as [[3, 4], [17]], got {text[:80]!r}") from error
    if isinstance(value, list) and value and all(_is_index(v) for v in value):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(g, list) and all(_is_index(v) for v in g) for g in value):
        raise ValueError(f"expected frames as [[3, 4], [17]], got {text[:80]!r}")
    return tuple(tuple(goal) for goal in value)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _question(path: Path, i: int, line: str) -> DoryQuestion:
    try:
        row = Fields(json.loads(line), path, f"line {i + 1}")
    except ValueError as error:
        raise DatasetError(f"expected JSON at line {i + 1} of {path}, got {line[:80]!r}") from error
    answer = row.text("answer")
    try:
        frames = parse_frames(answer)
    except ValueError as error:
        raise row.error("frames as [[3, 4], [17]]", answer, "answer") from error
    return DoryQuestion(
        row.text("ep_id"),
        row.text("task_id"),
        row.text("video"),
        row.text("question"),
        frames,
        row.text("high_level_category"),
        row.text("low_level_category"),
        int(row.number("num_interactions")),
    )


def _viewpoints(path: Path) -> Array:
    """Rows (N, 8) of viewpoints.npy."""
    try:
        rows = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DatasetError(f"no such file: {path} (viewpoints of episodes.json.gz)") from error
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"expected an array of viewpoints in {path}, got something else: {error}") from error
    if rows.ndim != 2 or rows.shape[1] != _VIEWPOINT_WIDTH:
        raise DatasetError(
            f"expected viewpoints (N, {_VIEWPOINT_WIDTH}) (position, rotation, overlap) in {path}, got {rows.shape}"
        )
    return np.asarray(rows, dtype=np.float64)


def _transformations(path: Path) -> Array | None:
    """Poses (N, 3, 4) in Habitat's world; None: poses are in the episodes themselves."""
    if not path.is_file():
        return None
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"expected an array of poses in {path}, got something else: {error}") from error
    if rows.ndim != 3 or rows.shape[1:] != (3, 4):
        raise DatasetError(f"expected poses (N, 3, 4) in {path}, got {rows.shape}")
    return np.asarray(rows, dtype=np.float64)


def _models(episode: Fields, poses: Array | None) -> tuple[tuple[str, Array], ...]:
    """What is added to the scene: pairs of a config's name and a pose, or its row in transformations.npy."""
    found = []
    for item in episode.items("rigid_objs") if "rigid_objs" in episode else []:
        if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str)):
            raise episode.error("pairs of an object's config and its pose", item, "rigid_objs")
        T = _matrix(item[1])
        if _is_index(item[1]) and poses is not None and item[1] < len(poses):
            T = np.vstack([poses[item[1]], [0.0, 0.0, 0.0, 1.0]])
        if T is None:
            raise episode.error("a pose (4, 4), or a row of transformations.npy", item[1], "rigid_objs")
        found.append((item[0], _to_map(T)))
    return tuple(found)


def _deeds(episode: Fields) -> tuple[DoryDeed, ...]:
    """The day: one pick-and-place for each candidate object, in their order."""
    if "goal_receptacles" not in episode or "target_receptacles" not in episode:
        return ()
    n = len(episode.objects("candidate_objects"))
    receptacles = {name: episode.items(name) for name in ("target_receptacles", "goal_receptacles")}
    for name, items in receptacles.items():
        if len(items) < n or not all(isinstance(i, list) and i and isinstance(i[0], str) for i in items):
            raise episode.error(f"the receptacle of each of the {n} candidate objects", items, name)
    views = episode.object("place_valid_receps").raw if "place_valid_receps" in episode else {}
    actions = episode.object("place_oracle_action_seq").raw if "place_oracle_action_seq" in episode else {}
    deeds = []
    for i in range(n):
        view = views.get(str(i), -1)
        if not isinstance(view, int):
            raise episode.error("the number of a viewpoint", view, f"place_valid_receps.{i}")
        # The last of the poses that come with the actions is the one that the thing came to lie in.
        after = [T for action in actions.get(str(i)) or [] if (T := _last_matrix(action)) is not None]
        start, goal = (str(receptacles[name][i][0]) for name in receptacles)
        deeds.append(DoryDeed(i, start, goal, view, _to_map(after[-1]) if after else None))
    return tuple(deeds)


def _last_matrix(action: Any) -> Array | None:
    """The pose (4, 4) at the end of an action; None: it has none."""
    return _matrix(action[-1]) if isinstance(action, list) and len(action) > 1 else None


def _matrix(value: Any) -> Array | None:
    """A matrix (4, 4) of finite numbers; None: it is none."""
    try:
        T = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return T if T.shape == (4, 4) and np.all(np.isfinite(T)) else None


def _to_map(T_world_object: Array) -> Array:
    """A y-up model's pose in Habitat's world as that of the same model made z-up in the map."""
    return np.asarray(Y_UP_TO_Z_UP @ T_world_object @ Y_UP_TO_Z_UP.T)


def _candidate(candidate: Fields, viewpoints: Array) -> ObjectGoal:
    indices = candidate.items("view_points")
    if not all(_is_index(i) and i < len(viewpoints) for i in indices):
        raise candidate.error(f"indices of {len(viewpoints)} rows of viewpoints.npy", indices, "view_points")
    rows = viewpoints[np.asarray(indices, dtype=np.int64)]
    check_rotations(candidate, "view_points", rows[:, 3:7])
    return ObjectGoal(
        candidate.identifier("object_id"),
        candidate.text("object_category"),
        points_to_map(candidate.numbers("position", 3)),
        points_to_map(rows[:, :3]),
        headings(rows[:, 3:7]),
    )


def _tasks(episode: Fields) -> Iterator[DoryTask]:
    instructions = episode.object("instructions")
    for key in instructions.raw:
        task = instructions.object(key)
        several = task.object("sequential_goals") if task.raw.get("sequential_goals") else None
        yield DoryTask(
            task.identifier("task_id"),
            task.text("lang"),
            task.text("task_type"),
            task.object("goal_expr").raw,
            several is not None,
            _sequence(several) if several is not None else (),
        )


def _sequence(several: Fields) -> tuple[int, ...]:
    if not isinstance(several.raw.get("ordered"), bool):
        raise several.error("true or false", several.raw.get("ordered"), "ordered")
    if not several.raw["ordered"]:
        return ()
    sequence = several.items("sequence")
    if not sequence or not all(_is_index(i) for i in sequence):
        raise several.error("numbers of interactions", sequence, "sequence")
    return tuple(sequence)
