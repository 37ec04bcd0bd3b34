"""Short-term records of a `RobotMemory`: given as evidence is used, near is near, and both outlive a restart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from loci.episodic.short_term import ShortTermParameters
from loci.memory import MemoryParameters, RobotMemory
from loci.query import Query
from synthetic import ROOM, tour


class HashEncoder:
    """A unit vector of its own for every text."""

    name = "hash"
    dimension = 16

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = [np.random.default_rng(list(hashlib.sha256(t.encode()).digest())).normal(size=16) for t in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def test_a_record_that_was_given_as_evidence_was_used(tmp_path) -> None:
    parameters = MemoryParameters(short_term=ShortTermParameters(policy="w-tinylfu"))
    options = {"map_id": "room", "parameters": parameters, "text_encoder": HashEncoder()}
    with RobotMemory.open(tmp_path / "home", **options) as memory:
        for observation in tour(n=8):
            memory.observe(observation)
        records = memory.recent(limit=1000)
        assert len(records) > 2
        places = {p.id: p.position for p in memory.topology().places}
        for r in records:
            np.testing.assert_allclose(r.position_in_place, np.array(r.position) - places[r.episode.place])
        first = records[0]
        for _ in range(3):
            found = memory.recall(Query(object_id=first.episode.object_id, kinds=("episode",))).evidence
            assert [(e.id, e.origin) for e in found] == [(first.episode.id, "short_term")]
        near = memory.recent(position=first.position, radius=0.01, limit=1)
        assert [r.episode.id for r in near] == [first.episode.id]
        memory.commit()  # where what was read is told to the policy
    with RobotMemory.open(tmp_path / "home", **options) as memory:
        frequency = {r.episode.id: r.frequency for r in memory.recent(limit=1000)}
        # it came in, was listed, asked for three times, and was near
        assert frequency == {r.episode.id: 6 if r.episode.id == first.episode.id else 2 for r in records}
        with pytest.raises(ValueError, match="expected a radius > 0 m, got 0"):
            memory.recent(position=(0, 0, 0), radius=0)
        with pytest.raises(ValueError, match="position"):
            memory.recent(position=(0, np.nan, 0))


def test_a_record_shows_what_it_is_about_as_it_was_then(tmp_path) -> None:
    with RobotMemory.open(tmp_path / "home", map_id="room", text_encoder=HashEncoder()) as memory:
        for observation in tour():
            memory.observe(observation)
        memory.remember("nobody saw that", "Ada", position=(1, 1, 1))
        assert all(r.image is None for r in memory.recent(limit=1000))
        records = memory.recent(limit=1000, with_images=True)
        colors = {box.label: np.array(box.color) for box in ROOM.boxes}
        shown = {r.episode.labels[0]: r.image for r in records if r.episode.object_id}
        assert shown.keys() == colors.keys()
        for label, jpeg in shown.items():
            assert jpeg is not None, label
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
            is_it = np.abs(picture - colors[label]).max(axis=-1) < 40
            assert is_it.mean() > 0.1, label
            assert picture.shape[0] < 120, "a part of the image"
        faded = records[0].episode.keyframe_id
        memory._keyframes.fade(faded)
        again = {r.episode.id: r.image for r in memory.recent(limit=1000, with_images=True)}
        assert again[records[0].episode.id] is None
