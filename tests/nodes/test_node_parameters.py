"""Parameter tables: checked values, and configuration files and documentation that say the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from loci.memory import MemoryParameters
from loci.nodes.parameters import MEMORY, TABLES, Parameter, markdown, setting_of, with_settings
from loci_sim.parameters import FOLLOWER, SIMULATOR

ROOT = Path(__file__).resolve().parents[2]
#: Nodes of every configuration file.
FILES = {
    "memory": ("memory", "spatial_memory", "scene_memory", "episodic_memory"),
    "perception": ("perception",),
    "planner": ("planner",),
    "simulator": ("simulator",),
    "follower": ("follower",),
}
ALL_TABLES = {**TABLES, "simulator": SIMULATOR, "follower": FOLLOWER}
ALL = [(node, p) for node, table in ALL_TABLES.items() for p in table]


@pytest.mark.parametrize(("node", "p"), ALL, ids=[f"{n}.{p.name}" for n, p in ALL])
def test_every_parameter_says_what_it_is_and_its_default_is_allowed(node: str, p: Parameter) -> None:
    p.validate(p.default)
    assert p.description.endswith(".") or p.choices or "." in p.description
    if isinstance(p.default, (int, float)) and not isinstance(p.default, bool):
        assert p.lower is not None, f"{node}.{p.name} has no range"
        assert p.upper is not None, f"{node}.{p.name} has no range"
        with pytest.raises(ValueError, match=p.name):
            p.validate(type(p.default)(p.upper * 2 + 1))
    if isinstance(p.default, float):
        with pytest.raises(ValueError, match=p.name):
            p.validate(float("nan"))
    if p.choices:
        with pytest.raises(ValueError, match=p.choices[0]):
            p.validate("something else")


@pytest.mark.parametrize("p", [p for p in MEMORY if p.setting], ids=lambda p: p.name)
def test_defaults_are_those_of_the_library(p: Parameter) -> None:
    assert setting_of(MemoryParameters(), p.setting) == pytest.approx(p.to_setting(p.default))


def test_a_parameter_sets_its_library_setting_and_no_other() -> None:
    values = {p.name: p.default for p in MEMORY} | {"leaf_size": 0.1}
    changed = with_settings(MemoryParameters(), MEMORY, values)
    assert changed.spatial.octree.leaf_size == 0.1
    octree = replace(changed.spatial.octree, leaf_size=MemoryParameters().spatial.octree.leaf_size)
    assert replace(changed, spatial=replace(changed.spatial, octree=octree)) == MemoryParameters()


def test_the_octrees_bounds_reach_the_library_and_a_budget_of_nothing_is_refused() -> None:
    values = {p.name: p.default for p in MEMORY}
    bounds = {"octree_memory_budget": 1_000_000, "octree_resident_radius": 12.5, "scratch_directory": "/mnt/disk"}
    spatial = with_settings(MemoryParameters(), MEMORY, values | bounds | {"octree_threads": 3}).spatial
    assert (spatial.octree.memory_budget, spatial.octree.resident_radius) == (1_000_000, 12.5)
    assert (spatial.octree.n_threads, spatial.scratch_directory) == (3, "/mnt/disk")
    for name, value in (("octree_memory_budget", 0), ("octree_resident_radius", 0.0)):
        with pytest.raises(ValueError, match=name.removeprefix("octree_")):
            with_settings(MemoryParameters(), MEMORY, values | {name: value})


@pytest.mark.parametrize("value", ["../other", "a/b", "", ".hidden"])
def test_a_memory_name_is_a_name_and_not_a_path(value: str) -> None:
    name = next(p for p in MEMORY if p.name == "memory_name")
    with pytest.raises(ValueError, match="memory name"):
        name.validate(value)


@pytest.mark.parametrize("file", FILES)
def test_configuration_files_hold_every_parameter_with_its_default(file: str) -> None:
    given = yaml.safe_load((ROOT / "config" / f"{file}.yaml").read_text())["/**"]["ros__parameters"]
    declared = {p.name: p for node in FILES[file] for p in ALL_TABLES[node]}
    assert set(given) <= set(declared)
    arrays = {name for name, p in declared.items() if isinstance(p.default, tuple)}
    assert set(declared) - set(given) == arrays, "an empty array cannot be written in a ROS parameter file"
    for name, value in given.items():
        assert value == declared[name].default, name
        assert type(value) is type(declared[name].default), name


@pytest.mark.parametrize("node", ALL_TABLES)
def test_the_documentation_has_the_table_of_every_node(node: str) -> None:
    text = (ROOT / "docs" / "interfaces.md").read_text()
    assert markdown(ALL_TABLES[node]) in text, f"print the table of {node} with loci.nodes.parameters.markdown"


def test_every_interface_is_documented() -> None:
    text = (ROOT / "docs" / "interfaces.md").read_text()
    for file in [*ROOT.glob("srv/*.srv"), *ROOT.glob("action/*.action"), *ROOT.glob("msg/*.msg")]:
        assert f"`{file.stem}`" in text or f"{file.stem}." in text, f"docs/interfaces.md does not mention {file.name}"
