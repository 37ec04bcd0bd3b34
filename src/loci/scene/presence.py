"""Negative evidence: is an object still there? Its points are held against the depth image (algorithms.md, section 1.5).

An object that is hidden, out of range or out of the image is not looked at: that says nothing. What is told here is how
much a view speaks for or against an object's presence; the object map takes it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, invert_pose, transform_points
from loci.observation import Detection
from loci.scene import presence_kernels as kernels
from loci.scene.tracks import Track

#: Evidence of a view for an object, as log-likelihood ratios: the detector found it; a mask of its label lies on it; only
#: the depth fits.
DETECTED, NAMED, FITS = 2.0, 1.0, 0.5
#: ... and against it: another thing's mask covers it, or covers all of it; at most, if all of it is seen through, or if it
#: should have been detected.
COVERED, WHOLLY_COVERED, ABSENT, UNDETECTED = -0.7, -1.5, -2.5, -1.7
#: Share of an object's points that have to be seen under another thing's mask for all of it to be covered, and detections from which
#: on its own label is no mistake: what was called by a wrong name a few times is to become one with the thing that covers it.
WHOLE, SETTLED = 0.6, 5
#: Share of what is not hidden that must be seen through for an object to be gone, and up to which it fits what is measured.
GONE_SHARE, FITTING_SHARE = 0.5, 0.2
#: Probability that a view sees through the place of an object that is gone, and that it detects nothing there.
P_THROUGH_IF_GONE, P_UNDETECTED_IF_GONE = 0.9, 0.95


@dataclass(frozen=True)
class PresenceParameters:
    """When an object that is not detected is gone.

    Attributes:
        max_range: points farther away say nothing [m].
        margin, margin_relative: a point is seen through where depth is larger by ``margin + margin_relative * z`` [m].
        pose_angle, pose_translation: errors of the camera's pose [rad], [m]: a point is seen through only if its whole
            neighbourhood is.
        max_points: of an object's points that are looked at.
        min_points: fewer points that are not hidden say nothing.
        min_share: a smaller share of the object that is not hidden says nothing.
        thin: of things thinner than this depth alone cannot tell whether they are there [m].
        min_pixels: a detector is expected to find what covers so many pixels [px] ...
        min_mask_share: ... and this share of the image.
        missing_below, found_above: presence probability.
    """

    max_range: float = 3.5
    margin: float = 0.02
    margin_relative: float = 0.01
    pose_angle: float = 0.005
    pose_translation: float = 0.01
    max_points: int = 200
    min_points: int = 10
    min_share: float = 0.15
    thin: float = 0.06
    min_pixels: int = 400
    min_mask_share: float = 0.0015
    missing_below: float = 0.2
    found_above: float = 0.8

    def __post_init__(self) -> None:
        for name in ("max_range", "margin", "pose_angle", "pose_translation", "max_points", "min_points"):
            if not getattr(self, name) > 0:
                raise ValueError(f"expected {name} > 0, got {getattr(self, name)}")
        if not 0 < self.missing_below < 0.5 < self.found_above < 1:
            raise ValueError(
                f"expected 0 < missing_below < 0.5 < found_above < 1, got {self.missing_below}, {self.found_above}"
            )


@dataclass(frozen=True)
class Look:
    """How one object's points compare with one depth image.

    Attributes:
        n_points: that were looked at.
        through, at, hidden: of these, seen through, seen where they are, and behind something; the rest says nothing.
        named, other: of ``at``, under a mask of one of its own labels, and under another mask.
        n_pixels: of the box around those that are not hidden.
    """

    n_points: int
    through: int
    at: int
    hidden: int
    named: int
    other: int
    n_pixels: int

    @property
    def visible(self) -> int:
        """Points that nothing is in front of."""
        return self.through + self.at


def view_box(T_map_camera: Array, camera: Camera, max_range: float) -> tuple[Array, Array]:
    """Lower and upper corner (3,) [m] of what a camera sees up to a range, map frame."""
    u, v = np.array([0.0, camera.width]), np.array([0.0, camera.height])
    x, y = np.meshgrid((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy)
    far = np.stack([x.ravel(), y.ravel(), np.ones(4)], axis=1) * max_range
    corners = transform_points(T_map_camera, np.concatenate([np.zeros((1, 3)), far]))  # (5, 3)
    return corners.min(axis=0), corners.max(axis=0)


def name_image(
    detections: Sequence[Detection], shape: tuple[int, int]
) -> tuple[npt.NDArray[np.int16], Mapping[str, int]]:
    """Which label lies at each pixel: (H, W) numbers, 0: none, and the number of each label. Small masks lie on large ones."""
    image = np.zeros(shape, dtype=np.int16)
    numbers: dict[str, int] = {}
    areas = [(d.box[2] - d.box[0]) * (d.box[3] - d.box[1]) for d in detections]
    for i in sorted(range(len(detections)), key=lambda i: -areas[i]):
        d = detections[i]
        number = numbers.setdefault(d.label.strip().lower() or "segment", len(numbers) + 1)
        x0, y0, x1, y1 = d.box
        if d.mask is None:
            image[y0:y1, x0:x1] = number
        else:
            image[y0:y1, x0:x1][d.mask] = number
    return image, numbers


def look(
    depth: npt.NDArray[np.float32],
    camera: Camera,
    T_map_camera: Array,
    tracks: Sequence[Track],
    p: PresenceParameters,
    detections: Sequence[Detection] = (),
) -> list[Look]:
    """Hold objects against a depth image, one `Look` for each.

    Args:
        depth: (H, W) [m], 0: no measurement.
        camera: its intrinsics.
        T_map_camera: (4, 4) its pose.
        tracks: objects of the pose's map.
        p: settings.
        detections: all that the detector found, also what is too small or too far to be fused.
    """
    if not tracks:
        return []
    names, numbers = name_image(detections, (camera.height, camera.width))
    own = np.zeros((len(tracks), len(numbers) + 1), dtype=np.bool_)
    for k, t in enumerate(tracks):
        for label in t.votes:
            own[k, numbers.get(label, 0)] = True
    clouds = [t.cloud.points[:: max(1, len(t.cloud.points) // p.max_points)] for t in tracks]
    sizes = np.array([len(c) for c in clouds])
    counts, boxes = kernels.look(
        np.concatenate(clouds),
        np.concatenate([[0], np.cumsum(sizes)]),
        invert_pose(T_map_camera),
        np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        depth if depth.flags.writeable else depth.copy(),  # numba compiles anew for what is read-only
        names,
        own,
        p.max_range,
        np.array([p.margin, p.margin_relative]),
        np.array([p.pose_angle, p.pose_translation]),
    )
    pixels = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2] + 1, 0), axis=1)
    rows = np.column_stack([sizes, counts, pixels]).tolist()
    return [Look(*row) for row in rows]


def take_in(
    seen: Look, track: Track, detected: bool, detector_works: bool, n_image: int, p: PresenceParameters
) -> None:
    """Weigh what a view says about an object's presence, and learn how well its kind of thing is detected and measured.

    What glass, gloss or thin rods do to a depth camera, and how often the detector misses a thing, is learnt from the views
    in which it was detected: an object that is seen through while it is there is not gone when it is seen through.

    Args:
        seen: the object in this view.
        track: the object.
        detected: a detection of this view was fused into it.
        detector_works: the detector found something in this view; otherwise it is perhaps dark.
        n_image: pixels of the image.
        p: settings.
    """
    s = track.standing
    enough = seen.visible >= max(p.min_points, p.min_share * seen.n_points)
    through = seen.through >= GONE_SHARE * seen.visible
    if detected:
        s.weigh(DETECTED)
        s.n_looked += enough
        s.n_seen_through += enough and through
    named = seen.named >= 0.3 * max(seen.at, 1) and not through
    expected = (
        enough
        and not through
        and seen.visible >= 0.6 * seen.n_points
        and seen.n_pixels >= max(p.min_pixels, p.min_mask_share * n_image)
        and detector_works
    )
    s.n_expected += expected
    s.n_detected += expected and (detected or named)
    if detected or not enough:
        return
    if through:
        share = (seen.through / seen.visible - GONE_SHARE) / (1.0 - GONE_SHARE)
        expected_through = (s.n_seen_through + 0.5) / (s.n_looked + 10.0)
        s.weigh(max(np.log(expected_through / P_THROUGH_IF_GONE), ABSENT) * (0.6 + 0.4 * share))
    elif named:
        s.weigh(NAMED)
    elif expected and track.is_labelled and not _tells(seen, track, p):
        p_detected = (s.n_detected + 1.0) / (s.n_expected + 2.0)
        s.weigh(float(np.clip(np.log((1.0 - p_detected) / P_UNDETECTED_IF_GONE), UNDETECTED, 0.0)))
    elif seen.other >= 0.5 * seen.at:
        wholly = seen.other >= max(0.95 * seen.at, WHOLE * seen.n_points) and track.n_detections >= SETTLED
        s.weigh((WHOLLY_COVERED if wholly else COVERED) * track.is_labelled)
    elif _tells(seen, track, p):
        s.weigh(FITS)


def _tells(seen: Look, track: Track, p: PresenceParameters) -> bool:
    """Whether depth that fits an object tells that it is there: not where it is as thin as the depth's error."""
    return min(track.size) >= p.thin and seen.through < FITTING_SHARE * seen.visible
