"""The scene graph as text: what a short one leaves out is what matters least to the question, is farthest and oldest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loci.memory import RobotMemory
from loci.scene_graph import scene_graph_text, worth_of_objects
from synthetic import ROOM, tour

TRUTH = {b.label: b.center for b in ROOM.boxes}


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RobotMemory]:
    path: Path = tmp_path_factory.mktemp("memories") / "room"
    with RobotMemory.open(path, map_id="room") as m:
        for observation in tour():
            m.observe(observation)
        yield m


def labels_in(text: str) -> list[str]:
    """Of the lines of objects, in their order."""
    return [line.split(" (object/")[0].split()[-1] for line in text.splitlines() if line.startswith("  ")]


def room_for(memory: RobotMemory, n: int) -> int:
    """Characters that the room and ``n`` objects take at most."""
    lines = memory.scene_graph()[0].splitlines()
    return len(lines[0]) + 1 + n * (max(map(len, lines)) + 1)


@given(max_characters=st.integers(1, 600), question=st.sampled_from([None, "where is the mug?"]))
def test_a_text_within_any_limit_is_made_of_lines_of_the_whole_one_below_their_room(
    memory: RobotMemory, max_characters: int, question: str | None
) -> None:
    whole, cut = memory.scene_graph(question=question)
    assert not cut
    text, cut = memory.scene_graph(max_characters=max_characters, question=question)
    assert len(text) <= max_characters
    assert cut == (len(text) < len(whole))
    lines = text.splitlines()
    assert lines == whole.splitlines()[: len(lines)]
    assert not lines or lines[0].endswith(":")


def test_the_nearest_come_first(memory: RobotMemory) -> None:
    for label in ("plant", "sofa"):
        text, cut = memory.scene_graph(max_characters=room_for(memory, 2), position=TRUTH[label])
        assert cut
        near = sorted(TRUTH, key=lambda other: float(np.linalg.norm(TRUTH[other] - TRUTH[label])))
        assert labels_in(text) == near[:2]


def test_what_is_asked_for_comes_first_wherever_it_is(memory: RobotMemory) -> None:
    for question, label in (
        ("is the sofa free?", "sofa"),
        ("who waters the plant", "plant"),
        ("something to read", "book"),
    ):
        text, _ = memory.scene_graph(max_characters=room_for(memory, 1), question=question, position=TRUTH["chair"])
        assert labels_in(text) == [label]


def test_of_equally_near_ones_the_newest_come_first(memory: RobotMemory) -> None:
    objects = memory.objects()
    newest = sorted(objects, key=lambda o: -o.last_seen_ns)
    text, cut = scene_graph_text(memory.topology(), objects, {}, {}, 80)
    assert cut
    assert f"({newest[0].id})" in text
    assert text.startswith("elsewhere:")
    # Somewhere in a map that is not joined to this one is far away.
    worth = worth_of_objects(objects, None, objects[0].center, "another map")
    assert [objects[i].last_seen_ns for i in np.argsort(-worth)] == [o.last_seen_ns for o in newest]


@pytest.mark.parametrize("wrong", [{"question": " "}, {"position": (np.nan, 0, 0)}, {"max_characters": 0}])
def test_wrong_requests_are_refused(memory: RobotMemory, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        memory.scene_graph(**wrong)  # type: ignore[arg-type]
