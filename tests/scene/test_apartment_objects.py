"""Object map and snapshots on a walk through a generated apartment, against the scene file's truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from scene_worlds import ids

from loci.observation import Observation
from loci.perception.simulated import SimulatedDetector
from loci.scene.objects import ObjectMap
from loci.scene.relations import on_top_of
from loci.scene.snapshots import SnapshotMap

pytest.importorskip("open3d")


def walk(simulator, spacing: float = 0.6):
    """Observations on shortest paths to a point in every room, with a look around there."""
    rng = np.random.default_rng(0)
    scene = simulator.scene
    points = [simulator.grid.random_point(rng) for _ in range(400)]
    goals = [next(p for p in points if room.contains(*p)) for room in scene.rooms]
    for start, goal in pairwise([simulator.position()[:2], *goals]):
        path = simulator.shortest_path(start, goal)
        lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path.points[:, :2], axis=0), axis=1))])
        for s in np.arange(spacing, lengths[-1], spacing):
            here, ahead = (np.array([np.interp(t, lengths, c) for c in path.points[:, :2].T]) for t in (s, s + 0.1))
            yield tuple(here), float(np.arctan2(*(ahead - here)[::-1]))
        for turn in range(12):
            yield goal, turn * np.pi / 6


@pytest.fixture(scope="module")
def apartment():
    """Simulator, object map, snapshots, and {object id: instances that its detections were of}."""
    embedded = pytest.importorskip("loci_sim.embedded")
    simulator = embedded.EmbeddedSimulator("apartment:0", embedded.RobotParameters(width=480, height=360))
    detector = SimulatedDetector(simulator.instance_labels)
    objects, snapshots = ObjectMap(ids()), SnapshotMap(ids("snapshot"))
    sources: dict[str, Counter[int]] = defaultdict(Counter)
    for n, (position, yaw) in enumerate(walk(simulator)):
        simulator._place(*position, 0.0, yaw)
        simulator.advance(0.5)
        seen = simulator.observe()
        observation = Observation(seen.frame(), detector.detect_instances(seen.instances))
        update = objects.update(observation, f"keyframe/{n}", seen.map_id)
        for object_id, d in zip(update.seen, observation.detections, strict=True):
            if object_id is not None:
                x0, y0, x1, y1 = d.box
                sources[object_id][int(seen.instances[y0:y1, x0:x1][d.full_mask][0])] += 1
        if n % 10 == 9:
            _maintain(objects, snapshots, sources, seen.stamp_ns)
        by_id = {o.id: o for o in objects.objects()}
        snapshots.update(
            by_id, f"keyframe/{n}", {i: c for i, c in update.visible.items() if i in by_id}, update.created
        )
    _maintain(objects, snapshots, sources, simulator.stamp_ns + 10**11)
    return simulator, objects, snapshots, sources


def _maintain(objects, snapshots, sources, stamp_ns) -> None:
    done = objects.maintain(stamp_ns)
    snapshots.remap(done.merged)
    snapshots.remove(done.removed)
    for old, new in done.merged.items():
        sources[new].update(sources.pop(old, Counter()))


def test_nearly_every_object_is_one_instance_and_every_instance_one_object(apartment):
    simulator, objects, _, sources = apartment
    found = objects.objects()
    instances = [sources[o.id].most_common(1)[0][0] for o in found]
    pure = [len(sources[o.id]) == 1 for o in found]
    seen_often = Counter(i for counts in sources.values() for i, n in counts.items() for _ in range(n))
    expected = {i for i, n in seen_often.items() if n >= 2}
    assert len(expected) > 50
    assert np.mean(pure) >= 0.97
    assert len(set(instances)) / len(instances) >= 0.97  # precision: no duplicates
    assert len(set(instances) & expected) / len(expected) >= 0.97  # recall
    truth = {t.instance: t for t in simulator.scene.objects}
    assert np.mean([truth[i].category == o.label for i, o in zip(instances, found, strict=True)]) == 1.0
    errors = [np.linalg.norm(np.subtract(o.center, truth[i].center)) for i, o in zip(instances, found, strict=True)]
    assert np.median(errors) < 0.06


def test_snapshots_cover_the_apartment_with_few_images(apartment):
    _, objects, snapshots, _ = apartment
    members = [i for s in snapshots.snapshots() for i in s.object_ids]
    assert sorted(members) == sorted(o.id for o in objects.objects())
    assert len(snapshots.snapshots()) < 0.35 * len(members)


def test_what_lies_on_what_is_mostly_right(apartment):
    simulator, objects, _, sources = apartment
    truth = {t.instance: t for t in simulator.scene.objects}
    of = {o.id: truth[sources[o.id].most_common(1)[0][0]] for o in objects.objects()}
    present = {t.id for t in of.values()}
    found = {of[a].id: of[b].id for a, b in on_top_of(objects.objects()).items()}
    expected = {t.id: t.on for t in of.values() if t.on and t.on in present}
    right = sum(found.get(a) == b for a, b in expected.items())
    assert right / len(expected) >= 0.8
    assert sum(found[a] == expected.get(a) for a in found) / len(found) >= 0.85


def test_colours_are_mostly_those_of_the_scene_file_in_light_and_shade(apartment):
    simulator, objects, _, sources = apartment
    truth = {t.instance: t for t in simulator.scene.objects}
    of = {o.id: truth[sources[o.id].most_common(1)[0][0]] for o in objects.objects()}
    # Pictures and screens show something, through windows one sees out.
    plain = [o for o in objects.objects() if of[o.id].category not in ("picture", "window", "tv", "monitor", "laptop")]
    right = [of[o.id].color in o.colors for o in plain]
    assert len(plain) > 50
    assert np.mean(right) >= 0.8, [(of[o.id].category, of[o.id].color, o.colors) for o, ok in zip(plain, right, strict=True) if not ok]  # fmt: skip
