"""The inner loops of comparing a picture with remembered things, compiled by numba: boxes of landmarks from many viewpoints, and how well they fit.

Compiles at its first call and is cached on disk; it releases the GIL.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

#: Points nearer to the camera than this are not seen [m].
NEAR = 0.1
#: Smallest side of a box that is compared [share of the image's width]; kernels' results are not told apart below it.
LEAST_SIDE = 0.01


@numba.njit(cache=True, nogil=True)
def project_boxes(
    R: npt.NDArray[np.float64],
    t: npt.NDArray[np.float64],
    points: npt.NDArray[np.float32],
    intrinsics: npt.NDArray[np.float64],
    shown: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Boxes of N landmarks in the images of V cameras.

    Args:
        R: (V, 3, 3) turns camera vectors into the map; t: (V, 3) [m].
        points: (N, P, 3) on each landmark [m], map frame.
        intrinsics: fx, fy, cx, cy and the height of the image [share of its width].
        shown: (V, N, P) points that nothing hides; (0, 0, 0): all of them.

    Returns:
        boxes (V, N, 4) x0, y0, x1, y1, cut by the image's border, 0 where no point is seen; the share (V, N) of a landmark's points that are
        seen; and which those are (V, N, P).
    """
    fx, fy, cx, cy, tall = intrinsics
    n_views, n_landmarks, n_points = len(R), points.shape[0], points.shape[1]
    boxes = np.zeros((n_views, n_landmarks, 4))
    shares = np.zeros((n_views, n_landmarks))
    inside = np.zeros((n_views, n_landmarks, n_points), dtype=np.bool_)
    limited = shown.size > 0
    for k in range(n_views):
        for n in range(n_landmarks):
            x0, y0, x1, y1 = 2.0, 2.0, -1.0, -1.0
            count = 0
            for p in range(n_points):
                if limited and not shown[k, n, p]:
                    continue
                x, y, z = points[n, p, 0] - t[k, 0], points[n, p, 1] - t[k, 1], points[n, p, 2] - t[k, 2]
                ahead = R[k, 0, 2] * x + R[k, 1, 2] * y + R[k, 2, 2] * z
                if ahead <= NEAR:
                    continue
                u = (R[k, 0, 0] * x + R[k, 1, 0] * y + R[k, 2, 0] * z) / ahead * fx + cx
                v = (R[k, 0, 1] * x + R[k, 1, 1] * y + R[k, 2, 1] * z) / ahead * fy + cy
                x0, y0, x1, y1 = min(x0, u), min(y0, v), max(x1, u), max(y1, v)
                if u >= 0.0 and u <= 1.0 and v >= 0.0 and v <= tall:
                    count += 1
                    inside[k, n, p] = True
            shares[k, n] = count / n_points
            if count > 0:
                boxes[k, n, 0], boxes[k, n, 1] = max(x0, 0.0), max(y0, 0.0)
                boxes[k, n, 2], boxes[k, n, 3] = min(x1, 1.0), min(y1, tall)
    return boxes, shares, inside


@numba.njit(cache=True, nogil=True)
def match_boxes(
    boxes: npt.NDArray[np.float64],
    seen: npt.NDArray[np.float64],
    likeness: npt.NDArray[np.float64],
    meant: int,
    candidate: int,
    softness: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """How well each of D detections fits the landmark that fits it best, in the images of V cameras; each fits one at most.

    Args:
        boxes: (V, N, 4) of landmarks, see `project_boxes`; all 0: not seen.
        seen: (D, 4) boxes of detections.
        likeness: (D, N) how much a detection and a landmark are alike before their boxes are compared; 0: they are of different kinds.
        meant, candidate: the detection and the landmark that are one; -1: none are.
        softness: standard deviations of a box's middle, absolute and as a share of its own size, and of the logarithm of its sides.

    Returns:
        (V, D) in [0, 1], and (V, D) the landmark, -1: none.
    """
    n_views, n_landmarks, n_seen = len(boxes), boxes.shape[1], len(seen)
    value = np.zeros((n_views, n_seen))
    match = np.full((n_views, n_seen), -1, dtype=np.int64)
    spread, own, stretch = softness
    held = np.zeros(n_landmarks)
    holder = np.zeros(n_landmarks, dtype=np.int64)
    for k in range(n_views):
        holder[:] = -1
        held[:] = 0.0
        for d in range(n_seen):
            width, height = max(seen[d, 2] - seen[d, 0], LEAST_SIDE), max(seen[d, 3] - seen[d, 1], LEAST_SIDE)
            sigma = spread + own * np.sqrt(width * height)
            best, at = 0.0, -1
            for n in range(n_landmarks):
                if likeness[d, n] <= 0.0 or boxes[k, n, 2] <= 0.0 or (d == meant) != (n == candidate):
                    continue
                across, down = (
                    max(boxes[k, n, 2] - boxes[k, n, 0], LEAST_SIDE),
                    max(boxes[k, n, 3] - boxes[k, n, 1], LEAST_SIDE),
                )
                x = (boxes[k, n, 0] + boxes[k, n, 2] - seen[d, 0] - seen[d, 2]) / (2.0 * sigma)
                y = (boxes[k, n, 1] + boxes[k, n, 3] - seen[d, 1] - seen[d, 3]) / (2.0 * sigma)
                a, b = np.log(across / width) / stretch, np.log(down / height) / stretch
                fit = likeness[d, n] * np.exp(-0.5 * (x * x + y * y) - 0.25 * (a * a + b * b))
                if fit > best:
                    best, at = fit, n
            if at < 0:
                continue
            if holder[at] >= 0 and held[at] >= best:
                continue
            if holder[at] >= 0:  # the other one fits less well
                value[k, holder[at]], match[k, holder[at]] = 0.0, -1
            holder[at], held[at] = d, best
            value[k, d], match[k, d] = best, at
    return value, match
