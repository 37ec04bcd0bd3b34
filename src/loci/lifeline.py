"""Ties a process to the one that started it: it ends, in order, when that has ended, however that came about.

Else what a killed program had started would stay on its ROS domain and disturb whatever runs there next. The tie is a pipe whose
writing end only the parent holds, which the system closes even for a parent that was killed. `python -m loci.lifeline MODULE ...`
runs a module with standard input as that pipe; workers of multiprocessing have one already, which `end_with_parent` watches.
Nothing here touches what `ros2 launch` or a person starts. Standard library only.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable

#: How long a process may take to end by itself, as `loci.up` lets it, before it is killed [s]: the memory writes what it holds.
PATIENCE = 20.0


def end_with_parent(patience: float = PATIENCE) -> None:
    """In a worker of multiprocessing, e.g. as the initializer of a pool: end when the process that started it has.

    Without it, a worker of a pool waits for work for ever, as it holds both ends of the queue itself.

    Args:
        patience: between SIGTERM and SIGKILL [s].

    Raises:
        RuntimeError: this process is none.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("expected a process that multiprocessing started")
    _watch(parent.join, patience)


def main(arguments: list[str]) -> None:
    """Run the module named first with the arguments behind it, until the other end of standard input is closed."""
    _watch(_wait_for_end_of_input, PATIENCE)
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


def _wait_for_end_of_input() -> None:
    while os.read(0, 4096):  # nobody writes; not `sys.stdin`, whose lock would be held when the interpreter ends
        pass


def _watch(wait: Callable[[], object], patience: float) -> None:
    def end() -> None:
        wait()
        # Nobody reads what it says any more: a log or a last word must not fail, nor wait for ever.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in (1, 2):
            os.dup2(nowhere, output)
        # To the main thread, which alone handles it: another one would not wake it.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(patience)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, name="lifeline", daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
