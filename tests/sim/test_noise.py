"""Noise has the deviations of its sources, is the same for a seed, and is absent unless asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scene_geometry import empty_room

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.geometry import Camera
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.noise import (
    BASELINE,
    DISPARITY_STEP,
    FOCAL_BASELINE,
    NoiseParameters,
    PoseDrift,
    axial_sigma,
    lateral_sigma,
    noisy_color,
    noisy_depth,
    projector_shadow,
    view_angles,
)

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
SMALL = RobotParameters(width=160, height=120)


def flat(z: float) -> np.ndarray:
    return np.full((CAMERA.height, CAMERA.width), z, np.float32)


def slanted(degrees: float, z: float = 2.0) -> np.ndarray:
    """Depth of a plane at ``z`` on the axis, turned about the vertical."""
    x = (np.arange(CAMERA.width) - CAMERA.cx) / CAMERA.fx
    return np.broadcast_to(z / (1.0 - np.tan(np.radians(degrees)) * x), (CAMERA.height, CAMERA.width)).astype(
        np.float32
    )


@pytest.mark.parametrize(("z", "published"), [(1.0, 0.00188), (2.0, 0.00606), (3.0, 0.01404)])
def test_axial_deviation_is_the_published_one_with_the_quantisation_in_it(z: float, published: float) -> None:
    assert axial_sigma(z) == pytest.approx(published, abs=1e-5)
    measured = noisy_depth(flat(z), CAMERA, np.random.default_rng(0))
    middle = measured[100:140, 140:180]  # seen at a right angle
    assert np.all(middle > 0)
    assert np.std(measured[measured > 0]) == pytest.approx(published, rel=0.05)
    assert np.mean(measured[measured > 0]) == pytest.approx(z, abs=0.1 * published)


def test_steps_of_depth_are_the_published_ones() -> None:
    """Khoshelham and Elberink 2012: 0.00285 z^2, which is 7 cm at 5 m."""
    assert pytest.approx(0.00285, rel=0.01) == DISPARITY_STEP / FOCAL_BASELINE
    values = np.unique(noisy_depth(flat(5.0), CAMERA, np.random.default_rng(0)))
    assert np.median(np.diff(values[values > 4.9][:3])) == pytest.approx(0.07, rel=0.05)


def test_depth_comes_in_steps_of_disparity_that_grow_with_the_square_of_the_distance() -> None:
    values = [np.unique(noisy_depth(flat(z), CAMERA, np.random.default_rng(1))) for z in (1.0, 3.0)]
    for v in values:
        steps = FOCAL_BASELINE / DISPARITY_STEP / v[v > 0]
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    near, far = (np.diff(v[v > 0]).mean() for v in values)
    assert far / near == pytest.approx(9.0, rel=0.1)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 45.0, 70.0])
def test_view_angles_on_a_plane_are_exact(degrees: float) -> None:
    angles = view_angles(slanted(degrees), CAMERA)
    assert np.degrees(angles[119:121, 159:161]).mean() == pytest.approx(degrees, abs=0.2)


def test_grazing_surfaces_give_no_depth_and_steep_ones_more_noise() -> None:
    assert np.all(noisy_depth(slanted(86.0), CAMERA, np.random.default_rng(0))[:, 155:165] == 0.0)
    assert np.all(noisy_depth(slanted(40.0), CAMERA, np.random.default_rng(0))[:, 155:165] > 0.0)
    assert axial_sigma(2.0, np.radians(80.0)) > 1.2 * axial_sigma(2.0, np.radians(50.0))
    assert axial_sigma(2.0, np.radians(50.0)) == axial_sigma(2.0)
    assert lateral_sigma(0.0) == pytest.approx(0.8)
    assert lateral_sigma(np.radians(75.0)) == pytest.approx(0.8 + 0.035 * 5.0)


def test_edges_fray_and_surfaces_away_from_them_do_not() -> None:
    depth = flat(3.0)
    depth[:, :160] = 1.5
    measured = noisy_depth(depth, CAMERA, np.random.default_rng(0))
    near = np.where(measured > 0, np.abs(measured - 1.5) < 0.5, False)
    assert 0 < np.count_nonzero(near[:, 160:164]) < near[:, 160:164].size  # took the near side's depth
    assert not np.any(near[:, 170:])
    assert np.all(near[:, :150])


def test_the_projectors_shadow_is_as_wide_as_the_parallax_and_left_of_the_nearer_thing() -> None:
    depth = flat(4.0)
    depth[:, 100:200] = 1.0
    shadow = projector_shadow(depth, CAMERA)
    width = CAMERA.fx * BASELINE * (1.0 / 1.0 - 1.0 / 4.0)
    assert np.count_nonzero(shadow[120]) == pytest.approx(width, abs=1.0)
    assert shadow[120, 99]
    assert not np.any(shadow[120, 100:])
    assert np.mean(noisy_depth(depth, CAMERA, np.random.default_rng(0))[:, 90:99] > 0) == 0.0


def test_nothing_measured_stays_nothing() -> None:
    assert np.all(noisy_depth(flat(0.0), CAMERA, np.random.default_rng(0)) == 0.0)


@pytest.mark.parametrize(("value", "sigma"), [(30, 2.0), (128, 3.04), (200, 3.62)])
def test_colour_noise_grows_with_brightness(value: int, sigma: float) -> None:
    noisy = noisy_color(np.full((200, 200, 3), value, np.uint8), np.random.default_rng(0)).astype(float)
    assert noisy.mean() == pytest.approx(value, abs=0.05)
    assert noisy.std() == pytest.approx(sigma, rel=0.03)


def test_drift_grows_with_the_root_of_the_way() -> None:
    errors: dict[int, list[float]] = {100: [], 400: []}
    for seed in range(150):
        drift = PoseDrift(NoiseParameters(drift_translation=0.05, seed=seed))
        drift.restart(0.0, 0.0, 0.0)
        for i in range(1, 401):
            T = drift.follow(0.1 * i, 0.0, 0.0)
            if i in errors:
                errors[i].append(float(T[0, 3] - 0.1 * i))
    assert np.std(errors[100]) == pytest.approx(0.05 * np.sqrt(10.0), rel=0.2)
    assert np.std(errors[400]) / np.std(errors[100]) == pytest.approx(2.0, rel=0.2)
    assert abs(np.mean(errors[400])) < 0.08


def test_a_robot_that_stands_does_not_drift_and_one_without_drift_reports_the_truth() -> None:
    drift = PoseDrift(NoiseParameters(drift_translation=0.1, drift_rotation=0.1))
    drift.restart(1.0, 2.0, 0.5)
    moved = drift.follow(1.5, 2.0, 0.5)
    np.testing.assert_array_equal(drift.follow(1.5, 2.0, 0.5), moved)
    exact = PoseDrift(NoiseParameters())
    exact.restart(1.0, 2.0, 3.0)
    for pose in ((1.5, 2.2, -3.0), (1.6, 2.0, 2.0)):
        T = exact.follow(*pose)
        np.testing.assert_allclose([T[0, 3], T[1, 3], np.arctan2(T[1, 0], T[0, 0])], pose, atol=1e-12)


def runs(noise: NoiseParameters | None, extra_look: bool = False) -> EmbeddedSimulator:
    simulator = EmbeddedSimulator(empty_room(), SMALL, noise=noise)
    for _ in range(6):
        simulator.step("move_forward")
        if extra_look:
            simulator.observe()
    return simulator


def test_the_simulator_is_exact_unless_noise_is_asked_for() -> None:
    o = runs(None).observe()
    np.testing.assert_array_equal(o.T_map_base, o.T_map_base_true)
    np.testing.assert_array_equal(o.T_map_camera, o.T_map_camera_true)
    np.testing.assert_array_equal(o.depth, runs(NoiseParameters()).observe().depth)


def test_noise_is_the_same_for_a_seed_and_does_not_depend_on_who_looks() -> None:
    noise = NoiseParameters(1.0, 1.0, 0.05, 0.02, seed=4)
    a, b = runs(noise).observe(), runs(noise, extra_look=True).observe()
    other = runs(NoiseParameters(1.0, 1.0, 0.05, 0.02, seed=5)).observe()
    for name in ("color", "depth", "T_map_camera"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert not np.array_equal(getattr(a, name), getattr(other, name))


def test_with_drift_the_truth_is_kept_apart() -> None:
    simulator = runs(NoiseParameters(drift_translation=0.1, drift_rotation=0.1, seed=1))
    o, exact = simulator.observe(), runs(None).observe()
    np.testing.assert_array_equal(o.T_map_base_true, exact.T_map_base)
    np.testing.assert_array_equal(o.depth, exact.depth)  # the camera is where it is, whatever is reported
    assert np.linalg.norm(o.T_map_base[:2, 3] - exact.T_map_base[:2, 3]) > 0.01
    np.testing.assert_allclose(np.linalg.inv(o.T_map_base) @ o.T_map_camera, SMALL.T_base_camera, atol=1e-12)
    np.testing.assert_allclose(o.frame().T_map_camera, o.T_map_camera, atol=1e-12)
    np.testing.assert_allclose(simulator.position()[:2], exact.T_map_base[:2, 3])
    np.testing.assert_array_equal(simulator.reset().T_map_base, simulator.observe().T_map_base_true)


@pytest.mark.parametrize("bad", [{"depth": -1.0}, {"color": float("nan")}, {"drift_rotation": -0.1}, {"seed": -1}])
def test_impossible_noise_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        NoiseParameters(**bad)  # type: ignore[arg-type]


def test_depth_of_another_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="expected depth"):
        noisy_depth(flat(1.0)[:10], CAMERA, np.random.default_rng(0))
