"""What a process needs in its environment to find ROS 2 and Loci's interfaces, so that nobody has to source anything.

`make` builds the interfaces into the virtual environment itself; where that holds them, its prefix and its libraries are put
in front. A colcon workspace that was sourced needs nothing of this: there, these functions change nothing.
`python -m loci.environment COMMAND ...` runs a command in that environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGE = "loci_ros"
_MARKER = Path("share/ament_index/resource_index/packages") / PACKAGE


def ros_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a new process; ``base`` is that of this one if None."""
    environment = dict(os.environ if base is None else base)
    prefix = Path(sys.prefix)
    if (prefix / _MARKER).is_file():
        _put_in_front(environment, "AMENT_PREFIX_PATH", prefix)
        _put_in_front(environment, "LD_LIBRARY_PATH", prefix / "lib")
    return environment


def ensure_ros_environment() -> None:
    """Give this process that environment: call it before rclpy is imported.

    The loader reads LD_LIBRARY_PATH at the start of a process only, so where that lacks something, the program starts anew.
    """
    environment = ros_environment()
    if environment.get("LD_LIBRARY_PATH") != os.environ.get("LD_LIBRARY_PATH"):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    os.environ.update(environment)


def interfaces_prefix() -> Path | None:
    """Prefix that holds the interfaces in this process's environment; None: they are not built, or not sourced."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and (Path(prefix) / _MARKER).is_file():
            return Path(prefix)
    return None


def _put_in_front(environment: dict[str, str], name: str, path: Path) -> None:
    paths = [p for p in environment.get(name, "").split(os.pathsep) if p]
    if str(path) not in paths:
        environment[name] = os.pathsep.join([str(path), *paths])


if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], ros_environment())
