"""`loci doctor` says what is missing and what to do, and fails only for what cannot be done without."""

from __future__ import annotations

import fcntl
import importlib
from pathlib import Path
from typing import Any

import pytest

from loci import doctor
from loci.doctor import Finding, Level, check_interfaces, check_memories, check_packages, check_ros, run_doctor


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of modules that cannot be imported; add to it."""
    missing: set[str] = set()
    real = importlib.import_module

    def find(name: str, *args: Any) -> Any:
        if name in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args)

    monkeypatch.setattr(doctor.importlib, "import_module", find)
    return missing


def test_a_missing_package_is_named_with_what_to_install(without: set[str]) -> None:
    without.update({"open3d", "safetensors"})
    findings = {finding.what.partition(":")[0]: finding for finding in check_packages()}
    assert findings["packages for the memories"].level is Level.FAIL
    assert "safetensors: not installed" in findings["packages for the memories"].what
    assert findings["packages for the simulator and `loci demo`"].level is Level.WARN
    assert "[sim]" in findings["packages for the simulator and `loci demo`"].todo


def test_without_ros_it_says_how_to_get_it(without: set[str]) -> None:
    without.add("rclpy")
    (finding,) = check_ros()
    assert finding.level is Level.FAIL
    assert "/opt/ros" in finding.todo


def test_interfaces_that_are_not_built_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/nowhere")
    (finding,) = check_interfaces()
    assert finding.level is Level.FAIL
    assert "colcon build" in finding.todo


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOCI_HOME", str(tmp_path / "file" / "memories"))
    (finding,) = check_memories()
    assert finding.level is Level.FAIL


def test_a_memory_in_use_is_shown_with_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCI_HOME", str(tmp_path))
    for name in ("idle", "busy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").write_text("pid 42 on robot")
    with (tmp_path / "busy" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, *writers = check_memories()
    assert [finding.what for finding in writers] == ["memory busy is being written by pid 42 on robot"]


@pytest.mark.parametrize(("level", "status"), [(Level.OK, 0), (Level.WARN, 0), (Level.FAIL, 1)])
def test_the_exit_status_tells_whether_something_failed(
    level: Level, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter([Finding(level, "a thing", "do this")]),))
    assert run_doctor(topics=False) == status
    assert f"{level.value:<4}  a thing\n      -> do this" in capsys.readouterr().out
