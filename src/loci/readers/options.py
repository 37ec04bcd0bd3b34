"""What a user may have to say about a recording that its files do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from loci.geometry import Array, Camera

Item = TypeVar("Item")


@dataclass(frozen=True)
class ReaderOptions:
    """Options of all readers; each uses those that concern it.

    Attributes:
        limit: at most so many frames; 0: all.
        stride: every n-th frame, >= 1.
        rate: frames per second where the files carry no times (numbered frames).
        intrinsics: camera of the colour images, instead of the recording's own.
        max_time_difference: colour, depth and pose belong together within so much [s].
        color_topic, depth_topic, color_info_topic, depth_info_topic, pose_topic: of a bag; empty: found by type.
        pose_frame: frame whose pose a PoseStamped topic gives (it does not say); empty: only Odometry and tf are taken.
        map_frame: frame of the map in a bag's tf; empty: ``map`` if there is one, else the root of the camera's tree.
        T_pose_camera: (4, 4) pose of the colour camera in the posed frame, where the bag's tf does not hold it.
        depth_unit: metres per count of integer depth; None: the recording's own (0.001 in ROS, 1/5000 in TUM RGB-D).
    """

    limit: int = 0
    stride: int = 1
    rate: float = 30.0
    intrinsics: Camera | None = None
    max_time_difference: float = 0.02
    color_topic: str = ""
    depth_topic: str = ""
    color_info_topic: str = ""
    depth_info_topic: str = ""
    pose_topic: str = ""
    pose_frame: str = ""
    map_frame: str = ""
    T_pose_camera: Array | None = None
    depth_unit: float | None = None

    def __post_init__(self) -> None:
        if self.limit < 0 or self.stride < 1:
            raise ValueError(f"expected limit >= 0 and stride >= 1, got {self.limit} and {self.stride}")
        if not (self.rate > 0 and self.max_time_difference > 0):
            raise ValueError(
                f"expected a rate and a time difference > 0, got {self.rate} and {self.max_time_difference}"
            )

    def select(self, items: list[Item]) -> list[Item]:
        """Every ``stride``-th of the items, at most ``limit``."""
        chosen = items[:: self.stride]
        return chosen[: self.limit] if self.limit else chosen
