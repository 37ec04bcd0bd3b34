"""Which voxels belong to which objects: what the scene memory knows, told to the spatial memory's octree.

Only objects that have changed since the last time are told again; all of them after the octree was made anew.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from loci.scene.tracks import SceneObject
from loci.spatial.memory import SpatialMemory


class Annotator:
    """Keeps the annotations of one octree up to date. Written by one thread."""

    def __init__(self) -> None:
        self._told: dict[str, SceneObject] = {}
        self._n_rebuilds = -1

    def update(self, spatial: SpatialMemory, objects: Iterable[SceneObject]) -> int:
        """Tell an octree what has changed; returns the number of voxels that were told about.

        Args:
            spatial: whose octree it is.
            objects: all of its map, as published: those that are the same Python objects as the last time have not changed.
        """
        now = {o.id: o for o in objects}
        n_rebuilds = spatial.n_rebuilds
        all_anew = n_rebuilds != self._n_rebuilds
        changed = [o for o in now.values() if all_anew or self._told.get(o.id) is not o]
        leaf = spatial.parameters.octree.leaf_size
        gone = [i for i in self._told if i not in now]
        # Where an object was before it moved, something else may stand that fills the same voxels.
        before = ((o, self._told[o.id]) for o in changed if o.id in self._told)
        gone += [o.id for o, old in before if np.linalg.norm(np.subtract(o.center, old.center)) > leaf]
        if gone:
            spatial.rename_objects(dict.fromkeys(gone))
        self._told, self._n_rebuilds = now, n_rebuilds
        return spatial.annotate((o.points, o.label, o.id) for o in changed if len(o.points))
