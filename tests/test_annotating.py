"""The octree says which object fills a voxel: after observing, forgetting, correcting poses, and opening again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loci.geometry import Array
from loci.memory import RobotMemory
from loci.perception.text import MiniLMTextEncoder
from loci.query import Query
from loci.spatial.cubes import Cubes
from synthetic import ROOM, tour

TRUTH = {box.label: box for box in ROOM.boxes}


@pytest.fixture
def toured(tmp_path: Path) -> Iterator[RobotMemory]:
    with RobotMemory.open(tmp_path / "home", map_id="room", text_encoder=MiniLMTextEncoder()) as memory:
        for observation in tour():
            memory.observe(observation)
        yield memory


def id_of(memory: RobotMemory, label: str) -> str:
    return next(o.id for o in memory.objects() if o.label == label)


def cubes_at(memory: RobotMemory, label: str, shift: Array | None = None) -> Cubes:
    """The occupied voxels in the middle of a thing's box."""
    box, by = TRUTH[label], np.zeros(3) if shift is None else shift
    low, high = np.asarray(box.lower) + by, np.asarray(box.upper) + by
    return memory.query_box(low + (0, 0, 0.3 * (high - low)[2]), high, free=False)


def share(cubes: Cubes, label: str, object_id: str) -> float:
    """Of the cubes, those that are said to be this object's."""
    pairs = list(zip(cubes.labels, cubes.object_ids, strict=True))
    return pairs.count((label, object_id)) / max(len(pairs), 1)


@pytest.mark.parametrize("label", ["mug", "sofa", "plant"])
def test_a_box_around_a_thing_says_what_it_is_and_which(toured: RobotMemory, label: str) -> None:
    assert share(cubes_at(toured, label), label, id_of(toured, label)) > 0.6


def test_walls_and_free_space_are_nothing(toured: RobotMemory) -> None:
    free = toured.query_box((1.0, 0.5, 1.2), (1.5, 1.0, 1.6), occupied=False)
    assert len(free.labels)
    assert not any(free.labels)
    wall = toured.query_box((-0.1, 0.2, 1.5), (0.1, 3.0, 2.0), free=False)
    assert len(wall.labels)
    assert not any(wall.object_ids)


def test_what_has_not_changed_is_not_told_again(toured: RobotMemory) -> None:
    toured.annotate_voxels()
    assert toured.annotate_voxels() == 0
    last = tour()[-1]
    toured.observe(replace(last, frame=replace(last.frame, stamp_ns=last.frame.stamp_ns + 10**9)))
    assert toured.annotate_voxels() >= 0
    assert toured.annotate_voxels() == 0


def test_a_forgotten_thing_leaves_no_name_in_its_voxels(toured: RobotMemory) -> None:
    mug, sofa = id_of(toured, "mug"), id_of(toured, "sofa")
    assert share(cubes_at(toured, "mug"), "mug", mug) > 0.6
    toured.forget([mug])
    after = cubes_at(toured, "mug")
    assert mug not in after.object_ids
    assert "mug" not in after.labels
    assert share(cubes_at(toured, "sofa"), "sofa", sofa) > 0.6


def test_the_names_follow_corrected_poses(toured: RobotMemory) -> None:
    shift = np.array((0.6, 0.4, 0.0))
    move = np.eye(4)
    move[:3, 3] = shift
    keyframes = toured.recall(Query(kinds=("keyframe",), limit=1000)).evidence
    toured.correct_poses({e.keyframe_id: move @ e.T_map_camera for e in keyframes})
    assert toured.finish_rebuilding(60.0)
    for label in ("sofa", "plant"):
        assert share(cubes_at(toured, label, shift), label, id_of(toured, label)) > 0.6
    plant = id_of(toured, "plant")
    assert plant not in toured.query_box((0.3, 3.4, 0.2), (0.6, 3.7, 1.0)).object_ids


def test_opened_again_the_names_are_there(toured: RobotMemory) -> None:
    expected = {label: cubes_at(toured, label) for label in ("mug", "sofa")}
    path, encoder = toured.path, toured._text_encoder
    toured.close()
    for read_only in (True, False):
        with RobotMemory.open(path, map_id="room", text_encoder=encoder, read_only=read_only) as again:
            for label, cubes in expected.items():
                found = cubes_at(again, label)
                assert share(found, label, id_of(again, label)) > 0.6
                assert found.object_ids == cubes.object_ids
