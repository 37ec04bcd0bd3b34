"""Parameters of the node `memory` that choose how the episodic memory works, as they come out over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("loci_ros", reason="loci_ros cannot be imported: run `make setup`, or source ROS 2 and build it")


from loci_ros import msg as m
from loci_ros import srv
from rig import Rig, overrides, until

from loci.nodes import conversions as c
from loci.nodes.facade import make_nodes
from synthetic import tour

pytestmark = pytest.mark.ros

TOUR = tour(n=8)


def rig_of(directory: Path, **values: Any) -> Rig:
    parameters = {
        "storage_directory": str(directory),
        "map_id": "room",
        "queue_size": 100,
        "preload_text_encoder": False,
        **values,
    }
    return Rig(lambda context: make_nodes(context, parameter_overrides=overrides(**parameters)))


def test_the_short_term_is_as_large_as_the_parameters_say_and_tokens_are_kept(ros_domain: int, tmp_path: Path) -> None:
    rig = rig_of(
        tmp_path,
        short_term_policy="w-tinylfu",
        short_term_capacity=2,
        short_term_bytes=4096,
        tokens=True,
        token_residuals="int8",
        token_level=3,
    )
    try:
        assert rig.bring_up() == [True] * 4
        publisher = rig.publisher(m.Observation, "observations")
        for i, observation in enumerate(TOUR):
            publisher.publish(c.to_observation(observation, "map", sequence=i))
        assert until(lambda: rig.nodes[0].host.newest_stamp_ns >= TOUR[-1].frame.stamp_ns, 60.0)
        answer = rig.call(srv.Statistics, "statistics")
        values = {v.key: v.value for v in answer.values}
        assert int(values["short_term_episodes"]) == 2
        assert 0 < int(values["short_term_bytes"]) <= 4096
        assert int(values["token_experiences"]) == int(values["keyframes"]) > 0
        assert int(values["tokens"]) >= 2
        found = rig.call(srv.Recall, "recall", {"query": m.Query(kinds=["episode"], limit=1000)})
        assert sum(e.origin == "short_term" for e in found.evidence) == 2
        assert sum(e.origin == "long_term" for e in found.evidence) > 0
    finally:
        rig.close()


def test_a_codec_that_is_none_keeps_the_node_from_coming_up_and_kills_nothing(ros_domain: int, tmp_path: Path) -> None:
    rig = rig_of(tmp_path, tokens=True, token_codec=str(tmp_path / "nothing.safetensors"))
    try:
        assert rig.bring_up()[0] is False
    finally:
        rig.close()
