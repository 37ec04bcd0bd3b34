"""The node `planner` over real DDS, asking a real memory through its services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from geometry_msgs.msg import PoseStamped
from loci.nodes.tasks import thing_to_find
from loci_ros import action, srv
from loci_ros import msg as m
from rclpy.action import ActionClient
from rclpy.node import Node
from rig import Rig, overrides, until

from loci.nodes import conversions as c
from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code
from loci.nodes.facade import make_nodes
from loci.nodes.planning import PlannerNode
from synthetic import ROOM, tour

TOUR = tour()


@pytest.fixture(scope="module")
def rig(ros_domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A memory that has seen a room, and a planner beside it."""
    memory = overrides(
        storage_directory=str(tmp_path_factory.mktemp("memories")),
        map_id="room",
        queue_size=100,
        preload_text_encoder=False,
    )
    planner = overrides(text_encoder=False, goal_tolerance=1.0)
    rig = Rig(
        lambda context: [
            *make_nodes(context, parameter_overrides=memory),
            PlannerNode(context, parameter_overrides=planner),
        ]
    )
    try:
        assert all(rig.bring_up())
        publisher = rig.publisher(m.Observation, "observations")
        for i, o in enumerate(TOUR):
            publisher.publish(c.to_observation(o, "map", sequence=i))
        assert until(lambda: rig.nodes[0].host.newest_stamp_ns == TOUR[-1].frame.stamp_ns, 60.0)
        yield rig
    finally:
        rig.close()


def execute(rig: Rig, instruction: str, max_steps: int = 10) -> tuple[Any, list[str]]:
    stages: list[str] = []
    node = Node("asker", context=rig.context)
    client = ActionClient(node, action.ExecuteTask, "execute_task")
    rig.executor.add_node(node)  # only now: an executor must not see an action client that is half made
    assert client.wait_for_server(20.0)
    goal = action.ExecuteTask.Goal(instruction=instruction, max_steps=max_steps)
    sent = client.send_goal_async(goal, feedback_callback=lambda f: stages.append(f.feedback.stage))
    assert until(sent.done)
    done = sent.result().get_result_async()
    assert until(done.done)
    rig.executor.remove_node(node)
    return done.result().result, stages


def test_questions_are_answered_with_evidence(ros_domain: int, rig: Rig) -> None:
    with MemoryClient(timeout=20.0) as client:
        answer = client.ask("What is on the table?", limit=5, min_stamp_ns=TOUR[-1].frame.stamp_ns)
        assert answer.known
        assert {e.label for e in answer.evidence} & {"mug", "book"}
        with_image = client.ask("where is the mug", with_images=True)
        assert with_image.evidence[0].image[:2] == b"\xff\xd8"
        unknown = client.ask("where is the elephant?")
        assert not unknown.known


@pytest.mark.parametrize(
    ("question", "limit"), [("", 5), ("   ", 5), ("where is the mug", 0), ("where is the mug", 10**9)]
)
def test_a_question_that_is_none_is_refused(rig: Rig, question: str, limit: int) -> None:
    answer = rig.call(srv.Ask, "ask", {"question": question, "limit": limit})
    assert Code(answer.error_code) == Code.INVALID_REQUEST
    assert "expected" in answer.error_msg


def test_the_memorys_errors_are_passed_on(ros_domain: int, rig: Rig) -> None:
    with MemoryClient(timeout=20.0) as client, pytest.raises(MemoryServiceError, match="min_stamp") as error:
        client.ask("where is the mug", min_stamp_ns=10**18)
    assert error.value.code == Code.TIMEOUT


def test_finding_a_thing_sends_the_robot_near_it_and_facing_it(rig: Rig) -> None:
    goals = rig.hear(PoseStamped, "goal_pose")
    assert until(lambda: rig.outside.count_publishers("goal_pose"))
    result, stages = execute(rig, "Please find the plant.")
    assert result.success, result.answer
    assert until(lambda: goals)
    assert goals[0].header.frame_id == "map"
    T = c.from_pose(goals[0].pose)
    plant = next(b for b in ROOM.boxes if b.label == "plant").center
    towards = (plant - T[:3, 3])[:2]
    assert np.linalg.norm(towards) < 1.3
    assert T[:2, 0] @ towards / np.linalg.norm(towards) > 0.95
    assert result.evidence[0].label == "plant"
    assert "goal sent" in stages


def test_what_it_cannot_do_is_said_plainly(rig: Rig) -> None:
    result, _ = execute(rig, "make me a sandwich")
    assert not result.success
    assert "I cannot do this yet" in result.answer
    unknown, _ = execute(rig, "find the elephant")
    assert not unknown.success or "look" in unknown.answer
    for instruction, max_steps in (("", 10), ("find the mug", 0), ("find the mug", 10**9)):
        refused, _ = execute(rig, instruction, max_steps)
        assert Code(refused.error_code) == Code.INVALID_REQUEST, refused.error_msg


@pytest.mark.parametrize(
    ("instruction", "thing"),
    [
        ("find the mug", "mug"),
        ("Go to the kitchen!", "kitchen"),
        ("please look for my red mug.", "red mug"),
        ("drive to room/2", "room/2"),
        ("make coffee", ""),
        ("finding nemo", ""),
        ("find", ""),
    ],
)
def test_instructions_are_read(instruction: str, thing: str) -> None:
    assert thing_to_find(instruction) == thing


def test_without_a_memory_the_planner_says_what_is_missing(own_domain: int) -> None:
    rig = Rig(
        lambda context: [PlannerNode(context, parameter_overrides=overrides(text_encoder=False, service_timeout=0.5))]
    )
    try:
        assert rig.bring_up() == [True]
        answer = rig.call(srv.Ask, "ask", {"question": "where is the mug", "limit": 5})
        assert Code(answer.error_code) == Code.UNAVAILABLE
        assert "is the memory running" in answer.error_msg
    finally:
        rig.close()
