"""The process `planner`: answers questions from the memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from loci.nodes.process import pin_threads, run


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    pin_threads()
    from loci.nodes.planning import MAX_QUESTIONS, PlannerNode

    # Beside as many questions as may wait for a model: tasks, cancelling, diagnostics and transitions.
    return run(lambda context: [PlannerNode(context)], args, threads=MAX_QUESTIONS + 6)


if __name__ == "__main__":
    sys.exit(main())
