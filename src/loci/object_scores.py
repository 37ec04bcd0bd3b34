"""How well objects fit words: by what they are called, by their colours and attributes, by their looks, and by the room that they are in."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loci.evidence import Memories
from loci.perception.protocols import ImageTextEncoder
from loci.perception.text import TextEncoder
from loci.scene.attributes import agreement, asked_attributes, attribute_words
from loci.scene.objects import SceneObject
from loci.spatial.regions import Room

Vector = npt.NDArray[np.float32]

#: Score of a thing whose category is named in the text, what a matching colour or attribute adds to it, and what each takes away
#: that it is known not to have.
NAMED_SCORE, ATTRIBUTE_BONUS, ATTRIBUTE_PENALTY = 0.9, 0.1, 0.15
#: Score of a thing that looks exactly like what is asked for: less than of one that is called so.
LOOKS_SCORE = 0.85
#: Relevance of things to a question that names the room they are in.
_OF_NAMED_ROOM = 0.6


def words_of(text: str) -> set[str]:
    """Lower-case words of a text, with plurals cut to their stem in the simplest way (``mugs`` -> ``mug``)."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {stem for word in words for stem in (word, word.removesuffix("s"), word.removesuffix("es"))}


def score_labels(
    labels: Sequence[str],
    colors: Sequence[Sequence[str]],
    text: str | None,
    embedding: Vector | None,
    encoder: TextEncoder,
    attributes: Sequence[Sequence[str]] = (),
) -> npt.NDArray[np.float32]:
    """Relevance of N categories (with N lists of colour names, and of attributes if any) to a text, (N,) in [0, 1].

    The cosine of the text encoder, raised to ``NAMED_SCORE`` where the text names the category itself; more where it asks for
    colours or attributes that a thing has ("red mug", "open drawer"), less for each that the thing is known not to have.
    """
    scores = np.zeros(len(labels), dtype=np.float32)
    if not labels:
        return scores
    unique, inverse = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    known = [label for label in unique if label]
    if embedding is not None and known:
        by_label = dict(zip(known, encoder.encode(known) @ embedding, strict=True))
        scores = np.clip([by_label.get(label, 0.0) for label in unique], 0.0, 1.0).astype(np.float32)[inverse]
    if text is not None:
        words = words_of(text)
        told = attributes or ((),) * len(labels)
        asked = asked_attributes(words, attribute_words(a for own in told for a in own))
        for i, (label, names, own) in enumerate(zip(labels, colors, told, strict=True)):
            parts = set(label.lower().split())
            if label and parts <= words:
                n_has, n_against = agreement(asked - parts, names, own) if asked else (0, 0)
                named = NAMED_SCORE + ATTRIBUTE_BONUS * bool(n_has) - ATTRIBUTE_PENALTY * min(n_against, 2)
                scores[i] = max(scores[i], named)
    return scores


def scores_by_words(
    memories: Memories, objects: Sequence[SceneObject], text: str | None, embedding: Vector
) -> npt.NDArray[np.float32]:
    """How well N objects fit what a text says, or its embedding alone, by category, colours and attributes, (N,) in [0, 1]; see `score_labels`."""
    labels, colors = [o.label for o in objects], [o.colors for o in objects]
    known = memories.scene.attributes()
    attributes = [known.get(o.id, ()) for o in objects]
    return score_labels(labels, colors, text, embedding, memories.text_encoder, attributes)


def scores_by_looks(memories: Memories, objects: Sequence[SceneObject], text: str) -> npt.NDArray[np.float32]:
    """How much N objects look like what a text says, (N,) in [0, `LOOKS_SCORE`]: where image encoder and detector share a model.

    0 for objects without an embedding of the memory's image-text encoder, and where there is no such encoder.
    """
    encoder = memories.image_encoder
    scores = np.zeros(len(objects), dtype=np.float32)
    if not isinstance(encoder, ImageTextEncoder) or not any(o.embedding is not None for o in objects):
        return scores
    vector = encoder.encode_text([text])[0]
    rows = [i for i, o in enumerate(objects) if o.embedding is not None and o.embedding.shape == vector.shape]
    if rows:
        low, high = encoder.match_range
        cosines = np.stack([objects[i].embedding for i in rows]) @ vector  # type: ignore[misc]
        scores[rows] = LOOKS_SCORE * np.clip((cosines - low) / (high - low), 0.0, 1.0)
    return scores


def relevance_to_question(
    memories: Memories, objects: Sequence[SceneObject], rooms: Sequence[Room | None], question: str
) -> npt.NDArray[np.float32]:
    """Of N objects in N rooms to a question (N,): how well they fit it themselves, or whether it names the room that they are in."""
    scores = scores_by_words(memories, objects, question, memories.text_encoder.encode([question])[0])
    words = words_of(question)
    named = [r is not None and bool(r.name) and set(r.name.lower().split()) <= words for r in rooms]
    return np.maximum(scores, np.where(named, _OF_NAMED_ROOM, 0.0)).astype(np.float32)
