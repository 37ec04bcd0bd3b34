"""Recorded walks of OpenEQA (its episode histories), as its own scripts write them: frames with depth and poses.

A walk is a folder ``hm3d-v0/NAME`` or ``scannet-v0/NAME`` with ``N-rgb.png``, ``N-depth.png``, ``N.txt`` (pose of the camera) and
``intrinsic_color.txt``, ``intrinsic_depth.txt`` (4 x 4). Checked against the code that writes them (``data/hm3d/extract-frames.py``,
``data/scannet/SensorData.py``), not against published frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, check_pose
from loci.observation import Frame
from loci.perception.rectify import Rectifier
from loci.readers import RecordingError
from loci.readers.base import read_counts, read_image, read_matrix
from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.glb import Y_UP_TO_Z_UP

_FRAME = re.compile(r"(\d+)-rgb\.png")
#: Frames carry no times; the first stamp is not 0, which means "no time" [ns].
_FIRST_STAMP_NS, _PERIOD_NS = 1_000_000_000, 500_000_000
#: Images are made smaller until they are no wider [px].
_WIDTH = 640
#: Habitat's camera (x right, y up, z backward) from an optical frame.
_CAMERA_OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class _Layout:
    """What the frames of one source are.

    Attributes:
        depth_unit: metres per count.
        T_map_world: (4, 4) from the source's world, z up in the map.
        T_camera_optical: (4, 4) the source's camera from an optical frame.
        square: pixels are square: the vertical focal length is the horizontal one.
    """

    depth_unit: float
    T_map_world: Array
    T_camera_optical: Array
    square: bool


#: By the first part of an episode history. HM3D's script writes depth of up to 10 m in 16 bits, and takes the vertical field of view
#: to be as many degrees of the horizontal one as the height is pixels of the width; Habitat rendered with square pixels.
_LAYOUTS = {
    "hm3d": _Layout(10.0 / 65535.0, Y_UP_TO_Z_UP, _CAMERA_OPTICAL, True),
    "scannet": _Layout(0.001, np.eye(4), np.eye(4), False),
}


@dataclass(frozen=True, eq=False)
class WalkFrame:
    """A frame of a walk, and the file of its instances if there is one beside it."""

    frame: Frame
    instances: Path | None


class Walk:
    """A recorded walk.

    Args:
        folder: of all walks.
        history: of the walk ("scannet-v0/002-scannet-scene0709_00").
        limit: at most so many frames, evenly over the walk; 0: all.

    Raises:
        DatasetError: no such walk, a source that is not known, or frames without depth, pose or intrinsics.
    """

    def __init__(self, folder: Path, history: str, limit: int = 0) -> None:
        self.path = folder / history
        layout = next((v for k, v in _LAYOUTS.items() if history.startswith(f"{k}-")), None)
        if layout is None:
            raise DatasetError(f"expected a walk {' or '.join(f'{k}-...' for k in _LAYOUTS)}, got {history}")
        self._layout = layout
        if not self.path.is_dir():
            raise DatasetError(f"no such walk: {self.path}")
        found = sorted((int(m[1]), p) for p in self.path.iterdir() if (m := _FRAME.fullmatch(p.name)))
        if not found:
            raise DatasetError(f"expected frames such as 00000-rgb.png in {self.path}, got none")
        if limit and len(found) > limit:
            found = [found[i] for i in np.linspace(0, len(found) - 1, limit).round().astype(int)]
        self._frames = [p for _, p in found]
        needed = [f for p in self._frames for f in (_beside(p, "-depth.png"), _beside(p, ".txt"))]
        needed += [self.path / "intrinsic_color.txt", self.path / "intrinsic_depth.txt"]
        missing = [p for p in needed if not p.is_file()]
        if missing:
            raise DatasetError(
                f"expected {missing[0]}, got no such file: Loci needs depth and poses (extract frames without --rgb-only)"
            )

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> Iterator[WalkFrame]:
        """Frames in their order, at most `_WIDTH` wide; those whose pose was not found (ScanNet: not finite) are left out.

        Raises:
            DatasetError: a file is damaged.
        """
        rectifier: Rectifier | None = None
        try:
            for i, path in enumerate(self._frames):
                T_world_camera = read_matrix(_beside(path, ".txt"), (4, 4))
                if not np.all(np.isfinite(T_world_camera)):
                    continue
                T = self._layout.T_map_world @ T_world_camera @ self._layout.T_camera_optical
                color, depth = self._images(path)
                if rectifier is None:
                    rectifier = Rectifier(self._camera("color", color), self._camera("depth", depth))
                color, metres = rectifier.rectify(color, depth, self._layout.depth_unit)
                stamp_ns = _FIRST_STAMP_NS + i * _PERIOD_NS
                instances = _beside(path, "-instances.png")
                frame = Frame(color, metres, rectifier.camera, _orthonormal(T), stamp_ns)
                yield WalkFrame(frame, instances if instances.is_file() else None)
        except (RecordingError, ValueError) as error:
            raise DatasetError(f"{self.path}: {error}") from error

    def _images(self, path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        """Colour (H, W, 3) RGB and depth (h, w) in counts, made smaller."""
        _, bgr = read_image(path, cv2.IMREAD_COLOR)
        _, depth = read_counts(_beside(path, "-depth.png"))
        color = cv2.cvtColor(_smaller(bgr, cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        # Depth is picked, never mixed: there is nothing half way between a thing and the wall behind it.
        return np.asarray(color, dtype=np.uint8), np.asarray(_smaller(depth, cv2.INTER_NEAREST), dtype=np.uint16)

    def _camera(self, name: str, image: npt.NDArray[np.generic]) -> Camera:
        """Camera of the smaller images."""
        K = read_matrix(self.path / f"intrinsic_{name}.txt", (4, 4))
        suffix = "-rgb.png" if name == "color" else "-depth.png"
        whole = read_image(_beside(self._frames[0], suffix), cv2.IMREAD_UNCHANGED)[1].shape[1]
        height, width = image.shape[:2]
        share = width / whole
        fy = K[0, 0] if self._layout.square else K[1, 1]
        return Camera(
            width, height, share * K[0, 0], share * fy, share * (K[0, 2] + 0.5) - 0.5, share * (K[1, 2] + 0.5) - 0.5
        )


def read_instances(path: Path, width: int, height: int) -> npt.NDArray[np.int32]:
    """Instances (H, W) of a frame from a 16-bit PNG, made as large as the frame; 0: none.

    Raises:
        DatasetError: it cannot be read, or is no image of numbers.
    """
    try:
        _, image = read_image(path, cv2.IMREAD_UNCHANGED)
    except RecordingError as error:
        raise DatasetError(str(error)) from error
    if image.ndim != 2 or image.dtype.kind != "u":
        raise DatasetError(f"expected {path} of one number a pixel, got {image.shape} {image.dtype}")
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name.removesuffix("-rgb.png") + ending)


def _smaller(image: npt.NDArray[np.generic], how: int) -> npt.NDArray[np.generic]:
    height, width = image.shape[:2]
    if width <= _WIDTH:
        return image
    return cv2.resize(image, (_WIDTH, round(height * _WIDTH / width)), interpolation=how)


def _orthonormal(T: Array) -> Array:
    """The nearest pose: files have six digits.

    Raises:
        ValueError: it is far from one.
    """
    u, _, vt = np.linalg.svd(T[:3, :3])
    R = u @ vt
    if np.abs(R - T[:3, :3]).max() > 1e-2:
        raise ValueError(f"expected a rotation in the camera's pose, got {T[:3, :3].tolist()}")
    fixed = T.copy()
    fixed[:3, :3] = R
    return check_pose(fixed)
