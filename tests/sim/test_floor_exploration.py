"""A robot that begins on the ground floor of a home with stairs explores until it has been on the upper floor, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.memory import MemoryParameters, RobotMemory
from loci.planning.exploration import ExplorationParameters, ExplorationProgress, explore
from loci.planning.local import LocalReader
from loci.spatial.memory import SpatialParameters
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.floorplan import STOREY
from loci_sim.processes import STEP_HEIGHT
from loci_sim.scenes import generate_scene, load_scene
from remembering_robot import RememberingRobot

#: `loci_sim.scenes`: the first home on two floors.
SEED, MAX_STEPS = 3, 200


@dataclass
class Climbed:
    memory: RobotMemory
    way: list[ExplorationProgress]


@pytest.fixture(scope="module")
def climbed(scene_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Climbed]:
    home = load_scene(generate_scene("home", SEED, scene_directory))
    assert len(home.floors) == 2
    simulator = EmbeddedSimulator(home, RobotParameters(width=96, height=72))
    simulator.reset()
    parameters = MemoryParameters(spatial=SpatialParameters(max_step_height=STEP_HEIGHT))
    folder = tmp_path_factory.mktemp("climbed") / "memory"
    with RobotMemory.open(folder, map_id=simulator.map_id, parameters=parameters) as memory:
        way: list[ExplorationProgress] = []
        settings = ExplorationParameters(max_steps=MAX_STEPS, visit_rooms=False, reconsider_steps=8)
        for progress in explore(LocalReader(memory), RememberingRobot(simulator, memory, detects=False), settings):
            way.append(progress)
            floors = memory.floors()
            if len(floors) == 2 and floors[1].area > 8.0:
                break  # what is left is like on any floor
        yield Climbed(memory, way)
    simulator.close()


def test_exploration_climbs_to_a_floor_where_nobody_has_been(climbed: Climbed) -> None:
    heights = np.array([p.position[2] for p in climbed.way])
    assert heights[0] == pytest.approx(0.0, abs=0.05)
    assert heights[-1] == pytest.approx(STOREY, abs=0.3)
    assert np.max(np.abs(np.diff(heights))) < 0.5
    assert climbed.way[-1].n_collisions < 0.1 * len(climbed.way)
    floors = climbed.memory.floors()
    np.testing.assert_allclose([f.height for f in floors], [0.0, STOREY], atol=0.05)
    assert all(f.is_driven for f in floors)


def test_on_the_way_it_drove_to_frontiers_on_the_steps(climbed: Climbed) -> None:
    goals = np.array([p.goal[2] for p in climbed.way if p.goal is not None])
    assert np.any((goals > 0.3) & (goals < STOREY - 0.3))


def test_both_floors_are_joined_by_paths(climbed: Climbed) -> None:
    top, foot = climbed.way[-1].position, climbed.way[15].position
    down = climbed.memory.find_path(top, foot, 0.3)
    assert not down.reason
    assert down.points[0][2] - down.points[-1][2] == pytest.approx(STOREY, abs=0.3)
    up = climbed.memory.find_path(foot, top, 0.3)
    assert not up.reason
    assert up.length == pytest.approx(down.length, rel=0.1)
    # Every frontier upstairs can be reached from downstairs.
    lengths = [length for f, length in climbed.memory.frontiers(foot) if f.position[2] > STOREY - 0.3]
    assert lengths
    assert max(lengths) > STOREY
