"""Runs the scenes of evaluations, several at a time, each in a process of its own, and shows how far they are.

A scene that fails does not end the others: what they came to is kept, and the failure is told at the end.
"""

from __future__ import annotations

import queue
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Protocol

from loci.errors import UserError
from loci.lifeline import end_with_parent
from loci_sim.evaluation.run import Evaluation, EvaluationOptions, run_scene
from loci_sim.evaluation.tasks import TaskResult

#: How often the bar follows what other processes tell [s].
_PERIOD = 0.5
#: Of a worker: where it tells what it has done.
_told: Any = None


class Bar(Protocol):
    """What shows progress, as tqdm does."""

    def update(self, n: float, /) -> Any: ...

    def set_postfix_str(self, s: str, /) -> Any: ...


def run_scenes(evaluations: Sequence[Evaluation], workers: int) -> None:
    """Run all scenes that are not done; every scene's results are written when it is.

    Raises:
        UserError: scenes failed; all others are done.
    """
    from tqdm import tqdm

    jobs = [(evaluation, name) for evaluation in evaluations for name in evaluation.todo]
    total, n_done = sum(e.n_tasks for e in evaluations), sum(len(e.results) for e in evaluations)
    title = evaluations[0].options.suite if len(evaluations) == 1 else "tasks"
    with tqdm(total=total, initial=n_done, unit="task", desc=title, file=sys.stderr, disable=None) as bar:
        errors = _run_here(jobs, bar) if workers == 1 else _run_apart(jobs, workers, bar)
    if errors:
        first = errors[0]
        others = f" (and {len(errors) - 1} more scenes failed)" if len(errors) > 1 else ""
        raise UserError(f"{first}{others}", first.next_command, first.details) from first


def job_name(evaluation: Evaluation, scene: str) -> str:
    """What runs, for people."""
    return f"{evaluation.options.suite} {evaluation.options.memory} {scene}"


def _run_here(jobs: Sequence[tuple[Evaluation, str]], bar: Bar) -> list[UserError]:
    errors = []
    for evaluation, name in jobs:
        bar.set_postfix_str(job_name(evaluation, name))
        try:
            evaluation.add(run_scene(name, evaluation.options, lambda _: bar.update(1)))
        except UserError as error:
            errors.append(error)
    return errors


def _run_apart(jobs: Sequence[tuple[Evaluation, str]], workers: int, bar: Bar) -> list[UserError]:
    # Processes that begin anew: rclpy and its threads do not survive a fork.
    context = get_context("spawn")
    told, errors = context.Queue(), []
    running: Counter[str] = Counter()
    with ProcessPoolExecutor(workers, context, _begin, (told,)) as pool:
        futures: dict[Future[list[TaskResult]], Evaluation] = {}
        for evaluation, name in jobs:
            futures[pool.submit(_work, job_name(evaluation, name), name, evaluation.options)] = evaluation
        left = set(futures)
        try:
            while left:
                done, left = wait(left, timeout=_PERIOD)
                _follow(told, running, bar)
                for future in done:
                    try:
                        futures[future].add(future.result())
                    except UserError as error:
                        errors.append(error)
                    except BrokenProcessPool as error:
                        raise UserError(f"a process of the evaluation died ({error})") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return errors


def _follow(told: Any, running: Counter[str], bar: Bar) -> None:
    """Show what workers have told since it was asked last."""
    while True:
        try:
            job, what = told.get_nowait()
        except queue.Empty:
            break
        if what == "task":
            bar.update(1)
        else:
            running[job] += 1 if what == "begins" else -1
    bar.set_postfix_str(", ".join(sorted(job for job, n in running.items() if n > 0)))


def _begin(told: Any) -> None:
    """In a worker: where to tell what is done."""
    global _told
    _told = told
    end_with_parent()


def _work(job: str, name: str, options: EvaluationOptions) -> list[TaskResult]:
    """In a worker: one scene."""

    def tell(what: str) -> None:
        _told.put((job, what))

    tell("begins")
    try:
        return run_scene(name, options, lambda _: tell("task"))
    finally:
        tell("ends")
