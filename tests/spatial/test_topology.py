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
from loci.spatial.graph_files import to_networkx
from loci.spatial.topology import PlaceParameters, TopologicalGraph


@dataclass
class Walk:
    """A graph with the keyframes that a robot made on its way."""

    graph: TopologicalGraph
    poses: dict[str, np.ndarray] = field(default_factory=dict)
    period_ns: int = 1

    def to(self, x: float, y: float, map_id: str = "home", **more: Any) -> str:
        keyframe_id = f"keyframe/{len(self.poses)}"
        pose = look_at((x, y, 1.2), (x + 1.0, y + 0.3, 1.0))
        self.poses[keyframe_id] = pose
        return self.graph.observe((x, y, 1.2), keyframe_id, pose, len(self.poses) * self.period_ns, map_id, **more)

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


def test_durations_are_learnt_from_the_stamps() -> None:
    w = walk()
    w.period_ns = 500_000_000  # 0.2 m in 0.5 s: 0.4 m/s
    w.along((0, 0), (8, 0), (0, 0), (8, 0))
    edges = [e for e in w.graph.edges() if e.n_timed]
    assert len(edges) == len(w.graph.edges()) == sum(e.n_traversals > 0 for e in w.graph.edges())
    for e in edges:
        assert e.mean_duration == pytest.approx(e.length / 0.4, rel=0.2)


def test_standing_still_on_the_way_teaches_no_duration() -> None:
    w = walk()
    w.along((0, 0), (1.2, 0))
    w.period_ns = 10**12
    w.along((1.2, 0), (3, 0))
    first = w.graph.edges()[0]
    assert first.n_traversals == 1 and first.n_timed == 0 and first.mean_duration == 0.0


def test_failures_make_a_way_dearer_until_it_works_again() -> None:
    w = walk(alpha=1.0, beta=0.5)
    w.along((0, 0), (3, 0))
    a, b = (p.id for p in w.graph.places()[:2])
    before = w.graph.view.edge_of[a, b]
    failed = w.graph.report_traversal(a, b, succeeded=False)
    assert (failed.n_failures, failed.n_traversals, failed.blocked) == (1, 1, False)
    # One arrival in two attempts, one arrival taken for granted: (1 + 1 + 1) / (1 + 1) attempts for an arrival.
    assert failed.weight == pytest.approx(failed.length + 0.5 * max(failed.travelled, failed.length) * 1.5)
    weights = [w.graph.report_traversal(a, b, succeeded=True).weight for _ in range(5)]
    assert all(x > y for x, y in pairwise(weights)) and before.weight < weights[-1] < failed.weight
    assert w.graph.view.edge_of[b, a] == next(e for e in w.graph.edges() if (e.source, e.target) == (b, a))
    assert w.graph.view.edge_of[b, a].n_failures == 0


def test_routes_prefer_ways_that_work() -> None:
    """Two ways around a block; the shorter one fails again and again, then is found blocked, then works again."""
    w = walk()
    w.along((0, 0), (4, 0), (8, 0))
    w.along((8, 0), (8, 4.5), (0, 4.5), (0, 0))
    start, goal = (w.graph.view.nearest((x, 0, 1.2), "home") for x in (0.0, 8.0))
    short, cost = w.graph.view.route(start, goal)
    assert max(w.graph.view.get(i).position[1] for i in short) < 1.0
    a, b = short[1:3]
    dearer = [cost]
    for _ in range(30):
        w.graph.report_traversal(a, b, succeeded=False)
        dearer.append(w.graph.view.route(start, goal)[1])
    around, _ = w.graph.view.route(start, goal)
    assert dearer == sorted(dearer) and (a, b) not in set(pairwise(around))
    w.graph.report_traversal(a, b, succeeded=False, blocked=True)
    assert w.graph.view.edge_of[a, b].blocked
    for _ in range(40):
        assert not w.graph.report_traversal(a, b, succeeded=True).blocked
    assert w.graph.view.route(start, goal)[0] == short


def test_a_traversal_that_was_seen_is_not_counted_again_when_it_is_reported() -> None:
    w = walk()
    w.period_ns = 500_000_000
    w.along((0, 0), (3, 0))
    a, b = (p.id for p in w.graph.places()[:2])
    seen = w.graph.view.edge_of[a, b]
    assert (seen.n_traversals, seen.n_timed) == (1, 1)
    assert w.graph.report_traversal(a, b, True, 60.0) == seen
    told = w.graph.report_traversal(a, b, True, 60.0)  # somebody else drove
    assert (told.n_traversals, told.n_timed) == (2, 2)
    assert told.mean_duration == pytest.approx((seen.mean_duration + 60.0) / 2)


