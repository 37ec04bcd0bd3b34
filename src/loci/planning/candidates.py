"""What words are meant for, tried thing by thing: the best candidate first, exploring where none is left, then a second look at what is known.

What fails is a lesson for later tasks (`plan_memory`), and what the plan memory knows decides what comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from loci.planning.bodies import Motion
from loci.planning.plan_memory import Experience, Failure, with_lessons
from loci.planning.relevance import Interest, KnowsWords, Relevance, with_experience
from loci.planning.searching import Looked, SecondLook
from loci.planning.seeking import things_meant
from loci.planning.task_context import Outcome, Recall, TaskContext, Work
from loci.planning.tries import Tries
from loci.query import Evidence


def try_candidates(
    task: TaskContext, words: str, candidates: Callable[[bool], list[Evidence]], work: Work, success: str
) -> Generator[Motion, None, Outcome]:
    """Work on one candidate after the other, and explore where none is left, until one is a success.

    Args:
        task: that it is for.
        words: that the candidates are for.
        candidates: of the memory as it is, best first; True: nothing is left to explore, and everything was looked at again.
        work: on one of them.
        success: what is then said of it.
    """
    tries = Tries()
    explored = searched = sought = False
    yield from task.look()
    known = task.plans.experience(words) if task.plans is not None else Experience()
    interest = _interest(task, words)
    to_borders = with_experience(interest, known, seen_before=False)
    second_look = SecondLook(task.memory, task.body, with_experience(interest, known, seen_before=True))
    looked: Looked | None = None
    while task.body.steps_left > 0:
        target = _first(task, words, with_lessons(candidates(searched), known.lessons), tries)
        if looked is not None and (target is None or looked.stuck):
            _learn(task, words, looked.at, "not reached" if looked.stuck else "not there", looked.stuck)
        looked = None
        if target is not None:
            handled = yield from task.tried(target, f"try {target.name}", work)
            if handled.done:
                if task.plans is not None and words and (sought or tries.reasons):
                    task.plans.remember_find(words, target, task.body.stamp_ns)
                return Outcome(True, f"{success}: {target.name}", (target,))
            tries.add(target, handled.reason, reached=handled.failure != "not reached")
            if handled.failure:
                _learn(task, words, target, handled.failure, handled.reason)
        elif not explored:
            sought, explored = True, not (yield from task.explore(to_borders))
        elif not searched:
            looked = yield from second_look.next()
            searched = looked is None
            task.expect_images()
        elif not tries.allow_unreached():
            nothing = "everything reachable was explored, and nothing like it is known"
            return Outcome(False, f"{tries.summary()}; {nothing} besides" if tries.reasons else nothing)
    return Outcome(False, "not done within the steps allowed" + (f" ({tries.summary()})" if tries.reasons else ""))


def things_called(task: TaskContext, words: str, desperate: bool) -> list[Evidence]:
    """Candidates that words mean, best first; looser where nothing is left to explore (``desperate``)."""
    task.up_to_date()
    meant = things_meant(words, task.memory, task.planner, task.body.position(), desperate=desperate)
    task.look_at = meant.look_at
    return meant.things


def _interest(task: TaskContext, words: str) -> Interest | None:
    """Where such a thing is likely, if the planner can tell."""
    if not words or not isinstance(task.planner, KnowsWords):
        return None
    return Relevance(words, task.memory, task.planner)


def _first(task: TaskContext, words: str, found: list[Evidence], tries: Tries) -> Evidence | None:
    """The first that can be driven to and was not tried yet."""
    usable = (e for e in found if e.is_goal and e.position is not None and not tries.is_spent(e))
    target = next((e for e in usable if task.may_use(e)), None)
    task.told(Recall(words, target))
    return target


def _learn(task: TaskContext, words: str, at: Evidence, failure: Failure, reason: str) -> None:
    """A lesson for later tasks."""
    if task.plans is not None:
        task.plans.remember_failure(words, at, failure, reason, task.body.stamp_ns)
