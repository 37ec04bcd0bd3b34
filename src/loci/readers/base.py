"""What every reader gives: `RawFrame`s in order of time, and errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, check_pose

#: An image as recorded: a decoded array, or the bytes of a whole JPEG or PNG file.
Image = npt.NDArray[Any] | bytes


class RecordingError(ValueError):
    """A recording cannot be read; the message says which file, what was found and what was expected."""


@dataclass(frozen=True)
class RawFrame:
    """A colour and a depth image as recorded, with cameras and pose.

    Attributes:
        color: (H, W, 3) uint8 RGB, or the bytes of a JPEG or PNG.
        depth: (H', W') uint16 counts or float32 metres, or the bytes of a 16-bit PNG; may differ from colour in size.
        camera, depth_camera: intrinsics of either image, with the lens distortion that is still in it.
        T_map_camera: (4, 4) pose of the colour camera's optical frame in the recording's z-up map.
        T_color_depth: (4, 4) pose of the depth camera in the colour camera's frame; identity where depth is registered.
        stamp_ns: time of the colour image [ns].
        depth_unit: metres per count of an integer depth image.
    """

    color: Image = field(repr=False)
    depth: Image = field(repr=False)
    camera: Camera
    depth_camera: Camera
    T_map_camera: Array
    stamp_ns: int
    T_color_depth: Array = field(default_factory=lambda: np.eye(4))
    depth_unit: float = 0.001

    def color_array(self) -> npt.NDArray[np.uint8]:
        """Colour image, (H, W, 3) uint8 RGB."""
        if isinstance(self.color, bytes):
            pixels = decode(self.color, cv2.IMREAD_COLOR, "colour image")
            return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        return np.asarray(self.color, dtype=np.uint8)

    def depth_array(self) -> npt.NDArray[Any]:
        """Depth image, (H', W') uint16 counts or float32 metres."""
        return decode(self.depth, cv2.IMREAD_UNCHANGED, "depth image") if isinstance(self.depth, bytes) else self.depth


class Recording(Protocol):
    """A recorded sequence that can be streamed more than once."""

    name: str
    kind: str

    def __len__(self) -> int:
        """Number of frames that will be given, as far as can be known without decoding them."""

    def frames(self) -> Iterator[RawFrame]:
        """Frames in order of time.

        Raises:
            RecordingError: a file is missing or damaged.
        """


def decode(data: bytes, flags: int, what: str) -> npt.NDArray[Any]:
    """Decode a JPEG or PNG that must be complete (OpenCV alone fills the missing part of a truncated one with grey).

    Raises:
        RecordingError: it is empty, truncated or not an image.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        complete = b"IEND" in data[-16:]
    elif data[:2] == b"\xff\xd8":
        complete = b"\xff\xd9" in data[-64:]
    else:
        raise RecordingError(f"{what} is neither a JPEG nor a PNG ({len(data)} bytes)")
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags) if complete else None
    if image is None:
        raise RecordingError(f"{what} is truncated or damaged ({len(data)} bytes)")
    return image


def read_image(path: Path, flags: int) -> tuple[bytes, npt.NDArray[Any]]:
    """Bytes and pixels of an image file.

    Raises:
        RecordingError: it is missing, truncated or damaged; the message names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    return data, decode(data, flags, str(path))


def read_counts(path: Path) -> tuple[bytes, npt.NDArray[np.uint16]]:
    """Bytes and pixels (H, W) of a depth image of 16-bit counts.

    Raises:
        RecordingError: as `read_image`, or it is another kind of image.
    """
    data, counts = read_image(path, cv2.IMREAD_UNCHANGED)
    if counts.ndim != 2 or counts.dtype != np.uint16:
        raise RecordingError(f"expected {path} of 16-bit counts, got {counts.shape} {counts.dtype}")
    return data, counts


def read_matrix(path: Path, shape: tuple[int, ...]) -> Array:
    """Whitespace-separated numbers of a text file, as an array of ``shape``.

    Raises:
        RecordingError: it is missing or holds anything else; the message names it.
    """
    try:
        values = np.array([float(word) for word in path.read_text().split()])
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise RecordingError(f"expected numbers in {path}: {error}") from error
    if values.size != int(np.prod(shape)):
        raise RecordingError(f"expected {int(np.prod(shape))} numbers in {path}, got {values.size}")
    return values.reshape(shape)


def read_pose(path: Path) -> Array:
    """(4, 4) pose from a text file.

    Raises:
        RecordingError: it is missing or not a pose; the message names it.
    """
    try:
        return check_pose(read_matrix(path, (4, 4)))
    except RecordingError:
        raise
    except ValueError as error:
        raise RecordingError(f"{path}: {error}") from error
