"""Instructions that need only the memory: "find the mug", "go to the kitchen". What needs hands or eyes is declined in plain words.

No ROS here: a planner answers where the thing is, the memory gives the way, and the result is a pose to drive to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from loci.geometry import Array
from loci.planning.protocols import Answer, MemoryReader, Planner
from loci.query import Evidence

_INSTRUCTION = re.compile(
    r"^\s*(?:please\s+)?(?:find|go\s+to|drive\s+to|navigate\s+to|move\s+to|look\s+for|search\s+for|take\s+me\s+to|bring\s+me\s+to|show\s+me|locate)"
    r"\s+(?P<thing>.*\w.*?)\s*[.!]?\s*$",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(the|a|an|my|your|our|this|that)\s+", re.IGNORECASE)


@dataclass(frozen=True)
class TaskPlan:
    """What comes of an instruction.

    Attributes:
        answer: plain words.
        evidence: what it rests on.
        T_map_goal: (4, 4) pose of the base to drive to, looking at the thing; None: nowhere to go.
        path_length: to the goal [m].
    """

    answer: str
    evidence: tuple[Evidence, ...] = ()
    T_map_goal: Array | None = None
    path_length: float = 0.0


def thing_to_find(instruction: str) -> str:
    """What an instruction wants found or reached; empty if it wants something else.

    Raises:
        ValueError: the instruction has no word.
    """
    if not re.search(r"\w", instruction):
        raise ValueError("expected an instruction such as 'find the mug', got an empty one")
    match = _INSTRUCTION.match(instruction)
    return _ARTICLE.sub("", match["thing"]).strip() if match else ""


def plan_task(instruction: str, planner: Planner, memory: MemoryReader, tolerance: float) -> TaskPlan:
    """Where to drive for an instruction.

    Args:
        instruction: "find X", "go to X".
        planner: says where X is.
        memory: gives the way.
        tolerance: the goal may be so far from the thing [m].

    Raises:
        ValueError: the instruction has no word.
    """
    thing = thing_to_find(instruction)
    if not thing:
        return TaskPlan(
            f"I cannot do this yet: {instruction.strip()!r}. I can find things and go to things, places and rooms that I "
            "remember ('find the mug', 'go to the kitchen')."
        )
    answer = planner.ask(f"where is the {thing}", memory)
    target = next((e for e in answer.evidence if e.is_goal and e.position is not None), None)
    if target is None or target.position is None:
        return TaskPlan(answer.answer, answer.evidence)
    path = memory.path_to(target.position, tolerance=tolerance)
    if path.reason or not len(path.points):
        return TaskPlan(f"{answer.answer} I know no way there: {path.reason or 'no path'}.", answer.evidence)
    T = _facing(np.asarray(path.points[-1]), np.asarray(target.position))
    return TaskPlan(_announce(answer, target, path.length), answer.evidence, T, path.length)


def _announce(answer: Answer, target: Evidence, length: float) -> str:
    what = f"the {target.label or target.id}" if answer.known else f"{target.text or target.id} to look there"
    return f"{answer.answer} Goal sent: {length:.1f} m of way to {what}; driving there is up to the robot's navigation."


def _facing(position: Array, target: Array) -> Array:
    """Pose (4, 4) upright at ``position``, with x towards ``target``."""
    dx, dy = (target - position)[:2]
    yaw = float(np.arctan2(dy, dx)) if np.hypot(dx, dy) > 1e-3 else 0.0
    T = np.eye(4)
    T[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    T[:3, 3] = position
    return T
