"""A question selects the snapshots that matter, and all of them when that cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_worlds import thing

from loci.scene.retrieval import MAX_LABELS, Retrieval, Wanted, rank_labels, retrieve
from loci.scene.snapshots import Snapshot

OBJECTS = {
    f"object/{i}": thing(f"object/{i}", label=label) for i, label in enumerate(["mug", "sofa", "dining table", "lamp"])
}
SNAPSHOTS = [Snapshot(f"snapshot/{i}", f"keyframe/{i}", (f"object/{i}",)) for i in range(4)]


class WordEncoder:
    """Counts letters: enough to be a deterministic text encoder of unit vectors."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = (
            np.array([[t.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for t in texts], dtype=np.float32)
            + 1e-3
        )
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class BrokenEncoder:
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        raise ImportError("no model")


def ask(
    question: str = "",
    limit: int = 10,
    encoder=None,
    snapshots=SNAPSHOTS,
    objects=OBJECTS,
    shown=None,
    attributes=None,
    **wanted,
) -> Retrieval:
    encoder = encoder or WordEncoder()
    return retrieve(Wanted(question, **wanted), snapshots, objects, encoder, limit, shown=shown, attributes=attributes)


def ids_of(found: Retrieval) -> list[str]:
    return [s.id for s, _ in found.snapshots]


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("Where is the mug?", "mug"),
        ("How many lamps are there?", "lamp"),
        ("What is on the dining tables?", "dining table"),
    ],
)
def test_a_category_that_the_question_names_comes_first_and_says_so(question, label):
    ranked = rank_labels(question, ["sofa", "mug", "dining table", "lamp"], WordEncoder())
    assert ranked[0] == (label, 1.0)
    assert all(0.0 <= score <= 1.0 for _, score in ranked)
    found = ask(question)
    assert [OBJECTS[i].label for i in found.snapshots[0][0].object_ids] == [label]
    assert "named in the question" in found.reasons[0] and label in found.reasons[0]
    assert len(found.reasons) == len(found.snapshots)


def test_only_the_ten_best_categories_are_kept():
    objects = {f"object/{i}": thing(f"object/{i}", label=f"{chr(97 + i)}thing") for i in range(20)}
    snapshots = [Snapshot(f"snapshot/{i}", f"keyframe/{i}", (f"object/{i}",)) for i in range(20)]
    found = ask("where is my athing", 100, snapshots=snapshots, objects=objects)
    assert len(found.labels) == MAX_LABELS
    assert len(found.snapshots) == MAX_LABELS
    assert [s for _, s in found.snapshots] == sorted((s for _, s in found.snapshots), reverse=True)


@pytest.mark.parametrize(("question", "encoder"), [("where is it?", BrokenEncoder()), ("???", WordEncoder())])
def test_all_snapshots_stay_when_the_ranking_fails(question, encoder):
    nameless = {i: replace(o, label="") for i, o in OBJECTS.items()}
    found = ask(question, encoder=encoder, objects=nameless if question == "???" else OBJECTS)
    assert [s for s, _ in found.snapshots] == SNAPSHOTS
    assert found.labels == ()
    assert set(found.reasons) == {"nothing could be ranked: all of them"}
    assert len(ask(question, 2, encoder=BrokenEncoder()).snapshots) == 2


def test_an_empty_memory_has_nothing_to_retrieve():
    assert ask("where is the mug?", snapshots=[], objects={}).snapshots == ()
    assert rank_labels("where?", [], BrokenEncoder()) == []


# --- the fewest images ----------------------------------------------------------------------------------------------------


