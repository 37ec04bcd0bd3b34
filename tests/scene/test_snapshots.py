"""Snapshots: every object in exactly one, every member visible in its image, few of them, and always an end."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_worlds import ids, thing

from loci.scene.covisibility import choose_images, matrix, two_means
from loci.scene.objects import SceneObject
from loci.scene.snapshots import SnapshotMap, SnapshotParameters
from loci.store.record import Record

Visibility = dict[str, float]


@dataclass
class Walk:
    """What each keyframe of a walk shows, and where the objects are."""

    centers: dict[str, tuple[float, float, float]]
    keyframes: list[Visibility]

    def play(self, parameters: SnapshotParameters | None = None) -> tuple[SnapshotMap, dict[str, SceneObject]]:
        snapshots, objects = SnapshotMap(ids("snapshot"), parameters), {}
        for k, visible in enumerate(self.keyframes):
            created = [i for i in visible if i not in objects]
            objects.update({i: thing(i, self.centers[i], keyframe_id=f"keyframe/{k}") for i in created})
            snapshots.update(objects, f"keyframe/{k}", visible, created)
        return snapshots, objects

    def batch(self) -> int:
        """Number of snapshots when everything is clustered at once, with every keyframe as a candidate."""
        seen = sorted({i for visible in self.keyframes for i in visible})
        chosen = choose_images(np.array([self.centers[i] for i in seen]).reshape(-1, 3), matrix(seen, self.keyframes))
        return len(set(chosen.tolist()) - {-1})


@st.composite
def walks(draw, max_objects: int = 14, max_keyframes: int = 14) -> Walk:
    """Any visibility at all, objects at the same place included."""
    n = draw(st.integers(1, max_objects))
    cells = st.integers(0, 2)
    centers = {f"object/{i}": (float(draw(cells)), float(draw(cells)), 0.0) for i in range(n)}
    names = st.sampled_from(sorted(centers))
    one = st.dictionaries(names, st.floats(0.4, 1.0), max_size=8)
    return Walk(centers, draw(st.lists(one, min_size=1, max_size=max_keyframes)))


def robot_walk(seed: int, n_objects: int, n_keyframes: int, size: float) -> Walk:
    """A robot with a field of view of 90 degrees and 3.5 m among random objects; a tenth of what it could see it misses."""
    rng = np.random.default_rng(seed)
    centers = np.column_stack([rng.uniform(0, size, (n_objects, 2)), rng.uniform(0, 1, n_objects)])
    position, heading, keyframes = np.full(2, size / 2), 0.0, []
    for _ in range(n_keyframes):
        heading += rng.normal(0, 0.5)
        ahead = position + 0.5 * np.array([np.cos(heading), np.sin(heading)])
        if np.all((ahead >= 0) & (ahead <= size)):
            position = ahead
        else:
            heading += np.pi
        offset = centers[:, :2] - position
        bearing = (np.arctan2(offset[:, 1], offset[:, 0]) - heading + np.pi) % (2 * np.pi) - np.pi
        visible = (np.linalg.norm(offset, axis=1) < 3.5) & (np.abs(bearing) < np.pi / 4) & (rng.random(n_objects) > 0.1)
        keyframes.append({f"object/{i}": float(rng.uniform(0.5, 1.0)) for i in np.flatnonzero(visible)})
    return Walk({f"object/{i}": tuple(c) for i, c in enumerate(centers.tolist())}, keyframes)


def check(snapshots: SnapshotMap, objects: dict[str, SceneObject], keyframes: dict[str, Visibility]) -> None:
    """The invariants: a partition of the objects into sets that their images show."""
    members = [i for s in snapshots.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(objects)
    assert len({s.keyframe_id for s in snapshots.snapshots()}) == len({s.id for s in snapshots.snapshots()})
    for s in snapshots.snapshots():
        assert s.object_ids
        assert set(s.object_ids) <= set(keyframes[s.keyframe_id])
        assert all(snapshots.snapshot_of(i) == s for i in s.object_ids)


@settings(max_examples=150, deadline=None)
@given(walk=walks())
def test_snapshots_partition_the_objects_and_show_their_members(walk):
    check(*walk.play(), {f"keyframe/{k}": v for k, v in enumerate(walk.keyframes)})


@settings(max_examples=60, deadline=None)
@given(walk=walks())
def test_local_rebuilds_keep_the_invariants_as_well(walk):
    check(*walk.play(SnapshotParameters(rebuild_all=0)), {f"keyframe/{k}": v for k, v in enumerate(walk.keyframes)})


@settings(max_examples=150, deadline=None)
@given(walk=walks())
def test_an_incremental_build_ends_with_as_few_snapshots_as_a_batch_build(walk):
    snapshots, _ = walk.play()
    assert len(snapshots.snapshots()) <= 1.1 * walk.batch()


@pytest.mark.parametrize(("n_objects", "n_keyframes", "size"), [(50, 135, 8.0), (120, 300, 12.0), (300, 900, 20.0)])
def test_a_robots_walk_ends_with_as_few_snapshots_as_a_batch_build(n_objects, n_keyframes, size):
    counts = []
    for seed in range(3 if n_objects < 300 else 1):
        walk = robot_walk(seed, n_objects, n_keyframes, size)
        snapshots, objects = walk.play(SnapshotParameters(rebuild_all=64))  # mostly by local rebuilds
        check(snapshots, objects, {f"keyframe/{k}": v for k, v in enumerate(walk.keyframes)})
        counts.append((len(snapshots.snapshots()), walk.batch()))
    incremental, batch = np.sum(counts, axis=0)
    assert incremental <= 1.1 * batch
    assert incremental < 0.5 * n_objects * len(counts)  # and far fewer than objects


@settings(max_examples=100, deadline=None)
@given(walk=walks(), data=st.data())
def test_merging_and_removing_objects_keeps_the_invariants(walk, data):
    snapshots, objects = walk.play()
    keyframes = {f"keyframe/{k}": dict(v) for k, v in enumerate(walk.keyframes)}
    for _ in range(3):
        if len(objects) < 2:
            break
        old, new = data.draw(st.permutations(sorted(objects)))[:2]
        if data.draw(st.booleans()):
            snapshots.remap({old: new})
            for visible in keyframes.values():
                if old in visible:
                    visible[new] = max(visible.pop(old), visible.get(new, 0.0))
        else:
            snapshots.remove([old])
            for visible in keyframes.values():
                visible.pop(old, None)
        del objects[old]
        check(snapshots, objects, keyframes)
    snapshots.update(objects, "keyframe/new", dict.fromkeys(objects, 0.5))
    check(snapshots, objects, {**keyframes, "keyframe/new": dict.fromkeys(objects, 0.5)})


def test_two_objects_at_one_place_that_are_never_seen_together_get_a_snapshot_each():
    snapshots, objects = SnapshotMap(ids("snapshot")), {i: thing(i, (1, 1, 1)) for i in ("object/1", "object/2")}
    snapshots.update(objects, "keyframe/1", {"object/1": 0.9}, ["object/1"])
    snapshots.update(objects, "keyframe/2", {"object/2": 0.9}, ["object/2"])
    assert sorted(s.object_ids for s in snapshots.snapshots()) == [("object/1",), ("object/2",)]


def test_many_objects_at_one_place_seen_in_odd_pairs_come_to_an_end():
    names = [f"object/{i}" for i in range(40)]
    walk = Walk(
        dict.fromkeys(names, (0.0, 0.0, 0.0)), [{names[i]: 0.5, names[(i * 7 + 1) % 40]: 0.5} for i in range(40)]
    )
    check(*walk.play(), {f"keyframe/{k}": v for k, v in enumerate(walk.keyframes)})


def test_an_object_that_no_frame_sees_has_no_snapshot_and_harms_no_other():
    snapshots = SnapshotMap(ids("snapshot"))
    objects = {"object/1": thing("object/1"), "object/2": thing("object/2", (0.1, 0, 0))}
    snapshots.update(objects, "keyframe/1", {"object/1": 0.9}, ["object/1", "object/2"])
    assert [s.object_ids for s in snapshots.snapshots()] == [("object/1",)]
    assert snapshots.snapshot_of("object/2") is None
    snapshots.update(objects, "keyframe/2", {"object/2": 0.9})
    assert sorted(i for s in snapshots.snapshots() for i in s.object_ids) == ["object/1", "object/2"]


def test_an_object_that_only_its_best_view_shows_belongs_to_that_image():
    snapshots = SnapshotMap(ids("snapshot"))
    objects = {"object/1": thing("object/1", keyframe_id="keyframe/7")}
    snapshots.update(objects, "keyframe/8", {}, ["object/1"])
    assert [(s.keyframe_id, s.object_ids) for s in snapshots.snapshots()] == [("keyframe/7", ("object/1",))]


def test_forgotten_images_show_nothing_any_more():
    snapshots = SnapshotMap(ids("snapshot"))
    objects = {i: thing(i, keyframe_id="keyframe/1") for i in ("object/1", "object/2")}
    snapshots.update(objects, "keyframe/1", {"object/1": 0.9, "object/2": 0.9}, objects)
    snapshots.update(objects, "keyframe/2", {"object/1": 0.9})
    snapshots.remove_keyframes(["keyframe/1"], objects)
    assert all(s.keyframe_id != "keyframe/1" for s in snapshots.snapshots())
    assert "keyframe/1" not in snapshots.visibility()


def test_ids_are_kept_while_the_image_stays_and_never_used_again():
    snapshots, objects, seen = SnapshotMap(ids("snapshot")), {}, {}
    walk = robot_walk(5, 60, 150, 8.0)
    for k, visible in enumerate(walk.keyframes):
        objects.update({i: thing(i, walk.centers[i], keyframe_id=f"keyframe/{k}") for i in visible if i not in objects})
        snapshots.update(objects, f"keyframe/{k}", visible, list(visible))
        for s in snapshots.snapshots():
            assert seen.setdefault(s.id, s.keyframe_id) == s.keyframe_id


def test_a_room_that_is_seen_for_hours_has_a_bounded_number_of_candidates(rng):
    centers = {f"object/{i}": tuple(c) for i, c in enumerate(rng.uniform(0, 4, (20, 3)).tolist())}
    walk = Walk(centers, [{f"object/{i}": 0.8 for i in rng.choice(20, 6, replace=False)} for _ in range(600)])
    snapshots, objects = walk.play()
    check(snapshots, objects, {f"keyframe/{k}": v for k, v in enumerate(walk.keyframes)})
    assert len(snapshots.visibility()) < 20 * 24 / 6 + 20


@settings(max_examples=60, deadline=None)
@given(walk=walks(max_keyframes=30), budget=st.integers(0, 3000), rebuild_all=st.sampled_from((0, 64)))
def test_spare_images_stay_within_their_budget_unless_an_object_would_lose_its_last_one(walk, budget, rebuild_all):
    snapshots = SnapshotMap(ids("snapshot"), SnapshotParameters(spare_bytes=budget, rebuild_all=rebuild_all))
    objects: dict[str, SceneObject] = {}
    for k, visible in enumerate(walk.keyframes):
        created = [i for i in visible if i not in objects]
        objects.update({i: thing(i, walk.centers[i], keyframe_id=f"keyframe/{k}") for i in created})
        snapshots.update(objects, f"keyframe/{k}", visible, created, 500)
        # A tenth more is let in before the images are counted again.
        assert snapshots.spare_bytes <= 1.1 * budget + 500
    check(snapshots, objects, {f"keyframe/{k}": v for k, v in enumerate(walk.keyframes)})


def test_an_image_of_negative_size_is_refused():
    snapshots = SnapshotMap(ids("snapshot"))
    with pytest.raises(ValueError, match="image_bytes >= 0, got -1"):
        snapshots.update({"object/1": thing("object/1")}, "keyframe/1", {"object/1": 0.9}, (), -1)
    assert snapshots.snapshots() == ()


def test_a_snapshot_goes_with_its_last_object():
    snapshots = SnapshotMap(ids("snapshot"))
    objects = {"object/1": thing("object/1"), "object/2": thing("object/2", (9, 0, 0))}
    snapshots.update(objects, "keyframe/1", {"object/1": 0.9}, ["object/1"], 100)
    snapshots.update(objects, "keyframe/2", {"object/2": 0.9}, ["object/2"], 100)
    snapshots.remove(["object/1"])
    assert [s.object_ids for s in snapshots.snapshots()] == [("object/2",)]
    assert set(snapshots.visibility()) == {"keyframe/2"}


def test_changes_are_all_that_is_needed_to_restore():
    walk = robot_walk(3, 40, 80, 8.0)
    snapshots, objects = SnapshotMap(ids("snapshot")), {}
    stored: dict[str, dict[str, dict]] = {"snapshot": {}, "visibility": {}}
    for k, visible in enumerate(walk.keyframes):
        created = [i for i in visible if i not in objects]
        objects.update({i: thing(i, walk.centers[i], keyframe_id=f"keyframe/{k}") for i in created})
        snapshots.update(objects, f"keyframe/{k}", visible, created)
        if k == 40:
            snapshots.remap({"object/1": "object/2"} if {"object/1", "object/2"} <= objects.keys() else {})
            objects.pop("object/1", None)
        if k % 7 == 0 or k == len(walk.keyframes) - 1:
            for kind, upserts, deletes in snapshots.changes():
                stored[kind].update(json.loads(json.dumps(dict(upserts))))
                for record_id in deletes:
                    stored[kind].pop(record_id, None)
    again = SnapshotMap(ids("snapshot"))
    again.restore(*([Record(kind, i, f) for i, f in stored[kind].items()] for kind in ("snapshot", "visibility")))
    assert sorted(again.snapshots(), key=lambda s: s.id) == sorted(snapshots.snapshots(), key=lambda s: s.id)
    assert again.visibility() == snapshots.visibility()
    assert [len(c[1]) + len(c[2]) for c in snapshots.changes()] == [0, 0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 40))
def test_two_means_splits_blobs_as_the_nearest_centre_does(seed, n):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 0.3, (2 * n, 3))
    points[n:] += (9, 9, 0)
    left = two_means(points)
    assert set(left[:n].tolist()) in ({True}, {False})
    assert np.all(left[n:] != left[0])
