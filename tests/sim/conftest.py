"""One generated apartment and one simulator for all tests of the simulator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loci_sim.habitat.process import PYTHON_VARIABLE
from loci_sim.scenes import Scene, ScenePath, generate_apartment, generate_scene, load_scene


@pytest.fixture(scope="session")
def apartment_files(tmp_path_factory: pytest.TempPathFactory) -> ScenePath:
    return generate_apartment(3, tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def apartment(apartment_files: ScenePath) -> Scene:
    return load_scene(apartment_files)


@pytest.fixture(scope="session")
def scene_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests put scenes that others may use as well."""
    return tmp_path_factory.mktemp("generated")


@pytest.fixture(scope="session")
def habitat_python() -> str:
    """The interpreter that `LOCI_HABITAT_PYTHON` names; one that is named and does not work is a failure."""
    python = os.environ.get(PYTHON_VARIABLE, "")
    if not python:
        pytest.skip(f"no habitat_sim: set {PYTHON_VARIABLE} to a Python interpreter that has it")
    return python


@pytest.fixture(scope="session")
def home_files(scene_directory: Path) -> ScenePath:
    """The home that both simulators are compared on."""
    return generate_scene("home", 1, scene_directory)
