"""What memory tokens are worth beside the vectors themselves, quantised: `make bench NAME=tokens`.

MiniLM embeddings of generated sentences are written into the tokens of their places, and read back with residuals in float32,
float16, int8 and without any, by an untrained and a trained codec. Beside that: the vectors in float32, float16, int8, and
product-quantised (Jegou, Douze and Schmid, TPAMI 2011; k-means of scipy). Recall@10 is against the exact ranking.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2, vq
from tqdm import tqdm

from common import OUT, table, write_result
from loci.episodic.codec import CodecShape, TokenCodec
from loci.episodic.residuals import FORMATS, pack, unpack
from loci.episodic.token_training import TrainingParameters, evaluate, train
from loci.episodic.tokens import SEGMENT, TokenMemory
from loci.perception.text import MiniLMTextEncoder
from loci.store import Store
from sentences import sentences

Vectors = npt.NDArray[np.float32]

#: Bytes of a product-quantised vector: one for each subspace.
PQ_BYTES = (24, 48, 96, 192)


def main() -> None:
    """Print the tables and write out/bench/tokens.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiences", type=int, default=2048, help="to train on, and as many to store")
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--cache", type=Path, default=OUT / "cache", help="folder for embeddings and the trained codec")
    a = parser.parse_args()
    a.cache.mkdir(parents=True, exist_ok=True)
    train_set, stored, places, queries = _data(a)
    trained, training = _trained(a, train_set, stored)
    dimension = stored.shape[1]
    exact = _top(stored, queries)

    rows: dict[str, dict[str, float]] = {}
    for name, read in _stored_vectors(train_set).items():
        decoded, n_bytes = read(stored)
        rows[name] = _judged(decoded, stored, queries, exact, n_bytes)
    codecs = {"untrained": TokenCodec(CodecShape(dimension)), "trained": trained}
    summaries: dict[str, float] = {}
    for name, codec in codecs.items():
        for format in FORMATS:
            decoded, n_bytes = _through_tokens(codec, stored, places, format)
            rows[f"token {name}, residuals {format}"] = _judged(decoded, stored, queries, exact, n_bytes)
        summaries[f"token {name}"] = _place_accuracy(codec, stored, places)
    summaries |= _baseline_places(stored, places)
    errors = {name: _inverse_errors(codec, stored) for name, codec in codecs.items()}

    headers = ["what is kept of a vector", "bytes", "largest error", "mean cosine", "recall@10"]
    keys = ("bytes_per_experience", "largest_error", "mean_cosine", "recall_at_10")
    shown = [
        [name, row[keys[0]], f"{row[keys[1]]:.1e}", f"{row[keys[2]]:.4f}", f"{row[keys[3]]:.3f}"]
        for name, row in rows.items()
    ]
    print(table(headers, shown))
    print()
    print(table(["summary of a place", "right place first [%]"], [[k, 100 * v] for k, v in summaries.items()]))
    result = {
        "experiences": len(stored),
        "dimension": dimension,
        "segment": SEGMENT,
        "inverse_error": errors,
        "stored": rows,
        "pq_codebook_bytes": 256 * dimension * 4,
        "codec_bytes": sum(4 * p.numel() for p in trained.parameters()),
        "right_place_first": summaries,
        "training": training,
    }
    print(write_result("tokens", result))


def _data(a: argparse.Namespace) -> tuple[Vectors, Vectors, npt.NDArray[np.int64], Vectors]:
    """Vectors to train on (N, D) and to store (N, D), the places of these (N,), and questions (Q, D)."""
    seen, kept = sentences(a.experiences, seed=1), sentences(a.experiences, seed=2)
    known = {s.text for s in kept}
    seen = [s for s in seen if s.text not in known]
    asked = [kept[i].question for i in np.random.default_rng(0).choice(len(kept), a.queries, replace=False)]
    path = a.cache / f"sentences-{a.experiences}-{a.queries}.npz"
    if not path.exists():
        encoder = MiniLMTextEncoder(cache_size=0)
        found = [encoder.encode(texts) for texts in ([s.text for s in seen], [s.text for s in kept], asked)]
        np.savez(path, seen=found[0], kept=found[1], asked=found[2])
    with np.load(path) as arrays:
        return arrays["seen"], arrays["kept"], np.array([s.place for s in kept]), arrays["asked"]


