"""Timed poses with interpolation between them, and trees of them (what tf does, for recordings)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, invert_pose, pose_from_quaternion
from loci.nodes.poses import interpolate


class Trajectory:
    """Poses over time.

    Args:
        stamps_ns: (N,) int64, in any order; of equal stamps the first counts.
        positions: (N, 3) [m]. quaternions: (N, 4) xyzw.

    Raises:
        ValueError: shapes do not fit, nothing given, or not finite.
    """

    def __init__(self, stamps_ns: npt.NDArray[np.int64], positions: Array, quaternions: Array) -> None:
        if len(stamps_ns) == 0 or positions.shape != (len(stamps_ns), 3) or quaternions.shape != (len(stamps_ns), 4):
            raise ValueError(
                f"expected N >= 1 positions (N, 3) and quaternions (N, 4), got {positions.shape} and {quaternions.shape}"
            )
        if not (np.all(np.isfinite(positions)) and np.all(np.isfinite(quaternions))):
            raise ValueError("expected finite positions and quaternions")
        self._stamps, index = np.unique(np.asarray(stamps_ns, dtype=np.int64), return_index=True)
        self._positions, self._quaternions = positions[index], quaternions[index]

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last stamp [ns]."""
        return int(self._stamps[0]), int(self._stamps[-1])

    def covers(self, stamp_ns: int, tolerance_ns: int) -> bool:
        """Whether a pose lies on either side of ``stamp_ns``, or one within the tolerance."""
        first, last = self.span_ns
        return first - tolerance_ns <= stamp_ns <= last + tolerance_ns

    def at(self, stamp_ns: int) -> Array:
        """(4, 4) pose at a time: linear in position, slerp in orientation; the nearest one outside the span."""
        right = int(np.clip(np.searchsorted(self._stamps, stamp_ns), 0, len(self._stamps) - 1))
        left = max(right - 1, 0)
        span = int(self._stamps[right] - self._stamps[left])
        share = float(np.clip((stamp_ns - int(self._stamps[left])) / span, 0.0, 1.0)) if span else 0.0
        return interpolate(self._pose(left), self._pose(right), share)

    def _pose(self, index: int) -> Array:
        return pose_from_quaternion(self._positions[index], self._quaternions[index])


class TransformTree:
    """Transforms between named frames over time. Frame names are taken without a leading slash."""

    def __init__(self) -> None:
        self._raw: dict[tuple[str, str], list[tuple[int, Array, Array]]] = {}
        self._edges: dict[str, tuple[str, Trajectory]] = {}
        self._static: set[str] = set()

    def add(
        self, parent: str, child: str, stamp_ns: int, position: Array, quaternion: Array, *, static: bool = False
    ) -> None:
        """Remember that ``child`` was at this pose in ``parent``."""
        key = (parent.lstrip("/"), child.lstrip("/"))
        self._raw.setdefault(key, []).append((stamp_ns, position, quaternion))
        self._edges.pop(key[1], None)
        if static:
            self._static.add(key[1])

    def frames(self) -> set[str]:
        """Names of all frames."""
        return {name for key in self._raw for name in key}

    def _edge(self, child: str) -> tuple[str, Trajectory] | None:
        if child not in self._edges:
            entries = [(parent, samples) for (parent, name), samples in self._raw.items() if name == child]
            if not entries:
                return None
            parent, samples = entries[-1]
            stamps, positions, quaternions = zip(*samples, strict=True)
            self._edges[child] = (
                parent,
                Trajectory(np.array(stamps, dtype=np.int64), np.array(positions), np.array(quaternions)),
            )
        return self._edges[child]

    def chain(self, frame: str) -> list[str]:
        """``frame`` and its ancestors, the root last."""
        names = [frame.lstrip("/")]
        while (edge := self._edge(names[-1])) is not None and edge[0] not in names:
            names.append(edge[0])
        return names

    def lookup(self, target: str, source: str, stamp_ns: int, tolerance_ns: int) -> Array | None:
        """(4, 4) ``T_target_source`` at a time; None where the frames are not connected or not covered then."""
        up_source, up_target = self.chain(source), self.chain(target)
        common = next((name for name in up_source if name in up_target), None)
        if common is None:
            return None
        T_common_source = self._up(up_source[: up_source.index(common)], stamp_ns, tolerance_ns)
        T_common_target = self._up(up_target[: up_target.index(common)], stamp_ns, tolerance_ns)
        if T_common_source is None or T_common_target is None:
            return None
        return np.asarray(invert_pose(T_common_target) @ T_common_source)

    def _up(self, names: Iterable[str], stamp_ns: int, tolerance_ns: int) -> Array | None:
        T = np.eye(4)
        for name in names:
            edge = self._edge(name)
            assert edge is not None
            if name not in self._static and not edge[1].covers(stamp_ns, tolerance_ns):
                return None
            T = edge[1].at(stamp_ns) @ T
        return T
