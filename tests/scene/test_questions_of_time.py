"""Words of order and time in a text are conditions of what is recalled; what a query says itself wins, and what cannot be met ranks only."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from change_worlds import SECOND, THERE, at_shelf, at_table, home, mug, observed

from loci.memory import RobotMemory
from loci.planning.local import LocalReader
from loci.planning.offline import OfflinePlanner
from loci.query import Evidence, Query
from loci.understanding import Clock, clock_of, things_named

DAY = datetime(2026, 3, 2, tzinfo=UTC)


class Words:
    """A text encoder that needs no model: texts with the same words are alike."""

    name, dimension = "words", 64

    def encode(self, texts):
        vectors = np.full((len(texts), 64), 1e-6)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().replace("?", "").split():
                row[zlib.crc32(word.encode()) % 64] += 1.0
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def at(hour: float) -> int:
    return round(DAY.timestamp() + 3600 * hour) * SECOND


def look(memory: RobotMemory, hour: float, moved: bool) -> None:
    world = home(mug(THERE) if moved else mug())
    for i, T in enumerate([*at_table(), *at_shelf()]):
        memory.observe(observed(world, T, at(hour) + i * SECOND))


def tell(memory: RobotMemory, hour: float, text: str, source: str = "robot", **fields) -> str:
    """Remember something at a time at which the robot sees the empty table from far."""
    nothing = observed(home(), at_table()[0], at(hour))
    memory.observe(replace(nothing, detections=()))
    return memory.remember(text, source, **fields)


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Iterator[tuple[RobotMemory, dict[str, str]]]:
    """A day in UTC: a mug is on the table in the morning and on the shelf from ten; the fridge is opened twice; Anna says something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        path = tmp_path_factory.mktemp("day") / "memory"
        with RobotMemory.open(path, map_id="home", text_encoder=Words()) as memory:
            look(memory, 8, moved=False)
            ids = {
                "opened 9": tell(memory, 9, "I opened the fridge", labels=("fridge",), state="open"),
                "closed 9": tell(memory, 9.1, "I closed the fridge", labels=("fridge",), state="closed"),
            }
            look(memory, 10, moved=True)
            ids |= {
                "opened 11": tell(memory, 11, "I opened the fridge", labels=("fridge",), state="open"),
                "closed 11": tell(memory, 11.1, "I closed the fridge", labels=("fridge",), state="closed"),
                "said": tell(memory, 11.5, "the passport is in the envelope", "Anna"),
                "put": tell(memory, 11.6, "I put the plate on the shelf", labels=("plate", "shelf"), state="placed"),
            }
            look(memory, 12, moved=True)
            yield memory, ids
    time.tzset()


def recalled(day, text: str, **fields) -> tuple[Evidence, ...]:
    return day[0].recall(Query(text=text, **fields)).evidence


def test_the_last_time_and_the_first_time_that_a_thing_was_seen(day):
    last = recalled(day, "When was the last time you saw the mug?")
    first = recalled(day, "When did you see the mug for the first time?")
    assert {e.kind for e in (*last, *first)} == {"keyframe"}
    assert all("mug" in e.text for e in (*last, *first))
    assert at(12) <= last[0].stamp_ns < at(12.1)
    assert at(8) <= first[0].stamp_ns < at(8.1)
    assert [e.stamp_ns for e in last] == sorted((e.stamp_ns for e in last), reverse=True)


def test_when_something_was_done_first_and_last(day):
    ids = day[1]
    assert recalled(day, "When did you first open the fridge?")[0].id == ids["opened 9"]
    assert recalled(day, "When did you last open the fridge?")[0].id == ids["opened 11"]
    assert recalled(day, "When was the fridge closed the last time?")[0].id == ids["closed 11"]


def test_how_often_something_was_done_gives_every_time_and_their_number(day):
    memory, ids = day
    found = memory.recall(Query(text="How often did you open the refrigerator?"))
    assert [e.id for e in found.evidence] == [ids["opened 9"], ids["opened 11"]]
    assert found.n_total == 2


def test_before_it_was_moved_is_before_it_was_last_seen_in_its_old_place(day):
    found = recalled(day, "Where was the mug before it was moved?")
    assert found
    assert all(at(8) <= e.stamp_ns < at(8.1) and "mug" in e.text for e in found)


def test_what_was_moved_in_a_span_of_time(day):
    (found,) = recalled(day, "What was moved between 9:30 and 10:30 am?", limit=1)
    assert (found.label, found.state) == ("mug", "moved")
    assert at(10) <= found.stamp_ns < at(10.1)
    assert recalled(day, "What was put down since 11:30?")[0].id == day[1]["put"]


def test_what_changed_is_all_that_became_of_things_and_no_first_sight_of_them(day):
    found = recalled(day, "What changed since 9:30 am?", limit=50)
    assert "mug was moved" in [e.text for e in found]
    assert {e.kind for e in found} == {"episode"}
    assert not any(e.text.startswith("first saw") for e in found)
    assert all(e.stamp_ns >= at(9.5) for e in found)
    on_the_table = recalled(day, "What has changed on the table since 9:30 am?", limit=50)
    assert [e.id for e in on_the_table] == [e.id for e in found]  # the table itself did not change
    assert "mug was moved" not in [e.text for e in recalled(day, "what changed before 9:30 am?", limit=50)]


