"""Questions to the memory are counted once each, when they are answered."""

from __future__ import annotations

import pytest

from loci_sim.evaluation.asking import StandingQuestions
from loci_sim.evaluation.tasks import Asked

HERE, THERE = (1.0, 0.0, 0.5), (4.0, 2.0, 0.5)


def counted(*asked: tuple[str, tuple[float, float, float] | None]) -> list[Asked]:
    told: list[Asked] = []
    questions = StandingQuestions(told.append)
    for words, position in asked:
        questions.ask(Asked(words, position, False))
    questions.end()
    return told


def test_a_question_stands_until_it_is_answered() -> None:
    told = counted(("mug", None), ("mug", None), ("mug", HERE), ("mug", HERE))
    assert told == [Asked("mug", HERE, False, waited=True)]


def test_what_is_known_at_once_did_not_wait() -> None:
    assert counted(("mug", HERE)) == [Asked("mug", HERE, False)]


def test_another_answer_is_another_question() -> None:
    told = counted(("mug", HERE), ("mug", THERE))
    assert [t.position for t in told] == [HERE, THERE]


@pytest.mark.parametrize("after", [[], [("sink", HERE)]])
def test_what_is_never_answered_counts(after: list[tuple[str, tuple[float, float, float]]]) -> None:
    told = counted(("mug", None), *after)
    assert told[0] == Asked("mug", None, False)
    assert [t.waited for t in told[1:]] == [False] * len(after)


def test_what_was_not_there_and_is_not_found_again_counts_twice() -> None:
    told = counted(("mug", HERE), ("mug", None), ("mug", None))
    assert [t.position for t in told] == [HERE, None]
