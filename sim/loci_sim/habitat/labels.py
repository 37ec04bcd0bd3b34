"""From the ids in Habitat's semantic images to our label and instance images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loci_sim.habitat.export import LABELS
from loci_sim.scenes import STRUCTURE_LABELS, Scene

#: What scans call what is no object of its own.
_NOTHING = frozenset(("", "unknown", "void", "misc", "unlabeled"))


@dataclass(frozen=True)
class LabelTable:
    """Ids and what they mean.

    Attributes:
        labels: names of the values of label images; the first is empty.
        instance_labels: category of every instance > 0.
        label_of: (N,) int32, label of every id.
        instance_of: (N,) int32, instance of every id.
    """

    labels: tuple[str, ...]
    instance_labels: dict[int, str]
    label_of: npt.NDArray[np.int32]
    instance_of: npt.NDArray[np.int32]

    def images(self, ids: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Label and instance images (H, W) of ids (H, W); unknown ids are nothing."""
        known = np.where(ids < len(self.label_of), ids, 0)
        return self.label_of[known], self.instance_of[known]


def table_of_scene(scene: Scene) -> LabelTable:
    """Of a scene that Loci exported."""
    labels = {name: i for i, name in enumerate(scene.labels)}
    # Stairs and railings are labels only where there are some.
    of_structure = [labels.get(name, 0) for name in LABELS]
    of_things = [labels[o.category] for o in scene.objects]
    instances = [0] * (1 + len(LABELS)) + [o.instance for o in scene.objects]
    return LabelTable(
        scene.labels,
        scene.instance_labels,
        np.array([0, *of_structure, *of_things], dtype=np.int32),
        np.array(instances, dtype=np.int32),
    )


def table_of_semantics(semantics: Sequence[Sequence[Any]]) -> LabelTable:
    """Of another scene, from its ids and categories; the ids are the instances."""
    categories = {int(i): str(name).strip().lower() for i, name in semantics}
    categories = {i: name for i, name in categories.items() if i > 0 and name not in _NOTHING}
    labels = ("", *sorted(set(categories.values())))
    index = {name: i for i, name in enumerate(labels)}
    label_of = np.zeros(max(categories, default=0) + 1, dtype=np.int32)
    instance_of = np.zeros_like(label_of)
    for i, name in categories.items():
        label_of[i], instance_of[i] = index[name], 0 if name in STRUCTURE_LABELS else i
    instance_labels = {i: name for i, name in categories.items() if name not in STRUCTURE_LABELS}
    return LabelTable(labels, instance_labels, label_of, instance_of)
