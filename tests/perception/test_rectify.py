"""Colour and depth of different cameras become one image: against analytic planes and against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loci.geometry import Camera, pixel_rays
from loci.perception.lenses import distort, undistort
from loci.perception.rectify import Rectifier

PLUMB_BOB = (0.1, -0.2, 0.001, -0.002, 0.05)
RATIONAL = (0.4, -0.1, 0.001, -0.0005, 0.02, 0.6, -0.05, 0.01)
EQUIDISTANT = (0.01, -0.02, 0.003, -0.001)
DEPTH = Camera(320, 240, 290.0, 290.0, 160.0, 120.0)
COLOR = Camera(640, 360, 460.0, 460.0, 320.0, 180.0)


def lens(camera: Camera, coefficients: tuple[float, ...], model: str) -> Camera:
    return Camera(camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy, coefficients, model)


def plane_depth(camera: Camera, normal: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Exact depth (H, W) of the plane through ``point`` in the camera's (distorted) pixels."""
    pixels = np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1).astype(float)
    rays = np.concatenate([undistort(pixels, camera), np.ones((camera.height, camera.width, 1))], axis=-1)
    return (normal @ point) / (rays @ normal)


def shifted(x: float, degrees: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0.0, np.radians(degrees), 0.0]))[0]
    T[:3, 3] = x, 0.01, 0.0
    return T


@pytest.mark.parametrize(
    "depth_camera",
    [DEPTH, lens(DEPTH, PLUMB_BOB, "plumb_bob"), Camera(640, 480, 580.0, 580.0, 320.0, 240.0)],
    ids=["smaller", "distorted", "larger"],
)
@pytest.mark.parametrize(
    "T_color_depth", [np.eye(4), shifted(0.05), shifted(-0.04, 3.0)], ids=["same", "beside", "turned"]
)
@pytest.mark.parametrize("color_lens", [((), "none"), (PLUMB_BOB, "plumb_bob")], ids=["straight", "curved"])
def test_a_plane_stays_the_same_plane_without_holes(depth_camera, T_color_depth, color_lens):
    color_camera = lens(COLOR, *color_lens)
    normal, point = np.array([0.3, 0.2, -1.0]), np.array([0.0, 0.0, 2.0])
    depth = plane_depth(depth_camera, normal, point).astype(np.float32)
    rectifier = Rectifier(color_camera, depth_camera, T_color_depth)
    _, registered = rectifier.rectify(np.zeros((360, 640, 3), np.uint8), depth)
    expected = plane_depth(rectifier.camera, T_color_depth[:3, :3] @ normal, (T_color_depth @ [*point, 1.0])[:3])
    seen = registered > 0
    assert np.all(seen[40:-40, 160:-160])
    # Half a pixel on a slanted plane is a few millimetres.
    np.testing.assert_allclose(registered[seen], expected[seen], atol=0.012)
    assert np.median(np.abs(registered[seen] - expected[seen])) < 0.004


def test_the_nearer_surface_hides_the_farther_one():
    depth = np.full((240, 320), 3.0, np.float32)
    depth[:, 150:170] = 1.0
    _, registered = Rectifier(DEPTH, DEPTH, shifted(0.1)).rectify(np.zeros((240, 320, 3), np.uint8), depth)
    row = registered[120]
    # The post moves by f * 0.1 / 1, the wall behind it by f * 0.1 / 3: between them the colour camera sees what depth did not.
    assert np.all(row[182:196] == 1.0)
    assert set(np.unique(row)) == {0.0, 1.0, 3.0}
    assert np.count_nonzero(row[20:-20] == 0) == pytest.approx(290 * 0.1 * (1 - 1 / 3), abs=3)


def test_depth_is_not_interpolated_across_a_jump():
    depth = np.full((240, 320), 3.0, np.float32)
    depth[:, 160:] = 1.0
    larger = Camera(640, 480, 580.0, 580.0, 320.5, 240.5)
    for T in (np.eye(4), shifted(0.03)):
        _, registered = Rectifier(larger, DEPTH, T).rectify(np.zeros((480, 640, 3), np.uint8), depth)
        assert np.all(np.min(np.abs(registered[registered > 0][:, None] - [1.0, 3.0]), axis=1) < 1e-5)


@pytest.mark.parametrize(
    ("coefficients", "model"),
    [(PLUMB_BOB, "plumb_bob"), (PLUMB_BOB[:4], "plumb_bob"), (RATIONAL, "rational_polynomial")],
)
def test_lenses_bend_as_opencv_says(coefficients, model, rng):
    camera = lens(COLOR, coefficients, model)
    rays = rng.uniform((-0.6, -0.35), (0.6, 0.35), (500, 2))
    points = np.concatenate([rays, np.ones((500, 1))], axis=1)
    reference = cv2.projectPoints(points, np.zeros(3), np.zeros(3), camera.matrix, np.array(coefficients))[0][:, 0]
    np.testing.assert_allclose(distort(rays, camera), reference, atol=1e-6)


