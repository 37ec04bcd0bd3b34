"""What answers to A-EQA's questions come to: marks of a grader, and how much way was spent, in all and by category."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from loci.errors import UserError
from loci.metrics import HIGHEST_MARK, llm_match, llm_match_efficiency, scores_of_marks
from loci_sim.evaluation.datasets.files import DatasetError, is_number, read_json
from loci_sim.evaluation.datasets.llm_match import grade
from loci_sim.evaluation.datasets.openeqa import Question
from loci_sim.evaluation.graders import NamedGrader
from loci_sim.evaluation.measures import interval_of
from loci_sim.evaluation.tasks import TaskResult

MARKS = "marks.json"


@dataclass(frozen=True)
class AnswerMeasures:
    """Measures of a group of questions.

    Attributes:
        name: of the group; n: questions.
        score: mean of 100 (sigma - 1) / 4, and its 95 % bootstrap interval ``score_low`` to ``score_high``.
        efficiency: the same, weighted by l / max(p, l); None: the shortest ways are not known.
        answered: share of the questions that the robot said it knew the answer of.
        steps, images: means.
    """

    name: str
    n: int
    score: float
    score_low: float
    score_high: float
    efficiency: float | None
    answered: float
    steps: float
    images: float


def marks_of(results: Sequence[TaskResult], questions: Sequence[Question], grader: NamedGrader) -> dict[str, int]:
    """Marks by question id; a question that was given up has none (0).

    Raises:
        UserError: the grader cannot be asked.
        ValueError: results are of other questions.
    """
    said = {r.episode: r.answer if r.claimed else None for r in results}
    return grade([q for q in questions if q.question_id in said], said, grader)


def measure_answers(
    results: Sequence[TaskResult], marks: Mapping[str, int], shortest: Mapping[str, float] | None
) -> list[AnswerMeasures]:
    """All questions, then each category.

    Args:
        results: of questions, with their ids as episodes.
        marks: by question id.
        shortest: l by question id [m]; None: not known.

    Raises:
        ValueError: there are no results, or a mark or way is missing.
    """
    groups = {"all": list(results)}
    for r in results:
        groups.setdefault(f"  {r.kind}", []).append(r)
    return [_measure(name, group, marks, shortest) for name, group in groups.items()]


def _measure(
    name: str, results: Sequence[TaskResult], marks: Mapping[str, int], shortest: Mapping[str, float] | None
) -> AnswerMeasures:
    missing = [r.episode for r in results if r.episode not in marks or (shortest and r.episode not in shortest)]
    if missing:
        raise ValueError(f"expected a mark, and a shortest way if any, of every question, got none of {missing[0]}")
    sigma = [marks[r.episode] for r in results]
    low, high = interval_of(scores_of_marks(sigma))
    ways = [shortest[r.episode] for r in results] if shortest is not None else None
    return AnswerMeasures(
        name,
        len(results),
        llm_match(sigma),
        low,
        high,
        None if ways is None else llm_match_efficiency(sigma, ways, [r.travelled for r in results]),
        float(np.mean([r.claimed for r in results])),
        float(np.mean([r.n_steps for r in results])),
        float(np.mean([r.n_images for r in results])),
    )


def answer_table(measured: Sequence[AnswerMeasures], grader: NamedGrader) -> list[list[str]]:
    """Cells, headings first. Only marks of a model make an LLM-Match."""
    heading = "LLM-Match" if grader.is_model else grader.name
    rows = [["", "n", heading, "95 % interval", "x l/max(p, l)", "answered", "steps", "images"]]
    for m in measured:
        rows.append(
            [
                m.name,
                str(m.n),
                f"{m.score:.1f}",
                f"{m.score_low:.1f} - {m.score_high:.1f}",
                "-" if m.efficiency is None else f"{m.efficiency:.1f}",
                f"{100 * m.answered:.1f}",
                f"{m.steps:.0f}",
                f"{m.images:.1f}",
            ]
        )
    return rows


def summary_of(
    measured: Sequence[AnswerMeasures], marks: Mapping[str, int], grader: NamedGrader, out: Path
) -> dict[str, Any]:
    """For the summary's file; the marks go into a file of their own."""
    content = {"grader": grader.name, "is_llm_match": grader.is_model, "marks": dict(marks)}
    (out / MARKS).write_text(json.dumps(content, indent=1) + "\n")
    return {"grader": grader.name, "is_llm_match": grader.is_model, "measures": [asdict(m) for m in measured]}


def judged(results: Sequence[TaskResult], marks: Mapping[str, int]) -> list[TaskResult]:
    """The results, with what has not the highest mark as a failure."""
    return [replace(r, success=marks[r.episode] == HIGHEST_MARK) for r in results]


def read_shortest(path: Path) -> dict[str, float]:
    """Shortest ways [m] by question id from a JSON object; A-EQA's public files have none.

    Raises:
        UserError: no such file, or not such an object.
    """
    try:
        content = read_json(path)
    except DatasetError as error:
        raise UserError(str(error), "loci eval aeqa --help") from error
    if not isinstance(content, dict) or not all(is_number(v) and v >= 0 for v in content.values()):
        raise UserError(
            f"expected an object of question ids with metres in {path}, got another content", "loci eval aeqa --help"
        )
    return {str(k): float(v) for k, v in content.items()}
