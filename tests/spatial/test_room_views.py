"""Which room a thing is in, when it hangs on the wall between two."""

from __future__ import annotations

import numpy as np

from loci.spatial.regions import Room, RoomMap

# Two rooms of 2 m x 2 m, and a wall of 0.2 m between them at x = 2.0 to 2.2.
LABELS = np.zeros((20, 42), np.int32)
LABELS[:, :20], LABELS[:, 22:] = 1, 2
ROOMS = tuple(Room(f"room/{i}", "", 0.0, (0.0, 0.0, 0.0), 4.0) for i in (1, 2))
MAP = RoomMap(LABELS, ROOMS, (0.0, 0.0), 0.1)


def ids(rooms):
    return [room.id if room else "" for room in rooms]


def test_a_towel_on_a_wall_is_in_the_room_it_was_seen_from():
    towel = [(2.1, 1.0)]
    assert ids(MAP.rooms_towards(towel, [(1.0, 1.2)], 1.5)) == ["room/1"]
    assert ids(MAP.rooms_towards(towel, [(3.5, 0.4)], 1.5)) == ["room/2"]


def test_what_stands_in_a_room_is_in_it_wherever_it_was_seen_from():
    points = [(0.5, 0.5), (4.0, 1.5)]
    assert ids(MAP.rooms_towards(points, [(4.0, 1.0), (0.5, 1.0)], 1.5)) == ["room/1", "room/2"]


def test_without_a_room_on_the_line_of_sight_the_nearest_counts():
    outside = [(-0.5, 1.0), (-3.0, 1.0)]
    assert ids(MAP.rooms_towards(outside, [(-4.0, 1.0), (-4.0, 1.0)], 1.5)) == ["room/1", ""]


def test_a_camera_nearer_than_the_reach_is_not_looked_behind():
    assert ids(MAP.rooms_towards([(2.1, 1.0)], [(2.15, 1.0)], 1.5)) == ids(MAP.rooms_near([(2.1, 1.0)], 1.5))


def test_no_rooms_are_no_error():
    empty = RoomMap(np.zeros((3, 3), np.int32), (), (0.0, 0.0), 0.1)
    assert empty.rooms_towards([(0.1, 0.1)], [(0.2, 0.2)], 1.5) == [None]
    assert MAP.rooms_towards(np.zeros((0, 2)), np.zeros((0, 2)), 1.5) == []
