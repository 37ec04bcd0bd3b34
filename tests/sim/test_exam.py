"""The exam's judge accepts what is true of the scene, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("open3d", reason="the simulator needs open3d")

from loci.planning.protocols import Answer
from loci.query import Evidence
from loci_sim.embedded import EmbeddedSimulator
from loci_sim.exam import Task, TracePoint, make_exam
from loci_sim.scenes import Scene, SceneThing


@pytest.fixture(scope="module")
def scene(apartment: Scene) -> Scene:
    return apartment


@pytest.fixture(scope="module")
def trace(scene: Scene) -> list[TracePoint]:
    """The robot turns once around in the middle of every room."""
    simulator = EmbeddedSimulator(scene)
    points: list[TracePoint] = []
    for room in scene.rooms:
        x, y = min(
            simulator.grid.center_of(np.argwhere(simulator.grid.navigable)).tolist(),
            key=lambda p: np.hypot(*(np.array(p) - room.polygon.mean(axis=0))),
        )
        for turn in range(12):
            stamp_ns = 1_000_000_000 * (len(points) + 1)
            points.append(TracePoint(stamp_ns, x, y, turn * np.pi / 6))
    return points


@pytest.fixture(scope="module")
def exams(scene: Scene, trace: list[TracePoint]) -> list[list[Task]]:
    return [make_exam(scene, seed, trace) for seed in range(3)]


def evidence(thing: SceneThing, stamp_ns: int = 0, room_name: str = "") -> Evidence:
    position = tuple(float(v) for v in thing.center)
    return Evidence(
        thing.id,
        "object",
        thing.category,
        1.0,
        "scene",
        stamp_ns,
        thing.category,
        position=position,
        room_name=room_name,
    )


def told(things: Sequence[SceneThing], text: str = "", **fields) -> Answer:
    return Answer(text, True, 1.0, tuple(evidence(t, **fields) for t in things))


def asked(task: Task, start: str, scene: Scene) -> list[SceneThing]:
    """Things of the category that the question names."""
    assert task.question.startswith(start)
    name = task.question.removeprefix(start).lstrip("n").strip(" ?")
    return [o for o in scene.objects if o.category == name]


def test_the_same_seed_asks_the_same(scene: Scene, trace: list[TracePoint], exams: list[list[Task]]) -> None:
    assert [t.question for t in make_exam(scene, 1, trace)] == [t.question for t in exams[1]]
    assert len({tuple(t.question for t in tasks) for tasks in exams}) > 1


def test_where(scene: Scene, exams: list[list[Task]]) -> None:
    for task, *_ in exams:
        (thing,) = asked(task, "Where is the ", scene)
        assert task.judge(told([thing])).correct
        away = replace(evidence(thing), position=tuple(float(v) + 3.0 for v in thing.center))
        assert not task.judge(Answer("", True, 1.0, (away,))).correct
        assert not task.judge(told([thing], room_name="garage")).correct
        assert not task.judge(Answer("somewhere", True, 1.0)).correct
        assert not task.judge(replace(told([thing]), known=False)).correct


def test_what_is_on(scene: Scene, exams: list[list[Task]]) -> None:
    for _, task, *_ in exams:
        (carrier,) = asked(task, "What is on the ", scene)
        things = [o for o in scene.objects if o.on == carrier.id]
        assert task.judge(told([*things, carrier])).correct
        assert not task.judge(told(things[1:])).correct
        assert not task.judge(told([*things, things[0]])).correct


def test_which_rooms(scene: Scene, exams: list[list[Task]]) -> None:
    names = {r.id: r.name for r in scene.rooms}
    for tasks in exams:
        task = tasks[2]
        things = asked(task, "Which rooms have a", scene)
        rooms = sorted({names[o.room] for o in things})
        assert task.judge(told(things, f"The {' and the '.join(rooms)}.")).correct
        assert not task.judge(told(things, f"The {rooms[0]}.")).correct
        other = next(n for n in names.values() if n not in rooms)
        assert not task.judge(told(things, f"The {' and the '.join([*rooms, other])}.")).correct


def test_what_was_seen_last(scene: Scene, trace: list[TracePoint], exams: list[list[Task]]) -> None:
    task = exams[0][3]
    name = task.question.removeprefix("What did you see last in the ").rstrip("?")
    (room,) = [r for r in scene.rooms if r.name == name]
    things = [o for o in scene.objects if o.room == room.id and o.category != "door"]
    right = [
        (o, p.stamp_ns)
        for o in things
        for p in trace
        if task.judge(Answer("", True, 1.0, (evidence(o, p.stamp_ns),))).correct
    ]
    assert right, "nothing in the room counts as seen last"
    newest = max(stamp_ns for _, stamp_ns in right)
    assert all(newest - stamp_ns <= 3_000_000_000 for _, stamp_ns in right)
    elsewhere = next(o for o in scene.objects if o.room not in (room.id, "") and o.category != "door")
    assert not any(task.judge(Answer("", True, 1.0, (evidence(elsewhere, p.stamp_ns),))).correct for p in trace)


def test_have_you_seen(scene: Scene, exams: list[list[Task]]) -> None:
    for tasks in exams:
        task = tasks[4]
        things = asked(task, "Have you seen a", scene)
        yes, no = told(things[:1], "Yes."), Answer("No, I have not.", True, 0.7)
        assert task.judge(yes if things else no).correct
        assert not task.judge(no if things else told(scene.objects[:1], "Yes.")).correct
