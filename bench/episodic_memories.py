"""Loci's long-term memory and eMEM behind one interface: filled, opened, tuned and asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from episodic_records import Records, Vectors
from loci.episodic.long_term import LongTermMemory
from loci.episodic.records import Episode
from loci.memory import RobotMemory
from loci.perception.text import MiniLMTextEncoder
from loci.query import Query
from loci.store import Store

#: Records of a durable commit.
BATCH = 100
RECALL = 0.98
Recall = Callable[[Query], object]


@dataclass(frozen=True)
class Built:
    """How a memory was filled: how many records, in which time [s] (commits included), and the time [s] until its index was complete."""

    n: int
    add_s: float
    index_s: float


class Loci:
    """Loci's long-term memory, filled and then asked through `RobotMemory.recall`."""

    name = "loci"

    def __init__(self, folder: Path, n: int) -> None:
        self.path = folder / "memory"
        self._log = folder / "built.json"

    def add(self, records: Records) -> Built:
        """Fill it, or what is missing of it: each record as `RobotMemory.remember` writes it, a hundred of them per commit."""
        self.path.mkdir(parents=True, exist_ok=True)
        built = Built(**json.loads(self._log.read_text())) if self._log.is_file() else Built(0, 0.0, 0.0)
        with Store.open(self.path) as store:
            memory = LongTermMemory(store, MiniLMTextEncoder())
            n, add_s = len(memory), built.add_s
            for first in tqdm(range(n, len(records), BATCH), f"loci, {len(records)} records", disable=None):
                end = min(first + BATCH, len(records))
                rows = [(_episode(records, i), records.vector(i)) for i in range(first, end)]
                began = time.perf_counter()
                for episode, vector in rows:
                    memory.add(episode, vector)
                store.commit()
                add_s += time.perf_counter() - began
                if end % 10_000 == 0:
                    self._write(Built(end, add_s, built.index_s))
            index_s = _seconds(memory.finish_indexing)
            memory.save_index()
        if n < len(records):
            built = Built(len(records), add_s, index_s)
            self._write(built)
        return built

    def _write(self, built: Built) -> None:
        self._log.write_text(json.dumps(vars(built)))

    def open(self) -> None:
        self.memory = RobotMemory.open(self.path, map_id="bench", read_only=True)

    def close(self) -> None:
        self.memory.close()

    def tune(self, queries: Vectors, nearest: np.ndarray) -> dict[str, float]:
        """Recall@10; there is nothing to tune: the index measures how far it has to look."""
        return {"recall_at_10": recall_at_10(self.memory.recall, queries, nearest)}

    def calls(self, records: Records, queries: Vectors, texts: Sequence[str]) -> dict[str, Callable[[int], object]]:
        return loci_calls(self.memory.recall, records, queries, texts)


class Emem:
    """eMEM 0.3 (emem on PyPI): SQLite, hnswlib and an R-tree."""

    name = "emem"

    def __init__(self, folder: Path, n: int) -> None:
        from emem.config import SpatioTemporalMemoryConfig
        from emem.store import MemoryStore

        folder.mkdir(parents=True, exist_ok=True)
        config = SpatioTemporalMemoryConfig(
            db_path=str(folder / "memory.db"), hnsw_path=str(folder / "memory.bin"), hnsw_max_elements=n + 1
        )
        self._make = lambda: MemoryStore(config=config)

    def add(self, records: Records) -> Built:
        """Fill it, a hundred records per commit; they are in its index at once."""
        from emem.types import ObservationNode

        store, add_s = self._make(), 0.0
        store._db.execute("PRAGMA synchronous = FULL")  # its own setting loses the last commits when the power goes
        for first in tqdm(range(0, len(records), BATCH), f"emem, {len(records)} records", disable=None):
            rows = range(first, min(first + BATCH, len(records)))
            nodes = [
                ObservationNode(
                    text=records.text(i),
                    coordinates=records.positions[i],
                    timestamp=records.stamps[i] * 1e-9,
                    id=str(i),
                    embedding=records.vector(i),
                )
                for i in rows
            ]
            add_s += _seconds(lambda nodes=nodes: store.add_observations_batch(nodes))
        store.close()
        return Built(len(records), add_s, 0.0)

    def open(self) -> None:
        self.store = self._make()

    def close(self) -> None:
        self.store.close()

    def tune(self, queries: Vectors, nearest: np.ndarray) -> dict[str, float]:
        """The smallest of some values of hnswlib's ef with the recall that is wanted."""
        recall, ef = 0.0, 0
        for ef in (50, 75, 100, 150, 200, 400, 800, 1600):
            self.store._hnsw.set_ef(ef)
            found = [[int(o.id) for o in self.store.semantic_search_by_vector(q, n_results=10)] for q in queries]
            recall = _recall(found, nearest)
            if recall >= RECALL:
                break
        return {"recall_at_10": round(recall, 4), "ef": ef}

    def calls(self, records: Records, queries: Vectors, texts: Sequence[str]) -> dict[str, Callable[[int], object]]:
        span, start = (records.stamps[-1] - records.stamps[0]) * 1e-9, records.stamps[0] * 1e-9
        store = self.store
        return {
            "semantic": lambda i: store.semantic_search_by_vector(queries[i], n_results=10),
            "spatial": lambda i: store.spatial_query(
                records.positions[_row(i, records)], _radius(records), n_results=10
            ),
            "temporal": lambda i: store.temporal_query(
                time_range=(start + span * (i % 50) / 64, start + span * (i % 50 + 1) / 64), n_results=10
            ),
        }


