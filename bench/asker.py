"""Asks a memory one kind of question after the other, from a process of its own, and takes the time of each round trip."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import numpy as np

QUERIES = (
    "by embedding",
    "by label",
    "by position",
    "by text (new)",
    "by text (seen)",
    "find_objects",
    "get_frontiers",
)
#: Pause between two questions [s].
PAUSE = 0.02


def ask(asking: Event, stop: Event, answers: Queue[dict[str, list[float]]]) -> None:
    """Ask until told to stop; puts {kind: round trips [ms]} into ``answers``.

    Args:
        asking: set when everything is loaded and the first measured question goes out.
        stop: ends it.
        answers: takes the result.
    """
    from loci.lifeline import end_with_parent
    from loci.nodes.client import MemoryClient
    from loci.perception.text import MiniLMTextEncoder
    from loci.query import Query

    end_with_parent()
    rng = np.random.default_rng(0)
    words = ("mug", "chair", "red sofa", "book on a shelf", "lamp", "plant", "where to sleep", "something to sit on")
    took: dict[str, list[float]] = {kind: [] for kind in QUERIES}
    with MemoryClient(timeout=60.0) as client:
        embeddings = MiniLMTextEncoder().encode(words)
        labels = [e.label for e in client.recall(Query(kinds=("object",), limit=50)).evidence if e.label] or ["chair"]

        def calls(i: int) -> dict[str, Callable[[], object]]:
            return {
                "by embedding": lambda: client.recall(Query(text_embedding=embeddings[i % len(words)], limit=10)),
                "by label": lambda: client.recall(Query(labels=(labels[i % len(labels)],), limit=10)),
                "by position": lambda: client.recall(Query(position=tuple(rng.uniform(0, 5, 3)), radius=2.0, limit=10)),
                "by text (new)": lambda: client.recall(Query(text=f"{words[i % len(words)]} number {i}", limit=10)),
                "by text (seen)": lambda: client.recall(Query(text=words[0], limit=10)),
                "find_objects": lambda: client.find_objects(labels=(labels[i % len(labels)],), limit=10),
                "get_frontiers": lambda: client.known_frontiers(),
            }

        for call in calls(0).values():  # finds the services, loads the text model
            call()
        asking.set()
        for i in itertools.count(1):
            if stop.is_set():
                break
            kind = QUERIES[i % len(QUERIES)]
            call = calls(i)[kind]
            began = time.perf_counter()
            call()
            took[kind].append((time.perf_counter() - began) * 1e3)
            time.sleep(PAUSE)
    answers.put(took)