@pytest.mark.parametrize(
    ("report", "error", "message"),
    [
        ({"duration": -1.0}, ValueError, "duration >= 0 s, got -1"),
        ({"duration": np.nan}, ValueError, "duration >= 0 s, got nan"),
        ({"blocked": True}, ValueError, "got both"),
        ({"target": "place/77"}, KeyError, "place/77"),
    ],
)
def test_reports_that_cannot_be_are_refused(report: dict[str, Any], error: type[Exception], message: str) -> None:
    w = walk()
    w.along((0, 0), (3, 0))
    a, b = (p.id for p in w.graph.places()[:2])
    before = w.graph.edges()
    with pytest.raises(error, match=message):
        w.graph.report_traversal(**({"source": a, "target": b, "succeeded": True} | report))
    assert w.graph.edges() == before


def test_a_loop_driven_twice_makes_the_same_places(rng: np.random.Generator) -> None:
    """Poses are 5 cm off and views differ a little every time; the views of two rooms have nothing in common."""
    w = walk()
    rooms = rng.normal(size=(2, 64))

    def drive() -> list[str]:
        ids = []
        for t in np.linspace(0.0, 2 * np.pi, 120, endpoint=False):
            x, y = 6 * np.cos(t) + rng.normal(0, 0.05), 4 * np.sin(t) + rng.normal(0, 0.05)
            seen = rooms[int(x > 0)] + rng.normal(0, 0.3, 64)
            ids.append(w.to(x, y, embedding=seen.astype(np.float32)))
        return ids

    first = drive()
    n, n_edges = len(w.graph.places()), len(w.graph.edges())
    second, third = drive(), drive()
    assert len(w.graph.places()) == n == len(set(first))
    assert set(second) == set(third) == set(first)
    assert all(p.n_visits >= 3 for p in w.graph.places())
    assert len(w.graph.edges()) <= n_edges + 4  # the loop is closed


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=8), st.integers(0, 3))
def test_routes_are_those_of_networkx(stops: list[tuple[int, int]], n_blocked: int) -> None:
    w = walk()
    w.along(*[(2.0 * x, 2.0 * y) for x, y in stops], step=0.5)
    for edge in w.graph.edges()[:n_blocked]:
        w.graph.block_edge(edge.source, edge.target)
    reference = to_networkx(w.graph.places(), w.graph.edges())
    assert reference.number_of_edges() == len(w.graph.edges())
    reference.remove_edges_from([(a, b) for a, b, blocked in reference.edges(data="blocked") if blocked])
    ids = [p.id for p in w.graph.places()]
    for target in ids:
        route, cost = w.graph.view.route(ids[0], target)
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
    assert w.graph.view.route(a, b) == ((), float("inf")) and len(w.graph.edges()) == 2
    w.along((3, 0), (0, 0), (3, 0))
    assert w.graph.view.route(a, b)[0] == (a, b)
    with pytest.raises(KeyError, match="place/77"):
        w.graph.block_edge(a, "place/77")
    with pytest.raises(KeyError, match="place/77"):
        w.graph.view.route(a, "place/77")


def test_nothing_joins_sessions_maps_or_jumps() -> None:
    w = walk()
    w.along((0, 0), (2, 0))
    n_edges = len(w.graph.edges())
    w.graph.begin_segment()
    w.to(4.0, 0.0)
    w.to(10.0, 0.0)  # nobody saw the way
    other = w.to(10.0, 0.1, map_id="office")
    assert len(w.graph.edges()) == n_edges
    assert w.graph.view.nearest((10.0, 0.1, 1.2), "office") == other != w.graph.view.nearest((10.0, 0.1, 1.2), "home")
    assert w.graph.view.nearest((0.0, 0.0, 0.0), "nowhere") == ""


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
    place, score = w.graph.view.locate(view(1.02))
    assert place == ids[2] and score > 0.99
    twin = w.to(30.0, 0.0, embedding=view(1.0))
    assert w.graph.view.locate(view(1.0), position=(29.0, 0.0, 1.2))[0] == twin
    assert w.graph.view.locate(view(1.0), position=(6.5, 0.0, 1.2))[0] == ids[2]
    assert w.graph.view.locate(view(1.0), map_id="office") == ("", 0.0)
    assert walk().graph.view.locate(view(0.0)) == ("", 0.0)


def test_answers_over_many_places_are_those_of_brute_force(rng: np.random.Generator) -> None:
    graph = walk().graph
    positions = rng.uniform(0, 60, (400, 3)) * (1, 1, 0.05)
    embeddings = rng.normal(size=(400, 16)).astype(np.float32)
    ids = []
    for i, (p, e) in enumerate(zip(positions, embeddings, strict=True)):
        ids.append(graph.observe(p, f"keyframe/{i}", look_at(p, p + (1, 0, 0)), i, "home", e))
    graph.add_places("street", ["x"], np.zeros((1, 3)), np.zeros((0, 2), dtype=np.int64))
    home = [p for p in graph.places() if p.map_id == "home"]
    at, looks = np.array([p.position for p in home]), np.array([p.embedding for p in home])
    for q, view in zip(rng.uniform(0, 60, (200, 3)), rng.normal(size=(200, 16)), strict=True):
        distance = np.linalg.norm(at - q, axis=1)
        assert graph.view.nearest(q, "home") == home[int(np.argmin(distance))].id
        assert set(graph.view.within(q, 9.0, "home")) == {p.id for p, d in zip(home, distance, strict=True) if d <= 9.0}
        scores = np.clip(looks @ (view / np.linalg.norm(view)), 0, 1) * 0.5 ** (distance / 3.0)
        place, score = graph.view.locate(view.astype(np.float32), q)
        assert score == pytest.approx(scores.max(), rel=1e-4, abs=1e-6)
        assert scores[[p.id for p in home].index(place)] == pytest.approx(scores.max(), rel=1e-4, abs=1e-6)
    assert graph.view.nearest((50.0, 50.0, 0.0), "street") == graph.view.by_name["x"]


