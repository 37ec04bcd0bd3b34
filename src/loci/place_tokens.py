"""Memory tokens of a `RobotMemory`: what keyframes saw, written into the tokens of their places and octree nodes.

Joins the keyframes with `loci.episodic.tokens`, which knows of neither places nor octrees: keys are made here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loci.episodic.codec import CodecShape, TokenCodec
from loci.episodic.tokens import TokenMemory, TokenParameters
from loci.keyframes import Keyframe, Keyframes
from loci.spatial.node_keys import node_keys
from loci.spatial.octree import OctreeParameters
from loci.store.store import Store

#: Keys of places are their ids; those of nodes begin so.
PLACES, NODES = "place/", "node/"


class PlaceTokens:
    """Tokens of places and octree nodes, kept in step with the keyframes. One thread writes.

    Args:
        store: of the memory.
        keyframes: of the memory; those that were not written yet are written now.
        parameters: settings.
        octree: whose nodes have tokens.
        dimension: of the image embeddings.

    Raises:
        ValueError: the codec cannot be read, or is for vectors of another length.
    """

    def __init__(
        self,
        store: Store,
        keyframes: Keyframes,
        parameters: TokenParameters,
        octree: OctreeParameters,
        dimension: int,
    ) -> None:
        self._keyframes = keyframes
        self._level, self._octree = parameters.level, octree
        self._dimension = dimension
        codec = TokenCodec.load(Path(parameters.codec)) if parameters.codec else TokenCodec(CodecShape(dimension))
        if codec.dimension != dimension:
            raise ValueError(
                f"expected a codec for image embeddings of {dimension} values, got one for {codec.dimension} in "
                f"{parameters.codec}"
            )
        self.memory = TokenMemory(store, codec, self._embedding, parameters.residuals)
        self._catch_up()

    def add(self, keyframe: Keyframe) -> None:
        """Write a keyframe's image embedding; does nothing without one of the right length."""
        if self._has_vector(keyframe):
            self.memory.add(keyframe.id, self._keys([keyframe])[0], np.asarray(keyframe.embedding))

    def remove(self, keyframe_ids: Collection[str]) -> None:
        """Take keyframes out; call it before they are gone themselves."""
        self.memory.remove(keyframe_ids)

    def follow(self, keyframe_ids: Iterable[str]) -> None:
        """File keyframes where they are now, after their poses were corrected."""
        moved = [self._keyframes.get(i) for i in keyframe_ids if i in self.memory]
        self.memory.move({k.id: keys for k, keys in zip(moved, self._keys(moved), strict=True)})

    def _catch_up(self) -> None:
        every = [k for k in self._keyframes.all() if self._has_vector(k)]
        self.memory.remove(set(self.memory.ids) - {k.id for k in every})
        self.follow(k.id for k in every)
        new = [k for k in every if k.id not in self.memory]
        self.memory.add_all((k.id, keys, np.asarray(k.embedding)) for k, keys in zip(new, self._keys(new), strict=True))

    def _has_vector(self, keyframe: Keyframe) -> bool:
        return keyframe.embedding is not None and len(keyframe.embedding) == self._dimension

    def _keys(self, keyframes: list[Keyframe]) -> list[tuple[str, ...]]:
        if not keyframes:
            return []
        positions = np.stack([k.T_map_camera[:3, 3] for k in keyframes])
        nodes = node_keys(positions, self._level, self._octree)
        return [(k.place, f"{NODES}{k.map_id}/{node}") for k, node in zip(keyframes, nodes, strict=True)]

    def _embedding(self, keyframe_id: str) -> npt.NDArray[np.float32] | None:
        return self._keyframes.get(keyframe_id).embedding if keyframe_id in self._keyframes else None
