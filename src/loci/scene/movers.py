"""People and whatever else walks about: kept apart from the object map and out of the static map.

Their pixels are taken out of the depth before anything is built of it; of themselves, short tracks are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from loci.geometry import Array, transform_points
from loci.keyframes import Keyframe
from loci.observation import Detection, Frame, Observation
from loci.store.store import Record, Store

#: Kind of the store's records.
KIND = "mover"
#: Depth around the middle of a mover that is told by a box only, which is its own [m].
BODY_DEPTH = 0.6
#: A mover is at least so many measured pixels.
MIN_PIXELS = 16


@dataclass(frozen=True)
class MoverParameters:
    """What moves by itself.

    Attributes:
        labels: categories, with commas between them.
        border: pixels around a mover that are taken out as well, as a share of the image's width.
        max_speed: how fast it may be [m/s].
        max_gap_s: not seen for longer, it is somebody else [s].
        max_tracks: tracks that are kept; the oldest go first.
    """

    labels: str = "person, people, man, woman, boy, girl, child, baby, dog, cat, bird, robot"
    border: float = 0.008
    max_speed: float = 2.0
    max_gap_s: float = 10.0
    max_tracks: int = 1000

    def __post_init__(self) -> None:
        if self.max_tracks < 1 or not (self.max_speed > 0 and self.max_gap_s > 0 and 0 <= self.border < 0.5):
            raise ValueError(
                f"expected max_tracks >= 1, max_speed and max_gap_s > 0 and a border in [0, 0.5), got {self.max_tracks}, "
                f"{self.max_speed}, {self.max_gap_s} and {self.border}"
            )

    @cached_property
    def names(self) -> frozenset[str]:
        """The categories, each by itself."""
        return frozenset(name for label in self.labels.split(",") if (name := label.strip().lower()))


@dataclass(frozen=True)
class Mover:
    """Somebody or something that moves by itself, as it was seen last.

    Attributes:
        id: e.g. ``"mover/3"``.
        label: category.
        first_seen_ns, last_seen_ns, session: stamps [ns], and the session that they belong to.
        n_detections: in how many keyframes it was seen.
        keyframe_id: that showed it last.
        position_in_camera: (3,) [m] of its middle, in the camera frame of that keyframe.
        map_id: map that the keyframe's pose refers to.
    """

    id: str
    label: str
    first_seen_ns: int
    last_seen_ns: int
    session: str
    n_detections: int
    keyframe_id: str
    position_in_camera: tuple[float, float, float]
    map_id: str


@dataclass(frozen=True)
class Separated:
    """An observation without what moves by itself.

    Attributes:
        static: the observation without movers: neither detections nor depth of them.
        indices: for each of its detections, the number in the whole observation.
        moving: detections of movers, with their middles (3,) [m] in the camera frame.
    """

    static: Observation
    indices: tuple[int, ...]
    moving: tuple[tuple[Detection, Array], ...]


def separate(observation: Observation, p: MoverParameters) -> Separated:
    """Take out what moves by itself."""
    is_moving = [d.label.strip().lower() in p.names for d in observation.detections]
    if not any(is_moving):
        return Separated(observation, tuple(range(len(is_moving))), ())
    frame = observation.frame
    covered = np.zeros(frame.depth.shape, dtype=np.uint8)
    moving = []
    for d, moves in zip(observation.detections, is_moving, strict=True):
        if not moves:
            continue
        mask = _pixels(d, frame)
        x0, y0, x1, y1 = d.box
        covered[y0:y1, x0:x1] |= mask
        body = mask & (frame.depth[y0:y1, x0:x1] > 0)
        if np.count_nonzero(body) >= MIN_PIXELS:
            moving.append((d, np.median(frame.points[y0:y1, x0:x1][body], axis=0).astype(np.float64)))
    reach = 2 * round(p.border * frame.camera.width) + 1
    covered = cv2.dilate(covered, np.ones((reach, reach), np.uint8))
    depth = np.where(covered > 0, np.float32(0.0), frame.depth)
    still = [i for i, moves in enumerate(is_moving) if not moves]
    static = replace(
        observation, frame=replace(frame, depth=depth), detections=tuple(observation.detections[i] for i in still)
    )
    return Separated(static, tuple(still), tuple(moving))


def _pixels(d: Detection, frame: Frame) -> npt.NDArray[np.bool_]:
    """The box's pixels that are the mover's; of a mere box, what is about as far away as its middle."""
    if d.mask is not None:
        return d.mask
    x0, y0, x1, y1 = d.box
    depth = frame.depth[y0:y1, x0:x1]
    height, width = depth.shape
    inner = depth[height // 4 : height - height // 4, width // 4 : width - width // 4]
    measured = inner[inner > 0]
    if not len(measured):
        return np.zeros(depth.shape, dtype=np.bool_)
    return np.abs(depth - np.median(measured)) < BODY_DEPTH


class Movers:
    """Short tracks of what moves by itself. One thread writes; readers use the published tuple.

    Args:
        new_id: gives an id that was never used before.
        pose: gives the present ``T_map_camera`` (4, 4) of a keyframe id, or raises KeyError.
        parameters: settings.
    """

    def __init__(
        self, new_id: Callable[[], str], pose: Callable[[str], Array], parameters: MoverParameters | None = None
    ) -> None:
        self.parameters = parameters or MoverParameters()
        self._new_id = new_id
        self._pose = pose
        self._movers: dict[str, Mover] = {}
        self._published: tuple[Mover, ...] = ()
        self._dirty: set[str] = set()

    def movers(self) -> tuple[Mover, ...]:
        """All tracks, oldest first."""
        return self._published

    def see(self, moving: Iterable[tuple[Detection, Array]], keyframe: Keyframe) -> list[Mover]:
        """Take in what a keyframe shows of them; those that were not known before."""
        seen = list(moving)
        if not seen:
            return []
        known = [m for m in self._movers.values() if self._may_be_seen(m, keyframe)]
        cost = np.full((len(seen), len(known)), 1e6)
        for i, (d, middle) in enumerate(seen):
            here = transform_points(keyframe.T_map_camera, middle)
            for j, m in enumerate(known):
                dt = (keyframe.stamp_ns - m.last_seen_ns) * 1e-9
                there = transform_points(self._pose(m.keyframe_id), np.asarray(m.position_in_camera))
                distance = float(np.linalg.norm(here - there))
                if m.label == d.label.strip().lower() and distance <= 0.5 + self.parameters.max_speed * dt:
                    cost[i, j] = distance
        rows, columns = linear_sum_assignment(cost)
        mine = {int(i): known[j] for i, j in zip(rows, columns, strict=True) if cost[i, j] < 1e6}
        created: list[Mover] = []
        for i, (d, middle) in enumerate(seen):
            known_as, position = mine.get(i), (float(middle[0]), float(middle[1]), float(middle[2]))
            if known_as is None:
                now, label = keyframe.stamp_ns, d.label.strip().lower()
                m = Mover(self._new_id(), label, now, now, keyframe.session, 1, keyframe.id, position, keyframe.map_id)
                created.append(m)
            else:
                m = replace(
                    known_as,
                    last_seen_ns=keyframe.stamp_ns,
                    n_detections=known_as.n_detections + 1,
                    keyframe_id=keyframe.id,
                    position_in_camera=position,
                )
            self._movers[m.id] = m
            self._dirty.add(m.id)
        for old in list(self._movers)[: len(self._movers) - self.parameters.max_tracks]:
            del self._movers[old]
            self._dirty.add(old)
        self._published = tuple(self._movers.values())
        return created

    def _may_be_seen(self, m: Mover, keyframe: Keyframe) -> bool:
        age_s = (keyframe.stamp_ns - m.last_seen_ns) * 1e-9
        same = m.map_id == keyframe.map_id and m.session == keyframe.session and m.keyframe_id != keyframe.id
        return same and 0 <= age_s <= self.parameters.max_gap_s

    def remove_keyframes(self, keyframe_ids: Iterable[str]) -> None:
        """Forget those that were seen last in one of these keyframes."""
        gone = set(keyframe_ids)
        for m in self._published:
            if m.keyframe_id in gone:
                del self._movers[m.id]
                self._dirty.add(m.id)
        self._published = tuple(self._movers.values())

    def save(self, store: Store) -> None:
        """Put what changed since the last call into the store."""
        dirty, self._dirty = self._dirty, set()
        for mover_id in sorted(dirty):
            m = self._movers.get(mover_id)
            if m is None:
                store.delete(KIND, mover_id)
                continue
            fields = {
                "label": m.label,
                "first_seen_ns": m.first_seen_ns,
                "n_detections": m.n_detections,
                "keyframe_id": m.keyframe_id,
                "position_in_camera": m.position_in_camera,
            }
            store.put(KIND, m.id, fields, stamp_ns=m.last_seen_ns, session=m.session, map_id=m.map_id)

    def restore(self, records: Iterable[Record]) -> None:
        """Take in what `save` put."""
        for r in records:
            x, y, z = (float(v) for v in r.fields["position_in_camera"])
            self._movers[r.id] = Mover(
                r.id,
                str(r.fields["label"]),
                int(r.fields["first_seen_ns"]),
                r.stamp_ns,
                r.session,
                int(r.fields["n_detections"]),
                str(r.fields["keyframe_id"]),
                (x, y, z),
                r.map_id,
            )
        self._published = tuple(self._movers.values())
