"""The client of a memory: what its callers are told when it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")

from loci_ros import msg, srv
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rig import Rig

from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code


class SlowMemory(Node):
    """Offers `statistics`, and answers the first request only when it is told to."""

    def __init__(self, context: object) -> None:
        super().__init__("slow_memory", context=context)
        self.asked, self.over = threading.Event(), threading.Event()
        self.create_service(srv.Statistics, "statistics", self._answer, callback_group=ReentrantCallbackGroup())

    def bring_up(self) -> bool:
        return True

    def take_down(self) -> None:
        self.over.set()

    def _answer(self, request: srv.Statistics.Request, response: srv.Statistics.Response) -> srv.Statistics.Response:
        if not self.asked.is_set():
            self.asked.set()
            self.over.wait(100.0)
        return response


@pytest.fixture
def slow(own_domain: int) -> Iterator[SlowMemory]:
    rig = Rig(lambda context: [SlowMemory(context)])
    try:
        yield rig.nodes[0]
    finally:
        rig.close()


def test_a_call_under_way_fails_when_the_client_is_closed(slow: SlowMemory) -> None:
    """Its limit of time, 100 s, is not waited for."""
    client = MemoryClient(timeout=100.0)
    errors: list[MemoryServiceError] = []

    def ask() -> None:
        with pytest.raises(MemoryServiceError) as error:
            client.statistics()
        errors.append(error.value)

    asking = threading.Thread(target=ask)
    asking.start()
    assert slow.asked.wait(60.0)
    client.close()
    asking.join(50.0)
    assert not asking.is_alive()
    assert errors[0].code == Code.UNAVAILABLE and "closed" in str(errors[0])


def test_a_memory_is_ready_though_its_first_answer_got_lost(slow: SlowMemory) -> None:
    with MemoryClient(timeout=100.0) as client:
        client.wait_until_ready(90.0)
        assert slow.asked.is_set() and not slow.over.is_set()


class LargeMemory(Node):
    """2,500 objects; while they are listed, one of the third page is seen, and stands on the first."""

    def __init__(self, context: object) -> None:
        super().__init__("large_memory", context=context)
        self.ids = [f"object/{i}" for i in range(2500)]
        self.create_service(srv.Recall, "recall", self._recall)
        self.create_service(srv.FindObjects, "find_objects", self._find_objects)
        self.create_service(srv.GetObject, "get_object", self._get_object)

    def bring_up(self) -> bool:
        return True

    def take_down(self) -> None: ...

    def _recall(self, request: srv.Recall.Request, response: srv.Recall.Response) -> srv.Recall.Response:
        first = request.query.offset
        page = self.ids[first : first + request.query.limit]
        response.evidence = [msg.Evidence(id=i, kind="object", label="mug", origin="scene") for i in page]
        response.n_total = len(self.ids)
        return response

    def _find_objects(
        self, request: srv.FindObjects.Request, response: srv.FindObjects.Response
    ) -> srv.FindObjects.Response:
        page = self.ids[request.offset : request.offset + request.limit]
        response.objects = [msg.SceneObject(id=i, label="mug", on="object/0", colors=["red"]) for i in page]
        response.scores = [1.0] * len(page)
        if request.offset == 1000:
            self.ids.insert(0, self.ids.pop(2200))
        return response

    def _get_object(self, request: srv.GetObject.Request, response: srv.GetObject.Response) -> srv.GetObject.Response:
        response.object = msg.SceneObject(id=request.id, label="mug", on="object/0", colors=["red"])
        return response


def test_all_objects_of_a_large_memory_are_known(own_domain: int) -> None:
    rig = Rig(lambda context: [LargeMemory(context)])
    try:
        with MemoryClient(timeout=60.0) as client:
            known = client.known_objects()
    finally:
        rig.close()
    assert {o.id for o in known} == {f"object/{i}" for i in range(2500)}
    assert all((o.on, o.colors) == ("object/0", ("red",)) for o in known)


def test_a_closed_client_says_so(own_domain: int) -> None:
    client = MemoryClient()
    client.close()
    client.close()
    for call in (client.statistics, lambda: client.export("x")):
        with pytest.raises(MemoryServiceError, match="closed") as error:
            call()
        assert error.value.code == Code.UNAVAILABLE
