"""A program finds ROS 2 and the interfaces although nothing was sourced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loci.environment import interfaces_prefix, ros_environment

MARKER = "share/ament_index/resource_index/packages/loci_ros"


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment that holds the interfaces, as sys.prefix."""
    (tmp_path / MARKER).parent.mkdir(parents=True)
    (tmp_path / MARKER).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path


def test_the_environment_that_holds_the_interfaces_comes_first(prefix: Path) -> None:
    environment = ros_environment({"AMENT_PREFIX_PATH": "/opt/ros/jazzy", "HOME": "/home/me"})
    assert environment == {
        "AMENT_PREFIX_PATH": f"{prefix}:/opt/ros/jazzy",
        "LD_LIBRARY_PATH": f"{prefix}/lib",
        "HOME": "/home/me",
    }
    assert ros_environment(environment) == environment


def test_a_sourced_workspace_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert ros_environment({"AMENT_PREFIX_PATH": "/home/me/ws/install"}) == {"AMENT_PREFIX_PATH": "/home/me/ws/install"}


def test_the_prefix_of_the_interfaces_is_found(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/opt/ros/jazzy:{prefix}")
    assert interfaces_prefix() == prefix
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/jazzy")
    assert interfaces_prefix() is None


def test_a_program_starts_anew_once_where_libraries_would_not_be_found(prefix: Path) -> None:
    code = (
        "import sys; sys.prefix = sys.argv[1]\n"
        "from loci.environment import ensure_ros_environment\n"
        "print('start', flush=True); ensure_ros_environment()\n"
        "import os; print(os.environ['LD_LIBRARY_PATH'].split(':')[0], sys.argv[2])"
    )
    source = str(Path(__file__).parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source + os.pathsep + os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-c", code, str(prefix), "argument"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["start", "start", f"{prefix}/lib argument"]


def test_a_command_runs_in_the_environment_of_this_python() -> None:
    source = str(Path(__file__).parents[1] / "src")
    environment = {**os.environ, "PYTHONPATH": source + os.pathsep + os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-m", "loci.environment", "sh", "-c", "echo $AMENT_PREFIX_PATH; exit 3"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.strip() == ros_environment(environment).get("AMENT_PREFIX_PATH", "")
