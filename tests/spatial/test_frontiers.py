"""Frontiers on drawn maps, and an exploration of a furnished apartment that must come to an end."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from spatial_worlds import CAMERA, ROOM_CENTRES, apartment, look_around, map_from_text

from loci.spatial.frontiers import Frontier, FrontierParameters, FrontierTracker
from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap, occupancy_map
from loci.spatial.octree import Octree
from loci.spatial.paths import path_lengths
from loci.spatial.regions import segment_rooms


def tracker(**changes: float) -> FrontierTracker:
    numbers = count()
    return FrontierTracker(lambda: f"frontier/{next(numbers)}", FrontierParameters(**changes))


def room_with_opening(width: float, resolution: float = 0.05) -> OccupancyMap:
    """A free room of 4 x 3 m with walls, open on the right over ``width`` [m]."""
    cells = np.full((80, 120), UNKNOWN, dtype=np.int8)
    cells[9:71, 9:91] = OCCUPIED
    cells[10:70, 10:90] = FREE
    gap = int(width / resolution / 2)
    cells[40 - gap : 40 + gap, 90] = FREE
    return OccupancyMap(cells, (0.0, 0.0), resolution)


def test_a_door_is_one_frontier_behind_its_opening() -> None:
    (frontier,) = tracker().update(room_with_opening(0.9), (2.0, 2.0))
    assert frontier.id == "frontier/0"
    np.testing.assert_allclose(frontier.centroid, (4.7, 2.0, 0.0), atol=0.15)
    np.testing.assert_allclose(frontier.direction, (1.0, 0.0, 0.0), atol=0.1)
    assert 4.0 < frontier.position[0] < 4.55 and abs(frontier.position[1] - 2.0) < 0.1
    assert 0.2 <= frontier.area < 0.6
    assert frontier.area == pytest.approx(len(frontier.cells) * 0.0025)
    assert np.all(room_with_opening(0.9).at((frontier.cells + 0.5) * 0.05) == UNKNOWN)


def test_openings_too_narrow_for_the_robot_are_none() -> None:
    assert tracker().update(room_with_opening(0.3), (2.0, 2.0)) == ()
    assert len(tracker(robot_radius=0.05, min_area=0.05).update(room_with_opening(0.3), (2.0, 2.0))) == 1


def test_a_closed_room_and_slivers_along_its_walls_give_none() -> None:
    map_ = room_with_opening(0.0)
    cells = map_.cells.copy()
    cells[10, 10:90] = UNKNOWN  # 4 m of unseen cells between floor and wall
    cells[30:33, 30:33] = UNKNOWN  # an unseen speck
    assert tracker().update(OccupancyMap(cells, map_.origin, map_.resolution), (2.0, 2.0)) == ()


def test_what_the_robot_cannot_reach_is_no_frontier() -> None:
    map_ = room_with_opening(0.9)
    cells = map_.cells.copy()
    cells[:, 60] = OCCUPIED  # a wall across the room
    divided = OccupancyMap(cells, map_.origin, map_.resolution)
    assert tracker().update(divided, (1.0, 2.0)) == ()
    assert len(tracker().update(divided, (4.0, 2.0))) == 1
    assert len(tracker().update(divided, None)) == 1


def test_thresholds_are_metres_at_every_resolution() -> None:
    for resolution in (0.025, 0.05, 0.1, 0.15):
        n = round(4.0 / resolution)
        cells = np.full((n, n), FREE, dtype=np.int8)
        cells[[0, -1], :] = cells[:, 0] = OCCUPIED
        cells[:, -round(1.0 / resolution) :] = UNKNOWN
        frontiers = tracker().update(OccupancyMap(cells, (0.0, 0.0), resolution), (1.0, 2.0))
        assert len(frontiers) == 1
        assert frontiers[0].area == pytest.approx(4.0 * 0.3, rel=0.5)


def test_the_free_disc_around_a_robot_is_split_by_angle() -> None:
    rows, columns = np.indices((120, 120))
    disc = np.hypot(rows - 59.5, columns - 59.5) < 40
    map_ = OccupancyMap(np.where(disc, FREE, UNKNOWN).astype(np.int8), (-3.0, -3.0), 0.05)
    frontiers = tracker().update(map_, (0.0, 0.0))
    assert len(frontiers) >= 3
    for frontier in frontiers:
        angles = np.sort(np.arctan2(*((frontier.cells + 0.5) * 0.05).T[::-1]))
        span = 2 * np.pi - np.diff(angles, append=angles[0] + 2 * np.pi).max()
        assert np.degrees(span) <= 150
    cells = np.concatenate([f.cells for f in frontiers])
    assert len(np.unique(cells, axis=0)) == len(cells)


def test_a_frontier_keeps_its_identity_and_photo_while_its_region_is_the_same() -> None:
    t = tracker()
    (first,) = t.update(room_with_opening(0.9), (2.0, 2.0))
    t.set_keyframe(first.id, "keyframe/3")
    (again,) = t.update(room_with_opening(0.9), (1.0, 1.0))
    assert (again.id, again.keyframe_id) == (first.id, "keyframe/3")
    # A little has changed (less than 0.75 m2), and the map has grown by 1 m to the left and below.
    smaller = room_with_opening(0.7)
    grown = OccupancyMap(np.pad(smaller.cells, ((20, 0), (20, 0)), constant_values=UNKNOWN), (-1.0, -1.0), 0.05)
    (later,) = t.update(grown, (2.0, 2.0))
    assert (later.id, later.keyframe_id) == (first.id, "keyframe/3")
    assert t.update(room_with_opening(0.0), (2.0, 2.0)) == ()
    (new,) = t.update(room_with_opening(0.9), (2.0, 2.0))
    assert new.id != first.id and new.keyframe_id == ""


def test_a_large_frontier_that_moved_on_is_another_one() -> None:
    def half_known(free_columns: int) -> OccupancyMap:
        cells = np.full((120, 200), UNKNOWN, dtype=np.int8)
        cells[:, :free_columns] = FREE
        cells[[0, -1], :] = cells[:, 0] = OCCUPIED
        return OccupancyMap(cells, (0.0, 0.0), 0.05)

    t = tracker()
    (a,) = t.update(half_known(60), (1.0, 3.0))
    (b,) = t.update(half_known(63), (1.0, 3.0))
    assert a.area > 1.5 and b.id != a.id


def test_an_empty_map_and_a_robot_far_from_it_give_none() -> None:
    assert tracker().update(OccupancyMap(np.zeros((0, 0), dtype=np.int8), (0.0, 0.0), 0.05), (0.0, 0.0)) == ()
    assert tracker().update(map_from_text("..??\n..??\n..??"), (50.0, 50.0)) == ()


def test_following_frontiers_explores_the_whole_apartment_and_ends() -> None:
    world, octree, t = apartment(), Octree(), tracker()
    robot, frontiers, given_up = np.array([2.0, 1.0]), (), set()
    for step in range(25):
        for pose in look_around(*robot):
            octree.integrate(world.depth(pose), CAMERA, pose, step)
        map_ = occupancy_map(octree)
        frontiers = t.update(map_, robot)
        goals = np.array([f.position[:2] for f in frontiers]).reshape(-1, 2)
        lengths = path_lengths(map_, robot, goals)
        open_: list[tuple[float, Frontier]] = [
            (length, f) for f, length in zip(frontiers, lengths, strict=True) if f.id not in given_up and length >= 0
        ]
        if not open_:
            break
        length, nearest = min(open_, key=lambda pair: pair[0])
        if length < 0.3:
            given_up.add(nearest.id)
        robot = nearest.position[:2]
    else:
        pytest.fail(f"still {len(frontiers)} frontiers after 25 stops")
    true = world.plan(map_.resolution, map_.origin, map_.cells.shape)
    rows, columns = np.indices(map_.cells.shape)
    xy = map_.center_of(np.stack([rows, columns], axis=-1))
    inside = np.all((xy > 0.1) & (xy < 7.9), axis=-1) & (true.cells == FREE)
    assert np.mean(map_.cells[inside] == FREE) > 0.95
    numbers = count()
    rooms = segment_rooms(map_, (), lambda: f"room/{next(numbers)}")
    found = {room.id for room in rooms.rooms_near(np.array(ROOM_CENTRES), 1.0) if room}
    assert len(found) == len(ROOM_CENTRES) == len(rooms.rooms)
