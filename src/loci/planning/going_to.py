"""Going to what is remembered and looking whether it is there: what words name, or what a picture shows."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt

from loci.observation import Detection
from loci.planning.approach import approach
from loci.planning.bodies import Handled, Motion
from loci.planning.candidates import things_called, try_candidates
from loci.planning.seeking import pictured, shows_still
from loci.planning.task_context import Outcome, TaskContext
from loci.query import Evidence, Query

#: How near to where a picture was taken the way may end [m].
_PICTURE_TOLERANCE = 0.4


def find(task: TaskContext, words: str) -> Generator[Motion, None, Outcome]:
    """Go to what is called so, and look whether it is there."""
    return (
        yield from try_candidates(
            task,
            words,
            lambda desperate: things_called(task, words, desperate),
            lambda target: look_for(task, target),
            "found",
        )
    )


def find_pictured(
    task: TaskContext, words: str, image: npt.NDArray[np.uint8], detections: Sequence[Detection]
) -> Generator[Motion, None, Outcome]:
    """Go to what a picture shows, and look whether it is there.

    Args:
        task: that it is for.
        words: what is shown; empty: not known.
        image: the picture, (H, W, 3) uint8 RGB.
        detections: what the robot's detector saw in it; none: it is looked for by its looks alone.
    """

    def candidates(desperate: bool) -> list[Evidence]:
        task.up_to_date()
        return pictured(task.memory, image, detections, desperate=desperate)

    def look(target: Evidence) -> Generator[Motion, None, Handled]:
        if target.kind != "object":
            return (yield from look_for(task, target))
        return (yield from _look_as_pictured(task, target, image, detections))

    return (yield from try_candidates(task, words, candidates, look, "found"))


def look_for(task: TaskContext, target: Evidence) -> Generator[Motion, None, Handled]:
    """Drive to what is remembered and look whether it is there."""
    assert target.position is not None
    if target.kind == "object":
        stuck = yield from approach(task.memory, task.body, target, task.tolerance)
    else:
        stuck = yield from task.body.drive(target.position, task.tolerance)
    task.expect_images()
    if stuck:
        return Handled(False, stuck, "not reached")
    if target.kind != "object":
        return Handled(True)
    yield from task.body.face(target.position)
    if task.body.steps_left <= 0:
        return Handled(True)  # it stands before it; looking once more would be a step too many
    yield from task.look()
    task.up_to_date()
    now = task.memory.recall(Query(object_id=target.id, kinds=("object",), limit=1)).evidence
    if not now:
        return Handled(False, "the memory does not know it any more")
    return Handled(False, "it is not there", "not there") if now[0].state == "missing" else Handled(True)


def _look_as_pictured(
    task: TaskContext, target: Evidence, image: npt.NDArray[np.uint8], detections: Sequence[Detection]
) -> Generator[Motion, None, Handled]:
    """Drive to where the picture of a remembered object was taken, and look whether it is what the picture shows."""
    assert target.position is not None and target.T_map_camera is not None
    x, y, z = target.T_map_camera[:3, 3].tolist()
    stuck = yield from task.body.drive((x, y, z), _PICTURE_TOLERANCE)
    if stuck:
        stuck = yield from approach(task.memory, task.body, target, task.tolerance)
    task.expect_images()
    if stuck:
        return Handled(False, stuck, "not reached")
    yield from task.body.face(target.position)
    if task.body.steps_left <= 0:
        return Handled(True)
    yield from task.look()
    task.up_to_date()
    if shows_still(task.memory, image, detections, target):
        return Handled(True)
    return Handled(False, "what is there is not what the picture shows", "not there")
