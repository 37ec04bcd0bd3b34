"""Nodes over real DDS, each module in a ROS domain of its own; skipped where rclpy or the interfaces cannot be imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loci.session import Domain


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that ask for a ROS domain are marked."""
    for item in items:
        if {"ros_domain", "own_domain"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("ros")


@contextmanager
def _domain() -> Iterator[int]:
    for module in ("rclpy", "loci_ros"):
        pytest.importorskip(
            module, reason=f"{module} cannot be imported: run `make setup`, or source ROS 2 and build loci_ros"
        )
    before = {name: os.environ.get(name) for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")}
    domain = Domain()
    os.environ |= {"ROS_DOMAIN_ID": str(domain.number), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    yield domain.number
    domain.close()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture(scope="module")
def ros_domain() -> Iterator[int]:
    """A domain that no other module and no other test process uses, on this machine only."""
    with _domain() as domain:
        yield domain


@pytest.fixture
def own_domain() -> Iterator[int]:
    """A domain for one test, away from the nodes that its module shares."""
    with _domain() as domain:
        yield domain
