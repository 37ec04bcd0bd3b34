"""Retrieval and relations of a whole memory: rooms, times, pictures and captions are joined for them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from loci.memory import RobotMemory
from loci.pictures import PLANNER_HEIGHT
from loci.query import Query
from synthetic import ROOM, tour


class LabelEncoder:
    """A text encoder of words: each has a direction of its own."""

    name, dimension = "words", 64

    def encode(self, texts):
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().replace("?", "").split():
                row[sum(map(ord, word)) % self.dimension] += 1.0
            row[0] += 1e-3
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    with RobotMemory.open(tmp_path_factory.mktemp("memory") / "m", map_id="room", text_encoder=LabelEncoder()) as m:
        for observation in tour():
            m.observe(observation)
        yield m


def test_the_mug_is_on_the_table_and_next_to_the_book(memory):
    of = {o.label: o.id for o in memory.objects()}
    on = memory.relations(of["mug"], ["on"])
    assert [r.objects for r in on] == [(of["table"],)]
    assert (of["book"],) in [r.objects for r in memory.relations(of["mug"], ["next_to"])]
    assert memory.carriers((of["mug"],)) == {of["mug"]: (of["table"], False)}
    several = memory.relations([of["mug"], of["book"]], ["on"])
    assert [r.subject for r in several] == [of["mug"], of["book"]]
    with pytest.raises(LookupError, match="object/999"):
        memory.relations("object/999")


def test_left_and_right_are_told_from_a_viewpoint(memory):
    of = {o.label: o.id for o in memory.objects()}
    mug, book = (next(b for b in ROOM.boxes if b.label == label) for label in ("mug", "book"))
    assert mug.center[0] < book.center[0]
    front = (*(mug.center[:1] + book.center[:1]) / 2, -1.0, 1.3)  # looks along +y: x grows to the right
    assert (of["book"],) in [r.objects for r in memory.relations(of["mug"], ["left_of"], viewpoint=front)]


def test_objects_that_are_asked_for_are_shown_by_few_images(memory):
    ids = [o.id for o in memory.objects()]
    found = memory.retrieve(object_ids=ids, limit=100)
    shown = {i for s, _ in found.snapshots for i in s.object_ids}
    assert len(found.snapshots) <= len(memory.snapshots())
    assert len(shown) <= len(ids)
    one = memory.retrieve(object_ids=ids[:1])
    assert len(one.snapshots) == 1
    with pytest.raises(LookupError, match="object/999"):
        memory.retrieve(object_ids=["object/999"])


def decoded(jpeg: bytes) -> np.ndarray:
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def test_a_picture_finds_the_snapshot_that_looks_like_it(memory):
    for snapshot in memory.snapshots():
        found = memory.retrieve(image=decoded(memory.image(snapshot.keyframe_id)), limit=1)
        assert found.snapshots[0][0].id == snapshot.id
        assert found.snapshots[0][1] > 0.99
        assert "looks like the image" in found.reasons[0]


def test_the_picture_of_a_thing_finds_a_snapshot_that_shows_it(memory):
    sofa = next(o for o in memory.objects() if o.label == "sofa")
    x0, y0, x1, y1 = sofa.image_box
    found = memory.retrieve(image=decoded(memory.image(sofa.keyframe_id))[y0:y1, x0:x1].copy(), limit=1)
    assert found.snapshots[0][0].id == memory.snapshot_of(sofa.id)
    assert f"({sofa.id}), which looks like the image" in found.reasons[0]


def test_regions_and_times_hold(memory):
    mug = next(o for o in memory.objects() if o.label == "mug")
    low, high = np.subtract(mug.center, 0.1), np.add(mug.center, 0.1)
    found = memory.retrieve(box=(tuple(low), tuple(high)))
    assert len(found.snapshots) == 1 and mug.id in found.reasons[0] and "in the box" in found.reasons[0]
    stamps = {s.id: memory.keyframe(s.keyframe_id).stamp_ns for s in memory.snapshots()}
    middle = sorted(stamps.values())[len(stamps) // 2]
    late = memory.retrieve(after_ns=middle, limit=100)
    assert {s.id for s, _ in late.snapshots} == {i for i, t in stamps.items() if t >= middle}
    assert len(memory.retrieve(after_ns=10**18, limit=100).snapshots) == len(stamps)
    with pytest.raises(LookupError, match="cellar"):
        memory.retrieve(room="cellar")


def test_what_was_remembered_of_a_thing_leads_to_its_picture(memory):
    plant = next(o for o in memory.objects() if o.label == "plant")
    memory.remember("gift from grandmother", source="anna", object_id=plant.id)
    found = memory.retrieve("what is the gift from grandmother", limit=1)
    assert "remembered of it" in found.reasons[0]
    assert plant.id in found.reasons[0]


@pytest.mark.parametrize(
    "request_",
    [{}, {"question": "  "}, {"box": ((1, 1, 1), (0, 0, 0))}, {"after_ns": 5, "before_ns": 5}, {"question": "mug", "limit": 0}, {"image": np.zeros((0, 0, 3), np.uint8)}],
)  # fmt: skip
def test_bad_requests_are_refused(memory, request_):
    with pytest.raises(ValueError, match="expected"):
        memory.retrieve(**request_)


def test_planners_get_small_images_and_those_who_ask_the_original(memory):
    keyframe_id = memory.snapshots()[0].keyframe_id
    original = memory.image(keyframe_id)
    assert memory.image(keyframe_id, PLANNER_HEIGHT) == original  # 120 px are no higher
    small = cv2.imdecode(np.frombuffer(memory.image(keyframe_id, 60), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (60, 80, 3)
    assert memory.image(keyframe_id, 60) == memory.image(keyframe_id, 60)
    with pytest.raises(ValueError, match="16 px"):
        memory.image(keyframe_id, 1)


def test_what_was_forgotten_is_in_no_cache_and_frontiers_get_another_photo(tmp_path):
    with RobotMemory.open(tmp_path / "m", map_id="room", text_encoder=LabelEncoder()) as m:
        for observation in tour(n=12):
            m.observe(observation)
        m.refresh()
        k = m.snapshots()[0].keyframe_id
        m.image(k, 60)
        photos = {f.keyframe_id for f, _ in m.frontiers()} - {""}
        gone = [k, *list(photos)[:1]]
        m.forget(dict.fromkeys(gone))
        with pytest.raises(KeyError):
            m.image(k, 60)
        assert not {f.keyframe_id for f, _ in m.frontiers()} & set(gone)


class LooksEncoder:
    """An image-text encoder whose texts and images are what they are told to be: index 0 is "drinkable", 1 is not."""

    name, dimension, match_range = "looks", 2, (0.0, 1.0)

    def encode(self, color):
        return np.array([0.0, 1.0], dtype=np.float32)

    def encode_text(self, texts):
        return np.array([[1.0, 0.0] if "drink" in t else [0.0, 1.0] for t in texts], dtype=np.float32)


def test_something_to_drink_from_is_found_by_its_looks(tmp_path):
    """The label encoder knows nothing of mugs and drinking: the detector's embeddings do."""
    with RobotMemory.open(
        tmp_path / "m", map_id="room", text_encoder=LabelEncoder(), image_encoder=LooksEncoder()
    ) as m:
        for observation in tour(n=12):
            told = tuple(
                replace(d, embedding=np.array([1.0, 0.1] if d.label == "mug" else [0.0, 1.0], dtype=np.float32))
                for d in observation.detections
            )
            m.observe(replace(observation, detections=told))
        (best, score), (_, other) = m.find_objects("something to drink from", limit=2)
        assert best.label == "mug"
        assert score > 0.8 and other < 0.5
        assert m.recall(Query(text="something to drink from", kinds=("object",), limit=1)).evidence[0].label == "mug"
        assert m.find_objects("sofa", limit=1)[0][0].label == "sofa"
