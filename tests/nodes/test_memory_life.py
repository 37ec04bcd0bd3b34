"""The life of the process `memory`: transitions, other memories, clocks that jump, damage on disk, signals."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from loci_ros import msg as m
from loci_ros import srv
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.parameter import Parameter
from rig import Rig, overrides, until

from loci.memory import RobotMemory
from loci.nodes import conversions as c
from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code
from loci.nodes.facade import make_nodes
from loci.query import Query
from synthetic import tour

TOUR = tour(n=12)


def make_rig(directory: Path, **values: Any) -> Rig:
    parameters = {
        "storage_directory": str(directory),
        "map_id": "home",
        "queue_size": 100,
        "preload_text_encoder": False,
    }
    chosen = overrides(**(parameters | values))
    return Rig(lambda context: make_nodes(context, parameter_overrides=chosen))


@pytest.fixture
def rig(ros_domain: int, tmp_path: Path) -> Iterator[Rig]:
    rig = make_rig(tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def client(ros_domain: int) -> Iterator[MemoryClient]:
    with MemoryClient(timeout=20.0) as client:
        yield client


def observe(rig: Rig, shift_ns: int = 0, n: int = len(TOUR)) -> int:
    """Send the tour; returns the last stamp once it is in."""
    publisher = rig.publisher(m.Observation, "observations")
    for i, o in enumerate(TOUR[:n]):
        message = c.to_observation(o, "map", sequence=i)
        message.header.stamp = c.to_time(o.frame.stamp_ns + shift_ns)
        publisher.publish(message)
    last = TOUR[n - 1].frame.stamp_ns + shift_ns
    assert until(lambda: rig.nodes[0].host.newest_stamp_ns == last, 60.0), rig.nodes[0].monitor.last_rejection
    return last


def change(rig: Rig, node: str, transition: int) -> bool:
    return rig.call(ChangeState, f"/{node}/change_state", {"transition": Transition(id=transition)}).success


def test_a_node_that_is_not_active_says_so_and_works_once_it_is(rig: Rig) -> None:
    rig.call(GetState, "/memory/get_state")
    answer = rig.call(srv.Statistics, "statistics")
    assert (Code(answer.error_code), "not active" in answer.error_msg) == (Code.UNAVAILABLE, True)
    assert change(rig, "spatial_memory", Transition.TRANSITION_CONFIGURE)
    assert change(rig, "spatial_memory", Transition.TRANSITION_ACTIVATE)
    answer = rig.call(srv.GetTopology, "get_topology")
    assert (Code(answer.error_code), "memory" in answer.error_msg) == (Code.UNAVAILABLE, True)
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert change(rig, "memory", transition)
    assert rig.call(srv.Statistics, "statistics").error_code == Code.NONE
    assert rig.call(srv.GetTopology, "get_topology").error_code == Code.NONE
    assert change(rig, "memory", Transition.TRANSITION_DEACTIVATE)
    assert rig.call(srv.Statistics, "statistics").error_code == Code.UNAVAILABLE
    assert change(rig, "memory", Transition.TRANSITION_ACTIVATE)
    assert rig.call(srv.Statistics, "statistics").error_code == Code.NONE


def test_what_was_seen_survives_cleanup_and_configure(rig: Rig, client: MemoryClient) -> None:
    assert rig.bring_up() == [True] * 4
    observe(rig)
    objects = {o.id for o in client.known_objects()}
    assert change(rig, "memory", Transition.TRANSITION_DEACTIVATE)
    assert change(rig, "memory", Transition.TRANSITION_CLEANUP)
    assert change(rig, "memory", Transition.TRANSITION_CONFIGURE)
    assert change(rig, "memory", Transition.TRANSITION_ACTIVATE)
    assert {o.id for o in client.known_objects()} == objects


def test_nothing_is_taken_in_while_inactive(rig: Rig, client: MemoryClient) -> None:
    rig.bring_up()
    observe(rig, n=2)
    change(rig, "memory", Transition.TRANSITION_DEACTIVATE)
    rig.publisher(m.Observation, "observations").publish(c.to_observation(TOUR[5], "map", sequence=5))
    time.sleep(0.3)
    change(rig, "memory", Transition.TRANSITION_ACTIVATE)
    assert int(client.statistics()["newest_stamp_ns"]) == TOUR[1].frame.stamp_ns


def test_a_clock_that_jumps_back_begins_a_new_session(rig: Rig, client: MemoryClient) -> None:
    rig.bring_up()
    observe(rig, shift_ns=10**12)
    before = client.statistics()
    observe(rig)  # the bag begins again
    after = client.statistics()
    assert after["session"] != before["session"]
    assert after["clock jumps"] == "1"
    assert int(after["keyframes"]) > int(before["keyframes"])


def test_another_memory_is_loaded_in_place_and_queries_go_on(rig: Rig, client: MemoryClient, tmp_path: Path) -> None:
    rig.bring_up()
    observe(rig)
    n = int(client.statistics()["keyframes"])
    client.save("copy")
    client.clear()
    assert client.statistics()["keyframes"] == "0"
    original = client.statistics()["memory_uuid"]
    loaded = client.load("copy", "home")
    after = client.statistics()
    assert (after["name"], after["memory_uuid"], int(after["keyframes"])) == ("copy", loaded, n)
    assert client.load("default") == original
    assert client.statistics()["keyframes"] == "0"
    merged = client.merge("copy")
    assert merged.n_keyframes == n
    found = client.recall(Query(kinds=("object",), labels=("table",), limit=5)).evidence
    assert found
    assert not any(e.is_goal for e in found), "without a transform, the other's content is never a goal"


@pytest.mark.parametrize(
    ("name", "code"), [("../default", Code.INVALID_REQUEST), ("", Code.INVALID_REQUEST), ("none", Code.NOT_FOUND)]
)
def test_a_memory_that_cannot_be_loaded_leaves_the_current_one_open(
    rig: Rig, client: MemoryClient, name: str, code: Code
) -> None:
    rig.bring_up()
    for act in (client.load, client.merge):
        with pytest.raises(MemoryServiceError) as error:
            act(name)
        assert error.value.code == code
    assert client.statistics()["name"] == "default"


def cut_in_half(directory: Path) -> None:
    """As after a disk that lied about what it had written."""
    for file in directory.glob("*.sqlite*"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_a_half_written_memory_is_reported_and_set_aside_and_the_node_goes_on(
    rig: Rig, client: MemoryClient, tmp_path: Path
) -> None:
    rig.bring_up()
    observe(rig)
    client.save("half")
    cut_in_half(tmp_path / "half")
    client.load("half", "home")
    after = client.statistics()
    assert after["name"] == "half"
    assert int(after["rejected: store"]) >= 1
    assert "damaged" in after["last rejected"]
    assert list((tmp_path / "half" / "damaged").rglob("*.sqlite")), "nothing is silently replaced"
    client.load("default", "home")
    assert int(client.statistics()["keyframes"]) > 0


def test_a_memory_that_cannot_be_opened_leaves_the_current_one_open_and_unharmed(
    rig: Rig, client: MemoryClient, tmp_path: Path
) -> None:
    rig.bring_up()
    observe(rig)
    client.save("other")
    with RobotMemory.open(tmp_path / "other"), pytest.raises(MemoryServiceError, match=str(os.getpid())) as error:
        client.load("other", "home")
    assert error.value.code == Code.STORAGE
    after = client.statistics()
    assert (after["name"], int(after["keyframes"]) > 0) == ("default", True)


def test_a_memory_damaged_before_the_start_is_reported_at_the_start(ros_domain: int, tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "default") as memory:
        memory.observe(TOUR[0])
    cut_in_half(tmp_path / "default")
    rig = make_rig(tmp_path)
    try:
        assert rig.nodes[0].bring_up() is True
        assert rig.nodes[0].monitor.rejected()["store"] >= 1
        assert "damaged" in rig.nodes[0].monitor.last_rejection
        assert list((tmp_path / "default" / "damaged").rglob("*.sqlite"))
    finally:
        rig.close()


def test_a_node_that_cannot_open_its_memory_can_be_given_another(rig: Rig, tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "default"):
        assert rig.nodes[0].bring_up() is False
        parameter = Parameter("memory_name", value="other").to_parameter_msg()
        assert rig.call(SetParameters, "/memory/set_parameters", {"parameters": [parameter]}).results[0].successful
        assert rig.nodes[0].bring_up() is True


def test_two_processes_cannot_write_one_memory(rig: Rig, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with RobotMemory.open(tmp_path / "default"):
        assert rig.nodes[0].bring_up() is False
    assert str(os.getpid()) in capfd.readouterr().err
    assert rig.nodes[0].bring_up() is True


def test_parameters_are_described_and_checked(rig: Rig) -> None:
    described = rig.call(DescribeParameters, "/memory/describe_parameters", {"names": ["leaf_size"]}).descriptors[0]
    assert "[m]" in described.description
    assert (described.floating_point_range[0].from_value, described.floating_point_range[0].to_value) == (0.01, 1.0)

    def set_parameter(name: str, value: Any) -> Any:
        parameter = Parameter(name, value=value).to_parameter_msg()
        return rig.call(SetParameters, "/memory/set_parameters", {"parameters": [parameter]}).results[0]

    assert set_parameter("leaf_size", 0.1).successful
    for name, value in (
        ("leaf_size", 50.0),
        ("memory_name", "../x"),
        ("map_id", "a/b"),
        ("device", "tpu"),
        ("queue_size", 0),
    ):
        assert not set_parameter(name, value).successful, name
    rig.bring_up()
    late = set_parameter("leaf_size", 0.2)
    assert (late.successful, "deactivate" in late.reason) == (False, True)


@pytest.mark.parametrize(
    "values", [{"leaf_size": 9.0}, {"memory_name": "../x"}, {"device": "tpu"}, {"leaf_size": "small"}]
)
def test_a_bad_parameter_at_the_start_is_told_by_name(ros_domain: int, tmp_path: Path, values: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        make_rig(tmp_path, **values)


def test_a_request_that_keeps_waiting_does_not_block_the_others(rig: Rig, client: MemoryClient) -> None:
    rig.bring_up()
    waiting = rig.outside.create_client(srv.Recall, "recall")
    assert waiting.wait_for_service(10.0)
    request = srv.Recall.Request(query=m.Query(limit=1), min_stamp=c.to_time(10**18))
    futures = [waiting.call_async(request) for _ in range(8)]
    began = time.monotonic()
    assert client.statistics()["name"] == "default"
    assert time.monotonic() - began < 4.0, "min_stamp_timeout is 5 s"
    assert until(lambda: all(f.done() for f in futures), 20.0)
    codes = {Code(f.result().error_code) for f in futures}
    assert codes == {Code.TIMEOUT, Code.UNAVAILABLE}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "SIGINT", "its parent's end"])
def test_the_process_stops_cleanly_with_everything_kept(ros_domain: int, tmp_path: Path, number: int | None) -> None:
    command = [sys.executable, "-m", *(["loci.lifeline"] if number is None else []), "loci.nodes.memory", "--ros-args"]
    command += ["-p", f"storage_directory:={tmp_path}"]
    command += ["-p", "map_id:=home", "-p", "preload_text_encoder:=false", "-p", "commit_period:=60.0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    outside = Rig(lambda context: [])
    try:
        with MemoryClient(timeout=30.0) as client:
            client.wait_until_ready(60.0)
            publisher = outside.publisher(m.Observation, "observations")
            publisher.publish(c.to_observation(TOUR[0], "map"))
            assert until(lambda: client.statistics()["keyframes"] == "1", 60.0)
        if number is not None:
            process.send_signal(number)
        errors = process.communicate(timeout=30.0)[1]  # closes its standard input, as the end of its parent does
    finally:
        process.kill()
        outside.close()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "terminate" not in errors
    with RobotMemory.open(tmp_path / "default", read_only=True) as memory:
        assert memory.statistics()["keyframes"] == 1
    for file in (tmp_path / "default").glob("*.sqlite"):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
