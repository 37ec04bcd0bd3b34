"""Poses, cameras, projection and back-projection.

Conventions: poses are 4x4 float64 matrices named ``T_target_source`` (they map source points to the target frame);
camera frames are optical (x right, y down, z forward); the map frame is z-up; metres; quaternions are xyzw.
This module knows no memory, no ROS and no simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Rotations may be this far from orthonormal: poses printed with few digits are accepted and made exact.
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Camera:
    """Pinhole camera, with the lens distortion that is still in its images.

    Attributes:
        width, height: size of the image [px].
        fx, fy: focal lengths [px], > 0.
        cx, cy: principal point [px].
        distortion: coefficients in OpenCV's order; empty for a rectified image.
        distortion_model: ``"none"``, ``"plumb_bob"``, ``"rational_polynomial"`` or ``"equidistant"`` (ROS names).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    distortion_model: str = "none"

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"expected a camera image of at least 1x1 px, got {self.width}x{self.height}")
        values = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.all(np.isfinite(values)):
            raise ValueError(f"expected finite camera intrinsics, got {values}")
        if self.fx <= 0 or self.fy <= 0:
            raise ValueError(
                f"expected focal lengths > 0 px, got fx={self.fx}, fy={self.fy}: is the camera_info empty?"
            )

    @property
    def matrix(self) -> Array:
        """Intrinsic matrix K, (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def is_rectified(self) -> bool:
        """Whether images of this camera are free of lens distortion."""
        return not any(self.distortion)


def check_pose(T: npt.ArrayLike, name: str = "pose") -> Array:
    """Return ``T`` as a (4, 4) float64 pose whose rotation is exactly orthonormal.

    Raises:
        ValueError: wrong shape, not finite, singular, mirrored, or further than ``ROTATION_TOLERANCE`` from a rotation.
    """
    pose = np.asarray(T, dtype=np.float64)
    if pose.shape != (4, 4):
        raise ValueError(f"expected {name} of shape (4, 4), got {pose.shape}")
    if not np.all(np.isfinite(pose)):
        raise ValueError(f"expected a finite {name}, got {pose.tolist()}")
    if np.max(np.abs(pose[3] - (0.0, 0.0, 0.0, 1.0))) > 1e-6:
        raise ValueError(f"expected {name} with last row (0, 0, 0, 1), got {pose[3].tolist()}")
    rotation = pose[:3, :3]
    error = float(np.max(np.abs(rotation.T @ rotation - np.eye(3))))
    if error > ROTATION_TOLERANCE:
        raise ValueError(
            f"expected {name} with an orthonormal rotation (within {ROTATION_TOLERANCE}), got an error of {error:.3g}"
        )
    if np.linalg.det(rotation) < 0:
        raise ValueError(f"expected {name} with a right-handed rotation, got a mirrored one (determinant < 0)")
    u, _, vt = np.linalg.svd(rotation)
    exact = np.eye(4)
    exact[:3, :3] = u @ vt
    exact[:3, 3] = pose[:3, 3]
    return exact


def check_points(values: npt.ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> Array:
    """Points (N, 3), or an array of another shape, as float64 [m].

    Raises:
        ValueError: of another shape, or not finite; ``name`` is in the message.
    """
    array = np.asarray(values, dtype=np.float64)
    fits = array.shape == shape if shape is not None else array.ndim == 2 and array.shape[1] == 3
    if not fits or not np.all(np.isfinite(array)):
        expected = f"{name} {shape or '(N, 3)'}"
        raise ValueError(f"expected finite {expected} [m], got shape {array.shape}: {array.ravel()[:6].tolist()}")
    return array


def invert_pose(T: Array) -> Array:
    """Inverse of a rigid transform, (4, 4) or (N, 4, 4)."""
    inverse = np.zeros_like(T)
    rotation_t = np.swapaxes(T[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = rotation_t
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation_t, T[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def transform_points(T: Array, points: npt.NDArray[np.floating]) -> Array:
    """Apply a rigid transform (4, 4) to points (..., 3)."""
    return np.asarray(points @ T[:3, :3].T + T[:3, 3])


def pose_from_quaternion(position: npt.ArrayLike, quaternion_xyzw: npt.ArrayLike, name: str = "pose") -> Array:
    """Pose (4, 4) from a position (3,) [m] and a quaternion (x, y, z, w).

    Raises:
        ValueError: not finite, or the quaternion's norm is not 1 within 1e-2 (a message that was never filled in has norm 0).
    """
    p = np.asarray(position, dtype=np.float64)
    q = np.asarray(quaternion_xyzw, dtype=np.float64)
    if not (np.all(np.isfinite(p)) and np.all(np.isfinite(q))):
        raise ValueError(f"expected a finite {name}, got position {p.tolist()} and quaternion {q.tolist()}")
    norm = float(np.linalg.norm(q))
    if abs(norm - 1.0) > 1e-2:
        raise ValueError(f"expected {name} with a quaternion of norm 1, got {q.tolist()} of norm {norm:.3g}")
    x, y, z, w = q / norm
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = p
    return T


def quaternion_from_pose(T: Array) -> Array:
    """Quaternion (x, y, z, w) with w >= 0 of a pose (4, 4)."""
    R = T[:3, :3]
    # Largest of the four components first: stable for every rotation (Shepperd's method).
    candidates = np.array([R[0, 0], R[1, 1], R[2, 2], np.trace(R)])
    i = int(np.argmax(candidates))
    q = np.empty(4)
    if i == 3:
        q[:] = R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], 1.0 + candidates[3]
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        q[i] = 1.0 + R[i, i] - R[j, j] - R[k, k]
        q[j] = R[j, i] + R[i, j]
        q[k] = R[k, i] + R[i, k]
        q[3] = R[k, j] - R[j, k]
    q /= np.linalg.norm(q)
    return -q if q[3] < 0 else q


def rotation_angle(T_a: Array, T_b: Array) -> float:
    """Angle between the orientations of two poses [rad]."""
    cosine = (np.trace(T_a[:3, :3].T @ T_b[:3, :3]) - 1.0) / 2.0
    return float(np.arccos(np.clip(cosine, -1.0, 1.0)))


def look_at(position: npt.ArrayLike, target: npt.ArrayLike) -> Array:
    """``T_map_camera`` of an upright optical frame at ``position`` that looks at ``target`` (both (3,), map frame z-up)."""
    p, t = np.asarray(position, dtype=np.float64), np.asarray(target, dtype=np.float64)
    forward = t - p
    norm = np.linalg.norm(forward)
    if norm < 1e-9:
        raise ValueError(f"expected a target away from the camera position {p.tolist()}")
    forward /= norm
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if np.linalg.norm(right) < 1e-6:  # straight up or down: any horizontal axis will do
        right = np.array([0.0, -1.0, 0.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    T[:3, 3] = p
    return T


def pixel_rays(camera: Camera) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Normalised image coordinates (x/z of every column (W,), y/z of every row (H,)) of a rectified camera."""
    x = (np.arange(camera.width, dtype=np.float32) - np.float32(camera.cx)) / np.float32(camera.fx)
    y = (np.arange(camera.height, dtype=np.float32) - np.float32(camera.cy)) / np.float32(camera.fy)
    return x, y


