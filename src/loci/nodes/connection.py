"""`MemoryConnection`: calls a memory's services and actions by their names and waits for the answers, bounded in time.

A context, node and executor of its own spin behind it (`OwnNode`), so that it can be used in any script and from any thread, also inside
another node's callbacks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclpy.action import ActionClient
from rclpy.executors import InvalidHandle

from loci.nodes.conversions import to_time
from loci.nodes.errors import Code
from loci.nodes.own_node import NodeClosedError, OwnNode
from loci.planning.cancelling import current_check

Progress = Callable[[float, str], None]


class MemoryServiceError(RuntimeError):
    """The memory answered with an error, or not at all.

    Attributes:
        code: what kind of error (msg/ErrorCode).
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


class MemoryConnection:
    """Services and actions of a memory that runs as ROS nodes.

    Args:
        node_name: of the node behind it.
        namespace: of the memory's services.
        timeout: longest wait for an answer, and for the service to appear [s].

    Raises (every call):
        MemoryServiceError: the memory answered with an error code, its ``code`` says which; or the connection is closed (`UNAVAILABLE`).
        TimeoutError: no such service, or no answer in time.
    """

    def __init__(self, node_name: str, namespace: str, timeout: float) -> None:
        self._timeout = timeout
        self._own = OwnNode(node_name, namespace)
        self._clients: dict[str, Any] = {}
        self._actions: dict[str, Any] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop; calls that are under way fail at once. Harmless when closed already."""
        self._own.close()

    def call(
        self, service_type: Any, name: str, min_stamp_ns: int = 0, /, *, timeout: float | None = None, **fields: Any
    ) -> Any:
        """A service's answer to a request.

        Args:
            service_type: of `loci_ros.srv`.
            name: of the service.
            min_stamp_ns: the answer waits until observations up to it are in [ns].
            timeout: longest wait [s]; None: the connection's.
            fields: of the request.
        """
        _check_counts(fields)
        request = service_type.Request(**fields)
        if min_stamp_ns:
            request.min_stamp = to_time(min_stamp_ns)
        timeout = self._timeout if timeout is None else timeout
        began = time.monotonic()
        with self._lock, self._open():
            if name not in self._clients:
                self._clients[name] = self._own.node.create_client(service_type, name)
                self._own.wake()
            client = self._clients[name]
        if not client.service_is_ready() and not client.wait_for_service(timeout):
            raise TimeoutError(
                f"no service {client.srv_name} within {timeout:g} s: is the memory running, in this namespace and ROS_DOMAIN_ID?"
            )
        with self._open():
            future = client.call_async(request)
            left = timeout - (time.monotonic() - began)
            # Only what waits for an image may take long; what is quick is brought to its end, and the robot can still be stopped.
            given_up = current_check() if min_stamp_ns else None
            return _checked(self._own.wait(future, left, client.srv_name, given_up))

    def act(self, action_type: Any, name: str, goal: Any, progress: Progress | None, timeout: float) -> Any:
        """An action's result.

        Args:
            action_type: of `loci_ros.action`.
            name: of the action.
            goal: of its type.
            progress: is told how far it is, [0, 1], and what is being done.
            timeout: it is cancelled after so long [s].
        """
        with self._lock, self._open():
            if name not in self._actions:
                self._actions[name] = self._own.run(
                    lambda: ActionClient(self._own.node, action_type, name), self._timeout, name
                )
            client = self._actions[name]
        if not client.wait_for_server(min(timeout, self._timeout)):
            raise TimeoutError(f"no action {name}: is the memory running, in this namespace and ROS_DOMAIN_ID?")

        def feedback(message: Any) -> None:
            if progress is not None:
                progress(float(message.feedback.progress), message.feedback.stage)

        def sent(send: Callable[[], Any], limit: float) -> Any:
            return self._own.wait(self._own.run(send, self._timeout, name), limit, name)

        with self._open():
            handle = sent(lambda: client.send_goal_async(goal, feedback_callback=feedback), self._timeout)
            if not handle.accepted:
                raise MemoryServiceError(Code.UNAVAILABLE, f"{name} was not accepted")
            try:
                answer = sent(handle.get_result_async, timeout)
            except TimeoutError:
                handle.cancel_goal_async()
                raise
        return _checked(answer.result)

    @contextmanager
    def _open(self) -> Iterator[None]:
        """
        Raises:
            MemoryServiceError: the client is closed, or was in the meantime.
        """
        try:
            if not self._own.closed:
                yield
                return
        except (NodeClosedError, InvalidHandle):  # the handle of a service that went with the node
            if not self._own.closed:
                raise
        raise MemoryServiceError(Code.UNAVAILABLE, "the client of the memory is closed")


def _checked(answer: Any) -> Any:
    if answer.error_code != Code.NONE:
        raise MemoryServiceError(Code(answer.error_code), answer.error_msg)
    return answer


def _check_counts(fields: dict[str, Any]) -> None:
    """Counts are unsigned in messages: say so here, where rclpy would fail with an assertion."""
    for name in ("limit", "offset", "max_characters", "level"):
        if not 0 <= int(fields.get(name, 0)) < 2**32:
            raise MemoryServiceError(Code.INVALID_REQUEST, f"expected {name} >= 0 (below 2^32), got {fields[name]}")
