"""The action `execute_task`: one task at a time, told of at every step, stopped at any time, and the robot with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from loci_ros.action import ExecuteTask

from loci.nodes.conversions import to_evidence, to_point
from loci.nodes.errors import Code, RequestError
from loci.perception.text import TextEncoder
from loci.planning.bodies import BodyError, Motion
from loci.planning.cancelling import GivenUpError, cancelled_by
from loci.planning.execution import TaskExecutor
from loci.planning.navigated import NavigatedBody
from loci.planning.orders import Order
from loci.planning.revisiting import Revisit
from loci.planning.task_context import Outcome
from loci.query import check_limit

MAX_STEPS = 10_000
#: Feedback comes on every change, and at most so long after the last one [s].
_FEEDBACK_PERIOD = 1.0

NOT_UNDERSTOOD = (
    "I do not understand {instruction}. I can find things and go to things, places and rooms ('find the mug', 'go to the kitchen'), go back to "
    "where I saw something, or took it from, answer questions ('is the window in the bedroom closed?'), and, with a hand, bring, put, open, close and switch things."
)


class TaskAction:
    """Carries out goals of `execute_task`.

    Args:
        make: executor and body of a new task.
        goes_on: whether the node still works.
        map_frame: of goals and evidence.
        encoder: helps to understand instructions; None: by words only.
    """

    def __init__(
        self,
        make: Callable[[], tuple[TaskExecutor, NavigatedBody]],
        goes_on: Callable[[], bool],
        map_frame: str,
        encoder: TextEncoder | None = None,
    ) -> None:
        self._make, self._goes_on, self._map_frame = make, goes_on, map_frame
        self._encoder = encoder
        self._turn = threading.Lock()
        self._instruction = ""

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait for the task under way [s]; whether none is left."""
        if not self._turn.acquire(timeout=timeout):
            return False
        self._turn.release()
        return True

    def carry_out(self, handle: Any, result: Any) -> None:
        """Fill the result and set the goal's state.

        Raises:
            RequestError: another task is under way, it was cancelled, or memory or robot do not answer.
            ValueError: the instruction, its steps or its time are none.
        """
        goal = handle.request
        check_limit(int(goal.max_steps), MAX_STEPS)
        seconds = goal.max_time.sec + goal.max_time.nanosec * 1e-9
        if seconds < 0:
            raise ValueError(f"expected max_time >= 0 s, got {seconds:g} s")
        if not self._turn.acquire(blocking=False):
            raise RequestError(
                Code.UNAVAILABLE,
                f"another task is under way ({self._instruction[:200]!r}): cancel it first, or wait for its end",
            )
        try:
            self._instruction = goal.instruction
            executor, body = self._make()
            orders = executor.understood(goal.instruction, self._encoder)
            if not orders:
                result.answer = NOT_UNDERSTOOD.format(instruction=repr(goal.instruction.strip()[:200]))
                handle.abort()
                return
            self._run(handle, result, executor, body, orders, seconds)
        finally:
            self._instruction = ""
            self._turn.release()

    def _run(
        self,
        handle: Any,
        result: Any,
        executor: TaskExecutor,
        body: NavigatedBody,
        orders: tuple[Order | Revisit, ...],
        seconds: float,
    ) -> None:
        first_step = body.n_steps
        body.begin(int(handle.request.max_steps))
        began = time.monotonic()
        telling = _Feedback(handle, executor, body, self._map_frame)
        doing = executor.carry_out(orders, handle.request.instruction)
        outcome: Outcome | None = None
        with _stopped(body):
            try:
                telling.tell(Motion("recalling"))
                while outcome is None:
                    if handle.is_cancel_requested:
                        raise RequestError(Code.CANCELED, f"cancelled while {telling.stage}")
                    if not self._goes_on():
                        raise RequestError(Code.CANCELED, f"the planner was deactivated while {telling.stage}")
                    if seconds and time.monotonic() - began > seconds:
                        doing.close()
                        outcome = Outcome(False, f"not done within {seconds:g} s")
                        executor.tree.root.end("failed", outcome.reason, body.stamp_ns)
                        body.stop()  # before anything is asked that may wait
                        executor.remember(handle.request.instruction, outcome)
                        break
                    try:
                        with cancelled_by(lambda: not self._goes_on()):
                            motion = next(doing)
                        telling.tell(motion)
                    except StopIteration as end:
                        outcome = end.value
            except Exception as error:
                if handle.is_cancel_requested:  # also what it waited for was given up
                    executor.tree.root.end("cancelled", f"cancelled while {telling.stage}", body.stamp_ns)
                elif isinstance(error, GivenUpError):
                    why = f"the planner was deactivated while {telling.stage}"
                    executor.tree.root.end("cancelled", why, body.stamp_ns)
                    raise RequestError(Code.CANCELED, why) from error
                raise
            finally:
                doing.close()
                result.n_steps = body.n_steps - first_step
                result.task_tree = executor.tree.to_json()
        assert outcome is not None
        result.success = outcome.done
        result.answer = outcome.answer.answer if outcome.answer is not None else _sentence(outcome.reason)
        result.evidence = [to_evidence(e, self._map_frame) for e in outcome.evidence]
        # A task that failed is no error of the request: the answer says what is missing.
        (handle.succeed if outcome.done else handle.abort)()


class _Feedback:
    """Tells how far a task is, whenever that changes."""

    def __init__(self, handle: Any, executor: TaskExecutor, body: NavigatedBody, map_frame: str) -> None:
        self._handle, self._executor, self._body, self._map_frame = handle, executor, body, map_frame
        self._first_step = body.n_steps
        self._told: tuple[Any, ...] = ()
        self._told_at = 0.0
        self.stage = "recalling"

    def tell(self, motion: Motion) -> None:
        self.stage = motion.stage
        tree = self._executor.tree.to_json()
        step = self._body.n_steps - self._first_step
        state = (motion.stage, motion.goal, step, tree)
        now = time.monotonic()
        if state == self._told and now - self._told_at < _FEEDBACK_PERIOD:
            return
        self._told, self._told_at = state, now
        feedback = ExecuteTask.Feedback(step=step, stage=motion.stage, task_tree=tree)
        if motion.goal is not None:
            feedback.goal.header.frame_id = self._map_frame
            feedback.goal.pose.position = to_point(motion.goal)
        self._handle.publish_feedback(feedback)


@contextmanager
def _stopped(body: NavigatedBody) -> Iterator[None]:
    """The robot stands afterwards, however it ends."""
    try:
        yield
    finally:
        # What ended the task is what is told, not that the robot could not be told to stop.
        with suppress(BodyError):
            body.stop()


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
