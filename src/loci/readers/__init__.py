"""Recorded RGB-D sequences as iterators of raw frames: what a camera driver would have published, with its pose.

Nothing is rectified, registered or filtered here: that is perception's work, and a replay goes through the same nodes
as a live camera. No ROS installation is needed, not even for rosbag2 files.
"""

from __future__ import annotations

from pathlib import Path

from loci.readers.base import RawFrame, Recording, RecordingError
from loci.readers.numbered import NumberedFrames
from loci.readers.options import ReaderOptions
from loci.readers.tum import TumRecording

__all__ = ["KINDS", "RawFrame", "ReaderOptions", "Recording", "RecordingError", "kind_of", "open_recording"]

#: What each kind of recording is recognised by.
KINDS = {
    "numbered": "frame-N.color.jpg, frame-N.depth.png, frame-N.pose.txt and camera-intrinsics.txt",
    "tum": "rgb.txt, depth.txt and groundtruth.txt (TUM RGB-D)",
    "rosbag2": "metadata.yaml with .db3 or .mcap files, or one such file",
}


def kind_of(path: Path) -> str:
    """Kind of the recording at ``path``: a key of `KINDS`.

    Raises:
        RecordingError: it does not exist or is none of them.
    """
    if not path.exists():
        raise RecordingError(f"no recording at {path}: no such file or folder")
    if path.is_file():
        if path.suffix in (".db3", ".mcap"):
            return "rosbag2"
    elif (path / "metadata.yaml").is_file() or any(path.glob("*.db3")) or any(path.glob("*.mcap")):
        return "rosbag2"
    elif (path / "rgb.txt").is_file() or (path / "groundtruth.txt").is_file():
        return "tum"
    elif any(path.glob("frame-*.*")) or (path / "camera-intrinsics.txt").is_file():
        return "numbered"
    expected = "; ".join(f"{kind}: {files}" for kind, files in KINDS.items())
    raise RecordingError(f"no recording found in {path}. Expected one of these: {expected}")


def open_recording(path: Path | str, options: ReaderOptions | None = None) -> Recording:
    """Open the recording at ``path``; its kind is recognised by its files.

    Raises:
        RecordingError: nothing to read there, or something needed is missing; the message names the file.
    """
    path, options = Path(path), options or ReaderOptions()
    kind = kind_of(path)
    if kind == "rosbag2":
        from loci.readers.bag import BagRecording  # rosbags: only needed for bags

        return BagRecording(path, options)
    if kind == "tum":
        return TumRecording(path, options)
    return NumberedFrames(path, options)
