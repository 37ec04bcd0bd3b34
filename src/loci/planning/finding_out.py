"""Finding an answer out: asking, exploring a little, asking again; and looking at what the question is about, where it is known."""

from __future__ import annotations

from collections.abc import Generator

from loci.planning.bodies import Handled, Motion
from loci.planning.going_to import look_for
from loci.planning.protocols import Answer
from loci.planning.task_context import Outcome, TaskContext
from loci.planning.tries import Tries
from loci.query import Evidence

#: Actions of exploring after which an answer that may still change is given.
_MAX_SETTLING = 100


def find_out(task: TaskContext, question: str, *, stay: bool = False) -> Generator[Motion, None, Outcome]:
    """Ask after every few steps of exploring, until the memory knows or nothing is left to explore.

    Where the thing is known, but not what was asked, it is driven to and looked at first. An answer that may change as long as its
    surroundings are unexplored (a number, a room without a name) is given after a look at these, bounded. One about what only
    resembles the thing is given where nothing is left to explore, and "nothing is on it" after a look from close by.

    Args:
        task: that it is for.
        question: in plain words.
        stay: do not move.
    """
    if not stay:
        yield from task.look()
    tries = Tries()
    explored = False
    since: int | None = None  # so many actions were done when the first answer came
    while True:
        task.up_to_date()
        answer = task.planner.ask(question, task.memory)
        task.look_at = answer.look_at
        if answer.known and all(task.may_use(e) for e in answer.evidence if e.kind == "object"):
            if since is None and not answer.resembles:
                since = task.body.n_steps
            waited = since is not None and task.body.n_steps - since >= _MAX_SETTLING
            is_settled = not answer.resembles and (not answer.may_change or waited)
            close = None if stay or task.body.steps_left <= 0 else _overlooked(answer, tries)
            if close is not None:
                looked = yield from _look_at(task, close)
                tries.add(close, looked.reason or "looked at", reached=looked.failure != "not reached")
                continue
            if not stay and task.body.steps_left > 0 and (explored or is_settled) and tries.allow_unreached():
                continue
            if stay or explored or is_settled or task.body.steps_left <= 0:
                return Outcome(True, answer.answer, answer.evidence, answer)
            explored = not (yield from task.explore())
            continue
        if stay:
            return Outcome(False, f"{answer.answer} Without moving nothing more can be told.", answer.evidence, answer)
        if task.body.steps_left <= 0:
            return Outcome(False, "not known within the steps allowed", answer.evidence, answer)
        target = _unclear(answer, tries)
        if target is not None:
            looked = yield from _look_at(task, target)
            tries.add(target, looked.reason or "looked at", reached=True)
        elif explored:
            return Outcome(False, "nothing reachable is left to explore", answer.evidence, answer)
        else:
            explored = not (yield from task.explore())


def _look_at(task: TaskContext, target: Evidence) -> Generator[Motion, None, Handled]:
    return (yield from task.tried(target, f"look at {target.name}", lambda target: look_for(task, target)))


def _unclear(answer: Answer, tries: Tries) -> Evidence | None:
    """The thing that a question is about, where it is known and what was asked is not; looked at once."""
    if answer.known or any(e.kind == "frontier" for e in answer.evidence):
        return None
    return next((e for e in answer.evidence[:1] if e.kind == "object" and e.is_goal and not tries.is_spent(e)), None)


def _overlooked(answer: Answer, tries: Tries) -> Evidence | None:
    """The next thing that an answer wants to be looked at from close by; each is looked at once."""
    return next((e for e in answer.evidence if e.id in answer.look_close and e.is_goal and not tries.is_spent(e)), None)
