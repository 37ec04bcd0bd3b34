"""Lens models: where a ray ends in a distorted image, and back. The models and coefficient orders of ROS and OpenCV.

Plain NumPy, so that the answers do not depend on OpenCV's version; the tests compare with OpenCV.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.geometry import Camera

Array = npt.NDArray[np.float64]

_N_COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12), "equidistant": (4,)}


def check_lens(camera: Camera) -> None:
    """Check that the camera's distortion can be removed.

    Raises:
        ValueError: an unknown distortion model, or a wrong number of coefficients.
    """
    if camera.is_rectified:
        return
    accepted = _N_COEFFICIENTS.get(camera.distortion_model)
    if accepted is None:
        known = ", ".join(("none", *_N_COEFFICIENTS))
        raise ValueError(f"expected a distortion model among {known}, got {camera.distortion_model!r}")
    if len(camera.distortion) not in accepted:
        counts = " or ".join(map(str, accepted))
        raise ValueError(f"expected {counts} coefficients for {camera.distortion_model}, got {len(camera.distortion)}")


def distort(rays: Array, camera: Camera) -> Array:
    """Pixels (..., 2), as the lens shows them, of rays given by x/z and y/z (..., 2)."""
    return _bend(rays, camera) * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def undistort(pixels: Array, camera: Camera) -> Array:
    """Rays x/z and y/z (..., 2) of pixels (..., 2) as the lens shows them; the inverse of `distort`.

    Pixels that no ray in front of the camera reaches (corners beyond the lens model's range) give NaN.
    """
    check_lens(camera)
    bent = (pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    if camera.is_rectified:
        return np.asarray(bent)
    rays = _initial_rays(bent, camera)
    step = 1e-6
    along_x, along_y = np.diag((step, step))
    for _ in range(20):  # Newton's method on the two coordinates, with differences for the derivatives
        here = _bend(rays, camera)
        error = here - bent
        du = (_bend(rays + along_x, camera) - here) / step
        dv = (_bend(rays + along_y, camera) - here) / step
        det = du[..., 0] * dv[..., 1] - du[..., 1] * dv[..., 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            x = (error[..., 0] * dv[..., 1] - error[..., 1] * dv[..., 0]) / det
            y = (error[..., 1] * du[..., 0] - error[..., 0] * du[..., 1]) / det
        rays = rays - np.stack([x, y], axis=-1)
        if np.nanmax(np.abs(error), initial=0.0) < 1e-10:
            break
    with np.errstate(invalid="ignore"):
        failed = ~(np.max(np.abs(_bend(rays, camera) - bent), axis=-1) < 1e-6)
    rays[failed] = np.nan
    return np.asarray(rays)


def _initial_rays(bent: Array, camera: Camera) -> Array:
    if camera.distortion_model != "equidistant":
        return np.array(bent)
    theta = np.linalg.norm(bent, axis=-1, keepdims=True)  # without coefficients: the angle is the radius
    return np.asarray(bent * np.where(theta > 1e-9, np.tan(np.minimum(theta, 1.4)) / np.maximum(theta, 1e-9), 1.0))


def _bend(rays: Array, camera: Camera) -> Array:
    """Distorted image coordinates (..., 2) of undistorted ones, both for a focal length of 1."""
    check_lens(camera)
    if camera.is_rectified:
        return rays
    x, y = rays[..., 0], rays[..., 1]
    r2 = x * x + y * y
    if camera.distortion_model == "equidistant":  # Kannala and Brandt 2006
        k1, k2, k3, k4 = camera.distortion
        r = np.sqrt(r2)
        theta = np.arctan(r)
        t2 = theta * theta
        angle = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        scale = np.where(r > 1e-9, angle / np.maximum(r, 1e-9), 1.0)
        return np.asarray(rays * scale[..., None])
    # Brown's model, with the rational and thin-prism terms where they are given.
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = (*camera.distortion, *(0.0,) * (12 - len(camera.distortion)))
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4),
        ],
        axis=-1,
    )
