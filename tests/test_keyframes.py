"""Keyframes: which frames are kept, what is kept of them, and what happens when their poses are corrected."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from loci.geometry import Camera, back_project, look_at, transform_points
from loci.keyframes import (
    Keyframe,
    KeyframeParameters,
    Keyframes,
    changed_share,
    decode_depth,
    encode_depth,
    is_keyframe,
)
from loci.observation import Detection, Frame, Observation, clean_depth
from loci.store import Store, StoreError

CAMERA = Camera(160, 120, 140.0, 140.0, 79.5, 59.5)


def observation(
    position: tuple[float, float, float] = (0.0, 0.0, 1.0),
    target: tuple[float, float, float] = (2.0, 0.0, 1.0),
    depth: np.ndarray | None = None,
    stamp_ns: int = 0,
    **kwargs: object,
) -> Observation:
    rng = np.random.default_rng(stamp_ns)
    color = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120))
    if depth is None:
        depth = np.full((120, 160), 2.0, np.float32)
    frame = Frame(color, depth, CAMERA, look_at(position, target), stamp_ns)
    return Observation(frame, **kwargs)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store.open(tmp_path / "home") as store:
        yield store


def test_a_keyframe_comes_back_after_reopening(tmp_path: Path) -> None:
    detections = (
        Detection("mug", 0.9, (0, 0, 5, 5)),
        Detection("bed", 0.8, (1, 1, 9, 9)),
        Detection("", 0.5, (0, 0, 2, 2)),
    )
    seen = observation(stamp_ns=7, detections=detections, embedding=np.ones(4))
    with Store.open(tmp_path / "home") as store:
        added = Keyframes(store).add(seen, session="s", map_id="home", place="place/1", object_ids=("object/1",))
        assert added.labels == ("bed", "mug")
    with Store.open(tmp_path / "home") as store:
        keyframes = Keyframes(store)
        (kept,) = keyframes.all()
        for name in ("id", "session", "map_id", "stamp_ns", "camera", "camera_name", "labels", "object_ids", "place"):
            assert getattr(kept, name) == getattr(added, name)
        np.testing.assert_array_equal(kept.T_map_camera, seen.frame.T_map_camera)
        np.testing.assert_array_equal(kept.embedding, seen.embedding)
        np.testing.assert_allclose(keyframes.depth(kept.id), seen.frame.depth, atol=0.00051)
        color = cv2.cvtColor(cv2.imdecode(np.frombuffer(keyframes.color_jpeg(kept.id), np.uint8), 1), cv2.COLOR_BGR2RGB)
        assert np.mean(np.abs(color.astype(int) - seen.frame.color)) < 4
        assert keyframes.newest_map_id() == "home"
        assert keyframes.newest_stamp_ns("home") == 7


def test_a_jpeg_that_exists_is_kept_as_it_is(store: Store) -> None:
    keyframes = Keyframes(store)
    keyframe = keyframes.add(observation(color_jpeg=b"\xff\xd8 as the camera sent it"), session="s", map_id="m")
    assert keyframes.color_jpeg(keyframe.id) == b"\xff\xd8 as the camera sent it"


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.float32, (7, 9), elements=st.floats(0, 60, width=32)))
def test_stored_depth_is_exact_to_half_a_millimetre(depth: np.ndarray) -> None:
    depth = clean_depth(depth)
    decoded = decode_depth(encode_depth(depth))
    np.testing.assert_allclose(decoded, depth, atol=0.00051)
    assert not decoded[depth == 0].any()


def test_a_file_that_is_no_depth_image_is_an_error() -> None:
    for data in (b"", b"garbage", cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()):
        with pytest.raises(StoreError, match="expected a 16-bit PNG with depth"):
            decode_depth(data)


def test_an_unknown_keyframe_is_named_in_the_error(store: Store) -> None:
    keyframes = Keyframes(store)
    for call in (keyframes.get, keyframes.pose, keyframes.depth, keyframes.color_jpeg, keyframes.remove):
        with pytest.raises(KeyError, match="there is no keyframe 'keyframe/9' in memory home"):
            call("keyframe/9")


def test_corrected_poses_move_points_to_where_they_belong(store: Store) -> None:
    keyframes = Keyframes(store)
    ids = [keyframes.add(observation((x, 0.0, 1.0)), session="s", map_id="m").id for x in (0.0, 0.5)]
    point_in_camera = np.array([0.3, -0.2, 1.5])
    old_point = transform_points(keyframes.pose(ids[0]), point_in_camera)
    new_pose = look_at((0.2, 0.3, 1.0), (2.0, 1.0, 1.0))
    untouched = keyframes.pose(ids[1])
    moves = keyframes.correct_poses({ids[0]: new_pose})
    np.testing.assert_allclose(transform_points(moves[ids[0]], old_point), transform_points(new_pose, point_in_camera))
    np.testing.assert_allclose(keyframes.pose(ids[0]), new_pose)
    assert moves.keys() == {ids[0]}
    assert keyframes.pose(ids[1]) is untouched
    store.commit()
    np.testing.assert_allclose(Keyframes(store).pose(ids[0]), new_pose)


def test_one_bad_correction_changes_none(store: Store) -> None:
    keyframes = Keyframes(store)
    id = keyframes.add(observation(), session="s", map_id="m").id
    before = keyframes.pose(id)
    for bad, error in (({"keyframe/99": np.eye(4)}, KeyError), ({id: np.zeros((4, 4))}, ValueError)):
        with pytest.raises(error):
            keyframes.correct_poses({id: look_at((9, 9, 9), (0, 0, 0)), **bad})
        np.testing.assert_array_equal(keyframes.pose(id), before)


def test_poses_cannot_be_written_to(store: Store) -> None:
    keyframes = Keyframes(store)
    id = keyframes.add(observation(), session="s", map_id="m").id
    with pytest.raises(ValueError, match="read-only"):
        keyframes.pose(id)[0, 3] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        keyframes.depth(id)[0, 0] = 1.0


def test_fields_are_replaced_but_never_the_id(store: Store) -> None:
    keyframes = Keyframes(store)
    id = keyframes.add(observation(), session="s", map_id="m").id
    keyframes.replace(id, place="place/3", object_ids=("object/1", "object/2"))
    assert keyframes.get(id).place == "place/3"
    for wrong in ({"id": "keyframe/2"}, {"colour": 1}):
        with pytest.raises(ValueError, match="expected fields of a keyframe"):
            keyframes.replace(id, **wrong)
    assert keyframes.replace_objects({"object/1": "object/2", "object/7": None}) == 1
    assert keyframes.get(id).object_ids == ("object/2",)
    keyframes.replace_objects({"object/2": None})
    assert Keyframes(store).get(id).object_ids == ()


def test_a_removed_keyframe_is_gone_with_its_images(store: Store) -> None:
    keyframes = Keyframes(store)
    gone, kept = (keyframes.add(observation(stamp_ns=i), session="s", map_id="m") for i in (1, 2))
    store.commit()
    keyframes.remove(gone.id)
    store.commit()
    assert gone.id not in keyframes
    assert len(keyframes) == 1
    assert keyframes.ids() == (kept.id,)
    with pytest.raises(StoreError, match="missing"):
        store.blob(gone.color_blob)
    keyframes.depth(kept.id)
    assert keyframes.best_view((1.0, 0.0, 1.0), "m") == kept.id


def test_ids_are_told_apart_by_map(store: Store) -> None:
    keyframes = Keyframes(store)
    a, b = (keyframes.add(observation(stamp_ns=i), session="s", map_id=m).id for i, m in enumerate(("home", "office")))
    assert keyframes.ids() == (a, b)
    assert keyframes.ids("home") == (a,)
    assert keyframes.ids("street") == ()
    assert keyframes.newest_map_id() == "office"


def test_readers_see_whole_keyframes_while_one_thread_writes(store: Store) -> None:
    keyframes, done, errors = Keyframes(store), threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                for keyframe in keyframes.all():
                    assert keyframes.get(keyframe.id).T_map_camera.shape == (4, 4)
                keyframes.ids("m")
            except BaseException as error:
                errors.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(60):
        id = keyframes.add(observation(stamp_ns=i), session="s", map_id="m").id
        keyframes.correct_poses({id: look_at((i, 0, 1), (i, 1, 1))})
    done.set()
    reader.join()
    assert not errors


# ---- which view shows a point --------------------------------------------------------------------------------------


def test_the_best_view_shows_the_point_in_its_image_and_not_behind_a_wall(store: Store) -> None:
    keyframes = Keyframes(store)
    away = keyframes.add(observation((0, 0, 1), (-2, 0, 1), stamp_ns=1), session="s", map_id="m").id
    wall = np.full((120, 160), 0.8, np.float32)
    blocked = keyframes.add(observation((0.1, 0, 1), depth=wall, stamp_ns=2), session="s", map_id="m").id
    side = keyframes.add(observation((0, -1, 1), (2, 0.4, 1), stamp_ns=3), session="s", map_id="m").id
    other = keyframes.add(observation((0.5, 0, 1), stamp_ns=4), session="s", map_id="other map").id
    assert keyframes.best_view((1.9, 0.0, 1.0), "m") == side
    assert keyframes.best_view((1.9, 0.0, 1.0), "other map") == other
    assert keyframes.best_view((-1.5, 0.0, 1.0), "m") == away
    assert keyframes.best_view((0.0, 0.0, 50.0), "m") == ""
    assert keyframes.best_view((0, 0, 0), "nowhere") == ""
    keyframes.remove(side)
    assert keyframes.best_view((1.9, 0.0, 1.0), "m") == blocked  # better a blocked view than none


# ---- which frames become keyframes ---------------------------------------------------------------------------------


def keyframe_of(store: Store, seen: Observation) -> Keyframe:
    return Keyframes(store).add(seen, session="s", map_id="")


def room(T_map_camera: np.ndarray, box: tuple[float, float, float] | None = None) -> np.ndarray:
    """Depth (120, 160) [m] of a wall at x = 3 m, and of a box's front face (distance x, half width, half height)."""
    rays = back_project(np.ones((120, 160), np.float32), CAMERA) @ T_map_camera[:3, :3].T.astype(np.float32)
    origin = T_map_camera[:3, 3]
    with np.errstate(divide="ignore"):
        depth = (3.0 - origin[0]) / rays[..., 0]
    if box is not None:
        x, half_width, half_height = box
        t = (x - origin[0]) / rays[..., 0]
        y, z = origin[1] + t * rays[..., 1], origin[2] + t * rays[..., 2] - 1.0
        depth = np.where((np.abs(y) < half_width) & (np.abs(z) < half_height) & (t > 0), np.minimum(t, depth), depth)
    return clean_depth(np.asarray(depth, np.float32))


