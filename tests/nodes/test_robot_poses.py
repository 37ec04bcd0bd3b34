"""Where a robot is, by the memory's newest keyframe or by tf; nobody guesses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from loci.geometry import Array, look_at
from loci.nodes.client import MemoryServiceError
from loci.nodes.errors import BadInput, Code
from loci.nodes.navigation import MemoryPose, TfPose
from loci.planning.bodies import BodyError
from loci.query import Evidence


class Memory:
    """Holds one keyframe."""

    def __init__(self, T_map_camera: Array | None, session: str = "today") -> None:
        self.T, self.session, self.is_down = T_map_camera, session, False

    def recall(self, query: Any) -> Any:
        if self.is_down:
            raise MemoryServiceError(Code.UNAVAILABLE, "memory is not active")
        newest = Evidence("keyframe/1", "keyframe", "", 1.0, "long_term", 1, session=self.session, T_map_camera=self.T)
        return SimpleNamespace(evidence=() if self.T is None else (newest,))

    def statistics(self) -> dict[str, str]:
        return {"session": "today"}


@pytest.mark.parametrize("heading", [-3.0, -1.0, 0.0, 0.4, 2.0])
@pytest.mark.parametrize("pitch", [-1.5, -0.3, 0.0, 0.3])
def test_the_robot_is_where_its_camera_is_and_faces_where_it_looks(heading: float, pitch: float) -> None:
    eye = np.array([1.0, 2.0, 1.2])
    ahead = np.array([np.cos(heading) * np.cos(pitch), np.sin(heading) * np.cos(pitch), np.sin(pitch)])
    T = MemoryPose(Memory(look_at(eye, eye + ahead)))()  # type: ignore[arg-type]
    np.testing.assert_allclose(T[:3, 3], eye)
    np.testing.assert_allclose(T[:3, 0], [np.cos(heading), np.sin(heading), 0.0], atol=1e-6)
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)


def test_a_camera_that_looks_straight_down_faces_where_its_upper_edge_is() -> None:
    T_map_camera = np.eye(4)
    T_map_camera[:3, :3] = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])  # image up is along x
    np.testing.assert_allclose(MemoryPose(Memory(T_map_camera))()[:3, 0], [1.0, 0.0, 0.0], atol=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("memory", "message"),
    [(Memory(None), "holds no image"), (Memory(np.eye(4), session="yesterday"), "no image came since")],
)
def test_an_old_place_is_not_taken_for_the_robots(memory: Any, message: str) -> None:
    with pytest.raises(BodyError, match=message):
        MemoryPose(memory)()


def test_a_memory_that_does_not_answer_is_told() -> None:
    memory = Memory(np.eye(4))
    memory.is_down = True
    with pytest.raises(BodyError, match="not active"):
        MemoryPose(memory)()  # type: ignore[arg-type]


def test_tf_gives_the_newest_pose_of_the_base_or_says_why_not() -> None:
    asked: list[tuple[Any, ...]] = []

    def lookup(*arguments: Any) -> Array:
        asked.append(arguments)
        if len(asked) > 1:
            raise BadInput("pose_missing", "tf has no map <- base_link")
        return np.eye(4)

    where = TfPose(SimpleNamespace(lookup=lookup), "map", "base_link")  # type: ignore[arg-type]
    np.testing.assert_array_equal(where(), np.eye(4))
    assert asked[0][:3] == ("map", "base_link", 0)
    with pytest.raises(BodyError, match="tf has no map"):
        where()
