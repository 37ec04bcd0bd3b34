"""The long-term memory beside eMEM, on the same records: adding, searching, size; and Loci alone at a million records.

    make bench NAME=episodic        (or: python bench/episodic.py --only 10k 100k)

Records are sentences about what a robot saw, with MiniLM's embeddings, times and places; questions are other sentences, asked with their
embeddings. Both memories write 100 records per durable commit (SQLite: WAL, synchronous FULL) and are tuned to recall@10 >= 0.98; Loci is
asked through the library and, from 100k records on, through the ROS service too. `pip install emem==0.3.0` for the comparison; without it its
columns are left out. Each part is written to out/bench/episodic.json as soon as it is done, beside what is there. The million records are
kept below out/bench/cache for the next run (--fresh: made anew); an interrupted run goes on where it was. Last come the questions of
`recall_questions.py`, about a simulated day.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

for _name in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_name}_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from common import OUT, quantiles, resident_mib, table, write_result  # noqa: E402
from episodic_memories import KINDS, Emem, Loci, loci_calls, recall_at_10  # noqa: E402
from episodic_records import KEPT, Records, questions  # noqa: E402
from loci.lifeline import end_with_parent  # noqa: E402
from loci.perception.text import MiniLMTextEncoder  # noqa: E402
from recall_questions import print_recall_questions, recall_questions  # noqa: E402

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
#: What `--only` may name: numbers of records, and the questions about a day.
SECTIONS = (*SIZES, "recall_questions")
#: eMEM is measured up to so many, the ROS service from so many records on, and memories of so many are kept.
LARGEST_EMEM, SMALLEST_ROS, SMALLEST_KEPT = 100_000, 100_000, 1_000_000
N_RECALL, N_WARM = 100, 10
#: What is asked, in the order of the tables.
QUESTIONS = ("semantic", "spatial", "temporal", "full_text", "combined_10_percent", "combined_1_percent")
#: Opening a million records takes so long at most on a slow machine [s].
PATIENCE = 900.0


def measure(kind: str, folder: Path, records: Records, nearest: np.ndarray) -> dict[str, Any]:
    """Everything that is measured of one memory at one size but the ROS service."""
    built = KINDS[kind](folder, len(records)).add(records)
    result: dict[str, Any] = {"n": len(records), "adds_per_s": round(built.n / built.add_s, 1)}
    result |= {"index_s": round(built.index_s, 2)}
    gc.collect()
    # In a process of its own: what it holds is the memory's, and opening finds nothing warm but the disk.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=end_with_parent) as process:
        result |= process.submit(ask_library, kind, folder, len(records), nearest).result()
    result["mib_on_disk"] = round(_bytes_of(folder) / 2**20, 1)
    return result


def ask_library(kind: str, folder: Path, n: int, nearest: np.ndarray) -> dict[str, Any]:
    """Open a memory and ask it all kinds of questions; runs in a process of its own."""
    records, (texts, queries) = Records(n), questions()
    memory = KINDS[kind](folder, n)
    before_mib = resident_mib(os.getpid())
    began = time.perf_counter()
    memory.open()
    result: dict[str, Any] = {"open_s": round(time.perf_counter() - began, 2)}
    result |= memory.tune(queries[:N_RECALL], nearest)
    result |= take_times(memory.calls(records, queries, texts), f"{kind}, library")
    result["resident_mib"] = round(resident_mib(os.getpid()) - before_mib, 1)
    memory.close()
    return result


def ask_service(folder: Path, records: Records, nearest: np.ndarray) -> dict[str, Any]:
    """Loci's figures through the service `recall`: round trips of a client in this process, one after the other."""
    from loci.nodes.client import MemoryClient
    from loci.replay import node_processes
    from loci.session import Session

    texts, queries = questions()
    process = node_processes(folder, "memory", "bench")[0]
    with (
        Session([process], folder / "logs", retry="make bench NAME=episodic") as session,
        MemoryClient(timeout=60.0) as client,
    ):

        def ready() -> bool:
            client.wait_until_ready(0.5)
            return True

        began = time.perf_counter()
        session.wait_for(ready, "opening the memory", PATIENCE, "memory")
        result: dict[str, Any] = {"open_s": round(time.perf_counter() - began, 2)}
        result["recall_at_10"] = recall_at_10(client.recall, queries[:N_RECALL], nearest)
        result |= take_times(loci_calls(client.recall, records, queries, texts), "loci, service")
        result["process_resident_mib"] = round(resident_mib(session.pids["memory"]), 1)
        return result


def take_times(calls: Mapping[str, Callable[[int], object]], what: str) -> dict[str, Any]:
    """Quantiles [ms] by kind of question."""
    texts, _ = questions()
    result = {}
    for name, call in calls.items():
        for i in range(N_WARM):
            call(len(texts) - 1 - i)
        took = []
        for i in tqdm(range(len(texts) - N_WARM), f"{what}, {name}", disable=None, leave=False):
            began = time.perf_counter()
            call(i)
            took.append((time.perf_counter() - began) * 1e3)
        result[name] = quantiles(took, 50, 99)
    return result