KINDS: Mapping[str, type[Loci] | type[Emem]] = {"loci": Loci, "emem": Emem}


def loci_calls(
    recall: Recall, records: Records, queries: Vectors, texts: Sequence[str]
) -> dict[str, Callable[[int], object]]:
    """The measured questions by kind, through the library's `recall` or the service's: call them with 0, 1, ..."""

    def where(i: int) -> tuple[float, float, float]:
        x, y, z = records.positions[_row(i, records)].tolist()
        return (x, y, z)

    span, start = int(records.stamps[-1] - records.stamps[0]), int(records.stamps[0])
    ten, one = 60 * (0.1**0.5) / 2, 60 * (0.01**0.5) / 2

    def box(i: int, half: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        x, y, _ = where(i)
        x, y = min(max(x, half), 60 - half), min(max(y, half * 2 / 3), 40 - half * 2 / 3)
        return ((x - half, y - half * 2 / 3, -1.0), (x + half, y + half * 2 / 3, 3.0))

    def during(i: int) -> dict[str, int]:
        return {"after_ns": start + span * (i % 50) // 64, "before_ns": start + span * (i % 50 + 1) // 64}

    return {
        "semantic": lambda i: recall(asked(text_embedding=queries[i])),
        "spatial": lambda i: recall(asked(position=where(i), radius=_radius(records))),
        "temporal": lambda i: recall(asked(**during(i))),
        "full_text": lambda i: recall(asked(text_embedding=queries[i], text=texts[i])),
        "combined_10_percent": lambda i: recall(asked(text_embedding=queries[i], box=box(i, ten))),
        "combined_1_percent": lambda i: recall(
            asked(text_embedding=queries[i], box=box(i, one * 2), after_ns=start + span * 3 // 4)
        ),
    }


def asked(**fields: Any) -> Query:
    """A question for ten episodes."""
    return Query(kinds=("episode",), limit=10, **fields)


def recall_at_10(recall: Callable[[Query], Any], queries: Vectors, nearest: np.ndarray) -> float:
    """Share of the ten nearest that `recall` finds."""
    found = [[int(e.id.split("/")[1]) - 1 for e in recall(asked(text_embedding=q)).evidence] for q in queries]
    return round(_recall(found, nearest), 4)


def _episode(records: Records, i: int) -> Episode:
    x, y, z = records.positions[i].tolist()
    return Episode(
        f"episode/{i + 1}",
        "episode",
        records.text(i),
        stamp_ns=int(records.stamps[i]),
        session="bench",
        map_id="bench",
        place=f"place/{i % 100}",
        position=(x, y, z),
        is_quoted=False,
    )


def _row(i: int, records: Records) -> int:
    return (7919 * i) % len(records)


def _radius(records: Records) -> float:
    """About as many records are within it at every size [m]."""
    return float(3.0 * (10_000 / len(records)) ** (1 / 3))


def _recall(found: Sequence[Sequence[int]], nearest: np.ndarray) -> float:
    return float(np.mean([len(set(f) & set(n.tolist())) / len(n) for f, n in zip(found, nearest, strict=True)]))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
