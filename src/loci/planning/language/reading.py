"""Reads instructions and questions: the likest of all meanings and ways to fill their blanks, by the example sentences of ``sentences/``.

Which words fill the blanks is learnt by `filling` from their surroundings, what is meant by `likeness` from the sentence with its blanks masked.
Another wording that nobody thought of is taught by adding it to a file there.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, cast

import numpy as np

from loci.planning.language.filling import fit, score
from loci.planning.language.kept import kept_weights
from loci.planning.language.likeness import Likeness
from loci.planning.language.opposites import Opposites
from loci.planning.language.phrases import plain
from loci.planning.language.wordings import (
    FILLED,
    Wording,
    command_wordings,
    condition_wordings,
    features,
    may_be_conditional,
    question_wordings,
    word_classes,
)

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: What likeness is worth against the logarithm of the share of a way to fill the blanks, and of how many such ways the likeness is looked at.
WEIGHT, TRIED = 5.0, 3
#: Likeness from which a meaning is believed, and where words decide alone.
SURE, SURE_BY_WORDS = 0.32, 0.42
#: The same of requests with two cases: what they are about is told without cases as well.
SURE_OF_CASES = 0.45
#: How much likelier it must be than that it means none of ours, and where words decide alone.
MARGIN, MARGIN_BY_WORDS = 0.5, 0.0
#: Every example is seen with so many of these in its blanks.
_TIMES = 3
_FILLS: Mapping[str, Sequence[str]] = {
    "thing": ("kettle", "green armchair on the rug in the study", "toy car", "dishwasher in the kitchen", "yellow book on the shelf in the bedroom", "light blue watering can on the workbench in the garage", "coat stand", "plant", "black wall clock", "red fire truck on the bed"),
    "place": ("shelf in the garage", "bed", "dining table in the kitchen", "round table", "workbench", "green chair in the hallway", "tv stand", "washing machine in the laundry"),
    "something": ("something that I can use to cut paper", "something to brush my teeth with", "something that I can use to play a song", "something to put on a wound with", "something that I can use to hang up a coat", "something to open a bottle with"),
    "things": ("plants", "toy cars", "green armchairs", "books", "watering cans", "coat stands", "shelves"),
    "room": ("study", "guest room", "hallway", "dining room", "garage", "bedroom", "living room"),
    "purpose": ("cut paper", "brush my teeth", "keep the rain off", "climb up to the roof", "put in a screw", "water the plants", "play a song", "open a bottle", "warm up soup", "hang up a coat"),
    "number": ("one", "two", "four", "five", "six", "7", "ten"),
    "activity": ("eat", "brush my teeth", "watch a film", "work at a desk", "play with toys", "do sports", "wash my clothes", "have breakfast"),
}  # fmt: skip


#: What stands for a blank in requests about deeds.
FILLED_DEEDS = {"thing": "cup", "a_thing": "a cup", "place": "table", "nth": "second", "mth": "fourth", "time": "30 seconds", "color": "red"}  # fmt: skip
#: A reader is made once, whoever asks for it first.
_LOCK = threading.Lock()
_JOINTS = (" , then ", " . ", " and ", " , and ", " . after that , ", " , ", " and then ")


@dataclass(frozen=True)
class Reading:
    """What a sentence means.

    Attributes:
        meaning: by the names of the examples.
        slots: words that fill its blanks.
        likeness: to the examples of this meaning, about 1 for what they are sure of.
        value: the same with how likely the blanks are filled rightly, to compare readings of a sentence.
    """

    meaning: str
    slots: Mapping[str, str]
    likeness: float
    value: float


class Reader:
    """Reads sentences.

    Args:
        sentences: examples of each meaning, with blanks; "other" is what means none of ours.
        wordings: ways to fill the blanks of a text.
        encoder: of sentences; None: words decide alone.
        joined: texts that say more than one thing: no meaning is theirs.
        name: under which what is learnt is kept on disk; empty: it is not.
        sure: likeness from which a meaning is believed at least.
    """

    def __init__(
        self,
        sentences: Mapping[str, Sequence[str]],
        wordings: Callable[..., Sequence[Wording]],
        encoder: TextEncoder | None,
        joined: Sequence[str] = (),
        name: str = "",
        sure: float = 0.0,
    ) -> None:
        self._wordings = wordings
        least, self._margin = (SURE, MARGIN) if encoder is not None else (SURE_BY_WORDS, MARGIN_BY_WORDS)
        self._sure = max(sure, least)
        self._kinds = {m: {_kind(s) for s in told} for m, told in sentences.items() if m != "other"}
        filled = {m: list(dict.fromkeys(trimmed(s.format(**FILLED)) for s in told)) for m, told in sentences.items()}
        filled["other"] += joined
        self._likeness = Likeness(filled, {m: (m,) for m in filled}, encoder, word_classes, about=str, name=name)
        self._opposites = Opposites(filled)
        ways = (way for told in self._kinds for s in enumerate(sentences[told]) for way in self._ways(*s))
        self._weights = kept_weights(name, lambda: fit(list(ways))) if name else fit(list(ways))

    def read(self, texts: Sequence[str], refers: Sequence[bool]) -> list[Reading | None]:
        """The likest reading of each text; None: it means none of ours.

        Args:
            texts: as `trimmed` makes them.
            refers: whether "it" can be something that was named before.
        """
        tried: list[tuple[int, float, Wording]] = []
        for i, (text, it) in enumerate(zip(texts, refers, strict=True)):
            ways = self._wordings(text.split(), it)
            if not ways:
                continue
            scores = np.array([score(self._weights, features(w)) for w in ways])
            shares = scores - np.logaddexp.reduce(scores)
            likeliest = np.argsort(-scores, kind="stable")[:TRIED]
            tried += [(i, float(shares[k]), ways[k]) for k in likeliest if shares[k] >= shares[likeliest[0]] - WEIGHT]
        best: list[Reading | None] = [None] * len(texts)
        if not tried:
            return best
        masked = [w.text for _, _, w in tried]
        rows = self._opposites.parted(masked, self._likeness.scores(masked), self._likeness.names)  # (T, M)
        column = {m: i for i, m in enumerate(self._likeness.names)}
        for (i, share, way), row in zip(tried, rows, strict=True):
            for meaning, kinds in self._kinds.items():
                like = float(row[column[meaning]])
                value, before = like + share / WEIGHT, best[i]
                if way.kind in kinds and (before is None or value > before.value):
                    other = like < self._sure or like <= row[column["other"]] + self._margin
                    best[i] = Reading("other" if other else meaning, way.slots, like, value)
        return [None if r is None or r.meaning == "other" else r for r in best]

    def _ways(self, number: int, sentence: str) -> list[tuple[list[list[str]], int]]:
        """Ways to fill the blanks of an example, with several fillings, and which is right."""
        found: list[tuple[list[list[str]], int]] = []
        for time in range(_TIMES):
            fills = {
                blank: some[(number + 3 * time + shift) % len(some)]
                for shift, (blank, some) in enumerate(_FILLS.items())
            }
            wanted = {_blank(b): plain(fills[b]) for b in re.findall(r"\{(\w+)\}", sentence)}
            ways = self._wordings(trimmed(sentence.format(**fills)).split(), False)
            right = next((i for i, w in enumerate(ways) if dict(w.slots) == wanted), None)
            if right is not None:
                found.append(([features(w) for w in ways], right))
        return found


def several(sentences: Mapping[str, Sequence[str]], n: int = 400) -> list[str]:
    """Texts that say two things, of which only one has its blanks masked: examples of what must be cut before it is read."""
    rng = np.random.default_rng(0)
    told = [s for m, some in sentences.items() for s in some if m != "other"]
    others = sentences["other"]
    found: list[str] = []
    for i in range(n):
        second = others if i % 3 == 0 else told
        a, b = told[int(rng.integers(len(told)))], second[int(rng.integers(len(second)))]
        fills = {blank: some[int(rng.integers(len(some)))] for blank, some in _FILLS.items()}
        parts = [trimmed(a.format(**FILLED)), trimmed(b.format(**fills))]
        if i % 3 == 2:
            parts.reverse()
        found.append(_JOINTS[i % len(_JOINTS)].join(parts))
    return found


def unconditional() -> list[str]:
    """Requests about deeds that have words of two cases, but only one."""
    told = (trimmed(s.format(**FILLED_DEEDS)) for some in sentences("deeds").values() for s in some)
    return [text for text in told if may_be_conditional(text)]


def trimmed(text: str) -> str:
    """A text as `plain` makes it, without the punctuation at its end."""
    return plain(text).rstrip(" .,;:?!")


def _kind(sentence: str) -> str:
    """Names of its blanks, as `Wording.kind` gives them."""
    return "+".join(sorted({_blank(b) for b in re.findall(r"\{(\w+)\}", sentence)}))


def _blank(name: str) -> str:
    return "purpose" if name == "activity" else name


def sentences(name: str) -> Mapping[str, Sequence[str]]:
    """Example sentences by meaning: of "commands", "questions", "deeds" or "conditions"."""
    file = resources.files("loci.planning.language").joinpath(f"sentences/{name}.json")
    return cast("Mapping[str, Sequence[str]]", json.loads(file.read_text()))


def command_reader(encoder: TextEncoder | None) -> Reader:
    """Reads instructions; made once for an encoder."""
    with _LOCK:
        return _reader("commands", cast("Hashable", encoder))


def question_reader(encoder: TextEncoder | None) -> Reader:
    """Reads questions; made once for an encoder."""
    with _LOCK:
        return _reader("questions", cast("Hashable", encoder))


def condition_reader(encoder: TextEncoder | None) -> Reader:
    """Reads requests with two cases; made once for an encoder."""
    with _LOCK:
        return _reader("conditions", cast("Hashable", encoder))


_WORDINGS = {"commands": command_wordings, "questions": question_wordings, "conditions": condition_wordings}


@lru_cache(maxsize=6)
def _reader(name: str, encoder: Hashable) -> Reader:
    told = sentences(name)
    wordings = _WORDINGS[name]
    joined = several(told) if name == "commands" else unconditional() if name == "conditions" else ()
    sure = SURE_OF_CASES if name == "conditions" else 0.0
    return Reader(told, wordings, cast("TextEncoder | None", encoder), joined, name, sure)
