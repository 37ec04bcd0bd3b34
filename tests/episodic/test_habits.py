"""What is usual: found from visits, told with counts and times, and gone with what it is about."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.episodic.habits import HabitParameters, Visit, add_visit, find_habits, part_of_day
from loci.geometry import look_at
from loci.habits import SOURCE
from loci.memory import RobotMemory
from loci.query import Query
from synthetic import ROOM

HOUR = 3_600_000_000_000


def at(day: int, hour: float, on: str = "", room: str = "") -> Visit:
    noon = datetime(2026, 3, day, tzinfo=timezone.utc).timestamp()
    return Visit(round((noon + hour * 3600) * 1e9), on, room)


def test_a_thing_found_at_one_place_again_and_again_is_usually_there() -> None:
    visits = [at(d, 9, "counter", "kitchen") for d in (1, 2, 3, 4)] + [at(5, 9, "desk", "office")]
    (habit,) = find_habits(visits)
    assert (habit.where, habit.when) == ("on the counter in the kitchen", "")
    assert (habit.n_there, habit.n_seen) == (4, 5)
    assert (habit.first_ns, habit.last_ns) == (visits[0].wall_ns, visits[3].wall_ns)


def test_a_thing_that_is_elsewhere_in_the_evening_has_two_habits() -> None:
    mornings = [at(d, 9, "hook", "hall") for d in range(1, 8)]
    evenings = [at(d, 20, "table", "hall") for d in range(1, 5)]
    habits = find_habits(sorted(mornings + evenings, key=lambda v: v.wall_ns))
    assert [(h.where, h.when) for h in habits] == [
        ("on the hook in the hall", ""),
        ("on the table in the hall", "in the evening"),
    ]
    assert habits[1].n_there == habits[1].n_seen == 4


def test_where_only_the_room_is_the_same_the_room_is_told() -> None:
    spots = ("counter", "table", "stove", "shelf")
    (habit,) = find_habits([at(d, 9, on, "kitchen") for d, on in enumerate(spots, 1)])
    assert habit.where == "in the kitchen"


@pytest.mark.parametrize(
    "visits",
    [
        [],
        [at(1, 9, "counter", "kitchen"), at(2, 9, "counter", "kitchen")],
        [at(d, 9, "counter" if d % 2 else "desk", "kitchen" if d % 2 else "office") for d in range(1, 9)],
        [at(d, 9) for d in range(1, 9)],
    ],
    ids=["never seen", "seen twice", "now here, now there", "nobody knows where"],
)
def test_nothing_is_usual_without_reason(visits: list[Visit]) -> None:
    assert find_habits(visits) == ()


def test_seeing_a_thing_again_at_once_is_one_visit() -> None:
    p = HabitParameters(gap_s=1800)
    one = add_visit((), at(1, 9, "desk"), p)
    assert add_visit(one, at(1, 9.2, "desk"), p) == one
    assert len(add_visit(one, at(1, 9.2, "shelf"), p)) == 2
    assert len(add_visit(one, at(1, 9.6, "desk"), p)) == 2


def test_only_the_newest_visits_count() -> None:
    p = HabitParameters(max_visits=4)
    visits: tuple[Visit, ...] = ()
    for day in range(1, 8):
        visits = add_visit(visits, at(day, 9, f"place {day}"), p)
    assert [v.on for v in visits] == [f"place {d}" for d in (4, 5, 6, 7)]


def test_parts_of_the_day_are_local() -> None:
    assert [part_of_day(at(1, h).wall_ns, 0.0) for h in (3, 6, 12.5, 18, 23.5)] == [
        "at night",
        "in the morning",
        "in the afternoon",
        "in the evening",
        "at night",
    ]
    assert part_of_day(at(1, 23.5).wall_ns, 7200.0) == "at night"
    assert part_of_day(at(1, 5).wall_ns, 7200.0) == "in the morning"


@given(
    st.lists(
        st.tuples(st.integers(1, 28), st.floats(0, 23.9), st.sampled_from(["", "a", "b"]), st.sampled_from(["", "x"]))
    )
)
def test_counts_are_those_of_the_visits(drawn: list[tuple[int, float, str, str]]) -> None:
    visits = sorted((at(*d) for d in drawn), key=lambda v: v.wall_ns)
    habits = find_habits(visits)
    assert len({h.when for h in habits}) == len(habits)
    for h in habits:
        seen = [v for v in visits if not h.when or part_of_day(v.wall_ns, 0.0) == h.when]
        places = [f"on the {v.on}" + (f" in the {v.room}" if v.room else "") if v.on else "" for v in seen]
        rooms = [f"in the {v.room}" if v.room else "" for v in seen]
        assert h.n_seen == len(seen) >= 3
        assert h.n_there == max(places.count(h.where), rooms.count(h.where)) >= 0.6 * len(seen)


@pytest.mark.parametrize("wrong", [{"min_visits": 1}, {"max_visits": 2}, {"min_share": 0.5}, {"gap_s": -1.0}])
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        HabitParameters(**wrong)  # type: ignore[arg-type]


def visit_room(memory: RobotMemory, hour: int) -> None:
    for i in range(3):
        pose = look_at((1.0 + 0.2 * i, 1.0, 1.4), (2.5, 1.6, 0.7))
        memory.observe(ROOM.observe(pose, hour * HOUR + (i + 1) * 1_000_000_000))
    memory.note_habits()


def facts(memory: RobotMemory) -> dict[str, str]:
    found = memory.recall(Query(kinds=("episode",), limit=1000)).evidence
    return {e.object_id: e.text for e in found if e.source == SOURCE}


def test_habits_are_recalled_in_words_survive_a_restart_and_are_forgotten_with_their_object(tmp_path: Path) -> None:
    path = tmp_path / "m"
    with RobotMemory.open(path, map_id="home") as memory:
        for hour in (1, 3):
            visit_room(memory, hour)
        assert not facts(memory)
    with RobotMemory.open(path, map_id="home") as memory:
        memory.note_habits()
        assert not facts(memory), "what was read from the store is no visit"
        for hour in (30, 31, 32):
            visit_room(memory, hour)
        told = facts(memory)
        mug = next(o for o in memory.objects() if o.label == "mug")
        assert "the mug is usually" in told[mug.id] and " visits" in told[mug.id]
        best = memory.recall(Query(text="where is the mug usually?", kinds=("episode",), limit=3)).evidence
        assert mug.id in {e.object_id for e in best if e.source == SOURCE}
        n = len(told)
        visit_room(memory, 40)
        assert len(facts(memory)) == n, "a fact is told anew, not once more"
        memory.forget([mug.id])
        assert mug.id not in facts(memory)
    with RobotMemory.open(path, map_id="home") as memory:
        assert mug.id not in facts(memory) and len(facts(memory)) == n - 1
    assert not any(b"the mug is usually" in p.read_bytes() for p in path.rglob("*") if p.is_file())


def test_what_is_usual_is_told_without_the_visits_that_are_forgotten(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "m", map_id="home") as memory:
        for hour in (30, 31, 32, 33):
            visit_room(memory, hour)
        mug = next(o for o in memory.objects() if o.label == "mug")
        assert "of 4 visits" in facts(memory)[mug.id]
        seen = memory.recall(Query(kinds=("keyframe",), after_ns=33 * HOUR, limit=1000)).evidence
        memory.forget([e.id for e in seen])
        assert "of 3 visits" in facts(memory)[mug.id]
    with RobotMemory.open(tmp_path / "m", map_id="home") as memory:
        seen = memory.recall(Query(kinds=("keyframe",), after_ns=31 * HOUR, before_ns=33 * HOUR, limit=1000)).evidence
        memory.forget([e.id for e in seen])
        assert mug.id not in facts(memory), "once is no habit"
        assert mug.id in {o.id for o in memory.objects()}
    assert not any(b"mug is usually" in p.read_bytes() for p in (tmp_path / "m").rglob("*") if p.is_file())


def test_habits_of_another_memory_come_with_it_and_are_told_on(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "other", map_id="home") as other:
        for hour in (30, 31, 32):
            visit_room(other, hour)
        n = len(facts(other))
        assert n
    with RobotMemory.open(tmp_path / "m", map_id="flat") as memory:
        memory.merge(tmp_path / "other")
        told = facts(memory)
        assert len(told) == n and set(told) <= {o.id for o in memory.objects()}
        object_id = next(iter(told))
        memory.forget([object_id])
        assert object_id not in facts(memory)
        assert memory._store.get("visits", object_id) is None
