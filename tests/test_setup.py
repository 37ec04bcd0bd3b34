"""Set-up: says what is missing, does a step again only if what it depends on changed, and installs tested versions."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
import yaml

import loci

ROOT = Path(__file__).parents[1]
WHEELS = ("jazzy", "kilted")
STEPS = ["make_environment", "install_packages", "build_interfaces", "compile_kernels"]


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_second_set_up_does_nothing_and_takes_seconds() -> None:
    venv = Path(sys.prefix)
    if not (venv / "loci-setup.json").is_file() or venv.parent != ROOT:
        pytest.skip(f"{venv} was not made by `make`")
    wheels = venv.name.removeprefix(".venv").lstrip("-") or "jazzy"
    began = time.monotonic()
    command = [Path(sys.base_prefix, "bin/python3"), "scripts/bootstrap.py", "--wheels", wheels, "--venv", venv.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert time.monotonic() - began < 10.0


def test_missing_debian_packages_are_named_with_the_command_to_type(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(bootstrap, "SYSTEM_LIBRARIES", {"libsurely-not-there.so.7": "libsurely7"})
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    missing = bootstrap.missing_debian_packages()
    assert set(missing) >= {"g++", "libsurely7"}
    with pytest.raises(SystemExit, match=r"sudo apt-get install .*g\+\+.* libsurely7"):
        bootstrap.install_debian_packages(missing)


def test_root_gets_missing_debian_packages_installed(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda command, **_: commands.append(command))
    bootstrap.install_debian_packages(["libgl1"])
    assert [command[1] for command in commands] == ["update", "install"]
    assert commands[1][-1] == "libgl1"


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [("", None), ("/home/me/ws/install:/elsewhere", None), ("/opt/ros/nothing-here", None)],
)
def test_only_a_ros_in_opt_ros_counts_as_sourced(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, prefixes: str, expected: Path | None
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", prefixes)
    assert bootstrap.sourced_ros() == expected


def test_cmake_files_of_wheels_are_mended_once(bootstrap: ModuleType, tmp_path: Path) -> None:
    setup = bootstrap.Setup(tmp_path / ".venv", "jazzy", None, "")
    cmake = tmp_path / ".venv/share/pkg/cmake/export.cmake"
    cmake.parent.mkdir(parents=True)
    foreign = "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include;/opt/python/cp310-cp310/include/python3.10"
    cmake.write_text(f'set(INCLUDES "{foreign};${{PREFIX}}/include")\n')
    for _ in range(2):
        setup._mend_cmake_files()
        numpy, python, prefix = cmake.read_text().split('"')[1].split(";")
        assert numpy == f"{setup._site_packages()}/numpy/_core/include"
        assert Path(python, "Python.h").is_file()
        assert prefix == "${PREFIX}/include"


@pytest.fixture
def steps(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run the set-up of a small tree with steps that only say that they ran; returns which."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    for name in ("pyproject.toml", "setup.py", "package.xml", "CMakeLists.txt", "requirements/python.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    for folder in ("msg", "srv", "action", "cmake", "launch", "config", "src"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".venv").mkdir()
    ran: list[str] = []
    for step in STEPS:
        monkeypatch.setattr(bootstrap.Setup, step, lambda self, step=step: ran.append(step))

    def run(**changes: str) -> list[str]:
        ran.clear()
        given = {"wheels": "jazzy", "torch_index": ""} | changes
        bootstrap.Setup(tmp_path / ".venv", given["wheels"], None, given["torch_index"]).run()
        return list(ran)

    return run


def test_steps_run_again_when_what_they_depend_on_changed(steps: Callable[..., list[str]], tmp_path: Path) -> None:
    assert steps() == STEPS
    assert steps() == []
    (tmp_path / "msg/New.msg").write_text("int32 x\n")
    assert steps() == ["build_interfaces"]
    (tmp_path / "requirements/python.lock").write_text("numpy==2.0\n")
    assert steps() == ["install_packages", "compile_kernels"]
    assert steps(torch_index="https://example.org/cpu") == ["install_packages", "compile_kernels"]
    (tmp_path / "src/kernels.py").write_text("import numba\n")
    assert steps(torch_index="https://example.org/cpu") == ["compile_kernels"]
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 80\n")
    assert steps(torch_index="https://example.org/cpu") == []


def test_a_step_that_failed_is_tried_again(
    steps: Callable[..., list[str]], bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> None:
        raise SystemExit("no network")

    with monkeypatch.context() as broken:
        broken.setattr(bootstrap.Setup, "install_packages", fail)
        with pytest.raises(SystemExit, match="no network"):
            steps()
    assert steps() == STEPS[1:]


def test_a_failing_command_shows_the_end_of_its_output_and_names_the_log(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    setup = bootstrap.Setup(tmp_path / ".venv", "jazzy", None, "")
    setup.build.mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"(?s)the reason.*packages: failed.*setup\.log"):
        setup._step("packages", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"])
    assert "set-up: packages" in capsys.readouterr().out


def test_all_versions_are_the_same() -> None:
    version = ElementTree.parse(ROOT / "package.xml").findtext("version")
    assert loci.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def _pins(file: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    return dict(line.partition(";")[0].strip().split("==") for line in lines if "==" in line)


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=! ;]", line, maxsplit=1)[0].lower() for line in requirements}


def test_every_python_dependency_has_a_tested_version() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 or newer")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    needed = _names([*project["dependencies"], *extras])
    assert needed <= _pins("python.lock").keys()


@pytest.mark.parametrize("wheels", WHEELS)
def test_every_ros_wheel_has_a_tested_version(wheels: str) -> None:
    lines = (ROOT / f"requirements/ros-{wheels}.txt").read_text().splitlines()
    assert _names([line for line in lines if line.startswith("ros-")]) <= _pins(f"ros-{wheels}.lock").keys()


def test_the_ros_package_needs_nothing_that_only_pip_has() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    keys = {element.text for element in package if element.tag.endswith("depend")}
    assert not keys & {"torch", "python3-torch", "open3d", "python3-open3d", "python3-openai", "sentence-transformers"}


def test_help_lists_every_goal() -> None:
    text = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for goal in ("demo", "test", "test-long", "lint", "bench", "clean", "help"):
        assert re.search(rf"^make {goal} +\w", text, re.MULTILINE), goal
