"""What all benchmarks share: the machine they ran on, tables, quantiles, memory of processes, and where results go."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

#: Results go here, one JSON file per benchmark.
OUT = Path("out/bench")


def machine() -> dict[str, Any]:
    """CPU, cores, memory, interpreter and commit: figures mean nothing without them."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = (
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        )
        model = next(names, "")
    meminfo = Path("/proc/meminfo")
    total_kb = int(meminfo.read_text().split()[1]) if meminfo.is_file() else 0
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cpu": model or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(total_kb / 2**20, 1),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "commit": git.stdout.strip(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def quantiles(values: Sequence[float], *shares: float) -> dict[str, float]:
    """Quantiles by name, e.g. ``{"p50": ..., "p99": ...}``, with how many values there were."""
    if not len(values):
        return {"n": 0}
    found = np.percentile(np.asarray(values, dtype=np.float64), shares)
    return {**{f"p{share:g}": round(float(v), 3) for share, v in zip(shares, found, strict=True)}, "n": len(values)}


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Aligned text: the first column to the left, the others to the right."""
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(len(h), *(len(row[i]) for row in cells)) if cells else len(h) for i, h in enumerate(headers)]

    def line(values: Sequence[str]) -> str:
        return "  ".join(
            v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(values, widths, strict=True))
        )

    return "\n".join([line(headers), line(["-" * w for w in widths]), *(line(row) for row in cells)])


def _text(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def write_result(name: str, result: Mapping[str, Any]) -> Path:
    """Write ``out/bench/NAME.json``, with the machine; returns its path."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **result}, indent=2) + "\n")
    return path


def resident_mib(pid: int) -> float:
    """Resident memory of a process [MiB]; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class MemoryCurve:
    """Resident memory of processes over time, sampled by a thread while the block runs.

    Args:
        pids: process by name.
        period: between samples [s].
    """

    def __init__(self, pids: Mapping[str, int], period: float = 1.0) -> None:
        self._pids, self._period = dict(pids), period
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-curve")
        self.seconds: list[float] = []
        self.mib: dict[str, list[float]] = {name: [] for name in pids}

    def __enter__(self) -> MemoryCurve:
        self._start = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while True:
            self._sample()
            if self._stop.wait(self._period):
                return

    def _sample(self) -> None:
        self.seconds.append(round(time.monotonic() - self._start, 2))
        for name, pid in self._pids.items():
            self.mib[name].append(round(resident_mib(pid), 1))

    def as_dict(self) -> dict[str, Any]:
        """Samples, for the result file."""
        return {"seconds": self.seconds, "mib": self.mib}
