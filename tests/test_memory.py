"""`RobotMemory`: what is observed is found again, with evidence; bad input changes nothing; nothing is lost."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from loci.geometry import check_pose
from loci.keyframes import KeyframeParameters
from loci.memory import MemoryParameters, RobotMemory, TimeBackwardsError
from loci.observation import Observation
from loci.perception.text import MiniLMTextEncoder
from loci.query import Query
from loci.questions import OtherMapError
from loci.spatial.octomap_files import OctoMapError, write_octomap
from loci.spatial.octree import Octree
from loci.store import Store, StoreError
from loci.store.checking import check_memory
from synthetic import ROOM, tour

TRUTH = {box.label: box for box in ROOM.boxes}
#: Points on the table, away from what stands there, (N, 3) [m].
#: Its surface lies on a border of voxels: which of the two above and below is occupied is a matter of rounding.
TABLE_TOP = np.array([(x, y, 0.725) for x in np.arange(2.42, 2.75, 0.05) for y in np.arange(1.57, 1.95, 0.05)])


def occupied_share(memory: RobotMemory, points: np.ndarray) -> float:
    """Share of the points at which the voxel, or the one above it, is occupied."""
    states = [memory.query_occupancy(points + (0.0, 0.0, z))[0] for z in (0.0, 0.05)]
    return float(np.mean(np.max(states, axis=0) == 1))


@pytest.fixture(scope="module")
def encoder() -> MiniLMTextEncoder:
    return MiniLMTextEncoder()


@pytest.fixture
def memory(tmp_path, encoder):
    with RobotMemory.open(tmp_path / "home", map_id="room", text_encoder=encoder) as memory:
        yield memory


@pytest.fixture
def toured(memory):
    for observation in tour():
        memory.observe(observation)
    return memory


def reopen(memory: RobotMemory, **options) -> RobotMemory:
    memory.close()
    return RobotMemory.open(memory.path, text_encoder=memory._text_encoder, **{"map_id": memory.map_id, **options})


def summary(memory: RobotMemory) -> dict:
    return {
        "objects": {o.id: (o.label, np.round(o.center, 4).tolist(), o.n_detections) for o in memory.objects()},
        "snapshots": {s.id: (s.keyframe_id, sorted(s.object_ids)) for s in memory.snapshots()},
        "places": {p.id: np.round(p.position, 4).tolist() for p in memory.topology().places},
        "edges": {(e.source, e.target) for e in memory.topology().edges},
        "timeline": [e.text for e in memory.timeline(limit=1000).evidence],
        "voxels": len(memory.occupied_voxels()),
        "answer": [e.id for e in memory.recall(Query(text="where is the mug", kinds=("object",))).evidence],
    }


def test_detections_that_could_not_be_used_are_counted(toured):
    assert toured.statistics()["detections_left_out"] > 0  # small or far ones: every tour has some


def test_every_object_is_remembered_once_where_it_is(toured):
    assert sorted(o.label for o in toured.objects()) == sorted(TRUTH)
    for o in toured.objects():
        assert np.linalg.norm(o.center - TRUTH[o.label].center) < 0.25, o.label


def test_text_finds_the_object_with_its_evidence(toured):
    best = toured.recall(Query(text="a red mug", with_images=True)).evidence[0]
    assert (best.kind, best.label, best.origin) == ("object", "mug", "scene")
    assert "on the table" in best.text
    assert best.is_goal and best.map_id == "room" and best.session == toured.session
    assert np.linalg.norm(np.subtract(best.position, TRUTH["mug"].center)) < 0.15
    check_pose(best.T_map_camera)
    crop = cv2.imdecode(np.frombuffer(best.image, np.uint8), cv2.IMREAD_COLOR)
    reddish = (crop[..., 2].astype(int) - crop[..., 1] > 80).mean()
    assert reddish > 0.05, "the picture of the mug does not show it"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(labels=("sofa",), kinds=("object",)), {"sofa"}),
        (Query(kinds=("object",), position=(2.6, 1.6, 0.8), radius=0.6), {"mug", "book", "table"}),
        (Query(kinds=("object",), box=((0.0, 3.0, 0.0), (1.0, 4.0, 1.2))), {"plant"}),
        (Query(kinds=("object",), labels=("unicorn",)), set()),
        (Query(kinds=("object",), state="missing"), set()),
        (Query(kinds=("object",), before_ns=1), set()),
        (Query(kinds=("object",), session="another"), set()),
    ],
)
def test_conditions_filter(toured, query, expected):
    assert {e.label for e in toured.recall(query).evidence} == expected


def test_all_kinds_of_memory_answer(toured):
    found = toured.recall(Query(text="mug", limit=1000)).evidence
    assert {e.kind for e in found} >= {"object", "snapshot", "keyframe", "episode"}
    assert all(0 <= e.score <= 1 for e in found)
    assert [e.score for e in found] == sorted((e.score for e in found), reverse=True)
    assert {e.kind for e in toured.recall(Query(kinds=("place", "room"), limit=1000)).evidence} == {"place", "room"}


def test_pages_are_disjoint_and_complete(toured):
    everything = toured.recall(Query(limit=1000))
    assert everything.n_total == len(everything.evidence)
    pages = [toured.recall(Query(limit=7, offset=i)).evidence for i in range(0, everything.n_total, 7)]
    assert [e.id for page in pages for e in page] == [e.id for e in everything.evidence]


def test_an_image_finds_where_it_was_taken(toured):
    observation = tour()[6]
    best = toured.recall(Query(image=observation.frame.color, kinds=("keyframe",), limit=1)).evidence[0]
    assert np.linalg.norm(best.T_map_camera[:3, 3] - observation.frame.T_map_camera[:3, 3]) < 0.5
    assert toured.locate(image=observation.frame.color).place


def test_the_time_line_is_in_order_and_bounded(toured):
    oldest = toured.timeline(limit=1000).evidence
    stamps = [e.stamp_ns for e in oldest]
    assert stamps == sorted(stamps) and stamps[0] == 1_000_000_000
    newest = toured.timeline(newest_first=True, limit=3).evidence
    assert [e.stamp_ns for e in newest] == sorted(stamps, reverse=True)[:3]
    middle = toured.timeline(after_ns=stamps[5], before_ns=stamps[-1] + 1, limit=1000).evidence
    assert all(e.stamp_ns >= stamps[5] for e in middle)


def test_snapshots_cover_every_object_exactly_once(toured):
    members = [i for s in toured.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(o.id for o in toured.objects())
    best, _ = toured.retrieve("is there a mug?", limit=1).snapshots[0]
    mug = next(o for o in toured.objects() if o.label == "mug")
    assert mug.id in best.object_ids


def test_a_path_leads_round_the_furniture(toured):
    path = toured.find_path((1.2, 1.6, 0.0), (2.5, 2.5, 0.0))
    assert not path.reason and path.length > np.hypot(1.3, 0.9) - 0.1
    blocked = toured.find_path((1.2, 1.6, 0.0), (2.6, 1.6, 0.0))
    assert blocked.reason, "a path into the table was given"


def test_the_octree_knows_free_occupied_and_unknown(toured):
    states, _ = toured.query_occupancy(np.array([[1.2, 2.0, 1.2], [9.0, 9.0, 1.0]]))
    assert states.tolist() == [0, -1]
    assert occupied_share(toured, TABLE_TOP) > 0.5
    hits = toured.cast_rays(np.array([[1.2, 2.0, 1.2]]), np.array([[-2.0, 0.0, 0.0]]), 5.0)
    assert hits.hits[0] and abs(hits.ranges[0] - (1.2 - ROOM.lower[0])) < 0.1


def test_saved_and_reopened_it_answers_the_same(toured):
    before = summary(toured)
    again = reopen(toured)
    assert summary(again) == before
    third = reopen(again)
    assert summary(third) == before
    third.close()


def test_what_was_committed_survives_without_closing(toured):
    toured.commit()
    with RobotMemory.open(toured.path, read_only=True, text_encoder=toured._text_encoder) as reader:
        assert summary(reader) == summary(toured)


def test_what_nobody_comes_to_commit_is_committed_when_it_is_due(tmp_path, encoder):
    parameters = MemoryParameters(commit_period_s=0.3)
    memory = RobotMemory.open(tmp_path / "home", map_id="room", text_encoder=encoder, parameters=parameters)
    ids = [r for o in tour(n=6) if (r := memory.observe(o).keyframe_id)]
    with Store.open(memory.path, read_only=True) as reader:
        give_up = time.monotonic() + 60.0
        while reader.get("keyframe", ids[-1]) is None and time.monotonic() < give_up:
            time.sleep(0.05)
        assert all(reader.get("keyframe", i) is not None for i in ids)
        said = memory.remember("the roof leaks", "Ada")
        assert reader.get("episode", said) is not None, "what is said is durable at once"
    memory.observe(tour(n=6, start_ns=10**11)[0])  # so that something waits
    memory.close()
    assert not any(
        isinstance(t, threading.Timer) and t.is_alive() and not t.finished.is_set() for t in threading.enumerate()
    )


@pytest.mark.parametrize("full_for", ["images", "database"])
def test_on_a_full_disk_answers_go_on_and_so_does_everything_once_there_is_space(toured, monkeypatch, full_for):
    def no_space(*_, **__):
        raise (
            OSError(28, "No space left on device") if full_for == "images" else sqlite3.OperationalError("disk is full")
        )

    before = summary(toured)
    with monkeypatch.context() as full:
        if full_for == "images":
            full.setattr("loci.store.blobs.os.replace", no_space)
            with pytest.raises(StoreError, match=r"could not be written .*No space left"):
                toured.observe(tour(n=7, start_ns=10**11)[1])
            assert summary(toured) == before, "nothing of that frame is kept"
        else:
            full.setattr("loci.store.store.write_batch", no_space)
            with pytest.raises(StoreError, match="could not be written: disk is full"):
                toured.remember("the roof leaks", "Ada")
        assert toured.recall(Query(text="where is the mug?", kinds=("object",))).evidence[0].label == "mug"
    for observation in tour(n=7, start_ns=2 * 10**11):
        toured.observe(observation)
    said = [e.text for e in toured.recall(Query(text="the roof leaks", kinds=("episode",))).evidence]
    assert ("the roof leaks" in said) == (full_for == "database"), "what was taken in is kept when there is space"
    path, after = toured.path, summary(toured)
    assert len(after["timeline"]) > len(before["timeline"])
    toured.close()
    assert check_memory(path) == []
    with RobotMemory.open(path, map_id="room", text_encoder=toured._text_encoder) as again:
        assert summary(again) == after


def test_another_map_keeps_the_old_memories_findable_and_never_a_goal(toured):
    again = reopen(toured, map_id=None)
    assert again.map_id != "room"
    shift = np.eye(4)
    shift[:3, 3] = (100.0, 0.0, 0.0)  # another origin
    for observation in tour(start_ns=50_000_000_000):
        frame = replace(observation.frame, T_map_camera=shift @ observation.frame.T_map_camera)
        again.observe(replace(observation, frame=frame))
    mugs = again.recall(Query(text="mug", kinds=("object",), labels=("mug",))).evidence
    assert {(e.map_id, e.is_goal) for e in mugs} == {("room", False), (again.map_id, True)}
    old = next(e for e in mugs if not e.is_goal)
    assert old.position[0] < 50 and old.T_map_camera[0, 3] < 50
    with pytest.raises(OtherMapError, match="not joined"):
        again.find_path(None, old.id)
    assert len(again.topology().edges) == len({(e.source, e.target) for e in again.topology().edges})
    maps = {p.id: p.map_id for p in again.topology().places}
    assert all(maps[e.source] == maps[e.target] for e in again.topology().edges)
    again.close()


def test_only_keyframes_are_kept(memory):
    observation = tour()[0]
    assert memory.observe(observation).keyframe_id
    again = replace(observation, frame=replace(observation.frame, stamp_ns=observation.frame.stamp_ns + 1))
    assert not memory.observe(again).keyframe_id
    assert memory.newest_stamp_ns == again.frame.stamp_ns
    assert memory.statistics()["keyframes"] == 1


def test_time_running_backwards_is_refused_and_changes_nothing(toured):
    before = summary(toured)
    with pytest.raises(TimeBackwardsError, match="new session"):
        toured.observe(tour()[0])
    assert summary(toured) == before
    toured.begin_session()
    assert toured.observe(tour()[0]).keyframe_id


def test_an_observation_of_another_map_is_refused(memory):
    with pytest.raises(ValueError, match="current map"):
        memory.observe(tour(n=1, map_id="elsewhere")[0])


def test_empty_observations_are_taken(memory):
    observation = tour()[0]
    blind = replace(observation.frame, depth=np.zeros_like(observation.frame.depth))
    memory.observe(Observation(blind))
    assert memory.objects() == () and memory.frontiers() == []


def test_asking_an_empty_memory_is_no_error(memory):
    assert memory.recall(Query(text="mug")).evidence == ()
    assert memory.frontiers() == [] and memory.topology().rooms == ()
    assert memory.scene_graph()[0] == ""
    with pytest.raises(LookupError, match="nothing was observed"):
        memory.find_path(None, (1.0, 1.0, 0.0))


def test_remembered_words_are_found_and_say_who_said_so(toured):
    mug = next(o for o in toured.objects() if o.label == "mug")
    episode_id = toured.remember(
        "the dishwasher is broken", "operator", object_id=mug.id, state="broken", position=(1, 2, 0)
    )
    again = reopen(toured)
    best = again.recall(Query(text="which machine does not work?", kinds=("episode",))).evidence[0]
    assert (best.id, best.source, best.text) == (episode_id, "operator", "the dishwasher is broken")
    assert again.recall(Query(state="broken", kinds=("episode",))).n_total == 1
    again.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": " ", "source": "me"}, ValueError),
        ({"text": "x", "source": ""}, ValueError),
        ({"text": "x", "source": "me", "position": (np.inf, 0, 0)}, ValueError),
        ({"text": "x", "source": "me", "object_id": "object/999"}, LookupError),
    ],
)
def test_bad_remarks_are_refused(toured, arguments, error):
    before = summary(toured)
    with pytest.raises(error):
        toured.remember(**arguments)
    assert summary(toured) == before


def test_forgetting_really_forgets(toured):
    words = "zanzibar-4711-secret"
    episode_id = toured.remember(f"the code is {words}", "operator")
    mug = next(o for o in toured.objects() if o.label == "mug")
    keyframe_id = toured.timeline(limit=1).evidence[0].keyframe_id
    image = toured.image(keyframe_id)
    assert toured.forget([episode_id, mug.id, keyframe_id]) == 3
    assert all(e.label != "mug" for e in toured.recall(Query(labels=("mug",), kinds=("object",))).evidence)
    with pytest.raises(LookupError):
        toured.image(keyframe_id)
    for file in toured.path.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert words.encode() not in data, file
            assert image[-500:-100] not in data, file
    members = [i for s in toured.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(o.id for o in toured.objects())
    with pytest.raises(LookupError, match="episode/99999"):
        toured.forget(["episode/99999"])


def test_what_was_told_of_a_thing_goes_with_the_remark_that_told_it(toured):
    sofa = next(o for o in toured.objects() if o.label == "sofa")
    first = toured.remember("look at the sofa", "Ada", object_id=sofa.id, state=" Xanadu-Stained ")
    toured.remember("the sofa is wet", "Ada", object_id=sofa.id, state="wet")
    assert [c.text.split(" is ")[1] for c in toured.changes(object_id=sofa.id)[0]] == ["xanadu-stained", "wet"]
    toured.forget([first])
    assert [c.text.split(" is ")[1] for c in toured.changes(object_id=sofa.id)[0]] == ["wet"]
    for file in toured.path.rglob("*"):
        assert not file.is_file() or b"xanadu" not in file.read_bytes().lower(), file


def test_after_a_correction_the_memory_equals_the_one_built_right(tmp_path, toured, encoder):
    with RobotMemory.open(tmp_path / "bent", map_id="room", text_encoder=encoder) as bent:
        true_poses = {}
        for i, observation in enumerate(tour()):
            drift = np.eye(4)
            drift[:3, 3] = (0.02 * i, -0.01 * i, 0.0)
            frame = replace(observation.frame, T_map_camera=drift @ observation.frame.T_map_camera)
            keyframe_id = bent.observe(replace(observation, frame=frame)).keyframe_id
            true_poses[keyframe_id] = observation.frame.T_map_camera
        bent.correct_poses(true_poses)
        assert bent.finish_rebuilding(60.0)
        for label in ("sofa", "plant", "table"):
            truth = next(o for o in toured.objects() if o.label == label).center
            nearest = min(np.linalg.norm(np.subtract(o.center, truth)) for o in bent.objects() if o.label == label)
            assert nearest < 0.3, label
        points = toured.occupied_voxels().astype(float)
        assert np.mean(bent.query_occupancy(points)[0] == 1) > 0.99
        for e in bent.recall(Query(kinds=("keyframe",), limit=1000)).evidence:
            assert np.allclose(e.T_map_camera, true_poses[e.keyframe_id])
        for place in bent.topology().places:  # a place is where the robot was
            assert min(np.linalg.norm(place.position - T[:3, 3]) for T in true_poses.values()) < 0.5
    with pytest.raises(LookupError, match="keyframe/999"):
        toured.correct_poses({"keyframe/999": np.eye(4)})


def test_merging_brings_the_other_memory_in(tmp_path, toured, encoder):
    with RobotMemory.open(tmp_path / "other", map_id="attic", text_encoder=encoder) as other:
        for observation in tour(n=12):
            other.observe(observation)
        other.remember("the roof leaks", "operator", position=(1, 1, 2))
        n_other = len(other.objects())
    n_before = len(toured.objects())
    result = toured.merge(tmp_path / "other")
    assert result.n_objects == n_other and len(toured.objects()) == n_before + n_other
    assert {e.is_goal for e in toured.recall(Query(kinds=("object",), limit=1000)).evidence} == {True, False}
    assert toured.recall(Query(text="leak in the roof", kinds=("episode",))).evidence[0].text == "the roof leaks"
    T = np.eye(4)
    T[:3, 3] = (10.0, 0.0, 0.0)
    toured.merge(tmp_path / "other", T)
    moved = [e for e in toured.recall(Query(labels=("plant",), kinds=("object",))).evidence if e.is_goal]
    x = TRUTH["plant"].center[0]
    assert np.allclose(sorted(e.position[0] for e in moved), [x, x + 10], atol=0.3)
    assert occupied_share(toured, TABLE_TOP + (10.0, 0.0, 0.0)) > 0.2, "the merged map's voxels are missing"


def test_clearing_forgets_everything_but_the_ids(toured):
    ids = {o.id for o in toured.objects()}
    toured.clear()
    assert toured.objects() == () and toured.recall(Query()).n_total == 0
    for observation in tour():
        toured.observe(observation)
    assert not ids & {o.id for o in toured.objects()}


def test_consolidation_moves_the_short_term_to_the_long_term(toured):
    origins = {e.origin for e in toured.recall(Query(kinds=("episode",), limit=1000)).evidence}
    assert "short_term" in origins
    n_before = toured.recall(Query(kinds=("episode",), limit=1000)).n_total
    result = toured.consolidate(everything=True)
    after = toured.recall(Query(kinds=("episode",), limit=1000))
    assert {e.origin for e in after.evidence} == {"long_term"}
    assert after.n_total == n_before - result.n_merged


def test_an_export_can_be_read_without_loci(toured, tmp_path):
    directory = toured.export(tmp_path / "export")
    graph = json.loads((directory / "scene_graph.json").read_text())
    assert {o["label"] for o in graph["objects"]} == set(TRUTH)
    images = sorted((directory / "keyframes").glob("*.jpg"))
    assert len(images) == toured.statistics()["keyframes"]
    assert cv2.imread(str(images[0])) is not None
    header = (directory / "occupied.ply").read_bytes().split(b"end_header")[0].decode()
    assert f"element vertex {len(toured.occupied_voxels())}" in header


def test_the_scene_graph_is_text_within_its_limit(toured):
    text, truncated = toured.scene_graph()
    assert "mug" in text and "on table" in text and not truncated
    short, truncated = toured.scene_graph(max_characters=80)
    assert truncated and len(short) <= 80 and text.startswith(short)
    with pytest.raises(ValueError, match="format"):
        toured.scene_graph("xml")


def test_a_copy_under_a_name_is_a_memory_of_its_own(toured):
    copy = toured.save("copy")
    with RobotMemory.open(copy, map_id="room", text_encoder=toured._text_encoder) as other:
        assert summary(other) == summary(toured)
    with pytest.raises(ValueError, match="name"):
        toured.save("../outside")
    with pytest.raises(FileExistsError, match="another name"):
        toured.save("copy")


def test_a_locked_memory_says_who_holds_it(toured):
    with pytest.raises(Exception, match=r"(?i)process|pid"):
        RobotMemory.open(toured.path, map_id="room", text_encoder=toured._text_encoder)


def test_the_order_of_detections_does_not_matter(tmp_path, encoder, rng):
    results = []
    for name, shuffle in (("a", False), ("b", True)):
        with RobotMemory.open(tmp_path / name, map_id="room", text_encoder=encoder) as memory:
            for observation in tour():
                order = rng.permutation(len(observation.detections)) if shuffle else range(len(observation.detections))
                memory.observe(replace(observation, detections=tuple(observation.detections[i] for i in order)))
            results.append({o.label: np.round(o.center, 3).tolist() for o in memory.objects()})
    assert results[0] == results[1]


def test_parameters_are_used(tmp_path, encoder):
    parameters = MemoryParameters(keyframes=KeyframeParameters(translation=100.0, rotation=100.0, changed_share=2.0))
    with RobotMemory.open(tmp_path / "still", map_id="room", parameters=parameters, text_encoder=encoder) as memory:
        for observation in tour(n=6):
            memory.observe(observation)
        assert memory.statistics()["keyframes"] == 1


@pytest.fixture(scope="module")
def shed(tmp_path_factory):
    """An OctoMap file of a place that nobody observes, 40 m away, and centres of its occupied voxels."""
    octree, frame = Octree(), tour()[0].frame
    pose = frame.T_map_camera.copy()
    pose[0, 3] += 40.0
    octree.integrate(frame.depth, frame.camera, pose, 1)
    path = tmp_path_factory.mktemp("octomap") / "shed.ot"
    assert write_octomap(octree, path, "ot") > 1000
    return path, octree.occupied()[0]


def test_an_imported_map_is_known_beside_what_is_observed_and_outlives_corrections(memory, shed):
    path, occupied = shed
    memory.import_map(path)
    assert memory.occupancy_map().cells.size > 100  # at once, before anything is observed
    for observation in tour()[:4]:
        memory.observe(observation)
    keyframe = memory.timeline(limit=1).evidence[0].keyframe_id
    memory.correct_poses({keyframe: memory.keyframe(keyframe).T_map_camera})
    again = reopen(memory)
    try:
        assert np.all(again.query_occupancy(occupied)[0] == 1)
        assert (again.occupied_voxels()[:, 0] < 20).sum() > 100  # what was observed
        assert again.nearest_occupied(occupied[:5] + 0.01, 0.1).found.all()
    finally:
        again.close()


def test_a_map_that_cannot_be_imported_changes_nothing(memory, shed, tmp_path):
    memory.import_map(shed[0])
    before = memory.occupied_voxels()
    broken = tmp_path / "broken.ot"
    broken.write_bytes(shed[0].read_bytes()[:-1])
    with pytest.raises(OctoMapError, match="the file ends within node"):
        memory.import_map(broken)
    with pytest.raises(FileNotFoundError):
        memory.import_map(tmp_path / "none.ot")
    np.testing.assert_array_equal(memory.occupied_voxels(), before)


def test_the_short_term_answers_first_where_it_is_sure_and_the_answer_says_so(tmp_path, encoder):
    def origins(threshold: float) -> list[tuple[str, str]]:
        parameters = MemoryParameters(short_term_threshold=threshold)
        with RobotMemory.open(
            tmp_path / f"{threshold}", map_id="room", text_encoder=encoder, parameters=parameters
        ) as m:
            for observation in tour():
                m.observe(observation)
            m.remember("the mug is blue", "visitor")
            found = m.recall(Query(text="the mug is blue", kinds=("episode",), limit=2)).evidence
            return [(e.origin, e.text) for e in found]

    assert origins(0.5)[0] == ("short_term", "first saw mug")
    assert origins(0.5)[1] == ("long_term", "the mug is blue")
    assert origins(0.99)[0] == ("long_term", "the mug is blue")


def test_rare_words_find_what_the_vectors_miss(toured):
    for i in range(30):
        toured.remember(f"the parcel of customer number {i} lies on shelf {i % 5}", "operator")
    wanted = toured.remember("parcel zx81 was returned", "operator")
    best = toured.recall(Query(text="what happened to zx81?", kinds=("episode",))).evidence[0]
    assert best.id == wanted
    toured.forget([wanted])
    assert all("zx81" not in e.text for e in toured.recall(Query(text="zx81", limit=1000)).evidence)
    assert all(b"zx81" not in p.read_bytes() for p in toured.path.rglob("*") if p.is_file())


def test_another_process_reads_and_checks_a_memory_that_is_written_to(toured):
    code = (
        "import sys; from pathlib import Path; from loci.memory import RobotMemory; from loci.query import Query; "
        "from loci.store.checking import check_memory; path = Path(sys.argv[1])\n"
        "with RobotMemory.open(path, read_only=True) as memory:\n"
        "    print(memory.recall(Query(labels=('mug',), kinds=('object',))).evidence[0].id)\n"
        "print([f.what for f in check_memory(path)])"
    )
    toured.commit()
    mug = next(o for o in toured.objects() if o.label == "mug")
    run = subprocess.run([sys.executable, "-c", code, str(toured.path)], capture_output=True, text=True, timeout=100)
    assert run.stdout.splitlines() == [mug.id, "[]"], run.stderr
    toured.remember("written after the other process came and went", "operator")


def test_frontier_snapshots_follow_a_correction_with_what_they_look_at(tmp_path, encoder):
    """Everything turned by a quarter: the borders lie where they are turned to, and each one's photo looks at it from where it was taken."""
    turn = np.eye(4)
    turn[:2, :2], turn[:2, 3] = ((0, -1), (1, 0)), (1.0, -2.0)
    with RobotMemory.open(tmp_path / "memory", map_id="room", text_encoder=encoder) as memory:
        for observation in tour(n=12)[:3]:
            memory.observe(observation)

        def seen() -> list[tuple[np.ndarray, str]]:
            memory.refresh()
            return [(np.asarray(f.centroid), f.keyframe_id) for f, _ in memory.frontiers()]

        def looked_at() -> int:
            found = 0
            for centroid, keyframe_id in seen():
                keyframe = memory.keyframe(keyframe_id)
                x, y, z = (np.linalg.inv(keyframe.T_map_camera) @ [*centroid, 1.0])[:3]
                found += z > 0 and abs(x) < z and abs(y) < z
            return found

        before, shown = seen(), looked_at()
        assert len(before) >= 2
        keyframes = memory.recall(Query(kinds=("keyframe",), limit=1000)).evidence
        memory.correct_poses({e.keyframe_id: turn @ e.T_map_camera for e in keyframes})
        assert memory.finish_rebuilding(60.0)
        after = seen()
        assert len(after) == len(before)
        for centroid, _ in before:
            there = (turn @ [*centroid, 1.0])[:3]
            assert min(np.linalg.norm(other - there) for other, _ in after) < 0.3
        assert looked_at() == shown >= 1
