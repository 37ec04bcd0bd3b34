"""One generated apartment and one simulator for all tests of the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from loci_sim.scenes import Scene, ScenePath, generate_apartment, load_scene


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
