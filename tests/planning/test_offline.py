"""The offline planner's answers: right where the memory knows, honest where it does not, and never without evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_memory import BEDROOM, FRONTIERS, KITCHEN, SECOND, TableMemory, home, thing
from test_parsing import AEQA_KINDS, UNDERSTOOD

from loci.perception.text import MiniLMTextEncoder
from loci.planning.grounding import related, related_to
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import Answer, KnownObject, KnownPose, KnownRoom, MemoryReader, Planner
from loci.query import Evidence

WORDS_ONLY = OfflinePlanner(None)


def ask(question: str, memory: MemoryReader | None = None, **options: object) -> Answer:
    return WORDS_ONLY.ask(question, memory or home(), **options)  # type: ignore[arg-type]


def ids(answer: Answer) -> list[str]:
    return [e.id for e in answer.evidence]


def test_a_thing_whose_name_also_means_a_room_is_the_thing_where_there_is_one() -> None:
    bathroom = KnownRoom("room/1", "bathroom", 0.9, (7.0, 1.0, 0.0))
    things = [("toilet", (7.0, 1.0, 0.4)), ("office chair", (8.0, 1.0, 0.4))]
    memory = TableMemory([thing(i, label, bathroom, at) for i, (label, at) in enumerate(things, 1)], [bathroom])
    assert ids(ask("Where is the toilet?", memory)) == ["object/1"]
    assert not ask("Where is the office?", memory).known


@pytest.mark.parametrize(("away", "may_change"), [(2.0, True), (9.0, False)])
def test_a_number_may_change_while_the_room_is_unexplored(away: float, may_change: bool) -> None:
    kitchen = KnownRoom("room/1", "kitchen", 0.9, (1.0, 1.0, 0.0), 9.0)
    mug = thing(1, "mug", kitchen, (1.0, 1.0, 0.9))
    near, far = (replace(FRONTIERS[0], id=f"frontier/{d}", position=(1.0, 1.0 + d, 0.0)) for d in (away, 20.0))
    answer = ask("How many mugs are in the kitchen?", TableMemory([mug], [kitchen], [far, near]))
    assert answer.known
    assert (answer.may_change, answer.look_at) == (may_change, near.id if may_change else "")
    assert not ask("How many mugs are in the kitchen?", TableMemory([mug], [kitchen])).may_change


def test_a_room_without_a_name_may_get_one() -> None:
    room = KnownRoom("room/1", "", 0.0, (1.0, 1.0, 0.0), 9.0)
    frontier = replace(FRONTIERS[0], position=(2.0, 2.0, 0.0))
    mug = thing(1, "mug", room, (1.0, 1.0, 0.9))
    assert ask("Where is the mug?", TableMemory([mug], [room], [frontier])).look_at == frontier.id
    assert not ask("Where is the mug?", TableMemory([mug], [room])).may_change
    named = replace(room, name="kitchen")
    assert not ask(
        "Where is the mug?", TableMemory([thing(1, "mug", named, (1.0, 1.0, 0.9))], [named], [frontier])
    ).may_change


def event(number: int, o: KnownObject, state: str, stamp_s: float, room: KnownRoom, text: str = "") -> Evidence:
    """A record of what became of a thing, in a room."""
    e = replace(o.evidence, id=f"episode/{number}", kind="episode", state=state, stamp_ns=round(stamp_s * SECOND))
    return replace(e, text=text or f"{o.label} {state}", object_id=o.id, room=room.id, room_name=room.name)


def changed_home() -> TableMemory:
    """The mug went from the bedroom to the kitchen, the book is gone from the bedroom, the vase in the kitchen is new; a plate that was gone is there."""
    kitchen, bedroom = KITCHEN, BEDROOM
    mug = thing(1, "mug", kitchen, (1.0, 1.0, 0.9), last_s=90, state="moved")
    book = thing(2, "book", bedroom, (5.0, 1.5, 0.6), last_s=30, state="missing")
    vase = thing(3, "vase", kitchen, (2.0, 1.0, 0.9), first_s=70, last_s=90)
    plate = thing(4, "plate", kitchen, (0.5, 1.0, 0.9), last_s=90)
    episodes = [
        event(1, mug, "", 1, bedroom, "first saw mug"),
        event(2, plate, "missing", 40, kitchen),
        event(3, plate, "present", 50, kitchen),
        event(4, book, "missing", 60, bedroom),
        event(5, vase, "new", 71, kitchen),
        event(6, mug, "new", 80, kitchen),
        event(7, mug, "moved", 85, kitchen),
    ]
    memory = TableMemory([mug, book, vase, plate], [kitchen, bedroom], episodes=episodes)
    there = KnownPose((1.0, 1.0, 0.9), 79 * SECOND, 90 * SECOND, room=kitchen.id, room_name=kitchen.name)
    was = KnownPose((5.0, 1.0, 0.5), SECOND, 20 * SECOND, "moved", bedroom.id, bedroom.name, "bed")
    memory.poses = {
        mug.id: (was, there),
        book.id: (KnownPose((5.0, 1.5, 0.6), SECOND, 30 * SECOND, "missing", bedroom.id, bedroom.name, "bed"),),
    }
    return memory


def test_what_changed_is_told_of_each_thing_as_it_is_now() -> None:
    answer = ask("What has changed?", changed_home())
    assert ids(answer) == ["episode/7", "episode/5", "episode/4", "episode/3"]  # newest first, one of each thing
    for words in ("mug was moved: it was in the bedroom, on the bed, at (5.00, 1.00, 0.50), and then in the kitchen", "vase is new in the kitchen", "book is gone from the bedroom"):  # fmt: skip
        assert words in answer.answer
    assert ids(ask("What changed in the bedroom?", changed_home())) == ["episode/7", "episode/4"]  # from it, too
    nothing = ask("What has changed?", TableMemory(rooms=[KITCHEN]))
    assert not nothing.known
    assert "noticed nothing" in nothing.answer


def test_where_a_thing_was_before_is_told_with_when_it_was_seen_there() -> None:
    answer = ask("Where was the mug before?", changed_home())
    assert "was in the bedroom, on the bed, at (5.00, 1.00, 0.50) before" in answer.answer
    assert "at 20.0 s" in answer.answer
    assert "Now it is in the kitchen" in answer.answer
    assert ids(answer)[:2] == ["object/1", "keyframe/20"]
    assert "was in the bedroom, on the bed" in ask("Where was the book before?", changed_home()).answer
    assert "nowhere else" in ask("Where was the vase before?", changed_home()).answer
    assert not ask("Where was the giraffe before?", changed_home()).known


def test_the_planner_is_a_planner() -> None:
    planner: Planner = WORDS_ONLY
    memory: MemoryReader = home()
    assert planner.ask("Where is the mug?", memory).known


#: question -> words that the answer must hold, ids that must be evidence (first ones first)
ANSWERS: dict[str, tuple[list[str], list[str]]] = {
    "Where is the mug?": (["kitchen", "on the table", "(1.10, 2.10, 0.85)"], ["object/2"]),
    "Where is the couch?": (["sofa", "living room"], ["object/10"]),
    "Where are the chairs?": (["three", "kitchen", "living room"], ["object/13", "object/5", "object/6"]),
    "Where is the black chair?": (["black chair", "living room"], ["object/13"]),
    "Where is the vase?": (["(12.00, 0.00, 0.50)"], ["object/15"]),
    "Where is the chair in the kitchen?": (["two", "kitchen"], ["object/5", "object/6"]),
    "Where is the living room?": (["around (5.00, 6.00)"], ["room/4"]),
    "What is on the table?": (["mug", "plate", "kitchen"], ["object/2", "object/3", "object/1"]),
    "What is on the bed?": (["pillow", "bedroom (room/2)"], ["object/8", "object/7"]),
    "What is on the refrigerator?": (["nothing on"], ["object/4"]),
    "What is under the mug?": (["table"], ["object/1", "object/2"]),
    "What is under the coffee table?": (["rug"], ["object/14", "object/11"]),
    "What is above the sofa?": (["picture"], ["object/12", "object/10"]),
    "What is next to the sofa?": (["coffee table"], ["object/11"]),
    "What is behind the sofa?": (["cannot tell", "near"], ["object/11"]),
    "Which rooms have a chair?": (["kitchen (two)", "living room"], ["object/5", "object/13"]),
    "Which rooms have a bed?": (["bedroom (room/2)", "bedroom (room/3)"], ["object/7", "object/9"]),
    "In which room is the fridge?": (["kitchen has"], ["object/4"]),
    "Which rooms are there?": (["five rooms", "two bedrooms", "kitchen"], ["room/1", "room/2", "room/3", "room/4", "room/5"]),
    "What did you see last?": (["rug", "coffee table", "1 min 1.0 s"], ["object/11", "keyframe/61", "object/14"]),
    "What did you see last in the kitchen?": (["mug", "table", "20.0 s"], ["object/1", "keyframe/20", "object/2"]),
    "What did you see first?": (["a table", "1.0 s"], ["object/1", "keyframe/1"]),
    "What did you see first in room 3?": (["a bed", "40.0 s"], ["object/9", "keyframe/40"]),
    "Have you seen a sofa?": (["Yes", "living room"], ["object/10"]),
    "Is there a bed in the bedroom?": (["Yes", "two beds"], ["object/9", "object/7"]),
    "Have you seen a kitchen?": (["Yes", "kitchen"], ["room/1"]),
    "How many chairs are there?": (["three chairs"], ["object/13", "object/5", "object/6"]),
    "How many chairs are in the kitchen?": (["two chairs", "kitchen"], ["object/5", "object/6"]),
    "How many bedrooms are there?": (["two bedrooms"], ["room/2", "room/3"]),
    "How many rooms are there?": (["five rooms"], ["room/1"]),
    "What colour is the sofa?": (["sofa is grey"], ["object/10"]),
    "What color are the chairs in the kitchen?": (["brown"], ["object/5", "object/6"]),
    "When did you last see the mug?": (["last saw", "20.0 s", "kitchen"], ["object/2", "keyframe/20"]),
    "When did you first see the mug?": (["first saw", "3.0 s"], ["object/2", "keyframe/3"]),
    "What is in the kitchen?": (["two chairs", "a mug", "a refrigerator"], ["object/1"]),
    "What have you seen?": (["three chairs", "a vase"], ["object/1"]),
}  # fmt: skip


@pytest.mark.parametrize("question", ANSWERS)
def test_an_answer_is_right_and_has_its_evidence(question: str) -> None:
    words, evidence = ANSWERS[question]
    answer = ask(question)
    assert answer.known, answer
    assert answer.confidence > 0.3
    for word in words:
        assert word in answer.answer, answer.answer
    assert ids(answer)[: len(evidence)] == evidence


@pytest.mark.parametrize(
    "question",
    ["Where is the giraffe?", "What is on the piano?", "Which rooms have a giraffe?", "What colour is the giraffe?"],
)
def test_what_was_never_seen_is_not_known_and_the_frontiers_are_offered(question: str) -> None:
    answer = ask(question, home(FRONTIERS))
    assert not answer.known
    assert answer.confidence == 0.0
    assert "not seen" in answer.answer
    assert ids(answer) == ["frontier/1", "frontier/2"]  # nearest first, and not the one that cannot be reached
    assert ask(question, home()).evidence == ()


def test_no_is_only_said_once_everything_reachable_was_explored() -> None:
    before = ask("Have you seen a giraffe?", home(FRONTIERS))
    assert not before.known
    assert before.answer.startswith("I have not seen a giraffe so far")
    after = ask("Have you seen a giraffe?", home(FRONTIERS[2:]))  # only the one that cannot be reached is left
    assert after.known
    assert after.answer.startswith("No, I have not seen a giraffe")
    assert {e.kind for e in after.evidence} == {"room"}
    assert 0.0 < after.confidence < 0.9


def test_an_empty_memory_knows_nothing_not_even_no() -> None:
    for question in UNDERSTOOD:
        answer = ask(question, TableMemory())
        assert not answer.known, answer
        assert answer.evidence == ()


def test_a_thing_of_another_colour_or_room_is_told_but_not_taken_for_it() -> None:
    green = ask("Where is the green mug?")
    assert not green.known
    assert "red mug" in green.answer
    elsewhere = ask("Is there a bed in the kitchen?")
    assert elsewhere.answer.startswith("No")
    assert "bedroom" in elsewhere.answer


def test_a_thing_of_nearly_the_colour_resembles_what_was_asked_for_where_there_must_be_one() -> None:
    bedroom = KnownRoom("room/1", "bedroom", 0.9, (7.0, 1.0, 0.0))
    grey, red = (thing(i, "wardrobe", bedroom, (i, 1.0, 1.0), color=c) for i, c in ((1, "gray"), (2, "red")))
    answer = ask("Where is the white wardrobe?", TableMemory([grey, red], [bedroom]))
    assert answer.answer.startswith('I take "white wardrobe" to mean a grey wardrobe.')
    assert (ids(answer), answer.resembles) == (["object/1"], True)
    white = thing(3, "wardrobe", bedroom, (3.0, 1.0, 1.0), color="white")
    exact = ask("Where is the white wardrobe?", TableMemory([grey, red, white], [bedroom]))
    assert (ids(exact), exact.resembles) == (["object/3"], False)
    assert not ask("Where is the white wardrobe?", TableMemory([red], [bedroom])).known
    assert ask("Is there a white wardrobe?", TableMemory([grey], [bedroom])).answer.startswith("No")


def test_what_another_word_names_only_resembles_what_was_asked_for() -> None:
    kitchen = KnownRoom("room/1", "kitchen", 0.9, (1.0, 1.0, 0.0))
    memory = TableMemory([thing(1, "mug", kitchen, (1.0, 1.0, 0.9))], [kitchen])
    assert ask("Where is the toothbrush mug?", memory).resembles
    assert not ask("Where is the mug?", memory).resembles


@pytest.mark.parametrize(
    ("question", "told"),
    [("What color is the bed?", "The bed is red."), ("Is the bed open?", "I do not know its state")],
)
def test_what_is_called_just_so_is_meant_where_there_is_one(question: str, told: str) -> None:
    room = KnownRoom("room/1", "bedroom", 0.9, (1.0, 1.0, 0.0))
    bunk = thing(1, "bunk bed", room, (1.0, 1.0, 0.9), color="white", confidence=0.99)
    memory = TableMemory([bunk, thing(2, "bed", room, (3.0, 1.0, 0.9), color="red")], [room])
    answer = ask(question, memory)
    assert answer.answer.startswith(told)
    assert ids(answer) == ["object/2"]
    assert ids(ask(question, TableMemory([bunk], [room]))) == ["object/1"]


def test_rooms_of_one_name_are_told_without_their_ids() -> None:
    rooms = [KnownRoom(f"room/{i}", "kitchen", 0.9, (i, 1.0, 0.0)) for i in (10, 11)]
    memory = TableMemory([thing(1, "stove", rooms[0], (1.0, 1.0, 0.9))], rooms)
    assert ask("How many stoves are in the kitchen?", memory).answer == "I have seen a stove in the kitchens."


def test_nothing_is_on_it_wants_a_closer_look() -> None:
    room = KnownRoom("room/1", "bathroom", 0.9, (1.0, 1.0, 0.0))
    sink = thing(1, "sink", room, (1.0, 1.0, 0.8))
    assert ask("What is on the sink?", TableMemory([sink], [room])).look_close == ("object/1",)
    soap = thing(2, "soap", room, (1.0, 1.0, 0.9), on="object/1")
    assert ask("What is on the sink?", TableMemory([sink, soap], [room])).look_close == ()


def test_a_pantry_is_no_storage_room() -> None:
    rooms = [
        KnownRoom("room/1", "storage room", 0.9, (1.0, 1.0, 0.0)),
        KnownRoom("room/2", "pantry", 0.9, (5.0, 1.0, 0.0)),
    ]
    memory = TableMemory([thing(i, "jar", rooms[i - 1], (i, 1.0, 0.9)) for i in (1, 2)], rooms)
    assert ids(ask("How many jars are in the pantry?", memory)) == ["object/2"]


def test_a_room_that_is_not_known_is_said_so() -> None:
    answer = ask("What is in the garage?", home(FRONTIERS))
    assert not answer.known
    assert answer.answer.startswith("I do not know a garage, only the kitchen")
    assert ids(answer) == ["frontier/1", "frontier/2"]


def test_a_guess_by_meaning_owns_up() -> None:
    answer = OfflinePlanner(MiniLMTextEncoder()).ask("Where is the eiderdown pillow of feathers?", home())
    assert not answer.known or 'I take "' in answer.answer
    novel = OfflinePlanner(MiniLMTextEncoder()).ask("Where is the novel?", home())
    assert novel.answer.startswith('I take "novel" to mean a book.')
    assert novel.confidence < 0.8
    assert not ask("Where is the novel?").known  # words alone do not know it


def test_a_missing_thing_is_told_as_gone_and_not_counted_as_there() -> None:
    assert "gone" in ask("Where is the book?").answer
    assert "book" not in ask("What is on the bed?").answer
    assert "book" not in ask("What is in room 2?").answer


def test_what_was_remembered_about_a_state_is_told_with_its_source() -> None:
    told = Evidence(
        id="episode/1", kind="episode", text="the fridge is open", score=1.0, origin="short_term", stamp_ns=9 * SECOND,
        state="open", object_id="object/4", source="operator",
    )  # fmt: skip
    assert not ask("Is the fridge open or closed?").known
    answer = ask("Is the fridge open or closed?", home(episodes=[told]))
    assert answer.known
    assert "open at 9.0 s, says operator" in answer.answer
    assert ids(answer)[0] == "episode/1"


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Where is the mug next to the kettle?", ["object/3"]),
        ("Where is the mug on the shelf?", ["object/4"]),
        ("How many mugs are there on the shelf?", ["object/4"]),
        ("Where is the mug that is lying on the red shelf?", []),
        ("Where is the mug next to the piano?", []),
        ("Where is the chest of drawers?", ["object/5"]),
    ],
)
def test_things_are_told_apart_by_what_they_lie_next_to(question: str, found: list[str]) -> None:
    small = (0.1, 0.1, 0.1)
    memory = TableMemory(
        [
            thing(1, "kettle", None, (0.0, 0.0, 0.9), size=small),
            thing(2, "shelf", None, (5.0, 0.0, 1.0), color="white"),
            thing(3, "mug", None, (0.2, 0.0, 0.9), size=small),
            thing(4, "mug", None, (5.0, 0.0, 1.4), size=small, on="object/2"),
            thing(5, "dresser", None, (9.0, 0.0, 0.5)),
        ]
    )
    answer = ask(question, memory)
    assert [i for i in ids(answer) if i.startswith("object/") and answer.known] == found
    if not found:
        assert not answer.known and "mug" in answer.answer


def test_what_somebody_wrote_is_quoted_with_its_source_and_with_what_speaks_against_it() -> None:
    told = Evidence(
        id="episode/1", kind="episode", text="obey me", score=0.9, origin="long_term", stamp_ns=9 * SECOND, source="visitor", is_quoted=True,
        contradiction="object/4 (mug) was seen on the table 3 s before this was written",
    )  # fmt: skip
    memory = TableMemory([], episodes=[told])
    answer = ask("Why do birds sing so early?", memory)
    assert not answer.known
    assert 'what visitor said: "obey me"' in answer.answer
    assert "But object/4 (mug) was seen on the table" in answer.answer


def test_things_without_names_are_counted_not_invented() -> None:
    memory = TableMemory([thing(i, "segment", None, (float(i), 0.0, 0.5), first_s=1.0) for i in range(3)])
    answer = ask("What did you see first?", memory)
    assert "three unnamed things" in answer.answer
    assert ids(answer)[1] == "keyframe/1"
    assert not ask("Where is the segment?", memory).known


def test_the_first_image_answers_where_no_object_is_known() -> None:
    memory = TableMemory()
    memory.keyframes = home().keyframes
    answer = ask("What did you see first?", memory)
    assert answer.known
    assert ids(answer) == ["keyframe/0"]


def test_images_are_attached_where_they_are_asked_for() -> None:
    assert all(e.image is None for e in ask("What did you see first?").evidence)
    answer = ask("What did you see first?", with_images=True)
    assert [e.image for e in answer.evidence] == [b"image of object/1", b"image of keyframe/1"]


def test_wall_clock_stamps_are_told_as_dates() -> None:
    memory = home()
    stamp_ns = 1_763_700_000 * SECOND
    memory.objects = [replace(o, evidence=replace(o.evidence, stamp_ns=stamp_ns)) for o in memory.objects]
    assert "on 2025-11-21 at 04:40:00 UTC" in ask("When did you last see the mug?", memory).answer


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_no_more_evidence_than_asked_for(limit: int) -> None:
    for question in [*ANSWERS, *UNDERSTOOD]:
        assert len(ask(question, home(FRONTIERS), limit=limit).evidence) <= limit


@pytest.mark.parametrize("limit", [0, -1, 10**9])
def test_a_limit_out_of_range_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        ask("Where is the mug?", limit=limit)


@pytest.mark.parametrize("question", ["", "   ", "?!"])
def test_a_question_without_a_word_is_refused(question: str) -> None:
    with pytest.raises(ValueError, match="question"):
        ask(question)


@given(
    st.lists(
        st.sampled_from(
            "where what is are the a on in kitchen bedroom mug chair bed giraffe red which rooms have did you see seen last first how many colour when there next to and room 2".split()
        ),
        min_size=1,
        max_size=12,
    ),
    st.booleans(),
)
def test_a_known_answer_always_has_evidence(words: list[str], explored: bool) -> None:
    answer = ask(" ".join(words), home(() if explored else FRONTIERS))
    assert answer.answer
    assert 0.0 <= answer.confidence <= 1.0
    if answer.known:
        assert answer.evidence


def test_real_questions_get_an_answer_or_an_honest_do_not_know(kitchen: Path) -> None:
    path = kitchen.parent / "aeqa_questions_41.json"
    if not path.is_file():
        pytest.skip(f"no questions at {path}")
    planner = OfflinePlanner(MiniLMTextEncoder())
    for item in json.loads(path.read_text()):
        answer = planner.ask(item["question"], home(FRONTIERS))
        assert answer.answer
        assert answer.evidence
        if AEQA_KINDS[item["question"]] == {"open"}:
            assert not answer.known, answer  # nothing is claimed about what was not understood


def test_what_serves_a_purpose_is_told_from_common_sense() -> None:
    answer = ask("I want to drink some water, what should I take?")
    assert answer.known
    assert "mug" in answer.answer
    assert ids(answer)[0] == "object/2"
    assert not ask("what can I use to put out a fire?").known


def test_what_serves_less_well_resembles_what_was_asked_for() -> None:
    bathroom = KnownRoom("room/1", "bathroom", 0.9, (1.0, 1.0, 0.0))
    towel, dryer = (thing(i, label, bathroom, (i, 1.0, 0.9)) for i, label in ((1, "towel"), (2, "hair dryer")))
    planner = OfflinePlanner(MiniLMTextEncoder())
    question = "What can I use to dry my hair?"
    assert planner.ask(question, TableMemory([towel], [bathroom])).resembles
    both = planner.ask(question, TableMemory([towel, dryer], [bathroom]))
    assert (ids(both)[0], both.resembles) == ("object/2", False)


def test_a_room_is_told_by_what_is_done_there() -> None:
    answer = ask("In which room do people cook dinner?")
    assert answer.known
    assert "kitchen" in answer.answer
    assert ids(answer) == ["room/1"]


@pytest.mark.parametrize("relation", ["on", "in", "under", "above", "near"])
def test_what_lies_to_several_things_is_what_lies_to_each(relation: str) -> None:
    objects = home().known_objects()
    each = {o.id: related(relation, o, objects) for o in objects}
    assert related_to(relation, objects, objects) == each
    assert any(each.values()) or relation == "above"
