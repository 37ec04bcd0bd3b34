"""Numbered frames (7-Scenes and tsdf-fusion layout): frame-N.color.jpg, frame-N.depth.png, frame-N.pose.txt.

Times follow from the frame numbers; an optional gravity-direction.txt says which way is down, so that the map is z-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from loci.geometry import Camera, align_to_gravity, check_pose
from loci.readers.base import RawFrame, RecordingError, read_counts, read_image, read_matrix, read_pose
from loci.readers.options import ReaderOptions

_FRAME = re.compile(r"frame-(\d+)\.color\.(?:jpg|jpeg|png)")
#: Stamps start here and not at 0, which messages use for "no time".
FIRST_STAMP_NS = 1_000_000_000


class NumberedFrames:
    """Recording of numbered frames in one folder.

    Raises:
        RecordingError: no frames, no intrinsics, or a frame without its depth or pose file.
    """

    kind = "numbered"

    def __init__(self, path: Path, options: ReaderOptions | None = None) -> None:
        self.name, self._path, self._options = path.resolve().name, path, options or ReaderOptions()
        found = sorted((int(m[1]), p) for p in path.iterdir() if (m := _FRAME.fullmatch(p.name)))
        if not found:
            raise RecordingError(f"no frames in {path}: expected files such as frame-000000.color.jpg")
        for _, color in found:
            for sibling in (self._sibling(color, ".depth.png"), self._sibling(color, ".pose.txt")):
                if not sibling.is_file():
                    raise RecordingError(f"{color.name} has no {sibling.name} beside it in {path}")
        self._files = self._options.select(found)
        self._T_map_world = np.eye(4)
        gravity = path / "gravity-direction.txt"
        if gravity.is_file():
            try:
                self._T_map_world = align_to_gravity(read_matrix(gravity, (3,)))
            except RecordingError:
                raise
            except ValueError as error:
                raise RecordingError(f"{gravity}: {error}") from error
        self._camera = self._options.intrinsics
        self._matrix = None if self._camera else read_matrix(path / "camera-intrinsics.txt", (3, 3))

    @staticmethod
    def _sibling(color: Path, ending: str) -> Path:
        return color.with_name(color.name.split(".")[0] + ending)

    def __len__(self) -> int:
        return len(self._files)

    def _camera_of(self, width: int, height: int) -> Camera:
        if self._camera is not None:
            return self._camera
        K = self._matrix
        assert K is not None
        try:
            return Camera(width, height, K[0, 0], K[1, 1], K[0, 2], K[1, 2])
        except ValueError as error:
            raise RecordingError(f"{self._path / 'camera-intrinsics.txt'}: {error}") from error

    def frames(self) -> Iterator[RawFrame]:
        """Frames in order of their numbers; see `loci.readers.base.Recording.frames`."""
        first = self._files[0][0]
        for number, color_path in self._files:
            color, pixels = read_image(color_path, cv2.IMREAD_COLOR)
            depth, counts = read_counts(self._sibling(color_path, ".depth.png"))
            yield RawFrame(
                color=color,
                depth=depth,
                camera=self._camera_of(pixels.shape[1], pixels.shape[0]),
                depth_camera=self._camera_of(counts.shape[1], counts.shape[0]),
                T_map_camera=check_pose(self._T_map_world @ read_pose(self._sibling(color_path, ".pose.txt"))),
                stamp_ns=FIRST_STAMP_NS + round((number - first) * 1e9 / self._options.rate),
                depth_unit=self._options.depth_unit or 0.001,
            )
