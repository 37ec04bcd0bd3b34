"""Tasks after a day ask for what was really done, their answers are unique, and claims are judged by instance and order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("open3d", reason="open3d cannot be imported: run `make setup`")

from loci.planning.language.deeds import Deed, deeds_of
from loci.planning.language.readings import understand
from loci.query import Evidence
from loci_sim.evaluation.day import Carried, PickPlace, draw_day
from loci_sim.evaluation.phrasings import MIN_PHRASINGS, PHRASINGS
from loci_sim.evaluation.recall import KINDS, chosen_id, draw_revisits, shortest_tour
from loci_sim.evaluation.recall_templates import MAX_GOALS, TEMPLATES, DayTruth
from loci_sim.evaluation.tasks import Choice, Revisit
from loci_sim.scenes import Scene, SceneThing, generate_scene, load_scene

SECOND = 10**9
TEMPLATE_NAMES = [name for templates in TEMPLATES.values() for name in templates]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return load_scene(generate_scene("home", 1, tmp_path_factory.mktemp("scenes")))


@pytest.fixture(scope="module")
def plan(home: Scene) -> tuple[PickPlace, ...]:
    return draw_day(home, seed=0, n_deeds=5)


@pytest.fixture(scope="module")
def things(home: Scene, plan: tuple[PickPlace, ...]) -> dict[str, SceneThing]:
    """The scene after the day: things lie over what they were put on."""
    by_id = {o.id: o for o in home.objects}
    for deed in plan:
        thing, target = by_id[deed.object_id], by_id[deed.target_id]
        T = target.T_map_box.copy()
        T[2, 3] += target.size[2] / 2 + thing.size[2] / 2
        by_id[thing.id] = replace(thing, T_map_box=T, room=target.room, on=target.id)
    return by_id


@pytest.fixture(scope="module")
def day(home: Scene, plan: tuple[PickPlace, ...], things: dict[str, SceneThing]) -> tuple[Carried, ...]:
    """Each thing is carried 5 s longer than the one before."""
    before = {o.id: o for o in home.objects}
    deeds = []
    for i, deed in enumerate(plan):
        old, new = before[deed.object_id], things[deed.object_id]
        picked = (100 + 100 * i) * SECOND
        rooms = old.room, new.room
        deeds.append(Carried(old.id, old.category, old.color, old.on, new.on, *rooms, picked, picked + (20 + 5 * i) * SECOND))  # fmt: skip
    return tuple(deeds)


def drawn(home: Scene, day: Sequence[Carried], things: dict[str, SceneThing], **more) -> tuple[Revisit, ...]:
    options = {"phrasings": PHRASINGS, "split": "dev", "seed": 0, "n_tasks": 22, **more}
    return draw_revisits(home, day, things, lambda _: True, **options)


def records(day: Sequence[Carried], things: dict[str, SceneThing], scene: Scene) -> list[Evidence]:
    """What the robot tells its memory of a day."""
    rooms = {r.id: r.name for r in scene.rooms}
    told = []
    for d in day:
        for words, place, room, stamp_ns in (
            ("I picked up the {} from the {}", d.from_id, d.from_room, d.picked_ns),
            ("I put the {} on the {}", d.to_id, d.to_room, d.placed_ns),
        ):
            text = words.format(d.category, things[place].category)
            told.append(Evidence(f"episode/{len(told)}", "episode", text, 1.0, "long_term", stamp_ns, source="robot", room=room, room_name=rooms[room]))  # fmt: skip
    return told


def test_a_day_can_be_done_and_moves_nothing_twice(home: Scene, plan: tuple[PickPlace, ...]) -> None:
    assert len(plan) == 5
    assert len({d.object_id for d in plan}) == 5
    on = {o.id: o.on for o in home.objects}
    assert all(on[d.object_id] and on[d.object_id] != d.target_id for d in plan)
    assert draw_day(home, seed=0, n_deeds=5) == plan
    assert draw_day(home, seed=0, row=1, n_deeds=5) != plan


@pytest.mark.parametrize("n_deeds", [1, 12])
def test_a_day_is_as_long_as_in_the_benchmark(home: Scene, n_deeds: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 11 pick-and-places"):
        draw_day(home, seed=0, n_deeds=n_deeds)


def test_a_row_has_all_kinds_by_turns_and_asks_nothing_twice(home: Scene, day, things) -> None:
    tasks = drawn(home, day, things)
    assert [t.kind for t in tasks[: len(KINDS)]] == list(KINDS)
    assert len({(t.template, t.targets) for t in tasks}) == len(tasks)
    assert all(t.targets and all(t.targets) and len(t.targets) <= MAX_GOALS for t in tasks)
    assert tasks == drawn(home, day, things)
    assert tasks != drawn(home, day, things, seed=1)


def test_what_nobody_can_reach_is_not_asked_for(home: Scene, day, things) -> None:
    lost = day[0].object_id
    options = {"phrasings": PHRASINGS, "split": "dev", "seed": 0, "n_tasks": 11}
    for task in draw_revisits(home, day, things, lambda i: i != lost, **options):
        assert (lost,) not in task.targets


def test_a_day_too_short_for_so_many_tasks_is_refused(home: Scene, day, things) -> None:
    with pytest.raises(ValueError, match="expected 500 different tasks after a day of 2"):
        drawn(home, day[:2], things, n_tasks=500)


@pytest.mark.parametrize("seed", range(8))
def test_the_shortest_day_has_tasks_for_a_row(home: Scene, day, things, seed: int) -> None:
    assert len(drawn(home, day[:2], things, seed=seed, n_tasks=11)) == 11


def test_templates_say_what_was_done(home: Scene, day, things) -> None:
    """Worked out by hand for the one day: thing i is carried 20 + 5 i seconds, from second 100 i on."""
    truth = DayTruth(home, day, things, np.random.default_rng(0))
    made = {name: maker for templates in TEMPLATES.values() for name, maker in templates.items()}
    objects = [(d.object_id,) for d in day]

    def targets(name: str) -> list[tuple[str, ...]]:
        found = made[name](truth)
        assert found is not None
        return [tuple(ids) for ids in found.targets]

    assert targets("recall_longest") == [objects[-1]]
    assert targets("recall_shortest") == [objects[0]]
    assert targets("recall_longest_to") == [(day[-1].to_id,)]
    assert targets("recall_in_order") == targets("recall_all") == objects
    assert targets("recall_reversed") == objects[::-1]
    for _ in range(20):
        found = made["recall_at_time"](truth)
        assert found is not None
        at = int(found.blanks["time"].split()[0])
        i = at // 100
        assert 100 * i <= at <= 100 * i + 20 + 5 * i and found.targets == [list(objects[i])]
        found = made["recall_untouched"](truth)
        if found is not None:
            assert not set(found.targets[0]) & truth.moved
            assert {things[i].category for i in found.targets[0]} <= {d.category for d in day}


def test_every_template_has_its_phrasings_and_the_splits_share_none() -> None:
    assert set(TEMPLATE_NAMES) == {t for t in PHRASINGS if t.startswith("recall_")}
    assert len(TEMPLATE_NAMES) >= 20
    for name in TEMPLATE_NAMES:
        dev, test = PHRASINGS[name]["dev"], PHRASINGS[name]["test"]
        assert min(len(set(dev)), len(set(test))) >= MIN_PHRASINGS
        assert not set(dev) & set(test)


def answered(task_text: str, day: Sequence[Carried], deeds: Sequence[Deed]) -> tuple[str, list[list[str]], bool]:
    """What a robot that reads its records understands: with the truth's ids in place of records."""
    wish = understand(task_text, deeds)
    assert wish is not None, task_text
    ids = {id(d): c for d, c in zip(deeds, day, strict=True)}
    attribute = {"moved": "object_id", "source": "from_id", "target": "to_id", "source_room": "from_room", "target_room": "to_room"}  # fmt: skip
    goals = [[getattr(ids[id(d)], attribute.get(wish.what, "object_id")) for d in goal] for goal in wish.deeds]
    return wish.what, [g for i, g in enumerate(goals) if g not in goals[:i]], wish.ordered


