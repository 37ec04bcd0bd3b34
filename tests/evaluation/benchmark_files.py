"""Small files in the formats of public benchmarks, written by the tests: invented contents, the published layout and fields."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

SCENE_ID = "hm3d/val/00899-AbCdEfGhIjK/AbCdEfGhIjK.basis.glb"
SCENE_NAME = "AbCdEfGhIjK.basis.glb"
CONFIG = "./data/scene_datasets/hm3d/hm3d_annotated_basis.scene_dataset_config.json"


def write(path: Path, content: Any) -> Path:
    """Write JSON, gzipped if the name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def goal(object_id: str, category: str, **more: Any) -> dict[str, Any]:
    """An object 2 m in front (Habitat's -z) of the origin, with two viewpoints; the robot looks at it from the first."""
    return {
        "object_id": object_id,
        "object_category": category,
        "position": [0.0, 1.0, -2.0],
        "view_points": [
            {"agent_state": {"position": [0.0, 0.0, -1.0], "rotation": [0.0, 0.0, 0.0, 1.0]}, "iou": 0.4},
            {"agent_state": {"position": [1.0, 0.0, -2.0], "rotation": [0.0, 0.70711, 0.0, 0.70711]}, "iou": 0.3},
        ],
        **more,
    }


def episode(episode_id: str | int = "7", **more: Any) -> dict[str, Any]:
    """A start at (1, 0.5, 3) of Habitat's world, turned left by 90 degrees from -z."""
    return {
        "episode_id": episode_id,
        "scene_id": SCENE_ID,
        "scene_dataset_config": CONFIG,
        "start_position": [1.0, 0.5, 3.0],
        "start_rotation": [0, 0.70711, 0, 0.70711],
        **more,
    }


def objectnav_content() -> dict[str, Any]:
    """One scene's file of ObjectNav on HM3D."""
    return {
        "goals_by_category": {
            f"{SCENE_NAME}_chair": [goal("12", "chair", object_name="chair_12"), goal("15", "chair")],
            f"{SCENE_NAME}_tv_monitor": [goal("3", "tv_monitor")],
        },
        "episodes": [
            episode("7", object_category="chair", goals=[], info={"geodesic_distance": 5.25}, shortest_paths=None),
            episode("8", object_category="tv_monitor", goals=[], info=None),
        ],
        "category_to_task_category_id": {"chair": 0, "tv_monitor": 4},
        "category_to_scene_annotation_category_id": {"chair": 0, "tv_monitor": 4},
    }


def write_objectnav(folder: Path, split: str = "val", content: Any = None) -> Path:
    """A split of ObjectNav with one scene: the index without episodes, and the scene's file, whose path is returned."""
    write(folder / split / f"{split}.json.gz", {"episodes": [], "category_to_task_category_id": {"chair": 0}})
    path = folder / split / "content" / "AbCdEfGhIjK.json.gz"
    return write(path, objectnav_content() if content is None else content)


def goat_content() -> dict[str, Any]:
    """One scene's file of GOAT-Bench."""
    image = {
        "position": [0.0, 1.0, 0.0],
        "rotation": [0.0, 0.0, 0.0, 1.0],
        "frame_coverage": 0.6,
        "object_coverage": 0.7,
        "hfov": 74,
        "image_dimensions": [384, 512],
    }
    none: dict[str, Any] = {"children_object_categories": []}
    return {
        "goals": {
            f"{SCENE_NAME}_chair": [
                goal(
                    "chair_1",
                    "chair",
                    lang_desc="chair beside the window.",
                    image_goals=[image],
                    children_object_categories=["armchair", "stool"],
                ),
                goal("chair_2", "chair", lang_desc=" ".join(["word"] * 56), **none),
            ],
            f"{SCENE_NAME}_armchair": [goal("armchair_9", "armchair", **none)],
        },
        "episodes": [
            episode(
                0,
                tasks=[
                    ["chair", "object", None],
                    ["chair", "description", "chair_1"],
                    ["chair", "description", "chair_2"],
                    ["chair", "image", "chair_1", 0],
                    ["armchair", "object", None],
                ],
            )
        ],
    }


def write_goat(folder: Path, split: str = "val_unseen", content: Any = None) -> Path:
    """A split of GOAT-Bench with one scene, whose file's path is returned."""
    path = folder / split / "content" / "AbCdEfGhIjK.json.gz"
    return write(path, goat_content() if content is None else content)
