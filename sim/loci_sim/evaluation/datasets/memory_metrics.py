"""Measures of benchmarks for robots that remember: KARMA and FindingDory. Shares are from 0 to 1."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci.metrics import spl_of_each

# --- KARMA (Wang et al., ICRA 2025, arXiv 2409.14908). Its words leave room: what is counted here is said at each measure.


@dataclass(frozen=True)
class MemoryQuery:
    """A question that a task put to the memory.

    Attributes:
        first_answer: id of the instance or record that came first; None: nothing was found.
        needed: ids that the task needed: any of these is right.
        from_short_term: the answer came from the short-term memory.
    """

    first_answer: str | None
    needed: frozenset[str]
    from_short_term: bool


def memory_retrieval_accuracy(queries: Sequence[MemoryQuery]) -> float:
    """KARMA's MRA: share of the queries whose first answer is what the task needed.

    Raises:
        ValueError: there are no queries.
    """
    return _share([q.first_answer is not None and q.first_answer in q.needed for q in queries], "queries")


def memory_hit_rate(queries: Sequence[MemoryQuery]) -> float:
    """KARMA's MHR: share of the queries that the short-term memory answered.

    Raises:
        ValueError: there are no queries.
    """
    return _share([q.first_answer is not None and q.from_short_term for q in queries], "queries")


def success_rate(successes: Sequence[bool]) -> float:
    """SR: share of the tasks that were done.

    Raises:
        ValueError: there are no tasks.
    """
    return _share(successes, "tasks")


def reduction(with_memory: Sequence[float], without_memory: Sequence[float]) -> float:
    """KARMA's RE (of explorations) and RT (of time): 1 - all with memory / all without, over the same tasks; negative: it cost more.

    An exploration is a visit to a place only to look for something.

    Raises:
        ValueError: not the same tasks, negative values, or nothing was needed without memory, so that nothing can be saved.
    """
    if len(with_memory) != len(without_memory):
        raise ValueError(
            f"expected the same tasks, got {len(with_memory)} with and {len(without_memory)} without memory"
        )
    if any(v < 0 for v in (*with_memory, *without_memory)):
        raise ValueError("expected values that are not negative")
    if not sum(without_memory) > 0:
        raise ValueError("expected a sum above 0 without memory, got 0: there is nothing to be saved")
    return 1.0 - float(sum(with_memory)) / float(sum(without_memory))


# --- FindingDory (Yadav et al. 2025, arXiv 2506.15635)


def chose_right(chosen: Sequence[str], wanted: Sequence[Collection[str]], is_ordered: bool) -> bool:
    """FindingDory's high-level success of one task (HL-SR is the share of such tasks).

    Args:
        chosen: ids of the goals (object, receptacle, room, moment) in the order in which they were chosen.
        wanted: for each goal of the task the ids any of which is right.
        is_ordered: the task asks for an order; otherwise each goal needs a choice of its own, in any order.
    """
    if len(chosen) != len(wanted) or not wanted:
        return False
    right = np.array([[c in ids for ids in wanted] for c in chosen])
    if is_ordered:
        return bool(right.diagonal().all())
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    return bool((maximum_bipartite_matching(csr_array(right), perm_type="column") >= 0).all())


def relaxed_frame_accuracy(predicted: Sequence[Sequence[int]], wanted: Sequence[Collection[int]]) -> float:
    """FindingDory's relaxed accuracy of one answer in frames: the product over goals of the share of frames that are right.

    As in the benchmark's code, except that a goal for which no frame was given is wrong: the code leaves such a goal out.

    Args:
        predicted: frames for each goal in turn.
        wanted: frames any of which is right, for each goal in turn.
    """
    if len(predicted) != len(wanted) or not wanted:
        return 0.0
    shares = [
        sum(f in right for f in frames) / len(frames) if len(frames) else 0.0
        for frames, right in zip(predicted, wanted, strict=True)
    ]
    return float(np.prod(shares))


def high_level_spl_of_each(success: npt.ArrayLike, nearest: npt.ArrayLike, chosen: npt.ArrayLike) -> Array:
    """FindingDory's high-level SPL (N,) of tasks with one goal; the benchmark defines none for several.

    Args:
        success: (N,) the chosen goal is right.
        nearest: (N,) way to the nearest goal that is right [m].
        chosen: (N,) way to the chosen goal [m]; 0: the robot is there, which counts as 1.

    Raises:
        ValueError: lengths differ, or a way is negative or not finite.
    """
    way = np.asarray(chosen, dtype=np.float64)
    return spl_of_each(success, np.where(way == 0.0, 0.0, np.asarray(nearest, dtype=np.float64)), way)


def _share(values: Sequence[bool], what: str) -> float:
    if not values:
        raise ValueError(f"expected {what} to measure, got none")
    return sum(map(bool, values)) / len(values)
