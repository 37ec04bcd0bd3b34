"""Why tasks failed: perception, memory, language or navigation, from what was recorded of each (`loci_sim.evaluation.tasks.Facts`).

- perception: what is meant was in view, and never became a thing of the memory.
- memory: it is known and was not found, or remembered where it is not, or another one of its kind was taken for it.
- language: the words were not understood, or taken for something else.
- navigation: it never came into view, or it was known and found, and the robot did not get there.
- other: none of these can be told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from loci_sim.evaluation.tasks import Facts, TaskResult

CauseName = Literal["perception", "memory", "language", "navigation", "other"]
CAUSES: tuple[CauseName, ...] = get_args(CauseName)
#: Questions about how many there are: every one counts.
_COUNTING = ("spatial understanding",)


@dataclass(frozen=True)
class Cause:
    """Where a failure began, and in plain words how."""

    name: CauseName
    why: str


_NOT_UNDERSTOOD = Cause("language", "not understood")
_TAKEN_FOR_OTHER = Cause("language", "the words were taken for something else")
_STALE = Cause("memory", "remembered where it is not")
_MISSED = Cause("perception", "in view, never remembered")
_UNSEEN = Cause("navigation", "never in view")
_NOT_FOUND = Cause("memory", "known, not found by the question")
_NOT_REACHED = Cause("navigation", "known and found, not reached")
_TOO_FAR = Cause("navigation", "stopped too far from it")
_ANOTHER = Cause("memory", "another of its kind was taken for it")
_NOWHERE = Cause("memory", "nothing is where it was thought to be")
_PICTURE = Cause("memory", "another place was taken for the picture")
_NOT_RECOGNISED = Cause("memory", "in view, not recognised as the picture")
_TOLD_WRONG = Cause("memory", "known, told wrongly")
_NOT_TOLD = Cause("memory", "known, what was asked of it is not")
_NO_RECORD = Cause("memory", "no record or position of it")
_OTHER = Cause("other", "not known")


def cause_of(result: TaskResult) -> Cause | None:
    """Why a task failed; None: it did not, or nothing was recorded."""
    facts = result.facts
    if result.success or facts is None:
        return None
    if facts.gave_up == "understanding" or (
        facts.task in ("goal", "chore") and not facts.n_asked and not result.claimed
    ):
        return _NOT_UNDERSTOOD
    if facts.asked_for is False:
        return _TAKEN_FOR_OTHER
    if facts.task == "picture":
        return _of_picture(result, facts)
    if facts.task == "question":
        return _of_question(result, facts)
    if facts.task == "revisit":
        return _of_revisit(result, facts)
    return _of_goal(result, facts)


def counts_of(results: Sequence[TaskResult]) -> dict[CauseName, int]:
    """How many failures have each cause; those of which nothing was recorded are left out."""
    found = Counter(cause.name for r in results if (cause := cause_of(r)) is not None)
    return {name: found[name] for name in CAUSES}


def reasons_of(results: Sequence[TaskResult]) -> dict[str, int]:
    """How many failures have each cause, in more words, most frequent first."""
    found = Counter(f"{c.name}: {c.why}" for r in results if (c := cause_of(r)) is not None)
    return dict(found.most_common())


def _of_goal(result: TaskResult, facts: Facts) -> Cause:
    """Of a thing that was sought, or that something should have been done with."""
    if not result.claimed:
        if not facts.n_known:
            return _unknown(facts)
        return _NOT_REACHED if facts.named == "right" else _NOT_FOUND
    if facts.ended == "right":
        return _TOO_FAR if facts.task == "goal" else _OTHER
    if facts.ended == "other":
        return _TAKEN_FOR_OTHER
    if not facts.n_known:
        return _unknown(facts)
    return _ANOTHER if facts.ended == "alike" else _NOWHERE


def _of_picture(result: TaskResult, facts: Facts) -> Cause:
    if result.claimed:
        return _PICTURE
    return _NOT_RECOGNISED if facts.n_seen else _UNSEEN


def _of_question(result: TaskResult, facts: Facts) -> Cause:
    needed = facts.n_meant if result.kind in _COUNTING else 1
    if facts.n_known < needed:
        return _unknown(facts)
    if result.claimed:
        return _TAKEN_FOR_OTHER if facts.named in ("", "other") and not facts.told else _TOLD_WRONG
    return _NOT_TOLD if facts.told else _NOT_UNDERSTOOD


def _of_revisit(result: TaskResult, facts: Facts) -> Cause:
    if facts.gave_up == "recalling":
        return _unknown(facts) if facts.n_meant and not facts.n_known else _NO_RECORD
    if not result.claimed:
        return _NOT_REACHED
    if result.chose_right:
        return _TOO_FAR
    return {"right": _ANOTHER, "alike": _ANOTHER, "other": _TAKEN_FOR_OTHER, "": _NOWHERE}[facts.ended]


def _unknown(facts: Facts) -> Cause:
    """The memory does not know it, or not all of it."""
    if facts.n_stale:
        return _STALE
    return _MISSED if facts.n_seen > facts.n_known else _UNSEEN
