"""Who carries out tasks: an oracle and a random walker that show the scale, and a scripted robot that uses its memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from loci.nodes.client import MemoryClient
from loci.nodes.tasks import thing_to_find
from loci.planning.driving import Driver, PathSource, bearing, drive_to
from loci.planning.exploration import ExplorationParameters, ExplorationProgress, explore
from loci.planning.protocols import Action
from loci.planning.words import normalise
from loci.query import Evidence, Query
from loci_sim.evaluation.instructions import parse_chore
from loci_sim.evaluation.robot import SimulatedRobot, TrueMap
from loci_sim.evaluation.tasks import Asked, Chore, Goal, MemoryUse, Question, Reply, Stop

#: How near to a thing the way may end [m]: it may stand on furniture or against a wall.
_TOLERANCE = 1.5
#: Actions of exploring between two questions to the memory.
_EXPLORE_STEPS = 4
#: A remembered image is the one that was shown from this score on.
_SAME_VIEW = 0.8
#: Viewpoints that an oracle tries to work from.
_ORACLE_TRIES = 6
#: Chance of stopping at every step of a random walk, its actions, what it tries with things, and what it guesses.
_STOP_CHANCE = 0.01
_DEEDS = ("pick", "place", "open", "switch_on", "switch_off", "clean")
_GUESSES = ("yes", "no", "one", "two", "three", "in the kitchen", "in the bedroom", "a book", "red", "white")
_WALK: tuple[Action, ...] = ("move_forward", "move_forward", "turn_left", "turn_right")


class Policy(Protocol):
    """Carries out the tasks of one row after another.

    Attributes:
        n_explorations: visits to places only to look for something.
    """

    n_explorations: int

    def begin_task(self) -> None:
        """A new task comes: what must not be used any more is forgotten."""

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        """Go to a goal in at most so many actions. Of the goal only ``text`` and ``image`` may be used, but by oracles."""

    def answer(self, question: Question, max_steps: int) -> Reply:
        """Find an answer in at most so many actions. Of the question only ``text`` may be used, but by oracles."""

    def carry_out(self, chore: Chore, max_steps: int, asked: Callable[[Asked], None]) -> Stop:
        """Do a chore; ``asked`` is told every question to the memory. Of the chore only ``text`` may be used, but by oracles."""


class RandomPolicy:
    """Walks at random and now and then says that it is there."""

    n_explorations = 0

    def __init__(self, robot: SimulatedRobot, seed: int) -> None:
        self._robot, self._rng = robot, np.random.default_rng([seed, 3])

    def begin_task(self) -> None: ...

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        for _ in range(max_steps):
            if self._rng.random() < _STOP_CHANCE:
                break
            self._robot.step(_WALK[int(self._rng.integers(len(_WALK)))])
        return Stop(True, "stopped at random")

    def answer(self, question: Question, max_steps: int) -> Reply:
        return Reply(str(self._rng.choice(_GUESSES)), True, reason="guessed")

    def carry_out(self, chore: Chore, max_steps: int, asked: Callable[[Asked], None]) -> Stop:
        for i in range(max_steps):
            if self._rng.random() < _STOP_CHANCE:
                break
            self._robot.step(_WALK[int(self._rng.integers(len(_WALK)))])
            if i % 10 == 0:
                # Whatever is nearest is grasped for.
                self._robot.interact(str(self._rng.choice(_DEEDS)), position=(*self._robot.position()[:2], 0.8))
        return Stop(True, "stopped at random")


class OraclePolicy:
    """Knows everything: drives the shortest way to the nearest viewpoint. What it misses, nobody can reach."""

    n_explorations = 0

    def __init__(self, robot: SimulatedRobot) -> None:
        self._robot = robot

    def begin_task(self) -> None: ...

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        seen_from = self._robot.ground_truth(goal.object_ids)["viewpoints"]
        found = self._robot.nearest([p for points in seen_from.values() for p in points])
        if found is None:
            return Stop(False, "no viewpoint can be reached")
        x, y, z = found.points[-1].tolist()
        last = list(drive_to(Driver(TrueMap(self._robot), self._robot, max_steps), (x, y, z)))[-1]
        return Stop(last.outcome == "arrived", last.reason or "arrived")

    def answer(self, question: Question, max_steps: int) -> Reply:
        seen = self.seek(Goal("category", question.text, question.object_ids), max_steps)
        return Reply(question.accepted[0], True, 1, seen.reason)

    def carry_out(self, chore: Chore, max_steps: int, asked: Callable[[Asked], None]) -> Stop:
        for step in chore.steps:
            deeds: list[tuple[str, str]] = [(step.verb, step.object_ids[0])]
            if step.verb == "place":
                deeds = [("pick", step.object_ids[0]), ("place", step.target_ids[0])]
            for verb, identity in deeds:
                reason = handle(self._robot, verb, identity, max_steps)
                if reason:
                    return Stop(False, reason)
        return Stop(True, "done")


def handle(robot: SimulatedRobot, verb: str, identity: str, max_steps: int, ways: PathSource | None = None) -> str:
    """As an oracle: do something with a thing from its viewpoints, the nearest first; why it could not be done, or empty."""
    truth = robot.ground_truth([identity])
    at = next(np.array(o["T_map_box"])[:3, 3] for o in truth["objects"] if o["id"] == identity)
    left, reason = list(truth["viewpoints"][identity]), f"{identity} has no viewpoint"
    for _ in range(_ORACLE_TRIES):
        found = robot.nearest(left)
        if found is None:
            return reason
        x, y, z = left.pop(found.index)
        driver = Driver(ways or TrueMap(robot), robot, max_steps)
        list(drive_to(driver, (x, y, z), bearing((x, y), (float(at[0]), float(at[1])))))
        result = robot.interact(verb, object_id=identity)
        if result.done:
            return ""
        reason = result.reason
    return reason


class ScriptedPolicy:
    """Asks the memory, drives to what it names, and explores while it names nothing.

    Args:
        memory: over its services.
        robot: whose images the memory takes in.
        use: what of the memory may be used.
    """

    def __init__(self, memory: MemoryClient, robot: SimulatedRobot, use: MemoryUse) -> None:
        self._memory, self._robot, self._use = memory, robot, use
        self._exploration: Iterator[ExplorationProgress] | None = None
        self._exploring_to: object = None
        self.n_explorations = 0

    def begin_task(self) -> None:
        if self._use == "none":
            self._memory.clear()
            self._exploration = None

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        driver = Driver(self._memory, self._robot, max_steps)
        first, rejected = len(self._robot.trace), set[str]()
        driver.act("look")
        explored = False
        while (left := max_steps - (len(self._robot.trace) - first)) > 0:
            target = self._recall(goal, rejected, desperate=explored)
            if target is not None:
                driver.max_steps = driver.n_steps + left
                if self._reach(driver, target):
                    return Stop(True, target.text or target.id)
                rejected.add(target.id)
            elif explored:
                return Stop(False, "everything reachable was explored, and nothing like it is known")
            else:
                explored = not self._explore(min(left, _EXPLORE_STEPS))
        return Stop(False, f"not found within {max_steps} steps")

    def answer(self, question: Question, max_steps: int) -> Reply:
        """Ask after every few steps of exploring, until the memory knows or nothing is left to explore."""
        first = len(self._robot.trace)
        Driver(self._memory, self._robot, max_steps).act("look")
        explored = False
        while True:
            found = self._memory.ask(question.text, min_stamp_ns=self._robot.trace[-1][0])
            usable = all(self._may_use(e) for e in found.evidence if e.kind == "object")
            n_images = len({e.keyframe_id for e in found.evidence if e.keyframe_id})
            left = max_steps - (len(self._robot.trace) - first)
            if found.known and usable:
                return Reply(found.answer, True, n_images, "the memory knows")
            if explored or left <= 0:
                reason = "nothing reachable is left to explore" if explored else f"not known after {max_steps} steps"
                return Reply(found.answer, False, n_images, reason)
            explored = not self._explore(min(left, _EXPLORE_STEPS))

    def carry_out(self, chore: Chore, max_steps: int, asked: Callable[[Asked], None]) -> Stop:
        """Step by step: find the thing, handle it, find the place, put it there. What fails once is tried with the next best thing."""
        deeds = parse_chore(chore.text)
        if not deeds:
            return Stop(False, f"I do not understand {chore.text!r}")
        first = len(self._robot.trace)
        for verb, words in deeds:
            left = max_steps - (len(self._robot.trace) - first)
            reason = self._handle(verb, words, left, asked)
            if reason:
                return Stop(False, f"{verb} {words}: {reason}")
        return Stop(True, "done")

    def _handle(self, verb: str, words: str, max_steps: int, asked: Callable[[Asked], None]) -> str:
        """Find a thing and do something with it; why it could not be done, or empty."""
        first, rejected = len(self._robot.trace), set[str]()
        driver = Driver(self._memory, self._robot, max(max_steps, 1))
        driver.act("look")
        explored, reason = False, "never seen"
        last: Asked | None = None
        while (left := max_steps - (len(self._robot.trace) - first)) > 0:
            stamp = self._robot.trace[-1][0]
            found = [e for e in self._things(words, stamp) if e.id not in rejected]
            target = next((e for e in found if e.is_goal and e.position is not None and self._may_use(e)), None)
            query = Asked(
                words, target.position if target else None, target is not None and self._is_short_term(target)
            )
            # The same question with the same answer, while exploring goes on, is one.
            if query != last:
                asked(query)
            last = query
            if target is None:
                if explored:
                    return reason
                explored = not self._explore(min(left, _EXPLORE_STEPS))
                continue
            driver.max_steps = driver.n_steps + left
            rejected.add(target.id)
            if self._reach(driver, target):
                result = self._robot.interact(verb, target.label, target.position)
                if result.done:
                    return ""
                reason = result.reason
        return f"not within {max_steps} steps ({reason})"

    def _things(self, words: str, stamp_ns: int) -> list[Evidence]:
        """Objects that words mean, best first."""
        if words.startswith("something"):
            return list(self._memory.recall(Query(text=words, kinds=("object",), limit=5), stamp_ns).evidence)
        answer = self._memory.ask(f"where is the {words}", min_stamp_ns=stamp_ns)
        found = [e for e in answer.evidence if answer.known and e.kind == "object" and e.state != "missing"]
        # "The mug on the table": the evidence names the table, too.
        head = normalise(re.split(r" (?:on|in) the ", words)[0])
        return [e for e in found if normalise(e.label) in head] or found

    def _is_short_term(self, evidence: Evidence) -> bool:
        """Whether a short-term record tells of an object."""
        query = Query(object_id=evidence.object_id or evidence.id, kinds=("episode",), limit=20)
        return any(r.origin == "short_term" for r in self._memory.recall(query).evidence)

    def _explore(self, n_steps: int) -> bool:
        """Some steps of exploring; False if there is nothing left to explore."""
        if self._exploration is None:
            self._exploration = explore(self._memory, self._robot, ExplorationParameters(max_steps=1_000_000))
        for _ in range(n_steps):
            progress = next(self._exploration, None)
            if progress is None or progress.outcome:
                return False
            if progress.goal is not None and progress.goal != self._exploring_to:
                self.n_explorations += 1
            self._exploring_to = progress.goal
        return True

    def _reach(self, driver: Driver, target: Evidence) -> bool:
        """Drive to what is remembered and look at it; whether it is there."""
        assert target.position is not None
        if list(drive_to(driver, target.position, None, _TOLERANCE))[-1].outcome != "arrived":
            return False
        if target.kind != "object":
            return True
        for _ in driver.face(bearing(self._robot.position(), target.position)):
            pass
        if not driver.has_steps:
            return True  # it stands before it; looking once more would be a step too many
        stamp = driver.act("look").stamp_ns
        self._memory.statistics(min_stamp_ns=stamp)
        now = self._memory.recall(Query(object_id=target.id, kinds=("object",), limit=1)).evidence
        return bool(now) and now[0].state != "missing"

    def _recall(self, goal: Goal, rejected: set[str], desperate: bool) -> Evidence | None:
        """What the memory holds for a goal: the first thing that can be driven to and was not tried yet."""
        stamp = self._robot.trace[-1][0]
        if goal.image is not None:
            query = Query(image=_pixels(goal.image), kinds=("keyframe",), limit=10)
            found = [e for e in self._memory.recall(query, stamp).evidence if desperate or e.score >= _SAME_VIEW]
        else:
            thing = thing_to_find(goal.text)
            found = self._things(thing, stamp) if thing else []
        usable = (e for e in found if e.is_goal and e.position is not None and e.id not in rejected)
        return next((e for e in usable if self._may_use(e)), None)

    def _may_use(self, evidence: Evidence) -> bool:
        """Whether the memory that is allowed holds it: "short" only what a short-term record tells of."""
        return self._use != "short" or self._is_short_term(evidence)


def _pixels(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB of a JPEG."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected a JPEG, got {len(jpeg)} bytes that are none")
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
