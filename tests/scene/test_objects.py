"""The object map: one object per thing, whatever the order, the side and the number of views."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_worlds import CAMERA, around, box, ids, room

from loci.geometry import invert_pose, look_at, transform_points
from loci.observation import Detection, Observation
from loci.scene.objects import ObjectMap, ObjectParameters
from loci.store.record import Record
from synthetic import World

TABLE = box("table", (0, 0, 0.72), (1.4, 0.9, 0.06))
MUG = box("mug", (0.3, 0.1, 0.8), (0.09, 0.09, 0.1))


def build(observations: list[Observation], **parameters) -> ObjectMap:
    objects = ObjectMap(ids(), ObjectParameters(**parameters))
    for i, observation in enumerate(observations):
        objects.update(observation, f"keyframe/{i}", "map")
    return objects


def views(world: World, poses: list[np.ndarray]) -> list[Observation]:
    return [world.observe(T, 1_000_000_000 * (i + 1)) for i, T in enumerate(poses)]


def labels(objects: ObjectMap) -> Counter:
    return Counter(o.label for o in objects.objects())


def test_every_thing_becomes_one_object_with_its_place_and_size():
    things = (
        TABLE,
        MUG,
        box("chair", (0, 0.9, 0.45), (0.45, 0.45, 0.9)),
        box("box", (0.0, -1.0, 0.3), (0.5, 0.4, 0.6)),
    )
    objects = build(views(room(*things), around((0, 0, 0.6))))
    assert labels(objects) == Counter(t.label for t in things)
    for t in things:
        found = next(o for o in objects.objects() if o.label == t.label)
        np.testing.assert_allclose(found.center, t.center, atol=0.03)
        np.testing.assert_allclose(sorted(found.size), sorted(np.subtract(t.upper, t.lower)), atol=0.06)
        assert found.label_confidence == 1.0
        assert found.confidence == pytest.approx(0.9)
        assert found.n_detections >= 10


def test_a_mug_on_a_table_and_two_chairs_side_by_side_stay_apart():
    chairs = [box("chair", (x, 0.9, 0.45), (0.45, 0.45, 0.9)) for x in (-0.24, 0.24)]
    world = room(TABLE, MUG, box("mug", (0.42, 0.1, 0.8), (0.09, 0.09, 0.1)), *chairs)
    objects = build(views(world, around((0, 0.2, 0.7), 2.0, 16)))
    objects.maintain(10**12)
    assert labels(objects) == {"table": 1, "mug": 2, "chair": 2}


def test_the_sides_of_a_big_thing_become_one_object():
    """A wall unit is passed from end to end, then seen from behind; no two of the first views share a surface."""
    sofa = box("sofa", (0, 0, 0.4), (3.6, 0.9, 0.8))
    passing = [look_at((x, -2.2, 1.3), (x, 0, 0.4)) for x in (-2.4, 2.4)] + [look_at((0, 2.4, 1.3), (0, 0, 0.4))]
    filling = [look_at((x, y, 1.3), (x, 0, 0.4)) for y in (-2.2, 2.4) for x in (-1.2, -0.4, 0.4, 1.2)]
    objects = build(views(room(sofa), passing + filling))
    objects.maintain(10**12)
    assert labels(objects) == {"sofa": 1}
    np.testing.assert_allclose(sorted(objects.objects()[0].size), (0.8, 0.9, 3.6), atol=0.15)


def test_a_chair_behind_a_table_is_one_object():
    """The table top cuts the view of the chair into two clusters, and each is the larger one from somewhere."""
    world = room(box("table", (0, 0, 0.72), (1.6, 0.5, 0.25)), box("chair", (0, 0.55, 0.55), (0.45, 0.45, 1.1)))
    poses = [look_at((0.1 * i, -2.0, h), (0, 0.5, 0.6)) for i, h in enumerate((0.5, 1.3, 0.9, 1.1, 0.6, 1.0))]
    objects = build(views(world, poses))
    objects.maintain(10**12)
    assert labels(objects) == {"table": 1, "chair": 1}


@cache
def six_views() -> tuple[Observation, ...]:
    """Of a table, a mug and two chairs; rendered once for all examples."""
    world = room(TABLE, MUG, *(box("chair", (x, 0.9, 0.45), (0.45, 0.45, 0.9)) for x in (-0.3, 0.3)))
    return tuple(views(world, around((0, 0.2, 0.7), 2.0, 6)))


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_order_of_detections_does_not_matter(data):
    observations = list(six_views())
    shuffled = [replace(o, detections=tuple(data.draw(st.permutations(o.detections)))) for o in observations]
    first, second = build(observations), build(shuffled)
    for o in (first, second):
        o.maintain(10**12)
    for a, b in zip(first.objects(), second.objects(), strict=True):
        assert (a.id, a.label, a.center, a.size, a.n_detections) == (b.id, b.label, b.center, b.size, b.n_detections)
        assert (a.keyframe_id, a.image_box, a.colors) == (b.keyframe_id, b.image_box, b.colors)
        np.testing.assert_array_equal(a.points, b.points)


def test_seen_names_the_object_of_every_detection():
    observation = room(TABLE, MUG).observe(around((0, 0, 0.7))[0], 0)
    objects = ObjectMap(ids())
    update = objects.update(observation, "keyframe/1", "map")
    assert [objects.get(i or "").label for i in update.seen] == [d.label for d in observation.detections]
    assert set(update.created) == set(update.changed) == set(update.visible) == {o.id for o in objects.objects()}
    again = objects.update(observation, "keyframe/2", "map")
    assert again.seen == update.seen
    assert again.created == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"score": 0.3},
        {"label": "Wall"},
        {"box": (0, 0, 320, 239), "mask": None},
        {"box": (10, 10, 14, 14), "mask": None},
    ],
    ids=["low score", "background", "too big", "too small"],
)
def test_detections_that_cannot_be_things_are_left_out(changes):
    observation = room(TABLE).observe(around((0, 0, 0.7))[0], 0)
    changed = replace(observation, detections=tuple(replace(d, **changes) for d in observation.detections))
    objects = ObjectMap(ids())
    assert objects.update(changed, "keyframe/1", "map").seen == (None,)
    assert objects.objects() == ()


def test_a_repeated_mask_counts_once():
    observation = room(TABLE).observe(around((0, 0, 0.7))[0], 0)
    (detection,) = observation.detections
    worse = replace(detection, label="desk", score=0.5)
    objects = ObjectMap(ids())
    assert objects.update(replace(observation, detections=(worse, detection)), "keyframe/1", "map").seen == (
        None,
        "object/1",
    )
    assert labels(objects) == {"table": 1}


def test_a_nested_mask_is_no_part_of_the_mask_around_it():
    """A detector whose mask of the table covers the mug on it."""
    world = room(TABLE, MUG)
    observations = []
    for i, T in enumerate(around((0, 0, 0.7), 1.8, 8)):
        observation = world.observe(T, i)
        _, _, seen = world.render(T)
        rows, columns = np.nonzero(seen >= 0)
        x0, y0, x1, y1 = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        covering = Detection("table", 0.9, (x0, y0, x1, y1), seen[y0:y1, x0:x1] >= 0)
        mugs = [d for d in observation.detections if d.label == "mug"]
        observations.append(replace(observation, detections=(covering, *mugs)))
    objects = build(observations)
    table = next(o for o in objects.objects() if o.label == "table")
    assert table.points[:, 2].max() < 0.80  # the mug's rim is at 0.85


def test_what_is_out_of_range_or_without_depth_is_not_fused():
    observation = room(box("box", (0, 0, 0.5), (1, 1, 1))).observe(look_at((5, 0, 1.3), (0, 0, 0.5)), 0)
    objects = ObjectMap(ids())
    assert objects.update(observation, "keyframe/1", "map").seen == (None,)
    blind = replace(observation.frame, depth=np.zeros_like(observation.frame.depth))
    assert objects.update(replace(observation, frame=blind), "keyframe/2", "map").seen == (None,)
    assert objects.update(replace(observation, detections=()), "keyframe/3", "map").seen == ()


def test_embeddings_tell_things_apart_where_labels_do_not():
    """Two unlabelled things swap places while nobody looks: the embedding knows that it is another one."""
    world = room(box("", (0, 0, 0.5), (0.4, 0.4, 0.4)))
    one, other = np.eye(4, dtype=np.float32)[:2]
    T = around((0, 0, 0.5))[0]

    def seen_as(embedding: np.ndarray, stamp_ns: int) -> Observation:
        o = world.observe(T, stamp_ns)
        return replace(o, detections=tuple(replace(d, embedding=embedding) for d in o.detections))

    objects = build([seen_as(one, 0), seen_as(one, 1), seen_as(other, 2)])
    assert len(objects.objects()) == 2
    np.testing.assert_allclose(objects.get("object/1").embedding, one)


def test_majority_decides_the_label():
    world = room(box("sofa", (0, 0, 0.4), (1.0, 1.0, 0.8)))
    observations = views(world, around((0, 0, 0.4)))
    for i in (1, 5, 9):
        observations[i] = replace(
            observations[i], detections=tuple(replace(d, label="couch") for d in observations[i].detections)
        )
    objects = build(observations)
    objects.maintain(10**12)
    assert labels(objects) == {"sofa": 1}
    assert objects.objects()[0].label_confidence == pytest.approx(9 / 12, abs=0.01)


def test_class_agnostic_segments_associate_by_overlap_alone():
    world = room(*(box("segment", (x, 0, 0.5), (0.3, 0.3, 0.3)) for x in (-0.3, 0.3)))
    objects = build(views(world, around((0, 0, 0.5), 2.0, 16)))
    objects.maintain(10**12)
    assert labels(objects) == {"segment": 2}


def test_objects_seen_once_are_dropped_after_a_while():
    observations = views(room(TABLE, MUG), around((0, 0, 0.7), 1.8))
    objects = build([observations[0]])
    n = len(objects.objects())
    assert objects.maintain(observations[0].frame.stamp_ns + 5 * 10**9).removed == ()
    removed = objects.maintain(observations[0].frame.stamp_ns + 60 * 10**9).removed
    assert len(removed) == n
    assert objects.objects() == ()


def test_merges_are_reported_so_that_others_can_follow():
    """Two ends of a counter are seen first, the middle last: three objects become one."""
    counter = box("counter", (0, 0, 0.45), (5.0, 0.6, 0.9))
    ends = [look_at((x, -2.6, 1.3), (x * 1.2, 0, 0.5)) for x in (-2.6, -2.5, 2.5, 2.6)]
    middle = [look_at((x, -2.6, 1.3), (x, 0, 0.5)) for x in (-1.0, 0.0, 1.0)]
    objects = build(views(room(counter), ends))
    assert len(objects.objects()) == 2
    known = {o.id for o in objects.objects()}
    for i, o in enumerate(views(room(counter), middle)):
        known.update(objects.update(o, f"keyframe/{10 + i}", "map").created)
    done = objects.maintain(10**12)
    assert labels(objects) == {"counter": 1}
    left = objects.get("object/1")
    assert set(done.merged) == known - {left.id}
    assert set(done.merged.values()) == {left.id}


def test_objects_of_different_maps_never_meet():
    observation = room(TABLE).observe(around((0, 0, 0.7))[0], 0)
    objects = ObjectMap(ids())
    objects.update(observation, "keyframe/1", "home")
    objects.update(observation, "keyframe/2", "office")
    assert sorted(o.map_id for o in objects.objects()) == ["home", "office"]
    assert objects.maintain(0).merged == {}


@settings(max_examples=20, deadline=None)
@given(yaw=st.floats(-180, 180), shift=st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-1, 1)))
def test_objects_move_rigidly_with_their_keyframes(yaw, shift):
    observations = list(six_views())
    objects = build(observations)
    before = {o.id: o for o in objects.objects()}
    T = np.eye(4)
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    T[:2, :2], T[:3, 3] = [[c, -s], [s, c]], shift
    poses = {f"keyframe/{i}": T @ o.frame.T_map_camera for i, o in enumerate(observations)}
    moved = objects.correct_poses(poses.__getitem__)
    assert set(moved) == set(before) or np.allclose(T, np.eye(4))
    for o in objects.objects():
        np.testing.assert_allclose(o.points, transform_points(T, before[o.id].points), atol=1e-4)
        np.testing.assert_allclose(o.center, transform_points(T, np.array(before[o.id].center)), atol=0.05)
    objects.correct_poses({k: invert_pose(T) @ p for k, p in poses.items()}.__getitem__)
    for o in objects.objects():
        np.testing.assert_allclose(o.points, before[o.id].points, atol=1e-4)


def test_objects_of_unknown_keyframes_stay():
    objects = build(views(room(TABLE), around((0, 0, 0.7), 1.8, 2)))
    assert objects.correct_poses({}.__getitem__) == ()


def test_what_was_published_never_changes():
    observations = views(room(TABLE, MUG), around((0, 0, 0.7), 1.8, 8))
    objects = build(observations[:1])
    published = objects.objects()
    copies = [(o.id, o.points.copy(), o.center) for o in published]
    for i, o in enumerate(observations[1:]):
        objects.update(o, f"keyframe/{i + 1}", "map")
    for o, (object_id, points, center) in zip(published, copies, strict=True):
        assert (o.id, o.center) == (object_id, center)
        np.testing.assert_array_equal(o.points, points)
        assert not o.points.flags.writeable


def test_stored_objects_come_back_where_their_keyframes_are_now():
    observations = views(room(TABLE, MUG), around((0, 0, 0.7), 1.8, 6))
    objects = build(observations)
    records = [Record("object", i, fields, arrays=arrays) for i, fields, arrays in objects.records()]
    again = ObjectMap(ids())
    again.restore(records)
    T = look_at((1, 2, 3), (4, 4, 4)) @ invert_pose(observations[0].frame.T_map_camera)
    moved = ObjectMap(ids())
    moved.restore(records, lambda k: T @ observations[int(k.split("/")[1])].frame.T_map_camera)
    for a, b, c in zip(objects.objects(), again.objects(), moved.objects(), strict=True):
        for name in ("id", "label", "confidence", "n_detections", "keyframe_id", "image_box", "colors", "last_seen_ns"):
            assert getattr(a, name) == getattr(b, name) == getattr(c, name)
        np.testing.assert_allclose(a.points, b.points, atol=1e-5)
        np.testing.assert_allclose(transform_points(T, a.points), c.points, atol=1e-4)
    # They go on as if nothing had happened.
    assert again.update(observations[0], "keyframe/9", "map").created == ()


def test_records_that_lack_something_are_refused():
    objects = build(views(room(MUG), around((0, 0, 0.7), 1.8, 2)))
    ((object_id, fields, arrays),) = objects.records()
    del fields["label_weights"]
    with pytest.raises(ValueError, match=r"record of object/1 to have 'label_weights'"):
        ObjectMap(ids()).restore([Record("object", object_id, fields, arrays=arrays)])


def called(observation: Observation, label: str, score: float) -> Observation:
    """The observation by a detector that takes everything for something else, and is so sure of it."""
    return replace(observation, detections=tuple(replace(d, label=label, score=score) for d in observation.detections))


def test_what_a_detector_is_surer_of_counts_for_more():
    observations = views(room(MUG), around((0, 0, 0.7), 1.8, 12)[:1] * 5)
    unsure = [called(o, "bowl", 0.41) for o in observations[:3]]
    sure = [called(o, "mug", 0.9) for o in observations[3:]]
    (found,) = build([*unsure, *sure]).objects()
    assert (found.label, found.n_detections) == ("mug", 5)
    assert found.label_confidence == pytest.approx(1.8 / (1.8 + 3 * 0.41))
    (equal,) = build([called(o, "bowl", 0.9) for o in observations[:3]] + sure).objects()
    assert (equal.label, equal.label_confidence) == ("bowl", pytest.approx(0.6))


def test_votes_of_a_memory_that_counted_them_weigh_as_much_as_its_detections_did():
    observations = views(room(MUG), around((0, 0, 0.7), 1.8, 12)[:1] * 6)
    objects = build([called(o, "mug", 0.5) for o in observations[:4]])
    ((object_id, fields, arrays),) = objects.records()
    del fields["label_weights"]
    again = ObjectMap(ids())
    again.restore([Record("object", object_id, {**fields, "votes": {"mug": 4}}, arrays=arrays)])
    for i, o in enumerate(observations[4:]):
        again.update(called(o, "bowl", 0.9), f"keyframe/{4 + i}", "map")
    (found,) = again.objects()
    assert (found.label, found.label_confidence) == ("mug", pytest.approx(2.0 / 3.8))


def test_removed_objects_are_gone_and_unknown_ones_are_reported():
    objects = build(views(room(TABLE, MUG), around((0, 0, 0.7), 1.8, 4)))
    objects.remove("object/1")
    assert [o.id for o in objects.objects()] == ["object/2"]
    with pytest.raises(KeyError, match="no object 'object/1'"):
        objects.get("object/1")
    objects.remove("object/1")


def test_points_stay_bounded_however_long_a_thing_is_looked_at(rng):
    world = room(box("bed", (0, 0, 0.3), (2.0, 1.6, 0.6)))
    sizes = []
    objects = ObjectMap(ids())
    poses = around((0, 0, 0.3), 2.6, 24)
    for i in range(72):
        observation = world.observe(poses[i % 24], i * 10**9)
        noisy = observation.frame.depth + rng.normal(0, 0.004, CAMERA.height * CAMERA.width).reshape(240, 320)
        frame = replace(observation.frame, depth=noisy.astype(np.float32))
        objects.update(replace(observation, frame=frame), f"keyframe/{i}", "map")
        if i % 12 == 11:
            objects.maintain(i * 10**9)
            sizes.append(len(objects.objects()[0].points))
    assert labels(objects) == {"bed": 1}
    assert sizes[-1] < 1.3 * sizes[1]
    np.testing.assert_allclose(sorted(objects.objects()[0].size), (0.6, 1.6, 2.0), atol=0.1)
