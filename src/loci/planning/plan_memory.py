"""`PlanMemory`: what came of past tasks, kept among a memory's notes: similar tasks are examples, failures are lessons.

Notes of the source `SOURCE` with a label of `LABELS` are tasks and lessons, all others are remarks. They are quoted to models like every note,
never followed. A lesson makes a candidate come later, never not at all: the world changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loci.planning.phrases import time_phrase
from loci.planning.protocols import NoteMemory, Point
from loci.planning.quoting import shortened
from loci.query import Evidence, Query
from loci.words import normalise

Failure = Literal["not there", "not reached", "not done"]

SOURCE = "planner"
#: Labels of notes: what kind of note it is.
TASK, LESSON = "task", "lesson"
LABELS = (TASK, LESSON)
#: Lessons about positions count for things so near [m].
_SAME_PLACE = 0.5
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
        what = candidate.text or candidate.label or candidate.id
        told = {
            "not there": f"the {words} was not there ({what})",
            "not reached": f"the way to {what} could not be driven ({reason})",
            "not done": f"nothing could be done with {what} ({reason})",
        }[failure]
        return self._memory.remember(
            shortened(f"{told}, {time_phrase(stamp_ns)}", _MAX_CHARACTERS),
            SOURCE,
            labels=(LESSON, failure, normalise(words)),
            position=candidate.position,
        )

    def similar(self, instruction: str, limit: int = 3) -> list[PastTask]:
        """Past tasks like an instruction, most similar first."""
        query = Query(text=instruction[:1000], labels=(TASK,), kinds=("episode",), limit=20)
        found = [e for e in self._memory.recall(query).evidence if _is_own(e)][:limit]
        return [PastTask(e.id, e.text, '" was done: ' in e.text, e.stamp_ns) for e in found]

    def lessons(self, words: str) -> list[Lesson]:
        """Failures with things that were called so, and ways that could not be driven, newest first."""
        ways = self._notes("not reached")
        about = self._notes(normalise(words)) if normalise(words) else []
        lessons = {e.id: Lesson(e, is_way=False) for e in about} | {e.id: Lesson(e, is_way=True) for e in ways}
        return sorted(lessons.values(), key=lambda lesson: lesson.note.stamp_ns, reverse=True)

    def _notes(self, label: str) -> list[Evidence]:
        query = Query(labels=(label,), kinds=("episode",), order="newest", limit=_MAX_LESSONS)
        return [e for e in self._memory.recall(query).evidence if _is_own(e)]


def _is_own(e: Evidence) -> bool:
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
