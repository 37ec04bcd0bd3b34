"""All objects as evidence: what is kept from call to call is what would be described anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loci.evidence import Memories, describe_object
from loci.memory import RobotMemory
from loci.planning.local import LocalReader
from loci.query import Query
from synthetic import tour


def anew(memory: RobotMemory) -> dict[str, object]:
    memories: Memories = memory._memories
    return {o.id: describe_object(memories, o, 1.0) for o in memory.objects()}


def told(memory: RobotMemory) -> dict[str, object]:
    return {d.object.id: d.evidence for d in memory.described_objects()}


def test_what_is_kept_is_what_would_be_told_anew_after_every_change(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "lab", map_id="lab") as memory:
        for observation in tour(n=12):
            memory.observe(observation)
            assert repr(told(memory)) == repr(anew(memory))
        memory.refresh()
        assert repr(told(memory)) == repr(anew(memory))
        mug = next(o for o in memory.objects() if o.label == "mug")
        assert not told(memory)[mug.id].text.endswith("taken by now")
        memory.remember("I took the mug", "robot", object_id=mug.id, state="held")
        assert told(memory)[mug.id].text.endswith("taken by now")
        shifted = {}
        for keyframe in memory._memories.keyframes.all():
            T = np.array(keyframe.T_map_camera)
            T[0, 3] += 3.0
            shifted[keyframe.id] = T
        memory.correct_poses(shifted)
        assert repr(told(memory)) == repr(anew(memory))
        memory.forget([mug.id])
        assert mug.id not in told(memory)


def test_what_did_not_change_is_not_described_again(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "lab", map_id="lab") as memory:
        for observation in tour(n=8):
            memory.observe(observation)
        memory.refresh()
        before = {d.object.id: d for d in memory.described_objects()}
        assert all(before[d.object.id] is d for d in memory.described_objects())
        reader = LocalReader(memory)
        first = {o.id: o for o in reader.known_objects()}
        mug = next(o for o in first.values() if o.label == "mug")
        memory.remember("I took the mug", "robot", object_id=mug.id, state="held")
        after = {o.id: o for o in reader.known_objects()}
        changed = {i for i in after if after[i] is not first[i]}
        assert mug.id in changed
        assert len(changed) < len(after), "what does not lie on or under the mug stays"


def test_objects_are_the_same_as_recall_tells_them(tmp_path: Path) -> None:
    with RobotMemory.open(tmp_path / "lab", map_id="lab") as memory:
        for observation in tour(n=8):
            memory.observe(observation)
        memory.refresh()
        recalled = memory.recall(Query(kinds=("object",), limit=1000)).evidence
        assert {e.id: repr(e) for e in recalled} == {i: repr(e) for i, e in told(memory).items()}
