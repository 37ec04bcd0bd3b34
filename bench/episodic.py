"""The long-term memory beside eMEM, on the same records: adding, searching, size; and Loci alone at a million records.

    make bench NAME=episodic        (or: python bench/episodic.py --sizes 10k,100k,1m)

Records are sentences about what a robot saw, with MiniLM's embeddings, times and places; queries are other sentences. Both memories write
100 records per durable commit (SQLite: WAL, synchronous FULL) and are tuned to recall@10 >= 0.98. `pip install emem==0.3.0` for the comparison;
without it its columns are left out. Then the questions of `recall_questions.py`, about simulated days. Written to out/bench/episodic.json.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")

import numpy as np  # noqa: E402

from common import OUT, quantiles, resident_mib, table, write_result  # noqa: E402
from loci.episodic.long_term import LongTermMemory  # noqa: E402
from loci.episodic.records import Episode  # noqa: E402
from loci.memory import RobotMemory  # noqa: E402
from loci.perception.text import MiniLMTextEncoder  # noqa: E402
from loci.query import Query  # noqa: E402
from loci.store import Store  # noqa: E402
from recall_questions import print_recall_questions, recall_questions  # noqa: E402

#: What `--only` may name.
SECTIONS = ("speed", "recall_questions")
BATCH = 100
N_QUERIES = 200
#: So many different sentences are encoded; larger memories repeat them with other times and places, and embeddings a little off.
N_SENTENCES = 100_000
RECALL = 0.98

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


@dataclass(frozen=True)
class Records:
    """N records: sentences, unit embeddings (N, 384), positions (N, 3) [m], stamps (N,) [ns], and the place of each."""

    texts: Sequence[str]
    vectors: np.ndarray
    positions: np.ndarray
    stamps: np.ndarray

    def __len__(self) -> int:
        return len(self.vectors)

    def text(self, i: int) -> str:
        return self.texts[i % len(self.texts)]


def sentences(n: int, seed: int) -> list[str]:
    """``n`` different sentences."""
    rng = np.random.default_rng(seed)
    found: dict[str, None] = {}
    while len(found) < n:
        verb, color, thing, on, room = (x[int(rng.integers(len(x)))] for x in (VERBS, COLORS, THINGS, FURNITURE, ROOMS))
        found[f"{verb} {color} {thing} on the {on} in the {room}"] = None
    return list(found)


def encode(texts: Sequence[str], name: str) -> np.ndarray:
    """MiniLM's embeddings (N, 384), from a file where they were made before."""
    cache = OUT / "cache" / f"episodic-{name}-{len(texts)}.npy"
    if cache.is_file():
        return np.load(cache)
    vectors = MiniLMTextEncoder(threads=None, cache_size=1).encode(texts)
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.save(cache, vectors)
    return vectors


