"""`PlanMemory`: what came of past tasks, kept among a memory's notes: similar tasks are examples, failures are lessons.

Notes of the source `SOURCE` with a label of `LABELS` are tasks, lessons and finds, all others are remarks. They are quoted to models like every
note, never followed. A lesson makes a candidate or a place come later, never not at all: the world changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from loci.geometry import Array
from loci.planning.parsing import parse
from loci.planning.phrases import time_phrase
from loci.planning.protocols import MemoryReader, NoteMemory, Point
from loci.planning.quoting import shortened
from loci.query import Evidence, Query
from loci.words import canonical, normalise

Failure = Literal["not there", "not reached", "not done"]

SOURCE = "planner"
#: Labels of notes: what kind of note it is. A find is where a search for something ended well.
TASK, LESSON, FOUND = "task", "lesson", "found"
LABELS = (TASK, LESSON, FOUND)
#: Lessons about positions count for things so near [m]; for places that were looked over, and around a find, it is more.
_SAME_PLACE, _SAME_SPOT, _AROUND_FIND = 0.5, 1.0, 2.5
#: So much farther away is a place that was looked over in vain, or to which the way failed; so much nearer one where it was found [m].
_IN_VAIN, _OF_FIND = 12.0, 6.0
#: A place that was looked over in vain so long ago is worth another look as any other [ns].
_RECENT_NS = 3600 * 10**9
#: Newest lessons that are consulted.
_MAX_LESSONS = 200
_MAX_CHARACTERS = 500


@dataclass(frozen=True)
class PastTask:
    """A task that was carried out before: the note about it, quoted, and whether it was done."""

    id: str
    text: str
    done: bool
    stamp_ns: int


@dataclass(frozen=True)
class Lesson:
    """A note about a failure; ``is_way``: the way there could not be driven, whatever lies there."""

    note: Evidence
    is_way: bool


@dataclass(frozen=True)
class Experience:
    """What earlier searches for a thing taught.

    Attributes:
        finds: notes of where they ended well, newest first.
        lessons: failures, newest first.
        now_ns: time of the newest observation [ns].
    """

    finds: tuple[Evidence, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    now_ns: int = 0

    def worth(self, points: Sequence[Point], *, seen_before: bool) -> Array:
        """Metres of way, (N,), that looking at each of N points is worth more, or less, than without experience.

        Args:
            points: to look at (N, 3) [m].
            seen_before: they were looked at before, perhaps in vain; else they are borders to what nobody has seen.
        """
        worth = np.zeros(len(points))
        at = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        for find in self.finds:
            if find.position is not None:
                worth[np.linalg.norm(at - find.position, axis=1) < _AROUND_FIND] = _OF_FIND
        for lesson in self.lessons:
            is_recent = 0 <= self.now_ns - lesson.note.stamp_ns <= _RECENT_NS
            if lesson.note.position is not None and (lesson.is_way or (seen_before and is_recent)):
                worth[np.linalg.norm(at - lesson.note.position, axis=1) < _SAME_SPOT] = -_IN_VAIN
        return worth


class PlanMemory:
    """Tasks and lessons among the notes of a memory.

    Args:
        memory: that keeps them.
    """

    def __init__(self, memory: NoteMemory) -> None:
        self._memory = memory

    def remember_task(
        self, instruction: str, done: bool, result: str, position: Point | None = None, began_ns: int = 0
    ) -> str:
        """Keep what came of a task, at its end; returns the note's id.

        Args:
            instruction: what it was.
            done: whether it was done.
            result: in plain words.
            position: where [m], map frame; None: not known.
            began_ns: when it was begun [ns]; 0: not known.
        """
        ended = "was done" if done else "failed"
        text = f'The task "{shortened(instruction, _MAX_CHARACTERS)}" {ended}: {shortened(result, _MAX_CHARACTERS)}'
        text += f" (begun {time_phrase(began_ns)})" if began_ns else ""
        return self._memory.remember(text, SOURCE, labels=(TASK, "done" if done else "failed"), position=position)

    def remember_failure(self, words: str, candidate: Evidence, failure: Failure, reason: str, stamp_ns: int) -> str:
        """Keep that a candidate was no success; returns the note's id.

        Args:
            words: what it was tried for.
            candidate: that was tried.
            failure: what kind of failure it was.
            reason: in plain words.
            stamp_ns: when [ns].
        """
        told = {
            "not there": f"the {words} was not there ({candidate.name})",
            "not reached": f"the way to {candidate.name} could not be driven ({reason})",
            "not done": f"nothing could be done with {candidate.name} ({reason})",
        }[failure]
        return self._memory.remember(
            shortened(f"{told}, {time_phrase(stamp_ns)}", _MAX_CHARACTERS),
            SOURCE,
            labels=(LESSON, failure, normalise(words)),
            position=candidate.position,
        )

    def remember_find(self, words: str, found: Evidence, stamp_ns: int) -> str:
        """Keep where a search ended well; returns the note's id.

        Args:
            words: what was looked for.
            found: where it was.
            stamp_ns: when [ns].
        """
        return self._memory.remember(
            shortened(f"looked for the {words} and found it: {found.name}, {time_phrase(stamp_ns)}", _MAX_CHARACTERS),
            SOURCE,
            labels=(FOUND, _thing(words)),
            state=FOUND,
            position=found.position,
        )

    def similar(self, instruction: str, limit: int = 3) -> list[PastTask]:
        """Past tasks like an instruction, most similar first."""
        found = similar_notes(self._memory, instruction, (TASK,), limit)
        return [PastTask(e.id, e.text, '" was done: ' in e.text, e.stamp_ns) for e in found]

    def experience(self, words: str) -> Experience:
        """What earlier searches for such a thing taught; the thing counts, not its colour or where it was said to be."""
        thing = _thing(words)
        finds = [e for e in self._notes(thing) if e.state == FOUND] if thing else []
        return Experience(tuple(finds), tuple(self.lessons(words)), self._memory.newest_stamp_ns)

    def lessons(self, words: str) -> list[Lesson]:
        """Failures with things that were called so, and ways that could not be driven, newest first."""
        ways = self._notes("not reached")
        about = [e for e in self._notes(normalise(words)) if e.state != FOUND] if normalise(words) else []
        lessons = {e.id: Lesson(e, is_way=False) for e in about} | {e.id: Lesson(e, is_way=True) for e in ways}
        return sorted(lessons.values(), key=lambda lesson: lesson.note.stamp_ns, reverse=True)

    def _notes(self, label: str) -> list[Evidence]:
        query = Query(labels=(label,), kinds=("episode",), order="newest", limit=_MAX_LESSONS)
        return [e for e in self._memory.recall(query).evidence if is_own(e)]


def similar_notes(memory: MemoryReader, text: str, labels: Sequence[str], limit: int) -> list[Evidence]:
    """Notes of the plan memory with one of some labels, most like a text first."""
    if limit < 1:
        return []
    # More than are wanted: anybody can write notes with these labels.
    query = Query(text=shortened(text, 1000), labels=tuple(labels), kinds=("episode",), limit=limit + 50)
    return [e for e in memory.recall(query).evidence if is_own(e)][:limit]


def _thing(words: str) -> str:
    """What is looked for, one word for all synonyms, without its colour and place; empty: nothing is named."""
    return canonical(parse(f"where is the {words}").words or words) if normalise(words) else ""


def is_own(e: Evidence) -> bool:
    """Whether the planner wrote a note: nobody else's remark is a lesson."""
    return e.is_quoted and e.source == SOURCE


def with_lessons(candidates: Sequence[Evidence], lessons: Sequence[Lesson]) -> list[Evidence]:
    """Candidates in their order, but those that failed after the others, the most failures last.

    A thing that was seen since it was not there counts as a new one; a way that could not be driven stays one.

    Args:
        candidates: best first.
        lessons: about failures.
    """
    return sorted(candidates, key=lambda candidate: sum(_is_about(lesson, candidate) for lesson in lessons))


def _is_about(lesson: Lesson, candidate: Evidence) -> bool:
    note = lesson.note
    if note.position is None or candidate.position is None:
        return False
    if note.map_id and candidate.map_id and note.map_id != candidate.map_id:
        return False
    if not lesson.is_way and note.stamp_ns < candidate.stamp_ns:
        return False
    return sum((a - b) ** 2 for a, b in zip(note.position, candidate.position, strict=True)) < _SAME_PLACE**2
