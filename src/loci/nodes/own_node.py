"""A ROS node with a context, an executor and a thread of its own: for whoever asks services and actions and waits for the answer.

It can be used in any script and from any thread, also inside another node's callbacks.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from loci.nodes.process import spin
from loci.planning.cancelling import POLL_PERIOD, GivenUpError


class NodeClosedError(RuntimeError):
    """The node was closed before, or while an answer was waited for."""


class OwnNode:
    """A node that spins until it is closed, at the latest when the interpreter ends.

    Args:
        name: of the node.
        namespace: of the node.

    Attributes:
        node: make clients on it, then `wake`.
    """

    def __init__(self, name: str, namespace: str = "") -> None:
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(
            name,
            namespace=namespace,
            context=self._context,
            start_parameter_services=False,
            enable_rosout=False,
            use_global_arguments=False,
        )
        self._waits: set[threading.Event] = set()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=spin, args=(self._executor,), name=name, daemon=True)
        self._thread.start()
        # A thread that still spins when the interpreter ends aborts the process.
        self._close = weakref.finalize(self, _close, self._executor, self._thread, self.node, self._context)
        atexit.register(self._close)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._close.alive

    def close(self) -> None:
        """Stop; what waits fails at once. Harmless when closed already."""
        self._close()
        for wait in tuple(self._waits):
            wait.set()
        atexit.unregister(self._close)

    def wake(self) -> None:
        """Let the executor see what was made on the node."""
        self._executor.wake()

    def run(self, function: Callable[[], Any], timeout: float, name: str) -> Any:
        """What ``function()`` returns, called by the thread that spins.

        Make and send actions so: rclpy shows a client that another thread makes to the executor when it is only half made, and notes a
        request only after it was sent, so that an answer that is quick gets lost.

        Raises:
            TimeoutError: not done within ``timeout`` seconds; ``name`` is in the message.
            NodeClosedError: it is closed.
        """
        return self.wait(self._executor.create_task(function), timeout, name)

    def wait(self, future: Any, timeout: float, name: str, given_up: Callable[[], bool] | None = None) -> Any:
        """The future's result; raises as `run` does, and what the future raises.

        Args:
            future: whose result.
            timeout: [s].
            name: of who answers.
            given_up: whether nobody waits for it any more, looked at now and then; None: it is waited for as long as that takes.

        Raises:
            loci.planning.cancelling.GivenUpError: it was given up.
        """
        done = threading.Event()
        self._waits.add(done)
        try:
            future.add_done_callback(lambda _: done.set())
            end = time.monotonic() + max(0.0, timeout)
            while not self.closed and not done.wait(_period(end, given_up is not None)):
                if given_up is not None and given_up():
                    future.cancel()
                    raise GivenUpError(f"cancelled while {name} was asked")
                if time.monotonic() >= end:
                    future.cancel()
                    raise TimeoutError(f"no answer of {name} within {timeout:.1f} s")
        finally:
            self._waits.discard(done)
        if not future.done():
            raise NodeClosedError(f"closed while {name} was asked")
        return future.result()


def _period(end: float, can_be_given_up: bool) -> float:
    """Time to wait until the next look at whether it is over [s]."""
    left = max(0.0, end - time.monotonic())
    return min(left, POLL_PERIOD) if can_be_given_up else left


def _close(executor: SingleThreadedExecutor, thread: threading.Thread, node: Node, context: Context) -> None:
    rclpy.shutdown(context=context)
    if thread is not threading.current_thread():
        thread.join()
    executor.shutdown(timeout_sec=2.0)
    node.destroy_node()
