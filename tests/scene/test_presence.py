"""Negative evidence: what is not there any more is missing, what cannot be seen is not; against a look at every point by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from change_worlds import HERE, TABLE, Robot, at_table, home, mug
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_worlds import CAMERA, around, box, ids, room

from loci.geometry import invert_pose, look_at, transform_points
from loci.observation import Detection, Observation
from loci.scene import presence_kernels as kernels
from loci.scene.objects import ObjectMap, ObjectParameters
from loci.scene.presence import PresenceParameters, look, name_image, view_box
from loci.scene.standing import MAX_LOG_ODDS, PastPose, Standing
from synthetic import World


def seen(world: World, poses, objects: ObjectMap | None = None, start: int = 1, detect: bool = True) -> ObjectMap:
    """An object map that was shown a world from poses; with ``detect`` False only its depth."""
    objects = ObjectMap(ids()) if objects is None else objects
    for i, T in enumerate(poses):
        observation = world.observe(T, (start + i) * 1_000_000_000)
        if not detect:
            observation = replace(observation, detections=())
        objects.update(observation, f"keyframe/{start + i}", "map")
    return objects


def mug_of(objects: ObjectMap):
    return next(o for o in objects.objects() if o.label == "mug")


def test_a_mug_that_was_carried_away_is_missing_after_a_few_looks():
    objects = seen(home(mug()), at_table())
    assert mug_of(objects).state == "present"
    assert mug_of(objects).presence > 0.9
    gone = seen(home(), at_table()[:4], objects, 100)
    assert mug_of(gone).state == "missing"
    assert mug_of(gone).presence < 0.2
    np.testing.assert_allclose(mug_of(gone).center, HERE, atol=0.03)  # it is still said where it was
    assert {o.label: o.state for o in gone.objects()} == {"table": "present", "mug": "missing"}


def test_one_look_is_not_enough_to_miss_a_thing():
    objects = seen(home(mug()), at_table())
    seen(home(), at_table()[:1], objects, 100)
    assert mug_of(objects).state == "present"
    assert 0.2 < mug_of(objects).presence < 0.9


@pytest.mark.parametrize(
    ("why", "world", "poses"),
    [
        ("hidden", home(box("screen", (0.3, -0.6, 1.0), (1.2, 0.05, 1.2))), [look_at((0.3, -1.8, 1.2), HERE)]),
        ("out of the image", home(), [look_at((0.3, -1.8, 1.2), (0.3, -1.8 - 1.0, 1.2))]),
        ("beside the image", home(), [look_at((0.3, -1.8, 1.2), (2.8, -0.1, 1.0))]),
        ("too far", home(), [look_at((0.3, -4.6, 1.5), HERE)]),
    ],
)
def test_what_cannot_be_seen_is_not_gone(why, world, poses):
    objects = seen(home(mug()), at_table())
    for start in range(100, 110):
        seen(world, poses, objects, start)
    assert mug_of(objects).state == "present", why
    assert mug_of(objects).presence > 0.9


def test_no_measurement_is_no_sight():
    """Glass, black things and sunlight leave holes in depth images."""
    objects = seen(home(mug()), at_table())
    for i, T in enumerate(at_table()):
        observation = home().observe(T, (100 + i) * 1_000_000_000)
        frame = replace(observation.frame, depth=np.zeros_like(observation.frame.depth))
        objects.update(Observation(frame), f"keyframe/{100 + i}", "map")
    assert mug_of(objects).presence > 0.9


def test_a_thing_that_the_detector_misses_but_the_camera_measures_is_there():
    objects = seen(home(mug()), at_table())
    seen(home(mug()), at_table() * 3, objects, 100, detect=False)
    assert mug_of(objects).state == "present"
    assert mug_of(objects).presence > 0.9


def test_a_flat_thing_that_is_not_detected_any_more_is_missing_though_its_table_is_measured():
    """A sheet of 4 mm: no depth camera tells it from the table, only the detector does."""
    sheet = box("paper", (0.2, 0.0, 0.752), (0.3, 0.21, 0.004))
    objects = seen(room(TABLE, sheet), around((0, 0, 0.7), 1.3, 8))
    seen(room(TABLE), around((0, 0, 0.7), 1.3, 8), objects, 100)
    assert {o.label: o.state for o in objects.objects()} == {"table": "present", "paper": "missing"}


def test_a_detector_that_sees_nothing_at_all_proves_nothing():
    """Say, the light is off: a sheet that no depth camera can tell from its table stays."""
    sheet = box("paper", (0.2, 0.0, 0.752), (0.3, 0.21, 0.004))
    objects = seen(room(TABLE, sheet), around((0, 0, 0.7), 1.3, 8))
    seen(room(TABLE, sheet), around((0, 0, 0.7), 1.3, 8), objects, 100, detect=False)
    assert all(o.state == "present" for o in objects.objects())


def test_what_is_seen_through_while_it_is_detected_is_not_gone_when_it_is_seen_through():
    """A vase of glass: the depth camera measures the table behind it, now and then the detector misses it."""
    vase = mug(label="vase")
    objects = seen(home(vase), at_table(2))
    clear = home()
    for i, T in enumerate(at_table(12) * 2):
        behind, before = clear.observe(T, (100 + i) * 1_000_000_000), home(vase).observe(T, 0)
        glass = next(d for d in before.detections if d.label == "vase")
        kept = tuple(d for d in behind.detections if d.label != "vase")
        # Its rim is measured, where it is thick: that is what the detection is fused by.
        x0, y0, x1, y1 = glass.box
        depth = behind.frame.depth.copy()
        rim = np.zeros(glass.full_mask.shape, dtype=bool)
        rim[: max(4, len(rim) // 4)] = True
        depth[y0:y1, x0:x1][rim & glass.full_mask] = before.frame.depth[y0:y1, x0:x1][rim & glass.full_mask]
        detections = kept if i % 3 == 2 else (*kept, Detection("vase", 0.9, glass.box, glass.full_mask & rim))
        objects.update(Observation(replace(behind.frame, depth=depth), detections), f"keyframe/{100 + i}", "map")
    assert next(o for o in objects.objects() if o.label == "vase").state == "present"


def test_put_back_it_is_present_again():
    objects = seen(home(mug()), at_table())
    seen(home(), at_table(), objects, 100)
    assert mug_of(objects).state == "missing"
    before = mug_of(objects).id
    seen(home(mug()), at_table()[:2], objects, 200)
    assert (mug_of(objects).id, mug_of(objects).state) == (before, "present")
    assert mug_of(objects).presence > 0.8


def test_another_thing_in_its_place_is_another_object():
    objects = seen(home(mug()), at_table())
    seen(home(), at_table(), objects, 100)
    seen(home(mug(label="can")), at_table(), objects, 200)
    states = {o.label: o.state for o in objects.objects()}
    assert states["mug"] == "missing"
    assert states["can"] == "present"


def test_a_thing_whose_place_another_one_of_its_size_has_taken_is_missing():
    """Nobody saw the place empty: depth is as it was, only the detector tells."""
    objects = seen(home(mug()), at_table(8))
    seen(home(mug(label="can")), at_table(8), objects, 200)
    states = {o.label: o.state for o in objects.objects()}
    assert states == {"table": "present", "mug": "missing", "can": "present"}


def test_one_wrong_label_hides_nothing():
    objects = seen(home(mug()), at_table())
    seen(home(mug(label="can")), at_table()[:1], objects, 200)
    assert mug_of(objects).state == "present"
    seen(home(mug()), at_table()[1:2], objects, 201)
    assert mug_of(objects).presence > 0.9


def test_a_pose_that_is_a_little_wrong_loses_nothing():
    """1 cm and 0.5 degrees, as SLAM is off: a rim that is seen past the object is no evidence."""
    rng = np.random.default_rng(0)
    objects = seen(home(mug()), at_table())
    for i, T in enumerate(at_table(8) * 3):
        observation = home(mug()).observe(T, (100 + i) * 1_000_000_000)
        axis = rng.standard_normal(3)
        wrong = T.copy()
        wrong[:3, :3] = _turned(axis / np.linalg.norm(axis) * np.radians(0.5)) @ T[:3, :3]
        wrong[:3, 3] += rng.normal(0.0, 0.01, 3)
        frame = replace(observation.frame, T_map_camera=wrong)
        objects.update(Observation(frame, ()), f"keyframe/{100 + i}", "map")  # depth alone speaks
    assert mug_of(objects).state == "present"


def _turned(rotation_vector: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.Rodrigues(rotation_vector)[0]


def test_counts_are_those_of_a_look_at_every_point_by_itself():
    """The kernel against plain Python, on depth with holes and noise, with and without masks."""
    rng = np.random.default_rng(3)
    world = home(mug(), box("screen", (0.0, -0.5, 0.9), (0.3, 0.05, 0.5)))
    T = look_at((0.2, -1.8, 1.3), (0.2, 0.1, 0.8))
    observation = world.observe(T, 0)
    depth = observation.frame.depth + rng.normal(0, 0.01, observation.frame.depth.shape).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = 0.0
    points = rng.uniform((-0.8, -0.5, 0.6), (0.8, 0.5, 1.1), (600, 3)).astype(np.float32)
    starts = np.array([0, 250, 250, 600])
    names, numbers = name_image(observation.detections, depth.shape)
    own = np.zeros((3, len(numbers) + 1), dtype=bool)
    own[0, numbers["mug"]] = own[2, numbers["table"]] = True
    c = CAMERA
    counts, boxes = kernels.look(
        points, starts, invert_pose(T), np.array([c.fx, c.fy, c.cx, c.cy]), depth, names, own, 3.5,
        np.array([0.02, 0.01]), np.array([0.005, 0.01]),
    )  # fmt: skip
    for k in range(3):
        expected, pixels = _counted(points[starts[k] : starts[k + 1]], T, depth, names, own[k])
        assert counts[k].tolist() == expected
        if pixels:
            u, v = np.array(pixels).T
            assert boxes[k].tolist() == [u.min(), v.min(), u.max(), v.max()]
    assert counts[[0, 2]].sum(axis=0).min() > 0  # every case came up
    assert counts[1].sum() == 0


def _counted(points, T, depth, names, own):
    counts, pixels = [0] * 5, []
    height, width = depth.shape
    for x, y, z in transform_points(invert_pose(T), points.astype(np.float64)):
        if not 0.05 < z <= 3.5:
            continue
        u, v = round(CAMERA.fx * x / z + CAMERA.cx), round(CAMERA.fy * y / z + CAMERA.cy)
        r = int(min(max(np.ceil(CAMERA.fx * (0.005 + 0.01 / z)), 1), 8))
        if not (r <= u < width - r and r <= v < height - r) or depth[v, u] == 0:
            continue
        step = max(1, r // 2)
        window = depth[v - r : v + r + 1 : step, u - r : u + r + 1 : step].astype(np.float64)
        measured = np.append(window[window > 0], depth[v, u])
        allowed = 0.02 + 0.01 * z
        through = measured.min() > z + allowed and 2 * np.count_nonzero(window) >= window.size
        at = np.abs(measured - z).min() <= allowed
        if through or at:
            pixels.append((u, v))
            counts[kernels.THROUGH if through else kernels.AT] += 1
            if at and names[v, u]:
                counts[kernels.NAMED if own[names[v, u]] else kernels.OTHER] += 1
        elif depth[v, u] < z:
            counts[kernels.HIDDEN] += 1
    return counts, pixels


def test_a_view_box_holds_what_is_seen():
    T = look_at((0.2, -1.8, 1.3), (0.2, 0.1, 0.8))
    low, high = view_box(T, CAMERA, 3.5)
    rng = np.random.default_rng(0)
    z = rng.uniform(0.1, 3.5, 500)
    u, v = rng.uniform(0, CAMERA.width, 500), rng.uniform(0, CAMERA.height, 500)
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z], axis=1)
    points = transform_points(T, rays)
    assert np.all((points >= low - 1e-9) & (points <= high + 1e-9))


def test_nothing_is_looked_at_where_there_is_nothing():
    observation = home().observe(at_table()[0], 0)
    frame = observation.frame
    assert look(frame.depth, frame.camera, frame.T_map_camera, [], PresenceParameters()) == []


@pytest.mark.parametrize("wrong", [{"max_range": 0.0}, {"margin": -1.0}, {"missing_below": 0.6}, {"found_above": 1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        PresenceParameters(**wrong)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-4, 4), max_size=30))
def test_belief_is_bounded_and_follows_the_evidence(weights):
    s = Standing()
    for w in weights:
        before = s.presence
        s.weigh(w)
        assert 0.0 < s.presence < 1.0
        assert abs(s.log_odds) <= MAX_LOG_ODDS
        assert (s.presence - before) * w >= 0


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["present", "missing", "moved", "held"]), st.floats(-3, 3), st.integers(0, 9), st.integers(0, 3))
def test_a_standing_survives_being_stored(state, log_odds, tick, n_past):
    past = tuple(
        PastPose(f"keyframe/{i}", np.eye(4) * 1.0, (0.1, 0.2, 0.3), i, i + 1, "moved", "table", "map")
        for i in range(n_past)
    )
    s = Standing(state=state, log_odds=log_odds, last_tick=tick, on="shelf", past=past)
    again = Standing.from_fields(s.as_fields())
    assert again.as_fields() == s.as_fields()
    assert Standing.from_fields(None) == Standing()


def test_a_state_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="expected a state"):
        Standing.from_fields({**Standing().as_fields(), "state": "vanished"})


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_what_is_there_is_never_missed_and_what_is_gone_is_never_kept(data):
    """Random sequences of looks from random poses at a mug that comes and goes: states follow what could be seen."""
    objects = ObjectMap(ids(), ObjectParameters())
    seen(home(mug()), at_table(3), objects)
    there, clear_views = True, 0
    for step in range(data.draw(st.integers(4, 10))):
        if data.draw(st.booleans()):
            there, clear_views = not there, 0
        angle, radius = data.draw(st.floats(0, 6.28)), data.draw(st.floats(1.0, 5.0))
        target = HERE if data.draw(st.booleans()) else (3.0, 2.0, 0.5)
        position = (HERE[0] + radius * np.cos(angle), HERE[1] + radius * np.sin(angle), 1.4)
        world = home(mug()) if there else home()
        T = look_at(position, target)
        seen(world, [T], objects, 100 + step)
        ahead = transform_points(invert_pose(T), np.array([HERE]))[0, 2]
        clear_views += target == HERE and 0.6 < ahead < 3.0 and position[0] < 2.5
        state = mug_of(objects).state
        if there and clear_views >= 1:
            assert state == "present"
        if not there and clear_views >= 4:
            assert state == "missing"


def test_presence_goes_on_after_a_restart(tmp_path):
    robot = Robot(tmp_path / "memory")
    robot.look(home(mug()), at_table())
    robot.wait()
    robot.look(home(), at_table())
    assert robot.one().state == "missing"
    robot.reopen()
    assert robot.one().state == "missing"
    assert robot.one().presence < 0.2
    robot.look(home(mug()), at_table())
    assert robot.one().state == "present"
