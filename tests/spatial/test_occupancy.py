"""The floor map of apartments whose true plan is known."""

from __future__ import annotations

import numpy as np
import pytest
from spatial_worlds import CAMERA, World, apartment, box, look_around

from loci.geometry import look_at
from loci.spatial.occupancy import (
    FREE,
    OCCUPIED,
    UNKNOWN,
    OccupancyMap,
    occupancy_map,
)
from loci.spatial.octree import Octree

SPOTS = ((2.0, 1.0), (1.5, 2.9), (1.0, 4.1), (6.0, 4.1), (6.0, 2.6), (2.0, 5.7), (5.0, 5.6), (7.0, 6.5))


def explore(world: World, spots: tuple[tuple[float, float], ...] = SPOTS, height: float = 1.2) -> Octree:
    octree = Octree()
    for i, spot in enumerate(spots):
        for pose in look_around(*spot, height=height):
            octree.integrate(world.depth(pose), CAMERA, pose, i)
    return octree


@pytest.fixture(scope="module")
def octree() -> Octree:
    return explore(apartment())


def test_the_map_is_the_true_plan(octree: Octree) -> None:
    found = occupancy_map(octree)
    true = apartment().plan(found.resolution, found.origin, found.cells.shape)
    rows, columns = np.indices(found.cells.shape)
    xy = found.center_of(np.stack([rows, columns], axis=-1))
    inside = np.all((xy > 0.1) & (xy < 7.9), axis=-1)
    free, occupied = inside & (true.cells == FREE), inside & (true.cells == OCCUPIED)
    assert np.mean(found.cells[free] == FREE) > 0.95
    assert np.mean(found.cells[free] == OCCUPIED) < 0.02
    # What is not seen of walls and furniture is their inside: unknown, not free.
    assert np.mean(found.cells[occupied] == FREE) < 0.01
    assert (found.floor_z, found.stamp_ns) == (pytest.approx(0.0, abs=0.03), len(SPOTS) - 1)


def test_the_floor_is_found_at_any_height_and_not_the_ceiling_or_a_table() -> None:
    for shift in (0.0, 0.02, -1.337):
        world = World(apartment().boxes + (0.0, 0.0, shift))
        octree = explore(world, SPOTS[:2], 1.2 + shift)
        assert occupancy_map(octree).floor_z == pytest.approx(shift, abs=0.05)


def test_low_things_are_driven_over_and_lintels_under() -> None:
    base = [box(-0.1, -3, -0.2, 6, 3, 0.0), box(6, -3, 0, 6.1, 3, 2.5)]
    world = World(
        np.array([*base, box(2, -1, 0, 2.3, 1, 0.06), box(3, -1, 1.7, 3.3, 1, 2.5), box(4, -0.3, 0, 4.3, 0.3, 0.3)])
    )
    octree = explore(world, ((0.5, 0.0), (1.2, 0.4), (1.2, -0.4)))
    found = occupancy_map(octree)
    assert found.at(np.array([[2.125, 0.025], [3.125, 0.025], [4.025, 0.025]])).tolist() == [FREE, FREE, OCCUPIED]
    assert occupancy_map(octree, robot_height=2.0).at(np.array([3.025, 0.025])) == OCCUPIED


def test_a_lamp_pole_is_an_obstacle() -> None:
    world = World(
        np.array([box(-0.1, -3, -0.2, 6, 3, 0.0), box(5, -3, 0, 5.1, 3, 2.5), box(2.0, 0.0, 0, 2.02, 0.02, 1.6)])
    )
    octree = explore(world, ((0.5, 0.0), (0.8, 0.3), (0.8, -0.3)))
    around = np.stack(np.meshgrid(np.arange(1.975, 2.1, 0.05), np.arange(-0.025, 0.1, 0.05)), axis=-1)
    assert np.any(occupancy_map(octree).at(around) == OCCUPIED)


def test_a_thing_that_was_taken_away_leaves_free_floor() -> None:
    room = [box(-1, -3, -0.2, 5, 3, 0.0), box(4, -3, 0, 4.1, 3, 2.5)]
    crate = box(2, -0.3, 0, 2.5, 0.3, 0.8)
    octree = Octree()
    for world in (World(np.array([*room, crate])), World(np.array(room))):
        for i in range(16):
            pose = look_at((0.2 + 0.02 * i, 0.0, 1.2), (2.2, 0.0, 0.4))
            octree.integrate(world.depth(pose), CAMERA, pose, i)
        state = occupancy_map(octree).at(np.array([2.025, 0.025]))
        assert state == (OCCUPIED if world.boxes.shape[0] == 3 else FREE)


def test_cells_and_points_map_to_one_another() -> None:
    map_ = OccupancyMap(np.arange(6, dtype=np.int8).reshape(2, 3), (-0.5, 1.0), 0.25)
    assert map_.cell_of((-0.5, 1.0)).tolist() == [0, 0]
    assert map_.cell_of([[0.24, 1.49]]).tolist() == [[1, 2]]
    assert map_.center_of((1, 2)).tolist() == [0.125, 1.375]
    assert map_.at([[0.125, 1.375], [9.0, 9.0]]).tolist() == [5, UNKNOWN]


def test_an_empty_octree_gives_an_empty_map_that_answers() -> None:
    empty = occupancy_map(Octree())
    assert empty.cells.shape == (0, 0) and empty.at((1.0, 2.0)) == UNKNOWN
    with pytest.raises(ValueError, match="robot_height"):
        occupancy_map(Octree(), robot_height=0.05)
