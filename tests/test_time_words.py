"""Words of order, time, deeds and states are read where they leave no doubt, and nothing is read where they do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.time_words import CHANGED_STATES, DEED_STATES, Anchor, Span, TimeOfDay, read_time_words


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("When was the last time you saw the cat?", "newest"),
        ("When did you last see the mug?", "newest"),
        ("When was the mug seen last?", "newest"),
        ("the most recent time that you saw a person", "newest"),
        ("When did you first notice the umbrella?", "oldest"),
        ("When did you see the umbrella for the first time?", "oldest"),
        ("the earliest sight of the umbrella", "oldest"),
    ],
)
def test_the_first_and_the_last_time_are_orders_of_what_was_seen(text, order):
    words = read_time_words(text)
    assert (words.order, words.asks) == (order, "sight")


@pytest.mark.parametrize(
    "text",
    [
        "the first drawer",
        "first aid kit",
        "the last chair in the row",
        "red mug",
        "the open drawer",
        "the missing mug",
        "the mug on the table",
        "Where is the mug?",
        "is the mug on the table",
        "mug next to the switch",
        "the mug that was moved",
        "find the mug which you put on the desk",
    ],
)
def test_words_that_name_things_are_no_words_of_time(text):
    assert not read_time_words(text).says_something


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("When did you open the fridge?", ("open",)),
        ("When did somebody last close the door?", ("closed",)),
        ("How often was the lamp switched on?", ("on",)),
        ("How many times did you turn the lamp off?", ("off",)),
        ("What did you put on the desk?", ("placed",)),
        ("Where did you pick up the mug?", ("held",)),
        ("Where did you take the mug?", ("placed",)),
        ("From where did you take the mug?", ("held",)),
        ("When did the vase disappear?", ("missing",)),
        ("What was moved since noon?", ("moved", "placed")),
    ],
)
def test_a_deed_is_known_by_the_state_that_it_leaves(text, states):
    words = read_time_words(text)
    assert (words.states, words.asks) == (states, "deeds")


@pytest.mark.parametrize(
    "text",
    [
        "Is the fridge open?",
        "Was the fridge closed or open?",
        "Is the fridge still shut?",
        "What state is the open fridge in?",
    ],
)
def test_whichever_state_is_asked_for_all_that_exclude_it_are_looked_up(text):
    words = read_time_words(text)
    assert (set(words.states), words.asks) == ({"open", "ajar", "closed"}, "state")


@pytest.mark.parametrize(
    ("text", "anchor", "rest"),
    [
        (
            "Where was the mug before you opened the fridge?",
            Anchor("before", "you opened the fridge"),
            "where was the mug",
        ),
        ("Before it was moved, where was the mug?", Anchor("before", "it was moved"), "where was the mug"),
        (
            "What did you do right after you put the mug away?",
            Anchor("after", "you put the mug away"),
            "what did you do",
        ),
        ("What did you do after Anna called?", Anchor("after", "anna called"), "what did you do"),
    ],
)
def test_what_happened_before_or_after_is_an_anchor(text, anchor, rest):
    words = read_time_words(text)
    assert (words.anchor, words.rest) == (anchor, rest)


def test_what_did_you_do_asks_for_every_deed():
    assert read_time_words("What did you do before you opened the fridge?").states == DEED_STATES


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("What was moved between 10 and 11?", Span(TimeOfDay(600, False), TimeOfDay(660, False))),
        ("What was moved from 2 to 4 pm?", Span(TimeOfDay(840), TimeOfDay(960))),
        ("What was moved since noon?", Span(after=TimeOfDay(720))),
        ("What was moved before 9:15 am?", Span(before=TimeOfDay(555))),
        ("Where was the mug at half past three pm?", Span(at=TimeOfDay(930))),
        ("Where was the mug at 3.30 p.m.?", Span(at=TimeOfDay(930))),
        ("Where was the mug at 15:30?", Span(at=TimeOfDay(930))),
        ("What was moved in the evening?", Span(TimeOfDay(18 * 60), TimeOfDay(23 * 60))),
        ("What was moved yesterday in the morning?", Span(TimeOfDay(360), TimeOfDay(720), day=-1)),
        ("What was moved today?", Span(day=0)),
        ("What was moved in the last two hours?", Span(ago_s=7200.0)),
        ("Where was the mug ten minutes ago?", Span(ago_until_s=600.0)),
        ("Was the fridge open at noon yesterday?", Span(at=TimeOfDay(720), day=-1)),
    ],
)
def test_times_are_read_as_they_are_said(text, span):
    assert read_time_words(text).span == span


def test_how_long_ago_is_no_time_but_a_question():
    words = read_time_words("How long ago did you last see the mug?")
    assert (words.span, words.order) == (None, "newest")


@given(st.integers(0, 23), st.integers(0, 59))
def test_every_time_of_a_clock_is_read(hour, minute):
    words = read_time_words(f"Where was the mug at {hour:02d}:{minute:02d}?")
    assert words.span == Span(at=TimeOfDay(60.0 * hour + minute))
    assert words.rest == "where was the mug"


@given(st.integers(1, 12), st.integers(0, 59), st.sampled_from(["am", "pm", "a.m.", "p.m."]))
def test_twelve_hours_twice_are_one_day(hour, minute, half):
    words = read_time_words(f"What was moved since {hour}:{minute:02d} {half}?")
    assert words.span == Span(after=TimeOfDay(60.0 * (hour % 12 + (12 if half[0] == "p" else 0)) + minute))


@given(
    st.lists(
        st.sampled_from(
            "when did you last first see the mug before after since between 10 11:30 pm and noon it was moved opened open on off , ? how often".split()
        ),
        max_size=14,
    ).map(" ".join)
)
def test_no_mixture_of_words_is_too_odd_to_be_read(text):
    words = read_time_words(text)
    assert words.rest == words.rest.strip().lower()


@given(st.text(max_size=60))
def test_any_text_can_be_read(text):
    read_time_words(text)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("What changed in the kitchen since noon?", "what changed in the kitchen"),
        ("what has changed since this morning", "what has changed"),
        ("Has anything changed today?", "has anything changed"),
        ("Did anything in the kitchen change since 2 pm?", "did anything in the kitchen change"),
        ("What is different on the table now?", "what is different on the table now"),
        ("Are there any changes since yesterday?", "are there any changes"),
    ],
)
def test_what_changed_is_asked_of_all_that_became_of_things(text, rest):
    words = read_time_words(text)
    assert (words.rest, words.states, words.asks) == (rest, CHANGED_STATES, "deeds")


@pytest.mark.parametrize("text", ["What is new in the kitchen?", "anything new since noon?", "Are there new things?"])
def test_what_is_new_is_what_was_not_there_before(text):
    words = read_time_words(text)
    assert (words.states, words.asks) == (("new",), "deeds")


@pytest.mark.parametrize(
    "text",
    [
        "Where is the new mug?",
        "what can I use to change the bulb?",
        "who changed the bulb?",
        "how many different mugs are there?",
        "the changing table",
        "is the changing mat in the bathroom?",
    ],
)
def test_what_is_new_or_changing_by_name_asks_for_no_change(text):
    assert read_time_words(text).states == ()


def test_since_yesterday_goes_on_until_now():
    assert read_time_words("what changed since yesterday").span == Span(after=TimeOfDay(-1440.0))
    assert read_time_words("what changed since yesterday evening").span == Span(after=TimeOfDay(18 * 60 - 1440.0))
