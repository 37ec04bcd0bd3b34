"""Which remembered labels do the words of a question mean?

Words first (equal, plural, synonym, head noun), meaning second (a text encoder's cosine above a calibrated threshold): an encoder alone takes
a wheelchair for a chair more readily than a dustbin for a trash can. A match says how it was found, so that an answer can own up to a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

How = Literal["word", "kind", "head", "meaning"]

#: Smallest cosine of "a {words}" with "a {label}" that counts as the same thing, for all-MiniLM-L6-v2. On the labelled pairs of
#: tests/word_pairs.json right pairs score 0.46 to 0.90 (10th to 90th percentile), the best label for an absent thing 0.48
#: (median) and 0.60 (95th): 0.62 is the least at which fewer than one absent thing in twenty is taken for something else.
SAME_THING = 0.62

#: Words for the same household thing; the first is only a key.
_SYNONYMS: tuple[tuple[str, ...], ...] = (
    ("sofa", "couch", "settee", "loveseat"),
    ("armchair", "easy chair", "recliner", "lounge chair"),
    ("refrigerator", "fridge", "freezer"),
    ("television", "tv", "telly", "tv set", "television set", "tv screen", "television screen"),
    ("mug", "cup", "coffee cup", "coffee mug", "teacup", "tea cup"),
    (
        "trash can",
        "trash bin",
        "garbage can",
        "garbage bin",
        "rubbish bin",
        "waste bin",
        "wastebasket",
        "dustbin",
        "bin",
        "trashcan",
    ),
    ("bookshelf", "bookcase", "book shelf", "book case"),
    ("wardrobe", "closet", "armoire"),
    ("cabinet", "cupboard"),
    ("dresser", "chest of drawers"),
    ("nightstand", "bedside table", "night stand", "night table"),
    ("oven", "stove", "cooker", "range"),
    ("sink", "washbasin", "wash basin", "washbowl", "basin"),
    ("bathtub", "bath tub", "tub", "bath"),
    ("washing machine", "washer", "laundry machine", "clothes washer"),
    ("rug", "carpet", "mat"),
    ("curtain", "drape"),
    ("pillow", "cushion"),
    ("blanket", "duvet", "quilt", "comforter"),
    ("plant", "potted plant", "houseplant", "house plant", "pot plant", "plant pot"),
    ("picture", "painting", "picture frame", "poster", "wall art", "photo", "photograph", "photo frame"),
    ("computer", "pc", "desktop computer"),
    ("laptop", "notebook computer", "laptop computer"),
    ("phone", "telephone", "cell phone", "cellphone", "mobile phone", "smartphone"),
    ("bicycle", "bike"),
    ("backpack", "rucksack"),
    ("toilet", "commode", "wc"),
    ("lamp", "light", "lantern"),
    ("desk", "writing desk"),
    ("counter", "countertop", "counter top", "worktop", "kitchen counter"),
    ("teddy bear", "teddy", "stuffed bear"),
    ("shoe", "sneaker", "trainer"),
    ("stool", "bar stool", "barstool"),
    ("monitor", "computer screen", "computer monitor"),
    ("hallway", "hall", "corridor", "entrance hall"),
    ("living room", "lounge", "sitting room", "livingroom", "family room"),
    ("office", "study", "home office", "study room", "work room"),
    ("bathroom", "restroom", "washroom", "bath room"),
    ("bedroom", "bed room", "sleeping room"),
    ("dining room", "diningroom"),
    ("laundry room", "utility room", "laundry"),
    ("storage room", "storage", "storeroom"),
    ("pantry", "larder"),
    ("entrance", "foyer", "entryway", "entry"),
)

_DROPPED = frozenset(
    "a an the my your our his her their its this that these those some any another other ever please there here".split()
)
_IRREGULAR = {
    "knives": "knife", "shelves": "shelf", "bookshelves": "bookshelf", "loaves": "loaf", "leaves": "leaf", "people": "person", "men": "man",
    "women": "woman", "children": "child", "mice": "mouse", "feet": "foot", "teeth": "tooth", "glasses": "glass", "dice": "die",
    "scarves": "scarf", "dishes": "dish", "couches": "couch", "series": "series", "scissors": "scissors", "trousers": "trousers",
}  # fmt: skip


def singular(word: str) -> str:
    """Singular of an English noun in lower case; a word that is no plural comes back unchanged."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word.removesuffix("s")