def encoding_ms() -> dict[str, float]:
    """How long a new question takes to encode: comes on top where a text is asked without its embedding."""
    encoder, (texts, _) = MiniLMTextEncoder(), questions()
    encoder.encode(["warm up"])
    took = []
    for text in texts[:50]:
        began = time.perf_counter()
        encoder.encode([f"{text} now"])
        took.append((time.perf_counter() - began) * 1e3)
    return quantiles(took, 50, 99)


def run_size(label: str, result: dict[str, Any], with_emem: bool, with_ros: bool, fresh: bool) -> None:
    """Measure one size, and write it."""
    n = SIZES[label]
    records, (_, queries) = Records(n), questions()
    nearest = _kept(KEPT / f"episodic-nearest-{n}.npy", lambda: records.nearest(queries[:N_RECALL]))
    kinds: list[type[Loci] | type[Emem]] = [Loci, *([Emem] if with_emem and n <= LARGEST_EMEM else [])]
    for kind in kinds:
        folder = KEPT / f"episodic-{kind.name}-{label}"
        if fresh or n < SMALLEST_KEPT:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            row = measure(kind.name, folder, records, nearest)
            if kind is Loci and with_ros and n >= SMALLEST_ROS:
                row["ros"] = ask_service(folder, records, nearest)
        finally:
            if n < SMALLEST_KEPT:
                shutil.rmtree(folder, ignore_errors=True)
        result.setdefault(kind.name, {})[label] = row
        print(f"{kind.name} at {label}: {row}", file=sys.stderr, flush=True)
    if label in result.get("emem", {}) and with_emem:
        ours, theirs = result["loci"][label], result["emem"][label]
        result[f"adds_per_s_vs_emem_{label}"] = round(ours["adds_per_s"] / theirs["adds_per_s"], 2)
        for name in ("semantic", "spatial", "temporal"):
            result[f"{name}_p50_vs_emem_{label}"] = round(ours[name]["p50"] / theirs[name]["p50"], 3)
    write_result("episodic", result)


def print_tables(result: Mapping[str, Any]) -> None:
    rows = []
    for memory, label in ((m, s) for m in KINDS for s in SIZES if s in result.get(m, {})):
        r = result[memory][label]
        size = [r["adds_per_s"], r["recall_at_10"]], [r["resident_mib"], r["mib_on_disk"], r["open_s"]]
        rows.append([f"{memory} {label}", *size[0], *_cells(r), *size[1]])
        if "ros" in r:
            ros = r["ros"]
            rows.append([f"{memory} {label}, ROS", "", ros["recall_at_10"], *_cells(ros), "", "", ros["open_s"]])
    asked = [f"{name.replace('_percent', ' %').replace('_', ' ')} [ms]" for name in QUESTIONS]
    print(table(["memory", "adds/s", "recall@10", *asked, "resident [MiB]", "disk [MiB]", "open [s]"], rows))
    for key in sorted(k for k in result if "_vs_emem_" in k):
        print(f"{key} {result[key]}")


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [f"{row[name]['p50']:.2f} / {row[name]['p99']:.2f}" if name in row else "" for name in QUESTIONS]


def _kept(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """An array that is made once."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, make())
    return np.asarray(np.load(file))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _bytes_of(folder: Path) -> int:
    """Bytes of a memory's files, without logs."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and "logs" not in p.parts)


def _earlier() -> dict[str, Any]:
    """Parts that were measured before."""
    file = OUT / "episodic.json"
    return {} if not file.is_file() else {k: v for k, v in json.loads(file.read_text()).items() if k != "machine"}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="parts to measure")
    parser.add_argument("--no-emem", action="store_true", help="Loci alone")
    parser.add_argument("--no-ros", action="store_true", help="through the library alone")
    parser.add_argument("--fresh", action="store_true", help="fill the memory of a million records anew")
    a = parser.parse_args(arguments)
    if not a.no_ros:
        from loci.environment import ensure_ros_environment

        ensure_ros_environment()
    with_emem = not a.no_emem
    if with_emem:
        try:
            import emem  # noqa: F401
        except ModuleNotFoundError as error:
            print(f"without the comparison: {error} (pip install emem==0.3.0)", file=sys.stderr)
            with_emem = False
    result = _earlier()
    labels = [label for label in SIZES if label in a.only]
    if labels:
        result["text_encoding_ms"] = encoding_ms()
    for label in labels:
        run_size(label, result, with_emem, not a.no_ros, a.fresh)
    if "recall_questions" in a.only:
        result["recall_questions"] = recall_questions(progress=_say)
    print_tables(result)
    if "recall_questions" in result:
        print_recall_questions(result["recall_questions"])
    print(write_result("episodic", result))


if __name__ == "__main__":
    main()