def back_project(
    depth: npt.NDArray[np.float32], camera: Camera, box: tuple[int, int, int, int] | None = None
) -> npt.NDArray[np.float32]:
    """Camera-frame points of a depth image.

    Args:
        depth: (H, W) float32 [m], 0 where there is no measurement; or only the part of it inside ``box``.
        camera: rectified camera of the whole image.
        box: (x0, y0, x1, y1), half-open, of the part that ``depth`` is.

    Returns:
        (H, W, 3) float32 points [m]; pixels without a measurement give (0, 0, 0).
    """
    x, y = pixel_rays(camera)
    if box is not None:
        x, y = x[box[0] : box[2]], y[box[1] : box[3]]
    points = np.empty((*depth.shape, 3), dtype=np.float32)
    np.multiply(depth, x[None, :], out=points[..., 0])
    np.multiply(depth, y[:, None], out=points[..., 1])
    points[..., 2] = depth
    return points


def project(
    points: npt.NDArray[np.floating], camera: Camera
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Pixel coordinates (..., 2) (column, row) and depth (...) of camera-frame points (..., 3).

    Points at or behind the camera get NaN coordinates.
    """
    z = points[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = camera.fx * points[..., 0] / z + camera.cx
        v = camera.fy * points[..., 1] / z + camera.cy
    pixels = np.stack([u, v], axis=-1)
    pixels[z <= 0] = np.nan
    return pixels, z


def align_to_gravity(down: npt.ArrayLike) -> Array:
    """Rotation (4, 4) that takes a world in which ``down`` (3,) points down to a z-up one, by the smallest angle.

    Raises:
        ValueError: ``down`` is not a finite vector of a length > 0.
    """
    d = np.asarray(down, dtype=np.float64)
    norm = float(np.linalg.norm(d)) if d.shape == (3,) else float("nan")
    if not np.isfinite(norm) or norm < 1e-9:
        raise ValueError(f"expected a finite down direction (3,) of a length > 0, got {d.tolist()}")
    up = -d / norm
    x, y, cosine = up[1], -up[0], up[2]  # axis of rotation = up x (0, 0, 1)
    T = np.eye(4)
    if cosine < -1.0 + 1e-12:  # upside down: half a turn about x
        T[:3, :3] = np.diag([1.0, -1.0, -1.0])
        return T
    cross = np.array([[0.0, 0.0, y], [0.0, 0.0, -x], [-y, x, 0.0]])
    T[:3, :3] += cross + cross @ cross / (1.0 + cosine)
    return T