def test_one_image_that_shows_all_that_is_asked_for_is_enough():
    """The mug's own snapshot is another one, but the sofa's image shows the mug as well."""
    shown = {"keyframe/1": {"object/0", "object/1"}}
    assert ids_of(ask(object_ids=("object/0", "object/1"), shown=shown)) == ["snapshot/1"]
    assert sorted(ids_of(ask(object_ids=("object/0", "object/1")))) == ["snapshot/0", "snapshot/1"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_asked_for_is_always_shown_and_no_image_is_superfluous(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    objects = {f"object/{i}": thing(f"object/{i}", label="x") for i in range(n)}
    owner = rng.integers(0, 5, n)
    snapshots = [
        Snapshot(f"snapshot/{k}", f"keyframe/{k}", tuple(f"object/{i}" for i in range(n) if owner[i] == k))
        for k in range(5)
        if np.any(owner == k)
    ]
    shown = {s.keyframe_id: {i for i in objects if rng.random() < 0.4} for s in snapshots}
    wanted = tuple(i for i in objects if rng.random() < 0.5) or ("object/0",)
    found = ask(object_ids=wanted, snapshots=snapshots, objects=objects, shown=shown)
    seen = [set(s.object_ids) | shown[s.keyframe_id] for s, _ in found.snapshots]
    assert set(wanted) <= set().union(*seen)
    # Each image was taken for something that those taken before it did not show.
    assert len(found.snapshots) <= len(wanted)
    best = min(
        len(some)
        for k in range(1, len(snapshots) + 1)
        for some in combinations(snapshots, k)
        if set(wanted) <= {i for s in some for i in (*s.object_ids, *shown[s.keyframe_id])}
    )
    assert len(found.snapshots) <= 2 * best  # greedy covers of so few are no worse than ln(n) + 1


# --- conditions and other evidence ----------------------------------------------------------------------------------------


def test_a_region_leaves_only_what_shows_it_and_says_where():
    found = ask(region=frozenset({"object/2"}), where="in the kitchen")
    assert ids_of(found) == ["snapshot/2"]
    assert "in the kitchen" in found.reasons[0]
    both = ask("Where is the mug?", region=frozenset({"object/2", "object/3"}), where="in the kitchen")
    assert set(ids_of(both)) <= {"snapshot/2", "snapshot/3"}


def test_time_holds_for_the_images_and_degrades_to_more_where_there_is_none():
    assert ids_of(ask(keyframes=frozenset({"keyframe/3"}))) == ["snapshot/3"]
    nothing = ask(keyframes=frozenset())
    assert ids_of(nothing) == [s.id for s in SNAPSHOTS]
    assert "no snapshot was taken in that time" in nothing.reasons[0]
    assert len(ask(region=frozenset(), where="in the cellar").snapshots) == len(SNAPSHOTS)


def test_what_was_said_of_a_thing_finds_it():
    found = ask("whose is it", captions={"object/3": (0.97, "Anna's, from her grandmother")})
    assert found.snapshots[0][0].id == "snapshot/3"
    assert "grandmother" in found.reasons[0]


def test_attributes_decide_between_things_of_one_kind():
    objects = {
        "object/0": thing("object/0", label="mug", colors=("blue",)),
        "object/1": thing("object/1", label="mug", colors=("red",)),
        "object/2": thing("object/2", label="drawer"),
        "object/3": thing("object/3", label="drawer"),
    }
    assert ids_of(ask("the red mug", objects=objects))[0] == "snapshot/1"
    states = {"object/2": ("closed",), "object/3": ("open",)}
    assert ids_of(ask("an open drawer", objects=objects, attributes=states))[0] == "snapshot/3"


def test_an_image_ranks_by_the_whole_and_by_parts_and_a_question_counts_beside_it():
    whole = {"keyframe/0": 0.3, "keyframe/1": 0.9, "keyframe/2": 0.2, "keyframe/3": 0.6}
    found = ask(image_scores=whole, ranks_images=True)
    assert ids_of(found) == ["snapshot/1", "snapshot/3"]  # the rest is far from the best
    part = ask(image_scores=whole, crop_scores={"object/2": 0.95}, ranks_images=True)
    assert ids_of(part)[0] == "snapshot/2" and "dining table" in part.reasons[0]
    with_words = ask("the lamp", image_scores=whole, ranks_images=True)
    assert ids_of(with_words)[0] == "snapshot/3"


def test_a_damaged_image_index_degrades_to_all_images():
    assert ids_of(ask(ranks_images=True)) == [s.id for s in SNAPSHOTS]


def test_words_and_pictures_are_compared_where_the_encoder_can():
    found = ask("something to drink from", encoder=BrokenEncoder(), crop_scores={"object/0": 0.8, "object/1": 0.1})
    assert ids_of(found) == ["snapshot/0"]
    assert "looks like it" in found.reasons[0]


def test_an_image_that_looks_like_the_words_is_found_where_no_known_thing_is_as_near():
    whole = {"keyframe/0": 0.05, "keyframe/1": 0.1, "keyframe/2": 0.9, "keyframe/3": 0.2}
    found = ask("xyz", crop_scores={"object/0": 0.6}, encoder=BrokenEncoder(), image_scores=whole)
    assert ids_of(found) == ["snapshot/2", "snapshot/0"]  # a mess, a fire extinguisher: nothing that was detected
    assert "as a whole" in found.reasons[0] and "mug" in found.reasons[1]
    assert ids_of(ask("xyz", encoder=BrokenEncoder(), image_scores=whole)) == ["snapshot/2"]
    named = ask("the mug", image_scores=whole)
    assert ids_of(named) == ["snapshot/0"]  # what is named is meant
    somewhere = ask("xyz", encoder=BrokenEncoder(), image_scores=whole, region=frozenset({"object/3"}), where="in it")
    assert ids_of(somewhere) == ["snapshot/3"]


def test_the_bundled_encoder_finds_what_is_meant_but_not_named():
    pytest.importorskip("sentence_transformers")
    from loci.perception.text import MiniLMTextEncoder

    ranked = rank_labels(
        "Where can I sit down with three friends?", ["sofa", "mug", "toaster", "towel"], MiniLMTextEncoder()
    )
    assert ranked[0][0] == "sofa"
