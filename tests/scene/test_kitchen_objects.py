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

#: Where a person sees the middle of things: {number of the frame in the recording: (u, v)} [px].
SEEN_BY_A_PERSON = {
    "chair at the left": {80: (61, 388), 188: (63, 354), 192: (86, 370)},
    "chair in the middle": {90: (306, 279), 115: (162, 149), 192: (462, 291)},
    "chair at the right": {115: (530, 190), 137: (230, 128), 158: (554, 410)},
    "white mug": {80: (241, 324), 171: (124, 268), 188: (216, 291), 192: (266, 336), 196: (358, 331)},
    "mug with a pattern": {115: (354, 250), 137: (27, 185), 147: (22, 320), 171: (523, 392)},
    "box of plastic": {115: (541, 275), 137: (173, 223), 147: (165, 374)},
}
LABELLED = {number for seen in SEEN_BY_A_PERSON.values() for number in seen}


@pytest.fixture(scope="module")
def scene(kitchen):
    """Object map, snapshots, {keyframe: objects it shows}, and {labelled frame: [(object, middle of its detection)]}."""
    objects, snapshots, detector = ObjectMap(ids()), SnapshotMap(ids("snapshot")), GeometricDetector()
    shown: dict[str, set[str]] = {}
    detected: dict[int, list[tuple[str, np.ndarray]]] = {}
    rectifier, last, n = None, None, 0
    for number, raw in enumerate(open_recording(kitchen).frames()):
        moved = last is None or np.linalg.norm(raw.T_map_camera[:3, 3] - last[:3, 3]) > 0.1
        if number not in LABELLED and not moved and rotation_angle(raw.T_map_camera, last) < np.radians(10):
            continue
        last = raw.T_map_camera
        rectifier = rectifier or Rectifier(raw.camera, raw.depth_camera, raw.T_color_depth)
        color, depth = rectifier.rectify(raw.color_array(), raw.depth_array(), raw.depth_unit)
        frame = Frame(color, depth, rectifier.camera, raw.T_map_camera, raw.stamp_ns)
        keyframe_id = f"keyframe/{n}"
        detections = detector.detect(frame)
        update = objects.update(Observation(frame, detections), keyframe_id, "kitchen")
        shown[keyframe_id] = set(update.visible)
        if number in LABELLED:
            middles = [np.add(d.box[:2], d.box[2:]) / 2 for d in detections]
            detected[number] = [(i, middle) for i, middle in zip(update.seen, middles, strict=True) if i]
        if n % 10 == 9:
            done = objects.maintain(raw.stamp_ns)
            snapshots.remap(done.merged)
            snapshots.remove(done.removed)
            for ids_shown in shown.values():
                ids_shown.update(done.merged[i] for i in ids_shown & done.merged.keys())
            for frame_number, found in detected.items():
                detected[frame_number] = [(done.merged.get(i, i), middle) for i, middle in found]
        by_id = {o.id: o for o in objects.objects()}
        snapshots.update(by_id, keyframe_id, {i: c for i, c in update.visible.items() if i in by_id}, update.created)
        n += 1
    return objects, snapshots, shown, detected


@pytest.mark.parametrize("thing", SEEN_BY_A_PERSON)
def test_what_a_person_takes_for_one_thing_is_one_object_over_the_sequence(scene, thing):
    detected = scene[3]
    ids = []
    for number, middle in SEEN_BY_A_PERSON[thing].items():
        distance, object_id = min((float(np.linalg.norm(at - middle)), i) for i, at in detected[number])
        assert distance < 45, f"nothing is detected where a person sees the {thing} in frame {number}"
        ids.append(object_id)
    assert len(set(ids)) == 1, ids


def test_at_least_ten_things_persist_over_five_keyframes(scene):
    objects = scene[0]
    lasting = [o for o in objects.objects() if o.n_detections >= 5]
    assert len(lasting) >= 10
    assert all(max(o.size) < 3.0 and min(o.size) > 0.0 for o in lasting)


def test_snapshots_cover_all_objects_and_show_them(scene):
    objects, snapshots, shown, _ = scene
    members = [i for s in snapshots.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(o.id for o in objects.objects())
    assert all(set(s.object_ids) <= shown[s.keyframe_id] for s in snapshots.snapshots())
    assert len(snapshots.snapshots()) < len(members)


def test_things_do_not_lie_on_one_another(scene):
    """Nearly all lasting objects keep to themselves: few pairs share more than half of the smaller one's points."""
    objects = scene[0]
    lasting = [o for o in objects.objects() if o.n_detections >= 5]
    clouds = [Cloud(o.points) for o in lasting]
    overlapping = sum(max(a.share(b.points), b.share(a.points)) > 0.5 for i, a in enumerate(clouds) for b in clouds[:i])
    assert overlapping <= 0.2 * len(lasting)
