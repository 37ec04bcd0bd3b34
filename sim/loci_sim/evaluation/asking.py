"""What counts as one question to the memory: looking for a thing, the robot asks the same again and again until the memory knows an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loci_sim.evaluation.tasks import Asked


class StandingQuestions:
    """Passes on each question once, when it is answered first; another answer to the same words is another question.

    A question that the memory knows nothing for stands while the robot explores. It is passed on without an answer if other words are
    asked for before there is one, or the task ends.

    Args:
        told: is told of each question.
    """

    def __init__(self, told: Callable[[Asked], None]) -> None:
        self._told = told
        self._last: Asked | None = None

    def ask(self, query: Asked) -> None:
        """The memory was asked."""
        if query == self._last:
            return
        standing = self._last if self._last is not None and self._last.position is None else None
        if standing is not None and standing.words != query.words:
            self._told(standing)
            standing = None
        if query.position is not None:
            self._told(replace(query, waited=standing is not None))
        self._last = query

    def end(self) -> None:
        """The task is over."""
        if self._last is not None and self._last.position is None:
            self._told(self._last)
        self._last = None
