"""What changed: the same instance elsewhere keeps its id and its history, look-alikes are told as such, movers stay out of the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from change_worlds import BLUE, HERE, RED, SECOND, THERE, Robot, at_shelf, at_table, home, mug, observed
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from scene_worlds import CAMERA, box

from loci.geometry import invert_pose, look_at, transform_points
from loci.memory import RobotMemory
from loci.observation import Detection
from loci.query import Query
from loci.scene.change_records import CHANGE_KINDS
from loci.scene.changes import Changes
from loci.scene.clouds import Cloud
from loci.scene.colors import COLOR_NAMES
from loci.scene.movers import MoverParameters, Movers, separate
from loci.scene.reidentification import ReidentificationParameters, likeness
from loci.scene.tracks import Track
from loci.store.record import Record
from synthetic import Box, World

BESIDE = (-0.4, -0.1, 0.8)


@pytest.fixture
def robot(tmp_path) -> Robot:
    """A robot that has looked at the table with a red mug on it, and at the shelf, an hour ago."""
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug()), [*at_table(), *at_shelf()])
    robot.wait(3600)
    return robot


def test_a_first_look_around_changes_nothing(robot):
    assert robot.told() == []
    assert all(o.state == "present" and o.past == () for o in robot.scene.objects())


def test_a_mug_that_was_taken_away_is_told_as_missing_once(robot):
    before = robot.one()
    robot.look(home(), [*at_table(), *at_table()])
    assert robot.told() == [("missing", before.id)]
    (change,) = robot.scene.changes()
    assert change.old is not None
    assert change.new is None
    assert (change.old.on, change.old.last_seen_ns) == ("table", before.last_seen_ns)
    assert change.confidence > 0.8
    assert not change.ambiguous


def test_a_mug_that_was_moved_is_the_same_object_with_a_history(robot):
    before = robot.one()
    robot.look(home(mug(THERE)), [*at_table(), *at_shelf()])
    now = robot.one()
    assert (now.id, now.state) == (before.id, "moved")
    np.testing.assert_allclose(now.center, THERE, atol=0.03)
    assert now.first_seen_ns == before.first_seen_ns
    assert now.n_detections > before.n_detections
    (past,) = now.past
    np.testing.assert_allclose((robot.keyframes.pose(past.keyframe_id) @ past.T_camera_box)[:3, 3], HERE, atol=0.03)
    assert (past.first_seen_ns, past.last_seen_ns) == (before.first_seen_ns, before.last_seen_ns)
    assert (past.state, past.on) == ("moved", "table")
    assert now.since_ns > before.last_seen_ns
    assert [kind for kind, _ in robot.told()] == ["missing", "moved"]
    assert {i for _, i in robot.told()} == {before.id}


def test_seen_elsewhere_first_it_is_moved_when_its_place_is_seen_empty(robot):
    """Until then it may be another mug of the kind."""
    before = robot.one()
    robot.look(home(mug(THERE)), at_shelf())
    assert len(robot.all("mug")) == 2
    robot.look(home(mug(THERE)), at_table())
    assert robot.one().id == before.id
    assert robot.one().state == "moved"
    assert robot.told() == [("moved", before.id)]  # and no "missing" in between, nor a new mug


def test_a_second_mug_is_new_and_the_first_one_stays(robot):
    before = robot.one()
    robot.look(home(mug(), mug(THERE)), [*at_shelf(), *at_table()])
    assert {o.state for o in robot.all("mug")} == {"present"}
    assert len(robot.all("mug")) == 2
    (change,) = robot.scene.changes()
    assert change.kind == "new"
    assert change.object_id != before.id
    assert change.old is None


def test_what_was_only_not_looked_at_before_is_not_new(tmp_path):
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug(), mug(THERE)), at_table())
    robot.wait()
    robot.look(home(mug(), mug(THERE)), at_shelf())
    assert robot.told() == []


def test_a_mug_of_another_colour_or_size_is_another_mug(robot):
    gone = robot.one().id
    big = replace(box("mug", THERE, (0.25, 0.25, 0.3)), color=RED)
    robot.look(home(mug(THERE, BLUE)), [*at_table(), *at_shelf()])
    assert {(o.id == gone, o.state) for o in robot.all("mug")} == {(True, "missing"), (False, "present")}
    robot.look(home(big), [*at_shelf(), *at_table(), *at_shelf()])
    assert next(o for o in robot.all("mug") if o.id == gone).state == "missing"


def looking(size: Sequence[float], **pixels: int) -> Track:
    """A book of that size with so many pixels of each colour."""
    corners = np.array(list(product(*((-v / 2, v / 2) for v in size))), dtype=np.float32)
    track = Track("object/1", "map", Cloud(corners))
    track.votes, track.label, track.size = {"book": 1.0}, "book", tuple(size)
    for color, n in pixels.items():
        track.color_counts[COLOR_NAMES.index(color)] = n
    return track


def test_what_fits_neither_in_size_nor_in_colour_is_another_book_of_the_kind():
    thin = looking((0.02, 0.17, 0.23), brown=100)
    p = ReidentificationParameters()
    assert likeness(thin, looking((0.02, 0.17, 0.23), brown=50, gray=50), p) > 0.7  # another side shows
    assert likeness(thin, looking((0.02, 0.12, 0.17), brown=95, gray=5), p) > 0.7  # it is half hidden
    assert likeness(thin, looking((0.06, 0.17, 0.18), brown=60, gray=40), p) == 0.0


def test_the_red_and_the_blue_mug_change_places_and_are_told_apart(tmp_path):
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug(HERE, RED), mug(BESIDE, BLUE)), at_table())
    red, blue = (next(o.id for o in robot.all("mug") if o.center[0] * side > 0) for side in (1, -1))
    robot.wait(3600)
    there = (3.1, 0.1, 1.05)
    robot.look(home(mug(THERE, RED), mug(there, BLUE)), [*at_table(), *at_shelf()])
    assert {o.id: o.state for o in robot.all("mug")} == {red: "moved", blue: "moved"}
    np.testing.assert_allclose(robot.scene.by_id()[red].center, THERE, atol=0.03)
    np.testing.assert_allclose(robot.scene.by_id()[blue].center, there, atol=0.03)
    assert not any(c.ambiguous for c in robot.scene.changes())


def test_two_like_mugs_that_were_moved_unseen_are_ambiguous(tmp_path):
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug(HERE), mug(BESIDE)), at_table())
    ids = {o.id for o in robot.all("mug")}
    robot.wait(3600)
    robot.look(home(mug(THERE), mug((3.1, 0.1, 1.05))), [*at_table(), *at_shelf()])
    assert {o.id for o in robot.all("mug")} == ids
    moves = [c for c in robot.scene.changes() if c.kind == "moved"]
    assert {c.object_id for c in moves} == ids
    assert all(c.ambiguous and c.confidence <= 0.5 for c in moves)


def test_a_move_becomes_ambiguous_when_a_second_like_mug_turns_out_to_be_gone(tmp_path):
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug(HERE), mug((3.1, 0.1, 1.05))), [*at_table(), *at_shelf()])
    robot.wait(3600)
    floor = (1.7, -1.0, 0.05)
    robot.look(home(mug(floor), mug((3.1, 0.1, 1.05))), at_table())  # one is gone ...
    robot.look(home(mug(floor)), [look_at((1.7 + x, -2.5, 1.3), floor) for x in (-0.5, 0.0, 0.5)])  # ... and found
    (moved,) = (c for c in robot.scene.changes() if c.kind == "moved")
    assert not moved.ambiguous
    robot.look(home(mug(floor)), at_shelf())  # but the other one is gone, too
    assert next(c for c in robot.scene.changes() if c.kind == "moved").ambiguous
    assert next(c for c in robot.scene.changes() if c.kind == "missing" and c.object_id != moved.object_id).ambiguous


def test_a_mug_that_was_there_before_the_other_one_went_is_not_the_other_one(tmp_path):
    """It was in the depth images, and the detector missed it."""
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug(), mug(THERE)), at_table())
    robot.look(home(mug(), mug(THERE)), at_shelf(), labels=("shelf",))
    robot.wait(3600)
    robot.look(home(mug(THERE)), [*at_table(), *at_shelf()])
    assert sorted(o.state for o in robot.all("mug")) == ["missing", "present"]
    assert [kind for kind, _ in robot.told()] == ["missing"]


def test_put_back_it_is_found(robot):
    before = robot.one().id
    robot.look(home(), at_table())
    robot.look(home(mug()), at_table())
    assert robot.told() == [("missing", before), ("found", before)]
    assert robot.one().state == "present"


def test_moved_there_and_back_it_has_been_in_three_places(robot):
    before = robot.one().id
    robot.look(home(mug(THERE)), [*at_table(), *at_shelf()])
    robot.look(home(mug()), [*at_shelf(), *at_table()])
    now = robot.one()
    assert (now.id, now.state) == (before, "moved")
    np.testing.assert_allclose(now.center, HERE, atol=0.03)
    assert [p.on for p in now.past] == ["table", "shelf"]


def test_what_the_robot_holds_is_not_missed_and_is_recognised_where_it_is_put(robot):
    before = robot.one().id
    robot.scene.tell(before, "held", robot.stamp_ns, "day")
    assert robot.one().state == "held"
    robot.look(home(), at_table())
    assert robot.told() == [("held", before)]  # that its place is empty is no news
    robot.scene.tell(before, "placed", robot.stamp_ns, "day")
    robot.look(home(mug(THERE)), at_shelf())
    assert (robot.one().id, robot.one().state) == (before, "moved")
    assert [kind for kind, _ in robot.told()] == ["held", "missing", "moved"]


def test_what_is_told_of_a_thing_is_a_change_of_it(robot):
    robot.scene.tell(robot.one().id, "dirty", robot.stamp_ns, "day")
    (change,) = robot.scene.changes()
    assert (change.kind, change.detail, robot.one().state) == ("changed", "dirty", "present")


def test_snapshots_follow_a_thing_that_was_moved(robot):
    before = robot.one().id
    robot.look(home(mug(THERE)), [*at_table(), *at_shelf()])
    owner = [s for s in robot.scene.snapshots() if before in s.object_ids]
    assert len(owner) == 1
    taken = robot.keyframes.get(owner[0].keyframe_id)
    x, _, z = transform_points(invert_pose(taken.T_map_camera), np.array(THERE))
    assert z > 0
    assert 0 <= CAMERA.fx * x / z + CAMERA.cx < CAMERA.width
    assert sorted(members(robot)) == sorted(o.id for o in robot.scene.objects())


def members(robot: Robot) -> list[str]:
    """Ids of the members of all snapshots."""
    return [i for s in robot.scene.snapshots() for i in s.object_ids]


def test_what_is_gone_is_in_no_snapshot_until_it_is_there_again(robot):
    gone = robot.one().id
    robot.look(home(), at_table())
    assert robot.one().state == "missing"
    assert gone not in members(robot)
    assert sorted(members(robot)) == sorted(o.id for o in robot.scene.objects() if o.is_there)
    robot.look(home(mug()), at_table())
    assert robot.one().state == "present"
    assert members(robot).count(gone) == 1


def test_a_snapshot_whose_objects_are_gone_is_none_any_more(tmp_path):
    crate = box("crate", (-3.5, 0.0, 0.2), (0.4, 0.4, 0.4))
    at_crate = [look_at((-3.5 + x, -2.0, 1.2), (-3.5, 0.0, 0.2)) for x in (-0.4, 0.0, 0.4)]
    robot = Robot(tmp_path / "memory")
    robot.look(home(crate), [*at_table(), *at_crate])
    gone = robot.one("crate").id
    shown = robot.scene.snapshots_map.snapshot_of(gone)
    assert shown is not None
    assert shown.object_ids == (gone,)
    robot.wait(3600)
    robot.look(home(), at_crate)
    assert robot.one("crate").state == "missing"
    assert shown.id not in {s.id for s in robot.scene.snapshots()}
    robot.scene.save()
    assert shown.id not in {r.id for r in robot.store.records("snapshot")}
    # Its best view is kept all the same: that is how it looked, and where it was.
    assert robot.scene.object_image(robot.one("crate"))
    # A memory of an earlier version that still has it opens without it.
    fields = {"keyframe_id": shown.keyframe_id, "object_ids": [gone]}
    robot.store.put("snapshot", shown.id, fields)
    robot.reopen()
    assert gone not in members(robot)
    assert shown.id not in {s.id for s in robot.scene.snapshots()}


def test_what_is_in_a_hand_is_in_no_snapshot(robot):
    held = robot.one().id
    robot.scene.tell(held, "held", robot.stamp_ns, "day")
    assert held not in members(robot)
    robot.look(home(mug(THERE)), at_shelf())
    assert members(robot).count(held) == 1


def test_a_mug_that_showed_before_it_was_detected_in_its_new_place_is_the_moved_one(robot):
    """From afar, say, or half hidden: that says nothing of the time when the other one was still in its place."""
    before = robot.one().id
    moved = home(mug(THERE))
    robot.look(moved, at_shelf(), labels=("shelf",))
    robot.look(moved, at_table())
    assert robot.one().state == "missing"
    robot.look(moved, at_shelf())
    assert (robot.one().id, robot.one().state) == (before, "moved")


def test_states_history_and_changes_survive_a_restart(robot):
    robot.look(home(mug(THERE)), [*at_table(), *at_shelf()])
    now, told = robot.one(), robot.scene.changes()
    robot.reopen()
    again = robot.one()
    assert (again.id, again.state, again.since_ns) == (now.id, now.state, now.since_ns)
    assert again.past[0].as_fields() == now.past[0].as_fields()
    assert [(c.id, c.kind, c.object_id, c.stamp_ns) for c in robot.scene.changes()] == [
        (c.id, c.kind, c.object_id, c.stamp_ns) for c in told
    ]
    robot.look(home(mug()), [*at_shelf(), *at_table()])  # and it goes on
    assert (robot.one().id, len(robot.one().past)) == (now.id, 2)


def test_a_memory_from_before_objects_followed_the_world_opens(robot):
    robot.scene.save()
    robot.store.commit()
    for record in list(robot.store.records("object")):
        old = {k: v for k, v in record.fields.items() if k not in ("standing", "color_counts")}
        robot.store.put("object", record.id, old, stamp_ns=record.stamp_ns, map_id=record.map_id, arrays=record.arrays)
    robot.store.commit()
    robot.store.close()
    robot.open()
    assert robot.one().state == "present"
    before = robot.one().id
    robot.look(home(mug(THERE)), [*at_table(), *at_shelf()])
    assert (robot.one().id, robot.one().state) == (before, "moved")


def test_a_damaged_change_is_refused_with_what_was_got(robot):
    changes = Changes(robot.scene.objects_map, robot.keyframes, lambda: "change/1", lambda _: "")
    with pytest.raises(ValueError, match="expected the record of change/9 to have 'object_id'"):
        changes.restore([Record("change", "change/9", {"kind": "new"})])
    with pytest.raises(ValueError, match="expected a change among"):
        changes.restore([Record("change", "change/9", {"kind": "exploded"})])


#: (what is done, to the red mug?, where it is put, whether the robot is at the table).
DEED = st.tuples(st.sampled_from(["carry", "look", "hold", "restart"]), st.booleans(), st.integers(0, 3), st.booleans())


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(DEED, min_size=2, max_size=5))
@example([("carry", True, 1, True), ("restart", True, 0, False), ("carry", True, 0, True)])
def test_whatever_happens_to_two_mugs_the_memory_stays_consistent(tmp_path_factory, deeds):
    """Random sequences of carrying, removing, looking, holding and restarting; invariants after each step."""
    robot = Robot(tmp_path_factory.mktemp("change") / "memory")
    spots = (HERE, BESIDE, THERE, None)
    where = {RED: HERE, BLUE: THERE}
    robot.look(home(mug(HERE, RED), mug(THERE, BLUE)), [*at_table(3), *at_shelf(3)])
    robot.wait()
    seen_ids = {o.id for o in robot.scene.objects()}
    for deed, is_red, spot, is_at_table in deeds:
        color = RED if is_red else BLUE
        if deed == "carry" and (spots[spot] is None or spots[spot] not in where.values()):
            where[color] = spots[spot]
        elif deed == "hold" and robot.all("mug"):
            robot.scene.tell(robot.all("mug")[spot % len(robot.all("mug"))].id, "held", robot.stamp_ns, "day")
        elif deed == "restart":
            robot.reopen()
        world = home(*(mug(s, c) for c, s in where.items() if s is not None))
        robot.look(world, at_table(3) if is_at_table else at_shelf(3))
        robot.wait(5)
        _check(robot, seen_ids)
    robot.look(world, [*at_table(), *at_shelf()] * 2)
    there = sorted(o.center for o in robot.all("mug") if o.is_there)
    expected = sorted(s for s in where.values() if s is not None)
    assert len(there) == len(expected)
    np.testing.assert_allclose(np.reshape(there, (-1, 3)), np.reshape(expected, (-1, 3)), atol=0.04)


def _check(robot: Robot, seen_ids: set[str]) -> None:
    objects = robot.scene.by_id()
    seen_ids |= objects.keys()
    for o in objects.values():
        assert 0.0 < o.presence < 1.0
        assert (o.state == "moved") <= bool(o.past)
        times = [t for p in o.past for t in (p.first_seen_ns, p.last_seen_ns)]
        assert times == sorted(times)
        assert all(p.keyframe_id in robot.keyframes for p in o.past)
    assert sorted(members(robot)) == sorted(o.id for o in objects.values() if o.is_there)
    for c in robot.scene.changes():
        assert c.kind in CHANGE_KINDS
        assert c.object_id in objects  # ids of changes are remapped with their objects
        assert 0.0 <= c.confidence <= 1.0
        assert (c.old is not None) >= (c.kind in ("missing", "moved", "held"))
        assert (c.new is not None) >= (c.kind in ("new", "moved", "found"))


# --- over the whole memory ------------------------------------------------------------------------------------------------


class Words:
    """A text encoder that needs no model: what the tests here ask for is asked by labels."""

    name, dimension = "words", 8

    def encode(self, texts):
        vectors = np.array([np.bincount([hash(w) % 8 for w in t.split()] or [0], minlength=8) for t in texts], float)
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def memory(tmp_path):
    with RobotMemory.open(tmp_path / "memory", map_id="home", text_encoder=Words()) as memory:
        yield memory


def show(memory: RobotMemory, world: World, poses, start_s: float) -> None:
    for i, T in enumerate(poses):
        memory.observe(observed(world, T, round((start_s + i) * SECOND)))


def moved_mug(memory: RobotMemory) -> str:
    """The id of a mug that was seen on the table, and after 1000 s on the shelf."""
    show(memory, home(mug()), [*at_table(), *at_shelf()], 1)
    show(memory, home(mug(THERE)), [*at_table(), *at_shelf()], 1000)
    (found,) = memory.find_objects(labels=("mug",))
    return found[0].id


def test_a_mug_that_was_new_elsewhere_at_first_is_an_event_once_it_is_known_again(memory):
    show(memory, home(mug()), [*at_table(), *at_shelf()], 1)
    show(memory, home(mug(THERE)), at_shelf(), 1000)
    assert [c.kind for c in memory.changes()[0]] == ["new"]
    show(memory, home(mug(THERE)), at_table(), 1100)
    assert [c.kind for c in memory.changes()[0]] == ["moved"]
    events = memory.recall(Query(labels=("mug",), kinds=("episode",), order="newest", limit=1)).evidence
    assert [(e.text, e.state) for e in events] == [("mug was moved", "moved")]


def test_what_is_new_where_nothing_was_is_an_event_and_what_is_seen_first_elsewhere_is_none(memory):
    show(memory, home(mug()), at_table(), 1)
    show(memory, home(mug(), mug((-0.4, 0.1, 0.8), BLUE)), [*at_table(), *at_shelf()], 100)
    told = memory.recall(Query(kinds=("episode",), state="new")).evidence
    assert [(e.text, e.label) for e in told] == [("mug is new", "mug")]
    np.testing.assert_allclose(told[0].position, (-0.4, 0.1, 0.8), atol=0.05)


def show_state(memory: RobotMemory, state: str, start_s: float, score: float = 1.0) -> None:
    """The mug on the table, of which a detector tells a state."""
    for i, T in enumerate(at_table()):
        seen = observed(home(mug()), T, round((start_s + i) * SECOND))
        told = [replace(d, attributes=(state,), score=score) if d.label == "mug" else d for d in seen.detections]
        memory.observe(replace(seen, detections=tuple(told)))


def test_a_state_that_a_detector_sees_change_is_a_change_and_an_event_once(memory):
    for n, state in enumerate(("full", "full", "empty", "full")):
        show_state(memory, state, 1 + 100 * n)
    (found, _) = memory.changes()
    assert [(c.kind, c.stamp_ns // SECOND) for c in found] == [("changed", 201), ("changed", 301)]
    assert found[0].text == "the mug in room/1 is empty"
    assert found[0].new is not None
    np.testing.assert_allclose(found[0].new.position, HERE, atol=0.03)
    page = memory.recall(Query(labels=("mug",), kinds=("episode",), states=("full", "empty"), order="oldest")).evidence
    assert page[-1].text == "mug is full"
    ((found_mug, _),) = memory.find_objects(labels=("mug",))
    assert {e.object_id for e in page} == {found_mug.id}
    np.testing.assert_allclose(page[-1].position, HERE, atol=0.03)


def test_a_state_that_is_not_sure_is_no_event(memory):
    show_state(memory, "full", 1)
    show_state(memory, "empty", 101, score=0.45)
    assert memory.recall(Query(kinds=("episode",), state="empty")).n_total == 0


def test_where_was_it_before_and_what_changed(memory):
    object_id = moved_mug(memory)
    before, now = memory.object_history(object_id)
    np.testing.assert_allclose(before.position, HERE, atol=0.03)
    np.testing.assert_allclose(now.position, THERE, atol=0.03)
    assert (before.state, before.on, now.state, now.on) == ("moved", "table", "present", "shelf")
    assert before.last_seen_ns <= 12 * SECOND < 1000 * SECOND <= now.first_seen_ns
    found, n = memory.changes(newest_first=True)
    assert [c.kind for c in found] == ["moved", "missing"]
    assert n == 2
    assert found[0].old is not None
    np.testing.assert_allclose(found[0].old.position, HERE, atol=0.03)
    assert "from" in found[0].text
    assert "shelf" in found[0].text
    assert memory.changes(kinds=("moved",))[1] == 1
    assert memory.changes(before_ns=900 * SECOND)[1] == 0
    assert memory.changes(after_ns=900 * SECOND)[1] == 2
    assert len(memory.changes(limit=1)[0]) == 1
    assert memory.changes(limit=1, offset=5) == ((), 2)
    room = memory.room_of(memory.object(object_id))
    assert room is not None
    assert memory.changes(room=room.id)[1] == 2


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"kinds": ("exploded",)}, ValueError),
        ({"limit": 0}, ValueError),
        ({"offset": -1}, ValueError),
        ({"after_ns": 5, "before_ns": 5}, ValueError),
        ({"room": "atlantis"}, LookupError),
        ({"object_id": "object/999"}, LookupError),
    ],
)
def test_changes_that_cannot_be_asked_for_are_refused(memory, wrong, error):
    moved_mug(memory)
    with pytest.raises(error, match=r"expected|no room|no object"):
        memory.changes(**wrong)
    with pytest.raises(LookupError, match="no object"):
        memory.object_history("object/999")


def test_history_moves_with_its_keyframes(memory):
    object_id = moved_mug(memory)
    before, now = memory.object_history(object_id)
    shift = np.eye(4)
    shift[:3, 3] = (0.5, -0.25, 0.0)
    memory.correct_poses({before.keyframe_id: shift @ memory.keyframe(before.keyframe_id).T_map_camera})
    again = memory.object_history(object_id)
    np.testing.assert_allclose(again[0].position, np.add(before.position, (0.5, -0.25, 0.0)), atol=1e-6)
    np.testing.assert_allclose(again[1].position, now.position, atol=1e-6)
    old = memory.changes(kinds=("moved",))[0][0].old
    assert old is not None
    np.testing.assert_allclose(old.position, again[0].position, atol=1e-6)


def test_a_missing_thing_is_found_and_said_to_be_missing_and_is_no_goal(memory):
    show(memory, home(mug()), at_table(), 1)
    show(memory, home(), at_table(), 1000)
    (found,) = memory.find_objects(labels=("mug",))
    assert found[0].state == "missing"
    assert [o.id for o, _ in memory.find_objects(state="missing")] == [found[0].id]
    (evidence,) = memory.recall(Query(kinds=("object",), state="missing")).evidence
    assert (evidence.label, evidence.state, evidence.is_goal) == ("mug", "missing", False)
    assert "gone" in evidence.text
    assert "missing now" in next(line for line in memory.scene_graph()[0].splitlines() if "mug" in line)


def test_the_episodes_and_keyframes_of_a_moved_thing_speak_of_the_one_that_it_is(memory):
    object_id = moved_mug(memory)
    known = {o.id for o in memory.objects()}
    page = memory.recall(Query(kinds=("keyframe", "episode"), limit=1000)).evidence
    assert {e.object_id for e in page if e.object_id} <= known
    shown = [memory.keyframe(e.id).object_ids for e in page if e.kind == "keyframe"]
    assert {i for ids in shown for i in ids} <= known
    assert sum(object_id in ids for ids in shown) >= 8  # on the table and on the shelf


def test_the_robot_tells_what_its_hand_does(memory):
    show(memory, home(mug()), [*at_table(), *at_shelf()], 1)
    (found,) = memory.find_objects(labels=("mug",))
    memory.remember("I took the mug", "robot", object_id=found[0].id, state="held")
    assert memory.object(found[0].id).state == "held"
    assert not memory.recall(Query(kinds=("object",), state="held")).evidence[0].is_goal
    show(memory, home(), at_table(), 100)
    memory.remember("I put the mug on the shelf", "robot", object_id=found[0].id, state="placed")
    show(memory, home(mug(THERE)), at_shelf(), 200)
    assert memory.object(found[0].id).state == "moved"
    assert [c.kind for c in memory.changes()[0]] == ["held", "missing", "moved"]


def test_forgetting_an_object_forgets_its_changes_and_a_keyframe_its_part_of_a_history(memory):
    object_id = moved_mug(memory)
    before, _ = memory.object_history(object_id)
    memory.forget([before.keyframe_id])
    assert len(memory.object_history(object_id)) == 1
    assert memory.changes()[1] == 0  # both told of where it was in that image
    memory.forget([object_id])
    assert memory.changes()[1] == 0


def test_a_copy_takes_history_and_changes_into_another_memory(memory, tmp_path):
    object_id = moved_mug(memory)
    there = memory.object_history(object_id)
    memory.save()
    with RobotMemory.open(tmp_path / "other", map_id="flat", text_encoder=Words()) as other:
        show(other, home(), at_shelf(), 1)
        other.merge(memory.path, np.eye(4))
        merged = next(o for o in other.objects() if o.label == "mug")
        again = other.object_history(merged.id)
        assert [p.on for p in again] == [p.on for p in there]
        np.testing.assert_allclose(again[0].position, there[0].position, atol=1e-6)
        assert {c.object_id for c in other.changes()[0]} == {merged.id}


# --- movers -----------------------------------------------------------------------------------------------------------------


def person(x: float, y: float) -> Box:
    return box("person", (x, y, 0.85), (0.5, 0.4, 1.7))


WALK = [person(x, 0.4) for x in np.linspace(1.2, 2.4, 7)]


def passing(i: int) -> np.ndarray:
    """Poses of a robot that drives by: every one is a keyframe."""
    return look_at((0.3 + 0.12 * i, -2.6, 1.4), (1.8, 0.4, 0.8))


def test_a_person_who_walks_by_is_no_object_and_the_map_stays_free(memory):
    show(memory, home(mug()), [passing(0)], 1)
    for i, somebody in enumerate(WALK):
        show(memory, home(mug(), somebody), [passing(i + 1)], 2 + i)
    assert "person" not in {o.label for o in memory.objects()}
    middles = np.array([p.center for p in WALK])
    free, _ = memory.query_occupancy(middles)
    assert np.all(free == 0)  # as it was seen before anybody came
    (walker,) = memory.movers()
    assert walker.label == "person"
    assert walker.n_detections == len(WALK)
    # The side of them that was seen last.
    assert np.linalg.norm((memory.mover_position(walker) - WALK[-1].center)[:2]) < 0.5
    assert (walker.first_seen_ns, walker.last_seen_ns) == (2 * SECOND, 8 * SECOND)


def test_the_map_that_is_made_anew_from_stored_depth_is_free_of_people_as_well(memory):
    show(memory, home(mug()), [passing(0)], 1)
    for i, somebody in enumerate(WALK):
        show(memory, home(mug(), somebody), [passing(i + 1)], 2 + i)
    nudge = np.eye(4)
    nudge[0, 3] = 0.01
    ids = [e.id for e in memory.recall(Query(kinds=("keyframe",), limit=100)).evidence]
    memory.correct_poses({i: nudge @ memory.keyframe(i).T_map_camera for i in ids})
    assert memory.finish_rebuilding(60.0)
    free, _ = memory.query_occupancy(np.array([p.center for p in WALK]))
    assert np.all(free == 0)


def test_who_was_seen_is_recalled_with_when_and_where(memory):
    show(memory, home(mug(), WALK[0]), [passing(0)], 1)
    show(memory, home(mug(), WALK[1]), [passing(1)], 2)
    (event,) = memory.recall(Query(kinds=("episode",), labels=("person",))).evidence
    assert (event.text, event.state, event.stamp_ns) == ("saw a person", "moving", SECOND)
    assert np.linalg.norm(np.subtract(event.position, WALK[0].center)[:2]) < 0.5
    assert memory.recall(Query(kinds=("keyframe",), labels=("person",))).n_total == 2


def test_a_person_in_front_of_a_mug_does_not_make_it_missing(memory):
    show(memory, home(mug()), at_table(), 1)
    in_front = [look_at((0.3 + 0.1 * i, -2.4, 1.3), (0.3, 0.1, 0.8)) for i in range(6)]
    show(memory, home(mug(), person(0.35, -1.2)), in_front, 100)
    assert memory.find_objects(labels=("mug",))[0][0].state == "present"


def test_two_people_are_two_tracks_and_one_who_comes_back_later_is_a_third(tmp_path):
    robot = Robot(tmp_path / "memory")
    numbers = iter(range(100))
    movers = Movers(lambda: f"mover/{next(numbers)}", robot.keyframes.pose)
    pose = look_at((0.5, -2.6, 1.4), (1.8, 0.4, 0.8))

    def seen(*people: Box) -> list[str]:
        robot.stamp_ns += SECOND
        separated = separate(home(*people).observe(pose, robot.stamp_ns), MoverParameters())
        keyframe = robot.keyframes.add(separated.static, session="day", map_id="map")
        return [m.id for m in movers.see(separated.moving, keyframe)]

    assert len(seen(person(1.0, 0.4), person(2.2, 0.6))) == 2
    assert seen(person(1.2, 0.4), person(2.0, 0.6)) == []
    assert sorted(m.n_detections for m in movers.movers()) == [2, 2]
    robot.wait(3600)
    assert len(seen(person(1.2, 0.4))) == 1
    movers.save(robot.store)
    again = Movers(lambda: "mover/100", robot.keyframes.pose)
    again.restore(robot.store.records("mover"))
    assert sorted(again.movers(), key=lambda m: m.id) == sorted(movers.movers(), key=lambda m: m.id)


def test_of_a_mover_told_by_a_box_only_its_own_depth_is_taken_out():
    world, pose = home(person(1.5, 0.4)), look_at((0.5, -2.6, 1.4), (1.8, 0.4, 0.8))
    observation = world.observe(pose, 0)
    somebody = next(d for d in observation.detections if d.label == "person")
    others = tuple(d for d in observation.detections if d is not somebody)
    boxed = replace(observation, detections=(*others, Detection("Person", 0.9, somebody.box)))
    separated = separate(boxed, MoverParameters())
    x0, y0, x1, y1 = somebody.box
    depth = separated.static.frame.depth[y0:y1, x0:x1]
    assert np.all(depth[somebody.full_mask] == 0)
    assert np.any(depth[~somebody.full_mask] > 0)
    assert len(separated.static.detections) == len(others)
    assert [boxed.detections[i] for i in separated.indices] == list(others)
    untouched = np.ones(separated.static.frame.depth.shape, dtype=bool)
    untouched[max(0, y0 - 9) : y1 + 9, max(0, x0 - 9) : x1 + 9] = False
    np.testing.assert_array_equal(separated.static.frame.depth[untouched], observation.frame.depth[untouched])


def test_which_categories_move_is_a_setting():
    observation = home(mug(), person(1.5, 0.4)).observe(at_table()[0], 0)
    everything = separate(observation, MoverParameters(labels=""))
    assert everything.static is observation
    assert "mug" not in {d.label for d in separate(observation, MoverParameters("Mug , dog")).static.detections}
    with pytest.raises(ValueError, match="expected max_tracks"):
        MoverParameters(max_tracks=0)
