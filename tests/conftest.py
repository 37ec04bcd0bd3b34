"""Shared fixtures: where the real data lie, and a seeded random generator."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# The same examples every time, so that a change is judged by what it changes; `make test-long` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("varied", deadline=None)
settings.load_profile("repeatable")


def data_directory() -> Path:
    """Folder with real recordings: $LOCI_DATA, else ../shared/data beside the repository."""
    return Path(os.environ.get("LOCI_DATA") or Path(__file__).resolve().parents[1] / ".." / "shared" / "data").resolve()


@pytest.fixture(scope="session")
def kitchen() -> Path:
    """200 real Kinect frames of a kitchen."""
    path = data_directory() / "kitchen_rgbd"
    if not path.is_dir():
        pytest.skip(f"no kitchen recording at {path}: set LOCI_DATA to the folder that holds kitchen_rgbd/")
    return path


@pytest.fixture(scope="session")
def aeqa_questions() -> Path:
    """3D-Mem's subset of 41 questions of A-EQA."""
    path = data_directory() / "aeqa_questions_41.json"
    if not path.is_file():
        pytest.skip(f"no questions of A-EQA at {path}: set LOCI_DATA to the folder that holds {path.name}")
    return path


@pytest.fixture(scope="session")
def street() -> Path:
    """Touchdown's street graph, and routes of map2seq on it."""
    path = data_directory() / "street"
    if not path.is_dir():
        pytest.skip(f"no street graph at {path}: set LOCI_DATA to the folder that holds street/")
    return path


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
