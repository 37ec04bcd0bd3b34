"""What detectors tell of objects beside labels, sizes in words, and texts that ask for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene_worlds import around, box, ids, room, thing

from loci.object_scores import score_labels
from loci.observation import Detection
from loci.scene.attribute_votes import MAX_KEPT, STATES, AttributeVotes, normalise_attribute
from loci.scene.attributes import size_words
from loci.scene.objects import ObjectMap
from loci.scene.tracks import Track


class FlatEncoder:
    """An encoder that tells nothing: only words decide."""

    name, dimension = "flat", 2

    def encode(self, texts):
        return np.tile(np.array([0.6, 0.8], dtype=np.float32), (len(texts), 1))


def test_the_majority_of_votes_decides_what_lasts_and_the_newest_what_changes():
    votes = AttributeVotes()
    for n, told in enumerate([("wooden", "closed"), ("wooden", "closed"), ("plastic", "open"), ("wooden",)]):
        votes.add(told, 0.9, n)
    elected = dict(votes.elected())
    assert elected == {"open": 1.0, "wooden": pytest.approx(0.75)}
    votes.add(("Shut",), 0.5, 9)
    assert "closed" in dict(votes.elected())
    votes.add(("open",), 0.9, 5)  # of an older image
    assert "open" not in dict(votes.elected())


def test_a_state_is_another_where_one_was_known_and_the_image_is_newer():
    votes = AttributeVotes()
    assert votes.add(("closed", "wooden"), 0.9, 0) == ()
    assert votes.add(("closed", "plastic"), 0.9, 1) == ()
    assert votes.add(("Opened",), 0.9, 2) == ("open",)
    assert votes.add(("closed",), 0.9, 1) == ()
    assert votes.add(("closed", "dirty"), 0.9, 3) == ("closed",)


def test_a_detection_that_tells_nothing_is_no_vote_against():
    votes = AttributeVotes()
    votes.add(("striped",), 0.8, 0)
    for n in range(20):
        votes.add((), 0.9, n)
    assert votes.elected() == (("striped", 1.0),)


def test_text_keeps_its_case_and_synonyms_are_one_word():
    assert normalise_attribute("Text:  EXIT ") == "text: EXIT"
    assert normalise_attribute("  Switched  On") == "on"
    assert normalise_attribute("Grey") == "gray"


@given(st.lists(st.tuples(st.lists(st.sampled_from(["open", "closed", "ajar", "wet", "dry", "a", "b"]), max_size=4), st.floats(0, 1)), max_size=30))  # fmt: skip
def test_votes_survive_storing_and_never_hold_two_states_of_a_group(history):
    votes = AttributeVotes()
    for stamp_ns, (told, score) in enumerate(history):
        votes.add(told, score, stamp_ns)
    names = {name for name, _ in votes.elected()}
    for told in (set(t) for t, _ in history[-1:]):
        contradictory = [group for group in STATES if len(group & told) > 1]
        if not contradictory:
            assert all(len(group & names) <= 1 for group in STATES)
    assert all(0.0 <= share <= 1.0 for _, share in votes.elected())
    assert AttributeVotes.restored(votes.record()).elected() == votes.elected()


def test_votes_are_bounded():
    votes = AttributeVotes()
    for n in range(1000):
        votes.add((f"thing {n}",), 0.5, n)
    assert len(votes.record()["weights"]) <= MAX_KEPT


def test_two_parts_of_one_thing_join_their_votes():
    one, two = AttributeVotes(), AttributeVotes()
    one.add(("wooden", "open"), 1.0, 1)
    two.add(("wooden", "closed"), 1.0, 2)
    one.absorb(two)
    assert dict(one.elected()) == {"closed": 1.0, "wooden": 1.0}


def test_sizes_are_told_among_those_of_a_kind_only():
    mugs = [thing(f"mug/{i}", size=(0.08, 0.08, h), label="mug") for i, h in enumerate((0.1, 0.1, 0.11, 0.22, 0.04))]
    found = size_words([*mugs, thing("tower", size=(1, 1, 9), label="tower")])
    assert found == {"mug/3": ("large", "tall"), "mug/4": ("low",)}
    assert size_words([]) == {}


def test_an_object_has_the_attributes_that_its_detections_told_after_storing_too():
    world = room(box("drawer", (0, 0, 0.3), (0.5, 0.5, 0.6)))
    objects = ObjectMap(ids())
    for n, pose in enumerate(around((0, 0, 0.3), n=12)):
        seen = world.observe(pose, n * 10**9)
        told = tuple(replace(d, attributes=("wooden", "open" if n == 11 else "closed")) for d in seen.detections)
        objects.update(replace(seen, detections=told), f"keyframe/{n}", "map")
    (o,) = objects.objects()
    assert o.attributes == ("open", "wooden")
    assert o.attribute_confidences == (1.0, 1.0)
    ((object_id, fields, arrays),) = objects.records()
    assert Track.restored(object_id, fields, arrays, None).publish().attributes == o.attributes
    del fields["attributes"]  # a memory of before
    assert Track.restored(object_id, fields, arrays, None).publish().attributes == ()


@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("red mug", "red mug"),
        ("the grey mug", "gray mug"),
        ("open drawer", "open drawer"),
        ("which drawer is shut", "closed drawer"),
        ("big table", "large table"),
        ("a wooden table", "wooden table"),
        ("the door that says exit", "exit door"),
    ],
)
def test_texts_find_the_thing_that_has_what_they_ask_for(text, best):
    things = {
        "red mug": ("mug", ("red",), ()),
        "gray mug": ("mug", ("gray",), ()),
        "open drawer": ("drawer", ("brown",), ("open",)),
        "closed drawer": ("drawer", ("brown",), ("closed",)),
        "large table": ("table", ("brown",), ("large",)),
        "wooden table": ("table", ("brown",), ("wooden", "small")),
        "exit door": ("door", ("white",), ("text: EXIT",)),
        "other door": ("door", ("white",), ("text: PUSH",)),
    }
    labels, colors, attributes = zip(*things.values(), strict=True)
    encoder = FlatEncoder()
    scores = score_labels(labels, colors, text, encoder.encode([text])[0] * 0, encoder, attributes)
    assert list(things)[int(np.argmax(scores))] == best
    assert np.sort(scores)[-1] > np.sort(scores)[-2]
    assert np.all((scores >= 0) & (scores <= 1))


def test_the_mug_on_the_table_asks_for_no_switch():
    encoder = FlatEncoder()
    scores = score_labels(["mug", "mug"], [(), ()], "mug on the table", np.zeros(2), encoder, [("on",), ("off",)])
    assert scores[0] == scores[1]


@pytest.mark.parametrize("attributes", [("",), ("x" * 201,), tuple("a" for _ in range(33))])
def test_attributes_that_are_empty_too_long_or_too_many_are_refused(attributes):
    with pytest.raises(ValueError, match="at most 32 attributes"):
        Detection("mug", 0.9, (0, 0, 4, 4), attributes=attributes)
