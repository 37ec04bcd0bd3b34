"""Viewpoints show their object, and the nearest goal is the nearest by path."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.pointing import interact_with
from loci_sim.scenes import Scene
from loci_sim.spots import distance_to_box
from loci_sim.viewpoints import nearest_goal, viewpoints


@pytest.fixture(scope="module")
def simulator(apartment: Scene) -> EmbeddedSimulator:
    return EmbeddedSimulator(apartment, RobotParameters(width=160, height=120, camera_pitch=30.0))


def test_from_a_viewpoint_the_robot_sees_the_object(simulator: EmbeddedSimulator) -> None:
    seen = []
    for thing in simulator.objects[::7]:
        for x, y, _ in viewpoints(simulator, thing.id)[::5]:
            assert distance_to_box(thing, x, y) <= 1.0
            simulator.reset_to(float(x), float(y), 0.0)
            seen.append(bool(np.any(simulator.panorama(256).instances == thing.instance)))
    assert len(seen) > 20
    assert np.mean(seen) > 0.95  # a sliver may fall between two pixels


def test_most_objects_have_viewpoints(simulator: EmbeddedSimulator) -> None:
    seen = [len(viewpoints(simulator, o.id)) > 0 for o in simulator.objects]
    assert np.mean(seen) > 0.85


def test_what_a_wall_hides_is_no_viewpoint(simulator: EmbeddedSimulator, rng: np.random.Generator) -> None:
    """Points near an object that are not kept show nothing of it."""
    n = 0
    for thing in simulator.objects[::5]:
        kept = viewpoints(simulator, thing.id)
        for _ in range(20):
            x, y = (thing.center[:2] + rng.uniform(-1.5, 1.5, 2)).tolist()
            near = distance_to_box(thing, x, y) <= 1.0 and simulator.is_navigable(x, y)
            if near and (not len(kept) or np.min(np.hypot(*(kept[:, :2] - (x, y)).T)) > 0.5):
                simulator.reset_to(x, y, 0.0)
                assert np.count_nonzero(simulator.panorama(128).instances == thing.instance) < 20
                n += 1
    assert n > 5


def test_viewpoints_of_what_is_not_there_are_refused(simulator: EmbeddedSimulator) -> None:
    with pytest.raises(ValueError, match="expected the id of an object"):
        viewpoints(simulator, "unicorn-1")
    with pytest.raises(ValueError, match="distance > 0"):
        viewpoints(simulator, simulator.objects[0].id, -1.0)


def test_the_nearest_goal_is_the_one_that_all_paths_say(simulator: EmbeddedSimulator, rng: np.random.Generator) -> None:
    start = simulator.grid.random_point(rng)
    goals = [simulator.grid.random_point(rng) for _ in range(12)] + [(500.0, 500.0)]
    lengths = [path.length if (path := simulator.shortest_path(start, g)) else np.inf for g in goals]
    found = nearest_goal(simulator, start, goals)
    assert found is not None
    assert found[0] == int(np.argmin(lengths))
    assert found[1].length == pytest.approx(min(lengths))
    assert nearest_goal(simulator, start, [(500.0, 500.0)]) is None
    with pytest.raises(ValueError, match="finite"):
        nearest_goal(simulator, start, [(np.nan, 0.0)])


def looking_at_something_to_pick(simulator: EmbeddedSimulator):
    """An object that can be picked, with the robot in front of it."""
    for thing in simulator.objects:
        if thing.category not in ("mug", "book", "bottle", "bowl", "plate"):
            continue
        for x, y, _ in viewpoints(simulator, thing.id):
            yaw = float(np.arctan2(thing.center[1] - y, thing.center[0] - x))
            seen = simulator.reset_to(float(x), float(y), yaw).instances == thing.instance
            if seen.sum() >= simulator.parameters.min_pixels:
                return thing
    raise AssertionError("nothing to pick in this scene")


def test_what_is_picked_is_what_was_pointed_at(apartment: Scene) -> None:
    simulator = EmbeddedSimulator(apartment, RobotParameters(width=160, height=120, camera_pitch=30.0))
    thing = looking_at_something_to_pick(simulator)
    beside = (float(thing.center[0]) + 0.02, float(thing.center[1]), float(thing.center[2]))
    result = interact_with(simulator, "pick", thing.category, beside)
    assert result.done, result.reason
    assert simulator.held == thing.id


def test_what_is_not_there_is_not_touched(apartment: Scene) -> None:
    simulator = EmbeddedSimulator(apartment, RobotParameters(width=160, height=120, camera_pitch=30.0))
    thing = looking_at_something_to_pick(simulator)
    x, y, z = (float(v) for v in thing.center)
    stamp = simulator.stamp_ns
    assert "no unicorn is in view" in interact_with(simulator, "pick", "unicorn", None).reason
    assert "from there" in interact_with(simulator, "pick", thing.category, (x, y, z + 40.0)).reason
    with pytest.raises(ValueError, match="neither"):
        interact_with(simulator, "pick", "", None)
    with pytest.raises(ValueError, match="finite"):
        interact_with(simulator, "pick", "", (np.inf, 0.0, 0.0))
    assert (simulator.held, simulator.stamp_ns) == ("", stamp)
