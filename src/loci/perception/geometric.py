"""Things without a name: segments of a depth image, once the planes (floor, walls, table tops) are taken away.

Needs no weights and no colour. It works on a reduced depth image, in plain NumPy and OpenCV, and knows nothing of
earlier frames: identity is the object map's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Camera, back_project
from loci.observation import Detection, Frame

Points = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

LABEL = "segment"
#: Normals are not known so near to the border [px of the reduced image]: what reaches it is cut off by it.
_BORDER = 4


@dataclass(frozen=True)
class GeometricParameters:
    """Settings of the geometric detector.

    Attributes:
        step: the depth image is reduced by this factor.
        max_range: farther measurements are not used [m].
        max_planes: planes that are looked for.
        min_plane_share: of the reduced image; smaller planes are things.
        min_plane_length: planes whose largest connected part is shorter are things, however near: a lid, the back of a chair [m].
        plane_distance: distance to a plane [m] at 1 m; it grows with the square of the range.
        jump: depth difference between neighbours that separates things, relative to the depth.
        min_pixels: smallest segment, in pixels of the full image.
        min_sliver: segments at the image's border that are thinner are left out, as a share of its smaller side.
        min_size, max_size: of a segment's extent [m].
        max_segments: the largest ones are given.
        seed: of the plane search.
    """

    step: int = 2
    max_range: float = 4.0
    max_planes: int = 6
    min_plane_share: float = 0.03
    min_plane_length: float = 0.6
    plane_distance: float = 0.015
    jump: float = 0.02
    min_pixels: int = 400
    min_sliver: float = 0.06
    min_size: float = 0.04
    max_size: float = 1.5
    max_segments: int = 32
    seed: int = 0


class GeometricDetector:
    """Class-agnostic segments, labelled ``"segment"``."""

    name = "geometric"

    def __init__(self, parameters: GeometricParameters | None = None) -> None:
        self.parameters = parameters or GeometricParameters()

    def detect(self, frame: Frame) -> tuple[Detection, ...]:
        """Segments of a frame, largest first; the same frame always gives the same."""
        p = self.parameters
        depth = np.ascontiguousarray(frame.depth[:: p.step, :: p.step])  # (h, w)
        camera = _reduced(frame.camera, depth.shape, p.step)
        depth = cv2.medianBlur(depth, 5)
        points = back_project(depth, camera)
        valid = (depth > 0) & (depth <= p.max_range)
        if np.count_nonzero(valid) < 3:
            return ()
        normals = _normals(points)
        on_plane = _find_planes(points, normals, valid, p)
        labels = _components(depth, valid & ~on_plane, p)
        return self._detections(labels, points, frame)

    def _detections(self, labels: npt.NDArray[np.int32], points: Points, frame: Frame) -> tuple[Detection, ...]:
        p = self.parameters
        n_pixels = np.bincount(labels.ravel())
        n_pixels[0] = 0
        order = np.argsort(-n_pixels, kind="stable")[: p.max_segments]
        height, width = frame.depth.shape
        found = []
        for number in order:
            if n_pixels[number] * p.step**2 < p.min_pixels:
                break
            rows, columns = np.nonzero(labels == number)
            y0, y1, x0, x1 = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
            mine = points[rows, columns]
            low, high = np.quantile(mine, (0.02, 0.98), axis=0)
            extent = np.sort(high - low)
            if extent[2] > p.max_size or extent[2] < p.min_size:
                continue
            # A segment cut by the border is a worse one; so is a sparse one.
            cut = x0 <= 1 or y0 <= 1 or x1 >= labels.shape[1] - 1 or y1 >= labels.shape[0] - 1
            if cut and min(y1 - y0, x1 - x0) < p.min_sliver * min(labels.shape):
                continue
            box = (int(x0 * p.step), int(y0 * p.step), int(min(x1 * p.step, width)), int(min(y1 * p.step, height)))
            small = (labels[y0:y1, x0:x1] == number).astype(np.uint8)
            mask = np.repeat(np.repeat(small, p.step, axis=0), p.step, axis=1)[: box[3] - box[1], : box[2] - box[0]]
            solid = n_pixels[number] / ((y1 - y0) * (x1 - x0))
            score = float(np.clip(0.5 + 0.4 * solid - 0.2 * cut, 0.0, 1.0))
            found.append(Detection(LABEL, score, box, mask.astype(np.bool_)))
        return tuple(found)


def _reduced(camera: Camera, shape: tuple[int, ...], step: int) -> Camera:
    """Camera of every ``step``-th pixel of an image."""
    return Camera(shape[1], shape[0], camera.fx / step, camera.fy / step, camera.cx / step, camera.cy / step)


def _normals(points: Points) -> Points:
    """Unit normals (h, w, 3) towards the camera, over a window of a few pixels; arbitrary at edges."""
    smooth = cv2.blur(points, (5, 5))
    right = np.zeros_like(points)
    down = np.zeros_like(points)
    right[:, 2:-2] = smooth[:, 4:] - smooth[:, :-4]
    down[2:-2] = smooth[4:] - smooth[:-4]
    normal = np.cross(down, right)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12), dtype=np.float32)


def _find_planes(points: Points, normals: Points, valid: Mask, p: GeometricParameters) -> Mask:
    """Pixels (h, w) on one of the large planes: greedy RANSAC whose hypotheses are pixels with their normals."""
    rng = np.random.default_rng(p.seed)
    on_plane = np.zeros(valid.shape, dtype=np.bool_)
    tolerance = np.float32(p.plane_distance) * np.maximum(1.0, points[..., 2] ** 2).astype(np.float32)
    candidates = np.flatnonzero(valid)
    sample = candidates[:: max(1, len(candidates) // 1500)]
    flat_points, flat_normals, flat_tolerance = points.reshape(-1, 3), normals.reshape(-1, 3), tolerance.ravel()
    minimum = p.min_plane_share * valid.size
    for _ in range(p.max_planes):
        sample = sample[~on_plane.ravel()[sample]]
        if len(sample) < 50:
            break
        seeds = rng.choice(sample, size=min(80, len(sample)), replace=False)
        n = flat_normals[seeds]  # (S, 3)
        d = np.einsum("ij,ij->i", n, flat_points[seeds])
        close = np.abs(flat_points[sample] @ n.T - d) < flat_tolerance[sample, None]  # (M, S)
        close &= flat_normals[sample] @ n.T > 0.85
        best = int(np.argmax(close.sum(axis=0)))
        inliers = flat_points[sample[close[:, best]]]
        if len(inliers) < 0.5 * minimum * len(sample) / max(1, int(np.count_nonzero(valid & ~on_plane))):
            break
        center = inliers.mean(axis=0)
        normal = np.linalg.svd(inliers - center, full_matrices=False)[2][2]
        distance = np.abs((points - center) @ normal)
        near = valid & ~on_plane & (distance < 1.5 * tolerance)
        aligned = near & (np.abs(normals @ normal) > 0.8)
        if np.count_nonzero(aligned) < minimum or _length(aligned, points) < p.min_plane_length:
            sample = np.setdiff1d(sample, sample[close[:, best]])
            continue
        # Rims of the plane have bad normals: those next to good ones belong to it as well.
        grown = cv2.dilate(aligned.astype(np.uint8), np.ones((7, 7), np.uint8)).view(np.bool_)
        on_plane |= near & grown
    return on_plane


def _length(mask: Mask, points: Points) -> float:
    """Extent [m] of the largest connected part of a mask (h, w): the longer edge of the box around it, without outliers.

    inf where the image cuts it off: nobody knows how it goes on.
    """
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if n < 2:
        return 0.0
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = stats[largest, :4]
    if x <= _BORDER or y <= _BORDER or x + width >= mask.shape[1] - _BORDER or y + height >= mask.shape[0] - _BORDER:
        return np.inf
    mine = points[labels == largest]
    mine = mine[:: max(1, len(mine) // 2000)]
    centered = mine - mine.mean(axis=0)
    along = centered @ np.linalg.svd(centered, full_matrices=False)[2][0]
    low, high = np.quantile(along, (0.02, 0.98))
    return float(high - low)


def _components(depth: npt.NDArray[np.float32], rest: Mask, p: GeometricParameters) -> npt.NDArray[np.int32]:
    """Connected parts (h, w) of what is left, numbered from 1; a jump in depth separates."""
    jump = np.float32(p.jump) * depth
    edge = np.zeros_like(rest)
    edge[:, :-1] |= np.abs(depth[:, 1:] - depth[:, :-1]) > jump[:, :-1]
    edge[:-1] |= np.abs(depth[1:] - depth[:-1]) > jump[:-1]
    free = cv2.morphologyEx((rest & ~edge).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.connectedComponents(free, connectivity=4)[1], dtype=np.int32)
