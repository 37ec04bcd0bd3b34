"""A picture finds the images that show the same, and where it was taken from; a picture of something else finds nothing for sure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from loci.geometry import Array, Camera, look_at
from loci.memory import RobotMemory
from loci.observation import Frame, Observation
from loci.query import SAME_SURROUNDINGS, SAME_VIEW, Query
from synthetic import ROOM, tour

CAMERA = Camera(320, 240, 200.0, 200.0, 160.0, 120.0)
WALL = 2.5  # [m] before each camera
#: Three rooms; the camera looks at a wall of its own in each.
POSES = [look_at((x, 0.0, 1.2), (x, WALL, 1.2)) for x in (0.0, 5.0, 10.0)]


def wall(seed: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: what hangs on a wall."""
    rng = np.random.default_rng(seed)
    image = np.full((CAMERA.height, CAMERA.width, 3), 200, dtype=np.uint8)
    for _ in range(120):
        x, y, r = int(rng.integers(CAMERA.width)), int(rng.integers(CAMERA.height)), int(rng.integers(4, 22))
        cv2.circle(image, (x, y), r, tuple(int(v) for v in rng.integers(0, 256, size=3)), -1)
        cv2.line(image, (x, y), (x + 2 * r, y - r), tuple(int(v) for v in rng.integers(0, 256, size=3)), 3)
    return cv2.GaussianBlur(image, (3, 3), 0)


def taken_from(image: np.ndarray, moved: Array) -> np.ndarray:
    """The wall as a camera sees it that was moved (3,) [m] along the first camera's axes."""
    K = np.array([[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1.0]])
    H = K @ (np.eye(3) - np.outer(moved, [0, 0, 1.0]) / WALL) @ np.linalg.inv(K)
    return np.asarray(cv2.warpPerspective(image, H, (CAMERA.width, CAMERA.height), borderValue=(200, 200, 200)))


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RobotMemory]:
    with RobotMemory.open(tmp_path_factory.mktemp("pictures") / "memory", map_id="home") as opened:
        depth = np.full((CAMERA.height, CAMERA.width), WALL, dtype=np.float32)
        for i, T in enumerate(POSES):
            opened.observe(Observation(Frame(wall(i), depth, CAMERA, T, (i + 1) * 1_000_000_000), ()))
        yield opened


@pytest.mark.parametrize("room", range(3))
@pytest.mark.parametrize("moved", [(0.4, 0.0, 0.0), (-0.3, 0.1, 0.7), (0.0, 0.0, 1.0)])
def test_a_picture_finds_its_wall_and_where_it_was_taken(
    memory: RobotMemory, room: int, moved: tuple[float, float, float]
) -> None:
    picture = taken_from(wall(room), np.array(moved))
    found = memory.recall(Query(image=picture, kinds=("keyframe",))).evidence
    true = POSES[room] @ np.array([*moved, 1.0])
    assert found[0].stamp_ns == (room + 1) * 1_000_000_000
    assert found[0].score >= SAME_VIEW
    assert found[0].position is not None
    assert np.linalg.norm(np.array(found[0].position) - true[:3]) < 0.2
    assert all(e.score < SAME_VIEW for e in found[1:])


def test_a_picture_of_something_else_finds_nothing_for_sure(memory: RobotMemory) -> None:
    found = memory.recall(Query(image=wall(77), kinds=("keyframe",))).evidence
    assert len(found) == 3
    assert all(e.score < SAME_VIEW for e in found)
    for e in found:  # then it is where the image itself was taken
        assert e.T_map_camera is not None
        assert np.allclose(e.position, e.T_map_camera[:3, 3])


def test_pages_of_a_picture_do_not_repeat(memory: RobotMemory) -> None:
    picture = taken_from(wall(1), np.array([0.2, 0.0, 0.3]))
    pages = [memory.recall(Query(image=picture, kinds=("keyframe",), limit=1, offset=i)) for i in range(3)]
    assert len({p.evidence[0].id for p in pages}) == 3
    assert {p.n_total for p in pages} == {3}


def test_a_picture_without_texture_finds_its_thing_by_what_is_around_it(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "memory", map_id="home") as opened:
        for observation in tour():
            opened.observe(observation)
        for thing, taken_from in (("chair", (1.6, 0.6, 1.4)), ("mug", (1.6, 0.6, 1.4))):
            box = next(b for b in ROOM.boxes if b.label == thing)
            T = look_at(taken_from, box.center)
            seen = ROOM.observe(T, 99)
            query = Query(image=seen.frame.color, detections=seen.detections, kinds=("object",))
            best, *others = opened.recall(query).evidence
            assert best.label == thing
            assert best.score >= SAME_SURROUNDINGS
            assert all(e.score < best.score for e in others)
            assert best.T_map_camera is not None
            assert np.linalg.norm(best.T_map_camera[:3, 3] - T[:3, 3]) < 0.4


def test_what_was_seen_in_a_picture_belongs_to_the_picture() -> None:
    seen = ROOM.observe(look_at((1.6, 1.2, 1.3), (2.5, 3.2, 0.4)), 99)
    with pytest.raises(ValueError, match="together with the image"):
        Query(detections=seen.detections)
    with pytest.raises(ValueError, match="inside the 20x10 image"):
        Query(image=np.zeros((10, 20, 3), np.uint8), detections=seen.detections)


def test_what_is_forgotten_is_not_compared_any_more(tmp_path: Path) -> None:
    depth = np.full((CAMERA.height, CAMERA.width), WALL, dtype=np.float32)
    with RobotMemory.open(tmp_path / "memory", map_id="home") as opened:
        for i, T in enumerate(POSES[:2]):
            opened.observe(Observation(Frame(wall(i), depth, CAMERA, T, (i + 1) * 1_000_000_000), ()))
        first = opened.recall(Query(image=wall(0), kinds=("keyframe",))).evidence[0]
        assert first.score >= SAME_VIEW
        opened.forget([first.id])
        assert all(e.score < SAME_VIEW for e in opened.recall(Query(image=wall(0), kinds=("keyframe",))).evidence)
