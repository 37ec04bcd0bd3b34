"""A robot in a home on two floors drives over the stairs, by the simulator's paths or by what its memory knows, and tells of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci.memory import RobotMemory
from loci.planning.driving import DriveProgress, Driver, drive_to, is_at
from loci.planning.local import LocalReader
from loci.planning.protocols import KnownPath, Point
from loci.report import collect, write_report
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.floorplan import STOREY
from loci_sim.scenes import Scene, generate_scene, load_scene
from remembering_robot import RememberingRobot

MAX_STEPS = 400


class TrueWay:
    """The simulator's shortest paths as somebody's knowledge of the way."""

    def __init__(self, simulator: EmbeddedSimulator) -> None:
        self._simulator = simulator

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        path = self._simulator.shortest_path(self._simulator.position(), goal)
        return KnownPath(np.empty((0, 3)), 0.0, "no way") if path is None else KnownPath(path.points, path.length)


@dataclass
class Home:
    """The robot upstairs, where it came by the true way, and where it began downstairs."""

    robot: RememberingRobot
    memory: RobotMemory
    shown: list[DriveProgress]
    upstairs: Point
    downstairs: Point


def hallway_upstairs(scene: Scene, simulator: EmbeddedSimulator) -> Point:
    room = next(r for r in scene.rooms if r.floor == 1 and r.name == "hallway")
    grid = simulator.levels.grids[1]
    cells = grid.center_of(np.argwhere(grid.navigable))
    x, y = cells[np.argmin(np.linalg.norm(cells - room.polygon.mean(axis=0), axis=1))].tolist()
    return (x, y, room.z)


@pytest.fixture(scope="module")
def home(scene_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    scenes = (load_scene(generate_scene("home", seed, scene_directory)) for seed in range(20))
    scene = next(s for s in scenes if len(s.floors) == 2)
    simulator = EmbeddedSimulator(scene, RobotParameters(width=160, height=120))
    simulator.reset()
    with RobotMemory.open(tmp_path_factory.mktemp("home") / "memory", map_id=simulator.map_id) as memory:
        robot = RememberingRobot(simulator, memory)
        driver = Driver(TrueWay(simulator), robot, MAX_STEPS)
        for _ in range(12):
            driver.act("turn_left")
        upstairs = hallway_upstairs(scene, simulator)
        shown = list(drive_to(driver, upstairs))
        for _ in range(12):
            driver.act("turn_left")
        # Under its first position no camera has seen the floor.
        first = np.array(robot.way[0])
        downstairs = next(p for p in robot.way if np.hypot(*(np.array(p) - first)[:2]) > 1.5)
        yield Home(robot, memory, shown, upstairs, downstairs)
    simulator.close()


def test_the_robot_climbs_by_the_true_way(home: Home) -> None:
    assert home.shown[-1].outcome == "arrived"
    assert is_at(home.shown[-1].position, home.upstairs, 0.3)
    assert abs(home.robot.way[0][2]) < 0.05
    heights = [p.position[2] for p in home.shown]
    assert sum(0.5 < z < STOREY - 0.5 for z in heights) > 5  # step by step, over the stairs
    assert np.max(np.abs(np.diff(heights))) < 0.5


def test_what_is_above_or_below_is_not_reached_by_standing_under_it(home: Home) -> None:
    x, y, z = home.robot.position()
    assert not is_at((x, y, z), (x, y, z - STOREY), 0.25)
    *_, last = drive_to(Driver(LocalReader(home.memory), home.robot, 1), (x, y, z - STOREY))
    assert last.outcome == "stuck"


def test_the_memorys_paths_lead_down_and_up_again(home: Home) -> None:
    for goal in (home.downstairs, home.upstairs):
        start, begun = home.robot.position(), len(home.robot.way)
        shortest = home.robot.simulator.shortest_path(start, goal)
        assert shortest is not None
        driver = Driver(LocalReader(home.memory), home.robot, MAX_STEPS)
        last = list(drive_to(driver, goal))[-1]
        assert last.outcome == "arrived", last.reason
        assert is_at(last.position, goal, 0.4)
        driven = float(np.linalg.norm(np.diff([start, *home.robot.way[begun:]], axis=0), axis=1).sum())
        assert driven < 1.3 * shortest.length + 0.5
        assert driver.n_collisions < 0.15 * driver.n_steps


def test_the_report_has_a_map_of_each_floor_with_what_is_on_it(home: Home, tmp_path: Path) -> None:
    data = collect(home.memory, title="A home with stairs")
    assert [part.title for part in data.floors] == ["floor 1", "floor 2"]
    assert dict(data.figures)["floors"] == "2"
    for part, height in zip(data.floors, (0.0, STOREY), strict=True):
        assert part.objects
        assert all(height - 0.3 < o.center[2] < height + STOREY for o in part.objects)
        assert part.rooms
        assert np.isfinite(part.path).any()
    # What lies on one floor is on no other, and nothing is lost.
    assert sorted(o.id for part in data.floors for o in part.objects) == sorted(o.id for o in data.objects)
    assert sorted(r.id for part in data.floors for r in part.rooms) == sorted(r.id for r in data.rooms)
    page = write_report(data, tmp_path).read_text()
    assert page.index("floor 1") < page.index("floor 2")
    maps = [cv2.imread(str(tmp_path / name)) for name in ("map.png", "map-2.png")]
    assert all(m is not None and m.std() > 10 for m in maps)
    assert not (tmp_path / "map-3.png").exists()


def test_the_scene_graph_tells_rooms_and_things_under_their_floor(home: Home) -> None:
    text, truncated = home.memory.scene_graph("text")
    assert not truncated
    lines = text.splitlines()
    floors = home.memory.floors()
    begins = [lines.index(f"{f.name} ({f.id}), at {f.height:.1f} m:") for f in floors]
    assert begins[0] == 0
    assert len(begins) == 2
    for floor, first, last in zip(floors, begins, (begins[1], len(lines)), strict=True):
        told = "\n".join(lines[first:last])
        assert all(f"({room_id})" in told for room_id in floor.room_ids)
    on_floor = home.memory.floors_of([o.center for o in home.memory.objects()])
    rooms = [home.memory.room_of(o) for o in home.memory.objects()]
    for o, floor, room in zip(home.memory.objects(), on_floor, rooms, strict=True):
        if room is not None:
            line = next(
                i for i, text_line in enumerate(lines) if text_line.startswith("  ") and f"({o.id})" in text_line
            )
            assert (line > begins[1]) == (floor.id == floors[1].id)
