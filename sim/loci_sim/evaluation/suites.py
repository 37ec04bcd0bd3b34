"""The suites by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loci_sim.evaluation.chores import draw_chores
from loci_sim.evaluation.goals import draw_goals
from loci_sim.evaluation.phrasings import Phrasings
from loci_sim.evaluation.questions import draw_questions
from loci_sim.evaluation.tasks import Split, Task
from loci_sim.scenes import Scene


@dataclass(frozen=True)
class Suite:
    """A kind of tasks.

    Attributes:
        title: for people.
        draw: tasks of a row of a scene: (scene, phrasings, split, seed, row, number); None: they are drawn after the row's day
            (`loci_sim.evaluation.recall`).
        n_tasks: of a row.
        simulator: further parameters of the simulator's node.
    """

    title: str
    draw: Callable[[Scene, Phrasings, Split, int, int, int], Sequence[Task]] | None
    n_tasks: int
    simulator: Mapping[str, Any] = field(default_factory=dict)


SUITES: dict[str, Suite] = {
    "goals": Suite("Goals in a row", draw_goals, 8),
    "questions": Suite("Questions about a home", draw_questions, 7),
    # Somebody moves things meanwhile: about one in ten metres of the robot's way.
    "household": Suite("Chores", draw_chores, 6, {"person_events": 12, "person_day": 200.0}),
    "recall": Suite("After a day", None, 11),
}
