"""`TaskContext`: what the parts of a task share: memory, planner and body, what the memory has to know before it is asked, and the tries in the tree.

What is done for an order is in `going_to`, `handling`, `going_back` and `finding_out`: generators that yield after every action and return an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from loci.planning.bodies import Body, Handled, Motion
from loci.planning.plan_memory import PlanMemory
from loci.planning.protocols import Answer, MemoryReader, NoteMemory, Planner
from loci.planning.relevance import Interest
from loci.planning.task_tree import TaskNode
from loci.query import Evidence

#: Actions of exploring between two questions to the memory.
_EXPLORE_STEPS = 4

#: Work on a candidate: what came of it.
Work = Callable[[Evidence], Generator[Motion, None, Handled]]


@dataclass(frozen=True)
class Outcome:
    """How an order ended: whether it is done, in plain words why or why not, and what it rests on."""

    done: bool
    reason: str
    evidence: tuple[Evidence, ...] = ()
    answer: Answer | None = None


class MemoryLostError(RuntimeError):
    """What the task rests on is gone: the memory was cleared or exchanged, or never saw anything."""


@dataclass(frozen=True)
class Recall:
    """A question that was put to the memory on the way, and its first usable answer.

    Attributes:
        words: what was looked for.
        found: None: nothing.
    """

    words: str
    found: Evidence | None


@dataclass
class TaskContext:
    """What the parts of a task share.

    Attributes:
        memory, planner, body, may_use, told, plans, notes, tolerance: see `loci.planning.execution.TaskExecutor`.
        order: the order under way, in the task tree.
        look_at: id of the frontier that the planner's last answer chose; empty: none.
    """

    memory: MemoryReader
    planner: Planner
    body: Body
    may_use: Callable[[Evidence], bool]
    told: Callable[[Recall], None]
    plans: PlanMemory | None
    notes: NoteMemory | None
    tolerance: float
    order: TaskNode
    look_at: str = ""
    _expected_ns: int = 0  # the memory has to know the images up to here before it is asked
    _newest_ns: int = 0  # what it knew when it was asked last

    def look(self) -> Generator[Motion, None, None]:
        """Take an image; what is asked next waits for it."""
        self._expected_ns = self.body.look()
        yield Motion("looking")

    def explore(self, interest: Interest | None = None) -> Generator[Motion, None, bool]:
        """A few actions of exploring; returns whether something is left to explore.

        Args:
            interest: metres of way that looking at points is worth; None: all are worth the same.
        """
        left = yield from self.body.explore(_EXPLORE_STEPS, interest, self.look_at)
        self.expect_images()
        return left

    def expect_images(self) -> None:
        """What is asked next waits for the images that were taken on the way so far."""
        self._expected_ns = max(self._expected_ns, self.body.stamp_ns)

    def up_to_date(self) -> None:
        """Wait until the memory knows the images that are expected.

        Raises:
            MemoryLostError: it was cleared or exchanged, or has seen nothing at all.
        """
        newest_ns = self.memory.newest_stamp_ns
        if newest_ns < self._newest_ns:
            raise MemoryLostError(
                "the memory was cleared, another one was loaded, or the clock went back, while the task was under way"
            )
        if newest_ns < self._expected_ns:
            self.memory.wait_for(self._expected_ns)
        self._newest_ns = max(newest_ns, self._expected_ns)
        if self._newest_ns == 0:
            raise MemoryLostError("nothing was observed yet: does the camera run?")

    def begin_try(self, what: str, target: Evidence) -> TaskNode:
        """One more try at the order under way, in the tree."""
        return self.order.begin_try(what, self.body.stamp_ns, (target.id,))

    def tried(self, target: Evidence, what: str, work: Work) -> Generator[Motion, None, Handled]:
        """Work on a candidate, as a try in the tree."""
        node = self.begin_try(what, target)
        handled = yield from work(target)
        node.end("done" if handled.done else "failed", handled.reason, self.body.stamp_ns)
        return handled
