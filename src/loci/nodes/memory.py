"""The process `memory`: one `RobotMemory`, four nodes (`spatial_memory`, `scene_memory`, `episodic_memory`, `memory`).

rclpy has no intra-process transport, so one subscription feeds them all.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from loci.nodes.process import pin_threads, run


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; the memory is saved then."""
    pin_threads()
    from loci.nodes.facade import make_nodes

    return run(make_nodes, args)


if __name__ == "__main__":
    sys.exit(main())
