"""The simulator's services for interactions and scoring, over real DDS: what is refused changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from geometry_msgs.msg import Point
from loci_ros.srv import SimulatorGroundTruth, SimulatorInteract, SimulatorShortestPath, SimulatorStep
from rig import Rig, overrides

from loci.nodes.errors import Code
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.node import SimulatorNode
from loci_sim.scenes import ScenePath, generate_apartment
from loci_sim.viewpoints import viewpoints

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ScenePath:
    return generate_apartment(3, tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def rig(ros_domain: int, files: ScenePath) -> Iterator[Rig]:
    chosen = overrides(scene=str(files.glb), width=160, height=120, person_events=5, person_day=4.0)
    made = Rig(lambda context: [SimulatorNode(context=context, parameter_overrides=chosen)])
    assert made.bring_up() == [True]
    yield made
    made.close()


@pytest.fixture(scope="module")
def twin(files: ScenePath) -> EmbeddedSimulator:
    return EmbeddedSimulator(files)


def truth(rig: Rig, *ids: str) -> dict:
    answer = rig.call(SimulatorGroundTruth, "get_ground_truth", {"viewpoints_of": list(ids)})
    assert answer.error_code == Code.NONE, answer.error_msg
    return json.loads(answer.json)


def test_ground_truth_has_objects_rooms_and_viewpoints(rig: Rig, twin: EmbeddedSimulator) -> None:
    bed = next(o for o in twin.objects if o.category == "bed")
    told = truth(rig, bed.id)
    assert {o["id"] for o in told["objects"]} == {o.id for o in twin.objects}
    assert {r["id"] for r in told["rooms"]} == {r.id for r in twin.scene.rooms}
    np.testing.assert_allclose(told["viewpoints"][bed.id], viewpoints(twin, bed.id), atol=1e-3)


def test_the_person_moves_things_as_time_goes_by(rig: Rig) -> None:
    """Five things in four seconds: one step takes 0.2 s."""
    for _ in range(21):
        rig.call(SimulatorStep, "step", {"action": "look"})
    person = truth(rig)["person"]
    assert len(person) == 5
    assert any(deed["reason"] == "" for deed in person)


def test_the_shortest_path_is_the_simulators(rig: Rig, twin: EmbeddedSimulator, rng: np.random.Generator) -> None:
    start, *goals = (twin.grid.random_point(rng) for _ in range(6))
    points = [Point(x=x, y=y) for x, y in goals]
    request = {"has_start": True, "start": Point(x=start[0], y=start[1]), "goals": points}
    answer = rig.call(SimulatorShortestPath, "get_shortest_path", request)
    assert answer.found
    expected = [twin.shortest_path(start, goal) for goal in goals]
    assert answer.length == pytest.approx(min(p.length for p in expected if p), rel=0.02)
    end = answer.path.poses[-1].pose.position
    assert (end.x, end.y) == pytest.approx(goals[answer.goal_index], abs=0.1)
    far = rig.call(SimulatorShortestPath, "get_shortest_path", {"goals": [Point(x=500.0)]})
    assert (far.error_code, far.found) == (Code.NONE, False)


@pytest.mark.parametrize(
    ("service", "name", "fields", "message"),
    [
        (SimulatorInteract, "interact", {"interaction": "eat", "label": "mug"}, "expected an interaction among"),
        (SimulatorInteract, "interact", {"interaction": "pick"}, "neither"),
        (SimulatorInteract, "interact", {"interaction": "pick", "object_id": "no-1"}, "expected the id of an object"),
        (
            SimulatorInteract,
            "interact",
            {"interaction": "pick", "has_position": True, "position": Point(x=float("nan"))},
            "finite",
        ),
        (SimulatorGroundTruth, "get_ground_truth", {"viewpoints_of": ["no-1"]}, "expected the id of an object"),
        (SimulatorGroundTruth, "get_ground_truth", {"viewpoints_of": ["bed-1"] * 101}, "at most 100"),
        (SimulatorShortestPath, "get_shortest_path", {}, "1 to 1000 goals"),
        (SimulatorShortestPath, "get_shortest_path", {"goals": [Point(x=float("inf"))]}, "finite"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    rig: Rig, service: type, name: str, fields: dict, message: str
) -> None:
    before = truth(rig)
    answer = rig.call(service, name, fields)
    assert answer.error_code == Code.INVALID_REQUEST
    assert message in answer.error_msg
    assert truth(rig) == before


def test_what_is_not_in_view_is_not_done_and_says_why(rig: Rig) -> None:
    before = truth(rig)
    answer = rig.call(SimulatorInteract, "interact", {"interaction": "pick", "label": "unicorn"})
    assert (answer.error_code, answer.done, answer.reason) == (Code.NONE, False, "no unicorn is in view")
    assert truth(rig) == before
