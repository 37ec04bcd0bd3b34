"""Which of two opposite states is wanted: "do not leave it shut" and "it is open, change that" name the one and want the other.

The words of both states are masked by their side, so that what is learnt about open and closed is known of on and off as well; and each example is
learnt turned round, too: whoever says "do not leave it off" wants it on, so "do not leave it on" wants it off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from loci.planning.language.likeness import Likeness
from loci.planning.language.vocabulary import (
    ACTIVATE_FORMS,
    CLOSE_FORMS,
    DEACTIVATE_FORMS,
    IS_CLOSED,
    IS_OFF,
    IS_ON,
    IS_OPEN,
    NEGATIONS,
    OPEN_FORMS,
)

#: Opposite meanings with the words of either side.
AXES: Mapping[tuple[str, str], tuple[frozenset[str], frozenset[str]]] = {
    ("open", "close"): (OPEN_FORMS | IS_OPEN, CLOSE_FORMS | IS_CLOSED),
    ("switch_on", "switch_off"): (ACTIVATE_FORMS | IS_ON, (DEACTIVATE_FORMS | IS_OFF) - {"cut"}),
}
#: How much the sides part the likeness of opposite meanings.
WORTH = 0.8
_SIDES = ("yes", "no")


class Opposites:
    """Tells the sides of opposite meanings apart.

    Args:
        examples: texts by meaning, with their blanks masked.
    """

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        self._axes = {pair: words for pair, words in AXES.items() if all(name in examples for name in pair)}
        told: dict[str, list[str]] = {side: [] for side in _SIDES}
        for pair, words in self._axes.items():
            for side, name in enumerate(pair):
                sided = [t for t in (_sided(text, words) for text in examples[name]) if t]
                told[_SIDES[side]] += sided
                told[_SIDES[1 - side]] += [_turned(t) for t in sided]
        told = {side: list(dict.fromkeys(texts)) for side, texts in told.items()}
        self._likeness = (
            Likeness(told, {side: (side,) for side in _SIDES}, None, _cues, about=str) if all(told.values()) else None
        )

    def parted(
        self, texts: Sequence[str], scores: npt.NDArray[np.float64], names: Sequence[str]
    ) -> npt.NDArray[np.float64]:
        """Scores (T, M) of meanings with those of opposite ones moved apart, where a text names a state."""
        if self._likeness is None:
            return scores
        scores = scores.copy()
        for pair, words in self._axes.items():
            one, other = (names.index(name) for name in pair)
            sided = {i: t for i, t in enumerate(_sided(text, words) for text in texts) if t}
            if not sided:
                continue
            yes, no = self._likeness.scores(list(sided.values())).T
            rows = list(sided)
            first, second = scores[rows, one], scores[rows, other]
            # Neither gains by it what both lack together: what is about neither state stays so.
            top = np.maximum(first, second) + np.maximum(np.minimum(first, second), 0.0) / 2.0
            apart = first - second + WORTH * np.clip(yes - no, -1.0, 1.0)
            scores[rows, one] = top + np.minimum(apart, 0.0)
            scores[rows, other] = top - np.maximum(apart, 0.0)
        return scores


def _sided(text: str, words: tuple[frozenset[str], frozenset[str]]) -> str:
    """A text with the words of both states masked; empty: it has none of them."""
    masked = [
        next((_mark(w, side) for side, some in zip(_SIDES, words, strict=True) if w in some), w) for w in text.split()
    ]
    return " ".join(masked) if any(_side(w) for w in masked) else ""


def _mark(word: str, side: str) -> str:
    return f"={side}={'done' if word.endswith('ed') else ''}"


def _side(token: str) -> str:
    return token.split("=")[1] if token.startswith("=") else ""


def _turned(text: str) -> str:
    """A masked text with the sides swapped."""
    swap = {"yes": "no", "no": "yes"}
    return " ".join(f"={swap[_side(w)]}={w.split('=')[2]}" if _side(w) else w for w in text.split())


def _cues(text: str) -> list[str]:
    """Pairs of a state with a word before or after it, with "not" and another, and the states in their order."""
    tokens = ["not" if t in NEGATIONS else t for t in text.split()]
    at = [(i, _side(t)) for i, t in enumerate(tokens) if _side(t)]
    found = [" ".join(side for _, side in at), f"{at[-1][1]} last", f"{at[0][1]} first"] if at else []
    for i, side in at:
        found += [f"{t} .. {side}" for t in tokens[:i]] + [f"{side} .. {t}" for t in tokens[i + 1 :]]
        for j in (j for j, t in enumerate(tokens[:i]) if t == "not"):
            found += [f"not {t} {side}" for t in tokens[j + 1 : i]]
    return found
