"""What the memory is worth to the robot with the offline planner: goals, questions, household and recall, on the test split.

    make bench NAME=tasks            5 homes, whole memory and none: about 90 minutes on two cores
    make bench NAME=tasks FULL=1     20 homes, all four uses of the memory, at least 200 episodes a figure: over night

Simulator labels and masks are the detector. Homes run side by side, each on a ROS domain of its own. Written to out/bench/tasks.json, with
a report for every suite and use of the memory beside it. What was interrupted goes on, as long as src/ and sim/ are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, get_args

from common import OUT, table, write_result
from loci.environment import ensure_ros_environment
from loci.errors import UserError
from loci_sim.evaluation.tasks import MemoryUse

MEMORIES: tuple[MemoryUse, ...] = get_args(MemoryUse)
SUITES = ("goals", "questions", "household", "recall")


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        homes: of the test split.
        memories: uses of the memory.
        rows: in a home, by suite.
        tasks: in a row, by suite.
    """

    homes: int
    memories: tuple[MemoryUse, ...]
    rows: dict[str, int]
    tasks: dict[str, int]


SHORT = Size(5, ("full", "none"), dict.fromkeys(SUITES, 1), {"goals": 8, "questions": 7, "household": 6, "recall": 11})
#: 20 homes: 320 goals, 280 questions, 200 chores of each kind, 440 tasks after a day.
FULL = Size(
    20,
    ("full", "none", "short", "long"),
    {"goals": 2, "questions": 2, "household": 5, "recall": 2},
    {"goals": 8, "questions": 7, "household": 6, "recall": 11},
)
#: Columns of the table, by suite: name of a figure and its heading.
COLUMNS = {
    "goals": {"sr": "SR", "spl": "SPL"},
    "questions": {"accuracy": "accuracy", "spl": "SPL"},
    "household": {
        "sr_simple": "SR simple",
        "sr_composite": "SR composite",
        "sr_complex": "SR complex",
        "mra": "MRA",
        "re": "RE",
        "rt": "RT",
    },
    "recall": {"hl_sr": "HL-SR", "sr": "SR", "spl": "SPL"},
}


def version() -> str:
    """Of the code that is measured: what was run with other code is not taken for a part of this run."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], capture_output=True, check=False).stdout

    code = git("rev-parse", "HEAD:src", "HEAD:sim") + git("diff", "HEAD", "--", "src", "sim")
    return hashlib.sha256(code).hexdigest()[:10] if code else "unversioned"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--full", action="store_true", default=bool(os.environ.get("FULL")), help="over night (or FULL=1)"
    )
    parser.add_argument("--homes", type=int, metavar="N", help="other than 5, or 20")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=SUITES)
    parser.add_argument("--memory", nargs="+", choices=MEMORIES, help="uses of it")
    parser.add_argument(
        "--split", choices=("test", "dev"), default="test", help="dev: to try things out, not for figures"
    )
    parser.add_argument("--workers", type=int, default=2, help="homes side by side (default 2)")
    a = parser.parse_args()
    ensure_ros_environment()
    from loci_sim.evaluation.batch import run_scenes
    from loci_sim.evaluation.run import EvaluationOptions, begin, finish

    size = FULL if a.full else SHORT
    n_homes, memories = a.homes or size.homes, tuple(a.memory or size.memories)
    folder = OUT / "tasks" / f"{version()}-{a.split}-{n_homes}-homes{'-full' if a.full else ''}"
    evaluations = {
        (suite, memory): begin(
            EvaluationOptions(
                suite=suite,
                n_scenes=n_homes,
                memory=memory,
                split=a.split,
                rows=size.rows[suite],
                n_tasks=size.tasks[suite],
                out=folder / f"{suite}-{memory}",
            )
        )
        for suite in a.suites
        for memory in memories
    }
    n_before = sum(len(e.results) for e in evaluations.values())
    print(
        f"{sum(e.n_tasks for e in evaluations.values())} tasks, {n_before} of them done before, in {folder}", flush=True
    )
    began = time.monotonic()
    run_scenes(list(evaluations.values()), a.workers)
    minutes = (time.monotonic() - began) / 60
    for evaluation in evaluations.values():
        print(finish(evaluation), flush=True)
    result, lines = report({key: e.results for key, e in evaluations.items()})
    print(lines)
    result["run"] = {
        "split": a.split,
        "homes": n_homes,
        "rows": {s: size.rows[s] for s in a.suites},
        "tasks": {s: size.tasks[s] for s in a.suites},
        "workers": a.workers,
        "minutes": round(minutes, 1),
        "done_before": n_before,
        "code": version(),
        "reports": str(folder),
    }
    print(write_result("tasks", result))
    return 0


def report(results: dict[tuple[str, str], list[Any]]) -> tuple[dict[str, Any], str]:
    """What is written, and what is told.

    Args:
        results: of tasks by suite and use of the memory.
    """
    from loci_sim.evaluation.causes import CAUSES, counts_of, reasons_of
    from loci_sim.evaluation.figures import by_group, figures_of, missed

    found: dict[str, Any] = {}
    for (suite, memory), done in results.items():
        without = results.get((suite, "none")) if memory != "none" else None
        found.setdefault(suite, {})[memory] = {
            **figures_of(suite, done, without),
            "groups": by_group(suite, done),
            "causes": counts_of(done),
            "reasons": reasons_of(done),
        }
    lines = []
    for suite, by_memory in found.items():
        columns = COLUMNS[suite]
        rows = [[memory, f["n"], *(_cell(f, name) for name in columns)] for memory, f in by_memory.items()]
        lines.append(f"\n{table((suite, 'n', *columns.values()), rows)}")
    failed = []
    for target, value in missed(found):
        of_it = [r for r in results[target.suite, "full"] if not target.kind or r.kind == target.kind]
        name = f"{target.suite}.full.{target.name}"
        failed.append({"figure": name, "least": target.least, "reached": value, "causes": counts_of(of_it)})
    if failed:
        rows = [[m["figure"], m["least"], m["reached"], *m["causes"].values()] for m in failed]
        lines.append("\nmissed, and the causes of the failures\n")
        lines.append(table(("figure", "at least", "reached", *CAUSES), rows))
    lines.append("intervals: 95 %, homes drawn with all their tasks")
    return {**found, "missed": failed}, "\n".join(lines)


def _cell(figures: dict[str, Any], name: str) -> str:
    if name not in figures:
        return "-"
    low, high = figures[f"{name}_ci"]
    return f"{100 * figures[name]:.1f} ({100 * low:.0f} - {100 * high:.0f})"


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except UserError as error:
        print(f"{error}\n{error.details}".rstrip(), file=sys.stderr)
        print(
            "what is done is kept: the same command goes on" if not error.next_command else f"try: {error.next_command}"
        )
        raise SystemExit(1) from None
