"""A thing that a picture shows is driven to, looked at, and left for the next one if what is there is not what the picture shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from task_world import TablePlanner, TaskWorld, Thing

from loci.observation import Detection
from loci.planning.bodies import SteppedBody
from loci.planning.driving import distance
from loci.planning.execution import Outcome, TaskExecutor
from loci.planning.protocols import Point
from loci.planning.seeking import pictured
from loci.query import Evidence, Query

NEAR, FAR = (6.0, 2.0, 0.0), (14.0, 2.0, 0.0)
PICTURE = np.zeros((12, 16, 3), np.uint8)
SEEN = (Detection("mug", 1.0, (6, 4, 10, 8)),)


@dataclass
class Agreement:
    """How well a thing agrees with the picture at first, and once the robot has been near it."""

    at_first: float
    looked_at: float


@dataclass
class PicturedWorld:
    """A home in which things agree with a picture; no image does."""

    agreements: dict[str, Agreement]
    things: list[Thing]
    world: TaskWorld = field(init=False)
    tried: list[Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        agreements, tried = self.agreements, self.tried

        class World(TaskWorld):
            def recall(self, query: Query) -> Any:
                page = super().recall(query)
                if query.image is None:
                    return page
                if not query.detections:
                    return type(page)((), 0)
                shown = sorted((self.shown(e) for e in page.evidence), key=lambda e: -e.score)
                return type(page)(tuple(shown), len(shown))

            def shown(self, e: Evidence) -> Evidence:
                assert e.position is not None
                near = any(distance(e.position[:2], p[:2]) < 1.9 for p in tried)
                told = agreements[e.id]
                T = np.eye(4)
                T[:3, 3] = (e.position[0] - 1.0, e.position[1], 1.2)
                return replace(e, score=told.looked_at if near else told.at_first, T_map_camera=T)

            def step(self, action: Any) -> Any:
                result = super().step(action)
                tried.append(self.position())
                return result

        self.world = World(self.things)

    def find(self, max_steps: int = 1500) -> Outcome:
        body = SteppedBody(self.world, self.world)
        body.begin(max_steps)
        doing = TaskExecutor(self.world, TablePlanner(self.world), body).find("", PICTURE, SEEN)
        while True:
            try:
                next(doing)
            except StopIteration as end:
                return end.value


def mug(number: int, at: Point, known: bool = True) -> Thing:
    return Thing(f"object/{number}", "mug", at, known=known)


def test_the_thing_whose_surroundings_agree_is_found_and_no_other() -> None:
    home = PicturedWorld(
        {"object/1": Agreement(0.2, 0.2), "object/2": Agreement(0.8, 0.9)}, [mug(1, NEAR), mug(2, FAR)]
    )
    outcome = home.find()
    assert outcome.done
    assert [e.id for e in outcome.evidence] == ["object/2"]
    assert distance(home.world.position()[:2], (FAR[0] - 1.0, FAR[1])) < 0.6


def test_a_thing_that_agrees_no_more_once_it_was_looked_at_is_left_for_the_next() -> None:
    home = PicturedWorld(
        {"object/1": Agreement(0.8, 0.3), "object/2": Agreement(0.6, 0.9)}, [mug(1, NEAR), mug(2, FAR)]
    )
    home.world.known[:] = True  # all ways are known
    outcome = home.find()
    assert outcome.done
    assert [e.id for e in outcome.evidence] == ["object/2"]
    assert any(distance(p[:2], NEAR[:2]) < 1.9 for p in home.tried)


def test_while_the_right_one_was_not_seen_the_robot_explores() -> None:
    home = PicturedWorld(
        {"object/1": Agreement(0.4, 0.4), "object/2": Agreement(0.9, 0.9)}, [mug(1, NEAR), mug(2, FAR, known=False)]
    )
    outcome = home.find()
    assert outcome.done
    assert [e.id for e in outcome.evidence] == ["object/2"]


def test_what_agrees_less_well_counts_where_nothing_is_left_to_explore() -> None:
    home = PicturedWorld({"object/1": Agreement(0.4, 0.4)}, [mug(1, NEAR)])
    assert pictured(home.world, PICTURE, SEEN) == []
    assert [e.id for e in pictured(home.world, PICTURE, SEEN, desperate=True)] == ["object/1"]


def test_without_detections_no_object_is_asked_for() -> None:
    home = PicturedWorld({"object/1": Agreement(0.9, 0.9)}, [mug(1, NEAR)])
    assert pictured(home.world, PICTURE, desperate=True) == []
