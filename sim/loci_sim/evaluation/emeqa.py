"""`loci eval emeqa`: OpenEQA's questions about recorded walks (episodic memory, EM-EQA). No robot moves, and no simulator runs.

Of each walk a memory is made from its frames; then all its questions are asked of it. Answers are marked as those of A-EQA.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loci.errors import UserError
from loci.memory import RobotMemory
from loci.observation import Detection, Observation
from loci.perception.registry import make_detector
from loci.perception.simulated import detections_from_instances
from loci.perception.text import MiniLMTextEncoder
from loci.planning.local import LocalReader
from loci.planning.offline import OfflinePlanner
from loci.planning.protocols import Answer, Planner
from loci_sim.evaluation import answers
from loci_sim.evaluation.datasets.files import DatasetError, read_json
from loci_sim.evaluation.datasets.openeqa import Question, questions_of, read_question_ids, read_questions
from loci_sim.evaluation.datasets.walks import Walk, WalkFrame, read_instances
from loci_sim.evaluation.graders import ExactMatch, NamedGrader
from loci_sim.evaluation.report import write_page
from loci_sim.evaluation.run import EPISODES, open_results, write_results
from loci_sim.evaluation.tasks import TaskResult

#: ``labels.json`` beside the frames says what the instances of ``N-instances.png`` are.
MASKS, _LABELS = "masks", "labels.json"
DETECTORS = (MASKS, "geometric", "open_vocabulary")

#: What is in a frame.
Detect = Callable[[WalkFrame], tuple[Detection, ...]]


@dataclass(frozen=True)
class EmEqaOptions:
    """What `loci eval emeqa` was told.

    Attributes:
        data: file of questions as ``open-eqa-v0.json``.
        frames: folder of the walks.
        ids: file with the ids of a subset; None: all questions.
        walks: only these episode histories, or their beginnings; empty: all.
        n_questions: only the first ones; None: all.
        n_frames: at most so many of a walk, evenly over it; 0: all.
        detector: "masks": ``N-instances.png`` beside the frames; or a detector of Loci.
        planner: "offline", or "oracle", which answers as the file does.
        out: folder.
        grader: marks answers: what was answered does not depend on it.
    """

    data: Path
    frames: Path
    ids: Path | None = None
    walks: tuple[str, ...] = ()
    n_questions: int | None = None
    n_frames: int = 0
    detector: str = "open_vocabulary"
    planner: str = "offline"
    out: Path = Path("out/eval/emeqa")
    grader: NamedGrader = field(default_factory=ExactMatch)

    def described(self) -> dict[str, Any]:
        """Everything that the results depend on, as JSON has it."""
        given = {"data": self.data, "frames": self.frames, "ids": self.ids, "n_frames": self.n_frames}
        texts = {k: str(v) if isinstance(v, Path) else v for k, v in given.items()}
        return {**texts, "detector": self.detector, "planner": self.planner}


def run_emeqa(options: EmEqaOptions) -> int:
    """Ask all questions, mark the answers and write them; returns the exit status.

    Raises:
        UserError: files are missing or damaged, ``out`` holds results of other options, or the grader cannot be asked.
    """
    from tqdm import tqdm

    questions = chosen(options)
    by_walk: dict[str, list[Question]] = {}
    for q in questions:
        by_walk.setdefault(q.episode_history, []).append(q)
    needs_memory = options.planner != "oracle"
    # What is missing is noticed before anything runs.
    walks = {h: Walk(options.frames, h, options.n_frames) for h in by_walk} if needs_memory else {}
    detect = {h: _detector(options.detector, walk.path) for h, walk in walks.items()}
    mine = {**options.described(), "questions": [q.question_id for q in questions]}
    done = open_results(options.out, mine, "emeqa")
    complete = {h for h, of_it in by_walk.items() if {q.question_id for q in of_it} <= {r.episode for r in done}}
    done = [r for r in done if r.scene in complete]
    if complete:
        print(f"going on: {len(complete)} of {len(by_walk)} walks are done in {options.out}", flush=True)
    planner: Planner | None = OfflinePlanner(MiniLMTextEncoder()) if needs_memory else None
    with tqdm(
        total=len(by_walk), initial=len(complete), unit="walk", desc="emeqa", file=sys.stderr, disable=None
    ) as bar:
        for history, of_it in by_walk.items():
            if history in complete:
                continue
            bar.set_postfix_str(history)
            if planner is None:
                done += [_result(q, i, Answer(q.answer, True, 1.0), 0.0) for i, q in enumerate(of_it)]
            else:
                done += _ask_about(walks[history], detect[history], of_it, planner, options.out / "runs")
            write_results(options.out, done)
            bar.update(1)
    order = {q.question_id: i for i, q in enumerate(questions)}
    done.sort(key=lambda r: order[r.episode])
    write_results(options.out, done)
    return _finish(options, done, questions)


def chosen(options: EmEqaOptions) -> list[Question]:
    """The questions that are asked.

    Raises:
        DatasetError: a file is missing or damaged, or nothing is left of it.
    """
    found = read_questions(options.data)
    if options.ids is not None:
        found = questions_of(found, read_question_ids(options.ids))
    if options.walks:
        found = [q for q in found if q.episode_history.startswith(options.walks)]
    found = found[: options.n_questions]
    if not found:
        raise DatasetError(f"expected questions about {', '.join(options.walks)} in {options.data}, got none")
    return found


def _ask_about(
    walk: Walk, detect: Detect, questions: Sequence[Question], planner: Planner, folder: Path
) -> list[TaskResult]:
    """Make the memory of a walk, and ask."""
    name = "".join(c if c.isalnum() else "-" for c in questions[0].episode_history)
    shutil.rmtree(folder / name, ignore_errors=True)  # of a walk that was interrupted
    way: list[tuple[float, float]] = []
    with RobotMemory.open(folder / name, map_id="walk") as memory:
        for seen in walk.frames():
            memory.observe(Observation(seen.frame, detect(seen)))
            x, y = seen.frame.T_map_camera[:2, 3].tolist()
            way.append((round(x, 3), round(y, 3)))
        if not way:
            raise DatasetError(f"expected frames with poses in {walk.path}, got none")
        reader, results = LocalReader(memory), []
        for i, question in enumerate(questions):
            began = time.monotonic()
            answer = planner.ask(question.question, reader)
            results.append(_result(question, i, answer, time.monotonic() - began, way))
        return results


def _result(
    question: Question, index: int, answer: Answer, seconds: float, way: Sequence[tuple[float, float]] = ((0.0, 0.0),)
) -> TaskResult:
    """An answer as a task's result: nothing was driven."""
    return TaskResult(
        scene=question.episode_history,
        row=0,
        index=index,
        kind=question.category,
        text=question.question,
        object_ids=(),
        claimed=answer.known,
        success=False,  # as it is marked
        shortest=0.0,
        travelled=0.0,
        distance=-1.0,
        n_steps=0,
        seconds=round(seconds, 3),
        n_collisions=0,
        reason="the memory knows" if answer.known else "not in the memory",
        trace=tuple(way),
        answer=answer.answer,
        truth=question.answer,
        n_images=len({e.keyframe_id for e in answer.evidence if e.keyframe_id}),
        episode=question.question_id,
    )


