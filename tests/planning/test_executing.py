"""Tasks are carried out in a world that can be driven, by a robot with discrete actions and by one that is sent goals, and each ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from task_world import START, Clock, FlickeringFrontiers, GridNavigation, TablePlanner, TaskWorld, Thing

from loci.planning.bodies import Handled, Motion, SteppedBody
from loci.planning.cancelling import GivenUpError, cancelled_by
from loci.planning.driving import distance
from loci.planning.execution import Outcome, TaskExecutor
from loci.planning.navigated import NavigatedBody, NavigationLimits
from loci.planning.orders import Order
from loci.planning.phrases import time_phrase
from loci.planning.plan_memory import PlanMemory
from loci.planning.protocols import Answer

MUG = (14.0, 2.0, 0.0)
NEAR_MUG = (6.0, 2.0, 0.0)


@dataclass
class Run:
    world: TaskWorld
    executor: TaskExecutor
    body: Any
    navigation: GridNavigation | None
    outcome: Outcome | None = None
    n_motions: int = 0

    def go(self, instruction: str, max_steps: int = 1000, stop: Callable[[Run], bool] = lambda _: False) -> Outcome:
        """Carry it out; ``stop`` cancels."""
        orders = self.executor.understood(instruction)
        assert orders
        self.body.begin(max_steps)
        doing: Generator[Motion, None, Outcome] = self.executor.carry_out(orders, instruction)
        while True:
            assert self.n_motions < 30_000, "it never ends"
            try:
                next(doing)
            except StopIteration as end:
                self.outcome = end.value
                return end.value
            self.n_motions += 1
            if stop(self):
                doing.close()
                return Outcome(False, "cancelled")

    @property
    def tree(self) -> dict[str, Any]:
        return dict(json.loads(self.executor.tree.to_json()))


def stepped(world: TaskWorld, planner: TablePlanner | None = None, hand: Any = None, **options: Any) -> Run:
    body = SteppedBody(world, world, hand)
    world.step("look")
    return Run(world, TaskExecutor(world, planner or TablePlanner(world), body, **options), body, None)


def navigated(
    world: TaskWorld, planner: TablePlanner | None = None, hand: Any = None, says: bool = False, **options: Any
) -> Run:
    navigation, clock = GridNavigation(world, says), Clock()
    body = NavigatedBody(
        world, navigation, navigation.where, NavigationLimits(look_time=0.2), hand=hand, clock=clock, sleep=clock.sleep
    )
    world.step("look")
    return Run(world, TaskExecutor(world, planner or TablePlanner(world), body, **options), body, navigation)


BODIES = pytest.mark.parametrize("run", [stepped, navigated], ids=["stepped", "navigated"])


def tries(run: Run, order: int = 0) -> list[tuple[str, str]]:
    return [(t["evidence"][0], t["status"]) for t in run.tree["children"][order]["children"]]


@BODIES
def test_a_thing_that_nobody_has_seen_is_explored_for_and_found(run: Callable[..., Run]) -> None:
    r = run(TaskWorld([Thing("object/1", "mug", MUG)]))
    outcome = r.go("find the mug")
    assert outcome.done, outcome.reason
    assert outcome.evidence[0].id == "object/1"
    assert distance(r.world.position()[:2], MUG[:2]) < 1.8
    assert r.tree["status"] == "done"
    assert tries(r) == [("object/1", "done")]


@BODIES
def test_what_was_carried_away_is_looked_for_elsewhere(run: Callable[..., Run]) -> None:
    gone = Thing("object/1", "mug", NEAR_MUG, is_there=False, known=True)
    r = run(TaskWorld([gone, Thing("object/2", "mug", MUG)]))
    assert r.go("find the mug").done
    assert tries(r) == [("object/1", "failed"), ("object/2", "done")]
    assert r.tree["children"][0]["retries"] == 1


@BODIES
def test_what_was_carried_away_and_is_known_again_is_tried_where_it_is_now(run: Callable[..., Run]) -> None:
    """The memory knows the mug again by its id, wherever somebody has carried it."""
    mug = Thing("object/1", "mug", NEAR_MUG)

    def hand(verb: str, label: str, position: Any) -> Handled:
        mug.position = MUG
        return Handled(distance(position, MUG) < 0.1, "no mug is in view")

    r = run(TaskWorld([mug], sight=2.5), hand=hand)
    outcome = r.go("pick up the mug")
    assert outcome.done, outcome.reason
    assert tries(r)[0] == ("object/1", "failed") and tries(r)[-1] == ("object/1", "done")


@BODIES
def test_a_thing_that_never_stays_is_not_chased_for_ever(run: Callable[..., Run]) -> None:
    cat = Thing("object/1", "cat", NEAR_MUG)

    def hand(verb: str, label: str, position: Any) -> Handled:
        cat.position = MUG if distance(cat.position, NEAR_MUG) < 0.1 else NEAR_MUG
        return Handled(False, "no cat is in view")

    r = run(TaskWorld([cat], sight=2.5), hand=hand)
    assert not r.go("pick up the cat", max_steps=3000).done
    assert len(tries(r)) <= 3


@BODIES
def test_what_does_not_exist_ends_when_everything_is_explored(run: Callable[..., Run]) -> None:
    r = run(TaskWorld())
    outcome = r.go("find the unicorn")
    assert not outcome.done
    assert "everything reachable was explored" in outcome.reason
    assert r.body.steps_left > 0


@BODIES
def test_a_thing_that_cannot_be_reached_is_tried_twice_and_no_more(run: Callable[..., Run]) -> None:
    world = TaskWorld([Thing("object/1", "mug", MUG, known=True)], sight=0.5)
    world.unreachable = [MUG]
    r = run(world)
    outcome = r.go("find the mug")
    assert not outcome.done
    assert "a closed door is in the way" in outcome.reason
    assert tries(r) == [("object/1", "failed")] * 2


@BODIES
def test_steps_are_bounded(run: Callable[..., Run]) -> None:
    r = run(TaskWorld([Thing("object/1", "mug", MUG)]))
    before = r.body.n_steps
    outcome = r.go("find the mug", max_steps=3)
    assert not outcome.done
    assert "within the steps allowed" in outcome.reason
    assert r.body.n_steps - before <= 4


@BODIES
def test_phantoms_with_ever_new_names_at_one_place_are_not_chased_for_ever(run: Callable[..., Run]) -> None:
    class Haunted(TablePlanner):
        def ask(self, question: str, memory: Any, limit: int = 10, with_images: bool = False) -> Any:
            n = len(self.world.things)
            self.world.things[f"object/{n}"] = Thing(f"object/{n}", "mug", NEAR_MUG, is_there=False, known=True)
            return super().ask(question, memory, limit, with_images)

    world = TaskWorld()
    r = run(world, Haunted(world))
    outcome = r.go("find the mug")
    assert not outcome.done
    assert len(tries(r)) == 2


@BODIES
def test_parts_are_done_in_their_order_and_the_first_that_fails_ends_it(run: Callable[..., Run]) -> None:
    r = run(TaskWorld([Thing("object/1", "mug", MUG), Thing("object/2", "sink", NEAR_MUG)], sight=2.5))
    assert r.go("find the sink, then find the mug").done
    assert [o["status"] for o in r.tree["children"]] == ["done", "done"]
    assert {e.id for e in r.outcome.evidence} == {"object/1", "object/2"}
    assert not r.go("find the unicorn, then find the mug").done
    assert [o["status"] for o in r.tree["children"]] == ["failed", "waiting"]


@BODIES
def test_a_question_is_answered_by_going_to_the_thing_and_looking(run: Callable[..., Run]) -> None:
    world = TaskWorld([Thing("object/1", "window", MUG, known=True)])
    world.known[:] = True
    r = run(world, TablePlanner(world, {"object/1": "It is closed."}))
    outcome = r.go("is the window closed?")
    assert outcome.done
    assert outcome.answer is not None
    assert outcome.answer.answer == "It is closed."
    assert distance(r.world.position()[:2], MUG[:2]) < 1.7
    assert r.tree["children"][0]["children"][0]["what"].startswith("look at window")


@BODIES
def test_a_question_that_looking_does_not_answer_is_given_up(run: Callable[..., Run]) -> None:
    world = TaskWorld([Thing("object/1", "window", NEAR_MUG, known=True)])
    r = run(world)
    outcome = r.go("is the window closed?")
    assert not outcome.done
    assert outcome.answer is not None
    assert len(tries(r)) == 1


@BODIES
def test_without_moving_only_what_is_known_is_told(run: Callable[..., Run]) -> None:
    r = run(TaskWorld([Thing("object/1", "mug", MUG, known=True)]))
    before = r.world.position()
    assert r.go("find the mug but do not move").done
    unknown = r.go("find the unicorn but do not move")
    assert not unknown.done
    assert "Without moving" in unknown.reason
    assert not r.go("bring the mug to the sink without moving").done
    assert r.world.position() == before


@BODIES
def test_the_place_where_something_was_seen_is_gone_back_to_though_it_is_gone(run: Callable[..., Run]) -> None:
    world = TaskWorld([Thing("object/1", "dog", NEAR_MUG, is_there=False, known=True, state="missing", stamp_ns=5)])
    r = run(world)
    world.known[:] = True
    outcome = r.go("go back to where you saw the dog")
    assert outcome.done, outcome.reason
    assert distance(world.position()[:2], NEAR_MUG[:2]) < 1.8
    assert not r.go("go back to where you saw the unicorn, then find the dog").done
    assert [o["status"] for o in r.tree["children"]] == ["failed", "waiting"]


@BODIES
def test_things_are_handled_by_the_hand_and_declined_without_one(run: Callable[..., Run]) -> None:
    done: list[tuple[str, str]] = []

    def hand(verb: str, label: str, position: Any) -> Handled:
        done.append((verb, label))
        return Handled(len(done) != 1, "it slipped")

    things = [Thing("object/1", "mug", NEAR_MUG), Thing("object/2", "mug", MUG), Thing("object/3", "sink", MUG)]
    r = run(TaskWorld(things, sight=2.5), hand=hand)
    assert r.go("bring the mug to the sink").done
    assert done == [("pick", "mug"), ("pick", "mug"), ("place", "sink")]
    without = run(TaskWorld(things))
    outcome = without.go("bring the mug to the sink")
    assert not outcome.done
    assert "no hand" in outcome.reason


@BODIES
def test_what_is_out_of_view_from_close_by_is_handled_from_a_step_farther_off(run: Callable[..., Run]) -> None:
    """On a high shelf: the camera, under it, does not see it any more."""
    tried: list[float] = []

    def hand(verb: str, label: str, position: Any) -> Handled:
        tried.append(distance(r.world.position()[:2], position[:2]))
        return Handled(1.0 <= tried[-1] <= 1.5, "no mug is in view")

    r = run(TaskWorld([Thing("object/1", "mug", NEAR_MUG)]), hand=hand)
    assert r.go("pick up the mug").done, tried
    assert len(tried) == 2 and tried[0] < 1.0


@BODIES
def test_what_the_hand_cannot_do_from_here_it_does_from_another_side(run: Callable[..., Run]) -> None:
    tried: list[Any] = []

    def hand(verb: str, label: str, position: Any) -> Handled:
        tried.append(np.subtract(r.world.position()[:2], position[:2]))
        return Handled(float(tried[-1] @ tried[0]) < 0.0, "its handle is out of reach")

    r = run(TaskWorld([Thing("object/1", "mug", MUG)]), hand=hand)
    assert r.go("pick up the mug").done, tried
    assert 2 < len(tried) <= 5


@BODIES
def test_what_the_hand_can_do_from_nowhere_is_given_up_with_the_first_reason(run: Callable[..., Run]) -> None:
    tried: list[str] = []

    def hand(verb: str, label: str, position: Any) -> Handled:
        tried.append(verb)
        return Handled(False, "it is locked" if len(tried) == 1 else "it is not in view")

    outcome = run(TaskWorld([Thing("object/1", "fridge", NEAR_MUG)]), hand=hand).go("open the fridge")
    assert not outcome.done
    assert "it is locked" in outcome.reason and len(tried) <= 5


@BODIES
def test_nothing_is_on_it_is_said_after_a_look_from_close_by(run: Callable[..., Run]) -> None:
    class Overlooking(TablePlanner):
        def ask(self, question: str, memory: Any, limit: int = 10, with_images: bool = False) -> Answer:
            table, mug = (self.world.things[f"object/{i}"] for i in (1, 2))
            if mug.known:
                return Answer("a mug", True, 0.9, (self.world.evidence(mug),))
            return Answer("nothing", True, 0.7, (self.world.evidence(table),), look_close=("object/1",))

    table = Thing("object/1", "table", NEAR_MUG, known=True)
    world = TaskWorld([table, Thing("object/2", "mug", NEAR_MUG)])
    world.known[:] = True
    assert run(world, Overlooking(world)).go("what is on the table?").answer.answer == "a mug"
    world = TaskWorld([table, Thing("object/2", "mug", MUG, is_there=False)])
    world.known[:] = True
    r = run(world, Overlooking(world))
    assert r.go("what is on the table?").answer.answer == "nothing"
    assert tries(r) == [("object/1", "done")]


class CountingPlanner(TablePlanner):
    """Has an answer at once, which may change until it was asked ``n`` times."""

    n = 4

    def ask(self, question: str, memory: Any, limit: int = 10, with_images: bool = False) -> Answer:
        self.asked.append(question)
        return Answer(f"{len(self.asked)}", True, 0.6, may_change=len(self.asked) < self.n)


@BODIES
def test_an_answer_that_may_change_is_given_after_a_look_around(run: Callable[..., Run]) -> None:
    world = TaskWorld([])
    counting = CountingPlanner(world)
    assert run(world, counting).go("how many mugs are there?").answer.answer == "4"
    world = TaskWorld([])
    counting = CountingPlanner(world)
    counting.n = 10**6  # it never settles
    r = run(world, counting)
    outcome = r.go("how many mugs are there?")
    assert outcome.done
    assert len(counting.asked) > 1 and r.body.n_steps < 250
    world = TaskWorld([])
    assert run(world, CountingPlanner(world)).go("without moving, how many mugs are there?").answer.answer == "1"


@BODIES
def test_what_only_resembles_the_thing_is_told_where_nothing_is_left_to_explore(run: Callable[..., Run]) -> None:
    """A mug is no answer to a question about a toothbrush cup as long as that may still be found."""

    class Resembling(TablePlanner):
        def ask(self, question: str, memory: Any, limit: int = 10, with_images: bool = False) -> Answer:
            known = next((t for t in self.world.things.values() if t.known), None)
            if known is not None:
                return Answer("it is green", True, 0.9, (self.world.evidence(known),))
            return Answer("I take it to mean a mug", True, 0.5, resembles=True)

    world = TaskWorld([Thing("object/1", "toothbrush cup", MUG)])
    assert run(world, Resembling(world)).go("what color is the toothbrush cup?").answer.answer == "it is green"
    world = TaskWorld([])
    r = run(world, Resembling(world))
    outcome = r.go("what color is the toothbrush cup?")
    assert outcome.done and outcome.answer.answer == "I take it to mean a mug"
    assert r.body.steps_left > 0


@BODIES
def test_the_memory_is_told_what_the_hand_did(run: Callable[..., Run]) -> None:
    """What is in the hand is held, not gone; what was put down is told with where; what failed is not told."""
    states: list[tuple[str, str]] = []

    def hand(verb: str, label: str, position: Any) -> Handled:
        mug.is_there = verb != "pick"  # as the camera sees it
        states.append((verb, mug.state))
        return Handled(label != "lamp", "no switch")

    mug, sink = Thing("object/1", "mug", MUG), Thing("object/2", "sink", NEAR_MUG)
    world = TaskWorld([mug, sink, Thing("object/3", "lamp", NEAR_MUG)], sight=2.5)
    r = run(world, hand=hand, notes=world)
    assert r.go("bring the mug to the sink").done
    assert states == [("pick", "present"), ("place", "held")]
    told = [(e.text, e.source, e.object_id, e.state, e.position, labels) for e, labels in world.notes.kept]
    assert told == [
        ("I picked up the mug from the floor", "robot", "object/1", "held", MUG, ("mug",)),
        ("I put the mug on the sink", "robot", "object/1", "placed", NEAR_MUG, ("mug", "sink")),
    ]
    assert not r.go("switch on the lamp").done
    assert len(world.notes.kept) == 2


@BODIES
def test_a_full_hand_is_freed_before_it_picks_something_up(run: Callable[..., Run]) -> None:
    """What an earlier task left in it goes to the nearest thing that carries something."""
    done: list[tuple[str, str]] = []

    def hand(verb: str, label: str, position: Any) -> Handled:
        full = sum({"pick": 1, "place": -1}[v] for v, _ in done)
        if (verb == "pick") == bool(full):
            return Handled(False, "the hand is full" if full else "the hand is empty")
        done.append((verb, label))
        mug.is_there = mug.is_there and label != "mug"  # as the camera sees it
        return Handled(True)

    mug, key = Thing("object/1", "mug", MUG, known=True), Thing("object/2", "key", NEAR_MUG, known=True, on="object/3")
    world = TaskWorld([mug, key, Thing("object/3", "desk", NEAR_MUG, known=True)], sight=2.5)
    r = run(world, hand=hand, notes=world)
    assert r.go("pick up the mug").done
    mug.state = "moved"  # another one was taken for it
    assert r.go("pick up the key").done
    assert done == [("pick", "mug"), ("place", "desk"), ("pick", "key")]
    assert [e.text for e, _ in world.notes.kept][1] == "I put the mug on the desk"


@BODIES
def test_where_the_hand_took_a_thing_from_is_gone_back_to(run: Callable[..., Run]) -> None:
    mug, sink = Thing("object/1", "mug", MUG), Thing("object/2", "sink", NEAR_MUG)

    def hand(verb: str, label: str, position: Any) -> Handled:
        mug.is_there = verb != "pick"
        if verb == "place":
            mug.position, mug.is_there = NEAR_MUG, True
        return Handled(True)

    world = TaskWorld([mug, sink])
    r = run(world, hand=hand, notes=world)
    before = r.go("go back to where you took the mug from")
    assert not before.done
    assert "no record" in before.reason
    assert r.body.n_steps == 0, "it stays where it is"
    assert r.go("bring the mug to the sink").done
    assert distance(world.position(), NEAR_MUG) < 2.0
    outcome = r.go("go back to where you took the mug from")
    assert outcome.done, outcome.reason
    assert distance(world.position(), MUG) < 2.0
    assert [e.text for e in outcome.evidence] == ["I picked up the mug from the floor"]
    assert r.go("go back to where you took the mug from, then to the sink").done
    assert [child["status"] for child in r.tree["children"]] == ["done", "done"]
    assert distance(world.position(), NEAR_MUG) < 2.0


@BODIES
def test_where_a_thing_was_taken_from_and_nobody_can_get_to_ends_the_task(run: Callable[..., Run]) -> None:
    world = TaskWorld()
    world.remember("I picked up the mug from the shelf", "robot", labels=("mug", "shelf"), state="picked", position=MUG)
    world.remember("I put the mug on the sink", "robot", labels=("mug", "sink"), state="placed", position=NEAR_MUG)
    world.unreachable = [MUG]
    outcome = run(world).go("go back to where you took the mug from")
    assert not outcome.done
    assert "the shelf: a closed door is in the way" in outcome.reason


@BODIES
def test_a_memory_that_is_cleared_on_the_way_ends_the_task(run: Callable[..., Run]) -> None:
    r = run(TaskWorld([Thing("object/1", "mug", MUG)]))

    def clear(r: Run) -> bool:
        if r.n_motions == 40:
            r.world.clear()
        return False

    outcome = r.go("find the mug", stop=clear)
    assert not outcome.done
    assert "cleared" in outcome.reason
    assert r.tree["status"] == "failed"


def test_an_empty_memory_ends_the_task_at_once() -> None:
    r = navigated(TaskWorld([Thing("object/1", "mug", MUG)]))
    r.world.clear()
    outcome = r.go("find the mug")
    assert not outcome.done
    assert "nothing was observed yet" in outcome.reason
    assert not r.navigation.sent


@BODIES
@pytest.mark.parametrize("after", [0, 1, 5, 30, 60])
def test_a_task_can_be_cancelled_after_any_motion(run: Callable[..., Run], after: int) -> None:
    r = run(TaskWorld([Thing("object/1", "mug", MUG)]))
    r.go("find the mug", stop=lambda r: r.n_motions > after)
    assert r.tree["status"] == "cancelled"
    assert r.tree["children"][0]["status"] == "cancelled"
    if r.navigation is not None:
        r.body.stop()
        assert r.navigation.stands


def test_a_wait_for_an_image_ends_when_the_task_is_cancelled() -> None:
    class Blind(TaskWorld):
        """Whose camera has failed: no image comes any more."""

        def see(self) -> None: ...

    world, clock = Blind([Thing("object/1", "mug", NEAR_MUG, known=True)]), Clock()
    navigation = GridNavigation(world)
    limits = NavigationLimits(look_time=60.0)
    body = NavigatedBody(world, navigation, navigation.where, limits, clock=clock, sleep=clock.sleep)
    world.step("look")
    executor = TaskExecutor(world, TablePlanner(world), body)
    body.begin(100)
    began = clock()
    with pytest.raises(GivenUpError, match="waiting for an image"), cancelled_by(lambda: clock() - began > 1.0):
        list(executor.carry_out(executor.understood("find the mug"), "find the mug"))
    assert clock() - began < 1.5
    assert executor.tree.root.status == "cancelled"


def test_a_robot_that_does_not_come_on_is_given_up() -> None:
    for says in (False, True):
        world = TaskWorld([Thing("object/1", "mug", NEAR_MUG, known=True)])
        world.known[:] = True
        r = navigated(world, says=says)
        r.navigation.broken = True
        outcome = r.go("find the mug")
        assert not outcome.done
        assert "stood still" in outcome.reason
        assert r.navigation.stands


def test_what_the_navigation_says_is_passed_on() -> None:
    world = TaskWorld([Thing("object/1", "mug", NEAR_MUG, known=True)], sight=0.5)
    r = navigated(world, says=True)
    hidden = np.zeros_like(world.walls)
    hidden[:, 45:48] = True  # nobody sees why the way is barred
    barred = TaskWorld([Thing("object/1", "mug", NEAR_MUG, known=True)], hidden=hidden, sight=0.5)
    barred.known[:] = True
    r = navigated(barred, says=True)
    outcome = r.go("find the mug")
    assert not outcome.done
    assert "the wheels slip" in outcome.reason


def test_frontiers_that_flicker_do_not_make_the_robot_turn_back_for_ever() -> None:
    world = FlickeringFrontiers((2.0, 4.2, 0.0), (14.0, 4.2, 0.0))
    r = navigated(world)
    outcome = r.go("find the unicorn")
    assert not outcome.done
    assert "everything reachable was explored" in outcome.reason
    assert len(r.navigation.sent) < 30


def test_a_second_try_takes_the_candidate_last_that_failed_in_the_first() -> None:
    shelf = Thing("object/1", "mug", NEAR_MUG, is_there=False, known=True)
    table = Thing("object/2", "mug", MUG, known=True)
    world = TaskWorld([shelf, table])
    world.known[:] = True
    plans = PlanMemory(world)
    first = stepped(world, plans=plans)
    assert first.go("find the mug").done
    assert tries(first) == [("object/1", "failed"), ("object/2", "done")]
    shelf.state = "present"  # a memory that was told so; nobody has seen it since
    world._position = START  # the shelf is nearer again
    second = stepped(world, plans=plans)
    assert second.go("find the mug").done
    assert tries(second) == [("object/2", "done")]
    shelf.stamp_ns = world.newest_stamp_ns + 1  # now somebody has
    world._position = START
    third = stepped(world, plans=plans)
    third.go("find the mug")
    assert tries(third)[0][0] == "object/1"
    assert second.tree["evidence"], "the first task is an example for the second"
    began_ns = second.executor.tree.root.began_ns
    assert began_ns > 0
    assert any(f"(begun {time_phrase(began_ns)})" in past.text for past in plans.similar("find the mug", 3))


def test_a_way_that_could_not_be_driven_is_tried_later_though_the_thing_is_seen() -> None:
    cellar, hall = Thing("object/1", "lamp", MUG, known=True), Thing("object/2", "lamp", NEAR_MUG, known=True)
    world = TaskWorld([cellar, hall])
    world.known[:] = True
    world.unreachable = [MUG]
    plans = PlanMemory(world)
    assert stepped(world, plans=plans).go("find the lamp").done
    cellar.stamp_ns = world.newest_stamp_ns + 10
    again = stepped(world, plans=plans)
    assert again.go("find the lamp").done
    assert tries(again) == [("object/2", "done")]


def test_without_an_instruction_no_task_is_kept() -> None:
    r = stepped(TaskWorld([Thing("object/1", "mug", NEAR_MUG)]))
    r.executor = TaskExecutor(r.world, TablePlanner(r.world), r.body, plans=PlanMemory(r.world))
    r.body.begin(1000)
    motions = list(r.executor.carry_out((Order("find", "mug"),)))
    assert motions
    assert r.tree["status"] == "done"
    assert [labels for _, labels in r.world.notes.kept] == [("found", "mug")], "only where the search ended"
