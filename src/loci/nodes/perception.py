"""The process `perception`: one camera's images become observations."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from loci.nodes.process import pin_threads, run


def main(args: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    pin_threads()
    from loci.nodes.camera import PerceptionNode

    return run(lambda context: [PerceptionNode(context)], args, threads=4)


if __name__ == "__main__":
    sys.exit(main())
