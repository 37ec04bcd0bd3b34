"""Aligning a recording's world with gravity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.geometry import align_to_gravity, check_pose, rotation_angle

component = st.floats(-1.0, 1.0)


@given(st.tuples(component, component, component).filter(lambda d: np.linalg.norm(d) > 1e-3))
def test_down_becomes_minus_z_by_the_smallest_rotation(down: tuple[float, float, float]) -> None:
    T = check_pose(align_to_gravity(down))
    unit = np.array(down) / np.linalg.norm(down)
    np.testing.assert_allclose(T[:3, :3] @ unit, (0.0, 0.0, -1.0), atol=1e-6)
    assert rotation_angle(T, np.eye(4)) == pytest.approx(np.arccos(np.clip(-unit[2], -1, 1)), abs=1e-5)


@pytest.mark.parametrize("down", [(0.0, 0.0, 1.0), (0.0, 0.0, -1.0), (1e-9, 0.0, 1.0)])
def test_worlds_that_are_upright_or_upside_down(down: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(check_pose(align_to_gravity(down))[:3, :3] @ down, (0.0, 0.0, -1.0), atol=1e-6)


@pytest.mark.parametrize("down", [(0.0, 0.0, 0.0), (np.nan, 0.0, 1.0), (0.0, 1.0)])
def test_no_direction_is_refused(down: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="down direction"):
        align_to_gravity(down)
