"""Recordings of every kind give the frames that were recorded, and bad ones say what is wrong with which file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recordings as make
from loci.readers import ReaderOptions, RecordingError, kind_of, open_recording
from loci.readers.tum import associate, nanoseconds


def check_images(frames: list, tolerance: int) -> None:
    for index, frame in enumerate(frames):
        color, depth = make.images(index)
        assert np.abs(frame.color_array().astype(int) - color).max() <= tolerance
        measured = frame.depth_array()
        counts = measured if measured.dtype == np.uint16 else np.rint(measured * 1000)
        np.testing.assert_array_equal(counts, depth)
        assert (frame.camera.width, frame.camera.height) == (make.WIDTH, make.HEIGHT)


def test_numbered_frames_come_in_order_with_stamps_from_their_numbers(tmp_path: Path) -> None:
    frames = list(open_recording(make.write_numbered(tmp_path, (0, 3, 12))).frames())
    check_images(frames, 3)
    assert [f.stamp_ns - frames[0].stamp_ns for f in frames] == [0, 100_000_000, 400_000_000]
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.T_map_camera, make.pose(index), atol=1e-9)


def test_numbered_frames_keep_the_bytes_of_their_files(tmp_path: Path) -> None:
    frame = next(open_recording(make.write_numbered(tmp_path)).frames())
    assert frame.color == (tmp_path / "frame-000000.color.jpg").read_bytes()
    assert frame.depth == (tmp_path / "frame-000000.depth.png").read_bytes()


def test_gravity_turns_the_map_z_up(tmp_path: Path) -> None:
    down = np.array([0.0, 0.9, 0.43])
    frame = next(open_recording(make.write_numbered(tmp_path, gravity=tuple(down))).frames())
    T_map_world = frame.T_map_camera @ np.linalg.inv(make.pose(0))
    np.testing.assert_allclose(T_map_world[:3, :3] @ down / np.linalg.norm(down), (0, 0, -1), atol=1e-9)


def test_stride_and_limit_choose_frames(tmp_path: Path) -> None:
    recording = open_recording(make.write_numbered(tmp_path, tuple(range(10))), ReaderOptions(stride=3, limit=2))
    assert len(recording) == 2
    assert [int(f.depth_array()[0, 0]) for f in recording.frames()] == [1000, 1003]


def test_a_recording_can_be_streamed_twice(tmp_path: Path) -> None:
    recording = open_recording(make.write_bag(tmp_path / "bag", extrinsic=np.eye(4)))
    assert [f.stamp_ns for f in recording.frames()] == [f.stamp_ns for f in recording.frames()]


def test_kitchen_is_z_up(kitchen: Path) -> None:
    recording = open_recording(kitchen, ReaderOptions(limit=20))
    assert recording.kind == "numbered"
    ups = np.array([-frame.T_map_camera[:3, 1] for frame in recording.frames()])  # a hand-held camera's up axis
    assert np.all(ups[:, 2] > 0.7)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "frame-000003.pose.txt").unlink(), "frame-000003.color.jpg has no frame-000003.pose.txt"),
        (lambda d: (d / "frame-000003.depth.png").unlink(), "has no frame-000003.depth.png"),
        (lambda d: (d / "camera-intrinsics.txt").unlink(), "camera-intrinsics.txt"),
        (lambda d: (d / "frame-000003.depth.png").write_bytes((d / "frame-000003.depth.png").read_bytes()[:40]), "frame-000003.depth.png is truncated"),
        (lambda d: (d / "frame-000003.color.jpg").write_bytes((d / "frame-000003.color.jpg").read_bytes()[:200]), "frame-000003.color.jpg is truncated"),
        (lambda d: (d / "frame-000003.depth.png").write_bytes(b""), "frame-000003.depth.png is neither"),
        (lambda d: (d / "frame-000003.depth.png").write_bytes((d / "frame-000003.color.jpg").read_bytes()), "expected .*frame-000003.depth.png of 16-bit counts, got .* uint8"),
        (lambda d: (d / "frame-000003.pose.txt").write_text("1 0 0"), "expected 16 numbers in .*frame-000003.pose.txt, got 3"),
        (lambda d: (d / "frame-000003.pose.txt").write_text("nan " * 16), "frame-000003.pose.txt: expected a finite pose"),
        (lambda d: np.savetxt(d / "frame-000003.pose.txt", np.zeros((4, 4))), "frame-000003.pose.txt: expected pose"),
        (lambda d: np.savetxt(d / "camera-intrinsics.txt", np.zeros((3, 3))), "camera-intrinsics.txt: expected focal lengths"),
        (lambda d: np.savetxt(d / "gravity-direction.txt", np.zeros(3)), "gravity-direction.txt"),
        (lambda d: [p.unlink() for p in d.glob("frame-*")], "no frames in"),
    ],
)  # fmt: skip
def test_damaged_numbered_frames_are_named(tmp_path: Path, damage, message: str) -> None:
    make.write_numbered(tmp_path, gravity=(0, 0, -1))
    damage(tmp_path)
    with pytest.raises(RecordingError, match=message):
        list(open_recording(tmp_path).frames())


def test_tum_pairs_by_time_and_interpolates_poses(tmp_path: Path) -> None:
    frames = list(open_recording(make.write_tum(tmp_path / "rgbd_dataset_freiburg3_x")).frames())
    check_images(frames, 0)
    assert frames[0].stamp_ns == 1305031102_175304000
    assert frames[0].depth_unit == pytest.approx(1 / 5000)
    assert frames[0].camera.fx == 535.4
    assert frames[0].camera.is_rectified
    # 15.304 ms after the first of poses that are 16.666 ms and 0.05 m apart.
    assert frames[0].T_map_camera[0, 3] == pytest.approx(0.05 * 15.304 / 16.666, abs=1e-6)


@pytest.mark.parametrize(("name", "fx"), [("fr1_desk", 517.3), ("rgbd_dataset_freiburg2_desk", 520.9), ("mine", 525.0)])
def test_tum_intrinsics_follow_from_the_name(tmp_path: Path, name: str, fx: float) -> None:
    assert next(open_recording(make.write_tum(tmp_path / name)).frames()).camera.fx == fx


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "depth.txt").unlink(), "cannot read .*depth.txt"),
        (lambda d: (d / "rgb.txt").write_text("# nothing\n"), "no entries in .*rgb.txt"),
        (lambda d: (d / "groundtruth.txt").write_text("1305031102.1 0 0\n"), "time tx ty tz"),
        (lambda d: (d / "groundtruth.txt").write_text("99.0 0 0 0 0 0 0 1\n"), "no colour image .* has a depth image"),
        (lambda d: next((d / "rgb").iterdir()).unlink(), "cannot read .*rgb"),
        (
            lambda d: [p.write_bytes(next((d / "rgb").iterdir()).read_bytes()) for p in (d / "depth").iterdir()],
            "expected .*depth.* of 16-bit counts, got .* uint8",
        ),
    ],
)
def test_damaged_tum_recordings_are_named(tmp_path: Path, damage, message: str) -> None:
    folder = make.write_tum(tmp_path / "fr1")
    damage(folder)
    with pytest.raises(RecordingError, match=message):
        list(open_recording(folder).frames())


def test_times_keep_their_nanoseconds() -> None:
    assert nanoseconds("1305031102.175304123") == 1305031102175304123
    assert nanoseconds("17") == 17_000_000_000


@given(
    st.lists(st.integers(0, 300), max_size=20, unique=True).map(sorted),
    st.lists(st.integers(0, 300), max_size=20, unique=True).map(sorted),
    st.integers(0, 20),
)
def test_association_is_within_tolerance_and_uses_each_image_once(a: list[int], b: list[int], tolerance: int) -> None:
    pairs = associate(np.array(a, dtype=np.int64), np.array(b, dtype=np.int64), tolerance)
    assert all(abs(a[i] - b[j]) <= tolerance for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    for j, time in enumerate(b):  # where one is the mutual nearest, it is found
        nearest = [i for i in range(len(a)) if abs(a[i] - time) <= tolerance]
        if len(nearest) == 1 and sum(abs(a[nearest[0]] - other) <= abs(a[nearest[0]] - time) for other in b) == 1:
            assert (nearest[0], j) in pairs


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("mcap", [False, True])
def test_a_bag_with_odometry_gives_frames(tmp_path: Path, compressed: bool, mcap: bool) -> None:
    extrinsic = np.eye(4)
    extrinsic[:3, 3] = 0.1, 0.0, 0.5
    recording = open_recording(make.write_bag(tmp_path / "bag", compressed=compressed, mcap=mcap, extrinsic=extrinsic))
    frames = list(recording.frames())
    assert recording.kind == "rosbag2"
    assert len(recording) == len(frames) == 4
    check_images(frames, 3 if compressed else 0)
    for index, frame in enumerate(frames):
        np.testing.assert_allclose(frame.T_map_camera, make.pose(index) @ extrinsic, atol=1e-9)
        np.testing.assert_array_equal(frame.T_color_depth, np.eye(4))


def test_a_bag_with_tf_gives_the_camera_pose_and_the_depth_cameras_place(tmp_path: Path) -> None:
    offset = np.eye(4)
    offset[0, 3] = 0.025
    frames = list(
        open_recording(make.write_bag(tmp_path / "bag", poses="tf", extrinsic=np.eye(4), depth_offset=offset)).frames()
    )
    np.testing.assert_allclose(frames[2].T_map_camera, make.pose(2), atol=1e-9)
    np.testing.assert_allclose(frames[2].T_color_depth, offset, atol=1e-9)


def test_a_pose_stamped_needs_to_be_told_its_frame(tmp_path: Path) -> None:
    folder = make.write_bag(tmp_path / "bag", poses="stamped", extrinsic=np.eye(4))
    with pytest.raises(RecordingError, match="--pose-frame"):
        open_recording(folder)
    assert len(open_recording(folder, ReaderOptions(pose_frame="base_link"))) == 4


def test_a_missing_extrinsic_is_refused_and_can_be_given(tmp_path: Path) -> None:
    folder = make.write_bag(tmp_path / "bag")
    with pytest.raises(RecordingError, match="--extrinsic"):
        open_recording(folder)
    given_extrinsic = np.eye(4)
    given_extrinsic[2, 3] = 1.0
    frame = next(open_recording(folder, ReaderOptions(T_pose_camera=given_extrinsic)).frames())
    assert frame.T_map_camera[2, 3] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"info": False}, "no camera_info for .* --color-info-topic"),
        ({"poses": "none"}, "no poses in the bag"),
        ({"extra_color_topic": True}, "several topics with color images.*--color-topic"),
        ({"color_encoding": "bayer_rggb8"}, "no color images in the bag"),
    ],
)
def test_what_a_bag_lacks_is_said(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        open_recording(make.write_bag(tmp_path / "bag", extrinsic=np.eye(4), **options))


def test_a_truncated_bag_is_said(tmp_path: Path) -> None:
    folder = make.write_bag(tmp_path / "bag", extrinsic=np.eye(4))
    database = next(folder.glob("*.db3"))
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    with pytest.raises(RecordingError, match="bag"):
        list(open_recording(folder).frames())


def test_a_folder_without_a_recording_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="Expected one of these"):
        kind_of(tmp_path)
    with pytest.raises(RecordingError, match="no such file"):
        kind_of(tmp_path / "nowhere")
