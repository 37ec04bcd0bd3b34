"""Chores can be done, are judged by what is true afterwards, and usual commands are understood."""

from __future__ import annotations

import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci_sim.evaluation.chores import KINDS, draw_chores, is_done
from loci_sim.evaluation.phrasings import PHRASINGS
from loci_sim.evaluation.tasks import Chore, Step
from loci_sim.scenes import Scene, generate_scene, load_scene


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load_scene(generate_scene("home", 1, tmp_path_factory.mktemp("scenes")))


@pytest.fixture(scope="module")
def chores(home: Scene) -> tuple[Chore, ...]:
    return draw_chores(home, PHRASINGS, "dev", seed=0, n_chores=3)


def test_chores_are_of_all_kinds_and_ask_for_no_thing_twice(chores: tuple[Chore, ...]) -> None:
    assert tuple(c.kind for c in chores) == KINDS
    assert [len(c.steps) for c in chores] == [1, 2, 1]
    tried = [s.object_ids[0] for c in chores for s in c.steps]
    assert len(set(tried)) == len(tried)


def test_chores_are_the_same_for_the_same_seed(home: Scene, chores: tuple[Chore, ...]) -> None:
    assert draw_chores(home, PHRASINGS, "dev", seed=0, n_chores=3) == chores


@pytest.mark.parametrize(
    ("step", "changes", "done"),
    [
        (Step("place", ("mug_1", "mug_2"), ("desk_1",)), {"mug_2": {"on": "desk_1"}}, True),
        (Step("place", ("mug_1",), ("desk_1",)), {"mug_2": {"on": "desk_1"}}, False),
        (Step("place", ("mug_1",), ("desk_1",)), {"mug_1": {"on": "desk_1", "held": True}}, False),
        (Step("open", ("fridge_1",)), {"fridge_1": {"states": {"open": True}}}, True),
        (Step("open", ("fridge_1",)), {}, False),
        (Step("clean", ("mug_1",)), {"mug_1": {"states": {"dirty": False}}}, True),
        (Step("switch_off", ("lamp_1",)), {"lamp_1": {"states": {"on": True}}}, False),
    ],
)
def test_a_step_is_done_when_things_are_as_it_wants_them(step: Step, changes: dict, done: bool) -> None:
    names = ("mug_1", "mug_2", "desk_1", "fridge_1", "lamp_1")
    objects = {
        n: {"on": "", "held": False, "states": {"open": False, "dirty": True}} | changes.get(n, {}) for n in names
    }
    assert is_done(step, objects) is done
