"""A memory that has seen a room, and a planner beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loci_ros import msg as m
from rig import Rig, overrides, until

from loci.nodes import conversions as c
from loci.nodes.facade import make_nodes
from loci.nodes.planning import PlannerNode
from synthetic import tour

#: What the memory has seen.
TOUR = tour()


@contextmanager
def planner_rig(folder: Path, **planner: Any) -> Iterator[Rig]:
    """Nodes of the memory, which lies in ``folder``, then the planner with these parameters."""
    memory = overrides(storage_directory=str(folder), map_id="room", queue_size=100, preload_text_encoder=False)
    given = overrides(text_encoder=False, **planner)
    rig = Rig(
        lambda context: [
            *make_nodes(context, parameter_overrides=memory),
            PlannerNode(context, parameter_overrides=given),
        ]
    )
    try:
        assert all(rig.bring_up())
        publisher = rig.publisher(m.Observation, "observations")
        for i, o in enumerate(TOUR):
            publisher.publish(c.to_observation(o, "map", sequence=i))
        assert until(lambda: rig.nodes[0].host.newest_stamp_ns == TOUR[-1].frame.stamp_ns, 60.0)
        yield rig
    finally:
        rig.close()
