"""The client of a memory: what its callers are told when it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

pytest.importorskip("rclpy")

from loci_ros import srv
from rclpy.node import Node
from rig import Rig

from loci.nodes.client import MemoryClient, MemoryServiceError
from loci.nodes.errors import Code


class SlowMemory(Node):
    """Offers `statistics`, and answers only when it is told to."""

    def __init__(self, context: object) -> None:
        super().__init__("slow_memory", context=context)
        self.asked, self.over = threading.Event(), threading.Event()
        self.create_service(srv.Statistics, "statistics", self._answer)

    def bring_up(self) -> bool:
        return True

    def take_down(self) -> None:
        self.over.set()

    def _answer(self, request: srv.Statistics.Request, response: srv.Statistics.Response) -> srv.Statistics.Response:
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


def test_a_closed_client_says_so(own_domain: int) -> None:
    client = MemoryClient()
    client.close()
    client.close()
    for call in (client.statistics, lambda: client.export("x")):
        with pytest.raises(MemoryServiceError, match="closed") as error:
            call()
        assert error.value.code == Code.UNAVAILABLE
