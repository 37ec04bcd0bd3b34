"""`TaskExecutor`: carries out orders with a memory: recall, go there, look whether it is there, explore where nothing is known.

It decides with what a `MemoryReader` and a `Planner` tell, and acts through a `Body`; no simulator, no ROS. Everything is a generator that yields
after every action: who runs a task can stop it, bound it, or tell how far it is, between any two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.planning.approach import approach
from loci.planning.bodies import Body, Motion
from loci.planning.orders import Order
from loci.planning.protocols import Answer, MemoryReader, Planner, Point
from loci.planning.seeking import pictured, things_meant
from loci.query import Evidence, Query

#: How near to a thing the way may end [m]: it may stand on furniture or against a wall.
TOLERANCE = 1.5
#: Actions of exploring between two questions to the memory.
_EXPLORE_STEPS = 4


@dataclass(frozen=True)
class Outcome:
    """How an order ended: whether it is done, in plain words why or why not, and what it rests on."""

    done: bool
    reason: str
    evidence: tuple[Evidence, ...] = ()
    answer: Answer | None = None


@dataclass(frozen=True)
class Recall:
    """A question that was put to the memory on the way, and its first usable answer.

    Attributes:
        words: what was looked for.
        found: None: nothing.
    """

    words: str
    found: Evidence | None


class TaskExecutor:
    """Carries out orders.

    Args:
        memory: of the robot.
        planner: says where things are, and answers.
        body: what drives.
        may_use: what of the memory may be used; for evaluations.
        told: is told of every question to the memory.
    """

    def __init__(
        self,
        memory: MemoryReader,
        planner: Planner,
        body: Body,
        *,
        may_use: Callable[[Evidence], bool] = lambda _: True,
        told: Callable[[Recall], None] = lambda _: None,
    ) -> None:
        self._memory, self._planner, self._body = memory, planner, body
        self._may_use, self._told = may_use, told
        self._stamp_ns = 0

    def carry_out(self, orders: tuple[Order, ...]) -> Generator[Motion, None, Outcome]:
        """One order after the other; the first that fails ends it."""
        outcome = Outcome(False, "nothing was ordered")
        for order in orders:
            if order.verb == "find":
                outcome = yield from self.find(order.words)
            elif order.verb == "answer":
                outcome = yield from self.find_out(order.words)
            else:
                outcome = yield from self.handle(order)
            if not outcome.done:
                return Outcome(False, f"{order.verb} {order.words}: {outcome.reason}", outcome.evidence, outcome.answer)
        return outcome

    def find(self, words: str = "", image: npt.NDArray[np.uint8] | None = None) -> Generator[Motion, None, Outcome]:
        """Go to what is called so, or to what a picture (H, W, 3) RGB shows, and look whether it is there."""
        rejected: set[str] = set()
        explored = False
        yield from self._look()
        while self._body.steps_left > 0:
            found = self._pictured(image, explored) if image is not None else self._things(words, explored)
            target = self._first(words, found, rejected)
            if target is not None:
                if (yield from self._reach(target)):
                    return Outcome(True, target.text or target.id, (target,))
                rejected.add(target.id)
            elif explored:
                return Outcome(False, "everything reachable was explored, and nothing like it is known")
            else:
                explored = not (yield from self._explore())
        return Outcome(False, "not found within the steps allowed")

    def find_out(self, question: str) -> Generator[Motion, None, Outcome]:
        """Ask after every few steps of exploring, until the memory knows or nothing is left to explore."""
        yield from self._look()
        explored = False
        while True:
            self._memory.wait_for(self._stamp_ns)
            answer = self._planner.ask(question, self._memory)
            if answer.known and all(self._may_use(e) for e in answer.evidence if e.kind == "object"):
                return Outcome(True, "the memory knows", answer.evidence, answer)
            if explored or self._body.steps_left <= 0:
                reason = "nothing reachable is left to explore" if explored else "not known within the steps allowed"
                return Outcome(False, reason, answer.evidence, answer)
            explored = not (yield from self._explore())

    def handle(self, order: Order) -> Generator[Motion, None, Outcome]:
        """Find a thing and do something with it. What fails once is tried with the next best thing."""
        rejected: set[str] = set()
        explored, reason = False, "never seen"
        yield from self._look()
        while self._body.steps_left > 0:
            target = self._first(order.words, self._things(order.words, explored), rejected)
            if target is None:
                if explored:
                    return Outcome(False, reason)
                explored = not (yield from self._explore())
                continue
            rejected.add(target.id)
            if (yield from self._reach(target)):
                assert target.position is not None
                handled = self._body.handle(order.verb, target.label, target.position)
                if handled.done:
                    return Outcome(True, f"{order.verb} {target.text or target.id}", (target,))
                reason = handled.reason
        return Outcome(False, f"not done within the steps allowed ({reason})")

    # --- what the memory says -----------------------------------------------------------------------------------------

    def _things(self, words: str, desperate: bool = False) -> list[Evidence]:
        """Objects that words mean, best first; looser where nothing is left to explore."""
        self._memory.wait_for(self._stamp_ns)
        return things_meant(words, self._memory, self._planner, self._body.position(), desperate=desperate)

    def _pictured(self, image: npt.NDArray[np.uint8], desperate: bool) -> list[Evidence]:
        """Remembered images like a picture; any, where nothing is left to explore."""
        self._memory.wait_for(self._stamp_ns)
        return pictured(self._memory, image, desperate=desperate)

    def _first(self, words: str, found: list[Evidence], rejected: set[str]) -> Evidence | None:
        """The first that can be driven to and was not tried yet."""
        usable = (e for e in found if e.is_goal and e.position is not None and e.id not in rejected)
        target = next((e for e in usable if self._may_use(e)), None)
        self._told(Recall(words, target))
        return target

    # --- what the robot does ------------------------------------------------------------------------------------------

    def _look(self) -> Generator[Motion, None, None]:
        self._stamp_ns = self._body.look()
        yield Motion("looking")

    def _explore(self) -> Generator[Motion, None, bool]:
        left = yield from self._body.explore(_EXPLORE_STEPS)
        self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
        return left

    def _reach(self, target: Evidence) -> Generator[Motion, None, bool]:
        """Drive to what is remembered and look at it; whether it is there."""
        assert target.position is not None
        at: Point = target.position
        if target.kind == "object":
            stuck = yield from approach(self._memory, self._body, target, TOLERANCE)
        else:
            stuck = yield from self._body.drive(at, TOLERANCE)
        self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
        if stuck:
            return False
        if target.kind != "object":
            return True
        yield from self._body.face(at)
        if self._body.steps_left <= 0:
            return True  # it stands before it; looking once more would be a step too many
        yield from self._look()
        self._memory.wait_for(self._stamp_ns)
        now = self._memory.recall(Query(object_id=target.id, kinds=("object",), limit=1)).evidence
        return bool(now) and now[0].state != "missing"
