"""The node `planner` with a vision-language model, over real DDS: the model sees the memory through the ROS services."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")
pytest.importorskip(
    "openai", reason="the openai client cannot be imported: pip install 'loci[vlm]' (`make setup` does)"
)

from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from loci_ros import action, srv
from planner_rig import planner_rig
from rclpy.action import ActionClient
from rig import Rig, overrides, until

from loci.nodes import planning
from loci.nodes.client import MemoryClient
from loci.nodes.errors import Code
from loci.nodes.own_node import OwnNode
from loci.nodes.planning import PlannerNode
from loci.planning.protocols import AgentMemory
from loci.planning.tools import ToolBox
from model_server import ModelServer, decide, images_of, offered, text_of


def answer_mug(request: dict[str, Any], handler: Any) -> str:
    """Reads the lists that it was shown, as a model does."""
    line = next(line for line in text_of(request).splitlines() if line.startswith("| object/") and "mug" in line)
    mug = line.removeprefix("| ").split(":")[0]
    view = next(i for i in offered(request) if i.startswith("snapshot/"))
    return decide(mug, "On the table.", (view,))


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(answer_mug) as server:
        yield server


@pytest.fixture(scope="module")
def rig(ros_domain: int, server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A memory that has seen a room, and a planner that asks the model."""
    folder = tmp_path_factory.mktemp("memories")
    model: dict[str, Any] = {"planner": "vision_language", "model": "scripted", "model_base_url": server.url}
    with planner_rig(folder, **model, service_timeout=60.0, trace_file=str(folder / "trace.jsonl")) as rig:
        yield rig


