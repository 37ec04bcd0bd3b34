"""LLM-Match, how OpenEQA grades free answers (Majumdar et al., CVPR 2024), and its efficiency for A-EQA.

A grader, usually a language model with OpenEQA's prompt, gives a mark from 1 (entirely different) to 5 (a perfect match). Graders
are the user's: nothing here asks a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci_sim.evaluation.datasets.metrics import spl_of_each
from loci_sim.evaluation.datasets.openeqa import Question

LOWEST_MARK, HIGHEST_MARK = 1, 5
#: Of a question without an answer; it counts as the lowest mark.
NO_ANSWER = 0


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


def scores_of_marks(marks: npt.ArrayLike) -> Array:
    """Scores (N,), 100 (sigma - 1) / 4, of marks sigma (N,); lower marks than 1 (`NO_ANSWER`) count as 1.

    Raises:
        ValueError: there are no marks, or one is not from 0 to 5.
    """
    sigma = np.asarray(marks, dtype=np.float64)
    if sigma.ndim != 1 or not sigma.size:
        raise ValueError(f"expected marks (N,), got {sigma.shape}")
    if not np.all((sigma >= NO_ANSWER) & (sigma <= HIGHEST_MARK)):
        raise ValueError(f"expected marks from {NO_ANSWER} to {HIGHEST_MARK}, got {sigma.min()} to {sigma.max()}")
    return 100.0 * (np.clip(sigma, LOWEST_MARK, HIGHEST_MARK) - 1.0) / 4.0


def llm_match(marks: npt.ArrayLike) -> float:
    """OpenEQA's correctness C: the mean score, 0 to 100.

    Raises:
        ValueError: as `scores_of_marks`.
    """
    return float(scores_of_marks(marks).mean())


def llm_match_efficiency(marks: npt.ArrayLike, shortest: npt.ArrayLike, travelled: npt.ArrayLike) -> float:
    """OpenEQA's efficiency E for A-EQA: the mean of 100 (sigma - 1) / 4 * l / max(p, l), 0 to 100 ("LLM-Match SPL").

    OpenEQA's public code has the correctness only: the weight is SPL's, as the efficiency is commonly reported, and was not checked.

    Args:
        marks: (N,) sigma.
        shortest: (N,) l, ground-truth way to where the answer can be seen [m].
        travelled: (N,) p, the way that was driven [m].

    Raises:
        ValueError: lengths differ, or a value is out of its range.
    """
    return float(spl_of_each(scores_of_marks(marks), shortest, travelled).mean())
