"""Going up to a thing: the robot ends close to it and with nothing between, not only near in a straight line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grid_world import CELL, GridWorld, Page, walls_of
from scipy import ndimage

from loci.planning.approach import CLOSE, approach, stand_elsewhere
from loci.planning.bodies import SteppedBody
from loci.planning.driving import level_distance
from loci.planning.protocols import KnownObject, KnownPath, Point, StepResult
from loci.query import Evidence, Query

#: A wall between two halves of a room, open on one side only; "o" is a thing against the wall, which is seen from the right.
ROOM = """
####################
#         #        #
#         #        #
#         #        #
#         #o       #
#         #        #
#         #        #
#                  #
#                  #
#                  #
####################
"""
SCALE = 3


class WorldWithThing(GridWorld):
    """A thing of half a metre that is recognised within 3 m wherever it is in view, but not from nearer than ``nearest``."""

    def __init__(self, start: Point, view_range: float = 3.0, table: float = 0.0, nearest: float = 0.0) -> None:
        blocked = walls_of(ROOM.replace("o", "#"), SCALE)
        things = ~walls_of(ROOM.replace("#", " ").replace("o", "#"), SCALE)
        rows, columns = np.nonzero(~things)
        self.center: Point = (float((columns.mean() + 0.5) * CELL), float((rows.mean() + 0.5) * CELL), 0.4)
        super().__init__(blocked, start, view_range=4.0)
        self.known[:] = True
        #: Floor (H, W) that a low table of so many metres takes before the thing: no place to stand, but nothing hides behind it.
        self.table = np.zeros_like(blocked)
        first = int(columns.max()) + 1
        self.table[rows.min() - 9 : rows.max() + 10, first : first + round(table / CELL)] = True
        self._sight = self.walls
        self.walls = self.walls | self.table
        self._body = ndimage.distance_transform_edt(~self.walls) * CELL > 0.2
        self._range, self._nearest, self.last_seen_ns, self.is_there = view_range, nearest, 1, True

    def step(self, action: str) -> StepResult:  # type: ignore[override]
        result = super().step(action)  # type: ignore[arg-type]
        if self.is_there and self.sees_thing():
            self.last_seen_ns = result.stamp_ns
        return result

    def sees_thing(self) -> bool:
        offset = np.subtract(self.center[:2], self._position[:2])
        away = float(np.linalg.norm(offset))
        turn = (np.arctan2(offset[1], offset[0]) - self._heading + np.pi) % (2 * np.pi) - np.pi
        way = np.arange(0.0, max(away - 0.35, 0.0), CELL / 2) / max(away, 1e-9)
        xs, ys = self._position[0] + way * offset[0], self._position[1] + way * offset[1]
        return bool(
            self._nearest <= away < self._range
            and abs(turn) < np.radians(40)
            and not np.any(self._sight[self._cell(xs, ys)])
        )

    @property
    def T_map_best_view(self) -> np.ndarray:
        """From the right, where nothing is between."""
        T = np.eye(4)
        T[:3, 3] = self.center[0] + 1.6, self.center[1], 1.2
        return T

    @property
    def thing(self) -> KnownObject:
        evidence = Evidence(
            id="object/1", kind="object", text="box", score=1.0, origin="scene", stamp_ns=self.last_seen_ns, label="box",
            state="present" if self.is_there else "missing", position=self.center, is_goal=True, T_map_camera=self.T_map_best_view,
        )  # fmt: skip
        return KnownObject(evidence, size=(0.3, 0.3, 0.8))

    def known_objects(self) -> tuple[KnownObject, ...]:
        return (self.thing,)

    def recall(self, query: Query) -> Page:  # type: ignore[override]
        return Page((self.thing.evidence,), 1) if query.object_id in (None, "object/1") else Page()

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        """To the free point nearest in a straight line, whatever is between: as the memory's own paths end."""
        rows, columns = np.nonzero(np.isfinite(self._distances(self._position if start is None else start)[0]))
        xy = np.stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL], axis=1)
        away = np.linalg.norm(xy - np.array(goal[:2]), axis=1)
        k = int(np.argmin(away))
        if away[k] > max(tolerance, CELL):
            return KnownPath(np.empty((0, 3)), 0.0, "unreachable")
        return super().path_to((float(xy[k, 0]), float(xy[k, 1]), 0.0), start)


