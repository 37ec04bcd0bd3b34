"""A process of nodes: threads pinned, nodes spun, brought up, and stopped cleanly by SIGINT or SIGTERM.

Imports neither NumPy nor rclpy at its head: the number of threads must be set before they load.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from loci.nodes.lifecycle import ManagedNode


def pin_threads() -> None:
    """One thread per numeric library: with small problems on few cores their default is 3 to 20 times slower."""
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
        os.environ.setdefault(f"{name}_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    # A query waits for the interpreter at most so long while a frame is taken in (default: 5 ms) [s].
    sys.setswitchinterval(0.0002)


def spin(executor: Executor) -> None:
    """Spin until the executor or its context is shut down.

    rclpy's executor raises InvalidHandle when a node destroys a subscription or publisher just as it begins to wait (as
    `cleanup` does); the next round no longer has it.
    """
    from rclpy.executors import ExternalShutdownException, InvalidHandle

    while executor.context.ok():
        try:
            executor.spin()
            return
        except InvalidHandle:
            continue
        except ExternalShutdownException:
            return
        except RuntimeError:  # RCLError: the context was shut down while the executor made its wait set
            if executor.context.ok():
                raise
            return


def run(make_nodes: Callable[[Any], Sequence[ManagedNode]], args: Sequence[str] | None = None, threads: int = 8) -> int:
    """Spin the nodes that ``make_nodes`` makes until SIGINT or SIGTERM; returns the exit status.

    Every node has an executor of its own: before each callback rclpy looks at all that an executor waits for, in Python, so
    that a request to one node would pay for the topics, services and timers of all.

    Args:
        make_nodes: called with the rclpy context; its nodes are brought up in this order and shut down in reverse.
        args: command line with ``--ros-args``; None: that of the process.
        threads: of each node's executor, >= 2.
    """
    import rclpy
    from rclpy.executors import MultiThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    stop = threading.Event()
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    context = rclpy.Context()
    rclpy.init(args=args, context=context, signal_handler_options=SignalHandlerOptions.NO)
    executors: list[MultiThreadedExecutor] = []
    nodes: list[ManagedNode] = []
    spinners: list[threading.Thread] = []
    failure: list[BaseException] = []

    def work(executor: MultiThreadedExecutor) -> None:
        try:
            spin(executor)
        except BaseException as error:  # a defect: stop the process, and say why
            failure.append(error)
        finally:
            stop.set()

    try:
        nodes.extend(make_nodes(context))
        for node in nodes:
            executors.append(MultiThreadedExecutor(num_threads=threads, context=context))
            executors[-1].add_node(node)
            spinners.append(threading.Thread(target=work, args=(executors[-1],), name=f"executor of {node.get_name()}"))
            spinners[-1].start()
        for node in nodes:
            node.bring_up()
        # What was made so far stays: a full collection would look at all of it, and hold up every request meanwhile.
        gc.collect()
        gc.freeze()
        stop.wait()
    except ValueError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 2
    finally:
        for node in reversed(nodes):
            node.take_down()
        # In this order: rclpy's executor fails if it is shut down while another thread waits in it.
        rclpy.shutdown(context=context)
        for spinner in spinners:
            spinner.join()
        for executor in executors:
            executor.shutdown(timeout_sec=5.0)
        for node in nodes:
            node.destroy_node()
        for number, handler in previous.items():
            signal.signal(number, handler)
    if failure:
        print(f"stopped by a defect: {failure[0]!r}", file=sys.stderr)
        return 1
    return 0
