"""Which snapshots matter for a question (3D-Mem, section 3.4): rank the known categories, keep the snapshots that own one.

The ranking here is by words and text embeddings; a planner with a language model may rank the same labels instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from loci.scene.snapshots import Snapshot
from loci.scene.tracks import SceneObject

#: 3D-Mem keeps this many of the ranked categories.
MAX_LABELS = 10


class Encoder(Protocol):
    """The part of a text encoder that is needed here."""

    def encode(self, texts: Sequence[str], /) -> npt.NDArray[np.float32]:
        """Unit vectors (N, D) of N texts."""
        ...


@dataclass(frozen=True)
class Retrieval:
    """What a question selects.

    Attributes:
        snapshots: with their scores in [0, 1], best first; all of them where nothing could be ranked.
        labels: the categories that were kept, best first, at most 10.
    """

    snapshots: tuple[tuple[Snapshot, float], ...]
    labels: tuple[str, ...]


def rank_labels(question: str, labels: Sequence[str], encoder: Encoder) -> list[tuple[str, float]]:
    """Categories by how near they are to a question, with scores in [0, 1], best first.

    A category that the question names scores 1; the others by the cosine of their embeddings.
    """
    if not labels:
        return []
    vectors = np.asarray(encoder.encode([question, *labels]))
    scores = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)
    words = _words(question)
    scores = [1.0 if _names(words, _words(label)) else float(s) for label, s in zip(labels, scores, strict=True)]
    return sorted(zip(labels, scores, strict=True), key=lambda pair: (-pair[1], pair[0]))


def retrieve(
    question: str, snapshots: Sequence[Snapshot], objects: Mapping[str, SceneObject], encoder: Encoder, limit: int
) -> Retrieval:
    """Snapshots that own an object of one of the best categories.

    Args:
        question: in words.
        snapshots: all of them.
        objects: all objects by id.
        encoder: of texts.
        limit: most snapshots, >= 1.

    Returns:
        At most ``limit`` snapshots. If the ranking fails (no words, no encoder, no category with a positive score), all
        snapshots stay, with score 1.
    """
    labels = sorted({objects[i].label for s in snapshots for i in s.object_ids if i in objects} - {""})
    try:
        ranked = (
            [(label, s) for label, s in rank_labels(question, labels, encoder) if s > 0.0] if question.strip() else []
        )
    except (ImportError, OSError, RuntimeError, ValueError):
        ranked = []  # no words can be compared: the planner must look at everything
    kept = dict(ranked[:MAX_LABELS])
    if not kept:
        return Retrieval(tuple((s, 1.0) for s in snapshots[:limit]), ())
    scored = [
        (s, max((kept.get(objects[i].label, -1.0) for i in s.object_ids if i in objects), default=-1.0))
        for s in snapshots
    ]
    best = sorted((pair for pair in scored if pair[1] >= 0.0), key=lambda pair: -pair[1])
    return Retrieval(tuple(best[:limit]), tuple(kept))


def _words(text: str) -> list[str]:
    return [_singular(w) for w in re.findall(r"[a-z0-9]+", text.lower())]


def _singular(word: str) -> str:
    for ending, instead in (
        ("ies", "y"),
        ("shes", "sh"),
        ("ches", "ch"),
        ("xes", "x"),
        ("ves", "f"),
        ("ss", "ss"),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + instead
    return word


def _names(words: list[str], label: list[str]) -> bool:
    """Whether the label's words stand in the question, in a row."""
    return bool(label) and any(words[i : i + len(label)] == label for i in range(len(words) - len(label) + 1))
