"""A published state of the topological graph, and what can be asked of it: nearest place, cheapest way, where a view was taken.

Immutable; indices (search tree, adjacency, matrix of embeddings) are made when first asked for and kept as long as the view, so that
asking costs nothing that grows with the graph until the graph changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from loci.geometry import Array
from loci.observation import unit_embedding
from loci.spatial.graph_kernels import cheapest_way
from loci.spatial.places import Place, PlaceEdge, Vector

#: Places within so many radii of a rough position are compared first when a view is located.
NEAR_RADII = 4.0


class Adjacency(NamedTuple):
    """Edges that are not blocked, by their source.

    Attributes:
        first: (N + 1,) int64; the edges of place i are ``first[i]`` to ``first[i + 1]``.
        targets: (M,) int64.
        weights: (M,) cost [m].
        metre: least cost of a metre of straight distance.
    """

    first: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    weights: Array
    metre: float


class _MapIndex(NamedTuple):
    """Places of one map: their indices (N,) and a search tree over their positions."""

    indices: npt.NDArray[np.int64]
    tree: cKDTree


class GraphView:
    """Places and edges as they were after some observation.

    Args:
        places: oldest first.
        edges: blocked ones included.
        radius: distance over which a rough position counts in `locate` [m].
    """

    def __init__(self, places: tuple[Place, ...] = (), edges: tuple[PlaceEdge, ...] = (), radius: float = 1.5) -> None:
        self.places = places
        self.edges = edges
        self.radius = radius

    @cached_property
    def index(self) -> dict[str, int]:
        """Index of a place in `places` by its id."""
        return {place.id: i for i, place in enumerate(self.places)}

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Id of an imported place by the name that it had where it comes from."""
        return {place.name: place.id for place in self.places if place.name}

    @cached_property
    def edge_of(self) -> dict[tuple[str, str], PlaceEdge]:
        """Edges by the ids of their ends."""
        return {(e.source, e.target): e for e in self.edges}

    @cached_property
    def positions(self) -> Array:
        """(N, 3) of the places [m]."""
        return np.array([place.position for place in self.places], dtype=np.float64).reshape(-1, 3)

    @cached_property
    def adjacency(self) -> Adjacency:
        """Edges that routes may use."""
        open_edges = [e for e in self.edges if not e.blocked]
        index, n = self.index, len(open_edges)
        sources = np.fromiter((index[e.source] for e in open_edges), np.int64, n)
        targets = np.fromiter((index[e.target] for e in open_edges), np.int64, n)
        weights = np.fromiter((e.weight for e in open_edges), np.float64, n)
        order = np.argsort(sources, kind="stable")
        first = np.searchsorted(sources[order], np.arange(len(self.places) + 1)).astype(np.int64)
        straight = np.linalg.norm(self.positions[sources] - self.positions[targets], axis=1)
        far = straight > 1e-6
        # A little less than the least, so that rounding never makes the estimate of what is left too large.
        metre = float(np.min(weights[far] / straight[far])) * (1 - 1e-9) if far.any() else 0.0
        return Adjacency(first, targets[order], weights[order], metre)

    @cached_property
    def neighbours(self) -> dict[str, tuple[str, ...]]:
        """Ids of the places that a way leads to, blocked or not, by the place that it leads from."""
        found: dict[str, list[str]] = {place.id: [] for place in self.places}
        for e in self.edges:
            found[e.source].append(e.target)
        return {place_id: tuple(ids) for place_id, ids in found.items()}

    @cached_property
    def _maps(self) -> dict[str, _MapIndex]:
        indices: dict[str, list[int]] = {}
        for i, place in enumerate(self.places):
            indices.setdefault(place.map_id, []).append(i)
        return {m: _MapIndex(np.array(ids), cKDTree(self.positions[ids])) for m, ids in indices.items()}

    @cached_property
    def _embeddings(self) -> dict[int, tuple[npt.NDArray[np.int64], Vector]]:
        """By dimension D: indices (K,) of the places that have an embedding of it, and these (K, D)."""
        indices: dict[int, list[int]] = {}
        for i, place in enumerate(self.places):
            if place.embedding is not None:
                indices.setdefault(len(place.embedding), []).append(i)
        places = self.places
        return {d: (np.array(ids), np.stack([places[i].embedding for i in ids])) for d, ids in indices.items()}  # type: ignore[misc]

    def get(self, place_id: str) -> Place:
        """One place.

        Raises:
            KeyError: there is none.
        """
        if place_id not in self.index:
            raise KeyError(f"no place {place_id!r}")
        return self.places[self.index[place_id]]

    def nearest(self, position: npt.ArrayLike, map_id: str) -> str:
        """Id of the place of a map nearest to a point (3,) [m]; empty: the map has none."""
        return self.nearest_each(position, map_id)[0]

    def nearest_each(self, positions: npt.ArrayLike, map_id: str) -> list[str]:
        """Ids of the places of a map nearest to points (N, 3) [m]; empty ids: the map has none."""
        points = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
        if map_id not in self._maps:
            return [""] * len(points)
        indices, tree = self._maps[map_id]
        return [self.places[i].id for i in indices[tree.query(points)[1]].tolist()]

    def within(self, position: npt.ArrayLike, radius: float, map_id: str) -> tuple[str, ...]:
        """Ids of the places of a map within a radius [m] of a point (3,), oldest first."""
        if map_id not in self._maps:
            return ()
        indices, tree = self._maps[map_id]
        found = tree.query_ball_point(np.asarray(position, dtype=np.float64), radius, return_sorted=True)
        return tuple(self.places[indices[i]].id for i in found)

    def route(self, source: str, target: str) -> tuple[tuple[str, ...], float]:
        """Cheapest way between two places over edges that are not blocked (A*).

        Returns:
            ids from source to target, and the sum of weights; ((), inf) if there is no way.

        Raises:
            KeyError: there is no such place.
        """
        return self.route_to_nearest(source, (target,))

    def route_to_nearest(self, source: str, targets: Iterable[str]) -> tuple[tuple[str, ...], float]:
        """Cheapest way from a place to that one of several which costs least to reach; as `route`."""
        goals = [self._index_of(target) for target in targets]
        start = self._index_of(source)
        if not goals:
            return (), float("inf")
        first, edge_targets, weights, metre = self.adjacency
        way, cost = cheapest_way(
            first, edge_targets, weights, self.positions, metre, start, np.array(goals, dtype=np.int64)
        )
        return tuple(self.places[i].id for i in way.tolist()), float(cost)

    def _index_of(self, place_id: str) -> int:
        if place_id not in self.index:
            raise KeyError(f"no place {place_id!r}")
        return self.index[place_id]

    def edges_along(self, place_ids: Sequence[str]) -> list[PlaceEdge]:
        """The edges of a route, one less than its places."""
        return [self.edge_of[pair] for pair in itertools.pairwise(place_ids)]

    def locate(self, embedding: Vector, position: npt.ArrayLike | None = None, map_id: str = "") -> tuple[str, float]:
        """The place that looks most like a view.

        Args:
            embedding: (D,) of the view.
            position: (3,) [m] where it was roughly taken: scores fall by half at two radii from there.
            map_id: only places of this map; empty: of any.

        Returns:
            id (empty: no place has an embedding) and score [0, 1].
        """
        view = unit_embedding(embedding)
        if len(view) not in self._embeddings:
            return "", 0.0
        indices, matrix = self._embeddings[len(view)]
        if map_id:
            of_map = np.isin(indices, self._maps[map_id].indices if map_id in self._maps else [])
            indices, matrix = (indices, matrix) if of_map.all() else (indices[of_map], matrix[of_map])
        if not len(indices):
            return "", 0.0
        if position is None:
            scores = np.clip(matrix @ view, 0.0, 1.0)
            best = int(np.argmax(scores))
            return self.places[indices[best]].id, float(scores[best])
        distance = np.linalg.norm(self.positions[indices] - np.asarray(position, dtype=np.float64), axis=1)
        nearness = 0.5 ** (distance / (2.0 * self.radius))
        scores = np.zeros(len(indices))
        near = distance <= NEAR_RADII * self.radius
        scores[near] = np.clip(matrix[near] @ view, 0.0, 1.0) * nearness[near]
        # Where even the likest view would score less than the best of the near ones nothing need be compared.
        hopeful = ~near & (nearness > scores.max())
        scores[hopeful] = np.clip(matrix[hopeful] @ view, 0.0, 1.0) * nearness[hopeful]
        best = int(np.argmax(scores))
        return self.places[indices[best]].id, float(scores[best])