def test_the_first_frame_and_one_of_another_map_are_keyframes(store: Store) -> None:
    seen = observation()
    assert is_keyframe(seen, None)
    last = replace(keyframe_of(store, seen), map_id="home")
    assert not is_keyframe(replace(seen, frame=replace(seen.frame, map_id="home")), last)
    assert is_keyframe(replace(seen, frame=replace(seen.frame, map_id="office")), last)


@pytest.mark.parametrize(
    ("position", "target", "expected"),
    [
        ((0.0, 0.0, 1.0), (3.0, 0.0, 1.0), False),
        ((0.0, 0.09, 1.0), (3.0, 0.09, 1.0), False),
        ((0.0, 0.11, 1.0), (3.0, 0.11, 1.0), True),
        ((0.0, 0.0, 1.0), (3.0 * np.cos(np.radians(9)), 3.0 * np.sin(np.radians(9)), 1.0), False),
        ((0.0, 0.0, 1.0), (3.0 * np.cos(np.radians(11)), 3.0 * np.sin(np.radians(11)), 1.0), True),
    ],
)
def test_moving_by_more_than_a_threshold_makes_a_keyframe(
    store: Store, position: tuple[float, float, float], target: tuple[float, float, float], expected: bool
) -> None:
    first, then = look_at((0, 0, 1), (3, 0, 1)), look_at(position, target)
    last = keyframe_of(store, observation((0, 0, 1), (3, 0, 1), room(first)))
    assert is_keyframe(observation(position, target, room(then)), last) is expected


