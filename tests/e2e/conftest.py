"""End-to-end tests run the command line in a process of its own, over real DDS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not in this environment: `make setup`")
pytest.importorskip("loci_ros", reason="the interfaces are not built: `make setup`")

Loci = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def loci(tmp_path_factory: pytest.TempPathFactory) -> Loci:
    """Run `loci ...`; memories by name live in a folder of this test run."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments: object, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LOCI_HOME": str(home)}
        command = [sys.executable, "-m", "loci.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)

    return run


@pytest.fixture(scope="session")
def held(loci: Loci) -> Callable[[object], dict[str, Any]]:
    """What `loci info --json` says of a memory."""

    def info(memory: object) -> dict[str, Any]:
        done = loci("info", memory, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return info