def go(world: WorldWithThing, target: Evidence) -> str:
    body = SteppedBody(world, world)
    body.begin(400)
    body.look()
    way = approach(world, body, target, 1.5)
    while True:
        try:
            next(way)
        except StopIteration as end:
            return str(end.value)


@pytest.mark.parametrize("start", [(5.0, 2.0, 0.0), (5.0, 1.0, 0.0), (1.0, 1.0, 0.0)])
def test_it_ends_close_before_a_thing_and_sees_it(start: Point) -> None:
    world = WorldWithThing(start)
    assert go(world, world.thing.evidence) == ""
    assert level_distance(world.position(), world.center) < CLOSE + 0.35
    assert world.sees_thing()


def test_it_goes_round_a_wall_that_is_between() -> None:
    """A low table stands before the thing: in a straight line the nearest floor is behind the wall, where the memory's path ends."""
    world = WorldWithThing((1.0, 2.0, 0.0), table=0.7)
    assert world.path_to(world.center, tolerance=1.5).points[-1][0] < 2.9
    assert go(world, world.thing.evidence) == ""
    assert world.sees_thing()
    assert world.position()[0] > 3.0


def test_a_low_thing_that_leaves_the_image_close_by_is_reached_all_the_same() -> None:
    world = WorldWithThing((5.0, 2.0, 0.0), nearest=1.3)
    assert go(world, world.thing.evidence) == ""
    assert not world.sees_thing()
    assert level_distance(world.position(), world.center) < 1.5


def test_what_never_shows_close_by_is_reached_where_it_was_seen_from_and_not_behind_a_wall() -> None:
    before = WorldWithThing((5.0, 2.0, 0.0), nearest=3.0)
    assert go(before, before.thing.evidence) == ""
    behind = WorldWithThing((1.0, 2.0, 0.0), nearest=3.0)
    behind.walls = behind.walls | (
        np.arange(behind.walls.shape[1]) * CELL > 3.0
    )  # nothing but the far side can be stood on
    behind._body = ndimage.distance_transform_edt(~behind.walls) * CELL > 0.2
    assert "view" in go(behind, behind.thing.evidence)


def test_it_stops_as_soon_as_it_is_close_enough() -> None:
    world = WorldWithThing((5.5, 2.0, 0.0))
    go(world, world.thing.evidence)
    assert level_distance(world.position(), world.center) > 0.4


def test_a_thing_that_is_gone_is_reached_all_the_same_and_the_search_ends() -> None:
    world = WorldWithThing((5.0, 2.0, 0.0))
    target = world.thing.evidence
    world.is_there = False
    assert go(world, target) == ""


def test_stamps_of_an_earlier_session_are_no_sightings() -> None:
    world = WorldWithThing((1.0, 2.0, 0.0), table=0.7)
    world.last_seen_ns = 10**15
    assert go(world, world.thing.evidence) == ""
    assert world.sees_thing()


def test_what_cannot_be_reached_is_told() -> None:
    world = WorldWithThing((5.0, 2.0, 0.0))
    assert "unreachable" in go(world, replace(world.thing.evidence, position=(40.0, 40.0, 0.4)))


def test_to_reach_far_over_a_thing_the_robot_comes_nearer_than_to_look_at_it() -> None:
    world = WorldWithThing((5.0, 1.5, 0.0))
    target = world.thing.evidence
    assert go(world, target) == ""
    body = SteppedBody(world, world)
    body.begin(400)

    def stand(near: bool) -> list[float]:
        """How far from the thing the robot then stands, time after time."""
        away: list[float] = []
        stood: list[Point] = []
        while True:
            way = stand_elsewhere(world, body, target, stood, near)
            while True:
                try:
                    next(way)
                except StopIteration as end:
                    if not end.value:
                        return away
                    away.append(level_distance(world.position(), world.center))
                    break

    near, far = stand(True), stand(False)
    assert near and far
    assert near[0] < 0.9 < far[0]
