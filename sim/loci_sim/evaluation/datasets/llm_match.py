"""How OpenEQA has free answers graded (Majumdar et al., CVPR 2024); `loci.metrics.llm_match` takes the mean of the marks.

A grader, usually a language model with OpenEQA's prompt, gives a mark from 1 (entirely different) to 5 (a perfect match). Graders
are the user's: nothing here asks a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from loci.metrics import HIGHEST_MARK, LOWEST_MARK, NO_ANSWER
from loci_sim.evaluation.datasets.openeqa import Question


class Grader(Protocol):
    """Marks an answer."""

    def __call__(self, question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        """A mark from 1 to 5.

        Args:
            question: what was asked.
            answer: the right answer.
            prediction: the answer to be marked.
            extra_answers: others that are as right; may be none.
        """


def grade(questions: Sequence[Question], predictions: Mapping[str, str | None], grader: Grader) -> dict[str, int]:
    """Marks by question id; a question that was given up (None) has `NO_ANSWER`, and the grader is not asked.

    Raises:
        ValueError: predictions are of other questions, some are missing, or the grader gives no mark from 1 to 5.
    """
    ids = {q.question_id for q in questions}
    if ids != set(predictions):
        raise ValueError(
            f"expected predictions of the {len(ids)} questions that were asked, got {len(ids - set(predictions))} too few "
            f"and {len(set(predictions) - ids)} of other questions"
        )
    marks = {}
    for q in questions:
        prediction = predictions[q.question_id]
        if prediction is None:
            marks[q.question_id] = NO_ANSWER
            continue
        mark = grader(q.question, q.answer, until_last_period(prediction), q.extra_answers)
        if mark not in range(LOWEST_MARK, HIGHEST_MARK + 1):
            raise ValueError(f"expected a mark from {LOWEST_MARK} to {HIGHEST_MARK}, got {mark!r} for {q.question!r}")
        marks[q.question_id] = mark
    return marks


def until_last_period(prediction: str) -> str:
    """An answer without what follows its last period, which OpenEQA takes for a sentence that was cut off."""
    end = prediction.rfind(".")
    return prediction[: end + 1] if end >= 0 else prediction
