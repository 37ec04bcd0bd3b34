"""Base of the three nodes that publish and answer from the memory that the node `memory` opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rclpy.context import Context
from rclpy.qos import QoSProfile

from loci.memory import RobotMemory
from loci.nodes.conversions import to_ns
from loci.nodes.errors import Code, RequestError
from loci.nodes.host import MemoryHost
from loci.nodes.lifecycle import ManagedNode
from loci.nodes.parameters import Parameter


class HostHolder(Protocol):
    """Who has the memory of this process: the node `memory`, once it is configured."""

    @property
    def host(self) -> MemoryHost | None: ...


class MemoryPart(ManagedNode):
    """A node over the memory of its process.

    Args:
        name, table, context: see `ManagedNode`.
        holder: gives the host.
    """

    def __init__(
        self, name: str, table: Sequence[Parameter], holder: HostHolder, context: Context | None = None, **options: Any
    ) -> None:
        self._holder = holder
        self._topics: list[tuple[Any, Callable[[RobotMemory, str], Any], list[int]]] = []
        super().__init__(name, table, context=context, **options)

    @property
    def memory_host(self) -> MemoryHost:
        """The host of this process.

        Raises:
            RequestError: UNAVAILABLE, while the node `memory` is not configured.
        """
        host = self._holder.host
        if host is None:
            raise RequestError(Code.UNAVAILABLE, "no memory is open: configure and activate the node `memory` first")
        return host

    @contextmanager
    def reading(self, request: Any) -> Iterator[tuple[RobotMemory, str]]:
        """The memory and the map frame, once the request's ``min_stamp`` is in."""
        host = self.memory_host
        with host.reading(to_ns(request.min_stamp)) as memory:
            yield memory, host.map_frame

    @contextmanager
    def changing(self, request: Any) -> Iterator[tuple[RobotMemory, str]]:
        """As `reading`, for requests that change the memory."""
        with self.reading(request) as found:
            yield found
        self.memory_host.touch()

    def publish_on_change(
        self, message_type: Any, topic: str, make: Callable[[RobotMemory, str], Any], qos: QoSProfile
    ) -> None:
        """Publish ``make(memory, map_frame)`` when the memory has changed, and only if somebody subscribes."""
        self._topics.append((self.create_lifecycle_publisher(message_type, topic, qos), make, [-1]))

    def publish_changes(self) -> None:
        """Publish what changed since the last call; a topic that nobody hears is made anew when somebody comes."""
        host = self._holder.host
        if host is None or not host.is_open:
            return
        for publisher, make, published in self._topics:
            if publisher.get_subscription_count() == 0:
                published[0] = -1
            elif published[0] != host.version:
                version = host.version
                try:
                    with host.reading() as memory:
                        message = make(memory, host.map_frame)
                except (LookupError, RequestError):
                    continue  # nothing was observed yet, or another memory is being loaded
                publisher.publish(message)
                published[0] = version
                self.monitor.count(f"published {publisher.topic_name}")

    def cleanup(self) -> None:
        for publisher, _, _ in self._topics:
            self.destroy_lifecycle_publisher(publisher)
        self._topics.clear()
