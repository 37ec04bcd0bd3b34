"""Places along walked paths: against networkx, through pose corrections, restarts and forgetting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.geometry import look_at
from loci.spatial.topology import PlaceParameters, TopologicalGraph


@dataclass
class Walk:
    """A graph with the keyframes that a robot made on its way."""

    graph: TopologicalGraph
    poses: dict[str, np.ndarray] = field(default_factory=dict)

    def to(self, x: float, y: float, map_id: str = "home", **more: Any) -> str:
        keyframe_id = f"keyframe/{len(self.poses)}"
        pose = look_at((x, y, 1.2), (x + 1.0, y + 0.3, 1.0))
        self.poses[keyframe_id] = pose
        return self.graph.observe((x, y, 1.2), keyframe_id, pose, len(self.poses), map_id, **more)

    def along(self, *points: tuple[float, float], step: float = 0.2, **more: Any) -> list[str]:
        ids = []
        for a, b in pairwise(points):
            n = max(int(np.hypot(b[0] - a[0], b[1] - a[1]) / step), 1)
            ids += [self.to(*(np.array(a) + (np.array(b) - a) * i / n), **more) for i in range(n + 1)]
        return ids

    def pose(self, keyframe_id: str) -> np.ndarray:
        return self.poses[keyframe_id]


def walk(**parameters: float) -> Walk:
    numbers = count()
    return Walk(TopologicalGraph(lambda: f"place/{next(numbers)}", PlaceParameters(**parameters)))


def view(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle), 0.0], dtype=np.float32)


@dataclass(frozen=True)
class Record:
    id: str
    fields: dict[str, Any]
    arrays: dict[str, np.ndarray]


def reopened(w: Walk, pose: Callable[[str], np.ndarray] | None = None) -> TopologicalGraph:
    records: dict[str, list[Record]] = {"place": [], "place_edge": []}
    for kind, record_id, fields, arrays in w.graph.records():
        records[kind].append(Record(record_id, fields, arrays))
    graph = TopologicalGraph(lambda: "place/999", w.graph.parameters)
    graph.restore(records["place"], records["place_edge"], pose or w.pose)
    return graph


def test_a_straight_walk_makes_a_chain_of_places_a_radius_apart() -> None:
    w = walk()
    ids = w.along((0, 0), (9, 0))
    places = w.graph.places()
    assert 4 <= len(places) <= 7
    assert list(dict.fromkeys(ids)) == [p.id for p in places]
    gaps = np.diff([p.position[0] for p in places])
    assert np.all(gaps > 0.9) and np.all(gaps < 2.3)
    for place in places:
        T = w.poses[place.keyframe_id]
        np.testing.assert_allclose(T[:3, :3] @ place.position_in_camera + T[:3, 3], place.position, atol=1e-9)
    travelled = [(e.source, e.target) for e in w.graph.edges() if e.n_traversals]
    assert travelled == [(a.id, b.id) for a, b in pairwise(places)]


def test_standing_still_makes_one_place_and_coming_back_finds_it() -> None:
    w = walk()
    first = {w.to(0.01 * (i % 3), 0.0) for i in range(30)}
    assert len(first) == 1
    ids = w.along((0, 0), (4, 0), (4, 4), (0, 4), (0, 0))
    assert ids[-1] in first
    place = next(p for p in w.graph.places() if p.id in first)
    assert place.n_visits == 2 and place.last_visit_ns == len(w.poses)


def test_an_unlike_view_makes_a_place_of_its_own_but_not_on_the_same_spot() -> None:
    w = walk()
    a = w.to(0.0, 0.0, embedding=view(0.0))
    assert w.to(0.3, 0.0, embedding=view(2.0)) == a  # too near
    assert w.to(1.0, 0.0, embedding=view(0.1)) == a  # alike
    assert w.to(1.2, 0.0, embedding=view(2.0)) != a


def test_a_wall_between_parts_places() -> None:
    w = walk()
    a = w.to(0.0, 0.0)
    blind = w.to(0.0, 0.6, sight=lambda here, there: np.zeros(len(there), dtype=bool))
    assert blind != a
    assert w.to(0.1, 0.0, sight=lambda here, there: np.abs(there[:, 1] - here[1]) < 0.3) == a


def test_edges_weigh_distance_and_way_travelled_and_average_over_traversals() -> None:
    w = walk(alpha=1.0, beta=0.5)
    w.along((0, 0), (0, 2), (3, 2))  # a corner
    for edge in w.graph.edges():
        assert edge.travelled >= edge.length - 0.35
        assert edge.weight == pytest.approx(edge.length + 0.5 * max(edge.travelled, edge.length))
    edge = next(e for e in w.graph.edges() if e.n_traversals)
    w.along((3, 2), (0, 2), (0, 0), (0, 2))
    again = next(e for e in w.graph.edges() if (e.source, e.target) == (edge.source, edge.target))
    back = next(e for e in w.graph.edges() if (e.source, e.target) == (edge.target, edge.source))
    assert again.n_traversals == edge.n_traversals + 1 and back.n_traversals == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=8), st.integers(0, 3))
def test_routes_are_those_of_networkx(stops: list[tuple[int, int]], n_blocked: int) -> None:
    w = walk()
    w.along(*[(2.0 * x, 2.0 * y) for x, y in stops], step=0.5)
    for edge in w.graph.edges()[:n_blocked]:
        w.graph.block_edge(edge.source, edge.target)
    reference = w.graph.to_networkx()
    assert reference.number_of_edges() == len(w.graph.edges())
    reference.remove_edges_from([(a, b) for a, b, blocked in reference.edges(data="blocked") if blocked])
    ids = [p.id for p in w.graph.places()]
    for target in ids:
        route, cost = w.graph.route(ids[0], target)
        if not nx.has_path(reference, ids[0], target):
            assert route == () and np.isinf(cost)
            continue
        assert cost == pytest.approx(nx.dijkstra_path_length(reference, ids[0], target))
        assert cost == pytest.approx(nx.path_weight(reference, route, "weight"))
        assert (route[0], route[-1]) == (ids[0], target)


def test_a_blocked_way_is_kept_but_not_used_until_it_is_travelled_again() -> None:
    w = walk()
    w.along((0, 0), (3, 0))
    a, b = (p.id for p in w.graph.places()[:2])
    w.graph.block_edge(a, b)
    assert w.graph.route(a, b) == ((), float("inf")) and len(w.graph.edges()) == 2
    w.along((3, 0), (0, 0), (3, 0))
    assert w.graph.route(a, b)[0] == (a, b)
    with pytest.raises(KeyError, match="place/77"):
        w.graph.block_edge(a, "place/77")
    with pytest.raises(KeyError, match="place/77"):
        w.graph.route(a, "place/77")


def test_nothing_joins_sessions_maps_or_jumps() -> None:
    w = walk()
    w.along((0, 0), (2, 0))
    n_edges = len(w.graph.edges())
    w.graph.begin_segment()
    w.to(4.0, 0.0)
    w.to(10.0, 0.0)  # nobody saw the way
    other = w.to(10.0, 0.1, map_id="office")
    assert len(w.graph.edges()) == n_edges
    assert w.graph.nearest((10.0, 0.1, 1.2), "office") == other != w.graph.nearest((10.0, 0.1, 1.2), "home")
    assert w.graph.nearest((0.0, 0.0, 0.0), "nowhere") == ""


def test_corrected_keyframes_take_their_places_along() -> None:
    w = walk()
    w.along((0, 0), (6, 0))
    before = {p.id: p.position for p in w.graph.places()}
    turn = np.eye(4)
    turn[:2, :2] = [[0, -1], [1, 0]]
    turn[:3, 3] = (5.0, 1.0, 0.2)
    w.poses = {k: turn @ T for k, T in w.poses.items()}
    w.graph.correct_poses(w.pose)
    for place in w.graph.places():
        np.testing.assert_allclose(place.position, turn[:3, :3] @ before[place.id] + turn[:3, 3], atol=1e-9)
    # The next observation joins the corrected map.
    n = len(w.graph.places())
    x, y, _ = w.graph.places()[-1].position
    assert w.to(x, y) == w.graph.places()[-1].id and len(w.graph.places()) == n


def test_only_the_corrected_part_moves_and_edges_follow() -> None:
    w = walk()
    w.along((0, 0), (6, 0))
    last = w.graph.places()[-1]
    w.poses[last.keyframe_id] = w.poses[last.keyframe_id].copy()
    w.poses[last.keyframe_id][0, 3] += 1.0
    lengths = {(e.source, e.target): e.length for e in w.graph.edges()}
    w.graph.correct_poses(w.pose)
    for edge in w.graph.edges():
        change = edge.length - lengths[edge.source, edge.target]
        assert change == pytest.approx(1.0 if last.id in (edge.source, edge.target) else 0.0)


def test_a_reopened_graph_is_the_same_and_goes_on() -> None:
    w = walk()
    w.along((0, 0), (4, 0), (4, 3), embedding=view(0.3))
    w.graph.block_edge(*next((e.source, e.target) for e in w.graph.edges()))
    graph = reopened(w)
    for a, b in zip(w.graph.places(), graph.places(), strict=True):
        assert (a.id, a.keyframe_id, a.n_visits, a.last_visit_ns, a.map_id, a.n_views) == (
            b.id, b.keyframe_id, b.n_visits, b.last_visit_ns, b.map_id, b.n_views,
        )  # fmt: skip
        np.testing.assert_allclose(a.position, b.position, atol=1e-12)
        np.testing.assert_array_equal(a.embedding, b.embedding)
    assert [(e.source, e.target, e.n_traversals, e.blocked) for e in w.graph.edges()] == [
        (e.source, e.target, e.n_traversals, e.blocked) for e in graph.edges()
    ]
    np.testing.assert_allclose([e.weight for e in w.graph.edges()], [e.weight for e in graph.edges()])
    n_edges = len(graph.edges())
    pose = look_at((0.1, 0.0, 1.2), (1.0, 0.0, 1.2))
    assert graph.observe((0.1, 0.0, 1.2), "keyframe/0", pose, 999, "home") == graph.places()[0].id
    assert len(graph.edges()) == n_edges  # no edge from where the last session ended


def test_forgotten_keyframes_hand_places_to_others_or_take_them_along() -> None:
    w = walk()
    w.along((0, 0), (6, 0))
    first, *_, last = w.graph.places()
    gone = {first.keyframe_id}
    w.graph.remove_keyframes(gone, w.pose)
    kept = w.graph.places()[0]
    assert kept.id == first.id and kept.keyframe_id not in gone
    np.testing.assert_allclose(kept.position, first.position)
    near_last = {k for k, T in w.poses.items() if T[0, 3] > last.position[0] - 2.0}
    w.graph.remove_keyframes(near_last, w.pose)
    assert last.id not in {p.id for p in w.graph.places()}
    assert all(last.id not in (e.source, e.target) for e in w.graph.edges())

    def pose(keyframe_id: str) -> np.ndarray:
        raise KeyError(keyframe_id)

    assert reopened(w, pose).places() == ()


def test_places_are_recognised_by_their_look_and_roughly_by_position() -> None:
    w = walk()
    ids = [w.to(3.0 * i, 0.0, embedding=view(0.5 * i)) for i in range(5)]
    place, score = w.graph.locate(view(1.02))
    assert place == ids[2] and score > 0.99
    twin = w.to(30.0, 0.0, embedding=view(1.0))
    assert w.graph.locate(view(1.0), position=(29.0, 0.0, 1.2))[0] == twin
    assert w.graph.locate(view(1.0), position=(6.5, 0.0, 1.2))[0] == ids[2]
    assert w.graph.locate(view(1.0), map_id="office") == ("", 0.0)
    assert walk().graph.locate(view(0.0)) == ("", 0.0)


def test_published_views_do_not_change_under_a_reader() -> None:
    w = walk()
    w.along((0, 0), (3, 0))
    places, edges = w.graph.places(), w.graph.edges()
    copies = [p.position.copy() for p in places]
    w.along((3, 0), (0, 0), (0, 5))
    assert len(w.graph.places()) > len(places) and len(edges) < len(w.graph.edges())
    for place, copy in zip(places, copies, strict=True):
        np.testing.assert_array_equal(place.position, copy)


def test_bad_positions_and_parameters_are_refused() -> None:
    w = walk()
    with pytest.raises(ValueError, match="finite position"):
        w.graph.observe((np.nan, 0.0, 0.0), "keyframe/0", np.eye(4), 0, "home")
    assert w.graph.places() == ()
    with pytest.raises(ValueError, match="radius"):
        PlaceParameters(radius=0.0)
    with pytest.raises(ValueError, match="alpha"):
        PlaceParameters(alpha=0.0, beta=0.0)
