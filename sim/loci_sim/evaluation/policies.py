"""Who carries out tasks: an oracle and a random walker that show the scale, and the robot with its memory."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from loci.nodes.client import MemoryClient
from loci.perception.text import MiniLMTextEncoder
from loci.planning.bodies import Handled, Motion, SteppedBody
from loci.planning.driving import Driver, PathSource, bearing, drive_to
from loci.planning.execution import TaskExecutor
from loci.planning.offline import OfflinePlanner
from loci.planning.orders import Verb, parse_instruction
from loci.planning.protocols import Action, Planner, Point
from loci.planning.task_context import Outcome, Recall
from loci.query import Evidence, Query
from loci_sim.evaluation.asking import StandingQuestions
from loci_sim.evaluation.robot import SimulatedRobot, TrueMap
from loci_sim.evaluation.tasks import Asked, Chore, Goal, MemoryUse, Question, Reply, Stop

#: Viewpoints that an oracle tries to work from.
_ORACLE_TRIES = 6
#: Chance of stopping at every step of a random walk, its actions, what it tries with things, and what it guesses.
_STOP_CHANCE = 0.01
_DEEDS = ("pick", "place", "open", "switch_on", "switch_off", "clean")
_GUESSES = ("yes", "no", "one", "two", "three", "in the kitchen", "in the bedroom", "a book", "red", "white")
_WALK: tuple[Action, ...] = ("move_forward", "move_forward", "turn_left", "turn_right")


@cache
def text_encoder() -> MiniLMTextEncoder:
    """The text model of this process, loaded once."""
    return MiniLMTextEncoder()


@cache
def offline_planner() -> OfflinePlanner:
    """The planner of this process."""
    return OfflinePlanner(text_encoder())


class Policy(Protocol):
    """Carries out the tasks of one row after another."""

    @property
    def n_explorations(self) -> int:
        """Visits to places only to look for something."""

    def begin_task(self) -> None:
        """A new task comes: what must not be used any more is forgotten."""

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        """Go to a goal in at most so many actions. Of the goal only ``text``, ``image`` and ``detections`` may be used, but by oracles."""

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


class RememberingPolicy:
    """The robot with its memory: carries tasks out as on a robot (`loci.planning.execution`), with the planner's own parser.

    Args:
        memory: over its services.
        planner: says where things are, and answers.
        robot: whose images the memory takes in.
        use: what of the memory may be used.
    """

    def __init__(self, memory: MemoryClient, planner: Planner, robot: SimulatedRobot, use: MemoryUse) -> None:
        self._memory, self._planner, self._robot, self._use = memory, planner, robot, use
        self._body = SteppedBody(memory, robot, self._hand)

    @property
    def n_explorations(self) -> int:
        return self._body.n_explorations

    def begin_task(self) -> None:
        if self._use == "none":
            self._memory.clear()
            self._body.forget_exploration()

    def seek(self, goal: Goal, max_steps: int) -> Stop:
        if goal.image is not None:
            return self._stop(self._executor().find("", _pixels(goal.image), goal.detections), max_steps)
        return self._ordered(goal.text, max_steps)

    def answer(self, question: Question, max_steps: int) -> Reply:
        ended = self._end(self._executor().find_out(question.text), max_steps)
        assert ended.answer is not None
        n_images = len({e.keyframe_id for e in ended.evidence if e.keyframe_id})
        return Reply(ended.answer.answer, ended.done, n_images, ended.reason)

    def carry_out(self, chore: Chore, max_steps: int, asked: Callable[[Asked], None]) -> Stop:
        questions = StandingQuestions(asked)

        def told(recall: Recall) -> None:
            found = recall.found
            is_recent = found is not None and self._is_recent(found)
            questions.ask(Asked(recall.words, found.position if found else None, is_recent))

        ended = self._ordered(chore.text, max_steps, told)
        questions.end()
        return ended

    def _ordered(self, text: str, max_steps: int, told: Callable[[Recall], None] = lambda _: None) -> Stop:
        orders = parse_instruction(text, text_encoder())
        if not orders:
            return Stop(False, f"I do not understand {text!r}", "understanding")
        return self._stop(self._executor(told).carry_out(orders), max_steps)

    def _executor(self, told: Callable[[Recall], None] = lambda _: None) -> TaskExecutor:
        return TaskExecutor(
            self._memory, self._planner, self._body, may_use=self._may_use, told=told, notes=self._memory
        )

    def _stop(self, doing: Generator[Motion, None, Outcome], max_steps: int) -> Stop:
        ended = self._end(doing, max_steps)
        return Stop(ended.done, ended.reason)

    def _end(self, doing: Generator[Motion, None, Outcome], max_steps: int) -> Outcome:
        """Do it to its end."""
        self._body.begin(max_steps)
        while True:
            try:
                next(doing)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome

    def _hand(self, verb: Verb, label: str, position: Point) -> Handled:
        result = self._robot.interact(verb, label, position)
        return Handled(result.done, result.reason)

    def _is_recent(self, evidence: Evidence) -> bool:
        """Whether a short-term record tells of an object."""
        query = Query(object_id=evidence.object_id or evidence.id, kinds=("episode",), limit=20)
        return any(r.origin == "short_term" for r in self._memory.recall(query).evidence)

    def _may_use(self, evidence: Evidence) -> bool:
        """Whether the memory that is allowed holds it: "short" only what a short-term record tells of."""
        return self._use != "short" or self._is_recent(evidence)


def _pixels(jpeg: bytes) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB of a JPEG."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected a JPEG, got {len(jpeg)} bytes that are none")
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
