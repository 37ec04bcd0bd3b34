"""Which remembered thing does a picture show, by the things beside it? Detections of a picture are compared with where remembered things would
be seen from around a candidate.

Camera relocalisation from objects (OA-SLAM, Zins, Simon and Berger, ISMAR 2022): boxes of labelled landmarks are projected and compared with
those detected. Poses are sampled around one landmark instead of solved from pairs, since pictures are upright, and boxes cut by the image's
border tell no centre. Nothing here reads pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci.scene.constellation_kernels import match_boxes, project_boxes

#: Whether points (K, 3) [m] are seen from positions (K, 3) [m], (K,) bool.
Sees = Callable[[Array, Array], npt.NDArray[np.bool_]]

#: Points of a landmark that are projected.
N_POINTS = 24
#: Directions around a candidate, distances [m] and heights relative to the camera that saw it [m] from which it is looked at at first.
_AZIMUTHS = np.arange(36) * np.pi / 18
_DISTANCES = np.array([0.45, 0.65, 0.9, 1.2, 1.6, 2.1, 2.8, 3.7])
_HEIGHTS = np.array([-0.35, 0.0, 0.35])
#: Pictures are not taken steeper than this, down and up [rad].
_MAX_DOWN, _MAX_UP = float(np.radians(65.0)), float(np.radians(40.0))
#: Standard deviations of where a box is expected [share of the image's width], of the same by its own size, and of its sides [log]: at first, at last.
_COARSE, _FINE = np.array([0.08, 0.25, 0.5]), np.array([0.03, 0.15, 0.35])
#: Viewpoints that are moved about, how often, into how many others each, the first steps (azimuth [rad], log distance, height [m], pixel), and
#: how much smaller they become.
_KEPT, _ROUNDS, _MOVES, _NARROWING = 10, 7, 24, 0.7
_STEPS = np.array([0.15, 0.15, 0.2, 0.05, 0.05])
#: A candidate fits the detection at least so well where viewpoints begin; a landmark is expected where this share of it is in view.
_LEAST_ALIKE, _MOSTLY = 0.2, 0.5
#: What is larger than this share of an image counts no more; what should be seen and is not counts so much of what is seen.
_LARGE, _AGAINST = 0.1, 0.5
#: Landmarks farther from a candidate play no part [m].
REACH = 6.0


@dataclass(frozen=True)
class Seen:
    """What a detector saw in a picture.

    Attributes:
        boxes: (D, 4) x0, y0, x1, y1 [share of the image's width].
        weights: (D,) how much each counts, see `weight_of`.
        camera: of the picture.
    """

    boxes: Array
    weights: Array
    camera: Camera


@dataclass(frozen=True)
class Landmarks:
    """Remembered things.

    Attributes:
        likeness: (D, N) of a picture's detections to them in kind and colour, [0, 1]; 0: of another kind.
        points: (N, P, 3) float32 on each [m], map frame.
    """

    likeness: Array
    points: npt.NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True)
class Fit:
    """How well a candidate's surroundings agree with a picture.

    Attributes:
        score: [0, 1]; what the picture shows and is not there takes away, as what is there and the picture does not show.
        T_map_camera: (4, 4) from where they agree best.
        match: (D,) the landmark that each detection is then, -1: none.
    """

    score: float
    T_map_camera: Array = field(repr=False)
    match: npt.NDArray[np.int64] = field(repr=False)


def sampled_points(points: npt.NDArray[np.float32], n: int = N_POINTS) -> npt.NDArray[np.float32]:
    """(n, 3) of the points (M, 3) of a thing: evenly over their list, and those farthest out along each axis, so that the box is kept."""
    ends = np.concatenate([points.argmin(axis=0), points.argmax(axis=0)])
    rows = np.concatenate([ends, np.linspace(0, len(points) - 1, n - len(ends)).astype(np.int64)])
    return np.asarray(points[rows], dtype=np.float32)


def fit(seen: Seen, meant: int, landmarks: Landmarks, candidate: int, height: float, sees: Sees | None = None) -> Fit:
    """From where around a candidate what is seen agrees best with a picture.

    Args:
        seen: in the picture.
        meant: row of the detection that the candidate is taken for.
        landmarks: remembered things, the candidate among them.
        candidate: its row.
        height: of the camera that saw the candidate [m], map frame.
        sees: tells what walls hide; None: nothing does.
    """
    points = landmarks.points[candidate].astype(np.float64)
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    near = np.linalg.norm(landmarks.points.mean(axis=1) - center, axis=1) <= REACH
    near[candidate] = True
    named = near & np.any(landmarks.likeness > 0.0, axis=0)
    box = seen.boxes[meant]
    pixel = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    grid = np.meshgrid(_AZIMUTHS, np.log(_DISTANCES), height + _HEIGHTS - center[2], indexing="ij")
    states = np.zeros((grid[0].size, 5))
    states[:, :3] = np.stack(grid, -1).reshape(-1, 3)
    states = states[_shows(seen, meant, landmarks, candidate, _poses(states, center, pixel, seen.camera), sees)]
    if not len(states):
        return Fit(0.0, np.eye(4), np.full(len(seen.boxes), -1))
    rng = np.random.default_rng(0)
    alike = _rows(landmarks, named, candidate)
    for k in range(_ROUNDS + 1):
        softness = _FINE + (_COARSE - _FINE) * _NARROWING**k
        R, t, ok = _poses(states, center, pixel, seen.camera)
        value = _match(seen, meant, *alike, R, t, softness)[0] @ seen.weights * ok
        best = np.argsort(-value, kind="stable")[:_KEPT]
        if k < _ROUNDS:
            moved = states[best, None] + rng.standard_normal((len(best), _MOVES, 5)) * _STEPS * _NARROWING**k
            states = np.concatenate([states[best], moved.reshape(-1, 5)])
    judged = _judged(seen, meant, *_rows(landmarks, near, candidate), R[best], t[best], ok[best], sees)
    return replace(judged, match=np.where(judged.match >= 0, np.flatnonzero(near)[judged.match], -1))


def _rows(landmarks: Landmarks, kept: npt.NDArray[np.bool_], candidate: int) -> tuple[Landmarks, int]:
    """Some of the landmarks, and where the candidate is among them."""
    return Landmarks(landmarks.likeness[:, kept], landmarks.points[kept]), int(np.count_nonzero(kept[:candidate]))


def _shows(
    seen: Seen,
    meant: int,
    landmarks: Landmarks,
    candidate: int,
    poses: tuple[Array, Array, npt.NDArray[np.bool_]],
    sees: Sees | None,
) -> npt.NDArray[np.bool_]:
    """From which viewpoints (V,) the candidate is about as large as in the picture, and not behind a wall."""
    R, t, ok = poses
    own, one = slice(candidate, candidate + 1), slice(meant, meant + 1)
    alone = Landmarks(np.ones((1, 1)), landmarks.points[own])
    this = Seen(seen.boxes[one], seen.weights[one], seen.camera)
    shows = ok & (_match(this, 0, alone, 0, R, t, _COARSE)[0][:, 0] > _LEAST_ALIKE)
    if sees is not None and shows.any():
        rows = np.flatnonzero(shows)
        targets = alone.points[0, ::4].astype(np.float64)
        free = sees(np.repeat(t[rows], len(targets), axis=0), np.tile(targets, (len(rows), 1)))
        shows[rows] = free.reshape(len(rows), -1).any(axis=1)
    return shows


def _match(
    seen: Seen, meant: int, landmarks: Landmarks, candidate: int, R: Array, t: Array, softness: Array
) -> tuple[Array, npt.NDArray[np.int64]]:
    nothing = np.zeros((0, 0, 0), dtype=np.bool_)
    boxes, _, _ = project_boxes(R, t, landmarks.points, _intrinsics(seen.camera), nothing)
    return match_boxes(boxes, seen.boxes, landmarks.likeness, meant, candidate, softness)


def _judged(
    seen: Seen,
    meant: int,
    landmarks: Landmarks,
    candidate: int,
    R: Array,
    t: Array,
    ok: npt.NDArray[np.bool_],
    sees: Sees | None,
) -> Fit:
    """The best of a few viewpoints, by all that is known around it: what should be seen and is not speaks against it."""
    nothing = np.zeros((0, 0, 0), dtype=np.bool_)
    boxes, shares, inside = project_boxes(R, t, landmarks.points, _intrinsics(seen.camera), nothing)
    if sees is not None:
        viewpoint, thing, point = np.nonzero(inside)
        free = sees(t[viewpoint], landmarks.points[thing, point].astype(np.float64))
        shown = np.ones_like(inside)  # what is beside the image is not asked for
        shown[viewpoint, thing, point] = free
        partly, shares, _ = project_boxes(R, t, landmarks.points, _intrinsics(seen.camera), shown)
        boxes[shares == 0.0] = 0.0
    value, match = match_boxes(boxes, seen.boxes, landmarks.likeness, meant, candidate, _FINE)
    if sees is not None:  # what is hidden in part is detected in part, or as a whole where the map is coarse
        other, other_match = match_boxes(partly, seen.boxes, landmarks.likeness, meant, candidate, _FINE)
        value, match = np.maximum(value, other), np.where(other > value, other_match, match)
    matched = np.zeros(shares.shape)
    np.put_along_axis(matched, np.maximum(match, 0), np.where(match >= 0, value, 0.0), axis=1)
    sides = boxes[..., 2:] - boxes[..., :2]
    expected = np.where(shares >= _MOSTLY, weight_of(sides.prod(-1) * seen.camera.width / seen.camera.height), 0.0)
    against = (expected * (1.0 - matched)).sum(axis=1)
    explained = value @ seen.weights
    total = float(seen.weights.sum())
    score = explained / (total + _AGAINST * against) * ok
    i = int(score.argmax())
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R[i], t[i]
    return Fit(float(score[i]), T, match[i])


def _intrinsics(camera: Camera) -> Array:
    width = camera.width
    return np.array([camera.fx / width, camera.fy / width, camera.cx / width, camera.cy / width, camera.height / width])


def weight_of(area: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """How much a thing counts that takes such a share of an image."""
    return np.asarray(np.sqrt(np.clip(area, 0.0, _LARGE)), dtype=np.float64)


def _poses(states: Array, center: Array, pixel: Array, camera: Camera) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Upright cameras that see a point at a pixel: rotations (V, 3, 3) to the map, positions (V, 3), and which are not too steep.

    Args:
        states: (V, 5): azimuth of the camera as seen from the point [rad], log of its horizontal distance [m], its height above the point [m],
            and how far beside the pixel (2) the point is seen [share of the width].
    """
    azimuth, distance, up = states[:, 0], np.exp(states[:, 1]), states[:, 2]
    t = center + np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth), up])
    u, v = (pixel + states[:, 3:5]).T
    rx, ry = (u - camera.cx / camera.width) * camera.width / camera.fx, (v * camera.width - camera.cy) / camera.fy
    length = np.sqrt(rx**2 + ry**2 + 1.0)
    # With the camera tilted down by p, the ray (rx, ry, 1) rises by -(sin p + ry cos p): that has to be the point's elevation.
    rise = -up / np.sqrt(distance**2 + up**2)
    sine = np.clip(-length * rise / np.sqrt(1.0 + ry**2), -1.0, 1.0)
    pitch = np.arcsin(sine) - np.arctan(ry)
    ahead = np.cos(pitch) - ry * np.sin(pitch)
    yaw = azimuth + np.pi + np.arctan2(rx, ahead)
    zero = np.zeros_like(yaw)
    right = np.column_stack([np.sin(yaw), -np.cos(yaw), zero])
    forward = np.column_stack([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    R = np.stack([right, np.cross(forward, right), forward], axis=-1)
    return R, t, (pitch <= _MAX_DOWN) & (pitch >= -_MAX_UP) & (np.abs(sine) < 1.0) & (ahead > 0)
