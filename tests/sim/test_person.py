"""Somebody moves things: at sensible places, on a schedule that is the same for a seed, and only where there is room."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("open3d", reason="Open3D cannot be imported: pip install '.[sim]'")

from loci_sim.affordances import affordances
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.person import HABITS, WAKING, PersonEvent, plan_day
from loci_sim.scenes import Scene

SMALL = RobotParameters(width=160, height=120)


def test_a_day_is_the_same_for_a_seed_and_differs_for_another(apartment: Scene) -> None:
    assert plan_day(apartment, 1) == plan_day(apartment, 1)
    assert plan_day(apartment, 1) != plan_day(apartment, 2)
    assert len(plan_day(apartment, 1, n_events=20)) == 20


@pytest.mark.parametrize("seed", range(5))
def test_things_go_where_things_of_their_kind_go(apartment: Scene, seed: int) -> None:
    things = {o.id: o for o in apartment.objects}
    place = {o.id: o.on for o in apartment.objects}
    events = plan_day(apartment, seed, 3600.0, 15)
    assert [e.time for e in events] == sorted(e.time for e in events)
    for e in events:
        assert WAKING[0] * 3600 <= e.time <= WAKING[1] * 3600
        assert e.from_id == place[e.object_id] != e.to_id
        assert things[e.to_id].category in HABITS[things[e.object_id].category]
        assert e.object_id not in place.values(), "a thing that carries another one is not taken away"
        place[e.object_id] = e.to_id


def test_habits_name_things_that_can_be_carried_to_places_that_take_them() -> None:
    for category, places in HABITS.items():
        assert affordances(category).pickable, category
        assert all(affordances(p).surface or affordances(p).container for p in places), category


def test_things_are_moved_when_their_time_comes(apartment: Scene) -> None:
    simulator = EmbeddedSimulator(apartment, SMALL)
    events = plan_day(apartment, 3, 100.0, 8)
    simulator.add_person(events)
    simulator.advance(WAKING[0] * 100.0 - 1.0)
    assert simulator.deeds == ()
    start = {o.id: o.T_map_box for o in apartment.objects}
    while len(simulator.deeds) < len(events):
        simulator.advance(2.0)
    done = [d.event for d in simulator.deeds if not d.reason]
    assert len(done) >= 6, [d.reason for d in simulator.deeds]
    last = {e.object_id: e.to_id for e in done}
    for o in simulator.objects:
        if o.id in last:
            assert o.on == last[o.id]
            assert not np.array_equal(o.T_map_box, start[o.id])
        else:
            np.testing.assert_array_equal(o.T_map_box, start[o.id])


def test_two_runs_of_a_day_end_alike(apartment: Scene) -> None:
    ends = []
    for step in (7.0, 7.0):
        simulator = EmbeddedSimulator(apartment, SMALL)
        simulator.add_person(plan_day(apartment, 3, 100.0, 8), seed=5)
        while simulator.stamp_ns < 102e9:
            simulator.advance(step)
        ends.append((simulator.ground_truth(), simulator.observe().color.tobytes()))
    assert ends[0] == ends[1]


def test_what_cannot_be_done_is_said_and_the_day_goes_on(apartment: Scene) -> None:
    simulator = EmbeddedSimulator(apartment, SMALL)
    bed = next(o.id for o in apartment.objects if o.category == "bed")
    small = next(o.id for o in apartment.objects if o.category in ("mug", "bottle", "vase", "bowl"))
    picture = next(o.id for o in apartment.objects if o.category == "picture")
    before = simulator.observe().color
    simulator.add_person([PersonEvent(1.0, bed, "", picture), PersonEvent(2.0, small, "", bed)])
    simulator.advance(1.5)
    assert "cannot be carried" in simulator.deeds[0].reason
    np.testing.assert_array_equal(simulator.observe().color, before)
    simulator.advance(1.0)
    assert simulator.deeds[1].reason == ""
    assert next(o for o in simulator.objects if o.id == small).on == bed


def test_an_impossible_day_and_unknown_things_are_refused(apartment: Scene) -> None:
    with pytest.raises(ValueError, match="seed"):
        plan_day(apartment, -1)
    with pytest.raises(ValueError, match="day"):
        plan_day(apartment, 0, 0.0)
    with pytest.raises(ValueError, match="'ghost'"):
        EmbeddedSimulator(apartment, SMALL).add_person([PersonEvent(0.0, "ghost", "", "ghost")])
