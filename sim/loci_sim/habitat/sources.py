"""What a scene's name stands for in Habitat: a scene of ours, exported; a bare GLB; or a scene id with a dataset config."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from loci_sim.habitat.client import Opening
from loci_sim.habitat.export import export_scene, stage_config_of
from loci_sim.navigation import STEP_HEIGHT
from loci_sim.robot import RobotParameters
from loci_sim.scenes import Scene, SceneError, ScenePath, default_cache, resolve_scene
from loci_sim.stairs import RISE

#: Files that Habitat takes as they are.
_CONFIGS = (".scene_instance.json", ".stage_config.json")
#: What is lower is driven over in scans, whose floors are not even [m]; as in the Habitat challenges.
_SCAN_CLIMB = 0.2


@dataclass(frozen=True)
class Source:
    """A scene for Habitat.

    Attributes:
        map_id: of the simulator's map.
        opening: for the worker.
        scene: its ground truth, of scenes that Loci exported.
    """

    map_id: str
    opening: Opening
    scene: Scene | None


def find_source(scene: ScenePath | Path | str, dataset: str, robot: RobotParameters, cache: Path | None) -> Source:
    """What to open for a scene.

    Args:
        scene: FAMILY:SEED, files of ours, a .glb, a Habitat scene or stage config; with ``dataset`` an id in it.
        dataset: path of a .scene_dataset_config.json; empty: none.
        cache: where scenes are generated and exported to; None: the usual place.

    Raises:
        SceneError: there is no such scene or dataset.
    """
    cache = cache or default_cache()
    if dataset:
        config = Path(dataset).expanduser()
        if not config.is_file():
            raise SceneError(f"expected a .scene_dataset_config.json as scene dataset, got {dataset!r} (no such file)")
        if isinstance(scene, ScenePath) or not str(scene):
            raise SceneError(f"expected the id of a scene in {config.name}, got {scene!r}")
        return _foreign(str(scene), str(config.resolve()), robot)
    if not isinstance(scene, ScenePath):
        path = Path(scene).expanduser()
        if path.is_file() and path.name.endswith(_CONFIGS):
            return _foreign(str(path.resolve()), "", robot)
        if path.suffix == ".glb" and path.is_file() and not path.with_suffix(".json").is_file():
            folder = cache / "habitat"
            folder.mkdir(parents=True, exist_ok=True)
            return _foreign(str(stage_config_of(path, folder)), "", robot)
        try:
            scene = resolve_scene(str(scene), cache)
        except SceneError as error:
            raise SceneError(
                f"{error}. For Habitat a scene is also a .glb alone, a .scene_instance.json, or an id with its dataset's config as "
                "scene_dataset"
            ) from error
    exported = export_scene(scene, cache / "habitat")
    # Where there are stairs the robot climbs their steps.
    climb = STEP_HEIGHT if len(exported.scene.floors) == 1 else RISE + STEP_HEIGHT
    opening = Opening(exported.scene_id, str(exported.dataset), True, _navmesh(robot, climb))
    return Source(exported.scene.map_id, opening, exported.scene)


def _foreign(scene: str, dataset: str, robot: RobotParameters) -> Source:
    name = Path(scene).name.split(".")[0] or scene
    map_id = "habitat-" + re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    # A navmesh that comes with a scene is for the agent of its benchmark: this robot gets its own.
    settings = {**_navmesh(robot, _SCAN_CLIMB), "cell_size": 0.05, "cell_height": 0.05}
    return Source(map_id, Opening(scene, dataset, False, settings), None)


def _navmesh(robot: RobotParameters, climb: float) -> dict[str, float | bool]:
    """Settings of a navmesh that is as near to the geometry as our own grid of 5 cm."""
    return {
        "agent_radius": robot.radius,
        "agent_height": robot.body_height,
        "agent_max_climb": climb,
        "agent_max_slope": 45.0,
        "cell_size": 0.02,
        "cell_height": 0.01,
        "region_min_size": 5.0,
        "edge_max_error": 1.0,
        "include_static_objects": True,
    }
