"""What a text means, learnt from example sentences: ridge regression on its vector, its words and the cues in it.

The vector (the text encoder's) brings near what is said in other words, the words and cues tell apart what it brings too near: "onto" and "from".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from loci.planning.language.cores import core
from loci.planning.language.kept import kept_rows, kept_solution

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

Rows = npt.NDArray[np.float64]

#: What nearness of vectors, of words and of cues is worth; the ridge; and what a meaning is helped by those that share parts with it. Chosen on
#: wordings of one author with the examples of another.
WEIGHTS = (1.0, 1.0, 0.5)
RIDGE, SHARED = 0.2, 0.67
_MARKS = frozenset(",;:?!.")


class Likeness:
    """Scores of meanings for texts.

    Args:
        examples: sentences of each meaning.
        parts: what each meaning is made of, e.g. ("room", "source", "second"): examples of one help another that shares parts with it.
        encoder: of sentences; None: words and cues decide alone.
        cues: names of the cues in a text.
        about: what of a text its vector and its words are taken from.
        name: under which what is learnt is kept on disk; empty: it is not.
    """

    def __init__(
        self,
        examples: Mapping[str, Sequence[str]],
        parts: Mapping[str, Sequence[str]],
        encoder: TextEncoder | None,
        cues: Callable[[str], Iterable[str]],
        about: Callable[[str], str] = core,
        name: str = "",
    ) -> None:
        self.names = tuple(examples)
        texts = [text for name in self.names for text in examples[name]]
        self._nearness: list[tuple[float, _Vectors | _Features]] = [
            (WEIGHTS[1], _Features(lambda text: _words(about(text)), texts, 2)),
            (WEIGHTS[2], _Features(cues, texts, 1)),
        ]
        if encoder is not None:
            self._nearness.append((WEIGHTS[0], _Vectors(encoder, about, texts, name)))
        labels = np.repeat(np.eye(len(self.names)), [len(examples[n]) for n in self.names], axis=0)  # (N, M)
        weights = kept_solution(name, encoder, lambda: self._solved(labels)) if name else self._solved(labels)  # (N, M)
        self._weights: Rows = weights @ _helped([parts[n] for n in self.names])  # (N, M)

    def _solved(self, labels: Rows) -> npt.NDArray[np.float32]:
        """The regression of the labels (N, M) of the examples."""
        # Half the time of float64, and as good; in place, as each of these has many millions of values.
        kernel: npt.NDArray[np.float32] = np.diag(np.full(len(labels), RIDGE, dtype=np.float32))
        for weight, near in self._nearness:
            nearness = near.among_examples()
            nearness -= 1.0
            np.exp(nearness, out=nearness)
            nearness *= weight
            kernel += nearness
        return np.asarray(np.linalg.solve(kernel, (labels - labels.mean(axis=0)).astype(np.float32)))

    def scores(self, texts: Sequence[str]) -> Rows:
        """Scores (T, M) of the meanings `names`: about 1 for what the examples are sure of, and more by what is shared."""
        return np.asarray(self._kernel(texts) @ self._weights)

    def _kernel(self, texts: Sequence[str]) -> Rows:
        """Nearness (T, N) of texts to the examples: Gaussian kernels of unit vectors."""
        return np.asarray(sum(w * np.exp(near.cosines(texts) - 1.0) for w, near in self._nearness), dtype=np.float64)


class _Vectors:
    """Vectors of what the examples are about."""

    def __init__(self, encoder: TextEncoder, about: Callable[[str], str], texts: Sequence[str], name: str) -> None:
        self._encoder, self._about = encoder, about
        told = [about(text) for text in texts]
        self.rows = kept_rows(name, encoder, told) if name else encoder.encode(told)  # (N, D)

    def among_examples(self) -> npt.NDArray[np.float32]:
        """Cosines (N, N)."""
        return self.rows @ self.rows.T

    def cosines(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Cosines (T, N)."""
        return self._encoder.encode([self._about(text) for text in texts]) @ self.rows.T


class _Features:
    """Features of the examples, rare ones weighing more (Salton and Buckley 1988, tf-idf of binary features).

    Args:
        features_of: names of the features of a text.
        texts: the examples.
        fewest: examples that have a feature, or it is left out.
    """

    def __init__(self, features_of: Callable[[str], Iterable[str]], texts: Sequence[str], fewest: int) -> None:
        self._features_of = features_of
        found = Counter(f for text in texts for f in set(features_of(text)))
        kept = sorted(f for f, n in found.items() if n >= fewest)
        self._index = {f: i for i, f in enumerate(kept)}
        self._worth = np.log1p(len(texts) / np.array([found[f] for f in kept], dtype=np.float32))
        self._columns = self._rows_of(texts).T.tocsr()  # (F, N)

    def _rows_of(self, texts: Sequence[str]) -> csr_array:
        """Unit rows (T, F), nearly all zeros; nothing else without a known feature."""
        known = [sorted({self._index[f] for f in self._features_of(text) if f in self._index}) for text in texts]
        lengths = [np.linalg.norm(self._worth[some]) for some in known]
        values = [self._worth[some] / length for some, length in zip(known, lengths, strict=True)]
        starts = np.cumsum([0, *map(len, known)])
        columns = np.concatenate([np.asarray(some, dtype=np.int32) for some in known])
        return csr_array((np.concatenate(values), columns, starts), shape=(len(texts), len(self._index)))

    def among_examples(self) -> npt.NDArray[np.float32]:
        """Cosines (N, N)."""
        return (self._columns.T @ self._columns).toarray()

    def cosines(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Cosines (T, N)."""
        return (self._rows_of(texts) @ self._columns).toarray()


def _words(text: str) -> set[str]:
    """Words and pairs of neighbours, its beginning and end among them."""
    words = [w for w in text.split() if w not in _MARKS]
    return {*words, *(f"{a} {b}" for a, b in pairwise(("<", *words, ">")))}


def _helped(parts: Sequence[Sequence[str]]) -> Rows:
    """What each meaning gives to each (M, M): to itself 1 in all, to others by the share of parts that are the same at the same place."""
    same = np.array([[np.mean([x == y for x, y in zip(a, b, strict=True)]) for b in parts] for a in parts])
    return np.asarray((1.0 - SHARED) * np.eye(len(parts)) + SHARED * same)
