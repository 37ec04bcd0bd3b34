"""Real Kinect frames of a kitchen and no weights: things persist, and snapshots show all of them."""

from __future__ import annotations

import numpy as np
import pytest
from scene_worlds import ids

from loci.geometry import rotation_angle
from loci.observation import Frame, Observation
from loci.perception.geometric import GeometricDetector
from loci.perception.rectify import Rectifier
from loci.readers import open_recording
from loci.scene.clouds import Cloud
from loci.scene.objects import ObjectMap
from loci.scene.snapshots import SnapshotMap


@pytest.fixture(scope="module")
def scene(kitchen):
    """Object map, snapshots and {keyframe: objects it shows} after the recording's keyframes."""
    objects, snapshots, detector = ObjectMap(ids()), SnapshotMap(ids("snapshot")), GeometricDetector()
    shown: dict[str, set[str]] = {}
    rectifier, last, n = None, None, 0
    for raw in open_recording(kitchen).frames():
        moved = last is None or np.linalg.norm(raw.T_map_camera[:3, 3] - last[:3, 3]) > 0.1
        if not moved and rotation_angle(raw.T_map_camera, last) < np.radians(10):
            continue
        last = raw.T_map_camera
        rectifier = rectifier or Rectifier(raw.camera, raw.depth_camera, raw.T_color_depth)
        color, depth = rectifier.rectify(raw.color_array(), raw.depth_array(), raw.depth_unit)
        frame = Frame(color, depth, rectifier.camera, raw.T_map_camera, raw.stamp_ns)
        keyframe_id = f"keyframe/{n}"
        update = objects.update(Observation(frame, detector.detect(frame)), keyframe_id, "kitchen")
        shown[keyframe_id] = set(update.visible)
        if n % 10 == 9:
            done = objects.maintain(raw.stamp_ns)
            snapshots.remap(done.merged)
            snapshots.remove(done.removed)
            for ids_shown in shown.values():
                ids_shown.update(done.merged[i] for i in ids_shown & done.merged.keys())
        by_id = {o.id: o for o in objects.objects()}
        snapshots.update(by_id, keyframe_id, {i: c for i, c in update.visible.items() if i in by_id}, update.created)
        n += 1
    return objects, snapshots, shown


def test_at_least_ten_things_persist_over_five_keyframes(scene):
    objects, _, _ = scene
    lasting = [o for o in objects.objects() if o.n_detections >= 5]
    assert len(lasting) >= 10
    assert all(max(o.size) < 3.0 and min(o.size) > 0.0 for o in lasting)


def test_snapshots_cover_all_objects_and_show_them(scene):
    objects, snapshots, shown = scene
    members = [i for s in snapshots.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(o.id for o in objects.objects())
    assert all(set(s.object_ids) <= shown[s.keyframe_id] for s in snapshots.snapshots())
    assert len(snapshots.snapshots()) < len(members)


def test_things_do_not_lie_on_one_another(scene):
    """Nearly all lasting objects keep to themselves: few pairs share more than half of the smaller one's points."""
    objects, _, _ = scene
    lasting = [o for o in objects.objects() if o.n_detections >= 5]
    clouds = [Cloud(o.points) for o in lasting]
    overlapping = sum(max(a.share(b.points), b.share(a.points)) > 0.5 for i, a in enumerate(clouds) for b in clouds[:i])
    assert overlapping <= 0.2 * len(lasting)
