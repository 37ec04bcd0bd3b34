"""Episodes of the Habitat ObjectNav challenges on HM3D, v1 (2022) and v2 (2023): "find a chair", any chair.

Layout: ``{split}/{split}.json.gz`` (no episodes) and ``{split}/content/SCENE.json.gz`` with ``episodes`` and ``goals_by_category``.
Checked against habitat-lab's loader and the challenges' published val_mini splits of both versions. Both have the same fields; they
differ in their scenes (``hm3d`` or ``hm3d_v0.2``). ObjectNav on MP3D has the same fields but for the name of its table of categories.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loci.geometry import Array
from loci_sim.evaluation.datasets.episodes import ObjectGoal, SceneReference, read_goal, read_scene, read_start
from loci_sim.evaluation.datasets.files import DatasetError, Fields, files_of_scenes, read_json, with_progress


@dataclass(frozen=True, eq=False)
class ObjectNavEpisode:
    """Find an object of a category.

    Attributes:
        episode_id: as in the file; unique with its scene.
        scene: where.
        category: of what is to be found, as the benchmark words it ("tv_monitor").
        T_map_base: (4, 4) the robot's base at the start.
        geodesic_distance: shortest way to a viewpoint as the file has it [m]; None: it does not say.
        goals: any of these is meant; their viewpoints count for success.
    """

    episode_id: str
    scene: SceneReference
    category: str
    T_map_base: Array = field(repr=False)
    geodesic_distance: float | None
    goals: tuple[ObjectGoal, ...] = field(repr=False)


def read_objectnav(folder: Path, split: str, scenes: Collection[str] | None = None) -> Iterator[ObjectNavEpisode]:
    """Episodes of a split, one scene's file after the other.

    Args:
        folder: with the splits, e.g. ``objectnav/hm3d/v2``.
        split: "train", "val", "val_mini", ...
        scenes: only files of these scenes ("TEEsavR23oF"); None: all.

    Raises:
        DatasetError: a file is missing, damaged, or not of ObjectNav.
    """
    paths = files_of_scenes(folder, split, scenes)
    for path in with_progress(paths, f"ObjectNav {split}"):
        yield from read_objectnav_file(path)


def read_objectnav_file(path: Path) -> list[ObjectNavEpisode]:
    """Episodes of one scene's file.

    Raises:
        DatasetError: as `read_objectnav`.
    """
    content = Fields(read_json(path), path)
    episodes = content.objects("episodes")
    if not episodes:
        return []
    if "goals_by_category" not in content:
        other = " (a GOAT-Bench file has 'goals')" if "goals" in content else ""
        raise DatasetError(
            f"expected an ObjectNav file with 'goals_by_category'{other}, got {sorted(content.raw)} in {path}"
        )
    by_category = content.object("goals_by_category")
    goals = {key: tuple(read_goal(g) for g in by_category.objects(key)) for key in by_category.raw}
    return [_episode(e, goals) for e in episodes]


def _episode(episode: Fields, goals: dict[str, tuple[ObjectGoal, ...]]) -> ObjectNavEpisode:
    scene, category = read_scene(episode), episode.text("object_category")
    key = f"{scene.name}_{category}"
    if key not in goals:
        raise episode.error(f"a category with goals ({key!r} in goals_by_category)", category, "object_category")
    info = episode.object("info") if "info" in episode else None
    return ObjectNavEpisode(
        episode.identifier("episode_id"),
        scene,
        category,
        read_start(episode),
        info.number("geodesic_distance") if info is not None and "geodesic_distance" in info else None,
        goals[key],
    )