def test_new_content_in_front_of_a_camera_at_rest_makes_a_keyframe(store: Store) -> None:
    T = look_at((0, 0, 1), (3, 0, 1))
    last = keyframe_of(store, observation((0, 0, 1), (3, 0, 1), room(T)))
    appeared = observation((0, 0, 1), (3, 0, 1), room(T, box=(1.5, 0.4, 0.4)))
    assert is_keyframe(appeared, last)
    assert not is_keyframe(appeared, last, KeyframeParameters(changed_share=0.9))
    again = keyframe_of(store, appeared)
    assert is_keyframe(observation((0, 0, 1), (3, 0, 1), room(T)), again)  # and when it is gone


@settings(max_examples=30, deadline=None)
@given(st.floats(-0.09, 0.09), st.floats(-9, 9), st.integers(0, 2**32 - 1))
def test_a_small_motion_and_sensor_noise_are_no_new_content(shift: float, turn: float, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def seen(T: np.ndarray) -> np.ndarray:
        depth = room(T, box=(1.5, 0.3, 0.3))
        noisy = depth + rng.normal(0, 0.004, depth.shape).astype(np.float32) * depth**2
        noisy[rng.random(depth.shape) < 0.1] = 0.0
        return clean_depth(noisy.astype(np.float32))

    first = look_at((0, 0, 1), (3, 0, 1))
    angle = np.radians(turn)
    then = look_at((0, shift, 1), (3 * np.cos(angle), shift + 3 * np.sin(angle), 1))
    step = KeyframeParameters().grid
    depth = seen(first)
    last = Keyframe("keyframe/1", "s", "m", 0, CAMERA, "camera", first, "", "")
    last = replace(last, depth_grid=depth[step // 2 :: step, step // 2 :: step], grid=step)
    T_last_camera = np.linalg.inv(first) @ then
    assert changed_share(seen(then), T_last_camera, last, KeyframeParameters()) < KeyframeParameters().changed_share


def test_an_empty_depth_image_is_no_new_content(store: Store) -> None:
    last = keyframe_of(store, observation())
    assert not is_keyframe(observation(depth=np.zeros((120, 160), np.float32)), last)
    reopened = replace(last, depth_grid=None)
    assert not is_keyframe(observation(depth=np.ones((120, 160), np.float32)), reopened)


def test_on_real_frames_motion_decides_and_noise_does_not(kitchen: Path, store: Store) -> None:
    matrix = np.loadtxt(kitchen / "camera-intrinsics.txt")
    camera = Camera(640, 480, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    keyframes, last, n_new_content, n_near = Keyframes(store), None, 0, 0
    never = KeyframeParameters(changed_share=1.0)
    for file in sorted(kitchen.glob("*.color.jpg"))[:60]:
        name = str(file).removesuffix(".color.jpg")
        depth = clean_depth(cv2.imread(f"{name}.depth.png", cv2.IMREAD_UNCHANGED))
        color = np.zeros((480, 640, 3), np.uint8)
        seen = Observation(Frame(color, depth, camera, np.loadtxt(f"{name}.pose.txt"), 0), color_jpeg=file.read_bytes())
        if not is_keyframe(seen, last, never):
            n_near += 1
            n_new_content += is_keyframe(seen, last)  # nothing moves in this kitchen
        else:
            last = keyframes.add(seen, session="s", map_id="")
    assert n_near > 20
    assert len(keyframes) > 5
    assert n_new_content == 0


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="expected translation > 0, got 0"):
        KeyframeParameters(translation=0.0)
