"""What a benchmark leaves to the simulator before its goals can be given: pictures of goals, and a scene that can be opened."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from loci.errors import UserError
from loci.geometry import Camera
from loci.observation import Detection
from loci.perception.simulated import detections_from_instances
from loci_sim.evaluation.datasets.goat import ImageGoal
from loci_sim.evaluation.datasets.selection import EpisodeGoal, OpenableScene
from loci_sim.evaluation.tasks import Goal, Question
from loci_sim.habitat.axes import camera_to_habitat
from loci_sim.habitat.process import HabitatError
from loci_sim.habitat.simulator import HabitatSimulator


def prepare_goals(
    goals: Sequence[EpisodeGoal], scene: OpenableScene, suite: str, planner: str, python: str
) -> tuple[str, list[Goal | Question]]:
    """Open a scene once, before a robot is in it: its map's id, and the goals with their pictures.

    Args:
        goals: of this scene.
        scene: what to open.
        suite, planner: as the user has named them.
        python: interpreter with habitat_sim; empty: the usual one.

    Raises:
        UserError: it cannot be opened, or has no semantic annotation, which a robot with a memory needs.
    """
    try:
        simulator = HabitatSimulator(scene.scene, dataset=scene.dataset, python=python)
    except HabitatError as error:
        raise UserError(str(error), f"loci eval {suite} --habitat-python PATH ...") from error
    except ValueError as error:
        raise UserError(f"cannot open {scene.scene}: {error}", f"loci eval {suite} --scene-dataset FILE ...") from error
    try:
        if planner == "offline" and not simulator.instance_labels:
            raise UserError(
                f"{scene.scene} has no semantic annotation, from which the simulated detector takes its labels",
                f"loci eval {suite} --scene-dataset ANNOTATED.scene_dataset_config.json ...",
            )
        return simulator.map_id, [_told(simulator, g) for g in goals]
    finally:
        simulator.close()


def _told(simulator: HabitatSimulator, g: EpisodeGoal) -> Goal | Question:
    """A goal as the robot is told it."""
    if g.image is None or isinstance(g.goal, Question):
        return g.goal
    image, detections = render(simulator, g.image)
    return replace(g.goal, image=image, detections=detections)


def render(simulator: HabitatSimulator, image: ImageGoal) -> tuple[bytes, tuple[Detection, ...]]:
    """JPEG of what a camera sees from the pose of an image goal, with its size and field of view, and what the simulated detector sees in it."""
    focal = image.width / 2 / float(np.tan(np.radians(image.hfov) / 2))
    middle = ((image.width - 1) / 2, (image.height - 1) / 2)
    name = f"goal-{image.width}x{image.height}-{image.hfov:g}"
    simulator.client.add_camera(name, Camera(image.width, image.height, focal, focal, *middle))
    color, _, ids = simulator.client.render({name: camera_to_habitat(image.T_map_camera)}, ("color", "ids"))[name]
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(color, cv2.COLOR_RGB2BGR))
    if not ok:
        raise RuntimeError("OpenCV could not encode a picture as JPEG")
    jpeg = bytes(data.tobytes())
    _, instances = simulator.added.table.images(ids)
    order = np.random.default_rng(zlib.crc32(jpeg))  # the same at every run
    return jpeg, detections_from_instances(instances, simulator.instance_labels, order)
