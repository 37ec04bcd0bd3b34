"""TUM RGB-D recordings: rgb.txt, depth.txt and groundtruth.txt, put together by time (Sturm et al., IROS 2012).

Depth is registered to colour and counts 1/5000 m; the ground truth is the colour camera's pose in a z-up room frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Camera
from loci.readers.base import RawFrame, RecordingError, read_counts, read_image
from loci.readers.options import ReaderOptions
from loci.readers.trajectory import Trajectory

DEPTH_UNIT = 1.0 / 5000.0
#: Published calibrations by camera (vision.in.tum.de/data/datasets/rgbd-dataset/file_formats): fx fy cx cy, distortion.
INTRINSICS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "freiburg1": ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "freiburg2": ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "freiburg3": ((535.4, 539.2, 320.1, 247.6), ()),
}
#: What the dataset's authors recommend where the camera is not known (the ROS default).
DEFAULT_INTRINSICS = ((525.0, 525.0, 319.5, 239.5), ())


class TumRecording:
    """A TUM RGB-D recording.

    Raises:
        RecordingError: a list is missing or empty, or no colour image has depth and pose within the time difference.
    """

    kind = "tum"

    def __init__(self, path: Path, options: ReaderOptions | None = None) -> None:
        self.name, self._path, self._options = path.resolve().name, path, options or ReaderOptions()
        color_times, color_files = self._read_images("rgb.txt")
        depth_times, depth_files = self._read_images("depth.txt")
        self._trajectory = self._read_trajectory("groundtruth.txt")
        tolerance_ns = round(self._options.max_time_difference * 1e9)
        pairs = associate(color_times, depth_times, tolerance_ns)
        covered = [(i, j) for i, j in pairs if self._trajectory.covers(int(color_times[i]), 5 * tolerance_ns)]
        if not covered:
            raise RecordingError(
                f"no colour image of {path} has a depth image within {self._options.max_time_difference} s and a pose "
                f"around it ({len(color_times)} colour, {len(depth_times)} depth images, {len(pairs)} pairs)"
            )
        self._frames = self._options.select([(int(color_times[i]), color_files[i], depth_files[j]) for i, j in covered])

    def _lines(self, name: str) -> list[list[str]]:
        try:
            text = (self._path / name).read_text()
        except OSError as error:
            raise RecordingError(f"cannot read {self._path / name}: {error.strerror or error}") from error
        lines = [
            line.replace(",", " ").split() for line in text.splitlines() if line.strip() and not line.startswith("#")
        ]
        if not lines:
            raise RecordingError(f"no entries in {self._path / name}")
        return lines

    def _read_images(self, name: str) -> tuple[npt.NDArray[np.int64], list[Path]]:
        lines = self._lines(name)
        try:
            entries = sorted((nanoseconds(line[0]), self._path / line[1]) for line in lines)
        except (IndexError, ValueError) as error:
            raise RecordingError(f"expected lines 'time file' in {self._path / name}: {error}") from error
        return np.array([time for time, _ in entries], dtype=np.int64), [file for _, file in entries]

    def _read_trajectory(self, name: str) -> Trajectory:
        lines = self._lines(name)
        try:
            times = np.array([nanoseconds(line[0]) for line in lines], dtype=np.int64)
            values = np.array([[float(word) for word in line[1:8]] for line in lines])
            return Trajectory(times, values[:, :3], values[:, 3:7])
        except (IndexError, ValueError) as error:
            raise RecordingError(
                f"expected lines 'time tx ty tz qx qy qz qw' in {self._path / name}: {error}"
            ) from error

    def _camera_of(self, width: int, height: int) -> Camera:
        if self._options.intrinsics is not None:
            return self._options.intrinsics
        (fx, fy, cx, cy), distortion = next(
            (
                value
                for key, value in INTRINSICS.items()
                if key in self.name or key.replace("reiburg", "r") in self.name
            ),
            DEFAULT_INTRINSICS,
        )
        return Camera(width, height, fx, fy, cx, cy, distortion, "plumb_bob" if distortion else "none")

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> Iterator[RawFrame]:
        """Frames in order of time; see `loci.readers.base.Recording.frames`."""
        for stamp_ns, color_path, depth_path in self._frames:
            color, pixels = read_image(color_path, cv2.IMREAD_COLOR)
            depth, counts = read_counts(depth_path)
            yield RawFrame(
                color=color,
                depth=depth,
                camera=self._camera_of(pixels.shape[1], pixels.shape[0]),
                depth_camera=self._camera_of(counts.shape[1], counts.shape[0]),
                T_map_camera=self._trajectory.at(stamp_ns),
                stamp_ns=stamp_ns,
                depth_unit=self._options.depth_unit or DEPTH_UNIT,
            )


def nanoseconds(text: str) -> int:
    """Seconds as decimal text to nanoseconds, exactly (a float of 1.3e9 s is only good to 0.2 us)."""
    whole, _, fraction = text.partition(".")
    return int(whole) * 1_000_000_000 + int((fraction + "0" * 9)[:9])


def associate(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], tolerance_ns: int) -> list[tuple[int, int]]:
    """Pairs (i, j) of sorted times that are closest to one another and within the tolerance; each is used once."""
    if not (len(a) and len(b)):
        return []
    right = np.clip(np.searchsorted(b, a), 0, len(b) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)
    difference = np.abs(b[nearest] - a)
    order = np.lexsort((difference, nearest))  # per b, the closest a first
    first = np.r_[True, nearest[order][1:] != nearest[order][:-1]]
    chosen = np.sort(order[first & (difference[order] <= tolerance_ns)])
    return [(int(i), int(nearest[i])) for i in chosen]
