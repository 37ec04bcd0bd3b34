"""What a view promises: how much space that nobody has seen a camera would see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.geometry import Array

UNKNOWN, OCCUPIED = -1, 1


@dataclass(frozen=True)
class GainParameters:
    """The camera whose view is judged.

    Attributes:
        horizontal_fov, vertical_fov: [degrees].
        max_range: further space does not count [m].
        n_columns, n_rows: rays.
        step: between two samples along a ray [m].
    """

    horizontal_fov: float = 80.0
    vertical_fov: float = 60.0
    max_range: float = 3.0
    n_columns: int = 17
    n_rows: int = 9
    step: float = 0.1

    def __post_init__(self) -> None:
        if not (0 < self.horizontal_fov <= 360 and 0 < self.vertical_fov <= 180):
            raise ValueError(f"expected fields of view in (0, 360] and (0, 180] degrees, got {self}")
        if not (0 < self.step <= self.max_range and self.n_columns > 0 and self.n_rows > 0):
            raise ValueError(f"expected 0 < step <= max_range and at least one ray, got {self}")


def unknown_volume(
    states_of: Callable[[Array], npt.NDArray[np.int8]],
    positions: npt.ArrayLike,
    directions: npt.ArrayLike,
    parameters: GainParameters | None = None,
) -> Array:
    """Volume of the unknown space that cameras would see [m3], (N,).

    After Bircher et al., Receding Horizon Next-Best-View Planner (ICRA 2016), where the gain of a view is the unmapped volume in
    sight: the sum, over rays and over samples at ranges r before the first occupied one, of r^2 dr dw where the space is unknown,
    with dw the solid angle of a ray.

    Args:
        states_of: state of points (M, 3) [m]: -1 unknown, 0 free, 1 occupied.
        positions: (N, 3) of the cameras [m].
        directions: (N, 3) horizontal unit vectors along which they look.
        parameters: of the cameras.
    """
    p = parameters or GainParameters()
    at, look = (np.asarray(a, dtype=np.float64).reshape(-1, 3) for a in (positions, directions))
    azimuth = _bins(np.radians(p.horizontal_fov), p.n_columns)
    elevation = _bins(np.radians(p.vertical_fov), p.n_rows)
    turned = np.arctan2(look[:, 1], look[:, 0])[:, None] + azimuth  # (N, C)
    level = np.stack([np.cos(turned), np.sin(turned)], axis=-1)[:, :, None] * np.cos(elevation)[:, None]  # (N, C, R, 2)
    rise = np.broadcast_to(np.sin(elevation)[:, None], (*level.shape[:3], 1))
    rays = np.concatenate([level, rise], axis=-1)
    ranges = (np.arange(int(p.max_range / p.step)) + 0.5) * p.step  # (K,)
    points = at[:, None, None, None] + rays[..., None, :] * ranges[:, None]  # (N, C, R, K, 3)
    states = states_of(points.reshape(-1, 3)).reshape(points.shape[:-1])
    in_sight = ~np.logical_or.accumulate(states == OCCUPIED, axis=-1)
    solid_angle = (
        np.cos(elevation) * np.radians(p.horizontal_fov) * np.radians(p.vertical_fov) / (p.n_columns * p.n_rows)
    )
    volume = ((states == UNKNOWN) & in_sight) * (ranges**2 * p.step)
    return np.asarray((volume.sum(axis=-1) * solid_angle).sum(axis=(1, 2)))


def _bins(width: float, n: int) -> Array:
    """Middles of n equal parts of an angle around 0."""
    return np.asarray(((np.arange(n) + 0.5) / n - 0.5) * width)
