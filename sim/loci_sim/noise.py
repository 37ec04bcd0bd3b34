"""Sensor noise of the simulated robot: a Kinect's depth, a camera's colour and the drift of odometry.

Everything is drawn from a generator that the caller seeds; nothing here knows the scene.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci_sim.meshes import planar_pose

#: Distance between the Kinect's projector and its camera [m], its focal length of 5.453 mm in pixels of 9.3 um, and the step of
#: its disparity [px]: neighbouring depths differ by 0.00285 z^2 (Khoshelham and Elberink, Accuracy and Resolution of Kinect
#: Depth Data for Indoor Mapping Applications, Sensors 12, 2012). The sensor model published with Choi, Zhou and Koltun (CVPR
#: 2015), which Habitat takes over, has 35.13 px m: a step that is a quarter larger.
BASELINE, FOCAL, DISPARITY_STEP = 0.075, 5.453 / 0.0093, 1.0 / 8.0
FOCAL_BASELINE = FOCAL * BASELINE
#: Surfaces seen at more than this angle from their normal give no depth [degrees]: the steepest that Nguyen et al. measured.
MAX_ANGLE = 82.0
#: Share of pixels without depth where it jumps: chosen, not measured.
EDGE_DROPOUT = 0.3
#: Standard deviation of colour noise in the dark and, with the shot noise, at white [grey values]: chosen, not measured.
READ_SIGMA, WHITE_SIGMA = 1.5, 4.0

Depth = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NoiseParameters:
    """How noisy the sensors are; all zero: not at all.

    Attributes:
        depth: 1: as a Kinect; other values scale the axial and lateral deviations. 0: exact depth.
        color: 1: as a small camera indoors; other values scale the deviation.
        drift_translation: deviation of the reported way after one metre [m]; grows with the root of the way.
        drift_rotation: deviation of the reported heading after one metre, or one radian of turning [rad]; grows likewise.
        seed: of all draws.
    """

    depth: float = 0.0
    color: float = 0.0
    drift_translation: float = 0.0
    drift_rotation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("depth", "color", "drift_translation", "drift_rotation"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0.0):
                raise ValueError(f"expected noise {name} >= 0, got {value}")
        if self.seed < 0:
            raise ValueError(f"expected a noise seed >= 0, got {self.seed}")

    @property
    def drifts(self) -> bool:
        """Whether reported poses differ from true ones."""
        return self.drift_translation > 0.0 or self.drift_rotation > 0.0


def axial_sigma(depth: npt.ArrayLike, angle: npt.ArrayLike = 0.0) -> Array:
    """Standard deviation of a Kinect's depth [m] at a depth [m] and an angle between ray and surface normal [rad].

    Nguyen, Izadi and Lovell, Modeling Kinect Sensor Noise for Improved 3D Reconstruction and Tracking, 3DIMPVT 2012,
    section 3: 0.0012 + 0.0019 (z - 0.4)^2, and beyond 60 degrees further 0.0001 / sqrt(z) a^2 / (pi / 2 - a)^2. It was measured
    on depth as the sensor gives it and contains the rounding to steps of disparity.
    """
    z, a = np.asarray(depth), np.asarray(angle)
    sigma = 0.0012 + 0.0019 * (z - 0.4) ** 2
    slanted = 0.0001 / np.sqrt(np.maximum(z, 1e-3)) * (a / np.maximum(np.pi / 2 - a, 1e-2)) ** 2
    return np.asarray(sigma + np.where(a > np.pi / 3, slanted, 0.0))


def lateral_sigma(angle: npt.ArrayLike) -> Array:
    """Standard deviation sideways [px] at an angle between ray and surface normal [rad]: 0.8 + 0.035 a / (pi / 2 - a) (as above)."""
    a = np.asarray(angle)
    return np.asarray(0.8 + 0.035 * a / np.maximum(np.pi / 2 - a, 1e-2))


def view_angles(depth: Depth, camera: Camera) -> Depth:
    """Angle (H, W) between every pixel's ray and its surface's normal [rad]; pi / 2 where there is no depth.

    On a plane 1 / depth is linear in pixels, so that its gradient gives the plane's normal exactly; of the differences to
    both neighbours the smaller one counts, which is the one on the same surface.
    """
    measured = depth > 0
    inverse = np.where(measured, 1.0 / np.where(measured, depth, 1.0), 0.0).astype(np.float32)
    du, dv = _smaller_difference(inverse, 1), _smaller_difference(inverse, 0)
    x = (np.arange(camera.width, dtype=np.float32) - np.float32(camera.cx)) / np.float32(camera.fx)
    y = ((np.arange(camera.height, dtype=np.float32) - np.float32(camera.cy)) / np.float32(camera.fy))[:, None]
    nx, ny = np.float32(camera.fx) * du, np.float32(camera.fy) * dv
    nz = inverse - nx * x - ny * y
    cosine = inverse / np.sqrt((nx * nx + ny * ny + nz * nz) * (x * x + y * y + 1.0) + np.float32(1e-12))
    return np.where(measured, np.arccos(np.clip(cosine, 0.0, 1.0)), np.float32(np.pi / 2)).astype(np.float32)


def _smaller_difference(values: Depth, axis: int) -> Depth:
    """Difference to the next or the previous pixel along an axis, whichever is smaller."""
    step = np.diff(values, axis=axis)
    edge = [(0, 0), (0, 0)]
    edge[axis] = (0, 1)
    forward = np.pad(step, edge, constant_values=np.inf)
    edge[axis] = (1, 0)
    backward = np.pad(step, edge, constant_values=np.inf)
    smaller = np.where(np.abs(forward) <= np.abs(backward), forward, backward)
    return np.where(np.isfinite(smaller), smaller, 0.0).astype(np.float32)


def projector_shadow(depth: Depth, camera: Camera) -> npt.NDArray[np.bool_]:
    """Pixels (H, W) that the camera sees and the projector, `BASELINE` to its right, does not: they have no depth.

    Pixel u with disparity d lies in the projector's column u - d. Columns keep their order along a row except where
    something nearer, further right, stands between projector and surface.
    """
    with np.errstate(divide="ignore"):
        disparity = np.where(depth > 0, camera.fx * BASELINE / depth, 0.0)
    column = np.arange(camera.width) - disparity
    nearest = np.minimum.accumulate(column[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((column > nearest + 0.5) & (depth > 0))


def noisy(
    color: npt.NDArray[np.uint8], depth: Depth, camera: Camera, noise: NoiseParameters, stamp_ns: int, name: str
) -> tuple[npt.NDArray[np.uint8], Depth]:
    """Images (H, W, 3) and (H, W) [m] of a camera with their noise, if there is any.

    It is drawn anew for every stamp and camera: how often somebody looks does not change it.
    """
    if noise.depth > 0.0 or noise.color > 0.0:
        rng = np.random.default_rng([noise.seed, stamp_ns, crc32(name.encode())])
        depth = noisy_depth(depth, camera, rng, noise.depth) if noise.depth > 0.0 else depth
        color = noisy_color(color, rng, noise.color) if noise.color > 0.0 else color
    return color, depth


def noisy_depth(depth: Depth, camera: Camera, rng: np.random.Generator, scale: float = 1.0) -> Depth:
    """What a Kinect would measure of an exact depth image (H, W) [m]; 0: nothing measured.

    In this order: pixels move sideways (visible at edges), axial noise, disparity in whole steps, and no depth in the
    projector's shadow, on surfaces seen at a grazing angle and on part of the pixels at edges.
    """
    if depth.shape != (camera.height, camera.width):
        raise ValueError(f"expected depth of {(camera.height, camera.width)}, as the camera's, got {depth.shape}")
    h, w = depth.shape
    angles = view_angles(depth, camera)
    sigma = (scale * lateral_sigma(angles)).astype(np.float32)
    rows = np.arange(h)[:, None] + np.rint(sigma * rng.standard_normal((h, w), np.float32)).astype(np.int32)
    columns = np.arange(w) + np.rint(sigma * rng.standard_normal((h, w), np.float32)).astype(np.int32)
    moved = depth[np.clip(rows, 0, h - 1), np.clip(columns, 0, w - 1)]
    # A pixel takes its neighbour's depth only across an edge: on a surface that would double the axial noise.
    jump = np.abs(moved - depth) > 0.05 * depth
    edges = jump & (moved > 0)
    z = np.where(edges, moved, depth)
    # Rounding to steps comes below and is part of the deviation: what is drawn here is the rest.
    rounding = z * z * (DISPARITY_STEP / FOCAL_BASELINE / np.sqrt(12.0))
    drawn = np.sqrt(np.maximum((scale * axial_sigma(z, angles)) ** 2 - rounding**2, 0.0)).astype(np.float32)
    z = z + drawn * rng.standard_normal((h, w), np.float32)
    lost = (depth <= 0) | (moved <= 0) | (angles > np.radians(MAX_ANGLE)) | projector_shadow(depth, camera)
    lost |= _at_edge(depth) & (rng.random((h, w), np.float32) < EDGE_DROPOUT)
    with np.errstate(divide="ignore"):
        steps = np.rint(FOCAL_BASELINE / np.maximum(z, 0.05) / DISPARITY_STEP)
    quantised = FOCAL_BASELINE / DISPARITY_STEP / np.maximum(steps, 1.0)
    return np.where(lost, 0.0, quantised).astype(np.float32)


def _at_edge(depth: Depth) -> npt.NDArray[np.bool_]:
    """Pixels (H, W) beside a jump in depth of more than 5 %."""
    edge = np.zeros(depth.shape, dtype=bool)
    for axis in (0, 1):
        a, b = (depth[:-1], depth[1:]) if axis == 0 else (depth[:, :-1], depth[:, 1:])
        jump = np.abs(a - b) > 0.05 * np.minimum(a, b)
        if axis == 0:
            edge[:-1] |= jump
            edge[1:] |= jump
        else:
            edge[:, :-1] |= jump
            edge[:, 1:] |= jump
    return edge


def noisy_color(color: npt.NDArray[np.uint8], rng: np.random.Generator, scale: float = 1.0) -> npt.NDArray[np.uint8]:
    """A colour image (H, W, 3) with noise whose variance grows linearly with brightness.

    Read noise and shot noise as in Foi et al., Practical Poissonian-Gaussian Noise Modeling and Fitting for Single-Image
    Raw-Data, IEEE TIP 2008, with `READ_SIGMA` at black and `WHITE_SIGMA` at white.
    """
    values = color.astype(np.float32)
    shot = (WHITE_SIGMA**2 - READ_SIGMA**2) / 255.0
    sigma = np.float32(scale) * np.sqrt(np.float32(READ_SIGMA**2) + np.float32(shot) * values)
    noisy = values + sigma * rng.standard_normal(color.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


class PoseDrift:
    """The pose that odometry reports: true motions with errors that add up, beginning at the true pose.

    Their variances grow linearly with the way and the turn (a random walk), so that it does not matter into how many steps a
    motion is cut: Chong and Kleeman, Accurate Odometry and Error Modelling for a Mobile Robot, ICRA 1997. (In the odometry
    motion model of Thrun, Burgard and Fox, Probabilistic Robotics, 2005, section 5.4, deviations are proportional to each
    step, and many small steps drift less than one large one.) How large they are is the caller's choice.

    Args:
        parameters: its drift and seed.
    """

    def __init__(self, parameters: NoiseParameters) -> None:
        self._parameters = parameters
        self._rng = np.random.default_rng([parameters.seed, 3])
        self._true = self._reported = (0.0, 0.0, 0.0)

    def restart(self, x: float, y: float, yaw: float) -> None:
        """Begin at a true pose, as after a relocalisation; the draws go on."""
        self._true = self._reported = (x, y, yaw)

    def follow(self, x: float, y: float, yaw: float, z: float = 0.0) -> Array:
        """Reported pose (4, 4) of the base when the true one is (x, y, yaw) at a height z [m, rad]; the height is reported as it is."""
        x0, y0, yaw0 = self._true
        way = float(np.hypot(x - x0, y - y0))
        turn = float((yaw - yaw0 + np.pi) % (2.0 * np.pi) - np.pi)
        if way > 0.0 or turn != 0.0:
            p, (along, across, rotation) = self._parameters, self._rng.standard_normal(3).tolist()
            c, s = np.cos(yaw0), np.sin(yaw0)
            # The motion in the base frame before it, with its errors, made from the reported pose.
            forward, left = c * (x - x0) + s * (y - y0), -s * (x - x0) + c * (y - y0)
            forward += p.drift_translation * np.sqrt(way) * along
            left += p.drift_translation * np.sqrt(way) * across
            x1, y1, yaw1 = self._reported
            c, s = np.cos(yaw1), np.sin(yaw1)
            heading = yaw1 + turn + p.drift_rotation * np.sqrt(way + abs(turn)) * rotation
            self._reported = (float(x1 + c * forward - s * left), float(y1 + s * forward + c * left), float(heading))
            self._true = (x, y, yaw)
        return planar_pose(self._reported[0], self._reported[1], z, self._reported[2])
