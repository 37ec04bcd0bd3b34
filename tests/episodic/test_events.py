"""Events: changes are told once, standing still is not news, and what was not sure is not told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.episodic.events import (
    Event,
    EventParameters,
    Moment,
    Noticed,
    ObjectReport,
    notice,
)

S = 1_000_000_000
MUG = ObjectReport("moved", "object/1", "mug", position_in_camera=(0.0, 0.1, 1.5))


def notice_all(
    moments: Iterable[Moment], noticed: Noticed | None = None, parameters: EventParameters | None = None
) -> tuple[Event, ...]:
    """Events of several moments, one after the other."""
    events: list[Event] = []
    state = noticed or Noticed()
    for moment in moments:
        found, state = notice(moment, state, parameters)
        events += found
    return tuple(events)


def test_a_thing_that_moved_is_told_once_with_where_it_is() -> None:
    moments = [Moment(i * S, "place/1", labels=("mug",), objects=(MUG,)) for i in range(10)]
    events = [e for e in notice_all(moments) if e.kind != "place"]
    assert [(e.kind, e.stamp_ns, e.object_id, e.text) for e in events] == [("moved", 0, "object/1", "mug was moved")]
    assert events[0].position_in_camera == (0.0, 0.1, 1.5)
    assert (events[0].labels, events[0].place) == (("mug",), "place/1")


def test_frames_in_which_nothing_happens_are_no_events() -> None:
    moments = [Moment(i * S // 10, "place/1", labels=("mug", "table")) for i in range(300)]
    assert [e.text for e in notice_all(moments)] == ["entered place/1"]


def test_opened_closed_and_opened_again_are_three_events() -> None:
    states = ["open", "open", "closed", "open"]
    reports = [ObjectReport("state", "object/2", "fridge", state) for state in states]
    events = notice_all([Moment(i * S, objects=(r,)) for i, r in enumerate(reports)])
    assert [(e.text, e.state) for e in events] == [
        ("fridge is open", "open"),
        ("fridge is closed", "closed"),
        ("fridge is open", "open"),
    ]


def test_what_became_of_a_thing_is_its_state_and_what_appears_is_told() -> None:
    reports = (
        ObjectReport("vanished", "object/1", "mug"),
        ObjectReport("appeared", "object/9", ""),
        ObjectReport("moved", "object/2", "vase"),
        ObjectReport("found", "object/3", "pot"),
    )
    events = notice_all([Moment(S, objects=reports)])
    assert [(e.kind, e.text, e.state, e.labels) for e in events] == [
        ("vanished", "mug is gone", "missing", ("mug",)),
        ("appeared", "first saw object/9", "", ()),
        ("moved", "vase was moved", "moved", ("vase",)),
        ("found", "pot is there again", "present", ("pot",)),
    ]


def test_what_is_not_sure_is_not_told() -> None:
    unsure = replace(MUG, confidence=0.4)
    assert notice_all([Moment(S, objects=(unsure,))]) == ()
    assert len(notice_all([Moment(S, objects=(unsure,))], parameters=EventParameters(min_confidence=0.3))) == 1


def test_a_person_who_stays_in_view_is_told_once_and_again_after_an_absence() -> None:
    stays = [Moment(i * 30 * S, "place/1", labels=("Person",)) for i in range(10)]
    returns = [
        Moment((270 + 59) * S, "place/1", labels=("person",)),
        Moment((329 + 61) * S, "place/1", labels=("person",)),
    ]
    events = [e for e in notice_all([*stays, *returns]) if e.kind == "person"]
    assert [e.stamp_ns for e in events] == [0, 390 * S]


def test_a_place_counts_as_entered_when_the_robot_stays_there() -> None:
    places = ["place/1"] * 3 + ["place/2", "place/1", "place/2", "place/1"] + ["place/2"] * 4 + [""] + ["place/2"] * 2
    events = notice_all([Moment(i * S, place) for i, place in enumerate(places)])
    assert [(e.place, e.stamp_ns) for e in events] == [("place/1", 0), ("place/2", 7 * S)]
    assert notice_all([Moment(0, "place/3", place_name="the kitchen")])[0].text == "entered the kitchen"


def test_wrong_reports_and_settings_are_refused() -> None:
    with pytest.raises(
        ValueError, match="expected an event among appeared, new, moved, vanished, found, state, got 'flew'"
    ):
        ObjectReport("flew", "object/1", "bird")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected the id of the object"):
        ObjectReport("moved", "", "mug")
    with pytest.raises(ValueError, match="expected the state that object/1 is in now"):
        ObjectReport("state", "object/1", "mug")
    with pytest.raises(ValueError, match="least confidence"):
        EventParameters(min_confidence=2)
    with pytest.raises(ValueError, match="expected settle_s >= 0 s"):
        EventParameters(settle_s=float("nan"))


REPORTS = st.builds(
    lambda kind, number, state, confidence: ObjectReport(
        kind, f"object/{number}", "thing", state if kind == "state" else "", confidence
    ),
    st.sampled_from(["appeared", "moved", "vanished", "state"]),
    st.integers(0, 2),
    st.sampled_from(["open", "closed"]),
    st.sampled_from([0.2, 1.0]),
)
MOMENTS = st.builds(
    lambda second, place, labels, objects: Moment(second * S, place, "", tuple(labels), tuple(objects)),
    st.integers(0, 300),
    st.sampled_from(["", "place/1", "place/2"]),
    st.lists(st.sampled_from(["person", "mug"]), max_size=2),
    st.lists(REPORTS, max_size=3),
)


@given(st.lists(MOMENTS, max_size=40))
def test_nothing_sure_and_new_is_missed_and_nothing_is_told_twice_in_a_row(moments: list[Moment]) -> None:
    moments = sorted(moments, key=lambda m: m.stamp_ns)
    state, last = Noticed(), {}  # by object: what was reported last, and when
    for moment in moments:
        events, state = notice(moment, state)
        told = [(e.kind, e.object_id, e.state if e.kind == "state" else "") for e in events if e.object_id]
        expected = []
        for r in moment.objects:
            if r.confidence >= 0.5:
                now = (r.kind, r.object_id, r.state)
                before = last.get(r.object_id)
                if before is None or before[0] != now or moment.stamp_ns - before[1] >= 60 * S:
                    expected.append(now)
                last[r.object_id] = (now, moment.stamp_ns)
        assert told == expected
        assert len([e for e in events if e.kind == "person"]) <= ("person" in moment.labels)


@given(st.lists(MOMENTS, max_size=20), st.lists(MOMENTS, max_size=20))
def test_a_clock_that_jumps_back_blocks_nothing(before: list[Moment], after: list[Moment]) -> None:
    late = [replace(m, stamp_ns=m.stamp_ns + 10**6 * S) for m in sorted(before, key=lambda m: m.stamp_ns)]
    state = Noticed()
    for moment in late:
        _, state = notice(moment, state)
    early = sorted(after, key=lambda m: m.stamp_ns)
    fresh = [e for e in notice_all(early) if e.kind != "place"]
    assert [e for e in notice_all(early, state) if e.kind != "place"] == fresh
