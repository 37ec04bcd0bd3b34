"""Cameras as they are: colour and depth of different size, lens and position become one rectified RGB-D image.

All that does not depend on the measured depth is computed once per pair of cameras. Robots' own parts are hidden by a
static mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numba
import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera, check_pose, pixel_rays
from loci.observation import clean_depth
from loci.perception.lenses import check_lens, distort, undistort


class Rectifier:
    """Brings the images of a colour and a depth camera together.

    Args:
        color_camera: with its distortion, if it has one.
        depth_camera: of the depth images; None: they are taken with the colour camera already (same size and lens).
        T_color_depth: (4, 4) maps points of the depth camera to the colour camera; None: the same position.
        self_mask: bool, of the colour image's size as it comes from the camera; True where the robot sees itself.

    Attributes:
        camera: rectified camera of both images that `rectify` returns.

    Raises:
        ValueError: an unknown distortion model, a wrong number of coefficients, a mask of another size, a bad pose.
    """

    def __init__(
        self,
        color_camera: Camera,
        depth_camera: Camera | None = None,
        T_color_depth: Array | None = None,
        self_mask: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.color_camera = color_camera
        self.depth_camera = depth_camera or color_camera
        self.camera = replace(color_camera, distortion=(), distortion_model="none")
        check_lens(self.color_camera)
        check_lens(self.depth_camera)
        T = np.eye(4) if T_color_depth is None else check_pose(T_color_depth, "T_color_depth")
        self._color_maps = _undistortion_maps(color_camera)
        shape = (color_camera.height, color_camera.width)
        hidden = np.zeros(shape, dtype=np.bool_)
        if self_mask is not None:
            if self_mask.shape != shape or self_mask.dtype != np.bool_:
                raise ValueError(
                    f"expected a self mask {shape} bool like the colour image, got {self_mask.shape} {self_mask.dtype}"
                )
            hidden = self_mask
            if self._color_maps is not None:
                body = np.where(hidden, np.uint8(255), np.uint8(0))
                hidden = cv2.remap(body, *self._color_maps, cv2.INTER_LINEAR) > 0  # whatever has a share of it
        self._hidden = hidden if hidden.any() else None
        self._register = self._registration(T)

    def rectify(
        self, color: npt.NDArray[np.generic], depth: npt.NDArray[np.generic], depth_unit: float | None = None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Rectified images of `camera`.

        Args:
            color: (H, W, 3) uint8 RGB of the colour camera.
            depth: (h, w) of the depth camera, unsigned counts or float metres (see `loci.observation.clean_depth`).
            depth_unit: metres per count.

        Returns:
            color (H, W, 3) uint8 and depth (H, W) float32 [m], 0 where nothing was measured or the robot sees itself.

        Raises:
            ValueError: an image is not what its camera says.
        """
        expected = (self.camera.height, self.camera.width, 3)
        if color.shape != expected or color.dtype != np.uint8:
            raise ValueError(
                f"expected color {expected} uint8 RGB as its camera_info says, got {color.shape} {color.dtype}"
            )
        size = (self.depth_camera.height, self.depth_camera.width)
        if depth.shape != size:
            raise ValueError(f"expected depth {size} as its camera_info says, got {depth.shape} {depth.dtype}")
        registered = self._register(clean_depth(depth, depth_unit))
        if self._hidden is not None:
            registered[self._hidden] = 0.0
        image = np.asarray(color, dtype=np.uint8)
        if self._color_maps is not None:
            image = cv2.remap(image, *self._color_maps, cv2.INTER_LINEAR)
        return image, registered

    # --- registration of depth ----------------------------------------------------------------------------------------

    def _registration(self, T: Array) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        same_place = float(np.max(np.abs(T[:3, 3]))) < 1e-6
        if same_place and self.depth_camera == self.camera and np.allclose(T, np.eye(4), atol=1e-6):
            return lambda depth: depth
        return self._resampling(T[:3, :3]) if same_place else self._splatting(T)

    def _resampling(self, rotation: Array) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Both cameras are at one place: every colour pixel looks along one ray of the depth camera, whatever the depth."""
        x, y = pixel_rays(self.camera)
        rays = np.stack([*np.meshgrid(x, y), np.ones((len(y), len(x)), dtype=np.float32)], axis=-1).astype(np.float64)
        in_depth = rays @ rotation  # (H, W, 3): rotation.T applied to every ray
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = distort(in_depth[..., :2] / in_depth[..., 2:], self.depth_camera)
        pixels[in_depth[..., 2] <= 1e-6] = -10.0
        maps = np.ascontiguousarray(pixels.astype(np.float32))
        scale = (1.0 / np.maximum(in_depth[..., 2], 1e-6)).astype(
            np.float32
        )  # z along the colour axis of z = 1 in depth

        def resample(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return _remap_depth(depth, maps) * scale

        return resample

    def _splatting(self, T: Array) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Different places: measured points are moved and drawn with a z-buffer, close enough together to leave no holes."""
        source, target = self.depth_camera, self.camera
        ratio = max(target.fx / source.fx, target.fy / source.fy)
        # Refined until neighbours land about one pixel apart; up to two would still leave no hole.
        factor = max(1, int(np.ceil(ratio - 0.05)))
        height, width = source.height * factor, source.width * factor
        # Sub-pixel centres of the refined depth image in pixels of the measured one.
        u = (np.arange(width) + 0.5) / factor - 0.5
        v = (np.arange(height) + 0.5) / factor - 0.5
        grid = np.stack(np.meshgrid(u, v), axis=-1)  # (h, w, 2)
        rays = np.concatenate([undistort(grid, source), np.ones((height, width, 1))], axis=-1)
        moved = (rays @ T[:3, :3].T).astype(np.float32)  # (h, w, 3), per metre of depth
        offset = T[:3, 3].astype(np.float32)
        intrinsics = np.array([target.fx, target.fy, target.cx, target.cy], dtype=np.float32)
        maps = np.ascontiguousarray(grid.astype(np.float32)) if factor > 1 else None

        def splat(depth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            fine = depth if maps is None else _refine_depth(depth, maps)
            image = np.full((target.height, target.width), np.inf, dtype=np.float32)
            _draw(fine, moved, offset, intrinsics, image)
            image[np.isinf(image)] = 0.0
            return image

        return splat


@numba.njit(cache=True, nogil=True)
def _draw(
    depth: npt.NDArray[np.float32],
    rays: npt.NDArray[np.float32],
    offset: npt.NDArray[np.float32],
    intrinsics: npt.NDArray[np.float32],
    image: npt.NDArray[np.float32],
) -> None:
    """Draw the points ``depth * rays + offset`` (h, w, 3) on the four pixels around each, the nearest winning."""
    fx, fy, cx, cy = intrinsics
    height, width = image.shape
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            d = depth[i, j]
            z = d * rays[i, j, 2] + offset[2]
            if not (d > 0.0 and z > 1e-3):
                continue
            u = fx * (d * rays[i, j, 0] + offset[0]) / z + cx
            v = fy * (d * rays[i, j, 1] + offset[1]) / z + cy
            if not (u > -0.5 and u < width - 0.5 and v > -0.5 and v < height - 0.5):
                continue
            x0, y0 = int(np.floor(u)), int(np.floor(v))
            for y in (y0, y0 + 1):
                for x in (x0, x0 + 1):
                    if 0 <= x < width and 0 <= y < height and z < image[y, x]:
                        image[y, x] = z


def _remap_depth(depth: npt.NDArray[np.float32], maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Depth at sub-pixel positions (H, W, 2): interpolated on surfaces, nearest at jumps and beside missing pixels."""
    nearest = cv2.remap(depth, maps, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    linear = cv2.remap(depth, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _where_smooth(depth, maps, nearest, linear)


def _refine_depth(depth: npt.NDArray[np.float32], maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    nearest = cv2.remap(depth, maps, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    linear = cv2.remap(depth, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _where_smooth(depth, maps, nearest, linear)


def _where_smooth(
    depth: npt.NDArray[np.float32],
    maps: npt.NDArray[np.float32],
    nearest: npt.NDArray[np.float32],
    linear: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """``linear`` where the four neighbours are one surface, else ``nearest``."""
    kernel = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(depth, kernel) - cv2.erode(depth, kernel) > 0.05 * depth + 0.02
    jump |= cv2.erode(depth, kernel) <= 0
    rough = cv2.remap(jump.view(np.uint8), maps, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=1)
    return np.where((rough > 0) | (nearest <= 0), nearest, linear)


def _undistortion_maps(camera: Camera) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]] | None:
    """Maps for `cv2.remap` that remove the distortion, or None if there is none."""
    if camera.is_rectified:
        return None
    x, y = pixel_rays(replace(camera, distortion=(), distortion_model="none"))
    pixels = distort(np.stack(np.meshgrid(x, y), axis=-1).astype(np.float64), camera)
    return cv2.convertMaps(pixels.astype(np.float32), None, cv2.CV_16SC2)
