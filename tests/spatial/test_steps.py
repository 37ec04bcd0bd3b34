"""Steps that were only seen: they become ways and frontiers for a robot that can climb them, and for no other."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spatial_worlds import CAMERA, UPPER, World, apartment, box, look_around, two_floors

from loci.geometry import Array, look_at
from loci.spatial import step_kernels
from loci.spatial.floor_layers import FloorLayers
from loci.spatial.floor_paths import find_floor_path, floor_path_lengths
from loci.spatial.floors import Track
from loci.spatial.frontiers import Frontier, FrontierParameters
from loci.spatial.information_gain import unknown_volume
from loci.spatial.memory import SpatialParameters
from loci.spatial.octree import Octree
from loci.spatial.view import SpatialView

LEAF, EYE, STEP = 0.05, 1.2, 0.17


class Seer:
    """Sees a world from pose after pose, as a robot that climbs steps up to a height."""

    def __init__(self, world: World, max_step_height: float = 0.2, robot_radius: float = 0.2) -> None:
        self.world, self.octree = world, Octree()
        numbers = count(1)
        frontiers = FrontierParameters(robot_radius=robot_radius)
        self.layers = FloorLayers(
            lambda kind: f"{kind}/{next(numbers)}", 1.5, frontiers, max_step_height=max_step_height
        )
        self.poses: list[Array] = []

    def see(self, *poses: Array) -> SpatialView:
        for pose in poses:
            self.octree.integrate(self.world.depth(pose), CAMERA, pose, len(self.poses))
            self.poses.append(pose)
        ahead = np.array([p[:2, 2] / np.linalg.norm(p[:2, 2]) for p in self.poses])
        track = Track(np.array([p[:3, 3] for p in self.poses]), np.zeros(len(self.poses), dtype=np.int64), ahead)

        def gain(positions: Array, directions: Array) -> Array:
            return unknown_volume(lambda points: self.octree.query(points)[0], positions, directions)

        return self.layers.update(self.layers.take(self.octree), track, len(self.poses), gain)


def below() -> list[Array]:
    """What a robot sees that looks around on the lower floor and comes to the foot of the stairs."""
    poses = look_around(3.0, 1.5, 8, EYE) + look_around(0.8, 1.5, 8, EYE)
    poses += [look_at((0.3, y, EYE), (0.3, y + 1, EYE - 0.3)) for y in (1.5, 2.0, 2.5, 3.0)]
    return poses + [look_at((x, 3.5, EYE), (x + 1, 3.5, EYE - 0.2)) for x in (0.25, 0.3)]


def on_steps(view: SpatialView) -> list[Frontier]:
    return [f for f in view.frontiers if abs(f.position[2] - view.floor(f.floor).floor.height) > 0.1]


@pytest.fixture(scope="module")
def seer() -> tuple[Seer, SpatialView]:
    seer = Seer(two_floors())
    return seer, seer.see(*below())


def test_a_flight_that_was_seen_is_a_frontier_on_its_steps(seer: tuple[Seer, SpatialView]) -> None:
    _, view = seer
    (frontier,) = on_steps(view)
    x, y, z = frontier.position
    # On the slope of the steps, within a step of it.
    assert z == pytest.approx((x - 0.5) * STEP / 0.27, abs=STEP)
    assert 3.0 < y < 4.0
    assert z > 0.3
    assert frontier.direction[0] > 0.9
    assert frontier.centroid[0] > x
    assert frontier.information_gain > 0.1
    assert frontier.floor == view.floors[0].floor.id


def test_a_path_leads_from_the_floor_up_the_steps_that_are_known(seer: tuple[Seer, SpatialView]) -> None:
    _, view = seer
    (frontier,) = on_steps(view)
    start = np.array((3.0, 1.5, 0.0))
    found = find_floor_path(view, start, frontier.position)
    assert not found.reason
    np.testing.assert_allclose(found.points[-1], frontier.position, atol=1e-6)
    assert np.all(np.diff(found.points[:, 2]) >= -0.03)
    assert np.max(np.abs(np.diff(found.points[:, 2]))) <= STEP
    # Straight above the steps, a robot's radius from the wall and from the edge.
    up = found.points[found.points[:, 2] > 0.2]
    assert np.all((up[:, 1] > 3.2 - LEAF) & (up[:, 1] < 3.8 + LEAF))
    (length,) = floor_path_lengths(view, start, frontier.position[None])
    assert length == pytest.approx(found.length, rel=0.1)
    back = find_floor_path(view, frontier.position, start)
    assert not back.reason
    assert back.length == pytest.approx(found.length, rel=0.1)


def test_going_up_reveals_the_rest_until_the_next_floor_is_there() -> None:
    seer = Seer(two_floors())
    view = seer.see(*below())
    reached = [0.0]
    for _ in range(12):
        if not (ahead := on_steps(view)):
            break
        goal = max(ahead, key=lambda f: f.position[2]).position
        path = find_floor_path(view, seer.poses[-1][:3, 3], goal)
        assert not path.reason
        reached.append(float(goal[2]))
        eye = goal + (0.0, 0.0, EYE)
        way = [look_at(tuple(p), tuple(p + (1.0, 0.0, -0.2))) for p in path.points[1:-1:2] + (0.0, 0.0, EYE)]
        turns = [look_at(tuple(eye), tuple(eye + (np.cos(a), np.sin(a), -0.3))) for a in (0.0, -0.8, -1.6, -2.4)]
        view = seer.see(*way, *turns)
        if len(view.floors) == 2:
            break
    assert len(view.floors) == 2
    assert reached == sorted(reached)
    above = [look_at((5.4, 3.4, EYE + UPPER), (5.4 + dx, 2.4, EYE + UPPER - 0.6)) for dx in (-1.0, 0.0, 0.4)]
    above += [look_at((5.4, y, EYE + UPPER), (5.0, y - 1, EYE + UPPER - 0.4)) for y in np.arange(3.2, 1.4, -0.2)]
    above += look_around(5.0, 1.5, 8, EYE + UPPER)
    view = seer.see(*above)
    np.testing.assert_allclose([f.floor.height for f in view.floors], [0.0, UPPER], atol=LEAF)
    path = find_floor_path(view, np.array((5.0, 1.5, UPPER)), np.array((3.0, 1.5, 0.0)))
    assert not path.reason
    assert any(s.floors[1] for s in view.stairs)


@pytest.mark.parametrize(("step", "radius"), [(0.0, 0.2), (0.08, 0.2), (0.2, 0.55)])
def test_steps_that_the_robot_cannot_climb_lead_nowhere(step: float, radius: float) -> None:
    """It does not climb, the steps are too high, and they are too narrow."""
    view = Seer(two_floors(), step, radius).see(*below())
    assert not on_steps(view)
    assert not view.stairs


def test_steps_down_are_a_frontier_below_the_floor() -> None:
    """Steps that fall less steeply than the lower edge of the image."""
    steps = [box(3.0 + 0.4 * i, -1.0, -3.0, 3.4 + 0.4 * i, 1.0, -0.15 * (i + 1)) for i in range(12)]
    sides = [box(3.0, -1.1, -3.0, 8.0, -1.0, 2.0), box(3.0, 1.0, -3.0, 8.0, 1.1, 2.0)]
    world = World(
        np.array([box(-1.0, -3.0, -3.0, 3.0, 3.0, 0.0), *steps, *sides, box(-1.1, -3.0, 0.0, -1.0, 3.0, 2.0)])
    )
    poses = look_around(1.0, 0.0, 8, EYE)
    poses += [look_at((x, 0.0, EYE), (x + 1, 0.0, EYE - 0.5)) for x in np.arange(0.5, 2.8, 0.15)]
    view = Seer(world).see(*poses)
    (frontier,) = on_steps(view)
    assert frontier.position[2] < -0.25
    assert frontier.position[2] == pytest.approx(-(frontier.position[0] - 3.0) * 0.15 / 0.4, abs=0.15)
    path = find_floor_path(view, np.array((1.0, 0.0, 0.0)), frontier.position)
    assert not path.reason
    assert path.points[-1, 2] < -0.25


def test_furniture_is_no_flight_of_steps() -> None:
    spots = ((2.0, 1.0), (1.5, 2.9), (6.0, 2.6), (5.0, 5.6), (2.0, 5.7))
    view = Seer(apartment()).see(*(pose for spot in spots for pose in look_around(*spot, n=6)))
    assert not on_steps(view)
    assert not view.stairs


def test_a_single_step_and_a_steep_heap_are_no_flight() -> None:
    ledges = [box(4.0 + 0.05 * i, 1.5, 0.0, 4.1 + 0.05 * i, 3.5, 0.15 * (i + 1)) for i in range(6)]
    world = World(np.array([
        box(-1.0, -4.0, -0.2, 8.0, 4.0, 0.0), box(3.0, -3.0, 0.0, 5.0, -1.0, 0.15), *ledges, box(-1.1, -4, 0, -1, 4, 2),
    ]))  # fmt: skip
    poses = [p for spot in ((1.0, 0.0), (2.2, -2.0), (2.5, 2.5)) for p in look_around(*spot, 8, EYE)]
    assert not on_steps(Seer(world).see(*poses))


def test_the_same_is_found_step_by_step_as_at_once() -> None:
    poses = below()
    late, whole = Seer(two_floors()), Seer(two_floors()).see(*poses)
    for i in range(0, len(poses), 5):
        view = late.see(*poses[i : i + 5])
    a, b = view.floors[0].climb, whole.floors[0].climb
    assert a is not None
    assert b is not None
    np.testing.assert_array_equal(a.steps.map.cells, b.steps.map.cells)
    # The floor keeps the height at which it was first seen.
    np.testing.assert_allclose(a.steps.heights, b.steps.heights, atol=1e-3)


def test_a_step_height_that_no_robot_has_is_refused() -> None:
    for height in (-0.1, float("nan"), 1.5):
        with pytest.raises(ValueError, match="max_step_height"):
            SpatialParameters(max_step_height=height)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 6), st.integers(0, 2))
def test_climbing_reaches_what_a_search_over_single_cells_reaches(seed: int, step: int, head: int, gap: int) -> None:
    """Against a breadth-first search in a dense volume, over random heaps with things hanging above them."""
    rng = np.random.default_rng(seed)
    shape = (16, 16, 24)
    surface = np.cumsum(rng.integers(-1, 2, shape[:2]), axis=0) + np.cumsum(rng.integers(-1, 2, shape[:2]), axis=1)
    surface = np.clip(surface + 8, 1, 18)
    z = np.arange(shape[2])
    solid = z <= surface[..., None]
    solid |= (rng.random(shape) < 0.01) & (z > surface[..., None] + 1)
    solid[rng.random(shape[:2]) < 0.1] = False  # nothing is known of these columns
    bricks = np.stack(np.meshgrid(*(np.arange(n // 8) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)

    def bits(volume: np.ndarray) -> np.ndarray:
        parts = volume.reshape(2, 8, 2, 8, 3, 8).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 64, 8)
        return np.packbits(parts, axis=-1, bitorder="little")[..., 0]

    tops = solid & ~np.pad(solid, ((0, 0), (0, 0), (0, 1)))[..., 1:]
    codes = (bricks[:, 0] << 40) + ((bricks[:, 1] + (1 << 19)) << 20) + bricks[:, 2] + (1 << 19)
    seeds = np.array([[8, 8, surface[8, 8]]])
    heights = np.full(shape[1::-1], step_kernels.NONE, dtype=np.int32)
    floor = 50  # all of it lies below: columns may be hidden
    step_kernels.climb(
        codes, bits(tops), bits(solid), seeds, np.zeros(2, np.int64), heights, floor, np.zeros(0, np.int64), 2, step, head, gap
    )  # fmt: skip
    expected = np.full_like(heights, step_kernels.NONE)
    queue = [tuple(seeds[0].tolist())]
    while queue:
        x, y, layer = queue.pop(0)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                for k in range(1, gap + 2):
                    a, b = x + k * dx, y + k * dy
                    if not (0 <= a < 16 and 0 <= b < 16) or expected[b, a] != step_kernels.NONE:
                        break
                    fits = [
                        at
                        for d in range(step + 1)
                        for at in (layer + d, layer - d)
                        if 0 <= at < 24 and tops[a, b, at] and not solid[a, b, at + 1 : at + 1 + head].any()
                    ]
                    if fits:
                        expected[b, a] = fits[0]
                        queue.append((a, b, fits[0]))
                        break
                    if solid[a, b, max(layer - step, 0) : layer + 1 + head].any():
                        break
    np.testing.assert_array_equal(heights, expected)
