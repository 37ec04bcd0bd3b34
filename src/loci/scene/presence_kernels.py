"""The inner loop of negative evidence, compiled by numba: objects' points held against a depth image.

Compiles at its first call and is cached on disk; it releases the GIL.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

#: Columns of what `look` counts: points that the camera sees through, that it sees where they are, and that something is
#: in front of; of those that it sees where they are those under a mask of the object's own label, and those under another.
THROUGH, AT, HIDDEN, NAMED, OTHER = range(5)


@numba.njit(cache=True, nogil=True)
def look(
    points: npt.NDArray[np.float32],
    starts: npt.NDArray[np.int64],
    T_camera_map: npt.NDArray[np.float64],
    intrinsics: npt.NDArray[np.float64],
    depth: npt.NDArray[np.float32],
    names: npt.NDArray[np.int16],
    own: npt.NDArray[np.bool_],
    max_range: float,
    margin: npt.NDArray[np.float64],
    error: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Hold the points of K objects against a depth image.

    A point is seen through only where the camera looks past it in the whole neighbourhood that its projection may be wrong
    by, and is seen where it is if any pixel of it measures its depth; what is neither and not hidden says nothing.

    Args:
        points: (P, 3) [m], map frame, object after object.
        starts: (K + 1,) first point of each object.
        T_camera_map: (4, 4).
        intrinsics: fx, fy, cx, cy [px].
        depth: (H, W) [m], 0: no measurement, which says nothing.
        names: (H, W) number of the label of the mask at each pixel, 0: none.
        own: (K, L) whether label l, 1 <= l < L, is one of object k's.
        max_range: points farther along the optical axis say nothing [m].
        margin: differences of depth up to ``margin[0] + margin[1] * z`` [m] say nothing.
        error: how far off a pose may be: angle [rad] and translation [m].

    Returns:
        (K, 5) numbers of points, see `THROUGH`; (K, 4) lowest column and row and highest column and row of the pixels of
        points that are not hidden (lowest > highest: there are none).
    """
    height, width = depth.shape
    fx, fy, cx, cy = intrinsics
    n_objects = len(starts) - 1
    counts = np.zeros((n_objects, 5), dtype=np.int64)
    boxes = np.empty((n_objects, 4), dtype=np.int64)
    for k in range(n_objects):
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = width, height, -1, -1
        for n in range(starts[k], starts[k + 1]):
            x, y, z = np.float64(points[n, 0]), np.float64(points[n, 1]), np.float64(points[n, 2])
            ahead = T_camera_map[2, 0] * x + T_camera_map[2, 1] * y + T_camera_map[2, 2] * z + T_camera_map[2, 3]
            if ahead <= 0.05 or ahead > max_range:
                continue
            right = T_camera_map[0, 0] * x + T_camera_map[0, 1] * y + T_camera_map[0, 2] * z + T_camera_map[0, 3]
            down = T_camera_map[1, 0] * x + T_camera_map[1, 1] * y + T_camera_map[1, 2] * z + T_camera_map[1, 3]
            u, v = int(np.round(fx * right / ahead + cx)), int(np.round(fy * down / ahead + cy))
            reach = int(min(max(np.ceil(fx * (error[0] + error[1] / ahead)), 1.0), 8.0))
            # A neighbourhood that the image cuts off may hide the object beside it.
            if u < reach or v < reach or u >= width - reach or v >= height - reach:
                continue
            measured = np.float64(depth[v, u])
            if measured <= 0.0:
                continue
            allowed = margin[0] + margin[1] * ahead
            step = max(1, reach // 2)
            nearest, closest = measured, abs(measured - ahead)
            n_measured = n_pixels = 0
            for j in range(-reach, reach + 1, step):
                for i in range(-reach, reach + 1, step):
                    d = np.float64(depth[v + j, u + i])
                    n_pixels += 1
                    if d > 0.0:
                        n_measured += 1
                        nearest = min(nearest, d)
                        closest = min(closest, abs(d - ahead))
            through = nearest > ahead + allowed and 2 * n_measured >= n_pixels
            at = closest <= allowed
            if not through and not at:
                if measured < ahead:
                    counts[k, HIDDEN] += 1
                continue
            counts[k, THROUGH if through else AT] += 1
            name = names[v, u]
            if at and name > 0:
                counts[k, NAMED if own[k, name] else OTHER] += 1
            boxes[k, 0], boxes[k, 1] = min(boxes[k, 0], u), min(boxes[k, 1], v)
            boxes[k, 2], boxes[k, 3] = max(boxes[k, 2], u), max(boxes[k, 3], v)
    return counts, boxes
