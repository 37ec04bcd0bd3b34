"""A home of ours as a scene dataset of Habitat, and small files of benchmarks with episodes in it: real scenes, invented episodes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loci.geometry import Array
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.habitat.export import ExportedScene, export_scene
from loci_sim.scenes import SceneThing, resolve_scene
from loci_sim.viewpoints import SPACING, viewpoints

#: Categories of goals, of which homes have one or more that can be seen.
WANTED = ("chair", "bed", "sink", "lamp")


@dataclass(frozen=True)
class BenchmarkHome:
    """A home as somebody else's dataset.

    Attributes:
        exported: its files.
        scenes_dir: what Habitat calls data/scene_datasets.
        config: the dataset config as episodes name it.
        starts: (N, 3) points where the robot can stand [m].
        things: of categories among `WANTED`, by category, with their viewpoints (M, 3) [m].
    """

    exported: ExportedScene
    scenes_dir: Path
    config: str
    starts: Array
    things: dict[str, list[tuple[SceneThing, Array]]]


def make_home(folder: Path, name: str = "home:1") -> BenchmarkHome:
    """Generate a home and export it into a folder of scene datasets."""
    scenes_dir = folder / "scene_datasets"
    exported = export_scene(resolve_scene(name, folder), scenes_dir)
    simulator = EmbeddedSimulator(exported.scene, RobotParameters(width=64, height=48))
    try:
        things: dict[str, list[tuple[SceneThing, Array]]] = {}
        for thing in (o for o in exported.scene.objects if o.category in WANTED):
            points = denser(simulator, viewpoints(simulator, thing.id))
            if len(points):
                things.setdefault(thing.category, []).append((thing, points))
        rng = np.random.default_rng(0)
        starts = []
        while len(starts) < 4:
            simulator.reset(int(rng.integers(1 << 30)))
            starts.append(simulator.position())
    finally:
        simulator.close()
    config = f"./data/scene_datasets/{exported.dataset.relative_to(scenes_dir)}"
    return BenchmarkHome(exported, scenes_dir, config, np.array(starts), things)


def denser(simulator: EmbeddedSimulator, points: Array) -> Array:
    """Viewpoints at half the spacing, as dense as those of ObjectNav: then every stop among them is within 0.1 m of one."""
    half = SPACING / 2
    moved = [points + [dx, dy, 0.0] for dx in (0.0, half) for dy in (0.0, half)]
    return np.array([p for p in np.concatenate(moved) if simulator.is_navigable(*p)])


def position(point: Sequence[float]) -> list[float]:
    """A point of the map in Habitat's world."""
    return [float(point[0]), float(point[2]), -float(point[1])]


def rotation(heading: float) -> list[float]:
    """Quaternion (x, y, z, w) in Habitat's world of who looks along a heading [rad] of the map: unturned, along +y."""
    turn = heading - np.pi / 2
    return [0.0, float(np.sin(turn / 2)), 0.0, float(np.cos(turn / 2))]


def _goal(thing: SceneThing, points: Array, **more: Any) -> dict[str, Any]:
    views = [{"agent_state": {"position": position(p), "rotation": rotation(0.0)}, "iou": 0.1} for p in points]
    return {
        "object_id": thing.id,
        "object_category": thing.category,
        "position": position(thing.center),
        "view_points": views,
        **more,
    }


def _episode(home: BenchmarkHome, i: int, **more: Any) -> dict[str, Any]:
    return {
        "episode_id": str(i),
        "scene_id": home.exported.scene_id,
        "scene_dataset_config": home.config,
        "start_position": position(home.starts[i]),
        "start_rotation": rotation(0.7 * i),
        **more,
    }


def write_objectnav(home: BenchmarkHome, folder: Path, n: int = 2) -> Path:
    """Episodes for categories by turns; returns the folder of splits."""
    scene, categories = home.exported.scene_id, sorted(home.things)
    goals = {f"{scene}_{c}": [_goal(t, p) for t, p in found] for c, found in home.things.items()}
    episodes = [_episode(home, i, object_category=categories[i % len(categories)], goals=[]) for i in range(n)]
    return _write(folder, "val", scene, {"goals_by_category": goals, "episodes": episodes})


def write_goat(home: BenchmarkHome, folder: Path) -> Path:
    """One episode with a goal of each kind; returns the folder of splits."""
    scene, (a, b, c) = home.exported.scene_id, sorted(home.things)[:3]
    (thing, points), *_ = home.things[c]
    at = points[len(points) // 2]
    image = {
        "position": position((*at[:2], 1.25)),
        "rotation": rotation(float(np.arctan2(thing.center[1] - at[1], thing.center[0] - at[0]))),
        "hfov": 74,
        "image_dimensions": [384, 512],
    }
    more: dict[str, Any] = {"children_object_categories": [], "image_goals": [image]}
    goals = {
        f"{scene}_{k}": [_goal(t, p, lang_desc=f"The {t.color} {t.category}.", **more) for t, p in found]
        for k, found in home.things.items()
    }
    tasks = [[a, "object", None], [b, "description", home.things[b][0][0].id], [c, "image", thing.id, 0]]
    return _write(folder, "val_unseen", scene, {"goals": goals, "episodes": [_episode(home, 1, tasks=tasks)]})


def _write(folder: Path, split: str, scene: str, content: Any) -> Path:
    path = folder / split / "content" / f"{scene}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return folder