def test_what_changed_and_where_it_was_before_are_answered_in_words(day):
    reader, planner = LocalReader(day[0]), OfflinePlanner(None)
    answer = planner.ask("What was moved since 9:30 am?", reader)
    assert answer.known
    assert "the mug was moved: it was in" in answer.answer.lower()
    assert answer.answer.index("on the table, at (0.3") < answer.answer.index("on the shelf, at (3.4")
    assert not planner.ask("What was moved before 9:30 am?", reader).known
    before = planner.ask("Where was the mug before?", reader)
    assert "on the table, at (0.3" in before.answer
    assert [e.kind for e in before.evidence] == ["object", "keyframe"]
    assert at(8) <= before.evidence[1].stamp_ns < at(8.1)


@pytest.mark.parametrize(
    ("hour", "record"), [("9:02", "opened 9"), ("10:30", "closed 9"), ("11:03", "opened 11"), ("noon", "closed 11")]
)
def test_a_state_at_a_time_is_the_last_one_before(day, hour, record):
    for asked in ("open", "closed"):
        assert recalled(day, f"Was the fridge {asked} at {hour}?")[0].id == day[1][record]


def test_what_was_done_next_and_before(day):
    ids = day[1]
    assert recalled(day, "What did you do after you closed the fridge?")[0].id == ids["put"]
    assert recalled(day, "What did you do right before you put the plate on the shelf?")[0].id == ids["closed 11"]


def test_an_event_that_only_somebody_told_is_an_anchor_if_its_words_are_found(day):
    found = recalled(day, "What did you do after Anna said the passport is in the envelope?")
    assert found[0].id == day[1]["put"]


def test_when_it_was_seen_last_before_something_was_done(day):
    found = recalled(day, "When did you last see the mug before you opened the fridge?")
    assert at(10) <= found[0].stamp_ns < at(10.1)


def test_fields_that_are_given_win(day):
    text = "When did you last see the mug?"
    assert recalled(day, text, order="oldest")[0].stamp_ns < at(9)
    assert {e.kind for e in recalled(day, text, kinds=("object",))} == {"object"}
    assert all(e.stamp_ns < at(9) for e in recalled(day, text, before_ns=at(9)))
    assert recalled(day, "Was the fridge open at 9:02?", state="closed")[0].state == "closed"
    assert all("table" in e.text for e in recalled(day, text, labels=("table",)))


@pytest.mark.parametrize(
    "text",
    [
        "What was moved between 3:00 and 4:00?",  # nothing was
        "When did you last see the elephant?",
        "Where was the mug before the elephant was moved?",
    ],
)
def test_what_nothing_meets_is_recalled_by_likeness(day, text):
    memory = day[0]
    plain = Query(
        text=text, text_embedding=Words().encode([text])[0]
    )  # with its embedding given, a text ranks and nothing more
    assert [e.id for e in memory.recall(Query(text=text)).evidence] == [e.id for e in memory.recall(plain).evidence]


def test_pages_of_a_question_are_those_of_one_answer(day):
    memory, text = day[0], "When did you last see the mug?"
    whole = memory.recall(Query(text=text, limit=6))
    parts = [memory.recall(Query(text=text, limit=2, offset=i)) for i in (0, 2, 4)]
    assert [e.id for p in parts for e in p.evidence] == [e.id for e in whole.evidence]
    assert {p.n_total for p in parts} == {whole.n_total}
    beyond = memory.recall(Query(text=text, limit=2, offset=1000))
    assert (beyond.evidence, beyond.n_total) == ((), whole.n_total)


def test_a_thing_is_known_by_its_name_a_synonym_or_what_it_is_a_kind_of():
    labels = ("coffee table", "refrigerator", "desk", "trash can")
    assert things_named("what was put on the table", labels) == ("coffee table",)
    assert things_named("open the fridge", labels) == ("refrigerator",)
    assert things_named("the rubbish bin by the desk", labels) == ("trash can",)
    assert things_named("what can you do", labels) == ()


def test_the_clock_of_a_session_turns_stamps_that_begin_anew_into_times_of_day(day, tmp_path):
    memory = day[0]
    clock = clock_of(memory._memories)
    assert clock is not None
    assert (clock.restarts, clock.local(at(9.5)).hour, clock.local(at(9.5)).minute) == (False, 9, 30)
    assert clock.stamp(0, 90.0) == at(1.5)
    assert clock.stamp(-1, 90.0) == at(1.5 - 24)
    # A session that began at 8:00 in a zone two hours east of Greenwich, with a stamp of 5 s.
    began = Clock(65 * SECOND, "s", at(8) - 5 * SECOND + 7200 * SECOND, True)
    assert began.local(65 * SECOND) == datetime(2026, 3, 2, 10, 1, tzinfo=UTC)
    assert began.stamp(0, 601.0) == 65 * SECOND


def test_a_session_of_a_simulator_is_asked_by_the_time_that_has_passed(tmp_path):
    """Stamps from 1 s on: "in the last minute" needs no wall clock, and times of day hold for this session alone."""
    with RobotMemory.open(tmp_path / "memory", map_id="home", text_encoder=Words()) as memory:
        ids = []
        for i, second in enumerate((1, 100, 190)):
            memory.observe(observed(home(mug()), at_table()[i], second * SECOND))
            ids.append(memory.remember("I opened the fridge", "robot", labels=("fridge",), state="open"))
        found = memory.recall(Query(text="How often did you open the fridge in the last two minutes?")).evidence
        assert [e.id for e in found] == ids[1:]
        clock = clock_of(memory._memories)
        assert clock is not None
        assert clock.restarts
        assert clock.session == memory.session
        assert abs(clock.local(1 * SECOND).timestamp() - time.time() - (time.localtime().tm_gmtoff or 0)) < 120.0
