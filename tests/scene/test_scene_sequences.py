"""The scene memory stays consistent whatever happens in whatever order: good and bad frames, merges, removals, corrections."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scene_worlds import around, box, room

from loci.geometry import look_at
from loci.keyframes import Keyframes
from loci.observation import Detection, Observation
from loci.scene.memory import SceneMemory
from loci.scene.objects import ObjectMap
from loci.store.store import Store


@cache
def views() -> tuple[Observation, ...]:
    """Of a table with two mugs, two chairs side by side and a box elsewhere."""
    world = room(
        box("table", (0, 0, 0.72), (1.4, 0.9, 0.06)),
        *(box("mug", (x, 0.1, 0.8), (0.09, 0.09, 0.1)) for x in (0.2, 0.45)),
        *(box("chair", (x, 0.9, 0.45), (0.45, 0.45, 0.9)) for x in (-0.26, 0.26)),
        box("box", (3.0, -2.0, 0.3), (0.5, 0.4, 0.6)),
    )
    poses = [*around((0, 0.2, 0.7), 2.0, 6), look_at((1.5, -2.0, 1.3), (3.0, -2.0, 0.3))]
    return tuple(world.observe(T, 0) for T in poses)


@contextmanager
def memory() -> Iterator[tuple[SceneMemory, Keyframes, Store]]:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "memory") as store:
        keyframes = Keyframes(store)
        yield SceneMemory(store, keyframes), keyframes, store


def check(scene: SceneMemory, keyframes: Keyframes) -> None:
    """Every object that is there in exactly one snapshot whose image shows it; no id of an object or image that is no more."""
    objects, visibility = scene.by_id(), scene.snapshots_map.visibility()
    assert [o.id for o in scene.objects()] == list(objects)
    members = [i for s in scene.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(i for i, o in objects.items() if o.is_there)
    for s in scene.snapshots():
        assert s.keyframe_id in keyframes
        for i in s.object_ids:
            assert i in visibility.get(s.keyframe_id, {}) or objects[i].keyframe_id == s.keyframe_id
            assert scene.snapshots_map.snapshot_of(i) == s
    assert {i for seen in visibility.values() for i in seen} <= objects.keys()
    for o in objects.values():
        assert o.keyframe_id in keyframes
        assert len(o.points) > 0
        assert np.all(np.isfinite(o.points)) and np.all(np.isfinite(o.T_map_box)) and min(o.size) >= 0
        assert o.n_detections >= 1 and 0 < o.label_confidence <= 1
    check_tracks(scene.objects_map)


def check_tracks(objects: ObjectMap) -> None:
    """What objects know of each other is known by both, and the index holds every object where it is."""
    table = objects._tracks
    tracks = {i: table[i] for i in objects.by_id()}
    assert tracks.keys() == table.by_id.keys() == table._age.keys()
    assert len(table._boxes) == len(tracks)
    for t in tracks.values():
        assert t.id in table._boxes.near(t.bounds[:3], t.bounds[3:])
        for name in ("seen_with", "bridges"):
            assert t.id not in getattr(t, name)
            for other, n in getattr(t, name).items():
                assert getattr(tracks[other], name)[t.id] == n
    assert (table.dirty | table._warm.keys() | objects._unconfirmed.keys()) <= tracks.keys()


def bad_detections(draw: st.DrawFn, observation: Observation) -> Observation:
    """The observation with some detections changed into what no good detector gives."""
    camera = observation.frame.camera
    changed: list[Detection] = []
    for d in observation.detections:
        how = draw(st.sampled_from(("good", "missed", "label", "empty", "moved", "twice", "embedding", "whole")))
        x0, y0, x1, y1 = d.box
        if how == "label":
            changed.append(replace(d, label=draw(st.sampled_from(("mug", "chair", "table", "", "wall")))))
        elif how == "empty":
            changed.append(replace(d, mask=np.zeros((y1 - y0, x1 - x0), dtype=np.bool_)))
        elif how == "moved":
            dx = draw(st.integers(-x0, camera.width - x1))
            changed.append(replace(d, box=(x0 + dx, y0, x1 + dx, y1)))
        elif how == "twice":
            changed += [d, replace(d, score=0.5)]
        elif how == "embedding":
            size = draw(st.sampled_from((2, 3)))
            changed.append(replace(d, embedding=np.eye(size, dtype=np.float32)[draw(st.integers(0, size - 1))]))
        elif how == "whole":
            changed.append(Detection(d.label, 0.9, (0, 0, camera.width, camera.height)))
        elif how == "good":
            changed.append(d)
    return replace(observation, detections=tuple(draw(st.permutations(changed))))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_sequence_of_events_leaves_the_memory_inconsistent(data):
    with memory() as (scene, keyframes, store):
        stamp_ns = 0
        for _ in range(data.draw(st.integers(1, 10))):
            event = data.draw(
                st.sampled_from(("see", "see", "see", "see badly", "hold", "maintain", "remove", "forget", "correct"))
            )
            stamp_ns += data.draw(st.sampled_from((10**8, 10**9, 40 * 10**9)))
            if event.startswith("see"):
                o = data.draw(st.sampled_from(views()))
                o = replace(o, frame=replace(o.frame, stamp_ns=stamp_ns))
                o = bad_detections(data.draw, o) if event == "see badly" else o
                scene.observe(o, keyframes.add(o, session="s", map_id="home"))
            elif event == "hold" and scene.objects():
                held = data.draw(st.sampled_from(sorted(scene.by_id())))
                scene.tell(held, data.draw(st.sampled_from(("held", "placed"))), stamp_ns, "s")
            elif event == "maintain":
                scene.maintain(stamp_ns)
            elif event == "remove" and scene.objects():
                scene.remove([data.draw(st.sampled_from(sorted(scene.by_id()))), "object/none"])
            elif event == "forget" and len(keyframes):
                gone = data.draw(st.sampled_from(sorted(keyframes.ids())))
                scene.remove_keyframes([gone])
                keyframes.remove(gone)
            elif event == "correct" and len(keyframes):
                moved = data.draw(st.sampled_from(sorted(keyframes.ids())))
                T = np.eye(4)
                T[:2, 3] = data.draw(st.tuples(st.floats(-30, 30), st.floats(-30, 30)))
                keyframes.replace(moved, T_map_camera=T @ keyframes.pose(moved))
                scene.correct_poses()
            check(scene, keyframes)
        scene.save()
        again = SceneMemory(store, keyframes)
        check(again, keyframes)
        assert again.by_id().keys() == scene.by_id().keys()
        assert {s.id: s for s in again.snapshots()} == {s.id: s for s in scene.snapshots()}
        for o in again.objects():
            np.testing.assert_allclose(o.center, scene.by_id()[o.id].center, atol=1e-3)


def test_detections_that_cannot_be_used_are_counted_by_reason(caplog):
    good = views()[0]
    d = good.detections[0]
    x0, y0, x1, y1 = d.box
    odd = (
        replace(d, score=0.1),
        replace(d, label="Floor"),
        replace(d, mask=np.zeros((y1 - y0, x1 - x0), dtype=np.bool_)),
        Detection("rug", 0.9, (0, 0, good.frame.camera.width, good.frame.camera.height)),
        Detection("crumb", 0.9, (10, 10, 12, 12)),
    )
    with memory() as (scene, keyframes, _):
        for _ in range(2):
            o = replace(good, detections=(*good.detections, *odd))
            update = scene.observe(o, keyframes.add(o, session="s", map_id="home"))
            assert update.seen[len(good.detections) :] == (None,) * len(odd)
        assert scene.skipped == dict.fromkeys(("low score", "background", "empty mask", "too big", "too small"), 2)
        check(scene, keyframes)
    assert [r.message for r in caplog.records if "empty mask" in r.message] == [
        "detections are left out: empty mask (1 in one image; said once)"
    ]


def test_thousands_of_detections_in_a_frame_are_cut_to_the_best_ones(rng):
    good = views()[0]
    many = []
    for _ in range(3000):
        x, y = (int(v) for v in rng.integers(0, (280, 200)))
        many.append(Detection("thing", float(rng.uniform(0.4, 0.8)), (x, y, x + 30, y + 30)))
    with memory() as (scene, keyframes, _):
        o = replace(good, detections=(*many, *good.detections))
        update = scene.observe(o, keyframes.add(o, session="s", map_id="home"))
        assert scene.skipped["too many"] == 2500 + len(good.detections)
        assert all(update.seen[len(many) :])  # those of the highest scores
        check(scene, keyframes)


def test_an_embedding_of_another_size_is_not_mixed_with_the_others():
    good = views()[0]

    def with_size(size: int) -> Observation:
        e = np.eye(size, dtype=np.float32)[0]
        return replace(good, detections=tuple(replace(d, embedding=e) for d in good.detections))

    with memory() as (scene, keyframes, _):
        for size in (4, 3, 4):
            o = with_size(size)
            scene.observe(o, keyframes.add(o, session="s", map_id="home"))
        assert scene.skipped == {"embedding of another size": len(good.detections)}
        assert all(o.n_detections == 3 and o.embedding.shape == (4,) for o in scene.objects())


def test_embeddings_that_are_not_finite_and_masks_beyond_the_image_are_refused():
    o = views()[0]
    d = o.detections[0]
    with pytest.raises(ValueError, match="finite"):
        replace(d, embedding=np.array([1.0, np.nan], dtype=np.float32))
    with pytest.raises(ValueError, match="expected a mask"):
        replace(d, mask=np.ones((500, 500), dtype=np.bool_))
    with pytest.raises(ValueError, match="inside the 320x240 image"):
        replace(o, detections=(Detection("thing", 0.9, (0, 0, 321, 10)),))
