"""What a program started ends with it, in order, however the program ended; what others started stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

#: Notes that it was told to end, and takes its time; says something on the way, to nobody.
CHILD = """
import pathlib, signal, sys, time
def end(*_):
    print("writing what is left " * 10_000, flush=True)
    pathlib.Path("saved").write_text("whole")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path("began").touch()
time.sleep(100)
"""
#: Starts it, and a process that it does not tie to itself, then sleeps.
STARTS_NODES = """
import subprocess, sys, time
from pathlib import Path
from loci.up import Process, Processes
free = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], stdin=subprocess.PIPE)
processes = Processes([Process("child", "child")], Path("logs"))
while not Path("began").exists():
    time.sleep(0.02)
print(processes.pids["child"], free.pid, flush=True)
time.sleep(100)
"""
#: Starts one worker that has nothing to do, and one that does not listen to SIGTERM.
STARTS_WORKERS = """
import multiprocessing, os, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from loci.lifeline import end_with_parent
def be_deaf(told):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end_with_parent(patience=0.5)
    told.put(os.getpid())
    time.sleep(100)
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    pool = ProcessPoolExecutor(1, context, end_with_parent)
    idle = pool.submit(os.getpid).result()
    told = context.Queue()
    context.Process(target=be_deaf, args=(told,)).start()
    print(idle, told.get(), flush=True)
    time.sleep(100)
"""


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[list[psutil.Process]]:
    """Processes to end after a test that failed."""
    processes: list[psutil.Process] = []
    yield processes
    for process in processes:
        if process.is_running():
            process.kill()


def start(folder: Path, script: str, begun: list[psutil.Process], *arguments: str) -> list[psutil.Process]:
    """Run a script; the process itself, then those whose ids it prints."""
    (folder / "child.py").write_text(CHILD)
    (folder / "parent.py").write_text(script)
    command = [sys.executable, "parent.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    parent = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # Under `nohup` it would be ignored in all that is started.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    begun.append(psutil.Process(parent.pid))
    assert parent.stdout is not None
    begun.extend(psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
    parent.stdout.close()
    return begun


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def ends(process: psutil.Process, timeout: float = 30.0) -> bool:
    """Whether it ends by itself within some time [s]."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if not is_alive(process):
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_what_a_killed_program_started_ends_in_order_and_nothing_else_does(
    tmp_path: Path, begun: list[psutil.Process], number: int
) -> None:
    parent, child, free = start(tmp_path, STARTS_NODES, begun)
    assert is_alive(child)
    parent.send_signal(number)
    assert ends(parent)
    assert ends(child), "it outlives the program that started it"
    assert (tmp_path / "saved").read_text() == "whole"
    assert is_alive(free), "nobody tied it to the program"


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_end_with_a_killed_program_even_those_that_do_not_listen(
    tmp_path: Path, begun: list[psutil.Process], method: str
) -> None:
    parent, idle, deaf = start(tmp_path, STARTS_WORKERS, begun, method)
    parent.kill()
    assert ends(idle)
    assert ends(deaf)


def test_only_workers_of_multiprocessing_have_such_a_parent() -> None:
    from loci.lifeline import end_with_parent

    with pytest.raises(RuntimeError, match="multiprocessing"):
        end_with_parent()
