"""The volume that a view promises, against integrals by hand."""

from __future__ import annotations

import numpy as np
import pytest

from loci.geometry import Array
from loci.spatial.information_gain import GainParameters, unknown_volume

FINE = GainParameters(n_columns=60, n_rows=60, step=0.02)


def sector(low: float, high: float, p: GainParameters = FINE) -> float:
    """Volume of the field of view between two ranges [m3]."""
    azimuth, elevation = np.radians(p.horizontal_fov), np.radians(p.vertical_fov)
    return float((high**3 - low**3) / 3 * azimuth * 2 * np.sin(elevation / 2))


@pytest.mark.parametrize("heading", [0.0, 0.7, 3.0, -2.0])
def test_nothing_known_promises_the_whole_field_of_view(heading: float) -> None:
    look = np.array([[np.cos(heading), np.sin(heading), 0.0]])
    found = unknown_volume(lambda points: np.full(len(points), -1, dtype=np.int8), np.ones((1, 3)), look, FINE)
    assert found[0] == pytest.approx(sector(0.0, FINE.max_range), rel=0.01)
    coarse = unknown_volume(lambda points: np.full(len(points), -1, dtype=np.int8), np.ones((1, 3)), look)
    assert coarse[0] == pytest.approx(found[0], rel=0.02)


def test_only_what_lies_before_the_first_obstacle_counts() -> None:
    def shells(points: Array) -> np.ndarray:
        """Free up to 1 m, unknown up to 2 m, a wall, and unknown behind it."""
        r = np.linalg.norm(points, axis=1)
        return np.select([r < 1.0, r < 2.0, r < 2.2], [0, -1, 1], -1).astype(np.int8)

    found = unknown_volume(shells, np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0]]), FINE)
    assert found[0] == pytest.approx(sector(1.0, 2.0), rel=0.02)


def test_what_is_known_promises_nothing_and_views_are_judged_apart() -> None:
    def half(points: Array) -> np.ndarray:
        return np.where(points[:, 0] > 0.0, -1, 0).astype(np.int8)

    at = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [-4.0, 0.0, 1.0]])
    look = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = unknown_volume(half, at, look)
    assert found[0] > 5.0
    assert found[1:].tolist() == [0.0, 0.0]


def test_bad_cameras_are_refused() -> None:
    with pytest.raises(ValueError, match="fields of view"):
        GainParameters(horizontal_fov=0.0)
    with pytest.raises(ValueError, match="step"):
        GainParameters(step=5.0)
