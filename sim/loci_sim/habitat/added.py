"""Rigid objects that are added to a scene, moved and removed again, with instances after those of the scene."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from loci.geometry import Array, check_pose
from loci_sim.habitat.axes import pose_from_habitat, pose_to_habitat
from loci_sim.habitat.client import Client
from loci_sim.habitat.export import MARGIN
from loci_sim.habitat.labels import LabelTable
from loci_sim.habitat.process import RefusedError
from loci_sim.scenes import SceneError

_CONFIG = ".object_config.json"


#: What falls has so much time to come to rest [s].
_SETTLING = 5.0


class AddedObjects:
    """Objects by instance.

    Args:
        changed: called after every change with the time that it took [s].
        physics: what is put somewhere falls until it lies still, 5 s at most; otherwise it stays where it was put.

    Attributes:
        table: labels of the scene and of what was added.
    """

    def __init__(
        self, client: Client, table: LabelTable, changed: Callable[[float], None], physics: bool = False
    ) -> None:
        self.table, self._client, self._changed, self._physics = table, client, changed, physics
        self._poses: dict[int, Array | None] = {}
        # Habitat reads an object's config again when a worker has to be replaced: it lies here until the simulator is gone.
        self._folder = tempfile.TemporaryDirectory(prefix="loci-habitat-objects-")
        self._names: dict[int, str] = {}

    def add(self, glb: Path, category: str, T_map_object: Array) -> int:
        """Add a y-up model of a category at a pose (4, 4) of the model made z-up; returns its instance.

        Args:
            glb: the model, or a Habitat .object_config.json of one, whose poses are those of its own frame.

        Raises:
            SceneError: there is no such file, or Habitat cannot load it.
        """
        if not (glb.is_file() and glb.name.endswith((".glb", _CONFIG))):
            raise SceneError(f"expected a .glb as model of a {category}, or its {_CONFIG}, got {glb}")
        check_pose(T_map_object, f"T_map_object of a {category}")
        table = self.table
        number, instance = len(table.label_of), max(table.instance_labels, default=0) + 1
        name = f"added-{number:05d}"
        config = glb.resolve()
        if glb.suffix == ".glb":
            config = Path(self._folder.name, f"{name}{_CONFIG}")
            frame = {"up": [0.0, 1.0, 0.0], "front": [0.0, 0.0, -1.0]}
            # Bullet keeps things apart by their margins: Habitat's 4 cm would let them float.
            content = {"render_asset": str(glb.resolve()), "COM": [0.0, 0.0, 0.0], "margin": MARGIN, **frame}
            config.write_text(json.dumps(content))
        entry = {"name": name, "model": str(config), "id": number, "pose": pose_to_habitat(T_map_object)}
        try:
            self._client.place([entry])
        except RefusedError as error:
            raise SceneError(f"{glb}: {error}") from error
        # Labels keep their values: a new category comes last.
        labels = table.labels if category in table.labels else (*table.labels, category)
        self.table = replace(
            table,
            labels=labels,
            instance_labels={**table.instance_labels, instance: category},
            label_of=np.append(table.label_of, np.int32(labels.index(category))),
            instance_of=np.append(table.instance_of, np.int32(instance)),
        )
        self._names[instance] = name
        self._come_to_rest(instance, T_map_object)
        return instance

    def move(self, instance: int, T_map_object: Array) -> None:
        """Put an object at a pose (4, 4).

        Raises:
            ValueError: no such object was added.
        """
        check_pose(T_map_object, f"T_map_object of instance {instance}")
        self._client.place([{"name": self._name(instance), "pose": pose_to_habitat(T_map_object)}])
        self._come_to_rest(instance, T_map_object)

    def hide(self, instance: int) -> None:
        """Take an object out of sight; `move` puts it somewhere again.

        Raises:
            ValueError: no such object was added.
        """
        self._client.place([{"name": self._name(instance), "pose": None}])
        self._poses[instance] = None
        self._changed(0.0)

    def pose(self, instance: int) -> Array | None:
        """T_map_object (4, 4) of an object as it lies now; None: it is out of sight.

        Raises:
            ValueError: no such object was added.
        """
        self._name(instance)
        return self._poses[instance]

    def remove(self, instance: int) -> None:
        """Remove an object; its instance is not used again.

        Raises:
            ValueError: no such object was added.
        """
        self._client.remove(self._name(instance))
        del self._names[instance], self._poses[instance]
        self._changed(0.0)

    def _come_to_rest(self, instance: int, T_map_object: Array) -> None:
        """With physics, let an object fall from where it was put."""
        name, seconds = self._name(instance), 0.0
        self._poses[instance] = np.array(T_map_object, dtype=np.float64)
        if self._physics:
            poses, seconds, _ = self._client.settle([name], _SETTLING)
            self._poses[instance] = pose_from_habitat(poses[name])
        self._changed(seconds)

    def _name(self, instance: int) -> str:
        if instance not in self._names:
            raise ValueError(f"expected the instance of an object that was added, got {instance}")
        return self._names[instance]