def test_fisheyes_bend_as_opencv_says(rng):
    fisheye = (
        pytest.importorskip("cv2").fisheye if hasattr(cv2, "fisheye") else pytest.skip("this OpenCV has no fisheye")
    )
    camera = lens(COLOR, EQUIDISTANT, "equidistant")
    rays = rng.uniform(-1.5, 1.5, (500, 2))
    reference = fisheye.distortPoints(rays[:, None], camera.matrix, np.array(EQUIDISTANT))[:, 0]
    np.testing.assert_allclose(distort(rays, camera), reference, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    k=st.floats(-0.15, 0.15),
    p=st.floats(-0.005, 0.005),
    model=st.sampled_from(["plumb_bob", "rational_polynomial", "equidistant"]),
    x=st.floats(-0.65, 0.65),
    y=st.floats(-0.35, 0.35),
)
def test_undistorting_inverts_distorting(k, p, model, x, y):
    coefficients = {
        "plumb_bob": (k, k / 3, p, -p, k / 9),
        "rational_polynomial": (k, k / 3, p, -p, 0.0, k / 2, 0.0, 0.0),
        "equidistant": (k / 3, k / 9, 0.0, 0.0),
    }[model]
    camera = lens(COLOR, coefficients, model)
    ray = np.array([[x, y]])
    np.testing.assert_allclose(undistort(distort(ray, camera), camera), ray, atol=1e-6)


def test_a_pixel_that_no_ray_reaches_is_nan():
    # r (1 - 0.15 r^2 - 0.05 r^4 - 0.0167 r^6) is never more than 0.789; this image's corner lies at 0.798.
    camera = lens(COLOR, (-0.15, -0.05, 0.0, 0.0, -0.0167), "plumb_bob")
    corner, centre = undistort(np.array([[0.0, 0.0], [320.0, 180.0]]), camera)
    assert np.all(np.isnan(corner))
    np.testing.assert_allclose(centre, 0.0, atol=1e-9)


def test_a_rectified_line_is_straight():
    camera = lens(COLOR, PLUMB_BOB, "plumb_bob")
    ends = np.array([[-0.5, -0.3], [0.5, -0.2]])
    image = np.zeros((360, 640, 3), np.uint8)
    for ray in np.linspace(*ends, 4000):
        u, v = np.rint(distort(ray, camera)).astype(int)
        if 1 <= u < 639 and 1 <= v < 359:
            image[v - 1 : v + 2, u - 1 : u + 2] = 255
    rectified, _ = Rectifier(camera).rectify(image, np.zeros((360, 640), np.float32))
    x, y = pixel_rays(COLOR)
    rows, columns = np.nonzero(rectified[..., 0] > 100)
    on_line = ends[0, 1] + (x[columns] - ends[0, 0]) * (ends[1, 1] - ends[0, 1])
    assert len(rows) > 500
    assert np.max(np.abs(y[rows] - on_line)) * COLOR.fy < 3.0


def test_the_robots_own_body_is_hidden_where_it_appears_after_rectification():
    camera = lens(COLOR, PLUMB_BOB, "plumb_bob")
    mask = np.zeros((360, 640), dtype=bool)
    mask[300:, 200:400] = True
    image = np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    color, depth = Rectifier(camera, self_mask=mask).rectify(image, np.full((360, 640), 2.0, np.float32))
    inside, outside = color[..., 0] == 255, color[..., 0] == 0  # what lies between is the body's edge, interpolated
    valid = np.zeros_like(inside)
    valid[10:-10, 10:-10] = True
    assert np.all(depth[inside & valid] == 0)
    assert np.all(depth[outside & valid] > 0)


def test_matching_cameras_leave_images_as_they_are(rng):
    color = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    counts = rng.integers(0, 4000, (240, 320)).astype(np.uint16)
    counts[0, 0] = 65535
    image, depth = Rectifier(DEPTH).rectify(color, counts)
    np.testing.assert_array_equal(image, color)
    np.testing.assert_allclose(depth[1:], counts[1:] / 1000.0, rtol=1e-6)
    assert depth[0, 0] == 0.0


def test_invalid_depth_gives_no_points():
    depth = np.full((240, 320), np.nan, np.float32)
    depth[100:110] = -1.0
    depth[110:120] = np.inf
    for T in (np.eye(4), shifted(0.05)):
        _, registered = Rectifier(COLOR, DEPTH, T).rectify(np.zeros((360, 640, 3), np.uint8), depth)
        assert not registered.any()


@pytest.mark.parametrize(
    ("color", "depth", "message"),
    [
        (
            np.zeros((240, 320, 3), np.float32),
            np.zeros((240, 320), np.float32),
            r"color \(240, 320, 3\) uint8.*float32",
        ),
        (np.zeros((240, 320, 4), np.uint8), np.zeros((240, 320), np.float32), r"color .* got \(240, 320, 4\)"),
        (np.zeros((240, 320, 3), np.uint8), np.zeros((120, 320), np.float32), r"depth \(240, 320\).*got \(120, 320\)"),
        (
            np.zeros((240, 320, 3), np.uint8),
            np.zeros((240, 320), np.int32),
            "unsigned 16-bit counts or float metres.*int32",
        ),
        (
            np.zeros((240, 320, 3), np.uint8),
            np.zeros((240, 320), np.uint8),
            "unsigned 16-bit counts or float metres.*uint8",
        ),
    ],
)
def test_images_that_do_not_fit_their_cameras_are_refused(color, depth, message):
    with pytest.raises(ValueError, match=message):
        Rectifier(DEPTH).rectify(color, depth)


def test_cameras_that_cannot_be_rectified_are_refused():
    with pytest.raises(ValueError, match=r"distortion model among none, plumb_bob.*got 'thin_prism'"):
        Rectifier(lens(COLOR, (0.1,), "thin_prism"))
    with pytest.raises(ValueError, match="4 or 5 coefficients for plumb_bob, got 3"):
        Rectifier(COLOR, lens(DEPTH, (0.1, 0.1, 0.1), "plumb_bob"))
    with pytest.raises(ValueError, match=r"self mask \(360, 640\) bool"):
        Rectifier(COLOR, self_mask=np.zeros((240, 320), dtype=bool))
    with pytest.raises(ValueError, match="T_color_depth"):
        Rectifier(COLOR, DEPTH, np.ones((4, 4)))
