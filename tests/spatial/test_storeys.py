"""Floors and stairs in worlds of boxes: what is one, what is none, and where the robot is."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from spatial_worlds import CAMERA, UPPER, World, apartment, box, look_around, two_floors

from loci.geometry import Array, look_at
from loci.spatial.columns import ColumnCache
from loci.spatial.floors import Floor, Storeys, Track, find_storeys
from loci.spatial.occupancy import FREE, OCCUPIED, FloorMapper, OccupancyMap
from loci.spatial.octree import Octree, OctreeParameters

LEAF, EYE = 0.05, 1.2


def seen(world: World, poses: list[Array], octree: Octree | None = None) -> Octree:
    octree = octree or Octree()
    for i, pose in enumerate(poses):
        octree.integrate(world.depth(pose), CAMERA, pose, i)
    return octree


def storeys(octree: Octree, positions: list[Array], former: tuple[Floor, ...] = ()) -> Storeys:
    cache, numbers = ColumnCache(), count(1)
    cache.update(octree)
    track = Track(np.array(positions), np.zeros(len(positions), dtype=np.int64))
    return find_storeys(cache.columns, track, former, lambda: f"floor/{next(numbers)}")


def positions(poses: list[Array]) -> list[Array]:
    return [pose[:3, 3] for pose in poses]


def climb() -> list[Array]:
    """Level views of a robot that looks around below, climbs the stairs and looks around above."""
    poses = look_around(3.0, 1.5, 8, EYE) + [
        look_at((x, 2.2, EYE), (x - 1, 2.2, EYE)) for x in np.arange(3.0, 0.2, -0.3)
    ]
    poses += [look_at((0.25, y, EYE), (0.25, y + 1, EYE)) for y in (2.4, 2.7, 3.0, 3.3, 3.5)]
    for x in np.arange(0.3, 5.4, 0.15):
        z = EYE + min(max((x - 0.4) * 0.17 / 0.27, 0.0), UPPER)
        poses.append(look_at((x, 3.5, z), (x + 1, 3.5, z - 0.2)))
    poses += [look_at((5.4, y, EYE + UPPER), (5.4, y - 1, EYE + UPPER - 0.3)) for y in np.arange(3.5, 1.4, -0.3)]
    return poses + look_around(5.0, 1.5, 8, EYE + UPPER) + look_around(3.0, 1.5, 8, EYE + UPPER)


@pytest.fixture(scope="module")
def climbed() -> tuple[Octree, list[Array]]:
    return seen(two_floors(), climb()), positions(climb())


def test_two_floors_and_the_way_between_them(climbed: tuple[Octree, list[Array]]) -> None:
    found = storeys(*climbed)
    np.testing.assert_allclose([f.height for f in found.floors], [0.0, UPPER], atol=LEAF)
    assert all(f.is_driven for f in found.floors)
    assert (found.current, found.on_stairs) == (1, False)
    assert found.camera_height == pytest.approx(EYE, abs=LEAF)
    (stairs,) = found.stairs
    assert stairs.floors == (found.floors[0].id, found.floors[1].id)
    np.testing.assert_allclose(stairs.points[[0, -1], 2], [f.height for f in found.floors])
    assert np.all(np.diff(stairs.points[:, 2]) >= 0)
    assert 5.0 < stairs.length < 7.5
    assert found.below([0.0, 0.4, 2.3, 2.6, 9.0, -3.0]).tolist() == [0, 0, 0, 1, 1, 0]


def test_on_the_way_up_the_robot_is_on_stairs_from_the_floor_that_it_left(climbed: tuple[Octree, list[Array]]) -> None:
    _, way = climbed
    middle = next(i for i, p in enumerate(way) if p[2] > EYE + 1.5)
    found = storeys(seen(two_floors(), climb()[: middle + 1]), way[: middle + 1])
    assert len(found.floors) == 1
    assert (found.current, found.on_stairs) == (0, True)
    (stairs,) = found.stairs
    assert stairs.floors == (found.floors[0].id, "")
    np.testing.assert_allclose(stairs.points[-1], way[middle] - (0, 0, EYE), atol=LEAF)


def test_ids_and_heights_last_when_more_is_seen_and_a_surface_moves_by_a_voxel(
    climbed: tuple[Octree, list[Array]],
) -> None:
    octree, way = climbed
    before = storeys(octree, way).floors
    shaken = tuple(Floor(f.id, f.name, f.height + 0.8 * LEAF * (-1) ** i) for i, f in enumerate(before))
    after = storeys(octree, way, shaken)
    assert [(f.id, f.height) for f in after.floors] == [(f.id, f.height) for f in shaken]


def test_furniture_is_no_floor() -> None:
    spots = ((2.0, 1.0), (1.5, 2.9), (6.0, 2.6), (5.0, 5.6), (2.0, 5.7))
    poses = [pose for spot in spots for pose in look_around(*spot, n=6)]
    # Once more from up high, as a camera that is carried: tables and beds are seen from above.
    poses += [pose for spot in spots for pose in look_around(*spot, n=5, height=1.7)]
    found = storeys(seen(apartment(), poses), positions(poses))
    assert len(found.floors) == 1
    assert found.floors[0].height == pytest.approx(0.0, abs=LEAF)
    assert not found.stairs


def test_a_floor_far_below_is_known_before_anyone_was_there() -> None:
    """From a gallery that is half a room deep."""
    world = World(
        np.array([
            box(-0.1, -3, -0.2, 6, 3, 0.0),
            box(-0.1, -3, 2.5, 2.0, 3, UPPER),
            box(6, -3, 0, 6.1, 3, 5.0),
            box(-0.2, -3, 0, -0.1, 3, 5.0),
        ])
    )  # fmt: skip
    poses = [look_at((1.0, y, UPPER + EYE), (1.0, y + 1.0, UPPER + 0.7)) for y in np.arange(-2.5, 2.0, 0.25)]
    poses += [look_at((1.7, y, UPPER + EYE), (3.2, y, 2.0)) for y in np.arange(-2.0, 2.1, 0.5)]
    octree = seen(world, poses, Octree(OctreeParameters(max_range=8.0)))
    found = storeys(octree, positions(poses))
    np.testing.assert_allclose([f.height for f in found.floors], [0.0, UPPER], atol=LEAF)
    assert [f.is_driven for f in found.floors] == [False, True]
    assert (found.current, found.stairs) == (1, ())


def test_over_the_edge_of_a_floor_there_is_no_free_floor(climbed: tuple[Octree, list[Array]]) -> None:
    octree, way = climbed
    cache = ColumnCache()
    cache.update(octree)
    lower, upper = storeys(octree, way).floors
    over_the_steps = np.stack([np.arange(1.3, 3.8, 0.1), np.full(25, 3.5)], axis=1)
    for floor in (lower, upper):
        map_ = FloorMapper(floor.height, has_drops=True).update(cache.columns, None, 0)
        states = map_.at(over_the_steps)
        assert np.mean(states == OCCUPIED) > 0.5
        assert not np.any(states == FREE)
    careless = FloorMapper(upper.height).update(cache.columns, None, 0)
    assert np.mean(careless.at(over_the_steps) == FREE) > 0.3


def same(a: OccupancyMap, b: OccupancyMap) -> None:
    assert (a.origin, a.stamp_ns) == (b.origin, b.stamp_ns)
    np.testing.assert_array_equal(a.cells, b.cells)
    np.testing.assert_array_equal(a.walls, b.walls)


def test_a_map_that_follows_the_octree_is_the_one_from_scratch() -> None:
    world, octree, cache, poses = two_floors(), Octree(), ColumnCache(), climb()
    mappers = [FloorMapper(0.0, has_drops=True), FloorMapper(UPPER, has_drops=True), FloorMapper(0.0)]
    last = [None, None, None]
    for i, pose in enumerate(poses[::2]):
        octree.integrate(world.depth(pose), CAMERA, pose, i)
        tiles = cache.update(octree)
        maps = [mapper.update(cache.columns, tiles, octree.stamp_ns) for mapper in mappers]
        if i % 5 == 0:
            anew = ColumnCache()
            anew.update(octree)
            np.testing.assert_array_equal(anew.columns.tops, cache.columns.tops)
            np.testing.assert_array_equal(anew.columns.solid, cache.columns.solid)
            for mapper, map_ in zip(mappers, maps, strict=True):
                scratch = FloorMapper(mapper.floor_z, has_drops=mapper.has_drops)
                same(map_, scratch.update(anew.columns, None, octree.stamp_ns))
        # Where nothing has changed the arrays are the same ones.
        again = [mapper.update(cache.columns, cache.update(octree), octree.stamp_ns + 1) for mapper in mappers]
        assert all(a.cells is b.cells and a.stamp_ns == b.stamp_ns + 1 for a, b in zip(again, maps, strict=True))
        last = maps
    assert all(m is not None and np.count_nonzero(m.cells == FREE) > 1000 for m in last)