def make_records(n: int) -> Records:
    """Records of a robot that drives on 60 m x 40 m."""
    rng = np.random.default_rng(1)
    texts = sentences(min(n, N_SENTENCES), 0)
    vectors = encode(texts, "sentences")
    if n > len(texts):
        # Other sentences of like meaning: as far off as paraphrases by another word are (cosine about 0.95).
        more = [vectors]
        for first in range(len(texts), n, len(texts)):
            noise = rng.normal(size=(min(len(texts), n - first), vectors.shape[1])).astype(np.float32)
            near = vectors[: len(noise)] + 0.33 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
            more.append((near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32))
        vectors = np.concatenate(more)
    positions = np.column_stack([rng.uniform(0, 60, n), rng.uniform(0, 40, n), rng.uniform(0, 2, n)])
    stamps = np.sort(rng.integers(0, 86_400 * 10**9 * max(1, n // 10_000), n))
    return Records(texts, vectors, positions, stamps)


# --- the two memories -----------------------------------------------------------------------------------------------------


class Loci:
    """Loci's long-term memory, filled and then asked through `RobotMemory.recall`."""

    name = "loci"

    def __init__(self, folder: Path, n: int) -> None:
        self.path = folder / "loci"
        self._n = n

    def add(self, records: Records) -> None:
        with Store.open(self.path) as store:
            memory = LongTermMemory(store, MiniLMTextEncoder())
            for first in range(0, len(records), BATCH):
                for i in range(first, min(first + BATCH, len(records))):
                    memory.add(
                        Episode(
                            f"episode/{i + 1}",
                            "episode",
                            records.text(i),
                            stamp_ns=int(records.stamps[i]),
                            session="bench",
                            map_id="bench",
                            place=f"place/{i % 100}",
                            position=tuple(records.positions[i].tolist()),  # type: ignore[arg-type]
                            is_quoted=False,
                        ),
                        records.vectors[i],
                    )
                store.commit()
            self._memory = memory
            self.index_s = _seconds(memory.finish_indexing)
            memory.save_index()

    def open(self) -> None:
        self.memory = RobotMemory.open(self.path, map_id="bench", read_only=True)

    def close(self) -> None:
        self.memory.close()

    def ids(self, query: Query) -> list[int]:
        return [int(e.id.split("/")[1]) - 1 for e in self.memory.recall(query).evidence]

    def tune(self, queries: np.ndarray, nearest: np.ndarray) -> float:
        """Recall@10; there is nothing to tune: the index measures how far it has to look."""
        return _recall([self.ids(_asked(text_embedding=q)) for q in queries], nearest)

    def calls(self, records: Records, queries: np.ndarray, texts: Sequence[str]) -> dict[str, Callable[[int], object]]:
        def where(i: int) -> tuple[float, float, float]:
            x, y, z = records.positions[(7919 * i) % len(records)].tolist()
            return (x, y, z)

        span = int(records.stamps[-1] - records.stamps[0])
        start = int(records.stamps[0])
        radius = 3.0 * (10_000 / len(records)) ** (1 / 3)  # about as many records within it at every size
        ten, one = 60 * (0.1**0.5) / 2, 60 * (0.01**0.5) / 2

        def box(i: int, half: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
            x, y, _ = where(i)
            x, y = min(max(x, half), 60 - half), min(max(y, half * 2 / 3), 40 - half * 2 / 3)
            return ((x - half, y - half * 2 / 3, -1.0), (x + half, y + half * 2 / 3, 3.0))

        recall = self.memory.recall
        return {
            "semantic": lambda i: recall(_asked(text_embedding=queries[i])),
            "spatial": lambda i: recall(_asked(position=where(i), radius=radius)),
            "temporal": lambda i: recall(
                _asked(after_ns=start + span * (i % 50) // 64, before_ns=start + span * (i % 50) // 64 + span // 64)
            ),
            "full text": lambda i: recall(_asked(text_embedding=queries[i], text=texts[i])),
            "combined 10 %": lambda i: recall(_asked(text_embedding=queries[i], box=box(i, ten))),
            "combined 1 %": lambda i: recall(
                _asked(text_embedding=queries[i], box=box(i, one * 2), after_ns=start + span * 3 // 4)
            ),
        }

    def bytes_on_disk(self) -> int:
        return sum(p.stat().st_size for p in self.path.rglob("*") if p.is_file())


class Emem:
    """eMEM 0.3 (emem on PyPI): SQLite, hnswlib and an R-tree."""

    name = "emem"

    def __init__(self, folder: Path, n: int) -> None:
        from emem.config import SpatioTemporalMemoryConfig
        from emem.store import MemoryStore

        folder = folder / "emem"
        folder.mkdir()
        config = SpatioTemporalMemoryConfig(
            db_path=str(folder / "memory.db"), hnsw_path=str(folder / "memory.bin"), hnsw_max_elements=n + 1
        )
        self._make = lambda: MemoryStore(config=config)
        self._folder = folder
        self.index_s = 0.0

    def add(self, records: Records) -> None:
        from emem.types import ObservationNode

        store = self._make()
        store._db.execute("PRAGMA synchronous = FULL")  # its own setting loses the last commits when the power goes
        for first in range(0, len(records), BATCH):
            store.add_observations_batch(
                [
                    ObservationNode(
                        text=records.text(i),
                        coordinates=records.positions[i],
                        timestamp=records.stamps[i] * 1e-9,
                        id=str(i),
                        embedding=records.vectors[i],
                    )
                    for i in range(first, min(first + BATCH, len(records)))
                ]
            )
        store.save()
        store.close()

    def open(self) -> None:
        self.store = self._make()

    def close(self) -> None:
        self.store.close()

    def tune(self, queries: np.ndarray, nearest: np.ndarray) -> float:
        recall = 0.0
        for ef in (50, 100, 200, 400, 800, 1600):
            self.store._hnsw.set_ef(ef)
            found = [[int(o.id) for o in self.store.semantic_search_by_vector(q, n_results=10)] for q in queries]
            recall = _recall(found, nearest)
            if recall >= RECALL:
                break
        return recall

    def calls(self, records: Records, queries: np.ndarray, texts: Sequence[str]) -> dict[str, Callable[[int], object]]:
        span, start = (records.stamps[-1] - records.stamps[0]) * 1e-9, records.stamps[0] * 1e-9
        radius = 3.0 * (10_000 / len(records)) ** (1 / 3)
        store = self.store
        return {
            "semantic": lambda i: store.semantic_search_by_vector(queries[i], n_results=10),
            "spatial": lambda i: store.spatial_query(
                records.positions[(7919 * i) % len(records)], radius, n_results=10
            ),
            "temporal": lambda i: store.temporal_query(
                time_range=(start + span * (i % 50) / 64, start + span * (i % 50 + 1) / 64), n_results=10
            ),
        }

    def bytes_on_disk(self) -> int:
        return sum(p.stat().st_size for p in self._folder.rglob("*") if p.is_file())


def _asked(**fields: Any) -> Query:
    return Query(kinds=("episode",), limit=10, **fields)


def _recall(found: Sequence[Sequence[int]], nearest: np.ndarray) -> float:
    return float(np.mean([len(set(f) & set(n.tolist())) / len(n) for f, n in zip(found, nearest, strict=True)]))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def exact_nearest(records: Records, queries: np.ndarray) -> np.ndarray:
    """The ten nearest records of each query, (Q, 10), by comparing all."""
    return np.stack([np.argpartition(-(records.vectors @ q), 10)[:10] for q in queries])


# --- measuring ------------------------------------------------------------------------------------------------------------


def measure(memory: Loci | Emem, records: Records, queries: np.ndarray, texts: Sequence[str]) -> dict[str, Any]:
    """Everything that is measured of one memory at one size."""
    gc.collect()
    before_mib = resident_mib(os.getpid())
    add_s = _seconds(lambda: memory.add(records))
    open_s = _seconds(memory.open)
    result: dict[str, Any] = {"n": len(records), "adds_per_s": round(len(records) / (add_s - memory.index_s), 1)}
    result |= {"index_s": round(memory.index_s, 2), "open_s": round(open_s, 2)}
    result["recall_at_10"] = round(memory.tune(queries[:100], exact_nearest(records, queries[:100])), 4)
    calls = memory.calls(records, queries, texts)
    for name, call in calls.items():
        for i in range(10):
            call(i)
        took = []
        for i in range(len(queries)):
            began = time.perf_counter()
            call(i)
            took.append((time.perf_counter() - began) * 1e3)
        result[name] = quantiles(took, 50, 99)
    result["resident_mib"] = round(resident_mib(os.getpid()) - before_mib, 1)
    result["mib_on_disk"] = round(memory.bytes_on_disk() / 2**20, 1)
    memory.close()
    return result


def encoding_ms(texts: Sequence[str]) -> dict[str, float]:
    """How long a new question takes to encode: comes on top where a text is asked without its embedding."""
    encoder = MiniLMTextEncoder()
    encoder.encode(["warm up"])
    return quantiles([_seconds(lambda t=t: encoder.encode([t])) * 1e3 for t in texts], 50, 99)


def speed(sizes: Mapping[str, int], with_emem: bool) -> dict[str, Any]:
    """All sizes; eMEM up to 100k records."""
    questions = [f"where is the {c} {t}?" for c, t in itertools.product(COLORS, THINGS)]
    picked = np.random.default_rng(2).permutation(len(questions))[:N_QUERIES]
    texts = [questions[i] for i in picked]
    queries = encode(texts, "questions")
    result: dict[str, Any] = {"loci": {}, "emem": {}, "text_encoding_ms": encoding_ms([f"{t} now" for t in texts[:50]])}
    for label, n in sizes.items():
        records = make_records(n)
        kinds: list[type[Loci] | type[Emem]] = [Loci, *([Emem] if with_emem and n <= 100_000 else [])]
        for kind in kinds:
            folder = Path(tempfile.mkdtemp(prefix="loci-bench-"))
            try:
                result[kind.name][label] = measure(kind(folder, n), records, queries, texts)
            finally:
                shutil.rmtree(folder)
            print(f"{kind.name} at {label}: {result[kind.name][label]}", file=sys.stderr, flush=True)
        if label in result["emem"]:
            ours, theirs = result["loci"][label], result["emem"][label]
            result[f"adds_per_s_vs_emem_{label}"] = round(ours["adds_per_s"] / theirs["adds_per_s"], 2)
            for name in ("semantic", "spatial", "temporal"):
                result[f"{name}_p50_vs_emem_{label}"] = round(ours[name]["p50"] / theirs[name]["p50"], 3)
    return result


def print_tables(result: Mapping[str, Any]) -> None:
    names = ("semantic", "spatial", "temporal", "full text", "combined 10 %", "combined 1 %")
    rows = []
    for memory in ("loci", "emem"):
        for label, r in result.get(memory, {}).items():
            cells = [f"{r[n]['p50']:.2f} / {r[n]['p99']:.2f}" if n in r else "" for n in names]
            rows.append(
                [
                    f"{memory} {label}",
                    r["adds_per_s"],
                    r["recall_at_10"],
                    *cells,
                    r["resident_mib"],
                    r["mib_on_disk"],
                    r["open_s"],
                ]
            )
    headers = [
        "memory",
        "adds/s",
        "recall@10",
        *(f"{n} [ms]" for n in names),
        "resident [MiB]",
        "disk [MiB]",
        "open [s]",
    ]
    print(table(headers, rows))
    for key in sorted(k for k in result if "_vs_emem_" in k):
        print(f"{key} {result[key]}")


def _sizes(text: str) -> dict[str, int]:
    factors = {"k": 1000, "m": 1_000_000}
    return {word: int(float(word[:-1]) * factors[word[-1]]) for word in text.lower().split(",")}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _kept_result() -> dict[str, Any]:
    """What the last run wrote, without the machine; empty: there is none."""
    path = OUT / "episodic.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    kept.pop("machine", None)
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=_sizes, default=_sizes("10k,100k,1m"), help="numbers of records (10k,100k,1m)")
    parser.add_argument("--no-emem", action="store_true", help="Loci alone")
    parser.add_argument(
        "--only", choices=SECTIONS, default=None, help="one section; what the others gave stays in the file"
    )
    a = parser.parse_args()
    if a.only == "recall_questions":
        result = {**_kept_result(), "recall_questions": recall_questions(progress=_say)}
        print_recall_questions(result["recall_questions"])
        print(write_result("episodic", result))
        return
    with_emem = not a.no_emem
    if with_emem:
        try:
            import emem  # noqa: F401
        except ModuleNotFoundError as error:
            print(f"without the comparison: {error} (pip install emem==0.3.0)", file=sys.stderr)
            with_emem = False
    result = speed(a.sizes, with_emem)
    print_tables(result)
    if a.only is None:
        result["recall_questions"] = recall_questions(progress=_say)
        print_recall_questions(result["recall_questions"])
    else:
        result = {**_kept_result(), **result}
    print(write_result("episodic", result))


if __name__ == "__main__":
    main()
