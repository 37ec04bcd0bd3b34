"""What a camera saw: frames, detections and observations, checked once where they enter.

Everything behind this module may rely on shapes, types and units being right.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, back_project, check_pose

#: Longest depth that is believed [m]; 16-bit cameras report 65.535 m for "no idea".
MAX_DEPTH = 60.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str, what: str = "name") -> str:
    """Return ``name`` if it is a plain name that can stand for a file or folder.

    Raises:
        ValueError: it is empty, longer than 100 characters, or could leave its folder (``/``, ``..``, a leading dot).
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise ValueError(
            f"expected a {what} of letters, digits, '.', '_' and '-' (at most 100, no '..' or '/'), got {name!r}"
        )
    return name


def clean_depth(depth: npt.NDArray[np.generic], unit: float | None = None) -> npt.NDArray[np.float32]:
    """Depth in metres with 0 wherever there is no measurement.

    Args:
        depth: (H, W); unsigned integers are counts of ``unit`` metres (0 and the largest value are invalid), floats are metres.
        unit: metres per count; by default 0.001 for integers.

    Returns:
        (H, W) float32 [m]; NaN, infinite, negative, zero and values beyond ``MAX_DEPTH`` have become 0.

    Raises:
        ValueError: wrong shape or type, or a unit that is not > 0.
    """
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(f"expected depth (H, W), got shape {depth.shape}")
    if depth.dtype.kind == "u" and depth.dtype.itemsize >= 2:
        scale = 0.001 if unit is None else unit
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"expected a depth unit > 0 m per count, got {scale}")
        metres = depth.astype(np.float32) * np.float32(scale)
        metres[depth == 2 ** (8 * depth.dtype.itemsize) - 1] = 0.0
    elif depth.dtype.kind == "f":
        metres = np.asarray(depth, dtype=np.float32).copy()
    else:
        raise ValueError(f"expected depth of unsigned 16-bit counts or float metres, got {depth.dtype}")
    # Written so that NaN fails the test as well.
    metres[~((metres > 0.0) & (metres <= MAX_DEPTH))] = 0.0
    return metres


@dataclass(frozen=True)
class Frame:
    """A rectified RGB-D image with its pose. Arrays are not copied and must not be written to afterwards.

    Attributes:
        color: (H, W, 3) uint8, RGB.
        depth: (H, W) float32 [m], registered to the colour image; 0: no measurement.
        camera: rectified intrinsics of both images.
        T_map_camera: (4, 4) pose of the camera's optical frame in the map.
        stamp_ns: time of the image [ns], as the sensor says.
        map_id: map that the pose refers to; empty: the memory's current map.
        camera_name: which camera of the robot.

    Raises:
        ValueError: on construction, if anything does not fit; the message says what was got and what was expected.
    """

    color: npt.NDArray[np.uint8]
    depth: npt.NDArray[np.float32]
    camera: Camera
    T_map_camera: Array
    stamp_ns: int
    map_id: str = ""
    camera_name: str = "camera"

    def __post_init__(self) -> None:
        shape = (self.camera.height, self.camera.width)
        if self.color.dtype != np.uint8 or self.color.shape != (*shape, 3):
            raise ValueError(
                f"expected color {(*shape, 3)} uint8 as its camera_info says, got {self.color.shape} {self.color.dtype}"
            )
        if self.depth.dtype != np.float32 or self.depth.shape != shape:
            raise ValueError(f"expected depth {shape} float32 metres, got {self.depth.shape} {self.depth.dtype}")
        if not self.camera.is_rectified:
            raise ValueError(f"expected a rectified frame, got a camera with distortion {self.camera.distortion}")
        if self.stamp_ns < 0:
            raise ValueError(f"expected a stamp >= 0 ns, got {self.stamp_ns}")
        if self.map_id:
            check_name(self.map_id, "map id")
        check_name(self.camera_name, "camera name")
        object.__setattr__(self, "T_map_camera", check_pose(self.T_map_camera, "T_map_camera"))

    @cached_property
    def points(self) -> npt.NDArray[np.float32]:
        """Camera-frame points of all pixels, (H, W, 3) [m]; computed once, (0, 0, 0) where there is no measurement."""
        return back_project(self.depth, self.camera)


@dataclass(frozen=True)
class Detection:
    """One thing that a detector saw in one image.

    Attributes:
        label: category in lower case; empty: not known.
        score: confidence, [0, 1].
        box: (x0, y0, x1, y1) [px], half-open.
        mask: (y1 - y0, x1 - x0) bool, the box's part of the mask; None: the whole box.
        embedding: (D,) float32 of unit length, or None.
        attributes: what else the detector knows, e.g. ``"open"``, ``"wooden"``, ``"text: EXIT"``; at most 32 of 1 to 200 characters.
    """

    label: str
    score: float
    box: tuple[int, int, int, int]
    mask: npt.NDArray[np.bool_] | None = None
    embedding: npt.NDArray[np.float32] | None = None
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            raise ValueError(
                f"expected a detection box (x0, y0, x1, y1) with 0 <= x0 < x1 and 0 <= y0 < y1, got {self.box}"
            )
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"expected a detection score in [0, 1], got {self.score}")
        if self.mask is not None and (self.mask.dtype != np.bool_ or self.mask.shape != (y1 - y0, x1 - x0)):
            raise ValueError(
                f"expected a mask {(y1 - y0, x1 - x0)} bool like its box, got {self.mask.shape} {self.mask.dtype}"
            )
        if self.embedding is not None:
            object.__setattr__(self, "embedding", unit_embedding(self.embedding))
        if len(self.attributes) > 32 or not all(len(a.strip()) > 0 and len(a) <= 200 for a in self.attributes):
            lengths = [len(a) for a in self.attributes][:33]
            raise ValueError(
                f"expected at most 32 attributes of 1 to 200 characters, got {len(self.attributes)} of {lengths} characters"
            )

    @property
    def full_mask(self) -> npt.NDArray[np.bool_]:
        """Mask of the box's size, (y1 - y0, x1 - x0) bool."""
        x0, y0, x1, y1 = self.box
        return np.ones((y1 - y0, x1 - x0), dtype=np.bool_) if self.mask is None else self.mask


@dataclass(frozen=True)
class Observation:
    """A frame with what was seen in it.

    Attributes:
        frame: the image and its pose.
        detections: what the detector saw; boxes lie inside the image.
        embedding: (D,) float32 of unit length, of the whole image; None: no image encoder.
        color_jpeg: the colour image as JPEG, where it already exists (it is what the store keeps).
    """

    frame: Frame
    detections: tuple[Detection, ...] = ()
    embedding: npt.NDArray[np.float32] | None = None
    color_jpeg: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for detection in self.detections:
            if detection.box[2] > self.frame.camera.width or detection.box[3] > self.frame.camera.height:
                size = f"{self.frame.camera.width}x{self.frame.camera.height}"
                raise ValueError(
                    f"expected detection boxes inside the {size} image, got {detection.box} ({detection.label!r})"
                )
        if self.embedding is not None:
            object.__setattr__(self, "embedding", unit_embedding(self.embedding))


def unit_embedding(embedding: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """``embedding`` (D,) as float32 of unit length.

    Raises:
        ValueError: it is not a finite, non-zero vector.
    """
    vector = np.asarray(embedding, dtype=np.float32)
    norm = math.sqrt(vector.dot(vector)) if vector.ndim == 1 and vector.size else math.nan
    if not math.isfinite(norm) or norm == 0.0:
        raise ValueError(f"expected an embedding (D,), finite and not zero, got shape {vector.shape} and norm {norm}")
    return vector / np.float32(norm)