def test_only_what_changed_is_saved() -> None:
    w = walk()
    kept: dict[tuple[str, str], Any] = {}

    def save() -> int:
        changed, gone = w.graph.changes()
        for key in gone:
            del kept[key]
        kept.update({(kind, record_id): (fields, arrays) for kind, record_id, fields, arrays in changed})
        everything = {(kind, i): fields for kind, i, fields, _ in w.graph.records()}
        assert {key: fields for key, (fields, _) in kept.items()} == everything
        return len(changed)

    w.along((0, 0), (8, 0), embedding=view(0.2))
    assert save() == len(w.graph.places()) + len(w.graph.edges())
    assert save() == 0
    w.to(8.0, 0.1)
    assert save() <= 4  # the place, and its ways
    a, b = (p.id for p in w.graph.places()[:2])
    w.graph.report_traversal(a, b, succeeded=False)
    assert save() == 1
    w.graph.remove_keyframes({k for k, T in w.poses.items() if T[0, 3] < 3.0}, w.pose)
    save()
    w.poses["keyframe/30"] = w.poses["keyframe/30"].copy()
    w.poses["keyframe/30"][0, 3] += 0.5
    w.graph.correct_poses(w.pose)
    save()


def test_memories_of_before_traversals_were_timed_open() -> None:
    w = walk()
    w.along((0, 0), (3, 0))
    old: dict[str, list[Record]] = {"place": [], "place_edge": []}
    for kind, record_id, fields, arrays in w.graph.records():
        new = {"n_failures", "mean_duration", "n_timed", "name"}
        old[kind].append(Record(record_id, {k: v for k, v in fields.items() if k not in new}, arrays))
    graph = TopologicalGraph(lambda: "place/999")
    graph.restore(old["place"], old["place_edge"], w.pose)
    assert [p.id for p in graph.places()] == [p.id for p in w.graph.places()]
    assert [(e.n_traversals, e.n_failures, e.n_timed) for e in graph.edges()] == [
        (e.n_traversals, 0, 0) for e in w.graph.edges()
    ]
    np.testing.assert_allclose([e.weight for e in graph.edges()], [e.weight for e in w.graph.edges()])


def test_imported_places_stay_where_they_are_until_they_are_visited() -> None:
    w = walk()
    at = np.array([[0.0, 0.0, 1.2], [2.0, 0.0, 1.2], [4.0, 0.0, 1.2]])
    ids = w.graph.add_places("home", ["a", "b", "c"], at, np.array([[0, 1], [1, 2]]))
    assert w.graph.view.route(ids[0], ids[2])[0] == tuple(ids)
    assert w.graph.view.route(ids[2], ids[0]) == ((), float("inf"))
    assert w.to(0.1, 0.0) == ids[0]
    visited, *others = w.graph.places()
    assert visited.keyframe_id == "keyframe/0" and visited.position[0] == pytest.approx(0.05)
    assert all(p.keyframe_id == "" and p.n_visits == 0 for p in others)
    w.poses["keyframe/0"] = w.poses["keyframe/0"].copy()
    w.poses["keyframe/0"][1, 3] += 1.0
    w.graph.correct_poses(w.pose)
    assert w.graph.places()[0].position[1] == pytest.approx(1.0)
    again = reopened(w)
    assert [(p.name, p.keyframe_id) for p in again.places()] == [("a", "keyframe/0"), ("b", ""), ("c", "")]
    np.testing.assert_allclose([p.position for p in again.places()], [p.position for p in w.graph.places()])
    w.graph.remove_keyframes({"keyframe/0"}, w.pose)  # what was imported is not forgotten with what was seen there
    assert [(p.name, p.keyframe_id) for p in w.graph.places()] == [("a", ""), ("b", ""), ("c", "")]
    for bad in (np.array([[0, 3]]), np.array([[-1, 0]])):
        with pytest.raises(ValueError, match="links"):
            w.graph.add_places("home", ["a", "b", "c"], at, bad)
    with pytest.raises(ValueError, match="positions"):
        w.graph.add_places("home", ["a"], np.full((1, 3), np.nan), np.zeros((0, 2), dtype=np.int64))
    assert len(w.graph.places()) == 3


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