def _detector(name: str, folder: Path) -> Detect:
    """What finds things in the frames of a walk.

    Raises:
        UserError: there is no such detector, its models are missing, or there are no masks.
    """
    if name == MASKS:
        labels = _labels(folder / _LABELS)
        rng = np.random.default_rng(0)

        def masks(seen: WalkFrame) -> tuple[Detection, ...]:
            if seen.instances is None:
                return ()
            camera = seen.frame.camera
            return detections_from_instances(read_instances(seen.instances, camera.width, camera.height), labels, rng)

        return masks
    try:
        detector = make_detector(name)
    except (ValueError, ImportError, OSError) as error:
        raise UserError(str(error), "loci eval emeqa --detector masks|geometric|open_vocabulary ...") from error
    return lambda seen: detector.detect(seen.frame)


def _labels(path: Path) -> Mapping[int, str]:
    content = read_json(path)
    try:
        return {int(k): str(v) for k, v in content.items()}
    except (AttributeError, ValueError) as error:
        raise DatasetError(f'expected instances with their categories, as {{"1": "mug"}}, in {path}') from error


def _finish(options: EmEqaOptions, results: Sequence[TaskResult], questions: Sequence[Question]) -> int:
    marks = answers.marks_of(results, questions, options.grader)
    measured = answers.measure_answers(results, marks, None)
    settings = options.described()
    summary = {**settings, **answers.summary_of(measured, marks, options.grader, options.out)}
    (options.out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    cells = answers.answer_table(measured, options.grader)
    page = write_page(options.out, "EM-EQA", settings, cells, answers.judged(results, marks), {})
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    print(
        f"\nEM-EQA, {options.planner}, {options.detector}: {len(results)} questions about {len({r.scene for r in results})} walks"
    )
    print(
        f"answers marked by {options.grader.name}"
        + ("" if options.grader.is_model else ", which is no LLM-Match")
        + "\n"
    )
    for row in cells:
        print(
            "  ".join(f"{c:{w}}" if k == 0 else f"{c:>{w}}" for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        )
    print(f"\nepisodes  {options.out / EPISODES}\nsummary   {options.out / 'summary.json'}\nreport    {page}")
    return 0
