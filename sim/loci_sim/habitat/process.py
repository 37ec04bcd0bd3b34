"""Starts the worker under its own interpreter and talks to it: each thing that can be missing has its message, nothing waits for ever.

Knows nothing of what is asked: see `client`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from loci_sim.habitat.worker import framing

#: Environment variable that names the interpreter.
PYTHON_VARIABLE = "LOCI_HABITAT_PYTHON"
#: The worker's start and its imports [s], and how long it may take to end by itself [s].
START_TIMEOUT, END_TIMEOUT = 60.0, 5.0
#: Folder that the package of the worker lies in.
_FOLDER = Path(__file__).parent
#: What to do about each thing that can be missing.
_ADVICE = {
    "python": "name another interpreter: habitat_python, or {variable}",
    "numpy": "{python} -m pip install numpy",
    "habitat_sim": "conda create -n habitat python=3.9 habitat-sim headless -c conda-forge -c aihabitat, "
    "or build it from source; then set habitat_python, or {variable}, to that environment's bin/python",
    "import": "see whether it loads: {python} -c 'import habitat_sim'",
    "version": "conda install 'habitat-sim>=0.3' -c conda-forge -c aihabitat",
    "EGL": "apt install libegl1 libgl1-mesa-dri",
}


class HabitatError(RuntimeError):
    """Habitat cannot be used; the message says what is missing and what to do about it."""


class WorkerDiedError(HabitatError):
    """The worker has ended, or is not to be understood any more."""


class RefusedError(ValueError):
    """The worker is well, and refuses a request; the message says why."""


def default_python() -> str:
    """The interpreter that `LOCI_HABITAT_PYTHON` names, else python3."""
    return os.environ.get(PYTHON_VARIABLE) or "python3"


def find_python(python: str = "") -> str:
    """Path of an interpreter given as a path or a name; empty: the default one.

    Raises:
        HabitatError: there is none, or it cannot be run.
    """
    named = python or default_python()
    found = shutil.which(Path(named).expanduser())
    if found is not None:
        return str(found)
    there = Path(named).expanduser()
    what = "is not executable" if there.is_file() else "does not exist" if "/" in named else "is not on the PATH"
    raise HabitatError(
        f"expected an interpreter with habitat_sim, got {named!r}, which {what}: set habitat_python, or {PYTHON_VARIABLE}, "
        "e.g. to ~/miniconda3/envs/habitat/bin/python"
    )


class WorkerProcess:
    """A running worker.

    Args:
        python: its interpreter, path or name; empty: `default_python`.
        module: run there with ``-m``.
        folder: where that module lies, besides Loci's own worker.
        start_timeout: for its imports [s].

    Raises:
        HabitatError: something is missing; the message says what and what to do.
    """

    def __init__(
        self,
        python: str = "",
        *,
        module: str = "worker",
        folder: Path | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        self.python = find_python(python)
        self._folder = tempfile.TemporaryDirectory(prefix="loci-habitat-")
        self.log = Path(self._folder.name, "worker.log")
        _write_settings(Path(self._folder.name))
        ours, theirs = socket.socketpair()
        self._connection = ours
        with theirs, self.log.open("wb") as log:
            self._process = self._start(module, folder, theirs, log)
        try:
            self.found = self._check(start_timeout)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def request(self, message: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """The answer to a message.

        Raises:
            RefusedError: the worker says that it cannot be done.
            WorkerDiedError: it has died or does not answer; it is ended then.
        """
        try:
            framing.send(self._connection, dict(message))
            answer = framing.receive(self._connection, timeout)
        except TimeoutError as error:
            self._end(0.0)
            raise WorkerDiedError(
                f"the Habitat worker did not answer {message.get('do')!r} within {timeout:g} s and was ended{self._tail()}"
            ) from error
        except OSError as error:
            raise self._died(f"{error}") from error
        if answer is None:
            raise self._died("it closed the connection")
        if "refused" in answer:
            raise RefusedError(str(answer["refused"]))
        if "failed" in answer:
            raise HabitatError(f"habitat_sim failed at {message.get('do')!r}: {answer['failed']}{self._tail()}")
        return answer

    def close(self) -> None:
        """End it: it ends by itself when the connection is closed, or is made to."""
        self._connection.close()
        self._end(END_TIMEOUT)
        self._folder.cleanup()

    def _start(
        self, module: str, folder: Path | None, theirs: socket.socket, log: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONSTARTUP")}
        # Of this interpreter (ROS sets it): packages for another Python would be found first.
        environment["PYTHONPATH"] = os.pathsep.join(str(f) for f in (_FOLDER, folder) if f is not None)
        environment["PYTHONUNBUFFERED"] = "1"
        environment.setdefault("MAGNUM_LOG", "quiet")
        environment.setdefault("HABITAT_SIM_LOG", "error")
        command = [self.python, "-m", module, str(theirs.fileno())]
        try:
            return subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._folder.name,
            )
        except OSError as error:
            self._connection.close()
            self._folder.cleanup()
            raise HabitatError(
                f"expected an interpreter with habitat_sim, {self.python} does not start: {error}"
            ) from error

    def _check(self, timeout: float) -> dict[str, Any]:
        """What the worker found in its interpreter."""
        try:
            found = framing.receive(self._connection, timeout)
        except TimeoutError as error:
            raise HabitatError(
                f"the Habitat worker did not start within {timeout:g} s under {self.python}{self._tail()}"
            ) from error
        except OSError as error:
            raise self._died(str(error)) from error
        if found is None:
            self._end(END_TIMEOUT)
            raise HabitatError(
                f"expected an interpreter with habitat_sim, {self.python} ended at once{self._how()}{self._tail()}"
            )
        if "missing" in found:
            advice = _ADVICE[found["missing"]].format(python=self.python, variable=PYTHON_VARIABLE)
            raise HabitatError(
                f"expected an interpreter with habitat_sim, got {self.python} (Python {found['python']}): {found['why']}; "
                f"to mend it: {advice}"
            )
        return found

    def _died(self, why: str) -> WorkerDiedError:
        self._end(END_TIMEOUT)
        tail = self._tail()
        # What habitat_sim writes before it ends the process because it has nothing to draw with.
        advice = f" (it cannot draw; to mend it: {_ADVICE['EGL']})" if "WindowlessContext" in tail else ""
        return WorkerDiedError(f"the Habitat worker ended{self._how()}: {why}{advice}{tail}")

    def _end(self, patience: float) -> None:
        """Wait for its end, and bring it about if that takes longer [s]."""
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _how(self) -> str:
        code = self._process.poll()
        return "" if code is None else f" by signal {-code}" if code < 0 else f" with status {code}"

    def _tail(self) -> str:
        """The end of what it wrote, for a message."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "; its last lines:\n  " + "\n  ".join(lines[-8:]) if lines else ""


def _write_settings(folder: Path) -> None:
    """What habitat_sim reads from its working directory.

    Its lighting map takes nine seconds of every start in software; scenes lit by lamps or by their textures do not need it.
    """
    (folder / "data").mkdir()
    settings = {"enable_ibl": False, "ibl_envmap_filename": "none.hdr"}
    (folder / "data" / "default.pbr_config.json").write_text(json.dumps(settings))
