"""Words and vectors together: how much of a question's words a text has, and what that adds to a likeness of meaning.

A text's share of the question's words is weighted by how rare each is (`Store.word_shares`): BM25's weights with k1 = 0, since texts are one
line long (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"). It is joined with the cosine as one more,
weaker reason to believe: sums on fixed scales beat joining by ranks (Bruch, Gai and Ingber 2023, arXiv 2210.11934), and unlike ranks
they give the same score on every page.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.store.words import split_words

#: What all of a question's words in a text are worth, as a share of what is missing to 1.
WORD_WEIGHT = 0.3

#: Words of questions and of grammar: in a small memory they are rare, but they say nothing.
STOP_WORDS = frozenset(
    "a an the this that these those it its is are was were be been am do does did done has have had having i you he she we they "
    "me my your his her our their who whom whose what which when where why how there here and or but not no nor if then than as at "
    "by for from in into of off on onto out over to up with about after before again all any both each few more most other some "
    "such only own same so too very can could will would shall should may might must s t just now please tell say said show find "
    "give anything something anyone someone thing things ever get got last first many much often".split()
)


def query_words(text: str) -> list[str]:
    """Words of a question that are worth looking up."""
    return [word for word in split_words(text) if word not in STOP_WORDS]


def join(similarity: npt.NDArray[np.float32], shares: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scores (N,) in [0, 1] from cosines (N,) in [0, 1] and shares of words (N,)."""
    return (similarity + (1.0 - similarity) * np.float32(WORD_WEIGHT) * shares).astype(np.float32)
