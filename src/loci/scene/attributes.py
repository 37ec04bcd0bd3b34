"""Objects by their attributes: which ones a text asks for, whether an object has them, and sizes in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from loci.scene.attribute_votes import STATE_GROUP, SYNONYMS
from loci.scene.colors import COLOR_NAMES
from loci.scene.tracks import SceneObject

_OPPOSITE = {"large": "small", "small": "large", "tall": "low", "low": "tall"}
SIZE_WORDS = frozenset(_OPPOSITE)
#: A thing is large (or small) if it is by this factor larger (smaller) than the median of so many or more of its category.
SIZE_FACTOR, MIN_ALIKE = 1.3, 3

_AMBIGUOUS = frozenset({"on", "off", "made"})


def size_words(objects: Sequence[SceneObject]) -> dict[str, tuple[str, ...]]:
    """{object id: "large" or "small", "tall" or "low"} of those that differ from the median of their category."""
    labels = np.array([o.label for o in objects], dtype=str)
    sizes = np.array([o.size for o in objects], dtype=np.float64).reshape(-1, 3)
    found: dict[str, tuple[str, ...]] = {}
    if not len(objects):
        return found
    _, group, n_alike = np.unique(labels, return_inverse=True, return_counts=True)
    for measure, more, less in (
        (np.linalg.norm(sizes, axis=1), "large", "small"),
        (sizes[:, 2], "tall", "low"),
    ):
        order = np.lexsort((measure, group))
        start = np.concatenate([[0], np.cumsum(n_alike)[:-1]])
        low, high = start + (n_alike - 1) // 2, start + n_alike // 2
        medians = (measure[order][low] + measure[order][high]) / 2  # (G,)
        ratio = measure / np.maximum(medians[group], 1e-6)
        told = (n_alike[group] >= MIN_ALIKE) & (labels != "")
        for i in np.flatnonzero(told & ((ratio > SIZE_FACTOR) | (ratio < 1.0 / SIZE_FACTOR))).tolist():
            found[objects[i].id] = (*found.get(objects[i].id, ()), more if ratio[i] > 1.0 else less)
    return found


def attribute_words(attributes: Iterable[str]) -> set[str]:
    """Attributes as words of a text may name them: of a text that was read, its words."""
    return {word for a in attributes for word in (a.lower().split()[1:] if a.startswith("text:") else (a,))}


def asked_attributes(words: Iterable[str], known: Iterable[str] = ()) -> frozenset[str]:
    """Which words of a text are colours, states, sizes, or attributes that some object is known to have.

    "The mug on the table" asks for no switch: "on", "off" and "made" are not taken for states.
    """
    vocabulary = {*COLOR_NAMES, *STATE_GROUP, *SIZE_WORDS, *known} - _AMBIGUOUS
    return frozenset(name for name in (SYNONYMS.get(word, word) for word in words) if name in vocabulary)


def agreement(asked: frozenset[str], colors: Sequence[str], attributes: Sequence[str]) -> tuple[int, int]:
    """How many of the asked attributes an object has, and how many it is known not to have."""
    own = {*colors, *attribute_words(attributes)}
    has = asked & own
    against = 0
    for name in asked - own:
        if name in COLOR_NAMES:
            against += bool(colors)
        elif name in STATE_GROUP:
            against += bool(STATE_GROUP[name] & own)
        elif name in _OPPOSITE:
            against += _OPPOSITE[name] in own
    return len(has), against
