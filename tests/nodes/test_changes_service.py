"""History and changes over real DDS: what was moved is told with where it was and where it is, what cannot be asked is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")

from loci_ros import msg as m
from rig import Rig, overrides, until

from loci.nodes import conversions as c
from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code
from loci.nodes.facade import make_nodes
from loci.planning.offline import OfflinePlanner
from loci.query import Query
from synthetic import ROOM, Box, World, tour

SECOND = 1_000_000_000
#: The mug is carried from the table to the seat of the sofa while the robot is away.
MUG = next(b for b in ROOM.boxes if b.label == "mug")
_LOWER = np.array([4.25, 1.5, 0.824])
MOVED = Box("mug", tuple(_LOWER), tuple(_LOWER + np.subtract(MUG.upper, MUG.lower)), MUG.color)
LATER = World(tuple(MOVED if b is MUG else b for b in ROOM.boxes), ROOM.lower, ROOM.upper, ROOM.camera)
BEFORE, AFTER = tour(), tour(LATER, n=48, start_ns=3600 * SECOND)


@pytest.fixture(scope="module")
def client(ros_domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryClient]:
    """A client of a memory that has seen the room before and after."""
    values: dict[str, Any] = {
        "storage_directory": str(tmp_path_factory.mktemp("memories")),
        "map_id": "room",
        "queue_size": 200,
        "min_stamp_timeout": 1.0,
        "preload_text_encoder": False,
    }
    rig = Rig(lambda context: make_nodes(context, parameter_overrides=overrides(**values)))
    try:
        assert rig.bring_up() == [True] * 4
        publisher = rig.publisher(m.Observation, "observations")
        for i, o in enumerate((*BEFORE, *AFTER)):
            publisher.publish(c.to_observation(o, "map", sequence=i))
        host = rig.nodes[0].host
        assert until(lambda: host.newest_stamp_ns >= AFTER[-1].frame.stamp_ns, 90.0)
        with MemoryClient(timeout=20.0) as client:
            yield client
    finally:
        rig.close()


def test_what_was_moved_is_told_with_where_it_was_and_where_it_is(client: MemoryClient) -> None:
    (mug,) = client.find_objects(labels=["mug"])
    assert mug.evidence.state == "moved"
    (change,) = client.changes(kinds=["moved"])
    assert (change.object_id, change.label, change.ambiguous) == (mug.id, "mug", False)
    assert change.has_old_pose
    assert change.has_new_pose
    np.testing.assert_allclose(c.from_point(change.old_pose.position), MUG.center, atol=0.06)
    np.testing.assert_allclose(c.from_point(change.new_pose.position), MOVED.center, atol=0.06)
    assert 0 < c.to_ns(change.old_seen) <= BEFORE[-1].frame.stamp_ns < c.to_ns(change.header.stamp)
    assert "mug" in change.text


def test_what_changed_is_answered_in_words_from_the_services(client: MemoryClient) -> None:
    planner = OfflinePlanner(None)
    answer = planner.ask("What was moved in the last hour?", client)
    assert answer.known
    assert "the mug was moved: it was in" in answer.answer.lower()
    assert [e.state for e in answer.evidence] == ["moved"]
    assert "on the table" in planner.ask("Where was the mug before?", client).answer
    held = client.recall(Query(kinds=("object",), states=("missing", "held"), limit=10)).evidence
    assert "mug" not in [e.label for e in held]


def test_the_history_of_an_object_comes_with_it(client: MemoryClient) -> None:
    (mug,) = client.find_objects(labels=["mug"])
    before, now = client.object_history(mug.id)
    was, there = client.known_poses(mug.id)
    assert (was.state, was.on, there.state, there.on) == (before.state, before.on, now.state, now.on)
    assert was.position == (before.pose.position.x, before.pose.position.y, before.pose.position.z)
    assert was.last_seen_ns < there.first_seen_ns
    assert (before.state, before.on, now.state) == ("moved", "table", "present")
    np.testing.assert_allclose(c.from_point(before.pose.position), MUG.center, atol=0.06)
    np.testing.assert_allclose(c.from_point(now.pose.position), MOVED.center, atol=0.06)
    assert c.to_ns(before.last_seen) < 3600 * SECOND <= c.to_ns(now.header.stamp)


def test_changes_are_asked_for_by_time_and_object_and_page_by_page(client: MemoryClient) -> None:
    everything = client.changes()
    assert len(everything) >= 1
    assert client.changes(before_ns=3600 * SECOND) == ()
    assert client.changes(after_ns=3600 * SECOND) == everything
    assert client.changes(newest_first=True) == everything[::-1]
    assert client.changes(limit=1, offset=len(everything)) == ()
    sofa = client.find_objects(labels=["sofa"])[0]
    assert client.changes(object_id=sofa.id, kinds=["moved", "missing"]) == ()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"limit": 0}, Code.INVALID_REQUEST),
        ({"kinds": ["exploded"]}, Code.INVALID_REQUEST),
        ({"after_ns": 5 * SECOND, "before_ns": SECOND}, Code.INVALID_REQUEST),
        ({"room": "atlantis"}, Code.NOT_FOUND),
        ({"object_id": "object/999"}, Code.NOT_FOUND),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(client: MemoryClient, wrong: dict[str, Any], code: int) -> None:
    with pytest.raises(MemoryServiceError) as refused:
        client.changes(**wrong)
    assert refused.value.code == code
    assert str(refused.value)


def test_a_robot_tells_what_it_holds(client: MemoryClient) -> None:
    (book,) = client.find_objects(labels=["book"])
    client.remember("I took the book", "robot", object_id=book.id, state="held")
    (held,) = client.find_objects(state="held")
    assert held.id == book.id
    assert not client.recall(Query(kinds=("object",), state="held")).evidence[0].is_goal
    assert [change.kind for change in client.changes(object_id=book.id)] == ["held"]
