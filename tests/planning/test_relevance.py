"""Exploring for something: what goes with it draws the robot, within bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from grid_world import APARTMENT, CELL, GridWorld, walls_of
from table_memory import BEDROOM, KITCHEN, ROOMS, TableMemory, thing

from loci.geometry import Array
from loci.perception.text import MiniLMTextEncoder
from loci.planning.exploration import explore
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import Point
from loci.planning.relevance import KnowsWords, Relevance

PLANNER = OfflinePlanner(MiniLMTextEncoder())
IN_KITCHEN: Point = (1.0, 1.0, 0.0)
IN_BEDROOM: Point = (9.0, 1.0, 0.0)
NOWHERE: Point = (50.0, 50.0, 0.0)


def furnished() -> TableMemory:
    return TableMemory(
        [
            thing(1, "oven", KITCHEN, (1.0, 2.0, 0.5)),
            thing(2, "sink", KITCHEN, (2.0, 1.0, 0.5)),
            thing(3, "plate", KITCHEN, (1.5, 2.0, 0.9)),
            thing(4, "bed", BEDROOM, (9.0, 2.0, 0.5)),
            thing(5, "pillow", BEDROOM, (9.5, 2.0, 0.7)),
            thing(6, "wardrobe", BEDROOM, (8.0, 1.0, 1.0)),
        ],
        ROOMS,
    )


@pytest.mark.parametrize(
    ("words", "likely", "unlikely"),
    [
        ("fridge", IN_KITCHEN, IN_BEDROOM),
        ("frying pan", IN_KITCHEN, IN_BEDROOM),
        ("blanket", IN_BEDROOM, IN_KITCHEN),
        ("pyjamas", IN_BEDROOM, IN_KITCHEN),
        ("lamp in the bedroom", IN_BEDROOM, IN_KITCHEN),
        ("lamp in the kitchen", IN_KITCHEN, IN_BEDROOM),
    ],
)
def test_a_thing_is_looked_for_among_what_goes_with_it(words: str, likely: Point, unlikely: Point) -> None:
    worth = Relevance(words, furnished(), PLANNER)([likely, unlikely, NOWHERE])
    assert worth[0] > worth[2] > worth[1]
    assert worth[2] == 0.0
    assert np.all(np.abs(worth) <= 6.0)


def test_without_an_encoder_or_anything_seen_all_places_are_worth_the_same() -> None:
    assert isinstance(PLANNER, KnowsWords)
    points = [IN_KITCHEN, IN_BEDROOM]
    assert np.ptp(Relevance("fridge", furnished(), OfflinePlanner())(points)) == 0.0
    assert np.all(Relevance("fridge", TableMemory(), PLANNER)(points) == 0.0)
    assert Relevance("fridge", furnished(), PLANNER)([]).shape == (0,)


def test_exploring_comes_sooner_to_where_it_is_interested() -> None:
    wanted = (5.5, 3.4)

    def steps_until_known(interested: bool) -> int:
        world = GridWorld(walls_of(APARTMENT, 2), (4.0, 2.1, 0.0))
        cell = int(wanted[1] / CELL), int(wanted[0] / CELL)
        assert not world.walls[cell]

        def interest(points: Sequence[Point]) -> Array:
            return np.maximum(-2.0 * np.linalg.norm(np.array(points)[:, :2] - wanted, axis=1), -6.0)

        steps = explore(world, world, interest=interest if interested else None)
        return next(i for i, _ in enumerate(steps) if world.known[cell])

    assert steps_until_known(True) < steps_until_known(False)
