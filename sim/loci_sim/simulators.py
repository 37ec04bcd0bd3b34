"""The simulators by name: both do the same with the same scenes, as `protocol` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.habitat.simulator import HabitatSimulator
from loci_sim.noise import NoiseParameters
from loci_sim.scenes import resolve_scene

SIMULATORS = ("embedded", "habitat")
AnySimulator = EmbeddedSimulator | HabitatSimulator


def open_simulator(
    name: str,
    scene: str,
    parameters: RobotParameters | None = None,
    *,
    scene_directory: Path | None = None,
    scene_dataset: str = "",
    habitat_python: str = "",
    habitat_physics: bool = False,
    added_objects: Path | None = None,
    noise: NoiseParameters | None = None,
    threads: int = 1,
    report: Callable[[str], None] = lambda message: None,
) -> AnySimulator:
    """Open a scene in a simulator.

    Args:
        name: one of `SIMULATORS`.
        scene: FAMILY:SEED or a file; for Habitat also an id in ``scene_dataset``.
        parameters: of the robot.
        scene_directory: where generated scenes are kept; None: the usual place.
        scene_dataset: config of a Habitat scene dataset; empty: none.
        habitat_python: interpreter with habitat_sim; empty: `LOCI_HABITAT_PYTHON`, else python3.
        habitat_physics: added objects fall until they lie still (Bullet).
        added_objects: file with objects for somebody else's scene in Habitat; None: none.
        noise: of the sensors and of the reported pose; None: none.
        threads: of the embedded ray caster; 0: one per core.
        report: is told what goes wrong and is mended by the simulator itself.

    Raises:
        ValueError: there is no such simulator, scene (`SceneError`) or dataset.
        HabitatError: habitat_sim is missing or does not work.
    """
    if name == "habitat":
        return HabitatSimulator(
            scene,
            parameters,
            dataset=scene_dataset,
            python=habitat_python,
            cache=scene_directory,
            noise=noise,
            physics=habitat_physics,
            objects=added_objects,
            report=report,
        )
    if name != "embedded":
        raise ValueError(f"expected a simulator out of {', '.join(SIMULATORS)}, got {name!r}")
    if scene_dataset:
        raise ValueError(
            f"only the simulator habitat takes a scene_dataset, got {scene_dataset!r} with simulator embedded"
        )
    if habitat_physics or added_objects is not None:
        given = "habitat_physics" if habitat_physics else "added_objects"
        raise ValueError(
            f"only the simulator habitat has physics and added objects, got {given} with simulator embedded"
        )
    return EmbeddedSimulator(resolve_scene(scene, scene_directory), parameters, noise=noise, threads=threads)
