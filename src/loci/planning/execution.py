"""`TaskExecutor`: carries out orders with a memory: recall, go there, look whether it is there, explore where nothing is known.

It decides with what a `MemoryReader` and a `Planner` tell, and acts through a `Body`; no simulator, no ROS. Everything is a generator that yields
after every action: who runs a task can stop it, bound it, or tell how far it is, between any two. What is done for each order is in `going_to`,
`handling`, `going_back` and `finding_out`; this module takes one order after the other and keeps the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loci.observation import Detection
from loci.planning.bodies import Body, BodyError, Motion
from loci.planning.cancelling import GivenUpError
from loci.planning.finding_out import find_out
from loci.planning.going_back import go_back, revisit
from loci.planning.going_to import find, find_pictured
from loci.planning.handling import handle
from loci.planning.orders import Order
from loci.planning.plan_memory import PlanMemory
from loci.planning.protocols import MemoryReader, NoteMemory, Planner
from loci.planning.revisiting import Revisit, understood
from loci.planning.task_context import MemoryLostError, Outcome, Recall, TaskContext
from loci.planning.task_tree import Status, TaskTree
from loci.query import Evidence

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: How near to a thing the way may end, if nothing else is said [m].
TOLERANCE = 1.5


class TaskExecutor:
    """Carries out orders.

    Args:
        memory: of the robot.
        planner: says where things are, and answers.
        body: what drives.
        may_use: what of the memory may be used; for evaluations.
        told: is told of every question to the memory.
        plans: what came of past tasks; None: it is neither consulted nor kept.
        notes: is told what the hand did; None: nobody is.
        tolerance: how near to a thing the way may end [m]: it may stand on furniture or against a wall.

    Attributes:
        tree: of the task under way, or of the last one.
    """

    def __init__(
        self,
        memory: MemoryReader,
        planner: Planner,
        body: Body,
        *,
        may_use: Callable[[Evidence], bool] = lambda _: True,
        told: Callable[[Recall], None] = lambda _: None,
        plans: PlanMemory | None = None,
        notes: NoteMemory | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.tree = TaskTree("")
        self._task = TaskContext(memory, planner, body, may_use, told, plans, notes, tolerance, self.tree.root)

    def understood(self, instruction: str, encoder: TextEncoder | None = None) -> tuple[Order | Revisit, ...]:
        """Orders of an instruction, which may speak of what this robot's hand did; see `loci.planning.revisiting.understood`."""
        return understood(instruction, self._task.memory, encoder)

    def carry_out(self, orders: Sequence[Order | Revisit], instruction: str = "") -> Generator[Motion, None, Outcome]:
        """One order after the other; the first that fails ends it. The tree tells how far it is.

        Args:
            orders: in their order.
            instruction: that they are of.
        """
        self.tree = TaskTree(instruction, [phrase(order) for order in orders])
        return self._carry_out(orders, instruction)

    def _carry_out(self, orders: Sequence[Order | Revisit], instruction: str) -> Generator[Motion, None, Outcome]:
        task, body, root = self._task, self._task.body, self.tree.root
        root.begin(body.stamp_ns or task.memory.newest_stamp_ns)
        outcome = Outcome(False, "nothing was ordered")
        evidence: dict[str, Evidence] = {}
        is_lost = False
        try:
            if instruction and task.plans is not None:
                root.evidence = tuple(past.id for past in task.plans.similar(instruction))
            for order, node in zip(orders, root.children, strict=True):
                task.order = node
                node.begin(body.stamp_ns)
                try:
                    outcome = yield from self._order(order)
                except (BodyError, MemoryLostError) as error:
                    outcome, is_lost = Outcome(False, str(error)), isinstance(error, MemoryLostError)
                status: Status = "done" if outcome.done else "failed"
                node.end(status, outcome.reason, body.stamp_ns, (e.id for e in outcome.evidence))
                evidence |= {e.id: e for e in outcome.evidence}
                if not outcome.done:
                    outcome = replace(outcome, reason=f"{phrase(order)}: {outcome.reason}")
                    break
        except (GeneratorExit, GivenUpError):
            root.end("cancelled", "cancelled", body.stamp_ns)
            raise
        except Exception as error:
            root.end("failed", str(error) or type(error).__name__, body.stamp_ns)
            raise
        root.end("done" if outcome.done else "failed", outcome.reason, body.stamp_ns)
        if instruction and not is_lost:
            self.remember(instruction, outcome)
        return replace(outcome, evidence=tuple(evidence.values()))

    def remember(self, instruction: str, outcome: Outcome) -> None:
        """Keep what came of a task; `carry_out` does so for those that it ends itself."""
        if self._task.plans is not None:
            began_ns = self.tree.root.began_ns
            self._task.plans.remember_task(instruction, outcome.done, outcome.reason, began_ns=began_ns)

    def find(
        self, words: str = "", image: npt.NDArray[np.uint8] | None = None, detections: Sequence[Detection] = ()
    ) -> Generator[Motion, None, Outcome]:
        """Go to what is called so, or to what a picture shows, and look whether it is there.

        Args:
            words: "red mug"; not needed with a picture.
            image: the picture, (H, W, 3) uint8 RGB; None: there is none.
            detections: what the robot's detector saw in it; none: it is looked for by its looks alone.
        """
        if image is None:
            return find(self._task, words)
        return find_pictured(self._task, words, image, detections)

    def find_out(self, question: str, *, stay: bool = False) -> Generator[Motion, None, Outcome]:
        """Find the answer to a question out, without moving if need be (``stay``); see `loci.planning.finding_out.find_out`."""
        return find_out(self._task, question, stay=stay)

    def _order(self, order: Order | Revisit) -> Generator[Motion, None, Outcome]:
        task = self._task
        if isinstance(order, Revisit):
            return (yield from revisit(task, order))
        if order.stay and order.verb not in ("find", "answer"):
            return Outcome(False, "that cannot be done without moving")
        if order.verb == "answer":
            return (yield from find_out(task, order.words, stay=order.stay))
        if order.stay:
            return (yield from find_out(task, f"where is the {order.words}", stay=True))
        if order.verb == "find" and order.last_seen:
            return (yield from go_back(task, order.words))
        if order.verb == "find":
            return (yield from find(task, order.words))
        return (yield from handle(task, order))


def phrase(order: Order | Revisit) -> str:
    """An order in plain words, for people."""
    if isinstance(order, Revisit):
        return order.words
    if order.verb == "answer":
        return order.words
    if order.last_seen:
        return f"go back to where the {order.words} was seen"
    return f"{order.verb.replace('_', ' ')} {order.words}" + (" without moving" if order.stay else "")
