"""Do two images show the same thing, and from where was one of them taken? Local features and geometry, no weights.

SIFT (Lowe 2004) with the ratio test gives correspondences; a camera pose that explains them (RANSAC, Fischler and Bolles 1981, over
perspective-n-point) is what tells a place from one that only looks alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, invert_pose

#: Images are looked at in this width [px]: finer texture does not survive a change of distance.
_WIDTH = 400
_MAX_FEATURES = 800
#: Features are of the same spot if the next best is so much less alike (Lowe's ratio).
_RATIO = 0.8
#: A pose explains a correspondence up to this share of the picture's width.
_TOLERANCE = 0.012
#: So many correspondences must agree with a pose, and such a share of all.
MIN_INLIERS, _MIN_SHARE = 10, 0.2
_ITERATIONS, _CONFIDENCE = 500, 0.999


@dataclass(frozen=True)
class LocalFeatures:
    """Local features of an image.

    Attributes:
        pixels: (N, 2) where they are [share of the image's width], the image's upper left corner at (0, 0).
        descriptors: (N, 128) float32, unit length (RootSIFT, Arandjelovic and Zisserman 2012).
        size: (width, height) of the image [px].
    """

    pixels: npt.NDArray[np.float32] = field(repr=False)
    descriptors: npt.NDArray[np.float32] = field(repr=False)
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.pixels)


@dataclass(frozen=True)
class PicturePose:
    """From where a picture was taken.

    Attributes:
        T_keyframe_picture: (4, 4) pose of its camera in that of the remembered image.
        n_inliers: correspondences that agree.
        share: of all correspondences.
    """

    T_keyframe_picture: Array = field(repr=False)
    n_inliers: int
    share: float


def local_features(color: npt.NDArray[np.uint8]) -> LocalFeatures:
    """Local features of an image (H, W, 3) uint8 RGB.

    Raises:
        ValueError: the image has another shape or type.
    """
    if color.ndim != 3 or color.shape[2] != 3 or color.dtype != np.uint8 or color.size == 0:
        raise ValueError(f"expected an image (H, W, 3) uint8, got {color.shape} {color.dtype}")
    height, width = color.shape[:2]
    scale = _WIDTH / width
    gray = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY)
    if scale != 1.0:
        how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
        gray = cv2.resize(gray, (_WIDTH, max(1, round(height * scale))), interpolation=how)
    # Rooms have weak texture: half of the usual contrast is asked for.
    points, rows = cv2.SIFT_create(nfeatures=_MAX_FEATURES, contrastThreshold=0.02).detectAndCompute(gray, None)  # type: ignore[attr-defined]
    if rows is None or not len(points):
        return LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32), (width, height))
    roots = np.sqrt(rows / np.maximum(rows.sum(axis=1, keepdims=True), 1e-9))
    pixels = (np.array([p.pt for p in points]) / _WIDTH).astype(np.float32)
    return LocalFeatures(pixels, np.asarray(roots, dtype=np.float32), (width, height))


def correspondences(a: LocalFeatures, b: LocalFeatures) -> npt.NDArray[np.int64]:
    """Pairs (M, 2) of rows of ``a`` and ``b`` that look like the same spot, each row of either at most once."""
    if len(a) < 2 or len(b) < 2:
        return np.empty((0, 2), dtype=np.int64)
    alike = a.descriptors @ b.descriptors.T  # (N, K) cosines
    rows = np.arange(len(a))
    best = alike.argmax(axis=1)
    first = alike[rows, best]
    second = np.partition(alike, -2, axis=1)[:, -2]
    # Distances of unit vectors: |x - y|^2 = 2 - 2 cos.
    distinct = (2.0 - 2.0 * first) < _RATIO**2 * (2.0 - 2.0 * second)
    mutual = alike.argmax(axis=0)[best] == rows
    kept = np.flatnonzero(distinct & mutual)
    return np.stack([kept, best[kept]], axis=1).astype(np.int64)


def picture_pose(
    picture: LocalFeatures,
    keyframe: LocalFeatures,
    depth: npt.NDArray[np.float32],
    camera: Camera,
) -> PicturePose | None:
    """From where a picture was taken, by a remembered image with its depth; None: they do not show the same.

    The picture's field of view is taken to be that of the remembered image.

    Args:
        picture, keyframe: features of both.
        depth: (H, W) float32 of the remembered image [m]; 0: not measured.
        camera: of the remembered image, rectified.
    """
    pairs = correspondences(picture, keyframe)
    if len(pairs) < MIN_INLIERS:
        return None
    at = keyframe.pixels[pairs[:, 1]].astype(np.float64) * camera.width  # (M, 2) [px]
    column = np.clip(at[:, 0].astype(np.int64), 0, camera.width - 1)
    row = np.clip(at[:, 1].astype(np.int64), 0, camera.height - 1)
    z = depth[row, column].astype(np.float64)
    known = z > 0
    if np.count_nonzero(known) < MIN_INLIERS:
        return None
    at, z = at[known], z[known]
    points = np.column_stack([(at[:, 0] - camera.cx) / camera.fx * z, (at[:, 1] - camera.cy) / camera.fy * z, z])
    seen = picture.pixels[pairs[known, 0]].astype(np.float64)  # (M, 2) shares of the width
    focal = camera.fx / camera.width
    ratio = picture.size[1] / picture.size[0]
    K = np.array([[focal, 0.0, 0.5], [0.0, focal * camera.fy / camera.fx, ratio / 2], [0.0, 0.0, 1.0]])
    cv2.setRNGSeed(0)  # the same picture gives the same answer
    ok, turn, shift, inliers = cv2.solvePnPRansac(
        points,
        seen,
        K,
        None,
        iterationsCount=_ITERATIONS,
        reprojectionError=_TOLERANCE,
        confidence=_CONFIDENCE,
        flags=cv2.SOLVEPNP_EPNP,
    )
    n = 0 if inliers is None else len(inliers)
    if not ok or n < MIN_INLIERS or n < _MIN_SHARE * len(points) or not np.all(np.isfinite(shift)):
        return None
    rows = inliers[:, 0]
    turn, shift = cv2.solvePnPRefineLM(points[rows], seen[rows], K, None, turn, shift)
    T_picture_keyframe = np.eye(4)
    T_picture_keyframe[:3, :3], T_picture_keyframe[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    if not np.all(np.isfinite(T_picture_keyframe)):
        return None
    return PicturePose(invert_pose(T_picture_keyframe), n, n / len(points))
