"""A question selects the snapshots that matter, and all of them when that cannot be told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scene_worlds import thing

from loci.scene.retrieval import MAX_LABELS, rank_labels, retrieve
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


@pytest.mark.parametrize(
    ("question", "label"),
    [
        ("Where is the mug?", "mug"),
        ("How many lamps are there?", "lamp"),
        ("What is on the dining tables?", "dining table"),
    ],
)
def test_a_category_that_the_question_names_comes_first(question, label):
    ranked = rank_labels(question, ["sofa", "mug", "dining table", "lamp"], WordEncoder())
    assert ranked[0] == (label, 1.0)
    assert all(0.0 <= score <= 1.0 for _, score in ranked)
    found = retrieve(question, SNAPSHOTS, OBJECTS, WordEncoder(), 1)
    assert [OBJECTS[i].label for s, _ in found.snapshots for i in s.object_ids] == [label]


def test_only_the_ten_best_categories_are_kept():
    objects = {f"object/{i}": thing(f"object/{i}", label=f"{chr(97 + i)}thing") for i in range(20)}
    snapshots = [Snapshot(f"snapshot/{i}", f"keyframe/{i}", (f"object/{i}",)) for i in range(20)]
    found = retrieve("where is my athing", snapshots, objects, WordEncoder(), 100)
    assert len(found.labels) == MAX_LABELS
    assert len(found.snapshots) == MAX_LABELS
    assert [s for _, s in found.snapshots] == sorted((s for _, s in found.snapshots), reverse=True)


@pytest.mark.parametrize(("question", "encoder"), [("where is it?", BrokenEncoder()), ("   ", WordEncoder())])
def test_all_snapshots_stay_when_the_ranking_fails(question, encoder):
    found = retrieve(question, SNAPSHOTS, OBJECTS, encoder, 10)
    assert [s for s, _ in found.snapshots] == SNAPSHOTS
    assert found.labels == ()
    assert len(retrieve(question, SNAPSHOTS, OBJECTS, encoder, 2).snapshots) == 2


def test_an_empty_memory_has_nothing_to_retrieve():
    assert retrieve("where is the mug?", [], {}, WordEncoder(), 5).snapshots == ()
    assert rank_labels("where?", [], BrokenEncoder()) == []


def test_the_bundled_encoder_finds_what_is_meant_but_not_named():
    pytest.importorskip("sentence_transformers")
    from loci.perception.text import MiniLMTextEncoder

    ranked = rank_labels(
        "Where can I sit down with three friends?", ["sofa", "mug", "toaster", "towel"], MiniLMTextEncoder()
    )
    assert ranked[0][0] == "sofa"
