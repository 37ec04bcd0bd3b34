"""Explore or answer, as 3D-Mem: a model is shown what is remembered at every few steps, and chooses a thing or a border to the unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip(
    "openai", reason="the openai client cannot be imported: pip install 'loci[vlm]' (`make setup` does)"
)

from grid_world import APARTMENT, GridWorld, Page, walls_of
from kept_notes import NoteKeeper
from table_memory import thing

from loci.planning.bodies import SteppedBody
from loci.planning.cancelling import GivenUpError, cancelled_by
from loci.planning.endpoint import Endpoint, EndpointSettings
from loci.planning.execution import Outcome, TaskExecutor
from loci.planning.exploration import explore
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import KnownFrontier, KnownObject
from loci.planning.vision_language import VisionLanguagePlanner
from loci.query import Query
from loci_sim.evaluation.oracle_vlm import OracleServer
from model_server import ModelServer, decide, offered, text_of

START = (2.0, 1.5, 0.0)
HAT, LAMP = (14.0, 7.5, 0.1), (2.5, 1.0, 0.1)


class FurnishedWorld(NoteKeeper, GridWorld):
    """A flat with a hat in the farthest room and a lamp near the start; a thing is known once its place was seen."""

    def __init__(self) -> None:
        super().__init__(walls_of(APARTMENT, 4), START)
        self.things = [thing(1, "hat", None, HAT), thing(2, "lamp", None, LAMP)]

    def _seen(self) -> list[KnownObject]:
        known = [o for o in self.things if self.known[self._cell(*(np.array(v) for v in o.evidence.position[:2]))]]
        return [self._looked_at(o) for o in known]

    def _looked_at(self, o: KnownObject) -> KnownObject:
        """What is near is seen in the newest image."""
        near = np.hypot(*np.subtract(self.position()[:2], o.evidence.position[:2])) < 2.0
        return replace(o, evidence=replace(o.evidence, stamp_ns=self.newest_stamp_ns)) if near else o

    def known_objects(self) -> tuple[KnownObject, ...]:
        return tuple(self._seen())

    def recall(self, query: Query) -> Page:
        found = self.notes.find(query) if "episode" in query.kinds else []
        if "object" in query.kinds:
            found += [o.evidence for o in self._seen() if query.object_id in (None, "", o.id)]
        return Page(tuple(found), len(found))

    def known_object(self, object_id: str) -> KnownObject | None:
        return next((o for o in self._seen() if o.id == object_id), None)

    def scene_graph(self, format: str = "text", max_characters: int = 100_000, **what: Any) -> str:
        return ""

    def frontier_images(self, frontiers: Sequence[KnownFrontier]) -> Mapping[str, bytes]:
        photo = cv2.imencode(".jpg", np.full((60, 80, 3), 90, np.uint8))[1].tobytes()
        return {f.id: photo for f in frontiers}


def carry_out(world: FurnishedWorld, planner: VisionLanguagePlanner, words: str) -> tuple[Outcome, SteppedBody]:
    body = SteppedBody(world, world)
    body.begin(600)
    doing = TaskExecutor(world, planner, body).find(words)
    while True:
        try:
            next(doing)
        except StopIteration as end:
            return end.value, body


def test_a_model_that_reads_the_lists_explores_until_it_sees_the_thing_and_goes_there() -> None:
    world = FurnishedWorld()
    with OracleServer() as server:
        planner = VisionLanguagePlanner(Endpoint(EndpointSettings(server.url, "oracle")), OfflinePlanner(None))
        outcome, body = carry_out(world, planner, "hat")
        assert server.n_images > 0
    assert outcome.done, outcome.reason
    assert outcome.evidence[0].id == "object/1"
    assert np.hypot(*np.subtract(world.position()[:2], HAT[:2])) < 1.6
    values = planner.statistics()
    assert values["fallbacks"] == 0
    assert values["questions"] >= body.n_explorations >= 1


def test_what_is_there_is_gone_to_without_exploring() -> None:
    world = FurnishedWorld()
    with OracleServer() as server:
        planner = VisionLanguagePlanner(Endpoint(EndpointSettings(server.url, "oracle")), OfflinePlanner(None))
        for _ in range(12):  # a look around
            world.step("turn_left")
        outcome, body = carry_out(world, planner, "lamp")
    assert outcome.done
    assert body.n_explorations == 0


def test_the_frontier_that_the_model_chooses_is_driven_to() -> None:
    """It always wants the one that is farthest to the right, whatever is nearer."""
    chosen: list[str] = []
    world = FurnishedWorld()

    def farthest_right(request: dict[str, Any], handler: Any) -> str:
        at = {f.id: f.position[0] for f in world.known_frontiers()}
        choice = max((i for i in offered(request) if i in at), key=lambda i: at[i], default="none")
        chosen.append(choice)
        return decide(choice, "It may be there.", confidence=0.0)

    def nearest(frontiers: Sequence[KnownFrontier]) -> str:
        return ""

    with ModelServer(farthest_right) as server:
        planner = VisionLanguagePlanner(Endpoint(EndpointSettings(server.url, "m")), OfflinePlanner(None))
        body = SteppedBody(world, world)
        body.begin(80)
        for _ in TaskExecutor(world, planner, body).find("unicorn"):
            pass
    assert not server.problems
    plain = FurnishedWorld()
    for progress in explore(plain, plain, choose=nearest):
        if progress.n_steps >= 80:
            break
    assert sum(i.startswith("frontier/") for i in chosen) >= 5
    assert world.position()[0] > plain.position()[0]


def test_the_model_is_told_what_it_chose_before() -> None:
    world = FurnishedWorld()
    for _ in range(12):
        world.step("turn_left")
    with ModelServer(lambda r, h: decide(next(i for i in offered(r) if i.startswith("frontier/")))) as server:
        planner = VisionLanguagePlanner(Endpoint(EndpointSettings(server.url, "m")), OfflinePlanner(None))
        first = planner.ask("where is the hat?", world)
        planner.ask("where is the hat?", world)
        planner.ask("where is the shoe?", world)
    told = [[line for line in text_of(r).splitlines() if "chosen before" in line] for r in server.requests]
    assert [len(lines) for lines in told] == [0, 1, 0]
    assert told[1][0].startswith(f"| {first.look_at}:")
    assert first.look_at == first.evidence[0].id


def test_a_frontier_that_is_gone_or_given_up_leaves_the_choice_to_the_robot() -> None:
    world = FurnishedWorld()
    asked = []

    def gone(frontiers: Sequence[KnownFrontier]) -> str:
        asked.append(len(frontiers))
        return "frontier/of-yesterday"

    assert list(explore(world, world, choose=gone))[-1].outcome == "complete"
    assert len(asked) > 5


def test_a_task_can_be_cancelled_while_the_model_thinks() -> None:
    import threading

    asked, over = threading.Event(), threading.Event()

    def silent(request: dict[str, Any], handler: Any) -> None:
        asked.set()
        over.wait(60.0)
        handler.close_connection = True

    world = FurnishedWorld()
    with ModelServer(silent) as server:
        planner = VisionLanguagePlanner(Endpoint(EndpointSettings(server.url, "m")), OfflinePlanner(None))
        with pytest.raises(GivenUpError), cancelled_by(asked.is_set):
            carry_out(world, planner, "hat")
        over.set()
    steps = world.newest_stamp_ns
    assert steps <= 200_000_000  # it has looked, and not moved
