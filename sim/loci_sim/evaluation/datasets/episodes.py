"""What episodes of Habitat's navigation benchmarks have in common: a scene, a start, and goals that can be seen from viewpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loci.geometry import Array
from loci_sim.evaluation.datasets.files import DatasetError, Fields
from loci_sim.evaluation.datasets.frames import base_pose, headings, points_to_map

#: Where episode files expect scenes, below the folder that Habitat is started in.
_SCENES_PREFIX = "data/scene_datasets/"
#: Files have five digits.
_NORM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class SceneReference:
    """A scene as an episode file names it, for the Habitat backend.

    Attributes:
        scene_id: e.g. ``hm3d/val/00800-TEEsavR23oF/TEEsavR23oF.basis.glb``.
        dataset_config: e.g. ``./data/scene_datasets/hm3d/hm3d_annotated_basis.scene_dataset_config.json``; empty: none is named.
    """

    scene_id: str
    dataset_config: str

    @property
    def name(self) -> str:
        """The scene alone: ``TEEsavR23oF.basis.glb``."""
        return self.scene_id.rsplit("/", 1)[-1]


@dataclass(frozen=True, eq=False)
class ObjectGoal:
    """A thing to go to.

    Attributes:
        object_id: as in the file; unique in a scene.
        category: of the thing.
        position: (3,) its centre in the map [m].
        viewpoints: (N, 3) floor points in the map from which it is seen [m]; may be none.
        viewpoint_headings: (N,) where the agent looks there [rad about the map's z axis, 0 along x].
    """

    object_id: str
    category: str
    position: Array = field(repr=False)
    viewpoints: Array = field(repr=False)
    viewpoint_headings: Array = field(repr=False)


def goal_viewpoints(goals: Sequence[ObjectGoal]) -> Array:
    """All viewpoints (N, 3) of goals any of which is meant, in the map [m]."""
    return np.concatenate([np.empty((0, 3)), *(g.viewpoints for g in goals)])


def scene_files(scene: SceneReference, scenes: Path) -> tuple[Path | str, Path | None]:
    """Files of a scene under the user's folder of scene datasets: the ``.glb``, and its dataset config or None if none is named.

    A scene that is no ``.glb`` is an id, as ReplicaCAD and HSSD have them: it stays as it is, its dataset config knows the files.

    Args:
        scene: as an episode names it.
        scenes: the folder that Habitat calls ``data/scene_datasets``.

    Raises:
        DatasetError: a file is not there.
    """
    mesh = scenes / _below_scenes(scene.scene_id) if scene.scene_id.endswith(".glb") else None
    config = scenes / _below_scenes(scene.dataset_config) if scene.dataset_config else None
    for path, what in ((mesh, "scene"), (config, "scene dataset config")):
        if path is not None and not path.is_file():
            raise DatasetError(f"expected the {what} {path}, got no such file: {scenes} is to hold the scene datasets")
    return mesh or scene.scene_id, config


def _below_scenes(name: str) -> str:
    return name.removeprefix("./").removeprefix(_SCENES_PREFIX)


def read_scene(episode: Fields) -> SceneReference:
    """The scene of an episode; Habitat's name for no dataset config, "default", becomes empty.

    Raises:
        DatasetError: a field is missing or of another type.
    """
    config = episode.text("scene_dataset_config", "")
    return SceneReference(episode.text("scene_id"), "" if config == "default" else config)


def read_start(episode: Fields) -> Array:
    """T_map_base (4, 4) at an episode's start.

    Raises:
        DatasetError: a field is missing, or it is no pose.
    """
    position, rotation = episode.numbers("start_position", 3), episode.numbers("start_rotation", 4)
    try:
        return base_pose(position, rotation)
    except ValueError as error:
        raise episode.error(f"a pose ({error})", rotation, "start_rotation") from error


def read_goal(goal: Fields, category: str = "") -> ObjectGoal:
    """An object goal with its viewpoints.

    Args:
        goal: with object_id, object_category, position and view_points (each with agent_state.position and .rotation).
        category: for files that do not say it.

    Raises:
        DatasetError: a field is missing or of another type.
    """
    # Goals have up to hundreds of viewpoints: they are checked as arrays, and one by one only to say which is wrong.
    views = goal.items("view_points")
    try:
        states = np.array([[*v["agent_state"]["position"], *v["agent_state"]["rotation"]] for v in views], dtype=float)
        states = states.reshape(len(views), 7)
        fine = bool(np.all(np.isfinite(states)))
    except (KeyError, TypeError, ValueError):
        fine = False
    if not fine:
        for view in goal.objects("view_points"):
            state = view.object("agent_state")
            state.numbers("position", 3)
            state.numbers("rotation", 4)
        raise goal.error("viewpoints of 3 + 4 numbers", views, "view_points")
    check_rotations(goal, "view_points", states[:, 3:])
    return ObjectGoal(
        goal.identifier("object_id"),
        goal.text("object_category", category or None),
        points_to_map(goal.numbers("position", 3)),
        points_to_map(states[:, :3]),
        headings(states[:, 3:]),
    )


def check_rotations(goal: Fields, name: str, rotations: Array) -> None:
    """Check that the rotations (N, 4) of viewpoints are quaternions of norm 1.

    Raises:
        DatasetError: one is not.
    """
    norms = np.linalg.norm(rotations, axis=1)
    if np.any(np.abs(norms - 1.0) > _NORM_TOLERANCE):
        there = f"{goal.where}.{name}"
        raise DatasetError(
            f"expected quaternions of norm 1 at {there} in {goal.path}, got norms from {norms.min():.3g} to {norms.max():.3g}"
        )