def _trained(a: argparse.Namespace, vectors: Vectors, judged: Vectors) -> tuple[TokenCodec, dict[str, Any]]:
    path = a.cache / f"codec-{a.experiences}-{a.epochs}.safetensors"
    codec = TokenCodec(CodecShape(vectors.shape[1]))
    before = evaluate(codec, judged)
    start, n_batches = time.perf_counter(), max(1, len(vectors) // (SEGMENT * 16))
    seconds = 0.0  # it was trained by an earlier run
    if path.exists():
        codec = TokenCodec.load(path)
    else:
        bar = tqdm(total=1000, desc="training", bar_format="{l_bar}{bar}| {elapsed}")

        def progress(share: float, told: str) -> None:
            bar.set_description(told, refresh=False)
            bar.update(round(1000 * share) - bar.n)

        with bar:
            train(codec, vectors, TrainingParameters(epochs=a.epochs, learning_rate=2e-3), progress=progress)
        codec.save(path)
        seconds = time.perf_counter() - start
    after = evaluate(codec, judged)
    return codec, {
        "steps": a.epochs * n_batches,
        "seconds": round(seconds, 1),
        "loss_int8": [before.int8, after.int8],
        "loss_without_residuals": [before.without, after.without],
    }


def _stored_vectors(train_set: Vectors) -> dict[str, Callable[[Vectors], tuple[Vectors, float]]]:
    """Ways to store vectors: what comes back (N, D), and bytes of each."""

    def as_int8(vectors: Vectors) -> tuple[Vectors, float]:
        packed = pack(vectors, "int8")
        read = unpack(packed)
        assert read is not None
        return read, sum(array.nbytes for array in packed.values()) / len(vectors)

    def as_codes(m: int) -> Callable[[Vectors], tuple[Vectors, float]]:
        return lambda vectors: (_product_quantised(train_set, vectors, m), float(m))

    return {
        "vector float32": lambda v: (v, 4.0 * v.shape[1]),
        "vector float16": lambda v: (v.astype(np.float16).astype(np.float32), 2.0 * v.shape[1]),
        "vector int8": as_int8,
        **{f"product quantisation, {m} bytes": as_codes(m) for m in PQ_BYTES},
    }


def _product_quantised(train_set: Vectors, vectors: Vectors, m: int) -> Vectors:
    """Vectors (N, D) as they come back from codes of M bytes: the nearest of 256 centroids in each of M subspaces."""
    parts = []
    for seen, part in zip(np.split(train_set, m, axis=1), np.split(vectors, m, axis=1), strict=True):
        with warnings.catch_warnings():  # an empty cluster is a code that is not used
            warnings.simplefilter("ignore", UserWarning)
            centroids, _ = kmeans2(seen, 256, minit="points", rng=np.random.default_rng(0))
        parts.append(centroids[vq(part, centroids)[0]])
    return np.concatenate(parts, axis=1).astype(np.float32)


def _through_tokens(
    codec: TokenCodec, stored: Vectors, places: npt.NDArray[np.int64], format: Any
) -> tuple[Vectors, float]:
    """Vectors (N, D) as the memory reads them from the tokens of their places, and bytes of each in the store."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "tokens") as store:
        memory = TokenMemory(store, codec, lambda _: None, format)
        for i, vector in enumerate(stored):
            memory.add(str(i), [f"place/{places[i]}"], vector)
        decoded = np.empty_like(stored)
        for key in memory.all_keys():
            for id, vector in memory.read(key).items():
                decoded[int(id)] = vector
        return decoded, memory.statistics()["token_bytes"] / len(stored)


def _judged(
    decoded: Vectors, stored: Vectors, queries: Vectors, exact: npt.NDArray[np.intp], n_bytes: float
) -> dict[str, float]:
    cosines = np.sum(decoded * stored, axis=1) / np.maximum(np.linalg.norm(decoded, axis=1), 1e-12)
    found = _top(decoded, queries)
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
    return {
        "bytes_per_experience": round(n_bytes, 1),
        "largest_error": float(np.abs(decoded - stored).max()),
        "mean_cosine": round(float(cosines.mean()), 5),
        "recall_at_10": round(float(np.mean(shares)), 4),
    }


def _top(vectors: Vectors, queries: Vectors) -> npt.NDArray[np.intp]:
    """Rows of the ten most similar vectors (Q, 10)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.argsort(-(queries @ unit.T), axis=1, kind="stable")[:, :10]


def _inverse_errors(codec: TokenCodec, stored: Vectors) -> dict[str, dict[str, float]]:
    """Largest error of a segment of 32, and of one chain of 300, which is why there are segments."""
    found: dict[str, dict[str, float]] = {}
    for n in (SEGMENT, 300):
        token, residuals = codec.encode(codec.start.detach().numpy(), stored[:n])
        found[f"{n}_writes"] = {
            format: float(np.abs(codec.decode(token, unpack(pack(residuals, format)), n)[1] - stored[:n]).max())
            for format in FORMATS
        }
    return found


def _split(places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(N,) bool: experiences that are not written, but asked with; a quarter of each place's."""
    asked = np.zeros(len(places), dtype=bool)
    for place in np.unique(places):
        asked[np.flatnonzero(places == place)[::4]] = True
    return asked


def _place_accuracy(codec: TokenCodec, stored: Vectors, places: npt.NDArray[np.int64]) -> float:
    """Share of experiences for which the token of their own place, into which they were not written, is the nearest."""
    asked = _split(places)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "tokens") as store:
        memory = TokenMemory(store, codec, lambda _: None)
        for i in np.flatnonzero(~asked):
            memory.add(str(i), [f"place/{places[i]}"], stored[i])
        right = [memory.nearest(stored[i], 1)[0][0] == f"place/{places[i]}" for i in np.flatnonzero(asked)]
    return round(float(np.mean(right)), 4)


def _baseline_places(stored: Vectors, places: npt.NDArray[np.int64]) -> dict[str, float]:
    """The same with other vectors of the same length: the mean of what was seen at a place, and the last of it."""
    asked = _split(places)
    names = np.unique(places)
    written = [stored[(places == place) & ~asked] for place in names]
    summaries = {"mean vector": [v.mean(axis=0) for v in written], "last vector": [v[-1] for v in written]}
    found: dict[str, float] = {}
    for name, rows in summaries.items():
        unit = np.stack(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
        nearest = names[np.argmax(stored[asked] @ unit.T, axis=1)]
        found[name] = round(float(np.mean(nearest == places[asked])), 4)
    return found


if __name__ == "__main__":
    main()
