"""Records of a robot that drives about in a house for days: what the long-term memory is measured on, the same at every run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common import OUT
from loci.perception.text import MiniLMTextEncoder

Vectors = npt.NDArray[np.float32]

#: So many different sentences are encoded; larger memories repeat them with other times and places, and embeddings a little off.
N_SENTENCES = 100_000
N_QUERIES = 500
#: Everything that is made once and kept.
KEPT = OUT / "cache"

THINGS = (
    "mug plate bowl bottle glass fork pan kettle teapot apple banana book notebook laptop keyboard phone charger remote "
    "cushion blanket towel shoe jacket hat umbrella bag backpack suitcase box basket ball toy lamp candle vase plant clock picture mirror "
    "hammer screwdriver drill saw brush broom bucket sponge soap shampoo toothbrush razor newspaper letter parcel key wallet watch ring "
    "glasses camera tripod"
).split()
COLORS = "red green blue yellow white black brown grey orange pink purple silver".split()
FURNITURE = (
    "table desk shelf chair sofa armchair counter cupboard wardrobe bed nightstand dresser windowsill bench stool cabinet washbasin bathtub "
    "workbench rack trolley"
).split()
ROOMS = (
    "kitchen",
    "living room",
    "bedroom",
    "bathroom",
    "hallway",
    "office",
    "dining room",
    "garage",
    "pantry",
    "storage room",
)
VERBS = ("saw a", "noticed the", "passed a", "found the", "somebody moved the", "somebody took the", "put down the")


class Records:
    """``n`` sentences with MiniLM's embeddings, positions and stamps of a robot that drives on 60 m x 40 m.

    Attributes:
        n: how many.
        texts: the different sentences: record i has number i modulo their number.
        positions: (n, 3) [m]; stamps: (n,) [ns], ascending.
    """

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(1)
        self.n = n
        self.texts = sentences(min(n, N_SENTENCES), 0)
        self.positions = np.column_stack([rng.uniform(0, 60, n), rng.uniform(0, 40, n), rng.uniform(0, 2, n)])
        self.stamps = np.sort(rng.integers(0, 86_400 * 10**9 * max(1, n // 10_000), n))

    def __len__(self) -> int:
        return self.n

    def text(self, i: int) -> str:
        return self.texts[i % len(self.texts)]

    @cached_property
    def _encoded(self) -> Vectors:
        return encode(self.texts, "sentences")

    @lru_cache(maxsize=1)  # noqa: B019 (there is one for each run)
    def vectors(self, round: int) -> Vectors:
        """Embeddings (M, 384) of the records from ``round`` times the number of different sentences on."""
        vectors = self._encoded[: max(0, min(len(self.texts), self.n - round * len(self.texts)))]
        if round == 0:
            return vectors
        # Other sentences of like meaning: as far off as paraphrases by another word are (cosine about 0.95).
        noise = np.random.default_rng([3, round]).normal(size=vectors.shape).astype(np.float32)
        near = vectors + 0.33 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        return (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)

    def vector(self, i: int) -> Vectors:
        """Embedding (384,) of record i; quick where i ascends."""
        round, at = divmod(i, len(self.texts))
        return np.asarray(self.vectors(round)[at])

    def nearest(self, queries: Vectors) -> npt.NDArray[np.int64]:
        """The ten nearest records of each query, (Q, 10), by comparing all."""
        found = np.zeros((len(queries), 0), dtype=np.int64)
        cosines = np.zeros((len(queries), 0), dtype=np.float32)
        for round in range(-(-self.n // len(self.texts))):
            here = queries @ self.vectors(round).T
            top = np.argpartition(-here, 9, axis=1)[:, :10]
            found = np.concatenate([found, top + round * len(self.texts)], axis=1)
            cosines = np.concatenate([cosines, np.take_along_axis(here, top, axis=1)], axis=1)
            best = np.argsort(-cosines, axis=1)[:, :10]
            found, cosines = np.take_along_axis(found, best, axis=1), np.take_along_axis(cosines, best, axis=1)
        return found


def questions() -> tuple[list[str], Vectors]:
    """Questions, and their embeddings (N_QUERIES, 384)."""
    every = [f"where is the {c} {t}?" for c, t in itertools.product(COLORS, THINGS)]
    texts = [every[i] for i in np.random.default_rng(2).permutation(len(every))[:N_QUERIES]]
    return texts, encode(texts, "questions")


def sentences(n: int, seed: int) -> list[str]:
    """``n`` different sentences; fewer are the first of more."""
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < n:
        verb, color, thing, on, room = (x[int(rng.integers(len(x)))] for x in (VERBS, COLORS, THINGS, FURNITURE, ROOMS))
        found[f"{verb} {color} {thing} on the {on} in the {room}"] = None
    return list(found)


def encode(texts: Sequence[str], name: str) -> Vectors:
    """MiniLM's embeddings (N, 384), from a file where they were made before (of these texts, or of more that begin with them)."""
    files: list[tuple[int, Path]] = sorted((int(p.stem.split("-")[-1]), p) for p in KEPT.glob(f"episodic-{name}-*.npy"))
    for n, file in files:
        if n >= len(texts):
            vectors = np.load(file, mmap_mode="r")
            return np.array(vectors[: len(texts)])
    print(f"encoding {len(texts)} {name}: about {len(texts) / 300:.0f} s, once", flush=True)
    vectors = MiniLMTextEncoder(threads=None, cache_size=1).encode(texts)
    KEPT.mkdir(parents=True, exist_ok=True)
    np.save(KEPT / f"episodic-{name}-{len(texts)}.npy", vectors)
    return vectors
