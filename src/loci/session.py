"""Nodes as processes of one run, on a ROS domain of their own: nothing outside this machine, and no other run on it, hears them.

For `loci demo`, `loci replay` and the benchmarks. What goes wrong ends with the log that tells why, and with what to type.
"""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from loci.errors import UserError
from loci.up import N_LAST_LINES, Process, Processes

#: Domains that any Linux machine can use (the ports of higher ones may be taken by its own connections).
DOMAINS = range(20, 100)


class Domain:
    """A ROS domain that no other session on this machine has, until `close`.

    Sessions of one user see one another by locked files, which go with their process, however it ends.

    Attributes:
        number: ROS_DOMAIN_ID.

    Raises:
        UserError: all are taken.
    """

    def __init__(self) -> None:
        folder = Path(tempfile.gettempdir()) / f"loci-domains-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for number in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
            lock = (folder / str(number)).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self.number, self._lock = number, lock
            return
        raise UserError(f"all {len(DOMAINS)} ROS domains are taken by other runs of loci on this machine", "pkill loci")

    def close(self) -> None:
        """Give it back."""
        self._lock.close()


Result = TypeVar("Result")


class Session:
    """Processes of one run; a context manager that stops them at its end, whatever happened.

    Args:
        processes: what to start, in this order.
        logs: folder for their logs.
        retry: what the user may type if a process dies.
    """

    def __init__(self, processes: Sequence[Process], logs: Path, *, retry: str = "loci doctor") -> None:
        self._specifications = tuple(processes)
        self._logs = logs
        self._retry = retry
        self._domain: Domain | None = None
        self._environment: dict[str, str | None] = {}
        self._processes: Processes | None = None

    def __enter__(self) -> Session:
        self._domain = Domain()
        own = {
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOCALHOST_ONLY": None,
        }
        self._environment = {name: os.environ.get(name) for name in own}
        _set_environment(own)
        try:
            self._processes = Processes(self._specifications, self._logs)
        except BaseException:
            _set_environment(self._environment)
            self._domain.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except UserError:
            if error is None:
                raise  # else what went wrong first is what matters
        finally:
            _set_environment(self._environment)
            if self._domain is not None:
                self._domain.close()

    @property
    def domain(self) -> int:
        """ROS_DOMAIN_ID inside the block: clients made there are on it, too.

        Raises:
            RuntimeError: the session has not begun.
        """
        if self._domain is None:
            raise RuntimeError("the session has not begun: use it as a context manager")
        return self._domain.number

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return self._processes.pids if self._processes else {}

    def log_of(self, name: str) -> Path:
        """Log of a process."""
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """Raise if a process has died.

        Raises:
            UserError: which one, with the last lines of its log and what to type.
        """
        if self._processes is None:
            return
        try:
            self._processes.check()
        except UserError as error:
            raise UserError(str(error), error.next_command or self._retry, error.details) from error

    def wait_for(self, ready: Callable[[], Result], what: str, timeout: float = 60.0, *names: str) -> Result:
        """Call ``ready`` until it returns something true, and return that; a process that dies meanwhile ends the wait.

        Args:
            ready: may raise TimeoutError to say "not yet".
            what: is waited for, for the message.
            timeout: longest wait [s].
            names: processes whose logs tell why it takes long.

        Raises:
            UserError: a process died, or it took too long.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.check()
            reason = ""
            try:
                result = ready()
                if result:
                    return result
            except TimeoutError as error:
                reason = f": {error}"
            if time.monotonic() >= deadline:
                raise self.failure(f"{what} took longer than {timeout:.0f} s{reason}", *names)
            time.sleep(0.05)

    def failure(self, message: str, *names: str) -> UserError:
        """An error that shows the ends of processes' logs."""
        details = "".join(f"--- end of {self.log_of(name)}\n{tail(self.log_of(name))}\n" for name in names)
        return UserError(message, self._retry, details)

    def stop(self) -> None:
        """Stop all processes, the last started first, so that the memory can save."""
        if self._processes is not None:
            killed = self._processes.stop()
            self._processes = None
            if killed:
                raise self.failure(f"did not stop in time and had to be killed: {', '.join(killed)}", *killed)


def tail(path: Path, n: int = N_LAST_LINES) -> str:
    """Last lines of a file; says so if there are none."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error.strerror})"
    return "\n".join(lines[-n:]) or "(the log is empty)"


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
