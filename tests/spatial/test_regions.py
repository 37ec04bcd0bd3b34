"""Rooms of drawn plans, and their lasting ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from spatial_worlds import ROOM_CENTRES, apartment, map_from_text

from loci.spatial.occupancy import FREE, OCCUPIED, UNKNOWN, OccupancyMap
from loci.spatial.regions import RoomMap, segment_rooms


def numbered() -> Callable[[], str]:
    numbers = count()
    return lambda: f"room/{next(numbers)}"


def plan(door: float = 0.9, furnished: bool = False, resolution: float = 0.05) -> OccupancyMap:
    """The apartment's plan as a robot that saw all of it would draw it: nothing is free outside."""
    n = round(8.6 / resolution)
    true = apartment(furnished, door).plan(resolution, (-0.3, -0.3), (n, n))
    rows, columns = np.indices(true.cells.shape)
    xy = true.center_of(np.stack([rows, columns], axis=-1))
    outside = np.any((xy < -0.05) | (xy > 8.05), axis=-1)
    return replace(true, cells=np.where(outside, UNKNOWN, true.cells).astype(np.int8))


def ids_at_centres(rooms: RoomMap) -> list[str]:
    return [room.id if room else "" for room in rooms.rooms_near(np.array(ROOM_CENTRES), 1.0)]


@pytest.mark.parametrize("door", [0.7, 0.8, 0.9])
@pytest.mark.parametrize("resolution", [0.05, 0.1])
def test_doors_part_rooms_and_the_corridor_is_one(door: float, resolution: float) -> None:
    rooms = segment_rooms(plan(door, resolution=resolution), (), numbered())
    assert len(rooms.rooms) == 5
    assert len(set(ids_at_centres(rooms))) == 5
    true_areas = [3.9 * 3.4, 3.9 * 3.4, 2.9 * 3.2, 4.9 * 3.2, 7.9 * 1.1]
    for room_id, area in zip(ids_at_centres(rooms), true_areas, strict=True):
        assert rooms.room(room_id).area == pytest.approx(area, rel=0.12)


def test_every_room_is_connected_and_its_position_is_free_and_inside() -> None:
    map_ = plan(furnished=True)
    rooms = segment_rooms(map_, (), numbered())
    for room in rooms.rooms:
        assert rooms.room_at(room.position[:2]) == room.id
        assert map_.at(np.array(room.position[:2])) == FREE
        assert map_.clearance[tuple(map_.cell_of(room.position[:2]))] > 0.3
    assert [r.area for r in rooms.rooms] == sorted((r.area for r in rooms.rooms), reverse=True)
    assert not np.any(rooms.labels[map_.cells == OCCUPIED])


def test_walls_of_the_higher_band_keep_a_cluttered_room_whole() -> None:
    map_ = plan()
    cells = map_.cells.copy()
    for row in range(12, 76, 12):  # rows of tables, 0.6 m apart, fill the living room
        cells[row : row + 3, 14:78] = OCCUPIED
    cluttered = replace(map_, cells=cells)
    assert len(segment_rooms(replace(cluttered, walls=map_.cells), (), numbered()).rooms) == 5
    whole = segment_rooms(replace(cluttered, walls=map_.cells), (), numbered())
    assert whole.room_at((0.6, 0.5)) == whole.room_at((3.6, 3.2)) != ""


def test_ids_and_names_last_while_the_map_grows_and_changes() -> None:
    new_id = numbered()
    map_ = plan()
    half = replace(map_, cells=np.where(np.arange(172)[:, None] > 100, UNKNOWN, map_.cells).astype(np.int8))
    first = segment_rooms(half, (), new_id)
    first = first.with_rooms(tuple(replace(r, name=f"name of {r.id}", confidence=0.5) for r in first.rooms))
    grown = OccupancyMap(np.pad(map_.cells, ((7, 0), (4, 0)), constant_values=UNKNOWN), (-0.5, -0.65), 0.05)
    second = segment_rooms(grown, first, new_id)
    for room in first.rooms:
        kept = second.room(second.room_at(room.position[:2]))
        assert (kept.id, kept.name, kept.confidence) == (room.id, room.name, room.confidence)
    assert len(second.rooms) == 5 and len({r.id for r in second.rooms}) == 5
    # After a restart only ids and positions are known.
    bare = tuple(replace(room, name="", area=0.0) for room in second.rooms)
    third = segment_rooms(grown, bare, new_id)
    assert ids_at_centres(third) == ids_at_centres(second)


def test_nearest_room_of_a_point_that_is_not_free() -> None:
    rooms = segment_rooms(plan(furnished=True), (), numbered())
    on_the_bed = rooms.rooms_near(np.array([[7.0, 0.8]]), 1.5)[0]
    assert on_the_bed is not None and on_the_bed.id == rooms.room_at((5.0, 1.0))
    assert rooms.room_at((7.0, 0.8)) == "" == rooms.room_at((100.0, 0.0))
    assert rooms.rooms_near(np.array([[100.0, 0.0]]), 1.5) == [None]
    with pytest.raises(KeyError, match="room/77"):
        rooms.room("room/77")


def test_maps_without_floor_have_no_rooms() -> None:
    for map_ in (map_from_text("???\n?#?"), OccupancyMap(np.zeros((0, 0), dtype=np.int8), (0.0, 0.0), 0.05)):
        rooms = segment_rooms(map_, (), numbered())
        assert rooms.rooms == () and rooms.room_at((0.0, 0.0)) == "" and rooms.rooms_near([[0.0, 0.0]], 9.0) == [None]
