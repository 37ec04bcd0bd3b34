"""Exploration and answers with the real parts: the embedded simulator, a `RobotMemory` of what its camera saw, the offline planner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("open3d", reason="the embedded simulator needs open3d")

from loci.memory import RobotMemory
from loci.perception.text import MiniLMTextEncoder
from loci.planning.exploration import ExplorationProgress, explore
from loci.planning.local import LocalReader
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import Answer, MemoryReader, Robot
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.scenes import Scene, generate_apartment
from remembering_robot import RememberingRobot

#: Kinds of rooms that go by two names.
SAME_ROOM = {"study": "office"}


@dataclass
class Explored:
    scene: Scene
    simulator: EmbeddedSimulator
    memory: RobotMemory
    reader: LocalReader
    way: list[ExplorationProgress] = field(default_factory=list)

    def ask(self, question: str) -> Answer:
        return OfflinePlanner(MiniLMTextEncoder()).ask(question, self.reader)

    def room_kind(self, room_id: str) -> str:
        name = next(r.name for r in self.scene.rooms if r.id == room_id)
        return SAME_ROOM.get(name, name)


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    folder: Path = tmp_path_factory.mktemp("explored")
    simulator = EmbeddedSimulator(generate_apartment(0, folder), RobotParameters(width=240, height=180))
    with RobotMemory.open(folder / "memory", map_id=simulator.map_id) as memory:
        robot: Robot = RememberingRobot(simulator, memory)
        reader = LocalReader(memory)
        as_reader: MemoryReader = reader
        result = Explored(simulator.scene, simulator, memory, reader)
        result.way.extend(explore(as_reader, robot))
        yield result
    simulator.close()


def test_nothing_reachable_is_left_unknown(explored: Explored, rng: np.random.Generator) -> None:
    last = explored.way[-1]
    assert last.outcome == "complete"
    assert last.n_frontiers == 0
    assert last.n_steps < 500
    assert last.n_collisions < 0.1 * last.n_steps
    floor = explored.memory.occupancy_map()
    points = [explored.simulator.grid.random_point(rng) for _ in range(1000)]
    assert np.mean([floor.at(np.array(p)) != -1 for p in points]) > 0.98


def test_most_things_were_seen_where_they_are(explored: Explored) -> None:
    def is_known(label: str, center: np.ndarray) -> bool:
        return any(o.label == label and np.linalg.norm(o.center - center) < 0.5 for o in explored.memory.objects())

    assert np.mean([is_known(o.category, o.center) for o in explored.scene.objects]) > 0.9


def test_where_is_every_thing_that_there_is_once(explored: Explored) -> None:
    counts = Counter(o.category for o in explored.scene.objects)
    things = [o for o in explored.scene.objects if counts[o.category] == 1]
    assert len(things) >= 10
    right, right_room = [], []
    for thing in things:
        answer = explored.ask(f"Where is the {thing.category}?")
        if not answer.known:
            right.append(False)
            continue
        position = answer.evidence[0].position
        assert position is not None
        right.append(bool(np.linalg.norm(np.array(position) - thing.center) < 0.5))
        right_room.append(answer.evidence[0].room_name == explored.room_kind(thing.room))
    assert np.mean(right) > 0.85
    assert np.mean(right_room) > 0.8


def test_what_is_on_the_furniture(explored: Explored) -> None:
    """Small things on furniture of which there is one: at least four of five are told, and little else."""
    counts = Counter(o.category for o in explored.scene.objects)
    categories = {o.id: o.category for o in explored.scene.objects}
    carried: dict[str, set[str]] = {}
    for o in explored.scene.objects:
        if o.on and counts[categories[o.on]] == 1:
            carried.setdefault(categories[o.on], set()).add(o.category)
    assert carried
    told, expected, extra = 0, 0, 0
    for carrier, labels in carried.items():
        evidence = explored.ask(f"What is on the {carrier}?").evidence
        answered = {e.label for e in evidence} - {carrier}
        told += len(answered & labels)
        expected += len(labels)
        extra += len(answered - labels)
    assert told >= 0.8 * expected
    assert extra <= 0.2 * expected


def test_which_rooms_have_a_bed_and_none_has_a_giraffe(explored: Explored) -> None:
    bedrooms = {explored.room_kind(o.room) for o in explored.scene.objects if o.category == "bed"}
    answer = explored.ask("Which rooms have a bed?")
    assert {e.room_name for e in answer.evidence if e.kind == "object"} == bedrooms
    giraffe = explored.ask("Have you seen a giraffe?")
    assert giraffe.known
    assert giraffe.answer.startswith("No")
    assert {e.kind for e in giraffe.evidence} == {"room"}


def test_what_was_seen_last_has_the_newest_stamp(explored: Explored) -> None:
    answer = explored.ask("What did you see last?")
    assert answer.known
    newest = max(o.last_seen_ns for o in explored.memory.objects())
    assert answer.evidence[0].stamp_ns == newest
    assert any(e.kind == "keyframe" for e in answer.evidence)
    in_kitchen = explored.ask("What did you see last in the kitchen?")
    assert all(e.room_name == "kitchen" for e in in_kitchen.evidence if e.kind == "object")


def test_evidence_comes_with_images_where_they_are_asked_for(explored: Explored) -> None:
    answer = OfflinePlanner(None).ask("What did you see first?", explored.reader, with_images=True)
    assert [e.image is not None and e.image.startswith(b"\xff\xd8") for e in answer.evidence] == [True] * len(
        answer.evidence
    )
