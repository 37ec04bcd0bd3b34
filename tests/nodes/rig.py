"""Nodes that spin in this process, and somebody who publishes to them and hears them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from loci.nodes.lifecycle import LATCHED_QOS, OBSERVATION_QOS, RELIABLE_QOS
from loci.nodes.process import spin


def until(condition: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Wait until ``condition()`` is true, and return it; None if it never was."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    return None


def overrides(**values: Any) -> list[Parameter]:
    return [Parameter(name, value=value) for name, value in values.items()]


class Rig:
    """Spins what ``make_nodes(context)`` makes, and a plain node ``outside`` beside them."""

    def __init__(self, make_nodes: Callable[[Context], Sequence[Any]]) -> None:
        self.context = Context()
        rclpy.init(context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.executor = MultiThreadedExecutor(8, context=self.context)
        self.nodes = list(make_nodes(self.context))
        self.outside = Node("outside", context=self.context)
        self._clients: dict[str, Any] = {}
        self._publishers: dict[str, Any] = {}
        for node in (*self.nodes, self.outside):
            self.executor.add_node(node)
        self._thread = threading.Thread(target=spin, args=(self.executor,))
        self._thread.start()

    def bring_up(self) -> list[bool]:
        return [node.bring_up() for node in self.nodes]

    def publisher(self, message_type: Any, topic: str, n_subscribers: int = 1) -> Any:
        """A publisher that is connected."""
        if topic not in self._publishers:
            self._publishers[topic] = self.outside.create_publisher(message_type, topic, OBSERVATION_QOS)
            self.executor.wake()
        publisher = self._publishers[topic]
        assert until(lambda: publisher.get_subscription_count() >= n_subscribers), f"nobody subscribes to {topic}"
        return publisher

    def hear(self, message_type: Any, topic: str, qos: Any = RELIABLE_QOS) -> list[Any]:
        """A list that fills with the messages of a topic."""
        heard: list[Any] = []
        self.outside.create_subscription(message_type, topic, heard.append, qos)
        self.executor.wake()
        return heard

    def hear_latched(self, message_type: Any, topic: str) -> list[Any]:
        return self.hear(message_type, topic, LATCHED_QOS)

    def call(self, service_type: Any, name: str, fields: Mapping[str, Any] | None = None, timeout: float = 20.0) -> Any:
        """Answer of a service."""
        if name not in self._clients:
            self._clients[name] = self.outside.create_client(service_type, name)
            self.executor.wake()
        client = self._clients[name]
        assert client.wait_for_service(timeout), f"no service {name}"
        future = client.call_async(service_type.Request(**(fields or {})))
        assert until(future.done, timeout), f"no answer of {name}"
        return future.result()

    def close(self) -> None:
        for node in reversed(self.nodes):
            node.take_down()
        rclpy.shutdown(context=self.context)
        self._thread.join()
        self.executor.shutdown(timeout_sec=5.0)
        for node in (*self.nodes, self.outside):
            node.destroy_node()