def plural(words: str) -> str:
    """Plural of an English noun phrase in lower case (its last word)."""
    head, _, last = words.rpartition(" ")
    back = {one: many for many, one in _IRREGULAR.items()}
    if last in back:
        many = back[last]
    elif last.endswith(("s", "sh", "ch", "x", "z")):
        many = last + "es"
    elif last.endswith("y") and last[-2:-1] not in ("a", "e", "i", "o", "u", ""):
        many = last[:-1] + "ies"
    else:
        many = last + "s"
    return f"{head} {many}" if head else many


@lru_cache(maxsize=4096)
def normalise(words: str) -> str:
    """Lower case, letters and digits only, without articles and the like, last word in the singular."""
    tokens = [t for t in re.findall(r"[a-z0-9/]+", words.lower().replace("'s", "")) if t not in _DROPPED]
    if tokens:
        tokens[-1] = singular(tokens[-1])
    return " ".join(tokens)


_CANONICAL = {normalise(word): group[0] for group in _SYNONYMS for word in group}


def canonical(words: str) -> str:
    """One word for all synonyms: ``canonical("the couches") == canonical("sofa")``."""
    plain = normalise(words)
    return _CANONICAL.get(plain, plain)


@dataclass(frozen=True)
class Match:
    """A label that the words may mean.

    Attributes:
        label: as it stands in the memory.
        score: (0, 1]; 1 for the same word.
        how: "word": the same word or a synonym; "kind": the label is a kind of it (question "table", label "coffee table");
            "head": only the head noun agrees (question "round mirror", label "mirror"); "meaning": the text encoder finds them alike.
    """

    label: str
    score: float
    how: How


class WordMatcher:
    """Finds labels by words, then by meaning.

    Args:
        encoder: for matching by meaning; None: by words only.
        threshold: smallest cosine of a match by meaning; it belongs to the encoder.
    """

    def __init__(self, encoder: TextEncoder | None = None, threshold: float = SAME_THING) -> None:
        if not 0.0 < threshold <= 1.0:
            raise ValueError(f"expected a threshold in (0, 1], got {threshold}")
        self._encoder = encoder
        self._threshold = threshold

    def match(self, words: str, labels: Iterable[str]) -> tuple[Match, ...]:
        """Labels that ``words`` mean, best first; empty if none does.

        Only the strongest way of matching counts, except that kinds of a thing join the thing itself: where "table" is a label, a "coffee table" is
        a table as well, but "desk" is not asked of the encoder any more.
        """
        wanted = canonical(words)
        if not wanted:
            return ()
        known = {label: canonical(label) for label in dict.fromkeys(labels) if label}
        same = [Match(label, 1.0, "word") for label, name in known.items() if name == wanted]
        kinds = [
            Match(label, 0.9, "kind")
            for label, name in known.items()
            if name != wanted and f" {normalise(label)}".endswith(f" {normalise(words)}")
        ]
        if same or kinds:
            return (*same, *kinds)
        tail = normalise(words)
        while " " in tail:  # "big round mirror" -> "round mirror" -> "mirror"
            tail = tail.split(" ", 1)[1]
            heads = [Match(label, 0.8, "head") for label, name in known.items() if name == _CANONICAL.get(tail, tail)]
            if heads:
                return tuple(heads)
        return self._by_meaning(normalise(words), list(known))

    def similarities(self, words: str, labels: Sequence[str]) -> np.ndarray:
        """Cosines of ``words`` with ``labels``, (N,) float32; zeros without an encoder."""
        if self._encoder is None or not labels:
            return np.zeros(len(labels), dtype=np.float32)
        # An article tells the encoder that a thing is meant: right pairs gain more from it than wrong ones.
        rows = self._encoder.encode([f"a {text}" for text in (words, *(normalise(label) for label in labels))])
        return np.asarray(rows[1:] @ rows[0], dtype=np.float32)

    def _by_meaning(self, words: str, labels: list[str]) -> tuple[Match, ...]:
        cosines = self.similarities(words, labels)
        if not cosines.size or cosines.max() < self._threshold:
            return ()
        best = int(cosines.argmax())
        return (Match(labels[best], min(1.0, float(cosines[best])), "meaning"),)