def test_the_models_choice_comes_back_with_its_evidence(
    ros_domain: int, rig: Rig, server: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with MemoryClient(timeout=60.0) as client:
        answer = client.ask("where is the mug?", with_images=True, timeout=90.0)
        assert (answer.answer, answer.known) == ("On the table.", True)
        assert answer.evidence[0].label == "mug"
        assert answer.evidence[0].image[:2] == b"\xff\xd8"
        assert answer.evidence[1].kind == "snapshot"
    assert not server.problems
    assert images_of(server.requests[0])
    assert "mug" in text_of(server.requests[0])


def test_tokens_and_latencies_are_in_the_diagnostics(rig: Rig) -> None:
    rig.call(srv.Ask, "ask", {"question": "where is the mug?", "limit": 3})
    heard = rig.hear(DiagnosticArray, "/diagnostics")

    def values() -> dict[str, str]:
        for message in reversed(heard):
            for status in message.status:
                if status.name == "loci: /planner":
                    found = {v.key: v.value for v in status.values}
                    if int(found.get("model_calls", 0)) > 0:
                        return found
        return {}

    assert until(values)
    found = values()
    assert found["planner"] == "vision_language"
    assert int(found["prompt_tokens"]) > 0
    assert float(found["model p50 [ms]"]) > 0.0


def test_over_ros_the_tools_find_what_the_memory_holds(ros_domain: int, rig: Rig) -> None:
    with MemoryClient(timeout=60.0) as client:
        assert isinstance(client, AgentMemory)
        box = ToolBox(client, writable=True)
        found = box.call("find_objects", {"labels": ["mug"], "with_images": True})
        [record] = found.document["results"]
        assert len(found.images) == 1
        details = box.call("get_object", {"object_id": record["id"]}).document["object"]
        assert details["label"] == "mug"
        assert details["lies_on"]
        assert box.call("get_object", {"object_id": "object/9999"}).is_error
        assert box.call("path_length", {"goal": record["id"], "tolerance": 1.5}).document["reachable"]
        assert "mug" in box.call("scene_graph").text
        assert not box.call("unexplored", {"with_images": True}).is_error
        assert len(box.call("list_rooms").document["rooms"]) == 1
        kept = box.call("remember", {"text": "the mug is Anna's", "source": "Anna", "object_id": record["id"]})
        assert kept.document["remembered"].startswith("episode/")


def test_an_mcp_client_asks_the_running_robot(ros_domain: int, rig: Rig) -> None:
    """`loci mcp` without a name, started as an agent starts it: with no libraries of ROS in its environment."""
    pytest.importorskip("mcp", reason="the MCP SDK cannot be imported: pip install 'loci[mcp]' (`make setup` does)")
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    async def ask() -> Any:
        paths = [p for p in sys.path if p]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        for name in ("LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):
            environment.pop(name, None)
        arguments = ["-m", "loci.cli", "mcp", "--timeout", "60"]
        parameters = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
        async with Client(stdio_client(parameters)) as client:
            return await client.call_tool("find_objects", {"text": "mug", "limit": 1, "with_images": True})

    found = asyncio.run(asyncio.wait_for(ask(), 100))
    assert not found.is_error
    assert json.loads(found.content[0].text)["results"][0]["label"] == "mug"
    assert found.content[1].mime_type == "image/jpeg"


@pytest.mark.parametrize(
    "values",
    [
        {"model": ""},
        {"model_base_url": "not a url"},
        {"model_base_url": "https://models.example.org/v1"},
        {"prompt_directory": "/no/such/folder"},
        {"reuse_recorded": True},
    ],
)
def test_settings_that_do_not_do_leave_the_node_unconfigured(
    own_domain: int, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCI_MODEL_KEY", raising=False)
    given = {"text_encoder": False, "planner": "vision_language", "model": "m", **values}
    rig = Rig(lambda context: [PlannerNode(context, parameter_overrides=overrides(**given))])
    try:
        assert rig.bring_up() == [False]
    finally:
        rig.close()


class Silence:
    """A model that says nothing until it is ``over``; counts who has asked."""

    def __init__(self) -> None:
        self.n_asked, self.over = 0, threading.Event()
        self._lock = threading.Lock()

    def __call__(self, request: dict[str, Any], handler: Any) -> str:
        with self._lock:
            self.n_asked += 1
        self.over.wait(100.0)
        return decide("none")


def connected(rig: Rig) -> Any:
    """A client that answers have come back to: discovery goes both ways, and an answer that comes before its end is lost."""
    client = rig.outside.create_client(srv.Ask, "ask")
    assert until(client.service_is_ready)

    def answered() -> bool:
        refused = client.call_async(srv.Ask.Request(question="", limit=3))
        return bool(until(refused.done, 5.0))

    assert until(answered, 60.0)
    return client


@pytest.fixture
def silence(own_domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Rig, Silence]]:
    """A memory that has seen a room, and a planner that answers two questions at a time, with a model that is silent."""
    monkeypatch.setattr(planning, "MAX_QUESTIONS", 2)
    silence = Silence()
    with ModelServer(silence) as server:
        model: dict[str, Any] = {"planner": "vision_language", "model": "m", "model_base_url": server.url}
        with planner_rig(tmp_path, **model, model_deadline=600.0, service_timeout=60.0) as rig:
            try:
                yield rig, silence
            finally:
                silence.over.set()


def test_a_silent_model_holds_up_its_questions_and_nothing_else(silence: tuple[Rig, Silence]) -> None:
    """Two questions are with the model: a third is refused at once, diagnostics go on, a task with the model is cancelled, and taking the
    node down gives the questions up; the deadline of ten minutes is not waited for."""
    rig, model = silence
    client = connected(rig)
    waiting = [client.call_async(srv.Ask.Request(question="where is the mug?", limit=3)) for _ in range(2)]
    assert until(lambda: model.n_asked == 2, 60.0)
    refused = rig.call(srv.Ask, "ask", {"question": "where is the mug?", "limit": 3})
    assert Code(refused.error_code) == Code.UNAVAILABLE
    assert "2 questions are being answered" in refused.error_msg
    heard = rig.hear(DiagnosticArray, "/diagnostics")
    assert until(
        lambda: any(v.key == "in_flight" and v.value == "2" for d in heard for s in d.status for v in s.values)
    )

    tasker = OwnNode("tasker")
    tasks = tasker.run(lambda: ActionClient(tasker.node, action.ExecuteTask, "execute_task"), 20.0, "client")
    assert tasks.wait_for_server(20.0)
    goal = action.ExecuteTask.Goal(instruction="find the mug", max_steps=5)
    handle = tasker.wait(tasker.run(lambda: tasks.send_goal_async(goal), 20.0, "send"), 60.0, "accept")
    assert until(lambda: model.n_asked == 3, 60.0)
    ended = tasker.run(handle.get_result_async, 20.0, "result")
    tasker.run(handle.cancel_goal_async, 20.0, "cancel")
    answer = tasker.wait(ended, 40.0, "end")
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert Code(answer.result.error_code) == Code.CANCELED
    assert not any(w.done() for w in waiting)
    tasker.close()

    rig.nodes[-1].take_down()
    assert until(lambda: all(w.done() for w in waiting), 40.0)


def test_cleaning_up_does_not_wait_for_a_model_that_is_silent(silence: tuple[Rig, Silence]) -> None:
    """A question is with the model when the node is cleaned up: it is given up, and its deadline of ten minutes is not waited for."""
    rig, model = silence
    client = connected(rig)
    answer = client.call_async(srv.Ask.Request(question="where is the mug?", limit=3))
    assert until(lambda: model.n_asked == 1, 60.0)
    rig.nodes[-1].trigger_deactivate()
    rig.nodes[-1].trigger_cleanup()
    assert until(answer.done, 40.0)
