"""The process `memory` over real DDS: observations in, every service and action answered, nothing taken down by bad input."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point
from loci_ros import msg as m
from loci_ros import srv
from nav_msgs.msg import OccupancyGrid
from rig import Rig, overrides, until
from sensor_msgs.msg import CompressedImage, PointCloud2
from visualization_msgs.msg import MarkerArray

from loci.geometry import look_at
from loci.nodes import conversions as c
from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code
from loci.nodes.facade import make_nodes
from loci.query import Query
from synthetic import ROOM, tour

TOUR = tour()
LAST_NS = TOUR[-1].frame.stamp_ns


class MemoryRig(Rig):
    def __init__(self, directory: Path, **values: Any) -> None:
        parameters = {
            "storage_directory": str(directory),
            "map_id": "room",
            "queue_size": 100,
            "min_stamp_timeout": 1.0,
            "publish_rate": 20.0,
            "diagnostics_period": 0.2,
            "preload_text_encoder": False,
        }
        chosen = overrides(**(parameters | values))
        super().__init__(lambda context: make_nodes(context, parameter_overrides=chosen))

    @property
    def memory(self) -> Any:
        return self.nodes[0]

    def observe(self, *messages: m.Observation) -> None:
        publisher = self.publisher(m.Observation, "observations")
        for message in messages:
            publisher.publish(message)
            time.sleep(0.002)

    def n_rejected(self, reason: str) -> int:
        return self.memory.monitor.rejected().get(reason, 0)


@pytest.fixture(scope="module")
def rig(ros_domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryRig]:
    """A memory that has seen a room."""
    rig = MemoryRig(tmp_path_factory.mktemp("memories"))
    try:
        assert rig.bring_up() == [True] * 4
        rig.observe(*(c.to_observation(o, "map", sequence=i) for i, o in enumerate(TOUR)))
        assert until(lambda: rig.memory.host.newest_stamp_ns >= LAST_NS, 60.0)
        yield rig
    finally:
        rig.close()


@pytest.fixture(scope="module")
def client(rig: MemoryRig) -> Iterator[MemoryClient]:
    with MemoryClient(timeout=20.0) as client:
        yield client


# --- answers ----------------------------------------------------------------------------------------------------------


def test_what_was_seen_is_recalled_with_where_and_when(client: MemoryClient) -> None:
    found = client.recall(Query(labels=("mug",), kinds=("object",), limit=5)).evidence
    assert [e.label for e in found] == ["mug"]
    mug = next(b for b in ROOM.boxes if b.label == "mug")
    assert np.linalg.norm(np.subtract(found[0].position, mug.center)) < 0.15
    assert found[0].map_id == "room"
    assert found[0].is_goal
    assert TOUR[0].frame.stamp_ns <= found[0].stamp_ns <= LAST_NS


def test_text_finds_by_meaning(client: MemoryClient) -> None:
    objects = client.find_objects("a couch to sit on", limit=3)
    assert objects[0].label == "sofa"


def test_images_come_on_request_and_within_the_cap(client: MemoryClient) -> None:
    with_images = client.recall(Query(kinds=("keyframe",), limit=20, with_images=True)).evidence
    assert all(e.image is not None and e.image[:2] == b"\xff\xd8" for e in with_images)
    cap = len(with_images[0].image) * 3
    capped = client.recall(Query(kinds=("keyframe",), limit=20, with_images=True, max_image_bytes=cap)).evidence
    assert 0 < sum(len(e.image or b"") for e in capped) <= cap
    assert client.object_image(client.find_objects(labels=["mug"])[0].id)[:2] == b"\xff\xd8"
    assert client.object_image("object/999") is None


def test_the_time_line_runs_in_order(client: MemoryClient) -> None:
    oldest = client.timeline(limit=1000).evidence
    newest = client.timeline(limit=1000, newest_first=True).evidence
    stamps = [e.stamp_ns for e in oldest]
    assert stamps == sorted(stamps)
    assert [e.stamp_ns for e in newest] == stamps[::-1]


def test_occupancy_over_the_wire_is_that_of_the_memory(rig: MemoryRig, client: MemoryClient) -> None:
    with rig.memory.host.reading() as memory:
        occupied = memory.occupied_voxels()
    free, unknown = [[2.6, 2.4, 0.6], [1.0, 3.0, 0.5]], [[50.0, 0.0, 0.0]]
    states, probabilities = client.query_occupancy([*occupied[:200], *free, *unknown])
    assert states.tolist() == [1] * 200 + [0, 0, -1]
    assert probabilities[:200].min() > 0.5 > probabilities[200:202].max()
    assert client.query_occupancy(occupied[:5], level=3)[0].tolist() == [1] * 5


def test_boxes_and_nearest_voxels_over_the_wire_are_those_of_the_memory(rig: MemoryRig, client: MemoryClient) -> None:
    lower, upper = (1.0, 1.0, -0.1), (3.0, 3.0, 1.0)
    points = np.random.default_rng(0).uniform((0.5, 0.5, 0.2), (4.5, 3.5, 2.0), size=(50, 3))
    with rig.memory.host.reading() as memory:
        boxes = [memory.query_box(lower, upper, level, limit=500) for level in (0, 2)]
        since_ns = int(np.median(boxes[0].changed_ns))
        changed = memory.query_box(lower, upper, free=False, changed_since_ns=since_ns)
        nearest = memory.nearest_occupied(points, 0.5)
    for level, expected in zip((0, 2), boxes, strict=True):
        got = client.query_box(lower, upper, level, limit=500)
        np.testing.assert_allclose(got.centres, expected.centres)
        assert (got.n_total, len(got.centres)) == (expected.n_total, min(expected.n_total, 500))
        for name in ("states", "probabilities", "last_seen_ns", "changed_ns"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
        assert (got.labels, got.object_ids) == (expected.labels, expected.object_ids)
        assert got.size == pytest.approx(0.05 * 2**level) and {0, 1} == set(got.states.tolist())
    got = client.query_box(lower, upper, free=False, changed_since_ns=since_ns, limit=100_000)
    assert 0 < got.n_total == changed.n_total and got.changed_ns.min() > since_ns and set(got.states) == {1}
    answer = client.nearest_occupied(points, 0.5)
    np.testing.assert_array_equal(answer.found, nearest.found)
    np.testing.assert_allclose(answer.centres, nearest.centres)
    np.testing.assert_allclose(answer.distances, nearest.distances, rtol=1e-6)
    assert 0 < answer.found.sum() < 50


def test_rays_over_the_wire_end_where_the_memory_says(rig: MemoryRig) -> None:
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles), np.full(32, -0.2)], axis=1)
    origins = np.tile([2.6, 2.4, 0.6], (32, 1))
    with rig.memory.host.reading() as memory:
        expected = memory.cast_rays(origins, directions, 5.0)
    ray = {
        "origins": [c.to_point(p) for p in origins],
        "directions": [c.to_vector(d) for d in directions],
        "max_range": 5.0,
    }
    answer = rig.call(srv.CastRay, "cast_ray", ray, timeout=60.0)
    assert answer.error_code == Code.NONE
    assert list(answer.hits) == expected.hits.tolist()
    assert any(answer.hits)
    np.testing.assert_allclose(c.to_points_array(answer.points), expected.points, atol=1e-9)
    np.testing.assert_allclose(answer.ranges, expected.ranges, rtol=1e-6)
    assert list(answer.crossed_unknown) == expected.crossed_unknown.tolist()


def test_paths_lead_across_the_free_floor_and_around_the_table(client: MemoryClient) -> None:
    path = client.path_to((3.5, 3.0, 0.0), start=(1.5, 1.0, 0.0), tolerance=0.3)
    assert not path.reason
    table = next(b for b in ROOM.boxes if b.label == "table")
    inside = np.all((path.points[:, :2] > table.lower[:2]) & (path.points[:, :2] < table.upper[:2]), axis=1)
    assert not inside.any()
    assert path.length >= np.hypot(2.0, 2.0)


def test_no_path_is_told_with_a_reason(client: MemoryClient, rig: MemoryRig) -> None:
    assert client.path_to((80.0, 80.0, 0.0)).reason
    answer = rig.call(srv.FindPath, "find_path", {"goal": Point(x=80.0, y=80.0)})
    assert answer.error_code == Code.NO_PATH
    assert answer.reason == srv.FindPath.Response.OFF_MAP


def test_the_map_of_a_floor_is_that_of_the_topic_and_knows_its_height(client: MemoryClient, rig: MemoryRig) -> None:
    (floor,) = client.topology().floors
    here, named = client.map(), client.map(floor.id)
    assert here == named
    assert here.floor == floor
    assert here.map.info.origin.position.z == pytest.approx(floor.height)
    assert set(floor.room_ids) == {r.id for r in client.topology().rooms}
    assert {r.floor for r in client.topology().rooms} == {p.floor for p in client.topology().places} == {floor.id}
    assert 0 in here.map.data
    assert all(f.floor == floor.id and f.information_gain >= 0 for f in client.known_frontiers())
    assert rig.call(srv.GetMap, "get_map", {"floor": "floor/99"}).error_code == Code.NOT_FOUND


def test_places_rooms_objects_and_snapshots_refer_to_each_other(client: MemoryClient) -> None:
    topology = client.topology()
    known = {o.id for o in client.known_objects()}
    assert topology.rooms
    assert topology.current_place in {p.id for p in topology.places}
    assert set().union(*(r.object_ids for r in topology.rooms)) <= known
    members = [i for s in client.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(known)
    assert client.locate(position=(2.5, 2.4, 0.0)).room in {r.id for r in topology.rooms}


def test_a_place_is_recognised_by_its_image(client: MemoryClient) -> None:
    assert client.locate(image=TOUR[5].frame.color).place in {p.id for p in client.topology().places}


def test_the_way_to_a_thing_is_told_as_places_and_in_words(client: MemoryClient) -> None:
    topology = client.topology()
    assert any(p.object_ids for p in topology.places)
    mug = client.known_objects()[0]
    route = client.route(mug.evidence.id, start=topology.places[0].id)
    assert route.place_ids[0] == topology.places[0].id and route.reason == ""
    assert mug.evidence.id in next(p for p in topology.places if p.id == route.place_ids[-1]).object_ids
    assert route.points.shape == (len(route.place_ids), 3)
    assert route.length == pytest.approx(np.linalg.norm(np.diff(route.points, axis=0), axis=1).sum(), abs=1e-4)
    assert mug.evidence.label in route.instructions[-1]
    here = client.route(topology.rooms[0].id)
    assert here.place_ids[0] == topology.current_place and here.cost >= here.length
    for goal, start, code in (
        ("place/9999", "", Code.NOT_FOUND),
        ("ballroom", "", Code.NOT_FOUND),
        (topology.places[0].id, "object/9999", Code.NOT_FOUND),
    ):
        with pytest.raises(MemoryServiceError) as told:
            client.route(goal, start)
        assert told.value.code == code


def test_reported_traversals_change_edges_and_routes(client: MemoryClient, rig: MemoryRig) -> None:
    edge = next(e for e in client.topology().edges if e.n_traversals)
    failed = client.report_traversal(edge.source, edge.target, succeeded=False)
    assert (failed.n_failures, failed.blocked) == (edge.n_failures + 1, False) and failed.weight > edge.weight
    assert client.report_traversal(edge.source, edge.target, False, blocked=True).blocked
    assert (edge.source, edge.target) not in set(pairwise(client.route(edge.target, start=edge.source).place_ids))
    for _ in range(2):  # the first may be the one that was seen
        told = client.report_traversal(edge.source, edge.target, True, duration=7.5)
    assert not told.blocked and told.n_traversals > edge.n_traversals and told.mean_duration > 0
    assert next(e for e in client.topology().edges if (e.source, e.target) == (edge.source, edge.target)) == told
    for fields, code in (
        ({"source": "place/9999", "target": edge.target, "succeeded": True}, Code.NOT_FOUND),
        ({"source": edge.source, "target": edge.target, "succeeded": True, "blocked": True}, Code.INVALID_REQUEST),
        ({"source": edge.source, "target": edge.target, "succeeded": True, "duration": -1.0}, Code.INVALID_REQUEST),
    ):
        answer = rig.call(srv.ReportTraversal, "report_traversal", fields)
        assert answer.error_code == code and answer.error_msg


def test_a_question_selects_snapshots(client: MemoryClient) -> None:
    found = client.retrieve("where can I sit?", limit=5)
    assert found.snapshots
    assert found.snapshots[0].image.data
    assert set(found.ranked_labels) <= {b.label for b in ROOM.boxes}
    assert len(found.reasons) == len(found.snapshots) and all(found.reasons)


def test_snapshots_are_selected_by_objects_image_and_time(client: MemoryClient) -> None:
    mug = next(o for o in client.find_objects(labels=["mug"]))
    (shown,) = client.retrieve(object_ids=[mug.id], with_frontiers=False).snapshots
    image = cv2.imdecode(np.frombuffer(bytes(shown.image.data), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    like = client.retrieve(image=np.ascontiguousarray(image), limit=1, with_images=False)
    assert like.snapshots[0].id == shown.id and not like.snapshots[0].image.data
    after = c.to_ns(shown.header.stamp)
    assert all(c.to_ns(s.header.stamp) >= after for s in client.retrieve(after_ns=after, limit=100).snapshots)


def test_relations_of_an_object_are_told(client: MemoryClient) -> None:
    mug, table = (client.find_objects(labels=[label])[0] for label in ("mug", "table"))
    (on,) = client.relations(mug.id, ["on"])
    assert on.objects == (table.id,) and on.confidence > 0.5
    assert mug.on == table.id
    sides = client.relations(mug.id, ["left_of", "right_of"], viewpoint=(0.5, 0.5, 1.5))
    assert {r.relation for r in sides} <= {"left_of", "right_of"}


def test_the_scene_graph_is_text_or_json(client: MemoryClient) -> None:
    import json

    assert "mug" in client.scene_graph()
    assert json.loads(client.scene_graph("json"))


def test_a_short_scene_graph_tells_what_is_asked_for_or_near(client: MemoryClient) -> None:
    whole = client.scene_graph().splitlines()
    limit = len(whole[0]) + max(map(len, whole)) + 2
    sofa = client.find_objects(labels=["sofa"])[0]
    plant = client.find_objects(labels=["plant"])[0]
    assert f"({sofa.id})" in client.scene_graph(max_characters=limit, question="where is the sofa?")
    assert f"({plant.id})" in client.scene_graph(max_characters=limit, position=plant.evidence.position)
    with pytest.raises(MemoryServiceError, match="finite"):
        client.scene_graph(position=(float("nan"), 0.0, 0.0))


def test_why_something_is_kept_is_told(client: MemoryClient) -> None:
    episode = client.remember("the blue chair belongs to Ada", "operator")
    assert client.explain(episode).is_kept and "no byte budget" in client.explain(episode).reasons[0]
    client.forget([episode])
    assert not client.explain(episode).is_kept
    with pytest.raises(MemoryServiceError):
        client.explain("episode/9999")


def test_what_is_told_is_remembered_and_what_is_forgotten_is_gone(client: MemoryClient) -> None:
    episode = client.remember(
        "the mug belongs to Ada", "operator", labels=["mug"], position=(1.0, 1.0, 1.0), pinned=True
    )
    found = client.recall(Query(text="who owns the mug", kinds=("episode",), limit=10)).evidence
    told = next(e for e in found if e.id == episode)
    assert (told.text, told.source) == ("the mug belongs to Ada", "operator")
    assert client.forget([episode]) == 1
    assert episode not in {e.id for e in client.recall(Query(kinds=("episode",), limit=1000)).evidence}


def test_a_planner_can_read_it(client: MemoryClient) -> None:
    from loci.planning.offline import OfflinePlanner

    answer = OfflinePlanner().ask("where is the mug?", client)
    assert answer.known
    assert answer.evidence[0].label == "mug"


# --- min_stamp, streaming ---------------------------------------------------------------------------------------------


def test_a_request_waits_for_the_stamp_it_asks_for(rig: MemoryRig, client: MemoryClient) -> None:
    later = ROOM.observe(look_at((2.0, 2.6, 1.5), (2.5, 1.5, 0.5)), LAST_NS + 200_000_000)
    rig.observe(c.to_observation(later, "map", sequence=1000))
    assert int(client.statistics(min_stamp_ns=later.frame.stamp_ns)["newest_stamp_ns"]) >= later.frame.stamp_ns


def test_a_stamp_that_does_not_come_is_told_after_a_bounded_time(client: MemoryClient) -> None:
    with pytest.raises(MemoryServiceError, match="was not reached within 1 s") as error:
        client.statistics(min_stamp_ns=10**18)
    assert error.value.code == Code.TIMEOUT


# --- topics -----------------------------------------------------------------------------------------------------------


def test_maps_come_to_whoever_subscribes_late(rig: MemoryRig) -> None:
    heard = {
        topic: rig.hear_latched(kind, topic)
        for topic, kind in {
            "map": OccupancyGrid,
            "occupied_voxels": PointCloud2,
            "frontiers": m.FrontierArray,
            "topology": m.Topology,
            "objects": m.SceneObjectArray,
            "spatial_markers": MarkerArray,
            "scene_markers": MarkerArray,
        }.items()
    }
    assert until(lambda: all(heard.values())), [t for t, h in heard.items() if not h]
    grid = heard["map"][0]
    assert len(grid.data) == grid.info.width * grid.info.height
    assert set(grid.data) <= {-1, 0, 100}
    cloud = heard["occupied_voxels"][0]
    xyz = np.frombuffer(bytes(cloud.data), "<f4").reshape(-1, 3)
    assert len(xyz) == cloud.width > 1000
    assert (xyz.min(axis=0) > np.subtract(ROOM.lower, 0.1)).all()
    assert (xyz.max(axis=0) < np.add(ROOM.upper, 0.1)).all()
    assert {o.label for o in heard["objects"][0].objects} <= {b.label for b in ROOM.boxes}


def test_the_cloud_is_as_coarse_as_the_parameter_says_and_made_only_for_subscribers(
    own_domain: int, tmp_path: Path
) -> None:
    rig = MemoryRig(tmp_path, voxels_level=2)
    try:
        assert rig.bring_up() == [True] * 4
        rig.observe(*(c.to_observation(o, "map", sequence=i) for i, o in enumerate(TOUR[:3])))
        assert until(lambda: rig.memory.host.newest_stamp_ns >= TOUR[2].frame.stamp_ns, 60.0)
        time.sleep(0.3)  # six publishing periods
        spatial = next(node for node in rig.nodes if node.get_name() == "spatial_memory")
        topics = [f"published /{name}" for name in ("occupied_voxels", "spatial_markers", "map")]
        assert [spatial.monitor.counted(topic) for topic in topics] == [0, 0, 0]
        heard = rig.hear_latched(PointCloud2, "occupied_voxels")
        assert until(lambda: heard)
        assert until(lambda: spatial.monitor.counted(topics[0]) == 1)
        xyz = np.frombuffer(bytes(heard[0].data), "<f4").reshape(-1, 3)
        with rig.memory.host.reading() as memory:
            leaves = memory.occupied_voxels()
        assert 50 < len(xyz) < len(leaves) / 4
        np.testing.assert_allclose(xyz / 0.2 % 1, 0.5, atol=1e-3)
        cubes = {tuple(v) for v in np.floor(xyz / 0.2).astype(int).tolist()}
        assert cubes == {tuple(v) for v in np.floor(leaves / 0.2).astype(int).tolist()}
    finally:
        rig.close()


def test_nothing_is_published_again_while_nothing_changes(rig: MemoryRig) -> None:
    heard = rig.hear_latched(m.SceneObjectArray, "objects")
    assert until(lambda: heard)
    time.sleep(0.5)  # ten publishing periods
    n = len(heard)
    time.sleep(0.5)
    assert len(heard) == n


def test_diagnostics_tell_counts_and_latencies(rig: MemoryRig) -> None:
    heard = rig.hear(DiagnosticArray, "/diagnostics")
    found = until(lambda: [s for a in heard for s in a.status if s.name == "loci: /memory" and len(s.values) > 5])
    values = {v.key: v.value for v in found[-1].values}
    assert int(values["observe"]) >= len(TOUR)
    assert float(values["observe p99 [ms]"]) > 0
    assert values["map_id"] == "room"
    assert int(values["store_bytes"]) > 0


# --- bad observations -------------------------------------------------------------------------------------------------


def bad(**changes: Any) -> m.Observation:
    message = c.to_observation(
        ROOM.observe(look_at((1.0, 1.0, 1.5), (3.0, 2.0, 0.5)), LAST_NS + 10**9), "map", sequence=5000
    )
    for name, value in changes.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("frame", {"header": c.header("odom", LAST_NS + 10**9)}),
        ("pose", {"pose": c.Pose(orientation=c.Quaternion(w=0.0))}),
        ("pose", {"pose": c.Pose(position=c.Point(x=float("inf")))}),
        ("pose", {"pose": c.Pose(orientation=c.Quaternion(x=0.7, y=0.7, z=0.7, w=0.7))}),
        ("camera_info", {"camera_info": c.CameraInfo()}),
        ("color_encoding", {"color": CompressedImage()}),
        ("depth_encoding", {"depth": CompressedImage(data=b"rubbish", format="png")}),
        ("observation", {"map_id": "another-map"}),
        ("observation", {"embedding": [1.0, 2.0]}),
        ("time_backwards", {"header": c.header("map", LAST_NS - 500_000_000)}),
    ],
)
def test_a_bad_observation_is_counted_and_changes_nothing(
    rig: MemoryRig, client: MemoryClient, reason: str, changes: dict
) -> None:
    before, n = client.statistics(), rig.n_rejected(reason)
    rig.observe(bad(**changes))
    assert until(lambda: rig.n_rejected(reason) > n), rig.memory.monitor.rejected()
    after = client.statistics()
    assert "expected" in rig.memory.monitor.last_rejection or "backwards" in rig.memory.monitor.last_rejection
    unchanged = ("keyframes", "objects", "newest_stamp_ns", "octree_bricks", "session")
    assert {k: before[k] for k in unchanged} == {k: after[k] for k in unchanged}
    assert f"rejected: {reason}" in after


# --- bad requests -----------------------------------------------------------------------------------------------------

NAN = float("nan")
BOX = {"lower": Point(), "upper": Point(x=1.0, y=1.0, z=1.0), "occupied": True, "limit": 10}
BAD_REQUESTS = [
    (srv.Recall, "recall", {"query": m.Query(limit=0)}, Code.INVALID_REQUEST),
    (srv.Recall, "recall", {"query": m.Query(limit=10**9)}, Code.INVALID_REQUEST),
    (srv.Recall, "recall", {"query": m.Query(limit=2**32 - 1)}, Code.INVALID_REQUEST),  # what -1 becomes
    (srv.Recall, "recall", {"query": m.Query(limit=5, text="   ")}, Code.INVALID_REQUEST),
    (srv.Recall, "recall", {"query": m.Query(limit=5, text_embedding=[1.0, 0.0])}, Code.INVALID_REQUEST),
    (srv.Timeline, "timeline", {"limit": 0}, Code.INVALID_REQUEST),
    (srv.Timeline, "timeline", {"limit": 5, "place": "atlantis"}, Code.NOT_FOUND),
    (srv.FindObjects, "find_objects", {"limit": 0}, Code.INVALID_REQUEST),
    (srv.FindObjects, "find_objects", {"limit": 10**9}, Code.INVALID_REQUEST),
    (srv.FindObjects, "find_objects", {"limit": 5, "text": " "}, Code.INVALID_REQUEST),
    (srv.FindObjects, "find_objects", {"limit": 5, "room": "atlantis"}, Code.NOT_FOUND),
    (srv.FindObjects, "find_objects", {"limit": 5, "has_position": True, "radius": -1.0}, Code.INVALID_REQUEST),
    (srv.GetObject, "get_object", {"id": "object/999"}, Code.NOT_FOUND),
    (srv.GetObject, "get_object", {"id": "../../etc/passwd"}, Code.NOT_FOUND),
    (srv.GetSnapshots, "get_snapshots", {"limit": 0}, Code.INVALID_REQUEST),
    (srv.GetSnapshots, "get_snapshots", {"limit": 5, "ids": ["snapshot/999"]}, Code.NOT_FOUND),
    (srv.Retrieve, "retrieve", {"question": "", "limit": 5}, Code.INVALID_REQUEST),
    (srv.Retrieve, "retrieve", {"question": "mug", "limit": 0}, Code.INVALID_REQUEST),
    (srv.Retrieve, "retrieve", {"object_ids": ["object/999"], "limit": 5}, Code.NOT_FOUND),
    (srv.Retrieve, "retrieve", {"room": "atlantis", "limit": 5}, Code.NOT_FOUND),
    (srv.Retrieve, "retrieve", {"image": CompressedImage(data=b"no image"), "limit": 5}, Code.INVALID_REQUEST),
    (srv.GetRelations, "get_relations", {"object_id": "object/999"}, Code.NOT_FOUND),
    (srv.GetRelations, "get_relations", {"object_id": "object/1", "relations": ["behind"]}, Code.INVALID_REQUEST),
    (srv.GetRelations, "get_relations", {"object_id": "object/1", "relations": ["left_of"]}, Code.INVALID_REQUEST),
    (srv.GetRelations, "get_relations", {"object_id": "object/1", "max_distance": -1.0}, Code.INVALID_REQUEST),
    (srv.GetFrontiers, "get_frontiers", {"limit": 0}, Code.INVALID_REQUEST),
    (
        srv.GetFrontiers,
        "get_frontiers",
        {"limit": 5, "has_position": True, "position": Point(x=NAN)},
        Code.INVALID_REQUEST,
    ),
    (srv.QueryOccupancy, "query_occupancy", {"points": [Point(x=NAN)]}, Code.INVALID_REQUEST),
    (srv.QueryOccupancy, "query_occupancy", {"points": [Point()], "level": 200}, Code.INVALID_REQUEST),
    (srv.CastRay, "cast_ray", {"origins": [Point()], "directions": [], "max_range": 1.0}, Code.INVALID_REQUEST),
    (
        srv.CastRay,
        "cast_ray",
        {"origins": [Point()], "directions": [c.to_vector((0, 0, 0))], "max_range": 1.0},
        Code.INVALID_REQUEST,
    ),
    (
        srv.CastRay,
        "cast_ray",
        {"origins": [Point()], "directions": [c.to_vector((1, 0, 0))], "max_range": -1.0},
        Code.INVALID_REQUEST,
    ),
    (srv.QueryBox, "query_box", BOX | {"upper": Point(x=NAN)}, Code.INVALID_REQUEST),
    (srv.QueryBox, "query_box", BOX | {"lower": Point(x=2.0)}, Code.INVALID_REQUEST),
    (srv.QueryBox, "query_box", BOX | {"lower": Point(x=9e3), "upper": Point(x=9.1e3)}, Code.INVALID_REQUEST),
    (srv.QueryBox, "query_box", BOX | {"level": 17}, Code.INVALID_REQUEST),
    (srv.QueryBox, "query_box", BOX | {"limit": 0}, Code.INVALID_REQUEST),
    (srv.QueryBox, "query_box", BOX | {"limit": 100_001}, Code.INVALID_REQUEST),
    (srv.QueryBox, "query_box", BOX | {"occupied": False}, Code.INVALID_REQUEST),
    (srv.NearestOccupied, "nearest_occupied", {"points": [], "max_distance": 1.0}, Code.INVALID_REQUEST),
    (
        srv.NearestOccupied,
        "nearest_occupied",
        {"points": [Point()] * 10_001, "max_distance": 1.0},
        Code.INVALID_REQUEST,
    ),
    (srv.NearestOccupied, "nearest_occupied", {"points": [Point(x=NAN)], "max_distance": 1.0}, Code.INVALID_REQUEST),
    (srv.NearestOccupied, "nearest_occupied", {"points": [Point(x=9e3)], "max_distance": 1.0}, Code.INVALID_REQUEST),
    (srv.NearestOccupied, "nearest_occupied", {"points": [Point()], "max_distance": 0.0}, Code.INVALID_REQUEST),
    (srv.FindPath, "find_path", {"goal_id": "object/999"}, Code.NOT_FOUND),
    (srv.FindPath, "find_path", {"goal": Point(x=NAN)}, Code.INVALID_REQUEST),
    (srv.FindPath, "find_path", {"goal": Point(), "tolerance": -1.0}, Code.INVALID_REQUEST),
    (srv.Locate, "locate", {}, Code.INVALID_REQUEST),
    (srv.Locate, "locate", {"image": CompressedImage(data=b"none", format="jpeg")}, Code.INVALID_REQUEST),
    (srv.Remember, "remember", {"episode": m.TextEpisode(text=""), "source": "me"}, Code.INVALID_REQUEST),
    (srv.Remember, "remember", {"episode": m.TextEpisode(text="hello"), "source": ""}, Code.INVALID_REQUEST),
    (
        srv.Remember,
        "remember",
        {"episode": m.TextEpisode(text="x", object_id="object/999"), "source": "me"},
        Code.NOT_FOUND,
    ),
    (srv.Forget, "forget", {"ids": []}, Code.INVALID_REQUEST),
    (srv.Forget, "forget", {"ids": ["keyframe/1", "keyframe/999999"]}, Code.NOT_FOUND),
    (srv.SceneGraph, "scene_graph", {"format": "xml", "max_characters": 10}, Code.INVALID_REQUEST),
    (srv.SceneGraph, "scene_graph", {"format": "text", "max_characters": 0}, Code.INVALID_REQUEST),
    (srv.Save, "save", {"name": "../outside"}, Code.INVALID_REQUEST),
    (srv.Save, "save", {"name": "/tmp/outside"}, Code.INVALID_REQUEST),
    (srv.Clear, "clear", {"confirm": False}, Code.INVALID_REQUEST),
]


@pytest.mark.parametrize(
    ("service", "name", "fields", "code"),
    BAD_REQUESTS,
    ids=[f"{name}-{i}" for i, (_, name, _, _) in enumerate(BAD_REQUESTS)],
)
def test_a_bad_request_gets_a_code_and_a_reason_and_changes_nothing(
    rig: MemoryRig, service: Any, name: str, fields: dict, code: Code
) -> None:
    version = rig.memory.host.version
    answer = rig.call(service, name, fields)
    assert Code(answer.error_code) == code, answer.error_msg
    assert len(answer.error_msg) > 10
    assert rig.memory.host.version == version


def test_unknown_labels_are_no_error_but_find_nothing(client: MemoryClient) -> None:
    assert client.recall(Query(labels=("unicorn",), kinds=("object",), limit=5)).n_total == 0
    assert client.find_objects(labels=["unicorn"]) == ()


def test_a_negative_limit_is_refused_before_it_is_sent(client: MemoryClient) -> None:
    with pytest.raises(MemoryServiceError, match="limit") as error:
        client.find_objects(limit=-1)
    assert error.value.code == Code.INVALID_REQUEST


# --- pose corrections -------------------------------------------------------------------------------------------------


def test_corrected_poses_move_what_hangs_on_them_and_bad_ones_do_not(rig: MemoryRig, client: MemoryClient) -> None:
    publisher = rig.publisher(m.PoseCorrections, "pose_corrections")
    n = sum(v for k, v in rig.memory.monitor.rejected().items() if "corrections" in k)
    publisher.publish(m.PoseCorrections(header=c.header("odom", 0)))
    publisher.publish(m.PoseCorrections(header=c.header("map", 0), map_id="elsewhere"))
    unknown = m.KeyframePose(keyframe_id="keyframe/99999", pose=c.Pose(orientation=c.Quaternion(w=1.0)))
    publisher.publish(m.PoseCorrections(header=c.header("map", 0), keyframes=[unknown]))
    assert until(lambda: sum(v for k, v in rig.memory.monitor.rejected().items() if "corrections" in k) == n + 3)

    keyframes = client.recall(Query(kinds=("keyframe",), limit=1000)).evidence
    before = {o.id: o.evidence.position for o in client.known_objects()}
    shift = np.array([0.0, 0.0, 0.5])

    def moved(sign: float) -> m.PoseCorrections:
        made = m.PoseCorrections(header=c.header("map", 0))
        for e in keyframes:
            T = np.array(e.T_map_camera)
            T[:3, 3] += shift if sign > 0 else 0.0
            made.keyframes.append(m.KeyframePose(keyframe_id=e.id, pose=c.to_pose(T)))
        return made

    version = rig.memory.host.version
    publisher.publish(moved(1.0))
    assert until(lambda: rig.memory.host.version > version)
    after = {o.id: o.evidence.position for o in client.known_objects()}
    for object_id, position in before.items():
        np.testing.assert_allclose(np.subtract(after[object_id], position), shift, atol=0.02)
    version = rig.memory.host.version
    publisher.publish(moved(-1.0))
    assert until(lambda: rig.memory.host.version > version)


# --- keeping ----------------------------------------------------------------------------------------------------------


def test_saving_copying_and_exporting_end_on_disk(rig: MemoryRig, client: MemoryClient) -> None:
    assert (Path(client.save()) / "manifest.json").is_file()
    assert (Path(client.save("copy")) / "manifest.json").is_file()
    with pytest.raises(MemoryServiceError, match="exists") as error:
        client.save("copy")
    assert error.value.code == Code.STORAGE
    stages: list[str] = []
    exported = Path(client.export("first", progress=lambda _, stage: stages.append(stage)))
    assert any(exported.rglob("*.json"))
    assert stages
    for name in ("../outside", "a/b", ""):
        with pytest.raises(MemoryServiceError) as error:
            client.export(name)
        assert error.value.code == Code.INVALID_REQUEST


def test_consolidation_reports_progress_and_counts(client: MemoryClient) -> None:
    done = client.consolidate(everything=True)
    assert done.n_consolidated >= 0
