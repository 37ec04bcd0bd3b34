"""Which of several things a picture shows is told by what is around them, and from where it was taken comes out with it."""

from __future__ import annotations

import numpy as np
import pytest

from loci.geometry import Array, Camera, look_at, project, transform_points
from loci.geometry import invert_pose as inverse
from loci.scene.constellation import Fit, Landmarks, Seen, fit, sampled_points, weight_of

CAMERA = Camera(320, 240, 200.0, 200.0, 159.5, 119.5)
#: Label, middle and size of things [m]: a mug beside a kettle under a clock, and the same mug alone beside a plant, 8 m away.
THINGS = (
    ("mug", (2.0, 3.0, 0.95), (0.1, 0.1, 0.12)),
    ("kettle", (1.6, 3.05, 1.0), (0.2, 0.2, 0.25)),
    ("clock", (2.1, 3.3, 1.8), (0.3, 0.05, 0.3)),
    ("counter", (2.0, 3.1, 0.45), (2.0, 0.6, 0.9)),
    ("mug", (10.0, 3.0, 0.95), (0.1, 0.1, 0.12)),
    ("plant", (10.5, 3.1, 1.1), (0.3, 0.3, 0.6)),
    ("counter", (10.0, 3.1, 0.45), (2.0, 0.6, 0.9)),
)
TAKEN_FROM = look_at((2.3, 1.7, 1.4), (2.0, 3.0, 1.0))
MUG, OTHER_MUG = 0, 4


def surface(middle: tuple[float, float, float], size: tuple[float, float, float]) -> np.ndarray:
    """(M, 3) float32 points on a box [m]."""
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.5, 0.5, (300, 3))
    side = rng.integers(3, size=300)
    points[np.arange(300), side] = np.sign(points[np.arange(300), side]) * 0.5
    return (points * size + middle).astype(np.float32)


POINTS = [surface(middle, size) for _, middle, size in THINGS]


def picture(T_map_camera: Array, things: range | tuple[int, ...]) -> tuple[list[str], Seen]:
    """What a detector sees of some of the things from a pose, the first one in the middle."""
    labels, boxes = [], []
    for i in things:
        pixels, z = project(transform_points(inverse(T_map_camera), POINTS[i]), CAMERA)
        pixels = np.clip(pixels[z > 0.1], 0.0, (CAMERA.width, CAMERA.height)) / CAMERA.width
        labels.append(THINGS[i][0])
        boxes.append([*pixels.min(axis=0), *pixels.max(axis=0)])
    areas = np.array([(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes])
    return labels, Seen(np.array(boxes), weight_of(areas), CAMERA)


def fitted(candidate: int, seen: tuple[list[str], Seen], known: tuple[int, ...], **options: object) -> Fit:
    labels, boxes = seen
    likeness = np.array([[float(label == THINGS[k][0]) for k in known] for label in labels])
    landmarks = Landmarks(likeness, np.stack([sampled_points(POINTS[k]) for k in known]))
    return fit(boxes, 0, landmarks, known.index(candidate), 1.3, **options)  # type: ignore[arg-type]


EVERYTHING = tuple(range(len(THINGS)))


def test_the_mug_beside_the_kettle_is_told_from_the_one_beside_the_plant() -> None:
    seen = picture(TAKEN_FROM, range(4))
    right, wrong = fitted(MUG, seen, EVERYTHING), fitted(OTHER_MUG, seen, EVERYTHING)
    assert right.score > 0.85 > 0.5 > wrong.score
    assert right.match.tolist() == [0, 1, 2, 3]


def test_where_the_picture_was_taken_comes_out() -> None:
    found = fitted(MUG, picture(TAKEN_FROM, range(4)), EVERYTHING).T_map_camera
    # Boxes tell a camera's height less well than where it stands.
    assert np.linalg.norm(found[:2, 3] - TAKEN_FROM[:2, 3]) < 0.2
    assert abs(found[2, 3] - TAKEN_FROM[2, 3]) < 0.5
    assert found[:2, 2] @ TAKEN_FROM[:2, 2] > 0.9 * np.linalg.norm(found[:2, 2]) * np.linalg.norm(TAKEN_FROM[:2, 2])
    assert np.linalg.det(found[:3, :3]) == pytest.approx(1.0)


def test_a_mug_whose_surroundings_differ_is_not_accepted_while_the_right_one_was_not_seen() -> None:
    assert fitted(OTHER_MUG, picture(TAKEN_FROM, range(4)), (4, 5, 6)).score < 0.5


def test_what_should_be_seen_and_is_not_speaks_against_a_candidate() -> None:
    seen = picture(TAKEN_FROM, (MUG, 3))  # neither kettle nor clock
    assert fitted(MUG, seen, (0, 3)).score > fitted(MUG, seen, EVERYTHING).score + 0.05


def test_no_picture_is_taken_through_a_wall() -> None:
    seen = picture(TAKEN_FROM, range(4))

    def wall(origins: Array, targets: Array) -> np.ndarray:
        return (origins[:, 1] < 2.5) == (targets[:, 1] < 2.5)

    assert fitted(MUG, seen, EVERYTHING, sees=wall).score < 0.5
    assert fitted(MUG, seen, EVERYTHING, sees=lambda a, b: np.ones(len(a), bool)).score > 0.85


def test_points_that_are_sampled_keep_the_box() -> None:
    kept = sampled_points(POINTS[3])
    assert np.allclose(kept.min(axis=0), POINTS[3].min(axis=0))
    assert np.allclose(kept.max(axis=0), POINTS[3].max(axis=0))
    assert sampled_points(POINTS[3][:2]).shape == kept.shape