def test_every_dev_phrasing_is_understood_as_what_was_drawn(home: Scene, day, things) -> None:
    deeds = deeds_of(records(day, things, home))
    assert [(d.label, d.duration_ns) for d in deeds] == [(d.category, d.placed_ns - d.picked_ns) for d in day]
    truth = DayTruth(home, day, things, np.random.default_rng(3))
    seen = set()
    for templates in TEMPLATES.values():
        for name, maker in templates.items():
            for phrasing in PHRASINGS[name]["dev"] * 3:
                found = maker(truth)
                if found is None:
                    continue
                seen.add(name)
                text = phrasing.format(**found.blanks)
                what, goals, ordered = answered(text, day, deeds)
                if what == "named":
                    assert things[found.targets[0][0]].category == found.blanks["other"], text
                elif what not in ("untouched", "beside") and not name.startswith("recall_color"):
                    assert [set(g) for g in goals] == [set(ids) for ids in found.targets], text
                assert ordered == found.ordered, text
    assert seen >= set(TEMPLATE_NAMES) - {"recall_room_most", "recall_untouched", "recall_beside"}


def test_what_was_not_done_is_not_understood_as_something_else(home: Scene, day, things) -> None:
    deeds = deeds_of(records(day, things, home))
    assert understand("go to the eleventh thing that you moved", deeds) is None
    assert understand("sing a song", deeds) is None
    assert understand("go to the first thing that you moved", []) is None


def test_a_claim_means_the_nearest_thing_of_its_category(home: Scene, things) -> None:
    for o in list(things.values())[:40]:
        x, y, z = o.center.tolist()
        assert chosen_id(Choice(o.category, (x, y, z)), home, things) == o.id
    assert chosen_id(Choice("submarine", (0.0, 0.0, 0.0)), home, things) == ""
    assert chosen_id(Choice("", (500.0, 0.0, 0.0)), home, things) == ""
    room = home.rooms[0]
    x, y = room.polygon.mean(axis=0).tolist()
    assert chosen_id(Choice("", (x, y, room.z), is_room=True), home, things) == room.id


def test_the_shortest_tour_is_found_among_all_orders() -> None:
    def way(start, goals):
        distances = [abs(g[0] - (start[0] if start else 0.0)) for g in goals]
        i = int(np.argmin(distances))
        return goals[i], distances[i]

    goals = [[(10.0, 0.0, 0.0), (4.0, 0.0, 0.0)], [(-1.0, 0.0, 0.0)], [(2.0, 0.0, 0.0)]]
    assert shortest_tour(way, goals, ordered=False) == ((1, 2, 0), 1.0 + 3.0 + 2.0)
    assert shortest_tour(way, goals, ordered=True) == ((0, 1, 2), 4.0 + 5.0 + 3.0)
    assert shortest_tour(lambda start, goals: None, goals, ordered=False) is None
