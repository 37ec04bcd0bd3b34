"""Starts habitat_sim with a scene: checks first what would otherwise end the process or load an empty world."""

from __future__ import annotations

import os
from typing import Any


class RequestError(ValueError):
    """A request cannot be done, for a reason that the user can do something about."""


def open_simulator(request: dict[str, Any]) -> tuple[Any, Any]:
    """The simulator with the scene of an ``open`` request, and the module habitat_sim.

    Raises:
        RequestError: there is no such dataset, or no such scene in it, or physics are asked for that this build lacks.
    """
    import habitat_sim

    if request["physics"] and not habitat_sim.built_with_bullet:
        raise RequestError(
            "physics need a habitat_sim that was built with Bullet (conda: the package's variant withbullet; from source: "
            "--bullet), this one was not: open the scene without physics"
        )

    settings = habitat_sim.SimulatorConfiguration()
    scene, dataset = str(request["scene"]), str(request["dataset"])
    if dataset:
        if not os.path.isfile(dataset):
            raise RequestError("no dataset config " + dataset)
        settings.scene_dataset_config_file = dataset
    settings.scene_id = scene
    # Where habitat_sim has Bullet, its objects can only be got at with physics on. Unless something is to settle no time passes.
    settings.enable_physics = bool(habitat_sim.built_with_bullet)
    settings.load_semantic_mesh = True
    settings.random_seed = 0
    settings.gpu_device_id = int(request["gpu"])
    agent = habitat_sim.agent.AgentConfiguration()
    agent.sensor_specifications = [_first_sensor(habitat_sim, kind) for kind in ("COLOR", "DEPTH", "SEMANTIC")]
    try:
        mediator = habitat_sim.metadata.MetadataMediator(settings)
        _check_scene(mediator, scene, dataset)
        simulator = habitat_sim.Simulator(habitat_sim.Configuration(settings, [agent], mediator))
    except AssertionError as error:
        # What habitat_sim's own checks of files raise.
        raise RequestError("habitat_sim cannot open " + repr(scene) + ": " + str(error)) from error
    # Cameras are where their poses say: the agent that carries them stays at the origin.
    state = habitat_sim.AgentState()
    simulator.get_agent(0).set_state(state)
    return simulator, habitat_sim


def _first_sensor(habitat_sim: Any, kind: str) -> Any:
    """A small sensor of a kind: only what the first ones need is loaded, and cameras are added later."""
    spec = habitat_sim.CameraSensorSpec()
    spec.uuid, spec.sensor_type, spec.resolution = "first." + kind, getattr(habitat_sim.SensorType, kind), [4, 4]
    spec.position = [0.0, 0.0, 0.0]
    return spec


def _check_scene(mediator: Any, scene: str, dataset: str) -> None:
    if os.path.isfile(scene):
        return
    handles: list[str] = list(mediator.get_scene_handles())
    handles += list(mediator.stage_template_manager.get_template_handles())
    if any(scene in handle for handle in handles):
        return
    names = sorted({os.path.basename(h).split(".")[0] for h in handles} - {"NONE"})
    there = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "none at all"
    where = dataset or "Habitat's default dataset"
    raise RequestError("no scene " + repr(scene) + " in " + where + ", which has " + there)
